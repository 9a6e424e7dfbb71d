"""Every metric, in one place.

What the pipeline counts anyway (events, rejects, keys) is read only when somebody asks for the page, through ``PipelineFacts``: it costs
an event nothing. The rest is told by the methods of ``Telemetry``, once for a batch, an attempt or a checkpoint. Labels come from fixed sets
and from the configuration, never from a record.
"""

import math
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, Literal, Protocol, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, GCCollector, Histogram, Info, ProcessCollector, disable_created_metrics
from prometheus_client import generate_latest as as_text
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST as CONTENT_TYPE_OPENMETRICS
from prometheus_client.openmetrics.exposition import generate_latest as as_openmetrics
from prometheus_client.registry import Collector

from monitor.telemetry_learned import LearnedCollector
from monitor.telemetry_table import METRICS, PREFIX, Metric
from monitor.verdicts import VERDICTS
from schemas.alert import Alert
from schemas.errors import REJECT_REASONS
from schemas.event import KINDS
from schemas.severity import SEVERITIES

OTHER = "other"
"""Stands for a label value that is in no fixed set, so that nothing can make the number of series grow."""
Result = Literal["sent", "failed", "refused", "unreachable", "expired", "repeated", "unreadable"]
"""What became of an attempt to deliver: taken; a fault of the sink itself; never to be taken; may be taken later; given up for its age. And
beside its own result: made again, because the process died before it knew how the one before had ended; or what it is about cannot be read."""
RESULTS: frozenset[str] = frozenset(get_args(Result))
DELIVERY_BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
CHECKPOINT_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
STALL_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)


_HELP = {metric.name: (PREFIX + metric.name, metric.help, metric.labels) for metric in METRICS}


class InputFacts(Protocol):
    """What one input has counted since it began; ``pipeline.ingest.Ingest`` has it."""

    @property
    def kinds(self) -> Mapping[str, int]:
        """Events by kind."""

    @property
    def rejected(self) -> Mapping[str, int]:
        """Rejects by reason."""

    @property
    def believed(self) -> float:
        """Event time it has reached, Unix seconds; −∞ before it is known."""


class _Named(Protocol):
    @property
    def name(self) -> str: ...


class StateFacts(Protocol):
    """What one detector instance remembers; ``pipeline.state.KeyedState`` has it."""

    @property
    def detector(self) -> _Named:
        """Whose it is."""

    @property
    def evictions(self) -> int:
        """Keys forgotten before their time."""

    def __len__(self) -> int: ...


class PipelineFacts(Protocol):
    """What the engine lets be read when the page is asked for. Mappings may be the live ones: they are copied before they are walked."""

    @property
    def inputs(self) -> Mapping[str, InputFacts]:
        """By name (``topic/3``): ``core.inputs``."""

    @property
    def labels(self) -> Mapping[str, str]:
        """Name of an input → value of the label ``source``, e.g. the topic (``LiveInput.label``)."""

    @property
    def late(self) -> Mapping[str, int]:
        """Name of an input → its events that came too late."""

    @property
    def caught_up(self) -> Collection[str]:
        """Names of the inputs that have nothing more to read at present."""

    @property
    def states(self) -> Iterable[StateFacts]:
        """``core.runner.states``."""

    @property
    def failed(self) -> Mapping[str, str]:
        """Disabled detectors, as ``name/variant``: ``core.runner.failed``."""

    @property
    def held_events(self) -> int:
        """Events in the reorder buffer."""

    @property
    def open_alerts(self) -> int:
        """Alerts that fire."""

    def lag(self) -> Mapping[tuple[str, str], int]:
        """Records not read yet, by (topic, partition): ``LiveSource.lag``."""


class _Rising:
    """Sums of counts that may begin anew (an input closed, a state restored from an older checkpoint), which never fall themselves."""

    def __init__(self) -> None:
        self._last: dict[tuple[tuple[str, ...], object], int] = {}
        self.totals: defaultdict[tuple[str, ...], int] = defaultdict(int)

    def see(self, labels: tuple[str, ...], part: object, count: int, *, baseline: bool) -> None:
        """``count`` is what ``part`` says now. A baseline is where counting begins, and adds nothing."""
        risen = 0 if baseline else count - self._last.get((labels, part), 0)
        self.totals[labels] += max(0, risen)
        self._last[labels, part] = count


class _FactsCollector(Collector):
    """Reads the facts when the page is asked for."""

    def __init__(self, clock: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self.facts: PipelineFacts | None = None
        self.detectors: set[str] = set()
        self._clock = clock
        self._rising = {metric.name: _Rising() for metric in METRICS if metric.read and metric.type == "counter"}
        self._learned = LearnedCollector(lambda: () if self.facts is None else self.facts.states, self._event_time, monotonic)

    def count(self, *, baseline: bool = False) -> None:
        """Take in what has risen since the last time."""
        if (facts := self.facts) is None:
            return
        see = {name: rising.see for name, rising in self._rising.items()}
        labels, late = facts.labels, dict(facts.late)
        for name, given in list(facts.inputs.items()):
            source = labels.get(name, OTHER)
            kinds, rejected = dict(given.kinds), dict(given.rejected)
            for kind, count in kinds.items():
                see["events_total"]((source, kind if kind in KINDS else OTHER), (name, kind), count, baseline=baseline)
            for reason in REJECT_REASONS | rejected.keys():  # all of them, so that an alerting rule sees the first one rise
                known = reason if reason in REJECT_REASONS else OTHER
                see["events_rejected_total"]((source, known), (name, reason), rejected.get(reason, 0), baseline=baseline)
            see["events_late_total"]((source,), name, late.get(name, 0), baseline=baseline)
        for number, states in enumerate(facts.states):
            see["detector_evictions_total"]((states.detector.name,), number, states.evictions, baseline=baseline)

    def collect(self) -> Iterator[Family]:
        """All metrics that are read."""
        self.count()
        for name, rising in self._rising.items():
            full, text, names = _HELP[name]
            family = CounterMetricFamily(full, text, labels=names)
            for labels, total in sorted(rising.totals.items()):
                family.add_metric(labels, total)
            yield family
        facts = self.facts
        yield from self._sources(facts)
        yield from self._detectors(facts)
        lag = {} if facts is None else dict(facts.lag())
        yield _gauge("consumer_lag_records", lag)
        yield _gauge("held_events", {(): 0 if facts is None else facts.held_events})
        yield _gauge("open_alerts", {(): 0 if facts is None else facts.open_alerts})
        yield from self._learned.collect()

    def _event_time(self) -> float:
        """How far the furthest input has come; the clock where none has begun."""
        reached = [] if self.facts is None else [given.believed for given in list(self.facts.inputs.values())]
        return max((each for each in reached if math.isfinite(each)), default=self._clock())

    def _sources(self, facts: PipelineFacts | None) -> Iterator[Family]:
        behind: dict[tuple[str, ...], float] = {}
        newest: dict[tuple[str, ...], float] = {}
        if facts is not None:
            now, caught_up, labels = self._clock(), facts.caught_up, facts.labels
            for name, given in list(facts.inputs.items()):
                source, reached = (labels.get(name, OTHER),), given.believed
                if math.isfinite(reached):
                    newest[source] = max(reached, newest.get(source, reached))
                    behind[source] = max(0.0 if name in caught_up else now - reached, behind.get(source, 0.0))
        yield _gauge("event_time_lag_seconds", behind)
        yield _gauge("source_last_event_timestamp_seconds", newest)

    def _detectors(self, facts: PipelineFacts | None) -> Iterator[Family]:
        keys: dict[tuple[str, ...], float] = {}
        failed: dict[tuple[str, ...], float] = {(name,): 0 for name in self.detectors}
        if facts is not None:
            for states in facts.states:
                name = (states.detector.name,)
                keys[name] = keys.get(name, 0) + len(states)
                failed.setdefault(name, 0)
            failed.update({(name.partition("/")[0],): 1 for name in list(facts.failed)})
        yield _gauge("detector_keys", keys)
        yield _gauge("detector_failed", failed)


class Telemetry:
    """The metrics of one process, in a registry of their own.

    ``detectors``, ``sinks``: the names that may become labels; any other is counted as ``other``. Methods may be called from any thread.
    """

    def __init__(
        self,
        version: str,
        detectors: Collection[str] = (),
        sinks: Collection[str] = (),
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a series beside each counter, that says when it began, and that nobody asks for
        self.registry = CollectorRegistry()
        self._clock, self._monotonic = clock, monotonic
        self._collector = _FactsCollector(clock, monotonic)
        self._detectors: set[str] = set()
        self._sinks: set[str] = set()
        self._oldest: dict[str, float | None] = {}
        self._age_from: float | None = None
        made = {metric.name: self._made(metric) for metric in METRICS if not metric.read and metric.type in _MAKERS}
        self._of: dict[str, Any] = made
        made["build_info"] = Info(PREFIX + "build", _HELP["build_info"][1], registry=self.registry)
        made["build_info"].info({"version": version})
        made["checkpoint_age_seconds"].set_function(self._checkpoint_age_s)
        self.registry.register(self._collector)
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.reloaded(ok=True)
        self.know(detectors, sinks)

    def _made(self, metric: Metric) -> Any:
        buckets = {"buckets": _BUCKETS_S[metric.name]} if metric.name in _BUCKETS_S else {}
        return _MAKERS[metric.type](*_HELP[metric.name], registry=self.registry, **buckets)

    # -- what there is ------------------------------------------------------------------------------------------------------------

    def know(self, detectors: Collection[str], sinks: Collection[str]) -> None:
        """More names that may become labels, e.g. after a reload. Their series begin at 0, so that a rule sees the first thing happen."""
        self._detectors.update(detectors)
        self._collector.detectors.update(detectors)
        for detector in detectors:
            for severity in SEVERITIES:
                self._of["alerts_total"].labels(detector, severity)
            for verdict in VERDICTS:
                self._of["verdicts_total"].labels(detector, verdict)
        for sink in set(sinks) - self._sinks:
            self._sinks.add(sink)
            self._oldest[sink] = None
            self._of["outbox_oldest_seconds"].labels(sink).set_function(lambda sink=sink: self._waited_s(sink))
            for name in ("delivery_seconds", "outbox_pending", "sink_breaker_open", "dead_letters_total"):
                self._of[name].labels(sink)
            for result in RESULTS:
                self._of["deliveries_total"].labels(sink, result)

    def watch(self, facts: PipelineFacts | None) -> None:
        """Read these facts from now on; ``None``: there is no pipeline. What they have counted until now (as a restored pipeline has) is not counted again."""
        self._collector.count()
        self._collector.facts = facts
        self._collector.count(baseline=True)

    # -- what happens -------------------------------------------------------------------------------------------------------------

    def count_alerts(self, alerts: Iterable[Alert]) -> None:
        """Alert versions the pipeline has made; those that begin to fire are counted."""
        for alert in alerts:
            if alert.version == 1 and alert.status == "firing":
                self._of["alerts_total"].labels(_known(alert.detector, self._detectors), alert.severity).inc()

    def judged(self, detector: str, verdict: str) -> None:
        """Somebody has found an alert of this detector to be this."""
        self._of["verdicts_total"].labels(_known(detector, self._detectors), _known(verdict, VERDICTS)).inc()

    def delivered(self, sink: str, result: str, count: int = 1, seconds: float | None = None) -> None:
        """An attempt about ``count`` alert versions or messages ended so. ``seconds``: how long it took; ``None`` when nothing was sent."""
        sink = _known(sink, self._sinks)
        self._of["deliveries_total"].labels(sink, _known(result, RESULTS)).inc(count)
        if seconds is not None:
            self._of["delivery_seconds"].labels(sink).observe(seconds)

    def outbox(self, sink: str, pending: int, oldest_ts: float | None) -> None:
        """What waits for a sink. ``oldest_ts``: since when, Unix seconds."""
        sink = _known(sink, self._sinks)
        self._of["outbox_pending"].labels(sink).set(pending)
        self._oldest[sink] = oldest_ts if pending else None

    def breaker(self, sink: str, *, is_open: bool) -> None:
        """Whether a sink is left alone for a while."""
        self._of["sink_breaker_open"].labels(_known(sink, self._sinks)).set(is_open)

    def dead_letter(self, sink: str, count: int = 1) -> None:
        """So many alert versions or messages were given up."""
        self._of["dead_letters_total"].labels(_known(sink, self._sinks)).inc(count)

    def checkpointed(self, seconds: float, stall_seconds: float, rows: int) -> None:
        """A checkpoint is safe."""
        self._of["checkpoint_seconds"].observe(seconds)
        self._of["checkpoint_stall_seconds"].observe(stall_seconds)
        self._of["checkpoint_rows"].set(rows)
        self._age_from = self._monotonic()

    def checkpoint_failed(self) -> None:
        """A checkpoint could not be written."""
        self._of["checkpoint_failures_total"].inc()

    def reloaded(self, *, ok: bool) -> None:
        """The configuration was read again: accepted, or refused."""
        self._of["config_reload_success"].set(ok)
        if ok:
            self._of["config_last_reload_timestamp_seconds"].set(self._clock())

    def set_active(self, *, active: bool) -> None:
        """This process reads and delivers, or is on standby."""
        self._of["active"].set(active)
        self._age_from = self._monotonic() if active else None

    def position_reset(self, topic: str) -> None:
        """A partition of this topic (of the configuration) could not go on where it was."""
        self._of["positions_reset_total"].labels(topic).inc()

    # -- what is shown ------------------------------------------------------------------------------------------------------------

    def render(self, accept: str) -> tuple[bytes, str]:
        """The page and its content type: OpenMetrics for whoever accepts it, else Prometheus' own text form."""
        if "application/openmetrics-text" in accept.lower():
            page: bytes = as_openmetrics(self.registry)  # type: ignore[no-untyped-call]
            return page, CONTENT_TYPE_OPENMETRICS
        return as_text(self.registry), CONTENT_TYPE_PLAIN_0_0_4

    def totals(self, *names: str) -> dict[str, float]:
        """The sum over all labels of each of these counters and gauges (names as in ``METRICS``)."""
        wanted = {PREFIX + name: name for name in names}
        sums = dict.fromkeys(names, 0.0)
        for family in self.registry.collect():
            for sample in family.samples:
                if sample.name in wanted:
                    sums[wanted[sample.name]] += sample.value
        return sums

    def _checkpoint_age_s(self) -> float:
        return 0.0 if self._age_from is None else max(0.0, self._monotonic() - self._age_from)

    def _waited_s(self, sink: str) -> float:
        since = self._oldest.get(sink)
        return 0.0 if since is None else max(0.0, self._clock() - since)


_MAKERS: dict[str, Any] = {"counter": Counter, "gauge": Gauge, "histogram": Histogram}
_BUCKETS_S = {
    "delivery_seconds": DELIVERY_BUCKETS_S,
    "checkpoint_seconds": CHECKPOINT_BUCKETS_S,
    "checkpoint_stall_seconds": STALL_BUCKETS_S,
}


def _known(name: str, names: Collection[str]) -> str:
    return name if name in names else OTHER


def _gauge(name: str, values: Mapping[Any, float]) -> Family:
    """A family of gauges. ``values``: by a tuple of label values."""
    full, text, names = _HELP[name]
    family = GaugeMetricFamily(full, text, labels=names)
    for labels, value in sorted(values.items()):
        family.add_metric(labels, value)
    return family
