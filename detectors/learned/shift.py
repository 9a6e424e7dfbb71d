"""By how much all of a tenant has changed lately, so that a change of everybody is not taken for one of somebody."""

import msgspec

SHIFT_FROM = 8.0
"""Windows of accounts from which on a change is one of their tenant."""


class Change(msgspec.Struct, array_like=True, gc=False):
    """Mean change of the windows of a tenant's accounts, of the last ones more. ``half_s``: the time in which they fade by half (seconds)."""

    value: float = 0.0
    weight: float = 0.0
    ts: float = 0.0

    def add(self, change: float, ts: float, half_s: float, weight: float = 1.0) -> None:
        """Take in the change of one account's window that ended at ``ts``. ``weight``: for how many windows it counts."""
        now = max(self.ts, ts)
        self.weight = self.weight * left(now - self.ts, half_s) + weight
        self.ts = now
        self.value += (change - self.value) * weight / self.weight

    def now(self, ts: float, half_s: float) -> float:
        """The change at present; 0 where too few have been seen to say.

        >>> shift = Change()
        >>> for _ in range(9): shift.add(1.5, 1000.0, 7200.0)
        >>> shift.now(1000.0, 7200.0), shift.now(50_000.0, 7200.0)
        (1.5, 0.0)
        """
        return self.value if self.weight * left(max(0.0, ts - self.ts), half_s) >= SHIFT_FROM else 0.0


def left(age_s: float, half_s: float) -> float:
    """What is left of a weight after some time."""
    return float(0.5 ** (age_s / half_s))
