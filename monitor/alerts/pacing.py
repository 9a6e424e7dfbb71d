"""When a sink may be sent to again: its rate, and the waits after failures. Times are monotonic seconds."""

import random
from collections.abc import Callable

from monitor.settings_delivery import RateLimit, RetrySettings


class TokenBucket:
    """At most ``limit.sends`` in ``limit.per_s``; full at first, so that many may go at once."""

    def __init__(self, limit: RateLimit | None, monotonic: Callable[[], float]) -> None:
        self._limit = limit
        self._monotonic = monotonic
        self._tokens = 0.0 if limit is None else float(limit.sends)
        self._at = monotonic()

    def wait_s(self) -> float:
        """How long until the next send is allowed; 0: it is now."""
        if self._limit is None:
            return 0.0
        per_token = self._limit.per_s / self._limit.sends
        now = self._monotonic()
        self._tokens = min(float(self._limit.sends), self._tokens + (now - self._at) / per_token)
        self._at = now
        # A token that is whole but for the error of adding fractions is whole.
        missing = 1 - 1e-9 - self._tokens
        return max(0.0, missing * per_token)

    def take(self) -> None:
        """A send is made."""
        if self._limit is not None:
            self._tokens -= 1


class Backoff:
    """The wait after each failure in a row: at random up to a limit that doubles (full jitter), or as long as the other side asks."""

    def __init__(self, settings: RetrySettings, rng: random.Random) -> None:
        self._settings = settings
        self._rng = rng
        self._failures = 0

    def failed(self, retry_after_s: float | None) -> float:
        """How long to wait now."""
        longest = min(self._settings.max_s, self._settings.first_s * 2.0 ** min(self._failures, 60))
        self._failures += 1
        drawn = self._rng.uniform(0.0, longest)
        # What was asked for is a least time; an answer of 0 must not make a busy loop.
        return drawn if retry_after_s is None else max(drawn, min(retry_after_s, self._settings.retry_after_max_s))

    def answered(self) -> None:
        """The other side is there."""
        self._failures = 0
