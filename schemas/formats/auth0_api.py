"""What each write to Auth0's Management API is: one table, by method and path."""

from functools import lru_cache
from typing import Any

import msgspec

from schemas.event import Kind


class ApiRule(msgspec.Struct, frozen=True):
    """What one kind of call means."""

    kind: Kind
    action: str
    target: str = ""
    """Type of the target, whose id follows the first word of the path; empty: the first word itself."""


_NAMESPACES = frozenset({
    "attack-protection", "guardian", "tenants", "branding", "emails", "jobs", "keys", "risk-assessment", "anomaly", "stats", "tickets",
    "blacklists", "self-service-profiles", "prompts", "supplemental-signals", "token-exchange-profiles", "integrations",
})  # fmt: skip
"""First words of a path whose next word is a name, not an id."""

# fmt: off
_ROWS: tuple[tuple[str, Kind, str, str], ...] = (
    # methods and path, kind, action, type of the target
    ("POST users", "account.change", "user.create", "user"),
    ("PATCH users/*", "account.change", "user.update", "user"),
    ("DELETE users/*", "account.change", "user.delete", "user"),
    ("* users/*/identities", "account.change", "account.link", "user"),
    ("POST users/*/roles", "admin.action", "role.grant", "user"),
    ("DELETE users/*/roles", "admin.action", "role.revoke", "user"),
    ("POST users/*/permissions", "admin.action", "permission.grant", "user"),
    ("DELETE users/*/permissions", "admin.action", "permission.revoke", "user"),
    ("* users/*/multifactor", "auth.mfa_change", "mfa.remove", "user"),
    ("POST users/*/authentication-methods", "auth.mfa_change", "mfa.add", "user"),
    ("* users/*/authentication-methods", "auth.mfa_change", "mfa.update", "user"),
    ("DELETE users/*/authentication-methods", "auth.mfa_change", "mfa.remove", "user"),
    ("DELETE users/*/authenticators", "auth.mfa_change", "mfa.remove", "user"),
    ("POST users/*/recovery-code-regeneration", "auth.mfa_change", "mfa.recovery_code", "user"),
    ("* users/*/sessions", "auth.logout", "session.clear", "user"),
    ("* users/*/refresh-tokens", "auth.logout", "session.clear", "user"),
    ("POST users/*/revoke-access", "auth.logout", "session.clear", "user"),
    ("* sessions", "auth.logout", "session.clear", "session"),
    ("* refresh-tokens", "auth.logout", "session.clear", "refresh_token"),
    ("DELETE user-blocks", "account.change", "account.unlock", "user"),
    ("* anomaly/blocks", "admin.action", "ip.unblock", ""),
    ("POST roles", "admin.action", "role.create", "role"),
    ("PATCH roles/*", "admin.action", "role.update", "role"),
    ("DELETE roles/*", "admin.action", "role.delete", "role"),
    ("POST roles/*/users", "admin.action", "role.grant", "role"),
    ("DELETE roles/*/users", "admin.action", "role.revoke", "role"),
    ("POST roles/*/permissions", "admin.action", "role.permission_add", "role"),
    ("DELETE roles/*/permissions", "admin.action", "role.permission_remove", "role"),
    ("POST organizations/*/members/*/roles", "admin.action", "role.grant", "organization"),
    ("DELETE organizations/*/members/*/roles", "admin.action", "role.revoke", "organization"),
    ("POST organizations/*/members", "admin.action", "organization.member_add", "organization"),
    ("DELETE organizations/*/members", "admin.action", "organization.member_remove", "organization"),
    ("POST organizations/*/invitations", "admin.action", "invitation.create", "organization"),
    ("* organizations", "admin.action", "organization.change", "organization"),
    ("POST tenants/invitations", "admin.action", "invitation.create", ""),
    ("DELETE tenants/invitations", "admin.action", "invitation.delete", "invitation"),
    ("* tenants/invitations/*", "admin.action", "invitation.answer", "invitation"),
    ("* tenants/members", "admin.action", "tenant.member_change", "user"),
    ("* tenants/settings", "admin.action", "tenant.update", ""),
    ("* attack-protection", "admin.action", "attack_protection.update", ""),
    ("* guardian/policies", "auth.mfa_change", "mfa_policy.update", ""),
    ("* guardian/factors", "auth.mfa_change", "mfa_policy.update", ""),
    ("DELETE guardian/enrollments", "auth.mfa_change", "mfa.remove", "enrollment"),
    ("POST guardian/enrollments", "auth.mfa_change", "mfa.ticket", ""),
    ("* risk-assessment", "auth.mfa_change", "mfa_policy.update", ""),
    ("POST tickets/password-change", "auth.password_reset", "password.reset_ticket", ""),
    ("POST tickets/email-verification", "account.change", "email.verify_ticket", ""),
    ("* log-streams", "audit.log_change", "log_stream.update", "log_stream"),
    ("POST log-streams", "audit.log_change", "log_stream.create", "log_stream"),
    ("DELETE log-streams", "audit.log_change", "log_stream.delete", "log_stream"),
    ("POST clients/*/rotate-secret", "credential.change", "client_secret.rotate", "client"),
    ("* clients/*/credentials", "credential.change", "client_credential.change", "client"),
    ("* keys", "credential.change", "key.change", ""),
    ("* device-credentials", "credential.change", "device_credential.change", "device_credential"),
    ("* blacklists/tokens", "credential.change", "token.revoke", ""),
    ("* connections/*/scim-configuration/tokens", "credential.change", "scim_token.change", "connection"),
    ("* connections/*/keys", "credential.change", "key.change", "connection"),
    ("* event-streams", "admin.action", "event_stream.change", "event_stream"),
    ("POST jobs/users-exports", "data.export", "user.export", ""),
    ("POST jobs/users-imports", "account.change", "user.import", ""),
    ("POST jobs/verification-email", "account.change", "email.verify_request", ""),
    ("POST client-grants", "admin.action", "grant.create", "client_grant"),
    ("DELETE client-grants", "admin.action", "grant.delete", "client_grant"),
)
# fmt: on

API_RULES: dict[str, ApiRule] = {path: ApiRule(kind, action, target) for path, kind, action, target in _ROWS}
"""By ``METHOD path``; a method ``*`` is any other, an id in the path ``*``. The longest path that fits counts."""

DESCRIPTIONS: dict[str, str] = {
    "Create a role": "POST roles",
    "Update a role": "PATCH roles/*",
    "Delete a role": "DELETE roles/*",
    "Assign roles to a user": "POST users/*/roles",
    "Remove roles from a user": "DELETE users/*/roles",
    "Assign users to a role": "POST roles/*/users",
    "Set the Multi-factor Authentication policies": "PUT guardian/policies",
    "Create a log stream": "POST log-streams",
    "Update a log stream": "PATCH log-streams",
    "Delete a log stream": "DELETE log-streams",
    "Rotate a client secret": "POST clients/*/rotate-secret",
    "Delete a user's multi-factor provider": "DELETE users/*/multifactor",
}
"""What Auth0 calls some calls; it counts before the path, which is missing in some records."""

SWITCHES: dict[str, str] = {
    "attack_protection.update": "attack_protection.disable",
    "mfa_policy.update": "mfa_policy.disable",
    "log_stream.update": "log_stream.disable",
}
"""Actions that may switch something off, which the body of the call or of the answer says."""


def switches_off(answer: Any, request: Any) -> bool:
    """Whether a protection was switched off: by the answer where it says so, else by the request. An empty list of policies is none."""
    for body in (answer, request):
        if isinstance(body, dict):
            flag = next((body[name] for name in ("enabled", "AfterAuthentication") if isinstance(body.get(name), bool)), None)
            if flag is not None:
                return not flag
            if isinstance(body.get("status"), str):
                return body["status"] in {"paused", "suspended"}
        elif isinstance(body, list):
            return not body
    return False


_VERBS = {"POST": "create", "PATCH": "update", "PUT": "update", "DELETE": "delete"}
_WORDS = {
    "organizations": "organization",
    "clients": "client",
    "connections": "connection",
    "actions": "action",
    "rules": "rule",
    "hooks": "hook",
}


def _words(path: str) -> list[str]:
    words = [word for word in path.partition("?")[0].split("/") if word]
    if words[:1] == ["api"]:
        words = words[1:]
    return words[1:] if words[:1] in (["v1"], ["v2"]) else words


def _ids(words: list[str]) -> list[bool]:
    """Which words of the path are ids."""
    first = 2 if words[0] in _NAMESPACES else 1
    return [n >= first and (n - first) % 2 == 0 for n in range(len(words))]


@lru_cache(maxsize=4096)
def api_rule(method: str, path: str) -> tuple[ApiRule, str, str]:
    """The rule of a call, the id in its path (empty for none), and the path with its ids replaced by ``{id}``.

    A path in no table is an admin action ``<first word>.<create|update|delete>``.

    >>> api_rule("POST", "/api/v2/users/auth0%7C1/roles")
    (ApiRule(kind='admin.action', action='role.grant', target='user'), 'auth0%7C1', '/users/{id}/roles')
    """
    words = _words(path)[:12]
    if not words:
        return ApiRule("admin.action", "api.write"), "", ""
    ids = _ids(words)
    template = ["*" if is_id else word for word, is_id in zip(words, ids, strict=True)]
    own = next((word for word, is_id in zip(words, ids, strict=True) if is_id), "")
    route = ("/" + "/".join(template)).replace("*", "{id}")
    for n in range(len(template), 0, -1):
        stem = "/".join(template[:n])
        rule = API_RULES.get(f"{method} {stem}") or API_RULES.get(f"* {stem}")
        if rule is not None:
            return rule, own, route
    noun = _WORDS.get(words[0], words[0].replace("-", "_"))
    return ApiRule("admin.action", f"{noun}.{_VERBS.get(method, 'change')}"[:64], noun[:64]), own, route
