"""Several processes in one group, and brokers that go away: who reads, and from where."""

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kafka_broker import Broker, unique
from tests.kafka_groups import PATIENCE_S, Engine, settings, together

pytestmark = pytest.mark.kafka

MEMBER = """
import asyncio, sys
from monitor.settings_kafka import KafkaSettings
from tests.kafka_groups import Engine

async def main():
    engine = Engine(KafkaSettings.model_validate_json(sys.argv[1]))
    await engine.start()
    while True:
        await engine.step()
        print(engine.source.generation, engine.count, flush=True)

asyncio.run(main())
"""


@pytest.fixture
def topic(broker: Broker) -> str:
    return broker.create_topic(unique("logs"), 2)


@pytest.fixture
def group() -> str:
    return unique("g")


class Member:
    """A process of the group that a test can stop and kill."""

    def __init__(self, servers: str, topic: str, group: str) -> None:
        given = settings(servers, topic, group_id=group).model_dump(mode="json")
        code = [sys.executable, "-c", MEMBER, json.dumps(given)]
        self.process = subprocess.Popen(code, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent.parent.parent)

    def read_until(self, generation: int, count: int) -> None:
        """Wait until it says that it has read so much."""
        deadline = time.monotonic() + PATIENCE_S
        assert self.process.stdout is not None
        for line in self.process.stdout:
            assert time.monotonic() < deadline
            if list(map(int, line.split())) == [generation, count]:
                return
        raise AssertionError("it ended")

    def close(self) -> None:
        """End it, whatever state it is in."""
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def member(broker: Broker, topic: str, group: str) -> Iterator[Member]:
    one = Member(broker.servers, topic, group)
    yield one
    one.close()


def test_a_standby_that_joins_and_leaves_changes_nothing_for_the_active_one(broker: Broker, topic: str, group: str) -> None:
    async def whole() -> None:
        first, second = (Engine(settings(broker.servers, topic, group_id=group)) for _ in range(2))
        await first.start()
        broker.produce(topic, [b"1"])
        await first.until(lambda: first.count == 1)
        inputs = first.source.inputs
        joining = asyncio.create_task(second.start())
        await together(first, until=joining.done)
        await joining
        broker.produce(topic, [b"2"])
        await together(first, second, until=lambda: first.count == 2)
        assert (second.source.generation, second.source.is_active, list(second.source.inputs)) == (0, False, [])
        leaving = asyncio.create_task(second.close())
        await together(first, until=leaving.done)
        broker.produce(topic, [b"3"])
        await first.until(lambda: first.count == 3)
        # It was asked to save its state, and went on with the same inputs: nothing was read twice.
        assert first.checkpoints >= 1
        assert first.source.generation == 1
        assert first.source.inputs is inputs
        assert first.records == {f"{topic}/0": [b"1", b"2", b"3"], f"{topic}/1": []}
        await first.close()

    asyncio.run(whole())


def test_when_the_active_one_leaves_the_standby_goes_on_at_its_checkpoint(broker: Broker, topic: str, group: str) -> None:
    async def whole() -> None:
        store: dict[str, Any] = {}
        first, second = (Engine(settings(broker.servers, topic, group_id=group, session_timeout_s=60), store) for _ in range(2))
        await first.start()
        broker.produce(topic, [b"1", b"2"])
        await first.until(lambda: first.count == 2)
        joining = asyncio.create_task(second.start())
        await together(first, until=joining.done)
        await first.checkpoint()
        started = time.monotonic()
        await first.close()
        broker.produce(topic, [b"3"])
        await second.until(lambda: second.count == 1)
        assert time.monotonic() - started < 20  # at once, and not after the session's 60 s
        assert second.source.generation == 1
        assert second.records[f"{topic}/0"] == [b"3"]
        await second.close()

    asyncio.run(whole())


def test_when_the_active_one_is_killed_the_standby_gets_everything(broker: Broker, topic: str, group: str, member: Member) -> None:
    broker.produce(topic, [b"1"])
    broker.produce(topic, [b"2"], 1)
    member.read_until(1, 2)

    async def whole() -> None:
        second = Engine(settings(broker.servers, topic, group_id=group))
        await second.start()
        await second.for_(2.5)
        assert second.source.generation == 0
        member.process.kill()
        await second.until(lambda: second.count == 2)
        assert second.source.generation == 1
        assert second.records == {f"{topic}/0": [b"1"], f"{topic}/1": [b"2"]}
        await second.close()

    asyncio.run(whole())


def test_an_active_one_that_hung_stands_by_when_it_comes_back(broker: Broker, topic: str, group: str, member: Member) -> None:
    broker.produce(topic, [b"1"])
    member.read_until(1, 1)

    async def whole() -> None:
        second = Engine(settings(broker.servers, topic, group_id=group))
        await second.start()
        os.kill(member.process.pid, signal.SIGSTOP)
        await second.until(lambda: second.source.is_active)
        os.kill(member.process.pid, signal.SIGCONT)
        await second.for_(4.0)
        assert second.source.is_active
        assert second.source.generation == 1
        broker.produce(topic, [b"2"])
        await second.until(lambda: second.count == 2)
        await second.close()

    asyncio.run(whole())
    # It had stayed in the group. Now that it works again, it reads 2 after its own checkpoint, written when the second one joined.
    member.read_until(2, 2)


def test_one_that_hung_alone_begins_anew_from_its_store(broker: Broker, topic: str, group: str, caplog: pytest.LogCaptureFixture) -> None:
    async def whole() -> None:
        engine = Engine(settings(broker.servers, topic, group_id=group))
        await engine.start()
        broker.produce(topic, [b"1"])
        await engine.until(lambda: engine.count == 1)
        await engine.checkpoint()
        time.sleep(4)  # noqa: ASYNC251 - the whole loop stands still, as under a debugger or on a frozen machine
        await engine.until(lambda: engine.source.generation == 2)
        broker.produce(topic, [b"2"])
        await engine.until(lambda: engine.count == 2)
        assert engine.records[f"{topic}/0"] == [b"1", b"2"]
        await engine.close()

    asyncio.run(whole())


@pytest.mark.parametrize("away_s", [0.5, 9.0])
def test_a_broker_that_is_killed_and_comes_back_costs_nothing(
    away_s: float, own_broker: Broker, topic: str, group: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def whole() -> Engine:
        engine = Engine(settings(own_broker.servers, topic, group_id=group))
        await engine.start()
        await asyncio.to_thread(own_broker.produce, topic, [b"%d" % number for number in range(100)])
        await engine.until(lambda: engine.count == 100)
        await asyncio.to_thread(own_broker.kill)
        try:
            used = time.process_time()
            await engine.for_(away_s)
            assert time.process_time() - used < 0.3 + away_s * 0.25  # it waits, and does not spin
        finally:
            await asyncio.to_thread(own_broker.start)
        await asyncio.to_thread(own_broker.produce, topic, [b"%d" % number for number in range(100, 200)])
        await engine.until(lambda: engine.count >= 200)
        await engine.until(lambda: f"{topic}/0" in engine.caught_up and not engine.source._troubles)
        await engine.close()
        return engine

    with caplog.at_level(logging.INFO, "watchfloor"):
        engine = asyncio.run(whole())
    assert engine.records[f"{topic}/0"] == [b"%d" % number for number in range(200)]
    told = [(record.message, record.what) for record in caplog.records if record.message in {"kafka_trouble", "kafka_back"}]  # type: ignore[attr-defined]
    assert len(told) == len(set(told)), told  # each once
    assert {what for message, what in told if message == "kafka_trouble"} == {what for message, what in told if message == "kafka_back"}


def test_brokers_that_hang_are_no_input_that_has_caught_up(own_broker: Broker, topic: str, group: str) -> None:
    async def whole() -> None:
        engine = Engine(settings(own_broker.servers, topic, group_id=group))
        await engine.start()
        await engine.until(lambda: engine.caught_up == {f"{topic}/0", f"{topic}/1"})
        own_broker.suspend()
        try:
            await engine.for_(6.5)
            engine.caught_up.clear()
            await engine.for_(1.0)
            assert engine.caught_up == set()
        finally:
            own_broker.resume()
        await engine.until(lambda: engine.caught_up == {f"{topic}/0", f"{topic}/1"})
        await engine.close()

    asyncio.run(whole())
