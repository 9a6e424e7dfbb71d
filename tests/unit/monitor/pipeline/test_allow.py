"""The allow-list: for whom an entry is, when it ends, and what is counted."""

from typing import Any

import pytest

from monitor.pipeline import allow as module
from monitor.pipeline.allow import Allow, AllowEntry, make_allow
from monitor.pipeline.runner import Runner
from schemas.event import Event

ALL = frozenset({"*"})
NOBODY: frozenset[str] = frozenset()
JAN_31_END_TS = 1_769_904_000.0
"""2026-02-01T00:00:00Z, the first moment after 2026-01-31."""


def entry(**fields: Any) -> AllowEntry:
    return AllowEntry.model_validate({"reason": "test", **fields})


def login(ts: float = 1.0, **fields: Any) -> Event:
    return Event(kind="auth.login", ts=ts, **fields)


def test_no_entries_are_no_allow_list() -> None:
    assert make_allow(()) is None
    assert isinstance(make_allow([entry(actor="a")]), Allow)


@pytest.mark.parametrize(
    ("fields", "event", "exempt"),
    [
        ({"ip": "192.0.2.7"}, {"ip": "192.0.2.7"}, True),
        ({"ip": "192.0.2.7"}, {"ip": "192.0.2.70"}, False),
        ({"ip": "192.0.2.0/24"}, {"ip": "192.0.2.255"}, True),
        ({"ip": "192.0.2.0/24"}, {"ip": "2001:db8::1"}, False),
        ({"ip": "192.0.2.0/24"}, {"ip": "not an address"}, False),
        ({"ip": "192.0.2.0/24"}, {}, False),
        ({"ip": "2001:DB8::/32"}, {"ip": "2001:db8::1"}, True),
        ({"ip": "::ffff:192.0.2.7"}, {"ip": "192.0.2.7"}, True),
        ({"actor": "svc-*"}, {"actor": "svc-backup"}, True),
        ({"actor": "svc-*"}, {"actor": "bob"}, False),
        ({"actor": "svc-?"}, {"actor": "svc-a\nb"}, False),
        ({"actor": "*"}, {}, False),
        ({"asn": "AS64500"}, {"asn": 64500}, True),
        ({"asn": 64500}, {"asn": 64501}, False),
        ({"asn": 64500}, {}, False),
        ({"user_agent": "probe/*"}, {"user_agent": "probe/1.2"}, True),
        ({"user_agent": "probe/*"}, {"user_agent": "curl/8"}, False),
        # every condition that is given must hold
        ({"actor": "svc-*", "ip": "192.0.2.7"}, {"actor": "svc-a", "ip": "192.0.2.7"}, True),
        ({"actor": "svc-*", "ip": "192.0.2.7"}, {"actor": "svc-a", "ip": "192.0.2.8"}, False),
        ({"actor": "svc-*", "tenant": "acme"}, {"actor": "svc-a", "tenant": "acme"}, True),
        ({"actor": "svc-*", "tenant": "acme"}, {"actor": "svc-a", "tenant": "other"}, False),
        ({"actor": "svc-*", "tenant": "acme"}, {"actor": "svc-a"}, False),
        # events of no tenant are a tenant too
        ({"actor": "svc-*", "tenant": "*"}, {"actor": "svc-a"}, True),
    ],
)
def test_an_entry_is_for_the_events_all_its_conditions_hold_for(fields: dict[str, Any], event: dict[str, Any], exempt: bool) -> None:  # noqa: FBT001
    allow = Allow([entry(**fields)])
    for _ in range(2):  # the second answer is a remembered one
        assert allow(login(**event)) == (ALL if exempt else NOBODY)
    assert allow.used == [2 if exempt else 0]


def test_detectors_of_all_entries_that_hold_are_exempt() -> None:
    allow = Allow(
        [entry(actor="a*", detectors=["failed_login_burst"]), entry(ip="192.0.2.0/24", detectors=["password_spray"]), entry(actor="ab")]
    )
    assert allow(login(actor="a", ip="203.0.113.1")) == {"failed_login_burst"}
    assert allow(login(actor="a", ip="192.0.2.1")) == {"failed_login_burst", "password_spray"}
    assert allow(login(actor="ab", ip="203.0.113.1")) == {"failed_login_burst", "*"}
    assert allow(login(actor="b", ip="203.0.113.1")) == NOBODY
    assert allow.used == [3, 1, 1]


@pytest.mark.parametrize(
    ("until", "last_ts"),
    [
        ("2026-01-31T23:00:00Z", JAN_31_END_TS - 3600),
        ("2026-02-01T00:00:00+01:00", JAN_31_END_TS - 3600),
        ("2026-01-31", JAN_31_END_TS - 1e-6),
    ],
)
def test_an_entry_ends_in_event_time_whatever_was_asked_before(until: str, last_ts: float) -> None:
    allow = Allow([entry(actor="a", until=until)])
    # Not in order: a late event before the end is still exempt, after one behind it.
    moments = [last_ts - 5, last_ts + 0.001, last_ts, last_ts + 5, last_ts - 5]
    assert [allow(login(ts, actor="a")) == ALL for ts in moments] == [True, False, True, False, True]
    assert allow.used == [3]


def test_entries_end_one_by_one() -> None:
    allow = Allow([entry(actor="a", detectors=["failed_login_burst"], until="2026-01-31"), entry(actor="a", detectors=["password_spray"])])
    assert allow(login(JAN_31_END_TS - 1, actor="a")) == {"failed_login_burst", "password_spray"}
    assert allow(login(JAN_31_END_TS, actor="a")) == {"password_spray"}
    assert allow.used == [1, 2]


def test_memory_is_bounded_and_forgetting_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_DECISIONS", 10)
    allow = Allow([entry(actor="svc-*")])
    for number in range(100):
        assert allow(login(actor=f"user{number}")) == NOBODY
        assert allow(login(actor="svc-a")) == ALL
        assert len(allow._decisions) <= 10
    assert allow.used == [100]


def test_only_what_entries_ask_for_makes_decisions_differ() -> None:
    allow = Allow([entry(ip="192.0.2.0/24")])
    for number in range(50):
        allow(login(ip="192.0.2.1", actor=f"user{number}", user_agent=f"probe/{number}"))
    assert len(allow._decisions) == 1


def test_the_runner_hands_no_exempt_event_to_a_detector() -> None:
    allow = make_allow([entry(ip="192.0.2.0/24")])
    assert allow is not None
    runner = Runner([], exempt=allow)
    runner.run("test", [login(float(second), ip=f"192.0.2.{second}") for second in range(5)])
    runner.finish()
    assert allow.used == [5]
