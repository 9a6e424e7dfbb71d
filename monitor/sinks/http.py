"""What all sinks that speak HTTP share: one client, one reading of answers, one wording of troubles.

Neither proxies nor anything else is taken from the environment, no redirect is followed, no cookie kept, and certificates are always checked.
No text that leaves this module holds a part of an address, of a header or of what was sent or answered.
"""

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, NoReturn

import certifi
import httpcore
import httpx

from monitor import __version__
from monitor.notification import DeliveryError, Notification, RefusedError, Style, UnreachableError
from monitor.sinks.addresses import Guard, Resolver, resolve
from monitor.sinks.transport import CONNECT_S, TROUBLE, CheckedNetwork, CheckedTransport
from schemas.errors import ConfigurationError

USER_AGENT = f"watchfloor/{__version__}"
MAX_ANSWER_BYTES = 65_536
"""More of an answer is not read; none that is of use is longer."""
BODY_S = 5.0
"""At most, for what follows after the status of an answer, which has said already whether the message was taken."""
TRY_LATER = frozenset({408, 425, 429})
"""Statuses below 500 that may be another one next time."""
PRIVATE_CURE = "name another one, or allow its network in allow_private"


def _mute(_: logging.LogRecord) -> bool:
    """Let nothing pass: httpx logs the whole address of every request, and that of a webhook is a secret; httpcore logs headers of answers."""
    return False


for _name in ("httpx", "httpcore.connection", "httpcore.http11"):
    logging.getLogger(_name).addFilter(_mute)


@dataclass(frozen=True)
class ClientOptions:
    """What the outer world is to a client; tests put their own in its place."""

    resolver: Resolver = resolve
    wall: Callable[[], float] = time.time
    """Seconds since 1970, for signatures, leases and dates of ``Retry-After``."""
    transport: httpx.AsyncBaseTransport | None = None
    """Instead of the network."""


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: httpx.Headers
    body: bytes
    """At most ``MAX_ANSWER_BYTES``."""
    whole: bool
    """Whether ``body`` is all of it."""


class Http:
    """A client for one sink. ``setting``: the setting its address comes from, for the texts of errors; ``timeout_s``: for a whole send.

    Raises ``ConfigurationError`` when ``ca_file`` cannot be used.
    """

    def __init__(
        self, place: str, setting: str, *, timeout_s: float, guard: Guard, ca_file: Path | None = None, options: ClientOptions
    ) -> None:
        self.setting = f"{place}.{setting}"
        self._place = place
        self._timeout_s = timeout_s
        self.wall = options.wall
        tls = tls_context(ca_file, f"{place}.ca_file")
        self._client = httpx.AsyncClient(
            transport=options.transport or CheckedTransport(CheckedNetwork(self.setting, guard, options.resolver), tls),
            timeout=httpx.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s)),
            follow_redirects=False,
            trust_env=False,
            # An answer is read as it comes: unpacked, a small one could fill the memory.
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity", "Accept": "*/*"},
        )

    @asynccontextmanager
    async def budget(self) -> AsyncIterator[None]:
        """Everything inside has ``timeout_s`` together; then ``UnreachableError``."""
        try:
            async with asyncio.timeout(self._timeout_s):
                yield
        except TimeoutError:
            raise self._late() from None

    def _late(self) -> UnreachableError:
        return UnreachableError(
            f"{self.setting}: no answer within {self._timeout_s:g} s; see whether the other side is slow, or raise timeout_s"
        )

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send once. Raises ``UnreachableError`` when no status came back, or the address may not be sent to."""
        try:
            async with self._client.stream("POST", url, content=body, headers=dict(headers)) as response:
                content, whole = await _read(response, min(BODY_S, self._timeout_s / 4))
                return Answer(response.status_code, response.headers, content, whole)
        except DeliveryError:
            raise
        except TROUBLE as exc:
            self._explain(exc)

    def _explain(self, exc: Exception) -> NoReturn:
        tls = _tls_trouble(exc)
        if tls is not None:
            raise UnreachableError(f"{self.setting}: {tls.replace('{ca}', f'{self._place}.ca_file')}") from None
        if isinstance(exc, httpx.TimeoutException | httpcore.TimeoutException):
            raise self._late() from None
        if isinstance(exc, httpx.ConnectError | httpcore.ConnectError):
            raise UnreachableError(
                f"{self.setting}: no connection; see whether host and port are right, and whether a firewall is between"
            ) from None
        if isinstance(exc, httpx.InvalidURL | httpx.UnsupportedProtocol | httpcore.UnsupportedProtocol | httpcore.LocalProtocolError):
            raise UnreachableError(f"{self.setting}: cannot be sent to; check the address and the headers") from None
        raise UnreachableError(f"{self.setting}: the connection broke off before an answer came; it is tried again") from None

    def check(self, answer: Answer) -> None:
        """Raise what ``classify`` finds."""
        error = classify(answer.status, answer.headers, self.setting, self.wall())
        if error is not None:
            raise error

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()


class HttpSink:
    """Base of the sinks that speak HTTP: ``_send`` formats and posts within the time of one send."""

    style: ClassVar[Style]
    max_alerts: ClassVar[int]

    def __init__(self, http: Http) -> None:
        self.http = http

    async def send(self, notification: Notification) -> dict[str, Any]:
        """See ``monitor.notification.Sink.send``."""
        async with self.http.budget():
            return await self._send(notification)

    async def _send(self, notification: Notification) -> dict[str, Any]:
        raise NotImplementedError

    async def close(self) -> None:
        """Let go of connections."""
        await self.http.close()


async def _read(response: httpx.Response, seconds: float) -> tuple[bytes, bool]:
    """As much of the body as is of use, and whether that is all of it. What goes wrong here changes nothing of the status."""
    parts: list[bytes] = []
    room = MAX_ANSWER_BYTES
    try:
        async with asyncio.timeout(seconds):
            async for part in response.aiter_raw():
                parts.append(part[:room])
                room -= len(part)
                if room < 0:
                    return b"".join(parts), False
    except (TimeoutError, *TROUBLE):
        return b"".join(parts), False
    return b"".join(parts), True


def classify(status: int, headers: Mapping[str, str], setting: str, now_wall: float) -> DeliveryError | None:
    """What a status means: ``None`` when the message was taken."""
    if 200 <= status < 300:
        return None
    if status in TRY_LATER or status >= 500:
        wait_s = retry_after_s(headers.get("retry-after"), now_wall)
        what = "asks to send less often" if status == 429 else "has a trouble of its own"
        return UnreachableError(f"{setting}: the other side {what} (status {status}); it is tried again", wait_s)
    if 300 <= status < 400:
        return UnreachableError(f"{setting}: answers with a redirect (status {status}), which is not followed; set the address it leads to")
    # What is wrong with these is the configuration, not the message: it must not cost the alerts that come before somebody mends it.
    cures = {
        401: "does not let watchfloor in (status 401); check the credentials",
        403: "does not let watchfloor in (status 403); check the address and the credentials",
        404: "nothing takes messages there (status 404); check the address",
        405: "nothing takes messages there (status 405); check the address",
        407: "a proxy does not let watchfloor through (status 407); check the address",
        410: "nothing takes messages there any more (status 410); set another address",
    }
    if status in cures:
        return UnreachableError(f"{setting}: {cures[status]}")
    if status == 413:
        return RefusedError(f"{setting}: the other side takes no message of that size (status 413); raise its limit")
    return RefusedError(f"{setting}: the message was refused (status {status}); see the log of the other side")


def retry_after_s(value: str | None, now_wall: float) -> float | None:
    """Seconds that a ``Retry-After`` asks to wait, given as a number or as a date; ``None`` where it cannot be read.

    >>> retry_after_s("30", 0), retry_after_s("Thu, 01 Jan 1970 00:01:00 GMT", 0), retry_after_s("soon", 0)
    (30.0, 60.0, None)
    """
    text = (value or "").strip()
    if text.isascii() and text.isdecimal() and len(text) <= 9:
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now_wall)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def tls_context(ca_file: Path | None, setting: str) -> ssl.SSLContext:
    """Trusts the certificates of the system and of certifi, or those of ``ca_file`` alone. Raises ``ConfigurationError``."""
    try:
        if ca_file is not None:
            return ssl.create_default_context(cafile=ca_file)
        context = ssl.create_default_context()
        context.load_verify_locations(certifi.where())
    except (OSError, ValueError) as exc:  # an SSLError is an OSError
        why = "holds no certificate in PEM form" if isinstance(exc, ssl.SSLError) else "cannot be read"
        raise ConfigurationError(f"{setting}: {why}; name a file of certificates that this user may read") from None
    return context


def _tls_trouble(exc: BaseException) -> str | None:
    """What went wrong with TLS; ``None`` when it was something else."""
    seen: BaseException | None = exc
    while seen is not None and not isinstance(seen, ssl.SSLError):
        seen = seen.__cause__ or seen.__context__
    if seen is None:
        return None
    if not isinstance(seen, ssl.SSLCertVerificationError):
        return "no TLS connection comes about; see whether the port speaks TLS 1.2 or later"
    match seen.verify_code:
        case 9 | 10:
            return "its certificate is not valid at this time; renew it, and check this machine's clock"
        case 62 | 64:
            return "its certificate is for another name; use the name that stands in it"
        case _:
            return "its certificate is signed by nobody known; set {ca} to the certificate of its authority"
