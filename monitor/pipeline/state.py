"""What one detector remembers, by key, in bounded memory.

Two generations: keys seen lately are young, the rest old. When the young half is full, or ``idle_ttl_s`` of event time has passed, the old
generation is forgotten and the young one becomes old. So a key is remembered for at least ``idle_ttl_s`` after its last event unless the
cap bites, and which keys are forgotten depends on the events alone, never on when anything ran.
"""

import math
from itertools import islice
from operator import itemgetter
from typing import Any

import msgspec

from detectors.base import NEVER, Detector, KeyState, encode_state
from monitor.rows import Rows

_NOTHING = msgspec.Raw(b"{}")

GONE_PER_ROW = 10
"""Keys without any state left cost so much less than a row. In a flood they are most, and must not make checkpoints longer and longer."""

Slots = list[KeyState | None]
"""The young states of one key, one place for each detector that shares its key function."""


class KeyGroup:
    """The detectors that share a key function, and the young states of all of them by key: one look-up finds them all.

    It also knows which keys have changed since the last checkpoint. A checkpoint's row of a key is ``{detector: [generation, state]}``.
    """

    __slots__ = ("_early", "_rotated", "hot", "members", "name", "pending", "size", "touched", "tracking", "unknown", "whole")

    def __init__(self, name: str = "", *, tracking: bool = False) -> None:
        self.name = name
        """Of its part of a checkpoint."""
        self.tracking = tracking
        """Whether changes are noted at all. Without checkpoints to take them away they would pile up."""
        self.hot: dict[str, Slots] = {}
        self.members: list[KeyedState] = []
        self.touched: dict[str, None] = {}
        """Keys with a change that no checkpoint has yet."""
        self.pending: dict[str, None] = {}
        """Keys listed for the checkpoint that is being made."""
        self._rotated: dict[str, None] = {}
        """Keys among ``pending`` that the next checkpoint has to write as well, because a state was forgotten meanwhile."""
        self.whole = False
        self._early: dict[str, Any] = {}
        self.size = 0
        self.unknown: Slots = []
        """What stands for a key without young states; never written to."""

    def join(self, states: "KeyedState") -> int:
        """The place of one more detector."""
        self.members.append(states)
        self.size += 1
        self.unknown.append(None)
        return self.size - 1

    def touch(self, key: str) -> None:
        """The states of a key are about to change."""
        self.touched[key] = None
        if key in self.pending:
            del self.pending[key]
            self._early[key] = msgspec.Raw(encode_state(self._row(key)))

    def forget(self, states: "KeyedState") -> None:
        """The old states of a detector are about to be replaced.

        There may be tens of thousands, and the same moment comes for many detectors: so those listed are not encoded now, but kept
        (``KeyedState.left``) until their turn comes. They are not ``touched`` until then either, for what is counts as encoded.
        """
        pending, old = self.pending, states.old
        if not pending:
            self.touched.update(dict.fromkeys(old))
            return
        kept = {key: state for key, state in old.items() if key in pending}
        states.left.append((states.generation - 1, kept))
        self._rotated.update(dict.fromkeys(kept))
        self.touched.update(dict.fromkeys(key for key in old if key not in kept))

    def _let_go(self) -> None:
        for states in self.members:
            states.left.clear()

    def list_touched(self, *, everything: bool) -> None:
        """A checkpoint begins: list what it has to write."""
        self.touched.update(self._rotated)
        self._rotated = {}
        self._let_go()
        self.pending, self.touched = self.touched, {}
        if everything:
            for states in self.members:
                self.pending.update(dict.fromkeys(states.young))
                self.pending.update(dict.fromkeys(states.old))
        self.whole = everything

    def encode_some(self, most: int) -> Rows | None:
        """See ``Listed``."""
        pending, early = self.pending, self._early
        if not (pending or early or self.whole):
            return None
        # Other groups had their turn first, perhaps for long: what was encoded early is as many rows as the stream touched meanwhile.
        values: dict[str, Any] = {key: early.pop(key) for key in list(islice(early, most))}
        gone = [key for key, row in values.items() if row == _NOTHING]
        for key in gone:
            del values[key]
        left = (most - len(values) - len(gone)) * GONE_PER_ROW
        for key in list(islice(pending, left)):
            if left <= 0:
                break
            del pending[key]
            row = self._row(key)
            if key in self._rotated:
                self.touched[key] = None
            if row:
                values[key] = row
                left -= GONE_PER_ROW
            else:
                gone.append(key)
                left -= 1
        if not pending:
            self._let_go()
            self._rotated = {}
        rows = Rows(self.name, encode_state(values), gone, self.whole, len(values))
        self.whole = False
        return rows

    def _row(self, key: str) -> dict[str, tuple[int, KeyState]]:
        row = {}
        for states in self.members:
            state = states.young.get(key)
            if states.left and (left := states.take_left(key)) is not None:
                row[states.label] = left
            elif state is not None:
                row[states.label] = (states.generation, state)
            elif key in states.old:
                row[states.label] = (states.generation - 1, states.old[key])
        return row


class KeyedState:
    """The states of one detector instance. At most ``detector.max_keys`` are held."""

    __slots__ = (
        "_carried",
        "_half",
        "detector",
        "evictions",
        "generation",
        "group",
        "index",
        "label",
        "left",
        "old",
        "passive",
        "rotate_at",
        "slot",
        "young",
    )

    def __init__(self, index: int, detector: Detector[Any], group: KeyGroup | None = None) -> None:
        self.index = index
        self.group = KeyGroup() if group is None else group
        self.slot = self.group.join(self)
        self.detector = detector
        self.label = f"{detector.name}/{detector.variant}"
        """Unique among the instances."""
        self.generation = 1
        """Of the young states; the old ones are of the one before."""
        self.passive = detector.passive
        self.young: dict[str, KeyState] = {}
        self.old: dict[str, KeyState] = {}
        self.left: list[tuple[int, dict[str, KeyState]]] = []
        """Old states that were replaced since the checkpoint began that is being made, with their generation."""
        self.evictions = 0
        """Keys forgotten because the cap was reached, before their time."""
        self.rotate_at = NEVER
        # young ≤ half, old ≤ half plus what was carried over ≤ half/2: together never more than the cap
        self._half = max(1, detector.max_keys * 2 // 5)
        self._carried = self._half // 2

    def __len__(self) -> int:
        return len(self.young) + len(self.old)

    def claim(self, key: str) -> KeyState:
        """The state of a key that is not young: from the old generation, or a new one."""
        state = self.old.pop(key, None)
        if state is None:
            state = self.detector.new_state()
        if len(self.young) >= self._half:
            self._rotate(evicting=True)
        self.place(key, state)
        return state

    def place(self, key: str, state: KeyState) -> None:
        """Make it the young state of a key."""
        self.young[key] = state
        slots = self.group.hot.get(key)
        if slots is None:
            slots = self.group.hot[key] = [None] * self.group.size
        slots[self.slot] = state

    def find(self, key: str) -> KeyState | None:
        """The state of a key, without counting as a use of it."""
        return self.young.get(key) or self.old.get(key)

    def take_left(self, key: str) -> tuple[int, KeyState] | None:
        """The state of a key among those replaced since the checkpoint began; of several the earliest, which is the one it is of."""
        found = None
        for generation, old in self.left:
            state = old.pop(key, None)  # little by little: to let go of a million at once takes long
            if state is not None and found is None:
                found = generation, state
        return found

    def next_rotation(self, now: float) -> float:
        """Set when the generations change next, at a multiple of the idle time, and return it."""
        ttl_s = self.detector.idle_ttl_s
        self.rotate_at = (math.floor(now / ttl_s) + 1) * ttl_s
        return self.rotate_at

    def expire(self) -> bool:
        """Forget what was not used for a whole idle time; whether anything is left."""
        self._rotate(evicting=False)
        return bool(self.old)

    def _rotate(self, *, evicting: bool) -> None:
        # A key with a timer (an open alert, a wait) is carried over as long as there is room: a flood must not end it.
        waiting = [(key, state) for key, state in self.old.items() if state.wake_at != NEVER]
        if len(waiting) > self._carried:
            waiting.sort(key=itemgetter(0))  # who is left must not depend on what was restored in which order
        if self.group.tracking:
            self.group.forget(self)
        self.generation += 1
        carried = dict(waiting[: self._carried])
        self.evictions += len(self.old if evicting else waiting) - len(carried)
        carried.update(self.young)
        self.forget_young()
        self.old = carried

    def forget_young(self) -> None:
        """No key is young any more."""
        hot, slot = self.group.hot, self.slot
        for key in self.young:
            slots = hot[key]
            slots[slot] = None
            if not any(slots):
                del hot[key]
        self.young = {}
