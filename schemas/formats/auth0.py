"""Auth0 tenant logs: from the Management API, log streams (webhook, EventBridge, Splunk, Event Grid) and log shippers.

``auth0_kinds`` says what each log code is, ``auth0_api`` what each write to the Management API is.
"""

import re
from collections.abc import Sequence
from typing import Any

from schemas.address import canonical_ip
from schemas.errors import RejectError
from schemas.event import Event
from schemas.formats.auth0_api import API_RULES, DESCRIPTIONS, SWITCHES, ApiRule, api_rule, switches_off
from schemas.formats.auth0_kinds import CLIENT, IGNORED, RULES, Rule, rule_for
from schemas.formats.auth0_record import Call, Details, Record, decode, details_of, inner
from schemas.formats.base import Context
from schemas.formats.countries import country_code
from schemas.formats.json_records import BOM, ID_CHARS, Inner, RecordsParser, as_dict, as_text, moment, part

AGENT_CHARS = 512
API_CODES = frozenset({"sapi", "fapi"})
_RISKS = {"low": "high", "medium": "medium", "high": "low"}
"""Auth0's confidence that this is the user → risk."""
_WORDS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"blocked|locked|too many"), "locked"),
    (re.compile(r"user (not found|does ?n[o']t exist|does not exist)|invalid user|unknown user"), "unknown_user"),
    (
        re.compile(r"wrong (email|username|phone|user|password)|invalid (password|credential)|incorrect password|invalid_user_password"),
        "bad_password",
    ),
    (re.compile(r"verification code|passcode|otp|wrong code"), "bad_code"),
    (re.compile(r"mfa_required|multifactor"), "mfa_required"),
    (re.compile(r"login_required|login required"), "login_required"),
    (re.compile(r"expired"), "expired"),
    (re.compile(r"revoked"), "revoked"),
    (re.compile(r"callback url mismatch|callback-url-mismatch"), "callback_mismatch"),
    (re.compile(r"access_denied|unauthori[sz]ed|not allowed|not enabled|forbidden|denied|insufficient"), "forbidden"),
)
"""Words of an error or description. The text itself is never kept: it may name a person."""
_MARK = re.compile(
    rb'(\\?)"(log_id|client_id|client_name|connection_id|user_agent|strategy_type|hostname|description|tenant_name|auth0_client)\1"\s*:'
)
_CODE = re.compile(rb'"type\\?"\s*:\s*\\?"([a-z0-9_]{1,60})\\?"')
_LOG_ID = re.compile(rb'"(?:log_id|_id)\\?"\s*:\s*\\?"\d{20,60}')


class Auth0Parser(RecordsParser[Record]):
    """Parser of one input."""

    def decode(self, data: bytes) -> Record:
        """One JSON object as a record."""
        return decode(data)

    def inner(self, record: Record) -> Inner | None:
        """What this document wraps."""
        return inner(record)

    def event(self, record: Record, raw: bytes) -> Event | None:
        """The event of one record; ``None`` for codes of no interest."""
        code = record.type
        if not code or not (record.log_id or record.own_id or (record.client_id is not None and (code in RULES or code in IGNORED))):
            raise RejectError("unknown_shape", "expected type, date and log_id")
        ts = moment(record.date, "date")
        rule = rule_for(code)
        if rule is None:
            return None
        event = Event(
            rule.kind,
            ts,
            self.id_of(record.log_id or record.own_id, raw),
            outcome=rule.outcome,
            tenant=self.tenant,
            action=rule.action,
            reason=rule.reason,
            risk=rule.risk,
            user_agent=record.user_agent[:AGENT_CHARS] if record.user_agent else None,
        )
        details = details_of(record)
        call = details.request
        _set_origin(event, record, call)
        _set_actor(event, record, rule, call)
        if rule.own and event.actor:
            event.target = f"user:{event.actor}"
        _set_details(event, details)
        if call is not None and (code in API_CODES or code == "mgmt_api_read"):
            _judge_call(event, record, details, call, is_write=code in API_CODES)
        if event.outcome == "failure" and event.reason is None:
            event.reason = _reason(record, details)
        if event.kind == "data.export" and event.outcome == "success":
            event.records = 1
        return event


def _set_origin(event: Event, record: Record, call: Call | None) -> None:
    address = record.ip or (as_text(call.ip) if call else None)
    event.ip = canonical_ip(address) if address else None
    place = record.location
    if place is None:
        return
    event.country = country_code(place.country) if place.country else None
    event.city = place.city[:ID_CHARS] if place.city else None
    try:
        lat, lon = float(place.lat or 0), float(place.lon or 0)
    except ValueError:
        return
    if -90 <= lat <= 90 and -180 <= lon <= 180 and (lat, lon) != (0, 0):
        event.lat, event.lon = lat, lon


def _set_actor(event: Event, record: Record, rule: Rule, call: Call | None) -> None:
    """The name a person logs in with, else the user's id, else the application that acts for itself."""
    user = call.auth.user if call is not None and call.auth is not None else None
    name = record.user_name
    if not name and user is not None:
        name = as_text(user.email) or as_text(user.name) or as_text(user.id)
    if not name:
        name = record.user_id or (as_text(call.auth.subject) if call is not None and call.auth is not None else None)
    if rule.actor == CLIENT or (not name and call is not None):
        event.actor = record.client_id[:ID_CHARS] if record.client_id else None
        event.actor_type = "service" if event.actor else None
    elif name:
        event.actor, event.actor_type = name[:ID_CHARS], "user"


def _set_details(event: Event, details: Details) -> None:
    """Session, device and risk."""
    event.session_id = as_text(details.session)
    risk = details.risk or details.risk_text
    if risk is None:
        return
    if event.risk is None and isinstance(risk.confidence, str):
        event.risk = _RISKS.get(risk.confidence.lower())
    new_device = risk.assessments.new_device if risk.assessments else None
    if new_device is not None:
        event.device_id = as_text(as_dict(new_device.details).get("device"))


def _judge_call(event: Event, record: Record, details: Details, call: Call, *, is_write: bool) -> None:
    """A call of the Management API: what it did, to what, and whether it was let."""
    method = (as_text(call.method) or "").upper()[:16]
    path = as_text(call.path, 512) or ""
    event.method, event.path = method or None, path or None
    rule, own, route = api_rule(method, path)
    event.route = route or None
    described = DESCRIPTIONS.get(record.description or "")
    if is_write and described is not None:
        known = api_rule(*described.split(" ", 1))[0]
        own, rule = (own if known.target == rule.target else ""), known
    if is_write:
        event.kind, event.action = rule.kind, rule.action
        off = SWITCHES.get(rule.action)
        if off is not None and switches_off(part(details.response.body) if details.response else None, part(call.body)):
            event.action = off
    event.target = _call_target(rule, own, path)
    status = details.response.status if details.response else None
    if isinstance(status, int) and 100 <= status <= 999:
        event.status = status
        if status >= 400:
            event.outcome = "failure"
    if event.status in {401, 403}:
        event.kind, event.reason = "authz.decision", "forbidden"


def _call_target(rule: ApiRule, own: str, path: str) -> str | None:
    if rule.target and own:
        return f"{rule.target}:{own.replace('%7C', '|').replace('%7c', '|')}"[:512]
    return f"api:{path.partition('?')[0]}"[:512] if path else None


def _reason(record: Record, details: Details) -> str | None:
    error: dict[str, Any] = as_dict(details.error)
    texts = (record.description, error.get("message"), error.get("oauthError"), error.get("type"), details.error)
    text = " ".join(text for text in texts if isinstance(text, str)).lower()[:2048]
    return next((word for pattern, word in _WORDS if pattern.search(text)), None)


class Auth0:
    """The format ``auth0``."""

    name = "auth0"
    title = "Auth0 tenant logs: API answers and log streams (webhook, EventBridge, Splunk)"
    rules: Sequence[tuple[str, str, str]] = (
        *((code, rule.kind, rule.note or rule.action) for code, rule in RULES.items()),
        *((f"sapi {call}", rule.kind, rule.action) for call, rule in API_RULES.items()),
    )
    """Log code (and call, for writes to the Management API), kind, note; for the documentation."""
    ignored: Sequence[tuple[str, str, str]] = tuple((code, "", "not security relevant") for code in sorted(IGNORED))

    def recognise(self, sample: bytes) -> float:
        """By a known log code, the long number of a log and the names around them; less surely when they only stand inside text."""
        if sample.lstrip(BOM + b" \t\r\n")[:1] not in {b"{", b"["} or not _LOG_ID.search(sample):
            return 0.0
        if not any(code[1].decode() in RULES or code[1].decode() in IGNORED for code in _CODE.finditer(sample)):
            return 0.0
        plain: set[bytes] = set()
        quoted: set[bytes] = set()
        for mark in _MARK.finditer(sample):
            (quoted if mark[1] else plain).add(mark[2])
        if len(plain) >= 3:
            return 0.95
        return 0.6 if len(quoted) >= 3 or len(plain) == 2 else 0.0

    def parser(self, context: Context) -> Auth0Parser:
        """A parser for one input."""
        return Auth0Parser(context)


FORMAT = Auth0()
