"""Web requests written as JSON objects (``log_format … escape=json`` of nginx, and the names people commonly give the fields)."""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from schemas.errors import RejectError
from schemas.event import Event
from schemas.formats.web_requests import ACTOR_CHARS, AGENT_CHARS, classify, client_ip, split_request, split_url
from schemas.formats.web_stamps import from_stamp
from schemas.stamps import from_number

_CLIENT = ("remote_addr", "remote_ip", "client_ip", "clientip")
_TIME = ("time_iso8601", "msec", "time_local", "time", "timestamp", "@timestamp")
_METHOD = ("request_method", "method")
_URL = ("request_uri", "uri", "url", "path")
_QUERY = ("args", "query_string")
_BYTES = ("body_bytes_sent", "bytes_sent", "bytes")
_AGENT = ("http_user_agent", "user_agent", "agent")
_USER = ("remote_user", "user")
_FORWARDED = ("http_x_forwarded_for", "x_forwarded_for")
_BYTES_LIMIT = 2**63

_NGINX_ESCAPE = re.compile(rb"(?<!\\)((?:\\\\)*)\\x([0-9a-fA-F]{2})")
"""Without ``escape=json`` nginx writes a quote as ``\\x22``, which JSON does not know."""


def load_object(data: bytes) -> Mapping[str, Any]:
    """The JSON object in ``data``. Raises ``RejectError``: ``not_json``, ``too_deep``, ``unknown_shape``."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        try:
            value = orjson.loads(_NGINX_ESCAPE.sub(rb"\1\\u00\2", data))
        except orjson.JSONDecodeError as exc:
            deep = any(word in str(exc).lower() for word in ("depth", "recursion"))
            raise RejectError("too_deep" if deep else "not_json", "expected one JSON object") from None
    if not isinstance(value, dict):
        raise RejectError("unknown_shape", "expected a JSON object")
    return value


def looks_like_request(fields: Mapping[str, Any]) -> bool:
    """Whether this object has a client, a status and a request, whatever they hold."""
    has_request = "request" in fields or any(name in fields for name in _URL)
    return "status" in fields and has_request and any(name in fields for name in _CLIENT)


def request_event(fields: Mapping[str, Any]) -> Event:
    """The request these fields describe, without an id. Raises ``RejectError``."""
    if not looks_like_request(fields):
        raise RejectError("unknown_shape", "expected remote_addr, status and request")
    method, path, query = _request(fields)
    actor = _text(fields, _USER)
    event = Event(
        "api.request",
        _ts(fields),
        actor=actor[:ACTOR_CHARS] if actor else None,
        actor_type="user" if actor else None,
        ip=client_ip(_text(fields, _CLIENT) or "", _text(fields, _FORWARDED)),
        user_agent=(_text(fields, _AGENT) or "")[:AGENT_CHARS] or None,
        method=method,
        path=path,
        query=query,
        status=int(_number(fields, ("status",), 999)),
        bytes=int(_number(fields, _BYTES, _BYTES_LIMIT)),
        latency_ms=round(_number(fields, ("request_time",), 1e6) * 1000, 3),
    )
    classify(event)
    return event


def _request(fields: Mapping[str, Any]) -> tuple[str | None, str | None, str | None]:
    if request := _text(fields, ("request",)):
        return split_request(request)
    path, query = split_url(_text(fields, _URL) or "")
    method = _text(fields, _METHOD)
    return method[:20] if method else None, path, query or split_url("?" + (_text(fields, _QUERY) or ""))[1]


def _ts(fields: Mapping[str, Any]) -> float:
    for name in _TIME:
        value = fields.get(name)
        if isinstance(value, str) and value:
            return from_stamp(value)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return from_number(value)
    raise RejectError("missing_field", "time: expected time_iso8601, msec or time_local")


def _text(fields: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    for name in names:
        value = fields.get(name)
        if value is None or value in ("", "-"):
            continue
        if not isinstance(value, str):
            raise RejectError("bad_field", f"{name}: expected text")
        return value
    return None


def _number(fields: Mapping[str, Any], names: tuple[str, ...], limit: float) -> float:
    """The first of these that is there, as a number from 0 to below ``limit``; 0 when there is none."""
    for name in names:
        value = fields.get(name)
        if value is None or value in ("", "-"):
            continue
        try:
            number = float(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else -1.0
        except ValueError:
            number = -1.0
        if not 0 <= number < limit:  # NaN fails too
            raise RejectError("bad_field", f"{name}: expected a number from 0")
        return number
    return 0.0
