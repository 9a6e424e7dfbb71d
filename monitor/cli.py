"""The command line.

Exit codes: 0 done; 1 found what the caller asked to be told of (an alert of ``--fail-on``, a golden case that does not hold, a
configuration that ``check-config`` finds wrong); 2 wrong usage or configuration; 3 an input that cannot be read, or not to its end, or an
output that cannot be written any further; 130 interrupted. A reader of standard output that leaves early, such as ``head``, is no error.
"""

import logging
import os
import re
import sys
from collections.abc import Callable
from enum import Enum
from functools import wraps
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from monitor import __version__
from monitor.settings import Settings, load
from monitor.sinks.errors import OutputError
from schemas.errors import ConfigurationError, InputError
from schemas.export import EXPORT_NAMES
from schemas.formats import FORMATS
from schemas.severity import SEVERITIES
from schemas.stamps import from_text
from schemas.text import printable

app = typer.Typer(
    name="watchfloor",
    help="Finds attacks in event streams: correct in event time, replayable, and every alert explains itself.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
rules = typer.Typer(help="The detection rules themselves.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(rules, name="rules")

FormatName = Enum("FormatName", {name: name for name in ("auto", *FORMATS)}, type=str)  # type: ignore[misc]
OutFormatName = Enum("OutFormatName", {name: name for name in EXPORT_NAMES}, type=str)  # type: ignore[misc]
IntensityName = Enum("IntensityName", {name: name for name in ("low", "medium", "high")}, type=str)  # type: ignore[misc]
SimulatedFormatName = Enum("SimulatedFormatName", {name: name for name in ("native", "sshd", "web_access")}, type=str)  # type: ignore[misc]
SeverityName = Enum("SeverityName", {name: name for name in SEVERITIES}, type=str)  # type: ignore[misc]

ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", metavar="FILE", help="Configuration file (YAML); without it the defaults hold.")
]


def _guarded(command: Callable[..., Any]) -> Callable[..., Any]:
    """Turns the errors a user can cause into a message and an exit code."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            code = command(*args, **kwargs)
        except ConfigurationError as exc:
            _complain(exc)
            code = 2
        except (InputError, OutputError) as exc:
            _complain(exc)
            _fall_silent()
            code = 3
        except KeyboardInterrupt:
            _complain("interrupted")
            code = 130
        except (BrokenPipeError, SystemExit):  # rich, which writes the tables, makes the second of the first
            _fall_silent()
            code = 0
        except OSError as exc:  # every file we open says what became of it; what is left is the text that is shown
            _complain(f"standard output: writing failed: {(exc.strerror or 'error').lower()}")
            _fall_silent()
            code = 3
        raise typer.Exit(code or 0)

    return run


def _fall_silent() -> None:
    """Nobody can read standard output any more, so what is still buffered must not fail a second time when Python ends."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@app.callback(invoke_without_command=True)
def common(
    version: Annotated[bool, typer.Option("--version", help="Show the version and end.", is_eager=True)] = False,  # noqa: FBT002
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more while working.")] = False,  # noqa: FBT002
) -> None:
    """Set up what all commands share."""
    if version:
        typer.echo(f"watchfloor {__version__}")
        raise typer.Exit
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO if verbose else logging.WARNING, format="%(levelname)s %(name)s: %(message)s", force=True
    )


@app.command(
    epilog="Example: watchfloor replay --report report.html --out alerts.jsonl /var/log/auth.log /var/log/nginx/  "
    "To learn from history: watchfloor replay --learn-only --state-out state.db /var/log/old/"
)
@_guarded
def replay(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Log files or folders; - is standard input. .gz and .zst are read as they are.")
    ],
    config: ConfigOption = None,
    format_: Annotated[
        FormatName, typer.Option("--format", help="Input format; auto decides for each file from its content, and says so.")
    ] = FormatName.auto,  # type: ignore[attr-defined]
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write every alert version as a JSON line (- is standard output).")
    ] = None,
    out_format: Annotated[
        OutFormatName, typer.Option(help="How --out writes alerts: native, OCSF Detection Findings, or Elastic Common Schema.")
    ] = OutFormatName.native,  # type: ignore[attr-defined]
    final: Annotated[bool, typer.Option("--final", help="Write only the last version of each alert.")] = False,  # noqa: FBT002
    report: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a self-contained HTML report.")] = None,
    rejects: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep every record that is no event, whole, with the reason.")
    ] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Leave out events before this time (RFC 3339; event time).")] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Leave out events at or after this time (RFC 3339; event time).")
    ] = None,
    year: Annotated[
        int | None, typer.Option(min=1990, max=2099, help="Year of the first syslog stamp without one; else taken from the file's time.")
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="Tenant of records that name none.")] = None,
    speed: Annotated[str, typer.Option(help="max, or a multiple of real time: 1x, 60x.")] = "max",
    deliver: Annotated[bool, typer.Option("--deliver", help="Also send alerts to the configured sinks.")] = False,  # noqa: FBT002
    fail_on: Annotated[SeverityName | None, typer.Option(help="Exit with 1 when an alert of this severity or worse was found.")] = None,
    verdicts: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What somebody found alerts to be, a JSON object a line; see docs/verdicts.md.")
    ] = None,
    state_in: Annotated[Path | None, typer.Option(metavar="FILE", help="Begin with what a state file remembers of earlier logs.")] = None,
    state_out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Save all that detectors remember at the end; for --state-in and service.warm_start."),
    ] = None,
    learn_only: Annotated[bool, typer.Option("--learn-only", help="Write and deliver no alerts; needs --state-out.")] = False,  # noqa: FBT002
) -> int:
    """Run log files through the pipeline, in event time."""
    from monitor import replaying  # noqa: PLC0415 - other commands start faster without it
    from monitor.engines.replay import Options  # noqa: PLC0415
    from monitor.learning import History  # noqa: PLC0415

    if "" in files:
        raise ConfigurationError("FILE: the name is empty; name a file or folder, or - for standard input")
    if tenant is not None and not (tenant and tenant.isprintable()):
        raise ConfigurationError("--tenant: is empty, or has characters that cannot be printed")
    settings = _settings(config)
    options = Options(
        format=format_.value,
        year=year,
        tenant=tenant if tenant is not None else settings.tenant,
        since=float("-inf") if since is None else _time("--since", since),
        until=float("inf") if until is None else _time("--until", until),
        max_record_bytes=settings.max_record_bytes,
        batch_records=1000 if speed == "max" else 1,
    )
    if options.since >= options.until:
        raise ConfigurationError("--since: is not before --until, so no event is left")
    outputs = replaying.Outputs(
        config=config, out=out, out_format=out_format.value, final=final, report=report, rejects=rejects, deliver=deliver
    )
    history = History(state_in=state_in, state_out=state_out, learn_only=learn_only)
    return replaying.replay(files, settings, options, outputs, _speed(speed), None if fail_on is None else fail_on.value, history, verdicts)


@app.command(epilog="Example: watchfloor run -c watchfloor.yaml")
@_guarded
def run(config: ConfigOption = None) -> int:
    """The service: read what is configured, as it comes, and deliver alerts until stopped."""
    from monitor import service  # noqa: PLC0415

    return service.run(_settings(config), lambda: _settings(config))


@app.command(epilog="Example: watchfloor explain --alerts alerts.jsonl 3f9ac2 /var/log/auth.log")
@_guarded
def explain(
    alert_id: Annotated[
        str, typer.Argument(metavar="ALERT_ID", help="Id of the alert; its first characters are enough where they are unique.")
    ],
    files: Annotated[
        list[str] | None, typer.Argument(metavar="[FILE...]", help="The logs it came from, to show the records themselves.")
    ] = None,
    alerts: Annotated[Path, typer.Option(metavar="FILE", help="Where replay --out wrote them.")] = Path("alerts.jsonl"),
    config: ConfigOption = None,
    year: Annotated[int | None, typer.Option(min=1990, max=2099, help="As for replay.")] = None,
) -> int:
    """Show one alert: the evidence, the numbers, and the smallest change that would have kept it silent."""
    from monitor import explaining  # noqa: PLC0415

    return explaining.explain(alert_id, alerts, files or [], _settings(config), year)


@app.command(epilog="Example: watchfloor simulate --hours 48 --scenario all --out events.jsonl --truth truth.jsonl")
@_guarded
def simulate(
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where the events go, one JSON object a line (- is standard output).")
    ] = None,
    kafka: Annotated[
        str | None, typer.Option(metavar="TOPIC", help="In place of --out: the topic of the configured brokers they go to.")
    ] = None,
    config: ConfigOption = None,
    truth: Annotated[Path | None, typer.Option(metavar="FILE", help="Where it is written down what the attacks were.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed makes the same events.")] = 1,
    start: Annotated[str | None, typer.Option(metavar="T", help="Event time it begins at, RFC 3339; without it a Monday in 2026.")] = None,
    hours: Annotated[float, typer.Option(min=0.1, max=24 * 400, help="How long a time is made up, in hours of event time.")] = 24.0,
    users: Annotated[int, typer.Option(min=1, max=60_000, help="How many people there are.")] = 200,
    tenants: Annotated[int, typer.Option(min=1, max=8, help="How many customers they belong to.")] = 4,
    scenario: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="An attack, by its detector's name; again for more; all.")
    ] = None,
    intensity: Annotated[IntensityName, typer.Option(help="How hard the attacks go about it.")] = IntensityName.high,  # type: ignore[attr-defined]
    strength: Annotated[
        float | None, typer.Option(help="The same as a number: 1 low, 2 medium, 3 high; below 1 under the rules' limits.")
    ] = None,
    spread: Annotated[int, typer.Option(min=1, help="Addresses an attack comes from, where it can come from several.")] = 1,
    stretch: Annotated[float, typer.Option(help="Times as long as an attack usually takes.")] = 1.0,
    shuffle_s: Annotated[float, typer.Option("--shuffle-s", help="Events come out of order by up to so many seconds.")] = 0.0,
    duplicates: Annotated[float, typer.Option(metavar="SHARE", help="Share of events that come twice, 0 to 1.")] = 0.0,
    late: Annotated[float, typer.Option(metavar="SHARE", help="Share of events that come late, 0 to 1.")] = 0.0,
    format_: Annotated[
        SimulatedFormatName, typer.Option("--format", help="Form of the events; logs hold only what such a log would.")
    ] = SimulatedFormatName.native,  # type: ignore[attr-defined]
    rate: Annotated[float | None, typer.Option(metavar="EPS", help="Events per second; without it as fast as it goes.")] = None,
) -> int:
    """Make up labelled traffic: people at work, and attacks among them."""
    from monitor import producing, simulating  # noqa: PLC0415

    return simulating.simulate(
        out=out,
        topic=None if kafka is None else producing.Topic(_settings(config), kafka),
        start=simulating.START if start is None else _time("--start", start),
        truth=truth,
        seed=seed,
        hours=hours,
        users=users,
        tenants=tenants,
        scenarios=scenario or [],
        intensity=intensity.value,
        strength=strength,
        spread=spread,
        stretch=stretch,
        shuffle_s=shuffle_s,
        duplicates=duplicates,
        late=late,
        format=format_.value,
        rate=rate,
    )


@app.command(epilog="Example: watchfloor evaluate --truth truth.jsonl alerts.jsonl --report evaluation.html")
@_guarded
def evaluate(
    alerts: Annotated[Path, typer.Argument(metavar="ALERTS", help="Where replay --out wrote them.")],
    truth: Annotated[Path, typer.Option(metavar="FILE", help="Where simulate --truth wrote what the attacks were.")],
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the figures as JSON (- is standard output).")] = None,
    report: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a self-contained HTML page.")] = None,
    min_recall: Annotated[
        float | None, typer.Option(metavar="SHARE", help="Exit with 1 when a smaller share of what should be found is found, 0 to 1.")
    ] = None,
    max_false_per_day: Annotated[
        float | None, typer.Option(metavar="N", help="Exit with 1 when more alerts a day belong to no attack.")
    ] = None,
    days: Annotated[float | None, typer.Option(help="How long the traffic was, in days; else as the truth says.")] = None,
    frontier: Annotated[  # noqa: FBT002
        bool, typer.Option("--frontier", help="Also try out how weak, slow or spread each attack may be and still be found; takes minutes.")
    ] = False,
    config: ConfigOption = None,
) -> int:
    """Compare alerts with the truth: what was found, how soon, and what was raised for nothing."""
    from monitor import evaluating  # noqa: PLC0415

    return evaluating.evaluate(
        truth=truth,
        alerts=alerts,
        json=json,
        report=report,
        min_recall=min_recall,
        max_false_per_day=max_false_per_day,
        days=days,
        frontier=frontier,
        settings=_settings(config),
    )


@app.command("check-config", epilog="Example: watchfloor check-config -c watchfloor.yaml")
@_guarded
def check_config(
    config: ConfigOption = None,
    send_test: Annotated[str | None, typer.Option(metavar="SINK", help="Send an alert marked as a test to this sink.")] = None,
) -> int:
    """Check the whole configuration, open the databases it names, and say what it does."""
    from monitor import checking  # noqa: PLC0415

    try:
        settings = _settings(config)
        checking.check(settings)
    except ConfigurationError as exc:
        _complain(exc)
        return 1
    if send_test is not None:
        checking.send(settings, send_test)
    return 0


@rules.command("test", epilog="Example: watchfloor rules test tests/golden/password_spray")
@_guarded
def rules_test(
    path: Annotated[Path, typer.Argument(help="A folder of golden cases: one detector's, one case, or all.")] = Path("tests/golden"),
) -> int:
    """Run each rule's own positive and negative examples."""
    from monitor import golden  # noqa: PLC0415

    return golden.run(path)


def main() -> None:
    """Entry point of the `watchfloor` command."""
    if isinstance(sys.stdout, TextIOWrapper):  # a letter the terminal has none for is no reason to fail
        sys.stdout.reconfigure(errors="replace")
    app()


def _settings(config: Path | None) -> Settings:
    return load(config, os.environ)


def _time(option: str, text: str) -> float:
    from schemas.errors import RejectError  # noqa: PLC0415

    try:
        return from_text(text)
    except RejectError as exc:
        raise ConfigurationError(f"{option}: not a time; write RFC 3339, e.g. 2026-01-31T12:00:00Z") from exc


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)x", text)
    if match is None or float(match[1]) == 0:
        raise ConfigurationError("--speed: expected max or a multiple of real time such as 1x or 60x")
    return float(match[1])


def _complain(problem: object) -> None:
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    for number, line in enumerate(str(problem).split("\n")):
        console.print(printable(line if number else f"watchfloor: {line}"))
