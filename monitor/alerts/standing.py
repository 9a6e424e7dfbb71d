"""Style ``state``: what fires now, sent at each change and again and again; what has resolved, for a while longer."""

import sqlite3
from collections.abc import Sequence
from typing import Any

from monitor.alerts import cursors, outbox
from monitor.alerts.cursors import Cursor
from monitor.alerts.line import SCAN, Job, Plan, must, take_in
from monitor.alerts.route import Router
from monitor.notification import Notification, Reason
from monitor.settings_delivery import StateSettings
from schemas.alert import Alert

RESOLVED_S = 300.0
"""How long a resolved alert is still sent."""
_GROUP = ""


class StateLine:
    """The line of one sink. Each alert has its own time to be sent again, so that a large state goes out in parts, and only what is due."""

    def __init__(self, sink: str, settings: StateSettings, max_alerts: int, router: Router) -> None:
        self._sink = sink
        self._refresh_s = settings.refresh_s
        self._max_alerts = max_alerts
        self._router = router

    def plan(self, db: sqlite3.Connection, cursor: Cursor, now: float, *, may_send: bool) -> Plan:
        """Take in what is new, then choose what has changed or is due again."""
        plan = Plan(buried=self._take_in(db, cursor, now))
        self._forget(db, now)
        where = "FROM members WHERE sink = ? AND grp = ?"
        (unsent,) = db.execute(f"SELECT count(*) {where} AND version > sent_version", (self._sink, _GROUP)).fetchone()
        (oldest,) = db.execute(f"SELECT min(sent_at) {where}", (self._sink, _GROUP)).fetchone()
        rest = cursors.waiting(db, cursor.seq)
        plan.pending = rest + unsent
        if oldest is not None:
            plan.due_at = now if unsent else oldest + self._refresh_s
        if rest:
            plan.due_at = now
        if may_send and oldest is not None and plan.due_at is not None and plan.due_at <= now:
            plan.job = self._job(db, now)
            if plan.job is not None:
                plan.job.repeated = cursor.in_flight
        return plan

    def _job(self, db: sqlite3.Connection, now: float) -> Job | None:
        columns = "id, version, version > sent_version, alert"
        found = db.execute(
            f"SELECT {columns} FROM members WHERE sink = ? AND grp = ? AND version > sent_version LIMIT ?",  # noqa: S608 - names of ours
            (self._sink, _GROUP, self._max_alerts),
        ).fetchall()
        # What would be due soon goes along, so that alerts keep together in as few sends as possible.
        found += db.execute(
            f"SELECT {columns} FROM members WHERE sink = ? AND grp = ? AND sent_at <= ? AND version <= sent_version"  # noqa: S608 - names of ours
            " ORDER BY sent_at LIMIT ?",
            (self._sink, _GROUP, now - self._refresh_s / 2, self._max_alerts - len(found)),
        ).fetchall()
        if not found:
            return None
        texts = tuple(text for *_, text in found)
        alerts = tuple(must(outbox.read(text)) for text in texts)
        changed = [alert for alert, (_, _, is_changed, _) in zip(alerts, found, strict=True) if is_changed]
        is_firing = any(alert.status == "firing" for alert in alerts)
        notification = Notification(
            key="state",
            reason=_reason(changed),
            status="firing" if is_firing else "resolved",
            alerts=alerts,
        )
        return Job(notification, {"alerts": [[alert_id, version] for alert_id, version, *_ in found]}, texts, 1)

    def _take_in(self, db: sqlite3.Connection, cursor: Cursor, now: float) -> int:
        def keep(row: outbox.Row, alert: Alert) -> None:
            # Whoever was told of an alert is told how it goes on, even when the routes would now send it elsewhere.
            if self._router.to(self._sink, alert) is not None or outbox.is_member(db, self._sink, _GROUP, alert.id):
                outbox.keep_member(db, self._sink, _GROUP, row, alert, now)

        return take_in(db, self._sink, cursor, now, keep)

    def _forget(self, db: sqlite3.Connection, now: float) -> None:
        """What has resolved a while ago, once the sink has heard of it."""
        db.execute(
            "DELETE FROM members WHERE sink = ? AND grp = ? AND status = 'resolved' AND at <= ? AND sent_version >= version",
            (self._sink, _GROUP, now - RESOLVED_S),
        )

    def delivered(self, db: sqlite3.Connection, job: Job, memory: dict[str, Any], now: float) -> None:  # noqa: ARG002 - nothing to remember
        """Note when they were sent."""
        self._sent(db, job, now)

    def refused(self, db: sqlite3.Connection, job: Job, reason: str, now: float) -> int:
        """They count as sent, and are tried again at the next refresh; only what is new becomes a dead letter."""
        fresh = [
            text
            for (alert_id, version), text in zip(job.claim["alerts"], job.texts, strict=True)
            if db.execute(
                "SELECT 1 FROM members WHERE sink = ? AND grp = ? AND id = ? AND sent_version < ?", (self._sink, _GROUP, alert_id, version)
            ).fetchone()
        ]
        self._sent(db, job, now)
        return outbox.bury(db, self._sink, fresh, reason, now)

    def failed(self, db: sqlite3.Connection, job: Job, wait_s: float, expired_before: float, now: float) -> int:  # noqa: ARG002 - all wait alike
        """Nothing is lost by waiting, for the state is sent as it is then. Only what is over for very long is given up."""
        cursors.settle(db, self._sink)
        where = "FROM members WHERE sink = ? AND grp = ? AND status = 'resolved' AND at < ?"
        old = [text for (text,) in db.execute(f"SELECT alert {where} LIMIT ?", (self._sink, _GROUP, expired_before, SCAN))]
        db.execute(
            f"DELETE FROM members WHERE rowid IN (SELECT rowid {where} LIMIT ?)",  # noqa: S608 - words of ours
            (self._sink, _GROUP, expired_before, SCAN),
        )
        return outbox.bury(db, self._sink, old, "expired", now)

    def _sent(self, db: sqlite3.Connection, job: Job, now: float) -> None:
        db.executemany(
            "UPDATE members SET sent_version = ?, sent_at = ? WHERE sink = ? AND grp = ? AND id = ?",
            [(version, now, self._sink, _GROUP, alert_id) for alert_id, version in job.claim["alerts"]],
        )
        cursors.settle(db, self._sink)


def _reason(changed: Sequence[Alert]) -> Reason:
    if not changed:
        return "repeat"
    if all(alert.status == "resolved" for alert in changed):
        return "resolved"
    return "new" if any(alert.version == 1 for alert in changed) else "update"
