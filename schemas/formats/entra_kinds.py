"""What each activity of the Entra directory's audit log is. Microsoft 365 writes the same names, with a full stop, into its own log.

Source of the names: Microsoft's reference of audit log activities.
"""

from schemas.formats.microsoft import Rule, operation_key, table


def _admin(action: str, target: str = "") -> Rule:
    return Rule("admin.action", action, target)


def _account(action: str) -> Rule:
    return Rule("account.change", action, "user")


_MFA_ADD, _MFA_REMOVE = Rule("auth.mfa_change", "mfa.add", "user"), Rule("auth.mfa_change", "mfa.remove", "user")
_MFA_UPDATE, _MFA_POLICY = Rule("auth.mfa_change", "mfa.update", "user"), Rule("auth.mfa_change", "mfa_policy.update", "policy")
_CREDENTIAL_ADD, _CREDENTIAL_REMOVE = (
    Rule("credential.change", "credential.add", "app"),
    Rule("credential.change", "credential.remove", "app"),
)
_GRANT, _REVOKE, _ELIGIBLE = _admin("role.grant"), _admin("role.revoke"), _admin("role.eligible")
_RESET, _RESET_STEP = (
    Rule("auth.password_reset", "password.reset", "user"),
    Rule("auth.password_reset", "password.reset_step", "user", "challenge"),
)
_SECRET_READ = Rule("data.export", "secret.read", read=True)
_LISTS_READ = Rule("data.export", "directory.download", read=True)

_ROWS: tuple[tuple[Rule, str], ...] = (
    # Accounts
    (_account("user.create"), "Add user | Bulk create users - finished (bulk) | Viral user creation | Create ExternalUserProfile"),
    (_account("user.delete"), "Delete user | Hard Delete user | Delete external user | Bulk delete users - finished (bulk)"),
    (_account("user.restore"), "Restore user | Bulk restore deleted users - finished (bulk)"),
    (_account("user.update"), "Update user | Set user manager | Update attribute values assigned to a user | Change user license | Set license properties"),
    (_account("user.update"), "Convert federated user to managed | Set force change user password | Update external secrets"),
    (_account("user.disable"), "Disable account | Block sign-in for user"),
    (_account("user.enable"), "Enable account | Unlock user account (self-service)"),
    (_account("user.invite"), "Invite external user | Invite external user with reset invitation status | Invite internal user to B2B collaboration"),
    (_account("user.invite"), "Invite internal user | Bulk invite users - finished (bulk) | Batch invites processed | Redeem external user invite"),
    (_account("user.invite"), "Redeem extern user invite"),
    (_account("user.risk"), "ConfirmAccountCompromised | ConfirmCompromised | ConfirmServicePrincipalCompromised | DismissUser | DismissServicePrincipal"),
    (_account("user.risk"), "ConfirmSafe | Remediate user"),
    # Passwords
    (Rule("auth.password_change", "password.change", "user"), "Change user password | Change password (self-service)"),
    (_RESET, "Reset password | Reset user password | Reset password (self-service) | Reset password (by admin) | User Password Reset"),
    (_RESET_STEP, "Admin started password reset | User started password reset | Self-service password reset flow activity progress"),
    (_RESET_STEP, "Blocked from self-service password reset | User started password change"),
    # Second factors
    (_MFA_ADD, "User registered security info | User registered all required security info | Admin registered security info"),
    (_MFA_ADD, "Security info saved for self-service password reset | User Password Registration | Add FIDO2 security key"),
    (_MFA_ADD, "Add Windows Hello for Business credential | Add passwordless phone sign-in credential | Add platform credential"),
    (_MFA_ADD, "Add users strong authentication phone app detail | Register TOTP secret | Create Hardware Oath Token | Assign Hardware Oath Token"),
    (_MFA_ADD, "Enable Strong Authentication | Add passkey (device-bound) | Add passkey | Create temporary access pass | Bulk upload Hardware Oath Token"),
    (_MFA_REMOVE, "User deleted security info | Admin deleted security info | Delete FIDO2 security key(s) | Delete Hardware Oath Token"),
    (_MFA_REMOVE, "Delete Windows Hello for Business credential | Delete passwordless phone sign-in credential | Delete platform credential"),
    (_MFA_REMOVE, "Remove users strong authentication phone app detail | Delete all available strong authentication devices"),
    (_MFA_REMOVE, "Delete passkey (device-bound) | Delete passkey | Delete temporary access pass"),
    (Rule("auth.mfa_change", "mfa.disable", "user"), "Disable Strong Authentication | Add bypass user | POST Tenant.CreateBypassedUser"),
    (_MFA_UPDATE, "User updated security info | Admin updated security info | User changed default security info | Update StrongAuthentication"),
    (_MFA_UPDATE, "PATCH UserAuthMethod.PatchSignInPreferencesAsync | Update Hardware Oath Token | Set user oath token metadata enabled"),
    (_MFA_UPDATE, "Remove bypassed user | POST Tenant.RemoveBypassedUser | POST TenantRemoveBypassedUser | Update per-user multifactor authentication state"),
    (Rule("auth.mfa_challenge", "mfa.fraud_reported", "user", "failure"), "Fraud reported - no action taken | Fraud reported - user is blocked for MFA"),
    (Rule("auth.mfa_challenge", "mfa.fraud_reported", "user", "failure"), "Suspicious activity reported"),
    (_MFA_POLICY, "Authentication Methods Policy Reset | Authentication Methods Policy Update | Authentication Strength Policy Create"),
    (_MFA_POLICY, "Authentication Strength Policy Update | Authentication Strength Policy Delete | Update User Risk and MFA Registration Policy"),
    (_MFA_POLICY, "Authentication Strength Combination Configuration Create | Authentication Strength Combination Configuration Update"),
    (_MFA_POLICY, "Authentication Strength Combination Configuration Delete | Set MFA registration policy | Update security defaults"),
    (Rule("credential.change", "credential.add", "user"), "Create application password for user"),
    (Rule("credential.change", "credential.remove", "user"), "Delete application password for user"),
    (Rule("auth.session", "session.revoke", "user"), "Update StsRefreshTokenValidFrom Timestamp | Revoke user sign-in sessions"),
    # Roles and groups
    (_GRANT, "Add member to role | Add scoped member to role | Add role assignment to role definition | Create role assignment | Add role from template"),
    (_GRANT, "User has elevated their access to User Access Administrator for their Azure Resources | Add member to role outside of PIM (permanent)"),
    (_GRANT, "Add member to role scoped over Restricted Management Administrative Unit | Add Entitlement Management role assignment"),
    (_GRANT, "Add app role assignment to user | Add app role assignment grant to user | Restore member from role | Restore permanent direct role assignment"),
    (_GRANT, "Approve request - direct role assignment | Assigned elevated access to User Access Administrator"),
    (_ELIGIBLE, "Add eligible member to role | Add EligibleRoleAssignment to RoleDefinition | Restore permanent eligible role assignment"),
    (_admin("role.activate"), "Add member to role completed (PIM activation) | Add member to role request approved (PIM activation)"),
    (_REVOKE, "Remove member from role | Remove scoped member from role | Remove role assignment from role definition | Delete role assignment"),
    (_REVOKE, "Remove member from role scoped over Restricted Management Administrative Unit | Remove Entitlement Management role assignment"),
    (_REVOKE, "Remove eligible member from role | Remove EligibleRoleAssignment from RoleDefinition | Remove permanent direct role assignment"),
    (_REVOKE, "Remove permanent eligible role assignment | Remove app role assignment from user | Remove elevated access"),
    (_admin("role.update", "role"), "Add role definition | Update role definition | Delete role definition | Update role | Role definition created"),
    (_admin("role.settings", "role"), "Update role setting in PIM | PIM policy removed | Offboarded resource from PIM | Tenant offboarded from PIM"),
    (_admin("group.member_add"), "Add member to group | Add Member | Group_AddMember | Bulk import group members - finished (bulk)"),
    (_admin("group.member_remove"), "Remove member from group | Remove Member | Group_RemoveMember | Bulk remove group members - finished (bulk)"),
    (_admin("group.owner_add"), "Add owner to group | Group_AddOwner"),
    # Applications
    (_admin("app.consent", "app"), "Consent to application | Restore consent | Grant contextual consent to application"),
    (_admin("app.grant", "app"), "Add delegated permission grant | Add OAuth2PermissionGrant | Add app role assignment to service principal | Add delegation entry"),
    (_admin("app.grant", "app"), "Set delegation entry | Add app role assignment to group | Update V2 application permission grant | Add V2 application permissions"),
    (_admin("app.revoke", "app"), "Remove delegated permission grant | Remove OAuth2PermissionGrant | Revoke consent | Remove delegation entry"),
    (_admin("app.revoke", "app"), "Remove app role assignment from service principal | Remove app role assignment from group | Delete Consent"),
    (_admin("app.create", "app"), "Add application | Add service principal | Restore application | Restore service principal"),
    (_admin("app.update", "app"), "Update application | Update service principal | Set verified publisher | Unset verified publisher"),
    (_admin("app.delete", "app"), "Delete application | Hard Delete application | Remove service principal | Hard delete service principal"),
    (_admin("app.owner_add", "app"), "Add owner to application | Add owner to service principal"),
    (_CREDENTIAL_ADD, "Add service principal credentials | Update application - Certificates and secrets management | Upload secret into policy key"),
    (_CREDENTIAL_ADD, "Upload key to policy key | Upload certificate to policy key | Create policy key | Generate key | Add federated identity credential"),
    (_CREDENTIAL_REMOVE, "Remove service principal credentials | Remove policy credentials | Delete policy key"),
    # Policies, domains, devices
    (_admin("policy.create", "policy"), "Add conditional access policy | Add policy | Added policy | Add named location | Add permission grant policy"),
    (_admin("policy.update", "policy"), "Update conditional access policy | Update policy | Update named location | Update authorization policy"),
    (_admin("policy.update", "policy"), "Update permission grant policy | Update continuous access evaluation | Update IdentityProtectionPolicy"),
    (_admin("policy.update", "policy"), "Update Sign-In Risk Policy | Set sign-in risk policy | Set user risk policy | Set password policy"),
    (_admin("policy.update", "policy"), "Set device registration policies | Update Adaptive Access Policy"),
    (_admin("policy.delete", "policy"), "Delete conditional access policy | Delete policy | Delete named location | Delete permission grant policy"),
    (_admin("domain.federation", "domain"), "Set federation settings on domain | Set domain authentication | Add unverified domain | Add verified domain"),
    (_admin("domain.federation", "domain"), "Verify domain | Verify email verified domain | Update domain | Remove verified domain | Add domain to company"),
    (_admin("partner.add"), "Add partner to company | Promote company to partner | Set Partnership | Add a partner to cross-tenant access setting"),
    (_admin("partner.add"), "Update a partner cross-tenant access setting | Update the company default cross-tenant access setting"),
    (_admin("device.register", "device"), "Register device | Add device | Add registered owner to device | Add registered users to device"),
    (_admin("device.remove", "device"), "Delete device | Unregister device | Remove registered owner from device"),
    (_admin("authority.add"), "Add CertificationBasedAuthConfiguration | Add CertificateBasedAuthConfiguration | Enable passthrough authentication"),
    # Secrets and lists read
    (_SECRET_READ, "Read BitLocker key | Recover device local administrator password | Reveal local administrator password"),
    (_SECRET_READ, "Get active key metadata from policy key"),
    (_LISTS_READ, "Download users - finished (bulk) | Download group members - finished (bulk) | Download role assignments - finished (bulk)"),
    (_LISTS_READ, "Download groups - finished (bulk) | Download devices - finished (bulk) | Download service principals - finished (bulk)"),
    (_LISTS_READ, "Download user registration details - finished (bulk) | Download registration and reset events - finished (bulk)"),
    # The watchers themselves
    (Rule("audit.log_change", "alerting.disable"), "Disable PIM alert | Deactivate PIM alert | Update PIM alert setting"),
    (Rule("audit.log_change", "log.update"), "Update Enriched Audit Logs Settings | Add diagnostic setting | Update diagnostic setting"),
    (Rule("audit.log_change", "log.delete"), "Delete diagnostic setting"),
    # Customer directories (B2C)
    (Rule("auth.login", "sign_in"), "Validate local account credentials | Validate Client Credentials | Validate user authentication"),
    (Rule("auth.session", "session.issue"), "Issue an access token to the application | Issue an authorization code to the application | Exchange token"),
    (Rule("auth.session", "session.issue"), "Issue an id_token to the application | Issue a SAML assertion to the application"),
    (Rule("auth.session", "session.issue"), "Federate with an identity provider"),
    (Rule("auth.mfa_challenge", "mfa.challenge"), "Verify one time password | Verify phone number | Make phone call to verify phone number"),
    (Rule("auth.mfa_challenge", "mfa.challenge", "", "challenge"), "Send SMS to verify phone number | Generate one time password"),
)  # fmt: skip

AUDIT_RULES: dict[str, Rule] = table(_ROWS)
"""By folded activity name."""

AUDIT_PREFIXES: tuple[tuple[str, Rule | None], ...] = (
    # The families of Privileged Identity Management: only what was completed counts; asking, cancelling and refusing change nothing.
    ("add eligible member to role in pim completed", _ELIGIBLE),
    ("add eligible member to role in pim", None),
    ("add member to role in pim completed", _GRANT),
    ("add member to role in pim", None),
    ("add member to role approval", None),
    ("add member to role request", None),
    ("add member to role canceled", None),
    ("remove eligible member from role in pim completed", _REVOKE),
    ("remove member from role completed", _REVOKE),
    ("remove member from role in pim completed", _REVOKE),
    ("remove member from role (pim activation expired)", _REVOKE),
    ("remove eligible member from role in pim", None),
    ("remove member from role", None),
    ("restore eligible member from role in pim", _ELIGIBLE),
    ("restore member from role in pim", _GRANT),
    ("update eligible member in pim", None),
    ("update member in pim approved", _GRANT),
    ("update member in pim", None),
    ("invite ", _account("user.invite")),
    ("get ", None),
    ("retrieve ", None),
    ("check whether ", None),
    ("validate move", None),
    ("dsr ", None),
)
"""Beginnings of folded names that are in no table of their own, in the order they are tried; ``None``: not security relevant."""

AUDIT_IGNORED: frozenset[str] = frozenset(
    operation_key(name)
    for name in (
        "started (bulk)", "Export summary data - finished (bulk)", "Export summary data new - finished (bulk)",
        "User started security info registration", "User canceled security info registration", "User reviewed security info",
        "Accept Terms Of Use", "Decline Terms Of Use", "Email not sent, user unsubscribed", "Email subscribed", "Email unsubscribed",
        "Import", "Export", "Other", "Process escrow", "Synchronization rule action", "Quarantine", "User Provisioning",
        "Start applying group based license to users", "Finish applying group based license to users", "Trigger group license recalculation",
        "Finish applying group based license to user", "Set group license", "Device no longer compliant", "Device no longer managed", "Update device",
        "Update device configuration", "Process request", "Process role removal request", "Process role update request", "Cancel request",
        "Cancel request for role removal", "Cancel request for role update", "Remove request", "PIM activation request expired", "Refresh PIM alert",
        "Evaluate Conditional Access policies", "Verify email address", "Send verification email", "An API was called as part of a user flow",
        "Features_GetFeaturesAsync", "Features_IsFeatureEnabledAsync", "Approval_Get", "Approval_GetAll", "Group_Get", "Group_GetAll",
        "Group_GetMembers", "Group_GetOwners", "GroupsODataV4_Get", "Groups_Get", "User_Get", "User_GetAll", "User_GetMemberOf",
        "User_GetOwnedObjects", "Device_Get", "Device_GetAll", "GroupLifecyclePolicies_Get", "LcmPolicy_Get", "Settings_GetSettingsAsync",
        "GroupsODataV4_GetgroupLifecyclePolicies", "GroupsODataV4_evaluateDynamicMembership", "Group_GetDynamicGroupProperties",
        "Update MyAccount settings", "Update preview settings", "Update application collection order",
    )
)  # fmt: skip
"""Folded names that are known and not security relevant."""

AUDIT_FALLBACK = Rule("admin.action")
"""Whatever else the directory logs is a change somebody made to it."""


def audit_rule(name: str) -> Rule | None:
    """What an activity is; ``None`` when it is not security relevant.

    >>> audit_rule("Add member to role.").action, audit_rule("Get user flow"), audit_rule("Something new").kind
    ('role.grant', None, 'admin.action')
    """
    key = operation_key(name)
    rule = AUDIT_RULES.get(key)
    if rule is not None:
        return rule
    if key in AUDIT_IGNORED:
        return None
    for beginning, found in AUDIT_PREFIXES:
        if key.startswith(beginning):
            return found
    return AUDIT_FALLBACK
