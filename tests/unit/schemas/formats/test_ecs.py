"""ECS documents in all their spellings, by category, type and action."""

import json
from typing import Any

import pytest

from schemas.errors import RejectError
from schemas.event import KINDS, Event
from schemas.formats.base import Context, Memory
from schemas.formats.ecs import FORMAT, EcsParser
from schemas.formats.ecs_kinds import IGNORED, ORDER, RULES
from schemas.formats.ecs_record import unfold
from schemas.formats.neutral import AUTH_KINDS

STAMP = "2026-03-01T08:00:00.500Z"
TS = 1_772_352_000.5


def parser(tenant: str | None = None) -> EcsParser:
    return FORMAT.parser(Context(memory=Memory(), tenant=tenant))


def document(category: Any, type_: Any, action: str | None = None, outcome: str | None = "success", **more: Any) -> dict[str, Any]:
    fields = {"id": "e-1", "kind": "event", "category": category, "type": type_, "action": action, "outcome": outcome}
    fields |= more.pop("event", {})
    return {"@timestamp": STAMP, "ecs": {"version": "8.11.0"}, "event": {k: v for k, v in fields.items() if v is not None}, **more}


def parsed(fields: dict[str, Any]) -> Event:
    (made,) = parser().parse(json.dumps(fields).encode())
    return made


def nothing(fields: dict[str, Any]) -> bool:
    return not parser().parse(json.dumps(fields).encode())


FULL = document(
    ["authentication"],
    ["start"],
    "user_login",
    "failure",
    event={"reason": "invalid credentials"},
    user={"name": "alice", "id": "u-1"},
    source={
        "ip": "::ffff:192.0.2.10",
        "geo": {"country_iso_code": "DE", "city_name": "Berlin", "location": {"lat": 52.52, "lon": 13.4}},
        "as": {"number": 64500},
    },
    user_agent={"original": "Mozilla/5.0"},
    device={"id": "d-1"},
)
LOGIN = Event(
    "auth.login",
    TS,
    "e-1",
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
    user_agent="Mozilla/5.0",
    device_id="d-1",
)


def flat(fields: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in fields.items():
        if isinstance(value, dict):
            made |= flat(value, f"{prefix}{name}.")
        else:
            made[prefix + name] = value
    return made


def test_a_login_has_all_that_is_known_of_it() -> None:
    assert parsed(FULL) == LOGIN


def test_flat_and_half_flat_documents_are_the_same() -> None:
    assert parsed(flat(FULL)) == LOGIN
    half = {**FULL, "source": flat(FULL["source"]), "user.name": "alice"}
    del half["user"]
    assert parsed(half) == LOGIN


def test_dotted_names_inside_text_change_nothing() -> None:
    assert parsed({**FULL, "message": '{"event.category": "iam", "user.name": "eve"}'}) == LOGIN


def test_hits_and_answers_to_searches_have_the_id_of_the_index() -> None:
    hit = {"_index": "logs", "_id": "h-1", "_source": FULL}
    (made,) = parser().parse(json.dumps(hit).encode())
    assert made.id == "h-1"
    answer = {"took": 1, "hits": {"total": {"value": 2}, "hits": [hit, {**hit, "_id": "h-0", "_source": flat(FULL)}]}}
    assert [each.id for each in parser().parse(json.dumps(answer).encode())] == ["h-0", "h-1"]


def test_arrays_hold_several_documents() -> None:
    second = json.loads(json.dumps(FULL))
    second["event"]["id"] = "e-0"
    assert [each.id for each in parser().parse(json.dumps([FULL, second]).encode())] == ["e-0", "e-1"]


@pytest.mark.parametrize("action", ["index", "create"])
def test_action_lines_of_bulk_requests_are_no_documents(action: str) -> None:
    assert nothing({action: {"_index": "logs", "_id": "1"}})


@pytest.mark.parametrize(
    ("category", "type_", "action", "kind", "expected"),
    [
        (["authentication"], ["start"], "ssh_login", "auth.login", "login"),
        (["authentication", "session"], ["info"], "logged-in", "auth.login", "login"),
        ("authentication", "start", "logon-failed", "auth.login", "login"),
        (["authentication"], ["end"], "logged-out", "auth.logout", "logout"),
        (["authentication"], ["end"], None, "auth.logout", "logout"),
        (["authentication"], ["info"], None, "auth.login", "login"),
        (["authentication"], ["start"], "logged-in-explicit", "auth.session", "session"),
        (["authentication"], ["start"], "kerberos-service-ticket-requested", "auth.session", "session"),
        (["authentication"], ["start"], "kerberos-authentication-ticket-requested", "auth.login", "login"),
        (["authentication"], ["info"], "mfa_challenge_sent", "auth.mfa_challenge", "mfa.challenge"),
        (["authentication", "iam"], ["change"], "user_mfa_factor_deactivated", "auth.mfa_change", "mfa.remove"),
        (["authentication"], ["change"], "change-password", "auth.password_change", "password.change"),
        (["iam"], ["user", "change"], "reset-password", "auth.password_reset", "password.reset"),
        (["iam"], ["user", "creation"], "added-user-account", "account.change", "user.create"),
        (["iam"], ["user", "deletion"], "deleted-user-account", "account.change", "user.delete"),
        (["iam"], ["user", "change"], "modified-user-account", "account.change", "user.update"),
        (["iam"], ["user", "change"], "disabled-user-account", "account.change", "user.disable"),
        (["iam"], ["user", "change"], "locked-out-user-account", "account.change", "user.lock"),
        (["iam"], ["user", "change"], "unlocked-user-account", "account.change", "user.unlock"),
        (["iam"], ["group", "change"], "added-member-to-group", "admin.action", "group.join"),
        (["iam"], ["group", "change"], "removed-member-from-group", "admin.action", "group.leave"),
        (["iam"], ["admin", "change"], "assign_role", "admin.action", "role.grant"),
        (["iam"], ["admin", "change"], "role_removed", "admin.action", "role.revoke"),
        (["iam"], ["user", "creation"], "create_api_key", "credential.change", "create_api_key"),
        (["iam"], ["admin"], "logged-in-special", "auth.session", "session"),
        (["iam"], ["admin", "change"], "audit-log-cleared", "audit.log_change", "audit-log-cleared"),
        (["iam"], ["info"], "list_users", "api.request", "list_users"),
        (["configuration"], ["change"], "changed-audit-config", "audit.log_change", "changed-audit-config"),
        (["configuration"], ["deletion"], "delete_logging_sink", "audit.log_change", "delete_logging_sink"),
        (["configuration"], ["change"], "update_firewall", "admin.action", "update_firewall"),
        (["configuration"], ["access"], "read_settings", "api.request", "read_settings"),
        (["database"], ["access"], "select", "data.query", "select"),
        (["database"], ["access"], "table_export", "data.export", "table_export"),
        (["file"], ["access"], "file_downloaded", "data.export", "file_downloaded"),
        (["file"], ["creation"], "upload", "api.request", "upload"),
        (["session"], ["start"], "session_opened", "auth.session", "session"),
        (["session"], ["end"], "session_closed", "auth.logout", "logout"),
        (["api"], ["creation"], "CreateCluster", "admin.action", "CreateCluster"),
        (["api"], ["access"], "ListClusters", "api.request", "ListClusters"),
        (["api"], ["denied"], "CreateCluster", "authz.decision", "CreateCluster"),
    ],
)
def test_kinds(category: Any, type_: Any, action: str | None, kind: str, expected: str) -> None:
    made = parsed(document(category, type_, action, user={"name": "alice"}))
    assert (made.kind, made.action) == (kind, expected)


@pytest.mark.parametrize(
    "fields",
    [
        document(["process"], ["start"], "exec"),
        document(["network"], ["connection"], "flow", source={"ip": "192.0.2.1"}),
        document(["file"], ["creation"], "file_downloaded", event={"module": "endpoint"}),
        document(["file"], ["change"], "copy", event={"dataset": "endpoint.events.file"}),
        document(["authentication"], ["start"], "login", event={"kind": "alert"}),
        document(["authentication"], ["start"], "login", event={"kind": "signal"}),
        document([], [], None, event={"kind": "metric"}),
        document(None, None, None),
        *[document([category], ["info"]) for category in IGNORED],
    ],
)
def test_what_is_not_read_is_left_out(fields: dict[str, Any]) -> None:
    assert nothing(fields)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"event": {"reason": "user not found"}}, "unknown_user"),
        ({"event": {"reason": "INVALID_CREDENTIALS"}}, "bad_password"),
        ({"error": {"code": "AccountLocked", "message": "account is locked"}}, "locked"),
        ({"error": {"message": "Account has been locked"}}, "locked"),
        ({"system": {"auth": {"ssh": {"event": "Invalid"}}}}, "unknown_user"),
        ({"system": {"auth": {"ssh": {"event": "Failed"}}}}, "bad_password"),
        ({"winlog": {"event_data": {"Status": "0xc000006d", "SubStatus": "0xc0000064"}}}, "unknown_user"),
        ({"winlog": {"event_data": {"Status": "0xc0000234", "SubStatus": "0x0"}}}, "locked"),
        ({"winlog": {"logon": {"failure": {"reason": "Unknown user name or bad password."}}}}, "bad_password"),
        ({"azure": {"signinlogs": {"result_description": "Invalid username or password."}}}, "bad_password"),
        ({"event": {"reason": "alice was in a hurry"}}, None),
        ({}, None),
    ],
)
def test_reasons(more: dict[str, Any], reason: str | None) -> None:
    made = parsed(document(["authentication"], ["start"], "logon", "failure", user={"name": "alice"}, **more))
    assert (made.kind, made.outcome, made.reason) == ("auth.login", "failure", reason)


def test_a_refused_second_factor_is_no_failed_login() -> None:
    made = parsed(document(["authentication"], ["start"], "login", "failure", user={"name": "a"}, event={"reason": "MFA request denied"}))
    assert (made.kind, made.reason) == ("auth.mfa_challenge", "mfa_denied")


@pytest.mark.parametrize(
    ("outcome", "type_", "expected"),
    [
        ("success", ["start"], "success"),
        ("Failure", ["start"], "failure"),
        ("unknown", ["start"], None),
        (None, ["authentication_success", "info"], "success"),
        (None, ["authentication_failure"], "failure"),
        (None, ["start", "denied"], "failure"),
        (None, ["info"], None),
    ],
)
def test_outcomes(outcome: str | None, type_: list[str], expected: str | None) -> None:
    assert parsed(document(["authentication"], type_, "login", outcome)).outcome == expected


@pytest.mark.parametrize(
    ("more", "actor", "actor_type"),
    [
        ({"user": {"name": "alice", "email": "alice@example.com"}}, "alice", "user"),
        ({"user": {"name": "-", "email": "alice@example.com"}}, "alice@example.com", "user"),
        ({"user": {"id": 1000}}, "1000", "user"),
        ({"client": {"user": {"full_name": "Alice A", "id": "u-1"}}}, "u-1", "user"),
        ({"source": {"user": {"name": "alice"}}}, "alice", "user"),
        ({"user": {"name": "WEB1$"}}, "WEB1$", "service"),
        ({"user": {"name": "ANONYMOUS LOGON"}}, "ANONYMOUS LOGON", "anonymous"),
        ({}, None, None),
    ],
)
def test_who_it_was(more: dict[str, Any], actor: str | None, actor_type: str | None) -> None:
    made = parsed(document(["authentication"], ["start"], "login", **more))
    assert (made.actor, made.actor_type) == (actor, actor_type)


@pytest.mark.parametrize(
    ("more", "actor", "target"),
    [
        ({"user": {"name": "carol", "target": {"name": "bob"}}}, "carol", "user:bob"),
        ({"user": {"name": "carol"}, "group": {"name": "admins"}}, "carol", "group:admins"),
        ({"user": {"name": "bob"}, "event": {"dataset": "system.auth"}}, None, "user:bob"),
        ({"user": {"name": "carol"}}, "carol", None),
    ],
)
def test_accounts_and_who_changes_them(more: dict[str, Any], actor: str | None, target: str | None) -> None:
    made = parsed(document(["iam"], ["user", "creation"], "added-user-account", **more))
    assert (made.actor, made.target) == (actor, target)


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ({"lat": 52.52, "lon": 13.4}, (52.52, 13.4)),
        ({"lat": "52.52", "lon": "13.4"}, (52.52, 13.4)),
        ("52.52,13.4", (52.52, 13.4)),
        ([13.4, 52.52], (52.52, 13.4)),
        ("POINT (13.4 52.52)", (52.52, 13.4)),
        ({"type": "Point", "coordinates": [13.4, 52.52]}, (52.52, 13.4)),
        ({"lat": 52.52}, (None, None)),
        ([13.4, 152.52], (None, None)),
        ("u33db", (None, None)),
        ("nan,nan", (None, None)),
        (7, (None, None)),
        ([0, 0], (None, None)),
    ],
)
def test_geo_points_in_every_form(location: Any, expected: tuple[object, object]) -> None:
    made = parsed(document(["authentication"], ["start"], "login", source={"ip": "192.0.2.1", "geo": {"location": location}}))
    assert (made.lat, made.lon) == expected


def test_client_stands_in_for_source() -> None:
    made = parsed(
        document(
            ["authentication"], ["start"], "login", client={"ip": "2001:DB8::1", "geo": {"country_name": "France"}, "as": {"number": 64501}}
        )
    )
    assert (made.ip, made.country, made.asn) == ("2001:db8::1", "FR", 64501)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (
            {
                "http": {"request": {"method": "get"}, "response": {"status_code": 200, "body": {"bytes": 612}}},
                "url": {"path": "/a", "query": "x=1"},
            },
            ("api.request", "GET", "/a", "x=1", 200, 612, "success"),
        ),
        (
            {"http": {"request": {"method": "GET"}, "response": {"status_code": "404"}}, "url": {"original": "/a?x=1"}},
            ("api.request", "GET", "/a", "x=1", 404, 0, "failure"),
        ),
        (
            {"http": {"request": {"method": "POST"}, "response": {"status_code": 401}}, "url": {"full": "https://example.com/login"}},
            ("auth.login", "POST", "/login", None, 401, 0, "failure"),
        ),
        (
            {"http": {"response": {"status_code": 403}}, "url": {"path": "/admin"}},
            ("authz.decision", None, "/admin", None, 403, 0, "failure"),
        ),
    ],
)
@pytest.mark.parametrize("category", [["web"], ["network"], ["network", "web"], None])
def test_requests(category: Any, more: dict[str, Any], expected: tuple[object, ...]) -> None:
    made = parsed(
        document(category, ["access"], None, None, event={"module": "nginx", "dataset": "nginx.access", "duration": 12_000_000}, **more)
    )
    assert (made.kind, made.method, made.path, made.query, made.status, made.bytes, made.outcome) == expected
    assert made.latency_ms == 12.0


@pytest.mark.parametrize(
    ("action", "outcome", "kind"),
    [
        ("user.session.start", "failure", "auth.login"),
        ("user.session.end", "success", "auth.logout"),
        ("user.authentication.sso", "success", "auth.session"),
        ("user.mfa.factor.deactivate", "success", "auth.mfa_change"),
    ],
)
def test_okta_goes_by_its_own_table(action: str, outcome: str, kind: str) -> None:
    made = parsed(
        document(
            ["authentication"],
            ["access"],
            action,
            outcome,
            event={"module": "okta", "dataset": "okta.system"},
            okta={"actor": {"alternate_id": "alice@example.com"}, "authentication_context": {"external_session_id": "s-1"}},
            client={"user": {"full_name": "Alice", "id": "00u1"}},
        )
    )
    assert (made.kind, made.actor, made.session_id) == (kind, "alice@example.com", "s-1")


@pytest.mark.parametrize(
    ("provider", "action", "kind"),
    [
        ("iam.amazonaws.com", "CreateAccessKey", "credential.change"),
        ("cloudtrail.amazonaws.com", "StopLogging", "audit.log_change"),
        ("s3.amazonaws.com", "GetObject", "data.export"),
    ],
)
def test_cloudtrail_goes_by_its_own_table(provider: str, action: str, kind: str) -> None:
    made = parsed(document(None, ["info"], action, event={"provider": provider, "dataset": "aws.cloudtrail"}, user={"name": "alice"}))
    assert (made.kind, made.route) == (kind, f"{provider}:{action}")


def test_a_refused_call_of_cloudtrail_is_a_decision() -> None:
    made = parsed(
        document(
            ["iam"],
            ["info"],
            "ListUsers",
            "failure",
            event={"provider": "iam.amazonaws.com"},
            aws={"cloudtrail": {"error_code": "AccessDenied"}},
        )
    )
    assert (made.kind, made.reason) == ("authz.decision", "forbidden")


@pytest.mark.parametrize(
    ("error", "kind", "outcome"),
    [
        (None, "admin.action", "success"),
        ("user NOT in sudoers", "authz.decision", "failure"),
        ("3 incorrect password attempts", "admin.action", "failure"),
    ],
)
def test_sudo_keeps_the_program_without_its_arguments(error: str | None, kind: str, outcome: str) -> None:
    sudo = {"command": "/bin/cat /root/secret", "user": "root", **({"error": error} if error else {})}
    made = parsed(
        document(None, None, None, None, event={"dataset": "system.auth"}, user={"name": "alice"}, system={"auth": {"sudo": sudo}})
    )
    assert (made.kind, made.outcome, made.target, made.actor) == (kind, outcome, "command:/bin/cat", "alice")


def test_downloads_count_one_object_and_its_size() -> None:
    made = parsed(document(["file"], ["access"], "download", user={"name": "a"}, file={"path": "/q3.pdf", "size": 4096}))
    assert (made.kind, made.target, made.records, made.bytes) == ("data.export", "file:/q3.pdf", 1, 4096)
    assert parsed(document(["file"], ["access"], "download", "failure")).records == 0


@pytest.mark.parametrize(
    ("more", "risk"),
    [
        ({"event": {"risk_score_norm": 75}}, "high"),
        ({"event": {"risk_score_norm": 45.5}}, "medium"),
        ({"event": {"risk_score_norm": 25}}, "low"),
        ({"event": {"risk_score_norm": 5}}, None),
        ({"azure": {"signinlogs": {"properties": {"risk_level_during_signin": "medium"}}}}, "medium"),
        ({"okta": {"debug_context": {"debug_data": {"risk_level": "HIGH"}}}}, "high"),
        ({}, None),
    ],
)
def test_the_sources_own_judgement(more: dict[str, Any], risk: str | None) -> None:
    assert parsed(document(["authentication"], ["start"], "login", **more)).risk == risk


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "unknown_shape"),
        ({"@timestamp": STAMP, "action": "team.add_member"}, "unknown_shape"),
        ({"event": {"category": ["authentication"]}}, "missing_field"),
        ({"@timestamp": "soon", "event": {"category": ["authentication"]}}, "bad_time"),
        ({"@timestamp": True, "event": {"category": ["authentication"]}}, "bad_time"),
        ({"@timestamp": "1970-01-01T00:00:00Z", "event": {"category": ["authentication"]}}, "time_out_of_range"),
    ],
)
def test_rejects(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(RejectError) as caught:
        parser().parse(json.dumps(fields).encode())
    assert caught.value.reason == reason


def test_times_as_numbers_are_taken_too() -> None:
    assert parsed({**FULL, "@timestamp": 1_772_352_000_500}).ts == TS


def test_groups_of_the_wrong_type_are_as_good_as_absent() -> None:
    made = parsed({**FULL, "user": "alice", "source": [1], "http": 7, "okta": "x", "winlog": [], "azure": 1, "device": None, "file": "f"})
    assert (made.kind, made.actor, made.ip) == ("auth.login", None, None)


def test_no_secret_of_a_document_is_kept() -> None:
    made = parsed(
        {**FULL, "message": "password hunter2", "http": {"request": {"body": {"content": "hunter2"}}}, "labels": {"token": "hunter2"}}
    )
    assert "hunter2" not in repr(made)


def test_unfolding_merges_what_is_said_in_two_ways() -> None:
    assert unfold({"a.b": 1, "a": {"c": 2}, "d": {"e.f": 3}, "a.b.c": 4}) == {"a": {"b": {"c": 4}, "c": 2}, "d": {"e": {"f": 3}}}


def test_every_rule_leads_to_a_known_kind() -> None:
    assert {rule.kind for rules in RULES.values() for rule in rules} <= KINDS
    assert set(RULES) == set(ORDER)
    assert set(IGNORED).isdisjoint(ORDER)
    assert all(not rules[-1].words and not rules[-1].types for rules in RULES.values())  # something always holds
    assert len(FORMAT.rules) == sum(map(len, RULES.values())) + len(AUTH_KINDS) + 2


@pytest.mark.parametrize(
    ("sample", "at_least", "at_most"),
    [
        (json.dumps(FULL).encode(), 0.9, 1),
        (json.dumps(flat(FULL)).encode(), 0.9, 1),
        (json.dumps({"hits": {"hits": [{"_source": FULL}]}}, indent=1).encode(), 0.9, 1),
        (b'{"@timestamp": 1772352000, "action": "team.add_member", "actor": "a"}', 0, 0),
        (b'{"@timestamp": "2026-03-01T08:00:00Z", "remote_addr": "192.0.2.1", "status": 200}', 0, 0),
        (b'{"event": {"category": "iam"}}', 0, 0),
    ],
)
def test_recognition(sample: bytes, at_least: float, at_most: float) -> None:
    assert at_least <= FORMAT.recognise(sample) <= at_most
