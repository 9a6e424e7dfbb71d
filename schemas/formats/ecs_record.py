"""The fields of an ECS document that are read, however it is written: nested, flat with dotted keys, or as an Elasticsearch hit."""

from typing import Any

import msgspec

from schemas.formats.json_records import NULL

_TELLING = (b'"source.ip"', b'"user.name"', b'"client.ip"', b'"url.path"', b'"event.outcome"')
"""Beside a nested ``event``, one of these tells that the document is half flat. Inside text they cost time, nothing else."""
_MAX_LEVELS = 8
_WRAPPERS = ("_source", "hits", "index", "create")


class Record(msgspec.Struct):
    """The groups that are read; what is in them is checked when it is used."""

    timestamp: Any = msgspec.field(name="@timestamp", default=None)
    ecs: Any = None
    event: Any = None
    user: Any = None
    source: Any = None
    client: Any = None
    http: Any = None
    url: Any = None
    user_agent: Any = None
    group: Any = None
    file: Any = None
    device: Any = None
    database: Any = None
    error: Any = None
    winlog: Any = None
    okta: Any = None
    azure: Any = None
    system: Any = None
    aws: Any = None

    id: Any = msgspec.field(name="_id", default=None)
    """Of an Elasticsearch hit."""
    document: msgspec.Raw = msgspec.field(name="_source", default=NULL)
    hits: msgspec.Raw = NULL
    """The answer to a search: ``{"hits": {"hits": […]}}``."""
    index: msgspec.Raw = NULL
    create: msgspec.Raw = NULL
    """``index`` and ``create`` alone are the action lines of a bulk request."""


class _Hits(msgspec.Struct):
    hits: list[msgspec.Raw] | None = None


_decode = msgspec.json.Decoder(Record).decode
_decode_any = msgspec.json.Decoder(dict[str, Any]).decode
_decode_hits = msgspec.json.Decoder(_Hits).decode


def decode(data: bytes) -> Record:
    """One JSON object as a record; any exception of msgspec's decoders may leave it."""
    record = _decode(data)
    if bytes(record.document).startswith(b"{"):
        own_id = record.id
        record = _decode_document(bytes(record.document))
        record.id = own_id
        return record
    if bytes(record.hits).startswith(b"{"):
        return record
    return _unfolded(data) if _is_dotted(record, data) else record


def _decode_document(data: bytes) -> Record:
    record = _decode(data)
    return _unfolded(data) if _is_dotted(record, data) else record


def _is_dotted(record: Record, data: bytes) -> bool:
    """Whether names with dots hide something from the fast decoder: all of them, or those of some groups, or within one."""
    if not isinstance(record.event, dict):
        return b'"event.' in data or b'"ecs.' in data or b'"http.' in data
    if any(mark in data for mark in _TELLING):
        return True
    groups = (record.event, record.source, record.user, record.client, record.http)
    return any("." in name for group in groups if isinstance(group, dict) for name in group)


def _unfolded(data: bytes) -> Record:
    fields = unfold(_decode_any(data))
    for name in _WRAPPERS:
        fields.pop(name, None)
    return msgspec.convert(fields, Record)


def unfold(fields: dict[str, Any], levels: int = _MAX_LEVELS) -> dict[str, Any]:
    """The same fields with ``{"a.b": 1}`` written as ``{"a": {"b": 1}}``; of two ways to say one thing the later wins.

    >>> unfold({"user.name": "eve", "user": {"id": 7, "target.name": "bob"}})
    {'user': {'name': 'eve', 'id': 7, 'target': {'name': 'bob'}}}
    """
    made: dict[str, Any] = {}
    for name, value in fields.items():
        if isinstance(value, dict) and levels > 0:
            value = unfold(value, levels - 1)
        at, last = made, name
        if "." in name:
            *path, last = name.split(".", _MAX_LEVELS)
            for step in path:
                inner = at.get(step)
                if not isinstance(inner, dict):
                    inner = at[step] = {}
                at = inner
        known = at.get(last)
        if isinstance(known, dict) and isinstance(value, dict):
            _merge(known, value)
        else:
            at[last] = value
    return made


def _merge(known: dict[str, Any], more: dict[str, Any]) -> None:
    for name, value in more.items():
        own = known.get(name)
        if isinstance(own, dict) and isinstance(value, dict):
            _merge(own, value)
        else:
            known[name] = value


def hits_of(record: Record) -> list[msgspec.Raw] | None:
    """The hits in the answer to a search; ``None`` when it is none."""
    if record.event is not None or not bytes(record.hits).startswith(b"{"):
        return None
    try:
        return _decode_hits(record.hits).hits
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def is_bulk_action(record: Record) -> bool:
    """Whether this is the action line of a bulk request, which says where the next document goes."""
    has_document = record.timestamp is not None or record.event is not None or record.ecs is not None
    return not has_document and any(bytes(raw).startswith(b"{") for raw in (record.index, record.create))
