from collections.abc import Iterable

import pytest

from detectors.registry import DETECTORS, build
from schemas.event import Event
from tests.helpers import event, find, opened

NAME = "slow_brute_force"
GUESSER, HOME, OFFICE = "203.0.113.9", "198.51.100.4", "192.0.2.10"
MINUTE, HOUR = 60, 3600


def fail(second: float, actor: str | None = "alice", ip: str | None = GUESSER, **fields: str) -> Event:
    return event(second, outcome="failure", actor=actor, ip=ip, **fields)


def succeed(second: float, actor: str | None = "alice", ip: str | None = GUESSER) -> Event:
    return event(second, outcome="success", actor=actor, ip=ip)


@pytest.mark.parametrize(
    ("events", "alerts"),
    [
        pytest.param([fail(0, f"user{i}", id=f"e{i}") for i in range(10)], [], id="full_bucket"),
        pytest.param([fail(0, f"user{i}", id=f"e{i}") for i in range(60)], [], id="all_at_once_is_a_burst"),
        # every 60 s one comes and one leaks: the level never exceeds 1
        pytest.param([fail(i * 60, f"user{i}") for i in range(100)], [], id="as_fast_as_it_leaks"),
        # half a failure is gained each time: 1 + 19 × 0.5 = 10.5 with the twentieth, which comes after 570 s; the next one after 600
        pytest.param([fail(i * 30, f"user{i}") for i in range(20)], [], id="twenty_every_half_minute"),
        pytest.param([fail(i * 30, f"user{i}") for i in range(21)], [("ip", GUESSER)], id="twenty_one_every_half_minute"),
        # a third is gained each time: 1 + 28 / 3 = 10.3 with the twenty-ninth
        pytest.param([fail(i * 40, f"user{i}") for i in range(28)], [], id="twenty_eight_every_forty_seconds"),
        pytest.param([fail(i * 40, f"user{i}") for i in range(29)], [("ip", GUESSER)], id="twenty_nine_every_forty_seconds"),
        pytest.param([fail(i * 12 * MINUTE, f"user{i}") for i in range(3)], [], id="three_far_apart"),
        pytest.param([fail(i * 12 * MINUTE, f"user{i}") for i in range(4)], [("ip", GUESSER)], id="four_far_apart"),
        pytest.param([fail(i * 9 * MINUTE, f"user{i}") for i in range(14)], [], id="median_gap_of_nine_minutes"),
        pytest.param([fail(i * 41 * MINUTE, f"user{i}") for i in range(30)], [], id="never_four_in_two_hours"),
        # gaps 1, 12, 30 minutes: the middle one counts
        pytest.param([fail(m * MINUTE, f"user{m}") for m in (0, 1, 13, 43)], [("ip", GUESSER)], id="median_of_uneven_gaps"),
        pytest.param([fail(m * MINUTE, f"user{m}") for m in (0, 1, 2, 63)], [], id="one_long_pause_is_no_slow_guessing"),
        pytest.param([fail(i * HOUR, ip=f"203.0.113.{i}") for i in range(7)], [], id="seven_of_an_account"),
        pytest.param([fail(i * HOUR, ip=f"203.0.113.{i}") for i in range(8)], [("actor", "alice")], id="eight_of_an_account"),
        pytest.param([fail(i * 4 * MINUTE, ip=f"203.0.113.{i}") for i in range(60)], [], id="account_faster_than_five_minutes"),
        pytest.param([fail(i * 5 * HOUR, ip=f"203.0.113.{i}") for i in range(20)], [], id="never_eight_in_a_day"),
        pytest.param([fail(i * 12 * MINUTE, None, None) for i in range(40)], [], id="neither_actor_nor_address"),
        pytest.param([fail(i * 12 * MINUTE, None) for i in range(4)], [("ip", GUESSER)], id="no_actor"),
        pytest.param([fail(i * 12 * MINUTE, f"user{i}", tenant="ab"[i % 2]) for i in range(6)], [], id="tenants_never_mix"),
    ],
)
def test_slow_guessing_is_found_at_its_threshold(events: Iterable[Event], alerts: list[tuple[str, str]]) -> None:
    assert opened(find(NAME, events)) == alerts


def test_count_is_what_came_since_the_bucket_was_empty() -> None:
    events = [fail(-HOUR, "earlier"), *(fail(i * 30, f"user{i}") for i in range(21))]
    [finding] = [finding for finding in find(NAME, events) if finding.phase == "open"]
    assert finding.count == 21
    assert finding.facts == {"failures": 21, "distinct_actors": 21, "rule": "bucket", "capacity": 10, "leak_s": 60, "steady_s": 600}


def test_success_takes_back_the_failures_of_its_actor_but_not_the_bucket() -> None:
    slow = [fail(0), fail(700, "bob"), fail(1400), fail(2100)]
    assert opened(find(NAME, slow)) == [("ip", GUESSER)]
    assert opened(find(NAME, [*slow[:3], succeed(1500), slow[3]])) == []
    quick = [*(fail(i * 30) for i in range(12)), succeed(350), *(fail(i * 30) for i in range(12, 21))]
    assert opened(find(NAME, quick)) == [("ip", GUESSER)]


def test_success_of_the_owner_elsewhere_hides_no_guessing_of_the_account() -> None:
    guesses = [fail(i * HOUR, ip=f"203.0.113.{i % 4}") for i in range(8)]
    assert opened(find(NAME, [*guesses, succeed(7 * HOUR - 60, ip=HOME)])) == [("actor", "alice")]
    assert opened(find(NAME, [*guesses, succeed(7 * HOUR - 60, ip="203.0.113.0")])) == []


@pytest.mark.parametrize(("addresses", "severity"), [(1, "low"), (2, "low"), (3, "medium")])
def test_account_guessed_from_several_places_is_worse(addresses: int, severity: str) -> None:
    last = [
        finding
        for finding in find(NAME, [fail(i * HOUR, ip=f"203.0.113.{i % addresses}") for i in range(8)])
        if finding.entity_type == "actor"
    ][-1]
    assert last.severity == severity


@pytest.mark.parametrize(
    ("devices", "severity"),
    [
        (["phone"] * 8, "low"),
        (["phone"] * 7 + ["laptop"], "low"),
        (["phone"] * 6 + ["laptop", "tablet"], "medium"),
        ([""] * 2 + ["phone"] * 6, "medium"),
    ],
    ids=["one", "two", "three", "one and two addresses"],
)
def test_one_device_on_its_way_is_not_several_places(devices: list[str], severity: str) -> None:
    events = [fail(i * HOUR, ip=f"203.0.113.{i}", **({"device_id": name} if name else {})) for i, name in enumerate(devices)]
    assert [finding.severity for finding in find(NAME, events) if finding.entity_type == "actor"][-1] == severity


@pytest.mark.parametrize(("accounts", "severity"), [(1, "low"), (2, "medium")])
def test_minutes_apart_an_address_is_worse_only_with_several_accounts(accounts: int, severity: str) -> None:
    found = find(NAME, [fail(i * 900, f"user{i % accounts}") for i in range(60)])
    assert [finding.severity for finding in found if finding.entity_type == "ip"][-1] == severity


@pytest.mark.parametrize(("failing", "alerts"), [(12, []), (13, [("ip", OFFICE)])])
def test_shared_address_is_silent_unless_more_fail_than_log_in(failing: int, alerts: list[tuple[str, str]]) -> None:
    office = [succeed(-86_400 + i, f"user{i}", OFFICE) for i in range(12)]
    assert opened(find(NAME, [*office, *(fail(i * 20, f"user{i % failing}", OFFICE) for i in range(40))])) == alerts


def test_address_that_does_not_give_up_becomes_medium() -> None:
    severities = {finding.count: finding.severity for finding in find(NAME, [fail(i * 30, f"user{i}") for i in range(60)])}
    assert severities == {21: "low", 42: "low", 50: "medium", 60: "medium"}


def test_late_failure_is_counted_where_it_belongs() -> None:
    events = [fail(0, "a"), fail(1400, "c"), fail(2100, "d"), fail(700, "b")]
    [finding] = find(NAME, events)
    assert (finding.entity, finding.count, finding.facts["median_gap_s"]) == (GUESSER, 4, 700)


def test_alert_says_what_it_saw_and_what_would_have_kept_it_silent() -> None:
    detector = next(build(NAME, DETECTORS[NAME].Settings()))
    [slow] = find(NAME, [fail(i * 900, f"user{i}") for i in range(4)])
    assert detector.explain(slow) == "4 failed logins from this address in 45 min, at first one in 15 min (median), against 4 accounts."
    assert detector.counterfactual(slow) == "silent with fewer than 4 failures in 2 h, or with a median gap below 10 min"
    [steady] = find(NAME, [fail(i * 30, f"user{i}") for i in range(21)])
    assert detector.counterfactual(steady) == "silent with at most 10 failures and one more in each 60 s, or had it been over within 10 min"


def test_memory_of_a_hammered_account_is_bounded() -> None:
    detector = list(build(NAME, DETECTORS[NAME].Settings()))[1]
    state = detector.new_state()
    for i in range(1000):
        detector.on_event("acme\x1falice", state, fail(i * 200))
    assert len(state.fails) == 64
