"""The end of a replay on the terminal: the alerts, the totals, and what the reader must know about them.

On a terminal there are tables; elsewhere each alert is one line, so that other tools can read it. Names in logs are written by strangers:
nothing of them reaches the terminal but visible characters, and brackets mean nothing.
"""

from collections import Counter
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from detectors.phrases import times
from monitor.report.incidents import GRAVEST_FIRST, Incident, incidents, verdict
from monitor.report.summary import Summary
from schemas.alert import Alert
from schemas.severity import Severity
from schemas.text import cut, printable

MAX_ALERTS = 50
"""Incidents shown."""
MAX_INPUTS = 20
MAX_NOTES = 50
MAX_NAME_CHARS = 80
MAX_SUMMARY_CHARS = 300
WIDE_COLUMNS = 130
"""From this width on, every fact has a column of its own."""
STYLES: dict[Severity, str] = {"critical": "bold white on red", "high": "bold red", "medium": "yellow", "low": "cyan", "info": "dim"}
LOUD = "bold white on red"


def show(summary: Summary, console: Console) -> None:
    """Write the alerts that lead their incident, the totals and the notes to ``console``."""
    _Screen(console).show(summary)


class _Screen:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._encoding = console.encoding
        self._tables = console.is_terminal

    def show(self, summary: Summary) -> None:
        if summary.learn_only:
            self._line(f"Learned only: there would have been {times(len(summary.alerts), 'alert')}, of which nobody was told.", "bold")
        else:
            self._found(summary)
        self._totals(summary)
        self._warnings(summary)

    def _found(self, summary: Summary) -> None:
        found = incidents(summary.alerts)
        if found and self._tables:
            self._table(self._alerts(found[:MAX_ALERTS], [alert.first_seen[:10] for alert in summary.alerts]))
        elif found:
            for incident in found[:MAX_ALERTS]:
                self._line(self._plain(incident))
        if len(found) > MAX_ALERTS:
            self._line(f"and {times(len(found) - MAX_ALERTS, 'further incident')}, less grave or later than these")
        self._line("")
        self._line(verdict(found), "bold")

    # -- the alerts ---------------------------------------------------------------------------------------------------------------

    def _alerts(self, found: Sequence[Incident], days: Sequence[str]) -> Table:
        one_day = len(set(days)) == 1
        wide = self._console.width >= WIDE_COLUMNS
        table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, expand=False)
        table.add_column("Severity", no_wrap=True, overflow="crop")
        for heading in ("Detector", "Entity") if wide else ("Alert",):
            table.add_column(heading, overflow="fold", max_width=30 if wide else None)
        table.add_column("Count", justify="right", no_wrap=True, overflow="crop")
        table.add_column(f"First seen {days[0]}" if one_day and wide else "First (UTC)", no_wrap=True, overflow="crop")
        if wide:
            table.add_column("Summary", overflow="fold")
        for incident in found:
            alert = incident.leader
            first = self._text(alert.first_seen[11:19] if one_day else f"{alert.first_seen[:10]} {alert.first_seen[11:19]}")
            severity = self._text(incident.severity, STYLES[incident.severity])
            name, entity = self._text(alert.detector, "bold"), self._entity(incident)
            summary = self._text(cut(alert.summary, MAX_SUMMARY_CHARS), "" if wide else "dim")
            count = self._text(f"{alert.count:,}")
            if wide:
                table.add_row(severity, name, entity, count, first, summary)
            else:
                table.add_row(severity, Text.assemble(name, "  ", entity, "\n", summary), count, first)
        return table

    def _entity(self, incident: Incident) -> Text:
        related = f"  +{len(incident.others)} related" if incident.others else ""
        return self._text(cut(_entity(incident.leader), MAX_NAME_CHARS)).append(related, "dim")

    def _plain(self, incident: Incident) -> str:
        alert = incident.leader
        entity = cut(_entity(alert), MAX_NAME_CHARS) + (f" +{len(incident.others)} related" if incident.others else "")
        return f"{incident.severity:<8}  {alert.first_seen}  {alert.detector}  {entity}  {alert.count:,}  {cut(alert.summary, MAX_SUMMARY_CHARS)}"

    # -- the totals ---------------------------------------------------------------------------------------------------------------

    def _totals(self, summary: Summary) -> None:
        speed = f" in {summary.seconds:,.1f} s ({summary.events / summary.seconds:,.0f} events/s)" if summary.seconds > 0 else ""
        rejects = ", ".join(f"{n:,} {reason}" for reason, n in sorted(summary.rejects.items(), key=lambda item: (-item[1], item[0])))
        self._line(f"events    {summary.events:,} from {times(len(summary.inputs), 'input')}{speed}")
        self._inputs(summary)
        self._line(f"rejects   {sum(summary.rejects.values()):,}{f' ({rejects})' if rejects else ''}")
        self._line(f"repeats   {summary.repeats:,}")
        self._line(f"late      {summary.late:,}")
        self._line(f"alerts    {len(summary.alerts):,}")
        by_both = Counter((alert.detector, alert.severity) for alert in summary.alerts)
        severities = [severity for severity in GRAVEST_FIRST if any(severity == each for _, each in by_both)]
        detectors = sorted({detector for detector, _ in by_both})
        if self._tables and detectors:
            self._table(self._matrix(by_both, detectors, severities))
            return
        for detector in detectors:
            parts = ", ".join(f"{by_both[detector, severity]:,} {severity}" for severity in severities if by_both[detector, severity])
            self._line(f"  {detector}  {parts}")

    def _inputs(self, summary: Summary) -> None:
        read = [report for report in summary.inputs if report.format is not None]
        for report in read[:MAX_INPUTS]:
            name = cut(report.name, 2 * MAX_NAME_CHARS)
            counts = f"{times(report.events, 'event')} of {times(report.records, 'record')}"
            without = f", {report.irrelevant:,} without an event" if report.irrelevant else ""
            self._line(f"  {name}: {report.format}, {report.how}; {counts}{without}", "dim")
        if len(read) > MAX_INPUTS:
            self._line(f"  and {times(len(read) - MAX_INPUTS, 'further input')}, see the report", "dim")

    def _matrix(self, by_both: Counter[tuple[str, Severity]], detectors: Sequence[str], severities: Sequence[Severity]) -> Table:
        table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
        table.add_column("Alerts by detector", overflow="fold")
        for severity in severities:
            table.add_column(severity, justify="right", no_wrap=True, overflow="crop")
        for detector in detectors:
            cells = (f"{n:,}" if (n := by_both[detector, severity]) else "" for severity in severities)
            table.add_row(self._text(detector), *cells)
        return table

    def _warnings(self, summary: Summary) -> None:
        for name, error in sorted(summary.failed.items()):
            self._line(
                f"DISABLED  {cut(name, MAX_NAME_CHARS)} failed ({cut(error, MAX_NAME_CHARS)}); what it would have found is missing", LOUD
            )
        for report in summary.inputs:
            name = cut(report.name, 2 * MAX_NAME_CHARS)
            if report.problem:
                self._line(f"problem   {name}: {cut(report.problem, MAX_SUMMARY_CHARS)}", "bold red")
            if report.format is None:
                self._line(f"not read  {name}: {cut(report.how.removeprefix('not read: '), MAX_SUMMARY_CHARS)}", "bold red")
        for name, _, evicted in summary.detectors:
            if evicted:
                self._line(f"forgotten {cut(name, MAX_NAME_CHARS)}: {times(evicted, 'key')} for want of room", "yellow")
        for note in [summary.geography, *summary.notes[:MAX_NOTES]]:
            if note:
                self._line(f"note      {cut(note, MAX_SUMMARY_CHARS)}", "yellow")
        if len(summary.notes) > MAX_NOTES:
            self._line(f"note      {times(len(summary.notes) - MAX_NOTES, 'further note')}, see the report", "yellow")

    # -- the way out --------------------------------------------------------------------------------------------------------------

    def _text(self, text: str, style: str = "") -> Text:
        """The only way from a name to the terminal."""
        visible = printable(text)
        if not self._encoding.startswith("utf"):
            visible = visible.replace("…", "...").encode(self._encoding, "replace").decode(self._encoding)
        return Text(visible, style=style, overflow="fold")

    def _line(self, text: str, style: str = "") -> None:
        self._console.print(self._text(text, style), soft_wrap=not self._tables)

    def _table(self, table: Table) -> None:
        self._console.print(table)


def _entity(alert: Alert) -> str:
    return alert.entity.value or f"{alert.tenant or 'default tenant'}"
