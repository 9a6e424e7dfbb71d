"""What formats of JSON documents have in common: wrappers around events, parts read on demand, and the parser of such records."""

from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from typing import Any, Generic, TypeVar

import msgspec

from schemas.errors import RejectError
from schemas.event import Event
from schemas.formats.base import Context
from schemas.stamps import from_number, from_text

NULL = msgspec.Raw(b"null")
BOM = b"\xef\xbb\xbf"
ID_CHARS = 256
WRAPPERS_DEPTH = 4
"""Wrappers within wrappers: a list of log messages that hold a delivered event is the deepest that makes sense."""
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])

R = TypeVar("R")
Inner = Sequence[bytes | msgspec.Raw]


def unwrapped(
    data: bytes,
    decode: Callable[[bytes], R],
    inner: Callable[[R], Inner | None],
    depth: int = 0,
) -> Iterator[tuple[R, bytes] | RejectError]:
    """The records within lists and wrappers, each with its own bytes; a broken one as the error it causes, so the others are not lost.

    ``inner`` says what a decoded document wraps, or ``None`` when it is a record itself.
    """
    if not data:
        return
    if depth > WRAPPERS_DEPTH:
        yield RejectError("too_deep", "wrappers within wrappers")
        return
    try:
        if data.startswith(b"["):
            entries: Inner = _LIST.decode(data)
        else:
            record = decode(data)
            found = inner(record)
            if found is None:
                yield record, data
                return
            entries = found
    except RecursionError:
        yield RejectError("too_deep", "nested too deep")
    except msgspec.ValidationError as exc:  # names the field and the types, never the value
        yield RejectError("bad_field" if data.startswith((b"{", b"[")) else "unknown_shape", str(exc))
    except UnicodeDecodeError:
        yield RejectError("not_utf8", "expected UTF-8")
    except msgspec.DecodeError as exc:
        yield RejectError("truncated" if "truncated" in str(exc) else "not_json", "expected one JSON document")
    else:
        for entry in entries:
            yield from unwrapped(bytes(entry).strip(), decode, inner, depth + 1)


def raw_fields(raw: bytes | msgspec.Raw) -> dict[str, msgspec.Raw]:
    """The fields of an object, not decoded; empty when it is no object."""
    try:
        return _OBJECT.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}


def part(raw: bytes | msgspec.Raw) -> Any:
    """A raw part, decoded; ``None`` when it cannot be (a number no machine holds, for one). JSON within a string is decoded too."""
    try:
        value = msgspec.json.decode(raw)
        if isinstance(value, str) and value.startswith(("{", "[")):
            return msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, UnicodeEncodeError):
        return None
    return value


def as_dict(value: Any) -> dict[str, Any]:
    """The value when it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_text(value: Any, chars: int = ID_CHARS) -> str | None:
    """The value when it is text with something in it, cut to ``chars``; else ``None``."""
    return value[:chars] if isinstance(value, str) and value else None


def moment(value: Any, field: str) -> float:
    """Unix seconds of a time as text or number. Raises ``RejectError`` that names ``field``."""
    if value is None or value == "":
        raise RejectError("missing_field", field)
    if isinstance(value, str):
        return from_text(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return from_number(value)
        except OverflowError:  # JSON knows integers no float holds
            raise RejectError("time_out_of_range", f"{field}: expected a moment between 1990 and 2099") from None
    raise RejectError("bad_time", f"{field}: expected RFC 3339 or a number")


class RecordsParser(Generic[R]):
    """Parser of one input of JSON documents. A format derives from it and says how one record becomes an event.

    Events of one document come sorted by time, then id, for a delivered batch is in no order.

    ``partial_rejects``: reason and detail (with the entry's position) of what the *last* ``parse`` had to leave out of a document that
    also held good entries, or more than one bad one. The caller counts them after each call; the next call empties the list.
    """

    def __init__(self, context: Context) -> None:
        self.partial_rejects: list[tuple[str, str]] = []
        self.tenant = context.tenant
        self.memory = context.memory

    def decode(self, data: bytes) -> R:
        """One JSON object as a record; any exception of msgspec's decoders may leave it."""
        raise NotImplementedError

    def inner(self, record: R) -> Inner | None:
        """What this document wraps; ``None`` when it is a record itself."""
        raise NotImplementedError

    def event(self, record: R, raw: bytes) -> Event | None:
        """The event of one record; ``None`` when it is not security relevant. Raises ``RejectError``."""
        raise NotImplementedError

    def events(self, record: R, raw: bytes) -> Sequence[Event]:
        """The events of one record, for formats whose records may hold several; otherwise ``event`` is enough."""
        event = self.event(record, raw)
        return () if event is None else (event,)

    def parse(self, record: bytes) -> Sequence[Event]:
        """The events of one document, by time then id. Raises ``RejectError`` when it holds bad entries and not one good."""
        self.partial_rejects = []
        events: list[Event] = []
        first: RejectError | None = None
        where = 0
        for position, entry in enumerate(unwrapped(record.removeprefix(BOM).strip(), self.decode, self.inner)):
            try:
                found = entry if isinstance(entry, RejectError) else self.events(*entry)
            except RejectError as error:
                found = error
            if not isinstance(found, RejectError):
                events += found
            elif first is None:
                first, where = found, position
            else:
                self.partial_rejects.append((found.reason, f"entry {position}: {found.detail}"))
        if first is not None and not events:
            raise first
        if first is not None:
            self.partial_rejects.insert(0, (first.reason, f"entry {where}: {first.detail}"))
        if len(events) > 1:
            events.sort(key=_order)
        return events

    def dump(self) -> Any:
        """Nothing is kept."""
        return

    def load(self, data: Any) -> None:
        """Nothing is kept."""

    def id_of(self, own: str | None, raw: bytes) -> str:
        """The record's own id, else one derived from its bytes; equal records without an id are told apart by their number."""
        if own:
            return own[:ID_CHARS]
        digest = blake2b(raw, digest_size=8).hexdigest()
        n = self.memory.lines.number(digest)
        return f"{digest}-{n}" if n else digest


def _order(event: Event) -> tuple[float, str]:
    return event.ts, event.id
