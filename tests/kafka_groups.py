"""What the tests of the Kafka source share: settings for a broker, and a loop that stands in for the engine."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from monitor.settings_kafka import KafkaSettings
from monitor.sources.kafka import KafkaSource
from monitor.sources.live import Arrived

PATIENCE_S = 30.0
"""Far more than anything here takes; only a failing test waits so long."""
MAX_RECORD_BYTES = 1_048_576


def settings(servers: str, *topics: str, **more: Any) -> KafkaSettings:
    """Settings for quick tests: from the beginning, short time-outs."""
    quick = {"start": "earliest", "session_timeout_s": 1.5, "fetch_wait_s": 0.1, "metadata_age_s": 0.5}
    named = [{"name": topic} for topic in topics]
    return KafkaSettings.model_validate({"bootstrap_servers": servers, "topics": named, **quick, **more})


class Engine:
    """Calls a source as the engine does. ``store``: the positions of a checkpoint, shared by processes that share a store."""

    def __init__(self, given: KafkaSettings, store: dict[str, Any] | None = None, max_record_bytes: int = MAX_RECORD_BYTES) -> None:
        self.source = KafkaSource(given, max_record_bytes, self.checkpoint)
        self.store = {} if store is None else store
        self.positions: dict[str, Any] = {}
        self.records: dict[str, list[bytes]] = defaultdict(list)
        self.lines: dict[str, list[int]] = defaultdict(list)
        self.arrivals: list[Arrived] = []
        self.caught_up: set[str] = set()
        self.checkpoints = 0
        self._generation = 0

    @property
    def count(self) -> int:
        """Records so far."""
        return sum(map(len, self.records.values()))

    async def checkpoint(self) -> None:
        """Keep the positions."""
        self.store.update(self.positions)
        self.checkpoints += 1

    async def start(self) -> None:
        """Begin."""
        await self.source.start()

    async def step(self, wait_s: float = 0.1) -> None:
        """One round."""
        if self.source.generation != self._generation:
            self._generation = self.source.generation
            self.positions = dict(self.store)
            await self.source.seek(self.positions)
        for arrived in await self.source.next(wait_s):
            self.arrivals.append(arrived)
            self.records[arrived.source] += arrived.records
            self.lines[arrived.source] += arrived.lines
            self.positions[arrived.source] = arrived.position
            if arrived.caught_up:
                self.caught_up.add(arrived.source)
            else:
                self.caught_up.discard(arrived.source)

    async def until(self, condition: Callable[[], object]) -> None:
        """Go on until this holds."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, "nothing came of it"
            await self.step()

    async def for_(self, seconds: float) -> None:
        """Go on for so long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            await self.step()

    async def close(self) -> None:
        """End."""
        await self.source.close()


async def together(*engines: Engine, until: Callable[[], object]) -> None:
    """All of them go on until this holds."""

    async def keep_on(engine: Engine) -> None:
        while True:
            await engine.step()

    tasks = [asyncio.create_task(keep_on(engine)) for engine in engines]
    deadline = time.monotonic() + PATIENCE_S
    try:
        while not until():
            assert time.monotonic() < deadline, "nothing came of it"
            assert not any(task.done() for task in tasks), [task.exception() for task in tasks if task.done()]
            await asyncio.sleep(0.02)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
