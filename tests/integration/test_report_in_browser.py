"""The report in a real browser: fetches nothing, runs nothing but its own script, and can be read by everyone."""

import os
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from monitor.report.page import render
from monitor.report.summary import Summary
from tests.unit.monitor.report.examples import HOSTILE, alert, hostile, nothing_read, summary

pytestmark = pytest.mark.browser

SCHEMES = ("light", "dark")
MIN_CONTRAST = 4.5
"""WCAG 2.2, level AA, for text of ordinary size."""

CONTRASTS = """
() => {
  const numbers = (colour) => (colour.match(/[\\d.]+/g) || []).map(Number);
  const linear = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const colour = numbers(getComputedStyle(each).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || ["SCRIPT", "STYLE", "TITLE", "title"].includes(element.tagName)) continue;
    const style = getComputedStyle(element);
    const ink = numbers(element instanceof SVGElement ? style.fill : style.color);
    const [a, b] = [light(ink), light(behind(element))].sort((x, y) => y - x);
    found.push([(a + 0.05) / (b + 0.05), element.tagName + "." + element.getAttribute("class"), walker.currentNode.data.trim().slice(0, 30)]);
  }
  return found;
}
"""

Show = Callable[..., Page]


@pytest.fixture(scope="module")
def browser(chromium: Path) -> Iterator[Browser]:
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=str(chromium), args=arguments)
        yield started
        started.close()


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Iterator[Show]:
    """Opens a report; afterwards no request may have been made, and no message may be on the console."""
    requests: list[str] = []
    messages: list[str] = []
    pages: list[Page] = []

    def opened(shown: Summary, *, width: int = 1280, scheme: str = "light", scripts: bool = True) -> Page:
        file = tmp_path / f"report{len(pages)}.html"
        file.write_text(render(shown), encoding="utf-8")
        context = browser.new_context(
            viewport={"width": width, "height": 844},
            color_scheme="dark" if scheme == "dark" else "light",
            java_script_enabled=scripts,
        )
        page = context.new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on("dialog", lambda dialog: messages.append(dialog.message))
        page.goto(file.as_uri())
        requests.remove(file.as_uri())
        pages.append(page)
        return page

    yield opened
    for page in pages:
        page.wait_for_load_state("networkidle")
        page.context.close()
    assert [url for url in requests if url != "data:,"] == []
    assert messages == []


def large() -> Summary:
    return summary(
        *[alert(each, severity="critical" if each % 3 else "info", incident=f"i{each // 2}") for each in range(1, 40)],
        failed={"impossible_travel/by_actor": "KeyError"},
        notes=["allow-list entry 3 matched nothing"],
    )


@pytest.mark.parametrize("make", [large, hostile, nothing_read, summary])
@pytest.mark.parametrize("width", [320, 390, 800, 1280])
def test_the_page_never_scrolls_sideways(show: Show, make: Callable[[], Summary], width: int) -> None:
    page = show(make(), width=width)
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_text_stands_out_from_what_is_behind_it(show: Show, scheme: str) -> None:
    alerts = [
        alert(each, severity=severity, status="firing") for each, severity in enumerate(("info", "low", "medium", "high", "critical"))
    ]
    alerts.append(alert(9, incident="incident00001", inhibited_by="id00001"))
    page = show(summary(*alerts, failed={"x/by_ip": "KeyError"}, notes=["note"]), scheme=scheme)
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    found = page.evaluate(CONTRASTS)
    assert len(found) > 200
    assert [each for each in found if each[0] < MIN_CONTRAST] == []


def test_the_two_colour_schemes_differ(show: Show) -> None:
    colours = [show(summary(), scheme=scheme).evaluate("getComputedStyle(document.documentElement).backgroundColor") for scheme in SCHEMES]
    assert colours == ["rgb(251, 251, 249)", "rgb(19, 21, 25)"]


def test_hostile_names_run_nothing_and_break_nothing(show: Show) -> None:
    page = show(hostile())
    assert page.title().startswith("watchfloor: ")
    assert page.locator("img, iframe, body script ~ script").count() == 0
    assert page.locator("bdi", has_text=HOSTILE[0]).count() > 0
    assert page.locator("footer").is_visible()


def test_a_script_that_got_in_would_not_run(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text(render(summary()), encoding="utf-8")
    page = browser.new_page()
    page.goto((tmp_path / "report.html").as_uri())
    ran = page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "window.owned = true";
          const blocked = new Promise((resolve) => document.addEventListener("securitypolicyviolation", (e) => resolve(e.effectiveDirective)));
          document.body.append(script);
          return blocked.then((directive) => [directive, window.owned === undefined]);
        }"""
    )
    page.close()
    assert ran == ["script-src-elem", True]


def test_without_javascript_everything_can_be_unfolded(show: Show) -> None:
    page = show(large(), scripts=False)
    second = page.locator("details.incident").nth(1)
    assert page.locator("#filter").is_hidden()
    assert second.locator(".counterfactual").first.is_hidden()
    second.locator("summary").first.click()
    assert second.locator(".counterfactual").first.is_visible()


def test_incidents_are_filtered_by_text_and_severity(show: Show) -> None:
    page = show(summary(alert(1, "alice"), alert(2, "bob"), alert(3, "alice", severity="high")))
    visible = page.locator("details.incident:visible")
    page.get_by_label("Find").fill("ALICE")
    assert (visible.count(), page.locator("#shown").inner_text()) == (2, "2 of 3 shown")
    page.get_by_role("checkbox", name="High").uncheck()
    assert (visible.count(), page.locator("section.group:visible").count()) == (1, 1)
    page.get_by_label("Find").fill("")
    assert visible.count() == 2


def test_the_keyboard_reaches_an_incident_and_unfolds_it(show: Show) -> None:
    page = show(summary(alert(1), alert(2)))
    second = page.locator("#i2")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.parentElement.id") == "i2":
            break
    assert second.get_attribute("open") is None
    page.keyboard.press("Enter")
    assert second.get_attribute("open") is not None


def test_a_mark_on_the_timeline_leads_to_its_incident(show: Show) -> None:
    page = show(summary(alert(1), alert(90)))
    page.get_by_role("link", name="Burst of failed logins").nth(1).focus()
    page.keyboard.press("Enter")
    page.wait_for_function("document.getElementById('i2').open")
    assert page.url.endswith("#i2")


def test_on_paper_everything_is_unfolded(show: Show) -> None:
    page = show(summary(alert(1), alert(2)))
    hidden = page.locator("#i2 .counterfactual")
    assert hidden.bounding_box() is None or not hidden.is_visible()
    page.emulate_media(media="print")
    box = hidden.bounding_box()
    assert box is not None
    assert box["height"] > 0
    assert page.locator("#filter").is_hidden()


def test_headings_do_not_skip_a_level_and_landmarks_are_there(show: Show) -> None:
    page = show(large())
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map((each) => Number(each.tagName[1]))")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert [page.locator(name).count() for name in ("header", "main", "footer", "h1")] == [1, 1, 1, 1]
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((each) => each.id)")
    assert len(ids) == len(set(ids))
