"""Made-up traffic into a real topic."""

from pathlib import Path

import orjson
import pytest

from tests.commands import watchfloor
from tests.kafka_broker import Broker, unique

pytestmark = pytest.mark.kafka


def configuration(folder: Path, servers: str) -> Path:
    path = folder / "watchfloor.yaml"
    path.write_text(f"kafka: {{bootstrap_servers: '{servers}', topics: [{{name: not-read, format: native}}]}}\n", encoding="utf-8")
    return path


def test_what_goes_to_a_topic_is_what_goes_to_a_file(broker: Broker, tmp_path: Path) -> None:
    config, out = configuration(tmp_path, broker.servers), tmp_path / "events.jsonl"
    topic = broker.create_topic(unique("made-up"), 3)
    knobs = ["--seed", "3", "--hours", "2", "--users", "20", "--start", "2026-03-16T09:00:00Z", "--scenario", "password_spray"]
    assert watchfloor("simulate", *knobs, "--out", out).code == 0
    assert watchfloor("simulate", *knobs, "--kafka", topic, "--config", config, "--truth", tmp_path / "truth.jsonl").code == 0
    expected = out.read_bytes().splitlines()
    records = broker.read(topic, len(expected))
    assert sorted(record.value for record in records) == sorted(expected)
    partitions: dict[str, set[int]] = {}
    for record in records:
        partitions.setdefault(orjson.loads(record.value)["tenant"], set()).add(record.partition)
    assert all(len(where) == 1 for where in partitions.values()), "the records of a tenant are in one partition, in their order"
    assert orjson.loads(expected[0])["time"] >= 1_773_651_600


def test_a_topic_that_is_not_there_is_named(broker: Broker, tmp_path: Path) -> None:
    done = watchfloor("simulate", "--hours", "0.1", "--kafka", "nowhere", "--config", configuration(tmp_path, broker.servers))
    assert done.code == 2
    assert "--kafka" in done.err
    assert "nowhere" in done.err


@pytest.mark.parametrize("where", [[], ["--out", "events.jsonl", "--kafka", "topic"], ["--kafka", "topic"]])
def test_where_to_must_be_said_once(where: list[str], tmp_path: Path) -> None:
    done = watchfloor("simulate", *where, cwd=tmp_path)
    assert done.code == 2
    assert "--out" in done.err or "--kafka" in done.err
    assert list(tmp_path.iterdir()) == []
