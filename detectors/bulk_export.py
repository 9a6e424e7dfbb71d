"""Much more data leaving through one account than a person needs (ATT&CK T1530, T1213, T1567)."""

from itertools import product
from typing import Annotated, ClassVar

import msgspec
from pydantic import Field

from detectors.base import ASK, NEVER, PeerMemory, Variant, Verdict, by_actor, split_key
from detectors.episode import MAX_EVIDENCE, Episode, EpisodeDetector, Quiet
from detectors.exports import PANES, Exports, Near, Taken, clear, name_object, put_back, short, shorten, turn, turn_long
from detectors.learned.budget import DAY_S
from detectors.learned.exports import (
    ALWAYS_SCORE,
    LEAST_SCORE,
    MEASURES,
    MOST_OF_ONE,
    SMALL_BYTES,
    SMALL_RECORDS,
    ExportPeers,
    History,
    LearnedExports,
)
from detectors.learned.level import UNREACHED
from detectors.phrases import size, span, times
from detectors.settings import DetectorSettings, Seconds
from detectors.windows import Distinct
from schemas.event import Event
from schemas.finding import EntityType, Fact, Finding, Phase
from schemas.severity import Severity

MAX_OBJECTS = 10_000
"""Objects told apart within the window, at most; no limit is higher, service accounts' included."""
FAR_BEYOND = 5
"""Times a limit from which on it is no matter of taste."""
SERVICES = frozenset({"service", "api_key"})
GIB = 1024**3
KINDS = frozenset({"data.export", "data.query", "api.request", "admin.action"})


class ExportSettings(DetectorSettings):
    """`bulk_export`: any one of three limits; what other systems ship lies at 10–100 objects or 5,000 files an hour."""

    objects: Annotated[
        int, Field(ge=0, le=MAX_OBJECTS, description="Distinct exported objects within `window_s` that make an alert. 0: not limited.")
    ] = 100
    records: Annotated[int, Field(ge=0, le=10**15, description="Records within `window_s` that make an alert. 0: not limited.")] = 50_000
    bytes: Annotated[int, Field(ge=0, le=10**18, description="Bytes within `window_s` that make an alert. 0: not limited.")] = GIB
    window_s: Annotated[Seconds, Field(ge=60, description="Seconds in which they leave.")] = 3600
    service_factor: Annotated[
        float, Field(ge=1, le=10_000, description="Times as much that service accounts and API keys may export; at most 10,000 objects.")
    ] = 10
    learned: Annotated[LearnedExports, Field(description="What is below the limits, and unusual.")] = LearnedExports()
    quiet_s: Quiet = 3600


def _near(limits: ExportSettings) -> Near:
    objects, records, volume = (limit / 10 if limit else NEVER for limit in (limits.objects, limits.records, limits.bytes))
    return Near(objects, records, volume, records / 10, volume / 10, limits.window_s / PANES, limits.window_s)


class BulkExport(EpisodeDetector[Exports, ExportSettings]):
    """Counts objects, records and bytes in a sliding window; objects exactly, the window to a sixtieth of it.

    State per key: 0.2 KB for one that takes out little, else 0.5–10 KB, and about 0.1 KB for each object within the window (at most 10,000).
    Cost ≈ 0.3 µs for an event with little data, else 0.6–1.5 µs.
    """

    name = "bulk_export"
    title = "Bulk export of data"
    sees = "Unusually many objects, records or bytes leaving through one account within an hour."
    kinds = KINDS
    techniques = ("T1530", "T1213", "T1567")
    false_positives = (
        "A backup, migration or nightly job: allow-list its account for this detector, or raise its limits with an override.",
        "A service account: its limits are `service_factor` times as high; send `actor_type`.",
        "A client that synchronises: the same object again counts once; raise `objects` for those who use it.",
        "Refused or broken exports: what failed does not count.",
        "A product whose ordinary answers are large (media, downloads): raise `bytes`, or switch that limit off with 0.",
    )
    variants: ClassVar[dict[str, Variant]] = {
        "by_actor": Variant("actor", by_actor, ignores=frozenset(product(KINDS, ("failure", "challenge"))))
    }
    Settings = ExportSettings
    State = Exports

    def __init__(self, variant: str, settings: DetectorSettings) -> None:
        super().__init__(variant, settings)
        self._near = _near(self.limits)
        self._near_of = {id(limits): _near(limits) for limits in self.all_limits}
        self.peers = PeerMemory(self, ExportPeers, version=1, idle_ttl_s=self.idle_ttl_s, max_keys=min(settings.max_keys, 10_000))

    def memory_s(self, limits: ExportSettings) -> float:
        """The window; where what is usual is learned, a month."""
        return max(limits.window_s, 30 * DAY_S) if limits.learned.enabled else limits.window_s

    def on_event(self, key: str, state: Exports, event: Event) -> Finding | None:
        """Add what left; below a tenth of every limit nothing but sums is kept."""
        volume, is_export = event.bytes, event.kind == "data.export"
        if volume <= 0 and event.records <= 0 and not is_export:
            return None
        if state.taken is not None:
            return self._grow(key, state, state.taken, event)
        ts, is_late = event.ts, False
        near = self._near if self.overrides is None else self._near_of[id(self.limits_of(key))]
        if state.number < 0:
            # The common case: an account that takes out little.
            if ts >= state.end:
                turn_long(state, ts, near)
            if not is_export and state.bytes + volume < near.few_bytes and state.records + event.records < near.few_records:
                state.events += 1
                state.bytes += max(volume, 0)
                state.records += max(event.records, 0)
                return None
            shorten(state, near.pane_s)
        if not state.start <= ts < state.end:
            number = int(ts / near.pane_s)
            if number > state.number:
                turn(state, number, ts, near.pane_s)
            elif number <= state.number - PANES:
                return None
            else:
                is_late = number < state.number
        state.events += 1
        if event.records > 0:
            state.records += min(event.records, MOST_OF_ONE)
        if volume > 0:
            state.bytes += min(volume, MOST_OF_ONE)
        if is_export:
            name_object(state, event, int(ts / near.pane_s) if is_late else state.number, limited=near.objects < NEVER)
        if is_late:
            put_back(state, event, int(ts / near.pane_s))
        asks = False
        if is_export or volume >= SMALL_BYTES or event.records >= SMALL_RECORDS:
            history = state.history
            if history is None:
                history = state.history = History()
            asks = history.add(event)
        if (
            state.bytes < near.bytes
            and state.records < near.records
            and (state.targets is None or len(state.targets) + state.nameless < near.objects)
        ):
            return ASK if asks else None
        return self._look(key, state, event) or (ASK if asks else None)

    def _look(self, key: str, state: Exports, event: Event) -> Finding | None:
        """Keep what the alert will show, and see whether a limit is passed."""
        recent = state.recent
        if recent is None:
            recent = state.recent = []
        recent.append((event.ts, event.id, event.ip or ""))
        if len(recent) > 2 * MAX_EVIDENCE:
            del recent[:MAX_EVIDENCE]
        limits = self.limits_of(key)
        factor = limits.service_factor if event.actor_type in SERVICES else 1
        objects = len(state.targets or ()) + state.nameless
        if (
            0 < limits.records * factor <= state.records
            or 0 < limits.bytes * factor <= state.bytes
            or (objects and limits.objects > 0 and (objects >= limits.objects * factor or objects >= MAX_OBJECTS))
        ):
            return self._open(key, state, event)
        return None

    def consider(self, key: str, state: Exports, peers: ExportPeers, now: float, event: Event | None) -> Finding | None:
        """A day with exports has ended, or is worth a look."""
        history, limits = state.history, self.limits_of(key)
        assert event is not None
        assert history is not None
        factor = limits.service_factor if event.actor_type in SERVICES else 1
        floors = [limit * factor * limits.learned.share if limit else UNREACHED for limit in (limits.objects, limits.records, limits.bytes)]
        if int(event.ts // DAY_S) > history.day:
            if history.day >= 0:
                history.end_day(peers)
            known = limits.learned.enabled and history.days >= limits.learned.min_days
            if known:
                peers.budget.begin(event.ts)
            if not history.begin_day(event, floors if known else [UNREACHED] * len(MEASURES)):
                return None
        found = history.unusual(peers, limits.learned, floors)
        if not found:
            return None
        index, score, usual_amount, limit = max(found, key=lambda each: each[1])
        who, per_day = split_key(key)[1], limits.learned.budget.alerts_per_day
        threshold = peers.budget.threshold(event.ts, per_day, LEAST_SCORE, ALWAYS_SCORE)
        peers.budget.note(who, score, event.ts, per_day)
        if score <= threshold:
            return None
        peers.budget.spend(who, event.ts, per_day)
        sums, ips = history.sums, Distinct()
        ips.add(event.ip or "")
        state.taken = Taken(Distinct(), ips, sums[0], sums[1], sums[2], event.actor_type in SERVICES, MEASURES[index])
        state.taken.unusual = {"usual": round(usual_amount, 1), "limit": round(limit), "score": round(score, 2), "days": history.days}
        history.is_held = True
        clear(state)
        return self.begin(key, state, event.ts, history.first_ts, history.events, [event.id])

    def judge(self, key: str, state: Exports, peers: ExportPeers, verdict: Verdict, now: float) -> None:
        """An attack teaches nothing, and does not count against the budget; anything else is learned."""
        history = state.history
        if verdict == "true":
            peers.budget.forgive(split_key(key)[1], now - 2 * DAY_S)
        elif history is not None and history.held is not None:
            history.learn(peers, history.held)
        elif history is not None:
            history.is_held = False
        if history is not None:
            history.held = None

    def _grow(self, key: str, state: Exports, taken: Taken, event: Event) -> Finding | None:
        """One more event of the open episode."""
        if state.history is not None:
            state.history.add(event)
        taken.records += min(max(0, event.records), MOST_OF_ONE)
        taken.bytes += min(max(0, event.bytes), MOST_OF_ONE)
        taken.ips.add(event.ip or "")
        if event.kind == "data.export":
            if event.target is None:
                taken.nameless += 1
            else:
                taken.objects.add(short(event.target))
        return self.go_on(key, state, event.ts, event.id)

    def _open(self, key: str, state: Exports, event: Event) -> Finding:
        number, first_ts = state.panes[0][:2] if state.panes else (state.number, state.first_ts)
        pane_s = self.limits_of(key).window_s / PANES
        recent = sorted(entry for entry in state.recent or () if int(entry[0] / pane_s) >= number)
        objects, ips = Distinct(), Distinct()
        for target in state.targets or ():
            objects.add(target)
        for _, _, ip in recent:
            ips.add(ip)
        if state.history is not None:
            state.history.is_held = True
        service = event.actor_type in SERVICES
        state.taken = Taken(objects, ips, state.nameless, state.records, state.bytes, service)
        state.taken.passed = ", ".join(name for name, (value, limit) in self._measures(key, state.taken).items() if 0 < limit <= value)
        shown = recent[-MAX_EVIDENCE:]
        first_seen, last_seen, count = min(first_ts, shown[0][0]), max(event.ts, shown[-1][0]), state.events
        clear(state)
        return self.begin(key, state, last_seen, first_seen, count, [event_id for _, event_id, _ in shown])

    def reset(self, state: Exports) -> None:
        """See ``EpisodeDetector``."""
        state.taken = None

    def severity(self, key: str, state: Exports) -> Severity:
        """Medium, low for service accounts; high at five times a limit."""
        taken = state.taken
        assert taken is not None
        share = max((value / limit for value, limit in self._measures(key, taken).values() if limit), default=0.0)
        if share >= FAR_BEYOND:
            return "high"
        return "low" if taken.service or share < 1 else "medium"

    def _measures(self, key: str, taken: Taken) -> dict[str, tuple[int, int]]:
        """Each measure's value and limit."""
        limits = self.limits_of(key)
        factor = limits.service_factor if taken.service else 1
        return {
            "objects": (taken.objects.number() + taken.nameless, int(min(limits.objects * factor, MAX_OBJECTS))),
            "records": (taken.records, int(limits.records * factor)),
            "bytes": (taken.bytes, int(limits.bytes * factor)),
        }

    def facts(self, key: str, state: Exports) -> dict[str, Fact]:
        """See ``EpisodeDetector``."""
        taken = state.taken
        assert taken is not None
        measures = self._measures(key, taken)
        facts: dict[str, Fact] = {"passed": taken.passed}
        for name, (value, limit) in measures.items():
            facts[name] = value
            facts[f"{name}_limit"] = limit
        facts["account"] = "service" if taken.service else "user"
        facts["window_s"] = self.limits_of(key).window_s
        if taken.unusual is not None:
            learned = taken.unusual
            facts |= {
                "unusual": taken.passed,
                "usual": learned["usual"],
                "unusual_from": learned["limit"],
                "days_learned": int(learned["days"]),
            }
        return facts

    def links(self, key: str, state: Exports) -> tuple[tuple[EntityType, str], ...]:
        """The one address that nearly all of it went to."""
        main = state.taken.ips.main() if state.taken is not None else None
        return (("ip", main),) if main else ()

    def _say(self, key: str, state: Exports, episode: Episode, phase: Phase, ts: float) -> Finding:
        finding = super()._say(key, state, episode, phase, ts)
        unusual = state.taken.unusual if state.taken is not None else None
        return finding if unusual is None else msgspec.structs.replace(finding, score=unusual["score"])

    def explain(self, finding: Finding) -> str:
        """See ``Detector``."""
        f = finding.facts
        parts = [_amount(name, f[name]) for name in ("objects", "records", "bytes") if f[name]]
        whom = "service account" if f["account"] == "service" else "account"
        if "unusual" in f:
            usual_amount = _amount(str(f["unusual"]), f["usual"])
            return (
                f"{_listed(parts)} left through this {whom} within a day, below every limit; usually it is {usual_amount}, "
                f"learned from {times(f['days_learned'], 'day')} with exports."
            )
        return f"{_listed(parts)} left through this {whom} in {span(finding.last_seen - finding.first_seen)}, in {times(finding.count, 'event')}."

    def counterfactual(self, finding: Finding) -> str:
        """See ``Detector``."""
        f = finding.facts
        if "unusual" in f:
            return f"silent below {_amount(str(f['unusual']), f['unusual_from'])} in a day, or if as much had been there before"
        limits = [_amount(name, f[f"{name}_limit"]) for name in str(f["passed"]).split(", ")]
        return f"silent below {' and '.join(limits)} in {span(float(f['window_s']))}"


def _amount(name: str, number: Fact) -> str:
    return size(number) if name == "bytes" else times(round(float(number)), name.removesuffix("s"))


def _listed(parts: list[str]) -> str:
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]
