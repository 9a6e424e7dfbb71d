"""What the vendor-neutral schemas (OCSF, ECS) have in common: their free words, and checked values for the fields of an event."""

import re
from functools import lru_cache
from typing import Any

from schemas.address import canonical_ip
from schemas.event import Event
from schemas.formats.countries import country_code
from schemas.formats.json_records import ID_CHARS, as_text

TARGET_CHARS = 512
AGENT_CHARS = 512
QUERY_CHARS = 2048
COUNT_LIMIT = 2**63
LATENCY_LIMIT_MS = 1e12
_ABSENT = frozenset({"-", "null", "none", "n/a", "unknown", "null sid", "s-1-0-0", "(null)"})
"""What stands in fields for "nothing", in lower case."""

_REASONS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (reason, re.compile(pattern, re.IGNORECASE))
    for reason, pattern in (
        ("bad_password", r"user.?(?:name)?.{0,4}(?:or|and|/).{0,12}password|0xc000006[ad]\b"),  # does not say which of the two it was
        ("mfa_timeout", r"(?:mfa|factor|challenge|push|otp).{0,40}(?:time.?out|timed.out|expired)"),
        ("mfa_denied", r"(?:mfa|factor|push|otp|verification code|two.step).{0,60}(?:den|reject|fail|invalid|wrong|incorrect|fraud)"),
        ("mfa_denied", r"(?:invalid|wrong|incorrect|failed|denied).{0,30}(?:mfa|otp|passcode|verification code|factor)"),
        ("locked", r"lock(?:ed)?[_ -]?out|account.{0,20}locked|\blocked\b|0xc0000234"),
        ("disabled", r"disabled|suspended|deactivated|inactive|0xc0000072"),
        ("password_expired", r"password.{0,20}(?:expired|must.change)|expired.{0,10}password|0xc0000071|0xc0000224"),
        ("unknown_user", r"(?:user|account|identity|principal).{0,30}(?:not.{0,5}exist|not.?found|unknown|unrecogni[sz]ed)"),
        ("unknown_user", r"(?:unknown|invalid|no.such|non.?existent|misspelled.or.bad).{0,5}(?:user|account|login)|0xc0000064"),
        ("rate_limited", r"too.?many|rate.?limit|throttl"),
        ("bad_password", r"(?:invalid|bad|wrong|incorrect|failed).{0,5}(?:password|credential|user.?name|login)|authentication.fail"),
        ("bad_password", r"password.{0,20}(?:mismatch|invalid|incorrect|wrong|fail)|credentials?.{0,10}(?:invalid|incorrect|wrong)"),
        ("forbidden", r"access.?denied|forbidden|not.?authori[sz]ed|unauthori[sz]ed|permission.?denied|insufficient.{0,10}(?:priv|perm)"),
    )
)
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[_.:-][A-Za-z0-9]+)*")
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^A-Za-z0-9]+")

_AUTH: tuple[tuple[str, str, re.Pattern[str]], ...] = tuple(
    (kind, action, re.compile(pattern, re.IGNORECASE))
    for kind, action, pattern in (
        ("auth.mfa_change", "mfa.reset", r"(?:mfa|factor|2fa|two.?step|authenticator|otp).{0,20}reset|reset.{0,15}(?:mfa|factor|2fa)"),
        (
            "auth.mfa_change",
            "mfa.remove",
            (
                r"(?:mfa|factor|2fa|two.?step|authenticator|otp).{0,20}(?:deactivat|disabl|delet|remov|unenroll|suspend|revok)"
                r"|(?:deactivat|disabl|delet|remov|unenroll)\w{0,4}.{0,15}(?:mfa|factor|2fa|authenticator)"
            ),
        ),
        (
            "auth.mfa_change",
            "mfa.add",
            (
                r"(?:mfa|factor|2fa|two.?step|authenticator|otp).{0,20}(?:activat|enabl|enroll|regist|add|creat|updat|chang)"
                r"|(?:activat|enabl|enroll|regist|add|creat)\w{0,4}.{0,15}(?:mfa|factor|2fa|authenticator)"
            ),
        ),
        (
            "auth.password_reset",
            "password.reset",
            r"(?:reset|forgot|recover)\w{0,4}.{0,15}password|password.{0,15}(?:reset|recover|forgot)",
        ),
        ("auth.password_change", "password.change", r"(?:chang|updat|set)\w{0,3}.{0,15}password|password.{0,15}(?:chang|updat|set\b)"),
        ("auth.mfa_challenge", "mfa.challenge", r"mfa|multi.?factor|second.?factor|2fa|\botp\b|push.?notification|verify.?push|step.?up"),
        ("auth.logout", "logout", r"log.?(?:out|off)|logged.?(?:out|off)|sign.?out|signed.?out|session.?(?:end|clos|terminat|expir)"),
        (
            "auth.session",
            "session",
            (
                r"service.ticket|token.?(?:issu|refresh|grant|exchange)|\bsso\b|single.sign.on|assum|logged.in.(?:explicit|special)"
                r"|evaluate.sign.on|session.?(?:renew|refresh)|reconnect|\bticket.renew"
            ),
        ),
        ("auth.login", "login", r"log.?(?:in|on)\b|logged.?(?:in|on)\b|sign.?in|signed.?in|authenticat|session.?start|credential.validat"),
    )
)

AUTH_KINDS: tuple[tuple[str, str], ...] = tuple(dict.fromkeys((kind, action) for kind, action, _ in _AUTH))
"""Kind and action of everything ``auth_words`` may tell, for the documentation."""


def reason_of(*texts: Any) -> str | None:
    """The first of these texts as a reason of this package; a code as it is, in lower snake case. Sentences nobody knows are dropped.

    >>> reason_of(None, "USER_DOES_NOT_EXIST"), reason_of("NoSuchBucket"), reason_of("Bob was not amused today")
    ('unknown_user', 'no_such_bucket', None)
    """
    for text in texts:
        if isinstance(text, str) and text and (reason := _reason(text[:200])) is not None:
            return reason
    return None


@lru_cache(maxsize=4096)
def _reason(text: str) -> str | None:
    if text.lower() in _ABSENT:
        return None
    for reason, pattern in _REASONS:
        if pattern.search(text):
            return reason
    return snake(text) if len(text) <= 64 and _CODE.fullmatch(text) else None


def snake(code: str) -> str:
    """``NoSuchBucket`` → ``no_such_bucket``; at most 64 characters."""
    return _WORD.sub("_", code).strip("_").lower()[:64]


def auth_words(text: str) -> tuple[str, str] | None:
    """Kind and action of an authentication or account event, by the words of its own name.

    >>> auth_words("user.mfa.factor.deactivate"), auth_words("Service Ticket Request"), auth_words("rename")
    (('auth.mfa_change', 'mfa.remove'), ('auth.session', 'session'), None)
    """
    return _auth_words(text[:200])


@lru_cache(maxsize=4096)
def _auth_words(text: str) -> tuple[str, str] | None:
    words = text.replace("_", " ").replace("-", " ")
    return next(((kind, action) for kind, action, pattern in _AUTH if pattern.search(words)), None)


def text_of(*values: Any, chars: int = ID_CHARS) -> str | None:
    """The first value that is text and says something; whole numbers count as text."""
    for value in values:
        if type(value) is int:
            return str(value)[:chars]
        if isinstance(value, str) and value and value.lower() not in _ABSENT and not value.isspace():
            return value[:chars]
    return None


def number_of(value: Any, limit: float = COUNT_LIMIT) -> float:
    """A number from 0 to below ``limit``, also one written as text; 0 for anything else."""
    if isinstance(value, str):
        try:
            value = float(value) if len(value) <= 32 else -1
        except ValueError:
            return 0.0
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < limit:
        return value
    return 0.0


def status_of(value: Any) -> int:
    """An HTTP status; 0 when it is none."""
    return int(number_of(value, 1000))


def address_of(*values: Any) -> str | None:
    """The first of these (or first item of a list of them) that is an address, in canonical form."""
    for value in values:
        if isinstance(value, list) and value:
            value = value[0]
        if isinstance(value, str) and value and (ip := canonical_ip(value)) is not None:
            return ip
    return None


def set_place(event: Event, country: Any, city: Any, lat: Any, lon: Any) -> None:
    """Geography where it is believable: both coordinates or none, a country that exists."""
    if isinstance(country, str) and country:
        event.country = country_code(country)
    event.city = as_text(city)
    if _is_number(lat, 90) and _is_number(lon, 180) and (lat, lon) != (0, 0):
        event.lat, event.lon = float(lat), float(lon)


def _is_number(value: Any, limit: float) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -limit <= value <= limit


def set_asn(event: Event, value: Any) -> None:
    """The number of the autonomous system, also as ``AS64500``."""
    if isinstance(value, str):
        value = value.upper().removeprefix("AS")
    event.asn = int(number_of(value, 2**32))


RISKS = {"low": "low", "moderate": "medium", "medium": "medium", "high": "high", "critical": "high"}
"""A vendor's own word for a risk, in lower case."""
