"""What each operation of the unified audit log of Microsoft 365 is. Operations of the directory are those of ``entra_kinds``.

Source of the names: Microsoft's list of audit log activities, and the names of Exchange and compliance cmdlets.
"""

from schemas.formats.entra_kinds import AUDIT_IGNORED, AUDIT_PREFIXES, AUDIT_RULES
from schemas.formats.microsoft import Rule, operation_key, table

_READ = Rule("data.export", "file.read", "file", read=True)
_DOWNLOAD = Rule("data.export", "file.download", "file", read=True)
_SHARE = Rule("data.export", "share", "file")
_QUERY, _EXPORT = Rule("data.query", "content.search", "search"), Rule("data.export", "content.export", "search", read=True)
_DELETE = Rule("api.request", "file.delete", "file")
_MAIL_DELETE = Rule("api.request", "mail.delete", "mailbox")
_LOG = Rule("audit.log_change", "log.update")
_GRANT, _REVOKE = Rule("admin.action", "role.grant"), Rule("admin.action", "role.revoke")
_MAILBOX_GRANT = Rule("admin.action", "mailbox.grant", "mailbox")
_MAILBOX_REVOKE = Rule("admin.action", "mailbox.revoke", "mailbox")
_RULE = Rule("admin.action", "mailbox.rule", "mailbox")
_FLOW = Rule("admin.action", "mail_flow.update")
_WEAKER = Rule("admin.action", "protection.weaken")
_POLICY = Rule("admin.action", "policy.update")
_CASE = Rule("admin.action", "ediscovery.case", "case")
_TEAM = Rule("admin.action", "team.update", "team")
_DLP = Rule("data.export", "dlp.match", "file")

_ROWS: tuple[tuple[Rule, str], ...] = (
    (Rule("auth.login", "sign_in"), "UserLoggedIn | UserLoginFailed | MailboxLogin | TeamsSessionStarted | UserLoggedInPowerPlatform"),
    (Rule("auth.logout", "sign_out", "user"), "UserLoggedOff"),
    # Files
    (_DOWNLOAD, "FileDownloaded | FileSyncDownloadedFull | FileSyncDownloadedPartial | FileDownloadedFromBrowser | DownloadDocument | DownloadedReport"),
    (_READ, "FileAccessed | FileAccessedExtended | FileCopiedToClipboard | FileVersionAccessed | MediaDownloaded | RecordingDownloaded"),
    (Rule("data.export", "file.copy", "file", read=True), "FileCopiedToRemovableMedia | FileCopiedToNetworkShare | FileUploadedToCloud | FilePrinted"),
    (Rule("data.export", "file.copy", "file", read=True), "FileCopiedToRemoteDesktopSession | FileTransferredByBluetooth | FileArchived | FileEgress"),
    (Rule("data.export", "file.read", "file", read=True), "AnonymousLinkUsed"),
    (Rule("api.request", "link.use", "file"), "SecureLinkUsed | CompanyLinkUsed"),
    (_DELETE, "FileDeleted | FileRecycled | FolderDeleted | FolderRecycled | FileDeletedFirstStageRecycleBin | FileDeletedSecondStageRecycleBin"),
    (_DELETE, "FolderDeletedFirstStageRecycleBin | FolderDeletedSecondStageRecycleBin | FileVersionsAllRecycled | FileVersionRecycled | RecordDelete"),
    (_DELETE, "FileVersionsAllMinorsRecycled | FileSyncDeleted | ListDeleted | ListItemDeleted | ListItemRecycled"),
    (Rule("api.request", "file.write", "file"), "FileUploaded | FileModified | FileModifiedExtended | FileRenamed | FileMoved | FileCopied | FileRestored"),
    (Rule("api.request", "file.write", "file"), "FileSyncUploadedFull | FileSyncUploadedPartial | FolderCreated | FolderMoved | FolderRenamed | FolderCopied"),
    (Rule("api.request", "malware.detected", "file"), "FileMalwareDetected | MalwareDetected"),
    (Rule("authz.decision", "sync.block"), "UnmanagedSyncClientBlocked"),
    (Rule("api.request", "site.search"), "SearchQueryPerformed"),
    # Sharing
    (_SHARE, "SharingSet | SharingInvitationCreated | SharingInvitationUpdated | AddedToSecureLink | SecureLinkCreated | SecureLinkUpdated"),
    (_SHARE, "CompanyLinkCreated | SharingLinkCreated | SharingLinkUpdated | AddedToSharingLink"),
    (Rule("data.export", "share.anonymous", "file"), "AnonymousLinkCreated | AnonymousLinkUpdated"),
    (Rule("account.change", "invitation.accept", "file"), "SharingInvitationAccepted"),
    (Rule("authz.decision", "share.block", "file"), "SharingInvitationBlocked"),
    (Rule("admin.action", "share.remove", "file"), "SharingRevoked | SharingInvitationRevoked | RemovedFromSecureLink | SecureLinkDeleted"),
    (Rule("admin.action", "share.remove", "file"), "AnonymousLinkRemoved | CompanyLinkRemoved"),
    (_GRANT, "SiteCollectionAdminAdded | GeoAdminAdded | SiteAdminChangeRequest | AccessRequestAccepted | AddedToGroup | PermissionLevelAdded"),
    (_REVOKE, "SiteCollectionAdminRemoved | GeoAdminDeleted | RemovedFromGroup | PermissionLevelRemoved"),
    (_POLICY, "SharingPolicyChanged | NetworkAccessPolicyChanged | DeviceAccessPolicyChanged | ExemptUserAgentSet | CustomizeExemptUsers"),
    (_POLICY, "PermissionLevelModified | SitePermissionsModified | WebRequestAccessModified | WebMembersCanShareModified | AllowGroupCreationSet"),
    # Mail
    (Rule("data.export", "mail.read", "mailbox", read=True), "MailItemsAccessed | MessageBind | MessageRead"),
    (Rule("api.request", "mail.folder_read", "mailbox"), "FolderBind"),
    (Rule("api.request", "mail.send_as", "mailbox"), "SendAs | SendOnBehalf"),
    (_MAIL_DELETE, "HardDelete | SoftDelete | MoveToDeletedItems"),
    (_RULE, "New-InboxRule | Set-InboxRule | Enable-InboxRule | UpdateInboxRules | Disable-InboxRule | Remove-InboxRule | New-SweepRule"),
    (_RULE, "Set-MailboxJunkEmailConfiguration | Set-MailboxAutoReplyConfiguration"),
    (Rule("admin.action", "mailbox.settings", "mailbox"), "Set-Mailbox | Set-CASMailbox | Set-MailboxPlan | Enable-Mailbox | Remove-Mailbox | New-Mailbox"),
    (_MAILBOX_GRANT, "Add-MailboxPermission | Add-RecipientPermission | Add-MailboxFolderPermission | Set-MailboxFolderPermission"),
    (_MAILBOX_GRANT, "AddFolderPermissions | ModifyFolderPermissions | UpdateFolderPermissions | UpdateCalendarDelegation | Add-ADPermission"),
    (_MAILBOX_REVOKE, "Remove-MailboxPermission | Remove-RecipientPermission | Remove-MailboxFolderPermission | RemoveFolderPermissions"),
    (_FLOW, "New-TransportRule | Set-TransportRule | Enable-TransportRule | New-InboundConnector | Set-InboundConnector | New-OutboundConnector"),
    (_FLOW, "Set-OutboundConnector | Set-RemoteDomain | New-RemoteDomain | Set-AcceptedDomain | New-JournalRule | Set-JournalRule"),
    (_FLOW, "Set-HostedConnectionFilterPolicy | New-TenantAllowBlockListItems | Set-TransportConfig | Remove-TransportRule | Disable-TransportRule"),
    (_WEAKER, "Remove-AntiPhishPolicy | Remove-AntiPhishRule | Disable-AntiPhishRule | Remove-SafeLinksPolicy | Remove-SafeLinksRule"),
    (_WEAKER, "Disable-SafeLinksRule | Remove-SafeAttachmentPolicy | Remove-SafeAttachmentRule | Disable-SafeAttachmentRule"),
    (_WEAKER, "Remove-MalwareFilterPolicy | Remove-MalwareFilterRule | Disable-MalwareFilterRule | Remove-HostedContentFilterPolicy"),
    (_WEAKER, "Remove-HostedContentFilterRule | Disable-HostedContentFilterRule | Set-DkimSigningConfig | Remove-DlpPolicy | Remove-DlpCompliancePolicy"),
    (_WEAKER, "Remove-DlpComplianceRule | Disable-DlpComplianceRule | Set-AtpPolicyForO365 | Set-OwaMailboxPolicy | New-AuthenticationPolicy"),
    (_WEAKER, "Remove-RetentionCompliancePolicy | Remove-HoldCompliancePolicy | Remove-CaseHoldPolicy | QuarantineReleaseMessage"),
    (_GRANT, "Add-RoleGroupMember | New-RoleGroup | Update-RoleGroupMember | New-ManagementRoleAssignment | Set-ManagementRoleAssignment"),
    (_GRANT, "Add-eDiscoveryCaseAdmin | Update-eDiscoveryCaseAdmin | CaseAdminAdded | CaseAdminReplaced | CaseAdminUpdated | Add-ComplianceCaseMember"),
    (_GRANT, "CaseMemberAdded | CaseMemberUpdated | New-ManagementRole | Add-ManagementRoleEntry"),
    (_REVOKE, "Remove-RoleGroupMember | Remove-RoleGroup | Remove-ManagementRoleAssignment | Remove-eDiscoveryCaseAdmin | CaseAdminRemoved"),
    # The log itself
    (_LOG, "Set-AdminAuditLogConfig | Set-MailboxAuditBypassAssociation | New-UnifiedAuditLogRetentionPolicy | Set-UnifiedAuditLogRetentionPolicy"),
    (_LOG, "Set-AuditConfig | Set-AuditConfigurationPolicy | Set-AuditConfigurationRule | AuditPolicyUpdate | Set-OrganizationAuditConfig"),
    (_LOG, "Enable-OrganizationCustomization.AuditLog | SiteAuditSettingsChanged | DisableAuditing | AuditSearchDeleted"),
    (Rule("audit.log_change", "log.delete"), "Remove-UnifiedAuditLogRetentionPolicy | Remove-AuditConfigurationPolicy | Remove-AuditConfigurationRule"),
    (Rule("audit.log_change", "alerting.disable"), "Remove-ProtectionAlert | Disable-ProtectionAlert | Set-ProtectionAlert | Remove-ActivityAlert"),
    (Rule("audit.log_change", "alerting.disable"), "Disable-ActivityAlert | Set-ActivityAlert"),
    (Rule("data.query", "audit.search"), "AuditSearchCreated | Search-UnifiedAuditLog | AuditSearch | Search-MailboxAuditLog"),
    (Rule("data.export", "audit.export", read=True), "AuditSearchExportJobCreated | AuditSearchExportResultsDownloaded"),
    # Searches across everybody's content
    (_QUERY, "SearchCreated | SearchStarted | SearchUpdated | SearchReport | New-ComplianceSearch | Start-ComplianceSearch | Set-ComplianceSearch"),
    (_QUERY, "AddQueryToWorkingSet | RunQuery | ExecutedQuery | New-MailboxSearch | Search-Mailbox | SearchPreviewed | ViewedSearchPreviewed"),
    (_QUERY, "CaseQueryCreated | ReviewSetSearchRun | PreviewItemListed"),
    (_EXPORT, "SearchExported | SearchExportDownloaded | SearchResultsSentToZoom | New-ComplianceSearchAction | ViewedSearchExported"),
    (_EXPORT, "PreviewItemDownloaded | PreviewItemRendered | ExportJob | ExportCreated | ExportDownloaded | DownloadExport | RunExport"),
    (_EXPORT, "New-MailboxExportRequest | ContentExplorerAccessedItem | LabelContentExplorerAccessedItem | ReviewSetExport"),
    (Rule("admin.action", "content.purge", "search"), "SearchResultsPurged | RemovedSearchResultsPurged | PurgeData"),
    (_CASE, "CaseAdded | CaseUpdated | CaseRemoved | New-ComplianceCase | Set-ComplianceCase | Remove-ComplianceCase | HoldCreated | HoldUpdated"),
    (_CASE, "HoldRemoved | SearchPermissionCreated | SearchPermissionUpdated | SearchPermissionRemoved | SearchRemoved | CaseOpened"),
    # Loss prevention and alerts
    (_DLP, "DlpRuleMatch | DLPRuleMatch | DlpInfo"),
    (Rule("admin.action", "dlp.override", "file"), "DlpRuleUndo | DLPRuleUndo"),
    (Rule("api.request", "alert", "alert"), "AlertTriggered | AlertEntityGenerated | AlertUpdated"),
    # Teams, Power Platform, Power BI
    (_TEAM, "MemberAdded | MemberRoleChanged | MemberRemoved | TeamCreated | TeamDeleted | TeamSettingChanged | ChannelAdded | ChannelDeleted"),
    (_TEAM, "AppInstalled | AppUpgraded | AppUninstalled | BotAddedToTeam | ConnectorAdded | ConnectorUpdated | TabAdded | AppPublishedToCatalog"),
    (_TEAM, "TeamsTenantSettingChanged | TeamsAdminAction | GuestAdded | AppDeployed | ChatCreated | InviteeResponded"),
    (Rule("data.export", "report.export", "report", read=True), "ExportReport | DownloadReport | ExportArtifact | ExportTile | ExportDataflow | PrintReport"),
    (Rule("data.export", "report.export", "report", read=True), "ExportVisualData | ExportActivityEvents | AnalyzedByExternalApplication"),
    (Rule("data.export", "share", "report"), "ShareReport | ShareDashboard | PublishToWebReport | ShareDataset"),
    (Rule("admin.action", "flow.update", "flow"), "CreateFlow | EditFlow | DeleteFlow | PutPermissions | DeletePermissions | CreateConnection"),
    (Rule("admin.action", "flow.update", "flow"), "StartAPaidTrial | LaunchPowerApp.Admin | CreatePowerApp | UpdatePowerApp | PowerAppPermissionEdited"),
    (Rule("admin.action", "tenant.settings"), "UpdatedAdminFeatureSwitch | UpdateFeaturedTables | UpdatedTenantSettings | Set-CsTeamsClientConfiguration"),
    (Rule("credential.change", "credential.add"), "Add app credentials | GenerateEmbedToken | InsertOrUpdateAPIKey"),
)  # fmt: skip

RULES: dict[str, Rule] = {**AUDIT_RULES, **table(_ROWS)}
"""By folded operation."""

IGNORED: frozenset[str] = AUDIT_IGNORED | {
    operation_key(name)
    for name in (
        "PageViewed", "PageViewedExtended", "PagePrefetched", "ClientViewSignaled", "FilePreviewed", "FileCheckedIn", "FileCheckedOut",
        "FileCheckOutDiscarded", "ComplianceSettingChanged", "ListViewed", "ListItemViewed", "ListUpdated", "ListCreated", "ListItemCreated",
        "ListItemUpdated", "ListColumnCreated", "ListColumnUpdated", "ListContentTypeCreated", "ListContentTypeUpdated", "SiteColumnCreated",
        "SiteColumnUpdated", "SiteContentTypeCreated", "SiteContentTypeUpdated", "FolderModified", "FolderRestored", "Send", "Create", "Update",
        "Move", "Copy", "ApplyRecordLabel", "AttachmentAccess", "ManagedSyncClientAllowed", "SharingInheritanceBroken", "SharingInheritanceReset",
        "PermissionLevelsInheritanceBroken", "AccessRequestCreated", "AccessRequestUpdated", "AccessRequestDenied", "GroupAdded", "GroupUpdated",
        "GroupRemoved", "SearchViewed", "SearchStopped", "CaseViewed", "ViewReport", "ViewDashboard", "ViewTile", "GetRefreshHistory", "ViewDataflow",
        "RefreshDataset", "MessageSent", "MessageUpdated", "MessageCreatedHasLink", "ReactedToMessage", "MeetingDetail", "MeetingParticipantDetail",
        "CallParticipantDetail", "ChatRetrieved", "MessagesListed", "TIMailData", "TIUrlClickData", "AirInvestigationData", "LaunchPowerApp",
        "ViewForm", "ViewResponses", "CreateResponse", "SensitivityLabelApplied", "SensitivityLabelUpdated", "FileSensitivityLabelApplied",
        "LockRecord", "UnlockRecord", "TaskCreated", "TaskRead", "PlanRead", "Validate", "MipLabel", "Search", "Discover", "Access", "SupervisionRuleMatch",
        "RecordStatusChanged", "TagApplied", "FileRead", "DocumentSensitivityMismatchDetected", "UserSignedIn.Viva", "SignInEvent",
    )
}  # fmt: skip
"""Folded operations that are known and not security relevant."""

PREFIXES: tuple[tuple[str, Rule | None], ...] = (
    *AUDIT_PREFIXES,
    ("disable-", _WEAKER),
    ("view", None),
    ("search-", Rule("data.query", "content.search")),
    ("test-", None),
    ("install-", None),
)
"""Beginnings of folded operations that are in no table of their own, in the order they are tried."""

FALLBACK = Rule("admin.action")
"""A cmdlet, a sentence of the directory, or a change in an admin workload."""
FALLBACK_USE = Rule("api.request")
"""Anything else a person did with the product."""
ADMIN_WORKLOADS = frozenset({"exchange", "securitycompliancecenter", "azureactivedirectory", "skypeforbusiness", "publicendpoint"})


def operation_rule(operation: str, workload: str) -> Rule | None:
    """What an operation is; ``None`` when it is not security relevant.

    >>> operation_rule("FileDownloaded", "OneDrive").kind, operation_rule("Set-Whatever", "Exchange").kind, operation_rule("Liked", "Yammer").kind
    ('data.export', 'admin.action', 'api.request')
    """
    key = operation_key(operation)
    rule = RULES.get(key)
    if rule is not None:
        return rule
    if key in IGNORED:
        return None
    for beginning, found in PREFIXES:
        if key.startswith(beginning):
            return found
    return FALLBACK if workload.lower() in ADMIN_WORKLOADS or "-" in key or " " in key else FALLBACK_USE
