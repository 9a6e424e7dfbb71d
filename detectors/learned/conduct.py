"""What somebody does, as a mix of kinds of action: what is remembered of it, and how surprising another mix is."""

from functools import lru_cache
from math import exp, log
from typing import NamedTuple
from zlib import crc32

import msgspec

from detectors.clients import agent_family
from detectors.key_use import name_of_network
from detectors.objects import template_of
from schemas.event import Event

MAX_NAME_CHARS = 96
MOST_ACTS = 64
"""Kinds of action told apart within a window; the others are one."""
MOST_KNOWN = 64
"""Kinds of action remembered for an account; one that does more is at home everywhere."""
MOST_WINDOWS = 120
"""Windows after which all counts are halved. What was done once stays known."""
MOST_COMMON = 512
"""Kinds of action remembered for a tenant."""
PEER_WINDOWS = 4_000
MOST_NEW = 128
"""Kinds of action that somebody took up lately, remembered for a tenant."""
NEW_S = 7 * 86_400.0
"""For how long."""
NEWCOMERS, NEWCOMERS_SHARE = 4, 0.04
"""So many accounts that take up something, and such a share of all, make it a change of the tenant: a release, a new office."""
FEWEST = 3
"""In a small tenant half of all are enough, but no fewer than these."""
MOST_NAMES = 8
TRUST, MOST_OWN = 4.0, 40.0
"""Own windows that weigh as much as what is known of colleagues, and how many own ones count at most."""
EXPECTED, MOST_SURPRISE = 2.0, 7.0
"""Surprise (−ln of the share of windows) that is ordinary, and beyond which it makes no difference."""
ORDINARY_SHARE = exp(-EXPECTED)
OTHER = "other"

READ, WRITE, DELETE, EXPORT, QUERY, ADMIN, SESSION = range(7)
_CATEGORIES = {
    "data.export": EXPORT,
    "data.query": QUERY,
    "admin.action": ADMIN,
    "account.change": ADMIN,
    "credential.change": ADMIN,
    "audit.log_change": ADMIN,
    "auth.mfa_change": ADMIN,
    "auth.login": SESSION,
    "auth.logout": SESSION,
    "auth.session": SESSION,
    "auth.password_change": SESSION,
    "authz.decision": READ,
}
_METHODS = {"POST": WRITE, "PUT": WRITE, "PATCH": WRITE, "DELETE": DELETE}
NOTABLE = frozenset({DELETE, EXPORT, QUERY, ADMIN})
REFUSED = "!"
"""Ends the name of an action that failed."""
MARK = "@"
"""Begins the name of a network or a client: where actions come from is part of how somebody behaves."""


class Act(NamedTuple):
    """A kind of action. It is as new when it was refused as when it was not."""

    digest: str
    category: int
    refused: bool
    notable: bool
    """Whether a window with it is worth scoring however well it is known."""


def name_of(event: Event) -> str:
    """What was done, without to whom. Plain reading is named by its endpoint alone, see ``BehaviourAnomaly.on_event``.

    >>> name_of(Event("api.request", method="DELETE", path="/v1/files/17", outcome="failure"))
    'api.request DELETE /v1/files/{id}!'
    >>> name_of(Event("data.export", action="download", target="table:users")), name_of(Event("data.query"))
    ('data.export download table', 'data.query')
    """
    what = event.route or event.action or (template_of(event.path[:256]) if event.path is not None else None)
    if event.kind == "data.export" and event.target is not None:
        kind, colon, _ = event.target[:MAX_NAME_CHARS].partition(":")
        what = f"{what or ''} {kind}".lstrip() if colon else what
    return _name(event.kind, event.method, what, event.outcome == "failure")


@lru_cache(maxsize=16_384)  # a pure function's results
def _name(kind: str, method: str | None, what: str | None, failed: bool) -> str:  # noqa: FBT001 - called by position alone: it is cached
    parts = (kind, (method or "")[:16].strip(), (what or "")[:MAX_NAME_CHARS].strip())
    return " ".join(part for part in parts if part) + (REFUSED if failed else "")


def marks_of(event: Event) -> list[str]:
    """The network and the client of an event.

    >>> marks_of(Event("api.request", asn=64496, user_agent="curl/8.5.0")), marks_of(Event("api.request"))
    (['@AS64496', '@curl'], [])
    """
    network = name_of_network(event)
    found = [] if network is None else [MARK + network]
    if event.user_agent:
        found.append(MARK + agent_family(event.user_agent)[:MAX_NAME_CHARS])
    return found


@lru_cache(maxsize=16_384)  # a pure function's results
def act_of(name: str) -> Act:
    """What a name stands for. Names that are shared cost memory once, so they are made here."""
    refused = name.endswith(REFUSED)
    plain = name.removesuffix(REFUSED)
    kind, _, rest = plain.partition(" ")
    if kind == "api.request":
        category = _METHODS.get(rest.partition(" ")[0], READ)
        if rest.startswith("GET "):
            plain = rest[4:]
    else:
        category = _CATEGORIES.get(kind, READ)
    return Act(f"{crc32(plain.encode('utf-8', 'surrogatepass')):x}", category, refused, refused or category in NOTABLE)


def shown(name: str) -> str:
    """A kind of action in words for people.

    >>> shown("@AS64496"), shown("/v1/files!"), shown("data.export  csv")
    ('AS64496', '/v1/files', 'data.export csv')
    """
    return " ".join(name.removeprefix(MARK).removesuffix(REFUSED).split()).replace(" ,", ",")[:MAX_NAME_CHARS]


class Newcomers(msgspec.Struct, array_like=True):
    """Who took up a kind of action lately."""

    since: float
    count: int
    last: list[int]
    """The last 8 of them, by digest."""


class Common(msgspec.Struct):
    """In how many windows of a tenant's accounts each kind of action occurred: at most 512, and 128 that are new; 20 KB saved at most."""

    windows: int = 0
    acts: dict[str, int] = msgspec.field(default_factory=dict)
    new: dict[str, Newcomers] = msgspec.field(default_factory=dict)

    def learn(self, digests: list[str]) -> None:
        """Take in a window."""
        _count(self.acts, digests, MOST_COMMON)
        self.windows += 1
        if self.windows >= PEER_WINDOWS:
            self.windows //= 2
            self.acts = {digest: count // 2 for digest, count in self.acts.items() if count > 1}

    def take_up(self, digest: str, who: str, ts: float) -> None:
        """An account that is known well does something for the first time."""
        name = crc32(who.encode("utf-8", "surrogatepass"))
        found = self.new.get(digest)
        if found is None or ts - found.since > NEW_S:
            self.new.pop(digest, None)
            if len(self.new) >= MOST_NEW:
                del self.new[next(iter(self.new))]
            self.new[digest] = Newcomers(ts, 1, [name])
        elif name not in found.last:
            found.count += 1
            found.last = [*found.last[-MOST_NAMES + 1 :], name]

    def withdraw(self, digest: str, who: str) -> None:
        """An account is under an alert: what it took up says nothing of the tenant."""
        name, found = crc32(who.encode("utf-8", "surrogatepass")), self.new.get(digest)
        if found is not None and name in found.last:
            found.count -= 1
            found.last.remove(name)

    def is_change(self, digest: str, accounts: int) -> bool:
        """Whether so many take it up that it says nothing of one of them."""
        found = self.new.get(digest)
        return found is not None and found.count >= max(min(NEWCOMERS, max(FEWEST, accounts / 2)), NEWCOMERS_SHARE * accounts)

    def share(self, digest: str) -> float:
        """In how many of all windows it occurs."""
        return (self.acts.get(digest, 0) + 0.1) / (self.windows + 10.0)


def surprise(windows: int, share: float) -> float:
    """How surprising it is that an account does what it never did, beyond what is ordinary: 0 to 5.

    The logarithm of a share that is estimated from own windows, none of which had it, and with the weight of ``TRUST`` of them from
    colleagues'. What was done before, however seldom, is not new: a job that runs once a week must not be odd each time.

    >>> [round(surprise(100, share), 1) for share in (0.5, 0.1, 0.0001)], round(surprise(3, 0.01), 1)
    ([1.1, 2.7, 5.0], 3.2)
    """
    expected = TRUST * share / (min(windows, MOST_OWN) + TRUST)
    return min(MOST_SURPRISE, -log(expected)) - EXPECTED if expected < ORDINARY_SHARE else 0.0


def learn_known(known: dict[str, int], windows: int, digests: list[str]) -> int:
    """Take a window into an account's memory; how many windows that then is."""
    _count(known, digests, MOST_KNOWN)
    windows += 1
    if windows < MOST_WINDOWS:
        return windows
    for digest, count in known.items():
        known[digest] = (count + 1) // 2
    return windows // 2


def _count(counts: dict[str, int], digests: list[str], most: int) -> None:
    """One more of each; beyond ``most`` the rarest goes, of several the one that came first."""
    for digest in digests:
        count = counts.get(digest)
        if count is None and len(counts) >= most:
            del counts[min(counts, key=counts.__getitem__)]
        counts[digest] = 1 if count is None else count + 1
