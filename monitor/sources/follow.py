"""Log files that are read as they grow. By looking again and again, so that it works on every file system."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from monitor.settings_follow import FollowSettings
from monitor.sources.follow_place import place_of
from monitor.sources.followed import Followed
from monitor.sources.live import Arrived, LiveInput
from schemas.errors import ConfigurationError

POLL_S = 0.25
"""How often a file is looked at that had nothing new."""


class FollowSource:
    """Follows files across rotation and truncation; ``setting``: where they are configured, for messages.

    A position is the file's device, inode, byte and fingerprint of its beginning. ``lines`` are the bytes at which records begin.
    """

    def __init__(
        self,
        files: Sequence[FollowSettings],
        max_record_bytes: int,
        *,
        setting: str = "follow",
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._settings, self._setting = files, setting
        self._files = [Followed(file, max_record_bytes, f"{setting}.{number}") for number, file in enumerate(files)]
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()  # a step may still run in its thread when its task was cancelled
        self.generation = 0
        self._ready: dict[str, Arrived] = {}
        self._paused: frozenset[str] = frozenset()
        self.inputs: Sequence[LiveInput] = [
            LiveInput(followed.source, file.format, file.tenant, str(file.path)) for file, followed in zip(files, self._files, strict=True)
        ]
        """Every file is an input, also while it is not there."""

    async def start(self) -> None:
        """See ``LiveSource``."""
        for number, file in enumerate(self._settings):
            if file.path in [other.path for other in self._settings[:number]]:
                raise ConfigurationError(f"{self._setting}.{number}.path: is given twice; keep one")
        self.generation = 1

    async def seek(self, positions: Mapping[str, Any]) -> None:
        """See ``LiveSource``. A file that is not there yet is no error; one that can never be followed is a ``ConfigurationError``."""
        for followed in self._files:
            await asyncio.to_thread(followed.start, place_of(positions.get(followed.source)))

    async def next(self, wait_s: float) -> Sequence[Arrived]:
        """See ``LiveSource``."""
        deadline = self._clock() + wait_s
        while True:
            await asyncio.to_thread(self._look)
            held = {source: one for source, one in self._ready.items() if source in self._paused}
            arrived = [one for source, one in self._ready.items() if source not in held]
            left_s = deadline - self._clock()
            if left_s <= 0 or any(one.records or one.oversize for one in arrived):
                self._ready = held
                return [one for one in arrived if one.records or one.oversize or one.caught_up]
            await self._sleep(min(POLL_S, left_s))

    def pause(self, sources: frozenset[str]) -> None:
        """See ``LiveSource``."""
        self._paused = sources

    async def commit(self, positions: Mapping[str, Any]) -> None:
        """Nothing: nobody but the checkpoint keeps the positions."""

    def lag(self) -> Mapping[tuple[str, str], int]:
        """Not known: files are counted in bytes."""
        return {}

    @property
    def ended(self) -> bool:
        """Never: a file can grow again."""
        return False

    async def close(self) -> None:
        """Close all files."""
        await asyncio.to_thread(self._close)

    def _look(self) -> None:
        """One step of each file whose last one was taken."""
        with self._lock:
            now = self._clock()
            for followed in self._files:
                before = self._ready.get(followed.source)
                if followed.source not in self._paused and (before is None or not (before.records or before.oversize)):
                    self._ready[followed.source] = followed.step(now)

    def _close(self) -> None:
        with self._lock:
            for followed in self._files:
                followed.close()
