"""What an input format is: recognise a sample, and turn one record into events.

A parser is made once per input. It holds no clock and does no IO. What it remembers beyond one record it keeps in the ``Memory`` of
its ``Context``, which all inputs of a run share: cutting a log into files changes nothing.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import msgspec

from schemas.event import Event


class Recent:
    """Counts by text, in a bounded memory of two generations; the least recently used half is forgotten.

    ``limit``: texts per generation.
    """

    def __init__(self, limit: int = 20_000) -> None:
        self._limit = limit
        self._generation = 0
        self._young: dict[str, int] = {}
        self._old: dict[str, int] = {}
        self._touched: dict[str, None] | None = None

    def get(self, text: str) -> int:
        """What was put last; 0 when there is nothing (any more)."""
        n = self._young.get(text)
        return self._old.get(text, 0) if n is None else n

    def put(self, text: str, n: int) -> None:
        """Remember ``n`` for this text."""
        young = self._young
        if text not in young and len(young) >= self._limit:
            if self._touched is not None:
                self._touched.update(dict.fromkeys(self._old))
            self._generation += 1
            self._old, self._young = young, {}
            young = self._young
        young[text] = n
        if self._touched is not None:
            self._touched[text] = None

    def number(self, text: str) -> int:
        """How often this text was numbered before: 0, 1, 2, … Two equal log lines are two events; their number tells them apart."""
        n = self.get(text)
        self.put(text, n + 1)
        return n

    def changed(self, *, everything: bool) -> tuple[dict[str, list[int]], list[str], int]:
        """What a checkpoint has to write: rows (generation, count) by text, the texts forgotten, and the present generation.

        From the first call on, changes are noted for the next one.
        """
        texts = {**self._old, **self._young} if everything or self._touched is None else self._touched
        rows: dict[str, list[int]] = {}
        gone: list[str] = []
        for text in texts:
            if text in self._young:
                rows[text] = [self._generation, self._young[text]]
            elif text in self._old:
                rows[text] = [self._generation - 1, self._old[text]]
            else:
                gone.append(text)
        self._touched = {}
        return rows, gone, self._generation

    def load(self, rows: Iterable[tuple[str, Sequence[int]]], generation: int) -> None:
        """Take over the rows that checkpoints left, and the generation of the last one."""
        self._generation, self._young, self._old = generation, {}, {}
        for text, (of, n) in rows:
            if of >= generation - 1:
                (self._young if of == generation else self._old)[text] = n
        self._touched = {}


class Memory:
    """What the parsers of one run remember together."""

    def __init__(self) -> None:
        self.lines = Recent()
        """Numbers equal lines, for formats whose records have no identity."""
        self.sessions = Recent()
        """What was already said about one connection (``host/pid``), for formats that spread it over several lines."""

    def parts(self) -> dict[str, Recent]:
        """By the names they have in a checkpoint."""
        return {"lines": self.lines, "sessions": self.sessions}


class Context(msgspec.Struct):
    """What a parser may know about its input."""

    memory: Memory
    year: int | None = None
    """Year of the first stamp, for formats whose stamps have none; given by the user."""
    written_ts: float | None = None
    """When the input was last written (Unix seconds): a stamp without a year lies at most a day after it."""
    tenant: str | None = None
    """Tenant of every event whose record names none."""


class Parser(Protocol):
    """Turns the records of one input into events, in the order of the input."""

    def parse(self, record: bytes) -> Sequence[Event]:
        """The events of one record; empty when the record is not security relevant.

        Every event has ``kind``, ``ts`` and a unique ``id``. Raises ``RejectError``; no other exception may leave it,
        whatever the bytes are.
        """
        ...

    def dump(self) -> Any:
        """JSON-ready memory of this parser alone (``None`` when it has none)."""
        ...

    def load(self, data: Any) -> None:
        """Take over what ``dump`` returned."""
        ...


class Format(Protocol):
    """One input format; the registry is ``schemas.formats.FORMATS``."""

    name: str
    title: str
    """One line for ``--help`` and the docs."""

    @property
    def rules(self) -> Sequence[tuple[str, str, str]]:
        """What it makes of what, for the docs: the vendor's event (or what stands for several), kind, note."""
        ...

    @property
    def ignored(self) -> Sequence[tuple[str, str, str]]:
        """What it knows and makes no event of, for the docs: the vendor's event, an empty text, note."""
        ...

    def recognise(self, sample: bytes) -> float:
        """How surely the first bytes of an input (up to 64 KiB, possibly cut mid-record) are this format: 0 … 1.

        The docs take the first sentence of its text: what it goes by.
        """
        ...

    def parser(self, context: Context) -> Parser:
        """A parser for one input."""
        ...
