"""The example logs are what their generator writes, small, and wholly made up."""

import gzip
import json
import re
from collections import Counter
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from deploy.examples.make_logs import example_logs

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "examples" / "logs"
NAMES = ("access.log.gz", "app.jsonl.gz", "auth.log", "cloudtrail.json.gz")
DOCUMENTATION = [ip_network(net) for net in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")]


@pytest.fixture(scope="module")
def logs() -> dict[str, bytes]:
    """What the generator writes now."""
    return example_logs()


def committed(name: str) -> bytes:
    """The content of a file in the repository, unpacked."""
    raw = (FOLDER / name).read_bytes()
    return gzip.decompress(raw) if name.endswith(".gz") else raw


@pytest.mark.parametrize("name", NAMES)
def test_a_committed_log_is_what_the_generator_writes(name: str, logs: dict[str, bytes]) -> None:
    # Contents, not packed bytes: another zlib may pack the same content differently.
    assert logs[name] == committed(name)


def test_the_folder_holds_these_logs_and_nothing_else(logs: dict[str, bytes]) -> None:
    assert sorted(logs) == list(NAMES)
    assert sorted(path.name for path in FOLDER.iterdir()) == list(NAMES)


def test_the_logs_are_small_enough_for_a_repository() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 300_000


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith(".gz")])
def test_a_packed_log_holds_no_time_stamp_of_its_making(name: str) -> None:
    assert (FOLDER / name).read_bytes()[4:8] == b"\0\0\0\0"


@pytest.mark.parametrize("name", NAMES)
def test_every_address_is_a_documentation_address(name: str, logs: dict[str, bytes]) -> None:
    text = re.sub(r"\d+(\.\d+){3}(?= (Safari|Mobile))", "", logs[name].decode())  # Chrome's version has four numbers too
    found = set(re.findall(r"\b\d{1,3}(?:\.\d{1,3}){3}\b", text)) | set(re.findall(r"\b2001:[0-9a-f:]+", text))
    assert len(found) >= 3
    assert [one for one in found if not any(ip_address(one) in net for net in DOCUMENTATION)] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_host_name_is_an_example_or_the_provider_s(name: str, logs: dict[str, bytes]) -> None:
    hosts = set(re.findall(r"(?<![\w./-])(?:[a-z0-9-]+\.)+(?:com|net|org|io|dev)\b", logs[name].decode()))
    assert [host for host in hosts if not host.endswith(("example.com", ".amazonaws.com"))] == []


def test_every_line_lies_in_the_day_and_in_order(logs: dict[str, bytes]) -> None:
    stamps = {
        "auth.log": [line[:32] for line in logs["auth.log"].decode().splitlines()],
        "app.jsonl.gz": [event["time"] for event in events(logs)],
        "cloudtrail.json.gz": [record["eventTime"] for record in records(logs)],
        "access.log.gz": re.findall(r"\[(\S+) \+0000\]", logs["access.log.gz"].decode()),
    }
    for name, found in stamps.items():
        day = "03/Mar/2026:" if name == "access.log.gz" else "2026-03-03T"
        assert [stamp for stamp in found if not stamp.startswith(day)] == []
        assert found == sorted(found)


def events(logs: dict[str, bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in logs["app.jsonl.gz"].splitlines()]


def records(logs: dict[str, bytes]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(logs["cloudtrail.json.gz"])["Records"]
    return found


@pytest.mark.parametrize(
    ("ip", "failures", "users", "successes"),
    [
        ("203.0.113.66", 300, 10, 0),  # the burst
        ("198.51.100.23", 14, 3, 0),  # the slow one: 3 h at one failure per 12 to 15 min
        ("203.0.113.140", 16, 12, 1),  # the spray: 8 users once, 4 users twice, then in
        ("192.0.2.10", 3, 3, 28),  # the office: 14 people, two logins each, three of whom mistype
        ("192.0.2.23", 3, 1, None),  # the forgotten password
    ],
)
def test_auth_log_tells_its_stories(ip: str, failures: int, users: int, successes: int | None, logs: dict[str, bytes]) -> None:
    text = logs["auth.log"].decode()
    failed = re.findall(rf"Failed password for (?:invalid user )?(\S+) from {re.escape(ip)} port", text)
    assert (failures, users) == (len(failed), len(set(failed)))
    if successes is not None:
        assert successes == len(re.findall(rf"Accepted \w+ for \S+ from {re.escape(ip)} port", text))


def test_access_log_holds_a_login_brute_force(logs: dict[str, bytes]) -> None:
    lines = logs["access.log.gz"].decode().splitlines()
    attack = [line for line in lines if line.startswith("198.51.100.77 ")]
    assert len(attack) == 60
    assert {line.split('"')[1] for line in attack} == {"POST /wp-login.php HTTP/1.1"}
    assert 1_300 <= len(lines) - len(attack) <= 1_700


def test_cloudtrail_holds_a_guessed_password_and_an_emptied_bucket(logs: dict[str, bytes]) -> None:
    found = records(logs)
    signed_in = [one["responseElements"]["ConsoleLogin"] for one in found if one["userIdentity"].get("userName") == "bob"]
    assert signed_in == ["Failure"] * 12 + ["Success"]
    taken = {one["requestParameters"]["key"] for one in found if one["userIdentity"]["arn"].endswith("assumed-role/reporting/bob")}
    assert len(taken) == 150
    assert len(found) - 150 - 13 == 41


def test_app_log_tells_its_stories(logs: dict[str, bytes]) -> None:
    found = events(logs)
    assert len({event["id"] for event in found}) == len(found)
    exports = [event for event in found if event["actor"] == "mallory" and event.get("records") == 200]
    assert (len(exports), sum(event["records"] for event in exports)) == (200, 40_000)
    logins = [
        (e["time"][11:16], e["city"]) for e in found if e["actor"] == "erin" and e["kind"] == "auth.login" and e["ip"] != "203.0.113.201"
    ]
    assert [at for at in logins if at[1] in {"Lisbon", "Singapore"}][-2:] == [("09:10", "Lisbon"), ("09:50", "Singapore")]
    stuffed = [event for event in found if event["ip"] == "203.0.113.201"]
    assert len({event["actor"] for event in stuffed}) == 60
    assert Counter(event["reason"] for event in stuffed) == {"unknown_user": 48, "bad_password": 12}
    assert len(found) - len(stuffed) - len(exports) > 2_000
