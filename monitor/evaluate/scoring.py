"""Which alert belongs to which attack, and what follows from it.

An alert belongs to an attack of its tenant when it is about one of the accounts, addresses or sessions the attack touched, and spoke
while it went on or within the margin after it, or when its earliest event lies within the attack: that the owner of an account is back
at home hours after a thief used it elsewhere is noticed because of the thief. An alert without a tenant comes from a log that names none, so any tenant will do.
It is false when it belongs to no attack at all: that another detector than the expected one saw it does not make it so.
"""

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Literal

import msgspec

from monitor.evaluate.reading import Seen
from monitor.simulate.truth import Truth
from schemas.severity import RANK, Severity

MARGIN_S = 3600.0
"""An alert may come so long after the last event of the attack: some tell what they saw only when a window is over."""
EARLY_S = 60.0
"""And so long before its first one: clocks differ."""
CLOCK_S = 1.0
"""Alerts give their times rounded."""
DAY_S = 86_400.0
ORDER = ("low", "medium", "high")
MAX_FALSE = 200
"""False alerts that are listed."""


class Attacked(msgspec.Struct, kw_only=True):
    """What became of one attack."""

    truth: Truth
    found: dict[str, float] = msgspec.field(default_factory=dict)
    """Expected detectors that saw it → seconds from its start until they said so."""
    also: dict[str, float] = msgspec.field(default_factory=dict)
    """Other detectors that saw it, likewise."""
    noticed: bool = False
    """Whether any of these alerts told somebody."""

    def belongs(self, alert: Seen, margin_s: float) -> float | None:
        """When the alert spoke of it (Unix seconds), ``None`` when it never did. Its entity is known to be among those involved."""
        truth = self.truth
        if alert.tenant is not None and truth.tenant is not None and alert.tenant != truth.tenant:
            return None
        begin = truth.start - EARLY_S
        spoke = next((at for at in alert.moments if begin <= at <= truth.end + margin_s), None)
        return alert.moments[0] if spoke is None and begin <= alert.first_seen <= truth.end + CLOCK_S else spoke


class Rate(msgspec.Struct, kw_only=True):
    """Of what was expected: how much was found, and how soon."""

    expected: int = 0
    found: int = 0
    recall: float | None = None
    """``None`` where nothing was expected."""
    median_s: float | None = None
    """Of the time from the start of the attack to the alert."""


class Counted(msgspec.Struct, kw_only=True):
    """False alerts. Those that told nobody, because another alert spoke for their incident, are counted apart."""

    total: int = 0
    medium: int = 0
    """Of medium severity or higher."""
    inhibited: int = 0
    per_day: float = 0.0
    medium_per_day: float = 0.0


class DetectorScore(msgspec.Struct, kw_only=True):
    """One detector."""

    detector: str
    alerts: int
    expected_alerts: int
    """That belong to an attack it should see."""
    also_alerts: int
    """That belong to another attack."""
    false: Counted
    precision: float | None
    """Share of its alerts that belong to an attack; ``None`` without alerts."""
    overall: Rate
    by_intensity: dict[str, Rate]


class FalseAlert(msgspec.Struct, kw_only=True):
    """One that belongs to no attack."""

    id: str
    detector: str
    severity: Severity
    tenant: str | None
    entity: str
    at: float
    title: str
    notified: bool


class Scores(msgspec.Struct, kw_only=True):
    """All of it."""

    days: float
    attacks: list[Attacked]
    alerts: int
    detectors: list[DetectorScore]
    overall: Rate
    """Over all pairs of an attack and a detector that should see it."""
    by_intensity: dict[str, Rate]
    noticed: int
    """Attacks that somebody was told of, by whatever detector."""
    false: Counted
    precision: float | None
    also_seen: dict[str, dict[str, int]]
    """Scenario → detectors that saw it without being expected to → in how many attacks."""
    false_alerts: list[FalseAlert]
    """The gravest first; at most ``MAX_FALSE``."""


class World(msgspec.Struct):
    """One piece of traffic: its truth, the alerts about it, how many days it lasted."""

    truths: Sequence[Truth]
    alerts: Sequence[Seen]
    days: float


def score(truths: Sequence[Truth], alerts: Sequence[Seen], *, margin_s: float = MARGIN_S, days: float | None = None) -> Scores:
    """Hold the alerts against the truth. ``days``: how long the traffic was; ``None``: see ``length``."""
    return score_all([World(truths, alerts, length(truths, alerts) if days is None else days)], margin_s=margin_s)


def score_all(worlds: Sequence[World], *, margin_s: float = MARGIN_S, detectors: Iterable[str] = ()) -> Scores:
    """The same over several that have nothing to do with one another. ``detectors``: shown even if silent and not expected."""
    attacks: list[Attacked] = []
    for world in worlds:
        own = [Attacked(truth=truth) for truth in world.truths]
        _match(own, world.alerts, margin_s)
        attacks += own
    alerts = [seen for world in worlds for seen in world.alerts]
    days = sum(world.days for world in worlds)
    expected = (name for attack in attacks for name in attack.truth.detectors)
    names = dict.fromkeys([*detectors, *expected, *sorted({seen.detector for seen in alerts})])
    false = [seen for seen in alerts if seen.kind == "false"]
    also: dict[str, dict[str, int]] = {}
    for attack in attacks:
        for name in attack.also:
            row = also.setdefault(attack.truth.scenario, {})
            row[name] = row.get(name, 0) + 1
    return Scores(
        days=days,
        attacks=attacks,
        alerts=len(alerts),
        detectors=[_detector(name, attacks, [seen for seen in alerts if seen.detector == name], days) for name in names],
        overall=_rate(attacks, None),
        by_intensity=_by_intensity(attacks, None),
        noticed=sum(attack.noticed for attack in attacks),
        false=_count(false, days),
        precision=(len(alerts) - len(false)) / len(alerts) if alerts else None,
        also_seen=also,
        false_alerts=[_false(seen) for seen in sorted(false, key=lambda seen: (not seen.notified, -RANK[seen.severity]))[:MAX_FALSE]],
    )


def length(truths: Sequence[Truth], alerts: Sequence[Seen]) -> float:
    """How many days the traffic lasted: as the truth says; where it does not, from the first to the last that is known, at least one."""
    said = [truth.traffic for truth in truths if truth.traffic is not None]
    if said:
        return (max(end for _, end in said) - min(begin for begin, _ in said)) / DAY_S
    moments = [moment for truth in truths for moment in (truth.start, truth.end)]
    moments += [moment for seen in alerts for moment in (seen.moments[0], seen.moments[-1])]
    return max(1.0, (max(moments) - min(moments)) / DAY_S) if moments else 1.0


def _match(attacks: Sequence[Attacked], alerts: Iterable[Seen], margin_s: float) -> None:
    """Note in the attacks who saw them, and in the alerts what they are."""
    by_entity: dict[str, list[Attacked]] = {}
    for attack in attacks:
        for entity in {*attack.truth.entities, *attack.truth.involved}:
            by_entity.setdefault(entity, []).append(attack)
    for seen in alerts:
        kind: Literal["expected", "also", "false"] = "false"
        for attack in by_entity.get(seen.entity, ()):
            at = attack.belongs(seen, margin_s)
            if at is None:
                continue
            expected = seen.detector in attack.truth.detectors
            kind = "expected" if expected or kind == "expected" else "also"
            row = attack.found if expected else attack.also
            after_s = max(0.0, at - attack.truth.start)
            row[seen.detector] = min(after_s, row.get(seen.detector, after_s))
            attack.noticed |= seen.notified
        seen.kind = kind


def _detector(name: str, attacks: Sequence[Attacked], own: Sequence[Seen], days: float) -> DetectorScore:
    false = [seen for seen in own if seen.kind == "false"]
    return DetectorScore(
        detector=name,
        alerts=len(own),
        expected_alerts=sum(seen.kind == "expected" for seen in own),
        also_alerts=sum(seen.kind == "also" for seen in own),
        false=_count(false, days),
        precision=(len(own) - len(false)) / len(own) if own else None,
        overall=_rate(attacks, name),
        by_intensity=_by_intensity(attacks, name),
    )


def _by_intensity(attacks: Sequence[Attacked], name: str | None) -> dict[str, Rate]:
    intensities = {attack.truth.intensity for attack in attacks}
    return {
        intensity: _rate([attack for attack in attacks if attack.truth.intensity == intensity], name)
        for intensity in (*(known for known in ORDER if known in intensities), *sorted(intensities.difference(ORDER)))
    }


def _rate(attacks: Iterable[Attacked], name: str | None) -> Rate:
    """Of one detector, or of all pairs of an attack and a detector that should see it."""
    pairs = [(attack, each) for attack in attacks for each in attack.truth.detectors if name in {None, each}]
    seconds = [attack.found[each] for attack, each in pairs if each in attack.found]
    return Rate(
        expected=len(pairs),
        found=len(seconds),
        recall=len(seconds) / len(pairs) if pairs else None,
        median_s=median(seconds) if seconds else None,
    )


def _count(false: Sequence[Seen], days: float) -> Counted:
    loud = [seen for seen in false if seen.notified]
    grave = sum(RANK[seen.severity] >= RANK["medium"] for seen in loud)
    return Counted(total=len(loud), medium=grave, inhibited=len(false) - len(loud), per_day=len(loud) / days, medium_per_day=grave / days)


def _false(seen: Seen) -> FalseAlert:
    return FalseAlert(
        id=seen.id,
        detector=seen.detector,
        severity=seen.severity,
        tenant=seen.tenant,
        entity=seen.entity,
        at=seen.moments[0],
        title=seen.title,
        notified=seen.notified,
    )
