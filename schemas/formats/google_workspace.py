"""Google Workspace activities: Reports API answers and single activities, shippers' flattened events, BigQuery export, Cloud Logging.

``google_kinds`` says what each event is, ``google_details`` what its parameters add. ``route`` is ``application:event``. The event id is
the activity's time and ``uniqueQualifier``, which together are unique; further events of one activity carry their index.
"""

import re
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from schemas.address import canonical_ip
from schemas.errors import RejectError
from schemas.event import Event
from schemas.formats.base import Context
from schemas.formats.google_details import first, refine
from schemas.formats.google_kinds import BY_WORDS, FALLBACK, IGNORED, RULES, Rule, application, rule_for
from schemas.formats.google_record import Activity, Part, Record, activity_of, parameters_of
from schemas.formats.json_records import BOM, Inner, RecordsParser, as_text, moment

NAME_CHARS = 128
TARGET_CHARS = 512
AGENT_CHARS = 512
_DECODER = msgspec.json.Decoder(Record)
_ACTOR_PARAMS = ("affected_email_address", "USER_EMAIL", "DEVICE_USER")
"""Who it is about where no actor is named: warnings about an account, events of a device."""
_OWN = frozenset({"auth.mfa_change", "auth.password_change", "account.change"})
"""Kinds whose target is the actor where the event has no parameter for it."""
_SERVICE_DOMAIN = ".gserviceaccount.com"

_KIND = re.compile(rb'"kind"\s*:\s*"(?:admin#reports#activit|reports#activit)|GSuite\.ActivityEvent')
_APPLICATION = re.compile(rb'"applicationName"\s*:\s*"[a-z_]+"')
_BESIDE = re.compile(rb'"(?:uniqueQualifier|customerId|callerType|profileId)"\s*:')
_BIGQUERY = (re.compile(rb'"record_type"\s*:'), re.compile(rb'"event_name"\s*:'), re.compile(rb'"time_usec"\s*:'))
_CLOUD_LOGGING = re.compile(rb'"methodName"\s*:\s*"google\.(?:login|admin|identity|apps|cloudidentity)\.')


class GoogleWorkspaceParser(RecordsParser[Record]):
    """Parser of one input."""

    def decode(self, data: bytes) -> Record:
        """One JSON object."""
        return _DECODER.decode(data)

    def inner(self, record: Record) -> Inner | None:
        """What a wrapper holds."""
        return record.inner()

    def events(self, record: Record, raw: bytes) -> Sequence[Event]:
        """The events of one activity."""
        activity = activity_of(record, raw)
        ts = moment(activity.time, "id.time")
        made: list[Event] = []
        base = ""
        for index, part in enumerate(activity.parts):
            name = _name(part)
            rule = rule_for(activity.app, name)
            if rule is None:
                continue
            base = base or self.id_of(activity.id, raw)
            event = self._event(activity, part, name, rule)
            if event is not None:
                event.ts, event.id = ts, _id(base, activity, part, index)
                made.append(event)
        return made

    def _event(self, activity: Activity, part: Part, name: str, rule: Rule) -> Event | None:
        params = parameters_of(part.parameters)
        event = Event(
            rule.kind,
            outcome=rule.outcome,
            tenant=self.tenant,
            ip=canonical_ip(activity.address) if activity.address else None,
            action=rule.action or name,
            reason=rule.reason,
            risk=rule.risk,
            route=f"{activity.app}:{name}",
            user_agent=as_text(params.get("user_agent") or params.get("USER_AGENT"), AGENT_CHARS),
            device_id=first(params, "DEVICE_ID", "device_id"),
            records=1 if rule.kind == "data.export" else 0,
        )
        _set_actor(event, activity.actor, params)
        _set_network(event, activity.network)
        if rule.target and (target := first(params, *rule.params)):
            event.target = f"{rule.target}:{target}"[:TARGET_CHARS]
        elif not rule.target and event.kind in _OWN and event.actor:
            event.target = f"user:{event.actor}"
        return event if refine(event, application(activity.app), name, params) else None


def _name(part: Part) -> str:
    if part.name is None:
        raise RejectError("missing_field", "events.name")
    name = as_text(part.name, NAME_CHARS)
    if name is None:
        raise RejectError("bad_field", "events.name: expected text")
    return name.strip()


def _id(base: str, activity: Activity, part: Part, index: int) -> str:
    if activity.flat and activity.id is not None:
        content = f"{part.name}".encode("utf-8", "replace") + bytes(part.parameters)
        return f"{base}-{blake2b(content, digest_size=4).hexdigest()}"
    return f"{base}-{index}" if index else base


def _set_actor(event: Event, actor: dict[str, Any], params: dict[str, Any]) -> None:
    event.actor = as_text(actor.get("email")) or first(params, *_ACTOR_PARAMS)
    kind = actor.get("callerType")
    if event.actor is None:
        event.actor = as_text(actor.get("key")) or as_text(actor.get("profileId"))
    if kind == "KEY":
        event.actor_type = "api_key"
    elif event.actor and event.actor.endswith(_SERVICE_DOMAIN):
        event.actor_type = "service"
    elif event.actor:
        event.actor_type = "user"


def _set_network(event: Event, network: dict[str, Any]) -> None:
    if not network:
        return
    numbers = network.get("ipAsn")
    number = numbers[0] if isinstance(numbers, list) and numbers else numbers
    if isinstance(number, int) and 0 < number < 2**32:
        event.asn = int(number)
    region = as_text(network.get("regionCode"))
    if region is not None and len(region) == 2 and region.isascii() and region.isalpha():
        event.country = region.upper()


class GoogleWorkspace:
    """The format ``google_workspace``."""

    name = "google_workspace"
    title = "Google Workspace activities: Reports API, flattened events, BigQuery export, Cloud Logging"
    rules: Sequence[tuple[str, str, str]] = (
        *((name, rule.kind, rule.note or rule.action) for name, rule in RULES.items()),
        *((f"({each.action or 'any other'})", each.kind, each.note) for each in (BY_WORDS, FALLBACK)),
    )
    """The whole mapping, for the docs: event or what happens, kind, note."""
    ignored: Sequence[tuple[str, str, str]] = tuple((name, "", "not security relevant") for name in sorted(IGNORED))

    def recognise(self, sample: bytes) -> float:
        """By the name of the resource, or fields only this log has."""
        if sample.lstrip(BOM + b" \t\r\n")[:1] not in {b"{", b"["}:
            return 0.0
        if _KIND.search(sample):
            return 0.97
        if _APPLICATION.search(sample) and _BESIDE.search(sample):
            return 0.9
        if all(mark.search(sample) for mark in _BIGQUERY) or _CLOUD_LOGGING.search(sample):
            return 0.85
        return 0.0

    def parser(self, context: Context) -> GoogleWorkspaceParser:
        """A parser for one input."""
        return GoogleWorkspaceParser(context)


FORMAT = GoogleWorkspace()
