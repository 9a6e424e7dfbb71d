"""The `check-config` command."""

import asyncio

from rich.console import Console

from detectors.base import ATTACK_VERSION
from monitor import partitioning, state_file
from monitor.app import Parts
from monitor.connections import Connections
from monitor.delivering import send_test
from monitor.kafka_probe import reach
from monitor.settings import Settings, as_text
from schemas.alert import Alert, Attack, Entity
from schemas.stamps import rfc3339

TEST_ALERT = Alert(
    id="test",
    version=1,
    dedup_key="test",
    status="resolved",
    time=rfc3339(1767225600),
    detector="test",
    severity="info",
    tenant=None,
    entity=Entity("source", "watchfloor"),
    title="Test alert of watchfloor: nothing has happened",
    summary="Sent by check-config --send-test.",
    count=0,
    first_seen=rfc3339(1767225600),
    last_seen=rfc3339(1767225600),
    facts={},
    evidence=(),
    counterfactual="silent without --send-test",
    score=0.0,
    attack=Attack(ATTACK_VERSION, ()),
    runbook="",
    incident="test",
)


def send(settings: Settings, name: str) -> None:
    """Send the test alert to the sink of this name. Raises ``ConfigurationError`` and ``OutputError``."""
    send_test(settings, name, TEST_ALERT)
    Console(highlight=False, markup=False, soft_wrap=True).print(f"a test alert was sent to {name}")


def check(settings: Settings) -> None:
    """Open what the configuration names, reach Kafka, and say what will run. Raises ``ConfigurationError`` and ``InputError``."""
    partitioning.check(settings)
    parts = Parts(settings)
    Connections(settings).make_sinks(settings)
    warm_start = settings.service.warm_start
    if warm_start is not None:
        state_file.check(warm_start, "service.warm_start")
    if settings.kafka is not None:
        asyncio.run(reach(settings.kafka))
    say = Console(highlight=False, markup=False, soft_wrap=True).print
    names = dict.fromkeys(states.detector.name for states in parts.core.runner.states)
    say(f"The configuration is sound. {len(names)} detectors run: {', '.join(names)}.")
    if settings.kafka is not None:
        say(f"Kafka is there, with {len(settings.kafka.topics)} topics to read.")
    say(as_text(settings))
