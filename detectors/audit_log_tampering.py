"""Somebody stops, deletes or narrows the logs that would tell on them (ATT&CK T1685.002, in version 18 T1562.008)."""

import re
from functools import lru_cache
from typing import Annotated, ClassVar

import msgspec
from pydantic import Field

from detectors.base import Variant, by_actor, by_tenant
from detectors.episode import EpisodeDetector, EpisodeState, Quiet
from detectors.phrases import span, times
from detectors.privileges import is_grant, short
from detectors.settings import DetectorSettings, Seconds, matches_entity
from detectors.windows import Distinct, remember, since
from schemas.event import Event
from schemas.finding import EntityType, Fact, Finding
from schemas.severity import RANK, SEVERITIES, Severity

MOST_LOGS = 16
"""Stopped logs remembered, each with when."""
SHOWN = 5
SHOWN_CHARS = 80

Globs = tuple[Annotated[str, Field(min_length=1, max_length=256)], ...]


class TamperingSettings(DetectorSettings):
    """`audit_log_tampering`: every change counts, as other systems have it."""

    window_s: Annotated[Seconds, Field(description="Seconds in which two logs are stopped for critical severity.")] = 3600
    logs: Annotated[int, Field(ge=2, le=MOST_LOGS, description="Different logs stopped within `window_s` for critical severity.")] = 2
    before_s: Annotated[
        Seconds,
        Field(description="Seconds before it in which a grant of rights or a changed factor by the same account makes it critical."),
    ] = 3600
    automation: Annotated[
        Globs,
        Field(
            description="Accounts that manage logs by program; `*` and `?` match. Each severity is one lower for them, and for type `service`."
        ),
    ] = ()
    ignored_targets: Annotated[
        Globs,
        Field(
            description="Logs nobody needs as evidence, such as `log_group:/aws/lambda/test-*`; `*` and `?` match. Changes to them are silent."
        ),
    ] = ()
    quiet_s: Quiet = 3600


class Tampering(msgspec.Struct):
    """What was done to logs, while its alert is open."""

    action: str
    """The gravest."""
    rank: int
    automation: bool
    targets: Distinct
    deeds: dict[str, int]
    """How often something was stopped, narrowed, started, and refused."""
    ip: str | None
    most: int = 0
    """Most different logs stopped within the window."""
    prior: str = ""
    """What the account did within the hour before."""


class LogChanges(EpisodeState):
    """At most 16 stopped logs and the 256 targets of an open alert; two numbers (0.1 KB) for nearly all accounts."""

    prior_ts: float = 0.0
    prior: str = ""
    """The account's last grant of rights or change of a factor."""
    stopped: dict[str, float] | None = None
    open: Tampering | None = None


UNDONE = ("failure", "challenge")
KINDS = frozenset({"audit.log_change", "authz.decision", "admin.action", "auth.mfa_change"})
_OTHERS = KINDS - {"audit.log_change"}
_FAILED = frozenset((kind, outcome) for kind in ("admin.action", "auth.mfa_change") for outcome in UNDONE)
_ALLOWED = frozenset(("authz.decision", outcome) for outcome in ("success", "challenge", None))


class AuditLogTampering(EpisodeDetector[LogChanges, TamperingSettings]):
    """Tells of every change to an audit log, at once; how grave it is, the words of the action say.

    State per key: at most 20 KB, 0.1 KB usually. ``by_tenant`` is for changes whose source does not name who made them.
    """

    name = "audit_log_tampering"
    title = "Audit log changed or stopped"
    sees = "An audit log, trail or log stream is stopped, deleted or narrowed, or somebody tries to."
    kinds = KINDS
    techniques = ("T1685.002",)
    false_positives = (
        "Infrastructure as code that renews trails: name the account in `automation`, and every severity is one lower.",
        "Clean-up of logs that prove nothing (test systems, old functions): name them in `ignored_targets`.",
        "A planned move to another log store: silence the account for that hour; two logs stopped are critical, and should be.",
        "Somebody who only switches logging on: low, and it resolves by itself.",
    )
    variants: ClassVar[dict[str, Variant]] = {
        "by_actor": Variant("actor", by_actor, ignores=_FAILED | _ALLOWED),
        "by_tenant": Variant(
            "tenant", by_tenant, ignores=frozenset((kind, outcome) for kind in _OTHERS for outcome in ("success", *UNDONE, None))
        ),
    }
    Settings = TamperingSettings
    State = LogChanges

    def memory_s(self, limits: TamperingSettings) -> float:
        """As long as something counts."""
        return max(limits.window_s, limits.before_s)

    def on_event(self, key: str, state: LogChanges, event: Event) -> Finding | None:
        """A change of a log, or something that makes one worse."""
        if event.kind == "audit.log_change":
            if self.variant == "by_tenant" and event.actor is not None:
                return None
            weight = weight_of(event.action or "")
            return None if weight is None else self._change(key, state, event, weight)
        if self.variant == "by_tenant":
            return None
        if event.kind == "authz.decision":
            if event.action in STOPPING_CALLS and event.outcome == "failure":
                return self._change(key, state, event, "high")
            return None
        if event.outcome not in UNDONE and event.ts > state.prior_ts and (event.kind == "auth.mfa_change" or is_grant(event)):
            state.prior_ts, state.prior = event.ts, (event.action or event.kind)[:SHOWN_CHARS]
        return None

    def _change(self, key: str, state: LogChanges, event: Event, weight: Severity) -> Finding | None:
        limits, ts = self.limits_of(key), event.ts
        target = short(event.target or event.route or "a log that is not named")
        if event.target is not None and any(matches_entity(glob, event.target) for glob in limits.ignored_targets):
            return None
        refused = event.outcome in UNDONE
        if refused and RANK[weight] > RANK["medium"]:
            weight = "medium"
        deed = "refused" if refused else _DEEDS[weight]
        action = (event.action or "log change")[:SHOWN_CHARS]
        automation = event.actor_type == "service" or (
            event.actor is not None and any(matches_entity(glob, event.actor) for glob in limits.automation)
        )
        new = state.open is None
        if state.open is None:
            state.open = Tampering(action, RANK[weight], automation, Distinct(), {}, event.ip)
        now = state.open
        now.automation = now.automation and automation
        if RANK[weight] > now.rank:
            now.rank, now.action = RANK[weight], action
        if event.ip != now.ip:
            now.ip = None
        now.deeds[deed] = now.deeds.get(deed, 0) + 1
        now.targets.add(target)
        if deed in {"stopped", "narrowed"}:
            if state.prior and 0 <= ts - state.prior_ts <= limits.before_s:
                now.prior = state.prior
            if deed == "stopped":
                if state.stopped is None:
                    state.stopped = {}
                remember(state.stopped, target, ts, MOST_LOGS)
                now.most = max(now.most, since(state.stopped, max(state.stopped.values()) - limits.window_s))
        if new:
            return self.begin(key, state, ts, ts, 1, [event.id])
        return self.go_on(key, state, ts, event.id, vital=deed == "stopped")

    def reset(self, state: LogChanges) -> None:
        """See ``EpisodeDetector``."""
        state.open = None

    def severity(self, key: str, state: LogChanges) -> Severity:
        """By the gravest change; critical for several logs stopped, or after a grant or changed factor; one lower by automation."""
        now, limits = state.open, self.limits_of(key)
        assert now is not None
        rank = now.rank
        if now.most >= limits.logs or (now.prior and rank >= RANK["high"]):
            rank = RANK["critical"]
        return SEVERITIES[max(0, rank - 1) if now.automation else rank]

    def facts(self, key: str, state: LogChanges) -> dict[str, Fact]:
        """See ``EpisodeDetector``."""
        now, limits = state.open, self.limits_of(key)
        assert now is not None
        return {
            "action": now.action,
            "targets": ", ".join(list(now.targets.counts)[:SHOWN]),
            "distinct_targets": now.targets.number(),
            **{deed: now.deeds.get(deed, 0) for deed in ("stopped", "narrowed", "started", "refused")},
            "most_stopped_in_window": now.most,
            "hour_before": now.prior or "nothing",
            "automation": "yes" if now.automation else "no",
            "logs": limits.logs,
            "window_s": limits.window_s,
            "before_s": limits.before_s,
        }

    def links(self, key: str, state: LogChanges) -> tuple[tuple[EntityType, str], ...]:
        """The address, when it is one."""
        ip = state.open.ip if state.open is not None else None
        return (("ip", ip),) if ip is not None else ()

    def explain(self, finding: Finding) -> str:
        """See ``Detector``."""
        f = finding.facts
        who = "This account" if finding.entity_type == "actor" else "Somebody the source does not name"
        did = [f"{deed} {words.format(times(f[deed], 'time'))}" for deed, words in _WORDS if f[deed]]
        said = f"{who} changed audit logs: {', '.join(did)} ({f['action']}; {f['targets']})."
        if f["hour_before"] != "nothing":
            said += f" Within {span(float(f['before_s']))} before it did {f['hour_before']}."
        return said

    def counterfactual(self, finding: Finding) -> str:
        """See ``Detector``."""
        return f"silent if {finding.facts['targets']} were among `ignored_targets`; one step lower if the account were among `automation`"


_DEEDS: dict[str, str] = {"high": "stopped", "medium": "narrowed", "low": "started"}
_WORDS = (("stopped", "or deleted {}"), ("narrowed", "or altered {}"), ("started", "{}"), ("refused", "{}"))

_STOPPING_NAMES = (
    "StopLogging DeleteTrail UpdateTrail PutEventSelectors PutInsightSelectors DeleteEventDataStore StopEventDataStoreIngestion DeleteFlowLogs"
    " DeleteLogGroup DeleteLogStream DeleteSubscriptionFilter StopConfigurationRecorder DeleteConfigurationRecorder DeleteDeliveryChannel"
    " DeleteDetector UpdateDetector DisassociateFromMasterAccount DisassociateFromAdministratorAccount StopMonitoringMembers"
    " DisassociateMembers DeletePublishingDestination DisableSecurityHub DisableMacie DeleteAnalyzer DeleteQueryLoggingConfig"
    " DeleteResolverQueryLogConfig DisassociateResolverQueryLogConfig PutBucketLogging DeleteLoggingConfiguration StopActivityStream"
)
_STOP_WORDS = (
    "stop stopped delete deleted disable disabled deactivate deactivated remove removed purge purged clear cleared erase erased destroy"
    " destroyed detach detached disassociate disassociated suspend suspended pause paused off"
)
_START_WORDS = "create created enable enabled activate activated add added start started resume resumed extend extended on"
STOPPING_CALLS = frozenset(_STOPPING_NAMES.split())
"""Calls of AWS after which less is logged. Refused ones are recognised by these names; some say so by no word of theirs."""
_STOPS = frozenset(_STOP_WORDS.split())
_STARTS = frozenset(_START_WORDS.split())
_LOOKS = frozenset({"export", "exported", "download", "downloaded", "read", "view", "viewed", "get", "list", "search", "query"})
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


@lru_cache(maxsize=1024)  # a pure function's results
def weight_of(action: str) -> Severity | None:
    """How grave a change of a log is by its words: ``high`` stops it, ``low`` starts one, ``medium`` is anything between; ``None`` only looks.

    >>> [weight_of(action) for action in ("StopLogging", "log_stream.delete", "alerting.disable", "PutEventSelectors", "event log cleared")]
    ['high', 'high', 'high', 'high', 'high']
    >>> [weight_of(action) for action in ("log_stream.update", "PutRetentionPolicy", "", "log_stream.create", "log_detail.enable")]
    ['medium', 'medium', 'medium', 'low', 'low']
    >>> weight_of("audit_log.export") is None
    True
    """
    words = {word.lower() for word in _WORD.findall(action[:256])}
    if action in STOPPING_CALLS or words & _STOPS:
        return "high"
    if words & _LOOKS:
        return None
    return "low" if words & _STARTS else "medium"
