"""Style ``notify``: one notification for an incident, after a short wait, and further ones only when there is something to say."""

import sqlite3
from hashlib import blake2b
from typing import Any

import msgspec

from monitor.alerts import cursors, groups, outbox, storm
from monitor.alerts.cursors import Cursor
from monitor.alerts.groups import Group
from monitor.alerts.line import MAX_KEY, Job, Plan, must, take_in
from monitor.alerts.route import Router
from monitor.notification import Notification
from monitor.settings_delivery import NotifySettings, Route
from schemas.alert import Alert
from schemas.severity import RANK

MAX_EXPIRED = 100
"""Incidents given up in one transaction."""


class NotifyLine:
    """The line of one sink. All it knows is in the store; a claim names the incident."""

    def __init__(self, sink: str, settings: NotifySettings, max_alerts: int, router: Router) -> None:
        self._sink = sink
        self._settings = settings
        self._max_alerts = max_alerts
        self._router = router

    def plan(self, db: sqlite3.Connection, cursor: Cursor, now: float, *, may_send: bool) -> Plan:
        """Take in what is new, then choose what is due."""
        # An attempt that a crash cut off is repeated as it was, before anything new can change it.
        job = self._claimed(db, cursor) if cursor.in_flight else None
        if job is not None:
            job.repeated = True
            return Plan(job if may_send else None, now, 1)
        buried = self._take_in(db, cursor, now)
        storm_at = storm.due_at(db, self._sink, self._settings.group_wait_s, self._settings.storm)
        is_storm = storm_at is not None and storm_at <= now
        job = self._next(db, now, is_storm=is_storm)
        rest = cursors.waiting(db, cursor.seq)
        times = (groups.next_due_at(db, self._sink, now), storm_at, now if rest or job is not None else None)
        due_at = min((at for at in times if at is not None), default=None)
        return Plan(job if may_send else None, due_at, rest + groups.count_due(db, self._sink, now) + is_storm, buried)

    def _next(self, db: sqlite3.Connection, now: float, *, is_storm: bool) -> Job | None:
        group = groups.due(db, self._sink, now)
        if is_storm and (group is None or not storm.has_failed(db, self._sink)):
            return storm.job(db, self._sink, self._max_alerts)
        return self._job(db, group)

    def _claimed(self, db: sqlite3.Connection, cursor: Cursor) -> Job | None:
        claim = cursor.claim or {}
        if "storm" in claim:
            return storm.job(db, self._sink, self._max_alerts)
        return self._job(db, groups.load(db, self._sink, claim.get("group", "")))

    def _job(self, db: sqlite3.Connection, group: Group | None) -> Job | None:
        if group is None:
            return None
        texts = groups.texts(db, self._sink, group.grp, self._max_alerts)
        reason = group.reason
        notification = Notification(
            key=_key(group.grp),
            reason=reason,
            status="resolved" if reason == "resolved" else "firing",
            alerts=tuple(must(outbox.read(text)) for text in texts),
            memory=msgspec.json.decode(group.memory),
        )
        return Job(notification, {"group": group.grp}, texts, 1)

    # -- taking in ----------------------------------------------------------------------------------------------------------------

    def _take_in(self, db: sqlite3.Connection, cursor: Cursor, now: float) -> int:
        touched: dict[str, Route | None] = {}

        def keep(row: outbox.Row, alert: Alert) -> None:
            route = self._router.to(self._sink, alert)
            # Whoever was told of an alert is told how it goes on, even when the routes would now send it elsewhere.
            if not outbox.is_member(db, self._sink, alert.incident, alert.id) and (route is None or alert.status == "resolved"):
                return
            outbox.keep_member(db, self._sink, alert.incident, row, alert, now)
            self._begin(db, alert, now)
            touched[alert.incident] = route or touched.get(alert.incident)

        buried = take_in(db, self._sink, cursor, now, keep)
        for grp, route in touched.items():
            self._refresh(db, grp, route, now)
        return buried

    def _begin(self, db: sqlite3.Connection, alert: Alert, now: float) -> None:
        """An alert that no other speaks for begins a group, if there is none yet."""
        if alert.inhibited_by is not None or alert.status == "resolved" or groups.load(db, self._sink, alert.incident) is not None:
            return
        group = groups.begin(alert.incident, self._settings, now)
        group.rank = RANK[alert.severity]
        group.suppressed = 0 if storm.admits(db, self._sink, group.rank, now, self._settings.storm) else 1
        groups.save(db, self._sink, group)

    def _refresh(self, db: sqlite3.Connection, grp: str, route: Route | None, now: float) -> None:
        group = groups.load(db, self._sink, grp)
        if group is None:
            db.execute("DELETE FROM members WHERE sink = ? AND grp = ? AND status = 'resolved'", (self._sink, grp))
            return
        before = group.rank
        groups.count(db, self._sink, group)
        if route is not None:
            groups.set_pace(group, self._settings, route)
        if group.suppressed and group.rank > before and storm.admits(db, self._sink, group.rank, now, self._settings.storm):
            group.suppressed = 0
        if group.suppressed == 2 and group.firing == 0:  # its summary has been sent, and its end is not worth a message
            groups.delete(db, self._sink, grp)
        else:
            groups.save(db, self._sink, group)

    # -- what became of it --------------------------------------------------------------------------------------------------------

    def delivered(self, db: sqlite3.Connection, job: Job, memory: dict[str, Any], now: float) -> None:
        """Note what has been said."""
        if "storm" in job.claim:
            storm.said(db, self._sink, now)
        else:
            self._said(db, job.claim["group"], now, msgspec.json.encode(memory).decode())

    def refused(self, db: sqlite3.Connection, job: Job, reason: str, now: float) -> int:
        """It counts as said, so that only a further change is tried again."""
        if "storm" in job.claim:
            storm.said(db, self._sink, now)
        else:
            self._said(db, job.claim["group"], now, None)
        return outbox.bury(db, self._sink, job.texts, reason, now)

    def failed(self, db: sqlite3.Connection, job: Job, wait_s: float, expired_before: float, now: float) -> int:
        """Others go first the next time. What is too old counts as said."""
        if "storm" in job.claim:
            storm.failed(db, self._sink, now + wait_s)
        else:
            db.execute("UPDATE groups SET retry_at = ? WHERE sink = ? AND grp = ?", (now + wait_s, self._sink, job.claim["group"]))
            cursors.settle(db, self._sink)
        buried = 0
        for group in groups.overdue(db, self._sink, expired_before, MAX_EXPIRED):
            buried += outbox.bury(db, self._sink, groups.texts(db, self._sink, group.grp, self._max_alerts), "expired", now)
            self._said(db, group.grp, now, None)
        if "storm" in job.claim and storm.began_at(db, self._sink) < expired_before:
            storm.said(db, self._sink, now)
            buried += outbox.bury(db, self._sink, job.texts, "expired", now)
        return buried

    def _said(self, db: sqlite3.Connection, grp: str, now: float, memory: str | None) -> None:
        cursors.settle(db, self._sink)
        group = groups.load(db, self._sink, grp)
        if group is None:
            return
        if group.reason == "resolved":
            groups.delete(db, self._sink, grp)
            return
        group.said_at, group.said_alerts, group.said_rank, group.said_total = now, group.alerts, group.rank, group.total
        group.retry_at = 0.0
        group.memory = group.memory if memory is None else memory
        groups.save(db, self._sink, group)


def _key(incident: str) -> str:
    return incident if len(incident) <= MAX_KEY else blake2b(incident.encode(), digest_size=12).hexdigest()
