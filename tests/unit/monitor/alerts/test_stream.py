"""Sinks that get every alert version, in order."""

import asyncio
import logging
import sqlite3
from pathlib import Path

import pytest

from monitor.alerts import outbox
from monitor.alerts.sender import SinkState
from monitor.notification import Notification, RefusedError, UnreachableError
from monitor.settings_delivery import BreakerSettings, DeliverySettings, RateLimit, RetrySettings, Route
from monitor.store import FencedError, Store, StoreError, T, Work
from schemas.errors import ConfigurationError
from tests.deliveries import START, FakeSink, Killed, WatchedStore, World, alert, world

DOWN = UnreachableError("the other side does not answer; start it")


def test_every_version_comes_in_order_in_batches_of_the_size_a_sink_takes(tmp_path: Path) -> None:
    async def run() -> None:
        sink = FakeSink()
        async with world(tmp_path / "s.db", {"s": sink}) as w:
            alerts = [alert(f"a{n // 2}", 1 + n % 2, "resolved" if n % 2 else "firing") for n in range(8)]
            await w.insert(*alerts)
            assert [a for n in sink.taken for a in n.alerts] == alerts
            assert [len(n.alerts) for n in sink.taken] == [3, 3, 2]
            assert w.delivery.pending() == {"s": 0}
            assert w.results == {("s", "sent"): 8}
            await w.insert(alert("z"))
            await w.insert(alert("z", 2), alert("z", 3, "resolved"))
            single, double = sink.taken[3:]
            assert (single.key, single.reason, single.status) == ("failed_login_burst:z", "new", "firing")
            assert (double.reason, double.status) == ("update", "firing")
            assert double.key != single.key

    asyncio.run(run())


def test_a_failure_holds_up_what_follows_and_is_sent_again_as_it_was(tmp_path: Path) -> None:
    async def run() -> None:
        sink = FakeSink()
        sink.answers.extend([DOWN, DOWN])
        async with world(tmp_path / "s.db", {"s": sink}) as w:
            await w.insert(alert("a"))
            await w.insert(alert("b"))
            assert w.delivery.pending() == {"s": 2}
            await w.advance(4)
            assert sink.attempts[0] == sink.attempts[1] == sink.attempts[2]
            assert sink.versions == [("a", 1), ("b", 1)]
            assert 0 < sink.at[1] <= 1
            assert sink.at[1] < sink.at[2] <= sink.at[1] + 2
            assert w.results == {("s", "unreachable"): 2, ("s", "sent"): 2}

    asyncio.run(run())


def test_a_429_waits_as_long_as_it_says(tmp_path: Path) -> None:
    async def run() -> None:
        sink = FakeSink()
        sink.answers.append(UnreachableError("too many", retry_after_s=42))
        async with world(tmp_path / "s.db", {"s": sink}) as w:
            await w.insert(alert("a"))
            await w.advance(41.9)
            assert sink.taken == []
            await w.advance(0.1)
            assert sink.at == [0, 42]

    asyncio.run(run())


def test_a_rate_is_kept(tmp_path: Path) -> None:
    async def run() -> None:
        sink = FakeSink()
        settings = DeliverySettings(rate=RateLimit(sends=2, per_s=10))
        async with world(tmp_path / "s.db", {"s": sink}, {"s": settings}) as w:
            await w.insert(*(alert(f"a{n}") for n in range(12)))
            await w.advance(10)
            assert sink.at == pytest.approx([0, 0, 5, 10])

    asyncio.run(run())


def test_a_sink_that_is_down_is_probed_and_its_state_tells(tmp_path: Path) -> None:
    async def run() -> None:
        sink, other = FakeSink(), FakeSink()
        sink.always = DOWN
        settings = DeliverySettings(retry=RetrySettings(first_s=0.1, max_s=0.1), breaker=BreakerSettings(failures=3, probe_s=30))
        async with world(tmp_path / "s.db", {"s": sink, "other": other}, {"s": settings}) as w:
            await w.insert(alert("a"))
            await w.advance(100)
            assert [round(at) for at in sink.at] == [0, 0, 0, 30, 60, 90]
            assert w.delivery.state()["s"] == SinkState("open", 6, str(DOWN), START + sink.at[-1], None, 1)
            assert other.versions == [("a", 1)]
            sink.always = None
            await w.advance(30)
            state = w.delivery.state()["s"]
            assert (state.breaker, state.failures, state.last_error, state.last_success_at) == ("closed", 0, str(DOWN), START + sink.at[-1])
            await w.insert(alert("b"))
            assert sink.versions == [("a", 1), ("b", 1)]

    asyncio.run(run())


def test_one_refused_alert_goes_to_the_dead_letters_and_those_beside_it_arrive(tmp_path: Path) -> None:
    async def run() -> None:
        def judge(notification: Notification) -> None:
            if any(alert.id == "bad" for alert in notification.alerts):
                raise RefusedError("status 400")

        sink = FakeSink()
        sink.judge = judge
        async with world(tmp_path / "s.db", {"s": sink}) as w:
            await w.insert(alert("a"), alert("bad"), alert("b"), alert("c"), alert("d"))
            assert sink.versions == [("a", 1), ("b", 1), ("c", 1), ("d", 1)]
            assert await w.rows("SELECT sink, id, version, reason, at FROM dead_letters") == [("s", "bad", 1, "refused", START)]
            assert w.results == {("s", "sent"): 4, ("s", "refused"): 1}
            assert w.delivery.state()["s"].last_error == "refused: status 400"
            assert w.delivery.state()["s"].breaker == "closed"

    asyncio.run(run())


def test_what_cannot_be_delivered_for_too_long_is_given_up_and_kept(tmp_path: Path) -> None:
    async def run() -> None:
        sink = FakeSink()
        sink.always = DOWN
        settings = DeliverySettings(expire_after_s=3600)
        async with world(tmp_path / "s.db", {"s": sink}, {"s": settings}) as w:
            await w.insert(*(alert(f"old{n}") for n in range(5)))
            await w.advance(1800)
            await w.insert(alert("young"))
            await w.advance(1900)
            assert [row[0] for row in await w.rows("SELECT id FROM dead_letters WHERE reason = 'expired'")] == [f"old{n}" for n in range(5)]
            assert w.results["s", "expired"] == 5
            sink.always = None
            await w.advance(60)
            assert sink.versions == [("young", 1)]

    asyncio.run(run())


def test_what_waited_while_the_service_was_down_is_not_given_up_untried(tmp_path: Path) -> None:
    async def run() -> None:
        first = World(tmp_path / "s.db", {"s": FakeSink()})
        await first.store.take_over()
        await first.delivery.start()
        await first.store.write(lambda db: outbox.insert(db, [alert("a")], START - 10 * 86_400))
        await first.end()
        sink = FakeSink()
        async with world(tmp_path / "s.db", {"s": sink}) as w:
            await w.settle()
            assert sink.versions == [("a", 1)]

    asyncio.run(run())


def test_a_sink_gets_only_what_the_routes_give_it_and_passes_the_rest(tmp_path: Path) -> None:
    async def run() -> None:
        grave, every = FakeSink(), FakeSink()
        routes = [Route.model_validate({"match": {"severity": "high"}, "sinks": ["grave"], "continue": True}), Route(sinks=("every",))]
        async with world(tmp_path / "s.db", {"grave": grave, "every": every}, routes=routes) as w:
            await w.insert(*(alert(f"a{n}", severity="critical" if n % 700 == 600 else "low") for n in range(1400)))
            assert grave.versions == [("a600", 1), ("a1300", 1)]
            assert len(every.versions) == 1400
            assert w.delivery.pending() == {"grave": 0, "every": 0}

    asyncio.run(run())


def test_a_fault_in_a_sink_is_no_end_and_its_text_stays_hidden(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        sink = FakeSink()
        sink.answers.extend([KeyError("hunter2"), KeyError("hunter2")])
        async with world(tmp_path / "s.db", {"s": sink}) as w:
            await w.insert(alert("a"))
            await w.advance(10)
            assert sink.versions == [("a", 1)]
            assert w.delivery.state()["s"].last_error == "a fault in the sink itself (KeyError)"
            assert w.results == {("s", "unreachable"): 2, ("s", "sent"): 1}

    with caplog.at_level(logging.INFO, "watchfloor"):
        asyncio.run(run())
    assert caplog.messages == ["sink s: a fault in the sink itself (KeyError)"]


def test_what_a_sink_returns_may_be_rubbish_and_is_no_reason_to_send_again(tmp_path: Path) -> None:
    async def run() -> None:
        sink = FakeSink()
        sink.answers.append({"thread": object()})
        async with world(tmp_path / "s.db", {"s": sink}) as w:
            await w.insert(alert("a"))
            await w.advance(100)
            assert len(sink.attempts) == 1

    asyncio.run(run())


class HangingSink(FakeSink):
    """Hangs the first time."""

    async def send(self, notification: Notification) -> dict[str, object]:
        if not self.attempts:
            self.attempts.append(notification)
            await asyncio.Event().wait()
        return await super().send(notification)


def test_a_send_that_hangs_is_cut_off_and_tried_again(tmp_path: Path) -> None:
    async def run() -> None:
        sink = HangingSink()
        async with world(tmp_path / "s.db", {"s": sink}, {"s": DeliverySettings(timeout_s=0.1)}) as w:
            await w.insert(alert("a"))
            while not w.results:
                await asyncio.sleep(0.01)
            await w.advance(2)
            assert sink.versions == [("a", 1)]
            assert w.delivery.state()["s"].last_error == "no answer within 0.1 s"

    asyncio.run(run())


def test_draining_waits_for_what_is_due_and_gives_up_at_its_limit(tmp_path: Path) -> None:
    async def run() -> None:
        sink = FakeSink()
        async with world(tmp_path / "s.db", {"s": sink}) as w:
            await w.store.write(lambda db: outbox.insert(db, [alert("a")], START))
            assert await w.delivery.drain(5) is True
            assert sink.versions == [("a", 1)]
            sink.always = DOWN
            await w.insert(alert("b"))
            draining = asyncio.create_task(w.delivery.drain(5))
            await w.advance(5)
            assert await draining is False
            assert w.delivery.pending() == {"s": 1}

    asyncio.run(run())


def test_a_process_whose_store_was_taken_over_sends_nothing_more(tmp_path: Path) -> None:
    async def run() -> None:
        sink = FakeSink()
        async with world(tmp_path / "s.db", {"s": sink}) as w:
            await w.insert(alert("a"))
            other = Store(tmp_path / "s.db", outbox.SCHEMA)
            try:
                await other.take_over()
                await other.write(lambda db: outbox.insert(db, [alert("b")], START))
            finally:
                other.close()
            w.delivery.wake()
            with pytest.raises(FencedError):
                await w.settle()
            assert sink.versions == [("a", 1)]

    asyncio.run(run())


class FullStore(WatchedStore):
    """Refuses writes while ``full``."""

    full = False

    async def write(self, work: Work[T]) -> T:
        if self.full:
            raise StoreError("store.path: disk is full")
        return await super().write(work)


def test_a_full_disk_between_answer_and_mark_sends_nothing_twice(tmp_path: Path) -> None:
    async def run() -> None:
        sink = FakeSink()
        async with world(tmp_path / "s.db", {"s": sink}, store=FullStore) as w:
            store = w.store
            assert isinstance(store, FullStore)
            sink.judge = lambda _: setattr(store, "full", True)
            await w.insert(alert("a"), alert("b"), alert("c"), alert("d"))
            await w.advance(30)
            assert len(sink.attempts) == 1
            assert w.delivery.state()["s"].last_error == "deliveries wait for the store: store.path: disk is full"
            store.full = False
            sink.judge = lambda _: None
            await w.advance(1)
            assert sink.versions == [("a", 1), ("b", 1), ("c", 1), ("d", 1)]

    asyncio.run(run())


def test_reloading_goes_on_where_each_sink_was_and_a_new_one_hears_only_what_is_new(tmp_path: Path) -> None:
    async def run() -> None:
        old, gone, new = FakeSink(), FakeSink(), FakeSink()
        async with world(tmp_path / "s.db", {"old": old, "gone": gone}) as w:
            await w.insert(alert("a"))
            new.time = w.time
            await w.delivery.reload({"old": old, "new": new}, {"old": DeliverySettings(), "new": DeliverySettings()}, ())
            await w.insert(alert("b"))
            assert (old.versions, gone.versions, new.versions) == ([("a", 1), ("b", 1)], [("a", 1)], [("b", 1)])
            assert set(w.delivery.state()) == {"old", "new"}

    asyncio.run(run())


def test_wrong_routes_are_refused_and_the_old_ones_go_on(tmp_path: Path) -> None:
    async def run() -> None:
        sink = FakeSink()
        async with world(tmp_path / "s.db", {"s": sink}) as w:
            with pytest.raises(ConfigurationError, match=r"routes\.0\.sinks"):
                await w.delivery.reload({"s": sink}, {"s": DeliverySettings()}, [Route(sinks=("t",))])
            await w.insert(alert("a"))
            assert sink.versions == [("a", 1)]

    asyncio.run(run())


def test_a_reload_of_a_process_that_was_taken_over_does_not_wait_for_ever(tmp_path: Path) -> None:
    async def run() -> None:
        async with world(tmp_path / "s.db", {"s": FakeSink()}) as w:
            other = Store(tmp_path / "s.db", outbox.SCHEMA)
            await other.take_over()
            other.close()
            await asyncio.wait_for(w.delivery.reload({}, {}, ()), 10)
            with pytest.raises(FencedError):
                await w.settle()

    asyncio.run(run())


def test_cancelled_in_the_middle_of_a_send_it_is_sent_again_after_the_next_start_and_counted(tmp_path: Path) -> None:
    async def run() -> None:
        async with world(tmp_path / "s.db", {"s": HangingSink()}) as w:
            await w.insert(alert("a"))
        sink = FakeSink()
        async with world(tmp_path / "s.db", {"s": sink}) as w:
            await w.settle()
            assert sink.versions == [("a", 1)]
            assert w.results == {("s", "repeated"): 1, ("s", "sent"): 1}
            await w.insert(alert("b"))
            assert w.results["s", "repeated"] == 1

    asyncio.run(run())


def test_a_row_that_cannot_be_read_is_kept_and_holds_up_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        sink = FakeSink()
        async with world(tmp_path / "s.db", {"s": sink}) as w:

            def insert(db: sqlite3.Connection) -> None:
                outbox.insert(db, [alert("a"), alert("b"), alert("c")], START)
                db.execute("UPDATE outbox SET alert = '{}' WHERE id = 'b'")

            await w.store.write(insert)
            w.delivery.wake()
            await w.settle()
            assert sink.versions == [("a", 1), ("c", 1)]
            assert await w.rows("SELECT reason, alert FROM dead_letters") == [("unreadable", "{}")]
            assert w.results["s", "unreadable"] == 1

    asyncio.run(run())


def test_an_end_by_a_signal_is_passed_on(tmp_path: Path) -> None:
    async def run() -> None:
        sink = FakeSink()

        def die(_: Notification) -> None:
            raise Killed

        sink.judge = die
        async with world(tmp_path / "s.db", {"s": sink}) as w:
            with pytest.raises(Killed):
                await w.insert(alert("a"))

    asyncio.run(run())
