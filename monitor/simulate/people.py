"""What people do: they log in, mistype, work, have lunch, change networks, travel and go home."""

from datetime import date
from math import asin, cos, radians, sin, sqrt
from typing import Any, NamedTuple

from monitor.simulate.calendar import is_holiday
from monitor.simulate.chance import Chance
from monitor.simulate.world import DAY_S, HOUR_S, WORK_CITIES, City, Client, Net, Person, World
from monitor.simulate.writers import Log

THINGS = ("orders", "invoices", "tickets", "customers", "files", "projects")
QUERIES = (
    "SELECT region, sum(amount) FROM sales WHERE day >= '{}' GROUP BY region",
    "SELECT count(*) FROM tickets WHERE opened > '{}'",
    "SELECT customer_id, sum(total) FROM invoices WHERE month = {} GROUP BY customer_id",
    "SELECT id, name, plan FROM accounts WHERE plan = '{}' LIMIT 500",
    "SELECT day, avg(latency_ms) FROM requests WHERE day > '{}' GROUP BY day ORDER BY day",
)
PLAN_HOUR = 4
"""Local hour before which nothing of a person's day happens."""
_WEEKEND = {2, 3}
"""Days since 1970 modulo 7: the first one was a Thursday."""


class Trip(NamedTuple):
    """A journey: leaves in the morning of the first date, flies back on the day before the last (days since 1970)."""

    city: City
    first: int
    last: int


class Day:
    """One person's local date. ``day``: that date, in days since 1970."""

    def __init__(self, log: Log, world: World, person: Person, day: int) -> None:
        self.log, self.world, self.person, self.day = log, world, person, day
        self.chance = Chance(world.settings.seed, "day", person.number, day)
        self.sessions = 0

    def at(self, hour: float) -> float:
        """A local time in Unix seconds."""
        return self.day * DAY_S + (hour - self.person.city.ahead_h(self.day)) * HOUR_S

    def live(self) -> None:
        """All of it, or nothing on a day off."""
        chance, person = self.chance, self.person
        trip = trip_on(self.world, person, self.day)
        if trip is not None:
            self._travel(trip)
            return
        off = self.day % 7 in _WEEKEND or (self.world.settings.holidays and is_holiday(person.city.country, self.day))
        if chance.yes(0.95 if off else 0.06):
            return
        start, end = self._hours()
        office = person.office if not off and chance.yes(0.7) else None
        if person.commutes:
            self._phone(start, end, office)
        if person.gets_phone(self.day):
            self._new_phone(start, office or person.home)
        client = self._client(office or person.home)
        self._log_in(client, self.at(start))
        self._work(client, start, end, int(chance.whole(50, 110) * self._activity()))
        self._duty(client, start, end)
        if chance.yes(0.4):
            client.do(self.at(end) + 30, "auth.logout", outcome="success")

    def _hours(self) -> tuple[float, float]:
        chance = self.chance
        if self.person.night:
            return chance.around(21.8, 22.3), chance.around(29.5, 30.0)
        return chance.around(7.5, 9.8), chance.around(16.2, 19.0)

    def _activity(self) -> float:
        """More on the last and first days of a month, a little more each week, more after a deploy."""
        settings = self.world.settings
        weeks = (self.day * DAY_S - settings.start) / (7 * DAY_S)
        factor: float = (1 + settings.growth_per_week) ** weeks
        if _is_month_end(self.day):
            factor *= 2 if self.person.role == "finance" else 1.2
        return factor

    def _client(self, net: Net, *, phone: bool = False) -> Client:
        person = self.person
        self.sessions += 1
        kind = "phone" if phone else "laptop"
        agent = person.phone_agent if phone else person.agent
        session = f"s-{person.name}-{self.day}-{self.sessions}"
        return Client(self.log, person, net, session, device=person.device(kind, self.day), agent=agent)

    def _log_in(self, client: Client, at: float) -> None:
        """A login; some mistype, few have forgotten their password and reset it."""
        chance, target = self.chance, f"user:{self.person.name}"
        if chance.yes(0.004):
            for number in range(chance.whole(3, 4)):
                client.fail(at - 300 + 24 * number)
            client.bare(at - 180, "auth.password_reset", outcome="success", action="reset.requested", target=target)
            client.bare(at - 60, "auth.password_reset", outcome="success", action="reset.completed", target=target)
        elif chance.yes(0.07):
            for number in range(1 if chance.yes(0.8) else 2):
                client.fail(at - 60 + 15 * number)
        client.log_in(at, push=chance.yes(0.35))

    def _work(self, client: Client, start: float, end: float, number: int) -> None:
        """Requests, fewer at lunch; sessions end after some hours; a VPN is switched on and off in between."""
        chance, settings = self.chance, self.world.settings
        again_at, vpn_at = self.at((start + end) / 2), self.at(start + 2)
        deploy_at = float("inf") if settings.deploy_after_h is None else settings.start + settings.deploy_after_h * HOUR_S
        if self.at(start) >= deploy_at:
            number += int(number * settings.deploy_growth)
        times = sorted(self._moment(start, end) for _ in range(number))
        here, has_vpn, is_back = client.net, self.person.vpn, False
        for at in times:
            if has_vpn is not None and at > vpn_at:
                client.move(has_vpn)
                client.do(at - 1, "auth.login", outcome="success")
                has_vpn = None
            if not is_back and at > again_at:
                client.move(here)
                client.log_in(at - 0.5)
                is_back = True
            request(chance, client, at, "v2" if at >= deploy_at else "v1")

    def _moment(self, start: float, end: float) -> float:
        hour = self.chance.between(start, end)
        if 12 <= hour < 13 and self.chance.yes(0.75):
            hour = self.chance.between(start, end)
        return self.at(hour) + 2

    def _phone(self, start: float, end: float, office: Net | None) -> None:
        """On the way by mobile network, then in the Wi-Fi, at lunch outside, and home: one session."""
        person = self.person
        client = self._client(person.mobile, phone=True)
        client.log_in(self.at(start - 0.7))
        for hour, net in (
            (start - 0.7, person.mobile),
            (start + 0.1, office or person.home),
            (12.2, person.mobile),
            (end + 0.1, person.mobile),
        ):
            client.move(net)
            client.do(self.at(hour) + 2, "auth.session", outcome="success", action="token.refresh")
            for _ in range(4):
                request(self.chance, client, self.at(hour) + self.chance.between(5, 1500), "v1")

    def _new_phone(self, start: float, net: Net) -> None:
        """The old factor goes and the new one comes."""
        client = self._client(net)
        target = f"user:{self.person.name}"
        client.log_in(self.at(start + 0.6))
        client.do(self.at(start + 0.7), "auth.mfa_change", outcome="success", action="mfa.remove", target=target)
        client.do(self.at(start + 0.75), "auth.mfa_change", outcome="success", action="mfa.add", target=target)

    def _duty(self, client: Client, start: float, end: float) -> None:
        """What only some do: grants, reports, questions."""
        chance, role = self.chance, self.person.role
        if role == "admin":
            for _ in range(2):
                colleague = chance.pick(self.world.people[self.person.tenant])
                if colleague is not self.person:
                    at = self.at(chance.between(start, end))
                    client.do(at, "admin.action", outcome="success", action="role.grant", target=f"user:{colleague.name}")
        elif role == "finance":
            for _ in range(3 if _is_month_end(self.day) else 1):
                at = self.at(chance.between(start, end))
                client.do(at, "data.export", outcome="success", action="report", target="report:monthly", records=8000, bytes=3_100_000)
        elif role == "analyst":
            for _ in range(40):
                text = chance.pick(QUERIES).format(chance.whole(1, 60))
                client.do(self.at(chance.between(start, end)), "data.query", outcome="success", query=text, records=chance.whole(1, 900))

    def _travel(self, trip: Trip) -> None:
        """By plane there and back, at work in a hotel in between; nobody is faster than an airliner."""
        person, chance = self.person, self.chance
        hotel = trip.city.net(f"198.18.{80 + trip.city.number}.{person.number % 200 + 1}", 64800 + trip.city.number)
        flight_h = distance_km(person.city, trip.city) / 800 + 1
        if self.day == trip.first:
            self._client(person.home).log_in(self.at(6))
            self._client(hotel).log_in(self.at(6.5 + flight_h), push=True)
        elif self.day == trip.last - 1:
            self._client(hotel).log_in(self.at(12))
            self._client(person.home).log_in(self.at(12.5 + flight_h))
        elif trip.first + 1 < self.day < trip.last:  # rested on the day after each flight: the longest ones arrive on it
            begin = 9 + person.city.ahead_h(self.day) - trip.city.ahead_h(self.day)  # nine o'clock there
            begin += 24 if begin < PLAN_HOUR else 0
            client = self._client(hotel)
            client.log_in(self.at(begin))
            self._work(client, begin, begin + 7, chance.whole(30, 60))


def trip_on(world: World, person: Person, day: int) -> Trip | None:
    """The journey somebody is on that day; about every fourth person has one within 28 days, nobody on duty."""
    if person.role != "staff" or person.night:
        return None
    month, date = divmod(day, 28)
    chance = Chance(world.settings.seed, "trip", person.number, month)
    if not chance.yes(0.25):
        return None
    first = chance.whole(3, 20)
    city = chance.pick([city for city in WORK_CITIES if city is not person.city])
    trip = Trip(city, month * 28 + first, month * 28 + first + chance.whole(4, 7))
    return trip if first <= date <= trip.last - month * 28 else None


def distance_km(a: City, b: City) -> float:
    """Along the great circle."""
    lat, lon = radians(b.lat - a.lat) / 2, radians(b.lon - a.lon) / 2
    return 12_742 * asin(sqrt(sin(lat) ** 2 + cos(radians(a.lat)) * cos(radians(b.lat)) * sin(lon) ** 2))


def request(chance: Chance, client: Client, at: float, version: str) -> None:
    """One thing somebody does who works with the product."""
    draw, person = chance.random(), client.person
    thing = THINGS[person.number % 2 + 2 * chance.whole(0, 1)]
    if draw < 0.75:
        number = chance.favourite(person.objects) if draw < 0.68 else chance.whole(1, 40_000)
        _api(chance, client, at, f"/{version}/{thing}/{{id}}", f"/{version}/{thing}/{number}", "PATCH" if draw > 0.6 else "GET")
    elif draw < 0.88:
        path = f"/{version}/{thing}"
        client.do(at, "api.request", **_ok("GET", path, path), query=f"page={chance.whole(1, 4)}", records=25)
    elif draw < 0.93:
        allowed = chance.yes(0.96)
        verdict: dict[str, Any] = {"outcome": "success"} if allowed else {"outcome": "failure", "reason": "forbidden"}
        client.do(at, "authz.decision", action="read", target=f"{thing}:{chance.favourite(person.objects)}", **verdict)
    elif draw < 0.945:
        size = chance.whole(20_000, 2_000_000)
        client.do(at, "data.export", outcome="success", action="download", target=f"file:{chance.favourite(person.objects)}", bytes=size)
    elif draw < 0.97:
        client.do(at, "auth.session", outcome="success", action="token.refresh")
    else:
        path = f"/{version}/notifications"
        client.do(at, "api.request", **_ok("GET", path, path))


def _api(chance: Chance, client: Client, at: float, route: str, path: str, method: str) -> None:
    draw = chance.random()
    if draw < 0.985:
        client.do(at, "api.request", **_ok(method, route, path), latency_ms=chance.whole(8, 240))
    elif draw < 0.992:
        client.do(at, "api.request", method=method, route=route, path=path, status=404, outcome="failure")
    elif draw < 0.996:
        client.do(at, "api.request", method=method, route=route, path=path, status=403, outcome="failure", reason="forbidden")
    else:
        client.do(at, "api.request", method=method, route=route, path=path, status=500, outcome="failure")


def _ok(method: str, route: str, path: str) -> dict[str, Any]:
    return {"method": method, "route": route, "path": path, "status": 200, "outcome": "success"}


def _is_month_end(day: int) -> bool:
    """Whether it is one of the last two days of a month, or the first of the next one (months of the calendar)."""
    today = date.fromordinal(719_163 + day)
    return today.day == 1 or date.fromordinal(719_163 + day + 2).month != today.month
