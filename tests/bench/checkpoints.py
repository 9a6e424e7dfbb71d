"""How long the stream stands still for a checkpoint, and what one costs: python -m tests.bench.checkpoints [rows].

The pipeline with all detectors, the checkpointer and a store on disk, as the service puts them together, in one process. Rows are keys (an
actor, an address, a session), each with the states of all detectors that share it; the service's count of keys is the sum of those states.
"""

import asyncio
import gc
import random
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from detectors.registry import DETECTORS
from monitor import checkpoint
from monitor.alerts import outbox
from monitor.app import detectors, tune_memory
from monitor.engines.checkpointer import Checkpointer
from monitor.engines.core import Core
from monitor.engines.embedded import MAX_TOUCHED
from monitor.pipeline.state import KeyGroup
from monitor.settings import Settings
from monitor.store import Store
from schemas.alert import Alert
from schemas.formats import FORMATS
from schemas.formats.base import Context

SOURCE = "bench"
BATCH = 1_000
START_S = 1_770_000_000.0
EVENTS_PER_S = 5_000
"""Of event time; every batch is a fifth of a second."""
ROWS_OF_A_PERSON = 5
"""As an actor, as the target of what is done, by tenant, an address, a session."""


class Watch:
    """Times the pieces of the loop, and takes note of what the checkpointer tells (``Meters``)."""

    def __init__(self) -> None:
        self.early_s = 0.0
        self.early = 0
        self.pause_s = 0.0
        self.rows = 0
        self.seconds = 0.0
        self.stall_s = 0.0
        self.failures = 0
        self._collecting = 0.0
        gc.callbacks.append(self._collected)
        original = KeyGroup.touch

        def touch(group: KeyGroup, key: str) -> None:
            if key not in group.pending:
                original(group, key)
                return
            began = time.thread_time()
            original(group, key)
            self.early_s += time.thread_time() - began
            self.early += 1

        KeyGroup.touch = touch  # type: ignore[method-assign,assignment]  # the class is of this process alone

    def _collected(self, phase: str, _info: Mapping[str, int]) -> None:
        if phase == "start":
            self._collecting = time.thread_time()
        else:
            self.pause_s = max(self.pause_s, time.thread_time() - self._collecting)

    def checkpointed(self, seconds: float, stall_seconds: float, rows: int) -> None:
        """See ``Meters``."""
        self.rows, self.seconds = rows, seconds
        self.stall_s = max(self.stall_s, stall_seconds)

    def checkpoint_failed(self) -> None:
        """See ``Meters``."""
        self.failures += 1


class Pump:
    """Feeds records to a pipeline and its checkpoints, one batch after the other, as the engine does."""

    def __init__(self, folder: Path, settings: Settings, watch: Watch, keep: Callable[[list[Alert]], object] = lambda _: None) -> None:
        self.core = Core(list(detectors(settings)), max_open_alerts=settings.max_open_alerts, tracking=True)
        self.core.open(SOURCE, FORMATS["native"].parser(Context(memory=self.core.memory)))
        self.path = folder / "store.db"
        self.store = Store(self.path, (*checkpoint.SCHEMA, *outbox.SCHEMA))
        self.fed = 0
        self.saved = 0
        """Checkpoints that are safe."""
        self.longest_s = 0.0
        """Processor time of the batch that took longest."""
        self._keep = keep
        self.checkpointer = Checkpointer(
            self.store, outbox.insert, [SOURCE], watch, interval_s=settings.store.checkpoint_interval_s, before=_nothing, saved=self._noted
        )

    async def _noted(self, _positions: Mapping[str, Any]) -> None:
        self.saved += 1

    def feed(self, records: list[bytes]) -> None:
        """One batch."""
        began = time.thread_time()
        alerts = self.core.feed(SOURCE, records)
        self.longest_s = max(self.longest_s, time.thread_time() - began)
        self.fed += len(records)
        if alerts:
            self.checkpointer.waiting += alerts
            self._keep(alerts)

    def settle(self) -> None:
        """The input is quiet for longer than the allowed lateness."""
        self.core.rest(SOURCE)
        self.core.advance(self.core.inputs[SOURCE].believed + self.core.runner.lateness_s + 0.001)

    async def turn(self, records: list[bytes]) -> None:
        """One batch, and a checkpoint when it is due; first what the engine waits for before it reads on."""
        while self._is_full and self.checkpointer.under_way:
            await self.checkpointer.step()
            await asyncio.sleep(0.001)
        self.feed(records)
        await asyncio.sleep(0)
        if (self._is_full and not self.checkpointer.under_way) or self.checkpointer.due(changed=True):
            self.checkpointer.begin(self.core, {SOURCE: self.fed})
        await self.checkpointer.step()

    @property
    def _is_full(self) -> bool:
        return self.core.runner.touched >= MAX_TOUCHED

    async def finish(self) -> None:
        """Everything is safe, and no event waits for the watermark any more."""
        self.settle()
        await self.checkpointer.finish(self.core, {SOURCE: self.fed})

    @property
    def rows(self) -> int:
        """Distinct keys."""
        return sum(
            len({key for states in group.members for half in (states.young, states.old) for key in half})
            for group in self.core.runner.groups
        )

    @property
    def states(self) -> int:
        """Keys as the service counts them: of each detector."""
        return sum(len(states) for states in self.core.runner.states)

    def written(self) -> tuple[int, int]:
        """Bytes of the database, and of its log of writes (WAL)."""
        wal = self.path.with_name(self.path.name + "-wal")
        return self.path.stat().st_size, wal.stat().st_size if wal.exists() else 0


async def _nothing() -> None:
    pass


class People:
    """Makes records of people with one address and one session each, in the order of time."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._made = 0
        self._chance = random.Random(7)

    def pause(self) -> None:
        """Nothing happens for longer than the allowed lateness."""
        self._made += 2 * EVENTS_PER_S

    def record(self, person: int, *, login: bool = False) -> bytes:
        """What a person does next."""
        self._made += 1
        body = (
            '"kind":"auth.login","outcome":"success","action":"password"'
            if login
            else '"kind":"api.request","outcome":"success","method":"GET","route":"/v1/files/{id}","path":"/v1/files/7","status":200,"bytes":900'
        )
        return (
            f'{{"id":"e{self._made:09d}","time":{START_S + self._made / EVENTS_PER_S:.4f},{body},"tenant":"t{person % 20}","actor":"user{person}@example.com",'
            f'"ip":"198.{18 + person // 62_500}.{person // 250 % 250}.{person % 250}","session_id":"s{person}","user_agent":"Mozilla/5.0 (X11; Linux x86_64)",'
            f'"country":"DE","city":"Berlin","lat":52.52,"lon":13.4,"asn":3320}}'
        ).encode()

    def everybody(self) -> Iterator[list[bytes]]:
        """One log-in and one request of each."""
        for first in range(0, self.number, BATCH // 2):
            batch: list[bytes] = []
            for person in range(first, min(first + BATCH // 2, self.number)):
                batch += (self.record(person, login=True), self.record(person))
            yield batch

    def anybody(self) -> list[bytes]:
        """A batch of which each record is of any person at all: the worst for a checkpoint that is being made."""
        return [self.record(self._chance.randrange(self.number), login=self._chance.random() < 0.05) for _ in range(BATCH)]


class Probe:
    """Comes round with the loop, and notes for how long it did not."""

    def __init__(self) -> None:
        self.gap_s = 0.0
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0)
            now = time.perf_counter()
            self.gap_s = max(self.gap_s, now - last)
            last = now

    def close(self) -> None:
        """End it."""
        self._task.cancel()


class Pieces:
    """The longest piece of each kind and the sum of those that a checkpoint costs: processor time of the loop's thread, in seconds.

    Not the clock on the wall: that also counts what other processes of the machine took.
    """

    def __init__(self) -> None:
        self.longest: dict[str, float] = defaultdict(float)
        self.total_s = 0.0
        self.encoded_s = self.safe_s = self.encoding_gap_s = self.writing_gap_s = 0.0

    def add(self, name: str, seconds: float, *, cost: bool = True) -> None:
        """One piece."""
        self.longest[name] = max(self.longest[name], seconds)
        self.total_s += seconds if cost else 0.0


async def checkpointed(pump: Pump, watch: Watch, batch: Callable[[], list[bytes]] | None) -> Pieces:
    """One checkpoint of what has changed, with a batch between any two of its slices (``None``: nothing arrives meanwhile)."""
    checkpointer, before, pieces, probe = pump.checkpointer, pump.saved, Pieces(), Probe()
    await asyncio.sleep(0)
    watch.early, watch.pause_s = 0, 0.0
    began, mark = time.perf_counter(), time.thread_time()
    checkpointer.begin(pump.core, {SOURCE: pump.fed})
    pieces.add("begin", time.thread_time() - mark)
    while pump.saved == before:
        if batch is not None:
            records = batch()
            await asyncio.sleep(0)
            watch.early_s, mark = 0.0, time.thread_time()
            pump.feed(records)
            pieces.add("batch", time.thread_time() - mark, cost=False)
            pieces.add("early", watch.early_s)
        await asyncio.sleep(0)
        mark = time.thread_time()
        await checkpointer.step()
        if not pieces.encoded_s:
            pieces.add("slice", time.thread_time() - mark)
            if not checkpointer.encoding:
                pieces.encoded_s, pieces.encoding_gap_s, probe.gap_s = time.perf_counter() - began, probe.gap_s, 0.0
    pieces.safe_s, pieces.writing_gap_s = time.perf_counter() - began, probe.gap_s
    probe.close()
    await checkpointer.step()
    return pieces


async def without(pump: Pump, batch: Callable[[], list[bytes]]) -> None:
    """For comparison: the same batches while there is no checkpoint."""
    probe, longest = Probe(), 0.0
    for _ in range(200):
        records = batch()
        await asyncio.sleep(0)
        mark = time.thread_time()
        pump.feed(records)
        longest = max(longest, time.thread_time() - mark)
        await asyncio.sleep(0)
    probe.close()
    print(
        f"{'none, anybody':<28} {'':>8} {'':>7} {'':>7} {'':>7} {'':>7} {'':>7} {longest * 1000:>7.1f} {'':>7} {probe.gap_s * 1000:>8.1f}",
        flush=True,
    )


def _show(name: str, found: Pieces, watch: Watch, size: int) -> None:
    milliseconds = " ".join(f"{found.longest[part] * 1000:>7.1f}" for part in ("begin", "slice", "early", "batch"))
    print(
        f"{name:<28} {watch.rows:>8,} {size / 1e6:>7.1f} {watch.early:>7,} {milliseconds} {watch.pause_s * 1000:>7.1f}"
        f" {found.encoding_gap_s * 1000:>8.1f} {found.writing_gap_s * 1000:>8.1f} {found.total_s:>7.2f} {found.encoded_s:>8.2f} {found.safe_s:>7.2f}",
        flush=True,
    )


async def measure(folder: Path, rows: int) -> None:
    """Hold so many rows, and measure checkpoints of all, of the usual traffic, and of a hundred."""
    people = People(-(-rows // ROWS_OF_A_PERSON) + 1_000)
    # Above the default cap of 100,000, so that as many are really held; a tenth of the difference is for the generations.
    bound = max(100_000, people.number * 3)
    watch = Watch()
    settings = Settings.model_validate({"detectors": {name: {"max_keys": bound} for name in DETECTORS}})
    pump = Pump(folder, settings, watch)
    await pump.store.take_over()
    size = [0]
    original = checkpoint.write

    def write(*arguments: Any) -> int:
        size[0] = original(*arguments)
        return size[0]

    checkpoint.write = write  # type: ignore[assignment]
    tune_memory()
    for batch in people.everybody():
        pump.feed(batch)
    print(f"{pump.rows:,} rows held, {pump.states:,} keys as the service counts them; batches of {BATCH:,} records; ms: the longest each")
    print(
        f"{'checkpoint of':<28} {'rows':>8} {'MB':>7} {'early':>7} {'begin':>7} {'slice':>7} {'early':>7} {'batch':>7} {'gc':>7}"
        f" {'gap, enc':>8} {'gap, wr':>8} {'total s':>7} {'encoded':>8} {'safe s':>7}"
    )
    await without(pump, people.anybody)
    _show("everything, the first one", await checkpointed(pump, watch, people.anybody), watch, size[0])
    for name, arriving in (("all changed, anybody", people.anybody), ("all changed, nothing arrives", None)):
        for batch in people.everybody():
            pump.feed(batch)
        _show(name, await checkpointed(pump, watch, arriving), watch, size[0])
    await pump.finish()
    people.pause()
    chance = random.Random(2)
    busy = chance.sample(range(people.number), 500)

    def usual() -> list[bytes]:
        return [people.record(chance.choice(busy)) for _ in range(BATCH)]

    for _ in range(25):  # five seconds of 5,000 records
        pump.feed(usual())
    _show("five seconds of 500 people", await checkpointed(pump, watch, usual), watch, size[0])
    await pump.finish()
    people.pause()
    pump.feed([people.record(person) for person in range(100 // ROWS_OF_A_PERSON)])
    pump.settle()
    _show("a hundred rows", await checkpointed(pump, watch, None), watch, size[0])
    pump.store.close()


def main(rows: int = 200_000) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        asyncio.run(measure(Path(name), rows))


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
