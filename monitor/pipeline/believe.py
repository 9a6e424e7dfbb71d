"""Which times of a source are believed.

One record dated 2099 must not carry the clock of the stream with it: everything after it would be late. So an event that leaps more than
``LEAP_S`` ahead of its source is held back until the source itself shows what time it is: when ``WITNESSES`` events in a row are ahead, the
leap was real (a quiet weekend, a gap in the log); when the source goes on at the old time, the leap was false. Then a lone event is
refused: its clock is wrong. Several that agree are no broken clock but a log that is not in the order of time: they wait, without moving
the clock, until the stream has come to where they belong.
"""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import msgspec

from schemas.event import Event

BY_TIME = attrgetter("ts", "id")
LEAP_S = 86_400.0
"""A step ahead that is believed without more: one day."""
SKEW_S = 86_400.0
"""How far ahead of the broker's clock the clock of whoever wrote an event may be: one day, as for a step."""
WITNESSES = 8
"""Events in a row that must be ahead to confirm a leap, the leaping one included."""

COMPANY = 3
"""Events ahead that agree within ``LEAP_S``, from which on they are taken to be a part of the log out of its order."""
MAX_AHEAD = 10_000
"""Events of one source that may wait like that; the memory of it must not be a stranger's to fill."""


class Suspect(msgspec.Struct):
    """An event that waits for its time to be confirmed, with the record it came from."""

    event: Event
    record: bytes
    line: int


class Timeline:
    """The believed time of one source."""

    __slots__ = ("ahead", "believed", "limit", "suspects")

    def __init__(self) -> None:
        self.believed = float("-inf")
        self.limit = float("-inf")
        """An event up to this time needs no checking."""
        self.suspects: list[Suspect] = []
        self.ahead = 0
        """Events that were sent ahead so far."""

    def doubt(self, suspect: Suspect) -> list[Event]:
        """Take an event beyond ``limit``; return those that are believed with it, in arrival order."""
        self.suspects.append(suspect)
        if len(self.suspects) < WITNESSES:
            return []
        arrived, self.suspects = self.suspects, []
        believed = self.believed
        for ts in sorted(held.event.ts for held in arrived):
            # The earliest of them is where the source is now; the others follow if they follow on it closely.
            if believed == self.believed or ts <= believed + LEAP_S:
                believed = max(believed, ts)
        self.advance(believed)
        self.suspects = [held for held in arrived if held.event.ts > self.limit]
        return [held.event for held in arrived if held.event.ts <= self.limit]

    def advance(self, ts: float) -> None:
        """The source is known to be at ``ts``."""
        if ts > self.believed:
            self.believed, self.limit = ts, ts + LEAP_S

    def contradicted(self) -> tuple[list[Event], list[Suspect]]:
        """The source went on at the old time: the suspects that may wait for theirs, and those that are refused. Both are forgotten here."""
        suspects, self.suspects = self.suspects, []
        suspects.sort(key=lambda held: held.event.ts)
        ahead: list[Event] = []
        wrong: list[Suspect] = []
        for i, held in enumerate(suspects):
            ts = held.event.ts
            company = sum(1 for other in suspects[max(0, i - COMPANY) : i + COMPANY + 1] if abs(other.event.ts - ts) <= LEAP_S)
            if company >= COMPANY and self.ahead < MAX_AHEAD:
                self.ahead += 1
                ahead.append(held.event)
            else:
                wrong.append(held)
        return ahead, wrong

    def end(self) -> list[Event]:
        """The source has ended: no clock can be misled any more, so those still waiting are as good as any."""
        suspects, self.suspects = self.suspects, []
        # By time: a lone stamp of 2099 among the few lines of a short file must not make those after it late.
        return sorted((held.event for held in suspects), key=BY_TIME)

    def dump(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "believed": None if self.believed == float("-inf") else self.believed,
            "ahead": self.ahead,
            "suspects": [[msgspec.to_builtins(s.event), s.record.decode("latin-1"), s.line] for s in self.suspects],
        }

    def load(self, data: dict[str, Any]) -> None:
        """Take over what ``dump`` returned."""
        if data["believed"] is not None:
            self.advance(data["believed"])
        self.ahead = data["ahead"]
        rows: Sequence[Any] = data["suspects"]
        self.suspects = [Suspect(msgspec.convert(event, Event), record.encode("latin-1"), line) for event, record, line in rows]
