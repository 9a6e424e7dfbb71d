"""A bug in one detector: it is disabled, loudly, and the others find what they always find."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from detectors.base import NEVER, BaseDetector, KeyState, Variant, by_actor, by_ip
from detectors.failed_login_burst import FailedLoginBurst
from detectors.registry import DETECTORS, build
from detectors.settings import DetectorSettings
from monitor.engines.core import Core
from schemas.event import Event
from schemas.finding import Finding
from schemas.formats import FORMATS
from schemas.formats.base import Context
from tests.commands import read_alerts, replayed

REPOSITORY = Path(__file__).parents[2]
T0 = 1_772_352_000
"""2026-03-01T08:00:00Z"""
SECRET = "alice@example.com"
WHERE = ("key", "new_state", "on_event", "on_time", "on_end")


class Boom(Exception):  # noqa: N818 - short, for it is looked for in the output
    """What a bug may raise; its text holds what stood in a log."""


def fickle(event: Event) -> str | None:
    """As ``by_actor``, until it is told to fail."""
    if Liar.where == "key":
        raise Boom(f"cannot cope with {event.actor}")
    return by_actor(event)


class Liar(BaseDetector[KeyState, DetectorSettings]):
    """Raises ``Boom`` at the tenth event of a key, at the time that it asked for, or at the end."""

    name = "liar"
    title = "Liar"
    sees = "Nothing."
    kinds = frozenset({"auth.login"})
    techniques = ()
    false_positives = ()
    variants = {"by_actor": Variant("actor", fickle), "by_ip": Variant("ip", by_ip)}  # noqa: RUF012 - as the base class has it
    Settings = DetectorSettings
    State = KeyState
    where = "on_event"

    def memory_s(self, limits: DetectorSettings) -> float:
        return 3600.0

    def new_state(self) -> KeyState:
        if self.variant == "by_actor":
            self._fail("new_state", SECRET)
        return super().new_state()

    def on_event(self, key: str, state: KeyState, event: Event) -> Finding | None:
        if self.variant == "by_actor" and event.ts >= T0 + 10:
            self._fail("on_event", event.actor)
            if state.wake_at == NEVER:
                state.wake_at = event.ts + (5 if self.where == "on_time" else 3600)
        return None

    def on_time(self, key: str, state: KeyState, now: float) -> Finding | None:
        self._fail("on_time", key)
        return None

    def on_end(self, key: str, state: KeyState, now: float) -> Finding | None:
        self._fail("on_end", key)
        return None

    def _fail(self, where: str, value: object) -> None:
        if where == self.where:
            raise Boom(f"cannot cope with {value}")


class Speechless(FailedLoginBurst):
    """Finds what its model finds, and cannot say it."""

    def explain(self, finding: Finding) -> str:
        raise Boom(f"cannot cope with {finding.entity}")

    counterfactual = explain


def test_an_alert_comes_also_when_its_detector_finds_no_words(caplog: pytest.LogCaptureFixture) -> None:
    found = []
    for cls in (FailedLoginBurst, Speechless):
        pipeline = Core([cls("by_actor", cls.Settings.model_validate({}))])
        pipeline.open("log", FORMATS["native"].parser(Context(memory=pipeline.memory)))
        found.append([*pipeline.feed("log", log().splitlines()), *pipeline.close("log"), *pipeline.finish()])
    assert [(alert.id, alert.version, alert.facts) for alert in found[0]] == [(alert.id, alert.version, alert.facts) for alert in found[1]]
    assert found[1][0].summary == "see the facts: 10 events"
    assert "failed_login_burst" in caplog.text
    assert SECRET not in caplog.text


def log() -> bytes:
    """An attack on one account, slow enough that timers fire within it."""
    events = (
        {"id": f"e{i}", "time": T0 + 3 * i, "kind": "auth.login", "outcome": "failure", "actor": SECRET, "ip": "203.0.113.9"}
        for i in range(60)
    )
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


def core(*others: BaseDetector[Any, Any], failures: list[tuple[str, BaseException]]) -> Core:
    detectors = [detector for name, cls in DETECTORS.items() for detector in build(name, cls.Settings.model_validate({}))]
    # before the others and after them, so that neither is spared by the order
    return Core([*others[:1], *detectors, *others[1:]], on_failure=lambda name, error: failures.append((name, error)))


@pytest.mark.parametrize("where", WHERE)
def test_the_others_find_what_they_find_without_it(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Liar, "where", where)
    found = []
    failures: list[tuple[str, BaseException]] = []
    for liars in ((), [Liar(variant, DetectorSettings()) for variant in Liar.variants]):
        pipeline = core(*liars, failures=failures)
        pipeline.open("log", FORMATS["native"].parser(Context(memory=pipeline.memory)))
        found.append([*pipeline.feed("log", log().splitlines()), *pipeline.close("log"), *pipeline.finish()])
    assert found[0]
    assert found[1] == found[0]
    assert pipeline.runner.failed == {"liar/by_actor": "Boom"}, "the instance that failed, once, and not its sister"
    assert [(name, type(error)) for name, error in failures] == [("liar/by_actor", Boom)]


COMMAND = """
import sys
from tests.fault.test_failing_detector import Liar
from detectors import registry
registry.DETECTORS["liar"] = Liar
Liar.where = sys.argv.pop(1)
from monitor.cli import main
main()
"""


@pytest.mark.parametrize("where", WHERE)
def test_the_command_says_so_on_stderr_in_the_summary_and_in_the_report(where: str, tmp_path: Path) -> None:
    path, out, report = tmp_path / "input.log", tmp_path / "out.jsonl", tmp_path / "report.html"
    path.write_bytes(log())
    command = [sys.executable, "-c", COMMAND, where, "replay", "--out", out, "--report", report, path]
    done = subprocess.run([str(part) for part in command], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    [line] = done.stderr.splitlines()
    assert line.startswith("ERROR watchfloor: detector liar/by_actor failed with Boom (")
    assert "disabled" in line
    assert SECRET not in done.stderr, "the text of the exception may hold what stood in the log"
    assert "DISABLED  liar/by_actor failed (Boom)" in done.stdout
    assert "liar/by_actor" in report.read_text(encoding="utf-8")
    assert read_alerts(out) == replayed(tmp_path, path, name="without.jsonl")


def test_a_golden_case_does_not_hold_when_its_detector_fails(tmp_path: Path) -> None:
    case = tmp_path / "liar" / "case"
    case.mkdir(parents=True)
    (case / "case.yaml").write_text("what: it fails\nfires: []")
    (case / "events.jsonl").write_bytes(log())
    command = [sys.executable, "-c", COMMAND, "on_event", "rules", "test", str(tmp_path)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "liar/by_actor failed with Boom" in done.stdout
    assert "Traceback" not in done.stderr
