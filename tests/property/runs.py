"""Events through the whole pipeline, as native records: what the properties compare."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from monitor.engines.core import Core
from schemas.alert import Alert
from schemas.event import Event
from schemas.formats import FORMATS
from schemas.formats.base import Context, Parser
from tests.checkpoints import Tables, read, write
from tests.property.strategies import LATENESS_S, instances, record

Step = tuple[str, Sequence[bytes]]
"""A source and some of its records."""


def parser(core: Core) -> Parser:
    return FORMATS["native"].parser(Context(memory=core.memory))


class Pipeline:
    """A core with its sources, which are opened before anything is read. ``listen``: what they are parts of, if somebody listens to them."""

    def __init__(self, names: Sequence[str], sources: Sequence[str] = ("log",), *, listen: str | None = None) -> None:
        self.names, self.sources = names, sources
        self.alerts: list[Alert] = []
        self.core = self._fresh()
        self.store: Tables = {}
        for source in sources:
            self.core.open(source, parser(self.core))
            if listen is not None:
                self.core.listen(source, listen)

    def _fresh(self) -> Core:
        return Core(instances(self.names), lateness_s=LATENESS_S, tracking=True)

    def feed(self, steps: Iterable[Step]) -> "Pipeline":
        for source, records in steps:
            self.alerts += self.core.feed(source, records)
        return self

    def restart(self) -> None:
        """Go on with nothing but what the checkpoints say so far; this one adds what has changed since the last."""
        write(self.core.capture(everything=not self.store).finish(), self.store)
        whole = write(self.core.capture(everything=True).finish())
        assert _comparable(self.store) == _comparable(whole)
        self.core = self._fresh()
        self.core.restore(read(self.store), {name: parser(self.core) for name in self.store["inputs"]})

    def end(self) -> list[Alert]:
        """All sources have ended; every alert version there was."""
        for source in self.sources:
            self.alerts += self.core.close(source)
        self.alerts += self.core.finish()
        assert not self.core.runner.failed
        return self.alerts


def _comparable(tables: Tables) -> Tables:
    ids = sorted(event_id for some in tables["seen"].values() for event_id in some)  # they come in other pieces
    return {**tables, "seen": {"": ids}}


def straight(names: Sequence[str], events: Sequence[Event]) -> list[Alert]:
    """The alerts of a log that is read in order of time, in one batch."""
    return Pipeline(names).feed([("log", [record(event) for event in events])]).end()


def same(got: Sequence[Alert], expected: Sequence[Alert]) -> None:
    """Fail unless both are the same versions in the same order: first by what a person compares, then by everything."""
    assert [_short(alert) for alert in got] == [_short(alert) for alert in expected]
    assert [msgspec.to_builtins(alert) for alert in got] == [msgspec.to_builtins(alert) for alert in expected]


def _short(alert: Alert) -> tuple[Any, ...]:
    return alert.id, alert.version, alert.status, alert.detector, alert.entity.value, alert.severity, alert.count
