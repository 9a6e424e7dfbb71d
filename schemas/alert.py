"""The alert, as written to ``--out``, sent to webhooks and published on the alerts topic."""

from typing import Literal

import msgspec

from schemas.finding import EntityType, Fact
from schemas.severity import Severity

Status = Literal["firing", "resolved"]


class Entity(msgspec.Struct, frozen=True):
    """Who or what the alert is about."""

    type: EntityType
    value: str


class Attack(msgspec.Struct, frozen=True):
    """MITRE ATT&CK technique ids, with the version they are taken from (ids move between versions)."""

    version: str
    techniques: tuple[str, ...]


class Related(msgspec.Struct, frozen=True):
    """Another alert of the same incident."""

    detector: str
    id: str


class Alert(msgspec.Struct, frozen=True):
    """One version of one alert. ``id`` depends only on the input, never on when it was processed."""

    id: str
    version: int
    """1 for the first; every later finding of the same attack is the next version of the same alert."""
    dedup_key: str
    status: Status
    time: str
    """RFC 3339, event time at which the alert first fired."""
    detector: str
    severity: Severity
    tenant: str | None
    entity: Entity
    title: str
    summary: str
    count: int
    first_seen: str
    last_seen: str
    facts: dict[str, Fact]
    evidence: tuple[str, ...]
    counterfactual: str
    """The smallest change that would have kept it silent."""
    score: float
    attack: Attack
    runbook: str
    incident: str
    """Shared by the alerts of one attack."""
    related: tuple[Related, ...] = ()
    inhibited_by: str | None = None
    """Id of the alert that already speaks for this incident; such an alert notifies no one by itself."""
