"""An ordinary day raises nothing that anybody would be called for, and does not hide an attack. See docs/ordinary-day.md."""

import re
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from detectors.registry import DETECTORS
from monitor.app import Parts
from monitor.engines.replay import Options, Replay
from monitor.settings import Settings
from schemas.alert import Alert
from schemas.event import KINDS
from schemas.severity import RANK
from schemas.stamps import rfc3339
from tests.ordinary.attacks import ATTACKS, plant
from tests.ordinary.world import MONDAY
from tests.ordinary_day import Extra, ordinary_events

SEEDS = (1, 2, 3)
LEARNED = frozenset({"api_volume_anomaly", "off_hours_activity", "behaviour_anomaly"})
"""No rules: what they take for ordinary is measured elsewhere."""
PAGE = Path(__file__).parents[2] / "docs" / "ordinary-day.md"
BEGIN = rfc3339(MONDAY)


def is_learned(alert: Alert) -> bool:
    """Whether it was raised because something is unusual for somebody, not by a rule."""
    return alert.detector in LEARNED or "unusual" in alert.facts


class Day(msgspec.Struct):
    """What a run gave."""

    events: int
    """Of the day alone, as are the kinds."""
    kinds: Counter[str]
    alerts: list[Alert]
    """The last version of each, of the day and of the days before."""

    def raised(self, *, before: bool = False) -> list[Alert]:
        """The alerts of the rules to which something belongs that happened on the day; or those that were over before."""
        return [alert for alert in self.alerts if (alert.last_seen < BEGIN) == before and not is_learned(alert)]


def _live(folder: Path, seed: int, extra: Extra | None = None) -> Day:
    log, encode, kinds = folder / f"day-{seed}.jsonl", msgspec.json.Encoder().encode, Counter[str]()
    with log.open("wb") as file:
        for row in ordinary_events(seed, extra):
            file.write(encode(row) + b"\n")
            if row["time"] >= MONDAY:
                kinds[row["kind"]] += 1
    parts, last = Parts(Settings()), dict[str, Alert]()
    replay = Replay(parts.core, Options(format="native"))
    for alerts in replay.run([log]):
        last.update((alert.id, alert) for alert in alerts)
    assert not parts.core.runner.failed
    assert not any(report.rejects for report in replay.reports)
    return Day(kinds.total(), kinds, list(last.values()))


@pytest.fixture(scope="module")
def day_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Day]:
    """The day with this seed, lived only once."""
    lived: dict[int, Day] = {}
    folder = tmp_path_factory.mktemp("ordinary")

    def live(seed: int) -> Day:
        if seed not in lived:
            lived[seed] = _live(folder, seed)
        return lived[seed]

    return live


def _documented(heading: str) -> dict[int, dict[tuple[str, str], int]]:
    """By seed, the numbers of alerts by detector and severity that the page names under a heading."""
    section = PAGE.read_text(encoding="utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (\d+) \| (\d+) \| (\d+) \|", section, re.MULTILINE)
    return {seed: {(row[0], row[1]): int(row[2 + at]) for row in rows if int(row[2 + at])} for at, seed in enumerate(SEEDS)}


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_of_medium_severity_or_higher_is_raised(day_of: Callable[[int], Day], seed: int) -> None:
    grave = [alert for alert in day_of(seed).raised() if RANK[alert.severity] >= RANK["medium"]]
    assert [f"{alert.severity} {alert.detector} {alert.entity.value}: {alert.summary}" for alert in grave] == []


@pytest.mark.parametrize("seed", SEEDS)
def test_there_is_much_of_everything(day_of: Callable[[int], Day], seed: int) -> None:
    day = day_of(seed)
    assert day.events >= 50_000
    assert set(day.kinds) == KINDS


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("heading", "before"), [("What the day raises", False), ("What the days before raise", True)])
def test_the_page_says_what_is_raised(day_of: Callable[[int], Day], seed: int, heading: str, before: bool) -> None:  # noqa: FBT001 - a table of cases
    raised = Counter((alert.detector, alert.severity) for alert in day_of(seed).raised(before=before))
    assert raised == _documented(heading)[seed]


def test_the_same_seed_gives_the_same_day_and_another_one_another() -> None:
    first, again, other = ([*zip(range(3000), ordinary_events(seed), strict=False)] for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_events_come_in_order_of_time_each_with_its_own_id() -> None:
    rows = list(ordinary_events(1))
    assert all(one["time"] <= other["time"] for one, other in pairwise(rows))
    assert len({row["id"] for row in rows}) == len(rows)


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> list[Alert]:
    """The day with one attack for each detector put into it."""
    return _live(tmp_path_factory.mktemp("attacked"), 1, plant).raised()


@pytest.mark.parametrize("name", [name for name in DETECTORS if name not in LEARNED])
def test_an_attack_in_it_is_found(attacked: list[Alert], name: str) -> None:
    entity = ATTACKS[name].entity
    found = [alert for alert in attacked if alert.detector == name and f"{alert.entity.type}:{alert.entity.value}" == entity]
    assert found, f"nothing about {entity}"
    assert max(RANK[alert.severity] for alert in found) >= RANK["medium"]
