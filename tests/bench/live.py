"""Speed of the live service on a real Kafka broker: python -m tests.bench.live [records].

The same records, about 500 bytes each, once through ``replay`` from a file and once from a topic of 4 partitions (lz4) to alerts in a file.
Broker and service share the machine. Then latency: records produced at 5,000 a second, from produce to the webhook.
"""

import asyncio
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from statistics import median
from typing import Any

from aiokafka import AIOKafkaProducer

from tests.bench import traffic
from tests.bench.throughput import _replay
from tests.conftest import REPOSITORY
from tests.kafka_broker import Broker
from tests.receiver import receiving
from tests.service import until

PARTITIONS = 4
RATE = 5_000
LATENCY_S = 30.0


def settings(broker: Broker, topic: str, folder: Path, sink: dict[str, Any], port: int) -> dict[str, Any]:
    return {
        "kafka": {"bootstrap_servers": broker.servers, "group_id": topic, "topics": [{"name": topic}], "start": "earliest"},
        "store": {"path": str(folder / f"{topic}.db")},
        "http": {"port": port},
        "sinks": {"out": sink},
    }


async def fill(servers: str, topic: str, lines: list[bytes]) -> None:
    """Round robin in blocks, compressed, as a producer that lingers does."""
    async with AIOKafkaProducer(bootstrap_servers=servers, compression_type="lz4", max_batch_size=262_144, linger_ms=20) as producer:
        for at in range(0, len(lines), 300):
            batch = producer.create_batch()
            for line in lines[at : at + 300]:
                assert batch.append(key=None, value=line, timestamp=None) is not None
            batch.close()
            await producer.send_batch(batch, topic, partition=at // 300 % PARTITIONS)
        await producer.flush()


def counted(port: int) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as page:
            text = page.read().decode()
    except OSError:
        return 0
    return int(sum(float(n) for n in re.findall(r"^watchfloor_events_total\{.*\} (\S+)$", text, re.MULTILINE)))


def replay(path: Path, count: int) -> float:
    """Events per second on the clock on the wall, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.live", "--replay", str(path)], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    return count / float(done.stdout)


def timed_replay(path: str) -> None:
    """Print how many seconds a replay takes."""
    began = time.perf_counter()
    _replay(path)
    print(time.perf_counter() - began)


def live(broker: Broker, topic: str, folder: Path, count: int, port: int) -> tuple[float, dict[str, float], float]:
    """Events per second between the first and the last tenth, the shares of the loop, peak MiB."""
    config = folder / "live.yaml"
    config.write_text(json.dumps(settings(broker, topic, folder, {"type": "file", "path": str(folder / "alerts.jsonl")}, port)), "utf-8")
    shares = folder / "shares.json"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.live_process", "run", "-c", str(config)],
        cwd=REPOSITORY,
        env={**os.environ, "LIVE_SHARES": str(shares)},
        stderr=subprocess.DEVNULL,
    )
    seen: list[tuple[float, int]] = []
    peak = 0.0
    try:
        while not seen or seen[-1][1] < count:
            seen.append((time.monotonic(), counted(port)))
            peak = max(peak, _resident_mib(process.pid))
            assert process.poll() is None
            time.sleep(0.5)
        first = next(each for each in seen if each[1] >= count / 10)
        last = next(each for each in seen if each[1] >= count * 9 / 10)
        rate = (last[1] - first[1]) / (last[0] - first[0])
    finally:
        process.terminate()
        process.wait(60)
    return rate, json.loads(shares.read_text()), peak


def _resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]


async def _steady(servers: str, topic: str, produced: dict[str, float]) -> None:
    """Ordinary records at ``RATE``, and every second one attack of ten failures, the last of which is when an alert becomes possible."""
    rng = random.Random(1)
    async with AIOKafkaProducer(bootstrap_servers=servers, linger_ms=5, compression_type="lz4") as producer:
        began = time.time()
        number = 0
        attack = 0
        while (now := time.time()) - began < LATENCY_S:
            while number < (now - began) * RATE:
                person = rng.randrange(2_000)
                line = (
                    f'{{"id":"{topic}{number}","time":{now:.6f},"kind":"api.request","outcome":"success","method":"GET","route":"/v1/files/{{id}}",'
                    f'"path":"/v1/files/7","status":200,"bytes":900,"tenant":"t{person % 5}","actor":"user{person}","ip":"198.18.0.{person % 250}"}}'
                )
                await producer.send(topic, line.encode(), partition=number % PARTITIONS)
                number += 1
            if attack + 1 < now - began < LATENCY_S - 4:  # the stream goes on after the last, as streams do
                ip = f"203.0.113.{attack + 1}"
                for i in range(6):
                    stamp = time.time()
                    line = f'{{"id":"{topic}a{attack}-{i}","time":{stamp:.6f},"kind":"auth.login","outcome":"failure","actor":"v{attack}","ip":"{ip}"}}'
                    await producer.send(topic, line.encode(), partition=i % PARTITIONS)
                produced[ip] = time.time()
                attack += 1
            await asyncio.sleep(0.005)
        await producer.flush()


def latency(broker: Broker, folder: Path, port: int) -> list[float]:
    """Seconds from the last record of an attack to its first alert at the webhook."""
    topic = broker.create_topic(f"latency{os.getpid()}", PARTITIONS)
    produced: dict[str, float] = {}
    with receiving() as receiver:
        config = folder / "latency.yaml"
        sink = {"type": "webhook", "url": receiver.url, "allow_private": True}
        config.write_text(json.dumps(settings(broker, topic, folder, sink, port)), "utf-8")
        process = subprocess.Popen([sys.executable, "-m", "monitor", "run", "-c", str(config)], cwd=REPOSITORY, stderr=subprocess.DEVNULL)
        try:
            until(lambda: counted(port) == 0 and _is_up(port), 30)
            asyncio.run(_steady(broker.servers, topic, produced))
            time.sleep(3)
        finally:
            process.terminate()
            process.wait(60)
        first: dict[str, float] = {}
        for alert, at in zip(receiver.versions(), receiver.arrived_at, strict=True):
            first.setdefault(alert.entity.value, at)
    return sorted(first[ip] - at for ip, at in produced.items() if ip in first)


def _is_up(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
            return True
    except OSError:
        return False


def main(count: int = 1_000_000) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "events.jsonl"
        traffic.write(path, count)
        broker = Broker(folder / "kafka")
        broker.start()
        try:
            topic = broker.create_topic(f"bench{os.getpid()}", PARTITIONS)
            asyncio.run(fill(broker.servers, topic, path.read_bytes().splitlines()))
            rate, shares, peak = live(broker, topic, folder, count, 9471)
            alone = replay(path, count)
            print(f"{count:,} records of {path.stat().st_size / count:.0f} bytes, {PARTITIONS} partitions, lz4; all detectors on")
            print(f"replay from a file       {alone:10,.0f} events/s")
            print(f"live from the topic      {rate:10,.0f} events/s   {rate / alone:.2f} of replay; peak {peak:,.0f} MiB")
            for part in ("source and rest", "decode", "detect", "checkpoint"):
                print(f"  {part:20} {shares[part] / count * 1e6:6.2f} µs/event of the loop   {shares[part] / shares['loop']:.0%}")
            print(f"  all threads          {shares['process'] / count * 1e6:6.2f} µs/event")
            found = latency(broker, folder, 9472)
            print(
                f"latency at {RATE:,} records/s, from produce to webhook, {len(found)} alerts: "
                f"p50 {median(found):.2f} s, p99 {found[min(len(found) - 1, int(len(found) * 0.99))]:.2f} s (allowed lateness 1 s)"
            )
        finally:
            broker.stop()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--replay"]:
        timed_replay(sys.argv[2])
    else:
        main(*(int(argument) for argument in sys.argv[1:]))
