"""A made-up world through the very pipeline that a replay uses, without a file in between."""

import time
from collections.abc import Callable, Iterator
from itertools import islice

import msgspec

from monitor.app import Parts
from monitor.evaluate.reading import Alerts, Seen, line_of
from monitor.settings import Settings
from monitor.simulate.generate import Simulation
from monitor.simulate.truth import Truth
from monitor.simulate.world import WorldSettings
from schemas.alert import Alert
from schemas.errors import WatchfloorError
from schemas.formats import FORMATS
from schemas.formats.base import Context

BATCH = 1_000
_SOURCE = "simulated"
OnProgress = Callable[[int], None]
"""Called now and then with the events so far."""


class Outcome(msgspec.Struct, kw_only=True):
    """What came of one world."""

    truths: tuple[Truth, ...]
    alerts: list[Seen]
    events: int
    seconds: float
    """Of making the events up and looking for attacks in them."""


def run(world: WorldSettings, settings: Settings | None = None, on_progress: OnProgress = lambda _: None) -> Outcome:
    """Simulate it and look for attacks. Memory is that of the pipeline: events are made as they are read.

    Raises ``ConfigurationError`` for a world that cannot be, ``WatchfloorError`` when a detector fails: its silence would be no result.
    """
    began = time.perf_counter()
    simulation = Simulation(world)
    parts = Parts(settings or Settings())
    core = parts.core
    core.open(_SOURCE, FORMATS["native"].parser(Context(memory=core.memory)))
    alerts, events = Alerts(), 0
    for records in _batches(simulation.events()):
        _keep(alerts, core.feed(_SOURCE, records))
        events += len(records)
        on_progress(events)
    _keep(alerts, core.close(_SOURCE))
    _keep(alerts, core.finish())
    if core.runner.failed:
        raise WatchfloorError(f"detectors failed: {', '.join(sorted(core.runner.failed))}")
    return Outcome(truths=simulation.truth, alerts=alerts.all(), events=events, seconds=time.perf_counter() - began)


def _keep(alerts: Alerts, versions: list[Alert]) -> None:
    for alert in versions:
        alerts.add(line_of(alert))


def _batches(events: Iterator[bytes]) -> Iterator[list[bytes]]:
    while batch := list(islice(events, BATCH)):
        yield batch
