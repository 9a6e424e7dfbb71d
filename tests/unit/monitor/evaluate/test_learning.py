"""The alert budget, drift and poisoning: measured in small worlds, and said on the page."""

from functools import cache

import msgspec
import pytest

from detectors.registry import DETECTORS
from monitor.evaluate.budgets import BUDGETS, Kept, budget_of, measure_budgets, within, without_floors
from monitor.evaluate.drift import Drift, Raised, measure_drift
from monitor.evaluate.learning import Learning, sections
from monitor.evaluate.plan import Plan
from monitor.evaluate.poisoning import Flood, Poisoning, Slope, measure_poisoning
from monitor.evaluate.scoring import score
from monitor.evaluate.several import LEARNED, Watcher, settings_of, watch
from monitor.simulate.attacks import ATTACKS
from monitor.simulate.world import Scenario, WorldSettings
from tests.unit.monitor.evaluate.cases import START, seen, truth

SMALL = Plan(seeds=(7,), days=8.0, users=24, tenants=2, repeats=1)


def kept(budget: float, realised: float) -> Kept:
    return Kept(detector="api_volume_anomaly", entity="actor", budget=budget, floors=False, alerts=9, realised=realised)


def slope(measure: str, growth: float, found: int, days: float | None) -> Slope:
    names = ("api_volume_anomaly",) if found else ()
    return Slope(measure=measure, slope=growth, found=found, tried=3, days=days, times=None if days is None else 3.5, detectors=names)


@cache
def poisoning() -> Poisoning:
    return measure_poisoning(SMALL, lambda _: None, past=8, growing=3, slopes=(0.0, 3.0))


def test_several_pipelines_see_the_same_world() -> None:
    world = WorldSettings(seed=3, hours=12, users=20, scenarios=(Scenario(name="failed_login_burst"),))
    with_rules, again, without = (Watcher(settings_of(names)) for names in (DETECTORS, DETECTORS, LEARNED))
    truths = watch(world, [with_rules, again, without])
    assert [one.scenario for one in truths] == ["failed_login_burst"]
    assert "failed_login_burst" in {alert.detector for alert in with_rules.alerts}
    assert with_rules.alerts == again.alerts
    assert {alert.detector for alert in without.alerts} <= set(LEARNED)


def test_a_pipeline_may_see_more_or_less_than_the_others() -> None:
    world = WorldSettings(seed=3, hours=12, users=20, scenarios=(Scenario(name="failed_login_burst"),))
    all_of_it, nothing = Watcher(settings_of(DETECTORS)), Watcher(settings_of(DETECTORS), lambda _: [])
    times: list[float] = []
    watch(world, [all_of_it, nothing], keep=lambda event: event.kind == "auth.login", pause=times.append)
    assert all_of_it.alerts
    assert nothing.alerts == []
    assert times == sorted(times)
    assert times[0] >= START


def test_only_who_has_a_budget_is_called_a_learned_detector() -> None:
    assert {"api_volume_anomaly", "off_hours_activity", "behaviour_anomaly"} <= set(LEARNED)
    assert "failed_login_burst" not in LEARNED


@pytest.mark.parametrize("name", LEARNED)
def test_floors_are_switched_off_but_what_is_off_stays_so(name: str) -> None:
    settings = getattr(settings_of(LEARNED, without_floors(2.0)).detectors, name)
    for variant in DETECTORS[name].variants:
        limits, usual = settings.limits_of(variant), DETECTORS[name].Settings().limits_of(variant)
        assert limits.budget.alerts_per_day == 2.0
        for floor in ("hour_requests", "hour_objects", "ratio", "min_events", "signs", "min_actions"):
            if hasattr(usual, floor):
                assert getattr(limits, floor) == (1 if getattr(usual, floor) else 0)


@pytest.mark.parametrize(
    ("budget", "realised", "verdict"),
    [(1.0, 1.29, "within"), (1.0, 0.71, "within"), (0.5, 0.66, "**exceeded**"), (1.0, 0.69, "not used up"), (3.0, 0.0, "not used up")],
)
def test_a_budget_is_kept_within_a_third(budget: float, realised: float, verdict: str) -> None:
    assert kept(budget, realised).verdict == verdict


def test_alerts_are_counted_by_when_they_first_fired() -> None:
    alerts = [seen(86_400.0), seen(86_399.0), seen(3 * 86_400.0)]
    assert within(alerts, WorldSettings(start=START), 1.0, 3.0) == alerts[:1]


def test_each_detector_is_measured_with_each_budget() -> None:
    said: list[str] = []
    rows = measure_budgets(SMALL, said.append)
    volume = [row for row in rows if (row.detector, row.entity) == ("api_volume_anomaly", "actor")]
    assert [(row.budget, row.floors) for row in volume] == [
        (budget_of("api_volume_anomaly", "by_actor"), True),
        *((budget, False) for budget in BUDGETS),
    ]
    assert all(row.realised == row.alerts / (4 * 2) for row in rows)  # half of eight days, two tenants
    assert [line.startswith("seed 7, budgets: ") for line in said] == [True]


def test_a_deploy_is_measured_with_and_without_attacks() -> None:
    drift = measure_drift(msgspec.structs.replace(SMALL, users=48), lambda _: None)
    assert drift.day == 3
    assert [row.detector for row in drift.raised] == list(LEARNED)
    expected = sum("bulk_export" in kind.expected() for name, kind in ATTACKS.items())
    found = drift.found(None)
    assert found[0].expected == found[1].expected > expected
    assert drift.found("api_volume_anomaly")[1].expected == 3  # one of each intensity
    assert found[1].found > 0.7 * found[1].expected


def test_a_rise_that_is_steep_is_found_and_none_is_not() -> None:
    rows = {(row.measure, row.slope): row for row in poisoning().slopes}
    assert [rows[measure, 0.0].found for measure in ("data", "requests")] == [0, 0]
    steep = rows["requests", 3.0]
    assert (steep.found, steep.tried) == (1, 1)
    assert steep.days is not None
    assert 0 < steep.days < 4
    assert steep.detectors


def test_a_flood_leaves_the_threshold_of_others_alone() -> None:
    assert [flood.detector for flood in poisoning().floods] == list(LEARNED)
    volume = poisoning().floods[LEARNED.index("api_volume_anomaly")]
    assert abs(volume.after - volume.without) < 0.5  # others lose one place of the highest scores to it, no more
    assert poisoning().flood_found == 1


def test_the_page_says_what_holds_and_what_passes() -> None:
    calm = score([truth()], [])
    found = score([truth(), truth(detectors=("api_volume_anomaly",))], [seen(1_050.0), seen(1_060.0, detector="api_volume_anomaly")])
    learning = Learning(
        budgets=(kept(0.25, 0.25), kept(3.0, 9.0)),
        drift=Drift(
            day=14,
            users=250,
            growth=1.0,
            raised=(Raised(detector="api_volume_anomaly", budget=0.5, deploy_day=2.0, after=0.1, usual=0.2),),
            without=found,
            after=calm,
        ),
        poisoning=Poisoning(
            past=14,
            growing=28,
            slopes=(
                *(slope("data", 0.0, 0, None), slope("data", 0.03, 1, 20.0), slope("data", 0.5, 3, 2.5)),
                *(slope("requests", 0.0, 0, None), slope("requests", 0.03, 3, 9.0)),
            ),
            floods=(Flood(detector="api_volume_anomaly", before=3.0, after=3.25, without=3.2),),
            flood_found=3,
            others=2,
            others_without=1,
            worlds=3,
        ),
    )
    lines = list(sections(learning, SMALL))
    page = "\n".join(lines)
    assert "| `api_volume_anomaly` | actor | off | 0.25 | 0.25 | 1.00 | 9 | within |" in lines
    assert "| `api_volume_anomaly` | actor | off | 3 | 9 | 3.00 | 9 | **exceeded** |" in lines
    assert "| `api_volume_anomaly` | 0.5 | 2 | 0.1 | 0.2 | within |" in lines
    assert "| `api_volume_anomaly` | 1/1 | – |" in lines
    assert "| all others together | 1/1 | 0/1 |" in lines
    assert "| 3% | data | 1/3 | 20.0 d | 3.5 | `api_volume_anomaly` |" in lines
    assert "| 0% | requests | 0/3 | – | – | nobody |" in lines
    assert "Of data, a rise of 3% a day may pass: within 28 days it comes to 2.3 times the usual amount." in page
    assert "Of requests, every slope was found in every world." in page
    assert "| `api_volume_anomaly` | 3.00 | 3.25 | 3.20 |" in lines
    heads = [number for number, line in enumerate(lines) if line.startswith("|---")]
    assert [lines[number].count("|") for number in heads] == [lines[number - 1].count("|") for number in heads] == [9, 7, 4, 7, 5]
