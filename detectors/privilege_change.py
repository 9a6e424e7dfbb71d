"""Rights handed out by somebody who never did, to oneself, to many, or used at once (ATT&CK T1098, T1098.003)."""

from typing import Annotated, ClassVar

import msgspec
from pydantic import Field

from detectors.amounts import is_small_export
from detectors.base import Variant, by_actor
from detectors.episode import EpisodeDetector, EpisodeState, Quiet
from detectors.phrases import span, times
from detectors.privileges import grantee, is_grant, is_self, short
from detectors.settings import DetectorSettings, Seconds, matches_entity
from detectors.windows import Distinct, slide
from schemas.event import Event
from schemas.finding import EntityType, Fact, Finding
from schemas.severity import Severity

DAY_S = 86_400
MOST_RECENT = 64
"""Grants of the last hour that are kept."""
SHOWN = 5
"""Targets named in an alert."""
SHOWN_CHARS = 80
FAILED = ("failure", "challenge")

KINDS = frozenset({"admin.action", "account.change", "credential.change", "data.export", "auth.login"})
NO_GRANTS = frozenset({"auth.login", "data.export", "credential.change"})
"""Kinds that are read to know an account by, and never are a grant."""
UNDONE = frozenset((kind, outcome) for kind in KINDS for outcome in FAILED)
LOGINS = frozenset(("auth.login", outcome) for outcome in ("success", None))
EXPORTS = frozenset(("data.export", outcome) for outcome in ("success", None))


def by_grantee(event: Event) -> str | None:
    """One key per tenant and account: the one that was given something, else the one that acts."""
    if event.kind not in NO_GRANTS and event.target is not None and is_grant(event) and not is_self(event):
        name = grantee(event)
        if name is not None:
            return f"{event.tenant or ''}\x1f{name}"
    return by_actor(event)


Globs = tuple[Annotated[str, Field(min_length=1, max_length=256)], ...]


class PrivilegeSettings(DetectorSettings):
    """`privilege_change`: nine in an hour as other systems have it; what is new is what was not done for 90 days."""

    new_s: Annotated[Seconds, Field(description="Seconds without a grant by the account after which its next one is unusual.")] = 90 * DAY_S
    grace_s: Annotated[
        Seconds,
        Field(description="Seconds for which an account must have been seen before its first grant is of medium severity; until then low."),
    ] = 14 * DAY_S
    burst_targets: Annotated[
        int,
        Field(
            ge=2, le=MOST_RECENT, description="Different targets that one account grants something within `window_s`, for medium severity."
        ),
    ] = 5
    high_targets: Annotated[int, Field(ge=2, le=MOST_RECENT, description="The same, for high severity.")] = 9
    window_s: Annotated[Seconds, Field(description="Seconds in which those grants fall.")] = 3600
    use_s: Annotated[Seconds, Field(description="Seconds after a grant in which its use by the account that got it is told.")] = 3600
    known_s: Annotated[
        Seconds, Field(description="Seconds for which an account that did such things before counts as one that does them anyway.")
    ] = 30 * DAY_S
    automation: Annotated[
        Globs,
        Field(
            description="Accounts that grant things all day (infrastructure as code, onboarding); `*` and `?` match. Low severity at most, as are accounts of type `service`."
        ),
    ] = ()
    quiet_s: Quiet = 3600


class Wave(msgspec.Struct):
    """Grants by one account that are being told of."""

    why: str
    """What opened it: ``self``, ``first`` or ``burst``."""
    action: str
    targets: Distinct
    most: int
    """Most different targets within the window."""
    own: bool
    known: bool
    """Whether the account was seen for long enough before."""
    automation: bool
    before: int
    """Grants before."""
    since_s: float
    """Time since the last of them; 0 for none."""
    ip: str | None


class Given(msgspec.Struct):
    """What an account was given last, and what it did with it."""

    ts: float
    id: str
    action: str
    by: str
    automation: bool
    ip: str | None = None
    used: str = ""
    after_s: float = 0.0


class Rights(EpisodeState, gc=False):  # no value of it can lead back to it
    """At most 64 grants and 256 targets of one open alert; four numbers (0.1 KB) for nearly all accounts."""

    first_ts: float = 0.0
    """When the account was seen first."""
    last_ts: float = 0.0
    """Its last grant."""
    admin_ts: float = 0.0
    """``by_target``: when it last administered anything."""
    export_ts: float = 0.0
    number: int = 0
    recent: list[tuple[float, str, str]] | None = None
    wave: Wave | None = None
    given: Given | None = None


class PrivilegeChange(EpisodeDetector[Rights, PrivilegeSettings]):
    """Knows who grants things regularly, and tells of everybody else.

    State per key: at most 30 KB while many are given something, 0.15 KB usually. ``by_actor`` is about who grants, ``by_target`` about who gets.
    """

    name = "privilege_change"
    title = "Unusual grant of rights"
    sees = "Somebody grants rights who never does, to itself, or to many at once; or uses new rights within the hour."
    kinds = KINDS
    techniques = ("T1098", "T1098.003")
    false_positives = (
        "A new administrator: the first grant alerts once, low while the account itself is new; what follows within 90 days is silent.",
        "Infrastructure as code, onboarding: name the accounts in `automation`, or send `actor_type` `service`: low at most.",
        "A reorganisation: a burst by the administrator who does it; raise `burst_targets` with an override for that account.",
        "A file or two downloaded after new rights were given: an export that says its size counts from 1,000 records or 100 MB on.",
        "A new colleague who starts at once: told of as new rights in use, unless the account did such things within `known_s` before.",
    )
    variants: ClassVar[dict[str, Variant]] = {
        "by_actor": Variant("actor", by_actor, ignores=UNDONE | EXPORTS),
        "by_target": Variant("actor", by_grantee, ignores=UNDONE | LOGINS),
    }
    Settings = PrivilegeSettings
    State = Rights

    def memory_s(self, limits: PrivilegeSettings) -> float:
        """As long as a grant, or a habit, counts."""
        if self.variant == "by_target":
            return max(limits.known_s, limits.use_s)
        return max(limits.new_s, limits.grace_s, limits.window_s)

    def on_event(self, key: str, state: Rights, event: Event) -> Finding | None:
        """A grant, or something that tells what an account is used to do."""
        if event.outcome in FAILED:
            return None
        if self.variant == "by_target":
            return self._of_grantee(key, state, event)
        if not state.first_ts or event.ts < state.first_ts:
            state.first_ts = event.ts
        if event.kind in NO_GRANTS or not is_grant(event):
            return None
        return self._grant(key, state, event)

    # -- who grants -----------------------------------------------------------------------------------------------------------------

    def _grant(self, key: str, state: Rights, event: Event) -> Finding | None:
        limits, ts = self.limits_of(key), event.ts
        if state.recent is None:
            state.recent = []
        recent = state.recent
        slide(recent, (ts, event.id, short(event.target)), limits.window_s, MOST_RECENT)
        targets = len({target for _, _, target in recent})
        before, since_s = state.number, ts - state.last_ts if state.last_ts else 0.0
        state.number += 1
        state.last_ts = max(state.last_ts, ts)
        own = is_self(event)
        if state.wave is not None:
            return self._more(key, state, state.wave, event, targets, own=own)
        why = "self" if own else "burst" if targets >= limits.burst_targets else "first" if not before or since_s > limits.new_s else ""
        if not why:
            return None
        wave = Wave(
            why,
            (event.action or "")[:SHOWN_CHARS],
            Distinct(),
            targets if why == "burst" else 1,
            own,
            ts - state.first_ts >= limits.grace_s,
            self._is_automation(limits, event.actor, event.actor_type),
            before,
            max(0.0, since_s),
            event.ip,
        )
        state.wave = wave
        told = list(recent) if why == "burst" else [(ts, event.id, short(event.target))]
        for _, _, target in told:
            if target:
                wave.targets.add(target)
        return self.begin(key, state, told[-1][0], told[0][0], len(told), [event_id for _, event_id, _ in told])

    def _more(self, key: str, state: Rights, wave: Wave, event: Event, targets: int, *, own: bool) -> Finding | None:
        if event.target:
            wave.targets.add(short(event.target))
        wave.most = max(wave.most, targets)
        if own and not wave.own:
            wave.own, wave.why = True, "self"
        if event.ip != wave.ip:
            wave.ip = None
        return self.go_on(key, state, event.ts, event.id, vital=own)

    def _is_automation(self, limits: PrivilegeSettings, actor: str | None, actor_type: str | None) -> bool:
        return actor_type == "service" or (actor is not None and any(matches_entity(glob, actor) for glob in limits.automation))

    # -- who gets -------------------------------------------------------------------------------------------------------------------

    def _of_grantee(self, key: str, state: Rights, event: Event) -> Finding | None:
        limits, ts = self.limits_of(key), event.ts
        if event.kind not in NO_GRANTS and is_grant(event) and grantee(event) is not None and not is_self(event):
            if state.episode is None:  # what is being told of stays what it was
                by = (event.actor or "")[:SHOWN_CHARS]
                automation = self._is_automation(limits, event.actor, event.actor_type)
                state.given = Given(ts, event.id, (event.action or "")[:SHOWN_CHARS], by, automation)
            return None
        if is_small_export(event):
            return None
        export = event.kind == "data.export"
        last_ts = state.export_ts if export else state.admin_ts
        given = state.given
        finding = None
        if given is not None and 0 <= ts - given.ts <= limits.use_s:
            if state.episode is not None:
                if event.ip != given.ip:
                    given.ip = None
                finding = self.go_on(key, state, ts, event.id)
            elif not last_ts or not 0 <= given.ts - last_ts <= limits.known_s:
                given.ip, given.used, given.after_s = event.ip, (event.action or event.kind)[:SHOWN_CHARS], ts - given.ts
                finding = self.begin(key, state, ts, given.ts, 2, [given.id, event.id])
        elif given is not None and state.episode is None and ts > given.ts:
            state.given = None
        if ts > last_ts:
            if export:
                state.export_ts = ts
            else:
                state.admin_ts = ts
        return finding

    # -- what is said ---------------------------------------------------------------------------------------------------------------

    def reset(self, state: Rights) -> None:
        """See ``EpisodeDetector``."""
        state.wave = state.given = None

    def severity(self, key: str, state: Rights) -> Severity:
        """High to oneself or to very many; medium to many, as a first by a known account, or used at once; low by automation."""
        wave, limits = state.wave, self.limits_of(key)
        if wave is None:
            assert state.given is not None
            return "low" if state.given.automation else "medium"
        if wave.automation:
            return "low"
        if wave.own or wave.most >= limits.high_targets:
            return "high"
        if wave.most >= limits.burst_targets or (wave.why == "first" and wave.known):
            return "medium"
        return "low"

    def facts(self, key: str, state: Rights) -> dict[str, Fact]:
        """See ``EpisodeDetector``."""
        wave, given, limits = state.wave, state.given, self.limits_of(key)
        if wave is None:
            assert given is not None
            return {
                "why": "use",
                "action": given.action,
                "granted_by": given.by or "somebody the source does not name",
                "used_for": given.used,
                "after_s": round(given.after_s),
                "automation": "yes" if given.automation else "no",
                "use_s": limits.use_s,
                "known_s": limits.known_s,
            }
        return {
            "why": wave.why,
            "action": wave.action,
            "targets": ", ".join(list(wave.targets.counts)[:SHOWN]) or "not named",
            "distinct_targets": wave.targets.number(),
            "most_in_window": wave.most,
            "grants_before": wave.before,
            "since_last_s": round(wave.since_s),
            "known_account": "yes" if wave.known else "no",
            "automation": "yes" if wave.automation else "no",
            "burst_targets": limits.burst_targets,
            "high_targets": limits.high_targets,
            "window_s": limits.window_s,
            "new_s": limits.new_s,
        }

    def links(self, key: str, state: Rights) -> tuple[tuple[EntityType, str], ...]:
        """The address, when it is one; and who granted."""
        if state.wave is not None:
            return (("ip", state.wave.ip),) if state.wave.ip is not None else ()
        given = state.given
        if given is None:
            return ()
        links: tuple[tuple[EntityType, str], ...] = (("ip", given.ip),) if given.ip is not None else ()
        return (*links, ("actor", given.by)) if given.by else links

    def explain(self, finding: Finding) -> str:
        """See ``Detector``."""
        f = finding.facts
        if f["why"] == "use":
            return f"This account got new rights from {f['granted_by']} ({f['action']}) and used them {span(float(f['after_s']))} later ({f['used_for']})."
        said = f"{times(finding.count, 'grant')} by this account ({f['action']}), to {f['targets']}"
        number = int(f["distinct_targets"]) - SHOWN
        said += f" and {times(number, 'other')}." if number > 0 else "."
        if f["why"] == "self":
            return f"{said} It granted something to itself."
        if f["why"] == "burst":
            return f"{said} {times(f['most_in_window'], 'target')} within {span(float(f['window_s']))}; {times(f['grants_before'], 'grant')} before."
        if f["grants_before"]:
            return f"{said} Its last one before was {span(float(f['since_last_s']))} earlier."
        return f"{said} It had granted nothing before{'' if f['known_account'] == 'yes' else ', and has not been known for long'}."

    def counterfactual(self, finding: Finding) -> str:
        """See ``Detector``."""
        f = finding.facts
        match f["why"]:
            case "use":
                return f"silent if the rights had been used later than {span(float(f['use_s']))} after the grant, or if the account had done so before"
            case "self":
                return "silent if somebody else had made the grant"
            case "burst":
                return f"silent with fewer than {times(f['burst_targets'], 'target')} in {span(float(f['window_s']))}"
        return f"silent if the account had granted something within {span(float(f['new_s']))} before"
