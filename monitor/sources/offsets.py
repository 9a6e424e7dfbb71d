"""Cut a growing file into records and the bytes they begin at."""

from collections.abc import Sequence
from itertools import accumulate

import msgspec


class Cut(msgspec.Struct):
    """Complete records, with the byte each begins at."""

    records: list[bytes] = []
    offsets: Sequence[int] = ()
    oversize: list[tuple[int, bytes]] = []


class OffsetSplitter:
    r"""One record per line, each told by its byte. Empty lines are no records; a line without its end waits.

    ``max_record_bytes``: a longer line is oversize; so much and one byte of it is held, however long it gets.

    >>> lines = OffsetSplitter(max_record_bytes=100, offset=0)
    >>> lines.feed(b"one\r\n\ntwo\nthr"), lines.offset
    (Cut(records=[b'one', b'two'], offsets=[0, 6], oversize=[]), 10)
    >>> lines.feed(b"ee\n")
    Cut(records=[b'three'], offsets=[10], oversize=[])
    """

    def __init__(self, max_record_bytes: int, offset: int) -> None:
        self.offset = offset
        """Where the first line begins that is not complete yet."""
        self._max_bytes = max_record_bytes
        self._held = bytearray()
        self._held_bytes = 0  # of the whole line, also what was not kept

    def feed(self, piece: bytes) -> Cut:
        """The records that this piece completes."""
        last = piece.rfind(b"\n")
        if last < 0:
            self._hold(piece)
            return Cut()
        cut = Cut(offsets=[])
        start = 0
        if self._held_bytes:
            start = piece.find(b"\n") + 1
            self._hold(piece[: start - 1])
            self._release(cut, ends=1)
        if start <= last:
            lines = piece[start:last].split(b"\n")
            self._sift(lines, cut)
        self._hold(piece[last + 1 :])
        return cut

    def finish(self) -> Cut:
        """What is left: the last line of a file that nobody will go on with."""
        cut = Cut(offsets=[])
        if self._held_bytes:
            self._release(cut, ends=0)
        return cut

    def _hold(self, piece: bytes) -> None:
        room_bytes = self._max_bytes + 2 - len(self._held)  # two more: the longest allowed line may end with a carriage return
        if room_bytes > 0:
            self._held += piece[:room_bytes]
        self._held_bytes += len(piece)

    def _release(self, cut: Cut, ends: int) -> None:
        """Add the line that was held; ``ends``: bytes of its line end."""
        line, n_bytes = bytes(self._held).removesuffix(b"\r"), self._held_bytes
        self._held = bytearray()
        self._held_bytes = 0
        if n_bytes > self._max_bytes + 1 or len(line) > self._max_bytes:
            cut.oversize.append((self.offset, line[: self._max_bytes + 1]))
        elif line:
            cut.records.append(line)
            cut.offsets = [*cut.offsets, self.offset]
        self.offset += n_bytes + ends

    def _sift(self, lines: list[bytes], cut: Cut) -> None:
        starts = list(accumulate(map(len, lines), lambda at, n_bytes: at + n_bytes + 1, initial=self.offset))
        self.offset = starts.pop()
        kept = list(cut.offsets)
        for start, raw in zip(starts, lines, strict=True):
            line = raw.removesuffix(b"\r")
            if len(line) > self._max_bytes:
                cut.oversize.append((start, line))
            elif line:
                cut.records.append(line)
                kept.append(start)
        cut.offsets = kept
