"""The engine of the live service, on a source in memory and a real store."""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor import checkpoint
from monitor.engines.core import Core
from monitor.engines.embedded import Embedded
from monitor.sources.live import Arrived, LiveInput
from monitor.store import FencedError, Store
from monitor.verdicts import Judged
from schemas.alert import Alert
from schemas.errors import ConfigurationError, RejectError
from schemas.formats import FORMATS
from schemas.formats.base import Context
from tests.property.strategies import instances

T0 = 1_767_225_600
OUTBOX = "CREATE TABLE IF NOT EXISTS outbox(id TEXT, version INTEGER, PRIMARY KEY(id, version))"


def failed_login(i: int, ip: str = "203.0.113.9") -> bytes:
    return f'{{"id":"{ip}-{i}","time":{T0 + i},"kind":"auth.login","outcome":"failure","actor":"user{i % 3}","ip":"{ip}"}}'.encode()


LOG = [failed_login(i) for i in range(60)] + [failed_login(1000 + i, "198.51.100.7") for i in range(60)] + [failed_login(100_000)]


class Memory:
    """A source of some inputs whose records are all there already."""

    def __init__(self, batch: int = 7, **inputs: Sequence[bytes]) -> None:
        self.records = inputs
        self.batch = batch
        self.at = dict.fromkeys(inputs, 0)
        self.generation = 1
        self.committed: dict[str, int] = {}
        self.paused: frozenset[str] = frozenset()
        self.ended = False
        self.endless = False
        self.lockstep = False
        """Give a batch only when the one before is safe."""

    @property
    def inputs(self) -> list[LiveInput]:
        return [LiveInput(name, "native", None, "log") for name in self.records]

    async def start(self) -> None:
        pass

    async def seek(self, positions: Mapping[str, Any]) -> None:
        self.at = {name: positions.get(name, 0) for name in self.records}

    async def next(self, wait_s: float) -> list[Arrived]:
        await asyncio.sleep(0)
        found = []
        for name, records in self.records.items():
            if name in self.paused:
                continue
            at = self.at[name]
            some = records[at : at + self.batch]
            if self.lockstep and self.committed.get(name, 0) < at:
                some = []
            self.at[name] = at + len(some)
            found.append(Arrived(name, some, range(at, at + len(some)), self.at[name], caught_up=self.at[name] == len(records)))
        self.ended = not self.endless and all(each.caught_up for each in found) and not self.paused
        if self.endless or self.lockstep:
            await asyncio.sleep(0.001)
        return found

    def pause(self, sources: frozenset[str]) -> None:
        self.paused = sources

    async def commit(self, positions: Mapping[str, Any]) -> None:
        self.committed.update(positions)

    def lag(self) -> Mapping[tuple[str, str], int]:
        return {}

    async def close(self) -> None:
        pass


class Told:
    """Listener, rejects and outbox in one."""

    def __init__(self) -> None:
        self.kept: list[RejectError] = []
        self.is_full = False
        self.checkpoints = 0
        self.failures = 0
        self.on_saved: Callable[[], None] = lambda: None

    def keep(self, source: str, line: int, record: bytes, error: RejectError) -> None:
        self.kept.append(error)

    async def flush(self) -> None:
        pass

    def checkpointed(self, seconds: float, stall_seconds: float, rows: int) -> None:
        self.checkpoints += 1

    def checkpoint_failed(self) -> None:
        self.failures += 1

    def count_alerts(self, alerts: Sequence[Alert]) -> None:
        pass

    def judged(self, judged: Judged) -> None:
        pass

    async def activated(self) -> None:
        pass

    async def deactivated(self) -> None:
        pass

    def saved(self) -> None:
        self.on_saved()


def insert(db: sqlite3.Connection, alerts: Sequence[Alert], now: float) -> int:
    return db.executemany("INSERT OR IGNORE INTO outbox VALUES (?, ?)", [(alert.id, alert.version) for alert in alerts]).rowcount


def core(on_reject: Callable[[str, int, bytes, RejectError], None]) -> Core:
    return Core(instances(["failed_login_burst", "password_spray"]), on_reject=on_reject, tracking=True)


def engine(store: Store, source: Memory, told: Told, **options: Any) -> Embedded:
    return Embedded(core, [source], store, insert, told, told, ["log"], **{"interval_s": 0.0, **options})


def open_store(folder: Path) -> Store:
    return Store(folder / "store.db", (*checkpoint.SCHEMA, OUTBOX))


def delivered(folder: Path) -> list[tuple[str, int]]:
    with sqlite3.connect(folder / "store.db") as db:
        rows = db.execute("SELECT id, version FROM outbox ORDER BY id, version").fetchall()
    db.close()
    return rows


def replayed(**inputs: Sequence[bytes]) -> list[tuple[str, int]]:
    whole = core(lambda *_: None)
    alerts = []
    for name in inputs:
        whole.open(name, FORMATS["native"].parser(Context(memory=whole.memory)))
    for name, records in inputs.items():
        alerts += whole.feed(name, records)
    for name in inputs:
        alerts += whole.close(name)
    alerts += whole.finish()
    return sorted({(alert.id, alert.version) for alert in alerts})


def test_it_gives_the_alerts_of_a_replay(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    source, told = Memory(a=LOG[::2], b=LOG[1::2]), Told()
    source.lockstep = True
    asyncio.run(engine(store, source, told).run())
    store.close()
    expected = replayed(a=LOG[::2], b=LOG[1::2])
    assert delivered(tmp_path) == expected
    assert len({alert_id for alert_id, _ in expected}) >= 2
    assert source.committed == {"a": len(LOG[::2]), "b": len(LOG[1::2])}
    assert told.checkpoints > 3


class Killed(BaseException):
    pass


@pytest.mark.parametrize("at", range(1, 9))
def test_a_process_that_dies_after_a_checkpoint_loses_and_repeats_nothing(tmp_path: Path, at: int) -> None:
    saved = 0

    def die() -> None:
        nonlocal saved
        saved += 1
        if saved == at:
            raise Killed

    store = open_store(tmp_path)
    told, source = Told(), Memory(a=LOG[::2], b=LOG[1::2])
    told.on_saved, source.lockstep = die, True
    with pytest.raises(Killed):
        asyncio.run(engine(store, source, told).run())
    store.close()
    again = open_store(tmp_path)
    asyncio.run(engine(again, Memory(a=LOG[::2], b=LOG[1::2], batch=5), Told()).run())
    again.close()
    assert delivered(tmp_path) == replayed(a=LOG[::2], b=LOG[1::2])


def test_a_store_that_was_taken_over_is_written_no_more(tmp_path: Path) -> None:
    store, other = open_store(tmp_path), open_store(tmp_path)
    source = Memory(a=LOG)
    source.endless = True

    async def run() -> None:
        running = asyncio.create_task(engine(store, source, Told()).run())
        while not source.committed:
            await asyncio.sleep(0.001)
        await other.take_over()
        source.records = {"a": [*LOG, *(failed_login(200_000 + i) for i in range(50))]}
        await asyncio.wait_for(running, 10)

    with pytest.raises(FencedError):
        asyncio.run(asyncio.wait_for(run(), 60))
    store.close()
    other.close()


def test_a_store_of_other_inputs_is_refused_unless_told(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    asyncio.run(engine(store, Memory(a=LOG), Told()).run())
    other = Embedded(core, [Memory(b=LOG)], store, insert, Told(), Told(), ["other"], interval_s=0.0)
    with pytest.raises(ConfigurationError, match=r"store\.path: belongs to a configuration that also reads log"):
        asyncio.run(other.run())
    adopting = Embedded(core, [Memory(b=LOG)], store, insert, Told(), Told(), ["other"], interval_s=0.0, adopt=True)
    asyncio.run(adopting.run())
    store.close()


def test_stopping_makes_everything_safe_and_reads_no_more(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    source = Memory(a=LOG, batch=1)
    source.endless = True

    async def run() -> None:
        live = engine(store, source, Told(), interval_s=3600.0)
        running = asyncio.create_task(live.run())
        while source.at["a"] < 30:
            await asyncio.sleep(0.001)
        live.stop()
        await running

    asyncio.run(asyncio.wait_for(run(), 60))
    store.close()
    assert 30 <= source.committed["a"] == source.at["a"] < len(LOG)


def test_silence_lets_the_clock_go_on_so_that_what_waited_is_said(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    source = Memory(a=LOG[:60])
    source.endless = True
    told = Told()
    now = [0.0]

    def clock() -> float:
        now[0] += 0.5
        return now[0]

    async def run() -> None:
        live = engine(store, source, told, clock=clock)
        running = asyncio.create_task(live.run())
        while source.at["a"] < 60 or live.held_events or live.open_alerts:
            await asyncio.sleep(0.001)
        live.stop()
        await asyncio.wait_for(running, 10)

    asyncio.run(asyncio.wait_for(run(), 60))
    store.close()
    assert {alert_id for alert_id, _ in delivered(tmp_path)} == {alert_id for alert_id, _ in replayed(a=LOG[:60])}


def test_an_input_that_is_gone_holds_nobody_back(tmp_path: Path) -> None:
    class Silent(Memory):
        async def next(self, wait_s: float) -> list[Arrived]:
            return [each for each in await super().next(wait_s) if each.source != "b"]

    store = open_store(tmp_path)
    source = Silent(a=LOG, b=[failed_login(0)])
    source.endless = True
    now = [0.0]

    def clock() -> float:
        now[0] += 0.5
        return now[0]

    async def run() -> None:
        live = engine(store, source, Told(), clock=clock)
        running = asyncio.create_task(live.run())
        while source.committed.get("a") != len(LOG):
            await asyncio.sleep(0.001)
        assert live.held_events == 120  # the last one is a day ahead, and waits to be believed
        del source.records["b"], source.at["b"]
        while live.held_events or live.open_alerts:
            await asyncio.sleep(0.001)
        assert list(live.inputs) == list(live.labels) == ["a"]
        # The last one may go as well: time goes on from where it had come to, and what comes back is read.
        log, source.records = source.records, {}
        source.at = {}
        while live.inputs:
            await asyncio.sleep(0.001)
        source.records, source.at = {"c": [failed_login(200_000 + i) for i in range(60)]}, {"c": 0}
        while source.at["c"] < 60 or live.held_events:
            await asyncio.sleep(0.001)
        source.records = {**log, **source.records}
        live.stop()
        await asyncio.wait_for(running, 10)

    asyncio.run(asyncio.wait_for(run(), 60))
    store.close()
    later = [failed_login(200_000 + i) for i in range(60)]
    assert {alert_id for alert_id, _ in delivered(tmp_path)} == {alert_id for alert_id, _ in replayed(a=[*LOG, *later])}


def test_rejects_that_pile_up_make_reading_wait_until_they_are_safe(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    source, told = Memory(a=LOG, batch=1), Told()
    source.endless = told.is_full = True

    async def run() -> None:
        live = engine(store, source, told, interval_s=3600.0)
        running = asyncio.create_task(live.run())
        while told.checkpoints < 5:  # one after the other, though their time has not come
            await asyncio.sleep(0.001)
        told.is_full = False
        live.stop()
        await running

    asyncio.run(asyncio.wait_for(run(), 60))
    store.close()


def test_a_log_without_years_goes_on_in_the_year_it_is_written_after_a_restart(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    lines = [
        f"{now - timedelta(seconds=60 - i):%b %d %H:%M:%S} h sshd[{i}]: Failed password for root from 203.0.113.9 port 1 ssh2".encode()
        for i in range(40)
    ]

    class Syslog(Memory):
        @property
        def inputs(self) -> list[LiveInput]:
            return [LiveInput("a", "sshd", None, "log")]

    for some in ([], lines):  # the first life sees no stamp that could tell the year
        store = open_store(tmp_path)
        told = Told()
        asyncio.run(engine(store, Syslog(a=some), told).run())
        store.close()
        assert told.kept == []
    assert delivered(tmp_path)


def test_records_that_are_no_events_are_kept(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    told = Told()
    asyncio.run(engine(store, Memory(a=[*LOG[:5], b"{", *LOG[5:]]), told).run())
    store.close()
    assert [error.reason for error in told.kept] == ["truncated"]


def test_a_full_disk_stops_reading_until_there_is_room(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = open_store(tmp_path)
    source, told = Memory(a=LOG), Told()
    source.endless = True

    async def run() -> None:
        live = engine(store, source, told)
        running = asyncio.create_task(live.run())
        while not source.committed:
            await asyncio.sleep(0.001)
        pages = await store.read(lambda db: db.execute("PRAGMA page_count").fetchone()[0])
        await store.read(lambda db: db.execute(f"PRAGMA max_page_count={pages}").fetchone())
        source.records = {"a": [*LOG, *(failed_login(200_000 + i, f"198.51.100.{i % 200}") for i in range(20_000))]}
        while not told.failures:
            await asyncio.sleep(0.001)
        stopped_at = source.at["a"]
        await asyncio.sleep(0.3)
        assert source.at["a"] <= stopped_at + source.batch
        await store.read(lambda db: db.execute("PRAGMA max_page_count=1000000000").fetchone())
        while source.at["a"] < len(source.records["a"]):
            await asyncio.sleep(0.01)
        live.stop()
        await asyncio.wait_for(running, 20)

    asyncio.run(asyncio.wait_for(run(), 60))
    store.close()
    assert "nothing is read until one can" in caplog.text
    assert {alert_id for alert_id, _ in replayed(a=LOG)} <= {alert_id for alert_id, _ in delivered(tmp_path)}


def test_a_topic_that_falls_silent_is_told_once_when_the_clock_goes_on_alone(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    parts: dict[str, Any] = {
        f"part{n}": [f'{{"id":"{n}-{i}","time":{T0 + 2 * i},"kind":"api.request"}}'.encode() for i in range(60)] for n in range(3)
    }
    source = Memory(**parts)
    source.endless = True
    alerts: list[Alert] = []
    now = [0.0]

    def clock() -> float:
        now[0] += 0.5
        return now[0]

    def keep(db: sqlite3.Connection, versions: Sequence[Alert], at: float) -> int:
        alerts.extend(versions)
        return insert(db, versions, at)

    async def run() -> None:
        live = Embedded(
            lambda on_reject: Core(instances(["source_silence"]), on_reject=on_reject, tracking=True),
            *([source], store, keep, Told(), Told(), ["log"]),
            interval_s=0.0,
            clock=clock,
        )
        running = asyncio.create_task(live.run())
        while not any(alert.entity.type == "source" and alert.version > 1 for alert in alerts):
            await asyncio.sleep(0.001)
        del source.records["part2"], source.at["part2"]  # it is not read any more: no reason to alert about it
        while "part2" in live.inputs:
            await asyncio.sleep(0.001)
        live.stop()
        await asyncio.wait_for(running, 10)

    asyncio.run(asyncio.wait_for(run(), 60))
    store.close()
    told = [alert for alert in alerts if alert.entity.type == "source"]
    assert {(alert.entity.value, alert.facts["what"], alert.severity, alert.id) for alert in told} == {
        ("log", "silence", "medium", told[0].id)
    }
    assert told[0].facts["events_per_hour"] == 177  # up to the last mark
    assert {related.detector for alert in alerts for related in alert.related} == {"source_silence"}  # the tenant's belongs to it
