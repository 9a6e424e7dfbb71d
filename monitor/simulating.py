"""The `simulate` command, from its options to its exit code."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import IO

import msgspec

from monitor.producing import Topic
from monitor.simulate.attacks import ATTACKS
from monitor.simulate.delivery import Delivery, Stamped, deliver
from monitor.simulate.formats import NATIVE, encode, known
from monitor.simulate.generate import Simulation
from monitor.simulate.truth import Truth
from monitor.simulate.world import Scenario, WorldSettings
from monitor.sinks.errors import failed
from schemas.errors import ConfigurationError

START = WorldSettings().start
"""Event time at which made-up traffic begins unless somebody says otherwise, Unix seconds."""
ALL = "all"
"""Stands for one attack of each kind."""
_BLOCK = 5_000


def simulate(
    *,
    out: Path | None = None,
    topic: Topic | None = None,
    truth: Path | None = None,
    seed: int = 1,
    start: float = START,
    hours: float = 24.0,
    users: int = 200,
    tenants: int = 4,
    scenarios: Sequence[str] = (),
    intensity: str = "high",
    strength: float | None = None,
    spread: int = 1,
    stretch: float = 1.0,
    jitter: float = 0.3,
    deploy_after_h: float | None = None,
    shuffle_s: float = 0.0,
    duplicates: float = 0.0,
    late: float = 0.0,
    late_s: float = Delivery().late_s,
    format: str = NATIVE,  # noqa: A002 - the name of the option
    rate: float | None = None,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Write events to ``out`` (``-``: standard output) or to a Kafka ``topic``, and the truth to ``truth``; the exit code.

    For the knobs of attacks see ``Scenario``, for those of delivery see ``Delivery``. The truth names only detectors for which a log of the
    ``format`` (see ``FORMAT_NAMES``) tells enough. ``rate``: events per second, ``None`` as fast as it goes.
    Raises ``ConfigurationError`` for wrong settings, ``OutputError``.
    """
    if rate is not None and not 0 < rate <= 10_000_000:
        raise ConfigurationError("--rate: is no number of events per second; use more than 0")
    if (out is None) == (topic is None):
        raise ConfigurationError("--out: is one of two ways; give --out FILE or --kafka TOPIC")
    if truth is not None and out is not None and os.path.realpath(truth) == os.path.realpath(out):
        raise ConfigurationError("--truth: is the file of --out; name another one")
    names = [name for given in scenarios for name in (ATTACKS if given == ALL else (given,))]
    knobs = Scenario(name="", intensity=intensity, strength=strength, spread=spread, stretch=stretch, jitter=jitter)
    settings = WorldSettings(
        seed=seed,
        start=start,
        hours=hours,
        users=users,
        tenants=tenants,
        deploy_after_h=deploy_after_h,
        scenarios=tuple(msgspec.structs.replace(knobs, name=name) for name in names),
    )
    truths, events = stream(settings, Delivery(shuffle_s=shuffle_s, duplicates=duplicates, late=late, late_s=late_s), format)
    with ExitStack() as stack:
        if truth is not None:
            with _open(stack, "--truth", truth) as file:
                _write(file, "--truth", truth, b"".join(one.line() for one in truths))
        write = stack.enter_context(topic).write if topic is not None else _lines(stack, out or Path("-"))
        for block in _paced((record for _, record in events), rate, now, sleep):
            write(block)
    return 0


def _lines(stack: ExitStack, out: Path) -> Callable[[Sequence[bytes]], None]:
    file = _open(stack, "--out", out)
    return lambda block: _write(file, "--out", out, b"\n".join(block) + b"\n")


def stream(settings: WorldSettings, delivery: Delivery | None = None, format: str = NATIVE) -> tuple[tuple[Truth, ...], Iterator[Stamped]]:  # noqa: A002
    """The truth, and the records as they arrive: each with its event time in Unix seconds, without line ends.

    Raises ``ConfigurationError`` for what cannot be simulated. A repeat is the same record again, so that its id tells it from another.
    """
    delivery = delivery or Delivery()
    delivery.check()
    simulation = Simulation(settings)
    events = deliver(encode(simulation.timed(), format), delivery, settings.seed)
    return known(simulation.truth, format), events


def _paced(events: Iterator[bytes], rate: float | None, now: Callable[[], float], sleep: Callable[[float], None]) -> Iterator[list[bytes]]:
    """Blocks of events, ten a second where there is a rate."""
    began, sent = now(), 0
    size = _BLOCK if rate is None else max(1, min(_BLOCK, int(rate / 10)))
    while block := list(islice(events, size)):
        yield block
        sent += len(block)
        if rate is not None and (ahead_s := sent / rate - (now() - began)) > 0:
            sleep(ahead_s)


def _open(stack: ExitStack, option: str, path: Path) -> IO[bytes]:
    if path == Path("-"):
        return sys.stdout.buffer
    try:
        return stack.enter_context(path.open("wb"))
    except OSError as exc:
        raise failed(f"{option}: {path}", exc) from exc


def _write(file: IO[bytes], option: str, path: Path, data: bytes) -> None:
    try:
        file.write(data)
        file.flush()
    except BrokenPipeError:
        raise
    except OSError as exc:
        raise failed(f"{option}: {path}", exc) from exc
