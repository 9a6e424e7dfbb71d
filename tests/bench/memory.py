"""What is remembered of an actor: bytes by detector, and of all together: python -m tests.bench.memory [ACTORS …]      (default 10,000 and 100,000)

Everybody has a usual working day, several days in a row: a log-in from home or from the office, requests to some endpoints in each of four
hours, a question, a decision, now and then an export, all within one session. Only the hours between are left out of the day's events, so
that there are fewer than real people make; what is remembered of an actor follows its kinds of action and its hours, not its requests.
Each measurement is a process of its own. ``max_keys`` is five times the actors, so that nobody is
forgotten for want of room: a good quarter of it may have been met since the last turn of its kind.
"""

import gc
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from detectors.learned.learner import LearnedDetector
from detectors.registry import DETECTORS
from monitor.app import Parts, tune_memory
from monitor.settings import Settings
from schemas.formats import FORMATS
from schemas.formats.base import Context

DAYS = 8
"""So that each is judged by all learned detectors, and two of the days are a weekend, on which one in ten works."""
START_S = 1_773_619_200
"""Monday 2026-03-16, 00:00 UTC."""
ACTORS_OF_TENANT = 500
HOURS = (8, 10, 13, 15)
REQUESTS = 3
"""Of an actor in each of these hours."""
BATCH = 1_000
SAMPLE = 2_000
"""States of each detector that are walked through."""
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
THINGS = ("orders", "invoices", "tickets", "customers", "files", "projects", "notes", "reports")
LEARNED = tuple(name for name, cls in DETECTORS.items() if issubclass(cls, LearnedDetector))
RULES = tuple(name for name in DETECTORS if name not in LEARNED)
SETS = {"nothing": (), "rules": RULES, "learned": LEARNED, "all": tuple(DETECTORS)}


def _fields(number: int, day: int) -> bytes:
    """What all events of an actor share on that day."""
    at_home = (number + day) % 3 == 0
    place = {"country": "DE", "city": "Berlin", "lat": 52.52, "lon": 13.4, "asn": 3320 if at_home else 64_500}
    office = number // ACTORS_OF_TENANT
    ip = f"198.18.{number >> 8 & 255}.{number & 255}" if at_home else f"198.19.{office >> 8 & 255}.{office & 255}"
    fields = {
        "tenant": f"tenant{office}",
        "actor": f"person{number}@example.com",
        "actor_type": "user",
        "ip": ip,
        **place,
        "user_agent": AGENT,
        "device_id": f"laptop-{number}",
        "session_id": f"s-{number}-{day}",
    }
    return orjson.dumps(fields)[1:]


def _deeds(number: int, day: int, hour: int) -> Iterator[str]:
    """What an actor does within an hour."""
    if hour == HOURS[0]:
        yield '"kind":"auth.login","outcome":"success","action":"password"'
    for step in range(REQUESTS):
        thing = THINGS[(number + step * (1 + hour % 3)) % len(THINGS)]
        what = (number * 7 + day * 3 + step) % 40
        yield (
            f'"kind":"api.request","outcome":"success","method":"GET","route":"/v1/{thing}/{{id}}","path":"/v1/{thing}/{what}","status":200,'
            f'"bytes":{800 + 37 * what}'
        )
    if hour == HOURS[1]:
        yield '"kind":"authz.decision","outcome":"success","action":"read","target":"file:77"'
    if hour == HOURS[2] and number % 4 == 0:
        yield '"kind":"data.query","outcome":"success","records":20,"query":"select name from customers where id = 7"'
    if hour == HOURS[3] and (number + day) % 3 == 0:
        yield '"kind":"data.export","outcome":"success","action":"download","records":40,"bytes":90000,"target":"report:monthly"'


def records(actors: int, day: int) -> Iterator[list[bytes]]:
    """One day, in batches in order of time: within each of the hours all come by one after the other."""
    made, batch = 0, []
    for hour in HOURS:
        for number in range(actors):
            if day % 7 >= 5 and number % 10:
                continue
            fields = _fields(number, day)
            at_ms = (START_S + day * 86_400 + hour * 3_600) * 1_000 + 3_000_000 * number // actors
            for step, deed in enumerate(_deeds(number, day, hour)):
                made += 1
                batch.append(f'{{"id":"d{day}-{made:07d}","time":{at_ms + step},{deed},'.encode() + fields)
            if len(batch) >= BATCH:
                yield batch
                batch = []
    yield batch


def resident_bytes() -> int:
    """Of this process at present."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def size_of(value: object, seen: set[int]) -> int:
    """Bytes of a value and all it refers to; what is ``seen`` already counts nothing."""
    if id(value) in seen:
        return 0
    seen.add(id(value))
    inner: list[object] = []
    if isinstance(value, dict):
        inner = [*value.keys(), *value.values()]
    elif isinstance(value, list | tuple):
        inner = list(value)
    elif hasattr(value, "__struct_fields__"):
        inner = [getattr(value, name) for name in value.__struct_fields__]
    elif hasattr(value, "__slots__") and not isinstance(value, str | bytes | int | float):
        inner = [getattr(value, name) for name in value.__slots__ if hasattr(value, name)]
    return sys.getsizeof(value) + sum(size_of(each, seen) for each in inner)


def run(which: str, actors: int) -> dict[str, Any]:
    """Feed all days; the memory at the end and by state."""
    names = SETS[which]
    chosen = {name: {"enabled": name in names, "max_keys": max(5_000, 5 * actors)} for name in DETECTORS}
    parts = Parts(Settings.model_validate({"detectors": chosen}))
    core = parts.core
    core.open("bench", FORMATS["native"].parser(Context(memory=core.memory)))
    tune_memory()
    before, events = resident_bytes(), 0
    alerts: set[str] = set()
    began = time.process_time()
    for day in range(DAYS):
        for batch in records(actors, day):
            alerts.update(alert.id for alert in core.feed("bench", batch))
            events += len(batch)
    spent_s = time.process_time() - began
    gc.collect()
    after = resident_bytes()
    if core.runner.failed:
        raise SystemExit("a detector failed")
    held = {}
    for states in core.runner.states:
        known = {**states.old, **states.young}
        step = max(1, len(known) // SAMPLE)
        sample = [known[key] for key in list(known)[::step]]
        if sample:
            seen: set[int] = set()
            detector = states.detector
            entity = getattr(detector, "entity_type", "tenant")
            held[states.label] = (detector.name, entity, len(known), sum(size_of(state, seen) for state in sample) / len(sample))
    evictions = sum(states.evictions for states in core.runner.states)
    return {
        "before": before,
        "after": after,
        "events": events,
        "alerts": len(alerts),
        "held": held,
        "evictions": evictions,
        "seconds": spent_s,
    }


def _measure(which: str, actors: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.bench.memory", "--run", which, str(actors)]
    result: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return result


def main(sizes: Sequence[int]) -> None:
    """Measure and print three tables."""
    results: dict[tuple[str, int], dict[str, Any]] = {}
    print(
        f"{'detectors':<10} {'actors':>8} {'events':>10} {'RSS MiB':>8} {'of it begun with':>16} {'bytes/actor':>11} {'alerts':>7} {'evicted':>7} {'events/s':>9}"
    )
    for which in SETS:
        for actors in sizes:
            each = results[which, actors] = _measure(which, actors)
            per_actor = (each["after"] - each["before"]) / actors
            print(
                f"{which:<10} {actors:>8,} {each['events']:>10,} {each['after'] / 2**20:>8,.0f} {each['before'] / 2**20:>16,.0f} {per_actor:>11,.0f}"
                f" {each['alerts']:>7,} {each['evictions']:>7,} {each['events'] / each['seconds']:>9,.0f}",
                flush=True,
            )
    most, least = max(sizes), min(sizes)
    if most > least:
        for which in SETS:
            grown = results[which, most]["after"] - results[which, least]["after"]
            print(f"{which:<10} {grown / (most - least):,.0f} bytes for each actor more")
    print(f"\n{'state':<40} {'keys':>9} {'bytes/key':>10} {'bytes/actor':>11}")
    totals = dict.fromkeys(("rules", "learned"), 0.0)
    held = results["all", most]["held"]
    for label, (name, _, keys, size_bytes) in sorted(held.items(), key=lambda item: -item[1][2] * item[1][3]):
        per_actor = keys * size_bytes / most
        totals["learned" if name in LEARNED else "rules"] += per_actor
        print(f"{label:<40} {keys:>9,} {size_bytes:>10,.0f} {per_actor:>11,.0f}")
    for which, per_actor in totals.items():
        print(f"{which + ' together':<40} {'':>9} {'':>10} {per_actor:>11,.0f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        print(json.dumps(run(sys.argv[2], int(sys.argv[3]))))
    else:
        main([int(text) for text in sys.argv[1:]] or (10_000, 100_000))
