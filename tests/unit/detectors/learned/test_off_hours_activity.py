"""Activity at hours at which its owner is never up."""

from collections.abc import Iterable
from typing import Any

import pytest

from detectors.learned.habits import MOST_NIGHTS, Habits, HoursOfPeers
from detectors.learned.off_hours_activity import OffHoursActivity, OffHoursSettings
from schemas.event import Event
from schemas.finding import Finding
from tests.helpers import find, opened

MONDAY = 1_772_409_600.0
"""2026-03-02, 00:00 UTC."""
HOUR, DAY = 3600.0, 86_400.0
WORKDAYS = (0, 1, 2, 3, 4, 7, 8, 9)
BERLIN: dict[str, Any] = {"lon": 13.4, "lat": 52.5}
SYDNEY: dict[str, Any] = {"lon": 151.21, "lat": -33.87}


def some(day: float, hour: float, number: int, actor: str = "alice", kind: str = "api.request", **fields: Any) -> list[Event]:
    """So many events within that hour."""
    start = MONDAY + day * DAY + hour * HOUR
    more = {"outcome": "success", "tenant": "acme", "actor": actor, **fields}
    return [Event(kind, start + 40 * k, f"{actor}-{day}-{hour}-{kind}-{k}", **more) for k in range(number)]


def office(
    days: Iterable[int] = WORKDAYS, hours: Iterable[int] = range(8, 16), each: int = 8, actor: str = "alice", **fields: Any
) -> list[Event]:
    return [event for day in days for hour in hours for event in some(day, hour, each, actor, **fields)]


def found(*parts: list[Event], settings: Any = None) -> list[Finding]:
    return find("off_hours_activity", sorted((event for part in parts for event in part), key=lambda event: (event.ts, event.id)), settings)


def fired(*parts: list[Event], settings: Any = None) -> list[tuple[str, str]]:
    return opened(found(*parts, settings=settings))


ALICE = [("actor", "alice")]


def test_a_session_at_night_is_told_once_with_what_is_usual() -> None:
    findings = found(office(), some(10, 1, 10), some(10, 2, 10))
    assert opened(findings) == ALICE
    facts = findings[-1].facts
    assert {name: facts[name] for name in ("weekday", "since", "days_known", "days_near", "usual_from", "usual_until", "maturity")} == {
        "weekday": "Thursday",
        "since": 1,
        "days_known": 8,
        "days_near": 0,
        "usual_from": 8,
        "usual_until": 16,
        "maturity": "warming",
    }
    assert findings[-1].count > 10
    assert findings[0].evidence[0] == "alice-10-1-api.request-0"


@pytest.mark.parametrize(
    "more",
    [
        pytest.param(some(10, 10, 40), id="a usual hour"),
        pytest.param(some(12, 10, 40), id="a Saturday at a usual hour"),
        pytest.param(some(10, 2, 1), id="in passing"),
        pytest.param(some(10, 2, 40, kind="auth.session", action="token.refresh"), id="tokens that are renewed"),
        pytest.param(some(10, 2, 40, kind="auth.login", outcome="failure"), id="logins that fail"),
        pytest.param(some(10, 2, 40, actor="bob"), id="somebody of whom nothing is known"),
        pytest.param(some(10, 2, 40, tenant="globex"), id="the same name in another tenant"),
        pytest.param(office([10], range(8, 18)), id="going on for two hours more"),
    ],
)
def test_what_is_no_news(more: list[Event]) -> None:
    assert fired(office(), more) == []


def test_the_floor_is_exact() -> None:
    busy = office(each=40)
    assert fired(busy, some(10, 2, 4)) == []
    assert fired(busy, some(10, 2, 5)) == ALICE
    assert fired(busy, some(10, 2, 5), settings={"by_actor": {"min_events": 6}}) == []


def test_somebody_who_does_little_needs_less() -> None:
    assert fired(office(each=4), some(10, 2, 1)) == ALICE


@pytest.mark.parametrize("kind", ["data.export", "admin.action"])
def test_two_grave_events_are_as_much_as_six(kind: str) -> None:
    busy = office(each=40)
    assert fired(busy, some(10, 2, 1, kind=kind)) == []
    assert fired(busy, some(10, 2, 2, kind=kind)) == ALICE


def test_nothing_is_said_before_enough_days_are_known() -> None:
    assert fired(office(WORKDAYS[:4]), some(4, 2, 20)) == []
    assert fired(office(WORKDAYS[:5]), some(7, 2, 20)) == ALICE
    assert fired(office(WORKDAYS[:4]), some(4, 2, 20), settings={"by_actor": {"min_days": 4}}) == ALICE


def test_more_at_night_scores_more() -> None:
    little, much = (found(office(), some(10, 2, number))[-1].score for number in (4, 60))
    assert 3 < little < much


def test_the_middle_of_the_night_scores_more_than_the_evening() -> None:
    evening, night = (max([each.score for each in found(office(), some(10, hour, 20))], default=0.0) for hour in (19, 2))
    assert evening < night


def test_a_journey_is_judged_by_the_clock_of_the_place() -> None:
    home = office(**BERLIN)
    assert fired(home, some(10, 0, 20, **SYDNEY)) == []
    assert fired(home, some(10, 0, 20, **BERLIN)) == ALICE
    assert fired(home, some(10, 15, 20, **SYDNEY)) == []
    assert fired(home, some(10, 0, 20, network="vpn", **SYDNEY)) == ALICE


def test_a_traveller_who_comes_through_the_vpn_of_home_is_still_away() -> None:
    assert fired(office(**BERLIN), some(10, 0, 20, **SYDNEY), some(10, 1, 20, **BERLIN)) == []
    assert fired(office(**BERLIN), some(10, 0, 20, **SYDNEY), some(11, 1, 20, **BERLIN)) == ALICE


def test_summer_time_is_no_news() -> None:
    assert fired(office(), office((10, 11, 14, 15), range(7, 15)), office((16, 17), range(9, 17))) == []


def test_somebody_who_is_always_up_is_never_odd() -> None:
    assert fired(office(range(10), range(24), 2), some(11, 3, 60)) == []


def test_a_new_night_shift_is_told_twice_and_then_known() -> None:
    nights = [some(day, hour, 12) for day in (10, 11, 14, 15, 16) for hour in (0, 1, 2, 3)]
    findings = found(office(), *nights)
    days = [int((finding.ts - MONDAY) // DAY) for finding in findings if finding.phase == "open"]
    assert days == [10, 11]


def test_when_many_are_up_nobody_is_singled_out() -> None:
    names = [f"p{number}" for number in range(12)]
    everyone = [event for name in names for event in office(actor=name)]
    release = [some(10, 1 + number / 20, 20, name) for number, name in enumerate(names)]
    alone = fired(everyone, release[-1])
    assert alone == [("actor", "p11")]
    assert ("actor", "p11") not in fired(everyone, *release)


def test_a_late_event_says_nothing_of_the_hour_that_is_counted() -> None:
    detector, peers = OffHoursActivity("by_actor", OffHoursSettings()), HoursOfPeers()
    state, key = Habits(), "acme\x1falice"
    early, now = some(0, 8, 1)[0], some(0, 10, 1)[0]
    detector.on_event(key, state, now)
    detector.consider(key, state, peers, now.ts, now)
    before = detector.dump(state)
    detector.on_event(key, state, early)
    assert detector.consider(key, state, peers, early.ts, early) is None
    assert detector.dump(state) == before


def test_what_is_under_an_alert_is_not_learned_until_it_is_called_expected() -> None:
    detector, peers = OffHoursActivity("by_actor", OffHoursSettings()), HoursOfPeers()
    state, key = Habits(), "acme\x1falice"
    for event in office() + some(10, 2, 20) + some(10, 9, 1):
        detector.on_event(key, state, event)
        detector.consider(key, state, peers, event.ts, event)
    assert state.episode is not None
    assert state.work.counts[2] == 0
    assert state.mask & 1 << 2 == 0
    detector.judge(key, state, peers, "expected", state.end)
    assert state.work.counts[2] == 1


def test_nights_under_alerts_are_bounded() -> None:
    state = Habits()
    for hour in range(0, 24 * 40, 7):
        state.note_night(hour)
    assert len(state.nights or ()) == MOST_NIGHTS


def test_days_of_those_who_are_always_up_say_nothing_of_peers() -> None:
    peers = HoursOfPeers()
    peers.learn(3, 2**24 - 1)
    assert peers.share(3, 2) == pytest.approx(0.1)
    for _ in range(100):
        peers.learn(3, 0b1111_1111 << 8)
    assert peers.share(3, 2) == 0.002
    assert peers.share(3, 10) > 0.9


def test_it_says_what_was_seen_what_is_usual_and_what_would_have_kept_it_silent() -> None:
    detector = OffHoursActivity("by_actor", OffHoursSettings())
    finding = found(office(), some(10, 2, 12))[-1]
    assert detector.explain(finding) == (
        "12 events between 02:00 and 03:00 UTC on a Thursday. On 8 days learned (warming) the account was active within an hour of that on 0,"
        " usually from 08:00 to 16:00 UTC; its peers are on 0.6 % of theirs."
    )
    assert (
        detector.counterfactual(finding)
        == "silent with fewer than 2 events, or had the account been active around 02:00 UTC on 1 day before"
    )
