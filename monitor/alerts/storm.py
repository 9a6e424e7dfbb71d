"""The storm cap: of very many new incidents the first ones are told of, and one summary stands for the others.

Incidents are counted with those as grave or graver: a flood of low ones, which an attacker may raise at will, cannot hide a grave one.
"""

import sqlite3
from hashlib import blake2b

from monitor.alerts import cursors, outbox
from monitor.alerts.line import Job, must
from monitor.notification import Notification
from monitor.settings_delivery import StormSettings


def admits(db: sqlite3.Connection, sink: str, rank: int, now: float, settings: StormSettings) -> bool:
    """Whether a new incident of this rank is told of by itself; if so it is counted."""
    since = now - settings.per_s
    db.execute("DELETE FROM admitted WHERE sink = ? AND at <= ?", (sink, since))
    (count,) = db.execute("SELECT count(*) FROM admitted WHERE sink = ? AND rank >= ?", (sink, rank)).fetchone()
    if count >= settings.limit:
        return False
    db.execute("INSERT INTO admitted VALUES (?, ?, ?)", (sink, now, rank))
    return True


def due_at(db: sqlite3.Connection, sink: str, wait_s: float, settings: StormSettings) -> float | None:
    """When the next summary is to be sent; ``None``: there is nothing to sum up."""
    # While a group is suppressed, its ``due_at`` is when it began: the index has the first one at hand.
    (first,) = db.execute("SELECT min(due_at) FROM groups WHERE sink = ? AND suppressed = 1", (sink,)).fetchone()
    if first is None:
        return None
    said_at, retry_at = db.execute("SELECT storm_said_at, storm_retry_at FROM cursors WHERE sink = ?", (sink,)).fetchone()
    return float(max(first + wait_s, retry_at, 0.0 if said_at is None else said_at + settings.per_s))


def job(db: sqlite3.Connection, sink: str, max_alerts: int) -> Job | None:
    """The summary: how many incidents, and the gravest of their alerts."""
    count, first = db.execute("SELECT count(*), min(due_at) FROM groups WHERE sink = ? AND suppressed = 1", (sink,)).fetchone()
    texts = tuple(
        text
        for (text,) in db.execute(
            "SELECT m.alert FROM groups g JOIN members m ON m.sink = g.sink AND m.grp = g.grp"
            " WHERE g.sink = ? AND g.suppressed = 1 ORDER BY m.inhibited, m.rank DESC, m.rowid LIMIT ?",
            (sink, max_alerts),
        )
    )
    if not count:
        return None
    key = "storm-" + blake2b(f"{sink} {first!r}".encode(), digest_size=12).hexdigest()
    alerts = tuple(must(outbox.read(text)) for text in texts)
    return Job(Notification(key=key, reason="storm", status="firing", alerts=alerts, suppressed=count), {"storm": True}, texts, 1)


def said(db: sqlite3.Connection, sink: str, now: float) -> None:
    """The summary is done with: nothing more is said of these incidents, unless they become graver."""
    db.execute("UPDATE cursors SET storm_said_at = ?, storm_retry_at = 0 WHERE sink = ?", (now, sink))
    db.execute("UPDATE groups SET suppressed = 2 WHERE sink = ? AND suppressed = 1", (sink,))
    db.execute(
        "DELETE FROM members WHERE sink = ? AND grp IN (SELECT grp FROM groups WHERE sink = ? AND suppressed = 2 AND firing = 0)",
        (sink, sink),
    )
    db.execute("DELETE FROM groups WHERE sink = ? AND suppressed = 2 AND firing = 0", (sink,))
    cursors.settle(db, sink)


def began_at(db: sqlite3.Connection, sink: str) -> float:
    """When the first of the incidents began that are not summed up yet."""
    (first,) = db.execute("SELECT min(due_at) FROM groups WHERE sink = ? AND suppressed = 1", (sink,)).fetchone()
    return float("inf") if first is None else float(first)


def has_failed(db: sqlite3.Connection, sink: str) -> bool:
    """Whether this summary has been tried already."""
    (retry_at,) = db.execute("SELECT storm_retry_at FROM cursors WHERE sink = ?", (sink,)).fetchone()
    return bool(retry_at)


def failed(db: sqlite3.Connection, sink: str, retry_at: float) -> None:
    """The summary is tried again later, and nothing else waits for it."""
    db.execute("UPDATE cursors SET storm_retry_at = ? WHERE sink = ?", (retry_at, sink))
    cursors.settle(db, sink)
