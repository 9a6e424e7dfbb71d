"""Far more requests or data than this account ever needs (ATT&CK T1530, T1213, T1119)."""

from typing import Annotated, ClassVar, NamedTuple

from pydantic import Field

from detectors.base import ASK, Variant, by_actor, by_tenant, split_key
from detectors.episode import MAX_EVIDENCE
from detectors.learned.budget import DAY_S
from detectors.learned.learner import STALE_DAYS, LearnedDetector, LearnedLimits, Observation
from detectors.learned.level import UNREACHED, Usual, log
from detectors.learned.usage import (
    DAILY,
    DAYS,
    HOUR_S,
    HOURLY,
    RECORDS,
    SHIFT_S,
    UNITS,
    Profile,
    Usage,
    VolumePeers,
    drift,
    expected_of_day,
    expected_of_hour,
    factor_of,
    hour_of,
    learn_day,
    learn_hour,
    part_of,
    record_of_day,
    record_of_hour,
    rise,
    settle_rise,
    tell_peers,
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
BEYOND_RECORD = 1.4
"""Times the highest amount so far: what has been there before is not unusual."""
GROWTH = 1.25
"""Times the amount of the last look at which a window is looked at again."""
SLOW_SHARE = 0.75
"""Of the ratio that is asked for: how far a slow rise must have come."""
MOST_OF_ONE = 10**11
"""Bytes of one event that count: more is a mistake or a lie."""
MOST_BYTES = 10**18
"""Bytes of a day that count."""


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


class _Bar(NamedTuple):
    """What an amount must exceed to be worth an alert."""

    name: str
    floor: int
    ratio: float
    record: float
    expected: Usual
    shift: float
    """By how much all of the tenant has changed."""

    def score(self, amount: float) -> float:
        """In spreads beyond what is usual."""
        return self._changed().distance(log(amount, UNITS[self.name]))

    def amount(self, score: float) -> float:
        """The amount that is worth an alert at that score: beyond the floor, the ratio, the record and the distance."""
        if not self.floor:
            return UNREACHED
        unit, changed = UNITS[self.name], self._changed()
        return max(float(self.floor), self.ratio * changed.amount(unit), BEYOND_RECORD * self.record, changed.amount(unit, score))

    def _changed(self) -> Usual:
        return Usual(self.expected.mean + self.shift, self.expected.spread)


class ApiVolumeAnomaly(LearnedDetector[Usage, VolumeLimits]):
    """Counts by the hour and by the day, and compares with the account's own hours and days, and with those of its tenant.

    State per key: at most about 1 KB, and 256 endpoints and objects within a busy hour. Cost ≈ 0.1 µs an event, and 10 µs for each hour with
    traffic.
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

    def __init__(self, variant: str, settings: DetectorSettings) -> None:
        super().__init__(variant, settings)
        self.note_from = NOTE_FROM if variant == "by_actor" else UNREACHED

    def on_event(self, key: str, state: Usage, event: Event) -> Finding | None:
        """Count; nothing else, until an hour ends or holds enough to be worth a look."""
        ts, more = event.ts, event.bytes
        if not state.first_ts <= ts < state.end:
            if ts >= state.end:
                return ASK
            if ts < state.end - HOUR_S:
                self._late(state, event)
                return None
            state.first_ts = ts  # it comes late, but within the hour
        state.requests += 1
        if more > 0:
            state.bytes += more if more < MOST_OF_ONE else MOST_OF_ONE  # noqa: FURB136 - a call of min() costs more than all the rest
        if state.requests > self.note_from and self._note(state, event):
            return ASK
        return ASK if state.requests >= state.look_requests or state.bytes >= state.look_bytes else None

    def on_time(self, key: str, state: Usage, now: float) -> Finding | None:
        """See ``Detector``."""
        self.count_window(state, state.first_ts, state.requests)
        return super().on_time(key, state, now)

    def on_end(self, key: str, state: Usage, now: float) -> Finding | None:
        """See ``Detector``."""
        self.count_window(state, state.first_ts, state.requests)
        return super().on_end(key, state, now)

    def _late(self, state: Usage, event: Event) -> None:
        """Of an hour that has ended: it counts for the day, if that goes on; the next event looks whether that is too much."""
        if int(event.ts // DAY_S) == state.day:
            more = _bytes_of(event)
            state.day_ts = min(state.day_ts, event.ts)
            state.day_requests += 1
            state.day_bytes += more
            state.look_requests -= 1
            state.look_bytes -= more

    def _note(self, state: Usage, event: Event) -> bool:
        """Tell endpoints and objects apart; whether one of these counts is worth a look."""
        endpoints, objects, recent = state.endpoints, state.objects, state.recent
        if endpoints is None or objects is None or recent is None:
            endpoints, objects, recent = state.endpoints, state.objects, state.recent = {}, {}, []
        recent.append(event.id)
        if len(recent) > 2 * MAX_EVIDENCE:
            del recent[:MAX_EVIDENCE]
        endpoint, what = event.route or event.action, event.target or event.path
        if what in objects and endpoint in endpoints:
            return False
        if endpoint is not None and endpoint not in endpoints and len(endpoints) < MAX_DISTINCT:
            endpoints[endpoint] = 1
        if what is not None and what not in objects and len(objects) < MAX_DISTINCT:
            objects[what] = 1
        return len(objects) >= state.look_objects or len(endpoints) >= state.look_endpoints

    def consider(self, key: str, state: Usage, peers: VolumePeers, now: float, event: Event | None) -> Finding | None:
        """An hour has ended, or is worth a look."""
        del now
        assert event is not None
        finding = self._turn(key, state, peers, event) if event.ts >= state.end else None
        if state.requests >= state.look_requests or state.bytes >= state.look_bytes or state.objects is not None:
            finding = self._look(key, state, peers, event) or finding
        return finding

    # -- windows ------------------------------------------------------------------------------------------------------------------

    def _turn(self, key: str, state: Usage, peers: VolumePeers, event: Event) -> Finding | None:
        """Another hour begins with this event."""
        finding = None
        self.settle(key, state, event.ts)
        if state.day >= 0:
            self._end_hour(state, peers)
        day = int(event.ts // DAY_S)
        if day != state.day:
            if state.day >= 0:
                finding = self._end_day(key, state, peers, event)
            if day > state.day + STALE_DAYS:
                state.days = 0
            state.day, state.day_ts = day, event.ts
            state.day_requests = state.day_bytes = 0
        state.end = (event.ts // HOUR_S + 1) * HOUR_S
        state.first_ts = event.ts
        state.requests, state.bytes = 1, _bytes_of(event)
        state.endpoints = state.objects = state.recent = None
        limits = self.limits_of(key)
        if state.days < limits.min_days:
            state.look_requests = state.look_bytes = state.look_endpoints = state.look_objects = UNREACHED
            return finding
        peers.budget.begin(event.ts)
        # Below the floors there is nothing to look at: what is usual is only worked out for hours that reach them.
        state.look_requests = float(min(limits.hour_requests or UNREACHED, (limits.day_requests or UNREACHED) - state.day_requests))
        state.look_bytes = float(min(limits.hour_bytes or UNREACHED, (limits.day_bytes or UNREACHED) - state.day_bytes))
        state.look_endpoints = float(limits.hour_endpoints or UNREACHED)
        state.look_objects = float(limits.hour_objects or UNREACHED)
        return finding

    def _end_hour(self, state: Usage, peers: VolumePeers) -> None:
        """Learn the hour that has ended, unless it was worth an alert."""
        profile = state.profile
        if profile is None:
            profile = state.profile = Profile()
        self.count_window(state, state.first_ts, state.requests)
        if self.quarantined(state, state.first_ts):
            self.hold(state, hour_of(state))
        else:
            drift(state, profile, peers)
            learn_hour(profile, hour_of(state))
        state.day_requests += state.requests
        state.day_bytes = min(state.day_bytes + state.bytes, MOST_BYTES)

    def _end_day(self, key: str, state: Usage, peers: VolumePeers, event: Event) -> Finding | None:
        """Learn the day that has ended, unless something in it was; what has risen a little on each of many days is worth an alert too."""
        profile, amounts = state.profile, (float(state.day_requests), float(state.day_bytes))
        assert profile is not None
        if self.quarantined(state, state.day_ts):
            self.hold(state, [*amounts])
            return None
        limits = self.limits_of(key)
        usual = [Usual(profile.level(DAYS + 3 * index).mean, 1.0).amount(UNITS[name]) for index, name in enumerate(DAILY)]
        least = 1 + SLOW_SHARE * (limits.ratio - 1)
        tell_peers(profile, peers, amounts, event.ts, limits.min_days)
        rises = [rise(profile, peers, index, amounts[index], event.ts, limits.min_days, least) for index in range(len(DAILY))]
        records = [record_of_day(profile, index) for index in range(len(DAILY))]
        learn_day(profile, amounts)
        state.days += 1
        finding = None
        for index, (name, found) in enumerate(zip(DAILY, rises, strict=True)):
            floor = getattr(limits, f"day_{name}")
            # A day that is no record is no rise: as after a change for good, which has been learned.
            if found.score and floor and amounts[index] >= floor and amounts[index] > records[index]:
                measure = Measure("days", name, int(amounts[index]), usual[index], found.score, usual[index] * least)
                before, count = state.day_requests - state.requests, state.requests + 1
                seen = self._observation(state, [measure], 0.0, event, before, count)
                finding = self.report(key, state, peers.budget, seen) or finding
                if state.odd_ts >= event.ts:
                    settle_rise(profile, index)
        return finding

    def learn_held(self, key: str, state: Usage, window: list[float]) -> None:
        """See ``LearnedDetector``. What was there is no news from now on: it becomes a record at once."""
        del key
        profile = state.profile
        assert profile is not None
        if len(window) == len(DAILY):
            learn_day(profile, window)
        else:
            learn_hour(profile, window, RECORDS)

    # -- looking ------------------------------------------------------------------------------------------------------------------

    def _look(self, key: str, state: Usage, peers: VolumePeers, event: Event) -> Finding | None:
        """Compare with what is usual, and say when to look again."""
        limits, profile, part = self.limits_of(key), state.profile, part_of(state.end)
        if profile is None or state.days < limits.min_days:
            return None
        _, who = split_key(key)
        shift = peers.shift.at(event.ts, SHIFT_S)
        threshold = peers.budget.threshold(event.ts, limits.budget.alerts_per_day, self.least_score, self.always_score, who)
        measures: list[Measure] = []
        looks: list[float] = []
        hour = (state.requests, state.bytes, len(state.endpoints or ()), len(state.objects or ()))
        for index, (name, amount) in enumerate(zip(HOURLY, hour, strict=True)):
            expected, record = expected_of_hour(profile, peers, index, part), record_of_hour(profile, index, part)
            one = _Bar(name, getattr(limits, f"hour_{name}"), limits.ratio, record, expected, shift)
            looks.append(self._weigh("hour", one, amount, threshold, measures))
        for index, (name, before) in enumerate((("requests", state.day_requests), ("bytes", state.day_bytes))):
            expected = expected_of_day(profile, peers, index)
            one = _Bar(name, getattr(limits, f"day_{name}"), limits.ratio, record_of_day(profile, index), expected, shift)
            looks[index] = min(looks[index], self._weigh("day", one, before + hour[index], threshold, measures) - before)
        state.look_requests, state.look_bytes, state.look_endpoints, state.look_objects = looks
        if not measures:
            return None
        return self.report(key, state, peers.budget, self._observation(state, measures, shift, event, state.day_requests, state.requests))

    def _weigh(self, window: str, bar: "_Bar", amount: int, threshold: float, measures: list[Measure]) -> float:
        """Add what is worth an alert to the measures; from which amount on to look again."""
        worth = bar.amount(self.least_score)
        if amount >= worth:
            measures.append(
                Measure(window, bar.name, amount, bar.expected.amount(UNITS[bar.name]), bar.score(amount), bar.amount(threshold))
            )
            return max(worth, amount * GROWTH)
        return worth

    @staticmethod
    def _observation(state: Usage, measures: list[Measure], shift: float, event: Event, before: int, count: int) -> Observation:
        main = max(measures, key=lambda each: each.score)
        facts: dict[str, Fact] = {"window": main.window, "measure": main.name, "limit": round(main.limit)}
        for each in measures:
            name = f"{each.window}_{each.name}"
            facts |= {name: each.seen, f"{name}_usual": round(each.usual, 1), f"{name}_score": round(each.score, 2)}
        if shift:
            facts["tenant_change"] = round(factor_of(shift), 2)
        evidence = [*(state.recent or ())[-MAX_EVIDENCE + 1 :], event.id]
        if main.window == "hour":
            before = 0
        begun = state.day_ts if main.window != "hour" and before else None
        return Observation(event.ts, main.score, state.first_ts, count, facts, list(dict.fromkeys(evidence)), begun, before)

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


def _bytes_of(event: Event) -> int:
    return min(max(event.bytes, 0), MOST_OF_ONE)


def _amount(name: str, number: Fact) -> str:
    return f"{size(number)} of data" if name == "bytes" else times(round(float(number)), name.removesuffix("s"))
