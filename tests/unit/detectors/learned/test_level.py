"""What is usual: running means and variances of logarithms."""

from math import log1p

import pytest

from detectors.learned.level import Level, Usual, log, usual

MEMORY, FLOOR = 40.0, 0.35


def learned(*values: float, memory: float = MEMORY) -> Level:
    level = Level()
    for value in values:
        level.learn(value, memory, FLOOR)
    return level


def test_mean_and_variance_are_those_of_the_values_while_few_are_known() -> None:
    level = learned(1.0, 2.0, 3.0, 2.0)  # sum 8; squared distances from 2: 1 + 0 + 1 + 0
    assert (level.weight, level.mean, level.var) == (4.0, 2.0, 0.5)


def test_old_values_fade_once_the_memory_is_full() -> None:
    level = learned(*[1.0] * 10, *[1.5] * 10, memory=5.0)
    assert level.weight == 5.0
    assert 1.44 < level.mean < 1.46  # 1.5 - 0.5 * 0.8 ** 10


def test_a_single_value_teaches_no_more_than_three_spreads_would() -> None:
    level = learned(*[2.0] * 9)
    level.learn(50.0, MEMORY, FLOOR)
    assert level.mean == pytest.approx(2.0 + 3 * FLOOR / 10)


def test_after_forgetting_nothing_is_known() -> None:
    level = learned(1.0, 2.0)
    level.forget()
    assert level == Level()


def test_of_somebody_unknown_the_peers_say_what_is_usual() -> None:
    assert usual(Level(), Level(100.0, 5.0, 1.0), 4.0, FLOOR).mean == 5.0


def test_of_somebody_well_known_the_peers_hardly_matter() -> None:
    assert usual(Level(40.0, 2.0, 0.1), Level(100.0, 5.0, 1.0), 4.0, FLOOR).mean == pytest.approx(100 / 44)  # (40 * 2 + 4 * 5) / 44


def test_where_nothing_at_all_is_known_the_spread_is_wide() -> None:
    assert usual(Level(), Level(), 4.0, FLOOR) == Usual(0.0, 1.0)


def test_the_spread_has_a_floor_for_the_perfectly_regular() -> None:
    assert usual(learned(*[3.0] * 20), Level(), 4.0, FLOOR).spread == FLOOR


def test_distance_and_amount_are_each_others_reverse() -> None:
    expected = Usual(log1p(9.0), 0.5)
    assert expected.amount() == pytest.approx(9.0)
    assert expected.distance(log(expected.amount(1.0, 2.5))) == pytest.approx(2.5)


def test_an_absurd_distance_is_still_a_number() -> None:
    assert Usual(30.0, 5.0).amount(1e5, 1_000.0) < 1e32


@pytest.mark.parametrize(("amount", "unit", "expected"), [(0, 1.0, 0.0), (-5, 1.0, 0.0), (200_000, 100_000.0, log1p(2.0))])
def test_logarithms(amount: float, unit: float, expected: float) -> None:
    assert log(amount, unit) == expected
