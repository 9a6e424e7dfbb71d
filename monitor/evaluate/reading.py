"""Reads the two files that are compared: the truth, and the alerts as ``replay --out`` writes them."""

import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from monitor.simulate.truth import Truth
from schemas.alert import Alert, Entity, Status
from schemas.errors import InputError, RejectError
from schemas.export import export_name
from schemas.severity import RANK, Severity
from schemas.stamps import EARLIEST_TS, LATEST_TS, from_text

MAX_COMPLAINTS = 5
"""Bad lines that are named one by one."""
T = TypeVar("T")


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """As much of an alert version as is compared."""

    id: str
    detector: str
    severity: Severity
    tenant: str | None
    entity: Entity
    time: str
    first_seen: str
    last_seen: str
    version: int = 1
    status: Status = "firing"
    title: str = ""
    inhibited_by: str | None = None


class Seen(msgspec.Struct):
    """One alert: all its versions together."""

    id: str
    detector: str
    severity: Severity
    """The worst of its versions."""
    tenant: str | None
    entity: str
    """``type:value``."""
    title: str
    moments: list[float]
    """When it spoke (Unix seconds): when it first fired, and the last event each later version knew of."""
    first_seen: float
    """Its earliest event, Unix seconds."""
    notified: bool
    """Whether it told anybody: an alert that another one led from beginning to end did not."""
    kind: Literal["expected", "also", "false"] = "false"
    """What the scoring found: whether it belongs to an attack its detector should see, to another one, or to none."""


def line_of(alert: Alert) -> Line:
    """The same of an alert that was never written down."""
    return Line(
        id=alert.id,
        detector=alert.detector,
        severity=alert.severity,
        tenant=alert.tenant,
        entity=alert.entity,
        time=alert.time,
        first_seen=alert.first_seen,
        last_seen=alert.last_seen,
        version=alert.version,
        status=alert.status,
        title=alert.title,
        inhibited_by=alert.inhibited_by,
    )


class Alerts:
    """Alert versions, gathered by alert; its memory is that of the alerts, not of their versions."""

    def __init__(self) -> None:
        self.by_id: dict[str, Seen] = {}

    def add(self, line: Line) -> None:
        """One more version. Raises ``RejectError`` for a time that is none."""
        known = self.by_id.get(line.id)
        last_ts = from_text(line.last_seen)
        notified = line.inhibited_by is None
        if known is None:
            fired_at = from_text(line.time)
            # Of an alert whose first version is not in the file, what it came to know later is a moment of its own.
            moments = [fired_at] if line.version <= 1 or last_ts <= fired_at else [fired_at, last_ts]
            entity = f"{line.entity.type}:{line.entity.value}"
            first_seen = from_text(line.first_seen)
            self.by_id[line.id] = Seen(
                line.id, line.detector, line.severity, line.tenant, entity, line.title, moments, first_seen, notified
            )
            return
        if line.status == "firing":  # that it is over, is no news about the attack
            if last_ts > known.moments[-1]:
                known.moments.append(last_ts)
            known.notified |= notified
        if RANK[line.severity] > RANK[known.severity]:
            known.severity = line.severity

    def all(self) -> list[Seen]:
        """In the order in which they first fired."""
        return sorted(self.by_id.values(), key=lambda seen: (seen.moments[0], seen.id))


def read_truth(path: Path) -> list[Truth]:
    """All attacks. Raises ``InputError`` that names the lines which are none."""
    decode = msgspec.json.Decoder(Truth).decode

    def one(line: bytes) -> Truth:
        truth = decode(line)
        if not EARLIEST_TS <= truth.start <= truth.end < LATEST_TS:
            raise RejectError("bad_time", "start, end: expected Unix seconds, the start first")
        if truth.traffic is not None and truth.traffic[0] >= truth.traffic[1]:
            raise RejectError("bad_time", "traffic: expected its first moment before its last")
        return truth

    return list(_lines(path, one, lambda _: "no line of a truth file; name the file that simulate --truth wrote"))


def read_alerts(path: Path) -> list[Seen]:
    """All alerts of a file of alert versions. Raises ``InputError`` that names the lines which are none."""
    decode = msgspec.json.Decoder(Line).decode
    alerts = Alerts()
    for _ in _lines(path, lambda line: alerts.add(decode(line)), _no_alert):
        pass
    return alerts.all()


def _lines(path: Path, take: Callable[[bytes], T], problem: Callable[[bytes], str]) -> Iterator[T]:
    complaints: list[str] = []
    bad = 0
    try:
        with nullcontext(sys.stdin.buffer) if path == Path("-") else path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    yield take(line)
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
                    why = f"{problem(line)} ({_short(exc)})"
                except RejectError as exc:
                    why = exc.detail
                else:
                    continue
                bad += 1
                if bad <= MAX_COMPLAINTS:
                    complaints.append(f"{path}: line {number}: {why}")
    except (OSError, ValueError) as exc:
        why = (exc.strerror or "error").lower() if isinstance(exc, OSError) else "not a path"
        raise InputError(f"{path}: {why}") from exc
    if bad > MAX_COMPLAINTS:
        complaints.append(f"{path}: and {bad - MAX_COMPLAINTS:,} more lines like that")
    if complaints:
        raise InputError("\n".join(complaints))


def _short(error: Exception) -> str:
    """Which field is wrong and what was expected there, never the value."""
    if isinstance(error, msgspec.ValidationError):
        said, _, place = str(error).replace("`", "").removeprefix("Object ").partition(" - at ")
        said = "no word that is known there" if said.startswith("Invalid enum value") else said
        return f"{said} at {place}" if place else said
    return "nested too deep" if isinstance(error, RecursionError) else "not JSON"


def _no_alert(line: bytes) -> str:
    try:
        form = export_name(msgspec.json.decode(line))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        form = None
    if form in {"ocsf", "ecs"}:
        return f"an alert in the form {form}; replay again without --out-format {form}"
    return "no alert; name the file that replay --out wrote"
