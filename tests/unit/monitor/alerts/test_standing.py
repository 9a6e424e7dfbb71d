"""Sinks that are told what fires now, again and again."""

import asyncio
from pathlib import Path

from monitor.notification import RefusedError, UnreachableError
from monitor.settings_delivery import StateSettings
from tests.deliveries import FakeTime, StateSink, World, alert, world


def test_what_fires_is_sent_at_each_change_and_again_and_what_has_resolved_for_five_minutes(tmp_path: Path) -> None:
    async def run() -> None:
        sink = StateSink()
        async with world(tmp_path / "s.db", {"am": sink}) as w:
            await w.insert(alert("a"))
            await w.advance(45)
            await w.insert(alert("b"))  # a, nearly due again, goes along
            await w.advance(70)
            await w.insert(alert("a", 2, "resolved"), alert("b", 2, "resolved"))
            await w.advance(1000)
            assert [(at, n.reason, [(each.id, each.version) for each in n.alerts]) for at, n in zip(sink.at, sink.taken, strict=True)] == [
                (0, "new", [("a", 1)]),
                (45, "new", [("b", 1), ("a", 1)]),
                (105, "repeat", [("a", 1), ("b", 1)]),
                *[(115 + 60 * n, "repeat" if n else "resolved", [("a", 2), ("b", 2)]) for n in range(5)],
            ]
            assert await w.rows("SELECT count(*) FROM members") == [(0,)]

    asyncio.run(run())


def test_a_large_state_goes_in_parts(tmp_path: Path) -> None:
    async def run() -> None:
        sink = StateSink()
        async with world(tmp_path / "s.db", {"am": sink}) as w:
            await w.insert(*(alert(f"a{n}") for n in range(7)))
            assert [len(n.alerts) for n in sink.taken] == [3, 3, 1]
            await w.advance(60)
            assert sorted(each.id for n in sink.taken[3:] for each in n.alerts) == [f"a{n}" for n in range(7)]

    asyncio.run(run())


def test_the_state_goes_on_after_a_restart(tmp_path: Path) -> None:
    async def run() -> None:
        time, sink = FakeTime(), StateSink()
        first = World(tmp_path / "s.db", {"am": sink}, time=time)
        await first.start()
        await first.insert(alert("a"))
        await first.end()
        async with world(tmp_path / "s.db", {"am": sink}, time=time) as w:
            await w.advance(59)
            assert len(sink.taken) == 1
            await w.advance(1)
            assert len(sink.taken) == 2

    asyncio.run(run())


def test_an_end_that_came_while_the_sink_was_down_is_still_told(tmp_path: Path) -> None:
    async def run() -> None:
        sink = StateSink()
        async with world(tmp_path / "s.db", {"am": sink}) as w:
            await w.insert(alert("a"))
            sink.always = UnreachableError("down")
            await w.insert(alert("a", 2, "resolved"))
            await w.advance(3000)
            sink.always = None
            await w.advance(30)
            assert sink.versions == [("a", 1), ("a", 2)]
            await w.advance(100)
            assert len(sink.taken) == 2

    asyncio.run(run())


def test_what_is_over_and_was_never_told_is_given_up_in_the_end(tmp_path: Path) -> None:
    async def run() -> None:
        sink = StateSink()
        sink.always = UnreachableError("down")
        async with world(tmp_path / "s.db", {"am": sink}, {"am": StateSettings(expire_after_s=900)}) as w:
            await w.insert(alert("a"), alert("a", 2, "resolved"), alert("b"))
            await w.advance(1000)
            assert await w.rows("SELECT id, version, reason FROM dead_letters") == [("a", 2, "expired")]
            sink.always = None
            await w.advance(30)
            assert sink.versions == [("b", 1)]

    asyncio.run(run())


def test_a_refused_version_is_a_dead_letter_once(tmp_path: Path) -> None:
    async def run() -> None:
        sink = StateSink()
        sink.always = RefusedError("status 400")
        async with world(tmp_path / "s.db", {"am": sink}) as w:
            await w.insert(alert("a"))
            await w.advance(600)
            assert len(sink.attempts) == 11
            assert await w.rows("SELECT id, version, reason FROM dead_letters") == [("a", 1, "refused")]

    asyncio.run(run())
