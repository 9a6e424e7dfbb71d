"""The measurement itself, in small worlds."""

from functools import cache

import msgspec

from detectors.registry import DETECTORS
from monitor.evaluate.__main__ import measure
from monitor.evaluate.document import document
from monitor.evaluate.frontier import Frontier, explore
from monitor.evaluate.plan import REPORTING_SEEDS, TUNING_SEEDS, Plan
from monitor.evaluate.running import run
from monitor.simulate.attacks import ATTACKS
from monitor.simulate.world import HOUR_S, Scenario, WorldSettings

SMALL = Plan(seeds=(7,), days=4.0, users=40, repeats=1)


@cache
def frontier() -> Frontier:
    return explore(scenarios=("failed_login_burst",), seeds=(5,))


def test_seeds_for_tuning_and_for_reports_are_different() -> None:
    assert not set(TUNING_SEEDS) & set(REPORTING_SEEDS)
    assert Plan().seeds == REPORTING_SEEDS


def test_a_plan_has_each_attack_at_each_intensity_while_the_traffic_lasts() -> None:
    plan = msgspec.structs.replace(SMALL, repeats=2)
    world = plan.world(7)
    played = sorted((one.name, one.intensity) for one in world.scenarios)
    assert played == sorted([(name, intensity) for name in ATTACKS for intensity in ("low", "medium", "high")] * 2)
    assert all(world.start + 24 * HOUR_S < (one.at or 0) < world.start + 90 * HOUR_S for one in world.scenarios)
    assert plan.world(8).scenarios != world.scenarios
    assert plan.quiet(7).scenarios == ()


def test_what_goes_on_for_days_comes_late_enough_to_begin_after_the_quiet_days() -> None:
    world = Plan(seeds=(1,), days=21.0, users=40).world(1, ("boiling_frog", "bulk_export"))
    days = {name: [((one.at or 0) - world.start) / 86_400 for one in world.scenarios if one.name == name] for name in ATTACKS}
    assert len(days["boiling_frog"]) == len(days["bulk_export"]) == 6
    assert all(15 <= day <= 20 for day in days["boiling_frog"])
    assert min(days["bulk_export"]) < 15


def test_a_world_goes_through_the_pipeline_and_gives_the_same_each_time() -> None:
    world = WorldSettings(seed=3, hours=12, users=20, scenarios=(Scenario(name="failed_login_burst"),))
    first, second = run(world), run(world)
    assert first.alerts == second.alerts
    assert "failed_login_burst" in {alert.detector for alert in first.alerts}
    assert first.events == second.events > 1_000


def test_the_frontier_is_where_the_thresholds_are() -> None:
    strength, stretch, spread = frontier().edges
    assert [edge.axis for edge in frontier().edges] == ["strength", "stretch", "spread"]
    assert strength.limit is not None
    assert strength.limit.events == 11  # ten failures within ten minutes are the threshold
    assert strength.points[0].events == 1
    assert strength.points[0].found == 0
    assert stretch.limit is not None
    assert 600 < stretch.limit.lasted_s < 2_400
    assert spread.limit == spread.points[0]  # an account is watched from all addresses at once


def test_the_same_seeds_give_the_same_frontier() -> None:
    assert explore(scenarios=("failed_login_burst",), seeds=(5,)) == frontier()


def test_the_page_of_the_documentation_says_what_was_reached_and_what_was_missed() -> None:
    said: list[str] = []
    measured = measure(SMALL, said.append, frontier_seeds=(), learning=False)
    page = document(msgspec.structs.replace(measured, frontier=frontier()))
    assert any(line.startswith("seed 7 with attacks: ") for line in said)
    assert "| recall at high intensity | ≥ 0.95 | " in page
    assert "This is no full measurement" in page
    assert "- `failed_login_burst`: found at 1 (11 events in " in page
    for name in DETECTORS:
        assert f"| `{name}` |" in page
    assert "## Poisoning" not in page
    assert all(line.count("|") in {0, 5, 8, 12} for line in page.splitlines())
