"""Placing events: their own word first, then the databases'."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import maxminddb
import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from monitor.pipeline.geography import Geography
from monitor.pipeline.networks import DEFAULT_NETWORKS, merged
from schemas.errors import ConfigurationError
from schemas.event import Event

NESTED: dict[str, Any] = {
    "192.0.2.0/24": {
        "city": {"names": {"de": "Musterstadt", "en": "Sampleton"}},
        "country": {"iso_code": "SE"},
        "registered_country": {"iso_code": "DE"},
        "location": {"latitude": 58.5, "longitude": 15.25, "accuracy_radius": 76},
    },
    "198.51.100.0/25": {"country": {"iso_code": "FR"}},
    "198.51.100.128/25": {"registered_country": {"iso_code": "NO"}},
    "203.0.113.0/25": {"country": {"iso_code": "US"}, "traits": {"is_hosting_provider": True, "is_anonymous_vpn": True}},
    "203.0.113.128/25": {"continent": {"code": "EU"}},
    "2001:db8::/33": {"country": {"iso_code": "JP"}, "location": {"latitude": 35.5, "longitude": 139.5}},
}
FLAT: dict[str, Any] = {
    "192.0.2.0/24": {"country_code": "SE", "city": "Sampleton", "latitude": 58.5, "longitude": 15.25},
    "198.51.100.0/25": {"country": "fr", "city": "", "lat": "48.5", "lng": "2.25", "asn": "AS64500", "as_name": "Example Net"},
    "198.51.100.128/25": {"country": "Norway", "country_code": "NO", "latitude": "0", "longitude": "0"},
    "203.0.113.0/25": {"country_code": "-", "city": "-", "latitude": 91, "longitude": "east"},
    "2001:db8::/33": {"country": "JP", "latitude": 35.5, "longitude": 139.5},
}
NUMBERS: dict[str, Any] = {
    "192.0.2.0/24": {"autonomous_system_number": 64496, "autonomous_system_organization": "Example"},
    "198.51.100.0/24": {"autonomous_system_number": 16509},
    "2001:db8::/33": {"asn": "AS64511"},
}


def database(path: Path, records: Mapping[str, Any], *, ip_version: int = 6, kind: str = "Test-City") -> Path:
    writer = MMDBWriter(ip_version=ip_version, ipv4_compatible=ip_version == 6, database_type=kind)
    for network, record in records.items():
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(path))
    return path


def login(ip: str | None = "192.0.2.7", **fields: Any) -> Event:
    return Event("auth.login", ip=ip, **fields)


def where(event: Event) -> tuple[str | None, str | None, float | None, float | None, float]:
    return event.country, event.city, event.lat, event.lon, event.accuracy_km


@pytest.fixture(params=[maxminddb.MODE_AUTO, maxminddb.MODE_MMAP], ids=["auto", "pure"])
def mode(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def nested(tmp_path: Path) -> Path:
    return database(tmp_path / "city.mmdb", NESTED)


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    return database(tmp_path / "asn.mmdb", NUMBERS, kind="Test-ASN")


@pytest.mark.parametrize(
    ("ip", "expected"),
    [
        ("192.0.2.7", ("SE", "Sampleton", 58.5, 15.25, 76.0)),
        ("198.51.100.1", ("FR", None, None, None, 0.0)),
        ("198.51.100.200", ("NO", None, None, None, 0.0)),
        ("203.0.113.200", (None, None, None, None, 0.0)),
        ("2001:db8::1", ("JP", None, 35.5, 139.5, 0.0)),
        ("2001:db8:ffff::1", (None, None, None, None, 0.0)),
        ("::ffff:192.0.2.7", ("SE", "Sampleton", 58.5, 15.25, 76.0)),
        ("no address", (None, None, None, None, 0.0)),
        ("", (None, None, None, None, 0.0)),
    ],
)
def test_nested_layout_is_read(nested: Path, mode: int, ip: str, expected: tuple[object, ...]) -> None:
    event = login(ip)
    Geography(nested, None, {}, mode=mode).place(event)
    assert where(event) == expected


@pytest.mark.parametrize(
    ("ip", "expected", "asn"),
    [
        ("192.0.2.7", ("SE", "Sampleton", 58.5, 15.25, 0.0), 0),
        ("198.51.100.1", ("FR", None, 48.5, 2.25, 0.0), 64500),
        ("198.51.100.200", ("NO", None, None, None, 0.0), 0),
        ("203.0.113.1", (None, None, None, None, 0.0), 0),
        ("2001:db8::1", ("JP", None, 35.5, 139.5, 0.0), 0),
    ],
)
def test_flat_layout_is_read(tmp_path: Path, mode: int, ip: str, expected: tuple[object, ...], asn: int) -> None:
    event = login(ip)
    Geography(database(tmp_path / "flat.mmdb", FLAT), None, {}, mode=mode).place(event)
    assert where(event) == expected
    assert event.asn == asn


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        # an own position: nothing is mixed in, not even a missing country
        ({"lat": 1.5, "lon": 2.5}, (None, None, 1.5, 2.5, 0.0)),
        ({"lat": 1.5, "lon": 2.5, "country": "SE", "accuracy_km": 5.0}, ("SE", None, 1.5, 2.5, 5.0)),
        # half a position is no reason to put another half to it
        ({"lat": 1.5}, (None, None, 1.5, None, 0.0)),
        # an own country: the database's position only when it is there too
        ({"country": "SE"}, ("SE", "Sampleton", 58.5, 15.25, 76.0)),
        ({"country": "SE", "city": "Elsewhere"}, ("SE", "Elsewhere", 58.5, 15.25, 76.0)),
        ({"country": "BR"}, ("BR", None, None, None, 0.0)),
        ({"city": "Elsewhere"}, ("SE", "Elsewhere", 58.5, 15.25, 76.0)),
    ],
)
def test_what_the_event_says_itself_comes_first(nested: Path, own: dict[str, Any], expected: tuple[object, ...]) -> None:
    event = login(**own)
    Geography(nested, None, {}).place(event)
    assert where(event) == expected


@pytest.mark.parametrize(
    ("ip", "own", "expected"),
    [
        ("192.0.2.7", {}, (64496, "mobile")),
        ("198.51.100.1", {}, (16509, "hosting")),
        ("2001:db8::1", {}, (64511, None)),
        ("203.0.113.1", {}, (0, "vpn")),  # by the city database's traits
        ("203.0.113.1", {"asn": 64496}, (64496, "mobile")),  # the table's word goes over the database's
        ("203.0.113.1", {"asn": 64510}, (64510, "vpn")),  # the database names no other operator, so its traits hold
        ("198.51.100.1", {"asn": 64510}, (64510, None)),  # the database's operator is not this event's
        ("198.51.100.1", {"network": "relay"}, (16509, "relay")),
        ("192.168.0.1", {"asn": 14593}, (14593, "satellite")),
        (None, {"asn": 14593}, (14593, "satellite")),
        (None, {}, (0, None)),
    ],
)
def test_network_follows_the_as_number(
    nested: Path, numbers: Path, ip: str | None, own: dict[str, Any], expected: tuple[int, str | None]
) -> None:
    event = login(ip, **own)
    Geography(nested, numbers, merged({64496: "mobile"})).place(event)
    assert (event.asn, event.network) == expected


@pytest.mark.parametrize(
    "ip", ["10.1.2.3", "172.31.0.1", "192.168.1.1", "127.0.0.1", "169.254.1.1", "::1", "fe80::1", "fd00::1", "::ffff:10.0.0.1"]
)
def test_private_addresses_are_never_looked_up_and_counted_apart(tmp_path: Path, ip: str) -> None:
    # a database that would place every address
    everywhere = database(tmp_path / "all.mmdb", {"::/1": {"country_code": "SE"}, "8000::/1": {"country_code": "SE"}})
    geography = Geography(everywhere, None, {})
    event = login(ip)
    geography.place(event)
    assert where(event) == (None, None, None, None, 0.0)
    assert (geography.with_address, geography.private, geography.unplaced) == (1, 1, 0)


def test_counts_tell_every_event_with_an_address_once(nested: Path) -> None:
    geography = Geography(nested, None, {})
    geography.place_all(
        [
            login("192.0.2.7"),  # placed
            login("192.0.2.8", country="SE"),  # placed, supplied
            login("203.0.113.200", lat=1.0, lon=2.0),  # placed, supplied
            login("10.0.0.1", lat=1.0, lon=2.0),  # placed, supplied
            login("198.51.100.1"),  # country only
            login("192.0.2.9", country="BR"),  # country only, supplied
            login("203.0.113.200"),  # unplaced
            login("10.0.0.1"),  # private
            login(None),
            login(None, lat=1.0, lon=2.0),
        ]
    )
    assert (geography.with_address, geography.placed, geography.country_only, geography.unplaced) == (8, 4, 2, 1)
    assert (geography.private, geography.supplied, geography.unreadable) == (1, 4, 0)
    assert geography.statement() == (
        "1 of 8 events with an address could not be placed: the city database does not know their addresses (geography.city_db); "
        "2 by country alone; 1 came from private addresses, which have no place; 4 brought geography of their own."
    )


def test_statement_names_the_setting_when_no_database_is_configured() -> None:
    geography = Geography(None, None, {})
    geography.place_all([login(f"192.0.2.{n % 250}") for n in range(1204)])
    geography.place_all([login(lat=1.0, lon=2.0) for _ in range(8106)])
    assert geography.statement() == (
        "1,204 of 9,310 events with an address could not be placed: no city database is configured (geography.city_db); "
        "8,106 brought geography of their own."
    )


@pytest.mark.parametrize(
    ("ips", "statement"),
    [
        ([], "No event had an address, so none had to be placed."),
        ([None], "No event had an address, so none had to be placed."),
        (["192.0.2.1"], "The one event with an address was placed."),
        (["192.0.2.1", "192.0.2.2"], "All of 2 events with an address were placed."),
        (["192.0.2.1", "198.51.100.1"], "1 of 2 events with an address could be placed by position; 1 by country alone."),
        (
            ["10.0.0.1"],
            "0 of 1 event with an address could be placed by position; 1 came from private addresses, which have no place.",
        ),
    ],
)
def test_statement_says_what_was_placed(nested: Path, ips: list[str | None], statement: str) -> None:
    geography = Geography(nested, None, {})
    geography.place_all([login(ip) for ip in ips])
    assert geography.statement() == statement


def test_one_look_up_per_address_while_it_is_remembered(nested: Path) -> None:
    geography = Geography(nested, None, {}, cache_size=4)
    geography.place_all([login("192.0.2.1"), login("192.0.2.2"), login("198.51.100.1")])
    geography.close()
    # all three are placed from memory: the databases are closed
    again = [login("192.0.2.1"), login("192.0.2.2"), login("198.51.100.1")]
    geography.place_all(again)
    assert [event.country for event in again] == ["SE", "SE", "FR"]


@pytest.mark.parametrize("cache_size", [1, 2, 3, 64])
def test_small_memory_forgets_but_never_errs(nested: Path, cache_size: int) -> None:
    geography = Geography(nested, None, {}, cache_size=cache_size)
    events = [login(f"192.0.2.{n % 200}") for n in range(1000)]
    geography.place_all(events)
    assert {event.country for event in events} == {"SE"}
    assert len(geography._young) + len(geography._old) <= max(2, cache_size)


def test_batches_and_single_events_are_placed_alike(nested: Path, numbers: Path) -> None:
    ips = ["192.0.2.1", "198.51.100.1", "203.0.113.1", None, "10.0.0.1", "2001:db8::5"] * 3
    one, all_at_once = [login(ip) for ip in ips], [login(ip) for ip in ips]
    singly, batch = Geography(nested, numbers, DEFAULT_NETWORKS), Geography(nested, numbers, DEFAULT_NETWORKS)
    for event in one:
        singly.place(event)
    batch.place_all(all_at_once)
    assert one == all_at_once
    assert singly.statement() == batch.statement()


def test_ipv6_in_an_ipv4_database_is_unplaced_and_no_damage(tmp_path: Path, mode: int) -> None:
    only_v4 = {network: record for network, record in NESTED.items() if ":" not in network}
    geography = Geography(database(tmp_path / "v4.mmdb", only_v4, ip_version=4), None, {}, mode=mode)
    events = [login("192.0.2.7"), login("2001:db8::1")]
    geography.place_all(events)
    assert [event.country for event in events] == ["SE", None]
    assert (geography.unplaced, geography.unreadable) == (1, 0)


def test_a_damaged_record_leaves_the_event_unplaced(tmp_path: Path, mode: int) -> None:
    path = database(tmp_path / "city.mmdb", {"192.0.2.0/24": {"country_code": "SE"}, "198.51.100.0/24": {"country_code": "FRFRFRFR"}})
    good = path.read_bytes()
    # the text of the second record becomes bytes that are no UTF-8
    path.write_bytes(good.replace(b"FRFRFRFR", b"\xff" * 8))
    geography = Geography(path, None, {}, mode=mode)
    events = [login("192.0.2.7"), login("198.51.100.7"), login("198.51.100.7")]
    geography.place_all(events)
    assert [event.country for event in events] == ["SE", None, None]
    assert (geography.unplaced, geography.unreadable) == (2, 1)
    assert geography.statement().endswith("; look-ups that met damaged records: 1, so download the databases again.")


def test_any_damage_is_survived_by_the_pure_reader(nested: Path) -> None:
    # the C reader is left out: some damage ends its process, and nothing in Python can stop that
    good = nested.read_bytes()
    for at in range(0, len(good), 97):
        nested.write_bytes(good[:at] + bytes([good[at] ^ 0xFF]) + good[at + 1 :])
        try:
            geography = Geography(nested, None, {}, mode=maxminddb.MODE_MMAP)
        except ConfigurationError:
            continue
        geography.place_all([login("192.0.2.7"), login("198.51.100.1"), login("203.0.113.1"), login("2001:db8::1")])
        assert geography.with_address == 4
        geography.close()


@pytest.mark.parametrize("setting", ["city_db", "asn_db"])
@pytest.mark.parametrize(
    ("content", "cure"),
    [
        (None, "give the path"),
        (b"", "download it again"),
        (b"PK\x03\x04 no database" * 50, "download it again"),
        (b"\xab\xcd\xefMaxMind.com", "download it again"),
    ],
)
def test_a_file_that_is_no_database_is_a_configuration_error(
    tmp_path: Path, mode: int, setting: str, content: bytes | None, cure: str
) -> None:
    path = tmp_path / "x.mmdb"
    if content is not None:
        path.write_bytes(content)
    city_db, asn_db = (path, None) if setting == "city_db" else (None, path)
    with pytest.raises(ConfigurationError, match=rf"^geography\.{setting}: .*{cure}"):
        Geography(city_db, asn_db, {}, mode=mode)


def test_a_folder_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"^geography\.city_db: .* is no file"):
        Geography(tmp_path, None, {})


def test_a_database_of_the_wrong_type_is_a_configuration_error(nested: Path, numbers: Path, mode: int) -> None:
    with pytest.raises(ConfigurationError, match=r"^geography\.city_db: .*'Test-ASN'.*use a City or Country database"):
        Geography(numbers, None, {}, mode=mode)
    countries = database(nested.with_name("country.mmdb"), {"192.0.2.0/24": {"country": {"iso_code": "SE"}}})
    with pytest.raises(ConfigurationError, match=r"^geography\.asn_db: .*'Test-City'.*use an ASN database"):
        Geography(None, countries, {}, mode=mode)


def test_an_empty_database_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"^geography\.city_db"):
        Geography(database(tmp_path / "x.mmdb", {"192.0.2.0/24": {}}), None, {})


def test_one_flat_file_may_serve_for_both(tmp_path: Path) -> None:
    path = database(tmp_path / "both.mmdb", FLAT)
    event = login("198.51.100.1")
    Geography(path, path, {64500: "mobile"}).place(event)
    assert (event.country, event.asn, event.network) == ("FR", 64500, "mobile")


def test_the_pure_reader_is_told_from_the_fast_one(nested: Path) -> None:
    assert Geography(None, None, {}).accelerated
    assert Geography(nested, None, {}, mode=maxminddb.MODE_MMAP_EXT).accelerated
    assert not Geography(nested, None, {}, mode=maxminddb.MODE_MMAP).accelerated


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("ip", "expected"),
    [
        ("81.2.69.142", ("GB", "London", 51.5142, -0.0931, 10.0)),
        ("89.160.20.112", ("SE", "Linköping", 58.4167, 15.6167, 76.0)),
        ("175.16.199.1", ("CN", "Changchun", 43.88, 125.3228, 100.0)),
        ("2001:220::1", ("KR", None, 37.0, 127.5, 100.0)),
    ],
)
@pytest.mark.parametrize("name", ["GeoIP2-City-Test.mmdb", "GeoLite2-City-Test.mmdb"])
def test_published_city_databases_are_read(real_logs: Path, mode: int, name: str, ip: str, expected: tuple[object, ...]) -> None:
    event = login(ip)
    Geography(real_logs / "geo" / name, None, {}, mode=mode).place(event)
    assert where(event) == expected


@pytest.mark.realdata
def test_published_country_and_as_number_databases_are_read(real_logs: Path, mode: int) -> None:
    geo = real_logs / "geo"
    geography = Geography(geo / "GeoLite2-Country-Test.mmdb", geo / "GeoLite2-ASN-Test.mmdb", {1221: "mobile"}, mode=mode)
    british, telstra, swedish = login("81.2.69.142"), login("1.128.0.0"), login("89.160.20.112")
    geography.place_all([british, telstra, swedish])
    assert where(british) == ("GB", None, None, None, 0.0)
    assert (telstra.country, telstra.asn, telstra.network) == (None, 1221, "mobile")
    assert (swedish.country, swedish.asn, swedish.network) == ("SE", 29518, None)


@pytest.mark.realdata
def test_published_databases_in_the_wrong_place_are_configuration_errors(real_logs: Path, mode: int) -> None:
    geo = real_logs / "geo"
    with pytest.raises(ConfigurationError, match=r"^geography\.city_db: .*'GeoLite2-ASN'"):
        Geography(geo / "GeoLite2-ASN-Test.mmdb", None, {}, mode=mode)
    with pytest.raises(ConfigurationError, match=r"^geography\.asn_db: .*'GeoLite2-City'"):
        Geography(None, geo / "GeoLite2-City-Test.mmdb", {}, mode=mode)
