"""Numbers of an evaluation in words, the same on the terminal, on the page and in the documentation."""

from detectors.phrases import span, times
from monitor.evaluate.frontier import Edge, Point
from monitor.evaluate.scoring import Rate


def share(value: float | None) -> str:
    """A share of one with two decimals; a dash where there is none.

    >>> share(0.9349), share(1.0), share(None)
    ('0.93', '1.00', '–')
    """
    return "–" if value is None else f"{int(value * 100 + 1e-9) / 100:.2f}"  # cut, not rounded: 0.996 has not found all


def of(rate: Rate | None) -> str:
    """Found of expected.

    >>> of(Rate(expected=4, found=3)), of(None)
    ('3/4', '–')
    """
    return "–" if rate is None or not rate.expected else f"{rate.found:,}/{rate.expected:,}"


def delay(seconds: float | None) -> str:
    """A time to detect.

    >>> delay(None), delay(0.2), delay(95)
    ('–', 'at once', '95 s')
    """
    if seconds is None:
        return "–"
    return "at once" if seconds < 1 else span(seconds)


def daily(number: float) -> str:
    """So many a day.

    >>> daily(0), daily(0.0714), daily(4.19), daily(1234.5)
    ('0', '0.07', '4.19', '1,234.5')
    """
    text = f"{number:,.2f}".rstrip("0").rstrip(".")
    return text if number < 0.005 or text != "0" else "<0.01"


def size(point: Point) -> str:
    """How much an attack is."""
    if not point.events:
        return f"nothing for {span(point.lasted_s)}"
    return times(point.events, "event") + (f" in {span(point.lasted_s)}" if point.lasted_s >= 1 else "")


def limit_in_words(edge: Edge) -> str:
    """From where on it is found, as a person would say it."""
    point = edge.limit
    if point is None:
        return "may pass anywhere on this scale"
    if point is edge.points[0]:
        return f"found everywhere on this scale: {_place(edge.axis, point)}"
    before = edge.points[edge.points.index(point) - 1]
    return f"found at {_place(edge.axis, point)}; may pass at {_place(edge.axis, before)}"


def _place(axis: str, point: Point) -> str:
    if axis == "spread":
        return times(int(point.value), "address")
    return f"{point.value:g} ({size(point)})" if axis == "strength" else f"{point.value:g}× ({size(point)})"
