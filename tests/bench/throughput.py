"""Events per second from file to alert, as a ratio to reading the same lines with bare ``orjson.loads`` in the same run.

python -m tests.bench.throughput [EVENTS …]      (default 100000 1000000 5000000)
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import orjson

from monitor.app import Parts, tune_memory
from monitor.engines.replay import Options, Replay
from monitor.settings import Settings
from monitor.sources.files import expand, open_input
from tests.bench.traffic import write


def _floor(path: str) -> dict[str, float]:
    """Read the lines as the replay does, and do nothing but ``orjson.loads``."""
    loads = orjson.loads
    events = 0
    began = time.process_time()
    with open_input(Path(path)) as opened:
        for batch in opened.batches():
            for record in batch.records:
                loads(record)
            events += len(batch.records)
    return {"events": events, "cpu_s": time.process_time() - began}


def _replay(path: str) -> dict[str, float]:
    """From file to alert, with every detector on."""
    parts = Parts(Settings())
    tune_memory()
    engine = Replay(parts.core, Options())
    alerts: set[str] = set()
    began = time.process_time()
    for versions in engine.run(expand([path])):
        alerts.update(alert.id for alert in versions)
    seconds = time.process_time() - began
    keys = sum(len(states) for states in parts.core.runner.states)
    return {"events": engine.events, "cpu_s": seconds, "alerts": len(alerts), "keys": keys, "failed": len(parts.core.runner.failed)}


def _measure(what: str, path: str) -> dict[str, float]:
    """In a process of its own, so that peak memory is that of this measurement alone."""
    done = subprocess.run([sys.executable, "-m", "tests.bench.throughput", f"--{what}", path], check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def main(sizes: list[int]) -> None:
    """Measure each size and print a table."""
    print(f"{'events':>10} {'floor µs':>9} {'replay µs':>10} {'ratio':>6} {'events/s':>10} {'alerts':>7} {'keys':>8} {'peak MiB':>9}")
    with tempfile.TemporaryDirectory() as folder:
        for events in sizes:
            path = Path(folder) / "events.jsonl"
            write(path, events)
            floor = min(_measure("floor", str(path))["cpu_s"] for _ in range(2))
            runs = [_measure("replay", str(path)) for _ in range(2)]
            run = min(runs, key=lambda each: each["cpu_s"])
            floor_us, replay_us = floor / events * 1e6, run["cpu_s"] / events * 1e6
            print(
                f"{events:>10,} {floor_us:>9.2f} {replay_us:>10.2f} {replay_us / floor_us:>6.2f} {1e6 / replay_us:>10,.0f} "
                f"{run['alerts']:>7,} {run['keys']:>8,} {max(each['peak_mib'] for each in runs):>9.0f}",
                flush=True,
            )


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] in {"--floor", "--replay"}:
        measured = _floor(sys.argv[2]) if sys.argv[1] == "--floor" else _replay(sys.argv[2])
        measured["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(measured))
    else:
        main([int(text) for text in sys.argv[1:]] or [100_000, 1_000_000, 5_000_000])
