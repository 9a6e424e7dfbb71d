"""Read a file as pieces of plain bytes, also when it is compressed.

Compression is told by the first bytes, never by the name. A compressed stream that is cut off or damaged gives what came before the
damage; ``problem`` then says what is wrong.
"""

import re
import select
import stat
import zlib
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO, FileIO
from os import fstat

import zstandard

from schemas.errors import InputError

_MAGIC_BYTES = 10
_PACKED_BYTES = 64 * 1024
_ZSTD_BYTES = 1024  # one call of the decoder gives at most some 30 MiB for that, whatever the file was made for
_WRITE_BYTES = 1024 * 1024
_ZSTD = (b"\x28\xb5\x2f\xfd", *(bytes((low, 0x2A, 0x4D, 0x18)) for low in range(0x50, 0x60)))  # a frame; frames to be skipped
_UNREADABLE = (
    (re.compile(rb"BZh[1-9]1AY&SY"), "bzip2", "bzip2 -dc"),
    (re.compile(rb"\xfd7zXZ\x00"), "xz", "xz -dc"),
    (re.compile(rb"PK\x03\x04"), "zip", "unzip -p"),
)


class Stream:
    """The content of one open file, decompressed. Closes it.

    ``chunk_bytes``: how much is read at once.
    """

    def __init__(self, file: FileIO, name: str, chunk_bytes: int) -> None:
        self._file = file
        self._name = name
        status = fstat(file.fileno())
        self._is_regular = stat.S_ISREG(status.st_mode)
        self.written_ts = status.st_mtime if self._is_regular else None
        self.size_bytes = status.st_size if self._is_regular else None
        self.read_bytes = 0
        self.problem: str | None = None
        self.pieces = self._decode(chunk_bytes)

    def is_idle(self, patience_s: float) -> bool:
        """Whether a pipe brings nothing for that long. A regular file is never idle."""
        if self._is_regular:
            return False
        poll = select.poll()
        poll.register(self._file, select.POLLIN)
        return not poll.poll(patience_s * 1000)

    def close(self) -> None:
        """Release the file."""
        self._file.close()

    def _read(self, n_bytes: int) -> bytes:
        piece = self._file.read(n_bytes)
        while piece is None:  # standard input that another program made non-blocking
            select.select([self._file], [], [])
            piece = self._file.read(n_bytes)
        self.read_bytes += len(piece)
        return piece

    def _raw(self, head: bytes, n_bytes: int) -> Iterator[bytes]:
        piece = head
        while piece:
            yield piece
            piece = self._read(n_bytes)

    def _decode(self, chunk_bytes: int) -> Iterator[bytes]:
        head = b""
        while len(head) < _MAGIC_BYTES and (more := self._read(chunk_bytes)):
            head += more
        if head.startswith(b"\x1f\x8b"):
            yield from self._gunzip(self._raw(head, min(chunk_bytes, _PACKED_BYTES)))
        elif head.startswith(_ZSTD):
            yield from self._unzstd(self._raw(head, min(chunk_bytes, _PACKED_BYTES)))
        else:
            self._refuse(head)
            yield from self._raw(head, chunk_bytes)

    def _refuse(self, head: bytes) -> None:
        for magic, kind, command in _UNREADABLE:
            if magic.match(head):
                raise InputError(f"{self._name}: {kind} files are not read as they are; unpack it first and pipe it in: {command} FILE")

    def _gunzip(self, raw: Iterator[bytes]) -> Iterator[bytes]:
        member = zlib.decompressobj(wbits=31)
        is_between = False  # nothing of the next member was seen yet
        for piece in raw:
            data = piece.lstrip(b"\0") if is_between else piece  # members may be padded, as on tape
            while data:
                before = member.copy()
                try:
                    out = member.decompress(data, _WRITE_BYTES)
                except zlib.error:
                    self.problem = self._damage("gzip", is_between=is_between)
                    yield _salvage(before, data)
                    return
                if out:
                    yield out
                is_between = member.eof
                if member.eof:
                    data = member.unused_data.lstrip(b"\0")
                    member = zlib.decompressobj(wbits=31)
                else:
                    data = member.unconsumed_tail
        if not is_between:
            yield member.flush()
            self.problem = "ends in the middle of its gzip stream"

    def _unzstd(self, raw: Iterator[bytes]) -> Iterator[bytes]:
        decoder = zstandard.ZstdDecompressor()
        frame = decoder.decompressobj()
        is_between = False
        for piece in raw:
            out: list[bytes] = []
            out_bytes = 0
            for start in range(0, len(piece), _ZSTD_BYTES):
                data = piece[start : start + _ZSTD_BYTES]
                while data:
                    try:
                        out.append(frame.decompress(data))
                    except zstandard.ZstdError:
                        self.problem = self._damage("zstd", is_between=is_between)
                        yield b"".join(out)
                        return
                    out_bytes += len(out[-1])
                    is_between = frame.eof
                    data = frame.unused_data if frame.eof else b""
                    if frame.eof:
                        frame = decoder.decompressobj()
                if out_bytes >= _WRITE_BYTES:
                    yield b"".join(out)
                    out, out_bytes = [], 0
            yield b"".join(out)
        if not is_between:
            self.problem = "ends in the middle of its zstd stream"

    def _damage(self, kind: str, *, is_between: bool) -> str:
        if is_between:
            return f"has something else after its {kind} stream"
        return f"is damaged: its {kind} stream cannot be read beyond about byte {self.read_bytes}"


def _salvage(member: "zlib._Decompress", data: bytes) -> bytes:
    """Everything before the damage: a failed call gives nothing, so the bytes are fed one by one."""
    out = BytesIO()
    with suppress(zlib.error):
        for start in range(len(data)):
            out.write(member.decompress(data[start : start + 1]))
    return out.getvalue()
