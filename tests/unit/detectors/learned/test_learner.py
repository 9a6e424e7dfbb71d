"""What the learned detectors share: maturity, quarantine, how an alert grows, and what a verdict does."""

from collections.abc import Sequence

import pytest

from detectors.base import Verdict
from detectors.learned.api_volume_anomaly import ApiVolumeAnomaly, VolumeSettings
from detectors.learned.budget import DAY_S, Budget
from detectors.learned.learner import MAX_HELD, Observation, Stage
from detectors.learned.usage import Profile, Usage, VolumePeers
from schemas.finding import Finding
from tests.helpers import T0

KEY = "acme\x1falice"
HOUR_S = 3600.0
DAY = int(T0 // DAY_S)
START = DAY * DAY_S
HOUR = [400.0, 0.0, -1.0, -1.0, 2.0]
"""A window as ``learn_hour`` takes it."""


def detector(**limits: object) -> ApiVolumeAnomaly:
    return ApiVolumeAnomaly("by_actor", VolumeSettings.model_validate({"by_actor": limits}))


def known(days: int = 10) -> Usage:
    return Usage(days=days, day=DAY, profile=Profile())


def seen(at_s: float, score: float, count: int = 10, first_s: float | None = None, **more: float) -> Observation:
    first = START + (at_s if first_s is None else first_s)
    return Observation(START + at_s, score, first, count, {"what": "much"}, [f"e{at_s:g}"], **more)  # type: ignore[arg-type]


def report(state: Usage, *windows: Observation, budget: Budget | None = None) -> list[Finding]:
    one, budget = detector(), budget or Budget()
    return [finding for window in windows if (finding := one.report(KEY, state, budget, window)) is not None]


# -- maturity ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "later_days", "stage"),
    [
        (0, 0, "cold"),
        (4, 0, "cold"),
        (5, 0, "warming"),
        (9, 0, "warming"),
        (10, 0, "ready"),
        (10, 30, "ready"),
        (10, 31, "stale"),
        (0, 99, "cold"),
    ],
)
def test_stages(days: int, later_days: int, stage: Stage) -> None:
    assert detector().stage(known(days), START + later_days * DAY_S) == stage


def test_a_stage_follows_the_limits_of_the_key() -> None:
    rule = {"entity": "alice", "set": {"by_actor": {"min_days": 2}}}
    one = ApiVolumeAnomaly("by_actor", VolumeSettings.model_validate({"overrides": [rule]}))
    assert (one.stage(known(4), START), one.stage(known(4), START, KEY)) == ("cold", "ready")


# -- alerts -----------------------------------------------------------------------------------------------------------------------


def test_nothing_below_the_threshold_is_worth_an_alert_but_all_is_noted() -> None:
    budget = Budget()
    assert report(known(), seen(0, 2.0), budget=budget) == []
    assert [each.score for each in budget.top] == [2.0]


@pytest.mark.parametrize(
    ("score", "days", "others", "severity"),
    [
        (3.9, 10, (), "low"),
        (4.1, 10, (), "medium"),
        (4.1, 9, (), "low"),
        (4.1, 10, (9.0,), "medium"),
        (4.1, 10, (9.0, 3.5), "low"),
        (4.5, 10, (9.0, 3.5), "medium"),
    ],
)
def test_severity_is_medium_for_what_stands_out(score: float, days: int, others: Sequence[float], severity: str) -> None:
    budget = Budget()
    for number, other in enumerate(others):
        budget.note(f"account-{number}", other, START - 5 * DAY_S, 1.0)
    budget.since = START - 20 * DAY_S
    assert [finding.severity for finding in report(known(days), seen(0, score), budget=budget)] == [severity]


def test_an_alert_says_score_threshold_and_how_much_is_known() -> None:
    (finding,) = report(known(7), seen(0, 3.456))
    assert finding.score == 3.46
    assert finding.facts == {"what": "much", "threshold": 2.0, "alerts_per_day": 1.0, "maturity": "warming", "days_learned": 7}


def test_windows_of_an_alert_add_up() -> None:
    state = known()
    report(state, seen(100, 3.0, 10, 0), seen(900, 3.5, 30, 0), seen(3700, 3.0, 20, 3600), seen(5000, 3.0, 50, 3600))
    assert state.episode is not None
    assert state.episode.count == 80  # 30 and 50
    assert state.episode.first_seen == START


def test_an_alert_about_a_day_counts_what_came_before_its_last_hour() -> None:
    state = known()
    (finding,) = report(state, seen(9 * HOUR_S, 3.0, 5, 8.5 * HOUR_S, begun=START + HOUR_S, before=200))
    assert (finding.count, finding.first_seen) == (205, START + HOUR_S)
    report(state, seen(9.2 * HOUR_S, 3.0, 9, 8.5 * HOUR_S))
    assert state.episode is not None
    assert state.episode.count == 209


def test_an_alert_is_said_again_when_it_has_doubled() -> None:
    findings = report(known(), *(seen(60 * i, 3.0, 10 * i, 0) for i in range(1, 9)))
    assert [(finding.phase, finding.count) for finding in findings] == [("open", 10), ("update", 20), ("update", 40), ("update", 80)]


# -- quarantine -------------------------------------------------------------------------------------------------------------------


def test_what_is_under_an_open_alert_is_not_learned() -> None:
    state = known()
    assert not detector().quarantined(state)
    report(state, seen(0, 3.0))
    assert detector().quarantined(state)


def test_a_window_with_an_alert_is_not_learned_though_the_alert_has_ended() -> None:
    state, one = known(), detector()
    report(state, seen(100, 3.0))
    closed = one.on_time(KEY, state, state.wake_at)
    assert closed is not None
    assert closed.phase == "close"
    assert one.quarantined(state, START)
    assert not one.quarantined(state, START + 7200)
    assert not one.quarantined(state)


def test_no_more_windows_are_held_than_fit() -> None:
    state = known()
    for _ in range(MAX_HELD + 5):
        detector().hold(state, HOUR)
    assert len(state.held or ()) == MAX_HELD


def test_what_nobody_called_an_attack_is_learned_after_days() -> None:
    state, one = known(), detector()
    report(state, seen(0, 3.0))
    one.hold(state, HOUR)
    one.settle(KEY, state, START + 6 * DAY_S)
    assert one.quarantined(state)
    one.settle(KEY, state, START + 6 * DAY_S + 1)
    assert state.held is None
    assert not one.quarantined(state)


def test_alerts_day_after_day_are_one_change_for_good() -> None:
    state, one, budget = known(), detector(), Budget()
    learned = []
    for day in range(10):
        one.report(KEY, state, budget, seen(day * DAY_S, 9.0))
        learned.append(not one.quarantined(state))
        one.on_time(KEY, state, state.wake_at)
    assert learned == [False] * 7 + [True] * 3


# -- verdicts ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("verdict", "is_learned"), [("true", False), ("false", True), ("expected", True)])
def test_only_what_was_no_attack_is_learned(verdict: Verdict, *, is_learned: bool) -> None:
    state, one, peers = known(), detector(), VolumePeers()
    report(state, seen(0, 3.0), budget=peers.budget)
    one.hold(state, HOUR)
    one.judge(KEY, state, peers, verdict, START + HOUR_S)
    assert state.held is None
    assert state.profile is not None
    assert (state.profile.level(0).weight > 0) == is_learned
    assert one.quarantined(state) == (not is_learned)
    assert len(peers.budget.top) == len(peers.budget.alerts) == is_learned


def test_an_attack_that_was_judged_days_later_is_forgiven_too() -> None:
    state, one, peers = known(), detector(), VolumePeers()
    report(state, seen(0, 3.0), budget=peers.budget)
    one.on_time(KEY, state, state.wake_at)
    one.judge(KEY, state, peers, "true", START + 5 * DAY_S)
    assert (peers.budget.top, peers.budget.alerts) == ([], [])


def test_an_attack_is_not_learned_when_days_have_passed_since_it_was_called_one() -> None:
    state, one, peers = known(), detector(), VolumePeers()
    report(state, seen(0, 3.0), budget=peers.budget)
    one.hold(state, HOUR)
    one.judge(KEY, state, peers, "true", START + HOUR_S)
    one.settle(KEY, state, START + 20 * DAY_S)
    assert state.profile is not None
    assert state.profile.level(0).weight == 0


def test_something_odder_than_what_was_accepted_is_held_again() -> None:
    state, one, peers = known(), detector(), VolumePeers()
    report(state, seen(0, 3.0), budget=peers.budget)
    one.judge(KEY, state, peers, "expected", START + HOUR_S)
    one.on_time(KEY, state, state.wake_at)
    report(state, seen(DAY_S, 6.0), budget=peers.budget)
    assert one.quarantined(state)
