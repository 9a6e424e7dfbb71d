"""Two successful logins of one account farther apart than anyone can travel in the time between them (ATT&CK T1078.004)."""

from bisect import bisect_right, insort
from hashlib import blake2b
from itertools import product
from math import ceil
from typing import Annotated, ClassVar, Literal

import msgspec
from pydantic import Field

from detectors.base import Variant, by_actor
from detectors.episode import EpisodeDetector, EpisodeState, Quiet
from detectors.geography import distance_km, least_distance_km
from detectors.phrases import span, times
from detectors.settings import DetectorSettings
from schemas.event import Event, Network
from schemas.finding import EntityType, Fact, Finding
from schemas.severity import RANK, Severity

MAX_ANCHORS = 8
"""Logins remembered for each account: enough for a late one to find both of its neighbours."""
MAX_ENDS = 16
"""Networks and devices remembered for each account, from which it jumps."""
LEAST_GAP_S = 1.0
"""A shorter gap counts as this long: stamps are not better than that, and a speed must be a number."""
FASTEST = 5
"""Times the speed limit from which on no error of a clock or a map explains it."""
HALF_ROUND_KM = 20_016
"""No two places on Earth are farther apart, so that logins farther apart in time than this distance takes need no comparison."""
DAY_S = 86_400
HABIT_MEMORY_DAYS = 30


class TravelSettings(DetectorSettings):
    """`impossible_travel`: distances are great circles less the accuracy radii of both places."""

    min_distance_km: Annotated[float, Field(ge=50, le=20_000, description="Kilometres below which two places are never impossible.")] = 500
    max_speed_kmh: Annotated[
        float, Field(ge=200, le=10_000, description="Kilometres per hour a traveller can make; an airliner cruises at about 900.")
    ] = 900
    max_accuracy_km: Annotated[
        float,
        Field(
            ge=10, le=20_000, description="A place known less precisely than this radius (kilometres) is no place, e.g. a whole country."
        ),
    ] = 1000
    ignored_networks: Annotated[
        tuple[Network, ...],
        Field(
            description="Kinds of network whose addresses do not say where a person is; logins from there are not compared with anything."
        ),
    ] = ("vpn", "hosting", "relay", "satellite", "mobile")
    habit_days: Annotated[
        int,
        Field(
            ge=0,
            le=14,
            description="When each of the two networks took part in jumps on this many days, further ones of one and the same device (a "
            "company's VPN) are a habit and alert with severity info; those of two devices (a phone whose carrier comes out far away), when "
            "each of the devices did so, too. Counted over 30 days. 0: never.",
        ),
    ] = 3
    quiet_s: Quiet = 43_200


class Anchor(msgspec.Struct, gc=False):
    """Where and when the account was used."""

    ts: float
    id: str
    lat: float
    lon: float
    accuracy_km: float
    ip: str | None
    country: str | None
    city: str | None
    asn: int
    device_id: str | None


class Jump(msgspec.Struct, gc=False):
    """Two logins that cannot both be by one traveller."""

    origin: str
    goal: str
    distance_km: float
    gap_s: float
    speed_kmh: float
    device: Literal["same", "other", "unknown"]
    ids: tuple[str, str]
    last_ts: float
    habit: bool = False


REQUESTS = frozenset({"api.request", "data.export", "data.query", "admin.action"})
KEYS = frozenset({"api_key", "service"})


def by_traveller(event: Event) -> str | None:
    """As ``by_actor``; of requests those only that no other detector places.

    A request within a session is placed by ``session_hijack``, and the session by the login that began it; API keys have
    ``api_key_abuse``, and services run where their machines are.
    """
    if event.kind in REQUESTS and (event.session_id is not None or event.actor_type in KEYS):
        return None
    return by_actor(event)


class Travel(EpisodeState):
    """At most 8 logins, 16 networks and devices with at most 15 days each, and the gravest jump of the open episode."""

    anchors: list[Anchor] = msgspec.field(default_factory=list)
    """Sorted by event time. Of several in a row from one address only the first and the last are kept."""
    ends: dict[str, list[int]] = msgspec.field(default_factory=dict)
    """Networks and devices that were an end of a jump, and on which days (since 1970, UTC), in order."""
    jump: Jump | None = None


class ImpossibleTravel(EpisodeDetector[Travel, TravelSettings]):
    """Compares each login with the one before and the one after it in event time, so that a late one is judged where it belongs.

    State per key: about 0.5 KB at one place, at most 4 KB. Cost ≈ 0.2 µs for a login from the same address as before, 2 µs for a move.
    """

    name = "impossible_travel"
    title = "Impossible travel"
    sees = "Successful logins or requests of one account from places too far apart for the time between them."
    comes_back = False  # each journey is one of its own, and a known one is told as less grave
    kinds = REQUESTS | {"auth.login", "auth.session"}
    techniques = ("T1078.004",)
    false_positives = (
        "A VPN, cloud desktop or relay: networks of these kinds are ignored; add the AS number of yours to the table of networks.",
        "A company VPN in no such table: a device that jumps between networks that did so on `habit_days` days before makes info only.",
        "A phone whose carrier comes out far away: add its AS number to the table; else a habit as well, where both networks and both devices are known for it.",
        "The same, by a thief of a device's identity, or by one who comes back day after day: each of those first days alerts in full; a `habit_days` of 0 switches habits off.",
        "An address database that is wrong: the accuracy radius is taken off the distance, and `min_distance_km` can be raised.",
        "An account several people share: give each their own, or allow-list it by name until then.",
    )
    variants: ClassVar[dict[str, Variant]] = {
        "by_actor": Variant("actor", by_traveller, ignores=frozenset(product(REQUESTS, ("failure", "challenge"))))
    }
    Settings = TravelSettings
    State = Travel

    def memory_s(self, limits: TravelSettings) -> float:
        """As long as a login can be impossible, or habits last."""
        return max(_horizon_s(limits), HABIT_MEMORY_DAYS * DAY_S if limits.habit_days else 0.0)

    def on_event(self, key: str, state: Travel, event: Event) -> Finding | None:
        """Put a login in its place and compare it with its neighbours."""
        lat, lon = event.lat, event.lon
        if lat is None or lon is None:
            return None
        # A session or request needs no outcome to be a success; a login does.
        if event.outcome != "success" and (event.outcome is not None or event.kind == "auth.login"):
            return None
        limits = self.limits_of(key)
        if (event.network is not None and event.network in limits.ignored_networks) or event.accuracy_km > limits.max_accuracy_km:
            return None
        anchors, ts, ip = state.anchors, event.ts, event.ip
        if len(anchors) > 1 and ip is not None and anchors[-1].ip == ip == anchors[-2].ip and ts >= anchors[-1].ts:
            last = anchors[-1]
            last.ts, last.id, last.device_id = ts, event.id, event.device_id
            return None
        new = Anchor(ts, event.id, lat, lon, event.accuracy_km, ip, event.country, event.city, event.asn, event.device_id)
        at = bisect_right(anchors, (ts, event.id), key=_in_time)
        neighbours = anchors[max(0, at - 1) : at + 1] if at else anchors[:1]
        anchors.insert(at, new)
        _forget(anchors, _horizon_s(limits))
        worst: Jump | None = None
        for other in neighbours:
            jump = _jump(limits, other, new) if other.ts <= ts else _jump(limits, new, other)
            if jump is None:
                continue
            jump.habit = self._note_habit(state, limits, jump, other, new)
            if worst is None or _rank(limits, jump) > _rank(limits, worst):
                worst = jump
        return None if worst is None else self._found(key, state, event, worst)

    def _found(self, key: str, state: Travel, event: Event, jump: Jump) -> Finding | None:
        if state.episode is None:
            state.jump = jump
            return self.begin(key, state, jump.last_ts, jump.last_ts - jump.gap_s, 2, list(jump.ids))
        limits = self.limits_of(key)
        if state.jump is None or _rank(limits, jump) > _rank(limits, state.jump):
            state.jump = jump
        return self.go_on(key, state, event.ts, event.id)

    def _note_habit(self, state: Travel, limits: TravelSettings, jump: Jump, a: Anchor, b: Anchor) -> bool:
        """Remember that these networks and devices jumped this day; whether they did so on enough days before.

        They are counted apart, because which two logins are neighbours changes from day to day.
        """
        if jump.device == "unknown" or not limits.habit_days:
            return False
        ends, today, habit = state.ends, int(jump.last_ts // DAY_S), True
        for name in sorted({_network(a), _network(b), _device(a), _device(b)}):
            days = ends.get(name)
            if days is None:
                if len(ends) >= MAX_ENDS:
                    del ends[min(ends, key=lambda other: (ends[other][-1], other))]
                days = ends[name] = []
            before = sum(1 for day in days if today - HABIT_MEMORY_DAYS <= day < today)
            if before < limits.habit_days and (jump.device == "other" or "@" in name):
                habit = False
            if today not in days:
                insort(days, today)
                del days[: -(limits.habit_days + 1)]
        return habit

    def reset(self, state: Travel) -> None:
        """See ``EpisodeDetector``."""
        state.jump = None

    def severity(self, key: str, state: Travel) -> Severity:
        """Medium; high for two devices, or a speed that is no error of measurement; info for a habit."""
        assert state.jump is not None
        return _severity(self.limits_of(key), state.jump)

    def facts(self, key: str, state: Travel) -> dict[str, Fact]:
        """See ``EpisodeDetector``."""
        jump, limits = state.jump, self.limits_of(key)
        assert jump is not None
        return {
            "from": jump.origin,
            "to": jump.goal,
            "distance_km": round(jump.distance_km),
            "gap_s": round(jump.gap_s),
            "speed_kmh": round(jump.speed_kmh),
            "device": jump.device,
            "habit": "yes" if jump.habit else "no",
            "min_distance_km": limits.min_distance_km,
            "max_speed_kmh": limits.max_speed_kmh,
        }

    def links(self, key: str, state: Travel) -> tuple[tuple[EntityType, str], ...]:
        """None: which of the two addresses is the stranger's is not known."""
        return ()

    def explain(self, finding: Finding) -> str:
        """See ``Detector``."""
        f = finding.facts
        gap_s = float(f["gap_s"])
        when = f"{span(gap_s)} apart: {f['speed_kmh']:,} km/h" if gap_s >= LEAST_GAP_S else "at the same time"
        device = {"same": ", with the same device", "other": ", with different devices"}.get(str(f["device"]), "")
        more = f" {times(finding.count, 'login')} belong to it so far." if finding.count > 2 else ""
        who = "This device jumps" if f["device"] == "same" else "These devices jump"
        habit = f" {who} between these networks often." if f["habit"] == "yes" else ""
        return f"Used from {f['from']} and {f['to']}, {f['distance_km']:,} km and {when}{device}.{more}{habit}"

    def counterfactual(self, finding: Finding) -> str:
        """See ``Detector``."""
        f = finding.facts
        # a kilometre more than the rounded distance, so that the time named is surely enough
        needed_s = (float(f["distance_km"]) + 1) / float(f["max_speed_kmh"]) * 3600
        return f"silent if the logins had been at least {_hours(needed_s)} apart, or less than {f['min_distance_km']:,.0f} km"


def _in_time(anchor: Anchor) -> tuple[float, str]:
    return anchor.ts, anchor.id


def _horizon_s(limits: TravelSettings) -> float:
    return HALF_ROUND_KM / limits.max_speed_kmh * 3600


def _forget(anchors: list[Anchor], horizon_s: float) -> None:
    oldest = anchors[-1].ts - horizon_s
    drop = max(0, len(anchors) - MAX_ANCHORS)
    while anchors[drop].ts < oldest:
        drop += 1
    if drop:
        del anchors[:drop]


def _jump(limits: TravelSettings, a: Anchor, b: Anchor) -> Jump | None:
    """What is impossible about going from ``a`` to ``b``; ``None``: nothing."""
    if a.ip is not None and a.ip == b.ip:
        return None
    apart_km = least_distance_km(distance_km(a.lat, a.lon, b.lat, b.lon), a.accuracy_km, b.accuracy_km)
    if apart_km < limits.min_distance_km:
        return None
    gap_s = b.ts - a.ts
    speed_kmh = apart_km / max(gap_s, LEAST_GAP_S) * 3600
    if speed_kmh <= limits.max_speed_kmh:
        return None
    device: Literal["same", "other", "unknown"] = "unknown"
    if a.device_id is not None and b.device_id is not None:
        device = "same" if a.device_id == b.device_id else "other"
    return Jump(_place(a), _place(b), apart_km, gap_s, speed_kmh, device, (a.id, b.id), b.ts)


def _severity(limits: TravelSettings, jump: Jump) -> Severity:
    if jump.habit:
        return "info"
    # One device at both ends is most often one that changed its way into the internet, which takes no time at all.
    if jump.device == "other" or (jump.device == "unknown" and jump.speed_kmh > FASTEST * limits.max_speed_kmh):
        return "high"
    return "medium"


def _rank(limits: TravelSettings, jump: Jump) -> int:
    return RANK[_severity(limits, jump)]


def _place(anchor: Anchor) -> str:
    """City and country as far as they are known.

    >>> _place(Anchor(0.0, "", 59.91, 10.75, 0.0, None, "NO", "Oslo", 0, None)), _place(Anchor(0.0, "", -0.2, 6.7, 0.0, None, None, None, 0, None))
    ('Oslo, NO', '0.2° S 6.7° E')
    """
    if anchor.country is None:
        north, east = "N" if anchor.lat >= 0 else "S", "E" if anchor.lon >= 0 else "W"
        return f"{abs(anchor.lat):.1f}° {north} {abs(anchor.lon):.1f}° {east}"
    return f"{anchor.city[:64]}, {anchor.country}" if anchor.city else anchor.country


def _network(anchor: Anchor) -> str:
    """Where an address leads into the internet: its network and, to about 100 km, its place."""
    return f"{anchor.asn}@{anchor.lat:.0f},{anchor.lon:.0f}"


def _device(anchor: Anchor) -> str:
    """A short name of its device; unlike that of a network it has no ``@``."""
    return blake2b((anchor.device_id or "").encode("utf-8", "replace"), digest_size=8).hexdigest()


def _hours(seconds: float) -> str:
    """A length of time, rounded up to minutes.

    >>> _hours(11_341), _hours(7200), _hours(61)
    ('3 h 10 min', '2 h', '2 min')
    """
    hours, minutes = divmod(ceil(seconds / 60), 60)
    return " ".join([f"{hours} h"] * (hours > 0) + [f"{minutes} min"] * (minutes > 0))
