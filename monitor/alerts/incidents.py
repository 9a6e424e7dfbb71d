"""Which open alerts are about one and the same attack.

Two alerts belong together when they name the same entity, or when nearly all of what one saw is about the other's entity (``links`` of a
finding). The gravest, and among equals the oldest, leads; the others name it and notify no one by themselves.
"""

from collections.abc import Iterable, Iterator

import msgspec

from schemas.severity import RANK, Severity

EntityKey = str
"""``tenant \x1f type \x1f value``"""


class Member(msgspec.Struct):
    """One open alert. Order of opening is order in the ``Incidents``."""

    dedup_key: str
    alert_id: str
    detector: str
    severity: Severity
    entity: EntityKey
    links: list[EntityKey]
    incident: str
    number: int
    """Opened as the how-manieth of all alerts."""
    version: int = 0
    fired_at: float = 0.0
    led_by: str | None = None
    """Id of the alert that leads it; kept when it resolves."""
    verdict: str | None = None
    """What somebody found it to be."""


class Incidents:
    """Open alerts, findable by entity."""

    def __init__(self) -> None:
        self.members: dict[str, Member] = {}
        self.opened = 0
        """How many alerts there ever were."""
        self._own: dict[EntityKey, dict[str, None]] = {}
        self._linked: dict[EntityKey, dict[str, None]] = {}
        self._incidents: dict[str, dict[str, None]] = {}

    def open(self, member: Member) -> None:
        """Add an alert that has just fired to the incident it belongs to, or begin one."""
        kin = min(self._kin(member), key=lambda other: other.number, default=None)
        member.incident = member.alert_id if kin is None else kin.incident
        self.opened += 1
        member.number = self.opened
        self.members[member.dedup_key] = member
        self._index(member)

    def close(self, dedup_key: str) -> None:
        """Forget an alert that has resolved."""
        member = self.members.pop(dedup_key)
        _drop(self._own, member.entity, dedup_key)
        _drop(self._incidents, member.incident, dedup_key)
        for link in member.links:
            _drop(self._linked, link, dedup_key)

    def relink(self, member: Member, links: list[EntityKey]) -> None:
        """The activity of an alert has come to be about other entities."""
        if links != member.links:
            for link in member.links:
                _drop(self._linked, link, member.dedup_key)
            member.links = links
            for link in links:
                self._linked.setdefault(link, {})[member.dedup_key] = None

    def leader(self, member: Member) -> Member:
        """Who speaks for the incident of this alert; perhaps itself."""
        return min(self.of(member), key=lambda other: (-RANK[other.severity], other.number))

    def of(self, member: Member) -> list[Member]:
        """The open alerts of its incident, oldest first."""
        return [self.members[key] for key in self._incidents[member.incident]]

    def _kin(self, member: Member) -> Iterator[Member]:
        for index, entities in ((self._own, [member.entity, *member.links]), (self._linked, [member.entity])):
            for entity in entities:
                yield from (self.members[key] for key in index.get(entity, ()))

    def _index(self, member: Member) -> None:
        self._own.setdefault(member.entity, {})[member.dedup_key] = None
        self._incidents.setdefault(member.incident, {})[member.dedup_key] = None
        for link in member.links:
            self._linked.setdefault(link, {})[member.dedup_key] = None

    def load(self, opened: int, members: Iterable[Member]) -> None:
        """Begin with these open alerts. ``opened``: as it was when they were saved."""
        self.__init__()  # type: ignore[misc]  # start from nothing
        self.opened = opened
        for member in sorted(members, key=lambda each: each.number):
            self.members[member.dedup_key] = member
            self._index(member)


def _drop(index: dict[str, dict[str, None]], entity: str, dedup_key: str) -> None:
    keys = index.get(entity)
    if keys is not None:
        keys.pop(dedup_key, None)
        if not keys:
            del index[entity]
