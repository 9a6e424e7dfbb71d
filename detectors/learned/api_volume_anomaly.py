"""Far more requests or data than this account ever needs (ATT&CK T1530, T1213, T1119)."""

from typing import Annotated, ClassVar, NamedTuple

from pydantic import Field

from detectors.base import ASK, NEVER, Variant, by_actor, by_tenant
from detectors.episode import MAX_EVIDENCE
from detectors.learned.budget import DAY_S
from detectors.learned.learner import LearnedDetector, LearnedLimits, Observation
from detectors.learned.level import Usual, log
from detectors.learned.usage import (
    DAILY,
    FLOOR,
    HOUR_S,
    HOURLY,
    UNITS,
    Usage,
    VolumePeers,
    drift,
    expected_of_day,
    expected_of_hour,
    factor_of,
    hour_of,
    learn_day,
    learn_hour,
    record_of_hour,
    shift_of,
)
from detectors.phrases import size, times
from detectors.settings import DetectorSettings
from schemas.event import Event
from schemas.finding import Fact, Finding

KINDS = frozenset({"api.request", "data.export", "data.query"})
MAX_DISTINCT = 256
"""Endpoints and objects told apart within an hour."""
NOTE_FROM = 24
"""Events of an hour from which on endpoints and objects are told apart: most hours of most accounts end before."""
BEYOND_RECORD = 1.5
"""Times the highest amount so far: what has been there before is not unusual."""
GROWTH = 1.25
"""Times the amount of the last look at which a window is looked at again."""
CREEP_LIMIT = 6.0
"""Sum of daily distances from which on a slow rise is worth an alert, see ``usage.CREEP_SLACK``."""
MOST_OF_ONE = 10**12
"""Bytes of one event that count: more is a mistake or a lie."""


class VolumeLimits(LearnedLimits):
    """Amounts below which nothing is worth an alert, whatever is usual; 0 switches a measure off."""

    hour_requests: Annotated[int, Field(ge=0, le=10**9, description="Requests within an hour.")] = 60
    hour_bytes: Annotated[int, Field(ge=0, le=10**18, description="Bytes within an hour.")] = 5_000_000
    hour_endpoints: Annotated[int, Field(ge=0, le=MAX_DISTINCT, description="Distinct endpoints within an hour.")] = 15
    hour_objects: Annotated[int, Field(ge=0, le=MAX_DISTINCT, description="Distinct objects within an hour.")] = 40
    day_requests: Annotated[int, Field(ge=0, le=10**9, description="Requests within a day (UTC).")] = 200
    day_bytes: Annotated[int, Field(ge=0, le=10**18, description="Bytes within a day (UTC).")] = 5_000_000
    ratio: Annotated[float, Field(ge=1, le=1_000, description="Times what is usual below which nothing is worth an alert.")] = 2.0


class VolumeSettings(DetectorSettings):
    """`api_volume_anomaly`: thresholds follow from the budget; the limits are floors."""

    by_actor: Annotated[VolumeLimits, Field(description="Each account.")] = VolumeLimits()
    by_tenant: Annotated[VolumeLimits, Field(description="All accounts of a tenant together.")] = VolumeLimits(
        hour_requests=2_000, hour_bytes=10**9, hour_endpoints=0, hour_objects=0, day_requests=10_000, day_bytes=10**10
    )
    variant_fields: ClassVar[tuple[str, ...]] = ("by_actor", "by_tenant")


class Measure(NamedTuple):
    """One amount next to what is usual."""

    window: str
    name: str
    seen: int
    usual: float
    score: float
    limit: float
    """Amount below which it would not have been worth an alert."""


class ApiVolumeAnomaly(LearnedDetector[Usage, VolumeLimits]):
    """Counts by the hour and by the day, and compares with the account's own hours and days, and with those of its tenant.

    State per key: at most about 2 KB, and 256 endpoints and objects within a busy hour. Cost ≈ 0.1 µs an event, and 4 µs for each hour with traffic.
    """

    name = "api_volume_anomaly"
    title = "Unusual volume of requests or data"
    sees = "Far more requests, data, endpoints or objects within an hour or a day than this account, and its tenant, ever needs."
    kinds = KINDS
    techniques = ("T1530", "T1213", "T1119")
    false_positives = (
        "A new task, a migration, a month's end: what has been there before is not unusual again; give the verdict `expected` with an end date.",
        "A release that makes everybody send more: the change of the whole tenant is taken off before anybody is judged.",
        "A job that runs once a week: from its second run on it is known; until then, allow-list its account for this detector.",
        "A new account: nothing is said for its first `min_days` days with traffic.",
        "More alerts than somebody can read: lower `budget.alerts_per_day`; the threshold follows.",
    )
    variants: ClassVar[dict[str, Variant]] = {"by_actor": Variant("actor", by_actor), "by_tenant": Variant("tenant", by_tenant)}
    Settings = VolumeSettings
    State = Usage
    Peers = VolumePeers

    def on_event(self, key: str, state: Usage, event: Event) -> Finding | None:
        """Count; nothing else, until an hour ends or holds enough to be worth a look."""
        if event.ts >= state.end:
            return ASK
        state.requests += 1
        if event.bytes > 0:
            state.bytes += min(event.bytes, MOST_OF_ONE)
        if state.requests > NOTE_FROM and self.variant == "by_actor" and self._note(state, event):
            return ASK
        return ASK if state.requests >= state.look_requests or state.bytes >= state.look_bytes else None

    def _note(self, state: Usage, event: Event) -> bool:
        """Tell endpoints and objects apart; whether one of these counts is worth a look."""
        endpoints, objects, recent = state.endpoints, state.objects, state.recent
        if endpoints is None or objects is None or recent is None:
            endpoints, objects, recent = state.endpoints, state.objects, state.recent = {}, {}, []
        recent.append(event.id)
        if len(recent) > 2 * MAX_EVIDENCE:
            del recent[:MAX_EVIDENCE]
        endpoint, what = event.route or event.action, event.target or event.path
        if endpoint is not None and endpoint not in endpoints and len(endpoints) < MAX_DISTINCT:
            endpoints[endpoint] = 1
        if what is not None and what not in objects and len(objects) < MAX_DISTINCT:
            objects[what] = 1
        return len(objects) >= state.look_objects or len(endpoints) >= state.look_endpoints

    def consider(self, key: str, state: Usage, peers: VolumePeers, now: float, event: Event | None) -> Finding | None:
        """An hour has ended, or is worth a look."""
        assert event is not None
        finding = None
        if event.ts >= state.end:
            finding = self._turn(key, state, peers, event)
        if state.requests >= state.look_requests or state.bytes >= state.look_bytes or state.objects is not None:
            finding = self._look(key, state, peers, event) or finding
        return finding

    # -- looking ------------------------------------------------------------------------------------------------------------------

    def _turn(self, key: str, state: Usage, peers: VolumePeers, event: Event) -> Finding | None:
        """Another hour begins with this event."""
        finding = None
        if state.end:
            drift(state, peers)
            if self.quarantined(state):
                self.hold(state, hour_of(state))
            else:
                learn_hour(state, hour_of(state))
                state.day_requests += state.requests
                state.day_bytes += state.bytes
        day = int(event.ts // DAY_S)
        if day != state.day:
            finding = self._end_day(key, state, peers, event) if state.day >= 0 else None
            state.day = day
        state.end = (event.ts // HOUR_S + 1) * HOUR_S
        state.first_ts = event.ts
        state.requests, state.bytes = 1, min(max(event.bytes, 0), MOST_OF_ONE)
        state.endpoints = state.objects = state.recent = None
        limits = self.limits_of(key)
        if known := state.days >= limits.min_days:
            peers.budget.begin(event.ts)
        # Below the floors there is nothing to look at: what is usual is only worked out for hours that reach them.
        state.look_requests = (
            float(min(limits.hour_requests or NEVER, (limits.day_requests or NEVER) - state.day_requests)) if known else NEVER
        )
        state.look_bytes = float(min(limits.hour_bytes or NEVER, (limits.day_bytes or NEVER) - state.day_bytes)) if known else NEVER
        state.look_endpoints = limits.hour_endpoints or NEVER if known else NEVER
        state.look_objects = limits.hour_objects or NEVER if known else NEVER
        return finding

    def _look(self, key: str, state: Usage, peers: VolumePeers, event: Event) -> Finding | None:
        """Compare with what is usual, and say when to look again."""
        shift = shift_of(peers, event.ts)
        per_day = self.limits_of(key).budget.alerts_per_day
        threshold = peers.budget.threshold(event.ts, per_day, self.least_score, self.always_score)
        hour = (state.requests, state.bytes, len(state.endpoints or ()), len(state.objects or ()))
        day = (state.day_requests + state.requests, state.day_bytes + state.bytes)
        measures: list[Measure] = []
        looks: list[list[float]] = []
        for window, names, amounts in (("hour", HOURLY, hour), ("day", DAILY, day)):
            looks.append([])
            for index, (name, amount) in enumerate(zip(names, amounts, strict=True)):
                expected = expected_of_hour(state, peers, index) if window == "hour" else expected_of_day(state, peers, index)
                changed = Usual(expected.mean + shift, expected.spread)
                worth = self._worth(key, state, window, index, changed, self.least_score)
                looks[-1].append(max(worth, amount * GROWTH))
                if amount >= worth:
                    limit = self._worth(key, state, window, index, changed, threshold)
                    score = changed.distance(log(amount, UNITS[name]))
                    measures.append(Measure(window, name, amount, expected.amount(UNITS[name]), score, limit))
        of_hour, of_day = looks
        state.look_requests = min(of_hour[0], of_day[0] - state.day_requests)
        state.look_bytes = min(of_hour[1], of_day[1] - state.day_bytes)
        state.look_endpoints, state.look_objects = of_hour[2], of_hour[3]
        if not measures:
            return None
        evidence = [*(state.recent or ())[-MAX_EVIDENCE + 1 :], event.id]
        return self.report(key, state, peers.budget, self._observation(state, measures, shift, event, list(dict.fromkeys(evidence))))

    def _worth(self, key: str, state: Usage, window: str, index: int, expected: Usual, score: float) -> float:
        """The amount that is worth an alert at a score: beyond the floor, the ratio, the record and the distance."""
        limits = self.limits_of(key)
        name = (HOURLY if window == "hour" else DAILY)[index]
        floor = getattr(limits, f"{window}_{name}")
        if not floor:
            return NEVER
        record = record_of_hour(state, index) if window == "hour" else state.day_records[index]
        unit = UNITS[name]
        return float(max(floor, limits.ratio * expected.amount(unit), BEYOND_RECORD * record, expected.amount(unit, score)))

    def _observation(self, state: Usage, measures: list[Measure], shift: float, event: Event, evidence: list[str]) -> Observation:
        main = max(measures, key=lambda each: each.score)
        facts: dict[str, Fact] = {"window": main.window, "measure": main.name, "limit": round(main.limit)}
        for each in measures:
            name = f"{each.window}_{each.name}"
            facts |= {name: each.seen, f"{name}_usual": round(each.usual, 1), f"{name}_score": round(each.score, 2)}
        if shift:
            facts["tenant_change"] = round(factor_of(shift), 2)
        count = state.requests + (state.day_requests if main.window == "day" else 0)
        return Observation(event.ts, main.score, state.first_ts, count, facts, evidence)

    # -- learning -----------------------------------------------------------------------------------------------------------------

    def _end_day(self, key: str, state: Usage, peers: VolumePeers, event: Event) -> Finding | None:
        """Learn the day that has ended; what has risen a little on each of many days is worth an alert too."""
        if self.quarantined(state):
            state.day_requests = state.day_bytes = 0
            return None
        amounts = (state.day_requests, state.day_bytes)
        before = [level.mean for level in state.day_levels]
        learn_day(state, peers, self.limits_of(key).min_days)
        for index, name in enumerate(DAILY):
            floor = getattr(self.limits_of(key), f"day_{name}")
            if state.creep[index] <= CREEP_LIMIT or not floor or amounts[index] < floor:
                continue
            usual = Usual(before[index], FLOOR).amount(UNITS[name])
            measure = Measure("days", name, amounts[index], usual, state.creep[index] / 2, usual)
            state.creep[index] = 0.0
            return self.report(key, state, peers.budget, self._observation(state, [measure], 0.0, event, [event.id]))
        return None

    def learn_held(self, key: str, state: Usage, window: list[float]) -> None:
        """See ``LearnedDetector``."""
        del key
        learn_hour(state, window)

    # -- words --------------------------------------------------------------------------------------------------------------------

    def explain(self, finding: Finding) -> str:
        """See ``Detector``."""
        f = finding.facts
        parts = [
            f"{_amount(name, f[f'{window}_{name}'])} within {span}, where {_amount(name, f[f'{window}_{name}_usual'])} are usual"
            for window, span in SPANS.items()
            for name in HOURLY
            if f"{window}_{name}" in f
        ]
        whom = "All accounts of the tenant together made" if finding.entity_type == "tenant" else "The account made"
        slow = " It has risen slowly, over many days." if f["window"] == "days" else ""
        change = (
            f" The whole tenant does {f['tenant_change']} times as much as usual at present; that is taken off."
            if "tenant_change" in f
            else ""
        )
        return f"{whom} {'; '.join(parts)}.{slow}{change} Learned from {times(f['days_learned'], 'day')} with traffic ({f['maturity']})."

    def counterfactual(self, finding: Finding) -> str:
        """See ``Detector``."""
        f = finding.facts
        if f["window"] == "days":
            return f"silent if days had stayed near {_amount(str(f['measure']), f['limit'])}"
        return (
            f"silent below {_amount(str(f['measure']), f['limit'])} within {SPANS[str(f['window'])]}, or if as much had been there before"
        )


SPANS = {"hour": "an hour", "day": "a day", "days": "the last day"}


def _amount(name: str, number: Fact) -> str:
    return f"{size(number)} of data" if name == "bytes" else times(round(float(number)), name.removesuffix("s"))
