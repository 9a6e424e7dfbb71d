"""A Kafka topic: every alert version as one record, keyed by the attack it belongs to."""

from typing import Any, ClassVar

from monitor.kafka_probe import Named
from monitor.kafka_producer import Outgoing, Producer, explain_refusal
from monitor.notification import Notification, RefusedError, Style, UnreachableError
from monitor.settings_kafka import KafkaSettings
from monitor.settings_sinks import KafkaSinkSettings
from monitor.sinks.encode import encode
from schemas.alert import Alert
from schemas.errors import ConfigurationError, InputError
from schemas.export import ExportName


def record_of(alert: Alert, form: ExportName) -> Outgoing:
    """The record: versions of one alert have the same key, so that they stay in order; ``id`` and ``version`` tell repetitions apart."""
    headers = (("id", alert.id.encode()), ("version", b"%d" % alert.version), ("format", form.encode()))
    return Outgoing(alert.dedup_key.encode(), encode(alert, form), headers)


class KafkaSink:
    """Writes alerts through the connection of the section ``kafka``. ``name``: of the sink in the configuration."""

    style: ClassVar[Style] = "stream"
    max_alerts: ClassVar[int] = 500

    def __init__(self, name: str, settings: KafkaSinkSettings, brokers: KafkaSettings) -> None:
        self._topic = Named(settings.topic, f"sinks.{name}.topic")
        self._brokers = brokers
        self._format = settings.format
        # Connecting and writing each get half of the time a send may take.
        self._producer = Producer(brokers, self._topic, settings.timeout_s / 2)

    async def send(self, notification: Notification) -> dict[str, Any]:
        """As ``Sink.send``: all of it is with the brokers, on every replica they ask for, when this returns."""
        records = [record_of(alert, self._format) for alert in notification.alerts]
        try:
            results = await self._producer.write(records)
        except (ConfigurationError, InputError) as exc:
            raise UnreachableError(str(exc)) from None  # a wrong password may be put right at the brokers
        problems = [explain_refusal(result, self._topic, self._brokers) for result in results if result is not None]
        passing = next((problem for problem in problems if isinstance(problem, InputError)), None)
        if passing is not None:
            raise UnreachableError(str(passing))
        if problems:
            raise RefusedError(str(problems[0]))
        return {}

    async def close(self) -> None:
        """Let go of the connection."""
        await self._producer.close()
