"""Rejected records to a topic of their own: whole, with the reason and where they came from."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from monitor.kafka_probe import Named
from monitor.kafka_producer import Outgoing, Producer, explain_refusal
from monitor.settings_kafka import KafkaSettings
from schemas.errors import ConfigurationError, InputError, RejectError

_log = logging.getLogger("watchfloor")

MAX_QUEUED = 10_000
MAX_QUEUED_BYTES = 16_777_216
BATCH = 500
BATCH_BYTES = 4_194_304
WRITE_S = 15.0
FIRST_WAIT_S = 0.5
MAX_WAIT_S = 30.0
CUT_HEADER = "truncated_from_bytes"


class KafkaDeadLetters:
    """``settings.dead_letter_topic`` must be set.

    ``keep`` never waits. The engine awaits ``flush`` before each checkpoint, so that a position is only saved when all rejects before it are
    safe, and whenever ``is_full``. After a crash a record may be there twice, with the same topic, partition and offset.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        wall: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        assert settings.dead_letter_topic is not None
        self._settings = settings
        self._topic = Named(settings.dead_letter_topic, "kafka.dead_letter_topic")
        self._wall = wall
        self._sleep = sleep
        # Not idempotent: twice is better than an order that one refused record breaks for all behind it.
        self._producer = Producer(settings, self._topic, WRITE_S, idempotent=False)
        self._queue: deque[Outgoing] = deque()
        self._bytes = 0
        self._batch = BATCH
        self.written_total = 0
        """Records that are safe."""
        self.cut_total = 0
        """Of these, how many the topic took only in part, for their length."""

    async def start(self) -> None:
        """Look whether the topic is there. Raises ``ConfigurationError`` and ``InputError``."""
        await self._producer.check()

    def keep(self, source: str, line: int, record: bytes, error: RejectError, form: str) -> None:
        """Queue one record. ``source``, ``line``: as the pipeline names them; of a partition they become topic, partition and offset."""
        topic, _, partition = source.rpartition("/")
        of_kafka = bool(topic) and ":" not in topic and partition.isdigit()
        where = {"topic": topic, "partition": partition, "offset": str(line)} if of_kafka else {"source": source, "line": str(line)}
        moment = datetime.fromtimestamp(self._wall(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        headers = {"reason": error.reason, "detail": error.detail, **where, "format": form, "time": moment}
        self._queue.append(Outgoing(None, bytes(record), [(name, value.encode()) for name, value in headers.items()]))
        self._bytes += len(record)

    @property
    def is_full(self) -> bool:
        """Whether so much is queued that ``flush`` must not wait for the next checkpoint."""
        return len(self._queue) >= MAX_QUEUED or self._bytes >= MAX_QUEUED_BYTES

    async def flush(self) -> None:
        """Make all that was kept so far safe. Tries again for as long as it takes, and says once that it has to."""
        wait_s = FIRST_WAIT_S
        troubled = False
        while self._queue:
            problem = await self._write_some()
            if problem is None:
                wait_s = FIRST_WAIT_S
                if troubled:
                    troubled = False
                    _log.info("dead_letters_back", extra={"topic": self._topic.topic})
                continue
            if not troubled:
                troubled = True
                _log.warning("dead_letters_wait", extra={"topic": self._topic.topic, "reason": problem})
            await self._sleep(wait_s)
            wait_s = min(MAX_WAIT_S, 2 * wait_s)

    def _next_batch(self) -> list[Outgoing]:
        batch: list[Outgoing] = []
        size = 0
        for record in self._queue:
            if batch and (len(batch) >= self._batch or size + len(record.value) > BATCH_BYTES):
                break
            batch.append(record)
            size += len(record.value)
        return batch

    async def _write_some(self) -> str | None:
        batch = self._next_batch()
        try:
            results = await self._producer.write(batch)
        except (ConfigurationError, InputError) as exc:
            return str(exc)
        again: list[Outgoing] = []
        problem: str | None = None
        too_long = False
        for record, result in zip(batch, results, strict=True):
            self._queue.popleft()
            if result is None:
                self.written_total += 1
                self._bytes -= len(record.value)
                continue
            why = explain_refusal(result, self._topic, self._settings)
            if isinstance(why, InputError):
                problem = problem or str(why)
            else:
                too_long = True
                if len(batch) == 1:
                    record = self._shortened(record)
            again.append(record)
        self._queue.extendleft(reversed(again))
        # The limit is for records that are sent together: one that is refused alone is too long itself.
        self._batch = 1 if too_long else min(BATCH, 2 * self._batch)
        return problem

    def _shortened(self, record: Outgoing) -> Outgoing:
        """Half of it, with a header that says how long it was. A part that is seen is worth more than a whole that is lost."""
        kept = record.value[: len(record.value) // 2]
        self._bytes -= len(record.value) - len(kept)
        headers = list(record.headers)
        if headers[-1][0] != CUT_HEADER:
            self.cut_total += 1
            headers.append((CUT_HEADER, b"%d" % len(record.value)))
        return Outgoing(record.key, kept, headers)

    async def close(self) -> None:
        """Let go of the connection. What was not flushed is not kept: it comes again, as its position is in no checkpoint."""
        await self._producer.close()
