"""Words of an alert for people, and log text that a chat shows as it is."""

import re

from schemas.alert import Alert
from schemas.severity import RANK, Severity
from schemas.text import REPLACEMENT, cut, printable

_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_TECHNIQUE = re.compile(r"T\d{4}(\.\d{3})?")
_RUNS = re.compile(f"{REPLACEMENT}{{2,}}")


def clean(text: str, limit: int) -> str:
    r"""At most ``limit`` characters, all of which can be seen, with an ellipsis where something was cut off.

    >>> clean("a\x1b\x07b" + "c" * 10, 8)
    'a�bcccc…'
    """
    # A name of nothing but invisible characters would fill the message with boxes. What is far too long is cut before it is looked at.
    return cut(_RUNS.sub(REPLACEMENT, printable(text[: limit * 8 + 64])), limit)


def escaped(text: str, limit: int) -> str:
    """``clean`` and escaped for Slack: at most ``limit`` characters as sent, and no escape is cut in two.

    It is written nowhere how Slack counts, so characters beyond U+FFFF count as two, as they do in browsers.

    >>> escaped("<!channel> & co", 40), escaped("<<<<", 9)
    ('&lt;!channel&gt; &amp; co', '&lt;&lt;…')
    """
    parts = [_ESCAPES.get(c, c) for c in clean(text, limit)]
    sizes = [len(part) + (part > "\uffff") for part in parts]
    if sum(sizes) <= limit:
        return "".join(parts)
    room = limit - 1
    kept = 0
    for size in sizes:
        if size > room:
            break
        room -= size
        kept += 1
    return "".join(parts[:kept]).removesuffix("…") + "…"


def is_link(url: str) -> bool:
    """Whether a runbook can be a link: an address of the web without anything that ends one.

    >>> is_link("https://example.com/runbooks/a.md"), is_link("deploy/runbooks/a.md"), is_link("https://example.com/|<!channel>")
    (True, False, False)
    """
    return re.fullmatch(r"https?://[A-Za-z0-9._~:/?#@!$&'()*+,;=%\[\]-]{1,1900}", url) is not None


def technique_url(technique: str) -> str | None:
    """Where ATT&CK describes it; ``None`` for what is no id of a technique.

    >>> technique_url("T1110.003")
    'https://attack.mitre.org/techniques/T1110/003/'
    """
    if _TECHNIQUE.fullmatch(technique) is None:
        return None
    return f"https://attack.mitre.org/techniques/{technique.replace('.', '/')}/"


def moment(stamp: str) -> str:
    """A time of an alert, to the second.

    >>> moment("2026-03-03T09:50:00.250Z")
    '2026-03-03 09:50:00 UTC'
    """
    found = re.fullmatch(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z", stamp)
    return clean(stamp, 40) if found is None else f"{found[1]} {found[2]} UTC"


def event_count(count: int) -> str:
    """How many, in words.

    >>> event_count(1), event_count(1200)
    ('1 event', '1,200 events')
    """
    return f"{count:,} event{'' if count == 1 else 's'}"


def gravest(alerts: tuple[Alert, ...]) -> Severity:
    """The severity of an incident: that of its gravest alert. A storm of which nothing is known is taken seriously."""
    return max((alert.severity for alert in alerts), key=RANK.__getitem__, default="high")


def others_in_words(alerts: tuple[Alert, ...], shown: int, chars: int) -> list[str]:
    """One line for each further alert of an incident, at most ``shown``, and one that says how many there are besides."""
    lines = [f"{clean(alert.title, chars)} ({alert.severity}, {event_count(alert.count)})" for alert in alerts[:shown]]
    if len(alerts) > shown:
        lines.append(f"… and {len(alerts) - shown} more")
    return lines
