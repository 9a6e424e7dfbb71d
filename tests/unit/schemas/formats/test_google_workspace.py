"""Google Workspace activities: what each event is, and what its parameters add."""

from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from schemas.event import KINDS, Event
from schemas.formats.base import Context, Memory
from schemas.formats.google_kinds import IGNORED, RULES, rule_for
from schemas.formats.google_workspace import FORMAT, GoogleWorkspaceParser

TIME = "2026-03-01T08:00:00Z"
TS = 1772352000.0


def parameters(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """As the Reports API writes them."""
    kinds = {bool: "boolValue", int: "intValue", list: "multiValue", str: "value"}
    return [{"name": name, kinds[type(value)]: value} for name, value in values.items()]


def activity(app: str, *events: tuple[str, Mapping[str, Any]], **fields: Any) -> dict[str, Any]:
    return {
        "kind": "admin#reports#activity",
        "id": {"time": TIME, "uniqueQualifier": "-7", "applicationName": app, "customerId": "C1"},
        "actor": {"callerType": "USER", "email": "alice@example.com", "profileId": "1"},
        "ipAddress": "192.0.2.1",
        "events": [{"type": "x", "name": name, "parameters": parameters(values)} for name, values in events],
        **fields,
    }


def parser(tenant: str | None = None) -> GoogleWorkspaceParser:
    return FORMAT.parser(Context(Memory(), tenant=tenant))


def one(app: str, name: str, values: Mapping[str, Any] | None = None, **fields: Any) -> Event:
    (event,) = parser().parse(orjson.dumps(activity(app, (name, values or {}), **fields)))
    return event


def test_an_activity_is_read() -> None:
    network = {"ipAsn": [64500], "regionCode": "de"}
    record = activity("admin", ("CREATE_USER", {"USER_EMAIL": "bob@example.com"}), networkInfo=network)
    (event,) = parser("t1").parse(orjson.dumps(record))
    assert event == Event(
        "account.change",
        TS,
        f"{TIME}/-7",
        "success",
        "t1",
        actor="alice@example.com",
        actor_type="user",
        ip="192.0.2.1",
        country="DE",
        asn=64500,
        target="user:bob@example.com",
        action="user.create",
        route="admin:CREATE_USER",
    )


ALICE = "user:alice@example.com"


@pytest.mark.parametrize(
    ("app", "name", "values", "kind", "done", "outcome", "target"),
    [
        ("login", "login_success", {}, "auth.login", "login", "success", None),
        ("login", "login_failure", {}, "auth.login", "login", "failure", None),
        ("login", "logout", {}, "auth.logout", "logout", "success", None),
        (
            "login",
            "suspicious_login ",
            {"affected_email_address": "b@example.com"},
            "auth.login",
            "suspicious_login",
            None,
            "user:b@example.com",
        ),
        ("login", "gov_attack_warning", {}, "auth.login", "attack.warning", None, None),
        ("login", "risky_sensitive_action_blocked", {}, "authz.decision", "protected_action.attempt", "failure", None),
        (
            "login",
            "account_disabled_hijacked",
            {"affected_email_address": "b@example.com"},
            "account.change",
            None,
            "success",
            "user:b@example.com",
        ),
        ("login", "account_disabled_of_a_new_sort", {}, "account.change", None, "success", None),
        ("login", "password_edit", {}, "auth.password_change", "password.change", "success", ALICE),
        ("user_accounts", "2sv_enroll", {}, "auth.mfa_change", "mfa.add", "success", ALICE),
        ("user_accounts", "2sv_disable", {}, "auth.mfa_change", "mfa.remove", "success", ALICE),
        ("user_accounts", "recovery_phone_edit", {}, "account.change", "recovery_phone_edit", "success", ALICE),
        (
            "user_accounts",
            "email_forwarding_out_of_domain",
            {"email_forwarding_destination_address": "x@example.net"},
            "account.change",
            "mail.forward",
            "success",
            "email:x@example.net",
        ),
        ("saml", "login_success", {"application_name": "CRM"}, "auth.login", "sso", "success", "app:CRM"),
        ("token", "authorize", {"client_id": "c1", "app_name": "Sync"}, "credential.change", "consent.grant", "success", "app:c1"),
        ("token", "revoke", {"app_name": "Sync"}, "credential.change", "consent.revoke", "success", "app:Sync"),
        ("admin", "SUSPEND_USER", {"USER_EMAIL": "b"}, "account.change", "user.suspend", "success", "user:b"),
        ("admin", "CHANGE_USER_PHONE_NUMBER", {"USER_EMAIL": "b"}, "account.change", None, "success", "user:b"),
        ("admin", "CHANGE_PASSWORD", {"USER_EMAIL": "b"}, "auth.password_reset", "password.reset", "success", "user:b"),
        ("admin", "CHANGE_PASSWORD", {"USER_EMAIL": "alice@example.com"}, "auth.password_change", "password.change", "success", ALICE),
        ("admin", "TURN_OFF_2_STEP_VERIFICATION", {"USER_EMAIL": "b"}, "auth.mfa_change", "mfa.remove", "success", "user:b"),
        ("admin", "ENFORCE_STRONG_AUTHENTICATION", {"NEW_VALUE": "false"}, "auth.mfa_change", "mfa_policy.disable", "success", None),
        ("admin", "ALLOW_STRONG_AUTHENTICATION", {"NEW_VALUE": "true"}, "auth.mfa_change", "mfa_policy.enable", "success", None),
        ("admin", "GRANT_ADMIN_PRIVILEGE", {"USER_EMAIL": "b"}, "admin.action", "role.grant", "success", "user:b"),
        ("admin", "ASSIGN_ROLE", {"USER_EMAIL": "b", "ROLE_NAME": "r"}, "admin.action", "role.grant", "success", "user:b"),
        ("admin", "CREATE_ROLE", {"ROLE_NAME": "r"}, "admin.action", "role.create", "success", "role:r"),
        ("admin", "AUTHORIZE_API_CLIENT_ACCESS", {"API_CLIENT_NAME": "c"}, "admin.action", "delegation.grant", "success", "app:c"),
        (
            "admin",
            "CHANGE_APPLICATION_SETTING",
            {"SETTING_NAME": "Password - length"},
            "admin.action",
            None,
            "success",
            "setting:Password - length",
        ),
        ("admin", "CHANGE_APPLICATION_SETTING", {"SETTING_NAME": "Audit log export"}, "audit.log_change", None, "success", None),
        (
            "admin",
            "CHANGE_APPLICATION_SETTING",
            {"SETTING_NAME": "2-step verification enforcement", "NEW_VALUE": "off"},
            "auth.mfa_change",
            "mfa_policy.disable",
            "success",
            None,
        ),
        ("admin", "DELETE_RULE", {"RULE_NAME": "leak"}, "audit.log_change", "alerting.delete", "success", "alert:leak"),
        ("admin", "CREATE_DATA_TRANSFER_REQUEST", {"USER_EMAIL": "b"}, "data.export", "export", "success", "user:b"),
        ("admin", "CUSTOMER_TAKEOUT_CREATED", {}, "data.export", "export", "success", None),
        ("admin", "DOWNLOAD_USERLIST_CSV", {}, "data.export", "export", "success", None),
        ("admin", "SECURITY_INVESTIGATION_QUERY", {}, "data.query", None, "success", None),
        ("admin", "SOME_EVENT_OF_TOMORROW", {}, "admin.action", "SOME_EVENT_OF_TOMORROW", "success", None),
        ("drive", "download", {"doc_id": "d"}, "data.export", "download", "success", "doc:d"),
        ("drive", "copy", {"doc_id": "d"}, "data.export", "copy", "success", "doc:d"),
        ("drive", "trash", {"doc_id": "d"}, "api.request", "trash", "success", "doc:d"),
        ("takeout", "whatever", {}, "data.export", "export", "success", None),
        ("vault", "start_export", {}, "data.export", "start_export", "success", None),
        ("vault", "create_matter", {}, "admin.action", "create_matter", "success", None),
        ("groups_enterprise", "add_member", {"member_id": "b"}, "admin.action", "add_member", "success", "user:b"),
        ("context_aware_access", "ACCESS_DENY_EVENT", {"CAA_APPLICATION": "Drive"}, "authz.decision", None, "failure", "app:Drive"),
        ("some_new_app", "did_something", {}, "api.request", "did_something", "success", None),
        ("some_new_app", "REPORT_EXPORTED", {}, "data.export", "export", "success", None),
    ],
)
def test_what_an_event_is(
    app: str, name: str, values: dict[str, Any], kind: str, done: str | None, outcome: str | None, target: str | None
) -> None:
    event = one(app, name, values)
    assert (event.kind, event.outcome, event.route) == (kind, outcome, f"{app}:{name.strip()}")
    assert event.action == (done or event.action)
    assert event.target == (target or event.target)
    assert event.records == (1 if kind == "data.export" else 0)


@pytest.mark.parametrize(
    ("why", "reason"),
    [
        ("login_failure_invalid_password", "bad_password"),
        ("login_failure_account_disabled", "locked"),
        ("login_failure_access_code_disallowed", "forbidden"),
        ("login_failure_unknown", None),
        ("login_failure_of_tomorrow", "of_tomorrow"),
    ],
)
def test_why_a_login_failed(why: str, reason: str | None) -> None:
    assert one("login", "login_failure", {"login_failure_type": why}).reason == reason


@pytest.mark.parametrize(
    ("method", "status", "action", "outcome", "reason"),
    [
        (None, "passed", "mfa.verify", "success", None),
        (["password", "google_prompt"], "Challenge Passed.", "mfa.verify.push", "success", None),
        (["google_prompt"], "Challenge Failed.", "mfa.verify.push", "failure", "mfa_denied"),
        (["google_prompt"], "timed out", "mfa.verify.push", "failure", "mfa_timeout"),
        (["google_authenticator"], "incorrect_answer_entered", "mfa.verify.totp", "failure", "mfa_bad_code"),
        ("backup_code", "Challenge Failed.", "mfa.verify.backup_code", "failure", "mfa_bad_code"),
        (None, "incorrect_answer_entered", "mfa.verify", "failure", "mfa_bad_code"),
        (None, "Challenge Failed.", "mfa.verify", "failure", "mfa_denied"),
        (["idv_preregistered_phone"], "", "mfa.challenge.sms", "challenge", None),
        (None, "", "mfa.challenge", "challenge", None),
    ],
)
@pytest.mark.parametrize("name", ["login_challenge", "login_verification"])
def test_how_a_challenge_went(name: str, method: Any, status: str, action: str, outcome: str, reason: str | None) -> None:
    values = {"login_challenge_status": status} | ({} if method is None else {"login_challenge_method": method})
    event = one("login", name, values)
    assert (event.kind, event.action, event.outcome, event.reason) == ("auth.mfa_challenge", action, outcome, reason)


def test_a_password_is_no_second_factor() -> None:
    event = one(
        "login", "login_verification", {"login_challenge_method": ["password"], "login_challenge_status": "incorrect_answer_entered"}
    )
    assert (event.kind, event.action, event.outcome, event.reason) == ("auth.session", "login.step", "failure", "bad_password")


@pytest.mark.parametrize(
    ("app", "name", "values", "risk"),
    [
        ("login", "login_success", {"is_suspicious": True}, "medium"),
        ("login", "login_success", {"is_suspicious": False}, None),
        ("login", "suspicious_login", {}, "high"),
        ("login", "account_disabled_spamming", {}, "medium"),
        ("mobile", "DEVICE_COMPROMISED_EVENT", {"DEVICE_COMPROMISED_STATE": "COMPROMISED"}, "high"),
        ("mobile", "DEVICE_COMPROMISED_EVENT", {"DEVICE_COMPROMISED_STATE": "NOT_COMPROMISED"}, None),
        ("rules", "rule_match", {"severity": "HIGH"}, "high"),
        ("chrome", "PASSWORD_BREACH", {}, "high"),
    ],
)
def test_googles_own_judgement_is_kept(app: str, name: str, values: dict[str, Any], risk: str | None) -> None:
    assert one(app, name, values).risk == risk


INTERNAL = {"doc_id": "d", "visibility": "shared_internally", "old_visibility": "private", "visibility_change": "internal"}


@pytest.mark.parametrize(
    ("name", "values", "done"),
    [
        ("change_user_access", INTERNAL, None),
        ("change_user_access", INTERNAL | {"visibility": "shared_externally", "visibility_change": "external"}, "share.external"),
        ("change_document_visibility", INTERNAL | {"visibility": "people_with_link", "visibility_change": "external"}, "share.public"),
        ("change_document_visibility", {"visibility": "public_on_the_web", "old_visibility": "private"}, "share.public"),
        (
            "change_document_visibility",
            {"visibility": "private", "old_visibility": "public_on_the_web", "visibility_change": "internal"},
            None,
        ),
        ("change_user_access", INTERNAL | {"visibility_change": "external", "new_value": ["none"]}, None),
        ("change_owner", {"owner": "a@example.com", "new_owner": "b@example.net"}, "ownership.transfer"),
        ("change_owner", {"owner": "a@example.com", "new_owner": "b@Example.com"}, None),
        ("change_owner", {"owner": "Team", "new_owner": "b@example.com"}, None),
    ],
)
def test_sharing_beyond_the_domain_is_an_export_and_within_it_a_request(name: str, values: dict[str, Any], done: str | None) -> None:
    event = one("drive", name, values)
    assert (event.kind, event.action) == (("data.export", done) if done else ("api.request", name))


@pytest.mark.parametrize(("level", "kind"), [("freebusy", "data.export"), ("none", "api.request")])
def test_a_calendar_made_public(level: str, kind: str) -> None:
    grantee = "__public_principal__@public.calendar.google.com"
    event = one("calendar", "change_calendar_acls", {"grantee_email": grantee, "access_level": level, "calendar_id": "c"})
    assert (event.kind, event.target) == (kind, "calendar:c")


def delivery(message: dict[str, Any]) -> list[Event]:
    record = activity("gmail", events=None, name="delivery", parameters={"message_info": message})
    return list(parser().parse(orjson.dumps(record)))


def test_mail_is_an_event_only_when_it_is_hostile() -> None:
    assert delivery({"subject": "Lunch"}) == []
    assert delivery({"connection_info": {"smtp_response_reason": 1}}) == []
    assert [event.risk for event in delivery({"attachment": [{"malware_family": 2}]})] == ["high"]
    assert [(event.risk, event.outcome) for event in delivery({"connection_info": {"smtp_response_reason": 13}})] == [("low", "failure")]


@pytest.mark.parametrize(("app", "name"), [("calendar", "create_event"), ("meet", "call_ended"), ("mobile", "DEVICE_SYNC_EVENT")])
def test_what_is_of_no_interest_is_no_event(app: str, name: str) -> None:
    assert list(parser().parse(orjson.dumps(activity(app, (name, {}))))) == []


def test_calls_of_an_app_carry_their_size() -> None:
    event = one("token", "activity", {"client_id": "c", "method_name": "drive.files.get", "num_response_bytes": "2048"})
    assert (event.kind, event.bytes, event.path) == ("api.request", 2048, "drive.files.get")


@pytest.mark.parametrize(
    ("actor", "values", "name", "type_"),
    [
        ({"email": "a@example.com"}, {}, "a@example.com", "user"),
        ({"callerType": "KEY", "key": "SYSTEM"}, {}, "SYSTEM", "api_key"),
        ({"email": "x@p.iam.gserviceaccount.com"}, {}, "x@p.iam.gserviceaccount.com", "service"),
        ({"profileId": "17"}, {}, "17", "user"),
        ({}, {"affected_email_address": "b@example.com"}, "b@example.com", "user"),
        (None, {}, None, None),
    ],
)
def test_who_acts(actor: Any, values: dict[str, Any], name: str | None, type_: str | None) -> None:
    event = one("login", "login_success", values, actor=actor)
    assert (event.actor, event.actor_type) == (name, type_)


def test_the_table_is_whole() -> None:
    assert {rule.kind for rule in RULES.values()} <= KINDS
    assert not RULES.keys() & IGNORED
    assert {kind for _, kind, _ in FORMAT.rules} <= KINDS
    assert len(FORMAT.ignored) == len(IGNORED)


def test_exact_names_come_before_open_ones_and_these_before_whole_applications() -> None:
    found = [rule_for("admin", name) for name in ("CHANGE_USER_GENDER", "CHANGE_USER_RELATION", "CHANGE_ANYTHING")]
    assert [rule and rule.kind for rule in found] == [None, "account.change", "admin.action"]
