"""The parts of the service that reach out of it, made from the settings: sources, sinks, and where rejects are kept."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, SecretStr

from monitor.notification import Sink
from monitor.settings import Settings
from monitor.settings_sinks import KafkaSinkSettings, SinkSettings, secret_of
from monitor.sinks import kinds
from monitor.sinks.rejects import RejectFile
from monitor.sources.live import LiveSource
from schemas.errors import ConfigurationError, RejectError

if TYPE_CHECKING:
    from monitor.sources.kafka import KafkaSource

_SECRET_FILE = re.compile(r"(?:secret|token|password|routing_key|url|header)s?_files?$")


class Connections:
    """Of one process. Nothing is connected until it is used."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._sinks: Mapping[str, Sink] = {}
        self._unused: list[Sink] = []
        self._on_revoke: Callable[[], Awaitable[None]] | None = None
        self._kafka: KafkaSource | None = None
        self._jumps = 0
        self.sources: list[LiveSource] = []
        self.labels: list[str] = []
        """The configured inputs, as a store knows them."""
        self._add_sources()
        self.rejects = _Rejects(settings)

    def _add_sources(self) -> None:
        # Imported here, so that a command that needs one of them does not pay for all.
        settings = self._settings
        if settings.kafka is not None and settings.kafka.topics:
            from monitor.sources.kafka import KafkaSource  # noqa: PLC0415

            part = "" if settings.kafka.instances == 1 else f" ({settings.kafka.instance} of {settings.kafka.instances})"
            self._kafka = KafkaSource(settings.kafka, settings.max_record_bytes, on_revoke=self._revoked)
            self.sources.append(self._kafka)
            self.labels += [f"kafka topic {topic.name}{part}" for topic in settings.kafka.topics]
        if settings.follow:
            from monitor.sources.follow import FollowSource  # noqa: PLC0415

            self.sources.append(FollowSource(settings.follow, settings.max_record_bytes))
            self.labels += [f"file {file.path}" for file in settings.follow]
        if settings.standard_input is not None:
            from monitor.sources.standard_input import StandardInput  # noqa: PLC0415

            given = settings.standard_input
            self.sources.append(StandardInput(given.format, settings.max_record_bytes, tenant=given.tenant))
            self.labels.append("standard input")
        if settings.simulate is not None:
            from monitor.simulate.live import SimulatedSource  # noqa: PLC0415

            self.sources.append(SimulatedSource(settings.simulate))
            self.labels.append("simulated traffic")

    def positions_reset(self) -> Iterator[str]:
        """The topic of each position that was gone, since this was asked last."""
        if self._kafka is not None:
            new, self._jumps = self._kafka.jumps_total - self._jumps, self._kafka.jumps_total
            yield from (jump.partition.topic for jump in self._kafka.jumps[len(self._kafka.jumps) - new :])

    def on_revoke(self, settle: Callable[[], Awaitable[None]]) -> None:
        """Who is awaited before inputs go to another process."""
        self._on_revoke = settle

    async def _revoked(self) -> None:
        if self._on_revoke is not None:
            await self._on_revoke()

    def make_sinks(self, settings: Settings) -> dict[str, Sink]:
        """All sinks of these settings. Raises ``ConfigurationError``."""
        sinks: dict[str, Sink] = {}
        try:
            for name, each in settings.sinks.items():
                sinks[name] = self._make_sink(name, each)
        except ConfigurationError:
            self._unused += sinks.values()
            raise
        return sinks

    def _make_sink(self, name: str, settings: SinkSettings) -> Sink:
        if not isinstance(settings, KafkaSinkSettings):
            return kinds.make(name, settings)
        if self._settings.kafka is None:
            raise ConfigurationError(f"sinks.{name}: needs the section kafka for its connection; add kafka.bootstrap_servers")
        from monitor.sinks.kafka import KafkaSink  # noqa: PLC0415

        return KafkaSink(name, settings, self._settings.kafka)

    async def replace_sinks(self, sinks: Mapping[str, Sink]) -> None:
        """These are in use from now on; the ones before are closed."""
        before, self._sinks = [*self._sinks.values(), *self._unused], sinks
        self._unused = []
        await asyncio.gather(*(sink.close() for sink in before), return_exceptions=True)

    async def close(self) -> None:
        """Let go of everything but the sources, which the engine closes."""
        await self.replace_sinks({})
        await self.rejects.close()


class _Rejects:
    """Sends rejects of Kafka to the dead-letter topic, the others to a file; those with no place are only counted."""

    def __init__(self, settings: Settings) -> None:
        self._formats = {} if settings.kafka is None else {topic.name: topic.format for topic in settings.kafka.topics}
        self._file = RejectFile(settings.service.rejects_file, "service.rejects_file", append=True)
        self._topic: Any = None
        if settings.kafka is not None and settings.kafka.dead_letter_topic is not None:
            from monitor.kafka_dead_letters import KafkaDeadLetters  # noqa: PLC0415

            self._topic = KafkaDeadLetters(settings.kafka)

    def keep(self, source: str, line: int, record: bytes, error: RejectError) -> None:
        """See ``engines.parties.Rejects``."""
        topic = source.rpartition("/")[0]
        if self._topic is not None and topic in self._formats:
            self._topic.keep(source, line, record, error, self._formats[topic])
        else:
            self._file.keep(source, line, record, error)

    @property
    def is_full(self) -> bool:
        """See ``engines.parties.Rejects``. A file is written as it comes."""
        return self._topic is not None and bool(self._topic.is_full)

    async def flush(self) -> None:
        """See ``engines.parties.Rejects``."""
        await self._file.flush()
        if self._topic is not None:
            await self._topic.flush()

    async def close(self) -> None:
        """Write out what is left."""
        self._file.close()
        if self._topic is not None:
            await self._topic.close()


def secrets_of(settings: BaseModel) -> Iterator[str]:
    """Every secret the settings hold, or a file they name holds, so that no log shows it."""
    for name in type(settings).model_fields:
        value: Any = getattr(settings, name)
        for each in value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else [value]:
            for inner in each.values() if isinstance(each, Mapping) else [each]:
                if isinstance(inner, SecretStr):
                    yield inner.get_secret_value()
                elif isinstance(inner, Path) and _SECRET_FILE.search(name):
                    yield from _content(inner)
                elif isinstance(inner, BaseModel):
                    yield from secrets_of(inner)


def _content(path: Path) -> Iterator[str]:
    """The secret in a file; nothing when it cannot be read, which whoever needs it will say."""
    try:
        text = secret_of(None, path, "")
    except ConfigurationError:
        return
    if text and "\n" not in text:
        yield text
