"""Slack, PagerDuty, Alertmanager and a webhook of one's own on this machine, with real TLS: as strict as they say of themselves.

``FakeServices`` runs in a thread, so tests of one process and of several can use it alike. What was accepted is in ``taken``; what was wrong
with a refused request is in ``complaints``. ``fail`` makes it misbehave.
"""

import asyncio
import json
import re
import ssl
import tempfile
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self

import trustme

from tests.fake_rules import Reply, alertmanager_reply, pagerduty_reply, signature_problem, slack_problem

Service = Literal["slack_webhook", "slack_api", "pagerduty", "webhook", "alertmanager"]

HOST = "alerts.example.com"
"""The name in the certificate, beside localhost and 127.0.0.1."""
WEBHOOK_PATH = "/services/T00000000/B00000000/w3bh00kPathSecret"
HOOK_PATH = "/hook/p4thSecret"
HOOK_QUERY = "token=qu3rySecret"
BOT_TOKEN = "xoxb-000000000000-b0tT0kenSecret"
ROUTING_KEY = "R0utingKeySecret0000000000000000"
SIGNING_SECRET = "s1gningSecret-0123456789"
BEARER = "b3arerSecret-0123456789"
SECRETS = (WEBHOOK_PATH, "w3bh00kPathSecret", "p4thSecret", "qu3rySecret", BOT_TOKEN, "b0tT0kenSecret", ROUTING_KEY, SIGNING_SECRET, BEARER)
"""None of these may be found in a log, an error or a metric."""
MAX_BODY_BYTES = 10_000_000
MAX_SLACK_BYTES = 1_000_000

_PATHS: dict[str, Service] = {
    WEBHOOK_PATH: "slack_webhook",
    "/api/chat.postMessage": "slack_api",
    "/api/chat.update": "slack_api",
    "/v2/enqueue": "pagerduty",
    HOOK_PATH: "webhook",
    "/api/v2/alerts": "alertmanager",
}


@dataclass(frozen=True)
class Fault:
    """How one request goes wrong. ``status`` with ``headers`` and ``body`` is an answer like any other."""

    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    wait_s: float = 0.0
    """Before anything is answered."""
    garbage: bool = False
    """Answers with bytes that are no HTTP."""
    close: Literal["", "at once", "mid-body"] = ""
    """Closes the connection: without an answer, or in the middle of it (after the message was taken)."""
    drip_s: float = 0.0
    """A status of 200, then a body of which a byte comes each so many seconds."""
    huge: int = 0
    """So many bytes of body after a status of 200."""


class Request(NamedTuple):
    """What came in."""

    service: Service | None
    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


@dataclass
class Channel:
    """A channel of the fake Slack."""

    messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    threads: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    edits: int = 0


class FakeServices:
    """Use as a context manager. ``limit_per_minute``: requests of a service within a minute beyond which it answers 429."""

    def __init__(self, *, limit_per_minute: dict[Service, int] | None = None, wall: Any = time.time) -> None:
        self.seen: list[Request] = []
        self.taken: list[Request] = []
        self.complaints: list[str] = []
        self.connections = 0
        self.slack = Channel()
        self.pagerduty: dict[str, list[dict[str, Any]]] = {}
        """Events by ``dedup_key`` of incidents that are open."""
        self.alertmanager: dict[tuple[tuple[str, str], ...], dict[str, Any]] = {}
        """Alerts by their labels."""
        self.slack_error: str | None = None
        """What Slack's Web API answers with ``ok: false``."""
        self._faults: dict[Service | None, deque[Fault]] = {}
        self._always: dict[Service | None, Fault] = {}
        self._limits = limit_per_minute or {}
        self._recent: dict[Service | None, deque[float]] = {}
        self.wall = wall
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="fake-services", daemon=True)
        self._folder = tempfile.TemporaryDirectory(prefix="fake-services-")
        self.ca_file = Path(self._folder.name) / "ca.pem"
        self.port = 0

    # -- for tests ----------------------------------------------------------------------------------------------------------------

    def url(self, path: str, host: str = HOST) -> str:
        """An address of this server."""
        return f"https://{host}:{self.port}{path}"

    def fail(self, *faults: Fault, service: Service | None = None, always: Fault | None = None) -> None:
        """Let the next requests (of one service, else of any) go wrong, one fault each, and then, with ``always``, all others."""
        self._faults.setdefault(service, deque()).extend(faults)
        if always is not None:
            self._always[service] = always

    def recover(self) -> None:
        """Let everything go well again."""
        self._faults.clear()
        self._always.clear()
        self.slack_error = None

    def of(self, service: Service) -> list[Request]:
        """What was taken by one service."""
        return [request for request in self.taken if request.service == service]

    async def resolver(self, _host: str, _port: int) -> list[str]:
        """Leads every name to this machine."""
        return ["127.0.0.1"]

    # -- the server ---------------------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.ca_file)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(HOST, "localhost", "127.0.0.1").configure_cert(self._tls)
        self._thread.start()
        assert self._ready.wait(10), "the fake services did not start"
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None:
        stop = self._stop
        if stop is not None:
            self._loop.call_soon_threadsafe(stop.set)
        self._thread.join(10)
        self._folder.cleanup()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        writers: set[asyncio.StreamWriter] = set()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.add(writer)
            self.connections += 1
            try:
                while await self._one(reader, writer):
                    pass
            except (OSError, asyncio.IncompleteReadError, ssl.SSLError, asyncio.LimitOverrunError):
                pass
            finally:
                writers.discard(writer)
                writer.transport.abort()

        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        await asyncio.sleep(0.02)  # a connection that was accepted just now belongs to nobody yet, who could close it
        server.close()
        for writer in list(writers):
            writer.transport.abort()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0.02)  # what was cut off in the middle of a handshake is closed in the turns of the loop after that

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; whether the connection goes on."""
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ", 2)
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)}
        length = int(headers.get("content-length", "0"))
        assert length <= MAX_BODY_BYTES
        body = await reader.readexactly(length)
        request = Request(_PATHS.get(target.partition("?")[0]), method, target, headers, body)
        self.seen.append(request)
        fault = self._next_fault(request.service)
        if fault is not None:
            return await self._misbehave(request, fault, writer)
        await _answer(writer, self._reply(request))
        return headers.get("connection", "").lower() != "close"

    def _next_fault(self, service: Service | None) -> Fault | None:
        for name in (service, None):
            if self._faults.get(name):
                return self._faults[name].popleft()
        return self._always.get(service) or self._always.get(None)

    async def _misbehave(self, request: Request, fault: Fault, writer: asyncio.StreamWriter) -> bool:
        await asyncio.sleep(fault.wait_s)
        if fault.close == "at once":
            return False
        if fault.garbage:
            writer.write(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
        elif fault.close or fault.drip_s or fault.huge:
            reply = self._reply(request)
            size = fault.huge or 1_000
            writer.write(f"HTTP/1.1 {reply.status} OK\r\nContent-Length: {size}\r\n\r\n".encode())
            await self._body(fault, reply, size, writer)
        elif fault.status is None:
            await _answer(writer, self._reply(request))
            return True
        else:
            await _answer(writer, Reply(fault.status, fault.body, fault.headers))
            return True
        await writer.drain()
        return False

    async def _body(self, fault: Fault, reply: Reply, size: int, writer: asyncio.StreamWriter) -> None:
        if fault.close:
            writer.write(reply.body[:20])
            await writer.drain()
            await asyncio.sleep(0.05)  # so that what was written arrives before the end does
        elif fault.drip_s:
            for _ in range(size):
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(fault.drip_s)
        else:
            for _ in range(size // 10_000):
                writer.write(b" " * 10_000)
                await writer.drain()

    # -- the services -------------------------------------------------------------------------------------------------------------

    def _reply(self, request: Request) -> Reply:
        if request.service is None or request.method != "POST":
            return Reply(404, b"no_service")
        if self._too_many(request.service):
            return Reply(429, b"rate_limited", (("Retry-After", "30"),))
        answers = {
            "slack_webhook": self._slack_webhook,
            "slack_api": self._slack_api,
            "pagerduty": self._pagerduty,
            "webhook": self._webhook,
            "alertmanager": self._alertmanager,
        }
        reply = answers[request.service](request)
        if reply.problem:
            self.complaints.append(f"{request.service}: {reply.problem}")
        else:
            self.taken.append(request)
        return reply

    def _too_many(self, service: Service) -> bool:
        limit = self._limits.get(service)
        if limit is None:
            return False
        recent = self._recent.setdefault(service, deque())
        now = time.monotonic()
        while recent and recent[0] < now - 60:
            recent.popleft()
        if len(recent) >= limit:
            return True
        recent.append(now)
        return False

    def _slack_webhook(self, request: Request) -> Reply:
        problem = slack_problem(request.body)
        if problem is not None:
            return Reply(400, b"invalid_payload", problem=problem)
        self.slack.messages[f"1770000000.{len(self.slack.messages):06}"] = request.json
        return Reply(200, b"ok")

    def _slack_api(self, request: Request) -> Reply:
        said = self.slack_error
        if request.headers.get("authorization") != f"Bearer {BOT_TOKEN}":
            said = said or "invalid_auth"
        problem = slack_problem(request.body)
        if said is None and problem is not None:
            said = "invalid_blocks"
        if said is not None:
            return _slack({"ok": False, "error": said}, problem or said)
        payload = request.json
        if payload.get("channel") not in {"#soc", "C0000000SOC"}:
            return _slack({"ok": False, "error": "channel_not_found"}, "channel_not_found")
        if request.target.endswith("chat.update"):
            return self._slack_update(payload)
        if "thread_ts" in payload:
            self.slack.threads.setdefault(payload["thread_ts"], []).append(payload)
            return _slack({"ok": True, "channel": "C0000000SOC", "ts": f"1770000001.{len(self.seen):06}"})
        ts = f"1770000000.{len(self.slack.messages):06}"
        self.slack.messages[ts] = payload
        return _slack({"ok": True, "channel": "C0000000SOC", "ts": ts})

    def _slack_update(self, payload: dict[str, Any]) -> Reply:
        if payload["channel"] != "C0000000SOC":
            return _slack({"ok": False, "error": "channel_not_found"}, "chat.update takes the id of a channel alone")
        ts = payload.get("ts")
        if ts not in self.slack.messages:
            return _slack({"ok": False, "error": "message_not_found"}, "message_not_found")
        self.slack.messages[ts] = payload
        self.slack.edits += 1
        return _slack({"ok": True, "channel": "C0000000SOC", "ts": ts})

    def _pagerduty(self, request: Request) -> Reply:
        reply = pagerduty_reply(request.body, ROUTING_KEY)
        if reply.problem is None:
            event = request.json
            if event["event_action"] == "trigger":
                self.pagerduty.setdefault(event["dedup_key"], []).append(event)
            elif event["event_action"] == "resolve":
                self.pagerduty.pop(event["dedup_key"], None)
        return reply

    def _webhook(self, request: Request) -> Reply:
        problem = signature_problem(request.headers, request.body, SIGNING_SECRET, self.wall())
        if problem is None and request.target != f"{HOOK_PATH}?{HOOK_QUERY}":
            problem = "the query is another one"
        return Reply(401, b"", problem=problem) if problem else Reply(200, b"{}")

    def _alertmanager(self, request: Request) -> Reply:
        if "authorization" in request.headers and request.headers["authorization"] != f"Bearer {BEARER}":
            return Reply(401, b"Unauthorized", problem="credentials")
        reply = alertmanager_reply(request.body)
        if reply.problem is None:
            for alert in request.json:
                self.alertmanager[tuple(sorted(alert["labels"].items()))] = alert
        return reply


def _slack(payload: dict[str, Any], problem: str | None = None) -> Reply:
    return Reply(200, json.dumps(payload).encode(), problem=problem)


async def _answer(writer: asyncio.StreamWriter, reply: Reply) -> None:
    head = [f"HTTP/1.1 {reply.status} Status", f"Content-Length: {len(reply.body)}", "Content-Type: application/json"]
    head += [f"{name}: {value}" for name, value in reply.headers]
    writer.write("\r\n".join([*head, "", ""]).encode("latin-1") + reply.body)
    await writer.drain()


def found_secrets(text: str) -> list[str]:
    """The secrets that stand in a text."""
    return [secret for secret in SECRETS if re.search(re.escape(secret), text, re.IGNORECASE)]
