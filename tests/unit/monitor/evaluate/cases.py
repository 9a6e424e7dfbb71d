"""A truth and alerts made by hand."""

from typing import Any

from monitor.evaluate.reading import Seen
from monitor.simulate.truth import Truth

START = 1_773_619_200.0
"""2026-03-16, 00:00 UTC."""


def truth(**fields: Any) -> Truth:
    usual = {
        "scenario": "failed_login_burst",
        "detectors": ("failed_login_burst",),
        "entities": ("actor:bob",),
        "involved": ("actor:bob", "ip:203.0.113.9"),
        "start": START + 1_000.0,
        "end": START + 1_300.0,
        "intensity": "high",
        "tenant": "acme",
        "traffic": (START, START + 2 * 86_400.0),
    }
    return Truth(**{**usual, **fields})


def seen(at: float, **fields: Any) -> Seen:
    """An alert that fired so many seconds after the start."""
    usual = {
        "id": f"a{at:g}",
        "detector": "failed_login_burst",
        "severity": "high",
        "tenant": "acme",
        "entity": "actor:bob",
        "title": "Failed logins: bob",
        "moments": [START + at],
        "first_seen": START + at - 10,
        "notified": True,
    }
    return Seen(**{**usual, **fields})


def line(**fields: Any) -> dict[str, Any]:
    """A line of a file of alerts."""
    usual = {
        "id": "a1",
        "version": 1,
        "status": "firing",
        "time": "2026-03-16T00:17:30.000Z",
        "first_seen": "2026-03-16T00:16:40.000Z",
        "last_seen": "2026-03-16T00:17:30.000Z",
        "detector": "failed_login_burst",
        "severity": "high",
        "tenant": "acme",
        "entity": {"type": "actor", "value": "bob"},
        "title": "Failed logins: bob",
        "inhibited_by": None,
    }
    return {**usual, **fields}
