"""Whatever the bytes are: a parser gives events within bounds or a known reject, and the same again for the same input."""

import json
from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from schemas.errors import REJECT_REASONS, RejectError
from schemas.event import KINDS, Event
from schemas.formats import FORMATS
from schemas.formats.base import Context, Memory, Parser
from schemas.jsonschema import event_schema
from schemas.stamps import EARLIEST_TS, LATEST_TS

SAMPLES = Path(__file__).parent.parent / "contract" / "samples"
LINES = {name: (SAMPLES / f"{name}.log").read_bytes().splitlines() for name in FORMATS}
EVENT_SCHEMA = Draft202012Validator(event_schema())
EVERY_LINE = [line for lines in LINES.values() for line in lines]

INSERTS = st.sampled_from(
    [
        *(bytes([n]) for n in (0, 7, 9, 10, 13, 27, 34, 92, 127, 128, 255)),
        b"9" * 400,
        b"-" + b"9" * 5000,
        b"1e999",
        b"-1",
        b"NaN",
        b"null",
        b'""',
        b"\\ud800",
        b"\\u0000",
        b"%00%zz%",
        b"\xe2\x80\xae",
        b"\xed\xa0\x80",
        b"[" * 2000,
        b'{"a":' * 2000,
        b"x" * 20_000,
        b"::ffff:192.0.2.1%eth0",
        "٣".encode(),
    ],
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A sample line of any format, flipped, cut, doubled and stuffed a few times."""
    record = bytearray(draw(st.sampled_from(EVERY_LINE)))
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, max(0, len(record) - 1)))
        match draw(st.sampled_from(["flip", "cut", "drop", "insert", "splice"])):
            case "flip" if record:
                record[at] ^= draw(st.integers(1, 255))
            case "cut":
                del record[at:]
            case "drop":
                del record[at : at + draw(st.integers(1, 40))]
            case "insert":
                record[at:at] = draw(INSERTS)
            case _:
                other = draw(st.sampled_from(EVERY_LINE))
                record[at:] = other[draw(st.integers(0, len(other))) :]
    return bytes(record)


FIELD_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=40) | st.sampled_from(sorted(KINDS)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def make_parser(name: str) -> Parser:
    return FORMATS[name].parser(Context(memory=Memory(), written_ts=1_782_864_000.0))


def result_of(parser: Parser, record: bytes) -> Sequence[Event] | str:
    """The events or the reject's text; any other exception fails the test."""
    try:
        return list(parser.parse(record))
    except RejectError as reject:
        return str(reject)


def check_result(result: Sequence[Event] | str) -> None:
    if isinstance(result, str):
        assert result.partition(":")[0] in REJECT_REASONS
        return
    for event in result:
        assert event.kind in KINDS
        assert event.id
        assert EARLIEST_TS <= event.ts < LATEST_TS
        orjson.dumps({name: getattr(event, name) for name in event.__struct_fields__})  # no lone surrogates, no giant numbers


def check(name: str, records: Sequence[bytes]) -> None:
    first, second = make_parser(name), make_parser(name)
    for record in records:
        result = result_of(first, record)
        assert result == result_of(second, record)
        check_result(result)
    assert 0.0 <= FORMATS[name].recognise(b"\n".join(records)) <= 1.0
    orjson.dumps(first.dump())


@pytest.mark.parametrize("name", sorted(FORMATS))
@given(records=st.lists(st.binary(max_size=300), max_size=5))
@settings(max_examples=150, deadline=None)
def test_arbitrary_bytes(name: str, records: list[bytes]) -> None:
    check(name, records)


@pytest.mark.parametrize("name", sorted(FORMATS))
@given(records=st.lists(mutated(), min_size=1, max_size=6))
@example(records=[b"Mar \x1c1 08:00:00 web1 sshd[1201]: Server listening on 0.0.0.0 port 22."])
@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
def test_mutated_samples(name: str, records: list[bytes]) -> None:
    check(name, records)


@pytest.mark.parametrize("name", sorted(FORMATS))
@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"time":', b'{"kind":[', b"(", b'"', b"\\", b" ", b"sshd[", b"<"])
@pytest.mark.parametrize("prefix", [b"", b'{"time":1767225600,"kind":"auth.login","x":', b'{"eventVersion":"1.08","eventTime":'])
def test_deep_nesting_and_long_repeats(name: str, opening: bytes, prefix: bytes) -> None:
    check(name, [prefix + opening * 100_000])


@given(fields=st.dictionaries(st.sampled_from([*Event.__struct_fields__, "time"]), FIELD_VALUES, max_size=6))
@example(fields={"time": 10**400})
@example(fields={"actor": "\ud800"})
@settings(max_examples=400, deadline=None)
def test_native_fields_of_any_value_are_accepted_only_when_the_published_schema_does(fields: dict[str, object]) -> None:
    document = {"time": 1_767_225_600, "kind": "auth.login", **fields}
    record = json.dumps(document).encode()
    check("native", [record])
    if not isinstance(result_of(make_parser("native"), record), str):
        EVENT_SCHEMA.validate(document)
