"""Files and standard output as sinks: ``JsonLines`` on a thread of its own, so that a slow disk does not stop the stream."""

import asyncio
import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from monitor.notification import Notification, Style, UnreachableError
from monitor.settings_sinks import FileSink, StdoutSink
from monitor.sinks.errors import OutputError
from monitor.sinks.lines import JsonLines
from schemas.alert import Alert
from schemas.errors import ConfigurationError

TAIL_BYTES = 1_048_576
"""How far back the last line end is looked for; a torn line is not longer."""


class Local:
    """Writes each batch of alert versions as lines. ``name``: of the sink in the configuration. Raises ``ConfigurationError``.

    What a full disk or a crash left of a line is taken off before anything is added, so that every line of the file is whole.
    """

    style: ClassVar[Style] = "stream"
    max_alerts: ClassVar[int] = 500

    def __init__(self, name: str, settings: FileSink | StdoutSink) -> None:
        self._path = settings.path if isinstance(settings, FileSink) else None
        self._setting = f"sinks.{name}.{'path' if self._path else 'type'}"
        self._format = settings.format
        self._timeout_s = settings.timeout_s
        self._fsync = isinstance(settings, FileSink) and settings.fsync
        self._lines: JsonLines | None = self._open()
        self._size = self._length()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"sink-{name}")

    async def send(self, notification: Notification) -> dict[str, Any]:
        """See ``monitor.notification.Sink.send``."""
        await self._on_thread(lambda: self._write(notification.alerts))
        return {}

    async def close(self) -> None:
        """Write out and close. What cannot be written any more was said when it was sent."""
        with suppress(UnreachableError):
            await self._on_thread(self._close)
        self._thread.shutdown(wait=False)

    async def _on_thread(self, work: Callable[[], None]) -> None:
        # One thread, so a batch that hangs is not overtaken by the next one. What has begun cannot be called back, and is waited for no longer.
        running = asyncio.get_running_loop().run_in_executor(self._thread, work)
        running.add_done_callback(lambda done: None if done.cancelled() else done.exception())
        try:
            await asyncio.wait_for(asyncio.shield(running), self._timeout_s)
        except TimeoutError:
            raise UnreachableError(
                f"{self._setting}: could not be written within {self._timeout_s:g} s; see whether the disk hangs"
            ) from None

    def _write(self, alerts: tuple[Alert, ...]) -> None:
        try:
            if self._lines is None:
                self._lines = self._open()
                self._size = self._length()
            self._lines.send(alerts)
            self._sync()
        except (OutputError, ConfigurationError) as exc:
            self._drop()
            raise UnreachableError(str(exc)) from None
        except (BrokenPipeError, ValueError):  # nobody reads any more, or it was closed under us
            raise UnreachableError(f"{self._setting}: is closed at the other end; start again with a reader, or name a file") from None
        self._size = self._length()

    def _sync(self) -> None:
        if not self._fsync or self._path is None:
            return
        try:
            descriptor = os.open(self._path, os.O_RDONLY)
            try:
                os.fsync(descriptor)  # of the file, whoever wrote it
            finally:
                os.close(descriptor)
        except OSError as exc:
            raise OutputError(f"{self._setting}: {self._path}: {(exc.strerror or 'error').lower()}; free some space") from exc

    def _drop(self) -> None:
        """After a failed write: forget what is buffered, and take off what reached the file. The whole batch comes again."""
        if self._lines is None or self._path is None:
            return
        with suppress(OutputError, BrokenPipeError):
            self._lines.close()
        self._lines = None
        with suppress(OSError):
            if _is_file(self._path) and self._path.stat().st_size > self._size:
                os.truncate(self._path, self._size)

    def _open(self) -> JsonLines:
        if self._path is not None:
            with suppress(OSError, ValueError):  # what cannot be read is said when it is opened to be written
                _mend(self._path)
        return JsonLines(self._path, self._setting, append=True, form=self._format)

    def _length(self) -> int:
        try:
            return self._path.stat().st_size if self._path is not None else 0
        except OSError:
            return 0

    def _close(self) -> None:
        if self._lines is not None:
            with suppress(OutputError, BrokenPipeError, ValueError):
                self._lines.close()
            self._lines = None


def _is_file(path: Path) -> bool:
    return stat.S_ISREG(path.stat().st_mode)


def _mend(path: Path) -> None:
    """End the file with a whole line: what is left of an alert that a crash tore is cut off, and any other last line gets its end."""
    if not _is_file(path) or path.stat().st_size == 0:
        return
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        start = max(0, size - TAIL_BYTES)
        file.seek(start)
        tail = file.read()
        if tail.endswith(b"\n"):
            return
        begins = tail.rfind(b"\n") + 1
        if tail.startswith(b"{", begins) and (begins > 0 or start == 0):
            file.truncate(start + begins)
        else:
            file.seek(0, os.SEEK_END)
            file.write(b"\n")
