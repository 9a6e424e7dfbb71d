import json
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from jsonschema import Draft202012Validator

from monitor.docs_reference import DOCS, REFERENCES, main, stale, write
from schemas.alert import Alert, Attack, Entity, Related
from schemas.errors import RejectError
from schemas.event import Event, Kind
from schemas.formats.base import Context, Memory
from schemas.formats.native import FORMAT
from schemas.jsonschema import alert_schema, event_schema

EVENT = Draft202012Validator(event_schema())
ALERT = Draft202012Validator(alert_schema())
SMALLEST: dict[str, Any] = {"time": 1_767_225_600, "kind": "auth.login"}
AN_ALERT = Alert(
    id="a1",
    version=1,
    dedup_key="k",
    status="firing",
    time="2026-01-01T00:00:00.000Z",
    detector="password_spray",
    severity="high",
    tenant=None,
    entity=Entity(type="ip", value="203.0.113.9"),
    title="t",
    summary="s",
    count=37,
    first_seen="2026-01-01T00:00:00.000Z",
    last_seen="2026-01-01T00:05:00.000Z",
    facts={"failures": 37, "share": 0.5, "reason": "bad_password"},
    evidence=("e1", "e2"),
    counterfactual="c",
    score=0.0,
    attack=Attack(version="19", techniques=("T1110.003",)),
    runbook="r",
    incident="i",
    related=(Related(detector="failed_login_burst", id="a2"),),
)

GOOD: list[dict[str, Any]] = [
    {},
    {"time": "2026-01-01T00:00:00Z"},
    {"time": "2026-01-01t00:00:00.123456789+05:30"},
    {"time": "2026-01-01 00:00:00"},
    {"time": "2025-12-31T23:59:60Z"},
    {"time": "2026-01-01T00:00:00+0530"},
    {"time": 1_767_225_600.5},
    {"time": 1_767_225_600_500},
    {"unknown": {"nested": [1]}},
    {"ts": "not ours"},
    {"id": None, "outcome": None, "records": None, "country": None, "lat": None, "asn": None},
    {"id": "", "tenant": "", "actor": "", "ip": "", "country": ""},
    {"outcome": "challenge", "actor_type": "api_key"},
    {"country": "de"},
    {"ip": "2001:DB8::1", "lat": -90, "lon": 180.0, "asn": 4_294_967_295},
    {"user_agent": "x" * 20_000, "query": "y" * 20_000},
    {"records": 2**63 - 1, "bytes": 0, "status": 999, "latency_ms": 0},
    {"records": 3.0, "status": 2e2},
    {"tenant": "Köln GmbH & Co"},
]
BAD: list[dict[str, Any]] = [
    {"time": None},
    {"time": "yesterday"},
    {"time": "1767225600"},
    {"time": "2026-01-01"},
    {"time": 631_151_999},
    {"time": 4_102_444_800_000},
    {"time": True},
    {"time": []},
    {"kind": None},
    {"kind": "auth.logon"},
    {"kind": ""},
    {"id": 5},
    {"id": "x" * 513},
    {"outcome": "ok"},
    {"outcome": ""},
    {"actor_type": "robot"},
    {"actor": 5},
    {"actor": ["a"]},
    {"tenant": "a\nb"},
    {"tenant": "x" * 257},
    {"ip": 1},
    {"ip": "1" * 65},
    {"country": "DEU"},
    {"country": "D1"},
    {"lat": 91},
    {"lon": -181},
    {"lat": "50"},
    {"asn": -1},
    {"status": 1000},
    {"status": 200.5},
    {"status": True},
    {"latency_ms": -1},
    {"records": -1},
    {"records": 2**63},
    {"bytes": -1},
    {"bytes": "12"},
]
ONLY_THE_PARSER_KNOWS: list[dict[str, Any]] = [
    {"ip": "localhost"},
    {"time": "2026-02-30T00:00:00Z"},
    {"time": "2150-01-01T00:00:00Z"},
    {"time": 5_000_000_000},  # between the latest second and the earliest millisecond
]


def short(value: object) -> str:
    return repr(value)[:60]


def accepts(fields: dict[str, Any]) -> bool:
    try:
        return bool(FORMAT.parser(Context(memory=Memory())).parse(json.dumps({**SMALLEST, **fields}).encode()))
    except RejectError:
        return False


@pytest.mark.parametrize("fields", GOOD, ids=short)
def test_what_the_parser_accepts_is_valid(fields: dict[str, Any]) -> None:
    assert accepts(fields)
    EVENT.validate({**SMALLEST, **fields})


@pytest.mark.parametrize("fields", BAD, ids=short)
def test_what_the_parser_rejects_is_not_valid(fields: dict[str, Any]) -> None:
    assert not accepts(fields)
    assert not EVENT.is_valid({**SMALLEST, **fields})


@pytest.mark.parametrize("fields", ONLY_THE_PARSER_KNOWS, ids=short)
def test_the_schema_is_the_wider_of_the_two(fields: dict[str, Any]) -> None:
    assert not accepts(fields)
    EVENT.validate({**SMALLEST, **fields})


@pytest.mark.parametrize("document", [{}, {"time": 1_767_225_600}, {"kind": "auth.login"}, [], [SMALLEST], "text", None])
def test_an_event_is_an_object_with_time_and_kind(document: object) -> None:
    assert not EVENT.is_valid(document)


def test_not_a_number_is_rejected_by_the_parser_though_python_reads_and_writes_it() -> None:
    assert not accepts({"lat": float("nan")})
    assert not accepts({"latency_ms": float("inf")})


@pytest.mark.parametrize("schema", [event_schema(), alert_schema()], ids=["event", "alert"])
def test_a_schema_is_a_valid_schema_and_describes_every_field(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)
    for part in (schema, *schema.get("$defs", {}).values()):
        for name, field in part["properties"].items():
            assert field["description"].endswith((".", "…")), name
            assert {"type", "$ref", "anyOf"} & field.keys(), name


def test_the_event_schema_has_the_fields_of_the_format_and_no_other() -> None:
    enriched = {"accuracy_km", "network", "risk"}
    expected = ({*Event.__struct_fields__} - enriched - {"ts"}) | {"time"}
    assert set(event_schema()["properties"]) == expected
    assert event_schema()["required"] == ["time", "kind"]
    assert event_schema()["additionalProperties"] is True
    assert event_schema()["properties"]["kind"]["enum"] == list(get_args(Kind))


def test_an_alert_as_it_is_written_is_valid() -> None:
    ALERT.validate(json.loads(msgspec.json.encode(AN_ALERT)))


@pytest.mark.parametrize(
    "change",
    [
        {"severity": "grave"},
        {"status": "open"},
        {"version": 0},
        {"count": -1},
        {"extra": 1},
        {"tenant": 5},
        {"evidence": "e1"},
        {"facts": {"a": None}},
        {"facts": {"a": [1]}},
        {"entity": {"type": "planet", "value": "x"}},
        {"entity": {"type": "ip"}},
        {"attack": {"version": "19", "techniques": "T1110"}},
        {"related": [{"id": "a"}]},
    ],
    ids=short,
)
def test_an_alert_of_another_shape_is_not_valid(change: dict[str, Any]) -> None:
    assert not ALERT.is_valid({**json.loads(msgspec.json.encode(AN_ALERT)), **change})


@pytest.mark.parametrize("field", [field for field in Alert.__struct_fields__ if field not in {"related", "inhibited_by"}])
def test_every_field_of_an_alert_is_required(field: str) -> None:
    written = json.loads(msgspec.json.encode(AN_ALERT))
    del written[field]
    assert not ALERT.is_valid(written)


def test_the_published_files_are_what_the_code_says() -> None:
    assert stale(DOCS) == []


def test_references_are_written_once_and_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--docs", str(tmp_path), "--check"]) == 1
    assert main(["--docs", str(tmp_path)]) == 0
    assert sorted(capsys.readouterr().out.splitlines()[-len(REFERENCES) :]) == sorted(f"{path}: written" for path in REFERENCES)
    assert main(["--docs", str(tmp_path), "--check"]) == 0
    (tmp_path / "schemas/event.schema.json").write_text("{}")
    assert stale(tmp_path) == ["schemas/event.schema.json"]
    assert write(tmp_path) == ["schemas/event.schema.json"]
