"""`watchfloor run` as whoever starts, stops and reloads it sees it."""

import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monitor.settings import load
from tests.receiver import Receiver, receiving
from tests.service import Process, append, attacks, expected_of, reading, service, until, webhook


def settings(folder: Path, receiver: Receiver, **more: Any) -> dict[str, Any]:
    return reading(folder, {"soc": webhook(receiver.url)}, **more)


# -- the start ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [None, {"sinks": {"soc": {"type": "stdout"}}}])
def test_without_an_input_it_says_what_it_needs_with_an_example_that_holds(tmp_path: Path, config: dict[str, Any] | None) -> None:
    with service(config, tmp_path) as process:
        assert process.wait(20) == 2
    text = process.text()
    assert text.startswith("watchfloor: nothing is configured to be read. Name a file with -c, for example:\n\n")
    example = tmp_path / "example.yaml"
    example.write_text(text.split("\n\n")[1])
    loaded = load(example, {})
    assert loaded.kafka is not None
    assert loaded.kafka.topics[0].name == "auth-events"
    assert list(loaded.sinks) == ["alerts"]


def test_every_mistake_in_the_configuration_is_one_line_with_its_cure(tmp_path: Path) -> None:
    config = {
        "follow": [{"path": "in.jsonl", "format": "natvie"}],
        "http": {"host": "0.0.0.0"},
        "sinks": {"pager": {"type": "pagerduty", "routing_key": "n0tAKeyButSecret"}},
        "detectors": {"password_spray": {"thresold": 5}},
    }
    with service(config, tmp_path) as process:
        assert process.wait(20) == 2
    lines = process.text().splitlines()
    assert lines[0].startswith("watchfloor: ")
    starts = {line.removeprefix("watchfloor: ").partition(": ")[0] for line in lines}
    assert starts == {"follow.0.format", "http.host", "sinks.pager.routing_key", "detectors.password_spray.thresold"}


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with service(None, tmp_path, arguments=("-c", str(tmp_path / "nowhere.yaml"))) as process:
        assert process.wait(20) == 2
    assert (
        process.text()
        == f"watchfloor: {tmp_path}/nowhere.yaml: no such file; give the path of a configuration file, or none to use the defaults\n"
    )


def test_a_port_in_use_is_named_and_nothing_is_read(tmp_path: Path) -> None:
    append(tmp_path / "in.jsonl", attacks(1))
    with receiving() as receiver, socket.create_server(("127.0.0.1", 0)) as other:
        config = settings(tmp_path, receiver, http={"port": other.getsockname()[1]})
        with service(config, tmp_path / "run") as process:
            assert process.wait(20) == 2
    (line,) = process.text().splitlines()
    assert line.startswith("watchfloor: http.port: ")
    assert receiver.asked_at == []


def test_settings_by_the_environment_alone_are_enough(tmp_path: Path) -> None:
    env = {
        "WATCHFLOOR__STANDARD_INPUT__FORMAT": "native",
        "WATCHFLOOR__STORE__PATH": str(tmp_path / "store.db"),
        "WATCHFLOOR__HTTP__PORT": "0",
    }
    with service(None, tmp_path, env=env) as process:
        assert process.wait(20) == 0
    assert "reads standard input" in process.text()


# -- the end --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_stopped_it_has_made_everything_safe(tmp_path: Path, number: signal.Signals, code: int) -> None:
    records = attacks(6)
    expected = expected_of(tmp_path, records)
    with receiving() as receiver:
        config = settings(tmp_path, receiver, store={"path": str(tmp_path / "store.db"), "checkpoint_interval_s": 60})
        append(tmp_path / "in.jsonl", records[: len(records) // 2])
        with service(config, tmp_path / "first") as process:
            assert until(lambda: bool(receiver.received))
            assert process.stop(number) == code
            assert process.text().splitlines()[-1].count("stopped; everything read is safe") == 1
        append(tmp_path / "in.jsonl", records[len(records) // 2 :])
        with service(config, tmp_path / "second") as process:
            assert until(lambda: receiver.ids >= expected)
            assert process.metric("events_total") < len(records), "what was safe was read again"
            assert process.stop(number) == code
    assert receiver.ids == expected
    assert receiver.repeated == 0


def test_two_signals_are_as_one(tmp_path: Path) -> None:
    append(tmp_path / "in.jsonl", attacks(2))
    with receiving() as receiver, service(settings(tmp_path, receiver), tmp_path / "run") as process:
        assert until(lambda: bool(receiver.received))
        receiver.delay_s = 1.0
        process.popen.send_signal(signal.SIGTERM)
        process.popen.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


# -- reload ---------------------------------------------------------------------------------------------------------------------------


def test_a_new_sink_and_a_new_limit_take_effect_and_nothing_is_lost_or_repeated(tmp_path: Path) -> None:
    records = attacks(10)
    half = len(records) // 2
    by_actor = expected_of(
        tmp_path, records, "-c", str(_config(tmp_path, {"failed_login_burst": {"by_ip": {"threshold": 1000, "fast_threshold": 0}}}))
    )
    both = expected_of(tmp_path, records)
    with receiving() as old, receiving() as new:
        config = settings(tmp_path, old)
        with service(config, tmp_path / "run") as process:
            append(tmp_path / "in.jsonl", records[:half])
            assert until(lambda: len(old.ids) > len(both) // 3)
            sinks = {**config["sinks"], "new": webhook(new.url)}
            limits = {"failed_login_burst": {"by_ip": {"threshold": 1000, "fast_threshold": 0}}}
            process.configure({**config, "sinks": sinks, "detectors": limits})
            process.reload()
            process.reload()  # one more while the first is under way
            assert process.said("the configuration was read again and is in force")
            assert process.said("went on from the last checkpoint")  # with the new limits, after the batch in hand
            assert process.metric("config_reload_success") == 1
            append(tmp_path / "in.jsonl", records[half:])
            assert until(lambda: old.ids >= by_actor)
            assert until(lambda: process.metric("outbox_pending") == 0)
            assert until(lambda: process.metric("deliveries_total", sink="new", result="sent") == len(new.received) > 0)
            # The sink is gone again, and nobody asks for it.
            process.configure(config)
            process.reload()
            assert until(lambda: list(process.checks()) == ["running", "reads", "lag", "store", "sink soc"])
            assert process.stop() == 0
    assert by_actor <= old.ids < both
    assert set(new.received) < set(old.received)
    assert [old.repeated, new.repeated] == [0, 0]


def _config(folder: Path, detectors: dict[str, Any]) -> Path:
    (folder / "limits.yaml").write_text(json.dumps({"detectors": detectors}))
    return folder / "limits.yaml"


Change = Callable[[dict[str, Any]], Any]
BAD: list[tuple[Change, str]] = [
    (lambda c: c.update(detectors={"password_spray": {"threshold": "many"}}), "detectors.password_spray.threshold: "),
    (lambda c: c.update(routes=[{"sinks": ["nobody"]}]), "routes.0.sinks: "),
    (lambda c: c["sinks"]["soc"].update(ca_file="/nowhere.pem"), "sinks.soc.ca_file: cannot be read"),
    (lambda c: c["sinks"].update(file={"type": "file", "path": "/nowhere/alerts.jsonl"}), "sinks.file.path: cannot write"),
    (lambda c: c["sinks"]["soc"].update(secret_file="/nowhere.key"), "sinks.soc.secret_file: cannot be read"),
    (lambda c: c.update(geography={"city_db": "/nowhere.mmdb"}), "geography.city_db: "),
    (lambda c: c.clear(), "follow: has changed, which needs a restart"),
    (lambda c: c["store"].update(path="/elsewhere.db"), "store: has changed, which needs a restart"),
    (lambda c: c["http"].update(port=1), "http: has changed, which needs a restart"),
]


def test_a_bad_configuration_is_refused_and_the_old_one_goes_on(tmp_path: Path) -> None:
    records = attacks(3)
    expected = expected_of(tmp_path, records)
    with receiving() as receiver, service(settings(tmp_path, receiver), tmp_path / "run") as process:
        assert until(lambda: process.ready and process.get("/readyz").status == 200)
        for number, (change, why) in enumerate(BAD, 1):
            config = settings(tmp_path, receiver)
            change(config)
            process.configure(config)
            process.reload()
            assert until(lambda number=number: _refusals(process) == number), why  # type: ignore[misc]  # mypy cannot see through a lambda's default
            assert f"the new configuration is refused, and the old one goes on: {why}" in process.text()
            assert process.metric("config_reload_success") == 0
        process.config.write_text("follow: [")
        process.reload()
        assert until(lambda: _refusals(process) == len(BAD) + 1)
        process.config.unlink()
        process.reload()
        assert until(lambda: _refusals(process) == len(BAD) + 2)
        append(tmp_path / "in.jsonl", records)
        assert until(lambda: receiver.ids >= expected)
        assert until(lambda: process.get("/readyz").status == 200)
        process.configure(settings(tmp_path, receiver))
        process.reload()
        assert until(lambda: process.metric("config_reload_success") == 1)
        assert process.stop() == 0
    assert receiver.ids == expected
    assert receiver.repeated == 0


def _refusals(process: Process) -> int:
    return process.text().count("the new configuration is refused")


# -- standard input and standard error ------------------------------------------------------------------------------------------------


def test_at_the_end_of_standard_input_it_ends_when_everything_is_delivered(tmp_path: Path) -> None:
    records = attacks(4)
    expected = expected_of(tmp_path, records)
    with receiving() as receiver:
        receiver.delay_s = 0.05
        config = {name: value for name, value in settings(tmp_path, receiver).items() if name != "follow"}
        config |= {"standard_input": {"format": "native"}}
        config["sinks"]["out"] = {"type": "stdout"}
        with service(config, tmp_path / "run", stdin=subprocess.PIPE) as process:
            assert process.popen.stdin is not None
            with process.popen.stdin as stdin:
                stdin.write(b"\n".join(records))
            assert process.wait(20) == 0
    assert receiver.ids == expected
    assert receiver.repeated == 0
    assert {json.loads(line)["id"] for line in process.out.read_bytes().splitlines()} == expected


def test_logs_are_json_lines_for_machines_and_text_for_people(tmp_path: Path) -> None:
    append(tmp_path / "in.jsonl", attacks(1))
    with receiving() as receiver:
        for form in ("auto", "json", "text"):
            config = settings(tmp_path, receiver, service={"idle_s": 0.5, "log_format": form})
            with service(config, tmp_path / form) as process:
                assert until(lambda process=process: process.ready)  # type: ignore[misc]  # mypy cannot see through a lambda's default
                assert process.stop() == 0
            lines = process.text().splitlines()
            if form == "text":
                assert all(re.fullmatch(r"\d\d:\d\d:\d\d (INFO|WARNING) watchfloor: .+", line) for line in lines), lines
            else:
                assert all({"time", "level", "logger", "event"} <= json.loads(line).keys() for line in lines)


def test_on_a_terminal_logs_are_text(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    (tmp_path / "c.yaml").write_text(
        json.dumps({"standard_input": {"format": "native"}, "store": {"path": str(tmp_path / "s.db")}, "http": {"port": 0}})
    )
    try:
        done = subprocess.run(
            [sys.executable, "-m", "monitor", "run", "-c", str(tmp_path / "c.yaml")],
            stdin=subprocess.DEVNULL,
            stderr=theirs,
            check=False,
            timeout=20,
        )
        text = os.read(ours, 65_536).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == 0
    assert "INFO watchfloor: stopped; everything read is safe" in text
    assert "{" not in text
