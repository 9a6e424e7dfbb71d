"""OCSF 1.x events as JSON: one object per record, arrays, and ``{"events": […]}`` wrappers.

``class_uid`` (or ``type_uid``, which holds class and activity) says what a record is; ``ocsf_kinds`` has the table. A refused call is
``authz.decision`` whatever it was. API Activity that comes from CloudTrail is read by CloudTrail's own table. ``unmapped``, ``raw_data``
and everything a table does not name are never looked at.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from schemas.errors import RejectError
from schemas.event import Event
from schemas.formats.base import Context
from schemas.formats.cloudtrail_kinds import RULES as CALLS
from schemas.formats.json_records import BOM, NULL, Inner, RecordsParser, as_dict, as_text, moment
from schemas.formats.neutral import (
    AGENT_CHARS,
    LATENCY_LIMIT_MS,
    QUERY_CHARS,
    RISKS,
    TARGET_CHARS,
    address_of,
    auth_words,
    number_of,
    reason_of,
    set_asn,
    set_place,
    status_of,
    text_of,
)
from schemas.formats.ocsf_kinds import CLASSES, DEFAULTS, METHODS, RULES, Rule, listing
from schemas.formats.web_requests import PATH_CHARS, classify, split_url

_IAM = frozenset({3001, 3004, 3005, 3006, 3007, 3008})
"""Classes whose ``user`` is what it is done to; in 3002 and 3003 it is who does it."""
_MARK = re.compile(rb'"(class_uid|type_uid|category_uid|activity_id|severity_id|metadata)"\s*:\s*(?:\d|\{)')
_OUTCOMES = {"success": "success", "failure": "failure", "failed": "failure", "successful": "success", "error": "failure"}
_BY_ID = {1: "success", 2: "failure"}
_ROLE_SESSION = ":assumed-role/"
_AWS = ".amazonaws.com"


class Record(msgspec.Struct):
    """The attributes that are read. What may be of another type in some version stays raw or ``Any``."""

    class_uid: int | None = None
    type_uid: int | None = None
    activity_id: Any = None
    activity_name: Any = None
    time: Any = None
    time_dt: Any = None
    status_id: Any = None
    status: Any = None
    status_code: Any = None
    status_detail: Any = None
    disposition_id: Any = None
    action_id: Any = None
    risk_level_id: Any = None
    risk_level: Any = None
    duration: Any = None
    metadata: Any = None
    actor: Any = None
    user: Any = None
    users: Any = None
    session: Any = None
    src_endpoint: Any = None
    dst_endpoint: Any = None
    device: Any = None
    http_request: Any = None
    http_response: Any = None
    http_status: Any = None
    api: Any = None
    resources: Any = None
    resource: Any = None
    web_resources: Any = None
    entity: Any = None
    group: Any = None
    iam_role: Any = None
    privileges: Any = None
    policy: Any = None
    databucket: Any = None
    database: Any = None
    table: Any = None
    query_info: Any = None
    file: Any = None
    auth_factors: Any = None
    events: msgspec.Raw = NULL
    """A wrapper around several events."""


_decode = msgspec.json.Decoder(Record).decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode


class OcsfParser(RecordsParser[Record]):
    """Parser of one input; it remembers nothing but the numbers of equal records without a ``metadata.uid``."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)

    def decode(self, data: bytes) -> Record:
        """See ``RecordsParser``."""
        return _decode(data)

    def inner(self, record: Record) -> Inner | None:
        """See ``RecordsParser``."""
        if record.class_uid is not None or record.type_uid is not None or not bytes(record.events).startswith(b"["):
            return None
        return _decode_list(record.events)

    def event(self, record: Record, raw: bytes) -> Event | None:
        """See ``RecordsParser``; ``None`` for the classes that are not read."""
        class_uid = record.class_uid if record.class_uid is not None else (record.type_uid or 0) // 100
        if class_uid <= 0:
            raise RejectError("unknown_shape", "expected class_uid or type_uid")
        if class_uid not in CLASSES:
            return None
        rule = _rule(record, class_uid)
        metadata = as_dict(record.metadata)
        event = Event(rule.kind, _ts(record), self.id_of(as_text(metadata.get("uid")), raw))
        event.tenant = _tenant(metadata) or self.tenant
        event.action = rule.action or None
        _set_who(event, record, class_uid)
        _set_where(event, record)
        _set_http(event, record)
        _set_outcome(event, record)
        if event.kind == "auth.login" and event.reason in {"mfa_denied", "mfa_timeout"}:
            event.kind, event.action = "auth.mfa_challenge", "mfa.challenge"
        _set_what(event, record, class_uid)
        _judge(event, record, class_uid)
        return event


def _rule(record: Record, class_uid: int) -> Rule:
    activity = record.activity_id
    if activity is None and record.type_uid is not None:
        activity = record.type_uid % 100
    rule = RULES.get((class_uid, activity)) if type(activity) is int else None
    if rule is not None:
        return rule
    name = record.activity_name
    if isinstance(name, str) and class_uid // 1000 == 3 and (found := auth_words(name)) is not None:
        return Rule(*found)
    return DEFAULTS[class_uid]


def _ts(record: Record) -> float:
    """``time`` (milliseconds by the schema, seconds as some write it), else ``time_dt``."""
    if record.time is None or (record.time == 0 and record.time_dt is not None):
        return moment(record.time_dt, "time")
    if isinstance(record.time, str) and record.time.isascii() and record.time.isdigit() and len(record.time) <= 20:
        return moment(int(record.time), "time")
    return moment(record.time, "time")


def _tenant(metadata: Mapping[str, Any]) -> str | None:
    tenant = as_text(metadata.get("tenant_uid"))
    if tenant is not None and not tenant.isprintable():
        raise RejectError("bad_field", "metadata.tenant_uid: expected printable characters only")
    return tenant


def _name(user: Mapping[str, Any]) -> str | None:
    """Who a user object is about. An AWS role session is ``role/session``, as CloudTrail's own format writes it."""
    uid = text_of(user.get("uid"))
    if uid is not None and uid.startswith("arn:"):
        _, found, session = uid.partition(_ROLE_SESSION)
        uid = session if found else uid.rpartition("/")[2] or uid
        if found and session:
            return session
    return text_of(user.get("name"), user.get("email_addr"), uid, user.get("uid_alt"))


def _set_who(event: Event, record: Record, class_uid: int) -> None:
    actor = as_dict(record.actor)
    doer = as_dict(actor.get("user"))
    subject = as_dict(record.user)
    if not subject and isinstance(record.users, list) and record.users:
        subject = as_dict(record.users[0])
    if class_uid in _IAM:
        event.actor = _name(doer)
        if class_uid != 3004 and (target := _name(subject)) is not None:
            event.target = f"user:{target}"[:TARGET_CHARS]
    else:
        if class_uid in {3002, 3003} or not doer:
            doer = subject if _name(subject) is not None else doer
        event.actor = _name(doer)
    service = text_of(actor.get("app_name"), actor.get("invoked_by"), actor.get("app_uid"))
    if event.actor is not None:
        event.actor_type = "service" if doer.get("type_id") in (3, 4) or event.actor.endswith("$") else "user"
    elif service is not None:
        event.actor, event.actor_type = service, "service"
    session = as_dict(record.session).get("uid") or as_dict(actor.get("session")).get("uid")
    event.session_id = text_of(session)
    if event.session_id is None and (key := as_text(doer.get("credential_uid"))) is not None and key.startswith("ASIA"):
        event.session_id = key
    elif event.session_id == "0x0":
        event.session_id = None


def _set_where(event: Event, record: Record) -> None:
    source = as_dict(record.src_endpoint)
    event.ip = address_of(source.get("ip"))
    location = as_dict(source.get("location"))
    if location:
        lat, lon = location.get("lat"), location.get("long")
        pair = location.get("coordinates")
        if lat is None and isinstance(pair, list) and len(pair) == 2:
            lon, lat = pair  # GeoJSON's order
        set_place(event, location.get("country"), location.get("city"), lat, lon)
    set_asn(event, as_dict(source.get("autonomous_system")).get("number"))
    event.device_id = _device(record, source)
    level = record.risk_level_id
    if type(level) is int:
        event.risk = {1: "low", 2: "medium", 3: "high", 4: "high"}.get(level)
    elif isinstance(record.risk_level, str):
        event.risk = RISKS.get(record.risk_level.lower())


def _device(record: Record, source: Mapping[str, Any]) -> str | None:
    """The client's device. ``device`` may as well be the host that wrote the log; then it is the destination too, and says nothing."""
    device, server = as_dict(record.device), as_dict(record.dst_endpoint)
    uid = text_of(device.get("uid"))
    if uid is None or any(device.get(name) and device.get(name) == server.get(name) for name in ("uid", "hostname", "ip")):
        return None
    if device.get("ip") and source.get("ip") and device["ip"] != source["ip"]:
        return None
    return uid


def _set_http(event: Event, record: Record) -> None:
    request, response = as_dict(record.http_request), as_dict(record.http_response)
    if request:
        event.user_agent = text_of(request.get("user_agent"), chars=AGENT_CHARS)
        method = as_text(request.get("http_method"))
        event.method = method.upper()[:20] if method else None
        url = as_dict(request.get("url"))
        event.path = as_text(url.get("path"), PATH_CHARS)
        query = as_text(url.get("query_string"), QUERY_CHARS)
        if event.path is None and (whole := as_text(url.get("url_string"), PATH_CHARS)) is not None:
            _, found, rest = whole.partition("://")
            event.path, own = split_url(f"/{rest.partition('/')[2]}" if found else whole)
            query = query or own
        elif event.path is not None and "?" in event.path:
            event.path, own = split_url(event.path)
            query = query or own
        event.query = query.removeprefix("?") or None if query else None
    event.status = status_of(response.get("code")) or status_of(record.http_status)
    event.latency_ms = float(number_of(record.duration, LATENCY_LIMIT_MS) or number_of(response.get("latency"), LATENCY_LIMIT_MS))


def _set_outcome(event: Event, record: Record) -> None:
    """By ``status_id``; where that does not say, by what was done about it and by the HTTP status."""
    status = as_text(record.status)
    outcome = _BY_ID.get(record.status_id) if type(record.status_id) is int else None
    if outcome is None and status is not None:
        outcome = _OUTCOMES.get(status.lower())
    response = as_dict(as_dict(record.api).get("response"))
    error = as_text(response.get("error")) or as_text(response.get("error_message"))
    if outcome is None and (record.action_id == 2 or record.disposition_id == 2 or error is not None or event.status >= 400):
        outcome = "failure"
    elif outcome is None and 0 < event.status < 400:
        outcome = "success"
    event.outcome = outcome
    if outcome == "failure":
        event.reason = reason_of(error, record.status_detail, record.status_code, None if status in {"Failure", "failure"} else status)
        if event.reason is None and event.status in (401, 403):
            event.reason = "forbidden" if event.status == 403 else "unauthenticated"


def _set_what(event: Event, record: Record, class_uid: int) -> None:
    """Target, route and amounts."""
    api = as_dict(record.api)
    operation = text_of(api.get("operation"))
    service = text_of(as_dict(api.get("service")).get("name"))
    if operation is not None and class_uid == 6003:
        event.action = operation
        event.route = f"{service}:{operation}"[:TARGET_CHARS] if service else operation
    if event.target is None or class_uid in {3004, 3006, 3008}:
        event.target = _target(record) or event.target
    info = as_dict(record.query_info)
    event.query = text_of(info.get("query_string"), chars=QUERY_CHARS) or event.query
    response = as_dict(record.http_response)
    if class_uid in {4002, 6001, 6005}:
        sizes = (info.get("bytes"), response.get("body_length"), response.get("length"), as_dict(record.databucket).get("size"))
        event.bytes = int(next((n for n in map(number_of, sizes) if n), 0))


def _target(record: Record) -> str | None:
    """What it was done to: the first resource that has a name."""
    several = (record.resources, record.web_resources)
    named = [("resource", items[0]) for items in several if isinstance(items, list) and items]
    single = (record.resource, record.entity, record.iam_role, record.group, record.table, record.databucket, record.database, record.file)
    kinds = ("resource", "entity", "role", "group", "table", "bucket", "database", "file")
    for kind, item in [*named, *zip(kinds, single, strict=True)]:
        fields = as_dict(item)
        if kind == "entity" and not fields.get("name"):
            for part in ("user", "group", "policy", "device", "org"):
                if inner := as_dict(fields.get(part)):
                    kind, fields = part, inner
                    break
        if (name := text_of(fields.get("uid") if kind == "resource" else None, fields.get("name"), fields.get("uid"))) is None:
            continue
        type_ = as_text(fields.get("type")) if kind in {"resource", "entity"} else None
        return f"{_type(type_) or kind}:{name}"[:TARGET_CHARS]
    return None


def _type(text: str | None) -> str | None:
    """``AWS::S3::Object`` → ``object``."""
    return re.sub(r"\W+", "_", text.rpartition("::")[2].strip()).strip("_").lower()[:40] or None if text else None


def _judge(event: Event, record: Record, class_uid: int) -> None:
    """The kinds that more than class and activity decide."""
    if class_uid == 4002:
        if event.method is None and type(record.activity_id) is int:
            event.method = METHODS.get(record.activity_id)
        outcome, reason = event.outcome, event.reason
        classify(event)
        event.outcome = event.outcome or outcome
        event.reason = event.reason or reason
        return
    if class_uid == 6003:
        _call(event)
    elif class_uid == 6005 and event.kind == "data.query" and record.databucket and record.activity_id == 1:
        event.kind, event.action = "data.export", "read"
    elif class_uid == 3004 and event.target is not None and event.target.startswith("user:") and event.kind == "admin.action":
        event.kind = "account.change"
    if event.kind == "data.export" and event.outcome != "failure":
        items = next((items for items in (record.web_resources, record.resources) if isinstance(items, list)), ())
        event.records = max(1, len(items))
    if event.outcome == "failure" and event.reason == "forbidden" and not event.kind.startswith("auth."):
        event.kind = "authz.decision"


def _call(event: Event) -> None:
    """CloudTrail in OCSF's clothes: the call decides."""
    service, _, call = (event.route or "").rpartition(":")
    if service.endswith(_AWS) and (rule := CALLS.get(f"{service.removesuffix(_AWS)}:{call}")) is not None and rule.when is None:
        event.kind = rule.kind


class Ocsf:
    """The format ``ocsf``."""

    name = "ocsf"
    title = "Open Cybersecurity Schema Framework 1.x: identity, HTTP, API, web resource and datastore events"
    rules = tuple(listing())
    """(class and activity, kind, action) of every rule."""
    ignored = (("every other class_uid", "", "network, system, finding, discovery and remediation events"),)

    def recognise(self, sample: bytes) -> float:
        """By the classification attributes that every OCSF event has."""
        if sample.lstrip(BOM + b" \t\r\n")[:1] not in {b"{", b"["}:
            return 0.0
        names = {mark[1] for mark in _MARK.finditer(sample)}
        if not names & {b"class_uid", b"type_uid"}:
            return 0.0
        return 0.98 if len(names) >= 4 else 0.7 if len(names) >= 2 else 0.3

    def parser(self, context: Context) -> OcsfParser:
        """A parser for one input."""
        return OcsfParser(context)


FORMAT = Ocsf()
