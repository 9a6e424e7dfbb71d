"""The `evaluate` command, from its options to its exit code."""

import os
import sys
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from monitor import __version__
from monitor.evaluate import page, table
from monitor.evaluate.frontier import Frontier, explore
from monitor.evaluate.reading import read_alerts, read_truth
from monitor.evaluate.scoring import MARGIN_S, Scores, score
from monitor.settings import Settings
from monitor.sinks.errors import failed
from schemas.errors import ConfigurationError

JSON_VERSION = 1


def evaluate(
    *,
    truth: Path,
    alerts: Path,
    json: Path | None = None,
    report: Path | None = None,
    min_recall: float | None = None,
    max_false_per_day: float | None = None,
    margin_s: float = MARGIN_S,
    days: float | None = None,
    frontier: bool = False,
    settings: Settings | None = None,
) -> int:
    """Compare, tell, and judge; the exit code: 1 when a limit is missed.

    ``min_recall``: of all pairs of an attack and a detector that should see it, 0–1. ``max_false_per_day``: alerts that belong to no attack
    and told somebody. ``days``: how long the traffic was; ``None``: as the truth says. ``frontier``: also try out how weak, slow and spread
    each attack may be and still be found, with ``settings``; takes minutes. Raises ``ConfigurationError``, ``InputError``, ``OutputError``.
    """
    _check(truth, alerts, json, report)
    for option, value, most in (("--min-recall", min_recall, 1.0), ("--max-false-per-day", max_false_per_day, float("inf"))):
        if value is not None and not 0 <= value <= most:
            raise ConfigurationError(f"{option}: {value:g} is no {'share; use 0 to 1' if most == 1 else 'number of alerts; use 0 or more'}")
    if margin_s < 0:
        raise ConfigurationError("--margin: is less than nothing; use 0 or more seconds")
    if days is not None and not days > 0:
        raise ConfigurationError("--days: no time has passed; use more than 0")
    scores = score(read_truth(truth), read_alerts(alerts), margin_s=margin_s, days=days)
    edge = explore(settings, on_progress=_progress) if frontier else None
    console = Console(stderr=json == Path("-"), highlight=False)
    table.show(scores, console)
    missed = judge(scores, min_recall, max_false_per_day)
    if json is not None:
        _write("--json", json, msgspec.json.format(msgspec.json.encode(as_data(scores, edge, missed)), indent=2) + b"\n")
    if report is not None:
        _write("--report", report, page.render(scores, edge, missed).encode())
    for line in missed:
        console.print(f"missed: {line}", style="bold red" if console.is_terminal else "", markup=False, soft_wrap=True)
    return 1 if missed else 0


def judge(scores: Scores, min_recall: float | None, max_false_per_day: float | None) -> list[str]:
    """Which limits are missed, in words."""
    missed = []
    recall = scores.overall.recall
    if min_recall is not None and recall is None:
        missed.append("--min-recall: the truth names no attack that a detector should see")
    elif min_recall is not None and recall is not None and recall < min_recall:
        missed.append(f"recall is {recall:.4g}, less than {min_recall:g}")
    if max_false_per_day is not None and scores.false.per_day > max_false_per_day:
        missed.append(f"{scores.false.per_day:.4g} false alerts a day, more than {max_false_per_day:g}")
    return missed


def as_data(scores: Scores, frontier: Frontier | None, missed: list[str]) -> dict[str, Any]:
    """What ``--json`` writes."""
    data: dict[str, Any] = {"version": JSON_VERSION, "watchfloor": __version__, **msgspec.structs.asdict(scores)}
    return {**data, "frontier": frontier, "missed_limits": missed}


def _check(truth: Path, alerts: Path, json: Path | None, report: Path | None) -> None:
    """Refuse to read two files from one stream, or to write over one of them. Raises ``ConfigurationError``."""
    if truth == alerts == Path("-"):
        raise ConfigurationError("--truth: standard input cannot be both files; name one of them")
    taken = {os.path.realpath(path): what for path, what in ((truth, "the truth"), (alerts, "the file of alerts")) if path != Path("-")}
    for option, path in (("--json", json), ("--report", report)):
        if path is None or (path == Path("-") and option == "--json"):
            continue
        if path == Path("-"):
            raise ConfigurationError(f"{option}: cannot be standard output; name a file")
        real = os.path.realpath(path)
        if real in taken:
            raise ConfigurationError(f"{option}: {path} is {taken[real]} and would be written over; name another file")
        if not path.parent.is_dir():
            raise ConfigurationError(f"{option}: cannot write {path}: no such folder; name a file in a folder that exists")
        taken[real] = f"the file of {option}"


def _write(option: str, path: Path, data: bytes) -> None:
    try:
        if path == Path("-"):
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        else:
            path.write_bytes(data)
    except BrokenPipeError:
        raise
    except OSError as exc:
        raise failed(f"{option}: {path}", exc) from exc


def _progress(text: str) -> None:
    sys.stderr.write(f"{text}\n")
