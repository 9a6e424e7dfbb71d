"""The fields of an Auth0 tenant log that are read, and the wrappers it arrives in."""

from typing import Any

import msgspec

from schemas.formats.json_records import NULL, Inner


class Location(msgspec.Struct, gc=False):
    """Where Auth0 places an address; in answers of its API, not in streams."""

    country: str | None = msgspec.field(name="country_code", default=None)
    city: str | None = msgspec.field(name="city_name", default=None)
    lat: float | str | None = msgspec.field(name="latitude", default=None)
    lon: float | str | None = msgspec.field(name="longitude", default=None)


class Record(msgspec.Struct):
    """A tenant log, or one of the wrappers they arrive in."""

    type: str | None = None
    date: str | float | None = None
    log_id: str | None = None
    own_id: str | None = msgspec.field(name="_id", default=None)
    description: str | None = None
    ip: str | None = None
    user_agent: str | None = None
    user_id: str | None = None
    user_name: str | None = None
    client_id: str | None = None
    connection: str | None = None
    connection_id: str | None = None
    location: Location | None = msgspec.field(name="location_info", default=None)
    details: msgspec.Raw = NULL

    data: msgspec.Raw = NULL
    """A log stream: ``{"log_id": …, "data": {…}}``."""
    detail: msgspec.Raw = NULL
    """EventBridge."""
    event: msgspec.Raw = NULL
    """Splunk's HTTP event collector."""
    logs: list[msgspec.Raw] | None = None
    """A page of the Management API, with totals."""
    records: list[msgspec.Raw] | None = None
    """Azure Event Grid by way of Event Hubs."""
    message: str | None = None
    """A shipper that keeps the record as text."""


_DECODER = msgspec.json.Decoder(Record)


def decode(data: bytes) -> Record:
    """One JSON object as a record."""
    return _DECODER.decode(data)


def inner(record: Record) -> Inner | None:
    """What a wrapper holds; ``None`` for a log itself. A code in ``type`` may stand beside the log, as on Splunk's ``sourcetype``."""
    if record.date is not None and record.type is not None:
        return None
    for entries in (record.logs, record.records):
        if entries is not None:
            return entries
    for raw in (record.data, record.detail, record.event):
        held = bytes(raw)
        if held.startswith((b"{", b"[")):
            return (held,)
    return (record.message.encode("utf-8", "replace"),) if record.message else None


class User(msgspec.Struct, gc=False):
    """Who called the Management API."""

    id: Any = msgspec.field(name="user_id", default=None)
    email: Any = None
    name: Any = None


class Auth(msgspec.Struct):
    """How the caller of the Management API is known."""

    user: User | None = None
    subject: Any = None


class Call(msgspec.Struct):
    """A request to the Management API. Its body may hold secrets; it is read only for what it switches off."""

    method: Any = None
    path: Any = None
    ip: Any = None
    auth: Auth | None = None
    body: msgspec.Raw = NULL


class Answer(msgspec.Struct, gc=False):
    """How it was answered."""

    status: Any = msgspec.field(name="statusCode", default=None)
    body: msgspec.Raw = NULL


class NewDevice(msgspec.Struct):
    """The device that logged in."""

    details: Any = None


class Assessments(msgspec.Struct):
    """Parts of a risk assessment."""

    new_device: NewDevice | None = msgspec.field(name="NewDevice", default=None)


class RiskAssessment(msgspec.Struct):
    """Adaptive MFA's view: its confidence that this is the user."""

    confidence: Any = None
    assessments: Assessments | None = None


class Details(msgspec.Struct):
    """As much of the details as is read."""

    session: Any = msgspec.field(name="session_id", default=None)
    error: Any = None
    request: Call | None = None
    response: Answer | None = None
    risk: RiskAssessment | None = msgspec.field(name="riskAssessment", default=None)
    risk_text: RiskAssessment | None = msgspec.field(name="risk_assessment", default=None)


_DETAILS = msgspec.json.Decoder(Details)


def details_of(record: Record) -> Details:
    """The details; empty when they cannot be read."""
    try:
        return _DETAILS.decode(record.details)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Details()
