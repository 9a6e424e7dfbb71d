"""What is remembered of when an account is active, and of when those of its tenant are."""

import msgspec

from detectors.learned.hours import DAY_HOURS, HOUR_S, Profile, middle
from detectors.learned.learner import LearnedPeers, LearnedState

MOST_NIGHTS = 8
NIGHT_DAYS = 28
"""Nights under an alert that are remembered, and for how long: the third time it is how things are."""

BANDS = 8
"""Groups of the accounts of a tenant, by the middle of their days: people of the same time zone or shift."""
BAND_TRUST = 10.0
ALWAYS_ON = 16
"""Hours with activity within a day from which on it tells nothing of when people are up."""
MOST_WEIGHT = 4_000
"""Days of all the accounts of a band at which counts are halved."""
LEAST_SHARE = 0.002
"""Nothing is rarer than that among peers, as far as can be known."""
STIR_HOURS = 2.0
"""Half-life of how many are up at odd hours."""


class Habits(LearnedState):
    """At most about 1.2 KB, 20 event ids while it is active at odd hours, and 8 nights."""

    start: float = 0.0
    calm_until: float = 0.0
    """Of the hour that is counted now: its beginning, and its end if it is a usual one, else 0."""
    end: float = 0.0
    count: int = 0
    """Events of this hour."""
    score: float = 0.0
    """How odd this hour is; 0: it is not."""
    shift: int = 0
    """Hours that the clock of a traveller differs from the usual one in this hour."""
    trip: int = 0
    trip_ts: float = 0.0
    """The last such shift, and when that was: a VPN may make a traveller look at home again."""
    top: int = 0
    """Events of the busiest hour of this day so far."""
    busy: float = 0.0
    """Of a usual day."""
    mask: int = 0
    """Hours of this day with activity that were learned."""
    work: Profile = msgspec.field(default_factory=Profile)
    rest: Profile = msgspec.field(default_factory=Profile)
    band: int = 0
    """To which peers it is compared."""
    place: float | None = None
    """Usual longitude."""
    usual_hour: int = 0
    last_hour: int = 0
    """Last hour that was usual, and last one with activity (hours since 1970)."""
    lasting: bool = False
    """Whether there was activity in all hours in between."""
    spell_ts: float = 0.0
    """Since when it is active at odd hours; 0: it is not."""
    weight: int = 0
    events: int = 0
    look: int = 0
    """Weight at which to look again."""
    stirred: bool = False
    recent: list[str] | None = None
    """Events of the spell."""
    nights: list[tuple[int, int]] | None = None
    """(day, mask) of odd hours under an alert."""

    def forget_spell(self) -> None:
        """What is odd has ended."""
        self.spell_ts = 0.0
        self.recent = None

    def note_night(self, hour: int) -> None:
        """An odd hour (since 1970) was under an alert."""
        day, of_day = divmod(hour, DAY_HOURS)
        nights = self.nights or []
        if nights and nights[-1][0] == day:
            nights[-1] = (day, nights[-1][1] | 1 << of_day)
        else:
            nights = [*nights[-MOST_NIGHTS + 1 :], (day, 1 << of_day)]
        self.nights = nights

    def nights_near(self, hour: int) -> float:
        """Days in favour of an hour because it was told of often enough: the second night is still odd, the third is not."""
        if self.nights is None:
            return 0.0
        day, of_day = divmod(hour, DAY_HOURS)
        around = 1 << (of_day - 1) % DAY_HOURS | 1 << of_day | 1 << (of_day + 1) % DAY_HOURS
        nights = sum(1 for at, mask in self.nights if day - NIGHT_DAYS <= at < day and mask & around)
        return 2.0 * max(0, nights - 1)

    def all_hours(self) -> list[int]:
        """On how many days there was activity in each hour, whatever the day."""
        return [a + b for a, b in zip(self.work.counts, self.rest.counts, strict=True)]

    def set_band(self) -> None:
        """Choose the peers by the middle of the day."""
        self.band = int(middle(self.all_hours()) * BANDS / DAY_HOURS) % BANDS


class Band(msgspec.Struct, array_like=True, gc=False):
    """On how many days accounts with days like these were active in each hour."""

    days: int = 0
    counts: list[int] = msgspec.field(default_factory=lambda: [0] * DAY_HOURS)

    def near(self, of_day: int) -> int:
        """Days with activity at that hour or next to it, at least."""
        counts = self.counts
        return max(counts[of_day - 1], counts[of_day], counts[of_day + 1 - DAY_HOURS])


class HoursOfPeers(LearnedPeers):
    """At most 3 KB and the budget."""

    bands: list[Band] = msgspec.field(default_factory=lambda: [Band() for _ in range(BANDS)])
    day: int = -1
    today: int = 0
    accounts: float = 0.0
    """Accounts active on a day: so far on this one, and usually."""
    odd: float = 0.0
    odd_ts: float = 0.0
    """How many are active at odd hours, fading."""

    def learn(self, band: int, mask: int) -> None:
        """Take in a day of an account."""
        if mask.bit_count() >= ALWAYS_ON:
            return
        mine = self.bands[band]
        for hour in range(DAY_HOURS):
            if mask >> hour & 1:
                mine.counts[hour] += 1
        mine.days += 1
        if mine.days >= MOST_WEIGHT:
            mine.counts = [count // 2 for count in mine.counts]
            mine.days //= 2

    def share(self, band: int, of_day: int) -> float:
        """Share of the peers' days with activity at that hour or next to it."""
        days = sum(each.days for each in self.bands)
        everyone = sum(each.near(of_day) for each in self.bands)
        mine = self.bands[band]
        overall = (everyone + 0.1) / (days + 1.0)
        return max(LEAST_SHARE, (mine.near(of_day) + BAND_TRUST * overall) / (mine.days + BAND_TRUST))

    def meet(self, day: int) -> None:
        """One more account is active on a day."""
        if day > self.day:
            self.accounts = max(float(self.today), 0.9 * self.accounts)
            self.day, self.today = day, 0
        self.today += 1

    def stir(self, ts: float) -> float:
        """How many were up at odd hours of late."""
        kept: float = 0.5 ** (max(0.0, ts - self.odd_ts) / (STIR_HOURS * HOUR_S))
        return self.odd * kept
