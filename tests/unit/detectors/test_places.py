"""Networks that are an account's own."""

import pytest

from detectors.places import MOST_PLACES, Places, judge, learn
from schemas.event import Event
from tests.helpers import T0, event

DAY_S = 86_400.0


def at(day: float, ip: str | None = "192.0.2.7", asn: int = 64500) -> Event:
    return event(day * DAY_S, ip=ip, asn=asn, actor="alice", outcome="success")


@pytest.mark.parametrize(
    ("what", "now", "place"),
    [
        ("the same address", at(10), "known"),
        ("the same address, its network not sent", at(10, asn=0), "known"),
        ("another address of the network", at(10, "198.51.100.1"), "known"),
        ("another network", at(10, "203.0.113.9", 64511), "new"),
        ("no AS number ever seen without one", at(10, "203.0.113.9", 0), "unknown"),
        ("no address", at(10, None), "unknown"),
        ("after the memory", at(100), "unknown"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_networks_are_compared(what: str, now: Event, place: str) -> None:
    places = Places()
    for day in range(5):
        learn(places, at(day), 60 * DAY_S)
    assert judge(places, now, T0 + 9 * DAY_S, 60 * DAY_S, grace_logins=5) == place
    assert judge(places, now, T0, 60 * DAY_S, grace_logins=5) == "unknown"  # nothing was known by then


def test_addresses_without_numbers_are_compared_by_their_first_bits() -> None:
    places = Places()
    learn(places, at(0, "192.0.2.7", 0), 60 * DAY_S)
    seen = [judge(places, at(1, ip, 0), T0 + DAY_S, 60 * DAY_S, 1) for ip in ("192.0.99.1", "203.0.113.9", "2001:db8::1")]
    assert seen == ["known", "new", "unknown"]


def test_few_logins_judge_nothing() -> None:
    places = Places()
    for day in range(4):
        learn(places, at(day), 60 * DAY_S)
    assert judge(places, at(10, "203.0.113.9", 64511), T0 + 9 * DAY_S, 60 * DAY_S, grace_logins=5) == "unknown"


def test_memory_is_bounded() -> None:
    places = Places()
    for i in range(100):
        learn(places, at(i / 100, f"203.0.113.{i}", 64500 + i), 60 * DAY_S)
    assert (len(places.ips), len(places.networks), places.logins) == (MOST_PLACES, MOST_PLACES, 100)
