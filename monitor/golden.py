"""Golden cases: logs on which a detector must fire, and logs on which it must stay silent.

A case is a folder ``<detector>/<case>/`` with log files and a ``case.yaml``:

    what: one sentence
    config: {…}          # optional: settings of this detector
    files: {…}           # optional: options of the replay, such as year
    fires:               # its alerts in the order they opened; [] = it must stay silent
      - {entity: "ip:203.0.113.9", severity: low, count: 25}
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError
from rich.console import Console

from detectors.registry import DETECTORS
from detectors.settings import Strict
from monitor.app import Parts
from monitor.engines.replay import Options, Replay
from monitor.settings import Settings
from monitor.sources.files import expand
from schemas.alert import Alert
from schemas.errors import ConfigurationError
from schemas.text import printable


class Expected(Strict):
    """One alert that must come. What is absent is not compared."""

    entity: str = Field(pattern=r"^[a-z_]+:")
    severity: str | None = None
    count: int | None = None
    status: str | None = None


class Case(Strict):
    """The text of a ``case.yaml``."""

    what: str
    config: dict[str, Any] = Field(default_factory=dict)
    files: dict[str, Any] = Field(default_factory=dict)
    settings: dict[str, Any] = Field(default_factory=dict)
    fires: tuple[Expected, ...]


def find(path: Path) -> list[Path]:
    """The folders of all cases at or below ``path``, in name order. Raises ``ConfigurationError`` when there are none."""
    cases = sorted(found.parent for found in path.rglob("case.yaml")) if path.is_dir() else []
    if not cases:
        raise ConfigurationError(f"{path}: no golden cases there; name a folder that holds <detector>/<case>/case.yaml")
    return cases


def check(folder: Path) -> list[str]:
    """What is wrong with one case; nothing when it holds."""
    name = folder.parent.name
    if name not in DETECTORS:
        return [f"no detector is called {name}"]
    try:
        case = Case.model_validate(yaml.safe_load((folder / "case.yaml").read_text(encoding="utf-8")))
        settings = Settings.model_validate({**case.settings, "detectors": {name: case.config}})
    except (ValidationError, yaml.YAMLError, ValueError) as exc:
        return [f"case.yaml cannot be used: {exc}"]
    logs = [str(file) for file in sorted(folder.iterdir()) if file.name != "case.yaml"]
    got = [alert for alert in _replay(settings, logs, case.files) if alert.detector == name]
    return list(_compare(case.fires, got))


def run(path: Path) -> int:
    """Run all cases below ``path`` and show how they went; 1 when one does not hold."""
    console = Console(highlight=False, markup=False, soft_wrap=True)
    failed = 0
    cases = find(path)
    for folder in cases:
        problems = check(folder)
        failed += bool(problems)
        console.print(f"{'FAIL' if problems else 'ok  '} {folder.parent.name}/{folder.name}")
        for problem in problems:
            console.print(f"     {printable(problem)}")
    console.print(f"{len(cases)} cases, {failed} failed")
    return 1 if failed else 0


def _replay(settings: Settings, logs: list[str], files: dict[str, Any]) -> list[Alert]:
    last: dict[str, Alert] = {}
    parts = Parts(settings)
    for alerts in Replay(parts.core, Options(**files)).run(expand(logs)):
        last.update((alert.id, alert) for alert in alerts)
    if parts.core.runner.failed:
        raise AssertionError(parts.core.runner.failed)
    return list(last.values())


def _compare(expected: tuple[Expected, ...], got: list[Alert]) -> Iterator[str]:
    for want, alert in zip(expected, got, strict=False):
        seen = {
            "entity": f"{alert.entity.type}:{alert.entity.value}",
            "severity": alert.severity,
            "count": alert.count,
            "status": alert.status,
        }
        for field, value in want.model_dump(exclude_none=True).items():
            if seen[field] != value:
                yield f"{want.entity}: {field} should be {value}, but is {seen[field]}"
    for missing in expected[len(got) :]:
        yield f"{missing.entity}: should have fired, but did not"
    for alert in got[len(expected) :]:
        yield f"{alert.entity.type}:{alert.entity.value}: should be silent, but says: {alert.summary}"
