"""Writes what a measurement has shown as a page of the documentation."""

from collections.abc import Iterator

import msgspec

from detectors.phrases import times
from detectors.registry import DETECTORS
from monitor import __version__
from monitor.evaluate.frontier import AXES, Frontier
from monitor.evaluate.learning import Learning, sections, table
from monitor.evaluate.plan import REPORTING_SEEDS, TUNING_SEEDS, Plan
from monitor.evaluate.scoring import DetectorScore, Scores
from monitor.evaluate.words import daily, delay, limit_in_words, of, share
from monitor.simulate.attacks import ATTACKS

AIM_HIGH, AIM_MEDIUM, AIM_FALSE_PER_DAY = 0.95, 0.85, 1.0
_AXIS_TITLES = {"strength": "How weak", "stretch": "How slow", "spread": "How spread"}


class Measured(msgspec.Struct, kw_only=True):
    """Everything the page shows."""

    plan: Plan
    date: str
    attacked: Scores
    quiet: Scores
    frontier: Frontier | None
    learning: Learning | None = None
    events: int
    seconds: float


def document(measured: Measured) -> str:
    """The page, as Markdown."""
    learned = sections(measured.learning, measured.plan) if measured.learning is not None else ()
    return (
        "\n".join(
            [
                *(*_head(measured), *_aims(measured), *_detectors(measured), *_missed(measured)),
                *(*learned, *_edges(measured.frontier), *_again()),
            ]
        )
        + "\n"
    )


def _head(measured: Measured) -> Iterator[str]:
    plan, scores = measured.plan, measured.attacked
    yield "# Evaluation"
    yield ""
    yield "How many attacks are found, how soon, and how many alerts are false. `make evaluate` measures all of it anew and writes this page."
    yield ""
    yield (
        f"Measured on {measured.date} with version {__version__}: {times(len(plan.seeds), 'made-up world')} of {plan.days:g} days and {plan.users:,} people"
        f" (seeds {', '.join(map(str, plan.seeds))}), each once with {len(scores.attacks) // max(1, len(plan.seeds)):,} attacks and once without any;"
        f" {measured.events:,} events in {measured.seconds / 60:.1f} minutes. All detectors had their defaults."
    )
    yield ""
    yield (
        f"In each world every attack is made {plan.repeats} times at each intensity ({', '.join(plan.intensities)}), at drawn times of day and"
        " night, from one to three addresses, half to one and a quarter times as long as usual. Nobody has looked at these seeds while changing"
        f" detectors: for that there are others ({', '.join(map(str, TUNING_SEEDS))})."
        if tuple(plan.seeds) == REPORTING_SEEDS
        else f"This is no full measurement: the seeds for reports are {', '.join(map(str, REPORTING_SEEDS))}."
    )
    yield ""
    yield "The traffic is made up by the same people who made the detectors. What it says about yours, only yours can tell: `watchfloor evaluate`."


def _aims(measured: Measured) -> Iterator[str]:
    scores, quiet = measured.attacked, measured.quiet
    yield from ("", "## What was aimed at, and what was reached", "")
    yield from table(("", "aim", "reached", ""), ":-::")
    for name, aim in (("high", AIM_HIGH), ("medium", AIM_MEDIUM)):
        rate = scores.by_intensity.get(name)
        if rate is not None and rate.recall is not None:
            verdict = "reached" if rate.recall >= aim else "**missed**"
            yield f"| recall at {name} intensity | ≥ {aim:g} | {share(rate.recall)} ({of(rate)}) | {verdict} |"
    low = scores.by_intensity.get("low")
    if low is not None and low.recall is not None:
        yield f"| recall at low intensity | – | {share(low.recall)} ({of(low)}) | |"
    for title, each in (("among attacks", scores), ("in weeks without attacks", quiet)):
        per_day = each.false.medium_per_day
        verdict = "reached" if per_day <= AIM_FALSE_PER_DAY else "**missed**"
        yield f"| false alerts of medium severity or higher a day, {title} | ≤ {AIM_FALSE_PER_DAY:g} | {daily(per_day)} | {verdict} |"
        yield f"| false alerts of any severity a day, {title} | – | {daily(each.false.per_day)} | |"
    watched = [attack for attack in scores.attacks if attack.truth.detectors]
    told = sum(attack.noticed for attack in watched)
    yield f"| attacks that somebody was told of, by whatever detector | – | {told:,} of {len(watched):,} | |"
    yield f"| time to detect (median) | – | {delay(scores.overall.median_s)} | |"
    yield ""
    yield (
        f"Alerts that told nobody because another one spoke for their incident are not counted as false: there were {scores.false.inhibited:,} such"
        f" among attacks and {quiet.false.inhibited:,} without. A day is a day of one world: {measured.plan.users:,} people in"
        f" {measured.plan.tenants} tenants."
    )


def _detectors(measured: Measured) -> Iterator[str]:
    scores = measured.attacked
    quiet = {row.detector: row for row in measured.quiet.detectors}
    yield from ("", "## Detector by detector", "")
    yield "Found of expected for each intensity. False alerts a day: of any severity, and of medium or higher; the last two in the weeks without attacks."
    yield ""
    heads = ("detector", "recall", *scores.by_intensity, "time to detect", "precision", "false", "≥ medium", "quiet: false", "≥ medium")
    yield from table(heads, ":" + "-" * (len(heads) - 1))
    for row in sorted(scores.detectors, key=lambda each: each.detector):
        calm = quiet.get(row.detector)
        cells = [
            share(row.overall.recall),
            *(of(row.by_intensity.get(name)) for name in scores.by_intensity),
            delay(row.overall.median_s),
            share(row.precision),
            *_false(row),
            *_false(calm),
        ]
        yield f"| `{row.detector}` | {' | '.join(cells)} |"
    silent = sorted(set(DETECTORS) - {name for kind in ATTACKS.values() for name in kind.expected()})
    if silent:
        yield f"\nNo attack is made for: {', '.join(f'`{name}`' for name in silent)}."
    unwatched = [name for name, kind in ATTACKS.items() if not kind.expected()]
    if unwatched:
        told = sum(attack.noticed for attack in scores.attacks if attack.truth.scenario in unwatched)
        made = sum(attack.truth.scenario in unwatched for attack in scores.attacks)
        yield ""
        yield (
            f"No detector is expected to see {', '.join(f'`{name}`' for name in unwatched)}. Of {made} such attacks somebody was told of {told};"
            " they do not count in the recall."
        )
    if scores.also_seen:
        yield ""
        yield "What else saw an attack (in how many of them):"
        yield ""
        for scenario, also in sorted(scores.also_seen.items()):
            yield f"- `{scenario}`: {', '.join(f'`{name}` {n}' for name, n in sorted(also.items(), key=lambda item: (-item[1], item[0])))}"


def _false(row: DetectorScore | None) -> tuple[str, str]:
    return ("–", "–") if row is None else (daily(row.false.per_day), daily(row.false.medium_per_day))


def _missed(measured: Measured) -> Iterator[str]:
    missed = [attack for attack in measured.attacked.attacks if any(name not in attack.found for name in attack.truth.detectors)]
    yield from ("", "## What was missed", "")
    if not missed:
        yield "Nothing."
        return
    yield f"{len(missed)} of {len(measured.attacked.attacks)} attacks were not seen by a detector that should. Each attack, how it was made, and who saw it all the same:"
    yield ""
    yield from table(("attack", "intensity", "events", "addresses", "length", "not seen by", "seen by"), "::---::")
    for attack in sorted(missed, key=lambda each: (each.truth.scenario, each.truth.intensity, each.truth.start)):
        truth = attack.truth
        unseen = ", ".join(f"`{name}`" for name in truth.detectors if name not in attack.found)
        seen = ", ".join(f"`{name}`" for name in [*attack.found, *attack.also]) or "nobody"
        length = delay(truth.end - truth.start).replace("at once", "a moment")
        yield f"| `{truth.scenario}` | {truth.intensity} | {truth.events} | {truth.spread or '–'} | {length} | {unseen} | {seen} |"


def _edges(frontier: Frontier | None) -> Iterator[str]:
    if frontier is None:
        return
    yield from ("", "## How slow or spread an attack must be to pass", "")
    yield (
        f"One attack alone in a small world, in {len(frontier.seeds)} worlds of its own for each point; found means by the detector it is made for,"
        " in all of them. Strength 1 is low, 2 medium, 3 high; below 1 it has fewer or less telling steps than low. `n×` is a medium attack drawn"
        " out to so many times its usual length."
    )
    for axis in AXES:
        edges = [edge for edge in frontier.edges if edge.axis == axis]
        if edges:
            yield from ("", f"### {_AXIS_TITLES[axis]}", "")
            yield from (f"- `{edge.scenario}`: {limit_in_words(edge)}." for edge in edges)


def _again() -> Iterator[str]:
    yield from ("", "## Again, and on other traffic", "")
    yield "```"
    yield "make evaluate"
    yield "watchfloor simulate --hours 504 --users 200 --scenario all --intensity medium --out events.jsonl --truth truth.jsonl"
    yield "watchfloor replay --out alerts.jsonl events.jsonl"
    yield "watchfloor evaluate --truth truth.jsonl alerts.jsonl --report evaluation.html --min-recall 0.9 --max-false-per-day 5"
    yield "```"
    yield ""
    yield (
        "A truth file has one JSON object a line: `scenario`, `detectors` (that should see it), `entities` and `involved` (as `type:value`), `start`"
        " and `end` (Unix seconds), `intensity`, `tenant`, and may say in `traffic` from when to when the traffic lasted. An alert belongs to an"
        " attack of its tenant when it is about one of its entities and spoke between its start and an hour after its end, or when its earliest"
        " event lies within the attack. It is false when it belongs to no attack."
    )
    yield ""
    yield "How simple peers do next to it on the same traffic (a fixed threshold, a z-score, half-space trees): [Performance](performance.md#next-to-simple-peers)."
