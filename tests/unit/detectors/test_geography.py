"""Distances on the Earth."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.geography import distance_km, least_distance_km

LATITUDES = st.floats(-90, 90)
LONGITUDES = st.floats(-180, 180)
POSITIONS = st.tuples(LATITUDES, LONGITUDES)
ROUNDING_KM = 1e-3


@pytest.mark.parametrize(
    ("a", "b", "expected_km"),
    [
        # a quarter of a great circle is pi / 2 * 6371.0088
        ((0, 0), (0, 90), 10_007.557),
        ((0, 0), (90, 0), 10_007.557),
        # antipodes: pi * 6371.0088
        ((0, 0), (0, 180), 20_015.114),
        ((90, 0), (-90, 0), 20_015.114),
        ((51.5, -0.1), (-51.5, 179.9), 20_015.114),
        # one degree: pi / 180 * 6371.0088
        ((0, 179.5), (0, -179.5), 111.195),
        ((0, 0.5), (0, 359.5), 111.195),
        ((89.5, 10), (89.5, -170), 111.195),
        # at a pole every longitude is the same place
        ((90, 0), (90, 123), 0.0),
        ((-90, -180), (-90, 77), 0.0),
        ((12.5, 45), (12.5, 45), 0.0),
        ((12.5, 180), (12.5, -180), 0.0),
    ],
)
def test_distance_is_that_of_the_great_circle(a: tuple[float, float], b: tuple[float, float], expected_km: float) -> None:
    assert distance_km(*a, *b) == pytest.approx(expected_km, abs=1e-3)


def test_near_points_are_told_apart_to_the_metre() -> None:
    # one metre of latitude is 1 / 111,195 of a degree
    assert distance_km(50.0, 8.0, 50.0 + 1 / 111_195, 8.0) == pytest.approx(0.001, rel=1e-3)


@given(a=POSITIONS, b=POSITIONS)
def test_distance_is_symmetric_and_never_more_than_half_round_the_earth(a: tuple[float, float], b: tuple[float, float]) -> None:
    there = distance_km(*a, *b)
    assert 0 <= there <= 20_016
    assert there == pytest.approx(distance_km(*b, *a), abs=ROUNDING_KM)


@given(a=POSITIONS, b=POSITIONS, c=POSITIONS)
def test_a_detour_is_never_shorter(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> None:
    assert distance_km(*a, *c) <= distance_km(*a, *b) + distance_km(*b, *c) + ROUNDING_KM


@given(a=POSITIONS, b=POSITIONS)
def test_a_full_turn_of_longitude_changes_nothing(a: tuple[float, float], b: tuple[float, float]) -> None:
    assert distance_km(*a, *b) == pytest.approx(distance_km(a[0], a[1] + 360, *b), abs=ROUNDING_KM)


@pytest.mark.parametrize(
    ("apart_km", "radius_a_km", "radius_b_km", "expected_km"),
    [(500, 100, 50, 350), (500, 0, 0, 500), (150, 100, 50, 0), (100, 80, 80, 0), (0, 0, 0, 0)],
)
def test_least_distance_takes_both_radii_off(apart_km: float, radius_a_km: float, radius_b_km: float, expected_km: float) -> None:
    assert least_distance_km(apart_km, radius_a_km, radius_b_km) == expected_km
