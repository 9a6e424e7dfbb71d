"""The evaluation as one HTML file that needs nothing else, in the style of the replay report and as careful with foreign text."""

from base64 import b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from detectors.phrases import span, times
from monitor.evaluate.frontier import AXES, Frontier, Point
from monitor.evaluate.scoring import Scores
from monitor.evaluate.words import daily, delay, limit_in_words, of, share, size
from monitor.report.page import moment
from schemas.text import cut, printable

MAX_LISTED = 200
"""Rows of what was missed, and of what was false."""
_REPORT = Path(__file__).resolve().parent.parent / "report"
_AXIS_WORDS = {
    "strength": (
        "How weak",
        "Strength: 1 is low, 2 medium, 3 high. Below 1 an attack has fewer steps, or less telling ones, than a low one.",
    ),
    "stretch": ("How slow", "A medium attack with all its steps, drawn out to so many times its usual length."),
    "spread": ("How spread", "A medium attack from so many addresses in turn."),
}


def render(scores: Scores, frontier: Frontier | None = None, missed_limits: list[str] | None = None) -> str:
    """The whole page. The same scores give the same page."""
    template, policy = _prepared()
    return template.render(
        s=scores,
        policy=policy,
        limits=missed_limits or [],
        missed=[attack for attack in scores.attacks if any(name not in attack.found for name in attack.truth.detectors)],
        also=sorted((name, sorted(row.items(), key=lambda item: (-item[1], item[0]))) for name, row in scores.also_seen.items()),
        frontier=frontier,
        axes=_axes(frontier),
        max_listed=MAX_LISTED,
    )


def _axes(frontier: Frontier | None) -> list[dict[str, Any]]:
    axes = []
    for axis in AXES:
        edges = [edge for edge in frontier.edges if edge.axis == axis] if frontier is not None else []
        if edges:
            title, caption = _AXIS_WORDS[axis]
            # Not every attack is tried at each value.
            values = sorted({point.value for edge in edges for point in edge.points}, reverse=axis != "strength")
            rows = [(edge, [next((point for point in edge.points if point.value == value), None) for value in values]) for edge in edges]
            axes.append({"title": title, "caption": caption, "rows": rows, "columns": values})
    return axes


def _percent(point: Point) -> int:
    return round(100 * point.found / point.tried)


def _shown(value: object) -> object:
    """What ``{{ … }}`` writes: text of others never without having gone through here."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _prepared() -> tuple[Template, str]:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        cut=cut,
        daily=daily,
        delay=delay,
        limit=limit_in_words,
        moment=moment,
        of=of,
        percent=_percent,
        share=share,
        size=size,
        span=span,
        times=times,
    )
    style = "\n".join(path.read_text(encoding="utf-8") for path in (_REPORT / "page.css", Path(__file__).parent / "page.css"))
    environment.globals.update(style=Markup(style))  # noqa: S704 - files of this package
    digest = b64encode(sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    return environment.get_template("page.html"), policy
