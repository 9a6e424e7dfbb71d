"""Runs the installed command as a user would, in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from schemas.alert import Alert


class Ran(msgspec.Struct):
    """How a command ended."""

    code: int
    out: str
    err: str


def watchfloor(*arguments: str | Path, stdin: bytes | None = None, env: dict[str, str] | None = None, cwd: Path | None = None) -> Ran:
    """Run ``watchfloor`` with these arguments. A traceback is never acceptable, whatever the test is about."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("WATCHFLOOR__")}
    done = subprocess.run(
        [sys.executable, "-m", "monitor", *map(str, arguments)],
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        check=False,
        timeout=300,
        env={**own, "COLUMNS": "120", **(env or {})},
        cwd=cwd,
    )
    ran = Ran(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))
    assert "Traceback" not in ran.out + ran.err, ran.err
    return ran


def read_alerts(path: Path) -> list[Alert]:
    """All versions in a file of ``--out``."""
    decode = msgspec.json.Decoder(Alert).decode
    return [decode(line) for line in path.read_bytes().splitlines()]


def last_versions(alerts: Iterable[Alert]) -> list[Alert]:
    """The last version of each alert, in the order they first fired."""
    return list({alert.id: alert for alert in alerts}.values())


def replayed(folder: Path, *arguments: str | Path, name: str = "alerts.jsonl", stdin: bytes | None = None) -> list[Alert]:
    """All alert versions of a replay."""
    out = folder / name
    ran = watchfloor("replay", "--out", out, *arguments, stdin=stdin)
    assert ran.code == 0, ran.err
    return read_alerts(out)


def entities(alerts: Sequence[Alert], *detectors: str) -> set[str]:
    """What the alerts of these detectors (of all, without any) are about, as ``type:value``."""
    return {f"{alert.entity.type}:{alert.entity.value}" for alert in alerts if not detectors or alert.detector in detectors}
