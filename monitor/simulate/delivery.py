"""The way events come, which is not always the order in which they happened: shuffled, twice, or hours late."""

import heapq
from collections.abc import Iterator

import msgspec

from monitor.simulate.chance import Chance
from schemas.errors import ConfigurationError

Stamped = tuple[float, bytes]
"""Event time in Unix seconds, and the record."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """How untidy it is."""

    shuffle_s: float = 0.0
    """Each event is delayed by up to so many seconds, so that those close together change places."""
    duplicates: float = 0.0
    """Share of events that come a second time."""
    again_s: float = 30.0
    """Up to so many seconds after the first time."""
    late: float = 0.0
    """Share of events that are held up on the way."""
    late_s: float = 1_800.0
    """By up to so many seconds."""

    def check(self) -> None:
        """Raise ``ConfigurationError`` for what cannot be."""
        for name, value, high in (
            ("shuffle_s", self.shuffle_s, 86_400.0),
            ("duplicates", self.duplicates, 1.0),
            ("again_s", self.again_s, 86_400.0),
            ("late", self.late, 1.0),
            ("late_s", self.late_s, 7 * 86_400.0),
        ):
            if not 0 <= value <= high:
                raise ConfigurationError(f"{name}: {value:g} cannot be simulated; use 0 to {high:g}")

    @property
    def is_tidy(self) -> bool:
        """Whether everything comes once and in order."""
        return not (self.shuffle_s or self.duplicates or self.late)


def deliver(events: Iterator[Stamped], delivery: Delivery, seed: int) -> Iterator[Stamped]:
    """The events in the order they come. Holds those in memory that are on their way; the same seed gives the same order."""
    if delivery.is_tidy:
        yield from events
        return
    chance = Chance(seed, "delivery").random
    shuffle_s, duplicates, late = delivery.shuffle_s, delivery.duplicates, delivery.late
    under_way: list[tuple[float, int, float, bytes]] = []
    number = 0
    for ts, record in events:
        arrives = ts + shuffle_s * chance()
        if late and chance() < late:
            arrives += delivery.late_s * chance()
        heapq.heappush(under_way, (arrives, number, ts, record))
        number += 1
        if duplicates and chance() < duplicates:
            heapq.heappush(under_way, (arrives + delivery.again_s * chance(), number, ts, record))
            number += 1
        while under_way[0][0] <= ts:
            _, _, happened, ready = heapq.heappop(under_way)
            yield happened, ready
            if not under_way:
                break
    while under_way:
        _, _, happened, ready = heapq.heappop(under_way)
        yield happened, ready
