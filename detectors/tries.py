"""Who tried to log in from an address lately, and how often: a memory that no single account can fill."""

from bisect import insort

from detectors.episode import MAX_EVIDENCE

MAX_ACTORS = 256
"""Actors remembered for one key: those who tried last."""

SUCCESS, FAILURE, UNKNOWN_USER = 0, 1, 2
"""How a try ended; ``UNKNOWN_USER`` is a failure too."""

Try = tuple[float, str, int]
"""Event time, event id, how it ended."""
Tries = dict[str, list[Try]]
"""Actor → the newest tries. The actor who tried last comes last."""


def add_try(tries: Tries, actor: str, entry: Try, span_s: float, keep: int) -> None:
    """Note a try; forget actors without one for ``span_s`` seconds, all but the newest ``keep`` of one actor, and beyond ``MAX_ACTORS`` the stalest.

    Each actor has a memory of its own, so hammering one account hides nothing about the others. Cost ≈ 0.5 µs.

    >>> tries = {}
    >>> for second in range(5): add_try(tries, "alice", (second, f"a{second}", FAILURE), span_s=60, keep=2)
    >>> add_try(tries, "bob", (63.5, "b", FAILURE), span_s=60, keep=2); tries
    {'alice': [(3, 'a3', 1), (4, 'a4', 1)], 'bob': [(63.5, 'b', 1)]}
    """
    mine = tries.get(actor)
    if mine is None:
        tries[actor] = [entry]
    else:
        if entry >= mine[-1]:
            mine.append(entry)
        else:
            insort(mine, entry)
        if len(mine) > keep:
            del mine[0]
        if len(tries) > 1:
            del tries[actor]  # to the end of the order
            tries[actor] = mine
    oldest = entry[0] - span_s
    stalest = next(iter(tries))
    while tries[stalest][-1][0] < oldest or len(tries) > MAX_ACTORS:
        del tries[stalest]
        stalest = next(iter(tries))


def in_window(mine: list[Try], oldest: float) -> list[Try]:
    """The tries at or after ``oldest``."""
    return mine if mine[0][0] >= oldest else [entry for entry in mine if entry[0] >= oldest]


def shown(tries: list[Try]) -> list[str]:
    """Ids for the evidence, oldest first: successes are always among them (at most a quarter), the rest are the first failures."""
    wins = sorted(entry for entry in tries if entry[2] == SUCCESS)[: MAX_EVIDENCE // 4]
    fails = sorted(entry for entry in tries if entry[2] != SUCCESS)[: MAX_EVIDENCE - len(wins)]
    return [event_id for _, event_id, _ in sorted(fails + wins)]
