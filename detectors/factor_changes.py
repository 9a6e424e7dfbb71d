"""What was done to a second factor, and to whose: the words of many products in one small table."""

import re
from functools import lru_cache
from typing import Literal

from schemas.event import Event

Change = Literal["add", "remove", "policy_off"]

_REMOVES = "remove removed disable disabled deactivate deactivated delete deleted reset revoke revoked suspend suspended unregister unenroll unlink"
_ADDS = (
    "add added enroll enrolled enrol enrolment enable enabled activate activated register registered registration create created unsuspend"
    " recovery generate link"
)
REMOVES = frozenset(_REMOVES.split())
ADDS = frozenset(_ADDS.split())
"""New recovery codes are a new way in, so they count as added."""
_OF_ALL = frozenset({"policy", "authenticator"})
"""What a whole organisation must or may use is no factor of anybody."""
_NOT_DONE = frozenset({"start", "started", "ticket", "request", "requested", "read", "view", "viewed", "failed"})
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


@lru_cache(maxsize=1024)  # a pure function's results
def change_of(action: str) -> Change | None:
    """Whether an action of kind ``auth.mfa_change`` takes a factor away or brings one, or drops the demand for one; ``None``: none of these.

    >>> change_of("mfa.remove"), change_of("iam:DeactivateMFADevice"), change_of("mfa.factor.reset_all"), change_of("User registered security info")
    ('remove', 'remove', 'remove', 'add')
    >>> change_of("EnableMFADevice"), change_of("mfa.update"), change_of("mfa_policy.disable"), change_of("mfa.enroll_start")
    ('add', None, 'policy_off', None)
    """
    words = {word.lower() for word in _WORD.findall(action[:256])}
    if words & _NOT_DONE:
        return None
    removes = bool(words & REMOVES)
    if words & _OF_ALL:
        return "policy_off" if removes else None
    if removes:
        return "remove"
    return "add" if words & ADDS else None


def affected(event: Event) -> str | None:
    """Whose account it is about: the target when that is a user, else the actor.

    >>> affected(Event("auth.mfa_change", actor="admin", target="user:bob")), affected(Event("auth.login", actor="bob", target="app:mail"))
    ('bob', 'bob')
    """
    target = event.target
    if target is not None and target.startswith("user:") and len(target) > 5:
        return target[5:]
    return event.actor


def by_affected(event: Event) -> str | None:
    """One key per tenant and account that something was done to."""
    name = affected(event)
    return None if name is None else f"{event.tenant or ''}\x1f{name}"
