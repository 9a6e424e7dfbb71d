"""How sshd tells of connections that ended before anyone logged in, and of those on which nobody tried to."""

import re
from collections.abc import Callable

from schemas.formats.sshd_attempts import Attempts, Stage, key
from schemas.formats.sshd_events import NOTHING, EventMaker, Events, address, split_peer

Handler = Callable[[float, str, str, str], Events]
"""Unix seconds, host, process id, message → events."""

_PREAUTH = " [preauth]"
_NAMED_PEER = re.compile(r"(authenticating|invalid) user (.*) (\S+) port (\d+)", re.DOTALL)
_NAMED_PEER_SAYS = re.compile(r"(authenticating|invalid) user (.*) (\S+) port (\d+): (.*)", re.DOTALL)
_PEER = re.compile(r"(\S+)(?: port (\d+))?")
_PEER_SAYS = re.compile(r"(\S+) port (\d+): ")
_OLD_DISCONNECT = re.compile(r"(\S+): (\d+):")
_NO_MORE_METHODS = "14"
"""Why a client gave up, by number (RFC 4253, 11.1)."""
_WITH_PEER = re.compile(r"Unable to negotiate with (\S+?)(?: port (\d+))?: ")
_BRACKETED_PEER = re.compile(r"drop connection #\d+ from \[([^\]]*)\]:(\d+) ")


class SshdEnds:
    """Handlers by the first word of the message."""

    def __init__(self, attempts: Attempts, make: EventMaker) -> None:
        self._attempts = attempts
        self._make = make
        self.by_word: dict[str, Handler] = {
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

    def ended(self, ts: float, host: str, pid: str, user: str, ip: str | None, port: str, reason: str) -> Events:
        """The end of a connection that named a user: a failure when none was told of it yet."""
        name = key(host, pid, ip, port)
        if self._attempts.count(name, ts, ip, port):
            return NOTHING
        if reason == "aborted" and self._attempts.stage(name, ts) == Stage.OFFERED:
            reason = "bad_key"
        self._attempts.begins(name, ts, Stage.OVER, user, ip, port)
        return self._make.login(ts, host, user, ip, None, reason)

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
            return self.ended(ts, host, pid, named[2], address(named[3]), named[4], reason)
        peer = _PEER.fullmatch(rest)
        if peer is None:
            return NOTHING
        ip, port = address(peer[1]), peer[2] or ""
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
        return self.ended(ts, host, pid, named[2], address(named[3]), named[4], reason)

    def _received_disconnect(self, ts: float, host: str, pid: str, message: str) -> Events:
        """Only the old form, without a port: the newer one is followed by "Disconnected from", which names the user too."""
        found = _OLD_DISCONNECT.match(message, 25)
        if found is None or not (message.endswith((_PREAUTH, "Auth fail")) or found[2] == _NO_MORE_METHODS):
            return NOTHING
        ip = address(found[1])
        if self._attempts.count(key(host, pid, ip, ""), ts, ip):
            return NOTHING
        return self._probe(ts, host, pid, ip, "", "probe")

    # --- probes: someone knocked, nobody was named --------------------------------------------------------------------------------

    def _probe(self, ts: float, host: str, pid: str, ip: str | None, port: str, reason: str) -> Events:
        if ip is None:
            return NOTHING  # neither who nor where from
        name = key(host, pid, ip, port)
        offered = self._attempts.stage(name, ts) == Stage.OFFERED
        self._attempts.begins(name, ts, Stage.OVER, "", ip, port)
        if offered:  # before OpenSSH 7.5 the last line does not name the user
            return self._make.login(ts, host, "", ip, None, "bad_key")
        return self._make.probe(ts, host, ip, reason)

    def _unable(self, ts: float, host: str, pid: str, message: str) -> Events:
        found = _WITH_PEER.match(message)
        return self._probe(ts, host, pid, address(found[1]), found[2] or "", "probe_key_exchange") if found else NOTHING

    def _no_matching(self, ts: float, host: str, pid: str, message: str) -> Events:
        _, sep, peer = message.removesuffix(_PREAUTH).rpartition(" from ")
        if not sep or message[:12] != "no matching ":
            return NOTHING
        return self._probe(ts, host, pid, *split_peer(peer), "probe_key_exchange")

    def _dispatch_fatal(self, ts: float, host: str, pid: str, message: str) -> Events:
        rest = message[24:].removeprefix("Connection from ")
        named = _NAMED_PEER_SAYS.match(rest)
        if named is not None:
            reason = "unknown_user" if named[1] == "invalid" else "aborted"
            return self.ended(ts, host, pid, named[2], address(named[3]), named[4], reason)
        found = _PEER_SAYS.match(rest)
        return self._probe(ts, host, pid, address(found[1]), found[2], "probe_key_exchange") if found else NOTHING

    def _banner(self, ts: float, host: str, pid: str, message: str) -> Events:
        found = _PEER_SAYS.match(message.removeprefix("banner exchange: Connection from "))
        return self._probe(ts, host, pid, address(found[1]), found[2], "probe_protocol") if found else NOTHING

    def _bad_protocol(self, ts: float, host: str, pid: str, message: str) -> Events:
        _, sep, peer = message.rpartition(" from ")  # the quoted text before it is the stranger's
        if not sep or not message.startswith("Bad protocol version identification"):
            return NOTHING
        return self._probe(ts, host, pid, *split_peer(peer), "probe_protocol")

    def _exchange(self, ts: float, host: str, pid: str, _message: str) -> Events:
        """``kex_exchange_identification: …`` has no address; the "Connection closed by" after it has."""
        self._attempts.opened(key(host, pid, None, ""), ts)
        return NOTHING

    def _no_identification(self, ts: float, host: str, pid: str, message: str) -> Events:
        _, sep, peer = message.partition("not receive identification string from ")
        return self._probe(ts, host, pid, *split_peer(peer), "probe") if sep else NOTHING

    def _timeout(self, ts: float, host: str, pid: str, message: str) -> Events:
        ip, port = split_peer(message.removeprefix("Timeout before authentication for "))
        if self._attempts.count(key(host, pid, ip, port), ts, ip, port):
            return NOTHING
        return self._probe(ts, host, pid, ip, port, "probe")

    def _refused(self, ts: float, host: str, pid: str, message: str) -> Events:
        if not message.startswith("refused connect from "):
            return NOTHING
        return self._probe(ts, host, pid, address(message.rpartition(" ")[2].strip("()")), "", "refused")

    def _dropped(self, ts: float, host: str, _pid: str, message: str) -> Events:
        found = _BRACKETED_PEER.match(message)
        # Logged by the listener, so the process id is no connection's.
        return self._probe(ts, host, "", address(found[1]), found[2], "refused") if found else NOTHING
