"""The rows of the Okta table: kind, event types and what else the rule says (fields of ``okta_kinds.Rule``)."""

from collections.abc import Mapping

Row = tuple[str, str, Mapping[str, object]]

_USER = ("User", "AppUser")
_GROUP = ("UserGroup", "Group")
_APP = ("AppInstance",)
_TOKEN = ("Token",)

_CHALLENGE = {"targets": _USER, "own": True, "outcome": "challenge"}
_RESET_SENT = {"action": "password.reset_request", "targets": _USER, "own": True}
_UNLOCK_SENT = {"action": "account.unlock_request", "targets": _USER, "own": True}
_FORBIDDEN = {"outcome": "failure", "reason": "forbidden"}
_SECRET = {"action": "secret.read"}


def _on_user(action: str = "") -> dict[str, object]:
    return {"action": action, "targets": _USER, "own": True}


def _refused(action: str, reason: str) -> dict[str, object]:
    return {**_on_user(action), "outcome": "failure", "reason": reason}


AUTH: tuple[Row, ...] = (
    ("auth.login", "user.session.start", {"action": "login"}),
    # Steps of a login. A step that fails is a failed login, a step that succeeds is not yet one: see okta.py.
    (
        "auth.login",
        (
            "user.authentication.auth user.authentication.authenticate user.authentication.auth_via_AD_agent user.authentication.auth_via_LDAP_agent"
            " user.authentication.auth_via_IDP user.authentication.auth_via_inbound_SAML user.authentication.auth_via_inbound_delauth"
            " user.authentication.auth_via_iwa user.authentication.auth_via_richclient user.authentication.auth_via_social"
            " system.iwa_agentless.auth app.inbound_del_auth.login_success app.kerberos_rich_client.user_authentication_successful"
            " device.password_sync.authentication device.platform_sso.authentication"
        ),
        {"action": "login.step", "note": "a step: auth.session when it succeeds"},
    ),
    ("auth.login", "user.authentication.auth_via_radius system.ldapi.bind", {"action": "login"}),
    ("auth.login", "pam.server.ssh_login", {"action": "ssh.login"}),
    (
        "auth.login",
        "app.oauth2.invalid_client_credentials",
        {"action": "client.login", "targets": _APP, "outcome": "failure", "reason": "bad_secret"},
    ),
    (
        "auth.login",
        "system.iwa_agentless.user.not_found app.kerberos_rich_client.account_not_found",
        {"action": "login", "outcome": "failure", "reason": "unknown_user"},
    ),
    ("auth.logout", "user.session.end user.session.expire user.authentication.slo user.device_session.end", {"action": "logout"}),
    ("auth.logout", "user.session.clear", _on_user("session.clear")),
    ("auth.logout", "user.authentication.universal_logout* device.desktop_mfa.device_logout.*", _on_user("session.clear")),
    ("auth.session", "user.authentication.sso app.oauth2.signon", {"action": "sso", "targets": _APP}),
    ("auth.session", "user.session.access_admin_app", {"action": "admin_app.open", "targets": _APP}),
    ("auth.session", "user.device_session.start", {}),
    ("auth.session", "user.session.context.change security.session.detect_client_roaming policy.auth_reevaluate.fail", {"risk": "medium"}),
    ("auth.session", "policy.auth_reevaluate.* policy.continuous_access.* policy.entity_risk.*", {}),
    ("auth.session", "user.risk.change user.risk.detect", _on_user("risk.change")),
    ("auth.session", "security.breached_credential.detected", {**_on_user(), "risk": "high"}),
    ("auth.session", "user.account.report_suspicious_activity_by_enduser", {**_on_user("suspicious_activity.report"), "risk": "high"}),
    ("auth.session", "security.events.provider.receive_event", _on_user("risk.report")),
    (
        "auth.session",
        "user.authentication.auth_unconfigured_identifier user.authentication.auth_identifier_not_in_policy user.authentication.dsso_via_non_priority_source",
        {"note": "a login through another directory than the preferred one"},
    ),
    ("auth.session", "user.identity_verification user.identity_verification.start user.identity_snapshot.attestation.create", _on_user()),
    (
        "auth.session",
        "app.oauth2.token.detect_reuse app.oauth2.as.token.detect_reuse",
        {
            "action": "token.reuse",
            "outcome": "failure",
            "reason": "token_reuse",
            "risk": "high",
        },
    ),
    (
        "auth.session",
        "app.oauth2.* system.iwa_agentless.auth_after_redirect pam.auth_token.issue pam.user_creds.issue pam.gateway_creds.issue",
        {
            "note": "tokens and codes",
        },
    ),
    (
        "auth.mfa_challenge",
        "user.authentication.auth_via_mfa user.mfa.okta_verify user.authentication.verify",
        {
            **_on_user("mfa.verify"),
            "note": "auth.login failure when the factor is the password",
        },
    ),
    ("auth.mfa_challenge", "user.mfa.okta_verify.deny_push", _refused("mfa.verify.push", "mfa_denied")),
    ("auth.mfa_challenge", "user.mfa.okta_verify.deny_push_upgrade_needed", _refused("mfa.verify.push", "upgrade_needed")),
    ("auth.mfa_challenge", "user.mfa.attempt_bypass", {**_refused("mfa.bypass", "mfa_bypass"), "risk": "high"}),
    (
        "auth.mfa_challenge",
        "system.push.send_factor_verify_push device.custom_push.send_notification",
        {**_CHALLENGE, "action": "mfa.challenge.push"},
    ),
    (
        "auth.mfa_challenge",
        "system.sms.send_factor_verify_message system.sms.send_okta_push_verify_message system.sms.send_phone_verification_message",
        {**_CHALLENGE, "action": "mfa.challenge.sms"},
    ),
    (
        "auth.mfa_challenge",
        "system.voice.send_mfa_challenge_call system.voice.send_call system.voice.send_phone_verification_call",
        {**_CHALLENGE, "action": "mfa.challenge.voice"},
    ),
    ("auth.mfa_challenge", "system.email.send_factor_verify_message", {**_CHALLENGE, "action": "mfa.challenge.email"}),
    ("auth.mfa_challenge", "system.email.challenge_factor_redeemed", {**_on_user("mfa.verify.email_code")}),
    ("auth.mfa_change", "user.mfa.factor.activate credential.register user.credential.enroll", _on_user("mfa.add")),
    ("auth.mfa_change", "user.mfa.factor.deactivate credential.revoke", _on_user("mfa.remove")),
    ("auth.mfa_change", "user.mfa.factor.reset_all", _on_user("mfa.reset")),
    ("auth.mfa_change", "user.mfa.factor.suspend", _on_user("mfa.suspend")),
    ("auth.mfa_change", "user.mfa.factor.unsuspend", _on_user("mfa.unsuspend")),
    ("auth.mfa_change", "user.mfa.factor.update", _on_user("mfa.update")),
    (
        "auth.mfa_change",
        "device.enrollment.create device.token.enrollment.create device.desktop_mfa.enrollment.create",
        _on_user("mfa.add"),
    ),
    ("auth.mfa_change", "device.desktop_mfa.recovery_pin.generate", _on_user("mfa.recovery_code")),
    ("auth.mfa_change", "device.desktop_mfa.configuration.update", {"action": "mfa_policy.update"}),
    ("auth.mfa_change", "system.mfa.factor.activate security.authenticator.lifecycle.activate", {"action": "mfa_policy.enable"}),
    ("auth.mfa_change", "system.mfa.factor.deactivate security.authenticator.lifecycle.deactivate", {"action": "mfa_policy.disable"}),
    ("auth.mfa_change", "security.authenticator.lifecycle.*", {"action": "mfa_policy.update"}),
    (
        "auth.password_reset",
        "user.account.reset_password user.account.expire_password user.lifecycle.password_mass_expiry",
        _on_user("password.reset"),
    ),
    (
        "auth.password_reset",
        "system.agent.ad.reset_user_password system.agent.ldap.reset_user_password pam.password.reset",
        _on_user("password.reset"),
    ),
    (
        "auth.password_reset",
        "system.email.password_reset.sent_message system.sms.send_password_reset_message system.voice.send_password_reset_call",
        _RESET_SENT,
    ),
    (
        "auth.password_reset",
        "system.email.account_unlock.sent_message system.sms.send_account_unlock_message system.voice.send_account_unlock_call user.account.unlock_token",
        _UNLOCK_SENT,
    ),
    ("auth.password_reset", "user.account.use_token", _refused("password.reset", "bad_token")),
    (
        "auth.password_change",
        (
            "user.account.update_password system.agent.ldap.change_user_password system.agent.ldap.update_user_password app.ldap.password.change.failed"
            " pam.password.change"
        ),
        _on_user("password.change"),
    ),
)

ACCESS: tuple[Row, ...] = (
    ("authz.decision", "policy.evaluate_sign_on", {"action": "sign_on_policy.evaluate", "targets": _APP}),
    (
        "authz.decision",
        "application.policy.sign_on.deny_access app.generic.unauth_app_access_attempt",
        {
            "action": "app.access",
            "targets": _APP,
            **_FORBIDDEN,
        },
    ),
    ("authz.decision", "app.oauth2.as.authorize.scope_denied app.radius.info_access.no_permission", _FORBIDDEN),
    (
        "authz.decision",
        "system.api_token.request_outside_allowed_range system.oauth2.token.request_outside_allowed_range",
        {
            "action": "token.use",
            "targets": _TOKEN,
            **_FORBIDDEN,
        },
    ),
    ("authz.decision", "pam.security_policy.evaluate", {}),
    ("authz.decision", "security.request.blocked", {"action": "request.block", "outcome": "failure", "reason": "blocked"}),
    ("authz.decision", "security.threat.detected", {"action": "threat.detect", "risk": "high"}),
    ("authz.decision", "security.attack.start", {"action": "attack.start", "risk": "high"}),
    ("authz.decision", "security.attack.end", {"action": "attack.end"}),
    ("authz.decision", "security.protected_action.attempt", {"action": "protected_action.attempt"}),
    (
        "api.request",
        "system.org.rate_limit.warning system.org.rate_limit.burst system.operation.rate_limit.warning",
        {"action": "rate_limit.warning"},
    ),
    (
        "api.request",
        "system.client.rate_limit.notification system.client.concurrency_rate_limit.notification app.oauth2.client_id_rate_limit_warning",
        {
            "action": "rate_limit.warning",
        },
    ),
    (
        "api.request",
        (
            "system.org.rate_limit.violation system.operation.rate_limit.violation system.operation.concurrency_limit.violation"
            " system.client.rate_limit.violation system.client.concurrency_rate_limit.violation core.concurrency.org.limit.violation"
        ),
        {"action": "rate_limit.exceed", "outcome": "failure", "reason": "rate_limited"},
    ),
    ("api.request", "system.ldapi.search system.directory.debugger.query_executed org.not_configured_origin.redirection.usage", {}),
    ("data.export", "application.user_membership.show_password", {**_SECRET, "targets": ("AppUser", "User")}),
    ("data.export", "app.oauth2.client.read_client_secret application.configuration.read_client_secret", {**_SECRET, "targets": _APP}),
    ("data.export", "system.idp.lifecycle.read_client_secret pam.secret.reveal", _SECRET),
    ("data.export", "pam.server_account.password.reveal pam.service_account.password.reveal", _SECRET),
    ("data.export", "app.oauth2.token.grant.vaulted_secret app.oauth2.token.grant.service_account", _SECRET),
    (
        "data.export",
        "analytics.reports.export.download app.audit_report.download* mim.streamDevicesCSVDownload",
        {"action": "report.download"},
    ),
    ("data.export", "workflows.user.table.export workflows.user.flow.export workflows.user.folder.export", {"action": "workflow.export"}),
    ("data.export", "personal.user.app_migration.export", {}),
    ("data.query", "workflows.user.table.view support.org.view", {}),
)

CHANGES: tuple[Row, ...] = (
    ("account.change", "user.lifecycle.create", _on_user("user.create")),
    ("account.change", "user.lifecycle.activate", _on_user("user.activate")),
    ("account.change", "user.lifecycle.reactivate", _on_user("user.reactivate")),
    ("account.change", "user.lifecycle.deactivate", _on_user("user.deactivate")),
    ("account.change", "user.lifecycle.suspend", _on_user("user.suspend")),
    ("account.change", "user.lifecycle.unsuspend", _on_user("user.unsuspend")),
    ("account.change", "user.lifecycle.delete.*", _on_user("user.delete")),
    (
        "account.change",
        "user.account.lock user.account.lock.limit app.ad.api.user_import.account_locked",
        {
            **_on_user("account.lock"),
            "reason": "locked",
        },
    ),
    (
        "account.change",
        (
            "user.account.unlock user.account.unlock_by_admin user.account.unlock_failure system.agent.ad.unlock_user_account"
            " system.agent.ldap.unlock_user_account"
        ),
        _on_user("account.unlock"),
    ),
    ("account.change", "user.account.update_primary_email user.account.update_secondary_email", _on_user("email.change")),
    ("account.change", "user.account.* user.lifecycle.* user.behavior.profile.reset user.import.password", _on_user()),
    (
        "account.change",
        "scheduled_action.user_suspension.* device.user.* device.lifecycle.* device.local_account.create pam.user.*",
        _on_user(),
    ),
    ("credential.change", "system.api_token.create", {"action": "api_token.create", "targets": _TOKEN}),
    ("credential.change", "system.api_token.revoke", {"action": "api_token.revoke", "targets": _TOKEN}),
    ("credential.change", "system.api_token.*", {"targets": _TOKEN}),
    ("credential.change", "app.oauth2.credentials.lifecycle.* app.oauth2.as.resource_server.credentials.lifecycle.*", {}),
    ("credential.change", "app.oauth2.key.rollover app.oauth2.as.key.rollover app.keys.* app.app_instance.csr.*", {}),
    ("credential.change", "system.idp.key.* system.hook.key.* device.platform.secret_key.reset device.platform_sso.keys.register", {}),
    ("credential.change", "pki.ca.* pki.cert.* workload_principal.ai_agent.credential.*", {}),
    ("credential.change", "application.user_membership.change_password application.user_membership.restore_password", _on_user()),
    ("credential.change", "application.configuration.update_api_credentials_for_pass_change workflows.user.connection.*", {}),
    (
        "credential.change",
        "pam.apikey.* pam.client_enrollment_policy_token.* pam.gateway.setup_token.* pam.secret.* pam.offline_group.secrets.rotate",
        {},
    ),
    (
        "credential.change",
        "pam.server_account.password_change.* pam.service_account.password.* pam.service_account.password_rotation.*",
        {},
    ),
    ("audit.log_change", "system.log_stream.lifecycle.create", {"action": "log_stream.create"}),
    ("audit.log_change", "system.log_stream.lifecycle.activate", {"action": "log_stream.enable"}),
    ("audit.log_change", "system.log_stream.lifecycle.deactivate", {"action": "log_stream.disable"}),
    ("audit.log_change", "system.log_stream.lifecycle.delete", {"action": "log_stream.delete"}),
    ("audit.log_change", "system.log_stream.lifecycle.update", {"action": "log_stream.update"}),
    ("audit.log_change", "workflows.user.execution_log_stream_connection.* workflows.user.flow.execution_log_stream.*", {}),
    ("audit.log_change", "workflows.user.flow.execution_history.*", {}),
)

ADMIN: tuple[Row, ...] = (
    ("admin.action", "user.account.privilege.grant", _on_user("role.grant")),
    ("admin.action", "user.account.privilege.revoke", _on_user("role.revoke")),
    ("admin.action", "group.privilege.grant", {"action": "role.grant", "targets": _GROUP}),
    ("admin.action", "group.privilege.revoke", {"action": "role.revoke", "targets": _GROUP}),
    ("admin.action", "app.oauth2.client.privilege.grant", {"action": "role.grant", "targets": ("PublicClientApp", *_APP)}),
    ("admin.action", "app.oauth2.client.privilege.revoke", {"action": "role.revoke", "targets": ("PublicClientApp", *_APP)}),
    ("admin.action", "iam.resourceset.bindings.add", {"action": "role.grant", "targets": (*_USER, *_GROUP)}),
    ("admin.action", "iam.resourceset.bindings.delete", {"action": "role.revoke", "targets": (*_USER, *_GROUP)}),
    ("admin.action", "iam.role.permissions.add", {"action": "role.permission_add"}),
    ("admin.action", "iam.role.permissions.delete", {"action": "role.permission_remove"}),
    ("admin.action", "iam.role.create", {"action": "role.create"}),
    ("admin.action", "iam.role.update", {"action": "role.update"}),
    ("admin.action", "iam.role.delete", {"action": "role.delete"}),
    ("admin.action", "workflows.user.role.user.add", _on_user("role.grant")),
    ("admin.action", "workflows.user.role.user.remove", _on_user("role.revoke")),
    ("admin.action", "workflows.user.role.group.add", {"action": "role.grant", "targets": _GROUP}),
    ("admin.action", "workflows.user.role.group.remove", {"action": "role.revoke", "targets": _GROUP}),
    ("admin.action", "group.user_membership.add directory.external.group.membership.add pam.member.add", _on_user("group.member_add")),
    (
        "admin.action",
        "group.user_membership.remove directory.external.group.membership.remove pam.member.remove",
        _on_user("group.member_remove"),
    ),
    ("admin.action", "user.session.impersonation.grant", {"action": "impersonation.grant"}),
    ("admin.action", "user.session.impersonation.initiate", _on_user("impersonation.start")),
    ("admin.action", "user.session.impersonation.*", {}),
    ("admin.action", "application.user_membership.*", _on_user()),
    ("admin.action", "app.oauth2.admin.consent.grant app.oauth2.as.consent.grant app.oauth2.consent.grant", {"action": "consent.grant"}),
    ("admin.action", "app.oauth2.admin.consent.revoke app.oauth2.as.consent.revoke*", {"action": "consent.revoke"}),
    ("admin.action", "app.oauth2.client.lifecycle.* app.oauth2.trusted_server.* oauth2.as.* oauth2.claim.* oauth2.scope.*", {}),
    (
        "admin.action",
        "application.lifecycle.* application.policy.* application.registration_policy.* app.policy.sign_on.update",
        {"targets": _APP},
    ),
    ("admin.action", "application.configuration.* app.saml.sensitive.attribute.update", {"targets": _APP}),
    ("admin.action", "app.access_request.* access.request.* access.review.* certification.*", {}),
    (
        "admin.action",
        "app.cross_app_access.* app.interclient_mapping.* app.ai_agent_provider.* app.office365.api.change.domain.federation.success",
        {},
    ),
    ("admin.action", "app.office365.api.remove.domain.federation.success app.office365.api.set.domain.federation.success", {}),
    (
        "admin.action",
        "group.lifecycle.* group.profile.update group.application_assignment.* group.user_membership.rule.*",
        {"targets": _GROUP},
    ),
    ("admin.action", "policy.lifecycle.* policy.mapping.* policy.rule.*", {"targets": ("PolicyRule", "PolicyEntity")}),
    ("admin.action", "zone.* network_zone.* security.zone.* security.trusted_origin.* security.threat.configuration.update", {}),
    (
        "admin.action",
        "security.attack_protection.settings.update security.protected_action.settings.update security.behavior.settings.*",
        {},
    ),
    ("admin.action", "security.session_protection.status.update security.device.* security.voice.* security.events.*", {}),
    ("admin.action", "device.assurance.policy.* device.posture.check.* device.platform.* device.integration.* device.push.provider.*", {}),
    (
        "admin.action",
        "iam.* account.* support.org.update integration.api_service.* resource_servers.* workload_principal.* personal.admin.*",
        {},
    ),
    (
        "admin.action",
        "system.idp.lifecycle.* system.agent.register system.feature.* system.beta.*",
        {},
    ),
    (
        "admin.action",
        "system.agent.ad.create system.agent.ad.delete system.agent.ad.deactivate system.agent.ad.reactivate system.agent.ad.update",
        {},
    ),
    (
        "admin.action",
        "system.agent.ad.config_change_detected system.agent.ldap.config_change_detected system.iwa.* system.iwa_agentless.*",
        {},
    ),
    ("admin.action", "system.agent.connector.deactivate system.agent.connector.delete system.agent.connector.reactivate", {}),
    (
        "admin.action",
        "system.iwa_agentless_kerberos.update system.captcha.* system.org.captcha.* system.org.lifecycle.create system.dr.*",
        {},
    ),
    (
        "admin.action",
        "system.custom_url_domain.* system.custom_signin.* system.email_domain.* system.custom_email_server.* system.directory.debugger.*",
        {},
    ),
    (
        "admin.action",
        "system.rate_limit.configuration.update system.self_service.configuration.update system.well_known_uri.update self_service.*",
        {},
    ),
    ("admin.action", "system.identity_sources.* system.import.user_match.* system.import.roadblock.updated directory.*", {}),
    ("admin.action", "event_hook.* inline_hook.* workflows.* pam.* task.lifecycle.*", {}),
)

IGNORED = (
    "access.review.start analytics.feedback.provide analytics.reports.export.generate analytics.reports.export.request app.ad.* app.app_instance.*"
    " app.kerberos_rich_client.* app.office365.* app.oauth2.as.evaluate.claim app.radius.* app.realtimesync.* app.request_new.* app.rum.*"
    " app.user_management* application.appuser.* application.cache.* application.configuration.detect_error application.configuration.import_schema"
    " application.configuration.reset_logo application.configuration.update_logo application.integration.* application.provision.* core.el.*"
    " core.user_auth.idp.x509.crl_download_failure device.desktop_mfa.recovery_pin.rotate_secret device.signals.* device.user_os_account.sync"
    " event_hook.delivery group.application_assignment.skip_assignment_reconcile group.user_membership.rule.evaluation"
    " group.user_membership.rule.trigger group.user_membership.rule.error inline_hook.executed inline_hook.response.processed"
    " master_application.* mim.* pam.active_directory.account_discovery.complete pam.server_account.discovered pki.ca.expiration.warn"
    " pki.cert.crl_download_failure plugin.* policy.execute.* policy.rule.action.execute policy.scheduled.* system.agent.* system.agent_pools.*"
    " system.brand.* system.csv.* system.custom_error.* system.custom_signout.* system.email.* system.import.* system.iwa.go_offline"
    " system.iwa.go_online system.iwa.use_default system.iwa_agentless.redirect system.ldapi.admin_limit_exceeded system.ldapi.unbind"
    " system.org.rate_limit.expiration.warning system.org.task.remove system.sms.* system.theme.* system.voice.* workflows.org.*"
)
