"""How alerts are delivered: to whom, how often, and how patiently.

A sink's settings derive from ``DeliverySettings`` (style ``stream``), ``NotifySettings`` (``notify``) or ``StateSettings`` (``state``), so that
each sink offers what has a meaning for it, and nothing else.
"""

from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field, StringConstraints, create_model

from detectors.registry import DETECTORS
from detectors.settings import Strict
from schemas.finding import EntityType
from schemas.severity import Severity

Glob = Annotated[str, StringConstraints(min_length=1, max_length=512)]


class RateLimit(Strict):
    """At most so many sends in so many seconds; unused ones may be made up for in one burst of that size."""

    sends: int = Field(default=1, ge=1, le=100_000, description="Sends allowed in `per_s`.")
    per_s: float = Field(default=1.0, ge=0.1, le=3_600, description="Time in which they are allowed.")


class RetrySettings(Strict):
    """When to try again. Each wait is drawn at random from nothing to its longest, so that many senders do not come back at once."""

    first_s: float = Field(
        default=1.0, ge=0.1, le=3_600, description="Longest wait after the first failure; it doubles with each further one."
    )
    max_s: float = Field(default=60.0, ge=0.1, le=3_600, description="It does not grow beyond this.")
    retry_after_max_s: float = Field(
        default=3_600.0, ge=1, le=86_400, description="Longest wait that the other side may ask for (Retry-After); more is cut to this."
    )


class BreakerSettings(Strict):
    """When a sink counts as down, and is only probed."""

    failures: int = Field(default=5, ge=1, le=1_000, description="Failures in a row after which it counts as down.")
    probe_s: float = Field(default=30.0, ge=1, le=3_600, description="Time between two attempts while it is down.")


class StormSettings(Strict):
    """What is too much for people: beyond it, one message stands for all further incidents."""

    limit: int = Field(
        default=20, ge=1, le=10_000, description="New incidents of one severity or a graver one that are notified of in `per_s`."
    )
    per_s: float = Field(
        default=600.0, ge=1, le=86_400, description="Time in which they are counted, and between two summaries of a storm."
    )


class DeliverySettings(Strict):
    """What can be set of every sink: how fast, how patient."""

    rate: RateLimit | None = Field(default=None, description="Most sends in a time. Absent: as fast as they are taken.")
    timeout_s: float = Field(default=30.0, ge=0.1, le=600, description="A send that takes longer has failed, and is tried again.")
    retry: RetrySettings = Field(default=RetrySettings(), description="When a failed send is tried again.")
    breaker: BreakerSettings = Field(default=BreakerSettings(), description="When a sink counts as down.")
    expire_after_s: float = Field(
        default=86_400.0,
        ge=1,
        le=30 * 86_400,
        description="What could not be delivered for that long is given up, and kept among the dead letters.",
    )


class NotifySettings(DeliverySettings):
    """For sinks that notify people: one message for an incident, and further ones only when there is something to say."""

    rate: RateLimit | None = Field(default=RateLimit(), description="Most sends in a time.")
    group_wait_s: float = Field(
        default=10.0,
        ge=0,
        le=3_600,
        description="A new incident is notified of after this time, with the alerts that have joined it by then.",
    )
    group_interval_s: float = Field(default=60.0, ge=1, le=86_400, description="Least time between two messages about one incident.")
    repeat_interval_s: float = Field(
        default=14_400.0, ge=60, le=7 * 86_400, description="An incident that goes on unchanged is notified of again after this time."
    )
    storm: StormSettings = Field(default=StormSettings(), description="From how many new incidents on a summary is sent instead.")


class StateSettings(DeliverySettings):
    """For sinks that are told what fires now, again and again."""

    refresh_s: float = Field(default=60.0, ge=1, le=240, description="What fires is sent again after this time, changed or not.")


def _known(name: str) -> str:
    if name not in DETECTORS:
        raise ValueError(f"no such detector; use one of {', '.join(sorted(DETECTORS))}")
    return name


class Match(Strict):
    """Which alerts a route is for: those that fit everything that is given."""

    severity: Severity | None = Field(default=None, description="This severity or a graver one.")
    detectors: tuple[Annotated[str, AfterValidator(_known)], ...] = Field(default=(), description="Any of these detectors. Empty: all.")
    tenants: tuple[Glob, ...] = Field(default=(), description="Any of these tenants; `*` and `?` match. Empty: all.")
    entity_types: tuple[EntityType, ...] = Field(default=(), description="About any of these kinds of entity. Empty: all.")
    entities: tuple[Glob, ...] = Field(
        default=(),
        description="About any of these entities; `*` and `?` match, an address may be a network such as 192.0.2.0/24. Empty: all.",
    )


class _Route(Strict):
    """Which alerts go where. The first route that matches decides, unless it says `continue`."""

    match: Match = Field(default=Match(), description="Which alerts it is for. Absent: all.")
    sinks: tuple[str, ...] = Field(description="Names of the sinks they go to. Empty: to none.")
    group_wait_s: float | None = Field(default=None, ge=0, le=3_600, description="As of the sink, for this route. Absent: the sink's own.")
    group_interval_s: float | None = Field(
        default=None, ge=1, le=86_400, description="As of the sink, for this route. Absent: the sink's own."
    )
    repeat_interval_s: float | None = Field(
        default=None, ge=60, le=7 * 86_400, description="As of the sink, for this route. Absent: the sink's own."
    )

    @property
    def goes_on(self) -> bool:
        """Whether the routes after it are looked at too."""
        return bool(getattr(self, "continue"))


if TYPE_CHECKING:
    Route = _Route
else:
    # ``continue`` is no name that a class could be given a field of by itself.
    Route = create_model(
        "Route",
        __base__=_Route,
        __doc__=_Route.__doc__,
        **{"continue": (bool, Field(default=False, description="Whether the routes after it are looked at too."))},
    )
