"""Writes records to one topic, and knows of each whether the brokers have it."""

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import aiokafka.errors as kafka
from aiokafka import AIOKafkaProducer

from monitor.kafka_probe import Named, probe
from monitor.kafka_security import connection
from monitor.settings_kafka import KafkaSettings
from schemas.errors import ConfigurationError, InputError

END_S = 2.0
"""Longest wait for a broken connection to be given up."""
BATCH_BYTES = 65_536
"""Records are sent together up to this; the limit of a topic is for them together, and is rarely so low."""
MAX_REQUEST_BYTES = 134_217_728
"""Our own limit is never what refuses a record; that of the topic is."""


class Outgoing(NamedTuple):
    """A record to be written."""

    key: bytes | None
    value: bytes
    headers: Sequence[tuple[str, bytes]]


class Producer:
    """``topic``: the topic, and the setting that names it. Connects with the first ``write``, and anew after each failure.

    ``idempotent``: the brokers drop what they are sent twice because an answer was lost.
    """

    def __init__(self, settings: KafkaSettings, topic: Named, timeout_s: float, *, idempotent: bool = True) -> None:
        self._settings = settings
        self._topic = topic
        self._timeout_s = timeout_s
        self._idempotent = idempotent
        self._producer: Any = None

    async def check(self) -> None:
        """Look whether the topic can be written to. Raises ``ConfigurationError`` and ``InputError``."""
        await probe(self._settings, [self._topic])

    async def write(self, records: Sequence[Outgoing]) -> list[Exception | None]:
        """Write these in order; return what went wrong with each (the library's errors, ``TimeoutError``), ``None`` where nothing did.

        Raises ``ConfigurationError`` and ``InputError`` when there is no connection. Returns within twice the time-out.
        """
        if self._producer is None:
            await self._open()
        sent: list[asyncio.Future[Any] | Exception] = []
        try:
            async with asyncio.timeout(self._timeout_s):
                for record in records:
                    sent.append(await self._send(record))  # noqa: PERF401 - one by one, so that a time-out leaves those sent so far
                waiting = [one for one in sent if isinstance(one, asyncio.Future)]
                if waiting:
                    await asyncio.wait(waiting)
        except TimeoutError:
            pass
        except BaseException:
            await self._abort(sent)
            raise
        sent += [TimeoutError() for _ in records[len(sent) :]]
        results = [_outcome(one) for one in sent]
        if any(result is not None for result in results):
            # Begin anew: after a record that was refused, the brokers would take the ones behind it for out of order.
            await self._abort(sent)
        return results

    async def _send(self, record: Outgoing) -> asyncio.Future[Any] | Exception:
        try:
            future = await self._producer.send(self._topic.topic, record.value, record.key, headers=list(record.headers))
        except kafka.KafkaError as exc:
            return cast("Exception", exc)
        return cast("asyncio.Future[Any]", future)

    async def _open(self) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):
                await self.check()
                options = connection(self._settings)
                options["request_timeout_ms"] = min(options["request_timeout_ms"], round(self._timeout_s * 1000))
                self._producer = AIOKafkaProducer(
                    **options,
                    acks="all",
                    enable_idempotence=self._idempotent,
                    max_request_size=MAX_REQUEST_BYTES,
                    max_batch_size=BATCH_BYTES,
                )
                await self._producer.start()
        except (TimeoutError, kafka.KafkaError) as exc:
            await self._abort(())
            raise InputError(f"kafka.bootstrap_servers: the brokers do not answer in time ({type(exc).__name__}); check them") from None
        except BaseException:
            await self._abort(())
            raise

    async def _abort(self, sent: Sequence[asyncio.Future[Any] | Exception]) -> None:
        """Give the connection up, with all that is under way. The library's own ``stop`` would wait for it."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        # Private parts of the library, for it knows no way to end without delivering. In this order: requests under way fail, the task that
        # would send them again ends, and then nobody waits for them any more.
        producer._closed = True  # noqa: SLF001
        await producer.client.close()
        sender = producer._sender.sender_task  # noqa: SLF001
        if sender is not None:
            sender.cancel()
            await asyncio.wait([sender], timeout=END_S)
            sender.cancel()  # the second time ends it in the middle
            await asyncio.gather(sender, return_exceptions=True)
        for one in sent:
            if _outcome(one) is not None and isinstance(one, asyncio.Future):
                one.cancel()

    async def close(self) -> None:
        """Let go of the connection; all that was written has been answered for."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()


def _outcome(one: asyncio.Future[Any] | Exception) -> Exception | None:
    if isinstance(one, Exception):
        return one
    if not one.done():
        return TimeoutError()
    if one.cancelled():
        return TimeoutError()
    error = one.exception()
    assert error is None or isinstance(error, Exception)
    return error


def explain_refusal(error: Exception, topic: Named, settings: KafkaSettings) -> ConfigurationError | InputError:
    """Why a record was not taken, in words. ``ConfigurationError``: this record never will be."""
    if isinstance(error, kafka.MessageSizeTooLargeError | kafka.RecordListTooLargeError):
        return ConfigurationError(f"{topic.setting}: a record is longer than the topic allows; raise its max.message.bytes")
    if isinstance(error, kafka.TopicAuthorizationFailedError | kafka.ClusterAuthorizationFailedError):
        who = f"user {settings.sasl.username}" if settings.sasl is not None and settings.sasl.username else "this client"
        return InputError(f"{topic.setting}: {who} may not write to topic {topic.topic}; grant WRITE on it")
    if isinstance(error, kafka.UnknownTopicOrPartitionError):
        return InputError(f"{topic.setting}: there is no topic {topic.topic} any more; create it, or name another")
    return InputError(f"kafka.bootstrap_servers: the brokers did not take a record ({type(error).__name__}); check them")
