"""How far our detectors agree with public rules: ``python -m tests.integration.agreement`` writes ``docs/coverage-rules.md``.

Each test event of a rule is read by its format, repeated a second apart, and followed by a day of silence.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from detectors.registry import DETECTORS, build
from monitor.pipeline.runner import Runner
from schemas.errors import RejectError
from schemas.event import Event
from schemas.formats import FORMATS
from schemas.formats.base import Context, Memory
from tests.integration.panther_kinds import auth0, azure, cloudtrail, github, google_workspace, microsoft365, okta
from tests.integration.panther_rules import STREAMALERT, TECHNIQUES, Rule, rule_of

PAGE = Path(__file__).resolve().parents[2] / "docs" / "coverage-rules.md"
DAY_S = 86_400.0
STAMP = "2026-03-01T08:00:00Z"
"""For records whose time the collection leaves out, because its rules do not read it."""
VENDORS: tuple[tuple[str, str, Any], ...] = (
    # how the log type begins, format, table of kinds
    ("AWS.CloudTrail", "cloudtrail", cloudtrail),
    ("Auth0.", "auth0", auth0),
    ("Azure.", "entra", azure),
    ("GSuite.", "google_workspace", google_workspace),
    ("GitHub.", "github", github),
    ("Microsoft365.", "microsoft365", microsoft365),
    ("Okta.", "okta", okta),
)


class Tried(msgspec.Struct):
    """One test event of a rule."""

    rule: str
    case: str
    expected: bool
    events: list[Event] | str
    """What it became, or the reason of the reject."""
    row: Rule | None
    fired: bool = False

    @property
    def agrees(self) -> bool:
        return self.fired == self.expected

    @property
    def explained(self) -> str | None:
        """Why ours says something else; ``None`` where nobody said."""
        assert self.row is not None
        if self.row.detector not in DETECTORS:
            return f"`{self.row.detector}` is not in this version"
        return next((why for name, why in self.row.apart.items() if fnmatchcase(self.case, name)), None)


def vendor_of(log_type: str) -> tuple[str, Any] | None:
    """Format and table of kinds for a log type of the collection; ``None`` where we have no format."""
    return next(((name, table) for beginning, name, table in VENDORS if log_type.startswith(beginning)), None)


def _timed(name: str, record: dict[str, Any]) -> dict[str, Any]:
    if name == "google_workspace":
        has_id = isinstance(record.get("id"), dict) and "p_event_time" not in record
        return record | {"id": {"time": STAMP} | record["id"]} if has_id else record
    if name == "github":
        return record if {"created_at", "at_sign_timestamp", "p_event_time"} & record.keys() else record | {"created_at": 1_772_352_000_000}
    data = record.get("data", record) if name == "auth0" else record
    field = {"cloudtrail": "eventTime", "entra": "time", "microsoft365": "CreationTime", "auth0": "date", "okta": "published"}[name]
    if not str(data.get(field, record.get("p_event_time", "") if name in {"auth0", "okta"} else "")).startswith("20"):
        data = data | {field: STAMP}
    return record | {"data": data} if data is not record and "data" in record else data


def read(name: str, record: bytes) -> list[Event] | str:
    """The events of one record, or the reason of its reject."""
    try:
        return list(FORMATS[name].parser(Context(Memory())).parse(record))
    except RejectError as reject:
        return reject.reason


def fires(events: Sequence[Event], detectors: Iterable[str], times: int = 1) -> set[str]:
    """Which of these detectors speak over the events, repeated a second apart, and a day of silence after them."""
    runner = Runner([each for name in detectors for each in build(name, DETECTORS[name].Settings.model_validate({}))], lateness_s=1.0)
    repeated = [msgspec.structs.replace(event, id=f"{n}-{i}", ts=event.ts + n) for n in range(times) for i, event in enumerate(events)]
    last_ts = max((event.ts for event in repeated), default=0.0)
    found = runner.run("rules", [*repeated, Event("auth.logout", last_ts + DAY_S, "later", "success", actor="somebody else")])
    found += runner.finish()
    assert not runner.failed, runner.failed
    return {finding.detector for finding in found}


def _try(tried: Tried, threshold: int) -> Tried:
    row = tried.row
    if row is not None and row.detector in DETECTORS and not isinstance(tried.events, str):
        tried.fired = bool(fires(tried.events, [row.detector], max(threshold, row.repeat)))
    return tried


@cache
def panther(folder: Path) -> list[Tried]:
    """Every case of the Panther collection that is of a format of ours."""
    found = []
    for line in (folder / "panther" / "cases.jsonl").read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        vendor = vendor_of(case["log_type"])
        if vendor is not None:
            events = read(vendor[0], json.dumps(_timed(vendor[0], case["event"])).encode())
            tried = Tried(case["rule_id"], case["test_name"], case["expected"], events, rule_of(case["rule_id"]))
            found.append(_try(tried, case["threshold"] or 1))
    return found


@cache
def streamalert(folder: Path) -> list[Tried]:
    """Every case of StreamAlert that is of a format of ours; one that must trigger nothing belongs to the rule its file is named after."""
    found = []
    for path in sorted((folder / "streamalert").rglob("*.json")):
        for case in json.loads(path.read_text(encoding="utf-8")):
            name = {"cloudtrail": "cloudtrail", "github_audit": "github"}.get(path.parent.name)
            if name is None:
                continue
            record = json.dumps(case["data"]).replace('\\"created_at\\":123,', '\\"created_at\\":1772352000000,')
            events, triggers = read(name, record.encode()), case["trigger_rules"]
            found += [
                _try(Tried(rule, case["description"], bool(triggers), events, STREAMALERT.get(rule)), 1) for rule in triggers or [path.stem]
            ]
    return found


@cache
def techniques(folder: Path) -> dict[str, set[str]]:
    """What every detector together says of each file of Stratus Red Team."""
    found = {}
    for path in sorted((folder / "cloudtrail" / "stratus-red-team").glob("*.json")):
        events = read("cloudtrail", path.read_bytes())
        assert not isinstance(events, str), path.name
        found[path.stem] = fires(events, DETECTORS)
    return found


@cache
def kinds(folder: Path) -> tuple[int, list[str]]:
    """How many cases their rules must find there are of our formats, and which of them are not events of the right kind."""
    held, wrong = 0, []
    for line in (folder / "panther" / "cases.jsonl").read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        vendor = vendor_of(case["log_type"])
        if vendor is None or not case["expected"] or case["rule_id"] in getattr(vendor[1], "NO_EVENTS", ()):
            continue
        held += 1
        events = read(vendor[0], json.dumps(_timed(vendor[0], case["event"])).encode())
        found = {events} if isinstance(events, str) else {event.kind for event in events}
        if not found or not found <= vendor[1].KINDS.get(case["rule_id"], set()):
            wrong.append(f"`{case['rule_id']}`, {case['test_name']}: {', '.join(f'`{kind}`' for kind in sorted(found)) or 'no event'}")
    return held, wrong


# -- the page ---------------------------------------------------------------------------------------------------------------------

_HEAD = """# Coverage of public rules

<!-- Generated by `python -m tests.integration.agreement`; change `tests/integration/panther_rules.py` instead. -->

How far watchfloor agrees with the tests that others wrote for their rules: Panther (rules over single events), StreamAlert (the same) and
Stratus Red Team (records of techniques that were carried out). For each rule a detector was chosen by hand, or the reason why there is none.
The event of a test comes as often as the rule's threshold says, or as often as our detector needs, a second apart, and a day of silence
follows. They agree where our detector speaks when their rule does, and is silent when it is.

Disagreement is expected: their rules judge one event by a policy, ours an account, an address or a session over time. Each is explained.
"""


def page(folder: Path) -> str:
    """The text of the page."""
    return "\n".join(
        [
            _HEAD,
            _rules("Panther", "rule", _by_rule(panther(folder))),
            _rules("StreamAlert", "rule", _by_rule(streamalert(folder))),
            _stratus(techniques(folder)),
            _decoded(*kinds(folder)),
        ]
    )


def _by_rule(cases: Iterable[Tried]) -> dict[str, list[Tried]]:
    found: dict[str, list[Tried]] = {}
    for tried in cases:
        found.setdefault(tried.rule, []).append(tried)
    return dict(sorted(found.items()))


def _rules(collection: str, what: str, rules: Mapping[str, Sequence[Tried]]) -> str:
    covered = {name: tries for name, tries in rules.items() if tries[0].row is not None and tries[0].row.detector is not None}
    agreed = sum(tried.agrees for tries in covered.values() for tried in tries)
    cases = sum(map(len, covered.values()))
    lines = [
        f"## {collection}\n",
        f"{len(covered)} of {len(rules)} {what}s have a detector here; in {agreed} of their {cases} cases both say the same.\n",
        "| Rule | Detector | Agreement | What it is about, and why they part |",
        "|---|---|---|---|",
    ]
    for name, tries in covered.items():
        row = tries[0].row
        assert row is not None
        apart = "".join(f"; {_told(tried)}: {why}" for tried, why in _apart(tries))
        lines.append(f"| `{name}` | `{row.detector}` | {sum(each.agrees for each in tries)} of {len(tries)} | {row.why}{apart} |")
    lines += ["\nWithout a detector:\n", "| Why | Rules |", "|---|---|"]
    reasons: dict[str, list[str]] = {}
    for name, tries in rules.items():
        row = tries[0].row
        if row is not None and row.detector is None:
            reasons.setdefault(row.why, []).append(f"`{name}`")
    lines += [f"| {why} | {', '.join(names)} |" for why, names in sorted(reasons.items(), key=lambda pair: (-len(pair[1]), pair[0]))]
    return "\n".join(lines) + "\n"


def _apart(tries: Sequence[Tried]) -> Iterator[tuple[list[Tried], str]]:
    """Cases that part for the same reason, in one."""
    found: dict[tuple[bool, str], list[Tried]] = {}
    for tried in tries:
        if not tried.agrees:
            found.setdefault((tried.fired, tried.explained or "not explained"), []).append(tried)
    yield from ((cases, why) for (_, why), cases in found.items())


def _told(cases: Sequence[Tried]) -> str:
    names = ", ".join(f"“{tried.case.strip().rstrip('.')}”" for tried in cases)
    return f"ours {'speaks' if cases[0].fired else 'is silent'} at {names}"


def _stratus(found: Mapping[str, set[str]]) -> str:
    lines = [
        "## Stratus Red Team\n",
        f"{sum(bool(each) for each in found.values())} of {len(found)} techniques are told of by a detector, with no more than the records of the technique itself.\n",
        "| Technique | Told by |",
        "|---|---|",
    ]
    for name, detectors in found.items():
        said = ", ".join(f"`{each}`" for each in sorted(detectors)) or f"not covered: {TECHNIQUES[name][1]}"
        lines.append(f"| `{name}` | {said} |")
    return "\n".join(lines) + "\n"


def _decoded(held: int, wrong: Sequence[str]) -> str:
    share = 100 * (held - len(wrong)) / held
    lines = [
        "## Kinds\n",
        f"Of the {held} Panther cases of our formats which a rule must find, {held - len(wrong)} ({share:.1f} %) become events of the kind the rule is",
        "about, by tables reviewed by hand. The others:\n",
        *(f"- {each}" for each in wrong),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE.parents[2] / "shared" / "data"), encoding="utf-8")
