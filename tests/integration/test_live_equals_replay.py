"""What comes of a topic, live and with interruptions, is what `replay` finds in the same records."""

import json
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.kafka_broker import Broker, unique
from tests.receiver import Receiver, receiving
from tests.service import T0, Process, attacks, expected_of, service, until, webhook

pytestmark = pytest.mark.kafka

PARTITIONS = 4


def settings(broker: Broker, topic: str, folder: Path, receiver: Receiver, **kafka: Any) -> dict[str, Any]:
    return {
        "kafka": {
            "bootstrap_servers": broker.servers,
            "group_id": topic,
            "topics": [{"name": topic, "format": "native"}],
            "start": "earliest",
            "session_timeout_s": 2.0,
            "fetch_wait_s": 0.05,
            **kafka,
        },
        "store": {"path": str(folder / "store.db"), "checkpoint_interval_s": 0.2},
        # These records pass minutes in a moment, so no partition may count as idle between two shares of them.
        "service": {"idle_s": 600},
        "http": {"port": 0},
        "sinks": {"soc": webhook(receiver.url)},
    }


def ends() -> list[bytes]:
    """A last record for each partition, hours later, which lets everything before it be said."""
    event = {"time": T0 + 20_000, "kind": "api.request", "outcome": "success", "actor": "last"}
    return [json.dumps({"id": f"end{partition}", **event}).encode() for partition in range(PARTITIONS)]


def end(broker: Broker, topic: str) -> None:
    for partition, record in enumerate(ends()):
        broker.produce(topic, [record], partition=partition)


def spread(broker: Broker, topic: str, records: list[bytes], seed: int, compression: str | None = None) -> None:
    """Into partitions at random, each partition in order of time."""
    rng = random.Random(seed)
    shares: list[list[bytes]] = [[] for _ in range(PARTITIONS)]
    for record in records:
        shares[rng.randrange(PARTITIONS)].append(record)
    for partition, share in enumerate(shares):
        broker.produce(topic, share, partition=partition, compression=compression)


@pytest.mark.parametrize("compression", [None, "lz4"])
def test_four_partitions_odd_batches_and_two_restarts_give_the_same_alerts(tmp_path: Path, broker: Broker, compression: str | None) -> None:
    topic = broker.create_topic(unique("equal"), PARTITIONS)
    records = attacks(30, seed=3)
    expected = expected_of(tmp_path, records + ends())
    thirds = [records[at : at + len(records) // 3 + 1] for at in range(0, len(records), len(records) // 3 + 1)]
    with receiving() as receiver:
        for life, (share, most) in enumerate(zip(thirds, (7, 333, 50), strict=True)):
            spread(broker, topic, share, life, compression)
            config = settings(broker, topic, tmp_path, receiver, max_records=most)
            with service(config, tmp_path / f"life{life}") as process:
                if life < 2:
                    assert until(lambda: process.ready)
                    enough = len(expected) * (life + 1) // 5
                    until(lambda: len(receiver.ids) >= enough)  # noqa: B023 - asked before it changes
                else:
                    end(broker, topic)
                    until(lambda: receiver.ids >= expected)
                assert process.stop() == 0
    assert receiver.ids == expected
    assert receiver.repeated == 0


def is_active(process: Process) -> bool:
    return "went on from the last checkpoint" in process.text()


def test_the_standby_takes_over_and_nothing_is_lost_or_said_twice(tmp_path: Path, broker: Broker) -> None:
    topic = broker.create_topic(unique("standby"), PARTITIONS)
    records = attacks(24, seed=4)
    expected = expected_of(tmp_path, records + ends())
    half = len(records) // 2
    with receiving() as receiver:
        config = settings(broker, topic, tmp_path, receiver)
        spread(broker, topic, records[:half], 1)
        with service(config, tmp_path / "first") as first:
            assert until(lambda: len(receiver.ids) >= 3)
            with service(config, tmp_path / "second") as second:
                assert until(lambda: second.ready)
                assert not until(lambda: is_active(second), 3)
                spread(broker, topic, records[half:], 2)
                end(broker, topic)
                assert until(lambda: len(receiver.ids) >= len(expected) // 2)
                first.kill()
                assert until(lambda: receiver.ids >= expected)
                assert second.stop() == 0
    assert receiver.ids == expected
    assert receiver.repeated <= 1


def freeze(process: Process, store: Path) -> None:
    """At a moment when it holds no lock of the store, and sends nothing: what it sent just then would have to be sent once more."""

    def is_free() -> bool:
        process.pause()
        try:
            with closing(sqlite3.connect(store, timeout=0, isolation_level=None)) as db:
                db.execute("BEGIN IMMEDIATE")
                (busy,) = db.execute("SELECT count(*) FROM cursors WHERE in_flight").fetchone()
                db.execute("ROLLBACK")
        except sqlite3.OperationalError:
            busy = 1
        if busy:
            process.go_on()
        return not busy

    assert until(is_free)


def gives_way(process: Process) -> bool:
    """Whether it has found out that another one works: by the store, which ends it, or by the group, in which it stands by."""
    return process.popen.poll() == 3 or "this one stands by" in process.text()


def test_one_that_was_frozen_and_taken_for_dead_says_nothing_more(tmp_path: Path, broker: Broker) -> None:
    topic = broker.create_topic(unique("frozen"), PARTITIONS)
    records = attacks(24, seed=5)
    expected = expected_of(tmp_path, records + ends())
    half = len(records) // 2
    with receiving() as receiver:
        config = settings(broker, topic, tmp_path, receiver)
        spread(broker, topic, records[:half], 1)
        with service(config, tmp_path / "first") as first:
            assert until(lambda: len(receiver.ids) >= 3)
            with service(config, tmp_path / "second") as second:
                assert until(lambda: second.ready)
                freeze(first, tmp_path / "store.db")
                assert until(lambda: is_active(second), 60)
                spread(broker, topic, records[half:], 2)
                assert until(lambda: len(receiver.ids) >= len(expected) // 2, 60)
                first.go_on()
                assert until(lambda: gives_way(first), 60)
                end(broker, topic)
                assert until(lambda: receiver.ids >= expected, 60)
                assert second.stop() == 0
            assert first.wait(0) == 3 or first.stop() == 0
    assert receiver.ids == expected
    assert receiver.repeated == 0


@pytest.mark.parametrize(("end_it", "may_repeat"), [(Process.go_on, 1), (Process.kill, 0)])
def test_one_frozen_in_a_transaction_is_waited_for_until_it_goes_on_or_is_killed(
    tmp_path: Path, broker: Broker, end_it: Callable[[Process], None], may_repeat: int
) -> None:
    topic = broker.create_topic(unique("locked"), PARTITIONS)
    records = attacks(24, seed=9)
    expected = expected_of(tmp_path, records + ends())
    half = len(records) // 2
    with receiving() as receiver:
        config = settings(broker, topic, tmp_path, receiver)
        spread(broker, topic, records[:half], 1)
        with service(config, tmp_path / "first", "writing:1:freeze") as first:  # nothing is sent yet
            assert until(lambda: first.frozen)
            with service(config, tmp_path / "second") as second:
                assert second.said("the store is locked by the process that was active before", 60)
                assert second.checks()["reads"] == {"ok": False, "why": "another process holds the lock of the store"}
                assert not is_active(second)
                end_it(first)
                assert second.said("the store is free again, and taken over", 60)
                spread(broker, topic, records[half:], 2)
                end(broker, topic)
                assert until(lambda: receiver.ids >= expected, 60)
                assert second.stop() == 0
    assert receiver.ids == expected
    assert receiver.repeated <= may_repeat  # what the first one was sending when the other one had got the lock


def test_a_broker_that_is_killed_and_comes_back_costs_nothing(tmp_path: Path, own_broker: Broker) -> None:
    topic = own_broker.create_topic(unique("killed"), PARTITIONS)
    records = attacks(24, seed=6)
    expected = expected_of(tmp_path, records + ends())
    half = len(records) // 2
    with receiving() as receiver:
        config = settings(own_broker, topic, tmp_path, receiver)
        spread(own_broker, topic, records[:half], 1)
        with service(config, tmp_path / "first") as process:
            assert until(lambda: len(receiver.ids) >= 3)
            own_broker.kill()
            own_broker.start()
            spread(own_broker, topic, records[half:], 2)
            end(own_broker, topic)
            assert until(lambda: receiver.ids >= expected, 60)
            assert process.stop() == 0
    assert receiver.ids == expected
    assert receiver.repeated == 0


def test_ten_kills_on_a_topic(tmp_path: Path, broker: Broker) -> None:
    rng = random.Random(7)
    kills = 10
    topic = broker.create_topic(unique("kills"), PARTITIONS)
    records = attacks(40, seed=7)
    expected = expected_of(tmp_path, records + ends())
    share = len(records) // kills + 1
    with receiving() as receiver:
        config = settings(broker, topic, tmp_path, receiver, session_timeout_s=0.6)
        for life in range(kills):
            spread(broker, topic, records[life * share : (life + 1) * share], life)
            with service(config, tmp_path / f"life{life}") as process:
                until(lambda: process.ready)
                until(lambda: not process.running, rng.random() * 2)
                process.kill()
        end(broker, topic)
        with service(config, tmp_path / "last") as last:
            until(lambda: receiver.ids >= expected, 60)
            assert last.stop() == 0
    assert receiver.ids == expected
    assert receiver.repeated <= kills


def test_members_that_come_and_go_while_records_flow_change_nothing(tmp_path: Path, broker: Broker) -> None:
    topic = broker.create_topic(unique("joins"), PARTITIONS)
    records = attacks(30, seed=8)
    expected = expected_of(tmp_path, records + ends())
    share = len(records) // 12 + 1
    shares = [records[at : at + share] for at in range(0, len(records), share)]
    with receiving() as receiver:
        config = settings(broker, topic, tmp_path, receiver, max_records=20)
        with service(config, tmp_path / "first") as first:
            assert until(lambda: first.ready)
            for visit in range(3):
                with service(config, tmp_path / f"visitor{visit}") as visitor:
                    while shares and not visitor.ready:
                        spread(broker, topic, shares.pop(0), visit)
                    until(lambda: visitor.ready)
                    (visitor.kill if visit else visitor.stop)()
            for each in shares:
                spread(broker, topic, each, 9)
            end(broker, topic)
            assert until(lambda: receiver.ids >= expected)
            assert first.stop() == 0
    assert receiver.ids == expected
    assert receiver.repeated == 0
