"""Records from standard input, as they come."""

import asyncio
import os
import select
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from monitor.sources.live import Arrived, LiveInput
from monitor.sources.records import LineSplitter

READ_BYTES = 64 * 1024
HELD_PIECES = 32
"""Pieces read ahead at most; then whoever writes to us has to wait."""
_LOOK_AGAIN_MS = 200


class StandardInput:
    """The lines of standard input. It has no position: what was read and not checkpointed is gone with the process.

    ``lines`` are line numbers. ``descriptor``: what is read; it is left open.
    """

    def __init__(self, format: str, max_record_bytes: int = 1_048_576, *, tenant: str | None = None, descriptor: int = 0) -> None:  # noqa: A002 - as the setting is called
        self.inputs: Sequence[LiveInput] = [LiveInput("stdin", format, tenant, "stdin")]
        """The one there is."""
        self.generation = 0
        self._lines = LineSplitter(max_record_bytes, keep_bytes=max_record_bytes)
        self._descriptor = descriptor
        self._pieces: deque[bytes] = deque()
        self._changed = threading.Condition()
        self._came = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closing = False
        self._at_end = False
        self._finished = False
        self._paused = False

    @property
    def ended(self) -> bool:
        """Whether standard input has ended and all of it was handed out."""
        return self._finished

    async def start(self) -> None:
        """Begin to read."""
        self.generation = 1
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._read, name="stdin", daemon=True)
        self._thread.start()

    async def seek(self, positions: Mapping[str, Any]) -> None:
        """Nothing: there is no place to go to."""

    async def next(self, wait_s: float) -> Sequence[Arrived]:
        """See ``LiveSource``; after the end at once, with nothing."""
        if self._paused:
            await asyncio.sleep(wait_s)
            return []
        if not self._pieces and not self._at_end:
            try:
                await asyncio.wait_for(self._came.wait(), wait_s)
            except TimeoutError:
                return [Arrived("stdin", [], [], None, caught_up=True)]
        with self._changed:
            piece = self._pieces.popleft() if self._pieces else None
            if not self._pieces and not self._at_end:
                self._came.clear()
            at_end = self._at_end and piece is None
            self._changed.notify_all()
        if self._finished or (piece is None and not at_end):  # woken for a piece that was taken already
            return []
        batch = self._lines.feed(piece) if piece is not None else self._lines.finish(broken=False)
        self._finished = at_end
        return [Arrived("stdin", batch.records, batch.lines, None, caught_up=not self._pieces, oversize=batch.oversize)]

    def pause(self, sources: frozenset[str]) -> None:
        """See ``LiveSource``."""
        self._paused = "stdin" in sources

    async def commit(self, positions: Mapping[str, Any]) -> None:
        """Nothing: there is nowhere to go back to."""

    def lag(self) -> Mapping[tuple[str, str], int]:
        """Not known."""
        return {}

    async def close(self) -> None:
        """Stop reading."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    def _read(self) -> None:
        """The thread: read until the end, no further ahead than allowed. Looks up now and then, because a read cannot be called off."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        piece = b"more"
        while piece:
            if not poll.poll(_LOOK_AGAIN_MS):
                if self._closing:
                    return
                continue
            try:
                piece = os.read(self._descriptor, READ_BYTES)
            except BlockingIOError:  # another program shares it and was faster
                continue
            except OSError:
                piece = b""
            with self._changed:
                self._changed.wait_for(lambda: self._closing or len(self._pieces) < HELD_PIECES)
                if self._closing:
                    return
                if piece:
                    self._pieces.append(piece)
                else:
                    self._at_end = True
                assert self._loop is not None
                self._loop.call_soon_threadsafe(self._came.set)
