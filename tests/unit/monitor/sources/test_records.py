"""Lines out of pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.sources.records import Batch, LineSplitter


def pieces(content: bytes, size: int) -> list[bytes]:
    return [content[i : i + size] for i in range(0, len(content), size)]


def split(content: bytes, size: int, limit: int = 1000, keep: int = 2000) -> list[Batch]:
    splitter = LineSplitter(limit, keep)
    batches = [splitter.feed(piece) for piece in pieces(content, size)]
    return [batch for batch in [*batches, splitter.finish(broken=False)] if batch]


def numbered(batches: list[Batch]) -> list[tuple[int, bytes]]:
    return [pair for batch in batches for pair in zip(batch.lines, batch.records, strict=True)]


LINES = st.lists(st.sampled_from([b"", b"a", b"bc", b"\r", b"d\r", b"\x00\xff", b"x" * 9, b"e\rf"]), max_size=12).map(b"\n".join)


@given(content=LINES | st.binary(max_size=60), size=st.integers(1, 70))
def test_records_are_the_lines_wherever_the_pieces_are_cut(content: bytes, size: int) -> None:
    lines = [line.removesuffix(b"\r") for line in content.split(b"\n")]
    expected = [(number, line) for number, line in enumerate(lines, 1) if line]

    assert numbered(split(content, size)) == expected


@given(content=LINES, size=st.integers(1, 70), most=st.integers(1, 5))
def test_batches_can_be_parted_without_losing_anything(content: bytes, size: int, most: int) -> None:
    batches = split(content, size, limit=5)
    parts = [part for batch in batches for part in batch.parts(most)]

    assert numbered(parts) == numbered(batches)
    assert [o for part in parts for o in part.oversize] == [o for batch in batches for o in batch.oversize]
    assert all(len(part.records) <= most and part for part in parts)


@pytest.mark.parametrize("size", [1, 3, 100])
def test_a_line_over_the_limit_is_delivered_apart_and_whole(size: int) -> None:
    batches = split(b"one\n\n" + b"x" * 11 + b"\ntwo\n" + b"y" * 12, size, limit=10)

    assert numbered(batches) == [(1, b"one"), (4, b"two")]
    assert [o for batch in batches for o in batch.oversize] == [(3, b"x" * 11), (5, b"y" * 12)]
    assert [batch.cut for batch in batches if batch.cut] == []


@pytest.mark.parametrize("size", [1, 3])
def test_of_a_line_beyond_all_bounds_the_beginning_is_kept_and_marked(size: int) -> None:
    batches = split(b"one\n" + b"x" * 100 + b"\ntwo\n", size, limit=10, keep=20)

    assert numbered(batches) == [(1, b"one"), (3, b"two")]
    assert [o for batch in batches for o in batch.oversize] == [(2, b"x" * 20)]
    assert [batch.cut for batch in batches if batch.cut] == [{2}]


def test_a_line_of_exactly_the_limit_is_a_record() -> None:
    assert numbered(split(b"x" * 10 + b"\r\n", 4, limit=10)) == [(1, b"x" * 10)]


def test_what_a_damaged_input_broke_off_at_is_no_record() -> None:
    splitter = LineSplitter(100)

    assert splitter.feed(b"one\ntw").records == [b"one"]
    assert splitter.finish(broken=True) == Batch(truncated=(2, b"tw"))


@pytest.mark.parametrize(("content", "is_truncated"), [(b"one\ntwo", True), (b"one\ntwo\n", False), (b"", False)])
def test_a_last_line_without_its_end_is_marked(content: bytes, is_truncated: bool) -> None:  # noqa: FBT001 - a column of the table
    batches = split(content, 100)

    assert any(batch.truncated_last for batch in batches) == is_truncated


def test_the_first_line_of_a_batch_is_that_of_whatever_comes_first() -> None:
    assert LineSplitter(3).feed(b"\nlonger\nabc\n").first_line == 2
    assert Batch().first_line == 0
    assert Batch(truncated=(7, b"x")).first_line == 7
