"""What the real services demand of a message, as far as they have written it down."""

import hashlib
import hmac
import json
import re
from datetime import datetime
from typing import Any, NamedTuple

MAX_BLOCKS = 50
MAX_BLOCKS_CHARS = 13_200
MAX_EVENT_BYTES = 512_000
MAX_SKEW_S = 300
_LINK = re.compile(r"<https://[^<>|\s]{1,3000}\|[A-Za-z0-9.]{1,40}>")
_SEVERITIES = {"critical", "error", "warning", "info"}


class Reply(NamedTuple):
    """An answer."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    problem: str | None = None
    """What was wrong with the request."""


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


# -- Slack ----------------------------------------------------------------------------------------------------------------------------


def slack_problem(body: bytes) -> str | None:
    """What Slack would refuse in a message, or what somebody could do harm with in it."""
    payload = _decoded(body)
    if not isinstance(payload, dict):
        return "no JSON object"
    if not payload.get("text") or len(payload["text"]) > 40_000:
        return "text is missing or too long"
    if payload.get("unfurl_links") is not False and "ts" not in payload:
        return "links are unfurled"
    blocks = [payload.get("blocks", []), *(part.get("blocks", []) for part in payload.get("attachments", []))]
    if sum(len(json.dumps(each)) for each in blocks) > MAX_BLOCKS_CHARS:
        return "msg_blocks_too_long"
    if sum(map(len, blocks)) > MAX_BLOCKS:
        return "too many blocks"
    problems = [_block_problem(block) for each in blocks for block in each] + [_text_problem("text", payload["text"], links=False)]
    return next((problem for problem in problems if problem), None)


def _block_problem(block: dict[str, Any]) -> str | None:
    match block["type"]:
        case "header":
            return _element_problem("header", block["text"], 150, kinds=("plain_text",))
        case "section":
            fields = block.get("fields", [])
            if len(fields) > 10 or ("text" not in block and not fields):
                return "a section has 1 to 10 fields, or a text"
            problems = [_element_problem("field", each, 2_000) for each in fields]
            if "text" in block:
                problems.append(_element_problem("section", block["text"], 3_000))
            return next((problem for problem in problems if problem), None)
        case "context":
            if not 1 <= len(block["elements"]) <= 10:
                return "a context has 1 to 10 elements"
            return next((problem for each in block["elements"] if (problem := _element_problem("context", each, 2_000))), None)
        case other:
            return f"a block of the kind {other}"


def _element_problem(where: str, element: dict[str, Any], limit: int, kinds: tuple[str, ...] = ("plain_text", "mrkdwn")) -> str | None:
    if element.get("type") not in kinds:
        return f"{where}: of the kind {element.get('type')}"
    text = element.get("text")
    if not isinstance(text, str) or not 1 <= len(text) <= limit:
        return f"{where}: has {len(text or '')} characters, at most {limit} are taken"
    is_plain = element["type"] == "plain_text"
    if is_plain and (element.get("emoji") is not False or "verbatim" in element):
        return f"{where}: :names: are made emoji"
    if not is_plain and ("emoji" in element or element.get("verbatim") is not True):
        return f"{where}: what looks like a link is made one"
    return _text_problem(where, text, links=not is_plain)


def _text_problem(where: str, text: str, *, links: bool) -> str | None:
    rest = _LINK.sub("", text) if links else text
    if "<" in rest or ">" in rest or re.search(r"&(?!amp;|lt;|gt;)", rest):
        return f"{where}: holds one of <, > and & unescaped"
    if any(not c.isprintable() and c != "\n" for c in text):
        return f"{where}: holds what cannot be seen"
    return None


# -- PagerDuty ------------------------------------------------------------------------------------------------------------------------


def pagerduty_reply(body: bytes, routing_key: str) -> Reply:
    """The answer of the Events API v2."""
    problem = "the event is too large" if len(body) > MAX_EVENT_BYTES else _event_problem(_decoded(body), routing_key)
    if problem is not None:
        return Reply(400, json.dumps({"status": "invalid event", "errors": [problem]}).encode(), problem=problem)
    return Reply(202, b'{"status": "success", "message": "Event processed"}')


def _event_problem(event: Any, routing_key: str) -> str | None:
    if not isinstance(event, dict):
        return "no JSON object"
    if event.get("routing_key") != routing_key:
        return "Invalid routing key"
    if event.get("event_action") not in {"trigger", "acknowledge", "resolve"}:
        return "event_action"
    if not 1 <= len(event.get("dedup_key", "")) <= 255:
        return "dedup_key"
    if event["event_action"] != "trigger":
        return None
    payload = event.get("payload", {})
    if not 1 <= len(payload.get("summary", "")) <= 1_024:
        return "summary"
    if not payload.get("source"):
        return "source"
    if payload.get("severity") not in _SEVERITIES:
        return "severity"
    if any(not re.match(r"https?://", link.get("href", "")) for link in event.get("links", [])):
        return "links"
    return None


# -- a webhook of one's own -----------------------------------------------------------------------------------------------------------


def signature_problem(headers: dict[str, str], body: bytes, secret: str, now_wall: float) -> str | None:
    """What a receiver does, as the documentation tells it."""
    timestamp = headers.get("x-watchfloor-timestamp", "")
    if not timestamp.isdecimal() or abs(now_wall - int(timestamp)) > MAX_SKEW_S:
        return "the time is missing, or too far away"
    expected = "v1=" + hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, headers.get("x-watchfloor-signature", "")):
        return "the signature is wrong"
    if headers.get("content-type") != "application/json" or "idempotency-key" not in headers:
        return "a header is missing"
    return None if isinstance(_decoded(body), dict) else "no JSON object"


# -- Alertmanager ---------------------------------------------------------------------------------------------------------------------


def alertmanager_reply(body: bytes) -> Reply:
    """The answer of the API v2."""
    alerts = _decoded(body)
    if not isinstance(alerts, list):
        return Reply(400, b"no list", problem="no list")
    problem = next((problem for alert in alerts if (problem := _alert_problem(alert))), None)
    return Reply(400, json.dumps(problem).encode(), problem=problem) if problem else Reply(200)


def _alert_problem(alert: dict[str, Any]) -> str | None:
    labels = alert.get("labels", {})
    if not labels.get("alertname"):
        return "at least one label pair required"
    for name, value in {**labels, **alert.get("annotations", {})}.items():
        if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) is None or not isinstance(value, str) or not value:
            return f"label {name}"
    starts, ends = datetime.fromisoformat(alert["startsAt"]), datetime.fromisoformat(alert["endsAt"])
    return "start time must be before end time" if ends < starts else None
