"""From made-up traffic to its evaluation, with the commands a user would run."""

from pathlib import Path

import orjson

from monitor.evaluating import evaluate
from monitor.simulate.attacks import ATTACKS
from tests.commands import watchfloor


def test_simulated_attacks_are_replayed_and_scored(tmp_path: Path) -> None:
    events, truth, alerts, scores = (tmp_path / name for name in ("events.jsonl", "truth.jsonl", "alerts.jsonl", "scores.json"))
    # Without those that break no rule: three days are too short for what has to learn first.
    names = [part for name, kind in ATTACKS.items() if kind.detectors for part in ("--scenario", name)]
    options = ("--hours", "72", "--users", "150", "--seed", "4", *names, "--intensity", "high")
    assert watchfloor("simulate", *options, "--out", events, "--truth", truth).code == 0
    assert watchfloor("replay", "--out", alerts, events).code == 0
    assert evaluate(truth=truth, alerts=alerts, json=scores, report=tmp_path / "page.html", min_recall=0.95, max_false_per_day=5.0) == 0
    data = orjson.loads(scores.read_bytes())
    assert data["days"] == 3.0
    assert data["overall"]["expected"] == 25  # twenty detectors with an attack each, and a campaign through five of them
    assert data["overall"]["recall"] == 1.0
    assert data["false"]["medium_per_day"] <= 1.0
    assert evaluate(truth=truth, alerts=alerts, min_recall=0.95, max_false_per_day=0.0) == 1


def test_untidy_delivery_costs_nothing(tmp_path: Path) -> None:
    from monitor.simulating import simulate

    events, truth, alerts = (tmp_path / name for name in ("events.jsonl", "truth.jsonl", "alerts.jsonl"))
    simulate(
        out=events,
        truth=truth,
        hours=48,
        users=60,
        seed=4,
        scenarios=["password_spray", "bulk_export"],
        shuffle_s=0.9,
        duplicates=0.05,
        late=0.02,
    )
    ran = watchfloor("replay", "--out", alerts, events)
    assert ran.code == 0
    assert "repeats   0" not in ran.out
    assert evaluate(truth=truth, alerts=alerts, min_recall=1.0) == 0
