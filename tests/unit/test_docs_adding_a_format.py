"""The page on adding a format shows one that works: its code is run, registered beside the others and held to their contract."""

import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

from monitor.formats_reference import reference
from schemas.formats import FORMATS
from schemas.formats.base import Context, Memory
from tests.contract import test_formats
from tests.contract.format_case import SAMPLES, Case

REPOSITORY = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

CHECKS = {name: check for name, check in vars(test_formats).items() if name.startswith("test_")}
AMONG_OTHERS = (
    "test_the_own_sample_is_detected",
    "test_the_sample_of_another_format_is_not_claimed",
    "test_a_record_of_another_format_makes_no_event",
)
"""What the formats that are there must still keep when another one joins them."""


@cache
def page() -> tuple[str, bytes, str]:
    """Code, sample and test of the page."""
    blocks = _BLOCK.findall((REPOSITORY / "docs" / "adding-a-format.md").read_text(encoding="utf-8"))
    (code, test), (sample,) = [text for name, text in blocks if name == "python"], [text for name, text in blocks if name == "text"]
    return code, sample.encode(), test


@cache
def module() -> ModuleType:
    made = ModuleType("schemas.formats.vpn")
    exec(compile(page()[0], "docs/adding-a-format.md", "exec"), made.__dict__)
    return made


def case(name: str = "vpn") -> Case:
    formats, samples = {**FORMATS, "vpn": module().FORMAT}, {**SAMPLES, "vpn": page()[1]}
    return Case(name, formats, samples, identified=False)


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_it_keeps_the_contract(check: Callable[[Case], None]) -> None:
    check(case())


@pytest.mark.parametrize("check", AMONG_OTHERS)
@pytest.mark.parametrize("name", sorted(FORMATS))
def test_it_leaves_the_others_theirs(name: str, check: str) -> None:
    CHECKS[check](case(name))


def test_the_contract_would_notice_a_format_that_is_not_right() -> None:
    class Leaky:
        name = "vpn"
        title = "leaks what it was given"
        rules = ignored = ()

        def recognise(self, sample: bytes) -> float:
            return 1.0 + 0 * len(sample)

        def parser(self, context: Context) -> object:
            return module().FORMAT.parser(context)

    wrong = Case("vpn", {**FORMATS, "vpn": Leaky()}, {**SAMPLES, "vpn": page()[1]}, identified=True)  # type: ignore[dict-item]
    for name in ("test_nothing_and_noise_are_no_format", "test_a_repeated_line_is_a_repeat_only_where_records_have_an_identity"):
        with pytest.raises(AssertionError):
            CHECKS[name](wrong)


def test_its_own_test_holds() -> None:
    names = {"FORMAT": module().FORMAT, "Context": Context, "Memory": Memory}
    exec(compile(page()[2], "docs/adding-a-format.md", "exec"), names)
    tests = [made for name, made in names.items() if name.startswith("test_")]
    assert len(tests) == 1
    tests[0]()


def test_its_page_can_be_made() -> None:
    made = reference(module().FORMAT)
    assert "- Recognised by the share of the first whole lines that have seven fields and a known event.\n" in made
    assert "| `TOKEN_REFUSED` | `auth.mfa_challenge` | mfa_denied |" in made
    assert "| `KEEPALIVE` | every minute, of every session |" in made


@pytest.mark.parametrize("command", [["check"], ["format", "--check", "--quiet"]], ids=["lint", "format"])
def test_its_code_is_in_the_style_of_the_house(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "--stdin-filename", "schemas/formats/vpn.py", "-"],
        input=page()[0],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_its_types_are_right(tmp_path: Path) -> None:
    (tmp_path / "vpn.py").write_text(page()[0] + "\n\n_CHECKED: Format = FORMAT\n", encoding="utf-8")
    text = (tmp_path / "vpn.py").read_text(encoding="utf-8").replace("import Context\n", "import Context, Format\n")
    (tmp_path / "vpn.py").write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", str(tmp_path / "vpn.py")],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
    )
    assert done.returncode == 0, done.stdout + done.stderr
