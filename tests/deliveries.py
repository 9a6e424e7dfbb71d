"""A delivery to try things with: a real store, sinks that only remember, and a clock that goes on when told to."""

import asyncio
import random
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar, cast

from monitor.alerts import outbox
from monitor.alerts.deliver import Delivery
from monitor.notification import Notification, Sink, Style
from monitor.settings_delivery import DeliverySettings, NotifySettings, Route, StateSettings
from monitor.store import Store, T, Work
from schemas.alert import Alert, Attack, Entity

START = 1_770_000_000.0
"""Wall clock at the beginning: 2026-02-02T02:40:00Z."""
SETTINGS: Mapping[str, DeliverySettings] = {"stream": DeliverySettings(), "notify": NotifySettings(rate=None), "state": StateSettings()}


class Killed(BaseException):
    """The process is gone."""


def alert(
    name: str, version: int = 1, status: Any = "firing", severity: Any = "medium", incident: str | None = None, **fields: Any
) -> Alert:
    """A version of the alert ``name``, an incident of its own unless given."""
    given = {
        "detector": "failed_login_burst",
        "tenant": None,
        "entity": Entity("actor", name),
        "count": 10,
        "inhibited_by": None,
        "dedup_key": f"failed_login_burst:{name}",
        **fields,
    }
    return Alert(
        id=name,
        version=version,
        status=status,
        severity=severity,
        incident=incident or name,
        time="2026-02-02T02:40:00Z",
        title="Failed logins",
        summary="",
        first_seen="2026-02-02T02:40:00Z",
        last_seen="2026-02-02T02:40:00Z",
        facts={},
        evidence=(),
        counterfactual="",
        score=0.0,
        attack=Attack("19", ()),
        runbook="",
        **given,
    )


class FakeTime:
    """Seconds that pass when told to; ``step`` moves the wall clock alone."""

    def __init__(self) -> None:
        self.passed = 0.0
        self.step = 0.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def monotonic(self) -> float:
        return 1000.0 + self.passed

    def wall(self) -> float:
        return START + self.step + self.passed

    async def sleep(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.passed + seconds, future))
        await future

    async def advance(self, seconds: float, settle: Callable[[], Any]) -> None:
        until = self.passed + seconds
        await settle()
        while True:
            self._sleepers = [item for item in self._sleepers if not item[1].done()]
            first = min((at for at, _ in self._sleepers), default=until + 1)
            if first > until:
                break
            self.passed = max(self.passed, first)
            for at, future in self._sleepers:
                if at <= self.passed and not future.done():
                    future.set_result(None)
            await settle()
        self.passed = until
        await settle()


class Steps:
    """Counts the steps at which a process may die, and dies at one of them."""

    def __init__(self, fatal: int | None = None) -> None:
        self.count = 0
        self.fatal = fatal

    def step(self) -> None:
        self.count += 1
        if self.count == self.fatal:
            raise Killed


class WatchedStore(Store):
    """A store that says whether it is at work, and before and after whose every transaction the process may die."""

    def __init__(self, path: Path, steps: Steps | None = None) -> None:
        super().__init__(path, outbox.SCHEMA)
        self.busy = 0
        self.steps = steps or Steps()

    async def write(self, work: Work[T]) -> T:
        self.busy += 1
        try:
            self.steps.step()
            result = await super().write(work)
            self.steps.step()
        finally:
            self.busy -= 1
        return result


class FakeSink:
    """Remembers what it was sent, and answers as told: by default it takes everything."""

    style: ClassVar[Style] = "stream"
    max_alerts: ClassVar[int] = 3

    def __init__(self, steps: Steps | None = None) -> None:
        self.taken: list[Notification] = []
        self.attempts: list[Notification] = []
        self.at: list[float] = []
        self.answers: deque[Exception | dict[str, Any]] = deque()
        self.always: Exception | None = None
        self.judge: Callable[[Notification], None] = lambda _: None
        self.steps = steps or Steps()
        self.time: FakeTime | None = None

    async def send(self, notification: Notification) -> dict[str, Any]:
        self.steps.step()
        self.attempts.append(notification)
        self.at.append(self.time.passed if self.time else 0.0)
        answer = self.answers.popleft() if self.answers else self.always or {}
        if isinstance(answer, Exception):
            raise answer
        self.judge(notification)
        self.taken.append(notification)
        self.steps.step()
        return answer

    async def close(self) -> None:
        """Has nothing to close."""

    @property
    def versions(self) -> list[tuple[str, int]]:
        """Alert versions taken, in their order."""
        return [(alert.id, alert.version) for notification in self.taken for alert in notification.alerts]

    @property
    def said(self) -> list[tuple[str, str]]:
        """Key and reason of each notification taken."""
        return [(notification.key, notification.reason) for notification in self.taken]


class NotifySink(FakeSink):
    style = "notify"


class StateSink(FakeSink):
    style = "state"


class World:
    """One life of a process that delivers."""

    def __init__(
        self,
        path: Path,
        sinks: Mapping[str, FakeSink],
        settings: Mapping[str, DeliverySettings] | None = None,
        routes: Sequence[Route] = (),
        time: FakeTime | None = None,
        steps: Steps | None = None,
        store: type[WatchedStore] = WatchedStore,
    ) -> None:
        self.time = time or FakeTime()
        self.store = store(path, steps)
        self.results: Counter[tuple[str, str]] = Counter()
        self.sinks = sinks
        for sink in sinks.values():
            sink.time = self.time
        self.delivery = Delivery(
            self.store,
            cast("Mapping[str, Sink]", sinks),
            {name: (settings or {}).get(name, SETTINGS[sink.style]) for name, sink in sinks.items()},
            routes,
            on_result=self._on_result,
            clock=self.time.wall,
            monotonic=self.time.monotonic,
            sleep=self.time.sleep,
            rng=random.Random(1),
        )
        self.task: asyncio.Task[None] | None = None

    def _on_result(self, sink: str, result: str, seconds: float, n: int) -> None:
        self.results[sink, result] += n

    async def start(self) -> None:
        await self.store.take_over()
        await self.delivery.start()
        self.task = asyncio.create_task(self.delivery.run())

    async def insert(self, *alerts: Alert) -> None:
        """As a checkpoint does."""
        await self.store.write(lambda db: outbox.insert(db, alerts, self.time.wall()))
        self.delivery.wake()
        await self.settle()

    async def settle(self) -> None:
        """Until all that can happen at this time has happened. Raises what ended the delivery."""
        calm = 0
        while calm < 30:
            if self.task is not None and self.task.done():
                self.task.result()
            await asyncio.sleep(0.0005 if self.store.busy else 0)
            calm = 0 if self.store.busy else calm + 1

    async def advance(self, seconds: float) -> None:
        await self.time.advance(seconds, self.settle)

    async def end(self) -> None:
        if self.task is not None:
            self.task.cancel()
            with suppress(asyncio.CancelledError, Exception, Killed):
                await self.task
        self.store.close()

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        return await self.store.read(lambda db: db.execute(query).fetchall())


@asynccontextmanager
async def world(path: Path, sinks: Mapping[str, FakeSink], *args: Any, **kwargs: Any) -> AsyncIterator[World]:
    """A delivery that runs."""
    one = World(path, sinks, *args, **kwargs)
    try:
        await one.start()
        yield one
    finally:
        await one.end()
