"""Entra records: sign-ins and risks in each shape they come in, and how one ended."""

from typing import Any

import orjson
import pytest

from schemas.errors import RejectError
from schemas.event import KINDS, Event
from schemas.formats.base import Context, Memory
from schemas.formats.entra import FORMAT, EntraParser

TS = 1767261600.5  # 2026-01-01T10:00:00.5Z
AT = "2026-01-01T10:00:00.5000000Z"


def parser(tenant: str | None = None) -> EntraParser:
    return FORMAT.parser(Context(Memory(), tenant=tenant))


def sign_in(code: Any = 0, **fields: Any) -> dict[str, Any]:
    """A sign-in as Microsoft Graph gives it."""
    return {
        "id": "s1",
        "createdDateTime": AT,
        "userPrincipalName": "alice@example.com",
        "userId": "u1",
        "appDisplayName": "Portal",
        "ipAddress": "192.0.2.1",
        "conditionalAccessStatus": "notApplied",
        "status": {"errorCode": code},
        **fields,
    }


def envelope(category: str, properties: Any, **fields: Any) -> dict[str, Any]:
    """A record as Azure Monitor sends it."""
    return {
        "time": AT,
        "category": category,
        "operationName": "Sign-in activity",
        "resourceId": "/tenants/t",
        "properties": properties,
        **fields,
    }


def one(document: Any) -> Event:
    (event,) = parser().parse(orjson.dumps(document))
    return event


def test_a_sign_in_is_read() -> None:
    document = sign_in(
        location={"city": "London", "countryOrRegion": "GB", "geoCoordinates": {"latitude": 51.5, "longitude": -0.1}},
        deviceDetail={"deviceId": "d1", "browser": "Edge"},
        riskLevelDuringSignIn="medium",
        riskState="atRisk",
        autonomousSystemNumber=64500,
        userAgent="Mozilla/5.0",
        sessionId="x1",
        authenticationProtocol="deviceCode",
        riskEventTypes_v2=["anonymizedIPAddress"],
    )
    (event,) = parser("acme").parse(orjson.dumps(document))
    assert event == Event(
        "auth.login",
        TS,
        "s1",
        "success",
        "acme",
        actor="alice@example.com",
        actor_type="user",
        ip="192.0.2.1",
        country="GB",
        city="London",
        lat=51.5,
        lon=-0.1,
        asn=64500,
        network="vpn",
        risk="medium",
        user_agent="Mozilla/5.0",
        device_id="d1",
        session_id="x1",
        target="app:Portal",
        action="sign_in.deviceCode",
    )


ROW = {
    "TimeGenerated": "2026-01-01T10:00:09Z",
    "CreatedDateTime": AT,
    "Type": "SigninLogs",
    "Id": "s1",
    "UserPrincipalName": "alice@example.com",
    "IPAddress": "192.0.2.1",
    "ResultType": "50126",
    "Status": '{"errorCode":50126}',
    "LocationDetails": '{"countryOrRegion":"GB"}',
}
LOWERED = {
    "time": AT,
    "category": "SignInLogs",
    "operationname": "Sign-in activity",
    "calleripaddress": "192.0.2.1",
    "resulttype": 50126,
    "location": "GB",
    "properties": {key: value for key, value in sign_in().items() if key not in {"status", "ipAddress"}},
}


@pytest.mark.parametrize(
    "document",
    [
        sign_in(50126, location={"countryOrRegion": "GB"}),
        {"value": [sign_in("50126", location={"countryOrRegion": "gb"})]},
        [sign_in(50126, location="GB")],
        envelope("SignInLogs", sign_in(50126), location="GB"),
        {"records": [envelope("SignInLogs", sign_in(50126), location="GB", resultType="0")]},
        envelope("SignInLogs", orjson.dumps(sign_in(50126, location={"countryOrRegion": "GB"})).decode()),
        envelope("SignInLogs", {**sign_in(), "status": None}, resultType="50126", location="GB"),
        ROW,
        LOWERED,
    ],
)
def test_the_shapes_say_the_same(document: Any) -> None:
    event = one(document)
    assert (event.kind, event.outcome, event.reason) == ("auth.login", "failure", "bad_password")
    assert (event.id, event.ts, event.actor, event.ip, event.country) == ("s1", TS, "alice@example.com", "192.0.2.1", "GB")


@pytest.mark.parametrize(
    ("code", "kind", "outcome", "reason"),
    [
        (0, "auth.login", "success", None),
        (50126, "auth.login", "failure", "bad_password"),
        (50034, "auth.login", "failure", "unknown_user"),
        (50053, "auth.login", "failure", "locked"),
        (50055, "auth.login", "failure", "password_expired"),
        (50057, "auth.login", "failure", "disabled"),
        (50072, "auth.login", "challenge", "mfa_enrolment"),
        (50074, "auth.login", "challenge", "mfa_required"),
        (50076, "auth.login", "challenge", "mfa_required"),
        (50079, "auth.login", "challenge", "mfa_enrolment"),
        (50140, "auth.login", "challenge", "stay_signed_in"),
        (50158, "auth.login", "challenge", "mfa_required"),
        (53003, "auth.login", "failure", "not_allowed"),
        (65001, "auth.login", "challenge", "consent_required"),
        (500121, "auth.mfa_challenge", "failure", "mfa_failed"),
        (700016, "auth.login", "failure", "unknown_app"),
        (7000215, "auth.login", "failure", "bad_secret"),
        (123456, "auth.login", "failure", "error_123456"),
        (10**9, "auth.login", "failure", "error"),
        ("x", "auth.login", None, None),
        (None, "auth.login", None, None),
    ],
)
def test_the_result_code_says_how_it_ended(code: Any, kind: str, outcome: str | None, reason: str | None) -> None:
    event = one(sign_in(code))
    assert (event.kind, event.outcome, event.reason) == (kind, outcome, reason)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("MFA denied; user declined the authentication", "mfa_denied"),
        ("MFA denied; user did not respond to mobile app notification", "mfa_timeout"),
        ("MFA denied; fraud code entered", "mfa_fraud"),
        ("MFA denied; invalid verification code", "mfa_bad_code"),
        ("MFA denied; something new", "mfa_failed"),
    ],
)
def test_a_refused_second_factor_says_why(said: str, reason: str) -> None:
    in_status = sign_in(500121, status={"errorCode": 500121, "additionalDetails": said})
    in_steps = sign_in(50074, authenticationDetails=[{"authenticationStepResultDetail": said, "succeeded": False}])
    for document in (in_status, in_steps):
        event = one(document)
        assert (event.kind, event.outcome, event.reason) == ("auth.mfa_challenge", "failure", reason)


def test_an_address_known_for_attacks_is_not_a_locked_account() -> None:
    why = "Sign-in was blocked because it came from an IP address with malicious activity"
    assert one(sign_in(50053, status={"errorCode": 50053, "failureReason": why})).reason == "not_allowed"


PROGRAM = {key: value for key, value in sign_in().items() if key not in {"userPrincipalName", "userId"}} | {"servicePrincipalName": "job"}


@pytest.mark.parametrize(
    ("document", "kind", "actor", "actor_type"),
    [
        (envelope("NonInteractiveUserSignInLogs", sign_in()), "auth.session", "alice@example.com", "user"),
        (envelope("NonInteractiveUserSignInLogs", sign_in(50126)), "auth.login", "alice@example.com", "user"),
        (envelope("NonInteractiveUserSignInLogs", sign_in(700082)), "auth.session", "alice@example.com", "user"),
        (sign_in(signInEventTypes=["nonInteractiveUser"]), "auth.session", "alice@example.com", "user"),
        (envelope("ServicePrincipalSignInLogs", PROGRAM), "auth.login", "job", "service"),
        (PROGRAM, "auth.login", "job", "service"),
        (envelope("ManagedIdentitySignInLogs", PROGRAM), "auth.session", "job", "service"),
        (sign_in(userPrincipalName="Alice@Example.COM"), "auth.login", "alice@example.com", "user"),
        (sign_in(userPrincipalName=None), "auth.login", "u1", "user"),
    ],
)
def test_who_signs_in_decides_the_kind(document: Any, kind: str, actor: str, actor_type: str) -> None:
    event = one(document)
    assert (event.kind, event.actor, event.actor_type) == (kind, actor, actor_type)


@pytest.mark.parametrize(
    ("fields", "risk"),
    [
        ({"riskLevelDuringSignIn": "high", "riskState": "atRisk"}, "high"),
        ({"riskLevelDuringSignIn": "none", "riskLevelAggregated": "medium"}, "medium"),
        ({"riskLevelDuringSignIn": "hidden"}, None),
        ({"riskLevelDuringSignIn": "low", "riskState": "none"}, None),
        ({"riskLevelDuringSignIn": "high", "riskState": "dismissed"}, None),
        ({"riskLevelDuringSignIn": "none", "riskState": "confirmedCompromised"}, "high"),
    ],
)
def test_the_vendors_risk_counts_unless_withdrawn(fields: dict[str, Any], risk: str | None) -> None:
    assert one(sign_in(**fields)).risk == risk


@pytest.mark.parametrize(
    "location",
    [
        {"city": "", "countryOrRegion": "", "geoCoordinates": {"latitude": 0, "longitude": 0}},
        {"countryOrRegion": "Atlantis", "geoCoordinates": {"latitude": 91, "longitude": "east"}},
        "not JSON",
        None,
    ],
)
def test_an_unknown_place_is_no_place(location: Any) -> None:
    event = one(sign_in(location=location))
    assert (event.country, event.city, event.lat, event.lon) == (None, None, None, None)


@pytest.mark.parametrize(
    ("document", "kind", "risk", "action", "target"),
    [
        (
            {"id": "r1", "riskEventType": "leakedCredentials", "riskLevel": "high", "riskState": "atRisk", "detectedDateTime": AT},
            "auth.session",
            "high",
            "risk.leakedCredentials",
            None,
        ),
        (
            {"id": "u1", "riskLevel": "low", "riskState": "atRisk", "riskLastUpdatedDateTime": AT},
            "account.change",
            "low",
            "risk.atRisk",
            "user:alice@example.com",
        ),
    ],
)
def test_a_risk_is_an_event(document: dict[str, Any], kind: str, risk: str, action: str, target: str | None) -> None:
    document |= {"userPrincipalName": "alice@example.com"}
    for shape in (document, envelope("UserRiskEvents" if kind == "auth.session" else "RiskyUsers", document)):
        event = one(shape)
        assert (event.kind, event.ts, event.risk, event.action, event.target) == (kind, TS, risk, action, target)


def test_two_judgements_of_one_account_are_two_events() -> None:
    first = {"id": "u1", "riskLevel": "low", "riskState": "atRisk", "riskLastUpdatedDateTime": AT, "userPrincipalName": "a@example.com"}
    both = [first, first | {"riskLevel": "high"}]
    assert len({event.id for event in parser().parse(orjson.dumps(both))}) == 2


def test_a_page_keeps_its_good_entries_in_order_of_time() -> None:
    page = {"value": [sign_in(id="b"), sign_in(id="a"), sign_in(createdDateTime="yesterday"), {"id": 1}]}
    one_input = parser()
    assert [event.id for event in one_input.parse(orjson.dumps(page))] == ["a", "b"]
    assert [reason for reason, _ in one_input.partial_rejects] == ["bad_time", "bad_field"]


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"a": 1}, "unknown_shape"),
        ({"createdDateTime": AT, "userPrincipalName": "a@example.com"}, "unknown_shape"),
        (envelope("SQLInsights", {}), "unknown_kind"),
        (envelope("SignInLogs", "not JSON"), "bad_field"),
        (envelope("SignInLogs", {"status": 3}), "bad_field"),
        (envelope("SignInLogs", {}, time=None), "missing_field"),
        (envelope("AuditLogs", {}, operationName=None), "missing_field"),
    ],
)
def test_what_is_no_record_is_rejected(document: Any, reason: str) -> None:
    with pytest.raises(RejectError) as caught:
        parser().parse(orjson.dumps(document))
    assert caught.value.reason == reason


@pytest.mark.parametrize("category", ["ProvisioningLogs", "ServiceHealth", "kube-apiserver"])
def test_a_category_without_security_is_nothing(category: str) -> None:
    assert parser().parse(orjson.dumps(envelope(category, {}))) == []


def test_the_tables_are_there_for_the_documentation() -> None:
    assert {kind for _, kind, _ in FORMAT.rules} <= KINDS
    assert all(name for name, _, _ in (*FORMAT.rules, *FORMAT.ignored))
    assert not {name for name, _, _ in FORMAT.rules} & {name for name, _, _ in FORMAT.ignored}
