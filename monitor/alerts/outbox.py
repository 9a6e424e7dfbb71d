"""The outbox: alert versions that are safe in the store and wait for their sinks, and the tables of delivery beside it.

The engine inserts in the transaction of its checkpoint; each sink reads on from its cursor. All functions work within a transaction of the
store and commit nothing themselves.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from schemas.alert import Alert
from schemas.severity import RANK

KEEP_S = 7 * 86_400.0
"""How long alert versions stay that every sink has passed."""
MAX_DEAD_LETTERS = 10_000
"""The newest are kept, of all sinks together."""

SCHEMA: tuple[str, ...] = (
    (
        "CREATE TABLE IF NOT EXISTS outbox(seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, version INTEGER NOT NULL,"
        " incident TEXT NOT NULL, dedup_key TEXT NOT NULL, status TEXT NOT NULL, severity TEXT NOT NULL, detector TEXT NOT NULL,"
        " tenant TEXT, created_at REAL NOT NULL, alert TEXT NOT NULL, UNIQUE(id, version))"
    ),
    "CREATE INDEX IF NOT EXISTS outbox_age ON outbox(created_at)",
    # One row once delivery has ever run on this store: a sink that comes later begins at the end.
    "CREATE TABLE IF NOT EXISTS delivery_begun(one INTEGER PRIMARY KEY CHECK (one = 1))",
    # claim: what the attempt is about; in_flight: begun, and its end is not known. storm_*: see storm.py.
    (
        "CREATE TABLE IF NOT EXISTS cursors(sink TEXT PRIMARY KEY, style TEXT NOT NULL, seq INTEGER NOT NULL, claim TEXT,"
        " in_flight INTEGER NOT NULL DEFAULT 0, storm_said_at REAL, storm_retry_at REAL NOT NULL DEFAULT 0)"
    ),
    # One incident at one sink. said_at NULL: nothing has been said. suppressed: 0 no, 1 by a storm, 2 and the summary has been sent.
    (
        "CREATE TABLE IF NOT EXISTS groups(sink TEXT NOT NULL, grp TEXT NOT NULL, began_at REAL NOT NULL, wait_s REAL NOT NULL,"
        " interval_s REAL NOT NULL, repeat_s REAL NOT NULL, alerts INTEGER NOT NULL DEFAULT 0, firing INTEGER NOT NULL DEFAULT 0,"
        " rank INTEGER NOT NULL DEFAULT 0, total INTEGER NOT NULL DEFAULT 0, said_at REAL, said_alerts INTEGER NOT NULL DEFAULT 0,"
        " said_rank INTEGER NOT NULL DEFAULT 0, said_total INTEGER NOT NULL DEFAULT 0, due_at REAL NOT NULL,"
        " retry_at REAL NOT NULL DEFAULT 0, suppressed INTEGER NOT NULL DEFAULT 0, memory TEXT NOT NULL DEFAULT '{}', PRIMARY KEY(sink, grp))"
    ),
    "CREATE INDEX IF NOT EXISTS groups_due ON groups(sink, suppressed, due_at)",
    # The last version of each alert of a group; style ``state`` keeps all of its own under the group ''.
    (
        "CREATE TABLE IF NOT EXISTS members(sink TEXT NOT NULL, grp TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL,"
        " status TEXT NOT NULL, rank INTEGER NOT NULL, total INTEGER NOT NULL, inhibited INTEGER NOT NULL, at REAL NOT NULL,"
        " sent_version INTEGER NOT NULL DEFAULT 0, sent_at REAL NOT NULL DEFAULT 0, alert TEXT NOT NULL, PRIMARY KEY(sink, grp, id))"
    ),
    "CREATE INDEX IF NOT EXISTS members_sent ON members(sink, grp, sent_at)",
    "CREATE INDEX IF NOT EXISTS members_unsent ON members(sink, grp) WHERE version > sent_version",
    "CREATE INDEX IF NOT EXISTS members_over ON members(sink, grp, at) WHERE status = 'resolved'",
    # When the latest incidents began that a sink was told of, for the storm cap.
    "CREATE TABLE IF NOT EXISTS admitted(sink TEXT NOT NULL, at REAL NOT NULL, rank INTEGER NOT NULL)",
    "CREATE INDEX IF NOT EXISTS admitted_at ON admitted(sink, at)",
    (
        "CREATE TABLE IF NOT EXISTS dead_letters(number INTEGER PRIMARY KEY AUTOINCREMENT, sink TEXT NOT NULL, id TEXT NOT NULL,"
        " version INTEGER NOT NULL, reason TEXT NOT NULL, at REAL NOT NULL, alert TEXT NOT NULL)"
    ),
)
"""The tables, each statement harmless when they are there; for ``Store``."""

INSERT_CHUNK = 500
"""Alert versions inserted by one statement; encoding so many holds the stream up for some 2 ms."""
_INSERT = (
    "INSERT OR IGNORE INTO outbox(id, version, incident, dedup_key, status, severity, detector, tenant, created_at, alert)"
    " SELECT json_extract(value, '$.id'), json_extract(value, '$.version'), json_extract(value, '$.incident'),"
    " json_extract(value, '$.dedup_key'), json_extract(value, '$.status'), json_extract(value, '$.severity'),"
    " json_extract(value, '$.detector'), json_extract(value, '$.tenant'), ?2, value FROM json_each(CAST(?1 AS TEXT)) ORDER BY key"
)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Alert).decode


class Row(msgspec.Struct, frozen=True):
    """One alert version of the outbox."""

    seq: int
    created_at: float
    text: str
    alert: Alert | None
    """``None``: it cannot be read, which a version of watchfloor must have caused that wrote it otherwise."""


def insert(db: sqlite3.Connection, alerts: Sequence[Alert], now: float) -> int:
    """Add alert versions in their order; one that is there already stays as it is. Returns how many were new. ``now``: Unix seconds."""
    # In one statement that takes the alerts apart itself: row by row, each would wait for an interpreter that the stream keeps busy.
    before = db.total_changes
    for at in range(0, len(alerts), INSERT_CHUNK):
        db.execute(_INSERT, (_encode(alerts[at : at + INSERT_CHUNK]), now))
    return db.total_changes - before


def prune(db: sqlite3.Connection, now: float, keep_s: float = KEEP_S) -> int:
    """Delete what every sink has passed and is older than ``keep_s``. Returns how many rows. Cost follows what is deleted."""
    return db.execute(
        "DELETE FROM outbox WHERE created_at < ? AND seq <= coalesce((SELECT min(seq) FROM cursors), ?)", (now - keep_s, end(db))
    ).rowcount


def end(db: sqlite3.Connection) -> int:
    """The last number ever given, 0 before the first."""
    found = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
    return 0 if found is None else int(found[0])


def rows_after(db: sqlite3.Connection, seq: int, limit: int) -> Iterator[Row]:
    """The rows that follow, in their order."""
    return _rows(db.execute("SELECT seq, created_at, alert FROM outbox WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit)))


def rows_at(db: sqlite3.Connection, numbers: Iterable[int]) -> list[Row]:
    """These rows, in the order asked for; one that is not there is left out."""
    return [row for seq in numbers for row in _rows(db.execute("SELECT seq, created_at, alert FROM outbox WHERE seq = ?", (seq,)))]


def _rows(found: Iterable[tuple[int, float, str]]) -> Iterator[Row]:
    for seq, created_at, text in found:
        yield Row(seq, created_at, text, read(text))


def read(text: str) -> Alert | None:
    """An alert as it was put down; ``None`` when it cannot be read."""
    try:
        return _decode(text)
    except msgspec.DecodeError:
        return None


def bury(db: sqlite3.Connection, sink: str, texts: Iterable[str], reason: str, now: float) -> int:
    """Keep alert versions that a sink will not get among the dead letters. Returns how many."""
    letters = []
    for text in texts:
        alert = read(text)
        letters.append((sink, "" if alert is None else alert.id, 0 if alert is None else alert.version, reason, now, text))
    db.executemany("INSERT INTO dead_letters(sink, id, version, reason, at, alert) VALUES (?, ?, ?, ?, ?, ?)", letters)
    db.execute("DELETE FROM dead_letters WHERE number <= (SELECT max(number) FROM dead_letters) - ?", (MAX_DEAD_LETTERS,))
    return len(letters)


def keep_member(db: sqlite3.Connection, sink: str, group: str, row: Row, alert: Alert, now: float) -> None:
    """Note the last version of an alert of a group."""
    db.execute(
        "INSERT INTO members(sink, grp, id, version, status, rank, total, inhibited, at, alert) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET version = excluded.version, status = excluded.status, rank = excluded.rank, total = excluded.total,"
        " inhibited = excluded.inhibited, at = excluded.at, alert = excluded.alert",
        (
            sink,
            group,
            alert.id,
            alert.version,
            alert.status,
            RANK[alert.severity],
            alert.count,
            alert.inhibited_by is not None,
            now,
            row.text,
        ),
    )


def is_member(db: sqlite3.Connection, sink: str, group: str, alert_id: str) -> bool:
    """Whether a group has that alert already."""
    return db.execute("SELECT 1 FROM members WHERE sink = ? AND grp = ? AND id = ?", (sink, group, alert_id)).fetchone() is not None


def recent(db: sqlite3.Connection, limit: int, status: str | None) -> list[Alert]:
    """The alerts that changed last, each in its last version, the newest first; of one status only, unless it is ``None``."""
    rows = db.execute(
        "SELECT alert FROM outbox WHERE seq IN (SELECT max(seq) FROM outbox GROUP BY id) AND (?1 IS NULL OR status = ?1)"
        " ORDER BY seq DESC LIMIT ?2",
        (status, limit),
    )
    return [alert for (text,) in rows if (alert := read(text)) is not None]


def oldest_waiting(db: sqlite3.Connection) -> dict[str, float]:
    """Sink → since when the oldest alert version waits that it has not passed (Unix seconds); sinks with none are left out."""
    rows = db.execute(
        "SELECT cursors.sink, outbox.created_at FROM cursors"
        " JOIN outbox ON outbox.seq = (SELECT min(seq) FROM outbox WHERE outbox.seq > cursors.seq)"
    )
    return dict(rows.fetchall())
