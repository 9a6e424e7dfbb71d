from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from detectors.registry import DETECTORS, build
from monitor.engines.core import Core
from monitor.pipeline.runner import Runner
from monitor.telemetry import RESULTS, PipelineFacts, Telemetry
from monitor.telemetry_table import METRICS, PREFIX, reference
from schemas.alert import Alert, Attack, Entity, Status
from schemas.event import KINDS, Event
from schemas.severity import Severity

REPOSITORY = Path(__file__).resolve().parents[2]


class Named:
    def __init__(self, name: str) -> None:
        self.name = name


class States:
    def __init__(self, name: str, keys: int, evictions: int = 0) -> None:
        self.detector = Named(name)
        self.keys = keys
        self.evictions = evictions

    def __len__(self) -> int:
        return self.keys


class Input:
    def __init__(self, kinds: dict[str, int], rejected: dict[str, int] | None = None, believed: float = float("-inf")) -> None:
        self.kinds = Counter(kinds)
        self.rejected = Counter(rejected or {})
        self.believed = believed


class Facts:
    def __init__(self) -> None:
        self.inputs: dict[str, Input] = {}
        self.labels: dict[str, str] = {}
        self.late: Counter[str] = Counter()
        self.caught_up: set[str] = set()
        self.states: list[Any] = []
        self.failed: dict[str, str] = {}
        self.held_events = 0
        self.open_alerts = 0
        self.lags: dict[tuple[str, str], int] = {}

    def lag(self) -> dict[tuple[str, str], int]:
        return self.lags


class CoreFacts:
    """What an engine would write to hand on the facts of a ``Core``: the type checker proves that it fits."""

    def __init__(self, core: Core) -> None:
        self.inputs = core.inputs
        self.labels = {"stdin": "stdin"}
        self.late: dict[str, int] = {}
        self.caught_up: frozenset[str] = frozenset()
        self.states = core.runner.states
        self.failed = core.runner.failed
        self.held_events = 0
        self.open_alerts = 0

    def lag(self) -> dict[tuple[str, str], int]:
        return {}


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def telemetry(clock: Clock | None = None) -> Telemetry:
    clock = clock or Clock()
    return Telemetry("1.2.3", ["password_spray", "bulk_export"], ["soc"], clock, clock)


def value(of: Telemetry, name: str, **labels: str) -> float | None:
    return of.registry.get_sample_value(PREFIX + name, labels)


def alert(detector: str, severity: Severity, version: int = 1, status: Status = "firing") -> Alert:
    return Alert(
        id="a",
        version=version,
        dedup_key="k",
        status=status,
        time="2026-01-01T00:00:00Z",
        detector=detector,
        severity=severity,
        tenant=None,
        entity=Entity("ip", "192.0.2.1"),
        title="t",
        summary="s",
        count=1,
        first_seen="",
        last_seen="",
        facts={},
        evidence=(),
        counterfactual="",
        score=0.0,
        attack=Attack("19", ()),
        runbook="",
        incident="i",
    )


def learned_states() -> list[Any]:
    """What a learned detector remembers of an account and of its tenant."""
    runner = Runner(list(build("api_volume_anomaly", DETECTORS["api_volume_anomaly"].Settings())))
    runner.run(
        "s", [Event(kind="api.request", ts=900.0, id="e1", tenant="acme", actor="alice"), Event(kind="api.request", ts=990.0, id="e2")]
    )
    runner.finish()
    return list(runner.states)


def full() -> tuple[Telemetry, Facts]:
    """Telemetry that has a value for every metric."""
    of, facts = telemetry(), Facts()
    of.watch(facts)
    facts.inputs = {"logins/0": Input({"auth.login": 3}, {"not_json": 2}, believed=990.0)}
    facts.labels = {"logins/0": "logins"}
    facts.late["logins/0"] = 4
    facts.states = [States("password_spray", 7, 5), *learned_states()]
    facts.lags = {("logins", "0"): 12}
    of.position_reset("logins")
    of.delivered("soc", "sent", 1, 0.2)
    of.checkpointed(0.05, 0.002, 30)
    return of, facts


# -- counts of the pipeline -----------------------------------------------------------------------------------------------------------


def test_events_of_the_partitions_of_a_topic_are_added_up() -> None:
    of, facts = telemetry(), Facts()
    of.watch(facts)
    facts.labels = {"logins/0": "logins", "logins/1": "logins"}
    facts.inputs = {"logins/0": Input({"auth.login": 3}, {"not_json": 1}), "logins/1": Input({"auth.login": 4, "auth.logout": 2})}
    facts.late = Counter({"logins/0": 1, "logins/1": 5})
    assert value(of, "events_total", source="logins", kind="auth.login") == 7
    assert value(of, "events_total", source="logins", kind="auth.logout") == 2
    assert value(of, "events_rejected_total", source="logins", reason="not_json") == 1
    assert value(of, "events_rejected_total", source="logins", reason="too_deep") == 0
    assert value(of, "events_late_total", source="logins") == 6


def test_what_is_in_no_fixed_set_counts_as_other() -> None:
    of, facts = telemetry(), Facts()
    of.watch(facts)
    facts.inputs = {"x": Input({"made.up": 2, "made.up.too": 3}, {"odd": 1})}
    of.delivered("nobody", "odd")
    of.count_alerts([alert("nameless", "low")])
    assert value(of, "events_total", source="other", kind="other") == 5
    assert value(of, "events_rejected_total", source="other", reason="other") == 1
    assert value(of, "deliveries_total", sink="other", result="other") == 1
    assert value(of, "alerts_total", detector="other", severity="low") == 1


def test_counters_never_fall_when_a_partition_leaves_and_comes_back() -> None:
    of, facts = telemetry(), Facts()
    of.watch(facts)
    facts.labels = {"logins/0": "logins"}
    facts.inputs = {"logins/0": Input({"auth.login": 10})}
    seen = [value(of, "events_total", source="logins", kind="auth.login")]
    steps: list[dict[str, Input]] = [
        {},  # the partition is another process's now
        {"logins/0": Input({"auth.login": 8})},  # back, from an older checkpoint
        {"logins/0": Input({"auth.login": 11})},  # three events more
        {"logins/0": Input({"auth.login": 0})},  # begun anew
        {"logins/0": Input({"auth.login": 2})},
    ]
    for step in steps:
        facts.inputs = step
        seen.append(value(of, "events_total", source="logins", kind="auth.login"))
    assert seen == [10, 10, 10, 13, 13, 15]


def test_what_a_restored_pipeline_had_counted_is_not_counted_again() -> None:
    of, facts = telemetry(), Facts()
    facts.labels = {"logins/0": "logins"}
    facts.inputs = {"logins/0": Input({"auth.login": 1_000_000})}
    facts.states = [States("bulk_export", 1, evictions=50)]
    of.watch(facts)
    assert value(of, "events_total", source="logins", kind="auth.login") == 0
    facts.inputs["logins/0"].kinds["auth.login"] += 5
    facts.states[0].evictions += 1
    of.watch(None)
    assert value(of, "events_total", source="logins", kind="auth.login") == 5
    assert value(of, "detector_evictions_total", detector="bulk_export") == 1
    assert value(of, "held_events") == 0


def test_lag_in_event_time_is_that_of_the_slowest_partition_with_something_to_read() -> None:
    of, facts = telemetry(), Facts()
    of.watch(facts)
    facts.labels = dict.fromkeys(("t/0", "t/1", "t/2", "t/3"), "t")
    facts.inputs = {"t/0": Input({}, believed=995.0), "t/1": Input({}, believed=940.0), "t/2": Input({}, believed=100.0), "t/3": Input({})}
    facts.caught_up = {"t/2"}
    assert value(of, "event_time_lag_seconds", source="t") == 60.0
    assert value(of, "source_last_event_timestamp_seconds", source="t") == 995.0
    facts.caught_up = {"t/0", "t/1", "t/2"}
    assert value(of, "event_time_lag_seconds", source="t") == 0.0


def test_variants_of_a_detector_are_one_detector() -> None:
    of, facts = telemetry(), Facts()
    of.watch(facts)
    facts.states = [States("failed_login_burst", 3, 1), States("failed_login_burst", 4, 2), States("bulk_export", 5)]
    facts.failed = {"failed_login_burst/by_ip": "KeyError"}
    assert value(of, "detector_keys", detector="failed_login_burst") == 7
    assert value(of, "detector_evictions_total", detector="failed_login_burst") == 3
    found = {name: value(of, "detector_failed", detector=name) for name in ("failed_login_burst", "bulk_export", "password_spray")}
    assert found == {"failed_login_burst": 1, "bulk_export": 0, "password_spray": 0}


def test_a_core_fits_the_facts() -> None:
    facts: PipelineFacts = CoreFacts(Core([]))
    of = telemetry()
    of.watch(facts)
    assert b"watchfloor_held_events 0.0" in of.render("")[0]


# -- what is told ---------------------------------------------------------------------------------------------------------------------


def test_only_alerts_that_begin_are_counted() -> None:
    of = telemetry()
    of.count_alerts([alert("bulk_export", "high"), alert("bulk_export", "critical", 2), alert("bulk_export", "high", 3, "resolved")])
    assert value(of, "alerts_total", detector="bulk_export", severity="high") == 1
    assert value(of, "alerts_total", detector="bulk_export", severity="critical") == 0


def test_the_oldest_notification_grows_older_by_itself() -> None:
    clock = Clock()
    of = telemetry(clock)
    of.outbox("soc", 3, 990.0)
    clock.now = 1_060.0
    assert (value(of, "outbox_pending", sink="soc"), value(of, "outbox_oldest_seconds", sink="soc")) == (3, 70.0)
    of.outbox("soc", 0, None)
    assert value(of, "outbox_oldest_seconds", sink="soc") == 0


def test_the_checkpoint_ages_only_while_active() -> None:
    clock = Clock()
    of = telemetry(clock)
    ages = [value(of, "checkpoint_age_seconds")]
    of.set_active(active=True)
    clock.now += 30
    ages.append(value(of, "checkpoint_age_seconds"))
    of.checkpointed(0.05, 0.002, 30)
    clock.now += 7
    ages.append(value(of, "checkpoint_age_seconds"))
    of.set_active(active=False)
    ages.append(value(of, "checkpoint_age_seconds"))
    assert ages == [0, 30, 7, 0]


def test_a_refused_reload_is_seen_and_keeps_the_time_of_the_old_configuration() -> None:
    clock = Clock()
    of = telemetry(clock)
    clock.now = 2_000.0
    of.reloaded(ok=False)
    assert (value(of, "config_reload_success"), value(of, "config_last_reload_timestamp_seconds")) == (0, 1_000.0)
    of.reloaded(ok=True)
    assert (value(of, "config_reload_success"), value(of, "config_last_reload_timestamp_seconds")) == (1, 2_000.0)


def test_the_other_happenings() -> None:
    of = telemetry()
    of.breaker("soc", is_open=True)
    of.dead_letter("soc")
    of.checkpoint_failed()
    of.delivered("soc", "expired")
    of.delivered("soc", "sent", 1, 0.2)
    assert value(of, "sink_breaker_open", sink="soc") == 1
    assert value(of, "dead_letters_total", sink="soc") == 1
    assert value(of, "checkpoint_failures_total") == 1
    assert value(of, "deliveries_total", sink="soc", result="expired") == 1
    assert value(of, "delivery_seconds_count", sink="soc") == 1
    assert of.totals("deliveries_total", "dead_letters_total") == {"deliveries_total": 2, "dead_letters_total": 1}


# -- the page -------------------------------------------------------------------------------------------------------------------------


def families(text: str) -> dict[str, Any]:
    return {family.name: family for family in text_string_to_metric_families(text)}


def test_the_table_is_what_is_on_the_page() -> None:
    found = families(full()[0].render("")[0].decode())
    own = {name: family for name, family in found.items() if name.startswith(PREFIX)}
    expected = {PREFIX + metric.name.removesuffix("_total"): metric for metric in METRICS}
    assert own.keys() == expected.keys()
    for name, metric in expected.items():
        family = own[name]
        assert family.type == metric.type.replace("info", "gauge"), name
        assert family.documentation == metric.help, name
        assert family.samples, name
        assert all(set(sample.labels) - {"le"} == set(metric.labels) for sample in family.samples), name
    others = {name for name in found if not name.startswith(PREFIX)}
    assert {"process_cpu_seconds", "process_resident_memory_bytes", "python_gc_collections"} <= others


def test_names_follow_the_rules_of_prometheus() -> None:
    for metric in METRICS:
        assert metric.name.endswith("_total") == (metric.type == "counter"), metric.name
        assert not set(metric.name.split("_")) & {"ms", "sec", "secs", "milliseconds", "bytes_total_bytes", "gauge", "histogram"}, (
            metric.name
        )
        assert metric.help.endswith("."), metric.name


def test_the_page_of_the_documentation_is_up_to_date() -> None:
    assert (REPOSITORY / "docs" / "metrics.md").read_text("utf-8") == reference()


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8"),
        ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text;version=1.0.0,text/plain;q=0.5", "application/openmetrics-text; version=1.0.0; charset=utf-8"),
        ("application/openmetrics-text; version=x\r\n", "application/openmetrics-text; version=1.0.0; charset=utf-8"),
    ],
)
def test_the_form_is_what_the_scraper_accepts(accept: str, content_type: str) -> None:
    page, given = full()[0].render(accept)
    assert given == content_type
    assert page.endswith(b"# EOF\n") == content_type.startswith("application/openmetrics")


def test_no_series_says_when_another_began() -> None:
    assert b"_created" not in full()[0].render("")[0]


def test_the_number_of_series_is_bounded_whatever_is_counted() -> None:
    of, facts = telemetry(), Facts()
    of.watch(facts)
    facts.labels = {"t/0": "t"}
    facts.inputs = {"t/0": Input({f"kind{number}": 1 for number in range(500)}, {f"reason{number}": 1 for number in range(500)})}
    for number in range(500):
        of.delivered(f"sink{number}", f"result{number}", 1, 0.1)
    page = of.render("")[0].decode()
    assert page.count("watchfloor_events_total{") == 1 <= len(KINDS)
    assert page.count("watchfloor_deliveries_total{") == len(RESULTS) + 1


# -- learned detectors ----------------------------------------------------------------------------------------------------------------


def test_keys_of_learned_detectors_are_counted_by_what_is_known_of_them() -> None:
    of, _ = full()
    assert (
        value(of, "model_maturity", detector="api_volume_anomaly", stage="cold") == 3
    )  # an account, its tenant, and the tenant without a name
    assert value(of, "model_maturity", detector="api_volume_anomaly", stage="ready") == 0
    assert value(of, "learned_alerts_budget", detector="api_volume_anomaly") == 1.0
    assert value(of, "learned_alerts_per_day", detector="api_volume_anomaly", tenants="mean") == 0.0
    assert value(of, "learned_threshold", detector="api_volume_anomaly", tenants="lowest") == 2.0


def test_learned_states_are_not_walked_for_every_scrape() -> None:
    clock = Clock()
    of, facts = telemetry(clock), Facts()
    of.watch(facts)
    assert value(of, "model_maturity", detector="api_volume_anomaly", stage="cold") is None
    facts.states = learned_states()
    assert value(of, "model_maturity", detector="api_volume_anomaly", stage="cold") == 3, (
        "where there was nothing, it is looked at once more"
    )
    facts.states = []
    clock.now += 29.0
    assert value(of, "model_maturity", detector="api_volume_anomaly", stage="cold") == 3
    clock.now += 1.0
    assert value(of, "model_maturity", detector="api_volume_anomaly", stage="cold") is None
