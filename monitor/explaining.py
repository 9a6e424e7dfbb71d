"""The `explain` command: one alert in words, with its evidence."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console

from monitor.app import Parts
from monitor.engines.replay import Options, Replay
from monitor.settings import Settings
from monitor.sources.files import expand
from schemas.alert import Alert
from schemas.errors import ConfigurationError, InputError
from schemas.event import Event
from schemas.export import export_name
from schemas.text import printable

SHOWN_CHARS = 400


def explain(alert_id: str, path: Path, files: Sequence[str], settings: Settings, year: int | None) -> int:
    """Print the last version of the alert, and its evidence as read again from ``files``."""
    alert = find(alert_id, path)
    console = Console(highlight=False, markup=False, soft_wrap=True)

    def say(text: str) -> None:
        for line in text.split("\n"):
            console.print(printable(line))

    say(f"{alert.severity.upper()}  {printable(alert.title)}  ({alert.status}, version {alert.version})")
    say(f"\n{printable(alert.summary)}")
    say(f"Would have been {alert.counterfactual}." if alert.counterfactual.startswith("silent") else alert.counterfactual)
    say(f"\n{alert.count:,} events from {alert.first_seen} to {alert.last_seen}; fired at {alert.time}")
    for name, value in alert.facts.items():
        say(f"  {name:<24} {printable(str(value))}")
    techniques = ", ".join(alert.attack.techniques)
    say(f"\nATT&CK v{alert.attack.version}: {techniques}\nRunbook: {alert.runbook}\nIncident: {alert.incident}")
    if alert.inhibited_by is not None:
        say(f"Led by alert {alert.inhibited_by}, which speaks for the incident")
    for other in alert.related:
        say(f"Related: {other.detector} {other.id}")
    say(f"\nEvidence ({len(alert.evidence)} events):")
    records = _evidence(alert, files, settings, year) if files else {}
    for event_id in alert.evidence:
        say(f"  {printable(event_id)}")
        if event_id in records:
            say(f"    {printable(records[event_id])[:SHOWN_CHARS]}")
    if not files:
        say("  (name the log files after the id to see the events themselves)")
    return 0


def find(alert_id: str, path: Path) -> Alert:
    """The last version of the alert whose id begins so. Raises ``InputError`` for a file that cannot be read, ``ConfigurationError`` otherwise."""
    found: dict[str, Alert] = {}
    decode = msgspec.json.Decoder(Alert).decode
    try:
        lines = path.read_bytes().splitlines()
    except (OSError, ValueError) as exc:
        why = (exc.strerror or "error").lower() if isinstance(exc, OSError) else "not a path"
        raise InputError(f"{path}: {why}; name the file that replay --out wrote, with --alerts") from exc
    try:
        for line in lines:
            alert = decode(line)
            if alert.id.startswith(alert_id):
                found[alert.id] = alert
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise InputError(f"{path}: {_other_form(line)}") from exc
    if not found:
        raise ConfigurationError(f"{path}: no alert has an id that begins with {alert_id}")
    if len(found) > 1:
        raise ConfigurationError(f"{path}: {len(found)} alerts have ids that begin with {alert_id}; give more of the id")
    return next(iter(found.values()))


def _other_form(line: bytes) -> str:
    """What is wrong with a line that is no native alert, and what to do."""
    try:
        form = export_name(msgspec.json.decode(line))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        form = None
    if form in {"ocsf", "ecs"}:
        return f"holds alerts in the form {form}, and only native ones can be explained; replay again without --out-format {form}"
    return "holds something that is no alert; name the file that replay --out wrote, with --alerts"


def _evidence(alert: Alert, files: Sequence[str], settings: Settings, year: int | None) -> dict[str, str]:
    """The events of the evidence, in the form of the native format."""
    wanted = set(alert.evidence)
    records: dict[str, str] = {}

    def keep(events: Sequence[Event]) -> None:
        for event in events:
            if event.id in wanted:
                fields = {name: value for name, value in msgspec.to_builtins(event).items() if value not in {None, 0, ""}}
                records[event.id] = msgspec.json.encode(fields).decode()

    parts = Parts(settings)
    replay = Replay(parts.core, Options(year=year, tenant=settings.tenant), on_events=keep)
    for _ in replay.run(expand(files)):
        if len(records) == len(wanted):
            break
    return records
