"""Whatever befalls a followed file, each line is read once and in order."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest

from monitor.settings_follow import FollowSettings
from monitor.sources.follow import FollowSource


async def begin(source: FollowSource, positions: Mapping[str, Any]) -> None:
    await source.start()
    await source.seek(positions)


class Story:
    """A writer, the rotation, and a reader that is killed now and then and goes on from what it last kept."""

    def __init__(self, path: Path, rng: Random) -> None:
        self.path, self.rng, self.now = path, rng, 0.0
        self.written: list[bytes] = []
        self.got: list[bytes] = []
        self.kept: list[bytes] = []
        self.position: Any = None
        self.writer = path.open("ab", buffering=0)
        self.rotations = 0
        self.source = self.begin()

    def begin(self) -> FollowSource:
        source = FollowSource([FollowSettings(path=self.path, format="native")], 1000, clock=lambda: self.now)
        asyncio.run(begin(source, {} if self.position is None else {f"file:{self.path}": self.position}))
        return source

    def write(self) -> None:
        """A line; the reader may look in the middle of it."""
        self.write_line(look=self.rng.random() < 0.3)

    def write_line(self, *, look: bool) -> None:
        line = b"line %06d %s" % (len(self.written), b"x" * self.rng.randrange(60))
        cut = self.rng.randrange(len(line))
        self.writer.write(line[:cut])
        if look:
            self.read()
        self.writer.write(line[cut:] + b"\n")
        self.written.append(line)

    def rotate(self) -> None:
        """Rename; the writer goes on in the old file for a while."""
        self.rotations += 1
        self.path.rename(self.path.with_name(f"app.log.{self.rotations}"))
        if self.rng.random() < 0.5:
            self.write()
        self.writer.close()
        self.stamp()
        self.writer = self.path.open("ab", buffering=0)

    def stamp(self) -> None:
        """Give the newest rotated file a later time than the others: the file system's own clock ticks too slowly for so fast a story."""
        os.utime(self.path.with_name(f"app.log.{self.rotations}"), (1_900_000_000 + self.rotations,) * 2)

    def copy_and_truncate(self) -> None:
        content = self.path.read_bytes()
        if len(content) < 300:
            return
        self.rotations += 1
        copy = self.path.with_name(f"app.log.{self.rotations}")
        copy.write_bytes(content)
        self.stamp()
        os.truncate(self.path, 0)
        self.settle()  # two rotations by copy within one look cannot be told apart

    def read(self) -> None:
        self.now += self.rng.choice([0.3, 3])
        for one in asyncio.run(self.source.next(0)):
            self.got += one.records
            if self.rng.random() < 0.7:
                self.position, self.kept = one.position, list(self.got)

    def kill(self) -> None:
        asyncio.run(self.source.close())
        self.got = list(self.kept)
        if self.rng.random() < 0.5:
            self.write_line(look=False)
        self.source = self.begin()

    def settle(self) -> None:
        for _ in range(60):
            self.now += 3
            arrived = asyncio.run(self.source.next(0))
            for one in arrived:
                self.got += one.records
                self.position, self.kept = one.position, list(self.got)
            if arrived and all(one.caught_up for one in arrived):
                return

    def end(self) -> None:
        self.writer.close()
        asyncio.run(self.source.close())


@pytest.mark.parametrize("seed", range(40))
def test_each_line_is_read_once_and_in_order(seed: int, tmp_path: Path) -> None:
    rng = Random(seed)
    story = Story(tmp_path / "app.log", rng)
    acts = [story.write] * 10 + [story.read] * 4 + [story.rotate, story.kill]
    if seed % 2:
        acts.append(story.copy_and_truncate)
    try:
        story.write()
        story.settle()  # what was rotated away before the first start is nobody's business
        for _ in range(300):
            rng.choice(acts)()
        story.settle()
        assert story.got == story.written
        assert story.rotations > 3
    finally:
        story.end()
