"""Every golden case holds: where a detector must fire it does, where it must stay silent it does."""

from pathlib import Path

import pytest

from detectors.registry import DETECTORS
from monitor.golden import check, find

CASES = find(Path(__file__).parent)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.name}")
def test_case_holds(case: Path) -> None:
    assert check(case) == []


@pytest.mark.parametrize("name", DETECTORS)
def test_detector_has_cases_that_fire_and_cases_that_must_not(name: str) -> None:
    texts = [(case / "case.yaml").read_text(encoding="utf-8") for case in CASES if case.parent.name == name]
    assert sum("fires: []" in text for text in texts) >= 2
    assert sum("fires: []" not in text for text in texts) >= 2
