"""Password resets by somebody who wants in: many for one account or from one address, or one that begins a take-over (ATT&CK T1078, T1531)."""

from typing import Annotated, ClassVar

import msgspec
from pydantic import Field

from detectors.base import Variant, by_ip
from detectors.episode import EpisodeDetector, EpisodeState
from detectors.factor_changes import affected, by_affected, change_of
from detectors.phrases import span, times
from detectors.places import Places, is_counted, judge, learn
from detectors.settings import Count, DetectorSettings, Seconds
from detectors.shared_address import Known, SharedLimits, first_names, fresh_s, is_known, is_shared, vouch
from detectors.tries import FAILURE, MAX_ACTORS, Tries, add_try, in_window
from detectors.windows import Distinct, slide
from schemas.event import Event
from schemas.finding import EntityType, Fact, Finding
from schemas.severity import SEVERITIES, Severity

LOW, MEDIUM, HIGH = 1, 2, 3
MOST_DEVICES = 8
MOST_NAMED = 5
KEPT_OF_AN_ACCOUNT = 2
DAY_S = 86_400

Step = tuple[float, str]


class ResetLimits(SharedLimits):
    """When password resets are abuse."""

    threshold: Annotated[
        int, Field(ge=2, le=100, description="Resets and unlocks of one account within `window_s`; by address: accounts reset from there.")
    ] = 5
    window_s: Annotated[Seconds, Field(description="Seconds in which they fall.")] = 3600
    same_reset_s: Annotated[
        float, Field(ge=0, le=60, description="By actor: resets closer together than this many seconds are one, told in several steps.")
    ] = 5
    chain_s: Annotated[
        Seconds, Field(description="By actor: seconds from a reset within which a changed factor and a login from a new network follow it.")
    ] = DAY_S
    own_memory_s: Annotated[Seconds, Field(description="By actor: seconds for which a network or device it logged in from is its own.")] = (
        60 * DAY_S
    )
    grace_logins: Annotated[Count, Field(description="By actor: logins of an account before any network can be new to it.")] = 5


class ResetSettings(DetectorSettings):
    """`password_reset_abuse`: five resets within an hour, as other systems have it."""

    variant_fields: ClassVar[tuple[str, ...]] = ("by_actor", "by_ip")
    by_actor: ResetLimits = Field(ResetLimits(), description="Resets of one account, and what follows them.")
    by_ip: ResetLimits = Field(
        ResetLimits(quiet_s=10_800), description="Resets of many accounts from one address, each asked for as its owner."
    )


class Resets(EpisodeState):
    """By actor at most 100 resets, 16 networks and 8 devices; by address at most 256 accounts reset and 256 known there."""

    resets: list[tuple[float, str, str]] = msgspec.field(default_factory=list)
    """By actor: (event time, id, address)."""
    places: Places = msgspec.field(default_factory=Places)
    good: Known = msgspec.field(default_factory=dict)
    """By actor its devices, by address its actors."""
    chain: Step | None = None
    """By actor: the last reset that took effect, and what followed it: a changed factor, a login from a new network."""
    factor: Step | None = None
    stranger: Step | None = None
    accounts: Tries = msgspec.field(default_factory=dict)
    """By address: accounts reset lately."""
    rank: int = 0
    """Of the open episode, as are the following."""
    rule: str = ""
    """``many``, ``chain`` or ``accounts``."""
    number: int = 0
    """Resets."""
    others: Distinct | None = None
    """By actor the addresses, by address the accounts."""
    login_ip: str = ""
    taken: list[str] = msgspec.field(default_factory=list)
    """By address: accounts reset from there that then logged in there."""


class PasswordResetAbuse(EpisodeDetector[Resets, ResetLimits]):
    """Counts resets, and follows each of them for a day.

    State per key: about 0.6 KB, at most 12 KB for an account and 60 KB for an address. Cost of a login that works ≈ 0.4 µs.
    """

    name = "password_reset_abuse"
    title = "Password reset abuse"
    sees = (
        "Many password resets of one account or from one address, or a reset followed by a changed factor and a login from a new network."
    )
    kinds = frozenset({"auth.password_reset", "auth.password_change", "auth.mfa_change", "auth.login"})
    techniques = ("T1078", "T1531")
    false_positives = (
        "A person who waits for the mail and asks again: fewer than `threshold`, and low when all of it comes from a network of its own.",
        "One reset told in several steps (asked for, sent, done): resets within `same_reset_s` are one.",
        "A help desk that resets for many: resets by somebody else count for the account only, never for the address.",
        "An office where everybody was told to reset: an address is silent unless more accounts are reset than log in there.",
        "A traveller who forgot the password: without a changed factor, or with a device of the account's own, a reset begins no chain.",
    )
    variants: ClassVar[dict[str, Variant]] = {"by_actor": Variant("actor", by_affected), "by_ip": Variant("ip", by_ip)}
    Settings = ResetSettings
    State = Resets

    def __init__(self, variant: str, settings: DetectorSettings) -> None:
        super().__init__(variant, settings)
        self._fresh_s = fresh_s(limits.own_memory_s if variant == "by_actor" else limits.shared_memory_s for limits in self.all_limits)

    def memory_s(self, limits: ResetLimits) -> float:
        """The windows, or as long as logins count."""
        if self.variant == "by_ip":
            return max(limits.window_s, limits.shared_memory_s)
        return max(limits.window_s, limits.chain_s, limits.own_memory_s)

    def on_event(self, key: str, state: Resets, event: Event) -> Finding | None:
        """Count a reset; learn from a login, or weigh it."""
        kind, outcome = event.kind, event.outcome
        if kind == "auth.login" and (outcome != "success" or self._is_usual(state, event)):
            return None
        limits = self.limits_of(key)
        if kind == "auth.login":
            return self._login_at(key, state, event, limits) if self.variant == "by_ip" else self._login(key, state, event, limits)
        if kind == "auth.password_reset":
            return self._reset_at(key, state, event, limits) if self.variant == "by_ip" else self._reset(key, state, event, limits)
        if self.variant == "by_ip" or outcome in {"failure", "challenge"} or state.chain is None:
            return None
        if kind == "auth.mfa_change" and event.action is not None and change_of(event.action) in {"add", "remove"}:
            return self._follow(key, state, event, limits, factor=True)
        return None

    def _is_usual(self, state: Resets, event: Event) -> bool:
        """Take a login that can be neither news nor lesson, the common case: no reset before it, and the same as one noted lately."""
        if state.episode is not None or state.chain is not None or state.stranger is not None:
            return False
        name = event.actor if self.variant == "by_ip" else event.device_id
        if name is not None:
            seen = state.good.get(name)
            if seen is None or not 0 <= event.ts - seen[1] <= self._fresh_s:
                return False
        return name is not None if self.variant == "by_ip" else is_counted(state.places, event)

    # -- one account --------------------------------------------------------------------------------------------------------------

    def _reset(self, key: str, state: Resets, event: Event, limits: ResetLimits) -> Finding | None:
        ts, ip = event.ts, event.ip or ""
        if event.outcome in {"success", None} and (state.chain is None or ts > state.chain[0]):
            _expire(state, ts, limits)
            if state.factor is None and state.stranger is None:  # else it goes on from the one that they followed
                state.chain = (ts, event.id)
        if any(abs(ts - other) < limits.same_reset_s for other, _, _ in state.resets):
            return None
        slide(state.resets, (ts, event.id, ip), limits.window_s, limits.threshold)
        if state.episode is not None:
            assert state.others is not None
            state.number += 1
            state.others.add(ip)
            if state.others.number() > 1:
                state.rank = max(state.rank, MEDIUM)
            return self.go_on(key, state, ts, event.id)
        if len(state.resets) < limits.threshold:
            return None
        place = judge(state.places, event, state.resets[0][0], limits.own_memory_s, limits.grace_logins)
        one_place = len({ip for _, _, ip in state.resets}) == 1
        self._open(state, "many", LOW if place == "known" and one_place else MEDIUM)
        first, last = state.resets[0][0], state.resets[-1][0]
        return self.begin(key, state, last, first, len(state.resets), [event_id for _, event_id, _ in state.resets])

    def _login(self, key: str, state: Resets, event: Event, limits: ResetLimits) -> Finding | None:
        finding = None
        _expire(state, event.ts, limits)
        if state.chain is not None:
            since, memory_s = state.chain[0], limits.own_memory_s
            own_device = event.device_id is not None and is_known(state.good, event.device_id, event.ts - memory_s, since)
            if not own_device and judge(state.places, event, since, memory_s, limits.grace_logins) == "new":
                finding = self._follow(key, state, event, limits, factor=False)
        if state.episode is None and state.stranger is None:
            learn(state.places, event, limits.own_memory_s)
            if event.device_id is not None:
                vouch(state.good, event.device_id, event.ts, limits.own_memory_s, MOST_DEVICES)
        return finding

    def _follow(self, key: str, state: Resets, event: Event, limits: ResetLimits, *, factor: bool) -> Finding | None:
        """What came after a reset: with both a changed factor and a login from a new network, it is a take-over."""
        assert state.chain is not None
        if not 0 <= event.ts - state.chain[0] <= limits.chain_s:
            return None
        if factor:
            state.factor = state.factor or (event.ts, event.id)
        else:
            state.stranger = state.stranger or (event.ts, event.id)
            state.login_ip = state.login_ip or event.ip or ""
        if state.factor is None or state.stranger is None:
            return None
        if state.episode is not None:
            if state.rank < HIGH:
                state.rank, state.rule = HIGH, "chain"
            return self.go_on(key, state, event.ts, event.id, vital=True)
        steps = sorted({state.chain, state.factor, state.stranger})
        self._open(state, "chain", HIGH)
        return self.begin(key, state, steps[-1][0], steps[0][0], len(steps), [event_id for _, event_id in steps])

    def _open(self, state: Resets, rule: str, rank: int) -> None:
        state.rule, state.rank, state.others = rule, rank, Distinct()
        state.number = len(state.resets)
        for _, _, ip in state.resets:
            state.others.add(ip)

    # -- one address --------------------------------------------------------------------------------------------------------------

    def _reset_at(self, key: str, state: Resets, event: Event, limits: ResetLimits) -> Finding | None:
        account, ts = affected(event), event.ts
        by_other = event.actor is not None and event.actor != account and event.actor_type != "anonymous"
        if account is None or by_other:
            return None
        add_try(state.accounts, account, (ts, event.id, FAILURE), limits.window_s, KEPT_OF_AN_ACCOUNT)
        if state.episode is not None:
            assert state.others is not None
            state.others.add(account)
            state.number += 1
            return self.go_on(key, state, ts, event.id)
        if len(state.accounts) < limits.threshold:
            return None
        oldest = ts - limits.window_s
        reset = {name: found for name, entries in state.accounts.items() if (found := in_window(entries, oldest))}
        entries = sorted((*entry[:2], name) for name, found in reset.items() for entry in found)
        # Only who was at home there before it began vouches for the place.
        if len(reset) < limits.threshold or is_shared(state.good, limits, len(reset), ts, before=entries[0][0]):
            return None
        state.rule, state.rank, state.number, state.others = "accounts", MEDIUM, len(entries), Distinct()
        for _, _, name in entries:
            state.others.add(name)
        return self.begin(key, state, entries[-1][0], entries[0][0], len(entries), [event_id for _, event_id, _ in entries])

    def _login_at(self, key: str, state: Resets, event: Event, limits: ResetLimits) -> Finding | None:
        actor, ts = event.actor, event.ts
        if actor is None:
            return None
        if state.episode is None:
            vouch(state.good, actor, ts, limits.shared_memory_s)
            return None
        assert state.others is not None
        home = is_known(state.good, actor, ts - limits.shared_memory_s, state.episode.first_seen)
        if home or actor in state.taken or actor not in state.others.counts or len(state.taken) >= MAX_ACTORS:
            return None
        state.taken.append(actor)
        state.rank = HIGH
        return self.go_on(key, state, ts, event.id, vital=True)

    # -- what the alert says ------------------------------------------------------------------------------------------------------

    def reset(self, state: Resets) -> None:
        """See ``EpisodeDetector``."""
        state.rank = state.number = 0
        state.rule, state.others, state.login_ip, state.taken = "", None, "", []
        state.chain = state.factor = state.stranger = None
        state.resets.clear()

    def severity(self, key: str, state: Resets) -> Severity:
        """Many resets: medium, low at home. Many accounts: medium, high when one logs in. A chain: high."""
        return SEVERITIES[state.rank]

    def facts(self, key: str, state: Resets) -> dict[str, Fact]:
        """See ``EpisodeDetector``."""
        limits, others = self.limits_of(key), state.others
        assert others is not None
        facts: dict[str, Fact] = {
            "rule": state.rule,
            "resets": state.number,
            "threshold": limits.threshold,
            "window_s": limits.window_s,
        }
        if self.variant == "by_ip":
            return facts | {
                "accounts": others.number(),
                "first_accounts": first_names(others.counts, MOST_NAMED),
                "logged_in": len(state.taken),
                "logged_in_accounts": ", ".join(state.taken[:MOST_NAMED]),
            }
        return facts | {
            "distinct_ips": others.number(),
            "factor_changed": "yes" if state.factor is not None else "no",
            "login_ip": state.login_ip,
            "chain_s": limits.chain_s,
        }

    def links(self, key: str, state: Resets) -> tuple[tuple[EntityType, str], ...]:
        """Where it was logged in from, or the accounts that were."""
        if self.variant == "by_ip":
            return tuple(("actor", name) for name in state.taken[:MOST_NAMED])
        return (("ip", state.login_ip),) if state.login_ip else ()

    def explain(self, finding: Finding) -> str:
        """See ``Detector``."""
        f = finding.facts
        seen = span(finding.last_seen - finding.first_seen)
        if f["rule"] == "accounts":
            into = f" {f['logged_in']} of them then logged in there ({f['logged_in_accounts']})." if f["logged_in"] else ""
            return f"{times(f['accounts'], 'account')} ({f['first_accounts']}) reset from this address in {seen}.{into}"
        if f["rule"] == "chain":
            where = f" ({f['login_ip']})" if f["login_ip"] else ""
            return f"The password was reset, a factor changed and the account used from a network new to it{where}, all within {seen}."
        return f"{times(f['resets'], 'password reset')} of this account in {seen}, from {times(f['distinct_ips'], 'address')}."

    def counterfactual(self, finding: Finding) -> str:
        """See ``Detector``."""
        f = finding.facts
        window = span(float(f["window_s"]))
        if f["rule"] == "accounts":
            return (
                f"silent with fewer than {times(f['threshold'], 'account')} in {window}, or had more accounts logged in from there before"
            )
        if f["rule"] == "chain":
            within = span(float(f["chain_s"]))
            return (
                f"silent without a changed factor within {within} of the reset, or with the login from a network or device known before it"
            )
        return f"silent with fewer than {times(f['threshold'], 'reset')} in {window}"


def _expire(state: Resets, ts: float, limits: ResetLimits) -> None:
    """Forget a reset that nothing can follow any more."""
    if state.chain is not None and state.episode is None and ts - state.chain[0] > limits.chain_s:
        state.chain = state.factor = state.stranger = None
        state.login_ip = ""
