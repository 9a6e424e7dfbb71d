"""Killed at any moment, the service loses no alert, and repeats one only where the kill fell between an answer and its mark."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.crashing import STEPS
from tests.receiver import Receiver, receiving
from tests.service import append, attacks, expected_of, reading, service, until, webhook


def settings(folder: Path, receiver: Receiver) -> dict[str, Any]:
    return reading(folder, {"soc": webhook(receiver.url)})


def finish(config: dict[str, Any], folder: Path, receiver: Receiver, expected: set[str]) -> None:
    """Run undisturbed until everything has been said, and a moment longer."""
    with service(config, folder / "last") as last:
        assert until(lambda: last.ready)
        until(lambda: receiver.ids >= expected, 60)
        assert last.stop() == 0
    assert receiver.ids == expected


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("count", [1, 3])
def test_killed_between_two_steps_it_loses_nothing(tmp_path: Path, step: str, count: int) -> None:
    records = attacks(8)
    expected = expected_of(tmp_path, records)
    with receiving() as receiver:
        config = settings(tmp_path, receiver)
        pieces = [records[at : at + 60] for at in range(0, len(records), 60)]
        append(tmp_path / "in.jsonl", pieces.pop(0))
        with service(config, tmp_path / "first", f"{step}:{count}") as first:
            while not until(lambda: not first.running, 0.5):
                assert pieces, "the trap was never reached"
                append(tmp_path / "in.jsonl", pieces.pop(0))
        assert first.wait(0) == -9
        for piece in pieces:
            append(tmp_path / "in.jsonl", piece)
        finish(config, tmp_path, receiver, expected)
    assert receiver.repeated == (1 if step == "sent" else 0)


def test_fifty_kills_at_random_moments(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    rng = random.Random(20)
    kills = 50
    records = attacks(60)
    expected = expected_of(tmp_path, records)
    share = len(records) // kills + 1
    with receiving() as receiver:
        receiver.delay_s = 0.02
        config = settings(tmp_path, receiver)
        for life in range(kills):
            append(tmp_path / "in.jsonl", records[life * share : (life + 1) * share])
            with service(config, tmp_path / f"life{life}") as process:
                until(lambda: not process.running, 0.6 + rng.random() * 1.2)
                process.kill()
        finish(config, tmp_path, receiver, expected)
        assert receiver.repeated <= kills
        record_property("repeated", receiver.repeated)
        record_property("sent", len(receiver.received))
