"""Small tools that tests share."""

from collections.abc import Iterable, Sequence
from typing import Any

from detectors.registry import DETECTORS, build
from monitor.pipeline.runner import Runner
from schemas.event import Event
from schemas.finding import Finding

T0 = 1_770_000_000.0
"""A moment to count from: 2026-02-02T02:40:00Z."""


def event(seconds: float, kind: str = "auth.login", **fields: Any) -> Event:
    """An event ``seconds`` after ``T0``; its id is made of its place in time unless given."""
    return Event(kind=kind, ts=T0 + seconds, **{"id": f"e{seconds:g}", **fields})


def find(name: str, events: Iterable[Event], settings: Any = None, *, lateness_s: float = 1.0) -> list[Finding]:
    """All findings of one detector over events, in order; ``settings`` as in the configuration file."""
    checked = DETECTORS[name].Settings.model_validate(settings or {})
    runner = Runner(list(build(name, checked)), lateness_s=lateness_s)
    found = runner.run("test", list(events))
    found += runner.finish()
    assert not runner.failed, runner.failed
    return found


def opened(findings: Sequence[Finding]) -> list[tuple[str, str]]:
    """Entity type and entity of each finding that opens an alert."""
    return [(finding.entity_type, finding.entity) for finding in findings if finding.phase == "open"]
