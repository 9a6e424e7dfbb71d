"""Where an account is used from, and with what: what is remembered of it, and how strange something else is."""

import msgspec

from detectors.clients import agent_family
from detectors.episode import EpisodeState
from detectors.peer_places import NO_PEERS, NO_VOTES, Compared, Votes
from detectors.windows import remember
from schemas.event import Event
from schemas.severity import RANK, Severity

MAX_COUNTRIES = 8
MAX_OTHERS = 16
"""Networks, devices and clients remembered for each account, of each kind."""
MAX_NAMED = 4
"""New countries named in one alert."""
REFRESH_S = 3600
"""A value seen again sooner than this keeps its old stamp: memories are days long."""
DAY_S = 86_400
SAME_SESSION_S = 1800
"""A session at home so many seconds before is compared by `session_hijack`, which leads."""
KEYS = frozenset({"api_key", "service"})
CLOUD_KEYS = ("ASIA", "AKIA")
"""How the identifiers of AWS access keys begin, which stand for a session."""


class Novelty(msgspec.Struct):
    """What the open alert is about."""

    countries: list[str]
    known: str
    """The countries known before."""
    new: list[str]
    """Which features were new at its gravest use."""
    compared: int
    """How many features besides the country could be compared."""
    severity: Severity
    logins: int
    """Placed logins seen before."""
    away_s: float
    """For how long there was no use with a place, if so long that all that was known is out of date; else 0."""
    ip: str | None
    """The address of all that belongs to it; ``None`` as soon as there are two."""
    what: str = "login"
    """``login`` or ``request``; ``use`` when it was both."""
    key: str | None = None
    """The API key that was used."""
    peers: Compared = NO_PEERS
    """Its rarest country among the peers."""


class Habits(EpisodeState):
    """At most 8 countries and 16 values of each other kind, each with when it was last seen."""

    first_ts: float = 0.0
    last_ts: float = 0.0
    counted_ts: float = 0.0
    """When a use last counted as a login."""
    logins: int = 0
    """Logins with a country."""
    countries: dict[str, float] = msgspec.field(default_factory=dict)
    asns: dict[str, float] = msgspec.field(default_factory=dict)
    devices: dict[str, float] = msgspec.field(default_factory=dict)
    agents: dict[str, float] = msgspec.field(default_factory=dict)
    novelty: Novelty | None = None
    usual_until: float = 0.0
    """Until then a login with these four features can teach nothing, nor a request from this country; the last one noted had them."""
    country: str | None = None
    asn: int = 0
    device: str | None = None
    agent: str | None = None
    session: str | None = None
    """Of the last request noted."""
    votes: Votes = NO_VOTES


def severity_of(state: Habits, event: Event, novel: list[str], compared: int, *, own_device: bool) -> Severity:
    """How grave a use from a new country is by itself.

    Of a login: medium, but low on the account's own device. Requests on it are a journey: info. Programs move, and so low is the most for
    them; it is low, too, where `session_hijack` compares the session with itself.
    """
    # A new country brings a new network: that says something only where nothing else can be compared.
    travelling = own_device or (novel == ["network"] and compared > 1) or not novel
    if event.kind == "auth.login":
        return "low" if travelling else "medium"
    if travelling:
        return "info"
    session = event.session_id
    if session is None or event.actor_type in KEYS or session.startswith(CLOUD_KEYS):
        return "low"
    return "low" if session == state.session and event.ts - state.last_ts <= SAME_SESSION_S else "medium"


def rise(novelty: Novelty, severity: Severity, novel: list[str], compared: int) -> None:
    """One more use from there may be graver than the first."""
    if RANK[severity] > RANK[novelty.severity]:
        novelty.severity, novelty.new, novelty.compared = severity, novel, compared


def what_of(event: Event) -> str:
    """What the use is called in the alert."""
    return "login" if event.kind == "auth.login" else "request"


def key_of(event: Event) -> str | None:
    """The API key as `api_key_abuse` calls it."""
    if event.kind == "auth.login":
        return None
    if event.actor_type == "api_key":
        return event.actor
    return event.session_id if event.session_id is not None and event.session_id.startswith(CLOUD_KEYS) else None


def compare(state: Habits, event: Event, memory_s: float) -> tuple[list[str], int, bool]:
    """Which features are new, how many could be compared, and whether the device is one of the account's own."""
    oldest = event.ts - memory_s
    novel: list[str] = []
    compared = 0
    own_device = False
    for name, seen, value in (
        ("network", state.asns, str(event.asn) if event.asn else None),
        ("device", state.devices, event.device_id),
        ("client", state.agents, agent_family(event.user_agent) if event.user_agent else None),
    ):
        if value is None or not seen:
            continue  # not sent, or never learned: absence is no novelty
        compared += 1
        if seen.get(value, -1.0) < oldest:
            novel.append(name)
        elif name == "device":
            own_device = True
    return novel, compared, own_device


def learn(state: Habits, event: Event) -> float:
    """Note network, device and client; return when the stalest of these notes was made."""
    ts = oldest = event.ts
    if event.asn:
        oldest = min(oldest, _see(state.asns, str(event.asn), ts))
    if event.device_id:
        oldest = min(oldest, _see(state.devices, event.device_id, ts))
    if event.user_agent:
        oldest = min(oldest, _see(state.agents, agent_family(event.user_agent), ts))
    return oldest


def _see(seen: dict[str, float], value: str, ts: float) -> float:
    last = seen.get(value)
    if last is None or ts - last > REFRESH_S:
        remember(seen, value, ts, MAX_OTHERS)
        return ts
    return last
