"""What the lines of sshd itself mean. One attempt is one event, however many lines tell of it (see ``sshd_attempts``)."""

import re

from schemas.formats.base import Memory
from schemas.formats.sshd_attempts import Attempts, Stage, key
from schemas.formats.sshd_ends import Handler, SshdEnds
from schemas.formats.sshd_events import NOTHING, EventMaker, Events, address, split_peer, split_user

MAX_REPEATS = 1000
"""A line ``message repeated N times`` makes at most so many events: far beyond any threshold, and one forged line cannot fill the memory."""
PAM_ALONE_AFTER = 3
"""PAM failures of one host without a verdict by sshd between them, after which PAM is taken to be the only one that speaks there."""

_SSHD_SPEAKS = 1 << 20
"""In place of such a count: the last one who spoke was sshd."""

_BAD_PASSWORD_METHODS = ("password", "keyboard-interactive", "challenge-response")
_REPEATED = re.compile(r"repeated (\d{1,9}) times: \[ ?(.*)\]\s*", re.DOTALL)
_MORE_FAILURES = re.compile(r"PAM (\d{1,9}) more authentication failures?; ")
_SESSION = re.compile(r" session (opened|closed) for user ([^\s(]+)")


class SshdLines:
    """Turns the messages of sshd (any of its processes) into events without id."""

    def __init__(self, memory: Memory, tenant: str | None) -> None:
        self._sessions = memory.sessions
        self._attempts = Attempts(memory.sessions)
        self._make = EventMaker(tenant)
        self._ends = SshdEnds(self._attempts, self._make)
        self._by_word: dict[str, Handler] = {
            "Accepted": self._accepted,
            "Failed": self._failed,
            "Invalid": self._invalid,
            "Illegal": self._invalid,
            "message": self._repeated,
            "pam_unix(sshd:session):": self._session,
            "PAM": self._pam_more,
            "PAM:": self._pam_error,
            "error:": self._prefixed,
            "fatal:": self._prefixed,
            "maximum": self._max_attempts,
            "Too": self._max_attempts,
            "User": self._not_allowed,
            "ROOT": self._root_refused,
            **self._ends.by_word,
        }

    def events(self, ts: float, host: str, pid: str, message: str) -> Events:
        """The events of one message; none when it says nothing new."""
        word = message.partition(" ")[0]
        handler = self._by_word.get(word)
        if handler is not None:
            return handler(ts, host, pid, message)
        if word[:4] == "pam_" and word[-7:] == ":auth):":
            return self.pam_failure(ts, host, pid, message, "sshd")
        return NOTHING

    # --- verdicts -----------------------------------------------------------------------------------------------------------------

    def _accepted(self, ts: float, host: str, pid: str, message: str) -> Events:
        method, _, rest = message[9:].partition(" for ")
        named = split_user(rest)
        if named is None:
            return NOTHING
        _, user, peer = named
        ip, port = split_peer(peer)
        # Remembered so that a late "Connection closed" of the same connection is no probe.
        self._attempts.begins(key(host, pid, ip, port), ts, Stage.VERDICT, user, ip, port)
        self._sshd_spoke(host)
        return self._make.login(ts, host, user, ip, method, None)

    def _failed(self, ts: float, host: str, pid: str, message: str) -> Events:
        method, _, rest = message[7:].partition(" for ")
        named = split_user(rest)
        if named is None:
            return NOTHING
        invalid, user, peer = named
        ip, port = split_peer(peer)
        name = key(host, pid, ip, port)
        self._sshd_spoke(host)
        guess = method.startswith(_BAD_PASSWORD_METHODS)
        if not guess and not invalid and method != "none" and name:
            # A client offers its keys one after another, and a ticket before them; a refused one is no guess, the next may be accepted.
            # Whether the connection got any further, its last line says.
            self._attempts.opened(name, ts, Stage.OFFERED, ip, port)
            return NOTHING
        if not guess and (method == "none" or name):
            # "none" is a client's question which methods there are, sent before nearly every login. Only that it names a user who does
            # not exist is news, unless "Invalid user" has said so.
            if not invalid or self._attempts.count(name, ts, ip, port):
                return NOTHING
            stage = Stage.NAMED
        else:
            stage = Stage.VERDICT
        if not self._attempts.begins(name, ts, stage, user, ip, port):
            return NOTHING
        if invalid:
            reason = "unknown_user"
        else:
            reason = "bad_password" if guess else "bad_key"
        return self._make.login(ts, host, user, ip, method, reason)

    def _invalid(self, ts: float, host: str, pid: str, message: str) -> Events:
        if message[7:13] != " user ":
            return NOTHING
        user, sep, peer = message[13:].rpartition(" from ")
        if not sep:
            return NOTHING
        ip, port = split_peer(peer)
        self._sshd_spoke(host)
        self._attempts.begins(key(host, pid, ip, port), ts, Stage.NAMED, user, ip, port)
        return self._make.login(ts, host, user, ip, None, "unknown_user")

    def _repeated(self, ts: float, host: str, pid: str, message: str) -> Events:
        """``message repeated 5 times: [ … ]``: five more after the first."""
        found = _REPEATED.fullmatch(message, 8)
        # Only a verdict may be repeated: sshd has one connection per process, so the other lines cannot come twice in a row.
        if found is None or not found[2].startswith(("Failed ", "error: PAM: ")):
            return NOTHING
        times = min(int(found[1]), MAX_REPEATS)
        return tuple(event for _ in range(times) for event in self.events(ts, host, pid, found[2]))

    def _prefixed(self, ts: float, host: str, pid: str, message: str) -> Events:
        """``error: …`` and ``fatal: …``: the same messages, logged at another level."""
        rest = message[7:]
        handler = self._by_word.get(rest.partition(" ")[0])
        if handler is None or handler == self._prefixed:
            return NOTHING
        return handler(ts, host, pid, rest)

    def _not_allowed(self, ts: float, host: str, pid: str, message: str) -> Events:
        user, sep, rest = message[5:].partition(" from ")
        peer, not_allowed, _ = rest.partition(" not allowed because ")
        if not sep or not not_allowed:
            return NOTHING
        return self._rejected_user(ts, host, pid, user, peer)

    def _root_refused(self, ts: float, host: str, pid: str, message: str) -> Events:
        _, sep, peer = message.partition("LOGIN REFUSED FROM ")
        return self._rejected_user(ts, host, pid, "root", peer) if sep else NOTHING

    def _rejected_user(self, ts: float, host: str, pid: str, user: str, peer: str) -> Events:
        ip, port = split_peer(peer)
        if not self._attempts.begins(key(host, pid, ip, port), ts, Stage.NAMED, user, ip, port):
            return NOTHING
        return self._make.login(ts, host, user, ip, None, "not_allowed")

    def _max_attempts(self, ts: float, host: str, pid: str, message: str) -> Events:
        """The summary of a connection: news only where the single failures are not logged."""
        _, _, rest = message.partition(" for ")
        named = split_user(rest)
        if named is None or not message.startswith(("maximum authentication attempts", "Too many authentication failures")):
            return NOTHING
        invalid, user, peer = named
        ip, port = split_peer(peer)
        return self._ends.ended(ts, host, pid, user, ip, port, "unknown_user" if invalid else "max_attempts")

    # --- PAM ----------------------------------------------------------------------------------------------------------------------

    def _sshd_spoke(self, host: str) -> None:
        name = f"{host}/pam"
        if self._sessions.get(name) != _SSHD_SPEAKS:
            self._sessions.put(name, _SSHD_SPEAKS)

    def pam_apart(self, host: str) -> None:
        """Old systems send PAM's lines to another file than sshd's: there PAM is the only one that speaks until sshd is heard."""
        name = f"{host}/pam"
        if not self._sessions.get(name):
            self._sessions.put(name, PAM_ALONE_AFTER)

    def pam_failure(self, ts: float, host: str, pid: str, message: str, service: str) -> Events:
        """``pam_unix(sshd:auth): authentication failure; … rhost=192.0.2.1 user=root``.

        It comes a moment before sshd's own verdict and is not counted: with directory logins (sssd, LDAP) the first module fails at every
        *successful* login, and the host name in ``rhost`` is the stranger's to choose. It is counted when sshd has long said nothing
        (``PAM_ALONE_AFTER``), and at once for other services, which have no verdict line here.
        """
        if ": authentication failure; " not in message:
            return NOTHING
        rhost, user, typed = _pam_fields(message)
        ip = address(rhost)
        if service == "sshd":
            name = f"{host}/pam"
            unanswered = self._sessions.get(name) % _SSHD_SPEAKS
            if unanswered < PAM_ALONE_AFTER:
                self._sessions.put(name, unanswered + 1)
                return NOTHING
        elif not rhost:
            return NOTHING  # a console or a screen lock, nobody from outside
        if ip and user and not self._attempts.begins(key(host, pid, ip, ""), ts, Stage.PAM, user, ip, ""):
            return NOTHING
        return self._make.login(ts, host, user or typed, ip, "pam", "bad_password" if user else "unknown_user")

    def _pam_more(self, ts: float, host: str, pid: str, message: str) -> Events:
        """``PAM 2 more authentication failures; …`` sums up a connection: news as far as the log has fewer failures of it.

        The others were never written (sshd silent) or swallowed by a syslog daemon that limits or folds equal lines.
        """
        found = _MORE_FAILURES.match(message)
        if found is None or not pid:
            return NOTHING
        name = key(host, pid, None, "")
        missing = int(found[1]) + 1 - self._attempts.count(name, ts)  # one more than it says: the first had a line of its own
        if missing <= 0:
            return NOTHING
        rhost, user, _ = _pam_fields(message)
        ip = address(rhost)
        self._attempts.begins(name, ts, Stage.OVER, user, ip, "")
        reason = "bad_password" if user else "unknown_user"
        times = min(missing, MAX_REPEATS)
        return tuple(event for _ in range(times) for event in self._make.login(ts, host, user, ip, "pam", reason))

    def _pam_error(self, ts: float, host: str, pid: str, message: str) -> Events:
        """``error: PAM: Authentication failure for root from 192.0.2.1``: keyboard-interactive, whose "Failed" line may be missing."""
        says, sep, rest = message[5:].partition(" for ")
        named = split_user(rest)
        if not sep or named is None:
            return NOTHING
        invalid, user, peer = named
        ip, port = split_peer(peer)
        if invalid and ip is None:
            return NOTHING  # a host name: the "Failed" line, always logged for these, has the address
        self._sshd_spoke(host)
        if not self._attempts.begins(key(host, pid, ip, port), ts, Stage.PAM_ERROR, user, ip, port):
            return NOTHING
        if invalid or says.startswith("User not known"):
            reason = "unknown_user"
        else:
            reason = "bad_password" if says.startswith("Authentication") else "not_allowed"
        return self._make.login(ts, host, user, ip, "keyboard-interactive/pam", reason)

    # --- sessions -----------------------------------------------------------------------------------------------------------------

    def _session(self, ts: float, host: str, _pid: str, message: str) -> Events:
        """``session opened for user bob(uid=1000) by (uid=0)`` and ``session closed for user bob``."""
        found = _SESSION.match(message, 23)
        if found is None:
            return NOTHING
        return self._make.session(ts, host, found[2], opened=found[1] == "opened")


def _pam_fields(message: str) -> tuple[str, str, str]:
    """``rhost``, ``user`` and ``ruser`` of ``…; tty=ssh ruser= rhost=192.0.2.1  user=root``, each empty when absent.

    ``user`` is only written for accounts that exist. Some services put the name that was typed into ``ruser``, where it may look like
    the rest of the line: there PAM's own words are the last.
    """
    _, _, said = message.partition(" ruser=")
    if said.startswith(" rhost=") or " rhost=" not in said:  # the usual: nothing was typed
        head, _, user = message.partition(" user=")
        return head.rpartition(" rhost=")[2].strip(), user.strip(), ""
    typed, _, rest = said.rpartition(" rhost=")
    rhost, _, user = rest.partition(" user=")
    return rhost.strip(), user.strip(), typed.strip()
