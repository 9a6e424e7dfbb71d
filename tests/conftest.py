"""Fixtures of every suite, and what may be left out of a run.

Some groups of tests need what a machine may not have. They are skipped there and said so at the end; ``WATCHFLOOR_REQUIRE`` names the
groups (``browser,realdata``) that must run, so that what is missing is a failure.
"""

import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import hypothesis
import pytest

if TYPE_CHECKING:
    from tests.kafka_broker import Broker

# Where groups are required, as in CI, hypothesis searches the same examples each time: a red run then comes from the change and not from luck.
# Elsewhere the search is random, and finds more.
hypothesis.settings.register_profile("repeatable", derandomize=True, suppress_health_check=[hypothesis.HealthCheck.too_slow])
if os.environ.get("WATCHFLOOR_REQUIRE"):
    hypothesis.settings.load_profile("repeatable")

REPOSITORY = Path(__file__).resolve().parent.parent
GROUPS = frozenset({"browser", "kafka", "prometheus", "realdata"})
"""Markers of the tests that may be left out."""
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")


def required_groups() -> frozenset[str]:
    """The groups named by ``WATCHFLOOR_REQUIRE``. Raises ``pytest.UsageError`` for a name that is no group."""
    named = frozenset(name.strip() for name in os.environ.get("WATCHFLOOR_REQUIRE", "").split(",")) - {""}
    if named - GROUPS:
        raise pytest.UsageError(f"WATCHFLOOR_REQUIRE: unknown {', '.join(sorted(named - GROUPS))}; use {', '.join(sorted(GROUPS))}")
    return named


def leave_out(group: str, why: str) -> NoReturn:
    """Skip a test of this group, or fail it where the group is required."""
    if group in required_groups():
        pytest.fail(f"{why}; WATCHFLOOR_REQUIRE demands the group {group!r}", pytrace=False)
    pytest.skip(why)


@pytest.fixture(scope="session")
def real_logs() -> Path:
    """The folder of real logs: ``WATCHFLOOR_TEST_DATA``, else ``../shared/data`` beside the repository."""
    folder = Path(os.environ.get("WATCHFLOOR_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        leave_out("realdata", "the collection of real logs is not on this machine (set WATCHFLOOR_TEST_DATA)")
    return folder


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The executable of Chromium: ``WATCHFLOOR_CHROMIUM``, else the first of its usual names on the PATH."""
    named = os.environ.get("WATCHFLOOR_CHROMIUM")
    for name in (named,) if named else CHROMIUM_NAMES:
        if found := shutil.which(name):
            return Path(found)
    if named:
        leave_out("browser", "WATCHFLOOR_CHROMIUM names no executable")
    leave_out("browser", "Chromium is not on this machine (install it, or set WATCHFLOOR_CHROMIUM)")


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Broker]":
    """A running Kafka broker: the one ``WATCHFLOOR_TEST_KAFKA`` names, else one of this process's own, stopped at the end."""
    from tests.kafka_broker import Broker, GivenBroker, MissingToolsError

    given = os.environ.get("WATCHFLOOR_TEST_KAFKA")
    try:
        one = GivenBroker(given) if given else Broker(tmp_path_factory.mktemp("kafka"))
    except MissingToolsError as exc:
        leave_out("kafka", str(exc))
    try:
        one.start()
        yield one
    finally:
        one.stop()


@pytest.fixture
def own_broker(broker: "Broker") -> "Broker":
    """A broker that the test may kill and reach by every listener. It is running again when the test ends."""
    if not broker.is_own:
        leave_out("kafka", "WATCHFLOOR_TEST_KAFKA names a broker that is not the tests' own: no crashes, no TLS")
    return broker


def pytest_configure() -> None:
    """Refuse a wrong ``WATCHFLOOR_REQUIRE`` before any test runs, not only where a test asks."""
    required_groups()


def left_out(skipped: Iterable[pytest.TestReport]) -> list[str]:
    """One line for each group and reason: how many tests did not run, and why."""
    counts: Counter[tuple[str, str]] = Counter()
    for report in skipped:
        group = next((name for name in sorted(GROUPS) if name in report.keywords), "other")
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        counts[group, why.removeprefix("Skipped: ")] += 1
    return [f"{group}: {count} {'test' if count == 1 else 'tests'}: {why}" for (group, why), count in sorted(counts.items())]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end which groups of tests were left out, so that a green run does not hide them."""
    lines = left_out(terminalreporter.getreports("skipped"))
    if lines:
        terminalreporter.section("left out of this run")
    for line in lines:
        terminalreporter.line(line)
