"""The service in a process of its own, for tests of the whole of it: killed, misused, and among others that fail."""

import http.client
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from tests.commands import replayed
from tests.conftest import REPOSITORY

T0 = 1_767_225_600

_SECRET_NAME = re.compile(r"(?:^|_)(?:secret|token|password|routing_key)$")
_MIN_SECRET = 10
"""Characters; a shorter part of an address is no secret."""


class Page(NamedTuple):
    """What a page of the port answered."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        """The text, decoded."""
        return json.loads(self.text)


class Process:
    """``watchfloor run``. All that it says is kept, in which no traceback and no secret of its settings may be found.

    ``altered``: see ``tests.altered``; ``settings``: ``None`` for a run without a file.
    """

    def __init__(
        self,
        settings: Mapping[str, Any] | None,
        folder: Path,
        crash_at: str = "",
        *,
        altered: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
        stdin: int = subprocess.DEVNULL,
        arguments: Sequence[str] = (),
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.config = folder / "watchfloor.yaml"
        self.secrets: set[str] = set()
        self.token: str | None = None
        if settings is not None:
            self.configure(settings)
            arguments = ("-c", str(self.config), *arguments)
        self.log = folder / "log.jsonl"
        self.out = folder / "out.jsonl"
        self.pages: list[str] = []
        """Every page that was got from it."""
        self._began = self.log.stat().st_size if self.log.exists() else 0
        own = {name: value for name, value in os.environ.items() if not name.startswith("WATCHFLOOR__")}
        self.secrets |= {value for name, value in (env or {}).items() if _SECRET_NAME.search(name.lower())}
        harness = "tests.crashing" if altered is None else "tests.altered"
        with self.log.open("ab") as log, self.out.open("ab") as out:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", harness, "run", *arguments],
                cwd=REPOSITORY,
                stdin=stdin,
                stdout=out,
                stderr=log,
                env={**own, "CRASH_AT": crash_at, "ALTERED": json.dumps(altered or {}), "COLUMNS": "200", **(env or {})},
            )

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Write the configuration, which ``reload`` lets it read again. Its secrets must not come to light from now on."""
        self.config.write_text(json.dumps(settings), "utf-8")
        self.secrets |= set(secrets_in(settings))
        self.token = settings.get("http", {}).get("token")

    @property
    def running(self) -> bool:
        return self.popen.poll() is None

    @property
    def ready(self) -> bool:
        """Whether it has begun."""
        return "metrics and health on" in self.text()

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait(30)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal; the exit code. All pages are looked at before."""
        with suppress(OSError, http.client.HTTPException, AssertionError):
            for path in ("/metrics", "/", "/readyz", "/api/v1/alerts?limit=1000"):
                self.get(path)
        self.popen.send_signal(number)
        return self.popen.wait(60)

    def reload(self) -> None:
        self.popen.send_signal(signal.SIGHUP)

    def pause(self) -> None:
        """Freeze it; it stands still when this returns. A thread that is in a system call goes on to the end of it, and may get a lock there."""
        self.popen.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.popen.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    @property
    def frozen(self) -> bool:
        """Whether it stands still."""
        return os.waitid(os.P_PID, self.popen.pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT) is not None

    def go_on(self) -> None:
        self.popen.send_signal(signal.SIGCONT)

    def wait(self, seconds: float) -> int | None:
        """Until it has ended; its exit code, ``None`` while it runs."""
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def text(self) -> str:
        """Its log."""
        with self.log.open("rb") as file:
            file.seek(self._began)
            text = file.read().decode("utf-8", "replace")
        assert "Traceback" not in text, text
        return text

    def said(self, words: str, seconds: float = 15.0) -> bool:
        """Whether it logs these words within so long."""
        return until(lambda: words in self.text(), seconds)

    def check(self) -> None:
        """Nothing that it said holds a secret."""
        everything = "\n".join([self.text(), self.out.read_text("utf-8", "replace"), *self.pages]).lower()
        found = [secret for secret in self.secrets if secret.lower() in everything]
        assert not found, f"secrets came to light: {found}"

    # -- its port -----------------------------------------------------------------------------------------------------------------

    @property
    def port(self) -> int:
        """Of its pages, once it has begun."""
        match = re.search(r"health on https?://[^:]+:(\d+)", self.text())
        assert match is not None, self.text()
        return int(match[1])

    def get(self, path: str, headers: Mapping[str, str] | None = None, method: str = "GET", body: bytes | None = None) -> Page:
        """One page. Unless other headers are given, with the token of the settings."""
        if headers is None:
            headers = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, headers=dict(headers))
            answer = connection.getresponse()
            page = Page(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read().decode())
        finally:
            connection.close()
        self.pages += [page.text, *page.headers.values()]
        return page

    def post(self, path: str, body: Any) -> Page:
        """Send JSON."""
        token = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        return self.get(path, {"Content-Type": "application/json", **token}, "POST", json.dumps(body).encode())

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples of a metric (without its prefix) that have these labels."""
        total = 0.0
        for line in self.get("/metrics").text.splitlines():
            match = re.fullmatch(r"watchfloor_(\w+)(?:\{(.*)\})? (\S+)", line)
            if match is not None and match[1] == name and labels.items() <= dict(re.findall(r'(\w+)="([^"]*)"', match[2] or "")).items():
                total += float(match[3])
        return total

    def checks(self) -> dict[str, Any]:
        """What the page on readiness says of each part."""
        checks: dict[str, Any] = self.get("/readyz").json["checks"]
        return checks


@contextmanager
def service(settings: Mapping[str, Any] | None, folder: Path, crash_at: str = "", **more: Any) -> Iterator[Process]:
    """``more``: as ``Process`` takes it."""
    process = Process(settings, folder, crash_at, **more)
    try:
        yield process
    finally:
        if process.running:
            process.kill()
    process.check()


def reading(folder: Path, sinks: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Settings of a service that follows ``in.jsonl`` of a folder, and is in a hurry."""
    return {
        "follow": [{"path": str(folder / "in.jsonl"), "format": "native"}],
        "store": {"path": str(folder / "store.db"), "checkpoint_interval_s": 0.1},
        "service": {"idle_s": 0.5, "drain_s": 2},
        "http": {"port": 0},
        "sinks": dict(sinks),
        **more,
    }


def webhook(url: str, **more: Any) -> dict[str, Any]:
    """Settings of a webhook on this machine, tried again soon."""
    return {"type": "webhook", "url": url, "allow_private": True, "retry": {"first_s": 0.1, "max_s": 0.2}, **more}


def expected_of(folder: Path, records: Sequence[bytes], *arguments: str) -> set[str]:
    """The ids of the alerts that a replay of these records finds."""
    log = folder / "all.jsonl"
    log.unlink(missing_ok=True)
    append(log, records)
    return {alert.id for alert in replayed(folder, "--format", "native", *arguments, log, name="expected.jsonl")}


def secrets_in(settings: Any, name: str = "") -> Iterator[str]:
    """Everything in the settings that must stay hidden: also what lies in files, and the parts of addresses that let somebody in."""
    if isinstance(settings, Mapping):
        for key, value in settings.items():
            yield from secrets_in(value, "secret" if name == "headers" else "secret_file" if name == "header_files" else key)
        if settings.get("type") in {"webhook", "slack"}:
            for key in ("url", "webhook_url"):
                yield from _secrets_of_url(settings.get(key, ""))
    elif isinstance(settings, list | tuple):
        for value in settings:
            yield from secrets_in(value, name)
    elif isinstance(settings, str) and _SECRET_NAME.search(name):
        yield settings
    elif isinstance(settings, str) and name.endswith("_file") and _SECRET_NAME.search(name.removesuffix("_file").replace("url", "secret")):
        with suppress(OSError):
            content = Path(settings).read_text("utf-8").strip()
            yield content
            yield from _secrets_of_url(content)


def _secrets_of_url(url: str) -> Iterator[str]:
    parts = urlsplit(url)
    if parts.scheme in {"http", "https"}:
        words = [*parts.path.split("/"), *(value for _, value in parse_qsl(parts.query))]
        yield from (each for each in (url, *words) if len(each) >= _MIN_SECRET)


def free_port() -> int:
    """One that nobody listens on at present."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


def until(condition: Callable[[], bool], seconds: float = 30.0) -> bool:
    """Whether it became true within so long."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


def attacks(count: int, seed: int = 1, start: float = T0) -> list[bytes]:
    """Native records in order of time: so many addresses, one after the other, that try passwords, among people who log in."""
    rng = random.Random(seed)
    events: list[tuple[float, dict[str, Any]]] = []
    for attack in range(count):
        begins = start + attack * 5
        ip = f"203.0.{113 + attack // 250}.{attack % 250 + 1}"
        for i in range(24):
            ts = begins + i * 0.8 + rng.random() * 0.1
            events.append((ts, {"kind": "auth.login", "outcome": "failure", "actor": f"victim{attack}-{i % 2}", "ip": ip}))
        for _ in range(20):
            ts = begins + rng.random() * 5
            events.append((ts, {"kind": "auth.login", "outcome": "success", "actor": f"person{rng.randrange(50)}", "ip": "198.51.100.7"}))
    events.sort(key=lambda each: each[0])
    return [json.dumps({"id": f"e{i}", "time": ts, **event}).encode() for i, (ts, event) in enumerate(events)]


def append(path: Path, records: Sequence[bytes]) -> None:
    with path.open("ab") as file:
        file.write(b"".join(record + b"\n" for record in records))
