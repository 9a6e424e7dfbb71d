"""However the same log is handed over, the alerts are the same."""

import gzip
import shutil
from pathlib import Path

import pytest
import zstandard

from tests.commands import read_alerts, replayed, watchfloor

LOGS = Path(__file__).parents[2] / "deploy" / "examples" / "logs"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """One plain log with attacks in it, whose first line carries a whole stamp."""
    path = tmp_path / "auth.log"
    shutil.copyfile(LOGS / "auth.log", path)
    return path


def test_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "1.jsonl", tmp_path / "2.jsonl"
    for out in (first, second):
        assert watchfloor("replay", "--out", out, "--report", out.with_suffix(".html"), LOGS, env={"PYTHONHASHSEED": out.stem}).code == 0
    assert first.read_bytes() == second.read_bytes()
    assert first.with_suffix(".html").read_bytes() == second.with_suffix(".html").read_bytes()
    assert len(read_alerts(first)) > 10


def test_compressed_split_and_piped_give_the_same_alerts(log: Path, tmp_path: Path) -> None:
    plain = [(alert.id, alert.version) for alert in replayed(tmp_path, log)]
    assert plain
    content = log.read_bytes()
    packed = tmp_path / "packed.log.gz"
    packed.write_bytes(gzip.compress(content))
    zipped = tmp_path / "packed.log.zst"
    zipped.write_bytes(zstandard.compress(content))
    lines = content.splitlines(keepends=True)
    halves = tmp_path / "halves"
    halves.mkdir()
    cut = len(lines) // 3
    (halves / "1.log").write_bytes(b"".join(lines[:cut]))
    (halves / "2.log").write_bytes(b"".join(lines[cut:]))
    for other in (packed, zipped, halves):
        assert [(alert.id, alert.version) for alert in replayed(tmp_path, other)] == plain, other.name
    assert [(alert.id, alert.version) for alert in replayed(tmp_path, "-", stdin=content)] == plain
    assert [(alert.id, alert.version) for alert in replayed(tmp_path, "-", stdin=gzip.compress(content))] == plain


def test_two_logs_of_the_same_day_give_what_one_in_order_would(tmp_path: Path, log: Path) -> None:
    lines = log.read_bytes().splitlines(keepends=True)
    folder = tmp_path / "hosts"
    folder.mkdir()
    # dealt out like the lines of two hosts that log side by side
    (folder / "a.log").write_bytes(b"".join(lines[::2]))
    (folder / "b.log").write_bytes(b"".join(lines[1::2]))
    together = {(alert.id, alert.version) for alert in replayed(tmp_path, folder)}
    apart = {(alert.id, alert.version) for alert in replayed(tmp_path, log)}
    # sshd tells one attempt in several lines; dealt out they may count as one more, but no attack may get lost
    assert {identity for identity, _ in together} >= {identity for identity, _ in apart}


def test_a_file_that_ends_in_the_middle_of_a_line_keeps_its_alerts(log: Path, tmp_path: Path) -> None:
    whole = {alert.id for alert in replayed(tmp_path, log)}
    log.write_bytes(log.read_bytes()[:-7])
    assert {alert.id for alert in replayed(tmp_path, log)} == whole


def test_final_keeps_only_the_last_version_of_each(log: Path, tmp_path: Path) -> None:
    every = replayed(tmp_path, log)
    final = replayed(tmp_path, "--final", log)
    assert [(alert.id, alert.version) for alert in final] == list({alert.id: (alert.id, alert.version) for alert in every}.values())
