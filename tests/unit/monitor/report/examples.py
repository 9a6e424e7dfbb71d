"""Summaries for the tests of the report and the table."""

from typing import Any

from monitor.report.summary import Histogram, InputReport, Summary
from schemas.alert import Alert, Attack, Entity
from schemas.stamps import rfc3339

T0 = 1_772_496_000.0
"""2026-03-03T00:00:00Z."""

HOSTILE = (
    "</script><script>document.title='owned'</script>",
    "<img src=x onerror=alert(1)>",
    "\"' onmouseover='alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    "[bold red]x[/bold red][/]",
    "\x1b[31mred\x1b]0;title\x07",
    "\x9b31m",
    "a\nb\r\tc\x00",
    "user\u202egnp.exe\u2066",
    "\ud800 lone \udfff",
    "zero\u200bwidth\ufeff\u3164",
    "x" * 10_000,
    "\u202e" * 10_000,
    "--></style><style>*{display:none}",
    "]]>&amp;&#x3c;b>",
    ":smile: http://example.com/",
)
"""Names a stranger may choose."""


def alert(number: int = 1, name: str = "203.0.113.9", **fields: Any) -> Alert:
    """An alert that fired ``number`` minutes after ``T0``."""
    first = T0 + number * 60
    return Alert(
        **{
            "id": f"id{number:05}",
            "version": 2,
            "dedup_key": f"failed_login_burst:{number}",
            "status": "resolved",
            "time": rfc3339(first + 20),
            "detector": "failed_login_burst",
            "severity": "medium",
            "tenant": None,
            "entity": Entity("ip", name),
            "title": f"Burst of failed logins: {name}",
            "summary": f"37 failed logins of {name}.",
            "count": 37,
            "first_seen": rfc3339(first),
            "last_seen": rfc3339(first + 300),
            "facts": {"failures": 37, "window_s": 600},
            "evidence": tuple(f"e{number}-{each}" for each in range(12)),
            "counterfactual": "silent with fewer than 20 failures in 10 min",
            "score": 0.0,
            "attack": Attack("19", ("T1110.001",)),
            "runbook": "deploy/runbooks/failed_login_burst.md",
            "incident": f"incident{number:05}",
            **fields,
        }
    )


def summary(*alerts: Alert, **fields: Any) -> Summary:
    """Three hours of one event a minute with these alerts."""
    histogram = Histogram()
    histogram.add([T0 + 60 * minute for minute in range(180)], T0, T0 + 60 * 179)
    return Summary(
        **{
            "version": "0.1.0",
            "inputs": [InputReport("auth.log", "sshd", "recognised from its content (100% sure)", records=183, events=180, irrelevant=2)],
            "events": 180,
            "first_ts": T0,
            "last_ts": T0 + 179 * 60,
            "kinds": {"auth.login": 180},
            "late": 0,
            "repeats": 0,
            "rejects": {},
            "alerts": list(alerts),
            "versions": 2 * len(alerts),
            "histogram": histogram,
            "top_ips": [("203.0.113.9", 37), ("192.0.2.4", 3)],
            "top_actors": [("root", 37)],
            "geography": "180 of 180 events with an address could not be placed.",
            "detectors": [("failed_login_burst/by_ip", 3, 0), ("failed_login_burst/by_actor", 2, 0)],
            "failed": {},
            "notes": [],
            "configuration": "lateness_s: 1.0\n",
            "seconds": 0.5,
            **fields,
        }
    )


def nothing_read() -> Summary:
    """A replay of one empty file."""
    return summary(
        inputs=[InputReport("empty.log", None, "empty")],
        events=0,
        first_ts=None,
        last_ts=None,
        kinds={},
        histogram=Histogram(),
        top_ips=[],
        top_actors=[],
        geography="",
    )


def hostile() -> Summary:
    """Every field that a log or a file name can reach holds something bad."""
    alerts = [
        alert(
            number,
            name,
            severity="critical" if number % 2 else "low",
            tenant=name,
            facts={"to": name, "failures": 3},
            evidence=(name,),
            counterfactual=f"silent without {name}",
            incident=f"incident{number % 5}",
            inhibited_by="id00001" if number > 6 else None,
        )
        for number, name in enumerate(HOSTILE)
    ]
    return summary(
        *alerts,
        inputs=[InputReport(name, "sshd", name, 1, 1, 0, {"bad_time": 1}, name) for name in HOSTILE],
        top_ips=[(name, 1) for name in HOSTILE],
        top_actors=[(name, 1) for name in HOSTILE],
        kinds=dict.fromkeys(HOSTILE, 1),
        rejects={"bad_time": 16},
        notes=list(HOSTILE),
        failed=dict.fromkeys(HOSTILE, "KeyError"),
        detectors=[(name, 1, 1) for name in HOSTILE],
        geography=HOSTILE[0],
        configuration="\n".join(HOSTILE),
    )
