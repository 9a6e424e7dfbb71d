"""Ids seen lately: bounded, in two generations, and the same after a restart."""

from monitor.pipeline.seen import Seen
from tests.checkpoints import read, write


def add(seen: Seen, *ids: str) -> None:
    """One batch, as the ingest adds it."""
    seen.young.update(dict.fromkeys(ids))
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
    assert (list(seen.young), list(seen.old)) == ([], ["a", "b", "c", "d", "e"])


def test_what_checkpoints_add_comes_back_in_its_order() -> None:
    seen = Seen(limit=3)
    tables = write(seen.changed(everything=True))
    for batch in ("ab", "c", "", "ed", "fgh", "i"):
        add(seen, *batch)
        write(seen.changed(everything=False), tables)
    again = Seen(limit=3)
    again.restore(read(tables))
    assert (list(again.young), list(again.old)) == (list(seen.young), list(seen.old)) == (["i"], ["e", "d", "f", "g", "h"])


def test_a_checkpoint_writes_only_the_new_ids_and_takes_away_the_forgotten_ones() -> None:
    seen = Seen(limit=2)
    tables = write(seen.changed(everything=True))
    for batch in ("ab", "cd", "e"):
        add(seen, *batch)
        rows = seen.changed(everything=False)
        write(rows, tables)
    assert rows[0].values == {"2/0": ["e"]}
    assert sorted(tables["seen"].values()) == [["c", "d"], ["e"]]


def test_ids_of_a_generation_that_ended_between_two_checkpoints_are_kept() -> None:
    seen = Seen(limit=2)
    tables = write(seen.changed(everything=True))
    add(seen, "a")
    write(seen.changed(everything=False), tables)
    add(seen, "b", "c")
    add(seen, "d")
    write(seen.changed(everything=False), tables)
    again = Seen(limit=2)
    again.restore(read(tables))
    assert (list(again.young), list(again.old)) == (["d"], ["a", "b", "c"])
