"""The running service among people who mean it harm: at its port, in its logs, and in the addresses it is told to send to."""

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fake_services import BEARER, BOT_TOKEN, HOOK_PATH, HOOK_QUERY, ROUTING_KEY, SIGNING_SECRET, WEBHOOK_PATH, FakeServices, Fault
from tests.receiver import receiving
from tests.service import T0, Process, append, attacks, expected_of, reading, secrets_in, service, until, webhook

TOKEN = "p0rtTokenSecret-0123456789abcdef"
SOON = {"first_s": 0.1, "max_s": 0.2}


@pytest.fixture
def fake() -> Iterator[FakeServices]:
    with FakeServices() as services:
        yield services


def everywhere(fake: FakeServices) -> dict[str, Any]:
    """A sink of each kind, none of which lets anything wait."""
    here = {"allow_private": True, "ca_file": str(fake.ca_file), "retry": SOON}
    quick = {**here, "group_wait_s": 0, "rate": None}
    return {
        "bot": {"type": "slack", "bot_token": BOT_TOKEN, "channel": "#soc", "api_url": fake.url("/api", "127.0.0.1"), **quick},
        "channel": {"type": "slack", "webhook_url": fake.url(WEBHOOK_PATH, "127.0.0.1"), **quick},
        "pager": {"type": "pagerduty", "routing_key": ROUTING_KEY, "url": fake.url("/v2/enqueue", "127.0.0.1"), **quick},
        "hook": {"type": "webhook", "url": fake.url(f"{HOOK_PATH}?{HOOK_QUERY}", "127.0.0.1"), "secret": SIGNING_SECRET, **here},
        "metrics": {
            "type": "alertmanager",
            "url": fake.url("", "127.0.0.1"),
            "bearer_token": BEARER,
            "ca_file": str(fake.ca_file),
            "retry": SOON,
        },
        "out": {"type": "stdout"},
    }


# -- the port -------------------------------------------------------------------------------------------------------------------------

WRONG = [
    {},
    {"Authorization": "Bearer"},
    {"Authorization": "Bearer " + "x" * len(TOKEN)},
    {"Authorization": f"Bearer {TOKEN[:-1]}"},
    {"Authorization": f"Bearer {TOKEN}x"},
    {"Authorization": f"Basic {TOKEN}"},
    {"Authorization": TOKEN},
    {"X-Token": TOKEN},
]


def test_without_the_token_nothing_is_told_on_any_path(tmp_path: Path) -> None:
    records = attacks(2)
    append(tmp_path / "in.jsonl", records)
    with receiving() as receiver:
        config = reading(tmp_path, {"soc": webhook(receiver.url)}, http={"port": 0, "token": TOKEN})
        with service(config, tmp_path / "run") as process:
            assert until(lambda: bool(receiver.received))
            for headers in WRONG:
                for path in ("/", "/api/v1/alerts", "/api/v1/alerts?limit=1"):
                    page = process.get(path, headers)
                    assert page.status == 401
                    assert page.text == "give the token of http.token: Authorization: Bearer TOKEN\n"
                assert process.get("/healthz", headers).text == "ok\n"
                assert "203.0.113" not in process.get("/metrics", headers).text
                assert process.get("/api/v1/alerts/../../metrics", headers).status == 400
                assert process.get("/nowhere", headers).status == 404
            assert process.get("/api/v1/alerts", headers={"Authorization": f"Bearer {TOKEN}"}).json[0]["entity"]["value"]
            assert process.get("/api/v1/alerts?token=" + TOKEN, headers={}).status == 401
            assert process.stop() == 0


TRICKS = [
    "/../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/api/v1/..%2f..%2fmetrics",
    "//api/v1/alerts",
    "/api/v1//alerts",
    "/api\\v1\\alerts",
    "/metrics%00",
    "/metrics%0d%0aX-Injected:%20yes",
    "/%252e%252e/metrics",
    "/" + "a" * 3_000,
]


def said_to(process: Process, request: bytes, seconds: float = 5.0) -> bytes:
    """What the port answers to these very bytes, until it closes or has nothing more to say."""
    with socket.create_connection(("127.0.0.1", process.port), timeout=seconds) as connection:
        connection.sendall(request)
        answer = b""
        try:
            while part := connection.recv(65_536):
                answer += part
        except (TimeoutError, ConnectionResetError):
            pass
    return answer


def test_tricks_oversized_and_slow_requests_cost_the_service_nothing(tmp_path: Path) -> None:
    records = attacks(4)
    expected = expected_of(tmp_path, records)
    with receiving() as receiver:
        http = {"port": 0, "token": TOKEN, "request_timeout_s": 0.5, "max_connections": 8}
        with service(reading(tmp_path, {"soc": webhook(receiver.url)}, http=http), tmp_path / "run") as process:
            assert until(lambda: process.ready)
            for target in TRICKS:
                request = f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n"
                answer = said_to(process, request.encode())
                assert answer.startswith(b"HTTP/1.1 400 "), target
                assert b"\r\nx-injected" not in answer.lower()
            evil = b"GET / HTTP/1.1\r\nHost: evil.example.com\r\nConnection: close\r\n\r\n"
            assert said_to(process, evil).startswith(b"HTTP/1.1 400 ")
            large = b"POST /api/v1/alerts HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999\r\n\r\n"
            assert said_to(process, large).startswith(b"HTTP/1.1 413 ")
            long = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: " + b"x" * 100_000
            assert said_to(process, long)[:12] in {b"HTTP/1.1 400", b"HTTP/1.1 431", b""}
            slow = [socket.create_connection(("127.0.0.1", process.port)) for _ in range(20)]
            for one in slow[:8]:
                one.sendall(b"GET / HT")
            append(tmp_path / "in.jsonl", records)
            assert until(lambda: receiver.ids >= expected)
            time.sleep(0.6)
            for one in slow:
                one.close()
            assert until(lambda: process.get("/healthz").status == 200)
            assert process.stop() == 0
    assert receiver.ids == expected
    assert receiver.repeated == 0


# -- where it sends to ----------------------------------------------------------------------------------------------------------------

SECRET_PATH = "/latest/meta-data/s3cretPathOfAWebhook?key=s3cretQueryOfIt"


def test_addresses_that_strangers_must_not_choose_are_refused_without_being_shown(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as trap:
        trap.settimeout(0.2)
        port = trap.getsockname()[1]
        sinks = {
            "cloud": {"type": "webhook", "url": f"https://169.254.169.254{SECRET_PATH}", "retry": SOON},
            "open": {"type": "webhook", "url": f"http://169.254.169.254{SECRET_PATH}", "allow_private": True, "retry": SOON},
            "name": {"type": "webhook", "url": f"https://localhost:{port}{SECRET_PATH}", "retry": SOON},
            "number": {"type": "webhook", "url": f"https://127.0.0.1:{port}{SECRET_PATH}", "retry": SOON},
            "mapped": {"type": "webhook", "url": f"https://[::ffff:127.0.0.1]:{port}{SECRET_PATH}", "retry": SOON},
            "decimal": {"type": "webhook", "url": f"https://2130706433:{port}{SECRET_PATH}", "retry": SOON},
        }
        append(tmp_path / "in.jsonl", attacks(1))
        with service(reading(tmp_path, sinks, service={"idle_s": 0.5, "drain_s": 0}), tmp_path / "run") as process:
            for name in sinks:
                kind = "metadata" if name in {"cloud", "open"} else "loopback"
                assert process.said(
                    f"sink {name}: sinks.{name}.url: leads to an address that is not sent to ({kind}); "
                    "name another one, or allow its network in allow_private"
                ), name
            assert process.stop() == 0
        with pytest.raises(TimeoutError):
            trap.accept()
    assert "169.254" not in process.text()
    assert "meta-data" not in process.text()


# -- what stands in records -----------------------------------------------------------------------------------------------------------

EVIL = (
    "<!channel> <!here> <@U0000> <https://evil.example.com/x|click> [link](https://evil.example.com) *b* `c` :boom: &amp; "
    "</td><script>alert(1)</script> \x1b[31mred\x1b[0m \x1b]8;;https://evil.example.com\x07go\x1b]8;;\x07 \u202egnp.exe \u2028 ' \" \\ %s {0}"
)


def evil_records() -> list[bytes]:
    """One attack in which every text that a sender may choose is chosen by somebody who means harm."""
    # A tenant and an actor with control characters are refused, so that they have only what can be printed.
    plain = "".join(c for c in EVIL if c.isprintable())
    common = {
        "actor": plain,
        "tenant": plain,
        "user_agent": EVIL,
        "device_id": EVIL,
        "session_id": EVIL,
        "reason": EVIL,
        "target": f"file:{EVIL}",
        "action": EVIL,
        "route": EVIL,
        "path": EVIL,
        "query": EVIL,
        "city": EVIL,
    }
    login = {"kind": "auth.login", "outcome": "failure", "ip": "203.0.113.9"}
    admin = {"kind": "admin.action", "outcome": "success", "ip": "203.0.113.9", "action": "role.grant"}
    events = [{**common, **login, "id": f"{EVIL}{i}", "time": T0 + i} for i in range(40)]
    events += [{**common, **admin, "id": f"admin{i}", "time": T0 + 50 + i} for i in range(3)]
    events += [
        {**common, "kind": "audit.log_change", "outcome": "success", "id": "audit", "time": T0 + 60, "action": f"log.disable {EVIL}"}
    ]
    return [json.dumps(event).encode() for event in events]


def is_visible(value: Any) -> bool:
    """Whether no text in it holds a character that cannot be seen."""
    if isinstance(value, dict):
        return all(is_visible(each) for pair in value.items() for each in pair)
    if isinstance(value, list):
        return all(map(is_visible, value))
    return not isinstance(value, str) or all(c.isprintable() or c == "\n" for c in value)


@pytest.mark.parametrize("form", ["json", "text"])
def test_what_strangers_wrote_is_only_text_wherever_it_is_shown(tmp_path: Path, fake: FakeServices, form: str) -> None:
    rejected = [
        json.dumps({"kind": EVIL, "time": T0}).encode(),
        EVIL.replace("\n", "").encode(),
        json.dumps({"time": EVIL, "kind": "auth.login"}).encode(),
    ]
    append(tmp_path / "in.jsonl", evil_records() + rejected)
    behaviour = {"idle_s": 0.5, "drain_s": 2, "log_format": form, "rejects_file": str(tmp_path / "rejects.jsonl")}
    with service(reading(tmp_path, everywhere(fake), service=behaviour), tmp_path / "run") as process:
        assert until(lambda: bool(fake.slack.messages) and bool(fake.pagerduty) and bool(fake.alertmanager) and bool(fake.of("webhook")))
        assert until(lambda: process.metric("events_rejected_total") == len(rejected))
        assert until(lambda: process.metric("outbox_pending") == 0)
        pages = [process.get(path).text for path in ("/", "/metrics", "/api/v1/alerts", "/readyz")]
        assert process.stop() == 0
    # The fake services refuse what they would have made a mention or a link of, and what cannot be seen.
    assert fake.complaints == []
    assert len({ts for ts, message in fake.slack.messages.items()}) > 0
    shown = [request.json for service_name in ("slack_api", "slack_webhook", "pagerduty") for request in fake.of(service_name)]
    assert any("evil.example.com" in json.dumps(message) for message in shown)
    assert all(map(is_visible, shown))
    texts = [*pages, process.text(), process.out.read_text("utf-8"), *(request.body.decode() for request in fake.taken)]
    for text in texts:
        assert not set(text) & {"\x1b", "\x07", "\u202e", "\u2028"}
    assert "<script>alert" not in pages[0]
    assert "evil" not in pages[1]
    assert "evil" not in process.text()


# -- secrets --------------------------------------------------------------------------------------------------------------------------


def in_files(sinks: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The same sinks, with their secrets in files."""
    given: dict[str, Any] = {}
    for sink, settings in sinks.items():
        given[sink] = {}
        for name, value in settings.items():
            is_secret = name in {"bot_token", "webhook_url", "routing_key", "secret", "bearer_token"} or (sink == "hook" and name == "url")
            if is_secret:
                file = folder / f"{sink}.{name}"
                file.write_text(f"{value}\n")
                value = str(file)
            given[sink][f"{name}_file" if is_secret else name] = value
    return given


@pytest.mark.parametrize("way", ["settings", "files", "environment"])
def test_no_secret_comes_to_light_whatever_goes_wrong(tmp_path: Path, fake: FakeServices, way: str) -> None:
    """Every sink fails in every way it can, a configuration is refused, and all that the service says is searched by ``Process.check``."""
    sinks = everywhere(fake)
    sinks["hook"] |= {"headers": {"Authorization": "Bearer h3aderSecret-0123456789", "X-Api-Key": "an0therHeaderSecret"}}
    env: dict[str, str] = {}
    if way == "files":
        sinks = in_files(sinks, tmp_path)
    if way == "environment":
        names = {
            "bot": ["bot_token"],
            "channel": ["webhook_url"],
            "pager": ["routing_key"],
            "hook": ["url", "secret"],
            "metrics": ["bearer_token"],
        }
        env = {f"WATCHFLOOR__SINKS__{sink.upper()}__{name.upper()}": sinks[sink].pop(name) for sink, some in names.items() for name in some}
    records = attacks(2)
    append(tmp_path / "in.jsonl", records)
    (tmp_path / "token").write_text(TOKEN)
    for trouble in (Fault(status=401, body=b"no"), Fault(status=302, headers=(("Location", fake.url("/elsewhere")),)), Fault(garbage=True)):
        for name in ("slack_webhook", "slack_api", "pagerduty", "webhook", "alertmanager"):
            fake.fail(trouble, Fault(close="at once"), service=name)
    config = reading(tmp_path, sinks, http={"port": 0, "token_file": str(tmp_path / "token")})
    with service(config, tmp_path / "run", env=env) as process:
        process.token = TOKEN
        process.secrets |= {TOKEN, BOT_TOKEN, WEBHOOK_PATH, ROUTING_KEY, SIGNING_SECRET, BEARER, HOOK_PATH, HOOK_QUERY.partition("=")[2]}
        assert until(lambda: process.text().count("sink bot: ") >= 2 and process.text().count("sink hook: ") >= 2)
        bad = {**config, "sinks": {"pager": {"type": "pagerduty", "routing_key": "an0therSecretThatIsNoKey"}}}
        process.configure({**bad, "http": {"port": 0, "token": "sh0rtSecret"}})
        process.token = TOKEN
        process.reload()
        assert process.said("the new configuration is refused")
        assert process.stop() == 0
    assert {TOKEN, BOT_TOKEN, ROUTING_KEY, "an0therSecretThatIsNoKey"} <= process.secrets


def test_the_search_would_find_a_secret(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("https://hooks.example.com/services/fr0mAFileSecret\n")
    settings = {
        "http": {"token": "t0kenOfThePort"},
        "sinks": {
            "a": {"type": "slack", "webhook_url_file": str(tmp_path / "url")},
            "b": {"type": "webhook", "url": "https://192.0.2.1/p4thSecret?key=qu3rySecret", "headers": {"X-Key": "h3aderSecret"}},
            "c": {"type": "alertmanager", "url": "https://alerts.example.com", "username": "sam", "password": "p4ssword"},
        },
    }
    assert set(secrets_in(settings)) == {
        "t0kenOfThePort",
        "https://hooks.example.com/services/fr0mAFileSecret",
        "fr0mAFileSecret",
        "https://192.0.2.1/p4thSecret?key=qu3rySecret",
        "p4thSecret",
        "qu3rySecret",
        "h3aderSecret",
        "p4ssword",
    }
    process = Process({"http": {"token": str(tmp_path)}}, tmp_path / "run")
    assert process.wait(20) == 2
    process.check()
    process.pages.append(f"in {tmp_path}")
    with pytest.raises(AssertionError, match="secrets came to light"):
        process.check()
