"""Native events as bytes, kept by the minute until their time has come."""

from collections.abc import Iterator
from operator import itemgetter
from typing import Any

import msgspec
import orjson

SLOT_S = 60.0
_ts = itemgetter(0)


class Mute(msgspec.Struct, frozen=True):
    """The log of a tenant is cut off in this time (Unix seconds, end excluded)."""

    tenant: str
    begin: float
    end: float


class Log:
    """Takes events in any order and gives them back in that of time, minute by minute, so that no heap is needed.

    ``begin`` and ``end`` (Unix seconds): what lies outside is not taken.
    """

    def __init__(self, prefix: str, begin: float = float("-inf"), end: float = float("inf")) -> None:
        self.begin, self.end = begin, end
        self.first_ts, self.last_ts = float("inf"), float("-inf")
        self.count = 0
        """Of what was added since ``mark``."""
        self.mutes: list[Mute] = []
        self._slots: dict[int, list[tuple[float, bytes]]] = {}
        self._prefix = prefix.encode()
        self._number = 0

    def mark(self) -> None:
        """From here on ``first_ts``, ``last_ts`` and ``count`` begin anew."""
        self.first_ts, self.last_ts, self.count = float("inf"), float("-inf"), 0

    def add(self, ts: float, kind: str, fields: dict[str, Any], base: bytes) -> None:
        """One event; ``base``: the fields that stay the same, as ``encode_base`` gives them."""
        if not self.begin <= ts < self.end:
            return
        self.first_ts = min(self.first_ts, ts)
        self.last_ts = max(self.last_ts, ts)
        self.count += 1
        record = orjson.dumps({"time": round(ts, 3), "kind": kind, **fields})[:-1] + base
        slot = int(ts // SLOT_S)
        slots = self._slots
        if slot in slots:
            slots[slot].append((ts, record))
        else:
            slots[slot] = [(ts, record)]

    def take(self, until: float) -> Iterator[tuple[float, bytes]]:
        """All events before the minute of ``until`` with their times, in that order; those of one moment in the order they were added."""
        last = int(until // SLOT_S)
        for slot in sorted(slot for slot in self._slots if slot < last):
            yield from self._numbered(self._slots.pop(slot))

    def take_now(self, until: float) -> list[bytes]:
        """All events up to ``until``, to the moment."""
        rows: list[tuple[float, bytes]] = []
        for slot in sorted(slot for slot in self._slots if slot <= int(until // SLOT_S)):
            rows += self._slots.pop(slot)
        for row in rows:
            if row[0] > until:
                self._slots.setdefault(int(row[0] // SLOT_S), []).append(row)
        return [record for _, record in self._numbered([row for row in rows if row[0] <= until])]

    def _numbered(self, rows: list[tuple[float, bytes]]) -> Iterator[tuple[float, bytes]]:
        rows.sort(key=_ts)
        prefix, number = self._prefix, self._number
        for ts, record in rows:
            if self.mutes and self._is_mute(ts, record):
                continue
            number += 1
            yield ts, b'{"id":"%b-%d",%b' % (prefix, number, record[1:])
        self._number = number

    def _is_mute(self, ts: float, record: bytes) -> bool:
        return any(mute.begin <= ts < mute.end and b'"tenant":"%b"' % mute.tenant.encode() in record for mute in self.mutes)


def encode_base(fields: dict[str, Any]) -> bytes:
    """Fields to be put behind others.

    >>> encode_base({"tenant": "acme"})
    b',"tenant":"acme"}'
    """
    return b"," + orjson.dumps(fields)[1:]
