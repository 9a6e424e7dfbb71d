"""An API key in other hands, or made for somebody else (ATT&CK T1528, T1550.001, T1098.001)."""

from typing import Annotated, ClassVar

from pydantic import Field

from detectors.base import Variant, by_actor
from detectors.clients import agent_family
from detectors.episode import MAX_EVIDENCE, EpisodeDetector, Quiet
from detectors.key_says import counterfactual, explain, made_facts, theft_facts
from detectors.key_use import (
    MOST_AREAS,
    MOST_NETWORKS,
    MOST_RECENT,
    SHOWN_CHARS,
    KeyUse,
    Made,
    Maker,
    Theft,
    area_of,
    by_api_key,
    is_refusal,
    makes_key,
    name_of_network,
    note,
)
from detectors.privileges import grantee, short
from detectors.settings import DetectorSettings, Seconds, matches_entity
from detectors.windows import Distinct, remember, slide
from schemas.event import Event, Network
from schemas.finding import EntityType, Fact, Finding
from schemas.severity import RANK, SEVERITIES, Severity

DAY_S = 86_400
HIGH, MEDIUM = RANK["high"], RANK["medium"]
KINDS = frozenset({"api.request", "auth.session", "data.export", "data.query", "authz.decision", "credential.change"})

Globs = tuple[Annotated[str, Field(min_length=1, max_length=256)], ...]


class KeySettings(DetectorSettings):
    """`api_key_abuse`: networks are counted, not addresses, and only for keys whose habits are known."""

    min_uses: Annotated[
        int, Field(ge=1, le=100_000, description="Uses of a key from which its habits are known; before, it is learned silently.")
    ] = 20
    steady_networks: Annotated[
        int,
        Field(ge=1, le=MOST_NETWORKS, description="A key used from more networks than this roams, and no new network of it is told."),
    ] = 2
    window_s: Annotated[Seconds, Field(description="Seconds within which a key is used from its own network and a new one.")] = 1800
    memory_s: Annotated[Seconds, Field(description="Seconds for which a network, a client and a habit stay known.")] = 30 * DAY_S
    ignored_networks: Annotated[
        tuple[Network, ...],
        Field(description="Kinds of network a device moves in and out of; uses from there are neither told nor learned."),
    ] = ("mobile", "relay")
    new_areas: Annotated[
        int, Field(ge=2, le=MOST_AREAS, description="Services, or parts of an API, a key never called before and calls within `probe_s`.")
    ] = 10
    refusals: Annotated[int, Field(ge=1, le=MOST_RECENT, description="Refusals within `probe_s` that make it an alert.")] = 5
    probe_s: Annotated[Seconds, Field(description="Seconds in which those fall.")] = 600
    keys: Annotated[int, Field(ge=2, le=MOST_RECENT, description="Keys one account makes within `keys_s` that make an alert.")] = 3
    keys_s: Annotated[Seconds, Field(description="Seconds in which those fall.")] = 3600
    automation: Annotated[
        Globs,
        Field(
            description="Accounts that make keys by program; `*` and `?` match. Low severity, and told of once within `memory_s`, as are accounts of type `service`."
        ),
    ] = ()
    quiet_s: Quiet = 3600


class KeyState(KeyUse):
    """At most 12 KB for a key (0.7 KB usually) or 8 KB for somebody who makes keys."""

    maker: Maker | None = None


class ApiKeyAbuse(EpisodeDetector[KeyState, KeySettings]):
    """Learns how a key is used, and tells when it is used otherwise; and of those who make keys for others.

    State per key: at most 12 KB, 0.7 KB usually. The common use (same address, client and route as the last) costs 0.3 µs.
    """

    name = "api_key_abuse"
    title = "API key used or made unusually"
    sees = "A key is used from a new network or country, tries what it never called, or somebody makes keys for others."
    kinds = KINDS
    techniques = ("T1528", "T1550.001", "T1098.001")
    false_positives = (
        "Build servers and fleets in one cloud: all addresses of one network (ASN) are one, and a key used from more than two is left alone.",
        "A move to another data centre: silent when the old place stopped first and country and client stay the same.",
        "A key in an app on a telephone: networks of kind `mobile` and `relay` are ignored.",
        "A new version of a program that calls more: parts never called before alert only together with refusals.",
        "Administrators who make keys for others: only the first within `memory_s` is told; programs go in `automation`.",
    )
    variants: ClassVar[dict[str, Variant]] = {
        "by_key": Variant("api_key", by_api_key),
        "by_actor": Variant(
            "actor",
            by_actor,
            ignores=frozenset(
                (kind, outcome)
                for kind in KINDS
                for outcome in ("success", "failure", "challenge", None)
                if kind != "credential.change" or outcome in {"failure", "challenge"}
            ),
        ),
    }
    Settings = KeySettings
    State = KeyState

    def memory_s(self, limits: KeySettings) -> float:
        """As long as a habit stays known."""
        return max(limits.memory_s, limits.keys_s if self.variant == "by_actor" else limits.probe_s)

    def on_event(self, key: str, state: KeyState, event: Event) -> Finding | None:
        """A use of a key; or, by actor, the making of one."""
        if self.variant == "by_actor":
            return self._made(key, state, event) if event.outcome in {"success", None} else None
        if event.ip == state.ip and event.user_agent == state.agent and state.uses and state.theft is None:
            state.uses += 1
            if event.ts > state.last_ts:  # noqa: PLR1730 - a call of max() costs more
                state.last_ts = event.ts
            route = event.route or event.action
            if route == state.route and event.outcome != "failure":
                return None
            state.route = route
            return self._strange_areas(key, state, event, self.limits_of(key))
        return self._used(key, state, event)

    # -- a key in use ---------------------------------------------------------------------------------------------------------------

    def _used(self, key: str, state: KeyState, event: Event) -> Finding | None:
        limits, ts = self.limits_of(key), event.ts
        if event.network is not None and event.network in limits.ignored_networks:
            return None
        if state.network is not None:  # the uses that were only counted
            remember(state.networks, state.network, state.last_ts, MOST_NETWORKS)
        network = name_of_network(event)
        theft = state.theft
        if theft is not None and network is not None and network in theft.networks.counts:
            theft.networks.add(network)
            finding = self._again(key, state, theft, event, limits)
        else:
            finding = self._strange_network(key, state, event, network, limits)
        if state.theft is None or network is None or network not in state.theft.networks.counts:
            state.uses += 1
            if finding is None:
                finding = self._strange_areas(key, state, event, limits)
            note(state, event, network)
            state.ip, state.agent, state.route = event.ip, event.user_agent, event.route or event.action
        state.last_ts = max(state.last_ts, ts)
        return finding

    def _strange_network(self, key: str, state: KeyState, event: Event, network: str | None, limits: KeySettings) -> Finding | None:
        if network is None or state.uses < limits.min_uses:
            return None
        since_ts = event.ts - limits.memory_s
        # An AS number is compared with AS numbers only, IPv4 with IPv4: what is not sent is not new.
        known = {name: last for name, last in state.networks.items() if last >= since_ts and name[0] == network[0]}
        if network in known or not 1 <= len(known) <= limits.steady_networks:
            return None
        country = event.country if event.country is not None and state.countries and event.country[:8] not in state.countries else None
        client = agent_family(event.user_agent)[:SHOWN_CHARS] if event.user_agent else None
        if not state.clients or client in state.clients:
            client = None
        overlap = event.ts - max(known.values()) <= limits.window_s
        if country is None and client is None and not overlap:
            return None
        rank = HIGH if country is not None or client is not None else MEDIUM
        theft = state.theft
        if theft is not None:
            theft.networks.add(network)
            theft.rank = max(theft.rank, rank)
            theft.country, theft.client = theft.country or country or "", theft.client or client or ""
            return self._again(key, state, theft, event, limits)
        theft = Theft("network", rank, ", ".join(known), Distinct(), country or "", client or "", overlap, event.ip, state.uses)
        theft.networks.add(network)
        theft.last_ts = event.ts
        state.theft = theft
        _look(state, theft, event, limits)
        return self.begin(key, state, event.ts, event.ts, 1, [event.id])

    def _again(
        self, key: str, state: KeyState, theft: Theft, event: Event, limits: KeySettings, *, counted: bool = False
    ) -> Finding | None:
        """One more use from where the key does not belong."""
        if event.ip != theft.ip:
            theft.ip = None
        theft.last_ts = max(theft.last_ts, event.ts)
        _look(state, theft, event, limits)
        return self.go_on(key, state, event.ts, event.id)

    def _strange_areas(self, key: str, state: KeyState, event: Event, limits: KeySettings) -> Finding | None:
        area, ts, news = area_of(event), event.ts, False
        if area is not None and area not in state.areas and len(state.areas) < MOST_AREAS:
            state.areas[area] = 1
            if state.uses >= limits.min_uses:
                if state.fresh is None:
                    state.fresh = []
                slide(state.fresh, (ts, event.id, area), limits.probe_s, MOST_RECENT)
                news = True
        if is_refusal(event):
            if state.refused is None:
                state.refused = []
            slide(state.refused, (ts, event.id, area or ""), limits.probe_s, MOST_RECENT)
            news = True
        if not news or not state.fresh or not state.refused:
            return None
        fresh = [entry for entry in state.fresh if entry[0] >= ts - limits.probe_s]
        refused = [entry for entry in state.refused if entry[0] >= ts - limits.probe_s]
        if len(fresh) < limits.new_areas or len(refused) < limits.refusals:
            return None
        theft = state.theft
        if theft is not None:
            theft.areas, theft.refusals, theft.rank = max(theft.areas, len(fresh)), max(theft.refusals, len(refused)), HIGH
            theft.last_ts = max(theft.last_ts, ts)
            return self.go_on(key, state, ts, event.id)
        told = sorted({(at, event_id) for at, event_id, _ in (*fresh, *refused)})
        state.theft = Theft(
            "enumeration",
            HIGH,
            ", ".join(state.networks),
            Distinct(),
            "",
            "",
            overlap=False,
            ip=event.ip,
            uses=max(0, state.uses - len(told)),
        )
        state.theft.areas, state.theft.refusals, state.theft.last_ts = len(fresh), len(refused), ts
        shown = [event_id for _, event_id in told[-MAX_EVIDENCE:]]
        return self.begin(key, state, told[-1][0], told[0][0], len(told), shown)

    # -- a key made -----------------------------------------------------------------------------------------------------------------

    def _made(self, key: str, state: KeyState, event: Event) -> Finding | None:
        action = event.action or ""
        if event.kind != "credential.change" or not makes_key(action):
            return None
        limits, ts = self.limits_of(key), event.ts
        if state.maker is None:
            state.maker = Maker()
        maker = state.maker
        target = short(event.target)
        slide(maker.recent, (ts, event.id, target), limits.keys_s, MOST_RECENT)
        owner = grantee(event)
        other = owner is not None and event.actor is not None and owner.casefold() != event.actor.casefold()
        before, last_ts = maker.others, maker.others_ts
        if other:
            maker.others, maker.others_ts = before + 1, max(last_ts, ts)
        number = len(maker.recent)
        if maker.told is not None:
            maker.told.most = max(maker.told.most, number)
            maker.told.targets.add(target or "not named")
            if event.ip != maker.told.ip:
                maker.told.ip = None
            return self.go_on(key, state, ts, event.id)
        first = other and (not before or ts - last_ts > limits.memory_s)
        if not first and number < limits.keys:
            return None
        automation = event.actor_type == "service" or any(matches_entity(glob, event.actor or "") for glob in limits.automation)
        if automation and maker.told_ts and ts - maker.told_ts <= limits.memory_s:
            return None  # a program that does so every night is told of once
        maker.told_ts = ts
        why = "burst" if number >= limits.keys else "other"
        maker.told = Made(why, action[:SHOWN_CHARS], Distinct(), number, automation, before, event.ip)
        told = list(maker.recent) if why == "burst" else [(ts, event.id, target)]
        for _, _, name in told:
            maker.told.targets.add(name or "not named")
        return self.begin(key, state, told[-1][0], told[0][0], len(told), [event_id for _, event_id, _ in told])

    # -- what is said ---------------------------------------------------------------------------------------------------------------

    def reset(self, state: KeyState) -> None:
        """What went on until the alert resolved is the key's habit from now on."""
        if state.theft is not None:
            for network in state.theft.networks.counts:
                remember(state.networks, network, state.theft.last_ts, MOST_NETWORKS)
            if state.theft.country:
                remember(state.countries, state.theft.country[:8], state.theft.last_ts, 8)
            state.theft = None
            state.fresh = state.refused = None
        if state.maker is not None:
            state.maker.told = None

    def severity(self, key: str, state: KeyState) -> Severity:
        """A key: medium, high from a new country or client or when it tries what it may not. Keys made: medium, low by programs."""
        if state.theft is not None:
            return SEVERITIES[state.theft.rank]
        told = state.maker.told if state.maker is not None else None
        return "low" if told is not None and told.automation else "medium"

    def facts(self, key: str, state: KeyState) -> dict[str, Fact]:
        """See ``EpisodeDetector``."""
        limits = self.limits_of(key)
        if state.theft is not None:
            return theft_facts(state.theft) | {"refusals_limit": limits.refusals} | {name: getattr(limits, name) for name in _THEFT_LIMITS}
        assert state.maker is not None
        assert state.maker.told is not None
        return made_facts(state.maker.told) | {name: getattr(limits, name) for name in _MADE_LIMITS}

    def links(self, key: str, state: KeyState) -> tuple[tuple[EntityType, str], ...]:
        """The address, when it is one."""
        told = state.theft or (state.maker.told if state.maker is not None else None)
        return (("ip", told.ip),) if told is not None and told.ip is not None else ()

    def explain(self, finding: Finding) -> str:
        """See ``Detector``."""
        return explain(finding)

    def counterfactual(self, finding: Finding) -> str:
        """See ``Detector``."""
        return counterfactual(finding)


def _look(state: KeyState, theft: Theft, event: Event, limits: KeySettings) -> None:
    """Count what a use from elsewhere tries; much that is new and refused makes it grave."""
    if is_refusal(event):
        theft.refusals += 1
    area = area_of(event)
    if area is not None and area not in state.areas and len(state.areas) < MOST_AREAS:
        state.areas[area] = 1
        theft.areas += 1
    if theft.areas >= limits.new_areas and theft.refusals >= limits.refusals:
        theft.rank = HIGH


_THEFT_LIMITS = ("min_uses", "steady_networks", "window_s", "memory_s", "new_areas", "probe_s")
_MADE_LIMITS = ("keys", "keys_s", "memory_s")
