"""What each CloudTrail API call is: one table, by ``service:eventName``; whatever is not in it is told apart by whether it writes."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

Params = Mapping[str, Any]


class Rule(msgspec.Struct, frozen=True):
    """What one call means."""

    kind: str
    target: str = ""
    """Type of the target; empty for none."""
    params: tuple[str, ...] = ()
    """Request parameters that may name it; the first one present counts."""
    own: bool = False
    """Whether the target is the caller when no parameter names one."""
    when: Callable[[Params], bool] | None = None
    """The rule holds only for such parameters; otherwise the call is treated as if it were not in the table."""
    note: str = ""
    """Which parameters those are, for the documentation."""


def _adds(*path: str) -> Callable[[Params], bool]:
    """Whether the parameters hold something non-empty under this path: a grant, as opposed to a withdrawal."""

    def check(params: Params) -> bool:
        value: Any = params
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return bool(value)

    return check


def _decrypts(params: Params) -> bool:
    return params.get("withDecryption") in (True, "true")


def _switches_off(params: Params) -> bool:
    return params.get("enable") in (False, "false")


def _stops_bucket_log(params: Params) -> bool:
    status = params.get("BucketLoggingStatus")
    return isinstance(status, dict) and "LoggingEnabled" not in status


def _is_restore(params: Params) -> bool:
    return params.get("attributeName") == "restore" and bool(params.get("valuesToAdd"))


_USER, _ROLE, _GROUP, _POLICY = ("user", ("userName",)), ("role", ("roleName",)), ("group", ("groupName",)), ("policy", ("policyArn",))
_OWN_USER = ("user", ("userName",), True)
_SECRET = ("secret", ("secretId", "secretIdList"))
_PARAMETER = ("parameter", ("name", "names", "path"), False, _decrypts, "when it decrypts")
_TRAIL = ("trail", ("name", "trailName"))
_LOG_GROUP = ("log_group", ("logGroupName",))
_STORE = ("event_data_store", ("eventDataStore",))
_DETECTOR = ("detector", ("detectorId",))
_TABLE = ("table", ("tableName", "tableArn"))
_KEY_PAIR = ("key_pair", ("keyName",))
_ASSUMED = ("role", ("roleArn",))
_SHARED = "when it is shared, not when sharing ends"

_TABLE_ROWS: tuple[tuple[str, str, str, tuple[Any, ...]], ...] = (
    # kind, service, calls, (target type, parameters, own, when)
    ("auth.session", "sts", "AssumeRole AssumeRoleWithSAML AssumeRoleWithWebIdentity AssumeRoot", _ASSUMED),
    ("auth.session", "sts", "GetSessionToken GetFederationToken", ()),
    ("auth.session", "sso", "Authenticate Federate", ()),
    ("data.export", "s3", "GetObject SelectObjectContent GetObjectTorrent", ("object", ())),
    ("data.export", "secretsmanager", "GetSecretValue BatchGetSecretValue", _SECRET),
    ("data.export", "ssm", "GetParameter GetParameters GetParametersByPath", _PARAMETER),
    ("data.export", "ec2", "GetPasswordData", ("instance", ("instanceId",))),
    (
        "data.export",
        "ec2",
        "ModifySnapshotAttribute",
        ("snapshot", ("snapshotId",), False, _adds("createVolumePermission", "add"), _SHARED),
    ),
    ("data.export", "ec2", "ModifyImageAttribute", ("image", ("imageId",), False, _adds("launchPermission", "add"), _SHARED)),
    ("data.export", "ec2", "ExportImage CreateStoreImageTask", ("image", ("imageId",))),
    ("data.export", "ec2", "CreateInstanceExportTask", ("instance", ("instanceId",))),
    ("data.export", "ebs", "GetSnapshotBlock", ("snapshot", ("snapshotId",))),
    ("data.export", "rds", "ModifyDBSnapshotAttribute", ("snapshot", ("dBSnapshotIdentifier",), False, _is_restore, _SHARED)),
    ("data.export", "rds", "ModifyDBClusterSnapshotAttribute", ("snapshot", ("dBClusterSnapshotIdentifier",), False, _is_restore, _SHARED)),
    ("data.export", "rds", "StartExportTask", ("snapshot", ("sourceArn",))),
    ("data.export", "rds", "DownloadDBLogFilePortion DownloadCompleteDBLogFile", ("database", ("dBInstanceIdentifier",))),
    ("data.export", "dynamodb", "Scan ExportTableToPointInTime", _TABLE),
    ("data.query", "dynamodb", "Query ExecuteStatement", _TABLE),
    ("data.query", "athena", "StartQueryExecution", ("workgroup", ("workGroup",))),
    ("data.query", "redshift-data", "ExecuteStatement BatchExecuteStatement", ("database", ("database",))),
    ("data.query", "rds-data", "ExecuteStatement BatchExecuteStatement", ("database", ("resourceArn",))),
    ("data.query", "logs", "StartQuery", _LOG_GROUP),
    ("data.query", "cloudtrail", "StartQuery", ()),
    ("account.change", "iam", "CreateUser DeleteUser UpdateUser", _USER),
    ("account.change", "iam", "CreateLoginProfile UpdateLoginProfile DeleteLoginProfile", _OWN_USER),
    ("account.change", "signin", "EmailUpdated", ()),
    ("account.change", "identitystore", "CreateUser UpdateUser DeleteUser", ("user", ("userId", "userName"))),
    ("account.change", "sso-directory", "CreateUser UpdateUser DeleteUser EnableUser DisableUser", ("user", ("userId", "userName"))),
    ("credential.change", "iam", "CreateAccessKey UpdateAccessKey DeleteAccessKey", _OWN_USER),
    ("credential.change", "iam", "UploadSSHPublicKey UpdateSSHPublicKey DeleteSSHPublicKey", _OWN_USER),
    ("credential.change", "iam", "CreateServiceSpecificCredential ResetServiceSpecificCredential", _OWN_USER),
    ("credential.change", "iam", "UpdateServiceSpecificCredential DeleteServiceSpecificCredential", _OWN_USER),
    ("credential.change", "iam", "UploadSigningCertificate UpdateSigningCertificate DeleteSigningCertificate", _OWN_USER),
    ("credential.change", "ec2", "CreateKeyPair ImportKeyPair DeleteKeyPair", _KEY_PAIR),
    ("auth.password_change", "iam", "ChangePassword", _OWN_USER),
    ("auth.password_change", "signin", "PasswordUpdated", ()),
    ("auth.password_reset", "signin", "PasswordRecoveryRequested PasswordRecoveryCompleted", ()),
    ("auth.password_reset", "sso-directory", "UpdatePassword StartPasswordReset", ("user", ("userId",))),
    ("auth.mfa_change", "iam", "EnableMFADevice DeactivateMFADevice ResyncMFADevice", _OWN_USER),
    ("auth.mfa_change", "iam", "CreateVirtualMFADevice DeleteVirtualMFADevice", _OWN_USER),
    (
        "auth.mfa_change",
        "sso-directory",
        "DeleteMfaDeviceForUser UpdateMfaDeviceForUser StartVirtualMfaDeviceRegistration",
        ("user", ("userId",)),
    ),
    ("admin.action", "iam", "AttachUserPolicy DetachUserPolicy PutUserPolicy DeleteUserPolicy", _USER),
    ("admin.action", "iam", "PutUserPermissionsBoundary DeleteUserPermissionsBoundary AddUserToGroup RemoveUserFromGroup", _USER),
    ("admin.action", "iam", "AttachRolePolicy DetachRolePolicy PutRolePolicy DeleteRolePolicy UpdateAssumeRolePolicy", _ROLE),
    ("admin.action", "iam", "PutRolePermissionsBoundary DeleteRolePermissionsBoundary CreateRole UpdateRole DeleteRole", _ROLE),
    ("admin.action", "iam", "AddRoleToInstanceProfile CreateServiceLinkedRole", _ROLE),
    ("admin.action", "iam", "AttachGroupPolicy DetachGroupPolicy PutGroupPolicy DeleteGroupPolicy CreateGroup DeleteGroup", _GROUP),
    ("admin.action", "iam", "CreatePolicy", ("policy", ("policyName",))),
    ("admin.action", "iam", "CreatePolicyVersion SetDefaultPolicyVersion DeletePolicyVersion DeletePolicy", _POLICY),
    ("audit.log_change", "cloudtrail", "StopLogging DeleteTrail UpdateTrail PutEventSelectors PutInsightSelectors", _TRAIL),
    ("audit.log_change", "cloudtrail", "DeleteEventDataStore StopEventDataStoreIngestion", _STORE),
    ("audit.log_change", "ec2", "DeleteFlowLogs", ("flow_log", ())),
    ("audit.log_change", "logs", "DeleteLogGroup DeleteLogStream PutRetentionPolicy DeleteSubscriptionFilter", _LOG_GROUP),
    ("audit.log_change", "config", "StopConfigurationRecorder DeleteConfigurationRecorder", ("recorder", ("configurationRecorderName",))),
    ("audit.log_change", "config", "DeleteDeliveryChannel", ("channel", ("deliveryChannelName",))),
    ("audit.log_change", "guardduty", "DeleteDetector DisassociateFromMasterAccount DisassociateFromAdministratorAccount", _DETECTOR),
    ("audit.log_change", "guardduty", "StopMonitoringMembers DisassociateMembers DeletePublishingDestination", _DETECTOR),
    ("audit.log_change", "guardduty", "UpdateDetector", (*_DETECTOR, False, _switches_off, "when it switches off")),
    ("audit.log_change", "securityhub", "DisableSecurityHub DisassociateFromMasterAccount DisassociateFromAdministratorAccount", ()),
    ("audit.log_change", "macie2", "DisableMacie DisassociateFromAdministratorAccount DisassociateFromMasterAccount", ()),
    ("audit.log_change", "access-analyzer", "DeleteAnalyzer", ("analyzer", ("analyzerName",))),
    ("audit.log_change", "route53", "DeleteQueryLoggingConfig", ("query_log", ("id",))),
    (
        "audit.log_change",
        "route53resolver",
        "DeleteResolverQueryLogConfig DisassociateResolverQueryLogConfig",
        ("query_log", ("resolverQueryLogConfigId",)),
    ),
    ("audit.log_change", "s3", "PutBucketLogging", ("bucket", ("bucketName",), False, _stops_bucket_log, "when it stops the log")),
    ("audit.log_change", "wafv2", "DeleteLoggingConfiguration", ("web_acl", ("resourceArn",))),
    ("audit.log_change", "rds", "StopActivityStream", ("database", ("resourceArn",))),
    # Agents report themselves with these every few minutes; nobody administers anything.
    ("api.request", "ssm", "UpdateInstanceInformation UpdateInstanceAssociationStatus PutInventory PutComplianceItems", ()),
)

RULES: dict[str, Rule] = {
    f"{service}:{call}": Rule(kind, *rest) for kind, service, calls, rest in _TABLE_ROWS for call in calls.split()
}  # fmt: skip
"""By ``service:eventName``."""

SIGN_IN: dict[str, str] = {
    "ConsoleLogin": "auth.login",
    "UserAuthentication": "auth.login",
    "CheckMfa": "auth.mfa_challenge",
    "CredentialChallenge": "auth.session",
    "SwitchRole": "auth.session",
    "ExitRole": "auth.session",
    "RenewRole": "auth.session",
}
"""Calls of ``signin`` that say themselves how they went, under their own name in the response."""

FORBIDDEN: frozenset[str] = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "AuthorizationErrorException",
        "Forbidden",
        "ForbiddenException",
        "NotAuthorized",
        "UnauthorizedAccess",
        "UnauthorizedException",
        "UnauthorizedOperation",
        "VpceAccessDenied",
    },
)
"""Error codes (after their last dot) that mean: this caller may not. ``Client.UnauthorizedOperation`` is one of them."""

# fmt: off
_WRITES = (
    "Add", "Associate", "Attach", "Authorize", "Create", "Delete", "Deregister", "Detach", "Disable", "Disassociate", "Enable", "Import", "Leave", "Modify", "Put",
    "Register", "Remove", "Reset", "Restore", "Revoke", "Run", "Set", "Share", "Start", "Stop", "Terminate", "Update", "Upload",
)
# fmt: on


def is_write(name: str, read_only: bool | str | None) -> bool:  # noqa: FBT001 - a field as it stands in the record
    """Whether a call changes something; by its name where the record does not say (older records)."""
    if read_only is None:
        return name.startswith(_WRITES)
    return read_only in (False, "false")


def listing() -> Iterator[tuple[str, str, str]]:
    """Every row of the tables as event, kind and note, for the documentation."""
    yield "any call that is refused", "authz.decision", f"the error code ends with {', '.join(f'`{code}`' for code in sorted(FORBIDDEN))}"
    yield from ((f"signin:{name}", kind, "a failure where the response says so") for name, kind in SIGN_IN.items())
    yield "signin:CredentialVerification", "auth.login", "a wrong password"
    yield "signin:CredentialVerification", "auth.session", "a right password; the log-in is the `UserAuthentication` after it"
    yield "signin:CredentialVerification", "auth.mfa_challenge", "any other credential"
    for call, rule in RULES.items():
        yield call, rule.kind, rule.note
    yield "any other management call that changes something", "admin.action", "`readOnly` says so; in older records the name"
    yield "any other call", "api.request", ""


UNLISTED: tuple[tuple[str, str, str], ...] = (
    ("digest file", "", "checksums of delivered files"),
    ("insight", "", "CloudTrail's own statistics"),
)
"""What is known and gives no event, for the documentation."""
