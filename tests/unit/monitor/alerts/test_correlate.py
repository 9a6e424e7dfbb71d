"""From findings to alert versions: one attack, one alert."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from monitor.alerts.correlate import REOPEN_S, Correlator, alert_id, dedup_key
from schemas.alert import Alert
from schemas.finding import Finding
from tests.checkpoints import read, write
from tests.helpers import T0
from tests.probes import Probe, said


def correlator(max_open: int = 50_000) -> Correlator:
    return Correlator({"probe": Probe()}, "https://runbooks.example.com/", max_open=max_open)


def take(*findings: Finding, by: Correlator | None = None) -> list[Alert]:
    return (by or correlator()).take(findings)


def versions(alerts: Sequence[Alert]) -> list[tuple[str, int, str, int]]:
    return [(alert.entity.value, alert.version, alert.status, alert.count) for alert in alerts]


def grows(seconds: float, count: int, **more: Any) -> Finding:
    """An update of the attack on alice that began at 0."""
    return said("e1", T0 + seconds, "update", count=count, first_seen=T0, **more)


# -- one attack -------------------------------------------------------------------------------------------------------------------


def test_an_attack_is_one_alert_in_several_versions() -> None:
    alerts = take(said("e1", T0, count=5), grows(60, 10), said("e1", T0 + 999, "close", count=12, first_seen=T0))
    assert versions(alerts) == [("alice", 1, "firing", 5), ("alice", 2, "firing", 10), ("alice", 3, "resolved", 12)]
    assert len({alert.id for alert in alerts}) == 1
    assert {alert.time for alert in alerts} == {"2026-02-02T02:40:00.000Z"}


def test_an_alert_says_what_the_finding_and_its_detector_say() -> None:
    alert = take(said("e1", T0, tenant="acme", severity="high", score=0.5))[0]
    expected = {
        "detector": "probe",
        "severity": "high",
        "tenant": "acme",
        "entity": {"type": "actor", "value": "alice"},
        "title": "Probe: alice",
        "summary": "e1 was seen.",
        "first_seen": "2026-02-02T02:40:00.000Z",
        "last_seen": "2026-02-02T02:40:00.000Z",
        "facts": {"says": "e1"},
        "evidence": ("e1",),
        "counterfactual": "silent without it",
        "score": 0.5,
        "attack": {"version": "19", "techniques": ("T1110",)},
        "runbook": "https://runbooks.example.com/probe.md",
        "incident": alert.id,
        "related": (),
        "inhibited_by": None,
    }
    got = msgspec.to_builtins(alert)
    assert {name: got[name] for name in expected} == expected


def test_severity_never_falls_within_an_alert() -> None:
    alerts = take(said("e1", severity="high"), grows(1, 2, severity="low"), said("e1", T0 + 9, "close", severity="medium", count=2))
    assert [alert.severity for alert in alerts] == ["high", "high", "high"]


def test_a_close_of_something_never_said_is_not_said_either() -> None:
    assert take(said("e1", phase="close")) == []


def test_a_late_finding_says_how_late_it_was() -> None:
    alert = take(said("e1", late_s=90.0))[0]
    assert alert.facts == {"says": "e1", "late_s": 90.0}
    assert alert.summary == "e1 was seen. The event that showed it came 90 s too late."


def test_names_that_control_a_terminal_are_made_harmless() -> None:
    alert = take(said("x\x1b[2J", entity="eve\u202e", facts={"says": "\x07"}))[0]
    assert alert.title == "Probe: eve\ufffd"
    assert alert.summary == "\ufffd was seen."


# -- ids --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"variant": "by_ip"},
        {"tenant": "acme"},
        {"entity_type": "ip"},
        {"entity": "bob"},
        {"detector": "other"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_an_alert_is_about_decides_its_ids(change: dict[str, str]) -> None:
    plain = said("e1")
    other = msgspec.structs.replace(plain, **change)
    assert dedup_key(plain) != dedup_key(other)
    assert alert_id(plain) != alert_id(other)


def test_two_attacks_on_one_entity_share_the_dedup_key_but_not_the_id() -> None:
    assert dedup_key(said("e1")) == dedup_key(said("e2"))
    assert alert_id(said("e1")) != alert_id(said("e2"))
    assert alert_id(said("e1", T0)) != alert_id(said("e1", T0 + 1))


def test_how_bad_or_how_many_does_not_decide_ids() -> None:
    assert alert_id(said("e1", count=5)) == alert_id(said("e1", severity="critical", count=9, late_s=3.0))


def test_names_cannot_be_cut_so_that_two_entities_share_an_id() -> None:
    assert dedup_key(said("e", tenant="a", entity="bc")) != dedup_key(said("e", tenant="ab", entity="c"))
    assert dedup_key(said("e", tenant="a1:b", entity="")) != dedup_key(said("e", tenant="a", entity="1:b"))


# -- coming back ------------------------------------------------------------------------------------------------------------------


def comes_back(after_s: float, by: Correlator | None = None) -> list[Alert]:
    first = [said("e1", T0, count=5), said("e1", T0 + 60, "close", count=7, first_seen=T0)]
    return take(*first, said("e9", T0 + 60 + after_s, count=3), by=by)


def test_an_attack_that_comes_back_within_a_day_fires_its_alert_again() -> None:
    alerts = comes_back(REOPEN_S)
    assert versions(alerts) == [("alice", 1, "firing", 5), ("alice", 2, "resolved", 7), ("alice", 3, "firing", 10)]
    assert alerts[2].id == alerts[0].id
    assert alerts[2].first_seen == alerts[0].first_seen
    assert alerts[2].evidence == ("e1",)
    assert "The attack has come back: 10 events since 2026-02-02T02:40:00.000Z." in alerts[2].summary


def test_an_attack_after_more_than_a_day_is_another_one() -> None:
    alerts = comes_back(REOPEN_S + 1)
    assert versions(alerts)[2] == ("alice", 1, "firing", 3)
    assert alerts[2].id != alerts[0].id
    assert alerts[2].dedup_key == alerts[0].dedup_key


def test_a_count_goes_on_over_several_returns() -> None:
    c = correlator()
    counts = []
    for i in range(4):
        start = T0 + i * 1000
        counts += take(said(f"e{i}", start, count=10), said(f"e{i}", start + 9, "close", count=12, first_seen=start), by=c)
    assert [alert.count for alert in counts] == [10, 12, 22, 24, 34, 36, 46, 48]
    assert [alert.version for alert in counts] == list(range(1, 9))


def test_an_attack_its_detector_forgot_goes_on_counting() -> None:
    # In a flood of keys a detector may forget an open attack, and open it anew.
    alerts = take(said("e1", T0, count=500), said("e9", T0 + 60, count=10), said("e9", T0 + 70, "update", count=20, first_seen=T0 + 60))
    assert versions(alerts) == [("alice", 1, "firing", 500), ("alice", 2, "firing", 510), ("alice", 3, "firing", 520)]
    assert {alert.first_seen for alert in alerts} == {"2026-02-02T02:40:00.000Z"}


# -- no room ----------------------------------------------------------------------------------------------------------------------


def test_beyond_the_most_open_alerts_the_oldest_is_resolved_and_counted() -> None:
    c = correlator(max_open=2)
    alerts = take(*(said(name, entity=name) for name in ("a", "b", "c")), by=c)
    assert versions(alerts) == [("a", 1, "firing", 1), ("b", 1, "firing", 1), ("a", 2, "resolved", 1), ("c", 1, "firing", 1)]
    assert c.forgotten == 1


def test_an_attack_resolved_for_want_of_room_goes_on_without_counting_twice() -> None:
    c = correlator(max_open=1)
    take(said("e1", T0, count=5), said("b", entity="bob"), by=c)
    alerts = take(grows(60, 10), by=c)
    assert versions(alerts) == [("alice", 3, "firing", 10)]
    assert "come back" not in alerts[0].summary
    assert take(said("e1", T0 + 99, "close", count=11, first_seen=T0), by=c)[0].count == 11


def test_the_end_of_an_attack_resolved_for_want_of_room_is_not_said_twice() -> None:
    c = correlator(max_open=1)
    take(said("e1", T0), said("b", entity="bob"), by=c)
    assert take(said("e1", T0 + 99, "close", count=9), by=c) == []


def test_memory_of_resolved_alerts_is_bounded() -> None:
    c = correlator(max_open=10)
    for i in range(100):
        take(said("e", entity=f"actor{i}"), said("e", T0 + 9, "close", entity=f"actor{i}"), by=c)
    rows = list(write(c.changed(everything=True))["alerts"].values())
    assert [row["last"] for row in rows] == [None] * 10


# -- incidents --------------------------------------------------------------------------------------------------------------------


def test_alerts_about_one_entity_are_one_incident_that_the_gravest_leads() -> None:
    alerts = take(said("e1"), said("e2", variant="other", severity="high"), grows(5, 2))
    first, second, third = alerts
    assert first.incident == second.incident == third.incident == first.id
    assert [alert.inhibited_by for alert in alerts] == [None, None, second.id]
    assert [other.id for other in second.related] == [first.id]


def test_tenants_have_no_incident_in_common() -> None:
    alerts = take(said("e1", tenant="acme"), said("e2", variant="other", tenant="globex"))
    assert alerts[1].incident == alerts[1].id
    assert alerts[1].related == ()


# -- persistence ------------------------------------------------------------------------------------------------------------------

STORY = [
    said("e1", T0, count=5, links=(("ip", "192.0.2.1"),)),
    said("b1", T0 + 1, entity="192.0.2.1", entity_type="ip", severity="high"),
    grows(60, 10),
    said("e1", T0 + 90, "close", count=12, first_seen=T0),
    said("c1", T0 + 95, entity="carol"),
    said("e5", T0 + 100, count=3),
    said("d1", T0 + 101, entity="dave"),
    said("b1", T0 + 150, "update", entity="192.0.2.1", entity_type="ip", severity="high", count=8, first_seen=T0 + 1),
    said("e5", T0 + 200, "close", count=9, first_seen=T0 + 100),
]


@pytest.mark.parametrize("max_open", [1, 2, 3, 100])
@pytest.mark.parametrize("at", range(len(STORY)))
def test_a_restored_correlator_goes_on_as_if_nothing_had_happened(at: int, max_open: int) -> None:
    whole, first, second = (correlator(max_open) for _ in range(3))
    expected = take(*STORY, by=whole)
    tables = write(first.changed(everything=True))
    got = []
    for finding in STORY[:at]:
        got += take(finding, by=first)
        write(first.changed(everything=False), tables)
    assert tables == write(first.changed(everything=True))
    second.restore(read(tables))
    got += take(*STORY[at:], by=second)
    assert got == expected
    assert second.forgotten == whole.forgotten
