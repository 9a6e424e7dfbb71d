"""The runner: order, timers, lateness, sources, failures and persistence."""

from typing import Any

import pytest

from detectors.base import by_actor, by_ip
from monitor.pipeline.runner import Runner
from monitor.rows import Capture
from schemas.event import Event
from tests.checkpoints import read, whole_of, write
from tests.helpers import T0, event
from tests.probes import Probe, says


def alice(seconds: float, **fields: Any) -> Event:
    return event(seconds, **{"actor": "alice", "ip": "192.0.2.1", **fields})


def runner(*detectors: Probe, lateness_s: float = 1.0, **options: Any) -> Runner:
    return Runner(detectors or [Probe()], lateness_s=lateness_s, **options)


# -- order ------------------------------------------------------------------------------------------------------------------------


def test_an_event_is_handed_on_once_the_watermark_has_passed_it() -> None:
    r = runner()
    assert says(r.run("log", [alice(0)])) == []
    # Watermark 0.5 - 1 = -0.5; then 1.0 - 1 = 0.0, which is not past the event at 0.
    assert says(r.run("log", [alice(0.5), alice(1)])) == []
    assert says(r.run("log", [alice(1.25)])) == ["e0"]
    assert says(r.finish()) == ["e0.5", "e1", "e1.25"]


def test_disorder_within_the_lateness_is_put_right() -> None:
    r = runner()
    found = r.run("log", [alice(3), alice(2.5), alice(2.25), alice(9)]) + r.finish()
    assert says(found) == ["e2.25", "e2.5", "e3", "e9"]
    assert r.late == 0


def test_events_of_one_moment_are_sorted_by_id() -> None:
    r = runner()
    found = r.run("log", [alice(1, id="b"), alice(1, id="c")]) + r.run("log", [alice(1, id="a")]) + r.finish()
    assert says(found) == ["a", "b", "c"]


def test_an_event_as_late_as_allowed_is_not_late() -> None:
    r = runner(lateness_s=2.0)
    found = r.run("log", [alice(10), alice(8)]) + r.finish()
    assert says(found) == ["e8", "e10"]
    assert r.late == 0


@pytest.mark.parametrize("cut", [1, 2, 3, 4])
def test_a_later_one_is_handed_on_at_once_and_marked(cut: int) -> None:
    r = runner()
    log = [alice(5), alice(10), alice(3), alice(12)]
    found = r.run("log", log[:cut]) + r.run("log", log[cut:]) + r.finish()
    assert says(found) == ["e5", "e3", "e10", "e12"]
    assert r.late == 1
    # The watermark stood at 10 - 1 = 9, so the event at 3 came 6 s too late.
    assert [finding.late_s for finding in found] == [0.0, 6.0, 0.0, 0.0]


def test_only_the_kinds_of_a_detector_and_events_with_a_key_reach_it() -> None:
    r = runner()
    found = r.run("log", [alice(0), alice(1, kind="auth.logout"), alice(2, actor=None), alice(3, kind="api.request")]) + r.finish()
    assert says(found) == ["e0", "e3"]


def test_an_exempt_event_reaches_only_the_detectors_that_may_see_it() -> None:
    exempt = {"e0": frozenset({"probe"}), "e1": frozenset({"*"}), "e2": frozenset({"other"}), "e3": frozenset[str]()}
    r = runner(exempt=lambda event: exempt[event.id])
    assert says(r.run("log", [alice(i) for i in range(4)]) + r.finish()) == ["e2", "e3"]


def test_detectors_speak_in_the_order_of_their_kinds_of_key() -> None:
    r = runner(Probe(variant="a"), Probe(variant="b", key=by_ip), Probe(variant="c"))
    found = r.run("log", [alice(0), alice(1)]) + r.finish()
    assert [(finding.variant, finding.facts["says"]) for finding in found] == [
        *(("a", "e0"), ("c", "e0"), ("b", "e0")),
        *(("a", "e1"), ("c", "e1"), ("b", "e1")),
    ]


# -- sources ----------------------------------------------------------------------------------------------------------------------


def test_the_source_that_is_farthest_behind_holds_the_watermark() -> None:
    r = runner()
    r.open("a")
    r.open("b")
    assert says(r.run("a", [alice(0), alice(50)])) == []
    assert says(r.run("b", [alice(20)])) == ["e0"]
    assert says(r.run("b", [alice(60)])) == ["e20"]
    assert r.late == 0
    assert r.watermark == T0 + 49


def test_a_source_opened_at_a_position_holds_it_there() -> None:
    r = runner()
    r.open("a", T0 + 30)
    assert says(r.run("b", [alice(0), alice(40), alice(50)])) == ["e0"]
    assert r.watermark == T0 + 29


def test_a_source_that_has_ended_no_longer_holds_it() -> None:
    r = runner()
    r.open("a")
    r.run("b", [alice(0), alice(50)])
    r.close("a")
    assert says(r.run("b", [alice(51)])) == ["e0"]


def test_the_watermark_never_goes_back_for_a_source_that_joins_behind_it() -> None:
    r = runner()
    r.run("a", [alice(50)])
    found = r.run("b", [alice(10), alice(49.5)])
    assert says(found) == ["e10"]
    assert r.late == 1
    assert r.watermark == T0 + 49


def test_held_events_wait_without_moving_the_watermark() -> None:
    r = runner()
    r.hold([alice(90), alice(80)])
    assert says(r.run("log", [alice(0), alice(10)])) == ["e0"]
    assert says(r.run("log", [alice(85)])) == ["e10", "e80"]


# -- timers -----------------------------------------------------------------------------------------------------------------------


def test_a_timer_fires_between_the_events_its_time_lies_between() -> None:
    r = runner(Probe(sets=10))
    found = r.run("log", [alice(0), alice(50), alice(55)]) + r.finish()
    # The one set at 0 fires at 10; the one set at 50 for 60 is replaced at 55 by one for 65, and the log ends before that.
    assert says(found) == ["e0", "time 10", "e50", "e55", "end 55"]


def test_a_timer_fires_before_an_event_of_its_own_moment() -> None:
    r = runner(Probe(sets=10))
    assert says(r.run("log", [alice(0), alice(10), alice(30)])) == ["e0", "time 10", "e10", "time 20"]


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_when_a_timer_fires_does_not_depend_on_batches(cut: int) -> None:
    log = [alice(0), alice(15, actor="bob"), alice(24), alice(60, actor="bob")]
    r = runner(Probe(sets=10))
    found = r.run("log", log[:cut]) + r.run("log", log[cut:]) + r.finish()
    assert says(found) == ["e0", "time 10", "e15", "e24", "time 25", "time 34", "e60", "end 60"]


def test_the_end_is_said_once_to_each_key_with_a_timer() -> None:
    # Each event replaces the timer of the one before: what is left of those must not count.
    r = runner(Probe(sets=1000))
    found = r.run("log", [alice(i) for i in range(5)] + [alice(5, actor="bob")]) + r.finish()
    assert says(found)[6:] == ["end 5", "end 5"]


def test_a_timer_that_was_taken_back_neither_fires_nor_ends() -> None:
    class Fickle(Probe):
        def on_event(self, key: str, state: Any, event: Event) -> Any:
            super().on_event(key, state, event)
            state.wake_at = event.ts + 10 if event.id == "e0" else float("inf")

    r = runner(Fickle())
    assert r.run("log", [alice(0), alice(5), alice(50)]) + r.finish() == []


def test_timers_that_mean_nothing_any_more_do_not_pile_up() -> None:
    r = runner(Probe(sets=100_000, ttl_s=1e6, max_keys=1000))
    for second in range(30_000):
        r.run("log", [alice(second, actor=f"actor{second % 10}")])
    assert len(r._timers) <= 5000
    assert sorted(says(r.finish())[-10:]) == ["end 29999"] * 10


# -- failures ---------------------------------------------------------------------------------------------------------------------


def raising(method: str, at: str | float | None = None) -> Probe:
    def hook(called: str, what: Event | float) -> None:
        if called == method and at in {None, what.id if isinstance(what, Event) else what - T0}:
            raise RuntimeError("a bug")

    return Probe(variant="liar", sets=10, hook=hook)


@pytest.mark.parametrize(
    ("method", "at"), [("on_event", "e20"), ("on_event", "e0"), ("on_time", 10.0), ("on_time", 40.0), ("on_end", None)]
)
def test_a_detector_that_raises_is_disabled_and_the_others_are_not(method: str, at: str | float | None) -> None:
    log = [alice(0), alice(20), alice(30), alice(60), alice(61)]
    reported: list[tuple[str, str]] = []
    r = runner(raising(method, at), Probe(sets=10), on_failure=lambda name, error: reported.append((name, str(error))))
    found = r.run("log", log) + r.finish()
    alone = runner(Probe(sets=10))
    assert [finding for finding in found if finding.variant != "liar"] == alone.run("log", log) + alone.finish()
    assert reported == [("probe/liar", "a bug")]
    assert r.failed == {"probe/liar": "RuntimeError"}


def test_a_disabled_detector_is_never_called_again() -> None:
    calls: list[str] = []

    def hook(method: str, what: Event | float) -> None:
        calls.append(method)
        if isinstance(what, Event) and what.id == "e1":
            raise RuntimeError

    r = runner(Probe(sets=5, hook=hook))
    r.run("log", [alice(0), alice(1), alice(2), alice(50)])
    r.finish()
    assert calls == ["on_event", "on_event"]


def test_a_key_function_that_raises_disables_those_who_use_it() -> None:
    def no_key(event: Event) -> str | None:
        raise ZeroDivisionError

    r = runner(Probe(variant="a", key=no_key), Probe(variant="b", key=no_key), Probe())
    assert says(r.run("log", [alice(0), alice(5)]) + r.finish()) == ["e0", "e5"]
    assert r.failed == {"probe/a": "ZeroDivisionError", "probe/b": "ZeroDivisionError"}


# -- persistence ------------------------------------------------------------------------------------------------------------------


def restored(r: Runner, *detectors: Probe) -> Runner:
    fresh = runner(*detectors)
    fresh.restore(read(whole_of(r)))
    return fresh


@pytest.mark.parametrize("at", range(6))
def test_a_restored_runner_goes_on_as_if_nothing_had_happened(at: int) -> None:
    log = [alice(0), alice(5, actor="bob"), alice(4), alice(30), alice(12), alice(31)]
    whole = runner(Probe(sets=10))
    expected = whole.run("log", log) + whole.finish()
    first = runner(Probe(sets=10))
    found = first.run("log", log[:at])
    second = restored(first, Probe(sets=10))
    assert found + second.run("log", log[at:]) + second.finish() == expected
    assert second.late == whole.late == 1


def test_a_checkpoint_is_of_the_moment_it_began_whatever_happens_while_it_is_encoded() -> None:
    r = runner(Probe(sets=10), tracking=True)
    r.run("log", [alice(0), alice(5)])
    expected = whole_of(r)
    capture = Capture(r.changed(everything=True), r.groups)
    r.run("log", [alice(6), alice(90)])
    assert write(capture.finish()) == expected


def test_checkpoints_of_what_has_changed_add_up_to_the_whole() -> None:
    log = [alice(i * 7, actor=f"a{i % 17}" if i % 3 else "busy") for i in range(300)]
    r = runner(Probe(sets=10, ttl_s=60), tracking=True)
    tables = whole_of(r)
    for each in log:
        capture = Capture(r.changed(everything=False), r.groups)
        capture.step(2)
        r.run("log", [each])
        write(capture.finish(), tables)
    write(Capture(r.changed(everything=False), r.groups).finish(), tables)
    assert tables == whole_of(r)
    assert len(tables[r.groups[0].name]) > 3


def test_a_checkpoint_writes_no_more_than_what_has_changed() -> None:
    r = runner(tracking=True)
    r.run("log", [alice(i / 1000, actor=f"a{i}") for i in range(500)] + [alice(3)])
    assert len(whole_of(r)[r.groups[0].name]) == 500
    r.run("log", [alice(5, actor="a7"), alice(9, actor="a8")])
    tables = write(Capture(r.changed(everything=False), r.groups).finish())
    assert len(tables[r.groups[0].name]) == 2


def test_a_disabled_detector_stays_disabled_after_a_restart() -> None:
    r = runner(raising("on_event"), Probe())
    r.run("log", [alice(0), alice(5)])
    again = restored(r, Probe(variant="liar"), Probe())
    assert {finding.variant for finding in again.run("log", [alice(6), alice(9)])} == {"by_actor"}


def test_a_detector_that_is_new_since_the_snapshot_starts_with_nothing() -> None:
    r = runner(Probe())
    r.run("log", [alice(0), alice(5)])
    again = restored(r, Probe(), Probe(variant="new", key=by_ip))
    assert [len(states) for states in again.states] == [1, 0]
    assert again.unread == {}


def test_a_state_of_another_version_is_left_unread_and_that_is_known() -> None:
    class Newer(Probe):
        state_version = 2

    r = runner(Probe(sets=10), Probe(variant="same"))
    r.run("log", [alice(0), alice(5)])
    again = restored(r, Newer(sets=10), Probe(variant="same"))
    assert [len(states) for states in again.states] == [0, 1]
    assert again.unread == {"probe/by_actor": "ValueError"}
    assert says(again.run("log", [alice(40)]) + again.finish()) == ["e5", "e5", "time 15", "e40", "e40", "end 40"]


def test_keys_share_one_computation_for_each_way_of_keying() -> None:
    calls: list[str] = []

    def counted(event: Event) -> str | None:
        calls.append(event.id)
        return by_actor(event)

    r = runner(Probe(variant="a", key=counted), Probe(variant="b", key=counted))
    r.run("log", [alice(0), alice(5)])
    r.finish()
    assert calls == ["e0", "e5"]
