"""One attempt is told by sshd in up to four lines; this remembers which were seen, so that it is counted once.

The lines of one attempt come in a fixed order (``Stage``). A line of a later stage belongs to the attempt that is open; a line of the
same or an earlier stage begins another.
"""

from enum import IntEnum
from zlib import crc32

from schemas.formats.base import Recent


class Stage(IntEnum):
    """How far the lines about the open attempt have come."""

    OPENED = 0  # the connection was noted, nothing was tried yet
    NAMED = 1  # "Invalid user", "not allowed because"
    PAM = 2  # "pam_unix(sshd:auth): authentication failure"
    PAM_ERROR = 3  # "error: PAM: Authentication failure for"
    VERDICT = 4  # "Failed … for", "Accepted … for"
    OVER = 5  # closed or given up
    OFFERED = 6  # keys were offered and refused, nothing is counted yet: as OPENED otherwise


# One integer of 63 bits holds what is known of a connection, because that is what the shared memory keeps and JSON can carry:
# minute 26 | address 10 | port 8 | user 8 | stage 3 | attempts 8. Marks are hashes, 0 means not known. Two that collide by chance can
# only merge lines of one process within minutes, which are nearly always of one connection anyway.
_FIRST_MINUTE = 631_152_000 // 60  # 1990
_MINUTE_BITS = (1 << 26) - 1
_MAX_ATTEMPTS = 255
_FORGET_AFTER_MIN = 10
"""sshd gives a login two minutes (LoginGraceTime); a process id seen again after this is another process."""


def key(host: str, pid: str, ip: str | None, port: str) -> str:
    """Name of a connection, or ``""`` when the line does not tell it from others (no process id, no port)."""
    if pid:
        return f"{host}/{pid}"
    return f"{host}/{ip}:{port}" if ip and port else ""


def _mark(text: str | None, size: int) -> int:
    return crc32(text.encode()) % size + 1 if text else 0


class Attempts:
    """What was said about each connection; kept in ``sessions``, which all inputs of a run share."""

    def __init__(self, sessions: Recent) -> None:
        self._sessions = sessions

    def begins(self, name: str, ts: float, stage: Stage, user: str, ip: str | None, port: str) -> bool:
        """Whether a line of this stage tells of an attempt not yet counted. Remembers the line."""
        if not name:
            return True
        user_mark = _mark(user, 255)
        address_mark = _mark(ip, 1023)
        port_mark = _mark(port, 255)
        attempts = 0
        new = True
        known = self._known(name, ts, address_mark, port_mark)
        if known:
            attempts = known & 0xFF
            user_before = known >> 11 & 0xFF
            same_user = not (user_mark and user_before) or user_mark == user_before
            new = not (same_user and attempts and stage > known >> 8 & 7)
            address_mark = address_mark or known >> 27 & 0x3FF
            port_mark = port_mark or known >> 19 & 0xFF
            user_mark = user_mark or user_before
        if new:
            attempts = min(attempts + 1, _MAX_ATTEMPTS)
        who = address_mark << 27 | port_mark << 19 | user_mark << 11
        self._sessions.put(name, _minute(ts) << 37 | who | stage << 8 | attempts)
        return new

    def opened(self, name: str, ts: float, stage: Stage = Stage.OPENED, ip: str | None = None, port: str = "") -> None:
        """Remember that this connection began to talk, or offers keys; nothing is counted."""
        address_mark = _mark(ip, 1023)
        port_mark = _mark(port, 255)
        if name and not self._known(name, ts, address_mark, port_mark) & 0xFF:
            self._sessions.put(name, _minute(ts) << 37 | address_mark << 27 | port_mark << 19 | stage << 8)

    def count(self, name: str, ts: float, ip: str | None = None, port: str = "") -> int:
        """How many attempts of this connection were counted, up to 255."""
        return self._known(name, ts, _mark(ip, 1023), _mark(port, 255)) & 0xFF

    def stage(self, name: str, ts: float) -> Stage | None:
        """Stage of the open attempt; ``None`` when nothing was said."""
        known = self._known(name, ts, 0, 0)
        return Stage(known >> 8 & 7) if known else None

    def _known(self, name: str, ts: float, address_mark: int, port_mark: int) -> int:
        """The memory of this connection; 0 when there is none, it is too old, or of another peer."""
        known = self._sessions.get(name)
        if not known or abs((known >> 37) - _minute(ts)) > _FORGET_AFTER_MIN:
            return 0
        address_before = known >> 27 & 0x3FF
        if address_mark and address_before and address_mark != address_before:
            return 0
        port_before = known >> 19 & 0xFF
        if port_mark and port_before and port_mark != port_before:
            return 0
        return known


def _minute(ts: float) -> int:
    return (int(ts) // 60 - _FIRST_MINUTE) & _MINUTE_BITS
