from collections.abc import Iterable

import pytest

from detectors.registry import DETECTORS, build
from schemas.event import Event
from tests.helpers import event, find, opened

NAME = "credential_stuffing"
STUFFER, OFFICE = "203.0.113.9", "192.0.2.10"
BY_IP, BY_TENANT = [("ip", STUFFER)], [("tenant", "acme")]


def fail(second: float, actor: str | None, ip: str | None = STUFFER, **fields: str) -> Event:
    return event(second, outcome="failure", actor=actor, ip=ip, **fields)


def succeed(second: float, actor: str, ip: str = STUFFER, **fields: str) -> Event:
    return event(second, outcome="success", actor=actor, ip=ip, **fields)


def stuff(number: int, gap_s: float = 10) -> list[Event]:
    return [fail(i * gap_s, f"user{i}") for i in range(number)]


@pytest.mark.parametrize(
    ("events", "alerts"),
    [
        pytest.param(stuff(24), [], id="24_attempts"),
        pytest.param(stuff(25), BY_IP, id="25_attempts"),
        pytest.param([fail(i * 10, f"user{i % 14}") for i in range(28)], [], id="14_actors"),
        pytest.param([fail(i * 10, f"user{i % 15}") for i in range(28)], BY_IP, id="15_actors"),
        pytest.param(stuff(60, gap_s=40), [], id="never_25_in_fifteen_minutes"),
        pytest.param([fail(i * 2, f"user{i // 3}") for i in range(150)], [], id="three_attempts_each"),
        # 16 actors once, 4 of them three times more: 16 / 20 = 80 % with at most two
        pytest.param(
            [*(fail(i * 5, f"few{i % 4}") for i in range(16)), *(fail(100 + i, f"user{i}") for i in range(16))], BY_IP, id="80_percent_few"
        ),
        pytest.param(
            [*(fail(i * 5, f"few{i % 5}") for i in range(20)), *(fail(110 + i, f"user{i}") for i in range(16))], [], id="76_percent_few"
        ),
        pytest.param([fail(i * 2, f"user{i}") if i % 2 else succeed(i * 2, f"user{i}") for i in range(40)], BY_IP, id="half_fails"),
        pytest.param([succeed(i * 2, f"user{i}") if i % 3 else fail(i * 2, f"user{i}") for i in range(80)], [], id="a_third_fails"),
        pytest.param([fail(i, None) for i in range(60)], [], id="no_actor"),
        pytest.param([fail(i, f"user{i}", None) for i in range(60)], [], id="no_address"),
        pytest.param([fail(i, f"user{i}", tenant="abc"[i % 3]) for i in range(60)], [], id="tenants_never_mix"),
    ],
)
def test_stuffing_from_an_address_is_found_at_its_threshold(events: Iterable[Event], alerts: list[tuple[str, str]]) -> None:
    assert opened(find(NAME, events)) == alerts


@pytest.mark.parametrize(("failing", "alerts"), [(30, []), (31, BY_IP)])
def test_shared_address_is_silent_unless_more_fail_than_were_known(failing: int, alerts: list[tuple[str, str]]) -> None:
    office = [succeed(-86_400 + i, f"user{i}") for i in range(30)]
    assert opened(find(NAME, [*office, *stuff(failing)])) == alerts


def test_residents_logging_in_do_not_dilute_an_attack_from_their_address() -> None:
    office = [succeed(-86_400 + i, f"staff{i}") for i in range(10)]
    busy = [succeed(i * 2 + 1, f"staff{i % 10}") for i in range(120)]
    assert opened(find(NAME, [*office, *busy, *stuff(25)])) == BY_IP


def test_pair_that_works_makes_it_high_and_is_named() -> None:
    findings = find(NAME, [*stuff(30), succeed(301, "victim"), fail(302, "nobody", reason="unknown_user")])
    assert [(finding.phase, finding.severity, finding.count) for finding in findings] == [
        ("open", "medium", 25),
        ("update", "high", 31),
        ("update", "high", 32),
    ]
    last = findings[-1]
    assert last.facts == {
        "attempts": 32,
        "failures": 31,
        "failure_ratio": 0.969,
        "unknown_user_share": 0.032,
        "distinct_actors": 32,
        "succeeded_actors": 1,
        "first_success": "victim",
        "min_attempts": 25,
        "min_actors": 15,
        "max_attempts": 2,
        "window_s": 900,
    }
    assert "e301" in last.evidence
    assert last.links == (("actor", "victim"),)


def test_pair_that_worked_before_the_alert_counts_too() -> None:
    [finding] = find(NAME, [*stuff(24), succeed(235, "victim"), fail(240, "last")], {"by_ip": {"min_attempts": 26}})
    assert (finding.severity, finding.count) == ("high", 26)
    assert "e235" in finding.evidence


def botnet(number: int, addresses: int = 20, gap_s: float = 2, repeat: int = 1) -> list[Event]:
    return [fail(i * gap_s, f"user{i // repeat}", f"203.0.113.{i % addresses}", tenant="acme") for i in range(number)]


def healthy(number: int, gap_s: float) -> list[Event]:
    return [succeed(i * gap_s + 0.5, f"staff{i}", f"198.51.100.{i % 200}", tenant="acme") for i in range(number)]


@pytest.mark.parametrize(
    ("events", "alerts"),
    [
        pytest.param(botnet(99), [], id="99_actors"),
        pytest.param(botnet(100), BY_TENANT, id="100_actors"),
        pytest.param(botnet(198, repeat=2, gap_s=1), [], id="99_actors_twice_each"),
        pytest.param(botnet(200, repeat=2, gap_s=1), BY_TENANT, id="100_actors_twice_each"),
        pytest.param(botnet(300, repeat=3, gap_s=1, addresses=200), [], id="three_times_each"),
        pytest.param(botnet(200, gap_s=9.7), [], id="never_100_in_a_window"),
        pytest.param([*botnet(120), *healthy(110, 2.1)], BY_TENANT, id="more_than_half_fails"),
        pytest.param([*botnet(120), *healthy(200, 1.2)], [], id="less_than_half_fails"),
        pytest.param([fail(i, f"user{i}", None, tenant="acme") for i in range(300)], [], id="no_address"),
        pytest.param([fail(i, None, f"203.0.113.{i % 100}", tenant="acme") for i in range(300)], [], id="no_actor"),
    ],
)
def test_stuffing_of_a_tenant_is_found_at_its_threshold(events: list[Event], alerts: list[tuple[str, str]]) -> None:
    settings = {"by_ip": {"min_attempts": 100_000}}
    assert opened(find(NAME, sorted(events, key=lambda event: event.ts), settings)) == alerts


def test_address_that_does_most_of_it_is_told_alone() -> None:
    assert opened(find(NAME, [fail(i, f"user{i}", tenant="acme") for i in range(200)])) == BY_IP


def test_loud_address_does_not_hide_the_quiet_ones() -> None:
    loud = [fail(i * 2 + 1, f"loud{i}", tenant="acme") for i in range(90)]
    events = sorted([*loud, *botnet(120)], key=lambda event: event.ts)
    assert sorted(opened(find(NAME, events))) == [*BY_IP, *BY_TENANT]


def test_alert_of_a_tenant_counts_failures_while_it_goes_on() -> None:
    findings = find(
        NAME,
        [*botnet(600, addresses=40, gap_s=1), fail(7000, "straggler", "203.0.113.1", tenant="acme")],
        {"by_ip": {"min_attempts": 100_000}},
    )
    # opens with the 100th at 99 s; looked at every 5 s: doubled at 199 s and 399 s, last at 599 s; a straggler keeps nothing open
    assert [(finding.phase, finding.count) for finding in findings] == [("open", 100), ("update", 200), ("update", 400), ("close", 600)]
    assert findings[-1].facts["distinct_ips"] == 40


def test_tenant_attacked_by_thousands_is_estimated_in_bounded_memory() -> None:
    detector = list(build(NAME, DETECTORS[NAME].Settings()))[1]
    state = detector.new_state()
    findings = []
    for i in range(20_000):
        found = detector.on_event("acme\x1f", state, fail(i * 0.04, f"user{i}", f"2001:db8::{i % 3000:x}", tenant="acme"))
        if found is not None:
            findings.append(found)
    assert findings[-1].severity == "high"
    assert findings[-1].facts["distinct_actors"] == pytest.approx(16_000, rel=0.2)  # the update at twice 8,000 failures or so
    assert len(state.panes) <= 16
    assert max(len(pane.actors.counts) for pane in state.panes) <= 128


def test_alert_says_what_it_saw_and_what_would_have_kept_it_silent() -> None:
    by_ip, by_tenant = build(NAME, DETECTORS[NAME].Settings())
    [finding] = find(NAME, stuff(25))
    assert by_ip.explain(finding) == (
        "25 logins from this address in 4 min as 25 actors, 100% failed; 0% of the failures are for users that do not exist."
    )
    assert by_ip.counterfactual(finding) == (
        "silent with fewer than 25 attempts or 15 actors in 15 min, or with more than 2 attempts on most of them"
    )
    [finding] = find(NAME, botnet(100))
    assert by_tenant.explain(finding) == (
        "100 failed logins in 3.3 min, of up to 100 actors from 20 addresses within 15 min; 0% of the failures are for users that do not exist."
    )
