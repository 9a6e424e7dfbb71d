"""Much more data leaving through one account than a person needs (ATT&CK T1530, T1213, T1567)."""

from hashlib import blake2b
from typing import Annotated, ClassVar

import msgspec
from pydantic import Field

from detectors.base import Variant, by_actor
from detectors.episode import MAX_EVIDENCE, EpisodeDetector, EpisodeState, Quiet
from detectors.phrases import size, span, times
from detectors.settings import DetectorSettings, Seconds
from detectors.windows import EXACT_VALUES, Distinct
from schemas.event import Event
from schemas.finding import EntityType, Fact, Finding
from schemas.severity import Severity

PANES = 60
"""Parts the window is counted in: it slides by a sixtieth of itself."""
MAX_OBJECTS = 10_000
"""Objects told apart within the window, at most; no limit is higher, service accounts' included."""
MAX_TARGET_CHARS = 64
"""A longer name is remembered as its digest."""
MOST_OF_ONE = 10**12
"""Records or bytes of one event that count: more is a mistake or a lie, and sums of them must fit into 64 bits wherever they are sent."""
FAR_BEYOND = 5
"""Times a limit from which on it is no matter of taste."""
SERVICES = frozenset({"service", "api_key"})
GIB = 1024**3


def exported_by_actor(event: Event) -> str | None:
    """As ``by_actor``, for events that take data out only."""
    return by_actor(event) if event.records > 0 or event.bytes > 0 or event.kind == "data.export" else None


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
    quiet_s: Quiet = 3600


class Pane(msgspec.Struct):
    """A sixtieth of the window."""

    number: int
    first_ts: float
    events: int = 0
    records: int = 0
    bytes: int = 0
    nameless: int = 0
    """Exports that name no object; each counts as one."""


class Taken(msgspec.Struct):
    """What left so far in the open episode."""

    objects: Distinct
    ips: Distinct
    nameless: int
    records: int
    bytes: int
    service: bool
    passed: str = ""
    """The limits that were passed when it began."""


class Exports(EpisodeState):
    """At most 61 panes, as many targets as the limit of objects, and 40 event ids; during an episode its totals only."""

    panes: list[Pane] = msgspec.field(default_factory=list)
    """In order of time."""
    records: int = 0
    bytes: int = 0
    nameless: int = 0
    """Sums over the panes."""
    targets: dict[str, int] = msgspec.field(default_factory=dict)
    """Target to the pane it was last seen in; in that order."""
    recent: list[tuple[float, str, str]] = msgspec.field(default_factory=list)
    """(event time, id, address) of the last events."""
    taken: Taken | None = None


class BulkExport(EpisodeDetector[Exports, ExportSettings]):
    """Counts objects, records and bytes in a sliding window; objects exactly, the window to a sixtieth of it.

    State per key: 0.5–10 KB, and about 0.1 KB for each object within the window (at most 10,000). Cost ≈ 0.6–1.5 µs for each event with data.
    """

    name = "bulk_export"
    title = "Bulk export of data"
    sees = "Unusually many objects, records or bytes leaving through one account within an hour."
    kinds = frozenset({"data.export", "data.query", "api.request", "admin.action"})
    techniques = ("T1530", "T1213", "T1567")
    false_positives = (
        "A backup, migration or nightly job: allow-list its account for this detector, or raise its limits with an override.",
        "A service account: its limits are `service_factor` times as high; send `actor_type`.",
        "A client that synchronises: the same object again counts once; raise `objects` for those who use it.",
        "Refused or broken exports: what failed does not count.",
        "A product whose ordinary answers are large (media, downloads): raise `bytes`, or switch that limit off with 0.",
    )
    variants: ClassVar[dict[str, Variant]] = {"by_actor": Variant("actor", exported_by_actor)}
    Settings = ExportSettings
    State = Exports

    def memory_s(self, limits: ExportSettings) -> float:
        """The window."""
        return limits.window_s

    def on_event(self, key: str, state: Exports, event: Event) -> Finding | None:
        """Add what left."""
        outcome = event.outcome
        if outcome is not None and outcome != "success":
            return None
        limits = self.limits_of(key)
        target = event.target if event.kind == "data.export" else None
        if target is not None and len(target) > MAX_TARGET_CHARS:
            target = blake2b(target.encode("utf-8", "replace"), digest_size=12).hexdigest()
        nameless = target is None and event.kind == "data.export"
        if state.taken is not None:
            return self._grow(key, state, state.taken, event, target)
        number = int(event.ts * PANES // limits.window_s)
        pane = state.panes[-1] if state.panes else None
        if pane is None or pane.number != number:
            pane = self._pane(state, number, event.ts)
            if pane is None:
                return None
        pane.events += 1
        if event.records > 0:
            records = min(event.records, MOST_OF_ONE)
            pane.records += records
            state.records += records
        if event.bytes > 0:
            volume = min(event.bytes, MOST_OF_ONE)
            pane.bytes += volume
            state.bytes += volume
        if nameless:
            pane.nameless += 1
            state.nameless += 1
        elif target is not None and (limits.objects or len(state.targets) < EXACT_VALUES):
            _seen(state.targets, target, number)
        recent = state.recent
        recent.append((event.ts, event.id, event.ip or ""))
        if len(recent) > 2 * MAX_EVIDENCE:
            del recent[:MAX_EVIDENCE]
        factor = limits.service_factor if event.actor_type in SERVICES else 1
        objects = len(state.targets) + state.nameless
        if (
            0 < limits.records * factor <= state.records
            or 0 < limits.bytes * factor <= state.bytes
            or (objects and limits.objects > 0 and (objects >= limits.objects * factor or objects >= MAX_OBJECTS))
        ):
            return self._open(key, state, event)
        return None

    def _grow(self, key: str, state: Exports, taken: Taken, event: Event, target: str | None) -> Finding | None:
        """One more event of the open episode."""
        taken.records += min(max(0, event.records), MOST_OF_ONE)
        taken.bytes += min(max(0, event.bytes), MOST_OF_ONE)
        taken.ips.add(event.ip or "")
        if target is not None:
            taken.objects.add(target)
        elif event.kind == "data.export":
            taken.nameless += 1
        return self.go_on(key, state, event.ts, event.id)

    def _pane(self, state: Exports, number: int, ts: float) -> Pane | None:
        """The pane of that number, and the end of those the window has left; ``None``: it left that one long ago."""
        panes = state.panes
        if panes and number < panes[-1].number:
            if number <= panes[-1].number - PANES:
                return None
            at = len(panes)
            while at and panes[at - 1].number > number:
                at -= 1
            if at and panes[at - 1].number == number:
                return panes[at - 1]
            pane = Pane(number, ts)
            panes.insert(at, pane)
            return pane
        oldest = number - PANES + 1
        gone = 0
        while gone < len(panes) and panes[gone].number < oldest:
            old = panes[gone]
            state.records -= old.records
            state.bytes -= old.bytes
            state.nameless -= old.nameless
            gone += 1
        if gone:
            del panes[:gone]
            targets = state.targets
            while targets:
                name = next(iter(targets))
                if targets[name] >= oldest:
                    break
                del targets[name]
        pane = Pane(number, ts)
        panes.append(pane)
        return pane

    def _open(self, key: str, state: Exports, event: Event) -> Finding:
        objects, ips = Distinct(), Distinct()
        for target in state.targets:
            objects.add(target)
        for _, _, ip in state.recent:
            ips.add(ip)
        service = event.actor_type in SERVICES
        state.taken = Taken(objects, ips, state.nameless, state.records, state.bytes, service)
        state.taken.passed = ", ".join(name for name, (value, limit) in self._measures(key, state.taken).items() if 0 < limit <= value)
        window_s = self.limits_of(key).window_s
        first_number = state.panes[0].number
        shown = sorted(entry for entry in state.recent if int(entry[0] * PANES // window_s) >= first_number)[-MAX_EVIDENCE:]
        first_seen = min(state.panes[0].first_ts, shown[0][0])
        last_seen = max(event.ts, shown[-1][0])
        count = sum(pane.events for pane in state.panes)
        _clear(state)
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
        return "low" if taken.service else "medium"

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
        return facts

    def links(self, key: str, state: Exports) -> tuple[tuple[EntityType, str], ...]:
        """The one address that nearly all of it went to."""
        main = state.taken.ips.main() if state.taken is not None else None
        return (("ip", main),) if main else ()

    def explain(self, finding: Finding) -> str:
        """See ``Detector``."""
        f = finding.facts
        parts = [_amount(name, f[name]) for name in ("objects", "records", "bytes") if f[name]]
        what = f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]
        whom = "service account" if f["account"] == "service" else "account"
        return f"{what} left through this {whom} in {span(finding.last_seen - finding.first_seen)}, in {times(finding.count, 'event')}."

    def counterfactual(self, finding: Finding) -> str:
        """See ``Detector``."""
        f = finding.facts
        limits = [_amount(name, f[f"{name}_limit"]) for name in str(f["passed"]).split(", ")]
        return f"silent below {' and '.join(limits)} in {span(float(f['window_s']))}"


def _seen(targets: dict[str, int], target: str, number: int) -> None:
    """Note the pane a target was seen in, and keep them in that order."""
    last = targets.get(target)
    if last == number:
        return
    if last is None or last < number:
        targets.pop(target, None)
        newest = targets[next(reversed(targets))] if targets else number
        targets[target] = number
        if newest > number:  # late: rare enough to sort
            ordered = sorted(targets.items(), key=_by_pane)
            targets.clear()
            targets.update(ordered)


def _by_pane(item: tuple[str, int]) -> tuple[int, str]:
    return item[1], item[0]


def _clear(state: Exports) -> None:
    state.panes.clear()
    state.targets.clear()
    state.recent.clear()
    state.records = state.bytes = state.nameless = 0


def _amount(name: str, number: Fact) -> str:
    return size(number) if name == "bytes" else times(number, name.removesuffix("s"))
