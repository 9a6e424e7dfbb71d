"""What the lines of sshd itself mean. One attempt is one event, however many lines tell of it (see ``sshd_attempts``).

Who writes which part of a line decides how it is cut. A user name that exists on the host has no blank; a name that does not exist is
chosen by the stranger and may look like the rest of the line, so there the last `` from `` is sshd's own.
"""

import re
from collections.abc import Callable

from schemas.address import canonical_ip
from schemas.event import Event
from schemas.formats.base import Memory
from schemas.formats.sshd_attempts import Attempts, Stage, key

Events = tuple[Event, ...]
NOTHING: Events = ()

MAX_REPEATS = 1000
""""message repeated N times" makes at most so many events: far beyond any threshold, and one forged line cannot fill the memory."""
PAM_ALONE_AFTER = 3
"""PAM failures of one host without a verdict by sshd between them, after which PAM is taken to be the only one that speaks there."""

_ADDRESS_CHARS = 80  # IPv6 with a zone
_BAD_PASSWORD_METHODS = ("password", "keyboard-interactive", "challenge-response", "gssapi", "pam")
_PREAUTH = " [preauth]"
_NAMED_PEER = re.compile(r"(authenticating|invalid) user (.*) (\S+) port (\d+)", re.DOTALL)
_NAMED_PEER_SAYS = re.compile(r"(authenticating|invalid) user (.*) (\S+) port (\d+): (.*)", re.DOTALL)
_PEER = re.compile(r"(\S+)(?: port (\d+))?")
_OLD_DISCONNECT = re.compile(r"(\S+): \d+:")
_REPEATED = re.compile(r"repeated (\d{1,9}) times: \[ ?(.*)\]\s*", re.DOTALL)
_MORE_FAILURES = re.compile(r"PAM (\d{1,9}) more authentication failures?; ")
_RHOST = re.compile(r"\brhost=(\S*)")
_PAM_USER = re.compile(r"\buser=(\S+)\s*$")
_PEER_SAYS = re.compile(r"(\S+) port (\d+): ")
_SESSION = re.compile(r" session (opened|closed) for user ([^\s(]+)")
_WITH_PEER = re.compile(r"Unable to negotiate with (\S+?)(?: port (\d+))?: ")
_BRACKETED_PEER = re.compile(r".*? from \[([^\]]*)\]:(\d+) ")


class SshdLines:
    """Turns the messages of sshd (any of its processes) into events without id."""

    def __init__(self, memory: Memory, tenant: str | None) -> None:
        self._sessions = memory.sessions
        self._attempts = Attempts(memory.sessions)
        self._tenant = tenant
        self._by_word: dict[str, Callable[[float, str, str, str], Events]] = {
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
            "Connection": self._closed,
            "Disconnected": self._closed,
            "Disconnecting": self._disconnecting,
            "Received": self._received_disconnect,
            "Unable": self._unable,
            "no": self._no_matching,
            "ssh_dispatch_run_fatal:": self._dispatch_fatal,
            "Bad": self._bad_protocol,
            "banner": self._banner,
            "kex_exchange_identification:": self._exchange,
            "Did": self._no_identification,
            "Timeout": self._timeout,
            "refused": self._refused,
            "drop": self._dropped,
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

    def _login(self, ts: float, host: str, outcome: str, user: str, ip: str | None, reason: str | None, action: str | None) -> Events:
        return (
            Event(
                "auth.login",
                ts,
                outcome=outcome,
                tenant=self._tenant,
                actor=user or None,
                actor_type="user" if user else None,
                ip=ip,
                reason=reason,
                target=f"host:{host}" if host else None,
                action=action,
            ),
        )

    def _accepted(self, ts: float, host: str, pid: str, message: str) -> Events:
        method, _, rest = message[9:].partition(" for ")
        user, sep, peer = rest.partition(" from ")
        if not sep:
            return NOTHING
        ip, port = _peer(peer)
        # Remembered so that a late "Connection closed" of the same connection is no probe.
        self._attempts.begins(key(host, pid, ip, port), ts, Stage.VERDICT, user, ip, port)
        self._sshd_spoke(host)
        return self._login(ts, host, "success", user, ip, None, method)

    def _failed(self, ts: float, host: str, pid: str, message: str) -> Events:
        method, _, rest = message[7:].partition(" for ")
        invalid = rest[:13] in {"invalid user ", "illegal user "}
        user, sep, peer = rest[13:].rpartition(" from ") if invalid else rest.partition(" from ")
        if not sep:
            return NOTHING
        ip, port = _peer(peer)
        name = key(host, pid, ip, port)
        self._sshd_spoke(host)
        if method == "none":
            # A client's question which methods there are, sent before nearly every login: no guess. Only that it names a user who does
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
            reason = "bad_password" if method.startswith(_BAD_PASSWORD_METHODS) else "bad_key"
        return self._login(ts, host, "failure", user, ip, reason, method)

    def _invalid(self, ts: float, host: str, pid: str, message: str) -> Events:
        if message[7:13] != " user ":
            return NOTHING
        user, sep, peer = message[13:].rpartition(" from ")
        if not sep:
            return NOTHING
        ip, port = _peer(peer)
        self._sshd_spoke(host)
        self._attempts.begins(key(host, pid, ip, port), ts, Stage.NAMED, user, ip, port)
        return self._login(ts, host, "failure", user, ip, "unknown_user", None)

    def _repeated(self, ts: float, host: str, pid: str, message: str) -> Events:
        """``message repeated 5 times: [ … ]``: five more after the first."""
        found = _REPEATED.fullmatch(message, 8)
        # Only a verdict may be repeated: sshd has one connection per process, so the other lines cannot come twice in a row.
        if found is None or not found[2].startswith(("Failed ", "error: PAM: ")):
            return NOTHING
        events: list[Event] = []
        for _ in range(min(int(found[1]), MAX_REPEATS)):
            events += self.events(ts, host, pid, found[2])
        return tuple(events)

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
        ip, port = _peer(peer)
        if not self._attempts.begins(key(host, pid, ip, port), ts, Stage.NAMED, user, ip, port):
            return NOTHING
        return self._login(ts, host, "failure", user, ip, "not_allowed", None)

    def _max_attempts(self, ts: float, host: str, pid: str, message: str) -> Events:
        """The summary of a connection: news only where the single failures are not logged."""
        _, _, rest = message.partition(" for ")
        invalid = rest[:13] == "invalid user "
        user, sep, peer = rest[13:].rpartition(" from ") if invalid else rest.partition(" from ")
        if not sep or not message.startswith(("maximum authentication attempts", "Too many authentication failures")):
            return NOTHING
        ip, port = _peer(peer)
        return self._ended(ts, host, pid, user, ip, port, "unknown_user" if invalid else "max_attempts")

    def _ended(self, ts: float, host: str, pid: str, user: str, ip: str | None, port: str, reason: str) -> Events:
        """The end of a connection that named a user: a failure when none was told of it yet."""
        name = key(host, pid, ip, port)
        if self._attempts.count(name, ts, ip, port):
            return NOTHING
        self._attempts.begins(name, ts, Stage.OVER, user, ip, port)
        return self._login(ts, host, "failure", user, ip, reason, None)

    # --- PAM ----------------------------------------------------------------------------------------------------------------------

    def _sshd_spoke(self, host: str) -> None:
        name = f"{host}/pam"
        if self._sessions.get(name):
            self._sessions.put(name, 0)

    def pam_failure(self, ts: float, host: str, pid: str, message: str, service: str) -> Events:
        """``pam_unix(sshd:auth): authentication failure; … rhost=192.0.2.1 user=root``.

        It comes a moment before sshd's own verdict and is not counted: with directory logins (sssd, LDAP) the first module fails at every
        *successful* login, and the host name in ``rhost`` is the stranger's to choose. It is counted when sshd has long said nothing
        (``PAM_ALONE_AFTER``), and at once for other services, which have no verdict line here.
        """
        if ": authentication failure; " not in message:
            return NOTHING
        rhost = _RHOST.search(message)
        found = _PAM_USER.search(message)
        user = found[1] if found else ""
        ip = _address(rhost[1]) if rhost else None
        if service == "sshd":
            name = f"{host}/pam"
            unanswered = self._sessions.get(name)
            if unanswered < PAM_ALONE_AFTER:
                self._sessions.put(name, unanswered + 1)
                return NOTHING
        elif rhost is None or not rhost[1]:
            return NOTHING  # a console or a screen lock, nobody from outside
        if ip and user and not self._attempts.begins(key(host, pid, ip, ""), ts, Stage.PAM, user, ip, ""):
            return NOTHING
        return self._login(ts, host, "failure", user, ip, "bad_password" if user else "unknown_user", "pam")

    def _pam_more(self, ts: float, host: str, pid: str, message: str) -> Events:
        """``PAM 2 more authentication failures; …`` sums up a connection: news only when sshd itself said nothing of it."""
        found = _MORE_FAILURES.match(message)
        rhost = _RHOST.search(message)
        if found is None or rhost is None or not pid:
            return NOTHING
        name = key(host, pid, None, "")
        if not self._attempts.count(name, ts):
            missing = int(found[1]) + 1  # the first one was held back as unanswered
        elif self._attempts.stage(name, ts) == Stage.PAM:
            missing = int(found[1])
        else:
            return NOTHING
        ip = _address(rhost[1])
        user = _PAM_USER.search(message)
        actor = user[1] if user else ""
        self._attempts.begins(name, ts, Stage.OVER, actor, ip, "")
        reason = "bad_password" if user else "unknown_user"
        events: list[Event] = []
        for _ in range(min(missing, MAX_REPEATS)):
            events += self._login(ts, host, "failure", actor, ip, reason, "pam")
        return tuple(events)

    def _pam_error(self, ts: float, host: str, pid: str, message: str) -> Events:
        """``error: PAM: Authentication failure for root from 192.0.2.1``: keyboard-interactive, whose "Failed" line may be missing."""
        says, sep, rest = message[5:].partition(" for ")
        invalid = rest[:13] in {"illegal user ", "invalid user "}
        user, from_, peer = rest[13:].rpartition(" from ") if invalid else rest.partition(" from ")
        if not sep or not from_:
            return NOTHING
        ip, port = _peer(peer)
        if invalid and ip is None:
            return NOTHING  # a host name: the "Failed" line, always logged for these, has the address
        self._sshd_spoke(host)
        if not self._attempts.begins(key(host, pid, ip, port), ts, Stage.PAM_ERROR, user, ip, port):
            return NOTHING
        if invalid or says.startswith("User not known"):
            reason = "unknown_user"
        else:
            reason = "bad_password" if says.startswith("Authentication") else "not_allowed"
        return self._login(ts, host, "failure", user, ip, reason, "keyboard-interactive/pam")

    # --- the ends of connections --------------------------------------------------------------------------------------------------

    def _closed(self, ts: float, host: str, pid: str, message: str) -> Events:
        """``Connection closed by …``, ``Connection reset by …``, ``Disconnected from …``, before anyone logged in."""
        if message.startswith(("Connection closed by ", "Connection reset by ")):
            rest = message[message.index(" by ") + 4 :]
        elif message[:18] == "Disconnected from ":
            rest = message[18:]
        else:
            return NOTHING
        preauth = rest.endswith(_PREAUTH)
        rest = rest.removesuffix(_PREAUTH)
        named = _NAMED_PEER.fullmatch(rest)
        if named is not None:
            reason = "unknown_user" if named[1] == "invalid" else "aborted"
            return self._ended(ts, host, pid, named[2], _address(named[3]), named[4], reason)
        peer = _PEER.fullmatch(rest)
        if peer is None:
            return NOTHING
        ip, port = _address(peer[1]), peer[2] or ""
        name = key(host, pid, ip, port)
        # Without the mark the line may as well end a session, unless the exchange of versions was seen to fail.
        if self._attempts.count(name, ts, ip, port) or not (preauth or self._attempts.stage(name, ts) == Stage.OPENED):
            return NOTHING
        return self._probe(ts, host, pid, ip, port, "probe")

    def _disconnecting(self, ts: float, host: str, pid: str, message: str) -> Events:
        named = _NAMED_PEER_SAYS.fullmatch(message.removesuffix(_PREAUTH), 14)
        if named is None:
            return NOTHING
        if named[1] == "invalid":
            reason = "unknown_user"
        else:
            reason = "max_attempts" if named[5].startswith("Too many") else "aborted"
        return self._ended(ts, host, pid, named[2], _address(named[3]), named[4], reason)

    def _received_disconnect(self, ts: float, host: str, pid: str, message: str) -> Events:
        """Only the old form, without a port: the newer one is followed by "Disconnected from", which names the user too."""
        found = _OLD_DISCONNECT.match(message, 20)
        if found is None or not message.endswith(_PREAUTH):
            return NOTHING
        ip = _address(found[1])
        if self._attempts.count(key(host, pid, ip, ""), ts, ip):
            return NOTHING
        return self._probe(ts, host, pid, ip, "", "probe")

    # --- probes: someone knocked, nobody was named --------------------------------------------------------------------------------

    def _probe(self, ts: float, host: str, pid: str, ip: str | None, port: str, reason: str) -> Events:
        if ip is None:
            return NOTHING  # neither who nor where from
        self._attempts.begins(key(host, pid, ip, port), ts, Stage.OVER, "", ip, port)
        target = f"host:{host}" if host else None
        return (Event("auth.session", ts, outcome="failure", tenant=self._tenant, ip=ip, reason=reason, target=target),)

    def _unable(self, ts: float, host: str, pid: str, message: str) -> Events:
        found = _WITH_PEER.match(message)
        return self._probe(ts, host, pid, _address(found[1]), found[2] or "", "probe_key_exchange") if found else NOTHING

    def _no_matching(self, ts: float, host: str, pid: str, message: str) -> Events:
        _, sep, peer = message.removesuffix(_PREAUTH).rpartition(" from ")
        if not sep or message[:12] != "no matching ":
            return NOTHING
        return self._probe(ts, host, pid, *_peer(peer), "probe_key_exchange")

    def _dispatch_fatal(self, ts: float, host: str, pid: str, message: str) -> Events:
        rest = message[24:].removeprefix("Connection from ")
        named = _NAMED_PEER_SAYS.match(rest)
        if named is not None:
            reason = "unknown_user" if named[1] == "invalid" else "aborted"
            return self._ended(ts, host, pid, named[2], _address(named[3]), named[4], reason)
        found = _PEER_SAYS.match(rest)
        return self._probe(ts, host, pid, _address(found[1]), found[2], "probe_key_exchange") if found else NOTHING

    def _banner(self, ts: float, host: str, pid: str, message: str) -> Events:
        found = _PEER_SAYS.match(message.removeprefix("banner exchange: Connection from "))
        return self._probe(ts, host, pid, _address(found[1]), found[2], "probe_protocol") if found else NOTHING

    def _bad_protocol(self, ts: float, host: str, pid: str, message: str) -> Events:
        _, sep, peer = message.rpartition(" from ")  # the quoted text before it is the stranger's
        if not sep or not message.startswith("Bad protocol version identification"):
            return NOTHING
        return self._probe(ts, host, pid, *_peer(peer), "probe_protocol")

    def _exchange(self, ts: float, host: str, pid: str, message: str) -> Events:
        """``kex_exchange_identification: …`` has no address; the "Connection closed by" after it has."""
        self._attempts.opened(key(host, pid, None, ""), ts)
        return NOTHING

    def _no_identification(self, ts: float, host: str, pid: str, message: str) -> Events:
        _, sep, peer = message.partition("not receive identification string from ")
        return self._probe(ts, host, pid, *_peer(peer), "probe") if sep else NOTHING

    def _timeout(self, ts: float, host: str, pid: str, message: str) -> Events:
        ip, port = _peer(message.removeprefix("Timeout before authentication for "))
        if self._attempts.count(key(host, pid, ip, port), ts, ip, port):
            return NOTHING
        return self._probe(ts, host, pid, ip, port, "probe")

    def _refused(self, ts: float, host: str, pid: str, message: str) -> Events:
        if not message.startswith("refused connect from "):
            return NOTHING
        return self._probe(ts, host, pid, _address(message.split(" ")[-1].strip("()")), "", "refused")

    def _dropped(self, ts: float, host: str, pid: str, message: str) -> Events:
        found = _BRACKETED_PEER.match(message)
        # Logged by the listener, so the process id is no connection's.
        return self._probe(ts, host, "", _address(found[1]), found[2], "refused") if found else NOTHING

    # --- sessions -----------------------------------------------------------------------------------------------------------------

    def _session(self, ts: float, host: str, pid: str, message: str) -> Events:
        """``session opened for user bob(uid=1000) by (uid=0)`` and ``session closed for user bob``."""
        found = _SESSION.match(message, 24)
        if found is None:
            return NOTHING
        opened = found[1] == "opened"
        return (
            Event(
                "auth.session" if opened else "auth.logout",
                ts,
                outcome="success",
                tenant=self._tenant,
                actor=found[2],
                actor_type="user",
                target=f"host:{host}" if host else None,
            ),
        )


def _address(text: str) -> str | None:
    """``UNKNOWN`` and host names are no addresses. The length is looked at first, so that no long text is kept in the cache."""
    return canonical_ip(text) if len(text) <= _ADDRESS_CHARS else None


def _peer(text: str) -> tuple[str | None, str]:
    """Address and port from ``192.0.2.1 port 22 ssh2``."""
    parts = text.split(" ", 3)
    return _address(parts[0]), parts[2].rstrip(":") if len(parts) > 2 and parts[1] == "port" else ""
