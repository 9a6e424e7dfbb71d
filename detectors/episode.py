"""One attack, one alert: what the detectors share that see something go on for a while.

A detector opens an episode when its threshold is reached. Whatever belongs to it then only makes the episode grow: it is said again when
the severity rises and each time the count has doubled, and it ends when nothing has come for ``quiet_s``.
"""

from typing import Annotated, Any, Generic, TypeVar

import msgspec
from pydantic import Field

from detectors.base import NEVER, BaseDetector, KeyState, split_key
from detectors.settings import Seconds, Strict
from schemas.finding import EntityType, Fact, Finding, Phase
from schemas.severity import RANK, SEVERITIES, Severity

MAX_EVIDENCE = 20
"""Event ids kept for an alert: the first ones, which show how it began."""

Quiet = Annotated[Seconds, Field(description="Seconds without another such event after which the attack is over and its alert resolves.")]


class Episode(msgspec.Struct):
    """An attack that goes on."""

    first_seen: float
    last_seen: float
    count: int
    reported: int
    """The count when it was last said."""
    rank: int
    """Severity when it was last said; it never falls."""
    evidence: list[str]


class EpisodeState(KeyState):
    """A key's memory with the attack that may be going on."""

    episode: Episode | None = None


class EpisodeLimits(Strict):
    """Limits of a detector that opens episodes."""

    quiet_s: Quiet = 3600


S = TypeVar("S", bound=EpisodeState)
L = TypeVar("L", bound=Strict)


class EpisodeDetector(BaseDetector[S, L], Generic[S, L]):
    """Base of detectors whose findings open, update and close an episode.

    A subclass implements ``on_event`` with ``begin`` and ``go_on``, and says ``facts``, ``severity`` and ``links`` of a state whose
    episode is open. ``reset`` clears what it counted for the episode. Its limits have a ``quiet_s``.
    """

    def facts(self, key: str, state: S) -> dict[str, Fact]:
        """What the alert says in numbers and strings, thresholds included."""
        raise NotImplementedError

    def severity(self, key: str, state: S) -> Severity:
        """How bad it is by now; what it once was, it stays."""
        raise NotImplementedError

    def links(self, key: str, state: S) -> tuple[tuple[EntityType, str], ...]:
        """Other entities the same activity belongs to almost entirely."""
        del key, state
        return ()

    def reset(self, state: S) -> None:
        """Forget what was counted for the episode that just ended."""

    def begin(self, key: str, state: S, ts: float, first_seen: float, count: int, evidence: list[str]) -> Finding:
        """Open an episode and say so."""
        state.episode = Episode(first_seen, ts, count, count, 0, evidence[:MAX_EVIDENCE])
        self._wake(key, state, state.episode)
        return self._say(key, state, state.episode, "open", ts)

    def go_on(self, key: str, state: S, ts: float, event_id: str, *, vital: bool = False) -> Finding | None:
        """One more event of the open episode; said only when it is news. ``vital``: it must be among the evidence, whatever else is."""
        episode = state.episode
        assert episode is not None
        episode.count += 1
        if ts > episode.last_seen:
            episode.last_seen = ts
        elif ts < episode.first_seen:
            episode.first_seen = ts
        if len(episode.evidence) < MAX_EVIDENCE:
            episode.evidence.append(event_id)
        elif vital:
            episode.evidence[-1] = event_id
        if episode.count >= 2 * episode.reported or RANK[self.severity(key, state)] > episode.rank:
            return self._say(key, state, episode, "update", ts)
        return None

    def on_time(self, key: str, state: S, now: float) -> Finding | None:
        """Close the episode, unless something came since the timer was set."""
        episode = state.episode
        if episode is None:
            return None
        self._wake(key, state, episode)
        if state.wake_at > now:
            return None
        state.wake_at = NEVER
        finding = self._say(key, state, episode, "close", now)
        state.episode = None
        self.reset(state)
        return finding

    def on_end(self, key: str, state: S, now: float) -> Finding | None:
        """Say the last count of an episode that is still open."""
        episode = state.episode
        if episode is None or episode.count == episode.reported:
            return None
        return self._say(key, state, episode, "update", now)

    def _wake(self, key: str, state: S, episode: Episode) -> None:
        limits: Any = self.limits_of(key)
        state.wake_at = episode.last_seen + limits.quiet_s

    def _say(self, key: str, state: S, episode: Episode, phase: Phase, ts: float) -> Finding:
        episode.rank = max(episode.rank, RANK[self.severity(key, state)])
        episode.reported = episode.count
        tenant, entity = split_key(key)
        if self.entity_type == "tenant":
            entity = tenant or ""  # its key has nothing but the tenant
        return Finding(
            detector=self.name,
            variant=self.variant,
            tenant=tenant,
            entity_type=self.entity_type,
            entity=entity,
            ts=ts,
            phase=phase,
            severity=SEVERITIES[episode.rank],
            count=episode.count,
            first_seen=episode.first_seen,
            last_seen=episode.last_seen,
            facts=self.facts(key, state),
            evidence=tuple(episode.evidence),
            links=self.links(key, state),
        )
