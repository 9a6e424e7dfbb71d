"""Verdicts within the pipeline: what somebody found an alert to be, brought to all who go by it, at one moment of event time.

They go by the stream's clock: a verdict is given when everything before some time has been seen and nothing at or after it, and that time is
kept with it. So the verdicts of a live run, given at the same times to a replay of its events, change the same things.
"""

from collections.abc import Sequence
from math import inf, isfinite

import msgspec

from monitor.alerts.correlate import Correlator, Subject
from monitor.pipeline.expected import Entry, Expected, state_key
from monitor.pipeline.runner import Runner
from monitor.rows import Rows, Saved, rows_of
from monitor.verdicts import BadVerdictError, Given, Judged, UnknownAlertError, stamped, until_of
from schemas.alert import Alert
from schemas.errors import ConfigurationError
from schemas.finding import Finding

MAX_KEPT = 10_000
"""Verdicts kept, the latest."""
PART = "verdicts"


class Judging:
    """Brings verdicts to the detectors and to the alerts."""

    def __init__(self, runner: Runner, correlator: Correlator, max_kept: int = MAX_KEPT) -> None:
        self.expected = Expected()
        self.kept: dict[int, Given] = {}
        """The latest verdicts, by number, in the order they were given."""
        self._runner, self._correlator = runner, correlator
        self._max_kept = max_kept
        self._given = 0
        self._unsaved: dict[int, None] | None = None
        self._ready: list[Alert] = []
        self._timed: list[Given] = []
        """Planned, the last one first."""
        self._waiting: dict[str, list[Given]] = {}
        """Planned for alerts that are not there yet, by their ids."""
        self._raised: list[str] = []
        """Those of them that have come, and are judged before anything else happens."""
        self._found_ts = -inf

    def take(self, findings: Sequence[Finding]) -> list[Alert]:
        """The alert versions that findings make, but for what is expected; and before them what verdicts have made meanwhile."""
        alerts, self._ready = self._ready, []
        if findings:
            alerts += self._correlate(findings)
        return alerts

    def _correlate(self, findings: Sequence[Finding]) -> list[Alert]:
        if self.expected:
            findings = [finding for finding in findings if not self.expected.covers(finding)]
        alerts = self._correlator.take(findings)
        if self._waiting and findings:
            self._found_ts = max(self._found_ts, *(finding.ts for finding in findings))
            self._raised += [alert.id for alert in alerts if alert.id in self._waiting]
        return alerts

    # -- one verdict --------------------------------------------------------------------------------------------------------------

    def judge(self, given: Given, now: float | None = None) -> Judged:
        """Apply a verdict at ``now``, or as of what has been seen. Call it between two batches.

        Raises ``UnknownAlertError`` and ``BadVerdictError``, and nothing has changed.
        """
        subject = self._correlator.subject(given.alert)
        if subject is None:
            raise UnknownAlertError
        now = stamped(self._runner.watermark if now is None else now)
        given = msgspec.structs.replace(given, ts=now, until_ts=until_of(given, now))
        is_other = self._correlator.verdict(given.alert) != given.verdict
        told, alerts = False, []
        if is_other:
            alerts = self._correlator.judge(given.alert, given.verdict)
            key = state_key(subject.tenant, subject.entity_type, subject.entity)
            told = self._runner.judge(subject.detector, subject.variant, key, given.verdict, now)
        self._expect(subject, given, now)
        changed = is_other or not self._is_kept(given)
        if changed:
            self._keep(given)
        return Judged(given=given, detector=subject.detector, changed=changed, told=told, alerts=alerts)

    def _expect(self, about: Subject, given: Given, now: float) -> None:
        if given.until_ts is None:
            self.expected.remove(about.detector, about.tenant, about.entity_type, about.entity)
        else:
            self.expected.add(Entry(about.detector, about.tenant, about.entity_type, about.entity, given.until_ts), now)

    def _is_kept(self, given: Given) -> bool:
        last = next((each for each in reversed(self.kept.values()) if each.alert == given.alert), None)
        return last is not None and (last.verdict, last.reason, last.until_ts) == (given.verdict, given.reason, given.until_ts)

    def _keep(self, given: Given) -> None:
        self._given += 1
        self.kept[self._given] = given
        self._note(self._given)
        if len(self.kept) > self._max_kept:
            oldest = next(iter(self.kept))
            del self.kept[oldest]
            self._note(oldest)

    # -- many, known beforehand ---------------------------------------------------------------------------------------------------

    def plan(self, all_given: Sequence[Given]) -> None:
        """Apply verdicts when their times come, and those without a time, or before their alert, as soon as that is raised."""
        runner = self._runner
        runner.on_moment = self._on_moment
        timed = [(given.ts, given) for given in all_given if given.ts is not None]
        for given in all_given:
            if given.ts is None:
                self._wait_for_alert(given)
        timed.sort(key=lambda each: each[0])
        self._timed = [given for _, given in reversed(timed)]
        for ts in dict.fromkeys(ts for ts, _ in timed):
            runner.call_at(ts)
        runner.halting = bool(self._waiting)

    @property
    def unapplied(self) -> list[Given]:
        """What was planned and has not come about."""
        return [*reversed(self._timed), *(given for each in self._waiting.values() for given in each)]

    def _wait_for_alert(self, given: Given) -> None:
        self._waiting.setdefault(given.alert, []).append(given)
        if self._correlator.subject(given.alert) is not None:
            self._raised.append(given.alert)
            self._runner.call_at(-inf)

    def _on_moment(self, ts: float, found: list[Finding]) -> None:
        """See ``Runner``: all that was found so far makes alerts first, so that there is something to judge."""
        self._ready += self._correlate(found)
        found.clear()
        while self._timed and (self._timed[-1].ts or 0.0) <= ts:
            given = self._timed.pop()
            if self._correlator.subject(given.alert) is None:
                self._waiting.setdefault(given.alert, []).append(given)
                self._runner.halting = True
            else:
                self._apply(given, given.ts)
        raised, self._raised = self._raised, []
        for alert_id in raised:
            for given in self._waiting.pop(alert_id, ()):
                self._apply(given, self._found_ts if isfinite(self._found_ts) else None)
        self._runner.halting = bool(self._waiting)

    def _apply(self, given: Given, now: float | None) -> None:
        try:
            self._ready += self.judge(given, now).alerts
        except BadVerdictError as exc:
            raise ConfigurationError(f"--verdicts: the line about alert {given.alert}: {exc}") from None

    # -- persistence --------------------------------------------------------------------------------------------------------------

    def _note(self, number: int) -> None:
        if self._unsaved is not None:
            self._unsaved[number] = None

    def changed(self, *, everything: bool) -> list[Rows]:
        """Rows for a checkpoint. From the first call on, changes are noted for the next one."""
        whole = everything or self._unsaved is None
        numbers = self.kept if whole or self._unsaved is None else self._unsaved
        values = {str(number): self.kept[number] for number in numbers if number in self.kept}
        gone = [str(number) for number in numbers if number not in self.kept]
        self._unsaved = {}
        return [Rows(PART, values, gone, whole), *self.expected.changed(everything=everything)]

    def restore(self, saved: Saved) -> None:
        """Take over what a checkpoint left."""
        self.expected.restore(saved)
        self.kept = kept(saved)
        self._given = max(self.kept, default=0)
        self._unsaved = {}


def kept(saved: Saved) -> dict[int, Given]:
    """The verdicts of a checkpoint, by number, in the order they were given."""
    return dict(sorted((int(number), msgspec.convert(row, Given)) for number, row in rows_of(saved, PART)))
