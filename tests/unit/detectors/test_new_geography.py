"""Accounts used from countries new to them."""

from typing import Any

import pytest

from detectors.base import ASK
from detectors.clients import agent_family
from detectors.habits import MAX_COUNTRIES, MAX_OTHERS, Habits
from detectors.new_geography import NewGeography, NewGeographySettings
from detectors.peer_places import MAX_OWN, MAX_PLACES, NO_VOTES, PERIOD_S, Compared, PeerPlaces, compare, is_due, vote
from schemas.event import Event
from schemas.finding import Finding
from tests.helpers import T0, event, find, opened

DE = {"ip": "192.0.2.10", "country": "DE", "asn": 64500}
NO = {"ip": "198.51.100.7", "country": "NO", "asn": 64501}
NG = {"ip": "203.0.113.9", "country": "NG", "asn": 64502}
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:{0}.0) Gecko/20100101 Firefox/{0}.0"
HOUR_S, DAY_S = 3600.0, 86_400.0


def login(seconds: float, place: dict[str, Any], **fields: Any) -> Event:
    return event(seconds, **{"actor": "alice", "tenant": "acme", "outcome": "success", **place, **fields})


def home(logins: int = 10, **fields: Any) -> list[Event]:
    """One login an hour from Germany."""
    return [login(i * HOUR_S, DE, **{"device_id": "laptop", "user_agent": AGENT.format(115 + i), **fields}) for i in range(logins)]


def request(seconds: float, place: dict[str, Any], **fields: Any) -> Event:
    return login(seconds, place, **{"kind": "api.request", "session_id": "s1", "actor_type": "user", **fields})


def show(detector: NewGeography, state: Habits, peers: PeerPlaces, one: Event) -> Finding | None:
    """As the runner does."""
    finding = detector.on_event("acme\x1falice", state, one)
    return detector.consider("acme\x1falice", state, peers, one.ts, one) if finding is ASK else finding


AT = 12 * HOUR_S
OWN = {"device_id": "laptop", "user_agent": AGENT.format(140)}
OTHER = {"device_id": "phone", "user_agent": "okhttp/4.12.0"}


@pytest.mark.parametrize(
    ("what", "last", "severity", "new"),
    [
        ("all is new", login(AT, NG, **OTHER), "medium", "country, network, device, client"),
        ("the own laptop", login(AT, NG, **OWN), "low", "country, network"),
        ("the own laptop, another browser", login(AT, NG, device_id="laptop", user_agent="curl/8.5.0"), "low", "country, network, client"),
        ("the known network, another device", login(AT, {**NG, "asn": 64500}, **OTHER), "medium", "country, device, client"),
        ("a known browser, no device sent", login(AT, NG, user_agent=AGENT.format(140)), "low", "country, network"),
        ("another browser, no device sent", login(AT, NG, user_agent="curl/8.5.0"), "medium", "country, network, client"),
        ("country and network, no more sent", login(AT, NG), "medium", "country, network"),
        ("no more than the country sent", login(AT, {"country": "NG"}), "low", "country"),
        ("all but the country known", login(AT, {**NG, "asn": 64500}, **OWN), None, ""),
        ("known country, all else new", login(AT, {**DE, "asn": 64510}, **OTHER), None, ""),
        ("a failure", login(AT, NG, **OTHER, outcome="failure"), None, ""),
        ("no outcome", login(AT, NG, **OTHER, outcome=None), None, ""),
        ("no country", login(AT, {**NG, "country": None}, **OTHER), None, ""),
        ("no actor", login(AT, NG, **OTHER, actor=None), None, ""),
        ("another tenant", login(AT, NG, **OTHER, tenant="globex"), None, ""),
        ("mobile network", login(AT, NG, **OTHER, network="mobile"), "medium", "country, network, device, client"),
        *((network, login(AT, NG, **OTHER, network=network), None, "") for network in ("vpn", "hosting", "relay", "satellite")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_login_after_ten_from_home(what: str, last: Event, severity: str | None, new: str) -> None:
    found = find("new_geography", [*home(), last])
    assert [(finding.severity, finding.facts["new"]) for finding in found] == ([] if severity is None else [(severity, new)])


def test_alert_says_what_is_new_and_the_smallest_change() -> None:
    (finding,) = find("new_geography", [*home(), login(AT, NG, **OTHER)])
    assert finding.facts == {
        "country": "NG",
        "known_countries": "DE",
        "new": "country, network, device, client",
        "compared": 3,
        "logins_before": 10,
        "away_s": 0,
        "what": "login",
        "peers": 0,
        "peers_from_there": 0,
        "common_peers": 0,
        "grace_logins": 10,
        "country_memory_s": 90 * DAY_S,
    }
    assert finding.evidence == (f"e{AT:g}",)
    assert finding.links == (("ip", "203.0.113.9"),)
    detector = NewGeography("by_actor", NewGeographySettings.model_validate({}))
    assert detector.explain(finding) == "1 login from NG, with a new network, device and client; the 10 logins before came from DE."
    assert (
        detector.counterfactual(finding)
        == "silent if the account had been used from NG within 90 d before, or if the network, device and client had been known"
    )


@pytest.mark.parametrize(
    ("what", "before", "at_s", "alerts"),
    [
        ("the first login of all", [], 0, 0),
        ("after nine logins", home(9), AT, 0),
        ("after ten logins", home(10), AT, 1),
        ("after one login, 13 days later", home(1), 13 * DAY_S, 0),
        ("after one login, 14 days later", home(1), 14 * DAY_S, 1),
        ("after ten logins that had no country", home(10, country=None), AT, 0),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_new_account_is_learned_silently(what: str, before: list[Event], at_s: float, alerts: int) -> None:
    assert opened(find("new_geography", [*before, login(at_s, NG, **OTHER)])) == [("actor", "alice")] * alerts


def test_what_is_learned_during_grace_is_known() -> None:
    both = [login(i * HOUR_S, NO if i % 2 else DE, **OWN) for i in range(12)]
    assert find("new_geography", [*both, login(20 * HOUR_S, NO, **OTHER)]) == []


def test_one_country_alerts_once() -> None:
    abroad = [login(AT + i * 6 * HOUR_S, NG, **OTHER) for i in range(40)]
    found = find("new_geography", [*home(), *abroad])
    assert opened(found) == [("actor", "alice")]
    assert found[-1].count == 40


def test_it_resolves_after_quiet_and_stays_silent_about_that_country() -> None:
    found = find("new_geography", [*home(), login(AT, NG, **OTHER), login(AT + 3 * DAY_S, NG, **OTHER), login(AT + 4 * DAY_S, DE, **OWN)])
    assert [(finding.phase, finding.ts - T0) for finding in found] == [("open", AT), ("close", AT + 43_200)]


def test_a_second_new_country_belongs_to_the_open_alert_and_is_said() -> None:
    found = find("new_geography", [*home(), *(login(AT + i, NG, **OTHER) for i in range(3)), login(AT + 60, NO, **OTHER)])
    assert [(finding.phase, finding.count, finding.facts["country"]) for finding in found] == [
        ("open", 1, "NG"),
        ("update", 2, "NG"),
        ("update", 4, "NG, NO"),
    ]
    assert found[-1].links == ()  # two addresses by now


def test_severity_rises_with_what_comes() -> None:
    found = find("new_geography", [*home(), login(AT, NO, **OWN), login(AT + 60, NG, **OTHER)])
    assert [(finding.phase, finding.severity) for finding in found] == [("open", "low"), ("update", "medium")]


def test_an_intruders_device_is_not_known_at_once() -> None:
    found = find("new_geography", [*home(), login(AT, NG, **OTHER), login(AT + 13 * HOUR_S, NO, **OTHER)])
    assert [finding.severity for finding in found if finding.phase == "open"] == ["medium", "medium"]


def test_a_country_seen_through_a_vpn_is_not_learned() -> None:
    found = find("new_geography", [*home(), login(AT, NG, **OTHER, network="vpn"), login(AT + 60, NG, **OTHER)])
    assert [finding.severity for finding in found] == ["medium"]


@pytest.mark.parametrize(
    ("what", "days", "place", "severities"),
    [
        ("a known country after 89 days", 89, DE, []),
        ("a known country after 100 days", 100, DE, []),
        ("a new country after 89 days", 89, NG, ["medium"]),
        ("a new country after 100 days", 100, NG, ["info"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_after_long_absence_one_login_is_free(what: str, days: int, place: dict[str, Any], severities: list[str]) -> None:
    found = find("new_geography", [*home(), login(days * DAY_S, place, **OTHER)])
    assert [finding.severity for finding in found] == severities


def test_after_the_free_login_the_account_is_watched_again() -> None:
    back = [login(100 * DAY_S, NO, **OTHER), login(101 * DAY_S, NG, **OWN)]
    found = find("new_geography", [*home(), *back])
    assert [finding.severity for finding in found if finding.phase == "open"] == ["info", "low"]


def test_a_late_login_from_a_country_learned_since_is_silent() -> None:
    found = find("new_geography", [*home(), login(AT, NG, **OTHER), login(AT - 1800, NG, **OTHER)])
    assert [(finding.phase, finding.count) for finding in found] == [("open", 1), ("update", 2)]
    assert found[-1].first_seen == T0 + AT - 1800


@pytest.mark.parametrize(
    ("agent", "family"),
    [
        (AGENT.format(115), "firefox on Linux"),
        (AGENT.format(140), "firefox on Linux"),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0",
            "chrome safari edg on Windows",
        ),
        ("python-requests/2.32.3", "python-requests"),
        ("aws-cli/2.15 Python/3.11 Linux/6.1", "aws-cli python linux on Linux"),
        ("Backup agent 7", "backup agent"),
        ("7.1", ""),
        ("x" * 9000, "x" * 64),
    ],
)
def test_a_client_is_known_without_its_versions(agent: str, family: str) -> None:
    assert agent_family(agent) == family


def test_memory_is_bounded_whatever_comes() -> None:
    detector = NewGeography("by_actor", NewGeographySettings.model_validate({}))
    state, peers = detector.new_state(), PeerPlaces()
    for i in range(600):
        country = chr(65 + i % 26) + chr(65 + i // 26)
        fields = {"device_id": f"d{i}", "user_agent": f"agent-{chr(97 + i % 26)}{chr(97 + i // 26)}/1.0"}
        show(detector, state, peers, login(i * DAY_S, {"country": country, "asn": i}, **fields))
    assert len(state.countries) <= MAX_COUNTRIES
    assert max(len(state.asns), len(state.devices), len(state.agents)) <= MAX_OTHERS
    assert state.novelty is not None
    assert len(state.novelty.countries) <= 4
    assert len(state.votes.countries) <= MAX_OWN
    assert len(peers.countries) + len(peers.countries_before) <= 2 * MAX_PLACES


def test_a_restart_in_between_changes_nothing() -> None:
    detector = NewGeography("by_actor", NewGeographySettings.model_validate({}))
    memory = detector.peers
    assert memory is not None
    whole, cut = detector.new_state(), detector.new_state()
    peers, cut_peers = PeerPlaces(), PeerPlaces()
    for one in [*home(12), login(AT, NG, **OTHER), login(AT + 60, NO, **OTHER)]:
        expected = show(detector, whole, peers, one)
        cut, cut_peers = detector.load(1, detector.dump(cut)), memory.load(1, memory.dump(cut_peers))
        assert show(detector, cut, cut_peers, one) == expected
    assert (cut, cut_peers) == (whole, peers)
    assert peers.countries == {"DE": 1}


# -- requests ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "last", "severity"),
    [
        ("a session with another device", request(AT, NG, **OTHER), "medium"),
        ("the session of a minute before, for session_hijack", request(9 * HOUR_S + 60, NG, **OTHER, session_id="s0"), "low"),
        ("the session of an hour before", request(10 * HOUR_S, NG, **OTHER, session_id="s0"), "medium"),
        ("the own laptop", request(AT, NG, **OWN), "info"),
        ("a known browser, no device sent", request(AT, NG, user_agent=AGENT.format(140)), "info"),
        ("no more than the country sent", request(AT, {"country": "NG"}), "info"),
        ("no session", request(AT, NG, **OTHER, session_id=None), "low"),
        ("a key", request(AT, NG, **OTHER, actor_type="api_key"), "low"),
        ("a service", request(AT, NG, **OTHER, actor_type="service"), "low"),
        ("an AWS key", request(AT, NG, **OTHER, session_id="ASIAEXAMPLE1"), "low"),
        *((kind, request(AT, NG, **OTHER, kind=kind), "medium") for kind in ("data.export", "data.query", "admin.action", "auth.session")),
        ("no outcome", request(AT, NG, **OTHER, outcome=None), "medium"),
        ("a failure", request(AT, NG, **OTHER, outcome="failure"), None),
        ("a decision", request(AT, NG, **OTHER, kind="authz.decision"), None),
        ("all but the country known", request(AT, {**NG, "asn": 64500}, **OWN), None),
        ("a known country", request(AT, DE, **OTHER), None),
        ("no country", request(AT, {**NG, "country": None}, **OTHER), None),
        ("a VPN", request(AT, NG, **OTHER, network="vpn"), None),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_request_after_ten_logins_from_home(what: str, last: Event, severity: str | None) -> None:
    found = find("new_geography", [*home(session_id="s0"), last])
    assert [finding.severity for finding in found] == ([] if severity is None else [severity])


@pytest.mark.parametrize(
    ("what", "rows", "severities"),
    [
        ("the owner's login after a request of the same laptop", [request(AT, NG, **OWN), login(AT + 60, NG, **OWN)], ["info", "low"]),
        ("a stranger's login after the owner's", [login(AT, NG, **OWN), login(AT + 60, NG, **OTHER)], ["low", "medium"]),
        ("a stranger's login after a request", [request(AT, NG, **OWN), login(AT + 60, NG, **OTHER)], ["info", "medium"]),
        ("the owner's login after a stranger's", [login(AT, NG, **OTHER), login(AT + 60, NG, **OWN)], ["medium", "medium"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_comes_later_from_there_may_be_graver(what: str, rows: list[Event], severities: list[str]) -> None:
    found = find("new_geography", [*home(), *rows])
    assert [finding.severity for finding in found] == severities
    assert len(opened(found)) == 1


def test_an_alert_of_a_key_belongs_to_what_is_said_of_the_key() -> None:
    use = {"actor": "key-1", "actor_type": "api_key", "session_id": None, "user_agent": "Sync/2.1"}
    days = [request(i * DAY_S, DE, **use) for i in range(10)]
    (finding,) = find("new_geography", [*days, request(10 * DAY_S, NG, **use | {"user_agent": "curl/8.5.0"})])
    assert (finding.severity, finding.links) == ("low", (("ip", "203.0.113.9"), ("api_key", "key-1")))
    detector = NewGeography("by_actor", NewGeographySettings.model_validate({}))
    assert detector.explain(finding) == "1 request from NG, with a new network and client; before, it was used from DE."


@pytest.mark.parametrize(("days", "alerts"), [(9, 0), (10, 1)])
def test_of_an_account_that_never_logs_in_one_request_a_day_counts(days: int, alerts: int) -> None:
    many = [request(day * DAY_S + i, DE, **OWN) for day in range(days) for i in range(20)]
    found = find("new_geography", [*many, request(days * DAY_S, NG, **OTHER)])
    assert len(opened(found)) == alerts


def test_requests_teach_a_device_and_a_network() -> None:
    other = {**DE, "asn": 64510}
    taught = [*home(), request(AT, other, **OTHER), login(AT + 2 * HOUR_S, {**NG, "asn": 64510}, **OTHER)]
    assert find("new_geography", taught) == []


# -- peers ------------------------------------------------------------------------------------------------------------------------

FEW = {"min_peers": 5, "common_peers": 3, "common_share": 0.0}


def peers(in_norway: int, number: int = 6, **fields: Any) -> list[Event]:
    """So many accounts with eleven logins each, some of them in Norway."""
    places = [NO if i < in_norway else DE for i in range(number)]
    return [login(h * HOUR_S + i, place, **OWN, actor=f"peer{i}", **fields) for h in range(11) for i, place in enumerate(places)]


def by_time(*parts: list[Event]) -> list[Event]:
    return sorted((one for part in parts for one in part), key=lambda one: one.ts)


@pytest.mark.parametrize(
    ("what", "others", "last", "severity"),
    [
        ("three are there, the own laptop", peers(3), login(AT, NO, **OWN), "info"),
        ("three are there, another device", peers(3), login(AT, NO, **OTHER), "low"),
        ("three are there, a request on the own laptop", peers(3), request(AT, NO, **OWN), "info"),
        ("two are there", peers(2), login(AT, NO, **OTHER), "medium"),
        ("nobody is there", peers(3), login(AT, NG, **OTHER), "medium"),
        ("nobody is there, the own laptop", peers(3), login(AT, NG, **OWN), "low"),
        ("four peers are too few", peers(3, 4), login(AT, NO, **OTHER), "medium"),
        ("peers of another tenant", peers(3, tenant="globex"), login(AT, NO, **OTHER), "medium"),
        ("peers that have just begun", [one for one in peers(3) if one.ts < T0 + 10 * HOUR_S], login(AT, NO, **OTHER), "medium"),
        ("peers of long ago", peers(3), login(100 * DAY_S, NO, **OTHER), "medium"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_place_where_peers_are_at_home_is_less_grave(what: str, others: list[Event], last: Event, severity: str) -> None:
    own = home() if last.ts < T0 + DAY_S else [*home(), login(80 * DAY_S, DE, **OWN)]
    found = find("new_geography", [*by_time(others, own), last], FEW)
    assert [finding.severity for finding in found if finding.phase == "open" and finding.entity == "alice"][-1:] == [severity]


def test_alert_says_how_many_peers_are_there() -> None:
    detector = NewGeography("by_actor", NewGeographySettings.model_validate(FEW))
    (finding,) = find("new_geography", [*by_time(peers(3), home()), login(AT, NO, **OWN)], FEW)
    assert {name: finding.facts[name] for name in ("peers", "peers_from_there", "common_peers")} == {
        "peers": 6,
        "peers_from_there": 3,
        "common_peers": 3,
    }
    assert detector.explain(finding).endswith("came from DE. 3 of the 6 other accounts of the tenant are used from there.")
    assert detector.counterfactual(finding).endswith("; graver if fewer than 3 other accounts were used from there")
    (finding,) = find("new_geography", [*by_time(peers(3), home()), login(AT, NG, **OTHER)], FEW)
    assert detector.explain(finding).endswith("came from DE. None of the 6 other accounts of the tenant is used from there.")
    assert detector.counterfactual(finding).endswith("; less grave if 3 other accounts were used from there")


def test_a_share_of_all_peers_is_needed_too() -> None:
    found = find("new_geography", [*by_time(peers(3, 8), home()), login(AT, NO, **OTHER)], {**FEW, "common_share": 0.5})
    assert [(finding.severity, finding.facts["common_peers"]) for finding in found] == [("medium", 4)]


def test_accounts_in_strange_hands_make_no_country_common() -> None:
    stolen = [login(AT + i, NG, **OTHER, actor=f"peer{i}") for i in range(6)]
    found = find("new_geography", [*by_time(peers(0), home()), *stolen, login(AT + 60, NG, **OTHER)], FEW)
    assert [finding.severity for finding in found] == ["medium"] * 7


def test_a_country_counts_a_peer_once_and_is_forgotten_after_two_periods() -> None:
    votes, places = NO_VOTES, PeerPlaces()
    votes = vote(places, votes, "NO", 10 * PERIOD_S)
    assert not is_due(votes, "NO", 10.9 * PERIOD_S)
    assert is_due(votes, "DE", 10.9 * PERIOD_S)
    assert is_due(votes, "NO", 11 * PERIOD_S)
    limits = NewGeographySettings.model_validate({**FEW, "min_peers": 1})
    assert [compare(places, NO_VOTES, "NO", period * PERIOD_S, limits).there for period in (10, 11, 12)] == [1, 1, 0]


def test_an_account_is_not_its_own_peer() -> None:
    votes, places = NO_VOTES, PeerPlaces()
    for country in ("NO", "DE"):
        votes = vote(places, votes, country, 0.0)
    limits = NewGeographySettings.model_validate({**FEW, "min_peers": 1})
    assert compare(places, votes, "NO", 1.0, limits) == Compared(0, 0, 0)
    assert compare(places, NO_VOTES, "NO", 1.0, limits) == Compared(1, 1, 3)
