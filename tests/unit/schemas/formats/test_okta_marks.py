"""What Okta says of a request beside the event itself: its risk, the network and the device."""

from typing import Any

import orjson
import pytest

from schemas.event import Event
from schemas.formats.base import Context, Memory
from schemas.formats.okta import FORMAT


def one(**fields: Any) -> Event:
    record = {"uuid": "u1", "published": "2026-03-01T08:00:00Z", "eventType": "user.session.start", "outcome": {"result": "SUCCESS"}}
    (event,) = FORMAT.parser(Context(Memory())).parse(orjson.dumps(record | fields))
    return event


def debug(**data: Any) -> dict[str, Any]:
    return {"debugContext": {"debugData": data}}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (debug(threatSuspected="true"), "high"),
        (debug(threatSuspected="false"), None),
        (debug(risk="{level=LOW}"), "low"),
        (debug(Risk="{previousLevel=LOW, level=HIGH, issuer=OKTA}"), "high"),
        (debug(logOnlySecurityData='{"risk":{"level":"MEDIUM"},"behaviors":{"New Device":"POSITIVE"}}'), "medium"),
        (debug(logOnlySecurityData={"risk": {"level": "LOW"}}), "low"),
        (debug(behaviors="{New Device=POSITIVE, New IP=POSITIVE, Velocity=NEGATIVE}"), "medium"),
        (debug(behaviors="{New Device=POSITIVE, New IP=NEGATIVE, Velocity=NEGATIVE}"), None),
        (debug(behaviors=["Velocity=POSITIVE"]), "medium"),
        ({"securityContext": {"risk": {"level": "HIGH"}}}, "high"),
        ({"debugContext": {"debugData": ""}}, None),
        ({"debugContext": None}, None),
    ],
)
def test_oktas_own_judgement_is_kept(fields: dict[str, Any], expected: str | None) -> None:
    assert one(**fields).risk == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"securityContext": {"isProxy": True}}, "vpn"),
        ({"securityContext": {"isProxy": "true"}}, "vpn"),
        ({"securityContext": {"isProxy": False}}, None),
        (debug(tunnels='[{"anonymous":true,"operator":"EXAMPLE_VPN","type":"VPN"}]'), "vpn"),
        (debug(tunnels='[{"anonymous":true,"operator":"EXAMPLE_PRIVATE_RELAY","type":"PROXY"}]'), "relay"),
        (debug(tunnels=[{"operator": "EXAMPLE_VPN"}]), "vpn"),
        (debug(tunnels="[]"), None),
    ],
)
def test_anonymising_networks_are_told(fields: dict[str, Any], expected: str | None) -> None:
    assert one(**fields).network == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (debug(dtHash="dt1", deviceFingerprint="fp1"), "dt1"),
        (debug(deviceFingerprint="fp1"), "fp1"),
        ({"debugContext": {"debugData": '{"dtHash":"dt1"}'}}, "dt1"),
        ({"device": {"id": "guo1"}}, "guo1"),
        (debug(dtHash=""), None),
    ],
)
def test_the_device_is_told(fields: dict[str, Any], expected: str | None) -> None:
    assert one(**fields).device_id == expected
