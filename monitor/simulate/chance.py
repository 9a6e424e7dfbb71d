"""Chance that is the same in every process and with every version of Python."""

from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Chance:
    """A source of chance of its own for each name: what one part of the world draws moves no other.

    >>> Chance(1, "alice").whole(1, 100) == Chance(1, "alice").whole(1, 100)
    True
    """

    __slots__ = ("random",)

    def __init__(self, seed: int, *name: object) -> None:
        # A seed of text goes through SHA-512, which does not differ between processes as hash() does.
        self.random = Random("/".join(map(str, (seed, *name)))).random  # noqa: S311 - repeatable on purpose

    def yes(self, share: float) -> bool:
        """True in this share of all calls (0–1)."""
        return self.random() < share

    def between(self, low: float, high: float) -> float:
        """An even draw."""
        return low + (high - low) * self.random()

    def around(self, low: float, high: float) -> float:
        """A draw that favours the middle."""
        return low + (high - low) * (self.random() + self.random()) / 2

    def whole(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        return low + int(self.random() * (high - low + 1))

    def pick(self, values: Sequence[T]) -> T:
        """One of them."""
        return values[int(self.random() * len(values))]

    def favourite(self, values: Sequence[T]) -> T:
        """One of them, the first ones far more often: people come back to few things."""
        return values[int(self.random() ** 3 * len(values))]

    def some(self, values: Sequence[T], number: int) -> list[T]:
        """So many different ones, in a drawn order; all when there are fewer."""
        left = list(values)
        return [left.pop(int(self.random() * len(left))) for _ in range(min(number, len(left)))]
