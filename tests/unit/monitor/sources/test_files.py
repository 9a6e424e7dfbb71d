"""The content of files and of standard input."""

import gzip
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.sources.files import expand, open_input
from monitor.sources.records import Batch
from schemas.errors import InputError

ZSTD = zstandard.ZstdCompressor(write_checksum=True)  # as the zstd command does
PRETTY = b'{\n  "Records": [\n    {"eventName": "GetUser"}\n  ]\n}'
TEXT = b"".join(b'{"time": %d, "kind": "auth.login", "ip": "192.0.2.%d"}\n' % (i * 7919, i % 250) for i in range(20_000))


def plain(content: bytes) -> bytes:
    return content


def gzip_members(content: bytes) -> bytes:
    half = len(content) // 2
    return gzip.compress(content[:half], mtime=0) + gzip.compress(content[half:], mtime=0) + b"\0\0\0"


def zstd_frames(content: bytes) -> bytes:
    half = len(content) // 2
    skipped = b"\x50\x2a\x4d\x18\x02\x00\x00\x00hi"
    return skipped + zstandard.compress(content[:half]) + zstandard.compress(content[half:])


PACKINGS: list[Callable[[bytes], bytes]] = [plain, gzip_members, zstd_frames]


def write(path: Path, content: bytes = b"x\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def read(path: Path, max_record_bytes: int = 1000, *, chunk_bytes: int = 1 << 20, max_records: int = 1000) -> list[Batch]:
    with open_input(path, max_record_bytes, chunk_bytes=chunk_bytes) as source:
        return list(source.batches(max_records))


def records(batches: list[Batch]) -> list[bytes]:
    return [record for batch in batches for record in batch.records]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=st.lists(st.binary(max_size=12) | st.sampled_from([b"", b"a\r"]), max_size=8),
    pack=st.sampled_from(PACKINGS),
    chunk_bytes=st.integers(1, 200),
    max_records=st.integers(1, 4),
)
def test_records_are_the_lines_however_they_are_packed_and_read(
    lines: list[bytes], pack: Callable[[bytes], bytes], chunk_bytes: int, max_records: int, tmp_path: Path
) -> None:
    content = b"\n".join([b"first", *lines])  # the first line keeps chance from making a magic number or a document
    path = write(tmp_path / "log", pack(content))

    batches = read(path, chunk_bytes=chunk_bytes, max_records=max_records)

    expected = [(i, line.removesuffix(b"\r")) for i, line in enumerate(content.split(b"\n"), 1)]
    assert [pair for batch in batches for pair in zip(batch.lines, batch.records, strict=True)] == [
        (i, line) for i, line in expected if line
    ]
    assert all(1 <= len(batch.records) <= max_records for batch in batches)


@pytest.mark.parametrize("pack", PACKINGS)
def test_large_files_are_read_the_same_however_they_are_packed(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = write(tmp_path / "log", pack(TEXT))

    with open_input(path) as source:
        batches = list(source.batches())

        assert source.sample == TEXT[: 64 * 1024]
        assert source.problem is None
        assert source.read_bytes == source.size_bytes == path.stat().st_size
        assert source.written_ts == path.stat().st_mtime
        assert source.name == str(path)
    assert records(batches) == TEXT.splitlines()


def broken(packed: bytes) -> bytes:
    middle = len(packed) // 2
    return packed[:middle] + bytes(byte ^ 0xFF for byte in packed[middle : middle + 50]) + packed[middle + 50 :]


def random_lines() -> bytes:
    """Lines that pack badly, so that a damaged place is also in the middle of the content."""
    import random

    chance = random.Random(7)
    return b"".join(chance.randbytes(20).hex().encode() + b"\n" for _ in range(30_000))


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda text: gzip.compress(text)[:-100], "ends in the middle of its gzip stream"),
        (lambda text: gzip.compress(text)[:-5], "ends in the middle of its gzip stream"),
        (lambda text: gzip.compress(text) + gzip.compress(b"more")[:12], "ends in the middle of its gzip stream"),
        (lambda text: gzip.compress(text) + b"something", "has something else after its gzip stream"),
        (lambda text: gzip.compress(text)[:-8] + b"\1" * 8, "is damaged: its gzip stream cannot be read beyond about byte "),
        (lambda text: zstandard.compress(text) + b"something", "has something else after its zstd stream"),
        (lambda text: zstandard.compress(text)[:-3], "ends in the middle of its zstd stream"),
    ],
)
def test_a_damage_at_the_end_costs_at_most_the_end(damage: Callable[[bytes], bytes], problem: str, tmp_path: Path) -> None:
    text = random_lines()
    path = write(tmp_path / "log", damage(text))

    with open_input(path) as source:
        got = records(list(source.batches()))

        assert source.problem is not None
        assert source.problem.startswith(problem)
    assert got == text.splitlines()[: len(got)]
    assert len(got) > 26_000  # a zstd block holds at most 128 KiB: 3197 lines of 41 bytes


@pytest.mark.parametrize(("pack", "kind"), [(gzip.compress, "gzip"), (ZSTD.compress, "zstd")])
def test_a_damage_in_the_middle_ends_the_reading_there(pack: Callable[[bytes], bytes], kind: str, tmp_path: Path) -> None:
    text = random_lines()
    path = write(tmp_path / "log", broken(pack(text)))

    with open_input(path) as source:
        batches = list(source.batches())

        assert source.problem is not None
        assert kind in source.problem
    assert text.splitlines()[:11_000] == records(batches)[:11_000]


def test_the_line_at_which_a_packed_file_breaks_off_is_no_record(tmp_path: Path) -> None:
    path = write(tmp_path / "log.gz", gzip.compress(b"one\ntwo")[:-8])  # all of the content, nothing of the trailer

    assert read(path) == [Batch([b"one"], range(1, 2)), Batch(truncated=(2, b"two"))]


@pytest.mark.parametrize("content", [b"\x1f\x8b", b"\x1f\x8b\x08\xff\xff", b"\x28\xb5\x2f\xfd", b"\x28\xb5\x2f\xfd" + b"\xff" * 40])
def test_a_packed_file_of_which_nothing_is_left_is_reported(content: bytes, tmp_path: Path) -> None:
    with open_input(write(tmp_path / "log", content)) as source:
        assert list(source.batches()) == []
        assert source.problem is not None


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b"\n\r\n", []),
        (b"\xef\xbb\xbf{}\n", [b"{}"]),
        (b"\xef\xbb\xbf", []),
        (b"plain text named .gz\n", [b"plain text named .gz"]),
        (PRETTY + b"\n", [PRETTY]),
        (b"\xef\xbb\xbf\n" + PRETTY, [PRETTY]),
        (b'[{"a":1},{"a":2}]', [b'[{"a":1},{"a":2}]']),
        (b'{"a":1}{"a":2}\n', [b'{"a":1}', b'{"a":2}']),
        (b'{"a":"on\n{"a":2}\n', [b'{"a":"on', b'{"a":2}']),
        (b"\x00\x01\xfe\n\xff", [b"\x00\x01\xfe", b"\xff"]),
    ],
)
def test_content_becomes_records(content: bytes, expected: list[bytes], tmp_path: Path) -> None:
    assert records(read(write(tmp_path / "log.gz", content))) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("one\ntwo\n".encode("utf-16"), "is UTF-16 text; convert it first.*iconv"),
        ("one\n".encode("utf-16-be").join([b"\xfe\xff", b""]), "is UTF-16 text"),
        (gzip.compress("one\n".encode("utf-16"), mtime=0), "is UTF-16 text"),
        (b"BZh91AY&SY\x00\x00", "bzip2 files are not read as they are.*bzip2 -dc"),
        (b"\xfd7zXZ\x00\x00\x00\x00\x00", "xz files are not read"),
        (b"PK\x03\x04\x00\x00\x00\x00\x00\x00", "zip files are not read"),
    ],
)
def test_content_of_another_kind_is_refused_with_its_cure(content: bytes, expected: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"log: {expected}"):
        open_input(write(tmp_path / "log", content))


def test_a_long_list_on_one_line_is_a_record_though_it_exceeds_the_limit(tmp_path: Path) -> None:
    wrapper = b'{"Records":[' + b",".join([b'{"a":1}'] * 1000) + b"]}"

    assert records(read(write(tmp_path / "log", wrapper), 100)) == [wrapper]
    assert read(write(tmp_path / "log", b'{"a":"' + b"x" * 100 + b'"}\n'), 100)[0].oversize[0][0] == 1


def test_a_document_over_the_limit_is_an_error_with_its_cure(tmp_path: Path) -> None:
    path = write(tmp_path / "log", b"[\n" + b'{"a":1},\n' * 20_000 + b"1]")

    with (
        open_input(path, max_document_bytes=100_000) as source,
        pytest.raises(InputError, match=r"log: .*larger than 0.09\d* MiB; write one"),
    ):
        list(source.batches())


def test_a_line_of_50_mb_is_read_in_bounded_memory(tmp_path: Path) -> None:
    size_bytes = 50_000_000
    path = write(tmp_path / "log.gz", gzip.compress(b"one\n" + b"x" * size_bytes + b"\ntwo\n", 1))

    tracemalloc.start()
    with open_input(path) as source:
        batches = list(source.batches())
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert records(batches) == [b"one", b"two"]
    assert [(line, len(data)) for batch in batches for line, data in batch.oversize] == [(2, size_bytes)]
    assert peak_bytes < 1.3 * size_bytes


def test_a_small_file_that_unpacks_to_very_much_is_read_in_bounded_memory(tmp_path: Path) -> None:
    path = write(tmp_path / "log.zst", zstandard.compress(bytes(100_000_000)))  # about 10 kB

    tracemalloc.start()
    with open_input(path) as source:
        batches = list(source.batches())
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    (batch,) = batches
    assert batch.cut == {1}
    assert len(batch.oversize[0][1]) == 64 * 1024 * 1024
    assert peak_bytes < 160_000_000


def test_a_folder_in_place_of_a_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a directory; name the files in it"):
        open_input(tmp_path)


def test_a_file_that_fails_while_it_is_read_is_an_error() -> None:
    memory = Path("/proc/self/mem")  # opens, but has nothing to read at its beginning
    if not memory.exists():
        pytest.skip("no /proc")

    with pytest.raises(InputError, match="/proc/self/mem: reading it failed: input/output error"):
        open_input(memory)


# Standard input

READ_STDIN = """
from monitor.sources.files import STDIN, open_input
with open_input(STDIN) as source:
    n = sum(len(batch.records) for batch in source.batches())
    print(source.name, n, len(source.sample), source.size_bytes, source.written_ts, source.read_bytes, source.problem)
"""


@pytest.mark.parametrize("pack", PACKINGS)
def test_standard_input_is_read_like_a_file(pack: Callable[[bytes], bytes]) -> None:
    packed = pack(TEXT)

    done = subprocess.run([sys.executable, "-c", READ_STDIN], input=packed, capture_output=True, check=True)

    assert done.stdout.decode() == f"stdin 20000 65536 None None {len(packed)} None\n"


def test_closed_standard_input_is_an_error_with_its_cure() -> None:
    closing = "import os; os.close(0)\n" + READ_STDIN

    done = subprocess.run([sys.executable, "-c", closing], input=b"", capture_output=True, check=False)

    assert b"InputError: stdin: bad file descriptor" in done.stderr


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(path, os.O_WRONLY)
    yield path, writer
    os.close(reader)


def test_a_quiet_pipe_is_not_waited_for(pipe: tuple[Path, int]) -> None:
    path, writer = pipe
    os.write(writer, b"a first line\n")

    with open_input(path, patience_s=0.001) as source:
        batches = source.batches()
        assert source.sample == b"a first line\n"
        assert next(batches).records == [b"a first line"]
        os.write(writer, b"second\nthi")
        assert next(batches).records == [b"second"]
        os.close(writer)
        assert list(batches) == [Batch([b"thi"], [3], truncated_last=True)]
        assert source.size_bytes is None
        assert source.written_ts is None


@pytest.mark.realdata
def test_real_files_are_cut_as_their_makers_meant(real_logs: Path) -> None:
    import json

    for path in expand([str(real_logs / "cloudtrail"), str(real_logs / "streamalert"), str(real_logs / "panther")]):
        assert isinstance(path, Path)
        if path.suffix in {".json", ".jsonl"}:
            assert all(json.loads(record) is not None for record in records(read(path, 1 << 20)))
