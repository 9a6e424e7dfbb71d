"""How a key is used: from which networks, by which clients, for what; and which words mean that one was made."""

import re
from functools import lru_cache

import msgspec

from detectors.clients import agent_family
from detectors.episode import EpisodeState
from detectors.places import network_of
from detectors.windows import Distinct, remember
from schemas.event import Event

MOST_NETWORKS = 8
MOST_COUNTRIES = 8
MOST_CLIENTS = 8
MOST_AREAS = 64
"""Parts of an API remembered for a key; one that calls more is at home everywhere."""
MOST_RECENT = 64
SHOWN_CHARS = 80
TEMPORARY = ("ASIA", "AKIA")
"""How the identifiers of AWS access keys begin."""


def by_api_key(event: Event) -> str | None:
    """One key per tenant and API key: the actor of type ``api_key``, or the session that is the identifier of an AWS key."""
    if event.actor_type == "api_key" and event.actor is not None:
        return f"{event.tenant or ''}\x1f{event.actor}"
    session = event.session_id
    if session is not None and (event.actor_type == "api_key" or session.startswith(TEMPORARY)):
        return f"{event.tenant or ''}\x1f{session}"
    return None


class Theft(msgspec.Struct):
    """What is being told of a key."""

    why: str
    """``network`` or ``enumeration``."""
    rank: int
    known: str
    """The networks it was used from before."""
    networks: Distinct
    country: str
    """A country new to it, or nothing."""
    client: str
    """A client new to it, or nothing."""
    overlap: bool
    ip: str | None
    uses: int
    """Uses before."""
    areas: int = 0
    refusals: int = 0
    last_ts: float = 0.0


class Made(msgspec.Struct):
    """What is being told of somebody who makes keys."""

    why: str
    """``other`` or ``burst``."""
    action: str
    targets: Distinct
    most: int
    automation: bool
    before: int
    """Keys made before for others."""
    ip: str | None


class KeyUse(EpisodeState):
    """At most 8 networks, countries and clients, 64 parts of an API, and 64 recent events: 0.7 KB usually, 12 KB at most."""

    uses: int = 0
    last_ts: float = 0.0
    ip: str | None = None
    agent: str | None = None
    route: str | None = None
    """Of the last use: the next one is usually the same."""
    network: str | None = None
    networks: dict[str, float] = msgspec.field(default_factory=dict)
    countries: dict[str, float] = msgspec.field(default_factory=dict)
    clients: dict[str, float] = msgspec.field(default_factory=dict)
    areas: dict[str, int] = msgspec.field(default_factory=dict)
    fresh: list[tuple[float, str, str]] | None = None
    """Recent uses of parts it never called before."""
    refused: list[tuple[float, str, str]] | None = None
    theft: Theft | None = None


class Maker(msgspec.Struct):
    """What is remembered of somebody who makes keys: at most 64 of them."""

    recent: list[tuple[float, str, str]] = msgspec.field(default_factory=list)
    others_ts: float = 0.0
    others: int = 0
    """Keys made for other accounts."""
    told_ts: float = 0.0
    """When an alert opened last."""
    told: Made | None = None


def name_of_network(event: Event) -> str | None:
    """The network of an event: its AS number, else its country, else the first part of its address.

    >>> name_of_network(Event("api.request", ip="192.0.2.7", country="NO")), name_of_network(Event("api.request", ip="192.0.2.7"))
    ('country NO', '4:192.0')
    """
    if event.asn:
        return f"AS{event.asn}"
    if event.country is not None:
        return f"country {event.country[:8]}"
    return None if event.ip is None else network_of(event.ip, 0)[:SHOWN_CHARS]


def note(state: KeyUse, event: Event, network: str | None) -> None:
    """Take in where a key is used, and what by."""
    ts = event.ts
    if network is not None:
        remember(state.networks, network, ts, MOST_NETWORKS)
        state.network = network
    if event.country is not None:
        remember(state.countries, event.country[:8], ts, MOST_COUNTRIES)
    if event.user_agent:
        remember(state.clients, agent_family(event.user_agent)[:SHOWN_CHARS], ts, MOST_CLIENTS)


@lru_cache(maxsize=4096)  # a pure function's results
def _area(text: str) -> str:
    if text.startswith("/"):
        return "/".join(text.split("/", 3)[:3])[:SHOWN_CHARS]
    return re.split(r"[:.]", text, maxsplit=1)[0][:SHOWN_CHARS]


def area_of(event: Event) -> str | None:
    """The part of an API a use belongs to: the service, or the first two words of the route.

    >>> [area_of(Event("api.request", route=route)) for route in ("/v1/files/{id}/parts", "s3.amazonaws.com:GetObject", "/v1")]
    ['/v1/files', 's3', '/v1']
    >>> area_of(Event("api.request", action="repo.create")), area_of(Event("api.request"))
    ('repo', None)
    """
    text = event.route or event.action
    return _area(text[:256]) if text else None


def is_refusal(event: Event) -> bool:
    """Whether the key was told that it may not."""
    return event.outcome == "failure" and (event.kind == "authz.decision" or event.status in {401, 403} or event.reason == "forbidden")


_MAKES = frozenset({"create", "created", "add", "added", "generate", "generated", "issue", "issued", "upload", "import", "register", "new"})
_ENDS = frozenset({"delete", "deleted", "remove", "removed", "revoke", "revoked", "request", "requested", "denied", "deny", "failed"})
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


@lru_cache(maxsize=1024)  # a pure function's results
def makes_key(action: str) -> bool:
    """Whether an action of kind ``credential.change`` makes a new one.

    >>> [makes_key(action) for action in ("CreateAccessKey", "api_token.create", "credential.add", "oauth_application.generate_client_secret")]
    [True, True, True, True]
    >>> [makes_key(action) for action in ("DeleteAccessKey", "client_secret.rotate", "consent.grant", "personal_access_token.request_created")]
    [False, False, False, False]
    """
    words = {word.lower() for word in _WORD.findall(action[:256])}
    return bool(words & _MAKES) and not words & _ENDS
