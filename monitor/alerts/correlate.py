"""From findings to alerts: one attack is one alert, and alerts of one attack know each other.

The first finding of an attack fires an alert; later ones are further versions of it, until it resolves. Ids are made of the input alone.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from typing import Any

import msgspec

from detectors.base import ATTACK_VERSION, BaseDetector, Verdict
from detectors.phrases import span, times
from monitor.alerts.incidents import Incidents, Member
from monitor.rows import Rows, Saved, one, rows_of
from schemas.alert import Alert, Attack, Entity, Related, Status
from schemas.finding import EntityType, Finding
from schemas.severity import RANK, Severity, worst
from schemas.stamps import rfc3339
from schemas.text import printable

log = logging.getLogger("watchfloor")

MAX_OPEN = 50_000
"""Alerts open at once; beyond that the one open longest is resolved, and counted."""
MAX_RELATED = 20
REOPEN_S = 86_400.0
"""An attack that comes back within this time of its last event is the same attack: its alert fires again instead of another one."""


class Past(msgspec.Struct):
    """What a resolved alert leaves behind, in case its attack comes back."""

    alert_id: str
    version: int
    severity: Severity
    fired_at: float
    first_seen: float
    last_seen: float
    count: int
    earlier: int
    """Those of ``count`` that came before what it did last, in case that is not over after all."""
    evidence: tuple[str, ...]
    number: int = 0
    """Resolved as the how-manieth of all alerts."""
    subject: "Subject | None" = None
    """``None``: it was resolved by a version that did not keep it."""
    verdict: str | None = None
    goes_on: bool = False
    """Whether it was resolved by a verdict alone: its detector has not said yet that the attack is over."""


class Subject(msgspec.Struct, frozen=True):
    """What an alert is about; enough to find the state it came from."""

    detector: str
    variant: str
    tenant: str | None
    entity_type: EntityType
    entity: str


class Row(msgspec.Struct):
    """What a checkpoint holds of one ``dedup_key``."""

    member: Member | None = None
    last: Finding | None = None
    past: Past | None = None


class Correlator:
    """Keeps the open alerts. ``detectors``: by ``name``, for the words; ``runbooks``: where they lie (a folder or a URL)."""

    def __init__(
        self,
        detectors: Mapping[str, BaseDetector[Any, Any]],
        runbooks: str = "deploy/runbooks",
        max_open: int = MAX_OPEN,
        reopen_s: float = REOPEN_S,
    ) -> None:
        self.forgotten = 0
        """Alerts resolved only because too many were open."""
        self._detectors = detectors
        self._runbooks = runbooks.rstrip("/")
        self._max_open = max_open
        self._reopen_s = reopen_s
        self._incidents = Incidents()
        self._last: dict[str, Finding] = {}
        self._past: dict[str, Past] = {}
        self._keys: dict[str, str] = {}
        """Id of an alert that is open or remembered → its ``dedup_key``."""
        self._resolved = 0
        self._touched: dict[str, None] | None = None

    @property
    def open(self) -> int:
        """Alerts that fire."""
        return len(self._incidents.members)

    def take(self, findings: Iterable[Finding]) -> list[Alert]:
        """The alert versions that these findings make, in their order."""
        alerts: list[Alert] = []
        for finding in findings:
            if finding.phase == "open":
                self._make_room(alerts)
            alert = self._one(finding)
            if alert is not None:
                alerts.append(alert)
        return alerts

    def _one(self, finding: Finding) -> Alert | None:
        key = dedup_key(finding)
        self._touch(key)
        member = self._incidents.members.get(key)
        links = [_entity_key(finding.tenant, kind, value) for kind, value in finding.links]
        if member is not None:
            self._incidents.relink(member, links)
            if finding.phase == "open":
                self._remember(key, member, self._last[key])  # its detector forgot it in a flood, and begins to count anew
        elif finding.phase == "close":
            self._over(key)
            return None  # it was forgotten for want of room, or resolved by a verdict, and said so then
        elif self._is_settled(key, finding):
            return None
        else:
            member = self._open(key, finding, links)
        member.severity = worst(member.severity, finding.severity)
        member.version += 1
        if finding.phase == "close":
            alert = self._alert(member, finding, "resolved")
            self._resolve(key, member, finding)
        else:
            alert = self._alert(member, finding, "firing")
            self._last[key] = finding
        return alert

    def _open(self, key: str, finding: Finding, links: list[str]) -> Member:
        past = self._past.get(key)
        is_new = finding.phase == "open" and not self._detectors[finding.detector].comes_back
        if past is not None and (is_new or finding.first_seen - past.last_seen > self._reopen_s):
            past = None
            self._forget(key)
        elif past is not None and finding.phase != "open":
            past.count = past.earlier  # it was resolved for want of room only: this finding counts all of it
        member = Member(
            dedup_key=key,
            alert_id=alert_id(finding) if past is None else past.alert_id,
            detector=finding.detector,
            severity=finding.severity if past is None else past.severity,
            entity=_entity_key(finding.tenant, finding.entity_type, finding.entity),
            links=links,
            incident="",
            number=0,
            version=0 if past is None else past.version,
            fired_at=finding.ts if past is None else past.fired_at,
            # Whoever found it to be an attack meant all of it; whoever found it to be none, only what there was.
            verdict=past.verdict if past is not None and past.verdict == "true" else None,
        )
        if past is not None:
            past.goes_on = False
        self._keys[member.alert_id] = key
        self._incidents.open(member)
        return member

    def _resolve(self, key: str, member: Member, finding: Finding) -> None:
        self._incidents.close(key)
        self._last.pop(key, None)
        self._remember(key, member, finding)

    def _remember(self, key: str, member: Member, finding: Finding) -> None:
        whole = self._whole(finding)
        self._past.pop(key, None)  # to the end of the dictionary, which is in the order of resolving
        if len(self._past) >= self._max_open:
            oldest = next(iter(self._past))
            self._touch(oldest)
            self._forget(oldest)
        self._resolved += 1
        self._past[key] = Past(
            member.alert_id,
            member.version,
            member.severity,
            member.fired_at,
            whole.first_seen,
            whole.last_seen,
            whole.count,
            whole.count - finding.count,
            whole.evidence,
            self._resolved,
            Subject(finding.detector, finding.variant, finding.tenant, finding.entity_type, finding.entity),
            member.verdict,
        )

    def _forget(self, key: str) -> None:
        """Remember no more of an alert that has resolved."""
        past = self._past.pop(key)
        member = self._incidents.members.get(key)
        if member is None:
            self._last.pop(key, None)
        if member is None or member.alert_id != past.alert_id:
            self._keys.pop(past.alert_id, None)

    def _whole(self, finding: Finding) -> Finding:
        """The finding with what its attack did before it paused."""
        past = self._past.get(dedup_key(finding))
        if past is None:
            return finding
        return msgspec.structs.replace(
            finding, count=past.count + finding.count, first_seen=min(past.first_seen, finding.first_seen), evidence=past.evidence
        )

    def _make_room(self, alerts: list[Alert]) -> None:
        members = self._incidents.members
        while len(members) >= self._max_open:
            member = next(iter(members.values()))
            self._touch(member.dedup_key)
            member.version += 1
            self.forgotten += 1
            last = self._last[member.dedup_key]
            alerts.append(self._alert(member, last, "resolved"))
            self._resolve(member.dedup_key, member, last)

    def _alert(self, member: Member, finding: Finding, status: Status) -> Alert:
        detector = self._detectors[finding.detector]
        whole = self._whole(finding)
        if status == "firing":
            leader = self._incidents.leader(member)
            member.led_by = None if leader is member else leader.alert_id
        others = [other for other in self._incidents.of(member) if other is not member]
        summary = _words(detector.explain, finding)
        facts = dict(finding.facts)
        if member.verdict is not None:
            facts["verdict"] = member.verdict
        if finding.late_s > 0:
            facts["late_s"] = round(finding.late_s, 3)
            summary += f" The event that showed it came {span(finding.late_s)} too late."
        if whole.count != finding.count:
            summary += f" The attack has come back: {whole.count:,} events since {rfc3339(whole.first_seen)}."
        return Alert(
            id=member.alert_id,
            version=member.version,
            dedup_key=member.dedup_key,
            status=status,
            time=rfc3339(member.fired_at),
            detector=finding.detector,
            severity=member.severity,
            tenant=finding.tenant,
            entity=Entity(finding.entity_type, finding.entity),
            title=printable(f"{detector.title}: {finding.entity or finding.tenant or 'default tenant'}"),
            summary=printable(summary),
            count=whole.count,
            first_seen=rfc3339(whole.first_seen),
            last_seen=rfc3339(whole.last_seen),
            facts=facts,
            evidence=whole.evidence,
            counterfactual=printable(_words(detector.counterfactual, finding)),
            score=finding.score,
            attack=Attack(ATTACK_VERSION, detector.techniques),
            runbook=f"{self._runbooks}/{finding.detector}.md",
            incident=member.incident,
            related=tuple(Related(other.detector, other.alert_id) for other in others[:MAX_RELATED]),
            inhibited_by=member.led_by,
        )

    # -- verdicts -----------------------------------------------------------------------------------------------------------------

    def subject(self, alert_id: str) -> Subject | None:
        """What an alert is about, and ``None`` when it is neither open nor remembered."""
        key = self._keys.get(alert_id)
        if key is None:
            return None
        member = self._incidents.members.get(key)
        if member is None or member.alert_id != alert_id:
            return self._past[key].subject
        last = self._last[key]
        return Subject(last.detector, last.variant, last.tenant, last.entity_type, last.entity)

    def verdict(self, alert_id: str) -> str | None:
        """What an alert that is open or remembered was found to be, if anything."""
        key = self._keys[alert_id]
        member = self._incidents.members.get(key)
        return self._past[key].verdict if member is None else member.verdict

    def judge(self, alert_id: str, verdict: Verdict) -> list[Alert]:
        """Somebody has found out what an alert is. Versions that come of it; of an alert for which ``subject`` knows something.

        One that is none resolves, and what its detector still says of the same attack is left unsaid: all of it when it is expected, what is
        no graver when the detector was wrong. One that is an attack after all fires again, if it has not ended meanwhile.
        """
        key = self._keys[alert_id]
        self._touch(key)
        member = self._incidents.members.get(key)
        if member is None:
            past = self._past[key]
            past.verdict = verdict
            return [self._fire_again(key)] if verdict == "true" and past.goes_on else []
        member.verdict = verdict
        if verdict == "true":
            return []
        member.version += 1
        last = self._last[key]
        alert = self._alert(member, last, "resolved")
        self._incidents.close(key)
        self._remember(key, member, last)
        self._past[key].goes_on = True
        return [alert]

    def _fire_again(self, key: str) -> Alert:
        last = msgspec.structs.replace(self._last[key], phase="update")
        member = self._open(key, last, [_entity_key(last.tenant, kind, value) for kind, value in last.links])
        member.version += 1
        return self._alert(member, last, "firing")

    def _is_settled(self, key: str, finding: Finding) -> bool:
        """Whether a finding goes on about something that was found to be no attack, and need not be said."""
        past = self._past.get(key)
        if past is None or not past.goes_on or finding.phase == "open":
            return False
        if past.verdict == "false" and RANK[finding.severity] > RANK[past.severity]:
            return False
        past.count, past.last_seen = past.earlier + finding.count, max(past.last_seen, finding.last_seen)
        self._last[key] = finding
        return True

    def _over(self, key: str) -> None:
        past = self._past.get(key)
        if past is not None and past.goes_on:
            past.goes_on = False
            del self._last[key]

    # -- persistence --------------------------------------------------------------------------------------------------------------

    def _touch(self, key: str) -> None:
        if self._touched is not None:
            self._touched[key] = None

    def changed(self, *, everything: bool) -> list[Rows]:
        """Rows for a checkpoint. From the first call on, changes are noted for the next one."""
        members = self._incidents.members
        keys = {**members, **self._past} if everything or self._touched is None else self._touched
        whole = everything or self._touched is None
        values: dict[str, Any] = {}
        gone: list[str] = []
        for key in keys:
            row = Row(members.get(key), self._last.get(key), self._past.get(key))
            if row.member is None and row.past is None:
                gone.append(key)
            else:
                values[key] = msgspec.Raw(msgspec.json.encode(row))
        self._touched = {}
        head = {"opened": self._incidents.opened, "resolved": self._resolved, "forgotten": self.forgotten}
        return [Rows("alerts", values, gone, whole), Rows("alerts_head", {"": head})]

    def restore(self, saved: Saved) -> None:
        """Take over what a checkpoint left."""
        head = one(saved, "alerts_head")
        rows = {key: msgspec.convert(row, Row) for key, row in rows_of(saved, "alerts")}
        self._incidents.load(head["opened"], [row.member for row in rows.values() if row.member is not None])
        self._last = {key: row.last for key, row in rows.items() if row.last is not None}
        past = sorted(((key, row.past) for key, row in rows.items() if row.past is not None), key=lambda item: item[1].number)
        self._past = dict(past)
        self._keys = {each.alert_id: key for key, each in past if each.subject is not None}
        self._keys |= {member.alert_id: key for key, member in self._incidents.members.items()}
        self._resolved, self.forgotten = head["resolved"], head["forgotten"]
        self._touched = {}


def _words(say: Callable[[Finding], str], finding: Finding) -> str:
    """What the detector says; a bug in its words must not cost the alert."""
    try:
        return say(finding)
    except Exception as error:  # noqa: BLE001 - whatever it is, the facts are still there
        log.error("detector %s cannot put its finding in words: %s", finding.detector, type(error).__name__)  # noqa: TRY400 - the message may hold values
        return f"see the facts: {times(finding.count, 'event')}"


def dedup_key(finding: Finding) -> str:
    """The same for all findings of one detector variant about one entity, and safe to show: no name or address is in it."""
    return f"{finding.detector}:{_digest(finding.variant, finding.tenant or '', finding.entity_type, finding.entity)}"


def alert_id(finding: Finding) -> str:
    """Made of what opened the alert: detector, entity, first evidence and where its window begins."""
    first = finding.evidence[0] if finding.evidence else ""
    return _digest(
        finding.detector, finding.variant, finding.tenant or "", finding.entity_type, finding.entity, first, f"{finding.first_seen:.6f}"
    )


def _digest(*parts: str) -> str:
    # Lengths first: no choice of names can make two different tuples of parts equal.
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def _entity_key(tenant: str | None, kind: str, value: str) -> str:
    return f"{tenant or ''}\x1f{kind}\x1f{value}"
