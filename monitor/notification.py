"""What delivery hands to a sink, and what a sink answers: the one interface between the two."""

from typing import Any, ClassVar, Literal, Protocol

import msgspec

from schemas.alert import Alert, Status
from schemas.errors import WatchfloorError

Reason = Literal["new", "update", "repeat", "resolved", "storm", "test"]
"""Why something is sent: an incident began, changed, still goes on, ended; too many began at once; somebody tries the sink out."""
Style = Literal["stream", "notify", "state"]
"""What a sink wants: every version of every alert in order; one notification per incident; what fires now, again and again."""


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """One message to be sent.

    For a sink of style ``stream``, ``alerts`` are alert versions in the order they became certain; for ``notify``, the last version of each
    alert of one incident, the leading one first; for ``state``, the last version of each alert that fires or has resolved lately.
    """

    key: str
    """The same for all notifications about one incident, on every retry and after a restart; at most 255 characters, no names in it."""
    reason: Reason
    status: Status
    alerts: tuple[Alert, ...]
    suppressed: int = 0
    """For ``storm``: how many further incidents this one message stands for."""
    memory: dict[str, Any] = {}
    """What ``Sink.send`` returned for this key the last time, e.g. the thread of a chat; JSON-ready."""


class DeliveryError(WatchfloorError):
    """A notification that was not taken. The text names the sink's problem and the cure, never a secret, a URL's path or an alert's content."""

    result: ClassVar[str] = "failed"
    """Label of the metric ``deliveries_total``."""


class RefusedError(DeliveryError):
    """This message will never be taken as it is (status 400, 413 …): sending it again is of no use."""

    result = "refused"


class UnreachableError(DeliveryError):
    """It may be taken later, perhaps once somebody has mended the settings (status 401, 404 …). ``retry_after_s``: how long the other side asked to wait, if it did (seconds)."""

    result = "unreachable"

    def __init__(self, text: str, retry_after_s: float | None = None) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


class Sink(Protocol):
    """Formats and sends, nothing else: retries, order, rates and grouping are the business of delivery."""

    style: ClassVar[Style]
    max_alerts: ClassVar[int]
    """Most alerts in one ``Notification``."""

    async def send(self, notification: Notification) -> dict[str, Any]:
        """Send it; return what to remember for this ``key``. Raises ``RefusedError`` or ``UnreachableError``, and returns in bounded time."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
