"""Builds everything from the settings; the only place that knows all parts."""

import gc
import logging
from collections.abc import Iterator
from typing import Any

from detectors.base import BaseDetector
from detectors.registry import DETECTORS, build
from monitor.engines.core import Core
from monitor.pipeline.allow import Allow, make_allow
from monitor.pipeline.geography import Geography
from monitor.pipeline.ingest import OnReject
from monitor.pipeline.networks import merged
from monitor.settings import Settings

log = logging.getLogger("watchfloor")


class Parts:
    """The pipeline and those of its parts that somebody asks for numbers afterwards."""

    def __init__(self, settings: Settings, on_reject: OnReject | None = None, *, tracking: bool = False) -> None:
        self.settings = settings
        self.allow: Allow | None = make_allow(settings.allow)
        places = settings.geography
        self.geography = Geography(places.city_db, places.asn_db, merged(places.networks), cache_size=places.cache_size)
        if not self.geography.accelerated:
            log.warning("maxminddb runs without its C extension: looking up an address takes ten times as long")
        self.core = Core(
            list(detectors(settings)),
            self.geography,
            lateness_s=settings.allowed_lateness_s,
            dedupe_events=settings.dedupe_events,
            runbooks=settings.runbooks,
            max_open_alerts=settings.max_open_alerts,
            exempt=self.allow,
            on_reject=on_reject,
            on_failure=_report_failure,
            tracking=tracking,
        )


def detectors(settings: Settings) -> Iterator[BaseDetector[Any, Any]]:
    """All instances of the detectors that are enabled."""
    for name in DETECTORS:
        chosen = getattr(settings.detectors, name)
        if chosen.enabled:
            yield from build(name, chosen)


def tune_memory() -> None:
    """Take what is there now out of the garbage collector's sight, and let it look at the rest in small pieces.

    Events and states form no cycles: a full collection after a flood of 200,000 addresses finds nothing in four million objects, and stops
    the stream for five seconds, so there is practically none. What does form cycles (requests to the port, what is sent, failures) is
    short-lived: it goes in the collections of the two young generations, of at most 20,000 new objects, some 15 ms. What outlives those and
    is a cycle all the same, as now and then a connection, stays: a few objects in thousands of requests.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 3, 1_000_000)


def _report_failure(name: str, error: BaseException) -> None:
    # The message may hold what stood in a log line, so only its type is said; the trace shows code, not values.
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = "" if place is None else f" ({place.tb_frame.f_code.co_filename}:{place.tb_lineno})"
    log.error("detector %s failed with %s%s and is disabled; the others go on", name, type(error).__name__, where)
