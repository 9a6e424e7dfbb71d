"""What each operation of Azure's resources is: the activity log, storage accounts and key vaults.

An activity is ``<provider>/<type>/<verb>``; whatever is in no table is told apart by its verb: ``read`` is ``api.request``, all else ``admin.action``.
"""

from schemas.formats.microsoft import Rule, table

_GRANT, _REVOKE = Rule("admin.action", "role.grant"), Rule("admin.action", "role.revoke")
_LOG_DELETE, _LOG_UPDATE = Rule("audit.log_change", "log.delete"), Rule("audit.log_change", "log.update")
_ALERTING_OFF = Rule("audit.log_change", "alerting.disable")
_SECRET_READ = Rule("data.export", "secret.read", read=True)
_SHARED = Rule("data.export", "disk.share")
_RUN = Rule("admin.action", "command.run")
_KEY_NEW = Rule("credential.change", "credential.add")
_FIREWALL = Rule("admin.action", "firewall.update")

ACTIVITY_RULES: dict[str, Rule] = table(
    (
        (_GRANT, "microsoft.authorization/roleassignments/write | microsoft.authorization/elevateaccess/action"),
        (_GRANT, "microsoft.authorization/roleassignmentschedulerequests/write | microsoft.authorization/classicadministrators/write"),
        (_GRANT, "microsoft.authorization/roleeligibilityschedulerequests/write | microsoft.managedservices/registrationassignments/write"),
        (_REVOKE, "microsoft.authorization/roleassignments/delete | microsoft.authorization/classicadministrators/delete"),
        (Rule("admin.action", "role.update"), "microsoft.authorization/roledefinitions/write | microsoft.authorization/roledefinitions/delete"),
        (Rule("admin.action", "lock.remove"), "microsoft.authorization/locks/delete"),
        (Rule("admin.action", "policy.update"), "microsoft.authorization/policyassignments/write | microsoft.authorization/policydefinitions/write"),
        (Rule("admin.action", "policy.delete"), "microsoft.authorization/policyassignments/delete | microsoft.authorization/policydefinitions/delete"),
        (Rule("admin.action", "policy.exempt"), "microsoft.authorization/policyexemptions/write"),
        (Rule("admin.action", "policy.deploy"), "microsoft.authorization/policies/deployifnotexists/action"),
        (Rule("authz.decision", "policy.audit"), "microsoft.authorization/policies/audit/action | microsoft.authorization/policies/auditifnotexists/action"),
        (Rule("authz.decision", "policy.deny"), "microsoft.authorization/policies/deny/action"),
        (_LOG_DELETE, "microsoft.insights/diagnosticsettings/delete | microsoft.insights/logprofiles/delete | microsoft.aadiam/diagnosticsettings/delete"),
        (_LOG_UPDATE, "microsoft.insights/diagnosticsettings/write | microsoft.insights/logprofiles/write | microsoft.aadiam/diagnosticsettings/write"),
        (_LOG_DELETE, "microsoft.insights/datacollectionrules/delete | microsoft.insights/datacollectionruleassociations/delete"),
        (_LOG_DELETE, "microsoft.operationalinsights/workspaces/delete | microsoft.operationalinsights/workspaces/purge/action"),
        (_LOG_DELETE, "microsoft.operationalinsights/workspaces/tables/delete | microsoft.operationalinsights/workspaces/dataexports/delete"),
        (_LOG_DELETE, "microsoft.network/networkwatchers/delete | microsoft.network/networkwatchers/flowlogs/delete"),
        (_LOG_UPDATE, "microsoft.network/networkwatchers/configureflowlog/action | microsoft.sql/servers/auditingsettings/write"),
        (_LOG_UPDATE, "microsoft.sql/servers/databases/auditingsettings/write | microsoft.sql/servers/extendedauditingsettings/write"),
        (_ALERTING_OFF, "microsoft.insights/alertrules/delete | microsoft.insights/metricalerts/delete | microsoft.insights/activitylogalerts/delete"),
        (_ALERTING_OFF, "microsoft.insights/scheduledqueryrules/delete | microsoft.insights/actiongroups/delete"),
        (_ALERTING_OFF, "microsoft.alertsmanagement/actionrules/write | microsoft.security/alertssuppressionrules/write"),
        (_ALERTING_OFF, "microsoft.security/securitycontacts/delete | microsoft.security/pricings/write | microsoft.security/pricings/delete"),
        (_ALERTING_OFF, "microsoft.security/settings/write | microsoft.security/autoprovisioningsettings/write"),
        (_ALERTING_OFF, "microsoft.security/locations/alerts/dismiss/action | microsoft.securityinsights/alertrules/delete"),
        (_ALERTING_OFF, "microsoft.securityinsights/dataconnectors/delete | microsoft.securityinsights/automationrules/delete"),
        (_SECRET_READ, "microsoft.keyvault/vaults/secrets/read | microsoft.keyvault/vaults/keys/read | microsoft.keyvault/vaults/certificates/read"),
        (_SECRET_READ, "microsoft.keyvault/vaults/keys/read/action | microsoft.keyvault/vaults/secrets/getsecret/action"),
        (_SECRET_READ, "microsoft.keyvault/vaults/certificates/read/action | microsoft.keyvault/vaults/secrets/backup/action"),
        (_SECRET_READ, "microsoft.keyvault/vaults/keys/backup/action | microsoft.keyvault/vaults/keys/recover/action"),
        (_SECRET_READ, "microsoft.keyvault/vaults/keys/restore/action | microsoft.keyvault/vaults/secrets/recover/action"),
        (_SECRET_READ, "microsoft.keyvault/vaults/secrets/restore/action"),
        (Rule("admin.action", "vault.access"), "microsoft.keyvault/vaults/accesspolicies/write | microsoft.keyvault/vaults/write"),
        (Rule("api.request", "advice"), "microsoft.advisor/recommendations/available/action"),
        (_SHARED, "microsoft.compute/disks/begingetaccess/action | microsoft.compute/snapshots/begingetaccess/action"),
        (_SHARED, "microsoft.compute/restorepointcollections/restorepoints/retrievesasuris/action"),
        (Rule("data.export", "database.export"), "microsoft.sql/servers/databases/export/action | microsoft.documentdb/databaseaccounts/backup/action"),
        (_RUN, "microsoft.compute/virtualmachines/runcommand/action | microsoft.compute/virtualmachines/runcommands/write"),
        (_RUN, "microsoft.compute/virtualmachinescalesets/virtualmachines/runcommand/action | microsoft.compute/virtualmachines/extensions/write"),
        (_RUN, "microsoft.containerservice/managedclusters/runcommand/action | microsoft.serialconsole/serialports/connect/action"),
        (_RUN, "microsoft.compute/galleries/applications/versions/write | microsoft.automation/automationaccounts/jobs/write"),
        (_RUN, "microsoft.web/sites/hostruntime/host/action | microsoft.hybridcompute/machines/runcommands/write"),
        (_RUN, "microsoft.hybridcompute/machines/extensions/write | microsoft.compute/virtualmachinescalesets/extensions/write"),
        (_FIREWALL, "microsoft.network/networksecuritygroups/securityrules/write | microsoft.network/networksecuritygroups/write"),
        (_FIREWALL, "microsoft.network/networksecuritygroups/securityrules/delete | microsoft.network/firewallpolicies/delete"),
        (_FIREWALL, "microsoft.network/azurefirewalls/write | microsoft.network/azurefirewalls/delete | microsoft.network/firewallpolicies/write"),
        (_FIREWALL, "microsoft.sql/servers/firewallrules/write | microsoft.network/frontdoorwebapplicationfirewallpolicies/delete"),
        (_KEY_NEW, "microsoft.managedidentity/userassignedidentities/federatedidentitycredentials/write | microsoft.compute/sshpublickeys/write"),
        (_KEY_NEW, "microsoft.compute/virtualmachines/extensions/vmaccess/write | microsoft.web/sites/publishxml/action"),
    ),
)  # fmt: skip
"""By operation in lower case."""

ACTIVITY_ENDINGS: tuple[tuple[str, Rule], ...] = (
    ("/listkeys/action", _SECRET_READ),
    ("/listsecrets/action", _SECRET_READ),
    ("/listconnectionstrings/action", _SECRET_READ),
    ("/listcredentials/action", _SECRET_READ),
    ("/listclusteradmincredential/action", _SECRET_READ),
    ("/listclusterusercredential/action", _SECRET_READ),
    ("/listaccountsas/action", _KEY_NEW),
    ("/listservicesas/action", _KEY_NEW),
    ("/regeneratekey/action", _KEY_NEW),
    ("/regeneratekeys/action", _KEY_NEW),
    ("/config/list/action", _SECRET_READ),
    ("/read", Rule("api.request")),
)
"""Ends of operations that mean the same for every provider, in the order they are tried."""

ACTIVITY_FALLBACK = Rule("admin.action")

ACTIVITY_CATEGORIES = frozenset({"administrative", "action", "write", "delete", "policy", "security", "recommendation"})
ACTIVITY_IGNORED = frozenset({"servicehealth", "resourcehealth", "autoscale", "alert"})
UNFINISHED = frozenset({"start", "started", "accept", "accepted", "inprogress", "in progress", "running"})
"""What the activity log says of an operation that goes on; its end is logged again and is the one that counts."""

_READ, _WRITE, _DELETE = (
    Rule("data.export", "object.read", "object", read=True),
    Rule("api.request", "object.write", "object"),
    "object.delete",
)

STORAGE_RULES: dict[str, Rule] = table(
    (
        (_READ, "GetBlob | GetFile | ReadFile | QueryBlobContents | DownloadFile | Read | GetBlobByBlockList"),
        (Rule("data.query", "table.query", "object"), "QueryEntities | QueryEntity | QueryTables | QueryTable"),
        (Rule("data.export", "object.copy", "object", read=True), "CopyBlob | CopyFile | CopyBlobFromURL"),
        (Rule("api.request", _DELETE, "object"), "DeleteBlob | DeleteContainer | DeleteFile | DeleteShare | DeleteDirectory | DeleteEntity | DeleteTable"),
        (Rule("api.request", _DELETE, "object"), "DeleteQueue | DeleteFilesystem | DeletePath | BlobBatch | SetBlobTier | ExpireBlob"),
        (_WRITE, "PutBlob | PutBlock | PutBlockList | PutPage | AppendBlock | PutFile | PutRange | CreatePathFile | CreateFile | AppendFile"),
        (_WRITE, "UndeleteBlob | SnapshotBlob | InsertEntity | MergeEntity | UpdateEntity | CreateContainer"),
        (Rule("admin.action", "container.share", "object"), "SetContainerACL | SetShareAcl | SetTableAcl | SetQueueACL | SetPathAcl"),
        (Rule("admin.action", "storage.settings", "object"), "SetBlobServiceProperties | SetFileServiceProperties | SetContainerMetadata"),
        (Rule("credential.change", "credential.add", "object"), "GetUserDelegationKey"),
    ),
)  # fmt: skip
"""Operations on what is stored, by folded name; all others are ``api.request``."""
STORAGE_CATEGORIES = frozenset({"storageread", "storagewrite", "storagedelete"})

VAULT_RULES: dict[str, Rule] = table(
    (
        (_SECRET_READ, "SecretGet | SecretBackup | KeyGet | KeyBackup | KeyUnwrap | CertificateGet | CertificateBackup | SecretGetVersions"),
        (_SECRET_READ, "StorageAccountGet | ManagedStorageAccountSas | KeyExport | KeyRelease"),
        (Rule("credential.change", "credential.add"), "SecretSet | SecretCreate | SecretUpdate | KeyCreate | KeyImport | CertificateCreate | KeyUpdate"),
        (Rule("credential.change", "credential.add"), "CertificateImport | SecretRestore | KeyRestore | CertificateUpdate | KeyRotate | SecretRecover"),
        (Rule("credential.change", "credential.remove"), "SecretDelete | KeyDelete | CertificateDelete | SecretPurge | KeyPurge | CertificatePurge"),
        (Rule("admin.action", "vault.access"), "VaultPut | VaultPatch | VaultAccessPolicyChangedEventGridNotification"),
        (Rule("admin.action", "vault.delete"), "VaultDelete | VaultPurge"),
    ),
)  # fmt: skip
"""Operations of a key vault (category ``AuditEvent``), by folded name; all others are ``api.request``."""


def activity_rule(operation: str) -> Rule:
    """What an operation of the activity log is.

    >>> activity_rule("Microsoft.Storage/storageAccounts/listKeys/action").action, activity_rule("Microsoft.Web/sites/delete").kind
    ('secret.read', 'admin.action')
    """
    key = operation.lower()
    rule = ACTIVITY_RULES.get(key)
    if rule is not None:
        return rule
    return next((found for ending, found in ACTIVITY_ENDINGS if key.endswith(ending)), ACTIVITY_FALLBACK)
