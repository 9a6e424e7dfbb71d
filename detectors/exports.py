"""How much leaves through one account: the memory of `bulk_export`, a sliding window that counts in panes."""

from hashlib import blake2b
from operator import itemgetter

import msgspec

from detectors.episode import EpisodeState
from detectors.learned.exports import MOST_OF_ONE, History
from detectors.windows import EXACT_VALUES, Distinct
from schemas.event import Event

PANES = 60
"""Parts the window is counted in: it slides by a sixtieth of itself."""
MAX_TARGET_CHARS = 64
"""A longer name is remembered as its digest."""

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
    unusual: dict[str, float] | None = None
    """Where no limit was passed: what is usual, and from where on it would not be."""


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
    history: History | None = None
    """What it takes out in a day, since it first exported."""


class Near(msgspec.Struct, frozen=True):
    """What is worth a closer look under some limits: a tenth of each; and a hundredth, from which on panes are short."""

    objects: float
    records: float
    bytes: float
    few_records: float
    few_bytes: float
    pane_s: float
    window_s: float


def turn_long(state: Exports, ts: float, near: Near) -> None:
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


def shorten(state: Exports, pane_s: float) -> None:
    """From here on panes are short; what there was counts as if it had come when its pane began."""
    state.number = int(state.first_ts / pane_s)
    state.start = state.end = 0.0


def turn(state: Exports, number: int, ts: float, pane_s: float) -> None:
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


def name_object(state: Exports, event: Event, number: int, *, limited: bool) -> None:
    """Note which object was exported."""
    if state.targets is None:
        state.targets = {}
    if event.target is None:
        state.nameless += 1
    elif limited or len(state.targets) < EXACT_VALUES:
        _seen(state.targets, short(event.target), number)


def short(target: str) -> str:
    """What a target is remembered by."""
    return target if len(target) <= MAX_TARGET_CHARS else blake2b(target.encode("utf-8", "replace"), digest_size=12).hexdigest()


def put_back(state: Exports, event: Event, number: int) -> None:
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


def clear(state: Exports) -> None:
    """Forget what was counted for an episode that begins."""
    state.panes = state.targets = state.recent = None
    state.number, state.start, state.end, state.before = -1, 0.0, 0.0, (0, 0, 0, 0)
    state.events = state.records = state.bytes = state.nameless = 0
