"""Measures how well attacks are found and writes ``docs/evaluation.md``: ``python -m monitor.evaluate``."""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from detectors.registry import DETECTORS
from monitor.evaluate import page
from monitor.evaluate.document import Measured, document
from monitor.evaluate.frontier import SEEDS, Frontier, explore
from monitor.evaluate.learning import measure_learning
from monitor.evaluate.plan import Plan
from monitor.evaluate.running import run
from monitor.evaluate.scoring import Scores, World, score_all
from monitor.evaluate.several import Say
from monitor.simulate.world import WorldSettings

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
SAY_EVERY = 250_000
"""Events between two lines of progress."""


def measure(plan: Plan, say: Say, *, frontier_seeds: Sequence[int] = SEEDS, learning: bool = True) -> Measured:
    """All of it, on two cores where there are two. ``learning``: also the sections on budget, drift and poisoning."""
    began = time.perf_counter()
    with ProcessPoolExecutor(max_workers=1) as beside:
        frontier = beside.submit(explore, seeds=frontier_seeds, on_progress=_say) if frontier_seeds else None
        attacked, n_attacked = _worlds(plan, plan.world, "with attacks", say)
        quiet, n_quiet = _worlds(plan, plan.quiet, "without", say)
        learned = measure_learning(plan, say) if learning else None
        edge: Frontier | None = None if frontier is None else frontier.result()
    return Measured(
        plan=plan,
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        attacked=attacked,
        quiet=quiet,
        frontier=edge,
        learning=learned,
        events=n_attacked + n_quiet,
        seconds=time.perf_counter() - began,
    )


def _worlds(plan: Plan, make: Callable[[int], WorldSettings], what: str, say: Say) -> tuple[Scores, int]:
    worlds, events = [], 0
    for seed in plan.seeds:
        said = [0]

        def progress(n: int, seed: int = seed, said: list[int] = said) -> None:
            if n >= said[0] + SAY_EVERY:
                said[0] = n
                say(f"seed {seed} {what}: {n:,} events")

        outcome = run(make(seed), on_progress=progress)
        events += outcome.events
        say(
            f"seed {seed} {what}: {outcome.events:,} events, {len(outcome.truths)} attacks, {len(outcome.alerts)} alerts"
            f" in {outcome.seconds:.0f} s ({outcome.events / outcome.seconds:,.0f} events/s)"
        )
        worlds.append(World(outcome.truths, outcome.alerts, plan.days))
    return score_all(worlds, detectors=DETECTORS), events


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code."""
    usual = Plan()
    parser = argparse.ArgumentParser(prog="python -m monitor.evaluate", description="Measure how well attacks are found.")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(usual.seeds), help="worlds (default: those for reports)")
    parser.add_argument("--days", type=float, default=usual.days, help="length of each (default: %(default)g)")
    parser.add_argument("--users", type=int, default=usual.users, help="people in each (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=usual.repeats, help="attacks of each kind and intensity (default: %(default)s)")
    parser.add_argument("--no-frontier", action="store_true", help="leave out how weak, slow and spread attacks may be")
    parser.add_argument("--no-learning", action="store_true", help="leave out the alert budget, drift and poisoning")
    parser.add_argument("--out", type=Path, default=DOCS / "evaluation.md", help="page to write (default: docs/evaluation.md)")
    parser.add_argument("--report", type=Path, help="HTML page to write as well")
    options = parser.parse_args(arguments)
    plan = msgspec.structs.replace(usual, seeds=tuple(options.seeds), days=options.days, users=options.users, repeats=options.repeats)
    measured = measure(plan, _say, frontier_seeds=() if options.no_frontier else SEEDS, learning=not options.no_learning)
    options.out.write_text(document(measured), "utf-8")
    if options.report is not None:
        options.report.write_text(page.render(measured.attacked, measured.frontier), "utf-8")
    _say(f"{options.out}: written, {measured.seconds / 60:.1f} minutes")
    return 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
