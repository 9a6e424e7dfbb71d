"""How weak, slow or spread an attack must be to pass: one attack after the other in a small world, a step weaker each time.

Each point is played in several worlds of its own, so that what one attack leaves behind in memory cannot help or hide another.
"""

from collections.abc import Callable, Iterator, Sequence

import msgspec

from monitor.evaluate.running import run
from monitor.evaluate.scoring import Attacked, World, score_all
from monitor.settings import Settings
from monitor.simulate.attacks import ATTACKS
from monitor.simulate.truth import Truth
from monitor.simulate.world import DAY_S, HOUR_S, Scenario, WorldSettings

STRENGTHS = (0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 1.0, 1.5, 2.0, 3.0)
"""Below low (1) to high (3)."""
SPREADS = (1, 2, 4, 8, 16, 32)
"""Addresses the attacker has."""
STRETCHES = (0.25, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""So many times as long as such attacks usually take."""
SPREADABLE = ("failed_login_burst", "password_spray", "credential_stuffing", "success_after_failures")
"""Attacks in which each step may come from another address."""
UNSTRETCHABLE = (
    *("new_geography", "dormant_account", "source_silence", "impossible_travel"),
    *("privilege_change", "audit_log_tampering", "off_hours_activity"),
)
"""Attacks that are one moment, or whose strength is their length already."""
LEARNED_STRENGTHS = (0.35, 0.5, 1.0, 2.0)
LEARNED_STRETCHES = (4.0, 8.0)
"""Of attacks that break no rule: each point takes a world of two weeks, in which somebody can be known."""
LEFT_OUT = ("boiling_frog",)
"""See ``poisoning``."""
SEEDS = (2001, 2002, 2003)
_QUIET_S = 34 * HOUR_S
"""Some attacks give their victim a past of a day."""
_LEARNED_QUIET_S = 15 * DAY_S
"""Until a Tuesday, when everybody has been at work on eleven days."""
_USERS, _LEARNED_USERS = 40, 25
AXES = ("strength", "stretch", "spread")


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One attack, tried in as many worlds as there are seeds."""

    value: float
    """Strength, stretch or number of addresses."""
    found: int
    """By the detector it is made for, in so many worlds."""
    seen: int
    """By any detector."""
    tried: int
    events: int
    lasted_s: float
    """From its first event to its last (median over the worlds)."""


class Edge(msgspec.Struct, frozen=True, kw_only=True):
    """One attack along one axis; the other knobs are those of a medium attack from one address."""

    scenario: str
    axis: str
    points: tuple[Point, ...]
    """The weakest first: by strength upwards, by stretch and spread downwards."""
    limit: Point | None
    """The weakest from which on all are found in all worlds, ``None`` when not even the last one is."""


class Frontier(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    edges: tuple[Edge, ...]
    seeds: tuple[int, ...]


def explore(
    settings: Settings | None = None,
    *,
    scenarios: Sequence[str] | None = None,
    seeds: Sequence[int] = SEEDS,
    on_progress: Callable[[str], None] = lambda _: None,
) -> Frontier:
    """Try them all; ``scenarios``: all for which there is a detector, but those that take days. The same seeds give the same frontier."""
    if scenarios is None:
        scenarios = tuple(name for name, kind in ATTACKS.items() if kind.expected() and name not in LEFT_OUT)
    edges = []
    for number, (name, axis, values) in enumerate(plan := list(_grid(scenarios)), 1):
        points = tuple(_point(name, axis, value, settings, seeds) for value in values)
        edges.append(Edge(scenario=name, axis=axis, points=points, limit=_limit(points)))
        on_progress(f"frontier {number} of {len(plan)}: {name} by {axis}")
    return Frontier(edges=tuple(edges), seeds=tuple(seeds))


def _grid(scenarios: Sequence[str]) -> Iterator[tuple[str, str, Sequence[float]]]:
    for name in scenarios:
        yield name, "strength", LEARNED_STRENGTHS if _is_learned(name) else STRENGTHS
        if name not in UNSTRETCHABLE:
            yield name, "stretch", (LEARNED_STRETCHES if _is_learned(name) else STRETCHES)[::-1]
        if name in SPREADABLE:
            yield name, "spread", SPREADS[::-1]


def _is_learned(name: str) -> bool:
    """Whether only somebody who knows what is usual can find it."""
    return not ATTACKS[name].detectors


def _point(name: str, axis: str, value: float, settings: Settings | None, seeds: Sequence[int]) -> Point:
    played = [_play(_scenario(name, axis, value), seed, settings) for seed in seeds]
    truths = [attack.truth for attack in played]
    return Point(
        value=value,
        found=sum(bool(attack.truth.detectors) and attack.truth.detectors[0] in attack.found for attack in played),
        seen=sum(bool(attack.found or attack.also) for attack in played),
        tried=len(played),
        events=truths[0].events or 0,
        lasted_s=sorted(truth.end - truth.start for truth in truths)[len(truths) // 2],
    )


def _scenario(name: str, axis: str, value: float) -> Scenario:
    usual = Scenario(name=name, strength=2.0, at=WorldSettings().start + _quiet_s(name))
    if axis == "strength":
        return msgspec.structs.replace(usual, strength=value)
    if axis == "stretch":
        return msgspec.structs.replace(usual, stretch=value)
    return msgspec.structs.replace(usual, spread=int(value))


def _quiet_s(name: str) -> float:
    return _LEARNED_QUIET_S if _is_learned(name) else _QUIET_S


def _play(scenario: Scenario, seed: int, settings: Settings | None) -> Attacked:
    """What became of the attack in a world that lasts some hours longer than it."""
    last = DAY_S if scenario.name == "source_silence" else 2 * HOUR_S
    hours = (last + _end(scenario, seed)) / HOUR_S
    outcome = run(_world(scenario, seed, hours), settings)
    return score_all([World(outcome.truths, outcome.alerts, hours / 24)]).attacks[0]


def _world(scenario: Scenario, seed: int, hours: float) -> WorldSettings:
    users, tenants = (_LEARNED_USERS, 1) if _is_learned(scenario.name) else (_USERS, 2)
    return WorldSettings(seed=seed, hours=hours, users=users, tenants=tenants, scenarios=(scenario,))


def _end(scenario: Scenario, seed: int) -> float:
    """When the attack is over, in seconds from the beginning of the world: some choose an hour of the day."""
    from monitor.simulate.generate import Simulation  # noqa: PLC0415

    world = _world(scenario, seed, 24.0 * 366)
    truth: Truth = Simulation(world).truth[0]
    return truth.end - world.start


def _limit(points: Sequence[Point]) -> Point | None:
    limit = None
    for point in reversed(points):
        if point.found < point.tried:
            break
        limit = point
    return limit
