"""A source that has fallen silent against its habit, or whose clock jumps (ATT&CK T1685.002)."""

from itertools import product
from typing import Annotated, ClassVar

import msgspec
from pydantic import Field

from detectors.base import NEVER, Variant, by_tenant, split_key
from detectors.episode import MAX_EVIDENCE, Episode, EpisodeDetector, EpisodeState
from detectors.rhythm import HOUR_S, Profile, hour_of
from detectors.settings import DetectorSettings, Seconds
from detectors.silence_says import CLOCK, PARTS, SILENCE, Told, counterfactual, explain, told_facts
from detectors.voices import Voices, learn_event, per_hour, usual_of
from schemas.event import HEARD, KINDS, Event
from schemas.finding import EntityType, Fact, Finding, Phase
from schemas.severity import Severity

DAY_S = 86_400.0
MAX_BACK = 100
"""Jumps remembered to tell whether they come often enough, at most."""
OUTCOMES = ("success", "failure", "challenge", None)


def by_host(event: Event) -> str | None:
    """One key per tenant and host, for events whose target is ``host:…``."""
    target = event.target
    if target is None or not target.startswith("host:") or len(target) == 5:
        return None
    return f"{event.tenant or ''}\x1f{target[5:261]}"


def by_input(event: Event) -> str | None:
    """One key per input of the service: a topic or a file, with the tenant it is configured for."""
    return None if event.target is None else f"{event.tenant or ''}\x1f{event.target}"


class SilenceSettings(DetectorSettings):
    """`source_silence`: other systems alert after five minutes without events following an alert; here each source has its own measure."""

    silence_s: Annotated[Seconds, Field(ge=10, description="Seconds of silence that are never too few to be told.")] = 900
    pause_factor: Annotated[
        float,
        Field(ge=1, le=1000, description="Times as long as its longest usual pause at that hour of the week that a silence must be, too."),
    ] = 10
    steady_pause_s: Annotated[
        Seconds, Field(description="Hours in which it usually pauses longer than this are not judged: nights, nightly jobs, quiet sources.")
    ] = 1200
    min_rate: Annotated[
        float, Field(ge=1, le=1e6, description="Events per hour, on average over its history, below which it is not judged.")
    ] = 20
    flat_after_s: Annotated[
        Seconds, Field(description="Seconds of history after which a source that is never quiet is judged; before that none is.")
    ] = DAY_S
    hours_after_s: Annotated[
        Seconds,
        Field(description="Seconds of history after which an hour of the week not seen yet is judged by the same hour of other days."),
    ] = 3 * DAY_S
    log_change_s: Annotated[
        Seconds, Field(description="A change to the audit log so many seconds before the silence, or less, makes it high.")
    ] = 3600
    retire_s: Annotated[Seconds, Field(description="Seconds of silence after which a source has been retired: the alert resolves.")] = (
        7 * DAY_S
    )
    jump_s: Annotated[
        Seconds, Field(ge=60, description="How far behind the newest event another must lie for its clock to have jumped.")
    ] = 3600
    jumps: Annotated[int, Field(ge=2, le=MAX_BACK, description="Such events that make an alert.")] = 5
    jump_window_s: Annotated[Seconds, Field(description="Seconds in which those fall, by the newest event.")] = 600
    quiet_s: Annotated[Seconds, Field(description="Seconds without another such event after which a jumping clock has settled.")] = 3600


class Source(EpisodeState):
    """168 small numbers, at most ``MAX_BACK`` jumps and one episode: about 2 KB; of an input, as many for each of at most 64 partitions."""

    first_ts: float = 0.0
    newest: float = 0.0
    last_id: str = ""
    count: int = 0
    """Events since ``first_ts``."""
    hour_end: float = 0.0
    """While an event lies before this, nothing but a count and a compare is done; 0: look at the next one closely."""
    pause: float = 0.0
    """The longest pause of the present hour."""
    changed_ts: float = 0.0
    changed_id: str = ""
    """The last change to the audit log."""
    profile: Profile = msgspec.field(default_factory=list)
    back: list[tuple[float, str]] = msgspec.field(default_factory=list)
    """(newest event time then, id) of events far behind."""
    told: Told | None = None
    voices: Voices | None = None
    """Of an input; all above but ``told`` is of a tenant or host."""


class SourceSilence(EpisodeDetector[Source, SilenceSettings]):
    """Knows how long each source pauses at each hour of the week, and counts the seconds after each event.

    The clock is event time, and other sources move it: where only one source is read, its silence is told when it speaks again, and one at
    the end of a log never. The live service moves it on, too, when all its inputs are silent. State per key ≈ 2 KB. Cost ≈ 0.2 µs per event;
    inputs cost nothing per event, for they are marked as heard every ten seconds only.
    """

    name = "source_silence"
    title = "Source fell silent"
    sees = "A tenant, host, topic, partition or file that always sends events and has stopped, or a tenant's or host's clock that jumps."
    kinds = KINDS | {HEARD}
    techniques = ("T1685.002",)
    false_positives = (
        "Nights, weekends and holidays: a silence is judged only when every hour it touches is one without usual pauses beyond `steady_pause_s`.",
        "A nightly or hourly job: pauses longer than `steady_pause_s` are its habit, so it is never judged.",
        "A planned outage: told once; a pause at the same hour of the next week is judged by it.",
        "A source that was taken out of service: resolves after `retire_s`; allow-list it before.",
        "A backlog that is sent late: a low clock alert; raise `jump_s` for sources that buffer for hours.",
        "One partition of a topic without keys that use it: low; a topic whose partitions are all silent is one alert.",
        "A file that ends, in a replay: only inputs of the live service are judged as inputs, and one that is not read any more is forgotten.",
    )
    variants: ClassVar[dict[str, Variant]] = {
        "by_tenant": Variant("tenant", by_tenant, ignores=frozenset(product((HEARD,), OUTCOMES))),
        "by_source": Variant("source", by_host, ignores=frozenset(product((HEARD,), OUTCOMES))),
        "by_input": Variant("source", by_input, ignores=frozenset(product(KINDS, OUTCOMES))),
    }
    Settings = SilenceSettings
    State = Source

    def memory_s(self, limits: SilenceSettings) -> float:
        """Longer than a week, so that each hour of it is remembered, and than an alert may be open."""
        return max(limits.retire_s, 9 * DAY_S) + DAY_S

    def on_event(self, key: str, state: Source, event: Event) -> Finding | None:
        """Count; once an hour learn its longest pause."""
        ts = event.ts
        pause = ts - state.newest
        if ts < state.hour_end and pause >= 0.0:
            # The common case, for every event there is: flat on purpose.
            state.count += 1
            state.newest = ts
            state.last_id = event.id
            if pause > state.pause:  # noqa: PLR1730 - a call of max() costs as much as the rest
                state.pause = pause
            if event.kind == "audit.log_change":
                state.changed_ts, state.changed_id = ts, event.id
            return None
        return self._closely(key, state, event)

    def _closely(self, key: str, state: Source, event: Event) -> Finding | None:
        """The first event, the first of an hour, one after a silence, or one that comes late."""
        if event.kind == HEARD:
            return self._heard(key, state, event)
        limits, ts = self.limits_of(key), event.ts
        if not state.count:
            state.first_ts = state.newest = ts
        state.count += 1
        if event.kind == "audit.log_change" and ts > state.changed_ts:
            state.changed_ts, state.changed_id = ts, event.id
        if ts < state.newest:
            return self._behind(key, state, event, limits)
        finding = None
        if state.told is not None and state.told.what == SILENCE:
            state.told.came_back = True
            finding = self._close(key, state, ts)
        learn_event(state, ts, event.id)
        state.hour_end = (hour_of(ts) + 1) * HOUR_S
        if state.wake_at == NEVER:
            state.wake_at = ts + limits.silence_s
        return finding

    # -- silence ------------------------------------------------------------------------------------------------------------------

    def on_time(self, key: str, state: Source, now: float) -> Finding | None:
        """See how long it has been silent; the timer follows the source lazily."""
        limits, told = self.limits_of(key), state.told
        if state.voices is not None:
            state.voices.look(now, limits)
            return self._tell_input(key, state, state.voices, now, came_back=False)
        if told is not None and told.what == SILENCE:
            return self._still_silent(key, state, told, now)
        finding = self._settled(key, state, now) if told is not None else None
        if finding is not None:
            self._next_look(state, limits, now)
            return finding
        if now < state.newest + limits.silence_s:
            self._next_look(state, limits, now)
            return None
        usual = usual_of(state, limits, now)
        if usual is None:
            self._next_look(state, limits, now)
            return None
        limit_s = max(limits.silence_s, limits.pause_factor * usual)
        if now < state.newest + limit_s:
            state.wake_at = self._earlier(state, limits, state.newest + limit_s)
            return None
        return self._fall_silent(key, state, now, Told(SILENCE, usual, limit_s))

    def _next_look(self, state: Source, limits: SilenceSettings, now: float) -> None:
        """When silence can be told next, or the clock's alert ends; for a source that is not judged now, never before its next event."""
        due = state.newest + limits.silence_s
        if due <= now:
            due = NEVER
            state.hour_end = 0.0
        state.wake_at = self._earlier(state, limits, due)

    def _earlier(self, state: Source, limits: SilenceSettings, due: float) -> float:
        return due if state.episode is None else min(due, state.episode.last_seen + limits.quiet_s)

    def _fall_silent(self, key: str, state: Source, now: float, told: Told) -> Finding:
        limits = self.limits_of(key)
        told.log_changed = 0 <= state.newest - state.changed_ts <= limits.log_change_s
        told.step_s, told.per_hour = now - state.newest, per_hour(state)
        evidence = [state.last_id]
        if told.log_changed and state.changed_id != state.last_id:
            evidence.insert(0, state.changed_id)
        state.hour_end = 0.0
        first_seen = state.changed_ts if told.log_changed else state.newest
        episode = state.episode
        phase: Phase = "open" if episode is None else "update"
        if episode is None:
            state.episode = episode = Episode(first_seen, now, len(evidence), 0, 0, evidence)
        state.told = told
        state.wake_at = self._next_step(state, limits, told)
        return self._tell(key, state, episode, phase, now)

    def _next_step(self, state: Source, limits: SilenceSettings, told: Told) -> float:
        return state.newest + max(told.step_s + 1.0, min(2 * told.step_s, limits.retire_s))

    def _still_silent(self, key: str, state: Source, told: Told, now: float) -> Finding | None:
        """Say so each time the silence has doubled, until the source counts as retired."""
        limits = self.limits_of(key)
        assert state.episode is not None
        if now - state.newest >= limits.retire_s:
            return self._close(key, state, now)
        told.step_s = now - state.newest
        state.wake_at = self._next_step(state, limits, told)
        return self._tell(key, state, state.episode, "update", now)

    def _close(self, key: str, state: Source, now: float) -> Finding:
        assert state.episode is not None
        assert state.told is not None
        state.told.step_s, state.told.per_hour = now - state.newest, per_hour(state)
        finding = self._tell(key, state, state.episode, "close", now)
        state.episode = state.told = None
        state.wake_at = NEVER
        return finding

    def _tell(self, key: str, state: Source, episode: Episode, phase: Phase, now: float) -> Finding:
        episode.last_seen = max(episode.last_seen, now)
        return self._say(key, state, episode, phase, now)

    # -- a clock that jumps -------------------------------------------------------------------------------------------------------

    def _behind(self, key: str, state: Source, event: Event, limits: SilenceSettings) -> Finding | None:
        """An event older than the newest one."""
        told, behind_s = state.told, state.newest - event.ts
        if behind_s < limits.jump_s or (told is not None and told.what == SILENCE):
            return None
        if told is not None and state.episode is not None:
            told.furthest_s = max(told.furthest_s, behind_s)
            finding = self.go_on(key, state, event.ts, event.id)
            state.episode.last_seen = max(state.episode.last_seen, state.newest)
            return finding
        back = state.back
        back.append((state.newest, event.id))
        while back[0][0] < state.newest - limits.jump_window_s or len(back) > limits.jumps:
            del back[0]
        if len(back) < limits.jumps:
            return None
        state.told = Told(CLOCK, furthest_s=behind_s)
        state.episode = episode = Episode(min(event.ts, back[0][0]), state.newest, len(back), 0, 0, [each for _, each in back])
        state.back = []
        state.wake_at = min(state.wake_at, state.newest + limits.quiet_s)
        return self._say(key, state, episode, "open", state.newest)

    def _settled(self, key: str, state: Source, now: float) -> Finding | None:
        """The end of a clock's alert, when nothing has jumped for long enough."""
        assert state.episode is not None
        if now < state.episode.last_seen + self.limits_of(key).quiet_s:
            return None
        finding = self._say(key, state, state.episode, "close", now)
        state.episode = state.told = None
        return finding

    # -- inputs -------------------------------------------------------------------------------------------------------------------

    def _heard(self, key: str, state: Source, event: Event) -> Finding | None:
        """A part of an input was heard, or is not read any more."""
        voices = state.voices = state.voices or Voices()
        gone = event.reason == "gone"
        if gone:
            voices.forget(event.action or "")
        else:
            voices.hear(event.action or "", event.ts, event.id, event.records, self.limits_of(key).silence_s)
        return self._tell_input(key, state, voices, event.ts, came_back=not gone)

    def _tell_input(self, key: str, state: Source, voices: Voices, now: float, *, came_back: bool) -> Finding | None:
        """Say who is silent by now, if that is news: one alert for an input, however many of its parts."""
        state.wake_at = voices.next_due()
        whole, parts, told, episode = voices.whole, voices.silent_parts(), state.told, state.episode
        if whole is not None and whole.silent:
            new, silent = Told(SILENCE), [whole]
        elif parts:
            new, silent = Told(PARTS, parts=parts, of=len(voices.parts)), [voices.parts[name] for name in parts]
        elif told is None or episode is None:
            return None
        else:
            told.came_back = came_back
            finding = self._tell(key, state, episode, "close", now)
            state.episode = state.told = None
            return finding
        longest = max(silent, key=lambda voice: (voice.step_s, voice.last_id))
        new.usual_pause_s, new.limit_s, new.step_s, new.per_hour = longest.usual_s, longest.limit_s, longest.step_s, per_hour(longest)
        is_news = told is None or new.what != told.what or new.step_s > told.step_s or not set(parts) <= set(told.parts)
        state.told = new
        if told is None or episode is None:
            ids = [voice.last_id for voice in silent][:MAX_EVIDENCE]
            state.episode = episode = Episode(min(voice.newest for voice in silent), now, len(ids), 0, 0, ids)
            return self._tell(key, state, episode, "open", now)
        if not is_news:
            return None
        episode.evidence += [voice.last_id for voice in silent if voice.last_id not in episode.evidence]
        del episode.evidence[MAX_EVIDENCE:]
        episode.count = len(episode.evidence)
        return self._tell(key, state, episode, "update", now)

    # -- words --------------------------------------------------------------------------------------------------------------------

    def severity(self, key: str, state: Source) -> Severity:
        """A clock, or some partitions: low. A silence: medium, high right after a change to the audit log."""
        assert state.told is not None
        if state.told.what in {CLOCK, PARTS}:
            return "low"
        return "high" if state.told.log_changed else "medium"

    def facts(self, key: str, state: Source) -> dict[str, Fact]:
        """See ``EpisodeDetector``."""
        assert state.told is not None
        return told_facts(state.told, self.limits_of(key))

    def links(self, key: str, state: Source) -> tuple[tuple[EntityType, str], ...]:
        """The tenant an input is of, which falls silent with it."""
        return () if state.voices is None else (("tenant", split_key(key)[0] or ""),)

    def explain(self, finding: Finding) -> str:
        """See ``Detector``."""
        return explain(finding)

    def counterfactual(self, finding: Finding) -> str:
        """See ``Detector``."""
        return counterfactual(finding)
