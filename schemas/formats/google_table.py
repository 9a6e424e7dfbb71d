"""The rows of ``google_kinds``: kind, application, event names, and what else is known of them."""

from typing import Any

Row = tuple[str, str, str, dict[str, Any]]


def _on(type_: str, *params: str, **more: str) -> dict[str, Any]:
    return {"target": type_, "params": params, **more}


_AFFECTED = _on("user", "affected_email_address")
_USER = _on("user", "USER_EMAIL")
_ROLE = _on("role", "ROLE_NAME", "ROLE_ID")
_SETTING = _on("setting", "SETTING_NAME", "APPLICATION_NAME", "DOMAIN_NAME")
_POLICY = _on("setting", "ORG_UNIT_NAME", "GROUP_EMAIL", "DOMAIN_NAME")
_APP = _on("app", "API_CLIENT_NAME", "OAUTH2_APP_ID", "OAUTH2_APP_NAME", "APP_ID", "APPLICATION_NAME")
_DOMAIN = _on("domain", "DOMAIN_NAME", "DOMAIN_ALIAS", "SECONDARY_DOMAIN_NAME")
_GROUP = _on("group", "GROUP_EMAIL")
_ALERT = _on("alert", "ALERT_NAME", "ALERT_ID", "RULE_NAME", "RULE_ID")
_DOC = _on("doc", "doc_id")
_SHARED = {**_DOC, "note": "data.export (share.public, share.external) where it becomes visible outside the domain"}
_DEVICE = _on("device", "DEVICE_ID", "RESOURCE_ID", "SERIAL_NUMBER")
_TOKEN_APP = _on("app", "client_id", "app_name")
_MEMBER = _on("user", "user_email", "member_id", "USER_EMAIL", "group_email")
_ROOM = _on("room", "room_id", "conversation_id")


LOGIN: tuple[Row, ...] = (
    ("auth.login", "login", "login_success", {"action": "login"}),
    ("auth.login", "login", "login_failure", {"action": "login", "outcome": "failure"}),
    ("auth.login", "saml", "login_success", _on("app", "application_name", action="sso")),
    ("auth.login", "saml", "login_failure", _on("app", "application_name", action="sso", outcome="failure")),
    ("auth.logout", "login", "logout", {"action": "logout"}),
    (
        "auth.mfa_challenge",
        "login",
        "login_challenge login_verification",
        {"action": "mfa.challenge", "outcome": "challenge", "note": "success or failure where login_challenge_status says so"},
    ),
    (
        "auth.login",
        "login",
        "suspicious_login suspicious_login_less_secure_app suspicious_programmatic_login",
        {**_AFFECTED, "outcome": None, "risk": "high", "note": "Google's warning about a login, beside the login itself"},
    ),
    ("auth.login", "login", "gov_attack_warning", {**_AFFECTED, "action": "attack.warning", "outcome": None, "risk": "high"}),
    (
        "auth.session",
        "login",
        "user_signed_out_due_to_suspicious_session_cookie",
        {"action": "session.revoke", "risk": "high", "note": "a session cookie was used by malware or a stranger"},
    ),
    ("authz.decision", "login", "risky_sensitive_action_allowed", {"action": "protected_action.attempt", "risk": "medium"}),
    (
        "authz.decision",
        "login",
        "risky_sensitive_action_blocked",
        {"action": "protected_action.attempt", "outcome": "failure", "reason": "forbidden", "risk": "high"},
    ),
    ("account.change", "login", "account_disabled_password_leak account_disabled_hijacked", {**_AFFECTED, "risk": "high"}),
    (
        "account.change",
        "login",
        "account_disabled_generic account_disabled_spamming account_disabled_spamming_through_relay",
        {**_AFFECTED, "risk": "medium"},
    ),
    ("account.change", "login", "account_disabled_* account_recovery_*", {**_AFFECTED, "risk": "medium"}),
    ("account.change", "login", "recovery_email_edit recovery_phone_edit recovery_secret_qa_edit", {}),
    (
        "account.change",
        "login",
        "email_forwarding_out_of_domain",
        _on("email", "email_forwarding_destination_address", action="mail.forward", note="mail of this account now leaves the domain"),
    ),
    ("auth.password_change", "login", "password_edit", {"action": "password.change"}),
    ("auth.mfa_change", "login", "2sv_enroll titanium_enroll passkey_enrolled passkey_added", {"action": "mfa.add"}),
    ("auth.mfa_change", "login", "2sv_disable titanium_unenroll passkey_removed", {"action": "mfa.remove"}),
    ("auth.mfa_change", "login", "2sv_* passkey_* titanium_*", {}),
    ("credential.change", "token", "authorize", {**_TOKEN_APP, "action": "consent.grant"}),
    ("credential.change", "token", "revoke", {**_TOKEN_APP, "action": "consent.revoke"}),
    ("credential.change", "token", "request", {**_TOKEN_APP, "action": "consent.request", "outcome": "challenge"}),
    ("api.request", "token", "activity", _TOKEN_APP),
)
"""Applications ``login`` (also written ``user_accounts``), ``saml`` and ``token``."""

USERS: tuple[Row, ...] = (
    ("account.change", "admin", "CREATE_USER", {**_USER, "action": "user.create"}),
    ("account.change", "admin", "DELETE_USER", {**_USER, "action": "user.delete"}),
    ("account.change", "admin", "SUSPEND_USER", {**_USER, "action": "user.suspend"}),
    ("account.change", "admin", "UNSUSPEND_USER", {**_USER, "action": "user.unsuspend"}),
    ("account.change", "admin", "UNDELETE_USER", {**_USER, "action": "user.restore"}),
    ("account.change", "admin", "ARCHIVE_USER UNARCHIVE_USER RENAME_USER MOVE_USER_TO_ORG_UNIT USER_INVITE ACCEPT_USER_INVITE", _USER),
    ("account.change", "admin", "CANCEL_USER_INVITE USERS_BULK_UPLOAD BULK_UPLOAD RESEND_USER_INVITE", _USER),
    ("account.change", "admin", "ADD_RECOVERY_EMAIL CHANGE_RECOVERY_EMAIL REMOVE_RECOVERY_EMAIL", _USER),
    ("account.change", "admin", "ADD_RECOVERY_PHONE CHANGE_RECOVERY_PHONE REMOVE_RECOVERY_PHONE", _USER),
    ("account.change", "admin", "ADD_NICKNAME REMOVE_NICKNAME CHANGE_FIRST_NAME CHANGE_LAST_NAME CHANGE_DISPLAY_NAME", _USER),
    ("account.change", "admin", "CHANGE_USER_* UPDATE_BIRTHDATE CHANGE_PASSWORD_ON_NEXT_LOGIN GMAIL_RESET_USER", _USER),
    ("account.change", "admin", "MAIL_ROUTING_DESTINATION_ADDED", {**_USER, "action": "mail.forward"}),
    ("account.change", "admin", "MAIL_ROUTING_DESTINATION_REMOVED ENABLE_USER_IP_WHITELIST", _USER),
    (
        "auth.password_reset",
        "admin",
        "CHANGE_PASSWORD",
        {**_USER, "action": "password.reset", "note": "auth.password_change where an administrator changes their own"},
    ),
    ("auth.session", "admin", "RESET_SIGNIN_COOKIES", {**_USER, "action": "session.revoke"}),
    ("auth.session", "admin", "UNBLOCK_USER_SESSION", _USER),
    ("auth.mfa_change", "admin", "TURN_OFF_2_STEP_VERIFICATION UNENROLL_USER_FROM_STRONG_AUTH", {**_USER, "action": "mfa.remove"}),
    ("auth.mfa_change", "admin", "REVOKE_SECURITY_KEY UNENROLL_USER_FROM_TITANIUM", {**_USER, "action": "mfa.remove"}),
    ("auth.mfa_change", "admin", "SECURITY_KEY_REGISTERED_FOR_USER USER_ENROLLED_IN_TWO_STEP_VERIFICATION", {**_USER, "action": "mfa.add"}),
    ("auth.mfa_change", "admin", "GENERATE_2SV_SCRATCH_CODES", {**_USER, "action": "mfa.recovery_codes_create"}),
    ("auth.mfa_change", "admin", "DELETE_2SV_SCRATCH_CODES USER_PUT_IN_TWO_STEP_VERIFICATION_GRACE_PERIOD", _USER),
    ("auth.mfa_change", "admin", "ENFORCE_STRONG_AUTHENTICATION ALLOW_STRONG_AUTHENTICATION", {**_POLICY, "action": "mfa_policy.update"}),
    ("auth.mfa_change", "admin", "CHANGE_TWO_STEP_VERIFICATION_*", {**_POLICY, "action": "mfa_policy.update"}),
    ("auth.mfa_change", "admin", "CHANGE_ALLOWED_TWO_STEP_VERIFICATION_METHODS", {**_POLICY, "action": "mfa_policy.update"}),
    ("credential.change", "admin", "REVOKE_ASP REVOKE_3LO_TOKEN REVOKE_3LO_DEVICE_TOKENS", {**_USER, "action": "token.revoke"}),
    ("credential.change", "admin", "REGENERATE_OAUTH_CONSUMER_SECRET UPLOAD_OAUTH_CERTIFICATE GENERATE_TRANSFER_TOKEN", _DOMAIN),
    ("credential.change", "admin", "CREATE_ENROLLMENT_TOKEN REVOKE_ENROLLMENT_TOKEN CREATE_DEVICE_ENROLLMENT_TOKEN", {}),
    ("credential.change", "admin", "REVOKE_DEVICE_ENROLLMENT_TOKEN GENERATE_PIN ADD_MOBILE_CERTIFICATE REMOVE_MOBILE_CERTIFICATE", {}),
)
"""Application ``admin``: people, their passwords and second factors."""

ADMIN: tuple[Row, ...] = (
    ("admin.action", "admin", "GRANT_ADMIN_PRIVILEGE GRANT_DELEGATED_ADMIN_PRIVILEGES", {**_USER, "action": "role.grant"}),
    ("admin.action", "admin", "ASSIGN_ROLE", _on("user", "USER_EMAIL", "ROLE_NAME", action="role.grant")),
    ("admin.action", "admin", "REVOKE_ADMIN_PRIVILEGE REVOKE_DELEGATED_ADMIN_PRIVILEGES UNASSIGN_ROLE", {**_USER, "action": "role.revoke"}),
    ("admin.action", "admin", "CREATE_ROLE", {**_ROLE, "action": "role.create"}),
    ("admin.action", "admin", "DELETE_ROLE", {**_ROLE, "action": "role.delete"}),
    ("admin.action", "admin", "UPDATE_ROLE RENAME_ROLE", {**_ROLE, "action": "role.update"}),
    ("admin.action", "admin", "ADD_PRIVILEGE", {**_ROLE, "action": "role.permission_add"}),
    ("admin.action", "admin", "REMOVE_PRIVILEGE", {**_ROLE, "action": "role.permission_remove"}),
    ("admin.action", "admin", "AUTHORIZE_API_CLIENT_ACCESS", {**_APP, "action": "delegation.grant", "note": "an app may act as any user"}),
    ("admin.action", "admin", "REMOVE_API_CLIENT_ACCESS", {**_APP, "action": "delegation.revoke"}),
    ("admin.action", "admin", "ADD_APPLICATION REMOVE_APPLICATION ADD_APPLICATION_TO_WHITELIST REMOVE_APPLICATION_FROM_WHITELIST", _APP),
    ("admin.action", "admin", "ADD_TO_TRUSTED_OAUTH2_APPS REMOVE_FROM_TRUSTED_OAUTH2_APPS ADD_TO_BLOCKED_OAUTH2_APPS", _APP),
    ("admin.action", "admin", "ADD_TO_LIMITED_OAUTH2_APPS REMOVE_FROM_BLOCKED_OAUTH2_APPS REMOVE_FROM_LIMITED_OAUTH2_APPS", _APP),
    ("admin.action", "admin", "ADD_MOBILE_APPLICATION_TO_WHITELIST", _on("app", "MOBILE_APP_PACKAGE_ID")),
    ("admin.action", "admin", "REMOVE_MOBILE_APPLICATION_FROM_WHITELIST", _on("app", "MOBILE_APP_PACKAGE_ID")),
    ("admin.action", "admin", "TOGGLE_SSO_ENABLED CHANGE_SSO_SETTINGS *_SSO_PROFILE *_SAML_*", {**_DOMAIN, "action": "sso.update"}),
    ("admin.action", "admin", "ADD_TRUSTED_DOMAINS REMOVE_TRUSTED_DOMAINS ADD_DOMAIN_ALIAS REMOVE_DOMAIN_ALIAS", _DOMAIN),
    ("admin.action", "admin", "ADD_SECONDARY_DOMAIN REMOVE_SECONDARY_DOMAIN CHANGE_PRIMARY_DOMAIN", _DOMAIN),
    ("admin.action", "admin", "UPDATE_DOMAIN_PRIMARY_ADMIN_EMAIL UPDATE_DOMAIN_SECONDARY_EMAIL CHANGE_RESELLER_ACCESS", _DOMAIN),
    ("admin.action", "admin", "ADD_GROUP_MEMBER UPDATE_GROUP_MEMBER REMOVE_GROUP_MEMBER", _on("user", "USER_EMAIL", "GROUP_EMAIL")),
    ("admin.action", "admin", "CREATE_GROUP DELETE_GROUP CHANGE_GROUP_* GROUP_MEMBER_BULK_UPLOAD WHITELISTED_GROUPS_UPDATED", _GROUP),
    ("admin.action", "admin", "CREATE_APPLICATION_SETTING CHANGE_APPLICATION_SETTING DELETE_APPLICATION_SETTING", _SETTING),
    ("admin.action", "admin", "CREATE_GMAIL_SETTING CHANGE_GMAIL_SETTING DELETE_GMAIL_SETTING CHANGE_EMAIL_SETTING", _SETTING),
    ("admin.action", "admin", "CHANGE_CALENDAR_SETTING CHANGE_DOCS_SETTING CHANGE_CHAT_SETTING CHANGE_SITES_SETTING", _SETTING),
    ("admin.action", "admin", "CHANGE_CONTACTS_SETTING CHANGE_MOBILE_SETTING CHANGE_CHROME_OS_*SETTING TOGGLE_SERVICE_ENABLED", _SETTING),
    ("admin.action", "admin", "CREATE_EMAIL_MONITOR DELETE_EMAIL_MONITOR", {**_USER, "note": "someone reads along in a mailbox"}),
    ("admin.action", "admin", "TRANSFER_DOCUMENT_OWNERSHIP", {**_USER, "action": "ownership.transfer"}),
    ("admin.action", "admin", "SECURITY_INVESTIGATION_ACTION* ACTION_CANCELLED ACTION_REQUESTED MOBILE_* COMPANY_*", {**_USER}),
    ("admin.action", "admin", "SESSION_CONTROL_SETTINGS_CHANGE CHANGE_SESSION_LENGTH WEAK_PROGRAMMATIC_LOGIN_SETTINGS_CHANGED", _POLICY),
    (
        "admin.action",
        "admin",
        "TOGGLE_CAA_ENABLEMENT CHANGE_CAA_APP_ASSIGNMENTS *_ACCESS_LEVEL",
        {**_POLICY, "action": "network_policy.update"},
    ),
    ("audit.log_change", "admin", "DELETE_ALERT DELETE_RULE", {**_ALERT, "action": "alerting.delete"}),
    (
        "audit.log_change",
        "admin",
        "ALERT_STATUS_CHANGED RULE_STATUS_CHANGED ALERT_RECEIVERS_CHANGED",
        {**_ALERT, "action": "alerting.update"},
    ),
    (
        "audit.log_change",
        "admin",
        "CHANGE_ALERT_CRITERIA CHANGE_RULE_CRITERIA RULE_ACTIONS_CHANGED",
        {**_ALERT, "action": "alerting.update"},
    ),
    (
        "audit.log_change",
        "admin",
        "UPDATE_RULE SYSTEM_DEFINED_RULE_UPDATED RENAME_ALERT RENAME_RULE",
        {**_ALERT, "action": "alerting.update"},
    ),
    ("audit.log_change", "admin", "CHANGE_LOGIN_ACTIVITY_TRACE", _DOMAIN),
    ("data.export", "admin", "CUSTOMER_TAKEOUT_*", _on("export", "OBFUSCATED_CUSTOMER_TAKEOUT_REQUEST_ID", action="export")),
    ("data.export", "admin", "CREATE_DATA_TRANSFER_REQUEST", _on("user", "USER_EMAIL", "NEW_VALUE", action="export")),
    ("data.export", "admin", "REQUEST_MAILBOX_DUMP REQUEST_ACCOUNT_INFO", {**_USER, "action": "export"}),
    ("data.export", "admin", "DOWNLOAD_* *_EXPORT_QUERY *_EXPORT DRIVE_DATA_RESTORE", {**_USER, "action": "export"}),
    ("data.query", "admin", "SECURITY_INVESTIGATION_* EMAIL_LOG_SEARCH SECURITY_INVESTIGATION_QUERY", _USER),
    ("api.request", "admin", "VIEW_* SECURITY_CENTER_VIEW SECURITY_CHART_DRILLDOWN", {}),
    ("admin.action", "admin", "*", {"note": "every other event of the console"}),
)
"""Application ``admin``: rights, applications, settings, alerts, exports."""

DATA: tuple[Row, ...] = (
    ("data.export", "drive", "download", {**_DOC, "action": "download"}),
    ("data.export", "drive", "export print copy source_copy email_as_attachment sync_item_content", _DOC),
    ("data.query", "drive", "connected_sheets_query sheets_import_range", _DOC),
    ("api.request", "drive", "change_user_access change_document_visibility change_document_access_scope change_acl_editors", _SHARED),
    ("api.request", "drive", "change_owner publish_change shared_drive_membership_change team_drive_membership_change", _SHARED),
    ("api.request", "drive", "shared_drive_settings_change team_drive_settings_change", _on("drive", "shared_drive_id", "team_drive_id")),
    ("api.request", "drive", "*", _DOC),
    (
        "api.request",
        "calendar",
        "change_calendar_acls",
        _on("calendar", "calendar_id", note="data.export (share.public) where anyone may read it"),
    ),
    ("data.export", "calendar", "export_calendar print_preview", _on("calendar", "calendar_id")),
    (
        "admin.action",
        "groups",
        "create_group delete_group change_acl_permission change_basic_setting add_info_setting",
        _on("group", "group_email"),
    ),
    ("admin.action", "groups", "add_user remove_user add_member remove_member change_member_role invite_user join", _MEMBER),
    ("admin.action", "groups", "change_* add_* remove_* ban_* unban_* approve_* revoke_*", _MEMBER),
    ("admin.action", "groups_enterprise", "*", _MEMBER),
    ("data.export", "chat", "attachment_downloaded", _on("file", "attachment_name", "conversation_id", action="download")),
    ("admin.action", "chat", "role_updated history_turned_off retention_changed", _ROOM),
    ("data.export", "takeout", "*", {"action": "export"}),
    ("data.export", "data_studio", "*DOWNLOAD* *EXPORT*", _on("report", "ASSET_ID")),
    ("data.export", "vault", "*export* *download*", _on("matter", "matter_id", "resource_name")),
    ("data.query", "vault", "*search* *query* *preview*", _on("matter", "matter_id", "resource_name")),
    ("api.request", "vault", "view_*", _on("matter", "matter_id", "resource_name")),
    ("admin.action", "vault", "*", _on("matter", "matter_id", "resource_name")),
    ("data.query", "admin_data_action", "*", {}),
    ("credential.change", "gcp", "*SSH_PUBLIC_KEY* *POSIX_ACCOUNT*", _USER),
)
"""Applications that hold data."""

DEVICES: tuple[Row, ...] = (
    ("auth.session", "mobile", "SUSPICIOUS_ACTIVITY_EVENT", {**_DEVICE, "action": "device.suspicious", "risk": "high"}),
    (
        "auth.session",
        "mobile",
        "DEVICE_COMPROMISED_EVENT",
        {**_DEVICE, "action": "device.compromised", "risk": "high", "note": "no risk where the state is NOT_COMPROMISED"},
    ),
    (
        "auth.session",
        "mobile",
        "FAILED_PASSWORD_ATTEMPTS_EVENT",
        {**_DEVICE, "action": "device.unlock", "outcome": "failure", "reason": "bad_password", "note": "the screen lock, not the account"},
    ),
    ("auth.session", "mobile", "DEVICE_REGISTER_UNREGISTER_EVENT", {**_DEVICE, "action": "device.register"}),
    ("auth.session", "mobile", "DEVICE_OWNERSHIP_CHANGE_EVENT RISK_SIGNAL_UPDATED_EVENT DEVICE_ACTION_EVENT", _DEVICE),
    ("auth.session", "chrome", "CHROME_OS_LOGIN_EVENT LOGIN_EVENT CHROME_OS_REPORTING_DATA_LOST", _DEVICE),
    ("auth.session", "chrome", "CHROME_OS_LOGIN_FAILURE_EVENT", {**_DEVICE, "outcome": "failure"}),
    ("auth.session", "chrome", "PASSWORD_BREACH* PASSWORD_REUSE*", {**_DEVICE, "risk": "high"}),
    ("auth.password_change", "chrome", "PASSWORD_CHANGED*", {**_DEVICE, "action": "password.change"}),
    ("data.export", "chrome", "SENSITIVE_DATA_* CONTENT_TRANSFER* DLP_EVENT*", {**_DEVICE, "risk": "medium"}),
    ("api.request", "chrome", "MALWARE_* UNSAFE_SITE_* SUSPICIOUS_*", {**_DEVICE, "risk": "high"}),
    ("authz.decision", "context_aware_access", "ACCESS_DENY_*", _on("app", "CAA_APPLICATION", outcome="failure", reason="forbidden")),
    ("authz.decision", "context_aware_access", "*", _on("app", "CAA_APPLICATION")),
    ("authz.decision", "rules", "*", _on("resource", "resource_id", "resource_name", note="a data protection or alert rule matched")),
    ("api.request", "access_transparency", "*", {"note": "staff of Google looked at content"}),
    (
        "api.request",
        "gmail",
        "delivery",
        {"note": "only deliveries with malware or a hostile sender, as risk high; other mail makes no event", "risk": "high"},
    ),
)
"""Devices, browsers, and what was let through or refused."""

IGNORED_NAMES = """
admin:CHANGE_ADVERTISEMENT_OPTION admin:CHANGE_LOGIN_BACKGROUND_COLOR admin:CHANGE_LOGIN_BORDER_COLOR admin:CHANGE_CUSTOM_LOGO
admin:TOGGLE_USE_CUSTOM_LOGO admin:ASSIGN_CUSTOM_LOGO admin:UNASSIGN_CUSTOM_LOGO admin:CHANGE_DOMAIN_DEFAULT_LOCALE
admin:CHANGE_DOMAIN_DEFAULT_TIMEZONE admin:CHANGE_USER_GENDER admin:CHANGE_USER_IM admin:CHANGE_USER_LANGUAGE admin:CREATE_BUILDING
admin:UPDATE_BUILDING admin:DELETE_BUILDING admin:*_CALENDAR_RESOURCE admin:*_CALENDAR_RESOURCE_FEATURE admin:CANCEL_CALENDAR_EVENTS
drive:storage_usage_update drive:label_* drive:approval_* drive:add_lock drive:remove_lock calendar:* meet:* classroom:* cloud_search:*
jamboard:* gplus:* assignments:* tasks:* profile:* graduation:* contacts:* keep:* currents:* mobile:* chat:* groups:moderate_* groups:* gmail:*
login:blocked_sender
"""
"""Events without a row of their own there are known to be of no interest."""
