"""What a verdict does to an alert, and what is remembered of one that has resolved."""

from typing import Any

import pytest

from monitor.alerts.correlate import Correlator, Subject
from schemas.alert import Alert
from schemas.finding import Finding
from tests.checkpoints import Tables, read, write
from tests.helpers import T0
from tests.probes import Probe, said


class Once(Probe):
    """Each of its alerts is one of its own."""

    name = "once"
    comes_back = False


def correlator(max_open: int = 50_000) -> Correlator:
    return Correlator({"probe": Probe(), "once": Once()}, max_open=max_open)


def take(by: Correlator, *findings: Finding) -> list[tuple[int, str, Any]]:
    return versions(by.take(findings))


def versions(alerts: list[Alert]) -> list[tuple[int, str, Any]]:
    return [(alert.version, alert.status, alert.facts.get("verdict")) for alert in alerts]


def grows(seconds: float, count: int, **more: Any) -> Finding:
    return said("e1", T0 + seconds, "update", count=count, first_seen=T0, **more)


def closes(seconds: float, count: int = 9, **more: Any) -> Finding:
    return said("e1", T0 + seconds, "close", count=count, first_seen=T0, **more)


def opened(by: Correlator, **more: Any) -> str:
    return by.take([said("e1", T0, **more)])[0].id


@pytest.mark.parametrize("resolved", [False, True])
def test_an_alert_is_found_by_its_id_while_it_is_open_and_afterwards(resolved: bool) -> None:  # noqa: FBT001
    by = correlator()
    alert = opened(by, tenant="acme", variant="by_actor")
    if resolved:
        by.take([closes(5, tenant="acme")])
    assert by.subject(alert) == Subject("probe", "by_actor", "acme", "actor", "alice")
    assert by.subject("another") is None


def test_the_counts_of_an_attack_that_is_not_said_go_on() -> None:
    by = correlator()
    alert = opened(by, count=5)
    assert versions(by.judge(alert, "false")) == [(2, "resolved", "false")]
    assert take(by, grows(10, 10), grows(20, 20), closes(30, 25)) == []
    again = by.take([said("e9", T0 + 900, count=3)])
    assert [(each.id, each.version, each.count) for each in again] == [(alert, 3, 23)]


def test_a_graver_one_is_said_under_a_mistake_and_not_when_it_is_expected() -> None:
    for verdict, found in (("false", [(3, "firing", None)]), ("expected", [])):
        by = correlator()
        by.judge(opened(by, severity="medium"), verdict)  # type: ignore[arg-type]
        assert take(by, grows(10, 10, severity="medium")) == []
        assert take(by, grows(20, 20, severity="high")) == found


def test_an_attack_stays_one_when_it_comes_back() -> None:
    by = correlator()
    alert = opened(by)
    assert by.judge(alert, "true") == []
    assert take(by, closes(5), said("e9", T0 + 900)) == [(2, "resolved", "true"), (3, "firing", "true")]


def test_one_that_is_an_attack_after_all_fires_again_with_what_there_is_by_now() -> None:
    by = correlator()
    alert = opened(by, count=5)
    by.judge(alert, "expected")
    assert take(by, grows(10, 40)) == []
    (again,) = by.judge(alert, "true")
    assert (again.id, again.version, again.status, again.count, again.facts["verdict"]) == (alert, 3, "firing", 40, "true")
    assert take(by, closes(50, 41)) == [(4, "resolved", "true")]


def test_alerts_of_their_own_are_remembered_and_never_fire_again() -> None:
    by = correlator()
    alert = opened(by, detector="once")
    assert take(by, closes(5, detector="once")) == [(2, "resolved", None)]
    assert by.judge(alert, "true") == []
    (another,) = by.take([said("e9", T0 + 9, detector="once", count=2)])
    assert another.id != alert
    assert (another.version, another.count, another.facts.get("verdict")) == (1, 2, None)
    assert by.subject(alert) is None  # the latest alone is remembered


def test_what_is_remembered_is_bounded() -> None:
    by = correlator(max_open=3)
    ids = []
    for name in "abcdef":
        ids.append(opened(by, entity=name))
        by.judge(ids[-1], "false")
    assert [by.subject(each) is not None for each in ids] == [False, False, False, True, True, True]
    assert len(by._keys) == len(by._last) == len(by._past) == 3


@pytest.mark.parametrize("verdict", ["true", "false", "expected"])
@pytest.mark.parametrize("at", range(1, 6))
def test_a_restart_changes_nothing(verdict: Any, at: int) -> None:
    steps = [said("e1", T0, count=5), None, grows(10, 10), grows(20, 20, severity="high"), closes(30, 25), said("e9", T0 + 90, count=2)]
    found = []
    for restarts in (False, True):
        by, tables = correlator(), Tables()
        alerts: list[Alert] = []
        write(by.changed(everything=True), tables)
        for number, step in enumerate(steps):
            if restarts and number == at:
                write(by.changed(everything=False), tables)
                by = correlator()
                by.restore(read(tables))
            alerts += by.take([step]) if step is not None else by.judge(alerts[0].id, verdict)
        alerts += by.judge(alerts[0].id, "true")
        found.append(alerts)
    assert found[0] == found[1]
