"""Alerts as JSON lines: to a file, or to standard output."""

import sys
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import msgspec

from schemas.alert import Alert
from schemas.errors import ConfigurationError

_encode = msgspec.json.Encoder().encode


class JsonLines:
    """Writes one alert version per line. ``path``: ``None`` is standard output. Raises ``ConfigurationError`` when it cannot be written."""

    def __init__(self, path: Path | None, setting: str = "--out", *, append: bool = False) -> None:
        self._file: IO[bytes]
        if path is None:
            self._file = sys.stdout.buffer
            return
        try:
            self._file = path.open("ab" if append else "wb")
        except OSError as exc:
            raise ConfigurationError(
                f"{setting}: cannot write {path}: {(exc.strerror or 'error').lower()}; name a file in a folder that exists"
            ) from exc

    def send(self, alerts: Iterable[Alert]) -> None:
        """Write these versions."""
        self._file.writelines(_encode(alert) + b"\n" for alert in alerts)

    def close(self) -> None:
        """Write out what is buffered."""
        self._file.flush()
        if self._file is not sys.stdout.buffer:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
