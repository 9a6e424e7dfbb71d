"""Which file is which: inodes, the fingerprint of how a file begins, and where its rotated older selves lie."""

import os
import re
import stat
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

HEAD_BYTES = 256
"""So much of the beginning tells files apart that had the same inode one after the other."""
COPY_HEAD_BYTES = 32
_DATED = re.compile(r"[.-][0-9][0-9T_.:-]*\Z")
"""What rotation adds to a name: ``.1``, ``-20260131``, ``.2026-01-31.1``."""


class Place(msgspec.Struct, frozen=True):
    """How far a file was read, and which file that was. ``inode`` 0: there was no file yet."""

    dev: int = 0
    inode: int = 0
    offset: int = 0
    """Byte at which the next record begins."""
    head_bytes: int = 0
    head: str = ""
    """Fingerprint of the first ``head_bytes`` bytes."""

    def dump(self) -> dict[str, Any]:
        """JSON-ready."""
        return msgspec.to_builtins(self)  # type: ignore[no-any-return]

    def is_in_copy(self, descriptor: int) -> bool:
        """Whether this other open file begins the same and goes as far; too short a beginning proves nothing."""
        status = os.fstat(descriptor)
        far = status.st_size >= self.offset and status.st_ino != self.inode and self.head_bytes >= COPY_HEAD_BYTES
        return far and fingerprint(descriptor, self.head_bytes) == self.head

    def is_of(self, descriptor: int) -> bool:
        """Whether this open file is the one meant, and still goes as far as it was read."""
        status = os.fstat(descriptor)
        if status.st_ino != self.inode or status.st_size < self.offset:
            return False
        # Numbers of devices change when the machine is started anew; a known beginning makes up for it.
        return (status.st_dev == self.dev or self.head_bytes > 0) and fingerprint(descriptor, self.head_bytes) == self.head


def place_of(data: object) -> Place | None:
    """The place of a checkpoint; ``None`` when it holds none that can be used."""
    if not isinstance(data, Mapping):
        return None
    try:
        place = msgspec.convert(data, Place)
    except msgspec.ValidationError:
        return None
    return place if place.offset >= 0 and 0 <= place.head_bytes <= HEAD_BYTES else None


def fingerprint(descriptor: int, n_bytes: int) -> str:
    """Of the first ``n_bytes`` bytes, or of as many as there are."""
    return blake2b(os.pread(descriptor, n_bytes, 0), digest_size=16).hexdigest() if n_bytes else ""


def open_regular(path: Path) -> int:
    """A descriptor for reading. Raises ``OSError``, and ``IsADirectoryError`` for anything but a regular file."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe must not hold us up
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise IsADirectoryError(0, "not a regular file")


def find_rotated(path: Path, place: Place) -> int | None:
    """A descriptor of the file meant, under whatever name it has by now in the folder of ``path``; or of a copy of it.

    Rotation that copies a file and then truncates it leaves the lines that were not read yet in the copy alone.
    """
    siblings = _siblings(path)
    copies = [name for name, inode in siblings if inode != place.inode and name != path.name and name.startswith(path.name)]
    for name in [name for name, inode in siblings if inode == place.inode] + copies:
        try:
            descriptor = open_regular(path.with_name(name))
        except OSError:
            continue
        if place.is_of(descriptor) or place.is_in_copy(descriptor):
            return descriptor
        os.close(descriptor)
    return None


def find_next_rotated(path: Path, finished: os.stat_result, current_inode: int) -> int | None:
    """A descriptor of the oldest rotated file that was written to after ``finished`` was: when rotation was faster than the reading."""
    best: tuple[int, int] | None = None
    for name, inode in _siblings(path):
        if not name.startswith(path.name) or _DATED.match(name[len(path.name) :]) is None or inode in {finished.st_ino, current_inode}:
            continue
        try:
            descriptor = open_regular(path.with_name(name))
        except OSError:
            continue
        written_ns = os.fstat(descriptor).st_mtime_ns
        if written_ns <= finished.st_mtime_ns or (best is not None and written_ns >= best[0]):
            os.close(descriptor)
            continue
        if best is not None:
            os.close(best[1])
        best = (written_ns, descriptor)
    return None if best is None else best[1]


def _siblings(path: Path) -> list[tuple[str, int]]:
    try:
        with os.scandir(path.parent) as entries:
            return [(entry.name, entry.inode()) for entry in entries]
    except OSError:
        return []
