"""What came of an Okta event, and why it failed, in this product's words."""

import re

from schemas.formats.okta_record import DebugData, Record

OUTCOMES: dict[str, str] = {
    "SUCCESS": "success",
    "ALLOW": "success",
    "CHALLENGE": "challenge",
    "FAILURE": "failure",
    "DENY": "failure",
    "UNANSWERED": "failure",
    "ABANDONED": "failure",
    "RATE_LIMIT": "failure",
}
"""``outcome.result``; the others (``SKIPPED``, ``DEFERRED``, ``UNKNOWN``) say neither."""

CODES: dict[str, str] = {
    "INVALID_CREDENTIALS": "bad_password",
    "INVALID_LOGIN": "bad_password",
    "VERIFICATION_ERROR": "bad_password",
    "AUTHENTICATION_FAILURE": "bad_password",
    "LOCKED_OUT": "locked",
    "ACCOUNT_LOCKED": "locked",
    "USER_LOCKED": "locked",
    "PASSWORD_EXPIRED": "password_expired",
    "NETWORK_ZONE_BLACKLIST": "forbidden",
    "POLICY_DENY": "forbidden",
    "RATE_LIMIT": "rate_limited",
}
"""``outcome.reason`` where it is a code; any other code is kept in lower case."""

_WORDS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"phish"), "phishing"),
    (re.compile(r"time[d-]? ?out|unanswered|no response|not respond"), "timeout"),
    (re.compile(r"lock(ed|out)|max(imum)? (sign|login|failed)"), "locked"),
    (re.compile(r"not found|does not exist|unknown user|no such user|no user"), "unknown_user"),
    (re.compile(r"suspend|deactivat|inactive|disabled"), "disabled"),
    (re.compile(r"expired"), "expired"),
    (re.compile(r"reject|declin"), "rejected"),
    (re.compile(r"zone|blacklist|blocklist|blocked|den(y|ied)|not allowed|permission|forbidden|authoriz|not assigned"), "forbidden"),
    (re.compile(r"rate limit"), "rate_limited"),
    (re.compile(r"password|credential"), "bad_password"),
)
"""Words of a reason that is a sentence. A sentence itself is never kept: it may name a person."""

_is_code = re.compile(r"[A-Z][A-Z0-9_]{2,63}").fullmatch


def outcome_of(record: Record) -> str | None:
    """From the result; of records that have none, from the ending of the older event type."""
    result = record.outcome.result if record.outcome else None
    if result:
        return OUTCOMES.get(result.upper())
    legacy = record.legacy_type or ""
    if legacy.endswith(("_failed", ".failed", "_failure", ".failure")):
        return "failure"
    return "success" if legacy.endswith(("_success", ".success")) else None


def reason_of(record: Record) -> str | None:
    """Why it failed, for anything but a second factor. A password tried on an account that is not there is ``unknown_user``."""
    text = (record.outcome.reason if record.outcome else None) or ""
    code = _is_code(text)
    reason = CODES.get(text, text.lower()) if code else next((word for pattern, word in _WORDS if pattern.search(text.lower())), None)
    if reason == "bad_password" and record.actor is not None and record.actor.id == "unknown":
        return "unknown_user"
    return reason


def is_password(record: Record, debug: DebugData) -> bool:
    """Whether the factor of a check was the password: Identity Engine logs both factors alike."""
    if isinstance(debug.factor, str):
        return "PASSWORD" in debug.factor.upper()
    return bool(record.authentication and record.authentication.credential == "PASSWORD")


def factor_of(debug: DebugData) -> str:
    """``.sms``, ``.okta_verify_push``, ``.fido_webauthn`` …: what goes behind ``mfa.verify``; empty when no factor is named."""
    factor = debug.factor if isinstance(debug.factor, str) else ""
    if not factor and isinstance(debug.push_response, str) and debug.push_response:
        factor = "push"
    return f".{factor.lower().removesuffix('_factor')[:64]}" if factor else ""


def mfa_reason(record: Record, debug: DebugData, action: str) -> str | None:
    """Why a second factor failed. Identity Engine tells a refused push only by a general code; without a factor named it is taken for one."""
    outcome = record.outcome
    if outcome is not None and outcome.result in {"UNANSWERED", "ABANDONED"}:
        return "mfa_timeout"
    push = debug.push_response
    if isinstance(push, str) and push:
        return "mfa_timeout" if "TIMEOUT" in push.upper() else "mfa_denied"
    reason = reason_of(record)
    if reason in {"timeout", "expired"}:
        return "mfa_timeout"
    if reason in {"bad_password", "unknown_user"}:
        if action == "mfa.verify" or "push" in action:
            return "mfa_denied"
        return "verification_failed" if any(word in action for word in ("fido", "webauthn", "nonce")) else "bad_code"
    return "mfa_denied" if reason in {None, "rejected", "user_rejected"} else reason
