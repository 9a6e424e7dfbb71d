"""Event times: what is accepted as a moment in time, and what is not."""

from datetime import UTC, datetime

from schemas.errors import RejectError

EARLIEST_TS = datetime(1990, 1, 1, tzinfo=UTC).timestamp()
"""Older than any log that is still replayed; a clock that was never set says 1970."""
LATEST_TS = datetime(2100, 1, 1, tzinfo=UTC).timestamp()
MILLISECONDS_FROM = 1e11
"""A number this large cannot be seconds of this era (it would be the year 5138), so it is milliseconds."""


def checked_ts(ts: float) -> float:
    """``ts`` itself when it lies in 1990 … 2099, else ``RejectError('time_out_of_range')``. NaN is refused too."""
    if EARLIEST_TS <= ts < LATEST_TS:
        return ts
    raise RejectError("time_out_of_range", "time: expected a moment between 1990 and 2099")


def from_number(number: float) -> float:
    """Unix seconds from epoch seconds or milliseconds.

    >>> from_number(1_700_000_000), from_number(1_700_000_000_500)
    (1700000000, 1700000000.5)
    """
    return checked_ts(number / 1000 if number >= MILLISECONDS_FROM else number)


def from_datetime(moment: datetime) -> float:
    """Unix seconds; a stamp without an offset is read as UTC.

    >>> from_datetime(datetime.fromisoformat("2026-01-01T01:00:00+01:00"))
    1767225600.0
    """
    return checked_ts((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def from_text(text: str) -> float:
    """Unix seconds from RFC 3339 or another ISO 8601 form. Raises ``RejectError('bad_time')``."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise RejectError("bad_time", "time: expected RFC 3339, e.g. 2026-01-31T12:00:00Z") from None
    return from_datetime(moment)


def rfc3339(ts: float) -> str:
    """UTC with milliseconds, the form of every time in an alert.

    >>> rfc3339(1767225600.25)
    '2026-01-01T00:00:00.250Z'
    """
    return datetime.fromtimestamp(ts, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
