"""The circuit breaker of a sink: after failures in a row it is open, and the sink is only probed."""

from typing import Literal

from monitor.settings_delivery import BreakerSettings

State = Literal["closed", "open"]


class Breaker:
    """Counts failures in a row."""

    def __init__(self, settings: BreakerSettings) -> None:
        self._settings = settings
        self.failures = 0

    @property
    def state(self) -> State:
        """``open``: the sink counts as down, every attempt is a probe."""
        return "open" if self.failures >= self._settings.failures else "closed"

    def failed(self) -> bool:
        """One more failure. Whether it opened the breaker."""
        self.failures += 1
        return self.failures == self._settings.failures

    def answered(self) -> bool:
        """The other side took or refused something. Whether that closed the breaker."""
        was_open = self.state == "open"
        self.failures = 0
        return was_open

    def wait_s(self, otherwise_s: float, asked_s: float | None) -> float:
        """How long to wait after a failure: as given while closed; while open the time between probes, or longer if it was asked for."""
        if self.state == "closed":
            return otherwise_s
        return self._settings.probe_s if asked_s is None else max(self._settings.probe_s, otherwise_s)
