"""The Kafka source on a real broker: reading, and where it begins."""

import asyncio
import inspect
import logging
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from tests.kafka_broker import Broker, unique
from tests.kafka_groups import Engine, settings

START = time.time() // 1 - 3_600
"""An hour ago: the broker deletes what is older than a week."""

pytestmark = pytest.mark.kafka


def run(engine: Engine, *steps: Any) -> Engine:
    """Start, go through the steps (each a condition, or something to await), close."""

    async def whole() -> None:
        await engine.start()
        try:
            for step in steps:
                if inspect.iscoroutinefunction(step):
                    await step()
                else:
                    await engine.until(step)
        finally:
            await engine.close()

    asyncio.run(whole())
    return engine


@pytest.fixture
def topic(broker: Broker) -> str:
    return broker.create_topic(unique("logs"), 2)


def new_engine(broker: Broker, *topics: str, **more: Any) -> Engine:
    own = {"store": more.pop("store", None)}
    if "max_record_bytes" in more:
        own["max_record_bytes"] = more.pop("max_record_bytes")
    return Engine(settings(broker.servers, *topics, **{"group_id": unique("g"), **more}), **own)


@pytest.mark.parametrize("codec", [None, "gzip", "lz4", "snappy", "zstd"])
def test_records_of_every_codec_arrive_in_order_with_offset_and_time(codec: str | None, broker: Broker, topic: str) -> None:
    values = [f"record {number} ".encode() * 20 for number in range(500)]
    broker.produce(topic, values, 1, codec, times=[START + 0.25 + number for number in range(500)])
    engine = new_engine(broker, topic)
    run(engine, lambda: engine.count == 500 and engine.caught_up == {f"{topic}/0", f"{topic}/1"})
    assert engine.records[f"{topic}/1"] == values
    assert engine.lines[f"{topic}/1"] == list(range(500))
    assert engine.positions == {f"{topic}/0": 0, f"{topic}/1": 500}
    stamps = [stamp for arrived in engine.arrivals for stamp in arrived.stamps or ()]
    assert stamps[:2] == [START + 0.25, START + 1.25]
    assert len(stamps) == 500


def test_a_batch_holds_at_most_max_records_of_a_partition(broker: Broker, topic: str) -> None:
    broker.produce(topic, [b"x"] * 25)
    broker.produce(topic, [b"y"] * 25, 1)
    engine = new_engine(broker, topic, max_records=10)
    run(engine, lambda: engine.count == 50)
    assert max(len(arrived.records) for arrived in engine.arrivals) == 10


def test_inputs_name_format_tenant_and_topic(broker: Broker, topic: str) -> None:
    engine = new_engine(broker, topic, topics=[{"name": topic, "format": "sshd", "tenant": "example"}])
    run(engine, lambda: len(engine.source.inputs) == 2)
    # After close there are none.
    assert engine.source.inputs == ()


def test_nothing_comes_before_seek(broker: Broker, topic: str) -> None:
    broker.produce(topic, [b"one"])
    engine = new_engine(broker, topic)

    async def ask() -> None:
        assert engine.source.generation == 1
        assert [one.source for one in engine.source.inputs] == [f"{topic}/0", f"{topic}/1"]
        assert list(await engine.source.next(0.5)) == []

    run(engine, ask, lambda: engine.count == 1)


def test_it_goes_on_at_the_positions_of_the_checkpoint(broker: Broker, topic: str) -> None:
    broker.produce(topic, [b"0", b"1", b"2"], 0)
    broker.produce(topic, [b"a", b"b"], 1)
    engine = new_engine(broker, topic, store={f"{topic}/0": 2, f"{topic}/1": 0, "stdin": 9})
    run(engine, lambda: engine.count == 3)
    assert engine.records == {f"{topic}/0": [b"2"], f"{topic}/1": [b"a", b"b"]}


def test_latest_begins_with_what_comes_and_says_where_before_it_comes(broker: Broker, topic: str) -> None:
    broker.produce(topic, [b"old"] * 3)
    engine = new_engine(broker, topic, start="latest")

    async def more() -> None:
        broker.produce(topic, [b"new"])

    run(engine, lambda: engine.positions == {f"{topic}/0": 3, f"{topic}/1": 0}, more, lambda: engine.count == 1)
    assert engine.records == {f"{topic}/0": [b"new"], f"{topic}/1": []}


def test_a_time_begins_with_the_first_record_of_that_time(broker: Broker, topic: str) -> None:
    broker.produce(topic, [b"0", b"1", b"2"], times=[START, START + 10, START + 20])
    broker.produce(topic, [b"early"], 1, times=[START])
    engine = new_engine(broker, topic, start=datetime.fromtimestamp(START + 5, UTC))
    run(engine, lambda: engine.positions == {f"{topic}/0": 3, f"{topic}/1": 1})
    assert engine.records == {f"{topic}/0": [b"1", b"2"], f"{topic}/1": []}


def test_partitions_that_are_added_are_read_from_their_beginning(broker: Broker, topic: str) -> None:
    engine = new_engine(broker, topic, start="latest")

    async def add() -> None:
        broker.add_partitions(topic, 3)
        broker.produce(topic, [b"first"], 2)

    run(engine, lambda: len(engine.positions) == 2, add, lambda: engine.records[f"{topic}/2"] == [b"first"])
    assert engine.source.generation == 1


def test_a_partition_added_while_nobody_was_there_is_read_from_its_beginning(broker: Broker, topic: str) -> None:
    broker.produce(topic, [b"first"], 1)
    engine = new_engine(broker, topic, start="latest", store={f"{topic}/0": 0})
    run(engine, lambda: engine.records[f"{topic}/1"] == [b"first"])


def test_a_topic_that_is_deleted_disappears_and_comes_back(broker: Broker, topic: str, caplog: pytest.LogCaptureFixture) -> None:
    other = broker.create_topic(unique("other"))
    engine = new_engine(broker, topic, other, start="latest")

    async def delete() -> None:
        broker.delete_topic(topic)

    async def make_anew() -> None:
        broker.create_topic(topic)
        broker.produce(topic, [b"again"])

    def is_gone() -> bool:
        return [one.source for one in engine.source.inputs] == [f"{other}/0"]

    with caplog.at_level(logging.INFO, "watchfloor"):
        run(
            engine,
            lambda: len(engine.positions) == 3,
            delete,
            is_gone,
            make_anew,
            lambda: engine.records[f"{topic}/0"] == [b"again"],
        )
    (told,) = [record for record in caplog.records if record.message == "kafka_topic_gone"]
    assert (told.topic, told.partitions, told.records_lost) == (topic, "0, 1", 0)  # type: ignore[attr-defined]
    assert [(one.source, one.position) for one in engine.arrivals if one.source == f"{topic}/1"][:2] == [(f"{topic}/1", 0)] * 2
    assert engine.source.generation == 1


def test_tombstones_are_passed_over(broker: Broker, topic: str) -> None:
    broker.produce(topic, [b"a", None, b"b", None])
    engine = new_engine(broker, topic)
    run(engine, lambda: engine.positions.get(f"{topic}/0") == 4)
    assert engine.records[f"{topic}/0"] == [b"a", b"b"]
    assert engine.lines[f"{topic}/0"] == [0, 2]


def test_what_is_too_long_comes_apart_and_larger_than_a_fetch(broker: Broker, topic: str) -> None:
    large = b"x" * 300_000
    broker.produce(topic, [b"a", large, b"b" * 1_000, b"b" * 1_001])
    engine = new_engine(broker, topic, partition_fetch_bytes=10_000, max_record_bytes=1_000)
    run(engine, lambda: engine.positions.get(f"{topic}/0") == 4)
    assert engine.records[f"{topic}/0"] == [b"a", b"b" * 1_000]
    assert [entry for arrived in engine.arrivals for entry in arrived.oversize] == [(1, large), (3, b"b" * 1_001)]


def test_what_is_paused_waits_and_the_group_stays(broker: Broker, topic: str) -> None:
    broker.produce(topic, [b"0"] * 5, 0)
    broker.produce(topic, [b"1"] * 5, 1)
    engine = new_engine(broker, topic, max_records=2)

    async def pause_one() -> None:
        engine.source.pause(frozenset({f"{topic}/0"}))

    async def pause_both() -> None:
        engine.source.pause(frozenset({f"{topic}/0", f"{topic}/1"}))
        await engine.for_(4.0)  # longer than the session
        engine.source.pause(frozenset())

    run(engine, pause_both, pause_one, lambda: len(engine.records[f"{topic}/1"]) == 5, pause_both, lambda: engine.count == 10)
    assert engine.source.generation == 1
    assert [len(engine.records[f"{topic}/{number}"]) for number in (0, 1)] == [5, 5]


def test_lag_is_what_is_not_read_yet(broker: Broker, topic: str) -> None:
    broker.produce(topic, [b"0"] * 10)
    engine = new_engine(broker, topic, max_records=4)
    lags = []

    async def look() -> None:
        lags.append(engine.source.lag()[topic, "0"])

    run(engine, lambda: engine.count == 4, look, lambda: engine.count == 10, look)
    assert lags == [6, 0]


def test_positions_before_the_beginning_go_on_there_and_say_what_is_lost(
    broker: Broker, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    broker.produce(topic, [b"%d" % number for number in range(10)])
    broker.delete_records(topic, 0, 6)
    engine = new_engine(broker, topic, store={f"{topic}/0": 2})
    with caplog.at_level(logging.WARNING, "watchfloor"):
        run(engine, lambda: engine.count == 4)
    assert engine.records[f"{topic}/0"] == [b"6", b"7", b"8", b"9"]
    (told,) = [record for record in caplog.records if record.message == "kafka_position_gone"]
    assert (told.topic, told.partition, told.wanted, told.goes_on_at, told.records_lost) == (topic, 0, 2, 6, 4)  # type: ignore[attr-defined]
    assert "retention" in told.reason  # type: ignore[attr-defined]


def test_positions_beyond_the_end_go_on_at_the_beginning(broker: Broker, topic: str, caplog: pytest.LogCaptureFixture) -> None:
    broker.produce(topic, [b"0", b"1"])
    engine = new_engine(broker, topic, store={f"{topic}/0": 700})
    totals = []

    async def look() -> None:
        totals.append((engine.source.jumps_total, engine.source.lost_total))

    with caplog.at_level(logging.WARNING, "watchfloor"):
        run(engine, lambda: engine.count == 2, look)
    assert totals == [(1, 0)]
    (told,) = [record for record in caplog.records if record.message == "kafka_position_gone"]
    assert (told.wanted, told.end, told.goes_on_at) == (700, 2, 0)  # type: ignore[attr-defined]


def test_records_deleted_under_a_paused_reader_are_counted_as_lost(broker: Broker, topic: str) -> None:
    broker.produce(topic, [b"0" * 600] * 20)
    engine = new_engine(broker, topic, partition_fetch_bytes=1_024, max_records=1)
    totals = []

    async def delete() -> None:
        broker.delete_records(topic, 0, 15)

    async def look() -> None:
        totals.append((engine.source.jumps_total, engine.source.lost_total, engine.count))

    run(engine, lambda: engine.count >= 1, delete, lambda: engine.positions[f"{topic}/0"] == 20, look)
    jumps, lost, count = totals[0]
    assert jumps <= 1
    assert lost + count == 20


def test_commits_are_seen_at_the_broker(broker: Broker, topic: str) -> None:
    broker.produce(topic, [b"0"] * 3)
    group = unique("g")
    engine = new_engine(broker, topic, group_id=group)

    async def commit() -> None:
        await engine.source.commit({f"{topic}/0": 3, "stdin": 4, "elsewhere/7": 1})

    run(engine, lambda: engine.count == 3, commit)

    async def offset() -> int:
        admin = AIOKafkaAdminClient(bootstrap_servers=broker.servers)
        await admin.start()
        try:
            offsets = await admin.list_consumer_group_offsets(group)
        finally:
            await admin.close()
        return int(offsets[TopicPartition(topic, 0)].offset)

    assert asyncio.run(offset()) == 3


def test_each_instance_reads_its_part(broker: Broker) -> None:
    topic = broker.create_topic(unique("split"), 5)
    for number in range(5):
        broker.produce(topic, [b"%d" % number], number)
    group = unique("g")
    engines = [new_engine(broker, topic, group_id=group, instances=2, instance=part) for part in (0, 1)]
    assert sorted(run(engines[0], lambda: engines[0].count == 3).records) == [f"{topic}/0", f"{topic}/2", f"{topic}/4"]
    assert sorted(run(engines[1], lambda: engines[1].count == 2).records) == [f"{topic}/1", f"{topic}/3"]
