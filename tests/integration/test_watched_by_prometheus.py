"""The service on a real Kafka, watched by a real Prometheus, delivering to a real Alertmanager: one run of it, then killed."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas.alert import Alert
from tests.commands import last_versions, read_alerts, replayed
from tests.kafka_broker import Broker, unique
from tests.prometheus_tools import (
    REPOSITORY,
    RULES,
    PrometheusTools,
    ask,
    get_json,
    queries,
    returns_data,
    rules,
    running_alertmanager,
    running_prometheus,
    said,
    tools_or_leave_out,
)
from tests.receiver import Receiver, receiving
from tests.service import Process, append, attacks, service, until

PROMETHEUS = REPOSITORY / "deploy" / "prometheus" / "prometheus.yml"
ALERTMANAGER = REPOSITORY / "deploy" / "alertmanager" / "alertmanager.yml"
TOKEN = "a-token-of-this-test"
PARTITIONS = 4
SINKS = ("alertmanager", "soc", "archive")
DETECTORS = {"failed_login_burst": {"by_actor": {"quiet_s": 60}}}
"""Attacks on an account are over within the run, those of an address go on for an hour."""
BAD = [b"no json", b'{"time": 1}', b"[]"]

# It needs both. What of them is missing is skipped by the fixture that asks for it.
pytestmark = [pytest.mark.kafka, pytest.mark.prometheus]


@dataclass
class Seen:
    """What was seen in the run."""

    expected: list[Alert]
    """All versions that a replay of the same records finds."""
    topic: str = ""
    prometheus: str = ""
    """Its address; it still runs."""
    page: str = ""
    """The metrics, as the service gives them."""
    empty: dict[str, str] = field(default_factory=dict)
    """Queries that found nothing."""
    lag: dict[tuple[str, str], float] = field(default_factory=dict)
    """Records not read, by topic and partition, as Prometheus has it."""
    health: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    """Rule → what Prometheus says of it."""
    unwell: list[str] = field(default_factory=list)
    """Alerts about watchfloor itself, while it was well."""
    firing: list[dict[str, Any]] = field(default_factory=list)
    """What Alertmanager had after the first half."""
    later: list[dict[str, Any]] = field(default_factory=list)
    """What Alertmanager had after all."""
    down: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Alerts about watchfloor itself in Alertmanager after the kill, by name."""
    dead: list[tuple[bytes, dict[str, str]]] = field(default_factory=list)
    """Records of the dead-letter topic, with their headers."""
    received: set[str] = field(default_factory=set)
    """Ids that the webhook was sent."""
    written: list[Alert] = field(default_factory=list)
    """What the file holds."""


# -- the set-up -------------------------------------------------------------------------------------------------------------------------


def settings(broker: Broker, topic: str, folder: Path, webhook: str, alertmanager: str) -> dict[str, Any]:
    return {
        "kafka": {
            "bootstrap_servers": broker.servers,
            "group_id": topic,
            "topics": [{"name": topic, "format": "native"}],
            "dead_letter_topic": f"{topic}-rejects",
            "start": "earliest",
            "fetch_wait_s": 0.05,
        },
        "detectors": DETECTORS,
        "store": {"path": str(folder / "store.db"), "checkpoint_interval_s": 0.2},
        # The records pass minutes in a moment, so no partition may count as idle between two shares of them.
        "service": {"idle_s": 600},
        "http": {"port": 0, "token": TOKEN},
        "sinks": {
            # What fires is told to last for three minutes: whatever is gone before was told to be over.
            "alertmanager": {"type": "alertmanager", "url": alertmanager},
            "soc": {"type": "webhook", "url": webhook, "allow_private": True},
            "archive": {"type": "file", "path": str(folder / "archive.jsonl")},
        },
    }


def configuration(watchfloor: str, alertmanager: str, folder: Path) -> Path:
    """That of deploy/ with these targets, a token of the test's, and rules that wait for a second only."""
    document = yaml.safe_load(PROMETHEUS.read_text(encoding="utf-8"))
    document["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    document["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [alertmanager]
    (job,) = document["scrape_configs"] = [job for job in document["scrape_configs"] if job["job_name"] == "watchfloor"]
    job["static_configs"][0]["targets"] = [watchfloor]
    job["authorization"]["credentials_file"] = str(folder / "token")
    (folder / "token").write_text(TOKEN)
    hasty = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    for rule in (rule for group in hasty["groups"] for rule in group["rules"] if "for" in rule):
        rule["for"] = "1s"
    (folder / "rules.yml").write_text(yaml.safe_dump(hasty))
    document["rule_files"] = [str(folder / "rules.yml")]
    written = folder / "prometheus.yml"
    written.write_text(yaml.safe_dump(document))
    return written


def marks(name: str, at: float) -> list[bytes]:
    """A harmless record for each partition, which lets everything before it be said."""
    event = {"time": at, "kind": "api.request", "outcome": "success", "actor": "last"}
    return [json.dumps({"id": f"{name}{partition}", **event}).encode() for partition in range(PARTITIONS)]


def produce(broker: Broker, topic: str, records: list[bytes]) -> None:
    """Over the partitions in turn, the order of time kept in each."""
    for partition in range(PARTITIONS):
        broker.produce(topic, records[partition::PARTITIONS], partition=partition)


@pytest.fixture(scope="module")
def tools() -> PrometheusTools:
    return tools_or_leave_out()


@pytest.fixture(scope="module")
def seen(broker: Broker, tools: PrometheusTools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """One run: attacks; then time goes on, and some of them are over; then the process is killed."""
    folder = tmp_path_factory.mktemp("watched")
    start = time.time() - 160
    half = attacks(6, start=start) + marks("half", start + 55)
    rest = marks("end", start + 150)
    topic = broker.create_topic(unique("watched"), PARTITIONS)
    found = Seen(of_replay(folder, half + rest), topic)
    broker.create_topic(f"{topic}-rejects")
    with ExitStack() as stack:
        receiver = stack.enter_context(receiving())
        alertmanager = stack.enter_context(running_alertmanager(tools, ALERTMANAGER, folder))
        process = stack.enter_context(service(settings(broker, topic, folder, receiver.url, alertmanager), folder / "run"))
        assert until(lambda: process.ready and process.metric("active") == 1)
        target = configuration(f"127.0.0.1:{process.port}", alertmanager.removeprefix("http://"), folder)
        found.prometheus = stack.enter_context(running_prometheus(tools, target, folder))
        assert until(lambda: returns_data(found.prometheus, "watchfloor_active == 1"))
        broker.produce(topic, BAD, partition=1)
        produce(broker, topic, half)
        until(lambda: told(of_attacks(alertmanager)) == {(alert.id, str(alert.count)) for alert in before_any_is_over(found)})
        found.firing = of_attacks(alertmanager)
        produce(broker, topic, rest)
        until(lambda: len(of_attacks(alertmanager)) == len(still_firing(found)))
        found.later = of_attacks(alertmanager)
        look(found, process)
        found.dead = [(each.value, {name: value.decode() for name, value in each.headers}) for each in broker.read(f"{topic}-rejects", 3)]
        until(lambda: receiver.ids >= {alert.id for alert in found.expected})
        deliveries(found, receiver, folder)
        process.kill()
        until(lambda: len(about_watchfloor(alertmanager)) == 2, 15)
        found.down = about_watchfloor(alertmanager)
        yield found


def of_replay(folder: Path, records: list[bytes]) -> list[Alert]:
    """All versions that a replay finds in these records."""
    append(folder / "all.jsonl", records)
    (folder / "replay.yaml").write_text(json.dumps({"detectors": DETECTORS}))
    return replayed(folder, "-c", folder / "replay.yaml", "--format", "native", folder / "all.jsonl")


def before_any_is_over(found: Seen) -> list[Alert]:
    return last_versions(alert for alert in found.expected if alert.status == "firing")


def still_firing(found: Seen) -> list[Alert]:
    return [alert for alert in last_versions(found.expected) if alert.status == "firing"]


def told(alerts: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """Ids, and how many events each says it has."""
    return {(alert["annotations"]["alert_id"], alert["annotations"]["events"]) for alert in alerts}


def of_attacks(alertmanager: str) -> list[dict[str, Any]]:
    return [alert for alert in get_json(f"{alertmanager}/api/v2/alerts") if "detector" in alert["labels"]]


def about_watchfloor(alertmanager: str) -> dict[str, dict[str, Any]]:
    alerts = get_json(f"{alertmanager}/api/v2/alerts")
    return {alert["labels"]["alertname"]: alert for alert in alerts if alert["labels"].get("team") == "operations"}


def look(found: Seen, process: Process) -> None:
    """Ask Prometheus everything, once it has seen the service often enough to answer."""
    prometheus, left = found.prometheus, dict(queries())

    def all_answered() -> bool:
        for name in [name for name, query in left.items() if returns_data(prometheus, query)]:
            del left[name]
        return not left

    until(all_answered, 15)
    found.empty = left
    found.page = process.get("/metrics").text
    groups = get_json(f"{prometheus}/api/v1/rules")["data"]["groups"]
    found.health = {rule["name"]: (rule["health"], rule.get("lastError")) for group in groups for rule in group["rules"]}
    found.unwell = [labels["alertname"] for labels, _ in ask(prometheus, 'ALERTS{alertstate="firing"}')]
    lag = ask(prometheus, "watchfloor_consumer_lag_records")
    found.lag = {(labels["topic"], labels["partition"]): value for labels, value in lag}


def deliveries(found: Seen, receiver: Receiver, folder: Path) -> None:
    """Note what the webhook was sent and the file holds."""
    found.received = set(receiver.ids)
    archive = folder / "archive.jsonl"
    until(lambda: archive.exists() and len(archive.read_bytes().splitlines()) >= len(found.expected))
    found.written = read_alerts(archive)


# -- what Prometheus sees ---------------------------------------------------------------------------------------------------------------


def test_every_query_of_the_dashboard_and_of_the_rules_finds_data(seen: Seen) -> None:
    assert seen.empty == {}


def test_a_query_that_does_not_parse_is_told_from_one_that_finds_nothing(seen: Seen) -> None:
    assert not returns_data(seen.prometheus, "watchfloor_nothing")
    assert not returns_data(seen.prometheus, "0 / vector(0)")
    with pytest.raises(ValueError, match="parse error"):
        ask(seen.prometheus, "sum by (")


def test_nothing_is_left_to_read_in_any_partition(seen: Seen) -> None:
    assert seen.lag == {(seen.topic, str(partition)): 0 for partition in range(PARTITIONS)}


def test_every_rule_can_be_asked(seen: Seen) -> None:
    assert seen.health == {rule.get("alert") or rule["record"]: ("ok", None) for rule in rules()}


def test_the_page_is_as_prometheus_wants_pages(seen: Seen, tools: PrometheusTools) -> None:
    assert said(tools.promtool, "check", "metrics", stdin=seen.page) == ""


def test_no_alert_speaks_of_a_service_that_is_well(seen: Seen) -> None:
    assert seen.unwell == []


def test_a_service_that_is_killed_is_spoken_of_once_and_to_those_who_are_woken(seen: Seen) -> None:
    assert {name: [each["name"] for each in alert["receivers"]] for name, alert in seen.down.items()} == {
        "WatchfloorNoActiveInstance": ["operations-urgent"],
        "WatchfloorTargetDown": ["operations"],
    }
    urgent, also = seen.down["WatchfloorNoActiveInstance"], seen.down["WatchfloorTargetDown"]
    assert urgent["status"]["state"] == "active"
    assert urgent["annotations"]["summary"] == "No instance of watchfloor is active: nothing is being watched"
    assert also["status"]["inhibitedBy"] == [urgent["fingerprint"]]


# -- what Alertmanager and the others are told ------------------------------------------------------------------------------------------


def test_alertmanager_has_the_alerts_of_a_replay(seen: Seen) -> None:
    expected = before_any_is_over(seen)
    assert len(expected) == 18
    there = {alert["annotations"]["alert_id"]: alert for alert in seen.firing}
    assert len(there) == len(seen.firing)
    assert there.keys() == {alert.id for alert in expected}
    for alert in expected:
        # No count is among the labels, for each new one would make it another alert.
        assert there[alert.id]["labels"] == {
            "alertname": "Burst of failed logins",
            "detector": "failed_login_burst",
            "severity": "medium" if alert.entity.type == "actor" else "low",
            "entity_type": alert.entity.type,
            "entity": alert.entity.value,
        }
        assert there[alert.id]["annotations"]["summary"] == alert.title
        assert there[alert.id]["annotations"]["events"] == str(alert.count)
        assert there[alert.id]["receivers"] == [{"name": "security"}]


def test_what_is_over_ends_in_alertmanager_and_the_rest_stays(seen: Seen) -> None:
    stays = {alert.entity.value for alert in still_firing(seen)}
    assert stays == {f"203.0.113.{number}" for number in range(1, 7)}
    assert {alert["labels"]["entity"] for alert in seen.later} == stays


def test_each_sink_has_them_all(seen: Seen) -> None:
    assert seen.received == {alert.id for alert in seen.expected}
    assert {(alert.id, alert.version, alert.status) for alert in seen.written} == {
        (alert.id, alert.version, alert.status) for alert in seen.expected
    }


def test_what_is_no_event_is_among_the_dead_letters(seen: Seen) -> None:
    assert [(value, headers["reason"], headers["partition"]) for value, headers in seen.dead] == [
        (b"no json", "not_json", "1"),
        (b'{"time": 1}', "missing_field", "1"),
        (b"[]", "unknown_shape", "1"),
    ]
