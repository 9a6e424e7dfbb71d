"""When a checkpoint is taken, and how it comes into the store without stopping the stream.

A checkpoint has three stages: it begins between two batches (a moment), its rows are encoded in slices between further batches, and it is
written by the store's thread. Only then are its alerts there for delivery, and its positions told to the source.
"""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from monitor import checkpoint
from monitor.engines.core import Core
from monitor.rows import Capture
from monitor.store import Store, StoreError
from schemas.alert import Alert

log = logging.getLogger("watchfloor")

SLICE_KEYS = 1_000
"""Keys encoded between two batches: some 10 ms."""
SHARE = 0.05
"""Of the loop's time that goes into checkpoints, at most, while alerts wait for nothing."""
URGENT_SHARE = 0.15
"""The same while an alert waits to become safe."""
RETRY_S = (0.5, 30.0)
"""First and longest wait after a store that could not be written."""

Insert = Callable[[sqlite3.Connection, Sequence[Alert], float], int]
"""Puts alerts into the outbox, within a transaction."""
Promise = asyncio.Future[None]
"""Done once something is safe; cancelled when this process will not make it so."""


class Meters(Protocol):
    """Whom the figures are told to."""

    def checkpointed(self, seconds: float, stall_seconds: float, rows: int) -> None:
        """One is safe, so long after it began; for so long, at most, the stream stood for it at a time."""
        ...

    def checkpoint_failed(self) -> None:
        """The store could not be written."""
        ...


class _Job(msgspec.Struct):
    capture: Capture
    positions: dict[str, Any]
    alerts: list[Alert]
    promises: list[Promise]
    began: float
    cost_s: float = 0.0
    """Time of the loop it took."""
    stall_s: float = 0.0
    """The longest piece of it."""

    def stood(self, since: float) -> None:
        """The stream stood for it until now."""
        seconds = time.monotonic() - since
        self.cost_s += seconds
        self.stall_s = max(self.stall_s, seconds)


class Checkpointer:
    """Of one store. ``labels``: the configured inputs; ``interval_s``: how often when nothing is urgent; ``before``: awaited before each write."""

    def __init__(
        self,
        store: Store,
        insert: Insert,
        labels: Sequence[str],
        meters: Meters,
        *,
        interval_s: float,
        before: Callable[[], Awaitable[None]],
        saved: Callable[[Mapping[str, Any]], Awaitable[None]],
    ) -> None:
        self.waiting: list[Alert] = []
        """Alerts that are in no checkpoint yet."""
        self.promises: list[Promise] = []
        """Of what was done since the last checkpoint began: somebody waits until it is safe."""
        self.failing = False
        """The store cannot be written at present: the stream should wait."""
        self._store, self._insert, self._labels, self._meters = store, insert, labels, meters
        self._interval_s = interval_s
        self._before, self._saved = before, saved
        self._everything = True
        self._job: _Job | None = None
        self._writing: asyncio.Task[None] | None = None
        self._promised: list[Promise] = []
        self._cost_s = 0.0
        self._ended = float("-inf")  # the first one at once: it says where inputs begin that no checkpoint knew

    def restored(self) -> None:
        """The core holds what the store holds: from now on only changes are written."""
        self._everything = False

    @property
    def under_way(self) -> bool:
        """Whether one has begun and is not safe yet."""
        return self._job is not None or self._writing is not None

    @property
    def encoding(self) -> bool:
        """Whether one has begun and waits for further slices."""
        return self._job is not None and self._writing is None

    def due(self, *, changed: bool, behind: bool = False) -> bool:
        """Whether to begin one now. ``changed``: something was read since the last one; else one now and then shows that the store still works.

        ``behind``: there is a backlog, so that an alert is late anyhow and need not be hurried; a promise always is.
        """
        if self.under_way:
            return False
        rested = time.monotonic() - self._ended
        if self.promises or (self.waiting and not behind):
            return rested >= self._cost_s / URGENT_SHARE
        return rested >= max(self._interval_s if changed else 4 * self._interval_s, self._cost_s / SHARE)

    def begin(self, core: Core, positions: Mapping[str, Any]) -> None:
        """Take note of what has changed, as of now."""
        began = time.monotonic()
        self._job = _Job(core.capture(everything=self._everything), dict(positions), self.waiting, self.promises, began)
        self._everything, self.waiting, self.promises = False, [], []
        self._promised += self._job.promises
        self._job.stood(began)

    async def step(self) -> None:
        """Go on with one that has begun. Raises what its writing raised (``FencedError``)."""
        if self._writing is not None and self._writing.done():
            task, self._writing = self._writing, None
            self._ended = time.monotonic()
            await task
        if self._job is not None and self._writing is None:
            began = time.monotonic()
            complete = self._job.capture.step(SLICE_KEYS)
            self._job.stood(began)
            if complete:
                self._cost_s = self._job.cost_s
                job, self._job = self._job, None
                self._writing = asyncio.create_task(self._write(job), name="checkpoint")

    async def finish(self, core: Core, positions: Mapping[str, Any]) -> None:
        """Everything that happened until now is safe when this returns, unless it raises or is cancelled."""
        await self._drain()  # one that has begun has an older moment
        self.begin(core, positions)
        await self._drain()

    async def _drain(self) -> None:
        while self._job is not None or self._writing is not None:
            if self._writing is not None:
                await asyncio.wait([self._writing])
            await self.step()

    def abandon(self) -> None:
        """Write no more: what is not safe yet will come again from where the store says."""
        self._job = None
        if self._writing is not None:
            self._writing.cancel()
        for promise in (*self._promised, *self.promises):
            promise.cancel()

    async def _write(self, job: _Job) -> None:
        rows = job.capture.rows
        wait_s = RETRY_S[0]

        def work(db: sqlite3.Connection) -> None:
            now = time.time()
            checkpoint.write(db, rows, job.positions, self._labels, now)
            self._insert(db, job.alerts, now)

        while True:
            await self._before()
            try:
                await self._store.write(work)
                break
            except StoreError as error:
                log.error("no checkpoint could be written, so nothing is read until one can: %s", error)  # noqa: TRY400 - expected, and no bug
                self.failing = True
                self._meters.checkpoint_failed()
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, RETRY_S[1])
        if self.failing:
            log.warning("checkpoints can be written again; reading goes on")
            self.failing = False
        self._meters.checkpointed(time.monotonic() - job.began, job.stall_s, sum(each.size for each in rows))
        for promise in job.promises:
            if not promise.done():
                promise.set_result(None)
        self._promised = []
        await self._saved(job.positions)
