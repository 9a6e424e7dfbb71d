"""The format ``native``: one flat JSON object per record, read straight into the event.

The hot path is one typed decode. Whatever that decoder refuses is read again, slowly (``_leniently``): there the record is either
mended (nulls, empty and overlong text, a leap second, lone surrogates) or given its precise reason.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from sys import intern
from typing import Annotated, Any

import msgspec
from msgspec import Meta, field

from schemas.address import canonical_ip
from schemas.errors import RejectError
from schemas.event import KINDS, ActorType, Event, Kind, Outcome
from schemas.formats.base import Context, Parser
from schemas.stamps import EARLIEST_TS, LATEST_TS, MILLISECONDS_FROM, checked_ts
from schemas.text import MAX_NAME_CHARS, bounded_name

MAX_RECORD_BYTES = 1024 * 1024
"""A longer record is refused as ``too_long``; real events take some hundred bytes."""
MAX_TEXT_CHARS = 8192
"""Longer text is cut here, not refused: who is watched must not be able to hide an event behind a huge user agent."""
MAX_ID_CHARS = 512
MAX_TENANT_CHARS = 256
MAX_COUNT = 2**63 - 1

_SAMPLE_LINES = 30
_BOM = b"\xef\xbb\xbf"
_COUNTRIES = {a + b: (a + b).upper() for a in map(chr, range(65, 123)) for b in map(chr, range(65, 123)) if (a + b).isalpha()}
"""Every pair of ASCII letters, in any case, to its upper case: one look-up checks and folds."""
_LEAP_SECOND = re.compile(r"(\d{4}-\d\d-\d\d.\d\d:\d\d:)60(.*)", re.ASCII | re.DOTALL)
_ESCAPE = re.compile(rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL)
"""One escape of a JSON string; group 1 is half of a surrogate pair without its other half."""
_FIELD_OF_MESSAGE = re.compile(r"`\$\.(\w+)`\Z")
_MISSING_FIELD = re.compile(r"Object missing required field `(\w+)`\Z")

_Text = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT_CHARS)]
_Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME_CHARS)]
_Tenant = Annotated[str, Meta(min_length=1, max_length=MAX_TENANT_CHARS)]
_Address = Annotated[str, Meta(min_length=1, max_length=64)]
_Country = Annotated[str, Meta(min_length=2, max_length=2)]
_Latitude = Annotated[float, Meta(ge=-90, le=90)]
_Longitude = Annotated[float, Meta(ge=-180, le=180)]


class NativeEvent(Event, gc=False, kw_only=True):
    """The event with the bounds of each field, as the decoder checks them. ``schemas.jsonschema`` publishes the same bounds.

    The attribute ``ts`` is read from the JSON name ``time``; ``ts`` is no name of this format.
    """

    id: Annotated[
        str,
        Meta(
            max_length=MAX_ID_CHARS,
            description="Unique per event; a repeat within the dedupe horizon is dropped and counted. Absent: derived from a hash of the record.",
        ),
    ] = ""
    ts: Annotated[
        datetime | float,
        Meta(description="When it happened: RFC 3339 (no offset means UTC), or epoch seconds or milliseconds as a number; 1990 to 2099."),
    ] = field(name="time")  # type: ignore[assignment]  # a number once parsed
    kind: Annotated[Kind, Meta(description="What happened.")]
    outcome: Annotated[Outcome | None, Meta(description="How it ended.")] = None
    tenant: Annotated[
        _Tenant | None, Meta(description="Customer or workspace, printable characters; state is never shared across tenants.")
    ] = None
    actor: Annotated[_Name | None, Meta(description="Who did it.")] = None
    actor_type: Annotated[ActorType | None, Meta(description="What kind of actor it is.")] = None
    ip: Annotated[_Address | None, Meta(description="Source address, IPv4 or IPv6.")] = None
    country: Annotated[
        _Country | None, Meta(description="Country of the source, ISO 3166 alpha-2. Geography absent: looked up from ip.")
    ] = None
    city: Annotated[_Text | None, Meta(description="City of the source.")] = None
    lat: Annotated[_Latitude | None, Meta(description="Latitude of the source, degrees.")] = None
    lon: Annotated[_Longitude | None, Meta(description="Longitude of the source, degrees.")] = None
    asn: Annotated[int, Meta(ge=0, le=2**32 - 1, description="Autonomous system number of the source; 0 is the same as absent.")] = 0
    user_agent: Annotated[_Text | None, Meta(description="User agent of the client.")] = None
    device_id: Annotated[_Name | None, Meta(description="Identity of the device.")] = None
    session_id: Annotated[_Name | None, Meta(description="Identity of the session.")] = None
    reason: Annotated[
        _Text | None,
        Meta(description="Why it failed: bad_password, unknown_user, locked, mfa_denied, mfa_timeout, forbidden, or another word."),
    ] = None
    target: Annotated[_Text | None, Meta(description="What it was done to, as type:id, e.g. file:123 or user:bob.")] = None
    action: Annotated[_Text | None, Meta(description="What was done, e.g. read, role.grant, mfa.remove.")] = None
    method: Annotated[_Text | None, Meta(description="HTTP method.")] = None
    route: Annotated[_Text | None, Meta(description="Template of the endpoint, e.g. /v1/files/{id}.")] = None
    path: Annotated[_Text | None, Meta(description="Path as requested.")] = None
    status: Annotated[int, Meta(ge=0, le=999, description="HTTP status code; 0 is the same as absent.")] = 0
    latency_ms: Annotated[float, Meta(ge=0, description="How long the request took, milliseconds.")] = 0.0
    records: Annotated[int, Meta(ge=0, le=MAX_COUNT, description="How many records left.")] = 0
    bytes: Annotated[int, Meta(ge=0, le=MAX_COUNT, description="How many bytes left.")] = 0
    query: Annotated[_Text | None, Meta(description="Database or search text.")] = None
    # Not part of the format: found by enrichment. A name in brackets keeps an ordinary field of that name an unknown, ignored one.
    accuracy_km: Annotated[float, Meta(ge=0, le=0)] = field(default=0.0, name="(accuracy_km)")
    network: None = field(default=None, name="(network)")
    risk: None = field(default=None, name="(risk)")


class _Probe(msgspec.Struct):
    """As much of a record as recognising the format needs."""

    time: datetime | float
    kind: Kind


TEXT_FIELDS = frozenset(
    {"city", "actor", "user_agent", "device_id", "session_id", "reason", "target", "action", "method", "route", "path", "query"}
)
"""Free text, cut at ``MAX_TEXT_CHARS``."""
NAME_FIELDS = frozenset({"actor", "device_id", "session_id"})
"""Among them those that are kept to ``MAX_NAME_CHARS``, see ``schemas.text.bounded_name``."""
_MAY_BE_EMPTY = TEXT_FIELDS | {"id", "tenant", "ip", "country"}
_WHOLE_NUMBERS = frozenset({"asn", "status", "records", "bytes"})

_decode = msgspec.json.Decoder(NativeEvent).decode
_decode_anything = msgspec.json.Decoder().decode
_decode_probe = msgspec.json.Decoder(_Probe).decode


class NativeParser:
    """Parser of one input; it remembers nothing from one record to the next."""

    bounds_names = True
    """The decoder itself keeps names to ``MAX_NAME_CHARS``."""

    def __init__(self, context: Context) -> None:
        self._tenant = context.tenant

    def parse(self, record: bytes) -> Sequence[Event]:
        """One event, or none for a blank record. Flat and inlined on purpose: this runs for every event there is."""
        if len(record) > MAX_RECORD_BYTES:
            raise RejectError("too_long", f"record: expected at most {MAX_RECORD_BYTES} bytes")
        try:
            event = _decode(record)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            if not record.strip():
                return ()
            event = _leniently(record)
        moment: Any = event.ts
        if type(moment) is float:
            ts = moment / 1000 if moment >= MILLISECONDS_FROM else moment
        else:
            ts = (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
        event.ts = ts if EARLIEST_TS <= ts < LATEST_TS else checked_ts(ts)
        if event.ip is not None:
            event.ip = canonical_ip(event.ip)
            if event.ip is None:
                raise RejectError("bad_address", "ip: expected an IPv4 or IPv6 address")
        if event.country is not None:
            event.country = _COUNTRIES.get(event.country)
            if event.country is None:
                raise RejectError("bad_field", "country: expected two letters")
        # What comes again and again is one object for all who remember it: less memory, and equal strings compare at once.
        if event.actor is not None:
            event.actor = intern(event.actor)
        if event.user_agent is not None:
            event.user_agent = intern(event.user_agent)
        if event.tenant is None:
            event.tenant = self._tenant
        elif not event.tenant.isprintable():
            raise RejectError("bad_field", "tenant: expected printable characters only")
        if not event.id:
            event.id = "h" + blake2b(record.strip(), digest_size=12).hexdigest()
        # The bounds have served; without them it is the plain event, equal to any other with the same fields.
        event.__class__ = Event  # type: ignore[assignment]  # the same layout; CPython refuses any other
        return (event,)

    def dump(self) -> None:
        """Nothing to remember."""

    def load(self, data: Any) -> None:
        """Nothing to take over."""


RULES: tuple[tuple[str, str, str], ...] = tuple(
    (f"kind: {kind}", kind, note)
    for kind, note in (
        ("auth.login", "somebody logs in, or tries to"),
        ("auth.logout", "a session is ended by its owner"),
        ("auth.mfa_challenge", "a second factor is asked for, given, refused or not answered"),
        ("auth.mfa_change", "a second factor is added, removed or reset"),
        ("auth.password_reset", "a forgotten password: asked for, or done"),
        ("auth.password_change", "a password is changed by somebody who is logged in"),
        ("auth.session", "a session begins, is used or refused without a log-in of its own"),
        ("account.change", "an account or its rights are changed"),
        ("credential.change", "an API key, token or certificate is made, changed or withdrawn"),
        ("authz.decision", "a request is allowed or refused; only refusals need to be sent"),
        ("api.request", "any other request"),
        ("data.export", "data leaves; `records` and `bytes` say how much"),
        ("data.query", "a database or a search is asked; `query` holds the text"),
        ("admin.action", "an administrator changes something else; `action` says what"),
        ("audit.log_change", "a log is stopped, narrowed or deleted"),
    )
)
"""The kinds as they are meant, for the documentation."""


class NativeFormat:
    """The ``Format`` of native events."""

    name = "native"
    title = "watchfloor's own events: one flat JSON object per line"
    rules = RULES
    ignored = (("blank lines", "", ""),)

    def recognise(self, sample: bytes) -> float:
        """By the share of the first whole lines that hold a ``time`` and a known ``kind``."""
        lines = sample.removeprefix(_BOM).split(b"\n", _SAMPLE_LINES)
        rest = lines.pop()  # cut anywhere, unless it ends the input
        whole = [line for line in lines if line.strip()]
        if len(lines) < _SAMPLE_LINES and _is_native(rest):
            whole.append(rest)
        return sum(map(_is_native, whole)) / len(whole) if whole else 0.0

    def parser(self, context: Context) -> Parser:
        """Make a parser for one input."""
        return NativeParser(context)


FORMAT = NativeFormat()


def _is_native(line: bytes) -> bool:
    if b"\\u" in line:
        line = _ESCAPE.sub(_whole_escape, line)  # as when it is read: a stranger's odd name must not hide a whole log
    try:
        _decode_probe(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _leniently(record: bytes) -> NativeEvent:
    """Mend a record the fast decoder refused, or say precisely why it is no event."""
    fields = _object(record)
    if "time" not in fields and "kind" not in fields:
        raise RejectError("unknown_shape", "expected an object with time and kind")
    tidy = {name: _tidied(name, value) for name, value in fields.items() if not _is_absent(name, value)}
    if "time" in tidy:
        tidy["time"] = _moment(tidy["time"])
    try:
        return msgspec.convert(tidy, NativeEvent)
    except msgspec.ValidationError as exc:
        raise _reason(str(exc), tidy) from None


def _object(record: bytes) -> dict[str, Any]:
    try:
        found = _decode_anything(_ESCAPE.sub(_whole_escape, record.removeprefix(_BOM)))
    except UnicodeDecodeError:
        raise RejectError("not_utf8", "expected JSON in UTF-8") from None
    except RecursionError:
        raise RejectError("too_deep", "expected a flat object") from None
    except msgspec.DecodeError as exc:
        raise _malformed(record, str(exc)) from None
    if isinstance(found, dict):
        return found
    raise RejectError("unknown_shape", "expected one JSON object")


def _malformed(record: bytes, message: str) -> RejectError:
    try:
        record.decode()
    except UnicodeDecodeError as exc:
        if exc.end < len(record) or exc.reason != "unexpected end of data":
            return RejectError("not_utf8", "expected JSON in UTF-8")
    if "out of range" in message:
        return RejectError("bad_field", "expected no number beyond a 64-bit float")
    if "truncated" in message and record.lstrip().startswith((b"{", b"[")):
        return RejectError("truncated", "the JSON ends in the middle")
    return RejectError("not_json", "expected one JSON object")


def _whole_escape(match: re.Match[bytes]) -> bytes:
    # Several JSON writers pass on bytes that were no UTF-8 as lone surrogates: an odd login name must not hide a login.
    return rb"\ufffd" if match[1] else match[0]


def _is_absent(name: str, value: object) -> bool:
    return value is None or (value == "" and name in _MAY_BE_EMPTY)


def _tidied(name: str, value: Any) -> Any:
    if name in NAME_FIELDS and isinstance(value, str):
        return bounded_name(value)
    if name in TEXT_FIELDS and isinstance(value, str):
        return value[:MAX_TEXT_CHARS]
    if name in _WHOLE_NUMBERS and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _moment(value: object) -> datetime | float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        # Clamped, because a huge whole number is no float; the bounds are judged with all the others, after decoding.
        return float(max(-1, min(value, LATEST_TS * 1000)))
    if isinstance(value, str):
        leap = _LEAP_SECOND.fullmatch(value)
        try:
            moment = msgspec.convert(f"{leap[1]}59{leap[2]}" if leap else value, datetime)
        except msgspec.ValidationError:
            pass
        else:
            seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
            return seconds + 1 if leap else moment
    raise RejectError("bad_time", "time: expected RFC 3339, e.g. 2026-01-31T12:00:00Z, or a number")


def _reason(message: str, fields: dict[str, Any]) -> RejectError:
    """Name what the typed conversion found; its text may hold values, so only the field's name is taken from it."""
    missing = _MISSING_FIELD.match(message)
    if missing:
        return RejectError("missing_field", missing[1])
    at = _FIELD_OF_MESSAGE.search(message)
    name = at[1] if at else "record"
    if name == "kind" and isinstance(fields.get("kind"), str) and fields["kind"] not in KINDS:
        return RejectError("unknown_kind", "kind: expected one of the documented kinds")
    if name == "ip" and isinstance(fields.get("ip"), str):
        return RejectError("bad_address", "ip: expected an IPv4 or IPv6 address")
    return RejectError("bad_field", name)
