"""The rows of ``github_kinds``: kind, actions, and what else is known of them."""

from typing import Any

Row = tuple[str, str, dict[str, Any]]

_USER, _REPO, _ORG = {"target": "user"}, {"target": "repo"}, {"target": "org"}
_ADDED, _REMOVED = {"action": "mfa.add", "target": "user"}, {"action": "mfa.remove", "target": "user"}

AUTH: tuple[Row, ...] = (
    ("auth.login", "user.login", {"action": "login"}),
    ("auth.login", "user.failed_login user.failed_login_attempt", {"action": "login", "outcome": "failure"}),
    ("auth.login", "org.sso_response business.sso_response", {"action": "sso", "note": "a SAML answer arrived for a member"}),
    ("auth.logout", "user.logout", {"action": "logout"}),
    (
        "auth.mfa_challenge",
        "user.two_factor_requested user.device_verification_requested",
        {"action": "mfa.challenge", "outcome": "challenge"},
    ),
    ("auth.mfa_challenge", "user.two_factor_challenge_success", {"action": "mfa.verify"}),
    ("auth.mfa_challenge", "user.device_verification_success", {"action": "mfa.verify.email_code"}),
    (
        "auth.mfa_challenge",
        "user.two_factor_challenge_failure",
        {"action": "mfa.verify", "outcome": "failure", "reason": "mfa_bad_code", "note": "GitHub does not say of which factor"},
    ),
    (
        "auth.mfa_challenge",
        "user.device_verification_failure",
        {"action": "mfa.verify.email_code", "outcome": "failure", "reason": "mfa_bad_code"},
    ),
    ("auth.mfa_challenge", "user.two_factor_recover", {"action": "mfa.verify.recovery_code"}),
    (
        "auth.mfa_challenge",
        "two_factor_authentication.sign_in_fallback_sms two_factor_authentication.password_reset_fallback_sms",
        {"action": "mfa.challenge.sms", "outcome": "challenge"},
    ),
    (
        "auth.session",
        "user.new_device_used user.sign_in_from_unrecognized_device user.sign_in_from_unrecognized_location",
        {"risk": "low", "note": "told beside user.login, which is the login itself"},
    ),
    (
        "auth.session",
        "user.sign_in_from_unrecognized_device_and_location user_session.country_change",
        {"risk": "medium", "note": "told beside user.login, which is the login itself"},
    ),
    (
        "auth.session",
        "user.correct_password_from_unrecognized_device user.correct_password_from_unrecognized_location",
        {"risk": "medium", "outcome": "challenge"},
    ),
    (
        "auth.session",
        "user.correct_password_from_unrecognized_device_and_location",
        {"risk": "medium", "outcome": "challenge"},
    ),
    ("auth.session", "user_session.* browser_session.* user.revoke_sessions user.revoke_session", {}),
    ("auth.password_reset", "user.forgot_password", {"action": "password.reset_request", "target": "user"}),
    (
        "auth.password_reset",
        "user.reset_password user.password_reset user.force_password_reset",
        {"action": "password.reset", "target": "user"},
    ),
    ("auth.password_change", "user.change_password", {"action": "password.change", "target": "user"}),
    ("auth.mfa_change", "two_factor_authentication.enabled two_factor_authentication.add_factor passkey.register", _ADDED),
    ("auth.mfa_change", "security_key.register user.two_factor_enabled passkey.add", _ADDED),
    ("auth.mfa_change", "two_factor_authentication.disabled two_factor_authentication.remove_factor passkey.remove", _REMOVED),
    ("auth.mfa_change", "security_key.remove user.two_factor_disabled two_factor_account_recovery.two_factor_destroy", _REMOVED),
    ("auth.mfa_change", "two_factor_authentication.* passkey.* security_key.*", _USER),
    ("auth.mfa_change", "two_factor_account_recovery.* account_recovery.*", _USER),
    (
        "auth.mfa_change",
        "user.two_factor_recovery_codes_downloaded user.two_factor_recovery_codes_printed user.two_factor_recovery_codes_viewed",
        {"action": "mfa.recovery_codes_read", "target": "user"},
    ),
    ("auth.mfa_change", "*.disable_two_factor_requirement", {"action": "mfa_policy.disable", "target": "org"}),
    ("auth.mfa_change", "*.enable_two_factor_requirement", {"action": "mfa_policy.enable", "target": "org"}),
    (
        "auth.mfa_change",
        "*.set_two_factor_requirement *.update_two_factor_requirement *.two_factor_policy_update",
        {"action": "mfa_policy.update", "target": "org"},
    ),
)
"""Signing in, second factors and passwords."""

ACCESS: tuple[Row, ...] = (
    (
        "account.change",
        "user.create user.delete user.async_delete user.destroy user.recreate user.rename user.suspend user.unsuspend",
        _USER,
    ),
    ("account.change", "user.add_email user.remove_email user.change_email user.primary_email_changed user_email.*", _USER),
    ("account.change", "external_identity.* business.external_identity_deprovisioned", _USER),
    ("account.change", "enterprise.suspend_user dormant_users.* user_license.*", _USER),
    (
        "credential.change",
        "personal_access_token.create personal_access_token.access_granted",
        {"action": "token.create", "target": "user"},
    ),
    (
        "credential.change",
        "personal_access_token.destroy personal_access_token.access_revoked",
        {"action": "token.revoke", "target": "user"},
    ),
    (
        "credential.change",
        "personal_access_token.request_denied",
        {"target": "user", "note": "an owner refused a token's request; the refusal itself succeeded"},
    ),
    ("credential.change", "personal_access_token.*", _USER),
    ("credential.change", "oauth_access.create oauth_access.regenerate", {"action": "token.create", "target": "user"}),
    ("credential.change", "oauth_access.destroy oauth_access.revoke", {"action": "token.revoke", "target": "user"}),
    ("credential.change", "oauth_access.* api_token.*", _USER),
    ("credential.change", "oauth_authorization.create oauth_authorization.update", {"action": "consent.grant", "target": "app"}),
    ("credential.change", "oauth_authorization.destroy", {"action": "consent.revoke", "target": "app"}),
    ("credential.change", "org_credential_authorization.grant", {"action": "credential.authorize", "target": "user"}),
    (
        "credential.change",
        "org_credential_authorization.revoke org_credential_authorization.deauthorized",
        {"action": "credential.revoke", "target": "user"},
    ),
    ("credential.change", "org_credential_authorization.*", _USER),
    ("credential.change", "public_key.create", {"action": "key.add", "target": "key"}),
    ("credential.change", "public_key.delete", {"action": "key.remove", "target": "key"}),
    ("credential.change", "public_key.verification_failure public_key.unverification_failure", {"target": "key", "outcome": "failure"}),
    ("credential.change", "public_key.*", {"target": "key"}),
    ("credential.change", "deploy_key.create", {"action": "key.add", "target": "repo"}),
    ("credential.change", "deploy_key.delete deploy_key.destroy", {"action": "key.remove", "target": "repo"}),
    ("credential.change", "deploy_key.*", _REPO),
    ("credential.change", "git_signing_ssh_public_key.create gpg_key.create", {"action": "key.add", "target": "user"}),
    ("credential.change", "git_signing_ssh_public_key.* gpg_key.* account_recovery_token.*", _USER),
    ("credential.change", "ssh_certificate_authority.*", _ORG),
    (
        "credential.change",
        "integration.generate_client_secret integration.remove_client_secret integration.revoke_all_tokens integration.revoke_tokens",
        {"target": "app"},
    ),
    ("credential.change", "integration.generate_private_key integration.remove_private_key integration_key.*", {"target": "app"}),
    (
        "credential.change",
        "oauth_application.generate_client_secret oauth_application.remove_client_secret oauth_application.reset_secret",
        {"target": "app"},
    ),
    ("credential.change", "oauth_application.revoke_all_tokens oauth_application.revoke_tokens", {"target": "app"}),
    (
        "credential.change",
        "*.create_actions_secret *.update_actions_secret *.remove_actions_secret",
        {"target": "repo", "note": "a secret of Actions"},
    ),
    (
        "credential.change",
        "*.create_integration_secret *.update_integration_secret *.remove_integration_secret",
        {"target": "repo", "note": "a secret of Codespaces or Dependabot"},
    ),
    ("authz.decision", "protected_branch.rejected_ref_update", {"target": "repo", "outcome": "failure", "reason": "forbidden"}),
    ("authz.decision", "protected_branch.policy_override", {"action": "protection.bypass", "target": "repo"}),
    ("authz.decision", "secret_scanning_push_protection.bypass", {"action": "protection.bypass", "target": "repo", "risk": "high"}),
    ("authz.decision", "workflows.bypass_protection_rules", {"action": "protection.bypass", "target": "repo"}),
    ("authz.decision", "*.rate_limited_invites *.creation_rate_limit_exceeded", {"outcome": "failure", "reason": "rate_limited"}),
)
"""Accounts, credentials, and what was let through or refused."""

LOGS: tuple[Row, ...] = (
    ("audit.log_change", "audit_log_streaming.create", {"action": "log_stream.create", "target": "org"}),
    ("audit.log_change", "audit_log_streaming.destroy audit_log_streaming.delete", {"action": "log_stream.delete", "target": "org"}),
    ("audit.log_change", "audit_log_streaming.update", {"action": "log_stream.update", "target": "org"}),
    ("audit.log_change", "audit_log_streaming.*", _ORG),
    ("audit.log_change", "*.disable_source_ip_disclosure", {"action": "log_detail.disable", "target": "org"}),
    ("audit.log_change", "*.enable_source_ip_disclosure", {"action": "log_detail.enable", "target": "org"}),
    ("audit.log_change", "*.set_audit_log_retention audit_log.*", _ORG),
    ("data.export", "*.audit_log_export *.audit_log_git_event_export", {"action": "audit_log.export", "target": "org"}),
    ("data.export", "git.clone", {"action": "clone", "target": "repo"}),
    ("data.export", "repo.download_zip repo.download_tarball", {"action": "download", "target": "repo"}),
    ("data.export", "migration.create", {"action": "migration.create", "target": "org"}),
    ("data.export", "migration.download migration.export migration.*", _ORG),
    ("data.export", "repo.transfer_outgoing", {"action": "repo.transfer", "target": "repo"}),
    ("data.export", "codespaces.export_environment", {"action": "export", "target": "repo"}),
)
"""The audit log itself, and data that leaves."""

ADMIN: tuple[Row, ...] = (
    ("admin.action", "business.add_admin business.invite_admin user.promote", {"action": "role.grant", "target": "user"}),
    ("admin.action", "business.remove_admin user.demote", {"action": "role.revoke", "target": "user"}),
    ("admin.action", "*.add_billing_manager *.add_security_manager", {"action": "role.grant", "target": "user"}),
    ("admin.action", "*.remove_billing_manager *.remove_security_manager", {"action": "role.revoke", "target": "user"}),
    ("admin.action", "*.integration_manager_added integration.manager_added", {"action": "role.grant", "target": "user"}),
    ("admin.action", "*.integration_manager_removed integration.manager_removed", {"action": "role.revoke", "target": "user"}),
    ("admin.action", "team.promote_maintainer organization_moderators.add_user", {"action": "role.grant", "target": "user"}),
    ("admin.action", "team.demote_maintainer organization_moderators.remove_user", {"action": "role.revoke", "target": "user"}),
    ("admin.action", "organization_moderators.add_team organization_moderators.remove_team", {"target": "team"}),
    ("admin.action", "organization_role.assign enterprise_role.assign", {"action": "role.grant", "target": "user"}),
    ("admin.action", "organization_role.revoke enterprise_role.revoke", {"action": "role.revoke", "target": "user"}),
    ("admin.action", "organization_role.create role.create enterprise_role.create", {"action": "role.create", "target": "org"}),
    ("admin.action", "organization_role.destroy role.destroy enterprise_role.destroy", {"action": "role.delete", "target": "org"}),
    ("admin.action", "organization_role.update role.update enterprise_role.update", {"action": "role.update", "target": "org"}),
    ("admin.action", "org.update_member repo.update_member repo.add_member team.change_privacy", _USER),
    ("admin.action", "org.add_member org.invite_member org.restore_member org.add_outside_collaborator", _USER),
    ("admin.action", "org.remove_member org.remove_outside_collaborator repo.remove_member org.cancel_invitation", _USER),
    ("admin.action", "team.add_member team.remove_member business.add_member business.remove_member", _USER),
    ("admin.action", "business.invite_member business.add_support_entitlee business.remove_support_entitlee", _USER),
    ("admin.action", "repository_invitation.* org.block_user org.unblock_user enterprise_team.add_member", _USER),
    ("admin.action", "repo.temporary_access_granted repo.staff_unlock", {"action": "impersonation.grant", "target": "repo"}),
    (
        "admin.action",
        "staff.fake_login staff.fake_user staff.impersonate user.impersonate",
        {"action": "impersonation.grant", "target": "user", "note": "a site administrator took another's place"},
    ),
    ("admin.action", "staff.*", {"target": "user", "note": "a site administrator's deed"}),
    ("admin.action", "team.*", {"target": "team"}),
    ("admin.action", "enterprise_team.* external_group.* team_sync_tenant.*", {"target": "team"}),
    ("admin.action", "*.disable_saml *.saml_disabled *.disable_oidc", {"action": "sso.disable", "target": "org"}),
    ("admin.action", "*.enable_saml *.saml_enabled *.enable_oidc", {"action": "sso.enable", "target": "org"}),
    (
        "admin.action",
        "*.update_saml_provider_settings *.saml_provider_settings_updated *.saml_sso_recovery_codes_downloaded",
        {"action": "sso.update", "target": "org"},
    ),
    ("admin.action", "*.disable_oauth_app_restrictions *.enable_oauth_app_restrictions", _ORG),
    ("admin.action", "*.oauth_app_access_approved *.oauth_app_access_denied *.oauth_app_access_requested", {"target": "app"}),
    ("admin.action", "ip_allow_list.disable", {"action": "network_policy.disable", "target": "org"}),
    ("admin.action", "ip_allow_list.enable", {"action": "network_policy.enable", "target": "org"}),
    ("admin.action", "ip_allow_list.* ip_allow_list_entry.* ssh_certificate_requirement.*", _ORG),
    ("admin.action", "integration_installation.* integration_installation_request.* integration.* oauth_application.*", {"target": "app"}),
    ("admin.action", "hook.*", {"target": "hook"}),
    (
        "admin.action",
        "protected_branch.destroy repository_branch_protection_evaluation.disable",
        {"action": "protection.disable", "target": "repo"},
    ),
    ("admin.action", "repository_ruleset.destroy", {"action": "protection.disable", "target": "repo"}),
    ("admin.action", "protected_branch.* repository_ruleset.* repository_branch_protection_evaluation.* environment.*", _REPO),
    ("admin.action", "repo.destroy repo.delete", {"action": "repo.delete", "target": "repo"}),
    ("admin.action", "repo.* repository_visibility_change.* required_status_check.* repository_security_configuration.*", _REPO),
    ("admin.action", "secret_scanning_alert.resolve secret_scanning_alert.revoke secret_scanning_alert.reopen", _REPO),
    ("admin.action", "workflows.disable_workflow workflows.enable_workflow", _REPO),
    ("admin.action", "codespaces.allow_permissions codespaces.policy_group_created codespaces.policy_group_deleted", _ORG),
    ("admin.action", "org.* business.* enterprise.* organization_domain.* enterprise_domain.* org_secret_scanning_custom_pattern.*", _ORG),
)
"""Who may do what, and the settings that guard it."""

OTHER: tuple[Row, ...] = (
    ("api.request", "git.fetch git.push", _REPO),
    ("api.request", "api.request", {"note": "a request to the REST or GraphQL API, where streaming of them is switched on"}),
    (
        "api.request",
        "secret_scanning_alert.create secret_scanning_alert.public_leak",
        {"target": "repo", "action": "secret.leak", "risk": "high", "note": "GitHub found a secret in the code"},
    ),
    ("api.request", "secret_scanning_alert.*", _REPO),
    ("api.request", "repository_vulnerability_alert.* dependabot_alert.* code_scanning.* repository_advisory.*", _REPO),
    ("api.request", "workflows.* codespaces.* packages.* gist.* artifact.destroy checks.delete_logs", _REPO),
    ("api.request", "pull_request.merge pull_request_review.dismiss copilot.* custom_hosted_runner.*", _REPO),
)
"""What is neither, but belongs in the count of a day's work."""

IGNORED_NAMES = """
account.* billing.* payment_method.* metered_billing_configuration.* sponsors.* marketplace_agreement_signature.* marketplace_listing.*
marketplace_listing_plan.* issue.* issues.* issue_comment.* issue_type.* commit_comment.* discussion.* discussion_comment.*
discussion_post.* discussion_post_reply.* project.* project_field.* project_view.* project_collaborator.* projects_v2.* pull_request.*
pull_request_review.* pull_request_review_comment.* merge_queue.* milestone.* profile_picture.* user_status.* repository_image.*
enterprise_announcement.* org_announcement.* actions_cache.* artifact.* checks.* restrict_notification_delivery.* premium_runner.*
user.hide_private_contributions_count user.show_private_contributions_count user.minimize_comment user.unminimize_comment
user.toggle_warn_private_email user.report_abuse user.report_content user.flag_as_large_scale_contributor
user.remove_large_scale_contributor_flag user.update_new_repository_default_branch_setting user.partial_two_factor_email_followup
*.self_hosted_runner_online *.self_hosted_runner_offline *.self_hosted_runner_updated *.display_commenter_full_name_disabled
*.display_commenter_full_name_enabled *.billing_signup_error *.update_terms_of_service
"""
