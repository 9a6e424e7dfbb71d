"""Whom the engine of the live service deals with, beside its sources and its store."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from monitor.engines.checkpointer import Meters
from monitor.verdicts import Judged
from schemas.alert import Alert
from schemas.errors import RejectError


class Listener(Meters, Protocol):
    """Whom the engine tells what happens."""

    def count_alerts(self, alerts: Sequence[Alert]) -> None:
        """Alert versions the pipeline has made."""
        ...

    def judged(self, judged: Judged) -> None:
        """Somebody has found out what an alert is."""
        ...

    async def activated(self) -> None:
        """This process reads from now on; also after a reload."""
        ...

    def saved(self) -> None:
        """Alerts may be waiting in the outbox."""
        ...

    async def deactivated(self) -> None:
        """Another process reads from now on."""
        ...


class Rejects(Protocol):
    """Where records that are no events are kept."""

    def keep(self, source: str, line: int, record: bytes, error: RejectError) -> None:
        """Take one; it is safe after ``flush``."""
        ...

    @property
    def is_full(self) -> bool:
        """Whether so much waits to become safe that no more should be taken."""
        ...

    async def flush(self) -> None:
        """All that was kept so far is safe when this returns."""
        ...


@runtime_checkable
class Shared(Protocol):
    """A source of which one process of several reads, and whose positions mean something at one place only."""

    @property
    def is_active(self) -> bool:
        """Whether this process is the one that reads."""
        ...

    @property
    def cluster(self) -> str | None:
        """Id of the place; ``None`` where it has none."""
        ...

    def owns(self, name: str) -> bool:
        """Whether an input of this name would be its own."""
        ...
