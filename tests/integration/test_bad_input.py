"""Whatever a log holds: each bad record is counted with a reason and kept whole, and the good ones around it give the alerts they give alone."""

from pathlib import Path

import pytest

from schemas.alert import Alert
from tests.commands import watchfloor
from tests.integration.bad_logs import BOMB, GOOD, IN_2099, SAMPLES, login, of_lines, raw, record_of, replay, shown


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[Alert]:
    """The alerts of the good lines alone."""
    alerts = of_lines(tmp_path_factory.mktemp("good"), GOOD).alerts
    assert {alert.detector for alert in alerts} >= {"failed_login_burst"}
    return alerts


AMONG_GOOD = {
    "cut": ([b'{"id":"x","time":17723'], ["truncated"]),
    "no JSON": ([b"Mar  1 08:00:00 web1 something", b"null", b"[]", b'"text"'], ["not_json", *["unknown_shape"] * 3]),
    "invalid UTF-8": ([raw(1, actor='"\xff\xfe"').replace("\xff\xfe".encode(), b"\xff\xfe")], ["not_utf8"]),
    "bombs": ([BOMB, b'{"a":' * 100_000, raw(1, x="[" * 100_000 + "]" * 100_000)], ["too_deep"] * 3),
    "NUL bytes": ([b"\0" * 10_000], ["not_json"]),
    "no numbers": ([raw(1, time="NaN"), raw(2, time="Infinity"), raw(3, time="-Infinity"), raw(4, bytes="NaN")], ["not_json"] * 4),
    "too large numbers": ([raw(1, time="1e400"), raw(2, bytes="9" * 400), raw(3, lat="-" + "9" * 5000)], ["bad_field"] * 3),
    "negative numbers": ([raw(1, time="-5"), raw(2, bytes="-5"), raw(3, status="-1")], ["time_out_of_range", "bad_field", "bad_field"]),
    "1970": ([login(99, time=5)], ["time_out_of_range"]),
    "beyond 2099": ([login(99, time=4_200_000_000), login(98, time="9999-12-31T23:59:59Z")], ["time_out_of_range"] * 2),
    "2099": ([login(99, time=IN_2099)], ["future_time"]),
    "2099 thrice, in disagreement": ([login(90 + i, time=IN_2099 + 100_000 * i) for i in range(3)], ["future_time"] * 3),
    "no address": ([login(99, ip="999.1.1.1"), login(98, ip="localhost")], ["bad_address"] * 2),
    "no time": ([login(99, time="yesterday"), login(98, time=None), login(97, time=True)], ["bad_time", "missing_field", "bad_time"]),
    "no kind": ([login(99, kind="auth.bogus")], ["unknown_kind"]),
    "control characters": ([b"\x1b[2J\x1b]0;pwn\x07", b'{"time":\x0b1}'], ["not_json"] * 2),
    "too long": ([b"x" * 2_000_000, b'{"a":"' + b"x" * 2_000_000 + b'"}'], ["too_long"] * 2),
}


@pytest.mark.parametrize("name", AMONG_GOOD)
def test_bad_lines_among_good_ones_cost_nothing_else(name: str, tmp_path: Path, expected: list[Alert]) -> None:
    bad, reasons = AMONG_GOOD[name]
    result = of_lines(tmp_path, [*GOOD[:15], *bad, *GOOD[15:]])
    assert result.ran.code == 0
    assert result.alerts == expected
    assert result.reasons() == list(enumerate(reasons, 16))
    assert [record_of(row) for row in result.rejects] == bad
    assert (shown(result.ran, "rejects"), shown(result.ran, "events")) == (len(bad), 30)


@pytest.mark.parametrize("name", AMONG_GOOD)
def test_bad_lines_at_both_ends_cost_nothing_else_when_the_format_is_named(name: str, tmp_path: Path, expected: list[Alert]) -> None:
    bad, reasons = AMONG_GOOD[name]
    last_may_be_true = "future_time" in reasons  # after it nothing contradicts
    result = of_lines(tmp_path, [*bad, *GOOD, *bad], "--format", "native", end=b"")
    assert result.ran.code == 0
    assert [alert.id for alert in result.alerts if alert.version == 1] == [alert.id for alert in expected if alert.version == 1]
    assert shown(result.ran, "rejects") == len(bad) * (1 if last_may_be_true else 2)
    assert [record_of(row) for row in result.rejects if row["line"] == 1] == bad[:1]


def test_a_log_whose_clock_is_wrong_as_a_whole_is_read(tmp_path: Path, expected: list[Alert]) -> None:
    result = of_lines(tmp_path, [login(i, time=IN_2099 + i) for i in range(30)])
    assert shown(result.ran, "rejects") == 0
    assert [(alert.detector, alert.count) for alert in result.alerts] == [(alert.detector, alert.count) for alert in expected]


def test_single_lines_of_2099_here_and_there_are_each_refused(tmp_path: Path, expected: list[Alert]) -> None:
    lines = [line for i in range(30) for line in ([login(100 + i, time=IN_2099 + i)] if i % 5 == 1 else []) + [GOOD[i]]]
    result = of_lines(tmp_path, lines)
    assert [row["reason"] for row in result.rejects] == ["future_time"] * 6
    assert result.alerts == expected


def test_the_last_line_may_be_of_any_time(tmp_path: Path, expected: list[Alert]) -> None:
    result = of_lines(tmp_path, [*GOOD, login(99, time=IN_2099)])
    assert shown(result.ran, "events") == 31
    assert {alert.id for alert in result.alerts} == {alert.id for alert in expected}


def test_lone_surrogates_do_not_hide_a_log(tmp_path: Path) -> None:
    lines = [line.replace(b"alice", b"al\\ud800ice") for line in GOOD]
    result = of_lines(tmp_path, lines)
    assert result.ran.code == 0
    assert shown(result.ran, "events") == 30
    assert {alert.entity.value for alert in result.alerts if alert.entity.type == "actor"} == {"al\ufffdice"}


def test_sshd_names_that_are_no_utf8_are_events(tmp_path: Path) -> None:
    lines = [
        b"2026-03-01T08:00:%02d+00:00 web1 sshd[1301]: Failed password for inv\xff\xfealid from 203.0.113.9 port 40022 ssh2" % i
        for i in range(30)
    ]
    result = of_lines(tmp_path, lines)
    assert (shown(result.ran, "events"), shown(result.ran, "rejects")) == (30, 0)
    assert "203.0.113.9" in {alert.entity.value for alert in result.alerts}


def test_a_bomb_in_cloudtrail_is_refused_alone(tmp_path: Path) -> None:
    sample = (SAMPLES / "cloudtrail.log").read_bytes().splitlines()
    deep = b'{"eventVersion":"1.08","eventTime":"2026-03-01T08:00:02Z","x":' + BOMB + b"]" * 100_000 + b"}"
    for bad in (deep, BOMB, b'{"x":' * 50_000):
        result = of_lines(tmp_path, [*sample[:3], bad, *sample[3:]])
        assert result.reasons() == [(4, "too_deep")]
        assert record_of(result.rejects[0]) == bad
        assert shown(result.ran, "events") == shown(of_lines(tmp_path, sample).ran, "events")


# -- names made to deceive --------------------------------------------------------------------------------------------------------

EVIL = "<img src=x onerror=alert(1)></script>[bold red]x[/]\x1b[35;45m\x1b]0;pwn\x07\u202egpj\n\r\x00\x9b35m\x7f[link=https://example.com]"
HARMFUL = ("\x1b[35;45m", "\x1b]0", "\x07", "\u202e", "\x00", "\x9b", "\x7f")


@pytest.mark.parametrize("terminal", [{}, {"FORCE_COLOR": "1", "COLUMNS": "200"}, {"FORCE_COLOR": "1", "COLUMNS": "60"}])
def test_names_made_to_deceive_reach_neither_terminal_nor_report(tmp_path: Path, terminal: dict[str, str]) -> None:
    log, report = tmp_path / "input.log", tmp_path / "report.html"
    log.write_bytes(b"\n".join(login(i, actor=EVIL, user_agent=EVIL, target=EVIL, id=f"{i}{EVIL}") for i in range(40)))
    result = replay(tmp_path, "--report", report, log, env=terminal)
    evil = next(alert for alert in result.alerts if alert.entity.type == "actor")
    assert evil.entity.value == EVIL, "the record of it is exact"
    explained = watchfloor("explain", "--alerts", tmp_path / "out.jsonl", evil.id, log, env=terminal)
    html = report.read_text(encoding="utf-8")
    for text in (result.ran.out, result.ran.err, explained.out, explained.err, html):
        assert not [harm for harm in HARMFUL if harm in text]
    assert "\r" not in result.ran.out + explained.out + html
    assert "<img src=x" not in html
    assert "onerror=alert(1)&gt;" in html
    assert "[bold red]x[/]" in explained.out
    written = (tmp_path / "out.jsonl").read_bytes()
    assert not [harm for harm in HARMFUL if harm.encode() in written]
    assert b"\\u202e" in written
    assert b"\\u009b" in written


def test_what_is_hidden_in_a_reject_is_seen_there(tmp_path: Path) -> None:
    bad = login(99, actor=EVIL, ip="nowhere").decode("unicode-escape").encode()
    result = of_lines(tmp_path, [*GOOD, bad.replace(b"\n", b"")])
    written = (tmp_path / "rejects.jsonl").read_bytes()
    assert len(result.rejects) == 1
    assert not [harm for harm in HARMFUL if harm.encode() in written]
