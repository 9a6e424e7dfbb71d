"""Entries of the directory's audit log."""

import re
from typing import Any

import msgspec

from schemas.event import Event
from schemas.formats.entra_kinds import audit_rule
from schemas.formats.entra_record import App, Audit, Detail, Initiator, Target, User, unpacked
from schemas.formats.json_records import NULL, part
from schemas.formats.microsoft import Rule, account, client_ip, operation_key

TEXT_CHARS = 256
AGENT_CHARS = 512
TARGET_CHARS = 512
_DECODER = msgspec.json.Decoder(Audit)
_TYPES = {
    "user": "user",
    "group": "group",
    "application": "app",
    "serviceprincipal": "app",
    "role": "role",
    "policy": "policy",
    "device": "device",
}
_DENIED = ("authorization", "insufficient", "not authorized", "access denied", "forbidden", "unauthorized")
_ADDRESSES = frozenset({"ipaddr", "ip address", "ipaddress", "clientip"})
_UPDATE_USER = operation_key("Update user")
_UPDATE_APP = frozenset({operation_key("Update application"), operation_key("Update service principal")})
_DELETIONS = frozenset({operation_key("Delete conditional access policy")})
_POLICIES = _DELETIONS | {operation_key("Update conditional access policy"), operation_key("Update policy")}
_NO_MFA = Rule("auth.mfa_change", "mfa_policy.disable", "policy")
"""A second factor is no longer demanded where it was: of everybody a policy is about, not of one person."""
_MFA_MARKS = ("StrongAuthentication",)
_KEY_MARKS = ("KeyDescription", "KeyCredentials", "PasswordCredentials")
_MFA_DEMAND = re.compile(r'"builtincontrols":\[[^\]]*"mfa"')


def decode_audit(raw: bytes | msgspec.Raw) -> Audit:
    """The fields of an audit entry; msgspec's errors may leave it."""
    return _DECODER.decode(raw)


def set_audit(event: Event, entry: Audit, operation: str, result: str | None) -> bool:
    """What was done to what, by whom. False when the activity is not security relevant."""
    rule = audit_rule(operation)
    if rule is None:
        return False
    targets = _list(entry.target_resources, Target)
    rule = refined(rule, operation, changes(targets))
    event.kind = rule.kind
    event.action = rule.action or operation[:TEXT_CHARS]
    event.route = f"{entry.logged_by_service}:{operation}"[:TARGET_CHARS] if entry.logged_by_service else operation[:TARGET_CHARS]
    _set_initiator(event, entry)
    _set_details(event, entry)
    _set_target(event, rule, targets)
    said = (entry.result or result or "").lower()
    if said.startswith(("fail", "timeout", "error")):
        event.outcome = "failure"
        reason = (entry.result_reason or "").lower()
        if any(word in reason for word in _DENIED):
            event.kind, event.reason = "authz.decision", "forbidden"
    elif said.startswith("succ"):
        event.outcome = rule.success
    if rule.read and event.outcome == "success":
        event.records = 1
    return True


Change = tuple[str, str, str]
"""Name, old and new value of one changed property."""


def changes(targets: list[Target]) -> list[Change]:
    """The changed properties of all targets."""
    found: list[Change] = []
    for target in targets:
        if target.modified_properties is not NULL:
            properties = part(target.modified_properties)
            if isinstance(properties, list):
                found += [_change(each) for each in properties if isinstance(each, dict)]
    return found


def _change(each: dict[str, Any]) -> Change:
    name, old, new = (each.get(key) for key in ("displayName", "oldValue", "newValue"))
    return (
        name if isinstance(name, str) else "",
        old if isinstance(old, str) else "",
        new if isinstance(new, str) else "",
    )


def refined(rule: Rule, operation: str, changed: list[Change]) -> Rule:
    """The rule, where only the changed properties tell what it was: a second factor, a credential, or a policy made weaker."""
    key = operation_key(operation)
    if key == _UPDATE_USER:
        return _user_change(rule, changed)
    if key in _UPDATE_APP and any(mark in name or mark in new for name, _, new in changed for mark in _KEY_MARKS):
        return Rule("credential.change", "credential.add", "app")
    if key in _POLICIES:
        for _, old, new in changed:
            before, after = old.lower(), new.lower()
            if not after and key not in _DELETIONS:
                continue
            switched_off = '"state":"enabled"' in before and '"state":"enabled"' not in after
            if _MFA_DEMAND.search(before) and (switched_off or not _MFA_DEMAND.search(after)):
                return _NO_MFA
            if switched_off and after:
                return Rule("admin.action", "policy.disable", "policy")
    return rule


def _user_change(rule: Rule, changed: list[Change]) -> Rule:
    for name, old, new in changed:
        if name.startswith(_MFA_MARKS):
            emptied = bool(old.strip('[]" ')) and not new.strip('[]" ')
            return Rule("auth.mfa_change", "mfa.remove" if emptied else "mfa.update", "user")
        if name == "AccountEnabled":
            return Rule("account.change", "user.enable" if "true" in new.lower() else "user.disable", "user")
    return rule


def _list(value: Any, kind: type[msgspec.Struct]) -> list[Any]:
    if not isinstance(value, str):
        return value or []
    try:
        return msgspec.json.decode(value, type=list[kind])  # type: ignore[valid-type]  # the element's type is a parameter
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return []


def _set_initiator(event: Event, entry: Audit) -> None:
    who = unpacked(entry.initiated_by, Initiator) or Initiator()
    user, app = who.user or User(), who.app or App()
    if person := user.user_principal_name or user.display_name or user.id:
        event.actor, event.actor_type = account(person)[:TEXT_CHARS], "user"
    elif program := app.display_name or app.service_principal_name or app.service_principal_id or app.app_id:
        event.actor, event.actor_type = program[:TEXT_CHARS], "service"
    if user.ip_address:
        event.ip = client_ip(user.ip_address) or event.ip


def _set_details(event: Event, entry: Audit) -> None:
    event.user_agent = entry.user_agent[:AGENT_CHARS] if entry.user_agent else None
    for detail in _list(entry.additional_details, Detail):
        name, value = (detail.key or "").lower(), detail.value
        if not isinstance(value, str) or not value:
            continue
        if name == "user-agent":
            event.user_agent = event.user_agent or value[:AGENT_CHARS]
        elif name in _ADDRESSES and event.ip is None:
            event.ip = client_ip(value)


def _set_target(event: Event, rule: Rule, targets: list[Target]) -> None:
    """The first target of the type the rule is about, else the first; a role granted is named in ``route``."""
    named = [(_TYPES.get((target.type or "").lower(), (target.type or "object").lower()), target) for target in targets]
    chosen = next(((kind, target) for kind, target in named if rule.target and kind == rule.target), named[0] if named else None)
    if chosen is not None:
        kind, target = chosen
        name = target.user_principal_name or target.display_name or target.id
        if name:
            event.target = f"{kind}:{account(name) if kind == 'user' else name}"[:TARGET_CHARS]
    if rule.action.startswith("role."):
        role = next((target.display_name for kind, target in named if kind == "role" and target.display_name), None)
        role = role or next((new.strip('" ') for name, _, new in changes(targets) if name == "Role.DisplayName"), None)
        if role:
            event.route = f"{event.route}:{role}"[:TARGET_CHARS]
    if event.target is None and rule.target == "user" and event.actor and event.actor_type == "user":
        event.target = f"user:{event.actor}"
