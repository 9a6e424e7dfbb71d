"""The made-up world as other logs tell of it: read back, it is the same."""

import pytest

from monitor.simulate.formats import FORMAT_NAMES, KNOWN_TO, Sshd, web_access
from monitor.simulate.world import Scenario, WorldSettings
from monitor.simulating import stream
from schemas.errors import ConfigurationError
from schemas.event import Event
from schemas.formats import FORMATS, detect
from schemas.formats.base import Context, Memory
from tests.unit.monitor.simulate.world_cases import one

LOGIN = {
    "id": "e1",
    "time": 86_400.5,
    "kind": "auth.login",
    "outcome": "failure",
    "tenant": "acme",
    "actor": "bob",
    "ip": "192.0.2.7",
    "user_agent": "curl/8",
}


def read(records: list[bytes], name: str) -> list[Event]:
    parser = FORMATS[name].parser(Context(Memory()))
    return [event for record in records for event in parser.parse(record)]


def told(settings: WorldSettings, name: str) -> list[tuple[float, bytes]]:
    return list(stream(settings, None, name)[1])


def test_a_login_as_sshd_tells_of_it() -> None:
    write = Sshd().line
    assert write(LOGIN) == b"1970-01-02T00:00:00.500Z acme-gw sshd[1000]: Failed password for bob from 192.0.2.7 port 35463 ssh2"
    invalid = write({**LOGIN, "reason": "unknown_user"})
    assert invalid is not None
    assert b"sshd[1001]: Failed password for invalid user bob from" in invalid
    assert write({**LOGIN, "kind": "api.request"}) is None


def test_a_login_and_a_request_as_a_web_server_tells_of_them() -> None:
    assert web_access({**LOGIN, "bytes": 20}) == (
        b'192.0.2.7 - bob [02/Jan/1970:00:00:00 +0000] "POST /login HTTP/1.1" 401 20 "-" "curl/8"'
    )
    request = {**LOGIN, "kind": "api.request", "method": "GET", "path": "/v1/me", "status": 200, "bytes": 20}
    assert web_access(request) == b'192.0.2.7 - bob [02/Jan/1970:00:00:00 +0000] "GET /v1/me HTTP/1.1" 200 20 "-" "curl/8"'
    assert web_access({**LOGIN, "kind": "data.query"}) is None


@pytest.mark.parametrize("name", ["sshd", "web_access"])
def test_what_is_read_back_is_what_happened(name: str) -> None:
    native = [
        event
        for event in read([record for _, record in told(one("password_spray"), "native")], "native")
        if event.kind == "auth.login" and (name == "sshd" or event.outcome == "failure")
    ]
    other = [event for event in read([record for _, record in told(one("password_spray"), name)], name) if event.kind == "auth.login"]
    assert [(event.actor, event.ip, event.outcome, int(event.ts)) for event in other] == [
        (event.actor, event.ip, event.outcome, int(event.ts)) for event in native
    ]


@pytest.mark.parametrize("name", ["sshd", "web_access"])
def test_the_format_is_recognised(name: str) -> None:
    lines = [record for _, record in told(one("password_spray"), name)][:200]
    assert detect(b"\n".join(lines) + b"\n")[0] == name


@pytest.mark.parametrize("name", FORMAT_NAMES)
def test_the_truth_names_detectors_that_have_a_chance(name: str) -> None:
    scenarios = (Scenario(name="campaign"), Scenario(name="mfa_fatigue"))
    campaign, fatigue = stream(WorldSettings(hours=48, users=40, scenarios=scenarios), None, name)[0]
    assert set(campaign.detectors) <= set(KNOWN_TO.get(name, campaign.detectors))
    assert "password_spray" in campaign.detectors
    assert fatigue.detectors == (("mfa_fatigue",) if name == "native" else ())


def test_a_format_there_is_not_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="--format: there is no evtx to write; use native, sshd, web_access"):
        stream(WorldSettings(), None, "evtx")
