"""The files of an evaluation."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from monitor.evaluate.reading import read_alerts, read_truth
from schemas.errors import InputError
from tests.unit.monitor.evaluate.cases import START, line, truth


def written(path: Path, *rows: Any) -> Path:
    path.write_bytes(b"".join((row if isinstance(row, bytes) else orjson.dumps(row)) + b"\n" for row in rows))
    return path


def test_versions_of_an_alert_are_one_alert(tmp_path: Path) -> None:
    path = written(
        tmp_path / "alerts.jsonl",
        line(),
        line(id="a2", inhibited_by="a1", severity="low"),
        line(version=2, last_seen="2026-03-16T01:00:00.000Z", severity="critical"),
        b"",
        line(version=3, status="resolved", last_seen="2026-03-16T02:00:00.000Z"),
    )
    first, second = read_alerts(path)
    assert (first.id, first.severity, first.entity, first.notified) == ("a1", "critical", "actor:bob", True)
    assert first.moments == [START + 1_050, START + 3_600]  # that it is over is no news
    assert (second.id, second.notified) == ("a2", False)


def test_of_an_alert_without_its_first_version_the_last_event_counts_too(tmp_path: Path) -> None:
    path = written(tmp_path / "alerts.jsonl", line(version=4, status="resolved", last_seen="2026-03-16T01:00:00.000Z"))
    assert read_alerts(path)[0].moments == [START + 1_050, START + 3_600]


def test_a_truth_is_read_as_it_was_written_with_or_without_what_may_be_left_out(tmp_path: Path) -> None:
    full, bare = truth(strength=0.5, spread=3, events=7), truth(traffic=None, tenant=None)
    path = tmp_path / "truth.jsonl"
    path.write_bytes(full.line() + bare.line())
    assert read_truth(path) == [full, bare]


def test_an_empty_file_is_no_error(tmp_path: Path) -> None:
    assert read_truth(written(tmp_path / "truth.jsonl")) == []


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (b"{", "line 2: no alert; name the file that replay --out wrote (not JSON)"),
        ({"a": 1}, "line 2: no alert; name the file that replay --out wrote (missing required field id)"),
        (line(severity="huge"), "line 2: no alert; name the file that replay --out wrote (no word that is known there at $.severity)"),
        (line(id="b", time="soon"), "line 2: time: expected RFC 3339, e.g. 2026-01-31T12:00:00Z"),
        (b'{"x":' + b"[" * 100_000, "line 2: no alert; name the file that replay --out wrote (nested too deep)"),
        (b'{"id":"\xff"}', "line 2: no alert; name the file that replay --out wrote (not JSON)"),
        (
            {"class_uid": 2004, "metadata": {}},
            "line 2: an alert in the form ocsf; replay again without --out-format ocsf (missing required field id)",
        ),
    ],
)
def test_a_bad_line_is_named_with_its_number(row: Any, said: str, tmp_path: Path) -> None:
    path = written(tmp_path / "alerts.jsonl", line(), row)
    with pytest.raises(InputError) as caught:
        read_alerts(path)
    assert str(caught.value) == f"{path}: {said}"


def test_many_bad_lines_are_counted(tmp_path: Path) -> None:
    path = written(tmp_path / "truth.jsonl", *[b"x"] * 9)
    with pytest.raises(InputError) as caught:
        read_truth(path)
    lines = str(caught.value).split("\n")
    assert len(lines) == 6
    assert lines[0].startswith(f"{path}: line 1: no line of a truth file")
    assert lines[-1] == f"{path}: and 4 more lines like that"


@pytest.mark.parametrize(
    ("fields", "said"), [({"start": START + 2_000}, "start, end: expected"), ({"traffic": (START, START)}, "traffic: expected")]
)
def test_a_truth_with_impossible_times_is_refused(fields: dict[str, Any], said: str, tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    path.write_bytes(truth(**fields).line())
    with pytest.raises(InputError, match=f"line 1: {said}"):
        read_truth(path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere: no such file"):
        read_truth(tmp_path / "nowhere")
    with pytest.raises(InputError, match="is a directory"):
        read_alerts(tmp_path)
