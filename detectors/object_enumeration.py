"""One account or address that goes through the objects of an endpoint (ATT&CK T1087, T1526, T1530; OWASP API1:2023)."""

import fnmatch
from functools import lru_cache
from hashlib import blake2b
from typing import Annotated, ClassVar

import msgspec
from pydantic import Field

from detectors.base import Variant, by_actor
from detectors.episode import EpisodeDetector, EpisodeState, Quiet
from detectors.objects import ip_without_actor, locate
from detectors.phrases import span, times
from detectors.settings import DetectorSettings, Seconds
from detectors.walks import MAX_RECENT, Features, Walk, features, keep_last, note, settle, stalest
from detectors.windows import Distinct
from schemas.event import Event
from schemas.finding import EntityType, Fact, Finding
from schemas.severity import Severity

MAX_TEMPLATES = 8
"""Endpoints remembered for each key."""
MAX_IDS = 800
"""Ids remembered for each key, over all endpoints."""
_ROOM = 160
"""How many ids can come between two looks."""
LOOK_EVERY = 10
"""New ids after which an endpoint is looked at again; an eighth of those in its window, where that is more."""
MAX_ID_CHARS = 20
"""A longer id is remembered as its digest."""
GRAVE_OBJECTS = 200
SERVICES = frozenset({"service", "api_key"})
REFUSED = frozenset({401, 403, 404, 410})


class EnumerationSettings(DetectorSettings):
    """`object_enumeration`: nothing free looks at the ids themselves, so these are numbers of our own, set where pages of lists stay silent."""

    features: Annotated[
        int,
        Field(
            ge=1, le=4, description="How many of the four signs must be there: haste, neighbouring ids, refusals, ids new to the account."
        ),
    ] = 2
    service_features: Annotated[
        int, Field(ge=1, le=4, description="The same for service accounts and API keys, and for addresses without an actor.")
    ] = 3
    min_ids: Annotated[int, Field(ge=2, le=MAX_RECENT, description="Distinct ids at one endpoint within `window_s`, at least.")] = 20
    min_ids_unhurried: Annotated[
        int,
        Field(
            ge=2,
            le=MAX_RECENT,
            description="The same where neither haste nor refusals are among the signs: a page of a list looks like that.",
        ),
    ] = 50
    window_s: Annotated[Seconds, Field(ge=60, description="Seconds in which they are asked for.")] = 600
    per_minute: Annotated[int, Field(ge=2, le=MAX_RECENT, description="Distinct ids within a minute that are haste.")] = 60
    per_window: Annotated[int, Field(ge=2, le=MAX_RECENT, description="Distinct ids within `window_s` that are haste too.")] = 100
    adjacent_share: Annotated[float, Field(gt=0, le=1, description="Share of numeric ids whose neighbour was asked for too.")] = 0.5
    refused_share: Annotated[float, Field(gt=0, le=1, description="Share of ids whose answer was 401, 403, 404 or 410.")] = 0.3
    new_share: Annotated[float, Field(gt=0, le=1, description="Share of ids the account did not ask for in `history_s` before.")] = 0.9
    grace_ids: Annotated[int, Field(ge=1, le=128, description="Ids that must be remembered of an account before new ones are a sign.")] = 20
    history_s: Annotated[Seconds, Field(description="Seconds for which ids are remembered.")] = 7 * 86_400
    ignored_routes: Annotated[
        tuple[str, ...],
        Field(description="Endpoints that are not looked at; `*` and `?` match the route, or the path with `{id}` for ids."),
    ] = ("*/tiles/*", "*/static/*", "*/assets/*", "*/images/*", "*/thumbnails/*", "*/avatars/*")
    quiet_s: Quiet = 1800


class Found(msgspec.Struct):
    """What the open episode is about."""

    template: str
    ids: Distinct
    ips: Distinct
    service: bool
    signs: list[str]
    seen: Features
    turned: int
    """Ids turned from refused to given before the episode began."""


class Walks(EpisodeState):
    """At most ``MAX_TEMPLATES`` endpoints with ``MAX_IDS`` ids together, and 256 exact counts of an episode: up to 60 KB as JSON."""

    walks: dict[str, Walk] = msgspec.field(default_factory=dict)
    found: Found | None = None


class ObjectEnumeration(EpisodeDetector[Walks, EnumerationSettings]):
    """Looks at the set of ids, not at their order: a shuffled walk has the same neighbours. A walk that mostly succeeds is found too.

    State per key: 0.2 KB, and about 0.15 KB for each id remembered. Cost ≈ 0.4 µs for an id of the last minutes, 2–4 µs for another.
    """

    name = "object_enumeration"
    title = "Walk through objects"
    sees = "One account or address that asks for object after object of one endpoint, as if trying every id there is."
    kinds = frozenset({"api.request", "authz.decision", "data.export"})
    techniques = ("T1087", "T1526", "T1530")
    false_positives = (
        "A page that fetches each entry of its list: below `min_ids_unhurried` and `per_minute` neighbours alone do not alert; raise them for longer pages.",
        "Lists, searches and pages (`?page=2`): they name no object and are not looked at.",
        "Pictures, films, map tiles and scripts with numbers for names: not looked at by suffix, or by `ignored_routes`.",
        "A batch client, crawler or synchronisation: service accounts, API keys and addresses without an actor need `service_features`; else an override.",
        "A colleague who reads a whole case: ids asked for in the last week are not new to the account.",
    )
    variants: ClassVar[dict[str, Variant]] = {"by_actor": Variant("actor", by_actor), "by_ip": Variant("ip", ip_without_actor)}
    Settings = EnumerationSettings
    State = Walks

    def memory_s(self, limits: EnumerationSettings) -> float:
        """As long as ids are remembered."""
        return max(limits.history_s, limits.window_s)

    def on_event(self, key: str, state: Walks, event: Event) -> Finding | None:
        """Note the object asked for; now and then look at its endpoint."""
        place = locate(event)
        if place is None:
            return None
        template, identity = place
        if len(identity) > MAX_ID_CHARS:
            identity = blake2b(identity.encode("utf-8", "replace"), digest_size=8).hexdigest()
        walk = state.walks.get(template)
        if walk is None:
            walk = self._walk(key, state, template)
            if walk is None:
                return None
        refused = event.status in REFUSED or (event.status == 0 and event.outcome == "failure")
        if not note(walk, identity, event.ts, refused=refused):
            if state.found is None or state.found.template != template or walk.turned == state.found.turned:
                return None
            return self._turned(key, state, event)
        if state.found is None and walk.fresh < LOOK_EVERY - 1:  # nothing to look at yet: spare the call
            walk.fresh += 1
            keep_last(walk.event_ids, event.id)
            return None
        return self._news(key, state, walk, event, place=(template, identity))

    def _walk(self, key: str, state: Walks, template: str) -> Walk | None:
        """Begin to remember an endpoint, in place of the one left alone longest; ``None``: it is ignored."""
        if _is_ignored(template, self.limits_of(key).ignored_routes):
            return None
        walks = state.walks
        if len(walks) >= MAX_TEMPLATES:
            del walks[stalest(walks, state.found.template if state.found is not None else "")]
        walks[template] = walk = Walk()
        return walk

    def _news(self, key: str, state: Walks, walk: Walk, event: Event, place: tuple[str, str]) -> Finding | None:
        """An id new to the window."""
        template, identity = place
        found = state.found
        if found is not None and found.template == template:
            found.ids.add(identity)
            found.ips.add(event.ip or "")
            return self.go_on(key, state, event.ts, event.id)
        keep_last(walk.event_ids, event.id)
        walk.fresh += 1
        if walk.fresh < LOOK_EVERY or walk.fresh < len(walk.recent) // 8:
            return None
        walk.fresh = 0
        limits = self.limits_of(key)
        if len(walk.recent) < limits.min_ids:
            return None
        settle(walk, limits.window_s, limits.history_s)
        self._make_room(state, walk)
        if found is not None or len(walk.recent) < limits.min_ids:
            return None
        return self._look(key, state, template, event)

    def _make_room(self, state: Walks, walk: Walk) -> None:
        """Forget the history of other endpoints, and then this one's, before there are too many ids."""
        most = MAX_IDS - _ROOM
        total = sum(len(each.recent) + len(each.history) for each in state.walks.values())
        for each in [*(other for other in state.walks.values() if other is not walk), walk]:
            for marks in (each.history, each.recent):
                while marks and total > most:
                    del marks[next(iter(marks))]
                    total -= 1

    def _look(self, key: str, state: Walks, template: str, event: Event) -> Finding | None:
        limits, walk = self.limits_of(key), state.walks[template]
        seen = features(walk, limits.grace_ids)
        signs = _signs(seen, limits)
        service = event.actor_type in SERVICES or self.variant == "by_ip"
        if len(signs) < (limits.service_features if service else limits.features):
            return None
        if seen.distinct < limits.min_ids_unhurried and not {"haste", "refusals"} & set(signs):
            return None
        ids, ips = Distinct(), Distinct()
        for identity in walk.recent:
            ids.add(identity)
        ips.add(event.ip or "")
        state.found = Found(template, ids, ips, service, signs, seen, walk.turned)
        first = min(abs(mark) for mark in walk.recent.values())
        finding = self.begin(key, state, walk.newest, first, seen.distinct, walk.event_ids[-min(20, seen.distinct) :])
        walk.event_ids = []
        return finding

    def _turned(self, key: str, state: Walks, event: Event) -> Finding | None:
        """An id that was refused is given now: it is part of the walk."""
        return self.go_on(key, state, event.ts, event.id, vital=True)

    def reset(self, state: Walks) -> None:
        """See ``EpisodeDetector``."""
        state.found = None

    def severity(self, key: str, state: Walks) -> Severity:
        """Medium; high for very many objects, and once what was refused is given."""
        found = state.found
        assert found is not None
        walk = state.walks.get(found.template)
        turned = walk is not None and walk.turned > found.turned
        return "high" if turned or found.ids.number() >= GRAVE_OBJECTS else "medium"

    def facts(self, key: str, state: Walks) -> dict[str, Fact]:
        """See ``EpisodeDetector``."""
        found, limits = state.found, self.limits_of(key)
        assert found is not None
        walk, seen = state.walks.get(found.template), found.seen
        return {
            "endpoint": found.template,
            "distinct_ids": found.ids.number(),
            "signs": ", ".join(found.signs),
            "per_minute": seen.per_minute,
            "adjacent_share": round(seen.adjacent, 2),
            "refused_share": round(seen.refused, 2),
            "new_share": round(seen.new, 2),
            "given_after_refusal": 0 if walk is None else walk.turned - found.turned,
            "account": "service" if found.service else "user",
            "signs_needed": limits.service_features if found.service else limits.features,
            "min_ids": limits.min_ids if {"haste", "refusals"} & set(found.signs) else limits.min_ids_unhurried,
            "window_s": limits.window_s,
        }

    def links(self, key: str, state: Walks) -> tuple[tuple[EntityType, str], ...]:
        """The one address that nearly all of an account's requests came from."""
        main = state.found.ips.main() if state.found is not None and self.variant == "by_actor" else None
        return (("ip", main),) if main else ()

    def explain(self, finding: Finding) -> str:
        """See ``Detector``."""
        f = finding.facts
        whom = "account" if finding.entity_type == "actor" else "address"
        text = (
            f"This {whom} asked for {times(f['distinct_ids'], 'different object')} of {f['endpoint']} "
            f"in {span(finding.last_seen - finding.first_seen)}. Signs: {f['signs']}."
        )
        return f"{text} {times(f['given_after_refusal'], 'object')} refused at first came later." if f["given_after_refusal"] else text

    def counterfactual(self, finding: Finding) -> str:
        """See ``Detector``."""
        f = finding.facts
        return (
            f"silent with fewer than {times(f['min_ids'], 'object')} in {span(float(f['window_s']))}, "
            f"or with fewer than {times(f['signs_needed'], 'sign')} of haste, neighbours, refusals and new ids"
        )


@lru_cache(maxsize=4096)  # a pure function's results
def _is_ignored(template: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(template, pattern) for pattern in patterns)


def _signs(seen: Features, limits: EnumerationSettings) -> list[str]:
    """Which of the four are there."""
    signs = {
        "haste": seen.per_minute >= limits.per_minute or seen.distinct >= limits.per_window,
        "neighbours": seen.adjacent >= limits.adjacent_share,
        "refusals": seen.refused >= limits.refused_share,
        "new ids": seen.new >= limits.new_share,
    }
    return [name for name, there in signs.items() if there]
