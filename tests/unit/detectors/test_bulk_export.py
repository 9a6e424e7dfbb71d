"""Data leaving in bulk through one account."""

from typing import Any

import pytest

from detectors.base import ASK, Verdict
from detectors.bulk_export import MAX_OBJECTS, BulkExport, ExportSettings
from detectors.exports import PANES
from detectors.registry import build
from monitor.pipeline.runner import Runner
from schemas.event import Event
from tests.helpers import T0, event, find, opened

MIB = 1024**2


def export(seconds: float, **fields: Any) -> Event:
    return event(seconds, **{"kind": "data.export", "actor": "alice", "tenant": "acme", "outcome": "success", "ip": "192.0.2.10", **fields})


def files(number: int, every_s: float = 10, **fields: Any) -> list[Event]:
    return [export(i * every_s, target=f"file:{i}", **fields) for i in range(number)]


@pytest.mark.parametrize(
    ("what", "events", "alerts"),
    [
        ("99 objects", files(99), 0),
        ("100 objects", files(100), 1),
        ("100 exports of one object", [export(i, target="file:1") for i in range(100)], 0),
        ("100 exports of objects without a name", [export(i) for i in range(100)], 1),
        ("50 with and 50 without", [*files(50), *(export(500 + i) for i in range(50))], 1),
        ("100 objects, slowly", files(100, every_s=40), 0),
        ("49,999 records", [export(0, target="table:a", records=49_999)], 0),
        ("50,000 records", [export(0, target="table:a", records=50_000)], 1),
        ("50,000 records in two goes", [export(0, target="table:a", records=25_000), export(1800, target="table:a", records=25_000)], 1),
        ("50,000 records, too far apart", [export(0, target="table:a", records=25_000), export(3700, target="table:a", records=25_000)], 0),
        ("a byte less than 1 GiB", [export(0, target="file:a", bytes=1024 * MIB - 1)], 0),
        ("1 GiB", [export(0, target="file:a", bytes=1024 * MIB)], 1),
        ("an absurd amount", [export(0, target="file:a", bytes=2**63 - 1, records=2**63 - 1)], 1),
        ("query pages", [export(i, kind="data.query", records=1000) for i in range(50)], 1),
        ("queries are no objects", [export(i, kind="data.query", records=1, target=f"table:{i}") for i in range(200)], 0),
        ("large answers", [export(i, kind="api.request", bytes=100 * MIB) for i in range(11)], 1),
        ("an administrator's dump", [export(0, kind="admin.action", bytes=2048 * MIB)], 1),
        ("failures", files(200, outcome="failure"), 0),
        ("failures that say how much", [export(0, outcome="failure", records=10**9)], 0),
        ("no outcome sent", files(100, outcome=None), 1),
        ("amounts below zero", [export(i, target="f:1", records=-5, bytes=-5) for i in range(200)], 0),
        ("no actor", files(200, actor=None), 0),
        ("two tenants", [*files(60), *(export(700 + i, tenant="globex", target=f"file:g{i}") for i in range(60))], 0),
        ("a service, 100 objects", files(100, actor_type="service"), 0),
        ("an API key, 499,999 records", [export(0, actor_type="api_key", target="t:a", records=499_999)], 0),
        ("an API key, 500,000 records", [export(0, actor_type="api_key", target="t:a", records=500_000)], 1),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_limits(what: str, events: list[Event], alerts: int) -> None:
    assert opened(find("bulk_export", events)) == [("actor", "alice")] * alerts


@pytest.mark.parametrize(
    ("fields", "severity"),
    [
        ({"records": 50_000}, "medium"),
        ({"records": 249_999}, "medium"),
        ({"records": 250_000}, "high"),
        ({"records": 60_000, "bytes": 5 * 1024 * MIB}, "high"),
        ({"records": 600_000, "actor_type": "service"}, "low"),
        ({"records": 2_500_000, "actor_type": "service"}, "high"),
    ],
)
def test_severity_follows_the_amount(fields: dict[str, Any], severity: str) -> None:
    assert [finding.severity for finding in find("bulk_export", [export(0, target="t:a", **fields)])] == [severity]


def test_alert_says_all_three_amounts_and_the_smallest_change() -> None:
    events = [export(i * 60, target=f"table:{i}", records=20_000, bytes=400 * MIB) for i in range(3)]
    (finding,) = find("bulk_export", events)
    assert finding.facts == {
        "passed": "records, bytes",
        "objects": 3,
        "objects_limit": 100,
        "records": 60_000,
        "records_limit": 50_000,
        "bytes": 1200 * MIB,
        "bytes_limit": 1024 * MIB,
        "account": "user",
        "window_s": 3600,
    }
    assert (finding.first_seen, finding.last_seen, finding.count) == (T0, T0 + 120, 3)
    assert finding.evidence == ("e0", "e60", "e120")
    assert finding.links == (("ip", "192.0.2.10"),)
    detector = BulkExport("by_actor", ExportSettings.model_validate({}))
    assert detector.explain(finding) == "3 objects, 60,000 records and 1.2 GiB left through this account in 2 min, in 3 events."
    assert detector.counterfactual(finding) == "silent below 50,000 records and 1 GiB in 60 min"


def test_one_export_goes_on_as_one_alert() -> None:
    found = find("bulk_export", [*files(450), export(50_000, target="file:z")])
    assert [(finding.phase, finding.count, finding.severity) for finding in found] == [
        ("open", 100, "medium"),
        ("update", 200, "medium"),
        ("update", 400, "medium"),
        ("close", 450, "medium"),
    ]
    assert found[-1].facts["objects"] == pytest.approx(450, rel=0.05)  # a sketch beyond 256


def test_it_becomes_high_as_more_leaves() -> None:
    found = find("bulk_export", [export(i * 600, target="t:a", records=50_000) for i in range(5)])
    assert [(finding.phase, finding.severity) for finding in found] == [
        ("open", "medium"),
        ("update", "medium"),
        ("update", "medium"),
        ("update", "high"),
    ]


def test_what_is_passed_later_does_not_change_what_would_have_kept_it_silent() -> None:
    found = find("bulk_export", [export(0, target="t:a", records=50_000), *(export(60 + i, target=f"f:{i}") for i in range(300))])
    assert {finding.facts["passed"] for finding in found} == {"records"}


def test_after_an_alert_counting_begins_anew() -> None:
    found = find("bulk_export", [*files(100), *(export(20_000 + i, target=f"file:n{i}") for i in range(99))])
    assert [finding.phase for finding in found] == ["open", "close"]


def test_a_limit_of_zero_is_no_limit() -> None:
    off = {"objects": 0, "bytes": 0}
    assert find("bulk_export", files(500, bytes=1024 * MIB), off) == []
    assert opened(find("bulk_export", files(10, records=5_000), off)) == [("actor", "alice")]


def test_late_exports_count_where_they_belong() -> None:
    events = files(120, every_s=30)
    late = [*events[:40], *events[80:100], *events[40:80]]  # 100 of them, 40 of which come 20 minutes late
    (finding,) = find("bulk_export", late)
    assert finding.phase == "open"
    assert finding.count == 100
    assert finding.first_seen == T0
    assert find("bulk_export", [*(export(10_000 + i, target=f"f:{i}") for i in range(60)), *files(60)]) == []


@pytest.mark.parametrize("longer", [0, 1000])
def test_long_names_are_told_apart(longer: int) -> None:
    (finding,) = find("bulk_export", [export(i, target=f"{'x' * longer}{i}") for i in range(100)])
    assert finding.facts["objects"] == 100


@pytest.mark.parametrize(
    ("fields", "counted"),
    [
        ({}, 1),
        ({"kind": "api.request"}, 0),
        ({"kind": "api.request", "bytes": 1}, 1),
        ({"kind": "data.query", "records": 1}, 1),
        ({"kind": "admin.action"}, 0),
    ],
)
def test_only_what_takes_data_out_is_counted(fields: dict[str, Any], counted: int) -> None:
    detector = BulkExport("by_actor", ExportSettings())
    state = detector.new_state()
    finding = detector.on_event("acme\x1falice", state, export(0, **fields))
    assert finding is None or finding is ASK
    assert state.events == counted


def test_memory_is_bounded_whatever_comes() -> None:
    settings = ExportSettings.model_validate({"objects": MAX_OBJECTS, "records": 0, "bytes": 0})
    detector = BulkExport("by_actor", settings)
    state = detector.new_state()
    for i in range(30_000):
        detector.on_event("acme\x1falice", state, export(i * 0.5 - 5000 * (i % 97 == 0), target="y" * 500 + str(i), id=str(i)))
        assert len(state.panes or ()) <= PANES
    assert state.targets is not None
    assert len(state.targets) <= MAX_OBJECTS
    assert max(map(len, state.targets)) <= 64
    assert len(state.recent or ()) <= 40
    numbers = [pane[0] for pane in state.panes or ()]
    assert [*numbers, state.number] == sorted({*numbers, state.number})


def test_sums_are_those_of_the_panes() -> None:
    detector = BulkExport("by_actor", ExportSettings.model_validate({"objects": 0, "records": 0, "bytes": 0}))
    state = detector.new_state()
    for i in range(2000):
        detector.on_event("acme\x1falice", state, export(i * 7 - 900 * (i % 13 == 0), records=i, bytes=2 * i, id=str(i)))
    panes = state.panes or []
    assert state.before == tuple(sum(int(pane[at]) for pane in panes) for at in (2, 3, 4, 5))
    assert (state.events, state.records) > state.before[:2]


def test_a_restart_in_between_changes_nothing() -> None:
    detector = BulkExport("by_actor", ExportSettings.model_validate({}))
    whole, cut = detector.new_state(), detector.new_state()
    for one in files(130, every_s=30, records=10, bytes=10):
        expected = detector.on_event("acme\x1falice", whole, one)
        cut = detector.load(1, detector.dump(cut))
        assert detector.on_event("acme\x1falice", cut, one) == expected
    assert detector.dump(cut) == detector.dump(whole)


# -- what is unusual for the account --------------------------------------------------------------------------------------------------


def days(number: int, objects: int = 3, first: int = 0, actor: str = "alice") -> list[Event]:
    """So many days with a few exports each."""
    return [
        export((first + day) * 86_400 + step * 600, id=f"{actor}{first + day}-{step}", actor=actor, target=f"file:{step}", records=10)
        for day in range(number)
        for step in range(objects)
    ]


def test_a_day_far_beyond_what_is_usual_is_low_although_no_limit_is_passed() -> None:
    found = find("bulk_export", [*days(8), *days(1, 40, first=8)])
    assert opened(found) == [("actor", "alice")]
    assert found[0].severity == "low"
    assert found[0].score > 2
    assert found[0].facts["unusual"] == "objects"
    assert found[0].facts["days_learned"] == 8
    detector = BulkExport("by_actor", ExportSettings())
    assert "usually it is 3 objects, learned from 8 days with exports" in detector.explain(found[0])
    assert detector.counterfactual(found[0]).startswith("silent below ")


@pytest.mark.parametrize(
    ("what", "events", "settings"),
    [
        ("too few days are known", [*days(4), *days(1, 40, first=4)], {}),
        ("as much has been there before", [*days(8), *days(1, 9, first=8), *days(8, first=9), *days(1, 10, first=20)], {}),
        ("a tenth of no limit is reached", [*days(8, objects=1), *days(1, 9, first=8)], {}),
        ("it is switched off", [*days(8), *days(1, 40, first=8)], {"learned": {"enabled": False}}),
    ],
)
def test_what_is_not_unusual(what: str, events: list[Event], settings: dict[str, Any]) -> None:
    found = find("bulk_export", events, settings)
    assert found == []


@pytest.mark.parametrize(("verdict", "alerts"), [("true", 1), ("false", 0), ("expected", 0)])
def test_a_day_under_an_alert_teaches_only_when_it_was_no_attack(verdict: Verdict, alerts: int) -> None:
    runner = Runner(list(build("bulk_export", ExportSettings())))
    assert len(opened(runner.run("test", [*days(8), *days(1, 40, first=8), *days(1, first=10)]))) == 1
    assert runner.judge("bulk_export", "by_actor", "acme\x1falice", verdict)
    assert len(opened(runner.run("test", [*days(1, 40, first=12), *days(1, first=14)]))) == alerts


def test_an_unusual_day_that_goes_on_to_pass_a_limit_is_as_bad_as_the_limit_says() -> None:
    found = find("bulk_export", [*days(8), *(export(8 * 86_400 + step * 5, id=f"x{step}", target=f"file:x{step}") for step in range(120))])
    assert [finding.severity for finding in found if finding.phase == "open"] == ["low"]
    assert found[-1].severity == "medium"
