"""Okta records: wrappers and spellings, who acts, what each event type is, and why it failed."""

import json
from typing import Any

import orjson
import pytest

from schemas.errors import RejectError
from schemas.event import KINDS, Event
from schemas.formats.base import Context, Memory
from schemas.formats.okta import FORMAT, OktaParser
from schemas.formats.okta_kinds import IGNORED, RULES, STEPS, rule_for

TS = 1772352000.0  # 2026-03-01T08:00:00Z
ALICE = {"id": "00u1", "type": "User", "alternateId": "alice@example.com", "displayName": "Alice"}
BOB = {"id": "00u2", "type": "User", "alternateId": "bob@example.com", "displayName": "Bob"}
GHOST = {"id": "unknown", "type": "User", "alternateId": "ghost@example.com", "displayName": "unknown"}
APP = {"id": "0oa1", "type": "AppInstance", "alternateId": "Example App", "displayName": "Example App"}


def record(
    event_type: str = "user.session.start", result: str | None = "SUCCESS", reason: str | None = None, **fields: Any
) -> dict[str, Any]:
    return {
        "uuid": "u1",
        "published": "2026-03-01T08:00:00.000Z",
        "eventType": event_type,
        "actor": ALICE,
        "client": {"ipAddress": "192.0.2.1", "userAgent": {"rawUserAgent": "Firefox"}},
        "outcome": {"result": result, "reason": reason},
        "severity": "INFO",
        **fields,
    }


def parser(tenant: str | None = None) -> OktaParser:
    return FORMAT.parser(Context(Memory(), tenant=tenant))


def one(*args: Any, **fields: Any) -> Event:
    (event,) = parser().parse(orjson.dumps(record(*args, **fields)))
    return event


def debug(**data: Any) -> dict[str, Any]:
    return {"debugContext": {"debugData": data}}


def test_an_event_is_read() -> None:
    (event,) = parser("acme").parse(
        orjson.dumps(
            record(
                client={
                    "ipAddress": "::ffff:192.0.2.1",
                    "userAgent": {"rawUserAgent": "Firefox"},
                    "geographicalContext": {"city": "Berlin", "country": "Germany", "geolocation": {"lat": 52.52, "lon": 13.41}},
                },
                authenticationContext={"externalSessionId": "102a"},
                securityContext={"asNumber": 64500, "isProxy": False},
                **debug(dtHash="dt1", risk="{reasons=Anomalous Device, level=MEDIUM}"),
            ),
        ),
    )
    assert event == Event(
        "auth.login",
        TS,
        "u1",
        "success",
        "acme",
        actor="alice@example.com",
        actor_type="user",
        ip="192.0.2.1",
        country="DE",
        city="Berlin",
        lat=52.52,
        lon=13.41,
        asn=64500,
        risk="medium",
        user_agent="Firefox",
        device_id="dt1",
        session_id="102a",
        action="login",
        route="user.session.start",
    )


LATER, SAME_TIME = record(uuid="b", published="2026-03-01T08:00:01Z"), record(uuid="a")
FLAT = {
    "eventType": "user.session.start",
    "published": "2026-03-01T08:00:00Z",
    "uuid": "u1",
    "outcome.result": "FAILURE",
    "actor.alternateId": "alice",
}


@pytest.mark.parametrize(
    ("document", "ids"),
    [
        ([LATER, SAME_TIME], ["a", "b"]),
        ([], []),
        ({"version": "0", "detail-type": "SystemLog", "source": "aws.partner/okta.com/example/logs", "detail": record()}, ["u1"]),
        ({"eventType": "com.okta.event_hook", "eventId": "h1", "data": {"events": [LATER, SAME_TIME]}}, ["a", "b"]),
        ({"time": 1, "host": "example", "source": "okta", "event": record()}, ["u1"]),
        ({"records": [record()]}, ["u1"]),
        ({"value": [record()]}, ["u1"]),
        ({"message": json.dumps(record())}, ["u1"]),
        ([{"detail": LATER}, {"data": {"events": [SAME_TIME]}}], ["a", "b"]),
        (
            {"eventtype": "user.session.start", "published": "2026-03-01 08:00:00.000", "uuid": "u1", "outcome": {"result": "SUCCESS"}},
            ["u1"],
        ),
        ({"event_type": "user.session.start", "published": "2026-03-01 08:00:00.000", "uuid": "u1", "display_message": "x"}, ["u1"]),
        (FLAT, ["u1"]),
    ],
)
def test_the_records_within_a_wrapper_are_found_in_order_of_time(document: Any, ids: list[str]) -> None:
    assert [event.id for event in parser().parse(orjson.dumps(document))] == ids


def test_joined_names_are_taken_apart() -> None:
    (event,) = parser().parse(orjson.dumps(FLAT))
    assert (event.actor, event.outcome) == ("alice", "failure")


def test_a_bad_entry_does_not_take_the_good_ones_with_it() -> None:
    read = parser()
    assert len(read.parse(orjson.dumps([record(published="soon"), record(), {"eventType": "AwsApiCall"}]))) == 1
    assert [reason for reason, _ in read.partial_rejects] == ["bad_time", "unknown_shape"]


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (record(published=None), "missing_field"),
        (record(published="soon"), "bad_time"),
        (record(published="1970-01-01T00:00:00Z"), "time_out_of_range"),
        (record(actor="alice"), "bad_field"),
        ({"uuid": "u1", "published": "2026-03-01T08:00:00Z"}, "unknown_shape"),
        ({"eventType": "AwsApiCall", "eventName": "x"}, "unknown_shape"),
        ("okta", "unknown_shape"),
    ],
)
def test_a_record_that_does_not_fit_is_refused(document: Any, reason: str) -> None:
    with pytest.raises(RejectError) as caught:
        parser().parse(orjson.dumps(document))
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("event_type", "result", "fields", "expected"),
    [
        ("user.session.start", "FAILURE", {}, ("auth.login", "failure", "login", None)),
        ("user.session.end", "SUCCESS", {}, ("auth.logout", "success", "logout", None)),
        ("user.authentication.sso", "SUCCESS", {"target": [BOB, APP]}, ("auth.session", "success", "sso", "app:0oa1")),
        ("user.authentication.auth_via_AD_agent", "SUCCESS", {}, ("auth.session", "success", "login.step", None)),
        ("user.authentication.auth_via_AD_agent", "FAILURE", {}, ("auth.login", "failure", "login", None)),
        ("policy.evaluate_sign_on", "CHALLENGE", {"target": [APP]}, ("authz.decision", "challenge", "sign_on_policy.evaluate", "app:0oa1")),
        ("policy.evaluate_sign_on", "ALLOW", {}, ("authz.decision", "success", "sign_on_policy.evaluate", None)),
        ("user.mfa.factor.activate", "SUCCESS", {}, ("auth.mfa_change", "success", "mfa.add", "user:alice@example.com")),
        ("user.mfa.factor.deactivate", "SUCCESS", {"target": [BOB]}, ("auth.mfa_change", "success", "mfa.remove", "user:bob@example.com")),
        ("user.mfa.factor.reset_all", "SUCCESS", {"target": [BOB]}, ("auth.mfa_change", "success", "mfa.reset", "user:bob@example.com")),
        ("system.mfa.factor.deactivate", None, {}, ("auth.mfa_change", None, "mfa_policy.disable", None)),
        (
            "system.push.send_factor_verify_push",
            "SUCCESS",
            {},
            ("auth.mfa_challenge", "challenge", "mfa.challenge.push", "user:alice@example.com"),
        ),
        (
            "system.sms.send_factor_verify_message",
            "DENY",
            {},
            ("auth.mfa_challenge", "failure", "mfa.challenge.sms", "user:alice@example.com"),
        ),
        (
            "user.account.reset_password",
            "SUCCESS",
            {"target": [BOB]},
            ("auth.password_reset", "success", "password.reset", "user:bob@example.com"),
        ),
        ("user.account.update_password", "SUCCESS", {}, ("auth.password_change", "success", "password.change", "user:alice@example.com")),
        ("user.account.lock", "FAILURE", {"target": [BOB]}, ("account.change", "failure", "account.lock", "user:bob@example.com")),
        ("user.lifecycle.create", "SUCCESS", {"target": [BOB]}, ("account.change", "success", "user.create", "user:bob@example.com")),
        ("user.account.privilege.grant", "SUCCESS", {"target": [BOB]}, ("admin.action", "success", "role.grant", "user:bob@example.com")),
        (
            "group.user_membership.add",
            "SUCCESS",
            {"target": [{"id": "00g1", "type": "UserGroup", "displayName": "Admins"}, BOB]},
            ("admin.action", "success", "group.member_add", "user:bob@example.com"),
        ),
        (
            "group.privilege.grant",
            "SUCCESS",
            {"target": [{"id": "00g1", "type": "UserGroup", "displayName": "Admins"}]},
            ("admin.action", "success", "role.grant", "group:00g1"),
        ),
        ("application.lifecycle.update", "SUCCESS", {"target": [APP]}, ("admin.action", "success", "application.update", "app:0oa1")),
        ("policy.rule.delete", "SUCCESS", {}, ("admin.action", "success", "policy.rule.delete", None)),
        ("zone.update", "SUCCESS", {}, ("admin.action", "success", "zone.update", None)),
        (
            "system.api_token.create",
            "SUCCESS",
            {"target": [{"id": "00T1", "type": "Token", "displayName": "build"}]},
            ("credential.change", "success", "api_token.create", "api_token:00T1"),
        ),
        (
            "system.log_stream.lifecycle.deactivate",
            "SUCCESS",
            {"target": [{"id": "0oa9", "type": "LogStream", "displayName": "siem"}]},
            ("audit.log_change", "success", "log_stream.disable", "log_stream:0oa9"),
        ),
        ("security.threat.detected", "ALLOW", {}, ("authz.decision", "success", "threat.detect", None)),
        (
            "application.user_membership.show_password",
            "SUCCESS",
            {"target": [APP, BOB]},
            ("data.export", "success", "secret.read", "user:bob@example.com"),
        ),
        ("system.org.rate_limit.violation", "SUCCESS", {}, ("api.request", "failure", "rate_limit.exceed", None)),
        ("user.session.impersonation.grant", "SUCCESS", {}, ("admin.action", "success", "impersonation.grant", None)),
        ("novelty.widget.create", "SUCCESS", {}, ("admin.action", "success", "novelty.widget.create", None)),
        ("novelty.widget.look", "SKIPPED", {}, ("api.request", None, "novelty.widget.look", None)),
    ],
)
def test_an_event_type_is_an_event_of_its_kind(
    event_type: str,
    result: str | None,
    fields: dict[str, Any],
    expected: tuple[str, str | None, str, str | None],
) -> None:
    event = one(event_type, result, **fields)
    assert (event.kind, event.outcome, event.action, event.target) == expected
    assert event.route == event_type


@pytest.mark.parametrize(
    ("event_type", "result", "reason", "fields", "expected"),
    [
        ("user.session.start", "FAILURE", "INVALID_CREDENTIALS", {}, "bad_password"),
        ("user.session.start", "FAILURE", "VERIFICATION_ERROR", {}, "bad_password"),
        ("user.session.start", "FAILURE", "VERIFICATION_ERROR", {"actor": GHOST}, "unknown_user"),
        ("user.session.start", "FAILURE", "LOCKED_OUT", {}, "locked"),
        ("user.session.start", "FAILURE", "Login failed - user suspended", {}, "disabled"),
        ("user.session.start", "FAILURE", "SOMETHING_NEW", {}, "something_new"),
        ("user.session.start", "FAILURE", "ask alice@example.com", {}, None),
        ("user.session.start", "SUCCESS", "INVALID_CREDENTIALS", {}, None),
        ("user.mfa.okta_verify.deny_push", "FAILURE", None, {}, "mfa_denied"),
        ("user.mfa.okta_verify.deny_push", "SUCCESS", None, {}, "mfa_denied"),
        ("user.authentication.auth_via_mfa", "FAILURE", "INVALID_CREDENTIALS", {}, "mfa_denied"),
        ("user.authentication.auth_via_mfa", "FAILURE", "INVALID_CREDENTIALS", debug(factor="OKTA_VERIFY_PUSH"), "mfa_denied"),
        (
            "user.authentication.auth_via_mfa",
            "FAILURE",
            "INVALID_CREDENTIALS",
            debug(pushOnlyResponseType="OV_RESPONSE_DENY"),
            "mfa_denied",
        ),
        ("user.authentication.auth_via_mfa", "FAILURE", "INVALID_CREDENTIALS", debug(factor="SMS_FACTOR"), "bad_code"),
        ("user.authentication.auth_via_mfa", "FAILURE", "INVALID_CREDENTIALS", debug(factor="PASSWORD_AS_FACTOR"), "bad_password"),
        ("user.authentication.auth_via_mfa", "UNANSWERED", None, debug(factor="OKTA_VERIFY_PUSH"), "mfa_timeout"),
        ("user.authentication.auth_via_mfa", "FAILURE", "User rejected Okta push verify", {}, "mfa_denied"),
        ("user.authentication.auth_via_mfa", "FAILURE", "FastPass declined phishing attempt", {}, "phishing"),
        ("user.authentication.auth_via_mfa", "FAILURE", "LOCKED_OUT", {}, "locked"),
        ("policy.evaluate_sign_on", "DENY", "Sign-on policy evaluation resulted in DENY", {}, "forbidden"),
        ("security.request.blocked", "DENY", None, {}, "blocked"),
        ("user.account.lock", "FAILURE", "LOCKED_OUT", {}, "locked"),
    ],
)
def test_a_failure_says_why(event_type: str, result: str, reason: str | None, fields: dict[str, Any], expected: str | None) -> None:
    assert one(event_type, result, reason, **fields).reason == expected


@pytest.mark.parametrize(
    ("event_type", "fields", "expected"),
    [
        ("user.authentication.auth_via_mfa", {}, ("mfa.verify", "mfa_denied")),
        ("user.authentication.auth_via_mfa", debug(factor="SMS_FACTOR"), ("mfa.verify.sms", "bad_code")),
        ("user.authentication.auth_via_mfa", debug(factor="FIDO_WEBAUTHN"), ("mfa.verify.fido_webauthn", "verification_failed")),
        ("user.authentication.auth_via_mfa", debug(pushOnlyResponseType="OV_RESPONSE_DENY"), ("mfa.verify.push", "mfa_denied")),
        ("user.mfa.okta_verify.deny_push", {}, ("mfa.verify.push", "mfa_denied")),
        ("system.email.challenge_factor_redeemed", {}, ("mfa.verify.email_code", "bad_code")),
    ],
)
def test_the_factor_is_told(event_type: str, fields: dict[str, Any], expected: tuple[str, str]) -> None:
    event = one(event_type, "FAILURE", "INVALID_CREDENTIALS", **fields)
    assert (event.action, event.reason) == expected


def test_the_password_as_a_factor_is_a_step_of_the_login() -> None:
    password = debug(factor="PASSWORD_AS_FACTOR")
    assert one("user.authentication.auth_via_mfa", "FAILURE", "INVALID_CREDENTIALS", **password).kind == "auth.login"
    assert one("user.authentication.auth_via_mfa", "SUCCESS", **password).kind == "auth.session"
    assert one("user.authentication.auth_via_mfa", "SUCCESS", **debug(factor="OKTA_VERIFY_PUSH")).kind == "auth.mfa_challenge"


def test_a_failed_try_that_agent_factor_and_session_tell_of_is_one_failed_login() -> None:
    read = parser()
    tellers = ["user.authentication.auth_via_AD_agent", "user.session.start", "user.authentication.auth_via_AD_agent"]
    kinds = []
    for n, teller in enumerate(tellers):
        told = record(teller, "FAILURE", "INVALID_CREDENTIALS", uuid=f"u{n}", transaction={"id": "tx1"})
        kinds += [event.kind for event in read.parse(orjson.dumps(told))]
    # The same teller again is another try; another teller in the same transaction is not.
    assert kinds == ["auth.login", "auth.session", "auth.login"]


@pytest.mark.parametrize("transaction", [None, {"id": None}, {"id": "unknown"}])
def test_without_a_transaction_every_teller_counts(transaction: dict[str, Any] | None) -> None:
    read = parser()
    for teller in ("user.authentication.auth_via_AD_agent", "user.session.start"):
        (event,) = read.parse(orjson.dumps(record(teller, "FAILURE", transaction=transaction)))
        assert event.kind == "auth.login"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ("alice@example.com", "user")),
        ({"actor": {"id": "00u1", "type": "User", "alternateId": "unknown"}}, ("00u1", "user")),
        ({"actor": {"id": "unknown", "type": "User", "alternateId": "unknown"}}, (None, None)),
        ({"actor": None}, (None, None)),
        ({"actor": {"id": "0oa1", "type": "PublicClientApp", "alternateId": "0oa1"}}, ("0oa1", "service")),
        ({"actor": {"id": "okta.1", "type": "SystemPrincipal", "alternateId": "system@okta.com"}}, ("system@okta.com", "service")),
        ({"transaction": {"id": "t", "detail": {"requestApiTokenId": "00T1"}}}, ("alice@example.com", "api_key")),
    ],
)
def test_the_actor_is_told(fields: dict[str, Any], expected: tuple[str | None, str | None]) -> None:
    event = one(**fields)
    assert (event.actor, event.actor_type) == expected


def test_a_request_with_an_api_token_has_no_session() -> None:
    event = one(authenticationContext={"externalSessionId": "trs1"}, transaction={"id": "t", "detail": {"requestApiTokenId": "00T1"}})
    assert event.session_id is None


def test_without_a_client_the_address_is_the_first_of_the_chain() -> None:
    assert one(client=None, request={"ipChain": [{"ip": "198.51.100.1"}, {"ip": "192.0.2.9"}]}).ip == "198.51.100.1"


def test_the_older_event_type_says_how_a_login_went_where_there_is_no_outcome() -> None:
    assert one(outcome=None, legacyEventType="core.user_auth.login_failed").outcome == "failure"
    assert one(outcome=None, legacyEventType="core.user_auth.login_success").outcome == "success"
    assert one(outcome=None).outcome is None


@pytest.mark.parametrize(
    "event_type", ["system.import.start", "system.agent.ad.read_ldap", "system.email.delivery", "app.rum.validation.error"]
)
def test_event_types_of_no_interest_are_no_events(event_type: str) -> None:
    assert list(parser().parse(orjson.dumps(record(event_type)))) == []


def test_the_closest_rule_counts() -> None:
    assert rule_for("pam.secret.reveal") == RULES["pam.secret.reveal"]
    assert rule_for("pam.secret.create") == RULES["pam.secret.*"]
    assert rule_for("pam.project.create") == RULES["pam.*"]
    assert rule_for("app.oauth2.as.consent.revoke.implicit.user") == RULES["app.oauth2.as.consent.revoke*"]


def test_the_tables_are_whole() -> None:
    assert {rule.kind for rule in RULES.values()} <= KINDS
    assert not RULES.keys() & IGNORED
    assert "user.authentication.auth_via_LDAP_agent" in STEPS
    assert {kind for _, kind, _ in FORMAT.rules} <= KINDS
    assert len(FORMAT.ignored) == len(IGNORED)
