"""The header of a syslog line: when, which host, which program, which process; the message is left to the format.

Read are RFC 3164 (``Mar  7 13:06:56 host sshd[123]: …``), RFC 5424 (``1 2026-01-31T12:00:00Z host sshd 123 - - …``) and the ISO stamps
of rsyslog and journalctl, each with or without the ``<38>`` priority in front. Stamps without an offset are taken as UTC.
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from schemas.errors import RejectError
from schemas.stamps import checked_ts, from_text

Header = tuple[float, str, str, str, str]
"""Unix seconds, host, program, process id, message. A part the line does not have is empty. A plain tuple: one is made per line."""

_DAY_S = 86_400
_HALF_YEAR_S = 180 * _DAY_S
"""A step of more than this between two stamps is a change of year rather than a pause or a late line."""
_LATE_S = 31 * _DAY_S
"""How far a December line may lag behind the January lines before it."""
_YEARS_BACK = 9
"""29 February comes again after at most eight years."""
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_MONTHS = {
    name: number for number, name in enumerate(("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1)
}
_SHAPE = "expected a syslog line: time, host, program"

# Quoted values may hold any character but a bare quote; each branch begins with another character, so there is one way to match.
_STRUCTURED_DATA = re.compile(r'(?:\[(?:[^\]"]|"(?:[^"\\]|\\.)*")*\])+(?: |$)', re.DOTALL)
_PRIORITY = re.compile(r"<\d{1,3}>")
_ONE_DIGIT_DAY = re.compile(r"[A-Z][a-z]{2} [1-9] [0-9]{2}:[0-9]{2}:[0-9]{2} ")
_FRACTION = re.compile(r"(... [ \d]\d \d\d:\d\d:\d\d)(\.\d{1,9}) ")


class SyslogReader:
    """Reads the headers of one input in order; knows the year that RFC 3164 stamps lack.

    ``year``: the year of the first stamp. Without it the latest year is taken in which that stamp is at most a day after ``written_ts``
    (Unix seconds, when the input was last written). At New Year the year goes up by itself.
    """

    def __init__(self, year: int | None = None, written_ts: float | None = None) -> None:
        self._given_year = year
        self._written_ts = written_ts
        self._year: int | None = None
        self._latest_ts = 0.0
        self._stamp = ""
        self._stamp_ts = 0.0
        self._day = ""
        self._day_ts = 0.0

    def read(self, line: str) -> Header:
        """The parts of one line (without its line end). Raises ``RejectError``: ``unknown_shape``, ``bad_time``, ``time_out_of_range``."""
        if line[:1] == "<":
            priority = _PRIORITY.match(line)
            if priority is None:
                raise RejectError("unknown_shape", _SHAPE)
            line = line[priority.end() :]
        if line[5:6] == " " and _ONE_DIGIT_DAY.match(line):
            line = f"{line[:4]} {line[4:]}"  # the blank that pads the day is missing on some appliances
        if line[3:4] == " " and line[15:16] == " ":
            stamp = line[:15]
            ts = self._stamp_ts if stamp == self._stamp else self._short(stamp)
            rest = line[16:]
        elif line[4:5] == "-" and line[:4].isdigit():
            ts, rest = self._iso(line)
        elif line[:2] == "1 ":
            return self._rfc5424(line)
        elif (fraction := _FRACTION.match(line)) is not None:
            ts = self._short(fraction[1]) + float(fraction[2])
            rest = line[fraction.end() :]
        else:
            raise RejectError("unknown_shape", _SHAPE)
        host, _, rest = rest.partition(" ")
        tag, colon, message = rest.partition(": ")
        if not colon or " " in tag or host[-1:] == ":" or host[:1] == "[":
            host, tag, message = _odd_tag(host, rest)
        if tag[-1:] == "]":
            program, _, pid = tag[:-1].partition("[")
            return ts, host, program, pid, message
        return ts, host, tag, "", message

    def dump(self) -> dict[str, Any]:
        """JSON-ready: the year reached and the latest stamp without a year."""
        return {"year": self._year, "latest_ts": self._latest_ts}

    def load(self, data: Mapping[str, Any]) -> None:
        """Take over what ``dump`` returned."""
        self._year = data["year"]
        self._latest_ts = data["latest_ts"]
        self._stamp = self._day = ""

    def _short(self, stamp: str) -> float:
        """Unix seconds of ``Mmm dd HH:MM:SS``. Most lines repeat the second, nearly all the day, of the line before."""
        if stamp[9] != ":" or stamp[12] != ":":
            raise RejectError("unknown_shape", _SHAPE)
        try:
            hour, minute, second = int(stamp[7:9]), int(stamp[10:12]), int(stamp[13:15])
        except ValueError:
            raise RejectError("unknown_shape", _SHAPE) from None
        # 60: a leap second
        if not (0 <= hour < 24 and 0 <= minute < 60 and 0 <= second <= 60):
            raise RejectError("bad_time", "time: expected hours, minutes and seconds of a day")
        second_of_day = hour * 3600 + minute * 60 + second
        day = stamp[:6]
        if day != self._day:
            self._day_ts = self._start_of_day(day, second_of_day)
            self._day = day
        ts = self._day_ts + second_of_day
        self._latest_ts = max(self._latest_ts, ts)
        self._stamp = stamp
        self._stamp_ts = ts
        return ts

    def _start_of_day(self, text: str, second_of_day: int) -> float:
        """Unix seconds of the start of ``Mmm dd``, with the year that fits the stamps before."""
        month = _MONTHS.get(text[:3])
        digits = text[4:].strip(" ")  # no other white space: strip() takes off more than int() bears
        if month is None or not (digits.isascii() and digits.isdecimal()):
            raise RejectError("unknown_shape", _SHAPE)
        day = int(digits)
        year = self._year
        if year is None:
            year = self._first_year(month, day, second_of_day)
        kept = year
        if self._latest_ts:
            ahead_s = _midnight(year, month, day) - self._latest_ts
            if ahead_s < -_HALF_YEAR_S:
                year = kept = year + 1
            elif ahead_s > _HALF_YEAR_S and self._latest_ts - _midnight(year - 1, month, day) <= _LATE_S:
                year -= 1  # a December line that came late: the year reached stays
        if not _exists(year, month, day):
            raise RejectError("bad_time", f"time: no such day in the year {year}")
        day_ts = checked_ts(_midnight(year, month, day))
        self._year = kept
        return day_ts

    def _first_year(self, month: int, day: int, second_of_day: int) -> int:
        if self._given_year is not None:
            return self._given_year
        if self._written_ts is None:
            raise RejectError("bad_time", "time: the stamps have no year; give the year")
        last_ts = self._written_ts + _DAY_S
        newest = datetime.fromtimestamp(last_ts, UTC).year
        for year in range(newest, newest - _YEARS_BACK, -1):
            if _exists(year, month, day) and _midnight(year, month, day) + second_of_day <= last_ts:
                return year
        raise RejectError("bad_time", "time: no such day")

    @staticmethod
    def _iso(line: str) -> tuple[float, str]:
        """Stamp and remainder of ``2026-01-31T12:00:00Z …`` and ``2026-01-31 12:00:00 …``."""
        if line[10:11] == " ":
            line = f"{line[:10]}T{line[11:]}"
        stamp, _, rest = line.partition(" ")
        return from_text(stamp), rest

    @staticmethod
    def _rfc5424(line: str) -> Header:
        parts = line.split(" ", 6)
        if len(parts) < 7:
            raise RejectError("unknown_shape", _SHAPE)
        _, stamp, host, program, pid, _, rest = parts
        if rest[:1] == "[":
            data = _STRUCTURED_DATA.match(rest)
            if data is None:
                raise RejectError("unknown_shape", 'structured data: expected [id name="value"] …')
            message = rest[data.end() :]
        elif rest == "-" or rest[:2] == "- ":
            message = rest[2:]
        else:
            raise RejectError("unknown_shape", _SHAPE)
        return from_text(stamp), _value(host), _value(program), _value(pid), message.removeprefix("\ufeff")


def _value(text: str) -> str:
    """RFC 5424 writes an absent value as a hyphen."""
    return "" if text == "-" else text


def _odd_tag(host: str, rest: str) -> tuple[str, str, str]:
    """Host, tag and message of a line whose second word is not ``program:``."""
    if host[-1:] == ":":
        host = host[:-1]
        return "", host[1:-1] if host[:1] == "[" else host, rest  # some appliances leave the host out
    if host[:1] == "[" and host[-1:] == "]":
        return "", host[1:-1], rest  # metalog's
    tag, _, message = rest.partition(" ")
    if tag[-1:] == ":":
        return host, tag[:-1], message  # an empty message, or one that begins with a blank
    return host, "", rest  # e.g. "last message repeated 2 times"


def _exists(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _midnight(year: int, month: int, day: int) -> float:
    """Unix seconds of the start of a day. A day past the month's end runs into the next month: only good for comparing."""
    try:
        return float((date(year, month, 1).toordinal() - _EPOCH_DAY + day - 1) * _DAY_S)
    except ValueError:
        raise RejectError("bad_time", "time: the year is out of range") from None
