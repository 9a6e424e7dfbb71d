"""What somebody found an alert to be: as it is given on the port or in a file, as it is kept, and as it is handed out again.

One line of a file, one entry of ``GET /api/v1/verdicts`` and the body of a request are the same JSON object, so that what was said about a
live run can be said again about a replay of it.
"""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import msgspec

from detectors.base import Verdict
from schemas.alert import Alert
from schemas.errors import ConfigurationError, RejectError, WatchfloorError
from schemas.stamps import checked_ts, from_datetime

MAX_REASON_CHARS = 500
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
MAX_LINE_BYTES = 65_536
DEFAULT_EXPECTED_S = 30 * 86_400.0
"""How long something is expected for when nobody says (seconds of event time)."""
MAX_EXPECTED_S = 366 * 86_400.0
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
_BODY = frozenset({"verdict", "reason", "until"})
_LINE = _BODY | {"alert", "time", "given_at"}
_EXAMPLE = "write RFC 3339 with a zone, such as 2026-01-31T12:00:00Z"


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """One verdict. Times are Unix seconds."""

    alert: str
    """Id of the alert."""
    verdict: Verdict
    reason: str = ""
    until_ts: float | None = None
    """Of ``expected`` only: the last moment, in event time, in which the same is no alert. ``None``: not said."""
    ts: float | None = None
    """Event time at which it was given: everything before it had been seen, and nothing at or after it. ``None``: once the alert is there."""
    given_at: float | None = None
    """When it was given by the clock on the wall; for people to read, and for nothing else."""


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What a verdict has done."""

    given: Given
    """With its time, and for ``expected`` with its end."""
    detector: str
    changed: bool
    """False when the very same had been said already."""
    told: bool
    """Whether the detector still remembered what the alert was about, and now knows."""
    alerts: list[Alert]
    """Versions that come of it."""


class BadVerdictError(WatchfloorError):
    """A verdict that cannot be read or used; the text names the place and the cure."""


class UnknownAlertError(WatchfloorError):
    """No alert of that id is open or remembered."""

    def __init__(self) -> None:
        super().__init__(
            "no alert of this id is open, or remembered as the latest about its entity; GET /api/v1/alerts lists the last ones"
        )


class NotActiveError(WatchfloorError):
    """Verdicts cannot be taken at present; the text says why."""


def stamped(ts: float) -> float:
    """A moment as precise as it can be written down: to the microsecond."""
    return from_datetime(datetime.fromtimestamp(ts, UTC))


def until_of(given: Given, now: float) -> float | None:
    """How long ``expected`` holds when it is given at ``now`` (event time). Raises ``BadVerdictError``."""
    if given.verdict != "expected":
        return None
    if given.until_ts is None:
        return now + DEFAULT_EXPECTED_S
    if given.until_ts <= now:
        raise BadVerdictError(f"until: is not after {_text(now)}, the time the events have come to; give a later moment")
    if given.until_ts > now + MAX_EXPECTED_S + 1:  # the time may have been rounded since
        raise BadVerdictError(
            f"until: is more than {MAX_EXPECTED_S / 86_400:.0f} days after {_text(now)}; use the configured allow-list for that"
        )
    return given.until_ts


def read_body(alert_id: str, body: bytes, given_at: float | None = None) -> Given:
    """What a request says about an alert. Raises ``BadVerdictError``, and ``UnknownAlertError`` for what is no id."""
    if _ID.fullmatch(alert_id) is None:
        raise UnknownAlertError
    return _read({**_object(body, _BODY), "alert": alert_id}, given_at)


def read_file(path: Path, option: str = "--verdicts") -> list[Given]:
    """The verdicts of a file of JSON lines; blank lines are skipped. Raises ``ConfigurationError``, which names the line."""
    try:
        lines = path.read_bytes().split(b"\n")
    except (OSError, ValueError) as exc:
        why = (exc.strerror or "error").lower() if isinstance(exc, OSError) else "not a path"
        raise ConfigurationError(f"{option}: cannot read {path}: {why}; name a file of JSON lines") from exc
    found: list[Given] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found.append(read_line(line))
        except BadVerdictError as exc:
            raise ConfigurationError(f"{option}: {path}: line {number}: {exc}") from None
    return found


def read_line(line: bytes) -> Given:
    """One line. Raises ``BadVerdictError``."""
    if len(line) > MAX_LINE_BYTES:
        raise BadVerdictError(f"is longer than {MAX_LINE_BYTES:,} bytes; write one verdict a line")
    given = _read(_object(line, _LINE))
    if given.ts is not None:
        until_of(given, given.ts)
    return given


def line_of(given: Given) -> dict[str, Any]:
    """JSON-ready; ``read_line`` reads it again."""
    line: dict[str, Any] = {"alert": given.alert, "verdict": given.verdict}
    for name, moment in (("time", given.ts), ("until", given.until_ts), ("given_at", given.given_at)):
        if moment is not None:
            line[name] = _text(moment)
    if given.reason:
        line["reason"] = given.reason
    return line


def lines_of(all_given: Iterable[Given]) -> bytes:
    """JSON lines in plain ASCII: reasons are free text."""
    return b"".join(json.dumps(line_of(given), ensure_ascii=True).replace("\x7f", "\\u007f").encode() + b"\n" for given in all_given)


def _text(ts: float) -> str:
    """RFC 3339 to the microsecond, so that reading it gives the same number."""
    return datetime.fromtimestamp(ts, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _object(text: bytes, known: frozenset[str]) -> dict[str, Any]:
    try:
        fields = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadVerdictError('is no JSON; write an object such as {"verdict": "false", "reason": "backup job"}') from None
    if not isinstance(fields, dict):
        raise BadVerdictError('is no JSON object; write one such as {"verdict": "false", "reason": "backup job"}')
    unknown = sorted(fields.keys() - known)
    if unknown:
        raise BadVerdictError(f"{unknown[0][:32]!r}: no such field; use {', '.join(sorted(known))}")
    return fields


def _read(fields: Mapping[str, Any], given_at: float | None = None) -> Given:
    alert, verdict, reason = fields.get("alert"), fields.get("verdict"), fields.get("reason")
    if not isinstance(alert, str) or _ID.fullmatch(alert) is None:
        raise BadVerdictError("alert: expected the id of an alert, as in its field id")
    if verdict not in VERDICTS:
        raise BadVerdictError(
            'verdict: expected "true" (an attack), "false" (the detector was wrong) or "expected" (odd but wanted), in quotes'
        )
    if reason is not None and (not isinstance(reason, str) or len(reason) > MAX_REASON_CHARS):
        raise BadVerdictError(f"reason: expected a text of at most {MAX_REASON_CHARS} characters")
    if fields.get("until") is not None and verdict != "expected":
        raise BadVerdictError(f'until: goes with "expected" only; leave it out of {verdict!r}')
    return Given(
        alert=alert,
        verdict=verdict,
        reason="" if reason is None else reason.strip(),
        until_ts=_moment("until", fields.get("until")),
        ts=_moment("time", fields.get("time")),
        given_at=given_at if given_at is not None else _moment("given_at", fields.get("given_at")),
    )


def _moment(name: str, text: object) -> float | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text.upper()) if isinstance(text, str) and "T" in text.upper() else None
        if moment is None or moment.tzinfo is None:
            raise BadVerdictError(f"{name}: expected a time; {_EXAMPLE}")
        return checked_ts(from_datetime(moment))
    except (RejectError, OverflowError):
        raise BadVerdictError(f"{name}: is out of range; use a moment from 1990 to 2099") from None
    except ValueError:
        raise BadVerdictError(f"{name}: expected a time; {_EXAMPLE}") from None
