from collections.abc import Iterable

import pytest

from schemas.event import Event
from tests.helpers import event, find, opened

NAME = "failed_login_burst"
GUESSER, HOME, OFFICE = "203.0.113.9", "198.51.100.4", "192.0.2.10"


def fail(second: float, actor: str | None = "alice", ip: str | None = GUESSER, **fields: str) -> Event:
    return event(second, outcome="failure", actor=actor, ip=ip, **fields)


def succeed(second: float, actor: str | None = "alice", ip: str | None = GUESSER, **fields: str) -> Event:
    return event(second, outcome="success", actor=actor, ip=ip, **fields)


def names(number: int) -> list[str]:
    return [f"user{i}" for i in range(number)]


@pytest.mark.parametrize(
    ("events", "alerts"),
    [
        pytest.param([fail(i * 60) for i in range(9)], [], id="nine_of_an_account"),
        pytest.param([fail(i * 60) for i in range(10)], [("actor", "alice")], id="ten_of_an_account"),
        pytest.param([fail(i * 67) for i in range(30)], [], id="never_ten_in_ten_minutes"),
        pytest.param([fail(i * 66) for i in range(10)], [("actor", "alice")], id="ten_in_just_ten_minutes"),
        pytest.param([fail(i * 30, f"user{i}") for i in range(19)], [], id="nineteen_of_an_address"),
        pytest.param([fail(i * 30, f"user{i}") for i in range(20)], [("ip", GUESSER)], id="twenty_of_an_address"),
        pytest.param([fail(i * 2, f"user{i}") for i in range(6)], [("ip", GUESSER)], id="six_in_ten_seconds"),
        pytest.param([fail(i * 2.1, f"user{i}") for i in range(6)], [], id="six_in_more_than_ten_seconds"),
        pytest.param([fail(i * 30, ip=f"203.0.113.{i}") for i in range(12)], [("actor", "alice")], id="account_from_many_addresses"),
        pytest.param([fail(i * 60, ip=None) for i in range(10)], [("actor", "alice")], id="no_address"),
        pytest.param([fail(i * 30, None) for i in range(20)], [("ip", GUESSER)], id="no_actor"),
        pytest.param([fail(i, None, None) for i in range(50)], [], id="neither"),
        pytest.param([fail(i * 30, tenant="abc"[i % 3]) for i in range(27)], [], id="tenants_never_mix"),
        pytest.param([event(i, outcome=None, actor="alice", ip=GUESSER) for i in range(50)], [], id="no_outcome"),
        pytest.param([event(i, "auth.session", outcome="failure", actor="alice") for i in range(50)], [], id="another_kind"),
    ],
)
def test_burst_is_found_at_its_threshold(events: Iterable[Event], alerts: list[tuple[str, str]]) -> None:
    assert opened(find(NAME, events)) == alerts


def test_success_from_the_same_address_takes_back_its_failures() -> None:
    assert opened(find(NAME, [*(fail(i * 20) for i in range(9)), succeed(190), *(fail(200 + i * 20) for i in range(9))])) == []


def test_success_from_elsewhere_hides_no_guessing() -> None:
    assert opened(find(NAME, [*(fail(i * 20) for i in range(9)), succeed(190, ip=HOME), fail(200)])) == [("actor", "alice")]


def test_late_success_takes_back_only_what_came_before_it() -> None:
    events = [*(fail(100 + i * 20) for i in range(9)), succeed(50), fail(290)]
    assert opened(find(NAME, events)) == [("actor", "alice")]


@pytest.mark.parametrize(
    ("people", "failing", "alerts"),
    [(2, 2, 1), (3, 3, 0), (3, 4, 1), (12, 12, 0), (30, 30, 0), (30, 31, 1)],
)
def test_shared_address_is_silent_unless_more_fail_than_log_in(people: int, failing: int, alerts: int) -> None:
    office = [succeed(-86_400 + i * 60, name, OFFICE) for i, name in enumerate(names(people))]
    # eleven seconds apart, so that neither an account nor any hand is fast enough; 52 fit the window
    events = [*office, *(fail(i * 11, f"user{i % failing}", OFFICE) for i in range(52))]
    found = [entity for entity in opened(find(NAME, events)) if entity[0] == "ip"]
    assert len(found) == alerts


def test_success_counts_for_a_week_only() -> None:
    office = [succeed(-8 * 86_400 + i, name, OFFICE) for i, name in enumerate(names(12))]
    assert opened(find(NAME, [*office, *(fail(i * 30, f"user{i % 12}", OFFICE) for i in range(20))])) == [("ip", OFFICE)]


@pytest.mark.parametrize(("number", "severity"), [(20, "low"), (99, "low"), (100, "medium"), (999, "medium"), (1000, "high")])
def test_address_is_worse_the_more_it_knocks(number: int, severity: str) -> None:
    events = [fail(i, f"user{i}") for i in range(number)]
    assert find(NAME, events)[-1].severity == severity


def test_alert_says_what_it_saw_and_what_would_have_kept_it_silent() -> None:
    from detectors.registry import DETECTORS, build

    [finding] = find(NAME, [fail(i * 60, ip="203.0.113.7" if i == 3 else GUESSER) for i in range(10)])
    assert finding.facts == {"failures": 10, "distinct_ips": 2, "threshold": 10, "window_s": 600}
    assert finding.links == (("ip", GUESSER),)
    detector = next(build(NAME, DETECTORS[NAME].Settings()))
    assert detector.explain(finding) == "10 failed logins of this account in 9 min, from 2 addresses."
    assert detector.counterfactual(finding) == "silent with fewer than 10 failures in 10 min"


def test_override_gives_one_account_its_own_limit() -> None:
    settings = {"overrides": [{"entity": "svc-*", "set": {"by_actor": {"threshold": 50}}}]}
    events = [fail(i * 30, name, f"203.0.113.{i}") for i in range(12) for name in ("alice", "svc-backup")]
    assert opened(find(NAME, events, settings)) == [("actor", "alice")]
