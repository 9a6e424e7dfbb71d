import random

from monitor.report.incidents import by_severity, counts, incidents, verdict
from schemas.alert import Alert
from tests.unit.monitor.report.examples import alert


def test_incidents_come_gravest_first_and_then_by_time_whatever_the_order_of_the_alerts() -> None:
    alerts = [alert(3), alert(1), alert(2, severity="critical"), alert(9, severity="high"), alert(4, severity="info")]
    for seed in range(5):
        random.Random(seed).shuffle(alerts)
        assert [each.leader.id for each in incidents(alerts)] == ["id00002", "id00009", "id00001", "id00003", "id00004"]


def test_the_alert_that_nobody_inhibits_leads_even_when_it_came_later() -> None:
    first, second = alert(1, incident="a", inhibited_by="id00002"), alert(2, incident="a")
    (found,) = incidents([first, second])
    assert (found.leader.id, [each.id for each in found.others]) == ("id00002", ["id00001"])


def test_an_incident_is_as_grave_as_the_worst_of_its_alerts() -> None:
    (found,) = incidents([alert(1, incident="a"), alert(2, incident="a", severity="critical", inhibited_by="id00001")])
    assert (found.severity, found.leader.id) == ("critical", "id00001")


def test_an_incident_whose_alerts_are_all_inhibited_still_has_a_leader() -> None:
    (found,) = incidents([alert(2, incident="a", inhibited_by="gone"), alert(1, incident="a", inhibited_by="gone")])
    assert found.leader.id == "id00001"


def test_the_verdict_counts_incidents_not_alerts() -> None:
    cases: tuple[tuple[list[Alert], str], ...] = (
        ([alert(1)], "1 medium incident."),
        ([alert(1), alert(2)], "2 medium incidents."),
        ([alert(1), alert(2, severity="critical"), alert(3, incident="incident00001")], "2 incidents: 1 critical, 1 medium."),
        ([], "Nothing was found."),
    )
    for alerts, expected in cases:
        assert verdict(incidents(alerts)) == expected


def test_severities_that_are_absent_have_no_group() -> None:
    found = incidents([alert(1), alert(2, severity="high")])
    assert list(by_severity(found)) == ["high", "medium"]
    assert counts(["low", "high", "low"]) == {"high": 1, "low": 2}
