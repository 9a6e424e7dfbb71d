"""Verdicts as they are written: in a request, in a file, and as they are handed out."""

import json
from pathlib import Path
from typing import Any

import pytest

from monitor.verdicts import (
    BadVerdictError,
    Given,
    UnknownAlertError,
    line_of,
    lines_of,
    read_body,
    read_file,
    read_line,
    stamped,
)
from schemas.errors import ConfigurationError

ID = "f6a5a758b4910b81f7e4ac1d"
NOON_TS = 1_769_860_800.0  # 2026-01-31T12:00:00Z


def body(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


@pytest.mark.parametrize(
    ("text", "given"),
    [
        (body(verdict="true"), Given(alert=ID, verdict="true")),
        (body(verdict="false", reason="  a typo "), Given(alert=ID, verdict="false", reason="a typo")),
        (body(verdict="false", reason=None, until=None), Given(alert=ID, verdict="false")),
        (body(verdict="expected", until="2026-01-31T13:00:00+01:00"), Given(alert=ID, verdict="expected", until_ts=NOON_TS)),
        (body(verdict="expected", until="2026-01-31t12:00:00.5z"), Given(alert=ID, verdict="expected", until_ts=NOON_TS + 0.5)),
    ],
)
def test_a_request_is_read(text: bytes, given: Given) -> None:
    assert read_body(ID, text) == given


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "is no JSON; write an object such as"),
        (b"\xff", "is no JSON; write an object such as"),
        (b"[" * 5000, "is no JSON; write an object such as"),
        (b'["true"]', "is no JSON object; write one such as"),
        (b"{}", 'verdict: expected "true" (an attack), "false" (the detector was wrong) or "expected" (odd but wanted), in quotes'),
        (body(verdict=True), 'verdict: expected "true"'),
        (body(verdict="maybe"), 'verdict: expected "true"'),
        (body(verdict=["true"]), 'verdict: expected "true"'),
        (body(verdict="true", reson="x"), "'reson': no such field; use reason, until, verdict"),
        (body(verdict="true", time="2026-01-31T12:00:00Z"), "'time': no such field"),
        (body(verdict="true", reason=5), "reason: expected a text of at most 500 characters"),
        (body(verdict="true", reason="x" * 501), "reason: expected a text of at most 500 characters"),
        (body(verdict="true", until="2026-01-31T12:00:00Z"), "until: goes with \"expected\" only; leave it out of 'true'"),
        (body(verdict="expected", until="2026-01-31"), "until: expected a time; write RFC 3339 with a zone"),
        (body(verdict="expected", until="2026-01-31T12:00:00"), "until: expected a time; write RFC 3339 with a zone"),
        (body(verdict="expected", until="2026-01-32T12:00:00Z"), "until: expected a time; write RFC 3339 with a zone"),
        (body(verdict="expected", until=1_769_860_800), "until: expected a time; write RFC 3339 with a zone"),
        (body(verdict="expected", until="1970-01-01T00:00:00Z"), "until: is out of range; use a moment from 1990 to 2099"),
        (body(verdict="expected", until="0001-01-01T00:00:00+14:00"), "until: is out of range; use a moment from 1990 to 2099"),
    ],
)
def test_a_request_that_cannot_be_used_says_where_and_what_to_do(text: bytes, words: str) -> None:
    with pytest.raises(BadVerdictError) as caught:
        read_body(ID, text)
    assert str(caught.value).startswith(words)


@pytest.mark.parametrize("alert", ["", "a" * 129, "../x", "a b", "a\n"])
def test_what_is_no_id_is_of_no_alert(alert: str) -> None:
    with pytest.raises(UnknownAlertError):
        read_body(alert, body(verdict="true"))


@pytest.mark.parametrize(
    "given",
    [
        Given(alert=ID, verdict="true", ts=stamped(NOON_TS + 1 / 3)),
        Given(alert=ID, verdict="false", reason='"\x7f\u202e\n é', ts=NOON_TS, given_at=stamped(NOON_TS + 0.1)),
        Given(alert=ID, verdict="expected", until_ts=NOON_TS + 30 * 86_400, ts=NOON_TS),
    ],
)
def test_what_is_handed_out_can_be_read_again(given: Given) -> None:
    text = lines_of([given])
    assert text.isascii()
    assert text.count(b"\n") == 1
    assert b"\x7f" not in text
    assert read_line(text) == given


def test_a_line_names_its_times_as_people_do() -> None:
    given = Given(alert=ID, verdict="expected", reason="backup", ts=NOON_TS, until_ts=NOON_TS + 60)
    assert line_of(given) == {
        "alert": ID,
        "verdict": "expected",
        "time": "2026-01-31T12:00:00.000000Z",
        "until": "2026-01-31T12:01:00.000000Z",
        "reason": "backup",
    }


def test_a_file_is_read_in_its_order_and_blank_lines_are_skipped(tmp_path: Path) -> None:
    file = tmp_path / "verdicts.jsonl"
    file.write_bytes(body(alert="a", verdict="true") + b"\r\n\n" + body(alert="b", verdict="false", time="2026-01-31T12:00:00Z"))
    assert read_file(file) == [Given(alert="a", verdict="true"), Given(alert="b", verdict="false", ts=NOON_TS)]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"alert,verdict", "is no JSON; write an object such as"),
        (body(verdict="true"), "alert: expected the id of an alert"),
        (body(alert=5, verdict="true"), "alert: expected the id of an alert"),
        (body(alert="a", verdict="ture"), 'verdict: expected "true"'),
        (body(alert="a", verdict="true", time="noon"), "time: expected a time; write RFC 3339 with a zone"),
        (body(alert="a", verdict="true", wen="noon"), "'wen': no such field; use alert, given_at, reason, time, until, verdict"),
        (b" " * 65_536 + b"{}", "is longer than 65,536 bytes; write one verdict a line"),
        (
            body(alert="a", verdict="expected", time="2026-01-31T12:00:00Z", until="2026-01-31T12:00:00Z"),
            "until: is not after 2026-01-31T12:00:00",
        ),
        (
            body(alert="a", verdict="expected", time="2026-01-31T12:00:00Z", until="2027-02-02T12:00:00Z"),
            "until: is more than 366 days after 2026-01-31T12:00:00",
        ),
    ],
)
def test_a_bad_line_is_named_with_its_cure(tmp_path: Path, line: bytes, words: str) -> None:
    file = tmp_path / "verdicts.jsonl"
    file.write_bytes(body(alert="a", verdict="true") + b"\n\n" + line + b"\n")
    with pytest.raises(ConfigurationError) as caught:
        read_file(file)
    assert str(caught.value).startswith(f"--verdicts: {file}: line 3: {words}")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot read .*: no such file or directory; name a file of JSON lines"):
        read_file(tmp_path / "nowhere.jsonl")
