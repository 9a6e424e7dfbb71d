"""The service in a process of its own, for tests that kill it."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.conftest import REPOSITORY

T0 = 1_767_225_600


class Process:
    """``watchfloor run``; its log is kept, and must hold no traceback."""

    def __init__(self, settings: dict[str, Any], folder: Path, crash_at: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "watchfloor.yaml"
        config.write_text(json.dumps(settings), "utf-8")
        self.log = folder / "log.jsonl"
        own = {name: value for name, value in os.environ.items() if not name.startswith("WATCHFLOOR__")}
        with self.log.open("ab") as log:
            self._popen = subprocess.Popen(
                [sys.executable, "-m", "tests.crashing", "run", "-c", str(config)],
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**own, "CRASH_AT": crash_at},
            )

    @property
    def running(self) -> bool:
        return self._popen.poll() is None

    @property
    def ready(self) -> bool:
        """Whether it has begun."""
        return "metrics and health on" in self.text()

    def kill(self) -> None:
        self._popen.kill()
        self._popen.wait(30)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self._popen.terminate()
        return self._popen.wait(60)

    def reload(self) -> None:
        self._popen.send_signal(signal.SIGHUP)

    def pause(self) -> None:
        self._popen.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._popen.send_signal(signal.SIGCONT)

    def wait(self, seconds: float) -> int | None:
        """Until it has ended; its exit code, ``None`` while it runs."""
        try:
            return self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def text(self) -> str:
        text = self.log.read_text("utf-8", "replace")
        assert "Traceback" not in text, text
        return text


@contextmanager
def service(settings: dict[str, Any], folder: Path, crash_at: str = "") -> Iterator[Process]:
    process = Process(settings, folder, crash_at)
    try:
        yield process
    finally:
        if process.running:
            process.kill()
    process.text()


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
