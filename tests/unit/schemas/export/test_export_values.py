"""Single alerts in other forms, worked out by hand."""

from typing import Any

import msgspec
import pytest

from schemas.alert import Alert, Attack, Entity, Related
from schemas.export import EXPORTS, export_name
from schemas.export.analytics import UNKNOWN, analytic_of


def alert(**changes: Any) -> Alert:
    made = Alert(
        id="a1",
        version=1,
        dedup_key="password_spray:k",
        status="firing",
        time="2026-03-01T08:10:00.500Z",
        detector="password_spray",
        severity="high",
        tenant="acme",
        entity=Entity("ip", "203.0.113.9"),
        title="Password spraying: 203.0.113.9",
        summary="12 failed logins.",
        count=12,
        first_seen="2026-03-01T08:00:00.000Z",
        last_seen="2026-03-01T08:10:00.000Z",
        facts={"failures": 12, "accepted_ip": "198.51.100.7"},
        evidence=("e1", "e2"),
        counterfactual="silent with fewer than 5 accounts",
        score=0.0,
        attack=Attack("19", ("T1110.003", "T1078")),
        runbook="deploy/runbooks/password_spray.md",
        incident="i1",
        related=(Related("success_after_failures", "a2"),),
    )
    return msgspec.structs.replace(made, **changes)


def test_a_finding_is_this_event() -> None:
    finding = EXPORTS["ocsf"](alert())
    assert finding["time"] == 1_772_352_600_500
    assert (finding["start_time"], finding["end_time"]) == (1_772_352_000_000, 1_772_352_600_000)
    assert (finding["severity_id"], finding["severity"]) == (4, "High")
    assert finding["metadata"] == {
        "version": "1.9.0",
        "product": {"name": "watchfloor", "vendor_name": "watchfloor"},
        "uid": "a1-1",
        "correlation_uid": "i1",
        "event_code": "password_spray",
        "tenant_uid": "acme",
    }
    assert finding["finding_info"]["analytic"] == {
        "uid": "password_spray",
        "name": "Password spraying",
        "type_id": 1,
        "type": "Rule",
        "desc": "One address that fails to log in as several actors.",
    }
    assert finding["finding_info"]["attacks"] == [
        {"version": "19", "technique": {"uid": "T1110"}, "sub_technique": {"uid": "T1110.003"}},
        {"version": "19", "technique": {"uid": "T1078"}},
    ]
    assert finding["finding_info"]["related_events"] == [
        {"uid": "a2", "type_uid": 200401, "type": "Detection Finding: Create", "title": "success_after_failures"}
    ]
    assert finding["evidences"][0] == {"uid": "e1", "src_endpoint": {"ip": "203.0.113.9"}, "data": {"event_uid": "e1"}}
    assert finding["observables"] == [{"name": "evidences[].src_endpoint.ip", "type_id": 2, "type": "IP Address", "value": "203.0.113.9"}]
    assert finding["remediation"]["references"] == ["deploy/runbooks/password_spray.md"]
    assert "resources" not in finding


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, (1, 200401, 1, "New", True)),
        ({"version": 2}, (2, 200402, 1, "New", True)),
        ({"version": 3, "status": "resolved"}, (3, 200403, 4, "Resolved", False)),
        ({"version": 1, "status": "resolved"}, (3, 200403, 4, "Resolved", False)),
        ({"inhibited_by": "a0"}, (1, 200401, 1, "New", False)),
    ],
)
def test_activity_and_status_follow_version_and_status(changes: dict[str, Any], expected: tuple[object, ...]) -> None:
    finding = EXPORTS["ocsf"](alert(**changes))
    assert tuple(finding[name] for name in ("activity_id", "type_uid", "status_id", "status", "is_alert")) == expected


@pytest.mark.parametrize(
    ("severity", "severity_id", "number"),
    [("info", 1, 1), ("low", 2, 21), ("medium", 3, 47), ("high", 4, 73), ("critical", 5, 99)],
)
def test_severities(severity: str, severity_id: int, number: int) -> None:
    assert EXPORTS["ocsf"](alert(severity=severity))["severity_id"] == severity_id
    event = EXPORTS["ecs"](alert(severity=severity))["event"]
    assert (event["severity"], event["risk_score"]) == (number, number)


@pytest.mark.parametrize(
    ("entity", "resources", "observable", "about"),
    [
        (
            Entity("actor", "alice"),
            [{"type": "account", "name": "alice", "uid": "alice"}],
            (4, "User Name"),
            {"actor": {"user": {"name": "alice"}}},
        ),
        (Entity("session", "s1"), [{"type": "session", "name": "s1", "uid": "s1"}], (99, "session"), {"actor": {"session": {"uid": "s1"}}}),
        (Entity("target", "file:7"), [{"type": "file", "name": "7", "uid": "file:7"}], (10, "Resource UID"), {}),
        (Entity("target", "plain"), [{"type": "target", "name": "plain", "uid": "plain"}], (10, "Resource UID"), {}),
        (Entity("api_key", "k1"), [{"type": "api_key", "name": "k1", "uid": "k1"}], (10, "Resource UID"), {}),
        (Entity("tenant", "acme"), [{"type": "tenant", "name": "acme", "uid": "acme"}], (99, "tenant"), {}),
    ],
)
def test_ocsf_says_whom_it_is_about(
    entity: Entity, resources: list[dict[str, str]], observable: tuple[int, str], about: dict[str, Any]
) -> None:
    finding = EXPORTS["ocsf"](alert(entity=entity))
    assert finding["resources"] == resources
    (seen,) = finding["observables"]
    assert (seen["type_id"], seen["type"], seen["value"]) == (*observable, entity.value)
    assert finding["evidences"][0] == {"uid": "e1", **about, "data": {"event_uid": "e1"}}


def test_the_default_tenant_has_no_observable_and_no_resource() -> None:
    finding = EXPORTS["ocsf"](alert(entity=Entity("tenant", ""), tenant=None))
    assert "observables" not in finding
    assert "resources" not in finding
    assert "tenant_uid" not in finding["metadata"]


def test_a_document_is_this() -> None:
    document = EXPORTS["ecs"](alert())
    assert document["@timestamp"] == "2026-03-01T08:10:00.500Z"
    assert document["event"]["category"] == ["intrusion_detection", "authentication"]
    assert document["event"]["action"] == "password_spray"
    assert document["message"] == "12 failed logins."
    assert document["rule"] == {
        "id": "password_spray",
        "name": "Password spraying",
        "description": "One address that fails to log in as several actors.",
        "category": "authentication",
        "reference": "deploy/runbooks/password_spray.md",
        "ruleset": "watchfloor",
    }
    assert document["threat"]["technique"]["id"] == ["T1110", "T1078"]
    assert document["threat"]["technique"]["subtechnique"] == {
        "id": ["T1110.003"],
        "reference": ["https://attack.mitre.org/techniques/T1110/003/"],
    }
    assert document["related"] == {"ip": ["203.0.113.9", "198.51.100.7"]}
    assert document["source"] == {"ip": "203.0.113.9"}
    assert document["organization"] == {"id": "acme"}
    assert "user" not in document


def test_an_update_is_stamped_with_what_it_saw_last() -> None:
    assert EXPORTS["ecs"](alert(last_seen="2026-03-01T09:00:00.000Z"))["@timestamp"] == "2026-03-01T09:00:00.000Z"


@pytest.mark.parametrize(
    ("entity", "expected"),
    [
        (Entity("actor", "alice"), {"name": "alice"}),
        (Entity("target", "user:bob"), {"target": {"name": "bob"}}),
        (Entity("target", "file:7"), None),
        (Entity("session", "s1"), None),
    ],
)
def test_ecs_users(entity: Entity, expected: object) -> None:
    document = EXPORTS["ecs"](alert(entity=entity))
    assert document.get("user") == expected
    assert document["watchfloor"]["entity"] == {"type": entity.type, "value": entity.value}
    assert "source" not in document


def test_no_techniques_is_no_threat() -> None:
    changed = alert(attack=Attack("19", ()), runbook="", related=(), evidence=())
    assert "threat" not in EXPORTS["ecs"](changed)
    finding = EXPORTS["ocsf"](changed)
    assert {"attacks", "related_events"}.isdisjoint(finding["finding_info"])
    assert "evidences" not in finding
    assert finding["remediation"] == {"desc": "Follow the runbook of this detector.", "references": []}


def test_learned_detectors_are_said_to_be_learned_and_unknown_ones_to_be_rules() -> None:
    assert EXPORTS["ocsf"](alert(detector="behaviour_anomaly"))["finding_info"]["analytic"]["type_id"] == 4
    assert analytic_of("something_new") == UNKNOWN
    assert "desc" not in EXPORTS["ocsf"](alert(detector="something_new"))["finding_info"]["analytic"]


@pytest.mark.parametrize("fields", [None, [], {}, {"class_uid": 3002}, {"ecs": {}}, "x", 7])
def test_what_is_no_alert_has_no_form(fields: object) -> None:
    assert export_name(fields) is None
