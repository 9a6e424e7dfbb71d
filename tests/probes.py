"""Small detectors that show what the pipeline does with detectors."""

from collections.abc import Callable
from typing import Any, ClassVar

import msgspec

from detectors.base import NEVER, BaseDetector, KeyOf, KeyState, Variant, by_actor
from detectors.settings import DetectorSettings
from schemas.event import Event
from schemas.finding import Finding, Phase
from schemas.severity import Severity
from tests.helpers import T0


class Notes(KeyState):
    """What was shown for one key."""

    seen: list[str] = msgspec.field(default_factory=list)


class Probe(BaseDetector[Notes, DetectorSettings]):
    """Says each event and each timer. ``sets``: seconds after an event for which it sets its timer; ``hook`` runs first and may raise."""

    name = "probe"
    title = "Probe"
    sees = "Everything."
    kinds = frozenset({"auth.login", "api.request"})
    techniques = ("T1110",)
    false_positives = ()
    variants: ClassVar[dict[str, Variant]] = {"by_actor": Variant("actor", by_actor)}
    Settings = DetectorSettings
    State = Notes

    def __init__(
        self,
        *,
        variant: str = "by_actor",
        key: KeyOf = by_actor,
        sets: float | None = None,
        ttl_s: float = 100.0,
        max_keys: int = 1000,
        hook: Callable[[str, Event | float], None] = lambda _method, _event: None,
    ) -> None:
        super().__init__("by_actor", DetectorSettings(max_keys=max_keys))
        self.variant, self.key, self.sets, self.idle_ttl_s, self.hook = variant, key, sets, ttl_s, hook

    def memory_s(self, limits: DetectorSettings) -> float:
        return 100.0

    def on_event(self, key: str, state: Notes, event: Event) -> Finding | None:
        self.hook("on_event", event)
        state.seen.append(event.id)
        if self.sets is not None:
            state.wake_at = event.ts + self.sets
        return said(event.id, event.ts, variant=self.variant, entity=key.split("\x1f")[1])

    def on_time(self, key: str, state: Notes, now: float) -> Finding | None:
        self.hook("on_time", now)
        return said(f"time {now - T0:g}", now, variant=self.variant, entity=key.split("\x1f")[1])

    def on_end(self, key: str, state: Notes, now: float) -> Finding | None:
        self.hook("on_end", now)
        return said(f"end {now - T0:g}", now, variant=self.variant, entity=key.split("\x1f")[1])

    def explain(self, finding: Finding) -> str:
        return f"{finding.facts['says']} was seen."

    def counterfactual(self, finding: Finding) -> str:
        return "silent without it"


def said(
    says: str,
    ts: float = T0,
    phase: Phase = "open",
    *,
    variant: str = "by_actor",
    severity: Severity = "low",
    entity: str = "alice",
    count: int = 1,
    first_seen: float | None = None,
    **fields: Any,
) -> Finding:
    """A finding of ``Probe``."""
    plain: dict[str, Any] = {"tenant": None, "entity_type": "actor", "last_seen": ts, "evidence": (says,), "facts": {"says": says}}
    return Finding(
        **{
            **plain,
            "detector": "probe",
            "variant": variant,
            "entity": entity,
            "ts": ts,
            "phase": phase,
            "severity": severity,
            "count": count,
            "first_seen": ts if first_seen is None else first_seen,
            **fields,
        }
    )


def says(findings: list[Finding]) -> list[Any]:
    """What each finding says."""
    return [finding.facts["says"] for finding in findings]


__all__ = ["NEVER", "Notes", "Probe", "said", "says"]
