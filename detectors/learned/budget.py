"""How rare is rare enough: a threshold that lets through as many alerts a day as somebody is willing to read.

The scores of a tenant's ordinary traffic are compared with one another: with a budget of one alert a day, the threshold is the score that
was exceeded fourteen times within the last fortnight. That is the empirical quantile of conformal prediction (Vovk, Gammerman, Shafer 2005;
Laxhammar and Falkman 2014 for anomaly detection), which holds its rate whatever the distribution, as long as days are alike. Only the highest
scores matter for that, so the memory is a short list. Nobody may fill it: neither one entity, nor one odd day, after which the threshold
would be too high for a fortnight. When everything changes at once the threshold follows too slowly; then alerts themselves are counted.

Measured on made-up scores of 50 to 500 accounts, over four weeks after two to begin with, with budgets of 0.5, 1 and 3: on average 0.85 to
1.1 times the budget where accounts are alike, whatever the distribution; where one in twenty is thrice as odd as the others up to 1.25 times,
and 1.4 times for half an alert a day among 50 accounts, for two places are kept for each of the odd ones.
"""

from math import ceil
from typing import Annotated

import msgspec
from pydantic import Field

from detectors.settings import Strict

DAY_S = 86_400.0
PERIOD_DAYS = 14.0
MOST_SCORES = 64
"""Highest scores kept for each tenant. Of large budgets they span less than the period, see ``period_s``."""
SCORES_OF_ONE = 2
"""Of one entity within a period: nobody can fill the list alone, and so move the threshold of the others."""
SCORES_OF_DAY = 3.0
"""Times the budget, and two: scores of one day (UTC) that are kept."""
BURSTS = ((1.0, 2.5), (3.0, 1.5))
"""(days, factor): when as many times the budget have been raised within so many days, only what stands out is worth another alert."""
STANDS_OUT = 1.25
"""Times the highest score of the others that something must have to stand out."""
ALWAYS_A_DAY = 4
"""So many entities a day, beside the budget, may be spoken of whatever the budget. When more are that odd, it is the day that is odd."""
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
        """A window of somebody had this score; of windows within a day only the highest counts. Cost ≈ 5 µs for a score that is kept."""
        self.begin(ts)
        oldest = ts - _period_s(per_day)
        day, theirs, of_day = ts // DAY_S, 0, 0
        kept: list[Score] = []
        lowest_of_one: Score | None = None
        lowest_of_day: Score | None = None
        for each in self.top:  # the highest first
            if each.ts < oldest:
                continue
            if each.who == who:
                if abs(each.ts - ts) < DAY_S:
                    if each.score >= score:
                        return
                    continue
                theirs += 1
                lowest_of_one = each
            if each.ts // DAY_S == day:
                of_day += 1
                lowest_of_day = each
            kept.append(each)
        for number, most, lowest in (
            (theirs, SCORES_OF_ONE, lowest_of_one),
            (of_day, int(SCORES_OF_DAY * per_day) + 2, lowest_of_day),
            (len(kept), MOST_SCORES, kept[-1] if kept else None),
        ):
            if number >= most and lowest is not None:
                if lowest.score >= score:
                    return
                if lowest in kept:
                    kept.remove(lowest)
        place = next((i for i, each in enumerate(kept) if each.score < score), len(kept))
        kept.insert(place, Score(score, ts, who))
        self.top = kept

    def threshold(self, now: float, per_day: float, least: float, most: float, who: str | None = None) -> float:
        """The score that must be exceeded now, between ``least`` (worth an alert at all) and ``most`` (always worth one, unless many are). Cost ≈ 1 to 4 µs.

        ``who``: somebody who has filled the places of one entity must exceed the lowest of these, or would be spoken of without end.
        """
        days = min(_period_s(per_day) / DAY_S, max(1.0, (now - self.since) / DAY_S)) if self.since else 1.0
        oldest, yesterday = now - days * DAY_S, now - DAY_S
        left, own = int(per_day * days) + 1, SCORES_OF_ONE
        found, highest = least, 0.0
        for each in self.top:
            if each.score <= least or (left <= 0 and highest):
                break
            if each.ts < oldest:
                continue
            if each.who != who:
                if not highest and each.ts >= yesterday:
                    highest = each.score
            elif left > 0:
                own -= 1
            left -= 1
            if left == 0 or (own == 0 and left > 0):
                found, left = each.score, 0
        if highest and self._burst(now, per_day, who):
            found = max(found, STANDS_OUT * highest)
        return min(found, most) if self._may_always(now, per_day, who) else found

    def _may_always(self, now: float, per_day: float, who: str | None) -> bool:
        return len({name for at, name in self.alerts if at >= now - DAY_S and name != who}) < ALWAYS_A_DAY + per_day

    def _burst(self, now: float, per_day: float, who: str | None) -> bool:
        """Whether there have been far more alerts than the budget allows, about others than ``who``, because many are odd today."""
        if len(self.alerts) < per_day:
            return False
        yesterday = now - DAY_S
        if sum(each.ts >= yesterday and each.who != who for each in self.top) <= ceil(BURSTS[0][1] * per_day):
            return False  # few are odd: they may be attacked one after the other
        for days, factor in BURSTS:
            oldest = now - days * DAY_S
            if len({name for at, name in self.alerts if at >= oldest and name != who}) >= ceil(per_day * days * factor):
                return True
        return False

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
        """The highest score of the others within the period, but for the oddest one of them: an attack on one must not hide that on another."""
        oldest = now - _period_s(per_day)
        oddest: str | None = None
        for each in self.top:
            if each.who in {who, oddest} or each.ts < oldest:
                continue
            if oddest is not None:
                return each.score
            oddest = each.who
        return 0.0

    def last_alert(self, who: str, now: float) -> float:
        """When an alert about somebody was raised last; ``now`` where that is not remembered."""
        return next((at for at, name in reversed(self.alerts) if name == who), now)

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
