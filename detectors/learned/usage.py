"""How much one account uses an API by the hour and by the day, and what is usual for it and for its tenant."""

from array import array
from collections.abc import Sequence
from math import exp, sqrt
from struct import Struct
from typing import NamedTuple, Self

import msgspec

from detectors.learned.budget import DAY_S
from detectors.learned.learner import LearnedPeers, LearnedState
from detectors.learned.level import Level, Usual, log, usual
from detectors.learned.shift import Change, left
from detectors.windows import Packed

HOUR_S = 3600.0
HOURLY = ("requests", "bytes", "endpoints", "objects")
DAILY = ("requests", "bytes")
UNITS = {"requests": 1.0, "bytes": 100_000.0, "endpoints": 1.0, "objects": 1.0}
"""Amounts next to nothing: differences below them count little, so that hours without any do not make everything usual."""
BLOCKS = 6
"""Parts of a day (UTC) that differ in what is usual, of four hours each."""
PARTS = 2 * BLOCKS
"""Those of working days, then those of Saturdays and Sundays."""

HOUR_MEMORY = 60.0
"""Hours with traffic in which what was usual fades."""
DAY_MEMORY = 40.0
PART_MEMORY = 20.0
PEER_MEMORY = 2_000.0
TRUST = 4.0
"""Own windows that weigh as much as all of the peers'."""
FLOOR = 0.35
"""Least spread of logarithms: an amount 40 % higher is one spread away even for somebody perfectly regular."""
FLOORS = {"requests": FLOOR, "bytes": 0.8, "endpoints": FLOOR, "objects": FLOOR}
"""The same for each amount an hour or a day is judged by: one large file makes many times as many bytes as usual, and no day is like another."""
RECORD_KEPT = 0.98
"""Share of a record that is left after a day with traffic: half of it after 34."""

CREEP_SLACK = 0.5
"""Of a cumulative sum of daily distances (Page, Biometrika 1954), in spreads: what is allowed each day."""
CREEP_MOST = 3.0
"""What a single day can add to it."""
CREEP_LIMIT = 6.0
"""Sum from which on a slow rise is worth an alert."""
CREEP_KEPT = 9.0
"""The sum grows no further."""
RISES = 6
"""Or so many days with traffic in a row, each with more than the one before: by chance it happens once in 5,040."""
RISE_LEAST = 0.01
"""By how much (a logarithm)."""
LATELY = 4.0
"""Days that are compared with what is usual, to say how far a slow rise has come."""

SHIFT_MOST = 1.5
"""Most that one window can count in it: a factor of 4.5."""
SHIFT_LEAST = 0.1

# Where in the numbers of a profile what begins.
HOURS = 0
"""Levels of hours: three numbers for each measure."""
DAYS = HOURS + 3 * len(HOURLY)
OFFSETS = DAYS + 3 * len(DAILY)
"""By how much requests of each part of the week differ from the mean,"""
WEIGHTS = OFFSETS + PARTS
"""and of how many hours that is known."""
RECORDS = WEIGHTS + PARTS
"""Highest amounts of an hour; most requests within an hour of each part of the day."""
DAY_RECORDS = RECORDS + len(HOURLY) + BLOCKS
TODAY = DAY_RECORDS + len(DAILY)
"""As ``RECORDS``, of this day. They become records with its end: the first hour of an attack must not excuse the second."""
RISE = TODAY + len(HOURLY) + BLOCKS
"""See ``Rise``: five numbers for each daily measure."""
SIZE = RISE + 5 * len(DAILY)

_VERSION = 1
_FORM = Struct(f"<B{SIZE}f")


class Profile(Packed):
    """What an account does usually: 66 numbers of four bytes, 400 bytes in memory and in a checkpoint."""

    __slots__ = ("numbers",)

    def __init__(self, numbers: Sequence[float] = ()) -> None:
        self.numbers = array("f", numbers or bytes(4 * SIZE))

    def level(self, at: int) -> Level:
        """A copy of the level that begins there."""
        numbers = self.numbers
        return Level(numbers[at], numbers[at + 1], numbers[at + 2])

    def put(self, at: int, level: Level) -> None:
        """Have that level begin there."""
        numbers = self.numbers
        numbers[at], numbers[at + 1], numbers[at + 2] = level.weight, level.mean, level.var

    def to_bytes(self) -> bytes:
        """See ``Packed``."""
        return _FORM.pack(_VERSION, *self.numbers)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """See ``Packed``."""
        if len(data) != _FORM.size or data[0] != _VERSION:
            raise ValueError(f"profile: {len(data)} bytes cannot be read; expected {_FORM.size} of version {_VERSION}")
        return cls(_FORM.unpack(data)[1:])


class Usage(LearnedState):
    """About 1 KB; within an hour of more than 24 events at most 256 endpoints, as many objects and 40 event ids besides."""

    end: float = 0.0
    """Of the hour that is counted now; 0: nothing was seen yet."""
    first_ts: float = 0.0
    """First event of it."""
    requests: int = 0
    bytes: int = 0
    look_requests: float = 0.0
    look_bytes: float = 0.0
    """Amounts of this hour from which on the next look is due."""
    look_endpoints: float = 0.0
    look_objects: float = 0.0
    endpoints: dict[str, int] | None = None
    objects: dict[str, int] | None = None
    recent: list[str] | None = None
    """Ids of the last events, since the hour became busy."""
    day_ts: float = 0.0
    """First event of this day."""
    day_requests: int = 0
    day_bytes: int = 0
    """Of the hours of this day that have ended."""
    profile: Profile | None = None
    """``None`` until an hour has ended: those who come once cost little."""


class Shift(Change, gc=False):
    """By how much (a logarithm) all accounts of a tenant have changed of late."""

    def take(self, change: float, ts: float, half_s: float) -> None:
        """The change of one account, in a window that ended at ``ts``; the older the window, the less."""
        self.add(min(max(change, -SHIFT_MOST), SHIFT_MOST), ts, half_s, left(max(self.ts, ts) - ts, half_s))

    def at(self, ts: float, half_s: float) -> float:
        """By how much they have risen; 0 where too few have been seen to say."""
        value = self.now(ts, half_s)
        return value if value > SHIFT_LEAST else 0.0


SHIFT_S = 7_200.0
"""In this time half of the change of hours is forgotten,"""
DAY_SHIFT_S = DAY_S
"""and in this time half of that of days."""


class VolumePeers(LearnedPeers):
    """What is usual for an account of the tenant, and by how much all of it has changed lately: at most six levels, three changes, and the budget."""

    hour_levels: list[Level] = msgspec.field(default_factory=lambda: [Level() for _ in HOURLY])
    day_levels: list[Level] = msgspec.field(default_factory=lambda: [Level() for _ in DAILY])
    shift: Shift = msgspec.field(default_factory=Shift)
    day_shifts: list[Shift] = msgspec.field(default_factory=lambda: [Shift() for _ in DAILY])


# -- what is usual ----------------------------------------------------------------------------------------------------------------


def part_of(end: float) -> int:
    """Which part of the week an hour lies in, by its end.

    >>> part_of(3600.0), part_of(2 * 86_400 + 5 * 3600.0)
    (0, 7)
    """
    hour = int(end // HOUR_S) - 1
    return hour % 24 // 4 + BLOCKS * ((hour // 24) % 7 in {2, 3})  # 1970 began with a Thursday


def offset_of(profile: Profile, part: int) -> float:
    """By how much requests of that part of the week differ; where little is known of it, by how much those of the same part of other days do."""
    numbers = profile.numbers
    other = (part + BLOCKS) % PARTS
    weight, elsewhere = numbers[WEIGHTS + part], numbers[WEIGHTS + other]
    like = numbers[OFFSETS + other] * elsewhere / (elsewhere + TRUST)
    return (numbers[OFFSETS + part] * weight + like * TRUST) / (weight + TRUST)


def expected_of_hour(profile: Profile, peers: VolumePeers, index: int, part: int) -> Usual:
    """What is usual in an hour of that part of the week. Where endpoints or objects were never counted: no more of them than requests."""
    if index > 1 and not profile.numbers[HOURS + 3 * index] and not peers.hour_levels[index].weight:
        index = 0
    found = usual(profile.level(HOURS + 3 * index), peers.hour_levels[index], TRUST, FLOORS[HOURLY[index]])
    return Usual(max(0.0, found.mean + offset_of(profile, part)), found.spread)


def expected_of_day(profile: Profile, peers: VolumePeers, index: int) -> Usual:
    """What is usual in a day."""
    return usual(profile.level(DAYS + 3 * index), peers.day_levels[index], TRUST, FLOORS[DAILY[index]])


def record_of_hour(profile: Profile, index: int, part: int) -> float:
    """The highest amount of an hour so far; of requests at another time of the day, half of it counts."""
    record = profile.numbers[RECORDS + index]
    return record if index else max(profile.numbers[RECORDS + len(HOURLY) + part % BLOCKS], record / 2)


def record_of_day(profile: Profile, index: int) -> float:
    """The highest amount of a day so far."""
    return profile.numbers[DAY_RECORDS + index]


# -- learning ---------------------------------------------------------------------------------------------------------------------


def hour_of(state: Usage) -> list[float]:
    """The hour that is counted, as ``learn_hour`` takes it: amounts in the order of ``HOURLY``, -1 where not counted, and its part of the week."""
    return [
        float(state.requests),
        float(state.bytes),
        float(len(state.endpoints)) if state.endpoints else -1.0,
        float(len(state.objects)) if state.objects else -1.0,
        float(part_of(state.end)),
    ]


def learn_hour(profile: Profile, window: Sequence[float], records: int = TODAY) -> None:
    """Learn an hour of ``hour_of``. ``records``: which of them it may raise. Cost ≈ 3 µs."""
    numbers = profile.numbers
    part = int(window[-1])
    offset = offset_of(profile, part)
    for index, name in enumerate(HOURLY):
        amount = window[index]
        if amount < 0:
            continue
        value = log(amount, UNITS[name])
        level = profile.level(HOURS + 3 * index)
        if index == 0:
            weight = numbers[WEIGHTS + part] = min(numbers[WEIGHTS + part] + 1.0, PART_MEMORY)
            if level.weight:
                numbers[OFFSETS + part] += (value - level.mean - numbers[OFFSETS + part]) / weight
            block = records + len(HOURLY) + part % BLOCKS
            numbers[block] = max(numbers[block], amount)
        level.learn(max(0.0, value - offset), HOUR_MEMORY, FLOOR)
        profile.put(HOURS + 3 * index, level)
        numbers[records + index] = max(numbers[records + index], amount)


def learn_day(profile: Profile, amounts: Sequence[float]) -> None:
    """Learn a day with these requests and bytes, and let what it has shown of its hours become records."""
    numbers = profile.numbers
    for index, name in enumerate(DAILY):
        level = profile.level(DAYS + 3 * index)
        level.learn(log(amounts[index], UNITS[name]), DAY_MEMORY, FLOOR)
        profile.put(DAYS + 3 * index, level)
        numbers[DAY_RECORDS + index] = max(amounts[index], numbers[DAY_RECORDS + index] * RECORD_KEPT)
    for at in range(len(HOURLY) + BLOCKS):
        numbers[RECORDS + at] = max(numbers[TODAY + at], numbers[RECORDS + at] * RECORD_KEPT)
        numbers[TODAY + at] = 0.0


def tell_peers(profile: Profile, peers: VolumePeers, amounts: Sequence[float], now: float, min_days: int) -> None:
    """The day that has ended, and the mean hour, stand for the account among its peers. Before ``learn_day``."""
    for index, name in enumerate(DAILY):
        value, level = log(amounts[index], UNITS[name]), profile.level(DAYS + 3 * index)
        if level.weight >= min_days:
            peers.day_shifts[index].take(value - level.mean, now, DAY_SHIFT_S)
        peers.day_levels[index].learn(value, PEER_MEMORY, FLOOR)
    for index in range(len(HOURLY)):
        level = profile.level(HOURS + 3 * index)
        if level.weight:
            peers.hour_levels[index].learn(level.mean, PEER_MEMORY, FLOOR)


def drift(state: Usage, profile: Profile, peers: VolumePeers) -> None:
    """Take the change of the account's hour that has ended into that of its tenant."""
    level = profile.level(HOURS)
    if level.weight >= TRUST:
        change = log(state.requests) - level.mean - offset_of(profile, part_of(state.end))
        peers.shift.take(change, state.end, SHIFT_S)


def factor_of(shift: float) -> float:
    """A change as a factor."""
    return exp(shift)


# -- slow rises -------------------------------------------------------------------------------------------------------------------


class Rise(NamedTuple):
    """How far a slow rise of one measure has come."""

    score: float
    """In spreads, comparable with those of windows; 0 where it is none."""
    factor: float
    """Times what was usual."""


def rise(profile: Profile, peers: VolumePeers, index: int, amount: float, now: float, min_days: int, least_factor: float) -> Rise:
    """Whether days have risen slowly up to the one that has ended, and at least by that factor. Before ``learn_day``.

    Two ways: by how much days exceed what is usual is summed up (usual by the account's own days alone, for somebody who always does more
    than the peers does not rise; and without the change of the whole tenant); and days are counted each of which exceeds the one before.

    Measured on made-up days that rise from the usual amount after 15 of them, and differ by a fifth otherwise: 3 % a day are always found, when
    it has become 2.2 times as much (26 days), 5 % after 17 days, 12 % after 8; 2 % in half of the cases; 1 % a week is not. An account whose
    log begins with the rise is found from about 12 % a day on, by days in a row; 3 % a day over ten days are not.
    """
    numbers, at = profile.numbers, RISE + 5 * index
    value, level = log(amount, UNITS[DAILY[index]]), profile.level(DAYS + 3 * index)
    last, first, rises = numbers[at], numbers[at + 1], numbers[at + 2]
    first, rises = (first, rises + 1) if level.weight and value > last + RISE_LEAST else (value, 0.0)
    numbers[at], numbers[at + 1], numbers[at + 2] = value, first, rises
    lately = numbers[at + 3] = numbers[at + 3] + (value - numbers[at + 3]) / min(level.weight + 1.0, LATELY)
    if level.weight < min_days:
        return Rise(0.0, 1.0)
    shift = peers.day_shifts[index].at(now, DAY_SHIFT_S)
    distance = (value - level.mean - shift) / max(FLOOR, sqrt(level.var))
    total = numbers[at + 4] = min(max(0.0, numbers[at + 4] + min(distance, CREEP_MOST) - CREEP_SLACK), CREEP_KEPT)
    found = Rise(0.0, 1.0)
    for score, factor, enough in (
        (total / 2, exp(lately - level.mean - shift), total > CREEP_LIMIT),
        (rises / 2, exp(value - first), rises >= RISES),
    ):
        if enough and factor >= least_factor and score > found.score:
            found = Rise(score, factor)
    return found


def settle_rise(profile: Profile, index: int) -> None:
    """It has been said: another one begins."""
    numbers, at = profile.numbers, RISE + 5 * index
    numbers[at + 1], numbers[at + 2], numbers[at + 4] = numbers[at], 0.0, 0.0


def _left(age_s: float, half_life_s: float) -> float:
    return float(0.5 ** (age_s / half_life_s))
