"""An alert as OCSF Detection Finding (class 2004).

Attributes as in ocsf-schema 1.9.0: ``events/findings/detection_finding.json``, ``finding.json``, ``base_event.json`` and the objects they
name. One version of an alert is one finding event; all of them share ``finding_info.uid``.
"""

from typing import Any

from schemas.address import canonical_ip
from schemas.alert import Alert, Entity
from schemas.export.analytics import analytic_of, rule_name
from schemas.severity import RANK
from schemas.stamps import from_text

OCSF_VERSION = "1.9.0"
CATEGORY_UID = 2
CLASS_UID = 2004
_ACTIVITIES = {1: "Create", 2: "Update", 3: "Close"}
_SEVERITIES = ("Informational", "Low", "Medium", "High", "Critical")
_ANALYTIC_TYPES = {
    "rule": (1, "Rule"),
    "behavioural": (2, "Behavioral"),
    "statistical": (3, "Statistical"),
    "learned": (4, "Learning (ML/DL)"),
}
_TYPE_IP, _TYPE_USER_NAME, _TYPE_RESOURCE_UID, _TYPE_OTHER = 2, 4, 10, 99

REQUIRED: dict[str, tuple[str, ...]] = {
    "": ("activity_id", "category_uid", "class_uid", "finding_info", "metadata", "severity_id", "time", "type_uid"),
    "finding_info": ("uid",),
    "finding_info.analytic": ("type_id",),
    "finding_info.related_events[]": ("uid",),
    "metadata": ("product", "version"),
    "observables[]": ("type_id",),
    "remediation": ("desc",),
}
"""Required attributes by place (``[]``: of every item), without those of profiles that are not applied (``cloud``, ``osint``)."""
AT_LEAST_ONE: dict[str, tuple[str, ...]] = {
    "finding_info.analytic": ("name", "uid"),
    "finding_info.attacks[]": ("tactic", "technique", "sub_technique"),
    "evidences[]": (
        "actor", "api", "connection_info", "data", "database", "databucket", "device", "dst_endpoint", "email", "file",
        "process", "query", "resources", "src_endpoint", "url", "user", "job", "script",
    ),
    "metadata.product": ("name", "uid"),
    "resources[]": ("name", "uid"),
}  # fmt: skip
"""``constraints.at_least_one`` of the objects that are written."""


def ocsf(alert: Alert) -> dict[str, Any]:
    """The finding event, JSON-ready; times in milliseconds."""
    activity = 3 if alert.status == "resolved" else 1 if alert.version == 1 else 2
    severity = RANK[alert.severity]
    resource = _resource(alert.entity)
    made: dict[str, Any] = {
        "activity_id": activity,
        "activity_name": _ACTIVITIES[activity],
        "category_uid": CATEGORY_UID,
        "category_name": "Findings",
        "class_uid": CLASS_UID,
        "class_name": "Detection Finding",
        "type_uid": CLASS_UID * 100 + activity,
        "type_name": f"Detection Finding: {_ACTIVITIES[activity]}",
        "time": _ms(alert.time),
        "start_time": _ms(alert.first_seen),
        "end_time": _ms(alert.last_seen),
        "count": alert.count,
        "severity_id": severity + 1,
        "severity": _SEVERITIES[severity],
        "status_id": 4 if alert.status == "resolved" else 1,
        "status": "Resolved" if alert.status == "resolved" else "New",
        "is_alert": alert.status == "firing" and alert.inhibited_by is None,
        "message": alert.summary,
        "metadata": _metadata(alert),
        "finding_info": _finding_info(alert),
        "evidences": _evidences(alert),
        "observables": [_observable(alert.entity)] if alert.entity.value else [],
        "resources": [resource] if resource else [],
        "remediation": {"desc": "Follow the runbook of this detector.", "references": [alert.runbook] if alert.runbook else []},
        "unmapped": {
            "facts": alert.facts,
            "counterfactual": alert.counterfactual,
            "score": alert.score,
            "dedup_key": alert.dedup_key,
            "entity": {"type": alert.entity.type, "value": alert.entity.value},
            "incident": alert.incident,
            "inhibited_by": alert.inhibited_by,
            "version": alert.version,
        },
    }
    return {name: value for name, value in made.items() if value != []}


def _ms(stamp: str) -> int:
    return round(from_text(stamp) * 1000)


def _metadata(alert: Alert) -> dict[str, Any]:
    made: dict[str, Any] = {
        "version": OCSF_VERSION,
        "product": {"name": "watchfloor", "vendor_name": "watchfloor"},
        "uid": f"{alert.id}-{alert.version}",
        "correlation_uid": alert.incident,
        "event_code": alert.detector,
    }
    if alert.tenant is not None:
        made["tenant_uid"] = alert.tenant
    return made


def _finding_info(alert: Alert) -> dict[str, Any]:
    analytic = analytic_of(alert.detector)
    type_id, type_ = _ANALYTIC_TYPES[analytic.how]
    made: dict[str, Any] = {
        "uid": alert.id,
        "title": alert.title,
        "desc": alert.summary,
        "types": [alert.detector],
        "analytic": {
            "uid": alert.detector,
            "name": rule_name(alert.title),
            "type_id": type_id,
            "type": type_,
            **({"desc": analytic.description} if analytic.description else {}),
        },
        "created_time": _ms(alert.time),
        "modified_time": max(_ms(alert.time), _ms(alert.last_seen)),
        "first_seen_time": _ms(alert.first_seen),
        "last_seen_time": _ms(alert.last_seen),
        "attacks": [_attack(technique, alert.attack.version) for technique in alert.attack.techniques],
        "related_events": [
            {"uid": other.id, "type_uid": CLASS_UID * 100 + 1, "type": "Detection Finding: Create", "title": other.detector}
            for other in alert.related
        ],
    }
    return {name: value for name, value in made.items() if value != []}


def _attack(technique: str, version: str) -> dict[str, Any]:
    """``T1110.003`` is sub-technique 3 of ``T1110``."""
    made: dict[str, Any] = {"version": version, "technique": {"uid": technique.partition(".")[0]}}
    if "." in technique:
        made["sub_technique"] = {"uid": technique}
    return made


def _evidences(alert: Alert) -> list[dict[str, Any]]:
    """One for each event of the evidence, with whom the alert is about: that is what all of them have in common."""
    about = _about(alert.entity)
    return [{"uid": event_id, **about, "data": {"event_uid": event_id}} for event_id in alert.evidence]


def _about(entity: Entity) -> dict[str, Any]:
    if entity.type == "ip" and canonical_ip(entity.value) is not None:
        return {"src_endpoint": {"ip": entity.value}}
    if entity.type == "actor" and entity.value:
        return {"actor": {"user": {"name": entity.value}}}
    if entity.type == "session" and entity.value:
        return {"actor": {"session": {"uid": entity.value}}}
    return {}


def _observable(entity: Entity) -> dict[str, Any]:
    value = {"value": entity.value}
    if entity.type == "ip":
        return {"name": "evidences[].src_endpoint.ip", "type_id": _TYPE_IP, "type": "IP Address", **value}
    if entity.type == "actor":
        return {"name": "evidences[].actor.user.name", "type_id": _TYPE_USER_NAME, "type": "User Name", **value}
    if entity.type in {"target", "api_key", "source"}:
        return {"name": "resources[].uid", "type_id": _TYPE_RESOURCE_UID, "type": "Resource UID", **value}
    return {"name": f"unmapped.entity.{entity.type}", "type_id": _TYPE_OTHER, "type": entity.type, **value}


def _resource(entity: Entity) -> dict[str, Any] | None:
    """What was acted on; ``None`` for an address, which only acts."""
    if entity.type == "ip" or not entity.value:
        return None
    kind, found, name = entity.value.partition(":")
    if entity.type == "target" and found and name:
        return {"type": kind, "name": name, "uid": entity.value}
    return {"type": "account" if entity.type == "actor" else entity.type, "name": entity.value, "uid": entity.value}
