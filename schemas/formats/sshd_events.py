"""What the readers of sshd's lines share: cutting out the peer, and making the events (without id)."""

from schemas.address import canonical_ip
from schemas.event import Event

Events = tuple[Event, ...]
NOTHING: Events = ()
_ADDRESS_CHARS = 80  # IPv6 with a zone


def address(text: str) -> str | None:
    """Canonical address; ``None`` for ``UNKNOWN`` and host names. The length is looked at first: no long text may fill the cache."""
    return canonical_ip(text) if len(text) <= _ADDRESS_CHARS else None


def split_peer(text: str) -> tuple[str | None, str]:
    """Address and port (empty when absent) from ``192.0.2.1 port 22 ssh2``.

    >>> split_peer("192.0.2.1 port 22 ssh2"), split_peer("host.example.com")
    (('192.0.2.1', '22'), (None, ''))
    """
    parts = text.split(" ", 3)
    return address(parts[0]), parts[2].rstrip(":") if len(parts) > 2 and parts[1] == "port" else ""


def split_user(text: str) -> tuple[bool, str, str] | None:
    """Whether the user is unknown, the user, and the text of the peer, from ``[invalid user ]bob from 192.0.2.1 port 22``.

    A name that exists on the host has no blank, so its first `` from `` ends it; a name that does not exist is the stranger's choice and
    may look like the rest of the line, so there the last `` from `` is sshd's own.
    """
    invalid = text[:13] in {"invalid user ", "illegal user "}
    user, found, rest = text[13:].rpartition(" from ") if invalid else text.partition(" from ")
    return (invalid, user, rest) if found else None


class EventMaker:
    """Makes the events of one tenant."""

    def __init__(self, tenant: str | None) -> None:
        self._tenant = tenant

    def login(self, ts: float, host: str, user: str, ip: str | None, action: str | None, reason: str | None) -> Events:
        """One ``auth.login``; a failure when there is a reason."""
        return (
            Event(
                "auth.login",
                ts,
                outcome="failure" if reason else "success",
                tenant=self._tenant,
                actor=user or None,
                actor_type="user" if user else None,
                ip=ip,
                reason=reason,
                target=_target(host),
                action=action,
            ),
        )

    def session(self, ts: float, host: str, user: str, *, opened: bool) -> Events:
        """A session of a user that began or ended."""
        kind = "auth.session" if opened else "auth.logout"
        return (Event(kind, ts, outcome="success", tenant=self._tenant, actor=user, actor_type="user", target=_target(host)),)

    def probe(self, ts: float, host: str, ip: str, reason: str) -> Events:
        """A connection on which nobody tried to log in."""
        return (Event("auth.session", ts, outcome="failure", tenant=self._tenant, ip=ip, reason=reason, target=_target(host)),)


def _target(host: str) -> str | None:
    return f"host:{host}" if host else None
