"""The objects one key asked for at one endpoint, and what makes asking for them look like a walk through all there are."""

import msgspec

MAX_RECENT = 512
"""Ids within the window."""
MAX_HISTORY = 128
"""Ids remembered from before it."""
SAME_S = 60.0
"""An id asked for again within this time is no news at all."""
MAX_SHOWN = 20

Marks = dict[str, float]
"""Id → when it was last asked for; negative when it was refused then. In the order in which they were noted."""


class Walk(msgspec.Struct):
    """One endpoint's ids: at most ``MAX_RECENT`` of the window and ``MAX_HISTORY`` from before."""

    recent: Marks = msgspec.field(default_factory=dict)
    history: Marks = msgspec.field(default_factory=dict)
    newest: float = 0.0
    fresh: int = 0
    """Ids noted since it was last looked at."""
    event_ids: list[str] = msgspec.field(default_factory=list)
    """Of the last ``MAX_SHOWN`` to half as many more requests for new ids."""
    turned: int = 0
    """Ids that were refused first and given later."""


class Features(msgspec.Struct):
    """What the window holds. Shares are 0–1."""

    distinct: int
    per_minute: int
    """The most distinct ids asked for within the last minute of the window."""
    adjacent: float
    """Share of the numeric ids whose neighbour was asked for too; 0 when fewer than half are numeric."""
    refused: float
    new: float
    """Share never asked for before the window; 0 while too little is remembered to tell."""


def note(walk: Walk, identity: str, ts: float, *, refused: bool) -> bool:
    """Take one request; whether its id is new to the window. Cost ≈ 0.1 µs for one that is not.

    >>> walk = Walk()
    >>> note(walk, "17", 5.0, refused=True), note(walk, "17", 6.0, refused=False), walk.turned
    (True, False, 1)
    """
    recent = walk.recent
    mark = recent.get(identity)
    if ts > walk.newest:  # noqa: PLR1730 - a call of max() costs as much as the rest
        walk.newest = ts
    if mark is None:
        if len(recent) >= MAX_RECENT:
            del recent[next(iter(recent))]
        recent[identity] = -ts if refused else ts
        return True
    if mark < 0 and not refused:
        walk.turned += 1
        recent[identity] = ts
    elif ts - abs(mark) > SAME_S:
        del recent[identity]  # to the end of the order
        recent[identity] = -ts if refused else ts
    return False


def settle(walk: Walk, window_s: float, history_s: float) -> None:
    """Move what has left the window into the history, and forget what is older than that."""
    recent, history = walk.recent, walk.history
    oldest = walk.newest - window_s
    gone = [identity for identity, mark in recent.items() if abs(mark) < oldest]
    for identity in gone:
        ts = abs(recent.pop(identity))
        history.pop(identity, None)
        history[identity] = ts
    too_old = walk.newest - history_s
    while history and (len(history) > MAX_HISTORY or history[next(iter(history))] < too_old):
        del history[next(iter(history))]


def features(walk: Walk, grace_ids: int) -> Features:
    """Look at the window. Cost ≈ 0.2 µs for each id in it."""
    recent, history = walk.recent, walk.history
    number = len(recent)
    minute = walk.newest - 60
    numbers = sorted(int(identity) for identity in recent if identity.isascii() and identity.isdigit() and len(identity) < 20)
    refused = sum(1 for mark in recent.values() if mark < 0)
    new = sum(1 for identity in recent if identity not in history) / number if len(history) >= grace_ids and number else 0.0
    return Features(
        distinct=number,
        per_minute=sum(1 for mark in recent.values() if abs(mark) > minute),
        adjacent=_adjacent(numbers) if 2 * len(numbers) >= number else 0.0,
        refused=refused / number if number else 0.0,
        new=new,
    )


def _adjacent(numbers: list[int]) -> float:
    """Share of numbers with a neighbour among them.

    >>> _adjacent([1, 2, 3, 7]), _adjacent([])
    (0.75, 0.0)
    """
    if not numbers:
        return 0.0
    beside = 0
    last = len(numbers) - 1
    for at, number in enumerate(numbers):
        if (at and number - numbers[at - 1] <= 1) or (at < last and numbers[at + 1] - number <= 1):
            beside += 1
    return beside / len(numbers)


def keep_last(values: list[str], value: str) -> None:
    """Append, and keep between ``MAX_SHOWN`` and half as many more."""
    values.append(value)
    if len(values) > MAX_SHOWN * 3 // 2:
        del values[:-MAX_SHOWN]


def stalest(walks: dict[str, Walk], spared: str) -> str:
    """The endpoint that has been left alone longest."""
    return min((walk.newest, name) for name, walk in walks.items() if name != spared)[1]
