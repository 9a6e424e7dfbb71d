"""What each Google Workspace rule of the Panther collection looks for, in this product's kinds: for the cases the rule must find.

The other cases of a rule are any record at all, and need only be read.
"""

KINDS: dict[str, set[str]] = {
    "Google.Workspace.Admin.Custom.Role": {"admin.action"},
    "Google.Workspace.Advanced.Protection.Program": {"admin.action"},
    "Google.Workspace.Apps.Marketplace.Allowlist": {"admin.action"},
    "Google.Workspace.Apps.Marketplace.New.Domain.Application": {"admin.action"},
    "Google.Workspace.Apps.New.Mobile.App.Installed": {"admin.action"},
    "GSuite.CalendarMadePublic": {"data.export", "api.request"},  # one of its cases takes the access away, which is no export
    "GSuite.DeviceCompromise": {"auth.session"},
    "GSuite.DeviceSuspiciousActivity": {"auth.session"},
    "GSuite.DeviceUnlockFailure": {"auth.session"},
    "GSuite.DocOwnershipTransfer": {"data.export"},
    "GSuite.Drive.BulkDocumentDeletion": {"api.request"},
    "GSuite.Drive.ExternalFileShare": {"data.export"},
    "GSuite.ExternalMailForwarding": {"account.change"},
    "GSuite.Gmail.Malicious.SMTP.Response": {"api.request"},
    "GSuite.Gmail.Malware.In.Email": {"api.request"},
    "GSuite.GovernmentBackedAttack": {"auth.login"},
    "GSuite.LeakedPassword": {"account.change"},
    "GSuite.SuspiciousLogins": {"auth.login"},
    "GSuite.TwoStepVerification": {"auth.mfa_change"},
    "GSuite.UserSuspended": {"account.change"},
    "GSuite.Workspace.CalendarExternalSharingSetting": {"admin.action"},
    "GSuite.Workspace.DataExportCreated": {"data.export"},
    "GSuite.Workspace.GmailDefaultRoutingRuleModified": {"admin.action"},
    "GSuite.Workspace.GmailPredeliveryScanningDisabled": {"admin.action"},
    "GSuite.Workspace.GmailSecuritySandboxDisabled": {"admin.action"},
    "GSuite.Workspace.PasswordEnforceStrongDisabled": {"admin.action"},
    "GSuite.Workspace.PasswordReuseEnabled": {"admin.action"},
    "GSuite.Workspace.TrustedDomainsAllowlist": {"admin.action"},
    "Standard.AdminRoleAssigned": {"admin.action"},
    "Standard.BruteForceByIP": {"auth.login"},
    "Standard.BruteForceByUser": {"auth.login"},
}
NO_EVENTS = frozenset({"Standard.GreyNoiseV3.MaliciousIP", "Standard.OTX.MaliciousIndicator"})
"""Rules whose cases are but an address with an enrichment: no record of the vendor."""
