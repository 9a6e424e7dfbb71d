"""Membership in a consumer group, apart from reading.

aiokafka's consumer stops reading and forgets its positions whenever the group is formed anew, also when that changes nothing for it. Here one
process works and others only stand by, so their coming and going must not touch it. Therefore the group is joined by this class, which reads
nothing, and the records are read by a consumer outside of any group.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

import aiokafka.errors as kafka
from aiokafka import TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.structs import OffsetAndMetadata

from monitor.sources.kafka_assign import OneActive

_log = logging.getLogger("watchfloor")

NEVER_MS = 10**15
"""The library throws out a member that reads nothing for so long."""
MAX_HEARTBEAT_S = 3.0
"""A member learns that the group changes only with its next heartbeat."""
COMMIT_S = 5.0
LEAVE_S = 5.0
HANDOVER_SHARE = 0.8
"""Of the session time-out: how long the others are kept waiting for this process to save its state."""


class Membership(ConsumerRebalanceListener):  # type: ignore[misc]  # the library has no types
    """``connection``: options for aiokafka's client. All attributes change only while others of the loop's tasks run, never in between."""

    def __init__(self, connection: Mapping[str, Any], group: str, topics: Sequence[str], session_timeout_s: float) -> None:
        # The brokers answer a request to join only when the group is complete, or its time is over.
        patience_ms = round(session_timeout_s * 1000) + 5_000
        self._connection = {**connection, "request_timeout_ms": max(connection["request_timeout_ms"], patience_ms)}
        self._group = group
        self._topics = frozenset(topics)
        self._session_timeout_s = session_timeout_s
        self._assignor = OneActive(time.time())
        self._client: Any = None
        self._coordinator: Any = None
        self._subscription: Any = None
        self._commit: asyncio.Task[None] | None = None
        self._next_commit: dict[TopicPartition, int] = {}
        self.partitions: frozenset[TopicPartition] = frozenset()
        """All of the group's partitions, when this process is the active one."""
        self.is_up = False
        """Whether it is connected, or the library sees to it."""
        self.is_active = False
        self.times_active = 0
        """How often this process has become the active one."""
        self.has_answer = asyncio.Event()
        """Set when the group has decided for the first time who works."""
        self.revoking: asyncio.Future[None] | None = None
        """Set while the group is formed anew and waits for this active process to save its state, which then calls ``revoked``."""
        self.changed = asyncio.Event()
        """Set whenever one of the above has changed; cleared by whoever waits for it."""

    async def start(self) -> None:
        """Connect and begin to join. Raises the library's errors."""
        self._client = AIOKafkaClient(**self._connection)
        await self._client.bootstrap()
        self._client.set_topics(self._topics)
        await self._client.force_metadata_update()
        self._join()
        self.is_up = True

    def _join(self) -> None:
        self._subscription = SubscriptionState()
        self._subscription.register_fetch_waiters(set())
        self._subscription.subscribe(topics=set(self._topics), listener=self)
        self._coordinator = GroupCoordinator(
            self._client,
            self._subscription,
            group_id=self._group,
            session_timeout_ms=round(self._session_timeout_s * 1000),
            heartbeat_interval_ms=round(1000 * min(MAX_HEARTBEAT_S, self._session_timeout_s / 5)),
            rebalance_timeout_ms=round(self._session_timeout_s * 1000),
            max_poll_interval_ms=NEVER_MS,
            retry_backoff_ms=self._connection["retry_backoff_ms"],
            enable_auto_commit=False,
            assignors=(self._assignor,),
        )

    async def on_partitions_revoked(self, revoked: object) -> None:  # noqa: ARG002 - the library's callback
        """The group is formed anew. Heartbeats go on while this waits."""
        if not self.is_active:
            return
        if self._coordinator.generation < 0:
            # The brokers had taken this process for dead: another one works by now, or could have worked in the meantime.
            self._set(active=False)
            return
        self.revoking = asyncio.get_running_loop().create_future()
        self.changed.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HANDOVER_SHARE * self._session_timeout_s):
                await self.revoking
        self.revoking = None

    def revoked(self) -> None:
        """The state is saved, or need not be: go on."""
        if self.revoking is not None and not self.revoking.done():
            self.revoking.set_result(None)

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """The group has decided."""
        self.partitions = frozenset(assigned)
        self._set(active=self._assignor.is_chosen)
        self.has_answer.set()

    def _set(self, *, active: bool) -> None:
        if active and not self.is_active:
            self.times_active += 1
            self._assignor.active_since = self._coordinator.generation
        elif not active:
            self._assignor.active_since = 0
            self.partitions = frozenset()
        self.is_active = active
        self.changed.set()

    async def check(self) -> None:
        """Look after the background task. Raises the library's error when there is one, after which the group is joined anew.

        To be called again and again: until then, the library does nothing more about the error.
        """
        try:
            self._coordinator.check_errors()
        except kafka.KafkaError:
            # The library's heartbeats do not begin again by themselves after an error; joining anew starts them.
            self._coordinator.request_rejoin()
            if self._coordinator._coordination_task.done():  # noqa: SLF001 - a task that has died can only be replaced
                self._set(active=False)
                await self._end_coordinator()
                self._join()
            raise

    @property
    def is_settled(self) -> bool:
        """Whether the group stands, and the broker that keeps it is known."""
        if not self.is_up:
            return False
        return self._coordinator.coordinator_id is not None and not self._coordinator.need_rejoin(self._subscription.subscription)

    async def leave(self) -> None:
        """Let go of everything; ``start`` begins anew, by the configured addresses."""
        self._set(active=False)
        self.revoked()
        self.is_up = False
        if self._coordinator is not None:
            await self._end_coordinator()
        if self._client is not None:
            await self._client.close()

    def addresses(self) -> frozenset[tuple[str, int]]:
        """Where the brokers are, as far as this connection knows."""
        return frozenset((broker.host, broker.port) for broker in self._client.cluster.brokers())

    def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        """Tell the brokers how far the checkpoint is, in the background, one request at a time; the newest positions count."""
        self._next_commit |= positions
        if self._commit is None or self._commit.done():
            self._commit = asyncio.get_running_loop().create_task(self._committing())

    async def _committing(self) -> None:
        while self._next_commit and self.is_active:
            offered, self._next_commit = self._next_commit, {}
            offsets = {tp: OffsetAndMetadata(position, "") for tp, position in offered.items() if tp in self.partitions}
            try:
                async with asyncio.timeout(COMMIT_S):
                    await self._coordinator.commit_offsets(self._subscription.subscription.assignment, offsets)
            except (kafka.KafkaError, TimeoutError) as exc:
                _log.info("kafka_commit_failed", extra={"group": self._group, "error": type(exc).__name__})

    async def close(self) -> None:
        """Commit what is left, and leave the group so that another one can go on at once."""
        self.revoked()
        if self._commit is not None:
            await asyncio.wait([self._commit], timeout=COMMIT_S)
            if not self._commit.done():
                self._commit.cancel()
                await asyncio.gather(self._commit, return_exceptions=True)
        await self.leave()

    async def _end_coordinator(self) -> None:
        coordinator = self._coordinator
        self._client.cluster.remove_listener(coordinator._handle_metadata_update)  # noqa: SLF001 - it never does that itself
        with contextlib.suppress(TimeoutError, kafka.KafkaError):
            async with asyncio.timeout(LEAVE_S):
                await coordinator.close()
        for task in (coordinator._coordination_task, coordinator._heartbeat_task, coordinator._commit_refresh_task):  # noqa: SLF001
            if task is not None and not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
