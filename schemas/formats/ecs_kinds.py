"""What each ECS category is: one table, by ``event.category``, ``event.type`` and the words of ``event.action``.

Categories and types as in the ECS field reference (``event.category``, ``event.type``). A document may have several categories; they are
tried in the order of ``ORDER``, and the first one with a rule that holds decides.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

import msgspec

from schemas.formats.neutral import AUTH_KINDS, auth_words

ORDER = ("authentication", "iam", "configuration", "database", "file", "session", "api", "web", "network")
"""``session`` comes late: sign-ins are often of both categories."""
ENDPOINT_FILES = frozenset(
    {"endpoint", "auditd", "auditd_manager", "auditbeat", "file_integrity", "fim", "sysmon", "windows", "winlogbeat"}
)
"""Modules whose file events are those of an operating system: every write of every program, nothing a person takes away."""

_CHANGES = frozenset({"creation", "change", "deletion"})
_AUDIT = (
    r"(?:audit|event|security)?.?log(?:s|ging)?\b.{0,20}(?:clear|disab|delet|stop|purg|turn.?off)"
    r"|(?:clear|disab|delet|stop|purg|turn.?off)\w{0,4}.{0,15}(?:audit|logging|log\b|trail|sink)"
    r"|audit.{0,15}(?:config|polic|chang|disab|clear)|chang\w*.audit"
)
_CREDENTIAL = r"access.?key|api.?key|token|secret|certificate|ssh.?key|credential|public.?key|service.?account.?key"
_ROLE = r"role|privilege|permission|polic|grant|entitlement|admin|scope"
_REVOKE = r"revok|remov|detach|delet|unassign"
_EXPORT = r"download|export|\bcop(?:y|ied)|share|print|sync|archiv|transfer|backup|dump|exfil"


class Rule(msgspec.Struct, frozen=True):
    """When ``words`` (empty: always) are found in the action and the types hold one of ``types`` (empty: any), this is the kind."""

    kind: str
    action: str = ""
    """Action of the event; empty: ``event.action`` as it is."""
    types: frozenset[str] = frozenset()
    words: str = ""
    note: str = ""


def _types(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ACCOUNT: tuple[Rule, ...] = (
    Rule("account.change", "user.unlock", words=r"unlock"),
    Rule("account.change", "user.lock", words=r"lock"),
    Rule("account.change", "user.enable", words=r"\benabl|reactivat|unsuspend|restor"),
    Rule("account.change", "user.disable", words=r"disabl|suspend|deactivat"),
    Rule("account.change", "user.create", types=_types("creation")),
    Rule("account.change", "user.delete", types=_types("deletion")),
    Rule("account.change", "user.update", types=_types("change")),
)

RULES: dict[str, tuple[Rule, ...]] = {
    "authentication": (
        Rule("auth.logout", "logout", types=_types("end"), note="unless the action says otherwise"),
        Rule("auth.login", "login", note="unless the action says otherwise"),
    ),
    "iam": (
        Rule("audit.log_change", words=_AUDIT),
        Rule("auth.session", "session", words=r"logged.in.special|special.privileges"),
        Rule("credential.change", words=_CREDENTIAL, types=_CHANGES | {"admin", "user"}),
        Rule("admin.action", "group.leave", words=rf"(?:{_REVOKE}).{{0,20}}(?:group|member)|(?:group|member).{{0,20}}(?:{_REVOKE})"),
        Rule("admin.action", "group.join", words=r"add.{0,20}(?:group|member)|(?:group|member).{0,20}add"),
        Rule("admin.action", "role.revoke", words=rf"(?:{_REVOKE}).{{0,25}}(?:{_ROLE})|(?:{_ROLE}).{{0,25}}(?:{_REVOKE})"),
        Rule(
            "admin.action",
            "role.grant",
            words=rf"(?:assign|add|attach|grant).{{0,25}}(?:{_ROLE})|(?:{_ROLE}).{{0,25}}(?:assign|add|attach|grant)",
        ),
        Rule("admin.action", "group.create", types=_types("creation"), words=r"group"),
        Rule("admin.action", "group.delete", types=_types("deletion"), words=r"group"),
        *_ACCOUNT,
        Rule("api.request", types=_types("info access start end allowed"), note="looking, not changing"),
        Rule("admin.action"),
    ),
    "configuration": (
        Rule("audit.log_change", words=_AUDIT),
        Rule("credential.change", words=_CREDENTIAL, types=_CHANGES),
        Rule("admin.action", types=_CHANGES | {"admin", "installation", "user", "group"}),
        Rule("api.request", note="looking, not changing"),
    ),
    "database": (
        Rule("data.export", words=_EXPORT),
        Rule("auth.login", "login", words=r"\blog.?(?:in|on)\b|\bconnect\b"),
        Rule("data.query"),
    ),
    "file": (
        Rule("data.export", words=_EXPORT),
        Rule("api.request", note="not of modules that watch an operating system"),
    ),
    "session": (
        Rule("auth.logout", "logout", types=_types("end")),
        Rule("auth.session", "session"),
    ),
    "api": (
        Rule("audit.log_change", words=_AUDIT),
        Rule("admin.action", types=_CHANGES | {"admin"}),
        Rule("api.request"),
    ),
    "web": (Rule("api.request", note="a POST to a login page is a log-in, see web_access"),),
    "network": (Rule("api.request", note="HTTP only"),),
}
IGNORED = (
    "driver",
    "email",
    "host",
    "intrusion_detection",
    "library",
    "malware",
    "package",
    "process",
    "registry",
    "threat",
    "vulnerability",
)
"""Categories that are not read, and ``network`` without HTTP. ``event.kind`` other than ``event`` is not read either."""

_COMPILED: dict[str, tuple[tuple[Rule, re.Pattern[str] | None], ...]] = {
    category: tuple((rule, re.compile(rule.words, re.IGNORECASE) if rule.words else None) for rule in rules)
    for category, rules in RULES.items()
}
_IAM_BY_AUTH_WORDS = frozenset({"auth.mfa_change", "auth.password_reset", "auth.password_change"})


@lru_cache(maxsize=4096)
def rule_for(category: str, types: frozenset[str], action: str) -> Rule:
    """The first rule of the category that holds. Authentication, and factors and passwords of accounts, go by the words of the action first.

    >>> rule_for("iam", frozenset({"user", "creation"}), "added-user-account").action
    'user.create'
    """
    words = action[:200].replace("-", " ").replace("_", " ")
    if category in {"authentication", "iam", "session"} and (found := auth_words(action)) is not None:
        if category == "authentication" and not (found[0] == "auth.login" and "end" in types):
            return Rule(*found)
        if found[0] in _IAM_BY_AUTH_WORDS:
            return Rule(*found)
    for rule, pattern in _COMPILED[category]:
        if (not rule.types or rule.types & types) and (pattern is None or pattern.search(words)):
            return rule
    return RULES[category][-1]


def listing() -> Iterator[tuple[str, str, str]]:
    """Every rule for the documentation: category with types, kind, note."""
    says = "where the words of `event.action` say so"
    yield "any category, refused (denied)", "authz.decision", "unless it is about a log-in; also a reason that means: may not"
    yield "sudo of the module system", "admin.action", "sudo; `authz.decision` where sudo forbids it"
    for kind, action in AUTH_KINDS:
        where = "authentication, iam" if kind in _IAM_BY_AUTH_WORDS else "authentication"
        yield where, kind, f"{action}, {says}"
    for category, rules in RULES.items():
        for rule in rules:
            types = f" ({', '.join(sorted(rule.types))})" if rule.types else ""
            yield f"{category}{types}", rule.kind, ", ".join(filter(None, (rule.note or rule.action, says if rule.words else "")))
