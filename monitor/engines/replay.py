"""Log files through the pipeline, in event time.

Files that cover the same time are read side by side: the next records always come from the one that is farthest behind, so that a folder
of logs gives what one log in time order would. A file is opened when the stream reaches its first event, and closed at its end.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from monitor.engines.core import Core
from monitor.report.summary import InputReport
from monitor.report.tally import Tally
from monitor.sources.files import SAMPLE_BYTES, STDIN, Input, Stdin, open_input
from monitor.sources.records import Batch
from schemas.alert import Alert
from schemas.errors import InputError, RejectError
from schemas.event import Event
from schemas.formats import FORMATS, detect
from schemas.formats.base import Context, Memory, Parser

HEAD_RECORDS = 16
"""Records read ahead of time to learn where a file begins."""
_NEXT = "\x00next"
"""Stands for the files that are not open yet: they hold the clock back together."""

Pace = Callable[[float], None]
"""Called with the event time about to be reached; may wait."""


class Options(msgspec.Struct, kw_only=True):
    """How to read. ``since`` and ``until`` are event times (Unix seconds; from and including, up to and excluding)."""

    format: str = "auto"
    year: int | None = None
    tenant: str | None = None
    since: float = float("-inf")
    until: float = float("inf")
    max_record_bytes: int = 1_048_576
    batch_records: int = 1000
    heard_as: Mapping[str, str] = {}
    """By the name of a file, what it is taken for a part of: it is then listened to as the live service listens to its inputs."""


class _Reader:
    """One input being read."""

    def __init__(self, number: int, source: Path | Stdin, report: InputReport, opened: Input | None) -> None:
        self.number = number
        self.source = source
        self.report = report
        self.opened = opened
        self.head_ts = float("-inf")
        self.batches: Iterator[Batch] = iter(())

    @property
    def key(self) -> str:
        """Its name to the pipeline; unique even where two inputs are called the same."""
        return f"{self.number}:{self.report.name}"


class Replay:
    """Reads some inputs to their end.

    ``on_progress`` is called after each batch with compressed bytes read and events so far; ``on_read`` once all is read, before the detectors
    are told that nothing more will come.
    """

    def __init__(
        self,
        core: Core,
        options: Options,
        *,
        pace: Pace | None = None,
        on_progress: Callable[[int, int], None] | None = None,
        on_events: Callable[[Sequence[Event]], None] | None = None,
        on_read: Callable[[], None] | None = None,
    ) -> None:
        self.reports: list[InputReport] = []
        self.total_bytes: int | None = 0
        """On disk; ``None`` when an input has no size."""
        self.events = 0
        self.broken: list[str] = []
        """Inputs that could not be read to their end: name and why. What came before is used all the same."""
        self.tally = Tally()
        self._core = core
        self._options = options
        self._pace = pace
        self._on_progress = on_progress or (lambda _bytes, _events: None)
        self._on_events = on_events
        self._on_read = on_read
        self._done_bytes = 0

    def run(self, sources: Sequence[Path | Stdin]) -> Iterator[list[Alert]]:
        """Alert versions, batch by batch, in the order they became certain. Raises ``InputError``."""
        waiting = self._prepare(sources)
        active: list[_Reader] = []
        while waiting or active:
            while waiting and (not active or waiting[0][0] <= min(self._reached(reader) for reader in active)):
                reader = heapq.heappop(waiting)[2]
                self._hold_back(waiting)
                if self._start(reader):
                    active.append(reader)
            if not active:
                continue
            reader = min(active, key=lambda each: (self._reached(each), each.number))
            batch = self._next(reader)
            if batch is None:
                active.remove(reader)
                yield self._end(reader)
            else:
                yield self._feed(reader, batch)
                self._on_progress(self._done_bytes + sum(each.opened.read_bytes for each in active if each.opened), self.events)
        if self._on_read is not None:
            yield self._core.settle()
            self._on_read()
        yield self._core.finish()

    # -- before -------------------------------------------------------------------------------------------------------------------

    def _prepare(self, sources: Sequence[Path | Stdin]) -> list[tuple[float, int, _Reader]]:
        waiting: list[tuple[float, int, _Reader]] = []
        alone = len(sources) == 1
        for number, source in enumerate(sources):
            reader = self._recognise(number, source)
            self.reports.append(reader.report)
            name, opened = reader.report.format, reader.opened
            if name is None or opened is None:
                continue
            if self.total_bytes is not None:
                self.total_bytes = None if opened.size_bytes is None else self.total_bytes + opened.size_bytes
            if source is not STDIN and not alone and opened.size_bytes is not None:
                try:
                    reader.head_ts = self._head_ts(name, opened)
                except InputError as exc:
                    self._break(reader, exc)
                    continue
                finally:
                    opened.close()
                    reader.opened = None  # a folder may hold more files than a process may open
            heapq.heappush(waiting, (reader.head_ts, number, reader))
        if not waiting and any(report.how != "empty" for report in self.reports):
            raise InputError("\n".join(f"{report.name}: {report.problem or report.how}" for report in self.reports))
        self._hold_back(waiting)
        return waiting

    def _recognise(self, number: int, source: Path | Stdin) -> _Reader:
        """Open one input and decide its format; an input without one is closed again. One that cannot be read must not cost the others."""
        try:
            opened = open_input(source, self._options.max_record_bytes)
        except InputError as exc:
            name = _name(source)
            return _Reader(number, source, InputReport(name, None, f"not read: {str(exc).removeprefix(f'{name}: ')}"), None)
        format_name, how = self._decide(opened)
        if format_name is None:
            opened.close()
        return _Reader(number, source, InputReport(opened.name, format_name, how), opened)

    def _decide(self, opened: Input) -> tuple[str | None, str]:
        if opened.problem is not None and not opened.sample:
            return None, f"not read: {opened.problem}"
        if self._options.format != "auto":
            return self._options.format, "as told"
        if not opened.sample.strip():
            if len(opened.sample) < SAMPLE_BYTES:
                return None, "empty"
            return None, f"not read: its first {SAMPLE_BYTES // 1024} KiB are blank; name the format with --format"
        name, shares = detect(opened.sample)
        if name is None and opened.problem is not None:
            return None, f"not read: {opened.problem}, and what comes before looks like no format"
        if name is None:
            return None, f"not read: its content looks like none of {', '.join(FORMATS)}; name the format with --format"
        return name, f"recognised from its content ({shares[name]:.0%} sure)"

    def _head_ts(self, name: str, opened: Input) -> float:
        """The earliest time among its first records, read with a memory of its own that is thrown away."""
        parser = self._parser(name, opened, Memory())
        stamps: list[float] = []
        for batch in opened.batches(HEAD_RECORDS):
            for record in batch.records:
                stamps.extend(event.ts for event in _parsed(parser, record))
            if stamps:
                break
        return min(stamps, default=float("-inf"))

    def _parser(self, name: str, opened: Input, memory: Memory) -> Parser:
        options = self._options
        context = Context(memory=memory, year=options.year, written_ts=opened.written_ts, tenant=options.tenant)
        return FORMATS[name].parser(context)

    # -- while reading ------------------------------------------------------------------------------------------------------------

    def _reached(self, reader: _Reader) -> float:
        return max(reader.head_ts, self._core.inputs[reader.key].believed)

    def _hold_back(self, waiting: list[tuple[float, int, _Reader]]) -> None:
        runner = self._core.runner
        if waiting:
            runner.open(_NEXT, waiting[0][0])
        else:
            runner.close(_NEXT)

    def _start(self, reader: _Reader) -> bool:
        if reader.opened is None:
            try:
                reader.opened = open_input(reader.source, self._options.max_record_bytes)
            except InputError as exc:  # gone, or changed, since it was looked at
                self._break(reader, exc)
                return False
        assert reader.report.format is not None
        self._core.open(reader.key, self._parser(reader.report.format, reader.opened, self._core.memory), reader.head_ts)
        heard_as = self._options.heard_as.get(Path(reader.report.name).name)
        if heard_as is not None:
            self._core.listen(reader.key, heard_as, self._options.tenant)
        reader.batches = reader.opened.batches(self._options.batch_records)
        return True

    def _next(self, reader: _Reader) -> Batch | None:
        try:
            return next(reader.batches, None)
        except InputError as exc:
            self._break(reader, exc)
            return None

    def _break(self, reader: _Reader, exc: InputError) -> None:
        self.broken.append(str(exc))
        reader.report.problem = str(exc).removeprefix(f"{reader.report.name}: ")

    def _feed(self, reader: _Reader, batch: Batch) -> list[Alert]:
        ingest = self._core.inputs[reader.key]
        for line, start in batch.oversize:
            ingest.reject(
                line, start, RejectError("too_long", f"record: more than {self._options.max_record_bytes} bytes{_kept(batch, line)}")
            )
        if batch.truncated is not None:
            line, start = batch.truncated
            ingest.reject(line, start, RejectError("truncated", f"record: the input breaks off in it{_kept(batch, line)}"))
        return self._take(reader, ingest.decode(batch.records, batch.lines))

    def _take(self, reader: _Reader, events: list[Event]) -> list[Alert]:
        ingest = self._core.inputs[reader.key]
        events, ingest.ahead = self._wanted(events), self._wanted(ingest.ahead)
        if not events and not ingest.ahead:
            return []
        self._count(reader, events)
        self._count(reader, ingest.ahead)
        if self._pace is not None and events:
            self._pace(events[0].ts)  # the first of a log come several at once: they waited for one another to be believed
            self._pace(events[-1].ts)
        return self._core.take(reader.key, events)

    def _wanted(self, events: list[Event]) -> list[Event]:
        since, until = self._options.since, self._options.until
        if since == float("-inf") and until == float("inf"):
            return events
        return [event for event in events if since <= event.ts < until]

    def _count(self, reader: _Reader, events: list[Event]) -> None:
        self.events += len(events)
        reader.report.events += len(events)
        self.tally.add(events)
        if self._on_events is not None:
            self._on_events(events)

    def _end(self, reader: _Reader) -> list[Alert]:
        opened, ingest, report = reader.opened, self._core.inputs[reader.key], reader.report
        assert opened is not None
        self._done_bytes += opened.read_bytes
        opened.close()
        alerts = self._take(reader, ingest.end())
        alerts += self._core.close(reader.key)
        report.problem = report.problem or opened.problem
        report.records, report.repeats, report.irrelevant = ingest.records, ingest.repeats, ingest.irrelevant
        report.rejects = dict(sorted(ingest.rejected.items()))
        return alerts


def _kept(batch: Batch, line: int) -> str:
    return ", of which only the beginning is kept" if line in batch.cut else ""


def _name(source: Path | Stdin) -> str:
    return "stdin" if isinstance(source, Stdin) else str(source).encode("utf-8", "replace").decode()


def _parsed(parser: Parser, record: bytes) -> Iterable[Event]:
    try:
        return parser.parse(record)
    except RejectError:
        return ()
