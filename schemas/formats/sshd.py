"""The format ``sshd``: the auth.log (or ``secure``) of a Unix host, in any of the syslog forms.

Bytes that are no UTF-8 are replaced, not refused: a brute force with user names in another encoding must still be seen. Control
characters stay in the values; who prints them escapes them.
"""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from schemas.errors import RejectError
from schemas.event import Event
from schemas.formats.base import Context
from schemas.formats.sshd_lines import SshdLines
from schemas.formats.sshd_local import LocalLines
from schemas.formats.sshd_rules import IGNORED, RULES
from schemas.formats.syslog import SyslogReader

LINE_BYTES_LIMIT = 65_536
"""syslog daemons cut at 8 KiB; what is longer is no line of theirs."""
_SAMPLE_LINES = 50
_SSHD = frozenset({"sshd", "sshd-session", "sshd-auth"})
"""Since OpenSSH 9.8 the connection is served by processes of their own names."""
_AUTH_PROGRAMS = _SSHD | {
    *("sudo", "su", "login", "systemd-logind", "polkitd", "pkexec"),
    *("useradd", "adduser", "usermod", "userdel", "groupadd", "gpasswd", "passwd", "chpasswd"),
}
_SOME = 0.1
"""This share of lines about log-ins is enough to read a mixed system log for them."""


class SshdParser:
    """Parser of one auth.log."""

    def __init__(self, context: Context) -> None:
        self._reader = SyslogReader(context.year, context.written_ts)
        self._numbers = context.memory.lines
        self._sshd = SshdLines(context.memory, context.tenant)
        self._local = LocalLines(context.memory, context.tenant).by_program

    def parse(self, record: bytes) -> tuple[Event, ...]:
        """The events of one line. Raises ``RejectError``: ``unknown_shape``, ``bad_time``, ``time_out_of_range``, ``too_long``."""
        line = record.rstrip(b"\r\n")
        if len(line) > LINE_BYTES_LIMIT:
            raise RejectError("too_long", f"line: expected at most {LINE_BYTES_LIMIT} bytes")
        text = line.decode("utf-8", "replace")
        if not text or text.isspace():
            return ()
        ts, host, program, pid, message = self._reader.read(text.removeprefix("\ufeff"))
        if program in _SSHD:
            if message[:4] == "[ID ":
                message = message.partition("] ")[2]  # Solaris numbers its messages
            elif message[:11] == "(pam_unix) ":
                message = _pam_line("sshd", "pam_unix", message[11:])
            events = self._sshd.events(ts, host, pid, message.rstrip())
        elif program in self._local:
            events = self._local[program](ts, host, program, message)
        else:
            events = self._other(ts, host, program, pid, message)
        if events:
            self._name(events, line)
        return events

    def _other(self, ts: float, host: str, program: str, pid: str, message: str) -> tuple[Event, ...]:
        """What PAM says about any other service; ``sshd(pam_unix)[123]: …`` is how old systems wrote PAM's lines."""
        if program[-1:] == ")":
            service, _, module = program[:-1].partition("(")
            message = _pam_line(service, module, message)
            if service == "sshd":
                self._sshd.pam_apart(host)
        elif message[:11] == "(pam_unix) ":
            message = _pam_line(program, "pam_unix", message[11:])
        if message[:4] != "pam_":
            return ()
        service = message.partition("(")[2].partition(":")[0]
        if service == "sshd":
            return self._sshd.events(ts, host, pid, message)
        # sudo and su are told of by their own lines
        return () if service in self._local else self._sshd.pam_failure(ts, host, pid, message, service)

    def _name(self, events: tuple[Event, ...], line: bytes) -> None:
        """Give the events of this line their ids. Equal lines are told apart by number; the digest stands for the line in the memory."""
        base = blake2b(line, digest_size=8).hexdigest()
        number = self._numbers.number(base)
        if number:
            base = f"{base}-{number}"
        if len(events) == 1:
            events[0].id = base
            return
        for i, event in enumerate(events):
            event.id = f"{base}-{i}"

    def dump(self) -> dict[str, Any]:
        """JSON-ready: the year the stamps have reached."""
        return self._reader.dump()

    def load(self, data: Mapping[str, Any]) -> None:
        """Take over what ``dump`` returned."""
        self._reader.load(data)


def _pam_line(service: str, module: str, message: str) -> str:
    """What an old PAM said, in today's form."""
    part = "session" if message.startswith("session ") else "auth"
    return f"{module}({service}:{part}): {message}"


class SshdFormat:
    """Lines of auth.log: sshd, sudo, su, PAM and the programs that change accounts."""

    name = "sshd"
    title = "auth.log of a Unix host: sshd, sudo, su, account changes (RFC 3164, RFC 5424 and ISO stamps)"
    rules = RULES
    ignored = IGNORED

    def recognise(self, sample: bytes) -> float:
        """By the share of the first lines that are syslog lines about log-ins; at least 0.5 when a tenth of a system log is."""
        lines = sample.split(b"\n")
        if len(lines) > 1:
            lines.pop()  # empty, or cut in the middle
        lines = [each for each in lines if each.strip()][:_SAMPLE_LINES]
        if not lines:
            return 0.0
        headers = about_logins = 0
        reader = SyslogReader(year=2000)  # a leap year, so that every day exists
        for line in lines:
            try:
                _, _, program, _, message = reader.read(line[:1024].decode("utf-8", "replace"))
            except RejectError:
                continue
            headers += 1
            about_logins += program in _AUTH_PROGRAMS or program.endswith("(pam_unix)") or message.startswith("pam_")
        share = about_logins / len(lines)
        return max(share, 0.5) if share >= _SOME and headers == len(lines) else share

    def parser(self, context: Context) -> SshdParser:
        """A parser for one file or topic."""
        return SshdParser(context)


FORMAT = SshdFormat()
