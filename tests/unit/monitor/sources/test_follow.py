"""Files that are read as they grow."""

import asyncio
import gzip
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import pytest
from pydantic import ValidationError

from monitor.settings_follow import FollowSettings
from monitor.sources.follow import FollowSource
from monitor.sources.live import Arrived, LiveInput
from schemas.errors import ConfigurationError

MAX_BYTES = 100


async def begin(source: FollowSource, positions: Mapping[str, Any]) -> None:
    await source.start()
    await source.seek(positions)


class Following:
    """One file and whoever follows it, with a clock of its own; each ``read`` begins three seconds after the last."""

    def __init__(self, path: Path, *, start: str = "beginning") -> None:
        self.path, self.now = path, 0.0
        self.settings = FollowSettings.model_validate({"path": path, "format": "native", "start": start})
        self.position: Any = None
        self.source = self.begin()

    @property
    def name(self) -> str:
        return f"file:{self.path}"

    def begin(self) -> FollowSource:
        source = FollowSource([self.settings], MAX_BYTES, clock=lambda: self.now)
        asyncio.run(begin(source, {} if self.position is None else {self.name: self.position}))
        return source

    def restart(self, while_down: Callable[[], object] = lambda: None) -> None:
        asyncio.run(self.source.close())
        while_down()
        self.source = self.begin()

    def step(self, seconds: float = 3.0) -> Arrived | None:
        self.now += seconds
        arrived = asyncio.run(self.source.next(0))
        if not arrived:
            return None
        assert [one.source for one in arrived] == [self.name]
        self.position = arrived[0].position
        return arrived[0]

    def read(self) -> list[bytes]:
        """Everything until it has caught up."""
        records: list[bytes] = []
        for _ in range(30):
            one = self.step()
            if one is not None:
                records += one.records
                assert len(one.lines) == len(one.records)
                if one.caught_up:
                    return records
        raise AssertionError("never caught up")

    def append(self, text: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(text)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run(self.source.close())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "app.log"
    path.write_bytes(b"one\ntwo\n")
    return path


def rename(path: Path, number: int = 1) -> None:
    path.rename(path.with_name(f"{path.name}.{number}"))


def test_a_record_waits_for_its_line_end_and_is_told_by_its_byte(path: Path) -> None:
    path.write_bytes(b"one\r\n\ntwo\nthr")
    with Following(path) as following:
        first = following.step()
        assert first is not None
        assert (first.records, list(first.lines), first.caught_up) == ([b"one", b"two"], [0, 6], False)
        assert first.position["offset"] == 10
        second = following.step()
        assert second is not None
        assert (second.records, second.caught_up) == ([], True)
        following.append(b"ee\n")
        third = following.step()
        assert third is not None
        assert (third.records, list(third.lines), third.position["offset"]) == ([b"three"], [10], 16)


@pytest.mark.parametrize(("start", "expected"), [("beginning", [b"one", b"two", b"three", b"four"]), ("end", [b"three", b"four"])])
def test_a_file_never_read_begins_where_the_settings_say(path: Path, start: str, expected: list[bytes]) -> None:
    path.write_bytes(b"one\ntwo\nthr")  # the end is no place inside of a record
    with Following(path, start=start) as following:
        records = following.read()
        following.append(b"ee\nfour\n")
        assert records + following.read() == expected


def test_the_end_of_a_file_stays_where_it_was_on_restart(path: Path) -> None:
    with Following(path, start="end") as following:
        assert following.read() == []
        following.restart(lambda: following.append(b"three\n"))
        assert following.read() == [b"three"]


@pytest.mark.parametrize("start", ["beginning", "end"])
def test_a_file_that_comes_later_is_read_whole(tmp_path: Path, start: str, caplog: pytest.LogCaptureFixture) -> None:
    with Following(tmp_path / "later" / "app.log", start=start) as following:
        assert following.read() == []
        assert "is not there yet" in caplog.text
        following.path.parent.mkdir()
        following.append(b"one\n")
        assert following.read() == [b"one"]


def test_a_file_that_comes_while_nobody_looks_is_read_whole(tmp_path: Path) -> None:
    with Following(tmp_path / "app.log", start="end") as following:
        assert following.read() == []
        following.restart(lambda: following.append(b"one\n"))
        assert following.read() == [b"one"]


def test_a_rotated_file_is_finished_before_the_new_one_is_begun(path: Path) -> None:
    with Following(path) as following:
        assert following.read() == [b"one", b"two"]
        with path.open("ab") as writer:
            rename(path)
            path.write_bytes(b"five\n")
            writer.write(b"three\n")
            writer.flush()
            assert following.step(0.1) is not None  # three
            assert following.step(1.9) is None  # still warm: its writer may go on
            writer.write(b"four\nlast")
            writer.flush()
            assert following.read() == [b"four", b"last", b"five"]


def test_a_writer_that_never_lets_go_of_a_rotated_file_does_not_hold_up_the_new_one(path: Path) -> None:
    with Following(path) as following:
        following.read()
        with path.open("ab") as writer:
            rename(path)
            path.write_bytes(b"new\n")
            got: list[bytes] = []
            for number in range(70):
                writer.write(b"old %d\n" % number)
                writer.flush()
                for _ in range(2):
                    one = following.step(0.5)
                    got += one.records if one is not None else []
        assert b"new" in got
        assert got.index(b"new") == 61  # seen after one second; patience of sixty, one record in each


def test_a_file_gone_for_a_while_is_waited_for(path: Path) -> None:
    with Following(path) as following:
        assert following.read() == [b"one", b"two"]
        following.append(b"three\nhalf")
        path.unlink()
        assert following.read() == [b"three", b"half"]  # nobody can go on with it
        assert following.read() == []
        following.append(b"four\n")
        assert following.read() == [b"four"]


@pytest.mark.parametrize("again", [b"x\n", b"a file that begins otherwise and is longer than before\n"])
def test_a_truncated_file_is_read_from_its_beginning(path: Path, again: bytes) -> None:
    with Following(path) as following:
        assert following.read() == [b"one", b"two"]
        path.write_bytes(again)  # the same inode
        assert following.read() == [again.strip()]


def copy_and_truncate(path: Path) -> None:
    path.with_name("app.log.1").write_bytes(path.read_bytes())
    os.truncate(path, 0)


@pytest.mark.parametrize("down", [False, True])
def test_lines_that_were_copied_away_before_they_were_read_are_read_in_the_copy(path: Path, down: bool) -> None:  # noqa: FBT001
    with Following(path) as following:
        path.write_bytes(b"this line is long enough to know the file by\n")
        assert len(following.read()) == 1

        def rotate() -> None:
            following.append(b"two\nthr")
            copy_and_truncate(path)
            following.append(b"ee\nfour\n")

        if down:
            following.restart(rotate)
        else:
            rotate()
        assert following.read() == [b"two", b"thr", b"ee", b"four"]


def test_after_a_restart_the_rotated_file_is_found_and_finished(path: Path) -> None:
    def rotate_twice() -> None:
        following.append(b"three\n")
        rename(path)
        path.write_bytes(b"four\n")
        path.with_name("app.log.1").rename(path.with_name("app.log.2"))
        rename(path)
        path.write_bytes(b"five\n")
        path.with_name("app.log.example").write_bytes(b"no log of ours\n")
        path.with_name("app.log.0.gz").write_bytes(gzip.compress(b"nor this\n"))
        for number, name in enumerate(("app.log.2", "app.log.1", "app.log", "app.log.example", "app.log.0.gz")):
            os.utime(path.with_name(name), (2_000_000_000 + number,) * 2)

    with Following(path) as following:
        assert following.read() == [b"one", b"two"]
        following.restart(rotate_twice)
        assert following.read() == [b"three", b"four", b"five"]


def test_where_the_rotated_file_is_gone_the_log_says_so(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def replace() -> None:
        path.rename(path.with_name("keeps-its-inode"))
        path.write_bytes(b"other\n")
        path.with_name("keeps-its-inode").unlink()

    with Following(path) as following:
        following.read()
        following.restart(replace)
        assert following.read() == [b"other"]
    assert "follow.0: the file read before is gone" in caplog.text


def test_another_file_with_the_same_inode_is_another_file(path: Path) -> None:
    with Following(path) as following:
        following.read()
        following.restart(lambda: path.write_bytes(b"other, and longer than before\n"))
        assert following.read() == [b"other, and longer than before"]


def test_a_line_over_the_limit_is_oversize_however_it_comes(path: Path) -> None:
    long = b"x" * 250
    path.write_bytes(b"y" * MAX_BYTES + b"\r\n" + long + b"\nshort\n" + long)
    with Following(path) as following:
        first = following.step()
        assert first is not None
        assert (first.records, list(first.oversize)) == ([b"y" * MAX_BYTES, b"short"], [(102, long)])
        following.read()
        following.append(long + b"\nend\n")
        second = following.step()
        assert second is not None
        assert (second.records, list(second.lines)) == ([b"end"], [359 + 501])
        assert list(second.oversize) == [(359, b"x" * (MAX_BYTES + 1))]  # held no longer than need be


def test_big_files_come_in_pieces(path: Path) -> None:
    path.write_bytes(b"some record\n" * 200_000)
    with Following(path) as following:
        sizes = []
        while (one := following.step()) is not None and one.records:
            sizes.append(len(one.records))
        assert sum(sizes) == 200_000
        assert max(sizes) <= 44_000  # half a megabyte


def test_a_paused_file_keeps_its_place(path: Path) -> None:
    with Following(path) as following:
        following.source.pause(frozenset({following.name}))
        assert following.step() is None
        following.source.pause(frozenset())
        assert following.read() == [b"one", b"two"]


def test_what_was_read_when_its_task_was_cancelled_is_not_lost(path: Path) -> None:
    async def scenario(source: FollowSource) -> list[bytes]:
        task = asyncio.create_task(source.next(0))
        await asyncio.sleep(0)  # it is in its thread by now
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return [record for one in await source.next(0) for record in one.records]

    with Following(path) as following:
        assert asyncio.run(scenario(following.source)) == [b"one", b"two"]


def test_next_waits_for_what_comes_and_no_longer_than_asked(path: Path) -> None:
    path.write_bytes(b"")
    with path.open("ab", buffering=0) as writer:

        async def write_later() -> tuple[list[bytes], float]:
            source = FollowSource([FollowSettings(path=path, format="native")], MAX_BYTES)
            await begin(source, {})
            loop = asyncio.get_running_loop()
            loop.call_later(0.05, writer.write, b"three\n")
            began = loop.time()
            arrived = await source.next(60)
            await source.close()
            return [record for one in arrived for record in one.records], loop.time() - began

        records, took_s = asyncio.run(write_later())
    assert records == [b"three"]
    assert took_s < 30


def test_inputs_are_named_by_their_paths(tmp_path: Path) -> None:
    settings = FollowSettings(path=tmp_path / "a.log", format="sshd", tenant="acme")
    source = FollowSource([settings], MAX_BYTES)
    assert source.inputs == [LiveInput(f"file:{tmp_path}/a.log", "sshd", "acme", f"{tmp_path}/a.log")]
    assert source.lag() == {}


def folder(path: Path) -> None:
    path.mkdir()


def pipe(path: Path) -> None:
    os.mkfifo(path)


def packed(path: Path) -> None:
    path.write_bytes(gzip.compress(b"one\n"))


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (folder, "follow.0.path: is not a regular file; name a log file, or pipe it to standard input"),
        (pipe, "follow.0.path: is not a regular file; name a log file, or pipe it to standard input"),
        (packed, "follow.0.path: is compressed; name the log as it is written, and use replay for old ones"),
    ],
)
def test_what_is_no_log_file_is_refused_at_the_start(make: Callable[[Path], None], problem: str, tmp_path: Path) -> None:
    make(tmp_path / "it")
    source = FollowSource([FollowSettings(path=tmp_path / "it", format="native")], MAX_BYTES)
    with pytest.raises(ConfigurationError) as caught:
        asyncio.run(begin(source, {}))
    assert str(caught.value) == problem


def test_a_file_given_twice_is_refused(path: Path) -> None:
    file = FollowSettings(path=path, format="native")
    with pytest.raises(ConfigurationError, match=r"files\.1\.path: is given twice"):
        asyncio.run(begin(FollowSource([file, file], MAX_BYTES, setting="files"), {}))


@pytest.mark.parametrize("wrong", [{"format": "auto"}, {}, {"format": "native", "tenant": ""}, {"format": "native", "start": "middle"}])
def test_wrong_settings_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        FollowSettings.model_validate({"path": "app.log", **wrong})


@pytest.mark.parametrize("position", [None, 7, {"inode": "x"}, {"offset": -1}, []])
def test_a_position_that_means_nothing_is_as_none(path: Path, position: object) -> None:
    source = FollowSource([FollowSettings(path=path, format="native")], MAX_BYTES)

    async def scenario() -> list[bytes]:
        await begin(source, {f"file:{path}": position})
        arrived = await source.next(0)
        await source.close()
        return [record for one in arrived for record in one.records]

    assert asyncio.run(scenario()) == [b"one", b"two"]


def test_a_disk_that_fails_is_said_once_and_tried_again(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    with Following(path) as following:
        following.read()
        path.unlink()
        path.symlink_to(path)  # a loop: neither there nor missing
        for _ in range(4):
            following.step()
        assert caplog.text.count("cannot be read") == 1
        path.unlink()
        following.append(b"three\n")
        assert following.read() == [b"three"]
