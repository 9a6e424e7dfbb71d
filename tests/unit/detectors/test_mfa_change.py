"""Second factors taken away and brought."""

from typing import Any

import pytest

from detectors.mfa_change import MOST_REMOVALS, MfaChange, MfaChangeSettings
from schemas.event import Event
from tests.helpers import T0, event, find, opened

NAME = "mfa_change"
HOUR_S, DAY_S = 3600.0, 86_400.0
AT = 10 * DAY_S
HOME = {"ip": "192.0.2.7", "asn": 64500}
AWAY = {"ip": "203.0.113.9", "asn": 64511}


def login(second: float, place: dict[str, Any], outcome: str = "success") -> Event:
    return event(second, actor="alice", outcome=outcome, **place)


def at_home(number: int = 6) -> list[Event]:
    return [login(day * DAY_S, HOME) for day in range(number)]


def change(second: float, action: str | None, by: str = "alice", place: dict[str, Any] = HOME, **fields: Any) -> Event:
    return event(
        second, "auth.mfa_change", **{"actor": by, "target": "user:alice", "action": action, "outcome": "success", **place, **fields}
    )


def reset(second: float) -> Event:
    return event(second, "auth.password_reset", actor="alice", outcome="success", **HOME)


def fails(number: int, place: dict[str, Any] = HOME) -> list[Event]:
    return [login(AT - 600 + i * 10, place, "failure") for i in range(number)]


LATER = event(AT + 3 * DAY_S, actor="zoe", outcome="success")
"""Somebody else's event, so that time goes on."""


@pytest.mark.parametrize(
    ("what", "events", "severity"),
    [
        ("removed", [change(AT, "mfa.remove")], "low"),
        ("removed by somebody else", [change(AT, "mfa.remove", "mallory")], "medium"),
        ("removed by the help desk", [change(AT, "mfa.remove", "desk-3")], "low"),
        ("replaced just in time", [change(AT, "mfa.remove"), change(AT + 12 * HOUR_S - 1, "mfa.add")], None),
        ("replaced after 12 hours", [change(AT, "mfa.remove"), change(AT + 12 * HOUR_S, "mfa.add")], "low"),
        ("replaced 12 hours before", [change(AT - 12 * HOUR_S, "mfa.add"), change(AT, "mfa.remove")], None),
        ("replaced more before", [change(AT - 12.1 * HOUR_S, "mfa.add"), change(AT, "mfa.remove")], "low"),
        ("two removed, one brought", [change(AT, "mfa.remove"), change(AT + 9, "mfa.reset"), change(AT + 60, "mfa.add")], None),
        ("a change that failed", [change(AT, "mfa.remove", outcome="failure")], None),
        ("no outcome", [change(AT, "mfa.remove", outcome=None)], "low"),
        ("no action", [change(AT, None)], None),
        ("something else done", [change(AT, "mfa.update", place=AWAY)], None),
        ("brought at home", [change(AT, "mfa.add")], None),
        ("brought from a new network", [change(AT, "mfa.add", place=AWAY)], "medium"),
        ("removed from a new network", [change(AT, "mfa.remove", place=AWAY)], "medium"),
        ("brought from a network of an hour", [login(AT - HOUR_S, AWAY), change(AT, "mfa.add", place=AWAY)], "medium"),
        ("brought from a network of two days", [login(AT - 2 * DAY_S, AWAY), change(AT, "mfa.add", place=AWAY)], None),
        ("brought from nowhere", [change(AT, "mfa.add", place={})], None),
        ("brought by somebody else elsewhere", [change(AT, "mfa.add", "mallory", AWAY)], None),
        ("brought at home after a reset", [reset(AT - 60), change(AT, "mfa.add")], "low"),
        ("brought at home an hour and more after a reset", [reset(AT - HOUR_S - 1), change(AT, "mfa.add")], None),
        ("brought for somebody after a reset", [reset(AT - 60), change(AT, "mfa.add", "mallory")], "medium"),
        ("brought by the help desk after a reset", [reset(AT - 60), change(AT, "mfa.add", "desk-3")], None),
        ("brought elsewhere after a reset", [reset(AT - 60), change(AT, "mfa.add", place=AWAY)], "high"),
        ("brought at home after two failures", [*fails(2), change(AT, "mfa.add")], None),
        ("brought at home after three", [*fails(3), change(AT, "mfa.add")], "low"),
        ("brought at home after failures elsewhere", [*fails(9, AWAY), change(AT, "mfa.add")], None),
        ("brought elsewhere after failures there", [*fails(3, AWAY), change(AT, "mfa.add", place=AWAY)], "high"),
        ("removed by somebody, used elsewhere", [change(AT, "mfa.remove", "mallory"), login(AT + 60, AWAY)], "high"),
        ("removed by the help desk, used elsewhere", [change(AT, "mfa.remove", "desk-3"), login(AT + 60, AWAY)], "medium"),
        (
            "removed by the help desk, brought elsewhere",
            [change(AT, "mfa.reset", "desk-3"), change(AT + 60, "mfa.add", place=AWAY)],
            "high",
        ),
        (
            "removed by the help desk, used at home",
            [change(AT, "mfa.reset", "desk-3"), login(AT + 60, HOME), change(AT + 90, "mfa.add")],
            None,
        ),
        ("removed by its owner, used elsewhere", [change(AT, "mfa.remove"), login(AT + 60, AWAY), change(AT + 90, "mfa.add")], None),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_change_is_weighed(what: str, events: list[Event], severity: str | None) -> None:
    found = find(NAME, [*at_home(), *events, LATER], {"helpdesk": ["desk-*"]})
    assert opened(found) == ([] if severity is None else [("actor", "alice")])
    assert [finding.severity for finding in found[-1:]] == ([] if severity is None else [severity])


def test_no_network_is_new_to_a_new_account() -> None:
    assert find(NAME, [*at_home(4), change(AT, "mfa.add", place=AWAY), LATER]) == []
    assert find(NAME, [reset(AT - 60), change(AT, "mfa.add", place=AWAY), LATER]) == []


def test_what_is_not_replaced_is_said_when_it_is_due() -> None:
    (finding,) = find(NAME, [*at_home(), change(AT, "mfa.remove"), change(AT + 60, "mfa.remove"), event(AT + 13 * HOUR_S, actor="zoe")])
    assert (finding.phase, finding.ts - T0, finding.count, finding.evidence) == ("open", AT + 12 * HOUR_S, 1, (f"e{AT:g}",))
    assert MfaChange("by_actor", MfaChangeSettings()).explain(finding) == (
        "1 factor removed by the account itself; nothing was enrolled in its place within 12 h."
    )


def test_a_log_that_ends_too_soon_says_nothing() -> None:
    assert find(NAME, [*at_home(), change(AT, "mfa.remove")]) == []


def test_alert_names_who_did_what_and_why() -> None:
    (finding,) = find(NAME, [*at_home(), change(AT, "mfa.reset", "mallory"), login(AT + 1200, AWAY)])
    assert finding.facts == {
        "rule": "login_after",
        "removed": 1,
        "added": 0,
        "by": "mallory",
        "why": "then the account logged in from a network new to it",
        "ip": "203.0.113.9",
        "reenrol_s": 12 * HOUR_S,
        "recent_s": HOUR_S,
        "failures_threshold": 3,
    }
    assert finding.links == (("actor", "mallory"), ("ip", "203.0.113.9"))
    assert finding.evidence == (f"e{AT:g}", f"e{AT + 1200:g}")
    detector = MfaChange("by_actor", MfaChangeSettings())
    assert detector.explain(finding) == "1 factor removed by mallory; then the account logged in from a network new to it."
    assert detector.counterfactual(finding) == "silent if the account had logged in from that network before the factor was removed"


def test_a_dropped_policy_is_its_administrators_alert() -> None:
    off = event(0, "auth.mfa_change", actor="root-admin", action="mfa_policy.disable", target="policy:all", **HOME)
    (finding,) = find(NAME, [off])
    assert (finding.entity, finding.severity) == ("root-admin", "medium")
    assert MfaChange("by_actor", MfaChangeSettings()).explain(finding) == (
        "This account dropped the demand for a second factor for more than one account."
    )


def test_further_changes_belong_to_the_open_alert() -> None:
    found = find(NAME, [*at_home(), change(AT, "mfa.add", place=AWAY), change(AT + 60, "mfa.remove"), LATER])
    assert [(finding.phase, finding.count, finding.facts["removed"]) for finding in found] == [
        ("open", 1, 0),
        ("update", 2, 1),
        ("close", 2, 1),
    ]


def test_a_late_replacement_keeps_it_silent() -> None:
    events = [*at_home(), change(AT, "mfa.remove"), event(AT + 2 * HOUR_S, actor="zoe"), change(AT + HOUR_S, "mfa.add"), LATER]
    assert find(NAME, events) == []


def test_memory_is_bounded_and_a_restart_changes_nothing() -> None:
    detector = MfaChange("by_actor", MfaChangeSettings())
    whole, cut = detector.new_state(), detector.new_state()
    for i in range(400):
        place = {"ip": f"203.0.113.{i % 256}", "asn": i}
        one = (login(i * 60, place), login(i * 60, place, "failure"), change(i * 60, ("mfa.remove", "mfa.add")[i // 50 % 2], "mallory"))[
            i % 3
        ]
        expected = detector.on_event("\x1falice", whole, one)
        cut = detector.load(1, detector.dump(cut))
        assert detector.on_event("\x1falice", cut, one) == expected
    assert cut == whole
    assert len(whole.removals) <= MOST_REMOVALS
    assert len(whole.fails) <= 3
