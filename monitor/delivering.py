"""Sends the alerts of a replay, or one test alert, to the configured sinks: what the service does all the time, for once."""

import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from monitor.alerts import outbox
from monitor.alerts.deliver import Delivery
from monitor.connections import Connections
from monitor.notification import DeliveryError, Notification
from monitor.settings import Settings
from monitor.settings_delivery import DeliverySettings, NotifySettings
from monitor.sinks.errors import OutputError
from monitor.store import Store
from schemas.alert import Alert
from schemas.errors import ConfigurationError

LIMIT_S = 600.0
"""After so long what could not be delivered is given up."""


def deliver(settings: Settings, names: Sequence[str], alerts: Sequence[Alert]) -> None:
    """Send these alert versions to the sinks of these names. Raises ``ConfigurationError``, and ``OutputError`` when some could not be sent."""
    if names and alerts:
        asyncio.run(_deliver(settings, names, alerts))


async def _deliver(settings: Settings, names: Sequence[str], alerts: Sequence[Alert]) -> None:
    connections = Connections(settings)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "outbox.db", outbox.SCHEMA)
        sinks = connections.make_sinks(settings)
        await connections.replace_sinks(sinks)
        try:
            await store.take_over()
            chosen = {name: _at_once(settings.sinks[name]) for name in names}
            failed = _Failures()
            delivery = Delivery(store, {name: sinks[name] for name in names}, chosen, settings.routes, on_result=failed.note)
            await delivery.start()
            await store.write(lambda db: outbox.insert(db, alerts, time.time()))
            running = asyncio.create_task(delivery.run())
            done = await delivery.drain(LIMIT_S)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            state = delivery.state()
        finally:
            await connections.close()
            store.close()
    problems = [f"sinks.{name}: {state[name].last_error or 'not all was sent'}" for name in names if name in failed.sinks or not done]
    if problems:
        raise OutputError("\n".join(problems))


class _Failures:
    def __init__(self) -> None:
        self.sinks: set[str] = set()

    def note(self, sink: str, result: str, _seconds: float, _count: int) -> None:
        if result in {"refused", "expired"}:
            self.sinks.add(sink)


def _at_once(settings: DeliverySettings) -> DeliverySettings:
    """Everything has happened already: there is nothing to wait for."""
    return settings.model_copy(update={"group_wait_s": 0.0}) if isinstance(settings, NotifySettings) else settings


def send_test(settings: Settings, name: str, alert: Alert) -> None:
    """Send one alert marked as a test to a sink. Raises ``ConfigurationError`` and ``OutputError``."""
    if name not in settings.sinks:
        known = ", ".join(settings.sinks) or "none is configured"
        raise ConfigurationError(f"--send-test: no sink is called so; there are: {known}")
    asyncio.run(_send_test(settings, name, alert))


async def _send_test(settings: Settings, name: str, alert: Alert) -> None:
    connections = Connections(settings)
    sinks = connections.make_sinks(settings)
    await connections.replace_sinks(sinks)
    try:
        async with asyncio.timeout(settings.sinks[name].timeout_s):
            await sinks[name].send(Notification(key=alert.dedup_key, reason="test", status=alert.status, alerts=(alert,)))
    except DeliveryError as exc:
        raise OutputError(f"sinks.{name}: {exc}") from exc
    except TimeoutError as exc:
        raise OutputError(f"sinks.{name}: no answer within {settings.sinks[name].timeout_s:g} s") from exc
    finally:
        await connections.close()
