"""Daylight saving and public holidays, by rules of their own: no time zone database is needed, and none can change what a seed makes."""

from datetime import date, timedelta
from functools import cache

EPOCH = 719_163
"""Ordinal of 1 January 1970."""
MARCH, APRIL, OCTOBER, NOVEMBER = 3, 4, 10, 11

_FIXED = {
    "DE": ((1, 1), (5, 1), (10, 3), (12, 25), (12, 26)),
    "NO": ((1, 1), (5, 1), (5, 17), (12, 25), (12, 26)),
    "US": ((1, 1), (6, 19), (7, 4), (11, 11), (12, 25)),
    "AU": ((1, 1), (1, 26), (4, 25), (12, 25), (12, 26)),
    "GB": ((1, 1), (12, 25), (12, 26)),
    "IN": ((1, 26), (8, 15), (10, 2)),
    "BR": ((1, 1), (4, 21), (5, 1), (9, 7), (11, 15), (12, 25)),
    "FR": ((1, 1), (5, 1), (5, 8), (7, 14), (11, 11), (12, 25)),
    "PT": ((1, 1), (4, 25), (5, 1), (6, 10), (12, 1), (12, 25)),
}
"""(month, day) that are free every year."""
_EASTER = {
    "DE": (-2, 1, 39, 50),
    "NO": (-3, -2, 1, 39, 50),
    "AU": (-2, 1),
    "GB": (-2, 1),
    "BR": (-2,),
    "FR": (1, 39),
    "PT": (-2, 60),
}
"""Days from Easter Sunday that are free."""


@cache
def daylight_h(rule: str, day: int) -> float:
    """How many hours the clocks are ahead of standard time on that local date (days since 1970). ``rule``: ``eu``, ``us``, ``au`` or none.

    >>> [daylight_h("eu", date(2026, 3, n).toordinal() - EPOCH) for n in (28, 29)], daylight_h("us", 20528), daylight_h("", 20528)
    ([0.0, 1.0], 1.0, 0.0)
    """
    if not rule:
        return 0.0
    year = date.fromordinal(EPOCH + day).year
    if rule == "eu":
        begin, end = _sunday(year, MARCH, -1), _sunday(year, OCTOBER, -1)
    elif rule == "us":
        begin, end = _sunday(year, MARCH, 2), _sunday(year, NOVEMBER, 1)
    else:
        begin, end = _sunday(year, OCTOBER, 1), _sunday(year, APRIL, 1)
    is_summer = begin <= day < end if begin < end else not end <= day < begin
    return 1.0 if is_summer else 0.0


@cache
def is_holiday(country: str, day: int) -> bool:
    """Whether nobody has to work there on that local date (days since 1970).

    >>> good_friday = date(2026, 4, 3).toordinal() - EPOCH
    >>> is_holiday("DE", good_friday), is_holiday("US", good_friday)
    (True, False)
    """
    today = date.fromordinal(EPOCH + day)
    if (today.month, today.day) in _FIXED.get(country, ()):
        return True
    return (today - easter(today.year)).days in _EASTER.get(country, ())


@cache
def easter(year: int) -> date:
    """Easter Sunday, after Gauss as corrected by Butcher.

    >>> easter(2026), easter(2027), easter(2000)
    (datetime.date(2026, 4, 5), datetime.date(2027, 3, 28), datetime.date(2000, 4, 23))
    """
    golden, century = year % 19, year // 100
    moon = (19 * golden + century - century // 4 - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    weekday = (32 + 2 * (century % 4) + 2 * (year % 100 // 4) - moon - year % 100 % 4) % 7
    late = (golden + 11 * moon + 22 * weekday) // 451
    month, day = divmod(moon + weekday - 7 * late + 114, 31)
    return date(year, month, day + 1)


def _sunday(year: int, month: int, number: int) -> int:
    """The n-th Sunday of a month (-1: the last one), in days since 1970."""
    if number > 0:
        first = date(year, month, 1)
        sunday = first + timedelta(days=(6 - first.weekday()) % 7 + 7 * (number - 1))
    else:
        last = date(year, month + 1, 1) - timedelta(days=1)
        sunday = last - timedelta(days=(last.weekday() + 1) % 7)
    return sunday.toordinal() - EPOCH
