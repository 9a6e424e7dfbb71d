"""The unified audit log of Microsoft 365: answers of the Management Activity API, and rows exported with PowerShell, the portal or Graph."""

import re
from collections.abc import Sequence

import msgspec

from schemas.errors import RejectError
from schemas.event import Event
from schemas.formats.base import Context
from schemas.formats.json_records import BOM, NULL, Inner, RecordsParser, as_dict, as_text, moment, part
from schemas.formats.microsoft import Rule, account, client_ip
from schemas.formats.microsoft365_detail import detailed, set_amounts, set_sign_in
from schemas.formats.microsoft365_kinds import IGNORED, PREFIXES, RULES, operation_rule
from schemas.formats.microsoft365_record import Party, Record, modified, named

TEXT_CHARS = 256
AGENT_CHARS = 512
TARGET_CHARS = 512
QUERY_CHARS = 2048
_RECORD = msgspec.json.Decoder(Record)
_NOBODY = frozenset({"", "not available", "unknown", "n/a", "00000000-0000-0000-0000-000000000000"})
_PROGRAM_TYPES = frozenset({4, 5, 6, 7, 8})
"""User types of the log: system, application, service principal, and policies. 0, 2 and 3 are people."""
_PROGRAM_NAMES = (
    "NT AUTHORITY",
    "app@sharepoint",
    "ServicePrincipal_",
    "SHAREPOINT\\",
    "S-1-5-18",
    "SecurityComplianceAlerts",
    "Microsoft.",
)
_ANONYMOUS = ("anonymous", "urn:spo:anon")
_SUCCESS = frozenset({"success", "succeeded", "true", "partiallysucceeded", "partially succeeded", "ok"})
_FAILURE = frozenset({"failed", "failure", "fail", "false", "error", "timeout", "blocked"})


class Microsoft365Parser(RecordsParser[Record]):
    """Parser of one input; see ``RecordsParser`` for the order of events and ``partial_rejects``."""

    def decode(self, data: bytes) -> Record:
        """One record."""
        return _RECORD.decode(data)

    def inner(self, record: Record) -> Inner | None:
        """The records of a page, or the record within an exported row."""
        for raw in (record.audit_data, record.graph_data):
            if raw is not NULL and bytes(raw) != b"null":
                text = part(raw) if bytes(memoryview(raw)[:1]) == b'"' else None
                return (msgspec.json.encode(text) if isinstance(text, dict) else raw,)
        if record.operation is None:
            return record.records if record.records is not None else record.value
        return None

    def event(self, record: Record, raw: bytes) -> Event | None:
        """One operation."""
        if record.operation is None and record.creation_time is None:
            raise RejectError("unknown_shape", "expected CreationTime and Operation")
        operation = record.operation
        if not operation:
            raise RejectError("missing_field", "Operation")
        ts = moment(record.creation_time, "CreationTime")
        rule = operation_rule(operation, record.workload or "")
        if rule is None:
            return None
        rule = detailed(rule, operation, record)
        event = Event(rule.kind, ts, self.id_of(record.id, raw), tenant=self.tenant)
        event.action = (rule.action or operation)[:TEXT_CHARS]
        event.route = (f"{record.workload}:{operation}" if record.workload else operation)[:TARGET_CHARS]
        _set_actor(event, record)
        _set_origin(event, record)
        _set_target(event, record, rule)
        _set_outcome(event, record, rule, operation)
        set_amounts(event, record, rule)
        event.query = record.query[:QUERY_CHARS] if record.query else None
        return event


def _set_actor(event: Event, record: Record) -> None:
    name = record.user_id or ""
    if name.lower() in _NOBODY:
        name = next((each.id for each in record.actor or () if each.id and "@" in each.id), "")
    if event.action == "alert" and record.alert_entity_id and "@" in record.alert_entity_id:
        name = record.alert_entity_id
    if name.lower().startswith(_ANONYMOUS):
        event.actor_type = "anonymous"
    elif name:
        event.actor = account(name)[:TEXT_CHARS]
        is_program = record.user_type in _PROGRAM_TYPES or name.startswith(_PROGRAM_NAMES)
        event.actor_type = "service" if is_program else "user"


def _set_origin(event: Event, record: Record) -> None:
    """Address, agent, device and session."""
    for address in (record.client_ip, record.client_ip_address, record.actor_ip_address):
        if address and (ip := client_ip(address)):
            event.ip = ip
            break
    extended = named(record.extended_properties)
    agent = record.user_agent or extended.get("UserAgent") or record.client_info_string
    if not agent and "additionalDetails" in extended:
        agent = as_text(as_dict(part(extended["additionalDetails"].encode("utf-8", "replace"))).get("User-Agent"), AGENT_CHARS)
    event.user_agent = agent[:AGENT_CHARS] if agent else None
    device = named(record.device_properties)
    device_id = record.device_id or device.get("Id") or device.get("DeviceId")
    event.device_id = device_id[:TEXT_CHARS] if device_id else None
    context = record.app_access_context
    session = device.get("SessionId") or (context.session if context else None) or record.session_id
    event.session_id = session[:TEXT_CHARS] if session else None


def _set_target(event: Event, record: Record, rule: Rule) -> None:
    kind = rule.target or ("user" if rule.action.startswith("role.") else "object")
    name = record.object_id if (record.object_id or "").lower() not in _NOBODY else None
    if kind == "mailbox":
        name = record.mailbox_owner or named(record.parameters).get("Identity") or name
    elif kind == "team":
        name = record.team_name or name
    elif kind == "search":
        name = name or record.case_name
    if name is None and record.target is not NULL:
        name = _party_name(record.target)
    if rule.kind in {"auth.login", "auth.logout", "auth.session", "auth.mfa_challenge"}:
        kind = "app"
    if name:
        event.target = f"{kind}:{account(name) if kind in {'user', 'mailbox'} else name}"[:TARGET_CHARS]
    if rule.action.startswith("role."):
        role = next((new.strip('" ') for changed, _, new in modified(record.modified_properties) if changed == "Role.DisplayName"), None)
        if role:
            event.route = f"{event.route}:{role}"[:TARGET_CHARS]


def _party_name(raw: msgspec.Raw) -> str | None:
    """The plainest name of a target: an address, else a display name."""
    try:
        parties = msgspec.json.decode(raw, type=list[Party])
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    names = [each.id for each in parties if each.id and each.id.lower() not in _NOBODY]
    shown = [each.id for each in parties if each.id and each.type == 1]
    return next((name for name in (*(name for name in names if "@" in name), *shown, *names)), None)


def _set_outcome(event: Event, record: Record, rule: Rule, operation: str) -> None:
    if rule.kind == "auth.login":
        set_sign_in(event, record, operation)
        return
    said = str(record.result_status).lower() if record.result_status is not None else ""
    if rule.action in {"share.block", "sync.block"}:
        event.outcome, event.reason = "failure", "forbidden"
    elif said in _FAILURE:
        event.outcome = "failure"
    else:  # what SharePoint and others log without a result did happen
        event.outcome = rule.success if said in _SUCCESS or not said else None


_KEY = re.compile(rb'(\\?)"([A-Za-z]{2,40})\1"\s*:')
_FOREIGN = re.compile(rb'"(?:@timestamp|class_uid|specversion|o365)"\s*:')
_NEEDED = frozenset({b"CreationTime", b"Operation"})
_TYPICAL = frozenset({b"RecordType", b"UserType", b"UserKey", b"OrganizationId", b"Workload", b"ResultStatus", b"ObjectId", b"ClientIP"})


class Microsoft365:
    """The format ``microsoft365``."""

    name = "microsoft365"
    title = "Microsoft 365 unified audit log (Management Activity API, PowerShell, portal and Graph exports as JSON)"
    rules: Sequence[tuple[str, str, str]] = (
        *((name, rule.kind, rule.action) for name, rule in RULES.items()),
        *((f"{name}…", rule.kind, rule.action) for name, rule in PREFIXES if rule is not None),
    )
    """(vendor event, kind, note), for the documentation."""
    ignored: Sequence[tuple[str, str, str]] = (
        *((name, "", "not security relevant") for name in sorted(IGNORED)),
        *((f"{name}…", "", "not security relevant") for name, rule in PREFIXES if rule is None),
    )

    def recognise(self, sample: bytes) -> float:
        """By the names every record of the log has; they may stand within text, in an exported row."""
        if sample.lstrip(BOM + b" \t\r\n")[:1] not in {b"{", b"["} or _FOREIGN.search(sample):
            return 0.0
        plain: set[bytes] = set()
        quoted: set[bytes] = set()
        for mark in _KEY.finditer(sample):
            (quoted if mark[1] else plain).add(mark[2])
        if plain >= _NEEDED and len(plain & _TYPICAL) >= 3:
            return 0.97
        return 0.95 if {b"AuditData", b"auditData"} & plain and quoted >= _NEEDED else 0.0

    def parser(self, context: Context) -> Microsoft365Parser:
        """A parser for one input."""
        return Microsoft365Parser(context)


FORMAT = Microsoft365()
