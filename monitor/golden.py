"""Golden cases: logs on which a detector must fire, and logs on which it must stay silent.

A case is a folder ``<detector>/<case>/`` with log files and a ``case.yaml``:

    what: one sentence
    config: {…}          # optional: settings of this detector
    files: {…}           # optional: options of the replay, such as year; heard_as: {a.jsonl: orders, b.jsonl: orders} listens to
                         # files as if they were partitions of a topic that is read live
    fires:               # its alerts in the order they opened; [] = it must stay silent
      - {entity: "ip:203.0.113.9", severity: low, count: 25}
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, Field, ValidationError
from rich.console import Console

from detectors.registry import DETECTORS
from detectors.settings import Strict
from monitor.app import Parts
from monitor.engines.replay import Options, Replay
from monitor.settings import Settings
from monitor.sources.files import expand
from schemas.alert import Alert
from schemas.errors import ConfigurationError, InputError
from schemas.formats import FORMATS
from schemas.text import printable


class Expected(Strict):
    """One alert that must come. What is absent is not compared."""

    entity: str = Field(pattern=r"^[a-z_]+:")
    severity: str | None = None
    count: int | None = None
    status: str | None = None


class Files(Strict):
    """How the logs of a case are read."""

    format: Literal[("auto", *FORMATS)] = "auto"  # type: ignore[valid-type]  # the registry decides
    year: int | None = Field(default=None, ge=1990, le=2099)
    tenant: str | None = None
    heard_as: dict[str, str] = Field(default_factory=dict)


def _checked(files: dict[str, Any]) -> dict[str, Any]:
    return Files.model_validate(files).model_dump(exclude_unset=True)


class Case(Strict):
    """The text of a ``case.yaml``."""

    what: str
    config: dict[str, Any] = Field(default_factory=dict)
    files: Annotated[dict[str, Any], AfterValidator(_checked)] = Field(default_factory=dict)
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
    except (ValidationError, yaml.YAMLError, ValueError, OSError, RecursionError) as exc:
        return [f"case.yaml cannot be used: {exc}"]
    logs = [str(file) for file in sorted(folder.iterdir()) if file.name != "case.yaml"]
    try:
        parts = Parts(settings)
        got = [alert for alert in _replay(parts, logs, case.files) if alert.detector == name]
    except (InputError, ConfigurationError) as exc:
        return [str(exc)]
    if parts.core.runner.failed:
        return [f"{full_name} failed with {error}" for full_name, error in parts.core.runner.failed.items()]
    return list(_compare(case.fires, got))


def run(path: Path) -> int:
    """Run all cases below ``path`` and show how they went; 1 when one does not hold."""
    console = Console(highlight=False, markup=False, soft_wrap=True)
    failed = 0
    cases = find(path)
    for folder in cases:
        problems = check(folder)
        failed += bool(problems)
        console.print(f"{'FAIL' if problems else 'ok  '} {printable(f'{folder.parent.name}/{folder.name}')}")
        for problem in problems:
            for line in problem.split("\n"):
                console.print(f"     {printable(line)}")
    console.print(f"{len(cases)} cases, {failed} failed")
    return 1 if failed else 0


def _replay(parts: Parts, logs: list[str], files: dict[str, Any]) -> list[Alert]:
    last: dict[str, Alert] = {}
    for alerts in Replay(parts.core, Options(**files)).run(expand(logs)):
        last.update((alert.id, alert) for alert in alerts)
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
