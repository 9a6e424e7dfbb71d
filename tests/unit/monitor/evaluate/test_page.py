"""The page of an evaluation."""

import re

from monitor.evaluate.frontier import Edge, Frontier, Point
from monitor.evaluate.page import render
from monitor.evaluate.scoring import score
from monitor.evaluate.words import limit_in_words
from tests.unit.monitor.evaluate.cases import seen, truth

HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e{{ 7*7 }}"


def point(value: float, found: int, seen_by_any: int | None = None, events: int = 9) -> Point:
    return Point(value=value, found=found, seen=found if seen_by_any is None else seen_by_any, tried=3, events=events, lasted_s=600.0)


def edge(axis: str, *points: Point, limit: Point | None = None) -> Edge:
    return Edge(scenario="password_spray", axis=axis, points=points, limit=limit)


def test_it_says_what_was_found_missed_and_false() -> None:
    scores = score([truth(), truth(scenario="mfa_change", detectors=("mfa_change",))], [seen(1_050.0), seen(90_000.0, title="Odd: eve")])
    page = render(scores, None, ["recall is 0.5, less than 0.9"])
    assert "<h1>1 of 2 found, 1 false alert</h1>" in page
    assert "A limit is missed" in page
    assert "recall is 0.5, less than 0.9" in page
    assert "Odd: eve" in page
    assert "Not measured in this run" in page


def test_the_frontier_shows_each_attack_along_each_axis() -> None:
    points = (point(32.0, 0, 1), point(4.0, 3), point(1.0, 3))
    frontier = Frontier(edges=(edge("stretch", *points, limit=points[1]),), seeds=(1, 2, 3))
    page = render(score([truth()], []), frontier)
    assert "How slow" in page
    assert "<h3>How weak" not in page
    assert "found in 0 of 3 worlds, by any detector in 1" in page
    assert "found at 4× (9 events in 10 min); may pass at 32× (9 events in 10 min)" in page


def test_names_of_strangers_stay_text() -> None:
    scores = score(
        [truth(scenario=HOSTILE, entities=(HOSTILE,), intensity=HOSTILE, detectors=(HOSTILE,))],
        [seen(90_000.0, title=HOSTILE, entity=HOSTILE, tenant=HOSTILE, id=HOSTILE, detector=HOSTILE)],
    )
    page = render(scores)
    assert "<script" not in page
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert "49" not in re.sub(r"<style>.*</style>", "", page, flags=re.DOTALL)


def test_it_needs_nothing_else_and_is_the_same_each_time() -> None:
    scores = score([truth()], [seen(1_050.0)])
    page = render(scores)
    assert page == render(scores)
    assert not re.findall(r"(?:src|href)=\"(?!#|data:,)", page)
    assert "default-src &#39;none&#39;" in page


def test_limits_are_said_in_words() -> None:
    weak, low = point(0.5, 0, events=3), point(1.0, 3)
    assert limit_in_words(edge("strength", weak, low, limit=low)) == (
        "found at 1 (9 events in 10 min); may pass at 0.5 (3 events in 10 min)"
    )
    assert limit_in_words(edge("strength", weak)) == "may pass anywhere on this scale"
    assert limit_in_words(edge("spread", low, limit=low)) == "found everywhere on this scale: 1 address"
    assert limit_in_words(edge("strength", weak, point(2.0, 3, events=0), limit=point(2.0, 3, events=0))).startswith(
        "found at 2 (nothing for 10 min)"
    )
