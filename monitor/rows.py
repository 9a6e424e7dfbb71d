"""What a checkpoint consists of: the rows that have changed since the last one.

All memory of the pipeline is kept as rows of *parts*: a part has a name, a row has a key and a JSON value. A checkpoint takes the rows that
have changed, at one moment between two batches. States of keys are changed in place and there may be many of them, so they are only
listed at that moment and encoded little by little afterwards; whoever is about to change one that is still listed has it encoded first
(``KeyGroup.touch``). What is captured is thereby the state of that one moment, while the stream goes on.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from detectors.base import encode_state

HELD_CHUNK = 2_000
"""Events in one row of those that wait for the watermark; encoding so many holds the stream up for some 2 ms."""

Saved = Mapping[str, Iterable[tuple[str, Any]]]
"""What a checkpoint left: part → its rows (key, decoded value). A part that is missing has no rows."""


class Rows(msgspec.Struct, frozen=True):
    """Changed rows of one part."""

    part: str
    values: Mapping[str, Any] | bytes = {}
    """Key → what JSON is made of; or a JSON object that has been made already."""
    gone: Sequence[str] = ()
    """Keys of rows that are no more. None of them is among ``values``."""
    whole: bool = False
    """These are all rows of the part: what it had before is no more."""
    count: int = 0
    """How many rows ``values`` holds, where it is encoded already."""

    @property
    def size(self) -> int:
        """Rows written and taken away."""
        return (self.count if isinstance(self.values, bytes) else len(self.values)) + len(self.gone)

    def encoded(self) -> bytes:
        """The values as one JSON object."""
        return self.values if isinstance(self.values, bytes) else encode_state(self.values)


class Listed(Protocol):
    """Keys whose rows are to be encoded (``KeyGroup``)."""

    def encode_some(self, most: int) -> Rows | None:
        """At most so many rows, and perhaps more keys that have none any more; ``None`` when none is left."""
        ...


class Capture:
    """The rows of one checkpoint; complete once ``step`` has said so."""

    def __init__(self, rows: list[Rows], listed: Sequence[Listed]) -> None:
        self.rows = rows
        self._listed = list(listed)

    def step(self, most: int) -> bool:
        """Encode the rows of at most ``most`` more keys; whether all is there now. Costs some 10 µs per key."""
        while self._listed:
            rows = self._listed[-1].encode_some(most)
            if rows is None:
                self._listed.pop()
                continue
            self.rows.append(rows)
            most -= max(1, rows.size)
            if most <= 0:
                return False
        return True

    def finish(self) -> list[Rows]:
        """All of it at once, however long it takes."""
        while not self.step(1_000_000):
            pass
        return self.rows


def rows_of(saved: Saved, part: str) -> Iterator[tuple[str, Any]]:
    """The rows of a part."""
    yield from saved.get(part, ())


def one(saved: Saved, part: str) -> Any:
    """The value of a part that has one row; ``None`` when there is none."""
    return next((value for _, value in rows_of(saved, part)), None)
