"""Whatever a log file is made of: the replay ends, every record is accounted for, and no event of a good record is lost."""

import gzip
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import orjson
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.app import Parts
from monitor.engines.replay import Options, Replay
from monitor.settings import Settings
from monitor.sources.files import expand, open_input
from schemas.alert import Alert
from schemas.errors import REJECT_REASONS, InputError, RejectError
from schemas.event import Event
from schemas.formats import FORMATS
from schemas.formats.base import Context, Memory

SAMPLES = Path(__file__).parents[1] / "contract" / "samples"
CONTENTS = {name: (SAMPLES / f"{name}.log").read_bytes() for name in FORMATS}
LINES = [line for content in CONTENTS.values() for line in content.splitlines(keepends=True)]
STUFFING = [
    b"\n",
    b"\r\n",
    b"\0",
    b"\xff\xfe",
    b"\x1f\x8b",
    b"\xef\xbb\xbf",
    b"[",
    b"{",
    b"}]",
    b'"',
    b"\\",
    b"\\ud800",
    b"\x1b[31m",
    b"2099",
    b"1970",
    b"9" * 30,
    b"1e400",
    b"NaN",
    b"x" * 3000,
    b'{"a":' * 3000,
]
MAX_RECORD_BYTES = 2_000
"""So that long lines occur in small files."""
YEAR = 2026
SETTINGS = Settings()


@st.composite
def contents(draw: st.DrawFn) -> bytes:
    """Samples of one or more formats, one after the other, flipped, cut, stuffed, and with lines doubled, dropped and moved."""
    parts = draw(st.lists(st.sampled_from(sorted(CONTENTS)), min_size=1, max_size=3))
    made = bytearray(b"".join(CONTENTS[name] for name in parts))
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, max(0, len(made) - 1)))
        line_start = made.rfind(b"\n", 0, at) + 1
        line_end = made.find(b"\n", at) + 1 or len(made)
        match draw(st.sampled_from(["flip", "insert", "delete", "double", "drop", "move", "cut"])):
            case "flip" if made:
                made[at] ^= draw(st.integers(1, 255))
            case "insert":
                made[at:at] = draw(st.sampled_from(STUFFING))
            case "delete":
                del made[at : at + draw(st.integers(1, 200))]
            case "double":
                made[line_end:line_end] = made[line_start:line_end]
            case "drop":
                del made[line_start:line_end]
            case "move":
                made[line_start:line_start] = draw(st.sampled_from(LINES))
            case _:
                del made[at:]
    return bytes(made)


class Outcome(msgspec.Struct):
    """All that a replay said."""

    replay: Replay
    parts: Parts
    alerts: list[Alert]
    events: list[Event]
    rejects: list[tuple[int, bytes, str]]


def replay(paths: Sequence[Path], format_name: str) -> Outcome:
    events: list[Event] = []
    rejects: list[tuple[int, bytes, str]] = []
    parts = Parts(SETTINGS, lambda _source, line, record, error: rejects.append((line, record, error.reason)))
    options = Options(format=format_name, year=YEAR, max_record_bytes=MAX_RECORD_BYTES, batch_records=7)
    engine = Replay(parts.core, options, on_events=events.extend)
    alerts = [alert for some in engine.run(expand([str(path) for path in paths])) for alert in some]
    return Outcome(engine, parts, alerts, events, rejects)


def by_hand(path: Path, format_name: str) -> tuple[int, list[Event], Counter[str]]:
    """Records, events and rejects of a file, read by the parser alone, without the pipeline."""
    parser = FORMATS[format_name].parser(Context(memory=Memory(), year=YEAR))
    records = 0
    events: list[Event] = []
    rejects: Counter[str] = Counter()
    with open_input(path, MAX_RECORD_BYTES) as opened:
        for batch in opened.batches():
            rejects["too_long"] += len(batch.oversize)
            rejects["truncated"] += batch.truncated is not None
            for record in batch.records:
                records += 1
                try:
                    events.extend(parser.parse(record))
                except RejectError as error:
                    rejects[error.reason] += 1
                rejects.update(reason for reason, _ in getattr(parser, "partial_rejects", ()))
    return records, events, +rejects


def check(path: Path, outcome: Outcome) -> None:
    engine = outcome.replay
    [report] = engine.reports
    assert not outcome.parts.core.runner.failed
    assert not engine.broken
    if report.format is None:
        assert report.how == "empty"
        assert not outcome.events
        return
    records, events, rejects = by_hand(path, report.format)
    refused = report.rejects.get("future_time", 0)
    assert report.records == records
    assert set(report.rejects) <= REJECT_REASONS
    assert {reason: n for reason, n in report.rejects.items() if reason != "future_time"} == rejects
    # every event of an accepted record is used, is a repeat, or was told apart for its time
    assert report.events == engine.events == len(outcome.events) == len(events) - report.repeats - refused
    wanted = Counter(event.id for event in events)
    assert not Counter(event.id for event in outcome.events) - wanted
    assert report.repeats == sum(wanted.values()) - len(wanted)
    assert len(outcome.events) == len({event.id for event in outcome.events})
    assert sum(ingest.kinds.total() for ingest in outcome.parts.core.inputs.values()) == len(outcome.events)
    if path.suffix == ".log":
        content = path.read_bytes()
        assert all(record in content for _, record, _ in outcome.rejects)
    kept, counted = {reason for _, _, reason in outcome.rejects}, set(report.rejects)
    assert kept <= counted
    assert bool(kept) == bool(counted)
    if not hasattr(FORMATS[report.format].parser(Context(memory=Memory())), "partial_rejects"):
        assert kept == counted  # a record that wraps several entries is kept once, under the reason of the first bad one
    for alert in outcome.alerts:
        orjson.loads(msgspec.json.encode(alert))
        assert set(alert.evidence) <= set(wanted)


def fuzz(content: bytes, format_name: str, name: str = "input.log") -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        try:
            outcome = replay([path], format_name)
        except InputError as error:
            assert path.name in str(error)  # noqa: PT017 - an error is as good an outcome as any
        else:
            check(path, outcome)


FUZZ = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


@pytest.mark.parametrize("format_name", ["auto", *FORMATS])
@given(content=contents())
@FUZZ
def test_every_record_of_a_mutated_log_is_accounted_for(format_name: str, content: bytes) -> None:
    fuzz(content, format_name)


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress], ids=["gz", "zst"])
@given(content=contents(), damage=st.data())
@FUZZ
def test_every_record_before_the_damage_is_accounted_for(pack: Callable[[bytes], bytes], content: bytes, damage: st.DataObject) -> None:
    packed = bytearray(pack(content))
    for at in damage.draw(st.lists(st.integers(0, len(packed) - 1), max_size=3)):
        packed[at] ^= 1 << damage.draw(st.integers(0, 7))
    end = damage.draw(st.integers(len(packed) // 2, len(packed)))
    fuzz(bytes(packed[:end]), "auto", "input.log.packed")


@pytest.mark.parametrize("format_name", ["auto", *FORMATS])
@given(content=st.binary(max_size=400))
@FUZZ
def test_arbitrary_bytes_are_accounted_for(format_name: str, content: bytes) -> None:
    fuzz(content, format_name)


@pytest.mark.parametrize("format_name", ["auto", *FORMATS])
@given(first=contents(), second=contents())
@settings(FUZZ, max_examples=25)
def test_two_mutated_logs_side_by_side_lose_nothing(format_name: str, first: bytes, second: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / "a.log", Path(folder) / "b.log"]
        for path, content in zip(paths, (first, second), strict=True):
            path.write_bytes(content)
        try:
            outcome = replay(paths, format_name)
        except InputError:
            return
        assert not outcome.parts.core.runner.failed
        assert sum(report.events for report in outcome.replay.reports) == outcome.replay.events == len(outcome.events)
        for path, report in zip(paths, outcome.replay.reports, strict=True):
            if report.format is None:
                continue
            records, events, _ = by_hand(path, report.format)
            assert report.records == records
            if report.format != "sshd":  # one connection may have lines in both, which make fewer events together than apart
                assert len(events) == report.events + report.repeats + report.rejects.get("future_time", 0)
        assert len(outcome.events) == len({event.id for event in outcome.events})
