"""The forms in which alerts are written, by name."""

from collections.abc import Callable
from typing import Any, Literal, get_args

import msgspec

from schemas.alert import Alert
from schemas.export.ecs import ecs
from schemas.export.ocsf import ocsf

Export = Callable[[Alert], dict[str, Any]]
ExportName = Literal["native", "ocsf", "ecs"]


def native(alert: Alert) -> dict[str, Any]:
    """The alert as it is; its schema is published."""
    fields: dict[str, Any] = msgspec.to_builtins(alert)
    return fields


EXPORTS: dict[ExportName, Export] = {"native": native, "ocsf": ocsf, "ecs": ecs}
"""Name → function that makes an alert JSON-ready. The same alert always gives the same."""
EXPORT_NAMES: tuple[ExportName, ...] = get_args(ExportName)


def export_name(fields: Any) -> str | None:
    """Which form a decoded line of alerts is in; ``None`` when it is none of them.

    >>> export_name({"class_uid": 2004, "type_uid": 200401})
    'ocsf'
    """
    if not isinstance(fields, dict):
        return None
    if fields.get("class_uid") == 2004:
        return "ocsf"
    if isinstance(fields.get("ecs"), dict) and isinstance(fields.get("watchfloor"), dict):
        return "ecs"
    return "native" if "dedup_key" in fields and "detector" in fields else None
