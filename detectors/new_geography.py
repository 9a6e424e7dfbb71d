"""An account used from a country that is new to it, with other things that are new too (ATT&CK T1078.004)."""

from itertools import product
from typing import Annotated, Any, ClassVar

from pydantic import Field

from detectors import peer_places
from detectors.base import ASK, PeerMemory, Variant, by_actor
from detectors.episode import EpisodeDetector, Quiet
from detectors.habits import (
    DAY_S,
    MAX_COUNTRIES,
    MAX_NAMED,
    REFRESH_S,
    Habits,
    Novelty,
    compare,
    key_of,
    learn,
    rise,
    severity_of,
    what_of,
)
from detectors.peer_places import PERIOD_S, PeerPlaces, PeerSettings, eased
from detectors.phrases import span, times
from detectors.settings import DetectorSettings, Seconds
from detectors.windows import remember
from schemas.event import Event, Network
from schemas.finding import EntityType, Fact, Finding
from schemas.severity import Severity

USES = frozenset({"api.request", "data.export", "data.query", "admin.action", "auth.session"})
"""Kinds that show an account in use without a login."""


class NewGeographySettings(PeerSettings):
    """`new_geography`: memories as long as those of other systems (countries 90 days, the rest 30)."""

    grace_logins: Annotated[
        int,
        Field(
            ge=1,
            le=1_000,
            description="Placed logins of an account from which its countries are learned silently; of days without any, one request counts.",
        ),
    ] = 10
    grace_s: Annotated[Seconds, Field(description="Seconds after the first of them from which fewer are enough.")] = 14 * DAY_S
    country_memory_s: Annotated[
        Seconds,
        Field(
            description="Seconds for which a country stays known after the last use from there. When all are older, the next use is info only, and is learned anew."
        ),
    ] = 90 * DAY_S
    other_memory_s: Annotated[Seconds, Field(description="Seconds for which a network (ASN), a device or a client stays known.")] = (
        30 * DAY_S
    )
    ignored_networks: Annotated[
        tuple[Network, ...],
        Field(description="Kinds of network whose country says nothing; what comes from there neither alerts nor is learned."),
    ] = ("vpn", "hosting", "relay", "satellite")
    quiet_s: Quiet = 43_200


class NewGeography(EpisodeDetector[Habits, NewGeographySettings]):
    """Learns where an account is used from, and says so once when that is somewhere new.

    State per key: about 0.6 KB, at most 58 values; each tenant 1 KB. Cost ≈ 0.1 µs per request from where the last one came, 1 µs per login.
    """

    name = "new_geography"
    title = "Account used from a new country"
    sees = "A login or request from a country new to the account, together with a new network, device or client."
    kinds = USES | {"auth.login"}
    techniques = ("T1078.004",)
    false_positives = (
        "A journey: one alert for each country, of low severity when the device is known, or the client where devices are not told; info where colleagues are at home.",
        "A journey in a session that was begun at home: info, when it is seen before the first login there.",
        "A new colleague or a new installation: nothing alerts for an account's first `grace_logins` logins or `grace_s`.",
        "A VPN, cloud desktop, relay or satellite: networks of these kinds are ignored, and so is an intruder who uses one: other detectors see that.",
        "A wrong address database: a country alone is silent when the network, device and client are all known.",
        "Somebody back after months: when every known country is older than `country_memory_s`, the first use is info only.",
        "A program that runs elsewhere now: keys, services and requests without a session are low at most; a stolen key is told by `api_key_abuse`.",
    )
    variants: ClassVar[dict[str, Variant]] = {
        "by_actor": Variant(
            "actor", by_actor, ignores=frozenset({*product(USES | {"auth.login"}, ("failure", "challenge")), ("auth.login", None)})
        )
    }
    Settings = NewGeographySettings
    State = Habits

    def __init__(self, variant: str, settings: DetectorSettings) -> None:
        super().__init__(variant, settings)
        self.peers = PeerMemory(self, PeerPlaces, version=1, idle_ttl_s=2 * PERIOD_S, max_keys=settings.max_keys)

    def memory_s(self, limits: NewGeographySettings) -> float:
        """The longest memory, and long enough after an absence to tell that it was one."""
        return max(limits.country_memory_s + 30 * DAY_S, limits.other_memory_s)

    def on_event(self, key: str, state: Habits, event: Event) -> Finding | None:
        """Compare a use with what is known, then learn it."""
        country, ts = event.country, event.ts
        if event.kind != "auth.login":
            # Nine of ten events come here, and nearly all of them end here.
            if country == state.country and ts < state.usual_until:
                if ts > state.last_ts:  # noqa: PLR1730 - a call of max() costs more
                    state.last_ts = ts
                return None
            if country is None or event.outcome not in _WORKED:
                return None
        elif event.outcome != "success":
            return None
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
            state.last_ts = state.counted_ts = ts
            return None
        if country is None:
            learn(state, event)  # the devices of somebody whose address cannot always be placed
            state.usual_until = 0.0
            return None
        return self._closely(key, state, event, country)

    def _closely(self, key: str, state: Habits, event: Event, country: str) -> Finding | None:
        limits, ts = self.limits_of(key), event.ts
        last = state.countries.get(country)
        if last is None or ts - last > limits.country_memory_s:
            return ASK
        if state.episode is None:
            if event.kind != "auth.login" and 0 <= ts - last < REFRESH_S:
                return None  # where devices or countries take turns, once an hour is enough
            if peer_places.is_due(state.votes, country, ts) and self._is_known(state, ts, limits):
                return ASK
        finding: Finding | None = None
        if state.novelty is not None and state.episode is not None and country in state.novelty.countries:
            finding = self._again(key, state, event, limits)
        self._note(state, event, country, last, limits)
        return finding

    def consider(self, key: str, state: Habits, peers: Any, now: float, event: Event | None) -> Finding | None:
        """A country new to the account, or one it has yet to count for: compare it with the peers."""
        del now
        if event is None or event.country is None or not isinstance(peers, PeerPlaces):
            return None
        limits, ts, country = self.limits_of(key), event.ts, event.country
        finding: Finding | None = None
        last = state.countries.get(country)
        if last is None or ts - last > limits.country_memory_s:
            finding = self._new_country(key, state, event, country, peers)
        self._note(state, event, country, last, limits)
        # An alert quarantines what it is about: many stolen accounts must not make a country a common one.
        if state.episode is None and self._is_known(state, ts, limits) and peer_places.is_due(state.votes, country, ts):
            state.votes = peer_places.vote(peers, state.votes, country, ts)
        return finding

    def _is_known(self, state: Habits, ts: float, limits: NewGeographySettings) -> bool:
        """Whether it is an account of which enough has been seen."""
        return state.logins > 0 and (state.logins >= limits.grace_logins or ts - state.first_ts >= limits.grace_s)

    def _note(self, state: Habits, event: Event, country: str, last: float | None, limits: NewGeographySettings) -> None:
        """Take in a use with a country, ``last`` seen then."""
        ts = event.ts
        is_login = event.kind == "auth.login"
        if is_login or ts - state.counted_ts >= DAY_S:
            state.logins += 1
            state.counted_ts = max(state.counted_ts, ts)
            if state.logins == 1 or ts < state.first_ts:
                state.first_ts = ts
        state.last_ts = max(state.last_ts, ts)
        if last is None or ts - last > REFRESH_S:
            remember(state.countries, country, ts, MAX_COUNTRIES)
        # While an alert is open its logins teach nothing else: an intruder's device must not become a known one at once.
        state.usual_until = 0.0
        if state.episode is None:
            oldest = min(learn(state, event), state.countries.get(country, 0.0))
            state.usual_until = oldest + min(REFRESH_S, limits.country_memory_s)
            state.country, state.asn, state.device, state.agent = country, event.asn, event.device_id, event.user_agent
            if event.session_id is not None:
                state.session = event.session_id

    def _new_country(self, key: str, state: Habits, event: Event, country: str, peers: PeerPlaces) -> Finding | None:
        ts, limits = event.ts, self.limits_of(key)
        if not self._is_known(state, ts, limits):
            return None
        known = [name for name, last in state.countries.items() if ts - last <= limits.country_memory_s]
        back = not known
        if back:
            known = list(state.countries)
            if country in known:
                return None
        novel, compared, own_device = compare(state, event, limits.other_memory_s)
        if compared and not novel:
            return None
        among = peer_places.compare(peers, state.votes, country, ts, limits)
        severity = eased(severity_of(state, event, novel, compared, own_device=own_device), among)
        if back:  # what is known is out of date: learn anew from here on
            severity = "info"
            for seen in (state.countries, state.asns, state.devices, state.agents):
                seen.clear()
        old = state.novelty
        if state.episode is None or old is None:
            state.novelty = Novelty(
                [country],
                ", ".join(sorted(known)),
                novel,
                compared,
                severity,
                state.logins,
                ts - state.last_ts if back else 0.0,
                event.ip,
                what_of(event),
                key_of(event),
                among,
            )
            return self.begin(key, state, ts, ts, 1, [event.id])
        if len(old.countries) < MAX_NAMED:
            old.countries.append(country)
        if among.there < old.peers.there or not old.peers.needed:
            old.peers = among
        rise(old, severity, novel, compared)
        # A second new country is news, whatever the count.
        return self._grow(key, state, event, old) or self._say(key, state, state.episode, "update", ts)

    def _again(self, key: str, state: Habits, event: Event, limits: NewGeographySettings) -> Finding | None:
        """One more use from a country the open alert is about; a stranger's may come after the owner's, and a login after a request."""
        novelty = state.novelty
        assert novelty is not None
        if novelty.severity in _MAY_RISE and not novelty.away_s:
            novel, compared, own_device = compare(state, event, limits.other_memory_s)
            if novel or not compared:
                rise(novelty, eased(severity_of(state, event, novel, compared, own_device=own_device), novelty.peers), novel, compared)
        return self._grow(key, state, event, novelty)

    def _grow(self, key: str, state: Habits, event: Event, novelty: Novelty) -> Finding | None:
        if novelty.ip != event.ip:
            novelty.ip = None
        if novelty.what != what_of(event):
            novelty.what = "use"
        if novelty.key != key_of(event):
            novelty.key = None
        return self.go_on(key, state, event.ts, event.id)

    def reset(self, state: Habits) -> None:
        """See ``EpisodeDetector``."""
        state.novelty = None

    def severity(self, key: str, state: Habits) -> Severity:
        """Medium; low on a known device or client, or when there is only the country to go by; info after a long absence.

        Of requests see ``_severity``; a step less where its peers are at home.
        """
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
            "what": novelty.what,
            **peer_places.facts(novelty.peers),
            "grace_logins": limits.grace_logins,
            "country_memory_s": limits.country_memory_s,
        }

    def links(self, key: str, state: Habits) -> tuple[tuple[EntityType, str], ...]:
        """The address, when it is one; the API key, so that what `api_key_abuse` says of it leads."""
        novelty = state.novelty
        assert novelty is not None
        links: list[tuple[EntityType, str]] = []
        if novelty.ip is not None:
            links.append(("ip", novelty.ip))
        if novelty.key is not None:
            links.append(("api_key", novelty.key))
        return tuple(links)

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
        absence = f" It had not been used for {span(away_s)}." if away_s else ""
        before = f"the {times(f['logins_before'], 'login')} before came" if f["what"] == "login" else "before, it was used"
        return (
            f"{times(finding.count, str(f['what']))} from {f['country']}{with_what}; {before} from {f['known_countries']}."
            f"{absence}{peer_places.words(f)}"
        )

    def counterfactual(self, finding: Finding) -> str:
        """See ``Detector``."""
        f = finding.facts
        days = span(float(f["country_memory_s"]))
        others = str(f["new"]).split(", ")[1:]
        text = f"silent if the account had been used from {f['country']} within {days} before"
        if others:
            known = others[0] if len(others) == 1 else f"{', '.join(others[:-1])} and {others[-1]}"
            text = f"{text}, or if the {known} had been known"
        return f"{text}{peer_places.way_out(f)}"


_WORKED = frozenset({"success", None})
_MAY_RISE = frozenset({"info", "low"})
