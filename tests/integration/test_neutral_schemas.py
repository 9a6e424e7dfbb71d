"""Logs in OCSF and ECS through the whole command, in each of the ways such logs are kept."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.commands import entities, replayed, watchfloor

N = 60


def ocsf_login(n: int) -> dict[str, Any]:
    return {
        "class_uid": 3002,
        "category_uid": 3,
        "activity_id": 1,
        "type_uid": 300201,
        "severity_id": 1,
        "time": 1_772_352_000_000 + n * 1000,
        "status_id": 2,
        "status_detail": "INVALID_CREDENTIALS",
        "metadata": {"uid": f"e{n}", "version": "1.8.0", "product": {"name": "Example"}},
        "user": {"name": "alice"},
        "src_endpoint": {"ip": "203.0.113.9"},
    }


def ecs_login(n: int) -> dict[str, Any]:
    return {
        "@timestamp": f"2026-03-01T08:00:{n:02d}.000Z",
        "ecs": {"version": "8.11.0"},
        "event": {"id": f"e{n}", "category": ["authentication"], "type": ["start"], "action": "login", "outcome": "failure"},
        "user": {"name": "alice"},
        "source": {"ip": "203.0.113.9"},
    }


def lines(records: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def pretty(records: list[dict[str, Any]]) -> str:
    return json.dumps(records, indent=2)


def run_together(records: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(record) for record in records)


def bulk(records: list[dict[str, Any]]) -> str:
    return "".join(f'{{"index": {{"_id": "{n}"}}}}\n{json.dumps(record)}\n' for n, record in enumerate(records))


def answer(records: list[dict[str, Any]]) -> str:
    hits = [{"_index": "logs", "_id": f"h{n}", "_source": record} for n, record in enumerate(records)]
    return json.dumps({"took": 3, "hits": {"total": {"value": len(hits)}, "hits": hits}}, indent=1)


def flat(records: list[dict[str, Any]]) -> str:
    def unfolded(fields: dict[str, Any], prefix: str) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for name, value in fields.items():
            made |= unfolded(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
        return made

    return lines([unfolded(record, "") for record in records])


@pytest.mark.parametrize(
    ("login", "written"),
    [
        (ocsf_login, lines),
        (ocsf_login, pretty),
        (ocsf_login, run_together),
        (ecs_login, lines),
        (ecs_login, pretty),
        (ecs_login, bulk),
        (ecs_login, answer),
        (ecs_login, flat),
    ],
)
def test_an_attack_is_found_however_the_log_is_written(
    tmp_path: Path, login: Callable[[int], dict[str, Any]], written: Callable[[list[dict[str, Any]]], str]
) -> None:
    log = tmp_path / "events.json"
    log.write_text(written([login(n) for n in range(N)]), "utf-8")
    alerts = replayed(tmp_path, log)
    assert {"actor:alice", "ip:203.0.113.9"} & entities(alerts, "failed_login_burst")
    assert max(alert.count for alert in alerts) == N


@pytest.mark.parametrize(("form", "login"), [("ocsf", ocsf_login), ("ecs", ecs_login)])
def test_our_own_alerts_are_read_without_being_taken_for_events(tmp_path: Path, form: str, login: Callable[[int], dict[str, Any]]) -> None:
    log = tmp_path / "events.json"
    log.write_text(lines([login(n) for n in range(N)]), "utf-8")
    assert watchfloor("replay", "--out", tmp_path / "alerts.json", "--out-format", form, log).code == 0
    assert (tmp_path / "alerts.json").stat().st_size > 0
    again = watchfloor("replay", "--rejects", tmp_path / "rejects", "--out", tmp_path / "none", tmp_path / "alerts.json")
    assert again.code == 0
    assert not (tmp_path / "none").read_bytes()
    assert not (tmp_path / "rejects").read_bytes()
