"""Delivery: every alert version that is safe in the store comes to the sinks that the routes name, in spite of whatever happens meanwhile."""

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence

from monitor.alerts import cursors
from monitor.alerts.grouping import NotifyLine
from monitor.alerts.line import Line
from monitor.alerts.route import Router, check
from monitor.alerts.sender import OnResult, Sender, SinkState, Sleep, Times
from monitor.alerts.standing import StateLine
from monitor.alerts.stream import StreamLine
from monitor.notification import Sink
from monitor.settings_delivery import DeliverySettings, NotifySettings, Route, StateSettings
from monitor.store import Store


class Delivery:
    """All sinks of the service. ``settings``: by sink, of the kind that its style asks for. Raises ``ConfigurationError`` for wrong routes.

    ``clock`` is read once: from then on the monotonic clock is counted on, so that a clock that is put right moves no message.
    """

    def __init__(
        self,
        store: Store,
        sinks: Mapping[str, Sink],
        settings: Mapping[str, DeliverySettings],
        routes: Sequence[Route] = (),
        *,
        on_result: OnResult,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Sleep = asyncio.sleep,
        rng: random.Random | None = None,
    ) -> None:
        offset = clock() - monotonic()
        self._store = store
        self._on_result = on_result
        self._times = Times(lambda: offset + monotonic(), monotonic, sleep, random.Random() if rng is None else rng)  # noqa: S311 - spreads waits
        self._senders = self._build(sinks, settings, routes)
        self._started = False
        self._running = False
        self._next: dict[str, Sender] | None = None
        self._asked = asyncio.Event()
        self._swapped = asyncio.Event()

    def _build(self, sinks: Mapping[str, Sink], settings: Mapping[str, DeliverySettings], routes: Sequence[Route]) -> dict[str, Sender]:
        check(routes, sinks.keys())
        router = Router(routes)
        return {
            name: Sender(name, sink, settings[name], _line(name, sink, settings[name], router), self._store, self._times, self._on_result)
            for name, sink in sinks.items()
        }

    async def start(self) -> None:
        """Find or make the place of each sink in the outbox; of a new one it is the end. To be called before the first alert is inserted."""
        await self._register(self._senders)
        self._started = True

    async def _register(self, senders: Mapping[str, Sender]) -> None:
        styles = {name: sender.sink.style for name, sender in senders.items()}
        await self._store.write(lambda db: cursors.register(db, styles, self._times.now()))

    async def run(self) -> None:
        """Deliver until cancelled. Raises ``FencedError`` when another process has taken the store over: then nothing more is sent.

        Cancelled in the middle of a send, that send is made again after the next start, and counted.
        """
        if not self._started:
            await self.start()
        self._running = True
        try:
            while True:
                await self._work()
                await self._swap()
        finally:
            self._running = False
            self._swapped.set()  # whoever waits for a reload need not wait for it any more

    async def _work(self) -> None:
        tasks = [asyncio.ensure_future(self._asked.wait()), *(asyncio.ensure_future(sender.run()) for sender in self._senders.values())]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _swap(self) -> None:
        assert self._next is not None
        await self._register(self._next)
        self._senders, self._next = self._next, None
        self._asked.clear()
        self._swapped.set()

    async def reload(self, sinks: Mapping[str, Sink], settings: Mapping[str, DeliverySettings], routes: Sequence[Route]) -> None:
        """Go on with these, once the sends under way have ended. Then the caller may close the old sinks.

        Raises ``ConfigurationError``, and nothing has changed. Not to be called twice at a time.
        """
        self._next = self._build(sinks, settings, routes)
        if not self._running:
            await self._swap()
            return
        self._swapped.clear()
        self._asked.set()
        for sender in self._senders.values():
            sender.stop()
        await self._swapped.wait()

    def wake(self) -> None:
        """Alerts have been inserted, and the transaction is through."""
        for sender in self._senders.values():
            sender.wake()

    async def drain(self, limit_s: float) -> bool:
        """Wait until everything that is due has been sent. ``False``: not within ``limit_s``; what is left waits for the next start."""
        self.wake()
        quiet = asyncio.ensure_future(self._all_quiet())
        limit = asyncio.ensure_future(self._times.sleep(limit_s))
        try:
            await asyncio.wait([quiet, limit], return_when=asyncio.FIRST_COMPLETED)
            return quiet.done()
        finally:
            quiet.cancel()
            limit.cancel()
            await asyncio.gather(quiet, limit, return_exceptions=True)

    async def _all_quiet(self) -> None:
        for sender in self._senders.values():
            await sender.quiet.wait()

    def pending(self) -> Mapping[str, int]:
        """How much waits for each sink, as of its last look: alert versions, or messages that are due."""
        return {name: sender.pending for name, sender in self._senders.items()}

    def state(self) -> Mapping[str, SinkState]:
        """How each sink is doing."""
        return {name: sender.state() for name, sender in self._senders.items()}


def _line(name: str, sink: Sink, settings: DeliverySettings, router: Router) -> Line:
    if sink.style == "stream":
        return StreamLine(name, sink.max_alerts, router)
    if sink.style == "notify":
        if not isinstance(settings, NotifySettings):
            raise TypeError(f"the settings of a sink of style notify derive from NotifySettings, those of {type(sink).__name__} do not")
        return NotifyLine(name, settings, sink.max_alerts, router)
    if not isinstance(settings, StateSettings):
        raise TypeError(f"the settings of a sink of style state derive from StateSettings, those of {type(sink).__name__} do not")
    return StateLine(name, settings, sink.max_alerts, router)
