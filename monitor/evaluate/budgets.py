"""Whether the learned detectors keep to their budget on traffic without attacks."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from detectors.registry import DETECTORS
from monitor.evaluate.plan import Plan
from monitor.evaluate.reading import Seen
from monitor.evaluate.several import LEARNED, Say, Watcher, settings_of, watch
from monitor.simulate.world import DAY_S, WorldSettings

BUDGETS = (0.25, 1.0, 3.0)
"""Alerts a day for each tenant that are asked for, with the floors switched off so that only the budget holds."""
TOLERANCE = 0.3
FIRST_DAY = 7.0
"""Alerts are counted from then on: before, nobody is known."""
_LOW_FLOORS = {
    "api_volume_anomaly": ("hour_requests", "hour_bytes", "hour_endpoints", "hour_objects", "day_requests", "day_bytes", "ratio"),
    "off_hours_activity": ("min_events",),
    "behaviour_anomaly": ("signs", "min_actions"),
}
"""Settings below which nothing is worth an alert; 1 is as good as none."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """One detector with one budget."""

    detector: str
    entity: str
    """Type of what it watches: each has a budget of its own."""
    budget: float
    """Alerts a day for each tenant."""
    floors: bool
    """Whether its floors were as they are by default."""
    alerts: int
    realised: float
    """Alerts a day for each tenant."""

    @property
    def ratio(self) -> float:
        """Of what was realised to what was asked for."""
        return self.realised / self.budget

    @property
    def verdict(self) -> str:
        """Whether it is kept, in a word."""
        if self.ratio > 1 + TOLERANCE:
            return "**exceeded**"
        return "within" if self.ratio >= 1 - TOLERANCE else "not used up"


def measure_budgets(plan: Plan, say: Say) -> tuple[Kept, ...]:
    """All detectors with all budgets, in the worlds of all seeds without attacks, which are made up once."""
    first = min(FIRST_DAY, plan.days / 2)
    seen: dict[float | None, list[Seen]] = {budget: [] for budget in (None, *BUDGETS)}
    for seed in plan.seeds:
        world = plan.quiet(seed)
        watchers = {budget: Watcher(settings_of(LEARNED, None if budget is None else without_floors(budget))) for budget in seen}
        watch(world, list(watchers.values()))
        for budget, watcher in watchers.items():
            seen[budget] += within(watcher.alerts, world, first, plan.days)
        say(f"seed {seed}, budgets: {', '.join(str(len(alerts)) for alerts in seen.values())} alerts so far")
    days = (plan.days - first) * plan.tenants * len(plan.seeds)
    return tuple(_rows(seen, days))


def within(alerts: Sequence[Seen], world: WorldSettings, first: float, last: float) -> list[Seen]:
    """Alerts that first fired between two days of a world (0 is its beginning)."""
    return [alert for alert in alerts if first * DAY_S <= alert.moments[0] - world.start < last * DAY_S]


def budget_of(name: str, variant: str) -> float:
    """The default."""
    return float(DETECTORS[name].Settings().limits_of(variant).budget.alerts_per_day)


def without_floors(budget: float | None) -> dict[str, dict[str, Any]]:
    """Settings with that budget (``None``: the default) and nothing else that would keep a learned detector quiet."""
    changes: dict[str, dict[str, Any]] = {}
    for name in LEARNED:
        cls = DETECTORS[name]
        for variant in cls.variants:
            limits = cls.Settings().limits_of(variant)
            change: dict[str, Any] = {} if budget is None else {"budget": {"alerts_per_day": budget}}
            change |= {floor: 1 for floor in _LOW_FLOORS.get(name, ()) if getattr(limits, floor, 0)}
            changes.setdefault(name, {})[variant] = change
    return changes


def _rows(seen: dict[float | None, list[Seen]], days: float) -> Iterator[Kept]:
    for name in LEARNED:
        for variant, how in DETECTORS[name].variants.items():
            for budget, alerts in seen.items():
                own = [alert for alert in alerts if alert.detector == name and alert.entity.startswith(f"{how.entity_type}:")]
                yield Kept(
                    detector=name,
                    entity=how.entity_type,
                    budget=budget_of(name, variant) if budget is None else budget,
                    floors=budget is None,
                    alerts=len(own),
                    realised=len(own) / days,
                )
