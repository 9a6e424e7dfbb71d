"""Words and values that OCSF and ECS have in common."""

from typing import Any

import pytest

from schemas.event import Event
from schemas.formats.neutral import address_of, auth_words, number_of, reason_of, set_asn, set_place, status_of, text_of


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0xC000006D", "bad_password"),
        ("User logon with misspelled or bad user account", "unknown_user"),
        ("no such user", "unknown_user"),
        ("Account is locked out", "locked"),
        ("user is suspended", "disabled"),
        ("The password has expired", "password_expired"),
        ("push timed out", "mfa_timeout"),
        ("invalid passcode", "mfa_denied"),
        ("rate limit exceeded", "rate_limited"),
        ("permission denied", "forbidden"),
        ("Client.UnauthorizedOperation", "forbidden"),
        ("-", None),
        ("unknown", None),
        ("", None),
        (None, None),
        (7, None),
        ("x" * 100_000, None),
    ],
)
def test_reasons(text: Any, reason: str | None) -> None:
    assert reason_of(text) == reason


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("user.session.start", ("auth.login", "login")),
        ("Logoff", ("auth.logout", "logout")),
        ("MFA Factor Enable", ("auth.mfa_change", "mfa.add")),
        ("two-step verification disabled", ("auth.mfa_change", "mfa.remove")),
        ("multi-factor authentication", ("auth.mfa_challenge", "mfa.challenge")),
        ("forgot password", ("auth.password_reset", "password.reset")),
        ("Password Change", ("auth.password_change", "password.change")),
        ("Service Ticket Request", ("auth.session", "session")),
        ("policy.evaluate_sign_on", ("auth.session", "session")),
        ("rename", None),
        ("", None),
    ],
)
def test_words_of_authentication(text: str, found: tuple[str, str] | None) -> None:
    assert auth_words(text) == found


@pytest.mark.parametrize(
    ("value", "number"),
    [(7, 7), ("7.5", 7.5), (-1, 0), (True, 0), ("NaN", 0), (float("nan"), 0), ("9" * 400, 0), (10**30, 0), (None, 0), ([], 0)],
)
def test_numbers(value: Any, number: float) -> None:
    assert number_of(value) == number


@pytest.mark.parametrize(("value", "status"), [(200, 200), ("404", 404), (1000, 0), (-1, 0), ("x", 0)])
def test_statuses(value: Any, status: int) -> None:
    assert status_of(value) == status


@pytest.mark.parametrize(
    ("values", "text"),
    [(("-", "b"), "b"), ((None, 7), "7"), ((True,), None), ((" ", "N/A"), None), (("x" * 999,), "x" * 256)],
)
def test_texts(values: tuple[Any, ...], text: str | None) -> None:
    assert text_of(*values) == text


def test_addresses_are_the_first_that_is_one() -> None:
    assert address_of("host.example.com", ["2001:DB8::1", "192.0.2.1"]) == "2001:db8::1"
    assert address_of(None, 7, [], "-") is None


@pytest.mark.parametrize(("value", "asn"), [(64500, 64500), ("AS64500", 64500), ("as1", 1), (2**32, 0), ("x", 0), (None, 0)])
def test_networks(value: Any, asn: int) -> None:
    event = Event("auth.login")
    set_asn(event, value)
    assert event.asn == asn


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (("DE", "Berlin", 52.5, 13.4), ("DE", "Berlin", 52.5, 13.4)),
        (("Atlantis", "", 52.5, None), (None, None, None, None)),
        ((7, 7, True, False), (None, None, None, None)),
        (("de", None, 0, 0), ("DE", None, None, None)),
    ],
)
def test_places(place: tuple[Any, Any, Any, Any], expected: tuple[object, ...]) -> None:
    event = Event("auth.login")
    set_place(event, *place)
    assert (event.country, event.city, event.lat, event.lon) == expected
