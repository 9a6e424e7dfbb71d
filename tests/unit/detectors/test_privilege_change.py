"""Rights that are handed out, and used."""

from typing import Any

import pytest

from detectors.privilege_change import PrivilegeChange, PrivilegeSettings, by_grantee
from schemas.event import Event
from tests.helpers import T0, event, find, opened

NAME = "privilege_change"
DAY_S, MIN_S = 86_400.0, 60.0
AT = 20 * DAY_S


def grant(second: float, to: str | None, by: str | None = "alice", **fields: Any) -> Event:
    target = None if to is None else to if ":" in to else f"user:{to}"
    return event(second, "admin.action", **{"actor": by, "target": target, "action": "role.grant", "outcome": "success", **fields})


def act(second: float, who: str = "bob", kind: str = "data.export", **fields: Any) -> Event:
    return event(second, kind, **{"actor": who, "outcome": "success", **fields})


def many(number: int, start_s: float = AT, every_s: float = MIN_S, **fields: Any) -> list[Event]:
    return [grant(start_s + i * every_s, f"name{i}", **fields) for i in range(number)]


KNOWN = [event(day * DAY_S, actor="alice", outcome="success") for day in range(0, 20, 5)]
REGULAR = [grant(0, "dora"), grant(10 * DAY_S, "emil")]
"""One first grant, told as low; what comes later is a habit."""
OF_ALICE = [("actor", "alice")]


@pytest.mark.parametrize(
    ("what", "events", "severity"),
    [
        ("the first of a known account", [*KNOWN, grant(AT, "bob")], "medium"),
        ("the first of a new account", [grant(AT, "bob")], "low"),
        ("the first of an account of 13 days", [event(AT - 13 * DAY_S, actor="alice", outcome="success"), grant(AT, "bob")], "low"),
        ("to oneself", [*KNOWN, grant(AT, "alice")], "high"),
        ("to the role one acts in", [grant(AT, "role:ops", by="ops/alice")], "high"),
        ("by automation, to oneself", [grant(AT, "alice", actor_type="service")], "low"),
        ("nobody named as target", [*KNOWN, grant(AT, None)], "medium"),
        ("eight at once", [*KNOWN, *many(8)], "medium"),
        ("nine at once", [*KNOWN, *many(9)], "high"),
        ("nine, but one in an hour", [*KNOWN, *many(9, every_s=3590)], "medium"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_severity(what: str, events: list[Event], severity: str) -> None:
    findings = [finding for finding in find(NAME, events) if finding.variant == "by_actor" and finding.phase != "close"]
    assert findings[-1].severity == severity
    assert findings[0].phase == "open"


@pytest.mark.parametrize(
    ("what", "events", "alerts"),
    [
        ("a habit", [grant(AT, "bob")], 0),
        ("four at once", many(4), 0),
        ("five at once", many(5), 1),
        ("five grants to one", [grant(AT + i, "bob") for i in range(5)], 0),
        ("five, but too slowly", many(5, every_s=1000), 0),
        ("89 days later", [grant(99 * DAY_S, "bob")], 0),
        ("91 days later", [grant(101 * DAY_S, "bob")], 1),
        ("refused", [grant(200 * DAY_S, "bob", outcome="failure")], 0),
        ("taken away", [grant(200 * DAY_S, "bob", action="role.revoke")], 0),
        ("no action", [grant(200 * DAY_S, "bob", action=None)], 0),
        ("another kind", [act(200 * DAY_S, "alice", "credential.change", action="role.grant")], 0),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_beyond_a_habit(what: str, events: list[Event], alerts: int) -> None:
    assert opened(find(NAME, [*REGULAR, *events])) == OF_ALICE * (1 + alerts)


@pytest.mark.parametrize(
    ("what", "events", "used"),
    [
        ("an export within the hour", [grant(AT, "bob"), act(AT + 3600)], True),
        ("a second later", [grant(AT, "bob"), act(AT + 3601)], False),
        ("administration", [grant(AT, "bob"), act(AT + 60, kind="admin.action", action="policy.update")], True),
        ("a new key", [grant(AT, "bob"), act(AT + 60, kind="credential.change")], True),
        ("a login is no use of rights", [grant(AT, "bob"), act(AT + 60, kind="auth.login")], False),
        ("an export that failed", [grant(AT, "bob"), act(AT + 60, outcome="failure")], False),
        ("before the grant", [act(AT - 60), grant(AT, "bob")], False),
        ("exported last week, too", [act(AT - 7 * DAY_S), grant(AT, "bob"), act(AT + 60)], False),
        ("exported two months ago", [act(AT - 60 * DAY_S), grant(AT, "bob"), act(AT + 60)], True),
        ("administered before, exports now", [act(AT - DAY_S, kind="admin.action"), grant(AT, "bob"), act(AT + 60)], True),
        ("somebody else exports", [grant(AT, "bob"), act(AT + 60, "carol")], False),
        ("a group got it", [grant(AT, "group:bob"), act(AT + 60)], False),
        ("by nobody the source names", [grant(AT, "bob", by=None), act(AT + 60)], True),
        ("another tenant", [grant(AT, "bob", tenant="acme"), act(AT + 60, tenant="globex")], False),
        ("to oneself is told of otherwise", [grant(AT, "bob", by="bob"), act(AT + 60)], False),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_new_rights_in_use(what: str, events: list[Event], used: bool) -> None:  # noqa: FBT001 - a table
    findings = [finding for finding in find(NAME, events) if finding.variant == "by_target" and finding.phase == "open"]
    assert [(finding.entity, finding.severity, finding.count) for finding in findings] == ([("bob", "medium", 2)] if used else [])


def test_use_of_rights_says_who_gave_them() -> None:
    events = [grant(AT, "bob"), act(AT + 600, action="report.download", ip="192.0.2.7")]
    finding = next(finding for finding in find(NAME, events) if finding.variant == "by_target")
    assert finding.evidence == (events[0].id, events[1].id)
    assert finding.links == (("ip", "192.0.2.7"), ("actor", "alice"))
    detector = PrivilegeChange("by_target", PrivilegeSettings())
    assert detector.explain(finding) == "This account got new rights from alice (role.grant) and used them 10 min later (report.download)."
    assert detector.counterfactual(finding).startswith("silent if the rights had been used later than 60 min after the grant")


def test_rights_given_by_automation_are_low() -> None:
    findings = find(NAME, [grant(AT, "bob", by="onboarding"), act(AT + 600)], {"automation": ["onboard*"]})
    assert {finding.severity for finding in findings} == {"low"}


def test_an_alert_names_a_few_targets_and_counts_the_rest() -> None:
    finding = find(NAME, [*REGULAR, *many(9, ip="192.0.2.7")])[-1]
    assert finding.facts["targets"] == "user:name0, user:name1, user:name2, user:name3, user:name4"
    assert (finding.facts["why"], finding.facts["distinct_targets"], finding.facts["grants_before"]) == ("burst", 9, 6)
    assert finding.links == (("ip", "192.0.2.7"),)
    detector = PrivilegeChange("by_actor", PrivilegeSettings())
    assert "and 4 others. 9 targets within 60 min; 6 grants before." in detector.explain(finding)
    assert detector.counterfactual(finding) == "silent with fewer than 5 targets in 60 min"


def test_a_grant_to_oneself_in_a_burst_is_among_the_evidence() -> None:
    findings = find(NAME, [*REGULAR, *many(30, every_s=1), grant(AT + 31, "alice")])
    assert f"e{AT + 31:g}" in findings[-2].evidence + findings[-1].evidence
    assert findings[-1].severity == "high"


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"action": "role.grant", "target": "user:bob"}, "acme\x1fbob"),
        ({"action": "role.grant", "target": "user:alice"}, "acme\x1falice"),
        ({"action": "role.grant", "target": "role:bob"}, "acme\x1falice"),
        ({"action": "policy.update", "target": "user:bob"}, "acme\x1falice"),
        ({"action": None}, "acme\x1falice"),
        ({"actor": None}, None),
    ],
)
def test_whose_rights_an_event_is_about(fields: dict[str, Any], key: str | None) -> None:
    assert by_grantee(Event("admin.action", T0, "e1", **{"tenant": "acme", "actor": "alice", **fields})) == key
