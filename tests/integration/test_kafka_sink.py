"""Alerts and dead letters to a real broker."""

import asyncio
import logging
from typing import Any

import msgspec
import pytest

from monitor.kafka_dead_letters import KafkaDeadLetters
from monitor.notification import Notification, RefusedError, UnreachableError
from monitor.settings_kafka import KafkaSettings
from monitor.settings_sinks import KafkaSinkSettings
from monitor.sinks.kafka import KafkaSink
from schemas.alert import Alert
from schemas.errors import ConfigurationError, RejectError
from tests.kafka_broker import PASSWORD, STRANGER, STRANGERS_PASSWORD, USER, Broker, unique
from tests.sink_cases import alert

pytestmark = pytest.mark.kafka


@pytest.fixture
def topic(broker: Broker) -> str:
    return broker.create_topic(unique("alerts"), 2)


def sink(topic: str, brokers: KafkaSettings, **more: Any) -> KafkaSink:
    return KafkaSink("soc", KafkaSinkSettings(type="kafka", topic=topic, **more), brokers)


def notification(*alerts: Alert) -> Notification:
    return Notification(key="k", reason="new", status="firing", alerts=alerts)


def send(one: KafkaSink, *alerts: Alert) -> None:
    async def whole() -> None:
        try:
            assert await one.send(notification(*alerts)) == {}
        finally:
            await one.close()

    asyncio.run(whole())


def test_each_version_is_a_record_keyed_by_its_attack(broker: Broker, topic: str) -> None:
    versions = [alert(1), alert(1, version=2, status="resolved"), alert(2, name="Zoë\u202e")]
    send(sink(topic, KafkaSettings(bootstrap_servers=(broker.servers,))), *versions)
    records = broker.read(topic, 3)
    assert sorted(msgspec.json.decode(record.value, type=Alert).version for record in records) == [1, 1, 2]
    of_first = [record for record in records if record.key == b"failed_login_burst:1"]
    assert [dict(record.headers) for record in of_first] == [
        {"id": b"id00001", "version": b"1", "format": b"native"},
        {"id": b"id00001", "version": b"2", "format": b"native"},
    ]
    assert [msgspec.json.decode(record.value, type=Alert) for record in of_first] == versions[:2]
    assert not any("\u202e".encode() in record.value for record in records)


@pytest.mark.parametrize(("form", "field"), [("ocsf", "class_uid"), ("ecs", "ecs")])
def test_alerts_are_written_in_the_form_that_is_set(form: str, field: str, broker: Broker, topic: str) -> None:
    send(sink(topic, KafkaSettings(bootstrap_servers=(broker.servers,)), format=form), alert())
    (record,) = broker.read(topic, 1)
    assert field in msgspec.json.decode(record.value)
    assert dict(record.headers)["format"] == form.encode()


def test_it_writes_over_tls_as_a_user(own_broker: Broker, topic: str) -> None:
    tls = {"enabled": True, "ca_file": own_broker.ca_file, "min_version": "1.3"}
    sasl = {"username": USER, "password": PASSWORD}
    send(sink(topic, KafkaSettings.model_validate({"bootstrap_servers": own_broker.sasl_servers, "tls": tls, "sasl": sasl})), alert())
    assert len(own_broker.read(topic, 1)) == 1


def test_a_missing_topic_is_said_and_tried_again(broker: Broker) -> None:
    topic = unique("later")
    one = sink(topic, KafkaSettings(bootstrap_servers=(broker.servers,)), timeout_s=10)

    async def whole() -> None:
        with pytest.raises(UnreachableError, match=rf"^sinks\.soc\.topic: there is no topic {topic}; create it"):
            await one.send(notification(alert()))
        await asyncio.to_thread(broker.create_topic, topic)
        await one.send(notification(alert()))
        await one.close()

    asyncio.run(whole())
    assert len(broker.read(topic, 1)) == 1


def test_a_user_who_may_not_write_is_named(own_broker: Broker, topic: str) -> None:
    given = {
        "bootstrap_servers": own_broker.sasl_servers,
        "tls": {"enabled": True, "ca_file": own_broker.ca_file},
        "sasl": {"username": STRANGER, "password": STRANGERS_PASSWORD},
    }
    with pytest.raises(UnreachableError, match=r"^sinks\.soc\.topic: .*user stranger"):
        send(sink(topic, KafkaSettings.model_validate(given)), alert())


def test_what_the_topic_does_not_take_is_refused_and_the_next_one_goes(broker: Broker) -> None:
    topic = broker.create_topic(unique("short"), max_message_bytes="4000")
    one = sink(topic, KafkaSettings(bootstrap_servers=(broker.servers,)), timeout_s=10)

    async def whole() -> None:
        with pytest.raises(
            RefusedError, match=r"^sinks\.soc\.topic: a record is longer than the topic allows; raise its max\.message\.bytes"
        ):
            await one.send(notification(alert(1, summary="x" * 5_000)))
        await one.send(notification(alert(2)))
        await one.close()

    asyncio.run(whole())
    assert [record.key for record in broker.read(topic, 1)] == [b"failed_login_burst:2"]


def test_a_broker_that_is_killed_costs_a_send_and_is_found_again(own_broker: Broker, topic: str) -> None:
    one = sink(topic, KafkaSettings(bootstrap_servers=(own_broker.servers,)), timeout_s=4)

    async def whole() -> None:
        await one.send(notification(alert(1)))
        await asyncio.to_thread(own_broker.kill)
        try:
            for _ in range(2):
                with pytest.raises(UnreachableError, match=r"^kafka\.bootstrap_servers: "):
                    await one.send(notification(alert(2)))
        finally:
            await asyncio.to_thread(own_broker.start)
        await one.send(notification(alert(2)))
        await one.close()

    asyncio.run(whole())
    assert {record.key for record in own_broker.read(topic, 2)} == {b"failed_login_burst:1", b"failed_login_burst:2"}


def test_a_broker_that_hangs_costs_no_more_than_the_time_out(own_broker: Broker, topic: str) -> None:
    one = sink(topic, KafkaSettings(bootstrap_servers=(own_broker.servers,)), timeout_s=3)

    async def whole() -> None:
        await one.send(notification(alert(1)))
        own_broker.suspend()
        try:
            async with asyncio.timeout(8):
                with pytest.raises(UnreachableError):
                    await one.send(notification(alert(2)))
        finally:
            own_broker.resume()
        await one.send(notification(alert(3)))
        await one.close()

    asyncio.run(whole())
    assert b"failed_login_burst:3" in {record.key for record in own_broker.read(topic, 3, wait_s=3)}


def letters(broker: Broker, topic: str, waits: list[float] | None = None) -> KafkaDeadLetters:
    async def sleep(seconds: float) -> None:
        if waits is not None:
            waits.append(seconds)
        await asyncio.sleep(0.05)

    return KafkaDeadLetters(
        KafkaSettings(bootstrap_servers=(broker.servers,), dead_letter_topic=topic), wall=lambda: 1_770_000_000.5, sleep=sleep
    )


def test_dead_letters_hold_the_whole_record_and_where_it_came_from(broker: Broker, topic: str) -> None:
    async def whole() -> None:
        dead = letters(broker, topic)
        await dead.start()
        dead.keep("web.logs/3", 17, b"\xff{", RejectError("not_utf8", "the record"), "native")
        dead.keep("file:/var/log/auth.log", 4, b"", RejectError("truncated"), "sshd")
        await dead.flush()
        assert dead.written_total == 2
        await dead.close()

    asyncio.run(whole())
    found = {record.value: dict(record.headers) for record in broker.read(topic, 2)}
    time = b"2026-02-02T02:40:00.500Z"
    kafka = {"reason": b"not_utf8", "detail": b"the record", "topic": b"web.logs", "partition": b"3", "offset": b"17"}
    file = {"reason": b"truncated", "detail": b"", "source": b"file:/var/log/auth.log", "line": b"4"}
    assert found == {b"\xff{": {**kafka, "format": b"native", "time": time}, b"": {**file, "format": b"sshd", "time": time}}


def test_a_missing_dead_letter_topic_stops_the_start(broker: Broker) -> None:
    with pytest.raises(
        ConfigurationError, match=r"^kafka\.dead_letter_topic: there is no topic nowhere-at-all; create it, or name another"
    ):
        asyncio.run(letters(broker, "nowhere-at-all").start())


def test_what_is_too_long_for_the_topic_is_cut_and_says_so(broker: Broker) -> None:
    topic = broker.create_topic(unique("dead"), max_message_bytes="20000")

    async def whole() -> None:
        dead = letters(broker, topic)
        for number in range(30):
            dead.keep("t/0", number, b"%d" % number * 400, RejectError("not_json"), "native")
        dead.keep("t/0", 99, b"x" * 100_000, RejectError("too_long"), "native")
        await dead.flush()
        assert (dead.written_total, dead.cut_total) == (31, 1)
        await dead.close()

    asyncio.run(whole())
    records = broker.read(topic, 31)
    assert len(records) == 31
    (cut,) = [record for record in records if record.value[:1] == b"x"]
    assert cut.value == b"x" * 12_500  # halved until it fits
    assert dict(cut.headers)["truncated_from_bytes"] == b"100000"


def test_flush_waits_for_a_broker_that_is_gone_and_says_so_once(own_broker: Broker, topic: str, caplog: pytest.LogCaptureFixture) -> None:
    waits: list[float] = []

    async def whole() -> None:
        dead = letters(own_broker, topic, waits)
        await asyncio.to_thread(own_broker.kill)
        for number in range(3):
            dead.keep("t/0", number, b"%d" % number, RejectError("not_json"), "native")
        flushing = asyncio.create_task(dead.flush())
        while len(waits) < 3:
            await asyncio.sleep(0.02)
        await asyncio.to_thread(own_broker.start)
        await flushing
        await dead.close()

    with caplog.at_level(logging.INFO, "watchfloor"):
        asyncio.run(whole())
    assert [record.value for record in own_broker.read(topic, 3)] == [b"0", b"1", b"2"] or len(own_broker.read(topic, 3)) == 3
    assert waits[:3] == [0.5, 1.0, 2.0]
    assert [record.message for record in caplog.records if record.name == "watchfloor"] == ["dead_letters_wait", "dead_letters_back"]


def test_dead_letters_say_when_they_are_full(broker: Broker) -> None:
    dead = letters(broker, "any")
    for number in range(9_999):
        dead.keep("t/0", number, b"", RejectError("not_json"), "native")
    assert not dead.is_full
    dead.keep("t/0", 9_999, b"", RejectError("not_json"), "native")
    assert dead.is_full
