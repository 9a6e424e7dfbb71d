"""A few passwords tried on many accounts from one address (ATT&CK T1110.003)."""

from typing import Annotated, ClassVar

import msgspec
from pydantic import Field

from detectors.base import Variant, by_ip
from detectors.episode import EpisodeDetector, EpisodeState, Quiet
from detectors.phrases import span, times
from detectors.settings import Count, DetectorSettings, Seconds
from detectors.shared_address import Known, SharedLimits, first_names, fresh_s, is_known, is_shared, number_known, vouch
from detectors.tries import FAILURE, MAX_ACTORS, SUCCESS, Tries, Try, add_try, in_window, shown
from detectors.windows import Distinct
from schemas.event import Event
from schemas.finding import EntityType, Fact, Finding
from schemas.severity import Severity

MOST_WINS = 5
"""Successes before the alert that are remembered for it."""


MOST_SKIPPED = 7
"""Failures at a shared address after which it is looked at again, at the latest."""


class SpraySettings(DetectorSettings, SharedLimits):
    """`password_spray`: few attempts on each of several accounts, more of them than log in from there."""

    quiet_s: Quiet = 10_800
    shared_users: Annotated[
        Count,
        Field(description="From this many actors who logged in from an address on, it is silent unless more actors fail than that."),
    ] = 1
    threshold: Annotated[
        int, Field(ge=2, le=MAX_ACTORS, description="Actors that fail within `window_s`, each at most `max_attempts` times.")
    ] = 5
    max_attempts: Annotated[
        int, Field(ge=1, le=50, description="Failures of one actor up to which it counts as sprayed; more is guessing of that one account.")
    ] = 8
    window_s: Annotated[Seconds, Field(description="Seconds in which they fail.")] = 1200
    success_within_s: Annotated[
        Seconds,
        Field(
            description="Seconds after the last failure in which a login from the address means the spray worked; no use beyond `quiet_s`."
        ),
    ] = 10_800


class Spray(EpisodeState):
    """At most ``MAX_ACTORS`` actors with ``max_attempts`` + 1 failures each, ``MAX_KNOWN`` good ones, and the counts of one episode."""

    tries: Tries = msgspec.field(default_factory=dict)
    """Failures by actor."""
    wins: list[tuple[float, str, str]] = msgspec.field(default_factory=list)
    """(event time, id, actor) of first successes since there are failures: what a spray that opens now had already got into."""
    good: Known = msgspec.field(default_factory=dict)
    """Who logged in from the address."""
    skip: int = 0
    """Failures that cannot open an episode, whoever fails: how many are still missing."""
    newest: float = 0.0
    """Event time of the newest failure: the window ends there, also for one that comes late."""
    failed: Distinct | None = None
    """Actors that failed in the open episode."""
    succeeded: Distinct | None = None
    """Actors that logged in during it and were not known there."""
    last_failure: float = 0.0
    good_before: int = 0


class PasswordSpray(EpisodeDetector[Spray, SpraySettings]):
    """Counts the actors that fail a few times each.

    Only actors within the band count, so neither hammering one more account nor a typing office hides or makes a spray. An actor who logs
    in takes back its own failures. State per key: up to 200 KB for an address that fails for 256 actors without an alert, a few KB else.
    """

    name = "password_spray"
    title = "Password spraying"
    sees = "One address that fails to log in as several actors, a few times each, and as more of them than it logs in."
    kinds = frozenset({"auth.login"})
    techniques = ("T1110.003",)
    false_positives = (
        "An office, NAT or kiosk where several people mistype: silent while no more actors fail than logged in from there within `shared_memory_s`.",
        "A gateway or single sign-on proxy whose own address stands for all users: send the true client address, or put the proxy on the allow-list.",
        "A directory synchronisation or migration that tries many accounts: put its address on the allow-list with an end date.",
        "A penetration test: put its addresses on the allow-list with an end date.",
    )
    variants: ClassVar[dict[str, Variant]] = {"by_ip": Variant("ip", by_ip)}
    Settings = SpraySettings
    State = Spray

    def __init__(self, variant: str, settings: DetectorSettings) -> None:
        super().__init__(variant, settings)
        self._fresh_s = fresh_s(limits.shared_memory_s for limits in self.all_limits)

    def memory_s(self, limits: SpraySettings) -> float:
        """The window, or as long as successes count."""
        return max(limits.window_s, limits.shared_memory_s)

    def on_event(self, key: str, state: Spray, event: Event) -> Finding | None:
        """Count a failure; a success vouches, or shows that a spray worked."""
        actor = event.actor
        if actor is None:
            return None
        if event.outcome == "success":
            # The common case: nobody failed here, and it is somebody known, noted lately.
            seen = state.good.get(actor)
            if seen is not None and 0 <= event.ts - seen[1] <= self._fresh_s and not state.tries and state.episode is None:
                return None
            return self._succeed(key, state, event, actor)
        if event.outcome != "failure":
            return None
        if state.failed is not None:
            state.failed.add(actor)
            state.last_failure = max(state.last_failure, event.ts)
            return self.go_on(key, state, event.ts, event.id)
        limits = self.limits_of(key)
        add_try(state.tries, actor, (event.ts, event.id, FAILURE), limits.window_s, limits.max_attempts + 1)
        state.newest = max(state.newest, event.ts)
        if state.skip:
            state.skip -= 1
            return None
        return None if len(state.tries) < limits.threshold else self._look(key, state, limits)

    def _succeed(self, key: str, state: Spray, event: Event, actor: str) -> Finding | None:
        limits, ts = self.limits_of(key), event.ts
        finding = None
        if state.succeeded is not None and state.episode is not None:
            known = is_known(state.good, actor, ts - limits.shared_memory_s, state.episode.first_seen)
            if not known and ts <= state.last_failure + limits.success_within_s:
                state.succeeded.add(actor)
                finding = self.go_on(key, state, ts, event.id, vital=True)
        elif state.tries:
            state.tries.pop(actor, None)
            if len(state.wins) >= MOST_WINS and state.wins[0][0] < ts - limits.window_s:
                del state.wins[0]
            if len(state.wins) < MOST_WINS and not is_known(state.good, actor, ts - limits.shared_memory_s, ts):
                state.wins.append((ts, event.id, actor))
        vouch(state.good, actor, ts, limits.shared_memory_s)
        return finding

    def _look(self, key: str, state: Spray, limits: SpraySettings) -> Finding | None:
        oldest = state.newest - limits.window_s
        sprayed: dict[str, list[Try]] = {}
        for actor, mine in state.tries.items():
            recent = in_window(mine, oldest)
            if 0 < len(recent) <= limits.max_attempts:
                sprayed[actor] = recent
        if len(sprayed) < limits.threshold:
            state.skip = limits.threshold - len(sprayed) - 1
            return None
        if is_shared(state.good, limits, len(sprayed), state.newest):
            state.skip = min(MOST_SKIPPED, len(state.good) - len(sprayed))
            return None
        return self._open(key, state, limits, sprayed)

    def _open(self, key: str, state: Spray, limits: SpraySettings, sprayed: dict[str, list[Try]]) -> Finding:
        failures = [entry for recent in sprayed.values() for entry in recent]
        first, last = min(failures)[0], max(failures)[0]
        state.failed, state.succeeded, state.last_failure = Distinct(), Distinct(), last
        for actor, recent in sprayed.items():
            for _ in recent:
                state.failed.add(actor)
        wins: list[Try] = []
        for ts, event_id, actor in state.wins:
            if ts >= first:
                state.succeeded.add(actor)
                wins.append((ts, event_id, SUCCESS))
        state.good_before = number_known(state.good, last - limits.shared_memory_s, first)
        finding = self.begin(key, state, last, first, len(failures) + len(wins), shown(failures + wins))
        state.tries, state.wins, state.skip = {}, [], 0
        return finding

    def reset(self, state: Spray) -> None:
        """See ``EpisodeDetector``."""
        state.failed = state.succeeded = None
        state.last_failure, state.good_before = 0.0, 0

    def severity(self, key: str, state: Spray) -> Severity:
        """Medium; high once somebody got in who was not known there before."""
        return "high" if state.succeeded is not None and state.succeeded.total else "medium"

    def facts(self, key: str, state: Spray) -> dict[str, Fact]:
        """See ``EpisodeDetector``."""
        limits, failed, succeeded = self.limits_of(key), state.failed, state.succeeded
        assert failed is not None
        assert succeeded is not None
        facts: dict[str, Fact] = {
            "failures": failed.total,
            "distinct_actors": failed.number(),
            "good_actors": state.good_before,
            "succeeded_actors": succeeded.number(),
            "threshold": limits.threshold,
            "max_attempts": limits.max_attempts,
            "window_s": limits.window_s,
        }
        if succeeded.total:
            facts["first_success"] = first_names(succeeded.counts, 1)
        return facts

    def links(self, key: str, state: Spray) -> tuple[tuple[EntityType, str], ...]:
        """The first accounts that were got into."""
        if state.succeeded is None:
            return ()
        return tuple(("actor", actor) for actor in list(state.succeeded.counts)[:5])

    def explain(self, finding: Finding) -> str:
        """See ``Detector``."""
        f = finding.facts
        text = (
            f"{times(f['failures'], 'failed login')} from this address as {times(f['distinct_actors'], 'actor')} "
            f"in {span(finding.last_seen - finding.first_seen)}; {times(f['good_actors'], 'actor')} had logged in from it before."
        )
        if not f["succeeded_actors"]:
            return text
        return f"{text} It then logged in as {times(f['succeeded_actors'], 'actor')} not known there, first as {f['first_success']}."

    def counterfactual(self, finding: Finding) -> str:
        """See ``Detector``."""
        f = finding.facts
        return (
            f"silent with fewer than {times(f['threshold'], 'actor')} failing at most {times(f['max_attempts'], 'time')} each "
            f"in {span(float(f['window_s']))}, or with as many that had logged in from there"
        )
