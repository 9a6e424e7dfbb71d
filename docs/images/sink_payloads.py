"""What the pictures of docs/sinks.md show: alerts of the example logs, made into messages by watchfloor's own delivery and sinks.

Nothing leaves this machine: the sinks talk to a transport that keeps what it is given and answers as the services do.
"""  # noqa: INP001 - beside a script, no package

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import chdir, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import msgspec

from monitor.alerts import cursors, outbox
from monitor.alerts.grouping import NotifyLine
from monitor.alerts.route import Router
from monitor.app import Parts
from monitor.engines.replay import Options, Replay
from monitor.kafka_producer import Outgoing
from monitor.notification import Notification, Sink
from monitor.settings import Settings
from monitor.settings_sinks import FileSink, PagerDutySink, SlackSink, WebhookSink
from monitor.sinks.http import ClientOptions
from monitor.sinks.kafka import record_of
from monitor.sinks.kinds import make
from monitor.sources.files import expand
from schemas.alert import Alert
from schemas.stamps import from_text

ROOT = Path(__file__).resolve().parents[2]
LOGS = "deploy/examples/logs"
"""Relative, so that no path of this machine gets into a picture."""
RUNBOOKS = "https://runbooks.example.com"
BREAK_IN = "success_after_failures", "203.0.113.140"
"""Detector and entity of an alert of the incident that most pictures are of: an address that sprays passwords, gets in, and is quiet again."""
LISTS = "credential_stuffing", "203.0.113.201"
"""The same of the incident of PagerDuty's picture: it has a tenant, and alerts of three detectors."""
STORM_LIMIT = 2
END_S = 600.0
"""How long delivery goes on after the last alert."""


Timed = tuple[float, Alert]
"""When an alert version became certain (Unix seconds), and it."""


class Sent(msgspec.Struct, frozen=True):
    """One request as it went out. ``at``: delivery's clock, Unix seconds."""

    at: float
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body, decoded."""
        return msgspec.json.decode(self.body, type=dict[str, Any])


class Payloads(msgspec.Struct, frozen=True):
    """What each sink sent."""

    slack: list[Sent]
    """Calls of Slack's Web API about one incident, in their order."""
    storm: Sent
    pagerduty: Sent
    webhook: Sent
    kafka: list[Outgoing]
    """The records about one alert."""
    lines: list[str]
    """Of the file, about one incident."""
    firing: tuple[Alert, ...]
    """For Alertmanager: the alerts of both incidents, as they were while they fired."""


class Wire(httpx.AsyncBaseTransport):
    """The other side of every sink. Its ``now`` is the clock of delivery."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sent: list[Sent] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Keep it, and answer as Slack does; the others look at the status alone."""
        headers = [(name.decode("ascii"), value.decode("ascii")) for name, value in request.headers.raw]
        self.sent.append(Sent(self.now, request.url.path, headers, await request.aread()))
        answer = msgspec.json.encode({"ok": True, "channel": "C0123456789", "ts": f"{self.now:.6f}"})
        return httpx.Response(200, stream=httpx.ByteStream(answer))

    def options(self) -> ClientOptions:
        """For a sink that talks to this."""
        return ClientOptions(wall=lambda: self.now, transport=self)


def replayed() -> list[Timed]:
    """Every version of every alert of the example logs, with the time up to which the logs had been read when it became certain."""
    core = Parts(Settings(runbooks=RUNBOOKS)).core
    timed: list[Timed] = []
    with chdir(ROOT):
        for alerts in Replay(core, Options(batch_records=1)).run(expand([LOGS])):
            timed += [(max(core.runner.watermark, from_text(alert.last_seen)), alert) for alert in alerts]
    return timed


def incident_of(timed: Sequence[Timed], which: tuple[str, str]) -> list[Timed]:
    """All versions of the alerts of one incident."""
    incident = next(alert.incident for _, alert in timed if (alert.detector, alert.entity.value) == which)
    return [(at, alert) for at, alert in timed if alert.incident == incident]


async def notify(wire: Wire, sink: Sink, settings: SlackSink | PagerDutySink, timed: Sequence[Timed]) -> None:
    """Let delivery tell a sink of style ``notify`` of these alerts, at those times."""
    line = NotifyLine("soc", settings, sink.max_alerts, Router(()))

    async def go_on(db: sqlite3.Connection, until: float) -> None:
        while True:
            plan = line.plan(db, cursors.load(db, "soc"), wire.now, may_send=True)
            if plan.job is not None:
                line.delivered(db, plan.job, await sink.send(plan.job.notification), wire.now)
            elif plan.due_at is None or plan.due_at > until:
                break
            else:
                wire.now = max(wire.now, plan.due_at)
        wire.now = until

    with closing(sqlite3.connect(":memory:")) as db:
        for statement in outbox.SCHEMA:
            db.execute(statement)
        wire.now = timed[0][0]
        cursors.register(db, {"soc": sink.style}, wire.now)
        for number, (at, alert) in enumerate(timed):
            outbox.insert(db, [alert], at)
            if number + 1 == len(timed) or timed[number + 1][0] > at:
                await go_on(db, timed[number + 1][0] if number + 1 < len(timed) else at + END_S)
    await sink.close()


async def to_slack(timed: Sequence[Timed], **more: object) -> list[Sent]:
    """As an app."""
    wire = Wire()
    settings = SlackSink.model_validate({"type": "slack", "bot_token": "xoxb-example", "channel": "C0123456789", **more})
    await notify(wire, make("soc", settings, wire.options()), settings, timed)
    return wire.sent


async def to_pagerduty(timed: Sequence[Timed]) -> list[Sent]:
    """With a key that is none."""
    wire = Wire()
    settings = PagerDutySink.model_validate({"type": "pagerduty", "routing_key": "0123456789abcdef" * 2})
    await notify(wire, make("on-call", settings, wire.options()), settings, timed)
    return wire.sent


async def to_webhook(alert: Alert) -> Sent:
    """Signed, with a header of one's own."""
    wire = Wire()
    wire.now = from_text(alert.last_seen) + 1.0
    given = {"url": "https://siem.example.com/alerts", "secret": "a-secret-of-your-own", "headers": {"X-Environment": "production"}}
    sink = make("siem", WebhookSink.model_validate({"type": "webhook", **given}), wire.options())
    await sink.send(Notification(key=alert.incident, reason="new", status=alert.status, alerts=(alert,)))
    await sink.close()
    return wire.sent[0]


async def to_file(alerts: Sequence[Alert]) -> list[str]:
    """The lines of the file."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "alerts.jsonl"
        sink = make("archive", FileSink(type="file", path=path))
        await sink.send(Notification(key="archive", reason="new", status="firing", alerts=tuple(alerts)))
        await sink.close()
        return path.read_text("utf-8").splitlines()


def last_while_firing(alerts: Sequence[Alert]) -> tuple[Alert, ...]:
    """The last version of each alert before it resolved."""
    return tuple({alert.id: alert for alert in alerts if alert.status == "firing"}.values())


async def _gathered() -> Payloads:
    timed = replayed()
    break_in, lists = incident_of(timed, BREAK_IN), incident_of(timed, LISTS)
    told = [alert for _, alert in break_in if alert.detector == BREAK_IN[0]]
    # As if the whole day came in at once.
    storm = await to_slack([(timed[-1][0], alert) for _, alert in timed], storm={"limit": STORM_LIMIT})
    return Payloads(
        slack=await to_slack(break_in),
        storm=next(sent for sent in storm if b"Alert storm" in sent.body),
        pagerduty=(await to_pagerduty(lists))[-1],
        webhook=await to_webhook(told[0]),
        kafka=[record_of(alert, "native") for alert in told],
        lines=await to_file([alert for _, alert in break_in]),
        firing=last_while_firing([alert for _, alert in (*break_in, *lists)]),
    )


def gathered() -> Payloads:
    """Replay the example logs and let every sink send."""
    return asyncio.run(_gathered())
