"""Keys that are used, and made, unusually."""

from typing import Any

import pytest

from detectors.api_key_abuse import ApiKeyAbuse, KeySettings
from detectors.key_use import MOST_NETWORKS, by_api_key
from schemas.event import Event
from tests.helpers import T0, event, find, opened

NAME = "api_key_abuse"
HOUR_S, MIN_S, DAY_S = 3600.0, 60.0, 86_400.0
HOME: dict[str, Any] = {"ip": "192.0.2.7", "country": "DE", "asn": 64500}
OTHER: dict[str, Any] = {"ip": "198.51.100.7", "country": "DE", "asn": 64501}
ABROAD: dict[str, Any] = {"ip": "203.0.113.9", "country": "NG", "asn": 64502}
THIRD: dict[str, Any] = {"ip": "198.51.101.7", "country": "DE", "asn": 64503}
KEY = [("api_key", "key-1")]


def use(second: float, place: dict[str, Any] = HOME, **fields: Any) -> Event:
    common = {"actor": "key-1", "actor_type": "api_key", "outcome": "success", "user_agent": "acme-sync/2.1", "route": "/v1/files/{id}"}
    return event(second, fields.pop("kind", "api.request"), **{**common, **place, **fields})


def made(second: float, target: str | None = "user:alice", action: str | None = "CreateAccessKey", **fields: Any) -> Event:
    return event(second, "credential.change", **{"actor": "alice", "target": target, "action": action, "outcome": "success", **fields})


HABIT = [use(i * HOUR_S) for i in range(20)]
LAST_S = 19 * HOUR_S
SOON_S, LATER_S = LAST_S + 20 * MIN_S, LAST_S + 5 * DAY_S


def probe(number: int, refused: int, every_s: float = 10, **fields: Any) -> list[Event]:
    """Uses of parts never called before, the first of which are refused."""
    no: dict[str, Any] = {"kind": "authz.decision", "outcome": "failure"}
    return [use(LATER_S + i * every_s, route=f"/v1/new{i}", **(no if i < refused else {}), **fields) for i in range(number)]


@pytest.mark.parametrize(
    ("what", "events", "severity"),
    [
        ("a second network at once", [*HABIT, use(SOON_S, OTHER)], "medium"),
        ("a second network later", [*HABIT, use(LAST_S + 31 * MIN_S, OTHER)], None),
        ("a new country at once", [*HABIT, use(SOON_S, ABROAD)], "high"),
        ("a new country later", [*HABIT, use(LATER_S, ABROAD)], "high"),
        ("a new network and client", [*HABIT, use(LATER_S, OTHER, user_agent="python-requests/2.32")], "high"),
        ("a new client alone", [*HABIT, use(LATER_S, user_agent="python-requests/2.32")], None),
        ("a new version of the client", [*HABIT, use(LATER_S, OTHER, user_agent="acme-sync/2.2")], None),
        ("19 uses", [*HABIT[1:], use(SOON_S, OTHER)], None),
        ("another address of the network", [*HABIT, use(SOON_S, {**HOME, "ip": "198.51.100.99"})], None),
        ("on a telephone", [*HABIT, use(SOON_S, {**ABROAD, "network": "mobile"})], None),
        ("no address", [*HABIT, use(SOON_S, {})], None),
        ("no AS number where there always was one", [*HABIT, use(SOON_S, {**OTHER, "asn": 0})], None),
        ("two own networks, then a third", [use(-60, OTHER), *HABIT, use(SOON_S, ABROAD)], "high"),
        ("three own networks, then a fourth", [use(-60, OTHER), use(-30, THIRD), *HABIT, use(SOON_S, ABROAD)], None),
        ("ten new parts and five refusals", [*HABIT, *probe(10, 5)], "high"),
        ("nine new parts", [*HABIT, *probe(9, 5)], None),
        ("four refusals", [*HABIT, *probe(10, 4)], None),
        ("ten new parts, too slowly", [*HABIT, *probe(10, 5, every_s=70)], None),
        ("a new key that finds its way", probe(20, 10), None),
        ("a person", [*HABIT, *(use(LATER_S, ABROAD, actor="key-1", actor_type="user"),)], None),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_use(what: str, events: list[Event], severity: str | None) -> None:
    findings = find(NAME, events)
    assert [finding.severity for finding in findings[-1:]] == ([severity] if severity else [])


def test_without_as_numbers_countries_and_parts_of_addresses_are_networks() -> None:
    here = [use(i * HOUR_S, {"ip": "192.0.2.7"}) for i in range(20)]
    assert opened(find(NAME, [*here, use(SOON_S, {"ip": "192.0.99.1"})])) == []
    assert opened(find(NAME, [*here, use(SOON_S, {"ip": "198.51.100.1"})])) == KEY
    assert opened(find(NAME, [*here, use(SOON_S, {"ip": "2001:db8::1"})])) == []


def test_a_thief_goes_on_and_the_owner_is_not_counted() -> None:
    stolen = [use(SOON_S + i, ABROAD if i % 2 else HOME) for i in range(1, 41)]
    findings = find(NAME, [*HABIT, *stolen])
    assert [(finding.phase, finding.count) for finding in findings] == [
        ("open", 1),
        ("update", 2),
        ("update", 4),
        ("update", 8),
        ("update", 16),
        ("update", 20),
    ]
    assert findings[0].facts["known_networks"] == "AS64500"
    assert findings[0].facts["networks"] == "AS64502"
    assert findings[0].facts["country"] == "NG"
    assert findings[0].links == (("ip", "203.0.113.9"),)


def test_what_was_told_once_is_known_afterwards() -> None:
    events = [*HABIT, use(SOON_S, OTHER), *(use(SOON_S + DAY_S + i, HOME if i % 2 else OTHER) for i in range(10))]
    assert opened(find(NAME, events)) == KEY


def test_a_key_that_roams_is_left_alone() -> None:
    places = [{"ip": f"192.0.2.{i}", "country": "DE", "asn": 64600 + i} for i in range(MOST_NETWORKS + 4)]
    events = [use(i * HOUR_S, places[i % 4]) for i in range(40)] + [use((41 + i) * HOUR_S, place) for i, place in enumerate(places)]
    assert find(NAME, events) == []


def test_a_network_not_seen_for_a_month_is_new_again() -> None:
    both = [use(0, OTHER), *(use(i * HOUR_S) for i in range(1, 21)), *(use(day * DAY_S) for day in range(1, 40))]
    assert opened(find(NAME, [*both, use(39 * DAY_S + 60, OTHER)])) == KEY


def test_a_thief_that_also_looks_around_is_high() -> None:
    stolen = [
        use(SOON_S + i, OTHER, route=f"/v1/new{i}", outcome="failure" if i < 5 else "success", status=403 if i < 5 else 200)
        for i in range(12)
    ]
    findings = find(NAME, [*HABIT, *stolen])
    assert [findings[0].severity, findings[-1].severity] == ["medium", "high"]


@pytest.mark.parametrize(
    ("what", "events", "severity"),
    [
        ("for oneself", [made(0), made(60)], None),
        ("for somebody else", [made(0, "user:bob")], "medium"),
        ("for somebody else, again after a week", [made(0, "user:bob"), made(7 * DAY_S, "user:carol")], "medium"),
        ("three in an hour", [made(0), made(60), made(120)], "medium"),
        ("three, too slowly", [made(0), made(1801), made(3602)], None),
        ("three things named by no user", [made(i, f"token:{i}", "api_token.create") for i in range(3)], "medium"),
        ("three without a target", [made(i, None, "key.add") for i in range(3)], "medium"),
        ("removed", [made(i, "user:bob", "DeleteAccessKey") for i in range(5)], None),
        ("rotated", [made(i, "client:app", "client_secret.rotate") for i in range(5)], None),
        ("refused", [made(i, "user:bob", outcome="failure") for i in range(5)], None),
        ("no action", [made(i, "user:bob", None) for i in range(5)], None),
        ("by a program", [made(0, "user:bob", actor="vault-7")], "low"),
        ("by a service", [made(0, "user:bob", actor_type="service")], "low"),
        (
            "by a service, every night",
            [made(day * DAY_S + i, f"token:{day}{i}", actor_type="service") for day in range(20) for i in range(4)],
            "low",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_keys_made(what: str, events: list[Event], severity: str | None) -> None:
    findings = find(NAME, events, {"automation": ["vault-*"]})
    assert len(opened(findings)) == (severity is not None)
    assert [finding.severity for finding in findings[-1:]] == ([severity] if severity else [])


def test_what_is_said() -> None:
    detector = ApiKeyAbuse("by_key", KeySettings())
    finding = find(NAME, [*HABIT, use(SOON_S, ABROAD, user_agent="curl/8.5.0")])[0]
    assert detector.explain(finding) == (
        "1 use of this key from AS64502, with the country NG and the client curl new to it; the 20 uses before came from AS64500, "
        "the last of them within 30 min."
    )
    finding = find(NAME, [*HABIT, *probe(10, 5)])[0]
    assert detector.explain(finding) == ("This key called 10 parts of an API it never called in 20 uses before, and was refused 5 times.")
    finding = find(NAME, [made(0, "user:bob", ip="192.0.2.7")])[0]
    assert detector.explain(finding).startswith("This account made a key for somebody else (CreateAccessKey, user:bob)")
    assert finding.links == (("ip", "192.0.2.7"),)


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"actor": "key-1", "actor_type": "api_key"}, "acme\x1fkey-1"),
        ({"actor": "key-1", "actor_type": "api_key", "session_id": "s1"}, "acme\x1fkey-1"),
        ({"actor_type": "api_key", "session_id": "s1"}, "acme\x1fs1"),
        ({"actor": "alice", "actor_type": "user", "session_id": "ASIAEXAMPLE1"}, "acme\x1fASIAEXAMPLE1"),
        ({"actor": "alice", "actor_type": "user", "session_id": "s1"}, None),
        ({"actor": "alice"}, None),
    ],
)
def test_what_is_a_key(fields: dict[str, Any], key: str | None) -> None:
    assert by_api_key(Event("api.request", T0, "e1", tenant="acme", **fields)) == key
