"""Watchfloor next to simple ways of finding what is unusual, on the same traffic in the same run.

python -m tests.bench.peers [--seeds 1 2] [--tune 4] [--days 21] [--users 200] [--repeats 3] [--no-trees]

The attacks are those that break no rule. For everybody an alert is one actor (or other entity) and day, whatever was noticed on it how often,
and belongs to an attack by the same rule as in ``docs/evaluation.md``. Thresholds called tuned are chosen on the tuning seeds, in weeks without
attacks: such that there are as many alerts a day as from watchfloor's learned detectors.
"""

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any
from zlib import crc32

import msgspec
from river import anomaly

from detectors.learned.learner import LearnedDetector
from detectors.registry import DETECTORS
from monitor.app import Parts, tune_memory
from monitor.evaluate.plan import Plan
from monitor.evaluate.reading import Seen
from monitor.evaluate.scoring import World, score_all
from monitor.evaluate.words import daily, of, share
from monitor.settings import Settings
from monitor.simulate.attacks import ATTACKS
from monitor.simulate.generate import Simulation
from monitor.simulate.truth import Truth
from monitor.simulate.world import WorldSettings
from schemas.alert import Alert
from schemas.event import Event
from schemas.formats import FORMATS
from schemas.formats.base import Context
from schemas.severity import Severity
from schemas.stamps import from_text

HOUR_S, DAY_S = 3600.0, 86_400.0
BATCH = 5_000
"""Long enough that each finds its own memory in the caches again."""
USUAL_THRESHOLD = 100
"""Requests within an hour, as a rule of thumb has it."""
LEAST_HOURS, Z = 24, 3.0
QUANTILE = 0.95
"""As in river's documentation of ``QuantileFilter``."""
COUNTED = frozenset({"api.request", "data.export", "data.query"})
UNRULY = tuple(name for name, kind in ATTACKS.items() if not kind.detectors)
"""Attacks that break no rule."""
LEARNED = tuple(name for name, cls in DETECTORS.items() if issubclass(cls, LearnedDetector))
Who = tuple[str | None, str]
"""Tenant, and entity as ``type:value``."""


class Contender:
    """Somebody who looks at all events. ``look`` does the work, and is what is timed."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.cpu_s = 0.0
        self.events = 0
        self.moments: dict[tuple[Who, int], list[float]] = {}
        """When it spoke, by entity and day; of an hour the first moment only."""
        self.highest: dict[tuple[Who, int], float] = {}
        """The highest of what is compared with a threshold, by entity and day; empty for whoever has none to choose."""

    def take(self, events: list[Event]) -> None:
        """Look at some more events, in order of time."""
        began = time.process_time()
        self.look(events)
        self.cpu_s += time.process_time() - began
        self.events += len(events)

    def look(self, events: list[Event]) -> None:
        """Do it."""
        raise NotImplementedError

    def end(self) -> None:
        """Nothing will come any more."""

    def speak(self, who: Who, ts: float) -> None:
        """Note an alert."""
        moments = self.moments.setdefault((who, int(ts // DAY_S)), [])
        if not moments or ts // HOUR_S != moments[-1] // HOUR_S:
            moments.append(ts)

    def note(self, who: Who, ts: float, value: float) -> None:
        """Note what a threshold could be compared with."""
        key = (who, int(ts // DAY_S))
        if value > self.highest.get(key, -math.inf):
            self.highest[key] = value

    def alerts(self) -> list[Seen]:
        """One for each entity and day."""
        severity: Severity = "medium"
        return [
            Seen(f"{who}{day}", self.name, severity, who[0], who[1], "", sorted(moments), min(moments), notified=True)
            for (who, day), moments in self.moments.items()
        ]

    def threshold_for(self, per_day: float, days: float) -> float:
        """The lowest threshold with no more than so many alerts a day."""
        allowed = round(per_day * days)
        values = sorted(self.highest.values(), reverse=True)
        return math.nextafter(values[allowed], math.inf) if len(values) > allowed else 0.0


class Fixed(Contender):
    """So many requests of an actor within an hour."""

    def __init__(self, name: str, threshold: float, *, noting: bool = False) -> None:
        super().__init__(name)
        self._threshold, self._noting = threshold, noting
        self._counts: dict[Who, list[float]] = {}

    def look(self, events: list[Event]) -> None:
        counts, threshold = self._counts, self._threshold
        for event in events:
            if event.actor is None or event.kind not in COUNTED:
                continue
            who = (event.tenant, event.actor)
            hour = event.ts // HOUR_S
            count = counts.get(who)
            if count is None or count[0] != hour:
                count = counts[who] = [hour, 0.0]
            count[1] += 1.0
            if count[1] >= threshold:
                self.speak((event.tenant, f"actor:{event.actor}"), event.ts)
            if self._noting:
                self.note((event.tenant, f"actor:{event.actor}"), event.ts, count[1])


class Hours(msgspec.Struct):
    """What a z-score needs (Welford's running mean and variance)."""

    hour: float
    count: int = 0
    limit: float = math.inf
    """Count of this hour from which on it is an alert."""
    n: int = 0
    mean: float = 0.0
    m2: float = 0.0
    spread: float = 0.0
    """0 while too few hours are known."""


class ZScore(Contender):
    """Requests of an actor within an hour against the mean of all its hours with traffic."""

    def __init__(self, name: str, threshold: float, *, noting: bool = False) -> None:
        super().__init__(name)
        self._threshold, self._noting = threshold, noting
        self._hours: dict[Who, Hours] = {}

    def look(self, events: list[Event]) -> None:
        known = self._hours
        for event in events:
            if event.actor is None or event.kind not in COUNTED:
                continue
            who = (event.tenant, event.actor)
            hour = event.ts // HOUR_S
            state = known.get(who)
            if state is None:
                state = known[who] = Hours(hour)
            elif state.hour != hour:
                self._learn(state, hour)
            state.count += 1
            if state.count >= state.limit:
                self.speak((event.tenant, f"actor:{event.actor}"), event.ts)
            if self._noting and state.spread > 0:
                self.note((event.tenant, f"actor:{event.actor}"), event.ts, (state.count - state.mean) / state.spread)

    def _learn(self, state: Hours, hour: float) -> None:
        state.n += 1
        step = state.count - state.mean
        state.mean += step / state.n
        state.m2 += step * (state.count - state.mean)
        state.hour, state.count = hour, 0
        state.spread = math.sqrt(state.m2 / (state.n - 1)) if state.n >= LEAST_HOURS else 0.0
        state.limit = state.mean + self._threshold * state.spread if state.spread > 0 else math.inf


class Stricter(Contender):
    """Another threshold for what somebody else has scored: it is told, and looks at nothing itself."""

    def __init__(self, name: str, threshold: float) -> None:
        super().__init__(name)
        self.threshold = threshold

    def look(self, events: list[Event]) -> None:
        pass


class Trees(Contender):
    """River's HalfSpaceTrees with its defaults, every event one point; what is filtered by a quantile of the scores is an alert."""

    def __init__(self, name: str, stricter: Stricter | None = None) -> None:
        super().__init__(name)
        self._model: Any = anomaly.QuantileFilter(anomaly.HalfSpaceTrees(seed=42), q=QUANTILE)
        self._stricter = stricter

    def look(self, events: list[Event]) -> None:
        model, stricter = self._model, self._stricter
        for event in events:
            if event.actor is None:
                continue
            point = features(event)
            score = model.score_one(point)
            is_anomaly = model.classify(score)
            model.learn_one(point)
            who = (event.tenant, f"actor:{event.actor}")
            if is_anomaly:
                self.speak(who, event.ts)
            if stricter is None:
                self.note(who, event.ts, score)
            elif score >= stricter.threshold:
                stricter.speak(who, event.ts)


class Watchfloor(Contender):
    """The very pipeline of ``replay``, from decoded events to alerts. ``names``: detectors that are on."""

    def __init__(self, name: str, names: Sequence[str]) -> None:
        super().__init__(name)
        self._core = Parts(Settings.model_validate({"detectors": {each: {"enabled": each in names} for each in DETECTORS}})).core
        self._core.open("bench", FORMATS["native"].parser(Context(memory=self._core.memory)))

    def look(self, events: list[Event]) -> None:
        self._keep(self._core.take("bench", events))

    def end(self) -> None:
        self._keep(self._core.close("bench") + self._core.finish())
        if self._core.runner.failed:
            raise SystemExit("a detector failed")

    def _keep(self, versions: Iterable[Alert]) -> None:
        for alert in versions:
            if alert.status == "firing":
                at = from_text(alert.time if alert.version == 1 else alert.last_seen)
                self.speak((alert.tenant, f"{alert.entity.type}:{alert.entity.value}"), at)


def features(event: Event) -> dict[str, float]:
    """An event within the unit cube, as a tutorial would have it: names by a hash, amounts by a logarithm."""
    return {
        "hour": event.ts % DAY_S / DAY_S,
        "weekday": event.ts // DAY_S % 7 / 7,
        "bytes": min(1.0, math.log1p(max(event.bytes, 0)) / 25),
        "records": min(1.0, math.log1p(max(event.records, 0)) / 15),
        "kind": crc32(event.kind.encode()) % 1000 / 1000,
        "what": crc32((event.route or event.action or "").encode()) % 1000 / 1000,
        "failed": float(event.outcome == "failure"),
    }


def stream(settings: WorldSettings, contenders: Sequence[Contender], say: Callable[[str], None]) -> tuple[Truth, ...]:
    """Let all look at one world, in turns; decoding is nobody's. What was done to it."""
    simulation = Simulation(settings)
    core = Parts(Settings()).core
    ingest = core.open("bench", FORMATS["native"].parser(Context(memory=core.memory)))
    for records in _batches(simulation.events()):
        events = ingest.decode(records, range(len(records)))
        for contender in contenders:
            contender.take(list(events))
    for contender in contenders:
        contender.end()
    say(f"seed {settings.seed}: {contenders[0].events:,} events, {len(simulation.truth)} attacks")
    return simulation.truth


def _batches(records: Iterator[bytes]) -> Iterator[list[bytes]]:
    while batch := list(islice(records, BATCH)):
        yield batch


def tune(plan: Plan, seeds: Sequence[int], say: Callable[[str], None], *, trees: bool) -> tuple[float, dict[str, float]]:
    """Alerts a day of the learned detectors in weeks without attacks, and the thresholds with which others are as quiet."""
    per_day, found = 0.0, dict.fromkeys(("fixed", "z", "trees"), 0.0)
    for seed in seeds:
        ours = Watchfloor("learned", LEARNED)
        others: dict[str, Contender] = {"fixed": Fixed("fixed", math.inf, noting=True), "z": ZScore("z", math.inf, noting=True)}
        if trees:
            others["trees"] = Trees("trees")
        stream(plan.quiet(seed), [ours, *others.values()], say)
        rate = len(ours.moments) / plan.days
        per_day += rate / len(seeds)
        for name, other in others.items():
            found[name] += other.threshold_for(rate, plan.days) / len(seeds)
    return per_day, found


def contenders_of(thresholds: Mapping[str, float], *, trees: bool) -> list[Contender]:
    """All of them, in the order of the table."""
    fixed = math.ceil(thresholds["fixed"])
    stricter = Stricter(f"river HalfSpaceTrees, score ≥ {thresholds['trees']:.4f} (tuned)", thresholds["trees"])
    rows: list[Contender] = [
        Fixed(f"{USUAL_THRESHOLD} requests an hour", USUAL_THRESHOLD),
        Fixed(f"{fixed:,} requests an hour (tuned)", fixed),
        ZScore(f"z-score ≥ {Z:g}", Z),
        ZScore(f"z-score ≥ {thresholds['z']:.1f} (tuned)", thresholds["z"]),
    ]
    if trees:
        rows += [Trees(f"river HalfSpaceTrees, quantile {QUANTILE:g}", stricter), stricter]
    return [*rows, Watchfloor("watchfloor, learned detectors", LEARNED), Watchfloor("watchfloor, all", tuple(DETECTORS))]


def show(rows: Sequence[Sequence[Contender]], truths: Sequence[Sequence[Truth]], plan: Plan) -> None:
    """Two tables in Markdown. ``rows``: of each contender, one for each world."""
    heads = ("", *plan.intensities, "precision", "false a day", "events/s", "µs")
    print(f"\n| {' | '.join(heads)} |\n|---|{'---:|' * (len(heads) - 1)}")
    recalls: list[tuple[str, dict[str, str]]] = []
    for worlds in rows:
        name = worlds[0].name
        held = [
            World([msgspec.structs.replace(truth, detectors=(name,)) for truth in told], each.alerts(), plan.days)
            for each, told in zip(worlds, truths, strict=True)
        ]
        scores = score_all(held)
        cpu_s, events = sum(each.cpu_s for each in worlds), sum(each.events for each in worlds)
        if isinstance(worlds[0], Stricter):
            speed = ("", "")
        else:
            speed = (f"{events / cpu_s:,.0f}", f"{cpu_s / events * 1e6:.2f}")
        found = [of(scores.by_intensity.get(intensity)) for intensity in plan.intensities]
        print(f"| {name} | {' | '.join([*found, share(scores.precision), daily(scores.false.per_day), *speed])} |", flush=True)
        kinds = {}
        for kind in UNRULY:
            attacks = [attack for attack in scores.attacks if attack.truth.scenario == kind]
            kinds[kind] = f"{sum(bool(attack.found) for attack in attacks)}/{len(attacks)}"
        recalls.append((name, kinds))
    print(f"\n| found of all intensities | {' | '.join(f'`{kind}`' for kind in UNRULY)} |\n|---|{'---:|' * len(UNRULY)}")
    for name, kinds in recalls:
        print(f"| {name} | {' | '.join(kinds.values())} |")


def main(arguments: Sequence[str] | None = None) -> None:
    """Tune, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.peers", description="Watchfloor next to simple peers.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2], help="worlds that are measured")
    parser.add_argument("--tune", type=int, nargs="+", default=[4], help="worlds that thresholds are chosen on")
    parser.add_argument("--days", type=float, default=21.0, help="length of each (default: %(default)g)")
    parser.add_argument("--users", type=int, default=200, help="people in each (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="attacks of each kind and intensity (default: %(default)s)")
    parser.add_argument("--no-trees", action="store_true", help="leave out HalfSpaceTrees, which take most of the time")
    options = parser.parse_args(arguments)
    if set(options.seeds) & set(options.tune):
        parser.error("--tune: must be other seeds than those that are measured")
    plan = Plan(days=options.days, users=options.users, repeats=options.repeats)
    tune_memory()
    per_day, thresholds = tune(plan, options.tune, print, trees=not options.no_trees)
    print(
        f"learned detectors without attacks: {daily(per_day)} alerts a day in a world of {plan.users:,} people and {plan.tenants} tenants"
    )
    rows, truths = [], []
    for seed in options.seeds:
        contenders = contenders_of(thresholds, trees=not options.no_trees)
        truths.append(stream(plan.world(seed, UNRULY), contenders, print))
        rows.append(contenders)
    show(list(zip(*rows, strict=True)), truths, plan)


if __name__ == "__main__":
    main(sys.argv[1:])
