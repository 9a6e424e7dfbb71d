import msgspec
import pytest

from detectors.windows import EXACT_VALUES, Distinct, Sketch, remember, since, slide

Entry = tuple[float, str, str]


def window(*entries: Entry, span_s: float = 10, most: int = 5) -> list[str]:
    kept: list[Entry] = []
    for entry in entries:
        slide(kept, entry, span_s, most)
    return [event_id for _, event_id, _ in kept]


@pytest.mark.parametrize(
    ("entries", "kept"),
    [
        ([(1.0, "a", "")], ["a"]),
        ([(1.0, "a", ""), (11.0, "b", "")], ["a", "b"]),  # the edge belongs to the window
        ([(1.0, "a", ""), (11.1, "b", "")], ["b"]),
        ([(5.0, "b", ""), (4.0, "a", ""), (6.0, "c", "")], ["a", "b", "c"]),  # a late entry finds its place
        ([(20.0, "b", ""), (5.0, "a", "")], ["b"]),  # too late for the window
        ([(float(i), str(i), "") for i in range(7)], ["2", "3", "4", "5", "6"]),  # never more than `most`
        ([(float(i), str(i), "") for i in range(1, 6)] + [(0.5, "late", "")], ["1", "2", "3", "4", "5"]),
    ],
)
def test_window_keeps_the_newest_entries_in_order(entries: list[Entry], kept: list[str]) -> None:
    assert window(*entries) == kept


def test_distinct_is_exact_while_there_are_few_values() -> None:
    distinct = Distinct()
    for i in range(1000):
        distinct.add(f"user{i % 200}")
    assert distinct.number() == 200
    assert distinct.total == 1000
    assert distinct.sketch is None


def test_distinct_of_many_values_is_near_the_truth_and_bounded() -> None:
    distinct = Distinct()
    for i in range(20_000):
        distinct.add(f"user{i}")
    assert len(distinct.counts) == EXACT_VALUES
    assert distinct.number() == pytest.approx(20_000, rel=0.06)  # four standard errors of 1.6 %


@pytest.mark.parametrize(
    ("values", "share", "main"),
    [("", 0.8, None), ("aaaab", 0.8, "a"), ("aaab", 0.8, None), ("ab", 0.5, "a")],
)
def test_main_value_makes_up_nearly_all(values: str, share: float, main: str | None) -> None:
    distinct = Distinct()
    for value in values:
        distinct.add(value)
    assert distinct.main(share) == main


def test_sketch_survives_being_written_and_read() -> None:
    sketch = Sketch()
    for i in range(5000):
        sketch.add(f"user{i}")
    again = Sketch.from_bytes(sketch.to_bytes())
    again.add("user4999")
    assert again.estimate() == sketch.estimate()


def test_distinct_without_a_sketch_is_plain_json() -> None:
    distinct = Distinct()
    distinct.add("alice")
    assert msgspec.json.encode(distinct) == b'{"counts":{"alice":1},"total":1,"sketch":null}'


def test_remembered_values_are_bounded_and_the_stalest_leaves() -> None:
    seen: dict[str, float] = {}
    for value, ts in (("a", 3.0), ("b", 1.0), ("b", 0.5), ("c", 2.0)):
        remember(seen, value, ts, 2)
    assert seen == {"a": 3.0, "c": 2.0}
    assert since(seen, 2.5) == 1
