"""Auth0 records: wrappers, who acts, what each code and each call of the Management API is, and why it failed."""

import json
from typing import Any

import orjson
import pytest

from schemas.errors import RejectError
from schemas.event import KINDS, Event
from schemas.formats.auth0 import FORMAT, Auth0Parser
from schemas.formats.auth0_api import API_RULES, DESCRIPTIONS, api_rule
from schemas.formats.auth0_kinds import IGNORED, RULES
from schemas.formats.base import Context, Memory

TS = 1772352000.0  # 2026-03-01T08:00:00Z
LOG_ID = "90020260301080000000000000000000000001223372"


def record(code: str = "s", **fields: Any) -> dict[str, Any]:
    return {
        "date": "2026-03-01T08:00:00.000Z",
        "type": code,
        "connection_id": "con_1",
        "client_id": "client1",
        "ip": "192.0.2.1",
        "user_agent": "Firefox 125.0.0 / Linux 0.0.0",
        "user_id": "auth0|1",
        "user_name": "alice@example.com",
        "log_id": LOG_ID,
        **fields,
    }


def call(
    method: str, path: str, status: int = 200, body: Any = None, answer: Any = None, code: str = "sapi", **fields: Any
) -> dict[str, Any]:
    details = {
        "request": {
            "method": method,
            "path": path,
            "body": body,
            "ip": "192.0.2.1",
            "auth": {"user": {"user_id": "auth0|9", "email": "admin@example.com", "name": "Admin"}, "strategy": "jwt"},
        },
        "response": {"statusCode": status, "body": answer},
    }
    return record(code, user_name=None, user_id="auth0|9", details=details, **fields)


def parser(tenant: str | None = None) -> Auth0Parser:
    return FORMAT.parser(Context(Memory(), tenant=tenant))


def read(document: Any) -> Event:
    (event,) = parser().parse(orjson.dumps(document))
    return event


def test_an_event_is_read() -> None:
    details = {
        "session_id": "sess1",
        "riskAssessment": {"confidence": "low", "assessments": {"NewDevice": {"confidence": "low", "details": {"device": "dev1"}}}},
    }
    place = {"country_code": "DE", "city_name": "Berlin", "latitude": 52.52, "longitude": "13.41"}
    (event,) = parser("acme").parse(orjson.dumps(record(details=details, location_info=place)))
    assert event == Event(
        "auth.login",
        TS,
        LOG_ID,
        "success",
        "acme",
        actor="alice@example.com",
        actor_type="user",
        ip="192.0.2.1",
        country="DE",
        city="Berlin",
        lat=52.52,
        lon=13.41,
        risk="high",
        user_agent="Firefox 125.0.0 / Linux 0.0.0",
        device_id="dev1",
        session_id="sess1",
        action="login",
    )


LATER, SAME_TIME = record(log_id="b", date="2026-03-01T08:00:01Z"), record(log_id="a")


@pytest.mark.parametrize(
    ("document", "ids"),
    [
        ([LATER, SAME_TIME], ["a", "b"]),
        ([], []),
        ({"log_id": LOG_ID, "data": record()}, [LOG_ID]),
        ([{"log_id": "b", "data": LATER}, {"log_id": "a", "data": SAME_TIME}], ["a", "b"]),
        (
            {"version": "0", "detail-type": "Auth0 log", "source": "aws.partner/auth0.com/x", "detail": {"log_id": "a", "data": SAME_TIME}},
            ["a"],
        ),
        ({"start": 0, "limit": 2, "total": 2, "logs": [LATER, SAME_TIME]}, ["a", "b"]),
        ({"time": 1, "event": {"log_id": "a", "data": SAME_TIME}}, ["a"]),
        ({"message": json.dumps({"log_id": "a", "data": SAME_TIME})}, ["a"]),
        (record(log_id=None, _id="x"), ["x"]),
    ],
)
def test_the_records_within_a_wrapper_are_found_in_order_of_time(document: Any, ids: list[str]) -> None:
    assert [event.id for event in parser().parse(orjson.dumps(document))] == ids


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (record(date=None), "missing_field"),
        (record(date="soon"), "bad_time"),
        (record(date="1970-01-01T00:00:00Z"), "time_out_of_range"),
        (record(ip=7), "bad_field"),
        ({"type": "s", "date": "2026-03-01T08:00:00Z"}, "unknown_shape"),
        ({"type": "order.paid", "date": "2026-03-01T08:00:00Z", "client_id": "c1"}, "unknown_shape"),
        (7, "unknown_shape"),
    ],
)
def test_a_record_that_does_not_fit_is_refused(document: Any, reason: str) -> None:
    with pytest.raises(RejectError) as caught:
        parser().parse(orjson.dumps(document))
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("s", ("auth.login", "success", None)),
        ("f", ("auth.login", "failure", None)),
        ("fp", ("auth.login", "failure", "bad_password")),
        ("fu", ("auth.login", "failure", "unknown_user")),
        ("fepft", ("auth.login", "failure", "bad_password")),
        ("fcoa", ("auth.login", "failure", None)),
        ("limit_wc", ("auth.login", "failure", "locked")),
        ("limit_mu", ("auth.login", "failure", "blocked")),
        ("limit_sul", ("auth.login", "failure", "rate_limited")),
        ("pwd_leak", ("auth.login", "failure", "breached_password")),
        ("signup_pwd_leak", ("account.change", "failure", "breached_password")),
        ("slo", ("auth.logout", "success", None)),
        ("ssa", ("auth.session", "success", None)),
        ("seacft", ("auth.session", "success", None)),
        ("ferrt", ("auth.session", "failure", "token_reuse")),
        ("gd_send_pn", ("auth.mfa_challenge", "challenge", None)),
        ("gd_start_auth", ("auth.mfa_challenge", None, None)),
        ("gd_auth_rejected", ("auth.mfa_challenge", "failure", "mfa_denied")),
        ("gd_auth_failed", ("auth.mfa_challenge", "failure", "bad_code")),
        ("gd_auth_succeed", ("auth.mfa_challenge", "success", None)),
        ("gd_enrollment_complete", ("auth.mfa_change", "success", None)),
        ("gd_unenroll", ("auth.mfa_change", "success", None)),
        ("scp", ("auth.password_change", "success", None)),
        ("fcp", ("auth.password_change", "failure", None)),
        ("scpr", ("auth.password_reset", "success", None)),
        ("ss", ("account.change", "success", None)),
        ("sdu", ("account.change", "success", None)),
        ("sce", ("account.change", "success", None)),
        ("api_limit", ("api.request", "failure", "rate_limited")),
        ("mgmt_api_read", ("data.export", "success", None)),
        ("novelty_failed", ("api.request", "failure", None)),
        ("novelty_succeeded", ("api.request", "success", None)),
        ("novelty", ("api.request", None, None)),
    ],
)
def test_a_code_is_an_event_of_its_kind(code: str, expected: tuple[str, str | None, str | None]) -> None:
    event = read(record(code))
    assert (event.kind, event.outcome, event.reason) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"description": "Wrong email or password."}, "bad_password"),
        ({"details": {"error": {"message": "user is blocked"}}}, "locked"),
        ({"details": {"error": {"oauthError": "access_denied"}}}, "forbidden"),
        ({"details": {"error": "the user does not exist"}}, "unknown_user"),
        ({"description": "ask alice@example.com"}, None),
        ({"details": "broken"}, None),
    ],
)
def test_a_failed_login_says_why_where_the_error_does(fields: dict[str, Any], expected: str | None) -> None:
    assert read(record("f", **fields)).reason == expected


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (call("post", "/api/v2/users/auth0%7C1/roles"), ("admin.action", "success", "role.grant", "user:auth0|1")),
        (call("DELETE", "/api/v2/users/auth0%7C1/roles"), ("admin.action", "success", "role.revoke", "user:auth0|1")),
        (call("post", "/v2/roles/rol_1/users"), ("admin.action", "success", "role.grant", "role:rol_1")),
        (call("delete", "/api/v2/users/auth0|1/multifactor/guardian"), ("auth.mfa_change", "success", "mfa.remove", "user:auth0|1")),
        (
            call("put", "/api/v2/guardian/policies", body=["all-applications"]),
            ("auth.mfa_change", "success", "mfa_policy.update", "api:/api/v2/guardian/policies"),
        ),
        (
            call("put", "/api/v2/guardian/policies", body=[]),
            ("auth.mfa_change", "success", "mfa_policy.disable", "api:/api/v2/guardian/policies"),
        ),
        (
            call("patch", "/api/v2/attack-protection/brute-force-protection", body={"enabled": True}, answer={"enabled": False}),
            ("admin.action", "success", "attack_protection.disable", "api:/api/v2/attack-protection/brute-force-protection"),
        ),
        (call("delete", "/api/v2/log-streams/lst_1"), ("audit.log_change", "success", "log_stream.delete", "log_stream:lst_1")),
        (
            call("patch", "/api/v2/log-streams/lst_1", body={"status": "paused"}),
            ("audit.log_change", "success", "log_stream.disable", "log_stream:lst_1"),
        ),
        (call("post", "/api/v2/clients/c1/rotate-secret"), ("credential.change", "success", "client_secret.rotate", "client:c1")),
        (
            call("post", "/api/v2/tickets/password-change"),
            ("auth.password_reset", "success", "password.reset_ticket", "api:/api/v2/tickets/password-change"),
        ),
        (call("post", "/api/v2/jobs/users-exports"), ("data.export", "success", "user.export", "api:/api/v2/jobs/users-exports")),
        (call("delete", "/api/v2/users/auth0%7C1"), ("account.change", "success", "user.delete", "user:auth0|1")),
        (call("patch", "/api/v2/connections/con_1"), ("admin.action", "success", "connection.update", "connection:con_1")),
        (call("post", "/api/v2/roles", 400), ("admin.action", "failure", "role.create", "api:/api/v2/roles")),
        (call("post", "/api/v2/roles", 403), ("authz.decision", "failure", "role.create", "api:/api/v2/roles")),
        (call("post", "/api/v2/roles", code="fapi"), ("admin.action", "failure", "role.create", "api:/api/v2/roles")),
        (call("get", "/api/v2/clients/c1", code="mgmt_api_read"), ("data.export", "success", "secret.read", "client:c1")),
        (call("put", "", description="Create a role"), ("admin.action", "success", "role.create", None)),
    ],
)
def test_a_call_of_the_management_api_is_told_by_method_and_path(document: Any, expected: tuple[str, str, str, str | None]) -> None:
    event = read(document)
    assert (event.kind, event.outcome, event.action, event.target) == expected
    assert event.actor == "admin@example.com"


def test_the_parts_of_a_call_are_kept() -> None:
    event = read(call("post", "/api/v2/users/auth0%7C1/roles", 204))
    assert (event.method, event.path, event.route, event.status) == ("POST", "/api/v2/users/auth0%7C1/roles", "/users/{id}/roles", 204)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (record(), ("alice@example.com", "user")),
        (record(user_name=""), ("auth0|1", "user")),
        (record(user_name="", user_id=""), (None, None)),
        (record("seccft", user_name=None, user_id=""), ("client1", "service")),
        (record("sapi", user_name=None, user_id="", details={"request": {"method": "post", "path": "/x"}}), ("client1", "service")),
        (
            record("gd_tenant_update", user_name=None, user_id=None, details={"request": {"auth": {"subject": "github|1"}}}),
            ("github|1", "user"),
        ),
    ],
)
def test_the_actor_is_told(document: Any, expected: tuple[str | None, str | None]) -> None:
    event = read(document)
    assert (event.actor, event.actor_type) == expected


@pytest.mark.parametrize(("confidence", "expected"), [("low", "high"), ("medium", "medium"), ("high", "low"), ("neutral", None), (7, None)])
def test_a_low_confidence_is_a_high_risk(confidence: Any, expected: str | None) -> None:
    assert read(record(details={"riskAssessment": {"confidence": confidence}})).risk == expected


def test_one_who_acts_on_the_own_account_is_the_target() -> None:
    assert read(record("scp")).target == "user:alice@example.com"


@pytest.mark.parametrize("code", ["w", "fn", "depnote", "con"])
def test_codes_of_no_interest_are_no_events(code: str) -> None:
    assert list(parser().parse(orjson.dumps(record(code)))) == []


def test_no_secret_of_a_call_is_kept() -> None:
    event = read(call("patch", "/api/v2/clients/c1", body={"client_secret": "hunter2"}, answer={"client_secret": "hunter2"}))
    assert "hunter2" not in repr(event)


def test_the_tables_are_whole() -> None:
    assert {rule.kind for rule in RULES.values()} | {rule.kind for rule in API_RULES.values()} <= KINDS
    assert not RULES.keys() & IGNORED
    for text in DESCRIPTIONS.values():
        method, path = text.split(" ", 1)
        assert api_rule(method, path)[0] in API_RULES.values()
    assert {kind for _, kind, _ in FORMAT.rules} <= KINDS
    assert len(FORMAT.ignored) == len(IGNORED)
