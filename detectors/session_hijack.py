"""One session used from two places at once: its cookie or token is in other hands (ATT&CK T1539, T1550.004)."""

from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Annotated, ClassVar

import msgspec
from pydantic import Field

from detectors.base import Variant
from detectors.clients import agent_family
from detectors.episode import EpisodeDetector, EpisodeState
from detectors.phrases import span, times
from detectors.places import network_of
from detectors.settings import DetectorSettings, Seconds
from detectors.windows import Distinct
from schemas.event import Event, Network
from schemas.finding import EntityType, Fact, Finding
from schemas.severity import SEVERITIES, Severity

LOW, MEDIUM, HIGH = 1, 2, 3
MOST_ORIGINS = 4
"""Places a session is remembered at: the ones used last."""
MOST_ACTORS = 2
SHOWN_CHARS = 80

Words = tuple[Annotated[str, Field(min_length=3, max_length=40)], ...]


class HijackSettings(DetectorSettings):
    """`session_hijack`: half an hour, as other systems have it; a network alone, or a client alone, is no sign."""

    window_s: Annotated[Seconds, Field(description="Seconds within which a session is used from both places.")] = 1800
    scripted_agents: Annotated[
        Words,
        Field(
            description="Words in the user agent (any case) of clients that no person uses; beside a browser in one session they are grave."
        ),
    ] = (
        "python-requests",
        "python-urllib",
        "python-httpx",
        "aiohttp",
        "curl/",
        "wget/",
        "go-http-client",
        "okhttp",
        "axios/",
        "node-fetch",
        "undici",
        "libwww-perl",
        "java-http-client",
        "apache-httpclient",
        "powershell",
        "headlesschrome",
        "postmanruntime",
    )
    roaming_networks: Annotated[
        tuple[Network, ...],
        Field(
            description="Kinds of network one device moves in and out of; with the same device, or nothing else that differs, it is silent."
        ),
    ] = ("mobile", "relay", "vpn", "satellite")
    quiet_s: Annotated[Seconds, Field(description="Seconds without use of the session after which its alert resolves.")] = 3600


class Origin(msgspec.Struct, gc=False):
    """Where a session is used, and what by."""

    ts: float
    """Its last use that is known; that of the place in use now is in the state."""
    id: str
    """Its first event."""
    ip: str | None
    agent: str | None
    device: str | None
    country: str | None
    asn: int
    network: str | None
    actors: tuple[str, ...]


class Session(EpisodeState):
    """At most 4 places with 2 actors each."""

    ip: str | None = None
    agent: str | None = None
    actor: str | None = None
    ts: float = 0.0
    """Address, client, actor and time of the last event; the address is empty while an episode is open, so that every event is looked at."""
    origins: list[Origin] = msgspec.field(default_factory=list)
    """The one in use comes last."""
    rank: int = 0
    """Of the open episode, as are the following."""
    differs: str = ""
    first: str = ""
    second: str = ""
    gap_s: float = 0.0
    actors: list[str] = msgspec.field(default_factory=list)
    others: Distinct | None = None
    """Addresses."""


def by_session(event: Event) -> str | None:
    """One key per tenant and session."""
    return None if event.session_id is None else f"{event.tenant or ''}\x1f{event.session_id}"


class SessionHijack(EpisodeDetector[Session, HijackSettings]):
    """Compares each change of address or client of a session with the places it was used at shortly before.

    State per key: about 0.7 KB, at most 4 KB with an open episode. Cost ≈ 0.15 µs while address, client and actor stay the same, 3 µs for a change.
    """

    name = "session_hijack"
    title = "Session used from two places"
    sees = (
        "One session used from two networks within half an hour, from another country, device or client, or by a script or another account."
    )
    kinds = frozenset(
        {"auth.session", "api.request", "authz.decision", "data.export", "data.query", "admin.action", "auth.login"},
    )
    techniques = ("T1539", "T1550.004")
    false_positives = (
        "A phone or laptop that changes networks: another address alone, with the same client and in the same country, is silent.",
        "Mobile networks and relays that come out elsewhere: silent with the same device, or when nothing but the place differs (`roaming_networks`).",
        "A VPN switched on in between: low with the same device and client, silent once its AS number is in the table of networks.",
        "IPv4 and IPv6 of one line: an address of the other sort is another network only when an AS number or the country says so.",
        "A server of yours that calls with its users' sessions: private addresses are ignored; allow-list its public ones.",
        "An app that shares its session with a browser view: remove its library, such as `okhttp`, from `scripted_agents`.",
    )
    variants: ClassVar[dict[str, Variant]] = {"by_session": Variant("session", by_session)}
    Settings = HijackSettings
    State = Session

    def memory_s(self, limits: HijackSettings) -> float:
        """The window."""
        return limits.window_s

    def on_event(self, key: str, state: Session, event: Event) -> Finding | None:
        """Look closer when address, client or actor are not those of the event before."""
        # The hot path: nearly every request of a session is like the one before it.
        if event.ip == state.ip and event.user_agent == state.agent and event.actor == state.actor:
            state.ts = event.ts
            return None
        if event.ip is None or (event.ip.startswith(_PERHAPS_PRIVATE) and _is_private(event.ip)):
            return None  # hops and proxies of one's own are there
        return self._look(key, state, event)

    def _look(self, key: str, state: Session, event: Event) -> Finding | None:
        ip, agent, ts = event.ip, event.user_agent, event.ts
        if ip is None or (event.kind == "auth.login" and event.outcome != "success"):
            return None
        origins = state.origins
        if origins and state.ts > origins[-1].ts:
            origins[-1].ts = state.ts  # what the hot path saw
        actor = event.actor if event.actor_type != "anonymous" else None
        here = next((origin for origin in origins if origin.ip == ip and origin.agent == agent), None)
        finding = None
        if here is None or here is not origins[-1] or actor not in here.actors:
            if here is None:
                here = Origin(ts, event.id, ip, agent, event.device_id, event.country, event.asn, event.network, ())
            else:
                origins.remove(here)
            if actor is not None and actor not in here.actors and len(here.actors) < MOST_ACTORS:
                here.actors = (*here.actors, actor)
            here.ts = max(here.ts, ts)
            finding = self._compare(key, state, event, here)
            origins.append(here)
            if len(origins) > MOST_ORIGINS:
                del origins[0]
        elif state.episode is not None:
            finding = self.go_on(key, state, ts, event.id)
        if state.episode is None:
            state.ip, state.agent, state.actor, state.ts = ip, agent, event.actor, ts
        else:
            here.ts = max(here.ts, ts)
            state.ip, state.ts = "", 0.0
            if state.others is not None:
                state.others.add(ip)
        return finding

    def _compare(self, key: str, state: Session, event: Event, here: Origin) -> Finding | None:
        limits = self.limits_of(key)
        worst, differs, there = 0, "", None
        for other in state.origins:
            if abs(event.ts - other.ts) > limits.window_s:
                continue
            rank, what = _judge(other, here, limits)
            if rank > worst:
                worst, differs, there = rank, what, other
        if there is None:
            return None if state.episode is None else self.go_on(key, state, event.ts, event.id)
        if worst > state.rank:
            state.rank, state.differs, state.gap_s = worst, differs, abs(event.ts - there.ts)
            state.first, state.second = _shown(there), _shown(here)
            state.actors = list(dict.fromkeys((*there.actors, *here.actors)))[: 2 * MOST_ACTORS]
        if state.episode is not None:
            return self.go_on(key, state, event.ts, event.id, vital=worst == HIGH)
        state.others = Distinct()
        for origin in (*state.origins, here):
            state.others.add(origin.ip or "")
        ids = [there.id, event.id] if there.id != event.id else [event.id]
        return self.begin(key, state, event.ts, min(event.ts, there.ts), len(ids), ids)

    # -- what the alert says ------------------------------------------------------------------------------------------------------

    def reset(self, state: Session) -> None:
        """See ``EpisodeDetector``."""
        state.rank, state.gap_s, state.others = 0, 0.0, None
        state.differs = state.first = state.second = ""
        state.actors = []
        state.agent = state.actor = None

    def severity(self, key: str, state: Session) -> Severity:
        """Medium; low where only the country differs for one device; high for a script in a browser's session, or two accounts in one."""
        return SEVERITIES[state.rank]

    def facts(self, key: str, state: Session) -> dict[str, Fact]:
        """See ``EpisodeDetector``."""
        return {
            "differs": state.differs,
            "first": state.first,
            "second": state.second,
            "actors": ", ".join(state.actors),
            "distinct_ips": state.others.number() if state.others is not None else 0,
            "gap_s": round(state.gap_s),
            "window_s": self.limits_of(key).window_s,
        }

    def links(self, key: str, state: Session) -> tuple[tuple[EntityType, str], ...]:
        """The accounts whose session it is."""
        return tuple(("actor", name) for name in state.actors)

    def explain(self, finding: Finding) -> str:
        """See ``Detector``."""
        f = finding.facts
        whose = f" of {f['actors']}" if f["actors"] else ""
        return (
            f"One session{whose} was used from {f['first']} and, {span(float(f['gap_s']))} apart, from {f['second']}: {f['differs']}. "
            f"{times(f['distinct_ips'], 'address')} so far."
        )

    def counterfactual(self, finding: Finding) -> str:
        """See ``Detector``."""
        f = finding.facts
        return f"silent from one network, or more than {span(float(f['window_s']))} apart, or without the difference ({f['differs']})"


def _judge(a: Origin, b: Origin, limits: HijackSettings) -> tuple[int, str]:
    """How grave it is that one session is used at both; 0: not at all."""
    country = a.country is not None and b.country is not None and a.country != b.country
    if not _other_network(a, b, country=country):
        return 0, ""
    same_device = a.device is not None and a.device == b.device
    device = a.device is not None and b.device is not None and a.device != b.device
    client = a.agent is not None and b.agent is not None and agent_family(a.agent) != agent_family(b.agent)
    if (a.network in limits.roaming_networks or b.network in limits.roaming_networks) and (same_device or not (device or client)):
        country = client = False
    words = limits.scripted_agents
    script = client and a.agent is not None and b.agent is not None and _is_scripted(a.agent, words) != _is_scripted(b.agent, words)
    person = bool(a.actors and b.actors) and not set(a.actors) & set(b.actors)
    if not (country or device or client or person):
        return 0, ""
    names = (("account", person), ("script beside a browser", script), ("country", country), ("device", device), ("client", client))
    differs = [name for name, differs in names if differs and not (name == "client" and script)]
    # The same device and client in another country is most often a VPN of no table; but a thief of all cookies may have the device's, too.
    rank = HIGH if person or script else LOW if same_device and not client else MEDIUM
    return rank, "network, " + ", ".join(differs) + " differ"


def _other_network(a: Origin, b: Origin, *, country: bool) -> bool:
    if a.ip is None or b.ip is None or a.ip == b.ip:
        return False
    if a.asn and b.asn:
        return a.asn != b.asn
    one, other = network_of(a.ip, 0), network_of(b.ip, 0)
    return country if one[0] != other[0] else one != other


@lru_cache(maxsize=4096)  # a pure function's results
def _is_scripted(agent: str, words: tuple[str, ...]) -> bool:
    lowered = agent[:256].lower()
    return any(word.lower() in lowered for word in words)


_PRIVATE = tuple(
    map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16", "fc00::/7", "fe80::/10", "::1/128"))
)


_PERHAPS_PRIVATE = ("10.", "172.", "192.168.", "127.", "169.254.", "f", "::1")
"""How such addresses begin: spares most others the look-up."""


@lru_cache(maxsize=16_384)  # a pure function's results
def _is_private(ip: str) -> bool:
    """Whether an address is of an internal network, where hops and proxies of one's own are.

    >>> _is_private("10.1.2.3"), _is_private("192.0.2.1"), _is_private("fd00::1"), _is_private("none")
    (True, False, True, False)
    """
    try:
        address = ip_address(ip)
    except ValueError:
        return False
    return any(address in network for network in _PRIVATE)


def _shown(origin: Origin) -> str:
    """A place in words: address, country, client.

    >>> _shown(Origin(0.0, "", "192.0.2.1", "curl/8.5.0", None, "NO", 0, None, ()))
    '192.0.2.1 (NO, curl)'
    """
    parts = [part for part in (origin.country, agent_family(origin.agent)[:SHOWN_CHARS] if origin.agent else None) if part]
    return f"{origin.ip} ({', '.join(parts)})" if parts else str(origin.ip)
