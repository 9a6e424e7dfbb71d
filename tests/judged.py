"""A small detector that goes by what its alerts were found to be, and a pipeline of it."""

from typing import Any, ClassVar

from detectors.base import Variant, Verdict, by_actor, by_ip
from detectors.episode import EpisodeDetector, EpisodeLimits, EpisodeState
from detectors.settings import DetectorSettings
from monitor.engines.core import Core
from schemas.event import Event
from schemas.finding import Fact, Finding
from schemas.formats import FORMATS
from schemas.formats.base import Context
from schemas.severity import Severity
from tests.helpers import T0, event


class CounterSettings(DetectorSettings, EpisodeLimits):
    """An episode is over after a minute."""

    quiet_s: float = 60.0


class Count(EpisodeState):
    """What is counted of one key."""

    failures: int = 0
    limit: int = 3
    judged_at: float = 0.0


class Counter(EpisodeDetector[Count, CounterSettings]):
    """Three failures make an alert; twice as many once somebody said that it was none."""

    name = "failed_login_burst"  # one of the names the settings know
    title = "Counter"
    sees = "Failures."
    kinds = frozenset({"auth.login"})
    techniques = ("T1110",)
    false_positives = ()
    variants: ClassVar[dict[str, Variant]] = {"by_actor": Variant("actor", by_actor), "by_ip": Variant("ip", by_ip)}
    Settings = CounterSettings
    State = Count

    def memory_s(self, limits: CounterSettings) -> float:
        return 86_400.0

    def on_event(self, key: str, state: Count, event: Event) -> Finding | None:
        if event.outcome != "failure":
            return None
        if state.episode is not None:
            return self.go_on(key, state, event.ts, event.id)
        state.failures += 1
        if state.failures < state.limit:
            return None
        state.failures = 0
        return self.begin(key, state, event.ts, event.ts, state.limit, [event.id])

    def judge(self, key: str, state: Count, peers: Any, verdict: Verdict, now: float) -> None:
        state.limit = 3 if verdict == "true" else 2 * state.limit
        state.judged_at = now

    def severity(self, key: str, state: Count) -> Severity:
        assert state.episode is not None
        return "high" if state.episode.count >= 20 else "low"

    def facts(self, key: str, state: Count) -> dict[str, Fact]:
        return {"limit": state.limit, "judged_s": round(state.judged_at - T0, 6) if state.judged_at else 0}

    def explain(self, finding: Finding) -> str:
        return "Failures."

    def counterfactual(self, finding: Finding) -> str:
        return "silent without them"


def pipeline(*variants: str, sources: tuple[str, ...] = ("log",), **options: Any) -> Core:
    """A core that counts failures, with its inputs open."""
    settings = CounterSettings()
    core = Core([Counter(variant, settings) for variant in variants or ("by_actor",)], tracking=True, **options)
    for source in sources:
        core.open(source, FORMATS["native"].parser(Context(memory=core.memory)))
    return core


def failure(seconds: float, actor: str = "alice", ip: str = "192.0.2.1", **fields: Any) -> Event:
    """A failed login, so long after ``T0``."""
    return event(seconds, outcome="failure", actor=actor, ip=ip, **{"id": f"{actor}{seconds:g}", **fields})
