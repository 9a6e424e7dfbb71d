"""Accounts that come back after months."""

import sys
from typing import Any

import pytest

from detectors.dormant_account import DormantAccount, DormantSettings, LastUse, asn_of, country_of, moved_by, place_of
from schemas.event import Event
from tests.helpers import event, find, opened

NAME = "dormant_account"
DAY_S = 86_400.0
HOME: dict[str, Any] = {"ip": "192.0.2.7", "country": "DE", "asn": 64500}
ABROAD: dict[str, Any] = {"ip": "203.0.113.9", "country": "NG", "asn": 64510}
OTHER_NETWORK: dict[str, Any] = {"ip": "198.51.100.9", "country": "DE", "asn": 64511}


def use(day: float, kind: str = "auth.login", place: dict[str, Any] = HOME, **fields: Any) -> Event:
    return event(day * DAY_S, kind, **{"actor": "alice", "outcome": "success", **place, **fields})


BEFORE = [use(0), use(1)]


@pytest.mark.parametrize(
    ("what", "events", "alerts"),
    [
        ("90 days", [*BEFORE, use(91)], 1),
        ("a minute less", [*BEFORE, use(90.999)], 0),
        ("never seen before", [use(200)], 0),
        ("a login that failed", [*BEFORE, use(200, outcome="failure")], 0),
        ("a challenge", [*BEFORE, use(200, outcome="challenge")], 0),
        ("a login that does not say how it went", [*BEFORE, use(200, outcome=None)], 0),
        ("an API request that does not", [*BEFORE, use(200, "api.request", outcome=None)], 1),
        ("failures are no use in between", [*BEFORE, use(50, outcome="failure"), use(92)], 1),
        ("requests are", [*BEFORE, use(50, "api.request"), use(92)], 0),
        ("a session is used", [*BEFORE, use(92, "auth.session")], 1),
        ("after a year and a month", [*BEFORE, use(396)], 1),
        ("another tenant's account of that name", [use(0, tenant="acme"), use(92, tenant="globex")], 0),
        ("no actor", [use(0, actor=None), use(92, actor=None)], 0),
        ("twice in a year", [*BEFORE, use(92), use(200)], 2),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_limits(what: str, events: list[Event], alerts: int) -> None:
    assert opened(find(NAME, events)) == [("actor", "alice")] * alerts


@pytest.mark.parametrize(
    ("what", "then", "severity"),
    [
        ("nothing else", [use(100)], "low"),
        ("from another network", [use(100, place=OTHER_NETWORK)], "low"),
        ("from another country", [use(100, place=ABROAD)], "medium"),
        ("nothing known of where", [use(100, place={})], "low"),
        ("an export", [use(100), use(100.5, "data.export")], "medium"),
        ("an export first of all", [use(100, "data.export")], "medium"),
        ("an administrative action", [use(100), use(100.5, "admin.action")], "medium"),
        ("a changed factor", [use(100), use(100.5, "auth.mfa_change")], "medium"),
        ("a new key", [use(100), use(100.5, "credential.change")], "medium"),
        ("an export that failed", [use(100), use(100.5, "data.export", outcome="failure")], "low"),
        ("an export two days later", [use(100), use(102, "data.export")], "low"),
        ("an export from another network", [use(100, place=OTHER_NETWORK), use(100.5, "data.export", place=OTHER_NETWORK)], "high"),
        ("a service that exports abroad", [use(100, place=ABROAD, actor_type="service"), use(100.5, "data.export")], "low"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_severity(what: str, then: list[Event], severity: str) -> None:
    assert find(NAME, [*BEFORE, *then])[-1].severity == severity


def test_the_alert_says_where_it_was_and_is() -> None:
    finding = find(NAME, [*BEFORE, use(101, place=ABROAD), use(101.1, "data.export", place=ABROAD)])[-1]
    facts = {
        name: finding.facts[name] for name in ("away_days", "country_before", "country_now", "asn_before", "asn_now", "elsewhere", "deeds")
    }
    assert facts == {
        "away_days": 100,
        "country_before": "DE",
        "country_now": "NG",
        "asn_before": 64500,
        "asn_now": 64510,
        "elsewhere": "country, network",
        "deeds": "data.export",
    }
    assert finding.links == (("ip", "203.0.113.9"),)
    detector = DormantAccount("by_actor", DormantSettings())
    assert detector.explain(finding) == (
        "This account was not used for 100 d and is in use again, in 2 events, from another country and network than before."
        " It then did what matters: exported data."
    )
    assert detector.counterfactual(finding) == "silent if the account had been used within 90 d before"


def test_a_place_of_which_nothing_is_known_does_not_hide_the_last_one() -> None:
    assert find(NAME, [*BEFORE, use(2, "api.request", place={}), use(102, place=ABROAD)])[-1].facts["country_before"] == "DE"


def test_a_late_event_does_not_take_the_account_back_in_time() -> None:
    findings = find(NAME, [use(99), use(100), use(3), use(101)], lateness_s=1.0)
    assert findings == []


def test_an_override_gives_seasonal_staff_longer() -> None:
    settings = {"overrides": [{"entity": "ski-*", "set": {"dormant_s": 250 * DAY_S}}]}
    events = [use(0, actor="ski-anna"), use(0.5), use(200, actor="ski-anna"), use(200.5)]
    assert opened(find(NAME, events, settings)) == [("actor", "alice")]


def test_it_remembers_for_400_days() -> None:
    assert DormantAccount("by_actor", DormantSettings()).idle_ttl_s == 400 * DAY_S


def test_a_state_is_small() -> None:
    state = LastUse(last_ts=1_770_000_000.5, place=place_of("NO", 4_200_000_000))
    assert sys.getsizeof(state) + sys.getsizeof(state.last_ts) + sys.getsizeof(state.place) <= 150


@pytest.mark.parametrize(
    ("country", "asn"), [("NO", 64500), ("ZZ", 0), ("AA", 4_294_967_295)], ids=["usual", "no network", "the greatest network"]
)
def test_a_place_comes_back_whole(country: str, asn: int) -> None:
    place = place_of(country, asn)
    assert (country_of(place), asn_of(place)) == (country, asn)


@pytest.mark.parametrize("country", ["", "N", "no", "NOR", "N1", "ÄÖ"])
def test_what_is_no_country_is_none(country: str) -> None:
    assert place_of(country, 7) == place_of(None, 7)


def test_only_what_is_known_of_both_places_can_differ() -> None:
    assert moved_by(place_of("NO", 0), place_of("DE", 7)) == ["country"]
    assert moved_by(place_of(None, 7), place_of("DE", 8)) == ["network"]
    assert moved_by(0, place_of("DE", 8)) == []
