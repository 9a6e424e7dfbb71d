"""When somebody is up, and how odd another hour is."""

import pytest

from detectors.learned.hours import MOST_DAYS, Profile, chance, is_rest, main_hours, middle, shift_h, surprise, turn

OFFICE = 0b1111_1111 << 8
"""From 8 to 16."""


def profile(mask: int, days: int) -> Profile:
    found = Profile()
    for _ in range(days):
        found.learn(mask)
    return found


def odd(known: Profile, hour: int, *, other: Profile | None = None, rest: bool = False, prior: float = 0.01, more: float = 0.0) -> float:
    return surprise(chance(known, other or Profile(), rest=rest, hour=hour, more=more, prior=prior))


def test_counts_stay_small_and_what_was_once_is_forgotten() -> None:
    known = profile(1 << 3, 1)
    for _ in range(500):
        known.learn(OFFICE)
    assert known.days < MOST_DAYS
    assert max(known.counts) < MOST_DAYS
    assert known.counts[3] == 0
    assert known.hours == sum(known.counts)


def test_hours_that_are_added_alone_stay_small_too() -> None:
    known = Profile()
    for _ in range(2000):
        known.add(4)
    assert 0 < known.counts[4] < 4 * MOST_DAYS


def test_an_hour_is_the_odder_the_further_it_is_from_the_usual_ones() -> None:
    known = profile(OFFICE, 20)
    scores = [odd(known, hour) for hour in (15, 16, 17, 18, 19, 20, 23)]
    assert scores == sorted(scores)
    assert scores[1] < 1
    assert scores[-1] > 3


def test_midnight_is_no_border() -> None:
    known = profile(0b11 << 22, 20)
    assert odd(known, 0) == pytest.approx(odd(known, 21))
    assert odd(known, 2) == pytest.approx(odd(known, 19))


def test_an_hour_that_was_usual_on_few_days_is_less_odd_than_one_that_never_was() -> None:
    known = profile(OFFICE, 19)
    known.learn(OFFICE | 1 << 2)
    assert odd(known, 2) < 2.6
    assert odd(profile(OFFICE, 20), 2) > 3


def test_the_more_days_are_known_the_odder_a_new_hour_up_to_a_point() -> None:
    few, some, many, more = (odd(profile(OFFICE, days), 2) for days in (2, 8, 12, 50))
    assert few < some
    assert some == pytest.approx(many) == pytest.approx(more)


def test_of_somebody_seen_once_a_day_at_any_hour_less_is_known() -> None:
    rare = Profile()
    for hour in (8, 9, 10, 11, 12, 13, 14, 15):
        rare.learn(1 << hour)
    assert rare.known() < profile(OFFICE, 8).known() == 8
    assert profile(1 << 2, 8).known() == 8


def test_a_first_saturday_is_judged_by_working_days() -> None:
    known = profile(OFFICE, 20)
    assert odd(Profile(), 10, other=known, rest=True) < 1
    assert odd(Profile(), 2, other=known, rest=True) > 3


def test_saturday_nights_say_little_of_other_nights() -> None:
    nights = profile(1 << 1, 6)
    known = profile(OFFICE, 20)
    assert odd(nights, 1, other=known, rest=True) < odd(known, 1, other=nights)


def test_what_peers_do_makes_an_hour_less_odd() -> None:
    known = profile(OFFICE, 20)
    assert odd(known, 2, prior=0.2) < odd(known, 2, prior=0.02) < odd(known, 2, prior=0.002)


def test_days_in_favour_from_elsewhere_count() -> None:
    known = profile(OFFICE, 20)
    assert odd(known, 2, more=2.0) < 2.4 < odd(known, 2)


@pytest.mark.parametrize(
    ("usual", "seen", "hours", "degrees"),
    [(0.0, 0.0, 0, 0.0), (13.4, 151.21, 9, 137.81), (151.21, 13.4, -9, -137.81), (-122.0, 139.0, -7, -99.0), (179.0, -179.0, 0, 2.0)],
)
def test_clocks_differ_the_short_way_round(usual: float, seen: float, hours: int, degrees: float) -> None:
    assert shift_h(usual, seen) == hours
    assert turn(usual, seen) == pytest.approx(degrees)


def test_weekends_are_saturday_and_sunday() -> None:
    thursday = 0
    assert [is_rest(thursday + day) for day in range(7)] == [False, False, True, True, False, False, False]


def test_the_middle_of_a_night_shift_is_at_night() -> None:
    assert middle(profile(0b111, 5).counts) == pytest.approx(1.0)
    assert (middle(profile(1 << 23 | 0b11, 5).counts) + 12) % 24 == pytest.approx(12.0)


@pytest.mark.parametrize("mask", [0, 2**24 - 1, 0b11 << 23 & 0xFFFFFF | 1, 1 << 12 | 1, 1 << 18 | 1 << 6])
def test_the_middle_is_an_hour_of_the_day_whatever_comes(mask: int) -> None:
    assert 0 <= middle(profile(mask, 5).counts) < 24


def test_the_main_hours_leave_out_what_is_rare() -> None:
    known = profile(OFFICE, 20)
    known.learn(OFFICE | 1 << 22)
    assert main_hours(known.counts) == (8, 16)
