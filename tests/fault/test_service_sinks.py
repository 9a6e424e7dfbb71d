"""Whatever a sink does, the service says everything once: the same alerts as `replay`, and the metrics tell how it went."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fake_services import (
    BEARER,
    BOT_TOKEN,
    HOOK_PATH,
    HOOK_QUERY,
    HOST,
    ROUTING_KEY,
    SIGNING_SECRET,
    WEBHOOK_PATH,
    FakeServices,
    Fault,
    Service,
)
from tests.receiver import address, receiving
from tests.service import T0, Process, append, attacks, expected_of, free_port, reading, service, until, webhook

SOON = {"first_s": 0.1, "max_s": 0.2}


@pytest.fixture
def fake() -> Iterator[FakeServices]:
    with FakeServices() as services:
        yield services


def signed(fake: FakeServices, **more: Any) -> dict[str, Any]:
    """The webhook of the fake services, which wants to see a signature."""
    url = fake.url(f"{HOOK_PATH}?{HOOK_QUERY}", "127.0.0.1")
    return webhook(url, secret=SIGNING_SECRET, ca_file=str(fake.ca_file), **more)


def versions(fake: FakeServices, name: Service = "webhook") -> list[tuple[str, int]]:
    """(alert id, version) of all that was taken."""
    return [(request.json["id"], request.json["version"]) for request in fake.of(name)]


def ids(fake: FakeServices) -> set[str]:
    return {alert_id for alert_id, _ in versions(fake)}


def is_settled(process: Process, sink: str = "soc") -> bool:
    """Whether the metrics say that nothing waits for a sink, and that it is well."""
    return (
        process.metric("outbox_pending", sink=sink) == 0
        and process.metric("outbox_oldest_seconds", sink=sink) == 0
        and process.metric("sink_breaker_open", sink=sink) == 0
    )


def test_a_sink_that_is_down_from_the_start_gets_everything_when_it_comes_back(tmp_path: Path) -> None:
    records = attacks(6)
    expected = expected_of(tmp_path, records)
    append(tmp_path / "in.jsonl", records)
    port = free_port()
    sink = webhook(address(port), breaker={"failures": 3, "probe_s": 1})
    with service(reading(tmp_path, {"soc": sink}), tmp_path / "run") as process:
        assert process.said("sink soc counts as down after 3 failures in a row")
        assert until(lambda: process.metric("sink_breaker_open", sink="soc") == 1, 5)
        assert until(lambda: process.metric("deliveries_total", sink="soc", result="unreachable") >= 3, 5)
        assert until(lambda: process.metric("deliveries_total", sink="soc", result="sent") == 0, 5)
        assert process.metric("outbox_pending", sink="soc") >= 1
        assert process.metric("outbox_oldest_seconds", sink="soc") > 0
        assert process.get("/readyz").status == 503
        assert process.checks()["sink soc"] == {
            "ok": False,
            "why": "sinks.soc.url: no connection; see whether host and port are right, and whether a firewall is between",
        }
        assert process.get("/healthz").status == 200
        with receiving(port) as receiver:
            assert until(lambda: receiver.ids >= expected)
            assert until(lambda: is_settled(process))
            assert process.said("sink soc answers again")
            assert process.get("/readyz").status == 200
            assert until(lambda: process.metric("deliveries_total", sink="soc", result="sent") == len(receiver.received), 5)
            assert process.stop() == 0
    assert receiver.ids == expected
    assert receiver.repeated == 0


def test_troubles_of_every_kind_lose_and_repeat_nothing(tmp_path: Path, fake: FakeServices) -> None:
    records = attacks(6)
    expected = expected_of(tmp_path, records)
    append(tmp_path / "in.jsonl", records)
    troubles = [Fault(status=500, body=b"<html>oops"), Fault(garbage=True), Fault(close="at once"), Fault(status=503), Fault(status=403)]
    # These have answered that they took it before they went wrong.
    taken = [Fault(close="mid-body"), Fault(huge=1_000_000)]
    fake.fail(*troubles, *taken, service="webhook")
    with service(reading(tmp_path, {"soc": signed(fake, breaker={"failures": 9})}), tmp_path / "run") as process:
        assert until(lambda: ids(fake) >= expected)
        assert until(lambda: is_settled(process))
        assert until(lambda: process.metric("deliveries_total", sink="soc", result="unreachable") == len(troubles), 5)
        assert until(lambda: process.metric("deliveries_total", sink="soc", result="sent") == len(versions(fake)), 5)
        assert until(lambda: process.metric("dead_letters_total", sink="soc") == 0, 5)
        assert process.get("/readyz").status == 200
        assert process.stop() == 0
    assert ids(fake) == expected
    assert len(versions(fake)) == len(set(versions(fake)))
    assert fake.complaints == []


def test_what_a_slow_sink_took_too_late_is_sent_again_and_nothing_else(tmp_path: Path, fake: FakeServices) -> None:
    records = attacks(4)
    expected = expected_of(tmp_path, records)
    append(tmp_path / "in.jsonl", records)
    fake.fail(Fault(wait_s=1.0), Fault(wait_s=1.0), service="webhook")
    with service(reading(tmp_path, {"soc": signed(fake, timeout_s=0.4)}), tmp_path / "run") as process:
        assert until(lambda: ids(fake) >= expected)
        assert until(lambda: is_settled(process))
        assert until(lambda: process.metric("deliveries_total", sink="soc", result="unreachable") == 2, 5)
        assert "no answer within 0.4 s" in process.text()
        assert process.stop() == 0
    assert ids(fake) == expected
    assert len(versions(fake)) - len(set(versions(fake))) <= 2


def test_nothing_is_sent_before_the_time_a_sink_asks_to_wait(tmp_path: Path) -> None:
    records = attacks(3)
    expected = expected_of(tmp_path, records)
    append(tmp_path / "in.jsonl", records)
    with receiving() as receiver:
        receiver.answers = [(429, {"Retry-After": "2"}), (503, {"Retry-After": "1"})]
        with service(reading(tmp_path, {"soc": webhook(receiver.url)}), tmp_path / "run") as process:
            assert until(lambda: receiver.ids >= expected)
            assert process.stop() == 0
    first, second, third, *_ = receiver.asked_at
    assert 2.0 <= second - first < 3.0
    assert 1.0 <= third - second < 2.0
    assert receiver.ids == expected
    assert receiver.repeated == 0


def test_a_refused_message_is_kept_aside_and_the_others_go_on(tmp_path: Path) -> None:
    records = attacks(4)
    expected = expected_of(tmp_path, records)
    append(tmp_path / "in.jsonl", records)
    with receiving() as receiver:
        receiver.answers = [(400, {})]
        with service(reading(tmp_path, {"soc": webhook(receiver.url)}), tmp_path / "run") as process:
            assert until(lambda: len(receiver.asked_at) > 1 and is_settled(process))
            assert until(lambda: process.metric("deliveries_total", sink="soc", result="refused") == 1, 5)
            assert until(lambda: process.metric("dead_letters_total", sink="soc") == 1, 5)
            assert "sinks.soc.url: the message was refused (status 400)" in process.text()
            assert process.stop() == 0
    assert len(expected - receiver.ids) <= 1
    assert receiver.ids <= expected
    assert receiver.repeated == 0


def test_a_dead_and_a_slow_sink_do_not_delay_the_others(tmp_path: Path) -> None:
    records = attacks(8)
    expected = expected_of(tmp_path, records)
    port = free_port()
    with receiving() as fast, receiving() as slow:
        slow.delay_s = 0.5
        sinks = {
            "dead": webhook(address(port)),
            "slow": webhook(slow.url),
            "fast": webhook(fast.url),
            "file": {"type": "file", "path": str(tmp_path / "alerts.jsonl")},
        }
        config = reading(tmp_path, sinks)
        with service(config, tmp_path / "first") as process:
            assert until(lambda: process.ready)
            began = time.monotonic()
            append(tmp_path / "in.jsonl", records)
            assert until(lambda: fast.ids >= expected, 10)
            assert time.monotonic() - began < 4
            assert len(slow.received) < len(fast.received) / 2
            assert until(lambda: is_settled(process, "fast"))
            assert until(lambda: is_settled(process, "file"))
            checks = process.checks()
            assert [name for name, check in checks.items() if not check["ok"]] in ([], ["sink dead"])
            assert until(lambda: not process.checks()["sink dead"]["ok"])
            assert process.stop() == 0
            assert "not everything could be sent in service.drain_s" in process.text()
        slow.delay_s = 0.0
        with receiving(port) as dead, service(config, tmp_path / "second") as process:
            assert until(lambda: dead.ids >= expected)
            assert until(lambda: slow.ids >= expected)
            assert until(lambda: is_settled(process, "dead"))
            assert process.stop() == 0
        assert dead.received == fast.received
        assert [fast.repeated, slow.repeated, dead.repeated] == [0, 1, 0] or [fast.repeated, slow.repeated, dead.repeated] == [0, 0, 0]
    in_file = [(alert["id"], alert["version"]) for alert in map(json.loads, (tmp_path / "alerts.jsonl").read_bytes().splitlines())]
    assert in_file == fast.received


# -- what arrives ---------------------------------------------------------------------------------------------------------------------


def everywhere(fake: FakeServices) -> dict[str, Any]:
    """A sink of each kind that the fake services play. ``example.com`` in it stands for this machine."""
    here = {"allow_private": True, "ca_file": str(fake.ca_file), "retry": SOON}
    quick = {**here, "group_wait_s": 0.3, "group_interval_s": 1, "rate": None}
    return {
        "bot": {"type": "slack", "bot_token": BOT_TOKEN, "channel": "#soc", "api_url": fake.url("/api", "127.0.0.1"), **quick},
        "channel": {"type": "slack", "webhook_url": fake.url(WEBHOOK_PATH, "127.0.0.1"), **quick},
        "pager": {"type": "pagerduty", "routing_key": ROUTING_KEY, "url": fake.url("/v2/enqueue", "127.0.0.1"), **quick},
        "metrics": {
            "type": "alertmanager",
            "url": fake.url("", "127.0.0.1"),
            "bearer_token": BEARER,
            "ca_file": str(fake.ca_file),
            "refresh_s": 1,
            "retry": SOON,
        },
    }


def hours_later() -> bytes:
    return json.dumps({"id": "last", "time": T0 + 50_000, "kind": "api.request", "outcome": "success", "actor": "last"}).encode()


def test_an_attack_is_seen_to_begin_go_on_and_end_by_everybody(tmp_path: Path, fake: FakeServices) -> None:
    records = attacks(2)
    config = reading(tmp_path, everywhere(fake))
    append(tmp_path / "in.jsonl", records[:40])
    pager: list[dict[str, Any]] = []

    def told(action: str) -> set[str]:
        pager[:] = [request.json for request in fake.of("pagerduty")]
        return {event["dedup_key"] for event in pager if event["event_action"] == action}

    with service(config, tmp_path / "run") as process:
        assert until(lambda: bool(fake.slack.messages) and bool(told("trigger")) and bool(fake.alertmanager))
        append(tmp_path / "in.jsonl", records[40:])
        assert until(lambda: fake.slack.edits >= 1)
        append(tmp_path / "in.jsonl", [hours_later()])
        assert until(lambda: bool(told("trigger")) and told("trigger") == told("resolve"))
        assert until(lambda: all(is_settled(process, name) for name in config["sinks"]))
        assert process.stop() == 0
    incidents = told("trigger")
    assert fake.complaints == []
    # The app has one message for each incident, which says at last that it is over.
    by_app = {ts: message for ts, message in fake.slack.messages.items() if "channel" in message}
    assert len(by_app) == len(incidents)
    assert all("esolved" in json.dumps(message) for message in by_app.values())
    # PagerDuty has no incident open, and was told of each to begin first and to end last.
    assert fake.pagerduty == {}
    for key in incidents:
        actions = [event["event_action"] for event in pager if event["dedup_key"] == key]
        assert actions == ["trigger"] * (len(actions) - 1) + ["resolve"]
    assert any(len([event for event in pager if event["dedup_key"] == key]) > 2 for key in incidents), "no incident was updated"
    # Alertmanager knows every alert, each one as ended.
    expected = expected_of(tmp_path, [*records, hours_later()])
    assert len(fake.alertmanager) == len(expected)


def test_services_under_their_limits_get_everything_in_the_end(tmp_path: Path) -> None:
    """Slack takes few messages a minute: what it does not take is tried again, and others do not wait for it."""
    records = attacks(5)
    expected = expected_of(tmp_path, records)
    append(tmp_path / "in.jsonl", records)
    with FakeServices(limit_per_minute={"slack_api": 2}) as fake:
        sinks = {name: sink for name, sink in everywhere(fake).items() if name in {"bot", "metrics"}} | {"soc": signed(fake)}
        with service(reading(tmp_path, sinks), tmp_path / "run") as process:
            assert until(lambda: ids(fake) >= expected)
            assert process.said("sink bot: sinks.bot.api_url: the other side asks to send less often (status 429)")
            assert until(lambda: process.metric("outbox_pending", sink="bot") >= 1, 5)
            assert until(lambda: process.metric("deliveries_total", sink="bot", result="sent") == 2, 5)
            assert process.stop() == 0
        assert len(fake.of("slack_api")) == 2
        assert ids(fake) == expected


def test_a_certificate_of_nobody_known_is_a_trouble_that_is_said(tmp_path: Path, fake: FakeServices) -> None:
    append(tmp_path / "in.jsonl", attacks(1))
    sink = {name: value for name, value in signed(fake).items() if name != "ca_file"}
    with service(reading(tmp_path, {"soc": sink}), tmp_path / "run") as process:
        assert process.said("sink soc: sinks.soc.url: its certificate is signed by nobody known; set sinks.soc.ca_file")
        assert process.stop() == 0
    assert fake.of("webhook") == []
    assert HOST not in process.text()
