"""How much an account takes out in a day, and what is usual for it and for its tenant: the learned part of `bulk_export`."""

from typing import Annotated

import msgspec
from pydantic import Field

from detectors.learned.budget import DAY_S, BudgetLimits
from detectors.learned.learner import LearnedDetector, LearnedPeers
from detectors.learned.level import UNREACHED, Level, Usual, log, usual
from detectors.settings import Strict
from schemas.event import Event

MEASURES = ("objects", "records", "bytes")
UNITS = (1.0, 100.0, 100_000.0)
"""Amounts next to nothing, see ``level.log``."""
SMALL_BYTES, SMALL_RECORDS = 100_000, 100
"""Answers smaller than that, which are no exports, are not counted: everybody has hundreds of them a day."""
MEMORY = 40.0
"""Days with exports in which what was usual fades."""
PEER_MEMORY = 2_000.0
TRUST = 4.0
FLOOR = 0.5
"""Least spread of logarithms."""
RECORD_KEPT = 0.98
BEYOND_RECORD = 1.5
LEAST_SCORE, ALWAYS_SCORE = LearnedDetector.least_score, LearnedDetector.always_score
MOST_OF_ONE = 10**12
"""Records or bytes of one event that count: more is a mistake or a lie, and sums of them must fit into 64 bits wherever they are sent."""


class LearnedExports(Strict):
    """When an amount below the limits is unusual for the account all the same."""

    enabled: Annotated[bool, Field(description="Whether amounts below the limits are compared with what is usual.")] = True
    share: Annotated[
        float,
        Field(
            gt=0, le=1, description="Share of a limit below which nothing is worth an alert, whatever is usual; of a day, not of a window."
        ),
    ] = 0.1
    ratio: Annotated[float, Field(ge=1, le=1_000, description="Times what is usual below which nothing is worth an alert.")] = 3.0
    min_days: Annotated[int, Field(ge=1, le=90, description="Days with exports of an account from which on it is judged.")] = 5
    budget: Annotated[BudgetLimits, Field(description="How many of these alerts a day are accepted for each tenant.")] = BudgetLimits()


class History(msgspec.Struct):
    """Three levels and nine numbers: about 0.7 KB for an account that exports."""

    day: int = -1
    """The day that is counted, in days since 1970 (UTC)."""
    days: int = 0
    """Days with exports that were learned."""
    first_ts: float = 0.0
    events: int = 0
    sums: list[int] = msgspec.field(default_factory=lambda: [0, 0, 0])
    """In the order of ``MEASURES``; an object counts as often as it is exported."""
    looks: list[float] = msgspec.field(default_factory=lambda: [UNREACHED, UNREACHED, UNREACHED])
    """From where on the day is worth a look."""
    levels: list[Level] = msgspec.field(default_factory=lambda: [Level(), Level(), Level()])
    records: list[int] = msgspec.field(default_factory=lambda: [0, 0, 0])
    """The highest of a day so far."""

    is_held: bool = False
    """Whether an alert was raised on this day: such a day is not learned."""
    held: list[int] | None = None
    """The last such day, in case its alert was none."""

    def add(self, event: Event) -> bool:
        """Count an event; whether another day begins, or this one is worth a look."""
        if not 0 <= event.ts - self.day * DAY_S < DAY_S and event.ts >= self.day * DAY_S:
            return True
        self.events += 1
        sums, looks = self.sums, self.looks
        if event.kind == "data.export":
            sums[0] += 1
        sums[1] += min(max(0, event.records), MOST_OF_ONE)
        sums[2] += min(max(0, event.bytes), MOST_OF_ONE)
        return sums[0] >= looks[0] or sums[1] >= looks[1] or sums[2] >= looks[2]

    def begin_day(self, event: Event, floors: list[float]) -> bool:
        """Another day begins with this event; whether it is worth a look already. ``floors``: below them nothing is."""
        self.day, self.first_ts, self.events = int(event.ts // DAY_S), event.ts, 0
        self.sums, self.looks = [0, 0, 0], floors
        return self.add(event)

    def end_day(self, peers: "ExportPeers") -> None:
        """The day has ended: learn it, or hold it back."""
        if self.is_held:
            self.held, self.is_held = self.sums, False
        else:
            self.learn(peers, self.sums)

    def learn(self, peers: "ExportPeers", sums: list[int]) -> None:
        """Learn a day."""
        for index, (level, amount) in enumerate(zip(self.levels, sums, strict=True)):
            value = log(amount, UNITS[index])
            level.learn(value, MEMORY, FLOOR)
            peers.levels[index].learn(value, PEER_MEMORY, FLOOR)
            self.records[index] = max(amount, int(self.records[index] * RECORD_KEPT))
        self.days += 1

    def unusual(self, peers: "ExportPeers", limits: LearnedExports, floors: list[float]) -> list[tuple[int, float, float, float]]:
        """(measure, score, usual amount, amount from which on) of all that is worth an alert by itself; and when to look again."""
        found = []
        for index, amount in enumerate(self.sums):
            expected = usual(self.levels[index], peers.levels[index], TRUST, FLOOR)
            worth = self.worth(index, expected, limits, floors, LEAST_SCORE)
            self.looks[index] = max(worth, amount * 1.25)
            if amount >= worth:
                found.append((index, expected.distance(log(amount, UNITS[index])), expected.amount(UNITS[index]), worth))
        return found

    def worth(self, index: int, expected: Usual, limits: LearnedExports, floors: list[float], score: float) -> float:
        """The amount that is worth an alert at a score."""
        unit = UNITS[index]
        return max(floors[index], limits.ratio * expected.amount(unit), BEYOND_RECORD * self.records[index], expected.amount(unit, score))


class ExportPeers(LearnedPeers):
    """What an account of the tenant takes out in a day: three levels and the budget."""

    levels: list[Level] = msgspec.field(default_factory=lambda: [Level(), Level(), Level()])
