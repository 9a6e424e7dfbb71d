"""What a message in Slack looks like: Block Kit, within its limits.

Whatever a log can reach stands in ``plain_text`` without emoji, which Slack shows letter by letter. ``mrkdwn`` is used for our own words alone:
labels, severities, and links to ATT&CK and to the runbook.
"""

import json
from collections.abc import Iterable
from typing import Any

from monitor.notification import Notification
from monitor.sinks.chat_text import clean, escaped, event_count, gravest, is_link, moment, others_in_words, technique_url
from schemas.alert import Alert
from schemas.severity import RANK

Block = dict[str, Any]

MAX_BLOCKS_CHARS = 12_000
"""Slack refuses a message whose blocks have more than about 13,200 characters of JSON together (``msg_blocks_too_long``)."""
MAX_HEADER = 150
MAX_TEXT = 1_500
"""Of the longest texts; Slack takes 3,000 in one block."""
MAX_FIELD = 400
MAX_FALLBACK = 500
MAX_OTHERS = 5
MAX_TECHNIQUES = 8
COLOURS = {"critical": "#a30200", "high": "#e8590c", "medium": "#f2c037", "low": "#4a90d9", "info": "#8d99a6"}
RESOLVED_COLOUR = "#2eb67d"
_REASONS = {
    "new": "new",
    "update": "update",
    "repeat": "still going on",
    "resolved": "resolved",
    "storm": "storm",
    "test": "test, nothing has happened",
}


def plain(text: str, limit: int) -> Block:
    """An element that shows text letter by letter."""
    return {"type": "plain_text", "text": escaped(text, limit) or "–", "emoji": False}


def _own(text: str) -> Block:
    """An element of our own words; ``verbatim``: nothing in it is made a link or a mention by itself."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def section(text: str, limit: int = MAX_TEXT) -> Block:
    """A paragraph."""
    return {"type": "section", "text": plain(text, limit)}


def _context(elements: Iterable[Block]) -> Block:
    return {"type": "context", "elements": list(elements)}


def message(notification: Notification) -> dict[str, Any]:
    """``text`` (for notifications and screen readers), ``blocks`` and ``attachments`` (which carry the colour)."""
    made: dict[str, Any] = {}
    for part in (1, 2, 4, 8, 16):  # the share of its room that each text may take, should all of them be long
        made = _storm(notification, part) if notification.reason == "storm" or not notification.alerts else _incident(notification, part)
        # Escaped as JSON can be: nobody says in which form Slack counts.
        if len(json.dumps([made["blocks"], made["attachments"]])) <= MAX_BLOCKS_CHARS:
            break
    return made


def _incident(notification: Notification, part: int) -> dict[str, Any]:
    lead, *rest = notification.alerts
    severity = gravest(notification.alerts)
    resolved = notification.status == "resolved" and notification.reason != "test"
    title = f"{'Resolved: ' if resolved else 'Test: ' if notification.reason == 'test' else ''}{lead.title}"
    body = [
        _context([_own(_standing(notification, severity))]),
        section(lead.summary, MAX_TEXT // part),
        {"type": "section", "fields": _fields(lead, MAX_FIELD // part)},
        section(f"Counterfactual: {lead.counterfactual or '–'}", 800 // part),
    ]
    if rest:
        lines = ["Also in this incident:", *others_in_words(tuple(rest), MAX_OTHERS, 200 // part)]
        body.append({"type": "section", "text": _lines(lines)})
    body.append(_context(_links(lead)))
    body.append(_context([plain(f"alert {lead.id} · incident {lead.incident} · {lead.detector}", 250)]))
    return _made(f"[{severity}] {title}. {lead.summary}", title, RESOLVED_COLOUR if resolved else COLOURS[severity], body)


def _made(fallback: str, title: str, colour: str, body: list[Block]) -> dict[str, Any]:
    return {
        "text": escaped(fallback, MAX_FALLBACK),
        "mrkdwn": False,
        "unfurl_links": False,
        "unfurl_media": False,
        # The title stands outside of the attachment: without blocks there, Slack would show ``text`` above it.
        "blocks": [{"type": "header", "text": plain(title, MAX_HEADER)}],
        "attachments": [{"color": colour, "blocks": body}],
    }


def _standing(notification: Notification, severity: str) -> str:
    words = [f"*{severity.upper()}*", _REASONS[notification.reason]]
    if notification.status == "firing" and notification.reason in {"new", "update"}:
        words.append("firing")
    if len(notification.alerts) > 1:
        words.append(f"{len(notification.alerts)} alerts")
    return " · ".join(words)


def _fields(lead: Alert, limit: int) -> list[Block]:
    """Label and value side by side; Slack shows fields in two columns and takes ten of them."""
    rows = [
        ("Entity", f"{lead.entity.value or '–'} ({lead.entity.type})"),
        ("Tenant", lead.tenant),
        ("Events", f"{lead.count:,}"),
        ("First seen", moment(lead.first_seen)),
        ("Last seen", moment(lead.last_seen)),
    ]
    return [element for label, value in rows if value is not None for element in (_own(f"*{label}*"), plain(value, limit))]


def _lines(lines: list[str]) -> Block:
    # Each line is made safe by itself, for a line end of our own is no invisible character of theirs.
    return {"type": "plain_text", "text": "\n".join(escaped(line, 300) for line in lines), "emoji": False}


def _links(lead: Alert) -> list[Block]:
    elements: list[Block] = []
    links = [f"<{url}|{each}>" for each in lead.attack.techniques[:MAX_TECHNIQUES] if (url := technique_url(each)) is not None]
    if links:
        elements.append(_own(f"ATT&amp;CK: {' '.join(links)}"))
    if is_link(lead.runbook):
        elements.append(_own(f"<{lead.runbook.replace('&', '&amp;')}|Runbook>"))
    elif lead.runbook:
        elements.append(plain(f"Runbook: {lead.runbook}", 300))
    return elements or [_own("no runbook")]


def _storm(notification: Notification, part: int) -> dict[str, Any]:
    number = notification.suppressed or len(notification.alerts)
    title = f"Alert storm: {number:,} further incident{'' if number == 1 else 's'}"
    said = "More incidents begin than are worth a message each, so this one stands for them. All alerts are kept and go to the other sinks."
    severity = gravest(notification.alerts)
    body = [_context([_own(f"*{severity.upper()}* · storm")]), section(said)]
    if notification.alerts:
        worst = sorted(notification.alerts, key=lambda alert: -RANK[alert.severity])
        lines = ["Among them:", *others_in_words(tuple(worst), 10, 200 // part)]
        body.append({"type": "section", "text": _lines(lines)})
    return _made(f"[{severity}] {title}", title, COLOURS[severity], body)


def reply(text: str) -> dict[str, Any]:
    """A short message for a thread."""
    return {
        "text": escaped(text, MAX_FALLBACK),
        "mrkdwn": False,
        "unfurl_links": False,
        "unfurl_media": False,
        "blocks": [section(text, 500)],
    }


def thread_words(notification: Notification, before: str | None, was: str | None) -> str | None:
    """What a thread is told beside the edited message; ``None``: nothing. ``before``, ``was``: severity and status last told."""
    lead = notification.alerts[0]
    now = gravest(notification.alerts)
    so_far = f"{event_count(lead.count)}, last seen {moment(lead.last_seen)}"
    if notification.status == "resolved":
        return None if was == "resolved" else f"Resolved: {so_far}."
    if was == "resolved":
        return f"It has come back: {so_far}."
    if before in RANK and RANK[now] > RANK[before]:
        return f"Severity rises from {before} to {now}: {clean(lead.title, 200)}."
    return f"Still going on: {so_far}." if notification.reason == "repeat" else None
