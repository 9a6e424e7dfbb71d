"""The made-up world: repeatable, in order, possible; and its attacks are found while its people are left alone."""

import hashlib
import os
import subprocess
import sys
from functools import cache
from itertools import pairwise
from typing import Any

import orjson
import pytest

from detectors.registry import DETECTORS, build
from monitor.pipeline.networks import DEFAULT_NETWORKS
from monitor.pipeline.runner import Runner
from monitor.simulate.attacks import ATTACKS
from monitor.simulate.generate import Simulation, generate
from monitor.simulate.people import distance_km
from monitor.simulate.truth import Truth
from monitor.simulate.world import CITIES, HOUR_S, Scenario, WorldSettings
from schemas.errors import ConfigurationError
from schemas.event import Event
from schemas.finding import Finding
from schemas.formats import FORMATS
from schemas.formats.base import Context, Memory
from schemas.severity import RANK

ALL = tuple(Scenario(name=name) for name in ATTACKS)
START = WorldSettings().start


def rows(settings: WorldSettings) -> list[dict[str, Any]]:
    return [orjson.loads(record) for record in generate(settings)[0]]


def decode(records: list[bytes]) -> list[Event]:
    parser = FORMATS["native"].parser(Context(Memory()))
    events = [event for record in records for event in parser.parse(record)]
    for event in events:
        event.network = DEFAULT_NETWORKS.get(event.asn)  # as the pipeline does
    return events


def found(records: list[bytes]) -> list[Finding]:
    """What all detectors find with their defaults."""
    detectors = [one for name, cls in DETECTORS.items() for one in build(name, cls.Settings.model_validate({}))]
    runner = Runner(detectors, lateness_s=1.0)
    findings = runner.run("simulated", decode(records))
    findings += runner.finish()
    assert not runner.failed
    return findings


@cache
def attacked(seed: int, intensity: str) -> tuple[tuple[Truth, ...], list[Finding]]:
    scenarios = tuple(Scenario(name=name, intensity=intensity) for name in ATTACKS)
    events, truth = generate(WorldSettings(seed=seed, hours=48, users=200, scenarios=scenarios))
    return truth, found(list(events))


RULES = [name for name, kind in ATTACKS.items() if kind.detectors]
"""The other attacks break no rule: what sees them has to learn for days first, see docs/evaluation.md."""


@pytest.mark.parametrize("intensity", ["low", "medium", "high"])
@pytest.mark.parametrize("name", RULES)
def test_each_attack_is_seen_by_the_detectors_it_is_made_for(name: str, intensity: str) -> None:
    truths, findings = attacked(7, intensity)
    truth = next(truth for truth in truths if truth.scenario == name)
    seen = {finding.detector for finding in findings if f"{finding.entity_type}:{finding.entity}" in truth.entities}
    assert set(ATTACKS[name].detectors) <= seen  # two days are no past that anybody could have learned from


def test_there_is_an_attack_for_each_detector_and_the_truth_says_which() -> None:
    truths, _ = attacked(7, "high")
    learned = {name for kind in ATTACKS.values() for name in kind.learned}
    assert [name for name, kind in ATTACKS.items() if kind.detectors] == [*(name for name in DETECTORS if name not in learned), "campaign"]
    assert [truth.scenario for truth in truths] == list(ATTACKS)
    assert {detector for truth in truths for detector in truth.detectors} == set(DETECTORS)
    for truth in truths:
        assert START < truth.start <= truth.end < START + 48 * HOUR_S
        assert set(truth.entities) <= set(truth.involved)
        assert orjson.loads(truth.line())["intensity"] == "high"


@pytest.mark.parametrize("intensity", ["low", "medium"])
def test_a_look_around_breaks_no_rule_and_is_learned_to_be_odd(intensity: str) -> None:
    look = Scenario(name="behaviour_anomaly", intensity=intensity, at=START + 9 * 24 * HOUR_S)
    events, (truth,) = generate(WorldSettings(seed=7, hours=24 * 10, users=40, tenants=1, scenarios=(look,)))
    about = {
        finding.detector for finding in found(list(events)) if f"actor:{finding.entity}" in truth.entities and finding.ts >= truth.start
    }
    assert about == {"behaviour_anomaly"}


@pytest.mark.parametrize("seed", [1, 2])
def test_an_ordinary_day_pages_nobody(seed: int) -> None:
    findings = found(list(generate(WorldSettings(seed=seed, users=300))[0]))
    assert [finding.detector for finding in findings if RANK[finding.severity] >= RANK["medium"]] == []


def test_events_come_in_order_once_and_within_their_time() -> None:
    got = rows(WorldSettings(seed=3, hours=30, users=60, scenarios=tuple(one for one in ALL if one.name != "dormant_account")))
    assert all(before["time"] <= after["time"] for before, after in pairwise(got))
    assert len({row["id"] for row in got}) == len(got)
    assert got[0]["time"] >= START
    assert got[-1]["time"] < START + 30 * HOUR_S


def test_the_same_seed_gives_the_same_bytes_in_every_process() -> None:
    code = (
        "import hashlib, monitor.simulate.generate as g, monitor.simulate.world as w, monitor.simulate.attacks as a\n"
        "events, truth = g.generate(w.WorldSettings(seed=5, hours=48, users=30, scenarios=tuple(w.Scenario(name=n) for n in a.ATTACKS)))\n"
        "print(hashlib.sha256(b''.join(events) + b''.join(t.line() for t in truth)).hexdigest())"
    )
    said = {
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, env={**os.environ, "PYTHONHASHSEED": salt}).stdout
        for salt in ("1", "2")
    }
    events, truth = generate(WorldSettings(seed=5, hours=48, users=30, scenarios=ALL))
    here = hashlib.sha256(b"".join(events) + b"".join(one.line() for one in truth)).hexdigest()
    assert said == {f"{here}\n".encode()}


def test_another_seed_gives_another_world() -> None:
    assert rows(WorldSettings(seed=1, hours=10, users=30)) != rows(WorldSettings(seed=2, hours=10, users=30))


def test_what_one_person_does_does_not_depend_on_how_long_is_simulated_or_who_else_there_is() -> None:
    def of(settings: WorldSettings) -> list[dict[str, Any]]:
        return [{**row, "id": ""} for row in rows(settings) if row.get("actor") == "acme-003" and row["time"] < START + 20 * HOUR_S]

    assert of(WorldSettings(hours=20, users=40)) == of(WorldSettings(hours=60, users=80))


def test_nobody_travels_faster_than_an_airliner() -> None:
    cities = {city.name: city for city in CITIES}
    last: dict[str, tuple[float, str]] = {}
    moves = 0
    for row in rows(WorldSettings(seed=4, hours=24 * 21, users=60)):
        actor, city = row.get("actor", ""), row.get("city")
        if city is None or row["asn"] == 9009 or not row["kind"].startswith(("auth", "api")):  # a VPN is no place
            continue
        before = last.get(actor)
        if before is not None and before[1] != city:
            moves += 1
            hours = (row["time"] - before[0]) / HOUR_S
            assert distance_km(cities[before[1]], cities[city]) / hours < 900, (actor, before, row)
        last[actor] = (row["time"], city)
    assert moves > 10


def test_people_sleep_and_have_weekends() -> None:
    got = [row for row in rows(WorldSettings(hours=24 * 7, users=100)) if row.get("actor_type") == "user"]
    berlin = [row for row in got if row.get("city") == "Berlin"]
    night = [row for row in berlin if ((row["time"] - START) / HOUR_S + 1) % 24 < 5]
    assert len(night) < len(berlin) / 10  # a few work at night
    weekend = [row for row in got if row["time"] >= START + 5 * 24 * HOUR_S]
    assert len(weekend) < len(got) / 8


def test_a_deploy_changes_what_everybody_asks_for() -> None:
    got = rows(WorldSettings(hours=72, users=60, deploy_after_h=24))
    new = [row["time"] for row in got if row.get("path", "").startswith("/v2/")]
    assert min(new) >= START + 24 * HOUR_S
    assert len(new) > 1000


def test_there_is_more_of_a_more_intense_attack_and_its_knobs_are_heard() -> None:
    def tries(**knobs: Any) -> list[dict[str, Any]]:
        attack = Scenario(name="failed_login_burst", at=START + HOUR_S, tenant="acme", **knobs)
        got = rows(WorldSettings(hours=6, users=30, scenarios=(attack,)))
        return [row for row in got if str(row.get("device_id")).startswith("stranger")]

    assert [len(tries(intensity=name)) for name in ("low", "medium", "high")] == [11, 20, 60]
    assert len({row["ip"] for row in tries(spread=4)}) == 4
    steady = [row["time"] for row in tries(jitter=0.0, duration_s=118.0)]
    assert {round(after - before, 3) for before, after in pairwise(steady)} == {2.0}
    uneven = [row["time"] for row in tries(jitter=1.0, duration_s=118.0)]
    assert len({round(after - before, 3) for before, after in pairwise(uneven)}) > 10


def test_an_attack_outside_of_the_time_simulated_is_not_in_the_truth() -> None:
    late = Scenario(name="failed_login_burst", at=START + 100 * HOUR_S)
    assert Simulation(WorldSettings(hours=6, scenarios=(late,))).truth == ()


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (WorldSettings(users=0), "users: 0 cannot be simulated; use 1 to 60000"),
        (WorldSettings(tenants=9), "tenants: 9 cannot be simulated; use 1 to 8"),
        (WorldSettings(hours=0), "hours: 0 cannot be simulated; use 0.01 to 17568"),
        (WorldSettings(scenarios=(Scenario(name="phishing"),)), "scenario: there is no phishing; use one of failed_login_burst, "),
        (WorldSettings(scenarios=(Scenario(name="campaign", intensity="huge"),)), "intensity: expected one of low, medium, high"),
        (WorldSettings(scenarios=(Scenario(name="campaign", tenant="zeta"),)), "tenant: there is no zeta; use one of acme, "),
    ],
)
def test_what_cannot_be_simulated_is_refused(settings: WorldSettings, problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Simulation(settings)
    assert str(caught.value).startswith(problem)


@pytest.mark.parametrize("users", [1, 5, 12])
def test_a_small_world_has_attacks_too(users: int) -> None:
    events, truth = generate(WorldSettings(users=users, tenants=1, hours=48, scenarios=ALL))
    assert len(decode(list(events))) > 1000
    assert len(truth) == len(ALL)
