"""Whether somebody patient can teach the learned detectors, and whether somebody loud can deafen them for others.

Two accounts have a task of their own each day: one downloads some files, one asks for some lists. After two weeks of it the amount rises by
the same share every day. In another copy of the same world one account floods its tenant with requests.
"""

from collections.abc import Callable, Iterator, Sequence
from statistics import median
from typing import Any

import msgspec

from monitor.evaluate.budgets import without_floors
from monitor.evaluate.plan import Plan
from monitor.evaluate.reading import Seen
from monitor.evaluate.several import LEARNED, Say, Watcher, settings_of, watch
from monitor.simulate.people import trip_on
from monitor.simulate.world import DAY_S, HOUR_S, Person, World, WorldSettings
from schemas.event import Event

SLOPES = (0.0, 0.01, 0.03, 0.06, 0.12, 0.25, 0.5)
"""Growth a day; none at all must not be found."""
PAST_DAYS, GROWING_DAYS = 14, 28
USERS, TENANTS = 48, 2
MEASURES = ("data", "requests")
WATCHING = (*LEARNED, "bulk_export")
"""All that look at amounts."""
FILES, FILE_BYTES = 6, 500_000
LISTS, MOST_LISTS = 100, 5_000
"""Requests a day at first, and at most."""
MOST_BYTES = 10**9
"""Of one file."""
FLOOD_DAY, FLOOD_HOURS, FLOOD_PER_HOUR = 20, 24, 2_000
AFTER_DAYS = 7
_NOON_H = 13.0


class Slope(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a slow rise, in as many worlds as there are seeds."""

    measure: str
    slope: float
    found: int
    tried: int
    days: float | None
    """From its beginning to the first alert (median), ``None`` where there was none."""
    times: float | None
    """How many times the usual amount it was by then."""
    detectors: tuple[str, ...]


class Flood(msgspec.Struct, frozen=True, kw_only=True):
    """What the flood of one account did to the threshold that others of its tenant are held against (mean over the worlds)."""

    detector: str
    before: float
    after: float
    without: float
    """At the same time, had there been no flood."""


class Poisoning(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    past: int
    """Days of the same amount."""
    growing: int
    """Days of more and more."""
    slopes: tuple[Slope, ...]
    floods: tuple[Flood, ...]
    flood_found: int
    """In so many worlds the flood itself was found."""
    others: int
    """Alerts of learned detectors about others of its tenant, from the flood on for a week."""
    others_without: int
    """The same without a flood."""
    worlds: int


class _Added:
    """Takes further events, in order of time, in among those of each batch."""

    def __init__(self, events: Iterator[Event]) -> None:
        self._events = events
        self._next = next(events, None)

    def __call__(self, batch: list[Event]) -> list[Event]:
        if not batch:
            return batch
        last_ts, before = batch[-1].ts, len(batch)
        while self._next is not None and self._next.ts <= last_ts:
            batch.append(self._next)
            self._next = next(self._events, None)
        if len(batch) > before:
            batch.sort(key=lambda event: event.ts)
        return batch


def measure_poisoning(
    plan: Plan, say: Say, *, past: int = PAST_DAYS, growing: int = GROWING_DAYS, slopes: Sequence[float] = SLOPES
) -> Poisoning:
    """All slopes and the flood, in worlds of the plan's seeds that are made up once each. ``past``, ``growing``: in days."""
    found: dict[tuple[str, float], list[tuple[float, str] | None]] = {(measure, slope): [] for measure in MEASURES for slope in slopes}
    thresholds: dict[str, list[list[float]]] = {name: [] for name in LEARNED}
    flood_found, others = 0, [0, 0]
    for seed in plan.seeds:
        settings = WorldSettings(seed=seed, hours=24.0 * (past + growing), users=USERS, tenants=TENANTS)
        world = World(settings)
        frogs = {measure: _somebody(world, tenant) for measure, tenant in zip(MEASURES, world.tenants, strict=True)}
        flooder, flood_ts = _somebody(world, world.tenants[0], 1), settings.start + min(FLOOD_DAY, past + growing / 2) * DAY_S
        growers = {slope: Watcher(settings_of(WATCHING), _Added(_rise(frogs, settings.start, past, growing, slope))) for slope in slopes}
        calm = Watcher(settings_of(LEARNED, without_floors(None)))
        loud = Watcher(settings_of(LEARNED, without_floors(None)), _Added(_flood(flooder, flood_ts)))
        samples = _Samples(loud, calm, world.tenants[0], flood_ts)
        watch(settings, [*growers.values(), calm, loud], keep=_is_user, pause=samples)
        for (measure, slope), rows in found.items():
            rows.append(_first(growers[slope].alerts, frogs[measure], settings.start + past * DAY_S))
        for name, row in samples.rows.items():
            thresholds[name].append(row)
        flood_found += any(_is_about(alert, flooder) and alert.moments[-1] >= flood_ts for alert in loud.alerts)
        for place, watcher in enumerate((loud, calm)):
            others[place] += sum(
                alert.tenant == flooder.tenant and not _is_about(alert, flooder) and 0 <= alert.moments[0] - flood_ts < AFTER_DAYS * DAY_S
                for alert in watcher.alerts
            )
        say(f"seed {seed}, slow rises: {sum(row is not None for rows in found.values() for row in rows)} found so far")
    return Poisoning(
        past=past,
        growing=growing,
        slopes=tuple(_slope(measure, slope, rows) for (measure, slope), rows in found.items()),
        floods=tuple(_flooded(name, rows) for name, rows in thresholds.items()),
        flood_found=flood_found,
        others=others[0],
        others_without=others[1],
        worlds=len(plan.seeds),
    )


class _Samples:
    """Thresholds just before the flood, and a day after it has begun: with it, and without."""

    def __init__(self, loud: Watcher, calm: Watcher, tenant: str, flood_ts: float) -> None:
        self.rows: dict[str, list[float]] = {name: [] for name in LEARNED}
        self._due: list[tuple[float, tuple[Watcher, ...]]] = [
            (flood_ts - HOUR_S, (loud,)),
            (flood_ts + FLOOD_HOURS * HOUR_S, (loud, calm)),
        ]
        self._tenant = tenant

    def __call__(self, ts: float) -> None:
        while self._due and ts >= self._due[0][0]:
            _, watchers = self._due.pop(0)
            for watcher in watchers:
                for name, row in self.rows.items():
                    row.append(watcher.threshold(name, self._tenant, ts))


def _somebody(world: World, tenant: str, place: int = 0) -> Person:
    """Ordinary staff from the town of the office, who do not travel: else a task that goes on at home would put them in two places."""
    settings = world.settings
    days = range(int(settings.start // DAY_S) - 1, int((settings.start + settings.hours * HOUR_S) // DAY_S) + 2)
    staff = [person for person in world.people[tenant] if person.role == "staff" and not person.night and person.office]
    staying = [person for person in staff if all(trip_on(world, person, day) is None for day in days)]
    return (staying or staff)[place]


def _is_user(event: Event) -> bool:
    """Machines make most of the events of a small world and are nothing to these questions."""
    return event.actor_type == "user"


def _is_about(alert: Seen, person: Person) -> bool:
    return alert.tenant == person.tenant and alert.entity == f"actor:{person.name}"


def _maker(person: Person, prefix: str) -> Callable[..., Event]:
    """Events of somebody at home."""
    number = 0
    day = 0

    def make(ts: float, kind: str, **fields: Any) -> Event:
        nonlocal number, day
        number, day = number + 1, int(ts // DAY_S)
        usual: dict[str, Any] = {
            "tenant": person.tenant,
            "actor": person.name,
            "actor_type": "user",
            "user_agent": person.agent,
            "outcome": "success",
            "device_id": person.device("laptop", day),
            "session_id": f"s-{person.name}-{prefix}-{day}",
        }
        return Event(kind, ts=ts, id=f"{prefix}-{number:07}", **{**usual, **person.home.fields(), **fields})

    return make


def _rise(frogs: dict[str, Person], start: float, past: int, growing: int, slope: float) -> Iterator[Event]:
    """Both tasks, day by day."""
    download, ask = (_maker(frogs[measure], f"rise-{measure}") for measure in MEASURES)
    for day in range(past + growing):
        times = (1 + slope) ** max(0, day - past + 1)
        noon = start + day * DAY_S + _NOON_H * HOUR_S
        lists = min(MOST_LISTS, round(LISTS * times))
        size = min(MOST_BYTES, round(FILE_BYTES * times))
        events = [
            download(noon + 900 * step + 1, "data.export", action="download", target=f"file:{step}", bytes=size) for step in range(FILES)
        ]
        for step in range(lists):
            fields = {"method": "GET", "route": "/v1/orders", "path": "/v1/orders", "status": 200, "records": 25}
            events.append(ask(noon + 4 * HOUR_S * step / lists, "api.request", **fields))
        yield from sorted(events, key=lambda event: event.ts)


def _flood(person: Person, begin: float) -> Iterator[Event]:
    """As many requests for as many objects as there is time for, and data with them."""
    make = _maker(person, "flood")
    for number in range(FLOOD_HOURS * FLOOD_PER_HOUR):
        fields = {
            "method": "GET",
            "route": f"/v1/{number % 97}/{{id}}",
            "path": f"/v1/{number % 97}/{number}",
            "status": 200,
            "bytes": 90_000,
        }
        yield make(begin + number * HOUR_S / FLOOD_PER_HOUR, "api.request", **fields)


def _first(alerts: Sequence[Seen], person: Person, begin: float) -> tuple[float, str] | None:
    """When the first alert about somebody spoke, in days after the beginning, and whose it was."""
    spoke = [(at, alert.detector) for alert in alerts if _is_about(alert, person) for at in alert.moments if at >= begin]
    if not spoke:
        return None
    at, detector = min(spoke)
    return (at - begin) / DAY_S, detector


def _slope(measure: str, slope: float, rows: Sequence[tuple[float, str] | None]) -> Slope:
    found = [row for row in rows if row is not None]
    days = median(row[0] for row in found) if found else None
    return Slope(
        measure=measure,
        slope=slope,
        found=len(found),
        tried=len(rows),
        days=days,
        times=None if days is None else (1 + slope) ** (int(days) + 1),
        detectors=tuple(sorted({row[1] for row in found})),
    )


def _flooded(name: str, rows: Sequence[Sequence[float]]) -> Flood:
    before, after, without = (sum(column) / len(rows) for column in zip(*rows, strict=True))
    return Flood(detector=name, before=before, after=after, without=without)
