"""What of an evaluation is about learning: the alert budget, drift and poisoning; measured, and as sections of the page."""

from collections.abc import Iterator, Sequence

import msgspec

from detectors.learned.learner import LearnedDetector
from detectors.phrases import times
from monitor.evaluate.budgets import FIRST_DAY, TOLERANCE, Kept, measure_budgets
from monitor.evaluate.drift import DAYS_AFTER, Drift, measure_drift
from monitor.evaluate.plan import Plan
from monitor.evaluate.poisoning import (
    AFTER_DAYS,
    FILE_BYTES,
    FILES,
    FLOOD_HOURS,
    FLOOD_PER_HOUR,
    LISTS,
    MEASURES,
    USERS,
    Poisoning,
    Slope,
    measure_poisoning,
)
from monitor.evaluate.several import Say
from monitor.evaluate.words import daily, of


class Learning(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    budgets: tuple[Kept, ...]
    drift: Drift
    poisoning: Poisoning


def measure_learning(plan: Plan, say: Say) -> Learning:
    """All of it, one after the other."""
    return Learning(budgets=measure_budgets(plan, say), drift=measure_drift(plan, say), poisoning=measure_poisoning(plan, say))


def sections(learning: Learning, plan: Plan) -> Iterator[str]:
    """Lines of Markdown."""
    yield from _budgets(learning.budgets, plan)
    yield from _drift(learning.drift)
    yield from _poisoning(learning.poisoning)


def table(heads: Sequence[str], alignment: str) -> Iterator[str]:
    """The head of a table. ``:`` left, ``-`` right."""
    yield f"| {' | '.join(heads)} |"
    yield f"|{'|'.join('---' if each == ':' else '---:' for each in alignment)}|"


def _budgets(rows: Sequence[Kept], plan: Plan) -> Iterator[str]:
    yield from ("", "## The alert budget", "")
    yield (
        "Alerts of learned detectors on the weeks without attacks, a day for each tenant and kind of entity, against the budget that was asked for."
        f" Counted from day {min(FIRST_DAY, plan.days / 2):g} on: before, nobody is known well enough to be judged. By default floors (amounts,"
        " ratios, numbers of signs) come on top, so that a quiet tenant has fewer alerts than it would accept. Without them the budget alone is to"
        f" hold: within is ±{TOLERANCE:.0%}; not used up means that too little reached the least score that is ever worth an alert, which no setting changes. Exceeded may also be due to what scores"
        f" {LearnedDetector.always_score:g} or more, which is worth an alert whatever the budget: many attacked accounts must not hide one another."
    )
    yield ""
    yield from table(("detector", "of each", "floors", "budget", "realised", "realised / budget", "alerts", ""), ":::----:")
    for row in rows:
        floors = "default" if row.floors else "off"
        yield (
            f"| `{row.detector}` | {row.entity} | {floors} | {row.budget:g} | {daily(row.realised)} | {row.ratio:.2f} | {row.alerts:,} | {row.verdict} |"
        )


def _drift(drift: Drift) -> Iterator[str]:
    yield from ("", "## Drift", "")
    yield (
        f"On the morning of day {drift.day} a new version is rolled out: everybody sends {1 + drift.growth:g} times as many requests from the next"
        f" time they begin to work, and to endpoints that nobody used before ({drift.users:,} people in each world)."
        " Alerts of learned detectors about accounts, a day for each tenant, without any attack:"
    )
    yield ""
    yield from table(
        ("detector", "budget", "day of the deploy", f"each of the {DAYS_AFTER} days after", "these days without a deploy", ""), ":----:"
    )
    for row in drift.raised:
        days = (row.deploy_day + DAYS_AFTER * row.after) / (1 + DAYS_AFTER)
        verdict = "within" if days <= row.budget * (1 + TOLERANCE) else "**exceeded**"
        yield f"| `{row.detector}` | {row.budget:g} | {daily(row.deploy_day)} | {daily(row.after)} | {daily(row.usual)} | {verdict} |"
    yield ""
    yield "Found of the attacks of the day after (those that break no rule at each intensity, the others at medium), and of the same without a deploy:"
    yield ""
    yield from table(("by", "without", "the day after a deploy"), ":--")
    for name in (*(row.detector for row in drift.raised), None):
        without, after = drift.found(name)
        yield f"| {'all others together' if name is None else f'`{name}`'} | {of(without)} | {of(after)} |"


def _poisoning(poisoning: Poisoning) -> Iterator[str]:
    yield from ("", "## Poisoning", "")
    yield (
        f"Two accounts among {USERS} people have a task of their own every day: one takes {FILES} files of {FILE_BYTES / 1e6:g} MB, one asks for"
        f" {LISTS} lists. After {poisoning.past} days the amount rises by the same share each day, for {poisoning.growing} days, until somebody notices. The"
        f" learned detectors and `bulk_export` are on. In {times(poisoning.worlds, 'world')} each (medians):"
    )
    yield ""
    yield from table(("growth a day", "of", "found", "after", "at so many times the usual", "by"), "-:---:")
    for row in poisoning.slopes:
        after = "–" if row.days is None else f"{row.days:.1f} d"
        amount = "–" if row.times is None else f"{row.times:.1f}"
        names = ", ".join(f"`{name}`" for name in row.detectors) or "nobody"
        yield f"| {row.slope:.0%} | {row.measure} | {row.found}/{row.tried} | {after} | {amount} | {names} |"
    yield ""
    yield " ".join(_passes([row for row in poisoning.slopes if row.measure == measure], poisoning.growing) for measure in MEASURES)
    yield ""
    yield (
        f"One account sends {FLOOD_PER_HOUR:,} requests an hour for {FLOOD_HOURS} hours. What a score about another account of its tenant must"
        " exceed (floors off, so that scores are many; mean over the worlds):"
    )
    yield ""
    yield from table(("detector", "before the flood", "at its end", "at the same time without it"), ":---")
    for flood in poisoning.floods:
        yield f"| `{flood.detector}` | {flood.before:.2f} | {flood.after:.2f} | {flood.without:.2f} |"
    yield ""
    yield (
        f"The flood was found in {poisoning.flood_found} of {times(poisoning.worlds, 'world')}. Alerts about others of its tenant, from its"
        f" beginning for {AFTER_DAYS} days: {poisoning.others}, and {poisoning.others_without} without it."
    )


def _passes(rows: Sequence[Slope], days: int) -> str:
    """What is not found, in a sentence. ``rows``: of one measure, the gentlest first."""
    kind = rows[0].measure
    missed = [row for row in rows if row.slope and row.found < row.tried]
    if not missed:
        return f"Of {kind}, every slope was found in every world."
    worst = missed[-1]
    return f"Of {kind}, a rise of {worst.slope:.0%} a day may pass: within {days} days it comes to {(1 + worst.slope) ** days:.1f} times the usual amount."
