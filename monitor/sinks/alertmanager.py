"""Prometheus Alertmanager, API v2: what fires is told again and again, and what is not told any more resolves.

Labels are what Alertmanager knows an alert by, so only what stays the same goes there, and the severity, which routes are made of. When it
rises, that is another alert to Alertmanager: the one of the lower severity is resolved in the same request. Should that be forgotten, as after
a restart, it ends by itself with its lease.
"""

import base64
import re
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import msgspec

from monitor.notification import Notification, Style
from monitor.settings_sinks import AlertmanagerSink, secret_of
from monitor.sinks.addresses import Guard
from monitor.sinks.chat_text import clean
from monitor.sinks.http import ClientOptions, Http, HttpSink
from schemas.alert import Alert
from schemas.errors import ConfigurationError
from schemas.export.analytics import rule_name
from schemas.severity import RANK
from schemas.stamps import from_text, rfc3339
from schemas.text import bounded_name, printable

LEASES = 3
"""What fires is told to last for so many times ``refresh_s``: two requests may be lost before Alertmanager takes it for over."""
RESOLVED_S = 300.0
"""How long an alert of a former severity is said to be resolved."""
TEST_S = 60.0
MAX_NOTE = 2_000
MAX_REMEMBERED = 100_000

Labels = dict[str, str]
Identity = tuple[tuple[str, str], ...]


class Alertmanager(HttpSink):
    """Posts alerts. ``name``: of the sink in the configuration. Raises ``ConfigurationError``."""

    style: ClassVar[Style] = "state"
    max_alerts: ClassVar[int] = 500

    def __init__(self, name: str, settings: AlertmanagerSink, options: ClientOptions | None = None) -> None:
        place = f"sinks.{name}"
        self._url = f"{settings.url.rstrip('/')}/api/v2/alerts"
        self._lease_s = LEASES * settings.refresh_s
        self._headers = {"Content-Type": "application/json", **_authorization(place, settings)}
        self._former = Former()
        # Alertmanager is at home in private networks, and its address is no secret that strangers set: only what never is one is refused.
        guard = Guard(allow=True, cure="name the address of Alertmanager itself")
        super().__init__(
            Http(place, "url", timeout_s=settings.timeout_s, guard=guard, ca_file=settings.ca_file, options=options or ClientOptions())
        )

    async def _send(self, notification: Notification) -> dict[str, Any]:
        now = self.http.wall()
        if notification.reason == "test":
            entries = [{**entry(alert, now, TEST_S), "endsAt": rfc3339(now + TEST_S)} for alert in notification.alerts]
        else:
            entries = self._former.resolved(notification.alerts, now)
            entries += [entry(alert, now, self._lease_s) for alert in one_for_each(notification.alerts)]
        if entries:
            self.http.check(await self.http.post(self._url, msgspec.json.encode(entries), self._headers))
        return {}


def labels_of(alert: Alert) -> Labels:
    """What Alertmanager knows the alert by. Nothing is in it that changes while the attack goes on, but the severity."""
    made = {
        "alertname": clean(rule_name(alert.title), 200) or alert.detector,
        "detector": alert.detector,
        "severity": alert.severity,
        "tenant": bounded_name(printable(alert.tenant or "")),
        "entity_type": alert.entity.type,
        "entity": bounded_name(printable(alert.entity.value)),
    }
    return {name: value for name, value in made.items() if value}


def entry(alert: Alert, now_wall: float, lease_s: float) -> dict[str, Any]:
    """The alert as the API takes it. Times of the attack are event times; the lease is counted from now."""
    starts = min(from_text(alert.time), now_wall)
    ends = now_wall + lease_s if alert.status == "firing" else max(starts, min(from_text(alert.last_seen), now_wall))
    notes = {
        "summary": clean(alert.title, MAX_NOTE),
        "description": clean(alert.summary, MAX_NOTE),
        "counterfactual": clean(alert.counterfactual, MAX_NOTE),
        "runbook_url": clean(alert.runbook, MAX_NOTE),
        "events": str(alert.count),
        "first_seen": alert.first_seen,
        "last_seen": alert.last_seen,
        "attack": clean(" ".join(alert.attack.techniques), MAX_NOTE),
        "alert_id": alert.id,
        "incident": alert.incident,
        "inhibited_by": alert.inhibited_by or "",
    }
    return {
        "labels": labels_of(alert),
        "annotations": {name: value for name, value in notes.items() if value},
        "startsAt": rfc3339(starts),
        "endsAt": rfc3339(ends),
    }


def one_for_each(alerts: Iterable[Alert]) -> list[Alert]:
    """One alert for each set of labels: two journeys of one account look alike there, and the end of the first must not end the second."""
    chosen: dict[Identity, Alert] = {}
    for alert in alerts:
        other = chosen.get(identity(alert))
        chosen[identity(alert)] = alert if other is None else _merged(other, alert)
    return list(chosen.values())


def identity(alert: Alert) -> Identity:
    """The labels, to be compared."""
    return tuple(labels_of(alert).items())


def _merged(one: Alert, other: Alert) -> Alert:
    """What fires stands for both, since the first of them; of two of the same status, what was seen last."""
    later, earlier = sorted((one, other), key=lambda alert: (alert.status == "firing", alert.last_seen), reverse=True)
    if earlier.status == "firing":
        return msgspec.structs.replace(later, time=min(one.time, other.time))
    return later


class Former:
    """Remembers the severity that each alert was last told with, and resolves it when it has risen."""

    def __init__(self) -> None:
        self._told: dict[str, Alert] = {}
        self._risen: dict[str, tuple[float, Alert]] = {}

    def resolved(self, alerts: Sequence[Alert], now_wall: float) -> list[dict[str, Any]]:
        """Entries that resolve what these alerts were before their severity rose."""
        for alert in alerts:
            before = self._told.pop(alert.id, None)
            if before is not None and RANK[before.severity] < RANK[alert.severity]:
                over = msgspec.structs.replace(before, status="resolved", last_seen=rfc3339(now_wall))
                self._risen[alert.id] = now_wall, over
            if alert.status == "firing":
                self._told[alert.id] = alert
        while len(self._told) > MAX_REMEMBERED:
            del self._told[next(iter(self._told))]
        self._risen = {key: (at, over) for key, (at, over) in self._risen.items() if 0 <= now_wall - at < RESOLVED_S}
        # Another alert may fire with the very labels that this one had.
        firing = {identity(alert) for alert in alerts if alert.status == "firing"}
        return [entry(over, now_wall, 0.0) for _, over in self._risen.values() if identity(over) not in firing]


def _authorization(place: str, settings: AlertmanagerSink) -> dict[str, str]:
    token = secret_of(settings.bearer_token, settings.bearer_token_file, f"{place}.bearer_token")
    if token is not None:
        if re.fullmatch(r"[!-~]{1,8192}", token) is None:
            raise ConfigurationError(f"{place}.bearer_token: has characters that no token has; copy it again")
        return {"Authorization": f"Bearer {token}"}
    password = secret_of(settings.password, settings.password_file, f"{place}.password")
    if password is None:
        return {}
    return {"Authorization": f"Basic {base64.b64encode(f'{settings.username}:{password}'.encode()).decode('ascii')}"}
