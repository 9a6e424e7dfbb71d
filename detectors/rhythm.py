"""How long a source usually pauses, by the hour of the week: what tells an outage from a quiet night."""

HOUR_S = 3600.0
HOURS = 168
"""Hours of a week. Epoch hours modulo this, so slot 0 begins on a Thursday at midnight UTC."""
UNKNOWN = -1
DAY_HOURS = 24

Profile = list[int]
"""For each hour of the week the longest pause that touched it, in seconds; an old one counts half with each week. Empty: nothing yet."""


def hour_of(ts: float) -> int:
    """Hours since the epoch."""
    return int(ts // HOUR_S)


def learn(profile: Profile, hour: int, pause_s: float) -> None:
    """Note the longest pause of one hour.

    >>> profile = []
    >>> learn(profile, 5, 100.2); learn(profile, 5 + HOURS, 30); profile[5], profile[6]
    (50, -1)
    """
    if not profile:
        profile.extend([UNKNOWN] * HOURS)
    slot = hour % HOURS
    pause, old = int(min(pause_s, 1e9)) + (pause_s != int(pause_s)), profile[slot]
    profile[slot] = pause if old < 0 else max(pause, old // 2)


def learn_pause(profile: Profile, since: float, until: float, longest_s: float) -> None:
    """Note the end of an hour, and all hours a pause from ``since`` to ``until`` lies over. ``longest_s``: of the hour of ``since`` so far.

    Cost: one slot an hour; at most all of them, after a long pause.
    """
    pause_s = until - since
    first, last = hour_of(since), hour_of(until)
    learn(profile, first, max(longest_s, pause_s))
    for hour in range(max(first + 1, last - HOURS), last):
        learn(profile, hour, pause_s)


def usual_pause(profile: Profile, since: float, until: float, *, hour_of_day: bool) -> float:
    """The longest usual pause from an hour before ``since`` to an hour after ``until``. ``profile`` must not be empty.

    An hour of the week not seen yet is taken from the same hour of other days (``hour_of_day``), else from all hours: only a source that
    runs all day alike then has a short one. The hours around are looked at too, for summer time and long evenings.
    """
    usual, anywhere = 0, max(profile)
    for hour in range(hour_of(since) - 1, hour_of(until) + 2):
        pause = profile[hour % HOURS]
        if pause < 0:
            pause = max(profile[hour % DAY_HOURS :: DAY_HOURS]) if hour_of_day else anywhere
            pause = anywhere if pause < 0 else pause
        usual = max(usual, pause)
    return float(usual)
