import asyncio
import json
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import trustme

from monitor.settings_http import HttpSettings
from monitor.telemetry import Telemetry
from monitor.web.app import Checks, build_app
from monitor.web.security import SECURITY_HEADERS
from monitor.web.server import WebServer
from schemas.alert import Alert, Attack, Entity, Status
from schemas.errors import ConfigurationError

TOKEN = "0123456789abcdef0123456789abcdef"
BEARER = {"authorization": f"Bearer {TOKEN}"}
READY: Checks = {"kafka": (True, "4 partitions"), "store": (True, "written 2 s ago")}
T = TypeVar("T")


def alert(title: str = "t", status: Status = "firing") -> Alert:
    return Alert(
        id="a1",
        version=1,
        dedup_key="k",
        status=status,
        time="2026-01-01T00:00:00Z",
        detector="bulk_export",
        severity="high",
        tenant=None,
        entity=Entity("ip", "192.0.2.1"),
        title=title,
        summary="s",
        count=1,
        first_seen="",
        last_seen="",
        facts={"records": 5},
        evidence=(),
        counterfactual="",
        score=0.0,
        attack=Attack("19", ("T1530",)),
        runbook="",
        incident="i",
    )


class Service:
    """The parts of a service that the port asks."""

    def __init__(self, **given: Any) -> None:
        self.settings = HttpSettings.model_validate({"port": 0, "request_timeout_s": 5.0, **given})
        self.checks: Checks = READY
        self.alerts: Sequence[Alert] = [alert()]
        self.asked: list[tuple[int, Status | None]] = []
        self.wait_s = 0.0
        self.started = asyncio.Event()
        self.telemetry = Telemetry("1.2.3", ["bulk_export"], ["soc"])
        app = build_app(self.settings, self.telemetry, self.readiness, self.recent, "1.2.3")
        self.server = WebServer(self.settings, app)

    def readiness(self) -> Checks:
        if not self.checks:
            raise KeyError("personal")
        return self.checks

    async def recent(self, limit: int, status: Status | None) -> Sequence[Alert]:
        self.asked.append((limit, status))
        self.started.set()
        await asyncio.sleep(self.wait_s)
        return self.alerts

    async def get(self, path: str, method: str = "GET", verify: ssl.SSLContext | None = None, **given: Any) -> httpx.Response:
        scheme = "http" if self.settings.tls is None else "https"
        async with httpx.AsyncClient(
            base_url=f"{scheme}://127.0.0.1:{self.server.port}", verify=verify or False, trust_env=False
        ) as client:
            return await client.request(method, path, **given)

    async def raw(self, sent: bytes, limit_s: float = 5.0) -> bytes:
        """All that is answered to some bytes, until the connection ends or nothing has come for a while."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        answer = b""
        try:
            writer.write(sent)
            while part := await asyncio.wait_for(reader.read(65_536), limit_s):
                answer += part
        except (TimeoutError, ConnectionError):
            pass
        finally:
            writer.close()
        return answer


def serve(check: Callable[[Service], Awaitable[T]], **given: Any) -> T:
    """Run ``check`` against a real server on a free port."""

    async def run() -> T:
        service = Service(**given)
        await service.server.start()
        try:
            return await check(service)
        finally:
            await service.server.stop(1.0)

    return asyncio.run(run())


def request(target: str, host: str = "localhost", method: str = "GET", more: str = "") -> bytes:
    return f"{method} {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{more}\r\n".encode("latin-1")


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


# -- the pages ------------------------------------------------------------------------------------------------------------------------


def test_every_page_answers_on_loopback() -> None:
    async def check(service: Service) -> None:
        metrics = await service.get("/metrics")
        assert metrics.status_code == 200
        assert metrics.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert 'watchfloor_build_info{version="1.2.3"} 1.0' in metrics.text
        open_metrics = await service.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
        assert open_metrics.text.endswith("# EOF\n")
        health = await service.get("/healthz")
        assert (health.status_code, health.text) == (200, "ok\n")
        ready = await service.get("/readyz")
        assert ready.json() == {
            "ready": True,
            "checks": {"kafka": {"ok": True, "why": "4 partitions"}, "store": {"ok": True, "why": "written 2 s ago"}},
        }
        page = await service.get("/")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "watchfloor 1.2.3" in page.text
        assert "written 2 s ago" in page.text

    serve(check)


def test_not_ready_is_503_and_says_why() -> None:
    async def check(service: Service) -> None:
        service.checks = {**READY, "lag": (False, "90 s behind")}
        answer = await service.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["ready"] is False
        assert answer.json()["checks"]["lag"] == {"ok": False, "why": "90 s behind"}
        assert (await service.get("/healthz")).status_code == 200
        assert "not ready" in (await service.get("/")).text

    serve(check)


def test_alerts_are_listed_as_json() -> None:
    async def check(service: Service) -> None:
        service.alerts = [alert("caf\u00e9 \u202e\x7f")]
        answer = await service.get("/api/v1/alerts")
        assert answer.content.isascii()
        assert b"\x7f" not in answer.content
        (found,) = answer.json()
        assert (found["id"], found["title"], found["facts"]) == ("a1", "caf\u00e9 \u202e\x7f", {"records": 5})
        await service.get("/api/v1/alerts?limit=7&status=resolved")
        await service.get("/api/v1/alerts?status=")
        assert service.asked == [(100, None), (7, "resolved"), (100, None)]

    serve(check)


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("limit=0", "limit: use 1 to 1000"),
        ("limit=1001", "limit: use 1 to 1000"),
        ("limit=-1", "limit: use 1 to 1000"),
        ("limit=" + "9" * 5_000, "limit: use 1 to 1000"),
        ("limit=\u0661", "limit: use 1 to 1000"),
        ("status=<script>", "status: use firing or resolved"),
        ("lim=1", "unknown parameter; use limit and status"),
    ],
)
def test_a_wrong_query_is_400_with_the_cure(query: str, error: str) -> None:
    async def check(service: Service) -> httpx.Response:
        return await service.get(f"/api/v1/alerts?{query}")

    answer = serve(check)
    assert (answer.status_code, answer.json()) == (400, {"error": error})


def test_what_strangers_wrote_is_only_text_on_the_status_page() -> None:
    async def check(service: Service) -> httpx.Response:
        service.checks = {"<b>": (False, "<script>alert(1)</script>\x1b[31m\u202e\"'")}
        return await service.get("/")

    page = serve(check)
    assert "<script" not in page.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\ufffd[31m\ufffd&#34;&#39;" in page.text
    assert "style-src 'sha256-" in page.headers["content-security-policy"]


def test_a_fault_of_a_page_is_a_500_that_tells_nothing_and_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def check(service: Service) -> None:
        service.checks = {}
        for _ in range(3):
            answer = await service.get("/readyz")
            assert (answer.status_code, answer.text) == (500, "internal error\n")
            assert answer.headers["x-frame-options"] == "DENY"

    serve(check)
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == ["a page of the HTTP port failed"]


# -- headers, methods, paths ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent",
    [
        request("/"),
        request("/metrics"),
        request("/healthz"),
        request("/nowhere"),
        request("/metrics", method="POST"),
        request("/metrics", host="evil.example"),
        request("/../metrics"),
        request("/metrics", more="content-length: 99999999\r\n"),
        request("/api/v1/alerts?limit=x"),
        b"this is no HTTP\r\n\r\n",
    ],
)
def test_every_answer_has_the_security_headers(sent: bytes) -> None:
    async def check(service: Service) -> bytes:
        return await service.raw(sent)

    head = serve(check).partition(b"\r\n\r\n")[0].lower()
    for name, value in SECURITY_HEADERS:
        assert head.count(b"\r\n" + name + b": ") == 1, name
        assert name == b"content-security-policy" or name + b": " + value.lower() in head
    assert b"content-security-policy: default-src 'none'" in head
    assert b"\r\nserver:" not in head


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "FOO"])
def test_other_methods_are_405(method: str) -> None:
    async def check(service: Service) -> list[int]:
        return [status_of(await service.raw(request(path, method=method))) for path in ("/metrics", "/", "/api/v1/alerts")]

    assert serve(check) == [405, 405, 405]


def test_head_is_answered_without_a_body() -> None:
    async def check(service: Service) -> bytes:
        return await service.raw(request("/metrics", method="HEAD"))

    answer = serve(check)
    assert status_of(answer) == 200
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    "target",
    [
        "/metrics/",
        "/nowhere",
        "/.git/config",
        "/etc/passwd",
        "//metrics",
        "/api//v1/alerts",
        "/../metrics",
        "/api/../metrics",
        "/%2e%2e/metrics",
        "/%2fmetrics",
        "/metrics%00",
        "/metrics%00.html",
        "/api%5cv1",
        "/%252e%252e/metrics",
        "http://evil.example/metrics",
        "*",
        "/" + "a" * 5_000,
    ],
)
def test_path_tricks_lead_nowhere(target: str) -> None:
    async def check(service: Service) -> bytes:
        return await service.raw(request(target))

    answer = serve(check)
    assert status_of(answer) in {400, 404}
    assert b"watchfloor_" not in answer


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS to a plain port
        b"GET /metrics\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\n\r\n",  # no host
        b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nhost: localhost\r\ncontent-length: -5\r\n\r\n",
        b"GET /metrics\x00 HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET /\xc3\xa9 HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET /metrics HTTP/1.0\r\n\r\n",  # no host, which only this version may leave out
    ],
)
def test_what_is_no_proper_request_is_400_and_the_connection_ends(sent: bytes) -> None:
    async def check(service: Service) -> bytes:
        return await service.raw(sent + b"\r\n\r\n")

    assert status_of(serve(check)) == 400


def test_a_name_that_was_made_to_point_here_is_refused() -> None:
    async def check(service: Service) -> dict[str, int]:
        hosts = ("localhost", f"127.0.0.1:{service.server.port}", "[::1]", "soc.example.com", "evil.example", "localhost.evil.example")
        return {host.partition(":")[0]: status_of(await service.raw(request("/metrics", host=host))) for host in hosts}

    assert serve(check, allowed_hosts=["soc.example.com"]) == {
        "localhost": 200,
        "127.0.0.1": 200,
        "[": 200,
        "soc.example.com": 200,
        "evil.example": 400,
        "localhost.evil.example": 400,
    }


# -- tokens ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}, {"authorization": f"Basic {TOKEN}"}, {"x-token": TOKEN}])
def test_beyond_loopback_nothing_but_health_is_told_without_the_token(headers: dict[str, str]) -> None:
    async def check(service: Service) -> None:
        for path in ("/", "/metrics", "/api/v1/alerts", f"/metrics?token={TOKEN}"):
            answer = await service.get(path, headers=headers)
            assert answer.status_code == 401, path
            assert answer.headers["www-authenticate"] == 'Bearer realm="watchfloor"'
        assert (await service.get("/healthz", headers=headers)).text == "ok\n"
        # called by a name that is not this machine's own, as strangers do
        assert (await service.get("/readyz", headers={**headers, "host": "soc.example.com"})).json() == {"ready": True}

    serve(check, host="0.0.0.0", token=TOKEN)


def test_with_the_token_everything_is_told() -> None:
    async def check(service: Service) -> None:
        for path in ("/", "/metrics", "/api/v1/alerts"):
            assert (await service.get(path, headers=BEARER)).status_code == 200, path
        assert "checks" in (await service.get("/readyz", headers={**BEARER, "host": "soc.example.com"})).json()

    serve(check, host="0.0.0.0", token=TOKEN)


def test_metrics_may_be_public() -> None:
    async def check(service: Service) -> list[int]:
        return [(await service.get(path)).status_code for path in ("/metrics", "/api/v1/alerts", "/")]

    assert serve(check, host="0.0.0.0", token=TOKEN, metrics_public=True) == [200, 401, 401]


def test_a_token_that_is_set_counts_on_loopback_too_but_for_the_metrics() -> None:
    async def check(service: Service) -> list[int]:
        return [(await service.get(path)).status_code for path in ("/metrics", "/api/v1/alerts", "/")]

    assert serve(check, token=TOKEN) == [200, 401, 401]


# -- limits ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET",
        b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n",
        b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nx: " + b"a" * 5_000,
    ],
)
def test_a_request_that_does_not_come_to_its_end_is_cut_in_time(sent: bytes) -> None:
    async def check(service: Service) -> tuple[bytes, float]:
        begun = time.monotonic()
        return await service.raw(sent), time.monotonic() - begun

    answer, took_s = serve(check, request_timeout_s=0.3)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert 0.25 < took_s < 2.0


def test_drops_of_a_request_do_not_keep_it_alive() -> None:
    async def check(service: Service) -> float:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.server.port)
        writer.write(request("/healthz").replace(b"connection: close", b"x: y"))
        await reader.readuntil(b"ok\n")  # a first request that is whole does not help either
        begun = time.monotonic()
        rest = asyncio.create_task(reader.read())
        for byte in b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n" * 10:
            writer.write(bytes([byte]))
            await asyncio.wait([rest], timeout=0.05)
            if rest.done():
                break
        writer.close()
        assert (await rest).startswith(b"HTTP/1.1 408 ")
        return time.monotonic() - begun

    assert 0.25 < serve(check, request_timeout_s=0.3) < 2.0


def test_a_long_head_is_refused() -> None:
    async def check(service: Service) -> bytes:
        return await service.raw(b"GET / HTTP/1.1\r\nhost: localhost\r\nx: " + b"a" * 70_000)

    assert status_of(serve(check)) in {400, 431, 0}  # 0: cut before it could be read


def test_a_large_body_is_refused_before_it_is_read() -> None:
    async def check(service: Service) -> list[int]:
        said = request("/metrics", more="content-length: 1025\r\n")
        absurd = request("/metrics", more=f"content-length: {'9' * 5_000}\r\n")
        return [status_of(await service.raw(sent)) for sent in (said, absurd)]

    first, second = serve(check, max_request_bytes=1_024)
    assert first == 413
    assert second in {400, 413}


def test_an_endless_body_ends_with_the_answer() -> None:
    async def check(service: Service) -> tuple[int, int]:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.server.port)
        writer.write(request("/metrics", more="transfer-encoding: chunked\r\n").replace(b"connection: close\r\n", b""))
        sent = 0
        try:
            for _ in range(10_000):
                writer.write(b"1000\r\n" + b"a" * 4096 + b"\r\n")
                await writer.drain()
                sent += 4096
                await asyncio.sleep(0)
        except ConnectionError:
            pass
        writer.close()
        head = await asyncio.wait_for(reader.read(12), 5) if not reader.exception() else b"HTTP/1.1 200"
        return sent, status_of(head + b" ")

    sent, status = serve(check)
    assert sent < 40_000_000
    assert status == 200


def test_who_does_not_take_the_answer_is_cut() -> None:
    async def check(service: Service) -> int:
        service.alerts = [alert("x" * 20_000)] * 1_000  # 20 MB: more than the sockets hold
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        sock.setblocking(False)
        with closing(sock):
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", service.server.port))
            await asyncio.get_running_loop().sock_sendall(sock, request("/api/v1/alerts").replace(b"connection: close\r\n", b""))
            await asyncio.sleep(0.2)
            before = len(service.server._state.connections)
            await asyncio.sleep(1.2)
            return before * 10 + len(service.server._state.connections)

    assert serve(check, request_timeout_s=0.5) == 10


def test_connections_beyond_the_limit_are_closed_and_the_others_served(caplog: pytest.LogCaptureFixture) -> None:
    async def check(service: Service) -> tuple[int, int]:
        held = [await asyncio.open_connection("127.0.0.1", service.server.port) for _ in range(10)]
        await asyncio.sleep(0.1)
        closed = sum(reader.at_eof() for reader, _ in held)
        reader, writer = held[0]
        writer.write(request("/healthz"))
        status = status_of(await asyncio.wait_for(reader.read(), 5))
        for _, writer in held:
            writer.close()
        await asyncio.sleep(0.1)
        assert (await service.get("/healthz")).status_code == 200  # there is room again
        return closed, status

    assert serve(check, max_connections=4) == (6, 200)
    assert len([record for record in caplog.records if "http.max_connections" in record.getMessage()]) == 1


def test_requests_one_behind_the_other_are_all_answered() -> None:
    async def check(service: Service) -> bytes:
        plain = request("/healthz").replace(b"connection: close\r\n", b"")
        return await service.raw(plain * 3 + request("/healthz"))

    assert serve(check).count(b"200 OK") == 4


# -- beginning and end ----------------------------------------------------------------------------------------------------------------


def test_a_port_in_use_is_named_with_the_cure() -> None:
    async def check(service: Service) -> str:
        other = Service(port=service.server.port)
        with pytest.raises(ConfigurationError) as caught:
            await other.server.start()
        await other.server.stop(1)
        return str(caught.value).replace(str(service.server.port), "PORT")

    assert serve(check) == "http.port: PORT on 127.0.0.1 is in use; end what uses it, or set another port (0: any that is free)"


def test_an_address_of_another_machine_is_named() -> None:
    async def start() -> None:
        await Service(host="192.0.2.1", token=TOKEN).server.start()

    with pytest.raises(ConfigurationError, match=r"^http.host: cannot listen on 192.0.2.1: "):
        asyncio.run(start())


def test_the_url_is_known_after_the_start() -> None:
    async def check(service: Service) -> None:
        assert service.server.port > 0
        assert service.server.url == f"http://127.0.0.1:{service.server.port}/"

    serve(check)


def test_what_has_been_asked_is_answered_before_the_end() -> None:
    async def run() -> tuple[int, bool]:
        service = Service()
        service.wait_s = 0.3
        await service.server.start()
        asked = asyncio.create_task(service.get("/api/v1/alerts"))
        await service.started.wait()
        await service.server.stop(5.0)
        status = (await asked).status_code
        try:
            await service.get("/healthz")
        except httpx.ConnectError:
            return status, True
        return status, False

    assert asyncio.run(run()) == (200, True)


def test_the_end_does_not_wait_longer_than_its_limit() -> None:
    async def run() -> float:
        service = Service()
        service.wait_s = 60.0
        await service.server.start()
        asked = asyncio.create_task(service.get("/api/v1/alerts"))
        await service.started.wait()
        idle, writer = await asyncio.open_connection("127.0.0.1", service.server.port)
        begun = time.monotonic()
        await service.server.stop(0.3)
        took_s = time.monotonic() - begun
        with pytest.raises(httpx.HTTPError):
            await asked
        assert await idle.read() == b""
        writer.close()
        return took_s

    assert 0.25 < asyncio.run(run()) < 2.0


def test_signals_stay_with_the_service() -> None:
    import signal

    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    async def check(_: Service) -> list[Any]:
        return [signal.getsignal(number) for number in (signal.SIGTERM,)]

    assert serve(check) == before[1:]


# -- TLS ------------------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def files(authority: trustme.CA, tmp_path: Path) -> dict[str, Path]:
    issued = authority.issue_cert("127.0.0.1", "localhost")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    for number, part in enumerate(issued.cert_chain_pems):
        part.write_to_path(tmp_path / "cert.pem", append=number > 0)
    return {"cert_file": tmp_path / "cert.pem", "key_file": tmp_path / "key.pem"}


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def test_tls_with_a_certificate_that_is_checked(authority: trustme.CA, files: dict[str, Path]) -> None:
    async def check(service: Service) -> None:
        answer = await service.get("/metrics", headers=BEARER, verify=trusting(authority))
        assert answer.status_code == 200
        assert service.server.url.startswith("https://")
        with pytest.raises(httpx.ConnectError):
            await service.get("/metrics", verify=ssl.create_default_context())

    serve(check, host="0.0.0.0", token=TOKEN, tls=files)


def test_old_versions_of_tls_are_refused(authority: trustme.CA, files: dict[str, Path]) -> None:
    async def check(service: Service) -> None:
        context = trusting(authority)
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        assert (await service.get("/healthz", verify=context)).status_code == 200
        assert service.server._tls is not None
        assert service.server._tls.minimum_version == ssl.TLSVersion.TLSv1_2

    serve(check, tls=files)


def test_a_handshake_that_does_not_come_counts_and_is_cut(authority: trustme.CA, files: dict[str, Path]) -> None:
    async def check(service: Service) -> None:
        held = [await asyncio.open_connection("127.0.0.1", service.server.port) for _ in range(6)]
        await asyncio.sleep(0.1)
        assert sum(reader.at_eof() for reader, _ in held) == 2
        await asyncio.sleep(1.0)
        assert all(reader.at_eof() or reader.exception() is not None for reader, _ in held)
        for _, writer in held:
            writer.close()
        assert (await service.get("/healthz", verify=trusting(authority))).status_code == 200

    serve(check, tls=files, max_connections=4, request_timeout_s=0.5)


def test_the_end_does_not_wait_for_a_handshake(files: dict[str, Path]) -> None:
    async def check(service: Service) -> float:
        _, writer = await asyncio.open_connection("127.0.0.1", service.server.port)
        await asyncio.sleep(0.05)
        begun = time.monotonic()
        await service.server.stop(1.0)
        writer.close()
        return time.monotonic() - begun

    assert serve(check, tls=files, request_timeout_s=60) < 1.5


def test_a_new_certificate_is_taken_without_a_restart(authority: trustme.CA, files: dict[str, Path]) -> None:
    async def check(service: Service) -> None:
        issued = trustme.CA().issue_cert("127.0.0.1")
        issued.private_key_pem.write_to_path(files["key_file"])
        issued.cert_chain_pems[0].write_to_path(files["cert_file"])
        assert (await service.get("/healthz", verify=trusting(authority))).status_code == 200
        service.server.reload_certificate()
        with pytest.raises(httpx.ConnectError):
            await service.get("/healthz", verify=trusting(authority))

    serve(check, tls=files)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ("no certificate", r"^http\.tls\.cert_file: cannot read .*: no such file or directory; name a file this account can read$"),
        ("no key", r"^http\.tls\.key_file: cannot read .*: no such file or directory; "),
        ("another key", r"^http\.tls: .* cannot be used; give PEM files of one pair, the key without a password$"),
        ("no PEM", r"^http\.tls: .* cannot be used; "),
    ],
)
def test_a_certificate_that_cannot_be_used_is_named(change: str, line: str, files: dict[str, Path]) -> None:
    if change == "no certificate":
        files["cert_file"].unlink()
    elif change == "no key":
        files["key_file"].unlink()
    elif change == "another key":
        trustme.CA().issue_cert("127.0.0.1").private_key_pem.write_to_path(files["key_file"])
    else:
        files["cert_file"].write_text("certificate")

    async def start() -> None:
        await Service(tls=files).server.start()

    with pytest.raises(ConfigurationError, match=line):
        asyncio.run(start())


def test_secrets_are_in_no_answer() -> None:
    async def check(service: Service) -> str:
        answers = [await service.get(path, headers=headers) for path in ("/", "/metrics", "/readyz", "/x") for headers in ({}, BEARER)]
        return json.dumps([answer.text + str(answer.headers) for answer in answers])

    assert TOKEN not in serve(check, host="0.0.0.0", token=TOKEN)
