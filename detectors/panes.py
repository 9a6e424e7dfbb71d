"""The logins of a whole tenant, in panes: counts by the minute, and samples of who failed from where."""

from collections.abc import Iterable
from zlib import crc32

import msgspec

MOST_VALUES = 128
"""Values a sample counts: exact while there are no more of them."""
PANES = 15
"""Panes a window is cut into; its edge is so exact, and one pane more is held."""
SHOWN = 2
"""Event ids kept for each pane."""


class Sample(msgspec.Struct):
    """How often each value came, for all values or, when there are too many, for an even share of them.

    A value belongs to the sample when the lowest ``level`` bits of its CRC-32 are zero; each time more than ``MOST_VALUES`` belong,
    the level rises by one and half of them leave. Other than a sketch that only counts distinct values, this also tells how often each came.
    """

    level: int = 0
    counts: dict[str, int] = msgspec.field(default_factory=dict)

    def add(self, value: str) -> None:
        """Count one occurrence. Cost ≈ 0.2 µs."""
        counts = self.counts
        n = counts.get(value)
        if n is not None:
            counts[value] = n + 1
        elif not self.level or _belongs(value, self.level):
            counts[value] = 1
            while len(self.counts) > MOST_VALUES:
                self.level += 1
                self.counts = {name: n for name, n in self.counts.items() if _belongs(name, self.level)}

    def number(self) -> int:
        """About how many distinct values: exact up to ``MOST_VALUES``, then within about a tenth.

        >>> sample = Sample()
        >>> for i in range(100): sample.add(f"user{i % 50}")
        >>> sample.number(), sample.counts["user7"]
        (50, 2)
        """
        return len(self.counts) << self.level


def merged(samples: Iterable[Sample]) -> Sample:
    """One sample of all: values that belong to each of them, with what they counted together."""
    samples = list(samples)
    level = max((sample.level for sample in samples), default=0)
    total: dict[str, int] = {}
    for sample in samples:
        for value, n in sample.counts.items():
            if sample.level == level or _belongs(value, level):
                total[value] = total.get(value, 0) + n
    return Sample(level, total)


def _belongs(value: str, level: int) -> bool:
    return crc32(value.encode("utf-8", "surrogatepass")) & ((1 << level) - 1) == 0


class Pane(msgspec.Struct):
    """The logins of one stretch of time. At most 2 × ``MOST_VALUES`` values, about 25 KB."""

    start: float
    end: float
    successes: int = 0
    failures: int = 0
    unknown: int = 0
    """Failures whose reason is ``unknown_user``."""
    actors: Sample = msgspec.field(default_factory=Sample)
    """Who failed."""
    ips: Sample = msgspec.field(default_factory=Sample)
    """Where failures came from."""
    evidence: list[tuple[float, str]] = msgspec.field(default_factory=list)
    """(event time, id) of the first failures."""


def pane_of(panes: list[Pane], ts: float, window_s: float) -> Pane | None:
    """The pane ``ts`` lies in; those that left the window are forgotten. ``None`` for what is too late for all of them."""
    pane_s = window_s / PANES
    start = ts // pane_s * pane_s
    if panes:
        newest = panes[-1]
        if newest.start == start:
            return newest
        if start < newest.start:
            return next((pane for pane in panes if pane.start == start), None)
        oldest = start - window_s
        while panes and panes[0].start < oldest:
            del panes[0]
    panes.append(Pane(start, start + pane_s))
    return panes[-1]


class Sums(msgspec.Struct):
    """What the panes of a window say together."""

    successes: int
    failures: int
    unknown: int

    def failure_ratio(self) -> float:
        """Failures among all logins, 0–1."""
        return self.failures / max(1, self.failures + self.successes)

    def unknown_share(self) -> float:
        """Failures for a user that does not exist, among all failures, 0–1."""
        return self.unknown / max(1, self.failures)


def sums(panes: list[Pane]) -> Sums:
    """Add up the counters: cheap, to see whether a closer look is worth it."""
    total = Sums(0, 0, 0)
    for pane in panes:
        total.successes += pane.successes
        total.failures += pane.failures
        total.unknown += pane.unknown
    return total
