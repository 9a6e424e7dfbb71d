"""Events per second from file to alert, as a ratio to reading the same lines with bare ``orjson.loads`` in the same run.

python -m tests.bench.throughput [EVENTS …]      (default: 100,000, 1 and 5 million, and two harder kinds of traffic)
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import orjson

from detectors.learned.learner import LearnedDetector
from detectors.registry import DETECTORS
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


def _replay(path: str, *, learned: bool = True) -> dict[str, float]:
    """From file to alert, with every detector on, or all but those that only learn."""
    off = () if learned else (name for name, cls in DETECTORS.items() if issubclass(cls, LearnedDetector))
    parts = Parts(Settings.model_validate({"detectors": {name: {"enabled": False} for name in off}}))
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


TRAFFIC: dict[str, tuple[str, bool]] = {"requests": ("requests", False), "logins": ("logins", False), "scattered": ("requests", True)}
"""Traffic by name: mix, and whether it is scattered; see ``traffic.write``."""
SIZES = (("requests", 100_000), ("requests", 1_000_000), ("requests", 5_000_000), ("logins", 1_000_000), ("scattered", 1_000_000))


def main(runs: Sequence[tuple[str, int]] = SIZES) -> None:
    """Measure each traffic and size, and print a table."""
    print(
        f"{'traffic':<10} {'detectors':<9} {'events':>10} {'floor µs':>9} {'replay µs':>10} {'ratio':>6} {'events/s':>10} {'alerts':>7} {'keys':>8} {'peak MiB':>9}"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.jsonl"
        for name, events in runs:
            mix, scattered = TRAFFIC[name]
            write(path, events, mix, scattered=scattered)
            # In turns, and the fastest counts: another process can only slow it down.
            measured = [{what: _measure(what, str(path)) for what in ("floor", "rules", "replay")} for _ in range(2)]
            fastest = {what: min((each[what] for each in measured), key=lambda run: run["cpu_s"]) for what in measured[0]}
            floor_us = fastest["floor"]["cpu_s"] / events * 1e6
            for what, detectors in (("rules", "rules"), ("replay", "all")):
                run = fastest[what]
                if run["failed"]:
                    raise SystemExit("a detector failed")
                replay_us = run["cpu_s"] / events * 1e6
                print(
                    f"{name:<10} {detectors:<9} {events:>10,} {floor_us:>9.2f} {replay_us:>10.2f} {replay_us / floor_us:>6.2f} "
                    f"{1e6 / replay_us:>10,.0f} {run['alerts']:>7,.0f} {run['keys']:>8,.0f} {max(each[what]['peak_mib'] for each in measured):>9.0f}",
                    flush=True,
                )


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] in {"--floor", "--rules", "--replay"}:
        result = _floor(sys.argv[2]) if sys.argv[1] == "--floor" else _replay(sys.argv[2], learned=sys.argv[1] == "--replay")
        result["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(result))
    else:
        main([("requests", int(text)) for text in sys.argv[1:]] or SIZES)
