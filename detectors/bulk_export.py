"""Much more data leaving through one account than a person needs (ATT&CK T1530, T1213, T1567)."""

from hashlib import blake2b
from itertools import product
from operator import itemgetter
from typing import Annotated, ClassVar

import msgspec
from pydantic import Field

from detectors.base import NEVER, Variant, by_actor
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
    quiet_s: Quiet = 3600


Pane = tuple[int, float, int, int, int, int]
"""A sixtieth of the window: its number, its first event time, and how many events, records, bytes and exports without a name it has."""
Sums = tuple[int, int, int, int]
"""Events, records, bytes, exports without a name."""


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
    """At most 61 panes, as many targets as the limit of objects, and 40 event ids; during an episode its totals only.

    Below a hundredth of every limit the window is counted in two panes only, as long as a whole window each: most accounts never get beyond.
    """

    number: int = -1
    """The pane that is counted now; it begins at ``start`` and ends before ``end``. -1: a pane as long as the window."""
    start: float = 0.0
    end: float = 0.0
    first_ts: float = 0.0
    """The first event of that pane."""
    events: int = 0
    records: int = 0
    bytes: int = 0
    nameless: int = 0
    """Sums over the window. An export that names no object counts as one."""
    before: Sums = (0, 0, 0, 0)
    """The same without the pane that is counted now."""
    panes: list[Pane] | None = None
    """Those before it, in order of time."""
    targets: dict[str, int] | None = None
    """Target to the pane it was last seen in; in that order."""
    recent: list[tuple[float, str, str]] | None = None
    """(event time, id, address) of the last events since a tenth of a limit was reached."""
    taken: Taken | None = None


class Near(msgspec.Struct, frozen=True):
    """What is worth a closer look under some limits: a tenth of each; and a hundredth, from which on panes are short."""

    objects: float
    records: float
    bytes: float
    few_records: float
    few_bytes: float
    pane_s: float
    window_s: float


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

    def memory_s(self, limits: ExportSettings) -> float:
        """The window."""
        return limits.window_s

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
                _turn_long(state, ts, near)
            if not is_export and state.bytes + volume < near.few_bytes and state.records + event.records < near.few_records:
                state.events += 1
                state.bytes += max(volume, 0)
                state.records += max(event.records, 0)
                return None
            _shorten(state, near.pane_s)
        if not state.start <= ts < state.end:
            number = int(ts / near.pane_s)
            if number > state.number:
                _turn(state, number, ts, near.pane_s)
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
            _name(state, event, int(ts / near.pane_s) if is_late else state.number, limited=near.objects < NEVER)
        if is_late:
            _put_back(state, event, int(ts / near.pane_s))
        if (
            state.bytes < near.bytes
            and state.records < near.records
            and (state.targets is None or len(state.targets) + state.nameless < near.objects)
        ):
            return None
        return self._look(key, state, event)

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

    def _grow(self, key: str, state: Exports, taken: Taken, event: Event) -> Finding | None:
        """One more event of the open episode."""
        taken.records += min(max(0, event.records), MOST_OF_ONE)
        taken.bytes += min(max(0, event.bytes), MOST_OF_ONE)
        taken.ips.add(event.ip or "")
        if event.kind == "data.export":
            if event.target is None:
                taken.nameless += 1
            else:
                taken.objects.add(_short(event.target))
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
        service = event.actor_type in SERVICES
        state.taken = Taken(objects, ips, state.nameless, state.records, state.bytes, service)
        state.taken.passed = ", ".join(name for name, (value, limit) in self._measures(key, state.taken).items() if 0 < limit <= value)
        shown = recent[-MAX_EVIDENCE:]
        first_seen, last_seen, count = min(first_ts, shown[0][0]), max(event.ts, shown[-1][0]), state.events
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


def _turn_long(state: Exports, ts: float, near: Near) -> None:
    """Another pane begins that is as long as the window; the one before it is kept, whatever was before that is forgotten."""
    events, records, volume, nameless = state.before
    last = (state.events - events, state.records - records, state.bytes - volume, state.nameless - nameless)
    if not last[0] or ts >= state.end + near.window_s:
        last, state.panes = (0, 0, 0, 0), None
    else:
        state.panes = [(int(state.first_ts / near.pane_s), state.first_ts, *last)]
    state.events, state.records, state.bytes, state.nameless = state.before = last
    state.start = state.first_ts = ts
    state.end = ts + near.window_s


def _shorten(state: Exports, pane_s: float) -> None:
    """From here on panes are short; what there was counts as if it had come when its pane began."""
    state.number = int(state.first_ts / pane_s)
    state.start = state.end = 0.0


def _turn(state: Exports, number: int, ts: float, pane_s: float) -> None:
    """Another pane begins; those the window has left are forgotten."""
    if state.panes is None:
        state.panes = []
    if state.events > state.before[0]:
        events, records, volume, nameless = state.before
        pane = (state.events - events, state.records - records, state.bytes - volume, state.nameless - nameless)
        state.panes.append((state.number, state.first_ts, *pane))
    oldest = number - PANES + 1
    gone = 0
    for pane_number, _, events, records, volume, nameless in state.panes:
        if pane_number >= oldest:
            break
        state.events -= events
        state.records -= records
        state.bytes -= volume
        state.nameless -= nameless
        gone += 1
    if gone:
        del state.panes[:gone]
        targets = state.targets
        while targets and targets[name := next(iter(targets))] < oldest:
            del targets[name]
    state.before = (state.events, state.records, state.bytes, state.nameless)
    state.number, state.start, state.end, state.first_ts = number, number * pane_s, (number + 1) * pane_s, ts


def _name(state: Exports, event: Event, number: int, *, limited: bool) -> None:
    """Note which object was exported."""
    if state.targets is None:
        state.targets = {}
    if event.target is None:
        state.nameless += 1
    elif limited or len(state.targets) < EXACT_VALUES:
        _seen(state.targets, _short(event.target), number)


def _short(target: str) -> str:
    return target if len(target) <= MAX_TARGET_CHARS else blake2b(target.encode("utf-8", "replace"), digest_size=12).hexdigest()


def _put_back(state: Exports, event: Event, number: int) -> None:
    """A late event was added to the sums; it belongs to a pane before the one that is counted now."""
    added = (
        1,
        min(max(0, event.records), MOST_OF_ONE),
        min(max(0, event.bytes), MOST_OF_ONE),
        int(event.kind == "data.export" and event.target is None),
    )
    events, records, volume, nameless = (old + new for old, new in zip(state.before, added, strict=True))
    state.before = (events, records, volume, nameless)
    if state.panes is None:
        state.panes = []
    at = len(state.panes)
    while at and state.panes[at - 1][0] > number:
        at -= 1
    if at and state.panes[at - 1][0] == number:
        _, first_ts, events, records, volume, nameless = state.panes[at - 1]
        more = (events + added[0], records + added[1], volume + added[2], nameless + added[3])
        state.panes[at - 1] = (number, first_ts, *more)
    else:
        state.panes.insert(at, (number, event.ts, *added))


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
            ordered = sorted(targets.items(), key=itemgetter(1, 0))
            targets.clear()
            targets.update(ordered)


def _clear(state: Exports) -> None:
    state.panes = state.targets = state.recent = None
    state.number, state.start, state.end, state.before = -1, 0.0, 0.0, (0, 0, 0, 0)
    state.events = state.records = state.bytes = state.nameless = 0


def _amount(name: str, number: Fact) -> str:
    return size(number) if name == "bytes" else times(number, name.removesuffix("s"))
