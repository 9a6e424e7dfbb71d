"""Okta System Log events: from its API, in lists, event hooks, EventBridge, Splunk's collector, and from log shippers.

``okta_kinds`` says what each event type is; ``route`` keeps the event type as Okta writes it.
"""

import re
from collections.abc import Sequence

from schemas.address import canonical_ip
from schemas.errors import RejectError
from schemas.event import Event
from schemas.formats.base import Context
from schemas.formats.countries import country_code
from schemas.formats.json_records import BOM, ID_CHARS, Inner, RecordsParser, moment
from schemas.formats.okta_kinds import IGNORED, RULES, STEPS, Rule, action_for, rule_for
from schemas.formats.okta_reasons import factor_of, is_password, mfa_reason, outcome_of, reason_of
from schemas.formats.okta_record import Party, Place, Record, debug_of, decode, inner, risk_of, security_of, tunnel_of

AGENT_CHARS = 512
_ASN_LIMIT = 2**32
_LOGINS = ("user.session.start", "user.authentication.auth_via_mfa", *STEPS)
"""Event types one failed login may be told by; their positions are remembered."""
_TARGET_TYPES = {
    "User": "user",
    "AppUser": "user",
    "AppInstance": "app",
    "UserGroup": "group",
    "PolicyEntity": "policy",
    "Token": "api_token",
}
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")
_MARK = re.compile(
    rb'(\\?)"(eventType|legacyEventType|published|displayMessage|debugContext|securityContext|authenticationContext|outcome|actor)'
    rb'(?:\.[A-Za-z]+)?\1"\s*:',
    re.IGNORECASE,
)
_TYPE = re.compile(rb'"eventType\\?"\s*:\s*\\?"(?:[a-z0-9_]+\.)+[a-zA-Z0-9_]+', re.IGNORECASE)


class OktaParser(RecordsParser[Record]):
    """Parser of one input."""

    def decode(self, data: bytes) -> Record:
        """One JSON object as a record."""
        return decode(data)

    def inner(self, record: Record) -> Inner | None:
        """What this document wraps."""
        return inner(record)

    def event(self, record: Record, raw: bytes) -> Event | None:
        """The event of one record; ``None`` for event types of no interest."""
        event_type = record.event_type
        if not event_type or "." not in event_type:
            raise RejectError("unknown_shape", "expected eventType, e.g. user.session.start")
        ts = moment(record.published if record.published is not None else record.stored_time, "published")
        rule = rule_for(event_type)
        if rule is None:
            return None
        event = Event(
            rule.kind,
            ts,
            self.id_of(record.uuid, raw),
            outcome=outcome_of(record),
            tenant=self.tenant,
            action=action_for(event_type, rule)[:ID_CHARS],
            route=event_type[:ID_CHARS],
        )
        _set_actor(event, record)
        _set_origin(event, record)
        event.target = _target(rule, record.targets or (), event)
        self._judge(event, record, rule)
        return event

    def _judge(self, event: Event, record: Record, rule: Rule) -> None:
        """Outcome, reason and risk; and the kind where it depends on them."""
        raw, debug = debug_of(record)
        if rule.outcome == "failure" or (rule.outcome is not None and event.outcome != "failure"):
            event.outcome = rule.outcome
        if event.action == "mfa.verify" and rule.reason is None and is_password(record, debug):
            event.kind, event.action = "auth.login", "login.step"
        elif event.action == "mfa.verify":
            event.action = f"mfa.verify{factor_of(debug)}"
        if event.outcome == "failure":
            if rule.reason is not None:
                event.reason = rule.reason
            elif event.kind == "auth.mfa_challenge":
                event.reason = mfa_reason(record, debug, event.action or "")
            else:
                event.reason = reason_of(record) or ("forbidden" if event.kind == "authz.decision" else None)
            if event.kind == "auth.login" and event.route in _LOGINS:
                self._count_once(event, record, _LOGINS.index(event.route) + 1)
        elif event.action == "login.step":
            event.kind = "auth.session"
        if event.kind == "data.export" and event.outcome == "success":
            event.records = 1
        event.risk = risk_of(raw, bytes(record.security)) or rule.risk
        event.device_id = _device(record, debug.browser, debug.fingerprint)
        event.network = event.network if event.network is not None else tunnel_of(raw)

    def _count_once(self, event: Event, record: Record, teller: int) -> None:
        """A directory's agent, the factor and the session each tell of the same failed try; only the first of them is the failed login."""
        transaction = record.transaction.id if record.transaction else None
        event.action = "login"
        if not transaction or transaction == "unknown":
            return
        key = f"okta:{transaction[:ID_CHARS]}"
        told_by = self.memory.sessions.get(key)
        if told_by == 0:
            self.memory.sessions.put(key, teller)
        elif told_by != teller:
            event.kind, event.action = "auth.session", "login.step"


def _known(text: str | None) -> str | None:
    return None if not text or text in {"unknown", "null"} else text[:ID_CHARS]


def _name(party: Party) -> str | None:
    return _known(party.alternate_id) or _known(party.id) or _known(party.display_name)


def _set_actor(event: Event, record: Record) -> None:
    """Who did it. A request made with an API token acts as the token's owner, and is no session."""
    actor = record.actor or Party()
    event.actor = _name(actor)
    token = record.transaction.detail.token if record.transaction and record.transaction.detail else None
    if token:
        event.actor_type = "api_key"
    elif event.actor is not None:
        event.actor_type = "user" if actor.type in {None, "User"} else "service"
    if record.authentication is not None and not token:
        event.session_id = _known(record.authentication.session)


def _set_origin(event: Event, record: Record) -> None:
    """Address, place, network and browser."""
    client = record.client
    address = client.ip if client is not None else None
    if not address and record.request is not None and record.request.chain:
        address = record.request.chain[0].ip
    event.ip = canonical_ip(address) if address else None
    if client is not None:
        agent = client.user_agent if isinstance(client.user_agent, str) else client.user_agent.raw if client.user_agent else None
        event.user_agent = agent[:AGENT_CHARS] if agent else None
        if client.place is not None:
            _set_place(event, client.place)
    security = security_of(record)
    if security.is_proxy in (True, "true"):
        event.network = "vpn"
    number = security.as_number
    if isinstance(number, str):
        number = int(number) if number.isascii() and number.isdigit() and len(number) <= 10 else None
    if number is not None and 0 < number < _ASN_LIMIT:
        event.asn = number


def _set_place(event: Event, place: Place) -> None:
    event.country = country_code(place.country) if place.country else None
    event.city = place.city[:ID_CHARS] if place.city else None
    if place.position is None:
        return
    try:
        lat, lon = float(place.position.lat or 0), float(place.position.lon or 0)
    except ValueError:
        return
    if -90 <= lat <= 90 and -180 <= lon <= 180 and (lat, lon) != (0, 0):
        event.lat, event.lon = lat, lon


def _device(record: Record, *marks: object) -> str | None:
    known = next((mark for mark in marks if isinstance(mark, str) and mark), None)
    return _known(known) or (_known(record.device.id) if record.device else None)


def _target(rule: Rule, targets: Sequence[Party], event: Event) -> str | None:
    """``type:id``; people by the name they log in with, so that a target can be compared with an actor."""
    for wanted in rule.targets:
        for party in targets:
            if party.type == wanted and (text := _target_text(party)):
                return text
    if rule.own:
        return f"user:{event.actor}" if event.actor else None
    return next((text for party in targets if (text := _target_text(party))), None)


def _target_text(party: Party) -> str | None:
    kind = _TARGET_TYPES.get(party.type or "") or _WORD.sub("_", party.type or "object").strip("_").lower()
    if kind == "user":
        name = _name(party)
    else:
        name = _known(party.id) or _known(party.alternate_id) or _known(party.display_name)
    return f"{kind[:64]}:{name}" if name else None


class Okta:
    """The format ``okta``."""

    name = "okta"
    title = "Okta System Log events: API answers, log streaming (EventBridge, Splunk), event hooks"
    rules: Sequence[tuple[str, str, str]] = tuple((name, rule.kind, rule.note or rule.action) for name, rule in RULES.items())
    """Event type or family, kind, note; for the documentation."""
    ignored: Sequence[tuple[str, str, str]] = tuple((name, "", "not security relevant") for name in sorted(IGNORED))

    def recognise(self, sample: bytes) -> float:
        """By the names every Okta event has and an event type in words joined by dots; less surely when they only stand inside text."""
        if sample.lstrip(BOM + b" \t\r\n")[:1] not in {b"{", b"["} or not _TYPE.search(sample):
            return 0.0
        plain: set[bytes] = set()
        quoted: set[bytes] = set()
        for mark in _MARK.finditer(sample):
            (quoted if mark[1] else plain).add(mark[2].lower())
        if len(plain) >= 4:
            return 0.97
        return 0.6 if len(quoted) >= 4 or len(plain) == 3 else 0.0

    def parser(self, context: Context) -> OktaParser:
        """A parser for one input."""
        return OktaParser(context)


FORMAT = Okta()
