"""CloudTrail records of any kind at all: invented by hypothesis, and real ones."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import REJECT_REASONS, RejectError
from schemas.event import KINDS, Event
from schemas.formats.base import Context, Memory
from schemas.formats.cloudtrail import FORMAT, CloudTrailParser
from schemas.formats.cloudtrail_kinds import RULES, SIGN_IN


def parser() -> CloudTrailParser:
    return FORMAT.parser(Context(Memory()))


def record(call: str) -> dict[str, Any]:
    service, _, name = call.partition(":")
    return {
        "userIdentity": {"type": "IAMUser", "userName": "alice"},
        "eventTime": "2023-07-10T11:42:24Z",
        "eventSource": f"{service}.amazonaws.com",
        "eventName": name,
        "sourceIPAddress": "192.0.2.1",
    }


def parse_or_reject(data: bytes) -> None:
    assert 0 <= FORMAT.recognise(data) <= 1
    one_input = parser()
    reasons, events = [], []
    try:
        events = list(one_input.parse(data))
    except RejectError as error:
        reasons = [error.reason]
    assert {*reasons, *(reason for reason, _ in one_input.partial_rejects)} <= REJECT_REASONS
    assert all(event.id and event.ts and event.kind in KINDS for event in events)
    assert events == sorted(events, key=lambda event: (event.ts, event.id))


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(), st.text(max_size=8), st.just("Failure")),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["userName", "add", "items", "arn", "key", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)
fields = [
    "eventTime",
    "eventName",
    "eventSource",
    "eventID",
    "eventType",
    "eventCategory",
    "readOnly",
    "managementEvent",
    "userIdentity",
    "sourceIPAddress",
    "userAgent",
    "errorCode",
    "errorMessage",
    "resources",
    "requestParameters",
    "responseElements",
    "additionalEventData",
    "serviceEventDetails",
    "Records",
    "Events",
    "logEvents",
    "events",
    "detail",
    "message",
    "CloudTrailEvent",
    "digestStartTime",
]
calls = st.sampled_from([*RULES, *(f"signin:{name}" for name in (*SIGN_IN, "CredentialVerification")), "x:Y"])


@given(st.one_of(st.binary(), st.text().map(str.encode), values.map(orjson.dumps)))
def test_any_bytes_give_events_or_a_reject(data: bytes) -> None:
    parse_or_reject(data)


@settings(max_examples=200)
@given(calls, st.dictionaries(st.sampled_from(fields), values, max_size=5))
def test_any_json_values_give_events_or_a_reject(call: str, odd: dict[str, Any]) -> None:
    parse_or_reject(orjson.dumps(record(call) | odd))
    parse_or_reject(orjson.dumps({"Records": [record(call), odd, record(call) | odd]}))


@settings(max_examples=200)
@given(calls, st.dictionaries(st.sampled_from(["requestParameters", "responseElements", "additionalEventData"]), values, min_size=1))
def test_odd_details_never_lose_an_event(call: str, odd: dict[str, Any]) -> None:
    assert len(parser().parse(orjson.dumps(record(call) | odd))) == 1


@pytest.mark.parametrize("number", ["9" * 400, "9" * 5000, "1e999", "-1e308", "1e-400", "NaN", "-9223372036854775809", "Infinity"])
def test_odd_numbers_do_not_escape(number: str) -> None:
    text = orjson.dumps(record("s3:GetObject")).decode()
    for name in ("eventTime", "additionalEventData", "requestParameters", "readOnly", "x"):
        parse_or_reject(f'{text[:-1]},"{name}":{number}}}'.encode())
    parse_or_reject(f'{text[:-1]},"additionalEventData":{{"bytesTransferredOut":{number}}}}}'.encode())


@pytest.mark.realdata
@pytest.mark.parametrize(("pattern", "events"), [("cloudtrail/invictus-ir/*.json", 1448), ("cloudtrail/stratus-red-team/*.json", 201)])
def test_real_deliveries_are_read_whole(real_logs: Path, pattern: str, events: int) -> None:
    found: list[Event] = []
    one_input = parser()
    for path in sorted(real_logs.glob(pattern)):
        data = path.read_bytes()
        assert FORMAT.recognise(data[:65_536]) > 0.9
        found.extend(one_input.parse(data))
        assert one_input.partial_rejects == []
    assert len(found) == len({event.id for event in found}) == events


@pytest.mark.realdata
def test_detonated_techniques_have_their_kind(real_logs: Path) -> None:
    expected = {
        "aws.credential-access.secretsmanager-retrieve-secrets": ("data.export", "GetSecretValue"),
        "aws.credential-access.ec2-get-password-data": ("authz.decision", "GetPasswordData"),
        "aws.defense-evasion.cloudtrail-event-selectors": ("audit.log_change", "PutEventSelectors"),
        "aws.defense-evasion.dns-delete-logs": ("audit.log_change", "DeleteResolverQueryLogConfig"),
        "aws.exfiltration.ec2-share-ami": ("data.export", "ModifyImageAttribute"),
        "aws.persistence.iam-backdoor-role": ("admin.action", "UpdateAssumeRolePolicy"),
        "aws.persistence.iam-backdoor-user": ("credential.change", "CreateAccessKey"),
        "aws.persistence.iam-create-user-login-profile": ("account.change", "CreateLoginProfile"),
    }
    folder = real_logs / "cloudtrail" / "stratus-red-team"
    for technique, key in expected.items():
        assert key in {(event.kind, event.action) for event in parser().parse((folder / f"{technique}.json").read_bytes())}, technique


@pytest.mark.realdata
def test_real_rule_cases_decode_unless_cut_down(real_logs: Path) -> None:
    reasons: dict[str, int] = {}
    events = 0
    for line in (real_logs / "panther" / "cases.jsonl").read_bytes().splitlines():
        case = orjson.loads(line)
        if case["log_type"] != "AWS.CloudTrail":
            continue
        try:
            events += len(parser().parse(orjson.dumps(case["event"])))
        except RejectError as error:
            reasons[error.reason] = reasons.get(error.reason, 0) + 1
    # Cases without eventTime (10), or with field names in lower case or none at all (7): no CloudTrail ever wrote those.
    assert (events, reasons) == (204, {"missing_field": 10, "unknown_shape": 7})


@pytest.mark.realdata
def test_real_streamalert_and_crowdsec_records_decode(real_logs: Path) -> None:
    cases = [case for path in (real_logs / "streamalert" / "cloudtrail").glob("*.json") for case in orjson.loads(path.read_bytes())]
    assert sum(len(parser().parse(orjson.dumps(case["data"]))) for case in cases) == 36
    lines = (real_logs / "crowdsec" / "aws-cloudtrail" / "aws-cloudtrail.log").read_bytes().splitlines()
    found = [parser().parse(line)[0] for line in lines]
    assert [(event.kind, event.outcome, event.ip) for event in found] == [
        ("auth.login", "failure", "1.2.3.4"),
        ("api.request", "success", "1.2.3.4"),
    ]
