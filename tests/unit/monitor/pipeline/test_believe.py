"""Which times a source is believed: a lone stamp far ahead is not, a gap in the log is."""

import orjson
import pytest

from monitor.pipeline.believe import COMPANY, LEAP_S, MAX_AHEAD, WITNESSES, Suspect, Timeline
from tests.helpers import T0, event

DAY = LEAP_S


def suspect(seconds: float, name: str = "") -> Suspect:
    return Suspect(event(seconds, **({"id": name} if name else {})), b"record \xff", 7)


def at(seconds: float) -> Timeline:
    """A source known to be at that time."""
    timeline = Timeline()
    timeline.advance(T0 + seconds)
    return timeline


def test_the_limit_is_a_day_after_the_believed_time() -> None:
    timeline = at(0)
    assert (timeline.believed, timeline.limit) == (T0, T0 + DAY)
    timeline.advance(T0 - 5)
    assert timeline.believed == T0


def test_a_source_begins_where_its_first_witnesses_are() -> None:
    timeline = Timeline()
    released = [timeline.doubt(suspect(i)) for i in range(WITNESSES)]
    assert [len(events) for events in released] == [0] * (WITNESSES - 1) + [WITNESSES]
    assert timeline.believed == T0 + WITNESSES - 1
    assert timeline.suspects == []


def test_a_first_stamp_that_is_wrong_does_not_carry_the_others_with_it() -> None:
    timeline = Timeline()
    timeline.doubt(suspect(9000 * DAY, "wrong"))
    released = [timeline.doubt(suspect(i)) for i in range(WITNESSES - 1)][-1]
    assert [each.id for each in released] == [f"e{i}" for i in range(WITNESSES - 1)]
    assert timeline.believed == T0 + WITNESSES - 2
    assert [held.event.id for held in timeline.suspects] == ["wrong"]


def test_a_gap_in_the_log_is_believed_once_enough_events_follow_it() -> None:
    timeline = at(0)
    for i in range(WITNESSES - 1):
        assert timeline.doubt(suspect(10 * DAY + i)) == []
        assert timeline.believed == T0
    released = timeline.doubt(suspect(10 * DAY + 99))
    assert [each.id for each in released] == [f"e{10 * DAY + i:g}" for i in range(WITNESSES - 1)] + [f"e{10 * DAY + 99:g}"]
    assert timeline.believed == T0 + 10 * DAY + 99


def test_events_are_released_in_the_order_they_came() -> None:
    timeline = at(0)
    steps = [5, 3, 8, 1, 9, 2, 7, 4]
    assert len(steps) == WITNESSES
    released = [timeline.doubt(suspect(10 * DAY + step, f"at{step}")) for step in steps][-1]
    assert [each.id for each in released] == [f"at{step}" for step in steps]


def test_a_witness_that_itself_leaps_waits_on() -> None:
    timeline = at(0)
    for i in range(WITNESSES - 1):
        timeline.doubt(suspect(10 * DAY + i))
    timeline.doubt(suspect(500 * DAY, "farther"))
    assert timeline.believed == T0 + 10 * DAY + WITNESSES - 2
    assert [held.event.id for held in timeline.suspects] == ["farther"]


def test_lone_leaps_are_refused_when_the_source_goes_on_at_the_old_time() -> None:
    timeline = at(0)
    timeline.doubt(suspect(10 * DAY, "one"))
    timeline.doubt(suspect(500 * DAY, "other"))
    ahead, wrong = timeline.contradicted()
    assert ahead == []
    assert [held.event.id for held in wrong] == ["one", "other"]
    assert timeline.suspects == []
    assert timeline.believed == T0


def test_leaps_that_agree_are_a_part_of_the_log_out_of_its_order() -> None:
    timeline = at(0)
    for i in range(COMPANY):
        timeline.doubt(suspect(10 * DAY + i))
    timeline.doubt(suspect(500 * DAY, "alone"))
    ahead, wrong = timeline.contradicted()
    assert [each.ts for each in ahead] == [T0 + 10 * DAY + i for i in range(COMPANY)]
    assert [held.event.id for held in wrong] == ["alone"]


def test_no_more_than_so_many_are_sent_ahead() -> None:
    timeline = at(0)
    sent = 0
    for _ in range(MAX_AHEAD):
        for i in range(COMPANY):
            timeline.doubt(suspect(10 * DAY + i))
        sent += len(timeline.contradicted()[0])
    assert sent == MAX_AHEAD


def test_at_the_end_those_still_waiting_are_taken_in_the_order_of_time() -> None:
    timeline = at(0)
    timeline.doubt(suspect(700 * DAY, "far"))
    timeline.doubt(suspect(10 * DAY, "near"))
    assert [each.id for each in timeline.end()] == ["near", "far"]
    assert timeline.end() == []


@pytest.mark.parametrize("timeline", [Timeline(), at(0)], ids=["unknown", "known"])
def test_a_dump_comes_back_with_the_records_as_they_were(timeline: Timeline) -> None:
    timeline.doubt(suspect(10 * DAY))
    again = Timeline()
    again.load(orjson.loads(orjson.dumps(timeline.dump())))
    assert (again.believed, again.limit, again.ahead) == (timeline.believed, timeline.limit, timeline.ahead)
    assert again.suspects == timeline.suspects
    assert again.suspects[0].record == b"record \xff"
