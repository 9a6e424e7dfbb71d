"""deploy/ against the real Prometheus and Alertmanager: files are valid, alerts fire when they should, every query finds data."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import run
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from detectors.registry import DETECTORS
from monitor.telemetry import RESULTS, Telemetry
from tests.prometheus_tools import (
    REPOSITORY,
    RULES,
    PrometheusTools,
    ask,
    get_json,
    queries,
    returns_data,
    rules,
    running_alertmanager,
    running_prometheus,
    tools_or_leave_out,
)

PROMETHEUS = REPOSITORY / "deploy" / "prometheus"
ALERTMANAGER = REPOSITORY / "deploy" / "alertmanager" / "alertmanager.yml"
TOKEN = "a-token-of-this-test"
WAIT_S = 30

pytestmark = pytest.mark.prometheus


@pytest.fixture(scope="session")
def tools() -> PrometheusTools:
    return tools_or_leave_out()


def said(*command: str | Path, stdin: str | None = None) -> str:
    """What a tool says; it must find nothing wrong."""
    done = run(command, cwd=PROMETHEUS, input=stdin, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_rules_are_valid(tools: PrometheusTools) -> None:
    assert "SUCCESS: 19 rules found" in said(tools.promtool, "check", "rules", RULES)


def test_each_alert_fires_when_it_should_and_not_otherwise(tools: PrometheusTools) -> None:
    assert "SUCCESS" in said(tools.promtool, "test", "rules", "watchfloor.rules.test.yml")


def test_the_configuration_of_prometheus_is_valid(tools: PrometheusTools) -> None:
    # Syntax only: the token is where it is used, not here.
    assert "SUCCESS" in said(tools.promtool, "check", "config", "--syntax-only", "prometheus.yml")


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (["alertname=WatchfloorLagGrowing", "team=operations", "severity=warning"], "operations"),
        (["alertname=WatchfloorNoActiveInstance", "team=operations", "severity=critical"], "operations-urgent"),
        (["alertname=Password spray", "detector=password_spray", "severity=critical"], "security"),
    ],
)
def test_alerts_go_to_those_they_concern(labels: list[str], receiver: str, tools: PrometheusTools) -> None:
    said(tools.amtool, "check-config", ALERTMANAGER)
    assert said(tools.amtool, "config", "routes", "test", f"--config.file={ALERTMANAGER}", *labels).split()[0] == receiver


# -- a page of metrics, without the service ---------------------------------------------------------------------------------------------


class Traffic:
    """Stands in for a pipeline and its deliveries: something of everything happens between any two looks at the page."""

    def __init__(self) -> None:
        self.telemetry = Telemetry("1.2.3", DETECTORS, ["chat", "archive"])
        self.input = SimpleNamespace(kinds=Counter(), rejected=Counter(), believed=time.time())
        self.state = SimpleNamespace(detector=SimpleNamespace(name="password_spray"), evictions=0, __len__=lambda: 7)
        self.facts: Any = SimpleNamespace(
            inputs={"security-events/0": self.input},
            labels={"security-events/0": "security-events"},
            late=Counter(),
            caught_up=frozenset(),
            states=[_States("password_spray")],
            failed={"password_spray/by_ip": "a fault made for the test"},
            held_events=5,
            open_alerts=3,
            lag=lambda: {("security-events", "0"): 12},
        )
        self.telemetry.watch(self.facts)
        self.telemetry.set_active(active=True)

    def happen(self) -> None:
        self.input.kinds["auth.login"] += 90
        self.input.rejected["not_json"] += 1
        self.input.believed = time.time() - 2
        self.facts.late["security-events/0"] += 1
        for number, result in enumerate(sorted(RESULTS)):
            self.telemetry.delivered("chat", result, 1, 0.1 * number)
        self.telemetry.outbox("chat", 2, time.time() - 5)
        self.telemetry.checkpointed(0.2, 0.01, 1_000)

    def page(self, accept: str) -> tuple[bytes, str]:
        self.happen()
        return self.telemetry.render(accept)


class _States:
    def __init__(self, detector: str) -> None:
        self.detector = SimpleNamespace(name=detector)
        self.evictions = 0

    def __len__(self) -> int:
        return 7


class _Handler(BaseHTTPRequestHandler):
    page: Callable[[str], tuple[bytes, str]]

    def do_GET(self) -> None:
        trusted = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        body, content_type = type(self).page(self.headers.get("Accept", "")) if trusted else (b"", "text/plain")
        self.send_response(200 if trusted else 401)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class calls it so
        pass


@contextlib.contextmanager
def exported(traffic: Traffic) -> Iterator[str]:
    """Serve the page. Gives host and port."""
    handler = type("Handler", (_Handler,), {"page": staticmethod(traffic.page)})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def pointed_at(watchfloor: str, alertmanager: str, folder: Path) -> Path:
    """The configuration of deploy/ with these targets, a token of the test's, and quick."""
    configuration = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8"))
    configuration["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    configuration["rule_files"] = [str(RULES)]
    configuration["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [alertmanager]
    (job,) = configuration["scrape_configs"] = [job for job in configuration["scrape_configs"] if job["job_name"] == "watchfloor"]
    job["static_configs"][0]["targets"] = [watchfloor]
    token = folder / "token"
    token.write_text(TOKEN)
    job["authorization"]["credentials_file"] = str(token)
    written = folder / "prometheus.yml"
    written.write_text(yaml.safe_dump(configuration))
    return written


@pytest.fixture(scope="module")
def watched(tools: PrometheusTools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Addresses of a Prometheus that watches the page and has seen it several times, and of its Alertmanager."""
    folder = tmp_path_factory.mktemp("prometheus")
    with (
        exported(Traffic()) as target,
        running_alertmanager(tools, ALERTMANAGER, folder) as alertmanager,
        running_prometheus(tools, pointed_at(target, alertmanager.removeprefix("http://"), folder), folder) as prometheus,
    ):
        wait_until(lambda: returns_data(prometheus, "rate(job_source:watchfloor_events_rejected:ratio_rate15m[1m])"))
        yield prometheus, alertmanager


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline, f"not within {WAIT_S} s"
        time.sleep(0.2)


def test_the_page_is_as_prometheus_wants_pages(tools: PrometheusTools) -> None:
    page, _ = Traffic().page("")
    assert said(tools.promtool, "check", "metrics", stdin=page.decode()) == ""


@pytest.mark.parametrize("name", queries())
def test_every_query_of_the_dashboard_and_of_the_rules_finds_data(name: str, watched: tuple[str, str]) -> None:
    assert returns_data(watched[0], queries()[name]), queries()[name]


def test_every_rule_can_be_asked(watched: tuple[str, str]) -> None:
    health = {
        rule["name"]: (rule["health"], rule.get("lastError"))
        for group in get_json(f"{watched[0]}/api/v1/rules")["data"]["groups"]
        for rule in group["rules"]
    }
    assert health == {rule.get("alert") or rule["record"]: ("ok", None) for rule in rules()}


def test_a_query_that_does_not_parse_is_told_from_one_that_finds_nothing(watched: tuple[str, str]) -> None:
    assert not returns_data(watched[0], "watchfloor_nothing")
    assert not returns_data(watched[0], "0 / vector(0)")
    with pytest.raises(ValueError, match="parse error"):
        ask(watched[0], "sum by (")


def test_an_alert_about_watchfloor_reaches_those_who_run_it(watched: tuple[str, str]) -> None:
    def arrived() -> list[Any]:
        return [alert for alert in get_json(f"{watched[1]}/api/v2/alerts") if alert["labels"]["alertname"] == "WatchfloorDetectorFailed"]

    wait_until(lambda: bool(arrived()))
    (alert,) = arrived()
    assert alert["labels"]["detector"] == "password_spray"
    assert alert["annotations"]["summary"] == "Detector password_spray is switched off"
    assert alert["receivers"] == [{"name": "operations-urgent"}]
