"""Makes the pictures of the README from a run on the example logs: ``python docs/images/make_images.py``. Needs Chromium."""  # noqa: INP001 - a script, no package

import os
import re
import shutil
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import sync_playwright
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console

from monitor.app import Parts
from monitor.engines.replay import Options, Replay
from monitor.replaying import summarise
from monitor.report import page, table
from monitor.report.summary import Summary
from monitor.settings import Settings
from monitor.sources.files import expand
from schemas.alert import Alert

HERE = Path(__file__).resolve().parent
LOGS = Path("deploy/examples/logs")
"""Relative, so that no path of this machine gets into a picture; the script goes to the repository first."""
COLUMNS = 120
REPORT_PX = (1100, 860)


def replayed() -> Summary:
    """The example logs, replayed; without the time it took, which no two runs share."""
    parts = Parts(Settings())
    engine = Replay(parts.core, Options())
    last: dict[str, Alert] = {}
    versions = 0
    for alerts in engine.run(expand([str(LOGS)])):
        versions += len(alerts)
        last.update((alert.id, alert) for alert in alerts)
    return summarise(parts, engine, list(last.values()), versions, seconds=0.0)


def draw_terminal(summary: Summary, path: Path) -> None:
    """The table as a terminal shows it."""
    console = Console(record=True, force_terminal=True, width=COLUMNS, file=StringIO(), color_system="truecolor", legacy_windows=False)
    table.show(summary, console)
    plain = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)  # a picture must fetch nothing
    svg = console.export_svg(title="watchfloor replay deploy/examples/logs", code_format=plain, unique_id="watchfloor")
    path.write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n", "utf-8")


def draw_report(summary: Summary, path: Path) -> None:
    """The top of the report as a browser shows it."""
    chromium = os.environ.get("WATCHFLOOR_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    width, height = REPORT_PX
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = Path(folder) / "report.html"
        file.write_text(page.render(summary), "utf-8")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        shown = browser.new_page(viewport={"width": width, "height": height}, color_scheme="light")
        shown.goto(file.as_uri())
        shown.screenshot(path=path)
        browser.close()


def main() -> None:
    """Draw both."""
    os.chdir(HERE.parents[1])
    summary = replayed()
    draw_terminal(summary, HERE / "terminal.svg")
    draw_report(summary, HERE / "report.png")


if __name__ == "__main__":
    main()
