"""What each CloudTrail rule of the Panther collection is about, in this product's kinds.

The other cases of a rule are any record at all, and need only be read.
"""

KINDS: dict[str, set[str]] = {
    # Log-ins
    "AWS.CloudTrail.PasswordSpraying": {"auth.login"},
    "AWS.Console.LoginWithoutMFA": {"auth.login"},
    "AWS.Console.LoginWithoutSAML": {"auth.login"},
    "AWS.Console.Sign-In": {"auth.session"},  # into an account, after the log-in to Identity Center
    "AWS.Unsuccessful.MFA.attempt": {"auth.login"},
    "AWS.STS.GetSessionToken.Misuse": {"auth.session"},
    "Standard.BruteForceByIP": {"auth.login"},
    "Standard.BruteForceByUser": {"auth.login"},
    "Standard.SignInFromRogueState": {"auth.login"},
    # Accounts and credentials
    "AWS.CloudTrail.IAMEntityCreatedWithoutCloudFormation": {"account.change"},
    "AWS.IAM.Backdoor.User.Keys": {"credential.change"},
    "AWS.IAM.CredentialsUpdated": {"auth.password_change"},
    # Refusals
    "AWS.CloudTrail.UnauthorizedAPICall": {"authz.decision"},
    "AWS.IAMUser.ReconAccessDenied": {"authz.decision"},
    "AWS.SecretsManager.RetrieveSecrets": {"authz.decision"},
    # Logs
    "AWS.CloudTrail.SecurityConfigurationChange": {"audit.log_change"},
    "AWS.RDS.ActivityStreamStopped": {"audit.log_change"},
    "AWS.S3.SecurityControlDisabling": {"audit.log_change", "admin.action"},  # access logs; versioning is no log
    # Data
    "AWS.RDS.LogFileDownloaded": {"data.export"},
    "AWS.RDS.SnapshotExport": {"data.export"},
    "AWS.SecretsManager.BatchRetrieveSecretsCatchAll": {"data.export"},
    "AWS.S3.CopyObjectToExternalAccountBucket": {"data.export"},
    # Requests
    "AWS.CloudTrail.SES.ListIdentities": {"api.request"},
    "AWS.CloudTrail.VPCE.S3ExternalIP": {"api.request"},  # the call's second record, as network activity
    "AWS.CloudTrail.VPCE.SensitiveAPICalls": {"api.request"},
    "AWS.EC2.DownloadInstanceUserData": {"api.request", "authz.decision"},  # one of them is refused
    "AWS.S3.CopyObject.CrossAccount.Encryption.KMS": {"api.request"},
    "AWS.S3.CopyObjectWithClientSideEncryption": {"api.request"},
    "AWS.S3.DeleteObject": {"api.request"},
    "AWS.S3.DeleteObjects": {"api.request"},
    "AWS.STS.GetCallerIdentity.TruffleHog": {"api.request"},
    # Administration
    **{
        rule: {"admin.action"}
        for rule in (
            "AWS.CloudTrail.CodebuildProjectMadePublic",
            "AWS.CloudTrail.Created",
            "AWS.CloudTrail.EnableRegion",
            "AWS.CloudTrail.IAMAnythingChanged",
            "AWS.CloudTrail.IAMCompromisedKeyQuarantine",
            "AWS.CloudTrail.ShortLifecycle",
            "AWS.EC2.Monitoring",
            "AWS.EC2.MultiInstanceConnect",
            "AWS.EC2.NetworkACLModified",
            "AWS.EC2.SecurityGroupModified",
            "AWS.EC2.Startup.Script.Change",
            "AWS.EC2.Traffic.Mirroring",
            "AWS.IAM.AttachAdminRolePolicy",
            "AWS.IAM.BackdoorRole",
            "AWS.IAM.PolicyModified",
            "AWS.IPSet.Modified",
            "AWS.KMS.CustomerManagedKeyLoss",
            "AWS.Lambda.UpdateFunctionCode",
            "AWS.Potential.Backdoor.Lambda",
            "AWS.RDS.AutomatedBackupDeleted",
            "AWS.RDS.ClusterFailover",
            "AWS.RDS.DeletionProtectionDisabled",
            "AWS.RDS.IAMRoleAdded",
            "AWS.RDS.ManualSnapshotCreated",
            "AWS.RDS.PublicRestore",
            "AWS.S3.BucketDeleted",
            "AWS.S3.DeletePublicAccessBlock",
            "AWS.SSM.DistributedCommand",
            "AWS.SSM.MultipleSessions",
            "AWS.SecurityHub.Finding.Evasion",
            "AWS.Suspicious.SAML.Activity",
            "AWS.WAF.Disassociation",
        )
    },
}
NO_EVENTS = frozenset({"Standard.GreyNoiseV3.MaliciousIP", "Standard.OTX.MaliciousIndicator"})
"""Rules whose cases are but an address with an enrichment: no record of the vendor."""
