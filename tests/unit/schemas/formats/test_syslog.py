from datetime import UTC, datetime

import pytest

from schemas.errors import RejectError
from schemas.formats.syslog import SyslogReader


def ts(year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> float:
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()


def stamps(reader: SyslogReader, *texts: str) -> list[str]:
    return [datetime.fromtimestamp(reader.read(f"{text} host sshd[1]: hello")[0], UTC).strftime("%Y-%m-%d %H:%M:%S") for text in texts]


@pytest.mark.parametrize(
    ("line", "host", "program", "pid", "message"),
    [
        ("Mar  7 13:06:56 web-1 sshd[123]: Server listening", "web-1", "sshd", "123", "Server listening"),
        ("Mar 07 13:06:56 web-1 sshd[123]: Server listening", "web-1", "sshd", "123", "Server listening"),
        ("<38>Mar  7 13:06:56 web-1 sshd-session[9]: a: b", "web-1", "sshd-session", "9", "a: b"),
        ("Mar  7 13:06:56 web-1 systemd: pam_unix(x): y", "web-1", "systemd", "", "pam_unix(x): y"),
        ("Mar  7 13:06:56 web-1 sudo:   bob : TTY=pts/0", "web-1", "sudo", "", "  bob : TTY=pts/0"),
        ("Mar  7 13:06:56 web-1 sshd[1]:", "web-1", "sshd", "1", ""),
        ("Mar  7 13:06:56 sshd[1]: ssh2: RSA", "", "sshd", "1", "ssh2: RSA"),
        ("Mar 7 13:06:56 web-1 sshd[1]: hello", "web-1", "sshd", "1", "hello"),
        ("<38>Mar 7 13:06:56 web-1 sshd[1]: hello", "web-1", "sshd", "1", "hello"),
        ("Mar  7 13:06:56 [sshd] User bob: x", "", "sshd", "", "User bob: x"),
        ("Mar  7 13:06:56 [sshd]: User bob", "", "sshd", "", "User bob"),
        ("Mar  7 13:06:56 web-1 last message repeated 2 times", "web-1", "", "", "last message repeated 2 times"),
        ("2024-03-07T13:06:56Z web-1 sshd[1]: hello", "web-1", "sshd", "1", "hello"),
        ("2024-03-07T15:06:56.000000+02:00 web-1 sshd[1]: hello", "web-1", "sshd", "1", "hello"),
        ("2024-03-07T15:06:56+0200 web-1 sshd[1]: hello", "web-1", "sshd", "1", "hello"),
        ("2024-03-07 13:06:56 web-1 sshd[1]: hello", "web-1", "sshd", "1", "hello"),
        ('<38>1 2024-03-07T13:06:56+00:00 web-1 sshd 1 - [meta x="1"] hello', "web-1", "sshd", "1", "hello"),
        (r'<38>1 2024-03-07T13:06:56Z web-1 sshd 1 ID1 [a b="\] [c"][d e="\""] hi ] there', "web-1", "sshd", "1", "hi ] there"),
        ("1 2024-03-07T13:06:56Z web-1 sshd - - - \ufeffhello", "web-1", "sshd", "", "hello"),
        ("<38>1 2024-03-07T13:06:56Z - - - - -", "", "", "", ""),
    ],
)
def test_header_is_read(line: str, host: str, program: str, pid: str, message: str) -> None:
    assert SyslogReader(year=2024).read(line) == (ts(2024, 3, 7, 13, 6, 56), host, program, pid, message)


def test_fraction_of_a_second_is_kept() -> None:
    assert SyslogReader().read("2024-03-07T13:06:56.250Z h sshd[1]: x")[0] == ts(2024, 3, 7, 13, 6, 56) + 0.25
    assert SyslogReader(year=2024).read("Mar  7 13:06:56.250 h sshd[1]: x") == (ts(2024, 3, 7, 13, 6, 56) + 0.25, "h", "sshd", "1", "x")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("hello world", "unknown_shape"),
        ("The quick brown fox jumps over", "unknown_shape"),
        ("Foo  7 13:06:56 h sshd[1]: x", "unknown_shape"),
        ("Mar  7 13.06.56 h sshd[1]: x", "unknown_shape"),
        ("Mar  x 13:06:56 h sshd[1]: x", "unknown_shape"),
        ("Mar x 13:06:56 h sshd[1]: x", "unknown_shape"),
        ("Mar 17 3:06:56 h sshd[1]: x", "unknown_shape"),
        ("Mar  7 ab:06:56 h sshd[1]: x", "unknown_shape"),
        ("<x>Mar  7 13:06:56 h sshd[1]: x", "unknown_shape"),
        ("<38>1 2024-03-07T13:06:56Z h sshd", "unknown_shape"),
        ('<38>1 2024-03-07T13:06:56Z h sshd 1 - [a b="1" x', "unknown_shape"),
        ("<38>1 2024-03-07T13:06:56Z h sshd 1 - x y", "unknown_shape"),
        ("Mar  7 24:00:00 h sshd[1]: x", "bad_time"),
        ("Mar  7 13:61:00 h sshd[1]: x", "bad_time"),
        ("Apr 31 13:06:56 h sshd[1]: x", "bad_time"),
        ("Mar  0 13:06:56 h sshd[1]: x", "bad_time"),
        ("2024-13-07T13:06:56Z h sshd[1]: x", "bad_time"),
        ("<38>1 - h sshd 1 - - x", "bad_time"),
        ("1970-01-01T00:00:00Z h sshd[1]: x", "time_out_of_range"),
    ],
)
def test_line_without_a_usable_header_is_rejected(line: str, reason: str) -> None:
    with pytest.raises(RejectError) as caught:
        SyslogReader(year=2024).read(line)
    assert caught.value.reason == reason


def test_year_must_be_given_when_nothing_tells_it() -> None:
    with pytest.raises(RejectError, match="give the year") as caught:
        SyslogReader().read("Mar  7 13:06:56 h sshd[1]: x")
    assert caught.value.reason == "bad_time"


@pytest.mark.parametrize(
    ("written", "stamp", "expected"),
    [
        ((2026, 3, 1), "Feb 27 00:00:00", "2026-02-27 00:00:00"),
        ((2026, 3, 1), "Mar  2 00:00:00", "2026-03-02 00:00:00"),  # exactly a day after
        ((2026, 3, 1), "Mar  2 00:00:01", "2025-03-02 00:00:01"),
        ((2025, 12, 31, 23), "Jan  1 10:00:00", "2026-01-01 10:00:00"),
        ((2026, 3, 1), "Feb 29 12:00:00", "2024-02-29 12:00:00"),
    ],
)
def test_year_is_the_latest_that_fits_the_last_write(written: tuple[int, ...], stamp: str, expected: str) -> None:
    assert stamps(SyslogReader(written_ts=ts(*written)), stamp) == [expected]


def test_given_year_beats_the_last_write() -> None:
    assert stamps(SyslogReader(2017, ts(2026, 3, 1)), "Mar 27 13:06:56") == ["2017-03-27 13:06:56"]


def test_year_rolls_over_and_late_december_lines_stay_in_the_old_year() -> None:
    texts = ("Dec 31 23:59:59", "Jan  1 00:00:01", "Dec 31 23:59:58", "Jan  1 00:00:02", "Jan  2 00:00:00")
    assert stamps(SyslogReader(2024), *texts) == [
        "2024-12-31 23:59:59",
        "2025-01-01 00:00:01",
        "2024-12-31 23:59:58",
        "2025-01-01 00:00:02",
        "2025-01-02 00:00:00",
    ]


def test_long_silence_is_no_change_of_year() -> None:
    assert stamps(SyslogReader(2024), "Jan 20 00:00:00", "Dec  1 00:00:00") == ["2024-01-20 00:00:00", "2024-12-01 00:00:00"]


def test_late_lines_within_a_year_do_not_change_it() -> None:
    assert stamps(SyslogReader(2024), "Jun  2 00:00:01", "May 31 00:00:00") == ["2024-06-02 00:00:01", "2024-05-31 00:00:00"]


def test_29_february_exists_only_in_leap_years() -> None:
    reader = SyslogReader(2023)
    with pytest.raises(RejectError, match="no such day"):
        reader.read("Feb 29 00:00:00 h sshd[1]: x")
    assert stamps(reader, "Dec 31 00:00:00", "Feb 29 00:00:00") == ["2023-12-31 00:00:00", "2024-02-29 00:00:00"]


@pytest.mark.parametrize("year", [0, -1, 1, 1900, 9999, 10_000])
def test_absurd_year_is_rejected(year: int) -> None:
    with pytest.raises(RejectError):
        SyslogReader(year).read("Mar  7 13:06:56 h sshd[1]: x")


def test_reached_year_survives_a_restart() -> None:
    reader = SyslogReader(2024)
    stamps(reader, "Dec 31 23:59:59", "Jan  1 00:00:01")
    restarted = SyslogReader(2024)
    restarted.load(reader.dump())
    assert stamps(restarted, "Jan  1 00:00:02", "Dec 31 23:00:00") == ["2025-01-01 00:00:02", "2024-12-31 23:00:00"]
