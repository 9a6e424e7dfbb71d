"""The published JSON Schemas (draft 2020-12) of the native event and of the alert, built from the very types that are read and written.

Whatever the parser accepts is valid by the schema. The reverse holds as far as JSON Schema can say it: whether an address is one, or
whether a day exists, only the parser knows.
"""

from typing import Any, get_args

import msgspec

from schemas.alert import Alert, Status
from schemas.event import ActorType, Kind, Outcome
from schemas.finding import EntityType
from schemas.formats.native import TEXT_FIELDS, NativeEvent
from schemas.severity import SEVERITIES
from schemas.stamps import EARLIEST_TS, LATEST_TS

DIALECT = "https://json-schema.org/draft/2020-12/schema"
EVENT_ID = "urn:watchfloor:schema:event:1"
ALERT_ID = "urn:watchfloor:schema:alert:1"

JsonSchema = dict[str, Any]

_RFC3339 = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:?[0-9]{2})?$"
_REQUIRED = ("time", "kind")
_TYPE_OF_ENUM = {"type": "string"}
_ORDERED_ENUMS = {"kind": get_args(Kind), "outcome": get_args(Outcome), "actor_type": get_args(ActorType)}
_BEYOND_THE_TYPE: dict[str, JsonSchema] = {
    "time": {
        "type": ["string", "number"],
        "pattern": _RFC3339,
        "minimum": int(EARLIEST_TS),
        "exclusiveMaximum": int(LATEST_TS) * 1000,
        "examples": ["2026-01-31T12:00:00.250Z", 1769860800, 1769860800250],
    },
    "tenant": {"pattern": r"^[^\u0000-\u001f\u007f-\u009f]*$"},
    "country": {"pattern": "^([A-Za-z]{2})?$"},
    "target": {"examples": ["file:123", "user:bob"]},
}
"""What the parser checks after decoding, or says better than the type does."""

_ALERT_TEXT = {
    "id": "Depends only on the input, never on when or how often it was processed.",
    "version": "1 for the first; every later finding of the same attack is the next version of the same alert.",
    "dedup_key": "Stays the same while one attack goes on.",
    "status": "Whether the attack still goes on; it resolves after quiet.",
    "time": "Event time at which the alert first fired.",
    "detector": "Name of the detector.",
    "severity": "How grave it is.",
    "tenant": "Customer or workspace; null when the events named none.",
    "entity": "Who or what the alert is about.",
    "title": "One line that names what happened.",
    "summary": "What happened, in sentences.",
    "count": "Events that belong to it so far.",
    "first_seen": "Event time of the first event that belongs to it.",
    "last_seen": "Event time of the last event that belongs to it so far.",
    "facts": "The numbers and names it rests on.",
    "evidence": "Ids of events that show it, oldest first.",
    "counterfactual": "The smallest change that would have kept it silent.",
    "score": "0 for rules; the calibrated score of a learned detector.",
    "attack": "MITRE ATT&CK technique ids, with the version they are taken from.",
    "runbook": "Where it is written what to do.",
    "incident": "Shared by the alerts of one attack.",
    "related": "Other alerts of the same incident.",
    "inhibited_by": "Id of the alert that already speaks for this incident; null when none does.",
}
_PART_TEXT = {
    "Entity": {"type": "What kind of thing it is.", "value": "Its name."},
    "Attack": {"version": "Version of ATT&CK.", "techniques": "Technique ids."},
    "Related": {"detector": "Detector of the other alert.", "id": "Id of the other alert."},
}
_ALERT_BOUNDS: dict[str, JsonSchema] = {
    "version": {"minimum": 1},
    "count": {"minimum": 0},
    "status": {**_TYPE_OF_ENUM, "enum": list(get_args(Status))},
    "severity": {**_TYPE_OF_ENUM, "enum": list(SEVERITIES)},
    "time": {"format": "date-time"},
    "first_seen": {"format": "date-time"},
    "last_seen": {"format": "date-time"},
}


def event_schema() -> JsonSchema:
    """Build the schema of one native event. Unknown fields are allowed, ``null`` and an empty text mean absent."""
    _, parts = msgspec.json.schema_components([NativeEvent])
    by_type = parts["NativeEvent"]["properties"]
    names = [*_REQUIRED, *(name for name in NativeEvent.__annotations__ if name in by_type and name not in _REQUIRED)]
    return {
        "$schema": DIALECT,
        "$id": EVENT_ID,
        "title": "watchfloor native event",
        "description": "One flat JSON object per record or line. Unknown fields are ignored; null and empty text mean absent.",
        "type": "object",
        "properties": {name: _event_field(name, by_type[name]) for name in names},
        "required": list(_REQUIRED),
        "additionalProperties": True,
    }


def alert_schema() -> JsonSchema:
    """Build the schema of one alert. It is strict: an alert has these fields and no other."""
    _, parts = msgspec.json.schema_components([Alert], ref_template="#/$defs/{name}")
    properties = {
        name: {"description": _ALERT_TEXT[name], **_without_default(shape), **_ALERT_BOUNDS.get(name, {})}
        for name, shape in parts["Alert"]["properties"].items()
    }
    return {
        "$schema": DIALECT,
        "$id": ALERT_ID,
        "title": "watchfloor alert",
        "description": "One version of one alert: a line of --out, the body of a generic webhook, a record on the alerts topic.",
        "type": "object",
        "properties": properties,
        "required": parts["Alert"]["required"],
        "additionalProperties": False,
        "$defs": {name: _alert_part(name, parts[name]) for name in _PART_TEXT},
    }


def _event_field(name: str, shape: JsonSchema) -> JsonSchema:
    """Rewrite one property: a plain ``type`` list in place of ``anyOf``, and what the parser mends is not forbidden."""
    plain = {key: value for key, value in shape.get("anyOf", [shape])[0].items() if key not in {"description", "default", "minLength"}}
    if name in TEXT_FIELDS:
        plain.pop("maxLength")  # cut, not refused
    if name in _ORDERED_ENUMS:
        plain |= {**_TYPE_OF_ENUM, "enum": list(_ORDERED_ENUMS[name])}
    if name not in _REQUIRED:
        plain["type"] = [plain["type"], "null"]
        if "enum" in plain:
            plain["enum"].append(None)
    if name == "country":
        del plain["maxLength"]  # its pattern says it
    return {"description": shape["description"], **plain, **_BEYOND_THE_TYPE.get(name, {})}


def _alert_part(name: str, shape: JsonSchema) -> JsonSchema:
    properties = {each: {"description": _PART_TEXT[name][each], **field} for each, field in shape["properties"].items()}
    if name == "Entity":
        properties["type"] |= {**_TYPE_OF_ENUM, "enum": list(get_args(EntityType))}
    return {
        "description": shape["description"],
        "type": "object",
        "properties": properties,
        "required": shape["required"],
        "additionalProperties": False,
    }


def _without_default(shape: JsonSchema) -> JsonSchema:
    return {key: value for key, value in shape.items() if key != "default"}
