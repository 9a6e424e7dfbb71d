"""What each Azure rule of the Panther collection is about, in this product's kinds. A set where the rule's cases hold several operations."""

_ACTIVITY = "Azure.MonitorActivity."

KINDS: dict[str, set[str]] = {
    # Entra
    "Azure.Audit.ElevateUserAccessAdministrator": {"admin.action"},
    "Azure.Audit.HighRiskSignIn": {"auth.login"},
    "Azure.Audit.InviteExternalUsers": {"account.change"},
    "Azure.Audit.MFADisabled": {"auth.mfa_change", "admin.action"},  # beside policies that go on demanding it
    "Azure.Audit.PolicyChanged": {"admin.action", "auth.mfa_change"},  # one of them demanded a second factor
    "Azure.Audit.ROPCLoginNoMFA": {"auth.login"},
    "Standard.SignInFromRogueState": {"auth.login"},
    # The watchers
    f"{_ACTIVITY}ActionGroups.Deleted": {"audit.log_change", "admin.action"},  # beside one that is written
    f"{_ACTIVITY}AlertRules.Deleted": {"audit.log_change", "admin.action"},
    f"{_ACTIVITY}DiagnosticSettings.Deleted": {"audit.log_change"},
    f"{_ACTIVITY}Security.AlertSuppressionRuleCreated": {"audit.log_change", "admin.action"},
    # Administration
    f"{_ACTIVITY}Authorization.ResourceLockDeleted": {"admin.action"},
    f"{_ACTIVITY}Automation.RunbookCreatedOrModified": {"admin.action", "api.request"},  # beside one that is read
    f"{_ACTIVITY}Automation.RunbookDeleted": {"admin.action"},
    f"{_ACTIVITY}Automation.ScheduleCreated": {"admin.action"},
    f"{_ACTIVITY}Automation.ServerlessExecution": {"admin.action", "api.request"},
    f"{_ACTIVITY}Compute.VMCommandExecuted": {"admin.action"},
    f"{_ACTIVITY}EventHub.Deleted": {"admin.action"},
    f"{_ACTIVITY}Network.FirewallPolicyDeleted": {"admin.action"},
    f"{_ACTIVITY}Network.PacketCaptureEnabled": {"admin.action"},
    f"{_ACTIVITY}Network.VNetDeleted": {"admin.action"},
    f"{_ACTIVITY}ResourceGroup.Deleted": {"admin.action"},
    f"{_ACTIVITY}StorageAccount.BlobSoftDeleteDisabled": {"admin.action"},
    f"{_ACTIVITY}StorageAccount.ContainerSoftDeleteDisabled": {"admin.action"},
    f"{_ACTIVITY}StorageAccount.HttpsOnlyDisabled": {"admin.action"},
    f"{_ACTIVITY}StorageAccount.SharedKeyAccessEnabled": {"admin.action"},
    f"{_ACTIVITY}StorageAccount.VersioningDisabled": {"admin.action"},
    f"{_ACTIVITY}Storage.FileShareModified": {"admin.action", "api.request"},
    # What the platform says of itself
    f"{_ACTIVITY}Advisor.SecurityRecommendation": {"api.request"},
    f"{_ACTIVITY}Policy.DeployIfNotExists": {"admin.action"},
    f"{_ACTIVITY}Policy.Violation": {"authz.decision", "admin.action"},
    # Data and secrets
    f"{_ACTIVITY}Compute.DiskSASURIGenerated": {"data.export", "api.request"},
    f"{_ACTIVITY}KeyVault.CertificateAccessed": {"data.export", "admin.action"},
    f"{_ACTIVITY}KeyVault.KeyAccessed.Recovered": {"data.export", "admin.action"},
    f"{_ACTIVITY}Network.PortMapping": {"api.request"},
    f"{_ACTIVITY}Storage.Blob.BulkDeletion": {"api.request"},
    f"{_ACTIVITY}Storage.Blob.BulkExtraction": {"data.export", "api.request", "authz.decision"},
    f"{_ACTIVITY}Storage.Blob.CPKEncryptionDetected": {"api.request", "authz.decision"},
    f"{_ACTIVITY}Storage.SASTokenExternalAccess": {"data.export", "api.request", "authz.decision"},
    # Clusters
    "Kubernetes.API.AnonymousAccess": {"api.request"},
    "Kubernetes.ClientCertificate.Created": {"credential.change"},
    "Kubernetes.Ingress.NoTLS": {"admin.action"},
    "Kubernetes.Pod.Dangerous.Capabilities": {"admin.action"},
    "Kubernetes.Pod.Exec": {"admin.action"},
    "Kubernetes.Pod.Host.IPC": {"admin.action"},
    "Kubernetes.Pod.Host.PID": {"admin.action"},
    "Kubernetes.Pod.Privileged.Created": {"admin.action"},
    "Kubernetes.Role.NodeProxyPermissions": {"admin.action"},
    "Kubernetes.Role.PodExec": {"admin.action"},
    "Kubernetes.Role.Wildcard": {"admin.action"},
    "Kubernetes.Role.WritePermissions": {"admin.action"},
    "Kubernetes.Secret.AccessDenied": {"authz.decision"},
    "Kubernetes.Secrets.DumpAllNamespaces": {"data.export"},
    "Kubernetes.Service.NodePort.Deployed": {"admin.action"},
}
