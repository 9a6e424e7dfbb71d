"""What a detector says. An alert is made from findings; sentences are made on delivery."""

from typing import Literal

import msgspec

from schemas.severity import Severity

Phase = Literal["open", "update", "close"]
EntityType = Literal["actor", "ip", "session", "api_key", "target", "source", "tenant"]
Fact = str | int | float


class Finding(msgspec.Struct, frozen=True):
    """One statement of one detector about one entity."""

    detector: str
    variant: str
    """Which instance of the detector made it, e.g. ``by_ip``; it finds the settings that explain it."""
    tenant: str | None
    entity_type: EntityType
    entity: str
    ts: float
    """Event time at which it became certain."""
    phase: Phase
    severity: Severity
    count: int
    """Events that belong to it so far."""
    first_seen: float
    last_seen: float
    facts: dict[str, Fact]
    evidence: tuple[str, ...]
    """Ids of events that show it, oldest first; bounded."""
    links: tuple[tuple[EntityType, str], ...] = ()
    """Other entities that the same activity belongs to almost entirely (one attacking address, one attacked account)."""
    late_s: float = 0.0
    """How much later than the allowed lateness the event came that made it (seconds); set by the runner."""
    score: float = 0.0
    """0 for rules; learned detectors put their calibrated score here."""
