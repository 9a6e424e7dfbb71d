"""Logs with bad records in them, and what a replay makes of them."""

import base64
import json
import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from schemas.alert import Alert
from tests.commands import Ran, read_alerts, watchfloor

SAMPLES = Path(__file__).parents[1] / "contract" / "samples"
T0 = 1_772_352_000
"""2026-03-01T08:00:00Z"""
IN_2099 = 4_090_000_000


def login(i: int, **fields: object) -> bytes:
    """A failed login, ``i`` seconds after T0."""
    event = {"id": f"e{i}", "time": T0 + i, "kind": "auth.login", "outcome": "failure", "actor": "alice", "ip": "203.0.113.9"}
    return json.dumps({**event, **fields}).encode()


def raw(i: int, **fields: str) -> bytes:
    """The same with values that ``json`` would not write."""
    pairs = {"id": f'"r{i}"', "time": str(T0 + 15), "kind": '"auth.login"', **fields}
    return ("{" + ",".join(f'"{name}":{value}' for name, value in pairs.items()) + "}").encode()


GOOD = [login(i) for i in range(30)]


class Result(msgspec.Struct):
    """What a replay left behind."""

    ran: Ran
    alerts: list[Alert]
    rejects: list[dict[str, object]]

    def reasons(self) -> list[tuple[object, object]]:
        return [(row["line"], row["reason"]) for row in self.rejects]


def replay(folder: Path, *arguments: str | Path, stdin: bytes | None = None, env: dict[str, str] | None = None) -> Result:
    out, rejects = folder / "out.jsonl", folder / "rejects.jsonl"
    ran = watchfloor("replay", "--out", out, "--rejects", rejects, *arguments, stdin=stdin, env=env)
    rows = [json.loads(line) for line in rejects.read_bytes().splitlines()] if rejects.exists() else []
    return Result(ran, read_alerts(out) if out.exists() else [], rows)


def of_lines(folder: Path, lines: Sequence[bytes], *arguments: str | Path, end: bytes = b"\n") -> Result:
    log = folder / "input.log"
    log.write_bytes(b"\n".join(lines) + end)
    return replay(folder, log, *arguments)


def record_of(row: dict[str, object]) -> bytes:
    if "record" in row:
        return str(row["record"]).encode()
    return base64.b64decode(str(row["record_base64"]))


def shown(ran: Ran, name: str) -> int:
    match = re.search(rf"^{name} +([0-9,]+)", ran.out, re.MULTILINE)
    assert match, ran.out
    return int(match[1].replace(",", ""))


BOMB = b"[" * 100_000
