"""What the live service and replay share: from the records of some inputs to alerts.

The outer loops differ in where records come from and when they stop; below this line there is no difference.
"""

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any

from detectors.base import BaseDetector
from monitor.alerts.correlate import Correlator
from monitor.engines.judging import Judging
from monitor.pipeline.geography import Geography
from monitor.pipeline.ingest import Ingest, OnReject, gone
from monitor.pipeline.learned import Learned
from monitor.pipeline.runner import Exempt, OnFailure, Runner
from monitor.pipeline.seen import Seen
from monitor.rows import Capture, Rows, Saved, one, rows_of
from monitor.verdicts import Given, Judged
from schemas.alert import Alert
from schemas.event import HEARD, Event
from schemas.finding import Finding
from schemas.formats.base import Memory, Parser


class Core:
    """The pipeline: decode → place → order → detect → correlate.

    ``tracking``: note what changes, so that checkpoints can be taken that write no more than that.
    """

    def __init__(
        self,
        detectors: Sequence[BaseDetector[Any, Any]],
        geography: Geography | None = None,
        *,
        lateness_s: float = 1.0,
        dedupe_events: int = 200_000,
        runbooks: str = "deploy/runbooks",
        max_open_alerts: int = 50_000,
        exempt: Exempt | None = None,
        on_reject: OnReject | None = None,
        on_failure: OnFailure | None = None,
        tracking: bool = False,
    ) -> None:
        self.memory = Memory()
        """Shared by the parsers; give it to each in its ``Context``."""
        self.inputs: dict[str, Ingest] = {}
        self.runner = Runner(detectors, lateness_s, exempt, on_failure, tracking=tracking)
        self.correlator = Correlator({detector.name: detector for detector in detectors}, runbooks, max_open_alerts)
        self.judging = Judging(self.runner, self.correlator)
        self.geography = geography
        self._listens = any(HEARD in detector.kinds for detector in detectors)
        self._seen = Seen(dedupe_events)
        self._on_reject: OnReject = on_reject or (lambda *_: None)

    def open(self, source: str, parser: Parser, position: float = float("-inf")) -> Ingest:
        """An input begins, whose events are at or after ``position``. It holds the clock of the stream back until it is closed."""
        ingest = Ingest(source, parser, self._seen, self._on_reject)
        self.inputs[source] = ingest
        self.runner.open(source, position)
        return ingest

    def listen(self, source: str, name: str, tenant: str | None = None) -> None:
        """Let detectors know when an input is heard, as a part of what is called ``name``. For inputs that never end by themselves."""
        if self._listens:
            self.inputs[source].listen(name, tenant)

    def feed(
        self,
        source: str,
        records: Sequence[bytes],
        lines: Sequence[int] | None = None,
        stamps: Sequence[float] | None = None,
        *,
        more: bool = False,
    ) -> list[Alert]:
        """Records of an input, in their order; the alert versions that became certain with them.

        ``stamps``: see ``Ingest.decode``; ``more``: see ``Runner.run``.
        """
        events = self.inputs[source].decode(records, range(1, len(records) + 1) if lines is None else lines, stamps)
        return self.take(source, events, more=more)

    def take(self, source: str, events: list[Event], *, more: bool = False) -> list[Alert]:
        """Events of an input that are decoded already."""
        ingest = self.inputs[source]
        if ingest.ahead:
            if self.geography is not None:
                self.geography.place_all(ingest.ahead)
            self.runner.hold(ingest.ahead)
            ingest.ahead = []
        if self.geography is not None:
            self.geography.place_all(events)
        return self._alerts(self.runner.run(source, events, more=more))

    def close(self, source: str) -> list[Alert]:
        """An input has ended: what it still held back is taken, and it no longer holds the clock."""
        alerts = self.take(source, self.inputs[source].end())
        self.runner.close(source)
        return alerts

    def rest(self, source: str) -> list[Alert]:
        """An input has nothing at present: until it has, it does not hold the clock back."""
        self.runner.close(source)
        return self._alerts(self.runner.advance(-inf))

    def advance(self, ts: float) -> list[Alert]:
        """No input has anything, and event time has come to ``ts`` all the same."""
        return self._alerts(self.runner.advance(ts))

    def settle(self) -> list[Alert]:
        """All inputs have been read, and nothing earlier can come. What is then still unsaid, ``finish`` says."""
        return self._alerts(self.runner.settle())

    def finish(self) -> list[Alert]:
        """All inputs have ended."""
        return self._alerts(self.runner.finish())

    def _alerts(self, findings: list[Finding]) -> list[Alert]:
        return self.judging.take(findings)

    def judge(self, given: Given) -> Judged:
        """Apply what somebody found an alert to be. Between two batches only. Raises ``UnknownAlertError`` and ``BadVerdictError``."""
        return self.judging.judge(given)

    # -- persistence --------------------------------------------------------------------------------------------------------------

    def capture(self, *, everything: bool = False) -> Capture:
        """What a checkpoint has to write: all that has changed since the last one, as of now. Call it between two batches.

        ``everything``: all there is, for a store that has nothing yet. Without ``tracking`` that is the only possibility.
        """
        rows = [
            *self.runner.changed(everything=everything),
            *self.correlator.changed(everything=everything),
            *self.judging.changed(everything=everything),
            *self._seen.changed(everything=everything),
            Rows("inputs", {name: ingest.dump() for name, ingest in self.inputs.items()}, whole=True),
        ]
        for name, recent in self.memory.parts().items():
            values, gone, generation = recent.changed(everything=everything)
            rows += (Rows(name, values, gone, everything), Rows(f"{name}_head", {"": {"generation": generation}}))
        return Capture(rows, self.runner.groups)

    def restore(self, saved: Saved, parsers: Mapping[str, Parser]) -> None:
        """Take over what checkpoints left. ``parsers``: a fresh parser for each of the inputs that are still read, by name."""
        for name, recent in self.memory.parts().items():
            recent.load(rows_of(saved, name), one(saved, f"{name}_head")["generation"])
        self._seen.restore(saved)
        unread: list[Event] = []
        position = one(saved, "runner")["position"]
        for name, data in rows_of(saved, "inputs"):
            if name in parsers:
                self.open(name, parsers[name]).load(data)
            elif position is not None:
                unread += gone(name, data, position)
        self.runner.restore(saved)
        self.runner.hold(unread)
        for name in self.runner.sources.keys() - self.inputs.keys():
            self.runner.close(name)
        self.correlator.restore(saved)
        self.judging.restore(saved)

    # -- going on from a history --------------------------------------------------------------------------------------------------

    def remembered(self) -> Capture:
        """All that detectors remember, for a pipeline that reads something else, once everything is read (``settle``).

        With it the ids of the last events, so that what that one reads again counts once. The numbers of equal lines are not among it: they
        would give a line that is read again another id.
        """
        rows = [*self.runner.remembered(), *self._seen.changed(everything=True)]
        values, _, generation = self.memory.sessions.changed(everything=True)
        rows += (Rows("sessions", values, whole=True), Rows("sessions_head", {"": {"generation": generation}}))
        return Capture(rows, self.runner.groups)

    def learn(self, saved: Saved) -> Learned:
        """Take over what another pipeline ``remembered``, before any input is opened. Raises ``LookupError`` where it is not whole."""
        self.memory.sessions.load(rows_of(saved, "sessions"), one(saved, "sessions_head")["generation"])
        self._seen.restore(saved)
        return self.runner.learn(saved)
