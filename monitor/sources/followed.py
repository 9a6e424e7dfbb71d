"""One growing file, read step by step. Everything here may block on the disk, and knows no event loop."""

import logging
import os
from contextlib import suppress

from monitor.settings_follow import FollowSettings
from monitor.sources.follow_place import HEAD_BYTES, Place, find_next_rotated, find_rotated, fingerprint, open_regular
from monitor.sources.live import Arrived
from monitor.sources.offsets import Cut, OffsetSplitter
from schemas.errors import ConfigurationError

READ_BYTES = 512 * 1024
"""Read at most in one step, so that no file keeps the others waiting."""
QUIET_S = 2.0
"""A rotated file is left for the new one when nothing came for that long: its writer may not have reopened its log yet."""
PATIENCE_S = 60.0
"""But a writer that never reopens it holds nobody up for longer."""
_PACKED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ", b"BZh")

log = logging.getLogger("watchfloor")


class Followed:
    """Follows one file across rotation and truncation. ``setting``: where it is configured, for messages."""

    def __init__(self, settings: FollowSettings, max_record_bytes: int, setting: str) -> None:
        self.source = f"file:{settings.path}"
        self._settings, self._path, self._setting = settings, settings.path, setting
        self._max_bytes = max_record_bytes
        self._descriptor: int | None = None
        self._place: Place | None = None
        self._lines = OffsetSplitter(max_record_bytes, 0)
        self._read_at = 0
        self._grew_at = 0.0
        self._moved_at: float | None = None  # when a new file was first seen at the path
        self._complaint: str | None = None

    def start(self, place: Place | None) -> None:
        """Go on at this place. Raises ``ConfigurationError`` for what will never be a log file, or not for this user."""
        self._place = place
        try:
            descriptor = open_regular(self._path)
        except FileNotFoundError:
            log.warning("%s: is not there yet; waiting for it", self._setting)
            self._place = place or Place()  # whatever appears now is new from its first byte on
            return
        except IsADirectoryError as exc:
            raise ConfigurationError(f"{self._setting}.path: is not a regular file; name a log file, or pipe it to standard input") from exc
        except OSError as exc:
            why = (exc.strerror or "error").lower()
            raise ConfigurationError(f"{self._setting}.path: cannot be read: {why}; let the user of the service read it") from exc
        packed = os.pread(descriptor, 5, 0).startswith(_PACKED)
        os.close(descriptor)
        if packed:
            raise ConfigurationError(f"{self._setting}.path: is compressed; name the log as it is written, and use replay for old ones")
        self._open()

    def step(self, now: float) -> Arrived:
        """What the file holds beyond what was read; ``now`` in seconds of any steady clock."""
        cut, caught_up = Cut(), False
        try:
            if self._descriptor is None:
                self._open()
                self._grew_at = now
            if self._descriptor is None:
                caught_up = True
            elif self._was_truncated():
                cut = self._begin_anew()
            else:
                cut, caught_up = self._read(now)
        except OSError as exc:
            self._complain(f"cannot be read: {(exc.strerror or 'error').lower()}")
            self.close()
        place = self._place_now()
        return Arrived(self.source, cut.records, cut.offsets, place.dump(), caught_up=caught_up, oversize=cut.oversize)

    def close(self) -> None:
        """Close the file; a later step opens it again at the same place."""
        self._place = self._place_now()
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _read(self, now: float) -> tuple[Cut, bool]:
        assert self._descriptor is not None
        piece = os.pread(self._descriptor, READ_BYTES, self._read_at)
        if piece:
            self._read_at += len(piece)
            self._grew_at = now
            cut = self._lines.feed(piece)
            if self._place is not None and self._place.head_bytes < HEAD_BYTES:
                self._place = self._identity(self._descriptor)
            return cut, False
        return self._at_end(now)

    def _at_end(self, now: float) -> tuple[Cut, bool]:
        """Nothing more to read here for now; there may be another file by now."""
        assert self._descriptor is not None
        mine = os.fstat(self._descriptor)
        try:
            named = self._path.stat()
        except FileNotFoundError:
            if mine.st_nlink == 0 and now - self._grew_at >= QUIET_S:  # deleted, and its writer has gone: give back the room on the disk
                cut = self._lines.finish()
                self.close()
                self._place = Place()  # whatever comes is new
                return cut, True
            return Cut(), True
        if (named.st_dev, named.st_ino) == (mine.st_dev, mine.st_ino):
            self._moved_at = None
            return Cut(), True
        if self._moved_at is None:
            self._moved_at = now
        quiet_s, waited_s = now - max(self._grew_at, self._moved_at), now - self._moved_at
        if quiet_s < QUIET_S and waited_s < PATIENCE_S:
            return Cut(), False
        cut = self._lines.finish()
        following = find_next_rotated(self._path, mine, named.st_ino)
        self._use(following if following is not None else open_regular(self._path), 0)
        self._grew_at = now
        return cut, False

    def _was_truncated(self) -> bool:
        assert self._descriptor is not None
        assert self._place is not None
        if os.fstat(self._descriptor).st_size < self._read_at:
            return True
        return fingerprint(self._descriptor, self._place.head_bytes) != self._place.head

    def _begin_anew(self) -> Cut:
        """The same file has other content now. What it held before may have been copied away first."""
        assert self._descriptor is not None
        copy = find_rotated(self._path, self._place_now())
        if copy is not None:
            self._replace_descriptor(copy)
            self._place = self._identity(copy)
            return Cut()
        log.info("%s: was truncated; reading it from the beginning", self._setting)
        cut = self._lines.finish()
        self._use(self._descriptor, 0)
        return cut

    def _open(self) -> None:
        """Open what is at the path, or what the file read before is called now."""
        descriptor: int | None = None
        try:
            descriptor = open_regular(self._path)
        except FileNotFoundError:
            pass
        except OSError as exc:
            self._complain(f"cannot be opened: {(exc.strerror or 'error').lower()}")
        place = self._place
        if place is not None and place.inode and (descriptor is None or not place.is_of(descriptor)):
            old = find_rotated(self._path, place)
            if old is not None:
                if descriptor is not None:
                    os.close(descriptor)
                self._use(old, place.offset)
                return
            if descriptor is not None:
                log.warning("%s: the file read before is gone; records at its end may be missing. Reading the new one", self._setting)
                place = Place()
        if descriptor is not None:
            self._use(descriptor, self._first_offset(descriptor) if place is None else place.offset)

    def _first_offset(self, descriptor: int) -> int:
        """Where a file begins that was never read: never in the middle of a record."""
        if self._settings.start == "beginning":
            return 0
        offset = os.fstat(descriptor).st_size
        while offset > 0:
            begin = max(0, offset - READ_BYTES)
            found = os.pread(descriptor, offset - begin, begin).rfind(b"\n")
            if found >= 0:
                return begin + found + 1
            offset = begin
        return 0

    def _use(self, descriptor: int, offset: int) -> None:
        if descriptor != self._descriptor:
            self._replace_descriptor(descriptor)
        self._read_at = offset
        self._lines = OffsetSplitter(self._max_bytes, offset)
        self._moved_at = None
        self._complaint = None
        self._place = self._identity(descriptor)

    def _replace_descriptor(self, descriptor: int) -> None:
        if self._descriptor is not None:
            with suppress(OSError):
                os.close(self._descriptor)
        self._descriptor = descriptor

    def _identity(self, descriptor: int) -> Place:
        status = os.fstat(descriptor)
        n_bytes = min(status.st_size, HEAD_BYTES)
        return Place(status.st_dev, status.st_ino, 0, n_bytes, fingerprint(descriptor, n_bytes))

    def _place_now(self) -> Place:
        place = self._place or Place()
        if self._descriptor is None:
            return place
        return Place(place.dev, place.inode, self._lines.offset, place.head_bytes, place.head)

    def _complain(self, problem: str) -> None:
        if problem != self._complaint:
            self._complaint = problem
            log.warning("%s: %s; trying again", self._setting, problem)
