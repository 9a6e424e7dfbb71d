"""An alert as Elastic Common Schema document.

Fields as in the ECS field reference (base, ecs, event, rule, threat, related, source, user, organization); everything else is below
``watchfloor``. One version of an alert is one document.
"""

from typing import Any

from schemas.address import canonical_ip
from schemas.alert import Alert, Entity
from schemas.export.analytics import analytic_of, rule_name
from schemas.severity import Severity

ECS_VERSION = "8.11.0"
REQUIRED = ("@timestamp", "ecs.version")
"""Fields that ECS requires of every document (``schemas/base.yml``, ``schemas/ecs.yml``: ``required: true``)."""
CATEGORIES = frozenset(
    {
        "api", "authentication", "configuration", "database", "driver", "email", "file", "host", "iam", "intrusion_detection",
        "library", "malware", "network", "package", "process", "registry", "session", "threat", "vulnerability", "web",
    }
)  # fmt: skip
"""Allowed values of ``event.category``."""
SCORES: dict[Severity, int] = {"info": 1, "low": 21, "medium": 47, "high": 73, "critical": 99}
"""``event.severity`` and ``event.risk_score``: the numbers that detection rules of Elastic Security have by default for their severities."""
FRAMEWORK = "MITRE ATT&CK"
_TECHNIQUES = "https://attack.mitre.org/techniques/"


def ecs(alert: Alert) -> dict[str, Any]:
    """The document, JSON-ready and nested."""
    analytic = analytic_of(alert.detector)
    made: dict[str, Any] = {
        "@timestamp": max(alert.time, alert.last_seen),
        "ecs": {"version": ECS_VERSION},
        "event": {
            "kind": "alert",
            "category": ["intrusion_detection", analytic.category],
            "type": ["info"],
            "action": alert.detector,
            "id": f"{alert.id}-{alert.version}",
            "module": "watchfloor",
            "dataset": "watchfloor.alert",
            "severity": SCORES[alert.severity],
            "risk_score": SCORES[alert.severity],
            "start": alert.first_seen,
            "end": alert.last_seen,
            "reason": alert.title,
            "reference": alert.runbook,
        },
        "message": alert.summary,
        "rule": {
            "id": alert.detector,
            "name": rule_name(alert.title),
            "description": analytic.description,
            "category": analytic.category,
            "reference": alert.runbook,
            "ruleset": "watchfloor",
        },
        "threat": _threat(alert),
        "related": _related(alert),
        "organization": {"id": alert.tenant},
        "labels": {"status": alert.status, "severity": alert.severity, "incident": alert.incident, "tenant": alert.tenant},
        **_entity(alert.entity),
        "watchfloor": _rest(alert),
    }
    return _filled(made)


def _filled(fields: dict[str, Any]) -> dict[str, Any]:
    """Without what is empty: in Elasticsearch an absent field is as good, and an empty one takes room."""
    made: dict[str, Any] = {}
    for name, value in fields.items():
        inner = _filled(value) if isinstance(value, dict) else value
        if inner is not None and inner not in ("", [], {}):
            made[name] = inner
    return made


def _threat(alert: Alert) -> dict[str, Any]:
    techniques = list(dict.fromkeys(technique.partition(".")[0] for technique in alert.attack.techniques))
    if not techniques:
        return {}
    exact = [technique for technique in alert.attack.techniques if "." in technique]
    inner = {"id": exact, "reference": [f"{_TECHNIQUES}{technique.replace('.', '/')}/" for technique in exact]}
    return {
        "framework": FRAMEWORK,
        "technique": {"id": techniques, "reference": [f"{_TECHNIQUES}{technique}/" for technique in techniques], "subtechnique": inner},
    }


def _related(alert: Alert) -> dict[str, list[str]]:
    """Addresses and users: the entity, and what facts are addresses."""
    ips = [alert.entity.value] if alert.entity.type == "ip" else []
    ips += [fact for fact in alert.facts.values() if isinstance(fact, str) and canonical_ip(fact) == fact]
    users = [alert.entity.value] if alert.entity.type == "actor" else []
    return {"ip": list(dict.fromkeys(ip for ip in ips if canonical_ip(ip) is not None)), "user": [user for user in users if user]}


def _entity(entity: Entity) -> dict[str, Any]:
    if entity.type == "ip" and canonical_ip(entity.value) is not None:
        return {"source": {"ip": entity.value}}
    if entity.type == "actor":
        return {"user": {"name": entity.value}}
    if entity.type == "target" and entity.value.startswith("user:"):
        return {"user": {"target": {"name": entity.value[5:]}}}
    return {}


def _rest(alert: Alert) -> dict[str, Any]:
    return {
        "alert": {"id": alert.id, "version": alert.version, "status": alert.status, "time": alert.time, "count": alert.count},
        "attack_version": alert.attack.version,
        "counterfactual": alert.counterfactual,
        "dedup_key": alert.dedup_key,
        "detector": alert.detector,
        "entity": {"type": alert.entity.type, "value": alert.entity.value},
        "evidence": list(alert.evidence),
        "facts": alert.facts,
        "incident": alert.incident,
        "inhibited_by": alert.inhibited_by,
        "related": [{"detector": other.detector, "id": other.id} for other in alert.related],
        "score": alert.score,
        "severity": alert.severity,
    }
