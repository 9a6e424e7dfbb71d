"""What each activity of each OCSF class is: one table, by ``(class_uid, activity_id)``.

Classes and activities as in ocsf-schema 1.9.0 (``events/iam``, ``events/application``, ``events/network``); 1.9 puts User Management
(3007) in the place of Account Change and User Access Management, which stay readable.
"""

from collections.abc import Iterator

import msgspec

from schemas.formats.neutral import AUTH_KINDS

CLASSES: dict[int, str] = {
    3001: "Account Change",
    3002: "Authentication",
    3003: "Authorize Session",
    3004: "Entity Management",
    3005: "User Access Management",
    3006: "Group Management",
    3007: "User Management",
    3008: "Role Management",
    4002: "HTTP Activity",
    6001: "Web Resources Activity",
    6003: "API Activity",
    6005: "Datastore Activity",
}
"""The classes that are read; every other one is left out."""


class Rule(msgspec.Struct, frozen=True):
    """What one activity means."""

    kind: str
    action: str = ""
    """Action of the event, where the class has no name of its own for it."""
    name: str = ""
    """As the schema calls the activity."""


_TABLE: dict[int, tuple[tuple[int, str, str, str], ...]] = {
    3001: (
        (1, "Create", "account.change", "user.create"),
        (2, "Enable", "account.change", "user.enable"),
        (3, "Password Change", "auth.password_change", "password.change"),
        (4, "Password Reset", "auth.password_reset", "password.reset"),
        (5, "Disable", "account.change", "user.disable"),
        (6, "Delete", "account.change", "user.delete"),
        (7, "Attach Policy", "admin.action", "role.grant"),
        (8, "Detach Policy", "admin.action", "role.revoke"),
        (9, "Lock", "account.change", "user.lock"),
        (10, "MFA Factor Enable", "auth.mfa_change", "mfa.add"),
        (11, "MFA Factor Disable", "auth.mfa_change", "mfa.remove"),
        (12, "Unlock", "account.change", "user.unlock"),
    ),
    3002: (
        (1, "Logon", "auth.login", "login"),
        (2, "Logoff", "auth.logout", "logout"),
        (3, "Authentication Ticket", "auth.login", "login"),
        (4, "Service Ticket Request", "auth.session", "session"),
        (5, "Service Ticket Renew", "auth.session", "session"),
        (6, "Preauth", "auth.login", "login"),
        (7, "Account Switch", "auth.session", "session"),
    ),
    3003: (
        (1, "Assign Privileges", "auth.session", "session"),
        (2, "Assign Groups", "auth.session", "session"),
        (3, "Assign Roles", "auth.session", "session"),
    ),
    3004: (
        (1, "Create", "admin.action", "entity.create"),
        (2, "Read", "api.request", "entity.read"),
        (3, "Update", "admin.action", "entity.update"),
        (4, "Delete", "admin.action", "entity.delete"),
        (5, "Move", "admin.action", "entity.move"),
        (6, "Enroll", "admin.action", "entity.enroll"),
        (7, "Unenroll", "admin.action", "entity.unenroll"),
        (8, "Enable", "admin.action", "entity.enable"),
        (9, "Disable", "admin.action", "entity.disable"),
        (10, "Activate", "admin.action", "entity.activate"),
        (11, "Deactivate", "admin.action", "entity.deactivate"),
        (12, "Suspend", "admin.action", "entity.suspend"),
        (13, "Resume", "admin.action", "entity.resume"),
    ),
    3005: (
        (1, "Assign Privileges", "admin.action", "role.grant"),
        (2, "Revoke Privileges", "admin.action", "role.revoke"),
        (3, "Assign Role", "admin.action", "role.grant"),
        (4, "Remove Role", "admin.action", "role.revoke"),
    ),
    3006: (
        (1, "Assign Privileges", "admin.action", "role.grant"),
        (2, "Revoke Privileges", "admin.action", "role.revoke"),
        (3, "Add User", "admin.action", "group.join"),
        (4, "Remove User", "admin.action", "group.leave"),
        (5, "Delete", "admin.action", "group.delete"),
        (6, "Create", "admin.action", "group.create"),
    ),
    3007: (
        (1, "Create", "account.change", "user.create"),
        (2, "Update", "account.change", "user.update"),
        (3, "Delete", "account.change", "user.delete"),
        (4, "Enable", "account.change", "user.enable"),
        (5, "Disable", "account.change", "user.disable"),
        (6, "Lock", "account.change", "user.lock"),
        (7, "Unlock", "account.change", "user.unlock"),
        (8, "Password Change", "auth.password_change", "password.change"),
        (9, "Password Reset", "auth.password_reset", "password.reset"),
        (10, "Attach Policies", "admin.action", "role.grant"),
        (11, "Detach Policies", "admin.action", "role.revoke"),
        (12, "MFA Factor Enable", "auth.mfa_change", "mfa.add"),
        (13, "MFA Factor Disable", "auth.mfa_change", "mfa.remove"),
        (14, "Assign Privileges", "admin.action", "role.grant"),
        (15, "Remove Privileges", "admin.action", "role.revoke"),
        (16, "Assign Roles", "admin.action", "role.grant"),
        (17, "Remove Roles", "admin.action", "role.revoke"),
    ),
    3008: (
        (1, "Create", "admin.action", "role.create"),
        (2, "Update", "admin.action", "role.update"),
        (3, "Delete", "admin.action", "role.delete"),
        (4, "Assign Privileges", "admin.action", "role.grant"),
        (5, "Remove Privileges", "admin.action", "role.revoke"),
        (6, "Assign Resources", "admin.action", "role.grant"),
        (7, "Remove Resources", "admin.action", "role.revoke"),
        (8, "Attach Policies", "admin.action", "role.grant"),
        (9, "Detach Policies", "admin.action", "role.revoke"),
        (10, "Add Programmatic Credentials", "credential.change", "credential.add"),
        (11, "Remove Programmatic Credentials", "credential.change", "credential.remove"),
    ),
    6001: (
        (1, "Create", "api.request", "create"),
        (2, "Read", "api.request", "read"),
        (3, "Update", "api.request", "update"),
        (4, "Delete", "api.request", "delete"),
        (5, "Search", "data.query", "search"),
        (6, "Import", "api.request", "import"),
        (7, "Export", "data.export", "export"),
        (8, "Share", "data.export", "share"),
    ),
    6003: (
        (1, "Create", "admin.action", "create"),
        (2, "Read", "api.request", "read"),
        (3, "Update", "admin.action", "update"),
        (4, "Delete", "admin.action", "delete"),
    ),
    6005: (
        (1, "Read", "data.query", "read"),
        (2, "Update", "api.request", "update"),
        (3, "Connect", "auth.session", "session"),
        (4, "Query", "data.query", "query"),
        (5, "Write", "api.request", "write"),
        (6, "Create", "api.request", "create"),
        (7, "Delete", "api.request", "delete"),
        (8, "List", "data.query", "list"),
        (9, "Encrypt", "api.request", "encrypt"),
        (10, "Decrypt", "api.request", "decrypt"),
    ),
}

RULES: dict[tuple[int, int], Rule] = {
    (class_uid, activity): Rule(kind, action, name) for class_uid, rows in _TABLE.items() for activity, name, kind, action in rows
}

DEFAULTS: dict[int, Rule] = {
    3001: Rule("account.change", "user.change"),
    3002: Rule("auth.session", "session"),
    3003: Rule("auth.session", "session"),
    3004: Rule("admin.action", "entity.change"),
    3005: Rule("admin.action", "role.change"),
    3006: Rule("admin.action", "group.change"),
    3007: Rule("account.change", "user.change"),
    3008: Rule("admin.action", "role.change"),
    4002: Rule("api.request"),
    6001: Rule("api.request"),
    6003: Rule("api.request"),
    6005: Rule("api.request"),
}
"""Activities outside the table: 0 (Unknown), 99 (Other) and those of later versions; ``activity_name`` is tried first."""

METHODS: dict[int, str] = {
    1: "CONNECT",
    2: "DELETE",
    3: "GET",
    4: "HEAD",
    5: "OPTIONS",
    6: "POST",
    7: "PUT",
    8: "TRACE",
    9: "PATCH",
}
"""``activity_id`` of HTTP Activity, for requests that do not name their method."""


def listing() -> Iterator[tuple[str, str, str]]:
    """Every rule for the documentation: activity, kind, note."""
    yield "any class but those of log-ins, refused", "authz.decision", "a failure whose reason means: this caller may not"
    for (class_uid, activity), rule in RULES.items():
        yield f"{class_uid} {CLASSES[class_uid]}: {rule.name} ({activity})", rule.kind, rule.action
    for kind, action in AUTH_KINDS:
        yield "3xxx: an activity that is not listed", kind, f"{action}, where its `activity_name` says so"
    for class_uid, rule in DEFAULTS.items():
        yield f"{class_uid} {CLASSES[class_uid]}: any other", rule.kind, rule.action
