"""Records of Okta and Auth0 that a public collection of rules is tested with: nearly all of them are events of the right kind."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from schemas.errors import RejectError
from schemas.formats import auth0, detect, okta
from schemas.formats.base import Context, Format, Memory
from tests.integration.panther_kinds import auth0 as auth0_kinds
from tests.integration.panther_kinds import okta as okta_kinds

pytestmark = pytest.mark.realdata

FORMATS: list[tuple[str, Format, ModuleType]] = [
    ("Okta.SystemLog", okta.FORMAT, okta_kinds),
    ("Auth0.Events", auth0.FORMAT, auth0_kinds),
]


def cases(real_logs: Path, log_type: str) -> list[dict[str, Any]]:
    lines = (real_logs / "panther" / "cases.jsonl").read_text(encoding="utf-8").splitlines()
    return [case for case in map(json.loads, lines) if log_type in case["log_type"]]


def with_time(record: dict[str, Any]) -> bytes:
    """The collection leaves out or blacks out times its rules do not read."""
    data = record.get("data", record)
    field = "date" if "data" in record else "published"
    if not str(data.get(field, record.get("p_event_time", ""))).startswith("20"):
        data = data | {field: "2026-03-01T08:00:00Z"}
    return json.dumps(record | {"data": data} if "data" in record else data).encode()


@pytest.mark.parametrize(("log_type", "fmt", "table"), FORMATS)
def test_nearly_every_case_is_an_event_of_the_right_kind(real_logs: Path, log_type: str, fmt: Format, table: ModuleType) -> None:
    wrong: list[str] = []
    held = [case for case in cases(real_logs, log_type) if case["rule_id"] not in table.NO_EVENTS]
    for case in held:
        try:
            found = {event.kind for event in fmt.parser(Context(Memory())).parse(with_time(case["event"]))}
        except RejectError as reject:
            found = {reject.reason}
        if not found or not found <= table.KINDS.get(case["rule_id"], set()):
            wrong.append(f"{case['rule_id']}: {case['test_name']}: {sorted(found)}")
    assert held
    assert len(wrong) <= len(held) * 0.02, wrong


@pytest.mark.parametrize(("log_type", "fmt", "table"), FORMATS)
def test_the_format_of_the_cases_is_told(real_logs: Path, log_type: str, fmt: Format, table: ModuleType) -> None:
    records = [with_time(case["event"]) for case in cases(real_logs, log_type) if case["rule_id"] not in table.NO_EVENTS]
    assert detect(b"\n".join(records)[: 64 * 1024])[0] == fmt.name
