"""Going on from a history: the states are taken, the clock and what was being told are not."""

import math
from typing import Any

import pytest

from detectors.registry import DETECTORS, build
from monitor.pipeline.learned import Learned, fit
from monitor.pipeline.runner import Runner
from monitor.pipeline.state import KeyedState
from monitor.rows import Capture, Saved
from schemas.event import Event
from schemas.finding import Finding
from tests.checkpoints import Tables, read, whole_of, write
from tests.helpers import event
from tests.probes import Probe, says


def alice(seconds: float, **fields: Any) -> Event:
    return event(seconds, **{"actor": "alice", "ip": "203.0.113.9", **fields})


def history(runner: Runner, *events: Event) -> Saved:
    runner.run("log", events)
    runner.settle()
    return read(remembered(runner))


def remembered(runner: Runner) -> Tables:
    return write(Capture(runner.remembered(), runner.groups).finish())


def after(saved: Saved, *detectors: Any) -> Runner:
    runner = Runner(detectors or [Probe()])
    runner.learn(saved)
    return runner


def burst() -> Any:
    return next(build("failed_login_burst", DETECTORS["failed_login_burst"].Settings.model_validate({"by_actor": {"threshold": 3}})))


def failures(*seconds: float) -> list[Event]:
    return [alice(at, outcome="failure") for at in seconds]


# -- the clock --------------------------------------------------------------------------------------------------------------------


def test_what_comes_before_the_end_of_the_history_is_not_late() -> None:
    runner = after(history(Runner([Probe()]), alice(1000)))
    assert runner.watermark == -math.inf
    found = runner.run("live", [alice(10), alice(500), alice(900), alice(950)])
    assert says(found) == ["e10", "e500", "e900"]
    assert [finding.late_s for finding in found] == [0.0, 0.0, 0.0]
    assert runner.late == 0


def test_what_falls_due_before_the_first_event_is_not_told() -> None:
    before = Runner([Probe(sets=60)])
    runner = after(history(before, alice(0), alice(1, actor="bob")), Probe(sets=60))
    assert says(runner.run("live", [alice(60.5), alice(100, actor="carol")])) == ["e60.5", "time 61"]


def test_it_makes_no_difference_who_moves_the_clock_first() -> None:
    before = Runner([Probe(sets=60)])
    saved = history(before, alice(0), alice(1, actor="bob"))
    quiet = after(saved, Probe(sets=60))
    assert quiet.run("live", [alice(60.5)]) == []
    assert says(quiet.advance(math.inf) + quiet.run("live", [alice(200, actor="carol")])) == ["e60.5", "time 61", "time 120.5"]
    ended = after(saved, Probe(sets=60))
    assert says(ended.run("live", [alice(60.5)]) + ended.finish()) == ["e60.5", "end 60.5", "end 60.5"]


def test_where_nothing_comes_nothing_is_told() -> None:
    runner = after(history(Runner([Probe(sets=60)]), alice(0)), Probe(sets=60))
    assert runner.finish() == []


def test_a_restart_before_the_first_event_does_not_tell_either() -> None:
    learned = after(history(Runner([Probe(sets=60)]), alice(0)), Probe(sets=60))
    restarted = Runner([Probe(sets=60)])
    restarted.restore(read(whole_of(learned)))
    assert says(restarted.run("live", [alice(1000), alice(1002)])) == ["e1000"]
    again = Runner([Probe(sets=60)])
    again.restore(read(whole_of(restarted)))
    assert says(again.run("live", [alice(1500)])) == ["e1002", "time 1062"], "after it, timers are told as ever"


def test_keys_are_forgotten_in_the_gap_as_they_would_have_been() -> None:
    saved = history(Runner([Probe(ttl_s=100)]), alice(0))
    kept, forgot = after(saved, Probe(ttl_s=100)), after(saved, Probe(ttl_s=100))
    kept.run("live", [alice(50, actor="bob"), alice(52, actor="bob")])
    forgot.run("live", [alice(500, actor="bob"), alice(502, actor="bob")])
    assert [runner.states[0].find("\x1falice") is not None for runner in (kept, forgot)] == [True, False]


def test_a_detector_that_failed_in_the_history_begins_anew() -> None:
    def fails(method: str, _: Event | float) -> None:
        if method == "on_time":
            raise RuntimeError

    before = Runner([Probe(sets=5, hook=fails)])
    before.run("log", [alice(0), alice(60, actor="bob"), alice(120, actor="bob")])
    assert before.failed == {"probe/by_actor": "RuntimeError"}
    runner = Runner([Probe()])
    assert runner.learn(read(remembered(before))) == Learned(0, [], ["probe/by_actor"], {}, {})
    assert runner.failed == {}


# -- attacks that go on -----------------------------------------------------------------------------------------------------------


def told(findings: list[Finding]) -> list[tuple[str, int]]:
    return [(finding.phase, finding.count) for finding in findings]


def test_an_attack_that_goes_on_is_told_with_its_next_event_and_all_that_came_before() -> None:
    runner = after(history(Runner([burst()]), *failures(*range(20))), burst())
    assert told(runner.run("live", [*failures(30, 31), alice(40, actor="bob")])) == [("update", 21)]
    assert told(runner.finish()) == [("update", 22)]


@pytest.mark.parametrize("gap_s", [30.0, 100_000.0])
def test_an_attack_that_is_over_is_not_told(gap_s: float) -> None:
    runner = after(history(Runner([burst()]), *failures(*range(20))), burst())
    others = [alice(gap_s, actor="bob"), alice(gap_s + 10, actor="bob")]
    assert told(runner.run("live", others) + runner.finish()) == []
    assert told(runner.run("live", [alice(gap_s + 50_000, actor="bob"), alice(gap_s + 100_000, actor="bob")])) in (
        [],
        [("close", 20)],  # of an alert that nobody has: it is told to no one
    )


def test_an_attack_after_a_pause_is_another_one() -> None:
    runner = after(history(Runner([burst()]), *failures(*range(20))), burst())
    assert told(runner.run("live", [*failures(20_000, 20_001, 20_002), alice(20_010)])) == [("open", 3)]


def test_what_opened_in_the_gap_is_told_when_it_goes_on() -> None:
    def factor(seconds: float, action: str) -> Event:
        return alice(seconds, kind="auth.mfa_change", outcome="success", action=action)

    settings = DETECTORS["mfa_change"].Settings.model_validate({"reenrol_s": 600})
    # Taken away in the history; that nothing was enrolled in its place falls due in the gap.
    saved = history(Runner(list(build("mfa_change", settings))), factor(0, "mfa.remove"))
    calm, goes_on = after(saved, *build("mfa_change", settings)), after(saved, *build("mfa_change", settings))
    assert told(calm.run("live", [alice(1000, actor="bob"), alice(1010, actor="bob")]) + calm.finish()) == []
    again = [alice(1000, actor="bob"), factor(1010, "mfa.remove"), factor(1700, "mfa.remove"), alice(1800, actor="bob")]
    assert told(goes_on.run("live", again))[0][0] == "update"


# -- room -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("young", [0, 7, 20])
def test_what_does_not_fit_is_forgotten_the_unused_first_and_those_that_wait_last(young: int) -> None:
    probe = Probe()
    states = KeyedState(0, probe)
    for number in range(20):
        states.claim(f"k{number:02}").wake_at = 5.0 if number < 3 else math.inf
    states.expire()
    for number in range(20 - young, 20):
        states.claim(f"k{number:02}")
    probe.max_keys = 8
    assert fit(states) == 12
    assert len(states) == 8
    assert states.evictions == 12
    left = sorted([*states.young, *states.old])
    assert {"k00", "k01", "k02"} <= set(left) or young == 7
    assert states.expire()  # it is sound
    probe.max_keys = 8
    assert fit(states) == 0
