import re
from html.parser import HTMLParser

import msgspec
import pytest

from monitor.report.page import MAX_INCIDENTS, MAX_OTHERS, render
from monitor.report.summary import InputReport
from tests.unit.monitor.report.examples import HOSTILE, alert, hostile, nothing_read, summary

VOID = {"meta", "link", "input", "br"}
INLINE = {"a", "b", "bdi", "code", "strong", "time"}


class Page(HTMLParser):
    """Elements, attributes and text; fails on tags that do not match."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in INLINE:
            self.words.append(" ")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self._open or self._open[-1] not in {"script", "style"}:
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.words))


def test_the_page_is_the_same_however_long_the_replay_took() -> None:
    one, other = summary(alert(1), seconds=0.1), summary(alert(1), seconds=99.0)
    assert render(one) == render(other)


def test_an_alert_is_shown_whole() -> None:
    text = Page(render(summary(alert(1, tenant="acme")))).text
    for expected in (
        "1 medium incident.",
        "180 events from 1 input, 2026-03-03 00:00:00 – 02:59:00 UTC (3 h).",
        "Burst of failed logins: 203.0.113.9",
        "37 failed logins of 203.0.113.9.",
        "37 events in 5 min",
        "Would have been silent with fewer than 20 failures in 10 min.",
        "Tenant acme",
        "failures 37",
        "window 10 min",
        "2026-03-03 00:06:00, resolved",
        "Fired 2026-03-03 00:01:20, then updated 1 time",
        "T1110.001 (version 19)",
        "deploy/runbooks/failed_login_burst.md",
        "Alert id id00001",
        "e1-0 e1-1",
        "4 more",
    ):
        assert expected in text


def test_other_alerts_of_an_incident_are_folded_under_the_one_that_leads() -> None:
    text = Page(render(summary(alert(1, incident="a"), alert(2, "root", incident="a", inhibited_by="id00001")))).text
    assert "1 related alert" in text
    assert text.index("Also seen by") < text.index("Alert id id00002")


def test_what_limits_the_report_is_said() -> None:
    bad = InputReport("b.log.gz", "sshd", "as told", 5, 2, 1, {"bad_time": 3}, "the file breaks off", irrelevant=4)
    text = Page(
        render(
            summary(
                inputs=[bad, InputReport("c.bin", None, "not read: it looks like none")],
                rejects={"bad_time": 3, "not_json": 1},
                late=2,
                repeats=1,
                notes=["allow-list entry 3 matched nothing"],
                detectors=[("failed_login_burst/by_ip", 9, 1200)],
            )
        )
    ).text
    for expected in (
        "the file breaks off",
        "5 2 4 1 3",
        "not read: it looks like none",
        "4 records could not be read: 3 bad_time, 1 not_json.",
        "2 events came later than the allowed lateness",
        "1 event had been seen before, and was dropped.",
        "failed_login_burst/by_ip forgot 1,200 keys for want of room",
        "allow-list entry 3 matched nothing",
        "180 of 180 events with an address could not be placed.",
    ):
        assert expected in text


def test_a_failed_detector_is_loud() -> None:
    page = render(summary(failed={"impossible_travel/by_actor": "KeyError"}))
    assert 'role="alert"' in page
    assert "1 detector failed and was switched off" in page
    assert "impossible_travel/by_actor" in page


def test_without_alerts_it_says_what_was_looked_for() -> None:
    text = Page(render(summary())).text
    assert "Nothing was found." in text
    assert "180 events went past 1 detector without anything to report. What was looked for: Burst of failed logins" in text


def test_without_events_it_says_so_and_draws_nothing() -> None:
    page = Page(render(nothing_read()))
    assert "No events were read from 1 input." in page.text
    assert "not read: empty" in page.text
    assert "svg" not in page.tags


def test_hostile_names_become_neither_elements_nor_attributes() -> None:
    page = Page(render(hostile()))
    assert page.tags.count("script") == 1
    assert page.tags.count("style") == 1
    assert "img" not in page.tags
    assert "b" in page.tags  # our own, so that the line above means something
    assert not [name for name, _ in page.attributes if name.startswith("on") or name == "style"]
    assert {value[0] for name, value in page.attributes if name == "href" and not value.startswith("data:,")} == {"#"}
    assert "49" not in re.sub(r"\d{3,}", "", page.text).split()


def test_no_invisible_character_is_left_in_the_page() -> None:
    page = render(hostile())
    assert all(c.isprintable() or c == "\n" for c in page)
    assert page.encode()
    assert "user�gnp.exe�" in page
    assert "�[31mred�]0;title�" in page
    assert "a�b" in page


def test_long_values_are_cut_and_can_be_seen_whole() -> None:
    name = HOSTILE[11]
    page = render(summary(alert(1, name)))
    assert page.count(name) == 1
    assert '<span class="more">10,000 characters</span>' in page
    assert "<strong><bdi>Burst of failed logins: " + "x" * 115 + "…</bdi></strong>" in page


def test_thousands_of_alerts_stay_readable_and_what_is_left_out_is_said() -> None:
    many = [alert(each, severity="low") for each in range(1, 1500)]
    crowd = [alert(each, incident="crowd", severity="high", inhibited_by="id01500" if each > 1500 else None) for each in range(1500, 2001)]
    page = render(summary(*many, *crowd))
    assert page.count('<details class="incident') == MAX_INCIDENTS + 1
    assert f"{1499 - MAX_INCIDENTS:,} further low incidents left out here, later than these (1,399 failed_login_burst)" in page
    assert f"{500 - MAX_OTHERS} further alerts of this incident are left out here" in page
    assert len(page) < 1_500_000


@pytest.mark.parametrize("make", [summary, hostile, nothing_read])
def test_nothing_is_fetched_from_anywhere(make: object) -> None:
    assert callable(make)
    page = Page(render(make()))
    assert not {"iframe", "object", "embed", "form", "base", "image", "use"} & set(page.tags)
    assert [value for name, value in page.attributes if name in {"src", "srcset", "action", "xlink:href"}] == []
    assert "url(" not in re.sub(r"<bdi>.*?</bdi>", "", render(make()))


def test_the_order_of_the_alerts_does_not_change_the_list() -> None:
    alerts = [alert(1), alert(2, severity="high"), alert(3)]
    assert render(summary(*alerts)) == render(summary(*alerts[::-1]))


def test_an_alert_that_still_fires_is_marked() -> None:
    text = Page(render(summary(msgspec.structs.replace(alert(1), status="firing")))).text
    assert "still going on when the input ended" in text
