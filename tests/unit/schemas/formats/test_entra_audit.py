"""The directory's audit log: what each activity is, who did it, and to what."""

from typing import Any

import orjson
import pytest

from schemas.event import Event
from schemas.formats.base import Context, Memory
from schemas.formats.entra import FORMAT

AT = "2026-01-01T10:00:00Z"
BOB = {"id": "u2", "type": "User", "userPrincipalName": "Bob@example.com", "displayName": "Bob"}
APP = {"id": "a1", "type": "ServicePrincipal", "displayName": "Mail Helper"}


def changed(name: str, old: str | None, new: str | None) -> dict[str, Any]:
    return {"modifiedProperties": [{"displayName": name, "oldValue": old, "newValue": new}]}


def audit(name: str, *targets: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "id": "d1",
        "activityDateTime": AT,
        "activityDisplayName": name,
        "category": "UserManagement",
        "loggedByService": "Core Directory",
        "result": "success",
        "initiatedBy": {"user": {"userPrincipalName": "admin@example.com", "ipAddress": "192.0.2.1"}},
        "targetResources": list(targets),
        **fields,
    }


def events(document: Any) -> list[Event]:
    return list(FORMAT.parser(Context(Memory())).parse(orjson.dumps(document)))


def one(document: Any) -> Event:
    (event,) = events(document)
    return event


@pytest.mark.parametrize(
    ("name", "target", "kind", "action", "named"),
    [
        ("Add user", BOB, "account.change", "user.create", "user:bob@example.com"),
        ("Delete user", BOB, "account.change", "user.delete", "user:bob@example.com"),
        ("Invite external user", BOB, "account.change", "user.invite", "user:bob@example.com"),
        ("Disable account", BOB, "account.change", "user.disable", "user:bob@example.com"),
        ("Reset password (by admin)", BOB, "auth.password_reset", "password.reset", "user:bob@example.com"),
        ("Reset user password.", BOB, "auth.password_reset", "password.reset", "user:bob@example.com"),
        ("Change password (self-service)", BOB, "auth.password_change", "password.change", "user:bob@example.com"),
        ("User registered security info", BOB, "auth.mfa_change", "mfa.add", "user:bob@example.com"),
        ("User deleted security info", BOB, "auth.mfa_change", "mfa.remove", "user:bob@example.com"),
        ("Disable Strong Authentication", BOB, "auth.mfa_change", "mfa.disable", "user:bob@example.com"),
        ("Add member to role", BOB, "admin.action", "role.grant", "user:bob@example.com"),
        ("ADD MEMBER TO ROLE", BOB, "admin.action", "role.grant", "user:bob@example.com"),
        ("Add eligible member to role in PIM completed (permanent)", BOB, "admin.action", "role.eligible", "user:bob@example.com"),
        ("Add member to role completed (PIM activation)", BOB, "admin.action", "role.activate", "user:bob@example.com"),
        ("Remove member from role", BOB, "admin.action", "role.revoke", "user:bob@example.com"),
        ("Consent to application", APP, "admin.action", "app.consent", "app:Mail Helper"),
        ("Add delegated permission grant", APP, "admin.action", "app.grant", "app:Mail Helper"),
        ("Add service principal credentials", APP, "credential.change", "credential.add", "app:Mail Helper"),
        ("Update application – Certificates and secrets management ", APP, "credential.change", "credential.add", "app:Mail Helper"),
        ("Update conditional access policy", {"type": "Policy", "displayName": "P"}, "admin.action", "policy.update", "policy:P"),
        ("Delete Conditional Access policy", {"type": "Policy", "displayName": "P"}, "admin.action", "policy.delete", "policy:P"),
        (
            "Set federation settings on domain",
            {"type": "Domain", "displayName": "x.example"},
            "admin.action",
            "domain.federation",
            "domain:x.example",
        ),
        ("Register device", {"type": "Device", "displayName": "PC"}, "admin.action", "device.register", "device:PC"),
        ("Read BitLocker key", {"type": "Device", "displayName": "PC"}, "data.export", "secret.read", "device:PC"),
        ("Update security defaults", {"type": "Policy", "displayName": "P"}, "auth.mfa_change", "mfa_policy.update", "policy:P"),
        ("Disable PIM alert", BOB, "audit.log_change", "alerting.disable", "user:bob@example.com"),
        ("Something nobody knows", BOB, "admin.action", "Something nobody knows", "user:bob@example.com"),
    ],
)
def test_an_activity_is_what_it_is_called(name: str, target: dict[str, Any], kind: str, action: str | None, named: str) -> None:
    event = one(audit(name, target))
    assert (event.kind, event.action, event.target) == (kind, action or name, named)
    assert (event.outcome, event.actor, event.actor_type, event.ip) == ("success", "admin@example.com", "user", "192.0.2.1")


@pytest.mark.parametrize(
    "name",
    [
        "Get user flow",
        "Add member to role in PIM requested (timebound)",
        "Update device",
        "DSR Export: MFA",
        "Email subscribed",
        "started (bulk)",
    ],
)
def test_what_changes_nothing_is_no_event(name: str) -> None:
    assert events(audit(name, BOB)) == []


def test_a_granted_role_is_named_in_the_route() -> None:
    by_property = audit("Add member to role", BOB | changed("Role.DisplayName", None, '"Global Administrator"'))
    by_target = audit("Add member to role", BOB, {"type": "Role", "displayName": "Global Administrator"})
    for document in (by_property, by_target):
        assert one(document).route == "Core Directory:Add member to role:Global Administrator"


ON, OFF = '{"state":"enabled","grantControls":{"builtInControls":["mfa"]}}', '{"state":"enabled","displayName":"mfa"}'


@pytest.mark.parametrize(
    ("name", "change", "kind", "action"),
    [
        ("Update user", changed("StrongAuthenticationMethod", '[{"MethodType":6}]', "[]"), "auth.mfa_change", "mfa.remove"),
        ("Update user", changed("StrongAuthenticationPhoneAppDetail", "[]", '[{"DeviceName":"x"}]'), "auth.mfa_change", "mfa.update"),
        ("Update user", changed("AccountEnabled", "[true]", "[false]"), "account.change", "user.disable"),
        ("Update user", changed("DisplayName", "a", "b"), "account.change", "user.update"),
        ("Update application", changed("KeyDescription", "[]", "[x]"), "credential.change", "credential.add"),
        ("Update application", changed("DisplayName", "a", "b"), "admin.action", "app.update"),
        ("Update conditional access policy", changed("ConditionalAccessPolicy", ON, OFF), "auth.mfa_change", "mfa_policy.disable"),
        ("Update conditional access policy", changed("ConditionalAccessPolicy", OFF, ON), "admin.action", "policy.update"),
        ("Update conditional access policy", changed("p", ON, ON.replace("enabled", "disabled")), "auth.mfa_change", "mfa_policy.disable"),
        ("Update conditional access policy", changed("p", OFF, OFF.replace("enabled", "disabled")), "admin.action", "policy.disable"),
        ("Update conditional access policy", changed("p", ON, None), "admin.action", "policy.update"),
        ("Delete conditional access policy", changed("ConditionalAccessPolicy", ON, None), "auth.mfa_change", "mfa_policy.disable"),
        ("Delete conditional access policy", changed("ConditionalAccessPolicy", OFF, None), "admin.action", "policy.delete"),
    ],
)
def test_the_changed_properties_tell_more(name: str, change: dict[str, Any], kind: str, action: str) -> None:
    event = one(audit(name, BOB | change))
    assert (event.kind, event.action) == (kind, action)


@pytest.mark.parametrize(
    ("fields", "kind", "outcome", "reason"),
    [
        (
            {"result": "failure", "resultReason": "Insufficient privileges to complete the operation"},
            "authz.decision",
            "failure",
            "forbidden",
        ),
        ({"result": "failure", "resultReason": "Object not found"}, "admin.action", "failure", None),
        ({"result": "timeout"}, "admin.action", "failure", None),
        ({"result": "unknownFutureValue"}, "admin.action", None, None),
    ],
)
def test_the_result_says_how_it_ended(fields: dict[str, Any], kind: str, outcome: str | None, reason: str | None) -> None:
    event = one(audit("Add member to role", BOB, **fields))
    assert (event.kind, event.outcome, event.reason) == (kind, outcome, reason)


def test_a_step_of_a_password_reset_is_a_challenge() -> None:
    event = one(audit("Self-service password reset flow activity progress", BOB))
    assert (event.kind, event.outcome, event.action) == ("auth.password_reset", "challenge", "password.reset_step")


@pytest.mark.parametrize(
    ("initiator", "actor", "actor_type"),
    [
        ({"app": {"displayName": "Sync", "servicePrincipalId": "sp1"}}, "Sync", "service"),
        ({"app": {"servicePrincipalId": "sp1"}}, "sp1", "service"),
        ({"user": {"id": "u9"}, "app": None}, "u9", "user"),
        ('{"user":{"userPrincipalName":"Carol@example.com"}}', "carol@example.com", "user"),
        (None, None, None),
        ("not JSON", None, None),
    ],
)
def test_who_did_it(initiator: Any, actor: str | None, actor_type: str | None) -> None:
    event = one(audit("Add user", BOB, initiatedBy=initiator))
    assert (event.actor, event.actor_type) == (actor, actor_type)


def test_additional_details_give_address_and_agent() -> None:
    details = [{"key": "ipaddr", "value": "192.0.2.9"}, {"key": "User-Agent", "value": "curl/8"}, {"key": "n", "value": None}]
    event = one(audit("Add user", BOB, initiatedBy={"user": {"id": "u1"}}, additionalDetails=details))
    assert (event.ip, event.user_agent) == ("192.0.2.9", "curl/8")


def test_an_envelope_and_a_row_say_the_same_as_graph() -> None:
    document = audit("Add user", BOB)
    row = {
        key[0].upper() + key[1:]: orjson.dumps(value).decode() if isinstance(value, (list, dict)) else value
        for key, value in document.items()
    }
    row |= {"TimeGenerated": AT, "OperationName": "Add user", "Type": "AuditLogs", "Category": "UserManagement"}
    expected = one(document)
    assert one({"time": AT, "category": "AuditLogs", "operationName": "Add user", "resourceId": "/t", "properties": document}) == expected
    assert one(row) == expected
