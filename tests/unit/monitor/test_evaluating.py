"""The `evaluate` command."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from monitor.evaluating import evaluate
from monitor.sinks.errors import OutputError
from schemas.errors import ConfigurationError, InputError
from tests.unit.monitor.evaluate.cases import line, truth


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Any]:
    """Two attacks, of which one is found, and one false alert in two days."""
    path, alerts = tmp_path / "truth.jsonl", tmp_path / "alerts.jsonl"
    path.write_bytes(truth().line() + truth(entities=("actor:eve",), involved=("actor:eve",)).line())
    rows = [line(), line(id="a2", entity={"type": "actor", "value": "dan"})]
    alerts.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return {"truth": path, "alerts": alerts}


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({}, 0),
        ({"min_recall": 0.5}, 0),
        ({"min_recall": 0.51}, 1),
        ({"max_false_per_day": 0.5}, 0),
        ({"max_false_per_day": 0.49}, 1),
        ({"max_false_per_day": 0.49, "days": 4.0}, 0),
        ({"min_recall": 0.9, "max_false_per_day": 0.0}, 1),
    ],
)
def test_a_missed_limit_is_exit_code_1(limits: dict[str, Any], code: int, files: dict[str, Any]) -> None:
    assert evaluate(**files, **limits) == code


def test_a_minimum_is_missed_when_nothing_was_expected(files: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    files["truth"].write_bytes(b"")
    assert evaluate(**files, min_recall=0.0) == 1
    assert "missed: --min-recall: the truth names no attack that a detector should see" in capsys.readouterr().out


def test_the_terminal_says_it_all(files: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    evaluate(**files, min_recall=0.9)
    out = capsys.readouterr().out
    assert "attacks    2, of which somebody was told of 1" in out
    assert "recall     0.50 (1/2 of what detectors should see), in 50 s (median)" in out
    assert "false      1, which is 0.5 a day over 2 d" in out
    assert "missed     failed_login_burst (high) of actor:eve: failed_login_burst" in out
    assert "missed: recall is 0.5, less than 0.9" in out


def test_json_and_the_report_are_written(files: dict[str, Any], tmp_path: Path) -> None:
    json, report = tmp_path / "scores.json", tmp_path / "report.html"
    evaluate(**files, json=json, report=report, min_recall=0.9)
    data = orjson.loads(json.read_bytes())
    assert data["version"] == 1
    assert data["overall"] == {"expected": 2, "found": 1, "recall": 0.5, "median_s": 50.0}
    assert data["detectors"][0]["by_intensity"]["high"]["found"] == 1
    assert data["missed_limits"] == ["recall is 0.5, less than 0.9"]
    assert report.read_text().startswith("<!DOCTYPE html>")


def test_json_on_standard_output_is_alone_there(files: dict[str, Any], capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    evaluate(**files, json=Path("-"))
    captured = capfdbinary.readouterr()
    assert orjson.loads(captured.out)["noticed"] == 1
    assert b"recall" in captured.err


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"min_recall": 1.5}, "--min-recall: 1.5 is no share; use 0 to 1"),
        ({"max_false_per_day": -1.0}, "--max-false-per-day: -1 is no number of alerts; use 0 or more"),
        ({"margin_s": -1.0}, "--margin: "),
        ({"days": 0.0}, "--days: "),
        ({"report": Path("-")}, "--report: cannot be standard output"),
        ({"truth": Path("-"), "alerts": Path("-")}, "--truth: standard input cannot be both"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], problem: str, files: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        evaluate(**{**files, **options})
    assert str(caught.value).startswith(problem)


@pytest.mark.parametrize("option", ["json", "report"])
def test_nothing_is_written_over_what_is_read(option: str, files: dict[str, Any]) -> None:
    before = files["alerts"].read_bytes()
    with pytest.raises(ConfigurationError, match="would be written over"):
        evaluate(**files, **{option: files["alerts"]})
    assert files["alerts"].read_bytes() == before
    with pytest.raises(ConfigurationError, match="no such folder"):
        evaluate(**files, **{option: files["alerts"].parent / "nowhere" / "x"})


def test_unreadable_input_and_a_full_disk_are_errors_of_their_own(files: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InputError):
        evaluate(**{**files, "alerts": tmp_path / "nowhere"})
    with pytest.raises(OutputError, match=r"--json: /dev/full: .*no space left"):
        evaluate(**files, json=Path("/dev/full"))
