"""Clocks and holidays of the made-up world."""

from datetime import date

import pytest

from monitor.simulate.calendar import EPOCH, daylight_h, easter, is_holiday
from monitor.simulate.generate import generate
from monitor.simulate.world import DAY_S, HOUR_S, WorldSettings
from tests.unit.monitor.simulate.world_cases import rows


def day(year: int, month: int, number: int) -> int:
    return date(year, month, number).toordinal() - EPOCH


@pytest.mark.parametrize(
    ("rule", "summer", "winter"),
    [
        ("eu", [(2026, 3, 29), (2026, 10, 24), (2025, 7, 1)], [(2026, 3, 28), (2026, 10, 25), (2026, 1, 1)]),
        ("us", [(2026, 3, 8), (2026, 10, 31)], [(2026, 3, 7), (2026, 11, 1)]),
        ("au", [(2026, 4, 4), (2026, 10, 4), (2026, 1, 1)], [(2026, 4, 5), (2026, 10, 3)]),
        ("", [], [(2026, 7, 1)]),
    ],
)
def test_clocks_go_forward_and_back(rule: str, summer: list[tuple[int, int, int]], winter: list[tuple[int, int, int]]) -> None:
    assert [daylight_h(rule, day(*each)) for each in summer] == [1.0] * len(summer)
    assert [daylight_h(rule, day(*each)) for each in winter] == [0.0] * len(winter)


def test_easter_is_when_it_is() -> None:
    assert [easter(year) for year in (1990, 2008, 2024, 2025, 2038)] == [
        date(1990, 4, 15),
        date(2008, 3, 23),
        date(2024, 3, 31),
        date(2025, 4, 20),
        date(2038, 4, 25),
    ]


def test_holidays_are_those_of_the_country() -> None:
    assert is_holiday("US", day(2026, 7, 4))
    assert not is_holiday("DE", day(2026, 7, 4))
    assert is_holiday("NO", day(2026, 4, 2))  # Maundy Thursday
    assert is_holiday("FR", day(2026, 5, 14))  # Ascension
    assert not is_holiday("XX", day(2026, 12, 25))


def test_on_a_holiday_hardly_anybody_works() -> None:
    start = float(day(2026, 4, 2)) * DAY_S
    people = {
        keep: sum(row.get("actor_type") == "user" and row.get("city") == "Berlin" and row["time"] >= start + DAY_S for row in got)
        for keep in (True, False)
        for got in [rows(generate(WorldSettings(start=start, hours=46, users=120, tenants=1, holidays=keep))[0])]
    }
    assert people[True] < people[False] / 5


def test_working_hours_move_with_the_clocks() -> None:
    """Clocks go forward on the 29th of March 2026, between the two days."""

    def middle_of_the_day(number: int, month: int) -> float:
        start = float(day(2026, month, number)) * DAY_S
        times: list[float] = [
            row["time"]
            for row in rows(generate(WorldSettings(start=start, hours=20, users=60, tenants=1))[0])
            if "laptop" in row.get("device_id", "")
        ]
        return (sorted(times)[len(times) // 2] - start) / HOUR_S

    assert middle_of_the_day(27, 3) - middle_of_the_day(31, 3) == pytest.approx(1.0, abs=0.35)
