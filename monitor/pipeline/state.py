"""What one detector remembers, by key, in bounded memory.

Two generations: keys seen lately are young, the rest old. When the young half is full, or ``idle_ttl_s`` of event time has passed, the old
generation is forgotten and the young one becomes old. So a key is remembered for at least ``idle_ttl_s`` after its last event unless the
cap bites, and which keys are forgotten depends on the events alone, never on when anything ran.
"""

import math
from typing import Any

from detectors.base import NEVER, Detector, KeyState


class KeyedState:
    """The states of one detector instance. At most ``detector.max_keys`` are held."""

    __slots__ = ("_carried", "_half", "detector", "evictions", "index", "old", "passive", "rotate_at", "young")

    def __init__(self, index: int, detector: Detector[Any]) -> None:
        self.index = index
        self.detector = detector
        self.passive = detector.passive
        self.young: dict[str, KeyState] = {}
        self.old: dict[str, KeyState] = {}
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
        self.young[key] = state
        return state

    def find(self, key: str) -> KeyState | None:
        """The state of a key, without counting as a use of it."""
        return self.young.get(key) or self.old.get(key)

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
        carried = dict(waiting[: self._carried])
        self.evictions += len(self.old if evicting else waiting) - len(carried)
        carried.update(self.young)
        self.old = carried
        self.young.clear()  # the same dictionary for ever: the runner holds on to its look-up
