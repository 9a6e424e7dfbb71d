"""The log: JSON lines for machines, one plain line each for people, and no secret in either.

Everything that is logged anywhere in the process, by ourselves or by a library, goes through the one handler that ``set_up`` installs.
"""

import json as json_module
import logging
import sys
import threading
import traceback
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TextIO
from urllib.parse import quote

import structlog

from schemas.errors import WatchfloorError
from schemas.text import cut, printable

MASK = "********"
MIN_WHOLE_LINE_CHARS = 8
"""A shorter secret is looked for in values alone: in the whole line it might hit the words that give the line its form."""
MAX_VALUE_CHARS = 4_096
MAX_FRAMES = 20
"""Innermost calls that are shown of an exception."""
MAX_DEPTH = 4
"""Of values within values."""
QUIET = {"httpx": logging.WARNING, "httpcore": logging.WARNING, "uvicorn.access": logging.WARNING, "uvicorn.error": logging.CRITICAL}
"""Loggers that would write URLs, which may hold secrets, or a line for every request of a stranger."""
_FIRST = ("time", "level", "logger", "event")
_OWN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
"""What every record has; the rest was given as ``extra``."""

_secrets: dict[str, None] = {}
_lock = threading.Lock()


def register_secret(text: str) -> None:
    """From now on, no line shows this, nor any form it usually takes in JSON, in a URL or in Python's notation."""
    if text:
        forms = {text, json_module.dumps(text)[1:-1], json_module.dumps(text, ensure_ascii=False)[1:-1]}
        forms |= {repr(text)[1:-1], quote(text, safe=""), quote(text), printable(text)}
        with _lock:
            known = sorted({*_secrets, *forms}, key=len, reverse=True)  # the longest first: one may be a part of another
            _secrets.clear()
            _secrets.update(dict.fromkeys(known))


def redact(text: str, min_chars: int = 1) -> str:
    """``text`` with every registered secret of at least ``min_chars`` characters replaced by a mask."""
    for secret in tuple(_secrets):
        if len(secret) >= min_chars and secret in text:
            text = text.replace(secret, MASK)
    return text


def set_up(json: bool | None = None, level: int = logging.INFO, stream: TextIO | None = None) -> None:  # noqa: FBT001 - the name says it
    """Send everything that is logged to ``stream`` (standard error), from ``level`` on.

    ``json``: JSON lines or the form for people; ``None``: for people on a terminal, JSON elsewhere.
    """
    stream = sys.stderr if stream is None else stream
    as_json = not stream.isatty() if json is None else json
    handler = _Handler(stream)
    render = _as_json if as_json else _as_line
    handler.setFormatter(_Formatter(foreign_pre_chain=[_extra], processors=[_order, _clean, render], keep_exc_info=False))
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(level)
    for name, quiet in QUIET.items():
        logging.getLogger(name).setLevel(max(level, quiet))
    logging.captureWarnings(capture=True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


class _Formatter(structlog.stdlib.ProcessorFormatter):
    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        return redact(super().format(record), MIN_WHOLE_LINE_CHARS)


class _Handler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        """A line that cannot be written. The library's own message would show the arguments, whatever they are."""
        if isinstance(sys.exc_info()[1], OSError) or self.stream.closed:
            return  # nobody reads standard error any more, or it is closed
        place = f"{record.pathname}:{record.lineno}"
        broken = logging.makeLogRecord({"name": "watchfloor", "levelno": logging.ERROR, "levelname": "ERROR"})
        broken.msg, broken.args = "a log line could not be formatted (%s)", (place,)
        self.stream.write(self.format(broken) + self.terminator)


def _extra(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """What was given as ``extra`` to a logger of the standard library."""
    record = event["_record"]
    for name, value in record.__dict__.items():
        if name not in _OWN and not name.startswith("_") and name != "color_message":
            event[f"{name}_" if name in event or name in _FIRST else name] = value
    return event


def _order(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Time, level, logger and text first, then the fields, last the exception."""
    record: logging.LogRecord = event.pop("_record")
    event.pop("_from_structlog", None)
    ordered: dict[str, Any] = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "event": event.pop("event", ""),
    }
    exc_info = event.pop("exc_info", None)
    event.pop("stack_info", None)
    ordered.update({f"{name}_" if name in _FIRST else name: value for name, value in event.items()})
    if record.name == "asyncio":  # what follows the first line are representations of objects, with whatever they hold
        ordered["event"] = str(ordered["event"]).partition("\n")[0]
    error = _exception(exc_info)
    if error is not None:
        ordered["error"] = described(error)
    return ordered


def _exception(exc_info: Any) -> BaseException | None:
    if exc_info is True:
        return sys.exc_info()[1]
    if isinstance(exc_info, tuple):
        exc_info = exc_info[1]
    return exc_info if isinstance(exc_info, BaseException) else None


def described(error: BaseException) -> dict[str, Any]:
    """An exception in words that are safe to log: type, place, how it was reached, and what caused it.

    Its text is shown only where we know what can be in it: our own errors name settings, those of the operating system a reason. Any other
    text may hold what stood in a record.
    """
    frames = traceback.extract_tb(error.__traceback__)[-MAX_FRAMES:]
    told: dict[str, Any] = {"type": f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")}
    if isinstance(error, WatchfloorError):
        told["text"] = str(error)
    elif isinstance(error, OSError) and error.strerror:
        told["text"] = error.strerror
    if frames:
        told["place"] = _place(frames[-1])
        told["trace"] = [_place(frame) for frame in frames]
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        told["cause"] = type(cause).__name__
    if isinstance(error, BaseExceptionGroup):
        told["parts"] = [type(part).__name__ for part in error.exceptions[:MAX_FRAMES]]
    return told


def _place(frame: traceback.FrameSummary) -> str:
    return f"{frame.filename}:{frame.lineno} in {frame.name}"


def _clean(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {printable(str(name)): _safe(value) for name, value in event.items()}


def _safe(value: Any, depth: int = 0) -> Any:
    """A value without secrets and without characters that cannot be seen, as JSON has it."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        finite = value == value and abs(value) != float("inf")  # noqa: PLR0124 - JSON has no NaN
        return value if finite and redact(str(value)) == str(value) else redact(str(value))
    if isinstance(value, Mapping) and depth < MAX_DEPTH:
        return {printable(redact(str(name))): _safe(inner, depth + 1) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset) and depth < MAX_DEPTH:
        return [_safe(inner, depth + 1) for inner in value]
    # Secrets go before anything is changed or cut off, so that no half of one is left.
    return cut(printable(redact(str(value))), MAX_VALUE_CHARS)


def _as_json(_: Any, __: str, event: MutableMapping[str, Any]) -> str:
    return json_module.dumps(event, ensure_ascii=True)


def _as_line(_: Any, __: str, event: MutableMapping[str, Any]) -> str:
    """``12:00:01 WARNING watchfloor: what happened  key=value``."""
    time, level, logger, text = (event.pop(name) for name in _FIRST)
    error = event.pop("error", None)
    words = [f"{name}={_shown(value)}" for name, value in event.items()]
    if isinstance(error, Mapping):
        words.append(f"error={error['type']}" + "".join(f" ({error[name]})" for name in ("text", "place") if name in error))
    elif error is not None:
        words.append(f"error={_shown(error)}")
    return f"{time[11:19]} {level.upper()} {logger}: {text}" + "".join(f"  {word}" for word in words)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) and value and " " not in value else json_module.dumps(value, ensure_ascii=False)


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    logging.getLogger("watchfloor").critical("an error that nothing took care of", exc_info=(kind, error, trace))


def _uncaught_in_thread(given: threading.ExceptHookArgs) -> None:
    if given.exc_value is not None and not isinstance(given.exc_value, SystemExit):
        name = given.thread.name if given.thread is not None else "unknown"
        logging.getLogger("watchfloor").critical("an error in thread %s that nothing took care of", name, exc_info=given.exc_value)
