"""Who gets an alert."""

from typing import Any

import pytest

from monitor.alerts.route import Router, check
from monitor.settings_delivery import Route
from schemas.alert import Entity
from schemas.errors import ConfigurationError
from tests.deliveries import alert


def routes(*given: dict[str, Any]) -> list[Route]:
    return [Route.model_validate(each) for each in given]


ALERT = alert("a", severity="high", tenant="acme", detector="password_spray", entity=Entity("ip", "192.0.2.7"))


@pytest.mark.parametrize(
    ("match", "is_for_it"),
    [
        ({}, True),
        ({"severity": "high"}, True),
        ({"severity": "low"}, True),
        ({"severity": "critical"}, False),
        ({"detectors": ["mfa_fatigue", "password_spray"]}, True),
        ({"detectors": ["mfa_fatigue"]}, False),
        ({"tenants": ["ac*"]}, True),
        ({"tenants": ["other"]}, False),
        ({"entity_types": ["ip"]}, True),
        ({"entity_types": ["actor", "session"]}, False),
        ({"entities": ["192.0.2.0/24"]}, True),
        ({"entities": ["198.51.100.0/24", "192.0.2.?"]}, True),
        ({"entities": ["198.51.100.0/24"]}, False),
        ({"severity": "high", "tenants": ["other"]}, False),
    ],
)
def test_a_route_is_for_alerts_that_fit_everything_given(match: dict[str, Any], is_for_it: bool) -> None:  # noqa: FBT001 - a table
    router = Router(routes({"match": match, "sinks": ["x"]}))
    assert (router.to("x", ALERT) is not None) is is_for_it


def test_without_routes_every_sink_gets_everything() -> None:
    assert Router([]).to("any", ALERT) is not None


def test_an_alert_that_fits_no_route_goes_to_no_one() -> None:
    assert Router(routes({"match": {"severity": "critical"}, "sinks": ["x"]})).to("x", ALERT) is None


def test_the_first_match_decides_unless_it_says_continue() -> None:
    given = routes(
        {"match": {"severity": "low"}, "sinks": ["log"], "continue": True},
        {"match": {"severity": "high"}, "sinks": ["pager"], "group_wait_s": 0},
        {"sinks": ["chat", "pager"]},
    )
    router = Router(given)
    assert [sink for sink in ("log", "pager", "chat") if router.to(sink, ALERT)] == ["log", "pager"]
    low = alert("b", severity="low")
    assert [sink for sink in ("log", "pager", "chat") if router.to(sink, low)] == ["log", "pager", "chat"]
    assert router.to("pager", ALERT) is given[1]


def test_a_route_without_sinks_silences() -> None:
    router = Router(routes({"match": {"tenants": ["acme"]}, "sinks": []}, {"sinks": ["x"]}))
    assert router.to("x", ALERT) is None
    assert router.to("x", alert("b")) is not None


def test_wrong_routes_are_named_with_the_cure() -> None:
    given = routes({"match": {"severity": "high"}, "sinks": ["chta"]}, {"sinks": ["chat"]}, {"sinks": ["log"]})
    with pytest.raises(ConfigurationError) as caught:
        check(given, {"chat", "log"})
    assert str(caught.value).splitlines() == [
        "routes.0.sinks: no sink is named 'chta'; use one of chat, log",
        "routes.2: is never reached, because routes.1 takes every alert; put it before that one, or give that one `continue: true`",
    ]
    with pytest.raises(ConfigurationError, match="add it to `sinks`"):
        check(given[:1], ())


def test_good_routes_pass() -> None:
    check(
        routes({"sinks": ["log"], "continue": True}, {"match": {"severity": "high"}, "sinks": ["chat"]}, {"sinks": ["log"]}),
        {"chat", "log"},
    )
