"""Cut a stream of bytes into records, one per line.

Nothing here reads anything. Pieces of any size go in, batches come out; the records do not depend on where the pieces were cut.
"""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

KEEP_BYTES = 64 * 1024 * 1024
"""How much of an over-long line is kept, so that a reject can be written whole."""


@dataclass(slots=True)
class Batch:
    """Some records of one input, in its order."""

    records: list[bytes] = field(default_factory=list)
    """Without their line ends; none is empty."""
    lines: Sequence[int] = ()
    """The line each record starts at, counted from 1; as long as ``records``."""
    oversize: list[tuple[int, bytes]] = field(default_factory=list)
    """Lines over the limit: (line, its bytes). They are not among ``records``."""
    cut: frozenset[int] = frozenset()
    """Those lines of ``oversize`` and ``truncated`` of which only the beginning is here."""
    truncated: tuple[int, bytes] | None = None
    """(line, its bytes): the piece of a record at which a damaged input broke off. It is not among ``records``."""
    truncated_last: bool = False
    """Nothing closes the last record: the input ended without a line end, or inside a JSON document."""

    @property
    def first_line(self) -> int:
        """Line of the first thing in this batch, counted from 1; 0 when there is nothing in it."""
        starts = [*self.lines[:1], *(line for line, _ in self.oversize[:1])]
        if self.truncated is not None:
            starts.append(self.truncated[0])
        return min(starts, default=0)

    def __bool__(self) -> bool:
        return bool(self.records or self.oversize or self.truncated)

    def parts(self, max_records: int) -> Iterator["Batch"]:
        """The same in batches of at most ``max_records`` records; what is no record goes with the last one."""
        n = len(self.records)
        start = 0
        while n - start > max_records:
            stop = start + max_records
            yield Batch(self.records[start:stop], self.lines[start:stop])
            start = stop
        if start:
            yield Batch(self.records[start:], self.lines[start:], self.oversize, self.cut, self.truncated, self.truncated_last)
        elif self:
            yield self


class Splitter(Protocol):
    """Takes an input piece by piece."""

    def feed(self, piece: bytes) -> Batch:
        """The records that this piece completes."""
        ...

    def finish(self, *, broken: bool) -> Batch:
        """What is left at the end; ``broken``: the input did not end but broke off."""
        ...


class LineSplitter:
    r"""One record per line. Empty lines are no records, but count as lines.

    ``max_record_bytes``: a longer line is delivered as oversize. ``keep_bytes``: how much of a line is held at most, however long it
    gets; never less than ``max_record_bytes``.

    >>> lines = LineSplitter(max_record_bytes=100)
    >>> lines.feed(b"one\r\n\ntwo\nthr").records, lines.feed(b"ee").records, lines.finish(broken=False).records
    ([b'one', b'two'], [], [b'three'])
    """

    def __init__(self, max_record_bytes: int, keep_bytes: int = KEEP_BYTES) -> None:
        self._max_bytes = max_record_bytes
        self._keep_bytes = max(keep_bytes, max_record_bytes)
        self._held = io.BytesIO()  # hands out its buffer without a copy, which a bytearray does not
        self._held_bytes = 0  # of the whole line, also what was not kept
        self._line = 1

    def feed(self, piece: bytes) -> Batch:
        """The lines that end in this piece."""
        last = piece.rfind(b"\n")
        if last < 0:
            self._hold(piece)
            return Batch()
        start = 0
        lines: list[bytes] = []
        longest_bytes = 0
        cut: frozenset[int] = frozenset()
        first = self._line
        if self._held_bytes:
            start = piece.find(b"\n") + 1
            self._hold(memoryview(piece)[: start - 1])
            longest_bytes = self._held_bytes
            line, cut = self._release()
            lines.append(line)
        if start <= last:
            block = piece[start:last]
            if b"\r" in block:
                block = block.replace(b"\r\n", b"\n").removesuffix(b"\r")
            lines += block.split(b"\n")
            longest_bytes = max(longest_bytes, len(block))
        self._hold(memoryview(piece)[last + 1 :])
        self._line += len(lines)
        if longest_bytes <= self._max_bytes and b"" not in lines:
            return Batch(lines, range(first, self._line))
        return self._sift(lines, first, cut)

    def finish(self, *, broken: bool) -> Batch:
        """The last line, when no line end follows it."""
        if not self._held_bytes:
            return Batch()
        line, cut = self._release()
        if broken:
            return Batch(truncated=(self._line, line), cut=cut)
        batch = self._sift([line], self._line, cut)
        batch.truncated_last = bool(batch)
        return batch

    def _hold(self, piece: bytes | memoryview) -> None:
        room_bytes = self._keep_bytes - self._held_bytes
        if room_bytes > 0:
            self._held.write(piece[:room_bytes])
        self._held_bytes += len(piece)

    def _release(self) -> tuple[bytes, frozenset[int]]:
        """The line that was held, and its number if only its beginning was."""
        line = self._held.getvalue()
        is_cut = self._held_bytes > self._keep_bytes
        self._held = io.BytesIO()
        self._held_bytes = 0
        if is_cut:
            return line, frozenset({self._line})
        return line.removesuffix(b"\r"), frozenset()

    def _sift(self, lines: list[bytes], first: int, cut: frozenset[int]) -> Batch:
        """The same lines without the empty ones, the over-long ones apart."""
        numbers: list[int] = []
        batch = Batch(lines=numbers, cut=cut)
        for number, line in enumerate(lines, first):
            if len(line) > self._max_bytes or number in cut:
                batch.oversize.append((number, line))
            elif line:
                batch.records.append(line)
                numbers.append(number)
        return batch
