"""Tokens for OAUTHBEARER, from a file and from a token endpoint (HTTPS on loopback)."""

import asyncio
import ssl
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiokafka.errors import KafkaConnectionError

from monitor.kafka_security import Tokens, tls_context
from monitor.settings_kafka import KafkaOauth, KafkaTls
from schemas.errors import ConfigurationError, InputError

SECRET = "client-secret-of-the-tests"


class Endpoint:
    """Answers every request with ``answer``, and keeps the requests."""

    def __init__(self, folder: Path, answer: bytes, status: int = 200) -> None:
        self.ca_file = folder / "ca.pem"
        ca = trustme.CA()
        ca.cert_pem.write_to_path(self.ca_file)
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        ca.issue_cert("127.0.0.1").configure_cert(self._context)
        self._answer = b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (status, len(answer)) + answer
        self.requests: list[bytes] = []

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line.partition(b":")[2]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
        self.requests.append(head + await reader.readexactly(length))
        writer.write(self._answer)
        await writer.drain()
        writer.close()

    def run(self, work: Callable[[Tokens], Any], **given: Any) -> Any:
        async def whole() -> Any:
            server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
            url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/token"
            oauth = {"token_url": url, "client_id": "me", "client_secret": SECRET, "scope": "kafka read", "ca_file": self.ca_file}
            async with server:
                return await work(Tokens(KafkaOauth.model_validate(oauth | given)))

        return asyncio.run(whole())


def test_a_token_is_asked_for_once_as_long_as_it_lives(tmp_path: Path) -> None:
    endpoint = Endpoint(tmp_path, b'{"access_token": "abc", "expires_in": 600}')

    async def twice(tokens: Tokens) -> list[str]:
        return [await tokens.token(), await tokens.token()]

    assert endpoint.run(twice) == ["abc", "abc"]
    (request,) = endpoint.requests
    assert request.endswith(b"\r\n\r\ngrant_type=client_credentials&scope=kafka+read")
    assert b"Basic " + b64encode(f"me:{SECRET}".encode()) in request


def test_a_token_that_has_run_out_is_asked_for_anew(tmp_path: Path) -> None:
    endpoint = Endpoint(tmp_path, b'{"access_token": "abc", "expires_in": 0}')

    async def twice(tokens: Tokens) -> list[str]:
        return [await tokens.token(), await tokens.token()]

    endpoint.run(twice)
    assert len(endpoint.requests) == 2


@pytest.mark.parametrize(
    ("answer", "status", "kind", "message"),
    [
        (b"", 401, ConfigurationError, "the token endpoint refuses (status 401); check client_id, client_secret and scope"),
        (b"", 500, InputError, "gives no token (status 500)"),
        (b"", 302, InputError, "gives no token (status 302)"),
        (b"not json", 200, InputError, "answers with something else than a token"),
        (b"[1]", 200, InputError, "answers with something else than a token"),
        (b'{"access_token": 7}', 200, InputError, "answers without a token"),
        (b'{"access_token": "abc", "expires_in": "soon"}', 200, InputError, "something else than a token"),
        (b'{"access_token": "abc"' + b" " * 70_000 + b"}", 200, InputError, "gives no token"),
    ],
)
def test_an_endpoint_that_gives_none_is_named(answer: bytes, status: int, kind: type[Exception], message: str, tmp_path: Path) -> None:
    endpoint = Endpoint(tmp_path, answer, status)

    async def ask(tokens: Tokens) -> Any:
        # The library's own error, for it goes on after nothing else.
        with pytest.raises(KafkaConnectionError):
            await tokens.token()
        return tokens.problem

    problem = endpoint.run(ask)
    assert type(problem) is kind
    assert str(problem).startswith("kafka.sasl.oauth.token_url: ")
    assert message in str(problem)
    assert SECRET not in str(problem)


def test_an_endpoint_of_an_unknown_authority_gets_no_secret(tmp_path: Path) -> None:
    endpoint = Endpoint(tmp_path, b"{}")

    async def ask(tokens: Tokens) -> Any:
        with pytest.raises(KafkaConnectionError):
            await tokens.token()
        return tokens.problem

    assert "cannot be reached" in str(endpoint.run(ask, ca_file=None))
    assert endpoint.requests == []


def test_a_token_file_is_read_anew_each_time(tmp_path: Path) -> None:
    file = tmp_path / "token"

    async def twice() -> list[str]:
        tokens = Tokens(KafkaOauth(token_file=file))
        file.write_text("one\n")
        first = await tokens.token()
        file.write_text("two\n")
        return [first, await tokens.token()]

    assert asyncio.run(twice()) == ["one", "two"]


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, r"kafka\.tls\.ca_file: cannot read .*: no such file"), (b"no pem", r"kafka\.tls\.ca_file: .* holds no certificates")],
)
def test_a_wrong_file_of_authorities_is_named(content: bytes | None, message: str, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=message):
        tls_context(KafkaTls(enabled=True, ca_file=file))


@pytest.mark.parametrize(("version", "minimum"), [("1.2", ssl.TLSVersion.TLSv1_2), ("1.3", ssl.TLSVersion.TLSv1_3)])
def test_the_oldest_version_is_the_one_that_is_set(version: Any, minimum: ssl.TLSVersion) -> None:
    context = tls_context(KafkaTls(enabled=True, min_version=version))
    assert (context.minimum_version, context.verify_mode, context.check_hostname) == (minimum, ssl.CERT_REQUIRED, True)


def test_a_key_that_is_not_the_certificates_is_named(tmp_path: Path) -> None:
    ca = trustme.CA()
    for name in ("one", "two"):
        cert = ca.issue_cert(f"{name}.example.com")
        cert.cert_chain_pems[0].write_to_path(tmp_path / f"{name}.pem")
        cert.private_key_pem.write_to_path(tmp_path / f"{name}.key")
    with pytest.raises(ConfigurationError, match=r"^kafka\.tls\.key_file: certificate and key cannot be used together; "):
        tls_context(KafkaTls(enabled=True, cert_file=tmp_path / "one.pem", key_file=tmp_path / "two.key"))
