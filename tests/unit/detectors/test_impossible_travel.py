"""Logins too far apart for the time between them."""

from typing import Any

import pytest

from detectors.impossible_travel import MAX_ANCHORS, MAX_ENDS, ImpossibleTravel, Travel, TravelSettings
from schemas.event import Event
from tests.helpers import T0, event, find, opened

BERLIN = {"ip": "192.0.2.10", "country": "DE", "city": "Berlin", "lat": 52.52, "lon": 13.405, "asn": 64500}
OSLO = {"ip": "198.51.100.7", "country": "NO", "city": "Oslo", "lat": 59.913, "lon": 10.752, "asn": 64501}
LAGOS = {"ip": "203.0.113.9", "country": "NG", "city": "Lagos", "lat": 6.524, "lon": 3.379, "asn": 64502}
# Berlin to Lagos: 5,195.8 km, which takes 20,783 s at 900 km/h. Berlin to Oslo: 838.4 km, 3,354 s.
HOUR_S, DAY_S = 3600.0, 86_400.0


def login(seconds: float, place: dict[str, Any], **fields: Any) -> Event:
    return event(seconds, **{"actor": "alice", "tenant": "acme", "outcome": "success", **place, **fields})


@pytest.mark.parametrize(
    ("what", "second", "severity"),
    [
        ("just too fast", login(20_780, LAGOS), "medium"),
        ("as fast as an airliner", login(20_790, LAGOS), None),
        ("five times too fast, device unknown", login(4_000, LAGOS), "high"),
        ("not five times too fast", login(4_200, LAGOS), "medium"),
        ("at the same time", login(0, LAGOS, id="b"), "high"),
        ("a neighbouring country", login(3_300, OSLO), "medium"),
        ("a neighbouring country, by air", login(3_400, OSLO), None),
        ("too imprecise to be 500 km away", login(60, OSLO, accuracy_km=340.0), None),
        ("imprecise, and still 500 km away", login(60, OSLO, accuracy_km=330.0), "high"),
        ("somewhere in a country", login(60, LAGOS, accuracy_km=1001.0), None),
        ("no position", login(60, LAGOS, lat=None), None),
        ("a failure", login(60, LAGOS, outcome="failure"), None),
        ("no outcome", login(60, LAGOS, outcome=None), None),
        ("a session in use", login(60, LAGOS, outcome=None, kind="auth.session"), "high"),
        ("an ended session", login(60, LAGOS, outcome="failure", kind="auth.session"), None),
        ("a request without a session", login(60, LAGOS, outcome=None, kind="api.request"), "high"),
        ("an export without a session", login(60, LAGOS, kind="data.export"), "high"),
        ("a refused request", login(60, LAGOS, outcome="failure", kind="api.request"), None),
        ("a request within a session", login(60, LAGOS, kind="api.request", session_id="s1"), None),
        ("a request with an API key", login(60, LAGOS, kind="api.request", actor_type="api_key"), None),
        ("the same address", login(60, LAGOS, ip="192.0.2.10"), None),
        ("no address", login(60, LAGOS, ip=None), "high"),
        ("another account", login(60, LAGOS, actor="bob"), None),
        ("no account", login(60, LAGOS, actor=None), None),
        ("another tenant", login(60, LAGOS, tenant="globex"), None),
        *((network, login(60, LAGOS, network=network), None) for network in ("vpn", "hosting", "relay", "satellite", "mobile")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_two_logins(what: str, second: Event, severity: str | None) -> None:
    found = find("impossible_travel", [login(0, BERLIN, id="a"), second])
    assert [finding.severity for finding in found] == ([] if severity is None else [severity])


@pytest.mark.parametrize(
    ("first", "second", "gap_s", "severity"),
    [
        ("laptop", "phone", 20_000, "high"),
        ("laptop", "laptop", 60, "medium"),  # one device is most often one that switched a VPN on
        (None, "phone", 20_000, "medium"),
        (None, "phone", 60, "high"),
    ],
)
def test_devices_weigh(first: str | None, second: str, gap_s: float, severity: str) -> None:
    found = find("impossible_travel", [login(0, BERLIN, device_id=first), login(gap_s, LAGOS, device_id=second)])
    assert [finding.severity for finding in found] == [severity]


def test_alert_says_the_numbers_and_the_smallest_change() -> None:
    (finding,) = find("impossible_travel", [login(0, BERLIN, device_id="a"), login(3000, LAGOS, device_id="b")])
    assert finding.facts == {
        "from": "Berlin, DE",
        "to": "Lagos, NG",
        "distance_km": 5196,
        "gap_s": 3000,
        "speed_kmh": 6235,
        "device": "other",
        "habit": "no",
        "min_distance_km": 500,
        "max_speed_kmh": 900,
    }
    assert finding.evidence == ("e0", "e3000")
    assert (finding.first_seen, finding.last_seen, finding.count) == (T0, T0 + 3000, 2)
    detector = ImpossibleTravel("by_actor", TravelSettings.model_validate({}))
    assert detector.explain(finding) == "Used from Berlin, DE and Lagos, NG, 5,196 km and 50 min apart: 6,235 km/h, with different devices."
    assert detector.counterfactual(finding) == "silent if the logins had been at least 5 h 47 min apart, or less than 500 km"


def test_the_change_it_names_keeps_it_silent() -> None:
    assert find("impossible_travel", [login(0, BERLIN), login(5 * HOUR_S + 47 * 60, LAGOS)]) == []


def test_no_time_between_is_a_number_and_reads_as_such() -> None:
    (finding,) = find("impossible_travel", [login(0, BERLIN, id="a"), login(0, LAGOS, id="b")])
    assert finding.facts["gap_s"] == 0
    assert finding.facts["speed_kmh"] == pytest.approx(5195.8 * 3600, rel=1e-4)  # as if a second apart
    assert "at the same time" in ImpossibleTravel("by_actor", TravelSettings.model_validate({})).explain(finding)


def test_a_place_without_country_is_named_by_its_position() -> None:
    (finding,) = find("impossible_travel", [login(0, BERLIN), login(60, {"lat": -6.5, "lon": -3.4})])
    assert (finding.facts["from"], finding.facts["to"]) == ("Berlin, DE", "6.5° S 3.4° W")


@pytest.mark.parametrize(
    ("what", "order", "alerts"),
    [
        ("between two, both impossible", [login(0, BERLIN), login(9000, BERLIN), login(3000, LAGOS)], 1),
        # 23,000 s after the one before (possible), 3,000 s before the one after (not)
        ("only the later neighbour is impossible", [login(0, BERLIN), login(26_000, BERLIN), login(23_000, LAGOS)], 1),
        ("only the earlier neighbour is impossible", [login(0, BERLIN), login(26_000, BERLIN), login(3_000, LAGOS)], 1),
        ("before all of them", [login(30_000, BERLIN), login(33_000, BERLIN), login(29_000, LAGOS)], 1),
        ("time enough on both sides", [login(0, BERLIN), login(60_000, BERLIN), login(30_000, LAGOS)], 0),
        ("inside a stay at one address", [login(t, BERLIN) for t in (0, 600, 1200, 1800)] + [login(900, LAGOS)], 1),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_late_login_is_compared_with_both_neighbours(what: str, order: list[Event], alerts: int) -> None:
    *in_time, late = order
    found = find("impossible_travel", [*in_time, login(90_000, BERLIN, actor="bob"), late])
    assert opened(found) == [("actor", "alice")] * alerts
    assert all(finding.late_s > 0 for finding in found if finding.phase == "open")


def test_a_login_through_a_vpn_does_not_hide_the_jump_around_it() -> None:
    found = find("impossible_travel", [login(0, BERLIN), login(60, OSLO, network="vpn"), login(120, LAGOS)])
    assert [finding.evidence for finding in found] == [("e0", "e120")]


def test_an_imprecise_place_does_not_hide_the_jump_around_it() -> None:
    found = find("impossible_travel", [login(0, BERLIN), login(60, OSLO, accuracy_km=6000.0), login(120, LAGOS)])
    assert [finding.evidence for finding in found] == [("e0", "e120")]


def test_taking_turns_is_one_alert_that_ends_after_quiet() -> None:
    turns = [login(i * 600, LAGOS if i % 2 else BERLIN) for i in range(9)]
    found = find("impossible_travel", [*turns, login(3 * DAY_S, BERLIN)])
    assert [(finding.phase, finding.count) for finding in found] == [("open", 2), ("update", 4), ("update", 8), ("close", 9)]
    assert found[-1].ts == T0 + 8 * 600 + 43_200


def test_a_graver_jump_takes_over_the_numbers_of_the_alert() -> None:
    slow = [login(0, BERLIN), login(20_000, LAGOS)]
    found = find("impossible_travel", [*slow, login(20_060, OSLO)])
    assert [(finding.phase, finding.severity, finding.facts["to"]) for finding in found] == [
        ("open", "medium", "Lagos, NG"),
        ("update", "high", "Oslo, NO"),
    ]


def commute(days: int, **fields: Any) -> list[Event]:
    """The same two places every morning, five minutes apart."""
    return [login(day * DAY_S + t, place, **fields) for day in range(days) for t, place in ((0, BERLIN), (300, LAGOS))]


@pytest.mark.parametrize(
    ("what", "fields", "settings", "severities"),
    [
        ("one device", {"device_id": "laptop"}, {}, ["medium", "medium", "medium", "info", "info"]),
        ("one device, sooner", {"device_id": "laptop"}, {"habit_days": 1}, ["medium", "info", "info", "info", "info"]),
        ("one device, never", {"device_id": "laptop"}, {"habit_days": 0}, ["medium"] * 5),
        ("unknown device", {}, {}, ["high"] * 5),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_only_a_known_device_makes_a_habit(what: str, fields: dict[str, Any], settings: dict[str, Any], severities: list[str]) -> None:
    found = find("impossible_travel", commute(5, **fields), settings)
    assert [finding.severity for finding in found if finding.phase == "open"] == severities


def two_devices(days: int, phone: str = "phone", place: Any = LAGOS) -> list[Event]:
    """The laptop in Berlin and a phone elsewhere every morning."""
    return [
        login(day * DAY_S + t, where, device_id=device)
        for day in range(days)
        for t, where, device in ((0, BERLIN, "laptop"), (300, place, phone))
    ]


def test_two_devices_each_from_its_own_network_make_a_habit() -> None:
    found = [finding for finding in find("impossible_travel", two_devices(5)) if finding.phase == "open"]
    assert [finding.severity for finding in found] == ["high", "high", "high", "info", "info"]
    text = ImpossibleTravel("by_actor", TravelSettings.model_validate({})).explain(found[-1])
    assert text.endswith("with different devices. These devices jump between these networks often.")


@pytest.mark.parametrize(("phone", "place"), [("other", LAGOS), ("phone", OSLO)], ids=["another phone", "another place"])
def test_the_habit_of_two_devices_covers_no_others(phone: str, place: Any) -> None:
    later = [login(4 * DAY_S, BERLIN, device_id="laptop"), login(4 * DAY_S + 60, place, device_id=phone)]
    assert find("impossible_travel", [*two_devices(4), *later])[-1].severity == "high"


def test_many_jumps_on_one_day_are_no_habit() -> None:
    turns = [login(i * 300, LAGOS if i % 2 else BERLIN, device_id="laptop") for i in range(60)]
    found = find("impossible_travel", [*turns, *(login(DAY_S + i * 300, LAGOS if i % 2 else BERLIN, device_id="laptop") for i in range(2))])
    assert [finding.severity for finding in found if finding.phase == "open"] == ["medium", "medium"]


def test_a_habit_does_not_cover_another_place_or_device() -> None:
    habit = commute(4, device_id="laptop")
    elsewhere = [*habit, login(4 * DAY_S, BERLIN, device_id="laptop"), login(4 * DAY_S + 60, OSLO, device_id="laptop")]
    assert find("impossible_travel", elsewhere)[-1].severity == "medium"
    other_device = [*habit, login(4 * DAY_S, BERLIN, device_id="laptop"), login(4 * DAY_S + 60, LAGOS, device_id="phone")]
    assert find("impossible_travel", other_device)[-1].severity == "high"


def test_a_habit_is_forgotten_after_a_month() -> None:
    found = find(
        "impossible_travel",
        [*commute(3, device_id="laptop"), *(login(40 * DAY_S + t, p, device_id="laptop") for t, p in ((0, BERLIN), (60, OSLO)))],
    )
    assert found[-1].severity == "medium"
    again = find(
        "impossible_travel",
        [*commute(3, device_id="laptop"), *(login(40 * DAY_S + t, p, device_id="laptop") for t, p in ((0, BERLIN), (60, LAGOS)))],
    )
    assert again[-1].severity == "medium"


def test_memory_is_bounded_whatever_comes() -> None:
    detector = ImpossibleTravel("by_actor", TravelSettings.model_validate({}))
    state = detector.new_state()
    for i in range(500):
        place = {"lat": (i * 37) % 170 - 85.0, "lon": (i * 91) % 360 - 180.0, "ip": f"2001:db8::{i:x}", "asn": i}
        detector.on_event("acme\x1falice", state, login(i * 60 - 400 * (i % 7), place, device_id="laptop", id=f"{i}"))
    assert len(state.anchors) <= MAX_ANCHORS
    assert len(state.ends) <= MAX_ENDS
    assert state.anchors == sorted(state.anchors, key=lambda anchor: (anchor.ts, anchor.id))


def test_a_restart_in_between_changes_nothing() -> None:
    detector = ImpossibleTravel("by_actor", TravelSettings.model_validate({}))
    events = commute(4, device_id="laptop")
    whole, cut = detector.new_state(), detector.new_state()
    for one in events:
        expected = detector.on_event("acme\x1falice", whole, one)
        cut = detector.load(1, detector.dump(cut))
        assert detector.on_event("acme\x1falice", cut, one) == expected
    assert isinstance(cut, Travel)
    assert cut == whole
