"""Many different things refused to one account, or to one address, in a short time (ATT&CK T1087.004, T1526, T1580, T1595.003)."""

from hashlib import blake2b
from typing import Annotated, ClassVar

import msgspec
from pydantic import Field

from detectors.base import Variant, by_actor
from detectors.episode import EpisodeDetector, EpisodeLimits, EpisodeState
from detectors.objects import ip_without_actor, template_of
from detectors.phrases import span, times
from detectors.probes import is_telltale, is_unasked
from detectors.settings import DetectorSettings, Seconds
from detectors.shared_address import Known, first_names, is_known, vouch
from detectors.windows import Distinct, slide
from schemas.event import Event
from schemas.finding import EntityType, Fact, Finding
from schemas.severity import Severity

MAX_HABITS = 64
"""Things remembered as long refused to one account."""
DAY_S = 86_400.0
UNAUTHENTICATED = "unauthenticated"
_REASONS = frozenset({"forbidden", "access_denied", UNAUTHENTICATED, "unauthorized", "insufficient_scope", "not_allowed"})
_SUCCESSES: frozenset[tuple[str, str | None]] = frozenset({("api.request", "success")})
_THING = 17
"""Where the area begins in a window's entry: after one mark and a digest of 16 characters."""


class RefusalLimits(EpisodeLimits):
    """When refusals are a burst."""

    threshold: Annotated[int, Field(ge=2, le=100_000, description="Refusals within `window_s` that make an alert.")] = 15
    distinct: Annotated[
        int, Field(ge=1, le=256, description="Different things (routes, targets, paths) that must be refused among them.")
    ] = 3
    window_s: Annotated[Seconds, Field(description="Seconds in which they fall.")] = 600
    min_share: Annotated[
        float,
        Field(
            ge=0, le=1, description="Share of refusals among all decisions (`authz.decision`) below which it is silent. 0: not looked at."
        ),
    ] = 0.2
    wide: Annotated[
        int, Field(ge=2, le=256, description="An account refused at this many routes or services, twice the threshold in all, is high.")
    ] = 5
    habit_s: Annotated[
        Seconds,
        Field(
            description="Seconds for which it is remembered what was refused to an account; what already was a day before adds no breadth."
        ),
    ] = 7 * DAY_S
    stuck_threshold: Annotated[
        int,
        Field(ge=0, le=100_000, description="Refusals of fewer than `distinct` things that make an alert of severity info. 0: silent."),
    ] = 0
    fast_distinct: Annotated[
        int,
        Field(ge=0, le=256, description="Different paths refused within `fast_window_s` that make an alert of low severity. 0: off."),
    ] = 0
    fast_window_s: Annotated[Seconds, Field(description="Seconds in which those fall.")] = 10
    telltale_weight: Annotated[
        int, Field(ge=1, le=100, description="How many paths one counts for there that nobody asks for by accident, such as `/.env`.")
    ] = 3
    count_not_found: Annotated[bool, Field(description="Whether 404, 410 and 400 count as refusals.")] = False
    reload_s: Annotated[
        float,
        Field(
            ge=0,
            le=60,
            description="What was refused already counts once more only this many seconds after the last refusal: a page loaded again asks "
            "for all its parts at once. 0, or with a `stuck_threshold`: every refusal counts.",
        ),
    ] = 0


class RefusalSettings(DetectorSettings):
    """`authorization_failure_burst`: other systems ship 10–30 refusals in 5–30 minutes, and 10 paths in 10 seconds for web probing."""

    variant_fields: ClassVar[tuple[str, ...]] = ("by_actor", "by_ip")
    by_actor: RefusalLimits = Field(RefusalLimits(reload_s=0.8), description="Refusals to one account.")
    by_ip: RefusalLimits = Field(
        RefusalLimits(threshold=30, distinct=10, fast_distinct=10, count_not_found=True),
        description="Refusals to one address of requests without an actor.",
    )


class Refused(msgspec.Struct):
    """What the open episode is about."""

    things: Distinct
    areas: Distinct
    others: Distinct
    """The other sides: addresses of an account's refusals."""
    fast: bool
    stuck: bool


class Refusals(EpisodeState):
    """At most twice the threshold's refusals, ``MAX_HABITS`` habits, and during an episode three times 256 counts: up to 45 KB."""

    fails: list[tuple[float, str, str]] = msgspec.field(default_factory=list)
    """(event time, id, mark and digest of the thing and then its area)."""
    others: list[str] = msgspec.field(default_factory=list)
    """Where the last few came from."""
    habits: Known = msgspec.field(default_factory=dict)
    """Digests of things refused to an account: first and last time."""
    refused: int = 0
    allowed: int = 0
    """Decisions since ``since``; halved when a window is over."""
    since: float = 0.0
    told: Refused | None = None


class AuthorizationFailureBurst(EpisodeDetector[Refusals, RefusalLimits]):
    """Counts refusals in a sliding window and how many different things they were about.

    Requests that succeed are not even keyed, and allowed decisions make no state. Cost ≈ 0.1 µs for one of those, 2–6 µs for a refusal.
    """

    name = "authorization_failure_burst"
    title = "Burst of refused requests"
    sees = "One account that is refused many different things, or one address that probes paths, within minutes."
    kinds = frozenset({"authz.decision", "api.request"})
    techniques = ("T1087.004", "T1526", "T1580", "T1595.003")
    false_positives = (
        "A client stuck on one refused call, or with an expired token: fewer than `distinct` things (all 401s are one thing) are silent.",
        "A page some of whose parts are refused, loaded again and again: what comes within `reload_s` of the last counts once for each part.",
        "A dashboard whose tiles are refused day after day: what was refused to the account a day before adds no breadth.",
        "A page that asks the policy service what to show: silent while less than `min_share` of the decisions are refusals.",
        "Pictures, icons and scripts that a page links but does not have, robots.txt and .well-known: a 404 for these does not count.",
        "A crawler with old links: never more than low below five times the threshold and the breadth; or `count_not_found: false`.",
        "A penetration test or one's own scanner: put its addresses on the allow-list with an end date.",
    )
    variants: ClassVar[dict[str, Variant]] = {
        "by_actor": Variant("actor", by_actor, passive=frozenset({"success"}), ignores=_SUCCESSES),
        "by_ip": Variant("ip", ip_without_actor, passive=frozenset({"success"}), ignores=_SUCCESSES),
    }
    Settings = RefusalSettings
    State = Refusals

    def memory_s(self, limits: RefusalLimits) -> float:
        """The window; for accounts as long as habits are remembered."""
        return max(limits.window_s, limits.habit_s if self.variant == "by_actor" else 0.0)

    def on_event(self, key: str, state: Refusals, event: Event) -> Finding | None:
        """Count a refusal; an allowed decision only lowers the share."""
        if event.outcome == "success":
            if state.fails:
                self._allow(state, self.limits_of(key), event.ts)
            return None
        limits = self.limits_of(key)
        if not _is_refusal(event, count_not_found=limits.count_not_found):
            return None
        ts, entry = event.ts, _entry(event)
        other = (event.ip if self.variant == "by_actor" else event.user_agent) or ""
        if state.told is not None:
            state.told.things.add(entry[1:_THING])
            state.told.areas.add(entry[_THING:])
            state.told.others.add(other[:64])
            return self.go_on(key, state, ts, event.id)
        if limits.reload_s and not limits.stuck_threshold and _is_reload(state.fails, ts, entry, limits.reload_s):
            return None
        self._allow(state, limits, ts)
        state.allowed -= 1
        state.refused += 1
        most = max(2 * limits.threshold, 2 * limits.fast_distinct, limits.stuck_threshold)
        slide(state.fails, (ts, event.id, entry), limits.window_s, most)
        state.others.append(other[:64])
        del state.others[:-20]
        old = False
        if self.variant == "by_actor":
            old = is_known(state.habits, entry[1:_THING], ts - limits.habit_s, ts - DAY_S)
            vouch(state.habits, entry[1:_THING], ts, limits.habit_s, MAX_HABITS)
        return None if old and not limits.stuck_threshold else self._look(key, state, limits)

    def _allow(self, state: Refusals, limits: RefusalLimits, ts: float) -> None:
        if ts - state.since > limits.window_s:
            over = ts - state.since > 2 * limits.window_s
            state.refused = 0 if over else state.refused // 2
            state.allowed = 0 if over else state.allowed // 2
            state.since = ts
        state.allowed += 1

    def _look(self, key: str, state: Refusals, limits: RefusalLimits) -> Finding | None:
        fails = state.fails
        fast = limits.fast_distinct > 0 and _fast(fails, limits)
        number = len(fails)
        if not fast and number < limits.threshold and not 0 < limits.stuck_threshold <= number:
            return None
        if state.refused < limits.min_share * (state.refused + state.allowed):
            return None
        new = {entry for _, _, entry in fails}
        if state.habits:
            newest = fails[-1][0]
            new = {e for e in new if not is_known(state.habits, e[1:_THING], newest - limits.habit_s, newest - DAY_S)}
        wide = number >= limits.threshold and len(new) >= limits.distinct
        stuck = 0 < limits.stuck_threshold <= number and not (wide or fast)
        return self._open(key, state, fast=fast and not wide, stuck=stuck) if wide or fast or stuck else None

    def _open(self, key: str, state: Refusals, *, fast: bool, stuck: bool) -> Finding:
        fails = state.fails
        state.told = told = Refused(Distinct(), Distinct(), Distinct(), fast, stuck)
        for _, _, entry in fails:
            told.things.add(entry[1:_THING])
            told.areas.add(entry[_THING:])
        for other in state.others:
            told.others.add(other)
        finding = self.begin(key, state, fails[-1][0], fails[0][0], len(fails), [event_id for _, event_id, _ in fails])
        state.fails, state.others = [], []
        return finding

    def reset(self, state: Refusals) -> None:
        """See ``EpisodeDetector``."""
        state.told = None

    def severity(self, key: str, state: Refusals) -> Severity:
        """An account: medium, high once it is refused all over the place. An address of the internet is expected to probe: low at first."""
        episode, told, limits = state.episode, state.told, self.limits_of(key)
        assert episode is not None
        assert told is not None
        distinct = told.things.number()
        if told.stuck and distinct < limits.distinct:
            return "info"
        if self.variant == "by_actor":
            return "high" if episode.count >= 2 * limits.threshold and told.areas.number() >= limits.wide else "medium"
        return "medium" if episode.count >= 5 * limits.threshold and distinct >= 5 * limits.distinct else "low"

    def facts(self, key: str, state: Refusals) -> dict[str, Fact]:
        """See ``EpisodeDetector``."""
        episode, told, limits = state.episode, state.told, self.limits_of(key)
        assert episode is not None
        assert told is not None
        facts: dict[str, Fact] = {
            "refusals": episode.count,
            "distinct_things": told.things.number(),
            "distinct_areas": told.areas.number(),
            "areas": first_names(told.areas.counts),
            "allowed": state.allowed,
            "rule": "fast" if told.fast else "stuck" if told.stuck else "burst",
        }
        if told.fast:
            return facts | {"distinct": limits.fast_distinct, "window_s": limits.fast_window_s, "telltale_weight": limits.telltale_weight}
        threshold = limits.stuck_threshold if told.stuck else limits.threshold
        return facts | {"threshold": threshold, "distinct": limits.distinct, "window_s": limits.window_s}

    def links(self, key: str, state: Refusals) -> tuple[tuple[EntityType, str], ...]:
        """The one address nearly all of an account's refusals went to."""
        main = state.told.others.main() if state.told is not None and self.variant == "by_actor" else None
        return (("ip", main),) if main else ()

    def explain(self, finding: Finding) -> str:
        """See ``Detector``."""
        f = finding.facts
        whom = "this account was" if finding.entity_type == "actor" else "this address was"
        things, areas = f"{times(f['distinct_things'], 'different thing')}", str(f["areas"])
        seen = span(finding.last_seen - finding.first_seen)
        return f"In {seen} {whom} refused {times(f['refusals'], 'time')}, for {things}; first {areas}."

    def counterfactual(self, finding: Finding) -> str:
        """See ``Detector``."""
        f = finding.facts
        window = span(float(f["window_s"]))
        if f["rule"] == "fast":
            return f"silent with fewer than {times(f['distinct'], 'different refused path')} in {window} (an obvious probe counts for {f['telltale_weight']})"
        text = f"silent with fewer than {times(f['threshold'], 'refusal')} in {window}"
        return text if f["rule"] == "stuck" else f"{text}, or with fewer than {times(f['distinct'], 'different thing')} among them"


def _is_refusal(event: Event, *, count_not_found: bool) -> bool:
    status = event.status
    if event.kind == "authz.decision":
        return event.outcome == "failure" or status in {401, 403}
    if status in {401, 403}:
        return True
    if status in {400, 404, 410}:
        return count_not_found and event.path is not None and not is_unasked(event.path)
    return status == 0 and event.outcome == "failure" and event.reason in _REASONS


def _entry(event: Event) -> str:
    """Mark, digest of what was refused, and the area it lies in. All that lacks a valid login is one thing: an expired token."""
    if event.status == 401 or event.reason == UNAUTHENTICATED:
        thing, area = UNAUTHENTICATED, UNAUTHENTICATED
    else:
        route, path, action, target = event.route, event.path, event.action, event.target
        if path is not None:
            thing = f"{path}?{event.query}" if event.query else path
        elif route is not None:
            thing = route
        else:
            thing = f"{action or ''} {target or ''}"
        area = route or (template_of(path) if path is not None else (action or target or "something").partition(":")[0])
    mark = "!" if event.path is not None and is_telltale(thing) else "-"
    digest = blake2b(thing.encode("utf-8", "replace"), digest_size=8).hexdigest()
    return f"{mark}{digest}{area[:64]}"


def _is_reload(fails: list[tuple[float, str, str]], ts: float, entry: str, reload_s: float) -> bool:
    """Whether the window holds this refusal already, and holds another one of about the same moment."""
    return bool(fails) and abs(ts - fails[-1][0]) < reload_s and any(entry == other for _, _, other in fails)


def _fast(fails: list[tuple[float, str, str]], limits: RefusalLimits) -> bool:
    """Whether so many different paths were refused within a few seconds that a machine is looking for something."""
    oldest, weight = fails[-1][0] - limits.fast_window_s, 0
    seen: set[str] = set()
    for ts, _, entry in reversed(fails):
        if ts < oldest:
            break
        if entry not in seen and not entry.endswith(UNAUTHENTICATED):
            seen.add(entry)
            weight += limits.telltale_weight if entry[0] == "!" else 1
            if weight >= limits.fast_distinct:
                return True
    return False
