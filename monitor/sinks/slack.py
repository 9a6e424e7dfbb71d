"""Slack: an incoming webhook, which can only add messages, or an app with a token, which edits its own.

With a token an incident is one message: later versions edit it in place, where nobody is disturbed, and its thread gets a short line when the
severity rises, when it resolves, when it comes back, and when delivery reminds of it.
"""

import re
from typing import Any, ClassVar

import msgspec

from monitor.notification import DeliveryError, Notification, RefusedError, Style, UnreachableError
from monitor.settings_sinks import SlackSink, secret_of, url_problem
from monitor.sinks.addresses import Guard
from monitor.sinks.chat_text import gravest
from monitor.sinks.http import PRIVATE_CURE, Answer, ClientOptions, Http, HttpSink
from monitor.sinks.slack_blocks import message, reply, thread_words
from schemas.errors import ConfigurationError

_TOKEN = frozenset(
    {
        "access_denied",
        "account_inactive",
        "ekm_access_denied",
        "enterprise_is_restricted",
        "invalid_auth",
        "missing_scope",
        "no_permission",
        "not_allowed_token_type",
        "not_authed",
        "org_login_required",
        "team_access_not_granted",
        "token_expired",
        "token_revoked",
        "two_factor_setup_required",
    }
)
_CHANNEL = frozenset(
    {
        "channel_is_archived",
        "channel_not_found",
        "invalid_channel",
        "is_archived",
        "is_inactive",
        "not_in_channel",
        "posting_to_channel_denied",
        "restricted_action",
        "restricted_action_non_threadable_channel",
        "restricted_action_read_only_channel",
        "restricted_action_thread_locked",
    }
)
_LATER = frozenset(
    {
        "accesslimited",
        "fatal_error",
        "internal_error",
        "message_limit_exceeded",
        "ratelimited",
        "rate_limited",
        "request_timeout",
        "service_unavailable",
        "team_added_to_org",
    }
)
_EDITABLE = frozenset({"text", "blocks", "attachments"})
_GONE = frozenset({"cant_update_message", "edit_window_closed", "message_not_found", "thread_not_found", "channel_not_found"})
"""A message that cannot be edited any more: somebody took it away, or the app may not. A new one takes its place."""


class Slack(HttpSink):
    """Formats incidents as messages and posts them. ``name``: of the sink in the configuration. Raises ``ConfigurationError``."""

    style: ClassVar[Style] = "notify"
    max_alerts: ClassVar[int] = 50

    def __init__(self, name: str, settings: SlackSink, options: ClientOptions | None = None) -> None:
        place = f"sinks.{name}"
        self._place = place
        self._channel = settings.channel
        url = secret_of(settings.webhook_url, settings.webhook_url_file, f"{place}.webhook_url")
        if url is not None and (problem := url_problem(url, ("https", "http") if settings.allow_private else ("https",))):
            raise ConfigurationError(f"{place}.webhook_url_file: {problem}")
        self._webhook_url = url
        self._token = secret_of(settings.bot_token, settings.bot_token_file, f"{place}.bot_token")
        if self._token is not None and re.fullmatch(r"[!-~]{1,1024}", self._token) is None:
            raise ConfigurationError(f"{place}.bot_token: has characters that no token has; copy it again")
        self._api = settings.api_url.rstrip("/")
        super().__init__(
            Http(
                place,
                "api_url" if url is None else "webhook_url" if settings.webhook_url is not None else "webhook_url_file",
                timeout_s=settings.timeout_s,
                guard=Guard(settings.allow_private, PRIVATE_CURE),
                ca_file=settings.ca_file,
                options=options or ClientOptions(),
            )
        )

    async def _send(self, notification: Notification) -> dict[str, Any]:
        if self._webhook_url is None:
            return await self._as_app(notification)
        body = msgspec.json.encode(message(notification))
        answer = await self.http.post(self._webhook_url, body, {"Content-Type": "application/json; charset=utf-8"})
        self.http.check(answer)
        return {}

    # -- with a token -------------------------------------------------------------------------------------------------------------

    async def _as_app(self, notification: Notification) -> dict[str, Any]:
        memory = notification.memory
        channel, ts = memory.get("channel"), memory.get("ts")
        told = {"to": self._channel, "severity": gravest(notification.alerts), "status": notification.status}
        is_own = isinstance(channel, str) and isinstance(ts, str) and memory.get("to") == self._channel
        if is_own and notification.alerts and notification.reason not in {"storm", "test"}:
            edited = {name: value for name, value in message(notification).items() if name in _EDITABLE}
            found = await self._call("chat.update", {"channel": channel, "ts": ts, "parse": "none", **edited}, may_be=_GONE)
            if found is not None:
                words = thread_words(notification, memory.get("severity"), memory.get("status"))
                if words is not None:
                    await self._call("chat.postMessage", {"channel": channel, "thread_ts": ts, **reply(words)}, may_be=_GONE)
                return {"channel": channel, "ts": ts, **told}
        made = await self._call(
            "chat.postMessage", {"channel": self._channel, "parse": "none", "link_names": False, **message(notification)}
        )
        if made is None or not isinstance(made.get("channel"), str) or not isinstance(made.get("ts"), str):
            # The message is there: to send it again would say it twice. It only cannot be edited.
            return {}
        return {"channel": made["channel"], "ts": made["ts"], **told}

    async def _call(self, method: str, arguments: dict[str, Any], may_be: frozenset[str] = frozenset()) -> dict[str, Any] | None:
        """Call a method of the Web API. ``None``: it failed for one of the reasons in ``may_be``."""
        answer = await self.http.post(
            f"{self._api}/{method}",
            msgspec.json.encode(arguments),
            {"Content-Type": "application/json; charset=utf-8", "Authorization": f"Bearer {self._token}"},
        )
        self.http.check(answer)
        found = self._decoded(answer)
        if found.get("ok") is True:
            return found
        code = found.get("error")
        word = code if isinstance(code, str) and re.fullmatch(r"[a-z_]{1,64}", code) else "an error without a name"
        if word in may_be:
            return None
        raise self._failure(word, answer)

    def _decoded(self, answer: Answer) -> dict[str, Any]:
        try:
            found = msgspec.json.decode(answer.body)
        except (msgspec.DecodeError, RecursionError):
            found = None
        if not answer.whole or not isinstance(found, dict):
            raise UnreachableError(f"{self.http.setting}: what answers is not Slack, or its answer broke off; it is tried again")
        return found

    def _failure(self, word: str, answer: Answer) -> DeliveryError:
        if word in _LATER:
            wait = answer.headers.get("retry-after", "")
            seconds = float(wait) if wait.isascii() and wait.isdecimal() and len(wait) <= 9 else None
            return UnreachableError(f"{self.http.setting}: Slack asks to come back later ({word})", seconds)
        if word in _TOKEN:
            return UnreachableError(
                f"{self._place}.bot_token: Slack does not accept it ({word}); install the app with the scope chat:write and set its token"
            )
        if word in _CHANNEL:
            return UnreachableError(f"{self._place}.channel: cannot be posted to ({word}); name another channel, or invite the app into it")
        return RefusedError(f"{self.http.setting}: Slack refused the message ({word})")
