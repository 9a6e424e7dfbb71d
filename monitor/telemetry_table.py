"""The table of all metrics: what ``telemetry`` makes, and what the documentation lists."""

from typing import NamedTuple

PREFIX = "watchfloor_"


class Metric(NamedTuple):
    """One row of the table: what is on the page, and in the documentation."""

    name: str
    """Without the prefix, with ``_total`` where it is a counter."""
    type: str
    labels: tuple[str, ...]
    help: str
    read: bool = False
    """Whether it is read from ``PipelineFacts`` when the page is asked for."""


METRICS = (
    Metric("events_total", "counter", ("source", "kind"), "Events decoded, repeats left out.", read=True),
    Metric("events_rejected_total", "counter", ("source", "reason"), "Records, or entries of one, that are no event.", read=True),
    Metric("events_late_total", "counter", ("source",), "Events that came later than the allowed lateness.", read=True),
    Metric("alerts_total", "counter", ("detector", "severity"), "Alerts that began to fire, by the severity they began with."),
    Metric("verdicts_total", "counter", ("detector", "verdict"), "Verdicts given on alerts: attacks, mistakes, or expected."),
    Metric("deliveries_total", "counter", ("sink", "result"), "Attempts to deliver, by how they ended."),
    Metric("delivery_seconds", "histogram", ("sink",), "Time one attempt to deliver took."),
    Metric("outbox_pending", "gauge", ("sink",), "Notifications that wait to be delivered."),
    Metric("outbox_oldest_seconds", "gauge", ("sink",), "How long the oldest of them has waited; 0 when none waits."),
    Metric("sink_breaker_open", "gauge", ("sink",), "1 while the sink is left alone because it failed again and again."),
    Metric("dead_letters_total", "counter", ("sink",), "Notifications given up and kept aside."),
    Metric("consumer_lag_records", "gauge", ("topic", "partition"), "Records of the topic that are not read yet.", read=True),
    Metric(
        "event_time_lag_seconds",
        "gauge",
        ("source",),
        "How far the time of its events is behind the clock; the slowest partition counts, one with nothing to read does not.",
        read=True,
    ),
    Metric("source_last_event_timestamp_seconds", "gauge", ("source",), "Time of its newest event.", read=True),
    Metric("positions_reset_total", "counter", ("topic",), "Partitions read from another position than the saved one, which is gone."),
    Metric("held_events", "gauge", (), "Events that wait until the stream's clock has passed them.", read=True),
    Metric("open_alerts", "gauge", (), "Alerts that fire now.", read=True),
    Metric("detector_keys", "gauge", ("detector",), "Keys (actors, addresses) it remembers, all variants together.", read=True),
    Metric("detector_evictions_total", "counter", ("detector",), "Keys it forgot before their time for want of room.", read=True),
    Metric("detector_failed", "gauge", ("detector",), "1 when it failed and is disabled.", read=True),
    Metric(
        "model_maturity",
        "gauge",
        ("detector", "stage"),
        "Keys of a learned detector, by how much is known of them: `cold`, `warming`, `ready`, `stale`.",
        read=True,
    ),
    Metric("learned_alerts_budget", "gauge", ("detector",), "Alerts a day it may raise for each tenant on ordinary traffic.", read=True),
    Metric(
        "learned_alerts_per_day",
        "gauge",
        ("detector", "tenants"),
        "Alerts a day it has raised for a tenant over 14 days: of all tenants the `mean`, and of the one with most, the `highest`.",
        read=True,
    ),
    Metric(
        "learned_threshold",
        "gauge",
        ("detector", "tenants"),
        "The score that must be exceeded now, in spreads: the `lowest` and the `highest` of all tenants.",
        read=True,
    ),
    Metric("checkpoint_seconds", "histogram", (), "Time from the beginning of a checkpoint until it was safe on the disk."),
    Metric("checkpoint_stall_seconds", "histogram", (), "The part of it during which no event was processed."),
    Metric("checkpoint_rows", "gauge", (), "Rows the last checkpoint wrote or deleted."),
    Metric("checkpoint_age_seconds", "gauge", (), "Time since the last checkpoint, or since this process became active; 0 on standby."),
    Metric("checkpoint_failures_total", "counter", (), "Checkpoints that could not be written."),
    Metric("config_reload_success", "gauge", (), "Whether the last reload of the configuration was accepted; the old one goes on if not."),
    Metric("config_last_reload_timestamp_seconds", "gauge", (), "When the configuration in force was read."),
    Metric("active", "gauge", (), "1 when this process reads and delivers, 0 when it is on standby."),
    Metric("build_info", "info", ("version",), "Version of this process; the value is always 1."),
)


def reference() -> str:
    """The text of ``docs/metrics.md``."""
    rows = "".join(
        f"| `{PREFIX}{metric.name}` | {metric.type} | {', '.join(f'`{label}`' for label in metric.labels)} | {metric.help} |\n"
        for metric in METRICS
    )
    return _PAGE + rows


_PAGE = """# Metrics

`GET /metrics` gives them in Prometheus' text form, and as OpenMetrics to a scraper that asks for it. `process_*` (CPU, memory, open files)
and `python_gc_*` are there as well. Counters begin at 0 with the process. Label values come from fixed sets and from the configuration, never
from a record: `source` is the topic or the name of an input, `kind` a kind of event, `reason` why a record was rejected, `detector` a
detector's id, `sink` the name you gave it; what is in no such set counts as `other`.

| metric | type | labels | meaning |
|---|---|---|---|
"""
