"""What a sink that notifies people knows of one incident, and what of it is worth saying."""

import sqlite3
from typing import Any

import msgspec

from monitor.notification import Reason
from monitor.settings_delivery import NotifySettings, Route


class Group(msgspec.Struct):
    """One incident at one sink, as in the table ``groups``. Times: wall clock, Unix seconds."""

    grp: str
    began_at: float
    wait_s: float
    interval_s: float
    repeat_s: float
    alerts: int
    """How many it has, resolved ones among them."""
    firing: int
    rank: int
    """The gravest severity of them, as a number."""
    total: int
    """Events of all of them."""
    said_at: float | None
    said_alerts: int
    said_rank: int
    said_total: int
    due_at: float
    retry_at: float
    suppressed: int
    memory: str

    @property
    def is_news(self) -> bool:
        """Whether something has happened that is worth a message: another alert, a graver severity, or twice as many events."""
        return self.alerts > self.said_alerts or self.rank > self.said_rank or self.total >= 2 * max(1, self.said_total)

    @property
    def reason(self) -> Reason:
        """Why it is sent when it is sent now. What is over before anything was said is new all the same: somebody must hear of it."""
        if self.said_at is None:
            return "new"
        if self.firing == 0:
            return "resolved"
        return "update" if self.is_news else "repeat"

    def next_due_at(self) -> float:
        """When it is to be sent if nothing else happens."""
        if self.suppressed:
            return self.began_at
        if self.said_at is None:
            return self.began_at + self.wait_s
        return self.said_at + (self.repeat_s if self.reason == "repeat" else self.interval_s)


_COLUMNS = ", ".join(Group.__struct_fields__)
_SELECT = f"SELECT {_COLUMNS} FROM groups WHERE sink = ?"  # noqa: S608 - names of ours


def load(db: sqlite3.Connection, sink: str, grp: str) -> Group | None:
    """The group of an incident."""
    row = db.execute(f"{_SELECT} AND grp = ?", (sink, grp)).fetchone()
    return None if row is None else Group(*row)


def due(db: sqlite3.Connection, sink: str, now: float) -> Group | None:
    """The one to be sent now: the gravest, and of these the one that has waited longest.

    Those that have failed come last, so that one that nobody will take holds up no other.
    """
    row = db.execute(
        f"{_SELECT} AND suppressed = 0 AND due_at <= ? AND retry_at <= ? ORDER BY retry_at, rank DESC, due_at, grp LIMIT 1",
        (sink, now, now),
    ).fetchone()
    return None if row is None else Group(*row)


def overdue(db: sqlite3.Connection, sink: str, before: float, limit: int) -> list[Group]:
    """Those that should have been sent before that time."""
    found = db.execute(f"{_SELECT} AND suppressed = 0 AND due_at < ? ORDER BY due_at LIMIT ?", (sink, before, limit))
    return [Group(*row) for row in found]


def next_due_at(db: sqlite3.Connection, sink: str, now: float) -> float | None:
    """When the next one is to be sent."""
    (later,) = db.execute("SELECT min(due_at) FROM groups WHERE sink = ? AND suppressed = 0 AND due_at > ?", (sink, now)).fetchone()
    (again,) = db.execute("SELECT min(retry_at) FROM groups WHERE sink = ? AND suppressed = 0 AND due_at <= ?", (sink, now)).fetchone()
    return min((at for at in (later, again) if at is not None), default=None)


def count_due(db: sqlite3.Connection, sink: str, now: float) -> int:
    """How many are to be sent now."""
    (count,) = db.execute("SELECT count(*) FROM groups WHERE sink = ? AND suppressed = 0 AND due_at <= ?", (sink, now)).fetchone()
    return int(count)


def begin(grp: str, settings: NotifySettings, now: float) -> Group:
    """A new one."""
    pace = (settings.group_wait_s, settings.group_interval_s, settings.repeat_interval_s)
    return Group(grp, now, *pace, 0, 0, 0, 0, None, 0, 0, 0, now, 0.0, 0, "{}")


def set_pace(group: Group, settings: NotifySettings, route: Route) -> None:
    """The times of the sink, or those of the route that gave it the alert."""
    group.wait_s = settings.group_wait_s if route.group_wait_s is None else route.group_wait_s
    group.interval_s = settings.group_interval_s if route.group_interval_s is None else route.group_interval_s
    group.repeat_s = settings.repeat_interval_s if route.repeat_interval_s is None else route.repeat_interval_s


def count(db: sqlite3.Connection, sink: str, group: Group) -> None:
    """Take the figures of its alerts."""
    group.alerts, group.firing, group.rank, group.total = db.execute(
        "SELECT count(*), coalesce(sum(status = 'firing'), 0), coalesce(max(rank), 0), coalesce(sum(total), 0)"
        " FROM members WHERE sink = ? AND grp = ?",
        (sink, group.grp),
    ).fetchone()


def save(db: sqlite3.Connection, sink: str, group: Group) -> None:
    """Keep it, with the time it is due."""
    group.due_at = group.next_due_at()
    values: tuple[Any, ...] = msgspec.structs.astuple(group)
    marks = ", ".join("?" * len(values))
    db.execute(f"INSERT OR REPLACE INTO groups(sink, {_COLUMNS}) VALUES (?, {marks})", (sink, *values))  # noqa: S608 - names of ours


def delete(db: sqlite3.Connection, sink: str, grp: str) -> None:
    """Forget it, and its alerts."""
    db.execute("DELETE FROM groups WHERE sink = ? AND grp = ?", (sink, grp))
    db.execute("DELETE FROM members WHERE sink = ? AND grp = ?", (sink, grp))


def texts(db: sqlite3.Connection, sink: str, grp: str, limit: int) -> tuple[str, ...]:
    """Its alerts, the leading one first: firing before resolved, those that speak for others before these, the gravest, the oldest."""
    found = db.execute(
        "SELECT alert FROM members WHERE sink = ? AND grp = ? ORDER BY status = 'firing' DESC, inhibited, rank DESC, rowid LIMIT ?",
        (sink, grp, limit),
    )
    return tuple(text for (text,) in found)
