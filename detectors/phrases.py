"""Words for numbers, so that all explanations read alike."""

from schemas.finding import Fact


def times(number: Fact, noun: str) -> str:
    """A count with its noun.

    >>> times(1, "address"), times(3, "address"), times(1200, "failed login"), times(2, "entry")
    ('1 address', '3 addresses', '1,200 failed logins', '2 entries')
    """
    n = int(number)
    if n != 1:
        if noun.endswith("y") and noun[-2] not in "aeiou":
            noun = f"{noun[:-1]}ies"
        else:
            noun = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{n:,} {noun}"


def span(seconds: float) -> str:
    """A length of time in the units a person would use.

    >>> span(0.4), span(59), span(600), span(5400), span(7200), span(200_000)
    ('1 s', '59 s', '10 min', '90 min', '2 h', '2.3 d')
    """
    if seconds < 1:
        return "1 s"
    for limit, unit, name in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{_short(seconds / unit)} {name}"
    return f"{_short(seconds / 86_400)} d"


def size(number: Fact) -> str:
    """An amount of data.

    >>> size(900), size(1_500_000), size(3 * 1024**3)
    ('900 B', '1.4 MiB', '3 GiB')
    """
    amount = float(number)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{_short(amount)} {unit}"
        amount /= 1024
    return f"{_short(amount)} TiB"


def _short(number: float) -> str:
    return f"{number:.1f}".rstrip("0").rstrip(".")
