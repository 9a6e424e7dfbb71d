"""Going on from a history: what its detectors remember is taken over, where it stood and what it was telling is not."""

import msgspec

from detectors.base import NEVER, KeyState
from detectors.episode import EpisodeState
from monitor.pipeline.state import KeyedState

_NEVER_SAID = -1
"""As the rank of an episode: below every severity, so that its next event is news."""


class Learned(msgspec.Struct):
    """What became of a history in a pipeline. Detectors are named ``name/variant``."""

    keys: int
    """States taken over, of all detectors together."""
    unknown: list[str]
    """Detectors of the history that do not run here: what they remember is left alone."""
    new: list[str]
    """Detectors that run here and that the history does not have: they begin with nothing."""
    unread: dict[str, str]
    """Detectors whose states this version cannot read, so that they begin with nothing → type of the exception."""
    forgotten: dict[str, int]
    """Keys that are more than a detector may remember here."""


def unsay(state: KeyState) -> None:
    """An attack that was going on has been told to nobody here.

    If it goes on, its next event tells of it, with all that was counted before; if not, it ends in silence.
    """
    if isinstance(state, EpisodeState) and state.episode is not None:
        state.episode.rank = _NEVER_SAID
        state.episode.reported = state.episode.count  # so that the end of the input alone is no news


def fit(states: KeyedState) -> int:
    """Forget what is more than may be held here, what was not used lately first; how many keys that were."""
    before = len(states)
    while (more := len(states) - states.detector.max_keys) > 0:
        if states.old:
            # Those with a timer last: an open alert, a wait. Among equals by name, so that it is the same every time.
            for key in sorted(states.old, key=lambda key: (states.old[key].wake_at != NEVER, key))[:more]:
                del states.old[key]
        else:
            states.expire()
    states.evictions += before - len(states)
    return before - len(states)
