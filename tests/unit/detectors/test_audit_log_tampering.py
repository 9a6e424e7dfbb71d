"""Logs that are stopped, deleted, narrowed."""

from typing import Any

import pytest

from detectors.audit_log_tampering import STOPPING_CALLS, AuditLogTampering, TamperingSettings, weight_of
from schemas.event import Event
from schemas.formats.cloudtrail_kinds import RULES
from tests.helpers import event, find, opened

NAME = "audit_log_tampering"


def change(second: float, action: str | None = "StopLogging", **fields: Any) -> Event:
    return event(
        second,
        "audit.log_change",
        **{"actor": "alice", "action": action, "target": "trail:main", "outcome": "success", "ip": "192.0.2.7", **fields},
    )


def other(second: float, kind: str, action: str, **fields: Any) -> Event:
    return event(second, kind, **{"actor": "alice", "action": action, "target": "user:bob", "outcome": "success", **fields})


@pytest.mark.parametrize(
    ("what", "events", "severity"),
    [
        ("stopped", [change(0)], "high"),
        ("deleted", [change(0, "log_stream.delete")], "high"),
        ("narrowed", [change(0, "PutEventSelectors")], "high"),
        ("shorter kept", [change(0, "PutRetentionPolicy")], "medium"),
        ("altered", [change(0, "log_stream.update")], "medium"),
        ("no word at all", [change(0, None)], "medium"),
        ("created", [change(0, "log_stream.create")], "low"),
        ("longer kept", [change(0, "retention.extend")], "low"),
        ("tried", [change(0, outcome="failure")], "medium"),
        ("tried to create", [change(0, "log_stream.create", outcome="failure")], "low"),
        ("refused as a call", [other(0, "authz.decision", "StopLogging", outcome="failure")], "medium"),
        ("one log twice", [change(0), change(60, "DeleteTrail")], "high"),
        ("two logs", [change(0), change(60, target="trail:b")], "critical"),
        ("two logs, one refused", [change(0), change(60, target="trail:b", outcome="failure")], "high"),
        ("two logs, one only altered", [change(0), change(60, "log.update", target="trail:b")], "high"),
        ("two logs, too far apart", [change(0), change(3601, target="trail:b")], "high"),
        ("after a grant", [other(0, "admin.action", "role.grant"), change(3600)], "critical"),
        ("too long after a grant", [other(0, "admin.action", "role.grant"), change(3601)], "high"),
        ("after a changed factor", [other(0, "auth.mfa_change", "mfa.remove"), change(60)], "critical"),
        ("after a refused grant", [other(0, "admin.action", "role.grant", outcome="failure"), change(60)], "high"),
        ("after other administration", [other(0, "admin.action", "policy.update"), change(60)], "high"),
        ("an update after a grant", [other(0, "admin.action", "role.grant"), change(60, "log.update")], "medium"),
        ("by a service", [change(0, actor_type="service")], "medium"),
        ("two by a service", [change(0, actor_type="service"), change(60, target="trail:b", actor_type="service")], "high"),
        ("created by a service", [change(0, "log_stream.create", actor_type="service")], "info"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_severity(what: str, events: list[Event], severity: str) -> None:
    findings = find(NAME, events)
    assert opened(findings)[-1:] == [("actor", "alice")]
    assert findings[-1].severity == severity


@pytest.mark.parametrize(
    ("what", "events"),
    [
        ("a look", [change(0, "audit_log.export")]),
        ("a log nobody needs", [change(0, target="log:test-1")]),
        ("a refusal of something else", [other(0, "authz.decision", "GetObject", outcome="failure")]),
        ("an allowed call", [other(0, "authz.decision", "StopLogging")]),
        ("a grant alone", [other(0, "admin.action", "role.grant")]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_silence(what: str, events: list[Event]) -> None:
    assert find(NAME, events, {"ignored_targets": ["log:test-*"]}) == []


def test_a_change_by_nobody_is_the_tenants() -> None:
    findings = find(NAME, [change(0, actor=None, tenant="acme"), change(60, actor=None, tenant="acme", target="trail:b")])
    assert opened(findings) == [("tenant", "acme")]
    assert findings[-1].severity == "critical"


def test_one_alert_goes_on_until_it_is_quiet() -> None:
    findings = find(NAME, [change(0, "log.update"), change(10), change(20), change(4000)])
    assert [(finding.phase, finding.severity, finding.count) for finding in findings] == [
        ("open", "medium", 1),
        ("update", "high", 2),
        ("close", "high", 3),
        ("open", "high", 1),
    ]


def test_the_alert_says_what_was_done() -> None:
    finding = find(NAME, [other(0, "auth.mfa_change", "mfa.remove"), change(60), change(61, "log.update"), change(62, outcome="failure")])[
        -1
    ]
    detector = AuditLogTampering("by_actor", TamperingSettings())
    assert finding.links == (("ip", "192.0.2.7"),)
    assert detector.explain(finding) == (
        "This account changed audit logs: stopped or deleted 1 time, narrowed or altered 1 time, refused 1 time (StopLogging; trail:main)."
        " Within 60 min before it did mfa.remove."
    )
    assert detector.counterfactual(finding).startswith("silent if trail:main were among `ignored_targets`")


def test_every_call_of_the_cloud_table_has_its_weight() -> None:
    calls = {name.partition(":")[2] for name, rule in RULES.items() if rule.kind == "audit.log_change"}
    assert {call: weight_of(call) for call in calls if weight_of(call) != "high"} == {"PutRetentionPolicy": "medium"}
    assert calls - STOPPING_CALLS == {"PutRetentionPolicy"}
