"""Kafka as a source of the live service.

How the engine and this source talk, beyond ``monitor.sources.live``:

1. ``start`` connects and joins the group. It is given no positions: the store may be another process's until this one is the active one.
2. ``next`` is called again and again, also on standby, where it waits and returns nothing and ``inputs`` is empty.
3. When this process becomes the active one, ``generation`` has grown by one after a ``next`` (or ``start``). The engine then throws away all
   state, takes the store over, loads it, and awaits ``seek`` with its positions. Before that ``next`` returns no record.
4. The first ``next`` with anything in it after ``seek`` names every input, if only with the position where it begins. A checkpoint right
   then makes sure that a process that dies early is not followed by one that begins later.
5. When the group is formed anew, ``on_revoke`` is awaited, in ``next``: the engine writes a checkpoint there, in less than 0.8 of
   ``session_timeout_s``; the group waits so long. As a rule this process then goes on with nothing changed, and needs to do nothing.
6. When another process has become the active one (this one had been silent for too long), ``inputs`` is empty after a ``next``. What is not
   in the store is then worthless: the engine drops its state, writes nothing, and goes on with 2.
7. New partitions appear in ``inputs`` and are read from their beginning; partitions of a topic that was deleted disappear. The ``next`` after
   which they are missing names each once more, with the position where it would go on if it came back: its beginning.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import aiokafka.errors as kafka
from aiokafka import TopicPartition

from monitor.kafka_probe import Named, explained, probe
from monitor.kafka_security import connection
from monitor.settings_kafka import KafkaSettings, KafkaTopic
from monitor.sources.kafka_group import Membership
from monitor.sources.kafka_place import Jump, known_positions, source_of
from monitor.sources.kafka_reader import STALE_S, Reader
from monitor.sources.live import Arrived, LiveInput
from schemas.errors import ConfigurationError

_log = logging.getLogger("watchfloor")

SLICE_S = 0.2
"""Longest wait before a change in the group is looked for again."""
REOPEN_S = 20.0
"""When the brokers have been silent for so long, they are connected to anew, by the addresses of the configuration."""
RETRY_S = 1.0


async def _nothing() -> None:
    pass


class KafkaSource:
    """``max_record_bytes``: a longer record is handed over as ``oversize``. ``on_revoke``: see above."""

    def __init__(self, settings: KafkaSettings, max_record_bytes: int, on_revoke: Callable[[], Awaitable[None]] = _nothing) -> None:
        if not settings.topics:
            raise ConfigurationError("kafka.topics: is empty; name a topic to read")
        self._settings = settings
        self._max_record_bytes = max_record_bytes
        self._on_revoke = on_revoke
        self._topics: dict[str, KafkaTopic] = {topic.name: topic for topic in settings.topics}
        self._group: Membership | None = None
        self._reader: Reader | None = None
        self._known: dict[TopicPartition, int] | None = None
        self._inputs: tuple[LiveInput, ...] = ()
        self._share: frozenset[TopicPartition] = frozenset()
        self._paused: frozenset[str] = frozenset()
        self._troubles: dict[str, str] = {}
        self._mending: asyncio.Task[bool] | None = None
        self._settled_at = 0.0
        self._gone: list[Arrived] = []
        """The last to be said of partitions that have disappeared."""
        self._has_begun = False
        self._cluster: str | None = None
        self.ended = False
        """Never: a topic has no end."""
        self.generation = 0
        """How often this process has become the active one."""

    @property
    def inputs(self) -> Sequence[LiveInput]:
        """The partitions it reads; the same object as long as nothing changes. Empty on standby."""
        return self._inputs

    @property
    def is_active(self) -> bool:
        """Whether this process is the one of its group that works."""
        return self._group is not None and self._group.is_active

    @property
    def cluster(self) -> str | None:
        """Id of the cluster it was connected to by ``start``; ``None`` before, and where brokers are too old to have one."""
        return self._cluster

    def owns(self, name: str) -> bool:
        """Whether an input of this name is a partition."""
        return bool(known_positions({name: 0}))

    @property
    def jumps_total(self) -> int:
        """Positions that the brokers did not have any more, so that reading went on at the beginning of what they have."""
        return 0 if self._reader is None else self._reader.jumps_total

    @property
    def lost_total(self) -> int:
        """Records that the brokers had deleted before they were read."""
        return 0 if self._reader is None else self._reader.lost_total

    @property
    def jumps(self) -> Sequence[Jump]:
        """The last positions that were gone."""
        return () if self._reader is None else tuple(self._reader.jumps)

    async def start(self) -> None:
        """Connect and join the group; wait for its first decision, if it comes soon.

        Raises ``ConfigurationError`` and ``InputError``, which name the setting to change.
        """
        settings = self._settings
        await probe(settings, [Named(topic.name, f"kafka.topics.{at}.name") for at, topic in enumerate(settings.topics)], settings.group)
        options = connection(settings)
        self._reader = Reader(options, settings, self._max_record_bytes)
        self._group = Membership(options, settings.group, list(self._topics), settings.session_timeout_s)
        try:
            await self._reader.start()
            self._cluster = self._reader.cluster
            await self._group.start()
            async with asyncio.timeout(settings.session_timeout_s + 5):
                while not self._group.has_answer.is_set():
                    await self._group.check()
                    self._group.changed.clear()
                    await self._wait(self._group, SLICE_S)
        except TimeoutError:
            pass  # a member of the group does not answer; it is thrown out in time, and next goes on waiting
        except BaseException as exc:
            await self.close()
            if isinstance(exc, kafka.GroupAuthorizationFailedError):
                raise ConfigurationError(
                    f"kafka.group_id: the group {settings.group} may not be used; grant this user READ on it"
                ) from None
            if isinstance(exc, kafka.InconsistentGroupProtocolError):
                raise ConfigurationError(f"kafka.group_id: {settings.group} is a group of other programs; use another") from None
            if isinstance(exc, kafka.InvalidSessionTimeoutError):
                raise ConfigurationError(
                    "kafka.session_timeout_s: the brokers do not allow it; use one between their group.min.session.timeout.ms and group.max"
                ) from None
            if isinstance(exc, kafka.KafkaError | OSError):
                raise explained(exc, settings, settings.bootstrap_servers[0]) from None
            raise
        self._settled_at = time.monotonic()
        self._follow_group(self._group)

    async def seek(self, positions: Mapping[str, Any]) -> None:
        """Go on at these positions, by input; inputs among them that are not Kafka's are passed over. Begins a ``generation``."""
        await self._stop_mending()
        self._known = known_positions(positions)
        self._has_begun = False
        if self._reader is not None:
            self._reader.forget()

    async def next(self, wait_s: float) -> Sequence[Arrived]:
        """As ``LiveSource.next``. Brokers that are gone are waited for; that is logged once."""
        group, reader = self._group, self._reader
        if group is None or reader is None:
            raise RuntimeError("next before start, or after close")
        deadline = time.monotonic() + wait_s
        arrived: list[Arrived] = []
        while True:
            if group.revoking is not None:
                await self._revoke(group)
            await self._check(group)
            self._follow_group(group)
            if self._gone:
                arrived, self._gone = self._gone, []
                return arrived
            slice_s = min(SLICE_S, max(0.0, deadline - time.monotonic()))
            arrived = []
            if not await self._is_mended(group, reader, slice_s):
                pass
            elif not group.is_active or self._known is None:
                await self._wait(group, slice_s)
            else:
                arrived = await reader.read(self._paused, slice_s)
                await self._watch(group, reader)
            if arrived or time.monotonic() >= deadline:
                return arrived

    @staticmethod
    async def _wait(group: Membership, wait_s: float) -> None:
        try:
            async with asyncio.timeout(wait_s):
                await group.changed.wait()
        except TimeoutError:
            return
        group.changed.clear()

    async def _revoke(self, group: Membership) -> None:
        try:
            if self._known is not None:
                await self._on_revoke()
        finally:
            group.revoked()

    async def _check(self, group: Membership) -> None:
        """Say once that the group is out of reach, and once that it stands again."""
        problem = "no answer"
        try:
            if group.is_up:
                await group.check()
        except kafka.KafkaError as exc:
            problem = type(exc).__name__
        if group.is_settled:
            self._settled_at = time.monotonic()
            self._trouble("group", None)
        elif time.monotonic() - self._settled_at > self._settings.session_timeout_s + STALE_S or problem != "no answer":
            self._trouble("group", problem)

    def _follow_group(self, group: Membership) -> None:
        """Take over what the group has decided since."""
        if group.times_active != self.generation or (self._inputs and not group.is_active):
            if self._reader is not None:
                self._reader.forget()
            self._known = None
            self._gone = []
            if not group.is_active:
                _log.warning("kafka_standby", extra={"group": self._settings.group, "reason": "another process of the group works"})
            elif group.times_active != self.generation:
                _log.info("kafka_active", extra={"group": self._settings.group, "partitions": len(group.partitions)})
        self.generation = group.times_active
        count, part = self._settings.instances, self._settings.instance
        share = frozenset(p for p in group.partitions if p.topic in self._topics and p.partition % count == part)
        if share != self._share:
            if group.is_active:
                self._part_with(self._share - share)
            self._share = share
            self._inputs = tuple(self._input(partition) for partition in sorted(share))

    def _part_with(self, gone: frozenset[TopicPartition]) -> None:
        """Partitions have disappeared, with what was not read of them. Should they come back, all that is in them is new."""
        lag = self.lag()
        for topic in sorted({partition.topic for partition in gone}):
            numbers = sorted(partition.partition for partition in gone if partition.topic == topic)
            known = [lag[topic, str(number)] for number in numbers if (topic, str(number)) in lag]
            facts = {"topic": topic, "partitions": ", ".join(map(str, numbers)), "records_lost": sum(known) if known else "unknown"}
            _log.warning("kafka_topic_gone", extra={**facts, "reason": "it is read again, from its beginning, when it is there again"})
        if self._known is not None:
            self._gone += [Arrived(source_of(each), records=(), lines=(), position=0, stamps=(), caught_up=True) for each in sorted(gone)]

    def _input(self, partition: TopicPartition) -> LiveInput:
        topic = self._topics[partition.topic]
        return LiveInput(source=source_of(partition), format=topic.format, tenant=topic.tenant, label=topic.name)

    async def _is_mended(self, group: Membership, reader: Reader, wait_s: float) -> bool:
        """Whether connections stand and the partitions of the moment are placed. What is missing is done in a task, as it may take long."""
        if self._mending is None:
            if group.is_up and reader.is_open and (self._known is None or not self._is_to_be_placed(group, reader)):
                return True
            self._mending = asyncio.get_running_loop().create_task(self._mend(group, reader))
        await asyncio.wait([self._mending], timeout=wait_s)
        if not self._mending.done():
            return False
        mended, self._mending = self._mending, None
        return mended.result()

    def _is_to_be_placed(self, group: Membership, reader: Reader) -> bool:
        return group.is_active and (not self._has_begun or reader.positions.keys() != self._share)

    async def _mend(self, group: Membership, reader: Reader) -> bool:
        try:
            if not reader.is_open:
                await reader.reopen()
                self._check_cluster(reader)
                if group.addresses() != reader.addresses():
                    await group.leave()
            if not group.is_up:
                await group.start()
            if self._known is not None and self._is_to_be_placed(group, reader):
                # Only at the beginning of a generation the settings say where; what is added later holds nothing old.
                known, start = ({}, "earliest") if self._has_begun else (self._known, self._settings.start)
                generation = self.generation
                await reader.identify()
                self._check_cluster(reader)
                await reader.place(self._share, known, start)
                if self.generation != generation or not group.is_active:
                    reader.forget()
                    return False
                self._has_begun = True
        except (kafka.KafkaError, OSError, TimeoutError) as exc:
            self._trouble("connection", type(exc).__name__)
            await asyncio.sleep(RETRY_S)
            return False
        self._trouble("connection", None)
        return True

    def _check_cluster(self, reader: Reader) -> None:
        """The configured addresses may lead elsewhere after an outage, where positions mean something else. Raises ``ConfigurationError`` then."""
        if self._cluster is not None and reader.cluster not in {self._cluster, None}:
            raise ConfigurationError(
                f"kafka.bootstrap_servers: leads to the Kafka cluster {reader.cluster} now, and before to {self._cluster}; "
                "put the brokers back, or see store.adopt"
            )

    async def _stop_mending(self) -> None:
        if self._mending is not None:
            mending, self._mending = self._mending, None
            mending.cancel()
            await asyncio.gather(mending, return_exceptions=True)

    async def _watch(self, group: Membership, reader: Reader) -> None:
        """Say once that the brokers are silent, and once that they are back; connect anew when it takes long."""
        silent_s = reader.silent_s()
        if silent_s < STALE_S + self._settings.fetch_wait_s:
            self._trouble("brokers", None)
            return
        self._trouble("brokers", "no answer; records wait there meanwhile")
        if silent_s >= REOPEN_S and group.is_up:
            await reader.close()

    def _trouble(self, what: str, problem: str | None) -> None:
        before = self._troubles.get(what)
        if problem is None:
            if before is not None:
                del self._troubles[what]
                _log.info("kafka_back", extra={"what": what})
        elif before is None:
            self._troubles[what] = problem
            _log.warning("kafka_trouble", extra={"what": what, "reason": problem})

    def pause(self, sources: frozenset[str]) -> None:
        """As ``LiveSource.pause``."""
        self._paused = sources

    async def commit(self, positions: Mapping[str, Any]) -> None:
        """Tell the brokers, for whoever looks at the group there; in the background."""
        if self._group is not None and self._group.is_active:
            self._group.commit({p: position for p, position in known_positions(positions).items() if p in self._share})

    def lag(self) -> Mapping[tuple[str, str], int]:
        """As ``LiveSource.lag``."""
        return {} if self._reader is None else self._reader.lag()

    async def close(self) -> None:
        """Leave the group, so that a standby takes over at once. The engine writes its last checkpoint before."""
        group, reader = self._group, self._reader
        self._group = self._reader = None
        self._inputs = ()
        await self._stop_mending()
        if reader is not None:
            await reader.close()
        if group is not None:
            await group.close()
