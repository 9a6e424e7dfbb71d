"""What one detector remembers, by key, in bounded memory.

Keys are dealt into buckets, and each bucket has two generations: keys seen lately are young, the rest old. When a bucket has its turn, its
old keys are forgotten and its young ones become old. Turns go round: each bucket has one in every ``idle_ttl_s`` of event time, evenly spread,
and whenever too many keys are young it is the next one's turn at once. So a key is remembered for at least ``idle_ttl_s`` after its last event
unless the cap bites, which keys are forgotten depends on the events alone, never on when anything ran, and only a few are at a time: to
forget half of 100,000 at once, in many detectors at the same event, would stop the stream for a second.
"""

import math
from itertools import islice
from typing import Any
from zlib import crc32

import msgspec

from detectors.base import NEVER, Detector, KeyState, encode_state
from monitor.rows import Rows

_NOTHING = msgspec.Raw(b"{}")

GONE_PER_ROW = 10
"""Keys without any state left cost so much less than a row. In a flood they are most, and must not make checkpoints longer and longer."""

BUCKET_KEYS = 3_125
"""Of the cap for each bucket, at least. A turn costs some 2 µs for each key that is forgotten, or old from then on."""
MAX_BUCKETS = 1_024
_PHASES = 16
"""Detectors of one key function get the same keys: how many of them have their turns at different moments."""

Slots = list[KeyState | None]
"""The young states of one key, one place for each detector that shares its key function."""


class KeyGroup:
    """The detectors that share a key function, and the young states of all of them by key: one look-up finds them all.

    It also knows which keys have changed since the last checkpoint. A checkpoint's row of a key is ``{detector: [generation, state]}``.
    """

    __slots__ = (
        "_early",
        "_rotated",
        "hash",
        "hashed",
        "hot",
        "members",
        "name",
        "pending",
        "size",
        "touched",
        "tracking",
        "unknown",
        "whole",
    )

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
        self.hashed: str | None = None
        """The key ``hash`` is of: its detectors ask for it one after the other."""
        self.hash = 0

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

    def hash_of(self, key: str) -> int:
        """What deals a key into a bucket: the same in any process."""
        if key is not self.hashed:
            self.hashed, self.hash = key, crc32(key.encode("utf-8", "surrogatepass"))
        return self.hash

    def forget(self, states: "KeyedState", keys: list[str], generation: int) -> None:
        """Old states of a detector, of that generation, are about to be forgotten, or to be of the next one.

        Those listed are not encoded now but kept (``KeyedState.left``) until their turn comes. They are not ``touched`` until then either,
        for what is counts as encoded.
        """
        touched, pending = self.touched, self.pending
        if not pending:
            touched.update(dict.fromkeys(keys))
            return
        for key in keys:
            if key in pending:
                # One that is carried over may come here twice: the first time, it was as when the checkpoint began.
                states.left.setdefault(key, (generation, states.old[key]))
                self._rotated[key] = None
            else:
                touched[key] = None

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
            self.pending.update(dict.fromkeys(self.hot))
            for states in self.members:
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
        for states, state in zip(self.members, self.hot.get(key, self.unknown), strict=True):
            # To let go of a million at once takes long: so each goes when it is written.
            if states.left and (left := states.left.pop(key, None)) is not None:
                row[states.label] = left
            elif state is not None:
                row[states.label] = (states.generation_of(key), state)
            elif key in states.old:
                row[states.label] = (states.generation_of(key) - 1, states.old[key])
        return row


class KeyedState:
    """The states of one detector instance. At most ``detector.max_keys`` are held. ``bucket_keys``: of the cap for each bucket, at least."""

    __slots__ = (
        "_carried",
        "_mask",
        "_most",
        "_most_young",
        "_old_keys",
        "_saved",
        "_shift",
        "_young",
        "_young_keys",
        "buckets",
        "detector",
        "evictions",
        "group",
        "index",
        "label",
        "left",
        "old",
        "passive",
        "rotate_at",
        "slot",
        "turns",
    )

    def __init__(self, index: int, detector: Detector[Any], group: KeyGroup | None = None, bucket_keys: int = BUCKET_KEYS) -> None:
        self.index = index
        self.group = KeyGroup() if group is None else group
        self.slot = self.group.join(self)
        self.detector = detector
        self.label = f"{detector.name}/{detector.variant}"
        """Unique among the instances."""
        self.passive = detector.passive
        self._most = detector.max_keys
        self._shift = max(1, min(self._most // bucket_keys, MAX_BUCKETS)).bit_length() - 1
        self.buckets = 1 << self._shift
        """A power of two, so that an idle time divided by it is exact."""
        self._mask = self.buckets - 1
        self.turns = 1
        """How many turns buckets have had: says whose is next, and the generation of each one's young states."""
        self._saved = (self.turns, self.buckets)
        self.old: dict[str, KeyState] = {}
        self._young = 0
        self._young_keys: list[list[str]]
        """Of each bucket. Their states are those in ``group.hot``."""
        self._old_keys: list[list[str]]
        """Of each bucket; also those that are young again."""
        self.left: dict[str, tuple[int, KeyState]] = {}
        """States that were forgotten, or of another generation, since the checkpoint began that is being made, with their generation then."""
        self.evictions = 0
        """Keys forgotten because the cap was reached, before their time."""
        self.rotate_at = NEVER
        # In a flood, a bucket gets 2 / (buckets + 1) of the young ones between two turns, and the old ones are that times the buckets:
        # together four fifths of the cap, and the rest is for what is carried over. They are less by a little for each further detector.
        most = self._most * 4 * (self.buckets + 1) // (5 * (3 * self.buckets + 1))
        self._most_young = max(1, most - most * self._mask * (index % _PHASES) // (self.buckets * self.buckets * _PHASES))
        self._carried = self._most // (5 * self.buckets)
        self._empty()

    def _empty(self) -> None:
        self.old, self._young = {}, 0
        self._young_keys = [[] for _ in range(self.buckets)]
        self._old_keys = [[] for _ in range(self.buckets)]

    def __len__(self) -> int:
        return self._young + len(self.old)

    @property
    def young(self) -> dict[str, KeyState]:
        """The young states, collected anew: to look at, not for the stream."""
        slot = self.slot
        return {key: state for key, slots in self.group.hot.items() if (state := slots[slot]) is not None}

    def claim(self, key: str) -> KeyState:
        """The state of a key that is not young: from the old generation, or a new one."""
        state = self.old.pop(key, None)
        if state is None:
            state = self.detector.new_state()
        # Keys are dealt evenly unless somebody chose them not to be; the cap holds even then.
        while self._young >= self._most_young or self._young + len(self.old) >= self._most:
            self._turn(evicting=True)
        self.place(key, state)
        return state

    def place(self, key: str, state: KeyState) -> None:
        """Make it the young state of a key."""
        group = self.group
        slots = group.hot.get(key)
        if slots is None:
            slots = group.hot[key] = [None] * group.size
        slots[self.slot] = state
        self._young_keys[(group.hash if key is group.hashed else group.hash_of(key)) & self._mask].append(key)
        self._young += 1

    def find(self, key: str) -> KeyState | None:
        """The state of a key, without counting as a use of it."""
        slots = self.group.hot.get(key)
        return self.old.get(key) if slots is None else slots[self.slot] or self.old.get(key)

    # -- time and room ------------------------------------------------------------------------------------------------------------

    def next_rotation(self, now: float) -> float:
        """Set when the next bucket has its turn, and return it.

        At multiples of the idle time divided by the buckets, or, for each further detector, a little after them.
        """
        step_s = self.detector.idle_ttl_s / self.buckets
        phase = self.index % _PHASES / _PHASES
        self.rotate_at = (math.floor(now / step_s - phase) + 1 + phase) * step_s
        if self.rotate_at <= now:  # by a rounding
            self.rotate_at += step_s
        return self.rotate_at

    def expire(self) -> bool:
        """Give the next bucket its turn: what was not used since its last one is forgotten. Whether anything is left."""
        self._turn(evicting=False)
        return len(self) > 0

    def _turn(self, *, evicting: bool) -> None:
        # A key with a timer (an open alert, a wait) is carried over as long as there is room: a flood must not end it.
        bucket, old = self.turns & self._mask, self.old
        idle: list[str] = []
        waiting: list[str] = []
        for key in self._old_keys[bucket]:
            state = old.get(key)
            if state is not None:
                (idle if state.wake_at == NEVER else waiting).append(key)
        ended: list[str] = []
        if len(waiting) > self._carried:
            waiting.sort()  # who is left must not depend on what was restored in which order
            waiting, ended = waiting[: self._carried], waiting[self._carried :]
        gone = idle + ended
        if self.group.tracking:
            self.group.forget(self, gone + waiting, self._generation(self.turns, self._shift, bucket) - 1)
        for key in gone:
            del old[key]
        self.evictions += len(gone if evicting else ended)
        self._old_keys[bucket] = waiting + self._young_keys[bucket]
        self._age(bucket, old)
        self.turns += 1

    def _age(self, bucket: int, into: dict[str, KeyState]) -> None:
        """The keys of a bucket are young no more."""
        hot, slot, keys = self.group.hot, self.slot, self._young_keys[bucket]
        for key in keys:
            slots = hot[key]
            into[key] = slots[slot]  # type: ignore[assignment]  # it is young
            slots[slot] = None
            if not any(slots):
                del hot[key]
        self._young -= len(keys)
        self._young_keys[bucket] = []

    # -- persistence --------------------------------------------------------------------------------------------------------------

    @staticmethod
    def _generation(turns: int, shift: int, bucket: int) -> int:
        """How many of so many turns were this bucket's: the generation of its young states. The old ones are of the one before."""
        return (turns + (1 << shift) - 1 - bucket) >> shift

    def generation_of(self, key: str) -> int:
        """Of the state of a key, if it is young."""
        return (self.turns + self._mask - (self.group.hash_of(key) & self._mask)) >> self._shift

    def forget_all(self) -> None:
        """Begin anew."""
        for bucket in range(self.buckets):
            self._age(bucket, self.old)
        if self.group.tracking:
            self.group.touched.update(dict.fromkeys(self.old))
        self._empty()

    def resume(self, turns: int, buckets: int) -> None:
        """The states of a checkpoint come next, which had given so many turns to so many buckets."""
        self.turns, self._saved = turns, (turns, buckets)

    def restore(self, key: str, generation: int, state: KeyState) -> bool:
        """A state from a checkpoint; whether it is still remembered."""
        group, (turns, buckets) = self.group, self._saved
        number = group.hash_of(key)
        age = self._generation(turns, buckets.bit_length() - 1, number & (buckets - 1)) - generation
        if age == 0:
            self.place(key, state)
        elif age == 1:
            self.old[key] = state
            self._old_keys[number & self._mask].append(key)
        else:
            return False
        if buckets != self.buckets and group.tracking:
            group.touched[key] = None  # with another cap, its generation has another number
        return True
