import asyncio
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from monitor.notification import Notification, UnreachableError
from monitor.settings_sinks import FileSink, StdoutSink
from monitor.sinks.local import Local
from schemas.alert import Alert
from schemas.errors import ConfigurationError
from tests.sink_cases import alert, notification


def file_sink(path: Path, **settings: Any) -> Local:
    return Local("mine", FileSink(type="file", path=path, **settings))


def write(made: Local, *sent: Notification) -> list[str]:
    """``written``, or what was wrong."""

    async def run() -> list[str]:
        said = []
        try:
            for each in sent:
                try:
                    await made.send(each)
                    said.append("written")
                except UnreachableError as exc:
                    said.append(str(exc))
        finally:
            await made.close()
        return said

    return asyncio.run(run())


def ids(path: Path) -> list[str]:
    return [msgspec.json.decode(line, type=Alert).id for line in path.read_bytes().splitlines()]


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """A disk that is full after so many bytes of a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("fsync", [False, True])
def test_alerts_are_added_to_what_is_there(tmp_path: Path, fsync: bool) -> None:  # noqa: FBT001 - a case
    path = tmp_path / "alerts.jsonl"
    write(file_sink(path), notification(alert(1)))
    write(file_sink(path, fsync=fsync), notification(alert(2), alert(3)), notification(alert(4)))

    assert ids(path) == ["id00001", "id00002", "id00003", "id00004"]


def test_a_full_disk_is_tried_again() -> None:
    said = write(file_sink(Path("/dev/full")), *[notification(alert())] * 2)

    assert len(said) == 2
    assert all(each.startswith("sinks.mine.path: /dev/full: writing failed: no space left on device") for each in said)


def test_a_disk_that_fills_up_tears_no_line_and_repeats_none(tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"

    async def run() -> None:
        made = file_sink(path)
        try:
            await made.send(notification(alert(1)))
            size = path.stat().st_size
            with no_file_larger_than(size + size // 2):
                for _ in range(2):
                    with pytest.raises(UnreachableError, match="writing failed"):
                        await made.send(notification(alert(2), alert(3)))
                    assert ids(path) == ["id00001"]
            await made.send(notification(alert(2), alert(3)))
        finally:
            await made.close()

    asyncio.run(run())
    assert ids(path) == ["id00001", "id00002", "id00003"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'{"id":"a"}\n{"id":"b","ver', b'{"id":"a"}\n'),
        (b'{"id":"b","ver', b""),
        (b'{"id":"a"}\n', b'{"id":"a"}\n'),
        (b"", b""),
        (b"a line of somebody else", b"a line of somebody else\n"),
        (b'{"id":"a"}\na line of somebody else', b'{"id":"a"}\na line of somebody else\n'),
    ],
)
def test_what_a_crash_left_of_a_line_is_taken_off(tmp_path: Path, before: bytes, after: bytes) -> None:
    path = tmp_path / "alerts.jsonl"
    path.write_bytes(before)

    write(file_sink(path))

    assert path.read_bytes() == after


def test_a_folder_that_is_not_there_is_said_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"^sinks\.mine\.path: cannot write"):
        file_sink(tmp_path / "none" / "alerts.jsonl")


def test_a_disk_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    big = notification(*(alert(number, summary="s" * 1_000) for number in range(100)))  # more than a pipe holds

    async def run() -> None:
        made = file_sink(pipe, timeout_s=0.2)
        with pytest.raises(UnreachableError, match=r"could not be written within 0\.2 s"):
            await made.send(big)
        os.set_blocking(reader, True)
        drained = asyncio.get_running_loop().run_in_executor(None, drain)
        await made.close()
        await drained

    def drain() -> None:
        while os.read(reader, 65_536):
            pass

    asyncio.run(run())
    os.close(reader)


def test_standard_output() -> None:
    read_end, write_end = os.pipe()
    usual = sys.stdout
    sys.stdout = os.fdopen(write_end, "w")
    try:
        assert write(Local("mine", StdoutSink(type="stdout")), notification(alert(1))) == ["written"]
        line = os.read(read_end, 65_536)
        os.close(read_end)
        said = write(Local("mine", StdoutSink(type="stdout")), notification(alert(2)))
    finally:
        broken, sys.stdout = sys.stdout, usual
        with pytest.raises(BrokenPipeError):
            broken.close()

    assert msgspec.json.decode(line, type=Alert).id == "id00001"
    assert said == ["sinks.mine.type: is closed at the other end; start again with a reader, or name a file"]
