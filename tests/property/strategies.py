"""Hypothesis strategies for logs in which every detector has something to say, and for what may befall a log on its way."""

import os
from collections.abc import Sequence
from functools import cache
from random import Random
from typing import Any
from zlib import crc32

import msgspec
import orjson
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from detectors.registry import DETECTORS, build
from schemas.event import Event
from tests.helpers import T0
from tests.property.scenarios import SCENARIOS, SETTINGS, Row, Scenario, burst, day

THOROUGH = os.environ.get("WATCHFLOOR_THOROUGH") == "1"
"""Search ten times as long."""
LATENESS_S = 2.0
"""The allowed lateness in these suites."""
TENANTS = ("acme", "acme", "globex", None)

EACH_AND_ALL: list[tuple[str, ...]] = [*((name,) for name in DETECTORS), tuple(DETECTORS)]
"""Every detector by itself, and all together."""


def title_of(names: Sequence[str]) -> str:
    """How a parametrised test calls one of ``EACH_AND_ALL``."""
    return names[0] if len(names) == 1 else "all"


def search(examples: int) -> settings:
    """How long a property is searched. A failure prints the blob that brings it back."""
    return settings(
        max_examples=examples * (10 if THOROUGH else 1),
        deadline=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        phases=[phase for phase in Phase if phase is not Phase.explain],
    )


@cache
def checked(name: str) -> Any:
    return DETECTORS[name].Settings.model_validate(SETTINGS.get(name, {}))


def instances(names: Sequence[str]) -> list[Any]:
    """Fresh detectors with the small limits."""
    return [detector for name in names for detector in build(name, checked(name))]


class Log(list[Event]):
    """Events that are shown shortly when a property fails; of a long log, how long it is (the blob brings it back)."""

    def __repr__(self) -> str:
        if len(self) > 60:
            return f"<{len(self)} events>"
        return "\n" + "\n".join(f"  {record(event).decode()}," for event in self) + "\n"


@st.composite
def _scene(draw: st.DrawFn, made_of: Sequence[Scenario], tenants: Sequence[str | None], latest_s: int) -> list[Row]:
    scenario = draw(st.sampled_from(made_of))
    rng = Random(draw(st.integers(0, 9999)))
    start, tenant = draw(st.integers(0, latest_s)), draw(st.sampled_from(tenants))
    return [{**row, "at": start + row["at"], "tenant": tenant} for row in scenario(rng)]


@st.composite
def logs(draw: st.DrawFn, focus: Sequence[str] = tuple(DETECTORS), tenants: Sequence[str | None] = TENANTS) -> Log:
    """Events in order of time, ids unique and in no order: one to three attacks the focus knows, amid other things.

    Stamps lie on a grid, so that many are equal; now and then the log pauses for days.
    """
    wanted = tuple(scenario for name in focus for scenario in SCENARIOS.get(name, ())) or (burst,)
    latest_s = draw(st.sampled_from([0, 100, 4000]))
    scenes = draw(st.lists(_scene(wanted, tenants, latest_s), min_size=1, max_size=3))
    scenes += draw(st.lists(_scene((day, burst), tenants, latest_s), max_size=2))
    if draw(st.booleans()):
        pause_s = draw(st.sampled_from([700, 5000, 400_000]))
        again = draw(st.lists(_scene(wanted, tenants, latest_s), min_size=1, max_size=2))
        scenes += [[{**row, "at": row["at"] + pause_s} for row in scene] for scene in again]
    return _events([row for scene in scenes for row in scene], draw(st.sampled_from([0.25, 1.0, 4.0])), Random(draw(st.integers(0, 9999))))


def _events(rows: list[Row], grid_s: float, rng: Random) -> Log:
    ids = rng.sample(range(16 * len(rows) + 16), len(rows))
    events = []
    for row, number in zip(rows, ids, strict=True):
        fields = {name: value for name, value in row.items() if name != "at"}
        events.append(Event(**fields, ts=T0 + row["at"] // grid_s * grid_s, id=f"{number:x}"))
    return Log(sorted(events, key=in_time))


def placed(events: Sequence[Event]) -> list[Event]:
    """Copies of the events with what a look-up of the address would add: an accuracy, and a kind of network for some."""
    return [
        msgspec.structs.replace(
            event,
            accuracy_km=(0.0, 20.0, 300.0)[crc32((event.city or "").encode()) % 3],
            network=(None, None, None, None, "vpn", "hosting", "mobile")[crc32((event.ip or "").encode()) % 7],
        )
        for event in events
    ]


def in_time(event: Event) -> tuple[float, str]:
    return event.ts, event.id


def record(event: Event) -> bytes:
    """The event as a line of the native format."""
    fields = msgspec.to_builtins(event)
    fields["time"] = fields.pop("ts")
    return orjson.dumps({name: value for name, value in fields.items() if value or (name in {"lat", "lon"} and value is not None)})


cuts = st.lists(st.integers(1, 40), min_size=1, max_size=6)
"""Sizes of batches, over and over."""


def batches(records: Sequence[bytes], sizes: Sequence[int]) -> list[list[bytes]]:
    """``records`` in batches of these sizes, in turn."""
    parts, at, turn = [], 0, 0
    while at < len(records):
        size = sizes[turn % len(sizes)]
        parts.append(list(records[at : at + size]))
        at, turn = at + size, turn + 1
    return parts


@st.composite
def delays(draw: st.DrawFn, most_s: float) -> Sequence[float]:
    """How much later than in order events arrive (seconds), over and over: most of them not at all."""
    some = st.floats(0, most_s, allow_nan=False, exclude_max=True)
    return draw(st.lists(st.one_of(st.just(0.0), some), min_size=1, max_size=12))


def delayed(events: Sequence[Event], by: Sequence[float]) -> list[Event]:
    """``events`` in their order of arrival."""
    arrivals = [(event.ts + by[i % len(by)], i) for i, event in enumerate(events)]
    return [events[i] for _, i in sorted(arrivals)]
