"""The server on the port: uvicorn's protocol on the service's own event loop, with a limit on everything a stranger can take up."""

import asyncio
import contextlib
import errno
import logging
import math
import os
import socket
import ssl
import time
import weakref
from collections.abc import Callable
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from monitor.settings_http import HttpSettings
from monitor.web.security import SECURITY_HEADERS
from schemas.errors import ConfigurationError

log = logging.getLogger("watchfloor")

MAX_HEAD_BYTES = 16_384
"""Of a request line with its headers."""
KEEP_ALIVE_S = 5
LINGER_S = 1.0
"""What is written to a connection that is being closed may take so long to leave."""
REPORT_EVERY_S = 60.0
POLL_S = 0.02
BACKLOG = 128


class _Connection(socket.socket):
    """An accepted connection, from before a TLS handshake until the transport lets go of it."""


class _Listener(socket.socket):
    """A listening socket that closes what comes beyond ``limit`` open connections, those in a TLS handshake counted too."""

    limit = 0
    _reported = float("-inf")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.open: weakref.WeakSet[_Connection] = weakref.WeakSet()

    def accept(self) -> tuple[socket.socket, Any]:
        """Called by the event loop until nobody is waiting."""
        for _ in range(BACKLOG):
            accepted, address = super().accept()
            if len(self.alive()) < self.limit:
                connection = _Connection(fileno=accepted.detach())
                self.open.add(connection)
                return connection, address
            accepted.close()
            self._report()
        raise BlockingIOError  # let others have their turn

    def alive(self) -> list[_Connection]:
        """The connections that are open."""
        return [connection for connection in self.open if connection.fileno() >= 0]

    def _report(self) -> None:
        now = time.monotonic()
        if now >= self._reported + REPORT_EVERY_S:
            self._reported = now
            log.warning("the HTTP port has %d connections, as many as http.max_connections allows: further ones are closed", self.limit)


class _Protocol(H11Protocol):
    """One connection. From the first byte of a request (from the beginning, for the first one) its answer must be taken within a time."""

    request_timeout_s = 10.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None
        self._flushing = False
        """Whether the deadline is for an answer that is complete, and only has to be taken."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._disarm()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """A part of a request, of whatever size."""
        if self._deadline is None or (self._flushing and self.transport.get_write_buffer_size() == 0):
            self._arm()
        super().data_received(data)

    def on_response_complete(self) -> None:
        """The answer is written, though perhaps not taken yet; the next request may have come together with this one."""
        self._disarm()
        super().on_response_complete()
        answered = self.cycle.response_complete
        if not answered or self.transport.get_write_buffer_size():
            self._arm()
            self._flushing = answered

    def timeout_keep_alive_handler(self) -> None:
        """No further request came."""
        if not self.transport.is_closing():
            self._close()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        try:
            head = h11.Response(
                status_code=400,
                reason=b"Bad Request",
                headers=[(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close"), *SECURITY_HEADERS],
            )
            for event in (head, h11.Data(data=f"{msg}\n".encode("ascii")), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        except h11.LocalProtocolError:  # an answer to an earlier part has begun already
            pass
        self._close()

    def shutdown(self) -> None:
        """The service ends: an answer that has begun is finished, everything else is closed."""
        if self.cycle is None or self.cycle.response_complete:
            self._close()
        else:
            self.cycle.keep_alive = False

    def _arm(self) -> None:
        self._disarm()
        self._flushing = False
        self._deadline = self.loop.call_later(self.request_timeout_s, self._expire)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expire(self) -> None:
        self._deadline = None
        if self._flushing and self.transport.get_write_buffer_size() == 0:
            return
        if not self.transport.is_closing() and not self._flushing and self._is_waiting():
            self.transport.write(b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
            self._close()
        else:
            self.transport.abort()

    def _is_waiting(self) -> bool:
        """Whether no request is whole yet, so that nothing is being answered."""
        return (self.cycle is None or self.cycle.response_complete) and self.conn.our_state is h11.IDLE

    def _close(self) -> None:
        """Close once everything is written, or a moment later."""
        self._disarm()
        self.transport.close()
        self._deadline = self.loop.call_later(LINGER_S, self.transport.abort)


class WebServer:
    """Serves ``app`` on the settings' address, in the event loop that calls ``start``."""

    def __init__(self, settings: HttpSettings, app: ASGIApp) -> None:
        self.port = settings.port
        """After ``start``: the port it listens on."""
        self._settings = settings
        self._state = ServerState()
        self._tls = None if settings.tls is None else ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._listener: _Listener | None = None
        self._server: asyncio.Server | None = None
        self._config = uvicorn.Config(
            app,
            http=type("Protocol", (_Protocol,), {"request_timeout_s": settings.request_timeout_s}),
            ws="none",
            lifespan="off",
            loop="asyncio",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        )

    @property
    def url(self) -> str:
        """Where it is, for people."""
        host = f"[{self._settings.host}]" if ":" in self._settings.host else self._settings.host
        return f"{'http' if self._tls is None else 'https'}://{host}:{self.port}/"

    async def start(self) -> None:
        """Listen. Raises ``ConfigurationError`` for an address, a port or a certificate that cannot be used."""
        # Strangers decide how often uvicorn has something to say; what fails on our side is reported by the guard.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        self.reload_certificate()
        self._config.load()
        settings = self._settings
        self._listener = _listen(settings.host, settings.port)
        self._listener.limit = settings.max_connections
        self.port = self._listener.getsockname()[1]
        self._server = await asyncio.get_running_loop().create_server(
            self._protocol,
            sock=self._listener,
            ssl=self._tls,
            ssl_handshake_timeout=None if self._tls is None else settings.request_timeout_s,
            ssl_shutdown_timeout=None if self._tls is None else LINGER_S,
        )

    def reload_certificate(self) -> None:
        """Read the certificate's files again; connections from now on get the new one. Raises ``ConfigurationError``."""
        if self._tls is None or (files := self._settings.tls) is None:
            return
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        for setting, path in (("cert_file", files.cert_file), ("key_file", files.key_file)):
            try:
                path.open("rb").close()
            except OSError as exc:
                reason = (exc.strerror or "error").lower()
                raise ConfigurationError(f"http.tls.{setting}: cannot read {path}: {reason}; name a file this account can read") from exc
        try:
            self._tls.load_cert_chain(files.cert_file, files.key_file, password=lambda: "")  # never ask on the terminal
        except (ssl.SSLError, ValueError) as exc:
            cure = "give PEM files of one pair, the key without a password"
            raise ConfigurationError(f"http.tls: {files.cert_file} and {files.key_file} cannot be used; {cure}") from exc

    async def stop(self, limit_s: float) -> None:
        """Answer what has been asked, for at most ``limit_s``, and close everything."""
        if self._server is None or self._listener is None:
            return
        self._server.close()
        for connection in list(self._state.connections):
            connection.shutdown()
        await _until(lambda: not self._state.connections, limit_s)
        for task in list(self._state.tasks):
            task.cancel()
        for connection in list(self._state.connections):
            connection.transport.abort()
        for sock in self._listener.alive():  # those in a handshake have no protocol yet
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        listener, self._server = self._listener, None
        await _until(lambda: not (listener.alive() or self._state.tasks), LINGER_S)

    def _protocol(self) -> asyncio.Protocol:
        made: asyncio.Protocol = self._config.http_protocol_class(config=self._config, server_state=self._state, app_state={})  # type: ignore[call-arg]
        return made


async def _until(done: Callable[[], bool], limit_s: float) -> None:
    """Wait until something is so, but not for longer than a limit."""
    for _ in range(math.ceil(limit_s / POLL_S)):
        if done():
            return
        await asyncio.sleep(POLL_S)


def _listen(host: str, port: int) -> _Listener:
    """A socket bound to an address. Raises ``ConfigurationError``."""
    address = "127.0.0.1" if host == "localhost" else host
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener: _Listener | None = None
    try:
        listener = _Listener(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(address != "::"))
        info = socket.getaddrinfo(address, port, family, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)
        listener.bind(info[0][4])
        listener.listen(BACKLOG)  # a second process on the port is told here, where both allow the address to be used again
        listener.setblocking(False)
    except OSError as exc:
        if listener is not None:
            listener.close()
        raise ConfigurationError(_why(exc, host, port)) from exc
    return listener


def _why(exc: OSError, host: str, port: int) -> str:
    if exc.errno == errno.EADDRINUSE:
        return f"http.port: {port} on {host} is in use; end what uses it, or set another port (0: any that is free)"
    if exc.errno in {errno.EACCES, errno.EPERM}:
        return f"http.port: this account may not listen on {port}; set a port above 1023"
    reason = os.strerror(exc.errno) if exc.errno and exc.errno > 0 else str(exc.args[-1])
    return f"http.host: cannot listen on {host}: {reason.lower()}; set an address of this machine, e.g. 127.0.0.1 or 0.0.0.0"
