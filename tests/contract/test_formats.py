"""The contract every input format must pass. A new format needs ``samples/<name>.log`` and nothing else to be tested here."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import orjson
import pytest

from schemas.address import canonical_ip
from schemas.errors import REJECT_REASONS, RejectError
from schemas.event import KINDS, ActorType, Event, Outcome
from schemas.formats import FORMATS, SURE_ENOUGH, detect
from schemas.formats.base import Context, Format, Memory, Parser, Recent
from schemas.stamps import EARLIEST_TS, LATEST_TS, from_text

SAMPLES = Path(__file__).parent / "samples"
WRITTEN_TS = from_text("2026-07-01T00:00:00Z")
IDENTIFIED = {"native", "cloudtrail", "ocsf", "ecs", "entra", "microsoft365", "okta", "auth0", "google_workspace", "github"}
"""Formats whose records carry their identity: the same record again is the same event again. In the others it is another event."""

pytestmark = pytest.mark.parametrize("name", sorted(FORMATS))


def sample(name: str) -> bytes:
    return (SAMPLES / f"{name}.log").read_bytes()


def lines(name: str) -> list[bytes]:
    return sample(name).splitlines()


def make_parser(name: str, memory: Memory | None = None, tenant: str | None = None) -> Parser:
    return FORMATS[name].parser(Context(memory=memory or Memory(), written_ts=WRITTEN_TS, tenant=tenant))


def parsed(parser: Parser, records: Sequence[bytes]) -> list[Event]:
    return [event for record in records for event in parser.parse(record)]


def outcome_of(parser: Parser, record: bytes) -> Sequence[Event] | RejectError:
    """The events or the reject; any other exception fails the test."""
    try:
        return parser.parse(record)
    except RejectError as reject:
        return reject


def disturbed(name: str, seed: int, n: int) -> list[bytes]:
    """Sample lines with some bytes replaced: most of them broken, all of them different."""
    rng = random.Random(seed)
    records = lines(name)
    made = []
    for _ in range(n):
        record = bytearray(rng.choice(records))
        for _ in range(rng.randint(1, 4)):
            record[rng.randrange(len(record))] = rng.choice(b'0123456789abc"{}[]:, \x00\xff')
        made.append(bytes(record))
    return made


def test_the_registry_key_is_the_formats_own_name_and_it_has_a_title(name: str) -> None:
    fmt: Format = FORMATS[name]
    assert fmt.name == name
    assert fmt.title
    assert "\n" not in fmt.title


def test_the_own_sample_is_detected(name: str) -> None:
    best, shares = detect(sample(name))
    assert best == name
    assert set(shares) == set(FORMATS)
    assert shares[name] >= SURE_ENOUGH


def test_a_sample_cut_in_the_middle_of_a_line_is_still_detected(name: str) -> None:
    whole = sample(name)
    assert detect(whole[: len(whole) * 3 // 4 - 7])[0] == name


def test_windows_line_ends_do_not_hide_the_format(name: str) -> None:
    assert detect(sample(name).replace(b"\n", b"\r\n"))[0] == name


def test_recognition_is_a_share_between_zero_and_one_whatever_it_is_given(name: str) -> None:
    noise = [random.Random(seed).randbytes(2000) for seed in range(20)]
    broken = [b"\n".join(disturbed(other, 1, 40)) for other in FORMATS]
    for given in [b"", b"\n\n", b"\x00" * 5000, b"[" * 100_000, *noise, *broken, *map(sample, FORMATS)]:
        assert 0.0 <= FORMATS[name].recognise(given) <= 1.0


def test_nothing_and_noise_are_no_format(name: str) -> None:
    for given in [b"", b" \n \n", b"\x00\xff" * 1000, b"hello world\n" * 50, b"{}\n[]\n{}\n", b'{"a": 1}\n' * 10]:
        assert FORMATS[name].recognise(given) < SURE_ENOUGH


def test_the_sample_of_another_format_is_not_claimed(name: str) -> None:
    for other in FORMATS.keys() - {name}:
        assert FORMATS[name].recognise(sample(other)) < SURE_ENOUGH


def test_every_event_is_whole_and_within_bounds(name: str) -> None:
    events = parsed(make_parser(name), lines(name))
    assert events
    for event in events:
        assert type(event) is Event
        assert event.id
        assert event.kind in KINDS
        assert type(event.ts) in {float, int}
        assert EARLIEST_TS <= event.ts < LATEST_TS
        assert event.outcome in {None, *get_args(Outcome)}
        assert event.actor_type in {None, *get_args(ActorType)}
        assert event.ip is None or event.ip == canonical_ip(event.ip)
        assert event.country is None or (len(event.country) == 2 and event.country.isupper())
        assert 0 <= event.status <= 999
        assert min(event.latency_ms, event.records, event.bytes, event.asn) >= 0
        assert "" not in {event.tenant, event.actor, event.session_id, event.device_id, event.target, event.user_agent}


def test_parsing_again_gives_equal_events(name: str) -> None:
    assert parsed(make_parser(name), lines(name)) == parsed(make_parser(name), lines(name))


def test_ids_are_unique_within_the_sample(name: str) -> None:
    ids = [event.id for event in parsed(make_parser(name), lines(name))]
    assert len(set(ids)) == len(ids)


def test_a_repeated_line_is_a_repeat_only_where_records_have_an_identity(name: str) -> None:
    parser = make_parser(name)
    first = [event.id for event in parsed(parser, lines(name))]
    second = [event.id for event in parsed(parser, lines(name))]
    if name in IDENTIFIED:
        assert first == second
    else:
        assert set(first).isdisjoint(second)
        assert len(set(second)) == len(second)


def test_a_line_end_is_no_part_of_the_record(name: str) -> None:
    plain = parsed(make_parser(name), lines(name))
    assert parsed(make_parser(name), [line + b"\r" for line in lines(name)]) == plain
    assert parsed(make_parser(name), [line + b"\n" for line in lines(name)]) == plain


def test_a_blank_record_is_nothing(name: str) -> None:
    parser = make_parser(name)
    for blank in [b"", b" ", b"\t\r\n"]:
        assert list(parser.parse(blank)) == []


def test_memory_survives_json_at_any_cut(name: str) -> None:
    records = lines(name) * 2
    expected = parsed(make_parser(name), records)
    for cut in range(len(records) + 1):
        memory = Memory()
        parser = make_parser(name, memory)
        before = parsed(parser, records[:cut])
        saved = orjson.loads(orjson.dumps([memory.dump(), parser.dump()]))
        fresh = Memory()
        fresh.load(saved[0])
        continued = make_parser(name, fresh)
        continued.load(saved[1])
        assert before + parsed(continued, records[cut:]) == expected


def test_a_dump_does_not_change_with_what_comes_after_it(name: str) -> None:
    parser = make_parser(name)
    parsed(parser, lines(name)[:3])
    held = parser.dump()
    as_it_was = orjson.dumps(held)
    parsed(parser, lines(name)[3:])
    assert orjson.dumps(held) == as_it_was


def test_cutting_a_log_into_two_files_changes_nothing(name: str) -> None:
    records = lines(name) * 2
    expected = parsed(make_parser(name), records)
    for cut in range(len(records) + 1):
        memory = Memory()
        in_two = parsed(make_parser(name, memory), records[:cut]) + parsed(make_parser(name, memory), records[cut:])
        assert in_two == expected


def test_memory_is_bounded(name: str) -> None:
    memory = Memory()
    memory.lines, memory.sessions = Recent(limit=50), Recent(limit=50)
    parser = make_parser(name, memory)
    for record in disturbed(name, 2, 3000):
        outcome_of(parser, record)
    held = memory.dump()
    assert sum(map(len, held["lines"])) <= 100
    assert sum(map(len, held["sessions"])) <= 100
    assert len(orjson.dumps(parser.dump())) <= 64 * 1024


def test_the_inputs_tenant_fills_an_absent_one_and_no_other(name: str) -> None:
    for own, filled in zip(
        parsed(make_parser(name), lines(name)),
        parsed(make_parser(name, tenant="from-input"), lines(name)),
        strict=True,
    ):
        assert filled.tenant == (own.tenant or "from-input")


def test_only_rejects_of_a_known_reason_leave_it(name: str) -> None:
    parser = make_parser(name)
    foreign = [line for other in FORMATS for line in lines(other)]
    cut = [line[:n] for line in lines(name) for n in range(len(line))]
    for record in [*foreign, *cut, *disturbed(name, 3, 3000), b"[" * 100_000, b'{"a":' * 100_000, b"\xff\xfe", b"A" * 2_000_000]:
        result = outcome_of(parser, record)
        if isinstance(result, RejectError):
            assert result.reason in REJECT_REASONS
        else:
            assert all(event.kind in KINDS for event in result)


def test_a_record_of_another_format_makes_no_event(name: str) -> None:
    parser = make_parser(name)
    for other in FORMATS.keys() - {name}:
        for record in lines(other):
            result = outcome_of(parser, record)
            assert isinstance(result, RejectError) or not result


def test_a_reject_says_no_value(name: str) -> None:
    parser = make_parser(name)
    marker = b"Xq7Secret"
    for line in lines(name):
        for at in range(0, len(line), 3):
            result = outcome_of(parser, line[:at] + marker + line[at + len(marker) :])
            if isinstance(result, RejectError):
                assert marker.decode() not in str(result)
                assert result.__cause__ is None


def test_a_rejected_record_does_not_change_what_comes_next(name: str) -> None:
    parser = make_parser(name)
    events: list[Event] = []
    for record in lines(name):
        for bad in (record[: len(record) // 3], b"\xff\x00", b"{"):
            outcome_of(parser, bad)
        events += parser.parse(record)
    assert events == parsed(make_parser(name), lines(name))
