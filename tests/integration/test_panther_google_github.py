"""Records of Google Workspace and GitHub that public collections of rules are tested with: nearly all are events of the right kind."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from schemas.errors import RejectError
from schemas.event import Event
from schemas.formats import github, google_workspace
from schemas.formats.base import Context, Format, Memory
from tests.integration.panther_kinds import github as github_kinds
from tests.integration.panther_kinds import google_workspace as google_kinds

pytestmark = pytest.mark.realdata

FORMATS: list[tuple[str, Format, ModuleType]] = [
    ("GSuite.ActivityEvent", google_workspace.FORMAT, google_kinds),
    ("GitHub.Audit", github.FORMAT, github_kinds),
]


def cases(real_logs: Path, log_type: str, left_out: frozenset[str]) -> list[dict[str, Any]]:
    lines = (real_logs / "panther" / "cases.jsonl").read_text(encoding="utf-8").splitlines()
    return [case for case in map(json.loads, lines) if log_type in case["log_type"] and case["rule_id"] not in left_out]


def with_time(record: dict[str, Any]) -> bytes:
    """The collection leaves out times its rules do not read."""
    if isinstance(record.get("id"), dict):
        if "p_event_time" not in record:
            record = record | {"id": {"time": "2026-03-01T08:00:00Z"} | record["id"]}
    elif not {"created_at", "at_sign_timestamp", "p_event_time"} & record.keys():
        record = record | {"created_at": 1772352000000}
    return json.dumps(record).encode()


def parsed(fmt: Format, record: dict[str, Any]) -> list[Event] | str:
    try:
        return list(fmt.parser(Context(Memory())).parse(with_time(record)))
    except RejectError as reject:
        return reject.reason


@pytest.mark.parametrize(("log_type", "fmt", "table"), FORMATS)
def test_nearly_every_case_a_rule_must_find_is_an_event_of_the_right_kind(
    real_logs: Path, log_type: str, fmt: Format, table: ModuleType
) -> None:
    wrong: list[str] = []
    held = [case for case in cases(real_logs, log_type, table.NO_EVENTS) if case["expected"]]
    for case in held:
        events = parsed(fmt, case["event"])
        found = {events} if isinstance(events, str) else {event.kind for event in events}
        if not found or not found <= table.KINDS.get(case["rule_id"], set()):
            wrong.append(f"{case['rule_id']}: {case['test_name']}: {sorted(found)}")
    assert held
    assert len(wrong) <= len(held) * 0.02, wrong


@pytest.mark.parametrize(("log_type", "fmt", "table"), FORMATS)
def test_every_other_case_is_read(real_logs: Path, log_type: str, fmt: Format, table: ModuleType) -> None:
    held = [case for case in cases(real_logs, log_type, table.NO_EVENTS) if not case["expected"]]
    assert [(case["rule_id"], why) for case in held if isinstance(why := parsed(fmt, case["event"]), str)] == []


@pytest.mark.parametrize(("log_type", "fmt", "table"), FORMATS)
def test_the_format_of_the_cases_is_told(real_logs: Path, log_type: str, fmt: Format, table: ModuleType) -> None:
    records = [with_time(case["event"]) for case in cases(real_logs, log_type, table.NO_EVENTS)]
    assert fmt.recognise(b"\n".join(records)[: 64 * 1024]) >= 0.9
    assert all(other.recognise(b"\n".join(records)[: 64 * 1024]) == 0 for _, other, _ in FORMATS if other is not fmt)


ENTERPRISE_SERVER = {
    "github_disable_dismiss_stale_pull_request_approvals": "admin.action",
    "github_disable_protect_this_branch": "admin.action",
    "github_disable_required_pull_request_reviews": "admin.action",
    "github_disable_two_factor_requirement_org": "auth.mfa_change",
    "github_site_admin_action": "admin.action",
}
"""StreamAlert's rules over the syslog of an Enterprise Server."""


@pytest.mark.parametrize("rule", ENTERPRISE_SERVER)
def test_enterprise_server_lines_are_read(real_logs: Path, rule: str) -> None:
    held = json.loads((real_logs / "streamalert" / "github_audit" / f"{rule}.json").read_text(encoding="utf-8"))
    assert held
    for case in held:
        record = case["data"] | {"message": case["data"]["message"].replace('"created_at":123,', '"created_at":1772352000000,')}
        (event,) = github.FORMAT.parser(Context(Memory())).parse(json.dumps(record).encode())
        if rule in case["trigger_rules"]:
            assert event.kind == ENTERPRISE_SERVER[rule]
