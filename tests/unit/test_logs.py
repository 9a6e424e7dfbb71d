import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import structlog

from monitor import logs
from schemas.errors import ConfigurationError

SECRET = 'hunter2"\\é/and more'
log = logging.getLogger("watchfloor")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Logging belongs to the whole process: everything is put back."""
    root = logging.getLogger()
    handlers, level, hooks = list(root.handlers), root.level, (sys.excepthook, threading.excepthook)
    levels = {name: logging.getLogger(name).level for name in logs.QUIET}
    show = warnings.showwarning
    known = dict(logs._secrets)
    logs._secrets.clear()  # of other tests
    yield
    logging.captureWarnings(capture=False)
    warnings.showwarning = show
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, old in levels.items():
        logging.getLogger(name).setLevel(old)
    sys.excepthook, threading.excepthook = hooks
    structlog.reset_defaults()
    logs._secrets.clear()
    logs._secrets.update(known)


def begun(*, as_json: bool | None = True, level: int = logging.INFO, stream: io.StringIO | None = None) -> io.StringIO:
    stream = stream or io.StringIO()
    logs.set_up(json=as_json, level=level, stream=stream)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def fail(error: BaseException) -> None:
    raise error


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


# -- the two forms --------------------------------------------------------------------------------------------------------------------


def test_a_line_of_json_has_time_level_logger_and_text_first() -> None:
    stream = begun()
    log.warning("delivery to %s failed", "soc", extra={"attempt": 2, "wait_s": 4.5})
    (line,) = lines(stream)
    time = line.pop("time")
    assert len(time) == len("2026-01-01T00:00:00.000Z")
    assert time.endswith("Z")
    assert line == {"level": "warning", "logger": "watchfloor", "event": "delivery to soc failed", "attempt": 2, "wait_s": 4.5}
    assert stream.getvalue().startswith('{"time": "')


def test_people_get_a_plain_line_on_a_terminal() -> None:
    stream = begun(as_json=None, stream=Terminal())
    log.warning("sink is down", extra={"sink": "soc", "why": "no answer"})
    assert stream.getvalue()[8:] == ' WARNING watchfloor: sink is down  sink=soc  why="no answer"\n'


def test_without_a_terminal_it_is_json() -> None:
    stream = begun(as_json=None)
    log.warning("x")
    assert lines(stream)[0]["event"] == "x"


def test_structlog_and_the_standard_library_end_in_the_same_lines() -> None:
    stream = begun()
    structlog.get_logger("watchfloor").info("checkpoint", rows=3)
    logging.getLogger("some.library").error("no broker")
    structlog.get_logger("watchfloor").debug("left out")
    found = [(line["logger"], line["level"], line["event"], line.get("rows")) for line in lines(stream)]
    assert found == [("watchfloor", "info", "checkpoint", 3), ("some.library", "error", "no broker", None)]


def test_setting_up_again_does_not_write_lines_twice() -> None:
    begun()
    stream = begun()
    log.warning("once")
    assert len(lines(stream)) == 1


def test_a_field_cannot_pass_for_the_text_or_the_time() -> None:
    stream = begun()
    log.warning("true", extra={"event": "false", "level": "debug", "time": "never"})
    (line,) = lines(stream)
    assert (line["event"], line["level"], line["event_"], line["level_"], line["time_"]) == ("true", "warning", "false", "debug", "never")


def test_httpx_does_not_log_urls() -> None:
    stream = begun(level=logging.DEBUG)
    with httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200))) as client:
        client.get("https://hooks.example.com/services/SECRET")
    assert stream.getvalue() == ""


def test_warnings_become_lines() -> None:
    stream = begun()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn("old style", DeprecationWarning, stacklevel=1)
        logging.captureWarnings(capture=False)
    assert lines(stream)[0]["logger"] == "py.warnings"


# -- what strangers write -------------------------------------------------------------------------------------------------------------

HOSTILE = "a\n\x1b[31mred\u202e\x00b"
SHOWN = "a\ufffd\ufffd[31mred\ufffd\ufffdb"


@pytest.mark.parametrize("as_json", [True, False])
def test_control_characters_are_made_visible_everywhere(*, as_json: bool) -> None:
    stream = begun(as_json=as_json)
    log.warning("%s", HOSTILE, extra={"plain": HOSTILE, "deep": {HOSTILE: [HOSTILE]}, "object": ValueError(HOSTILE)})
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert text.rstrip("\n").isprintable()
    if as_json:
        (line,) = lines(stream)
        assert (line["event"], line["plain"], line["deep"], line["object"]) == (SHOWN, SHOWN, {SHOWN: [SHOWN]}, SHOWN)


def test_json_stays_json_whatever_is_logged() -> None:
    stream = begun()
    deep: list[Any] = []
    deep.append(deep)
    log.warning("x", extra={"nan": float("nan"), "inf": float("inf"), "deep": deep, "bytes": b"\xff", "lone": "\ud800", "none": None})
    assert json.loads(stream.getvalue(), parse_constant=pytest.fail)["none"] is None


def test_long_values_are_cut() -> None:
    stream = begun()
    log.warning("x", extra={"long": "y" * 1_000_000})
    assert len(stream.getvalue()) < 5_000


# -- secrets --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("as_json", [True, False])
def test_a_registered_secret_is_in_no_line(*, as_json: bool) -> None:
    logs.register_secret(SECRET)
    stream = begun(as_json=as_json)
    log.warning("token is %s", SECRET)
    log.warning("repr %r", SECRET, extra={"token": SECRET, "in": {"a": [SECRET]}, SECRET: 1})
    log.warning("url https://example.com/?t=hunter2%22%5C%C3%A9%2Fand%20more")
    log.warning(json.dumps({"t": SECRET}))
    try:
        fail(ConfigurationError(f"wrong: {SECRET}"))
    except ConfigurationError:
        log.exception("failed with")
    structlog.get_logger().warning("x", token=SECRET)
    text = stream.getvalue()
    assert "hunter2" not in text
    assert "and more" not in text
    assert text.count(logs.MASK) == 9
    assert len(lines(stream) if as_json else text.splitlines()) == 6


def test_the_longer_of_two_secrets_goes_first() -> None:
    logs.register_secret("abcdefgh")
    logs.register_secret("abcdefgh-and-the-rest")
    assert logs.redact("x abcdefgh-and-the-rest y") == f"x {logs.MASK} y"


def test_a_short_secret_does_not_break_the_form_of_a_line() -> None:
    logs.register_secret("e")
    logs.register_secret("42")
    stream = begun()
    log.warning("secret", extra={"number": 42, "other": 7})
    (line,) = lines(stream)
    assert (line["event"], line["number"], line["other"]) == ("s********cr********t", logs.MASK, 7)


def test_a_secret_is_masked_before_a_value_is_cut() -> None:
    logs.register_secret("0123456789abcdef")
    stream = begun()
    log.warning("%s%s", "x" * (logs.MAX_VALUE_CHARS - 8), "0123456789abcdef")
    assert "01234" not in stream.getvalue()


def test_an_empty_secret_is_none() -> None:
    logs.register_secret("")
    assert logs.redact("abc") == "abc"


def test_a_line_that_cannot_be_formatted_does_not_show_its_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    stream = begun()
    log.warning("%d", "personal")
    (line,) = lines(stream)
    assert line["event"].startswith("a log line could not be formatted (")
    assert "personal" not in stream.getvalue() + capsys.readouterr().err


# -- exceptions -----------------------------------------------------------------------------------------------------------------------


def logged(error: BaseException) -> dict[str, Any]:
    stream = begun()
    try:
        fail(error)
    except BaseException:
        log.exception("it failed")
    return dict(lines(stream)[0]["error"])


def test_an_exception_has_type_and_place() -> None:
    told = logged(KeyError("what stood in a record"))
    assert told["type"] == "KeyError"
    assert told["place"].startswith(__file__)
    assert told["place"].endswith(" in fail")
    assert len(told["trace"]) == 2
    assert "text" not in told


def test_texts_are_shown_only_where_it_is_known_what_is_in_them() -> None:
    assert logged(ConfigurationError("http.port: 1 is in use"))["text"] == "http.port: 1 is in use"
    assert logged(FileNotFoundError(2, "No such file or directory", "/home/personal"))["text"] == "No such file or directory"


def test_the_cause_is_named() -> None:
    error = RuntimeError("x")
    error.__cause__ = OSError("y")
    assert logged(error)["cause"] == "OSError"
    assert logged(ExceptionGroup("x", [ValueError("1"), TypeError("2")]))["parts"] == ["ValueError", "TypeError"]


def test_people_get_the_exception_in_the_same_line() -> None:
    stream = begun(as_json=False)
    log.error("it failed", exc_info=ConfigurationError("a: b"))
    assert stream.getvalue()[9:] == "ERROR watchfloor: it failed  error=schemas.errors.ConfigurationError (a: b)\n"


def test_asyncio_does_not_show_what_a_task_held() -> None:
    stream = begun()
    logging.getLogger("asyncio").error("Task exception was never retrieved\nfuture: <Task exception=ValueError('personal')>")
    assert lines(stream)[0]["event"] == "Task exception was never retrieved"


def test_what_nothing_took_care_of_is_a_line_too() -> None:
    stream = begun()
    error = ValueError("personal")
    sys.excepthook(ValueError, error, None)
    thread = threading.Thread(target=fail, args=(error,), name="store")
    thread.start()
    thread.join()
    found = lines(stream)
    assert [line["level"] for line in found] == ["critical", "critical"]
    assert "store" in found[1]["event"]
    assert "personal" not in stream.getvalue()
