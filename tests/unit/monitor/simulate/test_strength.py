"""Attacks weaker than low, slower and more spread."""

from typing import Any

import pytest

from monitor.simulate.attacks import ATTACKS
from monitor.simulate.generate import Simulation
from monitor.simulate.truth import Truth
from monitor.simulate.world import Scenario, WorldSettings
from schemas.errors import ConfigurationError
from tests.unit.monitor.simulate.world_cases import one


def played(name: str, **knobs: Any) -> Truth:
    return Simulation(one(name, **knobs)).truth[0]


@pytest.mark.parametrize("name", list(ATTACKS))
@pytest.mark.parametrize(("intensity", "strength"), [("low", 1.0), ("medium", 2.0), ("high", 3.0)])
def test_the_three_intensities_are_strengths_one_two_and_three(name: str, intensity: str, strength: float) -> None:
    said, same = played(name, intensity=intensity), played(name, strength=strength)
    assert (said.events, said.start, said.end, said.strength) == (same.events, same.start, same.end, strength)
    assert (said.intensity, same.intensity) == (intensity, f"{strength:g}")


@pytest.mark.parametrize("name", list(ATTACKS))
def test_a_weaker_attack_has_no_more_events(name: str) -> None:
    events = [played(name, strength=strength).events or 0 for strength in (0.1, 0.5, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0)]
    assert events == sorted(events)


def test_strengths_between_are_between() -> None:
    assert [played("failed_login_burst", strength=each).events for each in (0.1, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 6.0)] == [
        *(1, 6, 11, 16, 20, 40, 60, 120),
    ]


def test_a_stretched_attack_takes_longer_and_has_the_same_steps() -> None:
    usual, slow = played("password_spray"), played("password_spray", stretch=10.0)
    assert slow.events == usual.events
    assert slow.end - slow.start == pytest.approx(10 * (usual.end - usual.start), rel=0.01)


def test_the_truth_says_how_it_was_made_and_how_long_the_traffic_is() -> None:
    settings = one("password_spray", spread=3)
    truth = Simulation(settings).truth[0]
    assert (truth.spread, truth.traffic) == (3, (settings.start, settings.start + 60 * 3600))
    assert len([entity for entity in truth.entities if entity.startswith("ip:")]) == 3


def test_whoever_travels_is_no_victim_of_an_attack_that_knows_their_habits() -> None:
    scenarios = tuple(Scenario(name="mfa_change") for _ in range(60))
    simulation = Simulation(WorldSettings(hours=24 * 14, users=60, tenants=1, scenarios=scenarios))
    assert len(simulation.truth) == 60  # and there is somebody at home for each of them


@pytest.mark.parametrize(
    ("knobs", "name"),
    [
        ({"strength": 0.0}, "strength"),
        ({"spread": 0}, "spread"),
        ({"stretch": 0.0}, "stretch"),
        ({"jitter": 2.0}, "jitter"),
        ({"duration_s": 0.0}, "duration_s"),
    ],
)
def test_knobs_out_of_range_are_refused(knobs: dict[str, float], name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name}: "):
        Simulation(one("password_spray", **knobs))
