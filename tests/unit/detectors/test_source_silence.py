"""Sources that fall silent, and clocks that jump."""

from typing import Any

import pytest

from detectors.source_silence import SilenceSettings, SourceSilence, by_host
from schemas.event import HEARD, Event
from schemas.finding import Finding
from tests.helpers import event, find

NAME = "source_silence"
HOUR_S, DAY_S = 3600, 86_400
ONE_DAY = 25 * HOUR_S


def sent(seconds: float, tenant: str | None = "acme", **fields: Any) -> Event:
    return event(seconds, **{"kind": "api.request", "tenant": tenant, "id": f"{tenant}{seconds:g}", **fields})


def steady(until: float, every_s: float = 60, start: float = 0, **fields: Any) -> list[Event]:
    return [sent(start + i * every_s, **fields) for i in range(int((until - start) // every_s))]


def clock(until: float) -> list[Event]:
    """Another tenant, too rare to be judged, that moves the time."""
    return steady(until, every_s=600, tenant="globex")


def run(*parts: list[Event], **settings: Any) -> list[Finding]:
    events = sorted((each for part in parts for each in part), key=lambda each: (each.ts, each.id))
    return [finding for finding in find(NAME, events, settings) if finding.tenant != "globex"]


def phases(found: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.phase, finding.severity) for finding in found]


def test_a_steady_source_that_stops_is_told_and_told_again_as_time_doubles() -> None:
    found = run(steady(ONE_DAY), clock(ONE_DAY + 2 * HOUR_S))
    assert phases(found) == [("open", "medium"), ("update", "medium"), ("update", "medium")]
    assert [finding.facts["silent_s"] for finding in found] == [900, 1800, 3600]
    assert found[0].evidence == (f"acme{ONE_DAY - 60:g}",)
    assert (found[0].entity_type, found[0].entity, found[0].facts["usual_pause_s"]) == ("tenant", "acme", 60)


def test_it_resolves_when_the_source_sends_again() -> None:
    found = run(steady(ONE_DAY), clock(ONE_DAY + HOUR_S), steady(ONE_DAY + 2 * HOUR_S, start=ONE_DAY + 1200))
    assert phases(found) == [("open", "medium"), ("close", "medium")]
    assert (found[-1].facts["silent_s"], found[-1].facts["came_back"]) == (1260, "yes")


def test_less_than_a_quarter_of_an_hour_is_silent() -> None:
    assert run(steady(ONE_DAY), clock(ONE_DAY + HOUR_S), steady(ONE_DAY + HOUR_S, start=ONE_DAY + 800)) == []


def test_its_own_return_tells_of_a_silence_nobody_else_could() -> None:
    found = run(steady(ONE_DAY), steady(ONE_DAY + 2 * HOUR_S, start=ONE_DAY + 1200))
    assert phases(found) == [("open", "medium"), ("close", "medium")]
    assert run(steady(ONE_DAY)) == []


@pytest.mark.parametrize(
    ("what", "events", "settings", "alerts"),
    [
        ("half a day of history", steady(DAY_S / 2), {}, 0),
        ("half a day, where that is enough", steady(DAY_S / 2), {"flat_after_s": 30_000}, 1),
        ("six events an hour", steady(2 * DAY_S, every_s=600), {"steady_pause_s": 3000}, 0),
        ("six events an hour, where that is enough", steady(2 * DAY_S, every_s=600), {"min_rate": 5}, 1),
        (
            "a burst every half hour",
            [e for i in range(100) for e in steady(i * 1800 + 60, every_s=1, start=i * 1800)],
            {},
            0,
        ),
        ("no tenant", steady(ONE_DAY, tenant=None), {}, 1),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_who_is_judged(what: str, events: list[Event], settings: dict[str, Any], alerts: int) -> None:
    found = run(events, clock(events[-1].ts - events[0].ts + 3 * HOUR_S), **settings)
    assert [finding.phase for finding in found].count("open") == alerts


def test_the_limit_is_ten_times_the_usual_pause() -> None:
    found = run(steady(2 * DAY_S, every_s=120), clock(2 * DAY_S + 2 * HOUR_S))
    assert (found[0].facts["limit_s"], found[0].facts["silent_s"]) == (1200, 1200)


def office(days: int, until_h: float = 8) -> list[Event]:
    """Eight hours of each day, from T0 on; the last day until ``until_h``."""
    return [
        each
        for day in range(days)
        for each in steady(day * DAY_S + (until_h if day == days - 1 else 8) * HOUR_S, every_s=30, start=day * DAY_S)
    ]


def test_nights_are_silent() -> None:
    assert run(office(9), clock(9 * DAY_S), min_rate=10) == []


def test_an_office_that_stops_in_the_middle_of_its_day_is_told() -> None:
    found = run(office(4, until_h=4), clock(4 * DAY_S), min_rate=10)
    assert phases(found)[0] == ("open", "medium")
    assert found[0].first_seen == pytest.approx(sent(3 * DAY_S + 4 * HOUR_S - 30).ts)


def test_a_new_office_is_not_judged_by_its_first_days() -> None:
    assert run(office(2, until_h=4), clock(2 * DAY_S), min_rate=10) == []


def test_a_change_to_the_audit_log_before_it_makes_it_high() -> None:
    change = [sent(ONE_DAY - 200, kind="audit.log_change", id="change")]
    found = run(steady(ONE_DAY), change, clock(ONE_DAY + HOUR_S))
    assert phases(found)[0] == ("open", "high")
    assert found[0].evidence == ("change", f"acme{ONE_DAY - 60:g}")
    long_ago = [sent(ONE_DAY - 2 * HOUR_S, kind="audit.log_change", id="change")]
    assert phases(run(steady(ONE_DAY), long_ago, clock(ONE_DAY + HOUR_S)))[0] == ("open", "medium")


def test_a_host_is_watched_beside_its_tenant() -> None:
    hosts = [steady(ONE_DAY, target="host:web1"), steady(ONE_DAY + 2 * HOUR_S, every_s=61, target="host:web2")]
    found = run(*hosts)
    assert {(finding.entity_type, finding.entity) for finding in found} == {("source", "web1")}


@pytest.mark.parametrize(("target", "key"), [("host:web1", "acme\x1fweb1"), ("host:", None), ("file:1", None), (None, None)])
def test_hosts_are_targets(target: str | None, key: str | None) -> None:
    assert by_host(sent(0, target=target)) == key


def test_a_source_that_never_comes_back_is_retired() -> None:
    found = run(steady(ONE_DAY), clock(ONE_DAY + 9 * DAY_S))
    assert phases(found)[-1] == ("close", "medium")
    assert (found[-1].facts["silent_s"], found[-1].facts["came_back"]) == (7 * DAY_S, "no")


def test_a_weekly_maintenance_is_told_once() -> None:
    week = 7 * DAY_S
    parts = [steady(week + 5000, every_s=120), *(steady((n + 1) * week + 5000, every_s=120, start=n * week + 8600) for n in (1, 2))]
    found = run(*parts, clock(3 * week))
    assert [(finding.phase, finding.first_seen) for finding in found if finding.phase == "open"] == [("open", sent(week + 4800).ts)]


def test_a_clock_that_jumps_is_told_and_settles() -> None:
    events: list[Event] = []
    for i in range(200):
        events.append(sent(ONE_DAY + i * 60))
        if 10 <= i < 16:
            events.append(sent(ONE_DAY + i * 60 - 2 * HOUR_S, id=f"back{i}"))
    found = find(NAME, events)
    assert phases(found) == [("open", "low"), ("close", "low")]
    # The newest event is held for the lateness, so the one before it is what they are compared with.
    assert (found[-1].count, found[0].facts["what"], found[0].facts["furthest_s"]) == (6, "clock_jump", 7140)
    assert found[0].evidence == tuple(f"back{i}" for i in range(10, 15))


@pytest.mark.parametrize(("back_s", "number", "alerts"), [(7200, 5, 0), (7200, 6, 1), (3000, 50, 0)])
def test_a_clock_must_jump_far_and_often(back_s: float, number: int, alerts: int) -> None:
    # The first of them is the first event there is, and so behind nothing.
    events = [each for i in range(number) for each in (sent(ONE_DAY + i * 60), sent(ONE_DAY + i * 60 - back_s, id=f"back{i}"))]
    assert [finding.phase for finding in find(NAME, events)].count("open") == alerts


def test_words() -> None:
    detector = SourceSilence("by_tenant", SilenceSettings())
    found = run(
        steady(ONE_DAY), clock(ONE_DAY + HOUR_S), [sent(ONE_DAY - 1, kind="audit.log_change")], steady(ONE_DAY + 4000, start=ONE_DAY + 3600)
    )
    assert detector.explain(found[-1]) == (
        "No event for 60 min from a source that sends 60 an hour and usually pauses for 60 s at most at this hour of the week. "
        "Its audit log was changed shortly before. It sends again."
    )
    assert detector.counterfactual(found[-1]) == "silent for a pause of less than 15 min"


# -- inputs of the service --------------------------------------------------------------------------------------------------------


def heard(until: float, part: str = "orders/0", start: float = 0, every_s: float = 10, number: int = 50, **fields: Any) -> list[Event]:
    """Marks of one partition of a topic."""
    more = {"kind": HEARD, "tenant": None, "target": "orders", "action": part, "records": number, **fields}
    return [event(at, **{"id": f"{part}@{at:g}", **more}) for at in range(int(start), int(until), int(every_s))]


def test_a_topic_that_stops_is_one_alert() -> None:
    found = run(*(heard(ONE_DAY + n, f"orders/{n}", n) for n in range(4)), clock(ONE_DAY + HOUR_S + 2000))
    assert phases(found) == [("open", "medium"), ("update", "medium"), ("update", "medium")]
    assert [finding.facts["silent_s"] for finding in found] == [900, 1800, 3600]
    first = found[0]
    assert (first.entity_type, first.entity, first.tenant, first.facts["what"]) == ("source", "orders", None, "silence")
    assert (first.facts["usual_pause_s"], first.facts["events_per_hour"]) == (7, 72_005.6)
    assert first.evidence == (f"orders/3@{ONE_DAY - 7:g}",)
    assert first.links == (("tenant", ""),)


def test_partitions_that_stop_while_others_go_on_are_one_low_alert() -> None:
    found = run(
        heard(ONE_DAY, "orders/0"),
        heard(ONE_DAY + 300, "orders/1"),
        heard(ONE_DAY + 2 * HOUR_S, "orders/2"),
        heard(ONE_DAY + 2 * HOUR_S, "orders/0", start=ONE_DAY + 4000),
        heard(ONE_DAY + 2 * HOUR_S, "orders/1", start=ONE_DAY + 5000),
    )
    said = [(finding.phase, finding.severity, finding.facts["silent"]) for finding in found]
    assert said[:2] == [("open", "low", "orders/0"), ("update", "low", "orders/0, orders/1")]
    assert said[-1] == ("close", "low", "orders/1")
    assert (found[0].facts["silent_parts"], found[0].facts["parts"], found[0].facts["silent_s"]) == (1, 3, 900)
    assert (found[-1].facts["came_back"], found[-1].ts) == ("yes", event(ONE_DAY + 5000).ts)


def test_a_topic_whose_partitions_stop_one_after_the_other_becomes_grave() -> None:
    found = run(heard(ONE_DAY, "orders/0"), heard(ONE_DAY + 2000, "orders/1"), clock(ONE_DAY + 4000))
    assert [(finding.phase, finding.severity, finding.facts["what"]) for finding in found] == [
        ("open", "low", "partitions"),
        ("update", "low", "partitions"),
        ("update", "medium", "silence"),
    ]


def test_after_an_outage_each_partition_has_time_to_come_back() -> None:
    before = [heard(ONE_DAY, f"orders/{n}") for n in range(3)]
    after = [heard(ONE_DAY + 3 * HOUR_S, f"orders/{n}", start=ONE_DAY + HOUR_S + 300 * n) for n in range(3)]
    assert phases(run(*before, *after, clock(ONE_DAY + 3 * HOUR_S)))[-1] == ("close", "medium")
    assert [finding.phase for finding in run(*before, *after, clock(ONE_DAY + 3 * HOUR_S))].count("open") == 1


@pytest.mark.parametrize(
    ("what", "rows", "alerts"),
    [
        ("a partition without keys", [heard(ONE_DAY + 2 * HOUR_S), heard(ONE_DAY, "orders/1", every_s=3000, number=2)], 0),
        ("half a day", [heard(DAY_S / 2)], 0),
        ("too few events", [heard(ONE_DAY, every_s=1000, number=1)], 0),
        ("a whole that is steady though no partition is", [heard(ONE_DAY, f"orders/{n}", n * 200, 2400) for n in range(12)], 1),
        ("not read any more", [heard(ONE_DAY), heard(ONE_DAY + 10, start=ONE_DAY, reason="gone")], 0),
        (
            "one partition not read any more",
            [
                heard(ONE_DAY),
                heard(ONE_DAY + 10, start=ONE_DAY, reason="gone"),
                heard(ONE_DAY + 2 * HOUR_S, "orders/1"),
                heard(ONE_DAY + 2 * HOUR_S, "orders/2"),
            ],
            0,
        ),
        ("of another tenant", [heard(ONE_DAY), heard(ONE_DAY + HOUR_S, tenant="acme")], 1),
        ("no name", [heard(ONE_DAY, target=None)], 0),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_which_inputs_are_judged(what: str, rows: list[list[Event]], alerts: int) -> None:
    found = run(*rows, clock(ONE_DAY + HOUR_S))
    assert [finding.phase for finding in found].count("open") == alerts


def test_an_input_that_is_not_read_any_more_while_it_is_silent_resolves() -> None:
    found = run(heard(ONE_DAY), heard(ONE_DAY + HOUR_S + 10, start=ONE_DAY + HOUR_S, reason="gone"), clock(ONE_DAY + 2 * HOUR_S))
    assert phases(found)[-1] == ("close", "medium")
    assert found[-1].facts["came_back"] == "no"


def test_an_input_that_never_comes_back_is_retired() -> None:
    found = run(heard(ONE_DAY), clock(ONE_DAY + 9 * DAY_S))
    assert (found[-1].phase, found[-1].facts["came_back"], found[-1].ts) == ("close", "no", event(ONE_DAY - 10 + 7 * DAY_S).ts)


def test_no_more_than_64_partitions_are_told_apart() -> None:
    detector = SourceSilence("by_input", SilenceSettings())
    state = detector.new_state()
    for i in range(200):
        detector.on_event("\x1forders", state, heard(i + 1, f"orders/{i}", i, 1)[0])
    assert state.voices is not None
    assert len(state.voices.parts) == 64
    assert detector.load(1, detector.dump(state)) == state


def test_words_about_partitions() -> None:
    detector = SourceSilence("by_input", SilenceSettings())
    (finding, *_) = run(heard(ONE_DAY), heard(ONE_DAY + HOUR_S, "orders/1"))
    assert detector.explain(finding) == (
        "No event for 15 min from 1 of the 2 partitions (orders/0), while others go on; "
        "usually there are 18,002 an hour, and pauses of 10 s at most at this hour of the week."
    )
    assert detector.counterfactual(finding) == "silent for a pause of less than 15 min"
