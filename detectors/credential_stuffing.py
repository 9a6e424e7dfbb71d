"""Leaked pairs of name and password tried one after the other (ATT&CK T1110.004)."""

from math import ceil
from typing import Annotated, ClassVar

import msgspec
from pydantic import Field

from detectors.base import Variant, by_ip, by_tenant
from detectors.episode import MAX_EVIDENCE, EpisodeDetector, EpisodeState
from detectors.panes import SHOWN, Pane, Sums, merged, pane_of, sums
from detectors.phrases import span, times
from detectors.settings import Count, DetectorSettings, Seconds
from detectors.shared_address import Known, SharedLimits, first_names, fresh_s, is_known, is_shared, vouch
from detectors.tries import FAILURE, MAX_ACTORS, SUCCESS, UNKNOWN_USER, Tries, add_try, in_window, shown
from detectors.windows import Distinct
from schemas.event import Event
from schemas.finding import EntityType, Fact, Finding
from schemas.severity import Severity

KEPT_TRIES = 2
"""Tries of one actor that are counted beyond those a stuffed account may have."""

MOST_SKIPPED = 15
"""Failures after which the window of an address is looked at again, at the latest: what makes it look harmless may leave it."""

Share = Annotated[float, Field(ge=0, le=1)]


class StuffingLimits(SharedLimits):
    """When logins are stuffing."""

    min_attempts: Annotated[Count, Field(description="Logins within `window_s`, for a tenant: failed ones.")] = 25
    min_actors: Annotated[int, Field(ge=2, le=100_000, description="Actors they were for, for a tenant: actors that failed.")] = 15
    max_attempts: Annotated[
        int, Field(ge=1, le=50, description="Attempts on one account up to which it looks stuffed: each pair is tried once.")
    ] = 2
    few_share: Annotated[Share, Field(description="Least share of actors with no more than `max_attempts`, 0–1.")] = 0.8
    failure_share: Annotated[Share, Field(description="Least share of failures among the logins, 0–1.")] = 0.5
    window_s: Annotated[Seconds, Field(description="Seconds in which they fall.")] = 900
    min_ips: Annotated[
        Count, Field(description="For a tenant: addresses the failures come from, each with at most `ip_share` of them.")
    ] = 10
    ip_share: Annotated[
        Share, Field(description="For a tenant: share of the failures beyond which an address is an attack of its own and left out, 0–1.")
    ] = 0.1
    check_every_s: Annotated[Seconds, Field(description="For a tenant: seconds of event time between two looks at the window.")] = 5
    shared_users: Annotated[
        Count,
        Field(
            description="From this many actors who logged in from an address before the window on, it is silent unless more actors fail than that."
        ),
    ] = 1


class StuffingSettings(DetectorSettings):
    """`credential_stuffing`: many accounts, one or two attempts each, most of them failing."""

    variant_fields: ClassVar[tuple[str, ...]] = ("by_ip", "by_tenant")
    by_ip: StuffingLimits = Field(StuffingLimits(), description="Stuffing from one address.")
    by_tenant: StuffingLimits = Field(
        StuffingLimits(min_attempts=100, min_actors=100), description="Stuffing of one tenant from many addresses."
    )


class Stuffing(EpisodeState):
    """By address: at most ``MAX_ACTORS`` actors with 4 tries each, and ``MAX_KNOWN`` good ones. By tenant: 16 panes, together at most 0.4 MB."""

    tries: Tries = msgspec.field(default_factory=dict)
    good: Known = msgspec.field(default_factory=dict)
    missing: int = 0
    """Logins that cannot open an episode: how many are still missing."""
    skip: int = 0
    """Failures that cannot, for what else is missing."""
    newest: float = 0.0
    """Event time of the newest try: the window ends there, also for one that comes late."""
    panes: list[Pane] = msgspec.field(default_factory=list)
    check_at: float = 0.0
    """When the window is looked at next."""
    unsaid: int = 0
    """Failures since the window was last looked at."""
    attempts: int = 0
    failures: int = 0
    unknown: int = 0
    """Of the open episode, as are the following."""
    actors: Distinct | None = None
    succeeded: Distinct | None = None
    most_actors: int = 0
    most_ips: int = 0


class CredentialStuffing(EpisodeDetector[Stuffing, StuffingLimits]):
    """By address: exact, over the logins of actors not known there. By tenant: in panes, whatever the addresses.

    What known people do from their own office is no part of an attack from there, so it is left out, and it is the common case: one look-up.
    By tenant each login costs one counter, a failure two samples more (exact while a pane has at most 128 distinct values, then an even share of
    them); only when the counters say that enough failed are the samples put together, at most once in ``check_every_s``. State per key: about 1.3 KB
    for an address with one person, 27 KB for a tenant.
    """

    name = "credential_stuffing"
    title = "Credential stuffing"
    sees = "Many accounts tried once or twice each, mostly in vain: from one address, or on one tenant from many addresses."
    kinds = frozenset({"auth.login"})
    techniques = ("T1110.004",)
    false_positives = (
        "An office, NAT or campus gateway: silent while no more actors fail than were known there before, and while most logins succeed.",
        "A gateway or single sign-on proxy whose own address stands for all users: send the true client address, or put the proxy on the allow-list.",
        "The sign-in service or its directory is out of order and everyone fails: raise by_tenant.min_actors above what an outage makes; unknown_user_share is near 0 then.",
        "A load test with made-up users: put its addresses on the allow-list, or use a tenant of its own.",
    )
    variants: ClassVar[dict[str, Variant]] = {"by_ip": Variant("ip", by_ip), "by_tenant": Variant("tenant", by_tenant)}
    Settings = StuffingSettings
    State = Stuffing

    def __init__(self, variant: str, settings: DetectorSettings) -> None:
        super().__init__(variant, settings)
        self._fresh_s = fresh_s(limits.shared_memory_s for limits in self.all_limits)
        self._longest_window_s = max(limits.window_s for limits in self.all_limits)

    def memory_s(self, limits: StuffingLimits) -> float:
        """The window, or as long as successes count."""
        return max(limits.window_s, limits.shared_memory_s if self.variant == "by_ip" else 0.0)

    def on_event(self, key: str, state: Stuffing, event: Event) -> Finding | None:
        """Count a login."""
        if self.variant == "by_tenant":
            return self._on_tenant(key, state, event)
        actor, outcome = event.actor, event.outcome
        if actor is None or (outcome not in {"success", "failure"}):
            return None
        ts = event.ts
        if outcome == "success":
            # The common case: somebody who was known here before the window, noted lately.
            seen = state.good.get(actor)
            if seen is not None and 0 <= ts - seen[1] <= self._fresh_s and ts - seen[0] > self._longest_window_s and state.episode is None:
                return None
        limits = self.limits_of(key)
        if outcome == "success":
            before = ts - limits.window_s if state.episode is None else state.episode.first_seen
            known = is_known(state.good, actor, ts - limits.shared_memory_s, before)
            vouch(state.good, actor, ts, limits.shared_memory_s)
            if known:
                return None
            how = SUCCESS
        else:
            how = UNKNOWN_USER if event.reason == "unknown_user" else FAILURE
        if state.episode is not None:
            self._count(state, actor, how)
            return self.go_on(key, state, ts, event.id, vital=how == SUCCESS)
        add_try(state.tries, actor, (ts, event.id, how), limits.window_s, limits.max_attempts + KEPT_TRIES)
        state.newest = max(state.newest, ts)
        if state.missing:
            state.missing -= 1
            return None
        if how == SUCCESS:
            return None
        if state.skip:
            state.skip -= 1
            return None
        return self._look(key, state, limits)

    def _look(self, key: str, state: Stuffing, limits: StuffingLimits) -> Finding | None:
        # More actors than are remembered never fit the window; all of them is the most that can be asked for.
        wanted = min(limits.min_actors, MAX_ACTORS)
        if len(state.tries) < wanted:
            state.missing = wanted - len(state.tries) - 1
            return None
        oldest = state.newest - limits.window_s
        recent = {actor: tries for actor, mine in state.tries.items() if (tries := in_window(mine, oldest))}
        few = sum(1 for tries in recent.values() if len(tries) <= limits.max_attempts)
        failing = sum(1 for tries in recent.values() if any(how != SUCCESS for _, _, how in tries))
        attempts = [entry for tries in recent.values() for entry in tries]
        failures = sum(1 for _, _, how in attempts if how != SUCCESS)
        missing = max(wanted - len(recent), limits.min_attempts - len(attempts))
        if missing > 0:
            state.missing = missing - 1
            return None
        lacks_few, lacks_failures = limits.few_share * len(recent) - few, limits.failure_share * len(attempts) - failures
        if lacks_few > 0 or lacks_failures > 0:
            # What one failure more can change of it is at most one.
            state.skip = min(MOST_SKIPPED, ceil(max(lacks_few, lacks_failures)) - 1)
            return None
        if is_shared(state.good, limits, failing, state.newest, oldest):
            state.skip = min(MOST_SKIPPED, max(0, len(state.good) - failing))
            return None
        state.actors, state.succeeded = Distinct(), Distinct()
        for actor, tries in recent.items():
            for _, _, how in tries:
                self._count(state, actor, how)
        finding = self.begin(key, state, max(attempts)[0], min(attempts)[0], len(attempts), shown(attempts))
        state.tries, state.missing, state.skip = {}, 0, 0
        return finding

    def _count(self, state: Stuffing, actor: str, how: int) -> None:
        assert state.actors is not None
        assert state.succeeded is not None
        state.attempts += 1
        state.actors.add(actor)
        if how == SUCCESS:
            state.succeeded.add(actor)
            return
        state.failures += 1
        if how == UNKNOWN_USER:
            state.unknown += 1

    # -- one tenant, from many addresses ------------------------------------------------------------------------------------------

    def _on_tenant(self, key: str, state: Stuffing, event: Event) -> Finding | None:
        outcome, ts, panes = event.outcome, event.ts, state.panes
        if outcome == "challenge" or outcome is None:
            return None
        limits = self.limits if self.overrides is None else self.limits_of(key)
        pane = panes[-1] if panes else None
        if pane is None or not pane.start <= ts < pane.end:
            pane = pane_of(panes, ts, limits.window_s)
            if pane is None:
                return None
        if outcome == "success":
            pane.successes += 1
            return None
        pane.failures += 1
        if event.reason == "unknown_user":
            pane.unknown += 1
        if event.actor is not None:
            pane.actors.add(event.actor)
        if event.ip is not None:
            pane.ips.add(event.ip)
        if len(pane.evidence) < SHOWN:
            pane.evidence.append((ts, event.id))
        state.unsaid += 1
        if state.skip:
            state.skip -= 1
            return None
        if ts < state.check_at:
            return None
        total = sums(state.panes)
        if total.failures < limits.min_attempts:
            state.unsaid, state.skip = 0, limits.min_attempts - total.failures - 1
            return None
        state.check_at = ts + limits.check_every_s
        if total.failure_ratio() < limits.failure_share:
            state.unsaid = 0
            return None
        return self._look_at_tenant(key, state, limits, total, event)

    def _look_at_tenant(self, key: str, state: Stuffing, limits: StuffingLimits, total: Sums, event: Event) -> Finding | None:
        unsaid, state.unsaid = state.unsaid, 0
        actors, ips = merged(pane.actors for pane in state.panes), merged(pane.ips for pane in state.panes)
        number = actors.number()
        few = sum(1 for n in actors.counts.values() if n <= limits.max_attempts)
        if number < limits.min_actors or few < limits.few_share * len(actors.counts):
            return None
        # An address that does much of it alone is left out, not an excuse for the others: they must still make up half of what fails.
        light = [n for n in ips.counts.values() if n << ips.level <= limits.ip_share * total.failures]
        seen = sum(ips.counts.values())
        if len(light) << ips.level < limits.min_ips or 2 * sum(light) < seen:
            return None
        state.most_actors, state.most_ips = max(state.most_actors, number), max(state.most_ips, ips.number())
        if state.episode is not None:
            state.failures += unsaid
            state.unknown = round(total.unknown_share() * state.failures)
            state.attempts += unsaid
            state.episode.count += unsaid - 1
            return self.go_on(key, state, event.ts, event.id)
        state.failures, state.unknown = total.failures, total.unknown
        state.attempts = total.failures + total.successes
        evidence = sorted(shown for pane in state.panes for shown in pane.evidence)
        # It may be a late event that shows it.
        first, last = min(event.ts, evidence[0][0]), max(event.ts, evidence[-1][0])
        return self.begin(key, state, last, first, total.failures, [event_id for _, event_id in evidence[:MAX_EVIDENCE]])

    # -- what the alert says ------------------------------------------------------------------------------------------------------

    def reset(self, state: Stuffing) -> None:
        """See ``EpisodeDetector``."""
        state.actors = state.succeeded = None
        state.attempts = state.failures = state.unknown = state.most_actors = state.most_ips = 0

    def severity(self, key: str, state: Stuffing) -> Severity:
        """Medium; high once a pair worked, or when a tenant is attacked ten times as broadly as it takes."""
        if self.variant == "by_tenant":
            return "high" if state.most_actors >= 10 * self.limits_of(key).min_actors else "medium"
        return "high" if state.succeeded is not None and state.succeeded.total else "medium"

    def facts(self, key: str, state: Stuffing) -> dict[str, Fact]:
        """See ``EpisodeDetector``."""
        limits = self.limits_of(key)
        facts: dict[str, Fact] = {
            "attempts": state.attempts,
            "failures": state.failures,
            "failure_ratio": round(state.failures / max(1, state.attempts), 3),
            "unknown_user_share": round(state.unknown / max(1, state.failures), 3),
            "min_attempts": limits.min_attempts,
            "min_actors": limits.min_actors,
            "max_attempts": limits.max_attempts,
            "window_s": limits.window_s,
        }
        if self.variant == "by_tenant":
            return facts | {"distinct_actors": state.most_actors, "distinct_ips": state.most_ips, "min_ips": limits.min_ips}
        assert state.actors is not None
        assert state.succeeded is not None
        facts |= {"distinct_actors": state.actors.number(), "succeeded_actors": state.succeeded.number()}
        if state.succeeded.total:
            facts["first_success"] = first_names(state.succeeded.counts, 1)
        return facts

    def links(self, key: str, state: Stuffing) -> tuple[tuple[EntityType, str], ...]:
        """The first accounts that were got into."""
        if state.succeeded is None:
            return ()
        return tuple(("actor", actor) for actor in list(state.succeeded.counts)[:5])

    def explain(self, finding: Finding) -> str:
        """See ``Detector``."""
        f = finding.facts
        seen = span(finding.last_seen - finding.first_seen)
        unknown = f"{float(f['unknown_user_share']):.0%} of the failures are for users that do not exist"
        if finding.entity_type == "tenant":
            return (
                f"{times(f['failures'], 'failed login')} in {seen}, of up to {times(f['distinct_actors'], 'actor')} "
                f"from {times(f['distinct_ips'], 'address')} within {span(float(f['window_s']))}; {unknown}."
            )
        text = f"{times(f['attempts'], 'login')} from this address in {seen} as {times(f['distinct_actors'], 'actor')}, {float(f['failure_ratio']):.0%} failed; {unknown}."
        if not f["succeeded_actors"]:
            return text
        return f"{text} It got in as {times(f['succeeded_actors'], 'actor')}, first as {f['first_success']}."

    def counterfactual(self, finding: Finding) -> str:
        """See ``Detector``."""
        f = finding.facts
        where = f" or from fewer than {times(f['min_ips'], 'address')}" if finding.entity_type == "tenant" else ""
        return (
            f"silent with fewer than {times(f['min_attempts'], 'attempt')} or {times(f['min_actors'], 'actor')} "
            f"in {span(float(f['window_s']))}{where}, or with more than {times(f['max_attempts'], 'attempt')} on most of them"
        )
