"""A kind of query an account never sent before, of a shape that takes data or looks for it (ATT&CK T1213)."""

import fnmatch
import re
from functools import lru_cache
from typing import Annotated, ClassVar

import msgspec
from pydantic import Field

from detectors.base import Variant, by_actor
from detectors.episode import EpisodeDetector, EpisodeState, Quiet
from detectors.phrases import span, times
from detectors.queries import INJECTION, MANY, SENSITIVE, Query, describe, digest_of
from detectors.settings import DetectorSettings, Seconds
from detectors.windows import Distinct
from schemas.event import Event
from schemas.finding import EntityType, Fact, Finding
from schemas.severity import RANK, Severity, worst

MAX_KNOWN = 256
"""Kinds of query remembered for one account."""
MAX_UNUSUAL = 64
"""Unusual kinds told apart in one alert."""
REFRESH_S = 3600.0
"""A kind seen again sooner than this keeps its old stamp: memories are weeks long."""
DAY_S = 86_400.0
SERVICES = frozenset({"service", "api_key"})


class QuerySettings(DetectorSettings):
    """`unusual_query`: learned for a week or 20 queries, remembered for a month."""

    grace_queries: Annotated[
        int, Field(ge=1, le=10_000, description="Queries of an account from which its kinds are learned silently.")
    ] = 20
    grace_s: Annotated[Seconds, Field(description="Seconds after the first of them from which fewer are enough.")] = 7 * DAY_S
    memory_days: Annotated[int, Field(ge=1, le=366, description="Days for which a kind of query stays known.")] = 30
    sensitive: Annotated[
        tuple[str, ...], Field(description="Names of tables and columns whose first reading is a sign; `*` and `?` match.")
    ] = (
        *("*password*", "*passwd*", "*secret*", "*credential*", "*token*", "*api_key*", "*private_key*", "*credit_card*", "*card_number*"),
        *(
            "*payment_card*",
            "*bank_account*",
            "*iban*",
            "ssn",
            "ssn_*",
            "*_ssn",
            "*social_security*",
            "*salary*",
            "*salaries*",
            "*payroll*",
        ),
        "*passport*",
    )
    records_factor: Annotated[float, Field(ge=1, le=1e6, description="Times its largest answer so far that make an answer large.")] = 10
    records_floor: Annotated[int, Field(ge=1, le=10**12, description="Records below which no answer is large.")] = 1000
    many: Annotated[
        int,
        Field(ge=2, le=MAX_UNUSUAL, description="Different unusual queries within `many_s` that make it high; not for service accounts."),
    ] = 5
    many_s: Annotated[Seconds, Field(description="Seconds in which those fall.")] = 1800
    quiet_s: Quiet = 3600


class Unusual(msgspec.Struct):
    """What the open episode is about."""

    kinds: dict[str, float]
    """Digest → when it was first sent; the first ``MAX_UNUSUAL`` of them."""
    shapes: list[str]
    """Of all of them, each once."""
    text: str
    """The gravest query's kind."""
    severity: Severity
    records: int
    """Records of all answers."""
    ips: Distinct
    usual: int
    """The largest answer before."""
    service: bool


class Asked(EpisodeState):
    """At most ``MAX_KNOWN`` digests, about 8 KB, and ``MAX_UNUSUAL`` during an episode."""

    first_ts: float = 0.0
    queries: int = 0
    known: dict[str, float] = msgspec.field(default_factory=dict)
    """Digest → last seen, in the order in which they were refreshed."""
    most_records: int = 0
    told: Unusual | None = None


class UnusualQuery(EpisodeDetector[Asked, QuerySettings]):
    """A new kind of query alone is nothing: it must also be of a telling shape. Injection marks are told during the grace, too.

    State per key: up to 12 KB. Cost ≈ 0.4 µs for a text that was just seen, 5–15 µs for another of a
    known kind, 50 µs for a new kind.
    """

    name = "unusual_query"
    title = "Unusual query"
    sees = "A query unlike any the account sent before that reads whole tables, sensitive names or the system catalogue, or holds injection marks."
    kinds = frozenset({"data.query"})
    techniques = ("T1213",)
    false_positives = (
        "A new release of an application: only queries of a telling shape alert, once each; the number of them does not count for service accounts.",
        "An analyst at work: low for one sign; shapes the account has used within `memory_days` are known.",
        "A new account: nothing but injection marks alerts for its first `grace_queries` or `grace_s`.",
        "A back-up or a report: new only once; allow-list its account for this detector, or send it with an account of its own.",
        "A database tool that reads the system catalogue on connecting: learned at first, low when it is new.",
    )
    variants: ClassVar[dict[str, Variant]] = {"by_actor": Variant("actor", by_actor)}
    Settings = QuerySettings
    State = Asked

    def memory_s(self, limits: QuerySettings) -> float:
        """As long as kinds stay known."""
        return limits.memory_days * DAY_S

    def on_event(self, key: str, state: Asked, event: Event) -> Finding | None:
        """Compare a query with what is known, then learn it."""
        text = event.query
        if text is None:
            return None
        digest, ts = digest_of(text), event.ts
        last = state.known.get(digest)
        state.queries += 1
        if last is not None and abs(ts - last) < REFRESH_S and state.told is None:
            state.most_records = max(state.most_records, event.records)
            return None
        limits = self.limits_of(key)
        if state.queries == 1 or ts < state.first_ts:
            state.first_ts = ts
        finding: Finding | None = None
        if state.told is not None and digest in state.told.kinds:
            finding = self._again(key, state, state.told, event)
        elif last is None or ts - last > limits.memory_days * DAY_S:
            finding = self._new(key, state, digest, event)
        if last is None or ts - last >= REFRESH_S:
            self._learn(state, digest, ts)
        # An answer that was unusual must not make the next one usual at once.
        if state.told is None and event.records > state.most_records:
            state.most_records = event.records
        return finding

    def _learn(self, state: Asked, digest: str, ts: float) -> None:
        known = state.known
        known.pop(digest, None)
        if len(known) >= MAX_KNOWN:
            del known[next(iter(known))]
        known[digest] = ts

    def _again(self, key: str, state: Asked, told: Unusual, event: Event) -> Finding | None:
        told.records += max(0, event.records)
        told.ips.add(event.ip or "")
        return self.go_on(key, state, event.ts, event.id)

    def _new(self, key: str, state: Asked, digest: str, event: Event) -> Finding | None:
        limits, query = self.limits_of(key), describe(event.query or "")
        shapes = list(query.shapes)
        if state.queries <= limits.grace_queries and event.ts - state.first_ts < limits.grace_s:
            if INJECTION not in shapes:
                return None
        else:
            if _is_sensitive(query, limits.sensitive):
                shapes.append(SENSITIVE)
            if event.records >= max(limits.records_floor, limits.records_factor * state.most_records):
                shapes.append(MANY)
        if not shapes:
            return None
        severity: Severity = "high" if INJECTION in shapes else "medium" if len(shapes) >= 2 else "low"
        told = state.told
        opens = told is None
        if told is None:
            told = Unusual({}, [], query.text, severity, 0, Distinct(), state.most_records, event.actor_type in SERVICES)
            state.told = told
        if len(told.kinds) < MAX_UNUSUAL:
            told.kinds[digest] = event.ts
        told.shapes += [shape for shape in shapes if shape not in told.shapes]
        if RANK[severity] > RANK[told.severity]:
            told.text, told.severity = query.text, severity
        if _is_flurry(told, event.ts, limits):
            told.severity = worst(told.severity, "high")
        if not opens:
            return self._again(key, state, told, event)
        told.records = max(0, event.records)
        told.ips.add(event.ip or "")
        return self.begin(key, state, event.ts, event.ts, 1, [event.id])

    def reset(self, state: Asked) -> None:
        """See ``EpisodeDetector``."""
        state.told = None

    def severity(self, key: str, state: Asked) -> Severity:
        """Low for one sign, medium for two, high for injection marks and for many different unusual queries."""
        assert state.told is not None
        return state.told.severity

    def facts(self, key: str, state: Asked) -> dict[str, Fact]:
        """See ``EpisodeDetector``."""
        told, limits = state.told, self.limits_of(key)
        assert told is not None
        return {
            "shapes": ", ".join(told.shapes),
            "query": told.text,
            "different_queries": len(told.kinds),
            "records": told.records,
            "usual_records": told.usual,
            "queries_seen": state.queries,
            "account": "service" if told.service else "user",
            "grace_queries": limits.grace_queries,
            "grace_s": limits.grace_s,
        }

    def links(self, key: str, state: Asked) -> tuple[tuple[EntityType, str], ...]:
        """The one address they came from."""
        main = state.told.ips.main() if state.told is not None else None
        return (("ip", main),) if main else ()

    def explain(self, finding: Finding) -> str:
        """See ``Detector``."""
        f = finding.facts
        text = f"This account sent {times(f['different_queries'], 'kind')} of query it never sent before; signs: {f['shapes']}."
        if int(f["different_queries"]) > 1:
            text = f"{text} All in {span(finding.last_seen - finding.first_seen)}."
        return f"{text} The gravest: {f['query']}"

    def counterfactual(self, finding: Finding) -> str:
        """See ``Detector``."""
        f = finding.facts
        if INJECTION in str(f["shapes"]):
            return "silent without the injection marks"
        return f"silent if the account had sent such a query before, or without these signs: {f['shapes']}"


def _is_flurry(told: Unusual, ts: float, limits: QuerySettings) -> bool:
    return not told.service and sum(1 for first in told.kinds.values() if abs(ts - first) <= limits.many_s) >= limits.many


def _is_sensitive(query: Query, globs: tuple[str, ...]) -> bool:
    matches = _matcher(globs)
    return any(matches.match(name) for name in query.names)


@lru_cache(maxsize=64)
def _matcher(globs: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(fnmatch.translate(glob.lower()) for glob in globs) or r"(?!)")
