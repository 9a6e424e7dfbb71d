"""However a log reaches the pipeline, it gives the same alerts: version for version, byte for byte."""

from collections import Counter
from collections.abc import Sequence
from random import Random

import msgspec
import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from detectors.registry import DETECTORS
from monitor.pipeline.believe import LEAP_S, WITNESSES
from schemas.event import Event
from tests.property.runs import Pipeline, same, straight
from tests.property.scenarios import SCENARIOS
from tests.property.strategies import (
    EACH_AND_ALL,
    LATENESS_S,
    batches,
    cuts,
    delayed,
    delays,
    in_time,
    logs,
    record,
    search,
    title_of,
)

FEW, MANY = 8, 50
"""Examples for each detector by itself, and for all together."""
FIXED = 40

each_and_all = pytest.mark.parametrize("names", EACH_AND_ALL, ids=title_of)


def few_or_many(names: Sequence[str]) -> settings:
    return search(FEW if len(names) == 1 else MANY)


def steps(source: str, records: Sequence[bytes], sizes: Sequence[int]) -> list[tuple[str, list[bytes]]]:
    return [(source, part) for part in batches(records, sizes)]


# -- the logs are worth comparing -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DETECTORS)
def test_generated_logs_make_the_detector_speak(name: str) -> None:
    assert name in SCENARIOS, f"tests/property/scenarios.py has no scenario for {name}: the properties would say nothing about it"
    phases: Counter[str] = Counter()
    variants: Counter[str] = Counter()

    @seed(20260202)
    @settings(max_examples=FIXED, database=None, deadline=None)
    @given(logs([name]))
    def look(events: list[Event]) -> None:
        alerts = straight([name], events)
        phases.update({"open" if alert.version == 1 else alert.status for alert in alerts})
        variants.update({alert.entity.type for alert in alerts})

    look()
    wanted = {variant.entity_type for variant in DETECTORS[name].variants.values()}
    assert {entity_type: variants[entity_type] >= FIXED / 10 for entity_type in wanted} == dict.fromkeys(wanted, True), variants
    assert phases["open"] >= FIXED / 3, phases
    assert phases["firing"] >= 1, phases
    assert phases["resolved"] >= FIXED / 10, phases


# -- one source -------------------------------------------------------------------------------------------------------------------


@each_and_all
def test_batch_cuts_change_nothing(names: tuple[str, ...]) -> None:
    @few_or_many(names)
    @given(logs(names), delays(600.0), cuts)
    def holds(events: list[Event], by: Sequence[float], sizes: Sequence[int]) -> None:
        # Even when much is later than allowed: each event is judged as if it came alone.
        records = [record(event) for event in delayed(events, by)]
        whole, parted = Pipeline(names), Pipeline(names)
        same(parted.feed(steps("log", records, sizes)).end(), whole.feed([("log", records)]).end())
        assert parted.core.runner.late == whole.core.runner.late

    holds()


@each_and_all
def test_disorder_within_the_lateness_changes_nothing(names: tuple[str, ...]) -> None:
    @few_or_many(names)
    @given(logs(names), delays(LATENESS_S), cuts)
    def holds(events: list[Event], by: Sequence[float], sizes: Sequence[int]) -> None:
        shuffled = Pipeline(names)
        records = [record(event) for event in delayed(events, by)]
        same(shuffled.feed(steps("log", records, sizes)).end(), straight(names, events))
        assert shuffled.core.runner.late == 0

    holds()


@each_and_all
def test_repeated_events_change_nothing(names: tuple[str, ...]) -> None:
    @few_or_many(names)
    @given(logs(names), st.integers(0, 9999), st.sampled_from([0.1, 0.5, 1.0]), cuts)
    def holds(events: list[Event], chance: int, share: float, sizes: Sequence[int]) -> None:
        rng, records = Random(chance), []
        for event in events:
            records.append(record(event))
            records += [rng.choice(records) for _ in range(rng.randint(1, 3)) if rng.random() < share]
        repeated = Pipeline(names)
        same(repeated.feed(steps("log", records, sizes)).end(), straight(names, events))
        assert repeated.core.inputs["log"].repeats == len(records) - len(events)

    holds()


@each_and_all
def test_restarts_change_nothing(names: tuple[str, ...]) -> None:
    @few_or_many(names)
    @given(logs(names), delays(60.0), cuts, st.lists(st.booleans(), min_size=1, max_size=5))
    def holds(events: list[Event], by: Sequence[float], sizes: Sequence[int], where: Sequence[bool]) -> None:
        records = [record(event) for event in delayed(events, by)]
        restarted = Pipeline(names)
        for number, step in enumerate(steps("log", records, sizes)):
            if where[number % len(where)]:
                restarted.restart()
            restarted.feed([step])
        restarted.restart()
        same(restarted.end(), Pipeline(names).feed([("log", records)]).end())

    holds()


def test_false_leaps_in_time_change_nothing_else() -> None:
    @search(MANY)
    @given(logs(), st.integers(0, 9999), cuts, st.lists(st.booleans(), min_size=1, max_size=5))
    def holds(events: list[Event], chance: int, sizes: Sequence[int], where: Sequence[bool]) -> None:
        # Single events dated far ahead where the time is known, so that the record after them contradicts them.
        rng, records, wrong = Random(chance), [], 0
        for at, event in enumerate(events):
            if rng.random() < 0.1 and at >= WITNESSES and event.ts - events[at - WITNESSES].ts < LEAP_S:
                records.append(
                    record(Event(kind="auth.login", ts=event.ts + 900 * LEAP_S, id=f"wrong{at}", actor="alice", outcome="success"))
                )
                wrong += 1
            records.append(record(event))
        pipeline = Pipeline(tuple(DETECTORS))
        for number, step in enumerate(steps("log", records, sizes)):
            if where[number % len(where)]:
                pipeline.restart()
            pipeline.feed([step])
        got = pipeline.end()
        same(got, straight(tuple(DETECTORS), events))
        assert pipeline.core.inputs["log"].rejected == ({"future_time": wrong} if wrong else {})

    holds()


# -- several sources --------------------------------------------------------------------------------------------------------------


def split(events: Sequence[Event], parts: int, rng: Random) -> dict[str, list[Event]]:
    """``events`` over sources: whole runs of them, so that a source is silent for a while now and then."""
    split_up: dict[str, list[Event]] = {f"part{i}": [] for i in range(parts)}
    source = "part0"
    for event in events:
        if rng.random() < 0.3:
            source = f"part{rng.randrange(parts)}"
        split_up[source].append(event)
    return split_up


@each_and_all
def test_partitions_change_nothing(names: tuple[str, ...]) -> None:
    @few_or_many(names)
    @given(logs(names), st.integers(2, 3), st.integers(0, 9999), cuts, delays(LATENESS_S))
    def holds(events: list[Event], parts: int, chance: int, sizes: Sequence[int], by: Sequence[float]) -> None:
        rng = Random(chance)
        waiting = {
            source: batches([record(event) for event in delayed(part, by)], sizes)[::-1]
            for source, part in split(events, parts, rng).items()
        }
        pipeline = Pipeline(names, tuple(waiting))
        # Aligned, as the engines read: the next records come from the source that is farthest behind; which of equals, is chance.
        while behind := {source: pipeline.core.inputs[source].believed for source, left in waiting.items() if left}:
            least = min(behind.values())
            source = rng.choice([source for source, reached in behind.items() if reached == least])
            pipeline.feed([(source, waiting[source].pop())])
            if rng.random() < 0.1:
                pipeline.restart()
        same(pipeline.end(), straight(names, events))
        assert pipeline.core.runner.late == 0

    holds()


# -- tenants ----------------------------------------------------------------------------------------------------------------------


@each_and_all
def test_tenants_never_mix(names: tuple[str, ...]) -> None:
    @few_or_many(names)
    @given(logs(names, tenants=("acme",)), logs(names, tenants=("globex", None)))
    def holds(ours: list[Event], theirs: list[Event]) -> None:
        # The same names and addresses on both sides. The clock is common to all, so a last event of nobody tells both runs how late it is.
        theirs = [msgspec.structs.replace(event, id=f"their{event.id}") for event in theirs]
        last = max(ours[-1].ts, theirs[-1].ts)
        clock = [Event(kind="auth.logout", ts=last + i * LEAP_S / 2, id=f"clock{i}", tenant="nobody") for i in range(1, 3)]
        everyone = straight(names, sorted([*ours, *theirs], key=in_time) + clock)
        same([alert for alert in everyone if alert.tenant == "acme"], straight(names, [*ours, *clock]))

    holds()
