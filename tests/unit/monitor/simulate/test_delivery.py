"""The order in which events come."""

from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from monitor.simulate.delivery import Delivery, Stamped, deliver
from schemas.errors import ConfigurationError

EVENTS: list[Stamped] = [(float(number), b"%d" % number) for number in range(5_000)]


def come(**fields: Any) -> list[Stamped]:
    return list(deliver(iter(EVENTS), Delivery(**fields), 1))


def test_a_tidy_delivery_changes_nothing() -> None:
    assert come() == EVENTS


def test_shuffled_events_are_all_there_and_none_is_further_off_than_asked_for() -> None:
    got = come(shuffle_s=10.0)
    assert sorted(got) == EVENTS
    assert got != EVENTS
    reached = 0.0
    for ts, _ in got:
        assert ts > reached - 10.0
        reached = max(reached, ts)


def test_repeats_are_the_same_record_again() -> None:
    counts = Counter(record for _, record in come(duplicates=0.1))
    assert set(counts) == {record for _, record in EVENTS}
    assert set(counts.values()) == {1, 2}
    assert sum(counts.values()) - len(EVENTS) == pytest.approx(500, abs=100)


def test_some_events_are_late_by_no_more_than_asked_for() -> None:
    got = come(late=0.05, late_s=600.0)
    assert sorted(got) == EVENTS
    behind = [before - after for (before, _), (after, _) in pairwise(got) if after < before]
    assert len(behind) == pytest.approx(250, abs=80)
    assert 300 < max(behind) <= 600


def test_the_same_seed_gives_the_same_order() -> None:
    untidy = Delivery(shuffle_s=5.0, duplicates=0.1, late=0.1)
    assert list(deliver(iter(EVENTS), untidy, 1)) == list(deliver(iter(EVENTS), untidy, 1))
    assert list(deliver(iter(EVENTS), untidy, 1)) != list(deliver(iter(EVENTS), untidy, 2))


def test_nothing_comes_of_nothing() -> None:
    assert list(deliver(iter([]), Delivery(shuffle_s=5.0), 1)) == []


@pytest.mark.parametrize(
    ("fields", "name"), [({"shuffle_s": -1.0}, "shuffle_s"), ({"duplicates": 1.5}, "duplicates"), ({"late": 2.0}, "late")]
)
def test_what_cannot_be_is_refused(fields: dict[str, float], name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name}: "):
        Delivery(**fields).check()
