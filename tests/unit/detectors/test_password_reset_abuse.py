"""Password resets by somebody who wants in."""

from typing import Any

import pytest

from detectors.password_reset_abuse import PasswordResetAbuse, ResetSettings
from schemas.event import Event
from tests.helpers import event, find, opened

NAME = "password_reset_abuse"
HOUR_S, DAY_S = 3600.0, 86_400.0
AT = 10 * DAY_S
HOME = {"ip": "192.0.2.7", "asn": 64500}
AWAY = {"ip": "203.0.113.9", "asn": 64511}
ALICE, ADDRESS = ("actor", "alice"), ("ip", "203.0.113.9")


def login(second: float, place: dict[str, Any], actor: str = "alice", **fields: Any) -> Event:
    return event(second, **{"actor": actor, "outcome": "success", **place, **fields})


def at_home(**fields: Any) -> list[Event]:
    return [login(day * DAY_S, HOME, **fields) for day in range(6)]


def reset(second: float, place: dict[str, Any] = AWAY, name: str = "alice", **fields: Any) -> Event:
    return event(second, "auth.password_reset", **{"actor": name, "target": f"user:{name}", "outcome": "success", **place, **fields})


def factor(second: float, **fields: Any) -> Event:
    return event(second, "auth.mfa_change", **{"actor": "alice", "action": "mfa.add", "outcome": "success", **AWAY, **fields})


def resets(number: int, gap_s: float = 600, place: dict[str, Any] = AWAY, **fields: Any) -> list[Event]:
    return [reset(AT + i * gap_s, place, **fields) for i in range(number)]


@pytest.mark.parametrize(
    ("what", "events", "severity"),
    [
        ("four resets", resets(4), None),
        ("five resets", resets(5), "medium"),
        ("five in just an hour", resets(5, 900), "medium"),
        ("never five in an hour", resets(20, 901), None),
        ("five told in two steps", resets(10, 3), "medium"),
        ("five records of one", resets(5, 1), None),
        ("five asked for", resets(5, outcome="challenge"), "medium"),
        ("five that failed", resets(5, outcome="failure"), "medium"),
        ("five at home", resets(5, place=HOME), "low"),
        ("four at home, the last elsewhere", [*resets(4, place=HOME), reset(AT + 2400)], "medium"),
        ("five at home, the sixth elsewhere", [*resets(5, place=HOME), reset(AT + 3000)], "medium"),
        ("by the help desk", resets(5, actor="desk-1"), "medium"),
        ("the account of the help desk", resets(5, actor="alice", target="user:bob"), None),
        ("the chain", [reset(AT), factor(AT + 60), login(AT + 120, AWAY)], "high"),
        ("the chain, the login first", [reset(AT), login(AT + 60, AWAY), factor(AT + 120)], "high"),
        ("the chain, the factor removed", [reset(AT), factor(AT + 60, action="mfa.reset"), login(AT + 120, AWAY)], "high"),
        ("the chain in a day", [reset(AT), factor(AT + 60), login(AT + DAY_S, AWAY)], "high"),
        ("the chain in more", [reset(AT), factor(AT + 60), login(AT + DAY_S + 1, AWAY)], None),
        ("the chain out of order", [factor(AT), reset(AT + 60), login(AT + 120, AWAY)], None),
        ("only asked for", [reset(AT, outcome="challenge"), factor(AT + 60), login(AT + 120, AWAY)], None),
        ("nothing changed", [reset(AT), login(AT + 120, AWAY)], None),
        ("a factor that was only updated", [reset(AT), factor(AT + 60, action="mfa.update"), login(AT + 120, AWAY)], None),
        ("a change that failed", [reset(AT), factor(AT + 60, outcome="failure"), login(AT + 120, AWAY)], None),
        ("the login at home", [reset(AT), factor(AT + 60), login(AT + 120, HOME)], None),
        ("the login with the own laptop", [reset(AT), factor(AT + 60), login(AT + 120, AWAY, device_id="laptop-1")], None),
        ("the login with another device", [reset(AT), factor(AT + 60), login(AT + 120, AWAY, device_id="phone-9")], "high"),
        ("the login fails", [reset(AT), factor(AT + 60), login(AT + 120, AWAY, outcome="failure")], None),
        ("a reset of last week", [reset(AT - 7 * DAY_S), reset(AT), factor(AT + 60), login(AT + 120, AWAY)], "high"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_resets_of_an_account(what: str, events: list[Event], severity: str | None) -> None:
    found = [finding for finding in find(NAME, [*at_home(device_id="laptop-1"), *events]) if finding.entity == "alice"]
    assert [finding.severity for finding in found[-1:]] == ([] if severity is None else [severity])
    assert opened(found) == ([] if severity is None else [ALICE])


@pytest.mark.parametrize(
    ("what", "events", "alerts"),
    [
        ("four accounts", [reset(i * 60, name=f"user{i}") for i in range(4)], []),
        ("five accounts", [reset(i * 60, name=f"user{i}") for i in range(5)], [ADDRESS]),
        ("five accounts by nobody", [reset(i * 60, name=f"user{i}", actor=None) for i in range(5)], [ADDRESS]),
        ("five accounts by a help desk", [reset(i * 60, name=f"user{i}", actor="desk-1") for i in range(5)], []),
        ("four accounts twice", [reset(i * 60, name=f"user{i % 4}") for i in range(8)], []),
        ("never five in an hour", [reset(i * 901, name=f"user{i}") for i in range(9)], []),
        ("nobody's accounts", [reset(i * 60, actor=None, target=None) for i in range(9)], []),
        ("no address", [reset(i * 60, {}, f"user{i}") for i in range(9)], []),
        ("two tenants", [reset(i * 60, name=f"user{i}", tenant="ab"[i % 2]) for i in range(8)], []),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_resets_from_an_address(what: str, events: list[Event], alerts: list[tuple[str, str]]) -> None:
    assert opened(find(NAME, events)) == alerts


@pytest.mark.parametrize(("known", "alerts"), [(2, [ADDRESS]), (4, [ADDRESS]), (5, [])])
def test_an_office_may_reset_as_many_as_work_there(known: int, alerts: list[tuple[str, str]]) -> None:
    people = [login(i, AWAY, f"user{i}") for i in range(known)]
    assert opened(find(NAME, [*people, *(reset(DAY_S + i * 60, name=f"user{i}") for i in range(5))])) == alerts


def test_the_chain_is_told_in_full() -> None:
    (finding,) = find(NAME, [*at_home(), reset(AT), factor(AT + 900), login(AT + 1800, AWAY)])
    assert finding.evidence == (f"e{AT:g}", f"e{AT + 900:g}", f"e{AT + 1800:g}")
    assert finding.links == (ADDRESS,)
    assert finding.facts == {
        "rule": "chain",
        "resets": 1,
        "threshold": 5,
        "window_s": HOUR_S,
        "distinct_ips": 1,
        "factor_changed": "yes",
        "login_ip": "203.0.113.9",
        "chain_s": DAY_S,
    }
    detector = PasswordResetAbuse("by_actor", ResetSettings.model_validate({}))
    assert detector.explain(finding) == (
        "The password was reset, a factor changed and the account used from a network new to it (203.0.113.9), all within 30 min."
    )
    assert detector.counterfactual(finding) == (
        "silent without a changed factor within 24 h of the reset, or with the login from a network or device known before it"
    )


def test_an_account_that_is_used_where_it_was_reset_makes_it_grave() -> None:
    found = find(NAME, [*(reset(i * 60, name=f"user{i}") for i in range(5)), login(400, AWAY, "user1"), login(500, AWAY, "zoe")])
    assert [(finding.phase, finding.severity, finding.count) for finding in found] == [("open", "medium", 5), ("update", "high", 6)]
    assert PasswordResetAbuse("by_ip", ResetSettings.model_validate({})).explain(found[1]) == (
        "5 accounts (user0, user1, user2, user3, user4) reset from this address in 6.7 min. 1 of them then logged in there (user1)."
    )
    assert found[1].links == (("actor", "user1"),)


def test_many_resets_that_end_in_a_take_over_are_one_alert() -> None:
    found = find(NAME, [*at_home(), *resets(5), factor(AT + 2500), login(AT + 2600, AWAY)])
    assert [(finding.phase, finding.severity, finding.facts["rule"]) for finding in found] == [
        ("open", "medium", "many"),
        ("update", "high", "chain"),
    ]


def test_a_restart_in_between_changes_nothing() -> None:
    detector = PasswordResetAbuse("by_actor", ResetSettings.model_validate({}))
    whole, cut = detector.new_state(), detector.new_state()
    for one in [*at_home(), *resets(5), factor(AT + 2500), login(AT + 2600, AWAY), reset(AT + 2700)]:
        expected = detector.on_event("\x1falice", whole, one)
        cut = detector.load(1, detector.dump(cut))
        assert detector.on_event("\x1falice", cut, one) == expected
    assert cut == whole
