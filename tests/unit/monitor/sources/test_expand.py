"""Which inputs the arguments of a command name."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from monitor.sources.files import STDIN, Stdin, expand
from schemas.errors import InputError

NOBODY = 65534


def write(path: Path, content: bytes = b"x\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_files_are_taken_as_given_and_folders_in_name_order(tmp_path: Path) -> None:
    b = write(tmp_path / "b.log")
    for name in ["logs/2.log", "logs/10.log", "logs/1/z.log", "logs/.hidden", "logs/.git/x", "logs/a.gz"]:
        write(tmp_path / name)
    os.mkfifo(tmp_path / "logs" / "pipe")
    (tmp_path / "logs" / "gone").symlink_to("nowhere")

    found = expand([str(b), str(tmp_path / "logs")])

    assert [p.relative_to(tmp_path).as_posix() for p in found if isinstance(p, Path)] == [
        "b.log",
        "logs/1/z.log",
        "logs/10.log",
        "logs/2.log",
        "logs/a.gz",
    ]


def test_one_file_is_taken_once_however_often_it_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.log")
    (tmp_path / "link.log").symlink_to(path)

    assert expand(["-", str(path), str(tmp_path), str(tmp_path / "link.log"), "-"]) == [STDIN, path]


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    path = write(tmp_path / "a" / "x.log")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "self").symlink_to("self")

    assert expand([str(tmp_path)]) == [path]


def test_a_pipe_that_is_named_is_taken_without_opening_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # opening it would wait for a writer for ever

    assert expand([str(tmp_path / "pipe")]) == [tmp_path / "pipe"]


def a_link_to_nothing(folder: Path) -> Path:
    (folder / "log").symlink_to("nowhere")
    return folder / "log"


def a_link_to_itself(folder: Path) -> Path:
    (folder / "log").symlink_to("log")
    return folder / "log"


def a_folder_of_hidden_files(folder: Path) -> Path:
    write(folder / "logs" / ".hidden")
    return folder / "logs"


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda folder: folder / "gone.log", "gone.log: no such file or directory; check the spelling"),
        (lambda folder: write(folder / "a.log") / "b", "not a directory; check the spelling"),
        (lambda folder: folder / "a\0b", "not a path"),
        (a_link_to_nothing, "log: no such file or directory"),
        (a_link_to_itself, "log: too many levels of symbolic links"),
        (a_folder_of_hidden_files, "logs: no files in this folder"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_cure(make: Callable[[Path], Path], expected: str, tmp_path: Path) -> None:
    good = write(tmp_path / "good.log")

    with pytest.raises(InputError, match=expected):
        expand([str(good), str(make(tmp_path))])


AS_NOBODY = """
import os, sys
from monitor.sources.files import expand
from schemas.errors import InputError
if os.getuid() == 0:
    os.setuid(int(sys.argv[1]))
try:
    print(expand(sys.argv[2:]))
except InputError as exc:
    print("InputError", exc)
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that any user may enter, other than those of ``tmp_path``: only what the test forbids is forbidden."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.parametrize("name", ["secret.log", "logs", "."])
def test_what_permissions_forbid_is_an_error_before_anything_is_read(name: str, open_folder: Path) -> None:
    write(open_folder / "secret.log").chmod(0)
    write(open_folder / "logs" / "a.log")
    (open_folder / "logs").chmod(0)
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, str(NOBODY), str(open_folder / name)], capture_output=True, text=True, check=True
    )
    (open_folder / "logs").chmod(0o700)

    forbidden = "logs" if name == "." else name
    assert done.stdout.startswith(f"InputError {open_folder / forbidden}: permission denied; let this user read it")


def test_a_name_that_is_no_utf8_can_be_printed(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        expand([str(tmp_path / os.fsdecode(b"\xff.log"))])

    assert "?.log: no such file" in str(caught.value).encode().decode()


def test_standard_input_is_one_of_a_kind() -> None:
    assert expand(["-"]) == [Stdin.STDIN]
