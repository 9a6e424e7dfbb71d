"""CloudTrail records: wrappers, who acts, and what each call is."""

import json
from typing import Any

import orjson
import pytest

from schemas.errors import RejectError
from schemas.event import KINDS, Event
from schemas.formats.base import Context, Memory
from schemas.formats.cloudtrail import FORMAT, CloudTrailParser
from schemas.formats.cloudtrail_kinds import RULES, SIGN_IN

ACCOUNT = "111122223333"
TS = 1688989344.0  # 2023-07-10T11:42:24Z
ALICE = {"type": "IAMUser", "userName": "alice", "arn": f"arn:aws:iam::{ACCOUNT}:user/alice", "accessKeyId": "AKIAEXAMPLE"}


def record(call: str = "s3:GetBucketAcl", **fields: Any) -> dict[str, Any]:
    service, _, name = call.partition(":")
    return {
        "eventVersion": "1.08",
        "userIdentity": ALICE,
        "eventTime": "2023-07-10T11:42:24Z",
        "eventSource": f"{service}.amazonaws.com",
        "eventName": name,
        "sourceIPAddress": "192.0.2.1",
        "userAgent": "aws-cli/2",
        "eventID": "e1",
        "eventType": "AwsApiCall",
        **fields,
    }


def parser(tenant: str | None = None) -> CloudTrailParser:
    return FORMAT.parser(Context(Memory(), tenant=tenant))


def one(call: str = "s3:GetBucketAcl", **fields: Any) -> Event:
    (event,) = parser().parse(orjson.dumps(record(call, **fields)))
    return event


def test_an_event_is_read() -> None:
    (event,) = parser("acme").parse(orjson.dumps(record(readOnly=True)))
    assert event == Event(
        "api.request",
        TS,
        "e1",
        "success",
        "acme",
        actor="alice",
        actor_type="user",
        ip="192.0.2.1",
        user_agent="aws-cli/2",
        action="GetBucketAcl",
        route="s3.amazonaws.com:GetBucketAcl",
    )


LATER, EARLIER = record(eventID="b", eventTime="2023-07-10T11:42:25Z"), record(eventID="c")
SAME_TIME = record(eventID="a")
MESSAGE = {"message": json.dumps(record())}


@pytest.mark.parametrize(
    ("document", "ids"),
    [
        ({"Records": [LATER, EARLIER, SAME_TIME]}, ["a", "c", "b"]),
        ([LATER, EARLIER], ["c", "b"]),
        ({"Records": []}, []),
        ([], []),
        ({"version": "0", "detail-type": "AWS API Call via CloudTrail", "source": "aws.s3", "detail": record()}, ["e1"]),
        (MESSAGE, ["e1"]),
        ({"messageType": "DATA_MESSAGE", "logEvents": [MESSAGE]}, ["e1"]),
        ({"events": [MESSAGE]}, ["e1"]),
        ({"Events": [{"EventId": "x", "CloudTrailEvent": json.dumps(record())}]}, ["e1"]),
        ([{"Records": [LATER]}, {"detail": EARLIER}], ["c", "b"]),
    ],
)
def test_every_wrapper_is_opened_and_its_events_sorted(document: Any, ids: list[str]) -> None:
    assert [event.id for event in parser().parse(orjson.dumps(document, option=orjson.OPT_INDENT_2))] == ids


def test_a_byte_order_mark_is_ignored_and_an_empty_record_is_nothing() -> None:
    assert len(parser().parse(b"\xef\xbb\xbf " + orjson.dumps(record()))) == 1
    assert list(parser().parse(b" \n")) == []


@pytest.mark.parametrize(
    "document",
    [
        {"awsAccountId": ACCOUNT, "digestStartTime": "2023-07-10T11:00:00Z", "logFiles": []},
        record(eventCategory="Insight", eventType="AwsCloudTrailInsight"),
    ],
)
def test_digests_and_insights_are_no_events(document: dict[str, Any]) -> None:
    assert list(parser().parse(orjson.dumps(document))) == []


def test_broken_entries_do_not_lose_the_others() -> None:
    one_input = parser()
    broken = record(eventTime=None), record(userIdentity=7), record(eventName="")
    events = one_input.parse(orjson.dumps({"Records": [broken[0], LATER, broken[1], EARLIER, broken[2]]}))
    assert [event.id for event in events] == ["c", "b"]
    assert one_input.partial_rejects == [
        ("missing_field", "entry 0: eventTime"),
        ("bad_field", "entry 2: Expected `object | null`, got `int` - at `$.userIdentity`"),
        ("missing_field", "entry 4: eventName"),
    ]
    one_input.parse(orjson.dumps(record()))
    assert one_input.partial_rejects == []


def test_a_record_without_one_good_entry_is_rejected_and_the_rest_reported() -> None:
    one_input = parser()
    with pytest.raises(RejectError, match="missing_field"):
        one_input.parse(orjson.dumps([record(eventTime=None), record(eventName=3)]))
    assert [reason for reason, _ in one_input.partial_rejects] == ["bad_field"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"{", "truncated"),
        (b"hello", "not_json"),
        (b"17", "unknown_shape"),
        (b"{}", "unknown_shape"),
        (b'{"kind":"auth.login","time":1}', "unknown_shape"),
        (b"[" * 100_000 + b"]" * 100_000, "too_deep"),
        (b'{"requestParameters":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "too_deep"),
        (b'{"eventName":"\xff"}', "not_utf8"),
        (orjson.dumps(record(eventTime="yesterday")), "bad_time"),
        (orjson.dumps(record(eventTime="1970-01-01T00:00:00Z")), "time_out_of_range"),
        (orjson.dumps(record(eventTime=-5)), "time_out_of_range"),
        (orjson.dumps(record(eventTime="")), "missing_field"),
        (orjson.dumps(record(eventSource="aws:s3", eventName="ObjectCreated:Put")), "unknown_shape"),
    ],
)
def test_what_is_no_event_is_rejected(data: bytes, reason: str) -> None:
    with pytest.raises(RejectError) as caught:
        parser().parse(data)
    assert caught.value.reason == reason


def test_wrappers_within_wrappers_end_somewhere() -> None:
    document = record()
    for _ in range(7):
        document = {"message": json.dumps(document)}
    with pytest.raises(RejectError, match="too_deep"):
        parser().parse(orjson.dumps(document))


@pytest.mark.parametrize(
    "stamp", ["2023-07-10T11:42:24Z", "2023-07-10 11:42:24", "2023-07-10 11:42:24.000000000", 1688989344, 1688989344000]
)
def test_stamps_of_exports_are_read(stamp: str | int) -> None:
    assert one(eventTime=stamp).ts == TS


def test_events_without_an_identity_are_numbered() -> None:
    one_input = parser()
    data = orjson.dumps([record(eventID=None)] * 2)
    ids = [event.id for _ in range(2) for event in one_input.parse(data)]
    assert ids == [ids[0], f"{ids[0]}-1", f"{ids[0]}-2", f"{ids[0]}-3"]


def assumed(session: str, **fields: Any) -> dict[str, Any]:
    return {"type": "AssumedRole", "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/Admin/{session}", "accessKeyId": "ASIAEXAMPLE", **fields}


@pytest.mark.parametrize(
    ("identity", "address", "actor", "actor_type", "session_id"),
    [
        (ALICE, "192.0.2.1", "alice", "user", None),
        ({"type": "IAMUser", "arn": f"arn:aws:iam::{ACCOUNT}:user/team/bob"}, "192.0.2.1", "bob", "user", None),
        (assumed("alice@example.com"), "192.0.2.1", "Admin/alice@example.com", "user", "ASIAEXAMPLE"),
        (assumed("aws-go-sdk-1722375070115152000"), "192.0.2.1", "Admin", "user", "ASIAEXAMPLE"),
        (assumed("i-0dbc91f429e48eeed"), "192.0.2.1", "Admin/i-0dbc91f429e48eeed", "user", "ASIAEXAMPLE"),
        (
            {"type": "AssumedRole", "principalId": "AROA:bob", "sessionContext": {"sessionIssuer": {"userName": "Ops"}}},
            "192.0.2.1",
            "Ops/bob",
            "user",
            None,
        ),
        (
            assumed("x", sessionContext={"sessionIssuer": {"arn": f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/x.amazonaws.com/X"}}),
            "192.0.2.1",
            "Admin/x",
            "service",
            "ASIAEXAMPLE",
        ),
        ({"type": "Root", "arn": f"arn:aws:iam::{ACCOUNT}:root"}, "192.0.2.1", "root", "user", None),
        ({"type": "FederatedUser", "arn": f"arn:aws:sts::{ACCOUNT}:federated-user/carol"}, "192.0.2.1", "carol", "user", None),
        ({"type": "SAMLUser", "userName": "carol@example.com", "principalId": "x:y"}, "192.0.2.1", "carol@example.com", "user", None),
        ({"type": "IdentityCenterUser", "onBehalfOf": {"userId": "u-1"}}, "192.0.2.1", "u-1", "user", None),
        ({"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}, "ec2.amazonaws.com", "ec2.amazonaws.com", "service", None),
        ({"accountId": ACCOUNT, "invokedBy": "ec2.amazonaws.com"}, "ec2.amazonaws.com", "ec2.amazonaws.com", "service", None),
        (ALICE, "AWS Internal", "alice", "service", None),
        ({"type": "AWSAccount", "accountId": "anonymous", "principalId": ""}, "192.0.2.1", None, "anonymous", None),
        ({"type": "AWSAccount", "accountId": ACCOUNT, "principalId": "AIDAEXAMPLE"}, "192.0.2.1", "AIDAEXAMPLE", "user", None),
        (None, "192.0.2.1", None, None, None),
    ],
)
def test_who_acted(
    identity: dict[str, Any] | None, address: str, actor: str | None, actor_type: str | None, session_id: str | None
) -> None:
    event = one(userIdentity=identity, sourceIPAddress=address)
    assert (event.actor, event.actor_type, event.session_id) == (actor, actor_type, session_id)
    assert event.ip == ("192.0.2.1" if address == "192.0.2.1" else None)


@pytest.mark.parametrize(
    ("call", "fields", "kind", "target"),
    [
        ("sts:AssumeRole", {"requestParameters": {"roleArn": f"arn:aws:iam::{ACCOUNT}:role/path/Ops"}}, "auth.session", "role:Ops"),
        ("sts:GetCallerIdentity", {"readOnly": True}, "api.request", None),
        ("s3:GetObject", {"requestParameters": {"bucketName": "b", "key": "k/1"}}, "data.export", "object:b/k/1"),
        ("secretsmanager:GetSecretValue", {"requestParameters": {"secretId": "s"}}, "data.export", "secret:s"),
        ("ssm:GetParameter", {"requestParameters": {"name": "/p", "withDecryption": True}}, "data.export", "parameter:/p"),
        ("ssm:GetParameter", {"requestParameters": {"name": "/p"}, "readOnly": True}, "api.request", None),
        ("ec2:GetPasswordData", {"requestParameters": {"instanceId": "i-1"}}, "data.export", "instance:i-1"),
        (
            "ec2:ModifySnapshotAttribute",
            {"requestParameters": {"snapshotId": "snap-1", "createVolumePermission": {"add": {"items": [{"group": "all"}]}}}},
            "data.export",
            "snapshot:snap-1",
        ),
        (
            "ec2:ModifySnapshotAttribute",
            {"requestParameters": {"snapshotId": "snap-1", "createVolumePermission": {"remove": {}}}, "readOnly": False},
            "admin.action",
            None,
        ),
        (
            "rds:ModifyDBSnapshotAttribute",
            {"requestParameters": {"dBSnapshotIdentifier": "d", "attributeName": "restore", "valuesToAdd": ["all"]}},
            "data.export",
            "snapshot:d",
        ),
        ("dynamodb:Scan", {"requestParameters": {"tableName": "t"}}, "data.export", "table:t"),
        ("iam:CreateUser", {"requestParameters": {"userName": "bob"}}, "account.change", "user:bob"),
        ("iam:UpdateLoginProfile", {"requestParameters": {"userName": "bob"}}, "account.change", "user:bob"),
        ("iam:CreateAccessKey", {}, "credential.change", "user:alice"),
        ("iam:CreateAccessKey", {"requestParameters": {"userName": "bob"}}, "credential.change", "user:bob"),
        ("iam:AttachRolePolicy", {"requestParameters": {"roleName": "Ops"}}, "admin.action", "role:Ops"),
        ("iam:AddUserToGroup", {"requestParameters": {"userName": "bob", "groupName": "g"}}, "admin.action", "user:bob"),
        ("iam:ChangePassword", {}, "auth.password_change", "user:alice"),
        ("iam:DeactivateMFADevice", {"requestParameters": {"userName": "bob"}}, "auth.mfa_change", "user:bob"),
        ("signin:PasswordRecoveryRequested", {}, "auth.password_reset", None),
        ("cloudtrail:StopLogging", {"requestParameters": {"name": "t"}}, "audit.log_change", "trail:t"),
        ("guardduty:UpdateDetector", {"requestParameters": {"detectorId": "d", "enable": False}}, "audit.log_change", "detector:d"),
        ("guardduty:UpdateDetector", {"requestParameters": {"detectorId": "d", "enable": True}, "readOnly": False}, "admin.action", None),
        ("s3:PutBucketLogging", {"requestParameters": {"bucketName": "b", "BucketLoggingStatus": {}}}, "audit.log_change", "bucket:b"),
        ("ec2:RunInstances", {"readOnly": False}, "admin.action", None),
        ("ec2:AuthorizeSecurityGroupIngress", {}, "admin.action", None),
        ("ec2:DescribeInstances", {}, "api.request", None),
        ("s3:PutObject", {"readOnly": False, "managementEvent": False}, "api.request", None),
        ("s3:DeleteBucket", {"resources": [{"ARN": "arn:aws:s3:::b"}]}, "admin.action", "resource:arn:aws:s3:::b"),
        ("s3:GetObject", {"eventCategory": "NetworkActivity"}, "api.request", None),
        ("workmail:CreateUser", {"readOnly": False}, "admin.action", None),
    ],
)
def test_what_each_call_is(call: str, fields: dict[str, Any], kind: str, target: str | None) -> None:
    event = one(call, **fields)
    assert (event.kind, event.outcome, event.target, event.action) == (kind, "success", target, call.partition(":")[2])


def test_every_kind_of_the_table_exists() -> None:
    assert {rule.kind for rule in RULES.values()} | set(SIGN_IN.values()) <= KINDS


@pytest.mark.parametrize(
    ("call", "code", "kind", "reason"),
    [
        ("s3:GetObject", "AccessDenied", "authz.decision", "forbidden"),
        ("ec2:RunInstances", "Client.UnauthorizedOperation", "authz.decision", "forbidden"),
        ("cloudtrail:StopLogging", "AccessDeniedException", "authz.decision", "forbidden"),
        ("s3:GetBucketCors", "NoSuchCORSConfiguration", "api.request", "no_such_cors_configuration"),
        ("ec2:DescribeVpcs", "Client.InvalidVpcID.NotFound", "api.request", "invalid_vpc_id_not_found"),
        ("cloudtrail:DeleteTrail", "TrailNotFoundException", "audit.log_change", "trail_not_found_exception"),
    ],
)
def test_errors_are_failures_and_refusals_are_decisions(call: str, code: str, kind: str, reason: str) -> None:
    event = one(call, errorCode=code)
    assert (event.kind, event.outcome, event.reason) == (kind, "failure", reason)


def test_exports_say_how_much_left() -> None:
    event = one("s3:GetObject", additionalEventData={"bytesTransferredOut": 552.0})
    assert (event.records, event.bytes) == (1, 552)
    event = one("ssm:GetParameters", requestParameters={"names": ["/a", "/b"], "withDecryption": True})
    assert (event.records, event.target) == (2, "parameter:/a")
    assert one("s3:GetObject", errorCode="NoSuchKey").records == 0


def test_a_query_keeps_its_text() -> None:
    event = one("athena:StartQueryExecution", requestParameters={"queryString": "SELECT 1", "workGroup": "w"})
    assert (event.kind, event.query, event.target) == ("data.query", "SELECT 1", "workgroup:w")


HIDDEN = {"type": "IAMUser", "userName": "HIDDEN_DUE_TO_SECURITY_REASONS"}


@pytest.mark.parametrize(
    ("name", "fields", "kind", "outcome", "actor", "reason"),
    [
        ("ConsoleLogin", {"responseElements": {"ConsoleLogin": "Success"}}, "auth.login", "success", "alice", None),
        (
            "ConsoleLogin",
            {"responseElements": {"ConsoleLogin": "Failure"}, "errorMessage": "Failed authentication"},
            "auth.login",
            "failure",
            "alice",
            "bad_password",
        ),
        (
            "ConsoleLogin",
            {
                "responseElements": {"ConsoleLogin": "Failure"},
                "errorMessage": "No username found in supplied account",
                "userIdentity": HIDDEN,
            },
            "auth.login",
            "failure",
            None,
            "unknown_user",
        ),
        ("ConsoleLogin", {"errorCode": "AccessDenied"}, "auth.login", "failure", "alice", "bad_password"),
        ("ConsoleLogin", {}, "auth.login", None, "alice", None),
        ("CheckMfa", {"responseElements": {"CheckMfa": "Failure"}}, "auth.mfa_challenge", "failure", "alice", "mfa_denied"),
        ("CheckMfa", {"responseElements": {"CheckMfa": "Success"}}, "auth.mfa_challenge", "success", "alice", None),
        ("SwitchRole", {"responseElements": {"SwitchRole": "Success"}}, "auth.session", "success", "alice", None),
        (
            "CredentialVerification",
            {
                "serviceEventDetails": {"CredentialVerification": "Failure"},
                "additionalEventData": {"CredentialType": "PASSWORD", "UserName": "bob"},
            },
            "auth.login",
            "failure",
            "bob",
            "bad_password",
        ),
        (
            "CredentialVerification",
            {
                "serviceEventDetails": {"CredentialVerification": "Failure"},
                "additionalEventData": {"CredentialType": "TOTP", "UserName": "bob"},
            },
            "auth.mfa_challenge",
            "failure",
            "bob",
            "mfa_denied",
        ),
        (
            "UserAuthentication",
            {"serviceEventDetails": {"UserAuthentication": "Success"}, "additionalEventData": {"UserName": "bob"}},
            "auth.login",
            "success",
            "bob",
            None,
        ),
    ],
)
def test_the_sign_in_page(name: str, fields: dict[str, Any], kind: str, outcome: str | None, actor: str | None, reason: str | None) -> None:
    event = one(f"signin:{name}", **fields)
    assert (event.kind, event.outcome, event.actor, event.reason) == (kind, outcome, actor, reason)


@pytest.mark.parametrize(
    ("sample", "low", "high"),
    [
        (orjson.dumps(record()), 0.95, 1.0),
        (orjson.dumps({"Records": [record()] * 99})[:3000], 0.95, 1.0),
        (orjson.dumps([record()], option=orjson.OPT_INDENT_2), 0.95, 1.0),
        (orjson.dumps(MESSAGE), 0.5, 0.7),
        (b'{"awsAccountId":"1","digestStartTime":"2023-07-10T11:00:00Z"}', 0.8, 1.0),
        (b'{"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","eventName":"ObjectCreated:Put","eventTime":"x"}]}', 0.0, 0.0),
        (b'{"kind":"auth.login","time":"2026-01-01T00:00:00Z"}', 0.0, 0.0),
        (b'192.0.2.1 - - [30/Sep/2021:09:58:05 +0200] "GET / HTTP/1.1" 200 7', 0.0, 0.0),
        (b"", 0.0, 0.0),
    ],
)
def test_samples_are_recognised(sample: bytes, low: float, high: float) -> None:
    assert low <= FORMAT.recognise(sample) <= high
