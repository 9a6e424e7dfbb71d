"""Who there is and where: tenants, people, cities, addresses and devices."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from monitor.simulate.calendar import daylight_h
from monitor.simulate.chance import Chance
from monitor.simulate.writers import Log, encode_base
from schemas.errors import ConfigurationError

HOUR_S = 3600.0
DAY_S = 86_400.0
NAMES = ("acme", "borealis", "cobalt", "dune", "ember", "fjord", "garnet", "harbor")
MAX_USERS = 60_000
"""So many homes have addresses in the benchmark range."""


class City(NamedTuple):
    """Where, and how many hours its clocks are ahead of UTC in winter."""

    name: str
    country: str
    lat: float
    lon: float
    standard_h: float
    daylight: str
    """By which rule its clocks go forward in summer, see ``daylight_h``; empty: they do not."""
    number: int

    def ahead_h(self, day: int) -> float:
        """How many hours its clocks are ahead of UTC on that local date (days since 1970)."""
        return self.standard_h + daylight_h(self.daylight, day)

    def net(self, ip: str, asn: int) -> "Net":
        """An address there."""
        return Net(ip, self, asn)


class Net(NamedTuple):
    """One address, where it is, and whose."""

    ip: str
    city: City
    asn: int

    def fields(self) -> dict[str, Any]:
        """As an event tells it."""
        city = self.city
        return {"ip": self.ip, "country": city.country, "city": city.name, "lat": city.lat, "lon": city.lon, "asn": self.asn}


_PLACES = (
    ("Berlin", "DE", 52.52, 13.40, 1.0, "eu"),
    ("Oslo", "NO", 59.91, 10.75, 1.0, "eu"),
    ("New York", "US", 40.71, -74.01, -5.0, "us"),
    ("Sydney", "AU", -33.87, 151.21, 10.0, "au"),
    ("London", "GB", 51.51, -0.13, 0.0, "eu"),
    ("Bengaluru", "IN", 12.97, 77.59, 5.5, ""),
    ("São Paulo", "BR", -23.55, -46.63, -3.0, ""),
    ("San Francisco", "US", 37.77, -122.42, -8.0, "us"),
    ("Paris", "FR", 48.86, 2.35, 1.0, "eu"),
    ("Lisbon", "PT", 38.72, -9.14, 0.0, "eu"),
    ("Singapore", "SG", 1.35, 103.82, 8.0, ""),
    ("Nairobi", "KE", -1.29, 36.82, 3.0, ""),
    ("Bogotá", "CO", 4.71, -74.07, -5.0, ""),
    ("Jakarta", "ID", -6.21, 106.85, 7.0, ""),
)
CITIES = tuple(City(*place, number) for number, place in enumerate(_PLACES))
WORK_CITIES = CITIES[:10]
LAIRS = CITIES[10:]
"""Where nobody of the world lives: attackers come from there."""

_CHROME = "Mozilla/5.0 ({}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/145.0.0.0 Safari/537.36"
_AGENTS = (
    *(_CHROME.format(system) for system in ("Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7", "X11; Linux x86_64")),
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:148.0) Gecko/20100101 Firefox/148.0",
)
_PHONES = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.3 Mobile Safari/604.1",
    "Mozilla/5.0 (Linux; Android 16; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/145.0.0.0 Mobile Safari/537.36",
)


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One attack and its knobs."""

    name: str
    intensity: str = "high"
    """``low``, ``medium`` or ``high``."""
    strength: float | None = None
    """In place of ``intensity``: 1 is low, 2 medium, 3 high, anything between is between, and below 1 an attack is less than low."""
    stretch: float = 1.0
    """So many times as long as such attacks take, with as many steps."""
    spread: int = 1
    """Addresses the attacker has."""
    duration_s: float | None = None
    """How long it takes; ``None``: as long as such attacks do."""
    jitter: float = 0.3
    """How uneven its steps are, 0 (like a clock) to 1."""
    at: float | None = None
    """When it begins, Unix seconds; ``None``: somewhere in the second half."""
    tenant: str | None = None
    """``None``: a drawn one."""


class WorldSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What is simulated."""

    seed: int = 1
    start: float = 1_773_619_200.0
    """Unix seconds; the default is Monday 2026-03-16, 00:00 UTC."""
    hours: float = 24.0
    users: int = 200
    tenants: int = 4
    scenarios: tuple[Scenario, ...] = ()
    deploy_after_h: float | None = None
    """From then on a new version of the product is in use: other endpoints, and more requests."""
    deploy_growth: float = 0.5
    """Share by which everybody's requests are more from then on."""
    holidays: bool = True
    """Whether public holidays are kept."""
    growth_per_week: float = 0.01
    """Share by which everybody's activity grows each week."""

    def check(self) -> None:
        """Raise ``ConfigurationError`` for what cannot be simulated."""
        for name, value, low, high in (
            ("hours", self.hours, 0.01, 24 * 366 * 2),
            ("users", self.users, 1, MAX_USERS),
            ("tenants", self.tenants, 1, len(NAMES)),
        ):
            if not low <= value <= high:
                raise ConfigurationError(f"{name}: {value:g} cannot be simulated; use {low:g} to {high:g}")


@dataclass(slots=True)
class Person:
    """Somebody with a laptop and a phone."""

    name: str
    number: int
    tenant: str
    city: City
    home: Net
    office: Net | None
    mobile: Net
    vpn: Net | None
    agent: str
    phone_agent: str
    objects: tuple[int, ...]
    """What this person works on."""
    commutes: bool
    night: bool
    role: str
    """``admin``, ``finance``, ``analyst`` or ``staff``."""

    def device(self, kind: str, day: int) -> str:
        """The laptop or phone in use on that day (days since 1970): phones are replaced now and then."""
        return f"{kind}-{self.name}-{self.generation(day) if kind == 'phone' else 1}"

    def generation(self, day: int) -> int:
        """Counts the phones."""
        return (day + 37 * self.number) // 500

    def gets_phone(self, day: int) -> bool:
        """Whether it is the day of a new phone."""
        return (day + 37 * self.number) % 500 == 0


ROLES = ("admin", "finance", "analyst")


class World:
    """All people of all tenants."""

    def __init__(self, settings: WorldSettings) -> None:
        settings.check()
        self.settings = settings
        self.tenants = NAMES[: settings.tenants]
        self.offices = {name: WORK_CITIES[number].net(f"198.18.{number}.10", 64520 + number) for number, name in enumerate(self.tenants)}
        self.people: dict[str, list[Person]] = {name: [] for name in self.tenants}
        for number in range(settings.users):
            tenant = self.tenants[number % len(self.tenants)]
            self.people[tenant].append(self._person(tenant, number))

    def everyone(self) -> list[Person]:
        """All of them, in a fixed order."""
        return [person for people in self.people.values() for person in people]

    def _person(self, tenant: str, number: int) -> Person:
        chance = Chance(self.settings.seed, "person", number)
        place = len(self.people[tenant])
        office = self.offices[tenant]
        remote = chance.yes(0.25)
        city = chance.pick(WORK_CITIES) if remote else office.city
        home = city.net(f"198.19.{number // 240}.{number % 240 + 8}", 64700 + 3 * city.number + chance.whole(0, 2))
        return Person(
            name=f"{tenant}-{place:03}",
            number=number,
            tenant=tenant,
            city=city,
            home=home,
            office=None if remote else office,
            mobile=city.net(f"198.18.{64 + city.number}.{chance.whole(1, 200)}", 64600 + city.number),
            vpn=office.city.net(f"198.18.130.{self.tenants.index(tenant) + 1}", 9009) if chance.yes(0.05) else None,
            agent=chance.pick(_AGENTS),
            phone_agent=chance.pick(_PHONES),
            objects=tuple(chance.whole(1, 40_000) for _ in range(60)),
            commutes=chance.yes(0.4),
            night=place >= len(ROLES) and chance.yes(0.03),
            role=ROLES[place] if place < len(ROLES) else "staff",
        )


class Client:
    """One device of one account in one session; ``move`` takes it to another network."""

    __slots__ = ("_bare", "_base", "fields", "log", "net", "person", "session")

    def __init__(self, log: Log, person: Person, net: Net, session: str, *, device: str, agent: str) -> None:
        self.log, self.person, self.session, self.net = log, person, session, net
        self.fields: dict[str, Any] = {
            "tenant": person.tenant,
            "actor": person.name,
            "actor_type": "user",
            "user_agent": agent,
            "device_id": device,
        }
        self.move(net)

    def move(self, net: Net) -> None:
        """From now on it is there."""
        self.net = net
        self.change(**net.fields())

    def change(self, **fields: Any) -> None:
        """Other fields for all that comes."""
        self.fields.update(fields)
        self._bare = encode_base(self.fields)
        self._base = encode_base({**self.fields, "session_id": self.session})

    def do(self, at: float, kind: str, **fields: Any) -> None:
        """Something within the session."""
        self.log.add(at, kind, fields, self._base)

    def bare(self, at: float, kind: str, **fields: Any) -> None:
        """Something before there is a session."""
        self.log.add(at, kind, fields, self._bare)

    def fail(self, at: float, reason: str = "bad_password") -> None:
        """A login that does not work."""
        self.bare(at, "auth.login", outcome="failure", reason=reason)

    def log_in(self, at: float, *, push: bool = False) -> None:
        """A login that works, with a push to the phone before it where wanted."""
        if push:
            self.bare(at - 9, "auth.mfa_challenge", outcome="challenge", action="push")
            self.bare(at - 2, "auth.mfa_challenge", outcome="success", action="push")
        self.do(at, "auth.login", outcome="success")
