"""Metrics of the learned detectors: how much their models know, and whether they keep to their budgets.

They are read from the states themselves, which takes about 0.2 s for a million keys; so not more often than every half minute.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, get_args

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from detectors.base import PeerMemory
from detectors.learned.learner import LearnedDetector, LearnedPeers, Stage
from monitor.telemetry_table import METRICS, PREFIX

STAGES: tuple[str, ...] = get_args(Stage)
"""How much a learned model knows of its key."""
AGAIN_S = 30.0
"""Seconds for which what was read is shown again."""
_HELP = {metric.name: metric for metric in METRICS}

Samples = dict[str, dict[tuple[str, ...], float]]


class LearnedCollector(Collector):
    """Reads the memories of learned detectors when the page is asked for. ``states``: those of the runner; ``now``: event time."""

    def __init__(
        self,
        states: Callable[[], Iterable[Any]],
        now: Callable[[], float],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._states = states
        self._now = now
        self._monotonic = monotonic
        self._read_at = -AGAIN_S
        self._last: Samples = {"learned_threshold": {}}

    def collect(self) -> Iterator[Family]:
        """All of them."""
        if self._monotonic() - self._read_at >= AGAIN_S or not self._last["learned_threshold"]:
            self._last = read(self._states(), self._now())
            self._read_at = self._monotonic()
        for name, samples in self._last.items():
            metric = _HELP[name]
            family = GaugeMetricFamily(PREFIX + name, metric.help, labels=metric.labels)
            for labels, value in sorted(samples.items()):
                family.add_metric(labels, value)
            yield family


def read(states: Iterable[Any], now: float) -> Samples:
    """The values by metric and labels, from the ``KeyedState`` of each detector. ``now``: event time (Unix seconds)."""
    stages: dict[tuple[str, ...], float] = {}
    budgets: dict[tuple[str, ...], float] = {}
    rates: defaultdict[str, list[float]] = defaultdict(list)
    thresholds: defaultdict[str, list[float]] = defaultdict(list)
    for each in list(states):
        detector = each.detector
        if isinstance(detector, LearnedDetector):
            counts = Counter(detector.stage(state, now) for half in (each.young, each.old) for state in list(half.values()))
            for stage in STAGES:
                stages[detector.name, stage] = stages.get((detector.name, stage), 0) + counts[stage]  # type: ignore[index]
            per_day = detector.limits.budget.alerts_per_day
            budgets[(detector.name,)] = max(per_day, budgets.get((detector.name,), 0.0))
        elif isinstance(detector, PeerMemory) and isinstance(owner := detector.owner, LearnedDetector):
            per_day = owner.limits.budget.alerts_per_day
            for half in (each.young, each.old):
                for state in list(half.values()):
                    assert isinstance(state, LearnedPeers)
                    rates[owner.name].append(state.budget.realised(now, per_day))
                    thresholds[owner.name].append(state.budget.threshold(now, per_day, owner.least_score, owner.always_score))
    return {
        "model_maturity": stages,
        "learned_alerts_budget": budgets,
        "learned_alerts_per_day": {
            (name, which): value
            for name, found in rates.items()
            for which, value in (("mean", sum(found) / len(found)), ("highest", max(found)))
        },
        "learned_threshold": {
            (name, which): value for name, found in thresholds.items() for which, value in (("lowest", min(found)), ("highest", max(found)))
        },
    }
