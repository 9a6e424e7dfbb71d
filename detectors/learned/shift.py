"""By how much all of a tenant has changed lately, so that a change of everybody is not taken for one of somebody."""

from typing import ClassVar

import msgspec


class Shift(msgspec.Struct, array_like=True):
    """Mean of what was learned in the last hours, of the last ones more."""

    value: float = 0.0
    weight: float = 0.0
    ts: float = 0.0

    half_s: ClassVar[float] = 7_200.0
    """Time in which it fades by half."""
    least: ClassVar[float] = 8.0
    """Windows of accounts from which on it is one of the tenant."""

    def learn(self, change: float, ts: float) -> None:
        """Take in the change of one account's window."""
        kept = 0.5 ** (max(0.0, ts - self.ts) / self.half_s)
        self.ts = max(self.ts, ts)
        weight = self.weight * kept + 1.0
        self.value += (change - self.value) / weight
        self.weight = weight

    def now(self, ts: float) -> float:
        """The change at present; 0 where too few have been seen to say.

        >>> shift = Shift()
        >>> for _ in range(9): shift.learn(1.5, 1000.0)
        >>> shift.now(1000.0), shift.now(50_000.0)
        (1.5, 0.0)
        """
        weight = self.weight * 0.5 ** (max(0.0, ts - self.ts) / self.half_s)
        return self.value if weight >= self.least else 0.0
