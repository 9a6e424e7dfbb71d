"""How much one account uses an API by the hour and by the day, and what is usual for it and for its tenant."""

from math import exp, sqrt

import msgspec

from detectors.learned.learner import LearnedPeers, LearnedState
from detectors.learned.level import Level, Usual, log, usual

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
PART_MEMORY = 20
PEER_MEMORY = 2_000.0
TRUST = 4.0
"""Own windows that weigh as much as all of the peers'."""
FLOOR = 0.35
"""Least spread of logarithms: an amount 40 % higher is one spread away even for somebody perfectly regular."""
RECORD_KEPT = 0.98
"""Share of a record that is left after a day with traffic: half of it after 34."""
CREEP_SLACK = 0.5
"""Of a cumulative sum of daily distances (Page, Biometrika 1954), in spreads: what is allowed each day."""
CREEP_MOST = 3.0
"""What a single day can add to it."""
SHIFT_S = 7_200.0
"""In this time half of the change of a whole tenant is forgotten."""
SHIFT_FROM = 8.0
"""Hours of accounts whose change is one of their tenant."""
SHIFT_MOST = 1.5
"""Most that one account's hour can count in it: a factor of 4.5."""


class Usage(LearnedState):
    """About 1.5 KB; within an hour of more than 24 events up to 256 endpoints, as many objects and 40 event ids."""

    end: float = 0.0
    """Of the hour that is counted now; 0: nothing was seen yet."""
    first_ts: float = 0.0
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
    day_requests: int = 0
    day_bytes: int = 0
    """Of the hours of this day that have ended."""
    hour_levels: list[Level] = msgspec.field(default_factory=lambda: [Level() for _ in HOURLY])
    day_levels: list[Level] = msgspec.field(default_factory=lambda: [Level() for _ in DAILY])
    offsets: list[float] = msgspec.field(default_factory=lambda: [0.0] * PARTS)
    weights: list[int] = msgspec.field(default_factory=lambda: [0] * PARTS)
    """By how much requests of that part of the week differ from the mean, and of how many hours that is known."""
    hour_records: list[int] = msgspec.field(default_factory=lambda: [0] * len(HOURLY))
    day_records: list[int] = msgspec.field(default_factory=lambda: [0] * len(DAILY))
    block_records: list[int] = msgspec.field(default_factory=lambda: [0] * BLOCKS)
    """Most requests within an hour of that part of the day."""
    today_records: list[int] = msgspec.field(default_factory=lambda: [0] * (len(HOURLY) + BLOCKS))
    """The same of this day. They become records with its end: the first hour of an attack must not excuse the second."""
    creep: list[float] = msgspec.field(default_factory=lambda: [0.0] * len(DAILY))


class VolumePeers(LearnedPeers):
    """What is usual for an account of the tenant, and by how much all of it has changed in the last hours: six levels and the budget."""

    hour_levels: list[Level] = msgspec.field(default_factory=lambda: [Level() for _ in HOURLY])
    day_levels: list[Level] = msgspec.field(default_factory=lambda: [Level() for _ in DAILY])
    shift: float = 0.0
    shift_weight: float = 0.0
    shift_ts: float = 0.0


def part_of(end: float) -> int:
    """Which part of the week an hour lies in, by its end.

    >>> part_of(3600.0), part_of(2 * 86_400 + 5 * 3600.0)
    (0, 7)
    """
    hour = int(end // HOUR_S) - 1
    return hour % 24 // 4 + BLOCKS * ((hour // 24) % 7 in {2, 3})  # 1970 began with a Thursday


def offset_of(state: Usage, part: int) -> float:
    """By how much requests of that part of the week differ; where little is known of it, by how much those of the same part of other days do."""
    other = part - BLOCKS if part >= BLOCKS else part + BLOCKS
    weights, offsets = state.weights, state.offsets
    elsewhere = offsets[other] * weights[other] / (weights[other] + TRUST)
    return (offsets[part] * weights[part] + elsewhere * TRUST) / (weights[part] + TRUST)


def expected_of_hour(state: Usage, peers: VolumePeers, index: int) -> Usual:
    """What is usual in an hour such as the one that is counted now."""
    found = usual(state.hour_levels[index], peers.hour_levels[index], TRUST, FLOOR)
    return Usual(max(0.0, found.mean + offset_of(state, part_of(state.end))), found.spread)


def expected_of_day(state: Usage, peers: VolumePeers, index: int) -> Usual:
    """What is usual in a day."""
    return usual(state.day_levels[index], peers.day_levels[index], TRUST, FLOOR)


def record_of_hour(state: Usage, index: int) -> float:
    """The highest amount of an hour so far; of requests at another time of the day than now, half of it counts."""
    record = state.hour_records[index]
    return record if index else max(state.block_records[part_of(state.end) % BLOCKS], record / 2)


def hour_of(state: Usage) -> list[float]:
    """The hour that is counted, as ``learn_hour`` takes it: amounts in the order of ``HOURLY``, -1 where not counted, and its part of the week."""
    return [
        float(state.requests),
        float(state.bytes),
        float(len(state.endpoints)) if state.endpoints else -1.0,
        float(len(state.objects)) if state.objects else -1.0,
        float(part_of(state.end)),
    ]


def learn_hour(state: Usage, window: list[float]) -> None:
    """Learn an hour of ``hour_of``."""
    part = int(window[-1])
    offset = offset_of(state, part)
    today = state.today_records
    for index, (name, level) in enumerate(zip(HOURLY, state.hour_levels, strict=True)):
        amount = window[index]
        if amount < 0:
            continue
        value = log(amount, UNITS[name])
        if index == 0:
            weight = state.weights[part] = min(state.weights[part] + 1, PART_MEMORY)
            if level.weight:
                state.offsets[part] += (value - level.mean - state.offsets[part]) / weight
            block = len(HOURLY) + part % BLOCKS
            today[block] = max(today[block], int(amount))
        level.learn(max(0.0, value - offset), HOUR_MEMORY, FLOOR)
        today[index] = max(today[index], int(amount))


def learn_day(state: Usage, peers: VolumePeers, min_days: int) -> None:
    """Learn the day that has ended; its mean hour stands for the account among its peers."""
    for index, (name, amount) in enumerate(zip(DAILY, (state.day_requests, state.day_bytes), strict=True)):
        value, level = log(amount, UNITS[name]), state.day_levels[index]
        if level.weight >= min_days:
            # From one's own days alone: somebody who always does more than the peers does not rise.
            distance = (value - level.mean) / max(FLOOR, sqrt(level.var))
            state.creep[index] = max(0.0, state.creep[index] + min(distance, CREEP_MOST) - CREEP_SLACK)
        level.learn(value, DAY_MEMORY, FLOOR)
        peers.day_levels[index].learn(value, PEER_MEMORY, FLOOR)
        state.day_records[index] = max(amount, int(state.day_records[index] * RECORD_KEPT))
    for index, level in enumerate(state.hour_levels):
        if level.weight:
            peers.hour_levels[index].learn(level.mean, PEER_MEMORY, FLOOR)
    records = [*state.hour_records, *state.block_records]
    records = [max(int(record * RECORD_KEPT), today) for record, today in zip(records, state.today_records, strict=True)]
    state.hour_records, state.block_records = records[: len(HOURLY)], records[len(HOURLY) :]
    state.today_records = [0] * len(records)
    state.days += 1
    state.day_requests = state.day_bytes = 0


def drift(state: Usage, peers: VolumePeers) -> None:
    """Take the change of the account's hour that has ended into that of its tenant."""
    level = state.hour_levels[0]
    if level.weight < TRUST:
        return
    change = log(state.requests) - level.mean - offset_of(state, part_of(state.end))
    weight = peers.shift_weight * _kept(peers, state.end) + 1.0
    peers.shift_ts = max(peers.shift_ts, state.end)
    peers.shift += (min(max(change, -SHIFT_MOST), SHIFT_MOST) - peers.shift) / weight
    peers.shift_weight = weight


def shift_of(peers: VolumePeers, now: float) -> float:
    """By how much (a logarithm) all of the tenant has risen lately; 0 where too few have been seen to say."""
    return peers.shift if peers.shift > 0.1 and peers.shift_weight * _kept(peers, now) >= SHIFT_FROM else 0.0


def factor_of(shift: float) -> float:
    """A change as a factor."""
    return exp(shift)


def _kept(peers: VolumePeers, now: float) -> float:
    return float(0.5 ** (max(0.0, now - peers.shift_ts) / SHIFT_S))
