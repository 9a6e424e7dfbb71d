"""Makes the sinks of this package from their settings; that of Kafka is made where Kafka's connection is known."""

from monitor.notification import Sink
from monitor.settings_sinks import AlertmanagerSink, FileSink, PagerDutySink, SlackSink, StdoutSink, WebhookSink
from monitor.sinks.alertmanager import Alertmanager
from monitor.sinks.http import ClientOptions
from monitor.sinks.local import Local
from monitor.sinks.pagerduty import PagerDuty
from monitor.sinks.slack import Slack
from monitor.sinks.webhook import Webhook

Settings = SlackSink | PagerDutySink | WebhookSink | AlertmanagerSink | FileSink | StdoutSink


def make(name: str, settings: Settings, options: ClientOptions | None = None) -> Sink:
    """The sink of that name. Raises ``ConfigurationError`` when a file it needs cannot be used."""
    match settings:
        case SlackSink():
            return Slack(name, settings, options)
        case PagerDutySink():
            return PagerDuty(name, settings, options)
        case WebhookSink():
            return Webhook(name, settings, options)
        case AlertmanagerSink():
            return Alertmanager(name, settings, options)
        case _:
            return Local(name, settings)
