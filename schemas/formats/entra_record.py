"""The fields of Entra and Azure Monitor records that are read, in each of the shapes they come in."""

from typing import Any, TypeVar

import msgspec

from schemas.formats.json_records import NULL, part

_field = msgspec.field
Scalar = str | float | bool | None
S = TypeVar("S", bound=msgspec.Struct)


class Record(msgspec.Struct, rename="camel"):
    """The outside of a record: the envelope of Azure Monitor, or the first look at an object of Microsoft Graph."""

    time: str | float | None = None
    category: msgspec.Raw = NULL
    operation_name: msgspec.Raw = NULL
    result_type: Scalar = None
    result_signature: Scalar = None
    result: str | None = None
    caller_ip_address: str | None = None
    identity: msgspec.Raw = NULL
    location: msgspec.Raw = NULL
    properties: msgspec.Raw = NULL
    resource_id: str | None = None
    status: msgspec.Raw = NULL
    status_code: Scalar = None
    status_text: str | None = None
    id: str | None = None
    table: str | None = _field(name="type", default=None)
    """Table of a Log Analytics row."""
    time_generated: str | float | None = None

    # Microsoft Graph
    created_date_time: str | float | None = None
    activity_date_time: str | float | None = None
    activity_display_name: str | None = None
    detected_date_time: str | float | None = None
    risk_last_updated_date_time: str | float | None = None

    # Activity log as its own API and Log Analytics give it
    event_timestamp: str | float | None = None
    event_data_id: str | None = None
    caller: str | None = None
    claims: msgspec.Raw = NULL
    http_request: msgspec.Raw = NULL
    operation_name_value: str | None = None
    category_value: str | None = None
    activity_status_value: str | None = None

    records: list[msgspec.Raw] | None = None
    """A batch of an event hub or a storage account."""
    value: list[msgspec.Raw] | None = None
    """A page of Microsoft Graph."""


class Row(Record, rename="camel"):
    """A record whose field names were in another case: a row of Log Analytics, where the entry's own fields stand beside the envelope's."""

    whole: bytes = _field(name=" whole", default=b"")  # no field of any log is called so
    """All of it, in the usual spelling; set after decoding."""


class Status(msgspec.Struct, rename="camel", gc=False):
    """How a sign-in ended."""

    error_code: Scalar = None
    failure_reason: str | None = None
    additional_details: str | None = None


class Coordinates(msgspec.Struct, gc=False):
    """A place on earth, in degrees."""

    latitude: float | str | None = None
    longitude: float | str | None = None


class Location(msgspec.Struct, rename="camel"):
    """Where the vendor thinks an address is."""

    city: str | None = None
    country_or_region: str | None = None
    geo_coordinates: Coordinates | None = None


class Device(msgspec.Struct, rename="camel", gc=False):
    """The device of a sign-in."""

    device_id: str | None = None


class SignIn(msgspec.Struct, rename="camel"):
    """A sign-in or a risk detection: an object of Microsoft Graph, the properties of an envelope, or a Log Analytics row."""

    id: str | None = None
    created_date_time: str | float | None = None
    activity_date_time: str | float | None = None
    detected_date_time: str | float | None = None
    risk_last_updated_date_time: str | float | None = None
    user_principal_name: str | None = None
    user_id: str | None = None
    user_display_name: str | None = None
    service_principal_name: str | None = None
    service_principal_id: str | None = None
    display_name: str | None = None
    ip_address: str | None = None
    app_display_name: str | None = None
    app_id: str | None = None
    resource_display_name: str | None = None
    status: Status | str | None = None
    location: Location | str | None = None
    location_details: Location | str | None = None
    device_detail: Device | str | None = None
    risk_level_during_sign_in: str | None = None
    risk_level_aggregated: str | None = None
    risk_level: str | None = None
    risk_state: str | None = None
    risk_event_type: str | None = None
    risk_event_types: list[str] | str | None = None
    risk_event_types_v2: list[str] | str | None = _field(name="riskEventTypes_v2", default=None)
    authentication_details: msgspec.Raw = NULL
    authentication_protocol: str | None = None
    user_agent: str | None = None
    autonomous_system_number: float | str | None = None
    session_id: str | None = None
    sign_in_event_types: list[str] | str | None = None
    result_type: Scalar = None


class User(msgspec.Struct, rename="camel", gc=False):
    """The person who did something."""

    user_principal_name: str | None = None
    display_name: str | None = None
    id: str | None = None
    ip_address: str | None = None


class App(msgspec.Struct, rename="camel", gc=False):
    """The application that did something."""

    display_name: str | None = None
    service_principal_name: str | None = None
    service_principal_id: str | None = None
    app_id: str | None = None


class Initiator(msgspec.Struct):
    """Who did something."""

    user: User | None = None
    app: App | None = None


class Target(msgspec.Struct, rename="camel"):
    """What it was done to."""

    id: str | None = None
    type: str | None = None
    display_name: str | None = None
    user_principal_name: str | None = None
    modified_properties: msgspec.Raw = NULL


class Detail(msgspec.Struct, gc=False):
    """One of the additional details."""

    key: str | None = None
    value: Scalar = None


class Audit(msgspec.Struct, rename="camel"):
    """An entry of the directory's audit log."""

    id: str | None = None
    activity_date_time: str | float | None = None
    activity_display_name: str | None = None
    logged_by_service: str | None = None
    result: str | None = None
    result_reason: str | None = None
    initiated_by: Initiator | str | None = None
    target_resources: list[Target] | str | None = None
    additional_details: list[Detail] | str | None = None
    user_agent: str | None = None


class GraphCall(msgspec.Struct, rename="camel"):
    """A call of the Microsoft Graph API (category ``MicrosoftGraphActivityLogs``)."""

    request_id: str | None = None
    time_generated: str | float | None = None
    request_method: str | None = None
    request_uri: str | None = None
    response_status_code: float | str | None = None
    response_size_bytes: float | None = None
    duration_ms: float | None = None
    ip_address: str | None = _field(name="ipAddress", default=None)
    user_agent: str | None = None
    user_id: str | None = None
    app_id: str | None = None
    service_principal_id: str | None = None
    session_id: str | None = None


def unpacked(value: S | str | None, kind: type[S]) -> S | None:
    """A part that some exports write as JSON within a string."""
    if not isinstance(value, str):
        return value
    try:
        return msgspec.json.decode(value, type=kind)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def name_in(raw: msgspec.Raw) -> str | None:
    """A name that is text, or an object with ``value``, as the activity log's own API gives it."""
    if raw is NULL:
        return None
    value = part(raw)
    if isinstance(value, dict):
        value = value.get("value")
    return value if isinstance(value, str) and value else None


CANONICAL: dict[str, str] = {
    each.encode_name.lower(): each.encode_name
    for kind in (Record, SignIn, Audit, GraphCall)
    for each in msgspec.structs.fields(kind)
}  # fmt: skip
"""Field names in lower case to their usual spelling: Log Analytics writes ``IPAddress``, some pipelines ``ipaddress``."""


def folded(data: bytes) -> bytes | None:
    """The record with its own field names in the usual spelling; ``None`` when that changes nothing. Raises msgspec's decode errors."""
    document: dict[str, Any] = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    changed = {CANONICAL.get(name.lower(), name): value for name, value in document.items()}
    return None if changed.keys() == document.keys() else msgspec.json.encode(changed)
