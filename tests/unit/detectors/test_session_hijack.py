"""Sessions in use at two places."""

from typing import Any

import pytest

from detectors.session_hijack import MOST_ORIGINS, HijackSettings, SessionHijack
from schemas.event import Event
from tests.helpers import T0, event, find, opened

NAME = "session_hijack"
CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0"
HOME: dict[str, Any] = {"ip": "192.0.2.7", "asn": 64500, "country": "NO", "user_agent": CHROME, "actor": "alice"}
NEAR = {**HOME, "ip": "198.51.100.9", "asn": 64502}
"""Another network of the same country."""
AWAY = {**HOME, "ip": "203.0.113.9", "asn": 64511, "country": "BR"}


def use(second: float, place: dict[str, Any], kind: str = "api.request", **fields: Any) -> Event:
    return event(second, **{"kind": kind, "session_id": "s1", "outcome": "success", **place, **fields})


@pytest.mark.parametrize(
    ("what", "first", "second", "severity", "differs"),
    [
        ("only the address", HOME, {**HOME, "ip": "192.0.2.99"}, None, ""),
        ("only the network", HOME, NEAR, None, ""),
        ("only the client", HOME, {**HOME, "user_agent": FIREFOX}, None, ""),
        ("a script at home", HOME, {**HOME, "user_agent": "curl/8.5.0"}, None, ""),
        ("network and country", HOME, AWAY, "medium", "network, country differ"),
        ("network and client", HOME, {**NEAR, "user_agent": FIREFOX}, "medium", "network, client differ"),
        ("network and a newer version", HOME, {**NEAR, "user_agent": CHROME.replace("126", "127")}, None, ""),
        ("network and device", {**HOME, "device_id": "d1"}, {**NEAR, "device_id": "d2"}, "medium", "network, device differ"),
        ("network, the same device", {**HOME, "device_id": "d1"}, {**NEAR, "device_id": "d1"}, None, ""),
        ("one device abroad", {**HOME, "device_id": "d1"}, {**AWAY, "device_id": "d1"}, "low", "network, country differ"),
        (
            "one device abroad, another client",
            {**HOME, "device_id": "d1"},
            {**AWAY, "device_id": "d1", "user_agent": FIREFOX},
            "medium",
            "network, country, client differ",
        ),
        ("a device that is sent once", {**HOME, "device_id": "d1"}, NEAR, None, ""),
        (
            "everything",
            {**HOME, "device_id": "d1"},
            {**AWAY, "device_id": "d2", "user_agent": FIREFOX},
            "medium",
            "network, country, device, client differ",
        ),
        *(
            (agent, HOME, {**NEAR, "user_agent": agent}, "high", "network, script beside a browser differ")
            for agent in ("python-requests/2.32.3", "curl/8.5.0", "python-httpx/0.28", "Go-http-client/2.0", "okhttp/4.12.0", "aiohttp/3.9")
        ),
        ("two scripts", {**HOME, "user_agent": "curl/8.5.0"}, {**NEAR, "user_agent": "wget/1.2"}, "medium", "network, client differ"),
        ("two accounts", HOME, {**NEAR, "actor": "mallory"}, "high", "network, account differ"),
        ("two accounts at home", HOME, {**HOME, "actor": "mallory"}, None, ""),
        ("nobody, then somebody", {**HOME, "actor": None}, NEAR, None, ""),
        ("anonymous, then somebody", {**HOME, "actor": "guest", "actor_type": "anonymous"}, NEAR, None, ""),
        ("one network abroad", HOME, {**AWAY, "asn": 64500}, None, ""),
        ("no number, the same first bits", {**HOME, "asn": 0}, {**AWAY, "asn": 0, "ip": "192.0.77.1"}, None, ""),
        ("no number, other first bits", {**HOME, "asn": 0}, {**AWAY, "asn": 0}, "medium", "network, country differ"),
        ("IPv6 of the same line", {**HOME, "asn": 0}, {**HOME, "asn": 0, "ip": "2001:db8::7", "user_agent": FIREFOX}, None, ""),
        ("IPv6 of another country", {**HOME, "asn": 0}, {**AWAY, "asn": 0, "ip": "2001:db8::7"}, "medium", "network, country differ"),
        (
            "two IPv6 networks",
            {**HOME, "asn": 0, "ip": "2001:db8::7"},
            {**AWAY, "asn": 0, "ip": "2001:db9::7"},
            "medium",
            "network, country differ",
        ),
        ("a mobile network abroad", HOME, {**AWAY, "network": "mobile"}, None, ""),
        (
            "a mobile network abroad, another client",
            HOME,
            {**AWAY, "network": "mobile", "user_agent": FIREFOX},
            "medium",
            "network, country, client differ",
        ),
        (
            "a relay, the same device",
            {**HOME, "device_id": "d1"},
            {**AWAY, "network": "relay", "device_id": "d1", "user_agent": FIREFOX},
            None,
            "",
        ),
        (
            "a VPN, another device",
            {**HOME, "device_id": "d1"},
            {**AWAY, "network": "vpn", "device_id": "d2"},
            "medium",
            "network, country, device differ",
        ),
        ("a hosting network abroad", HOME, {**AWAY, "network": "hosting"}, "medium", "network, country differ"),
        ("an internal address", HOME, {**AWAY, "ip": "10.0.0.5", "user_agent": "curl/8.5.0"}, None, ""),
        ("no address", HOME, {**AWAY, "ip": None}, None, ""),
        ("no session", HOME, {**AWAY, "session_id": None}, None, ""),
        ("another session", HOME, {**AWAY, "session_id": "s2"}, None, ""),
        ("another tenant", HOME, {**AWAY, "tenant": "globex"}, None, ""),
        ("no geography and no client", {"ip": "192.0.2.7"}, {"ip": "203.0.113.9"}, None, ""),
        ("a login that failed", HOME, {**AWAY, "kind": "auth.login", "outcome": "failure"}, None, ""),
        ("a login that worked", HOME, {**AWAY, "kind": "auth.login"}, "medium", "network, country differ"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_two_uses_of_a_session(what: str, first: dict[str, Any], second: dict[str, Any], severity: str | None, differs: str) -> None:
    for one, other in ((first, second), (second, first)):
        found = find(NAME, [use(0, one), use(60, other)])
        assert [(finding.severity, finding.facts["differs"]) for finding in found] == ([] if severity is None else [(severity, differs)])


@pytest.mark.parametrize(("gap_s", "alerts"), [(1800, 1), (1801, 0)])
def test_uses_count_within_half_an_hour_of_each_other(gap_s: float, alerts: int) -> None:
    # the last use at home counts, not the first
    assert len(find(NAME, [use(0, HOME), use(500, HOME), use(500 + gap_s, AWAY)])) == alerts


def test_coming_back_within_the_time_is_seen() -> None:
    assert opened(find(NAME, [use(0, HOME), use(4000, AWAY), use(4600, HOME)])) == [("session", "s1")]


def test_alert_says_what_differs_and_where() -> None:
    (finding,) = find(NAME, [use(0, HOME), use(60, HOME), use(90, AWAY)])
    assert finding.facts == {
        "differs": "network, country differ",
        "first": "192.0.2.7 (NO, chrome safari on Windows)",
        "second": "203.0.113.9 (BR, chrome safari on Windows)",
        "actors": "alice",
        "distinct_ips": 2,
        "gap_s": 30,
        "window_s": 1800,
    }
    assert (finding.evidence, finding.links) == (("e0", "e90"), (("actor", "alice"),))
    assert (finding.first_seen, finding.last_seen) == (T0 + 60, T0 + 90)
    detector = SessionHijack("by_session", HijackSettings())
    assert detector.explain(finding) == (
        "One session of alice was used from 192.0.2.7 (NO, chrome safari on Windows) and, 30 s apart, from 203.0.113.9 (BR, chrome safari on "
        "Windows): network, country differ. 2 addresses so far."
    )
    assert detector.counterfactual(finding) == (
        "silent from one network, or more than 30 min apart, or without the difference (network, country differ)"
    )


def test_one_hijack_is_one_alert_that_counts_every_use() -> None:
    taking_turns = [use(i * 10, AWAY if i % 3 else HOME) for i in range(100)]
    found = find(NAME, [*taking_turns, use(9000, HOME, session_id="s2")])
    assert opened(found) == [("session", "s1")]
    assert (found[-1].phase, found[-1].count) == ("close", 100)


def test_severity_rises_when_a_script_joins_in() -> None:
    found = find(NAME, [use(0, HOME), use(60, AWAY), use(90, AWAY, user_agent="curl/8.5.0")])
    assert [(finding.phase, finding.severity) for finding in found] == [("open", "medium"), ("update", "high")]


def test_a_second_name_at_home_is_the_same_person() -> None:
    # a login names alice@example.com, the API her number
    found = find(NAME, [use(0, HOME, "auth.login", actor="alice@example.com"), use(5, HOME, actor="4711"), use(60, NEAR, actor="4711")])
    assert found == []


def test_it_goes_on_after_quiet_and_is_seen_again() -> None:
    found = find(NAME, [use(0, HOME), use(60, AWAY), use(9000, HOME), use(9010, HOME), use(9060, AWAY)])
    assert [finding.phase for finding in found] == ["open", "close", "open"]


def test_memory_is_bounded_and_a_restart_changes_nothing() -> None:
    detector = SessionHijack("by_session", HijackSettings())
    whole, cut = detector.new_state(), detector.new_state()
    for i in range(300):
        one = use(
            i * 7, {**HOME, "ip": f"203.0.113.{i // 2 % 256}", "asn": i // 2, "actor": f"user{i}", "country": ("NO", "BR")[i // 2 % 2]}
        )
        expected = detector.on_event("\x1fs1", whole, one)
        cut = detector.load(1, detector.dump(cut))
        assert detector.on_event("\x1fs1", cut, one) == expected
    assert cut == whole
    assert len(whole.origins) == MOST_ORIGINS
