"""GitHub audit log entries: what each action is, who acts and where, and the shapes entries arrive in."""

from typing import Any

import orjson
import pytest

from schemas.errors import RejectError
from schemas.event import KINDS, Event
from schemas.formats.base import Context, Memory
from schemas.formats.github import FORMAT, GitHubParser
from schemas.formats.github_kinds import IGNORED, RULES, rule_for

MS = 1772352000000  # 2026-03-01T08:00:00Z
TS = 1772352000.0


def entry(action: str = "org.add_member", **fields: Any) -> dict[str, Any]:
    return {
        "@timestamp": MS,
        "_document_id": "d1",
        "action": action,
        "actor": "alice",
        "actor_ip": "192.0.2.1",
        "org": "acme",
        "created_at": MS,
        **({"@timestamp": fields.pop("at")} if "at" in fields else {}),
        **fields,
    }


def parser(tenant: str | None = None) -> GitHubParser:
    return FORMAT.parser(Context(Memory(), tenant=tenant))


def one(action: str = "org.add_member", **fields: Any) -> Event:
    (event,) = parser().parse(orjson.dumps(entry(action, **fields)))
    return event


def test_an_entry_is_read() -> None:
    place = {"country_code": "us", "city": "Oakland", "location": {"lat": 37.8, "lon": -122.3}}
    fields: dict[str, Any] = {
        "user": "bob",
        "actor_location": place,
        "user_agent": "Mozilla/5.0",
        "actor_session": 77,
        "hashed_token": "c2VjcmV0",
        "token_id": 5,
    }
    (event,) = parser("t1").parse(orjson.dumps(entry(**fields)))
    assert event == Event(
        "admin.action",
        TS,
        "d1",
        "success",
        "t1",
        actor="alice",
        actor_type="user",
        ip="192.0.2.1",
        country="US",
        city="Oakland",
        lat=37.8,
        lon=-122.3,
        user_agent="Mozilla/5.0",
        session_id="77",
        target="user:bob",
        action="org.add_member",
        route="org.add_member",
    )


@pytest.mark.parametrize(
    ("action", "fields", "kind", "done", "outcome", "target"),
    [
        ("user.login", {}, "auth.login", "login", "success", None),
        ("user.failed_login", {}, "auth.login", "login", "failure", None),
        ("business.sso_response", {}, "auth.login", "sso", "success", None),
        ("user.logout", {}, "auth.logout", "logout", "success", None),
        ("user.two_factor_requested", {}, "auth.mfa_challenge", "mfa.challenge", "challenge", None),
        ("user.two_factor_challenge_failure", {}, "auth.mfa_challenge", "mfa.verify", "failure", None),
        ("user.sign_in_from_unrecognized_device", {}, "auth.session", "user.sign_in_from_unrecognized_device", "success", None),
        ("user.forgot_password", {}, "auth.password_reset", "password.reset_request", "success", "user:alice"),
        ("user.change_password", {}, "auth.password_change", "password.change", "success", "user:alice"),
        ("two_factor_authentication.disabled", {"user": "bob"}, "auth.mfa_change", "mfa.remove", "success", "user:bob"),
        ("passkey.register", {}, "auth.mfa_change", "mfa.add", "success", "user:alice"),
        ("org.disable_two_factor_requirement", {}, "auth.mfa_change", "mfa_policy.disable", "success", "org:acme"),
        ("user.suspend", {"user": "bob"}, "account.change", "user.suspend", "success", "user:bob"),
        ("external_identity.deprovision", {"user": "bob"}, "account.change", "external_identity.deprovision", "success", "user:bob"),
        ("personal_access_token.access_granted", {"user": "bob"}, "credential.change", "token.create", "success", "user:bob"),
        ("oauth_authorization.create", {"oauth_application": "Sync"}, "credential.change", "consent.grant", "success", "app:Sync"),
        ("public_key.create", {"fingerprint": "SHA256:x"}, "credential.change", "key.add", "success", "key:SHA256:x"),
        ("deploy_key.create", {"repo": "acme/site"}, "credential.change", "key.add", "success", "repo:acme/site"),
        ("org.create_actions_secret", {}, "credential.change", "org.create_actions_secret", "success", "org:acme"),
        ("environment.update_actions_secret", {"repo": "acme/site"}, "credential.change", None, "success", "repo:acme/site"),
        ("protected_branch.rejected_ref_update", {"repo": "acme/site"}, "authz.decision", None, "failure", "repo:acme/site"),
        (
            "secret_scanning_push_protection.bypass",
            {"repo": "acme/site"},
            "authz.decision",
            "protection.bypass",
            "success",
            "repo:acme/site",
        ),
        (
            "audit_log_streaming.destroy",
            {"org": None, "business": "inc"},
            "audit.log_change",
            "log_stream.delete",
            "success",
            "business:inc",
        ),
        ("business.disable_source_ip_disclosure", {}, "audit.log_change", "log_detail.disable", "success", "org:acme"),
        ("repository_secret_scanning.disable", {"repo": "acme/site"}, "audit.log_change", "scanning.disable", "success", None),
        ("org.advanced_security_disabled_on_all_repos", {}, "audit.log_change", "scanning.disable", "success", None),
        ("repository_secret_scanning.enable", {}, "admin.action", None, "success", None),
        ("org.audit_log_export", {}, "data.export", "audit_log.export", "success", "org:acme"),
        ("git.clone", {"repo": "acme/site"}, "data.export", "clone", "success", "repo:acme/site"),
        ("repo.download_zip", {"repo": "acme/site"}, "data.export", "download", "success", "repo:acme/site"),
        ("some_report.exported", {}, "data.export", "export", "success", None),
        ("git.fetch", {"repo": "acme/site"}, "api.request", "git.fetch", "success", "repo:acme/site"),
        ("business.add_admin", {"user": "bob"}, "admin.action", "role.grant", "success", "user:bob"),
        ("organization_role.revoke", {"user": "bob"}, "admin.action", "role.revoke", "success", "user:bob"),
        ("team.add_repository", {"data": {"team": "acme/core"}}, "admin.action", "team.add_repository", "success", "team:acme/core"),
        ("hook.create", {"hook_id": 12}, "admin.action", "hook.create", "success", "hook:12"),
        ("integration_installation.create", {"integration": "Bot"}, "admin.action", None, "success", "app:Bot"),
        ("protected_branch.destroy", {"repo": "acme/site"}, "admin.action", "protection.disable", "success", "repo:acme/site"),
        ("ip_allow_list.disable", {}, "admin.action", "network_policy.disable", "success", "org:acme"),
        ("org.disable_saml", {}, "admin.action", "sso.disable", "success", "org:acme"),
        ("staff.fake_login", {"user": "bob"}, "admin.action", "impersonation.grant", "success", "user:bob"),
        ("repo.destroy", {"repo": "acme/site"}, "admin.action", "repo.delete", "success", "repo:acme/site"),
        ("workflows.completed_workflow_run", {"repo": "acme/site"}, "api.request", None, "success", "repo:acme/site"),
        ("new_category.changed_something", {}, "admin.action", "new_category.changed_something", "success", "org:acme"),
        ("new_category.looked", {"operation_type": "access"}, "api.request", "new_category.looked", "success", "org:acme"),
        ("invite_member", {}, "admin.action", "invite_member", "success", "org:acme"),
    ],
)
def test_what_an_action_is(action: str, fields: dict[str, Any], kind: str, done: str | None, outcome: str, target: str | None) -> None:
    event = one(action, **fields)
    assert (event.kind, event.outcome, event.route) == (kind, outcome, action)
    assert event.action == (done or event.action)
    assert event.target == (target or event.target)
    assert event.records == (1 if kind == "data.export" else 0)


@pytest.mark.parametrize(
    ("action", "fields", "kind", "done"),
    [
        ("repo.access", {"visibility": "public"}, "data.export", "share.public"),
        ("repo.access", {"visibility": "private"}, "admin.action", "repo.access"),
        ("repo.access", {"data": {"visibility": "public"}}, "data.export", "share.public"),
        ("org.update_member", {"permission": "admin", "old_permission": "read"}, "admin.action", "role.grant"),
        ("org.update_member", {"permission": "read", "old_permission": "admin"}, "admin.action", "role.revoke"),
        ("org.update_member", {"permission": "read"}, "admin.action", "org.update_member"),
        ("repo.add_member", {"permission": "admin"}, "admin.action", "role.grant"),
        ("org.invite_member", {"invitation_role": "admin"}, "admin.action", "role.grant"),
    ],
)
def test_fields_add_to_the_name(action: str, fields: dict[str, Any], kind: str, done: str) -> None:
    event = one(action, **fields)
    assert (event.kind, event.action) == (kind, done)


@pytest.mark.parametrize("action", ["pull_request.create", "issue_comment.update", "billing.change_email", "org.self_hosted_runner_online"])
def test_what_is_written_planned_and_paid_is_no_event(action: str) -> None:
    assert list(parser().parse(orjson.dumps(entry(action)))) == []


@pytest.mark.parametrize(
    ("fields", "actor", "type_"),
    [
        ({}, "alice", "user"),
        ({"actor": "ci[bot]"}, "ci[bot]", "service"),
        ({"actor": "ci", "actor_is_bot": True}, "ci", "service"),
        ({"programmatic_access_type": "GitHub App server-to-server token"}, "alice", "service"),
        ({"programmatic_access_type": "GitHub App user-to-server token"}, "alice", "user"),
        ({"programmatic_access_type": "Fine-grained personal access token"}, "alice", "api_key"),
        ({"actor": "", "programmatic_access_type": "Deploy key"}, None, "api_key"),
        ({"actor": "", "external_identity_nameid": "bob@example.com"}, "bob@example.com", "user"),
        ({"actor": None}, None, "anonymous"),
    ],
)
def test_who_acts(fields: dict[str, Any], actor: str | None, type_: str) -> None:
    event = one("git.clone", repo="acme/site", **fields)
    assert (event.actor, event.actor_type) == (actor, type_)


def test_a_failed_login_without_actor_is_of_the_user_it_names() -> None:
    event = one("user.failed_login", actor="", user="bob")
    assert (event.actor, event.actor_type) == ("bob", "user")


def test_no_token_is_kept() -> None:
    event = one("git.clone", hashed_token="c2VjcmV0", token_id=5, repo="acme/site")
    assert "c2VjcmV0" not in repr(event)


@pytest.mark.parametrize(
    ("status", "kind", "outcome"), [(200, "api.request", "success"), ("404", "api.request", "failure"), (403, "authz.decision", "failure")]
)
def test_streamed_api_requests(status: Any, kind: str, outcome: str) -> None:
    event = one("api.request", route="/orgs/:org/members", url_path="/orgs/acme/members", request_method="GET", status_code=status)
    assert (event.kind, event.outcome, event.status) == (kind, outcome, int(status))
    assert (event.route, event.path, event.method) == ("/orgs/:org/members", "/orgs/acme/members", "GET")


@pytest.mark.parametrize(
    ("times", "ts"),
    [
        ({"@timestamp": MS + 500}, TS + 0.5),
        ({"@timestamp": None, "created_at": MS}, TS),
        ({"@timestamp": None, "created_at": "2026-03-01 08:00:00.250"}, TS + 0.25),
        ({"@timestamp": None, "created_at": "2026-03-01 08:00:00250000000"}, TS + 0.25),
        ({"@timestamp": None, "created_at": None, "at_sign_timestamp": "2026-03-01 08:00:00.000000000"}, TS),
        ({"@timestamp": None, "created_at": "", "p_event_time": "2026-03-01 08:00:00"}, TS),
    ],
)
def test_times(times: dict[str, Any], ts: float) -> None:
    assert one(**times).ts == ts


OLD = {
    "actor": "bob",
    "actor_ip": "192.0.2.9",
    "org": ["acme", "other"],
    "created_at": MS,
    "action": "protected_branch.destroy",
    "data": {"_document_id": "d9", "actor_session": 5, "actor_location": {"country_code": "FR", "location": {"lat": 123.0, "lon": 1.0}}},
}
LINE = b"<190>Mar 1 08:00:00 ghe github_audit: " + orjson.dumps(OLD)


@pytest.mark.parametrize(
    "record",
    [
        orjson.dumps(OLD),
        LINE,
        orjson.dumps({"@timestamp": "2026-03-01T08:00:01Z", "program": "github_audit", "message": LINE.decode()}),
        orjson.dumps({"event": OLD, "sourcetype": "github"}),
        orjson.dumps([OLD], option=orjson.OPT_INDENT_2),
        orjson.dumps({"records": [OLD]}),
    ],
)
def test_enterprise_server_entries_in_every_wrapper(record: bytes) -> None:
    (event,) = parser().parse(record)
    assert (event.id, event.actor, event.ip, event.country, event.lat) == ("d9", "bob", "192.0.2.9", "FR", None)
    assert (event.kind, event.target, event.session_id) == ("admin.action", "org:acme", "5")


def test_a_list_comes_sorted_and_loses_only_its_broken_entries() -> None:
    one_input = parser()
    records = [entry(_document_id="b", created_at=MS, at=MS + 1), entry(at="x"), entry(_document_id="a")]
    assert [event.id for event in one_input.parse(orjson.dumps(records))] == ["a", "b"]
    assert [reason for reason, _ in one_input.partial_rejects] == ["bad_time"]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"actor": "alice", "created_at": MS}, "unknown_shape"),
        ({"action": 7, "created_at": MS}, "bad_field"),
        ({"action": "org.add_member"}, "missing_field"),
        ({"action": "org.add_member", "created_at": 123}, "time_out_of_range"),
        ({"action": "org.add_member", "created_at": {}}, "bad_time"),
    ],
)
def test_rejects(record: dict[str, Any], reason: str) -> None:
    with pytest.raises(RejectError) as caught:
        parser().parse(orjson.dumps(record))
    assert caught.value.reason == reason


def test_odd_types_of_optional_fields_lose_only_the_field() -> None:
    event = one(actor_ip=["?"], actor_location="x", user={"a": 1}, user_agent=7, repo=2**64 - 1, data="x", actor_session=True)
    assert (event.ip, event.country, event.user_agent, event.session_id, event.target) == (None, None, None, None, "org:acme")


def test_the_table_is_whole() -> None:
    assert {rule.kind for rule in RULES.values()} <= KINDS
    assert not RULES.keys() & IGNORED
    assert {kind for _, kind, _ in FORMAT.rules} <= KINDS
    assert len(FORMAT.ignored) == len(IGNORED)


def test_the_closest_rule_wins() -> None:
    exact, family, unknown = rule_for("hook.create", None), rule_for("public_key.rotate", None), rule_for("x.y", None)
    assert exact is not None
    assert family is not None
    assert unknown is not None
    assert (exact.kind, family.kind, unknown.kind) == ("admin.action", "credential.change", "admin.action")
    assert rule_for("pull_request.create", None) is None
    assert rule_for("pull_request.merge", None) is not None
