"""An account nobody used for months is in use again (ATT&CK T1078)."""

from functools import lru_cache
from typing import Annotated, ClassVar

import msgspec
from pydantic import Field

from detectors.amounts import is_small_export
from detectors.base import Variant, by_actor
from detectors.episode import EpisodeDetector, EpisodeState, Quiet
from detectors.phrases import span, times
from detectors.settings import DetectorSettings, Seconds
from schemas.event import Event
from schemas.finding import EntityType, Fact, Finding
from schemas.severity import Severity

DAY_S = 86_400
REMEMBERED_S = 400 * DAY_S
"""How long an account is remembered after its last event: somebody back after a year must not be new."""
REFRESH_S = 3600
"""Where an account is, is noted anew at a login, or at an event this long (seconds) after the last."""
UNUSED = frozenset({"failure", "challenge"})
"""What a stranger can do with an account that is not theirs: no use of it."""
TELLING = frozenset({"data.export", "admin.action", "auth.mfa_change", "credential.change"})


class DormantSettings(DetectorSettings):
    """`dormant_account`: other systems wait 90 to 180 days."""

    dormant_s: Annotated[Seconds, Field(description="Seconds without any use after which an account is dormant.")] = 90 * DAY_S
    watch_s: Annotated[
        Seconds,
        Field(description="Seconds after the return in which an export, an administrative action or a changed factor or key is grave."),
    ] = DAY_S
    quiet_s: Quiet = DAY_S


class Return(msgspec.Struct):
    """The return that is being told of."""

    ts: float
    away_s: float
    known: int
    """Where the account was before, and where it came back from."""
    place: int
    service: bool
    ip: str | None
    """The address of all that belongs to it; ``None`` as soon as there are two."""
    deeds: dict[str, int]
    """Telling events by kind, at most the four kinds of ``TELLING``."""


class LastUse(EpisodeState, gc=False):  # no value of it can lead back to it
    """When and where an account was used last: at most about 110 bytes while nothing is wrong, 1 KB with an open alert."""

    last_ts: float = 0.0
    place: int = 0
    """Country and network in one number, see ``place_of``."""
    back: Return | None = None


class DormantAccount(EpisodeDetector[LastUse, DormantSettings]):
    """Keeps the last use of every account for at least 400 days, and says when the next one is 90 days later.

    State per key: at most 1 KB, 0.1 KB usually. Only an account that was seen before can be dormant: without 90 days of events, or a replay
    of as many, it says nothing. With more accounts than ``max_keys`` the least recently seen, which are the dormant ones, are forgotten first.
    """

    name = "dormant_account"
    title = "Dormant account in use again"
    sees = "An account that was not used for 90 days is in use again; worse when it then exports data or changes rights, factors or keys."
    kinds = frozenset({"auth.login", "auth.session", "api.request", "data.query", *TELLING})
    techniques = ("T1078",)
    false_positives = (
        "Somebody back from parental leave, illness or hired again: low unless data or administration follows; the personnel office knows.",
        "The first file somebody downloads who is back at the usual place: an export that says its size counts from 1,000 records or 100 MB on.",
        "Seasonal work: give the accounts a longer `dormant_s` with an override.",
        "A service account of a yearly job: accounts of type `service` are low at most, whatever they do.",
        "A source that was not connected for months: the events of that time must be replayed first, else its accounts look dormant.",
    )
    variants: ClassVar[dict[str, Variant]] = {"by_actor": Variant("actor", by_actor, passive=UNUSED)}
    Settings = DormantSettings
    State = LastUse

    def memory_s(self, limits: DormantSettings) -> float:
        """Longer than anybody is away."""
        del limits
        return REMEMBERED_S

    def on_event(self, key: str, state: LastUse, event: Event) -> Finding | None:
        """Note a use of the account, and how long there was none."""
        if event.outcome in UNUSED:
            return None
        ts, kind = event.ts, event.kind
        last_ts = state.last_ts
        gap_s = ts - last_ts
        if state.back is None:
            if gap_s < REFRESH_S and kind != "auth.login":
                if gap_s > 0:
                    state.last_ts = ts
                return None
        elif ts - state.back.ts <= self.limits_of(key).watch_s and (kind == "auth.login" or _is_telling(state.back, event)):
            finding = self._again(key, state, state.back, event)
            self._note(state, event)
            return finding
        if kind == "auth.login" and event.outcome != "success":
            return None
        finding = None
        if last_ts and state.back is None and gap_s >= self.limits_of(key).dormant_s:
            finding = self._return(key, state, event, gap_s)
        self._note(state, event)
        return finding

    def _note(self, state: LastUse, event: Event) -> None:
        if event.ts < state.last_ts:
            return
        state.last_ts = event.ts
        if event.country is not None or event.asn:
            place = place_of(event.country, event.asn)
            if place != state.place:  # the old number is kept while it is true
                state.place = place

    def _return(self, key: str, state: LastUse, event: Event, away_s: float) -> Finding:
        place = place_of(event.country, event.asn)
        state.back = back = Return(event.ts, away_s, state.place, place, event.actor_type == "service", event.ip, {})
        if _is_telling(back, event):
            back.deeds[event.kind] = 1
        return self.begin(key, state, event.ts, event.ts, 1, [event.id])

    def _again(self, key: str, state: LastUse, back: Return, event: Event) -> Finding | None:
        if event.ip != back.ip:
            back.ip = None
        if event.kind in TELLING:
            back.deeds[event.kind] = back.deeds.get(event.kind, 0) + 1
        if not back.place:
            back.place = place_of(event.country, event.asn)
        return self.go_on(key, state, event.ts, event.id, vital=event.kind in TELLING and back.deeds[event.kind] == 1)

    def reset(self, state: LastUse) -> None:
        """See ``EpisodeDetector``."""
        state.back = None

    def severity(self, key: str, state: LastUse) -> Severity:
        """Low; medium from another country, or with a telling deed; high with a deed from another country or network."""
        back = state.back
        assert back is not None
        moved = moved_by(back.known, back.place)
        if back.service:
            return "low"
        if back.deeds:
            return "high" if moved else "medium"
        return "medium" if "country" in moved else "low"

    def facts(self, key: str, state: LastUse) -> dict[str, Fact]:
        """See ``EpisodeDetector``."""
        back, limits = state.back, self.limits_of(key)
        assert back is not None
        facts: dict[str, Fact] = {"away_s": round(back.away_s), "away_days": int(back.away_s // DAY_S)}
        for name, place in (("before", back.known), ("now", back.place)):
            country, asn = country_of(place), asn_of(place)
            if country:
                facts[f"country_{name}"] = country
            if asn:
                facts[f"asn_{name}"] = asn
        facts["elsewhere"] = ", ".join(moved_by(back.known, back.place)) or "no"
        facts["deeds"] = ", ".join(back.deeds) or "none"
        facts["account"] = "service" if back.service else "user"
        return facts | {"dormant_s": limits.dormant_s, "watch_s": limits.watch_s}

    def links(self, key: str, state: LastUse) -> tuple[tuple[EntityType, str], ...]:
        """The address, when it is one."""
        ip = state.back.ip if state.back is not None else None
        return (("ip", ip),) if ip is not None else ()

    def explain(self, finding: Finding) -> str:
        """See ``Detector``."""
        f = finding.facts
        place = "" if f["elsewhere"] == "no" else f", from another {str(f['elsewhere']).replace(', ', ' and ')} than before"
        deeds = str(f["deeds"])
        done = "" if deeds == "none" else f" It then did what matters: {', '.join(_DEEDS[deed] for deed in deeds.split(', '))}."
        whom = "service account" if f["account"] == "service" else "account"
        return (
            f"This {whom} was not used for {span(float(f['away_s']))} and is in use again, in {times(finding.count, 'event')}{place}.{done}"
        )

    def counterfactual(self, finding: Finding) -> str:
        """See ``Detector``."""
        return f"silent if the account had been used within {span(float(finding.facts['dormant_s']))} before"


_DEEDS = {
    "data.export": "exported data",
    "admin.action": "administered",
    "auth.mfa_change": "changed a second factor",
    "credential.change": "changed a key or another credential",
}


def _is_telling(back: Return, event: Event) -> bool:
    """Whether it makes the return worse; elsewhere than at the usual place, a small export does as well."""
    return event.kind in TELLING and (not is_small_export(event) or bool(moved_by(back.known, back.place)))


@lru_cache(maxsize=4096)  # a pure function's results; accounts in one place share the number
def place_of(country: str | None, asn: int) -> int:
    """Country and network as one number, so that a hundred thousand of them are small; 0: neither is known.

    >>> place_of("NO", 64500), place_of(None, 64500) == place_of("Norway", 64500), place_of(None, 0)
    (66048463, True, 0)
    """
    code = 0
    if country is not None and len(country) == 2 and country.isascii() and country.isalpha() and country.isupper():
        code = (ord(country[0]) - 64) * 32 + ord(country[1]) - 64
    return asn * 1024 + code


def country_of(place: int) -> str:
    """The country in it, or nothing.

    >>> country_of(place_of("NO", 64500)), country_of(place_of(None, 64500))
    ('NO', '')
    """
    first, second = divmod(place % 1024, 32)
    return chr(first + 64) + chr(second + 64) if first else ""


def asn_of(place: int) -> int:
    """The network in it, or 0."""
    return place // 1024


def moved_by(known: int, place: int) -> list[str]:
    """What of two places differs: only what is known of both can."""
    pairs = (("country", country_of(known), country_of(place)), ("network", asn_of(known), asn_of(place)))
    return [name for name, before, now in pairs if before and now and before != now]
