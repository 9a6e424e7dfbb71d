"""From the records of one input to events: decode, count and keep what is rejected, doubt leaps in time, drop repeats."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import repeat
from math import inf
from typing import Any

from monitor.pipeline.believe import LEAP_S, SKEW_S, Suspect, Timeline
from monitor.pipeline.seen import Seen
from schemas.errors import RejectError
from schemas.event import HEARD, Event
from schemas.formats.base import Parser
from schemas.text import MAX_NAME_CHARS, bounded_name

MARK_S = 10.0
"""Seconds of event time after which an input that is listened to is marked as heard again. So much may a silence be shorter than told."""

OnReject = Callable[[str, int, bytes, RejectError], None]
"""Called with source, line, the whole record and why it is no event."""


class Ingest:
    """Decodes one input. ``seen`` is shared by all inputs of a run."""

    def __init__(self, source: str, parser: Parser, seen: Seen, on_reject: OnReject) -> None:
        self.source = source
        self.records = 0
        self.repeats = 0
        self.irrelevant = 0
        """Records that were read and gave no event."""
        self.rejected: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        self.ahead: list[Event] = []
        """Events that belong to a later time of the stream and must not move its clock; whoever takes the others takes these, and clears them."""
        self._parser = parser
        self._may_reject_parts = hasattr(parser, "partial_rejects")
        self._may_have_long_names = not getattr(parser, "bounds_names", False)
        self._seen = seen
        self._on_reject = on_reject
        self._timeline = Timeline()
        self._heard_as: str | None = None
        self._tenant: str | None = None
        self._mark_at = inf
        """Event time from which on the next mark is due; never, for an input nobody listens to."""
        self._unmarked = 0
        """Events since the last mark."""

    def listen(self, name: str, tenant: str | None) -> None:
        """Mark from now on when the input is heard, as a part of something of that name: a topic, a file."""
        self._heard_as, self._tenant = name, tenant
        if self._mark_at == inf:
            self._mark_at, self._unmarked = -inf, 0

    @property
    def believed(self) -> float:
        """Event time this input has reached (−∞ before it is known)."""
        return self._timeline.believed

    def decode(self, records: Sequence[bytes], lines: Sequence[int], stamps: Sequence[float] | None = None) -> list[Event]:
        """The events of some records, in their order. ``lines``: the line (or offset) each of them began at.

        ``stamps``: when a broker took each of them (Unix seconds). It knows what time it is: an event may leap as far as that, and no further.
        """
        # The hot loop: flat on purpose.
        events: list[Event] = []
        parse, timeline, seen = self._parser.parse, self._timeline, self._seen
        young, old = seen.young, seen.old
        append, repeats, irrelevant = events.append, 0, 0
        partly, unbounded = self._may_reject_parts, self._may_have_long_names
        limit, believed = timeline.limit, timeline.believed
        mark_at, marked = self._mark_at, -self._unmarked
        for line, record, stamp in zip(lines, records, repeat(None, len(records)) if stamps is None else stamps, strict=True):
            try:
                parsed = parse(record)
            except RejectError as error:
                self.reject(line, record, error)
                parsed = ()
                irrelevant -= 1
            if partly and self._parser.partial_rejects:  # type: ignore[attr-defined]
                self._reject_parts(line, record, kept=not parsed)
            if not parsed:
                irrelevant += 1
            if unbounded and len(record) > MAX_NAME_CHARS:
                _bound_names(parsed)
            for event in parsed:
                event_id = event.id
                if event_id in young or event_id in old:
                    repeats += 1
                    continue
                young[event_id] = None
                ts = event.ts
                if ts > limit:
                    if stamp is not None and stamp > 0:
                        if ts > stamp + SKEW_S:
                            self.reject(line, record, RejectError("future_time", "time: later than the broker had it"))
                            continue
                        timeline.advance(ts)
                        limit, believed = timeline.limit, timeline.believed
                        append(event)
                        continue
                    events.extend(timeline.doubt(Suspect(event, record, line)))
                    limit, believed = timeline.limit, timeline.believed
                    continue
                if timeline.suspects:
                    self._contradict()
                if ts > believed:
                    believed = timeline.believed = ts
                    limit = timeline.limit = ts + LEAP_S
                    if ts >= mark_at:
                        append(event)
                        append(self._mark(ts, event_id, len(events) - marked))
                        mark_at, marked = ts + MARK_S, len(events)
                        continue
                append(event)
        self.records += len(records)
        self.repeats += repeats
        self.irrelevant += irrelevant
        self._mark_at, self._unmarked = mark_at, len(events) - marked
        self.kinds.update([event.kind for event in events])
        self.kinds.pop(HEARD, None)
        seen.turn()
        return events

    def reject(self, line: int, record: bytes, error: RejectError) -> None:
        """Count a record that is no event, and hand it to whoever keeps it."""
        self.rejected[error.reason] += 1
        self._on_reject(self.source, line, record, error)

    def _reject_parts(self, line: int, record: bytes, *, kept: bool) -> None:
        """Count the bad entries of a record that wraps several; it is kept once, however many they are."""
        parts: list[tuple[str, str]] = self._parser.partial_rejects  # type: ignore[attr-defined]
        if not kept:
            reason, detail = parts[0]
            self._on_reject(self.source, line, record, RejectError(reason, f"{detail} ({len(parts)} bad entries in this record)"))
        self.rejected.update(reason for reason, _ in parts)

    def end(self) -> list[Event]:
        """The input has ended: what still waited to be believed."""
        events = self._timeline.end()
        self.kinds.update([event.kind for event in events])
        if self._heard_as is not None and self.believed > -inf:
            events.append(_gone(self.source, self._heard_as, self._tenant, self.believed))
        return events

    def _mark(self, ts: float, event_id: str, number: int) -> Event:
        return Event(HEARD, ts, event_id, tenant=self._tenant, target=self._heard_as, action=self.source, records=number)

    def _contradict(self) -> None:
        ahead, wrong = self._timeline.contradicted()
        self.ahead.extend(ahead)
        self.kinds.update(event.kind for event in ahead)
        for suspect in wrong:
            self.reject(suspect.line, suspect.record, RejectError("future_time", "time: more than a day ahead of the records around it"))

    def dump(self) -> dict[str, Any]:
        """JSON-ready memory of this input, without what inputs share."""
        return {
            "parser": self._parser.dump(),
            "timeline": self._timeline.dump(),
            "records": self.records,
            "repeats": self.repeats,
            "irrelevant": self.irrelevant,
            "rejected": dict(self.rejected),
            "kinds": dict(self.kinds),
            "heard": None if self._heard_as is None else [self._heard_as, self._tenant, max(self._mark_at, 0.0), self._unmarked],
        }

    def load(self, data: dict[str, Any]) -> None:
        """Take over what ``dump`` returned."""
        self._parser.load(data["parser"])
        self._timeline.load(data["timeline"])
        self.records, self.repeats, self.irrelevant = data["records"], data["repeats"], data["irrelevant"]
        self.rejected, self.kinds = Counter(data["rejected"]), Counter(data["kinds"])
        if data.get("heard") is not None:
            self._heard_as, self._tenant, self._mark_at, self._unmarked = data["heard"]


def gone(source: str, data: Mapping[str, Any], ts: float) -> list[Event]:
    """What to say of an input that was dumped and is not read any more: nothing, if nobody listened to it."""
    heard = data.get("heard")
    return [] if heard is None else [_gone(source, heard[0], heard[1], ts)]


def _gone(source: str, name: str, tenant: str | None, ts: float) -> Event:
    return Event(HEARD, ts, tenant=tenant, target=name, action=source, reason="gone")


def _bound_names(events: Sequence[Event]) -> None:
    for event in events:
        if event.actor is not None:
            event.actor = bounded_name(event.actor)
        if event.device_id is not None:
            event.device_id = bounded_name(event.device_id)
        if event.session_id is not None:
            event.session_id = bounded_name(event.session_id)
