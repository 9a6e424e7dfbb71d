"""The status page: one HTML document that needs nothing from elsewhere."""

import base64
import hashlib
from collections.abc import Mapping

from jinja2 import Environment, StrictUndefined

from monitor.telemetry import Telemetry
from schemas.text import printable

REFRESH_S = 5

_COUNTS = {
    "events_total": "events",
    "events_rejected_total": "rejected records",
    "events_late_total": "late events",
    "alerts_total": "alerts",
    "open_alerts": "alerts open now",
    "deliveries_total": "delivery attempts",
    "outbox_pending": "notifications waiting",
    "consumer_lag_records": "records not read yet",
}
"""Metric → what it is called on the page."""
_STYLE = """:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}
body{max-width:46rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #8886;vertical-align:top}
td.n{text-align:right;font-variant-numeric:tabular-nums}.ok{color:#1a7f37}.no{color:#cf222e;font-weight:600}
@media(prefers-color-scheme:dark){.ok{color:#3fb950}.no{color:#ff7b72}}"""
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="{{ refresh_s }}">
<title>watchfloor: {{ "ready" if ready else "not ready" }}</title>
<style>{{ style|safe }}</style>
</head>
<body>
<h1>watchfloor {{ version }}: <span class="{{ "ok" if ready else "no" }}">{{ "ready" if ready else "not ready" }}</span></h1>
<h2>Checks</h2>
<table>
<tr><th>check</th><th>state</th><th>why</th></tr>
{%- for name, (ok, why) in checks.items() %}
<tr><td>{{ name|printable }}</td><td class="{{ "ok" if ok else "no" }}">{{ "ok" if ok else "not ok" }}</td><td>{{ why|printable }}</td></tr>
{%- endfor %}
</table>
<h2>Since this process began</h2>
<table>
{%- for name, count in counts.items() %}
<tr><td>{{ name }}</td><td class="n">{{ "{:,.0f}".format(count) }}</td></tr>
{%- endfor %}
</table>
<p>More: <a href="/metrics">metrics</a>, <a href="/readyz">readiness</a>, <a href="/api/v1/alerts">the last alerts</a></p>
</body>
</html>
"""
_environment = Environment(autoescape=True, undefined=StrictUndefined)
_environment.filters["printable"] = printable
_template = _environment.from_string(_PAGE)


def status_page(version: str, checks: Mapping[str, tuple[bool, str]], telemetry: Telemetry) -> str:
    """The page, with the numbers of this moment."""
    totals = telemetry.totals(*_COUNTS)
    return _template.render(
        version=version,
        checks=checks,
        counts={words: totals[name] for name, words in _COUNTS.items()},
        ready=all(ok for ok, _ in checks.values()),
        style=_STYLE,
        refresh_s=REFRESH_S,
    )


def style_source() -> str:
    """What a content policy must allow for the page's own style, and no other, to be applied."""
    return "sha256-" + base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
