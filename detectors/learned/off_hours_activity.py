"""An account that is active when its owner never is (ATT&CK T1078)."""

from math import ceil, log2
from typing import Annotated, ClassVar

from pydantic import Field

from detectors.base import ASK, Variant, by_actor
from detectors.episode import MAX_EVIDENCE
from detectors.learned.budget import DAY_S
from detectors.learned.habits import STIR_HOURS, Habits, HoursOfPeers
from detectors.learned.hours import (
    DAY_HOURS,
    HOUR_S,
    REST_DAYS,
    TRUST,
    chance,
    is_rest,
    likelihood,
    main_hours,
    shift_h,
    surprise,
    turn,
)
from detectors.learned.learner import LearnedDetector, LearnedLimits, Observation
from detectors.phrases import times
from detectors.settings import DetectorSettings
from schemas.event import Event
from schemas.finding import Fact, Finding

KINDS = frozenset({"auth.login", "auth.session", "api.request", "data.export", "data.query", "admin.action"})
RENEWALS = frozenset({"token.refresh", "token.grant", "silent_login"})
"""Actions of a session that a device does by itself while its owner sleeps."""
HEAVY = {"data.export": 3, "admin.action": 3}
"""Kinds of which few are enough: each counts as so many events."""
NO_PLACE = frozenset({"vpn", "hosting", "relay"})
"""Networks whose position says nothing of the person's."""

ODD = 2.4
"""Spreads from which on an hour is odd: below, nothing that happens in it can be worth an alert."""
USUAL = 8
"""An hour with activity on one day in so many is usual."""
MORE, MOST_MORE = 0.3, 1.2
"""What each doubling of the events beyond the floor adds to a score, and all of them at most."""
LASTING = (0.0, 0.8, 0.5, 0.3, 0.15, 0.08, 0.04)
"""By hours since the last usual one, with activity in all of them: how much going on with what one does speaks for it, in days × ``LASTS``."""
LASTS = 2.0
SPELL_GAP = 2
"""Hours without activity after which what is odd is something else."""
GROWTH = 1.25
"""Times the events of the last look at which an odd spell is looked at again."""
BUSY_SHARE = 0.25
"""Share of the busiest hour of a usual day that is as much as ``min_events``, of somebody who does little."""
BUSY_UP, BUSY_DOWN = 0.5, 0.1
"""How far that moves with a day that is busier, or less busy: a few quiet days must not make everything much."""
PLACE_STEP = 0.05
"""How far the usual longitude moves with each day: half of the way in a fortnight."""
TRIP_S = DAY_S / 2
"""How long after an event from afar one that seems to come from home may still be the traveller's."""
STIR_SHARE, STIR_LEAST = 0.1, 3.0
"""Share of a tenant's accounts, and how many at least, whose being up makes it the tenant's doing."""

WEEKDAYS = ("Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday")


class OffHoursLimits(LearnedLimits):
    """When activity at unusual hours is worth an alert."""

    min_events: Annotated[
        int,
        Field(
            ge=1,
            le=100_000,
            description="Events at unusual hours below which nothing is said. An export or an act of administration counts as 3; a token that is renewed counts as none; an account whose busiest hours have fewer than 4 times as many needs a quarter of those.",
        ),
    ] = 5


class OffHoursSettings(DetectorSettings):
    """`off_hours_activity`: the threshold follows from the budget."""

    by_actor: Annotated[OffHoursLimits, Field(description="Each account.")] = OffHoursLimits()
    variant_fields: ClassVar[tuple[str, ...]] = ("by_actor",)


class OffHoursActivity(LearnedDetector[Habits, OffHoursLimits]):
    """Compares each hour with activity with the hours on the account's other days, and with those of peers whose days are alike.

    State per key: at most about 1.5 KB. Cost ≈ 0.1 µs an event, 3 µs for each hour with traffic, 1 µs an event at odd hours.
    """

    name = "off_hours_activity"
    title = "Activity at unusual hours"
    sees = "An account that is active, and not just in passing, at hours at which it and accounts like it never are."
    kinds = KINDS
    techniques = ("T1078",)
    false_positives = (
        "Working late or early: hours next to the usual ones are hardly unusual, and going on without a break is even less so.",
        "A journey: where events have a position, an hour that is usual by the clock of the place is no alert.",
        "A release night, an incident: when many accounts of the tenant are up, none of them is singled out.",
        "A new shift or a rota: two nights are told, from the third on it is usual; give the verdict `expected` to learn it at once.",
        "Phones that renew tokens at night: such events count as none, and `min_events` is the least that counts.",
        "A new account: nothing is said for its first `min_days` days with traffic.",
    )
    variants: ClassVar[dict[str, Variant]] = {
        "by_actor": Variant("actor", by_actor, ignores=frozenset({("auth.login", "failure"), ("auth.login", "challenge")}))
    }
    Settings = OffHoursSettings
    State = Habits
    Peers = HoursOfPeers
    least_score = 3.0

    def on_event(self, key: str, state: Habits, event: Event) -> Finding | None:
        """Count; nothing else within a usual hour."""
        if state.start <= event.ts < state.calm_until:
            state.count += 1
            return None
        return ASK

    def consider(self, key: str, state: Habits, peers: HoursOfPeers, now: float, event: Event | None) -> Finding | None:
        """An hour has begun, or is odd."""
        if event is None or event.ts < state.start:
            return None  # so late that it says nothing of the hour that is counted
        if event.ts >= state.end:
            self._begin_hour(key, state, peers, event)
        if not state.score or event.action in RENEWALS or self._away(state, peers, event):
            return None
        return self._add(key, state, peers, event)

    # -- hours --------------------------------------------------------------------------------------------------------------------

    def _begin_hour(self, key: str, state: Habits, peers: HoursOfPeers, event: Event) -> None:
        ts = event.ts
        hour = int(ts // HOUR_S)
        if state.count:
            self._end_hour(key, state)
        day, of_day = divmod(hour, DAY_HOURS)
        if day != state.day:
            self._begin_day(key, state, peers, event, day)
        last = state.last_hour
        state.lasting = hour == last + 1 and (state.lasting or state.usual_hour == last)
        state.last_hour = hour
        state.start = start = hour * HOUR_S
        state.end = end = start + HOUR_S
        state.shift = 0
        same = state.rest if day % 7 in REST_DAYS else state.work
        if same.days < 2 or USUAL * same.counts[of_day] < same.days:  # else it is usual without more ado
            if hour > last + SPELL_GAP:
                state.forget_spell()
            state.score = self._judge(key, state, peers, hour)
            if state.score:
                state.shift = self._away(state, peers, event)
                if not state.shift:
                    state.calm_until, state.count = 0.0, 0
                    return
        else:
            state.usual_hour = hour
        state.score = 0.0
        state.calm_until, state.count = end, 1
        if state.spell_ts:
            state.forget_spell()

    def _begin_day(self, key: str, state: Habits, peers: HoursOfPeers, event: Event, day: int) -> None:
        if state.mask:
            self._end_day(state, peers)
        state.day = day
        peers.meet(day)
        if state.days >= self.limits_of(key).min_days:
            peers.budget.begin(event.ts)
        if event.lon is not None and event.network not in NO_PLACE:
            before = state.place
            state.place = event.lon if before is None else before + PLACE_STEP * turn(before, event.lon)

    def _judge(self, key: str, state: Habits, peers: HoursOfPeers, hour: int) -> float:
        """How odd an hour is in the account's own life: its surprise, or 0."""
        if state.days < self.limits_of(key).min_days:
            return 0.0
        of_day, nights = hour % DAY_HOURS, state.nights_near(hour)
        odd = self._surprise(state, peers, of_day, nights)
        if odd < ODD:
            state.usual_hour = hour
            return 0.0
        since = hour - state.usual_hour
        if state.lasting and since < len(LASTING):
            odd = self._surprise(state, peers, of_day, nights + LASTS * LASTING[since])
        return odd if odd >= ODD else 0.0

    def _surprise(self, state: Habits, peers: HoursOfPeers, of_day: int, more: float) -> float:
        rest = is_rest(state.day)
        same, other = (state.rest, state.work) if rest else (state.work, state.rest)
        prior = peers.share(state.band, of_day)
        return surprise(chance(same, other, rest=rest, hour=of_day, more=more, prior=prior))

    def _away(self, state: Habits, peers: HoursOfPeers, event: Event) -> int:
        """By how many hours a traveller's clock differs from the usual one, if by it the hour is a usual one; else 0."""
        here = 0
        if state.place is not None and event.lon is not None and event.network not in NO_PLACE:
            here = shift_h(state.place, event.lon)
        for shift in (here, state.trip if event.ts - state.trip_ts < TRIP_S else 0):
            if shift and self._surprise(state, peers, (int(state.start // HOUR_S) + shift) % DAY_HOURS, 0.0) < ODD:
                if shift == here:
                    state.trip, state.trip_ts = shift, event.ts
                return shift
        return 0

    def _end_hour(self, key: str, state: Habits) -> None:
        """Learn the hour that has ended, unless it is odd and under an alert."""
        count = state.count
        if count < self.limits_of(key).min_events and count < self._floor(key, state):
            return  # in passing
        hour = int(state.start // HOUR_S)
        of_day = (hour + state.shift) % DAY_HOURS
        if state.score and self.quarantined(state):
            self.hold(state, [float(of_day), float(is_rest(state.day))])
            state.note_night(hour)
            return
        state.mask |= 1 << of_day
        state.top = max(state.top, count)

    def _floor(self, key: str, state: Habits) -> int:
        """Events that are more than something in passing."""
        return max(1, min(self.limits_of(key).min_events, round(BUSY_SHARE * (state.busy or state.top))))

    def _end_day(self, state: Habits, peers: HoursOfPeers) -> None:
        """Learn the day that has ended."""
        mask = state.mask
        (state.rest if is_rest(state.day) else state.work).learn(mask)
        step = 1.0 if not state.busy else BUSY_UP if state.top > state.busy else BUSY_DOWN
        state.busy += step * (state.top - state.busy)
        state.days += 1
        state.mask = state.top = 0
        state.set_band()
        peers.learn(state.band, mask)

    def learn_held(self, key: str, state: Habits, window: list[float]) -> None:
        """See ``LearnedDetector``."""
        del key
        (state.rest if window[1] else state.work).add(int(window[0]))

    # -- looking ------------------------------------------------------------------------------------------------------------------

    def _add(self, key: str, state: Habits, peers: HoursOfPeers, event: Event) -> Finding | None:
        """One more event at an odd hour."""
        floor = self._floor(key, state)
        if not state.spell_ts:
            state.spell_ts, state.weight, state.events, state.look, state.stirred = event.ts, 0, 0, floor, False
            state.recent = []
        state.count += 1
        state.events += 1
        state.weight += HEAVY.get(event.kind, 1)
        recent = state.recent
        if recent is not None and len(recent) < MAX_EVIDENCE:
            recent.append(event.id)
        if state.weight < state.look:
            return None
        state.look = ceil(max(state.weight, floor) * GROWTH)
        own = 0.0
        if state.stirred:
            own = 0.5 ** ((event.ts - state.spell_ts) / (STIR_HOURS * HOUR_S))
        others = peers.stir(event.ts) - own
        if not state.stirred:
            state.stirred = True
            peers.odd, peers.odd_ts = others + 1.0, max(peers.odd_ts, event.ts)
        accounts = max(peers.accounts, peers.today, 1.0)
        if others >= STIR_LEAST and others / accounts >= STIR_SHARE:
            return None
        score = state.score + min(MOST_MORE, MORE * log2(max(1.0, state.weight / floor)))
        seen = Observation(event.ts, score, state.spell_ts, state.events, self._say_hours(state, peers, floor), list(recent or ()))
        return self.report(key, state, peers.budget, seen)

    def _say_hours(self, state: Habits, peers: HoursOfPeers, floor: int) -> dict[str, Fact]:
        hour = int(state.start // HOUR_S)
        of_day = hour % DAY_HOURS
        counts = state.all_hours()
        first, after = main_hours(counts)
        known = state.work.days + state.rest.days
        return {
            "events": state.events,
            "min_events": floor,
            "since": int(state.spell_ts // HOUR_S) % DAY_HOURS,
            "hour": of_day,
            "weekday": WEEKDAYS[hour // DAY_HOURS % 7],
            "days_known": known,
            "days_near": min(known, sum(counts[(of_day + away) % DAY_HOURS] for away in (-1, 0, 1))),
            "usual_from": first,
            "usual_until": after,
            "peers_share": round(peers.share(state.band, of_day), 4),
            "hour_score": round(state.score, 2),
        }

    # -- words --------------------------------------------------------------------------------------------------------------------

    def explain(self, finding: Finding) -> str:
        """See ``Detector``."""
        f = finding.facts
        return (
            f"{times(f['events'], 'event')} between {_clock(f['since'])} and {_clock(int(f['hour']) + 1)} UTC on a {f['weekday']}. On"
            f" {times(f['days_known'], 'day')} learned ({f['maturity']}) the account was active within an hour of that on {f['days_near']},"
            f" usually from {_clock(f['usual_from'])} to {_clock(f['usual_until'])} UTC; its peers are on {100 * float(f['peers_share']):.1f} %"
            " of theirs."
        )

    def counterfactual(self, finding: Finding) -> str:
        """See ``Detector``."""
        f = finding.facts
        threshold, hour = float(f["threshold"]), float(f["hour_score"])
        events = ceil(float(f["min_events"]) * 2.0 ** (max(0.0, threshold - hour) / MORE))
        enough = max(ODD, threshold - (finding.score - hour))
        days = max(1, ceil(likelihood(enough) * (float(f["days_known"]) + TRUST)))
        return (
            f"silent with fewer than {times(events, 'event')}, or had the account been active around {_clock(f['hour'])} UTC"
            f" on {times(days, 'day')} before"
        )


def _clock(hour: Fact) -> str:
    return f"{int(hour):02}:00"
