"""A login that works after many that did not: guessing that may have succeeded (ATT&CK T1110, T1078)."""

from typing import Annotated, ClassVar

import msgspec
from pydantic import Field

from detectors.base import Variant, by_actor, by_ip
from detectors.episode import EpisodeDetector, EpisodeState
from detectors.phrases import span, times
from detectors.settings import Count, DetectorSettings, Seconds
from detectors.shared_address import MAX_KNOWN, Known, SharedLimits, first_names, fresh_s, is_known, is_shared, vouch
from detectors.tries import FAILURE, SUCCESS, Try, shown
from detectors.windows import Distinct, slide
from schemas.event import Event
from schemas.finding import EntityType, Fact, Finding
from schemas.severity import SEVERITIES, Severity

MOST_FAILURES = 128
"""Failures of one key that are held: the newest."""
MOST_FAILING = MAX_KNOWN
"""Actors held as failing from one address: as many as can be known there."""
MOST_PLACES = 32
"""Addresses, and devices, that are held as an account's own."""
MOST_SAID = 20
"""Accounts an attack gets into that are each said at once; more of them only as their number doubles."""
CALM_S = 60.0
"""Seconds for which an address found shared is taken to be so while no more actors fail."""
INFO, LOW, MEDIUM, HIGH = range(4)


class AfterLimits(SharedLimits):
    """When a success follows failures."""

    failures: Annotated[int, Field(ge=2, le=MOST_FAILURES, description="Failures within `window_s` before the success.")] = 5
    window_s: Annotated[Seconds, Field(description="Seconds between the first of them and the success.")] = 900
    spread_failures: Annotated[
        int, Field(ge=2, le=MOST_FAILURES, description="By actor: failures that are enough when they come from `spread_ips`.")
    ] = 10
    spread_ips: Annotated[
        Count, Field(description="By actor: addresses from which failures belong together, though the success comes from one.")
    ] = 3
    many_failures: Annotated[int, Field(ge=2, le=MOST_FAILURES, description="By actor: failures from which it is of high severity.")] = 20
    own_memory_s: Annotated[
        Seconds, Field(description="By actor: seconds for which an address or device it succeeded from is its own.")
    ] = 30 * 86_400
    failing_actors: Annotated[
        int, Field(ge=1, le=MOST_FAILING, description="By address: failing actors that are enough, and make it critical.")
    ] = 5
    shared_users: Annotated[
        Count,
        Field(description="By address: from this many known actors on, it is silent unless more actors fail than that."),
    ] = 1


class AfterSettings(DetectorSettings):
    """`success_after_failures`: few failures of one account, or an address that failed a lot."""

    variant_fields: ClassVar[tuple[str, ...]] = ("by_actor", "by_ip")
    by_actor: AfterLimits = Field(AfterLimits(), description="An account that fails, then succeeds.")
    by_ip: AfterLimits = Field(
        AfterLimits(quiet_s=10_800, failures=20, window_s=10_800),
        description="An address that failed a lot, then gets into an account that is not at home there.",
    )


class After(EpisodeState):
    """At most ``MOST_FAILURES`` failures, ``MOST_FAILING`` and ``MAX_KNOWN`` actors or 64 places, and the counts of one episode."""

    fails: list[tuple[float, str, str]] = msgspec.field(default_factory=list)
    """(event time, id, the other side: address of an account's failures, account of an address's)."""
    failing: dict[str, float] = msgspec.field(default_factory=dict)
    """By address: who failed there, and when last; who failed last comes last."""
    good: Known = msgspec.field(default_factory=dict)
    """By actor its addresses, by address its actors."""
    devices: Known = msgspec.field(default_factory=dict)
    calm_until: float = 0.0
    calm_failing: int = 0
    """By address: found shared, until when and for how many failing actors."""
    reset_ts: float = 0.0
    """By actor: when the password was last reset or changed."""
    failures: int = 0
    """Of the open episode, as are the following."""
    others: Distinct | None = None
    """The other sides of the failures."""
    succeeded: Distinct | None = None
    """The other sides of the successes."""
    rank: int = 0
    why: str = ""


class SuccessAfterFailures(EpisodeDetector[After, AfterLimits]):
    """Weighs a success against the failures before it and against what is usual for the account.

    State per key: 12 KB at most for an account, 0.5 KB usually; up to 80 KB for an address that hundreds of people share.
    """

    name = "success_after_failures"
    title = "Login after many failures"
    sees = "A login that works after failures of the same account, or from an address that failed a lot."
    kinds = frozenset({"auth.login", "auth.password_reset", "auth.password_change"})
    techniques = ("T1110", "T1078")
    false_positives = (
        "A person who forgot the password: low from an address or device of its own, info from both, low when a password reset lies between.",
        "An office, NAT or kiosk where several people mistype: an address is silent while no more actors fail than logged in from there within `by_ip.shared_memory_s`.",
        "A service that got its new password late: allow-list it by name, or raise by_actor.failures with an override.",
        "A new employee at a new address who mistypes: it stays medium, ask; the address is known from then on.",
    )
    variants: ClassVar[dict[str, Variant]] = {"by_actor": Variant("actor", by_actor), "by_ip": Variant("ip", by_ip)}
    Settings = AfterSettings
    State = After

    def __init__(self, variant: str, settings: DetectorSettings) -> None:
        super().__init__(variant, settings)
        self._fresh_s = fresh_s(limits.own_memory_s if variant == "by_actor" else limits.shared_memory_s for limits in self.all_limits)

    def memory_s(self, limits: AfterLimits) -> float:
        """The window, or as long as successes count."""
        return max(limits.window_s, limits.own_memory_s if self.variant == "by_actor" else limits.shared_memory_s)

    def on_event(self, key: str, state: After, event: Event) -> Finding | None:
        """Hold a failure; weigh a success."""
        outcome = event.outcome
        if event.kind != "auth.login":
            if outcome == "success" and event.ts > state.reset_ts:
                state.reset_ts = event.ts
            return None
        if outcome == "success":
            if self.variant == "by_actor":
                return None if self._is_usual(state, event) else self._by_actor(key, state, event)
            # The common case: nobody failed here, and it is somebody known, noted lately.
            seen = state.good.get(event.actor or "")
            quiet = not state.fails and not state.failing and state.episode is None
            return None if quiet and seen is not None and 0 <= event.ts - seen[1] <= self._fresh_s else self._by_ip(key, state, event)
        if outcome != "failure":
            return None
        limits, ts = self.limits_of(key), event.ts
        if self.variant == "by_actor":
            slide(state.fails, (ts, event.id, event.ip or ""), limits.window_s, MOST_FAILURES)
            return None
        if event.actor is not None:
            failing = state.failing
            failing[event.actor] = max(ts, failing.pop(event.actor, ts))
            stalest = next(iter(failing))
            while failing[stalest] < ts - limits.window_s or len(failing) > MOST_FAILING:
                del failing[stalest]
                stalest = next(iter(failing))
        if state.episode is None:
            slide(state.fails, (ts, event.id, event.actor or ""), limits.window_s, MOST_FAILURES)
            return None
        assert state.others is not None
        state.failures += 1
        state.others.add(event.actor or "")
        return self.go_on(key, state, ts, event.id)

    # -- one account --------------------------------------------------------------------------------------------------------------

    def _is_usual(self, state: After, event: Event) -> bool:
        """Whether nothing failed, and address and device were noted lately: the common case."""
        if state.fails:
            return False
        ts = event.ts
        if event.ip is not None:
            seen = state.good.get(event.ip)
            if seen is None or not 0 <= ts - seen[1] <= self._fresh_s:
                return False
        if event.device_id is not None:
            seen = state.devices.get(event.device_id)
            return seen is not None and 0 <= ts - seen[1] <= self._fresh_s
        return True

    def _by_actor(self, key: str, state: After, event: Event) -> Finding | None:
        limits, ts, ip, device = self.limits_of(key), event.ts, event.ip, event.device_id
        finding = None
        if state.fails:
            oldest = ts - limits.window_s
            before = [fail for fail in state.fails if oldest <= fail[0] <= ts]
            same = [fail for fail in before if fail[2] == (ip or "")]
            if self._is_spread(state, limits, before, event):
                finding = self._weigh(key, state, limits, before, event)
                state.fails = [fail for fail in state.fails if fail[0] > ts]
            else:
                if len(same) >= limits.failures:
                    finding = self._weigh(key, state, limits, same, event)
                # What came from the same place is settled; what did not may still be somebody else's guessing.
                state.fails = [fail for fail in state.fails if fail[0] > ts or fail[2] != (ip or "")]
        if ip is not None:
            vouch(state.good, ip, ts, limits.own_memory_s, MOST_PLACES)
        if device is not None:
            vouch(state.devices, device, ts, limits.own_memory_s, MOST_PLACES)
        return finding

    def _is_spread(self, state: After, limits: AfterLimits, before: list[tuple[float, str, str]], event: Event) -> bool:
        if len(before) < limits.spread_failures:
            return False
        ips = {ip for _, _, ip in before if ip}
        if len(ips) < limits.spread_ips or event.ip is None:
            return False
        return event.ip in ips or not is_known(state.good, event.ip, event.ts - limits.own_memory_s, event.ts)

    def _weigh(self, key: str, state: After, limits: AfterLimits, before: list[tuple[float, str, str]], event: Event) -> Finding | None:
        rank, why = self._rank(state, limits, before, event)
        if state.episode is None:
            state.others, state.succeeded = Distinct(), Distinct()
            state.failures, state.rank, state.why = 0, rank, why
        elif rank > state.rank:
            state.rank, state.why = rank, why
        assert state.others is not None
        assert state.succeeded is not None
        state.failures += len(before)
        for _, _, ip in before:
            state.others.add(ip)
        state.succeeded.add(event.ip or "")
        if state.episode is not None:
            state.episode.count += len(before)
            return self.go_on(key, state, event.ts, event.id, vital=True)
        tries = _tries(before, [(event.ts, event.id)])
        return self.begin(key, state, event.ts, before[0][0], len(tries), shown(tries))

    def _rank(self, state: After, limits: AfterLimits, before: list[tuple[float, str, str]], event: Event) -> tuple[int, str]:
        """Severity and the reason for it.

        Few failures are low from an own address or device and info from both; each is worth less the more failures there are.
        """
        number, first, since = len(before), before[0][0], event.ts - limits.own_memory_s
        own_ip = event.ip is not None and is_known(state.good, event.ip, since, first)
        own_device = event.device_id is not None and is_known(state.devices, event.device_id, since, first)
        rank = HIGH if number >= limits.many_failures else MEDIUM
        why = "not from an address or device known for this account"
        if own_ip and own_device:
            rank -= 1 if number >= 2 * limits.failures else 2
            why = "from an address and device of this account"
        elif own_ip or own_device:
            rank -= number < 2 * limits.failures
            why = f"from {'an address' if own_ip else 'a device'} of this account"
        if rank > LOW and first <= state.reset_ts <= event.ts:
            return LOW, f"{why}, after its password was reset or changed"
        return rank, why

    # -- one address --------------------------------------------------------------------------------------------------------------

    def _by_ip(self, key: str, state: After, event: Event) -> Finding | None:
        actor = event.actor
        if actor is None:
            return None
        finding = None
        limits, failing = self.limits_of(key), len(state.failing)
        enough = state.episode is not None or len(state.fails) >= limits.failures or failing >= limits.failing_actors
        if enough and (event.ts >= state.calm_until or failing > state.calm_failing):
            finding = self._got_in(key, state, event, actor)
        vouch(state.good, actor, event.ts, limits.shared_memory_s)
        return finding

    def _got_in(self, key: str, state: After, event: Event, actor: str) -> Finding | None:
        limits, ts = self.limits_of(key), event.ts
        since = ts - limits.shared_memory_s
        if state.episode is not None:
            if is_known(state.good, actor, since, state.episode.first_seen):
                return None
            assert state.succeeded is not None
            before = state.succeeded.number()
            state.succeeded.add(actor)
            if not before < state.succeeded.number() <= MOST_SAID:
                return self.go_on(key, state, ts, event.id)
            finding = self.go_on(key, state, ts, event.id, vital=True)
            return finding if finding is not None else self._say(key, state, state.episode, "update", ts)
        oldest = ts - limits.window_s
        fails = [fail for fail in state.fails if oldest <= fail[0] <= ts]
        if not fails or is_known(state.good, actor, since, fails[0][0]):
            return None
        failing = sum(1 for last in state.failing.values() if last >= oldest)
        enough = len(fails) >= limits.failures or failing >= limits.failing_actors
        # Hours are long where thousands share an address: with a full memory of them, no number of failing ones tells.
        if not enough:
            return None
        if is_shared(state.good, limits, failing, ts):
            state.calm_until, state.calm_failing = ts + CALM_S, len(state.failing)
            return None
        state.others, state.succeeded, state.failures = Distinct(), Distinct(), len(fails)
        for _, _, other in fails:
            state.others.add(other)
        state.succeeded.add(actor)
        tries = _tries(fails, [(ts, event.id)])
        finding = self.begin(key, state, ts, fails[0][0], len(tries), shown(tries))
        state.fails = []
        return finding

    # -- what the alert says ------------------------------------------------------------------------------------------------------

    def reset(self, state: After) -> None:
        """See ``EpisodeDetector``."""
        state.others = state.succeeded = None
        state.failures = state.rank = 0
        state.why = ""

    def severity(self, key: str, state: After) -> Severity:
        """An account: what was weighed. An address: high, critical when it failed as many actors."""
        if self.variant == "by_actor":
            return SEVERITIES[state.rank]
        many = state.others is not None and state.others.number() >= self.limits_of(key).failing_actors
        return "critical" if many else "high"

    def facts(self, key: str, state: After) -> dict[str, Fact]:
        """See ``EpisodeDetector``."""
        limits, others, succeeded = self.limits_of(key), state.others, state.succeeded
        assert others is not None
        assert succeeded is not None
        facts: dict[str, Fact] = {
            "failures": state.failures,
            "successes": succeeded.total,
            "threshold": limits.failures,
            "window_s": limits.window_s,
        }
        if self.variant == "by_actor":
            return facts | {
                "distinct_ips": others.number(),
                "success_ip": first_names(succeeded.counts, 1),
                "judged": state.why,
                "spread_failures": limits.spread_failures,
                "spread_ips": limits.spread_ips,
            }
        return facts | {
            "failing_actors": others.number(),
            "succeeded_actors": succeeded.number(),
            "succeeded": first_names(succeeded.counts),
            "failing_threshold": limits.failing_actors,
        }

    def links(self, key: str, state: After) -> tuple[tuple[EntityType, str], ...]:
        """Where the account was got into from, or the first accounts that an address got into."""
        if state.succeeded is None:
            return ()
        other: EntityType = "ip" if self.variant == "by_actor" else "actor"
        return tuple((other, name) for name in list(state.succeeded.counts)[:5] if name)

    def explain(self, finding: Finding) -> str:
        """See ``Detector``."""
        f = finding.facts
        seen = span(finding.last_seen - finding.first_seen)
        if finding.entity_type == "actor":
            return (
                f"This account logged in after {times(f['failures'], 'failed login')} from {times(f['distinct_ips'], 'address')} "
                f"in {seen}; it was {f['judged']}."
            )
        return (
            f"This address got into {times(f['succeeded_actors'], 'account')} not known there ({f['succeeded']}) among "
            f"{times(f['failures'], 'failed login')} against {times(f['failing_actors'], 'account')} in {seen}."
        )

    def counterfactual(self, finding: Finding) -> str:
        """See ``Detector``."""
        f = finding.facts
        window = span(float(f["window_s"]))
        if finding.entity_type == "actor":
            return (
                f"silent with fewer than {times(f['threshold'], 'failure')} from one address, and {f['spread_failures']} from {f['spread_ips']}, "
                f"in the {window} before the login"
            )
        return (
            f"silent with fewer than {times(f['threshold'], 'failure')} and {times(f['failing_threshold'], 'failing actor')} "
            f"in the {window} before, or had the account been known there"
        )


def _tries(fails: list[tuple[float, str, str]], wins: list[tuple[float, str]]) -> list[Try]:
    return [(ts, event_id, FAILURE) for ts, event_id, _ in fails] + [(ts, event_id, SUCCESS) for ts, event_id in wins]
