import asyncio
from pathlib import Path

import httpx
import pytest

from monitor.notification import DeliveryError, UnreachableError
from monitor.sinks.addresses import Guard
from monitor.sinks.http import ClientOptions, Http, classify, retry_after_s, tls_context
from monitor.sinks.transport import CheckedNetwork
from schemas.errors import ConfigurationError
from tests.fake_services import HOST, FakeServices, Fault

NOW = 1_772_496_000.0
"""2026-03-03T00:00:00Z."""


def client(fake: FakeServices, *addresses: str, allow: tuple[str, ...] = (), timeout_s: float = 3.0) -> Http:
    async def resolver(host: str, port: int) -> list[str]:
        return list(addresses)

    return Http(
        "sinks.mine",
        "url",
        timeout_s=timeout_s,
        guard=Guard(allow, "allow its network in allow_private"),
        ca_file=fake.ca_file,
        options=ClientOptions(resolver=resolver),
    )


def outcome(http: Http, url: str) -> int | DeliveryError:
    async def run() -> int | DeliveryError:
        try:
            async with http.budget():
                return (await http.post(url, b"[]", {})).status
        except DeliveryError as exc:
            return exc
        finally:
            await http.close()

    return asyncio.run(run())


def test_a_name_that_leads_to_loopback_is_refused() -> None:
    with FakeServices() as fake:
        result = outcome(client(fake, "127.0.0.1"), fake.url("/api/v2/alerts"))

        assert isinstance(result, UnreachableError)
        assert str(result) == "sinks.mine.url: leads to an address that is not sent to (loopback); allow its network in allow_private"
        assert fake.connections == 0


def test_loopback_is_reached_where_it_is_allowed() -> None:
    with FakeServices() as fake:
        assert outcome(client(fake, "127.0.0.1", allow=("127.0.0.0/8",)), fake.url("/api/v2/alerts")) == 200


def test_of_several_addresses_only_allowed_ones_are_tried() -> None:
    with FakeServices() as fake:
        assert outcome(client(fake, "169.254.169.254", "10.0.0.1", "127.0.0.1", allow=("127.0.0.0/8",)), fake.url("/api/v2/alerts")) == 200


def test_a_dead_address_leaves_time_for_the_next() -> None:
    with FakeServices() as fake:
        # Nothing listens at the first, for the server is bound to 127.0.0.1 alone.
        assert outcome(client(fake, "127.0.0.2", "127.0.0.1", allow=("127.0.0.0/8",)), fake.url("/api/v2/alerts")) == 200


def test_a_name_is_checked_again_for_each_connection() -> None:
    """A name that leads elsewhere the second time: the connection goes to what was checked, and the next one is checked anew."""
    answers = [["127.0.0.1"], ["169.254.169.254"]]

    async def rebinding(host: str, port: int) -> list[str]:
        return answers.pop(0)

    async def run(fake: FakeServices) -> None:
        network = CheckedNetwork("sinks.mine.url", Guard(("127.0.0.0/8",), ""), rebinding)
        stream = await network.connect_tcp(HOST, fake.port, 1.0)
        assert stream.get_extra_info("server_addr")[0] == "127.0.0.1"
        await stream.aclose()
        with pytest.raises(UnreachableError, match="metadata"):
            await network.connect_tcp(HOST, fake.port, 1.0)

    with FakeServices() as fake:
        asyncio.run(run(fake))


def test_the_name_and_not_the_address_is_in_the_certificate_and_the_request() -> None:
    with FakeServices() as fake:
        outcome(client(fake, "127.0.0.1", allow=("127.0.0.0/8",)), fake.url("/api/v2/alerts"))

        assert [request.headers["host"] for request in fake.seen] == [f"{HOST}:{fake.port}"]


@pytest.mark.parametrize("literal", ["127.0.0.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "localhost"])
def test_an_address_written_as_host_is_checked_too(literal: str) -> None:
    with FakeServices() as fake:
        http = Http("sinks.mine", "url", timeout_s=3.0, guard=Guard(allow=False, cure=""), ca_file=fake.ca_file, options=ClientOptions())

        assert isinstance(outcome(http, fake.url("/api/v2/alerts", host=literal)), UnreachableError)
        assert fake.connections == 0


def test_a_port_that_speaks_no_tls() -> None:
    async def run() -> DeliveryError:
        async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(10)
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            writer.close()
            await writer.wait_closed()

        server = await asyncio.start_server(plain, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        http = Http("sinks.mine", "url", timeout_s=3.0, guard=Guard(allow=True, cure=""), options=ClientOptions())
        try:
            with pytest.raises(UnreachableError) as caught:
                await http.post(f"https://127.0.0.1:{port}/", b"", {})
        finally:
            await http.close()
            server.close()
            await server.wait_closed()
        return caught.value

    assert "TLS" in str(asyncio.run(run()))


def test_all_that_a_send_does_has_one_time_limit() -> None:
    async def run(fake: FakeServices) -> None:
        http = client(fake, "127.0.0.1", allow=("127.0.0.0/8",), timeout_s=0.4)

        async def several() -> None:
            async with http.budget():
                for _ in range(10):
                    await http.post(fake.url("/api/v2/alerts"), b"[]", {})

        try:
            with pytest.raises(UnreachableError, match=r"no answer within 0\.4 s"):
                await several()
        finally:
            await http.close()

    with FakeServices() as fake:
        fake.fail(always=Fault(wait_s=0.15))
        asyncio.run(run(fake))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0", 0.0),
        (" 12 ", 12.0),
        ("Tue, 03 Mar 2026 00:00:30 GMT", 30.0),
        ("Mon, 02 Mar 2026 00:00:00 GMT", 0.0),
        ("1.5", None),
        ("-1", None),
        ("١٢", None),
        ("nan", None),
        ("inf", None),
        (None, None),
        ("Fri, 31 Dec 99999 00:00:00 GMT", None),
    ],
)
def test_how_long_to_wait(value: str | None, expected: float | None) -> None:
    assert retry_after_s(value, NOW) == expected


def test_the_words_of_a_refusal_name_the_setting_and_the_cure() -> None:
    assert str(classify(404, httpx.Headers(), "sinks.mine.url", NOW)) == (
        "sinks.mine.url: nothing takes messages there (status 404); check the address"
    )


@pytest.mark.parametrize("status", [100, 199, 600, 999])
def test_a_status_that_does_not_exist_is_no_success(status: int) -> None:
    assert classify(status, httpx.Headers(), "sinks.mine.url", NOW) is not None


def test_a_wrong_file_of_certificates_is_said_at_the_start(tmp_path: Path) -> None:
    wrong = tmp_path / "ca.pem"
    wrong.write_text("nothing")

    for path, why in ((wrong, "holds no certificate"), (tmp_path / "none.pem", "cannot be read")):
        with pytest.raises(ConfigurationError, match=rf"^sinks\.mine\.ca_file: {why}"):
            tls_context(path, "sinks.mine.ca_file")


def test_nothing_older_than_tls_1_2_is_spoken() -> None:
    assert tls_context(None, "").minimum_version >= 771  # 0x0303
