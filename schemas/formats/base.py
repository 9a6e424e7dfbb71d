"""What an input format is: recognise a sample, and turn one record into events.

A parser is made once per run. It holds no clock and does no IO; the only memory it may have is what the ``Context`` gives it.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from schemas.event import Event


class Occurrences:
    """How often a text was seen before, within a bounded memory of two generations.

    Log lines have no identity: two equal lines are two events. Numbering them makes their ids unique and still the same
    however the input is cut into files or batches. ``limit``: texts per generation.
    """

    def __init__(self, limit: int = 100_000) -> None:
        self._limit = limit
        self._young: dict[str, int] = {}
        self._old: dict[str, int] = {}

    def number(self, text: str) -> int:
        """0 for the first time, then 1, 2, …"""
        young = self._young
        n = young.get(text)
        if n is None:
            n = self._old.get(text, 0)
            if len(young) >= self._limit:
                self._old, self._young = young, {}
                young = self._young
        young[text] = n + 1
        return n

    def dump(self) -> list[dict[str, int]]:
        """JSON-ready, shares nothing with this object."""
        return [dict(self._young), dict(self._old)]

    def load(self, data: Sequence[dict[str, int]]) -> None:
        """Take over what ``dump`` returned."""
        self._young, self._old = dict(data[0]), dict(data[1])


class Context(msgspec.Struct):
    """What a parser may know about its input."""

    occurrences: Occurrences
    year: int | None = None
    """Year of the first stamp, for formats whose stamps have none."""
    tenant: str | None = None


class Parser(Protocol):
    """Turns records of one source into events, in the order of the source."""

    def parse(self, record: bytes) -> Sequence[Event]:
        """The events of one record; empty when the record is not security relevant.

        Every event has ``kind``, ``ts`` and a unique ``id``. Raises ``RejectError``; no other exception may leave it,
        whatever the bytes are.
        """
        ...

    def dump(self) -> Any:
        """JSON-ready memory of this parser (``None`` when it has none)."""
        ...

    def load(self, data: Any) -> None:
        """Take over what ``dump`` returned."""
        ...


class Format(Protocol):
    """One input format; the registry is ``schemas.formats.FORMATS``."""

    name: str
    title: str
    """One line for ``--help`` and the docs."""

    def recognise(self, sample: bytes) -> float:
        """How surely the first bytes of an input (up to 64 KiB, possibly cut mid-record) are this format: 0 … 1."""
        ...

    def split(self, record: bytes) -> Sequence[bytes]:
        """The single records inside a record that wraps several (``{"Records": […]}``, a JSON array); else just ``(record,)``.

        Raises ``RejectError`` when the wrapper itself cannot be read.
        """
        ...

    def parser(self, context: Context) -> Parser:
        """A parser for one source."""
        ...
