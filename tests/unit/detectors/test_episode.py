from collections.abc import Sequence

import pytest

from schemas.event import Event
from schemas.finding import Finding
from tests.helpers import T0, event, find

SETTINGS = {"by_actor": {"threshold": 3, "window_s": 600, "quiet_s": 100}, "by_ip": {"threshold": 1000, "fast_threshold": 0}}


def failures(*seconds: float) -> list[Event]:
    return [event(second, outcome="failure", actor="alice", ip="203.0.113.9") for second in seconds]


def said(findings: Sequence[Finding]) -> list[tuple[str, int, float]]:
    return [(finding.phase, finding.count, finding.ts - T0) for finding in findings]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ([0, 1], []),
        ([0, 1, 2], [("open", 3, 2)]),
        ([0, 1, 2, 3, 4], [("open", 3, 2), ("update", 5, 4)]),  # the end of the input says the last count
        ([0, 1, 2, 3, 4, 5], [("open", 3, 2), ("update", 6, 5)]),  # doubled
        (range(12), [("open", 3, 2), ("update", 6, 5), ("update", 12, 11)]),
        ([0, 1, 2, 50, 900], [("open", 3, 2), ("close", 4, 150)]),  # quiet since 50; one failure opens nothing
        ([0, 1, 2, 900, 901, 902], [("open", 3, 2), ("close", 3, 102), ("open", 3, 902)]),
    ],
)
def test_attack_is_said_when_it_opens_doubles_and_ends(seconds: Sequence[float], expected: list[tuple[str, int, float]]) -> None:
    assert said(find("failed_login_burst", failures(*seconds), SETTINGS)) == expected


def test_evidence_is_the_first_twenty_events() -> None:
    last = find("failed_login_burst", failures(*range(50)), SETTINGS)[-1]
    assert last.evidence == tuple(f"e{i}" for i in range(20))
    assert (last.first_seen - T0, last.last_seen - T0) == (0, 49)


def test_update_comes_when_the_severity_rises() -> None:
    settings = {"by_actor": {"threshold": 2, "window_s": 600}, "by_ip": SETTINGS["by_ip"]}
    findings = find("failed_login_burst", failures(*range(21)), settings)
    # opens at 2, doubles at 4, 8 and 16; high from 10 × 2 on
    assert [(finding.count, finding.severity) for finding in findings] == [
        (2, "medium"),
        (4, "medium"),
        (8, "medium"),
        (16, "medium"),
        (20, "high"),
        (21, "high"),
    ]


def test_late_event_of_an_open_attack_is_counted_where_it_belongs() -> None:
    events = [*failures(100, 101, 102, 150), *failures(90), *failures(160)]
    findings = find("failed_login_burst", events, SETTINGS, lateness_s=1)
    assert said(findings) == [("open", 3, 102), ("update", 6, 160)]
    assert findings[-1].first_seen - T0 == 90


def test_attack_that_a_late_event_completes_does_not_end_before_its_last_event() -> None:
    findings = find(
        "failed_login_burst", [*failures(100, 150, 152), *failures(149)], {**SETTINGS, "by_actor": {"threshold": 4}}, lateness_s=1
    )
    assert [(finding.phase, finding.last_seen - T0) for finding in findings] == [("open", 152)]


def test_success_is_among_the_evidence_though_it_is_full() -> None:
    events = [event(i, outcome="failure", actor=f"user{i}", ip="203.0.113.9") for i in range(30)]
    events.append(event(40, outcome="success", actor="victim", ip="203.0.113.9"))
    last = find("password_spray", events)[-1]
    assert last.severity == "high"
    assert last.evidence == (*(f"e{i}" for i in range(19)), "e40")


def test_alert_of_a_tenant_names_the_tenant() -> None:
    events = [event(i, outcome="failure", actor=f"user{i}", ip=f"203.0.113.{i % 20}", tenant="acme") for i in range(100)]
    [tenant] = [finding for finding in find("credential_stuffing", events) if finding.phase == "open"]
    assert (tenant.entity_type, tenant.entity, tenant.tenant) == ("tenant", "acme", "acme")
