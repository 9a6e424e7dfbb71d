"""What `source_silence` tells, in numbers and in words."""

from typing import Protocol

import msgspec

from detectors.phrases import span, times
from schemas.finding import Fact, Finding

SILENCE, CLOCK, PARTS = "silence", "clock_jump", "partitions"
MOST_NAMED = 8
"""Silent partitions that an alert names."""
MAX_CHARS = 120


class Told(msgspec.Struct):
    """What the open episode is about."""

    what: str
    usual_pause_s: float = 0.0
    limit_s: float = 0.0
    log_changed: bool = False
    came_back: bool = False
    furthest_s: float = 0.0
    """How far behind an event was, at most."""
    step_s: float = 0.0
    """How long the silence was when it was last said."""
    per_hour: float = 0.0
    """Events an hour that are missing."""
    parts: list[str] = msgspec.field(default_factory=list)
    """Partitions that are silent, at most 64."""
    of: int = 0
    """Partitions there are."""


class Jumps(Protocol):
    """The settings a clock is judged by."""

    @property
    def jumps(self) -> int: ...  # noqa: D102
    @property
    def jump_s(self) -> float: ...  # noqa: D102
    @property
    def jump_window_s(self) -> float: ...  # noqa: D102


def told_facts(told: Told, limits: Jumps) -> dict[str, Fact]:
    """The numbers of the alert."""
    if told.what == CLOCK:
        return {
            "what": CLOCK,
            "furthest_s": round(told.furthest_s, 3),
            "jumps": limits.jumps,
            "jump_s": limits.jump_s,
            "window_s": limits.jump_window_s,
        }
    facts: dict[str, Fact] = {
        "what": told.what,
        "silent_s": round(told.step_s, 3),
        "limit_s": round(told.limit_s, 3),
        "usual_pause_s": round(told.usual_pause_s, 3),
        "events_per_hour": told.per_hour,
        "log_changed_before": "yes" if told.log_changed else "no",
        "came_back": "yes" if told.came_back else "no",
    }
    if told.what == PARTS:
        named = [name[-MAX_CHARS:] for name in told.parts[:MOST_NAMED]]
        facts |= {"silent": ", ".join(named), "silent_parts": len(told.parts), "parts": told.of}
    return facts


def explain(finding: Finding) -> str:
    """What happened."""
    f = finding.facts
    if f["what"] == CLOCK:
        number = times(finding.count, "event")
        return f"{number} lay up to {span(float(f['furthest_s']))} behind the newest of this source: its clock jumps, or a backlog is sent late."
    silent = span(float(f["silent_s"]))
    rate, pause = f"{float(f['events_per_hour']):,.0f} an hour", span(float(f["usual_pause_s"]))
    if f["what"] == PARTS:
        more = ", …" if int(f["silent_parts"]) > MOST_NAMED else ""
        text = (
            f"No event for {silent} from {f['silent_parts']} of the {f['parts']} partitions ({f['silent']}{more}), while others go on; "
            f"usually there are {rate}, and pauses of {pause} at most at this hour of the week."
        )
    else:
        text = f"No event for {silent} from a source that sends {rate} and usually pauses for {pause} at most at this hour of the week."
    if f["log_changed_before"] == "yes":
        text = f"{text} Its audit log was changed shortly before."
    return f"{text} It sends again." if f["came_back"] == "yes" else text


def counterfactual(finding: Finding) -> str:
    """The smallest change that would have kept it silent."""
    f = finding.facts
    if f["what"] == CLOCK:
        return f"silent with fewer than {times(f['jumps'], 'event')} more than {span(float(f['jump_s']))} behind in {span(float(f['window_s']))}"
    return f"silent for a pause of less than {span(float(f['limit_s']))}"
