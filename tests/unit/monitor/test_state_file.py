"""State files: written whole or not at all, only over their own kind, and believed only as they were written."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from monitor import checkpoint, state_file
from monitor.engines.core import Core
from monitor.sinks.errors import OutputError
from monitor.state_file import About
from monitor.store import Store
from schemas.errors import ConfigurationError
from schemas.formats import FORMATS
from schemas.formats.base import Context
from tests.checkpoints import write
from tests.property.strategies import instances

T0 = 1_767_225_600
ABOUT = About(61, float(T0 + 60), "1.2.3")
NAMES = ("failed_login_burst", "password_spray")


def line(i: int) -> bytes:
    return f'{{"id":"e{i}","time":{T0 + i / 10},"kind":"auth.login","outcome":"failure","actor":"user{i}","ip":"203.0.113.{i % 200}"}}'.encode()


def core(*names: str) -> Core:
    return Core(instances(names or NAMES))


def learned(events: int = 61) -> Core:
    taught = core()
    taught.open("log", FORMATS["native"].parser(Context(memory=taught.memory)))
    taught.feed("log", [line(i) for i in range(events)])
    taught.close("log")
    taught.settle()
    return taught


def written(folder: Path, events: int = 61) -> Path:
    path = folder / "state.db"
    state_file.write(path, learned(events).remembered(), ABOUT, "--state-out")
    return path


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    path = written(tmp_path)
    taught, fresh = learned(), core()
    told, about = state_file.load(fresh, path, "--state-in")
    assert about == ABOUT == state_file.check(path, "--state-in")
    assert told.keys == sum(len(states) for states in taught.runner.states) > 61
    assert [told.new, told.unknown, told.unread, told.forgotten] == [[], [], {}, {}]
    assert write(fresh.remembered().finish()) == write(taught.remembered().finish())
    (note,) = state_file.notes(told, about, Path("state.db"))
    assert note == (
        f"begins with the memory of {told.keys} keys, learned from 61 events until 2026-01-01T00:01:00.000Z "
        "(state.db, written by watchfloor 1.2.3)"
    )


def test_only_its_owner_may_read_it_and_nothing_else_is_left(tmp_path: Path) -> None:
    os.umask(os.umask(0o022))  # as the shell has it
    assert written(tmp_path).stat().st_mode & 0o777 == 0o600
    assert names(tmp_path) == ["state.db"]


def test_equal_memories_make_equal_files(tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    assert written(tmp_path).read_bytes() == written(tmp_path / "again").read_bytes()


def test_it_takes_the_place_of_another_one_only_when_it_is_whole(tmp_path: Path) -> None:
    path = written(tmp_path)
    before = path.read_bytes()
    capture = learned(400).remembered()

    def fails(most: int) -> bool:
        raise OSError(28, "No space left on device")

    capture.step = fails  # type: ignore[method-assign]
    with pytest.raises(OutputError, match=r"^--state-out: .*state\.db: writing failed: no space left on device; free some space"):
        state_file.write(path, capture, ABOUT, "--state-out")
    assert path.read_bytes() == before
    assert names(tmp_path) == ["state.db"]
    state_file.write(path, learned(400).remembered(), ABOUT, "--state-out")
    assert len(path.read_bytes()) > len(before)


def test_a_link_to_a_state_file_stays_a_link(tmp_path: Path) -> None:
    path = written(tmp_path)
    link = tmp_path / "link.db"
    link.symlink_to(path)
    state_file.check_writable(link, "--state-out")
    state_file.write(link, learned(400).remembered(), ABOUT, "--state-out")
    assert link.is_symlink()
    assert state_file.check(path, "--state-in") == ABOUT


def _store(path: Path) -> None:
    Store(path, checkpoint.SCHEMA).close()


def _database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE state(part, key, value)")


NOT_OURS: dict[str, Callable[[Path], object]] = {
    "text": lambda path: path.write_text("time,kind\n"),
    "empty": lambda path: path.write_bytes(b""),
    "store": _store,
    "database": _database,
    "folder": lambda path: path.mkdir(),
    "pipe": os.mkfifo,
}


@pytest.mark.parametrize("make", NOT_OURS.values(), ids=NOT_OURS)
def test_what_is_no_state_file_is_neither_written_over_nor_read(tmp_path: Path, make: Callable[[Path], object]) -> None:
    path = tmp_path / "other"
    make(path)
    with pytest.raises(
        ConfigurationError, match=r"^--state-out: .*other is there and is no state file, so it is not written over; name ano"
    ):
        state_file.check_writable(path, "--state-out")
    with pytest.raises(
        ConfigurationError, match=r"^service\.warm_start: .*other is no state file; make one with: watchfloor replay --learn-"
    ):
        state_file.check(path, "service.warm_start")


@pytest.mark.parametrize(
    ("name", "why"), [("nowhere.db", "no such file or directory"), ("no\0path", "not a path"), ("x" * 300, "file name too long")]
)
def test_what_is_not_there_is_named(tmp_path: Path, name: str, why: str) -> None:
    with pytest.raises(ConfigurationError) as failed:
        state_file.check(tmp_path / name, "service.warm_start")
    assert str(failed.value).startswith(f"service.warm_start: cannot read {tmp_path}/{name}: {why}; make one with")


def test_a_place_that_cannot_be_written_is_named_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r"^--state-out: cannot write .*: no such file or directory; name a file in a folder that exi"
    ):
        state_file.check_writable(tmp_path / "nowhere" / "state.db", "--state-out")
    state_file.check_writable(tmp_path / "state.db", "--state-out")
    assert names(tmp_path) == []


def test_one_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version=2")
    with pytest.raises(
        ConfigurationError, match=r"was written by a newer watchfloor \(version 2 of state files, this one knows 1\); use that"
    ):
        state_file.load(core(), path, "--state-in")


def test_one_that_was_changed_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE state SET value = replace(value, '203.0.113.7', '203.0.113.8')")
        db.commit()
    with pytest.raises(ConfigurationError, match=r"is damaged: it is not as it was written; make one with"):
        state_file.load(core(), path, "--state-in")


def test_a_damaged_one_is_refused_or_is_as_it_was_written(tmp_path: Path) -> None:
    path = written(tmp_path, events=300)
    whole = path.read_bytes()
    said: list[str] = []
    damaged = tmp_path / "damaged.db"
    for at in range(0, len(whole), len(whole) // 150):
        for content in (whole[:at], whole[:at] + bytes([whole[at] ^ 0x5A]) + whole[at + 1 :]):
            damaged.write_bytes(content)
            try:
                said.append(str(state_file.check(damaged, "--state-in").events))  # in a place where nothing is
            except ConfigurationError as error:
                said.append(str(error))
    refused = [line for line in said if line != str(ABOUT.events)]
    assert len(refused) > 200
    assert all("make one with" in line and "\n" not in line for line in refused)


def test_one_with_rows_of_no_sense_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    capture = learned().remembered()
    capture.rows[:] = [rows for rows in capture.rows if rows.part != "runner"]
    state_file.write(path, capture, ABOUT, "--state-out")
    with pytest.raises(ConfigurationError, match=r"is no state file that this version can read \(TypeError\); make one with"):
        state_file.load(core(), path, "--state-in")


def test_other_detectors_take_what_is_theirs_and_the_rest_is_said(tmp_path: Path) -> None:
    path = written(tmp_path)
    other = core("failed_login_burst", "mfa_fatigue")
    told, about = state_file.load(other, path, "service.warm_start")
    assert told.keys == sum(len(states) for states in other.runner.states) > 0
    assert list(state_file.notes(told, about, path))[1:] == [
        "the state file has nothing of these detectors, which begin with nothing: mfa_fatigue/by_actor, mfa_fatigue/by_ip",
        "the state file also has detectors that do not run here, which are left out: password_spray/by_ip",
    ]


def test_a_detector_whose_memory_has_another_form_begins_with_nothing(tmp_path: Path) -> None:
    path = written(tmp_path)
    other = core()
    spray = next(states for states in other.runner.states if states.detector.name == "password_spray")
    spray.detector.state_version = 99  # type: ignore[misc]
    told, about = state_file.load(other, path, "service.warm_start")
    assert len(spray) == 0
    assert told.keys > 0
    assert list(state_file.notes(told, about, path))[1:] == [
        "detector password_spray/by_ip begins with nothing: what the state file has of it cannot be read by this version (ValueError)"
    ]


def test_a_smaller_cap_forgets_and_says_so(tmp_path: Path) -> None:
    path = written(tmp_path, events=150)
    other = core()
    for states in other.runner.states:
        states.detector.max_keys = 100  # fewer than settings allow
    told, about = state_file.load(other, path, "service.warm_start")
    assert [len(states) for states in other.runner.states] == [100, 100, 100]
    assert told.forgotten == {"failed_login_burst/by_actor": 50, "failed_login_burst/by_ip": 50, "password_spray/by_ip": 50}
    assert [states.evictions for states in other.runner.states] == [50, 50, 50]
    assert list(state_file.notes(told, about, path))[1] == (
        "detector failed_login_burst/by_actor may remember fewer keys here: 50 keys of the state file forgotten"
    )
