"""Far more requests or data than usual."""

from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from detectors.learned import usage
from detectors.learned.api_volume_anomaly import ApiVolumeAnomaly, VolumeSettings
from detectors.learned.budget import DAY_S
from detectors.learned.usage import SIZE, Profile, Shift, VolumePeers
from detectors.registry import build
from monitor.pipeline.runner import Runner
from schemas.event import Event
from schemas.finding import Finding
from tests.helpers import T0

HOUR_S = 3600.0
MONDAY = (T0 // DAY_S) * DAY_S
"""2026-02-02, 00:00 UTC."""
WORKDAYS = [day for day in range(28) if day % 7 < 5]
NAME = "api_volume_anomaly"


def request(day: int, hour: float, number: int = 0, who: str | None = "alice", **fields: Any) -> Event:
    ts = MONDAY + day * DAY_S + hour * HOUR_S
    text = {
        "kind": "api.request",
        "tenant": "acme",
        "outcome": "success",
        "route": "/v1/orders",
        "path": f"/v1/orders/{number % 9}",
        "bytes": 2000,
    }
    return Event(ts=ts, id=f"{who}-{ts:.3f}-{number}", actor=who, **{**text, **fields})


def hour(day: int, begin: int, number: int, who: str = "alice", **fields: Any) -> list[Event]:
    return [request(day, begin + i / (number + 1), i, who, **fields) for i in range(number)]


def work(days: Iterable[int], per_hour: int = 8, who: str = "alice", hours: Sequence[int] = range(9, 17), **fields: Any) -> list[Event]:
    return [each for day in days for begin in hours for each in hour(day, begin, per_hour, who, **fields)]


def runner_of(settings: Any = None) -> Runner:
    return Runner(list(build(NAME, VolumeSettings.model_validate(settings or {}))), lateness_s=1.0)


def found(events: Iterable[Event], settings: Any = None) -> list[Finding]:
    runner = runner_of(settings)
    findings = runner.run("test", sorted(events, key=lambda each: (each.ts, each.id)))
    findings += runner.finish()
    assert not runner.failed, runner.failed
    return findings


def opened(events: Iterable[Event], settings: Any = None) -> list[tuple[int, str, Any, Any]]:
    """Day, account, window and measure of each alert."""
    return [
        (int((each.ts - MONDAY) // DAY_S), each.entity, each.facts["window"], each.facts["measure"])
        for each in found(events, settings)
        if each.phase == "open"
    ]


# -- what is found ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "attack", "alerts"),
    [
        ("59 requests within an hour", hour(14, 13, 59), []),
        ("60 requests within an hour", hour(14, 13, 60), [(14, "alice", "hour", "requests")]),
        ("more than usual in each hour of the day", work([14], 26), [(14, "alice", "day", "requests")]),
        ("a large download", [request(14, 13, kind="data.export", bytes=60_000_000)], [(14, "alice", "hour", "bytes")]),
        ("4.9 MB", [request(14, 13, bytes=4_900_000)], []),
        (
            "twenty endpoints",
            [request(14, 13 + i / 60, i, route=f"/v1/{i % 20}") for i in range(48)],
            [(14, "alice", "hour", "endpoints")],
        ),
        ("of another tenant", hour(14, 13, 60, tenant="globex"), []),
        ("of nobody", hour(14, 13, 600, None), []),  # type: ignore[arg-type]
        ("logins", hour(14, 13, 600, kind="auth.login"), []),
        ("amounts below zero", hour(14, 13, 40, bytes=-(10**15)), []),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_limits(what: str, attack: list[Event], alerts: list[Any]) -> None:
    usual = work(WORKDAYS[:10], hours=range(9, 13))
    if what == "more than usual in each hour of the day":
        usual = work(WORKDAYS[:10])
    assert opened(usual + attack) == alerts


def test_as_many_requests_as_ever_but_for_forty_different_objects() -> None:
    events = work(WORKDAYS[:10], 40) + [request(14, 9 + i / 70, i, path=f"/v1/orders/{i}") for i in range(66)]
    assert opened(events) == [(14, "alice", "hour", "objects")]


def test_an_attack_over_two_hours_is_one_alert_and_the_first_hour_does_not_excuse_the_second() -> None:
    events = [*work(WORKDAYS[:10]), *hour(14, 18, 200), *hour(14, 19, 200), request(15, 9)]
    findings = found(events)
    assert [each.phase for each in findings].count("open") == 1
    assert max(each.count for each in findings) == 400
    alone = found(work(WORKDAYS[:10]) + hour(14, 18, 55) + hour(14, 19, 200))
    assert [each.facts["hour_requests"] for each in alone if each.phase == "open"] == [60]


def test_all_accounts_of_a_tenant_together() -> None:
    settings = {"by_tenant": {"hour_requests": 100, "day_requests": 0}, "by_actor": {"hour_requests": 0, "day_requests": 0}}
    crowd = [each for number in range(60) for each in hour(14, 10, 10, f"bot-{number}")]
    findings = [each for each in found(work(WORKDAYS[:10]) + crowd, settings) if each.phase == "open"]
    assert [(each.entity_type, each.entity) for each in findings] == [("tenant", "acme")]
    assert (
        ApiVolumeAnomaly("by_tenant", VolumeSettings())
        .explain(findings[0])
        .startswith("All accounts of the tenant together made 100 requests")
    )


def test_absurd_amounts_stay_numbers() -> None:
    findings = found(work(WORKDAYS[:10]) + hour(14, 13, 100, bytes=2**63 - 1))
    assert findings[0].facts["hour_bytes"] == 10**11
    assert all(int(str(value)) < 2**63 for each in findings for name, value in each.facts.items() if name == "hour_bytes")


def test_a_clock_that_begins_at_zero() -> None:
    runner = runner_of({"by_actor": {"min_days": 1}})
    events = [Event(kind="api.request", ts=day * DAY_S + i, id=f"{day}-{i}", actor="alice") for day in range(3) for i in range(3)]
    assert runner.run("test", events) == []
    assert not runner.failed


# -- what is not ------------------------------------------------------------------------------------------------------------------


def test_a_new_account_is_not_judged() -> None:
    assert opened(work(WORKDAYS[:4]) + hour(4, 18, 600)) == []
    assert opened(work(WORKDAYS[:5]) + hour(7, 18, 600)) == [(7, "alice", "hour", "requests")]


def test_a_nightly_job_is_silent_from_the_beginning() -> None:
    assert opened(work(range(12), 400, "svc-inventory", hours=[2])) == []


def test_a_weekly_job_is_silent_from_its_second_run_on() -> None:
    weekly = [each for week in range(1, 5) for each in hour(7 * week + 6, 3, 400, "svc-report")]
    daily = work(range(40), 8, "svc-report", hours=range(8, 20))
    assert opened(daily + weekly) == [(13, "svc-report", "hour", "requests")]


def test_a_flat_service_is_silent_and_twice_as_much_is_not() -> None:
    flat = work(range(14), 100, "svc-sync", hours=range(24))
    assert opened(flat) == []
    assert opened(flat + work([14], 250, "svc-sync", hours=range(24)))[0][1:3] == ("svc-sync", "hour")


def test_what_is_usual_by_day_is_not_usual_by_night() -> None:
    settings = {"by_actor": {"day_requests": 0}}
    usual = work(range(14), 100, "svc-batch", hours=range(8, 20)) + work(
        range(14), 2, "svc-batch", hours=[0, 1, 2, 3, 4, 5, 6, 7, 20, 21, 22, 23]
    )
    assert opened(usual + hour(14, 10, 100, "svc-batch"), settings) == []
    assert opened(usual + hour(14, 2, 100, "svc-batch"), settings) == [(14, "svc-batch", "hour", "requests")]


def test_a_change_of_the_whole_tenant_is_taken_off() -> None:
    people = [f"person-{number:02}" for number in range(12)]
    before = [each for who in people for each in work(WORKDAYS[:10], 30, who)]
    after = [each for number, who in enumerate(people) for each in work([14], 30 if number % 6 == 0 else 75, who)]
    findings = found(before + after + hour(14, 18, 600, "person-00"), {"by_actor": {"day_requests": 0}})
    spoken_of = [each.entity for each in findings if each.phase == "open"]
    assert len(spoken_of) <= 5  # of ten who do 2.5 times as much
    (attack,) = [each for each in findings if each.entity == "person-00" and each.phase == "open"]
    assert 1.5 < float(str(attack.facts["tenant_change"])) < 2.5


@pytest.mark.parametrize(("since", "gone"), [(3000.0, 1.0), (9000.0, 2 ** (-5 / 6))])
def test_a_tenants_change_fades(since: float, gone: float) -> None:
    shift = Shift()
    for _ in range(16):
        shift.take(1.0, 3000.0, 7200.0)
    assert shift.at(since, 7200.0) == 1.0
    assert shift.weight == 16
    assert shift.at(3000.0 + 7200.0 * 1.1, 7200.0) == 0.0  # fewer than eight are left
    shift.take(1.0, since, 7200.0)
    assert shift.weight == pytest.approx(16 * gone + 1)


def test_one_account_is_no_tenant() -> None:
    shift = Shift()
    for number in range(1000):
        shift.take(1.5, number * HOUR_S, usage.SHIFT_S)
    assert shift.at(999 * HOUR_S, usage.SHIFT_S) == 0.0


# -- what is learned of it --------------------------------------------------------------------------------------------------------


def test_an_attack_in_the_last_hour_of_a_day_is_not_learned() -> None:
    runner = runner_of()
    runner.run("test", work(WORKDAYS[:10]) + hour(14, 18, 300) + work([15]))
    state = runner.states[0].find("acme\x1falice")
    assert state is not None
    assert state.held == [[300.0, 600_000.0, 1.0, 9.0, 4.0], [300.0, 600_000.0]]  # type: ignore[attr-defined]
    assert usage.record_of_hour(state.profile, 0, 4) == 8  # type: ignore[attr-defined]


@pytest.mark.parametrize(("verdict", "again"), [("true", 1), ("expected", 0), ("false", 0)])
def test_the_same_again_is_no_news_unless_it_was_an_attack(verdict: Any, again: int) -> None:
    runner = runner_of()
    events = work(WORKDAYS[:10]) + hour(14, 18, 300)
    first = [each for each in runner.run("test", [*events, request(15, 9)]) if each.phase == "open"]
    assert len(first) == 1
    assert runner.judge(NAME, "by_actor", "acme\x1falice", verdict)
    later = runner.run("test", [*work([16]), *hour(16, 18, 300), request(17, 9)])
    assert [each.phase for each in later].count("open") == again


def test_a_change_for_good_is_learned_without_a_verdict() -> None:
    events = work(WORKDAYS[:10]) + [each for day in range(14, 45) if day % 7 < 5 for each in work([day], 70)]
    days = [day for day, *_ in opened(events)]
    assert days[0] == 14
    assert days[-1] < 25


def test_somebody_who_comes_back_after_weeks_begins_anew() -> None:
    assert opened(work(WORKDAYS[:10]) + hour(60, 10, 600)) == []


def test_late_events_count_for_their_day_but_not_for_this_hour() -> None:
    runner = runner_of()
    runner.run("test", work([*WORKDAYS[:10], 14], hours=range(9, 13)))
    late = hour(12, 10, 500)
    assert runner.run("test", late) == []
    assert runner.late == 500
    assert [each.phase for each in runner.run("test", [*hour(14, 9, 500), request(14, 14), request(14, 15)])] == ["open"]


# -- slow rises -------------------------------------------------------------------------------------------------------------------


def rising(percent: float, days: int, before: int = 15, start: int = 40) -> list[Event]:
    events = []
    for day in range(before + days):
        amount = start * 1_000_000 * (1 + percent / 100) ** max(0, day - before) * (1.0, 1.25, 0.8, 1.1, 0.9)[day % 5]
        events += [request(day, 9 + i, i, kind="data.export", bytes=round(amount / 8)) for i in range(8)]
    return events


@pytest.mark.parametrize(
    ("percent", "days", "is_found"), [(0, 60, False), (0.15, 60, False), (3, 40, True), (5, 30, True), (12, 15, True), (50, 10, True)]
)
def test_a_slow_rise_is_found_from_its_slope_on(percent: float, days: int, *, is_found: bool) -> None:
    assert bool(opened(rising(percent, days))) == is_found


def test_a_rise_from_the_first_day_on_is_found_by_its_days_in_a_row() -> None:
    events = [request(day, 9 + i, i, kind="data.export", bytes=round(2_000_000 * 1.12**day)) for day in range(10) for i in range(6)]
    assert opened(events) == [(7, "alice", "days", "bytes")]


# -- what is said, and what is kept -----------------------------------------------------------------------------------------------


def test_words() -> None:
    (first, *_) = found(work(WORKDAYS[:10]) + hour(14, 13, 60))
    one = ApiVolumeAnomaly("by_actor", VolumeSettings())
    assert one.explain(first) == (
        "The account made 60 requests within an hour, where 8 requests are usual. Learned from 10 days with traffic (ready)."
    )
    assert one.counterfactual(first) == "silent below 60 requests within an hour, or if as much had been there before"


def test_a_slow_rise_in_words() -> None:
    finding = next(each for each in found(rising(5, 30)) if each.facts["window"] == "days")
    one = ApiVolumeAnomaly("by_actor", VolumeSettings())
    assert "It has risen slowly, over many days." in one.explain(finding)
    assert one.counterfactual(finding).startswith("silent if days had stayed near ")


def test_a_profile_comes_back_from_its_bytes() -> None:
    profile = Profile([number / 7 for number in range(SIZE)])
    assert Profile.from_bytes(profile.to_bytes()).numbers == profile.numbers


@pytest.mark.parametrize("data", [b"", b"\x01", b"\x02" + bytes(4 * SIZE)])
def test_a_profile_that_cannot_be_read_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="profile"):
        Profile.from_bytes(data)


def test_peers_stand_in_for_what_is_not_known_of_an_account() -> None:
    peers = VolumePeers()
    for _ in range(20):
        peers.hour_levels[0].learn(3.0, 2000.0, 0.35)
    assert usage.expected_of_hour(Profile(), peers, 0, 2).mean == 3.0
    assert usage.expected_of_hour(Profile(), peers, 3, 2).mean == 3.0  # of objects nothing is known: no more than requests
