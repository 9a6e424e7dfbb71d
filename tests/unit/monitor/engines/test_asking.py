"""Verdicts that wait for their moment, and whoever gave them until they are safe."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from monitor import checkpoint
from monitor.engines.asking import MAX_ASKED, Asked
from monitor.engines.checkpointer import Checkpointer
from monitor.engines.core import Core
from monitor.store import Store
from monitor.verdicts import BadVerdictError, Given, Judged, NotActiveError, UnknownAlertError
from tests.helpers import T0
from tests.judged import failure, pipeline


class Meters:
    """Counts checkpoints."""

    def __init__(self) -> None:
        self.failures = 0

    def checkpointed(self, seconds: float, stall_seconds: float, rows: int) -> None:
        pass

    def checkpoint_failed(self) -> None:
        self.failures += 1


class Engine:
    """What stands around the verdicts: a pipeline with one alert, and its checkpoints."""

    def __init__(self, folder: Path) -> None:
        self.judged: list[Judged] = []
        self.asked = Asked(self.judged.append)
        self.core: Core = pipeline()
        self.alert = self.core.take("log", [failure(each) for each in (0, 1, 2, 10)])[0].id
        self.store = Store(folder / "store.db", checkpoint.SCHEMA)
        self.meters = Meters()
        self.checkpointer = Checkpointer(
            self.store, lambda *_: 0, ["log"], self.meters, interval_s=3600, before=self._before, saved=self._saved
        )

    async def _before(self) -> None:
        pass

    async def _saved(self, _: Mapping[str, Any]) -> None:
        pass

    def give(self, verdict: Any = "true", alert: str | None = None, **more: Any) -> asyncio.Task[Judged]:
        given = Given(alert=self.alert if alert is None else alert, verdict=verdict, **more)
        return asyncio.create_task(self.asked.judge(given, active=True))

    def apply(self) -> list[Judged]:
        return list(self.asked.apply(self.core, self.checkpointer))


def run(folder: Path, check: Callable[[Engine], Awaitable[None]]) -> None:
    async def inner() -> None:
        engine = Engine(folder)
        await engine.store.take_over()
        try:
            await check(engine)
        finally:
            engine.checkpointer.abandon()
            engine.store.close()

    asyncio.run(inner())


async def settled(task: asyncio.Task[Judged]) -> bool:
    """Whether it is done by the time all others have had their turn."""
    for _ in range(5):
        await asyncio.sleep(0)
    return task.done()


def test_a_verdict_is_answered_once_it_is_safe(tmp_path: Path) -> None:
    async def check(engine: Engine) -> None:
        task = engine.give("false")
        assert not await settled(task)
        assert [judged.given.verdict for judged in engine.apply()] == ["false"]
        assert not await settled(task)
        # A backlog, and an interval of an hour: it is due all the same.
        assert engine.checkpointer.due(changed=False, behind=True)
        await engine.checkpointer.finish(engine.core, {})
        judged = await task
        assert (judged.changed, [alert.status for alert in judged.alerts]) == (True, ["resolved"])
        assert engine.judged == [judged]
        rows = await engine.store.read(lambda db: dict(checkpoint.Reading(db)["verdicts"]))
        assert [row["alert"] for row in rows.values()] == [engine.alert]

    run(tmp_path, check)


def test_one_of_a_checkpoint_that_has_begun_already_waits_for_the_next(tmp_path: Path) -> None:
    async def check(engine: Engine) -> None:
        engine.checkpointer.begin(engine.core, {})
        task = engine.give()
        await settled(task)
        engine.apply()
        while engine.checkpointer.under_way:
            await engine.checkpointer.step()
            await asyncio.sleep(0.01)
        assert not await settled(task)
        await engine.checkpointer.finish(engine.core, {})
        assert (await task).changed

    run(tmp_path, check)


def test_saying_the_same_again_is_answered_and_not_counted(tmp_path: Path) -> None:
    async def check(engine: Engine) -> None:
        tasks = [engine.give(), engine.give()]
        await settled(tasks[1])
        engine.apply()
        await engine.checkpointer.finish(engine.core, {})
        assert [(await task).changed for task in tasks] == [True, False]
        assert len(engine.judged) == 1

    run(tmp_path, check)


@pytest.mark.parametrize(
    ("more", "error"), [({"alert": "nobody"}, UnknownAlertError), ({"verdict": "expected", "until_ts": T0 - 1}, BadVerdictError)]
)
def test_what_cannot_be_applied_waits_for_no_checkpoint(tmp_path: Path, more: dict[str, Any], error: type[Exception]) -> None:
    async def check(engine: Engine) -> None:
        task = engine.give(**more)
        await settled(task)
        assert engine.apply() == []
        with pytest.raises(error):
            await task
        assert engine.checkpointer.promises == []

    run(tmp_path, check)


def test_nothing_is_applied_while_the_store_cannot_be_written(tmp_path: Path) -> None:
    async def check(engine: Engine) -> None:
        engine.checkpointer.failing = True
        task = engine.give("false")
        await settled(task)
        assert engine.apply() == []
        with pytest.raises(NotActiveError, match="the store cannot be written at present"):
            await task
        assert engine.core.correlator.open == 1

    run(tmp_path, check)


def test_whoever_waits_is_told_when_another_process_reads(tmp_path: Path) -> None:
    async def check(engine: Engine) -> None:
        applied = engine.give("false")
        await settled(applied)
        engine.apply()
        waiting = engine.give()
        await settled(waiting)
        engine.asked.refuse()
        engine.checkpointer.abandon()
        with pytest.raises(NotActiveError, match="this process does not read at present"):
            await waiting
        with pytest.raises(NotActiveError, match="may be lost; give it to that one"):
            await applied

    run(tmp_path, check)


def test_whoever_has_given_up_is_left_out(tmp_path: Path) -> None:
    async def check(engine: Engine) -> None:
        task = engine.give("false")
        await settled(task)
        task.cancel()
        await settled(task)
        assert engine.apply() == []
        assert engine.core.correlator.open == 1

    run(tmp_path, check)


def test_a_standby_takes_none_and_nobody_can_pile_them_up(tmp_path: Path) -> None:
    async def check(engine: Engine) -> None:
        given = Given(alert=engine.alert, verdict="true")
        with pytest.raises(NotActiveError, match="stands by"):
            await engine.asked.judge(given, active=False)
        tasks = [engine.give() for _ in range(MAX_ASKED)]
        await settled(tasks[-1])
        with pytest.raises(NotActiveError, match="too many verdicts wait"):
            await engine.asked.judge(given, active=True)
        engine.asked.refuse()
        await asyncio.gather(*tasks, return_exceptions=True)

    run(tmp_path, check)
