"""Records of Azure and Microsoft 365 that a public collection of rules is tested with: nearly all of them are events of the right kind."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from schemas.errors import RejectError
from schemas.formats import detect, entra, microsoft365
from schemas.formats.base import Context, Format, Memory
from tests.integration.panther_kinds import azure as azure_kinds
from tests.integration.panther_kinds import microsoft365 as microsoft365_kinds

pytestmark = pytest.mark.realdata

FORMATS: list[tuple[str, Format, ModuleType]] = [
    ("Azure.", entra.FORMAT, azure_kinds),
    ("Microsoft365.", microsoft365.FORMAT, microsoft365_kinds),
]


def cases(real_logs: Path, beginning: str) -> list[dict[str, Any]]:
    lines = (real_logs / "panther" / "cases.jsonl").read_text(encoding="utf-8").splitlines()
    return [case for case in map(json.loads, lines) if case["log_type"].startswith(beginning)]


def with_time(record: dict[str, Any]) -> bytes:
    """The collection leaves out times its rules do not read."""
    has_time = "time" in record or "CreationTime" in record
    return json.dumps(record if has_time else {"time": "2026-03-01T08:00:00Z", **record}).encode()


@pytest.mark.parametrize(("beginning", "fmt", "table"), FORMATS)
def test_nearly_every_case_is_an_event_of_the_right_kind(real_logs: Path, beginning: str, fmt: Format, table: ModuleType) -> None:
    wrong: list[str] = []
    held = cases(real_logs, beginning)
    for case in held:
        try:
            found = {event.kind for event in fmt.parser(Context(Memory())).parse(with_time(case["event"]))}
        except RejectError as reject:
            found = {reject.reason}
        if not found or not found <= table.KINDS.get(case["rule_id"], set()):
            wrong.append(f"{case['rule_id']}: {case['test_name']}: {sorted(found)}")
    assert held
    assert len(wrong) <= len(held) * 0.02, wrong


@pytest.mark.parametrize(("beginning", "fmt", "table"), FORMATS)
def test_the_format_of_each_case_is_told(real_logs: Path, beginning: str, fmt: Format, table: ModuleType) -> None:
    records = [with_time(case["event"]) for case in cases(real_logs, beginning)]
    missed = [record for record in records if detect(record)[0] != fmt.name]
    assert len(missed) <= len(records) * 0.02, missed
