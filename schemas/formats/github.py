"""The GitHub audit log of enterprises, organisations and Enterprise Server: REST, exports, streaming, syslog.

``github_kinds`` says what each action is. ``route`` is GitHub's name of the action (of an API request: the endpoint's template);
``tenant`` is the input's, for one enterprise log holds many organisations.
"""

import re
from collections.abc import Sequence

import msgspec

from schemas.errors import RejectError
from schemas.event import Event
from schemas.formats.base import Context
from schemas.formats.github_kinds import BY_WORDS, FALLBACK, IGNORED, OWNER_MADE, PUBLISHED, RULES, Rule, rule_for
from schemas.formats.github_record import Record, set_actor, set_place, target_of
from schemas.formats.json_records import BOM, Inner, RecordsParser, as_text, moment

PATH_CHARS = 2048
_DECODER = msgspec.json.Decoder(Record)
_SYSLOG = re.compile(rb"[^{]{0,400}?\bgithub_audit\b[^{]{0,40}(?=\{)")
_DOTLESS = re.compile(r"(\d\d:\d\d:\d\d)(\d{3,9})\Z", re.ASCII)
"""Some exporters lose the dot before the fraction of a second."""
_OWNERS = frozenset({"admin", "owner"})
_MEMBERSHIP = frozenset(
    {"org.add_member", "org.update_member", "org.invite_member", "repo.add_member", "repo.update_member", "business.add_member"}
)
_FORBIDDEN = 403

_ACTION = re.compile(rb'"action"\s*:\s*"[a-z0-9_]+(?:\.[a-z0-9_]+)+"')
_SURE = re.compile(
    rb'"(?:_document_id|actor_location|programmatic_access_type|actor_is_bot|operation_type|at_sign_timestamp|actor_ip)"\s*:|GitHub\.Audit'
)
_LIKELY = re.compile(rb'"(?:org|repo|business)"\s*:')
_TIME = re.compile(rb'"(?:created_at|@timestamp|at_sign_timestamp)"\s*:')


class GitHubParser(RecordsParser[Record]):
    """Parser of one input."""

    def decode(self, data: bytes) -> Record:
        """One JSON object; the head of a syslog line before it is dropped."""
        if not data.startswith(b"{") and (head := _SYSLOG.match(data)):
            data = data[head.end() :]
        return _DECODER.decode(data)

    def inner(self, record: Record) -> Inner | None:
        """What a wrapper holds."""
        return record.inner()

    def event(self, record: Record, raw: bytes) -> Event | None:
        """The event of one entry."""
        action = as_text(record.action)
        if action is None:
            raise RejectError("unknown_shape" if record.action is None else "bad_field", "action: expected text")
        rule = rule_for(action, as_text(record.operation_type))
        ts = _ts(record)
        if rule is None:
            return None
        rule = _closer(rule, action, record)
        event = Event(
            rule.kind,
            ts,
            self.id_of(record.text("document_id") or _inner_id(record), raw),
            rule.outcome,
            self.tenant,
            action=rule.action or action,
            reason=rule.reason,
            risk=rule.risk,
            route=action,
            records=1 if rule.kind == "data.export" else 0,
        )
        set_actor(event, record)
        set_place(event, record)
        event.target = _own_target(event, rule, record) or target_of(record, rule.target)
        if action == "api.request":
            _request(event, record)
        return event


def _own_target(event: Event, rule: Rule, record: Record) -> str | None:
    """The actor, of changes to one's own account and credentials: their entries name no user."""
    if rule.target != "user" or rule.kind == "admin.action" or event.actor is None or record.text("user") is not None:
        return None
    return f"user:{event.actor}"


def _inner_id(record: Record) -> str | None:
    return as_text(record.data.get("_document_id")) if isinstance(record.data, dict) else None


def _ts(record: Record) -> float:
    for value in (record.at, record.created_at, record.at_sign_timestamp, record.p_event_time):
        if value is None or value == "":
            continue
        try:
            return moment(value, "created_at")
        except RejectError as error:
            mended = _DOTLESS.sub(r"\1.\2", value) if isinstance(value, str) else value
            if mended == value:
                raise
            return moment(mended, error.detail.partition(":")[0])
    raise RejectError("missing_field", "created_at")


def _closer(rule: Rule, action: str, record: Record) -> Rule:
    """What the fields of an entry add to its name: a repository made public, a member made an owner."""
    if action == "repo.access":
        return PUBLISHED if record.text("visibility") == "public" else rule
    if action in _MEMBERSHIP:
        now = record.text("permission") or record.text("invitation_role")
        before = record.text("old_permission")
        if now in _OWNERS and before not in _OWNERS:
            return OWNER_MADE
        if before in _OWNERS and now is not None and now not in _OWNERS:
            return msgspec.structs.replace(OWNER_MADE, action="role.revoke")
    return rule


def _request(event: Event, record: Record) -> None:
    event.route = as_text(record.route) or event.route
    event.path = as_text(record.url_path, PATH_CHARS)
    event.method = as_text(record.request_method, 16)
    status = record.status_code
    if isinstance(status, str) and status.isascii() and status.isdigit() and len(status) == 3:
        status = int(status)
    if isinstance(status, int) and 100 <= status <= 599:
        event.status = status
        event.outcome = "failure" if status >= 400 else "success"
    if event.status == _FORBIDDEN:
        event.kind, event.reason = "authz.decision", "forbidden"


class GitHub:
    """The format ``github``."""

    name = "github"
    title = "GitHub audit log: REST and exports, streaming, Enterprise Server syslog"
    rules: Sequence[tuple[str, str, str]] = (
        *((name, rule.kind, rule.note or rule.action) for name, rule in RULES.items()),
        *((f"({each.action})", each.kind, each.note) for each in (PUBLISHED, OWNER_MADE, *BY_WORDS)),
        ("(any other)", FALLBACK.kind, FALLBACK.note),
    )
    """The whole mapping, for the docs: action or what happens, kind, note."""
    ignored: Sequence[tuple[str, str, str]] = tuple((name, "", "not security relevant") for name in sorted(IGNORED))

    def recognise(self, sample: bytes) -> float:
        """By dotted actions beside fields only GitHub writes."""
        head = sample.lstrip(BOM + b" \t\r\n")
        if _SYSLOG.match(head) or (head[:1] == b"{" and b"github_audit: {" in sample[:4096]):
            return 0.9
        if head[:1] not in {b"{", b"["} or not _ACTION.search(sample) or b'"actor"' not in sample:
            return 0.0
        if _SURE.search(sample):
            return 0.95
        return 0.7 if _LIKELY.search(sample) and _TIME.search(sample) else 0.0

    def parser(self, context: Context) -> GitHubParser:
        """A parser for one input."""
        return GitHubParser(context)


FORMAT = GitHub()
