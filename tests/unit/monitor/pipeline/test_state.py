"""The memory of one detector: two generations, a cap, and what a flood may not end."""

from detectors.base import KeyState
from monitor.pipeline.state import KeyedState, KeyGroup
from tests.probes import NEVER, Probe


def states(max_keys: int = 1000, ttl_s: float = 100.0, group: KeyGroup | None = None) -> KeyedState:
    return KeyedState(0, Probe(max_keys=max_keys, ttl_s=ttl_s), group)


def use(memory: KeyedState, key: str, wake_at: float = NEVER) -> KeyState:
    """As the runner does: only a key that is not young is claimed."""
    state = memory.group.hot.get(key, memory.group.unknown)[memory.slot] or memory.claim(key)
    state.wake_at = wake_at
    return state


def keys(memory: KeyedState) -> set[str]:
    return {*memory.young, *memory.old}


def test_a_key_has_one_state_for_as_long_as_it_is_remembered() -> None:
    memory = states()
    state = memory.claim("a")
    memory.expire()
    assert memory.find("a") is state
    assert memory.claim("a") is state
    assert len(memory) == 1


def test_a_key_that_is_used_in_each_idle_time_is_never_forgotten() -> None:
    memory = states()
    state = memory.claim("a")
    for _ in range(5):
        memory.expire()
        assert memory.claim("a") is state


def test_a_key_that_is_not_used_for_a_whole_idle_time_is_forgotten() -> None:
    memory = states()
    use(memory, "a")
    assert memory.expire()
    assert keys(memory) == {"a"}
    assert not memory.expire()
    assert keys(memory) == set()
    assert memory.evictions == 0


def test_finding_a_state_is_no_use_of_it() -> None:
    memory = states()
    use(memory, "a")
    memory.expire()
    memory.find("a")
    memory.expire()
    assert memory.find("a") is None


def test_a_key_with_a_timer_outlives_the_idle_time() -> None:
    memory = states()
    use(memory, "waits", wake_at=1e9)
    use(memory, "idle")
    for _ in range(4):
        assert memory.expire()
    assert keys(memory) == {"waits"}
    assert memory.evictions == 0


def test_generations_change_at_multiples_of_the_idle_time() -> None:
    memory = states(ttl_s=100)
    assert memory.next_rotation(250.0) == 300.0
    assert memory.next_rotation(300.0) == 400.0
    assert memory.next_rotation(-50.0) == 0.0
    assert memory.rotate_at == 0.0


def test_a_flood_of_keys_stays_within_the_cap_and_is_counted() -> None:
    memory = states(max_keys=1000)
    for i in range(20_000):
        use(memory, f"key{i}")
        assert len(memory) <= 1000
    assert memory.evictions == 20_000 - len(memory)


def test_a_flood_of_keys_with_timers_stays_within_the_cap_too() -> None:
    memory = states(max_keys=1000)
    for i in range(20_000):
        use(memory, f"key{i}", wake_at=1e9)
        assert len(memory) <= 1000
    assert memory.evictions == 20_000 - len(memory)


def test_a_flood_does_not_end_an_open_alert() -> None:
    memory = states(max_keys=1000)
    use(memory, "attack", wake_at=1e9)
    for i in range(20_000):
        use(memory, f"key{i}")
    assert memory.find("attack") is not None


def test_a_busy_key_survives_a_flood() -> None:
    memory = states(max_keys=1000)
    state = memory.claim("busy")
    for i in range(20_000):
        use(memory, f"key{i}")
        use(memory, "busy")
    assert memory.find("busy") is state


def test_timers_that_find_no_room_when_time_passes_are_counted() -> None:
    # 1000 keys at most: 400 are young, and 200 of the old ones that wait are carried over.
    memory = states(max_keys=1000)
    for i in range(300):
        use(memory, f"key{i}", wake_at=1e9)
    memory.expire()
    memory.expire()
    assert len(memory) == 200
    assert memory.evictions == 100


def test_detectors_that_share_a_key_function_find_their_states_in_one_look_up() -> None:
    group = KeyGroup()
    first, second = states(group=group), states(group=group)
    one, two = use(first, "a"), use(second, "a")
    assert group.hot == {"a": [one, two]}
    first.expire()
    assert group.hot == {"a": [None, two]}
    second.expire()
    assert group.hot == {}
    assert first.find("a") is one, "old, but not forgotten"
