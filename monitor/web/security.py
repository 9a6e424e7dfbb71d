"""What stands between the port and whoever calls: paths, names, sizes and tokens are judged here, before any page is."""

import hashlib
import hmac
import logging
import re
import time
from collections.abc import Callable, Iterable
from email.utils import formatdate

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.settings_http import HttpSettings, is_loopback

log = logging.getLogger("watchfloor")

MAX_PATH_BYTES = 2_048
REPORT_EVERY_S = 60.0
"""A fault of ours that repeats is logged no more often."""
SECURITY_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"content-security-policy", b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
"""On every answer; a page may bring a content policy of its own."""
_PLAIN_PATH = re.compile(rb"/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*")
_TRICK = re.compile(rb"//|%(?:2f|5c|25|0[0-9a-f]|1[0-9a-f]|7f)|/(?:\.|%2e){1,2}(?:/|$)", re.IGNORECASE)
"""Double slashes, encoded separators, control characters and percent signs, and steps to another folder."""
_HEALTH = frozenset({"/healthz", "/readyz"})
_FORWARDED = frozenset({b"forwarded", b"x-forwarded-for", b"x-real-ip", b"via"})
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


class Access:
    """Who may see what, as the settings say."""

    def __init__(self, settings: HttpSettings, token: str | None) -> None:
        self._is_local = settings.is_local
        self._metrics_public = settings.metrics_public
        own = f"[{settings.host}]" if ":" in settings.host else settings.host
        self._named = frozenset(settings.allowed_hosts)
        self._local_names = _LOCAL_NAMES | ({own} if settings.is_local else frozenset())
        self._own = own
        self._digest = None if token is None else _digest(token.encode())

    def host_fits(self, scope: Scope) -> bool:
        """Whether the port was called by one of its names.

        A web page cannot choose what a browser sends as ``Host``: a stranger's name, made to point here, is told by it.
        """
        host = host_of(scope)
        if self._is_local:
            return host in self._local_names or host in self._named
        return not self._named or host in self._named or host in _LOCAL_NAMES or host == self._own or scope["path"] in _HEALTH

    def is_trusted(self, scope: Scope) -> bool:
        """Whether details may be told: to who has the token, and to this machine itself."""
        return self.has_token(scope) or self._calls_from_here(scope)

    def may_read_metrics(self, scope: Scope) -> bool:
        """Whether the metrics may be read."""
        return self._is_local or self._metrics_public or self.has_token(scope)

    def has_token(self, scope: Scope) -> bool:
        """Whether the request has the token, or none is set."""
        if self._digest is None:
            return self._is_local
        given = _headers(scope, b"authorization")
        scheme, _, token = (given[0] if len(given) == 1 else b"").partition(b" ")
        # Digests are of one length, so that the time a comparison takes tells nothing, not even how long the token is.
        return scheme.lower() == b"bearer" and hmac.compare_digest(_digest(token.strip()), self._digest)

    def _calls_from_here(self, scope: Scope) -> bool:
        client = scope.get("client")
        if client is None or not is_loopback(client[0]) or host_of(scope) not in self._local_names:
            return False
        return not any(name in _FORWARDED for name, _ in scope["headers"])  # then a proxy calls for somebody else


def host_of(scope: Scope) -> str:
    """The name the port was called by, without the number; empty when it is none.

    >>> host_of({"headers": [(b"host", b"[::1]:9464")]}), host_of({"headers": []})
    ('[::1]', '')
    """
    given = _headers(scope, b"host")
    match = re.fullmatch(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?", given[0].decode("latin-1").lower()) if len(given) == 1 else None
    return "" if match is None else match[1].rstrip(".")


def path_fits(raw_path: bytes) -> bool:
    """Whether a path is written plainly, so that nobody along the way can read it as another one.

    >>> path_fits(b"/api/v1/alerts"), path_fits(b"/api//v1"), path_fits(b"/x/../metrics"), path_fits(b"/%2e%2e/metrics")
    (True, False, False, False)
    """
    return len(raw_path) <= MAX_PATH_BYTES and _PLAIN_PATH.fullmatch(raw_path) is not None and _TRICK.search(raw_path) is None


class Guard:
    """Judges every request before ``app`` sees it, and puts the security headers on every answer."""

    def __init__(self, app: ASGIApp, access: Access, max_request_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._access = access
        self._max_bytes = max_request_bytes
        self._clock = clock
        self._reported = float("-inf")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        answer = _Answer(send, closes=_has_body(scope))
        refusal = self._refusal(scope)
        if refusal is not None:
            await answer.refuse(*refusal)
            return
        try:
            await self._app(scope, _Bounded(receive, self._max_bytes), answer)
        except TooLargeError:
            await answer.refuse(413, "the request is too large")
        except Exception as exc:  # noqa: BLE001 - a fault of one page must not reach the server, which would log it for every request
            self._report(exc)
            await answer.refuse(500, "internal error")

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        if not path_fits(scope.get("raw_path") or b""):
            return 400, "the path is not written plainly"
        if not self._access.host_fits(scope):
            return 400, "this name is not one of the port's; see the setting http.allowed_hosts"
        length = _headers(scope, b"content-length")
        if length and (not length[0].isdigit() or int(length[0]) > self._max_bytes):
            return 413, "the request is too large"
        return None

    def _report(self, exc: Exception) -> None:
        if self._clock() >= self._reported + REPORT_EVERY_S:
            self._reported = self._clock()
            log.error("a page of the HTTP port failed", exc_info=exc)


class TooLargeError(Exception):
    """A body of unsaid length turned out too long."""


class _Bounded:
    """Hands on the body of a request up to a limit."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._left = limit

    async def __call__(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise TooLargeError
        return message


class _Answer:
    """Adds what every answer has. ``closes``: the connection ends with it, because nobody may have read the request's body."""

    def __init__(self, send: Send, *, closes: bool) -> None:
        self._send = send
        self._closes = closes
        self._begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._begun = True
            given = list(message.get("headers", ()))
            names = {name.lower() for name, _ in given}
            own = [*SECURITY_HEADERS, (b"date", formatdate(usegmt=True).encode()), *([(b"connection", b"close")] if self._closes else [])]
            message = {**message, "headers": [*given, *((name, value) for name, value in own if name not in names)]}
        await self._send(message)

    async def refuse(self, status: int, text: str) -> None:
        """Answer with one line, unless another answer has begun."""
        if self._begun:
            raise ConnectionAbortedError(text)
        self._closes = True
        body = f"{text}\n".encode()
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
        await self({"type": "http.response.start", "status": status, "headers": headers})
        await self({"type": "http.response.body", "body": body})


def _headers(scope: Scope, name: bytes) -> list[bytes]:
    given: Iterable[tuple[bytes, bytes]] = scope["headers"]
    return [value for key, value in given if key == name]


def _has_body(scope: Scope) -> bool:
    return bool(_headers(scope, b"transfer-encoding")) or any(length != b"0" for length in _headers(scope, b"content-length"))


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()
