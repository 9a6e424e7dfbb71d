"""How much an export took out, where it says so."""

from schemas.event import Event

SMALL_RECORDS = 1000
"""Fewer records than this, and fewer bytes than ``SMALL_BYTES``, are a file or a list that somebody reads, and no data carried off."""
SMALL_BYTES = 100_000_000


def is_small_export(event: Event) -> bool:
    """Whether an export says how much it took, and it is little. One that does not say may be of any size.

    >>> is_small_export(Event("data.export", bytes=2_000_000)), is_small_export(Event("data.export", records=1000)), is_small_export(Event("data.export"))
    (True, False, False)
    """
    return (
        event.kind == "data.export"
        and (event.records > 0 or event.bytes > 0)
        and event.records < SMALL_RECORDS
        and event.bytes < SMALL_BYTES
    )
