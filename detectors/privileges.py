"""Who was given power over what: the words many products have for a grant, in one small table."""

import re
from functools import lru_cache

from schemas.event import Event

_EXACT_NAMES = (
    # Normalised actions that say it without the word for what was given.
    "app.grant app.owner_add grant.create group.owner_add mailbox.grant delegation.grant impersonation.grant role.eligible"
    " user.promote user.make_admin"
    # Calls of AWS IAM: policies are attached, written, or made to say something else; a boundary is taken away.
    " PutUserPolicy PutRolePolicy PutGroupPolicy CreatePolicyVersion SetDefaultPolicyVersion UpdateAssumeRolePolicy AddUserToGroup"
    " DeleteUserPermissionsBoundary DeleteRolePermissionsBoundary"
)
_GIVE_WORDS = "grant granted assign assigned add added attach attached give given elevate elevated"
_POWER_WORDS = "role roles privilege privileges permission permissions owner owners"
_NOT_GIVEN_WORDS = (
    "revoke revoked remove removed delete deleted detach detached unassign deny denied reject rejected request requested cancel expire"
    " list get read view failed update settings"
)
_STRONG_WORDS = "admin admins administrator administrators root sudo wheel owner owners superuser superusers superadmin superadmins"
_EXACT = frozenset(_EXACT_NAMES.split())
_OF_ANOTHER = frozenset({"CreateLoginProfile", "UpdateLoginProfile"})
"""A console password: power over that account, unless it is one's own."""
_JOINS = frozenset({"group.join", "group.member_add"})
_GIVES = frozenset(_GIVE_WORDS.split())
_POWER = frozenset(_POWER_WORDS.split())
_NOT_GIVEN = frozenset(_NOT_GIVEN_WORDS.split())
_STRONG = frozenset(_STRONG_WORDS.split())
"""Words in the names of groups whose members may do everything."""
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_LONGEST = 256
SHORT_CHARS = 80


def _words(text: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(text[:_LONGEST])}


@lru_cache(maxsize=2048)  # a pure function's results
def gives_power(action: str) -> bool:
    """Whether an action, whatever product it is from, gives somebody a role, a permission or a policy.

    >>> [gives_power(word) for word in ("role.grant", "AttachUserPolicy", "Add member to role", "GRANT_ADMIN_PRIVILEGE", "role.permission_add")]
    [True, True, True, True, True]
    >>> [gives_power(word) for word in ("role.revoke", "role.activate", "role.create", "consent.grant", "policy.update", "AttachVolume", "sudo")]
    [False, False, False, False, False, False, False]
    """
    if action in _EXACT or action in _OF_ANOTHER:
        return True
    words = _words(action)
    if not words & _GIVES or words & _NOT_GIVEN:
        return False
    # Policies are also added to networks and organisations: only attaching one gives it to somebody.
    return bool(words & _POWER) or ("policy" in words and bool(words & {"attach", "attached"}))


@lru_cache(maxsize=2048)
def _is_strong(target: str) -> bool:
    return target.startswith("group:") and bool(_words(target[6:]) & _STRONG)


def is_self(event: Event) -> bool:
    """Whether what was given went to the one who gave it: the same account, or the role the actor acts in.

    >>> is_self(Event("admin.action", actor="Bob", target="user:bob")), is_self(Event("admin.action", actor="ops/bob", target="role:ops"))
    (True, True)
    """
    actor, target = event.actor, event.target
    if actor is None or target is None:
        return False
    type_, _, name = target.partition(":")
    if type_ == "user":
        return name.casefold() == actor.casefold()
    return type_ == "role" and "/" in actor and name == actor.partition("/")[0]


def is_grant(event: Event) -> bool:
    """Whether an event says that somebody was given power. What came of it is not looked at.

    Joining a group counts when the group is the target and is named like one of administrators.

    >>> is_grant(Event("admin.action", action="group.join", target="group:Domain Admins")), is_grant(Event("admin.action", action="group.join"))
    (True, False)
    """
    action = event.action
    if action is None:
        return False
    if gives_power(action):
        return action not in _OF_ANOTHER or not is_self(event)
    return action in _JOINS and event.target is not None and _is_strong(event.target)


def short(target: str | None) -> str:
    """A target in at most 80 characters; of a longer one the end, which is its name.

    >>> short("user:bob"), short("x" * 99 + "role/ops")[-9:], len(short("x" * 99)), short(None)
    ('user:bob', 'xrole/ops', 80, '')
    """
    if target is None:
        return ""
    return target if len(target) <= SHORT_CHARS else f"…{target[1 - SHORT_CHARS :]}"


def grantee(event: Event) -> str | None:
    """The account that was given something, where the target is one."""
    target = event.target
    return target[5:] if target is not None and target.startswith("user:") and len(target) > 5 else None
