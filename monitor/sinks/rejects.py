"""Keeps rejected records whole, with the reason, as JSON lines."""

import base64
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from monitor.sinks.errors import failed
from monitor.sinks.visible import visible
from schemas.errors import ConfigurationError, RejectError

_encode = msgspec.json.Encoder().encode


class RejectFile:
    """One line per record: source, line, reason, detail, and the record itself (``record_base64`` where it is no UTF-8).

    ``None`` as path keeps nothing; the counts are kept elsewhere. Raises ``ConfigurationError`` when it cannot be opened, and
    ``OutputError`` when it cannot be written any more.
    """

    def __init__(self, path: Path | None, setting: str = "--rejects", *, append: bool = False) -> None:
        self._path = path
        self._setting = setting
        try:
            self._file = None if path is None else path.open("ab" if append else "wb")
        except (OSError, ValueError) as exc:
            why = (exc.strerror or "error").lower() if isinstance(exc, OSError) else "not a path"
            raise ConfigurationError(f"{setting}: cannot write {path}: {why}; name a file in a folder that exists") from exc

    def keep(self, source: str, line: int, record: bytes, error: RejectError) -> None:
        """Write one record."""
        if self._file is None:
            return
        row: dict[str, object] = {"source": source.partition(":")[2], "line": line, "reason": error.reason, "detail": error.detail}
        try:
            row["record"] = record.decode("utf-8")
        except UnicodeDecodeError:
            row["record_base64"] = base64.b64encode(record).decode("ascii")
        try:
            self._file.write(visible(_encode(row)))
            self._file.write(b"\n")
        except OSError as exc:
            raise failed(f"{self._setting}: {self._path}", exc) from exc

    async def flush(self) -> None:
        """Write out what is buffered."""
        if self._file is not None:
            try:
                self._file.flush()
            except OSError as exc:
                raise failed(f"{self._setting}: {self._path}", exc) from exc

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Write out what is left."""
        if self._file is None:
            return
        try:
            self._file.close()
        except OSError as error:
            raise failed(f"{self._setting}: {self._path}", error) from error
