"""Who is known to log in from where: tells an office or a NAT, where some of many people mistype, from an address that guesses.

Memories are plain dicts, name → (first success, last success), in the order in which they were last refreshed.
"""

from collections.abc import Iterable
from itertools import islice
from typing import Annotated

from pydantic import Field

from detectors.base import NEVER
from detectors.episode import EpisodeLimits
from detectors.settings import Count, Seconds

MAX_KNOWN = 256
"""Names remembered for one key, about 40 KB; when it is full of fresh ones, a new one is not taken in, so that nobody can push the others out."""

REFRESH = 1 / 128
"""A success is noted again only when the last note is older than this share of the memory: a busy account costs one look-up."""

Known = dict[str, tuple[float, float]]


class SharedLimits(EpisodeLimits):
    """When an address counts as shared."""

    shared_users: Annotated[
        Count,
        Field(
            description="An address from which this many actors logged in is shared (an office, a NAT): it is silent unless more actors fail than that."
        ),
    ] = 3
    shared_memory_s: Annotated[Seconds, Field(description="Seconds for which a success counts for that.")] = 7 * 86_400


def vouch(known: Known, name: str, ts: float, memory_s: float, most: int = MAX_KNOWN) -> None:
    """Note a success. One that comes after more than ``memory_s`` seconds of silence starts anew.

    Cost ≈ 0.1 µs for a name that is known and fresh; never more than one entry is looked at to make room.

    >>> known = {}
    >>> vouch(known, "alice", 0.0, 100); vouch(known, "alice", 50.0, 100); vouch(known, "bob", 500.0, 100, most=1); known
    {'bob': (500.0, 500.0)}
    """
    seen = known.get(name)
    if seen is not None:
        first, last = seen
        if ts < first:
            known[name] = (ts, last)
        elif ts - last > memory_s * REFRESH:
            del known[name]  # to the end of the order
            known[name] = (first if ts - last <= memory_s else ts, ts)
        return
    if len(known) >= most:
        oldest = next(iter(known))
        if known[oldest][1] >= ts - memory_s:
            return
        del known[oldest]
    known[name] = (ts, ts)


def fresh_s(memories_s: Iterable[float]) -> float:
    """Seconds for which a note of a success is surely fresh, whichever of these memories (seconds) applies.

    Within them ``vouch`` would change nothing, so that a detector need not ask for the limits of the key.

    >>> fresh_s([128, 1280])
    1.0
    """
    return min(memories_s) * REFRESH


def is_known(known: Known, name: str, since: float, before: float) -> bool:
    """Whether ``name`` first succeeded before one moment, and last since another.

    >>> is_known({"alice": (10.0, 90.0)}, "alice", since=50, before=80), is_known({"alice": (10.0, 90.0)}, "alice", since=50, before=5)
    (True, False)
    """
    seen = known.get(name)
    return seen is not None and seen[0] < before and seen[1] >= since


def number_known(known: Known, since: float, before: float = NEVER) -> int:
    """How many names are known in that sense. Cost: all of them, at most ``MAX_KNOWN``."""
    return sum(1 for first, last in known.values() if last >= since and first < before)


def is_shared(known: Known, limits: SharedLimits, failing: int, ts: float, before: float = NEVER) -> bool:
    """Whether so many failing actors are what an address shared by these people does anyway.

    ``before``: only who was known before that moment vouches, so that what an attack got into does not.
    """
    if len(known) < limits.shared_users or failing > len(known):
        return False
    good = number_known(known, ts - limits.shared_memory_s, before)
    return good >= limits.shared_users and failing <= good


def first_names(known: dict[str, int], most: int = 5) -> str:
    """The first names of a count, for an alert.

    >>> first_names({"alice": 1, "bob": 2, "carol": 1}, most=2)
    'alice, bob'
    """
    return ", ".join(islice(known, most))
