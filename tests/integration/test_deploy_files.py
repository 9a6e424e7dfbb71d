"""What is in deploy/ says nothing that is not so: metrics and labels that exist, pages that exist, nothing open that should be closed."""

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.settings import load
from monitor.telemetry_table import METRICS, PREFIX
from schemas.formats import FORMATS
from tests.prometheus_tools import DASHBOARD, REPOSITORY, dashboard_queries, metrics_in, rules

DEPLOY = REPOSITORY / "deploy"
LABELS = {PREFIX + metric.name: set(metric.labels) for metric in METRICS}
HISTOGRAMS = {PREFIX + metric.name for metric in METRICS if metric.type == "histogram"}
FOREIGN = {"up", "process_start_time_seconds", "process_cpu_seconds_total", "process_resident_memory_bytes"}
TARGET_LABELS = {"job", "instance", "le"}
ALERTS = [rule for rule in rules() if "alert" in rule]
QUERIES = {**{str(rule.get("alert") or rule.get("record")): str(rule["expr"]) for rule in rules()}, **dashboard_queries()}


def read_yaml(*parts: str) -> Any:
    return yaml.safe_load(DEPLOY.joinpath(*parts).read_text(encoding="utf-8"))


def panels() -> list[dict[str, Any]]:
    return [panel for panel in json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"] if panel["type"] != "row"]


# -- Prometheus and Grafana -------------------------------------------------------------------------------------------------------------


def family(metric: str) -> str:
    stem = metric.removesuffix("_bucket")
    return stem if stem in HISTOGRAMS else metric


@pytest.mark.parametrize("name", QUERIES)
def test_queries_name_only_metrics_and_labels_there_are(name: str) -> None:
    recorded = {str(rule["record"]) for rule in rules() if "record" in rule}
    read = {family(metric) for metric in metrics_in(QUERIES[name])} - FOREIGN
    assert read <= LABELS.keys() | recorded
    grouped = {label.strip() for labels in re.findall(r"(?:by|on) \(([^)]*)\)", QUERIES[name]) for label in labels.split(",")}
    assert grouped <= TARGET_LABELS.union({"source"}, *(LABELS[metric] for metric in read - recorded))


@pytest.mark.parametrize("name", LABELS)
def test_every_metric_is_shown_or_watched(name: str) -> None:
    variables = json.loads(DASHBOARD.read_text(encoding="utf-8"))["templating"]["list"]
    shown = {family(metric) for query in QUERIES.values() for metric in metrics_in(query)}
    shown |= {metric for variable in variables for metric in metrics_in(str(variable["query"]))}
    assert name in shown


def test_every_alert_says_what_is_wrong_how_bad_it_is_and_what_to_do() -> None:
    assert len({rule["alert"] for rule in ALERTS}) == len(ALERTS) == 18
    for rule in ALERTS:
        assert rule["labels"] == {"severity": rule["labels"]["severity"], "team": "operations"}
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
        assert rule["annotations"]["runbook_url"].endswith(f"/docs/operations.md#{rule['alert'].lower()}")


def test_every_alert_has_its_section_in_the_operations_page_and_every_section_its_alert() -> None:
    page = (REPOSITORY / "docs" / "operations.md").read_text(encoding="utf-8")
    assert re.findall(r"^### (Watchfloor\w+)$", page, re.MULTILINE) == [rule["alert"] for rule in ALERTS]


def test_every_alert_is_tested_where_it_fires_and_where_it_does_not() -> None:
    cases = read_yaml("prometheus", "watchfloor.rules.test.yml")["tests"]
    tests = [(test["alertname"], bool(test["exp_alerts"])) for case in cases for test in case["alert_rule_test"]]
    assert set(tests) == {(rule["alert"], fires) for rule in ALERTS for fires in (True, False)}


def test_the_dashboard_asks_the_chosen_source_and_instances_alone() -> None:
    for panel in panels():
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        for target in panel["targets"]:
            assert target["datasource"] == panel["datasource"]
            assert target["expr"].count('job=~"$job", instance=~"$instance"') == len(
                re.findall(r"\b(?:watchfloor|process)_\w+", target["expr"])
            )


def test_the_dashboard_is_one_that_grafana_can_draw() -> None:
    board = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    assert board["uid"] == "watchfloor-soc"
    assert board["id"] is None
    assert [variable["name"] for variable in board["templating"]["list"]] == ["datasource", "job", "instance"]
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in panels():
        assert panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"]) > 0
    for one, other in combinations([panel["gridPos"] for panel in board["panels"]], 2):
        apart = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        assert apart or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in board["panels"])


def test_grafana_finds_prometheus_and_the_dashboard() -> None:
    source = read_yaml("grafana", "provisioning", "datasources", "prometheus.yaml")["datasources"][0]
    provider = read_yaml("grafana", "provisioning", "dashboards", "watchfloor.yaml")["providers"][0]
    volumes = read_yaml("compose.yaml")["services"]["grafana"]["volumes"]
    assert source["url"] == "http://prometheus:9090"
    assert source["jsonData"]["timeInterval"] == read_yaml("prometheus", "prometheus.yml")["global"]["scrape_interval"]
    assert f"./grafana/dashboards:{provider['options']['path']}:ro" in volumes


# -- Compose ----------------------------------------------------------------------------------------------------------------------------

SERVICES = tuple(read_yaml("compose.yaml")["services"])


@pytest.fixture
def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = read_yaml("compose.yaml")["services"]
    return found


@pytest.mark.parametrize("name", SERVICES)
def test_services_have_no_rights_they_do_not_need(name: str, services: dict[str, dict[str, Any]]) -> None:
    service = services[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("read_only", False) == (name != "kafka")
    assert not service.keys() & {"privileged", "network_mode", "pid", "cap_add", "devices"}
    assert not [
        volume for volume in service.get("volumes", ()) if volume.startswith("/") or (volume[0] == "." and not volume.endswith(":ro"))
    ]


@pytest.mark.parametrize("name", SERVICES)
def test_services_are_of_a_version_and_open_to_this_machine_alone(name: str, services: dict[str, dict[str, Any]]) -> None:
    assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+\.\d+", services[name]["image"])
    assert all(port.startswith("127.0.0.1:") for port in services[name].get("ports", ()))


def test_services_wait_for_what_they_need_and_say_how_they_are(services: dict[str, dict[str, Any]]) -> None:
    # watchfloor's check is in its image; topics ends when it is done.
    assert [name for name, service in services.items() if "healthcheck" not in service] == ["topics", "watchfloor"]
    assert services["watchfloor"]["depends_on"] == {"topics": {"condition": "service_completed_successfully"}}
    assert services["topics"]["depends_on"] == {"kafka": {"condition": "service_healthy"}}


def test_every_file_that_compose_mounts_is_there(services: dict[str, dict[str, Any]]) -> None:
    mounts = [volume.split(":")[0] for service in services.values() for volume in service.get("volumes", ()) if volume.startswith("./")]
    assert len(mounts) == 6
    assert not [mount for mount in mounts if not (DEPLOY / mount).exists()]


def test_secrets_are_files_that_are_not_in_the_repository(services: dict[str, dict[str, Any]]) -> None:
    secrets = read_yaml("compose.yaml")["secrets"]
    assert {Path(secret["file"]).parent for secret in secrets.values()} == {Path("secrets")}
    assert (DEPLOY / "secrets" / ".gitignore").read_text(encoding="utf-8").splitlines()[1:] == ["*", "!.gitignore"]
    assert {name for service in services.values() for name in service.get("secrets", ())} == set(secrets)


# -- the configuration of the service ---------------------------------------------------------------------------------------------------


def test_the_configuration_fits_what_compose_runs(services: dict[str, dict[str, Any]]) -> None:
    configuration = read_yaml("watchfloor.yaml")
    created = re.findall(r"[a-z-]+(?=:\d)", re.search(r"for topic in (.*);", services["topics"]["command"][0])[1])  # type: ignore[index]
    topics = [topic["name"] for topic in configuration["kafka"]["topics"]]
    named = [*topics, configuration["kafka"]["dead_letter_topic"], configuration["sinks"]["topic"]["topic"]]
    assert named == created
    assert {topic["format"] for topic in configuration["kafka"]["topics"]} <= set(FORMATS)
    assert configuration["kafka"]["bootstrap_servers"] in services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert configuration["store"]["path"].startswith("/var/lib/watchfloor/")
    assert "watchfloor-data:/var/lib/watchfloor" in services["watchfloor"]["volumes"]


def test_the_configuration_is_one_that_watchfloor_takes(services: dict[str, dict[str, Any]]) -> None:
    settings = load(DEPLOY / "watchfloor.yaml", {})
    assert not settings.http.is_local
    assert settings.http.token_file == Path("/run/secrets/watchfloor_token")
    assert {name for route in settings.routes for name in route.sinks} == set(settings.sinks)
    assert services["watchfloor"]["stop_grace_period"] == "60s"
    assert settings.service.drain_s < 60


def test_prometheus_asks_the_port_with_the_token() -> None:
    (job,) = (job for job in read_yaml("prometheus", "prometheus.yml")["scrape_configs"] if job["job_name"] == "watchfloor")
    http = read_yaml("watchfloor.yaml")["http"]
    assert job["static_configs"] == [{"targets": [f"watchfloor:{http['port']}"]}]
    assert job["authorization"] == {"credentials_file": http["token_file"]}


# -- the image --------------------------------------------------------------------------------------------------------------------------


def instructions() -> list[str]:
    """Of the Dockerfile, each on one line, without comments."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    return [line for line in lines.replace("\\\n", " ").splitlines() if line]


def test_what_the_image_is_made_of_is_there_and_goes_to_the_builder() -> None:
    sent = {line.removeprefix("!") for line in (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[0] == "!"}
    copies = [line.split()[1:-1] for line in instructions() if line.startswith("COPY ") and "--from" not in line]
    copied = {source.rstrip("/") for sources in copies for source in sources}
    assert copied == sent == {"pyproject.toml", "README.md", "LICENSE", "schemas", "detectors", "monitor", "deploy/runbooks"}
    assert not [source for source in copied if not (REPOSITORY / source).exists()]


def test_the_image_runs_as_nobody_in_particular_and_stops_when_told() -> None:
    lines = instructions()
    last = lines[[number for number, line in enumerate(lines) if line.startswith("FROM ")][-1] :]
    assert "USER 10001:10001" in last
    assert "STOPSIGNAL SIGTERM" in last
    assert last[-2:] == ['ENTRYPOINT ["watchfloor"]', 'CMD ["run", "-c", "/etc/watchfloor/watchfloor.yaml"]']
    assert not [line for line in last if "apt-get" in line or "pip install" in line]


def test_the_unit_of_systemd_starts_reloads_and_stops_it() -> None:
    unit = (DEPLOY / "examples" / "watchfloor.service").read_text(encoding="utf-8")
    assert "ExecStart=/opt/watchfloor/bin/watchfloor run -c /etc/watchfloor/watchfloor.yaml\n" in unit
    assert "ExecReload=/bin/kill -HUP $MAINPID\n" in unit
    assert "KillSignal=SIGTERM\n" in unit
