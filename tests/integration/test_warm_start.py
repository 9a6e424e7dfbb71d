"""What was learned from history, in a replay and in the service."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from detectors.registry import DETECTORS
from monitor.simulate.attacks import ATTACKS
from monitor.simulate.generate import generate
from monitor.simulate.world import Scenario, WorldSettings
from schemas.alert import Alert
from schemas.stamps import from_text
from tests.commands import read_alerts, replayed, watchfloor
from tests.receiver import Receiver, receiving
from tests.service import T0, append, attacks, service, until, webhook

DAY_S = 86_400.0
START = 1_773_619_200.0
CUT = START + 7 * DAY_S
LEARNED = {"api_volume_anomaly", "behaviour_anomaly", "off_hours_activity"}


def learned(folder: Path, *files: str | Path) -> Path:
    state = folder / "state.db"
    ran = watchfloor("replay", "--learn-only", "--state-out", state, *files)
    assert ran.code == 0, ran.err
    return state


def log(folder: Path, name: str, records: Sequence[bytes]) -> Path:
    path = folder / name
    path.write_bytes(b"".join(record + b"\n" for record in records))
    return path


def failures(begin: int, count: int, *, every: int = 2, actor: str = "alice") -> list[bytes]:
    return [
        json.dumps(
            {
                "id": f"{actor}{begin + i * every}",
                "time": T0 + begin + i * every,
                "kind": "auth.login",
                "outcome": "failure",
                "actor": actor,
            }
        ).encode()
        for i in range(count)
    ]


def calm(begin: int, count: int, every: int = 10) -> list[bytes]:
    return [
        json.dumps(
            {"id": f"c{begin + i * every}", "time": T0 + begin + i * every, "kind": "auth.login", "outcome": "success", "actor": "bob"}
        ).encode()
        for i in range(count)
    ]


# -- two weeks of everybody -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def weeks(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A week and the next one, with every attack there is in each."""
    scenarios = [
        Scenario(name=name, at=START + week * 7 * DAY_S + 4.4 * DAY_S + place * 5_000)
        for week in (0, 1)
        for place, name in enumerate(ATTACKS)
    ]
    # One more that is under way when the first week ends.
    scenarios.append(Scenario(name="failed_login_burst", at=CUT - 300, duration_s=600))
    records, truth = generate(WorldSettings(hours=14 * 24, users=40, scenarios=tuple(scenarios)))
    assert len(truth) == len(scenarios)
    parts: tuple[list[bytes], list[bytes]] = ([], [])
    for record in records:
        parts[json.loads(record)["time"] >= CUT].append(record)
    folder = tmp_path_factory.mktemp("weeks")
    return log(folder, "one.jsonl", parts[0]), log(folder, "two.jsonl", parts[1])


def ts(text: str) -> float:
    found = from_text(text)
    assert found is not None
    return found


def short(alerts: Sequence[Alert]) -> list[tuple[Any, ...]]:
    return [(a.id, a.version, a.status, a.severity, a.count, a.detector, a.entity.value, a.facts) for a in alerts]


def test_a_week_after_what_was_learned_from_the_one_before_is_as_if_both_were_replayed(tmp_path: Path, weeks: tuple[Path, Path]) -> None:
    one, two = weeks
    whole = replayed(tmp_path, one, two, name="whole.jsonl")
    state = learned(tmp_path, one)
    ran = watchfloor("replay", "--state-in", state, "--out", tmp_path / "alerts.jsonl", two)
    assert ran.code == 0
    assert "begins with nothing" not in ran.out
    got = read_alerts(tmp_path / "alerts.jsonl")
    # What began in the first week, or comes back from it, is the one thing in which they may differ.
    before = {alert.dedup_key for alert in whole if ts(alert.first_seen) < CUT}
    later = [alert for alert in whole if ts(alert.first_seen) >= CUT and alert.dedup_key not in before]
    assert short([alert for alert in got if alert.dedup_key not in before]) == short(later)
    # Learned detectors find what they can of two weeks; the source that falls silent is the same in both.
    assert {alert.detector for alert in later} >= set(DETECTORS) - {"source_silence", *LEARNED}
    cold = replayed(tmp_path, two, name="cold.jsonl")
    assert short([alert for alert in cold if alert.dedup_key not in before]) != short(later), "the week before made no difference"
    # And the one under way is told, under the same id.
    under_way = [alert for alert in whole if alert.detector == "failed_login_burst" and ts(alert.first_seen) < CUT <= ts(alert.last_seen)]
    assert {alert.id for alert in under_way} <= {alert.id for alert in got}


# -- the command ----------------------------------------------------------------------------------------------------------------------


def test_learning_tells_nobody_and_says_how_many_alerts_there_would_have_been(tmp_path: Path) -> None:
    one = log(tmp_path, "one.jsonl", attacks(3))
    config = tmp_path / "c.yaml"
    config.write_text(json.dumps({"sinks": {"file": {"type": "file", "path": str(tmp_path / "alerts.jsonl")}}}))
    expected = {alert.id for alert in replayed(tmp_path, one, name="expected.jsonl")}
    ran = watchfloor("replay", "-c", config, "--learn-only", "--state-out", tmp_path / "state.db", one)
    assert ran.code == 0
    assert ran.out.startswith(f"Learned only: there would have been {len(expected)} alerts, of which nobody was told.\n")
    assert f"alerts    {len(expected)}\n  failed_login_burst  " in ran.out
    assert " keys was saved in " in ran.out
    assert not (tmp_path / "alerts.jsonl").exists()


WRONG: list[tuple[list[str], str]] = [
    (["--learn-only"], "--learn-only: what is learned would be lost; name a file for it with --state-out"),
    (["--learn-only", "--state-out", "s.db", "--out", "a.jsonl"], "--out: there are no alerts with --learn-only; leave one of the two out"),
    (
        ["--learn-only", "--state-out", "s.db", "--report", "r.html"],
        "--report: there are no alerts with --learn-only; leave one of the two out",
    ),
    (["--learn-only", "--state-out", "s.db", "--deliver"], "--deliver: there are no alerts with --learn-only; leave one of the two out"),
    (
        ["--learn-only", "--state-out", "s.db", "--fail-on", "low"],
        "--fail-on: there are no alerts with --learn-only; leave one of the two out",
    ),
    (["--state-out", "one.jsonl"], "--state-out: one.jsonl is there and is no state file, so it is not written over; name another file"),
    (
        ["--state-out", "nowhere/s.db"],
        "--state-out: cannot write nowhere/s.db: no such file or directory; name a file in a folder that exists",
    ),
    (
        ["--state-in", "good.db", "--state-out", "good.db"],
        "--state-out: good.db is the state file that is read and would be written over; name",
    ),
    (["--state-out", "new.db", "--out", "new.db"], "--state-out: new.db is the file of --out and would be written over; name another file"),
    (
        ["--state-in", "none.db"],
        "--state-in: cannot read none.db: no such file or directory; make one with: watchfloor replay --learn-only",
    ),
    (
        ["--state-in", "one.jsonl"],
        "--state-in: one.jsonl is no state file; make one with: watchfloor replay --learn-only --state-out FILE LOG",
    ),
    (["--state-in", "cut.db"], "--state-in: cut.db is damaged"),
]


def test_every_wrong_use_is_one_line_with_its_cure(tmp_path: Path) -> None:
    log(tmp_path, "one.jsonl", attacks(1))
    good = learned(tmp_path, tmp_path / "one.jsonl").rename(tmp_path / "good.db")
    (tmp_path / "cut.db").write_bytes(good.read_bytes()[:6_000])
    for arguments, why in WRONG:
        ran = watchfloor("replay", *arguments, "one.jsonl", cwd=tmp_path)
        assert (ran.code, ran.out) == (2, ""), arguments
        assert ran.err.startswith(f"watchfloor: {why}"), ran.err
        assert ran.err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut.db", "good.db", "one.jsonl"]


def test_where_there_was_nothing_to_learn_the_file_stays_as_it_was(tmp_path: Path) -> None:
    state = learned(tmp_path, log(tmp_path, "one.jsonl", attacks(1)))
    before = state.read_bytes()
    ran = watchfloor("replay", "--learn-only", "--state-out", state, log(tmp_path, "empty.jsonl", []))
    assert ran.code == 3
    assert "--state-out: there was no event to learn from, so " in ran.err
    assert state.read_bytes() == before


def test_learning_goes_on_from_one_file_to_the_next(tmp_path: Path) -> None:
    records = failures(0, 4)
    first, second, third = (log(tmp_path, f"{i}.jsonl", part) for i, part in enumerate((records[:2], records[2:4], failures(8, 6))))
    watchfloor("replay", "--learn-only", "--state-out", tmp_path / "1.db", first)
    ran = watchfloor("replay", "--learn-only", "--state-in", tmp_path / "1.db", "--state-out", tmp_path / "2.db", second)
    assert "learned from 2 events until 2026-01-01T00:00:02.000Z" in ran.out
    (alert, *_) = replayed(tmp_path, "--state-in", tmp_path / "2.db", third)
    assert alert.first_seen == "2026-01-01T00:00:00.000Z", "the first two files count too"


def test_lines_that_are_read_again_count_once(tmp_path: Path) -> None:
    lines = [
        f"Mar  3 03:40:{i // 3:02} h sshd[7{i // 3}]: Failed password for root from 203.0.113.9 port 1 ssh2".encode() for i in range(12)
    ]
    one, both = log(tmp_path, "auth.log", lines[:6]), log(tmp_path, "auth2.log", lines)
    state = watchfloor("replay", "--learn-only", "--year", "2026", "--state-out", tmp_path / "s.db", one)
    assert state.code == 0
    ran = watchfloor("replay", "--year", "2026", "--state-in", tmp_path / "s.db", both)
    assert "repeats   6\n" in ran.out


# -- the service ----------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


def settings(folder: Path, receiver: Receiver, state: Path, **more: Any) -> dict[str, Any]:
    return {
        "follow": [{"path": str(folder / "in.jsonl"), "format": "native"}],
        "store": {"path": str(folder / "store.db"), "checkpoint_interval_s": 0.1},
        "service": {"idle_s": 0.5, "drain_s": 2, "warm_start": str(state)},
        "http": {"port": 0},
        "sinks": {"soc": webhook(receiver.url)},
        **more,
    }


def test_the_service_begins_with_it_and_an_attack_that_goes_on_is_told_with_all_that_came_before(
    tmp_path: Path, receiver: Receiver
) -> None:
    over, goes_on = failures(0, 30, actor="erin"), failures(0, 30)
    state = learned(tmp_path, log(tmp_path, "old.jsonl", sorted([*over, *goes_on], key=lambda each: json.loads(each)["time"])))
    (expected,) = {alert.id for alert in replayed(tmp_path, log(tmp_path, "one.jsonl", goes_on)) if alert.detector == "failed_login_burst"}
    append(tmp_path / "in.jsonl", [*calm(100, 3), *failures(130, 1), *calm(140, 10)])
    with service(settings(tmp_path, receiver, state), tmp_path / "run") as process:
        assert process.said("warm start: begins with the memory of ")
        assert process.said("learned from 60 events until 2026-01-01T00:00:58.000Z")
        assert until(lambda: expected in receiver.ids)
        assert process.stop() == 0
        assert "is not used" not in process.text()
    assert receiver.ids == {expected}
    assert json.loads(receiver.bodies[0])["count"] == 31
    append(tmp_path / "in.jsonl", calm(300, 3))
    with service(settings(tmp_path, receiver, state), tmp_path / "run") as process:
        assert process.said("service.warm_start is not used: the store has a checkpoint, which is newer")
        assert process.said("went on from the last checkpoint")
        assert process.stop() == 0
        assert "warm start: begins" not in process.text()
    state.unlink()
    with service(settings(tmp_path, receiver, state), tmp_path / "run") as process:
        assert process.said("went on from the last checkpoint"), "it is not needed any more"
        assert process.stop() == 0


def test_a_history_that_ends_after_the_stream_begins_makes_nothing_late(tmp_path: Path, receiver: Receiver) -> None:
    history = calm(0, 200)
    state = learned(tmp_path, log(tmp_path, "old.jsonl", history))
    # From the middle of the history on: what is in it comes again, and what was missing in it is an attack.
    missing = failures(1_001, 30)
    records = sorted([*history[100:], *missing], key=lambda each: json.loads(each)["time"])
    append(tmp_path / "in.jsonl", [*records, *calm(3_000, 3)])
    with service(settings(tmp_path, receiver, state), tmp_path / "run") as process:
        assert until(lambda: bool(receiver.ids))
        assert until(lambda: process.metric("events_total") == len(missing) + 3)
        assert process.metric("events_late_total") == 0
        assert process.stop() == 0
    assert {json.loads(body)["entity"]["value"] for body in receiver.bodies} == {"alice"}


def test_a_state_file_that_cannot_be_used_ends_the_start_with_one_line(tmp_path: Path, receiver: Receiver) -> None:
    good = learned(tmp_path, log(tmp_path, "old.jsonl", calm(0, 5)))
    bad = tmp_path / "bad.db"
    bad.write_bytes(good.read_bytes()[:-4096])
    append(tmp_path / "in.jsonl", calm(100, 3))
    for path, why in (
        (bad, "is damaged"),
        (tmp_path / "nowhere.db", "cannot read "),
        (tmp_path / "in.jsonl", "is no state file; make one"),
    ):
        config = settings(tmp_path, receiver, path)
        with service(config, tmp_path / "run") as process:
            assert process.wait(20) == 2
            line = process.text().splitlines()[-1]
            assert line.startswith("watchfloor: service.warm_start: ")
            assert why in line
            assert "make one with: watchfloor replay --learn-only --state-out FILE LOG..." in line
        checked = watchfloor("check-config", "-c", tmp_path / "run" / "watchfloor.yaml")
        assert checked.code == 1
        assert checked.err.startswith("watchfloor: service.warm_start: ")


def test_under_other_settings_it_begins_with_what_fits(tmp_path: Path, receiver: Receiver) -> None:
    records = [json.loads(record) | {"actor": f"person{i}", "ip": "198.51.100.7"} for i, record in enumerate(calm(0, 1_200, every=1))]
    state = learned(tmp_path, log(tmp_path, "old.jsonl", [json.dumps(record).encode() for record in records]))
    limits = {"password_spray": {"enabled": False}, "dormant_account": {"max_keys": 1_000}}
    append(tmp_path / "in.jsonl", calm(2_000, 3))
    with service(settings(tmp_path, receiver, state, detectors=limits), tmp_path / "run") as process:
        assert process.said("the state file also has detectors that do not run here, which are left out: password_spray/by_ip")
        assert process.said("detector dormant_account/by_actor may remember fewer keys here: 200 keys of the state file forgotten")
        assert process.metric("detector_keys", detector="dormant_account") <= 1_001
        assert process.stop() == 0


def test_alerts_of_the_file_are_what_the_store_delivers_after_a_crash(tmp_path: Path, receiver: Receiver) -> None:
    state = learned(tmp_path, log(tmp_path, "old.jsonl", failures(0, 6)))
    append(tmp_path / "in.jsonl", calm(10, 2))
    with service(settings(tmp_path, receiver, state), tmp_path / "run") as process:
        assert process.said("warm start: begins")
        assert until(lambda: process.metric("checkpoint_age_seconds") >= 0 and (tmp_path / "store.db").exists())
        assert until(lambda: process.get("/readyz").status == 200)
        process.kill()
    append(tmp_path / "in.jsonl", [*failures(40, 8), *calm(60, 3)])
    both = log(tmp_path, "both.jsonl", [*failures(0, 6), *calm(10, 2), *failures(40, 8), *calm(60, 3)])
    expected = {alert.id for alert in read_alerts(_alerts(tmp_path, both))}
    assert expected
    with service(settings(tmp_path, receiver, state), tmp_path / "run") as process:
        assert until(lambda: receiver.ids >= expected)
        assert process.stop() == 0
    assert receiver.ids == expected


def _alerts(folder: Path, source: Path) -> Path:
    replayed(folder, source, name="all.jsonl")
    return folder / "all.jsonl"
