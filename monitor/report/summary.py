"""The facts about one replay, gathered while it runs."""

from collections.abc import Sequence

import msgspec

from schemas.alert import Alert

MAX_BUCKETS = 2_000


class InputReport(msgspec.Struct):
    """What became of one input."""

    name: str
    format: str | None
    how: str
    """How the format was decided, or why the input was not read."""
    records: int = 0
    events: int = 0
    repeats: int = 0
    rejects: dict[str, int] = msgspec.field(default_factory=dict)
    problem: str | None = None
    irrelevant: int = 0
    """Records that were read and gave no event: not security relevant, or a further word about what is told already."""


class Histogram:
    """Counts over event time in at most ``MAX_BUCKETS`` buckets, which double in width whenever they would become too many."""

    def __init__(self, width_s: int = 60) -> None:
        self.width_s = width_s
        self.buckets: dict[int, int] = {}

    def add(self, stamps: Sequence[float], first: float, last: float) -> None:
        """Count events at these times, the earliest and the latest of which are named."""
        buckets, width_s = self.buckets, self.width_s
        if first // width_s == last // width_s:  # dense traffic: a whole batch falls into one bucket
            bucket = int(first // width_s)
            buckets[bucket] = buckets.get(bucket, 0) + len(stamps)
        else:
            for ts in stamps:
                bucket = int(ts // width_s)
                buckets[bucket] = buckets.get(bucket, 0) + 1
        while len(self.buckets) > MAX_BUCKETS:
            self.width_s *= 2
            merged: dict[int, int] = {}
            for bucket, n in self.buckets.items():
                merged[bucket // 2] = merged.get(bucket // 2, 0) + n
            self.buckets = merged

    def rows(self) -> list[tuple[float, int]]:
        """(start of bucket in Unix seconds, events), in time order, without the empty ones."""
        return [(float(bucket * self.width_s), n) for bucket, n in sorted(self.buckets.items())]


class Summary(msgspec.Struct, kw_only=True):
    """Everything the table and the report show."""

    version: str
    inputs: list[InputReport]
    events: int
    first_ts: float | None
    last_ts: float | None
    kinds: dict[str, int]
    late: int
    """Events that came later than the allowed lateness; they were used all the same."""
    repeats: int
    rejects: dict[str, int]
    """By reason."""
    alerts: list[Alert]
    """The last version of each, in the order they first fired."""
    versions: int
    """All alert versions written."""
    histogram: Histogram
    top_ips: list[tuple[str, int]]
    """Addresses with the most failed logins and refusals."""
    top_actors: list[tuple[str, int]]
    geography: str
    """How many events could not be placed, in a sentence."""
    detectors: list[tuple[str, int, int]]
    """(name/variant, keys held at the end, keys evicted because the cap was reached)."""
    failed: dict[str, str]
    """Detectors disabled by an exception: name/variant → type of the exception."""
    notes: list[str]
    """Other things the reader must know: allow-list entries that matched nothing, alerts forgotten, files skipped …"""
    configuration: str
    """The configuration used, as YAML."""
    seconds: float
    """Wall time it took; shown on the terminal only, so that two reports of the same input are equal."""
    learn_only: bool = False
    """Nobody hears of the alerts; they are what there would have been."""
