"""What the logs of Microsoft's clouds have in common: rules, names of operations, client addresses, and how a sign-in ended."""

from collections.abc import Iterable
from functools import lru_cache

import msgspec

from schemas.address import canonical_ip

ROW_SEPARATOR = " | "


class Rule(msgspec.Struct, frozen=True):
    """What one operation means."""

    kind: str
    action: str = ""
    """The action in the words of this product; empty: the vendor's own name is kept."""
    target: str = ""
    """Type of the target where the record names none."""
    success: str = "success"
    """The outcome when the vendor calls it a success: a step of something longer is a ``challenge``."""
    read: bool = False
    """Whether it only reads; what is read counts as one record that left when ``kind`` is ``data.export``."""


def table(rows: Iterable[tuple[Rule, str]]) -> dict[str, Rule]:
    """Rules by folded name; one row may name many operations, separated by ``' | '``."""
    return {operation_key(name): rule for rule, names in rows for name in names.split(ROW_SEPARATOR)}


@lru_cache(maxsize=4096)
def operation_key(name: str) -> str:
    """The name under which an operation stands in a table: spelling varies in case, spaces, dashes and a full stop at the end.

    >>> operation_key("Add member to role."), operation_key("Add  Member to Role")
    ('add member to role', 'add member to role')
    """
    return " ".join(name.lower().replace("–", "-").split()).rstrip(".")


_NO_ADDRESS = frozenset({"0.0.0.0", "::", "<null>"})  # noqa: S104 - what stands for "none", nothing is bound to it


@lru_cache(maxsize=65_536)
def client_ip(text: str) -> str | None:
    """The address of a client written with or without brackets and port; ``None`` for host names and anything else.

    >>> client_ip("[2001:db8::1]:443"), client_ip("192.0.2.1:50123"), client_ip("[192.0.2.1]"), client_ip("2001:db8::1"), client_ip("host:1")
    ('2001:db8::1', '192.0.2.1', '192.0.2.1', '2001:db8::1', None)
    """
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    return canonical_ip(text) if text and text not in _NO_ADDRESS else None


def account(name: str) -> str:
    """An account's name as a key: user principal names mean the same in any case.

    >>> account("Alice@Example.com"), account("NT AUTHORITY")
    ('alice@example.com', 'NT AUTHORITY')
    """
    return name.lower() if "@" in name else name


class Verdict(msgspec.Struct, frozen=True):
    """How a sign-in with one result code ended."""

    outcome: str
    reason: str | None = None
    name: str = ""
    """The vendor's name of the code, as Microsoft 365 writes it in ``LogonError``."""
    mfa: bool = False
    """Whether the second factor itself was refused."""


_SUCCESS = Verdict("success")
_ROWS: tuple[tuple[str, str, str], ...] = (
    # outcome, reason, codes (with the vendor's name where Microsoft 365 writes it). Source: Microsoft's list of AADSTS codes.
    ("failure", "bad_password", "50126=InvalidUserNameOrPassword 50056=InvalidPassword 50064=CredentialAuthenticationError"),
    ("failure", "bad_password", "120000=InvalidPasswordChange 120002 50193"),
    ("failure", "unknown_user", "50034=UserAccountNotFound 50020=UserUnauthorized 50014=GuestUserInPendingState"),
    ("failure", "unknown_user", "51004=UserAccountNotInDirectory 90072=PassThroughUserMfaError 16003=SsoUserAccountNotFoundInResourceTenant"),
    ("failure", "unknown_user", "500208 50197=ConflictingIdentities"),
    ("failure", "unknown_tenant", "50059=MissingTenantRealmAndNoUserInformationProvided 50128=InvalidDomainName 90002=InvalidTenantName 90019"),
    ("failure", "locked", "50053=IdsLocked"),
    ("failure", "disabled", "50057=UserDisabled 7000112=UnauthorizedClientApplicationDisabled 70001=UnauthorizedClient 135011 54000"),
    ("failure", "password_expired", "50055=InvalidPasswordExpiredPassword 50144=InvalidPasswordExpiredOnPremPassword"),
    ("failure", "password_change_required", "50135=PasswordChangeCompromisedPassword 50142=PasswordChangeRequiredConditionalAccess"),
    ("failure", "bad_secret", "7000215=InvalidClientSecret 70002=InvalidClient 7000218 700027=CertificateNotRegistered 50012=AuthenticationFailed"),
    ("failure", "bad_secret", "700030 7000213 700024 700212 700211 700213 7000272"),
    ("failure", "secret_expired", "7000222=InvalidClientSecretExpiredKeysProvided 1000502"),
    ("failure", "unknown_app", "700016=UnauthorizedClientAppNotFoundInTenant 700011 500011=InvalidResourceServicePrincipalNotFound 7000229"),
    ("failure", "unknown_app", "650052 500014"),
    # Right password, yet not let in: a policy, a restriction, or no role in the application.
    ("failure", "not_allowed", "53000=DeviceNotCompliant 53001=DeviceNotDomainJoined 53002=ApplicationUsedIsNotAnApprovedApp"),
    ("failure", "not_allowed", "53003=BlockedByConditionalAccess 530003 530004 530031 530032 530034 530035=BlockedBySecurityDefaults"),
    ("failure", "not_allowed", "53004=ProofUpBlockedDueToRisk 53009 53010=ProofUpBlockedDueToSecurityInfoAcr 53011 53020 50131=ConditionalAccessFailed"),
    ("failure", "not_allowed", "50005=DevicePolicyError 50002=NotAllowedTenant 500021 500022 500212 500213 50105=EntitlementGrantsNotFound"),
    ("failure", "not_allowed", "53200 53201 53202 53203 80012=OnPremisePasswordValidationAccountLogonInvalidHours 1000104 220501 90093 900936"),
    ("failure", "consent_declined", "65004=UserDeclinedConsent"),
    ("failure", "session_expired", "70008=ExpiredOrRevokedGrant 700082=ExpiredOrRevokedGrantInactiveToken 700084 70043=BadTokenDueToSignInFrequency"),
    ("failure", "session_expired", "50089=FlowTokenExpired 50132=SsoArtifactInvalidOrExpired 50085 70044 54005 70019=CodeExpired"),
    ("failure", "session_revoked", "50173=FreshTokenNeeded 50133=SsoArtifactRevoked 50013=InvalidAssertion 500133 70000=InvalidGrant"),
    ("failure", "loop", "50196=LoopDetected"),
    ("challenge", "mfa_required", "50074=UserStrongAuthClientAuthNRequiredInterrupt 50076=UserStrongAuthClientAuthNRequired"),
    ("challenge", "mfa_required", "50078=UserStrongAuthExpired 50158=ExternalSecurityChallenge 500582 50099 90100"),
    ("challenge", "mfa_enrolment", "50072=UserStrongAuthEnrollmentRequiredInterrupt 50079=UserStrongAuthEnrollmentRequired"),
    ("challenge", "mfa_enrolment", "50125=PasswordResetRegistrationRequiredInterrupt 50203"),
    ("challenge", "device_required", "50097=DeviceAuthenticationRequired 50129=DeviceIsNotWorkplaceJoined 50127=BrokerAppNotInstalled"),
    ("challenge", "device_required", "50187=DeviceInformationNotProvided 50155=DeviceAuthenticationFailed 50168=ChromeBrowserSsoInterruptRequired"),
    ("challenge", "consent_required", "65001=DelegationDoesNotExist 90094=AdminConsentRequired 90095=AdminConsentRequiredRequestAccess"),
    ("challenge", "terms_of_use", "50199=CmsiInterrupt 50140=KmsiInterrupt 50206 500001 50141"),
    ("challenge", "sign_in_required", "50058=UserInformationNotProvided 16000=SelectUserAccount 16001=UserAccountSelectionInvalid 160021 16002"),
    ("challenge", "sign_in_required", "50143=SessionMismatch 51006=ForceReauthDueToInsufficientAuth 50180 70046 70016=AuthorizationPending 9002341"),
    ("challenge", "sign_in_required", "81004=DesktopSsoIdentityInTicketIsNotAuthenticated 81005 81006 81007 81009 81010=DesktopSsoAuthTokenInvalid 81012"),
    ("challenge", "sign_in_required", "81014 50170 50177 50178 50019 51005=TemporaryRedirect"),
)  # fmt: skip
_INTERRUPTS = {50140: "stay_signed_in", 50199: "confirm_app"}

_MFA_REFUSED = {
    500121: Verdict("failure", "mfa_failed", "AuthenticationFailedSasError", mfa=True),
    50087: Verdict("failure", "mfa_failed", "SasRetryableError", mfa=True),
    50086: Verdict("failure", "mfa_failed", "SasNonRetryableError", mfa=True),
    50088: Verdict("failure", "mfa_failed", "", mfa=True),
}


def _codes() -> dict[int, Verdict]:
    verdicts = {0: _SUCCESS, **_MFA_REFUSED}
    for outcome, reason, codes in _ROWS:
        for entry in codes.split():
            number, _, name = entry.partition("=")
            code = int(number)
            verdicts[code] = Verdict(outcome, _INTERRUPTS.get(code, reason), name)
    return verdicts


CODES: dict[int, Verdict] = _codes()
"""By result code of the sign-in service (``AADSTS…``)."""
NAMED: dict[str, Verdict] = {verdict.name: verdict for verdict in CODES.values() if verdict.name}
"""The same, by the vendor's name of the code."""
CREDENTIAL_REASONS = frozenset({"bad_password", "unknown_user", "unknown_tenant", "locked", "disabled", "password_expired", "bad_secret"})
"""Failures that are a try to log in, even where the log calls them a renewal of a session."""
MAX_CODE = 10**9

_MFA_ANSWERS: tuple[tuple[str, str], ...] = (
    ("declined", "mfa_denied"),
    ("did not respond", "mfa_timeout"),
    ("timed out", "mfa_timeout"),
    ("timeout", "mfa_timeout"),
    ("fraud", "mfa_fraud"),
    ("blocked", "mfa_blocked"),
    ("invalid verification code", "mfa_bad_code"),
    ("verification code", "mfa_bad_code"),
    ("wrong", "mfa_bad_code"),
)


def verdict_of(code: int) -> Verdict:
    """The verdict of a result code; one nobody knows is a failure named after its number.

    >>> verdict_of(50126).reason, verdict_of(123456)
    ('bad_password', Verdict(outcome='failure', reason='error_123456', name='', mfa=False))
    """
    known = CODES.get(code)
    if known is not None:
        return known
    return Verdict("failure", f"error_{code}" if 0 < code < MAX_CODE else "error")


def mfa_answer(text: str) -> str:
    """Why the second factor failed, from the vendor's sentence about it.

    >>> mfa_answer("MFA denied; user declined the authentication"), mfa_answer("MFA denied; duplicate authentication attempt")
    ('mfa_denied', 'mfa_failed')
    """
    lowered = text.lower()
    return next((reason for words, reason in _MFA_ANSWERS if words in lowered), "mfa_failed")
