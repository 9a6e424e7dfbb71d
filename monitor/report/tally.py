"""Counts for the summary that the pipeline itself has no need of."""

from collections import Counter
from collections.abc import Sequence

from monitor.report.summary import Histogram
from schemas.event import Event

MAX_NAMES = 20_000
"""Names counted at once; beyond that the rarer half is forgotten, so a count may be too small, never the memory too large."""


class Tally:
    """What came, when, and who failed most."""

    def __init__(self) -> None:
        self.histogram = Histogram()
        self.first_ts: float | None = None
        self.last_ts: float | None = None
        self.ips: Counter[str] = Counter()
        self.actors: Counter[str] = Counter()

    def add(self, events: Sequence[Event]) -> None:
        """Count a batch."""
        if not events:
            return
        stamps = [event.ts for event in events]
        first, last = min(stamps), max(stamps)
        self.first_ts = first if self.first_ts is None else min(first, self.first_ts)
        self.last_ts = last if self.last_ts is None else max(last, self.last_ts)
        self.histogram.add(stamps, first, last)
        for event in [event for event in events if event.outcome == "failure"]:
            if event.ip is not None:
                self.ips[event.ip] += 1
            if event.actor is not None:
                self.actors[event.actor] += 1
        _prune(self.ips)
        _prune(self.actors)


def top(counts: Counter[str], most: int = 10) -> list[tuple[str, int]]:
    """The most frequent names, equal ones in the order of their names."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:most]


def _prune(counts: Counter[str]) -> None:
    if len(counts) > MAX_NAMES:
        kept = top(counts, MAX_NAMES // 2)
        counts.clear()
        counts.update(dict(kept))
