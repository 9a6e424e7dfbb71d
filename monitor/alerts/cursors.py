"""How far each sink has come, and what it was about to be sent: the memory that makes a crash harmless."""

import sqlite3
from collections.abc import Mapping
from typing import Any

import msgspec

from monitor.alerts import outbox

_TABLES = ("cursors", "groups", "members", "admitted")


class Cursor(msgspec.Struct):
    """One sink's place in the outbox."""

    seq: int
    """Everything up to here is done with."""
    claim: dict[str, Any] | None
    """What the attempt under way, or the one to be made next, is about; made by the line of the sink."""
    in_flight: bool
    """An attempt has begun, and its end is not known: after a crash it may have succeeded."""


def register(db: sqlite3.Connection, styles: Mapping[str, str], now: float) -> None:
    """Make the cursors those of these sinks (name → style).

    A new sink begins at the end of the outbox, all those of a store's very first start at its beginning. Nothing is kept of a sink that is
    not among them but its dead letters; of one that has changed its style, its place alone.
    """
    is_first = db.execute("INSERT OR IGNORE INTO delivery_begun VALUES (1)").rowcount == 1
    known = dict(db.execute("SELECT sink, style FROM cursors").fetchall())
    for sink in known.keys() - styles.keys():
        for table in _TABLES:
            db.execute(f"DELETE FROM {table} WHERE sink = ?", (sink,))  # noqa: S608 - a name of ours
    for sink, style in styles.items():
        if sink not in known:
            db.execute("INSERT INTO cursors(sink, style, seq) VALUES (?, ?, ?)", (sink, style, 0 if is_first else outbox.end(db)))
        elif known[sink] != style:
            for table in _TABLES[1:]:
                db.execute(f"DELETE FROM {table} WHERE sink = ?", (sink,))  # noqa: S608 - a name of ours
            db.execute("UPDATE cursors SET style = ?, claim = NULL, in_flight = 0, storm_said_at = NULL WHERE sink = ?", (style, sink))
    _not_later_than(db, now)


def _not_later_than(db: sqlite3.Connection, now: float) -> None:
    """A clock that was ahead when these times were put down must not keep anything back."""
    db.execute("UPDATE groups SET began_at = min(began_at, ?), said_at = min(said_at, ?), retry_at = min(retry_at, ?)", (now, now, now))
    db.execute("UPDATE groups SET due_at = min(due_at, ? + CASE WHEN said_at IS NULL THEN wait_s ELSE repeat_s END)", (now,))
    db.execute("UPDATE members SET at = min(at, ?), sent_at = min(sent_at, ?) WHERE at > ? OR sent_at > ?", (now, now, now, now))
    db.execute("UPDATE cursors SET storm_said_at = min(storm_said_at, ?), storm_retry_at = min(storm_retry_at, ?)", (now, now))
    db.execute("UPDATE admitted SET at = ? WHERE at > ?", (now, now))


def load(db: sqlite3.Connection, sink: str) -> Cursor:
    """Where this sink is."""
    seq, claim, in_flight = db.execute("SELECT seq, claim, in_flight FROM cursors WHERE sink = ?", (sink,)).fetchone()
    return Cursor(seq, None if claim is None else msgspec.json.decode(claim), bool(in_flight))


def move(db: sqlite3.Connection, sink: str, seq: int) -> None:
    """Everything up to ``seq`` is done with."""
    db.execute("UPDATE cursors SET seq = ? WHERE sink = ?", (seq, sink))


def claim(db: sqlite3.Connection, sink: str, what: Mapping[str, Any]) -> None:
    """An attempt is about to begin."""
    db.execute("UPDATE cursors SET claim = ?, in_flight = 1 WHERE sink = ?", (msgspec.json.encode(what).decode(), sink))


def settle(db: sqlite3.Connection, sink: str, then: Mapping[str, Any] | None = None) -> None:
    """The attempt has ended, and how is known. ``then``: what the next one has to be about."""
    text = None if then is None else msgspec.json.encode(then).decode()
    db.execute("UPDATE cursors SET claim = ?, in_flight = 0 WHERE sink = ?", (text, sink))


def waiting(db: sqlite3.Connection, seq: int) -> int:
    """Alert versions beyond ``seq``. Costs one look, whatever there is."""
    (last,) = db.execute("SELECT max(seq) FROM outbox").fetchone()
    return 0 if last is None else max(0, int(last) - seq)
