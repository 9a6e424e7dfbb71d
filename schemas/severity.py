"""The five severities, in order. The names are those of the alert contract."""

from typing import Literal, get_args

Severity = Literal["info", "low", "medium", "high", "critical"]

SEVERITIES: tuple[Severity, ...] = get_args(Severity)
RANK: dict[str, int] = {name: rank for rank, name in enumerate(SEVERITIES)}


def worst(a: Severity, b: Severity) -> Severity:
    """The graver of two severities.

    >>> worst("low", "high")
    'high'
    """
    return a if RANK[a] >= RANK[b] else b
