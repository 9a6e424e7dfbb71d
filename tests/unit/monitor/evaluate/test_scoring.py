"""Which alert belongs to which attack."""

from typing import Any

import pytest

from monitor.evaluate.scoring import MARGIN_S, World, length, score, score_all
from tests.unit.monitor.evaluate.cases import START, seen, truth


@pytest.mark.parametrize(
    ("alert", "kind"),
    [
        ({"at": 1_050.0}, "expected"),
        ({"at": 1_050.0, "entity": "ip:203.0.113.9"}, "expected"),  # involved
        ({"at": 1_050.0, "detector": "password_spray"}, "also"),
        ({"at": 1_050.0, "entity": "actor:eve"}, "false"),
        ({"at": 1_050.0, "tenant": "dune"}, "false"),
        ({"at": 1_050.0, "tenant": None}, "expected"),  # a log that names no tenant
        ({"at": 941.0}, "expected"),  # clocks differ
        ({"at": 939.0}, "false"),
        ({"at": 1_300.0 + MARGIN_S}, "expected"),
        ({"at": 1_301.0 + MARGIN_S}, "false"),
        ({"at": 50_000.0, "first_seen": START + 1_200.0}, "expected"),  # it begins with the attack
        ({"at": 50_000.0, "first_seen": START + 900.0}, "false"),
        ({"at": 10.0, "moments": [START + 10, START + 1_100]}, "expected"),  # it came back
    ],
)
def test_an_alert_belongs_to_an_attack_by_tenant_entity_and_time(alert: dict[str, Any], kind: str) -> None:
    one = seen(**alert)
    score([truth()], [one])
    assert one.kind == kind


def test_what_another_detector_saw_is_no_find_of_the_expected_one_and_not_false() -> None:
    scores = score([truth()], [seen(1_060.0, detector="password_spray")])
    assert (scores.overall.expected, scores.overall.found, scores.overall.recall) == (1, 0, 0.0)
    assert scores.also_seen == {"failed_login_burst": {"password_spray": 1}}
    assert (scores.noticed, scores.false.total, scores.precision) == (1, 0, 1.0)


def test_time_to_detect_is_from_the_start_of_the_attack_to_the_first_word_of_it() -> None:
    truths = [truth(), truth(entities=("actor:eve",), involved=("actor:eve",)), truth(entities=("actor:dan",), involved=("actor:dan",))]
    alerts = [seen(1_090.0), seen(1_060.0, entity="ip:203.0.113.9"), seen(1_200.0, entity="actor:eve")]
    scores = score(truths, alerts)
    assert [attack.found for attack in scores.attacks] == [{"failed_login_burst": 60.0}, {"failed_login_burst": 200.0}, {}]
    assert scores.overall.median_s == 130.0
    assert scores.overall.recall == 2 / 3


def test_false_alerts_are_counted_by_day_and_severity_and_those_that_told_nobody_apart() -> None:
    alerts = [
        seen(1_050.0),
        seen(90_000.0, severity="medium"),
        seen(90_001.0, severity="low"),
        seen(90_002.0, severity="critical", notified=False),
        seen(90_003.0, detector="new_geography", severity="info"),
    ]
    scores = score([truth()], alerts)
    false = scores.false
    assert (false.total, false.medium, false.inhibited, false.per_day, false.medium_per_day) == (3, 1, 1, 1.5, 0.5)
    assert scores.precision == 1 / 5
    burst, geography = scores.detectors
    assert (burst.detector, burst.alerts, burst.precision, burst.false.per_day) == ("failed_login_burst", 4, 0.25, 1.0)
    assert (geography.detector, geography.overall.recall, geography.precision) == ("new_geography", None, 0.0)
    assert [alert.severity for alert in scores.false_alerts] == ["medium", "low", "info", "critical"]


def test_intensities_are_scored_apart_in_the_order_of_their_strength() -> None:
    truths = [truth(intensity=name, entities=(f"actor:{name}",), involved=()) for name in ("high", "low", "0.5", "medium")]
    scores = score(truths, [seen(1_050.0, entity="actor:high"), seen(1_051.0, entity="actor:low")])
    assert [(name, rate.found) for name, rate in scores.by_intensity.items()] == [("low", 1), ("medium", 0), ("high", 1), ("0.5", 0)]


def test_a_campaign_is_expected_of_each_of_its_detectors() -> None:
    scores = score([truth(detectors=("password_spray", "bulk_export"))], [seen(1_050.0, detector="bulk_export")])
    assert {row.detector: row.overall.recall for row in scores.detectors} == {"password_spray": 0.0, "bulk_export": 1.0}


def test_worlds_are_scored_apart_and_counted_together() -> None:
    worlds = [World([truth()], [seen(1_050.0)], 2.0), World([truth()], [], 3.0), World([], [seen(1_050.0)], 5.0)]
    scores = score_all(worlds, detectors=("mfa_change",))
    assert (scores.overall.found, scores.overall.expected, scores.false.total, scores.false.per_day) == (1, 2, 1, 0.1)
    assert [row.detector for row in scores.detectors] == ["mfa_change", "failed_login_burst"]


def test_without_attacks_and_alerts_there_is_nothing_to_say() -> None:
    scores = score([], [])
    assert (scores.overall.recall, scores.precision, scores.false.per_day, scores.days) == (None, None, 0.0, 1.0)


def test_the_length_is_what_the_truth_says_or_what_is_known() -> None:
    assert length([truth()], []) == 2.0
    assert length([truth(traffic=None)], [seen(1_000.0 + 3 * 86_400)]) == 3.0
    assert length([truth(traffic=None)], []) == 1.0
