"""Usual pauses by the hour of the week."""

from detectors.rhythm import HOUR_S, HOURS, UNKNOWN, Profile, learn, learn_pause, usual_pause


def test_an_hour_remembers_its_longest_pause_and_forgets_by_halves() -> None:
    profile: Profile = []
    learn(profile, 3, 800)
    assert (len(profile), profile[3], profile[4]) == (HOURS, 800, UNKNOWN)
    learn(profile, 3 + HOURS, 100)
    learn(profile, 3 + 2 * HOURS, 100)
    assert profile[3] == 200
    learn(profile, 3 + 3 * HOURS, 900)
    assert profile[3] == 900


def test_a_pause_touches_all_hours_it_lies_over() -> None:
    profile: Profile = []
    learn_pause(profile, 1.5 * HOUR_S, 4.25 * HOUR_S, 60)
    assert [profile[hour] for hour in range(6)] == [UNKNOWN, 9900, 9900, 9900, UNKNOWN, UNKNOWN]


def test_a_pause_of_months_touches_each_hour_once() -> None:
    profile: Profile = []
    learn_pause(profile, 0, 5000 * HOUR_S, 60)
    assert set(profile) == {int(5000 * HOUR_S)}


def test_an_unknown_hour_is_taken_from_other_days_or_from_all() -> None:
    profile: Profile = [UNKNOWN] * HOURS
    for hour in range(48):
        profile[hour] = 30 if 8 <= hour % 24 < 18 else 50_000
    noon_s = (48 + 12) * HOUR_S
    assert usual_pause(profile, noon_s, noon_s + 900, hour_of_day=True) == 30
    assert usual_pause(profile, noon_s, noon_s + 900, hour_of_day=False) == 50_000
    evening_s = (48 + 17) * HOUR_S
    assert usual_pause(profile, evening_s, evening_s + 900, hour_of_day=True) == 50_000
