"""A process that delivers dies between any two steps: nothing is lost, and at most the one send it died in is made twice, and counted."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.alerts import outbox
from monitor.notification import Notification, UnreachableError
from monitor.settings_delivery import NotifySettings, StormSettings
from schemas.alert import Alert
from schemas.severity import SEVERITIES
from tests.deliveries import SETTINGS, FakeSink, FakeTime, Killed, NotifySink, StateSink, Steps, World, alert

STEPS: Sequence[tuple[float, Sequence[Alert]]] = (
    (0, (alert("a"), alert("b"), alert("c", severity="high"))),
    (10, (alert("a", 2, count=30), alert("d", incident="c", inhibited_by="c"))),
    (60, (alert("a", 3, "resolved", count=30), alert("b", 2, "resolved"), alert("e"))),
    (60, (alert("c", 2, "resolved", severity="high"), alert("d", 2, "resolved", incident="c", inhibited_by="c"))),
    (130, ()),
)
"""What happens: seconds later, these alert versions are inserted."""
STORM = {**SETTINGS, "notify": NotifySettings(rate=None, storm=StormSettings(limit=1))}


class Lives:
    """The lives of one process after another on the same store, with sinks that outlive them."""

    def __init__(self, folder: Path, given: Sequence[tuple[float, Sequence[Alert]]] = STEPS, *, storm: bool = False) -> None:
        self.path = folder / "store.db"
        self.given = given
        self.time = FakeTime()
        self.sinks: dict[str, FakeSink] = {"stream": FakeSink(), "notify": NotifySink(), "state": StateSink()}
        self.settings = STORM if storm else SETTINGS
        self.done = 0
        self.results: Counter[tuple[str, str]] = Counter()
        self.kills = 0

    async def live(self, fatal: int | None) -> int:
        """One life, which ends at that step; or with all that was to happen. Returns how many steps it had."""
        steps = Steps(fatal)
        for sink in self.sinks.values():
            sink.steps = steps
        world = World(self.path, self.sinks, self.settings, time=self.time, steps=steps)
        try:
            await world.start()
            await world.insert(*self.given[0][1])
            while self.done < len(self.given):
                seconds, alerts = self.given[self.done]
                # What was inserted before is inserted again, as an engine does that goes on from its last checkpoint.
                await world.insert(*(self.given[self.done - 1][1] if self.done else ()), *alerts)
                await world.advance(seconds)
                self.done += 1
        except Killed:
            self.kills += 1
        finally:
            await world.end()
            self.results += world.results
        return steps.count

    def doubles(self, name: str) -> list[str]:
        """What a sink got more than once."""
        return [key for key, count in Counter(map(_same, self.sinks[name].taken)).items() for _ in range(count - 1)]

    def order(self, name: str) -> list[tuple[str, int]]:
        """The alert versions a sink got, by the first time it got them."""
        return list(dict.fromkeys(self.sinks[name].versions))


def _same(notification: Notification) -> str:
    versions = " ".join(f"{each.id}/{each.version}" for each in notification.alerts)
    return f"{notification.key} {notification.reason} {versions}"


def whole(folder: Path, *, storm: bool = False) -> tuple[Lives, int]:
    """What happens undisturbed."""
    folder.mkdir()
    line = Lives(folder, storm=storm)
    return line, asyncio.run(line.live(None))


def check(line: Lives, undisturbed: Lives) -> None:
    assert line.order("stream") == undisturbed.order("stream")
    told = [n.key for n in line.sinks["notify"].taken if n.reason == "new"]
    assert set(told) == {n.key for n in undisturbed.sinks["notify"].taken if n.reason == "new"}
    ended = {n.key for n in line.sinks["notify"].taken if n.reason == "resolved"}
    assert ended == {n.key for n in undisturbed.sinks["notify"].taken if n.reason == "resolved"}
    last = {each.id: each.version for n in line.sinks["state"].taken for each in n.alerts}
    assert last == {each.id: each.version for n in undisturbed.sinks["state"].taken for each in n.alerts}
    # A send in flight at each of the sinks may be cut off by one kill; each is counted, and nothing else is doubled.
    for name in ("stream", "notify"):
        doubles = line.doubles(name)
        assert len(doubles) <= line.kills
        assert len(doubles) <= line.results[name, "repeated"]


@pytest.mark.parametrize("storm", [False, True])
def test_killed_at_each_step_everything_arrives_and_only_what_was_in_flight_twice(tmp_path: Path, storm: bool) -> None:  # noqa: FBT001 - a table
    undisturbed, count = whole(tmp_path / "whole", storm=storm)
    assert not undisturbed.doubles("stream")
    assert undisturbed.results["stream", "repeated"] == 0
    assert len(undisturbed.order("stream")) == 10
    doubled = 0
    for fatal in range(1, count + 1, 4 if storm else 1):
        folder = tmp_path / str(fatal)
        folder.mkdir()
        line = Lives(folder, storm=storm)
        asyncio.run(line.live(fatal))
        assert line.kills == 1
        asyncio.run(line.live(None))
        check(line, undisturbed)
        doubled += len(line.doubles("stream")) + len(line.doubles("notify"))
    # The kills between answer and mark are among them: without any, this test would show nothing.
    assert doubled > (1 if storm else 5)


def test_killed_again_and_again_everything_arrives(tmp_path: Path) -> None:
    undisturbed, _ = whole(tmp_path / "whole")
    rng = random.Random(5)
    kills = 0
    for attempt in range(12):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        line = Lives(folder)
        for _ in range(6):
            asyncio.run(line.live(rng.randrange(3, 40)))
        asyncio.run(line.live(None))
        check(line, undisturbed)
        kills += line.kills
    assert kills >= 50


def test_two_processes_on_one_store_tell_nothing_twice(tmp_path: Path) -> None:
    """The one that was taken over from still runs; it stops at its next step, and the other one goes on."""

    async def run() -> None:
        sinks: dict[str, FakeSink] = {"stream": FakeSink(), "notify": NotifySink()}
        time = FakeTime()
        old, new = World(tmp_path / "s.db", sinks, time=time), World(tmp_path / "s.db", sinks, time=time)
        try:
            await old.start()
            await old.insert(alert("a"), alert("b"))
            await new.start()
            await new.insert(alert("c"))
            old.delivery.wake()
            await time.advance(100, new.settle)
            assert sorted(sinks["stream"].versions) == [("a", 1), ("b", 1), ("c", 1)]
            assert sorted(sinks["notify"].said) == [("a", "new"), ("b", "new"), ("c", "new")]
            assert old.task is not None
            assert old.task.done()
        finally:
            await old.end()
            await new.end()

    asyncio.run(run())


names = st.sampled_from("abcdef")
changes = st.tuples(names, st.sampled_from(["firing", "firing", "resolved"]), st.sampled_from(SEVERITIES), st.booleans())
histories = st.lists(st.tuples(st.sampled_from([0.0, 3.0, 30.0, 90.0]), st.lists(changes, max_size=5)), min_size=1, max_size=6)


def as_alerts(history: list[tuple[float, list[tuple[str, str, str, bool]]]]) -> list[tuple[float, list[Alert]]]:
    """Versions counted up, pairs of names in one incident, and an end for what still fires."""
    version: Counter[str] = Counter()
    firing: dict[str, Alert] = {}
    steps: list[tuple[float, list[Alert]]] = []
    for seconds, each in history:
        alerts = []
        for name, status, severity, inhibited in each:
            if status == "resolved" and name not in firing:
                continue
            version[name] += 1
            incident = "a" if name in "ab" else name
            made = alert(
                name,
                version[name],
                status,
                severity,
                incident,
                count=10 * version[name],
                inhibited_by="x" if inhibited and name == "b" else None,
            )
            firing[name] = made
            if status == "resolved":
                del firing[name]
            alerts.append(made)
        steps.append((seconds, alerts))
    ends = [alert(name, version[name] + 1, "resolved", last.severity, last.incident, count=last.count) for name, last in firing.items()]
    return [*steps, (400.0, ends), (400.0, [])]


@settings(max_examples=25, deadline=None)
@given(history=histories, kills=st.lists(st.integers(1, 60), max_size=3), failing=st.sets(st.integers(0, 15), max_size=6))
def test_whatever_happens_and_fails_every_version_arrives_in_order_and_every_incident_is_told_and_ended(
    tmp_path_factory: pytest.TempPathFactory,
    history: list[tuple[float, list[tuple[str, str, str, bool]]]],
    kills: list[int],
    failing: set[int],
) -> None:
    steps = as_alerts(history)
    line = Lives(tmp_path_factory.mktemp("history"), steps)
    for sink in line.sinks.values():
        sink.judge = _failing(failing)
    for fatal in kills:
        asyncio.run(line.live(fatal))
    asyncio.run(line.live(None))
    expected = [(each.id, each.version) for _, alerts in steps for each in alerts]
    assert line.order("stream") == expected
    told = line.sinks["notify"].taken
    speaking = {each.incident for _, alerts in steps for each in alerts if each.status == "firing" and each.inhibited_by is None}
    assert {n.key for n in told if n.reason == "new"} == speaking
    assert {n.key for n in told if n.reason == "resolved"} == speaking
    assert {n.key: n.reason for n in told} == dict.fromkeys(speaking, "resolved")
    for name in ("stream", "notify"):
        assert len(line.doubles(name)) <= line.kills


def _failing(attempts: set[int]) -> Callable[[Notification], None]:
    left = iter(range(1000))

    def judge(_: Notification) -> None:
        if next(left, -1) in attempts:
            raise UnreachableError("the other side does not answer; start it")

    return judge


def test_pruning_while_it_delivers_takes_nothing_away(tmp_path: Path) -> None:
    async def run() -> None:
        sinks: dict[str, FakeSink] = {"stream": FakeSink(), "notify": NotifySink()}
        sinks["stream"].always = UnreachableError("the other side does not answer; start it")
        world = World(tmp_path / "s.db", sinks)
        try:
            await world.start()
            for n in range(10):
                await world.insert(alert(f"a{n}"))
                await world.store.write(lambda db: outbox.prune(db, world.time.wall(), keep_s=0))
                await world.advance(60)
            sinks["stream"].always = None
            await world.advance(60)
            assert sinks["stream"].versions == [(f"a{n}", 1) for n in range(10)]
            await world.store.write(lambda db: outbox.prune(db, world.time.wall(), keep_s=0))
            assert await world.rows("SELECT count(*) FROM outbox") == [(0,)]
            await world.insert(alert("a9", 2, "resolved"))
            await world.advance(60)
            assert sinks["notify"].said[-1] == ("a9", "resolved")
        finally:
            await world.end()

    asyncio.run(run())
