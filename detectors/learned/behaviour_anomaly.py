"""An account that does other things than it ever did, and than its colleagues do (ATT&CK T1078, T1087, T1213)."""

from math import sqrt
from typing import Annotated, ClassVar

import msgspec
from pydantic import Field

from detectors.base import ASK, NEVER, Variant, by_actor
from detectors.episode import MAX_EVIDENCE
from detectors.learned.budget import DAY_S
from detectors.learned.conduct import MOST_ACTS, OTHER, TRUST, Common, act_of, learn_known, marks_of, name_of, shown
from detectors.learned.learner import LearnedDetector, LearnedLimits, LearnedPeers, LearnedState, Observation
from detectors.learned.level import Level
from detectors.learned.mix import FEATURES, FLOORS, NEW_SHARE, NOVELTY, SORTS, Mix, amount_of, measure
from detectors.learned.shift import Change
from detectors.learned.spreads import Spreads, distances, nothing
from detectors.learned.trees import Trees
from detectors.phrases import times
from detectors.settings import DetectorSettings
from schemas.event import KINDS, Event
from schemas.finding import Fact, Finding

WINDOW_S = 3600.0
SHOWN = frozenset({1, 4, 16})
"""Which windows of a day tell of an account to its peers: nobody busy is most of the tenant."""
CLIP = 3.0
MEMORY = 80.0
"""Windows in which what was usual fades."""
PEER_MEMORY = 2_000.0
SHIFT_S = 7_200.0
"""Time in which the change of a whole tenant fades by half."""
ORDINARY, MOST_OF_ONE, WEIGHT = 1.0, 4.0, 0.5
"""Of each measure but novelty: spreads that count nothing, spreads that count at most, and how much the square of the rest counts."""
LOOK_FROM, LOOK_AGAIN = 8, 1.5
"""New kinds of action in a window that does not have to end before it is looked at, and times as many from which on it is again."""
NOT_YET = 10**9
ENOUGH_PEERS = 20
"""Accounts a tenant must have before isolation among them means anything; also, a model of a tenant needs some memory."""
ENOUGH_SCORES = 50.0
HELD_ACTS = 16
"""New kinds of action of a window that is held back."""
NAMED = 4
ISOLATED = 2.0
"""Spreads from which on the comparison with colleagues is worth a sentence."""
CRC = 16
"""Base in which a kind of action is named."""


class BehaviourLimits(LearnedLimits):
    """What has to come together."""

    min_days: Annotated[
        int,
        Field(ge=1, le=90, description="Days with traffic of an account from which on it is judged; until twice as many it is warming up."),
    ] = 3
    signs: Annotated[
        int,
        Field(
            ge=1,
            le=MOST_ACTS,
            description="Signs that must come together within an hour: kinds of action new to the account, and amounts far beyond its usual ones.",
        ),
    ] = 3
    min_actions: Annotated[
        int, Field(ge=1, le=1_000, description="Actions of new kinds, or of sorts there are unusually many of, within the hour.")
    ] = 4


class BehaviourSettings(DetectorSettings):
    """`behaviour_anomaly`: the threshold follows from the budget; the limits are floors."""

    by_actor: Annotated[BehaviourLimits, Field(description="Each account.")] = BehaviourLimits()
    variant_fields: ClassVar[tuple[str, ...]] = ("by_actor",)


class Conduct(LearnedState):
    """At most 64 kinds of action of the current hour, 64 known ones and 20 event ids: 1.5 KB usually, 10 KB at most."""

    end: float = 0.0
    """Of the current window; 0: none is open."""
    first_ts: float = 0.0
    first_id: str = ""
    acts: dict[str, int] = msgspec.field(default_factory=dict)
    """Name of a kind of action → how often within the window."""
    odd: int = 0
    """How many of them are new to the account."""
    look: int = NOT_YET
    """How many make the next look due."""
    watched: bool = False
    """Whether the window will be scored when it ends."""
    recent: list[str] | None = None
    today: int = 0
    """Windows of this day that have ended."""
    windows: int = 0
    known: dict[str, int] = msgspec.field(default_factory=dict)
    """Kind of action → in how many windows."""
    usual: Spreads = msgspec.field(default_factory=lambda: nothing(len(FEATURES)))


class ConductPeers(LearnedPeers):
    """What the accounts of a tenant do: 576 kinds of action at most, a model of 1.3 KB, and the budget: 20 KB saved at most."""

    accounts: int = 0
    """Accounts that have come to be judged."""
    common: Common = msgspec.field(default_factory=Common)
    usual: Spreads = msgspec.field(default_factory=lambda: nothing(len(FEATURES)))
    isolation: Level = msgspec.field(default_factory=Level)
    """Of the model's scores."""
    trees: Trees = msgspec.field(default_factory=Trees)
    shift: Change = msgspec.field(default_factory=Change)


class BehaviourAnomaly(LearnedDetector[Conduct, BehaviourLimits]):
    """Compares each hour's mix of actions with the account's own hours, and how isolated it is with those of its tenant.

    State per key: about 2 KB; a tenant 45 KB, and 150 KB of river's model from 20 accounts on. Cost ≈ 0.2 µs an event, 0.5 µs for the first of each
    kind within an hour, 8 µs for each hour with traffic, and 10 more for two of them a day, which are shown to the tenant's model.
    """

    name = "behaviour_anomaly"
    title = "Unusual behaviour of an account"
    sees = (
        "Within an hour several kinds of action that this account never took and its colleagues hardly take, however few and harmless each."
    )
    kinds = KINDS - {"auth.mfa_challenge", "auth.password_reset"}
    techniques = ("T1078", "T1087", "T1213")
    false_positives = (
        "A new task or another role: known `relearn_days` after its alert, or at once by the verdict `expected`.",
        "A release with other endpoints: what several colleagues do within hours is not new to anybody.",
        "A new account: nothing is said for its first `min_days` days with traffic.",
        "A new phone: its removed and added factors are too few signs; see `signs`.",
        "More alerts than somebody can read: lower `budget.alerts_per_day`; the threshold follows.",
    )
    variants: ClassVar[dict[str, Variant]] = {
        "by_actor": Variant("actor", by_actor, ignores=frozenset({("auth.login", "failure"), ("auth.login", "challenge")}))
    }
    Settings = BehaviourSettings
    State = Conduct
    Peers = ConductPeers

    # -- counting -----------------------------------------------------------------------------------------------------------------

    def on_event(self, key: str, state: Conduct, event: Event) -> Finding | None:
        """Count; nothing else, unless it is the first of its kind within the window."""
        if event.ts >= state.end:
            return ASK
        name = event.route
        if name is None or event.method != "GET" or event.outcome != "success" or event.kind != "api.request":
            name = name_of(event)
        acts = state.acts
        if name in acts:
            acts[name] += 1
            return None
        return self._first(state, event, name)

    def _first(self, state: Conduct, event: Event, name: str) -> Finding | None:
        acts = state.acts
        if len(acts) >= MOST_ACTS:
            acts[OTHER] = acts.get(OTHER, 0) + 1
            return None
        digest, _, _, notable = act_of(name)
        is_new = digest not in state.known
        if is_new or not acts:
            for mark in marks_of(event):  # often enough: whoever comes from elsewhere with nothing else new is no matter of behaviour
                if mark not in acts:
                    acts[mark] = 0
                    state.odd += act_of(mark).digest not in state.known
        acts[name] = 1
        state.odd += is_new
        if state.look != NOT_YET and (is_new or notable):
            if state.recent is None:
                state.recent = []
            if len(state.recent) < MAX_EVIDENCE:
                state.recent.append(event.id)
            if not state.watched:
                state.watched = True
                state.wake_at = min(state.wake_at, state.end)
            if is_new:
                return ASK
        return None

    def consider(self, key: str, state: Conduct, peers: ConductPeers, now: float, event: Event | None) -> Finding | None:
        """A window has ended, or holds much that is new."""
        found: Finding | None = None
        if event is not None and event.ts < state.end:
            for name in (name_of(event), *marks_of(event)):
                digest = act_of(name).digest
                if digest not in state.known:
                    peers.common.take_up(digest, key, event.ts)
            if state.odd >= state.look:
                state.look = int(state.odd * LOOK_AGAIN) + 1
                found = self._score(key, state, peers, _mix(state, peers), now)
        elif event is None:
            is_over = now >= state.end
            if state.acts:
                found = self._end(key, state, peers, now)
            if found is None:
                # Nothing to say of the window; perhaps of the alert, which may have ended with it.
                found = super().on_time(key, state, now) if is_over else super().on_end(key, state, now)
        else:
            if state.acts:
                found = self._end(key, state, peers, min(now, state.end))
            self._begin(key, state, peers, event)
        self._arm(key, state)
        return found

    def _begin(self, key: str, state: Conduct, peers: ConductPeers, event: Event) -> None:
        limits = self.limits_of(key)
        day = int(event.ts // DAY_S)
        if day != state.day:
            state.days += state.day >= 0
            peers.accounts += state.days == limits.min_days and state.day >= 0
            state.day, state.today = day, 0
        state.end = event.ts + WINDOW_S
        state.first_ts, state.first_id = event.ts, event.id
        state.acts, state.recent, state.odd, state.watched = {}, None, 0, False
        state.look = LOOK_FROM if state.days >= limits.min_days else NOT_YET
        if self.on_event(key, state, event) is ASK:
            self.consider(key, state, peers, event.ts, event)

    def on_time(self, key: str, state: Conduct, now: float) -> Finding | None:
        """A window that is to be scored has ended, or the alert has."""
        if state.acts and now >= state.end:
            return ASK
        found = super().on_time(key, state, now)
        self._arm(key, state)
        return found

    def on_end(self, key: str, state: Conduct, now: float) -> Finding | None:
        """Nothing will come any more: score what there is."""
        return ASK if state.watched and state.acts else super().on_end(key, state, now)

    def _arm(self, key: str, state: Conduct) -> None:
        """One timer for both: the end of a window that is to be scored, and that of the alert."""
        due = NEVER if state.episode is None else state.episode.last_seen + self.limits_of(key).quiet_s
        state.wake_at = min(due, state.end) if state.watched and state.acts else due

    # -- scoring ------------------------------------------------------------------------------------------------------------------

    def _score(self, key: str, state: Conduct, peers: ConductPeers, mix: Mix, now: float) -> Finding | None:
        """Say a window that is odd enough."""
        limits = self.limits_of(key)
        far = distances(mix.point, state.usual, peers.usual, TRUST, FLOORS)
        rest = [min(max(0.0, each - ORDINARY), MOST_OF_ONE) for each in far[:NOVELTY]]
        novelty = max(0.0, far[NOVELTY] - max(0.0, peers.shift.now(now, SHIFT_S)))
        own = sqrt(novelty * novelty + WEIGHT * sum(each * each for each in rest))
        beyond = [index for index, each in enumerate(rest) if each >= ORDINARY]
        signs = len(mix.odd) + len(beyond)
        actions = max(mix.counts[NEW_SHARE], sum(mix.counts[index] for index in beyond))
        if own < self.least_score or signs < limits.signs or actions < limits.min_actions:
            return None
        isolated = self._isolation(peers, mix.point)
        score = own * _agreement(isolated)
        facts = self._facts_of(key, state, mix, beyond, signs)
        if isolated is not None:
            facts["isolation"] = round(isolated, 2)
        evidence = list(dict.fromkeys((state.recent or ()) or [state.first_id]))
        seen = Observation(now, score, state.first_ts, max(mix.total, len(evidence)), facts, evidence)
        found = self.report(key, state, peers.budget, seen)
        if self.quarantined(state):
            for _, _, name in mix.odd:
                peers.common.withdraw(act_of(name).digest, key)
        return found

    def _isolation(self, peers: ConductPeers, point: list[float]) -> float | None:
        """How many spreads the point is more isolated among the tenant's than is usual there; ``None`` where that is not known."""
        if peers.isolation.weight < ENOUGH_SCORES:
            return None
        score = peers.trees.score(dict(zip(FEATURES, point, strict=True)))
        return None if score is None else (score - peers.isolation.mean) / max(0.02, sqrt(peers.isolation.var))

    def _facts_of(self, key: str, state: Conduct, mix: Mix, beyond: list[int], signs: int) -> dict[str, Fact]:
        named = sorted(mix.odd, key=lambda each: (-each[0], each[2]))
        facts: dict[str, Fact] = {
            "actions": mix.total,
            "new_kinds": len(mix.odd),
            "new_kinds_usual": round(amount_of(NOVELTY, state.usual.means[NOVELTY], mix.total), 1),
            "new_actions": mix.counts[NEW_SHARE],
            "examples": ", ".join(dict.fromkeys(shown(name) for _, _, name in named[:NAMED])),
            "signs": signs,
            "least_signs": self.limits_of(key).signs,
        }
        for index in beyond:
            facts[FEATURES[index]] = mix.counts[index]
            facts[f"{FEATURES[index]}_usual"] = round(amount_of(index, state.usual.means[index], mix.total), 1)
        return facts

    # -- learning -----------------------------------------------------------------------------------------------------------------

    def _end(self, key: str, state: Conduct, peers: ConductPeers, now: float) -> Finding | None:
        """Score a window that has ended, where that is worth it, then learn it, unless it is under an alert."""
        mix = _mix(state, peers)
        found = self._score(key, state, peers, mix, now) if state.watched else None
        state.acts, state.recent, state.watched, state.end = {}, None, False, 0.0
        today = state.today = state.today + 1
        usual = state.usual
        stands_for_day = today in SHOWN
        if stands_for_day and usual.weight >= TRUST:
            change = (mix.point[NOVELTY] - usual.means[NOVELTY]) / max(FLOORS[NOVELTY], sqrt(usual.variances[NOVELTY]))
            peers.shift.add(min(max(change, -CLIP), CLIP), now, SHIFT_S)
        self.settle(key, state, now)
        if self.quarantined(state, state.first_ts):
            self.hold(state, [*mix.point, *(float(int(act_of(name).digest, CRC)) for _, _, name in mix.odd[:HELD_ACTS])])
            return found
        usual.learn(mix.point, MEMORY, FLOORS)
        state.windows = learn_known(state.known, state.windows, mix.digests)
        if stands_for_day:
            self._learn_peers(peers, mix)
        return found

    def _learn_peers(self, peers: ConductPeers, mix: Mix) -> None:
        peers.common.learn(mix.digests)
        peers.usual.learn(mix.point, PEER_MEMORY, FLOORS)
        if peers.accounts >= ENOUGH_PEERS:
            point = dict(zip(FEATURES, mix.point, strict=True))
            score = peers.trees.score(point)
            if score is not None:
                peers.isolation.learn(score, PEER_MEMORY, 0.02)
            peers.trees.learn(point)

    def learn_held(self, key: str, state: Conduct, window: list[float]) -> None:
        """See ``LearnedDetector``. Somebody has said it is in order: from now on it is known well."""
        del key
        state.usual.learn(window[: len(FEATURES)], MEMORY, FLOORS)
        for number in window[len(FEATURES) :]:
            digest = f"{int(number):x}"
            learn_known(state.known, 0, [digest])
            state.known[digest] = max(state.known[digest], state.windows // 7 + 1)

    # -- words --------------------------------------------------------------------------------------------------------------------

    def explain(self, finding: Finding) -> str:
        """See ``Detector``."""
        f = finding.facts
        new = f"{times(f['new_actions'], 'action')} of {times(f['new_kinds'], 'kind')} that it never took before"
        parts = [f"{new}, such as {f['examples']}, where {f['new_kinds_usual']} such kinds are usual"] if f["new_kinds"] else []
        for name, (one, many) in SORTS.items():
            if name in f:
                parts.append(f"{f[name]:,} {one if f[name] == 1 else many}, where {f[f'{name}_usual']} are usual")
        far = f.get("isolation", 0.0)
        alone = (
            f" Colleagues hardly do such things together: {far} spreads beyond what is usual among them." if float(far) >= ISOLATED else ""
        )
        learned = f"Learned from {times(f['days_learned'], 'day')} with traffic ({f['maturity']})."
        return f"Of {times(f['actions'], 'action')} within an hour: {'; '.join(parts)}.{alone} {learned}"

    def counterfactual(self, finding: Finding) -> str:
        """See ``Detector``."""
        f = finding.facts
        return (
            f"silent with fewer than {times(f['least_signs'], 'sign')} (new kinds of action, amounts far beyond the usual) within the hour,"
            f" where {f['signs']} came together, or with a score of at most {f['threshold']}"
        )


def _agreement(isolated: float | None) -> float:
    """By how much the comparison with colleagues raises or lowers a score: it may not decide alone, for a tenant's only admin is always isolated."""
    return 1.0 if isolated is None else min(max(1.0 + 0.1 * isolated, 0.7), 1.3)


def _mix(state: Conduct, peers: ConductPeers) -> Mix:
    return measure(state.acts, state.known, state.windows, peers.common, peers.accounts)
