"""The fields of an Okta System Log event that are read, and the wrappers and spellings they arrive in."""

import re
from typing import Any

import msgspec

from schemas.formats.json_records import NULL, Inner, as_dict, part, raw_fields

HOOK = "com.okta.event_hook"


class Party(msgspec.Struct, gc=False):
    """An actor or a target."""

    id: str | None = None
    type: str | None = None
    alternate_id: str | None = msgspec.field(name="alternateId", default=None)
    display_name: str | None = msgspec.field(name="displayName", default=None)


class Position(msgspec.Struct, gc=False):
    """Degrees."""

    lat: float | str | None = None
    lon: float | str | None = None


class Place(msgspec.Struct):
    """Where Okta places an address."""

    city: str | None = None
    country: str | None = None
    """English name."""
    position: Position | None = msgspec.field(name="geolocation", default=None)


class UserAgent(msgspec.Struct, gc=False):
    """The browser."""

    raw: str | None = msgspec.field(name="rawUserAgent", default=None)


class Client(msgspec.Struct):
    """What the request came from."""

    ip: str | None = msgspec.field(name="ipAddress", default=None)
    user_agent: UserAgent | str | None = msgspec.field(name="userAgent", default=None)
    place: Place | None = msgspec.field(name="geographicalContext", default=None)


class Hop(msgspec.Struct, gc=False):
    """One address of a chain of proxies."""

    ip: str | None = None


class Request(msgspec.Struct):
    """The chain of addresses, the client first."""

    chain: list[Hop] | None = msgspec.field(name="ipChain", default=None)


class OutcomeField(msgspec.Struct, gc=False):
    """What came of it."""

    result: str | None = None
    reason: str | None = None


class AuthenticationContext(msgspec.Struct, gc=False):
    """How the actor is known."""

    session: str | None = msgspec.field(name="externalSessionId", default=None)
    credential: str | None = msgspec.field(name="credentialType", default=None)


class SecurityContext(msgspec.Struct):
    """What Okta knows of the address."""

    as_number: int | str | None = msgspec.field(name="asNumber", default=None)
    is_proxy: bool | str | None = msgspec.field(name="isProxy", default=None)


class DebugContext(msgspec.Struct):
    """Details that differ by event type."""

    data: msgspec.Raw = msgspec.field(name="debugData", default=NULL)


class DebugData(msgspec.Struct):
    """As much of the details as is read one by one."""

    browser: Any = msgspec.field(name="dtHash", default=None)
    """Hash of the device token, a cookie that lives as long as the browser's profile."""
    fingerprint: Any = msgspec.field(name="deviceFingerprint", default=None)
    factor: Any = None
    push_response: Any = msgspec.field(name="pushOnlyResponseType", default=None)


class Device(msgspec.Struct, gc=False):
    """A device registered with Okta."""

    id: str | None = None


class TransactionDetail(msgspec.Struct, gc=False):
    """By which API token a request was made, if by one."""

    token: str | None = msgspec.field(name="requestApiTokenId", default=None)


class Transaction(msgspec.Struct):
    """Ties together what one request caused."""

    id: str | None = None
    detail: TransactionDetail | None = None


class Record(msgspec.Struct):
    """An Okta event, or one of the wrappers they arrive in."""

    uuid: str | None = None
    event_type: str | None = msgspec.field(name="eventType", default=None)
    legacy_type: str | None = msgspec.field(name="legacyEventType", default=None)
    published: str | float | None = None
    stored_time: str | float | None = msgspec.field(name="p_event_time", default=None)
    """The same moment, as a data lake keeps it beside the record."""
    actor: Party | None = None
    client: Client | None = None
    device: Device | None = None
    authentication: AuthenticationContext | None = msgspec.field(name="authenticationContext", default=None)
    outcome: OutcomeField | None = None
    targets: list[Party] | None = msgspec.field(name="target", default=None)
    transaction: Transaction | None = None
    debug: DebugContext | None = msgspec.field(name="debugContext", default=None)
    security: msgspec.Raw = msgspec.field(name="securityContext", default=NULL)
    request: Request | None = None

    data: msgspec.Raw = NULL
    """An event hook: ``{"events": […]}``."""
    detail: msgspec.Raw = NULL
    """EventBridge."""
    event: msgspec.Raw = NULL
    """Splunk's HTTP event collector."""
    events: list[msgspec.Raw] | None = None
    records: list[msgspec.Raw] | None = None
    value: msgspec.Raw = NULL
    message: str | None = None
    """A shipper that keeps the record as text."""


_DECODER = msgspec.json.Decoder(Record)
_SECURITY = msgspec.json.Decoder(SecurityContext)
_DEBUG = msgspec.json.Decoder(DebugData)
_FIELD_NAMES = (
    "uuid eventType legacyEventType published actor client device authenticationContext outcome target transaction debugContext"
    " securityContext request displayMessage alternateId displayName ipAddress userAgent rawUserAgent geographicalContext geolocation"
    " externalSessionId credentialType asNumber isProxy debugData dtHash deviceFingerprint pushOnlyResponseType requestApiTokenId ipChain"
)
_NAMES = {name.casefold(): name for name in _FIELD_NAMES.split()}
_MARKS = frozenset({"published", "actor", "outcome", "legacyEventType", "displayMessage"})


def decode(data: bytes) -> Record:
    """One JSON object as a record. Names in lower case, with underscores, or joined by dots (``actor.alternateId``) are understood too."""
    record = _DECODER.decode(data)
    is_flat = record.actor is None and record.outcome is None and (b'"outcome.' in data or b'"actor.' in data)
    if (record.event_type is not None and not is_flat) or inner(record) is not None:
        return record
    fields = _renamed(raw_fields(data))
    if "eventType" not in fields or not _MARKS & fields.keys():
        return record
    return _DECODER.decode(msgspec.json.encode(fields))


def _renamed(fields: dict[str, msgspec.Raw]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in fields.items():
        names = [_NAMES.get(name.replace("_", "").casefold(), name) for name in key.split(".")]
        place = found
        for name in names[:-1]:
            below = place.setdefault(name, {})
            if not isinstance(below, dict):
                break
            place = below
        else:
            place.setdefault(names[-1], value)
    return found


def inner(record: Record) -> Inner | None:
    """What a wrapper holds; ``None`` for an event itself."""
    if record.event_type is not None and record.event_type != HOOK:
        return None
    for entries in (record.events, record.records):
        if entries is not None:
            return entries
    for raw in (record.data, record.detail, record.event, record.value):
        held = bytes(raw)
        if held.startswith((b"{", b"[")):
            return (held,)
    return (record.message.encode("utf-8", "replace"),) if record.message else None


def security_of(record: Record) -> SecurityContext:
    """What Okta knows of the address; empty when it cannot be read."""
    try:
        return _SECURITY.decode(record.security)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return SecurityContext()


def debug_of(record: Record) -> tuple[bytes, DebugData]:
    """The details as bytes, and as far as they are read; empty when there are none."""
    if record.debug is None:
        return b"", DebugData()
    raw = bytes(record.debug.data)
    try:
        return raw, _DEBUG.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        known = as_dict(part(raw))  # an object kept as text
        return raw, DebugData(known.get("dtHash"), known.get("deviceFingerprint"), known.get("factor"), known.get("pushOnlyResponseType"))


_LEVEL = re.compile(rb"(?<![A-Za-z])level\W{1,8}(LOW|MEDIUM|HIGH)\b")
_RISK_IS = re.compile(rb'"risk"\s*:\s*"(LOW|MEDIUM|HIGH)"', re.IGNORECASE)
_SUSPECTED = re.compile(rb'"threatSuspected\\?"\s*:\s*\\?"?true')
_UNUSUAL = re.compile(rb"(New [A-Za-z-]+|Velocity)\W{1,8}POSITIVE")
_TUNNEL = re.compile(rb'"tunnels\\?"\s*:\s*("(?:[^"\\]|\\.)*"|\[[^\]]*\])')


def risk_of(debug: bytes, security: bytes) -> str | None:
    """Okta's judgement: a suspected threat, else the level it gives, else ``medium`` for an unusual speed or two unusual things at once."""
    if _SUSPECTED.search(debug):
        return "high"
    level = _LEVEL.search(debug) or _RISK_IS.search(debug) or _LEVEL.search(security)
    if level is not None:
        return level[1].decode().lower()
    unusual = set(_UNUSUAL.findall(debug))
    return "medium" if b"Velocity" in unusual or len(unusual) > 1 else None


def tunnel_of(debug: bytes) -> str | None:
    """The kind of network, when Okta names the operator of a tunnel: ``relay`` for those that keep the user's region, else ``vpn``."""
    found = _TUNNEL.search(debug)
    if found is None or len(found[1]) <= 4:  # an empty list, as such or as text
        return None
    return "relay" if b"RELAY" in found[1].upper() else "vpn"
