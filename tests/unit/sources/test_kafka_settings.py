from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from monitor.settings_kafka import KafkaSettings

BASE: dict[str, Any] = {"bootstrap_servers": "kafka.example.com:9092"}
APP = {"username": "app", "password": "a secret"}
TLS = {"enabled": True}


@pytest.mark.parametrize(
    ("given", "servers"),
    [
        ("a.example.com:9092, b.example.com:9093", ("a.example.com:9092", "b.example.com:9093")),
        (["[2001:db8::1]:9092"], ("[2001:db8::1]:9092",)),
    ],
)
def test_servers_are_a_list_or_a_text_with_commas(given: Any, servers: tuple[str, ...]) -> None:
    assert KafkaSettings(bootstrap_servers=given).bootstrap_servers == servers


@pytest.mark.parametrize(
    ("given", "start"),
    [
        ("latest", "latest"),
        ("earliest", "earliest"),
        ("2026-01-31T12:00:00+01:00", datetime(2026, 1, 31, 11, tzinfo=UTC)),
        (datetime(2026, 1, 31, tzinfo=UTC), datetime(2026, 1, 31, tzinfo=UTC)),
    ],
)
def test_the_start_is_a_word_or_a_time(given: Any, start: Any) -> None:
    assert KafkaSettings.model_validate({**BASE, "start": given}).start == start


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bootstrap_servers": ""}, "at least 1 item"),
        ({"bootstrap_servers": "kafka.example.com"}, "is no server; write it as host:port"),
        ({"bootstrap_servers": "kafka.example.com:0"}, "is no server"),
        ({"bootstrap_servers": "kafka.example.com:65536"}, "is no server"),
        ({"bootstrap_servers": "https://kafka.example.com:9092"}, "is no server"),
        ({"start": "yesterday"}, "is no start; use latest, earliest, or a time with its zone"),
        ({"start": "2026-01-31T12:00:00"}, "a time with its zone"),
        ({"start": 7}, "is no start"),
        ({"start": "2226-01-31T12:00:00Z"}, "is out of range"),
        ({"topics": [{"name": "a/b"}]}, "match pattern"),
        ({"topics": [{"name": "a", "format": "auto"}]}, "is no format"),
        ({"topics": [{"name": "a"}, {"name": "a"}]}, "topics.1.name: is there twice"),
        ({"topics": [{"name": "a"}], "dead_letter_topic": "a"}, "dead_letter_topic: is read as well"),
        ({"instances": 2, "instance": 2}, "instance: 2 is none of 2"),
        ({"sasl": APP}, "sasl.allow_plaintext: a password or token would be readable on the way"),
        ({"sasl": {"username": "app"}, "tls": TLS}, "password: give it, or password_file"),
        ({"sasl": {**APP, "password_file": "p"}, "tls": TLS}, "password: give it, or password_file"),
        ({"sasl": {"password": "x"}, "tls": TLS}, "username: is missing"),
        ({"sasl": {"mechanism": "OAUTHBEARER"}, "tls": TLS}, "oauth: is missing"),
        ({"sasl": {**APP, "mechanism": "OAUTHBEARER", "oauth": {"token_file": "t"}}, "tls": TLS}, "has no username and password"),
        ({"sasl": {**APP, "oauth": {"token_file": "t"}}, "tls": TLS}, "oauth: is for OAUTHBEARER only"),
        ({"sasl": {"mechanism": "OAUTHBEARER", "oauth": {}}, "tls": TLS}, "token_file: give it, or token_url"),
        ({"sasl": {"mechanism": "OAUTHBEARER", "oauth": {"token_url": "http://id.example.com/t"}}, "tls": TLS}, "token_url: "),
        ({"sasl": {"mechanism": "OAUTHBEARER", "oauth": {"token_url": "https://id.example.com/t"}}, "tls": TLS}, "client_id: is missing"),
        ({"tls": {"ca_file": "ca.pem"}}, "ca_file: is of no use without TLS"),
        ({"tls": {**TLS, "key_file": "k.pem"}}, "cert_file: is missing"),
        ({"tls": {**TLS, "cert_file": "c.pem", "key_password": "x", "key_password_file": "f"}}, "keep one"),
    ],
)
def test_what_cannot_be_is_refused_with_the_cure(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message) as raised:
        KafkaSettings.model_validate(BASE | changes)
    assert "a secret" not in "".join(error["msg"] for error in raised.value.errors())


def test_secrets_are_not_shown() -> None:
    given = KafkaSettings.model_validate({**BASE, "sasl": APP, "tls": {**TLS, "cert_file": "c", "key_password": "another secret"}})
    assert "a secret" not in repr(given)
    assert "another secret" not in repr(given)


def test_a_password_may_lie_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("from a file\n")
    given = KafkaSettings.model_validate({**BASE, "sasl": {"username": "app", "password_file": file}, "tls": TLS})
    assert given.sasl is not None
    assert given.sasl.secret() == "from a file"


@pytest.mark.parametrize(("instances", "group"), [(1, "watchfloor"), (3, "watchfloor-2-of-3")])
def test_each_part_of_the_partitions_has_a_group(instances: int, group: str) -> None:
    assert KafkaSettings.model_validate({**BASE, "instances": instances, "instance": instances - 1}).group == group
