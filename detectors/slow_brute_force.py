"""Password guessing that is too slow for a burst: steady, or minutes apart (ATT&CK T1110.001)."""

from itertools import pairwise
from typing import Annotated, ClassVar

import msgspec
from pydantic import Field

from detectors.base import NEVER, Variant, by_actor, by_ip
from detectors.episode import MAX_EVIDENCE, EpisodeDetector, EpisodeState
from detectors.phrases import span, times
from detectors.settings import Count, DetectorSettings, Seconds
from detectors.shared_address import MAX_KNOWN, Known, SharedLimits, fresh_s, is_shared, vouch
from detectors.windows import Distinct, slide
from schemas.event import Event
from schemas.finding import EntityType, Fact, Finding
from schemas.severity import Severity

MOST_FAILURES = 64
"""Failures of one key whose gaps are looked at: the newest."""
MAX_DEVICE_CHARS = 64
CALM_S = 60.0
"""Seconds for which an address found shared is taken to be so when its bucket overflows again."""


class SlowLimits(SharedLimits):
    """When failures are slow guessing."""

    capacity: Annotated[
        int,
        Field(ge=0, le=100_000, description="Failures a leaky bucket holds; one more makes an alert. 0: no bucket."),
    ] = 0
    leak_s: Annotated[Seconds, Field(description="Seconds in which the bucket loses one failure.")] = 60
    steady_s: Annotated[
        float,
        Field(
            ge=0, le=366 * 86_400, description="Seconds it must have gone on for when the bucket runs over; what is over sooner is a burst."
        ),
    ] = 600
    slow_threshold: Annotated[int, Field(ge=3, le=MOST_FAILURES, description="Failures within `window_s` whose gaps are looked at.")] = 8
    window_s: Annotated[Seconds, Field(description="Seconds in which they fall.")] = 86_400
    median_gap_s: Annotated[Seconds, Field(description="Their median gap, in seconds, from which they are slow guessing.")] = 300
    distributed_ips: Annotated[Count, Field(description="Addresses from which the guessing of one account is of medium severity.")] = 3


class SlowSettings(DetectorSettings):
    """`slow_brute_force`: a bucket that leaks one failure a minute, and the median gap of what is slower than that."""

    variant_fields: ClassVar[tuple[str, ...]] = ("by_ip", "by_actor")
    by_ip: SlowLimits = Field(
        SlowLimits(quiet_s=7200, capacity=10, slow_threshold=4, window_s=7200, median_gap_s=600),
        description="Guessing from one address.",
    )
    by_actor: SlowLimits = Field(SlowLimits(quiet_s=21_600), description="Guessing of one account, from wherever.")


class Bucket(msgspec.Struct):
    """A leaky bucket: how full it is, and what went into it since it was last empty."""

    level: float
    at: float
    first_seen: float
    count: int = 0
    evidence: list[str] = msgspec.field(default_factory=list)
    others: Distinct = msgspec.field(default_factory=Distinct)


class Slow(EpisodeState):
    """At most ``MOST_FAILURES`` failures and devices, one bucket, ``MAX_KNOWN`` actors and the counts of one episode."""

    fails: list[tuple[float, str, str]] = msgspec.field(default_factory=list)
    """(event time, id, the other side: address of an account's failures, account of an address's)."""
    bucket: Bucket | None = None
    calm_until: float = 0.0
    """By address: found shared until then."""
    good: Known = msgspec.field(default_factory=dict)
    """By address: who logged in from it."""
    others: Distinct | None = None
    """The other sides of the open episode."""
    rule: str = ""
    """What opened it: ``bucket`` or ``median_gap``."""
    gap_s: float = 0.0
    """The median gap that opened it."""
    devices: dict[str, str] = msgspec.field(default_factory=dict)
    """By actor: addresses of its failures, and the device that was told of first at each: one device on its way is one place."""


class SlowBruteForce(EpisodeDetector[Slow, SlowLimits]):
    """A bucket that overflows, or a median gap.

    The median, and not the mean, because it says that most failures were far apart: one long pause between two bursts does not make them
    slow, and a person who mistypes does so several times within a minute. State per key: about 10 KB at most, and 40 KB more for an address
    that hundreds of people share; 0.3 KB for one without failures.
    """

    name = "slow_brute_force"
    title = "Slow password guessing"
    sees = "Failed logins that go on steadily, or many minutes apart, below what a burst would show."
    kinds = frozenset({"auth.login"})
    techniques = ("T1110.001",)
    false_positives = (
        "A person who mistypes now and then: a success from the same address takes back that person's failures.",
        "An office, NAT or kiosk where some of many people mistype: an address is silent while no more actors fail than log in.",
        "A mail client or a service that tries an old password for days: low for as long as it is one device, or one account from one address; allow-list it by name until it is mended, or raise its slow_threshold with an override.",
        "A monitoring probe that logs in wrongly on purpose: put its address on the allow-list.",
    )
    variants: ClassVar[dict[str, Variant]] = {
        "by_ip": Variant("ip", by_ip),
        "by_actor": Variant("actor", by_actor, passive=frozenset({"success"})),
    }
    Settings = SlowSettings
    State = Slow

    def __init__(self, variant: str, settings: DetectorSettings) -> None:
        super().__init__(variant, settings)
        self._fresh_s = fresh_s(limits.shared_memory_s for limits in self.all_limits)

    def memory_s(self, limits: SlowLimits) -> float:
        """The window, the time a full bucket takes to empty, or as long as successes count."""
        shared_s = limits.shared_memory_s if self.variant == "by_ip" else 0.0
        return max(limits.window_s, (limits.capacity + 1) * limits.leak_s, shared_s)

    def on_event(self, key: str, state: Slow, event: Event) -> Finding | None:
        """Count a failure; a success forgives and vouches."""
        if event.outcome == "success":
            # The common case: nobody failed here, and it is somebody known, noted lately.
            seen = state.good.get(event.actor or "")
            if state.fails or seen is None or not 0 <= event.ts - seen[1] <= self._fresh_s:
                self._succeed(key, state, event)
            return None
        if event.outcome != "failure":
            return None
        other = (event.ip if self.variant == "by_actor" else event.actor) or ""
        if self.variant == "by_actor":
            _note_device(state, other, event.device_id)
        if state.episode is not None:
            if state.others is not None:
                state.others.add(other)
            return self.go_on(key, state, event.ts, event.id)
        limits = self.limits_of(key)
        # More of them than this in a window cannot have so long a median gap.
        most = max(limits.slow_threshold, min(MOST_FAILURES, int(2 * limits.window_s / limits.median_gap_s) + 2))
        slide(state.fails, (event.ts, event.id, other), limits.window_s, most)
        if limits.capacity:
            bucket = _fill(state, event, other, limits)
            if bucket.level > limits.capacity:
                bucket.level = float(limits.capacity)  # what is too much runs over
                if bucket.at - bucket.first_seen < limits.steady_s:
                    return None  # sooner than that, failed_login_burst has the say
                if event.ts >= state.calm_until:
                    # Where thousands share an address a bucket may not run empty for days: with a full memory of them, no number of failing
                    # ones tells.
                    if not is_shared(state.good, limits, min(bucket.others.number(), MAX_KNOWN), event.ts):
                        return self._open_bucket(key, state, bucket)
                    state.calm_until = event.ts + CALM_S
        return self._look_at_gaps(key, state, limits)

    def _succeed(self, key: str, state: Slow, event: Event) -> None:
        by_ip_here = self.variant == "by_ip"
        mine = (event.actor if by_ip_here else event.ip) or ""
        if state.fails:
            state.fails = [fail for fail in state.fails if fail[2] != mine or fail[0] > event.ts]
        if by_ip_here and mine:
            vouch(state.good, mine, event.ts, self.limits_of(key).shared_memory_s)

    def _open_bucket(self, key: str, state: Slow, bucket: Bucket) -> Finding:
        state.others, state.rule = bucket.others, "bucket"
        finding = self.begin(key, state, bucket.at, bucket.first_seen, bucket.count, bucket.evidence)
        state.bucket = None
        state.fails = []
        return finding

    def _look_at_gaps(self, key: str, state: Slow, limits: SlowLimits) -> Finding | None:
        fails = state.fails
        # If the whole list is younger than half its gaps would need, the median cannot be long: hammering costs no sort.
        number = len(fails)
        if number < limits.slow_threshold or fails[-1][0] - fails[0][0] < limits.median_gap_s * (number // 2):
            return None
        gap_s = _median([after[0] - before[0] for before, after in pairwise(fails)])
        if gap_s < limits.median_gap_s:
            return None
        others = Distinct()
        for _, _, other in fails:
            others.add(other)
        if is_shared(state.good, limits, others.number(), fails[-1][0]):
            return None
        state.others, state.rule, state.gap_s = others, "median_gap", gap_s
        finding = self.begin(key, state, fails[-1][0], fails[0][0], number, [event_id for _, event_id, _ in fails])
        state.bucket = None
        state.fails = []
        return finding

    def reset(self, state: Slow) -> None:
        """See ``EpisodeDetector``."""
        state.others = None
        state.rule, state.gap_s, state.devices = "", 0.0, {}

    def severity(self, key: str, state: Slow) -> Severity:
        """Low: it is patient, not successful. Medium for an address that does not give up, and for an account guessed from several places.

        Not for one device on its way through several networks, nor for minutes apart and always the same account: that is a program with an
        old password, and whoever guesses so slowly guesses little.
        """
        episode, limits = state.episode, self.limits_of(key)
        assert episode is not None
        others = state.others.number() if state.others is not None else 0
        if self.variant == "by_actor":
            return "medium" if others >= limits.distributed_ips and _places(state) >= limits.distributed_ips else "low"
        if state.rule == "median_gap" and others < 2:
            return "low"
        return "medium" if episode.count >= 5 * max(limits.capacity, limits.slow_threshold) else "low"

    def facts(self, key: str, state: Slow) -> dict[str, Fact]:
        """See ``EpisodeDetector``."""
        episode, limits = state.episode, self.limits_of(key)
        assert episode is not None
        others = "distinct_ips" if self.variant == "by_actor" else "distinct_actors"
        facts: dict[str, Fact] = {
            "failures": episode.count,
            others: state.others.number() if state.others is not None else 0,
            "rule": state.rule,
        }
        if state.rule == "bucket":
            return facts | {"capacity": limits.capacity, "leak_s": limits.leak_s, "steady_s": limits.steady_s}
        return facts | {
            "median_gap_s": state.gap_s,
            "threshold": limits.slow_threshold,
            "window_s": limits.window_s,
            "least_gap_s": limits.median_gap_s,
        }

    def links(self, key: str, state: Slow) -> tuple[tuple[EntityType, str], ...]:
        """The one address or account that nearly all of it is about."""
        main = state.others.main() if state.others is not None else None
        if not main:
            return ()
        return (("ip" if self.variant == "by_actor" else "actor", main),)

    def explain(self, finding: Finding) -> str:
        """See ``Detector``."""
        f = finding.facts
        seen = span(finding.last_seen - finding.first_seen)
        pace = f", at first one in {span(float(f['median_gap_s']))} (median)" if f["rule"] == "median_gap" else ""
        if finding.entity_type == "actor":
            return f"{times(f['failures'], 'failed login')} of this account in {seen}{pace}, from {times(f['distinct_ips'], 'address')}."
        return (
            f"{times(f['failures'], 'failed login')} from this address in {seen}{pace}, against {times(f['distinct_actors'], 'account')}."
        )

    def counterfactual(self, finding: Finding) -> str:
        """See ``Detector``."""
        f = finding.facts
        if f["rule"] == "bucket":
            steady = f", or had it been over within {span(float(f['steady_s']))}" if f["steady_s"] else ""
            return f"silent with at most {times(f['capacity'], 'failure')} and one more in each {span(float(f['leak_s']))}{steady}"
        return (
            f"silent with fewer than {times(f['threshold'], 'failure')} in {span(float(f['window_s']))}, "
            f"or with a median gap below {span(float(f['least_gap_s']))}"
        )


def _fill(state: Slow, event: Event, other: str, limits: SlowLimits) -> Bucket:
    """Let the bucket leak up to the event, then put it in. A late event finds the bucket as it is."""
    bucket, ts = state.bucket, event.ts
    leaked = -NEVER if bucket is None else bucket.level - (ts - bucket.at) / limits.leak_s
    if bucket is None or leaked <= 0:
        bucket = state.bucket = Bucket(0.0, ts, ts)
    elif ts > bucket.at:
        bucket.level, bucket.at = leaked, ts
    bucket.level += 1
    bucket.count += 1
    bucket.first_seen = min(bucket.first_seen, ts)
    bucket.others.add(other)
    if len(bucket.evidence) < MAX_EVIDENCE:
        bucket.evidence.append(event.id)
    return bucket


def _note_device(state: Slow, ip: str, device: str | None) -> None:
    devices = state.devices
    if devices and state.episode is None and not state.fails:
        devices.clear()
    if device is not None and ip not in devices and len(devices) < MOST_FAILURES:
        devices[ip] = device[:MAX_DEVICE_CHARS]


def _places(state: Slow) -> int:
    """How many devices and, where none was told, addresses the failures of the episode came from; exact up to 256."""
    if state.others is None:
        return 0
    return len({state.devices.get(ip) or ip for ip in state.others.counts})


def _median(numbers: list[float]) -> float:
    numbers.sort()
    middle = len(numbers) // 2
    return numbers[middle] if len(numbers) % 2 else (numbers[middle - 1] + numbers[middle]) / 2
