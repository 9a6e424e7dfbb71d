"""An hour's actions as a point: what they are measured by, and how the measures are said."""

from collections.abc import Mapping
from math import expm1, log1p

import msgspec

from detectors.learned.conduct import EXPECTED, MOST_SURPRISE, Common, act_of, surprise

FEATURES = ("writes", "deletions", "exports", "queries", "admin_actions", "logins", "refusals", "novelty", "new_share")
"""In the order of the categories of ``conduct``, reading left out; each lies within 0 and 1."""
REFUSALS, NOVELTY, NEW_SHARE = 6, 7, 8
SHARES = (0, 5, 8)
"""Those that are shares; the others, of what few do, saturate."""
SORTS = {
    "writes": ("change", "changes"),
    "deletions": ("deletion", "deletions"),
    "exports": ("export", "exports"),
    "queries": ("query", "queries"),
    "admin_actions": ("administrative action", "administrative actions"),
    "logins": ("login or renewal", "logins and renewals"),
    "refusals": ("refusal", "refusals"),
}
FLOORS = (0.2, 0.15, 0.15, 0.15, 0.15, 0.2, 0.15, 0.08, 0.15)
"""Least spread of each: somebody perfectly regular can still be judged, and a single export is never odd."""
FEW = 4.0
"""Actions of one sort that are half of what a measure can be."""
SATURATED = 5.0
"""Novelty (a logarithm) beyond which more makes no difference."""
UNIT = 2.0
"""Surprise next to nothing, which separates little from none."""


class Mix(msgspec.Struct, frozen=True):
    """A window, measured."""

    point: list[float]
    digests: list[str]
    odd: list[tuple[float, int, str]]
    """(surprise, how often, name) of each kind of action that is new to the account and not usual among its colleagues."""
    counts: list[int]
    """Actions of each sort, in the order of ``FEATURES``; for the last two, new kinds of action and actions of new kinds."""
    total: int


def measure(acts: Mapping[str, int], known: Mapping[str, int], windows: int, common: Common, accounts: int) -> Mix:
    """The mix of a window's ``acts``, of somebody who did ``known`` in so many ``windows``. Cost ≈ 3 µs."""
    counts, total = [0] * len(FEATURES), 0
    digests: dict[str, None] = {}
    odd, novelty = [], 0.0
    for name, count in acts.items():
        digest, category, refused, _ = act_of(name)
        total += count
        if refused:
            counts[REFUSALS] += count
        elif category:
            counts[category - 1] += count
        if digest in digests:
            continue
        digests[digest] = None
        if digest in known:
            continue
        more = surprise(windows, common.share(digest))
        if more > 0.0 and not common.is_change(digest, accounts):
            novelty += more
            counts[NOVELTY] += 1
            counts[NEW_SHARE] += count
            odd.append((more, count, name))
    return Mix(_point(counts, novelty, total), list(digests), odd, counts, total)


def _point(counts: list[int], novelty: float, total: int) -> list[float]:
    """Counts as values between 0 and 1: shares of what everybody does, and saturating amounts of what few do."""
    point = [count / (count + FEW) if count else 0.0 for count in counts]
    for index in SHARES:
        point[index] = counts[index] / (total + FEW)
    point[NOVELTY] = min(1.0, log1p(novelty / UNIT) / SATURATED)
    return point


def amount_of(index: int, value: float, total: int) -> float:
    """About how many actions (for novelty: kinds of action unheard of) a measure stands for, in a window of ``total``.

    >>> round(amount_of(2, 0.5, 30), 1), round(amount_of(0, 0.25, 30), 1), round(amount_of(NOVELTY, 0.5, 30), 1)
    (4.0, 8.5, 4.5)
    """
    if index == NOVELTY:
        return UNIT * expm1(SATURATED * value) / (MOST_SURPRISE - EXPECTED)
    return value * (total + FEW) if index in SHARES else FEW * value / (1.0 - value)
