"""What must be found in logs that nobody here wrote, and what must not."""

import json
import re
from collections import defaultdict
from datetime import datetime
from pathlib import Path

import pytest

from tests.commands import entities, last_versions, replayed, watchfloor

pytestmark = pytest.mark.realdata

COVERED = {
    # test of the collection → detectors of ours that must name the same source
    "ssh-bf": ("failed_login_burst", "password_spray"),
    "opnsense-sshd": ("failed_login_burst",),
    "http-bf-wordpress-bf": ("failed_login_burst",),
    "nginx-http-generic-bf": ("failed_login_burst",),
    "http-dos-random-uri": ("authorization_failure_burst",),
    "http-wordpress_user-enum": ("authorization_failure_burst",),
    "nginx-http-path-traversal": ("authorization_failure_burst",),
    "nginx-http-sensitive-files": ("authorization_failure_burst",),
    "nginx-http-xss-probing": ("authorization_failure_burst",),
}
"""The cases docs/coverage.md claims, apart from travel (below); a test keeps the two equal."""


def _failures_by_address(log: Path) -> dict[str, list[float]]:
    """Failed attempts by address, read with two regular expressions that share nothing with the format."""
    failures: dict[str, list[float]] = defaultdict(list)
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        if match := re.search(r"sshd\[\d+\]: (?:Invalid user .*|Failed \S+ for .*) from (\d+\.\d+\.\d+\.\d+)", line):
            failures[match[1]].append(datetime.strptime(f"2026 {line[:15]}", "%Y %b %d %H:%M:%S").timestamp())  # noqa: DTZ007
    return failures


def test_every_address_that_bursts_is_named_once_and_no_other(real_logs: Path, tmp_path: Path) -> None:
    log = real_logs / "sshd" / "ec2-auth.log"
    bursting = {
        address
        for address, times in _failures_by_address(log).items()
        if any(later - first <= 600 for first, later in zip(times, times[19:], strict=False))
    }
    assert bursting, "the log should hold at least one burst"
    alerts = last_versions(replayed(tmp_path, "--year", "2026", log))
    named = [alert.entity.value for alert in alerts if alert.detector == "failed_login_burst" and alert.entity.type == "ip"]
    assert sorted(named) == sorted(set(named)), "an address is named once"
    assert bursting <= set(named)


def test_no_address_that_only_logs_in_is_named(real_logs: Path, tmp_path: Path) -> None:
    log = real_logs / "sshd" / "ec2-auth.log"
    text = log.read_text(encoding="utf-8", errors="replace")
    good = set(re.findall(r"Accepted \S+ for \S+ from (\d+\.\d+\.\d+\.\d+)", text))
    only_good = good - set(_failures_by_address(log))
    assert only_good
    alerts = last_versions(replayed(tmp_path, "--year", "2026", log))
    assert not {f"ip:{address}" for address in only_good} & entities(alerts)


@pytest.mark.parametrize("case", COVERED)
def test_the_same_source_is_named_as_by_the_collection(real_logs: Path, tmp_path: Path, case: str) -> None:
    index = {entry["test"]: entry for entry in json.loads((real_logs / "crowdsec" / "INDEX.json").read_text())}
    entry = index[case]
    alerts = last_versions(replayed(tmp_path, real_logs / "crowdsec" / case / entry["log_file"]))
    for overflow in entry["expected_overflows"]:
        for source in overflow["sources"]:
            assert f"ip:{source}" in entities(alerts, *COVERED[case])


def test_the_page_on_coverage_lists_every_case_of_the_collection(real_logs: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "coverage.md").read_text(encoding="utf-8")
    index = json.loads((real_logs / "crowdsec" / "INDEX.json").read_text())
    assert not [entry["test"] for entry in index if f"`{entry['test']}`" not in page]


def _travel_log(folder: Path) -> Path:
    """One account that logs in from London and half an hour later from Changchun; another that stays in Linköping."""
    log = folder / "auth.log"
    log.write_text(
        "2026-03-03T08:00:00+00:00 web1 sshd[101]: Accepted publickey for alice from 81.2.69.142 port 4001 ssh2: RSA SHA256:x\n"
        "2026-03-03T08:10:00+00:00 web1 sshd[102]: Accepted publickey for bob from 89.160.20.112 port 4002 ssh2: RSA SHA256:x\n"
        "2026-03-03T08:30:00+00:00 web1 sshd[103]: Accepted publickey for alice from 175.16.199.1 port 4003 ssh2: RSA SHA256:x\n"
        "2026-03-03T08:40:00+00:00 web1 sshd[104]: Accepted publickey for bob from 89.160.20.113 port 4004 ssh2: RSA SHA256:x\n",
        encoding="utf-8",
    )
    return log


@pytest.mark.parametrize("database", ["GeoIP2-City-Test.mmdb", "GeoLite2-City-Test.mmdb"])
def test_travel_is_found_with_city_data(real_logs: Path, tmp_path: Path, database: str) -> None:
    config = tmp_path / "watchfloor.yaml"
    config.write_text(f"geography: {{city_db: {real_logs / 'geo' / database}}}\n")
    alerts = last_versions(replayed(tmp_path, "-c", config, _travel_log(tmp_path)))
    assert entities(alerts, "impossible_travel") == {"actor:alice"}


def test_travel_is_silent_without_city_data(real_logs: Path, tmp_path: Path) -> None:
    log = _travel_log(tmp_path)
    assert not replayed(tmp_path, log)
    config = tmp_path / "watchfloor.yaml"
    config.write_text(f"geography: {{city_db: {real_logs / 'geo' / 'GeoLite2-Country-Test.mmdb'}}}\n")
    assert "impossible_travel" not in {alert.detector for alert in replayed(tmp_path, "-c", config, log)}
    ran = watchfloor("replay", log)
    assert "could not be placed" in ran.out


def test_ordinary_web_traffic_raises_nothing_grave(real_logs: Path, tmp_path: Path) -> None:
    alerts = last_versions(replayed(tmp_path, real_logs / "web_access" / "apache_combined.log"))
    assert not [alert for alert in alerts if alert.severity in {"medium", "high", "critical"}]
