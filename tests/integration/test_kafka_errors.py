"""What is said when a connection cannot be made: one line that names the setting to change, and no secret."""

import asyncio
import base64
import json
import logging
import time
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiokafka import AIOKafkaConsumer

from monitor.settings_kafka import KafkaSettings
from monitor.sources.kafka import KafkaSource
from schemas.errors import ConfigurationError, InputError, WatchfloorError
from tests.kafka_broker import PASSWORD, STRANGER, STRANGERS_PASSWORD, USER, Broker, free_ports, unique
from tests.kafka_groups import MAX_RECORD_BYTES, Engine, settings

pytestmark = pytest.mark.kafka

WRONG = "wrong-secret-of-the-tests"


def token(user: str, life_s: float = 3600) -> str:
    """A token without a signature, which the tests' broker takes."""
    now = time.time()
    parts = ({"alg": "none"}, {"sub": user, "iat": now, "exp": now + life_s})
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts) + "."


class Place:
    """A broker with one topic, and the settings to reach it in each way."""

    def __init__(self, broker: Broker, folder: Path) -> None:
        self.broker = broker
        self.topic = broker.create_topic(unique("logs"))
        self.other_ca = folder / "other-ca.pem"
        trustme.CA().cert_pem.write_to_path(self.other_ca)
        self.token = folder / "token"
        self.token.write_text(token(USER) + "\n")
        self.bad_token = folder / "bad-token"
        self.bad_token.write_text(token(USER, life_s=-3600))
        self.password = folder / "password"
        self.password.write_text(PASSWORD + "\n")
        self.tls = {"enabled": True, "ca_file": broker.ca_file}
        self.mine = {"cert_file": broker.client_cert, "key_file": broker.client_key}
        self.app = {"username": USER, "password": PASSWORD}

    def settings(self, **given: Any) -> KafkaSettings:
        """Plain text unless ``given`` says otherwise."""
        return settings(given.pop("servers", self.broker.servers), given.pop("topic", self.topic), group_id=unique("g"), **given)

    def sasl(self, **given: Any) -> KafkaSettings:
        """To the listener with users; ``given``: what differs."""
        return self.settings(**{"servers": self.broker.sasl_servers, "tls": self.tls, "sasl": self.app, **given})


@pytest.fixture
def place(own_broker: Broker, tmp_path: Path) -> Place:
    return Place(own_broker, tmp_path)


def problem(given: KafkaSettings) -> WatchfloorError:
    async def start() -> None:
        source = KafkaSource(given, MAX_RECORD_BYTES)
        try:
            await source.start()
        finally:
            await source.close()

    with pytest.raises((ConfigurationError, InputError)) as raised:
        asyncio.run(start())
    return raised.value


WAYS = {
    "a user by SCRAM-SHA-512": lambda place: place.sasl(),
    "TLS 1.3 only, SCRAM-SHA-256": lambda place: place.sasl(
        tls={**place.tls, "min_version": "1.3"}, sasl={**place.app, "mechanism": "SCRAM-SHA-256"}
    ),
    "PLAIN, the password in a file": lambda place: place.sasl(
        sasl={"mechanism": "PLAIN", "username": USER, "password_file": place.password}
    ),
    "a token": lambda place: place.sasl(sasl={"mechanism": "OAUTHBEARER", "oauth": {"token_file": place.token}}),
    "a certificate": lambda place: place.settings(servers=place.broker.ssl_servers, tls={**place.tls, **place.mine}),
    "a first server that is down": lambda place: place.settings(servers=f"127.0.0.1:{free_ports(1)[0]}, {place.broker.servers}"),
}


@pytest.mark.parametrize("way", WAYS)
def test_it_reads_over_every_kind_of_connection(way: str, place: Place) -> None:
    place.broker.produce(place.topic, [b"1", b"2"])
    engine = Engine(WAYS[way](place))

    async def whole() -> None:
        await engine.start()
        await engine.until(lambda: engine.count == 2)
        await engine.close()

    asyncio.run(whole())
    assert engine.records[f"{place.topic}/0"] == [b"1", b"2"]


CASES: dict[str, tuple[Any, type[WatchfloorError], str]] = {
    "no such name": (
        lambda place: place.settings(servers="kafka.invalid:9092"),
        ConfigurationError,
        "kafka.bootstrap_servers: kafka.invalid:9092: there is no host of this name",
    ),
    "nobody listens": (
        lambda place: place.settings(servers=f"127.0.0.1:{free_ports(1)[0]}"),
        InputError,
        "kafka.bootstrap_servers: 127.0.0.1:",
    ),
    "plain text to TLS": (lambda place: place.settings(servers=place.broker.sasl_servers), ConfigurationError, "kafka.tls.enabled: "),
    "TLS to plain text": (lambda place: place.settings(tls=place.tls), ConfigurationError, "kafka.tls.enabled: "),
    "another authority": (
        lambda place: place.sasl(tls={**place.tls, "ca_file": place.other_ca}),
        ConfigurationError,
        "kafka.tls.ca_file: ",
    ),
    "an authority nobody knows": (lambda place: place.sasl(tls={"enabled": True}), ConfigurationError, "kafka.tls.ca_file: "),
    "no certificate": (
        lambda place: place.settings(servers=place.broker.ssl_servers, tls=place.tls),
        ConfigurationError,
        "kafka.tls.cert_file: ",
    ),
    "no user": (lambda place: place.sasl(sasl=None), ConfigurationError, "kafka.sasl: "),
    "a user where none is asked": (
        lambda place: place.settings(sasl={**place.app, "allow_plaintext": True}),
        ConfigurationError,
        "kafka.sasl: this listener asks for no user",
    ),
    "a wrong password": (lambda place: place.sasl(sasl={**place.app, "password": WRONG}), ConfigurationError, "kafka.sasl.password: "),
    "a wrong user": (lambda place: place.sasl(sasl={"username": "nobody", "password": WRONG}), ConfigurationError, "kafka.sasl.password: "),
    "an expired token": (
        lambda place: place.sasl(sasl={"mechanism": "OAUTHBEARER", "oauth": {"token_file": place.bad_token}}),
        ConfigurationError,
        "kafka.sasl.oauth: ",
    ),
    "no token": (
        lambda place: place.sasl(sasl={"mechanism": "OAUTHBEARER", "oauth": {"token_file": "/nowhere"}}),
        ConfigurationError,
        "kafka.sasl.oauth.token_file: cannot be read",
    ),
    "no such topic": (
        lambda place: place.settings(topic="lgos"),
        ConfigurationError,
        "kafka.topics.0.name: there is no topic lgos; create it, ",
    ),
    "a topic one may not see": (
        lambda place: place.sasl(sasl={"username": STRANGER, "password": STRANGERS_PASSWORD}),
        ConfigurationError,
        "kafka.topics.0.name: the brokers do not let user stranger see topic ",
    ),
    "a session the brokers do not allow": (
        lambda place: place.settings(session_timeout_s=61),
        ConfigurationError,
        "kafka.session_timeout_s: the brokers do not allow it; ",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_names_the_setting(case: str, place: Place, caplog: pytest.LogCaptureFixture) -> None:
    make, kind, beginning = CASES[case]
    started = time.monotonic()
    with caplog.at_level(logging.DEBUG):
        found = problem(make(place))
    assert type(found) is kind
    assert str(found).startswith(beginning)
    assert "; " in str(found)  # the cure
    assert "\n" not in str(found)
    assert time.monotonic() - started < 12
    for secret in (PASSWORD, WRONG, STRANGERS_PASSWORD, place.token.read_text().strip(), place.bad_token.read_text()):
        assert secret not in str(found) + caplog.text


def test_a_missing_topic_lists_what_there_is(place: Place) -> None:
    there = place.broker.create_topic(f"a{unique('first')}")  # of many, the first by name are listed
    text = str(problem(place.settings(topic="lgos")))
    assert f"(this client sees {there}" in text or f", {there}" in text


def test_a_broker_that_hangs_is_given_up(place: Place) -> None:
    place.broker.suspend()
    try:
        found = problem(place.settings())
    finally:
        place.broker.resume()
    assert type(found) is InputError
    assert "does not answer" in str(found)


def test_another_program_in_the_group_is_named(place: Place) -> None:
    given = place.settings()

    async def whole() -> None:
        other = AIOKafkaConsumer(place.topic, bootstrap_servers=place.broker.servers, group_id=given.group_id)
        await other.start()
        source = KafkaSource(given, MAX_RECORD_BYTES)
        try:
            with pytest.raises(ConfigurationError, match=r"^kafka\.group_id: .* is a group of other programs; use another"):
                await source.start()
        finally:
            await source.close()
            await other.stop()

    asyncio.run(whole())
