"""The contract every detector must pass. One that is in the registry is tested here and in ``tests/property`` without more ado,
but for its scenario in ``tests/property/scenarios.py``."""

import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import msgspec
import orjson
import pytest
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from detectors.base import ASK, NEVER, BaseDetector, KeyState
from detectors.registry import DETECTORS, build
from detectors.settings import DetectorSettings
from schemas.event import HEARD, KINDS, Event
from schemas.finding import EntityType
from tests.helpers import T0

ROOT = Path(__file__).resolve().parents[2]
SECTIONS = ["Detect", "Contain", "Investigate", "Remediate", "Communicate", "Review"]
OUTCOMES = ("success", "failure", "challenge", None)

pytestmark = pytest.mark.parametrize("name", DETECTORS)


@cache
def instances(name: str) -> tuple[BaseDetector[Any, Any], ...]:
    return tuple(build(name, DETECTORS[name].Settings()))


# -- what it is called, and what comes with it ------------------------------------------------------------------------------------


def test_id_file_and_class_have_one_name(name: str) -> None:
    cls = DETECTORS[name]
    assert cls.name == name
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", name)
    assert cls.__name__ == "".join(word.capitalize() for word in name.split("_"))
    assert cls.__module__ in {f"detectors.{name}", f"detectors.learned.{name}"}
    assert getattr(import_module(cls.__module__), cls.__name__) is cls


def test_it_says_what_it_is(name: str) -> None:
    cls = DETECTORS[name]
    assert cls.title.strip() == cls.title != ""
    assert cls.title[0].isupper()
    assert not cls.title.endswith(".")
    assert cls.sees.endswith(".")
    assert re.search(r"[Aa]t most", f"{cls.__doc__} {cls.State.__doc__}"), "its docstring must bound the state of a key"
    assert cls.false_positives
    assert all(":" in text and text.endswith(".") for text in cls.false_positives), "each false positive names what suppresses it"
    assert cls.kinds
    assert cls.kinds <= {*KINDS, HEARD}
    assert cls.state_version >= 1


def test_its_techniques_are_attack_ids(name: str) -> None:
    techniques = DETECTORS[name].techniques
    assert techniques
    assert len(set(techniques)) == len(techniques)
    assert [technique for technique in techniques if not re.fullmatch(r"T\d{4}(\.\d{3})?", technique)] == []


def test_its_variants_can_be_told_apart(name: str) -> None:
    cls = DETECTORS[name]
    assert cls.variants
    assert [detector.variant for detector in instances(name)] == list(cls.variants)
    assert {variant.entity_type for variant in cls.variants.values()} <= set(get_args(EntityType))
    assert all(variant.passive <= {*OUTCOMES} for variant in cls.variants.values())


def test_it_has_a_runbook_with_the_six_sections(name: str) -> None:
    runbook = ROOT / "deploy" / "runbooks" / f"{name}.md"
    assert runbook.is_file(), f"deploy/runbooks/{name}.md is missing"
    text = runbook.read_text(encoding="utf-8")
    assert text.startswith(f"# {DETECTORS[name].title}") or name in text
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    assert parts[1::2] == SECTIONS
    assert all(len(part.strip()) > 40 for part in parts[2::2]), "a section says next to nothing"


def test_it_has_golden_cases_for_both_answers(name: str) -> None:
    folder = ROOT / "tests" / "golden" / name
    cases = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*/case.yaml"))]
    assert sum(1 for case in cases if case["fires"]) >= 2, "at least two cases on which it fires"
    assert sum(1 for case in cases if not case["fires"]) >= 2, "at least two cases on which it stays silent"
    assert all(case["what"].strip() for case in cases)


def test_it_has_unit_tests(name: str) -> None:
    assert list((ROOT / "tests" / "unit" / "detectors").rglob(f"test_{name}*.py"))


# -- settings ---------------------------------------------------------------------------------------------------------------------


def fields(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """All fields of a settings model, those of nested models included."""
    for field_name, info in model.model_fields.items():
        yield f"{path}{field_name}", info
        for part in (info.annotation, *get_args(info.annotation)):
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from fields(part, f"{path}{field_name}.")


def test_every_setting_has_a_default_and_a_description(name: str) -> None:
    cls = DETECTORS[name].Settings
    assert issubclass(cls, DetectorSettings)
    for path, info in fields(cls):
        if not path.startswith("overrides."):
            assert not info.is_required(), f"{path} has no default"
            assert info.description, f"{path} has no description"
            assert info.description.strip()[-1] in ".!)", f"{path}: a description is a sentence"
    assert set(cls.variant_fields) in ({*DETECTORS[name].variants}, set())


def test_every_number_of_the_settings_has_bounds(name: str) -> None:
    schema = DETECTORS[name].Settings.model_json_schema()
    unbound = [
        f"{owner}.{field_name}"
        for owner, model in {"": schema, **schema.get("$defs", {})}.items()
        for field_name, field in model.get("properties", {}).items()
        if field.get("type") in {"integer", "number"} and not ({"minimum", "exclusiveMinimum"} & set(field) and "maximum" in field)
    ]
    assert unbound == []


def test_unknown_settings_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="treshold"):
        DETECTORS[name].Settings.model_validate({"treshold": 1})


# -- states and events ------------------------------------------------------------------------------------------------------------


def test_a_new_state_is_plain_and_comes_back_from_json(name: str) -> None:
    for detector in instances(name):
        state = detector.new_state()
        assert isinstance(state, KeyState)
        assert state.wake_at == NEVER
        assert detector.new_state() is not state
        dump = detector.dump(state)
        assert detector.load(detector.state_version, orjson.loads(orjson.dumps(dump))) == state


def test_a_state_holds_no_sets(name: str) -> None:
    """Their order depends on the process: a state that comes back from JSON would not be the same."""
    assert not re.search(r"\b(set|frozenset)\b", str([field.type for field in msgspec.structs.fields(DETECTORS[name].State)]))


def test_a_state_of_another_version_is_refused(name: str) -> None:
    for detector in instances(name):
        data = detector.dump(detector.new_state())
        for version in (detector.state_version + 1, detector.state_version - 1):
            with pytest.raises(ValueError, match=name):
                detector.load(version, data)


def test_a_state_that_was_tampered_with_is_refused(name: str) -> None:
    for detector in instances(name):
        for data in ({}, {"wake_at": "soon"}):
            with pytest.raises((ValueError, KeyError)):
                detector.load(detector.state_version, data)


def test_keys_keep_tenants_apart(name: str) -> None:
    every: dict[str, Any] = {"actor": "alice", "ip": "192.0.2.1", "session_id": "s1", "target": "user:bob", "device_id": "d1"}
    for detector in instances(name):
        for kind in sorted(detector.kinds):
            more: dict[str, Any] = {"outcome": "success", "records": 1, "bytes": 1, "action": "mfa.add", "actor_type": "api_key"}
            keys = [detector.key(Event(kind, T0, "e1", tenant=tenant, **every, **more)) for tenant in ("acme", "globex", None)]
            present = [key for key in keys if key is not None]
            assert len(present) in {0, 3}
            assert len(set(present)) == len(present)
            assert all(key.split("\x1f")[0] == tenant for key, tenant in zip(present, ("acme", "globex", ""), strict=bool(present)))


def test_events_with_nothing_in_them_neither_crash_nor_alert(name: str) -> None:
    for detector in instances(name):
        for kind in sorted(detector.kinds):
            for actor, ip in (("alice", "192.0.2.1"), ("alice", None), (None, "192.0.2.1"), (None, None)):
                state = detector.new_state()
                for second, outcome in enumerate(OUTCOMES):
                    event = Event(kind, T0 + second, f"e{second}", outcome=outcome, actor=actor, ip=ip)
                    key = detector.key(event)
                    if key is not None and kind != "audit.log_change":
                        finding = detector.on_event(key, state, event)
                        if finding is ASK:
                            assert detector.peers is not None
                            finding = detector.consider(key, state, detector.peers.new_state(), event.ts, event)
                        assert finding is None


def test_it_remembers_a_key_for_as_long_as_it_needs(name: str) -> None:
    for detector in instances(name):
        assert 1 <= detector.idle_ttl_s <= 400 * 86_400
        assert detector.max_keys == 100_000
