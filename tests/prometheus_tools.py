"""Real Prometheus and Alertmanager for the tests: found on the machine, or fetched as Debian packages and unpacked into the tests' cache.

Nothing is installed into the system. What cannot be had leaves the group ``prometheus`` out of the run, or fails it where it is required.
"""

import contextlib
import fcntl
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml

from tests.conftest import leave_out

REPOSITORY = Path(__file__).resolve().parent.parent
GROUP = "prometheus"
PACKAGES = ("prometheus", "prometheus-alertmanager")
NAMES = {"prometheus": "prometheus", "promtool": "promtool", "alertmanager": "prometheus-alertmanager", "amtool": "amtool"}
"""Of the programs: ours, and Debian's."""
RULES = REPOSITORY / "deploy" / "prometheus" / "watchfloor.rules.yml"
DASHBOARD = REPOSITORY / "deploy" / "grafana" / "dashboards" / "watchfloor-soc.json"
ON_DEMAND = frozenset({"watchfloor_positions_reset_total"})
"""Metrics without a series until what they count has happened."""
FETCH_S = 120
START_S = 30


class PrometheusTools(msgspec.Struct, frozen=True):
    """Paths of the programs."""

    prometheus: Path
    promtool: Path
    alertmanager: Path
    amtool: Path


class UnavailableError(Exception):
    """The programs cannot be had here; the text says why."""


def cache() -> Path:
    """Where packages are unpacked: ``WATCHFLOOR_TEST_CACHE``, else ``.cache`` in the repository; in it ``debian``."""
    return Path(os.environ.get("WATCHFLOOR_TEST_CACHE", REPOSITORY / ".cache")).resolve() / "debian"


def _on_path() -> PrometheusTools | None:
    found = {ours: shutil.which(ours) or shutil.which(debian) for ours, debian in NAMES.items()}
    paths = {name: Path(path) for name, path in found.items() if path}
    return PrometheusTools(**paths) if len(paths) == len(NAMES) else None


def _unpacked(root: Path) -> PrometheusTools | None:
    paths = {ours: root / "usr" / "bin" / debian for ours, debian in NAMES.items()}
    return PrometheusTools(**paths) if all(path.is_file() for path in paths.values()) else None


def _run(command: Sequence[str | Path], folder: Path) -> None:
    """Raises ``UnavailableError`` with the last line of what a failing command said."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=FETCH_S)
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise UnavailableError(f"{Path(command[0]).name}: {exc}") from exc
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines() or [f"exit code {done.returncode}"]
        raise UnavailableError(f"{Path(command[0]).name} {command[1]}: {said[-1]}")


def _apt_of_its_own(folder: Path) -> list[str]:
    """Options that keep lists and packages of apt in this folder, so that no rights are needed and nothing of the system changes."""
    for name in ("lists/partial", "archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    settings = [f"Dir::State::Lists={folder}/lists", f"Dir::Cache={folder}", f"Dir::Cache::Archives={folder}/archives"]
    if os.geteuid() == 0:
        # Else apt gives up its rights for the download and cannot write here.
        settings.append("APT::Sandbox::User=root")
    return [word for setting in settings for word in ("-o", setting)]


def _download(folder: Path) -> None:
    """The packages of this machine's distribution, into this folder."""
    apt = shutil.which("apt-get")
    if apt is None or shutil.which("dpkg-deb") is None:
        raise UnavailableError("this machine has no apt-get and dpkg-deb")
    try:
        _run([apt, "download", "-q", *PACKAGES], folder)
    except UnavailableError:
        # A fresh machine, or a container, has no lists of packages yet, or old ones.
        own = _apt_of_its_own(folder / "apt")
        _run([apt, "update", "-q", *own], folder)
        _run([apt, "download", "-q", *own, *PACKAGES], folder)


def _find_templates_here(unpacked: Path) -> None:
    """Make Debian's Alertmanager look for its templates below the folder it is started in, not where an installed package would have them.

    It has their place as text of a fixed length: the path without its first slash and with a last one is as long.
    """
    program = unpacked / "usr" / "bin" / NAMES["alertmanager"]
    installed = b"/usr/share/prometheus/alertmanager"
    mode = program.stat().st_mode
    program.write_bytes(re.sub(installed + rb"(?!/)", installed[1:] + b"/", program.read_bytes()))
    program.chmod(mode)


def _fetch(root: Path) -> PrometheusTools:
    """Unpack the packages as ``root``. Put in place by one rename: whoever is interrupted leaves no half of it."""
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root.parent) as scratch:
        folder = Path(scratch)
        _download(folder)
        unpacked = folder / "unpacked"
        unpacked.mkdir()
        for package in sorted(folder.glob("*.deb")):
            _run(["dpkg-deb", "-x", package, unpacked], folder)
        if _unpacked(unpacked) is None:
            raise UnavailableError(f"the packages {' and '.join(PACKAGES)} hold other files than known")
        _find_templates_here(unpacked)
        shutil.rmtree(root, ignore_errors=True)
        unpacked.rename(root)
    tools = _unpacked(root)
    assert tools is not None
    return tools


def find_tools() -> PrometheusTools:
    """The programs: on the PATH, or in the cache, or fetched into it now. Raises ``UnavailableError``."""
    root = cache() / "prometheus"
    if found := _on_path() or _unpacked(root):
        return found
    root.parent.mkdir(parents=True, exist_ok=True)
    # Workers of one run ask at once: the first fetches, the others wait for it.
    with (root.parent / "prometheus.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _unpacked(root) or _fetch(root)


def tools_or_leave_out() -> PrometheusTools:
    """Prometheus, Alertmanager and their tools; else the test is skipped, or fails where the group is required. For a fixture of session scope."""
    try:
        return find_tools()
    except (UnavailableError, OSError) as exc:
        leave_out(GROUP, f"no Prometheus and Alertmanager: {exc} (install both, or run where Debian's packages can be fetched)")


def said(*command: str | Path, stdin: str | None = None) -> str:
    """What one of the tools says, run beside the rules; it must find nothing wrong."""
    done = subprocess.run(command, cwd=RULES.parent, input=stdin, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def free_port() -> int:
    """A port of loopback nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get_json(url: str) -> Any:
    """The JSON document at this address. Raises ``OSError``, for an error status too."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


@contextlib.contextmanager
def _serving(command: Sequence[str | Path], url: str, log: Path) -> Iterator[str]:
    """Run a server until the end of the block; begins when its ``/-/ready`` says so."""
    # Where an unpacked program looks for its files; an installed one does not care.
    folder = next((above for above in Path(command[0]).parents if (above / "usr" / "share" / "prometheus").is_dir()), log.parent)
    with log.open("wb") as output, subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT) as process:
        try:
            deadline = time.monotonic() + START_S
            while not _ready(url):
                assert process.poll() is None, log.read_text()[-2_000:]
                assert time.monotonic() < deadline, f"not ready after {START_S} s: {log.read_text()[-2_000:]}"
                time.sleep(0.05)
            yield url
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=2):
            return True
    except OSError:
        return False


@contextlib.contextmanager
def running_prometheus(tools: PrometheusTools, configuration: Path, folder: Path) -> Iterator[str]:
    """Prometheus with this configuration, its data in ``folder``. Gives its address, e.g. ``http://127.0.0.1:39091``."""
    address = f"127.0.0.1:{free_port()}"
    command: list[str | Path] = [
        *(tools.prometheus, f"--config.file={configuration}", f"--storage.tsdb.path={folder / 'prometheus-data'}"),
        *(f"--web.listen-address={address}", "--log.level=warn"),
    ]
    with _serving(command, f"http://{address}", folder / "prometheus.log") as url:
        yield url


@contextlib.contextmanager
def running_alertmanager(tools: PrometheusTools, configuration: Path, folder: Path) -> Iterator[str]:
    """Alertmanager with this configuration, its data in ``folder``. Gives its address; the API is below ``/api/v2``."""
    address = f"127.0.0.1:{free_port()}"
    command: list[str | Path] = [
        *(tools.alertmanager, f"--config.file={configuration}", f"--storage.path={folder / 'alertmanager-data'}"),
        *(f"--web.listen-address={address}", "--cluster.listen-address=", "--log.level=warn"),
    ]
    with _serving(command, f"http://{address}", folder / "alertmanager.log") as url:
        yield url


def ask(prometheus_url: str, query: str) -> list[tuple[dict[str, str], float]]:
    """What an instant query finds: labels and value of each sample. Raises ``ValueError`` with Prometheus' words when it does not parse."""
    parameters = urllib.parse.urlencode({"query": query})
    try:
        found = get_json(f"{prometheus_url}/api/v1/query?{parameters}")["data"]
    except urllib.error.HTTPError as exc:
        with exc:
            raise ValueError(f"{query}: {json.load(exc)['error']}") from None
    if found["resultType"] == "scalar":
        return [({}, float(found["result"][1]))]
    return [(sample["metric"], float(sample["value"][1])) for sample in found["result"]]


def returns_data(prometheus_url: str, query: str) -> bool:
    """Whether a query finds at least one sample that is a number. Raises ``ValueError`` when it does not parse."""
    return any(value == value for _, value in ask(prometheus_url, query))  # noqa: PLR0124 - NaN, a quantile of nothing, is no data


# -- what deploy/ asks of Prometheus ----------------------------------------------------------------------------------------------------

_METRIC = re.compile(r"\b(?:(?:watchfloor|process)_[a-z_]+|up|job_source:[a-z_:0-9]+)\b")
_VARIABLES = {"$__rate_interval": "1m", "$__range": "5m", "$job": ".*", "$instance": ".*"}


def metrics_in(query: str) -> set[str]:
    """Names of the metrics that a query of ours reads."""
    return set(_METRIC.findall(query))


def dashboard_queries(variables: Mapping[str, str] = _VARIABLES) -> dict[str, str]:
    """The dashboard's queries, by panel (two may have one title) and letter, with its variables filled in."""
    board = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    found = {
        f"panel {panel['id']}, {panel['title']} {target['refId']}": target["expr"]
        for panel in board["panels"]
        for target in panel.get("targets", ())
    }
    found |= {f"annotation {each['name']}": each["expr"] for each in board["annotations"]["list"]}
    for variable, value in variables.items():
        found = {name: query.replace(variable, value) for name, query in found.items()}
    return found


def rules() -> list[dict[str, Any]]:
    """All rules, of alerts (``alert``) and records (``record``)."""
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def queries() -> dict[str, str]:
    """Everything that must find data where watchfloor runs and Prometheus has the rules: the dashboard's queries, what rules record, and
    each metric that a rule reads (whole rules find something only when they fire).
    """
    read = set().union(*(metrics_in(rule["expr"]) for rule in rules())) - ON_DEMAND
    return dashboard_queries() | {f"rules {name}": name for name in sorted(read)}
