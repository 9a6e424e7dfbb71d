"""Style ``stream``: every alert version, in order. What cannot be delivered yet holds up what follows."""

import sqlite3
from hashlib import blake2b
from typing import Any

from monitor.alerts import cursors, outbox
from monitor.alerts.cursors import Cursor
from monitor.alerts.line import MAX_KEY, SCAN, Job, Plan
from monitor.alerts.route import Router
from monitor.notification import Notification
from schemas.alert import Alert


class StreamLine:
    """The line of one sink. A claim names the rows it is about, so that a further attempt sends the very same."""

    def __init__(self, sink: str, max_alerts: int, router: Router) -> None:
        self._sink = sink
        self._max_alerts = max_alerts
        self._most = max_alerts
        """Fewer for a while after a refusal: one bad alert must not cost those beside it."""
        self._router = router

    def plan(self, db: sqlite3.Connection, cursor: Cursor, now: float, *, may_send: bool) -> Plan:
        """The next alert versions of this sink."""
        plan = Plan()
        numbers, upto = (cursor.claim["seqs"], cursor.claim["upto"]) if cursor.claim else self._next(db, cursor.seq, now, plan)
        rows = outbox.rows_at(db, numbers)
        if not rows and upto > cursor.seq:
            cursors.move(db, self._sink, upto)
            cursor.seq = upto
            cursor.claim = None
            cursors.settle(db, self._sink)
        plan.pending = cursors.waiting(db, cursor.seq)
        if rows or plan.pending:
            plan.due_at = now
        if rows and may_send:
            alerts = tuple(row.alert for row in rows if row.alert is not None)
            plan.job = Job(
                Notification(key=_key(alerts), reason=_reason(alerts), status=_status(alerts), alerts=alerts),
                {"seqs": numbers, "upto": upto},
                tuple(row.text for row in rows),
                len(rows),
                repeated=cursor.in_flight,
            )
        return plan

    def _next(self, db: sqlite3.Connection, seq: int, now: float, plan: Plan) -> tuple[list[int], int]:
        numbers: list[int] = []
        for row in outbox.rows_after(db, seq, max(SCAN, self._most)):
            if row.alert is None:
                if numbers:
                    break  # it is buried in its turn, when the cursor passes it
                plan.buried += outbox.bury(db, self._sink, [row.text], "unreadable", now)
            elif self._router.to(self._sink, row.alert) is not None:
                if len(numbers) == self._most:
                    break
                numbers.append(row.seq)
            seq = row.seq
            if plan.buried:
                break
        return numbers, seq

    def delivered(self, db: sqlite3.Connection, job: Job, memory: dict[str, Any], now: float) -> None:  # noqa: ARG002 - a stream remembers nothing
        """Go on behind them."""
        self._pass(db, job)
        self._most = min(self._max_alerts, self._most * 2)

    def refused(self, db: sqlite3.Connection, job: Job, reason: str, now: float) -> int:
        """Several are tried again as fewer, until the one that is refused is found; that one is given up."""
        if job.count > 1:
            self._most = max(1, job.count // 2)
            cursors.settle(db, self._sink)
            return 0
        self._pass(db, job)
        return outbox.bury(db, self._sink, job.texts, reason, now)

    def failed(self, db: sqlite3.Connection, job: Job, wait_s: float, expired_before: float, now: float) -> int:  # noqa: ARG002 - all wait alike
        """Keep the claim, or give up what is too old, of this attempt and behind it."""
        first, last = job.claim["seqs"][0], job.claim["upto"]
        (newest,) = db.execute("SELECT max(created_at) FROM outbox WHERE seq BETWEEN ? AND ?", (first, last)).fetchone()
        if newest is None or newest >= expired_before:
            cursors.settle(db, self._sink, job.claim)
            return 0
        self._pass(db, job)
        texts = list(job.texts)
        found = outbox.rows_after(db, last, SCAN)
        for row in found:
            if row.created_at >= expired_before:
                break
            if row.alert is not None and self._router.to(self._sink, row.alert) is not None:
                texts.append(row.text)
            last = row.seq
        cursors.move(db, self._sink, last)
        return outbox.bury(db, self._sink, texts, "expired", now)

    def _pass(self, db: sqlite3.Connection, job: Job) -> None:
        cursors.move(db, self._sink, job.claim["upto"])
        cursors.settle(db, self._sink)


def _key(alerts: tuple[Alert, ...]) -> str:
    if len(alerts) == 1 and len(alerts[0].dedup_key) <= MAX_KEY:
        return alerts[0].dedup_key
    return blake2b("\n".join(f"{alert.id} {alert.version}" for alert in alerts).encode(), digest_size=12).hexdigest()


def _reason(alerts: tuple[Alert, ...]) -> Any:
    """Of several, that of the first."""
    first = alerts[0]
    return "resolved" if first.status == "resolved" else "new" if first.version == 1 else "update"


def _status(alerts: tuple[Alert, ...]) -> Any:
    return "firing" if any(alert.status == "firing" for alert in alerts) else "resolved"
