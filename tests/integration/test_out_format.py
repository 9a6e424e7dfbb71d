"""``replay --out-format``, sinks with a ``format``, and what ``explain`` says to either."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from monitor.checking import TEST_ALERT
from monitor.sinks.lines import JsonLines
from schemas.alert import Entity
from schemas.export import EXPORT_NAMES, EXPORTS, ExportName
from tests.commands import read_alerts, watchfloor

EVENTS = "".join(
    f'{{"time": {1_772_352_000 + n}, "kind": "auth.login", "outcome": "failure", "actor": "al\\u001b[31mice", "ip": "203.0.113.9", "id": "e{n}"}}\n'
    for n in range(60)
).encode()


def written(path: Path) -> list[dict[str, Any]]:
    return [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "events.log"
    path.write_bytes(EVENTS)
    return path


def test_each_form_holds_the_same_alerts_and_the_same_bytes_twice(tmp_path: Path, log: Path) -> None:
    for name in EXPORT_NAMES:
        for run in ("first", "second"):
            assert watchfloor("replay", "--out", tmp_path / f"{name}-{run}", "--out-format", name, log).code == 0
        assert (tmp_path / f"{name}-first").read_bytes() == (tmp_path / f"{name}-second").read_bytes()
        assert b"\x1b" not in (tmp_path / f"{name}-first").read_bytes()
    alerts = read_alerts(tmp_path / "native-first")
    assert alerts
    for name in EXPORT_NAMES:
        plain = [msgspec.json.decode(msgspec.json.encode(EXPORTS[name](alert))) for alert in alerts]
        assert written(tmp_path / f"{name}-first") == plain


def test_native_is_the_default(tmp_path: Path, log: Path) -> None:
    assert watchfloor("replay", "--out", tmp_path / "a", log).code == 0
    assert watchfloor("replay", "--out", tmp_path / "b", "--out-format", "native", log).code == 0
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_final_keeps_the_last_version_in_every_form(tmp_path: Path, log: Path) -> None:
    assert watchfloor("replay", "--final", "--out", tmp_path / "all", "--out-format", "ocsf", log).code == 0
    findings = written(tmp_path / "all")
    uids = [finding["finding_info"]["uid"] for finding in findings]
    assert len(set(uids)) == len(uids) > 0


def test_an_unknown_form_is_refused(tmp_path: Path, log: Path) -> None:
    ran = watchfloor("replay", "--out", tmp_path / "out", "--out-format", "xml", log)
    assert ran.code == 2
    assert "native" in ran.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["ocsf", "ecs"])
def test_explain_says_that_it_reads_native_alerts_only(tmp_path: Path, log: Path, name: str) -> None:
    assert watchfloor("replay", "--out", tmp_path / "out", "--out-format", name, log).code == 0
    ran = watchfloor("explain", "--alerts", tmp_path / "out", "a1")
    assert ran.code == 3
    assert f"in the form {name}" in ran.err
    assert f"without --out-format {name}" in ran.err


def test_each_sink_has_its_own_form(tmp_path: Path, log: Path) -> None:
    config = tmp_path / "watchfloor.yaml"
    config.write_text(
        f"sinks:\n  lake: {{type: file, path: {tmp_path / 'lake'}, format: ocsf}}\n"
        f"  search: {{type: file, path: {tmp_path / 'search'}, format: ecs}}\n  own: {{type: file, path: {tmp_path / 'own'}}}\n",
        "utf-8",
    )
    assert watchfloor("replay", "--config", config, "--deliver", log).code == 0
    alerts = read_alerts(tmp_path / "own")
    assert [each["metadata"]["uid"] for each in written(tmp_path / "lake")] == [f"{alert.id}-{alert.version}" for alert in alerts]
    assert [each["event"]["id"] for each in written(tmp_path / "search")] == [f"{alert.id}-{alert.version}" for alert in alerts]


def test_a_test_alert_has_the_form_of_its_sink(tmp_path: Path) -> None:
    config = tmp_path / "watchfloor.yaml"
    config.write_text(f"sinks: {{lake: {{type: file, path: {tmp_path / 'lake'}, format: ocsf}}}}\n", "utf-8")
    assert watchfloor("check-config", "--config", config, "--send-test", "lake").code == 0
    (finding,) = written(tmp_path / "lake")
    assert finding["class_uid"] == 2004
    assert finding["activity_id"] == 3


def test_an_unknown_form_of_a_sink_is_refused_with_the_choices(tmp_path: Path, log: Path) -> None:
    config = tmp_path / "watchfloor.yaml"
    config.write_text("sinks: {out: {type: stdout, format: cef}}\n", "utf-8")
    ran = watchfloor("replay", "--config", config, log)
    assert ran.code == 2
    assert "sinks.out.format" in ran.err


@pytest.mark.parametrize("name", EXPORT_NAMES)
def test_control_characters_and_changes_of_direction_are_escaped(tmp_path: Path, name: ExportName) -> None:
    alert = msgspec.structs.replace(TEST_ALERT, entity=Entity("actor", "a\x1b[31m\u202e\x85\n"), title="T: a", evidence=("e\x00",))
    with JsonLines(tmp_path / "out", form=name) as lines:
        lines.send([alert])
    (line,) = (tmp_path / "out").read_bytes().splitlines()
    assert line.decode().isprintable()
    assert msgspec.json.decode(line) == msgspec.json.decode(msgspec.json.encode(EXPORTS[name](alert)))
