"""What each Okta event type is: one table, by event type or by a family of them (``policy.rule.*``)."""

from collections.abc import Iterator
from functools import lru_cache

import msgspec

from schemas.event import Outcome, Risk
from schemas.formats.okta_table import ACCESS, ADMIN, AUTH, CHANGES, Row
from schemas.formats.okta_table import IGNORED as IGNORED_NAMES


class Rule(msgspec.Struct, frozen=True):
    """What one event type means."""

    kind: str
    action: str = ""
    """What was done; empty: the event type itself, without ``lifecycle.``."""
    targets: tuple[str, ...] = ()
    """Vendor types of the target that counts, the preferred first; none of them there: the first target of any type."""
    own: bool = False
    """Whether the target is the actor when the event names none."""
    outcome: Outcome | None = None
    """What came of it where the event type says so itself, whatever the record's outcome."""
    reason: str | None = None
    """Why it failed, where the event type says so itself."""
    risk: Risk | None = None
    """Okta's judgement that lies in the event type; a level in the record wins."""
    note: str = ""


def _table(*groups: tuple[Row, ...]) -> Iterator[tuple[str, Rule]]:
    for rows in groups:
        for kind, names, options in rows:
            for name in names.split():
                yield name, msgspec.convert({"kind": kind, **options}, Rule)


RULES: dict[str, Rule] = dict(_table(AUTH, ACCESS, CHANGES, ADMIN))
"""By event type; ``x.*`` is every type below ``x`` that has no closer rule, and ``x*`` also ``x`` itself."""
IGNORED: frozenset[str] = frozenset(IGNORED_NAMES.split())
"""Known, and not security relevant: synchronisation, delivery of mail, looks. Written like the keys of ``RULES``."""

STEPS: tuple[str, ...] = tuple(name for name, rule in RULES.items() if rule.action == "login.step")
"""Event types that tell of one step of a login that is also told by ``user.session.start``."""

_VERB_NAMES = (
    "activate add approve assign bind change clear create deactivate delete deny disable enable generate grant invalidate issue"
    " overwrite reactivate register remove reset revoke rotate suspend unsuspend update updated created deleted activated deactivated"
)
_VERBS = frozenset(_VERB_NAMES.split())


def _spellings(event_type: str) -> Iterator[str]:
    yield event_type
    yield f"{event_type}*"
    parts = event_type.split(".")
    for n in range(len(parts) - 1, 0, -1):
        stem = ".".join(parts[:n])
        yield f"{stem}.*"
        yield f"{stem}*"


@lru_cache(maxsize=4096)
def rule_for(event_type: str) -> Rule | None:
    """The rule for an event type, the closest one; ``None`` when it is known to be of no interest.

    A type in no table is an admin action when its last word changes something, else an API request.
    """
    for spelling in _spellings(event_type):
        if spelling in RULES:
            return RULES[spelling]
        if spelling in IGNORED:
            return None
    return Rule("admin.action" if event_type.rpartition(".")[2] in _VERBS else "api.request")


def action_for(event_type: str, rule: Rule) -> str:
    """What was done, in one or two words and a dot.

    >>> action_for("policy.lifecycle.update", Rule("admin.action"))
    'policy.update'
    """
    return rule.action or event_type.replace("lifecycle.", "")
