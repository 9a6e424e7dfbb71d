"""The service on a real broker whose topics, or whose whole cluster, are not what they were."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.kafka_broker import Broker, unique
from tests.receiver import Receiver, receiving
from tests.service import T0, Process, attacks, expected_of, service, until, webhook

pytestmark = pytest.mark.kafka

OTHER_CLUSTER = "YW5vdGhlci1vbmUtYWx0bw"


def settings(broker: Broker, folder: Path, receiver: Receiver, *topics: str, **store: Any) -> dict[str, Any]:
    return {
        "kafka": {
            "bootstrap_servers": broker.servers,
            "group_id": topics[0],
            "topics": [{"name": topic, "format": "native"} for topic in topics],
            "start": "earliest",
            "session_timeout_s": 2.0,
            "fetch_wait_s": 0.05,
            "metadata_age_s": 0.5,
            # So that there is time to act before everything is read.
            "max_records": 20,
            "partition_fetch_bytes": 1_024,
        },
        "store": {"path": str(folder / "store.db"), "checkpoint_interval_s": 0.2, **store},
        "service": {"idle_s": 0.5},
        "http": {"port": 0},
        "sinks": {"soc": webhook(receiver.url)},
    }


def quiet(count: int) -> list[bytes]:
    """So many records of an hour in which nothing happens."""
    event = {"kind": "api.request", "outcome": "success", "actor": "backup"}
    return [json.dumps({"id": f"q{i}", "time": T0 - 3_600 + i * 3_600 / count, **event}).encode() for i in range(count)]


# -- a topic that is deleted ------------------------------------------------------------------------------------------------------------


def lag(process: Process, topic: str) -> float:
    return process.metric("consumer_lag_records", topic=topic)


def test_a_topic_deleted_before_it_was_read_holds_nobody_back(tmp_path: Path, broker: Broker) -> None:
    slow, other = broker.create_topic(unique("slow")), broker.create_topic(unique("other"))
    records = attacks(6)
    expected = expected_of(tmp_path, records)
    broker.produce(slow, quiet(40_000))
    broker.produce(other, records)
    with receiving() as receiver, service(settings(broker, tmp_path, receiver, slow, other), tmp_path / "run") as process:
        assert until(lambda: process.ready)
        # The other topic is read to its end, and all that is in it waits for the slow one.
        assert until(lambda: process.metric("held_events") >= len(records))
        assert lag(process, slow) > 0
        assert process.get("/readyz").status == 503
        assert receiver.ids == set()
        broker.delete_topic(slow)
        assert process.said('"kafka_topic_gone"', 30)
        assert until(lambda: receiver.ids >= expected)
        assert until(lambda: process.get("/readyz").status == 200)
        assert process.metric("held_events") == 0
        (told,) = [json.loads(line) for line in process.text().splitlines() if "kafka_topic_gone" in line]
        assert (told["topic"], told["partitions"]) == (slow, "0")
        assert 0 < told["records_lost"] < 40_000
        assert process.stop() == 0
    assert receiver.ids == expected
    assert receiver.repeated == 0
    with closing(sqlite3.connect(tmp_path / "store.db")) as db:
        positions = dict(db.execute("SELECT input, position FROM positions"))
    # Should it come back, all that is in it is new.
    assert positions == {f"{slow}/0": "0", f"{other}/0": str(len(records))}


def test_the_only_topic_may_go_and_come_back(tmp_path: Path, broker: Broker) -> None:
    topic = broker.create_topic(unique("only"))
    records = attacks(6)
    expected = expected_of(tmp_path, records)
    half = len(records) // 2
    with receiving() as receiver, service(settings(broker, tmp_path, receiver, topic), tmp_path / "run") as process:
        broker.produce(topic, records[:half])
        assert until(lambda: process.ready and process.get("/readyz").status == 200)
        assert until(lambda: process.metric("events_total") >= half)
        broker.delete_topic(topic)
        assert process.said('"kafka_topic_gone"', 30)
        assert until(lambda: process.checks()["reads"] == {"ok": False, "why": "nothing of what is configured is there"})
        assert process.metric("active") == 1
        broker.create_topic(topic)
        broker.produce(topic, records[half:])
        assert until(lambda: receiver.ids >= expected)
        assert until(lambda: process.get("/readyz").status == 200)
        assert process.stop() == 0
        assert "stands by" not in process.text()
    assert receiver.ids == expected
    assert receiver.repeated == 0


# -- another cluster --------------------------------------------------------------------------------------------------------------------


@contextmanager
def started(folder: Path, cluster: str) -> Iterator[Broker]:
    one = Broker(folder, cluster)
    try:
        one.start()
        yield one
    finally:
        one.stop()


@pytest.fixture(scope="module")
def other_broker(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Of another cluster than ``broker``, which says whether there can be one at all."""
    with started(tmp_path_factory.mktemp("kafka"), OTHER_CLUSTER) as one:
        yield one


def cluster_of(folder: Path) -> str | None:
    with closing(sqlite3.connect(folder / "store.db")) as db:
        row = db.execute("SELECT id FROM cluster").fetchone()
    return None if row is None else str(row[0])


def ran_once(config: dict[str, Any], folder: Path, receiver: Receiver, expected: set[str]) -> None:
    with service(config, folder) as process:
        assert until(lambda: process.ready and process.get("/readyz").status == 200)
        assert until(lambda: receiver.ids >= expected)
        assert process.stop() == 0


def test_a_store_of_another_cluster_is_refused_unless_it_is_adopted(tmp_path: Path, own_broker: Broker, other_broker: Broker) -> None:
    topic = unique("moved")
    for each in (own_broker, other_broker):
        each.create_topic(topic)
    records = attacks(8)
    half = len(records) // 2
    first, both = expected_of(tmp_path, records[:half]), expected_of(tmp_path, records)
    own_broker.produce(topic, records[:half])
    other_broker.produce(topic, records[half:])  # its offsets begin at 0 again
    with receiving() as receiver:
        ran_once(settings(own_broker, tmp_path, receiver, topic), tmp_path / "first", receiver, first - both | first & both)
        before = cluster_of(tmp_path)
        moved = settings(other_broker, tmp_path, receiver, topic)
        with service(moved, tmp_path / "second") as process:
            assert process.wait(20) == 2
        assert process.text().splitlines()[-1] == (
            f"watchfloor: store.path: its positions are of the Kafka cluster {before}, and kafka.bootstrap_servers leads to {OTHER_CLUSTER}; "
            "name another file, put the brokers back, or say store.adopt: true to go on with what it remembers, from kafka.start on"
        )
        assert cluster_of(tmp_path) == before
        adopting = settings(other_broker, tmp_path, receiver, topic, adopt=True)
        with service(adopting, tmp_path / "third") as process:
            assert until(lambda: receiver.ids >= both)
            assert process.stop() == 0
            assert f"the store was of the Kafka cluster {before}: its positions are dropped" in process.text()
        assert cluster_of(tmp_path) == OTHER_CLUSTER
        with service(moved, tmp_path / "fourth") as process:
            assert until(lambda: process.ready and process.get("/readyz").status == 200)
            assert process.stop() == 0
    assert receiver.repeated == 0


def test_one_that_is_refused_does_not_end_the_one_that_works(tmp_path: Path, own_broker: Broker, other_broker: Broker) -> None:
    topic = unique("both")
    for each in (own_broker, other_broker):
        each.create_topic(topic)
    records = attacks(4)
    expected = expected_of(tmp_path, records)
    with receiving() as receiver, service(settings(own_broker, tmp_path, receiver, topic), tmp_path / "first") as first:
        assert until(lambda: first.ready and first.get("/readyz").status == 200)
        with service(settings(other_broker, tmp_path, receiver, topic), tmp_path / "second") as second:
            assert second.wait(20) == 2
        own_broker.produce(topic, records)
        assert until(lambda: receiver.ids >= expected)
        assert first.stop() == 0


def test_a_cluster_that_is_made_anew_during_an_outage_is_noticed(tmp_path: Path, own_broker: Broker) -> None:
    topic = unique("anew")
    with receiving() as receiver, started(tmp_path / "kafka", OTHER_CLUSTER) as one:
        one.create_topic(topic)
        with service(settings(one, tmp_path, receiver, topic), tmp_path / "run") as process:
            assert until(lambda: process.ready and process.get("/readyz").status == 200)
            one.kill()
            assert process.said('"kafka_trouble"', 60)
            one.rebuild(own_broker.cluster)
            one.start()
            assert process.wait(60) == 2
            assert process.text().splitlines()[-1] == (
                f"watchfloor: kafka.bootstrap_servers: leads to the Kafka cluster {own_broker.cluster} now, and before to {OTHER_CLUSTER}; "
                "put the brokers back, or see store.adopt"
            )


def test_a_store_from_before_clusters_were_known_takes_the_present_one(tmp_path: Path, own_broker: Broker) -> None:
    topic = own_broker.create_topic(unique("older"))
    records = attacks(8)
    half = len(records) // 2
    expected = expected_of(tmp_path, records)
    own_broker.produce(topic, records[:half])
    with receiving() as receiver:
        config = settings(own_broker, tmp_path, receiver, topic)
        ran_once(config, tmp_path / "first", receiver, set())
        before = cluster_of(tmp_path)
        with closing(sqlite3.connect(tmp_path / "store.db")) as db:
            db.execute("DROP TABLE cluster")
            db.commit()
        own_broker.produce(topic, records[half:])
        ran_once(config, tmp_path / "second", receiver, expected)
        assert before is not None
        assert cluster_of(tmp_path) == before
    assert receiver.ids == expected
    assert receiver.repeated == 0
