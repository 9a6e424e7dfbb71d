"""Where everything stands on the timeline: shares of its width for the x axis, pixels for the y axis.

Widths are shares, so that the drawing fits a phone and a wide screen alike while its letters keep their size.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from math import ceil, floor

import msgspec

from monitor.report.incidents import GRAVEST_FIRST, Incident
from schemas.alert import Alert
from schemas.severity import Severity
from schemas.stamps import from_text

MAX_BARS = 150
MIN_BARS = 12
"""A shorter time is drawn with empty room on both sides."""
CHART_PX = 92
AXIS_PX = 24
LANE_LABEL_PX = 18
ROW_PX = 9
LANE_GAP_PX = 7
MAX_ROWS = 4
"""Of one severity, for the alerts that lead and for the others each; what does not fit lies on top of what is there."""
MAX_MARKS = 250
"""Drawn per severity."""
CLEARANCE = 1.6
"""Room between two marks in a row (percent of the width): the size of the smallest mark on a phone."""
MAX_TICKS = 9
MINUTE, HOUR, DAY = 60, 3600, 86_400
STEPS_S = (60, 120, 300, 600, 900, 1800, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY)
STEPS_MONTHS = (1, 3, 6, 12, 24, 60, 120)
MULTIPLES = (1, 2, 3, 5, 10, 15, 20, 30, 60, 120)


class Bar(msgspec.Struct, frozen=True):
    """The events of one stretch of time."""

    x: float
    y: float
    width: float
    height: float
    start: float
    """Unix seconds."""
    events: int


class Tick(msgspec.Struct, frozen=True):
    """A moment on the axis."""

    x: float
    label: str
    minor: bool
    """Left unlabelled where there is little room."""


class Mark(msgspec.Struct, frozen=True):
    """One alert, from its first event to its last."""

    x1: float
    x2: float
    y: float
    alert: Alert
    leads: bool


class Lane(msgspec.Struct, frozen=True):
    """The alerts of one severity."""

    severity: Severity
    y: float
    """Of its label."""
    alerts: int
    marks: list[Mark]


class Timeline(msgspec.Struct, frozen=True):
    """What the template draws."""

    bars: list[Bar]
    bar_s: int
    """Length of time of one bar."""
    peak: Bar
    ticks: list[Tick]
    lanes: list[Lane]
    height: float
    start: float
    end: float


def timeline(rows: Sequence[tuple[float, int]], width_s: int, found: Sequence[Incident]) -> Timeline | None:
    """The drawing of a histogram and the alerts; ``None`` when there are no events."""
    if not rows:
        return None
    bar_s, merged = rebin(rows, width_s)
    start, end = float(min(merged)), float(max(merged) + bar_s)
    missing = MIN_BARS - round((end - start) / bar_s)
    if missing > 0:
        start, end = start - (missing // 2) * bar_s, end + (missing - missing // 2) * bar_s
    most = max(merged.values())
    bars = [
        Bar(
            x=_share(ts, start, end),
            y=round(CHART_PX * (1 - n / most), 2),
            width=round(86 * bar_s / (end - start), 3),  # the rest of its place is a gap
            height=round(CHART_PX * n / most, 2),
            start=float(ts),
            events=n,
        )
        for ts, n in sorted(merged.items())
    ]
    lanes, height = _lanes(found, start, end)
    peak = max(bars, key=lambda bar: (bar.events, -bar.start))
    return Timeline(bars, bar_s, peak, ticks(start, end), lanes, height, start, end)


def rebin(rows: Sequence[tuple[float, int]], width_s: int) -> tuple[int, dict[int, int]]:
    """Width of a bar in seconds and the events by the start of each bar: at most ``MAX_BARS`` + 1 bars, whole multiples of ``width_s``.

    >>> rebin([(0.0, 2), (60.0, 1), (36_000.0, 4)], 60)
    (300, {0: 3, 36000: 4})
    """
    wanted = (rows[-1][0] + width_s - rows[0][0]) / (width_s * MAX_BARS)
    multiple = next((each for each in MULTIPLES if each >= wanted), ceil(wanted))
    bar_s = width_s * multiple
    merged: dict[int, int] = {}
    for ts, n in rows:
        at = int(ts // bar_s) * bar_s
        merged[at] = merged.get(at, 0) + n
    return bar_s, merged


def ticks(start: float, end: float) -> list[Tick]:
    """Round moments in UTC between the two ends, ``MAX_TICKS`` at most."""
    moments = _moments(start, end)
    years = datetime.fromtimestamp(start, UTC).year != datetime.fromtimestamp(end, UTC).year
    # The label stands to the right of its line, so a moment close to the right end has no room for it.
    placed = [(ts, x) for ts in moments if (x := _share(ts, start, end)) <= 94]
    return [Tick(x, _label(ts, years=years), minor=number % 2 == 1) for number, (ts, x) in enumerate(placed)]


def _moments(start: float, end: float) -> list[float]:
    for step in STEPS_S:
        if (end - start) / step <= MAX_TICKS - 1:
            first = ceil(start / step)
            return [float(number * step) for number in range(first, floor(end / step) + 1)]
    for months in STEPS_MONTHS:
        moments = list(_months(start, end, months))
        if len(moments) <= MAX_TICKS:
            return moments
    return []


def _months(start: float, end: float, step: int) -> Iterator[float]:
    year = datetime.fromtimestamp(start, UTC).year
    number = year * 12 // step * step
    while True:
        ts = datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC).timestamp()
        if ts > end:
            return
        if ts >= start:
            yield ts
        number += step


def _label(ts: float, *, years: bool) -> str:
    moment = datetime.fromtimestamp(ts, UTC)
    if ts % DAY:
        return f"{moment:%H:%M}"
    return f"{moment.day} {moment:%b}{f' {moment.year}' if years else ''}"


def _lanes(found: Sequence[Incident], start: float, end: float) -> tuple[list[Lane], float]:
    y = float(CHART_PX + AXIS_PX)
    lanes = []
    for severity in GRAVEST_FIRST:
        leaders = _drawn([each.leader for each in found], severity)
        others = _drawn([alert for each in found for alert in each.others], severity)
        if not leaders and not others:
            continue
        top = y + LANE_LABEL_PX
        main, main_rows = _marks(_thinned(leaders, MAX_MARKS), top, start, end, leads=True)
        pale, pale_rows = _marks(_thinned(others, MAX_MARKS - len(main)), top + main_rows * ROW_PX, start, end, leads=False)
        lanes.append(Lane(severity, top - 7, len(leaders) + len(others), main + pale))
        y = top + (main_rows + pale_rows) * ROW_PX + LANE_GAP_PX
    return lanes, y


def _drawn(alerts: Sequence[Alert], severity: Severity) -> list[Alert]:
    return sorted((alert for alert in alerts if alert.severity == severity), key=lambda alert: (alert.first_seen, alert.id))


def _thinned(alerts: Sequence[Alert], limit: int) -> Sequence[Alert]:
    """At most ``limit`` of them, spread over all of the time: a lane that broke off would look as if the attacks had."""
    return alerts if len(alerts) <= limit else [alerts[number * len(alerts) // limit] for number in range(limit)]


def _marks(alerts: Sequence[Alert], top: float, start: float, end: float, *, leads: bool) -> tuple[list[Mark], int]:
    """Each alert in the first row that is free by then; where none is, over the one that ends first."""
    taken: list[float] = []
    marks = []
    for alert in alerts:
        x1, x2 = (_share(from_text(stamp), start, end) for stamp in (alert.first_seen, alert.last_seen))
        row = next((number for number, until in enumerate(taken) if until + CLEARANCE <= x1), len(taken))
        if row == MAX_ROWS:
            row = min(range(MAX_ROWS), key=taken.__getitem__)
        elif row == len(taken):
            taken.append(x2)
        taken[row] = max(taken[row], x2)
        marks.append(Mark(x1, x2, top + row * ROW_PX + ROW_PX / 2, alert, leads))
    return marks, len(taken)


def _share(ts: float, start: float, end: float) -> float:
    return round(min(max(100 * (ts - start) / (end - start), 0.0), 100.0), 3)
