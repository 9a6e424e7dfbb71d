"""Bounded memories of recent events: sliding windows, counts of distinct values."""

from bisect import insort
from typing import Any, Self

import msgspec


def slide(window: list[tuple[float, str, str]], entry: tuple[float, str, str], span_s: float, most: int) -> None:
    """Put ``entry`` (event time, event id, other) in its place and forget what is out of the window.

    Kept: the newest ``most`` entries that lie within ``span_s`` seconds of the newest one. A late entry finds its place too.

    >>> w = [(1.0, "a", ""), (9.0, "b", "")]
    >>> slide(w, (12.0, "c", ""), span_s=10, most=5); [x[1] for x in w]
    ['b', 'c']
    """
    if not window or entry >= window[-1]:
        window.append(entry)
    else:
        insort(window, entry)
    oldest = window[-1][0] - span_s
    drop = max(0, len(window) - most)
    while window[drop][0] < oldest:
        drop += 1
    if drop:
        del window[:drop]


class Packed:
    """A value in a state that is saved as bytes: base64 in JSON."""

    __slots__ = ()

    def to_bytes(self) -> bytes:
        """The whole value; says itself in which version."""
        raise NotImplementedError

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """What ``to_bytes`` gave. Raises ``ValueError`` for what it cannot read."""
        raise NotImplementedError


class Sketch(Packed):
    """HyperLogLog of about 1.6 % standard error (2^12 registers, at most about 2 KiB), deterministic and JSON-able through bytes.

    Algorithm: Flajolet et al. 2007, as implemented by Apache DataSketches.
    """

    __slots__ = ("_hll",)

    def __init__(self, hll: Any = None) -> None:
        from datasketches import hll_sketch  # noqa: PLC0415 - it brings numpy: only pay when an attack is that broad

        self._hll = hll_sketch(12) if hll is None else hll

    def add(self, value: str) -> None:
        """Count ``value``, once."""
        self._hll.update(value)

    def estimate(self) -> int:
        """About how many distinct values were added."""
        return round(float(self._hll.get_estimate()))

    def to_bytes(self) -> bytes:
        """The whole sketch."""
        data: bytes = self._hll.serialize_updatable()
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """What ``to_bytes`` gave."""
        from datasketches import hll_sketch  # noqa: PLC0415 - see __init__

        return cls(hll_sketch.deserialize(data))


EXACT_VALUES = 256


class Distinct(msgspec.Struct):
    """How many distinct values, and how often each: exact up to ``EXACT_VALUES``, beyond that a sketch counts the rest.

    The values counted exactly are the first ones seen; an attack cannot make this grow.
    """

    counts: dict[str, int] = msgspec.field(default_factory=dict)
    total: int = 0
    sketch: Sketch | None = None

    def add(self, value: str) -> None:
        """Count one occurrence."""
        self.total += 1
        counts = self.counts
        n = counts.get(value)
        if n is not None:
            counts[value] = n + 1
        elif len(counts) < EXACT_VALUES:
            counts[value] = 1
        else:
            if self.sketch is None:
                self.sketch = Sketch()
            self.sketch.add(value)

    def number(self) -> int:
        """How many distinct values; exact up to ``EXACT_VALUES``."""
        return len(self.counts) + (self.sketch.estimate() if self.sketch is not None else 0)

    def main(self, share: float = 0.8) -> str | None:
        """The one value that makes up at least ``share`` of all occurrences.

        >>> d = Distinct()
        >>> for v in "aaaab": d.add(v)
        >>> d.main(), d.main(0.9), d.number()
        ('a', None, 2)
        """
        if not self.counts:
            return None
        value = max(self.counts, key=self.counts.__getitem__)
        return value if self.counts[value] >= share * self.total else None


def remember(seen: dict[str, float], value: str, ts: float, most: int) -> None:
    """Note when ``value`` was last seen; beyond ``most`` values the one seen longest ago is forgotten.

    >>> d = {"a": 1.0, "b": 2.0}
    >>> remember(d, "a", 3.0, 2); remember(d, "c", 4.0, 2); d
    {'a': 3.0, 'c': 4.0}
    """
    last = seen.get(value)
    if last is None and len(seen) >= most:
        del seen[min(seen, key=lambda v: (seen[v], v))]
    if last is None or ts > last:
        seen[value] = ts


def since(seen: dict[str, float], ts: float) -> int:
    """How many of the remembered values were seen at or after ``ts``."""
    return sum(1 for last in seen.values() if last >= ts)
