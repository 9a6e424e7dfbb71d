"""What one web request means: the rules shared by every way a web server writes its requests down.

A status says little about a log-in. Only these are taken as one:

- ``POST …/wp-login.php``: WordPress answers a wrong password with 200 (the form again) and a right one with 302.
- ``POST`` to a path that ends like a log-in or token endpoint: 401, 403, 422, 429 (and 400 at token endpoints) are failures. A 2xx or a
  redirect there is *not* taken as a success: many sites answer a wrong password with the form again or a redirect back to it.
- 401 with a user name (basic authentication; servers log the name that was tried, not only the one let in).

Without either, 401 is the first leg of a challenge (``unauthenticated``) and 403 a refusal (``forbidden``), both ``authz.decision``.
``/xmlrpc.php`` and Joomla's ``/administrator/index.php`` answer alike to right and wrong passwords, so they stay requests.
"""

import re
from functools import lru_cache
from ipaddress import ip_address, ip_network

from schemas.address import canonical_ip
from schemas.event import Event

QUERY_CHARS = 2048
PATH_CHARS = 2048
AGENT_CHARS = 512
ACTOR_CHARS = 256

_LOGIN_PATH = re.compile(r"/(?:login|signin|sign-in|log-in|authenticate|sessions?|j_security_check|owa/auth\.owa)/?$", re.IGNORECASE)
_TOKEN_PATH = re.compile(r"/(?:auth|oauth2?)(?:/v[0-9.]{1,5})?/token/?$", re.IGNORECASE)
_LOGIN_FAILED = {401: "bad_password", 403: "forbidden", 422: "bad_password", 429: "rate_limited"}
_TOKEN_FAILED = {**_LOGIN_FAILED, 400: "bad_password"}
_WORDPRESS_ACTION = re.compile(r"(?:^|&)action=([a-z_]*)")

_OWN_NETWORKS = tuple(
    ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "::1/128", "fc00::/7", "fe80::/10")
)
_WITH_PORT = re.compile(r"\[?([0-9.]{7,15}|(?<=\[)[0-9A-Fa-f:.]{2,64}(?=\]))\]?:[0-9]{1,5}")
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|([\"\\]))")


@lru_cache(maxsize=4096)
def is_own_network(ip: str) -> bool:
    """Whether this canonical address is loopback, link-local, private or carrier-grade NAT: a proxy of one's own, not a client."""
    address = ip_address(ip)
    return any(address in network for network in _OWN_NETWORKS)


def client_ip(peer: str, forwarded: str | None) -> str | None:
    """The address to hold responsible; ``None`` when the log has a host name.

    ``X-Forwarded-For`` is believed only when the peer itself is in a private network (or a socket), and then only its right-most public
    address: the one such a proxy has seen itself. What stands further left is the client's own claim, and could blame anybody.

    >>> client_ip("10.0.0.1", "198.51.100.9, 203.0.113.7"), client_ip("192.0.2.1", "203.0.113.7"), client_ip("host.example.com", None)
    ('203.0.113.7', '192.0.2.1', None)
    >>> client_ip("192.0.2.1:51000", None), client_ip("[2001:db8::1]:51000", None)
    ('192.0.2.1', '2001:db8::1')
    """
    ip = canonical_ip(peer)
    if ip is None and (match := _WITH_PORT.fullmatch(peer)):
        ip = canonical_ip(match[1])
    if forwarded and (peer == "unix:" or (ip is not None and is_own_network(ip))):
        for part in reversed(forwarded.split(",", 64)):
            hop = canonical_ip(part.strip())
            if hop is None:
                break
            if not is_own_network(hop):
                return hop
    return ip


def unescape(text: str) -> str:
    r"""Undo ``\"``, ``\\`` and ``\xHH`` of a printable character. Control characters and single bytes stay written out.

    >>> unescape(r'say \"hi\x22 \x16')
    'say "hi" \\x16'
    """
    return _ESCAPE.sub(_unescaped, text) if "\\" in text else text


def _unescaped(match: re.Match[str]) -> str:
    hexadecimal, plain = match.groups()
    if plain:
        return str(plain)
    code = int(hexadecimal, 16)
    return chr(code) if 0x20 <= code < 0x7F else match.group()


def split_request(request: str) -> tuple[str | None, str | None, str | None]:
    r"""Method, path and query of a request line; all ``None`` when it is none (a TLS hello, ``-``, empty).

    >>> split_request("GET /a b?q=1 HTTP/1.1"), split_request("GET /"), split_request(r"\x16\x03\x01")
    (('GET', '/a b', 'q=1'), ('GET', '/', None), (None, None, None))
    """
    method, _, rest = request.partition(" ")
    if not rest or not (method.isascii() and method.isalpha() and method.isupper() and len(method) <= 20):
        return None, None, None
    head, space, last = rest.rpartition(" ")
    return method, *split_url(head if space and last.startswith("HTTP/") else rest)


def split_url(url: str) -> tuple[str | None, str | None]:
    """Path and query, each cut to its limit; ``None`` for what is not there."""
    path, mark, query = url.partition("?")
    return path[:PATH_CHARS] or None, query[:QUERY_CHARS] if mark and query else None


def classify(event: Event) -> None:
    """Set kind, outcome, reason and target of a request from its method, path, query, status and actor (see the module's text)."""
    status = event.status
    if status:
        event.outcome = "success" if status < 400 else "failure"
    if event.method == "POST" and event.path and _is_login(event, event.path):
        return
    if status == 401:
        if event.actor:
            _login_failed(event, "bad_password")
        else:
            event.kind, event.reason = "authz.decision", "unauthenticated"
    elif status == 403:
        event.kind, event.reason = "authz.decision", "forbidden"
    if event.kind == "authz.decision" and event.path:
        event.target = f"path:{event.path}"


def _is_login(event: Event, path: str) -> bool:
    """Whether this POST was a log-in attempt whose status tells how it went; if so the event now says it."""
    if path.endswith("/wp-login.php"):
        return _wordpress(event)
    failed = _TOKEN_FAILED if _TOKEN_PATH.search(path) else _LOGIN_FAILED if _LOGIN_PATH.search(path) else None
    reason = failed.get(event.status) if failed else None
    if reason is None:
        return False
    _login_failed(event, reason)
    return True


def _wordpress(event: Event) -> bool:
    match = _WORDPRESS_ACTION.search(event.query or "")
    action = match[1] if match else "login"
    if action in {"lostpassword", "retrievepassword"}:
        # The same habit as with passwords: the form again when the name is unknown, a redirect when the mail was sent.
        event.kind = "auth.password_reset"
        event.outcome = "success" if event.status == 302 else "failure"
        return True
    if action != "login":
        return False
    if event.status == 302:
        event.kind, event.outcome = "auth.login", "success"
        return True
    reason = "bad_password" if event.status == 200 else _LOGIN_FAILED.get(event.status)
    if reason is None:
        return False
    _login_failed(event, reason)
    return True


def _login_failed(event: Event, reason: str) -> None:
    event.kind, event.outcome, event.reason = "auth.login", "failure", reason
