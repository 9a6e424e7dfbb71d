import asyncio
from datetime import datetime
from typing import Any

import pytest

from monitor.notification import Notification
from monitor.sinks.alertmanager import labels_of
from schemas.alert import Alert, Entity
from tests.fake_services import FakeServices
from tests.sink_cases import alert, notification, sink

NOW = 1_772_496_600.0
"""2026-03-03T00:10:00Z, four minutes after the last event of the usual alert."""


def posted(fake: FakeServices, *sent: tuple[float, Notification], **settings: Any) -> list[list[dict[str, Any]]]:
    """What arrives of each, each sent so many seconds after ``NOW``."""
    time = [NOW]

    async def run() -> None:
        made = sink("alertmanager", fake, options={"wall": lambda: time[0]}, **settings)
        try:
            for after_s, each in sent:
                time[0] = NOW + after_s
                await made.send(each)
        finally:
            await made.close()

    asyncio.run(run())
    assert fake.complaints == []
    return [request.json for request in fake.of("alertmanager")]


def over(made: Alert) -> Alert:
    return alert(int(made.id[2:]), severity=made.severity, status="resolved")


def test_a_firing_alert_has_a_lease() -> None:
    with FakeServices() as fake:
        ((made,),) = posted(fake, (0, notification(alert())), refresh_s=60)

    assert made == {
        "labels": {
            "alertname": "Burst of failed logins",
            "detector": "failed_login_burst",
            "severity": "medium",
            "tenant": "acme",
            "entity_type": "ip",
            "entity": "203.0.113.9",
        },
        "annotations": {
            "summary": "Burst of failed logins: 203.0.113.9",
            "description": "37 failed logins of 203.0.113.9 in 10 min.",
            "counterfactual": "silent with fewer than 20 failures in 10 min",
            "runbook_url": "https://runbooks.example.com/failed_login_burst.md",
            "events": "37",
            "first_seen": "2026-03-03T00:01:00.000Z",
            "last_seen": "2026-03-03T00:06:00.000Z",
            "attack": "T1110.001",
            "alert_id": "id00001",
            "incident": "incident00001",
        },
        "startsAt": "2026-03-03T00:01:20.000Z",
        "endsAt": "2026-03-03T00:13:00.000Z",  # three times 60 s from now
    }


def test_a_resolved_alert_ended_with_its_last_event() -> None:
    with FakeServices() as fake:
        ((made,),) = posted(fake, (0, notification(alert(status="resolved"))))

    assert made["endsAt"] == "2026-03-03T00:06:00.000Z"


@pytest.mark.parametrize("status", ["firing", "resolved"])
def test_events_ahead_of_this_clock_make_no_alert_that_ends_before_it_starts(status: str) -> None:
    ahead = "2026-03-04T00:00:00.000Z"
    with FakeServices() as fake:
        ((made,),) = posted(fake, (0, notification(alert(status=status, time=ahead, last_seen=ahead))))

    starts, ends = datetime.fromisoformat(made["startsAt"]), datetime.fromisoformat(made["endsAt"])
    assert starts.timestamp() == NOW
    assert (ends > starts) == (status == "firing")


def test_labels_stay_the_same_while_the_attack_goes_on() -> None:
    later = alert(version=9, count=5_000, last_seen="2026-03-03T09:00:00.000Z", summary="other", incident="other", facts={})

    assert labels_of(later) == labels_of(alert())


def test_a_label_without_a_value_is_left_out() -> None:
    assert set(labels_of(alert(tenant=None, entity=Entity("tenant", "")))) == {"alertname", "detector", "severity", "entity_type"}


def test_when_the_severity_rises_the_lower_one_is_resolved_for_five_minutes() -> None:
    low, high = alert(), alert(severity="critical")
    with FakeServices() as fake:
        requests = posted(fake, *((after_s, notification(each)) for after_s, each in ((0, low), (60, high), (180, high), (360, high))))

    assert [[(made["labels"]["severity"], made["endsAt"]) for made in each] for each in requests] == [
        [("medium", "2026-03-03T00:13:00.000Z")],
        [("medium", "2026-03-03T00:11:00.000Z"), ("critical", "2026-03-03T00:14:00.000Z")],
        [("medium", "2026-03-03T00:11:00.000Z"), ("critical", "2026-03-03T00:16:00.000Z")],
        [("critical", "2026-03-03T00:19:00.000Z")],
    ]


def test_a_former_severity_does_not_end_another_alert_that_has_it() -> None:
    """Two journeys of one account: the first becomes critical while the second fires as the first did."""
    with FakeServices() as fake:
        requests = posted(
            fake,
            (0, notification(alert(1))),
            (60, notification(alert(1, severity="critical"), alert(2))),
        )

    assert [(made["labels"]["severity"], made["endsAt"]) for made in requests[1]] == [
        ("critical", "2026-03-03T00:14:00.000Z"),
        ("medium", "2026-03-03T00:14:00.000Z"),
    ]


def test_the_end_of_one_alert_does_not_end_another_with_the_same_labels() -> None:
    first, second = alert(1, status="resolved"), alert(2, time="2026-03-03T00:08:00.000Z", last_seen="2026-03-03T00:09:00.000Z")
    for order in ((first, second), (second, first)):
        with FakeServices() as fake:
            (made,) = posted(fake, (0, notification(*order)))

        assert [(each["annotations"]["alert_id"], each["endsAt"]) for each in made] == [("id00002", "2026-03-03T00:13:00.000Z")]


def test_two_that_fire_with_the_same_labels_fire_since_the_first_and_say_the_last() -> None:
    with FakeServices() as fake:
        (made,) = posted(fake, (0, notification(alert(1), alert(2, time="2026-03-03T00:08:00.000Z", last_seen="2026-03-03T00:09:00.000Z"))))

    assert [(each["annotations"]["alert_id"], each["startsAt"]) for each in made] == [("id00002", "2026-03-03T00:01:20.000Z")]


def test_a_test_ends_by_itself_in_a_minute() -> None:
    with FakeServices() as fake:
        ((made,),) = posted(fake, (0, notification(alert(status="resolved"), reason="test", status="resolved")))

    assert made["endsAt"] == "2026-03-03T00:11:00.000Z"


def test_nothing_to_say_is_not_sent() -> None:
    with FakeServices() as fake:
        assert posted(fake, (0, notification())) == []


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"bearer_token": None}, None),
        ({"bearer_token": None, "username": "ada", "password": "pw"}, "Basic YWRhOnB3"),
        ({"bearer_token": "abc"}, "Bearer abc"),
    ],
)
def test_credentials(settings: dict[str, Any], expected: str | None) -> None:
    async def run(fake: FakeServices) -> str | None:
        made = sink("alertmanager", fake, **settings)
        try:
            await made.send(notification(alert()))
        except Exception:  # noqa: BLE001 - the fake knows another token; what was sent is what is tested
            pass
        finally:
            await made.close()
        return fake.seen[-1].headers.get("authorization")

    with FakeServices() as fake:
        assert asyncio.run(run(fake)) == expected
