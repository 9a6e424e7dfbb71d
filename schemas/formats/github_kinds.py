"""What each GitHub audit action is: one table, by action or by a family of them (``deploy_key.*``)."""

from collections.abc import Iterator
from functools import lru_cache

import msgspec

from schemas.event import Outcome, Risk
from schemas.formats.github_table import ACCESS, ADMIN, AUTH, IGNORED_NAMES, LOGS, OTHER, Row


class Rule(msgspec.Struct, frozen=True):
    """What one action means."""

    kind: str
    action: str = ""
    """What was done, in the words of this product; empty: GitHub's own name is kept."""
    target: str = ""
    """What it was done to: ``user``, ``team``, ``repo``, ``org``, ``app``, ``hook`` or ``key``; the closest wider one where it is absent."""
    outcome: Outcome = "success"
    reason: str | None = None
    risk: Risk | None = None
    note: str = ""


def _table(*groups: tuple[Row, ...]) -> Iterator[tuple[str, Rule]]:
    for rows in groups:
        for kind, names, options in rows:
            for name in names.split():
                yield name, msgspec.convert({"kind": kind, **options}, Rule)


RULES: dict[str, Rule] = dict(_table(AUTH, ACCESS, LOGS, ADMIN, OTHER))
"""By action; ``x.*`` is every action of the category ``x`` that has no rule of its own, ``*.x`` that action of every category."""
IGNORED: frozenset[str] = frozenset(IGNORED_NAMES.split())
"""Known, and not security relevant: what people write, plan and pay. Written like the keys of ``RULES``."""

FALLBACK = Rule("admin.action", note="whatever stands in no table: GitHub logs changes here, not reading")
PUBLISHED = Rule("data.export", "share.public", "repo", note="repo.access where the new visibility is public")
OWNER_MADE = Rule("admin.action", "role.grant", "user", note="a membership whose permission is admin or owner")
_READING = Rule("api.request", note="operation_type access without a rule of its own")
_EXPORT = Rule("data.export", "export", note="an action without a rule whose name says export or download")
_WATCH_STOPPED = Rule("audit.log_change", "scanning.disable", note="a scanner that finds leaked secrets or weak code was switched off")
_SECRET_CHANGED = Rule("credential.change", "secret.change", "repo", note="a secret of Actions, Codespaces or Dependabot")
BY_WORDS = (_WATCH_STOPPED, _SECRET_CHANGED, _EXPORT)
"""Rules found by words of the name, after exact names and before whole categories."""
_SCANNERS = ("secret_scanning", "dependabot", "advanced_security", "code_scanning", "codeql", "dependency_graph", "vulnerability_alerts")


@lru_cache(maxsize=4096)
def rule_for(action: str, operation: str | None) -> Rule | None:
    """The rule for an action, the closest one; ``None`` when it is known to be of no interest.

    ``operation``: the record's ``operation_type``, which tells reading from changing where no table knows the action.
    """
    category, _, verb = action.rpartition(".")
    for spelling in (action, f"*.{verb}", f"{category}.*", f"{category.partition('.')[0]}.*"):
        if spelling in RULES:
            return RULES[spelling]
        if spelling in IGNORED:
            return None
        if spelling == f"*.{verb}" and (rule := _by_words(action, verb)) is not None:
            return rule
    return _READING if operation in {"access", "authentication"} else FALLBACK


def _by_words(action: str, verb: str) -> Rule | None:
    """Rules for what GitHub names alike in many categories, and keeps adding categories of."""
    if any(name in action for name in _SCANNERS) and "custom_message" not in action:
        return _WATCH_STOPPED if verb.endswith(("disable", "disabled")) or "disabled_" in verb else None
    if verb.endswith(("_secret", "_secrets")):
        return _SECRET_CHANGED
    if "export" in verb or "download" in verb:
        return _EXPORT
    return None
