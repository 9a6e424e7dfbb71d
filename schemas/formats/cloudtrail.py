"""AWS CloudTrail: single events, delivered files, lists, EventBridge, CloudWatch Logs and ``lookup-events``.

A refused call is ``authz.decision`` whatever it was; otherwise ``cloudtrail_kinds`` says what it is. ``route`` is ``eventSource:eventName``,
``reason`` the error code in lower snake case.
"""

import re
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from schemas.address import canonical_ip
from schemas.errors import RejectError
from schemas.event import Event
from schemas.formats.base import Context
from schemas.formats.cloudtrail_kinds import FORBIDDEN, RULES, SIGN_IN, UNLISTED, Rule, is_write, listing
from schemas.formats.cloudtrail_record import HIDDEN, NULL, TEXT_CHARS, Identity, Record, part, set_actor
from schemas.stamps import from_number, from_text

AGENT_CHARS = 512
TARGET_CHARS = 512
QUERY_CHARS = 2048
_WRAPPERS_DEPTH = 4
"""Wrappers within wrappers: a list of CloudWatch messages holding an EventBridge event is the deepest that makes sense."""
_BYTES_LIMIT = 2**63
_BOM = b"\xef\xbb\xbf"
_RECORD = msgspec.json.Decoder(Record)
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^A-Za-z0-9]+")
_MARK = re.compile(rb'(\\?)"(eventSource|eventName|eventVersion|eventTime|eventID|userIdentity|digestStartTime)\1"\s*:')
_S3_NOTICE = re.compile(rb'"eventSource"\s*:\s*"aws:')


class CloudTrailParser:
    """Parser of one input. Events of one record come sorted by time, for a delivered file is in no order.

    ``partial_rejects``: reason and detail (with the entry's position) of what the *last* ``parse`` had to leave out of a record that also
    held good entries, or more than one bad one. The caller counts them after each call; the next call empties the list.
    """

    def __init__(self, context: Context) -> None:
        self.partial_rejects: list[tuple[str, str]] = []
        self._tenant = context.tenant
        self._lines = context.memory.lines

    def parse(self, record: bytes) -> Sequence[Event]:
        """The events of one record, by time then id; none for digests and insights. Raises ``RejectError`` when not one entry is good."""
        self.partial_rejects = []
        events: list[Event] = []
        first: RejectError | None = None
        for position, entry in enumerate(_entries(record.removeprefix(_BOM).strip())):
            try:
                event = entry if isinstance(entry, RejectError) else self._event(*entry)
            except RejectError as error:
                event = error
            if isinstance(event, Event):
                events.append(event)
            elif event is not None and first is None:
                first, where = event, position
            elif event is not None:
                self.partial_rejects.append((event.reason, f"entry {position}: {event.detail}"))
        if first is not None and not events:
            raise first
        if first is not None:
            self.partial_rejects.insert(0, (first.reason, f"entry {where}: {first.detail}"))
        events.sort(key=_order)
        return events

    def dump(self) -> Any:
        """Nothing is kept."""
        return

    def load(self, data: Any) -> None:
        """Nothing is kept."""

    def _event(self, record: Record, raw: bytes) -> Event | None:
        if record.digest_start is not None or record.category == "Insight" or record.event_type == "AwsCloudTrailInsight":
            return None
        if record.source is None and record.name is None and record.time is None:
            raise RejectError("unknown_shape", "expected eventSource, eventName and eventTime")
        if (record.source or "").startswith("aws:"):
            raise RejectError("unknown_shape", "an S3 notification, not CloudTrail")
        if not record.name:
            raise RejectError("missing_field", "eventName")
        event = Event(
            "api.request",
            _ts(record.time),
            self._id(record, raw),
            tenant=self._tenant,
            ip=canonical_ip(record.address) if record.address else None,
            user_agent=record.user_agent[:AGENT_CHARS] if record.user_agent else None,
            action=record.name[:TEXT_CHARS],
            route=f"{record.source}:{record.name}"[:TARGET_CHARS] if record.source else record.name[:TARGET_CHARS],
        )
        set_actor(event, record.identity or Identity(), record.address)
        _judge(event, record)
        return event

    def _id(self, record: Record, raw: bytes) -> str:
        if record.id:
            return record.id[:TEXT_CHARS]
        digest = blake2b(raw, digest_size=8).hexdigest()
        n = self._lines.number(digest)
        return f"{digest}-{n}" if n else digest


def _order(event: Event) -> tuple[float, str]:
    return event.ts, event.id


def _entries(data: bytes, depth: int = 0) -> Iterator[tuple[Record, bytes] | RejectError]:
    """The events within the wrappers, each with its own bytes; a broken one as the error it causes, so that the others are not lost."""
    if not data:
        return
    if depth > _WRAPPERS_DEPTH:
        yield RejectError("too_deep", "wrappers within wrappers")
        return
    try:
        if data.startswith(b"["):
            inner: Sequence[bytes | msgspec.Raw] = _LIST.decode(data)
        else:
            record = _RECORD.decode(data)
            inner = _inner(record)
            if not inner and not _is_wrapper(record):
                yield record, data
                return
    except RecursionError:
        yield RejectError("too_deep", "nested too deep")
    except msgspec.ValidationError as exc:  # names the field and the types, never the value
        yield RejectError("bad_field" if data.startswith((b"{", b"[")) else "unknown_shape", str(exc))
    except UnicodeDecodeError:
        yield RejectError("not_utf8", "expected UTF-8")
    except msgspec.DecodeError as exc:
        yield RejectError("truncated" if "truncated" in str(exc) else "not_json", "expected one JSON document")
    else:
        for entry in inner:
            yield from _entries(bytes(entry).strip(), depth + 1)


def _is_wrapper(record: Record) -> bool:
    lists = (record.delivered, record.looked_up, record.log_events, record.filtered)
    return record.name is None and any(entries is not None for entries in lists)


def _inner(record: Record) -> Sequence[bytes | msgspec.Raw]:
    if record.name is not None:
        return ()
    for entries in (record.delivered, record.looked_up, record.log_events, record.filtered):
        if entries is not None:
            return entries
    if record.detail is not NULL and bytes(record.detail) != b"null":
        return (record.detail,)
    text = record.text or record.message
    return (text.encode("utf-8", "replace"),) if text else ()


def _ts(time: str | float | None) -> float:
    if time is None or time == "":
        raise RejectError("missing_field", "eventTime")
    return from_text(time) if isinstance(time, str) else from_number(time)


def _judge(event: Event, record: Record) -> None:
    """Kind, outcome, reason, target and amounts."""
    code = (record.error or "").removeprefix("Client.").removeprefix("Server.")
    event.outcome = "failure" if code else "success"
    event.reason = _snake(code) if code else None
    if record.service == "signin" and _sign_in(event, record):
        return
    name = record.name or ""
    if record.service == "signin" and part(record.response).get(name) == "Failure":
        event.outcome = "failure"
    rule = RULES.get(f"{record.service}:{name}") if record.category != "NetworkActivity" else None
    # The call through a VPC endpoint is logged a second time as network activity; only the first is the act itself.
    params = part(record.request) if rule is not None and (rule.target or rule.kind == "data.query") else {}
    if rule is not None and rule.when is not None and not rule.when(params):
        rule = None
    if rule is not None:
        event.kind = rule.kind
        event.target = _target(rule, params, event)
        _amounts(event, record, rule, params)
    elif record.is_management and is_write(name, record.read_only):
        event.kind = "admin.action"
    if event.target is None and record.resources and (arn := record.resources[0].arn):
        event.target = f"resource:{arn}"[:TARGET_CHARS]
    if code.rpartition(".")[2] in FORBIDDEN:
        event.kind, event.reason = "authz.decision", "forbidden"


def _snake(code: str) -> str:
    """``NoSuchCORSConfiguration`` → ``no_such_cors_configuration``."""
    return _WORD.sub("_", code).strip("_").lower()[:64]


def _sign_in(event: Event, record: Record) -> bool:
    """The sign-in page, of accounts and of IAM Identity Center. False for other calls of that service."""
    name = record.name or ""
    if name != "CredentialVerification" and name not in SIGN_IN:
        return False
    additional = part(record.additional)
    result = part(record.response).get(name) or part(record.service_details).get(name)
    if result == "Failure" or record.error or (result != "Success" and record.error_message):
        event.outcome = "failure"
    elif result == "Success":
        event.outcome = "challenge" if name == "CredentialChallenge" else "success"
    else:
        event.outcome = None  # it does not say
    typed = additional.get("UserName")  # of Identity Center, whose userIdentity has but a number
    if isinstance(typed, str) and typed:
        event.actor = None if typed == HIDDEN else typed[:TEXT_CHARS]
    event.kind = SIGN_IN.get(name) or _verification(event, additional.get("CredentialType"))
    if event.outcome == "failure":
        event.reason = _sign_in_reason(event, record)
    return True


def _verification(event: Event, credential: Any) -> str:
    """One step of an Identity Center sign-in. The log-in itself is the ``UserAuthentication`` that follows a good password."""
    if credential in {"PASSWORD", "EXTERNAL_IDP"} if isinstance(credential, str) else True:
        return "auth.login" if event.outcome == "failure" else "auth.session"
    return "auth.mfa_challenge"


def _sign_in_reason(event: Event, record: Record) -> str | None:
    hidden = record.identity is not None and record.identity.user_name == HIDDEN
    if event.kind == "auth.mfa_challenge":
        return "mfa_denied"
    if event.kind != "auth.login":
        return event.reason
    if hidden or "no username" in (record.error_message or "").lower():
        return "unknown_user"
    return "bad_password"


def _target(rule: Rule, params: dict[str, Any], event: Event) -> str | None:
    if rule.target == "object":
        name: Any = f"{params.get('bucketName') or ''}/{params.get('key') or ''}".strip("/")
    else:
        name = next((params[key] for key in rule.params if params.get(key)), None)
    if isinstance(name, list) and name:
        name = name[0]
    if not isinstance(name, str) or not name:
        return f"{rule.target}:{event.actor}" if rule.own and event.actor else None
    if rule.target == "role":
        name = name.rpartition("/")[2]  # the same key whether it was named or given as an ARN
    return f"{rule.target}:{name}"[:TARGET_CHARS]


def _amounts(event: Event, record: Record, rule: Rule, params: dict[str, Any]) -> None:
    """How much data left, and the text of a query."""
    if rule.kind == "data.export" and event.outcome == "success":
        named = next((params[key] for key in rule.params if params.get(key)), None)
        event.records = len(named) if isinstance(named, list) else 1
        size = part(record.additional).get("bytesTransferredOut")
        if isinstance(size, (int, float)) and 0 <= size < _BYTES_LIMIT:
            event.bytes = int(size)
    elif rule.kind == "data.query":
        text = next((params[key] for key in ("queryString", "sql", "statement") if isinstance(params.get(key), str)), None)
        event.query = text[:QUERY_CHARS] if text else None


class CloudTrail:
    """The format ``cloudtrail``."""

    name = "cloudtrail"
    title = "AWS CloudTrail events: delivered files, EventBridge, CloudWatch Logs, lookup-events"
    rules = tuple(listing())
    ignored = UNLISTED

    def recognise(self, sample: bytes) -> float:
        """By the names every CloudTrail event has; less surely when they only stand inside text, as in a CloudWatch message."""
        head = sample.lstrip(_BOM + b" \t\r\n")[:1]
        if head not in {b"{", b"["} or _S3_NOTICE.search(sample):
            return 0.0
        plain: set[bytes] = set()
        quoted: set[bytes] = set()
        for mark in _MARK.finditer(sample):
            (quoted if mark[1] else plain).add(mark[2])
        if b"digestStartTime" in plain:
            return 0.9
        for names, score in ((plain, 0.97), (quoted, 0.6)):
            if {b"eventSource", b"eventName"} <= names and len(names) >= 3:
                return score
        return 0.5 if b"eventName" in plain and len(plain) >= 3 else 0.0

    def parser(self, context: Context) -> CloudTrailParser:
        """A parser for one input."""
        return CloudTrailParser(context)


FORMAT = CloudTrail()
