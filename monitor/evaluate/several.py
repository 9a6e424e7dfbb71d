"""Several pipelines over one made-up world: it is made up and decoded once, and each sees the same."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from detectors.base import SEPARATOR
from detectors.learned.learner import LearnedDetector, LearnedPeers
from detectors.registry import DETECTORS
from monitor.app import Parts
from monitor.evaluate.reading import Alerts, Seen, line_of
from monitor.pipeline.state import KeyedState
from monitor.settings import Settings
from monitor.simulate.generate import Simulation
from monitor.simulate.truth import Truth
from monitor.simulate.world import WorldSettings
from schemas.alert import Alert
from schemas.errors import WatchfloorError
from schemas.event import Event
from schemas.formats import FORMATS
from schemas.formats.base import Context

LEARNED: tuple[str, ...] = tuple(name for name, cls in DETECTORS.items() if issubclass(cls, LearnedDetector))
"""Detectors whose threshold follows from a budget."""
BATCH = 2_000
_SOURCE = "simulated"
Say = Callable[[str], None]
Change = Callable[[list[Event]], list[Event]]


def settings_of(names: Iterable[str], changes: Mapping[str, Mapping[str, Any]] | None = None) -> Settings:
    """Only these detectors, with these settings where they differ from the defaults."""
    on = set(names)
    return Settings.model_validate({"detectors": {name: {"enabled": name in on, **(changes or {}).get(name, {})} for name in DETECTORS}})


class Watcher:
    """One pipeline. ``change``: makes of the decoded events of a batch those that it sees; they stay in order of time."""

    def __init__(self, settings: Settings, change: Change | None = None) -> None:
        self._core = Parts(settings).core
        self._core.open(_SOURCE, FORMATS["native"].parser(Context(memory=self._core.memory)))
        self._change = change
        self._alerts = Alerts()
        self._peers: dict[str, tuple[LearnedDetector[Any, Any], KeyedState]] = {}
        """What learned detectors remember of tenants to compare accounts with."""
        for states in self._core.runner.states:
            owner = getattr(states.detector, "owner", None)
            if isinstance(owner, LearnedDetector) and owner.variant == "by_actor":
                self._peers[owner.name] = (owner, states)

    def take(self, events: Sequence[Event]) -> None:
        """Some more events, in order of time."""
        own = list(events)
        self._keep(self._core.take(_SOURCE, own if self._change is None else self._change(own)))

    def end(self) -> None:
        """Nothing will come any more. Raises ``WatchfloorError`` when a detector failed: its silence would be no result."""
        self._keep(self._core.close(_SOURCE) + self._core.finish())
        if self._core.runner.failed:
            raise WatchfloorError(f"detectors failed: {', '.join(sorted(self._core.runner.failed))}")

    @property
    def alerts(self) -> list[Seen]:
        """In the order in which they first fired."""
        return self._alerts.all()

    def threshold(self, name: str, tenant: str, now: float) -> float:
        """What a score of a learned detector about an account of that tenant must exceed."""
        owner, states = self._peers[name]
        found = states.find(f"{tenant}{SEPARATOR}")
        budget = (found if isinstance(found, LearnedPeers) else LearnedPeers()).budget
        return budget.threshold(now, owner.limits.budget.alerts_per_day, owner.least_score, owner.always_score)

    def _keep(self, versions: Iterable[Alert]) -> None:
        for alert in versions:
            self._alerts.add(line_of(alert))


def watch(
    world: WorldSettings,
    watchers: Sequence[Watcher],
    *,
    keep: Callable[[Event], bool] | None = None,
    pause: Callable[[float], None] | None = None,
) -> tuple[Truth, ...]:
    """Let all of them see it; what was done to it. ``keep``: which events there are; ``pause``: called with the event time after each batch."""
    simulation = Simulation(world)
    core = Parts(settings_of(())).core
    ingest = core.open(_SOURCE, FORMATS["native"].parser(Context(memory=core.memory)))
    for records in _batches(simulation.events()):
        events = ingest.decode(records, range(len(records)))
        if keep is not None:
            events = [event for event in events if keep(event)]
        for watcher in watchers:
            watcher.take(events)
        if pause is not None and events:
            pause(events[-1].ts)
    for watcher in watchers:
        watcher.end()
    return simulation.truth


def _batches(events: Iterator[bytes]) -> Iterator[list[bytes]]:
    while batch := list(islice(events, BATCH)):
        yield batch
