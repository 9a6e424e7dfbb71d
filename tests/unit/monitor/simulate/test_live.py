"""The made-up world by the clock."""

import asyncio
from itertools import pairwise

import orjson

from monitor.settings_simulate import SimulateSettings
from monitor.simulate.attacks import ATTACKS
from monitor.simulate.live import FIRST_ATTACK_S, SimulatedSource
from monitor.simulate.truth import Truth
from monitor.sources.live import Arrived, LiveInput
from schemas.formats import FORMATS
from schemas.formats.base import Context, Memory

NOW = 1_773_655_200.0


class Watching:
    """A source and the clock it goes by."""

    def __init__(self, **settings: float) -> None:
        self.now = NOW
        self.source = SimulatedSource(SimulateSettings(**settings), lambda: self.now, sleep=self.sleep)  # type: ignore[arg-type]
        asyncio.run(self.source.start())

    async def sleep(self, seconds: float) -> None:
        self.now += seconds

    def next(self, wait_s: float = 0.5) -> list[Arrived]:
        return list(asyncio.run(self.source.next(wait_s)))

    def watch(self, seconds: float) -> list[bytes]:
        end = self.now + seconds
        records: list[bytes] = []
        while self.now < end:
            for one in self.next():
                records += one.records
        return records


def of_attack(truth: Truth, record: bytes) -> bool:
    row = orjson.loads(record)
    return f"actor:{row.get('actor')}" in truth.involved or f"ip:{row.get('ip')}" in truth.involved


def test_events_come_at_the_rate_asked_for_stamped_now() -> None:
    watching = Watching(rate=20)
    records = watching.watch(10)
    parser = FORMATS["native"].parser(Context(Memory()))
    events = [event for record in records for event in parser.parse(record)]
    assert 170 <= len(events) <= 240  # twenty a second, and some people fail before they log in
    assert all(NOW <= event.ts <= NOW + 10.5 for event in events)
    assert len({event.id for event in events}) == len(events)


def test_within_the_first_minute_something_is_afoot_and_then_again_and_again() -> None:
    watching = Watching()
    watching.watch(60)
    first = watching.source.truth[0]
    assert NOW + FIRST_ATTACK_S <= first.start <= NOW + 20
    assert first.end <= NOW + 60
    watching.watch(3600)
    starts = [truth.start for truth in watching.source.truth]
    assert all(15 <= after - before <= 45 for before, after in pairwise(starts))
    assert {truth.scenario for truth in watching.source.truth} == {name for name, kind in ATTACKS.items() if kind.live_s is not None}


def test_an_attack_brings_events_of_its_own() -> None:
    watching = Watching(rate=5)
    records = watching.watch(120)
    for truth in watching.source.truth[:2]:
        assert sum(of_attack(truth, record) for record in records) >= 1


def test_positions_are_none_and_lines_go_on() -> None:
    watching = Watching()
    first, second = watching.next()[0], watching.next()[0]
    assert first.source == "simulated"
    assert first.position is None
    assert first.caught_up
    assert first.lines[0] == 1
    assert second.lines[0] == first.lines[-1] + 1


def test_ids_are_new_in_each_process() -> None:
    first, second = Watching(), Watching()
    second.now += 5
    asyncio.run(second.source.start())
    ids = [{orjson.loads(record)["id"] for record in one.watch(5)} for one in (first, second)]
    assert not ids[0] & ids[1]


def test_after_a_pause_there_is_no_flood() -> None:
    watching = Watching(rate=10)
    watching.source.pause(frozenset({"simulated"}))
    assert watching.next(600) == []
    watching.source.pause(frozenset())
    assert len(watching.watch(1)) <= 200  # ten seconds of people, one attack


def test_its_input_is_native_and_called_simulated() -> None:
    assert Watching().source.inputs == [LiveInput("simulated", "native", None, "simulated")]
