"""Requests for a second factor that nobody at the account wanted: refused, unanswered, and perhaps accepted at last (ATT&CK T1621)."""

from typing import Annotated, ClassVar

import msgspec
from pydantic import Field

from detectors.base import Variant, by_actor, by_ip
from detectors.episode import EpisodeDetector, EpisodeState
from detectors.phrases import span, times
from detectors.settings import DetectorSettings, Seconds
from detectors.shared_address import Known, SharedLimits, first_names, fresh_s, is_known, is_shared, vouch
from detectors.tries import FAILURE, Tries, add_try, in_window
from detectors.windows import Distinct, slide
from schemas.event import Event
from schemas.finding import EntityType, Fact, Finding
from schemas.severity import SEVERITIES, Severity

LOW, MEDIUM, HIGH = 1, 2, 3
REFUSALS = frozenset({"mfa_denied", "mfa_timeout", "mfa_fraud"})
"""Reasons that make a failed login a refused push."""
BAD_CODES = frozenset({"mfa_bad_code", "bad_code", "invalid_code"})
MOST_OWN = 8
"""Addresses held as an account's own."""
MOST_ENTRIES = 100
"""The most that any of the limits below can ask to hold."""
KEPT_OF_AN_ACTOR = 4

Threshold = Annotated[int, Field(ge=2, le=MOST_ENTRIES)]
Words = tuple[Annotated[str, Field(min_length=2, max_length=40)], ...]


class FatigueLimits(SharedLimits):
    """When requests for a second factor are pestering."""

    threshold: Annotated[
        Threshold, Field(description="Pushes refused or left to time out within `window_s`; by address: accounts that did.")
    ] = 5
    sent_threshold: Annotated[
        Threshold, Field(description="By actor: pushes sent within `window_s` without one accepted, for products that tell no more.")
    ] = 10
    code_threshold: Annotated[Threshold, Field(description="By actor: wrong one-time codes within `window_s`.")] = 20
    window_s: Annotated[Seconds, Field(description="Seconds in which they fall, and within which an acceptance belongs to them.")] = 600
    same_push_s: Annotated[
        float, Field(ge=0, le=60, description="Refusals of an account closer together than this many seconds are one push, told twice.")
    ] = 2
    ignored_factors: Annotated[
        Words,
        Field(description="Words in `action` (any case) of factors that ask for more than a tap: their failures are no refused push."),
    ] = ("totp", "otp", "code", "sms", "email", "checkmfa", "webauthn", "fido", "u2f", "passkey", "number", "smartcard")
    code_factors: Annotated[Words, Field(description="Those of them whose failures are wrong codes.")] = (
        "totp",
        "otp",
        "code",
        "sms",
        "email",
        "checkmfa",
    )
    own_memory_s: Annotated[Seconds, Field(description="By actor: seconds for which an address it logged in from is its own.")] = (
        30 * 86_400
    )


class FatigueSettings(DetectorSettings):
    """`mfa_fatigue`: 5 refusals in 10 minutes is where other systems begin, too."""

    variant_fields: ClassVar[tuple[str, ...]] = ("by_actor", "by_ip")
    by_actor: FatigueLimits = Field(FatigueLimits(), description="Requests to one account.")
    by_ip: FatigueLimits = Field(FatigueLimits(window_s=3600), description="Requests to many accounts from one address.")


class Fatigue(EpisodeState):
    """At most 220 entries and 8 addresses of an account, or 256 actors with 4 entries each and 256 known ones of an address."""

    refused: list[tuple[float, str, str]] = msgspec.field(default_factory=list)
    """By actor: (event time, id, address) of refused pushes, as of the two lists that follow."""
    sent: list[tuple[float, str, str]] = msgspec.field(default_factory=list)
    codes: list[tuple[float, str, str]] = msgspec.field(default_factory=list)
    explicit_ts: float = 0.0
    """By actor: when a push was last refused by hand and not by time."""
    good: Known = msgspec.field(default_factory=dict)
    """By actor its addresses, by address its actors."""
    refusing: Tries = msgspec.field(default_factory=dict)
    """By address: who refused there lately."""
    rule: str = ""
    """Of the open episode, as are the following: ``refused``, ``sent``, ``codes`` or ``accounts``."""
    numbers: dict[str, int] = msgspec.field(default_factory=dict)
    others: Distinct | None = None
    """By actor the addresses, by address the accounts."""
    accepted: int = 0
    accepted_ip: str = ""
    accepted_actors: dict[str, int] = msgspec.field(default_factory=dict)
    after_s: float = -1.0
    at_home: bool = False
    """All of it timed out, and the acceptance came, at an address of the account's own."""


class MfaFatigue(EpisodeDetector[Fatigue, FatigueLimits]):
    """Counts refusals in a sliding window; an acceptance that follows is the grave part.

    State per key: 0.3 KB usually, at most 20 KB for an account and 60 KB for an address. Cost of a login that works ≈ 0.3 µs.
    """

    name = "mfa_fatigue"
    title = "Push bombing"
    sees = "Requests for a second factor that are refused or ignored again and again, and whether one is accepted at last."
    kinds = frozenset({"auth.mfa_challenge", "auth.login"})
    techniques = ("T1621", "T1110")
    false_positives = (
        "The wrong button, or a phone without signal: fewer than `threshold` refusals, and what an acceptance from the same address takes back.",
        "A phone left in another room: pushes that only time out, and are accepted at an address of the account's own, make medium and not high.",
        "A factor that takes more than a tap (number matching, security keys, codes): `ignored_factors`; only floods of wrong codes alert.",
        "An outage of the push service: people at an office time out; an address is silent while no more accounts refuse than log in there.",
        "A product that tells one refusal twice: refusals within `same_push_s` are one.",
    )
    variants: ClassVar[dict[str, Variant]] = {"by_actor": Variant("actor", by_actor), "by_ip": Variant("ip", by_ip)}
    Settings = FatigueSettings
    State = Fatigue

    def __init__(self, variant: str, settings: DetectorSettings) -> None:
        super().__init__(variant, settings)
        self._fresh_s = fresh_s(limits.own_memory_s if variant == "by_actor" else limits.shared_memory_s for limits in self.all_limits)

    def memory_s(self, limits: FatigueLimits) -> float:
        """The window, or as long as successes count."""
        return max(limits.window_s, limits.own_memory_s if self.variant == "by_actor" else limits.shared_memory_s)

    def on_event(self, key: str, state: Fatigue, event: Event) -> Finding | None:
        """Count a refusal; weigh an acceptance."""
        outcome = event.outcome
        if outcome == "success":
            # The common case: a login with nothing refused before, noted lately.
            other = event.ip if self.variant == "by_actor" else event.actor
            seen = state.good.get(other or "")
            if (
                seen is not None
                and 0 <= event.ts - seen[1] <= self._fresh_s
                and state.episode is None
                and not (state.refused or state.sent or state.codes)
            ):
                return None
            return self._accept(key, state, event)
        if outcome is None or (event.kind == "auth.login" and (outcome == "challenge" or event.reason not in REFUSALS)):
            return None
        limits = self.limits_of(key)
        what = _what(event, limits)
        if self.variant == "by_actor":
            return None if what is None else self._count(key, state, event, limits, what)
        return self._refuse_at(key, state, event, limits) if what == "refused" and event.actor is not None else None

    # -- one account --------------------------------------------------------------------------------------------------------------

    def _count(self, key: str, state: Fatigue, event: Event, limits: FatigueLimits, what: str) -> Finding | None:
        window: list[tuple[float, str, str]] = getattr(state, what)
        ts, ip = event.ts, event.ip or ""
        if what == "refused":
            if event.reason == "mfa_denied":
                state.explicit_ts = max(state.explicit_ts, ts)
            if any(abs(ts - other) < limits.same_push_s for other, _, _ in window):
                return None
        threshold = _threshold(limits, what)
        slide(window, (ts, event.id, ip), limits.window_s, threshold)
        if state.episode is not None:
            state.numbers[what] = state.numbers.get(what, 0) + 1
            if state.others is not None:
                state.others.add(ip)
            # A push that was sent and then refused is one push: what opened the episode is counted, and wrong codes beside it.
            if what in {state.rule, "codes"} or state.rule == "codes":
                return self.go_on(key, state, ts, event.id)
            return None
        if len(window) < threshold:
            return None
        state.rule, state.others = what, Distinct()
        state.numbers = {name: len(getattr(state, name)) for name in ("refused", "sent", "codes")}
        for _, _, other in window:
            state.others.add(other)
        return self.begin(key, state, window[-1][0], window[0][0], len(window), [event_id for _, event_id, _ in window])

    def _accept(self, key: str, state: Fatigue, event: Event) -> Finding | None:
        if self.variant == "by_ip":
            return self._accept_at(key, state, event)
        limits, ts, ip = self.limits_of(key), event.ts, event.ip
        finding = None
        if state.episode is not None:
            finding = self._accept_after(key, state, event, limits)
        elif state.refused or state.sent or state.codes:
            # Only what came from the same place is settled; what did not may be somebody else's.
            pushes = len(state.sent)
            for window in (state.refused, state.sent, state.codes):
                window[:] = [entry for entry in window if entry[0] > ts or entry[2] != (ip or "")]
            if 0 < pushes == len(state.sent) and state.sent[-1][0] <= ts:
                state.sent.pop()  # told with another address, the last push was answered all the same
        if ip is not None and event.kind == "auth.login" and state.episode is None:
            vouch(state.good, ip, ts, limits.own_memory_s, MOST_OWN)
        return finding

    def _accept_after(self, key: str, state: Fatigue, event: Event, limits: FatigueLimits) -> Finding | None:
        episode, ts, ip = state.episode, event.ts, event.ip
        assert episode is not None
        last = max((window[-1][0] for window in (state.refused, state.sent, state.codes) if window), default=episode.last_seen)
        after_s = ts - last
        if state.accepted or not 0 <= after_s <= limits.window_s:
            return None
        asked = state.others.counts if state.others is not None else {}
        own = ip is not None and is_known(state.good, ip, ts - limits.own_memory_s, episode.first_seen)
        # The owner, at home and at work meanwhile, did not accept anything by that.
        if event.kind == "auth.login" and own and ip not in asked:
            return None
        state.accepted, state.accepted_ip, state.after_s = 1, ip or "", after_s
        state.at_home = own and list(asked) == [ip] and state.explicit_ts < episode.first_seen
        return self.go_on(key, state, ts, event.id, vital=True)

    # -- one address --------------------------------------------------------------------------------------------------------------

    def _refuse_at(self, key: str, state: Fatigue, event: Event, limits: FatigueLimits) -> Finding | None:
        actor, ts = event.actor or "", event.ts
        add_try(state.refusing, actor, (ts, event.id, FAILURE), limits.window_s, KEPT_OF_AN_ACTOR)
        if state.episode is not None:
            assert state.others is not None
            state.others.add(actor)
            return self.go_on(key, state, ts, event.id)
        oldest = ts - limits.window_s
        refusing = {name: found for name, entries in state.refusing.items() if (found := in_window(entries, oldest))}
        if len(refusing) < limits.threshold or is_shared(state.good, limits, len(refusing), ts):
            return None
        state.rule, state.others = "accounts", Distinct()
        entries = sorted((*entry[:2], name) for name, found in refusing.items() for entry in found)
        for _, _, name in entries:
            state.others.add(name)
        return self.begin(key, state, entries[-1][0], entries[0][0], len(entries), [event_id for _, event_id, _ in entries])

    def _accept_at(self, key: str, state: Fatigue, event: Event) -> Finding | None:
        actor, limits = event.actor, self.limits_of(key)
        if actor is None:
            return None
        if state.episode is None:
            vouch(state.good, actor, event.ts, limits.shared_memory_s)
            return None
        assert state.others is not None
        entries = state.refusing.get(actor)
        if actor not in state.others.counts or entries is None or actor in state.accepted_actors:
            return None
        after_s = event.ts - entries[-1][0]
        at_home = is_known(state.good, actor, event.ts - limits.shared_memory_s, entries[0][0])
        if at_home or not 0 <= after_s <= limits.window_s:
            return None
        if len(state.accepted_actors) < MOST_OWN:
            state.accepted_actors[actor] = 1
        state.accepted, state.accepted_ip, state.after_s = state.accepted + 1, event.ip or "", after_s
        return self.go_on(key, state, event.ts, event.id, vital=True)

    # -- what the alert says ------------------------------------------------------------------------------------------------------

    def reset(self, state: Fatigue) -> None:
        """See ``EpisodeDetector``."""
        state.rule, state.numbers, state.others = "", {}, None
        state.accepted, state.accepted_ip, state.accepted_actors, state.after_s, state.at_home = 0, "", {}, -1.0, False
        state.refused.clear()
        state.sent.clear()
        state.codes.clear()

    def severity(self, key: str, state: Fatigue) -> Severity:
        """Low; medium for twice the threshold or wrong codes; high when one was accepted."""
        limits = self.limits_of(key)
        if state.accepted:
            return SEVERITIES[MEDIUM if state.at_home else HIGH]
        if self.variant == "by_ip":
            many = state.others is not None and state.others.number() >= 2 * limits.threshold
        else:
            many = state.numbers.get("codes", 0) >= limits.code_threshold or any(
                state.numbers.get(what, 0) >= 2 * _threshold(limits, what) for what in ("refused", "sent")
            )
        return SEVERITIES[MEDIUM if many else LOW]

    def facts(self, key: str, state: Fatigue) -> dict[str, Fact]:
        """See ``EpisodeDetector``."""
        limits, others = self.limits_of(key), state.others
        assert others is not None
        facts: dict[str, Fact] = {"rule": state.rule, "threshold": _threshold(limits, state.rule), "window_s": limits.window_s}
        if self.variant == "by_ip":
            facts |= {"accounts": others.number(), "accepted": state.accepted}
            if state.accepted_actors:
                facts["accepted_actors"] = first_names(state.accepted_actors)
            return facts
        facts |= {
            "refused": state.numbers.get("refused", 0),
            "sent": state.numbers.get("sent", 0),
            "wrong_codes": state.numbers.get("codes", 0),
            "distinct_ips": others.number(),
            "asked_from": first_names(others.counts, 3),
            "accepted": state.accepted,
        }
        if state.accepted:
            facts |= {
                "accepted_after_s": round(state.after_s),
                "accepted_ip": state.accepted_ip,
                "own_address": "yes" if state.at_home else "no",
            }
        return facts

    def links(self, key: str, state: Fatigue) -> tuple[tuple[EntityType, str], ...]:
        """The address that asked, and accounts that accepted."""
        if self.variant == "by_ip":
            return tuple(("actor", name) for name in state.accepted_actors)
        main = state.others.main() if state.others is not None else None
        return (("ip", main),) if main else ()

    def explain(self, finding: Finding) -> str:
        """See ``Detector``."""
        f = finding.facts
        seen = span(finding.last_seen - finding.first_seen)
        if f["rule"] == "accounts":
            accepted = f" {times(f['accepted'], 'account')} accepted in the end ({f['accepted_actors']})." if f["accepted"] else ""
            return f"{times(f['accounts'], 'account')} refused or ignored pushes asked for from this address in {seen}.{accepted}"
        what = {
            "refused": f"{times(f['refused'], 'push request')} refused or ignored",
            "sent": f"{times(f['sent'], 'push request')} sent and not accepted",
            "codes": f"{times(f['wrong_codes'], 'wrong one-time code')}",
        }[str(f["rule"])]
        text = f"{what} in {seen}, from {times(f['distinct_ips'], 'address')}."
        if f["accepted"]:
            where = f" from {f['accepted_ip']}" if f["accepted_ip"] else ""
            text += f" One was accepted{where} {span(float(f['accepted_after_s']))} after the last."
        return text

    def counterfactual(self, finding: Finding) -> str:
        """See ``Detector``."""
        f = finding.facts
        noun = {"refused": "refusal", "sent": "unanswered push request", "codes": "wrong code", "accounts": "refusing account"}[
            str(f["rule"])
        ]
        return f"silent with fewer than {times(f['threshold'], noun)} in {span(float(f['window_s']))}"


def _threshold(limits: FatigueLimits, what: str) -> int:
    return {"sent": limits.sent_threshold, "codes": limits.code_threshold}.get(what, limits.threshold)


def _what(event: Event, limits: FatigueLimits) -> str | None:
    """``refused``, ``sent`` or ``codes``; ``None``: a factor that is not counted."""
    action = event.action.lower() if event.action is not None else ""
    if event.outcome == "failure" and (event.reason in BAD_CODES or any(word in action for word in limits.code_factors)):
        return "codes"
    if any(word in action for word in limits.ignored_factors):
        return None
    return "refused" if event.outcome == "failure" else "sent"
