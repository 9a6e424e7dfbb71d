"""PagerDuty, Events API v2: an incident is triggered, updated under the same key, and resolved."""

import re
from typing import Any, ClassVar

import msgspec

from monitor.notification import Notification, Style
from monitor.settings_sinks import PagerDutySink, secret_of
from monitor.sinks.addresses import Guard
from monitor.sinks.chat_text import clean, gravest, is_link, others_in_words
from monitor.sinks.http import PRIVATE_CURE, ClientOptions, Http, HttpSink
from schemas.alert import Alert
from schemas.errors import ConfigurationError

MAX_EVENT_BYTES = 512_000
MAX_SUMMARY = 1_024
MAX_KEY = 255
MAX_DETAIL = 1_000
MAX_FACTS = 50
MAX_OTHERS = 20
_HEADERS = {"Content-Type": "application/json"}


class PagerDuty(HttpSink):
    """Sends events. ``name``: of the sink in the configuration. Raises ``ConfigurationError``."""

    style: ClassVar[Style] = "notify"
    max_alerts: ClassVar[int] = 50

    def __init__(self, name: str, settings: PagerDutySink, options: ClientOptions | None = None) -> None:
        place = f"sinks.{name}"
        key = secret_of(settings.routing_key, settings.routing_key_file, f"{place}.routing_key")
        if key is None or re.fullmatch(r"[A-Za-z0-9]{32}", key) is None:
            raise ConfigurationError(f"{place}.routing_key_file: holds no key of an Events API v2 integration (32 letters and digits)")
        self._key = key
        self._url = settings.url
        self._severities = settings.severities
        super().__init__(
            Http(
                place,
                "url",
                timeout_s=settings.timeout_s,
                guard=Guard(settings.allow_private, PRIVATE_CURE),
                ca_file=settings.ca_file,
                options=options or ClientOptions(),
            )
        )

    async def _send(self, notification: Notification) -> dict[str, Any]:
        if notification.reason == "test":
            # An incident opens and closes: that the way is free is seen, and nobody is kept awake.
            await self._post(self._trigger(notification))
            await self._post(self._resolve(notification))
        elif notification.status == "resolved":
            await self._post(self._resolve(notification))
        else:
            await self._post(self._trigger(notification))
        return {}

    async def _post(self, event: dict[str, Any]) -> None:
        answer = await self.http.post(self._url, fitted(event), _HEADERS)
        self.http.check(answer)

    def _resolve(self, notification: Notification) -> dict[str, Any]:
        return {"routing_key": self._key, "event_action": "resolve", "dedup_key": notification.key[:MAX_KEY]}

    def _trigger(self, notification: Notification) -> dict[str, Any]:
        payload, links = _payload(notification)
        return {
            "routing_key": self._key,
            "event_action": "trigger",
            "dedup_key": notification.key[:MAX_KEY],
            "client": "watchfloor",
            "payload": {**payload, "severity": self._severities[gravest(notification.alerts)]},
            **({"links": links} if links else {}),
        }


def _payload(notification: Notification) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """All but the severity, and the links."""
    if notification.reason == "storm" or not notification.alerts:
        number = notification.suppressed or len(notification.alerts)
        summary = f"Alert storm: {number:,} further incident{'' if number == 1 else 's'} began; this event stands for all of them"
        details = {"incidents": number, "among_them": others_in_words(notification.alerts, MAX_OTHERS, 200)}
        return {"summary": summary, "source": "watchfloor", "class": "storm", "custom_details": details}, []
    lead, *rest = notification.alerts
    more = f" (and {len(rest)} more alert{'' if len(rest) == 1 else 's'})" if rest else ""
    mark = "Test: " if notification.reason == "test" else ""
    about = clean(f"{mark}{lead.title}: {lead.summary}", MAX_SUMMARY - len(more))
    payload = {
        "summary": f"{about}{more}",
        "source": clean(lead.entity.value, 255) or "watchfloor",
        "component": lead.entity.type,
        "class": lead.detector,
        "timestamp": lead.time,
        "custom_details": _details(lead, rest),
    }
    if lead.tenant:
        payload["group"] = clean(lead.tenant, 255)
    links = [{"href": lead.runbook, "text": "Runbook"}] if is_link(lead.runbook) else []
    return payload, links


def _details(lead: Alert, rest: list[Alert]) -> dict[str, Any]:
    facts = list(lead.facts.items())[:MAX_FACTS]
    return {
        "summary": clean(lead.summary, MAX_DETAIL),
        "counterfactual": clean(lead.counterfactual, MAX_DETAIL),
        "facts": {clean(name, 100): clean(value, MAX_DETAIL) if isinstance(value, str) else value for name, value in facts},
        "count": lead.count,
        "first_seen": lead.first_seen,
        "last_seen": lead.last_seen,
        "attack": clean(", ".join(lead.attack.techniques), MAX_DETAIL),
        "alert": lead.id,
        "version": lead.version,
        "incident": lead.incident,
        "runbook": clean(lead.runbook, MAX_DETAIL),
        "evidence": [clean(each, 200) for each in lead.evidence[:20]],
        "related": others_in_words(tuple(rest), MAX_OTHERS, 200),
    }


def fitted(event: dict[str, Any]) -> bytes:
    """The event as JSON of at most ``MAX_EVENT_BYTES``: without its details if need be, and then with its texts cut."""
    encoded = msgspec.json.encode(event)
    if len(encoded) <= MAX_EVENT_BYTES:
        return encoded
    payload = {**event["payload"], "custom_details": {"left_out": "the details were too large; see the alert itself"}}
    encoded = msgspec.json.encode({**event, "payload": payload})
    if len(encoded) <= MAX_EVENT_BYTES:
        return encoded
    payload = {name: clean(value, 255) if isinstance(value, str) else value for name, value in payload.items()}
    return msgspec.json.encode({**{name: value for name, value in event.items() if name != "links"}, "payload": payload})
