"""Chance that is the same with every version of Python: made of ``Random.random`` alone."""

from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Chance:
    """A source of chance."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed).random

    def yes(self, share: float) -> bool:
        """True in this share of all calls (0–1)."""
        return self._random() < share

    def between(self, low: float, high: float) -> float:
        """An even draw."""
        return low + (high - low) * self._random()

    def around(self, low: float, high: float) -> float:
        """A draw that favours the middle: the mean of two even ones."""
        return low + (high - low) * (self._random() + self._random()) / 2

    def whole(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        return low + int(self._random() * (high - low + 1))

    def pick(self, values: Sequence[T]) -> T:
        """One of them."""
        return values[int(self._random() * len(values))]

    def favourite(self, values: Sequence[T]) -> T:
        """One of them, the first ones far more often: people come back to few things."""
        return values[int(self._random() ** 3 * len(values))]

    def some(self, values: Sequence[T], number: int) -> list[T]:
        """So many different ones, in a drawn order."""
        left = list(values)
        return [left.pop(int(self._random() * len(left))) for _ in range(min(number, len(left)))]
