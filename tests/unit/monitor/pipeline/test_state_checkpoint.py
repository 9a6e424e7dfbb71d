"""What checkpoints write of the states of keys, while the stream changes and forgets them: the state of the moment each began."""

import random
from typing import Any

import msgspec
import pytest

from detectors.base import NEVER, encode_state
from monitor.pipeline.state import BUCKET_KEYS, KeyedState, KeyGroup
from tests.probes import Notes, Probe


def group_of_two(bucket_keys: int = BUCKET_KEYS) -> KeyGroup:
    """The second detector forgets sooner than the first."""
    group = KeyGroup("keys", tracking=True)
    for index, max_keys in enumerate((30, 12)):
        probe = Probe(ttl_s=100.0)
        probe.max_keys = max_keys  # fewer than settings allow
        KeyedState(index, probe, group, bucket_keys).label = f"d{index}"
    return group


def use(group: KeyGroup, member: int, key: str, note: str, wake_at: float = NEVER) -> None:
    """As the runner does: a key that counts as touched is not touched again."""
    if key not in group.touched:
        group.touch(key)
    states = group.members[member]
    state = group.hot.get(key, group.unknown)[states.slot] or states.claim(key)
    assert isinstance(state, Notes)
    state.seen, state.wake_at = [note], wake_at


def held(group: KeyGroup) -> dict[str, dict[str, Any]]:
    """All rows as they are now: a state's generation and the state, by detector."""
    rows: dict[str, dict[str, Any]] = {}
    for states in group.members:
        for age, half in ((1, states.old), (0, states.young)):
            for key, state in half.items():
                row = [states.generation_of(key) - age, state]
                rows.setdefault(key, {})[states.label] = msgspec.json.decode(encode_state(row))
    return rows


def take(group: KeyGroup, store: dict[str, dict[str, Any]], most: int) -> bool:
    """Write some rows of the checkpoint that is being made; whether there were any."""
    rows = group.encode_some(most)
    if rows is None:
        return False
    if rows.whole:
        store.clear()
    for key in rows.gone:
        store.pop(key, None)
    store.update(msgspec.json.decode(rows.encoded()))
    return True


def disturb(group: KeyGroup, rng: random.Random, number: int) -> None:
    if rng.random() < 0.03:
        rng.choice(group.members).expire()
    else:
        # Some come back often, most hardly ever, so that the caps bite.
        use(
            group, rng.randrange(2), f"k{rng.randrange(8 if rng.random() < 0.5 else 60)}", str(number), 1.0 if rng.random() < 0.2 else NEVER
        )


@pytest.mark.parametrize("bucket_keys", [BUCKET_KEYS, 6, 3])
@pytest.mark.parametrize("seed", range(20))
def test_a_checkpoint_is_of_the_moment_it_began_whatever_is_changed_or_forgotten_meanwhile(seed: int, bucket_keys: int) -> None:
    rng, group, store = random.Random(seed), group_of_two(bucket_keys), dict[str, dict[str, Any]]()
    for number in range(30):
        for _ in range(rng.randrange(40)):
            disturb(group, rng, number)
        expected = held(group)
        group.list_touched(everything=number == 0)
        while take(group, store, most=rng.randrange(1, 6)):
            for _ in range(rng.randrange(20)):
                disturb(group, rng, number)
        assert store == expected


def test_a_slice_has_no_more_rows_than_asked_for_even_of_those_the_stream_has_had_encoded() -> None:
    group = group_of_two()
    for number in range(10):
        use(group, 0, f"k{number}", "before")
    group.list_touched(everything=False)
    for number in range(6):
        use(group, 0, f"k{number}", "after")
    store: dict[str, dict[str, Any]] = {}
    sizes = []
    while take(group, store, most=4):
        sizes.append(len(store))
    assert sizes == [4, 8, 10]
    assert {row["d0"][1]["seen"][0] for row in store.values()} == {"before"}


def test_what_generations_leave_behind_is_let_go_once_all_is_encoded() -> None:
    group = group_of_two()
    use(group, 0, "a", "before")
    group.members[0].expire()
    group.list_touched(everything=False)
    group.members[0].expire()
    assert group.members[0].left
    take(group, {}, most=10)
    assert not group.members[0].left
