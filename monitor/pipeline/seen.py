"""Ids of events seen lately, so that a repeated event counts once."""

from collections.abc import Mapping
from itertools import islice
from typing import Any

from monitor.rows import Rows, Saved, one, rows_of


class Seen:
    """The last ``limit`` to ``2 × limit`` ids, in two generations. 400,000 ids of 24 characters take about 55 MB."""

    __slots__ = ("_gone", "_saved", "_written", "generation", "limit", "old", "young")

    def __init__(self, limit: int = 200_000) -> None:
        self.limit = limit
        self.young: dict[str, None] = {}
        """In the order they were added, so that those no checkpoint has yet are its last ones."""
        self.old: dict[str, None] = {}
        self.generation = 0
        """Of the young ones."""
        self._saved = {0: 0}
        """Generation → how many of its ids are in a checkpoint."""
        self._written: dict[int, list[str]] = {0: []}
        """Generation → keys of its rows in checkpoints."""
        self._gone: list[str] = []

    def turn(self) -> None:
        """Forget the older generation once the younger one is full. The caller adds to ``young`` itself: this is called once a batch."""
        if len(self.young) >= self.limit:
            self._gone += self._written.pop(self.generation - 1, [])
            self._saved.pop(self.generation - 1, None)
            self.generation += 1
            self._saved[self.generation], self._written[self.generation] = 0, []
            self.old, self.young = self.young, {}

    def changed(self, *, everything: bool) -> list[Rows]:
        """Rows for a checkpoint. A row holds the ids that one checkpoint added to a generation."""
        values: dict[str, Any] = {}
        for generation, ids in ((self.generation - 1, self.old), (self.generation, self.young)):
            if generation not in self._saved:
                continue
            if everything:
                self._saved[generation], self._written[generation] = 0, []
            new = len(ids) - self._saved[generation]
            if new:
                key = f"{generation}/{self._saved[generation]}"
                values[key] = list(islice(reversed(ids), new))[::-1]
                self._written[generation].append(key)
                self._saved[generation] = len(ids)
        gone, self._gone = self._gone, []
        return [
            Rows("seen", values, [] if everything else gone, whole=everything),
            Rows("seen_head", {"": {"generation": self.generation}}),
        ]

    def restore(self, saved: Saved) -> None:
        """Take over what a checkpoint left."""
        head: Mapping[str, int] = one(saved, "seen_head")
        self.generation = head["generation"]
        self.young, self.old = {}, {}
        self._saved = {self.generation - 1: 0, self.generation: 0}
        self._written = {self.generation - 1: [], self.generation: []}
        rows = sorted(((*map(int, key.split("/")), ids) for key, ids in rows_of(saved, "seen")), key=lambda row: row[:2])
        for generation, at, ids in rows:
            kept = self.young if generation == self.generation else self.old
            kept.update(dict.fromkeys(ids))
            self._written[generation].append(f"{generation}/{at}")
            self._saved[generation] = len(kept)
