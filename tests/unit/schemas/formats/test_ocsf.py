"""OCSF events of every class that is read, and what is left out of them."""

import json
from typing import Any

import pytest

from schemas.errors import RejectError
from schemas.event import KINDS, Event
from schemas.formats.base import Context, Memory
from schemas.formats.neutral import AUTH_KINDS
from schemas.formats.ocsf import FORMAT, OcsfParser
from schemas.formats.ocsf_kinds import CLASSES, DEFAULTS, RULES

TIME_MS = 1_772_352_000_500
ALICE = {"name": "alice", "uid": "u-1", "type_id": 1}
BOB = {"name": "bob", "uid": "u-2", "type_id": 1}
CAROL = {"user": {"name": "carol", "uid": "u-3", "type_id": 2}}


def parser(tenant: str | None = None) -> OcsfParser:
    return FORMAT.parser(Context(memory=Memory(), tenant=tenant))


def record(class_uid: int, activity_id: int, **more: Any) -> dict[str, Any]:
    made = {
        "class_uid": class_uid,
        "category_uid": class_uid // 1000,
        "activity_id": activity_id,
        "type_uid": class_uid * 100 + activity_id,
        "severity_id": 1,
        "time": TIME_MS,
        "metadata": {"uid": "m-1", "version": "1.8.0", "product": {"name": "Example"}},
    }
    made.update(more)
    return {name: value for name, value in made.items() if value is not None}


def event(class_uid: int, activity_id: int, **more: Any) -> Event:
    (made,) = parser().parse(json.dumps(record(class_uid, activity_id, **more)).encode())
    return made


def reject(fields: Any) -> RejectError:
    with pytest.raises(RejectError) as caught:
        parser().parse(fields if isinstance(fields, bytes) else json.dumps(fields).encode())
    return caught.value


def test_a_login_has_all_that_is_known_of_it() -> None:
    login = event(
        3002,
        1,
        status_id=2,
        status_detail="INVALID_CREDENTIALS",
        user=ALICE,
        actor={"session": {"uid": "s-1"}},
        device={"uid": "d-1"},
        http_request={"user_agent": "Mozilla/5.0"},
        risk_level_id=3,
        src_endpoint={
            "ip": "::ffff:192.0.2.10",
            "location": {"country": "DE", "city": "Berlin", "coordinates": [13.4, 52.52]},
            "autonomous_system": {"number": 64500},
        },
    )
    assert login == Event(
        "auth.login",
        TIME_MS / 1000,
        "m-1",
        outcome="failure",
        reason="bad_password",
        action="login",
        actor="alice",
        actor_type="user",
        ip="192.0.2.10",
        country="DE",
        city="Berlin",
        lat=52.52,
        lon=13.4,
        asn=64500,
        risk="high",
        user_agent="Mozilla/5.0",
        device_id="d-1",
        session_id="s-1",
    )


@pytest.mark.parametrize(
    ("class_uid", "activity_id", "more", "kind", "action", "target"),
    [
        (3001, 1, {"user": BOB}, "account.change", "user.create", "user:bob"),
        (3001, 3, {"user": BOB}, "auth.password_change", "password.change", "user:bob"),
        (3001, 4, {"user": BOB}, "auth.password_reset", "password.reset", "user:bob"),
        (3001, 7, {"user": BOB, "policy": {"name": "admin"}}, "admin.action", "role.grant", "user:bob"),
        (3001, 9, {"user": BOB}, "account.change", "user.lock", "user:bob"),
        (3001, 10, {"user": BOB}, "auth.mfa_change", "mfa.add", "user:bob"),
        (3001, 11, {"user": BOB}, "auth.mfa_change", "mfa.remove", "user:bob"),
        (3001, 99, {"user": BOB, "activity_name": "MFA factor reset"}, "auth.mfa_change", "mfa.reset", "user:bob"),
        (3001, 99, {"user": BOB, "activity_name": "Rename"}, "account.change", "user.change", "user:bob"),
        (3004, 1, {"entity": {"type": "Policy", "name": "sign-on"}}, "admin.action", "entity.create", "policy:sign-on"),
        (3004, 2, {"entity": {"type": "Policy", "name": "sign-on"}}, "api.request", "entity.read", "policy:sign-on"),
        (3004, 4, {"entity": {"type": "User", "user": BOB}}, "account.change", "entity.delete", "user:bob"),
        (3005, 1, {"user": BOB, "privileges": ["admin"]}, "admin.action", "role.grant", "user:bob"),
        (3005, 2, {"user": BOB}, "admin.action", "role.revoke", "user:bob"),
        (3006, 3, {"user": BOB, "group": {"name": "admins"}}, "admin.action", "group.join", "group:admins"),
        (3007, 13, {"user": BOB}, "auth.mfa_change", "mfa.remove", "user:bob"),
        (3007, 16, {"user": BOB}, "admin.action", "role.grant", "user:bob"),
        (3008, 10, {"iam_role": {"name": "deployer"}}, "credential.change", "credential.add", "role:deployer"),
        (6001, 2, {"web_resources": [{"type": "page", "uid": "w-1"}]}, "api.request", "read", "page:w-1"),
        (6001, 5, {"web_resources": [{"uid": "w-1"}]}, "data.query", "search", "resource:w-1"),
        (6001, 8, {"web_resources": [{"uid": "w-1"}]}, "data.export", "share", "resource:w-1"),
        (6005, 1, {"databucket": {"name": "reports"}}, "data.export", "read", "bucket:reports"),
        (6005, 1, {"table": {"name": "orders"}}, "data.query", "read", "table:orders"),
        (6005, 4, {"database": {"name": "sales"}}, "data.query", "query", "database:sales"),
        (6005, 3, {"database": {"name": "sales"}}, "auth.session", "session", "database:sales"),
    ],
)
def test_what_carol_does_is_told_by_class_and_activity(
    class_uid: int, activity_id: int, more: dict[str, Any], kind: str, action: str, target: str
) -> None:
    done = event(class_uid, activity_id, actor=CAROL, status_id=1, **more)
    assert (done.kind, done.action, done.target, done.actor, done.outcome) == (kind, action, target, "carol", "success")


@pytest.mark.parametrize(
    ("activity_id", "name", "kind"),
    [
        (1, None, "auth.login"),
        (2, None, "auth.logout"),
        (3, None, "auth.login"),
        (4, None, "auth.session"),
        (6, None, "auth.login"),
        (99, "MFA Challenge", "auth.mfa_challenge"),
        (99, "Sign-in", "auth.login"),
        (99, "Token refresh", "auth.session"),
        (0, None, "auth.session"),
    ],
)
def test_authentication_activities(activity_id: int, name: str | None, kind: str) -> None:
    assert event(3002, activity_id, activity_name=name, user=ALICE, status_id=1).kind == kind


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"status_detail": "USER_DOES_NOT_EXIST"}, "unknown_user"),
        ({"status_detail": "INVALID_CREDENTIALS"}, "bad_password"),
        ({"status_detail": "ACCOUNT_LOCKED_OUT"}, "locked"),
        ({"status_detail": "ACCOUNT_DISABLED"}, "disabled"),
        ({"status_detail": "PASSWORD_EXPIRED"}, "password_expired"),
        ({"status_detail": "Unknown user name or bad password."}, "bad_password"),
        ({"status_code": "SomethingNew"}, "something_new"),
        ({"status_detail": "alice did not feel like it"}, None),
        ({"status": "0xC0000064"}, "unknown_user"),
    ],
)
def test_reasons_of_failed_logins(more: dict[str, str], reason: str | None) -> None:
    login = event(3002, 1, user=ALICE, status_id=2, **more)
    assert (login.kind, login.outcome, login.reason) == ("auth.login", "failure", reason)


def test_a_refused_second_factor_is_no_failed_login() -> None:
    refused = event(3002, 1, user=ALICE, status_id=2, status_detail="MFA push was denied by the user")
    assert (refused.kind, refused.reason, refused.action) == ("auth.mfa_challenge", "mfa_denied", "mfa.challenge")


@pytest.mark.parametrize(
    ("more", "outcome"),
    [
        ({"status_id": 1}, "success"),
        ({"status_id": 2}, "failure"),
        ({"status": "Failure"}, "failure"),
        ({"status": "success"}, "success"),
        ({"status_id": 99, "status": "Pending"}, None),
        ({"disposition_id": 2}, "failure"),
        ({"http_response": {"code": 500}}, "failure"),
        ({"http_response": {"code": 204}}, "success"),
        ({}, None),
    ],
)
def test_outcomes(more: dict[str, Any], outcome: str | None) -> None:
    assert event(3002, 1, user=ALICE, **more).outcome == outcome


@pytest.mark.parametrize(
    ("user", "actor"),
    [
        ({"name": "alice", "uid": "u-1"}, "alice"),
        ({"name": None, "email_addr": "alice@example.com"}, "alice@example.com"),
        ({"name": "-", "uid": "u-1"}, "u-1"),
        ({"name": "-", "uid": "NULL SID"}, None),
        ({"uid": "arn:aws:sts::111122223333:assumed-role/Admin/alice"}, "Admin/alice"),
        ({"uid": "arn:aws:iam::111122223333:user/team/alice"}, "alice"),
    ],
)
def test_who_it_was(user: dict[str, Any], actor: str | None) -> None:
    assert event(6003, 2, actor={"user": user}).actor == actor


@pytest.mark.parametrize(
    ("actor", "actor_type"),
    [
        ({"user": {"name": "deploy", "type_id": 4}}, "service"),
        ({"user": {"name": "WEB1$", "type_id": 1}}, "service"),
        ({"user": {"name": "alice", "type_id": 1}}, "user"),
        ({"invoked_by": "cloudformation.example.com"}, "service"),
        ({}, None),
    ],
)
def test_what_kind_of_actor(actor: dict[str, Any], actor_type: str | None) -> None:
    assert event(6003, 2, actor=actor).actor_type == actor_type


def test_who_logs_in_is_the_user_not_who_reports_it() -> None:
    assert event(3002, 1, user=ALICE, actor={"user": {"name": "SYSTEM"}}, status_id=1).actor == "alice"


def test_a_device_that_is_the_destination_is_no_device_of_the_client() -> None:
    host = {"hostname": "dc1", "uid": "h-1"}
    assert event(3002, 1, user=ALICE, device=host, dst_endpoint={"hostname": "dc1"}).device_id is None
    assert event(3002, 1, user=ALICE, device={**host, "ip": "192.0.2.1"}, src_endpoint={"ip": "192.0.2.2"}).device_id is None
    assert event(3002, 1, user=ALICE, device=host, src_endpoint={"ip": "192.0.2.2"}).device_id == "h-1"


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ({"country": "de", "lat": 52.5, "long": 13.4}, ("DE", 52.5, 13.4)),
        ({"country": "Germany", "coordinates": [13.4, 52.5]}, ("DE", 52.5, 13.4)),
        ({"country": "XX", "coordinates": [13.4]}, (None, None, None)),
        ({"country": 7, "lat": 95, "long": 13.4}, (None, None, None)),
        ({"lat": "52.5", "long": True}, (None, None, None)),
    ],
)
def test_places(location: dict[str, Any], expected: tuple[object, ...]) -> None:
    made = event(3002, 1, user=ALICE, src_endpoint={"ip": "192.0.2.1", "location": location})
    assert (made.country, made.lat, made.lon) == expected


@pytest.mark.parametrize(
    ("more", "kind", "method", "path", "query", "status"),
    [
        (
            {"http_request": {"http_method": "get", "url": {"path": "/a?x=1"}}, "http_response": {"code": 200}},
            "api.request",
            "GET",
            "/a",
            "x=1",
            200,
        ),
        (
            {"http_request": {"url": {"url_string": "https://example.com/a/b?x=1"}}, "http_response": {"code": 403}},
            "authz.decision",
            "POST",
            "/a/b",
            "x=1",
            403,
        ),
        (
            {"http_request": {"http_method": "POST", "url": {"path": "/login"}}, "http_response": {"code": 401}},
            "auth.login",
            "POST",
            "/login",
            None,
            401,
        ),
        ({"http_request": {"url": {"path": "/"}}, "http_status": 404}, "api.request", "POST", "/", None, 404),
    ],
)
def test_web_requests(more: dict[str, Any], kind: str, method: str, path: str, query: str | None, status: int) -> None:
    made = event(4002, 6, src_endpoint={"ip": "192.0.2.1"}, duration=12, **more)
    assert (made.kind, made.method, made.path, made.query, made.status, made.latency_ms) == (kind, method, path, query, status, 12.0)


@pytest.mark.parametrize(
    ("service", "operation", "activity_id", "kind"),
    [
        ("iam.amazonaws.com", "CreateAccessKey", 1, "credential.change"),
        ("s3.amazonaws.com", "GetObject", 2, "data.export"),
        ("ec2.amazonaws.com", "DescribeInstances", 2, "api.request"),
        ("cloudtrail.amazonaws.com", "StopLogging", 3, "audit.log_change"),
        ("compute.example.com", "DeleteCluster", 4, "admin.action"),
        (None, "list", 2, "api.request"),
    ],
)
def test_calls(service: str | None, operation: str, activity_id: int, kind: str) -> None:
    api = {"operation": operation, "service": {"name": service}}
    made = event(6003, activity_id, actor=CAROL, api=api, status_id=1, resources=[{"type": "AWS::S3::Object", "uid": "r-1"}])
    assert (made.kind, made.action, made.target) == (kind, operation, "object:r-1")


@pytest.mark.parametrize(
    "more",
    [
        {"status_code": "AccessDenied"},
        {"status_detail": "User is not authorized to perform this"},
        {"api": {"operation": "x", "response": {"error": "Client.UnauthorizedOperation"}}},
        {"http_response": {"code": 403}},
    ],
)
def test_a_refused_call_is_a_decision(more: dict[str, Any]) -> None:
    made = event(6003, 1, actor=CAROL, **{"status_id": 2, **more})
    assert (made.kind, made.outcome, made.reason) == ("authz.decision", "failure", "forbidden")


def test_exports_count_what_they_took() -> None:
    made = event(
        6001, 7, actor=CAROL, status_id=1, web_resources=[{"uid": "a"}, {"uid": "b"}], http_response={"code": 200, "body_length": 2048}
    )
    assert (made.kind, made.records, made.bytes) == ("data.export", 2, 2048)
    assert event(6001, 7, actor=CAROL, status_id=2, web_resources=[{"uid": "a"}]).records == 0


@pytest.mark.parametrize("class_uid", [1001, 1007, 2001, 2004, 4001, 4003, 5001, 6002, 6004])
def test_other_classes_are_left_out(class_uid: int) -> None:
    assert not parser().parse(json.dumps(record(class_uid, 1)).encode())


def test_type_uid_alone_tells_class_and_activity() -> None:
    fields = record(3001, 11, user=BOB, actor=CAROL)
    del fields["class_uid"], fields["activity_id"]
    (made,) = parser().parse(json.dumps(fields).encode())
    assert made.kind == "auth.mfa_change"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"time": TIME_MS}, TIME_MS / 1000),
        ({"time": 1_772_352_000}, 1_772_352_000),
        ({"time": str(TIME_MS)}, TIME_MS / 1000),
        ({"time": None, "time_dt": "2026-03-01T08:00:00.500Z"}, TIME_MS / 1000),
        ({"time": 0, "time_dt": "2026-03-01T08:00:00.500Z"}, TIME_MS / 1000),
        ({"time": "2026-03-01T08:00:00.500Z"}, TIME_MS / 1000),
    ],
)
def test_times(fields: dict[str, Any], expected: float) -> None:
    assert event(3002, 1, user=ALICE, **fields).ts == expected


def test_arrays_and_wrappers_hold_several_events_in_order_of_time() -> None:
    late, early = record(3002, 1, user=ALICE, time=TIME_MS + 1000), record(3002, 2, user=ALICE)
    late["metadata"] = {**late["metadata"], "uid": "m-2"}
    for document in ([late, early], {"events": [late, early]}):
        assert [made.id for made in parser().parse(json.dumps(document).encode())] == ["m-1", "m-2"]


def test_a_bad_entry_of_an_array_does_not_hide_the_good_ones() -> None:
    made = parser()
    assert len(made.parse(json.dumps([record(3002, 1, user=ALICE), record(3002, 1, time="soon")]).encode())) == 1
    assert [reason for reason, _ in made.partial_rejects] == ["bad_time"]


def test_a_record_without_an_id_gets_one_of_its_bytes() -> None:
    made = parser()
    line = json.dumps(record(3002, 1, metadata={"version": "1.8.0"})).encode()
    (first,), (second,) = made.parse(line), made.parse(line)
    assert first.id
    assert first.id != second.id


def test_the_tenant_of_the_record_comes_first() -> None:
    fields = record(3002, 1, user=ALICE)
    line = json.dumps({**fields, "metadata": {**fields["metadata"], "tenant_uid": "acme"}}).encode()
    assert parser("own").parse(line)[0].tenant == "acme"
    assert parser("own").parse(json.dumps(fields).encode())[0].tenant == "own"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "unknown_shape"),
        ({"time": TIME_MS, "activity_id": 1}, "unknown_shape"),
        ({"class_uid": 3002, "activity_id": 1}, "missing_field"),
        ({"class_uid": 3002, "time": "yesterday"}, "bad_time"),
        ({"class_uid": 3002, "time": {}}, "bad_time"),
        ({"class_uid": 3002, "time": 4_102_444_800_000}, "time_out_of_range"),
        ({"class_uid": "3002", "time": TIME_MS}, "bad_field"),
        ({"class_uid": 3002, "time": TIME_MS, "metadata": {"tenant_uid": "a\x1fb"}}, "bad_field"),
        (b"{", "truncated"),
        (b'"class_uid"', "unknown_shape"),
    ],
)
def test_rejects(fields: Any, reason: str) -> None:
    assert reject(fields).reason == reason


def test_null_everywhere_is_the_same_as_absent() -> None:
    made = event(3002, 1, user=ALICE, status_id=1)
    nulls = dict.fromkeys(
        ("actor", "session", "device", "src_endpoint", "http_request", "api", "resources", "status", "duration", "entity")
    )
    line = json.dumps({**record(3002, 1, user=ALICE, status_id=1), **nulls}).encode()
    assert parser().parse(line)[0] == made


def test_no_secret_of_a_record_is_kept() -> None:
    made = event(
        3002,
        1,
        user={**ALICE, "credential_uid": "AKIAEXAMPLE"},
        unmapped={"password": "hunter2"},
        raw_data="hunter2",
        authentication_token={"value": "hunter2"},
        api={"request": {"data": {"password": "hunter2"}}},
        status_id=1,
    )
    assert "hunter2" not in repr(made)
    assert "AKIAEXAMPLE" not in repr(made)


def test_every_rule_leads_to_a_known_kind_and_every_class_has_a_fallback() -> None:
    assert {rule.kind for rule in [*RULES.values(), *DEFAULTS.values()]} <= KINDS
    assert set(DEFAULTS) == set(CLASSES) >= {class_uid for class_uid, _ in RULES}
    assert len(FORMAT.rules) == len(RULES) + len(DEFAULTS) + len(AUTH_KINDS) + 1


@pytest.mark.parametrize(("class_uid", "activity_id"), sorted(RULES))
def test_every_rule_is_reached(class_uid: int, activity_id: int) -> None:
    made = event(class_uid, activity_id, user=BOB, actor=CAROL, status_id=1)
    rule = RULES[class_uid, activity_id]
    assert (made.kind, made.action) == (rule.kind, rule.action)


@pytest.mark.parametrize(
    ("sample", "at_least", "at_most"),
    [
        (json.dumps(record(3002, 1)).encode(), 0.9, 1),
        (json.dumps([record(3002, 1)], indent=2).encode(), 0.9, 1),
        (b'{"class_uid": 3002}', 0, 0.49),
        (b'{"eventVersion": "1.08", "eventSource": "x"}', 0, 0),
        (b"class_uid: 3002", 0, 0),
    ],
)
def test_recognition(sample: bytes, at_least: float, at_most: float) -> None:
    assert at_least <= FORMAT.recognise(sample) <= at_most
