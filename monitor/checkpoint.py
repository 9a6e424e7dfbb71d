"""Checkpoints in the store: the rows of the pipeline's memory, and how far each input has been read.

One transaction writes what has changed, the positions, and (by whoever calls this) the alerts that came of it. The rows of a part are handed
to SQLite as one JSON object, which it takes apart itself: tens of thousands of rows in one statement, during which the interpreter is free.
"""

import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from monitor.rows import Rows
from schemas.errors import ConfigurationError

log = logging.getLogger("watchfloor")

FORMAT = 1
"""Of the rows. One that is newer than this is refused; detectors have versions of their own (``state_version``)."""

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS state(part TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY(part, key)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS positions(input TEXT PRIMARY KEY, position TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS belongs(one INTEGER PRIMARY KEY CHECK (one = 1), format INTEGER NOT NULL, inputs TEXT NOT NULL, at REAL NOT NULL)",
    # The Kafka cluster that the positions of its partitions are of.
    "CREATE TABLE IF NOT EXISTS cluster(one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL)",
)

_decode = msgspec.json.decode
_INSERT = "INSERT OR REPLACE INTO state SELECT ?, key, value FROM json_each(CAST(? AS TEXT))"
_DELETE = "DELETE FROM state WHERE part = ? AND key IN (SELECT value FROM json_each(CAST(? AS TEXT)))"


def write(db: sqlite3.Connection, rows: Iterable[Rows], positions: Mapping[str, Any], labels: Iterable[str], at: float) -> int:
    """Write one checkpoint; how many bytes of rows it had. ``labels``: the configured inputs it belongs to; ``at``: wall clock."""
    written = write_rows(db, rows)
    db.executemany(
        "INSERT OR REPLACE INTO positions VALUES (?, ?)",
        [(name, msgspec.json.encode(position).decode()) for name, position in positions.items()],
    )
    db.execute("INSERT OR REPLACE INTO belongs VALUES (1, ?, ?, ?)", (FORMAT, msgspec.json.encode(sorted(labels)).decode(), at))
    return written


def write_rows(db: sqlite3.Connection, rows: Iterable[Rows]) -> int:
    """The same of rows alone."""
    written = 0
    for each in rows:
        if each.whole:
            db.execute("DELETE FROM state WHERE part = ?", (each.part,))
        if each.gone:
            db.execute(_DELETE, (each.part, msgspec.json.encode(list(each.gone))))
        if each.values:
            encoded = each.encoded()
            written += len(encoded)
            db.execute(_INSERT, (each.part, encoded))
    return written


def positions(db: sqlite3.Connection) -> dict[str, Any]:
    """Where to go on, by input; empty when there is no checkpoint."""
    return {name: _decode(position) for name, position in db.execute("SELECT input, position FROM positions")}


def is_there(db: sqlite3.Connection) -> bool:
    """Whether the store has a checkpoint."""
    return db.execute("SELECT 1 FROM belongs").fetchone() is not None


def check(db: sqlite3.Connection, labels: Iterable[str], *, adopt: bool) -> None:
    """Refuse a store of other inputs (``ConfigurationError``). Inputs may be added; one that is missing now needs ``adopt``."""
    row = db.execute("SELECT format, inputs FROM belongs").fetchone()
    if row is None:
        return
    if row[0] > FORMAT:
        raise ConfigurationError("store.path: its checkpoint was written by a newer watchfloor; use that one, or name another file")
    missing = sorted(set(_decode(row[1])) - set(labels))
    if missing and not adopt:
        raise ConfigurationError(
            f"store.path: belongs to a configuration that also reads {', '.join(missing)}; name another file, put the missing back, "
            "or say store.adopt: true to go on without"
        )


def bind(db: sqlite3.Connection, cluster: str, owns: Callable[[str], bool], *, adopt: bool) -> None:
    """Tie the positions of inputs that it ``owns`` to this Kafka cluster. Those of another one are refused (``ConfigurationError``).

    With ``adopt`` they are dropped instead, as offsets of one cluster mean nothing in another. A store of no cluster takes this one.
    """
    row = db.execute("SELECT id FROM cluster").fetchone()
    if row is not None and row[0] != cluster:
        if not adopt:
            raise ConfigurationError(
                f"store.path: its positions are of the Kafka cluster {row[0]}, and kafka.bootstrap_servers leads to {cluster}; name another "
                "file, put the brokers back, or say store.adopt: true to go on with what it remembers, from kafka.start on"
            )
        db.executemany("DELETE FROM positions WHERE input = ?", [(name,) for name in positions(db) if owns(name)])
        log.warning("the store was of the Kafka cluster %s: its positions are dropped, and reading begins at kafka.start", row[0])
    db.execute("INSERT OR REPLACE INTO cluster VALUES (1, ?)", (cluster,))


class Reading(Mapping[str, Iterable[tuple[str, Any]]]):
    """The rows of a checkpoint, read as they are asked for. Only valid within the transaction it was made in."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __getitem__(self, part: str) -> Iterator[tuple[str, Any]]:
        rows = self._db.execute("SELECT key, value FROM state WHERE part = ?", (part,))
        return ((key, _decode(value)) for key, value in rows)

    def __iter__(self) -> Iterator[str]:
        return iter([part for (part,) in self._db.execute("SELECT DISTINCT part FROM state")])

    def __len__(self) -> int:
        return sum(1 for _ in self)
