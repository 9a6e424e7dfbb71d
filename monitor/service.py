"""The `run` command: everything that lives in the process of the service, how it starts, reloads and ends."""

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from monitor import __version__, checkpoint, logs, partitioning, state_file
from monitor.alerts import outbox
from monitor.alerts.deliver import Delivery
from monitor.app import Parts, tune_memory
from monitor.connections import Connections, secrets_of
from monitor.engines import judging
from monitor.engines.core import Core
from monitor.engines.embedded import Embedded
from monitor.notification import Sink
from monitor.pipeline.ingest import OnReject
from monitor.settings import Settings
from monitor.store import FencedError, Store, StoreError
from monitor.telemetry import Telemetry
from monitor.verdicts import Given, Judged, NotActiveError
from monitor.web.app import Checks, build_app
from monitor.web.server import WebServer
from schemas.alert import Alert, Status
from schemas.errors import ConfigurationError

log = logging.getLogger("watchfloor")

TELL_EVERY_S = 1.0
"""How often the figures of delivery are passed on to the metrics."""
_NOT_SENT = frozenset({"expired", "repeated", "unreadable"})
_BURIED = frozenset({"refused", "expired", "unreadable"})
PRUNE_EVERY_S = 3_600.0
NEEDS = """nothing is configured to be read. Name a file with -c, for example:

kafka:
  bootstrap_servers: kafka.example.com:9092
  topics: [{name: auth-events, format: native}]
sinks:
  alerts: {type: file, path: alerts.jsonl}

Other inputs are follow (log files), standard_input and simulate (made-up traffic, to see it at work); docs/configuration.md has them all."""


class Service:
    """One process. ``read``: reads the configuration anew, for SIGHUP."""

    def __init__(self, settings: Settings, read: Callable[[], Settings]) -> None:
        self.settings = settings
        self._read = read
        for secret in secrets_of(settings):
            logs.register_secret(secret)
        partitioning.check(settings)
        self.connections = Connections(settings)
        if not self.connections.labels:
            raise ConfigurationError(NEEDS)
        self.store = Store(settings.store.path, (*checkpoint.SCHEMA, *outbox.SCHEMA))
        self.telemetry = Telemetry(__version__)
        self._delivery: Delivery | None = None
        self._delivering: asyncio.Task[None] | None = None
        self.interrupted = False
        """Whether somebody pressed Ctrl-C."""
        self._stopping = asyncio.Event()
        self._stopped_at = float("inf")
        self._one_reload = asyncio.Lock()
        self._oldest: Mapping[str, float] = {}
        self.engine = Embedded(
            self._make_core,
            self.connections.sources,
            self.store,
            outbox.insert,
            self.connections.rejects,
            self,
            self.connections.labels,
            interval_s=settings.store.checkpoint_interval_s,
            idle_s=settings.service.idle_s,
            max_record_bytes=settings.max_record_bytes,
            adopt=settings.store.adopt,
            learn=None if settings.service.warm_start is None else self._learn,
        )
        self.connections.on_revoke(self.engine.settle)
        app = build_app(settings.http, self.telemetry, self.readiness, self.recent_alerts, __version__, verdicts=self)
        self.web = WebServer(settings.http, app)
        self._know()

    # -- life ---------------------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until SIGTERM or SIGINT, or until all inputs have ended.

        Raises ``ConfigurationError`` and ``InputError`` where it cannot begin, ``FencedError`` where another process took the store over,
        and ``StoreError`` where the store is damaged, or cannot be written within ``service.drain_s`` when the service is stopped.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop, number)
        loop.add_signal_handler(signal.SIGHUP, self._ask_reload)
        try:
            await self.web.start()
            log.info("watchfloor %s reads %s; metrics and health on %s", __version__, ", ".join(self.connections.labels), self.web.url)
            await self._live()
        finally:
            await self._end_delivery()
            await self.web.stop(2.0)
            await self.connections.close()
            self.store.close()

    async def _live(self) -> None:
        tune_memory()
        async with _tasks(self._tell(), self._prune()) as side:
            engine = asyncio.create_task(self.engine.run(), name="engine")
            try:
                await self._until_done(engine)
                await engine
            except BaseException:
                engine.cancel()
                await asyncio.gather(engine, return_exceptions=True)
                raise
            if self._delivery is not None and not await self._delivery.drain(self.settings.service.drain_s):
                log.warning("not everything could be sent in service.drain_s; the rest is safe, and sent after the next start")
            for task in side:
                task.cancel()
            await self._end_delivery()
        log.info("stopped; everything read is safe")

    async def _until_done(self, engine: asyncio.Task[None]) -> None:
        """Until the engine ends, or delivery fails (as it does when another process has taken over)."""
        while not engine.done():
            watched = {engine} if self._delivering is None else {engine, self._delivering}
            done, _ = await asyncio.wait(watched, timeout=0.5, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {engine}:
                if not task.cancelled() and (error := task.exception()) is not None:
                    raise error
            if self.engine.is_failing and time.monotonic() - self._stopped_at > self.settings.service.drain_s:
                raise StoreError(
                    "store.path: cannot be written, so what was read since the last checkpoint is read again after the next start"
                )

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Finish the batch, make everything safe, send what is due, leave the group."""
        if self._stopping.is_set():
            return
        self.interrupted = number == signal.SIGINT
        log.info("stopping")
        self._stopping.set()
        self._stopped_at = time.monotonic()
        self.engine.stop()

    async def _end_delivery(self) -> None:
        if self._delivering is not None:
            self._delivering.cancel()
            await asyncio.gather(self._delivering, return_exceptions=True)
            self._delivering = None

    # -- configuration ------------------------------------------------------------------------------------------------------------

    def _make_core(self, on_reject: OnReject) -> Core:
        return Parts(self.settings, on_reject, tracking=True).core

    def _learn(self, core: Core) -> None:
        path = self.settings.service.warm_start
        assert path is not None
        learned, about = state_file.load(core, path, "service.warm_start")
        done, *limits = state_file.notes(learned, about, path)
        log.info("warm start: %s", done)
        for note in limits:
            log.warning("warm start: %s", note)

    def _know(self) -> None:
        detectors = [name for name in self.settings.detectors.__class__.model_fields if getattr(self.settings.detectors, name).enabled]
        self.telemetry.know(detectors, list(self.settings.sinks))

    def _ask_reload(self) -> None:
        self._reloading = asyncio.get_running_loop().create_task(self._reload(), name="reload")

    async def _reload(self) -> None:
        """A wrong configuration is refused, and the old one goes on."""
        async with self._one_reload:
            try:
                settings = self._read()
                sinks = await self._try_out(settings)
            except ConfigurationError as error:
                log.error("the new configuration is refused, and the old one goes on: %s", error)  # noqa: TRY400 - no bug
                self.telemetry.reloaded(ok=False)
                return
            await self._adopt(settings, sinks)

    async def _try_out(self, settings: Settings) -> dict[str, Sink]:
        """Raises ``ConfigurationError``, and nothing has changed; else these sinks deliver."""
        self._check_unchanged(settings)
        for secret in secrets_of(settings):
            logs.register_secret(secret)
        Parts(settings)  # opens the databases it names
        self.web.reload_certificate()
        sinks = self.connections.make_sinks(settings)
        try:
            if self._delivery is not None:
                await self._delivery.reload(sinks, settings.sinks, settings.routes)
        except ConfigurationError:
            await asyncio.gather(*(sink.close() for sink in sinks.values()), return_exceptions=True)
            raise
        return sinks

    async def _adopt(self, settings: Settings, sinks: dict[str, Sink]) -> None:
        self.settings = settings
        await self.connections.replace_sinks(sinks)
        self._know()
        self.engine.reload(self._make_core)
        self.telemetry.reloaded(ok=True)
        log.info("the configuration was read again and is in force")

    def _check_unchanged(self, settings: Settings) -> None:
        fixed = ("kafka", "follow", "standard_input", "simulate", "store", "http", "service", "max_record_bytes")
        changed = [name for name in fixed if getattr(settings, name) != getattr(self.settings, name)]
        if changed:
            raise ConfigurationError("\n".join(f"{name}: has changed, which needs a restart" for name in changed))

    # -- what the engine tells ----------------------------------------------------------------------------------------------------

    async def activated(self) -> None:
        """See ``Listener``."""
        self.telemetry.watch(self.engine)
        self.telemetry.set_active(active=True)
        if self._delivery is None:
            sinks = self.connections.make_sinks(self.settings)
            await self.connections.replace_sinks(sinks)
            self._delivery = Delivery(self.store, sinks, self.settings.sinks, self.settings.routes, on_result=self._delivered)
            await self._delivery.start()
            self._delivering = asyncio.create_task(self._delivery.run(), name="delivery")

    async def deactivated(self) -> None:
        """See ``Listener``."""
        await self._end_delivery()
        self._delivery = None
        self.telemetry.watch(None)
        self.telemetry.set_active(active=False)

    def count_alerts(self, alerts: Sequence[Alert]) -> None:
        """See ``Listener``."""
        self.telemetry.count_alerts(alerts)

    def judged(self, judged: Judged) -> None:
        """See ``Listener``."""
        self.telemetry.judged(judged.detector, judged.given.verdict)

    def saved(self) -> None:
        """See ``Listener``."""
        if self._delivery is not None:
            self._delivery.wake()

    def checkpointed(self, seconds: float, stall_seconds: float, rows: int) -> None:
        """See ``Meters``."""
        self.telemetry.checkpointed(seconds, stall_seconds, rows)

    def checkpoint_failed(self) -> None:
        """See ``Meters``."""
        self.telemetry.checkpoint_failed()

    def _delivered(self, sink: str, result: str, seconds: float, count: int) -> None:
        self.telemetry.delivered(sink, result, count, None if result in _NOT_SENT else seconds)
        if result in _BURIED:
            self.telemetry.dead_letter(sink, count)

    # -- what others ask ----------------------------------------------------------------------------------------------------------

    def readiness(self) -> Checks:
        """Whether the service does what it is for; for ``/readyz``."""
        core = self.engine.core
        checks: dict[str, tuple[bool, str]] = {"running": (not self._stopping.is_set(), "stopping" if self._stopping.is_set() else "")}
        if core is None:
            why = "stands by for another process of the group, or has not begun yet"
            return checks | {"reads": (False, "another process holds the lock of the store" if self.engine.is_waiting else why)}
        behind = [time.time() - core.inputs[name].believed for name in core.inputs.keys() - self.engine.caught_up]
        lag_s = max((each for each in behind if each < float("inf")), default=0.0)
        checks["reads"] = (bool(core.inputs), "" if core.inputs else "nothing of what is configured is there")
        checks["lag"] = (lag_s <= self.settings.service.max_lag_s, f"{lag_s:.0f} s behind the events")
        checks["store"] = (not self.engine.is_failing, "a checkpoint could not be written" if self.engine.is_failing else "")
        for name, state in ({} if self._delivery is None else self._delivery.state()).items():
            checks[f"sink {name}"] = (state.breaker == "closed", state.last_error or "" if state.breaker != "closed" else "")
        return checks

    async def recent_alerts(self, limit: int, status: Status | None) -> Sequence[Alert]:
        """The last alerts of the store, the newest first; for the API."""
        return await self.store.read(lambda db: outbox.recent(db, limit, status))

    async def give(self, given: Given) -> Judged:
        """See ``web.verdicts``. Before the port would cut the connection, whoever waits is told what is known."""
        try:
            return await asyncio.wait_for(self.engine.judge(given), 0.8 * self.settings.http.request_timeout_s)
        except TimeoutError:
            raise NotActiveError("the verdict is not safe yet, and may or may not be in force; give it again, which does no harm") from None

    async def given(self, limit: int) -> Sequence[Given]:
        """See ``web.verdicts``."""
        all_given = await self.store.read(lambda db: judging.kept(checkpoint.Reading(db)))
        return list(all_given.values())[-limit:]

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            for topic in self.connections.positions_reset():
                self.telemetry.position_reset(topic)
            if self._delivery is not None:
                oldest = await self._oldest_waiting()
                for name, state in self._delivery.state().items():
                    self.telemetry.outbox(name, state.pending, oldest.get(name))
                    self.telemetry.breaker(name, is_open=state.breaker != "closed")

    async def _oldest_waiting(self) -> Mapping[str, float]:
        with contextlib.suppress(StoreError):  # whoever needs the store says so; the metrics go on with what was known
            self._oldest = await self.store.read(outbox.oldest_waiting)
        return self._oldest

    async def _prune(self) -> None:
        while True:
            await asyncio.sleep(PRUNE_EVERY_S)
            if self._delivery is not None:
                with contextlib.suppress(StoreError):  # there is a next time
                    await self.store.write(lambda db: outbox.prune(db, time.time(), self.settings.store.keep_alerts_s))


@contextlib.asynccontextmanager
async def _tasks(*coroutines: object) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Tasks beside the main one; they end with it, and their failures are logged and cost nothing else."""
    tasks: list[asyncio.Task[None]] = [asyncio.create_task(each) for each in coroutines]  # type: ignore[arg-type]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception):
                log.warning("a side task ended early: %s", type(result).__name__)


def run(settings: Settings, read: Callable[[], Settings]) -> int:
    """The service, from its settings to its exit code."""
    logs.set_up({"auto": None, "json": True, "text": False}[settings.service.log_format], logging.INFO)
    try:
        service = Service(settings, read)
        asyncio.run(service.run())
    except (FencedError, StoreError) as error:
        log.error("%s", error)  # noqa: TRY400 - expected
        return 3
    return 130 if service.interrupted else 0
