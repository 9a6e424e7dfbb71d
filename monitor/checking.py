"""The `check-config` command."""

from rich.console import Console

from detectors.base import ATTACK_VERSION
from monitor.app import Parts
from monitor.settings import FileSink, Settings, as_text
from monitor.sinks.lines import JsonLines
from schemas.alert import Alert, Attack, Entity
from schemas.errors import ConfigurationError
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
    if name not in settings.sinks:
        known = ", ".join(settings.sinks) or "none is configured"
        raise ConfigurationError(f"--send-test: no sink is called so; there are: {known}")
    sink = settings.sinks[name]
    with JsonLines(sink.path if isinstance(sink, FileSink) else None, f"sinks.{name}.path", append=True, form=sink.format) as lines:
        lines.send([TEST_ALERT])
    Console(highlight=False, markup=False, soft_wrap=True).print(f"a test alert was sent to {name}")


def check(settings: Settings) -> None:
    """Open what the configuration names; say what will run. Raises ``ConfigurationError``."""
    parts = Parts(settings)
    say = Console(highlight=False, markup=False, soft_wrap=True).print
    names = dict.fromkeys(states.detector.name for states in parts.core.runner.states)
    say(f"The configuration is sound. {len(names)} detectors run: {', '.join(names)}.")
    say(as_text(settings))
