"""What the live service asks of a source, whatever it is."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec


class Arrived(msgspec.Struct):
    """Some records of one input, in their order."""

    source: str
    """Unique name of the input to the pipeline and in the checkpoint: ``topic/3`` for a partition, ``file:/var/log/auth.log``, ``stdin``."""
    records: Sequence[bytes]
    lines: Sequence[int]
    """Where each began: Kafka offset, or line number."""
    position: Any
    """Where to go on after these records; JSON-ready, kept in the checkpoint."""
    stamps: Sequence[float] | None = None
    """When the broker or the producer stamped each record (Unix seconds), where the input has such stamps."""
    caught_up: bool = False
    """Whether the input had nothing beyond these records when they were read."""
    oversize: Sequence[tuple[int, bytes]] = ()
    """Records longer than allowed: where, and as much of them as was read."""


class LiveInput(msgspec.Struct, frozen=True):
    """One input of a source, as the pipeline must know it before its first record."""

    source: str
    """As in ``Arrived``."""
    format: str
    tenant: str | None = None
    label: str = ""
    """Value of the metric label ``source``; from the configuration, e.g. the topic."""


class LiveSource(Protocol):
    """Delivers records until it is closed. All methods are called from one task, ``next`` again and again, also while paused."""

    async def start(self) -> None:
        """Connect.

        Raises ``ConfigurationError`` for what only a change of settings can cure, ``InputError`` for what cannot be reached.
        """
        ...

    @property
    def inputs(self) -> Sequence[LiveInput]:
        """The inputs it reads now. Empty while another process of the group is the active one."""
        ...

    @property
    def generation(self) -> int:
        """0 until this process is the one that reads; one more each time it has become so anew. Whoever sees it change calls ``seek``."""
        ...

    async def seek(self, positions: Mapping[str, Any]) -> None:
        """Go on at these positions, by input. Nothing is read between a change of ``generation`` and this."""
        ...

    async def next(self, wait_s: float) -> Sequence[Arrived]:
        """What has arrived: at most one ``Arrived`` per input, from at once to after ``wait_s``; empty when nothing did.

        Also named are inputs that are known to have nothing more (``records`` empty, ``caught_up``).
        """
        ...

    def pause(self, sources: frozenset[str]) -> None:
        """Read on from all inputs but these, until the next call. What is paused keeps its place in the group."""
        ...

    async def commit(self, positions: Mapping[str, Any]) -> None:
        """These positions are safe in the store. For information only: a failure is logged and costs nothing."""
        ...

    @property
    def ended(self) -> bool:
        """Whether nothing will ever come any more, as after the end of standard input."""
        ...

    def lag(self) -> Mapping[tuple[str, str], int]:
        """Records not read yet, by (topic, partition), as far as known without asking."""
        ...

    async def close(self) -> None:
        """Leave, cleanly."""
        ...
