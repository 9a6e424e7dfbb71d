"""Verdicts on the running service: what they change, that they outlive it, and that a replay with them finds the same."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.commands import read_alerts, replayed, watchfloor
from tests.receiver import Receiver, receiving
from tests.service import T0, Process, append, attacks, reading, service, until, webhook

DAY_S = 86_400


def login(number: object, seconds: float, actor: str, outcome: str = "failure", ip: str = "203.0.113.200") -> bytes:
    event = {"id": f"x{number}", "time": T0 + seconds, "kind": "auth.login", "outcome": outcome, "actor": actor, "ip": ip}
    return json.dumps(event).encode()


def burst(actor: str, start: float, count: int = 12) -> list[bytes]:
    """Failures of one account, from several addresses."""
    return [login(f"{actor}-{start:g}-{i}", start + i, actor, ip=f"203.0.113.{100 + i}") for i in range(count)]


def settings(folder: Path, receiver: Receiver, **more: Any) -> dict[str, Any]:
    archive = {"type": "file", "path": str(folder / "live.jsonl")}
    return reading(folder, {"soc": webhook(receiver.url), "archive": archive}, **more)


def about(process: Process, actor: str, status: str = "firing") -> dict[str, Any] | None:
    alerts = process.get(f"/api/v1/alerts?status={status}").json
    return next((each for each in alerts if each["entity"]["value"] == actor), None)


def wait_for(process: Process, actor: str, status: str = "firing") -> dict[str, Any]:
    assert until(lambda: process.ready and about(process, actor, status) is not None)
    found = about(process, actor, status)
    assert found is not None
    return found


def give(process: Process, alert: str, verdict: str, **more: Any) -> Any:
    page = process.post(f"/api/v1/alerts/{alert}/verdict", {"verdict": verdict, **more})
    assert page.status == 200, page.text
    return page.json


def test_each_verdict_does_what_it_says_and_is_counted(tmp_path: Path) -> None:
    log = tmp_path / "in.jsonl"
    append(log, [*burst("alice", 0), *burst("bob", 100), *burst("carol", 200), login(1, 300, "dora", "success")])
    with receiving() as receiver, service(settings(tmp_path, receiver), tmp_path / "run") as process:
        ids = {name: wait_for(process, name)["id"] for name in ("alice", "bob", "carol")}
        assert give(process, ids["alice"], "false", reason="a typo")["alert_status"] == "resolved"
        assert give(process, ids["bob"], "expected", until="2026-01-02T00:00:00Z")["until"] == "2026-01-02T00:00:00.000000Z"
        assert give(process, ids["carol"], "true")["alert_status"] is None
        # Safe when it is answered: what a page reads is in the store.
        lines = [json.loads(line) for line in process.get("/api/v1/verdicts").text.splitlines()]
        assert [(line["alert"], line["verdict"]) for line in lines] == [
            (ids["alice"], "false"),
            (ids["bob"], "expected"),
            (ids["carol"], "true"),
        ]
        for name, verdict in (("alice", "false"), ("bob", "expected")):
            assert wait_for(process, name, "resolved")["facts"]["verdict"] == verdict
        process.reload()  # another pipeline goes on with what this one remembers
        assert process.said("the configuration was read again and is in force")
        append(log, [*burst("bob", 1000, 40), *burst("carol", 1000, 40), login(2, 1100, "dora", "success")])
        assert until(lambda: (about(process, "carol") or {"facts": {}})["facts"].get("verdict") == "true")
        assert about(process, "bob") is None
        append(log, [*burst("bob", 2 * DAY_S), login(3, 2 * DAY_S + 100, "dora", "success")])
        wait_for(process, "bob")
        for verdict in ("true", "false", "expected"):
            assert process.metric("verdicts_total", detector="failed_login_burst", verdict=verdict) == 1
        assert process.metric("verdicts_total") == 3
        assert process.stop() == 0


def test_what_is_wrong_is_said_with_its_cure(tmp_path: Path) -> None:
    append(tmp_path / "in.jsonl", [*burst("alice", 0), login(1, 300, "dora", "success")])
    with receiving() as receiver, service(settings(tmp_path, receiver), tmp_path / "run") as process:
        alert = wait_for(process, "alice")["id"]
        for path, body, status, words in (
            ("unknown", {"verdict": "true"}, 404, "no alert of this id"),
            (alert, {"verdict": "yes"}, 422, "verdict: expected"),
            (alert, {"verdict": "expected", "until": "2020-01-01T00:00:00Z"}, 422, "until: is not after 2026-01-01T00:"),
            (alert, {"verdict": "expected", "until": "2036-01-01T00:00:00Z"}, 422, "until: is more than 366 days after"),
        ):
            page = process.post(f"/api/v1/alerts/{path}/verdict", body)
            assert page.status == status
            assert page.json["error"].startswith(words)
        assert process.get("/api/v1/verdicts").text == ""
        assert process.stop() == 0


def test_verdicts_survive_a_kill_right_after_their_answer(tmp_path: Path) -> None:
    log = tmp_path / "in.jsonl"
    append(log, [*burst("alice", 0), *burst("bob", 100), login(1, 300, "dora", "success")])
    with receiving() as receiver:
        # Checkpoints are far apart, so that the one that makes a verdict safe is its own.
        config = settings(tmp_path, receiver, store={"path": str(tmp_path / "store.db"), "checkpoint_interval_s": 60})
        with service(config, tmp_path / "first") as process:
            alice, bob = wait_for(process, "alice")["id"], wait_for(process, "bob")["id"]
            give(process, alice, "expected", reason="a test of ours")
            give(process, bob, "false")
            process.kill()
        append(log, [*burst("alice", 400, 40), *burst("bob", 500, 12), *burst("carol", 600), login(2, 900, "dora", "success")])
        with service(config, tmp_path / "second") as process:
            wait_for(process, "carol")
            assert about(process, "alice") is None
            assert about(process, "bob") is None  # the same attack goes on, and is no graver
            lines = [json.loads(line) for line in process.get("/api/v1/verdicts").text.splitlines()]
            assert [(line["alert"], line["verdict"], line.get("reason")) for line in lines] == [
                (alice, "expected", "a test of ours"),
                (bob, "false", None),
            ]
            give(process, alice, "true")
            assert process.stop() == 0
    last = {alert.id: alert for alert in read_alerts(tmp_path / "live.jsonl")}
    assert (last[alice].status, last[alice].facts["verdict"]) == ("firing", "true")


def test_many_verdicts_at_once_are_all_taken(tmp_path: Path) -> None:
    names = [f"user{number}" for number in range(30)]
    append(
        tmp_path / "in.jsonl", [record for i, name in enumerate(names) for record in burst(name, 20 * i)] + [login(1, 900, "z", "success")]
    )
    with receiving() as receiver, service(settings(tmp_path, receiver), tmp_path / "run") as process:
        wait_for(process, names[-1])
        alerts = [each for each in process.get("/api/v1/alerts?limit=1000").json if each["entity"]["value"] in names]
        assert len(alerts) == 30
        threads = [threading.Thread(target=give, args=(process, each["id"], "false")) for each in alerts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(process.get("/api/v1/verdicts").text.splitlines()) == 30
        assert process.metric("verdicts_total", verdict="false") == 30
        assert process.stop() == 0


def test_a_live_run_with_verdicts_is_what_a_replay_with_them_finds(tmp_path: Path) -> None:
    log = tmp_path / "in.jsonl"
    records = attacks(12, seed=5)
    with receiving() as receiver:
        # In event time all of it passes in a minute, so the input may not count as idle between two shares of it.
        config = settings(tmp_path, receiver, service={"idle_s": 600, "drain_s": 2})
        with service(config, tmp_path / "run") as process:
            assert until(lambda: process.ready)
            judged: dict[str, str] = {}
            for at in range(0, len(records), 60):
                append(log, records[at : at + 60])
                assert until(lambda: process.metric("events_total") >= min(at + 60, len(records)))  # noqa: B023 - asked before it changes
                for alert in process.get("/api/v1/alerts?status=firing").json:
                    if alert["id"] not in judged and len(judged) < 12:
                        verdict = ("false", "expected", "true")[len(judged) % 3]
                        judged[alert["id"]] = verdict
                        give(process, alert["id"], verdict)
            append(log, [login(9, 20_000, "last", "success"), login(10, 20_010, "last", "success")])
            assert until(lambda: process.metric("events_total") == len(records) + 2)
            assert until(lambda: process.metric("open_alerts") == 0)
            file = tmp_path / "verdicts.jsonl"
            file.write_text(process.get("/api/v1/verdicts").text)
            assert process.stop() == 0
    assert len(judged) == 12
    live = read_alerts(tmp_path / "live.jsonl")
    found = replayed(tmp_path, "--format", "native", "--verdicts", file, log)
    assert found == live
    without = replayed(tmp_path, "--format", "native", log, name="without.jsonl")
    assert {alert.facts.get("verdict") for alert in found} == {None, "true", "false", "expected"}
    assert len(without) > len(found)


# -- replay ---------------------------------------------------------------------------------------------------------------------------


def test_a_verdict_without_a_time_comes_with_its_alert(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    append(log, [*burst("alice", 0, 40), *burst("bob", 100, 40)])
    alert = next(each for each in replayed(tmp_path, log) if each.entity.value == "alice")
    file = tmp_path / "verdicts.jsonl"
    file.write_text(json.dumps({"alert": alert.id, "verdict": "expected"}) + "\n")
    found = [each for each in replayed(tmp_path, "--verdicts", file, log) if each.id == alert.id]
    assert [(each.version, each.status, each.facts.get("verdict")) for each in found] == [(1, "firing", None), (2, "resolved", "expected")]


def test_a_line_about_no_alert_is_named_at_the_end(tmp_path: Path) -> None:
    log, file = tmp_path / "log.jsonl", tmp_path / "verdicts.jsonl"
    append(log, burst("alice", 0))
    file.write_text('{"alert": "nobody", "verdict": "true"}\n{"alert": "nothing", "verdict": "true"}\n')
    ran = watchfloor("replay", "--verdicts", file, log)
    assert ran.code == 0
    assert "no alert with the id nobody and 1 more was raised" in " ".join((ran.out + ran.err).split())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"alert": "a", "verdict": "true"}\n{"alert": "a"}\n', 'line 2: verdict: expected "true" (an attack), "false"'),
        ("a,true\n", "line 1: is no JSON; write an object such as"),
        ('{"alert": "a", "verdict": "false", "until": "2026-01-01T00:00:00Z"}', 'line 1: until: goes with "expected" only'),
    ],
)
def test_a_bad_line_ends_the_replay_before_it_begins(tmp_path: Path, text: str, words: str) -> None:
    log, file, out = tmp_path / "log.jsonl", tmp_path / "verdicts.jsonl", tmp_path / "alerts.jsonl"
    append(log, burst("alice", 0))
    file.write_text(text)
    out.write_text("kept\n")
    ran = watchfloor("replay", "--verdicts", file, "--out", out, log)
    assert ran.code == 2
    assert " ".join(ran.err.split()).startswith(f"watchfloor: --verdicts: {file}: {words}")
    assert out.read_text() == "kept\n"


def test_the_file_of_verdicts_is_not_written_over(tmp_path: Path) -> None:
    log, file = tmp_path / "log.jsonl", tmp_path / "verdicts.jsonl"
    append(log, burst("alice", 0))
    file.write_text('{"alert": "a", "verdict": "true"}\n')
    ran = watchfloor("replay", "--verdicts", file, "--out", file, log)
    assert ran.code == 2
    assert "is the file of verdicts and would be written over" in " ".join(ran.err.split())
    assert watchfloor("replay", "--verdicts", tmp_path / "nowhere", log).code == 2
