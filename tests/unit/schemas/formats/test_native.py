import json
from collections.abc import Mapping
from typing import Any

import pytest

from schemas.errors import RejectError
from schemas.event import KINDS, Event
from schemas.formats.base import Context, Memory
from schemas.formats.native import FORMAT, MAX_ID_CHARS, MAX_RECORD_BYTES, MAX_TENANT_CHARS, MAX_TEXT_CHARS
from schemas.text import MAX_NAME_CHARS, bounded_name

T = 1_767_225_600.0  # 2026-01-01T00:00:00Z
SMALLEST: dict[str, Any] = {"id": "e", "time": T, "kind": "auth.login"}


def short(value: object) -> str:
    """A test id of bearable length."""
    return repr(value)[:60]


def parse(record: bytes, tenant: str | None = None) -> Event:
    (event,) = FORMAT.parser(Context(memory=Memory(), tenant=tenant)).parse(record)
    return event


def record_of(fields: Mapping[str, Any]) -> bytes:
    return json.dumps({**SMALLEST, **fields}).encode()


def parse_fields(**fields: Any) -> Event:
    return parse(record_of(fields))


def rejected(record: bytes) -> RejectError:
    with pytest.raises(RejectError) as caught:
        parse(record)
    return caught.value


def test_every_field_of_the_contract_reaches_the_event() -> None:
    fields: dict[str, Any] = {
        "id": "e1",
        "time": "2026-01-01T00:00:00Z",
        "kind": "api.request",
        "outcome": "failure",
        "tenant": "acme",
        "actor": "alice",
        "actor_type": "user",
        "ip": "192.0.2.1",
        "country": "DE",
        "city": "Köln",
        "lat": 50.9,
        "lon": 7,
        "asn": 64500,
        "user_agent": "curl",
        "device_id": "d",
        "session_id": "s",
        "reason": "forbidden",
        "target": "file:123",
        "action": "read",
        "method": "GET",
        "route": "/v1/files/{id}",
        "path": "/v1/files/123",
        "status": 403,
        "latency_ms": 12,
        "records": 3,
        "bytes": 4,
        "query": "select",
    }
    expected = {name: value for name, value in fields.items() if name != "time"}
    assert parse(json.dumps(fields).encode()) == Event(**expected, ts=T)


def test_the_event_is_a_plain_event() -> None:
    assert type(parse_fields()) is Event
    assert parse_fields() == Event(kind="auth.login", ts=T, id="e")


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_is_known(kind: str) -> None:
    assert parse_fields(kind=kind).kind == kind


@pytest.mark.parametrize(
    ("time", "ts"),
    [
        ("2026-01-01T00:00:00Z", T),
        ("2026-01-01t00:00:00z", T),
        ("2026-01-01 00:00:00Z", T),
        ("2026-01-01T00:00:00", T),  # no offset is UTC
        ("2026-01-01T01:00:00+01:00", T),
        ("2025-12-31T18:15:00-05:45", T),
        ("2026-01-01T00:00:00-00:00", T),
        ("2026-01-01T00:00:00.25Z", T + 0.25),
        ("2026-01-01T00:00:00.000001Z", T + 0.000001),
        ("2026-01-01T00:00:00.250000000Z", T + 0.25),
        ("2025-12-31T23:59:60Z", T),  # a leap second is the second after :59
        ("2025-12-31T23:59:60.5Z", T + 0.5),
        ("2026-01-01T00:59:60+01:00", T),
        ("2025-12-31T23:59:60", T),
        (1_767_225_600, T),
        (1_767_225_600.25, T + 0.25),
        (1_767_225_600_250, T + 0.25),
        ("1990-01-01T00:00:00Z", 631_152_000.0),
        ("2099-12-31T23:59:59Z", 4_102_444_799.0),
    ],
)
def test_time_is_read(time: object, ts: float) -> None:
    assert parse_fields(time=time).ts == ts
    assert parse_fields(time=time, city="").ts == ts  # and just so on the lenient path
    assert type(parse_fields(time=time).ts) is float


@pytest.mark.parametrize(
    "time",
    ["", "yesterday", "1767225600", "2026-01-01", "2026-02-30T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:00:61Z", True, [], {}],
)
def test_an_unreadable_time_is_bad_time(time: object) -> None:
    assert rejected(record_of({"time": time})).reason == "bad_time"


@pytest.mark.parametrize(
    "time",
    [
        0,
        -1,
        631_151_999,
        4_102_444_800,
        4_102_444_800_000,
        10**18,
        10**400,
        -(10**400),
        1e300,
        "1989-12-31T23:59:59Z",
        "2100-01-01T00:00:00Z",
        "9999-12-31T23:59:59-23:59",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:60-23:59",
    ],
    ids=short,
)
def test_a_time_outside_1990_to_2099_is_out_of_range(time: object) -> None:
    assert rejected(record_of({"time": time})).reason == "time_out_of_range"


@pytest.mark.parametrize(
    ("record", "reason", "detail"),
    [
        (b"not json", "not_json", ""),
        (b"{'time': 1}", "not_json", ""),
        (b'{"time": 1767225600, "kind": "auth.login"} x', "not_json", ""),
        (b'{"time": 1767225600, "kind": "auth.login",}', "not_json", ""),
        (b'{"time": 1767225600, "kind": "auth.login", "lat": NaN}', "not_json", ""),
        (b'{"time": 1767225600, "kind": "auth.login", "lat": Infinity}', "not_json", ""),
        (b'{"time": 1767225600, "kind": "auth.login", "actor": "a\x01"}', "not_json", ""),
        (b"{", "truncated", ""),
        (b'{"time": 1767225600, "kind": "auth.lo', "truncated", ""),
        (b'{"time": 1767225600, "kind": "auth.login", "actor": "\xc3', "truncated", ""),
        (b'{"time": 1767225600, "kind": "auth.login", "actor": "\xff"}', "not_utf8", ""),
        (b"\xff\xfe{\x00}\x00", "not_utf8", ""),
        (b"[]", "unknown_shape", ""),
        (b'[{"time": 1767225600, "kind": "auth.login"}]', "unknown_shape", ""),
        (b'{"events": [{"time": 1767225600, "kind": "auth.login"}]}', "unknown_shape", ""),
        (b"{}", "unknown_shape", ""),
        (b'"text"', "unknown_shape", ""),
        (b"12", "unknown_shape", ""),
        (b"null", "unknown_shape", ""),
        (b'{"time": 1767225600}', "missing_field", "kind"),
        (b'{"kind": "auth.login"}', "missing_field", "time"),
        (b'{"time": null, "kind": "auth.login"}', "missing_field", "time"),
        (b'{"time": 1767225600, "kind": null}', "missing_field", "kind"),
        (b'{"time": 1767225600, "kind": "auth.logon"}', "unknown_kind", "kind"),
        (b'{"time": 1767225600, "kind": ""}', "unknown_kind", "kind"),
        (b'{"time": 1767225600, "kind": 5}', "bad_field", "kind"),
        (b'{"time": 1767225600, "kind": "AUTH.LOGIN"}', "unknown_kind", "kind"),
        (b"[" * 100_000, "too_deep", ""),
        (b'{"a":' * 100_000, "too_deep", ""),
        (b'{"time": 1767225600, "kind": "auth.login", "x": ' + b"[" * 100_000, "too_deep", ""),
        (b" " * (MAX_RECORD_BYTES + 1), "too_long", "record"),
    ],
    ids=short,
)
def test_a_reject_has_its_precise_reason(record: bytes, reason: str, detail: str) -> None:
    error = rejected(record)
    assert error.reason == reason
    assert error.detail.startswith(detail)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", 5),
        ("id", "x" * (MAX_ID_CHARS + 1)),
        ("outcome", "ok"),
        ("outcome", ""),
        ("actor_type", "robot"),
        ("tenant", "x" * (MAX_TENANT_CHARS + 1)),
        ("tenant", "acme\n"),
        ("tenant", "ac\x00me"),
        ("actor", 5),
        ("actor", ["alice"]),
        ("ip", 3221225985),
        ("country", "DEU"),
        ("country", "D"),
        ("country", "D1"),
        ("country", "ÄÖ"),
        ("country", "[]"),
        ("lat", 90.1),
        ("lat", -91),
        ("lat", "50"),
        ("lon", 181),
        ("asn", -1),
        ("asn", 2**32),
        ("status", -1),
        ("status", 1000),
        ("status", "200"),
        ("status", 200.5),
        ("status", True),
        ("latency_ms", -0.1),
        ("records", -1),
        ("records", 2**63),
        ("records", 10**400),
        ("bytes", -1),
        ("bytes", 2**63),
        ("query", {}),
    ],
    ids=short,
)
def test_a_bad_field_is_named(name: str, value: object) -> None:
    error = rejected(record_of({name: value}))
    assert error.reason == "bad_field"
    assert error.detail.split(":")[0] == name


@pytest.mark.parametrize("ip", ["192.0.2", "localhost", "192.0.2.1:443", "-", "x" * 65])
def test_what_is_no_address_is_a_bad_address(ip: str) -> None:
    error = rejected(record_of({"ip": ip}))
    assert (error.reason, error.detail) == ("bad_address", "ip: expected an IPv4 or IPv6 address")


@pytest.mark.parametrize(
    ("given", "canonical"), [("::ffff:192.0.2.1", "192.0.2.1"), ("2001:DB8::0:1", "2001:db8::1"), ("fe80::1%eth0", "fe80::1")]
)
def test_an_address_is_written_in_one_form(given: str, canonical: str) -> None:
    assert parse_fields(ip=given).ip == canonical


@pytest.mark.parametrize(("given", "folded"), [("de", "DE"), ("De", "DE"), ("US", "US")])
def test_a_country_is_upper_case(given: str, folded: str) -> None:
    assert parse_fields(country=given).country == folded


@pytest.mark.parametrize(
    "field",
    ["outcome", "tenant", "actor", "ip", "country", "lat", "lon", "asn", "status", "latency_ms", "records", "bytes", "query", "city"],
)
def test_null_means_absent(field: str) -> None:
    assert parse_fields(**{field: None}) == parse_fields()


@pytest.mark.parametrize("field", ["tenant", "actor", "ip", "country", "city", "session_id", "device_id", "user_agent", "target", "query"])
def test_empty_text_means_absent(field: str) -> None:
    assert parse_fields(**{field: ""}) == parse_fields()


def test_unknown_fields_are_ignored() -> None:
    unknown = {"ts": 5, "accuracy_km": 7, "network": {"name": "vpn"}, "extra": [1, {"a": "b"}], "__class__": "x"}
    assert parse_fields(**unknown) == parse_fields()


def test_what_enrichment_finds_cannot_be_set_by_a_record() -> None:
    for hidden in ({"(network)": "vpn"}, {"(accuracy_km)": 5}):
        assert rejected(record_of(hidden)).reason == "bad_field"


@pytest.mark.parametrize("field", ["actor", "device_id", "session_id"])
def test_overlong_name_is_shortened_and_stays_itself(field: str) -> None:
    long, other = ("é" * 20_000 + end for end in "ab")
    kept = getattr(parse_fields(**{field: long}), field)
    assert len(kept) == MAX_NAME_CHARS
    assert kept == bounded_name(long) != bounded_name(other)


@pytest.mark.parametrize("field", ["user_agent", "path", "query", "target"])
def test_overlong_text_is_cut_so_that_no_one_can_hide_an_event_behind_it(field: str) -> None:
    assert getattr(parse_fields(**{field: "é" * 20_000}), field) == "é" * MAX_TEXT_CHARS


def test_whole_numbers_may_be_written_with_a_fraction_of_zero() -> None:
    assert parse_fields(records=3.0, status=2e2) == parse_fields(records=3, status=200)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (rb"bob\udcff", "bob�"),
        (rb"\ud83d", "�"),
        (rb"\ud83d\ude00", "\N{GRINNING FACE}"),
        (rb"\udcff\ud83d\ude00\ud83d", "�\N{GRINNING FACE}�"),
        (rb"\\ud83d", r"\ud83d"),  # an escaped backslash, no surrogate
    ],
)
def test_a_lone_surrogate_is_replaced(written: bytes, read: str) -> None:
    assert parse(b'{"time": 1767225600, "kind": "auth.login", "actor": "' + written + b'"}').actor == read


def test_a_byte_order_mark_is_skipped() -> None:
    assert parse(b"\xef\xbb\xbf" + record_of({})) == parse_fields()


def test_of_a_name_given_twice_the_last_counts() -> None:
    assert parse(b'{"time": 1767225600, "kind": "auth.login", "actor": "a", "actor": "b"}').actor == "b"


def test_an_absent_id_is_a_hash_of_the_record() -> None:
    record = b'{"time": 1767225600, "kind": "auth.login"}'
    # blake2b(record, digest_size=12)
    assert parse(record).id == "ha81ed5ad7fec63a9b35e31d8"
    assert parse(b" " + record + b"\r\n").id == parse(record).id
    assert parse(record.replace(b"auth.login", b"auth.logout")).id != parse(record).id


def test_an_empty_id_is_an_absent_one() -> None:
    assert parse_fields(id="").id.startswith("h")
    assert parse_fields(id=None).id.startswith("h")


def test_the_inputs_tenant_stands_in_for_an_absent_one() -> None:
    assert parse(record_of({}), tenant="acme").tenant == "acme"
    assert parse(record_of({"tenant": ""}), tenant="acme").tenant == "acme"
    assert parse(record_of({"tenant": "other"}), tenant="acme").tenant == "other"


def test_a_value_is_not_taken_for_a_field_name_in_a_reject() -> None:
    error = rejected(record_of({"outcome": "secret' - at `$.records`"}))
    assert (error.reason, error.detail) == ("bad_field", "outcome")


EVENT_LINE = b'{"time": 1767225600, "kind": "auth.login"}\n'


@pytest.mark.parametrize(
    ("sample", "share"),
    [
        (EVENT_LINE, 1.0),
        (EVENT_LINE.rstrip(), 1.0),
        (EVENT_LINE * 100, 1.0),
        (EVENT_LINE * 3 + EVENT_LINE[:20], 1.0),  # cut in the middle of a line
        (b"\xef\xbb\xbf" + EVENT_LINE, 1.0),
        (b"\n\n" + EVENT_LINE, 1.0),
        (EVENT_LINE * 3 + b'{"time": 1767225600, "kind": "other"}\n', 0.75),
        (b'{"time": 1767225600}\n' * 3, 0.0),
        (b'{"time": [], "kind": "auth.login"}\n', 0.0),
        (EVENT_LINE[:20], 0.0),
        (b"", 0.0),
    ],
)
def test_recognition_is_the_share_of_native_lines(sample: bytes, share: float) -> None:
    assert FORMAT.recognise(sample) == share
