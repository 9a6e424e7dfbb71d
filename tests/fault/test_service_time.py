"""Neither a clock that is put right, nor silence, nor late records cost an alert or let one be said twice."""

import json
import signal
import time
from pathlib import Path

import pytest

from tests.receiver import receiving
from tests.service import T0, append, attacks, expected_of, reading, service, until, webhook

HOUR_S = 3_600


@pytest.mark.parametrize("start", [T0, None], ids=["old", "live"])
def test_a_clock_that_steps_an_hour_ahead_and_back_changes_nothing(tmp_path: Path, start: int | None) -> None:
    records = attacks(9, start=time.time() - 60 if start is None else start)
    expected = expected_of(tmp_path, records)
    clock = tmp_path / "clock"
    clock.write_text("0")
    shares = [records[at : at + len(records) // 3 + 1] for at in range(0, len(records), len(records) // 3 + 1)]
    with (
        receiving() as receiver,
        service(reading(tmp_path, {"soc": webhook(receiver.url)}), tmp_path / "run", altered={"clock": str(clock)}) as process,
    ):
        for share, offset in zip(shares, (HOUR_S, -HOUR_S, 0), strict=True):
            before = len(receiver.received)
            append(tmp_path / "in.jsonl", share)
            assert until(lambda before=before: len(receiver.received) > before)  # type: ignore[misc]  # mypy cannot see through a lambda's default
            clock.write_text(str(offset))
            process.popen.send_signal(signal.SIGUSR1)
        assert until(lambda: receiver.ids >= expected)
        assert until(lambda: process.metric("outbox_pending") == 0)
        assert until(lambda: process.get("/readyz").status == 200)
        assert until(lambda: 0 <= process.metric("checkpoint_age_seconds") < 60)
        assert process.stop() == 0
    assert receiver.ids == expected
    assert receiver.repeated == 0


def test_the_clock_was_another_one_before_a_restart(tmp_path: Path) -> None:
    """What waits for a sink is neither given up nor held back because the clock was an hour ahead when it was said."""
    records = attacks(4)
    expected = expected_of(tmp_path, records)
    clock = tmp_path / "clock"
    with receiving() as receiver:
        config = reading(tmp_path, {"soc": webhook(receiver.url, breaker={"failures": 50})}, service={"idle_s": 0.5, "drain_s": 0})
        receiver.answers = [(503, {})] * 3
        for number, (offset, share) in enumerate(((HOUR_S, records[:100]), (-HOUR_S, records[100:]))):
            clock.write_text(str(offset))
            append(tmp_path / "in.jsonl", share)
            with service(config, tmp_path / f"run{number}", altered={"clock": str(clock)}) as process:
                wanted = expected if number else set()
                assert until(lambda wanted=wanted: bool(receiver.asked_at) and receiver.ids >= wanted)  # type: ignore[misc]  # as above
                assert process.stop() == 0
    assert receiver.ids == expected
    assert receiver.repeated == 0


def test_alerts_resolve_while_the_input_is_silent(tmp_path: Path) -> None:
    quiet = {"failed_login_burst": {"by_ip": {"quiet_s": 2}, "by_actor": {"quiet_s": 2}}}
    append(tmp_path / "in.jsonl", attacks(1))
    with receiving() as receiver, service(reading(tmp_path, {"soc": webhook(receiver.url)}, detectors=quiet), tmp_path / "run") as process:
        assert until(lambda: bool(receiver.received))
        began = time.monotonic()
        assert until(lambda: {alert.id for alert in receiver.versions() if alert.status == "resolved"} == receiver.ids, 15)
        assert time.monotonic() - began < 10
        assert process.metric("open_alerts") == 0
        assert process.stop() == 0
    last = {alert.id: alert.status for alert in receiver.versions()}
    assert set(last.values()) == {"resolved"}
    assert receiver.repeated == 0


def test_records_that_come_late_are_counted_and_change_nothing_else(tmp_path: Path) -> None:
    records = attacks(4)
    late = [
        json.dumps({"id": f"late{i}", "time": T0 + i, "kind": "auth.login", "outcome": "success", "actor": "sue"}).encode()
        for i in range(5)
    ]
    records += late
    expected = expected_of(tmp_path, records)
    append(tmp_path / "in.jsonl", records)
    with receiving() as receiver, service(reading(tmp_path, {"soc": webhook(receiver.url)}), tmp_path / "run") as process:
        assert until(lambda: receiver.ids >= expected)
        assert until(lambda: process.metric("events_late_total") == len(late))
        # Late by hours of quiet time: the clock has gone on meanwhile.
        append(tmp_path / "in.jsonl", [record.replace(b"late", b"later") for record in late])
        assert until(lambda: process.metric("events_late_total") == 2 * len(late))
        assert process.metric("events_total") == len(records) + len(late)
        assert process.stop() == 0
    assert receiver.ids == expected
    assert receiver.repeated == 0
