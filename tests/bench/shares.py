"""Where the time goes: what each stage and each detector adds, and what each remembers of a key.

python -m tests.bench.shares [EVENTS]      (default 300000)

A detector is measured alone, so that its share includes the keys it could have had from others; together they cost more than their sum,
because what they remember no longer fits the caches.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from detectors.registry import DETECTORS
from monitor.app import Parts, tune_memory
from monitor.pipeline.ingest import Ingest
from monitor.pipeline.seen import Seen
from monitor.report.tally import Tally
from monitor.settings import Settings
from schemas.formats import FORMATS
from schemas.formats.base import Context, Memory
from tests.bench.traffic import write

ROUNDS = 3
STAGES = ("decode", "ingest", "geography", "tally", "order")


def _run(path: str, stages: int, names: Sequence[str]) -> dict[str, Any]:
    """Nanoseconds of processor time per event of the first stages; bytes per key when all stages run."""
    parts = Parts(Settings.model_validate({"detectors": {name: {"enabled": name in names} for name in DETECTORS}}))
    records = Path(path).read_bytes().splitlines()
    tune_memory()
    parser = FORMATS["native"].parser(Context(memory=Memory()))
    ingest, tally = Ingest("bench", parser, Seen(), lambda *_: None), Tally()
    began = time.process_time()
    for first in range(0, len(records), 1000):
        batch = records[first : first + 1000]
        if stages == 1:
            for record in batch:
                parser.parse(record)
            continue
        events = ingest.decode(batch, range(len(batch)))
        if stages > 2:
            parts.geography.place_all(events)
        if stages > 3:
            tally.add(events)
        if stages > 4:
            parts.core.runner.run("bench", events)
    event_ns = (time.process_time() - began) / len(records) * 1e9
    held = {}
    for states in parts.core.runner.states:
        known = [*states.young.values(), *states.old.values()]
        if known:
            held[f"{states.detector.name}/{states.detector.variant}"] = (
                len(known),
                sum(_size(state, set()) for state in known) / len(known),
            )
    return {"ns": event_ns, "held": held}


def _size(value: object, seen: set[int]) -> int:
    """Bytes of a value and all it refers to, each counted once; strings shared with other states count in full."""
    if id(value) in seen:
        return 0
    seen.add(id(value))
    inner: list[object] = []
    if isinstance(value, Mapping):
        inner = [*value.keys(), *value.values()]
    elif isinstance(value, list | tuple):
        inner = list(value)
    elif hasattr(value, "__struct_fields__"):
        inner = [getattr(value, name) for name in value.__struct_fields__]
    return sys.getsizeof(value) + sum(_size(each, seen) for each in inner)


def _measure(path: str, stages: int, *names: str) -> dict[str, Any]:
    """The fastest of some runs, each in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.shares", "--run", path, str(stages), *names]
    runs = [json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout) for _ in range(ROUNDS)]
    fastest: dict[str, Any] = min(runs, key=lambda run: float(run["ns"]))
    return fastest


def main(number: int) -> None:
    """Measure, and print two tables."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "events.jsonl")
        write(Path(path), number)
        print(f"{'stage':<40} {'ns/event':>9}")
        before = 0.0
        for stages, stage in enumerate(STAGES, 1):
            spent = float(_measure(path, stages)["ns"])
            print(f"{stage:<40} {spent - before:>9.0f}", flush=True)
            before = spent
        base = before
        held: dict[str, tuple[int, float]] = {}
        for name in DETECTORS:
            run = _measure(path, len(STAGES), name)
            held |= run["held"]
            print(f"{name:<40} {float(run['ns']) - base:>9.0f}", flush=True)
        print(f"{'everything':<40} {float(_measure(path, len(STAGES), *DETECTORS)['ns']):>9.0f}")
        print(f"\n{'memory':<40} {'keys':>9} {'bytes/key':>10}")
        for name, (keys, size_bytes) in held.items():
            print(f"{name:<40} {keys:>9,} {size_bytes:>10,.0f}")


if __name__ == "__main__":
    if len(sys.argv) > 3 and sys.argv[1] == "--run":
        print(json.dumps(_run(sys.argv[2], int(sys.argv[3]), sys.argv[4:])))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 300_000)
