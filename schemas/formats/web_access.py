r"""Access logs of nginx and Apache: combined, common and JSON lines, and the failed log-ins of their error logs.

A virtual host, a syslog header or a container's name may stand before the line; what follows the user agent (Traefik's fields, request
time, upstream) is read only for a latency and ``X-Forwarded-For``. What a request means is told in ``web_requests``, error logs in
``web_errors``. Bytes that are no UTF-8 are kept written out as ``\xHH``, the way the servers themselves do it.
"""

import re
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from schemas.errors import RejectError
from schemas.event import Event
from schemas.formats.base import Context
from schemas.formats.web_errors import failed_login, is_error_line
from schemas.formats.web_json import load_object, looks_like_request, request_event
from schemas.formats.web_requests import ACTOR_CHARS, AGENT_CHARS, PATH_CHARS, QUERY_CHARS, classify, client_ip, split_request, unescape
from schemas.formats.web_rules import IGNORED, RULES
from schemas.formats.web_stamps import from_stamp, minute_ts

LINE_BYTES_LIMIT = 65_536
"""Servers refuse a request head beyond 8–32 KiB, so a longer line is no request of theirs."""
_SAMPLE_LINES = 60
_ERROR_LINE_LIKENESS = 0.6
"""Nothing else begins like these lines, so a log of them alone is still recognised: its first failed log-in may come late."""

# The common case in one step: no escapes, no broken request, nothing before the address.
_COMMON = re.compile(
    r"(\S{1,255}) \S+ (\S+) \[([0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9]{2}:[0-9]{2}):([0-5][0-9]) ([+-][0-9]{4})\] "
    r'"([A-Z]{3,20}) ([^ ?"\\]+)(?:\?([^ "\\]*))? HTTP/[0-9.]{1,4}" ([1-9][0-9]{2}) ([0-9]{1,18}|-)'
    r'(?: "[^"\\]*" "([^"\\]*)"(.*))?$',
    re.ASCII,
).match

_QUOTED = r'"([^"\\]*(?:\\.[^"\\]*)*)"'
_ANY = re.compile(
    rf"(\S{{1,255}}) (\S+) (.{{0,1024}}?) ?\[([0-9A-Za-z][^\]]{{15,40}})\] {_QUOTED} ([1-9][0-9]{{2}}|-|0|000) ([0-9]{{1,18}}|-)"
    rf"(?: {_QUOTED} {_QUOTED})?(.*)$",
    re.ASCII,
).match
_SYSLOG = re.compile(
    r"(?:<[0-9]{1,3}>)?(?:1 )?(?:[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8}|[0-9]{4}-[0-9]{2}-[0-9]{2}T[^ ]{8,30}) "
    r"(?:[^ ]{1,255} )?[^ \[:]{1,64}(?:\[[0-9]{1,10}\])?: ",
    re.ASCII,
)
_CONTAINER = re.compile(r"[\w.-]{1,128} +\| ", re.ASCII)
# A dash after it would be the second field, and the "virtual host" a client whose user name has a space in it.
_VHOST = re.compile(r"[\w.*-]{1,255}(?::[0-9]{1,5})? (?=(?!- )\S+ \S+ \S* ?\[)", re.ASCII)

_MILLISECONDS = re.compile(r" ([0-9]{1,9})ms$", re.ASCII)
_SECONDS = re.compile(r'[ "=]([0-9]{1,6}\.[0-9]{3})(?=[ "s]|$)', re.ASCII)
"""nginx writes its request time with exactly three decimals; Apache's ``%D`` is a bare integer and cannot be told from others."""
_FORWARDED = re.compile(r' (?:X-Forwarded-For=)?"([0-9A-Fa-f.:, ]{2,1024})"')
_HOPS = re.compile(
    r'(?:[\w.*-]{1,255}(?::[0-9]{1,5})? )?"?((?:(?:[0-9A-Fa-f.:]{2,45}|localhost), ){1,32}(?:[0-9A-Fa-f.:]{2,45}|localhost))"?'
    r"(?: ([0-9A-Fa-f.:]{2,45}))?(?= - )",
    re.ASCII,
).match
"""``X-Forwarded-For`` in the place of the address, the way proxies' own logs often have it, maybe with the peer after it."""


class WebAccessParser:
    """Parser of one access log. It remembers nothing itself; equal lines are numbered in the shared memory."""

    def __init__(self, context: Context) -> None:
        self._tenant = context.tenant
        self._lines = context.memory.lines

    def parse(self, record: bytes) -> Sequence[Event]:
        """The request or failed log-in of one line; nothing for an empty line or another line of an error log."""
        record = record.rstrip(b"\r\n")
        line = record.decode("utf-8", "backslashreplace")
        match = _COMMON(line) if len(line) <= LINE_BYTES_LIMIT else None
        if match is None:
            event = _uncommon(line)
            if event is None:
                return ()
            event.id, event.tenant = self._id(record), self._tenant
            return (event,)
        host, user, minute, second, zone, method, path, query, code, size, agent, extras = match.groups()
        status = int(code)
        event = Event(
            "api.request",
            minute_ts(minute, zone) + int(second),
            self._id(record),
            "success" if status < 400 else "failure",
            self._tenant,
            ip=client_ip(host, None),
            method=method,
            path=path[:PATH_CHARS],
            query=query[:QUERY_CHARS] if query else None,
            status=status,
            bytes=0 if size == "-" else int(size),
        )
        if agent and agent != "-":
            event.user_agent = agent[:AGENT_CHARS]
        if user != "-":
            event.actor, event.actor_type = user[:ACTOR_CHARS], "user"
        if extras:
            _read_extras(event, host, extras)
        if status >= 400 or method == "POST":
            classify(event)
        return (event,)

    def dump(self) -> Any:
        """Nothing is kept."""
        return

    def load(self, data: Any) -> None:
        """Nothing is kept."""

    def _id(self, record: bytes) -> str:
        """Hash of the line; a line seen before gets a number too. The hash, not the line, is remembered: it is far smaller."""
        digest = blake2b(record, digest_size=8).hexdigest()
        n = self._lines.number(digest)
        return f"{digest}-{n}" if n else digest


def _uncommon(line: str) -> Event | None:
    """The event of a line that is not of the common form, without id and tenant; ``None`` when it is of no interest."""
    if len(line) > LINE_BYTES_LIMIT:
        raise RejectError("too_long", f"line: expected at most {LINE_BYTES_LIMIT} bytes")
    body = _body(line)
    if body.startswith("{"):
        return request_event(load_object(body.encode()))
    if is_error_line(body):
        return failed_login(body)
    hops = _HOPS(body)
    if hops:
        body = f"{hops[2] or 'unix:'}{body[hops.end() :]}"
    match = _ANY(body)
    if match is None:
        if not body.strip():
            return None
        raise RejectError("unknown_shape", "expected an access log line")
    host, _, user, stamp, request, code, size, _, agent, extras = match.groups()
    actor = unescape(user)[:ACTOR_CHARS] if user and user != "-" else None
    method, path, query = split_request(unescape(request))
    event = Event(
        "api.request",
        from_stamp(stamp),
        ip=client_ip(host, hops[1] if hops else None),
        actor=actor,
        actor_type="user" if actor else None,
        user_agent=unescape(agent)[:AGENT_CHARS] if agent and agent != "-" else None,
        method=method,
        path=path,
        query=query,
        status=0 if code == "-" else int(code),
        bytes=0 if size == "-" else int(size),
    )
    if extras:
        _read_extras(event, host, extras)
    classify(event)
    return event


def _body(line: str) -> str:
    """The line without what may stand before it: a container's name, a syslog header, a virtual host."""
    for prefix in (_CONTAINER, _SYSLOG):
        if match := prefix.match(line):
            line = line[match.end() :]
    if match := _VHOST.match(line):
        line = line[match.end() :]
    return line.lstrip(" ")


def _read_extras(event: Event, host: str, extras: str) -> None:
    """Latency and ``X-Forwarded-For`` out of whatever follows the user agent."""
    if match := _MILLISECONDS.search(extras):
        event.latency_ms = float(match[1])
    elif match := _SECONDS.search(extras):
        event.latency_ms = round(float(match[1]) * 1000, 3)
    if match := _FORWARDED.match(extras):
        event.ip = client_ip(host, match[1])


class WebAccess:
    """The format ``web_access``."""

    name = "web_access"
    title = "nginx and Apache access logs (combined, common, JSON), with log-in failures from their error logs"
    rules = RULES
    ignored = IGNORED

    def recognise(self, sample: bytes) -> float:
        """By the share of its first lines that are access lines; lines of an error log count less, for most of them say nothing."""
        lines = sample.splitlines()
        if len(lines) > 1 and not sample.endswith(b"\n"):
            lines.pop()  # cut in the middle
        texts = [line.decode("utf-8", "backslashreplace") for line in lines[: 4 * _SAMPLE_LINES] if line.strip()][:_SAMPLE_LINES]
        return 0.95 * sum(map(_likeness, texts)) / len(texts) if texts else 0.0

    def parser(self, context: Context) -> WebAccessParser:
        """A parser for one access log."""
        return WebAccessParser(context)


def _likeness(line: str) -> float:
    if len(line) > LINE_BYTES_LIMIT:
        return 0.0
    if _COMMON(line):
        return 1.0
    body = _body(line)
    if body.startswith("{"):
        try:
            return 1.0 if looks_like_request(load_object(body.encode())) else 0.0
        except RejectError:
            return 0.0
    return _ERROR_LINE_LIKENESS if is_error_line(body) else 1.0 if _HOPS(body) or _ANY(body) else 0.0


FORMAT = WebAccess()
