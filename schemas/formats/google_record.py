"""A Google Workspace activity in the shapes it arrives in, and the events within one."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from schemas.errors import RejectError
from schemas.formats.json_records import NULL, Inner, as_dict, as_text, part, raw_fields

_NESTED_DEPTH = 4
_VALUES = ("value", "boolValue", "intValue", "multiValue", "multiStrValue", "multiIntValue", "multiBoolValue")
_MICROSECONDS = 1_000_000


class Part(msgspec.Struct):
    """One event of an activity."""

    name: Any = None
    parameters: msgspec.Raw = NULL


class Record(msgspec.Struct):
    """An activity of the Reports API, a row of the BigQuery export, a Cloud Logging entry, or a wrapper around activities."""

    id: Any = None
    actor: Any = None
    address: Any = msgspec.field(name="ipAddress", default=None)
    network: Any = msgspec.field(name="networkInfo", default=None)
    events: list[Part] | Part | None = None
    """A list, or a single event where a shipper splits activities."""
    name: Any = None
    parameters: msgspec.Raw = NULL
    """``name`` and ``parameters``: one event flattened into its activity."""
    p_event_time: Any = None

    time_usec: Any = None
    record_type: Any = None
    event_name: Any = None
    email: Any = None
    ip_address: Any = None
    unique_identifier: Any = None
    """BigQuery; the parameters lie under the name that ``record_type`` holds."""

    payload: Any = msgspec.field(name="protoPayload", default=None)
    timestamp: Any = None
    insert_id: Any = msgspec.field(name="insertId", default=None)
    """Cloud Logging."""

    items: list[msgspec.Raw] | None = None
    records: list[msgspec.Raw] | None = None
    value: list[msgspec.Raw] | None = None

    def inner(self) -> Inner | None:
        """What a wrapper holds; ``None`` when this is an activity itself."""
        if self.id is None:
            for entries in (self.items, self.records, self.value):
                if entries is not None:
                    return entries
        return None


class Activity(NamedTuple):
    """One activity, whatever shape it came in."""

    app: str
    time: Any
    id: str | None
    """Empty where the record has none."""
    actor: dict[str, Any]
    address: str | None
    network: dict[str, Any]
    parts: list[Part]
    flat: bool
    """Whether other events of the same activity come in other records, under the same id."""


def activity_of(record: Record, raw: bytes) -> Activity:
    """Raises ``RejectError`` for anything that is no activity."""
    if isinstance(record.id, dict):
        return _reported(record, record.id)
    if record.record_type is not None and record.time_usec is not None:
        return _exported(record, raw)
    if isinstance(record.payload, dict):
        return _logged(record, record.payload)
    raise RejectError("unknown_shape", "expected id.applicationName and events")


def _reported(record: Record, id_: dict[str, Any]) -> Activity:
    app = as_text(id_.get("applicationName"), 64)
    if app is None:
        raise RejectError("unknown_shape", "expected id.applicationName")
    time = id_.get("time") or record.p_event_time
    qualifier = id_.get("uniqueQualifier")
    known = isinstance(qualifier, (str, int)) and qualifier != "" and isinstance(time, str)
    if isinstance(record.events, list):
        parts = record.events
    else:
        parts = [record.events or Part(record.name, record.parameters)]
    return Activity(
        app,
        time,
        f"{time[:40]}/{str(qualifier)[:40]}" if known and _is_short(qualifier) else None,
        as_dict(record.actor),
        as_text(record.address),
        as_dict(record.network),
        parts,
        not isinstance(record.events, list),
    )


def _is_short(number: Any) -> bool:
    return isinstance(number, str) or -(2**64) < number < 2**64


def _exported(record: Record, raw: bytes) -> Activity:
    app = as_text(record.record_type, 64)
    if app is None or not isinstance(record.time_usec, (int, str)):
        raise RejectError("bad_field", "record_type or time_usec")
    return Activity(
        app,
        _microseconds(record.time_usec),
        as_text(record.unique_identifier, 128),
        {"email": record.email},
        as_text(record.ip_address),
        {},
        [Part(record.event_name, raw_fields(raw).get(app, NULL))],
        flat=True,
    )


def _microseconds(value: int | str) -> float:
    if isinstance(value, str):
        if not (value.isascii() and value.isdigit() and len(value) <= 20):
            raise RejectError("bad_time", "time_usec: expected microseconds")
        value = int(value)
    if not 0 <= value < 2**63:
        raise RejectError("time_out_of_range", "time_usec")
    return value / _MICROSECONDS


def _logged(record: Record, payload: dict[str, Any]) -> Activity:
    metadata = as_dict(payload.get("metadata"))
    events = metadata.get("event")
    app = (as_text(payload.get("serviceName"), 64) or "").partition(".")[0]
    if not isinstance(events, list) or not app:
        raise RejectError("unknown_shape", "expected protoPayload.serviceName and metadata.event")
    app = {"oauth2": "token", "cloudidentity": "groups_enterprise"}.get(app, app)
    parts = [
        Part(each.get("eventName"), msgspec.Raw(msgspec.json.encode(_encodable(each.get("parameter")))))
        for each in events
        if isinstance(each, dict)
    ]
    return Activity(
        app,
        record.timestamp,
        as_text(record.insert_id, 128),
        {"email": as_dict(payload.get("authenticationInfo")).get("principalEmail")},
        as_text(as_dict(payload.get("requestMetadata")).get("callerIp")),
        {},
        parts,
        flat=False,
    )


def _encodable(parameters: Any) -> list[dict[str, Any]]:
    """The parameters whose values are plain; a number no machine holds is left out."""
    if not isinstance(parameters, list):
        return []
    return [
        {"name": each.get("name"), "value": value}
        for each in parameters
        if isinstance(each, dict) and isinstance(each.get("name"), str) and _is_plain(value := _value(each, 1))
    ]


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return isinstance(value, (str, bool)) or (isinstance(value, int) and -(2**63) <= value < 2**63)


def parameters_of(raw: msgspec.Raw) -> dict[str, Any]:
    """The parameters by name: from the list Google writes, or the map shippers make of it."""
    value = part(raw)
    if isinstance(value, dict):
        return value
    return _by_name(value, 0)


def _by_name(parameters: Any, depth: int) -> dict[str, Any]:
    if not isinstance(parameters, list) or depth > _NESTED_DEPTH:
        return {}
    return dict(_pairs(parameters, depth))


def _pairs(parameters: list[Any], depth: int) -> Iterator[tuple[str, Any]]:
    for each in parameters:
        if isinstance(each, dict) and isinstance(name := each.get("name"), str):
            yield name, _value(each, depth)


def _value(parameter: dict[str, Any], depth: int) -> Any:
    for key in _VALUES:
        if key in parameter:
            return parameter[key]
    message = parameter.get("messageValue")
    return _by_name(message.get("parameter"), depth + 1) if isinstance(message, dict) else None
