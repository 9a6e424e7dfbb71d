"""Public rules and ours: what agrees is as the page says, and what does not is explained."""

from pathlib import Path

import pytest

from detectors.registry import DETECTORS
from tests.integration.agreement import PAGE, kinds, page, panther, streamalert, techniques, vendor_of
from tests.integration.panther_rules import RULES, STREAMALERT, TECHNIQUES, rule_of

pytestmark = pytest.mark.realdata


def test_the_page_says_what_the_run_gives(real_logs: Path) -> None:
    assert PAGE.read_text(encoding="utf-8") == page(real_logs), "run python -m tests.integration.agreement"


def test_every_rule_was_reviewed(real_logs: Path) -> None:
    assert {tried.rule for tried in (*panther(real_logs), *streamalert(real_logs)) if tried.row is None} == set()


def test_no_disagreement_is_without_an_explanation(real_logs: Path) -> None:
    unexplained = [
        (tried.rule, tried.case, "speaks" if tried.fired else "is silent")
        for tried in (*panther(real_logs), *streamalert(real_logs))
        if tried.row is not None and tried.row.detector is not None and not tried.agrees and tried.explained is None
    ]
    assert unexplained == []


def test_no_explanation_is_of_a_case_that_agrees(real_logs: Path) -> None:
    """An explanation of a whole rule (``*``) or of several cases must hold for one of them at least."""
    stale = []
    for table, cases in ((RULES, panther(real_logs)), (STREAMALERT, streamalert(real_logs))):
        for name, row in table.items():
            if row.detector not in DETECTORS:
                continue
            used = {tried.explained for tried in cases if tried.rule == name and not tried.agrees}
            stale += [(name, pattern) for pattern, why in row.apart.items() if why not in used]
    assert stale == []


def test_every_row_is_of_a_rule_of_the_collections(real_logs: Path) -> None:
    assert set(RULES) <= {tried.rule for tried in panther(real_logs)}
    assert set(STREAMALERT) == {tried.rule for tried in streamalert(real_logs)}


def test_techniques_are_told_of_or_it_is_said_why_not(real_logs: Path) -> None:
    found = techniques(real_logs)
    assert set(found) == set(TECHNIQUES)
    for name, (detectors, why) in TECHNIQUES.items():
        assert found[name] == set(detectors) & set(DETECTORS), name
        assert bool(why) != bool(detectors), name


def test_nearly_all_cases_become_events_of_the_right_kind(real_logs: Path) -> None:
    held, wrong = kinds(real_logs)
    assert held > 300
    assert len(wrong) <= 0.02 * held, wrong


def test_rules_that_nobody_reviewed_and_log_types_without_a_format_are_told() -> None:
    assert rule_of("Some.Rule") is None
    assert rule_of("AWS.EC2.Anything") is not None
    assert vendor_of("OneLogin.Events") is None
