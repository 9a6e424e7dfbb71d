"""The same events as other logs would tell of them: those of which such a log knows nothing are left out.

``sshd``: an auth.log with one gateway a customer. ``web_access``: the combined log of the product's own web server.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from itertools import count
from typing import Any
from zlib import crc32

import msgspec
import orjson

from monitor.simulate.delivery import Stamped
from monitor.simulate.truth import Truth
from schemas.errors import ConfigurationError
from schemas.stamps import rfc3339

Encoder = Callable[[dict[str, Any]], bytes | None]
NATIVE = "native"
_GUESSING = ("failed_login_burst", "slow_brute_force", "password_spray", "credential_stuffing")
KNOWN_TO: dict[str, tuple[str, ...]] = {
    "sshd": (*_GUESSING, "success_after_failures", "dormant_account"),
    "web_access": (*_GUESSING, "dormant_account", "authorization_failure_burst", "object_enumeration"),
}
"""Format → the detectors that such a log has enough in it for."""
FORMAT_NAMES = (NATIVE, *KNOWN_TO)


def encode(events: Iterator[Stamped], name: str) -> Iterator[Stamped]:
    """Native events in another format. Raises ``ConfigurationError`` for one there is not."""
    if name == NATIVE:
        return events
    if name not in KNOWN_TO:
        raise ConfigurationError(f"--format: there is no {name} to write; use {', '.join(FORMAT_NAMES)}")
    return _encoded(events, Sshd().line if name == "sshd" else web_access)


def known(truths: tuple[Truth, ...], name: str) -> tuple[Truth, ...]:
    """The truth as far as a log of this format can show it: the same attacks, and of the detectors those that have a chance."""
    if name == NATIVE:
        return truths
    return tuple(
        msgspec.structs.replace(truth, detectors=tuple(each for each in truth.detectors if each in KNOWN_TO[name])) for truth in truths
    )


def _encoded(events: Iterator[Stamped], line: Encoder) -> Iterator[Stamped]:
    for ts, record in events:
        told = line(orjson.loads(record))
        if told is not None:
            yield ts, told


class Sshd:
    """One process for each connection, as sshd has."""

    def __init__(self) -> None:
        self._pids = count(1_000)

    def line(self, event: dict[str, Any]) -> bytes | None:
        """One line, ``None`` for what is no login."""
        if event["kind"] != "auth.login" or event.get("ip") is None:
            return None
        actor, ip = event.get("actor", ""), event["ip"]
        if event["outcome"] == "success":
            said = f"Accepted password for {actor}"
        else:
            said = f"Failed password for {'invalid user ' if event.get('reason') == 'unknown_user' else ''}{actor}"
        port = 1024 + crc32(event["id"].encode()) % 60_000
        pid = next(self._pids)
        return f"{rfc3339(event['time'])} {event['tenant']}-gw sshd[{pid}]: {said} from {ip} port {port} ssh2".encode()


def web_access(event: dict[str, Any]) -> bytes | None:
    """One line, ``None`` for what is no request of the web server. A login is a POST; others than requests and logins it does not see."""
    kind = event["kind"]
    if kind == "api.request":
        method, path, status = event["method"], event["path"], event["status"]
    elif kind == "auth.login":
        method, path, status = "POST", "/login", 302 if event["outcome"] == "success" else 401
    else:
        return None
    user = event.get("actor") or "-"
    size = event.get("bytes") or 300 + crc32(event["id"].encode()) % 4_000
    stamp = _stamp(int(event["time"]))
    return f'{event["ip"]} - {user} [{stamp}] "{method} {path} HTTP/1.1" {status} {size} "-" "{event.get("user_agent", "-")}"'.encode()


@lru_cache(maxsize=4)
def _stamp(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%d/%b/%Y:%H:%M:%S} +0000"
