"""Which detector of ours sees what a public rule is about, reviewed by hand; and why they part where they do.

Their rules judge one event by a policy; ours judge an account, an address or a session over time. A rule without a detector is one of
policy (what may be done at all) or of a thing no detector looks at.
"""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

NONE: Mapping[str, str] = MappingProxyType({})


class Rule(msgspec.Struct, frozen=True):
    """``detector``: ours, or ``None`` where there is none, for the reason in ``why``.

    ``repeat``: how often the event comes (their threshold, where that is more). ``apart``: name of a case (``*`` matches) → why ours says
    something else.
    """

    detector: str | None
    why: str
    repeat: int = 1
    apart: Mapping[str, str] = NONE


_POLICY = "a policy on single changes; ours has no list of changes that are wrong in themselves"
_LOGIN_POLICY = "a policy on how to log in"
_ONE_EXPORT = "one export is ordinary; `bulk_export` tells of many by one account"
_DELETION = "deletion of data is looked at by no detector of this version"
_VENDOR = "the vendor's own judgement; kept with the event, not repeated"
_CONTENT = "what the changed document says is not read"
_NO_RECORD = "an address with an enrichment, no record of the vendor"

_BURST = Rule("failed_login_burst", "failed logins of one account or from one address", 20)
_GRANT = "rights given by somebody who never did"
_SAME_REFUSAL = "the same call refused again and again is one thing to ours, which wants many different ones"
_REFUSED = Rule("authorization_failure_burst", "refusals to one account", 30, {"*": _SAME_REFUSAL})
_TRIED = "a refused or failed try to stop a log is told too"

RULES: dict[str, Rule] = {
    # Log-ins
    "Standard.BruteForceByIP": _BURST,
    "Standard.BruteForceByUser": _BURST,
    "Microsoft365.Brute.Force.Login.by.User": _BURST,
    "AWS.CloudTrail.PasswordSpraying": Rule(
        "failed_login_burst", "the case is one account; over many accounts `password_spray` names the address", 20
    ),
    "AWS.Unsuccessful.MFA.attempt": _BURST,
    "Auth0.CIC.Credential.Stuffing": Rule("failed_login_burst", "a burst; `credential_stuffing` wants many accounts", 20),
    "Auth0.Leaked.Password.Login.Attempt": Rule(None, _VENDOR),
    "Azure.Audit.HighRiskSignIn": Rule(None, _VENDOR),
    "GSuite.SuspiciousLogins": Rule(None, _VENDOR),
    "GSuite.GovernmentBackedAttack": Rule(None, _VENDOR),
    "GSuite.LeakedPassword": Rule(None, _VENDOR),
    "GSuite.UserSuspended": Rule(None, _VENDOR),
    "Standard.SignInFromRogueState": Rule(None, "a list of countries; `new_geography` learns which are usual for each account"),
    "AWS.Console.LoginWithoutMFA": Rule(None, _LOGIN_POLICY),
    "AWS.Console.LoginWithoutSAML": Rule(None, _LOGIN_POLICY),
    "AWS.Console.Sign-In": Rule(None, _LOGIN_POLICY),
    "Azure.Audit.ROPCLoginNoMFA": Rule(None, _LOGIN_POLICY),
    "Okta.Login.Without.Push.Marker": Rule(None, _LOGIN_POLICY),
    "Okta.SSO.to.AWS": Rule(None, _LOGIN_POLICY),
    "Okta.New.Behavior.Accessing.Admin.Console": Rule(None, _VENDOR),
    "Okta.PotentiallyStolenSession": Rule(
        "session_hijack", "one session from two places", 2, {"Different device & ASN": "the case holds the second of two events only"}
    ),
    "AWS.STS.GetSessionToken.Misuse": Rule(None, _POLICY),
    "Standard.GreyNoiseV3.MaliciousIP": Rule(None, _NO_RECORD),
    "Standard.OTX.MaliciousIndicator": Rule(None, _NO_RECORD),
    # Second factors and passwords
    "Okta.Global.MFA.Disabled": Rule("mfa_change", "a second factor is no longer demanded"),
    "Azure.Audit.MFADisabled": Rule("mfa_change", "a second factor is no longer demanded"),
    "Azure.Audit.PolicyChanged": Rule(
        "mfa_change", "policies of access", 1, {"*": "any change of a policy; ours tells when it no longer demands a second factor"}
    ),
    "Auth0.MFA.Policy.Disabled": Rule(
        "mfa_change", "a second factor is no longer demanded", 1, {"Other Event": "it switches off the risk assessment of second factors"}
    ),
    "Auth0.MFA.Risk.Assessment.Disabled": Rule(
        "mfa_change", "its risk is no longer assessed", 1, {"Other Event": "it switches off the second factor itself"}
    ),
    "GitHub.Org.AuthChange": Rule(
        "mfa_change",
        "sign-on of an organisation",
        1,
        {
            "*Two Factor Requirement Enabled": "a second factor that is demanded is no attack",
            "*": "a change of single sign-on or application access, not of the second factor",
        },
    ),
    "GSuite.TwoStepVerification": Rule("mfa_change", "a factor taken away and not replaced"),
    "Okta.Support.Reset": Rule(
        "password_reset_abuse",
        "resets",
        1,
        {"Support Reset Credential": "one reset is ordinary; ours tells many, or one with what follows"},
    ),
    "AWS.IAM.CredentialsUpdated": Rule(None, "a person's own new password is ordinary"),
    "Auth0.MFA.Policy.Enabled": Rule(None, "a second factor that is demanded is no attack"),
    "GSuite.Workspace.PasswordEnforceStrongDisabled": Rule(None, _POLICY),
    "GSuite.Workspace.PasswordReuseEnabled": Rule(None, _POLICY),
    "Google.Workspace.Advanced.Protection.Program": Rule(None, _POLICY),
    # Refusals
    "AWS.CloudTrail.UnauthorizedAPICall": _REFUSED,
    "AWS.IAMUser.ReconAccessDenied": _REFUSED,
    "AWS.SecretsManager.RetrieveSecrets": _REFUSED,
    "Kubernetes.Secret.AccessDenied": _REFUSED,
    # Rights
    "AWS.CloudTrail.IAMAnythingChanged": Rule("privilege_change", _GRANT),
    "AWS.IAM.AttachAdminRolePolicy": Rule(
        "privilege_change",
        _GRANT,
        1,
        {"IAM Role Policy Attached without Administrator Access": "ours asks who gives and to whom, not which policy"},
    ),
    "AWS.IAM.BackdoorRole": Rule("privilege_change", _GRANT, 1, {"IAM Role Policy Updated With*": f"ours asks who changes it: {_CONTENT}"}),
    "AWS.IAM.PolicyModified": Rule("privilege_change", _GRANT, 1, {"IAM Policy Change": "it takes rights away"}),
    "AWS.Potential.Backdoor.Lambda": Rule("privilege_change", _GRANT),
    "AWS.RDS.IAMRoleAdded": Rule("privilege_change", _GRANT),
    "Azure.Audit.ElevateUserAccessAdministrator": Rule("privilege_change", _GRANT),
    "GitHub.Org.Moderators.Add": Rule("privilege_change", _GRANT),
    "Okta.Support.Access": Rule("privilege_change", "support may act as anybody"),
    "Standard.AdminRoleAssigned": Rule("privilege_change", _GRANT),
    "AWS.CloudTrail.IAMCompromisedKeyQuarantine": Rule(None, "what AWS itself does to a leaked key"),
    "AWS.CloudTrail.IAMEntityCreatedWithoutCloudFormation": Rule(None, _POLICY),
    "Auth0.Custom.Role.Created": Rule(None, "a role that is made is not given to anybody yet"),
    "Google.Workspace.Admin.Custom.Role": Rule(None, "a role that is made is not given to anybody yet"),
    **dict.fromkeys(
        ("Kubernetes.Role.NodeProxyPermissions", "Kubernetes.Role.PodExec", "Kubernetes.Role.Wildcard", "Kubernetes.Role.WritePermissions"),
        Rule(None, "a role that is made is not given to anybody yet"),
    ),
    "Auth0.User.Invitation.Created": Rule(None, _POLICY),
    "Auth0.User.Joined.Tenant": Rule(None, _POLICY),
    "Azure.Audit.InviteExternalUsers": Rule(None, _POLICY),
    "GitHub.Org.Modified": Rule(None, "membership without power is ordinary"),
    "GitHub.Team.Modified": Rule(None, "membership without power is ordinary"),
    "Github.Repo.CollaboratorChange": Rule(None, "membership without power is ordinary"),
    # Keys
    "AWS.IAM.Backdoor.User.Keys": Rule("api_key_abuse", "a key made for somebody else"),
    "Okta.APIKeyCreated": Rule(
        "api_key_abuse", "keys that are made", 1, {"API Key Created": "one key for oneself is ordinary; ours tells several within an hour"}
    ),
    "Kubernetes.ClientCertificate.Created": Rule(None, "one certificate for oneself is ordinary"),
    "AWS.STS.GetCallerIdentity.TruffleHog": Rule(None, "the name of a tool; ours goes by what a key does"),
    "GitHub.SupplyChain.SuspiciousUserAgents": Rule(None, "names of tools; ours go by what is done"),
    # Logs and alerts
    "AWS.CloudTrail.SecurityConfigurationChange": Rule(
        "audit_log_tampering", "a log is stopped or deleted", 1, {"Security Configuration Not Changed - Error": _TRIED}
    ),
    "AWS.RDS.ActivityStreamStopped": Rule("audit_log_tampering", "a log is stopped", 1, {"Activity Stream Stop Failed": _TRIED}),
    "AWS.S3.SecurityControlDisabling": Rule(
        "audit_log_tampering",
        "a log is stopped",
        1,
        {
            "Match - *Versioning*": "versions are no log",
            "Match - MFA Delete*": "versions are no log",
            "No Match - Failed API Call*": _TRIED,
        },
    ),
    "Azure.MonitorActivity.ActionGroups.Deleted": Rule("audit_log_tampering", "alerts no longer reach anybody"),
    "Azure.MonitorActivity.AlertRules.Deleted": Rule("audit_log_tampering", "an alert rule is deleted"),
    "Azure.MonitorActivity.DiagnosticSettings.Deleted": Rule(
        "audit_log_tampering",
        "a log is deleted",
        1,
        {"Different Operation": "what is written may narrow a log, so it is told, less gravely"},
    ),
    "Azure.MonitorActivity.Security.AlertSuppressionRuleCreated": Rule("audit_log_tampering", "alerts are suppressed"),
    "GitHub.Advanced.Security.Change": Rule("audit_log_tampering", "scanners are switched off"),
    "AWS.CloudTrail.Created": Rule(None, "a new trail is no attack"),
    "AWS.CloudTrail.ShortLifecycle": Rule(None, f"log files that expire early: {_CONTENT}"),
    "AWS.SecurityHub.Finding.Evasion": Rule(None, _POLICY),
    "AWS.IPSet.Modified": Rule(None, "its cases are in a database's spelling of the field names, not in CloudTrail's"),
    # Data
    "Azure.MonitorActivity.Storage.Blob.BulkExtraction": Rule(
        "bulk_export", "many objects read", 100, {"*": "the same object read again and again is one object to ours"}
    ),
    **dict.fromkeys(
        (
            *("AWS.RDS.LogFileDownloaded", "AWS.RDS.SnapshotExport", "AWS.SecretsManager.BatchRetrieveSecretsCatchAll"),
            *("AWS.S3.CopyObjectToExternalAccountBucket", "AWS.S3.CopyObject.CrossAccount.Encryption.KMS"),
            *("Azure.MonitorActivity.Compute.DiskSASURIGenerated", "Azure.MonitorActivity.KeyVault.CertificateAccessed"),
            *("Azure.MonitorActivity.KeyVault.KeyAccessed.Recovered", "Azure.MonitorActivity.Storage.SASTokenExternalAccess"),
            *("GSuite.CalendarMadePublic", "GSuite.DocOwnershipTransfer", "GSuite.Drive.ExternalFileShare"),
            *("GSuite.Workspace.DataExportCreated", "Kubernetes.Secrets.DumpAllNamespaces"),
            *("Microsoft365.External.Document.Sharing", "Okta.PasswordAccess"),
        ),
        Rule(None, _ONE_EXPORT),
    ),
    **dict.fromkeys(
        (
            *("AWS.S3.BucketDeleted", "AWS.S3.DeleteObject", "AWS.S3.DeleteObjects", "AWS.S3.CopyObjectWithClientSideEncryption"),
            *("AWS.KMS.CustomerManagedKeyLoss", "AWS.RDS.AutomatedBackupDeleted", "GSuite.Drive.BulkDocumentDeletion"),
            "Azure.MonitorActivity.Storage.Blob.BulkDeletion",
        ),
        Rule(None, _DELETION),
    ),
    "AWS.EC2.DownloadInstanceUserData": Rule(None, "a look at one machine; nothing leaves by the record"),
    "Azure.MonitorActivity.Network.PortMapping": Rule(None, "looks at the network; no object is named"),
    "Auth0.FraudRisk.Volume": Rule(None, "sign-ups are looked at by no detector of this version"),
    "GitHub.Secret.Scanning.Alert.Created": Rule(None, _VENDOR),
    **dict.fromkeys(
        (
            *("GSuite.DeviceCompromise", "GSuite.DeviceSuspiciousActivity", "GSuite.DeviceUnlockFailure"),
            *(
                "GSuite.Gmail.Malicious.SMTP.Response",
                "GSuite.Gmail.Malware.In.Email",
                "Azure.MonitorActivity.Advisor.SecurityRecommendation",
            ),
            *("Azure.MonitorActivity.Policy.Violation", "Azure.MonitorActivity.Policy.DeployIfNotExists"),
        ),
        Rule(None, _VENDOR),
    ),
}
"""By Panther's rule id; what is not here is ``OTHERS``."""

OTHERS = Rule(None, _POLICY)
"""Rules on single changes of infrastructure, applications and settings."""
OTHERS_BEGIN = (
    *("AWS.CloudTrail.CodebuildProjectMadePublic", "AWS.CloudTrail.EnableRegion", "AWS.CloudTrail.SES.", "AWS.CloudTrail.VPCE."),
    *("AWS.EC2.", "AWS.Lambda.", "AWS.RDS.", "AWS.S3.DeletePublicAccessBlock", "AWS.SSM.", "AWS.Suspicious.SAML", "AWS.WAF."),
    *("Auth0.AttackProtection.", "Auth0.Rapid.", "Azure.MonitorActivity.", "GSuite.ExternalMailForwarding", "GSuite.Workspace."),
    *("GitHub.Repo.", "GitHub.Webhook.", "GitHub.Workflow.", "Google.Workspace.Apps.", "Kubernetes.", "Okta.Org2org."),
)
"""How the ids of those begin: a rule that is neither here nor in ``RULES`` was not reviewed."""


def rule_of(rule_id: str) -> Rule | None:
    """The reviewed row of a rule; ``None`` for one nobody looked at."""
    return RULES.get(rule_id) or (OTHERS if rule_id.startswith(OTHERS_BEGIN) else None)


STREAMALERT: dict[str, Rule] = {
    "cloudtrail_critical_api_calls": Rule(
        "audit_log_tampering",
        "a log is stopped or deleted",
        1,
        {
            "Deleting an AWS subnet*": "infrastructure, no log",
            "Deleting an AWS VPC*": "infrastructure, no log",
            "Deleting a database cluster*": "infrastructure, no log",
            "Turning off S3 PublicAccessBlock*": "access, no log",
        },
    ),
    "public_ami": Rule(None, _ONE_EXPORT),
    "unencrypted_ami_volume": Rule(None, _POLICY),
    "cloudtrail_public_resources": Rule(None, _CONTENT),
    "cloudtrail_security_group_ingress_anywhere": Rule(None, _POLICY),
    "cloudtrail_snapshot_or_ami_made_public": Rule(None, _ONE_EXPORT),
    "github_disable_two_factor_requirement_org": Rule("mfa_change", "a second factor is no longer demanded"),
    "github_disable_dismiss_stale_pull_request_approvals": Rule(None, _POLICY),
    "github_disable_protect_this_branch": Rule(None, _POLICY),
    "github_disable_required_pull_request_reviews": Rule(None, _POLICY),
    "github_site_admin_action": Rule(None, _POLICY),
}
"""By StreamAlert's rule; those over Duo are left out, for Duo is no format of ours."""

TECHNIQUES: dict[str, tuple[tuple[str, ...], str]] = {
    # file: detectors that must fire, or none and why
    "aws.credential-access.ec2-get-password-data": (
        (),
        "thirty machines refused in five seconds: one of the two signs `object_enumeration` wants, and one call to `authorization_failure_burst`",
    ),
    "aws.credential-access.ec2-steal-instance-credentials": (
        (),
        "the key is used from one place in these records; its life before is not in them",
    ),
    "aws.credential-access.secretsmanager-batch-retrieve-secrets": ((), "five calls; how many secrets came is not in the records"),
    "aws.credential-access.secretsmanager-retrieve-secrets": ((), "twenty secrets, fewer than the hundred objects of `bulk_export`"),
    "aws.defense-evasion.cloudtrail-event-selectors": (("audit_log_tampering",), ""),
    "aws.defense-evasion.dns-delete-logs": (("audit_log_tampering",), ""),
    "aws.defense-evasion.organizations-leave": ((), "one refused call"),
    "aws.execution.ssm-send-command": ((), "a command on a machine is a policy's business"),
    "aws.exfiltration.ec2-security-group-open-port-22-ingress": ((), "infrastructure is a policy's business"),
    "aws.exfiltration.ec2-share-ami": ((), "one export is ordinary"),
    "aws.impact.bedrock-invoke-model": ((), "the use of a model is no data that leaves"),
    "aws.lateral-movement.ec2-instance-connect": ((), "three machines, each once"),
    "aws.lateral-movement.ec2-serial-console-send-ssh-public-key": ((), "three machines, each once"),
    "aws.persistence.iam-backdoor-role": (("privilege_change",), ""),
    "aws.persistence.iam-backdoor-user": (("api_key_abuse",), ""),
    "aws.persistence.iam-create-backdoor-role": (("privilege_change",), ""),
    "aws.persistence.iam-create-user-login-profile": (("privilege_change",), ""),
    "aws.persistence.lambda-layer-extension": ((), "the code of a function is a policy's business"),
    "aws.persistence.rolesanywhere-create-trust-anchor": ((), "a trust anchor is not taken for a grant"),
    "aws.privilege-escalation.iam-update-user-login-profile": (("privilege_change",), ""),
}
"""By the file of Stratus Red Team, which is named like the technique."""
