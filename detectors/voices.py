"""Which inputs of the service are heard, and how they pause: a topic or file as a whole, and each partition of it."""

from typing import Protocol

import msgspec

from detectors.base import NEVER
from detectors.rhythm import HOUR_S, Profile, hour_of, learn_pause, usual_pause

MAX_PARTS = 64
"""Partitions told apart; what comes from further ones counts for the topic alone."""
FORGET_HALF_S = 14 * 86_400.0
"""Twice this old, half of the counted history is forgotten: a rate is that of the last weeks."""


class Heard(Protocol):
    """Something that sends."""

    first_ts: float
    newest: float
    last_id: str
    count: int
    pause: float
    profile: Profile


class Limits(Protocol):
    """Those of the settings that say who is judged, and how."""

    @property
    def silence_s(self) -> float: ...  # noqa: D102
    @property
    def pause_factor(self) -> float: ...  # noqa: D102
    @property
    def steady_pause_s(self) -> float: ...  # noqa: D102
    @property
    def min_rate(self) -> float: ...  # noqa: D102
    @property
    def flat_after_s(self) -> float: ...  # noqa: D102
    @property
    def hours_after_s(self) -> float: ...  # noqa: D102
    @property
    def retire_s(self) -> float: ...  # noqa: D102


def learn_event(heard: Heard, ts: float, event_id: str) -> None:
    """Learn the pause before an event that is no earlier than the newest."""
    pause = ts - heard.newest
    if hour_of(ts) != hour_of(heard.newest):
        learn_pause(heard.profile, heard.newest, ts, heard.pause)
        heard.pause = 0.0
        while ts - heard.first_ts > 2 * FORGET_HALF_S:
            # Whatever is older than half weighs half: the rate follows the source within weeks.
            heard.first_ts += (ts - heard.first_ts) / 2
            heard.count //= 2
    heard.pause = max(heard.pause, pause)
    heard.newest, heard.last_id = ts, event_id


def usual_of(heard: Heard, limits: Limits, now: float) -> float | None:
    """Its longest usual pause for the time of its silence; ``None`` where it is not judged."""
    history_s = heard.newest - heard.first_ts
    if history_s < limits.flat_after_s or heard.count < limits.min_rate * history_s / HOUR_S:
        return None
    usual = heard.pause
    if heard.profile:
        usual = max(usual, usual_pause(heard.profile, heard.newest, now, hour_of_day=history_s >= limits.hours_after_s))
    return usual if usual <= limits.steady_pause_s else None


def per_hour(heard: Heard) -> float:
    """Events an hour, on average."""
    return round(heard.count * HOUR_S / max(HOUR_S, heard.newest - heard.first_ts), 1)


NOT_DUE = 1e18
"""Of a part that is not to be looked at. An infinity could not be saved: JSON has none."""


class Voice(msgspec.Struct):
    """168 small numbers and some more: about 0.6 KB as JSON."""

    first_ts: float
    newest: float
    since: float
    """From when on its silence counts: the newest event, or the end of a silence of the whole."""
    last_id: str = ""
    count: int = 0
    pause: float = 0.0
    profile: Profile = msgspec.field(default_factory=list)
    due: float = NOT_DUE
    """When to look at it next."""
    silent: bool = False
    usual_s: float = 0.0
    limit_s: float = 0.0
    """What made it silent."""
    step_s: float = 0.0
    """How long it had been when it was last to be said: it is each time that has doubled."""


class Voices(msgspec.Struct):
    """At most 65 of them."""

    whole: Voice | None = None
    parts: dict[str, Voice] = msgspec.field(default_factory=dict)

    def hear(self, name: str, ts: float, event_id: str, number: int, silence_s: float) -> None:
        """So many events came from a part, the last of them then."""
        if self.whole is None:
            self.whole = Voice(ts, ts, ts)
        was_silent = self.whole.silent
        _hear(self.whole, ts, event_id, number, silence_s)
        if name not in self.parts and len(self.parts) < MAX_PARTS:
            self.parts[name] = Voice(ts, ts, ts)
        if name in self.parts:
            _hear(self.parts[name], ts, event_id, number, silence_s)
        if was_silent and not self.whole.silent:
            for part in self.parts.values():
                # They come back one after the other: each has its time for that.
                part.since, part.due, part.silent = max(ts, part.since), max(ts, part.since) + silence_s, False

    def forget(self, name: str) -> None:
        """A part is not read any more."""
        self.parts.pop(name, None)
        if not self.parts:
            self.whole = None

    def look(self, now: float, limits: Limits) -> None:
        """See who has fallen silent, and forget who has been for too long."""
        if self.whole is not None and self.whole.due <= now:
            _look(self.whole, now, limits)
            if self.whole.silent and now >= self.whole.newest + limits.retire_s:
                self.whole, self.parts = None, {}
        if self.whole is None or self.whole.silent:
            return
        for name, part in list(self.parts.items()):
            if part.due <= now:
                if not part.silent and 2 * (self.whole.newest - part.since) < now - part.since:
                    part.due = now + limits.silence_s / 2  # all of it seems to have stopped: let the whole be judged first
                    continue
                _look(part, now, limits)
                if part.silent and now >= part.newest + limits.retire_s:
                    del self.parts[name]

    def silent_parts(self) -> list[str]:
        """The parts that are silent while others are not."""
        return [name for name, part in self.parts.items() if part.silent] if len(self.parts) > 1 else []

    def next_due(self) -> float:
        """When to look again."""
        if self.whole is None:
            return NEVER
        due = self.whole.due if self.whole.silent else min(self.whole.due, *(part.due for part in self.parts.values()), NOT_DUE)
        return NEVER if due == NOT_DUE else due


def _hear(voice: Voice, ts: float, event_id: str, number: int, silence_s: float) -> None:
    voice.count += number
    if ts < voice.newest:
        return
    learn_event(voice, ts, event_id)
    voice.since = ts
    if voice.silent or voice.due == NOT_DUE:
        voice.due = ts + silence_s
    voice.silent = False


def _look(voice: Voice, now: float, limits: Limits) -> None:
    if voice.silent:
        _step(voice, now, limits)
        return
    voice.due = voice.since + limits.silence_s
    if voice.due > now:
        return
    usual = usual_of(voice, limits, now)
    if usual is None:
        voice.due = NOT_DUE  # until it is heard again
        return
    limit_s = max(limits.silence_s, limits.pause_factor * usual)
    voice.due = voice.since + limit_s
    if voice.due <= now:
        voice.silent, voice.usual_s, voice.limit_s = True, usual, limit_s
        _step(voice, now, limits)


def _step(voice: Voice, now: float, limits: Limits) -> None:
    voice.step_s = now - voice.newest
    voice.due = voice.newest + max(voice.step_s + 1.0, min(2 * voice.step_s, limits.retire_s))
