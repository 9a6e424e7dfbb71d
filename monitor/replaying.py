"""The `replay` command, from its options to its exit code."""

import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from monitor import __version__
from monitor.app import Parts, tune_memory
from monitor.delivering import deliver
from monitor.engines.replay import Options, Pace, Replay
from monitor.learning import History
from monitor.report import page, table
from monitor.report.summary import Summary
from monitor.report.tally import top
from monitor.settings import Settings, as_text
from monitor.settings_sinks import FileSink, StdoutSink
from monitor.sinks.errors import failed
from monitor.sinks.lines import JsonLines
from monitor.sinks.rejects import RejectFile
from monitor.sources.files import STDIN, Stdin, expand
from monitor.verdicts import read_file as read_verdicts
from schemas.alert import Alert
from schemas.errors import ConfigurationError, InputError
from schemas.export import ExportName
from schemas.severity import RANK, Severity

PLAIN_EVERY_S = 5.0
MAX_SLEEP_S = 3600.0


class Outputs(msgspec.Struct, kw_only=True):
    """Where a replay writes to."""

    out: Path | None = None
    out_format: ExportName = "native"
    final: bool = False
    report: Path | None = None
    rejects: Path | None = None
    deliver: bool = False
    config: Path | None = None
    """Where the settings came from; never written over."""


def replay(  # one step after the other
    files: Sequence[str],
    settings: Settings,
    options: Options,
    outputs: Outputs,
    speed: float | None = None,
    fail_on: Severity | None = None,
    history: History | None = None,
    verdicts: Path | None = None,
) -> int:
    """Run it; the exit code.

    Raises ``ConfigurationError``, ``OutputError``, and ``InputError``: at once when nothing can be read, and after all is written when
    some input could not be read to its end.
    """
    history = History() if history is None else history
    history.check({**_shown(outputs), "--fail-on": fail_on is not None})
    sources = expand(files)
    _spare(sources, settings, outputs, history, verdicts)
    given = [] if verdicts is None else read_verdicts(verdicts)
    console = Console(stderr=True)
    with ExitStack() as stack:
        rejects = stack.enter_context(RejectFile(outputs.rejects))
        parts = Parts(settings, rejects.keep)  # before an older file of alerts is emptied: a database may be missing
        sinks = [stack.enter_context(sink) for sink in _sinks(settings, outputs)]
        if outputs.report is not None:
            _check_writable(outputs.report)
        progress = stack.enter_context(_Progress(console))
        history.begin(parts.core)
        parts.core.judging.plan(given)
        engine = Replay(
            parts.core,
            options,
            pace=None if speed is None else pacer(speed),
            on_progress=progress.show,
            on_read=None if history.state_out is None else lambda: history.save(parts.core, engine),
        )
        progress.engine = engine
        tune_memory()
        began = time.perf_counter()
        last: dict[str, Alert] = {}
        versions = 0
        remote = _remote(settings, outputs)
        to_send: list[Alert] = []
        for alerts in engine.run(sources):
            versions += len(alerts)
            for alert in alerts:
                last[alert.id] = alert
            if remote:
                to_send += alerts
            if not outputs.final:
                for sink in sinks:
                    sink.send(alerts)
        if outputs.final:
            for sink in sinks:
                sink.send(last.values())
        seconds = time.perf_counter() - began
        deliver(settings, remote, list(last.values()) if outputs.final else to_send)
    summary = summarise(parts, engine, list(last.values()), versions, seconds)
    summary.notes, summary.learn_only = history.said + summary.notes, history.learn_only
    try:
        if outputs.report is not None:
            _write(outputs.report, page.render(summary))
    finally:
        table.show(summary, Console(stderr=outputs.out == Path("-")))
    if fail_on is not None and any(RANK[alert.severity] >= RANK[fail_on] for alert in last.values()):
        return 1
    if engine.broken:
        raise InputError("\n".join(engine.broken))
    return 0


def summarise(parts: Parts, engine: Replay, alerts: list[Alert], versions: int, seconds: float) -> Summary:
    """The facts of a finished replay."""
    inputs = parts.core.inputs.values()
    rejects: dict[str, int] = {}
    kinds: dict[str, int] = {}
    for ingest in inputs:
        for reason, n in ingest.rejected.items():
            rejects[reason] = rejects.get(reason, 0) + n
        for kind, n in ingest.kinds.items():
            kinds[kind] = kinds.get(kind, 0) + n
    runner, tally = parts.core.runner, engine.tally
    return Summary(
        version=__version__,
        inputs=engine.reports,
        events=engine.events,
        first_ts=tally.first_ts,
        last_ts=tally.last_ts,
        kinds=dict(sorted(kinds.items())),
        late=runner.late,
        repeats=sum(ingest.repeats for ingest in inputs),
        rejects=dict(sorted(rejects.items())),
        alerts=alerts,
        versions=versions,
        histogram=tally.histogram,
        top_ips=top(tally.ips),
        top_actors=top(tally.actors),
        geography=parts.geography.statement(),
        detectors=[(f"{states.detector.name}/{states.detector.variant}", len(states), states.evictions) for states in runner.states],
        failed=runner.failed,
        notes=list(_notes(parts)),
        configuration=as_text(parts.settings),
        seconds=seconds,
    )


def _notes(parts: Parts) -> Iterator[str]:
    unapplied = list(dict.fromkeys(given.alert for given in parts.core.judging.unapplied))
    if unapplied:
        more = "" if len(unapplied) == 1 else f" and {len(unapplied) - 1} more"
        yield f"--verdicts: no alert with the id {unapplied[0]}{more} was raised, or it is not remembered, so what is said of it changes nothing"
    if parts.allow is not None:
        for number, used in enumerate(parts.allow.used):
            if not used:
                yield f"allow.{number} matched no event"
    if parts.core.correlator.forgotten:
        yield f"{parts.core.correlator.forgotten} alerts were resolved only because more than {parts.settings.max_open_alerts} were open at once"


def _sinks(settings: Settings, outputs: Outputs) -> list[JsonLines]:
    """Those that are written while reading."""
    sinks: list[JsonLines] = []
    if outputs.out is not None:
        sinks.append(JsonLines(None if outputs.out == Path("-") else outputs.out, form=outputs.out_format))
    if outputs.deliver:
        if not settings.sinks:
            raise ConfigurationError("sinks: --deliver was given, but no sink is configured; add one, e.g. sinks: {alerts: {type: stdout}}")
        for name, sink in settings.sinks.items():
            if isinstance(sink, FileSink | StdoutSink):
                path = sink.path if isinstance(sink, FileSink) else None
                sinks.append(JsonLines(path, f"sinks.{name}.path", append=True, form=sink.format))
    return sinks


def _remote(settings: Settings, outputs: Outputs) -> list[str]:
    """Names of the sinks that are sent to once all is read."""
    return [name for name, sink in settings.sinks.items() if not isinstance(sink, FileSink | StdoutSink)] if outputs.deliver else []


def _shown(outputs: Outputs) -> dict[str, bool]:
    """Options by which somebody hears of alerts, and whether they were given."""
    return {
        "--out": outputs.out is not None,
        "--final": outputs.final,
        "--report": outputs.report is not None,
        "--deliver": outputs.deliver,
    }


def _spare(sources: Sequence[Path | Stdin], settings: Settings, outputs: Outputs, history: History, verdicts: Path | None) -> None:
    """Refuse to write over what is read, or two outputs into one file. Raises ``ConfigurationError`` before anything is opened."""
    places = settings.geography
    taken: dict[object, str] = {}
    for source in sources:
        taken[_identity(0 if source is STDIN else source)] = "one of the inputs"
    for read, what in (
        (outputs.config, "the configuration"),
        (places.city_db, "the city database"),
        (places.asn_db, "the ASN database"),
        (history.state_in, "the state file that is read"),
        (verdicts, "the file of verdicts"),
    ):
        if read is not None:
            taken[_identity(read)] = what
    written: list[tuple[str, Path | None]] = [("--out", outputs.out), ("--report", outputs.report), ("--rejects", outputs.rejects)]
    written.append(("--state-out", history.state_out))
    if outputs.deliver:
        written += [(f"sinks.{name}.path", sink.path) for name, sink in settings.sinks.items() if isinstance(sink, FileSink)]
    for option, path in written:
        if path is None:
            continue
        if path == Path("-") and option != "--out":
            raise ConfigurationError(f"{option}: cannot be standard output; name a file")
        identity = _identity(1 if path == Path("-") else path)
        if identity is not None and identity in taken:
            raise ConfigurationError(f"{option}: {path} is {taken[identity]} and would be written over; name another file")
        taken[identity] = f"the file of {option}"


def _identity(file: Path | int | Stdin) -> object:
    """Equal for two names of one file; ``None`` for what cannot be written over, such as a device or a pipe."""
    try:
        status = os.fstat(file) if isinstance(file, int) else os.stat(file)  # type: ignore[arg-type]  # noqa: PTH116 - as above
    except (OSError, ValueError):
        return os.path.realpath(file) if isinstance(file, Path) else None
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise failed(f"--report: {path}", exc) from exc


def _check_writable(path: Path) -> None:
    try:
        path.open("ab").close()
    except (OSError, ValueError) as exc:
        why = (exc.strerror or "error").lower() if isinstance(exc, OSError) else "not a path"
        raise ConfigurationError(f"--report: cannot write {path}: {why}; name a file in a folder that exists") from exc


def pacer(speed: float, now: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep) -> Pace:
    """Waits so that event time passes ``speed`` times as fast as the clock on the wall."""
    began: list[float] = []

    def pace(ts: float) -> None:
        if not began:
            began.extend((now(), ts))
        # In pieces, because a leap of decades is longer than the system can sleep at once.
        while (ahead_s := (ts - began[1]) / speed - (now() - began[0])) > 0:
            sleep(min(ahead_s, MAX_SLEEP_S))

    return pace


class _Progress:
    """A bar on a terminal, a plain line now and then elsewhere."""

    def __init__(self, console: Console) -> None:
        self.engine: Replay | None = None
        self._console = console
        self._last = time.monotonic()
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=self._console, transient=True)
            self._bar.start()
            self._task = self._bar.add_task("reading", total=None)
        return self

    def show(self, read_bytes: int, events: int) -> None:
        """So much was read, so many events came of it."""
        total = self.engine.total_bytes if self.engine is not None else None
        if self._bar is not None:
            self._bar.update(self._task, completed=read_bytes, total=total or None, description=f"{events:,} events")
        elif time.monotonic() - self._last >= PLAIN_EVERY_S:
            self._last = time.monotonic()
            share = f" ({min(1.0, read_bytes / total):.0%})" if total else ""
            self._console.print(f"{events:,} events{share}", highlight=False)

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
