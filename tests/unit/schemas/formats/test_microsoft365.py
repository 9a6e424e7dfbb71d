"""Records of the unified audit log of Microsoft 365: shapes, who acts, what each operation is, and how much left."""

from typing import Any

import orjson
import pytest

from schemas.errors import RejectError
from schemas.event import KINDS, Event
from schemas.formats.base import Context, Memory
from schemas.formats.microsoft365 import FORMAT, Microsoft365Parser

TS = 1767261600.0  # 2026-01-01T10:00:00Z
AT = "2026-01-01T10:00:00"


def parser(tenant: str | None = None) -> Microsoft365Parser:
    return FORMAT.parser(Context(Memory(), tenant=tenant))


def record(operation: str, **fields: Any) -> dict[str, Any]:
    return {
        "CreationTime": AT,
        "Id": "m1",
        "Operation": operation,
        "RecordType": 6,
        "UserType": 0,
        "UserKey": "k",
        "Workload": "SharePoint",
        "UserId": "Alice@example.com",
        "ClientIP": "192.0.2.1",
        "ObjectId": "https://example.com/f",
        **fields,
    }


def listed(**named: Any) -> list[dict[str, Any]]:
    return [{"Name": name, "Value": value} for name, value in named.items()]


def events(document: Any) -> list[Event]:
    return list(parser().parse(orjson.dumps(document)))


def one(operation: str, **fields: Any) -> Event:
    (event,) = events(record(operation, **fields))
    return event


def test_a_record_is_read() -> None:
    given = record(
        "FileDownloaded",
        UserAgent="Mozilla/5.0",
        FileSizeBytes=2048,
        AppAccessContext={"AADSessionId": "x1"},
        DeviceProperties=listed(Id="d1"),
    )
    (event,) = parser("acme").parse(orjson.dumps(given))
    assert event == Event(
        "data.export",
        TS,
        "m1",
        "success",
        "acme",
        actor="alice@example.com",
        actor_type="user",
        ip="192.0.2.1",
        user_agent="Mozilla/5.0",
        device_id="d1",
        session_id="x1",
        target="file:https://example.com/f",
        action="file.download",
        route="SharePoint:FileDownloaded",
        records=1,
        bytes=2048,
    )


@pytest.mark.parametrize(
    "document",
    [
        [record("FileDownloaded")],
        {"value": [{"operation": "FileDownloaded", "auditData": record("FileDownloaded")}]},
        {
            "AuditData": orjson.dumps(record("FileDownloaded")).decode(),
            "CreationDate": "1/1/2026 10:00:00 AM",
            "Operations": "FileDownloaded",
        },
        [{"AuditData": record("FileDownloaded"), "Operation": "FileDownloaded"}],
        record("FileDownloaded", CreationTime="2026-01-01 10:00:00"),
    ],
)
def test_the_shapes_say_the_same(document: Any) -> None:
    assert events(document) == events(record("FileDownloaded"))


@pytest.mark.parametrize(
    ("fields", "kind", "outcome", "reason"),
    [
        ({"LogonError": "InvalidUserNameOrPassword", "ResultStatus": "Success"}, "auth.login", "failure", "bad_password"),
        ({"ErrorNumber": "50126"}, "auth.login", "failure", "bad_password"),
        ({"ErrorNumber": "50034", "LogonError": "UserAccountNotFound"}, "auth.login", "failure", "unknown_user"),
        ({"LogonError": "IdsLocked"}, "auth.login", "failure", "locked"),
        ({"LogonError": "UserDisabled"}, "auth.login", "failure", "disabled"),
        ({"LogonError": "BlockedByConditionalAccess"}, "auth.login", "failure", "not_allowed"),
        ({"LogonError": "UserStrongAuthClientAuthNRequiredInterrupt"}, "auth.login", "challenge", "mfa_required"),
        ({"ErrorNumber": 500121}, "auth.mfa_challenge", "failure", "mfa_failed"),
        ({"LogonError": "SomethingQuiteNew"}, "auth.login", "failure", "something_quite_new"),
        ({}, "auth.login", "failure", None),
    ],
)
def test_a_failed_sign_in_says_why(fields: dict[str, Any], kind: str, outcome: str, reason: str | None) -> None:
    event = one("UserLoginFailed", **fields)
    assert (event.kind, event.outcome, event.reason) == (kind, outcome, reason)


@pytest.mark.parametrize(
    ("operation", "fields", "outcome"),
    [
        ("UserLoggedIn", {"ResultStatus": "Success", "ErrorNumber": "0"}, "success"),
        ("UserLoggedIn", {}, "success"),
        ("MailboxLogin", {"ResultStatus": "Succeeded"}, "success"),
        ("MailboxLogin", {"ResultStatus": "Failed"}, "failure"),
    ],
)
def test_other_sign_ins(operation: str, fields: dict[str, Any], outcome: str) -> None:
    event = one(operation, **fields)
    assert (event.kind, event.outcome) == ("auth.login", outcome)


def test_an_unnamed_user_is_taken_from_the_parties() -> None:
    parties = [{"ID": "guid", "Type": 0}, {"ID": "Bob@example.com", "Type": 5}]
    event = one("UserLoginFailed", UserId="Not Available", Actor=parties)
    assert event.actor == "bob@example.com"


@pytest.mark.parametrize(
    ("operation", "fields", "kind", "action"),
    [
        ("FileSyncDownloadedFull", {}, "data.export", "file.download"),
        ("FileAccessed", {}, "data.export", "file.read"),
        ("FileDeleted", {}, "api.request", "file.delete"),
        ("FileUploaded", {}, "api.request", "file.write"),
        ("AnonymousLinkCreated", {}, "data.export", "share.anonymous"),
        ("AddedToSecureLink", {"TargetUserOrGroupType": "Guest"}, "data.export", "share.external"),
        ("SharingSet", {"TargetUserOrGroupName": "x#EXT#@example.com", "TargetUserOrGroupType": "Member"}, "data.export", "share.external"),
        ("SharingSet", {"TargetUserOrGroupType": "Member"}, "api.request", "share.internal"),
        ("SharingSet", {}, "data.export", "share"),
        ("SiteCollectionAdminAdded", {}, "admin.action", "role.grant"),
        ("SharingPolicyChanged", {}, "admin.action", "policy.update"),
        ("New-InboxRule", {"Parameters": listed(ForwardTo="out@example.com")}, "admin.action", "mailbox.forward"),
        ("New-InboxRule", {"Parameters": listed(MoveToFolder="RSS")}, "admin.action", "mailbox.rule"),
        ("UpdateInboxRules", {"OperationProperties": listed(RuleActions='[{"ActionType":"Forward"}]')}, "admin.action", "mailbox.forward"),
        ("Set-Mailbox", {"Parameters": listed(ForwardingSmtpAddress="smtp:o@example.com")}, "admin.action", "mailbox.forward"),
        ("Set-Mailbox", {"Parameters": listed(ForwardingSmtpAddress="")}, "admin.action", "mailbox.settings"),
        ("Set-Mailbox", {"Parameters": listed(AuditEnabled="False")}, "audit.log_change", "log.disable"),
        ("Set-OrganizationConfig", {"Parameters": listed(AuditDisabled="True")}, "audit.log_change", "log.disable"),
        ("Set-AdminAuditLogConfig", {"Parameters": listed(UnifiedAuditLogIngestionEnabled="False")}, "audit.log_change", "log.disable"),
        ("Set-AdminAuditLogConfig", {"Parameters": listed(UnifiedAuditLogIngestionEnabled="True")}, "audit.log_change", "log.update"),
        ("Set-MailboxAuditBypassAssociation", {"Parameters": listed(AuditBypassEnabled="True")}, "audit.log_change", "log.disable"),
        ("Add-MailboxPermission", {}, "admin.action", "mailbox.grant"),
        ("Add-RoleGroupMember", {}, "admin.action", "role.grant"),
        ("New-TransportRule", {"Parameters": listed(BlindCopyTo="o@example.com")}, "admin.action", "mail_flow.forward"),
        ("Disable-AntiPhishRule", {}, "admin.action", "protection.weaken"),
        ("Disable-SomethingNew", {}, "admin.action", "protection.weaken"),
        ("SearchStarted", {}, "data.query", "content.search"),
        ("SearchExportDownloaded", {}, "data.export", "content.export"),
        ("New-ComplianceSearchAction", {"Parameters": listed(Purge="True")}, "admin.action", "content.purge"),
        ("New-ComplianceSearchAction", {"Parameters": listed(Export="True")}, "data.export", "content.export"),
        ("MemberRoleChanged", {"TeamName": "T"}, "admin.action", "team.update"),
        ("ExportReport", {}, "data.export", "report.export"),
        ("CreateFlow", {}, "admin.action", "flow.update"),
        ("DlpRuleMatch", {}, "data.export", "dlp.match"),
        ("Add member to role.", {"Workload": "AzureActiveDirectory"}, "admin.action", "role.grant"),
        ("Consent to application.", {}, "admin.action", "app.consent"),
        ("Reset user password.", {}, "auth.password_reset", "password.reset"),
        ("Set-SomethingNew", {"Workload": "Exchange"}, "admin.action", "Set-SomethingNew"),
        ("LikedPost", {"Workload": "Yammer"}, "api.request", "LikedPost"),
    ],
)
def test_an_operation_is_what_it_is_called(operation: str, fields: dict[str, Any], kind: str, action: str) -> None:
    event = one(operation, **fields)
    assert (event.kind, event.action) == (kind, action)


@pytest.mark.parametrize(
    "operation", ["PageViewed", "FilePreviewed", "Send", "ViewReport", "ViewSomethingNew", "Install-DefaultSharingPolicy"]
)
def test_what_is_not_security_relevant_is_no_event(operation: str) -> None:
    assert events(record(operation, Workload="Exchange")) == []


def test_a_changed_second_factor_is_told_from_other_updates() -> None:
    properties = [{"Name": "StrongAuthenticationMethod", "OldValue": '[{"MethodType":6}]', "NewValue": "[]"}]
    event = one("Update user.", ModifiedProperties=properties, ObjectId="Bob@example.com")
    assert (event.kind, event.action, event.target) == ("auth.mfa_change", "mfa.remove", "user:bob@example.com")


def test_a_granted_role_is_named_in_the_route() -> None:
    properties = [{"Name": "Role.DisplayName", "OldValue": "", "NewValue": "Global Administrator"}]
    event = one("Add member to role.", ModifiedProperties=properties, Workload="AzureActiveDirectory", ObjectId="Bob@example.com")
    assert (event.target, event.route) == ("user:Bob@example.com".lower(), "AzureActiveDirectory:Add member to role.:Global Administrator")


@pytest.mark.parametrize(
    ("user", "user_type", "actor", "actor_type"),
    [
        ("Alice@example.com", 0, "alice@example.com", "user"),
        ("admin@example.com", 2, "admin@example.com", "user"),
        ("app@sharepoint", 0, "app@sharepoint", "service"),
        ("NT AUTHORITY\\SYSTEM (Host)", 3, "NT AUTHORITY\\SYSTEM (Host)", "service"),
        ("ServicePrincipal_1", 4, "ServicePrincipal_1", "service"),
        ("job", 6, "job", "service"),
        ("anonymous", 0, None, "anonymous"),
        ("urn:spo:anon#abc", 0, None, "anonymous"),
        ("Not Available", 0, None, None),
    ],
)
def test_who_acts(user: str, user_type: int, actor: str | None, actor_type: str | None) -> None:
    event = one("FileAccessed", UserId=user, UserType=user_type)
    assert (event.actor, event.actor_type) == (actor, actor_type)


@pytest.mark.parametrize(
    ("fields", "ip"),
    [
        ({"ClientIP": "192.0.2.1:50000"}, "192.0.2.1"),
        ({"ClientIP": "[192.0.2.1]:50000"}, "192.0.2.1"),
        ({"ClientIP": "[2001:DB8::1]:443"}, "2001:db8::1"),
        ({"ClientIP": "[::ffff:192.0.2.1]"}, "192.0.2.1"),
        ({"ClientIP": "localhost:1", "ActorIpAddress": "192.0.2.9"}, "192.0.2.9"),
        ({"ClientIP": None, "ClientIPAddress": "192.0.2.8"}, "192.0.2.8"),
        ({"ClientIP": "<null>"}, None),
    ],
)
def test_an_address_is_read_in_every_form(fields: dict[str, Any], ip: str | None) -> None:
    assert one("FileAccessed", **fields).ip == ip


@pytest.mark.parametrize(
    ("fields", "agent"),
    [
        ({"ExtendedProperties": listed(UserAgent="a")}, "a"),
        ({"ExtendedProperties": listed(additionalDetails='{"User-Agent":"b"}')}, "b"),
        ({"ClientInfoString": "Client=OWA;c"}, "Client=OWA;c"),
        ({"ExtendedProperties": "x"}, None),
    ],
)
def test_a_user_agent_is_found_where_the_service_puts_it(fields: dict[str, Any], agent: str | None) -> None:
    assert one("FileAccessed", **fields).user_agent == agent


@pytest.mark.parametrize(
    ("fields", "records"),
    [
        ({"OperationCount": 7}, 7),
        ({"Folders": [{"FolderItems": [{}, {}]}, {"FolderItems": [{}]}]}, 3),
        ({"OperationCount": -1, "Folders": 3}, 1),
        ({}, 1),
        ({"ResultStatus": "Failed"}, 0),
    ],
)
def test_read_messages_are_counted(fields: dict[str, Any], records: int) -> None:
    event = one("MailItemsAccessed", Workload="Exchange", MailboxOwnerUPN="Bob@example.com", **fields)
    assert (event.kind, event.records, event.target) == ("data.export", records, "mailbox:bob@example.com")


@pytest.mark.parametrize(
    ("operation", "fields", "risk"),
    [
        ("AlertTriggered", {"Severity": "High", "AlertEntityId": "bob@example.com"}, "high"),
        ("AlertTriggered", {"Severity": "Informational"}, None),
        ("DlpRuleMatch", {"PolicyDetails": [{"Rules": [{"Severity": "Low"}, {"Severity": "Medium"}]}]}, "medium"),
        ("FileMalwareDetected", {}, "high"),
        ("FileAccessed", {}, None),
    ],
)
def test_the_vendors_judgement_is_kept(operation: str, fields: dict[str, Any], risk: str | None) -> None:
    assert one(operation, **fields).risk == risk


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("Succeeded", "success"),
        ("True", "success"),
        (None, "success"),
        ("PartiallySucceeded", "success"),
        ("Failed", "failure"),
        ("Odd", None),
    ],
)
def test_the_result_says_how_it_ended(status: str | None, outcome: str | None) -> None:
    assert one("Set-Mailbox", ResultStatus=status).outcome == outcome


def test_a_batch_keeps_its_good_entries_in_order_of_time() -> None:
    later = record("FileAccessed", Id="b", CreationTime="2026-01-01T10:00:01")
    one_input = parser()
    found = one_input.parse(orjson.dumps([later, record("FileAccessed", Id="a"), record("FileAccessed", CreationTime="x")]))
    assert [event.id for event in found] == ["a", "b"]
    assert [reason for reason, _ in one_input.partial_rejects] == ["bad_time"]


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"a": 1}, "unknown_shape"),
        (record("", Id="x"), "missing_field"),
        ({"Operation": "FileAccessed"}, "missing_field"),
        (record("FileAccessed", UserId=3), "bad_field"),
        ({"AuditData": "not JSON"}, "unknown_shape"),
    ],
)
def test_what_is_no_record_is_rejected(document: Any, reason: str) -> None:
    with pytest.raises(RejectError) as caught:
        events(document)
    assert caught.value.reason == reason


def test_the_tables_are_there_for_the_documentation() -> None:
    assert {kind for _, kind, _ in FORMAT.rules} <= KINDS
    assert not {name for name, _, _ in FORMAT.rules} & {name for name, _, _ in FORMAT.ignored}
