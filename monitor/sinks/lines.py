"""Alerts as JSON lines: to a file, or to standard output."""

import sys
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from monitor.sinks.encode import encode
from monitor.sinks.errors import failed
from schemas.alert import Alert
from schemas.errors import ConfigurationError
from schemas.export import ExportName


class JsonLines:
    """Writes one alert version per line, whole lines at a time. ``path``: ``None`` is standard output; ``form``: how alerts are written.

    Raises ``ConfigurationError`` when it cannot be opened, ``OutputError`` when it cannot be written any more, and lets
    ``BrokenPipeError`` pass: whoever reads standard output may have seen enough.
    """

    def __init__(self, path: Path | None, setting: str = "--out", *, append: bool = False, form: ExportName = "native") -> None:
        self._form: ExportName = form
        self._name = f"{setting}: {'standard output' if path is None else path}"
        self._file: IO[bytes]
        self._is_own = path is not None
        if path is None:
            if sys.stdout is None:
                raise ConfigurationError(f"{setting}: standard output is closed; name a file")
            self._file = sys.stdout.buffer
            return
        try:
            self._file = path.open("ab" if append else "wb")
        except (OSError, ValueError) as exc:  # a name with a NUL in it
            why = (exc.strerror or "error").lower() if isinstance(exc, OSError) else "not a path"
            raise ConfigurationError(f"{setting}: cannot write {path}: {why}; name a file in a folder that exists") from exc

    def send(self, alerts: Iterable[Alert]) -> None:
        """Write these versions, and do not keep them back: somebody may be reading along."""
        lines = b"".join(encode(alert, self._form) + b"\n" for alert in alerts)
        if not lines:
            return
        try:
            self._file.write(lines)
            self._file.flush()
        except BrokenPipeError:
            raise
        except OSError as exc:
            raise failed(self._name, exc) from exc

    def close(self) -> None:
        """Write out what is buffered."""
        try:
            self._file.flush()
            if self._is_own:
                self._file.close()
        except BrokenPipeError:
            raise
        except OSError as exc:
            raise failed(self._name, exc) from exc

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
