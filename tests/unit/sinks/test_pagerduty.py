import asyncio
import json
from typing import Any

import pytest

from monitor.notification import Notification, RefusedError
from monitor.sinks.pagerduty import MAX_EVENT_BYTES, fitted
from tests.fake_services import ROUTING_KEY, FakeServices
from tests.sink_cases import alert, hostile, notification, sink


def sent(fake: FakeServices, *notifications: Notification, **settings: Any) -> list[dict[str, Any]]:
    async def run() -> None:
        made = sink("pagerduty", fake, **settings)
        try:
            for each in notifications:
                await made.send(each)
        finally:
            await made.close()

    asyncio.run(run())
    return [request.json for request in fake.of("pagerduty")]


def test_an_incident_is_triggered_updated_and_resolved_under_one_key() -> None:
    with FakeServices() as fake:
        events = sent(
            fake,
            notification(alert()),
            notification(alert(version=2, severity="critical"), reason="update"),
            notification(alert(version=3, status="resolved"), reason="resolved", status="resolved"),
        )

        assert [event["event_action"] for event in events] == ["trigger", "trigger", "resolve"]
        assert {event["dedup_key"] for event in events} == {"incident:0123456789abcdef"}
        assert events[2] == {"routing_key": ROUTING_KEY, "event_action": "resolve", "dedup_key": "incident:0123456789abcdef"}
        assert fake.pagerduty == {}


def test_what_a_responder_sees() -> None:
    with FakeServices() as fake:
        (event,) = sent(fake, notification(alert(), alert(2, "root", severity="high")))

    assert event == {
        "routing_key": ROUTING_KEY,
        "event_action": "trigger",
        "dedup_key": "incident:0123456789abcdef",
        "client": "watchfloor",
        "links": [{"href": "https://runbooks.example.com/failed_login_burst.md", "text": "Runbook"}],
        "payload": {
            "summary": "Burst of failed logins: 203.0.113.9: 37 failed logins of 203.0.113.9 in 10 min. (and 1 more alert)",
            "source": "203.0.113.9",
            "severity": "error",
            "component": "ip",
            "group": "acme",
            "class": "failed_login_burst",
            "timestamp": "2026-03-03T00:01:20.000Z",
            "custom_details": {
                "summary": "37 failed logins of 203.0.113.9 in 10 min.",
                "counterfactual": "silent with fewer than 20 failures in 10 min",
                "facts": {"failures": 37, "window_s": 600},
                "count": 37,
                "first_seen": "2026-03-03T00:01:00.000Z",
                "last_seen": "2026-03-03T00:06:00.000Z",
                "attack": "T1110.001",
                "alert": "id00001",
                "version": 1,
                "incident": "incident00001",
                "runbook": "https://runbooks.example.com/failed_login_burst.md",
                "evidence": ["e1", "e2"],
                "related": ["Burst of failed logins: root (high, 37 events)"],
            },
        },
    }


@pytest.mark.parametrize(
    ("severity", "expected"), [("critical", "critical"), ("high", "error"), ("medium", "warning"), ("low", "info"), ("info", "info")]
)
def test_severities(severity: str, expected: str) -> None:
    with FakeServices() as fake:
        (event,) = sent(fake, notification(alert(severity=severity)))

    assert event["payload"]["severity"] == expected


def test_a_severity_can_be_mapped_otherwise_and_the_rest_stays() -> None:
    with FakeServices() as fake:
        events = sent(
            fake,
            notification(alert(severity="high")),
            notification(alert(severity="medium")),
            severities={"high": "critical"},
        )

    assert [event["payload"]["severity"] for event in events] == ["critical", "warning"]


def test_a_test_opens_and_closes() -> None:
    with FakeServices() as fake:
        events = sent(fake, notification(alert(status="resolved", severity="info"), reason="test", status="resolved"))

        assert [event["event_action"] for event in events] == ["trigger", "resolve"]
        assert events[0]["payload"]["summary"].startswith("Test: ")
        assert fake.pagerduty == {}


def test_a_storm_says_how_many() -> None:
    with FakeServices() as fake:
        (event,) = sent(fake, notification(alert(severity="low"), reason="storm", suppressed=1_200))

    assert event["payload"]["summary"] == "Alert storm: 1,200 further incidents began; this event stands for all of them"


def test_a_long_summary_still_says_how_many_alerts_there_are() -> None:
    with FakeServices() as fake:
        (event,) = sent(fake, notification(alert(summary="s" * 5_000), alert(2), alert(3)))

    assert len(event["payload"]["summary"]) == 1_024
    assert event["payload"]["summary"].endswith("…" + " (and 2 more alerts)")


def test_too_many_facts_are_cut_before_they_are_too_much() -> None:
    facts: dict[str, Any] = {f"fact{number}": "😀" * 10_000 for number in range(1_000)}
    with FakeServices() as fake:
        (event,) = sent(fake, notification(alert(facts=facts), *(hostile("<" * 10_000, n) for n in range(2, 50))))

    assert len(event["payload"]["custom_details"]["facts"]) == 50


def test_what_is_too_large_loses_its_details_first_and_then_its_length() -> None:
    event = {
        "routing_key": ROUTING_KEY,
        "payload": {"summary": "s" * 1_024, "source": "x", "severity": "info", "custom_details": {"a": "x" * MAX_EVENT_BYTES}},
    }

    without = json.loads(fitted(event))
    assert without["payload"]["summary"] == "s" * 1_024
    assert without["payload"]["custom_details"] == {"left_out": "the details were too large; see the alert itself"}

    event["payload"] = {**json.loads(fitted(event))["payload"], "group": "g" * MAX_EVENT_BYTES}
    assert len(fitted(event)) < 2_000


def test_a_key_that_pagerduty_does_not_know_is_refused() -> None:
    async def run(fake: FakeServices) -> None:
        made = sink("pagerduty", fake, routing_key="0" * 32)
        try:
            with pytest.raises(RefusedError) as caught:
                await made.send(notification(alert()))
        finally:
            await made.close()
        assert "0" * 32 not in str(caught.value)

    with FakeServices() as fake:
        asyncio.run(run(fake))


def test_its_limit_is_answered_with_a_429() -> None:
    async def run(fake: FakeServices) -> list[str]:
        made = sink("pagerduty", fake)
        said = []
        try:
            for _ in range(4):
                try:
                    await made.send(notification(alert()))
                    said.append("taken")
                except Exception as exc:  # noqa: BLE001 - its kind is what is tested
                    said.append(type(exc).__name__)
        finally:
            await made.close()
        return said

    with FakeServices(limit_per_minute={"pagerduty": 2}) as fake:
        assert asyncio.run(run(fake)) == ["taken", "taken", "UnreachableError", "UnreachableError"]
