"""What a machine lacks is skipped and said, or fails where it is required."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
NEEDY = """
import pytest

@pytest.mark.browser
def test_page_one(chromium): pass

@pytest.mark.browser
def test_page_two(chromium): pass

@pytest.mark.realdata
def test_logs(real_logs): pass

def test_plain(): pass
"""
INI = "[pytest]\nmarkers =\n    browser: needs Chromium\n    realdata: needs real logs\n"


def run_needy(folder: Path, **environment: str) -> tuple[int, str]:
    """Exit code and output of a test run on a machine that has neither a browser nor real logs (unless ``environment`` gives them)."""
    (folder / "test_needy.py").write_text(NEEDY)
    (folder / "pytest.ini").write_text(INI)
    bare = {"PATH": str(folder), "PYTHONPATH": str(REPOSITORY), "WATCHFLOOR_TEST_DATA": str(folder / "absent")}
    kept = {name: value for name, value in os.environ.items() if name in {"HOME", "LANG", "TMPDIR"}}
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", "-p", "no:randomly", "-n0", "--color=no"]
    done = subprocess.run(command, cwd=folder, env=kept | bare | environment, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout + done.stderr


def test_missing_things_are_skipped_and_said_at_the_end(tmp_path: Path) -> None:
    code, output = run_needy(tmp_path)
    assert code == 0
    assert "1 passed, 3 skipped" in output
    assert "browser: 2 tests: Chromium is not on this machine (install it, or set WATCHFLOOR_CHROMIUM)" in output
    assert "realdata: 1 test: the collection of real logs is not on this machine (set WATCHFLOOR_TEST_DATA)" in output


@pytest.mark.parametrize(
    ("required", "tally"),
    [
        ("browser", "1 passed, 1 skipped, 2 errors"),
        ("realdata", "1 passed, 2 skipped, 1 error"),
        (" browser, realdata,", "1 passed, 3 errors"),
    ],
)
def test_missing_things_fail_when_they_are_required(required: str, tally: str, tmp_path: Path) -> None:
    code, output = run_needy(tmp_path, WATCHFLOOR_REQUIRE=required)
    assert code == 1
    assert tally in output


def test_an_unknown_group_is_refused_before_any_test(tmp_path: Path) -> None:
    code, output = run_needy(tmp_path, WATCHFLOOR_REQUIRE="browsers")
    assert code == pytest.ExitCode.USAGE_ERROR
    assert "WATCHFLOOR_REQUIRE: unknown browsers; use browser, kafka, prometheus, realdata" in output


@pytest.mark.parametrize("name", ["chromium", "chromium-browser", "google-chrome"])
def test_chromium_is_found_by_its_usual_names(name: str, tmp_path: Path) -> None:
    executable(tmp_path / name)
    code, output = run_needy(tmp_path, WATCHFLOOR_REQUIRE="browser")
    assert code == 0
    assert "3 passed, 1 skipped" in output


def test_a_named_chromium_is_not_replaced_by_another(tmp_path: Path) -> None:
    executable(tmp_path / "chromium")
    _, output = run_needy(tmp_path, WATCHFLOOR_CHROMIUM="/nowhere/chrome")
    assert "browser: 2 tests: WATCHFLOOR_CHROMIUM names no executable" in output


def executable(path: Path) -> None:
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
