"""At which hours of the day somebody is active, and how surprising another one is."""

from collections.abc import Sequence
from math import atan2, cos, exp, log, pi, sin, sqrt

import msgspec

HOUR_S = 3600.0
DAY_HOURS = 24
HOUR_DEGREES = 15.0
"""Of longitude for each hour of local time."""

MOST_DAYS = 60
"""Days from which on all counts are halved: what was usual fades within two months, and the counts stay small."""
REACH = ((1, 0.8), (2, 0.3), (3, 0.08), (4, 0.02), (5, 0.005))
"""(hours away, how much activity there says of this hour): daylight saving, a late evening, an early start."""
TRUST = 2.0
"""Days that weigh as much as what is known of others."""
ENOUGH = 8.0
"""Days' worth of knowledge from which on more of it makes nothing odder: else scores would rise for weeks, and pass any threshold."""
HOURS_OF_DAY = 3
"""Hours with activity that tell as much as a day: of somebody seen once a day little is known after ten."""
REST_DAYS = frozenset({2, 3})
"""Days since 1970 modulo 7, which began with a Thursday."""
OTHER_KIND = (0.3, 0.6)
"""How much days off say of working days, and working days of days off."""


class Profile(msgspec.Struct, array_like=True, gc=False):
    """On how many days there was activity in each hour (UTC). 0.3 KB: small integers are shared."""

    days: int = 0
    hours: int = 0
    """Sum of the counts."""
    counts: list[int] = msgspec.field(default_factory=lambda: [0] * DAY_HOURS)

    def learn(self, mask: int) -> None:
        """Take in a day: one bit for each hour with activity. Cost ≈ 2 µs."""
        counts = self.counts
        for hour in range(DAY_HOURS):
            if mask >> hour & 1:
                counts[hour] += 1
        self.days += 1
        self._fade()

    def add(self, hour: int) -> None:
        """Take in one more hour of a day that was learned already."""
        self.counts[hour] += 1
        self._fade()

    def _fade(self) -> None:
        counts = self.counts
        if self.days >= MOST_DAYS or max(counts) >= 4 * MOST_DAYS:
            counts[:] = [count // 2 for count in counts]
            self.days //= 2
        self.hours = sum(counts)

    def near(self, hour: int) -> float:
        """Days with activity at that hour, or not far from it: the further away the less they count."""
        counts = self.counts
        found: float = counts[hour]
        for away, weight in REACH:
            count = max(counts[hour - away], counts[hour + away - DAY_HOURS])
            found = max(found, weight * count)
        return found

    def known(self) -> float:
        """Days' worth of knowledge."""
        return min(float(self.days), max(self.hours / HOURS_OF_DAY, *self.counts))


def is_rest(day: int) -> bool:
    """Whether a day (since 1970) is a Saturday or Sunday.

    >>> is_rest(0), is_rest(2), is_rest(3), is_rest(4)
    (False, True, True, False)
    """
    return day % 7 in REST_DAYS


def chance(same: Profile, other: Profile, *, rest: bool, hour: int, more: float, prior: float) -> float:
    """How likely activity at that hour is on a day with traffic, between own days and what others do.

    ``same``: days of the same kind (``rest``: days off), ``other``: the other days; ``more``: days in favour from elsewhere; ``prior``: others' share.

    >>> office = Profile()
    >>> for _ in range(20): office.learn(0b1111_1111 << 8)
    >>> [round(chance(office, Profile(), rest=False, hour=hour, more=0.0, prior=0.01), 4) for hour in (9, 16, 18, 20, 2)]
    [0.802, 0.642, 0.066, 0.006, 0.002]
    """
    weight = OTHER_KIND[rest]
    days = same.known() + weight * other.known()
    near = same.near(hour) + weight * other.near(hour) + more
    if days > ENOUGH:
        days, near = ENOUGH, near * ENOUGH / days
    return min(1.0, (near + TRUST * prior) / (days + TRUST))


def surprise(likely: float) -> float:
    """A probability as spreads: how far out something as rare lies, as in the tail of a normal distribution.

    >>> [round(surprise(likely), 2) for likely in (1.0, 0.1, 0.011, 0.001)]
    [0.0, 2.15, 3.0, 3.72]
    """
    return sqrt(-2.0 * log(min(1.0, max(likely, 1e-12))) + 0.0)


def likelihood(spreads: float) -> float:
    """The probability of which that is the surprise.

    >>> round(likelihood(surprise(0.02)), 4)
    0.02
    """
    return exp(-spreads * spreads / 2.0)


def shift_h(usual: float, seen: float) -> int:
    """By how many hours local time differs between two longitudes (degrees), the short way round.

    >>> shift_h(13.4, -122.4), shift_h(13.4, 10.7), shift_h(178.0, -172.0)
    (-9, 0, 1)
    """
    return round(turn(usual, seen) / HOUR_DEGREES)


def turn(usual: float, seen: float) -> float:
    """Degrees from one longitude to the other, the short way round: −180 to 180."""
    return (seen - usual + 180.0) % 360.0 - 180.0


def middle(counts: Sequence[int]) -> float:
    """The mean on the clock face, from 0 up to 24, as circular statistics have it (Mardia and Jupp 2000).

    >>> round(middle([0] * 8 + [5] * 9 + [0] * 7), 1), round(middle([5, 5] + [0] * 20 + [5, 5]), 1)
    (12.0, 23.5)
    """
    east = sum(count * x for count, x in zip(counts, _EAST, strict=True))
    north = sum(count * y for count, y in zip(counts, _NORTH, strict=True))
    found = atan2(north, east) / (2 * pi) * DAY_HOURS % DAY_HOURS
    return found if found < DAY_HOURS else 0.0  # a negative next to nothing is rounded up to 24


_EAST = [cos(2 * pi * hour / DAY_HOURS) for hour in range(DAY_HOURS)]
_NORTH = [sin(2 * pi * hour / DAY_HOURS) for hour in range(DAY_HOURS)]


def main_hours(counts: Sequence[int], share: float = 0.9) -> tuple[int, int]:
    """First hour, and the hour after the last, of the shortest part of the day with most of the activity.

    >>> main_hours([0] * 8 + [9, 9, 8, 9, 7, 9, 9, 3] + [0] * 7 + [1])
    (8, 15)
    >>> main_hours([9, 9] + [0] * 20 + [9, 9]), main_hours([0] * 24), main_hours([5] * 24)
    ((22, 2), (0, 24), (0, 22))
    """
    wanted = share * sum(counts)
    if not wanted:
        return 0, DAY_HOURS
    for length in range(1, DAY_HOURS):
        for first in range(DAY_HOURS):
            if sum(counts[(first + place) % DAY_HOURS] for place in range(length)) >= wanted:
                return first, (first + length) % DAY_HOURS or DAY_HOURS
    return 0, DAY_HOURS
