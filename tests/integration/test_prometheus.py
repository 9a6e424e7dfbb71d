"""deploy/ against the real Prometheus and Alertmanager: files are valid, alerts fire when they should and go to whom they concern.

What a real run shows to Prometheus, and what it says to Alertmanager: ``test_watched_by_prometheus``.
"""

import pytest

from detectors.registry import DETECTORS
from monitor.telemetry import Telemetry
from tests.prometheus_tools import REPOSITORY, RULES, PrometheusTools, said, tools_or_leave_out

ALERTMANAGER = REPOSITORY / "deploy" / "alertmanager" / "alertmanager.yml"

pytestmark = pytest.mark.prometheus


@pytest.fixture(scope="session")
def tools() -> PrometheusTools:
    return tools_or_leave_out()


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


def test_the_page_with_all_there_can_be_is_as_prometheus_wants_pages(tools: PrometheusTools) -> None:
    telemetry = Telemetry("1.2.3", DETECTORS, ["chat", "archive"])
    telemetry.position_reset("security-events")
    assert said(tools.promtool, "check", "metrics", stdin=telemetry.render("")[0].decode()) == ""
