"""When a sink may be sent to again."""

import random

import pytest

from monitor.alerts.breaker import Breaker
from monitor.alerts.pacing import Backoff, TokenBucket
from monitor.settings_delivery import BreakerSettings, RateLimit, RetrySettings


class Highest(random.Random):
    """Always draws the longest wait."""

    def uniform(self, a: float, b: float) -> float:
        return b


def test_a_bucket_lets_a_burst_go_and_then_one_at_a_time() -> None:
    now = [50.0]
    bucket = TokenBucket(RateLimit(sends=2, per_s=10), lambda: now[0])
    for _ in range(2):
        assert bucket.wait_s() == 0
        bucket.take()
    assert bucket.wait_s() == pytest.approx(5)
    now[0] += 5
    assert bucket.wait_s() == 0
    bucket.take()
    now[0] += 1000  # what is saved up is no more than one burst
    for _ in range(2):
        assert bucket.wait_s() == 0
        bucket.take()
    assert bucket.wait_s() == pytest.approx(5)


def test_without_a_rate_there_is_no_wait() -> None:
    bucket = TokenBucket(None, lambda: 0.0)
    for _ in range(100):
        bucket.take()
    assert bucket.wait_s() == 0


def test_the_longest_wait_doubles_up_to_its_limit_and_begins_anew_after_an_answer() -> None:
    backoff = Backoff(RetrySettings(first_s=1, max_s=60), Highest())
    assert [backoff.failed(None) for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    backoff.answered()
    assert backoff.failed(None) == 1


def test_waits_are_spread_from_nothing_to_the_longest() -> None:
    backoff = Backoff(RetrySettings(first_s=8, max_s=8), random.Random(7))
    waits = [backoff.failed(None) for _ in range(1000)]
    assert all(0 <= wait <= 8 for wait in waits)
    assert min(waits) < 0.5
    assert max(waits) > 7.5
    assert 3.6 < sum(waits) / 1000 < 4.4


@pytest.mark.parametrize(("asked", "waits"), [(30.0, 30.0), (0.0, 1.0), (7200.0, 3600.0), (-5.0, 1.0)])
def test_what_the_other_side_asks_for_is_obeyed_within_reason(asked: float, waits: float) -> None:
    assert Backoff(RetrySettings(), Highest()).failed(asked) == waits


def test_a_breaker_opens_after_failures_in_a_row_and_closes_with_an_answer() -> None:
    breaker = Breaker(BreakerSettings(failures=3, probe_s=30))
    assert [breaker.failed() for _ in range(2)] == [False, False]
    assert breaker.answered() is False
    assert [breaker.failed() for _ in range(4)] == [False, False, True, False]
    states = [breaker.state]
    assert breaker.answered() is True
    states.append(breaker.state)
    assert states == ["open", "closed"]


@pytest.mark.parametrize(
    ("failures", "otherwise_s", "asked_s", "waits"),
    [(1, 2.0, None, 2.0), (3, 2.0, None, 30.0), (3, 60.0, None, 30.0), (3, 90.0, 90.0, 90.0)],
)
def test_an_open_breaker_probes_at_its_own_pace(failures: int, otherwise_s: float, asked_s: float | None, waits: float) -> None:
    breaker = Breaker(BreakerSettings(failures=3, probe_s=30))
    for _ in range(failures):
        breaker.failed()
    assert breaker.wait_s(otherwise_s, asked_s) == waits
