import io

import pytest
from rich.console import Console

from monitor.report.summary import InputReport, Summary
from monitor.report.table import MAX_ALERTS, show
from tests.unit.monitor.report.examples import alert, hostile, nothing_read, summary


def written(shown: Summary, *, width: int = 80, terminal: bool = False, encoding: str = "utf-8", colour: bool = False) -> str:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, newline="")
    show(
        shown, Console(file=file, width=width, force_terminal=terminal, color_system="truecolor" if colour else None, legacy_windows=False)
    )
    file.flush()
    return raw.getvalue().decode(encoding)


def test_elsewhere_than_on_a_terminal_each_alert_is_one_line() -> None:
    text = written(
        summary(alert(2), alert(1, "root", severity="high"), alert(3, incident="incident00001", inhibited_by="id00001")), width=40
    )
    assert text.splitlines()[:4] == [
        "high      2026-03-03T00:01:00.000Z  failed_login_burst  root +1 related  37  37 failed logins of root.",
        "medium    2026-03-03T00:02:00.000Z  failed_login_burst  203.0.113.9  37  37 failed logins of 203.0.113.9.",
        "",
        "2 incidents: 1 high, 1 medium.",
    ]


def test_the_totals_are_complete() -> None:
    text = written(summary(alert(1), alert(2, severity="low"), rejects={"bad_time": 2, "not_json": 5}, repeats=3, late=4))
    assert text.splitlines()[4:12] == [
        "events    180 from 1 input in 0.5 s (360 events/s)",
        "  auth.log: sshd, recognised from its content (100% sure); 180 events of 183 records, 2 without an event",
        "rejects   7 (5 not_json, 2 bad_time)",
        "repeats   3",
        "late      4",
        "alerts    2",
        "  failed_login_burst  1 medium, 1 low",
        "note      180 of 180 events with an address could not be placed.",
    ]


@pytest.mark.parametrize("width", [20, 40, 80, 100, 129, 130, 200])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "iso-8859-1"])
def test_tables_fit_the_terminal(width: int, encoding: str) -> None:
    text = written(summary(*[alert(each, "n" * 100 * each) for each in range(1, 5)]), width=width, terminal=True, encoding=encoding)
    assert max(map(len, text.splitlines())) <= width


def test_a_terminal_of_80_columns_shows_everything() -> None:
    text = written(summary(alert(1, incident="a"), alert(2, incident="a", inhibited_by="id00001")), terminal=True)
    for expected in ("medium", "failed_login_burst  203.0.113.9  +1 related", "37", "00:01:00", "37 failed logins of 203.0.113.9."):
        assert expected in text


def test_days_are_named_when_there_are_several() -> None:
    text = written(summary(alert(1), alert(2000)), terminal=True, width=150)
    assert "2026-03-03 00:01:00" in text
    assert "2026-03-04 09:20:00" in text


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("width", [80, 160])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_no_control_character_of_a_name_reaches_the_terminal(width: int, encoding: str, *, terminal: bool) -> None:
    text = written(hostile(), width=width, terminal=terminal, encoding=encoding)
    assert all(c.isprintable() or c == "\n" for c in text)


def test_the_only_escapes_on_a_terminal_are_our_colours() -> None:
    text = written(hostile(), terminal=True, colour=True)
    assert "\x1b[31mred" not in text
    assert "\x1b]" not in text
    assert "\x9b" not in text


@pytest.mark.parametrize("terminal", [True, False])
def test_markup_in_a_name_is_shown_as_it_is(*, terminal: bool) -> None:
    name = "[bold]x[/] [/red] :smile:"
    plain = written(summary(alert(1, name), notes=[name], failed={name: "KeyError"}), terminal=terminal, width=200)
    assert plain.count(name) >= 4
    coloured = written(summary(alert(1, name)), terminal=True, width=200, colour=True)
    assert name in coloured


def test_outside_of_utf_8_only_ascii_is_written() -> None:
    text = written(summary(alert(1, "Ж" + "x" * 300)), terminal=True, encoding="ascii")
    assert text.isascii()
    assert "..." in text


def test_what_went_wrong_is_loud() -> None:
    shown = summary(
        failed={"impossible_travel/by_actor": "KeyError"},
        inputs=[InputReport("a.gz", "sshd", "as told", problem="it breaks off"), InputReport("b", None, "empty")],
        notes=["allow-list entry 3 matched nothing"],
        detectors=[("failed_login_burst/by_ip", 5, 7)],
    )
    lines = written(shown).splitlines()
    assert lines[-6:] == [
        "DISABLED  impossible_travel/by_actor failed (KeyError); what it would have found is missing",
        "problem   a.gz: it breaks off",
        "not read  b: empty",
        "forgotten failed_login_burst/by_ip: 7 keys for want of room",
        "note      180 of 180 events with an address could not be placed.",
        "note      allow-list entry 3 matched nothing",
    ]
    assert "\x1b[1;37;41mDISABLED" in written(shown, terminal=True, colour=True)


def test_only_the_gravest_of_many_are_shown() -> None:
    text = written(summary(*[alert(each) for each in range(1, 200)]))
    assert text.count("37 failed logins of") == MAX_ALERTS
    assert "and 149 further incidents, less grave or later than these" in text


def test_an_empty_replay_says_so() -> None:
    assert written(nothing_read()).splitlines() == [
        "",
        "Nothing was found.",
        "events    0 from 1 input in 0.5 s (0 events/s)",
        "rejects   0",
        "repeats   0",
        "late      0",
        "alerts    0",
        "not read  empty.log: empty",
    ]
