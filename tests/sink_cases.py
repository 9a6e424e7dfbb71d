"""Every sink that speaks HTTP, made to talk to ``FakeServices``; and alerts to send."""

from collections.abc import Callable
from typing import Any

from pydantic import TypeAdapter

from monitor.notification import Notification, Reason, Sink
from monitor.settings_sinks import SinkSettings
from monitor.sinks.http import ClientOptions
from monitor.sinks.kinds import make
from schemas.alert import Alert, Attack, Entity, Related
from tests.fake_services import BEARER, BOT_TOKEN, HOOK_PATH, HOOK_QUERY, ROUTING_KEY, SIGNING_SECRET, WEBHOOK_PATH, FakeServices, Service

HOSTILE = (
    "<!channel> <!here> <@U012AB3CD> <#C012AB3CD>",
    "<https://evil.example.com/|Reset your password>",
    "https://evil.example.com/ @channel #general",
    "*bold* _italic_ ~struck~ `code` ```block```\n> quote",
    ":rotating_light: :smile:",
    "\x1b[31mred\x1b]0;title\x07 \x9b31m",
    "</script><script>alert(1)</script><img src=x onerror=alert(1)>",
    "\"' & &amp; &#x3c; {{7*7}} ${7*7} %s %n",
    "user\u202egnp.exe\u2066 zero\u200bwidth\ufeff\u3164",
    "\ud800 lone \udfff",
    "a\r\nb\tc\x00",
    "x" * 10_000,
    "<" * 10_000,
    "\u202e" * 10_000,
    "😀" * 10_000,
    "",
)
"""Names a stranger may choose."""

Settings = TypeAdapter[Any](SinkSettings)
Build = Callable[[FakeServices], dict[str, Any]]

KINDS: dict[str, tuple[Service, Build]] = {
    "slack webhook": ("slack_webhook", lambda fake: {"type": "slack", "webhook_url": fake.url(WEBHOOK_PATH)}),
    "slack app": (
        "slack_api",
        lambda fake: {"type": "slack", "bot_token": BOT_TOKEN, "channel": "#soc", "api_url": fake.url("/api")},
    ),
    "pagerduty": ("pagerduty", lambda fake: {"type": "pagerduty", "routing_key": ROUTING_KEY, "url": fake.url("/v2/enqueue")}),
    "webhook": (
        "webhook",
        lambda fake: {
            "type": "webhook",
            "url": fake.url(f"{HOOK_PATH}?{HOOK_QUERY}"),
            "secret": SIGNING_SECRET,
            "headers": {"Authorization": f"Bearer {BEARER}"},
        },
    ),
    "alertmanager": ("alertmanager", lambda fake: {"type": "alertmanager", "url": fake.url(""), "bearer_token": BEARER}),
}
"""Name of a case → which of the fake services it speaks to, and its settings."""
# The setting that an error of the network is about.
ADDRESS_OF = {
    "slack webhook": "webhook_url",
    "slack app": "api_url",
    "pagerduty": "url",
    "webhook": "url",
    "alertmanager": "url",
}


def sink(kind: str, fake: FakeServices, *, options: dict[str, Any] | None = None, **settings: Any) -> Sink:
    """A sink called ``mine`` that reaches the fake services."""
    given = KINDS[kind][1](fake) | {"timeout_s": 5.0, "ca_file": fake.ca_file}
    if kind != "alertmanager":
        given["allow_private"] = ["127.0.0.0/8"]
    checked = Settings.validate_python(given | settings)
    return make("mine", checked, ClientOptions(**{"resolver": fake.resolver, **(options or {})}))


def alert(number: int = 1, name: str = "203.0.113.9", **fields: Any) -> Alert:
    """An alert about ``name``."""
    return Alert(
        **{
            "id": f"id{number:05}",
            "version": 1,
            "dedup_key": f"failed_login_burst:{number}",
            "status": "firing",
            "time": "2026-03-03T00:01:20.000Z",
            "detector": "failed_login_burst",
            "severity": "medium",
            "tenant": "acme",
            "entity": Entity("ip", name),
            "title": f"Burst of failed logins: {name}",
            "summary": f"37 failed logins of {name} in 10 min.",
            "count": 37,
            "first_seen": "2026-03-03T00:01:00.000Z",
            "last_seen": "2026-03-03T00:06:00.000Z",
            "facts": {"failures": 37, "window_s": 600},
            "evidence": ("e1", "e2"),
            "counterfactual": "silent with fewer than 20 failures in 10 min",
            "score": 0.0,
            "attack": Attack("19", ("T1110.001",)),
            "runbook": "https://runbooks.example.com/failed_login_burst.md",
            "incident": "incident00001",
            **fields,
        }
    )


def hostile(name: str, number: int = 1) -> Alert:
    """An alert in which every field that a log can reach, and some that it cannot, holds ``name``."""
    return alert(
        number,
        name,
        tenant=name,
        summary=name,
        facts={"from": name, name[:50]: 1},
        evidence=(name,),
        counterfactual=f"silent without {name}",
        runbook=name,
        attack=Attack("19", (name, "T1110")),
        related=(Related("password_spray", "id00009"),),
    )


def notification(*alerts: Alert, reason: Reason = "new", **fields: Any) -> Notification:
    """A notification of these alerts; firing unless told."""
    return Notification(**{"key": "incident:0123456789abcdef", "reason": reason, "status": "firing", "alerts": alerts, **fields})
