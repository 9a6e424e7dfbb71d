"""The scores on the terminal."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from detectors.phrases import times
from monitor.evaluate.scoring import Scores
from monitor.evaluate.words import daily, delay, of, share
from schemas.text import cut, printable

MAX_MISSED = 30
MAX_FALSE = 15
MAX_CHARS = 100
PLAIN_WIDTH = 160
"""Where there is no terminal, lines may be as long as that."""


def show(scores: Scores, console: Console) -> None:
    """Write what was found, what was missed, and what was false."""
    console = console if console.is_terminal else Console(file=console.file, width=PLAIN_WIDTH)
    console.print(_detectors(scores))
    also = _also(scores)
    if also is not None:
        console.print(also)
    _say(console, _missed(scores))
    _say(console, _false(scores))
    _say(console, totals(scores))


def totals(scores: Scores) -> list[str]:
    """The outcome in a few lines."""
    false, overall = scores.false, scores.overall
    lasted = f"{scores.days:,.1f}".rstrip("0").rstrip(".")
    lines = [
        f"attacks    {len(scores.attacks):,}, of which somebody was told of {scores.noticed:,}",
        f"recall     {share(overall.recall)} ({of(overall)} of what detectors should see), in {delay(overall.median_s)} (median)",
        *(f"  {name:<8} {share(rate.recall)} ({of(rate)}), in {delay(rate.median_s)}" for name, rate in scores.by_intensity.items()),
        f"precision  {share(scores.precision)} of {times(scores.alerts, 'alert')}",
        f"false      {false.total:,}, which is {daily(false.per_day)} a day over {lasted} d",
        f"           {false.medium:,} of medium severity or higher, {daily(false.medium_per_day)} a day",
    ]
    if false.inhibited:
        lines.append(f"           and {false.inhibited:,} that told nobody, because another alert spoke for them")
    return lines


def _detectors(scores: Scores) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("Detector", overflow="fold")
    for heading in ("Recall", *scores.by_intensity, "Time", "Alerts", "Precision", "False/day", "≥medium"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in scores.detectors:
        cells = [
            share(row.overall.recall),
            *(of(row.by_intensity.get(name)) for name in scores.by_intensity),
            delay(row.overall.median_s),
            f"{row.alerts:,}",
            share(row.precision),
            daily(row.false.per_day),
            daily(row.false.medium_per_day),
        ]
        table.add_row(_text(row.detector, "bold" if row.overall.expected else ""), *cells)
    return table


def _also(scores: Scores) -> Table | None:
    if not scores.also_seen:
        return None
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("Attack", overflow="fold")
    table.add_column("Also seen by", overflow="fold")
    for scenario, row in sorted(scores.also_seen.items()):
        seen = ", ".join(f"{name} {n:,}" for name, n in sorted(row.items(), key=lambda item: (-item[1], item[0])))
        table.add_row(_text(scenario), _text(seen))
    return table


def _missed(scores: Scores) -> list[str]:
    lines = [
        f"missed     {attack.truth.scenario} ({attack.truth.intensity}) of {', '.join(attack.truth.entities[:2])}: {', '.join(unseen)}"
        for attack in scores.attacks
        if (unseen := [name for name in attack.truth.detectors if name not in attack.found])
    ]
    return _some(lines, MAX_MISSED)


def _false(scores: Scores) -> list[str]:
    loud = [alert for alert in scores.false_alerts if alert.notified]
    return _some(
        [f"false      {alert.severity} {alert.detector} of {alert.entity}  {alert.id}" for alert in loud], MAX_FALSE, scores.false.total
    )


def _some(lines: Sequence[str], most: int, total: int | None = None) -> list[str]:
    left = (len(lines) if total is None else total) - min(len(lines), most)
    return [*lines[:most], *([f"           and {left:,} more"] if left > 0 else [])]


def _say(console: Console, lines: Sequence[str]) -> None:
    for line in lines:
        console.print(_text(line), soft_wrap=True)


def _text(text: str, style: str = "") -> Text:
    return Text(cut(printable(text), MAX_CHARS * 3), style=style, overflow="fold")
