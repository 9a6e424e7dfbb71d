"""The shapes Google Workspace activities arrive in, their ids, and what is refused."""

from typing import Any

import orjson
import pytest

from schemas.errors import RejectError
from schemas.formats.base import Context, Memory
from schemas.formats.google_workspace import FORMAT, GoogleWorkspaceParser

TIME = "2026-03-01T08:00:00Z"
TS = 1772352000.0


def activity(app: str, *events: tuple[str, dict[str, Any]], **fields: Any) -> dict[str, Any]:
    return {
        "kind": "admin#reports#activity",
        "id": {"time": TIME, "uniqueQualifier": "-7", "applicationName": app, "customerId": "C1"},
        "actor": {"callerType": "USER", "email": "alice@example.com", "profileId": "1"},
        "ipAddress": "192.0.2.1",
        "events": [
            {"type": "x", "name": name, "parameters": [{"name": key, "value": values[key]} for key in values]} for name, values in events
        ],
        **fields,
    }


def parser() -> GoogleWorkspaceParser:
    return FORMAT.parser(Context(Memory()))


TWO = activity("login", ("login_verification", {"login_challenge_status": "passed"}), ("login_success", {}))
FLAT = activity("login", events=None, name="login_success", parameters={"login_type": "saml"})
SPLIT = activity("login", events={"name": "login_success", "parameters": [{"name": "login_type", "value": "saml"}]})
EXPORTED = {
    "time_usec": "1772352000000000",
    "record_type": "login",
    "event_name": "login_success",
    "email": "alice@example.com",
    "ip_address": "192.0.2.1",
    "unique_identifier": "u1",
    "login": {"login_type": "saml"},
}
LOGGED = {
    "insertId": "i1",
    "timestamp": TIME,
    "protoPayload": {
        "authenticationInfo": {"principalEmail": "alice@example.com"},
        "requestMetadata": {"callerIp": "192.0.2.1"},
        "serviceName": "login.googleapis.com",
        "methodName": "google.login.LoginService.loginSuccess",
        "metadata": {"event": [{"eventName": "login_success", "parameter": [{"name": "is_suspicious", "boolValue": True}]}]},
    },
}


@pytest.mark.parametrize("record", [activity("login", ("login_success", {})), FLAT, SPLIT, EXPORTED, LOGGED])
def test_every_shape_tells_the_same(record: dict[str, Any]) -> None:
    (event,) = parser().parse(orjson.dumps(record))
    assert (event.kind, event.ts, event.actor, event.ip, event.route) == (
        "auth.login",
        TS,
        "alice@example.com",
        "192.0.2.1",
        "login:login_success",
    )
    assert event.id


@pytest.mark.parametrize(
    "document",
    [{"kind": "admin#reports#activities", "items": [TWO]}, [TWO], {"records": [TWO]}, [{"items": [TWO]}]],
)
def test_several_events_of_one_activity_have_ids_of_their_own(document: Any) -> None:
    events = parser().parse(orjson.dumps(document, option=orjson.OPT_INDENT_2))
    assert [(event.kind, event.id) for event in events] == [
        ("auth.mfa_challenge", f"{TIME}/-7"),
        ("auth.login", f"{TIME}/-7-1"),
    ]


def test_flattened_events_of_one_activity_do_not_share_an_id_but_a_repeat_does() -> None:
    one_input = parser()
    other = FLAT | {"name": "logout"}
    third = FLAT | {"parameters": {"login_type": "exchange"}}
    ids = [event.id for record in (FLAT, other, third, FLAT) for event in one_input.parse(orjson.dumps(record))]
    assert len(set(ids)) == 3
    assert ids[0] == ids[3]


def test_activities_without_a_qualifier_are_told_apart_by_their_number() -> None:
    one_input = parser()
    bare = FLAT | {"id": {"time": TIME, "applicationName": "login"}}
    first, second = (event.id for _ in range(2) for event in one_input.parse(orjson.dumps(bare)))
    assert second == f"{first}-1"


def test_a_wrapper_loses_only_its_broken_activities() -> None:
    one_input = parser()
    broken = activity("login", ("login_success", {}), id={"applicationName": "login"})
    events = one_input.parse(orjson.dumps({"items": [broken, TWO, {"x": 1}]}))
    assert len(events) == 2
    assert [reason for reason, _ in one_input.partial_rejects] == ["missing_field", "unknown_shape"]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"id": "x", "kind": "auth.login"}, "unknown_shape"),
        ({"id": {"time": TIME}}, "unknown_shape"),
        (activity("login", id={"time": "?", "applicationName": "login"}), "bad_time"),
        (activity("login", events=None), "missing_field"),
        (activity("login", events=None, name=7), "bad_field"),
        (activity("login", events=[7]), "bad_field"),
        (EXPORTED | {"time_usec": "soon"}, "bad_time"),
        (EXPORTED | {"time_usec": 5}, "time_out_of_range"),
        ({"protoPayload": {"serviceName": "compute.googleapis.com"}}, "unknown_shape"),
    ],
)
def test_rejects(record: dict[str, Any], reason: str) -> None:
    with pytest.raises(RejectError) as caught:
        parser().parse(orjson.dumps(record))
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    "odd", [None, "x", 7, [7, None, {"name": 3}], {"doc_id": {"a": [1]}}, [{"name": "doc_id", "messageValue": {"parameter": 7}}]]
)
def test_parameters_of_any_shape_lose_only_what_they_would_tell(odd: Any) -> None:
    (event,) = parser().parse(orjson.dumps(activity("drive", events={"name": "download", "parameters": odd})))
    assert (event.kind, event.target) == ("data.export", None)
