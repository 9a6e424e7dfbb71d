"""The contract of every form alerts are written in, over the alerts of the golden cases: what the published schemas require is there."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from jsonschema import Draft202012Validator

from detectors.registry import DETECTORS
from monitor.app import Parts
from monitor.engines.replay import Options, Replay
from monitor.golden import find
from monitor.settings import Settings
from monitor.sources.files import expand
from schemas.alert import Alert
from schemas.export import EXPORT_NAMES, EXPORTS, export_name
from schemas.export.analytics import ANALYTICS
from schemas.export.ecs import CATEGORIES
from schemas.export.ecs import REQUIRED as ECS_REQUIRED
from schemas.export.ocsf import AT_LEAST_ONE
from schemas.export.ocsf import REQUIRED as OCSF_REQUIRED
from schemas.jsonschema import alert_schema
from schemas.stamps import from_text

GOLDEN = Path(__file__).parent.parent / "golden"
CASES_PER_DETECTOR = 2
ECS_ROOTS = {
    "@timestamp", "ecs", "event", "labels", "message", "organization", "related", "rule", "source", "threat", "user", "watchfloor",
}  # fmt: skip
"""Field sets of ECS that are written, and our own one."""
ECS_EVENT = {
    "kind", "category", "type", "action", "id", "module", "dataset", "severity", "risk_score", "start", "end", "reason", "reference",
}  # fmt: skip
OCSF_ATTRIBUTES = {
    "activity_id", "activity_name", "category_uid", "category_name", "class_uid", "class_name", "type_uid", "type_name", "time",
    "start_time", "end_time", "count", "severity_id", "severity", "status_id", "status", "is_alert", "message", "metadata",
    "finding_info", "evidences", "observables", "resources", "remediation", "unmapped",
}  # fmt: skip
"""Attributes of class 2004 in ocsf-schema 1.9.0 that are written."""


@lru_cache(maxsize=1)
def cases() -> dict[str, list[Path]]:
    """The first golden cases of each detector in which it fires."""
    found: dict[str, list[Path]] = {}
    for folder in find(GOLDEN):
        name = folder.parent.name
        if name in DETECTORS and case_of(folder)["fires"] and len(found.setdefault(name, [])) < CASES_PER_DETECTOR:
            found[name].append(folder)
    return found


@lru_cache(maxsize=1)
def alerts() -> tuple[Alert, ...]:
    """Every version of every alert of those cases, whichever detector made it."""
    made: list[Alert] = []
    for name, folders in cases().items():
        for folder in folders:
            case = case_of(folder)
            settings = Settings.model_validate({**case.get("settings", {}), "detectors": {name: case.get("config", {})}})
            logs = [str(file) for file in sorted(folder.iterdir()) if file.name != "case.yaml"]
            for versions in Replay(Parts(settings).core, Options(**case.get("files", {}))).run(expand(logs)):
                made += versions
    return tuple(made)


def case_of(folder: Path) -> dict[str, Any]:
    case: dict[str, Any] = yaml.safe_load((folder / "case.yaml").read_text("utf-8"))
    return case


def at(fields: dict[str, Any], place: str) -> Iterator[dict[str, Any]]:
    """The objects at a place such as ``finding_info.attacks[]``."""
    found: list[dict[str, Any]] = [fields]
    for step in place.split(".") if place else []:
        name = step.removesuffix("[]")
        inner = [each[name] for each in found if name in each]
        found = [item for items in inner for item in items] if step.endswith("[]") else inner
    yield from found


def empty_places(value: Any, place: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from empty_places(inner, f"{place}.{name}")
    if value in (None, "", [], {}):
        yield place


def test_the_golden_cases_give_alerts_of_every_detector_in_every_state() -> None:
    assert {alert.detector for alert in alerts()} >= set(cases())
    assert {alert.status for alert in alerts()} == {"firing", "resolved"}
    assert {alert.entity.type for alert in alerts()} >= {"ip", "actor"}


def test_the_registry_has_each_form_under_its_name() -> None:
    assert tuple(EXPORTS) == EXPORT_NAMES == ("native", "ocsf", "ecs")


@pytest.mark.parametrize("name", EXPORT_NAMES)
def test_the_same_alert_gives_the_same_bytes_and_its_form_can_be_told(name: Any) -> None:
    for alert in alerts():
        line = msgspec.json.encode(EXPORTS[name](alert))
        assert line == msgspec.json.encode(EXPORTS[name](msgspec.json.decode(msgspec.json.encode(alert), type=Alert)))
        assert b"\n" not in line
        assert export_name(msgspec.json.decode(line)) == name


def test_native_is_the_published_schema() -> None:
    validator = Draft202012Validator(alert_schema())
    for alert in alerts():
        fields = msgspec.json.decode(msgspec.json.encode(EXPORTS["native"](alert)))
        validator.validate(fields)
        assert msgspec.convert(fields, Alert) == alert


def test_every_detector_is_described_for_other_schemas() -> None:
    assert set(DETECTORS) <= set(ANALYTICS)
    assert {analytic.category for analytic in ANALYTICS.values()} <= CATEGORIES


def test_ocsf_has_what_the_class_requires() -> None:
    for alert in alerts():
        finding = EXPORTS["ocsf"](alert)
        for place, names in OCSF_REQUIRED.items():
            for fields in at(finding, place):
                assert set(names) <= set(fields), place
        for place, names in AT_LEAST_ONE.items():
            for fields in at(finding, place):
                assert set(names) & set(fields), place
        assert set(finding) <= OCSF_ATTRIBUTES


def test_ocsf_identifiers_agree_with_each_other() -> None:
    for alert in alerts():
        finding = EXPORTS["ocsf"](alert)
        assert finding["class_uid"] == finding["category_uid"] * 1000 + 4
        assert finding["type_uid"] == finding["class_uid"] * 100 + finding["activity_id"]
        assert (finding["activity_id"] == 3) == (finding["status_id"] == 4) == (alert.status == "resolved")
        assert (finding["activity_id"] == 1) == (alert.version == 1 and alert.status == "firing")
        assert finding["severity_id"] in {1, 2, 3, 4, 5}
        assert all(type(finding[name]) is int for name in ("time", "start_time", "end_time"))
        assert finding["start_time"] <= finding["end_time"]
        assert finding["time"] == round(from_text(alert.time) * 1000)
        assert finding["finding_info"]["uid"] == alert.id
        assert [evidence["uid"] for evidence in finding["evidences"]] == list(alert.evidence)


def test_versions_of_one_alert_are_one_finding_with_an_event_each() -> None:
    uids = [EXPORTS["ocsf"](alert)["metadata"]["uid"] for alert in alerts()]
    ids = [EXPORTS["ecs"](alert)["event"]["id"] for alert in alerts()]
    assert uids == ids
    assert set(uids) == {f"{alert.id}-{alert.version}" for alert in alerts()}


def test_ecs_has_what_every_document_must_have() -> None:
    for alert in alerts():
        document = EXPORTS["ecs"](alert)
        for field in ECS_REQUIRED:
            *path, last = field.split(".")
            assert all(last in fields for fields in at(document, ".".join(path)))
        assert set(document) <= ECS_ROOTS
        assert set(document["event"]) <= ECS_EVENT
        assert document["event"]["kind"] == "alert"
        assert set(document["event"]["category"]) <= CATEGORIES
        assert document["event"]["type"] == ["info"]  # expected for each of these categories
        assert not list(empty_places(document))
        assert from_text(document["event"]["start"]) <= from_text(document["event"]["end"]) <= from_text(document["@timestamp"])


def test_ecs_names_the_entity_where_searches_look() -> None:
    for alert in alerts():
        document = EXPORTS["ecs"](alert)
        if alert.entity.type == "ip":
            assert document["source"]["ip"] == alert.entity.value
            assert alert.entity.value in document["related"]["ip"]
        if alert.entity.type == "actor":
            assert document["user"]["name"] == alert.entity.value
            assert alert.entity.value in document["related"]["user"]


def test_nothing_of_an_alert_is_lost_in_other_forms() -> None:
    for alert in alerts():
        finding, document = EXPORTS["ocsf"](alert), EXPORTS["ecs"](alert)
        assert finding["unmapped"]["facts"] == alert.facts
        # an absent field is as good as an empty one there
        assert document["watchfloor"]["facts"] == {name: value for name, value in alert.facts.items() if value != ""}
        for rest in (finding["unmapped"], document["watchfloor"]):
            assert rest["counterfactual"] == alert.counterfactual
            assert rest["dedup_key"] == alert.dedup_key
            assert rest["incident"] == alert.incident
            assert rest.get("inhibited_by") == alert.inhibited_by
        assert [other["uid"] for other in finding["finding_info"].get("related_events", [])] == [other.id for other in alert.related]
        assert [other["id"] for other in document["watchfloor"].get("related", [])] == [other.id for other in alert.related]
        exact = [technique for technique in alert.attack.techniques if "." in technique]
        assert [attack.get("sub_technique", attack["technique"])["uid"] for attack in finding["finding_info"]["attacks"]] == list(
            alert.attack.techniques
        )
        assert document["threat"]["technique"].get("subtechnique", {"id": []})["id"] == exact
