"""Files without records, damaged, huge, hidden or closed: said in a line, in little memory, and never at the cost of the others."""

import gzip
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from schemas.alert import Alert
from tests.commands import read_alerts, watchfloor
from tests.integration.bad_logs import BOMB, GOOD, SAMPLES, login, of_lines, record_of, replay, shown

PEAK_KIB = 450_000
"""Five times the longest piece of a line that is kept (64 MiB), and what the command needs anyway."""
UNREADABLE = "not read"


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[Alert]:
    """The alerts of the good lines alone."""
    alerts = of_lines(tmp_path_factory.mktemp("good"), GOOD).alerts
    assert {alert.detector for alert in alerts} >= {"failed_login_burst"}
    return alerts


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
    tmp_path: Path, packed: Callable[[bytes], bytes], expected: list[Alert]
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
