"""Where an event came from: what it says itself comes first, then what the databases say of its address."""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from math import isfinite
from pathlib import Path
from sys import intern
from typing import Any, NamedTuple

import maxminddb

from monitor.pipeline.networks import HIGHEST_ASN, told_kind
from schemas.errors import ConfigurationError
from schemas.event import Event

HALF_ROUND_KM = 20_015.0
"""Nothing on Earth is farther away; a larger radius is no radius."""
SAMPLE_NETWORKS = 10_000
"""How many networks are looked at before a database is held to be of the wrong type."""

_PRIVATE_RANGES = (
    "10.0.0.0/8",  # RFC 1918
    "172.16.0.0/12",
    "192.168.0.0/16",
    "127.0.0.0/8",  # loopback
    "169.254.0.0/16",  # link-local
    "::1/128",
    "fe80::/10",
    "fc00::/7",  # unique local addresses
)
_PRIVATE_NETWORKS = {
    version: tuple(network for network in map(ip_network, _PRIVATE_RANGES) if network.version == version) for version in (4, 6)
}
_NO_COUNTRIES = frozenset({"AP", "EU", "XX", "ZZ"})
"""Codes that older databases and their converters use for a region, or for "unknown"."""
_UNREADABLE = (
    maxminddb.InvalidDatabaseError,
    ArithmeticError,
    LookupError,
    MemoryError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What the two readers raise on damaged data."""


class Place(NamedTuple):
    """What is known of one address."""

    country: str | None = None
    city: str | None = None
    lat: float | None = None
    lon: float | None = None
    accuracy_km: float = 0.0
    asn: int = 0
    told: str | None = None
    """Kind of network by the database's own words."""
    network: str | None = None
    """Kind of network when the AS number is this one: the table's word, else the database's."""


class _Database(NamedTuple):
    reader: maxminddb.Reader
    ipv4_only: bool


UNKNOWN = Place()
PRIVATE = Place()
"""Stands for every address that is of no public network; recognised by identity."""


class Geography:
    """Places events by their addresses.

    ``city_db``, ``asn_db``: MaxMind DB files (GeoIP2, GeoLite2, DB-IP, IPinfo and the like) in nested or flat layout; one file that
    holds both may be given twice. A file must be replaced by renaming, not overwritten, while this object lives: it is mapped into memory.
    A damaged record leaves its events unplaced, as far as the reader notices; some damage crashes the C reader and the process with it,
    which ``mode=maxminddb.MODE_MMAP`` (pure Python) avoids. Check a download against its checksum.
    ``networks``: AS number to kind of network, see ``networks.merged``; its word goes over that of a database.
    ``cache_size``: distinct addresses remembered, 2 or more; about 0.4 KiB each.
    ``mode``: one of the modes of ``maxminddb``.

    The counts are of events with an address: ``with_address = placed + country_only + unplaced + private``, by what is known
    of them in the end, whoever said it; ``supplied`` are those among them that brought a country or a position of their own.
    Raises ``ConfigurationError``.
    """

    def __init__(
        self,
        city_db: Path | None,
        asn_db: Path | None,
        networks: Mapping[int, str],
        *,
        cache_size: int = 65_536,
        mode: int = maxminddb.MODE_AUTO,
    ) -> None:
        self._city = None if city_db is None else _opened(city_db, "city_db", mode)
        self._asn = None if asn_db is None else _opened(asn_db, "asn_db", mode)
        self._networks = dict(networks)
        self._generation_size = max(1, cache_size // 2)
        self._young: dict[str, Place] = {}
        self._old: dict[str, Place] = {}
        self.with_address = 0
        self.placed = 0
        """Events with a position."""
        self.country_only = 0
        self.unplaced = 0
        self.private = 0
        """Events without geography of their own from a private, loopback or link-local address; never looked up."""
        self.supplied = 0
        self.unreadable = 0
        """Look-ups (not events) that met a damaged record."""

    @property
    def accelerated(self) -> bool:
        """Whether every configured database is read by the C extension of ``maxminddb``; the pure reader is about ten times slower."""
        return not any(db is not None and type(db.reader) is maxminddb.Reader for db in (self._city, self._asn))

    def place(self, event: Event) -> None:
        """Fill what a freshly decoded event does not say itself; see ``place_all``."""
        self.place_all((event,))

    def place_all(self, events: Iterable[Event]) -> None:
        """Fill ``country``, ``city``, ``lat``, ``lon``, ``accuracy_km``, ``asn`` and ``network`` where the events do not say them.

        An event with a position keeps its own geography as it is. One with a country alone gets city and position only when the
        database knows the address to be in that country. Each event may be placed once. Cost ≈ 0.2 µs per event for remembered addresses.
        """
        # The hot loop: flat and long, local names and counts.
        get = self._young.get
        kind_of = self._networks.get
        bare = self._city is None and self._asn is None
        with_address = placed = country_only = unplaced = private = supplied = 0
        for event in events:
            ip = event.ip
            if ip is None:
                if event.asn and event.network is None:
                    event.network = kind_of(event.asn)
                continue
            with_address += 1
            if bare and event.asn and event.lat is not None and event.lon is not None:
                # Without a database there is nothing to look up for an event that says all of it itself.
                supplied += 1
                placed += 1
                if event.network is None:
                    event.network = kind_of(event.asn)
                continue
            place = get(ip)
            if place is None:
                place = self._remembered(ip)
                get = self._young.get  # a new generation may have begun
            country, city, lat, lon, accuracy_km, asn, told, network = place
            own_country, own_lat, own_lon = event.country, event.lat, event.lon
            if own_lat is not None or own_lon is not None:
                supplied += 1
                if own_lat is not None and own_lon is not None:
                    placed += 1
                elif own_country:
                    country_only += 1
                else:
                    unplaced += 1
            elif own_country:
                supplied += 1
                if own_country == country:
                    if city is not None and not event.city:
                        event.city = city
                    if lat is not None:
                        event.lat, event.lon, event.accuracy_km = lat, lon, accuracy_km
                        placed += 1
                    else:
                        country_only += 1
                else:
                    country_only += 1
            elif lat is not None:
                event.country, event.lat, event.lon, event.accuracy_km = country, lat, lon, accuracy_km
                if city is not None and not event.city:
                    event.city = city
                placed += 1
            elif country is not None:
                event.country = country
                if city is not None and not event.city:
                    event.city = city
                country_only += 1
            elif place is PRIVATE:
                private += 1
            else:
                unplaced += 1
            own_asn = event.asn
            if not own_asn:
                if asn:
                    event.asn = asn
            elif own_asn != asn:
                # what the database says of another operator's network does not hold for this one
                network = kind_of(own_asn) or (None if asn else told)
            if network is not None and event.network is None:
                event.network = network
        self.with_address += with_address
        self.placed += placed
        self.country_only += country_only
        self.unplaced += unplaced
        self.private += private
        self.supplied += supplied

    def statement(self) -> str:
        """One plain sentence for the report: how many events could not be placed, and why."""
        if not self.with_address:
            return "No event had an address, so none had to be placed."
        total = f"{self.with_address:,} {'event' if self.with_address == 1 else 'events'} with an address"
        if self.unplaced:
            text = f"{self.unplaced:,} of {total} could not be placed: {self._reason()}"
        elif self.placed == self.with_address:
            text = f"All of {total} were placed" if self.with_address > 1 else f"The one {total.partition(' ')[2]} was placed"
        else:
            text = f"{self.placed:,} of {total} could be placed by position"
        parts = [text]
        if self.country_only:
            parts.append(f"{self.country_only:,} by country alone")
        if self.private:
            parts.append(f"{self.private:,} came from private addresses, which have no place")
        if self.supplied:
            parts.append(f"{self.supplied:,} brought geography of their own")
        if self.unreadable:
            parts.append(f"look-ups that met damaged records: {self.unreadable:,}, so download the databases again")
        return "; ".join(parts) + "."

    def close(self) -> None:
        """Close the databases. Addresses met before are still placed."""
        for database in (self._city, self._asn):
            if database is not None:
                database.reader.close()

    def _reason(self) -> str:
        if self._city is None:
            return "no city database is configured (geography.city_db)"
        return "the city database does not know their addresses (geography.city_db)"

    def _remembered(self, ip: str) -> Place:
        """Find the place of an address that the young generation does not hold."""
        place = self._old.get(ip) or self._looked_up(ip)
        if len(self._young) >= self._generation_size:
            self._old, self._young = self._young, {}
        self._young[ip] = place
        return place

    def _looked_up(self, ip: str) -> Place:
        try:
            address = ip_address(ip)
        except ValueError:
            return UNKNOWN
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        if any(address in network for network in _PRIVATE_NETWORKS[address.version]):
            return PRIVATE
        place = UNKNOWN if self._city is None else self._read(self._city, str(address))
        if self._asn is not None:
            numbered = self._read(self._asn, str(address))
            place = place._replace(asn=numbered.asn or place.asn, told=place.told or numbered.told)
        return place._replace(network=self._networks.get(place.asn) or place.told)

    def _read(self, database: _Database, ip: str) -> Place:
        if database.ipv4_only and ":" in ip:
            return UNKNOWN
        try:
            return read_record(database.reader.get(ip))
        except _UNREADABLE:
            self.unreadable += 1
            return UNKNOWN


def read_record(record: object) -> Place:
    """Read what one database record says, in whichever layout; whatever cannot be used is left out.

    A position of exactly 0, 0 means "unknown" in the flat databases; no address is out there in the Gulf of Guinea.

    >>> read_record({"country": {"iso_code": "SE"}, "location": {"latitude": 58.4, "longitude": 15.6, "accuracy_radius": 76}})[:5]
    ('SE', None, 58.4, 15.6, 76.0)
    >>> read_record({"country_code": "se", "city": "Linköping", "lat": "58.4", "lng": "15.6", "asn": "AS64500"})[:6]
    ('SE', 'Linköping', 58.4, 15.6, 0.0, 64500)
    """
    if not isinstance(record, dict):
        return UNKNOWN
    location = record.get("location")
    spot = location if isinstance(location, dict) else record
    lat, lon = _position(spot)
    traits = record.get("traits")
    fields = {**record, **traits} if isinstance(traits, dict) else record
    return Place(
        country=_country(record),
        city=_city(record.get("city")),
        lat=lat,
        lon=lon,
        accuracy_km=0.0 if lat is None else _number(spot.get("accuracy_radius"), HALF_ROUND_KM, least=0.0) or 0.0,
        asn=_asn(fields),
        told=told_kind(fields),
    )


def _country(record: Mapping[str, Any]) -> str | None:
    # A flat "country" may be a name ("Sweden"), so the code goes first; the country where the block is registered is the last resort.
    for value in (record.get("country_code"), record.get("country"), record.get("registered_country")):
        code = value.get("iso_code") if isinstance(value, dict) else value
        if isinstance(code, str) and len(code) == 2 and code.isascii() and code.isalpha() and code.upper() not in _NO_COUNTRIES:
            return intern(code.upper())
    return None


def _city(value: object) -> str | None:
    if isinstance(value, dict):
        names = value.get("names")
        value = names.get("en") if isinstance(names, dict) else None
    if isinstance(value, str) and value.strip() not in {"", "-"}:
        return intern(value.strip())
    return None


def _position(spot: Mapping[str, Any]) -> tuple[float | None, float | None]:
    lat = _number(spot.get("latitude", spot.get("lat")), 90.0)
    lon = _number(spot.get("longitude", spot.get("lng", spot.get("lon"))), 180.0)
    if lat is None or lon is None or lat == lon == 0.0:
        return None, None
    return lat, lon


def _number(value: object, most: float, *, least: float | None = None) -> float | None:
    """Return a number from ``least`` (absent: ``-most``) to ``most``, given as such or as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if isfinite(number) and (-most if least is None else least) <= number <= most else None


def _asn(fields: Mapping[str, Any]) -> int:
    for name in ("autonomous_system_number", "asn", "as_number"):
        value = fields.get(name)
        if isinstance(value, str):
            digits = value.strip().upper().removeprefix("AS")
            value = int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 10 else 0
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= HIGHEST_ASN:
            return value
    return 0


def _opened(path: Path, setting: str, mode: int) -> _Database:
    """Open a database and see that it holds what the setting is for."""
    where = f"geography.{setting}: {path}"
    if not path.is_file():
        raise ConfigurationError(f"{where} is no file; give the path of a MaxMind DB file (.mmdb), or leave the setting out")
    try:
        reader = maxminddb.open_database(path, mode)
        metadata = reader.metadata()
        database = _Database(reader, ipv4_only=metadata.ip_version == 4)
        is_useful = any(_is_useful(record, setting) for record in _first_records(database))
    except PermissionError as exc:
        raise ConfigurationError(f"{where} cannot be read; give this user the right to read it") from exc
    except _UNREADABLE as exc:
        raise ConfigurationError(f"{where} is no MaxMind DB file, or is damaged; unpack it, or download it again") from exc
    if not is_useful:
        reader.close()
        wanted = "countries or positions; use a City or Country" if setting == "city_db" else "AS numbers; use an ASN"
        raise ConfigurationError(f"{where} (type {metadata.database_type!r}) holds no {wanted} database in MaxMind DB format")
    return database


def _first_records(database: _Database) -> Iterator[object]:
    """Go from network to network by look-ups.

    The readers' own iterators are not used: on a damaged search tree that of the C reader writes outside its memory.
    """
    width, address = (32, IPv4Address) if database.ipv4_only else (128, IPv6Address)
    start = 0
    for _ in range(SAMPLE_NETWORKS):
        record, prefix_length = database.reader.get_with_prefix_len(address(start))
        yield record
        start += 1 << (width - prefix_length)
        if start >> width:
            return


def _is_useful(record: object, setting: str) -> bool:
    place = read_record(record)
    if setting == "asn_db":
        return place.asn != 0 or place.told is not None
    return place.country is not None or place.lat is not None
