"""Reads partitions that it is told of, from positions that it is told of."""

import asyncio
import logging
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import aiokafka.errors as kafka
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.protocol.metadata import MetadataRequest

from monitor.settings_kafka import KafkaSettings
from monitor.sources.kafka_place import Jump, Start, resolve, source_of
from monitor.sources.live import Arrived

_log = logging.getLogger("watchfloor")

ASK_S = 10.0
"""Longest wait for the brokers to say what a partition holds."""
STALE_S = 5.0
"""After so long without an answer about a partition nothing is known of it: not that it has no more records, either."""
REPEAT_S = 10.0
PAUSE_S = 0.5
"""After an error that the next attempt would only meet again."""


class Reader:
    """``connection``: options for aiokafka's client. ``start`` it, ``place`` partitions, ``read``, ``close``."""

    def __init__(self, connection: Mapping[str, Any], settings: KafkaSettings, max_record_bytes: int) -> None:
        self._connection = dict(connection)
        self._settings = settings
        self._max_record_bytes = max_record_bytes
        self._consumer: Any = None
        self.cluster: str | None = None
        """Id of the cluster it is connected to; ``None`` before ``start``, and where brokers are too old to have one."""
        self.positions: dict[TopicPartition, int] = {}
        """Where each placed partition goes on."""
        self._fresh: set[TopicPartition] = set()
        """Placed, and not named to the pipeline yet."""
        self._answered: dict[TopicPartition, float] = {}
        """Monotonic seconds at which the brokers last said something about a partition."""
        self._polls: dict[TopicPartition, int] = {}
        self._told: dict[str, float] = {}
        self.jumps: list[Jump] = []
        """Positions given up so far, oldest first (the last hundred)."""
        self.jumps_total = 0
        self.lost_total = 0
        """Records that the brokers deleted before they were read, as far as offsets tell."""

    async def start(self) -> None:
        """Connect. Raises the library's errors."""
        settings = self._settings
        self._consumer = AIOKafkaConsumer(
            **self._connection,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            fetch_max_wait_ms=round(settings.fetch_wait_s * 1000),
            fetch_max_bytes=settings.fetch_bytes,
            max_partition_fetch_bytes=settings.partition_fetch_bytes,
        )
        try:
            await self._consumer.start()
            await self.identify()
        except BaseException:
            await self.close()
            raise

    async def identify(self) -> None:
        """Ask which cluster it is connected to by now. Raises the library's errors."""
        client = self._consumer._client  # noqa: SLF001 - the consumer itself does not say
        answer = await client.send(client.get_random_node(), MetadataRequest([], allow_auto_topic_creation=False))
        self.cluster = getattr(answer, "cluster_id", None)

    async def close(self) -> None:
        """Let go of the connections; positions stay known."""
        if self._consumer is not None:
            consumer, self._consumer = self._consumer, None
            await consumer.stop()

    async def reopen(self) -> None:
        """Connect anew, by the configured addresses, and go on where it was. Raises the library's errors."""
        await self.close()
        await self.start()
        self._assign(self.positions)

    @property
    def is_open(self) -> bool:
        """Whether it is connected, or the library sees to it."""
        return self._consumer is not None

    def addresses(self) -> frozenset[tuple[str, int]]:
        """Where the brokers are, as far as this connection knows."""
        return frozenset((broker.host, broker.port) for broker in self._consumer._client.cluster.brokers())  # noqa: SLF001 - no other way

    def forget(self) -> None:
        """Read nothing until partitions are placed again."""
        self.positions = {}
        self._fresh = set()
        if self._consumer is not None:
            self._consumer.assign([])

    async def place(self, partitions: frozenset[TopicPartition], known: Mapping[TopicPartition, int], start: Start) -> None:
        """Read exactly these partitions from now on; those that are read already go on where they are.

        Raises the library's errors, or ``TimeoutError``; then nothing has changed.
        """
        new = [partition for partition in partitions if partition not in self.positions]
        found: dict[TopicPartition, int] = {}
        if new:
            async with asyncio.timeout(ASK_S):
                found, jumps = await resolve(self._consumer, new, known, start)
            self._note(jumps)
        kept = {partition: position for partition, position in self.positions.items() if partition in partitions}
        self._fresh = (self._fresh & partitions) | set(new)
        self._assign(kept | found)

    def _assign(self, positions: Mapping[TopicPartition, int]) -> None:
        self.positions = dict(positions)
        self._polls.clear()
        now = time.monotonic()
        self._answered = dict.fromkeys(self.positions, now)
        self._consumer.assign(list(self.positions))
        # Nothing may be awaited in between: the library would look for positions of its own.
        for partition, position in self.positions.items():
            self._consumer.seek(partition, position)

    def _note(self, jumps: Iterable[Jump]) -> None:
        for jump in jumps:
            jump.tell()
            self.jumps_total += 1
            self.lost_total += jump.lost
            self.jumps = [*self.jumps[-99:], jump]

    async def read(self, paused: Collection[str], wait_s: float) -> list[Arrived]:
        """What there is of partitions that are not paused: at once, or within ``wait_s``."""
        open_ = [partition for partition in self.positions if source_of(partition) not in paused]
        self._keep_alive(partition for partition in self.positions if source_of(partition) in paused)
        if not open_:
            await asyncio.sleep(wait_s)
            return []
        await asyncio.sleep(0)  # where there always is something, the library's own tasks must get their turn
        drained: dict[TopicPartition, Any] = {}
        for partition in open_:
            drained |= await self._get((partition,), 0)
        if not drained and not self._fresh and wait_s > 0:
            drained = await self._get(open_, wait_s)
        arrived = [self._arrived(partition, records) for partition, records in drained.items()]
        return arrived + self._quiet(partition for partition in open_ if partition not in drained and partition in self.positions)

    async def _get(self, partitions: Sequence[TopicPartition], wait_s: float) -> dict[TopicPartition, Any]:
        limit = self._settings.max_records
        try:
            found = await self._consumer.getmany(*partitions, timeout_ms=round(wait_s * 1000), max_records=limit)
        except kafka.OffsetOutOfRangeError as exc:
            await self._go_on(exc.args[0] if exc.args else {})
        except kafka.KafkaError as exc:
            names = ", ".join(sorted({partition.topic for partition in partitions}))
            self._tell(f"{type(exc).__name__} {names}", names, exc)
            await asyncio.sleep(PAUSE_S)
        else:
            return dict(found)
        return {}

    def _tell(self, key: str, topics: str, error: Exception) -> None:
        now = time.monotonic()
        if now - self._told.get(key, -REPEAT_S) >= REPEAT_S:
            self._told[key] = now
            cures: dict[type[Exception], str] = {
                kafka.TopicAuthorizationFailedError: "grant this user READ on the topic",
                kafka.CorruptRecordException: "what the broker holds does not match its checksum; look at the broker's disk",
                kafka.UnsupportedCodecError: "records are compressed in a way that is not known here",
            }
            what = cures.get(type(error), "tried again")
            _log.warning("kafka_read_failed", extra={"topics": topics, "error": type(error).__name__, "reason": what})

    async def _go_on(self, gone: Mapping[TopicPartition, int]) -> None:
        """Positions are gone while reading: go on at the beginning of what is left."""
        lost = {partition: position for partition, position in gone.items() if partition in self.positions}
        try:
            async with asyncio.timeout(ASK_S):
                positions, jumps = await resolve(self._consumer, lost, lost, "earliest")
        except (kafka.KafkaError, TimeoutError):
            await asyncio.sleep(PAUSE_S)  # it is met again
            return
        self._note(jumps)
        for partition, position in positions.items():
            self.positions[partition] = position
            self._consumer.seek(partition, position)

    def _arrived(self, partition: TopicPartition, records: Sequence[Any]) -> Arrived:
        limit = self._max_record_bytes
        values: list[bytes] = []
        lines: list[int] = []
        stamps: list[float] = []
        oversize: list[tuple[int, bytes]] = []
        for record in records:
            value = record.value
            if value is None:
                continue  # a tombstone: it says that a key is gone, and is no event
            if len(value) > limit:
                oversize.append((record.offset, value))
                continue
            values.append(value)
            lines.append(record.offset)
            stamps.append(record.timestamp / 1000)
        position = self._position(partition, records[-1].offset + 1)
        self.positions[partition] = position
        self._fresh.discard(partition)
        self._answered[partition] = time.monotonic()
        has_stamps = not stamps or min(stamps) >= 0
        return Arrived(
            source=source_of(partition),
            records=values,
            lines=lines,
            position=position,
            stamps=stamps if has_stamps else None,
            caught_up=self._is_caught_up(partition, position),
            oversize=oversize,
        )

    def _quiet(self, partitions: Iterable[TopicPartition]) -> list[Arrived]:
        """Those without records of which something is known all the same: that there is nothing more, or where they begin."""
        found = []
        for partition in partitions:
            position = self._position(partition, self.positions[partition])
            self.positions[partition] = position
            caught_up = self._is_caught_up(partition, position)
            if caught_up or partition in self._fresh:
                self._fresh.discard(partition)
                found.append(Arrived(source=source_of(partition), records=(), lines=(), position=position, stamps=(), caught_up=caught_up))
        return found

    def _position(self, partition: TopicPartition, otherwise: int) -> int:
        """The library's own position: it is also past what is no record, such as the marks of transactions."""
        state = self._consumer._subscription._assigned_state(partition)  # noqa: SLF001 - position() is the same, but has to be awaited
        return int(state.position) if state.has_valid_position else otherwise

    def _is_caught_up(self, partition: TopicPartition, position: int) -> bool:
        poll = self._consumer.last_poll_timestamp(partition)
        now = time.monotonic()
        if poll is not None and poll != self._polls.get(partition):
            self._polls[partition] = poll
            self._answered[partition] = now
        end = self._end(partition)
        return end is not None and position >= end and now - self._answered[partition] < STALE_S + self._settings.fetch_wait_s

    def _end(self, partition: TopicPartition) -> int | None:
        """The first offset that cannot be read yet: of the next record, or of an open transaction."""
        highwater = self._consumer.highwater(partition)
        stable = self._consumer.last_stable_offset(partition)
        if highwater is None:
            return None
        return int(highwater) if stable is None or stable < 0 else min(int(highwater), int(stable))

    def _keep_alive(self, partitions: Iterable[TopicPartition]) -> None:
        """Nothing is asked about what is paused, so that no answer means nothing."""
        now = time.monotonic()
        for partition in partitions:
            self._answered[partition] = now

    def silent_s(self) -> float:
        """For how long the brokers have said nothing about any of the partitions (seconds); 0 when there are none."""
        if not self.positions:
            return 0.0
        return time.monotonic() - max(self._answered[partition] for partition in self.positions)

    def lag(self) -> dict[tuple[str, str], int]:
        """Records between position and end, by topic and partition, as of the last answer."""
        found = {}
        for partition, position in self.positions.items():
            highwater = self._consumer.highwater(partition) if self._consumer is not None else None
            if highwater is not None:
                found[partition.topic, str(partition.partition)] = max(0, highwater - position)
        return found
