"""Failed basic and digest authentication in the error logs of nginx and Apache; files often mix them with the access log.

These stamps name no zone and are read as UTC: a server that writes local time shifts such events by its offset. Where both the access
and the error log of one server are read, a failure is seen twice, once in each.
"""

import re
from datetime import UTC, datetime

from schemas.address import canonical_ip
from schemas.errors import RejectError
from schemas.event import Event
from schemas.formats.web_requests import ACTOR_CHARS, split_request, unescape
from schemas.stamps import from_datetime

# Both failures are matched at the very place where the server puts them: further right everything may be the client's own words.
# A name in basic authentication cannot hold a colon, so it can neither end itself early nor forge the "client:" that follows.
_NGINX = re.compile(r"([0-9]{4}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}) \[[a-z]+\] ")
_NGINX_FAILED = re.compile(
    r'[0-9]+#[0-9]+: (?:\*[0-9]+ )?user "([^:]{0,4096})"(?: was not (found) in "[^"]{0,4096}"|: password mismatch), client: ([^,\s]{1,64})',
)
_NGINX_REQUEST = re.compile(r', request: "(.*?)"(?:, (?:upstream|host|referrer): |$)')

_APACHE = re.compile(r"\[[A-Z][a-z]{2} ([A-Z][a-z]{2} [0-9 ][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]{1,6})? ([0-9]{4})\] \[")
_APACHE_FAILED = re.compile(
    r"(?:[^\]]{0,64}\] \[){0,4}client ([^\]\s]{1,64})\] (AH0[0-9]{4}: )?(?:Digest: )?user "
    r"(?:`([^']{0,4096})' in realm `[^']{0,4096}'|([^:]{0,4096}?))"
    r"(?:: authentication failure for \"|: password mismatch: |( not found)(?:: |$))",
)
_APACHE_PORT = re.compile(r":[0-9]{1,5}$")


def is_error_line(line: str) -> bool:
    """Whether this is a line of an nginx or Apache error log."""
    return bool(_NGINX.match(line) or _APACHE.match(line))


def failed_login(line: str) -> Event | None:
    """The failed log-in this error line (see ``is_error_line``) tells of, without an id; ``None`` when it tells of something else.

    Raises ``RejectError('bad_time')`` for a day that does not exist.
    """
    if stamp := _NGINX.match(line):
        failure = _NGINX_FAILED.match(line, stamp.end())
        return _nginx_event(line, stamp, failure) if failure else None
    stamp = _APACHE.match(line)
    failure = _APACHE_FAILED.match(line, stamp.end()) if stamp else None
    return _apache_event(stamp, failure) if stamp and failure else None


def _nginx_event(line: str, stamp: re.Match[str], failure: re.Match[str]) -> Event:
    user, not_found, client = failure.groups()
    event = _event(stamp[1], "%Y/%m/%d %H:%M:%S", user, "unknown_user" if not_found else "bad_password", client)
    if request := _NGINX_REQUEST.search(line, failure.end()):
        event.method, event.path, event.query = split_request(unescape(request[1]))
    return event


def _apache_event(stamp: re.Match[str], failure: re.Match[str]) -> Event:
    client, code, realm_user, user, not_found = failure.groups()
    if code or stamp[2]:  # since 2.4 the port follows, after one more colon even for IPv6
        client = _APACHE_PORT.sub("", client)
    moment = f"{stamp[3]} {stamp[1]}{stamp[2] or '.0'}"
    return _event(moment, "%Y %b %d %H:%M:%S.%f", realm_user or user or "", "unknown_user" if not_found else "bad_password", client)


def _event(stamp: str, form: str, user: str, reason: str, client: str) -> Event:
    try:
        moment = datetime.strptime(stamp, form).replace(tzinfo=UTC)
    except ValueError:
        raise RejectError("bad_time", "stamp: expected a date that exists") from None
    actor = user[:ACTOR_CHARS] or None
    return Event(
        "auth.login",
        from_datetime(moment),
        outcome="failure",
        reason=reason,
        actor=actor,
        actor_type="user" if actor else None,
        ip=canonical_ip(client),
        status=401,
    )
