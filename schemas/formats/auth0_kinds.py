"""What each Auth0 log code is: one table, by code."""

from collections.abc import Iterator, Mapping

import msgspec

from schemas.event import Outcome, Risk

CLIENT = "client"
"""The one who acts is the application, not a person."""


class Rule(msgspec.Struct, frozen=True):
    """What one code means."""

    kind: str
    action: str
    outcome: Outcome | None = None
    reason: str | None = None
    risk: Risk | None = None
    actor: str = ""
    own: bool = False
    """Whether the target is the actor's own account."""
    note: str = ""


Row = tuple[str, str, str, Mapping[str, object]]

_OK: Mapping[str, object] = {"outcome": "success"}
_FAILED: Mapping[str, object] = {"outcome": "failure"}
_SENT: Mapping[str, object] = {"outcome": "challenge", "own": True}
_OWN: Mapping[str, object] = {"outcome": "success", "own": True}
_OWN_FAILED: Mapping[str, object] = {"outcome": "failure", "own": True}

# fmt: off
_ROWS: tuple[Row, ...] = (
    ("auth.login", "login", "s", _OK),
    ("auth.login", "login", "f fc fens fcoa", {**_FAILED, "note": "the reason from the error, where it says one"}),
    ("auth.login", "login", "fp fepft", {**_FAILED, "reason": "bad_password"}),
    ("auth.login", "login", "fu", {**_FAILED, "reason": "unknown_user"}),
    ("auth.login", "login", "fepotpft", {**_FAILED, "reason": "bad_code"}),
    ("auth.login", "login", "sepft sens seoobft seotpft sercft sepkoobft sepkotpft sepkrcft", {**_OK, "note": "tokens for a password or a social login"}),
    ("auth.login", "login", "cls cs", {"outcome": "challenge", "note": "a passwordless code or link was sent"}),
    ("auth.login", "login", "limit_wc", {**_FAILED, "reason": "locked", "risk": "high"}),
    ("auth.login", "login", "limit_mu", {**_FAILED, "reason": "blocked", "risk": "high"}),
    ("auth.login", "login", "limit_sul", {**_FAILED, "reason": "rate_limited", "risk": "medium"}),
    ("auth.login", "login", "pwd_leak", {**_FAILED, "reason": "breached_password", "risk": "high"}),
    ("auth.login", "client.login", "feccft", {**_FAILED, "reason": "bad_secret", "actor": CLIENT}),
    ("auth.logout", "logout", "slo oidc_backchannel_logout_succeeded universal_logout_succeeded", _OK),
    ("auth.logout", "logout", "flo oidc_backchannel_logout_failed universal_logout_failed federated_logout_failed", _FAILED),
    ("auth.session", "login.step", "scoa scv", _OK),
    ("auth.session", "silent_login", "ssa", _OK),
    ("auth.session", "silent_login", "fsa", _FAILED),
    ("auth.session", "token.grant", "seacft sede sertft secte seta sd idjag_exchange_succeeded success_on_behalf_of_token_exchange ciba_exchange_succeeded", _OK),
    ("auth.session", "token.grant", "seccft", {**_OK, "actor": CLIENT}),
    ("auth.session", "token.grant", (
        "feacft fede fertft fecte feta fd fdeaz fdeac fdecc fpar idjag_exchange_failed jwt_bearer_exchange_failed failed_on_behalf_of_token_exchange"
        " ciba_exchange_failed ciba_start_failed fdeleacft fdelsa"
    ), _FAILED),
    ("auth.session", "token.reuse", "ferrt", {**_FAILED, "reason": "token_reuse", "risk": "high"}),
    ("auth.session", "token.revoke", "srrt refresh_tokens_revoked_by_session session_revoked", _OK),
    ("auth.session", "login.assessment", "pla", {"note": "bot detection's view of a login to come"}),
    ("auth.mfa_challenge", "mfa.challenge.push", "gd_send_pn ciba_start_succeeded", _SENT),
    ("auth.mfa_challenge", "mfa.challenge.sms", "gd_send_sms", _SENT),
    ("auth.mfa_challenge", "mfa.challenge.voice", "gd_send_voice", _SENT),
    ("auth.mfa_challenge", "mfa.challenge.email", "gd_send_email gd_send_email_verification", _SENT),
    ("auth.mfa_challenge", "mfa.start", "gd_start_auth mfar passkey_challenge_started", {"own": True, "note": "asked for; what was sent is logged apart"}),
    ("auth.mfa_challenge", "mfa.verify", "gd_auth_succeed gd_recovery_succeed gd_auth_email_verification", _OWN),
    ("auth.mfa_challenge", "mfa.verify.push", "gd_auth_rejected", {**_OWN_FAILED, "reason": "mfa_denied"}),
    ("auth.mfa_challenge", "mfa.verify.code", "gd_auth_failed gd_recovery_failed gd_auth_fail_email_verification feoobft feotpft fercft", {
        **_OWN_FAILED, "reason": "bad_code",
    }),
    ("auth.mfa_challenge", "mfa.verify.webauthn", "gd_webauthn_challenge_failed passkey_challenge_failed", {
        **_OWN_FAILED, "reason": "verification_failed",
    }),
    ("auth.mfa_challenge", "mfa.verify.code", "gd_otp_rate_limit_exceed gd_recovery_rate_limit_exceed", {
        **_OWN_FAILED, "reason": "rate_limited", "risk": "medium",
    }),
    ("auth.mfa_change", "mfa.add", "gd_enrollment_complete passkey_register_succeeded", _OWN),
    ("auth.mfa_change", "mfa.setup", "gd_start_enroll passkey_register_started", {"own": True}),
    ("auth.mfa_change", "mfa.add", "gd_start_enroll_failed gd_webauthn_enrollment_failed passkey_register_failed too_many_records", _OWN_FAILED),
    ("auth.mfa_change", "mfa.remove", "gd_unenroll", _OWN),
    ("auth.mfa_change", "mfa.update", "gd_update_device_account my_account_authentication_method_succeeded", _OWN),
    ("auth.mfa_change", "mfa.update", "my_account_authentication_method_failed", _OWN_FAILED),
    ("auth.mfa_change", "mfa_policy.update", "gd_tenant_update", _OK),
    ("auth.password_change", "password.change", "scp", _OWN),
    ("auth.password_change", "password.change", "fcp", _OWN_FAILED),
    ("auth.password_reset", "password.reset_request", "scpr", _OWN),
    ("auth.password_reset", "password.reset_request", "fcpr", _OWN_FAILED),
    ("auth.password_reset", "password.reset", "reset_pwd_leak", {**_OWN_FAILED, "reason": "breached_password", "risk": "high"}),
    ("account.change", "user.create", "ss", _OWN),
    ("account.change", "user.create", "fs", _OWN_FAILED),
    ("account.change", "user.create", "signup_pwd_leak", {**_OWN_FAILED, "reason": "breached_password", "risk": "high"}),
    ("account.change", "user.delete", "sdu du", _OWN),
    ("account.change", "user.delete", "fdu", _OWN_FAILED),
    ("account.change", "email.change", "sce", _OWN),
    ("account.change", "email.change", "fce", _OWN_FAILED),
    ("account.change", "username.change", "scu", _OWN),
    ("account.change", "username.change", "fcu", _OWN_FAILED),
    ("account.change", "phone.change", "scpn", _OWN),
    ("account.change", "phone.change", "fcpn", _OWN_FAILED),
    ("account.change", "email.verify", "sv svr", _OWN),
    ("account.change", "email.verify", "fv fvr", _OWN_FAILED),
    ("account.change", "invitation.accept", "si", _OWN),
    ("account.change", "invitation.accept", "fi", _OWN_FAILED),
    ("account.change", "account.unlock", "ublkdu", _OWN),
    ("account.change", "account.link", "connected_accounts_connection_succeeded", _OWN),
    ("account.change", "account.link", "connected_accounts_connection_failed", _OWN_FAILED),
    ("account.change", "account.unlink", "connected_accounts_delete_succeeded", _OWN),
    ("account.change", "account.unlink", "connected_accounts_delete_failed", _OWN_FAILED),
    ("account.change", "user.import", "sui", _OK),
    ("account.change", "user.import", "fui", _FAILED),
    ("account.change", "scim", "sscim", _OK),
    ("account.change", "scim", "fscim", _FAILED),
    ("credential.change", "key.change", "kms_key_management_success kms_key_state_changed", _OK),
    ("credential.change", "key.change", "kms_key_management_failure", _FAILED),
    ("authz.decision", "origin.check", "fco", {**_FAILED, "reason": "forbidden"}),
    ("api.request", "rate_limit.exceed", "api_limit limit_delegation", {**_FAILED, "reason": "rate_limited"}),
    ("api.request", "rate_limit.warning", "api_limit_warning", {}),
    ("admin.action", "organization.member_add", "organization_member_added", _OK),
    ("admin.action", "sso.setup", "ss_sso_success", _OK),
    ("admin.action", "sso.setup", "ss_sso_failure", _FAILED),
    ("admin.action", "api.write", "sapi", {**_OK, "note": "what it is, the method and path say: see the table of the Management API"}),
    ("admin.action", "api.write", "fapi", {**_FAILED, "note": "as sapi"}),
    ("data.export", "secret.read", "mgmt_api_read", {**_OK, "note": "only reads that return secrets are logged"}),
)
# fmt: on

_IGNORED = (
    "acls_summary actions_execution_failed acul_sdk_notice admin_update_launch appi coff con custom_domain_verification_failed"
    " custom_domains_verification_failed depnote directory_sync_completed directory_sync_failed directory_sync_started elevated_rate_limit fcph"
    " fcpro flows_execution_completed flows_execution_failed fn forms_submission_failed forms_submission_succeeded fpurh resource_cleanup"
    " gd_send_pn_failure gd_send_sms_failure gd_send_voice_failure gd_send_email_failure gd_send_email_verification_failure"
    " rich_consents_access_error scph ss_sso_info sys_os_update_end sys_os_update_start sys_update_end sys_update_start w wn wum"
    " appliance_configuration_api_read appliance_configuration_api_status appliance_configuration_api_write"
)


def _table() -> Iterator[tuple[str, Rule]]:
    for kind, action, codes, options in _ROWS:
        for code in codes.split():
            yield code, msgspec.convert({"kind": kind, "action": action, **options}, Rule)


RULES: dict[str, Rule] = dict(_table())
"""By the code in ``type``."""
IGNORED: frozenset[str] = frozenset(_IGNORED.split())
"""Known, and not security relevant: warnings, hooks, forms, synchronisation, and what could not be delivered: that a push was not sent is no refusal."""


def rule_for(code: str) -> Rule | None:
    """The rule for a code; ``None`` when it is known to be of no interest. A code in no table is an API request whose ending says how it went."""
    rule = RULES.get(code)
    if rule is not None or code in IGNORED:
        return rule
    if code.endswith(("_failed", "_failure")):
        return Rule("api.request", code[:64], "failure")
    return Rule("api.request", code[:64], "success" if code.endswith(("_succeeded", "_success", "_completed")) else None)
