"""Sinks that notify people: one message for an incident, and further ones only when there is something to say."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from monitor.notification import RefusedError, UnreachableError
from monitor.settings_delivery import BreakerSettings, NotifySettings, RateLimit, RetrySettings, Route, StormSettings
from schemas.alert import Alert
from tests.deliveries import FakeSink, FakeTime, NotifySink, World, alert, world

DOWN = UnreachableError("the other side does not answer; start it")


def test_an_incident_is_told_once_and_then_when_it_changes_goes_on_and_ends(tmp_path: Path) -> None:
    async def run() -> None:
        sink = NotifySink()
        sink.answers.append({"thread": "17"})
        async with world(tmp_path / "s.db", {"n": sink}) as w:
            await w.insert(alert("a"))
            await w.advance(5)
            await w.insert(alert("b", incident="a", severity="low", inhibited_by="a"))
            await w.advance(5)  # second 10: both in one message
            await w.insert(alert("a", 2, count=11))  # nothing worth a message
            await w.advance(200)
            await w.insert(alert("a", 3, severity="high", count=12))  # graver: at once, for the last message is long ago
            await w.insert(alert("a", 4, "resolved", severity="high", count=12))
            await w.insert(alert("b", 2, count=11, incident="a", severity="low"))  # b is not over
            await w.advance(14_400)
            await w.insert(alert("b", 3, "resolved", count=11, incident="a", severity="low"))
            await w.advance(100_000)
            assert list(zip(sink.said, sink.at, strict=True)) == [
                (("a", "new"), 10),
                (("a", "update"), 210),
                (("a", "repeat"), 14_610),
                (("a", "resolved"), pytest.approx(14_670)),
            ]
            new, update, repeat, resolved = sink.taken
            assert [(each.id, each.version) for each in new.alerts] == [("a", 1), ("b", 1)]
            assert (new.status, new.memory, update.memory) == ("firing", {}, {"thread": "17"})
            assert [each.id for each in repeat.alerts] == ["b", "a"]
            assert (resolved.status, {each.status for each in resolved.alerts}) == ("resolved", {"resolved"})
            assert await w.rows("SELECT (SELECT count(*) FROM groups) + (SELECT count(*) FROM members)") == [(0,)]

    asyncio.run(run())


@pytest.mark.parametrize(
    ("change", "is_worth_a_message"),
    [
        ([alert("a", 2, count=19)], False),
        ([alert("a", 2, count=20)], True),
        ([alert("a", 2, severity="high")], True),
        ([alert("b", incident="a")], True),
        ([alert("b", incident="a", inhibited_by="a")], True),
        ([alert("a", 2, "resolved"), alert("a", 3)], False),
    ],
)
def test_only_what_is_worth_it_is_told_in_time(tmp_path: Path, change: Sequence[Alert], is_worth_a_message: bool) -> None:  # noqa: FBT001 - a table
    async def run() -> None:
        sink = NotifySink()
        async with world(tmp_path / "s.db", {"n": sink}) as w:
            await w.insert(alert("a"))
            await w.advance(10)
            await w.insert(*change)
            await w.advance(59)
            assert sink.said == [("a", "new")]
            await w.advance(1000)
            assert sink.said == [("a", "new"), *([("a", "update")] if is_worth_a_message else [])]

    asyncio.run(run())


def test_an_attack_that_is_over_before_anyone_was_told_is_told_all_the_same(tmp_path: Path) -> None:
    async def run() -> None:
        sink = NotifySink()
        async with world(tmp_path / "s.db", {"n": sink}) as w:
            await w.insert(alert("a"), alert("a", 2, "resolved"))
            await w.advance(100)
            assert [(n.reason, n.status) for n in sink.taken] == [("new", "firing"), ("resolved", "resolved")]
            assert sink.at == [10, 70]

    asyncio.run(run())


def test_an_attack_that_comes_back_is_a_new_message(tmp_path: Path) -> None:
    async def run() -> None:
        sink = NotifySink()
        sink.answers.append({"thread": "17"})
        async with world(tmp_path / "s.db", {"n": sink}) as w:
            await w.insert(alert("a"), alert("a", 2, "resolved"))
            await w.advance(100)
            await w.insert(alert("a", 3))
            await w.advance(10)
            assert sink.said == [("a", "new"), ("a", "resolved"), ("a", "new")]
            assert sink.taken[-1].memory == {}

    asyncio.run(run())


def test_an_alert_that_another_speaks_for_begins_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        sink = NotifySink()
        async with world(tmp_path / "s.db", {"n": sink}) as w:
            await w.insert(alert("b", incident="a", inhibited_by="a"), alert("c", incident="x", inhibited_by="x"))
            await w.insert(alert("c", 2, "resolved", incident="x", inhibited_by="x"))
            await w.advance(1000)
            assert sink.taken == []
            assert await w.rows("SELECT id FROM members") == [("b",)]
            await w.insert(alert("a"))
            await w.advance(10)
            assert [each.id for each in sink.taken[0].alerts] == ["a", "b"]

    asyncio.run(run())


def test_a_route_gives_its_own_times_and_who_was_told_hears_the_end(tmp_path: Path) -> None:
    async def run() -> None:
        chat, pager = NotifySink(), NotifySink()
        routes = [
            Route.model_validate({"match": {"severity": "high"}, "sinks": ["pager"], "group_wait_s": 0, "group_interval_s": 1}),
            Route(sinks=("chat",)),
        ]
        async with world(tmp_path / "s.db", {"chat": chat, "pager": pager}, routes=routes) as w:
            await w.insert(alert("a", severity="low"))
            await w.advance(20)
            await w.insert(alert("a", 2, severity="high"))  # goes elsewhere from now on
            await w.advance(20)
            await w.insert(alert("a", 3, "resolved", severity="high"))
            await w.advance(100)
            assert list(zip(chat.said, chat.at, strict=True)) == [(("a", "new"), 10), (("a", "resolved"), 70)]
            assert list(zip(pager.said, pager.at, strict=True)) == [(("a", "new"), 20), (("a", "resolved"), 40)]

    asyncio.run(run())


def test_the_gravest_goes_first_and_one_that_nobody_takes_holds_up_no_other(tmp_path: Path) -> None:
    async def run() -> None:
        def judge(notification: Any) -> None:
            if notification.key == "poison":
                raise DOWN

        sink = NotifySink()
        sink.judge = judge
        settings = NotifySettings(rate=RateLimit(sends=1, per_s=1))
        async with world(tmp_path / "s.db", {"n": sink}, {"n": settings}) as w:
            await w.insert(alert("low", severity="low"), alert("poison", severity="critical"), alert("high", severity="high"))
            await w.advance(30)
            assert [n.key for n in sink.attempts][:3] == ["poison", "high", "low"]
            assert sink.said == [("high", "new"), ("low", "new")]
            assert w.delivery.pending() == {"n": 1}

    asyncio.run(run())


def test_a_refused_message_counts_as_said_until_something_changes(tmp_path: Path) -> None:
    async def run() -> None:
        sink = NotifySink()
        sink.answers.append(RefusedError("status 400"))
        async with world(tmp_path / "s.db", {"n": sink}) as w:
            await w.insert(alert("a"))
            await w.advance(1000)
            assert sink.taken == []
            assert await w.rows("SELECT id, version, reason FROM dead_letters") == [("a", 1, "refused")]
            await w.insert(alert("a", 2, severity="critical"))
            assert sink.said == [("a", "update")]

    asyncio.run(run())


def test_messages_that_nobody_takes_for_too_long_are_given_up(tmp_path: Path) -> None:
    async def run() -> None:
        sink = NotifySink()
        sink.always = DOWN
        settings = NotifySettings(expire_after_s=600, breaker=BreakerSettings(probe_s=10), storm=StormSettings(limit=1))
        async with world(tmp_path / "s.db", {"n": sink}, {"n": settings}) as w:
            await w.insert(alert("a"), alert("b"))  # b is one too many
            await w.advance(700)
            assert sorted(await w.rows("SELECT id, reason FROM dead_letters")) == [("a", "expired"), ("b", "expired")]
            sink.always = None
            await w.advance(600)
            assert sink.taken == []

    asyncio.run(run())


def test_of_a_storm_the_first_are_told_and_one_summary_stands_for_the_others(tmp_path: Path) -> None:
    async def run() -> None:
        sink = NotifySink()
        async with world(tmp_path / "s.db", {"n": sink}, {"n": NotifySettings(rate=None, storm=StormSettings(limit=3, per_s=600))}) as w:
            await w.insert(*(alert(f"a{n:03}", severity="high" if n == 77 else "low") for n in range(300)))
            await w.advance(10)
            by_reason = [n for n in sink.taken if n.reason == "storm"]
            assert sorted(n.key for n in sink.taken if n.reason == "new") == ["a000", "a001", "a002", "a077"]
            assert [(n.suppressed, n.status, len(n.alerts)) for n in by_reason] == [(296, "firing", 3)]
            # All end: only of those that were told.
            await w.insert(*(alert(f"a{n:03}", 2, "resolved", severity="high" if n == 77 else "low") for n in range(300)))
            await w.advance(60)
            assert sorted(n.key for n in sink.taken if n.reason == "resolved") == ["a000", "a001", "a002", "a077"]
            assert len(sink.taken) == 9
            assert await w.rows("SELECT (SELECT count(*) FROM groups) + (SELECT count(*) FROM members)") == [(0,)]
            # A second wave within the time has its own summary, but not before the time is over.
            await w.insert(*(alert(f"b{n}", severity="low") for n in range(5)))
            await w.advance(500)
            assert len(sink.taken) == 9
            await w.advance(40)
            assert [(n.reason, n.suppressed) for n in sink.taken[9:]] == [("storm", 5)]
            assert len({n.key for n in sink.taken if n.reason == "storm"}) == 2

    asyncio.run(run())


def test_a_flood_of_low_incidents_hides_no_grave_one(tmp_path: Path) -> None:
    async def run() -> None:
        sink = NotifySink()
        async with world(tmp_path / "s.db", {"n": sink}, {"n": NotifySettings(rate=None, storm=StormSettings(limit=2))}) as w:
            await w.insert(*(alert(f"a{n}", severity="low") for n in range(50)))
            await w.advance(10)
            await w.insert(alert("real", severity="critical"), alert("a49", 2, severity="high"))
            await w.advance(10)
            assert sink.said[3:] == [("a49", "new"), ("real", "new")]

    asyncio.run(run())


def test_a_sink_that_is_down_gets_one_message_for_each_incident_when_it_is_back(tmp_path: Path) -> None:
    async def run() -> None:
        sink = NotifySink()
        sink.always = DOWN
        settings = NotifySettings(rate=None, retry=RetrySettings(max_s=1), breaker=BreakerSettings(probe_s=20))
        async with world(tmp_path / "s.db", {"n": sink}, {"n": settings}) as w:
            for n in range(6):
                await w.insert(alert(f"a{n}"))
                await w.insert(alert(f"a{n}", 2, severity="high"))
            await w.advance(300)
            assert w.delivery.state()["n"].breaker == "open"
            assert w.delivery.pending() == {"n": 6}
            sink.always = None
            await w.advance(20)
            assert sorted(sink.said) == [(f"a{n}", "new") for n in range(6)]

    asyncio.run(run())


@pytest.mark.parametrize("step", [-86_400.0, 86_400.0])
def test_a_clock_that_is_put_right_moves_no_message(tmp_path: Path, step: float) -> None:
    async def run() -> None:
        time, sink = FakeTime(), NotifySink()
        first = World(tmp_path / "s.db", {"n": sink}, time=time)
        await first.start()
        await first.insert(alert("a"))
        await first.advance(5)
        time.step = step
        await first.advance(5)
        assert sink.said == [("a", "new")]
        await first.insert(alert("b"))
        await first.end()
        async with world(tmp_path / "s.db", {"n": sink}, time=time) as w:
            await w.advance(10)
            assert sink.said[:2] == [("a", "new"), ("b", "new")]

    asyncio.run(run())


def test_the_key_is_never_longer_than_allowed(tmp_path: Path) -> None:
    async def run() -> None:
        sink, stream = NotifySink(), FakeSink()
        async with world(tmp_path / "s.db", {"n": sink, "s": stream}) as w:
            await w.insert(alert("a", incident="i" * 300, dedup_key="k" * 300))
            await w.advance(10)
            assert [len(n.key) for n in (*sink.taken, *stream.taken)] == [24, 24]

    asyncio.run(run())
