"""The report of a replay: one HTML file that needs nothing else, and is the same for the same input.

Nothing of it is trusted: every text that the template writes goes through ``printable`` and is escaped, and the page's own
Content Security Policy lets no script run but the one written here.
"""

from base64 import b64encode
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from detectors.phrases import size, span, times
from detectors.registry import DETECTORS
from monitor.report.incidents import GRAVEST_FIRST, Incident, by_severity, counts, incidents, verdict
from monitor.report.summary import Summary
from monitor.report.timeline import timeline
from schemas.alert import Alert
from schemas.finding import Fact
from schemas.stamps import from_text
from schemas.text import cut, printable

MAX_INCIDENTS = 100
"""Shown of each severity."""
MAX_OTHERS = 20
"""Other alerts shown of one incident."""
MAX_EVIDENCE = 8
"""Evidence ids shown without being asked for more."""
MAX_VALUE_CHARS = 20_000
"""Shown of a value even when all of it is asked for."""


def render(summary: Summary) -> str:
    """The whole page. Equal summaries give equal pages, whatever ``summary.seconds`` says; lone surrogates never get into it."""
    template, policy = _prepared()
    found = incidents(summary.alerts)
    return template.render(
        s=summary,
        policy=policy,
        verdict=verdict(found),
        found=found,
        sections=by_severity(found),
        numbers={found_in.leader.id: number for number, found_in in enumerate(found, 1)},
        incident_counts=counts(each.severity for each in found),
        alert_counts=counts(alert.severity for alert in summary.alerts),
        line=timeline(summary.histogram.rows(), summary.histogram.width_s, found),
        evicted=[(name, n) for name, _, n in summary.detectors if n],
        looked_for=looked_for(summary.detectors),
    )


def looked_for(detectors: Iterable[tuple[str, int, int]]) -> list[dict[str, Any]]:
    """What each detector looks for, how it is keyed, and what it held at the end."""
    rows: dict[str, dict[str, Any]] = {}
    for full_name, keys, evicted in detectors:
        name, _, variant = full_name.partition("/")
        known = DETECTORS.get(name)
        row = rows.setdefault(
            name,
            {
                "name": name,
                "title": known.title if known else "",
                "sees": known.sees if known else "",
                "variants": [],
                "keys": 0,
                "evicted": 0,
            },
        )
        row["variants"].append(variant)
        row["keys"] += keys
        row["evicted"] += evicted
    return [rows[name] for name in sorted(rows)]


def left_out(hidden: Iterable[Incident]) -> str:
    """Which detectors found the incidents that are not shown.

    >>> left_out([])
    ''
    """
    by_detector: dict[str, int] = {}
    for incident in hidden:
        by_detector[incident.leader.detector] = by_detector.get(incident.leader.detector, 0) + 1
    return ", ".join(f"{n:,} {name}" for name, n in sorted(by_detector.items(), key=lambda item: (-item[1], item[0])))


def moment(ts: float) -> str:
    """A time in UTC, to the second.

    >>> moment(1767225600.9)
    '2026-01-01 00:00:00'
    """
    return f"{datetime.fromtimestamp(ts, UTC):%Y-%m-%d %H:%M:%S}"


def from_to(first: float, last: float) -> str:
    """A stretch of time in UTC; a day that both ends share is named once.

    >>> from_to(0, 59), from_to(0, 86_400)
    ('1970-01-01 00:00:00 – 00:00:59', '1970-01-01 00:00:00 – 1970-01-02 00:00:00')
    """
    start, end = moment(first), moment(last)
    return f"{start} – {end[11:] if end[:10] == start[:10] else end}"


def fact(name: str, value: Fact) -> tuple[str, str]:
    """A fact's name in words, and its value with its unit.

    >>> fact("window_s", 600), fact("distinct_actors", 1200), fact("speed_kmh", 912.25), fact("bytes", 2048), fact("country", "NL")
    (('window', '10 min'), ('distinct actors', '1,200'), ('speed', '912.25 km/h'), ('bytes', '2 KiB'), ('country', 'NL'))
    """
    words = name.replace("_", " ")
    if isinstance(value, str):
        return words, value
    for suffix, unit in (("_kmh", "km/h"), ("_km", "km")):
        if name.endswith(suffix):
            return words[: -len(suffix)], f"{_number(value)} {unit}"
    if name.endswith("_s"):
        return words[:-2], span(float(value))
    if name.endswith("bytes"):
        return words, size(value)
    return words, _number(value)


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}".rstrip("0").rstrip(".")


def _duration(alert: Alert) -> str:
    return span(from_text(alert.last_seen) - from_text(alert.first_seen))


def _unbroken(sentence: str) -> Markup:
    """A list in which no line breaks within an entry."""
    return Markup(", ").join(Markup('<span class="nb">{}</span>').format(printable(part)) for part in sentence.split(", "))


def _lines(text: str) -> Markup:
    """Several lines of text, for a ``pre``; only line breaks are left as they are."""
    return Markup("\n").join(escape(printable(line.expandtabs(4))) for line in text.split("\n"))


def _shown(value: object) -> object:
    """What ``{{ … }}`` writes; what is ``Markup`` comes from this template and went through here when it was made."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


@cache
def _prepared() -> tuple[Template, str]:
    folder = Path(__file__).parent
    environment = Environment(
        loader=FileSystemLoader(folder), autoescape=True, finalize=_shown, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    filters: Mapping[str, Any] = {
        "cut": cut,
        "duration": _duration,
        "fact": lambda item: fact(*item),
        "left_out": left_out,
        "lines": _lines,
        "moment": moment,
        "seconds": from_text,
        "number": _number,
        "plain_moment": lambda stamp: moment(from_text(stamp)),
        "span": span,
        "times": times,
        "unbroken": _unbroken,
    }
    environment.filters.update(filters)
    style, script = ((folder / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    environment.globals.update(
        style=Markup(style),  # noqa: S704 - files of this package
        script=Markup(script),  # noqa: S704
        from_to=from_to,
        gravest_first=GRAVEST_FIRST,
        max_incidents=MAX_INCIDENTS,
        max_others=MAX_OTHERS,
        max_evidence=MAX_EVIDENCE,
        max_value_chars=MAX_VALUE_CHARS,
    )
    policy = f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; img-src data:; base-uri 'none'; form-action 'none'"
    return environment.get_template("page.html"), policy
