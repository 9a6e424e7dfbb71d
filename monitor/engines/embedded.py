"""The live service in one process: from the records of some sources to alerts that are safe in the store.

One task reads, detects and checkpoints, in turn, so that nothing here needs a lock. Delivery is another task, and reads the store.
"""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from monitor import checkpoint
from monitor.engines.asking import Asked
from monitor.engines.checkpointer import Checkpointer, Insert
from monitor.engines.core import Core
from monitor.engines.facts import Facts
from monitor.engines.parties import Listener, Rejects, Shared
from monitor.pipeline.ingest import OnReject
from monitor.sources.live import Arrived, LiveInput, LiveSource
from monitor.store import BusyError, Store
from monitor.verdicts import Given, Judged
from schemas.alert import Alert
from schemas.errors import RejectError
from schemas.formats import FORMATS
from schemas.formats.base import Context, Parser

log = logging.getLogger("watchfloor")

POLL_S = 0.1
IDLE_S = 2.0
"""An input that has nothing for so long no longer holds the clock back."""
MAX_HELD = 20_000
"""Events that may wait for the watermark, before inputs that are ahead of others are made to wait instead."""
MAX_TOUCHED = 300_000
"""Keys that may have changed before a checkpoint is taken, whatever it costs; some 350 MB of rows."""
BACKLOG_S = 2.0
"""An input that was not caught up with for so long has a backlog."""
CLOCK_STEP_S = 1.0
"""How often event time is moved on while nothing arrives."""


MakeCore = Callable[[OnReject], Core]
"""Makes a fresh pipeline with ``tracking``, which hands rejected records to the given function."""


class Embedded(Facts):
    """``labels``: the configured inputs; ``adopt``: go on with a store of more inputs; ``learn``: what a core knows where there is no checkpoint."""

    def __init__(
        self,
        make_core: MakeCore,
        sources: Sequence[LiveSource],
        store: Store,
        insert: Insert,
        rejects: Rejects,
        listener: Listener,
        labels: Sequence[str],
        *,
        interval_s: float = 5.0,
        idle_s: float = IDLE_S,
        max_record_bytes: int = 1_048_576,
        adopt: bool = False,
        learn: Callable[[Core], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.is_waiting = False
        """Whether another process holds the lock of the store that this one is to take over."""
        self.caught_up: set[str] = set()
        """Inputs that had nothing more when they were asked last."""
        self.labels: dict[str, str] = {}
        """Name of an input → what it is called in metrics."""
        self._next_core: MakeCore | None = None
        self._make_core, self._sources, self._store, self._insert = make_core, sources, store, insert
        self._rejects, self._listener, self._configured = rejects, listener, labels
        self._interval_s, self._idle_s, self._adopt, self._clock = interval_s, idle_s, adopt, clock
        self._max_record_bytes, self._learn = max_record_bytes, learn
        self._shared = [source for source in sources if isinstance(source, Shared)]
        self._checkpointer: Checkpointer | None = None
        self._positions: dict[str, Any] = {}
        self._generations: list[int] = [0] * len(sources)
        self._last_record: dict[str, float] = {}
        self._last_caught_up: dict[str, float] = {}
        self._resting: set[str] = set()
        self._reached = float("-inf")
        """Event time to which inputs had come that are gone."""
        self._changed = False
        self._moved = 0.0
        self._asked = Asked(listener.judged)
        self._stopping = asyncio.Event()

    # -- the loop -----------------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until ``stop``, or all inputs have ended. Raises ``ConfigurationError``, ``InputError`` and ``FencedError``."""
        for source in self._sources:
            await source.start()
        try:
            while not self._stopping.is_set():
                await self._turn()
                if self.core is not None and all(source.ended for source in self._sources):
                    break
            if self.core is not None:
                await self._end()
        finally:
            self._asked.refuse()
            if self._checkpointer is not None:
                self._checkpointer.abandon()
            for source in self._sources:
                await source.close()

    def stop(self) -> None:
        """Finish the batch in hand, make everything safe, and end ``run``."""
        self._stopping.set()

    def reload(self, make_core: MakeCore) -> None:
        """Go on with another pipeline, which remembers what this one does. Takes effect after the batch in hand."""
        self._next_core = make_core

    async def judge(self, given: Given) -> Judged:
        """Apply what somebody found an alert to be; see ``Asked``."""
        return await self._asked.judge(given, active=self.core is not None and not self._stopping.is_set())

    async def settle(self) -> None:
        """Make everything safe that was taken so far: the inputs are about to go to another process, or to come back to this one.

        A source calls it from within its ``next``, that is between two batches.
        """
        if self.core is not None and self._checkpointer is not None:
            await self._checkpointer.finish(self.core, self._positions)

    async def _turn(self) -> None:
        await self._take_reload()
        await self._follow_ownership()
        checkpointer = self._checkpointer
        if self.core is None or checkpointer is None:
            self._asked.refuse()
            await self._read(POLL_S)
            return
        for judged in self._asked.apply(self.core, checkpointer):
            self._found(judged.alerts)
            self._changed = True
        # What a checkpoint makes safe must not pile up faster than it can be written, as in a flood of addresses: then reading waits for it.
        full = self.core.runner.touched >= MAX_TOUCHED or self._rejects.is_full
        busy = checkpointer.failing or (full and checkpointer.under_way)
        for source in self._sources:
            source.pause(frozenset(self.core.inputs) if busy else self._ahead())
        all_arrived = await self._read(0.0 if checkpointer.encoding else POLL_S)
        for left, arrived in zip(range(len(all_arrived) - 1, -1, -1), all_arrived, strict=True):
            self._take(arrived, more=left > 0)
            await asyncio.sleep(0)  # the port and the deliveries want their turn too
        self._rest()
        if (full and not checkpointer.under_way) or checkpointer.due(changed=self._changed, behind=self._is_behind()):
            self._changed = False
            checkpointer.begin(self.core, self._positions)
        await checkpointer.step()

    async def _take_reload(self) -> None:
        if self._next_core is None:
            return
        self._make_core, self._next_core = self._next_core, None
        if self.core is not None and self._checkpointer is not None:
            await self._checkpointer.finish(self.core, self._positions)
            inputs = [each for source in self._sources for each in source.inputs]
            self._drop()
            # The store is this process's already; to take it over once more would fence off its own deliveries, which go on.
            await self._activate(inputs, take_over=False)

    async def _read(self, wait_s: float) -> list[Arrived]:
        found: list[Arrived] = []
        for source in self._sources:
            waits = wait_s if not found and source is self._sources[-1] else 0.0
            found += await source.next(waits)
        return found

    def _take(self, arrived: Arrived, *, more: bool) -> None:
        core = self.core
        if core is None or arrived.source not in core.inputs:
            return
        name = arrived.source
        (self.caught_up.add if arrived.caught_up else self.caught_up.discard)(name)
        if arrived.caught_up:
            self._last_caught_up[name] = self._clock()
        if not arrived.records and not arrived.oversize:
            if arrived.position is not None and self._positions.get(name) != arrived.position:
                self._positions[name], self._changed = arrived.position, True
            if not more:
                # Not by an empty batch of this input: one that rests would hold the clock back again.
                self._found(core.advance(float("-inf")))
            return
        ingest = core.inputs[name]
        for line, start in arrived.oversize:
            ingest.reject(line, start, RejectError("too_long", f"record: more than {self._max_record_bytes} bytes"))
        alerts = core.feed(name, arrived.records, arrived.lines, arrived.stamps, more=more)
        self._positions[name], self._changed = arrived.position, True
        self._last_record[name] = self._clock()
        self._resting.discard(name)
        self._found(alerts)

    def _found(self, alerts: list[Alert]) -> None:
        if alerts:
            assert self._checkpointer is not None
            self._checkpointer.waiting += alerts
            self._listener.count_alerts(alerts)
            self._changed = True

    # -- time ---------------------------------------------------------------------------------------------------------------------

    def _rest(self) -> None:
        """Inputs with nothing to say do not hold the clock back; when none has, it goes on as the one on the wall does."""
        core, now = self.core, self._clock()
        assert core is not None
        for name in self.caught_up - self._resting:
            if now - self._last_record.setdefault(name, now) >= self._idle_s:
                self._resting.add(name)
                self._found(core.rest(name))
        if self._resting >= core.inputs.keys() and now - self._moved >= CLOCK_STEP_S:
            self._moved = now
            reached = max((ingest.believed for ingest in core.inputs.values()), default=self._reached)
            if reached > float("-inf"):
                quiet_s = now - max(self._last_record.values())
                # As long after the last event as the inputs have been quiet; so old records that are fed in slowly stay in time.
                self._found(core.advance(reached + core.runner.lateness_s + max(0.001, quiet_s - self._idle_s)))

    def _is_behind(self) -> bool:
        """Whether an input has had more to read than was read for some time."""
        assert self.core is not None
        now = self._clock()
        return any(now - self._last_caught_up.get(name, 0.0) > BACKLOG_S for name in self.core.inputs)

    def _ahead(self) -> frozenset[str]:
        """Inputs to be left alone for now: those that are ahead of another, while too many events wait for that one."""
        assert self.core is not None
        runner = self.core.runner
        if runner.held < MAX_HELD or len(runner.sources) < 2:
            return frozenset()
        slowest = min(runner.sources.values())
        return frozenset(name for name, reached in runner.sources.items() if reached > slowest)

    # -- who reads ----------------------------------------------------------------------------------------------------------------

    async def _follow_ownership(self) -> None:
        generations = [source.generation for source in self._sources]
        inputs = [each for source in self._sources for each in source.inputs]
        if not all(generations) or not all(source.is_active for source in self._shared):
            self.is_waiting = False
            if self.core is not None:
                log.warning("another process of the group reads now; this one stands by")
                await self._stand_by()
        elif generations != self._generations or self.core is None:
            await self._stand_by()
            self._generations = generations
            if inputs:
                await self._try_to_activate(inputs)
        else:
            there = {each.source for each in inputs}
            for name in self.labels.keys() - there:
                self._close(self.core, name)
            for each in inputs:
                if each.source not in self.labels:
                    self._open(self.core, each)  # a partition that is new

    async def _try_to_activate(self, inputs: Sequence[LiveInput]) -> None:
        try:
            await self._activate(inputs)
        except BusyError:
            if not self.is_waiting:
                self.is_waiting = True
                log.warning(
                    "the store is locked by the process that was active before, which may be frozen: this one waits for it; "
                    "let that process go on, or kill it"
                )
            return
        if self.is_waiting:
            self.is_waiting = False
            log.info("the store is free again, and taken over")

    async def _stand_by(self) -> None:
        if self.core is not None:
            self._drop()
            await self._listener.deactivated()

    def _drop(self) -> None:
        if self._checkpointer is not None:
            self._checkpointer.abandon()
        self.core = self._checkpointer = None

    async def _activate(self, inputs: Sequence[LiveInput], *, take_over: bool = True) -> None:
        """Take the store over, go on where it says, and remember what it remembers."""
        if take_over:
            await self._store.take_over(self._check_store)
        core = self._make_core(self._rejects.keep)
        self._positions, self.labels, self._last_record, self._last_caught_up = {}, {}, {}, {}
        self.caught_up, self._resting = set(), set()
        checkpointer = Checkpointer(
            self._store,
            self._insert,
            self._configured,
            self._listener,
            interval_s=self._interval_s,
            before=self._rejects.flush,
            saved=self._after_checkpoint,
        )

        def restore(db: sqlite3.Connection) -> dict[str, Any]:
            if not checkpoint.is_there(db):
                if self._learn is not None:
                    self._learn(core)
                return {}
            if self._learn is not None:
                log.info("service.warm_start is not used: the store has a checkpoint, which is newer")
                self._learn = None
            core.restore(checkpoint.Reading(db), {each.source: _parser(core, each) for each in inputs})
            return checkpoint.positions(db)

        began = self._clock()
        self._positions = await self._store.read(restore)
        if self._positions or core.inputs:
            checkpointer.restored()
            log.info("went on from the last checkpoint, read in %.1f s", self._clock() - began)
            for name, kind in core.runner.unread.items():
                log.warning("detector %s begins anew: what it remembered cannot be read by this version (%s)", name, kind)
        for each in inputs:
            self._open(core, each)
        for source in self._sources:
            await source.seek(self._positions)
        self.core, self._checkpointer = core, checkpointer
        await self._listener.activated()

    def _check_store(self, db: sqlite3.Connection) -> None:
        """Whether it is a store of these inputs, before anybody is kept from writing it. Raises ``ConfigurationError``."""
        checkpoint.check(db, self._configured, adopt=self._adopt)
        for source in self._shared:
            if source.cluster is not None:
                checkpoint.bind(db, source.cluster, source.owns, adopt=self._adopt)

    def _close(self, core: Core, name: str) -> None:
        """An input is gone, as a topic that was deleted: nothing waits for it any more."""
        self._reached = max(self._reached, core.inputs[name].believed)
        self._found(core.close(name))
        self._found(core.advance(float("-inf")))
        del core.inputs[name], self.labels[name]
        self.caught_up.discard(name)
        self._resting.discard(name)
        self._last_caught_up.pop(name, None)
        self._changed = True

    def _open(self, core: Core, each: LiveInput) -> None:
        self.labels[each.source] = each.label or each.source
        if each.source not in core.inputs:
            core.open(each.source, _parser(core, each))
        else:
            core.runner.open(each.source)
        core.listen(each.source, each.label or each.source, each.tenant)

    async def _after_checkpoint(self, positions: Mapping[str, Any]) -> None:
        self._listener.saved()
        for source in self._sources:
            await source.commit(positions)

    async def _end(self) -> None:
        """All is read that will be read by this process."""
        assert self.core is not None
        assert self._checkpointer is not None
        if all(source.ended for source in self._sources):
            for name in list(self.core.inputs):
                self._found(self.core.close(name))
            self._found(self.core.finish())
        await self._checkpointer.finish(self.core, self._positions)

    # -- facts for the metrics ----------------------------------------------------------------------------------------------------

    @property
    def is_failing(self) -> bool:
        """Whether the last checkpoint could not be written."""
        return self._checkpointer is not None and self._checkpointer.failing

    def lag(self) -> Mapping[tuple[str, str], int]:
        """See ``PipelineFacts``."""
        return {key: n for source in self._sources for key, n in source.lag().items()}


def _parser(core: Core, each: LiveInput) -> Parser:
    """A parser for an input that is being written now."""
    return FORMATS[each.format].parser(Context(memory=core.memory, tenant=each.tenant, written_ts=time.time()))
