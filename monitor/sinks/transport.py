"""The way to the network: each connection goes to the very address that was checked, whatever the name leads to a moment later."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from ssl import SSLContext
from typing import Any

import httpcore
import httpx

from monitor.notification import UnreachableError
from monitor.sinks.addresses import Guard, Resolver

CONNECT_S = 10.0
"""For a connection that a time-out does not limit otherwise."""
MAX_CONNECTIONS = 8
MAX_TRIED = 8
"""Addresses of one name that are tried."""
TROUBLE = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
    httpx.HTTPError,
    httpx.InvalidURL,
    OSError,
)
"""What can go wrong on the way."""


class CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Resolves names itself, and connects only to addresses that the guard lets pass. ``setting``: what the address is set by."""

    def __init__(self, setting: str, guard: Guard, resolver: Resolver) -> None:
        self._setting = setting
        self._guard = guard
        self._resolver = resolver
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address that may be sent to and answers. ``timeout``: seconds for all of it."""
        ends = time.monotonic() + (CONNECT_S if timeout is None else timeout)
        addresses = (await self._addresses(host, port, ends))[:MAX_TRIED]
        trouble: Exception = httpcore.ConnectError("no address")
        for tried, address in enumerate(addresses):
            # A dead address must not use up the time of those after it.
            share = max(0.05, (ends - time.monotonic()) / (len(addresses) - tried))
            try:
                return await self._inner.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as exc:
                trouble = exc
        raise trouble

    async def _addresses(self, host: str, port: int, ends: float) -> list[str]:
        try:
            async with asyncio.timeout(max(0.05, ends - time.monotonic())):
                found = await self._resolver(host, port)
        except TimeoutError:
            raise UnreachableError(f"{self._setting}: its name could not be resolved in time; see to the name server") from None
        except (OSError, UnicodeError):
            raise UnreachableError(f"{self._setting}: its name cannot be resolved; check it, and the name server") from None
        refused = {address: self._guard.refusal(address) for address in found}
        passed = [address for address, why in refused.items() if why is None]
        if not passed:
            kinds = sorted({why for why in refused.values() if why is not None}) or ["unreadable"]
            raise UnreachableError(f"{self._setting}: leads to an address that is not sent to ({', '.join(kinds)}); {self._guard.cure}")
        return passed

    async def sleep(self, seconds: float) -> None:
        """As the library wants it."""
        await asyncio.sleep(seconds)


class _Body(httpx.AsyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._response.aiter_stream():
            yield part

    async def aclose(self) -> None:
        await self._response.aclose()


class CheckedTransport(httpx.AsyncBaseTransport):
    """HTTP/1.1 over checked connections, which are kept open for the next request."""

    def __init__(self, network: CheckedNetwork, tls: SSLContext) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=MAX_CONNECTIONS,
            max_keepalive_connections=2,
            keepalive_expiry=30.0,
            network_backend=network,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request. Lets ``TROUBLE`` and the errors of ``CheckedNetwork`` pass."""
        url = request.url
        answer = await self._pool.handle_async_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        # Neither is of use here: redirects are not followed, and no cookie is kept.
        headers = [(name, value) for name, value in answer.headers if name.lower() not in {b"location", b"set-cookie"}]
        return httpx.Response(answer.status, headers=headers, stream=_Body(answer), extensions=answer.extensions)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._pool.aclose()
