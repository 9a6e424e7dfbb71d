"""What the parameters of a Google Workspace event add to its name: how it went, how grave it is, whether something became public."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from schemas.event import Event, Risk
from schemas.formats.json_records import as_dict, as_text

Params = Mapping[str, Any]

_FAILURES = {
    "login_failure_invalid_password": "bad_password",
    "login_failure_account_disabled": "locked",
    "login_failure_access_code_disallowed": "forbidden",
    "failure_app_not_configured_for_user": "forbidden",
    "failure_app_not_enabled_for_user": "forbidden",
}
_METHODS = {
    "google_prompt": "push",
    "google_authenticator": "totp",
    "offline_otp": "totp",
    "security_key_otp": "totp",
    "rescue_code": "backup_code",
    "idv_any_phone": "sms",
    "idv_preregistered_phone": "sms",
    "security_key": "webauthn",
}
"""Google's challenges in common words; the others keep their own."""
_FIRST_FACTORS = frozenset({"password", "none"})
_PUBLIC = frozenset({"public_on_the_web", "people_with_link"})
_ANYONE = frozenset({"__public_principal__@public.calendar.google.com", "default"})
_LOG_SETTING = re.compile(r"\baudit|\blogs?\b|\blogging|bigquery|data sharing|cloud_data_sharing", re.IGNORECASE)
_MFA_SETTING = re.compile(r"(?:2|two)[ _-]?(?:step|sv)|security[ _-]key|strong[ _-]?auth", re.IGNORECASE)
_BYTES_LIMIT = 2**63
_RISKS: dict[str, Risk] = {"LOW": "low", "MEDIUM": "medium", "HIGH": "high"}
_REFUSED_MAIL: dict[int, Risk] = {3: "high", 13: "low", 15: "medium"}
"""Why mail was turned away at the door, in Gmail's numbers: malware, blatant spam, malicious links. Other refusals say nothing of an attack."""


def first(params: Params, *names: str) -> str | None:
    """The first of these parameters that has text; of a list its first entry."""
    for name in names:
        value = params.get(name)
        if isinstance(value, list) and value:
            value = value[0]
        if text := as_text(value):
            return text
    return None


def is_true(value: Any) -> bool:
    """Booleans arrive as such and as text."""
    return value is True or value == "true"


def refine(event: Event, app: str, name: str, params: Params) -> bool:
    """Adjust the event; false when it turns out to be of no interest."""
    if is_true(params.get("is_suspicious")) and event.risk is None:
        event.risk = "medium"
    detail = _DETAILS.get(f"{app}:{name}") or _DETAILS.get(f"{app}:*")
    return detail is None or detail(event, params)


def _failure(event: Event, params: Params) -> bool:
    why = first(params, "login_failure_type", "failure_type")
    if why is not None and why != "login_failure_unknown":
        event.reason = _FAILURES.get(why, why.removeprefix("login_failure_").removeprefix("failure_")[:64])
    return True


def _challenge(event: Event, params: Params) -> bool:
    method, status = _method(params), (first(params, "login_challenge_status") or "").lower()
    event.action = f"mfa.{'verify' if status else 'challenge'}{'.' if method else ''}{_METHODS.get(method, method)}"
    if "pass" in status:
        event.outcome = "success"
    elif "timeout" in status or "timed" in status:
        event.outcome, event.reason = "failure", "mfa_timeout"
    elif status:
        tapped = method == "google_prompt" or not (method or "incorrect" in status)
        event.outcome, event.reason = "failure", "mfa_denied" if tapped else "mfa_bad_code"
    if method in _FIRST_FACTORS:
        event.kind, event.action = "auth.session", "login.step"
        event.reason = "bad_password" if event.outcome == "failure" else None
    return True


def _method(params: Params) -> str:
    """The challenge that was set; beside a password, the other one. Empty when the event does not say."""
    methods = params.get("login_challenge_method")
    named = [each[:64] for each in (methods if isinstance(methods, list) else [methods]) if isinstance(each, str) and each]
    return next((each for each in reversed(named) if each not in _FIRST_FACTORS), named[0] if named else "")


def _sharing(event: Event, params: Params) -> bool:
    visibility, before = first(params, "visibility"), first(params, "old_visibility")
    if first(params, "new_value") in {"none", "private"}:
        return True  # access taken away
    owner, heir = first(params, "owner"), first(params, "new_owner")
    widened = first(params, "visibility_change") == "external"
    if visibility in _PUBLIC and (widened or before not in {None, visibility}):
        event.kind, event.action, event.records = "data.export", "share.public", 1
    elif widened or (visibility == "shared_externally" and before not in {None, visibility}):
        event.kind, event.action, event.records = "data.export", "share.external", 1
    elif owner and heir and "@" in owner and "@" in heir and _domain(owner) != _domain(heir):
        event.kind, event.action, event.records = "data.export", "ownership.transfer", 1
    return True


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()


def _calendar(event: Event, params: Params) -> bool:
    if first(params, "grantee_email") in _ANYONE and first(params, "access_level") not in {None, "none"}:
        event.kind, event.action, event.records = "data.export", "share.public", 1
    return True


def _password(event: Event, _: Params) -> bool:
    if event.actor is not None and event.target == f"user:{event.actor}":
        event.kind, event.action = "auth.password_change", "password.change"
    return True


def _setting(event: Event, params: Params) -> bool:
    text = f"{first(params, 'SETTING_NAME') or ''} {first(params, 'APPLICATION_NAME') or ''}"
    if _MFA_SETTING.search(text):
        event.kind, event.action = "auth.mfa_change", "mfa_policy.update"
        return _mfa_policy(event, params)
    if _LOG_SETTING.search(text):
        event.kind = "audit.log_change"
    return True


def _mfa_policy(event: Event, params: Params) -> bool:
    value = (first(params, "NEW_VALUE") or "").lower()
    if is_true(params.get("NEW_VALUE")) or value in {"true", "on", "enabled"}:
        event.action = "mfa_policy.enable"
    elif params.get("NEW_VALUE") is False or value in {"false", "off", "disabled"}:
        event.action = "mfa_policy.disable"
    return True


def _compromised(event: Event, params: Params) -> bool:
    if first(params, "DEVICE_COMPROMISED_STATE") == "NOT_COMPROMISED":
        event.action, event.risk = "device.restored", None
    return True


def _app_call(event: Event, params: Params) -> bool:
    size = params.get("num_response_bytes")
    if isinstance(size, str) and size.isascii() and size.isdigit() and len(size) < 19:
        size = int(size)
    if isinstance(size, int) and 0 <= size < _BYTES_LIMIT:
        event.bytes = size
    event.path = first(params, "method_name")
    return True


def _rule_match(event: Event, params: Params) -> bool:
    event.risk = _RISKS.get((first(params, "severity") or "").upper())
    return True


def _delivery(event: Event, params: Params) -> bool:
    message = as_dict(params.get("message_info"))
    attachments = message.get("attachment")
    parts = attachments if isinstance(attachments, list) else [attachments]
    if any(isinstance(each, dict) and each.get("malware_family") for each in parts):
        return True
    refusal = as_dict(message.get("connection_info")).get("smtp_response_reason")
    if not isinstance(refusal, int) or refusal not in _REFUSED_MAIL:
        return False
    event.risk, event.outcome = _REFUSED_MAIL[refusal], "failure"
    return True


_DETAILS: dict[str, Callable[[Event, Params], bool]] = {
    "login:login_failure": _failure,
    "saml:login_failure": _failure,
    "login:login_challenge": _challenge,
    "login:login_verification": _challenge,
    "drive:change_user_access": _sharing,
    "drive:change_document_visibility": _sharing,
    "drive:change_document_access_scope": _sharing,
    "drive:change_acl_editors": _sharing,
    "drive:change_owner": _sharing,
    "drive:publish_change": _sharing,
    "drive:shared_drive_membership_change": _sharing,
    "drive:team_drive_membership_change": _sharing,
    "calendar:change_calendar_acls": _calendar,
    "admin:CHANGE_PASSWORD": _password,
    "admin:CREATE_APPLICATION_SETTING": _setting,
    "admin:CHANGE_APPLICATION_SETTING": _setting,
    "admin:DELETE_APPLICATION_SETTING": _setting,
    "admin:ENFORCE_STRONG_AUTHENTICATION": _mfa_policy,
    "admin:ALLOW_STRONG_AUTHENTICATION": _mfa_policy,
    "mobile:DEVICE_COMPROMISED_EVENT": _compromised,
    "token:activity": _app_call,
    "rules:*": _rule_match,
    "gmail:delivery": _delivery,
}
