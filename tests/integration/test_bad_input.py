"""Whatever a log holds: each bad record is counted with a reason and kept whole, and the good ones around it give the alerts they give alone."""

import base64
import gzip
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
import zstandard

from schemas.alert import Alert
from tests.commands import Ran, read_alerts, watchfloor

SAMPLES = Path(__file__).parents[1] / "contract" / "samples"
T0 = 1_772_352_000
"""2026-03-01T08:00:00Z"""
IN_2099 = 4_090_000_000
PEAK_KIB = 450_000
"""Five times the longest piece of a line that is kept (64 MiB), and what the command needs anyway."""
UNREADABLE = "not read"


def login(i: int, **fields: object) -> bytes:
    """A failed login, ``i`` seconds after T0."""
    event = {"id": f"e{i}", "time": T0 + i, "kind": "auth.login", "outcome": "failure", "actor": "alice", "ip": "203.0.113.9"}
    return json.dumps({**event, **fields}).encode()


def raw(i: int, **fields: str) -> bytes:
    """The same with values that ``json`` would not write."""
    pairs = {"id": f'"r{i}"', "time": str(T0 + 15), "kind": '"auth.login"', **fields}
    return ("{" + ",".join(f'"{name}":{value}' for name, value in pairs.items()) + "}").encode()


GOOD = [login(i) for i in range(30)]


class Result(msgspec.Struct):
    """What a replay left behind."""

    ran: Ran
    alerts: list[Alert]
    rejects: list[dict[str, object]]

    def reasons(self) -> list[tuple[object, object]]:
        return [(row["line"], row["reason"]) for row in self.rejects]


def replay(folder: Path, *arguments: str | Path, stdin: bytes | None = None, env: dict[str, str] | None = None) -> Result:
    out, rejects = folder / "out.jsonl", folder / "rejects.jsonl"
    ran = watchfloor("replay", "--out", out, "--rejects", rejects, *arguments, stdin=stdin, env=env)
    rows = [json.loads(line) for line in rejects.read_bytes().splitlines()] if rejects.exists() else []
    return Result(ran, read_alerts(out) if out.exists() else [], rows)


def of_lines(folder: Path, lines: Sequence[bytes], *arguments: str | Path, end: bytes = b"\n") -> Result:
    log = folder / "input.log"
    log.write_bytes(b"\n".join(lines) + end)
    return replay(folder, log, *arguments)


def record_of(row: dict[str, object]) -> bytes:
    if "record" in row:
        return str(row["record"]).encode()
    return base64.b64decode(str(row["record_base64"]))


def shown(ran: Ran, name: str) -> int:
    match = re.search(rf"^{name} +([0-9,]+)", ran.out, re.MULTILINE)
    assert match, ran.out
    return int(match[1].replace(",", ""))


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[Alert]:
    """The alerts of the good lines alone."""
    alerts = of_lines(tmp_path_factory.mktemp("good"), GOOD).alerts
    assert {alert.detector for alert in alerts} >= {"failed_login_burst"}
    return alerts


BOMB = b"[" * 100_000
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
    for bad in (deep, BOMB, b'{"Records":' * 50_000):
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


# -- whole inputs -----------------------------------------------------------------------------------------------------------------

ALONE = {
    # content → exit code, and words of the message
    "empty": (b"", 0, "empty"),
    "blank lines": (b"\n  \n\r\n" * 100, 0, "empty"),
    "blank beyond the sample": (b"\n" * 100_000, 3, "blank"),
    "NUL bytes": (b"\0" * 100_000, 3, UNREADABLE),
    "noise": (bytes(range(256)) * 1000, 3, UNREADABLE),
    "a bomb": (BOMB, 3, UNREADABLE),
    "UTF-16": ("hello\n".encode("utf-16"), 3, "iconv"),
    "zip": (b"PK\x03\x04" + bytes(100), 3, "unzip"),
    "damaged gzip": (b"\x1f\x8b\x08\x00" + b"x" * 100, 3, "damaged"),
    "damaged zstd": (b"\x28\xb5\x2f\xfd" + b"x" * 100, 3, "damaged"),
    "gzip cut at once": (gzip.compress(b"x" * 100)[:12], 3, "ends in the middle"),
}


@pytest.mark.parametrize("name", ALONE)
def test_an_input_without_records_is_said_to_be_so(name: str, tmp_path: Path) -> None:
    content, code, words = ALONE[name]
    log = tmp_path / "input.log"
    log.write_bytes(content)
    for arguments, stdin in (((log,), None), (("-",), content)):
        result = replay(tmp_path, *arguments, stdin=stdin)
        assert result.ran.code == code
        assert words in (result.ran.out if code == 0 else result.ran.err)
        assert len(result.ran.err.splitlines()) == (0 if code == 0 else 1)


def test_blank_lines_beyond_the_sample_do_not_hide_what_follows_when_the_format_is_named(tmp_path: Path, expected: list[Alert]) -> None:
    assert of_lines(tmp_path, [b""] * 100_000 + GOOD, "--format", "native").alerts == expected


def test_a_log_that_changes_its_format_half_way_keeps_the_first_and_counts_the_rest(tmp_path: Path, expected: list[Alert]) -> None:
    other = (SAMPLES / "sshd.log").read_bytes().splitlines()
    result = of_lines(tmp_path, [*GOOD, *other])
    assert result.alerts == expected
    assert result.reasons() == [(31 + i, "not_json") for i in range(len(other))]


@pytest.mark.parametrize("packed", [gzip.compress, zstandard.compress], ids=["gz", "zst"])
def test_a_compressed_log_damaged_in_the_middle_gives_what_came_before(
    tmp_path: Path, packed: "type[bytes]", expected: list[Alert]
) -> None:
    noise = [login(1000 + i, kind="auth.logout", actor=os.urandom(40).hex()) for i in range(20_000)]
    content = bytearray(packed(b"\n".join([*GOOD, *noise]) + b"\n"))
    content[len(content) // 2 : len(content) // 2 + 200] = bytes(200)
    log = tmp_path / "input.log.packed"
    log.write_bytes(content)
    result = replay(tmp_path, log)
    assert result.ran.code == 0
    assert "is damaged" in result.ran.out
    assert [alert.id for alert in result.alerts if alert.version == 1] == [alert.id for alert in expected if alert.version == 1]


def test_a_short_compressed_log_that_is_cut_gives_what_came_before(tmp_path: Path, expected: list[Alert]) -> None:
    # the damage lies within what is looked at to recognise the format
    log = tmp_path / "input.log.gz"
    log.write_bytes(gzip.compress(b"\n".join([*GOOD, os.urandom(300).hex().encode()]))[:-200])
    result = replay(tmp_path, log)
    assert result.ran.code == 0
    assert "ends in the middle" in result.ran.out
    assert [row["reason"] for row in result.rejects] == ["truncated"]
    assert result.alerts == expected


MEASURED = """
import re, sys
from pathlib import Path
from monitor.cli import app
try:
    app(sys.argv[1:])
finally:
    peak = re.search("VmHWM:\\\\s+(\\\\d+)", Path("/proc/self/status").read_text())[1]
    print("peak", peak, file=sys.stderr)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
@pytest.mark.parametrize(
    ("before", "line", "after", "code"),
    [
        (GOOD[:15], b"x" * 50_000_000, GOOD[15:], 0),
        (GOOD[:15], b'{"a":"' + b"x" * 50_000_000 + b'"}', GOOD[15:], 0),
        (GOOD[:15], b"x" * 200_000_000, GOOD[15:], 0),
        ([], b"x" * 50_000_000, [], 3),
        ([], b'{"a":"' + b"x" * 50_000_000 + b'"}', [], 3),
        ([], b"[" * 50_000_000, [], 3),
    ],
    ids=["between", "JSON between", "200 MB between", "alone", "JSON alone", "brackets alone"],
)
def test_a_huge_line_takes_little_memory(
    tmp_path: Path, before: list[bytes], line: bytes, after: list[bytes], code: int, expected: list[Alert]
) -> None:
    log, out, rejects = tmp_path / "input.log", tmp_path / "out.jsonl", tmp_path / "rejects.jsonl"
    log.write_bytes(b"\n".join([*before, line, *after]) + b"\n")
    command = [sys.executable, "-c", MEASURED, "replay", "--out", str(out), "--rejects", str(rejects), str(log)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert "Traceback" not in done.stderr
    assert done.returncode == code
    peak = re.search(r"peak (\d+)", done.stderr)
    assert peak
    assert int(peak[1]) < PEAK_KIB
    if code == 0:
        assert read_alerts(out) == expected
        [row] = map(json.loads, rejects.read_bytes().splitlines())
        assert (row["line"], row["reason"]) == (16, "too_long")
        assert record_of(row) == line[: 64 * 1024 * 1024]
        assert ("only the beginning" in str(row["detail"])) == (len(line) > 64 * 1024 * 1024)


# -- files ------------------------------------------------------------------------------------------------------------------------


def test_one_unreadable_file_in_a_folder_does_not_cost_the_others(tmp_path: Path, expected: list[Alert]) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    contents = {
        "a.log": b"\n".join(GOOD),
        "b.zip": b"PK\x03\x04" + bytes(100),
        "c.txt": "hello".encode("utf-16"),
        "d.txt": b"hello\n" * 100,
        "e.gz": b"\x1f\x8b\x08\x00" + b"x" * 100,
        "f.log": b"",
        ".hidden": b"hello",
        "g.bin": bytes(range(256)) * 100,
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / "nothing").symlink_to(folder / "missing")
    os.mkfifo(folder / "pipe")
    result = replay(tmp_path, folder)
    assert result.ran.code == 0
    assert result.alerts == expected
    told = {Path(line.split(": ")[0].split()[-1]).name for line in result.ran.out.splitlines() if line.startswith("not read")}
    assert told == {"b.zip", "c.txt", "d.txt", "e.gz", "f.log", "g.bin"}


def test_a_document_too_large_to_hold_costs_neither_the_others_nor_goes_unsaid(tmp_path: Path, expected: list[Alert]) -> None:
    (tmp_path / "logs").mkdir()
    with gzip.open(tmp_path / "logs" / "a.json.gz", "wb", compresslevel=1) as file:
        file.write(b'[\n {"eventVersion": "1.08", "eventSource": "x", "eventName": "y", "z": "')
        for _ in range(257):
            file.write(b"x" * 1024 * 1024)
    (tmp_path / "logs" / "b.log").write_bytes(b"\n".join(GOOD))
    result = replay(tmp_path, tmp_path / "logs")
    assert result.ran.code == 3
    assert "larger than 256 MiB" in result.ran.err
    assert result.alerts == expected


def test_files_named_twice_are_read_once(tmp_path: Path, expected: list[Alert]) -> None:
    log, link = tmp_path / "input.log", tmp_path / "link.log"
    log.write_bytes(b"\n".join(GOOD))
    link.symlink_to(log)
    result = replay(tmp_path, log, log, link, tmp_path / ".." / tmp_path.name / "input.log")
    assert shown(result.ran, "events") == 30
    assert result.alerts == expected


def test_a_pipe_with_a_name_is_read(tmp_path: Path, expected: list[Alert]) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"\n".join(GOOD),))
    writer.start()
    result = replay(tmp_path, pipe)
    writer.join()
    assert result.alerts == expected


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("/dev/null", 0, "empty"),
        ("/dev/zero", 3, UNREADABLE),
        ("missing.log", 3, "no such file"),
        ("missing\x1b[35m\n.log", 3, "no such file"),
        ("", 2, "empty"),
    ],
)
def test_odd_names(tmp_path: Path, name: str, code: int, words: str) -> None:
    ran = watchfloor("replay", name, cwd=tmp_path)
    assert ran.code == code
    assert words in ran.out + ran.err
    assert "\x1b" not in ran.out + ran.err


AS_NOBODY = """
import os, sys
import monitor.cli, monitor.engines.replay, monitor.replaying  # before the right to read them is gone
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
monitor.cli.app(sys.argv[1:])
"""


@pytest.mark.parametrize("closed", ["folder", "folder/a.log"])
def test_what_may_not_be_read_is_named(tmp_path: Path, closed: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.log").write_bytes(b"\n".join(GOOD))
    for path in (tmp_path, *tmp_path.parents):
        if path.stat().st_uid == os.geteuid() and path != Path("/"):
            path.chmod(path.stat().st_mode | 0o011)
    (tmp_path / closed).chmod(0)
    command = [sys.executable, "-c", AS_NOBODY, "replay", "folder"]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}, capture_output=True, text=True, check=False
    )
    (tmp_path / closed).chmod(0o700)
    assert done.returncode == 3, done.stderr
    assert (
        done.stderr
        == f"watchfloor: {closed}: permission denied; let this user read it, for example through the group that owns it (often adm)\n"
    )
