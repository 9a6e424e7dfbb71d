"""Verdicts that are given while the service runs: they wait for a moment between two batches, and whoever gave them until they are safe.

What a verdict changes (an alert, what a detector has learned, what is expected) belongs to one moment of the stream, as the positions do. So
it is safe with the next checkpoint, which is taken at once, and not by a log of its own: after a crash such a log would have to be applied
again at the very same event.
"""

import asyncio
from collections.abc import Callable, Iterator

from monitor.engines.checkpointer import Checkpointer, Promise
from monitor.engines.core import Core
from monitor.verdicts import BadVerdictError, Given, Judged, NotActiveError, UnknownAlertError

MAX_ASKED = 1_000
"""Verdicts that may wait for their moment."""
_NOT_ACTIVE = "this process does not read at present: it starts, stops, or stands by for another one; ask that one, or try again"
_NOT_SAFE = "another process reads now, and the verdict may be lost; give it to that one"
_FAILING = "the store cannot be written at present; try again once /readyz says that it can"
_TOO_MANY = "too many verdicts wait already; try again in a second"


class Asked:
    """The verdicts that wait. ``on_judged`` is told of each that has changed something."""

    def __init__(self, on_judged: Callable[[Judged], None]) -> None:
        self._on_judged = on_judged
        self._waiting: list[tuple[Given, asyncio.Future[tuple[Judged, Promise]]]] = []

    async def judge(self, given: Given, *, active: bool) -> Judged:
        """Safe when this returns. Raises ``UnknownAlertError``, ``BadVerdictError`` and ``NotActiveError``."""
        if not active or len(self._waiting) >= MAX_ASKED:
            raise NotActiveError(_TOO_MANY if active else _NOT_ACTIVE)
        asked: asyncio.Future[tuple[Judged, Promise]] = asyncio.get_running_loop().create_future()
        self._waiting.append((given, asked))
        judged, safe = await asked
        await asyncio.wait([safe])
        if safe.cancelled():
            raise NotActiveError(_NOT_SAFE)
        return judged

    def apply(self, core: Core, checkpointer: Checkpointer) -> Iterator[Judged]:
        """Apply those that wait, one by one. Between two batches only."""
        waiting, self._waiting = self._waiting, []
        for given, asked in waiting:
            if asked.done():
                continue  # whoever asked has given up
            if checkpointer.failing:
                asked.set_exception(NotActiveError(_FAILING))
                continue
            try:
                judged = core.judge(given)
            except (UnknownAlertError, BadVerdictError) as error:
                asked.set_exception(error)
                continue
            if judged.changed:
                self._on_judged(judged)
            safe: Promise = asyncio.get_running_loop().create_future()
            checkpointer.promises.append(safe)
            asked.set_result((judged, safe))
            yield judged

    def refuse(self) -> None:
        """This process does not read any more, or not yet."""
        waiting, self._waiting = self._waiting, []
        for _, asked in waiting:
            if not asked.done():
                asked.set_exception(NotActiveError(_NOT_ACTIVE))
