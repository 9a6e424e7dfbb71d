"""A webhook of one's own: every alert version as JSON, in order, signed."""

import hashlib
import hmac
from typing import Any, ClassVar

from monitor.notification import Notification, Style
from monitor.settings_sinks import MIN_SIGNING_SECRET, WebhookSink, header_problem, secret_of, url_problem
from monitor.sinks.addresses import Guard
from monitor.sinks.encode import encode
from monitor.sinks.http import PRIVATE_CURE, ClientOptions, Http, HttpSink
from schemas.alert import Alert
from schemas.errors import ConfigurationError


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The value of ``X-Watchfloor-Signature``. The time is signed too, so that an old request cannot be sent again as a new one.

    >>> sign("0123456789abcdef", "1770000000", b"{}")[:19]
    'v1=4f7a5e0fdb247f6f'
    """
    made = hmac.new(secret.encode(), timestamp.encode("ascii") + b"." + body, hashlib.sha256)
    return f"v1={made.hexdigest()}"


class Webhook(HttpSink):
    """Posts alerts. ``name``: of the sink in the configuration. Raises ``ConfigurationError``."""

    style: ClassVar[Style] = "stream"
    max_alerts: ClassVar[int] = 1

    def __init__(self, name: str, settings: WebhookSink, options: ClientOptions | None = None) -> None:
        place = f"sinks.{name}"
        url = secret_of(settings.url, settings.url_file, f"{place}.url") or ""
        problem = url_problem(url, ("https", "http") if settings.allow_private else ("https",))
        if problem is not None:
            raise ConfigurationError(f"{place}.{'url' if settings.url is not None else 'url_file'}: {problem}")
        self._url = url
        self._secret = secret_of(settings.secret, settings.secret_file, f"{place}.secret")
        if self._secret is not None and len(self._secret) < MIN_SIGNING_SECRET:
            raise ConfigurationError(f"{place}.secret_file: is too short; write {MIN_SIGNING_SECRET} or more characters into it")
        self._format = settings.format
        self._headers = _headers(place, settings)
        super().__init__(
            Http(
                place,
                "url" if settings.url is not None else "url_file",
                timeout_s=settings.timeout_s,
                guard=Guard(settings.allow_private, PRIVATE_CURE),
                ca_file=settings.ca_file,
                options=options or ClientOptions(),
            )
        )

    async def _send(self, notification: Notification) -> dict[str, Any]:
        for alert in notification.alerts:
            await self._post(alert)
        return {}

    async def _post(self, alert: Alert) -> None:
        body = encode(alert, self._format)
        timestamp = str(int(self.http.wall()))
        headers = {
            **self._headers,
            "Content-Type": "application/json",
            "Idempotency-Key": f"{alert.id}:{alert.version}",
            "X-Watchfloor-Timestamp": timestamp,
        }
        if self._secret is not None:
            headers["X-Watchfloor-Signature"] = sign(self._secret, timestamp, body)
        self.http.check(await self.http.post(self._url, body, headers))


def _headers(place: str, settings: WebhookSink) -> dict[str, str]:
    made = {name: value.get_secret_value() for name, value in settings.headers.items()}
    for name, file in settings.header_files.items():
        try:
            value = secret_of(None, file, "value")
        except ConfigurationError as exc:
            raise ConfigurationError(f"{place}.header_files.{name}: {str(exc).partition(': ')[2]}") from None
        if value is None or (problem := header_problem(value)) is not None:
            raise ConfigurationError(f"{place}.header_files.{name}: {problem}")
        made[name] = value
    return made
