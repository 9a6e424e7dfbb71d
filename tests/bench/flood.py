"""Memory under a flood: python -m tests.bench.flood [addresses] [alerts].

First as many distinct addresses, half of them in a failed log-in under a new name, half in a request of a new session: nobody ever comes
back, so nothing learned is of use. Then a storm: addresses of which each fails often enough for an alert. All detectors are on, and
checkpoints go to a store on disk, as in the service. Each is a process of its own, so that its memory is its own.
"""

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from monitor.alerts import outbox
from monitor.app import tune_memory
from monitor.settings import Settings
from schemas.alert import Alert
from tests.bench.checkpoints import BATCH, EVENTS_PER_S, START_S, Pump, Watch
from tests.conftest import REPOSITORY

SAMPLES = (100_000, 500_000, 1_000_000, 2_000_000, 5_000_000, 10_000_000)
FAILURES = 10
"""Failed log-ins of each address of the storm, in two seconds; five are enough for an alert."""
SLOW_S = 0.1
STORM_SAMPLES = (10_000, 25_000, 50_000, 100_000, 200_000, 500_000)


def _address(number: int) -> str:
    """A different one for each number up to 16 million, in 10.0.0.0/8: nothing known of a place comes with it."""
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def flood(addresses: int) -> Iterator[list[bytes]]:
    """Batches, each record of another address."""
    for first in range(0, addresses, BATCH):
        batch = []
        for number in range(first, min(first + BATCH, addresses)):
            head = (
                f'{{"id":"e{number:09d}","time":{START_S + number / EVENTS_PER_S:.4f},"ip":"{_address(number)}","tenant":"t{number % 20}",'
            )
            if number % 2:
                body = f'"kind":"auth.login","outcome":"failure","reason":"unknown_user","actor":"guess{number}"}}'
            else:
                body = (
                    f'"kind":"api.request","outcome":"success","method":"GET","route":"/v1/files/{{id}}","path":"/v1/files/7","status":200,"bytes":900,'
                    f'"actor":"user{number // 2 % 10_000}","session_id":"s{number}"}}'
                )
            batch.append((head + body).encode())
        yield batch


def storm(alerts: int) -> Iterator[list[bytes]]:
    """Batches in which a thousand addresses at a time fail ``FAILURES`` times each, in turns."""
    made = 0
    for first in range(0, alerts, 1_000):
        for turn in range(FAILURES):
            batch = []
            for number in range(first, min(first + 1_000, alerts)):
                made += 1
                batch.append(
                    f'{{"id":"e{made:09d}","time":{START_S + made / EVENTS_PER_S:.4f},"ip":"{_address(number)}","tenant":"t{number % 20}","kind":"auth.login",'
                    f'"outcome":"failure","reason":"bad_password","actor":"victim{number}.{turn % 2}"}}'.encode()
                )
            yield batch


def resident_mib() -> float:
    """Memory of this process at present."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages / 256


class Timed(Pump):
    """Also notes how long each batch took, and for how long none came."""

    batches = 0
    slow = 0
    """Batches of more than ``SLOW_S`` of processor time."""
    busy_s = 0.0
    """Processor time of all of them."""
    gap_s = 0.0
    """The longest time on the wall from one batch to the next, which may have waited for a checkpoint."""
    _fed_at = float("inf")

    def feed(self, records: list[bytes]) -> None:
        """One batch."""
        self.gap_s = max(self.gap_s, time.perf_counter() - self._fed_at)
        began = time.thread_time()
        super().feed(records)
        took_s = time.thread_time() - began
        self.batches += 1
        self.busy_s += took_s
        self.slow += took_s > SLOW_S
        self._fed_at = time.perf_counter()


class Heard:
    """Counts what the pipeline says."""

    def __init__(self) -> None:
        self.ids: set[bytes] = set()
        self.versions = 0

    def __call__(self, alerts: list[Alert]) -> None:
        self.versions += len(alerts)
        self.ids.update(bytes.fromhex(alert.id) for alert in alerts)


async def run(what: str, count: int, folder: Path) -> None:
    """One process' work: feed, and print a line at each sample."""
    watch, heard = Watch(), Heard()
    pump = Timed(folder, Settings(), watch, heard)
    await pump.store.take_over()
    tune_memory()
    batches, samples, each = (flood(count), SAMPLES, 1) if what == "flood" else (storm(count), STORM_SAMPLES, FAILURES)
    print(
        f"{'addresses':>10} {'RSS MiB':>8} {'events/s':>9} {'keys':>10} {'forgotten':>11} {'timers':>8} {'open':>7} {'alerts':>8} {'versions':>9}"
        f" {'safe':>5} {'rows':>8} {'store MB':>9} {'WAL MB':>7} {'safe s':>6} {'batch ms':>8} {'most ms':>7} {'slow':>5} {'stall ms':>8} {'gc ms':>6}"
        f" {'gap s':>6}"
    )
    mark, fed = time.perf_counter(), 0
    for batch in batches:
        await pump.turn(batch)
        if pump.fed // each in samples or pump.fed == count * each:
            now = time.perf_counter()
            rate = (pump.fed - fed) / (now - mark)
            _line(pump, watch, heard, pump.fed // each, rate)
            mark, fed = time.perf_counter(), pump.fed
    mark = time.perf_counter()
    await pump.finish()
    print(f"the last checkpoint took {time.perf_counter() - mark:.1f} s; {resident_mib():,.0f} MiB after it")
    states = pump.core.runner.states
    print("keys held, and forgotten before their time, by detector:")
    for kept in sorted(states, key=lambda kept: -len(kept)):
        if len(kept) > 1_000:
            print(f"  {kept.label:<40} {len(kept):>8,} {kept.evictions:>12,}")
    waiting = await pump.store.read(lambda db: db.execute("SELECT count(*), coalesce(sum(length(alert)), 0) FROM outbox").fetchone())
    print(
        f"outbox: {waiting[0]:,} alert versions, {waiting[1] / 1e6:,.1f} MB; ended only for want of room: {pump.core.correlator.forgotten:,}"
    )
    if what == "storm":
        mark = time.perf_counter()
        await pump.store.write(lambda db: outbox.prune(db, time.time() + 1, 0.0))
        print(f"deleting all of them, as is done once they are delivered and old: {time.perf_counter() - mark:.1f} s")
    pump.store.close()


def _line(pump: Timed, watch: Watch, heard: Heard, addresses: int, rate: float) -> None:
    core = pump.core
    evictions = sum(kept.evictions for kept in core.runner.states)
    store, wal = pump.written()
    print(
        f"{addresses:>10,} {resident_mib():>8,.0f} {rate:>9,.0f} {pump.states:>10,} {evictions:>11,} {len(core.runner._timers):>8,}"
        f" {core.correlator.open:>7,} {len(heard.ids):>8,} {heard.versions:>9,} {pump.saved:>5,} {watch.rows:>8,} {store / 1e6:>9,.1f} {wal / 1e6:>7,.1f}"
        f" {watch.seconds:>6.1f} {pump.busy_s / pump.batches * 1000:>8.0f} {pump.longest_s * 1000:>7.0f} {pump.slow:>5,}"
        f" {watch.stall_s * 1000:>8.0f} {watch.pause_s * 1000:>6.0f} {pump.gap_s:>6.1f}",
        flush=True,
    )
    pump.batches = pump.slow = 0
    pump.longest_s = pump.busy_s = pump.gap_s = watch.stall_s = watch.pause_s = 0.0


def main(addresses: int = 5_000_000, alerts: int = 200_000) -> None:
    """Each in a process of its own."""
    for what, count in (("flood", addresses), ("storm", alerts)):
        if count:
            print(f"{what}: {count:,} addresses", flush=True)
            subprocess.run([sys.executable, "-m", "tests.bench.flood", f"--{what}", str(count)], cwd=REPOSITORY, check=True)


if __name__ == "__main__":
    if sys.argv[1:2] in (["--flood"], ["--storm"]):
        with tempfile.TemporaryDirectory() as name:
            asyncio.run(run(sys.argv[1][2:], int(sys.argv[2]), Path(name)))
    else:
        main(*(int(argument) for argument in sys.argv[1:]))
