"""The documentation says what is true: links lead somewhere, options exist, the demo's output is the real one, generated parts are current."""

import ast
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest

from detectors.registry import DETECTORS
from monitor.docs_reference import DOCS, stale
from monitor.settings import Settings
from schemas.errors import REJECT_REASONS
from schemas.event import KINDS
from schemas.formats import FORMATS
from tests.commands import watchfloor
from tests.integration.test_real_logs import COVERED

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = sorted(
    path
    for path in (*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md"), *(REPOSITORY / "deploy").rglob("*.md"))
    if path.is_file()
)
COMMANDS = ("", "run", "replay", "simulate", "evaluate", "explain", "check-config", "rules test")
PLANNED_DETECTORS = {
    *("failed_login_burst", "slow_brute_force", "password_spray", "credential_stuffing", "success_after_failures", "mfa_fatigue"),
    *("mfa_change", "password_reset_abuse", "impossible_travel", "new_geography", "session_hijack", "dormant_account"),
    *("authorization_failure_burst", "object_enumeration", "privilege_change", "api_key_abuse", "bulk_export", "unusual_query"),
    *("audit_log_tampering", "source_silence", "api_volume_anomaly", "off_hours_activity", "behaviour_anomaly"),
}
"""What the first complete version has; the README says which of them are not there yet."""
OTHER_OPTIONS = {"--check", "--randomly-seed"}
"""Options of other programs that the pages name."""

_CODE = re.compile(r"```[a-z]*\n(.*?)```|`([^`\n]+)`", re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_ANCHOR = re.compile(r'<a id="([^"]+)">')


def title(page: Path) -> str:
    return str(page.relative_to(REPOSITORY))


def text_of(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


def anchors(page: Path) -> set[str]:
    """What a link to a part of this page may name, as GitHub makes it of the headings."""
    text = page.read_text(encoding="utf-8")
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in _HEADING.findall(text)}
    return slugs | set(_ANCHOR.findall(text))


@cache
def options_of(command: str) -> frozenset[str]:
    return frozenset(re.findall(r"--[a-z][a-z-]*", watchfloor(*command.split(), "--help").out))


@pytest.mark.parametrize("page", PAGES, ids=title)
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for link in _LINK.findall(_CODE.sub("", page.read_text(encoding="utf-8"))):
        path, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", link):
            continue
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or not target.is_relative_to(REPOSITORY) or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


@pytest.mark.parametrize("page", PAGES, ids=title)
def test_every_option_that_is_named_exists(page: Path) -> None:
    unknown = set()
    known = set().union(*(options_of(command) for command in COMMANDS)) | OTHER_OPTIONS
    for block, span in _CODE.findall(page.read_text(encoding="utf-8")):
        for line in (block or span).splitlines():
            # Of a whole command its own options, of anything else any option there is.
            found = re.search(r"\bwatchfloor (replay|explain|check-config|rules test)\b(.*)", line)
            allowed = options_of(found[1]) if found else known
            said = found[2] if found else line if not re.search(r"\b(?:chown|curl|iconv|jq|openssl)\b", line) else ""
            unknown |= set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", said)) - allowed
    assert not unknown


def test_every_command_that_is_named_exists() -> None:
    named = {word for page in PAGES for code in _CODE.findall(page.read_text(encoding="utf-8")) for word in _commands("".join(code))}
    assert named <= {command.partition(" ")[0] for command in COMMANDS}


def _commands(code: str) -> list[str]:
    return re.findall(r"(?:^|bin/|\$ )watchfloor ([a-z][a-z-]+)", code, re.MULTILINE)


def test_generated_references_are_current() -> None:
    assert stale(DOCS) == []


@pytest.mark.parametrize("name", DETECTORS)
def test_every_detector_has_a_runbook(name: str) -> None:
    assert (REPOSITORY / "deploy" / "runbooks" / f"{name}.md").is_file()


def test_every_runbook_is_of_a_detector() -> None:
    runbooks = {path.stem for path in (REPOSITORY / "deploy" / "runbooks").glob("*.md")} - {"README"}
    assert runbooks <= set(DETECTORS)


def section_of(page: str, heading: str) -> str:
    return text_of(page).partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def test_the_readme_lists_the_formats_and_detectors_there_are_and_no_others() -> None:
    table = section_of("README.md", "What is in it")
    assert set(re.findall(r"\[`(\w+)`\]\(docs/formats\.md#\1\)", table)) == set(FORMATS)
    assert set(re.findall(r"\[`(\w+)`\]\(docs/detectors\.md#\1\)", table)) == set(DETECTORS)


def test_the_readme_says_which_detectors_are_missing() -> None:
    said = re.findall(r"`(\w+)`", section_of("README.md", "What is not in it yet"))
    assert set(said) == PLANNED_DETECTORS - set(DETECTORS)


def test_the_page_on_formats_has_a_section_for_each_which_links_its_table() -> None:
    page = text_of("docs/formats.md")
    assert re.findall(r"^## (\w+)$", page, re.MULTILINE) == re.findall(r"^\| \[`(\w+)`\]\(#\1\)", page, re.MULTILINE)
    assert set(re.findall(r"^## (\w+)$", page, re.MULTILINE)) == set(FORMATS)
    assert not [name for name in FORMATS if f"[{name}](formats/{name}.md)" not in section_of("docs/formats.md", name)]


def test_the_page_on_formats_counts_the_kinds() -> None:
    assert len(KINDS) == 15
    assert "[fifteen kinds](formats/kinds.md)" in text_of("docs/formats.md")


def test_every_reason_of_a_reject_is_explained() -> None:
    assert not [reason for reason in REJECT_REASONS if f"`{reason}`" not in text_of("docs/replay.md")]


def test_the_readme_shows_what_the_demo_finds() -> None:
    shown = text_of("README.md").partition("```text\n")[2].partition("```")[0].splitlines()
    found = watchfloor("replay", "deploy/examples/logs", cwd=REPOSITORY).out.partition("\n\n")[0].splitlines()
    assert shown == found


def test_the_readme_names_only_tests_that_exist() -> None:
    named = {name for page in PAGES for name in re.findall(r"`(test_\w+)`", page.read_text(encoding="utf-8"))}
    defined = {
        node.name
        for path in (REPOSITORY / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    }
    assert named <= defined


def test_the_page_on_coverage_claims_what_is_tested() -> None:
    section = text_of("docs/coverage.md").partition("\n## Found\n")[2].partition("\n## ")[0]
    claimed = {}
    for row in re.findall(r"^\| `.*$", section, re.MULTILINE):
        case, detectors, *_ = row.strip("| ").split(" | ")
        claimed[case.strip("`")] = tuple(re.findall(r"`([^`]+)`", detectors))
    assert claimed == COVERED


def test_every_decision_is_listed() -> None:
    folder = REPOSITORY / "docs" / "decisions"
    listed = text_of("docs/decisions/README.md")
    assert not [path.name for path in folder.glob("20*.md") if f"({path.name})" not in listed]


def test_environment_names_in_the_pages_are_settings() -> None:
    named = {name for page in PAGES for name in re.findall(r"WATCHFLOOR__([A-Z_]+)=", page.read_text(encoding="utf-8"))}
    known = set(Settings.model_fields)
    assert {name.partition("__")[0].lower() for name in named} <= known


def test_the_python_that_is_asked_for_is_the_one_that_is_needed() -> None:
    needed = tomllib.loads(text_of("pyproject.toml"))["project"]["requires-python"].removeprefix(">=")
    assert f"Python {needed}" in text_of("README.md")
