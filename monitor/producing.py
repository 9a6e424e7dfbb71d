"""Made-up traffic into a Kafka topic, for `simulate --kafka`."""

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import msgspec

from monitor.kafka_probe import Named
from monitor.kafka_producer import Outgoing, Producer
from monitor.settings import Settings
from monitor.sinks.errors import OutputError
from schemas.errors import ConfigurationError

TIMEOUT_S = 30.0
"""Longest wait for a block of records to be taken."""


class _Tenant(msgspec.Struct):
    tenant: str | None = None


class Topic:
    """One topic of the brokers that the configuration names, open for writing. Records of a tenant go to one partition where they say whose they are."""

    def __init__(self, settings: Settings, topic: str) -> None:
        if settings.kafka is None:
            raise ConfigurationError("--kafka: the configuration names no brokers; set kafka.bootstrap_servers")
        self._topic = topic
        self._producer = Producer(settings.kafka, Named(topic, "--kafka"), TIMEOUT_S)
        self._runner = asyncio.Runner()
        self._tenant_of = msgspec.json.Decoder(_Tenant).decode

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._runner.run(self._producer.close())
        self._runner.close()

    def write(self, records: Sequence[bytes]) -> None:
        """Write these in order, and wait until the brokers have them.

        Raises ``ConfigurationError`` and ``InputError`` when the topic cannot be reached, ``OutputError`` when a record is not taken.
        """
        results = self._runner.run(self._producer.write([Outgoing(self._key(record), record, ()) for record in records]))
        wrong = next((each for each in results if each is not None), None)
        if wrong is not None:
            raise OutputError(f"--kafka: {self._topic}: a record was not taken ({type(wrong).__name__})")

    def _key(self, record: bytes) -> bytes | None:
        try:
            tenant = self._tenant_of(record).tenant
        except msgspec.DecodeError:
            return None  # a log line
        return None if tenant is None else tenant.encode()
