"""The contract every input format must pass. A new format needs ``samples/<name>.log`` and nothing else to be tested here.

Each test takes a ``Case``, so that a format that is not registered can be held to the contract too.
"""

import random
import re
from typing import get_args

import orjson
import pytest

from schemas.address import canonical_ip
from schemas.errors import REJECT_REASONS, RejectError
from schemas.event import KINDS, ActorType, Event, Outcome
from schemas.formats import SURE_ENOUGH, detect
from schemas.formats.base import Memory, Recent
from schemas.stamps import EARLIEST_TS, LATEST_TS
from tests.checkpoints import copied
from tests.contract.format_case import Case, cases, disturbed, outcome_of, parsed

pytestmark = pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)


def test_the_registry_key_is_the_formats_own_name_and_it_has_a_title(case: Case) -> None:
    fmt = case.format
    assert fmt.name == case.name
    assert fmt.title
    assert "\n" not in fmt.title


def test_its_tables_are_rows_of_known_kinds(case: Case) -> None:
    assert case.format.rules
    assert case.format.ignored
    for event, kind, note in case.format.rules:
        assert event
        assert kind in KINDS, event
        assert "\n" not in event + note
    for event, kind, note in case.format.ignored:
        assert event
        assert kind == ""
        assert "\n" not in event + note
    assert len({event for event, _, _ in case.format.ignored}) == len(case.format.ignored)


def test_the_kinds_of_the_sample_are_in_its_tables(case: Case) -> None:
    assert {event.kind for event in case.parsed()} <= {kind for _, kind, _ in case.format.rules}


def test_what_it_is_recognised_by_is_said(case: Case) -> None:
    assert re.match(r"By [^\n]{10,200}\.", case.format.recognise.__doc__ or "")


def test_the_own_sample_is_detected(case: Case) -> None:
    best, shares = detect(case.sample, case.formats)
    assert best == case.name
    assert set(shares) == set(case.formats)
    assert shares[case.name] >= SURE_ENOUGH


def test_a_sample_cut_in_the_middle_of_a_line_is_still_detected(case: Case) -> None:
    whole = case.sample
    assert detect(whole[: len(whole) * 3 // 4 - 7], case.formats)[0] == case.name


def test_windows_line_ends_do_not_hide_the_format(case: Case) -> None:
    assert detect(case.sample.replace(b"\n", b"\r\n"), case.formats)[0] == case.name


def test_recognition_is_a_share_between_zero_and_one_whatever_it_is_given(case: Case) -> None:
    noise = [random.Random(seed).randbytes(2000) for seed in range(20)]
    broken = [b"\n".join(disturbed(sample.splitlines(), 1, 40)) for sample in case.samples.values()]
    for given in [b"", b"\n\n", b"\x00" * 5000, b"[" * 100_000, *noise, *broken, *case.samples.values()]:
        assert 0.0 <= case.format.recognise(given) <= 1.0


def test_nothing_and_noise_are_no_format(case: Case) -> None:
    for given in [b"", b" \n \n", b"\x00\xff" * 1000, b"hello world\n" * 50, b"{}\n[]\n{}\n", b'{"a": 1}\n' * 10]:
        assert case.format.recognise(given) < SURE_ENOUGH


def test_the_sample_of_another_format_is_not_claimed(case: Case) -> None:
    for other in case.formats.keys() - {case.name}:
        assert case.format.recognise(case.samples[other]) < SURE_ENOUGH


def test_every_event_is_whole_and_within_bounds(case: Case) -> None:
    events = case.parsed()
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


def test_parsing_again_gives_equal_events(case: Case) -> None:
    assert case.parsed() == case.parsed()


def test_ids_are_unique_within_the_sample(case: Case) -> None:
    ids = [event.id for event in case.parsed()]
    assert len(set(ids)) == len(ids)


def test_a_repeated_line_is_a_repeat_only_where_records_have_an_identity(case: Case) -> None:
    parser = case.parser()
    first = [event.id for event in parsed(parser, case.lines)]
    second = [event.id for event in parsed(parser, case.lines)]
    if case.identified:
        assert first == second
    else:
        assert set(first).isdisjoint(second)
        assert len(set(second)) == len(second)


def test_a_line_end_is_no_part_of_the_record(case: Case) -> None:
    plain = case.parsed()
    assert parsed(case.parser(), [line + b"\r" for line in case.lines]) == plain
    assert parsed(case.parser(), [line + b"\n" for line in case.lines]) == plain


def test_a_blank_record_is_nothing(case: Case) -> None:
    parser = case.parser()
    for blank in [b"", b" ", b"\t\r\n"]:
        assert list(parser.parse(blank)) == []


def test_memory_survives_json_at_any_cut(case: Case) -> None:
    records = case.lines * 2
    expected = parsed(case.parser(), records)
    for cut in range(len(records) + 1):
        memory = Memory()
        parser = case.parser(memory)
        before = parsed(parser, records[:cut])
        fresh = copied(memory)
        continued = case.parser(fresh)
        continued.load(orjson.loads(orjson.dumps(parser.dump())))
        assert before + parsed(continued, records[cut:]) == expected


def test_a_dump_does_not_change_with_what_comes_after_it(case: Case) -> None:
    parser = case.parser()
    parsed(parser, case.lines[:3])
    held = parser.dump()
    as_it_was = orjson.dumps(held)
    parsed(parser, case.lines[3:])
    assert orjson.dumps(held) == as_it_was


def test_cutting_a_log_into_two_files_changes_nothing(case: Case) -> None:
    records = case.lines * 2
    expected = parsed(case.parser(), records)
    for cut in range(len(records) + 1):
        memory = Memory()
        in_two = parsed(case.parser(memory), records[:cut]) + parsed(case.parser(memory), records[cut:])
        assert in_two == expected


def test_memory_is_bounded(case: Case) -> None:
    memory = Memory()
    memory.lines, memory.sessions = Recent(limit=50), Recent(limit=50)
    parser = case.parser(memory)
    for record in case.disturbed(2, 3000):
        outcome_of(parser, record)
    for part in memory.parts().values():
        assert len(part.changed(everything=True)[0]) <= 100
    assert len(orjson.dumps(parser.dump())) <= 64 * 1024


def test_the_inputs_tenant_fills_an_absent_one_and_no_other(case: Case) -> None:
    for own, filled in zip(
        case.parsed(),
        case.parsed(tenant="from-input"),
        strict=True,
    ):
        assert filled.tenant == (own.tenant or "from-input")


def test_only_rejects_of_a_known_reason_leave_it(case: Case) -> None:
    parser = case.parser()
    cut = [line[:n] for line in case.lines for n in range(len(line))]
    for record in [
        *case.foreign(),
        *case.lines,
        *cut,
        *case.disturbed(3, 3000),
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"\xff\xfe",
        b"A" * 2_000_000,
    ]:
        result = outcome_of(parser, record)
        if isinstance(result, RejectError):
            assert result.reason in REJECT_REASONS
        else:
            assert all(event.kind in KINDS for event in result)


def test_a_record_of_another_format_makes_no_event(case: Case) -> None:
    parser = case.parser()
    for record in case.foreign():
        result = outcome_of(parser, record)
        assert isinstance(result, RejectError) or not result


def test_a_reject_says_no_value(case: Case) -> None:
    parser = case.parser()
    marker = b"Xq7Secret"
    for line in case.lines:
        for at in range(0, len(line), 3):
            result = outcome_of(parser, line[:at] + marker + line[at + len(marker) :])
            if isinstance(result, RejectError):
                assert marker.decode() not in str(result)
                assert result.__cause__ is None


def test_a_rejected_record_does_not_change_what_comes_next(case: Case) -> None:
    parser = case.parser()
    events: list[Event] = []
    for record in case.lines:
        for bad in (record[: len(record) // 3], b"\xff\x00", b"{"):
            outcome_of(parser, bad)
        events += parser.parse(record)
    assert events == case.parsed()
