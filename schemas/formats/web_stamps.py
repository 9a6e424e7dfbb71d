"""The stamps web servers write."""

import re
from datetime import datetime
from functools import lru_cache

from schemas.errors import RejectError
from schemas.stamps import checked_ts, from_datetime, from_number, from_text

_COMMON_LOG = re.compile(r"([0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9]{2}:[0-9]{2}):([0-9]{2})(\.[0-9]{1,9})? ([+-][0-9]{4})", re.ASCII)
_EPOCH = re.compile(r"[0-9]{9,14}(?:\.[0-9]{1,9})?")


@lru_cache(maxsize=4096)
def minute_ts(minute: str, zone: str) -> float:
    """Unix seconds at the start of a minute, ``30/Sep/2021:09:58`` and ``+0200``. Raises ``RejectError``. Cached: lines come in order."""
    try:
        moment = datetime.strptime(f"{minute} {zone}", "%d/%b/%Y:%H:%M %z")
    except ValueError:
        raise RejectError("bad_time", "stamp: expected a date that exists") from None
    return from_datetime(moment)


def from_stamp(text: str) -> float:
    """Unix seconds from ``30/Sep/2021:09:58:05 +0200``, an ISO 8601 form or epoch seconds as text. Raises ``RejectError``.

    >>> from_stamp("30/Sep/2021:09:58:05 +0200"), from_stamp("1632988685.250")
    (1632988685.0, 1632988685.25)
    """
    if match := _COMMON_LOG.fullmatch(text):
        minute, second, fraction, zone = match.groups()
        return checked_ts(minute_ts(minute, zone) + int(second) + float(fraction or 0))
    if _EPOCH.fullmatch(text):
        return from_number(float(text))
    return from_text(text)
