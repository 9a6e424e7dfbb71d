"""What people do on a working day: they log in, mistype, work, have lunch, change networks and go home."""

from typing import Any

from tests.ordinary.chance import Chance
from tests.ordinary.world import HOUR_S, Client, Log, Net, Person

THINGS = ("orders", "invoices", "tickets", "customers", "files", "projects")
QUERIES = (
    "SELECT region, sum(amount) FROM sales WHERE day >= '{}' GROUP BY region",
    "SELECT count(*) FROM tickets WHERE opened > '{}'",
    "SELECT customer_id, sum(total) FROM invoices WHERE month = {} GROUP BY customer_id",
    "SELECT id, name, plan FROM accounts WHERE plan = '{}' LIMIT 500",
    "SELECT day, avg(latency_ms) FROM requests WHERE day > '{}' GROUP BY day ORDER BY day",
    "SELECT p.name, count(*) FROM projects p JOIN tasks t ON t.project_id = p.id WHERE t.state = '{}' GROUP BY p.name",
    "SELECT week, count(distinct user_id) FROM visits WHERE week >= {} GROUP BY week",
    "SELECT channel, cost FROM campaigns WHERE quarter = {} ORDER BY cost DESC LIMIT 50",
)
NEW_QUERIES = (
    "SELECT country, count(*) FROM accounts WHERE churned_at > '{}' GROUP BY country",
    "SELECT i.id, i.total FROM invoices i JOIN accounts a ON a.id = i.account_id WHERE a.region = '{}' AND i.overdue LIMIT 2000",
    "SELECT plan, percentile_cont(0.5) WITHIN GROUP (ORDER BY seats) FROM accounts WHERE created > '{}' GROUP BY plan",
    "WITH recent AS (SELECT * FROM visits WHERE day > '{}') SELECT page, count(*) FROM recent GROUP BY page LIMIT 100",
)


class Shift:
    """One person's day. ``day``: the local date, as midnight UTC of it. ``busy``: all that is done, or a little of it."""

    def __init__(self, log: Log, chance: Chance, person: Person, day: float, *, busy: bool) -> None:
        self.log, self.chance, self.person, self.busy = log, chance, person, busy
        self._day = day
        self.monday = int(day // 86_400) % 7 == 4  # the first of January 1970 was a Thursday

    def at(self, hour: float) -> float:
        """A local time of that day in Unix seconds."""
        return self._day + (hour - self.person.city.ahead_h) * HOUR_S

    def hours(self) -> tuple[float, float]:
        """When it begins and ends, as local hours."""
        chance = self.chance
        if self.person.night:
            return chance.around(21.8, 22.3), chance.around(29.8, 30.3)
        if self.person.office is not None and self.monday:
            return chance.around(8.1, 9.3), chance.around(16.4, 18.6)  # everyone comes for the weekly meeting
        return chance.around(7.5, 9.8), chance.around(16.2, 19.0)

    def work(self, weekend: float = 0.04) -> None:
        """The whole day, or nothing on a day off."""
        chance, person = self.chance, self.person
        off = int(self._day // 86_400) % 7 in {2, 3}
        if chance.yes(1 - weekend if off else 0.07):
            return
        start, end = self.hours()
        office = None if off or not chance.yes(0.68) else person.office
        if person.commutes and chance.yes(0.9):
            self._phone(start, end, office)
        client = Client(self.log, person, office or person.home)
        self.log_in(client, self.at(start))
        self.requests(client, start, end, chance.whole(50, 110) if self.busy else chance.whole(2, 4))
        if chance.yes(0.4):
            client.do(self.at(end) + 30, "auth.logout", outcome="success")
        if chance.yes(0.15) and not person.night:
            evening = Client(self.log, person, person.home)
            begin = chance.between(20, 21.5)
            evening.log_in(self.at(begin))
            self.requests(evening, begin, begin + 0.8, 8 if self.busy else 1)

    def log_in(self, client: Client, at: float) -> None:
        """A login, mistyped once or twice by some."""
        chance = self.chance
        wrong = 0 if chance.yes(0.93) else 1 if chance.yes(0.8) else 2
        for number in range(wrong):
            client.fail(at - 60 + 14 * number + chance.between(0, 9))
        client.log_in(at, push=chance.yes(0.35))

    def requests(self, client: Client, start: float, end: float, number: int) -> None:
        """So many requests between two local hours, fewer of them at lunch; a VPN is switched on and off in between."""
        chance, vpn, here = self.chance, self.person.vpn, client.net
        turns: list[tuple[float, Net | None]] = [(self._moment(start, end), None) for _ in range(number)]
        if vpn is not None and end - start > 2:
            turns += [(self.at(start + chance.between(0.2, 0.9)), vpn), (self.at(end - chance.between(0.2, 1.2)), here)]
        for at, net in sorted(turns, key=lambda turn: turn[0]):
            if net is None:
                request(chance, client, at)
            else:
                client.move(net)
                client.do(at, "auth.login", outcome="success")

    def _moment(self, start: float, end: float) -> float:
        hour = self.chance.between(start, end)
        if 12 <= hour < 13 and self.chance.yes(0.75):
            hour = self.chance.between(start, end)
        return self.at(hour) + 2

    def _phone(self, start: float, end: float, office: Net | None) -> None:
        """On the way to work by mobile network, then in the Wi-Fi, at lunch in the mobile network again: one session."""
        chance, person = self.chance, self.person
        client = Client(self.log, person, chance.pick(person.mobile), phone=True)
        begin = self.at(start - 0.7)
        if chance.yes(0.3):
            client.log_in(begin)
        roads = [chance.pick(person.mobile) for _ in range(3)]
        for hour, net in ((start - 0.7, roads[0]), (start + 0.1, office or person.home), (12.2, roads[1]), (end + 0.1, roads[2])):
            client.move(net)
            client.do(self.at(hour) + 2, "auth.session", outcome="success", action="token.refresh")
            for _ in range(4 if self.busy else 0):
                request(chance, client, self.at(hour) + chance.between(5, 1500))


def request(chance: Chance, client: Client, at: float) -> None:
    """One thing somebody does who works with the product."""
    draw, person = chance.between(0, 1), client.person
    thing = THINGS[len(person.name) % 2 + chance.whole(0, 1) * 2]
    if draw < 0.60:
        number = chance.favourite(person.objects) if draw < 0.52 else chance.whole(1, 40_000)
        api(chance, client, at, f"/v1/{thing}/{{id}}", f"/v1/{thing}/{number}", records=1)
    elif draw < 0.75:
        client.do(at, "api.request", **_ok("GET", f"/v1/{thing}", f"/v1/{thing}"), query=f"page={chance.whole(1, 4)}", records=25)
    elif draw < 0.82:
        client.do(at, "api.request", **_ok("GET", "/v1/search", "/v1/search"), query=f"q={chance.pick(('late', 'acme', 'berlin', 'new'))}")
    elif draw < 0.90:
        number = chance.favourite(person.objects)
        api(chance, client, at, f"/v1/{thing}/{{id}}", f"/v1/{thing}/{number}", method="PATCH")
    elif draw < 0.95:
        allowed = chance.yes(0.96)
        verdict: dict[str, Any] = {"outcome": "success"} if allowed else {"outcome": "failure", "reason": "forbidden"}
        client.do(at, "authz.decision", action="read", target=f"{thing}:{chance.favourite(person.objects)}", **verdict)
    elif draw < 0.965:
        size = chance.whole(20_000, 6_000_000)
        client.do(at, "data.export", outcome="success", action="download", target=f"file:{chance.favourite(person.objects)}", bytes=size)
    elif draw < 0.985:
        client.do(at, "auth.session", outcome="success", action="token.refresh")
    else:
        client.do(at, "api.request", **_ok("GET", "/v1/notifications", "/v1/notifications"))


def api(chance: Chance, client: Client, at: float, route: str, path: str, *, method: str = "GET", **more: Any) -> None:
    """One request for one object; a few find nothing, are refused or meet a fault."""
    draw = chance.between(0, 1)
    status = 200 if draw < 0.972 else 404 if draw < 0.986 else 403 if draw < 0.994 else 500
    if status == 200:
        client.do(at, "api.request", **{**_ok(method, route, path), "latency_ms": chance.whole(8, 240)}, **more)
    else:
        reason = {403: "forbidden"}.get(status)
        why = {} if reason is None else {"reason": reason}
        client.do(at, "api.request", method=method, route=route, path=path, status=status, outcome="failure", **why)


def ask(chance: Chance, client: Client, at: float, *, new: bool = False) -> None:
    """One query of an analyst; what it looks for differs each time."""
    text = chance.pick(NEW_QUERIES if new else QUERIES).format(chance.whole(1, 60))
    client.do(at, "data.query", outcome="success", query=text, records=chance.whole(1, 900))


def _ok(method: str, route: str, path: str) -> dict[str, Any]:
    return {"method": method, "route": route, "path": path, "status": 200, "outcome": "success"}
