"""From records to events: rejects are counted and kept, repeats dropped, false leaps refused."""

from collections.abc import Sequence
from itertools import pairwise

import orjson
import pytest

from monitor.pipeline.believe import LEAP_S
from monitor.pipeline.ingest import Ingest, gone
from monitor.pipeline.seen import Seen
from schemas.errors import RejectError
from schemas.event import HEARD, Event
from schemas.formats import FORMATS
from schemas.formats.base import Context, Memory
from schemas.text import bounded_name
from tests.checkpoints import read, write
from tests.helpers import T0

Kept = list[tuple[str, int, bytes, str]]


def ingest(kept: Kept | None = None, seen: Seen | None = None, source: str = "log") -> Ingest:
    def keep(name: str, line: int, record: bytes, error: RejectError) -> None:
        if kept is not None:
            kept.append((name, line, record, error.reason))

    parser = FORMATS["native"].parser(Context(memory=Memory()))
    return Ingest(source, parser, seen or Seen(), keep)


def line(seconds: float, event_id: str | None = None, kind: str = "auth.login") -> bytes:
    return orjson.dumps({"time": T0 + seconds, "kind": kind, "id": event_id or f"e{seconds:g}"})


def ids(events: Sequence[Event]) -> list[str]:
    return [event.id for event in events]


def take(source: Ingest, records: Sequence[bytes], first_line: int = 1) -> list[str]:
    return ids(source.decode(records, range(first_line, first_line + len(records))))


BEGINNING = [line(i) for i in range(8)]
"""Enough of a log to believe its time."""


def test_events_come_in_the_order_of_their_records() -> None:
    source = ingest()
    assert take(source, [*BEGINNING, line(7.5), line(7.25)]) == [*(f"e{i}" for i in range(8)), "e7.5", "e7.25"]
    assert source.records == 10
    assert source.kinds == {"auth.login": 10}
    assert source.believed == T0 + 7.5


def test_a_record_that_is_no_event_is_counted_kept_whole_and_skipped() -> None:
    kept: Kept = []
    source = ingest(kept)
    bad = [b"\xff", b"no json", b'{"time": 1770000000, "kind": "tea.time"}', b'{"kind": "auth.login"}']
    assert take(source, [*BEGINNING, *bad, line(9)], first_line=100)[-1] == "e9"
    assert kept == [
        ("log", 108, bad[0], "not_utf8"),
        ("log", 109, bad[1], "not_json"),
        ("log", 110, bad[2], "unknown_kind"),
        ("log", 111, bad[3], "missing_field"),
    ]
    assert source.rejected == {"not_utf8": 1, "not_json": 1, "unknown_kind": 1, "missing_field": 1}
    assert source.records == 13


def test_a_record_without_an_event_is_counted_a_reject_and_a_repeat_are_not() -> None:
    source = ingest()
    take(source, [*BEGINNING, b" ", BEGINNING[3], b"no json", b"\t"])
    assert (source.records, source.irrelevant, source.repeats, source.rejected.total()) == (12, 2, 1, 1)
    resumed = ingest()
    resumed.load(orjson.loads(orjson.dumps(source.dump())))
    take(resumed, [b" ", line(9)])
    assert resumed.irrelevant == 3


def test_a_wrapper_with_a_good_and_a_bad_entry_is_no_record_without_an_event() -> None:
    good = {"eventVersion": "1.08", "eventTime": "2026-03-01T08:00:00Z", "eventSource": "s3.amazonaws.com", "eventName": "ListBuckets"}
    digest = {"digestStartTime": "2026-03-01T08:00:00Z", "digestEndTime": "2026-03-01T09:00:00Z"}
    source = Ingest("trail", FORMATS["cloudtrail"].parser(Context(memory=Memory())), Seen(), lambda *_: None)
    take(
        source,
        [orjson.dumps({"Records": [good, {"eventName": "x"}]}), orjson.dumps({"Records": [{"eventName": "x"}]}), orjson.dumps(digest)],
    )
    assert (source.records, source.irrelevant, source.rejected.total()) == (3, 1, 2)


def test_a_repeat_is_dropped_and_counted_within_a_batch_and_later() -> None:
    source = ingest()
    assert take(source, [*BEGINNING, BEGINNING[3], BEGINNING[3]]) == [f"e{i}" for i in range(8)]
    assert take(source, [BEGINNING[0], line(9)]) == ["e9"]
    assert source.repeats == 3


def test_sources_know_of_each_other_s_events() -> None:
    seen = Seen()
    first, second = ingest(seen=seen), ingest(seen=seen, source="other")
    take(first, BEGINNING)
    assert take(second, BEGINNING) == []
    assert (first.repeats, second.repeats) == (0, 8)


def test_a_lone_leap_is_refused_once_the_source_goes_on() -> None:
    kept: Kept = []
    source = ingest(kept)
    wrong = line(300 * LEAP_S, "wrong")
    assert take(source, [*BEGINNING, wrong]) == [f"e{i}" for i in range(8)]
    assert kept == []
    assert take(source, [line(9)], first_line=10) == ["e9"]
    assert kept == [("log", 9, wrong, "future_time")]
    assert source.believed == T0 + 9


def test_a_gap_of_days_is_believed() -> None:
    source = ingest()
    after = [line(5 * LEAP_S + i) for i in range(8)]
    assert take(source, BEGINNING + after[:7]) == [f"e{i}" for i in range(8)]
    assert len(take(source, after[7:])) == 8
    assert source.believed == T0 + 5 * LEAP_S + 7
    assert source.rejected == {}


def test_a_part_of_the_log_out_of_its_order_is_sent_ahead() -> None:
    source = ingest()
    part = [line(5 * LEAP_S + i, f"part{i}") for i in range(5)]
    assert take(source, [*BEGINNING, *part, line(9)])[-1] == "e9"
    assert ids(source.ahead) == [f"part{i}" for i in range(5)]
    assert source.believed == T0 + 9
    assert source.kinds.total() == 14


def test_a_short_log_comes_at_its_end() -> None:
    source = ingest()
    assert take(source, BEGINNING[:3]) == []
    assert ids(source.end()) == ["e0", "e1", "e2"]
    assert source.kinds == {"auth.login": 3}


@pytest.mark.parametrize("cut", range(12))
def test_it_goes_on_after_a_restart_as_if_nothing_had_happened(cut: int) -> None:
    records = [*BEGINNING, line(300 * LEAP_S, "wrong"), b"bad", line(9), BEGINNING[2]]
    whole_kept: Kept = []
    whole = ingest(whole_kept)
    expected = take(whole, records)

    kept: Kept = []
    seen = Seen()
    first = ingest(kept, seen)
    got = take(first, records[:cut])
    fresh = Seen()
    fresh.restore(read(write(seen.changed(everything=True))))
    second = ingest(kept, fresh)
    second.load(orjson.loads(orjson.dumps(first.dump())))
    got += take(second, records[cut:], first_line=cut + 1)

    assert got == expected
    assert sorted(kept) == sorted(whole_kept)
    assert second.dump() == whole.dump()


@pytest.mark.parametrize("name", ["sshd", "native"])
def test_long_names_are_shortened_whatever_the_format(name: str) -> None:
    user = "u" * 600
    record = {
        "sshd": f"2026-03-03T08:00:00+00:00 web1 sshd[7]: Invalid user {user} from 203.0.113.9 port 4711".encode(),
        "native": orjson.dumps({"time": T0, "kind": "auth.login", "actor": user}),
    }[name]
    source = Ingest("log", FORMATS[name].parser(Context(memory=Memory())), Seen(), lambda *_: None)
    source.decode([record], [1])
    [event] = source.end()
    assert event.actor == bounded_name(user)
    assert len(event.actor) == 256


# -- who is heard -----------------------------------------------------------------------------------------------------------------


def marks(events: Sequence[Event]) -> list[tuple[str, int]]:
    """Ids and numbers of the marks; each comes right after its event."""
    for before, event in pairwise(events):
        if event.kind == HEARD:
            assert (event.ts, event.id) == (before.ts, before.id)
    return [(event.id, event.records) for event in events if event.kind == HEARD]


def listening(source: str = "orders/0") -> Ingest:
    made = ingest(source=source)
    made.listen("orders", "acme")
    return made


def decode(source: Ingest, records: Sequence[bytes]) -> list[Event]:
    return source.decode(records, range(1, len(records) + 1))


LOG = [line(i) for i in range(25)]


def test_an_input_that_is_listened_to_is_marked_every_ten_seconds() -> None:
    source = listening()
    events = decode(source, LOG)
    # Time is believed from the eighth event on.
    assert marks(events) == [("e8", 9), ("e18", 10)]
    first = next(event for event in events if event.kind == HEARD)
    assert (first.tenant, first.target, first.action) == ("acme", "orders", "orders/0")
    assert source.kinds == {"auth.login": 25}


@pytest.mark.parametrize("size", [1, 2, 7, 24])
def test_marks_do_not_depend_on_how_records_come(size: int) -> None:
    source = listening()
    events = [event for at in range(0, 25, size) for event in decode(source, LOG[at : at + size])]
    assert marks(events) == [("e8", 9), ("e18", 10)]


def test_marks_go_on_after_a_restart() -> None:
    before, after = listening(), ingest(source="orders/0")
    first = decode(before, LOG[:12])
    after.load(orjson.loads(orjson.dumps(before.dump())))
    assert marks([*first, *decode(after, LOG[12:])]) == [("e8", 9), ("e18", 10)]


def test_an_input_nobody_listens_to_is_not_marked() -> None:
    source = ingest()
    assert marks(decode(source, LOG)) == []
    assert source.end() == []


def test_an_input_that_ends_or_is_not_there_any_more_says_so() -> None:
    source = listening()
    decode(source, LOG)
    (last,) = source.end()
    assert (last.kind, last.reason, last.ts, last.action) == (HEARD, "gone", T0 + 24, "orders/0")
    assert gone("orders/0", source.dump(), T0 + 24) == [last]
    assert gone("orders/0", ingest().dump(), T0) == []
    assert listening().end() == []  # nothing was ever heard of it
