"""What the learned detectors share: maturity, the budget, quarantine, and how an alert grows."""

from typing import Annotated, ClassVar, Generic, Literal, TypeVar

import msgspec
from pydantic import Field

from detectors.base import KeyState, PeerMemory, Verdict, split_key
from detectors.episode import MAX_EVIDENCE, Episode, EpisodeDetector, EpisodeState, Quiet
from detectors.learned.budget import DAY_S, STANDS_OUT, Budget, BudgetLimits
from detectors.settings import DetectorSettings, Strict
from schemas.finding import Fact, Finding, Phase
from schemas.severity import RANK, Severity

Stage = Literal["cold", "warming", "ready", "stale"]
"""How much is known of a key: too little to judge it, little, enough, or nothing that is still true."""

MAX_HELD = 48
"""Windows under an open alert that are kept in case it was none."""
MEDIUM_SCORE = 4.0
"""Least score for that: in a quiet tenant little is enough to stand out."""
STALE_DAYS = 30
"""Days without traffic after which what was usual may no longer be."""


class LearnedLimits(Strict):
    """What every learned detector can be told of each variant."""

    budget: Annotated[BudgetLimits, Field(description="How many alerts a day are accepted for each tenant.")] = BudgetLimits()
    min_days: Annotated[
        int, Field(ge=1, le=90, description="Days with traffic of a key from which on it is judged; until twice as many it is warming up.")
    ] = 5
    relearn_days: Annotated[
        float,
        Field(
            ge=1,
            le=90,
            description="Days after which what alerts were about is taken for usual and learned, unless somebody has called it an attack.",
        ),
    ] = 6
    quiet_s: Quiet = 21_600


class Found(msgspec.Struct):
    """What the open alert is about."""

    score: float
    threshold: float
    severity: Severity
    facts: dict[str, Fact]
    window: float
    """First event of the window that is counted now."""
    before: int
    """Events of the alert in the windows before it."""


class LearnedState(EpisodeState):
    """At most 48 windows that alerts were about are held back."""

    days: int = 0
    """Days with traffic that have ended."""
    day: int = -1
    """The last day with traffic, in days since 1970 (UTC)."""
    found: Found | None = None
    held: list[list[float]] | None = None
    """Windows that were not learned, because of an alert; as their detector learns them."""
    odd_since: float = -1.0
    """When the first of the latest alerts that came close upon one another was raised."""
    odd_ts: float = -1.0
    """When something was worth an alert last; -1: never."""
    accepted: bool = False
    """Whether that has been learned, so that more of it is learned as well."""


class LearnedPeers(KeyState):
    """What is remembered of a tenant; a detector adds what it compares with."""

    budget: Budget = msgspec.field(default_factory=Budget)


S = TypeVar("S", bound=LearnedState)
L = TypeVar("L", bound=LearnedLimits)


class Observation(msgspec.Struct, frozen=True):
    """A window of a key that may be worth an alert."""

    ts: float
    score: float
    """In spreads: how far beyond what is usual."""
    first_seen: float
    count: int
    """Events of the window."""
    facts: dict[str, Fact]
    evidence: list[str]
    begun: float | None = None
    """First event of the alert if this opens one, where that is before the window."""
    before: int = 0
    """Events between the two."""


class LearnedDetector(EpisodeDetector[S, L], Generic[S, L]):
    """Base of the learned detectors.

    A subclass adds events to the window of its key in ``on_event``, returns ``ASK`` when a window has ended or is worth a look, and in
    ``consider`` scores it, calls ``report``, and learns it unless ``quarantined``. ``learn_held`` learns a window that was held back;
    ``settle``, at the end of a window, has that done once nobody will call it an attack any more.
    """

    least_score: ClassVar[float] = 2.0
    """Below this nothing is worth an alert, however large the budget."""
    always_score: ClassVar[float] = 8.0
    """From this on something is worth an alert whatever the budget: many attacked accounts must not hide one another."""
    Peers: ClassVar[type[LearnedPeers]]
    peers_version: ClassVar[int] = 1

    def __init__(self, variant: str, settings: DetectorSettings) -> None:
        super().__init__(variant, settings)
        self.peers = PeerMemory(
            self,
            self.Peers,
            version=self.peers_version,
            idle_ttl_s=STALE_DAYS * DAY_S,
            max_keys=min(settings.max_keys, 10_000),
        )

    def memory_s(self, limits: L) -> float:
        """As long as what was usual holds."""
        del limits
        return STALE_DAYS * DAY_S

    def stage(self, state: S, now: float, key: str | None = None) -> Stage:
        """How much is known of a key."""
        if state.days and now > (state.day + STALE_DAYS) * DAY_S:
            return "stale"
        enough = (self.limits if key is None else self.limits_of(key)).min_days
        return "cold" if state.days < enough else "warming" if state.days < 2 * enough else "ready"

    def quarantined(self, state: S, since: float | None = None) -> bool:
        """Whether what happens now must not be learned. ``since``: or what happened from then on, though its alert may have ended meanwhile."""
        if state.accepted:
            return False
        return state.episode is not None or (since is not None and state.odd_ts >= since)

    def hold(self, state: S, window: list[float]) -> None:
        """Keep a window that must not be learned, in case its alert turns out to be none. Of more than fit, the first ones stay."""
        if state.held is None:
            state.held = []
        if len(state.held) < MAX_HELD:
            state.held.append(window)

    def learn_held(self, key: str, state: S, window: list[float]) -> None:
        """Learn a window that was held back."""
        raise NotImplementedError

    def report(self, key: str, state: S, budget: Budget, seen: Observation) -> Finding | None:
        """Score a window against the budget: open an alert, let the open one grow, or nothing."""
        limits = self.limits_of(key)
        per_day = limits.budget.alerts_per_day
        _, who = split_key(key)
        threshold = budget.threshold(seen.ts, per_day, self.least_score, self.always_score, who)
        highest = budget.highest(who, seen.ts, per_day)
        budget.note(who, seen.score, seen.ts, per_day)
        if seen.score <= threshold:
            return None
        stands_out = seen.score > max(MEDIUM_SCORE, STANDS_OUT * highest, STANDS_OUT * threshold) and state.days >= 2 * limits.min_days
        severity: Severity = "medium" if stands_out else "low"
        found = state.found
        if found is None or state.episode is None:
            self._mark(key, state, seen.ts)
            state.found = Found(seen.score, threshold, severity, seen.facts, seen.first_seen, seen.before)
            budget.spend(who, seen.ts, per_day)
            begun = seen.first_seen if seen.begun is None else seen.begun
            return self.begin(key, state, seen.ts, begun, seen.before + seen.count, seen.evidence)
        self.settle(key, state, seen.ts)
        state.odd_ts = max(state.odd_ts, seen.ts)
        return self._grow(key, state, found, seen, severity)

    def _mark(self, key: str, state: S, ts: float) -> None:
        """Another alert begins: one of those that came close upon one another, or the first of others."""
        long_s = self.limits_of(key).relearn_days * DAY_S
        if state.odd_ts < 0 or ts - state.odd_ts > long_s:
            self._accept(key, state)
            state.odd_since = ts
        state.odd_ts = ts
        state.accepted = ts - state.odd_since > long_s

    def settle(self, key: str, state: S, now: float) -> None:
        """What alerts were about is how it is now, once it is so old that nobody will call it an attack any more."""
        if state.held and now - state.odd_since > self.limits_of(key).relearn_days * DAY_S:
            self._accept(key, state)

    def _grow(self, key: str, state: S, found: Found, seen: Observation, severity: Severity) -> Finding | None:
        episode = state.episode
        assert episode is not None
        if seen.first_seen > found.window:
            found.window, found.before = seen.first_seen, episode.count
        episode.count = max(episode.count, found.before + seen.count)
        episode.last_seen = max(episode.last_seen, seen.ts)
        episode.evidence.extend(each for each in seen.evidence if each not in episode.evidence)
        del episode.evidence[MAX_EVIDENCE:]
        if RANK[severity] > RANK[found.severity]:
            found.severity = severity
        if seen.score > found.score:
            found.score, found.facts = seen.score, seen.facts
        if episode.count >= 2 * episode.reported or RANK[found.severity] > episode.rank:
            return self._say(key, state, episode, "update", seen.ts)
        return None

    def count_window(self, state: S, first_seen: float, count: int) -> None:
        """A window has ended with so many events: those since its last look belong to the open alert as well, if it is about that window."""
        episode, found = state.episode, state.found
        if episode is not None and found is not None and found.window == first_seen:
            episode.count = max(episode.count, found.before + count)

    def judge(self, key: str, state: S, peers: LearnedPeers, verdict: Verdict, now: float) -> None:
        """An attack teaches nothing and does not count against the budget; anything else is learned, and so is more of it."""
        if verdict == "true":
            _, who = split_key(key)
            peers.budget.forgive(who, peers.budget.last_alert(who, now) - DAY_S)
            state.held, state.accepted, state.odd_since = None, False, now
        else:
            self._accept(key, state)

    def _accept(self, key: str, state: S) -> None:
        for window in state.held or ():
            self.learn_held(key, state, window)
        state.held, state.accepted = None, True

    def severity(self, key: str, state: S) -> Severity:
        """Low; medium when it stands out from all there was in the tenant lately."""
        assert state.found is not None
        return state.found.severity

    def facts(self, key: str, state: S) -> dict[str, Fact]:
        """See ``EpisodeDetector``."""
        found = state.found
        assert found is not None
        return {
            **found.facts,
            "threshold": round(found.threshold, 2),
            "alerts_per_day": self.limits_of(key).budget.alerts_per_day,
            "maturity": self.stage(state, found.window, key),
            "days_learned": state.days,
        }

    def reset(self, state: S) -> None:
        """See ``EpisodeDetector``."""
        state.found = None

    def _say(self, key: str, state: S, episode: Episode, phase: Phase, ts: float) -> Finding:
        finding = super()._say(key, state, episode, phase, ts)
        assert state.found is not None
        return msgspec.structs.replace(finding, score=round(state.found.score, 2))
