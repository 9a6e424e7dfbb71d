"""Sign-ins and risk detections of Entra."""

from typing import Any

import msgspec

from schemas.event import Event
from schemas.formats.countries import country_code
from schemas.formats.entra_record import Device, Location, SignIn, Status, unpacked
from schemas.formats.json_records import NULL, part
from schemas.formats.microsoft import CREDENTIAL_REASONS, account, client_ip, mfa_answer, verdict_of

TEXT_CHARS = 256
AGENT_CHARS = 512
_RISKS = frozenset({"low", "medium", "high"})
_RISK_GONE = frozenset({"none", "dismissed", "remediated", "confirmedSafe"})
_ASN_LIMIT = 2**32
_NETWORKS = {"anonymizedipaddress": "vpn", "riskyipaddress": "vpn"}
_DECODER = msgspec.json.Decoder(SignIn)

INTERACTIVE, RENEWAL, SERVICE, MACHINE = "interactive", "renewal", "service", "machine"
CATEGORIES: dict[str, str] = {
    "signinlogs": INTERACTIVE,
    "adfssigninlogs": INTERACTIVE,
    "b2crequestlogs": INTERACTIVE,
    "noninteractiveusersigninlogs": RENEWAL,
    "aadnoninteractiveusersigninlogs": RENEWAL,
    "serviceprincipalsigninlogs": SERVICE,
    "aadserviceprincipalsigninlogs": SERVICE,
    "managedidentitysigninlogs": MACHINE,
    "aadmanagedidentitysigninlogs": MACHINE,
    "microsoftserviceprincipalsigninlogs": MACHINE,
}
"""What signs in, by category of the envelope (or table of a Log Analytics row), in lower case."""
_EVENT_TYPES = {"nonInteractiveUser": RENEWAL, "servicePrincipal": SERVICE, "managedIdentity": MACHINE}


def decode_sign_in(raw: bytes | msgspec.Raw) -> SignIn:
    """The fields of a sign-in; msgspec's errors may leave it."""
    return _DECODER.decode(raw)


def set_sign_in(event: Event, entry: SignIn, category: str | None, result_type: Any) -> None:
    """A sign-in: who, where from, and how it ended. ``category``: of the envelope, in lower case."""
    who = CATEGORIES.get(category or "") or _kind_of(entry)
    status = unpacked(entry.status, Status) or Status()
    code = next((found for value in (status.error_code, result_type, entry.result_type) if (found := _number(value)) is not None), None)
    event.kind = "auth.login" if who in {INTERACTIVE, SERVICE} else "auth.session"
    if code is not None:
        verdict = verdict_of(code)
        event.outcome, event.reason = verdict.outcome, verdict.reason
        answer = f"{status.additional_details or ''} {_step(entry) if code else ''}"
        if verdict.mfa or (code and "MFA denied" in answer):
            event.kind, event.outcome, event.reason = "auth.mfa_challenge", "failure", mfa_answer(answer)
        elif event.reason == "locked" and "malicious" in (status.failure_reason or ""):
            event.reason = "not_allowed"
        elif event.reason in CREDENTIAL_REASONS and event.outcome == "failure":
            event.kind = "auth.login"
    protocol = entry.authentication_protocol
    event.action = f"sign_in.{protocol}"[:64] if protocol and protocol != "none" else "sign_in"
    target = entry.app_display_name or entry.resource_display_name or entry.app_id
    event.target = f"app:{target}"[:TEXT_CHARS] if target else None
    event.user_agent = entry.user_agent[:AGENT_CHARS] if entry.user_agent else event.user_agent
    set_person(event, entry)
    set_place(event, entry)
    device = unpacked(entry.device_detail, Device)
    event.device_id = device.device_id[:TEXT_CHARS] if device and device.device_id else None
    event.session_id = entry.session_id[:TEXT_CHARS] if entry.session_id else None
    set_risk(event, entry, entry.risk_level_during_sign_in, entry.risk_level_aggregated)


def set_person(event: Event, entry: SignIn) -> None:
    """The account: a person, else a program."""
    if person := entry.user_principal_name or entry.user_display_name or entry.user_id:
        event.actor, event.actor_type = account(person)[:TEXT_CHARS], "user"
    elif program := entry.service_principal_name or entry.service_principal_id or entry.display_name or entry.app_id:
        event.actor, event.actor_type = program[:TEXT_CHARS], "service"


def set_place(event: Event, entry: SignIn) -> None:
    """Address, place and network, as the vendor knows them."""
    if entry.ip_address:
        event.ip = client_ip(entry.ip_address) or event.ip
    location = unpacked(entry.location_details, Location) or unpacked(entry.location, Location) or Location()
    spoken = entry.location if isinstance(entry.location, str) else None
    event.country = country_code(location.country_or_region or "") or country_code(spoken or "") or event.country
    event.city = location.city[:TEXT_CHARS] if location.city else None
    point = location.geo_coordinates
    if point is not None and event.country:
        lat, lon = _degrees(point.latitude, 90), _degrees(point.longitude, 180)
        if lat is not None and lon is not None and (lat or lon):
            event.lat, event.lon = lat, lon
    number = _number(entry.autonomous_system_number)
    if number is not None and 0 < number < _ASN_LIMIT:
        event.asn = number


def set_risk(event: Event, entry: SignIn, *levels: str | None) -> None:
    """The vendor's judgement, unless it was withdrawn."""
    state = entry.risk_state
    if state == "confirmedCompromised":
        event.risk = "high"
    elif state not in _RISK_GONE:
        event.risk = next((level for level in levels if level in _RISKS), None)
    kinds: set[str] = {entry.risk_event_type.lower()} if entry.risk_event_type else set()
    for named in (entry.risk_event_types_v2, entry.risk_event_types):
        named = part(msgspec.json.encode(named)) if isinstance(named, str) else named
        if isinstance(named, list):
            kinds.update(name.lower() for name in named if isinstance(name, str))
    event.network = next((_NETWORKS[kind] for kind in kinds if kind in _NETWORKS), None)


def set_detection(event: Event, entry: SignIn, *, of_account: bool) -> None:
    """A risk the vendor found: in one sign-in, or (``of_account``) in what it knows of an account."""
    event.kind = "account.change" if of_account else "auth.session"
    event.action = f"risk.{entry.risk_event_type or entry.risk_state or 'detected'}"[:64]
    event.reason = entry.risk_event_type[:64] if entry.risk_event_type else None
    set_person(event, entry)
    set_place(event, entry)
    set_risk(event, entry, entry.risk_level)
    if of_account and event.actor:
        event.target = f"user:{event.actor}"


def _kind_of(entry: SignIn) -> str:
    """What signs in, where no envelope says it."""
    types = entry.sign_in_event_types
    for name in types if isinstance(types, list) else [types or ""]:
        if name in _EVENT_TYPES:
            return _EVENT_TYPES[name]
    return INTERACTIVE if entry.user_principal_name or entry.user_id or not entry.service_principal_name else SERVICE


def _number(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < _ASN_LIMIT else None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 10:
        return int(value)
    return value if isinstance(value, int) else None


def _degrees(value: float | str | None, limit: float) -> float | None:
    try:
        number = float(value) if value is not None else None
    except ValueError:
        return None
    return number if number is not None and -limit <= number <= limit else None


def _step(entry: SignIn) -> str:
    """What the last authentication steps say of themselves."""
    if entry.authentication_details is NULL:
        return ""
    steps = part(entry.authentication_details)
    if not isinstance(steps, list):
        return ""
    said = [step.get("authenticationStepResultDetail") for step in steps if isinstance(step, dict)]
    return " ".join(text for text in said if isinstance(text, str))
