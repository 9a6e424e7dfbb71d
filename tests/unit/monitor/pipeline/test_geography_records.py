"""Reading one database record, in whichever layout."""

import pytest

from monitor.pipeline.geography import read_record


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"lat": "nan", "lng": "1", "country_code": "SE"}, ("SE", None, None, None, 0.0)),
        ({"lat": "inf", "lng": 1.0}, (None, None, None, None, 0.0)),
        ({"latitude": True, "longitude": 1.0}, (None, None, None, None, 0.0)),
        ({"latitude": 10**400, "longitude": 1}, (None, None, None, None, 0.0)),
        ({"latitude": 5.5}, (None, None, None, None, 0.0)),
        ({"latitude": 0.0, "longitude": 9.5}, (None, None, 0.0, 9.5, 0.0)),
        ({"lat": 1, "lon": 2, "accuracy_radius": "20"}, (None, None, 1.0, 2.0, 20.0)),
        ({"location": {"latitude": 1, "longitude": 2, "accuracy_radius": -5}}, (None, None, 1.0, 2.0, 0.0)),
        ({"location": [1, 2], "country": ["SE"], "city": 7}, (None, None, None, None, 0.0)),
        ({"country": {"iso_code": "EU"}, "registered_country": {"iso_code": "NL"}}, ("NL", None, None, None, 0.0)),
        ({"country": "ß1", "city": {"names": ["x"]}}, (None, None, None, None, 0.0)),
        ({"country": {}, "city": {"names": {"de": "Ulm"}}}, (None, None, None, None, 0.0)),
        ("a text", (None, None, None, None, 0.0)),
        (None, (None, None, None, None, 0.0)),
    ],
)
def test_what_a_record_says_that_cannot_be_is_left_out(record: object, expected: tuple[object, ...]) -> None:
    assert read_record(record)[:5] == expected


@pytest.mark.parametrize(
    ("record", "asn"),
    [
        ({"autonomous_system_number": 64500}, 64500),
        ({"traits": {"autonomous_system_number": 64500}}, 64500),
        ({"asn": "as64500"}, 64500),
        ({"asn": "64500"}, 64500),
        ({"as_number": 64500}, 64500),
        ({"asn": "ASx"}, 0),
        ({"asn": ""}, 0),
        ({"asn": "AS99999999999"}, 0),
        ({"asn": 2**32}, 0),
        ({"asn": True}, 0),
        ({"asn": 4.0}, 0),
    ],
)
def test_as_number_is_read_as_number_or_text(record: object, asn: int) -> None:
    assert read_record(record).asn == asn
