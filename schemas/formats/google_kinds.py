"""What each Google Workspace event is: one table, by ``application:event``, where either end of the event may be open (``CHANGE_USER_*``)."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import lru_cache

import msgspec

from schemas.event import Outcome, Risk
from schemas.formats.google_table import ADMIN, DATA, DEVICES, IGNORED_NAMES, LOGIN, USERS, Row


class Rule(msgspec.Struct, frozen=True):
    """What one event means."""

    kind: str
    action: str = ""
    """What was done, in the words of this product; empty: Google's own name is kept."""
    target: str = ""
    """Type of the target; empty for none."""
    params: tuple[str, ...] = ()
    """Parameters that may name it; the first one present counts."""
    outcome: Outcome | None = "success"
    reason: str | None = None
    risk: Risk | None = None
    note: str = ""


def _table(*groups: tuple[Row, ...]) -> Iterator[tuple[str, Rule]]:
    for rows in groups:
        for kind, app, names, options in rows:
            for name in names.split():
                yield f"{app}:{name}", msgspec.convert({"kind": kind, **options}, Rule)


RULES: dict[str, Rule] = dict(_table(LOGIN, USERS, ADMIN, DATA, DEVICES))
"""By ``application:event``. An exact name comes first, then the first open one that fits, in the order of the table."""
IGNORED: frozenset[str] = frozenset(IGNORED_NAMES.split())
"""Known, and not security relevant. Written like the keys of ``RULES``, looked up after its exact names and before ``application:*``."""

FALLBACK = Rule("api.request", note="an event in no table")
BY_WORDS = Rule("data.export", "export", note="an event in no table whose name says export, download or takeout")
_SAME = {"user_accounts": "login", "drive_and_docs": "drive", "groups_enterprise_settings": "groups_enterprise"}
_OPEN_RULES = tuple(name for name in RULES if "*" in name and not name.endswith(":*"))
_OPEN_IGNORED = tuple(name for name in IGNORED if "*" in name and not name.endswith(":*"))


def application(name: str) -> str:
    """The application under which the table holds its events; some have two names."""
    return _SAME.get(name, name)


@lru_cache(maxsize=4096)
def rule_for(app: str, name: str) -> Rule | None:
    """The rule for an event of an application; ``None`` when it is known to be of no interest."""
    app = application(app)
    key, rest = f"{app}:{name}", f"{app}:*"
    if key in RULES:
        return RULES[key]
    if key in IGNORED or any(fnmatchcase(key, spelling) for spelling in _OPEN_IGNORED):
        return None
    for spelling in _OPEN_RULES:
        if fnmatchcase(key, spelling):
            return RULES[spelling]
    if rest in RULES:
        return RULES[rest]
    if rest in IGNORED:
        return None
    return BY_WORDS if any(word in name.lower() for word in ("export", "download", "takeout")) else FALLBACK
