"""However the records of a topic reach the service, it says the same of its silence; and to listen to it changes nothing else."""

from collections import Counter
from collections.abc import Sequence
from random import Random

import msgspec
import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from schemas.alert import Alert
from schemas.event import Event
from tests.helpers import T0
from tests.property.runs import Pipeline, Step, same
from tests.property.strategies import EACH_AND_ALL, batches, cuts, logs, record, search, title_of

NAMES = ("source_silence",)
Parts = dict[str, list[Event]]
PAUSES = (2.0, 2.0, 2.0, 40.0, 200.0)
"""Seconds; a silence is told from 30 on."""


@st.composite
def topics(draw: st.DrawFn) -> Parts:
    """Some partitions, each of which sends all the time, pauses, goes on, stops at last; and another topic that goes on to the end."""
    rng = Random(draw(st.integers(0, 9999)))
    parts: Parts = {}
    for number in range(draw(st.integers(1, 3))):
        at = rng.random()
        events: list[Event] = []
        for _ in range(rng.randint(1, 3)):
            for _ in range(rng.randint(5, 40)):
                events.append(Event("api.request", T0 + at, f"{number}-{len(events)}", tenant="acme", outcome="success"))
                at += 2.0
            at += rng.choice(PAUSES)
        parts[f"orders/{number}"] = events
    last = max(events[-1].ts for events in parts.values()) - T0 + rng.choice([0.0, 100.0, 400.0])
    parts["clock"] = [Event("api.request", T0 + at, f"c{at}", tenant="globex", outcome="success") for at in range(0, int(last) + 1, 7)]
    return parts


def pipeline(parts: Parts, names: Sequence[str] = NAMES) -> Pipeline:
    made = Pipeline(names, tuple(parts))
    for source in parts:
        made.core.listen(source, source.partition("/")[0], "acme")
    return made


def mixed(parts: Parts, sizes: Sequence[int], rng: Random) -> list[Step]:
    """Batches of all sources, each in its order, in a drawn order among them."""
    waiting = {source: batches([record(event) for event in events], sizes) for source, events in parts.items()}
    steps: list[Step] = []
    while waiting:
        source = rng.choice(list(waiting))
        steps.append((source, waiting[source].pop(0)))
        if not waiting[source]:
            del waiting[source]
    return steps


def by_themselves(alerts: Sequence[Alert]) -> list[Alert]:
    """Without what others are about the same."""
    return [msgspec.structs.replace(alert, incident="", related=(), inhibited_by=None) for alert in alerts]


def test_generated_topics_make_the_detector_speak() -> None:
    seen: Counter[str] = Counter()

    @seed(20260202)
    @settings(max_examples=40, database=None, deadline=None)
    @given(topics())
    def look(parts: Parts) -> None:
        alerts = pipeline(parts).feed(mixed(parts, [1000], Random(1))).end()
        seen.update({f"{alert.facts['what']} {alert.status}" for alert in alerts if alert.entity.value == "orders"})

    look()
    assert {what: seen[what] >= 4 for what in seen} == dict.fromkeys(
        ["silence firing", "silence resolved", "partitions firing", "partitions resolved"], True
    ), seen


@search(30)
@given(topics(), st.integers(0, 9999), cuts, st.lists(st.booleans(), min_size=1, max_size=5))
def test_batches_and_restarts_change_nothing(parts: Parts, chance: int, sizes: Sequence[int], where: Sequence[bool]) -> None:
    cut = pipeline(parts)
    for number, step in enumerate(mixed(parts, sizes, Random(chance))):
        if where[number % len(where)]:
            cut.restart()
        cut.feed([step])
    same(cut.end(), pipeline(parts).feed(mixed(parts, [1000], Random(1))).end())


@pytest.mark.parametrize("names", EACH_AND_ALL, ids=title_of)
def test_to_listen_changes_no_other_alert(names: tuple[str, ...]) -> None:
    @search(4 if len(names) == 1 else 20)
    @given(logs(names))
    def holds(events: list[Event]) -> None:
        records = [record(event) for event in events]
        heard = Pipeline(names, listen="orders").feed([("log", records)]).end()
        others = [alert for alert in heard if alert.entity.value != "orders"]
        same(by_themselves(others), by_themselves(Pipeline(names).feed([("log", records)]).end()))

    holds()


def test_what_is_counted_is_what_was_sent() -> None:
    parts = {"orders/0": [Event("api.request", T0 + at, f"e{at}") for at in range(100)]}
    whole = pipeline(parts).feed(mixed(parts, [1000], Random(1)))
    assert whole.core.inputs["orders/0"].kinds == {"api.request": 100}
