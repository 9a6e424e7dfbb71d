"""River's trees, saved and gone on from."""

from random import Random

import pytest

from detectors.learned.trees import WINDOW, Trees

NAMES = ("a", "b", "c")


def points(seed: int, number: int) -> list[dict[str, float]]:
    rng = Random(seed)
    return [{name: rng.random() ** 3 for name in NAMES} for _ in range(number)]


def test_nothing_is_said_before_a_whole_window_is_known() -> None:
    trees, some = Trees(), points(1, WINDOW)
    assert trees.score(some[0]) is None
    for point in some[:-1]:
        trees.learn(point)
    assert trees.score(some[0]) is None
    trees.learn(some[-1])
    assert trees.score(some[0]) is not None


def test_what_lies_apart_scores_higher() -> None:
    trees = Trees()
    for point in points(2, 2 * WINDOW):
        trees.learn(point)
    usual, apart = trees.score(dict.fromkeys(NAMES, 0.05)), trees.score(dict.fromkeys(NAMES, 0.95))
    assert usual is not None
    assert apart is not None
    assert apart > usual + 0.1


@pytest.mark.parametrize("where", [1, WINDOW - 1, WINDOW, WINDOW + 130])
def test_saved_anywhere_it_gives_the_same_scores(where: int) -> None:
    straight, some = Trees(), points(3, 3 * WINDOW)
    for point in some[:where]:
        straight.learn(point)
    again = Trees.from_bytes(straight.to_bytes())
    assert again.to_bytes() == straight.to_bytes()
    for point in some[where:]:
        assert again.score(point) == straight.score(point)
        straight.learn(point)
        again.learn(point)
    assert again.to_bytes() == straight.to_bytes()
    assert len(again.to_bytes()) < 1_500


def test_one_that_has_learned_nothing_is_saved_as_nothing() -> None:
    assert Trees().to_bytes() == b""
    assert Trees.from_bytes(b"").score(points(1, 1)[0]) is None


def test_of_trees_that_are_cut_otherwise_nothing_is_taken_over() -> None:
    trees = Trees()
    for point in points(4, WINDOW):
        trees.learn(point)
    data = bytearray(trees.to_bytes())
    data[1] ^= 0xFF  # the digest of the cuts
    assert Trees.from_bytes(bytes(data)).score(points(4, 1)[0]) is None


@pytest.mark.parametrize("data", [b"\x01", b"\x02" + bytes(1_277), bytes(1_278)])
def test_what_cannot_be_read_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="trees"):
        Trees.from_bytes(data)
