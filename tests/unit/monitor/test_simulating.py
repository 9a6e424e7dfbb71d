"""The `simulate` command."""

from pathlib import Path

import orjson
import pytest

from monitor.simulate.attacks import ATTACKS
from monitor.simulate.world import WorldSettings
from monitor.simulating import simulate, stream
from monitor.sinks.errors import OutputError
from schemas.errors import ConfigurationError


def test_it_writes_events_and_the_truth(tmp_path: Path) -> None:
    out, truth = tmp_path / "events.jsonl", tmp_path / "truth.jsonl"
    assert simulate(out=out, truth=truth, hours=48, users=20, scenarios=["all", "campaign"]) == 0
    events = [orjson.loads(line) for line in out.read_bytes().splitlines()]
    assert len(events) > 5000
    assert {"id", "time", "kind"} <= events[0].keys()
    said = [orjson.loads(line) for line in truth.read_bytes().splitlines()]
    assert [one["scenario"] for one in said] == [*ATTACKS, "campaign"]


def test_without_scenarios_there_is_no_attack(tmp_path: Path) -> None:
    truth = tmp_path / "truth.jsonl"
    simulate(out=tmp_path / "events.jsonl", truth=truth, hours=1, users=5)
    assert truth.read_bytes() == b""


def test_standard_output_can_be_written_to(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    simulate(out=Path("-"), hours=1, users=5)
    lines = capfdbinary.readouterr().out.splitlines()
    assert len(lines) > 100
    assert orjson.loads(lines[-1])["kind"] == "api.request"


def test_attacks_can_be_weaker_than_low(tmp_path: Path) -> None:
    truth = tmp_path / "truth.jsonl"
    simulate(
        out=tmp_path / "events.jsonl",
        truth=truth,
        hours=48,
        users=20,
        scenarios=["failed_login_burst"],
        strength=0.5,
        spread=2,
        stretch=3.0,
    )
    said = orjson.loads(truth.read_bytes())
    assert (said["events"], said["intensity"], said["spread"]) == (6, "0.5", 2)
    assert said["end"] - said["start"] == pytest.approx(900, rel=0.2)  # three times five minutes


def test_delivery_can_be_untidy(tmp_path: Path) -> None:
    tidy, untidy = tmp_path / "tidy.jsonl", tmp_path / "untidy.jsonl"
    simulate(out=tidy, hours=6, users=20)
    simulate(out=untidy, hours=6, users=20, shuffle_s=10.0, duplicates=0.1, late=0.1, late_s=60.0)
    expected, got = tidy.read_bytes().splitlines(), untidy.read_bytes().splitlines()
    assert set(got) == set(expected)
    assert len(got) > len(expected)
    assert list(dict.fromkeys(got)) != expected


def test_other_formats_can_be_written(tmp_path: Path) -> None:
    out = tmp_path / "auth.log"
    simulate(out=out, hours=12, users=20, format="sshd")
    lines = out.read_text().splitlines()
    assert len(lines) > 10
    assert all("-gw sshd[" in line for line in lines)


def test_a_stream_gives_the_time_of_each_record() -> None:
    truths, events = stream(WorldSettings(hours=1, users=5))
    pairs = list(events)
    assert truths == ()
    assert all(orjson.loads(record)["time"] == pytest.approx(ts, abs=0.001) for ts, record in pairs)


def test_a_rate_is_kept(tmp_path: Path) -> None:
    slept: list[float] = []
    out = tmp_path / "events.jsonl"
    simulate(out=out, hours=1, users=5, rate=100, now=lambda: sum(slept), sleep=slept.append)
    assert sum(slept) == pytest.approx(len(out.read_bytes().splitlines()) / 100)
    assert max(slept) < 0.11


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"rate": 0.0}, "--rate: "),
        ({"truth": "events.jsonl"}, "--truth: is the file of --out"),
        ({"scenarios": ["x"]}, "scenario: there is no x"),
        ({"users": 0}, "users: "),
        ({"duplicates": 2.0}, "duplicates: "),
        ({"format": "evtx"}, "--format: "),
        ({"strength": 0.0, "scenarios": ["campaign"]}, "strength: "),
    ],
)
def test_wrong_options_are_refused_before_anything_is_written(
    options: dict[str, object], problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if "truth" in options:
        options = {"truth": Path("events.jsonl")}
    with pytest.raises(ConfigurationError) as caught:
        simulate(out=Path("events.jsonl"), **options)  # type: ignore[arg-type]
    assert str(caught.value).startswith(problem)
    assert not Path("events.jsonl").exists()


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"--out: .*no such file"):
        simulate(out=tmp_path / "nowhere" / "events.jsonl", hours=1, users=5)


def test_a_full_disk_is_no_traceback() -> None:
    with pytest.raises(OutputError, match=r"--out: /dev/full: .*no space left"):
        simulate(out=Path("/dev/full"), hours=1, users=5)
