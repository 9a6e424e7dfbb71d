"""The command line: exit codes, what it refuses, and what it leaves behind when it is stopped."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from monitor.replaying import pacer
from schemas.alert import Alert
from tests.commands import last_versions, read_alerts, replayed, watchfloor

T0 = 1_772_352_000
"""2026-03-01T08:00:00Z"""
decode = msgspec.json.Decoder(Alert).decode


def logins(n: int, address: str = "203.0.113.9", start: int = 0) -> bytes:
    """Failed logins, one a second."""
    return b"".join(
        json.dumps(
            {"id": f"{address}/{i}", "time": T0 + i, "kind": "auth.login", "outcome": "failure", "actor": "alice", "ip": address},
        ).encode()
        + b"\n"
        for i in range(start, start + n)
    )


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "input.log"
    path.write_bytes(logins(30))
    return path


# -- usage ------------------------------------------------------------------------------------------------------------------------

WRONG: dict[str, tuple[Sequence[str], str]] = {
    "no command": ((), "Usage"),
    "unknown command": (("bogus",), "No such command"),
    "no file": (("replay",), "Missing argument"),
    "unknown option": (("replay", "--bogus", "LOG"), "No such option"),
    "option without its value": (("replay", "LOG", "--out"), "requires an argument"),
    "unknown format": (("replay", "--format", "bogus", "LOG"), "'native'"),
    "unknown severity": (("replay", "--fail-on", "bogus", "LOG"), "'critical'"),
    "no time": (("replay", "--since", "yesterday", "LOG"), "--since: not a time"),
    "a number is no time": (("replay", "--until", "1772352000", "LOG"), "--until: not a time"),
    "a time before all logs": (("replay", "--since", "0001-01-01T00:00:00+23:59", "LOG"), "--since: not a time"),
    "nothing between": (("replay", "--since", "2026-03-02", "--until", "2026-03-01", "LOG"), "not before --until"),
    "no year": (("replay", "--year", "20", "LOG"), "--year"),
    "no speed": (("replay", "--speed", "fast", "LOG"), "--speed: expected"),
    "speed zero": (("replay", "--speed", "0x", "LOG"), "--speed: expected"),
    "negative speed": (("replay", "--speed=-1x", "LOG"), "--speed: expected"),
    "empty tenant": (("replay", "--tenant", "", "LOG"), "--tenant"),
    "hidden tenant": (("replay", "--tenant", "a\x1b[31m", "LOG"), "--tenant"),
    "empty name": (("replay", "LOG", ""), "the name is empty"),
    "no sink": (("replay", "--deliver", "LOG"), "no sink is configured"),
    "unknown sink": (("check-config", "--send-test", "bogus"), "no sink is called so"),
    "missing configuration": (("replay", "-c", "missing.yaml", "LOG"), "missing.yaml: no such file"),
    "out into a missing folder": (("replay", "--out", "missing/a.jsonl", "LOG"), "--out: cannot write"),
    "out is a folder": (("replay", "--out", ".", "LOG"), "--out: cannot write"),
    "out has no name": (("replay", "--out", "", "LOG"), "--out: cannot write"),
    "report into a missing folder": (("replay", "--report", "missing/a.html", "LOG"), "--report: cannot write"),
    "rejects into a missing folder": (("replay", "--rejects", "missing/a.jsonl", "LOG"), "--rejects: cannot write"),
    "report to standard output": (("replay", "--report", "-", "LOG"), "--report: cannot be standard output"),
    "rejects to standard output": (("replay", "--rejects", "-", "LOG"), "--rejects: cannot be standard output"),
    "no cases": (("rules", "test", "."), "no golden cases there"),
    "cases in a missing folder": (("rules", "test", "missing"), "no golden cases there"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_usage_is_said_in_a_line_and_exits_with_2(name: str, log: Path, tmp_path: Path) -> None:
    arguments, words = WRONG[name]
    before = sorted(tmp_path.iterdir())
    ran = watchfloor(*(str(log) if argument == "LOG" else argument for argument in arguments), cwd=tmp_path)
    assert ran.code == 2
    assert words in ran.out + ran.err
    assert log.read_bytes() == logins(30)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "this is no YAML"),
        ("detectors: {bogus: {}}", "detectors.bogus: no such detector"),
        ("detectors: {failed_login_burst: {bogus: 1}}", "detectors.failed_login_burst.bogus"),
        ("dedupe_events: -5", "dedupe_events"),
        ("a: \x1b[31m", "control character"),
        ("- 1", "a list"),
        ("geography: {city_db: missing.mmdb}", "missing.mmdb"),
    ],
)
def test_a_wrong_configuration_stops_everything_before_it_begins(text: str, words: str, log: Path, tmp_path: Path) -> None:
    config, out = tmp_path / "watchfloor.yaml", tmp_path / "out.jsonl"
    config.write_text(text)
    out.write_text("from before")
    for arguments, code in ((("replay", "-c", config, "--out", out, log), 2), (("check-config", "-c", config), 1)):
        ran = watchfloor(*arguments, cwd=tmp_path)
        assert ran.code == code
        assert words in ran.err
        assert ran.out == ""
    assert out.read_text() == "from before"


def test_a_sound_configuration_is_said_to_be_so(tmp_path: Path) -> None:
    config = tmp_path / "watchfloor.yaml"
    config.write_text("sinks: {alerts: {type: file, path: alerts.jsonl}}")
    assert watchfloor("check-config").code == 0
    ran = watchfloor("check-config", "-c", config, "--send-test", "alerts", cwd=tmp_path)
    assert ran.code == 0
    assert "The configuration is sound" in ran.out
    assert [alert.id for alert in read_alerts(tmp_path / "alerts.jsonl")] == ["test"]


# -- outputs ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["--out", "--report", "--rejects"])
@pytest.mark.parametrize("how", ["path", "link", "hard link", "in the folder", "configuration"])
def test_nothing_that_is_read_is_written_over(option: str, how: str, log: Path, tmp_path: Path) -> None:
    other, config = tmp_path / "other", tmp_path / "watchfloor.yaml"
    config.write_text("{}")
    match how:
        case "link":
            other.symlink_to(log)
        case "hard link":
            other.hardlink_to(log)
        case "configuration":
            other.symlink_to(config)
        case _:
            other = log
    source = tmp_path if how == "in the folder" else log
    ran = watchfloor("replay", "-c", config, option, other, source)
    assert ran.code == 2
    assert f"{option}: {other} is " in ran.err
    assert "would be written over" in ran.err
    assert log.read_bytes() == logins(30)
    assert config.read_text() == "{}"


def test_standard_input_is_not_written_over_either(log: Path) -> None:
    with log.open("rb") as file:
        done = subprocess.run(
            [sys.executable, "-m", "monitor", "replay", "--out", str(log), "-"], stdin=file, capture_output=True, check=False
        )
    assert done.returncode == 2
    assert log.read_bytes() == logins(30)


@pytest.mark.parametrize("exists", [False, True])
def test_two_outputs_are_two_files(exists: bool, log: Path, tmp_path: Path) -> None:  # noqa: FBT001
    both = tmp_path / "both"
    if exists:
        both.write_text("")
    for arguments in (("--out", both, "--report", tmp_path / ".." / tmp_path.name / "both"), ("--report", both, "--rejects", both)):
        ran = watchfloor("replay", *arguments, log)
        assert ran.code == 2
        assert "name another file" in ran.err
    assert watchfloor("replay", "--out", "/dev/null", "--rejects", "/dev/null", log).code == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", [("--out", "/dev/full"), ("--report", "/dev/full"), ("--rejects", "/dev/full"), ()])
@pytest.mark.parametrize("n", [30, 3000])
def test_a_full_disk_is_said_and_exits_with_3(arguments: Sequence[str], n: int, log: Path) -> None:
    log.write_bytes(logins(n) + b"no event\n" * n)
    command = [sys.executable, "-m", "monitor", "replay", *arguments, str(log)]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=subprocess.DEVNULL if arguments else full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 3
    [line] = done.stderr.splitlines()
    assert "writing failed: no space left on device" in line
    assert (arguments[0] if arguments else "standard output") in line


def test_deliver_adds_to_the_file_of_a_sink(log: Path, tmp_path: Path) -> None:
    config, alerts = tmp_path / "watchfloor.yaml", tmp_path / "alerts.jsonl"
    config.write_text(f"sinks: {{alerts: {{type: file, path: {alerts}}}}}")
    for _ in range(2):
        assert watchfloor("replay", "-c", config, "--deliver", log).code == 0
    written = read_alerts(alerts)
    assert written[: len(written) // 2] == written[len(written) // 2 :] == replayed(tmp_path, log, name="out.jsonl")


# -- exit codes -------------------------------------------------------------------------------------------------------------------


def test_fail_on_exits_with_1_from_that_severity_on(log: Path) -> None:
    codes = {severity: watchfloor("replay", "--fail-on", severity, log).code for severity in ("info", "low", "medium", "high", "critical")}
    assert codes == {"info": 1, "low": 1, "medium": 1, "high": 0, "critical": 0}
    log.write_bytes(logins(1))
    assert watchfloor("replay", "--fail-on", "info", log).code == 0


def test_a_reader_that_leaves_early_is_no_error(log: Path) -> None:
    log.write_bytes(b"".join(logins(30, f"198.51.100.{i}", start=4000 * i) for i in range(200)))
    for arguments in (("replay", "--out", "-", log), ("replay", log), ("rules", "test", "tests/golden"), ("check-config",)):
        running = subprocess.Popen([sys.executable, "-m", "monitor", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert running.stdout
        assert running.stderr
        running.stdout.close()
        assert running.stderr.read() == b"" or arguments[:2] == ("replay", "--out")
        running.stderr.close()
        assert running.wait() == 0


@pytest.mark.parametrize("closed", ["stdin", "stdout", "stderr"])
def test_streams_that_are_closed_are_no_error(closed: str, log: Path, tmp_path: Path) -> None:
    redirect = {"stdin": "<&-", "stdout": ">&-", "stderr": "2>&-"}[closed]
    out = tmp_path / "out.jsonl"
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -m monitor replay --out "$1" "$2" {redirect}', sys.executable, out, log], capture_output=True, check=False
    )
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr
    assert read_alerts(out)
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -m monitor replay --out - - {redirect} <"$1"', sys.executable, log], capture_output=True, check=False
    )
    assert done.returncode == (2 if closed == "stdout" else 0)
    assert b"Traceback" not in done.stderr


def test_interrupted_it_exits_with_130_and_leaves_whole_lines(tmp_path: Path) -> None:
    pipe, out = tmp_path / "pipe", tmp_path / "out.jsonl"
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "monitor", "replay", "--out", "-", "--rejects", str(out), str(pipe)]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert running.stdout
    assert running.stderr
    with pipe.open("wb", buffering=0) as writer:
        writer.write(b"no event\n" + logins(40))
        writer.write(logins(3000, start=100))
        first = running.stdout.readline()  # it is in the middle, and waits for more
        running.send_signal(signal.SIGINT)
        written = first + running.stdout.read()
        err = running.stderr.read()
        assert running.wait() == 130
    running.stdout.close()
    running.stderr.close()
    assert err == b"watchfloor: interrupted\n"
    assert written.endswith(b"\n")
    assert [decode(line).detector for line in written.splitlines()]
    assert [json.loads(line)["line"] for line in out.read_bytes().splitlines()] == [1]


def test_speed_changes_nothing_but_the_time_it_takes(log: Path, tmp_path: Path) -> None:
    at_once = replayed(tmp_path, log)
    assert replayed(tmp_path, "--speed", "1000x", log) == at_once
    assert replayed(tmp_path, "--speed", "99999999999999999999x", log) == at_once


def test_a_log_of_1000_seconds_takes_one_at_1000x(log: Path) -> None:
    log.write_bytes(logins(1) + logins(1, start=1000))
    took = re.search(r" in ([0-9.]+) s ", watchfloor("replay", "--speed", "1000x", log).out)
    assert took
    assert 1.0 <= float(took[1]) < 10.0


def test_a_long_wait_is_slept_in_pieces() -> None:
    clock, slept = [100.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock[0] += seconds

    pace = pacer(0.001, now=lambda: clock[0], sleep=sleep)
    for ts in (50.0, 49.0, 60.0):
        pace(ts)
    assert slept == [3600.0, 3600.0, 2800.0]  # ten seconds at a thousandth of their speed


def test_letters_the_terminal_has_none_for_are_no_error(tmp_path: Path, log: Path) -> None:
    log.write_bytes(logins(30).replace(b"alice", "zoë✓".encode()))
    env = {"PYTHONIOENCODING": "ascii"}
    out = tmp_path / "out.jsonl"
    assert watchfloor("replay", "--out", out, log, env=env).code == 0
    for alert in last_versions(read_alerts(out)):
        assert watchfloor("explain", "--alerts", out, alert.id, log, env=env).code == 0
    assert watchfloor("replay", "--out", "-", log, env=env).out.count("zoë✓")
    for command in (("check-config",), ("replay", "missing✓.log"), ("rules", "test", "tests/golden/failed_login_burst"), ("--help",)):
        watchfloor(*command, env=env)


# -- explain ----------------------------------------------------------------------------------------------------------------------


def test_explain_finds_an_alert_by_what_its_id_begins_with(log: Path, tmp_path: Path) -> None:
    alerts = last_versions(replayed(tmp_path, log))
    alert = alerts[0]
    assert len(alerts) > 1
    ran = watchfloor("explain", alert.id[:10], log, cwd=tmp_path)
    assert ran.code == 0
    assert alert.summary in ran.out
    assert "203.0.113.9/0" in ran.out
    for arguments, words in (
        ((alert.id, "--alerts", log), "no alert"),
        ((alert.id, "--alerts", "missing"), "no such file"),
        ((alert.id, "missing"), "no such"),
    ):
        ran = watchfloor("explain", *arguments, cwd=tmp_path)
        assert ran.code == 3
        assert words in ran.err
    for prefix, words in (("", f"{len(alerts)} alerts have ids"), ("nothing", "no alert has an id"), ("\x1b[31m", "no alert")):
        ran = watchfloor("explain", prefix, cwd=tmp_path)
        assert ran.code == 2
        assert words in ran.err
        assert "\x1b" not in ran.err


@pytest.mark.parametrize("garbage", [b"\xff\xfe\n", b"{}\n", b"null", b"[" * 100_000, b'{"id":"\xff"}', b"\0" * 1000])
def test_explain_refuses_a_file_that_holds_no_alerts(garbage: bytes, tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    path.write_bytes(garbage)
    ran = watchfloor("explain", "--alerts", path, "abc")
    assert ran.code == 3
    assert "no alert" in ran.err


# -- rules test -------------------------------------------------------------------------------------------------------------------

CASES = {
    "holds": ("what: burst\nfires: [{entity: 'ip:203.0.113.9'}, {entity: 'actor:alice'}]", 0, "ok"),
    "missing": ("what: burst\nfires: []", 1, "should be silent"),
    "too many": ("what: burst\nfires: [{entity: 'ip:203.0.113.9'}, {entity: 'actor:alice'}, {entity: 'ip:x'}]", 1, "should have fired"),
    "other count": ("what: burst\nfires: [{entity: 'ip:203.0.113.9', count: 7}, {entity: 'actor:alice'}]", 1, "count should be 7"),
    "no YAML": ("what: [", 1, "cannot be used"),
    "no case": ("- 1", 1, "cannot be used"),
    "unknown setting": ("what: x\nconfig: {bogus: 1}\nfires: []", 1, "bogus"),
    "unknown option": ("what: x\nfiles: {bogus: 1}\nfires: []", 1, "bogus"),
    "wrong option": ("what: x\nfiles: {year: soon}\nfires: []", 1, "year"),
    "unknown format": ("what: x\nfiles: {format: bogus}\nfires: []", 1, "format"),
    "unreadable log": ("what: x\nfiles: {format: auto}\nfires: []", 1, "not read"),
    "no UTF-8": ("what: \udcff", 1, "cannot be used"),
}


@pytest.mark.parametrize("name", CASES)
def test_rules_test_exits_with_1_for_a_case_that_does_not_hold(name: str, tmp_path: Path) -> None:
    text, code, words = CASES[name]
    case = tmp_path / "failed_login_burst" / "case"
    case.mkdir(parents=True)
    (case / "case.yaml").write_text(text, errors="surrogateescape")
    (case / "events.jsonl").write_bytes(b"hello\n" * 100 if name == "unreadable log" else logins(30))
    ran = watchfloor("rules", "test", tmp_path)
    assert ran.code == code, ran.out
    assert words in ran.out
    assert f"1 cases, {code} failed" in ran.out
