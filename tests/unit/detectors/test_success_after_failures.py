from collections.abc import Iterable

import pytest

from detectors.registry import DETECTORS, build
from schemas.event import Event
from tests.helpers import event, find, opened

NAME = "success_after_failures"
ATTACKER, HOME, OFFICE = "203.0.113.9", "198.51.100.4", "192.0.2.10"
DAY = 86_400
ALICE, BY_IP = [("actor", "alice")], [("ip", ATTACKER)]


def fail(second: float, actor: str | None = "alice", ip: str | None = ATTACKER, **fields: str) -> Event:
    return event(second, outcome="failure", actor=actor, ip=ip, **fields)


def succeed(second: float, actor: str | None = "alice", ip: str | None = ATTACKER, **fields: str) -> Event:
    return event(second, outcome="success", actor=actor, ip=ip, **fields)


def fails(number: int, ip: str = ATTACKER, gap_s: float = 10, **fields: str) -> list[Event]:
    return [fail(i * gap_s, "alice", ip, **fields) for i in range(number)]


def spread(number: int, addresses: int) -> list[Event]:
    return [fail(i * 10, "alice", f"203.0.113.{i % addresses}") for i in range(number)]


@pytest.mark.parametrize(
    ("events", "alerts"),
    [
        pytest.param([*fails(4), succeed(60)], [], id="four_failures"),
        pytest.param([*fails(5), succeed(60)], ALICE, id="five_failures"),
        pytest.param([*fails(5), succeed(900)], ALICE, id="just_fifteen_minutes"),
        pytest.param([*fails(5), succeed(901)], [], id="more_than_fifteen_minutes"),
        pytest.param([*fails(3), succeed(25), *(fail(30 + i) for i in range(4)), succeed(40)], [], id="a_success_settles_what_was"),
        pytest.param([*fails(9), succeed(100, ip=HOME)], [], id="failures_from_one_other_address"),
        pytest.param([*spread(9, 3), succeed(200, ip=HOME)], [], id="nine_spread_failures"),
        pytest.param([*spread(10, 3), succeed(200, ip=HOME)], ALICE, id="ten_spread_failures"),
        pytest.param([*spread(10, 3), succeed(200, ip="203.0.113.1")], ALICE, id="ten_spread_failures_from_one_of_them"),
        pytest.param([*spread(10, 2), succeed(200, ip=HOME)], [], id="only_two_addresses"),
        pytest.param([succeed(-DAY, ip=HOME), *spread(12, 4), succeed(200, ip=HOME)], [], id="owner_at_home_meanwhile"),
        pytest.param([*(fail(i, ip=None) for i in range(5)), succeed(60, ip=None)], ALICE, id="no_address"),
        pytest.param([*(fail(i, None) for i in range(30)), succeed(60, None)], [], id="no_actor"),
        pytest.param([*(fail(i, tenant="ab"[i % 2]) for i in range(8)), succeed(60, tenant="a")], [], id="tenants_never_mix"),
        pytest.param(fails(19), [], id="no_success"),
    ],
)
def test_account_is_told_when_a_login_follows_enough_failures(events: Iterable[Event], alerts: list[tuple[str, str]]) -> None:
    assert opened(find(NAME, events)) == alerts


@pytest.mark.parametrize(
    ("number", "known", "severity"),
    [
        (5, "", "medium"),
        (19, "", "medium"),
        (20, "", "high"),
        (5, "ip", "low"),
        (5, "device", "low"),
        (9, "ip", "low"),
        (10, "ip", "medium"),
        (20, "ip", "high"),
        (5, "ip device", "info"),
        (10, "ip device", "low"),
        (20, "ip device", "medium"),
    ],
)
def test_severity_weighs_failures_against_what_is_the_accounts_own(number: int, known: str, severity: str) -> None:
    before = succeed(-DAY, ip=ATTACKER if "ip" in known else HOME, device_id="laptop" if "device" in known else "other")
    events = [before, *fails(number, device_id="laptop"), succeed(300, device_id="laptop")]
    [finding] = [finding for finding in find(NAME, events) if finding.entity_type == "actor"]
    assert (finding.severity, finding.count) == (severity, number + 1)


@pytest.mark.parametrize(
    ("kind", "second", "outcome", "severity"),
    [
        ("auth.password_reset", 100, "success", "low"),
        ("auth.password_change", 100, "success", "low"),
        ("auth.password_reset", 100, "failure", "medium"),
        ("auth.password_reset", -10, "success", "medium"),  # before the failures
        ("auth.password_reset", 500, "success", "medium"),  # after the login
    ],
)
def test_password_reset_between_makes_it_low(kind: str, second: float, outcome: str, severity: str) -> None:
    events = sorted([*fails(6), event(second, kind, outcome=outcome, actor="alice"), succeed(300)], key=lambda event: event.ts)
    [finding] = find(NAME, events)
    assert finding.severity == severity


def test_address_is_the_accounts_own_for_thirty_days() -> None:
    for days, severity in ((29, "low"), (31, "medium")):
        [finding] = find(NAME, [succeed(-days * DAY), *fails(6), succeed(300)])
        assert finding.severity == severity


def test_login_itself_is_among_the_evidence() -> None:
    [finding] = [finding for finding in find(NAME, [*fails(30), succeed(400)]) if finding.entity_type == "actor"]
    assert finding.evidence == (*(f"e{i * 10}" for i in range(19)), "e400")
    assert finding.links == (("ip", ATTACKER),)


def test_second_guessing_of_an_account_grows_the_same_alert() -> None:
    events = [*fails(5), succeed(60), succeed(70), *(fail(600 + i) for i in range(20)), succeed(700)]
    found = [(finding.phase, finding.severity, finding.count) for finding in find(NAME, events) if finding.entity_type == "actor"]
    assert found == [("open", "medium", 6), ("update", "high", 27)]


def knocks(number: int, actors: int, ip: str = ATTACKER) -> list[Event]:
    return [fail(i * 60, f"user{i % actors}", ip) for i in range(number)]


@pytest.mark.parametrize(
    ("events", "alerts"),
    [
        pytest.param([*knocks(19, 4), succeed(2000, "victim")], [], id="19_failures_of_four_actors"),
        pytest.param([*knocks(20, 4), succeed(2000, "victim")], BY_IP, id="20_failures"),
        pytest.param([*knocks(4, 4), succeed(2000, "victim")], [], id="four_actors"),
        pytest.param([*knocks(5, 5), succeed(2000, "victim")], BY_IP, id="five_actors"),
        pytest.param([*knocks(5, 5), succeed(10_700, "victim")], BY_IP, id="within_three_hours"),
        pytest.param([*knocks(5, 5), succeed(11_500, "victim")], [], id="after_three_hours"),
        pytest.param([succeed(-DAY, "resident"), *knocks(6, 6), succeed(2000, "resident")], [], id="known_there"),
        pytest.param([*knocks(6, 6), succeed(2000, "victim", HOME)], [], id="elsewhere"),
    ],
)
def test_address_is_told_when_it_gets_into_an_account(events: Iterable[Event], alerts: list[tuple[str, str]]) -> None:
    assert opened(find(NAME, events)) == alerts


@pytest.mark.parametrize(("people", "alerts"), [(5, [("ip", OFFICE)]), (6, [])])
def test_shared_address_is_silent_unless_more_fail_than_log_in(people: int, alerts: list[tuple[str, str]]) -> None:
    office = [succeed(-DAY + i, f"staff{i}", OFFICE) for i in range(people)]
    assert opened(find(NAME, [*office, *knocks(6, 6, OFFICE), succeed(2000, "newcomer", OFFICE)])) == alerts


def test_address_with_few_failing_actors_is_high_with_many_critical() -> None:
    assert find(NAME, [*knocks(20, 4), succeed(2000, "victim")])[0].severity == "high"
    assert find(NAME, [*knocks(5, 5), succeed(2000, "victim")])[0].severity == "critical"


def test_each_further_account_is_said() -> None:
    events = [*knocks(6, 6), *(succeed(1000 + i * 100, f"victim{i}") for i in range(3)), succeed(1350, "victim1"), fail(1400, "user9")]
    findings = [finding for finding in find(NAME, events) if finding.entity_type == "ip"]
    assert [(finding.phase, finding.count, finding.facts["succeeded"]) for finding in findings] == [
        ("open", 7, "victim0"),
        ("update", 8, "victim0, victim1"),
        ("update", 9, "victim0, victim1, victim2"),
        ("update", 11, "victim0, victim1, victim2"),
    ]
    assert findings[-1].links == (("actor", "victim0"), ("actor", "victim1"), ("actor", "victim2"))
    assert {"e1000", "e1100", "e1200"} < set(findings[-1].evidence)


def test_late_failures_are_weighed_only_if_they_came_before_the_login() -> None:
    assert opened(find(NAME, [*fails(4), fail(90), succeed(60)], lateness_s=60)) == []
    assert opened(find(NAME, [*fails(4), succeed(60), fail(50)], lateness_s=60)) == ALICE


def test_alert_says_what_it_saw_and_what_would_have_kept_it_silent() -> None:
    by_actor, by_ip = build(NAME, DETECTORS[NAME].Settings())
    [finding] = find(NAME, [*fails(6), succeed(300)])
    assert by_actor.explain(finding) == (
        "This account logged in after 6 failed logins from 1 address in 5 min; it was not from an address or device known for this account."
    )
    assert by_actor.counterfactual(finding) == (
        "silent with fewer than 5 failures from one address, and 10 from 3, in the 15 min before the login"
    )
    [finding] = find(NAME, [*knocks(6, 6), succeed(600, "victim")])
    assert by_ip.explain(finding) == (
        "This address got into 1 account not known there (victim) among 6 failed logins against 6 accounts in 10 min."
    )
    assert by_ip.counterfactual(finding) == (
        "silent with fewer than 20 failures and 5 failing actors in the 3 h before, or had the account been known there"
    )
