"""A login from a country that is new to the account, with other things that are new too (ATT&CK T1078.004)."""

import re
from functools import lru_cache
from typing import Annotated, ClassVar

import msgspec
from pydantic import Field

from detectors.base import Variant, by_actor
from detectors.episode import EpisodeDetector, EpisodeState, Quiet
from detectors.phrases import span, times
from detectors.settings import DetectorSettings, Seconds
from detectors.windows import remember
from schemas.event import Event, Network
from schemas.finding import EntityType, Fact, Finding
from schemas.severity import RANK, Severity

MAX_COUNTRIES = 8
MAX_OTHERS = 16
"""Networks, devices and clients remembered for each account, of each kind."""
MAX_NAMED = 4
"""New countries named in one alert."""
REFRESH_S = 3600
"""A value seen again sooner than this keeps its old stamp: memories are days long."""
DAY_S = 86_400


class NewGeographySettings(DetectorSettings):
    """`new_geography`: memories as long as those of other systems (countries 90 days, the rest 30)."""

    grace_logins: Annotated[
        int, Field(ge=1, le=1_000, description="Placed logins of an account from which its countries are learned silently.")
    ] = 10
    grace_s: Annotated[Seconds, Field(description="Seconds after the first of them from which fewer are enough.")] = 14 * DAY_S
    country_memory_s: Annotated[
        Seconds,
        Field(
            description="Seconds for which a country stays known after the last login from there. When all are older, the next login is info only, and is learned anew."
        ),
    ] = 90 * DAY_S
    other_memory_s: Annotated[Seconds, Field(description="Seconds for which a network (ASN), a device or a client stays known.")] = (
        30 * DAY_S
    )
    ignored_networks: Annotated[
        tuple[Network, ...],
        Field(description="Kinds of network whose country says nothing; logins from there neither alert nor are learned."),
    ] = ("vpn", "hosting", "relay", "satellite")
    quiet_s: Quiet = 43_200


class Novelty(msgspec.Struct):
    """What the open alert is about."""

    countries: list[str]
    known: str
    """The countries known before."""
    new: list[str]
    """Which features were new at its gravest login."""
    compared: int
    """How many features besides the country could be compared."""
    severity: Severity
    logins: int
    """Placed logins seen before."""
    away_s: float
    """For how long there was no placed login, if so long that all that was known is out of date; else 0."""
    ip: str | None
    """The address of all its logins; ``None`` as soon as there are two."""


class Habits(EpisodeState):
    """At most 8 countries and 16 values of each other kind, each with when it was last seen."""

    first_ts: float = 0.0
    last_ts: float = 0.0
    logins: int = 0
    """Logins with a country."""
    countries: dict[str, float] = msgspec.field(default_factory=dict)
    asns: dict[str, float] = msgspec.field(default_factory=dict)
    devices: dict[str, float] = msgspec.field(default_factory=dict)
    agents: dict[str, float] = msgspec.field(default_factory=dict)
    novelty: Novelty | None = None
    usual_until: float = 0.0
    """Until then a login with these four features can teach nothing; the last one noted had them."""
    country: str | None = None
    asn: int = 0
    device: str | None = None
    agent: str | None = None


class NewGeography(EpisodeDetector[Habits, NewGeographySettings]):
    """Learns where an account logs in from, and says so once when that is somewhere new.

    State per key: about 0.6 KB, at most 56 values. Cost ≈ 1 µs per login.
    """

    name = "new_geography"
    title = "Login from a new country"
    sees = "A login from a country new to the account, together with a new network, device or client."
    kinds = frozenset({"auth.login"})
    techniques = ("T1078.004",)
    false_positives = (
        "A journey: one alert for each country, of low severity when the device is known, or the client where devices are not told.",
        "A new colleague or a new installation: nothing alerts for an account's first `grace_logins` logins or `grace_s`.",
        "A VPN, cloud desktop, relay or satellite: networks of these kinds are ignored, and so is an intruder who uses one: other detectors see that.",
        "A wrong address database: a country alone is silent when the network, device and client are all known.",
        "Somebody back after months: when every known country is older than `country_memory_s`, the first login is info only.",
    )
    variants: ClassVar[dict[str, Variant]] = {"by_actor": Variant("actor", by_actor)}
    Settings = NewGeographySettings
    State = Habits

    def memory_s(self, limits: NewGeographySettings) -> float:
        """The longest memory, and long enough after an absence to tell that it was one."""
        return max(limits.country_memory_s + 30 * DAY_S, limits.other_memory_s)

    def on_event(self, key: str, state: Habits, event: Event) -> Finding | None:
        """Compare a login with what is known, then learn it."""
        if event.outcome != "success":
            return None
        country, ts = event.country, event.ts
        if event.network is not None and event.network in self.limits_of(key).ignored_networks:
            return None
        if (
            state.last_ts <= ts <= state.usual_until
            and country == state.country
            and event.device_id == state.device
            and event.asn == state.asn
            and event.user_agent == state.agent
        ):
            # The common case: all as before, and noted lately.
            state.logins += 1
            state.last_ts = ts
            return None
        limits = self.limits_of(key)
        if country is None:
            _learn(state, event)  # the devices of somebody whose address cannot always be placed
            state.usual_until = 0.0
            return None
        finding: Finding | None = None
        last = state.countries.get(country)
        if last is None or ts - last > limits.country_memory_s:
            finding = self._new_country(key, state, event, limits)
        elif state.novelty is not None and state.episode is not None and country in state.novelty.countries:
            finding = self._again(key, state, event)
        self._count(state, ts)
        if last is None or ts - last > REFRESH_S:
            remember(state.countries, country, ts, MAX_COUNTRIES)
        # While an alert is open its logins teach nothing else: an intruder's device must not become a known one at once.
        state.usual_until = 0.0
        if state.episode is None:
            oldest = min(_learn(state, event), state.countries.get(country, 0.0))
            state.usual_until = oldest + min(REFRESH_S, limits.country_memory_s)
            state.country, state.asn, state.device, state.agent = country, event.asn, event.device_id, event.user_agent
        return finding

    def _count(self, state: Habits, ts: float) -> None:
        state.logins += 1
        if state.logins == 1 or ts < state.first_ts:
            state.first_ts = ts
        state.last_ts = max(state.last_ts, ts)

    def _new_country(self, key: str, state: Habits, event: Event, limits: NewGeographySettings) -> Finding | None:
        ts, country = event.ts, event.country
        assert country is not None
        if not state.logins or (state.logins < limits.grace_logins and ts - state.first_ts < limits.grace_s):
            return None
        known = [name for name, last in state.countries.items() if ts - last <= limits.country_memory_s]
        back = not known
        if back:
            known = list(state.countries)
            if country in known:
                return None
        novel, compared, own_device = _compare(state, event, limits)
        if compared and not novel:
            return None
        # A new country brings a new network: that says something only where nothing else can be compared.
        travelling = own_device or (novel == ["network"] and compared > 1)
        severity: Severity = "medium" if novel and not travelling else "low"
        if back:  # what is known is out of date: learn anew from here on
            severity = "info"
            for seen in (state.countries, state.asns, state.devices, state.agents):
                seen.clear()
        names = ", ".join(sorted(known))
        old = state.novelty
        if state.episode is None or old is None:
            state.novelty = Novelty(
                [country], names, novel, compared, severity, state.logins, ts - state.last_ts if back else 0.0, event.ip
            )
            return self.begin(key, state, ts, ts, 1, [event.id])
        if len(old.countries) < MAX_NAMED:
            old.countries.append(country)
        if RANK[severity] > RANK[old.severity]:
            old.severity, old.new, old.compared = severity, novel, compared
        # A second new country is news, whatever the count.
        return self._again(key, state, event) or self._say(key, state, state.episode, "update", ts)

    def _again(self, key: str, state: Habits, event: Event) -> Finding | None:
        if state.novelty is not None and state.novelty.ip != event.ip:
            state.novelty.ip = None
        return self.go_on(key, state, event.ts, event.id)

    def reset(self, state: Habits) -> None:
        """See ``EpisodeDetector``."""
        state.novelty = None

    def severity(self, key: str, state: Habits) -> Severity:
        """Medium; low on a known device or client, or when there is only the country to go by; info after a long absence."""
        assert state.novelty is not None
        return state.novelty.severity

    def facts(self, key: str, state: Habits) -> dict[str, Fact]:
        """See ``EpisodeDetector``."""
        novelty, limits = state.novelty, self.limits_of(key)
        assert novelty is not None
        return {
            "country": ", ".join(novelty.countries),
            "known_countries": novelty.known,
            "new": ", ".join(["country", *novelty.new]),
            "compared": novelty.compared,
            "logins_before": novelty.logins,
            "away_s": round(novelty.away_s),
            "grace_logins": limits.grace_logins,
            "country_memory_s": limits.country_memory_s,
        }

    def links(self, key: str, state: Habits) -> tuple[tuple[EntityType, str], ...]:
        """The address, when it is one."""
        ip = state.novelty.ip if state.novelty is not None else None
        return (("ip", ip),) if ip is not None else ()

    def explain(self, finding: Finding) -> str:
        """See ``Detector``."""
        f = finding.facts
        others = str(f["new"]).split(", ")[1:]
        with_what = ""
        if others:
            with_what = (
                f", with a new {' and '.join(others)}" if len(others) < 3 else f", with a new {', '.join(others[:-1])} and {others[-1]}"
            )
        away_s = float(f["away_s"])
        absence = f" It had not logged in for {span(away_s)}." if away_s else ""
        return (
            f"{times(finding.count, 'login')} from {f['country']}{with_what}; the {times(f['logins_before'], 'login')} before came from "
            f"{f['known_countries']}.{absence}"
        )

    def counterfactual(self, finding: Finding) -> str:
        """See ``Detector``."""
        f = finding.facts
        days = span(float(f["country_memory_s"]))
        others = str(f["new"]).split(", ")[1:]
        if not others:
            return f"silent if the account had logged in from {f['country']} within {days} before"
        known = others[0] if len(others) == 1 else f"{', '.join(others[:-1])} and {others[-1]}"
        return f"silent if the account had logged in from {f['country']} within {days} before, or if the {known} had been known"


def _compare(state: Habits, event: Event, limits: NewGeographySettings) -> tuple[list[str], int, bool]:
    """Which features are new, how many could be compared, and whether the device is one of the account's own."""
    oldest = event.ts - limits.other_memory_s
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


def _learn(state: Habits, event: Event) -> float:
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


_PRODUCT = re.compile(r"([A-Za-z][A-Za-z .+_-]{0,30})/")
_SYSTEM = re.compile(r"Windows|Android|iPhone|iPad|Macintosh|CrOS|Linux|Darwin")
_EVERYWHERE = frozenset({"mozilla", "applewebkit", "gecko", "version", "mobile"})
"""Products nearly every browser names: they tell none from another."""
MAX_AGENT_CHARS = 256
MAX_PRODUCTS = 4


def agent_family(user_agent: str) -> str:
    """Products and operating system of a client without their versions, so that an update does not make it a new one.

    >>> agent_family("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36")
    'chrome safari on Linux'
    >>> agent_family("curl/8.5.0"), agent_family("Backup agent 7")
    ('curl', 'backup agent')
    """
    return _family(user_agent[:MAX_AGENT_CHARS])


@lru_cache(maxsize=4096)  # a pure function's results; some hundred clients make up nearly all logins
def _family(text: str) -> str:
    names = (match.strip(" -_.+").lower() for match in _PRODUCT.findall(text))
    products = list(dict.fromkeys(name for name in names if name not in _EVERYWHERE))[:MAX_PRODUCTS]
    family = " ".join(products) or re.sub(r"[^A-Za-z]+", " ", text).strip().lower()[:64]
    system = _SYSTEM.search(text)
    return f"{family} on {system.group()}" if system is not None else family
