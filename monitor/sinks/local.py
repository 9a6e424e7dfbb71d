"""Files and standard output as sinks, written on a thread of their own, so that a slow disk does not stop the stream."""

import asyncio
import os
import stat
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from monitor.notification import Notification, Style, UnreachableError
from monitor.settings_sinks import FileSink, StdoutSink
from monitor.sinks.encode import encode
from monitor.sinks.errors import OutputError, failed
from monitor.sinks.lines import JsonLines
from schemas.alert import Alert
from schemas.errors import ConfigurationError
from schemas.export import ExportName

TAIL_BYTES = 1_048_576
"""How far back the last line end is looked for; a torn line is not longer."""


class Local:
    """Writes each batch of alert versions as lines. ``name``: of the sink in the configuration. Raises ``ConfigurationError``."""

    style: ClassVar[Style] = "stream"
    max_alerts: ClassVar[int] = 500

    def __init__(self, name: str, settings: FileSink | StdoutSink) -> None:
        self._timeout_s = settings.timeout_s
        self._out: WholeLines | JsonLines
        if isinstance(settings, FileSink):
            self._setting = f"sinks.{name}.path"
            self._out = WholeLines(settings.path, self._setting, settings.format, fsync=settings.fsync)
        else:
            self._setting = f"sinks.{name}.type"
            self._out = JsonLines(None, self._setting, form=settings.format)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"sink-{name}")

    async def send(self, notification: Notification) -> dict[str, Any]:
        """See ``monitor.notification.Sink.send``."""
        await self._on_thread(lambda: self._out.send(notification.alerts))
        return {}

    async def close(self) -> None:
        """Close the file. What could not be written was said when it was sent."""
        with suppress(UnreachableError):
            await self._on_thread(self._out.close)
        self._thread.shutdown(wait=False)

    async def _on_thread(self, work: Callable[[], None]) -> None:
        # One thread, so a batch that hangs is not overtaken by the next. What has begun cannot be called back; it is only waited for no longer.
        running = asyncio.get_running_loop().run_in_executor(self._thread, work)
        running.add_done_callback(lambda done: None if done.cancelled() else done.exception())
        try:
            await asyncio.wait_for(asyncio.shield(running), self._timeout_s)
        except TimeoutError:
            raise UnreachableError(
                f"{self._setting}: could not be written within {self._timeout_s:g} s; see whether the disk hangs"
            ) from None
        except OutputError as exc:
            raise UnreachableError(str(exc)) from None
        except (BrokenPipeError, ValueError):  # nobody reads any more, or it was closed under us
            raise UnreachableError(f"{self._setting}: is closed at the other end; start again with a reader, or name a file") from None


class WholeLines:
    """A file of which every line is whole: what a full disk or a crash left of a batch or a line is taken off before anything is added.

    Unlike ``JsonLines`` it buffers nothing, so a batch that failed is gone and can be sent again. Raises ``ConfigurationError`` when the file
    cannot be opened, and ``OutputError`` when it cannot be written.
    """

    def __init__(self, path: Path, setting: str, form: ExportName, *, fsync: bool) -> None:
        self._name = f"{setting}: {path}"
        self._form: ExportName = form
        self._fsync = fsync
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except (OSError, ValueError) as exc:  # a name with a NUL in it
            why = (exc.strerror or "error").lower() if isinstance(exc, OSError) else "not a path"
            raise ConfigurationError(f"{setting}: cannot write {path}: {why}; name a file in a folder that exists") from exc
        self._is_file = stat.S_ISREG(os.fstat(self._descriptor).st_mode)
        try:
            if self._is_file:
                self._mend()
        except OSError:
            pass  # a full disk, for one, which sending will say
        except BaseException:
            self.close()
            raise

    def send(self, alerts: Iterable[Alert]) -> None:
        """Add these versions: all of them, or none."""
        left = memoryview(b"".join(encode(alert, self._form) + b"\n" for alert in alerts))
        before = os.fstat(self._descriptor).st_size
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
            if self._fsync and self._is_file:
                os.fsync(self._descriptor)
        except BrokenPipeError:
            raise
        except OSError as exc:
            if self._is_file:
                with suppress(OSError):
                    os.ftruncate(self._descriptor, before)
            raise failed(self._name, exc) from exc

    def _mend(self) -> None:
        """End the file with a whole line: what is left of a torn alert is cut off, and any other last line gets its end."""
        size = os.fstat(self._descriptor).st_size
        start = max(0, size - TAIL_BYTES)
        tail = os.pread(self._descriptor, TAIL_BYTES, start)
        if not tail or tail.endswith(b"\n"):
            return
        begins = tail.rfind(b"\n") + 1
        if tail.startswith(b"{", begins) and (begins > 0 or start == 0):
            os.ftruncate(self._descriptor, start + begins)
        else:
            os.write(self._descriptor, b"\n")

    def close(self) -> None:
        """Close the file."""
        with suppress(OSError):
            os.close(self._descriptor)
