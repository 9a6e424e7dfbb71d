"""A second factor taken away and not replaced, or brought from where the account was never used (ATT&CK T1556.006, T1098.005)."""

from typing import Annotated, ClassVar

import msgspec
from pydantic import Field

from detectors.base import Variant, split_key
from detectors.episode import Episode, EpisodeDetector, EpisodeState, Quiet
from detectors.factor_changes import Change, by_affected, change_of
from detectors.phrases import span, times
from detectors.places import Places, is_counted, judge, learn
from detectors.settings import DetectorSettings, Seconds, matches_entity
from detectors.windows import slide
from schemas.event import Event
from schemas.finding import EntityType, Fact, Finding
from schemas.severity import SEVERITIES, Severity

LOW, MEDIUM, HIGH = 1, 2, 3
MOST_REMOVALS = 8
"""Removals of one account that wait for a replacement: the first ones."""
MOST_FAILURES = 20
DAY_S = 86_400

Entries = list[tuple[float, str]]


class MfaChangeSettings(DetectorSettings):
    """`mfa_change`: twelve hours to re-enrol, and an hour in which one thing follows from another, as other systems have it."""

    reenrol_s: Annotated[
        Seconds, Field(description="Seconds within which a factor is brought in place of one taken away, before it or after.")
    ] = 12 * 3600
    recent_s: Annotated[Seconds, Field(description="Seconds after failed logins or a password reset in which a change is suspicious.")] = (
        3600
    )
    failures: Annotated[
        int, Field(ge=1, le=MOST_FAILURES, description="Failed logins within `recent_s` from the address of the change that make it so.")
    ] = 3
    settle_s: Annotated[Seconds, Field(description="Seconds after its first login from a network for which that network is still new.")] = (
        DAY_S
    )
    own_memory_s: Annotated[Seconds, Field(description="Seconds for which a network it logged in from is the account's own.")] = 60 * DAY_S
    grace_logins: Annotated[int, Field(ge=1, le=1_000, description="Logins of an account before any network can be new to it.")] = 5
    helpdesk: Annotated[
        tuple[Annotated[str, Field(min_length=1)], ...],
        Field(description="Who changes other people's factors by duty: names, `*` and `?` match. They count as the owner."),
    ] = ()
    quiet_s: Quiet = 43_200


class Factors(EpisodeState):
    """At most 8 removals, 20 failures, 16 addresses and 16 networks."""

    places: Places = msgspec.field(default_factory=Places)
    fails: list[tuple[float, str, str]] = msgspec.field(default_factory=list)
    """(event time, id, address) of failed logins."""
    reset: tuple[float, str] | None = None
    """When the password was last reset, and the event's id."""
    removals: list[tuple[float, str, str]] = msgspec.field(default_factory=list)
    """(event time, id, by whom; empty: by the owner) of removals that wait for a replacement."""
    taken: tuple[float, str, str] | None = None
    """The last removal by somebody else."""
    added_ts: float = 0.0
    rank: int = 0
    """Of the open episode, as are the following."""
    rule: str = ""
    """``not_replaced``, ``login_after``, ``change`` or ``policy``."""
    why: str = ""
    by: str = ""
    ip: str = ""
    removed: int = 0
    added: int = 0


class MfaChange(EpisodeDetector[Factors, MfaChangeSettings]):
    """Waits for a replacement of what was taken away, and weighs a change against what came before it.

    State per key: about 0.6 KB, at most 6 KB. Cost of a login from the same address as the last one ≈ 0.3 µs.
    """

    name = "mfa_change"
    title = "Second factor changed"
    sees = "A second factor removed and not replaced, or changed from a network new to the account or right after failures or a password reset; or no longer demanded."
    comes_back = False  # each change is one of its own
    kinds = frozenset({"auth.mfa_change", "auth.login", "auth.password_reset"})
    techniques = ("T1556.006", "T1098.005")
    false_positives = (
        "A new phone: silent when a factor is enrolled within `reenrol_s` before or after the old one goes.",
        "A help desk: name its people in `helpdesk`; then their removals count as the owner's, until somebody logs in from a new network.",
        "A new colleague who is given a password and enrols at home: before `grace_logins` logins no network is new, and a reset no reason.",
        "A new address at home or in a mobile network: networks are compared (AS number, else the first bits), never single addresses.",
        "A person who forgot the password and has a new phone as well: low when done from a network of its own.",
    )
    variants: ClassVar[dict[str, Variant]] = {"by_actor": Variant("actor", by_affected)}
    Settings = MfaChangeSettings
    State = Factors

    def memory_s(self, limits: MfaChangeSettings) -> float:
        """As long as networks count."""
        return max(limits.own_memory_s, limits.reenrol_s, limits.recent_s)

    def on_event(self, key: str, state: Factors, event: Event) -> Finding | None:
        """Learn from a login, hold what may explain a change, weigh a change."""
        outcome = event.outcome
        if event.kind == "auth.login":
            if outcome == "success":
                if state.taken is None and state.episode is None and is_counted(state.places, event):
                    return None  # the common case: the same address as ever
                limits = self.limits_of(key)
                finding = self._login(key, state, event, limits) if state.taken is not None else None
                if state.episode is None:  # an intruder's network must not become a known one
                    learn(state.places, event, limits.own_memory_s)
                return finding
            if outcome == "failure":
                limits = self.limits_of(key)
                slide(state.fails, (event.ts, event.id, event.ip or ""), limits.recent_s, limits.failures)
            return None
        if outcome in {"failure", "challenge"}:
            return None
        if event.kind == "auth.password_reset":
            if state.reset is None or event.ts >= state.reset[0]:
                state.reset = (event.ts, event.id)
            return None
        change = change_of(event.action) if event.action is not None else None
        return None if change is None else self._change(key, state, event, change)

    # -- changes ------------------------------------------------------------------------------------------------------------------

    def _change(self, key: str, state: Factors, event: Event, change: Change) -> Finding | None:
        limits, ts = self.limits_of(key), event.ts
        by = event.actor if event.actor is not None and event.actor != split_key(key)[1] else ""
        if change == "policy_off":
            self._note(state, MEDIUM, "policy", "the demand for a second factor was dropped", by, event.ip)
            return self._weigh(key, state, change, event, [])
        reasons, entries, at_home = self._reasons(state, event, limits, by)
        finding = None
        if reasons:
            rank = HIGH if len(reasons) > 1 else LOW if at_home else MEDIUM
            self._note(state, rank, "change", " and ".join(reasons), by, event.ip)
            finding = self._weigh(key, state, change, event, entries)
        elif state.episode is not None:
            _tally(state, change)
            finding = self.go_on(key, state, ts, event.id)
        if change == "add":
            state.added_ts = max(state.added_ts, ts)
            state.removals = [entry for entry in state.removals if abs(ts - entry[0]) > limits.reenrol_s]
            return finding
        if by and (state.taken is None or ts >= state.taken[0]):
            state.taken = (ts, event.id, by)
        replaced = state.added_ts >= ts - limits.reenrol_s
        if not (replaced or reasons) and len(state.removals) < MOST_REMOVALS:
            state.removals.append((ts, event.id, by))
            self._arm(key, state)
        return finding

    def _reasons(self, state: Factors, event: Event, limits: MfaChangeSettings, by: str) -> tuple[list[str], Entries, bool]:
        """What speaks against a change, the events that show it, and whether it was made at home."""
        if by and _is_helpdesk(by, limits):
            return [], [], False
        ts, reasons, entries = event.ts, [], []
        place = "unknown" if by else judge(state.places, event, ts - limits.settle_s, limits.own_memory_s, limits.grace_logins)
        if place == "new":
            reasons.append("from a network new to the account")
            if state.taken is not None and 0 <= ts - state.taken[0] <= limits.reenrol_s:
                reasons.append("after somebody else had removed a factor")
                entries.append(state.taken[:2])
        fails = [fail for fail in state.fails if 0 <= ts - fail[0] <= limits.recent_s]
        if not by and place != "new":  # guessing from elsewhere says nothing about what the owner does at home
            fails = [fail for fail in fails if fail[2] == (event.ip or "")]
        if len(fails) >= limits.failures:
            reasons.append(f"after {times(len(fails), 'failed login')}")
            entries += [fail[:2] for fail in fails]
        # A new colleague is given a password and then enrols: no reason by itself while there is no history.
        if (
            state.reset is not None
            and 0 <= ts - state.reset[0] <= limits.recent_s
            and (reasons or state.places.logins >= limits.grace_logins)
        ):
            reasons.append("after a password reset")
            entries.append(state.reset)
        return reasons, entries, place == "known"

    def _login(self, key: str, state: Factors, event: Event, limits: MfaChangeSettings) -> Finding | None:
        """A login after somebody else took a factor away."""
        assert state.taken is not None
        since, removal, by = state.taken
        if event.ts - since > limits.reenrol_s:
            state.taken = None
            return None
        if event.ts < since or judge(state.places, event, since, limits.own_memory_s, limits.grace_logins) != "new":
            return None
        state.taken = None
        state.removals = [entry for entry in state.removals if entry[1] != removal]
        rank = MEDIUM if _is_helpdesk(by, limits) else HIGH
        self._note(state, rank, "login_after", "then the account logged in from a network new to it", by, event.ip)
        return self._weigh(key, state, "remove", event, [(since, removal)])

    def _note(self, state: Factors, rank: int, rule: str, why: str, by: str, ip: str | None) -> None:
        if state.episode is None or rank > state.rank:
            state.rank, state.rule, state.why, state.by, state.ip = rank, rule, why, by, ip or ""

    def _weigh(self, key: str, state: Factors, change: Change, event: Event, before: Entries) -> Finding | None:
        if event.kind == "auth.mfa_change" or state.episode is None:
            _tally(state, change)
        if state.episode is not None:
            return self.go_on(key, state, event.ts, event.id, vital=True)
        entries = [*sorted(before), (event.ts, event.id)]
        return self.begin(key, state, event.ts, entries[0][0], len(entries), [event_id for _, event_id in entries])

    # -- time ---------------------------------------------------------------------------------------------------------------------

    def on_time(self, key: str, state: Factors, now: float) -> Finding | None:
        """Say that nothing was enrolled in place of what was taken away; else close the episode."""
        reenrol_s = self.limits_of(key).reenrol_s
        due = [entry for entry in state.removals if entry[0] + reenrol_s <= now]
        if not due:
            finding = super().on_time(key, state, now)
            self._arm(key, state)
            return finding
        state.removals = [entry for entry in state.removals if entry[0] + reenrol_s > now]
        finding = self._not_replaced(key, state, now, due)
        self._arm(key, state)
        return finding

    def _not_replaced(self, key: str, state: Factors, now: float, due: list[tuple[float, str, str]]) -> Finding | None:
        limits = self.limits_of(key)
        by = next((by for _, _, by in due if by), "")
        rank = MEDIUM if any(by and not _is_helpdesk(by, limits) for _, _, by in due) else LOW
        self._note(state, rank, "not_replaced", f"nothing was enrolled in its place within {span(limits.reenrol_s)}", by, None)
        if state.episode is None:
            state.removed = len(due)
            due.sort()
            return self.begin(key, state, now, due[0][0], len(due), [event_id for _, event_id, _ in due])
        self._wake(key, state, state.episode)  # its events were counted when they came
        return self._say(key, state, state.episode, "update", now) if rank > state.episode.rank else None

    def _wake(self, key: str, state: Factors, episode: Episode) -> None:
        super()._wake(key, state, episode)
        self._arm(key, state)

    def _arm(self, key: str, state: Factors) -> None:
        """One timer for both: the end of the episode and the first replacement that is due."""
        if state.removals:
            state.wake_at = min(state.wake_at, min(entry[0] for entry in state.removals) + self.limits_of(key).reenrol_s)

    # -- what the alert says ------------------------------------------------------------------------------------------------------

    def reset(self, state: Factors) -> None:
        """See ``EpisodeDetector``."""
        state.rank = state.removed = state.added = 0
        state.rule = state.why = state.by = state.ip = ""

    def severity(self, key: str, state: Factors) -> Severity:
        """Not replaced: low, medium by somebody else. Changed for one reason: medium, low at home; for two: high. Login after it: high. Policy: medium."""
        return SEVERITIES[state.rank]

    def facts(self, key: str, state: Factors) -> dict[str, Fact]:
        """See ``EpisodeDetector``."""
        limits = self.limits_of(key)
        return {
            "rule": state.rule,
            "removed": state.removed,
            "added": state.added,
            "by": state.by or "the account itself",
            "why": state.why,
            "ip": state.ip,
            "reenrol_s": limits.reenrol_s,
            "recent_s": limits.recent_s,
            "failures_threshold": limits.failures,
        }

    def links(self, key: str, state: Factors) -> tuple[tuple[EntityType, str], ...]:
        """Who did it, if somebody else; and from where."""
        by: tuple[tuple[EntityType, str], ...] = (("actor", state.by),) if state.by else ()
        return (*by, ("ip", state.ip)) if state.ip else by

    def explain(self, finding: Finding) -> str:
        """See ``Detector``."""
        f = finding.facts
        if f["rule"] == "policy":
            return "This account dropped the demand for a second factor for more than one account."
        done = [f"{times(f[name], 'factor')} {name}" for name in ("removed", "added") if f[name]]
        return f"{' and '.join(done)} by {f['by']}; {f['why']}."

    def counterfactual(self, finding: Finding) -> str:
        """See ``Detector``."""
        f = finding.facts
        if f["rule"] == "not_replaced":
            return f"silent if a factor had been enrolled within {span(float(f['reenrol_s']))} before or after"
        if f["rule"] == "login_after":
            return "silent if the account had logged in from that network before the factor was removed"
        if f["rule"] == "policy":
            return "silent if the demand for a second factor had stayed; a planned change belongs on the allow-list, with an end date"
        return (
            f"silent from a network of the account's own, more than {span(float(f['recent_s']))} after a password reset and with fewer than "
            f"{times(f['failures_threshold'], 'failed login')} in the {span(float(f['recent_s']))} before"
        )


def _is_helpdesk(by: str, limits: MfaChangeSettings) -> bool:
    return any(matches_entity(pattern, by) for pattern in limits.helpdesk)


def _tally(state: Factors, change: Change) -> None:
    if change == "add":
        state.added += 1
    elif change == "remove":
        state.removed += 1
