"""How rare is rare enough: a threshold that lets through as many alerts a day as somebody is willing to read.

The scores of a tenant's ordinary traffic are compared with one another: with a budget of one alert a day, the threshold over a fortnight is
the score that was exceeded fourteen times in it. That is the empirical quantile of conformal prediction (Vovk, Gammerman, Shafer 2005;
Laxhammar and Falkman 2014 for anomaly detection), which holds its rate whatever the distribution, as long as days are alike. Only the highest scores matter for that,
so the memory is a short list.
"""

from typing import Annotated

import msgspec
from pydantic import Field

from detectors.settings import Strict

DAY_S = 86_400.0
PERIOD_DAYS = 14.0
MOST_SCORES = 64
"""Highest scores kept for each tenant. Of large budgets they span less than the period, see ``period_s``."""
SCORES_OF_ONE = 3
"""Of one entity within a period: nobody can fill the list alone, and so move the threshold of the others."""
HORIZONS = ((PERIOD_DAYS, 1.0), (3.0, 1.5), (1.0, 2.0))
"""(days, factor): within each of these no more than so many times the budget. The short ones hold when everything changes at once."""
MOST_ALERTS = 256


class BudgetLimits(Strict):
    """`budget`: how often a learned detector may speak of ordinary traffic."""

    alerts_per_day: Annotated[
        float,
        Field(
            gt=0,
            le=1_000,
            description="Alerts a day for each tenant that are accepted on ordinary traffic. The threshold follows: over 14 days it is the score reached that often.",
        ),
    ] = 1.0


class Score(msgspec.Struct, array_like=True, gc=False):
    """One of the highest scores."""

    score: float
    ts: float
    who: str


class Budget(msgspec.Struct):
    """At most 64 scores and 256 times of alerts: up to about 10 KB for each tenant."""

    since: float = 0.0
    """Event time from which scores count; 0: none yet."""
    top: list[Score] = msgspec.field(default_factory=list)
    """Highest first."""
    alerts: list[tuple[float, str]] = msgspec.field(default_factory=list)
    """When alerts were raised within the period, and about whom."""

    def begin(self, ts: float) -> None:
        """Somebody is known well enough to be judged: from now on days count."""
        if not self.since:
            self.since = ts

    def note(self, who: str, score: float, ts: float, per_day: float) -> None:
        """A window of somebody had this score; of windows within a day only the highest counts."""
        self.begin(ts)
        top = self.top
        if len(top) >= MOST_SCORES and score <= top[-1].score:
            return
        period_s = _period_s(per_day)
        theirs = []
        kept = []
        for each in top:
            if each.ts < ts - period_s:
                continue
            kept.append(each)
            if each.who == who:
                if abs(each.ts - ts) < DAY_S:
                    if each.score >= score:
                        return
                    kept.pop()
                else:
                    theirs.append(each)
        if len(theirs) >= SCORES_OF_ONE:
            lowest = theirs[-1]  # the list is in the order of scores
            if lowest.score >= score:
                return
            kept.remove(lowest)
        place = next((i for i, each in enumerate(kept) if each.score < score), len(kept))
        kept.insert(place, Score(score, ts, who))
        del kept[MOST_SCORES:]
        self.top = kept

    def threshold(self, now: float, per_day: float, least: float, most: float) -> float:
        """The score that must be exceeded now, between ``least`` (worth an alert at all) and ``most`` (always worth one)."""
        known_days = (now - self.since) / DAY_S if self.since else 0.0
        found = least
        longest = _period_s(per_day) / DAY_S
        for days, factor in HORIZONS:
            days = min(days, longest, max(known_days, 1.0))
            allowed = int(per_day * days * factor)
            recent = [each.score for each in self.top if each.ts >= now - days * DAY_S]
            if len(recent) > allowed:
                found = max(found, recent[allowed])
        return min(found, most)

    def spend(self, who: str, ts: float, per_day: float) -> None:
        """An alert was raised. One that comes back within a day is the same."""
        oldest = ts - _period_s(per_day)
        if any(name == who and abs(ts - at) < DAY_S for at, name in self.alerts):
            return
        self.alerts = [each for each in self.alerts if each[0] >= oldest][-MOST_ALERTS + 1 :]
        self.alerts.append((ts, who))

    def realised(self, now: float, per_day: float) -> float:
        """Alerts a day over the period, or over what is known of it."""
        if not self.since:
            return 0.0
        period_s = _period_s(per_day)
        days = max(1.0, min(period_s, now - self.since) / DAY_S)
        return sum(1 for at, _ in self.alerts if at >= now - period_s) / days

    def highest(self, who: str, now: float, per_day: float) -> float:
        """The highest score of anybody else within the period."""
        oldest = now - _period_s(per_day)
        return next((each.score for each in self.top if each.who != who and each.ts >= oldest), 0.0)

    def forgive(self, who: str, since: float) -> None:
        """What somebody did was an attack: it says nothing of ordinary traffic, and must not make others' alerts rarer."""
        self.top = [each for each in self.top if each.who != who or each.ts < since]
        self.alerts = [each for each in self.alerts if each[1] != who or each[0] < since]


def _period_s(per_day: float) -> float:
    """Over how long a budget is held, such that the list of scores is long enough for it.

    >>> _period_s(1) / DAY_S, _period_s(16) / DAY_S
    (14.0, 3.0)
    """
    return min(PERIOD_DAYS, (MOST_SCORES * 3 / 4) / per_day) * DAY_S
