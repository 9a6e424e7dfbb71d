"""Elastic Common Schema documents: nested or flat, as lines, arrays, Elasticsearch hits, answers to searches, or bulk requests.

``event.category``, ``event.type`` and ``event.action`` say what a document is; ``ecs_kinds`` has the table. Documents of the Okta and
CloudTrail modules go by those vendors' own tables, requests by the rules of ``web_access``. ``event.original`` and ``message`` are
never looked at.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from schemas.errors import RejectError
from schemas.event import Event
from schemas.formats.base import Context
from schemas.formats.cloudtrail_kinds import RULES as CALLS
from schemas.formats.ecs_kinds import ENDPOINT_FILES, IGNORED, ORDER, Rule, listing, rule_for
from schemas.formats.ecs_record import Record, decode, hits_of, is_bulk_action
from schemas.formats.json_records import BOM, Inner, RecordsParser, as_dict, as_text, moment
from schemas.formats.neutral import (
    AGENT_CHARS,
    COUNT_LIMIT,
    LATENCY_LIMIT_MS,
    QUERY_CHARS,
    RISKS,
    TARGET_CHARS,
    address_of,
    number_of,
    reason_of,
    set_asn,
    set_place,
    status_of,
    text_of,
)
from schemas.formats.okta_kinds import rule_for as okta_rule
from schemas.formats.web_requests import PATH_CHARS, classify, split_url

_KINDS_READ = frozenset({None, "event", "pipeline_error"})
_NANOSECONDS_PER_MS = 1e6
_POINT = re.compile(r"\s*POINT\s*\(\s*(-?[0-9.]{1,20})\s+(-?[0-9.]{1,20})\s*\)\s*", re.IGNORECASE)
_MARK = re.compile(
    rb'"(@timestamp|ecs(?:\.version)?|event(?:\.(?:category|kind|action|module|dataset|outcome|type))?)"\s*:\s*(?:["{\[0-9])'
)
_AWS = ".amazonaws.com"
_OUTCOMES = frozenset({"success", "failure"})
_LEGACY_OUTCOMES = {"authentication_success": "success", "authentication_failure": "failure", "allowed": "success", "denied": "failure"}
_SSH_REASONS = {"Invalid": "unknown_user", "Failed": "bad_password"}


class EcsParser(RecordsParser[Record]):
    """Parser of one input; it remembers nothing but the numbers of equal documents without an id."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)

    def decode(self, data: bytes) -> Record:
        """See ``RecordsParser``."""
        return decode(data)

    def inner(self, record: Record) -> Inner | None:
        """See ``RecordsParser``."""
        return hits_of(record)

    def event(self, record: Record, raw: bytes) -> Event | None:
        """See ``RecordsParser``; ``None`` for categories and kinds that are not read."""
        if is_bulk_action(record):
            return None
        fields = as_dict(record.event)
        if record.timestamp is None and not fields:
            raise RejectError("unknown_shape", "expected @timestamp and event")
        if not fields and not as_dict(record.ecs) and not as_dict(record.http):
            raise RejectError("unknown_shape", "expected event, ecs or http")
        if fields.get("kind") not in _KINDS_READ if isinstance(fields.get("kind"), str) else False:
            return None
        rule = _rule(record, fields)
        if rule is None:
            return None
        event = Event(rule.kind, moment(record.timestamp, "@timestamp"), self.id_of(text_of(record.id, fields.get("id")), raw))
        event.tenant = self.tenant
        event.action = rule.action or text_of(fields.get("action"))
        _set_outcome(event, record, fields)
        _set_who(event, record, fields)
        _set_where(event, record, fields)
        _set_http(event, record, fields)
        _judge(event, record, fields)
        return event


def _texts(value: Any) -> Sequence[str]:
    """A field that is a list by the schema and a single word in many documents."""
    if isinstance(value, str):
        return (value.lower(),)
    return [item.lower() for item in value if isinstance(item, str)] if isinstance(value, list) else ()


def _rule(record: Record, fields: dict[str, Any]) -> Rule | None:
    """What this document is; ``None`` when it is not read."""
    action = as_text(fields.get("action")) or ""
    module, dataset = _module(fields)
    if module == "okta" and "." in action:
        okta = okta_rule(action)
        return None if okta is None else Rule(_step(okta.kind, okta.action, fields), okta.action)
    provider = as_text(fields.get("provider")) or ""
    if provider.endswith(_AWS) and (call := CALLS.get(f"{provider.removesuffix(_AWS)}:{action}")) is not None and call.when is None:
        return Rule(call.kind)
    categories = set(_texts(fields.get("category")))
    types = frozenset(_texts(fields.get("type")))
    is_http = _is_http(record)
    for category in ORDER:
        if category not in categories or (category == "network" and not is_http):
            continue
        if category == "file" and (module in ENDPOINT_FILES or dataset.startswith("endpoint.")):
            continue
        rule = rule_for(category, types, action)
        if "denied" in types and not rule.kind.startswith("auth."):
            return Rule("authz.decision", rule.action)
        return rule
    if dataset.startswith("system.auth") or module == "system":
        return _sudo(record)
    return Rule("api.request") if not categories and is_http else None


def _step(kind: str, action: str, fields: dict[str, Any]) -> str:
    """A step of an Okta login that succeeds is not yet one."""
    return "auth.session" if action == "login.step" and fields.get("outcome") != "failure" else kind


def _module(fields: dict[str, Any]) -> tuple[str, str]:
    dataset = as_text(fields.get("dataset")) or ""
    return as_text(fields.get("module")) or dataset.partition(".")[0], dataset


def _is_http(record: Record) -> bool:
    http = as_dict(record.http)
    return bool(as_dict(http.get("request")).get("method") or as_dict(http.get("response")).get("status_code"))


def _sudo(record: Record) -> Rule | None:
    sudo = as_dict(as_dict(as_dict(record.system).get("auth")).get("sudo"))
    if not sudo.get("command"):
        return None
    error = as_text(sudo.get("error")) or ""
    return Rule("authz.decision" if "NOT" in error or "not allowed" in error else "admin.action", "sudo")


def _set_outcome(event: Event, record: Record, fields: dict[str, Any]) -> None:
    outcome = fields.get("outcome")
    if isinstance(outcome, str) and outcome.lower() in _OUTCOMES:
        event.outcome = outcome.lower()
    else:
        event.outcome = next((_LEGACY_OUTCOMES[word] for word in _texts(fields.get("type")) if word in _LEGACY_OUTCOMES), None)
    if event.action == "sudo" and event.outcome is None:
        error = as_dict(as_dict(as_dict(record.system).get("auth")).get("sudo")).get("error")
        event.outcome = "failure" if error else "success"
    if event.outcome == "failure":
        event.reason = reason_of(*_reasons(record, fields))
        if event.reason is None and event.kind == "authz.decision":
            event.reason = "forbidden"
        if event.reason in {"mfa_denied", "mfa_timeout"} and event.kind == "auth.login":
            event.kind, event.action = "auth.mfa_challenge", "mfa.challenge"


def _reasons(record: Record, fields: dict[str, Any]) -> Iterator[Any]:
    """Where documents say why, the surest first."""
    ssh = as_dict(as_dict(as_dict(record.system).get("auth")).get("ssh"))
    if isinstance(ssh.get("event"), str):
        yield _SSH_REASONS.get(ssh["event"])
    if record.winlog is not None:
        data = as_dict(as_dict(record.winlog).get("event_data"))
        failure = as_dict(as_dict(as_dict(record.winlog).get("logon")).get("failure"))
        yield from (failure.get("sub_status"), data.get("SubStatus") if data.get("SubStatus") != "0x0" else None)
        yield from (failure.get("status"), data.get("Status"), failure.get("reason"))
    yield as_dict(as_dict(record.okta).get("outcome")).get("reason")
    yield as_dict(as_dict(record.aws).get("cloudtrail")).get("error_code")
    sign_in = as_dict(as_dict(record.azure).get("signinlogs"))
    yield sign_in.get("result_description")
    yield from (fields.get("reason"), as_dict(record.error).get("code"), as_dict(record.error).get("message"))


def _name(user: Any) -> str | None:
    fields = as_dict(user)
    return text_of(fields.get("name"), fields.get("email"), fields.get("id"), fields.get("full_name"))


def _set_who(event: Event, record: Record, fields: dict[str, Any]) -> None:
    user = as_dict(record.user)
    actor = _name(user) or _name(as_dict(record.client).get("user")) or _name(as_dict(record.source).get("user"))
    okta = as_dict(record.okta)
    if okta and "@" not in (actor or "") and (login := as_text(as_dict(okta.get("actor")).get("alternate_id"))) is not None:
        actor = text_of(login) or actor
    target = _name(user.get("target"))
    if target is None and actor is not None and event.kind == "account.change" and _module(fields)[1] == "system.auth":
        target, actor = actor, None  # useradd and its like name the account, not who ran them
    event.actor = actor
    if actor is not None:
        event.actor_type = "service" if actor.endswith("$") else "anonymous" if actor.upper() == "ANONYMOUS LOGON" else "user"
    group = text_of(as_dict(record.group).get("name"), as_dict(record.group).get("id"))
    file = as_dict(record.file)
    named = (
        ("user", target),
        ("group", group if event.kind in {"admin.action", "account.change"} else None),
        ("file", text_of(file.get("path"), file.get("name"), file.get("inode"), chars=TARGET_CHARS)),
        ("database", text_of(as_dict(record.database).get("name"))),
    )
    event.target = next((f"{kind}:{name}"[:TARGET_CHARS] for kind, name in named if name is not None), None)
    if event.target is None and isinstance(okta.get("target"), list) and okta["target"]:
        first = as_dict(okta["target"][0])
        if (name := text_of(first.get("alternate_id"), first.get("id"))) is not None:
            event.target = f"{(as_text(first.get('type')) or 'target').lower()}:{name}"[:TARGET_CHARS]


def _set_where(event: Event, record: Record, fields: dict[str, Any]) -> None:
    source, client = as_dict(record.source), as_dict(record.client)
    event.ip = address_of(source.get("ip"), client.get("ip"), source.get("address"), client.get("address"))
    geo = as_dict(source.get("geo")) or as_dict(client.get("geo"))
    if geo:
        lat, lon = _point(geo.get("location"))
        set_place(event, geo.get("country_iso_code") or geo.get("country_name"), geo.get("city_name"), lat, lon)
    set_asn(event, as_dict(source.get("as")).get("number") or as_dict(client.get("as")).get("number"))
    event.user_agent = text_of(as_dict(record.user_agent).get("original"), chars=AGENT_CHARS)
    event.device_id = text_of(as_dict(record.device).get("id"))
    session = as_dict(as_dict(record.okta).get("authentication_context")).get("external_session_id")
    event.session_id = text_of(session, as_dict(as_dict(record.winlog).get("logon")).get("id"))
    event.risk = _risk(record, fields)


def _point(location: Any) -> tuple[Any, Any]:
    """Latitude and longitude of a geo point, in each of the forms Elasticsearch takes."""
    if isinstance(location, dict):
        if isinstance(location.get("coordinates"), list):
            return _point(location["coordinates"])
        return _float(location.get("lat")), _float(location.get("lon"))
    if isinstance(location, list) and len(location) >= 2:
        return _float(location[1]), _float(location[0])
    if isinstance(location, str) and len(location) <= 80:
        if (match := _POINT.fullmatch(location)) is not None:
            return _float(match[2]), _float(match[1])
        lat, _, lon = location.partition(",")
        return _float(lat), _float(lon)
    return None, None


def _float(value: Any) -> float | None:
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return None
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _risk(record: Record, fields: dict[str, Any]) -> str | None:
    debug = as_dict(as_dict(as_dict(record.okta).get("debug_context")).get("debug_data"))
    sign_in = as_dict(as_dict(as_dict(record.azure).get("signinlogs")).get("properties"))
    for word in (debug.get("risk_level"), sign_in.get("risk_level_during_signin"), sign_in.get("risk_level_aggregated")):
        if isinstance(word, str) and word.lower() in RISKS:
            return RISKS[word.lower()]
    score = number_of(fields.get("risk_score_norm"), 101)
    return "high" if score >= 70 else "medium" if score >= 40 else "low" if score >= 20 else None


def _set_http(event: Event, record: Record, fields: dict[str, Any]) -> None:
    http, url = as_dict(record.http), as_dict(record.url)
    request, response = as_dict(http.get("request")), as_dict(http.get("response"))
    method = as_text(request.get("method"))
    event.method = method.upper()[:20] if method else None
    event.status = status_of(response.get("status_code"))
    event.path = as_text(url.get("path"), PATH_CHARS)
    event.query = as_text(url.get("query"), QUERY_CHARS)
    if event.path is None and (whole := as_text(url.get("original") or url.get("full"), PATH_CHARS + QUERY_CHARS)) is not None:
        _, found, rest = whole.partition("://")
        event.path, own = split_url(f"/{rest.partition('/')[2]}" if found else whole)
        event.query = event.query or own
    event.latency_ms = float(number_of(fields.get("duration"), LATENCY_LIMIT_MS * _NANOSECONDS_PER_MS)) / _NANOSECONDS_PER_MS
    event.bytes = int(number_of(as_dict(response.get("body")).get("bytes") or response.get("bytes"), COUNT_LIMIT))


def _judge(event: Event, record: Record, fields: dict[str, Any]) -> None:
    """What only the whole tells."""
    provider = as_text(fields.get("provider"))
    if provider is not None and event.action is not None and provider.endswith(_AWS):
        event.route = f"{provider}:{event.action}"[:TARGET_CHARS]
    if event.kind == "api.request" and (event.method is not None or event.status):
        outcome, reason = event.outcome, event.reason
        classify(event)
        event.outcome, event.reason = event.outcome or outcome, event.reason or reason
    elif event.status >= 400 and event.outcome is None:
        event.outcome = "failure"
    if event.action == "sudo":
        command = as_text(as_dict(as_dict(as_dict(record.system).get("auth")).get("sudo")).get("command"))
        program = command.split(maxsplit=1)[0] if command and command.strip() else None
        event.target = f"command:{program}"[:TARGET_CHARS] if program else None
    if event.kind == "data.export" and event.outcome != "failure":
        event.records = 1
        event.bytes = event.bytes or int(number_of(as_dict(record.file).get("size"), COUNT_LIMIT))
    if event.kind == "authz.decision" and event.outcome is None:
        event.outcome, event.reason = "failure", event.reason or "forbidden"
    elif event.outcome == "failure" and event.reason == "forbidden" and not event.kind.startswith("auth"):
        event.kind = "authz.decision"


class Ecs:
    """The format ``ecs``."""

    name = "ecs"
    title = "Elastic Common Schema documents: lines, arrays, Elasticsearch hits, bulk requests"
    rules = tuple(listing())
    """(category with types, kind, note) of every rule, in the order they are tried."""
    ignored = tuple((category, "", "not read") for category in IGNORED)

    def recognise(self, sample: bytes) -> float:
        """By ``@timestamp`` together with the field set ``event`` or ``ecs``."""
        if sample.lstrip(BOM + b" \t\r\n")[:1] not in {b"{", b"["}:
            return 0.0
        names = {mark[1] for mark in _MARK.finditer(sample)}
        if b"@timestamp" not in names or len(names) == 1:
            return 0.0
        has_version = bool(names & {b"ecs", b"ecs.version"})
        has_fields = (
            len(names - {b"@timestamp", b"ecs", b"ecs.version", b"event"}) >= 1 or b'"category"' in sample or b'"dataset"' in sample
        )
        return 0.97 if has_version and has_fields else 0.9 if has_version or has_fields else 0.4

    def parser(self, context: Context) -> EcsParser:
        """A parser for one input."""
        return EcsParser(context)


FORMAT = Ecs()
