"""Who there is and where: eight customers of a made-up service, their people, addresses and devices."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.ordinary.chance import Chance

Row = dict[str, Any]

HOUR_S = 3600.0
DAY_S = 86_400.0
MONDAY = 1_773_619_200.0
"""The day: Monday 2026-03-16, 00:00 UTC."""
HISTORY_DAYS = 16
"""Before it: ten working days and three weekends, from Saturday 2026-02-28 on."""


class City(NamedTuple):
    """Where, and how many hours its clocks are ahead of UTC that week."""

    name: str
    country: str
    lat: float
    lon: float
    ahead_h: float
    carrier: int
    """AS number of the mobile carrier most people have there."""
    exit: str = ""
    """City where that carrier's addresses come out into the internet; empty: this one."""


CITIES: dict[str, City] = {
    city.name: city
    for city in (
        City("Berlin", "DE", 52.52, 13.40, 1, 64601, "Frankfurt"),
        City("Frankfurt", "DE", 50.11, 8.68, 1, 64601),
        City("Munich", "DE", 48.14, 11.58, 1, 64601, "Frankfurt"),
        City("Amsterdam", "NL", 52.37, 4.90, 1, 64602),
        City("Brussels", "BE", 50.85, 4.35, 1, 64603),
        City("Paris", "FR", 48.86, 2.35, 1, 64604),
        City("Oslo", "NO", 59.91, 10.75, 1, 64605),
        City("Bergen", "NO", 60.39, 5.32, 1, 64605, "Oslo"),
        City("London", "GB", 51.51, -0.13, 0, 64606),
        City("Manchester", "GB", 53.48, -2.24, 0, 64606, "London"),
        City("Lisbon", "PT", 38.72, -9.14, 0, 64607),
        City("New York", "US", 40.71, -74.01, -4, 21928),
        City("Dallas", "US", 32.78, -96.80, -5, 21928),
        City("Chicago", "US", 41.88, -87.63, -5, 21928),
        City("Denver", "US", 39.74, -104.99, -6, 21928, "Dallas"),
        City("San Francisco", "US", 37.77, -122.42, -7, 21928),
        City("Seattle", "US", 47.61, -122.33, -7, 21928, "San Francisco"),
        City("São Paulo", "BR", -23.55, -46.63, -3, 64608),
        City("Bengaluru", "IN", 12.97, 77.59, 5.5, 64609),
        City("Mumbai", "IN", 19.08, 72.88, 5.5, 64609, "Bengaluru"),
        City("Singapore", "SG", 1.35, 103.82, 8, 64610),
        City("Sydney", "AU", -33.87, 151.21, 11, 64611),
        City("Melbourne", "AU", -37.81, 144.96, 11, 64611),
        City("Zurich", "CH", 47.37, 8.54, 1, 64612),
    )
}


class Net(NamedTuple):
    """One address and where it is."""

    ip: str
    city: City
    asn: int

    def fields(self) -> Row:
        """As an event tells it."""
        city = self.city
        return {"ip": self.ip, "country": city.country, "city": city.name, "lat": city.lat, "lon": city.lon, "asn": self.asn}


@dataclass
class Person:
    """Somebody with a laptop and a phone."""

    name: str
    tenant: str
    city: City
    home: Net
    office: Net | None
    mobile: tuple[Net, ...]
    """Addresses the carrier puts this phone behind, shared with strangers."""
    laptop: str | None
    phone: str | None
    agent: str
    phone_agent: str
    objects: tuple[int, ...]
    """What this person works on."""
    commutes: bool
    """Whether the phone is used on the way to work."""
    night: bool = False
    vpn: Net | None = None
    role: str = "staff"
    sessions: int = field(default=0)


class Tenant(NamedTuple):
    """One customer."""

    name: str
    city: str
    people: int
    remote: tuple[str, ...]
    """Where those work who are not at the office's city."""
    devices: bool = True
    """Whether its events name devices."""


ROLES = (
    *("admin", "helpdesk", "finance", "support", "support", "analyst", "analyst", "success", "oncall", "admin"),
    *("syncing", "traveller", "forgetful", "forgetful", "locked out", "replaced", "pestered", "reader", "mail", "intern"),
    *("parent", "new", "privacy"),
)
"""What the first of each tenant are known by; the others are staff. Parents are away, and the new ones not there yet, until the day."""

TENANTS = (
    Tenant("acme", "Berlin", 120, ("Munich", "Lisbon")),
    Tenant("borealis", "Oslo", 60, ("Bergen",)),
    Tenant("cobalt", "New York", 110, ("Denver", "Berlin", "Seattle")),
    Tenant("dune", "Sydney", 50, ("Melbourne", "Singapore")),
    Tenant("ember", "London", 100, ("Manchester", "Paris")),
    Tenant("fjord", "Bengaluru", 70, ("Mumbai",)),
    Tenant("garnet", "São Paulo", 40, ("São Paulo",)),
    Tenant("harbor", "San Francisco", 50, ("Seattle", "Denver"), devices=False),
)

_CHROME = "Mozilla/5.0 ({}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 Safari/537.36"
_SYSTEMS = ("Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7", "X11; Linux x86_64")
_FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:{0}.0) Gecko/20100101 Firefox/{0}.0"
_PHONES = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.3 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 16; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/145.0.0.0 Mobile Safari/537.36",
)


def updated(agent: str) -> str:
    """The same browser a version later.

    >>> updated("… Chrome/145.0.0.0 Safari/537.36")
    '… Chrome/146.0.0.0 Safari/537.36'
    """
    return agent.replace("Chrome/145.", "Chrome/146.").replace("rv:148.0", "rv:149.0").replace("Firefox/148.0", "Firefox/149.0")


class World:
    """All people of all tenants. ``offices`` are by tenant."""

    def __init__(self, chance: Chance) -> None:
        self._chance = chance
        self._homes = 0
        self.people: dict[str, list[Person]] = {}
        self.offices: dict[str, Net] = {}
        for number, tenant in enumerate(TENANTS):
            city = CITIES[tenant.city]
            self.offices[tenant.name] = Net(f"198.18.{number}.10", city, 64520 + number)
            self.people[tenant.name] = [self._person(tenant, at) for at in range(tenant.people)]
        self._give_roles()

    def everyone(self) -> list[Person]:
        """All of them, in a fixed order."""
        return [person for people in self.people.values() for person in people]

    def home(self, city: City) -> Net:
        """One more household, with one of the three providers of its city."""
        self._homes += 1
        provider = 64700 + 3 * list(CITIES).index(city.name) + self._chance.whole(0, 2)
        return Net(f"198.19.{self._homes // 250}.{self._homes % 250 + 2}", city, provider)

    def mobile(self, city: City) -> tuple[Net, ...]:
        """Some of the few addresses at which a carrier's customers come out."""
        exit_city = CITIES[city.exit or city.name]
        block = list(CITIES).index(exit_city.name)
        return tuple(Net(f"100.{64 + block}.7.{host}", exit_city, city.carrier) for host in self._chance.some(range(1, 9), 3))

    def _person(self, tenant: Tenant, at: int) -> Person:
        chance = self._chance
        remote = chance.yes(0.25)
        city = CITIES[chance.pick(tenant.remote) if remote else tenant.city]
        agent = _FIREFOX.format(148) if chance.yes(0.2) else _CHROME.format(chance.pick(_SYSTEMS), 145)
        name = f"{tenant.name}-{at:03}"
        return Person(
            name=name,
            tenant=tenant.name,
            city=city,
            home=self.home(city),
            office=None if remote else self.offices[tenant.name],
            mobile=self.mobile(city),
            laptop=f"laptop-{name}" if tenant.devices else None,
            phone=f"phone-{name}" if tenant.devices else None,
            agent=agent,
            phone_agent=chance.pick(_PHONES),
            objects=tuple(chance.whole(1, 40_000) for _ in range(60)),
            commutes=chance.yes(0.4),
            night=chance.yes(0.03),
        )

    def _give_roles(self) -> None:
        """The first of each tenant are its administrators, help desk, finance, support and analysts: stories know them by role."""
        for people in self.people.values():
            for person, role in zip(people, ROLES, strict=False):
                person.role, person.night = role, False
                if role == "traveller":  # begins where the office is
                    person.city, person.home = self.offices[person.tenant].city, self.home(self.offices[person.tenant].city)
                    person.mobile = self.mobile(person.city)
        # One American company sends its people in Berlin through a VPN that comes out at headquarters.
        egress = Net("198.18.2.200", CITIES["New York"], 64522)
        for person in self.people["cobalt"]:
            if person.city.name == "Berlin":
                person.vpn = egress


class Log:
    """Collects rows."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def add(self, at: float, kind: str, fields: Row) -> None:
        """One event; ``at`` in Unix seconds, kept to the millisecond."""
        self.rows.append({"time": round(at, 3), "kind": kind, **fields})


class Client:
    """One device of one person in one session; ``move`` takes it to another network."""

    def __init__(self, log: Log, person: Person, net: Net, *, phone: bool = False) -> None:
        self.log, self.person = log, person
        person.sessions += 1
        self.session = f"s-{person.name}-{person.sessions}"
        self.base: Row = {"tenant": person.tenant, "actor": person.name, "actor_type": "user"}
        self.base["user_agent"] = person.phone_agent if phone else person.agent
        device = person.phone if phone else person.laptop
        if device is not None:
            self.base["device_id"] = device
        self.net = net
        self.move(net)

    def move(self, net: Net) -> None:
        """From now on it is there."""
        self.net = net
        self.base.update(net.fields())

    def do(self, at: float, kind: str, **fields: Any) -> None:
        """Something within the session."""
        self.log.add(at, kind, {**self.base, "session_id": self.session, **fields})

    def bare(self, at: float, kind: str, **fields: Any) -> None:
        """Something before there is a session."""
        self.log.add(at, kind, {**self.base, **fields})

    def fail(self, at: float, reason: str = "bad_password") -> None:
        """A login that does not work."""
        self.bare(at, "auth.login", outcome="failure", reason=reason)

    def log_in(self, at: float, *, push: bool = False) -> None:
        """A login that works, with a push to the phone before it where wanted."""
        if push:
            self.bare(at - 9, "auth.mfa_challenge", outcome="challenge", action="push")
            self.bare(at - 2, "auth.mfa_challenge", outcome="success", action="push")
        self.do(at, "auth.login", outcome="success")
