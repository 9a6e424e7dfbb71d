"""What somebody expects: alerts that are not to be raised for a time, because what they tell of is odd but wanted.

A second allow-list, filled by verdicts instead of by the configuration. Its entries are about one entity for one detector: what the detector
says about it is dropped. It goes on to see the events, so that what is usual is still known when the time is over, and an event costs no more.
"""

import msgspec

from detectors.base import SEPARATOR
from monitor.rows import Rows, Saved, rows_of
from schemas.finding import EntityType, Finding

MAX_EXPECTED = 10_000
"""Entries; beyond that the one that would end first goes."""
PART = "expected"


class Entry(msgspec.Struct, frozen=True):
    """One thing that is expected."""

    detector: str
    tenant: str | None
    entity_type: EntityType
    entity: str
    until_ts: float
    """Last moment it holds, in event time."""


_About = tuple[str, str, str, str]
"""Detector, tenant, type of the entity, entity."""


def state_key(tenant: str | None, entity_type: str, entity: str) -> str:
    r"""The key of the state that a finding about this entity came from; of a whole tenant, that of the tenant.

    >>> state_key("acme", "actor", "alice"), state_key(None, "tenant", "")
    ('acme\x1falice', '\x1f')
    """
    return f"{tenant or ''}{SEPARATOR}{'' if entity_type == 'tenant' else entity}"


class Expected:
    """The entries."""

    def __init__(self, limit: int = MAX_EXPECTED) -> None:
        self._limit = limit
        self._entries: dict[_About, Entry] = {}
        self._touched: dict[_About, None] | None = None

    def __len__(self) -> int:
        return len(self._entries)

    def covers(self, finding: Finding) -> bool:
        """Whether a finding is about something that is expected at its time."""
        entry = self._entries.get((finding.detector, finding.tenant or "", finding.entity_type, finding.entity))
        return entry is not None and finding.ts <= entry.until_ts

    def add(self, entry: Entry, now: float) -> None:
        """Expect something from now on, or until another moment than before. What has ended by ``now`` (event time) is forgotten."""
        self.remove(entry.detector, entry.tenant, entry.entity_type, entry.entity)
        for about in [about for about, each in self._entries.items() if each.until_ts < now]:
            self._drop(about)
        if len(self._entries) >= self._limit:
            self._drop(min(self._entries.items(), key=lambda item: (item[1].until_ts, item[0]))[0])
        about = _about(entry.detector, entry.tenant, entry.entity_type, entry.entity)
        self._entries[about] = entry
        self._touch(about)

    def remove(self, detector: str, tenant: str | None, entity_type: EntityType, entity: str) -> None:
        """It is not expected any more."""
        about = _about(detector, tenant, entity_type, entity)
        if about in self._entries:
            self._drop(about)

    def _drop(self, about: _About) -> None:
        del self._entries[about]
        self._touch(about)

    # -- persistence --------------------------------------------------------------------------------------------------------------

    def _touch(self, about: _About) -> None:
        if self._touched is not None:
            self._touched[about] = None

    def changed(self, *, everything: bool) -> list[Rows]:
        """Rows for a checkpoint. From the first call on, changes are noted for the next one."""
        whole = everything or self._touched is None
        abouts = self._entries if whole or self._touched is None else self._touched
        values = {_row_key(about): self._entries[about] for about in abouts if about in self._entries}
        gone = [_row_key(about) for about in abouts if about not in self._entries]
        self._touched = {}
        return [Rows(PART, values, gone, whole)]

    def restore(self, saved: Saved) -> None:
        """Take over what a checkpoint left."""
        self._entries, self._touched = {}, {}
        for _, row in rows_of(saved, PART):
            entry = msgspec.convert(row, Entry)
            about = _about(entry.detector, entry.tenant, entry.entity_type, entry.entity)
            self._entries[about] = entry


def _about(detector: str, tenant: str | None, entity_type: str, entity: str) -> _About:
    return detector, tenant or "", entity_type, entity


def _row_key(about: _About) -> str:
    # The entity last: it alone may hold the separator.
    return SEPARATOR.join(about)
