"""Logins from countries new to an account."""

from typing import Any

import pytest

from detectors.clients import agent_family
from detectors.habits import MAX_COUNTRIES, MAX_OTHERS
from detectors.new_geography import NewGeography, NewGeographySettings
from schemas.event import Event
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
        "grace_logins": 10,
        "country_memory_s": 90 * DAY_S,
    }
    assert finding.evidence == (f"e{AT:g}",)
    assert finding.links == (("ip", "203.0.113.9"),)
    detector = NewGeography("by_actor", NewGeographySettings.model_validate({}))
    assert detector.explain(finding) == "1 login from NG, with a new network, device and client; the 10 logins before came from DE."
    assert (
        detector.counterfactual(finding)
        == "silent if the account had logged in from NG within 90 d before, or if the network, device and client had been known"
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
    state = detector.new_state()
    for i in range(600):
        country = chr(65 + i % 26) + chr(65 + i // 26)
        fields = {"device_id": f"d{i}", "user_agent": f"agent-{chr(97 + i % 26)}{chr(97 + i // 26)}/1.0"}
        detector.on_event("acme\x1falice", state, login(i * DAY_S, {"country": country, "asn": i}, **fields))
    assert len(state.countries) <= MAX_COUNTRIES
    assert max(len(state.asns), len(state.devices), len(state.agents)) <= MAX_OTHERS
    assert state.novelty is not None
    assert len(state.novelty.countries) <= 4


def test_a_restart_in_between_changes_nothing() -> None:
    detector = NewGeography("by_actor", NewGeographySettings.model_validate({}))
    whole, cut = detector.new_state(), detector.new_state()
    for one in [*home(), login(AT, NG, **OTHER), login(AT + 60, NO, **OTHER)]:
        expected = detector.on_event("acme\x1falice", whole, one)
        cut = detector.load(1, detector.dump(cut))
        assert detector.on_event("acme\x1falice", cut, one) == expected
    assert cut == whole
