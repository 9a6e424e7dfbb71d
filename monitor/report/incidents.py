"""Alerts put in the order in which a reader needs them: by incident, the gravest first."""

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from schemas.alert import Alert
from schemas.severity import RANK, SEVERITIES, Severity

GRAVEST_FIRST: tuple[Severity, ...] = SEVERITIES[::-1]


class Incident(msgspec.Struct, frozen=True):
    """The alerts of one attack."""

    severity: Severity
    """The worst of its alerts."""
    leader: Alert
    others: tuple[Alert, ...]


def incidents(alerts: Iterable[Alert]) -> list[Incident]:
    """All incidents: the gravest first, within a severity in the order of time. The order of ``alerts`` does not matter."""
    groups: dict[str, list[Alert]] = {}
    for alert in alerts:
        groups.setdefault(alert.incident, []).append(alert)
    found = [_incident(members) for members in groups.values()]
    return sorted(found, key=lambda incident: _order(incident.severity, incident.leader))


def by_severity(found: Sequence[Incident]) -> dict[Severity, list[Incident]]:
    """The incidents of each severity that has any, the gravest first."""
    return {severity: group for severity in GRAVEST_FIRST if (group := [each for each in found if each.severity == severity])}


def counts(severities: Iterable[Severity]) -> dict[Severity, int]:
    """How many of each severity, the gravest first, without those that are absent."""
    counter = Counter(severities)
    return {severity: counter[severity] for severity in GRAVEST_FIRST if counter[severity]}


def verdict(found: Sequence[Incident]) -> str:
    """The whole outcome in a sentence.

    >>> verdict([])
    'Nothing was found.'
    """
    if not found:
        return "Nothing was found."
    parts = ", ".join(f"{n:,} {severity}" for severity, n in counts(incident.severity for incident in found).items())
    if len({incident.severity for incident in found}) == 1:
        return f"{len(found):,} {found[0].severity} incident{'' if len(found) == 1 else 's'}."
    return f"{len(found):,} incidents: {parts}."


def _incident(members: list[Alert]) -> Incident:
    leader, *others = sorted(members, key=lambda alert: (alert.inhibited_by is not None, *_order(alert.severity, alert)))
    worst = max((alert.severity for alert in members), key=RANK.__getitem__)
    return Incident(worst, leader, tuple(others))


def _order(severity: Severity, alert: Alert) -> tuple[int, str, str]:
    # All stamps have the same form, so the order of their letters is that of time.
    return -RANK[severity], alert.first_seen, alert.id
