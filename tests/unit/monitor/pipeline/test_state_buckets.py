"""Forgetting little by little: keys are dealt into buckets, which have their turns one after the other."""

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from detectors.base import KeyState
from monitor.pipeline.runner import Runner
from monitor.pipeline.state import KeyedState, KeyGroup
from monitor.rows import Capture
from schemas.event import Event
from tests.checkpoints import Tables, read, whole_of, write
from tests.helpers import event
from tests.probes import NEVER, Notes, Probe

MAX_KEYS = 6_250
"""Just enough for two buckets."""
TTL_S = 100.0


def memory(max_keys: int = 1000, group: KeyGroup | None = None, index: int = 0, bucket_keys: int = 100) -> KeyedState:
    return KeyedState(index, Probe(max_keys=max_keys, ttl_s=TTL_S), group, bucket_keys)


def use(states: KeyedState, key: str, wake_at: float = NEVER) -> KeyState:
    """As the runner does: only a key that is not young is claimed."""
    state = states.group.hot.get(key, states.group.unknown)[states.slot] or states.claim(key)
    state.wake_at = wake_at
    return state


def runner(max_keys: int = MAX_KEYS, *, probes: int = 1) -> Runner:
    return Runner([Probe(variant=f"v{i}", ttl_s=TTL_S, max_keys=max_keys) for i in range(probes)], lateness_s=0.0, tracking=True)


def held(r: Runner) -> list[tuple[set[str], set[str], int, int]]:
    return [({*states.young}, {*states.old}, states.turns, states.evictions) for states in r.states]


def traffic(number: int, step_s: float, seed: int = 1) -> Iterator[Event]:
    """Most come once; some come back, soon or late."""
    rng = random.Random(seed)
    for i in range(number):
        actor = f"regular{rng.randrange(2000)}" if rng.random() < 0.3 else f"stranger{i}"
        yield event(i * step_s, id=f"e{i}", actor=actor)


@pytest.mark.parametrize(
    ("max_keys", "buckets"), [(1_000, 1), (6_249, 1), (6_250, 2), (12_500, 4), (100_000, 32), (1_000_000, 256), (10_000_000, 1_024)]
)
def test_there_are_as_many_buckets_as_keep_a_turn_short(max_keys: int, buckets: int) -> None:
    assert KeyedState(0, Probe(max_keys=max_keys)).buckets == buckets


def test_a_key_is_forgotten_at_the_second_turn_of_its_bucket() -> None:
    states = memory()
    assert states.buckets == 8
    use(states, "a")
    use(states, "b")
    left = [states.expire() for _ in range(16)]
    assert left[:8] == [True] * 8, "every bucket has had one turn"
    assert left[-1] is False
    assert states.evictions == 0


def test_turns_are_spread_over_the_idle_time() -> None:
    states = memory()
    turns = [states.next_rotation(200.0)]
    while len(turns) < 4:
        turns.append(states.next_rotation(turns[-1]))
    assert turns == [212.5, 225.0, 237.5, 250.0]


def test_detectors_have_their_turns_at_different_moments() -> None:
    turns = [memory(index=index).next_rotation(200.0) for index in range(16)]
    assert len(set(turns)) == 16
    assert all(200.0 < at <= 212.5 for at in turns)


def test_a_key_is_remembered_for_an_idle_time_and_for_less_than_two_and_a_turn() -> None:
    r = runner()
    states = r.states[0]
    last: dict[str, float] = {}
    rng = random.Random(3)
    now, forgotten = 0.0, 0
    for i in range(6_000):
        now += rng.choice((0.01, 0.1, 0.5))
        actor = f"a{rng.randrange(1500)}"
        r.run("log", [event(now, id=f"e{i}", actor=actor)])
        r.run("log", [event(now + 0.001, id=f"f{i}", actor="clock")])
        state = states.find(f"\x1f{actor}")
        assert isinstance(state, Notes)
        quiet_s = now - last.get(actor, -NEVER)
        if quiet_s < TTL_S:
            assert len(state.seen) > 1
        elif NEVER > quiet_s > TTL_S * 2.5 + 1:
            assert len(state.seen) == 1
            forgotten += 1
        last[actor] = now
    assert forgotten > 10
    assert states.evictions == 0


def test_a_flood_never_holds_more_than_the_cap_and_forgets_a_few_at_a_time() -> None:
    states = memory(max_keys=3_200)
    assert states.buckets == 32
    before, most, least_held = 0, 0, 3_200
    for i in range(30_000):
        use(states, f"key{i}")
        assert len(states) <= 3_200
        most = max(most, states.evictions - before)
        before = states.evictions
        if i >= 20_000:
            least_held = min(least_held, len(states))
    assert most < 3_200 / 32
    assert least_held > 2_400, "three quarters of what may be"


def test_what_was_used_lately_survives_a_flood_of_two_fifths_of_the_cap() -> None:
    states = memory(max_keys=3_200)
    for i in range(20_000):
        use(states, f"key{i}")
        if i >= 1_280:
            assert states.find(f"key{i - 1_280}") is not None


def test_detectors_of_the_same_keys_do_not_forget_at_the_same_one() -> None:
    group = KeyGroup()
    both = [memory(max_keys=3_200, group=group, index=index) for index in range(8)]
    together = Counter[int]()
    for i in range(20_000):
        before = [states.turns for states in both]
        for states in both:
            use(states, f"key{i}")
        together[sum(states.turns - had for states, had in zip(both, before, strict=True))] += 1
    assert max(together) <= 4, together


def test_keys_that_were_chosen_to_be_of_one_bucket_stay_within_the_cap_too() -> None:
    states = memory(max_keys=1_000)
    group = states.group
    chosen = (key for i in range(100_000) if group.hash_of(key := f"key{i}") % states.buckets == 3)
    number = 0
    for number, key in enumerate(chosen, 1):
        use(states, key, wake_at=1e9 if number % 3 else NEVER)
        assert len(states) <= 1_000
    assert number > 5_000
    assert states.evictions == number - len(states)


def test_a_flood_from_one_bucket_to_the_next_stays_within_the_cap() -> None:
    # Each bucket is filled by itself: the old ones of all together would be more than the cap.
    states = memory(max_keys=1_000)
    by_bucket: dict[int, list[str]] = {}
    for i in range(40_000):
        by_bucket.setdefault(states.group.hash_of(f"key{i}") % states.buckets, []).append(f"key{i}")
    for bucket in (1, 2, 3, 4, 5, 6, 7, 0):
        for key in by_bucket[bucket][:270]:
            use(states, key)
            assert len(states) <= 1_000


def test_an_attack_that_waits_outlives_a_flood() -> None:
    states = memory(max_keys=1_600)
    for number in range(100):
        use(states, f"attack{number}", wake_at=1e9)
    for i in range(30_000):
        use(states, f"key{i}")
    assert sum(states.find(f"attack{number}") is not None for number in range(100)) == 100


# -- restarts ---------------------------------------------------------------------------------------------------------------------


def restarted(tables: Tables, max_keys: int = MAX_KEYS, probes: int = 1) -> Runner:
    fresh = runner(max_keys, probes=probes)
    fresh.restore(read(tables))
    return fresh


@pytest.mark.parametrize("step_s", [0.001, 0.05], ids=["flood", "over_time"])
@pytest.mark.parametrize("seed", range(2))
def test_a_restart_anywhere_changes_nothing_of_what_is_remembered(step_s: float, seed: int) -> None:
    rng = random.Random(seed)
    log = list(traffic(10_000, step_s, seed))
    whole, parted, tables = runner(probes=2), runner(probes=2), Tables()
    at = 0
    while at < len(log):
        to = at + rng.randrange(1, 3_000)
        whole.run("log", log[at:to])
        capture = Capture(parted.changed(everything=not tables), parted.groups)
        if rng.random() < 0.5:
            capture.step(1_000)
            parted.run("log", log[at:to])
            write(capture.finish(), tables)  # of before; the next one has what came since
        else:
            parted.run("log", log[at:to])
            write(capture.finish(), tables)
            write(Capture(parted.changed(everything=False), parted.groups).finish(), tables)
            parted = restarted(tables, probes=2)
        at = to
        assert held(parted) == held(whole)
    assert all(states.turns > 4 for states in whole.states)


@pytest.mark.parametrize("max_keys", [1_000_000, 3_000, 25_000])
def test_with_another_cap_everything_is_remembered_and_written_anew(max_keys: int) -> None:
    first = runner()
    first.run("log", traffic(2_500, 0.06))
    tables = whole_of(first)
    again = restarted(tables, max_keys)
    assert [({*states.young}, {*states.old}) for states in again.states] == [(young, old) for young, old, *_ in held(first)]
    write(Capture(again.changed(everything=False), again.groups).finish(), tables)
    assert held(restarted(tables, max_keys)) == held(again)
    again.run("log", [event(130, actor="late")])
    assert len(again.states[0]) <= max_keys


def test_a_checkpoint_from_before_there_were_buckets_is_understood() -> None:
    first = runner(1_000)
    first.run("log", [event(10, actor="old"), event(120, actor="young"), event(121, actor="young")])
    tables = whole_of(first)
    for head in tables["runner"][""]["detectors"].values():
        del head["buckets"]
    again = restarted(tables)
    assert ({*again.states[0].young}, {*again.states[0].old}) == ({"\x1fyoung"}, {"\x1fold"})


class Newer(Probe):
    """Cannot read what the one before it remembered."""

    state_version = 2


def test_what_cannot_be_read_is_not_taken_for_a_state_at_a_later_start() -> None:
    first = Runner([Probe(variant="a"), Probe(variant="b")], lateness_s=0.0, tracking=True)
    first.run("log", [event(i, actor=f"actor{i}") for i in range(5)])
    tables = whole_of(first)
    for expected in ({"probe/a": "ValueError"}, dict[str, Any]()):
        again = Runner([Newer(variant="a"), Probe(variant="b")], lateness_s=0.0, tracking=True)
        again.restore(read(tables))
        assert again.unread == expected
        write(Capture(again.changed(everything=False), again.groups).finish(), tables)


def test_what_a_detector_left_that_was_taken_away_does_not_come_back_with_it() -> None:
    both, one = (Probe(variant="a"), Probe(variant="b")), (Probe(variant="b"),)
    first = Runner(both, lateness_s=0.0, tracking=True)
    first.run("log", [event(i, actor=f"actor{i}") for i in range(5)])
    tables = whole_of(first)
    sizes = []
    for detectors in (one, both, both):
        again = Runner(detectors, lateness_s=0.0, tracking=True)
        again.restore(read(tables))
        sizes.append([len(states) for states in again.states])
        write(Capture(again.changed(everything=False), again.groups).finish(), tables)
    assert sizes == [[4], [0, 4], [0, 4]], "the fifth event waits"
