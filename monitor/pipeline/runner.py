"""Runs detectors over batches of events: puts them in event-time order, dispatches by kind and key, keeps state, fires timers.

However the input is cut into batches, and in whatever order events come within the allowed lateness, every detector sees the same
sequence: an event is handed on once the watermark has passed it, sorted by (time, id), and a timer fires between the events its time
lies between. An event behind the watermark is handed on at once, and what it makes is marked late.
"""

import heapq
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from operator import attrgetter
from typing import Any, get_args

import msgspec

from detectors.base import ASK, NEVER, Detector, KeyOf, KeyState, Verdict, tenant_of
from monitor.pipeline.learned import Learned, fit, unsay
from monitor.pipeline.state import KeyedState, KeyGroup
from monitor.rows import HELD_CHUNK, Rows, Saved, one, rows_of
from schemas.event import HEARD, KINDS, Event, Outcome
from schemas.finding import Finding

IN_TIME = attrgetter("ts", "id")
BY_TIME = attrgetter("ts")
OUTCOMES: tuple[str | None, ...] = (*get_args(Outcome), None)

Exempt = Callable[[Event], frozenset[str]]
"""Names of the detectors that must not see an event (``*``: none may)."""
OnMoment = Callable[[float, list[Finding]], None]
"""Called at a moment that was asked for (``call_at``), or with −∞ after a finding (``halting``); it may take what was found out of the list."""
OnFailure = Callable[[str, BaseException], None]

_Row = tuple[int, Callable[[str, Any, Event], Finding | None], KeyedState]
"""Place of a state among the young ones of its key, the detector's ``on_event``, and all its states: what the hot loop needs, found once."""
_Rows = tuple[KeyOf, KeyGroup, list[_Row]]

MOST_TIMERS = 4096
"""Timers from which on those that mean nothing any more are looked for."""
_CLOCK = "\x00clock"
"""Stands for the clock of the service where no source has anything to say of the time."""
_MOMENT = -(1 << 31)  # a heap entry of this index is a moment somebody wants to be called at; it comes before timers of the same time
_ROTATION = ""  # a heap entry with this key and a negative index changes the generations of detector ~index


class Runner:
    """One set of detectors and all they remember. ``lateness_s``: how much disorder is put right, in seconds of event time."""

    def __init__(
        self,
        detectors: Sequence[Detector[Any]],
        lateness_s: float = 1.0,
        exempt: Exempt | None = None,
        on_failure: OnFailure | None = None,
        *,
        tracking: bool = False,
    ) -> None:
        self.lateness_s = lateness_s
        self.watermark = -NEVER
        self.late = 0
        """Events that came behind the watermark."""
        self.late_by: Counter[str] = Counter()
        """The same by source, since this process began."""
        self.failed: dict[str, str] = {}
        """Detectors that raised an exception and are disabled: ``name/variant`` → type of the exception."""
        self.unread: dict[str, str] = {}
        """Detectors whose saved state could not be read, so that they began with nothing: ``name/variant`` → type of the exception."""
        self._exempt = exempt
        self.on_moment: OnMoment = lambda _ts, _found: None
        self.halting = False
        """Whether ``on_moment`` is called after each event, and each timer, that made a finding: before anything else happens."""
        self._on_failure = on_failure
        self._sources: dict[str, float] = {}
        self._held: list[Event] = []
        self._in_order = True
        """Whether they are in the order of time."""
        self._may_tie = False
        """Whether some of them may be of the same time, and not in the order of their ids."""
        self._timers: list[tuple[float, int, str]] = []
        self._most_timers = MOST_TIMERS
        self._position = -NEVER
        self._between = False
        """Whether what is remembered is of a history, after which nothing has come yet."""
        self._tracking = tracking
        groups: dict[KeyOf, KeyGroup] = {}
        compared = [(i, detector.peers) for i, detector in enumerate(detectors) if detector.peers is not None]
        everyone: list[Any] = [*detectors, *(peers for _, peers in compared)]
        for detector in everyone:
            groups.setdefault(detector.key, KeyGroup(_part(detector.key), tracking=tracking))
        self.groups = list(groups.values())
        self.states = [KeyedState(i, detector, groups[detector.key]) for i, detector in enumerate(everyone)]
        self._peers = {i: self.states[len(detectors) + place] for place, (i, _) in enumerate(compared)}
        """What is remembered of tenants, by the index of the detector that compares with it."""
        self._table: dict[str, dict[str | None, list[_Rows]]] = {}
        self._build_table()

    def _build_table(self) -> None:
        """Who is shown an event of which kind and outcome, by the function that says the key."""
        kinds = KINDS.union((HEARD,), *(states.detector.kinds for states in self.states))
        table: dict[str, dict[str | None, dict[KeyOf, _Rows]]] = {kind: {outcome: {} for outcome in OUTCOMES} for kind in kinds}
        for states in self.states:
            detector = states.detector
            if states.label in self.failed or not detector.kinds:
                continue
            row: _Row = (states.slot, detector.on_event, states)
            for kind, outcome in product(detector.kinds, OUTCOMES):
                if (kind, outcome) not in detector.ignores:
                    table[kind][outcome].setdefault(detector.key, (detector.key, states.group, []))[2].append(row)
        self._table = {kind: {outcome: list(rows.values()) for outcome, rows in outcomes.items()} for kind, outcomes in table.items()}

    # -- sources ------------------------------------------------------------------------------------------------------------------

    def open(self, source: str, position: float = -NEVER) -> None:
        """A source whose events are all (but for lateness) at or after ``position`` now holds the watermark back."""
        self._sources[source] = max(position, self._sources.get(source, -NEVER))

    def close(self, source: str) -> None:
        """A source has ended, or is idle: it no longer holds the watermark back."""
        self._sources.pop(source, None)

    @property
    def sources(self) -> Mapping[str, float]:
        """Those that hold the watermark back, and how far each has come (event time)."""
        return self._sources

    def call_at(self, ts: float) -> None:
        """Have ``on_moment`` called once all before ``ts`` has happened, and nothing at or after it; at the end of a finite input at the latest."""
        heapq.heappush(self._timers, (ts, _MOMENT, ""))

    @property
    def touched(self) -> int:
        """Keys with a change that no checkpoint has yet."""
        return sum(len(group.touched) for group in self.groups)

    @property
    def held(self) -> int:
        """Events that wait for the watermark."""
        return len(self._held)

    # -- events -------------------------------------------------------------------------------------------------------------------

    def run(self, source: str, batch: Iterable[Event], *, more: bool = False) -> list[Finding]:
        """Take one batch of a source; return what became certain with it.

        ``more``: batches of other sources follow at once; what became certain is then left for the last of them, which saves sorting.
        """
        found: list[Finding] = []
        sources, held = self._sources, self._held
        top = sources.get(source, -NEVER)
        others = min((position for name, position in sources.items() if name != source), default=NEVER)
        last = held[-1].ts if held else -NEVER
        in_order = self._in_order
        for event in batch:
            ts = event.ts
            # Each event is judged as if it came alone, so that batch cuts cannot decide what is late.
            if (ts < top and ts < min(top, others) - self.lateness_s) or ts < self.watermark:
                sources[source] = top
                self._flush(found, in_order=in_order)
                in_order, last = True, held[-1].ts if held else -NEVER
                self.late_by[source] += 1
                self._hand_on((event,), found, late=True)
                continue
            if ts > last:
                last = ts
            else:
                in_order = False
            if ts > top:  # noqa: PLR1730 - a call of max() costs more than the rest of this loop
                top = ts
            held.append(event)
        sources[source] = top
        if more:
            self._in_order = in_order
        else:
            self._flush(found, in_order=in_order)
        return found

    def hold(self, events: Iterable[Event]) -> None:
        """Events of a later time: they wait until the watermark has come to them, and do not move it."""
        for event in events:
            insort(self._held, event, key=BY_TIME)
        self._may_tie = True

    def advance(self, ts: float) -> list[Finding]:
        """A source has been closed, or (where none is open) time is known to have come to ``ts``; return what became certain with it."""
        found: list[Finding] = []
        if self._sources:
            self._flush(found, in_order=self._in_order)
        elif ts - self.lateness_s > self.watermark:
            self._sources[_CLOCK] = ts
            self._flush(found, in_order=self._in_order)
            del self._sources[_CLOCK]
        return found

    def finish(self) -> list[Finding]:
        """A finite input has ended: nothing can come between what is held, and nobody will say what is still unsaid."""
        found = self.settle()
        if self._between:
            return found  # there was nothing in it: all that is unsaid is of the history
        for due, index, key in sorted(set(self._timers)):
            if index >= 0 and self._is_set(due, index, key):
                self._call(index, key, "on_end", self._position, found)
        self._reach_moments(found)
        return found

    def settle(self) -> list[Finding]:
        """All is read: hand on what is held, but let timers wait for what may come after it."""
        found: list[Finding] = []
        held = self._held
        held.sort(key=IN_TIME)
        if self._between and held:
            self._leap(held[0].ts)
            self._between = False
        self._hand_on(held, found)
        held.clear()
        self._sources.clear()
        self.watermark = max(self.watermark, self._position)
        self._reach_moments(found)
        return found

    def _flush(self, found: list[Finding], *, in_order: bool) -> None:
        """Hand on what the watermark has passed, and fire the timers it has passed."""
        watermark = min(self._sources.values(), default=-NEVER) - self.lateness_s
        held = self._held
        if not in_order:
            held.sort(key=BY_TIME)  # a float each; who comes first at the same time is settled for those that go on
            self._may_tie = True
        self._in_order = True
        if watermark <= self.watermark:
            return
        if self._between:
            self._leap(min(watermark, held[0].ts) if held else watermark)
            self._between = not held or held[0].ts >= watermark
        self.watermark = watermark
        ready = bisect_left(held, watermark, key=BY_TIME)
        if ready:
            passed = held[:ready]
            if self._may_tie:
                passed.sort(key=IN_TIME)
            self._hand_on(passed, found)
            del held[:ready]
            self._may_tie = self._may_tie and bool(held)
        self._position = max(self._position, watermark)
        timers = self._timers
        # Strictly before: an event at the watermark itself may still come, and goes first.
        while timers and timers[0] < (watermark, _MOMENT + 1):
            self._fire(found)
        if len(timers) > self._most_timers:
            # Those of keys that were forgotten, or have another timer by now, must not pile up in a flood.
            timers[:] = {timer for timer in timers if self._is_set(*timer)}
            heapq.heapify(timers)
            self._most_timers = max(MOST_TIMERS, 2 * len(timers))

    def _hand_on(self, events: Sequence[Event], found: list[Finding], *, late: bool = False) -> None:
        # The hot loop: flat and long on purpose.
        if not events:
            return
        if self._timers and self._timers[0][0] == -NEVER:
            self._fire(found)  # a finding that was made before these
        timers, exempt, table, tracking = self._timers, self._exempt, self._table, self._tracking
        first_found = len(found)
        next_due = timers[0][0] if timers else NEVER
        for event in events:
            ts = event.ts
            if next_due <= ts:
                while timers and timers[0][0] <= ts:
                    self._fire(found)
                next_due = timers[0][0] if timers else NEVER
                table = self._table
            skip = exempt(event) if exempt is not None else None
            for key_of, group, rows in table[event.kind][event.outcome]:
                try:
                    key = key_of(event)
                except Exception as error:  # noqa: BLE001 - a bug in one detector must not stop the others
                    for *_, states in rows:
                        self._disable(states, error)
                    table = self._table
                    continue
                if key is None:
                    continue
                if tracking and key not in group.touched:
                    group.touch(key)
                slots = group.hot.get(key, group.unknown)
                if skip:
                    rows = [row for row in rows if skip.isdisjoint(("*", row[2].detector.name))]
                for slot, on_event, states in rows:
                    try:
                        state = slots[slot]
                        if state is None:
                            if event.outcome in states.passive and key not in states.old:
                                continue
                            state = states.claim(key)
                            slots = group.hot[key]
                            if states.rotate_at == NEVER:
                                heapq.heappush(timers, (states.next_rotation(max(ts, self._position)), ~states.index, _ROTATION))
                                next_due = timers[0][0]
                        due = state.wake_at
                        finding = on_event(key, state, event)
                        if finding is not None:
                            if finding is ASK:
                                finding = self._ask(states, key, state, ts, event)
                                next_due = timers[0][0] if timers else NEVER
                            if finding is not None:
                                found.append(finding)
                                if self.halting:
                                    self.call_at(-NEVER)
                                    next_due = -NEVER
                    except Exception as error:  # noqa: BLE001 - as above
                        self._disable(states, error)
                        table = self._table
                        continue
                    if state.wake_at != due:
                        heapq.heappush(timers, (state.wake_at, states.index, key))
                        next_due = timers[0][0]
        if late:
            self.late += len(events)
            late_s = self.watermark - events[0].ts
            found[first_found:] = [msgspec.structs.replace(finding, late_s=late_s) for finding in found[first_found:]]
        elif events[-1].ts > self._position:
            self._position = events[-1].ts

    # -- timers -------------------------------------------------------------------------------------------------------------------

    def _fire(self, found: list[Finding]) -> None:
        due, index, key = heapq.heappop(self._timers)
        if index == _MOMENT:
            self._position = max(self._position, due)
            self.on_moment(due, found)
            return
        if index < 0:
            states = self.states[~index]
            if states.rotate_at == due:
                states.rotate_at = NEVER
                if states.expire():
                    heapq.heappush(self._timers, (states.next_rotation(due), index, _ROTATION))
            return
        state = self.states[index].find(key)
        if state is None or state.wake_at != due or due == NEVER:
            return  # re-armed, or forgotten, since it was pushed
        if self._tracking:
            self.states[index].group.touch(key)
        state.wake_at = NEVER
        self._call(index, key, "on_time", due, found)
        if state.wake_at != NEVER:
            heapq.heappush(self._timers, (state.wake_at, index, key))

    def _is_set(self, due: float, index: int, key: str) -> bool:
        """Whether a timer still means something."""
        if index < 0:
            return index == _MOMENT or self.states[~index].rotate_at == due
        state = self.states[index].find(key)
        return state is not None and state.wake_at == due and due != NEVER

    def _call(self, index: int, key: str, method: str, now: float, found: list[Finding]) -> None:
        states = self.states[index]
        state = states.find(key)
        if state is None or states.label in self.failed:
            return
        try:
            finding: Finding | None = getattr(states.detector, method)(key, state, now)
            if finding is ASK:
                finding = self._ask(states, key, state, now, None)
        except Exception as error:  # noqa: BLE001 - as above
            self._disable(states, error)
            return
        if finding is not None:
            found.append(finding)
            if self.halting:
                self.call_at(-NEVER)

    def _reach_moments(self, found: list[Finding]) -> None:
        """Nothing more will come: the moments that were asked for are there."""
        moments = sorted(timer for timer in self._timers if timer[1] == _MOMENT)
        self._timers[:] = [timer for timer in self._timers if timer[1] != _MOMENT]
        heapq.heapify(self._timers)
        for ts, *_ in moments:
            self.on_moment(ts, found)

    def _leap(self, ts: float) -> None:
        """The first event after a history is not before ``ts``: what fell due until then is no news, for nobody knows what came in between."""
        timers = self._timers
        while timers and timers[0][0] < ts:
            _, index, key = timers[0]
            unheard: list[Finding] = []
            self._fire(unheard)
            state = self.states[index].find(key) if unheard else None
            if state is not None:
                unsay(state)

    # -- peers --------------------------------------------------------------------------------------------------------------------

    def _ask(self, states: KeyedState, key: str, state: KeyState, now: float, event: Event | None) -> Finding | None:
        """Let a detector compare a key with its peers."""
        detector: Detector[Any] = states.detector
        return detector.consider(key, state, self._peers_of(states, key, now), now, event)

    def _peers_of(self, states: KeyedState, key: str, now: float) -> KeyState | None:
        """What a detector remembers of the tenant of a key, ready to be changed."""
        peers = self._peers.get(states.index)
        if peers is None:
            return None
        tenant = tenant_of(key)
        if self._tracking:
            peers.group.touch(tenant)
        slots = peers.group.hot.get(tenant)
        state = None if slots is None else slots[peers.slot]
        if state is None:
            state = peers.claim(tenant)
            if peers.rotate_at == NEVER:
                heapq.heappush(self._timers, (peers.next_rotation(max(now, self._position)), ~peers.index, _ROTATION))
        return state

    def judge(self, detector: str, variant: str, key: str, verdict: Verdict, now: float | None = None) -> bool:
        """Tell a detector what its latest alert about a key was. False when it remembers nothing of it, or there is no such detector.

        ``now``: the event time at which it is said, if not that which was reached last.
        """
        now = self._position if now is None else now
        for states in self.states:
            state = states.find(key) if states.label == f"{detector}/{variant}" else None
            if state is None or states.label in self.failed:
                continue
            if self._tracking:
                states.group.touch(key)
            due = state.wake_at
            try:
                states.detector.judge(key, state, self._peers_of(states, key, now), verdict, now)
            except Exception as error:  # noqa: BLE001 - as above
                self._disable(states, error)
                return False
            if state.wake_at not in {due, NEVER}:
                heapq.heappush(self._timers, (state.wake_at, states.index, key))
            return True
        return False

    def _disable(self, states: KeyedState, error: Exception) -> None:
        name = states.label
        self.failed[name] = type(error).__name__
        self._build_table()
        if self._on_failure is not None:
            self._on_failure(name, error)

    # -- persistence --------------------------------------------------------------------------------------------------------------

    def changed(self, *, everything: bool) -> list[Rows]:
        """Rows for a checkpoint that begins now, but for those of the keys, which every ``KeyGroup`` of ``groups`` lists from now on."""
        for group in self.groups:
            group.list_touched(everything=everything)
        head = {
            "watermark": _finite(self.watermark),
            "position": _finite(self._position),
            "late": self.late,
            "failed": dict(self.failed),
            "between": self._between,
            "sources": {name: _finite(top) for name, top in self._sources.items()},
            "detectors": {states.label: _head(states) for states in self.states},
        }
        # Events are never changed, so they can be encoded later.
        held = {str(at): self._held[at : at + HELD_CHUNK] for at in range(0, len(self._held), HELD_CHUNK)}
        return [Rows("runner", {"": head}), *(Rows("held", {at: chunk}, whole=at == "0") for at, chunk in (held or {"0": []}).items())]

    def restore(self, saved: Saved) -> None:
        """Take over what a checkpoint left. Detectors it does not know start anew; so do those whose state cannot be read (``unread``)."""
        head = one(saved, "runner")
        self.watermark, self._position = _infinite(head["watermark"]), _infinite(head["position"])
        self.late = head["late"]
        self.failed = dict(head["failed"])
        self._between = head.get("between", False)
        self._build_table()
        self._sources = {name: _infinite(top) for name, top in head["sources"].items()}
        chunks = sorted((int(at), chunk) for at, chunk in rows_of(saved, "held"))
        self._held = [msgspec.convert(event, Event) for _, chunk in chunks for event in chunk]
        self._in_order, self._may_tie = True, True
        self._timers = []
        by_label = {states.label: states for states in self.states}
        for states in self.states:
            states.forget_all()
            if states.label in head["detectors"]:
                self._load_head(states, head["detectors"][states.label])
        for group in self.groups:
            for key, row in rows_of(saved, group.name):
                for label, (generation, data) in row.items():
                    if label in by_label and label in head["detectors"] and label not in self.unread:
                        self._load(by_label[label], head["detectors"][label]["version"], key, generation, data)
                    if self._tracking and (label not in by_label or label not in head["detectors"] or label in self.unread):
                        group.touched[key] = None  # what is left of it must not be taken for a state of the detector that begins anew
        heapq.heapify(self._timers)

    def remembered(self) -> list[Rows]:
        """As ``changed``, for another stream to go on from: no clock, no sources, nothing that waits, no detector that failed."""
        for group in self.groups:
            group.list_touched(everything=True)
        heads = {states.label: {**_head(states), "evictions": 0} for states in self.states if states.label not in self.failed}
        clock: dict[str, Any] = {"watermark": None, "position": None, "late": 0, "failed": {}, "between": True, "sources": {}}
        return [Rows("runner", {"": {**clock, "detectors": heads}})]

    def learn(self, saved: Saved) -> Learned:
        """Take over what another runner ``remembered``. Before any source is opened."""
        self.restore(saved)
        theirs, ours = one(saved, "runner")["detectors"].keys(), {states.label for states in self.states}
        forgotten = {states.label: n for states in self.states if (n := fit(states))}
        for states in self.states:
            for state in (*states.young.values(), *states.old.values()):
                unsay(state)
        keys = sum(len(states) for states in self.states)
        return Learned(keys, sorted(theirs - ours), sorted(ours - theirs), dict(self.unread), forgotten)

    def _load_head(self, states: KeyedState, head: Mapping[str, Any]) -> None:
        states.resume(head["generation"], head.get("buckets", 1))
        states.evictions = head["evictions"]
        states.rotate_at = NEVER if head["rotate_at"] is None else head["rotate_at"]
        if states.rotate_at != NEVER:
            self._timers.append((states.rotate_at, ~states.index, _ROTATION))

    def _load(self, states: KeyedState, version: int, key: str, generation: int, data: Any) -> None:
        try:
            state = states.detector.load(version, data)
        except ValueError as error:
            self.unread[states.label] = type(error).__name__
            states.forget_all()
            return
        if states.restore(key, generation, state) and state.wake_at != NEVER:
            self._timers.append((state.wake_at, states.index, key))


def _head(states: KeyedState) -> dict[str, Any]:
    return {
        "version": states.detector.state_version,
        "generation": states.turns,
        "buckets": states.buckets,
        "evictions": states.evictions,
        "rotate_at": None if states.rotate_at == NEVER else states.rotate_at,
    }


def _part(key: KeyOf) -> str:
    return f"keys:{getattr(key, '__module__', '')}.{getattr(key, '__qualname__', repr(key))}"


def _finite(number: float) -> float | None:
    return None if number in {NEVER, -NEVER} else number


def _infinite(number: float | None) -> float:
    return -NEVER if number is None else number
