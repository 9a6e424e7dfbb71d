"""What only the details of a Microsoft 365 record tell: how a sign-in ended, where mail is sent on to, how much was read."""

import re

import msgspec

from schemas.event import Event
from schemas.formats.entra_audit import refined
from schemas.formats.json_records import NULL, part
from schemas.formats.microsoft import CODES, NAMED, Rule, Verdict, mfa_answer, operation_key, verdict_of
from schemas.formats.microsoft365_record import Record, modified, named

_FORWARD = ("ForwardingSmtpAddress", "ForwardingAddress", "ForwardTo", "RedirectTo", "ForwardAsAttachmentTo")
_FLOW_FORWARD = ("BlindCopyTo", "RedirectMessageTo", "CopyTo", "AddToRecipients")
_AUDIT_OFF = re.compile(r"\A(?:AuditEnabled|UnifiedAuditLogIngestionEnabled|AdminAuditLogEnabled)\Z")
_FALSE = frozenset({"false", "$false", "0"})
_TRUE = frozenset({"true", "$true", "1"})
_INTERNAL = frozenset({"member", "notguest", "securitygroup", "sharepointgroup", "m365group", "group", "partner"})
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^A-Za-z0-9]+")
_RISKS = ("low", "medium", "high")
_FAILURE = frozenset({"failed", "failure", "fail", "false", "error"})
_COUNT_LIMIT = 2**63


def sign_in_verdict(record: Record, operation: str) -> Verdict:
    """How a sign-in ended. The result of a ``UserLoginFailed`` is ``Success`` too, so its name counts, not its result."""
    number = str(record.error_number) if record.error_number is not None else ""
    number = number.removesuffix(".0")
    if number.isascii() and number.isdigit() and len(number) <= 10 and number != "0":
        return verdict_of(int(number))
    error = record.logon_error
    if error:
        return NAMED.get(error) or Verdict("failure", _WORD.sub("_", error).strip("_").lower()[:64] or "error")
    failed = operation_key(operation) == "userloginfailed" or str(record.result_status).lower() in _FAILURE
    return Verdict("failure", None) if failed else CODES[0]


def set_sign_in(event: Event, record: Record, operation: str) -> None:
    """Outcome and reason of a sign-in."""
    verdict = sign_in_verdict(record, operation)
    event.outcome, event.reason = verdict.outcome, verdict.reason
    if verdict.mfa:
        event.kind = "auth.mfa_challenge"
        event.reason = mfa_answer(named(record.extended_properties).get("ResultStatusDetail", ""))


def detailed(rule: Rule, operation: str, record: Record) -> Rule:
    """The rule, where parameters or changed properties tell more than the operation's name."""
    if record.modified_properties is not NULL and " " in operation:
        rule = refined(rule, operation, modified(record.modified_properties))
    if rule.action in {"share", "share.anonymous"}:
        return _sharing(rule, record)
    if record.parameters is not NULL:
        return _with_parameters(rule, operation_key(operation), named(record.parameters))
    if rule.action == "mailbox.rule" and record.operation_properties is not NULL:
        actions = named(record.operation_properties).get("RuleActions", "")
        if "Forward" in actions or "Redirect" in actions:
            return Rule(rule.kind, "mailbox.forward", rule.target)
    return rule


def _sharing(rule: Rule, record: Record) -> Rule:
    """Shared outwards, or with a colleague: only the first lets data leave."""
    name, kind = (record.target_name or "").lower(), (record.target_type or "").lower()
    if kind == "guest" or "#ext#" in name or "urn:spo:guest" in name:
        return Rule("data.export", "share.external", rule.target)
    if kind in _INTERNAL and rule.action == "share":
        return Rule("api.request", "share.internal", rule.target)
    return rule


def _with_parameters(rule: Rule, key: str, given: dict[str, str]) -> Rule:
    for name, value in given.items():
        value = value.lower()
        if _AUDIT_OFF.match(name) and value in _FALSE:
            return Rule("audit.log_change", "log.disable", rule.target)
        if name in {"AuditDisabled", "AuditBypassEnabled"} and value in _TRUE:
            return Rule("audit.log_change", "log.disable", rule.target)
        if name in _FORWARD and value and value != "$null":
            return Rule("admin.action", "mailbox.forward", "mailbox")
        if name in _FLOW_FORWARD and value:
            return Rule("admin.action", "mail_flow.forward", rule.target)
        if key == "new-compliancesearchaction" and name == "Purge" and value not in _FALSE:
            return Rule("admin.action", "content.purge", "search")
    return rule


def set_amounts(event: Event, record: Record, rule: Rule) -> None:
    """How much was read, and the vendor's judgement of it."""
    if rule.read and event.outcome == "success":
        event.records = _items(record) if rule.action == "mail.read" else 1
        size = record.file_size_bytes
        size = float(size) if isinstance(size, str) and size.isascii() and size.isdigit() and len(size) <= 18 else size
        if isinstance(size, (int, float)) and not isinstance(size, bool) and 0 <= size < _COUNT_LIMIT:
            event.bytes = int(size)
    if rule.action == "malware.detected":
        event.risk = "high"
    elif record.severity and record.severity.lower() in _RISKS:
        event.risk = record.severity.lower()
    elif rule.action == "dlp.match":
        event.records, event.risk = 1, _worst(record.policy_details)


def _items(record: Record) -> int:
    """Messages that were opened: as counted by the vendor, else as listed."""
    count = record.operation_count
    if isinstance(count, (int, float)) and 0 < count < _COUNT_LIMIT:
        return int(count)
    listed = 0
    folders = part(record.folders) if record.folders is not NULL else None
    for folder in folders if isinstance(folders, list) else ():
        items = folder.get("FolderItems") if isinstance(folder, dict) else None
        listed += len(items) if isinstance(items, list) else 0
    return listed or 1


def _worst(details: msgspec.Raw) -> str | None:
    policies = part(details) if details is not NULL else None
    worst = -1
    for policy in policies if isinstance(policies, list) else ():
        rules = policy.get("Rules") if isinstance(policy, dict) else None
        for rule in rules if isinstance(rules, list) else ():
            severity = str(rule.get("Severity", "")).lower() if isinstance(rule, dict) else ""
            worst = max(worst, _RISKS.index(severity) if severity in _RISKS else -1)
    return _RISKS[worst] if worst >= 0 else None
