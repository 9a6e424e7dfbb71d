"""Whatever comes, memory is bounded, events are left alone, and what is said is in order."""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from itertools import chain
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.base import NEVER, BaseDetector
from detectors.impossible_travel import by_traveller
from detectors.registry import DETECTORS, build
from monitor.pipeline.runner import Runner
from schemas.event import Event
from schemas.finding import Finding
from schemas.severity import RANK
from schemas.text import printable
from tests.checkpoints import whole_of
from tests.helpers import T0
from tests.property.runs import Pipeline
from tests.property.strategies import EACH_AND_ALL, LATENESS_S, delayed, delays, instances, logs, placed, record, search, title_of

FLOOD = 20_000
MAX_KEYS = 1000
STATE_BYTES = 64 * 1024
"""What one key may remember, as JSON, whatever comes."""
MAX_AMOUNT = 2**63 - 1
"""The greatest amount the native format lets through."""

VARIANTS = [(name, variant) for name, cls in DETECTORS.items() for variant in cls.variants]
each_variant = pytest.mark.parametrize(("name", "variant"), VARIANTS, ids=[f"{name}/{variant}" for name, variant in VARIANTS])
each_and_all = pytest.mark.parametrize("names", EACH_AND_ALL, ids=title_of)

OUTCOMES = ("failure", "failure", "failure", "success", "challenge", None)
NO_WORDS = re.compile(r"\b(None|nan|inf|null|True|False)\b|\x1f|\ufffd| {2}| [.,;]")
"""What no sentence for people holds, unless a name does."""
HOSTILE = [
    pytest.param(FLOOD, 0.01, OUTCOMES, id="all_at_once"),
    pytest.param(FLOOD, 0.01, ("success",), id="successes_at_once"),
    *(
        pytest.param(3000, step_s, outcomes, id=f"{how}_every_{step_s:g}_s")
        for step_s in (0.01, 30.0, 900.0)
        for how, outcomes in (("failures", ("failure",)), ("any", OUTCOMES))
    ),
    pytest.param(3000, 900.0, ("success",), id="successes_every_900_s"),
]
"""How many events, how far apart, and how they end."""


def instance(name: str, variant: str, **settings: Any) -> BaseDetector[Any, Any]:
    """One variant with its default limits: memory must be bounded as the product ships."""
    checked = DETECTORS[name].Settings.model_validate(settings)
    return next(detector for detector in build(name, checked) if detector.variant == variant)


def strange(i: int, kind: str, step_s: float, outcome: str | None, **fixed: Any) -> Event:
    """An event in which everything is new, but for what is ``fixed``."""
    fields: dict[str, Any] = {
        "tenant": f"tenant{i}",
        "actor": f"somebody.{i}@example.com",
        "actor_type": ("user", "service", "api_key", "anonymous", None)[i % 5],
        "ip": f"2001:db8::{i >> 16:x}:{i & 0xFFFF:x}",
        "country": chr(65 + i % 26) + chr(65 + i // 26 % 26),
        "city": f"city{i}",
        "lat": i * 37.7 % 180 - 90,
        "lon": i * 77.7 % 360 - 180,
        "asn": i,
        "user_agent": f"Agent{'abcdefghij'[i % 10]}{'abcdefghij'[i // 10 % 10]}{'abcdefghij'[i // 100 % 10]}/{i}",
        "device_id": f"device-{i}",
        "session_id": f"session-{i}",
        "reason": ("bad_password", "unknown_user", "mfa_denied", "forbidden")[i % 4],
        "target": f"file:{i}",
        "action": f"do.{i}",
        "method": "GET",
        "route": f"/v1/{i}/{{id}}",
        "path": f"/v1/{i}/{i}",
        "status": 403 if outcome == "failure" else 200,
        "records": 1,
        "bytes": 1,
        "query": f"select {i} from t{i}",
    }
    return Event(kind=kind, ts=T0 + i * step_s, id=f"id-{i}", outcome=outcome, **{**fields, **fixed})


ENTITY_FIELDS: dict[str, dict[str, str]] = {
    "actor": {"actor": "alice"},
    "api_key": {"actor": "key-1", "actor_type": "api_key"},
    "ip": {"ip": "203.0.113.9"},
    "session": {"session_id": "s1"},
    "target": {"target": "file:1"},
    "source": {"target": "host:web1"},
    "tenant": {},
}
"""What makes all events one key, beside the tenant."""
NEW_KEY_FIELDS: dict[str, dict[str, str]] = {"api_key": {"actor_type": "api_key"}}
"""What an event must say to have a key of this type at all."""


def is_shown(detector: BaseDetector[Any, Any], kind: str, outcome: str | None) -> bool:
    return (kind, outcome) not in detector.ignores


def leaves_nothing(detector: BaseDetector[Any, Any], outcomes: Sequence[str | None]) -> bool:
    """Whether such events may make no state."""
    return all(outcome in detector.passive or not is_shown(detector, kind, outcome) for kind in detector.kinds for outcome in outcomes)


def flood(
    detector: BaseDetector[Any, Any], number: int, step_s: float, *, one_key: bool, outcomes: Sequence[str | None]
) -> Iterator[Event]:
    fixed: dict[str, Any] = dict(NEW_KEY_FIELDS.get(detector.entity_type, {}))
    if one_key:
        fixed = {"tenant": "acme", **ENTITY_FIELDS[detector.entity_type]}
    # What a variant is never shown would only thin the flood.
    kinds = sorted(kind for kind in detector.kinds if any(is_shown(detector, kind, outcome) for outcome in outcomes)) or sorted(
        detector.kinds
    )
    if detector.entity_type == "ip" and detector.key(strange(0, kinds[0], step_s, "failure")) is None:
        fixed["actor"] = None  # it looks at what has no actor
    if detector.key is by_traveller:
        fixed |= {"session_id": None, "actor_type": "user"}  # others place requests of sessions and keys
    for i in range(number):
        if detector.entity_type == "source" and not one_key:
            fixed["target"] = f"host:web{i}"
        yield strange(i, kinds[i // 7 % len(kinds)], step_s, outcomes[i % len(outcomes)], **fixed)


# -- memory -----------------------------------------------------------------------------------------------------------------------


@each_variant
@pytest.mark.parametrize("step_s", [0.01, 60.0], ids=["at_once", "over_days"])
def test_a_flood_of_new_keys_stays_within_the_cap(name: str, variant: str, step_s: float) -> None:
    detector = instance(name, variant, max_keys=MAX_KEYS)
    runner = Runner([detector], lateness_s=0.0)
    states = runner.states[0]
    most = claimed = 0
    for event in flood(detector, FLOOD, step_s, one_key=False, outcomes=OUTCOMES):
        assert detector.key(event) is not None
        claimed += event.outcome not in detector.passive and is_shown(detector, event.kind, event.outcome)
        runner.run("log", (event,))
        most = max(most, len(states))
    assert not runner.failed
    assert most <= MAX_KEYS
    assert states.evictions <= claimed - len(states)
    if step_s < 1:
        # Nearly all of them are forgotten before their time, and that is counted.
        assert states.evictions >= claimed - 4 * MAX_KEYS > 0


@each_variant
@pytest.mark.parametrize(("number", "step_s", "outcomes"), HOSTILE)
def test_a_flood_on_one_key_stays_small(name: str, variant: str, number: int, step_s: float, outcomes: tuple[str | None, ...]) -> None:
    detector = instance(name, variant)
    runner = Runner([detector], lateness_s=0.0)
    states = runner.states[0]
    most = 0
    for i, event in enumerate(flood(detector, number, step_s, one_key=True, outcomes=outcomes)):
        runner.run("log", (event,))
        if i % 500 == 499 and len(states):
            assert len(states) == 1, "ENTITY_FIELDS does not say what makes events one key for this detector"
            most = max(most, _size(detector, next(chain(states.young.values(), states.old.values()))))
    assert not runner.failed
    assert most < STATE_BYTES
    assert most or outcomes == ("success",) or leaves_nothing(detector, outcomes), "it remembers nothing at all"


def _size(detector: BaseDetector[Any, Any], state: Any) -> int:
    return len(orjson.dumps(detector.dump(state)))


@each_variant
def test_the_greatest_amounts_do_not_break_the_snapshot(name: str, variant: str) -> None:
    detector = instance(name, variant)
    runner = Runner([detector], lateness_s=0.0)
    huge = {"records": MAX_AMOUNT, "bytes": MAX_AMOUNT, "status": 999, "asn": 2**32 - 1, "latency_ms": 1e308}
    found = []
    for i in range(100):
        for kind in sorted(detector.kinds):
            found += runner.run("log", [strange(i, kind, 1.0, "success", tenant="acme", **ENTITY_FIELDS[detector.entity_type], **huge)])
    found += runner.finish()
    assert not runner.failed
    whole_of(runner)
    orjson.dumps([msgspec.to_builtins(finding) for finding in found])


def test_timers_of_forgotten_keys_do_not_pile_up() -> None:
    detector = instance("failed_login_burst", "by_actor", max_keys=MAX_KEYS, by_actor={"threshold": 2, "quiet_s": 86_400})
    runner = Runner([detector], lateness_s=0.0)
    for i in range(FLOOD):
        runner.run("log", [strange(i // 2, "auth.login", 0.01, "failure", ip="192.0.2.1")])
    assert len(runner._timers) <= 4 * MAX_KEYS


# -- purity -----------------------------------------------------------------------------------------------------------------------


@each_and_all
def test_events_are_left_as_they_are(names: tuple[str, ...]) -> None:
    @search(10)
    @given(logs(names), delays(60.0))
    def holds(events: list[Event], by: Sequence[float]) -> None:
        runner = Runner(instances(names), lateness_s=LATENESS_S)
        shown = placed(events)
        before = [msgspec.to_builtins(event) for event in shown]
        runner.run("log", delayed(shown, by))
        runner.finish()
        assert [msgspec.to_builtins(event) for event in shown] == before

    holds()


@each_and_all
def test_outcomes_that_make_no_state_would_have_changed_nothing(names: tuple[str, ...]) -> None:
    @search(10)
    @given(logs(names), delays(60.0))
    def holds(events: list[Event], by: Sequence[float]) -> None:
        as_it_is, eager = instances(names), instances(names)
        for detector in eager:
            detector.passive = frozenset()
        both = [Runner(detectors, lateness_s=LATENESS_S) for detectors in (as_it_is, eager)]
        lazily, eagerly = (runner.run("log", delayed(placed(events), by)) + runner.finish() for runner in both)
        assert lazily == eagerly

    holds()


@each_and_all
def test_a_dump_shares_nothing_and_comes_back_equal(names: tuple[str, ...]) -> None:
    @search(10)
    @given(logs(names))
    def holds(events: list[Event]) -> None:
        runner = Runner(instances(names), lateness_s=LATENESS_S)
        runner.run("log", events)
        for states in runner.states:
            detector = states.detector
            for state in chain(states.young.values(), states.old.values()):
                dump = detector.dump(state)
                saved = deepcopy(dump)
                again = detector.load(detector.state_version, orjson.loads(orjson.dumps(dump)))
                assert orjson.dumps(detector.dump(again)) == orjson.dumps(saved)
                _spoil(dump)
                assert detector.dump(state) == saved

    holds()


def _spoil(data: Any) -> None:
    """Change everything that can be changed, from the inside out."""
    if isinstance(data, dict):
        for value in data.values():
            _spoil(value)
        data.clear()
    elif isinstance(data, list):
        for value in data:
            _spoil(value)
        data.append("spoilt")


# -- what is said -----------------------------------------------------------------------------------------------------------------


@each_and_all
def test_findings_are_in_order_and_can_be_explained(names: tuple[str, ...]) -> None:
    @search(25)
    @given(logs(names), delays(300.0))
    def holds(events: list[Event], by: Sequence[float]) -> None:
        detectors = instances(names)
        runner = Runner(detectors, lateness_s=LATENESS_S)
        findings = runner.run("log", delayed(placed(events), by))
        findings += runner.finish()
        assert not runner.failed
        known = {event.id for event in events}
        words = {(detector.name, detector.variant): detector for detector in detectors}
        open_now: dict[tuple[Any, ...], Finding] = {}
        for finding in findings:
            detector = words[finding.detector, finding.variant]
            _check_words(finding, detector.explain, detector.counterfactual)
            _check_numbers(finding, known)
            who = (finding.detector, finding.variant, finding.tenant, finding.entity_type, finding.entity)
            assert finding.entity_type == detector.entity_type
            _check_order(finding, open_now.pop(who, None))
            if finding.phase != "close":
                open_now[who] = finding

    holds()


def _check_words(finding: Finding, *says: Callable[[Finding], str]) -> None:
    for say in says:
        text = printable(say(finding))
        assert text.strip(), finding
        assert text.isprintable()
        assert not NO_WORDS.search(text), (text, finding)


def _check_numbers(finding: Finding, known: set[str]) -> None:
    assert finding.facts, finding
    for name, fact in finding.facts.items():
        assert isinstance(name, str)
        assert type(fact) in {str, int, float}, (name, fact)
        assert not isinstance(fact, float) or math.isfinite(fact), (name, fact)
    assert finding.evidence, finding
    assert len(set(finding.evidence)) == len(finding.evidence), finding
    assert set(finding.evidence) <= known, finding
    assert finding.count >= len(finding.evidence) > 0, finding
    assert finding.first_seen <= finding.last_seen, finding
    assert finding.entity or finding.entity_type == "tenant", finding
    assert math.isfinite(finding.ts)
    assert finding.ts != NEVER


def _check_order(finding: Finding, before: Finding | None) -> None:
    assert (finding.phase == "open") == (before is None), (before, finding)
    if before is not None:
        assert RANK[finding.severity] >= RANK[before.severity], (before, finding)
        assert finding.count >= before.count, (before, finding)
        assert finding.first_seen <= before.first_seen, (before, finding)
        assert finding.last_seen >= before.last_seen, (before, finding)


@each_and_all
def test_late_events_are_counted_and_said_to_be_late(names: tuple[str, ...]) -> None:
    @search(15)
    @given(logs(names), delays(3000.0))
    def holds(events: list[Event], by: Sequence[float]) -> None:
        runner = Runner(instances(names), lateness_s=LATENESS_S)
        newest, late = -math.inf, 0
        for event in delayed(placed(events), by):
            is_late = event.ts < newest - LATENESS_S
            newest, late = max(newest, event.ts), late + is_late
            for finding in runner.run("log", [event]):
                assert finding.late_s == (newest - LATENESS_S - event.ts if is_late else 0.0)
                assert (finding.late_s > 0) == is_late
            assert runner.late == late
        runner.finish()
        assert not runner.failed

    holds()


@search(25)
@given(logs(), delays(3000.0))
def test_an_alert_that_a_late_event_made_says_so(events: list[Event], by: Sequence[float]) -> None:
    pipeline = Pipeline(tuple(DETECTORS))
    runner, kinds = pipeline.core.runner, pipeline.core.inputs["log"].kinds
    for event in delayed(events, by):
        late, taken = runner.late, kinds.total()
        alerts = pipeline.core.feed("log", [record(event)])
        if kinds.total() != taken + 1:
            continue  # it waits for its time to be believed, or those that waited come all at once
        if runner.late > late:
            assert all(float(alert.facts["late_s"]) > 0 and "too late" in alert.summary for alert in alerts)
        else:
            assert all("late_s" not in alert.facts for alert in alerts)


@pytest.mark.parametrize("name", DETECTORS)
@given(version=st.integers(-1, 9))
@search(10)
def test_another_state_version_is_refused(name: str, version: int) -> None:
    for detector in instances([name]):
        data = detector.dump(detector.new_state())
        if version == detector.state_version:
            assert detector.dump(detector.load(version, data)) == data
        else:
            with pytest.raises(ValueError, match=name):
                detector.load(version, data)
