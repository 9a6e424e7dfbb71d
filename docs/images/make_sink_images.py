"""Makes the pictures of docs/sinks.md from the example logs: ``.venv/bin/python docs/images/make_sink_images.py``.

Needs Chromium, and Alertmanager with amtool (taken from where the tests take them). What Slack and PagerDuty get is drawn here, after what
their documentation says of each part of a message; the rest is shown as it arrives.
"""  # noqa: INP001 - a script, no package

import asyncio
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from playwright.sync_api import sync_playwright

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

from sink_payloads import Sent, gathered  # noqa: E402
from small_png import shrink  # noqa: E402

from monitor.kafka_producer import Outgoing  # noqa: E402
from monitor.notification import Notification  # noqa: E402
from monitor.settings_sinks import AlertmanagerSink  # noqa: E402
from monitor.sinks.kinds import make  # noqa: E402
from schemas.alert import Alert  # noqa: E402
from tests.prometheus_tools import find_tools, get_json, running_alertmanager  # noqa: E402

CONFIGURATION = HERE.parents[1] / "deploy" / "alertmanager" / "alertmanager.yml"
WIDTH_PX = 800
MAX_BYTES = 120_000
SHOWN_EVIDENCE = 3
"""Ids of events that are shown of long lists."""


def main() -> None:
    """Draw all."""
    payloads = gathered()
    pages = {
        "sink-slack": slack(payloads.slack[:4]),
        "sink-slack-thread": slack(payloads.slack),
        "sink-slack-storm": slack([payloads.storm]),
        "sink-pagerduty": pagerduty(payloads.pagerduty.json()),
        "sink-webhook": webhook(payloads.webhook),
        "sink-alertmanager": alertmanager(payloads.firing),
        "sink-kafka": kafka(payloads.kafka),
        "sink-file": lines(payloads.lines),
    }
    draw(pages)


def draw(pages: Mapping[str, str]) -> None:
    """Each of them as a picture of its own. ``pages``: name → what is inside of the body."""
    chromium = os.environ.get("WATCHFLOOR_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    style = (HERE / "sink_pictures.css").read_text("utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        shown = browser.new_page(viewport={"width": WIDTH_PX, "height": 600}, color_scheme="light")
        for name, inside in pages.items():
            shown.set_content(f'<!DOCTYPE html><meta charset="utf-8"><style>{style}</style><div id="picture">{inside}</div>')
            path = HERE / f"{name}.png"
            picture = shrink(shown.locator("#picture").screenshot())
            if len(picture) > MAX_BYTES:
                raise SystemExit(f"{path.name}: has {len(picture):,} bytes; show less")
            path.write_bytes(picture)
        browser.close()


# -- Slack ------------------------------------------------------------------------------------------------------------------------------


def slack(calls: Sequence[Sent]) -> str:
    """A message as the calls about it leave it, with its thread."""
    first, *later = calls
    message = first.json()
    replies = []
    for call in later:
        if "thread_ts" in call.json():
            replies.append(call.json())
        else:
            message |= call.json()
    inside = "".join(_block(block) for block in message["blocks"])
    for attachment in message["attachments"]:
        blocks = "".join(_block(block) for block in attachment["blocks"])
        inside += f'<div class="attachment" style="border-color: {attachment["color"]}">{blocks}</div>'
    when = datetime.fromtimestamp(first.at, UTC).strftime("%H:%M")
    thread = "".join(_message("".join(_block(block) for block in reply["blocks"])) for reply in replies)
    if replies:
        thread = f'<div class="thread"><p>{len(replies)} repl{"y" if len(replies) == 1 else "ies"}</p>{thread}</div>'
    return _message(inside, when) + thread


def _message(inside: str, when: str = "") -> str:
    who = f'<div class="who">watchfloor<span class="app">APP</span><span class="when">{when}</span></div>'
    return f'<div class="message"><div class="avatar">w</div><div>{who}{inside}</div></div>'


def _block(block: dict[str, Any]) -> str:
    match block:
        case {"type": "header", "text": text}:
            return f'<div class="header">{_element(text)}</div>'
        case {"type": "section", "fields": fields}:
            return f'<div class="fields">{"".join(f"<span>{_element(field)}</span>" for field in fields)}</div>'
        case {"type": "section", "text": text}:
            return f'<div class="text">{_element(text)}</div>'
        case {"type": "context", "elements": elements}:
            return f'<div class="context">{"".join(f"<span>{_element(element)}</span>" for element in elements)}</div>'
    raise SystemExit(f"no picture of a block of type {block['type']} is known here")


def _element(element: dict[str, Any]) -> str:
    """Both kinds have ``&``, ``<`` and ``>`` escaped as HTML has. Only ``mrkdwn`` has links and bold words."""
    text: str = element["text"]
    if element["type"] == "plain_text":
        return text
    return re.sub(r"\*([^*]+)\*", r"<b>\1</b>", re.sub(r"<([^|>]+)\|([^>]+)>", r'<a href="\1">\2</a>', text))


# -- PagerDuty --------------------------------------------------------------------------------------------------------------------------


def pagerduty(event: dict[str, Any]) -> str:
    """The event as an incident."""
    payload = event["payload"]
    fields = {name: payload[name] for name in ("source", "component", "group", "class", "timestamp")}
    fields |= {"dedup_key": event["dedup_key"], "client": event["client"]}
    links = " ".join(f'<a href="{escape(link["href"])}">{escape(link["text"])}</a>' for link in event["links"])
    return (
        f'<div class="state"><span class="pill">TRIGGERED</span><span class="pill severity">{escape(payload["severity"])}</span></div>'
        f'<div class="title">{escape(payload["summary"])}</div>'
        f'<div class="columns">{_table(dict(list(fields.items())[:4]))}{_table(dict(list(fields.items())[4:]))}</div>'
        f'<h2>Links</h2>{links}<h2>Custom details</h2><div class="box">{_table(_shortened(payload["custom_details"]))}</div>'
    )


def _table(rows: Mapping[str, Any]) -> str:
    return f"<table>{''.join(f'<tr><td>{escape(name)}</td><td>{_value(value)}</td></tr>' for name, value in rows.items())}</table>"


def _value(value: Any) -> str:
    match value:
        case dict():
            return ", ".join(f"{escape(str(name))} {escape(str(inner))}" for name, inner in value.items())
        case list():
            return "<br>".join(escape(str(inner)) for inner in value)
    return escape(str(value))


def _shortened(fields: dict[str, Any]) -> dict[str, Any]:
    """With no more evidence than is needed to see what it is."""
    evidence = fields["evidence"]
    if len(evidence) <= SHOWN_EVIDENCE:
        return fields
    left = f"… and {len(evidence) - SHOWN_EVIDENCE} more"
    return {**fields, "evidence": [*evidence[:SHOWN_EVIDENCE], left]}


# -- machines ---------------------------------------------------------------------------------------------------------------------------


def webhook(sent: Sent) -> str:
    """The request: its first line, its headers, and its body with line breaks."""
    headers = "\n".join(f'<span class="name">{escape(name)}</span>: {escape(value)}' for name, value in sent.headers)
    return f'<pre class="box"><b>POST {escape(sent.target)} HTTP/1.1</b>\n{headers}\n\n{_json(sent.json())}</pre>'


def _json(fields: dict[str, Any]) -> str:
    """One field a line; what is left out stands there without quotes."""
    rows = []
    for name, value in _shortened(fields).items():
        inner = msgspec.json.format(msgspec.json.encode(value), indent=0).decode()
        inner = re.sub(r'"(… and \d+ more)"', r"\1", inner)
        rows.append(f'<div class="row"><span class="name">"{escape(name)}"</span>: {escape(inner)},</div>')
    return "{" + "".join(rows).removesuffix(",</div>") + "</div>}"


def kafka(records: Sequence[Outgoing]) -> str:
    """The records about one alert: the first with all of its value."""
    shown = []
    for number, record in enumerate(records):
        headers = " &nbsp; ".join(f'<span class="name">{escape(name)}</span>={escape(value.decode())}' for name, value in record.headers)
        value = _json(msgspec.json.decode(record.value)) if number == 0 else escape(record.value.decode())
        shown.append(
            f'<h2>Record {number + 1}</h2><table class="mono">'
            f"<tr><td>key</td><td>{escape((record.key or b'').decode())}</td></tr>"
            f"<tr><td>headers</td><td>{headers}</td></tr><tr><td>value</td><td></td></tr></table>"
            f'<pre class="box{"" if number == 0 else " cut"}">{value}</pre>'
        )
    return "".join(shown)


def lines(written: Sequence[str]) -> str:
    """All of them as far as a line of the picture goes, and one whole."""
    rows = "".join(f'<div class="cut">{escape(line)}</div>' for line in written)
    whole = next(line for line in written if '"severity":"critical"' in line)
    return f'<h2>alerts.jsonl, {len(written)} lines</h2><pre class="box">{rows}</pre><h2>One of them, whole</h2><pre class="box raw">{escape(whole)}</pre>'


# -- Alertmanager -----------------------------------------------------------------------------------------------------------------------


def alertmanager(alerts: Sequence[Alert]) -> str:
    """What a real Alertmanager says of these alerts after they were sent to it."""
    tools = find_tools()
    with TemporaryDirectory() as folder, running_alertmanager(tools, CONFIGURATION, Path(folder)) as url:
        asyncio.run(_deliver(url, alerts))
        deadline = time.monotonic() + 10
        while len(found := get_json(f"{url}/api/v2/alerts")) < len(alerts) and time.monotonic() < deadline:
            time.sleep(0.1)
        command = [str(tools.amtool), "alert", "query", f"--alertmanager.url={url}", "--date.format=2006-01-02 15:04:05"]
        utc = {**os.environ, "TZ": "UTC"}
        listed = subprocess.run(command, env=utc, capture_output=True, text=True, check=True, timeout=30).stdout  # noqa: S603 - our own command
    listed = "\n".join(row.rstrip() for row in listed.splitlines())
    gravest = next(alert for alert in found if alert["labels"]["severity"] == "critical")
    return (
        f'<h2>amtool alert query</h2><pre class="box wide">{escape(listed)}</pre><h2>Labels of “{escape(gravest["labels"]["alertname"])}”</h2>'
        f'<div class="box mono">{_table(gravest["labels"])}</div><h2>Its annotations</h2><div class="box mono">{_table(gravest["annotations"])}</div>'
    )


async def _deliver(url: str, alerts: Sequence[Alert]) -> None:
    sink = make("prometheus", AlertmanagerSink(type="alertmanager", url=url))
    await sink.send(Notification(key="state", reason="new", status="firing", alerts=tuple(alerts)))
    await sink.close()


if __name__ == "__main__":
    main()
