"""Many failed logins of one account, or from one address, in a short time (ATT&CK T1110.001)."""

from typing import Annotated, ClassVar

import msgspec
from pydantic import Field

from detectors.base import Variant, by_actor, by_ip
from detectors.episode import EpisodeDetector, EpisodeState
from detectors.phrases import span, times
from detectors.settings import DetectorSettings, Seconds
from detectors.shared_address import Known, SharedLimits, fresh_s, is_shared, vouch
from detectors.windows import Distinct, slide
from schemas.event import Event
from schemas.finding import EntityType, Fact, Finding
from schemas.severity import Severity


class BurstLimits(SharedLimits):
    """When failures are a burst."""

    threshold: Annotated[int, Field(ge=2, le=100_000, description="Failures within `window_s` that make an alert.")] = 10
    window_s: Annotated[Seconds, Field(description="Seconds in which they fall.")] = 600
    fast_threshold: Annotated[
        int,
        Field(
            ge=0,
            le=1_000,
            description="Failures within `fast_window_s` that make an alert of low severity: no hand types that fast. 0: off.",
        ),
    ] = 0
    fast_window_s: Annotated[Seconds, Field(description="Seconds in which those fall.")] = 10


class BurstSettings(DetectorSettings):
    """`failed_login_burst`: numbers follow the middle of what other systems ship (5–20 failures in 5–60 minutes)."""

    variant_fields: ClassVar[tuple[str, ...]] = ("by_actor", "by_ip")
    by_actor: BurstLimits = Field(BurstLimits(), description="Failures of one account.")
    by_ip: BurstLimits = Field(BurstLimits(threshold=20, fast_threshold=6), description="Failures from one address.")


class Burst(EpisodeState):
    """At most ``threshold`` failures (at a shared address ``MAX_KNOWN`` + 1), ``MAX_KNOWN`` actors and the counts of one episode."""

    fails: list[tuple[float, str, str]] = msgspec.field(default_factory=list)
    """(event time, id, the other side: address of an account's failures, account of an address's)."""
    good: Known = msgspec.field(default_factory=dict)
    """By address: who logged in from it."""
    others: Distinct | None = None
    """The other sides of the open episode."""
    fast: bool = False


class FailedLoginBurst(EpisodeDetector[Burst, BurstLimits]):
    """Counts failures in a sliding window, exactly.

    State per key: about 1–4 KB while failing, 0.3 KB for an address of one person, at most 80 KB for one that hundreds share.
    """

    name = "failed_login_burst"
    title = "Burst of failed logins"
    sees = "Many failed logins of one account, or from one address, within minutes."
    kinds = frozenset({"auth.login"})
    techniques = ("T1110.001",)
    false_positives = (
        "A person who forgot the password: a success from the same address takes back the failures from there.",
        "An office, NAT or kiosk where some of many people mistype: an address is silent while no more actors fail than log in.",
        "A service with an old password: allow-list it by name, or raise its threshold with an override, until it is mended.",
        "A penetration test: put its addresses on the allow-list with an end date.",
    )
    variants: ClassVar[dict[str, Variant]] = {
        "by_actor": Variant("actor", by_actor, passive=frozenset({"success"})),
        "by_ip": Variant("ip", by_ip),
    }
    Settings = BurstSettings
    State = Burst

    def __init__(self, variant: str, settings: DetectorSettings) -> None:
        super().__init__(variant, settings)
        self._fresh_s = fresh_s(limits.shared_memory_s for limits in self.all_limits)

    def memory_s(self, limits: BurstLimits) -> float:
        """The window, or as long as successes count."""
        return max(limits.window_s, limits.shared_memory_s if self.variant == "by_ip" else 0.0)

    def on_event(self, key: str, state: Burst, event: Event) -> Finding | None:
        """Count a failure; a success forgives or vouches."""
        if event.outcome == "success":
            # The common case: somebody known, noted lately.
            seen = state.good.get(event.actor or "")
            if seen is None or not 0 <= event.ts - seen[1] <= self._fresh_s:
                self._succeed(key, state, event)
            return None
        if event.outcome != "failure":
            return None
        limits = self.limits_of(key)
        other = (event.ip if self.variant == "by_actor" else event.actor) or ""
        if state.episode is not None:
            if state.others is not None:
                state.others.add(other)
            return self.go_on(key, state, event.ts, event.id)
        fails = state.fails
        # At a shared address more actors must fail than are known there, so more failures must be held to tell.
        slide(fails, (event.ts, event.id, other), limits.window_s, max(limits.threshold, limits.fast_threshold, len(state.good) + 1))
        full = len(fails) >= limits.threshold
        fast = (
            not full and 0 < limits.fast_threshold <= len(fails) and fails[-1][0] - fails[-limits.fast_threshold][0] <= limits.fast_window_s
        )
        if not (full or fast) or self._is_shared(state, limits, event.ts):
            return None
        state.others = Distinct()
        for _, _, each in fails:
            state.others.add(each)
        state.fast = fast
        evidence = [event_id for _, event_id, _ in fails]
        finding = self.begin(key, state, fails[-1][0], fails[0][0], len(fails), evidence)
        fails.clear()
        return finding

    def _succeed(self, key: str, state: Burst, event: Event) -> None:
        if self.variant == "by_actor":
            # Only what came before and from the same place is forgiven: the owner's own login must not hide somebody else's guessing.
            if state.fails:
                state.fails = [fail for fail in state.fails if fail[2] != (event.ip or "") or fail[0] > event.ts]
        elif event.actor is not None:
            vouch(state.good, event.actor, event.ts, self.limits_of(key).shared_memory_s)

    def _is_shared(self, state: Burst, limits: BurstLimits, ts: float) -> bool:
        good = state.good
        return bool(good) and is_shared(good, limits, len({fail[2] for fail in state.fails}), ts)

    def reset(self, state: Burst) -> None:
        """See ``EpisodeDetector``."""
        state.others = None
        state.fast = False

    def severity(self, key: str, state: Burst) -> Severity:
        """An account: medium, then high. An address of the internet is expected to knock: low, and worse the more it does."""
        episode, limits = state.episode, self.limits_of(key)
        assert episode is not None
        if self.variant == "by_actor":
            return "high" if episode.count >= 10 * limits.threshold else "medium"
        if episode.count >= 50 * limits.threshold:
            return "high"
        return "medium" if episode.count >= 5 * limits.threshold else "low"

    def facts(self, key: str, state: Burst) -> dict[str, Fact]:
        """See ``EpisodeDetector``."""
        episode, limits = state.episode, self.limits_of(key)
        assert episode is not None
        others = "distinct_ips" if self.variant == "by_actor" else "distinct_actors"
        return {
            "failures": episode.count,
            others: state.others.number() if state.others is not None else 0,
            "threshold": limits.fast_threshold if state.fast else limits.threshold,
            "window_s": limits.fast_window_s if state.fast else limits.window_s,
        }

    def links(self, key: str, state: Burst) -> tuple[tuple[EntityType, str], ...]:
        """The one address or account that nearly all of it is about."""
        main = state.others.main() if state.others is not None else None
        if not main:
            return ()
        return (("ip" if self.variant == "by_actor" else "actor", main),)

    def explain(self, finding: Finding) -> str:
        """See ``Detector``."""
        f = finding.facts
        seen = span(finding.last_seen - finding.first_seen)
        if finding.entity_type == "actor":
            return f"{times(f['failures'], 'failed login')} of this account in {seen}, from {times(f['distinct_ips'], 'address')}."
        return f"{times(f['failures'], 'failed login')} from this address in {seen}, against {times(f['distinct_actors'], 'account')}."

    def counterfactual(self, finding: Finding) -> str:
        """See ``Detector``."""
        f = finding.facts
        return f"silent with fewer than {times(f['threshold'], 'failure')} in {span(float(f['window_s']))}"
