import pytest

from monitor.report.incidents import incidents
from monitor.report.timeline import MAX_BARS, MAX_MARKS, MAX_ROWS, MAX_TICKS, rebin, ticks, timeline
from tests.unit.monitor.report.examples import T0, alert

DAY = 86_400


def test_no_events_make_no_timeline() -> None:
    assert timeline([], 60, []) is None


@pytest.mark.parametrize("span_s", [60, 600, 3600, DAY, 11 * DAY, 90 * DAY, 400 * DAY, 20 * 365 * DAY])
def test_bars_keep_every_event_and_stay_few(span_s: int) -> None:
    width_s = 60
    while span_s / width_s > 2000:
        width_s *= 2
    rows = [(float(at), 1) for at in range(0, span_s, width_s)]
    bar_s, merged = rebin(rows, width_s)
    assert sum(merged.values()) == len(rows)
    assert len(merged) <= MAX_BARS + 1
    assert bar_s % width_s == 0


def test_one_minute_of_events_is_drawn_with_room_around_it() -> None:
    line = timeline([(T0, 5)], 60, [])
    assert line is not None
    # 12 bars of room: six before, the bar itself and five after.
    assert [(bar.x, bar.width, bar.height) for bar in line.bars] == [(41.667, 7.167, 92)]


@pytest.mark.parametrize(
    ("start", "span_s", "labels"),
    [
        (T0, 3 * 3600, ["3 Mar", "00:30", "01:00", "01:30", "02:00", "02:30"]),
        (T0 + 60, 600, ["00:02", "00:04", "00:06", "00:08", "00:10"]),
        (T0, 4 * DAY, ["3 Mar", "12:00", "4 Mar", "12:00", "5 Mar", "12:00", "6 Mar", "12:00"]),
        (T0, 300 * DAY, ["1 Apr", "1 May", "1 Jun", "1 Jul", "1 Aug", "1 Sep", "1 Oct", "1 Nov", "1 Dec"]),
        (
            T0,
            2 * 365 * DAY,
            ["1 Apr 2026", "1 Jul 2026", "1 Oct 2026", "1 Jan 2027", "1 Apr 2027", "1 Jul 2027", "1 Oct 2027", "1 Jan 2028"],
        ),
    ],
)
def test_ticks_are_round_moments(start: float, span_s: int, labels: list[str]) -> None:
    assert [tick.label for tick in ticks(start, start + span_s)] == labels


@pytest.mark.parametrize("span_s", [600, 7000, 50_000, DAY, 10 * DAY, 75 * DAY, 130 * DAY, 3 * 365 * DAY, 90 * 365 * DAY])
def test_ticks_are_neither_many_nor_none(span_s: int) -> None:
    assert 2 <= len(ticks(T0 + 17, T0 + 17 + span_s)) <= MAX_TICKS


def test_each_severity_has_a_lane_and_alerts_at_the_same_time_lie_side_by_side() -> None:
    found = incidents([alert(1), alert(2), alert(90), alert(5, severity="high")])
    line = timeline([(T0 + 60 * each, 1) for each in range(180)], 60, found)
    assert line is not None
    assert [(lane.severity, lane.alerts) for lane in line.lanes] == [("high", 1), ("medium", 3)]
    # Minutes 1–6 and 2–7 overlap, minute 90 fits in the first row again; rows are 9 px apart.
    assert [mark.y - line.lanes[1].marks[0].y for mark in line.lanes[1].marks] == [0, 9, 0]
    assert all(mark.y < line.height for lane in line.lanes for mark in lane.marks)


def test_other_alerts_of_an_incident_lie_below_those_that_lead() -> None:
    found = incidents([alert(1, incident="a", inhibited_by="id00002"), alert(2, incident="a"), alert(100)])
    line = timeline([(T0 + 60 * each, 1) for each in range(180)], 60, found)
    assert line is not None
    assert [(mark.alert.id, mark.leads) for mark in line.lanes[0].marks] == [("id00002", True), ("id00100", True), ("id00001", False)]
    assert line.lanes[0].marks[2].y == line.lanes[0].marks[0].y + 9


def test_marks_and_rows_are_bounded_and_those_left_out_are_counted() -> None:
    line = timeline(
        [(T0, 1), (T0 + 60 * 2000, 1)], 60, incidents([alert(each % 7 + 1, id=str(each), incident=str(each)) for each in range(1000)])
    )
    assert line is not None
    (lane,) = line.lanes
    assert (lane.alerts, len(lane.marks), len({mark.y for mark in lane.marks})) == (1000, MAX_MARKS, MAX_ROWS)


def test_marks_that_are_left_out_are_spread_over_all_of_the_time() -> None:
    alerts = [alert(each, id=f"{each:04}", incident=str(each)) for each in range(1000)]
    line = timeline([(T0, 1), (T0 + 60 * 1005, 1)], 60, incidents(alerts))
    assert line is not None
    assert [mark.alert.id for mark in line.lanes[0].marks[:: MAX_MARKS // 5]] == ["0000", "0200", "0400", "0600", "0800"]


def test_an_alert_outside_of_the_events_is_drawn_at_the_edge() -> None:
    line = timeline([(T0 + 60 * each, 1) for each in range(20)], 60, incidents([alert(500)]))
    assert line is not None
    assert [(mark.x1, mark.x2) for mark in line.lanes[0].marks] == [(100.0, 100.0)]
