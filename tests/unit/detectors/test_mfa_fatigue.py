"""Second factors asked for until somebody gives in."""

from typing import Any

import pytest

from detectors.mfa_fatigue import FatigueSettings, MfaFatigue
from detectors.shared_address import MAX_KNOWN
from schemas.event import Event
from tests.helpers import event, find, opened

NAME = "mfa_fatigue"
THIEF, HOME = "203.0.113.9", "192.0.2.7"
ALICE, ADDRESS = ("actor", "alice"), ("ip", THIEF)
DAY_S = 86_400.0


def ask(second: float, outcome: str = "failure", kind: str = "auth.mfa_challenge", **fields: Any) -> Event:
    reason = "mfa_denied" if outcome == "failure" else None
    return event(second, kind, **{"actor": "alice", "ip": THIEF, "outcome": outcome, "action": "mfa.verify", "reason": reason, **fields})


def refusals(number: int, gap_s: float = 60, **fields: Any) -> list[Event]:
    return [ask(i * gap_s, **fields) for i in range(number)]


def login(second: float, **fields: Any) -> Event:
    return event(second, **{"actor": "alice", "ip": HOME, "outcome": "success", **fields})


@pytest.mark.parametrize(
    ("events", "alerts"),
    [
        pytest.param(refusals(4), [], id="four"),
        pytest.param(refusals(5), [ALICE], id="five"),
        pytest.param(refusals(5, reason="mfa_timeout"), [ALICE], id="five_left_alone"),
        pytest.param(refusals(5, reason=None), [ALICE], id="five_without_a_reason"),
        pytest.param(refusals(5, 150), [ALICE], id="five_in_just_ten_minutes"),
        pytest.param(refusals(20, 151), [], id="never_five_in_ten_minutes"),
        pytest.param(refusals(9, 1), [ALICE], id="told_twice_a_second_apart"),
        pytest.param(refusals(8, 1), [], id="four_told_twice"),
        pytest.param(refusals(5, kind="auth.login"), [ALICE], id="told_as_failed_logins"),
        pytest.param(refusals(5, kind="auth.login", reason="bad_password"), [], id="failed_logins_of_another_kind"),
        pytest.param(refusals(20, 20, kind="auth.login", outcome="challenge"), [], id="logins_that_ask_for_a_factor"),
        pytest.param(refusals(9, outcome="challenge"), [], id="nine_sent"),
        pytest.param(refusals(10, outcome="challenge"), [ALICE], id="ten_sent"),
        pytest.param([ask(i * 30, "failure" if i % 2 else "challenge") for i in range(9)], [], id="four_sent_and_refused"),
        pytest.param([ask(i * 30, "failure" if i % 2 else "challenge") for i in range(10)], [ALICE], id="five_sent_and_refused"),
        *(
            pytest.param(refusals(20, 20, action=f"mfa.verify.{factor}"), [], id=factor)
            for factor in ("fido_webauthn", "number_matching", "U2F", "passkey")
        ),
        pytest.param(refusals(19, 20, action="mfa.verify.totp"), [], id="nineteen_codes"),
        pytest.param(refusals(20, 20, action="mfa.verify.totp"), [ALICE], id="twenty_codes"),
        pytest.param(refusals(20, 20, reason="bad_code"), [ALICE], id="twenty_codes_by_reason"),
        pytest.param(refusals(20, 20, outcome="challenge", action="mfa.challenge.sms"), [], id="codes_sent"),
        pytest.param(refusals(5, actor=None), [], id="no_actor"),
        pytest.param(refusals(5, ip=None), [ALICE], id="no_address"),
        pytest.param(refusals(5, outcome=None), [], id="no_outcome"),
        pytest.param([ask(i * 30, tenant="ab"[i % 2]) for i in range(8)], [], id="tenants_never_mix"),
        pytest.param([ask(i * 800, actor=f"user{i}") for i in range(5)], [ADDRESS], id="five_accounts_in_an_hour"),
        pytest.param([ask(i * 800, actor=f"user{i % 4}") for i in range(12)], [], id="four_accounts"),
        pytest.param([ask(i * 901, actor=f"user{i}") for i in range(12)], [], id="never_five_accounts_in_an_hour"),
    ],
)
def test_pestering_is_found_at_its_threshold(events: list[Event], alerts: list[tuple[str, str]]) -> None:
    assert opened(find(NAME, events)) == alerts


@pytest.mark.parametrize(
    ("what", "events", "severity"),
    [
        ("nobody gives in", refusals(5), "low"),
        ("ten and nobody gives in", refusals(10), "medium"),
        ("nine and nobody gives in", refusals(9), "low"),
        ("codes are guessed", refusals(20, 20, action="mfa.verify.totp"), "medium"),
        ("a code is right", [*refusals(20, 20, action="mfa.verify.totp"), ask(400, "success", action="mfa.verify.totp")], "high"),
        ("a push is accepted", [*refusals(5), ask(300, "success")], "high"),
        ("a login works from where the pushes came", [*refusals(5), login(300, ip=THIEF)], "high"),
        ("a login works from an address never seen", [*refusals(5), login(300)], "high"),
        ("a login works at home", [login(-DAY_S), *refusals(5), login(300)], "low"),
        ("accepted in time", [*refusals(5), ask(840, "success")], "high"),
        ("accepted later", [*refusals(5), ask(841, "success")], "low"),
        (
            "left alone and accepted at home",
            [login(-DAY_S), *refusals(5, ip=HOME, reason="mfa_timeout"), ask(300, "success", ip=HOME)],
            "medium",
        ),
        ("refused and accepted at home", [login(-DAY_S), *refusals(5, ip=HOME), ask(300, "success", ip=HOME)], "high"),
        ("left alone and accepted elsewhere", [login(-DAY_S), *refusals(5, reason="mfa_timeout"), ask(300, "success")], "high"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_severity_is_what_came_of_it(what: str, events: list[Event], severity: str) -> None:
    found = find(NAME, events)
    assert opened(found) == [ALICE]
    assert found[-1].severity == severity


@pytest.mark.parametrize(
    ("what", "answer", "alerts"),
    [
        ("accepted at the same address", ask(200, "success"), []),
        ("a login at the same address", login(200, ip=THIEF), []),
        ("a login elsewhere", login(200), [ALICE]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_accepted_takes_back_the_refusals_of_its_address(what: str, answer: Event, alerts: list[tuple[str, str]]) -> None:
    assert opened(find(NAME, [*refusals(4, 40), answer, ask(240)])) == alerts


def test_a_push_accepted_under_another_address_was_answered() -> None:
    events = [each for i in range(30) for each in (ask(i * 20, "challenge", ip=THIEF), ask(i * 20 + 5, "success", ip=HOME))]
    assert find(NAME, events) == []


def test_alert_tells_the_acceptance() -> None:
    found = find(NAME, [*refusals(5), ask(300, "success", ip="198.51.100.8")])
    assert found[1].facts == {
        "rule": "refused",
        "threshold": 5,
        "window_s": 600,
        "refused": 5,
        "sent": 0,
        "wrong_codes": 0,
        "distinct_ips": 1,
        "asked_from": THIEF,
        "accepted": 1,
        "accepted_after_s": 60,
        "accepted_ip": "198.51.100.8",
        "own_address": "no",
    }
    assert (found[1].phase, found[1].evidence[-1], found[1].links) == ("update", "e300", (("ip", THIEF),))
    detector = MfaFatigue("by_actor", FatigueSettings.model_validate({}))
    assert (
        detector.explain(found[1])
        == "5 push requests refused or ignored in 5 min, from 1 address. One was accepted from 198.51.100.8 60 s after the last."
    )
    assert detector.counterfactual(found[1]) == "silent with fewer than 5 refusals in 10 min"


def office(number: int) -> list[Event]:
    return [login(-DAY_S + i, actor=f"user{i}") for i in range(number)]


@pytest.mark.parametrize(("known", "alerts"), [(2, [("ip", HOME)]), (4, [("ip", HOME)]), (5, [])])
def test_an_address_is_shared_while_no_more_refuse_than_log_in(known: int, alerts: list[tuple[str, str]]) -> None:
    assert opened(find(NAME, [*office(known), *(ask(i * 60, actor=f"user{i}", ip=HOME) for i in range(5))])) == alerts


def test_somebody_who_gives_in_makes_an_address_grave() -> None:
    found = find(NAME, [*(ask(i * 60, actor=f"user{i}") for i in range(5)), ask(400, "success", actor="user2"), login(500, ip=THIEF)])
    assert [(finding.severity, finding.count) for finding in found if finding.phase == "update"] == [("high", 6)]
    assert found[-1].links == (("actor", "user2"),)
    assert MfaFatigue("by_ip", FatigueSettings.model_validate({})).explain(found[1]) == (
        "5 accounts refused or ignored pushes asked for from this address in 6.7 min. 1 account accepted in the end (user2)."
    )


def test_one_siege_is_one_alert() -> None:
    found = find(NAME, [*refusals(40, 100), login(8000, actor="bob")])
    assert [finding.phase for finding in found] == ["open", "update", "update", "update", "close"]
    assert found[-1].count == 40


def test_memory_is_bounded_whatever_comes() -> None:
    settings = FatigueSettings.model_validate({})
    account, address = MfaFatigue("by_actor", settings), MfaFatigue("by_ip", settings)
    held, there = account.new_state(), address.new_state()
    for i in range(3000):
        account.on_event("\x1falice", held, ask(i * 3, ("failure", "challenge", "success")[i % 3], ip=f"203.0.113.{i % 256}"))
        address.on_event("\x1f203.0.113.9", there, ask(i, ("failure", "success")[i // 500 % 2], actor=f"user{i}"))
    assert max(len(held.refused), len(held.sent), len(held.codes)) <= 20
    assert len(held.good) <= 8
    assert max(len(there.refusing), len(there.good)) <= MAX_KNOWN
