"""How much is usual: running mean and variance of logarithms, slow to be led astray.

Amounts of one person differ by factors, not by sums, so all that is learned here is ln(1 + amount).
"""

from math import expm1, log1p, sqrt
from typing import NamedTuple

import msgspec

UNREACHED = 1e18
"""An amount that nothing reaches. An infinity could not be saved: JSON has none."""
CLIP = 3.0
"""A value teaches no more than one this many spreads from the mean would: a single day must not move what is usual."""


class Level(msgspec.Struct, array_like=True, gc=False):
    """Mean and variance of logarithms, of the last values more than of those long ago. 110 bytes."""

    weight: float = 0.0
    """Values learned, up to the memory."""
    mean: float = 0.0
    var: float = 0.0

    def learn(self, value: float, memory: float, floor: float) -> None:
        """Take in one logarithm. ``memory``: in how many values the old ones fade; ``floor``: least spread that values are clipped by.

        West's update of mean and variance with exponential forgetting (Communications of the ACM 22 (9), 1979). Cost ≈ 0.4 µs.
        """
        weight = self.weight
        if weight >= 3:
            reach = CLIP * max(floor, sqrt(self.var))
            value = min(max(value, self.mean - reach), self.mean + reach)
        weight = self.weight = min(weight + 1.0, memory)
        share = 1.0 / weight
        step = value - self.mean
        self.mean += share * step
        self.var = (1.0 - share) * (self.var + share * step * step)

    def forget(self) -> None:
        """Begin anew."""
        self.weight = self.mean = self.var = 0.0


class Usual(NamedTuple):
    """What is expected: a mean of logarithms, and how far values usually lie from it."""

    mean: float
    spread: float

    def distance(self, value: float) -> float:
        """In how many spreads a logarithm lies above the mean; negative below it."""
        return (value - self.mean) / self.spread

    def amount(self, unit: float = 1.0, distance: float = 0.0) -> float:
        """The amount so many spreads above the mean."""
        return unit * expm1(min(self.mean + distance * self.spread, 60.0))


def usual(own: Level, prior: Level, trust: float, floor: float) -> Usual:
    """What is expected of somebody of whom little is known: between own history and that of the peers.

    ``trust``: of how many values of one's own the peers weigh as much (shrinkage, as the posterior of a normal mean under a conjugate
    prior); ``floor``: least spread, so that somebody perfectly regular can still be judged. The spread grows by what the mean itself is
    uncertain of.

    >>> own, peers = Level(8.0, 2.0, 0.1), Level(100.0, 5.0, 1.0)
    >>> [round(x, 2) for x in usual(own, peers, 2.0, 0.3)], [round(x, 2) for x in usual(Level(), peers, 2.0, 0.3)]
    ([2.6, 0.55], [5.0, 1.22])
    """
    weight = own.weight
    trust = min(trust, prior.weight)
    total = weight + trust
    if total == 0.0:
        return Usual(0.0, max(floor, 1.0))
    mean = (weight * own.mean + trust * prior.mean) / total
    var = (weight * own.var + trust * prior.var) / total
    return Usual(mean, max(floor, sqrt(var * (1.0 + 1.0 / total))))


def log(amount: float, unit: float = 1.0) -> float:
    """The logarithm levels are made of; negative amounts count as none. ``unit``: an amount next to nothing, which separates few from none."""
    return log1p(amount / unit) if amount > 0 else 0.0
