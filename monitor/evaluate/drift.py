"""What a deploy does: everybody's traffic doubles and goes to other endpoints from one day on."""

from collections.abc import Sequence

import msgspec

from monitor.evaluate.budgets import budget_of, within
from monitor.evaluate.plan import Plan
from monitor.evaluate.reading import Seen
from monitor.evaluate.running import run
from monitor.evaluate.scoring import Rate, Scores, World, score_all
from monitor.evaluate.several import LEARNED, Say, Watcher, settings_of, watch
from monitor.simulate.attacks import ATTACKS
from monitor.simulate.chance import Chance
from monitor.simulate.world import DAY_S, Scenario, WorldSettings

DEPLOY_DAY, DEPLOY_HOUR = 14, 9.6
"""A Monday morning, after two weeks."""
GROWTH = 1.0
"""By so much of itself everybody's traffic grows."""
DAYS_AFTER = 3
_LAST_H = 30.0
"""The worlds with attacks end so long after the day of the attacks has begun."""
_DAYS_LONG = ("boiling_frog", "slow_brute_force")
"""Attacks that do not fit into a day."""


class Raised(msgspec.Struct, frozen=True, kw_only=True):
    """Alerts of one learned detector about accounts, a day for each tenant, without any attack."""

    detector: str
    budget: float
    deploy_day: float
    after: float
    """On each of the days after it."""
    usual: float
    """On all these days, in the same worlds without a deploy."""


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    day: int
    users: int
    """People in each world: half as many as elsewhere, because there are four worlds for each seed."""
    growth: float
    raised: tuple[Raised, ...]
    without: Scores
    """Of attacks on the day after, had there been no deploy."""
    after: Scores
    """Of the same attacks with it."""

    def found(self, name: str | None) -> tuple[Rate, Rate]:
        """By one learned detector, or by all others together (``None``): without and with a deploy."""
        return _rate(self.without, name), _rate(self.after, name)


def measure_drift(plan: Plan, say: Say) -> Drift:
    """Each world without a deploy and with one, without attacks and with some on the day after."""
    plan = msgspec.structs.replace(plan, users=max(2, plan.users // 2))
    day = max(1, min(DEPLOY_DAY, int(plan.days) - DAYS_AFTER - 2))
    calm: dict[bool, list[Seen]] = {False: [], True: []}
    attacked: dict[bool, list[World]] = {False: [], True: []}
    on_day: list[Seen] = []
    for seed in plan.seeds:
        quiet = msgspec.structs.replace(plan.quiet(seed), hours=24.0 * (day + DAYS_AFTER + 1))
        for deployed in (False, True):
            watcher = Watcher(settings_of(LEARNED))
            watch(_deployed(quiet, day, deployed=deployed), [watcher])
            calm[deployed] += within(watcher.alerts, quiet, day, day + DAYS_AFTER + 1)
            if deployed:
                on_day += within(watcher.alerts, quiet, day, day + 1)
            world = msgspec.structs.replace(quiet, hours=24.0 * (day + 1) + _LAST_H, scenarios=_attacks(plan, seed, day + 1))
            outcome = run(_deployed(world, day, deployed=deployed))
            attacked[deployed].append(World(outcome.truths, outcome.alerts, world.hours / 24))
        say(f"seed {seed}, a deploy: {len(calm[True])} alerts of learned detectors so far, {len(calm[False])} without it")
    each = plan.tenants * len(plan.seeds)
    return Drift(
        day=day,
        users=plan.users,
        growth=GROWTH,
        raised=tuple(_raised(name, on_day, calm, each) for name in LEARNED),
        without=score_all(attacked[False], detectors=LEARNED),
        after=score_all(attacked[True], detectors=LEARNED),
    )


def _deployed(world: WorldSettings, day: int, *, deployed: bool) -> WorldSettings:
    return msgspec.structs.replace(world, deploy_after_h=24.0 * day + DEPLOY_HOUR, deploy_growth=GROWTH) if deployed else world


def _attacks(plan: Plan, seed: int, day: int) -> tuple[Scenario, ...]:
    """Those that break no rule at each intensity, the others at medium, over that day."""
    chance = Chance(seed, "after a deploy")
    kinds = {name: kind for name, kind in ATTACKS.items() if name not in _DAYS_LONG}
    wanted = [(name, intensity) for name, kind in kinds.items() if not kind.detectors for intensity in plan.intensities] * plan.repeats
    wanted += [(name, "medium") for name, kind in kinds.items() if kind.detectors]
    order = chance.some(wanted, len(wanted))
    begin = WorldSettings().start + day * DAY_S
    return tuple(
        Scenario(name=name, intensity=intensity, at=begin + (1 + 21 * (place + chance.random()) / len(order)) * DAY_S / 24)
        for place, (name, intensity) in enumerate(order)
    )


def _raised(name: str, on_day: Sequence[Seen], calm: dict[bool, list[Seen]], each: int) -> Raised:
    def count(alerts: Sequence[Seen]) -> int:
        return sum(alert.detector == name and alert.entity.startswith("actor:") for alert in alerts)

    first, all_days = count(on_day), count(calm[True])
    return Raised(
        detector=name,
        budget=budget_of(name, "by_actor"),
        deploy_day=first / each,
        after=(all_days - first) / (DAYS_AFTER * each),
        usual=count(calm[False]) / ((DAYS_AFTER + 1) * each),
    )


def _rate(scores: Scores, name: str | None) -> Rate:
    rows = [row.overall for row in scores.detectors if (row.detector == name if name is not None else row.detector not in LEARNED)]
    expected, found = sum(row.expected for row in rows), sum(row.found for row in rows)
    return Rate(expected=expected, found=found, recall=found / expected if expected else None)
