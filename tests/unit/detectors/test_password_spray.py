from collections.abc import Iterable

import pytest

from detectors.registry import DETECTORS, build
from schemas.event import Event
from tests.helpers import event, find, opened

NAME = "password_spray"
SPRAYER, OFFICE = "203.0.113.9", "192.0.2.10"
HOUR = 3600


def fail(second: float, actor: str | None, ip: str | None = SPRAYER, **fields: str) -> Event:
    return event(second, outcome="failure", actor=actor, ip=ip, **fields)


def succeed(second: float, actor: str, ip: str = SPRAYER, **fields: str) -> Event:
    return event(second, outcome="success", actor=actor, ip=ip, **fields)


def spray(number: int, gap_s: float = 60, start: float = 0) -> list[Event]:
    return [fail(start + i * gap_s, f"user{i}") for i in range(number)]


SPRAYED = [("ip", SPRAYER)]


@pytest.mark.parametrize(
    ("events", "alerts"),
    [
        pytest.param(spray(4), [], id="four_actors"),
        pytest.param(spray(5), SPRAYED, id="five_actors"),
        pytest.param(spray(5, gap_s=300), SPRAYED, id="five_in_just_twenty_minutes"),
        pytest.param(spray(12, gap_s=301), [], id="never_five_in_twenty_minutes"),
        pytest.param([fail(i * 10, f"user{i // 8}") for i in range(40)], SPRAYED, id="eight_times_each"),
        pytest.param([fail(i * 10, f"user{i // 9}") for i in range(45)], [], id="nine_times_each"),
        pytest.param([*(fail(i, f"user{i % 4}") for i in range(36)), fail(40, "user5")], [], id="four_of_five_out_of_the_band"),
        pytest.param([*(fail(i, "admin") for i in range(500)), *spray(4)], [], id="hammering_counts_for_nothing"),
        pytest.param([*(fail(i, "admin") for i in range(500)), *spray(5)], SPRAYED, id="hammering_hides_nothing"),
        pytest.param([fail(i, f"user{i}", f"203.0.113.{i}") for i in range(9)], [], id="as_many_addresses"),
        pytest.param([fail(i, None) for i in range(40)], [], id="no_actor"),
        pytest.param([fail(i, f"user{i}", None) for i in range(40)], [], id="no_address"),
        pytest.param([fail(i, f"user{i}", tenant="ab"[i % 2]) for i in range(8)], [], id="tenants_never_mix"),
    ],
)
def test_spray_is_found_at_its_threshold(events: Iterable[Event], alerts: list[tuple[str, str]]) -> None:
    assert opened(find(NAME, events)) == alerts


@pytest.mark.parametrize(("people", "failing", "alerts"), [(6, 6, []), (6, 7, SPRAYED), (4, 5, SPRAYED)])
def test_shared_address_is_silent_unless_more_fail_than_log_in(people: int, failing: int, alerts: list[tuple[str, str]]) -> None:
    office = [succeed(-86_400 + i, f"user{i}") for i in range(people)]
    assert opened(find(NAME, [*office, *spray(failing)])) == alerts


def test_person_who_mistypes_and_then_logs_in_does_not_count() -> None:
    events = [event for i in range(9) for event in (fail(i * 60, f"user{i}"), succeed(i * 60 + 9, f"user{i}"))]
    assert opened(find(NAME, events)) == []


@pytest.mark.parametrize(
    ("second", "severity"),
    [(300, "high"), (240 + 3 * HOUR, "high"), (241 + 3 * HOUR, "medium")],
)
def test_login_within_three_hours_of_the_last_failure_means_it_worked(second: float, severity: str) -> None:
    settings = {"quiet_s": 6 * HOUR}
    last = find(NAME, [*spray(5), succeed(second, "victim")], settings)[-1]
    assert last.severity == severity


def test_account_that_was_got_into_is_named() -> None:
    findings = find(NAME, [*spray(5), succeed(300, "victim"), succeed(400, "other"), succeed(500, "victim")])
    assert [(finding.phase, finding.severity, finding.count) for finding in findings] == [
        ("open", "medium", 5),
        ("update", "high", 6),
        ("update", "high", 8),
    ]
    assert findings[-1].facts == {
        "failures": 5,
        "distinct_actors": 5,
        "good_actors": 0,
        "succeeded_actors": 2,
        "first_success": "victim",
        "threshold": 5,
        "max_attempts": 8,
        "window_s": 1200,
    }
    assert findings[-1].links == (("actor", "victim"), ("actor", "other"))
    assert "e300" in findings[1].evidence


def test_login_between_the_first_failures_counts_too() -> None:
    [finding] = find(NAME, [*spray(4), succeed(200, "victim"), fail(240, "user4")])
    assert (finding.severity, finding.count) == ("high", 6)
    assert finding.evidence == ("e0", "e60", "e120", "e180", "e200", "e240")


def test_person_known_there_proves_nothing() -> None:
    findings = find(NAME, [succeed(-86_400, "resident"), *spray(5), succeed(300, "resident")])
    assert [(finding.severity, finding.count, finding.facts["good_actors"]) for finding in findings] == [("medium", 5, 1)]


def test_late_failure_completes_a_spray() -> None:
    events = [*spray(6)[:2], *spray(6)[3:5], fail(2000, "far"), fail(2002, "far"), fail(120, "user2")]
    assert opened(find(NAME, events)) == []  # when it comes, the others have left the window
    assert opened(find(NAME, [*spray(6)[:2], *spray(6)[3:5], fail(120, "user2")])) == SPRAYED


def test_alert_says_what_it_saw_and_what_would_have_kept_it_silent() -> None:
    [detector] = build(NAME, DETECTORS[NAME].Settings())
    last = find(NAME, [*spray(5), succeed(600, "victim")])[-1]
    assert detector.explain(last) == (
        "5 failed logins from this address as 5 actors in 10 min; 0 actors had logged in from it before. "
        "It then logged in as 1 actor not known there, first as victim."
    )
    assert detector.counterfactual(last) == (
        "silent with fewer than 5 actors failing at most 8 times each in 20 min, or with as many that had logged in from there"
    )


def test_memory_of_an_address_is_bounded() -> None:
    [detector] = build(NAME, DETECTORS[NAME].Settings.model_validate({"threshold": 256, "max_attempts": 1}))
    state = detector.new_state()
    for i in range(3000):
        detector.on_event("acme\x1f203.0.113.9", state, fail(i * 0.1, f"user{i // 2}"))
    assert len(state.tries) == 256
    assert max(len(mine) for mine in state.tries.values()) == 2
