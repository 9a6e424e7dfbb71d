"""Log files, folders of them and standard input, as records.

``expand`` turns command-line arguments into inputs and checks that each can be opened, before anything is read; ``open_input`` reads one.
"""

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from enum import Enum
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from monitor.sources.documents import DocumentSplitter, DocumentTooLargeError, is_documents, is_long_list
from monitor.sources.records import Batch, LineSplitter, Splitter
from monitor.sources.streams import Stream
from schemas.errors import InputError

SAMPLE_BYTES = 64 * 1024
MAX_RECORD_BYTES = 1024 * 1024
MAX_DOCUMENT_BYTES = 256 * 1024 * 1024
CHUNK_BYTES = 1024 * 1024
PATIENCE_S = 1.0

_UTF8_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
_STDIN_FD = 0


class Stdin(Enum):
    """Standard input, where a path may stand too."""

    STDIN = "-"


STDIN = Stdin.STDIN


def expand(arguments: Sequence[str]) -> list[Path | Stdin]:
    """The inputs that these arguments name, in their order, each once.

    ``-`` is standard input. A folder gives its files and those of its folders in name order, without hidden ones and without whatever is
    no regular file; links are followed, also when they lead in a circle. Pipes and devices are taken where they are named themselves.
    Raises ``InputError`` for what is missing, cannot be opened, or is a folder without files.
    """
    inputs: dict[str, Path | Stdin] = {}
    for argument in arguments:
        if argument == STDIN.value:
            inputs.setdefault(argument, STDIN)
            continue
        for path in _files(Path(argument)):
            inputs.setdefault(os.path.realpath(path), path)
    return list(inputs.values())


def _files(path: Path) -> list[Path]:
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as exc:
        raise InputError(f"{_shown(path)}: {_why(exc)}; {_cure(exc)}") from exc
    if stat.S_ISDIR(mode):
        found = _walk(path)
        if not found:
            raise InputError(f"{_shown(path)}: no files in this folder (hidden ones are skipped); name the files, or another folder")
        return found
    if stat.S_ISREG(mode):  # anything else may be opened only once, such as the pipe of `<(…)`
        _check(path)
    elif stat.S_ISSOCK(mode):
        raise InputError(f"{_shown(path)}: is a socket; name a file, or pipe the records in and name -")
    return [path]


def _walk(top: Path) -> list[Path]:
    files: list[Path] = []
    seen: set[tuple[int, int]] = set()
    ahead = [top]  # in reverse; a list, because folders may lie deeper than Python calls can
    while ahead:
        path = ahead.pop()
        try:
            status = path.stat()
        except FileNotFoundError:  # a link to nothing, or a file rotated away this moment
            continue
        except OSError as exc:
            if exc.errno == errno.ELOOP:
                continue
            raise InputError(f"{_shown(path)}: {_why(exc)}; {_cure(exc)}") from exc
        if stat.S_ISREG(status.st_mode):
            _check(path)
            files.append(path)
        elif stat.S_ISDIR(status.st_mode) and (status.st_dev, status.st_ino) not in seen:
            seen.add((status.st_dev, status.st_ino))
            ahead += sorted(_entries(path), reverse=True)
    return files


def _entries(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [folder / entry.name for entry in entries if not entry.name.startswith(".")]
    except OSError as exc:
        raise InputError(f"{_shown(folder)}: {_why(exc)}; {_cure(exc)}") from exc


def _check(path: Path) -> None:
    _open(path).close()


def _open(source: Path | Stdin) -> FileIO:
    try:
        return FileIO(_STDIN_FD, closefd=False) if isinstance(source, Stdin) else FileIO(source)
    except (OSError, ValueError) as exc:
        raise InputError(f"{_shown(source)}: {_why(exc)}; {_cure(exc)}") from exc


def _shown(source: Path | Stdin) -> str:
    """The name for messages; one that is no UTF-8 must not break the printing of the message."""
    if isinstance(source, Stdin):
        return "stdin"
    return str(source).encode("utf-8", "replace").decode()


def _why(exc: OSError | ValueError) -> str:
    return (exc.strerror or type(exc).__name__).lower() if isinstance(exc, OSError) else "not a path"


def _cure(exc: OSError | ValueError) -> str:
    match exc:
        case FileNotFoundError() | NotADirectoryError():
            return "check the spelling and the current folder"
        case PermissionError():
            return "let this user read it, for example through the group that owns it (often adm)"
        case IsADirectoryError():
            return "name the files in it"
        case _:
            return "check that it can be read, for example with: head -c 1"


class _Limits(NamedTuple):
    record_bytes: int
    document_bytes: int
    patience_s: float


class Input:
    """One open input. Read it once, with ``batches``; close it, or use it in a ``with``.

    A regular file, a pipe and compressed content look the same. Memory: a few times ``chunk_bytes``, and one record.
    """

    def __init__(self, stream: Stream, name: str, limits: _Limits) -> None:
        self.name = name
        """The path as given, or ``stdin``."""
        self.sample = b""
        """The first bytes of the decompressed content, at most 64 KiB. They are delivered by ``batches`` all the same."""
        self._stream = stream
        self._is_whole = False
        self._limits = limits
        self._head = self._read_head()
        self.sample = self._head[:SAMPLE_BYTES]
        self._splitter = self._choose_splitter()

    @property
    def written_ts(self) -> float | None:
        """When the file was last written, Unix seconds; ``None`` for what is no regular file."""
        return self._stream.written_ts

    @property
    def size_bytes(self) -> int | None:
        """Size on disk; ``None`` for what is no regular file."""
        return self._stream.size_bytes

    @property
    def read_bytes(self) -> int:
        """How much of ``size_bytes`` was read so far."""
        return self._stream.read_bytes

    @property
    def problem(self) -> str | None:
        """What is wrong with the compressed stream, as the end of a sentence that begins with the name; known once all was read."""
        return self._stream.problem

    def batches(self, max_records: int = 1000) -> Iterator[Batch]:
        """All records, in batches of 1 to ``max_records`` (or of nothing but what could not become a record).

        Raises ``InputError`` when reading fails, and for a JSON document beyond the limit.
        """
        try:
            yield from self._splitter.feed(self._head).parts(max_records)
            self._head = b""
            while piece := self._next_piece():
                yield from self._splitter.feed(piece).parts(max_records)
            yield from self._splitter.finish(broken=self.problem is not None).parts(max_records)
        except DocumentTooLargeError as exc:
            limit_mib = self._limits.document_bytes / 1024 / 1024
            raise InputError(
                f"{self.name}: a JSON document in it is larger than {limit_mib:g} MiB; write one record per line first, "
                "for example with: jq -c '.Records[]'",
            ) from exc

    def close(self) -> None:
        """Release the file and what was read ahead. Standard input stays open."""
        self._head = b""
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _next_piece(self) -> bytes:
        """The next bytes; empty at the end only."""
        try:
            return next(filter(None, self._stream.pieces), b"")
        except OSError as exc:
            raise InputError(f"{self.name}: reading it failed: {_why(exc)}; {_cure(exc)}") from exc

    def _read_head(self) -> bytes:
        head = b""
        while len(head) < SAMPLE_BYTES:
            # Somebody may be waiting for the first lines of a pipe that brings few of them.
            if b"\n" in head and self._stream.is_idle(self._limits.patience_s):
                break
            piece = self._next_piece()
            if not piece:
                self._is_whole = True
                break
            head += piece
        if head.startswith(_UTF16_BOMS):
            raise InputError(f"{self.name}: is UTF-16 text; convert it first and pipe it in: iconv -f UTF-16 -t UTF-8 FILE")
        return head.removeprefix(_UTF8_BOM)

    def _choose_splitter(self) -> Splitter:
        limits = self._limits
        if is_documents(self.sample, is_whole=self._is_whole and len(self._head) <= SAMPLE_BYTES):
            return DocumentSplitter(limits.document_bytes)
        return LineSplitter(limits.document_bytes if is_long_list(self.sample) else limits.record_bytes)


def open_input(
    source: Path | Stdin,
    max_record_bytes: int = MAX_RECORD_BYTES,
    *,
    max_document_bytes: int = MAX_DOCUMENT_BYTES,
    chunk_bytes: int = CHUNK_BYTES,
    patience_s: float = PATIENCE_S,
) -> Input:
    """Open one input and read its sample.

    ``max_record_bytes``: a longer line is delivered as oversize. ``max_document_bytes``: a larger JSON document is an ``InputError``.
    ``chunk_bytes``: how much is read at once. ``patience_s``: a pipe that brings lines and then nothing for so long gets a shorter sample.
    Raises ``InputError`` naming the input and the cure.
    """
    name = _shown(source)
    file = _open(source)
    try:
        return Input(Stream(file, name, chunk_bytes), name, _Limits(max_record_bytes, max_document_bytes, patience_s))
    except InputError:
        file.close()
        raise
