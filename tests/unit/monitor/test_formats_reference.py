"""The generated page of a format: everything its tables say, grouped by kind, in an order that does not change."""

import re
import subprocess
import sys
from collections import Counter

import pytest

from detectors.registry import DETECTORS
from monitor.formats_reference import kinds_reference, recognised_by, reference
from schemas.event import KINDS
from schemas.formats import FORMATS


def cells(page: str) -> list[list[str]]:
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in page.splitlines() if line.startswith("| `")]
    return [[cell.strip().replace("\\|", "|").replace("\\*", "*") for cell in row] for row in rows]


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_every_row_is_on_the_page_once(name: str) -> None:
    found = cells(reference(FORMATS[name]))
    expected = [(f"`{event}`", f"`{kind}`", note) for event, kind, note in FORMATS[name].rules]
    assert Counter(tuple(row) for row in found if len(row) == 3) == Counter(expected)
    assert Counter(row[0] for row in found if len(row) == 2) == Counter(f"`{event}`" for event, _, _ in FORMATS[name].ignored)


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_rows_stand_under_their_kind(name: str) -> None:
    for section in reference(FORMATS[name]).split("\n## ")[1:-1]:
        assert {row[1] for row in cells(section)} == {f"`{section.partition(chr(10))[0]}`"}


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_what_a_format_goes_by_is_one_sentence(name: str) -> None:
    sentence = recognised_by(FORMATS[name])
    assert re.fullmatch(r"(the |a |an |field |dotted |`)[^\n]{10,200}\.", sentence)


def test_the_page_of_a_format_says_what_it_does() -> None:
    page = reference(FORMATS["cloudtrail"])
    assert page.startswith("# cloudtrail\n")
    assert "- Recognised by the names every CloudTrail event has; less surely" in page
    assert "| `cloudtrail:StopLogging` | `audit.log_change` |  |" in page
    assert "| `ssm:GetParameter` | `data.export` | when it decrypts |" in page
    assert "| `insight` | CloudTrail's own statistics |" in page


def test_a_bar_or_an_asterisk_does_not_break_a_table() -> None:
    class Odd:
        name = "odd"
        title = "Odd"
        rules = (("a|b *", "auth.login", "x|y *"),)
        ignored = ()

        def recognise(self, sample: bytes) -> float:
            """By nothing."""
            return 0.0 * len(sample)

        def parser(self, context: object) -> object:
            return context

    assert "| `a\\|b *` | `auth.login` | x\\|y \\* |" in reference(Odd())  # type: ignore[arg-type]


def test_each_kind_names_the_formats_that_give_it_and_the_detectors_that_read_it() -> None:
    rows = {row[0].strip("`"): row[2:] for row in cells(kinds_reference())}
    assert set(rows) == KINDS
    for kind, (given, read) in rows.items():
        assert {name for name in FORMATS if f"({name}.md)" in given} == {
            name for name, fmt in FORMATS.items() if kind in {found for _, found, _ in fmt.rules}
        }
        assert {name for name in DETECTORS if f"[`{name}`]" in read} == {name for name, cls in DETECTORS.items() if kind in cls.kinds}
        assert ("no detector of this version" in read) == all(kind not in cls.kinds for cls in DETECTORS.values())


def test_pages_are_the_same_in_every_process() -> None:
    code = "from monitor.formats_reference import reference as r; from schemas.formats import FORMATS as F; print(*map(r, F.values()))"
    runs = {
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, env={"PYTHONHASHSEED": seed}).stdout
        for seed in ("1", "2")
    }
    assert len(runs) == 1
