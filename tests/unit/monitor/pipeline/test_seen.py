"""Ids seen lately: bounded, in two generations, and the same after a restart."""

import orjson

from monitor.pipeline.seen import Seen


def add(seen: Seen, *ids: str) -> None:
    """One batch, as the ingest adds it."""
    seen.young.update(ids)
    seen.turn()


def known(seen: Seen, event_id: str) -> bool:
    return event_id in seen.young or event_id in seen.old


def test_the_last_ids_are_known() -> None:
    seen = Seen(limit=3)
    add(seen, "a", "b")
    add(seen, "c")
    add(seen, "d", "e")
    assert [known(seen, event_id) for event_id in "abcde"] == [True] * 5


def test_at_least_limit_ids_are_known_and_at_most_about_twice_as_many() -> None:
    seen = Seen(limit=100)
    for i in range(1000):
        add(seen, f"id{i}")
        assert len(seen.young) + len(seen.old) <= 200
        assert all(known(seen, f"id{j}") for j in range(max(0, i - 99), i + 1))
    assert not known(seen, "id0")


def test_a_generation_ends_with_its_batch_only() -> None:
    seen = Seen(limit=2)
    add(seen, "a", "b", "c", "d", "e")
    assert (seen.young, seen.old) == (set(), {"a", "b", "c", "d", "e"})


def test_a_dump_comes_back_equal_and_shares_nothing() -> None:
    seen = Seen(limit=3)
    add(seen, "a", "b", "c")
    add(seen, "e", "d")
    dump = seen.dump()
    assert dump == [["d", "e"], ["a", "b", "c"]]
    again = Seen(limit=3)
    again.load(orjson.loads(orjson.dumps(dump)))
    assert (again.young, again.old) == (seen.young, seen.old)
    add(again, "f")
    assert dump == seen.dump() == [["d", "e"], ["a", "b", "c"]]
