"""How rare is rare enough: the threshold that follows from a budget."""

import math
from collections.abc import Callable
from random import Random

import msgspec
import pytest

from detectors.learned.budget import DAY_S, MOST_ALERTS, MOST_SCORES, SCORES_OF_ONE, Budget
from tests.helpers import T0

LEAST, MOST = 2.0, 8.0
START = T0 // DAY_S * DAY_S

Draw = Callable[[Random, int], float]

DISTRIBUTIONS: dict[str, Draw] = {
    "normal": lambda rng, _: rng.gauss(0, 1.2),
    "exponential": lambda rng, _: rng.expovariate(0.8),
    "lognormal": lambda rng, _: math.exp(rng.gauss(0, 0.8)),
    "student": lambda rng, _: abs(rng.gauss(0, 1)) / math.sqrt(rng.gammavariate(1.5, 2) / 3),
    "pareto": lambda rng, _: rng.paretovariate(3),
    "some_thrice_as_odd": lambda rng, who: (3.0 if who % 20 == 0 else 1.0) * rng.expovariate(1.0),
}


class Tenant:
    """Accounts whose windows have scores, and the alerts that come of them: at most one a day about each."""

    def __init__(self, per_day: float, most: float = math.inf) -> None:
        self.budget, self.per_day, self.most = Budget(), per_day, most
        self.alerts: dict[tuple[int, int], float] = {}

    def see(self, who: int, score: float, ts: float) -> bool:
        name = f"account-{who}"
        threshold = self.budget.threshold(ts, self.per_day, LEAST, self.most, name)
        if score < LEAST:
            return False
        self.budget.note(name, score, ts, self.per_day)
        if score <= threshold:
            return False
        self.budget.spend(name, ts, self.per_day)
        self.alerts.setdefault((int((ts - START) // DAY_S), who), score)
        return True

    def live(self, rng: Random, days: range, accounts: int, draw: Draw, more: float = 0.0) -> None:
        for day in days:
            times = sorted((START + day * DAY_S + rng.uniform(8, 18) * 3600, who) for who in range(accounts) for _ in range(4))
            for ts, who in times:
                if day % 7 < 5 or rng.random() < 0.1:
                    self.see(who, draw(rng, who) + more, ts)

    def on(self, days: range) -> int:
        return sum(day in days for day, _ in self.alerts)


# -- the rate is held -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("accounts", [50, 500])
@pytest.mark.parametrize("per_day", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_realised_rate_lies_within_a_third_of_the_budget(name: str, per_day: float, accounts: int) -> None:
    """Four weeks after two to begin with; of small tenants several, for half an alert a day is but 14 in four weeks."""
    tenants = 5 if accounts == 50 else 1
    total = 0
    for seed in range(tenants):
        tenant = Tenant(per_day)
        tenant.live(Random(f"{name}-{seed}"), range(42), accounts, DISTRIBUTIONS[name])
        total += tenant.on(range(14, 42))
    assert 0.7 <= total / tenants / 28 / per_day <= 1.3


@pytest.mark.parametrize("per_day", [0.5, 1.0, 3.0])
def test_when_everything_doubles_at_once_about_twice_the_budget_fires(per_day: float) -> None:
    for seed in range(3):
        rng, tenant = Random(seed), Tenant(per_day)
        tenant.live(rng, range(29), 300, DISTRIBUTIONS["exponential"])
        tenant.live(rng, range(29, 30), 300, DISTRIBUTIONS["exponential"], more=2.0)
        assert tenant.on(range(29, 30)) <= 2.5 * per_day + 2


def test_after_an_odd_day_the_threshold_is_not_too_high_for_a_fortnight() -> None:
    rng, tenant = Random(5), Tenant(1.0)
    tenant.live(rng, range(28), 300, DISTRIBUTIONS["exponential"])
    tenant.live(rng, range(28, 29), 300, DISTRIBUTIONS["exponential"], more=5.0)
    tenant.live(rng, range(29, 43), 300, DISTRIBUTIONS["exponential"])
    assert tenant.on(range(29, 43)) >= 7


def test_budget_says_what_it_has_realised() -> None:
    budget = Budget()
    budget.begin(START)
    assert budget.realised(START, 1.0) == 0.0
    for day in range(10):
        budget.spend(f"account-{day}", START + day * DAY_S, 1.0)
    assert budget.realised(START + 10 * DAY_S, 1.0) == 1.0
    assert Budget().realised(START, 1.0) == 0.0


# -- the threshold ----------------------------------------------------------------------------------------------------------------


def filled(scores: list[float], per_day: float = 1.0) -> Budget:
    """One account for each score, one score every day, the last one a day ago."""
    budget = Budget()
    for number, score in enumerate(scores):
        budget.note(f"account-{number}", score, START + number * DAY_S, per_day)
    return budget


def test_with_nothing_seen_the_least_score_is_enough() -> None:
    assert Budget().threshold(START, 1.0, LEAST, MOST) == LEAST


def test_one_a_day_must_exceed_the_fifteenth_of_a_fortnight() -> None:
    budget = filled([2.0 + number / 10 for number in range(20)])  # the last 14 days hold 2.6 to 3.9; with today's border 15 scores
    assert budget.threshold(START + 19 * DAY_S, 1.0, LEAST, MOST) == pytest.approx(2.5)


def test_nothing_is_asked_beyond_what_is_always_worth_an_alert() -> None:
    budget = filled([50.0] * 20)
    assert budget.threshold(START + 19 * DAY_S, 1.0, LEAST, MOST) == MOST


def test_old_scores_no_longer_count() -> None:
    budget = filled([5.0] * 20)
    assert budget.threshold(START + 60 * DAY_S, 1.0, LEAST, MOST) == LEAST


def test_windows_of_a_day_are_one_score() -> None:
    budget = Budget()
    for hour, score in enumerate([3.0, 5.0, 4.0]):
        budget.note("alice", score, START + 3600 * hour, 1.0)
    assert [each.score for each in budget.top] == [5.0]


def test_clock_may_begin_at_zero() -> None:
    budget = Budget()
    budget.begin(0.0)
    budget.note("alice", 3.0, 0.0, 1.0)
    assert budget.threshold(0.0, 1.0, LEAST, MOST, "bob") == LEAST


# -- nobody spoils it for others --------------------------------------------------------------------------------------------------


def test_a_flood_of_one_moves_the_threshold_of_others_by_few_places() -> None:
    plain, flooded = (filled([2.0 + number / 10 for number in range(20)]) for _ in range(2))
    for hour in range(24 * 19):
        flooded.note("mallory", 1_000.0, START + hour * 3600, 1.0)
    now = START + 19.5 * DAY_S
    assert sum(each.who == "mallory" for each in flooded.top) == SCORES_OF_ONE
    before, after = (budget.threshold(now, 1.0, LEAST, MOST, "alice") for budget in (plain, flooded))
    scores = sorted((each.score for each in plain.top if each.ts >= now - 14 * DAY_S), reverse=True)
    place = len(scores) if before == LEAST else scores.index(before)
    assert after <= scores[place - SCORES_OF_ONE]


def test_somebody_odd_every_day_is_spoken_of_a_few_times_only() -> None:
    rng, tenant = Random(1), Tenant(1.0, MOST)
    fired = [tenant.see(7, 4.0 + rng.random() / 10, START + day * DAY_S + 3600 * 10) for day in range(14)]
    assert sum(fired) <= SCORES_OF_ONE + 3


def test_severity_of_others_does_not_suffer_from_one_attack() -> None:
    budget = Budget()
    budget.note("mallory", 40.0, START, 1.0)
    budget.note("alice", 3.0, START, 1.0)
    assert budget.highest("bob", START, 1.0) == 3.0
    assert budget.highest("alice", START, 1.0) == 0.0


def test_an_attack_is_forgiven() -> None:
    budget = Budget()
    budget.note("alice", 9.0, START, 1.0)
    budget.note("bob", 3.0, START, 1.0)
    budget.spend("alice", START, 1.0)
    assert budget.last_alert("alice", START + 9) == START
    assert budget.last_alert("bob", START + 9) == START + 9
    budget.forgive("alice", START - DAY_S)
    assert [each.who for each in budget.top] == ["bob"]
    assert budget.alerts == []


def test_what_was_before_an_attack_is_not_forgiven() -> None:
    budget = Budget()
    budget.note("alice", 3.0, START, 1.0)
    budget.note("alice", 9.0, START + 5 * DAY_S, 1.0)
    budget.forgive("alice", START + 4 * DAY_S)
    assert [each.score for each in budget.top] == [3.0]


# -- memory -----------------------------------------------------------------------------------------------------------------------


def test_memory_is_bounded_whatever_comes() -> None:
    rng, budget = Random(3), Budget()
    for number in range(20_000):
        ts = START + number * 5.0
        budget.note(f"account-{number}", rng.expovariate(0.1), ts, 1_000.0)
        budget.spend(f"account-{number}", ts, 1_000.0)
    assert len(budget.top) <= MOST_SCORES
    assert len(budget.alerts) <= MOST_ALERTS


def test_budget_comes_back_from_json() -> None:
    tenant = Tenant(1.0)
    tenant.live(Random(2), range(9), 50, DISTRIBUTIONS["pareto"])
    again = msgspec.json.decode(msgspec.json.encode(tenant.budget), type=Budget)
    assert again == tenant.budget
    now = START + 9 * DAY_S
    assert again.threshold(now, 1.0, LEAST, MOST, "bob") == tenant.budget.threshold(now, 1.0, LEAST, MOST, "bob")
