"""What is to be sent next: the part of delivery that differs with a sink's style. Each line works within transactions of the store."""

import sqlite3
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from monitor.alerts import cursors, outbox
from monitor.alerts.cursors import Cursor
from monitor.notification import Notification
from schemas.alert import Alert
from schemas.errors import WatchfloorError

SCAN = 500
"""Rows of the outbox that are looked at in one transaction: some milliseconds."""
MAX_KEY = 255


class Job(msgspec.Struct):
    """One notification to be sent, and what its line must know when it is marked."""

    notification: Notification
    claim: dict[str, Any]
    """JSON-ready."""
    texts: tuple[str, ...]
    """Its alerts as they stand in the outbox, for the dead letters."""
    count: int
    """What it counts for: alert versions of a stream, else one message."""
    repeated: bool = False
    """It had begun before, and nobody knows how that ended."""


class Plan(msgspec.Struct):
    """What a line has found."""

    job: Job | None = None
    due_at: float | None = None
    """Wall clock; when to look again if nothing new comes. In the past or now: there is something to send already."""
    pending: int = 0
    """How much is waiting to be sent."""
    buried: int = 0
    """Alert versions that had to be given up on the way."""


def take_in(db: sqlite3.Connection, sink: str, cursor: Cursor, now: float, keep: Callable[[outbox.Row, Alert], None]) -> int:
    """Show ``keep`` the next alert versions of the outbox, and go on behind them. Returns how many could not be read, and were given up."""
    buried, seq = 0, cursor.seq
    for row in outbox.rows_after(db, cursor.seq, SCAN):
        seq = row.seq
        if row.alert is None:
            buried += outbox.bury(db, sink, [row.text], "unreadable", now)
        else:
            keep(row, row.alert)
    if seq != cursor.seq:
        cursors.move(db, sink, seq)
        cursor.seq = seq
    return buried


class Line(Protocol):
    """Finds what is next, and notes what became of it. ``now``: wall clock, Unix seconds."""

    def plan(self, db: sqlite3.Connection, cursor: Cursor, now: float, *, may_send: bool) -> Plan:
        """What is due. With ``may_send`` the job is one to be sent now; without, there is none.

        A claim in flight is planned first, with the same key and content.
        """
        ...

    def delivered(self, db: sqlite3.Connection, job: Job, memory: dict[str, Any], now: float) -> None:
        """The sink has taken it."""
        ...

    def refused(self, db: sqlite3.Connection, job: Job, reason: str, now: float) -> int:
        """The sink will never take it. Returns how many alert versions became dead letters."""
        ...

    def failed(self, db: sqlite3.Connection, job: Job, wait_s: float, expired_before: float, now: float) -> int:
        """It is to be tried again, after ``wait_s``; what has been waiting since before ``expired_before`` is given up. Returns how many dead letters."""
        ...


def must(alert: Alert | None) -> Alert:
    """An alert of ours that was readable when it came in."""
    if alert is None:
        raise WatchfloorError("the store holds an alert that cannot be read any more")
    return alert
