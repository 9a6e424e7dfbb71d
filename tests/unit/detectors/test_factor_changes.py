"""Words for what was done to a second factor, and whose it is."""

import pytest

from detectors.factor_changes import by_affected, change_of
from schemas.event import Event


@pytest.mark.parametrize(
    ("action", "change"),
    [
        ("mfa.add", "add"),
        ("mfa.recovery_code", "add"),
        ("iam:EnableMFADevice", "add"),
        ("User registered security info", "add"),
        ("mfa.unsuspend", "add"),
        ("mfa.remove", "remove"),
        ("mfa.reset", "remove"),
        ("mfa.suspend", "remove"),
        ("user.mfa.factor.deactivate", "remove"),
        ("iam:DeactivateMFADevice", "remove"),
        ("Disable Strong Authentication", "remove"),
        ("mfa_policy.disable", "policy_off"),
        ("mfa_policy.enable", None),
        ("mfa_policy.update", None),
        ("mfa.update", None),
        ("mfa.enroll_start", None),
        ("mfa.recovery_codes_read", None),
        ("iam:ResyncMFADevice", None),
        ("", None),
    ],
)
def test_actions_of_many_products_are_understood(action: str, change: str | None) -> None:
    assert change_of(action) == change


@pytest.mark.parametrize(
    ("event", "key"),
    [
        (Event("auth.mfa_change", actor="admin", target="user:bob", tenant="acme"), "acme\x1fbob"),
        (Event("auth.mfa_change", actor="admin", target="user:"), "\x1fadmin"),
        (Event("auth.mfa_change", actor="admin", target="device:7"), "\x1fadmin"),
        (Event("auth.mfa_change", target="user:bob"), "\x1fbob"),
        (Event("auth.mfa_change", actor="bob"), "\x1fbob"),
        (Event("auth.mfa_change"), None),
    ],
)
def test_a_change_belongs_to_whom_it_is_done_to(event: Event, key: str | None) -> None:
    assert by_affected(event) == key
