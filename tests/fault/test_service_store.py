"""Whatever befalls the store, nothing is said that is not safe, and what cannot be gone on with is refused with a cure."""

import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from monitor.store import APPLICATION_ID
from tests.commands import replayed
from tests.receiver import Receiver, receiving
from tests.service import Process, append, attacks, expected_of, reading, service, until, webhook

LIMIT_BYTES = 65_536
"""Where files end for a process whose disk is full."""


def settings(folder: Path, receiver: Receiver, **more: Any) -> dict[str, Any]:
    return reading(folder, {"soc": webhook(receiver.url)}, **more)


@contextmanager
def full_disk(process: Process) -> Iterator[None]:
    """No file of that process grows beyond a limit that its write-ahead log has reached or soon will."""
    before = resource.prlimit(process.popen.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(process.popen.pid, resource.RLIMIT_FSIZE, (LIMIT_BYTES, before[1]))
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            resource.prlimit(process.popen.pid, resource.RLIMIT_FSIZE, before)


def test_on_a_full_disk_nothing_is_read_or_said_until_there_is_room(tmp_path: Path) -> None:
    records = attacks(30)
    expected = expected_of(tmp_path, records)
    half = len(records) // 2
    with receiving() as receiver, service(settings(tmp_path, receiver), tmp_path / "run") as process:
        append(tmp_path / "in.jsonl", records[:200])
        assert until(lambda: bool(receiver.received))
        with full_disk(process):
            append(tmp_path / "in.jsonl", records[200:half])
            assert process.said("no checkpoint could be written, so nothing is read until one can: store.path: ")
            said = len(receiver.received)
            append(tmp_path / "in.jsonl", records[half:])
            assert process.get("/readyz").status == 503
            assert process.checks()["store"] == {"ok": False, "why": "a checkpoint could not be written"}
            assert process.metric("checkpoint_failures_total") >= 1
            until(lambda: False, 0.5)  # what was on its way when it failed
            read = process.metric("events_total")
            assert not until(lambda: process.metric("events_total") > read or len(receiver.received) > said + 1, 1)
        assert process.said("checkpoints can be written again; reading goes on")
        assert until(lambda: receiver.ids >= expected)
        assert until(lambda: process.get("/readyz").status == 200)
        assert until(lambda: process.metric("outbox_pending") == 0)
        assert process.stop() == 0
    assert receiver.ids == expected
    assert receiver.repeated == 0


@pytest.mark.parametrize("politely", [True, False])
def test_stopped_on_a_full_disk_it_goes_on_where_it_last_was_safe(tmp_path: Path, politely: bool) -> None:  # noqa: FBT001
    records = attacks(20)
    expected = expected_of(tmp_path, records)
    with receiving() as receiver:
        config = settings(tmp_path, receiver)
        with service(config, tmp_path / "first") as process:
            append(tmp_path / "in.jsonl", records[:200])
            assert until(lambda: bool(receiver.received))
            with full_disk(process):
                append(tmp_path / "in.jsonl", records[200:])
                assert process.said("no checkpoint could be written")
                if politely:
                    assert process.stop() == 3
                    assert "store.path: cannot be written, so what was read since the last checkpoint is read again" in process.text()
                else:
                    process.kill()
        with service(config, tmp_path / "second") as process:
            assert until(lambda: receiver.ids >= expected)
            assert process.stop() == 0
    assert receiver.ids == expected
    assert receiver.repeated <= 1


# -- refused before anything begins ---------------------------------------------------------------------------------------------------


def _locked_folder(folder: Path) -> Path:
    (folder / "locked").mkdir(mode=0o000)
    return folder / "locked" / "store.db"


def _read_only_folder(folder: Path) -> Path:
    (folder / "fixed").mkdir(mode=0o555)
    return folder / "fixed" / "store.db"


def _read_only_file(folder: Path) -> Path:
    with closing(sqlite3.connect(folder / "fixed.db")) as db:
        db.execute(f"PRAGMA application_id={APPLICATION_ID}")
    (folder / "fixed.db").chmod(0o444)
    return folder / "fixed.db"


def _no_database(folder: Path) -> Path:
    (folder / "letter.txt").write_text("Dear reader, " * 100)
    return folder / "letter.txt"


def _of_another_program(folder: Path) -> Path:
    with closing(sqlite3.connect(folder / "other.db")) as db:
        db.execute("CREATE TABLE letters(text)")
    return folder / "other.db"


def _newer(folder: Path) -> Path:
    with closing(sqlite3.connect(folder / "newer.db")) as db:
        db.execute("CREATE TABLE something(new)")
        db.execute(f"PRAGMA application_id={APPLICATION_ID}")
        db.execute("PRAGMA user_version=99")
    return folder / "newer.db"


REFUSED = [
    (_locked_folder, "unable to open database file"),
    (_read_only_folder, "unable to open database file"),
    (_read_only_file, "attempt to write a readonly database"),
    (lambda folder: folder, "unable to open database file"),
    (lambda folder: folder / "missing" / "store.db", "unable to open database file"),
    (_no_database, "file is not a database"),
    (_of_another_program, "another program's database; name another file"),
    (_newer, "was written by a newer watchfloor (version 99 of its tables, this one knows 1); use that one, or name another file"),
]


@pytest.mark.parametrize(("make", "why"), REFUSED)
def test_a_store_that_cannot_be_used_is_refused_in_one_line(tmp_path: Path, make: Callable[[Path], Path], why: str) -> None:
    with receiving() as receiver:
        config = settings(tmp_path, receiver, store={"path": str(make(tmp_path))})
        with service(config, tmp_path / "run", altered={"unprivileged": True}) as process:
            assert process.wait(20) == 2
    (line,) = process.text().splitlines()
    assert line.startswith("watchfloor: store.path: ")
    assert why in line
    for folder in ("locked", "fixed"):
        if (tmp_path / folder).is_dir():
            (tmp_path / folder).chmod(0o700)


def test_a_checkpoint_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    with receiving() as receiver:
        config = settings(tmp_path, receiver)
        _ran_once(tmp_path, config, receiver)
        with closing(sqlite3.connect(tmp_path / "store.db")) as db:
            db.execute("UPDATE belongs SET format = 99")
            db.commit()
        with service(config, tmp_path / "second") as process:
            assert process.wait(20) == 2
    assert process.text().splitlines()[-1] == (
        "watchfloor: store.path: its checkpoint was written by a newer watchfloor; use that one, or name another file"
    )


def test_a_damaged_store_ends_the_start_with_a_cure(tmp_path: Path) -> None:
    with receiving() as receiver:
        config = settings(tmp_path, receiver)
        _ran_once(tmp_path, config, receiver)
        store = tmp_path / "store.db"
        with closing(sqlite3.connect(store)) as db:
            (page,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'state'").fetchone()
            (size,) = db.execute("PRAGMA page_size").fetchone()
        with store.open("r+b") as file:
            file.seek((page - 1) * size)
            file.write(b"\xff" * size)
        with service(config, tmp_path / "second") as process:
            assert process.wait(20) == 3
    assert "store.path: " in process.text()
    assert "database disk image is malformed" in process.text()


def _ran_once(folder: Path, config: dict[str, Any], receiver: Receiver) -> None:
    append(folder / "in.jsonl", attacks(1))
    with service(config, folder / "first") as process:
        assert until(lambda: bool(receiver.received))
        assert process.stop() == 0


def test_a_store_of_other_inputs_is_refused_unless_it_is_adopted(tmp_path: Path) -> None:
    records = attacks(4)
    expected = expected_of(tmp_path, records)
    other = tmp_path / "other.jsonl"
    with receiving() as receiver:
        config = settings(tmp_path, receiver)
        both = {**config, "follow": [*config["follow"], {"path": str(other), "format": "native"}]}
        append(tmp_path / "in.jsonl", records[:100])
        append(other, records[:1])
        with service(both, tmp_path / "first") as process:
            assert until(lambda: bool(receiver.received))
            assert process.stop() == 0
        append(tmp_path / "in.jsonl", records[100:])
        with service(config, tmp_path / "second") as process:
            assert process.wait(20) == 2
        assert process.text().splitlines()[-1] == (
            f"watchfloor: store.path: belongs to a configuration that also reads file {other}; name another file, put the missing back, "
            "or say store.adopt: true to go on without"
        )
        adopted = {**config, "store": {**config["store"], "adopt": True}}
        with service(adopted, tmp_path / "third") as process:
            assert until(lambda: receiver.ids >= expected)
            assert process.stop() == 0
        # From then on it is a store of the inputs that are left.
        with service(config, tmp_path / "fourth") as process:
            assert until(lambda: process.ready and process.get("/readyz").status == 200)
            assert process.stop() == 0
    assert receiver.ids == expected
    assert receiver.repeated == 0


# -- what changes between two runs ----------------------------------------------------------------------------------------------------


def test_with_other_limits_it_goes_on_from_what_it_remembers(tmp_path: Path) -> None:
    """Cut in the middle of an attack: the accounts' failures are counted on, and addresses have new limits."""
    records = attacks(4)
    cut = len(records) // 2 + 10
    append(tmp_path / "all.jsonl", records)
    alerts = replayed(tmp_path, "--format", "native", tmp_path / "all.jsonl", name="expected.jsonl")
    by_actor = {alert.id for alert in alerts if alert.entity.type == "actor"}
    by_ip = {alert.id for alert in alerts if alert.entity.type == "ip"}
    with receiving() as receiver:
        append(tmp_path / "in.jsonl", records[:cut])
        with service(settings(tmp_path, receiver), tmp_path / "first") as process:
            assert until(lambda: bool(receiver.received))
            assert process.stop() == 0
        append(tmp_path / "in.jsonl", records[cut:])
        limits = {"failed_login_burst": {"by_ip": {"threshold": 1000, "fast_threshold": 0}}, "password_spray": {"enabled": False}}
        with service(settings(tmp_path, receiver, detectors=limits), tmp_path / "second") as process:
            assert process.said("went on from the last checkpoint")
            assert until(lambda: receiver.ids >= by_actor)
            assert process.stop() == 0
            assert "begins anew" not in process.text()
    assert by_actor <= receiver.ids <= by_actor | by_ip
    assert 0 < len(by_ip & receiver.ids) < len(by_ip)
    assert receiver.repeated == 0


@pytest.mark.parametrize(("detector", "matters"), [("password_spray/by_ip", False), ("failed_login_burst/by_ip", True)])
def test_after_an_upgrade_a_detector_begins_anew_and_the_others_go_on(tmp_path: Path, detector: str, matters: bool) -> None:  # noqa: FBT001
    records = attacks(4)
    expected = expected_of(tmp_path, records)
    cut = len(records) // 2 + 10
    with receiving() as receiver:
        config = settings(tmp_path, receiver)
        append(tmp_path / "in.jsonl", records[:cut])
        with service(config, tmp_path / "first") as process:
            assert until(lambda: bool(receiver.received))
            assert process.stop() == 0
        append(tmp_path / "in.jsonl", records[cut:])
        with service(config, tmp_path / "second", altered={"versions": {detector.partition("/")[0]: 99}}) as process:
            assert process.said(f"detector {detector} begins anew: what it remembered cannot be read by this version")
            assert until(lambda: len(receiver.ids) >= (len(expected) // 2 if matters else len(expected)))
            assert until(lambda: process.metric("outbox_pending") == 0 and process.metric("held_events") == 0)
            assert process.stop() == 0
            assert all(detector.partition("/")[0] in line for line in process.text().splitlines() if "begins anew" in line)
    if not matters:
        assert receiver.ids == expected
    else:  # of the attack that was under way it has seen the second half alone
        assert 0 < len(expected & receiver.ids) < len(expected)
    assert receiver.repeated == 0


def test_of_two_processes_on_one_store_the_later_one_goes_on(tmp_path: Path) -> None:
    records = attacks(12)
    expected = expected_of(tmp_path, records)
    thirds = [records[at : at + len(records) // 3 + 1] for at in range(0, len(records), len(records) // 3 + 1)]
    with receiving() as receiver:
        config = settings(tmp_path, receiver)
        append(tmp_path / "in.jsonl", thirds[0])
        with service(config, tmp_path / "first") as first:
            assert until(lambda: bool(receiver.received))
            append(tmp_path / "in.jsonl", thirds[1])
            with service(config, tmp_path / "second") as second:
                assert first.wait(20) == 3
                assert "another process has taken over the store; this one stops" in first.text()
                append(tmp_path / "in.jsonl", thirds[2])
                assert until(lambda: receiver.ids >= expected)
                assert second.stop() == 0
    assert receiver.ids == expected
    assert receiver.repeated <= 1
