"""What somebody's work is on that Monday: reports, tickets, questions, administration, the night shift. Hours are local ones."""

from dataclasses import replace
from typing import Any

from tests.ordinary.chance import Chance
from tests.ordinary.people import QUERIES, api, ask, request
from tests.ordinary.stage import Stage
from tests.ordinary.world import HOUR_S, MONDAY, Client, Log, Person


def duty(stage: Stage) -> None:
    """Engineers on call at three in the morning: from home, then from the office, in a hurry."""
    for tenant in ("acme", "cobalt", "dune"):
        person = stage.who(tenant, "oncall")
        client = Client(stage.log, person, person.home)
        at = stage.at(person, 3.05)
        client.fail(at)
        client.log_in(at + 25, push=True)
        for _ in range(60):
            at += stage.chance.between(4, 40)
            request(stage.chance, client, at + 60)
            if stage.chance.yes(0.2):
                client.do(
                    at + 61, "data.query", outcome="success", query="SELECT * FROM pg_stat_activity WHERE state = 'active'", records=40
                )
        client.do(at + 90, "admin.action", outcome="success", action="service.restart", target="service:api")


def data_work(stage: Stage) -> None:
    """Finance takes out the monthly report, customer success sixty files, analysts ask away, somebody fetches one huge file."""
    for tenant in stage.world.people:
        person = stage.who(tenant, "finance")
        client = Client(stage.log, person, stage.place(person))
        at = stage.at(person, 15.2)
        client.log_in(at)
        client.do(at + 300, "data.export", outcome="success", action="report", target="report:monthly", records=8000, bytes=3_100_000)
        first = stage.chance.whole(1, 30_000)
        for number in range(45):  # approves one invoice after the other
            api(stage.chance, client, at + 900 + 13 * number, "/v1/invoices/{id}", f"/v1/invoices/{first + number}", method="PUT")
        person = stage.who(tenant, "success")
        client = Client(stage.log, person, stage.place(person))
        at = stage.at(person, 11.1)
        client.log_in(at)
        for _ in range(60):
            at += stage.chance.between(3, 20)
            target = f"file:{stage.chance.whole(1, 40_000)}"
            client.do(at, "data.export", outcome="success", action="download", target=target, bytes=stage.chance.whole(40_000, 9_000_000))
        client.do(at + 60, "data.export", outcome="success", action="download", target="file:77", bytes=420_000_000)


def analysts(stage: Stage) -> None:
    """Dashboards in the morning, questions of one's own over the day: known kinds, a few new ones, one with many rows."""
    for people in stage.world.people.values():
        for person in (person for person in people if person.role == "analyst"):
            client = Client(stage.log, person, person.home)
            client.log_in(stage.at(person, 8.7))
            for number in range(40):
                ask(stage.chance, client, stage.at(person, 8.8 + number * 0.2 + stage.chance.between(0, 0.1)), new=number % 13 == 5)
            text = QUERIES[3].format("team").replace("500", "20000")
            client.do(stage.at(person, 14.4), "data.query", outcome="success", query=text, records=18_000)


def support(stage: Stage) -> None:
    """Eighty different tickets within an hour, by those whose work that is."""
    for people in stage.world.people.values():
        for person in (person for person in people if person.role == "support"):
            client = Client(stage.log, person, stage.place(person))
            at = stage.at(person, 10.1)
            client.log_in(at)
            for _ in range(80):
                at += stage.chance.between(15, 75)
                api(stage.chance, client, at, "/v1/tickets/{id}", f"/v1/tickets/{stage.chance.whole(1, 90_000)}", records=1)


def reading(stage: Stage) -> None:
    """Through fifty pages of a list, and a page of forty rows that fetches each of them."""
    for people in stage.world.people.values():
        person = next(person for person in people if person.role == "reader")
        client = Client(stage.log, person, stage.place(person))
        at = stage.at(person, 13.6)
        client.log_in(at)
        usual: dict[str, Any] = {"method": "GET", "route": "/v1/orders", "path": "/v1/orders", "status": 200, "outcome": "success"}
        for page in range(1, 51):
            client.do(at + 30 + 2 * page, "api.request", query=f"page={page}", records=50, **usual)
        newest = stage.chance.whole(20_000, 39_000)
        for row in range(40):
            api(stage.chance, client, at + 600 + row * 0.05, "/v1/orders/{id}", f"/v1/orders/{newest - row}", records=1)


def interns(stage: Stage) -> None:
    """A dashboard with six tiles an intern may not see, loaded again and again because it does not work."""
    for tenant in ("acme", "ember"):
        person = stage.who(tenant, "intern")
        client = Client(stage.log, person, stage.place(person))
        client.log_in(stage.at(person, 9.5))
        for load in range(4):
            at = stage.at(person, 9.6) + 170 * load
            for tile in ("revenue", "churn", "costs", "margin", "salaries", "forecast"):
                path = f"/v1/boards/{tile}"
                client.do(
                    at, "api.request", method="GET", route="/v1/boards/{name}", path=path, status=403, outcome="failure", reason="forbidden"
                )
            for _ in range(5):
                request(stage.chance, client, at + stage.chance.between(2, 150))


def administration(stage: Stage) -> None:
    """Four new colleagues: account, role, password, second factor, first login, first download; the usual grants besides."""
    grants(stage)
    admin = stage.who("ember", "admin")
    desk = Client(stage.log, admin, stage.place(admin))
    desk.log_in(stage.at(admin, 8.6), push=True)
    for number, like in enumerate((stage.who("ember", "new"), *stage.world.people["ember"][-3:])):
        name, target = f"{like.name}-new", f"user:{like.name}-new"
        at = stage.at(admin, 9.1 + 0.4 * number)
        desk.do(at, "account.change", outcome="success", action="user.create", target=target)
        desk.do(at + 60, "admin.action", outcome="success", action="role.grant", target=target)
        desk.do(at + 90, "auth.password_reset", outcome="success", action="admin.reset", target=target)
        fresh = replace(like, name=name, laptop=f"laptop-{name}", phone=f"phone-{name}", commutes=False, sessions=0)
        client = Client(stage.log, fresh, stage.world.offices["ember"])
        for wrong in range(number % 3):
            client.fail(at + 1500 + 20 * wrong)
        client.log_in(at + 1600)
        client.do(at + 1630, "auth.password_change", outcome="success")
        client.do(at + 1700, "auth.mfa_change", outcome="success", action="mfa.add", target=target)
        client.do(at + 2400, "data.export", outcome="success", action="download", target="file:handbook", bytes=2_000_000)
        for _ in range(20):
            at += 300
            request(stage.chance, client, at + 1800)


def grants(stage: Stage) -> None:
    """Administrators give people rights as on any day, some of whom use them within the hour, and two keys to developers."""
    for people in stage.world.people.values():
        for admin in (person for person in people if person.role == "admin"):
            desk = Client(stage.log, admin, stage.place(admin))
            desk.log_in(stage.at(admin, 9.5), push=True)
            for number, person in enumerate(stage.staff(admin.tenant, 4)):
                at = stage.at(admin, 9.6 + 1.7 * number)
                desk.do(at, "admin.action", outcome="success", action="role.grant", target=f"user:{person.name}")
                if number < 2:
                    client = Client(stage.log, person, person.home)
                    client.log_in(at + 500)
                    target = f"file:{stage.chance.pick(person.objects)}"
                    client.do(at + 600, "data.export", outcome="success", action="download", target=target, bytes=800_000)
                else:
                    desk.do(at + 60, "credential.change", outcome="success", action="api_key.create", target=f"api_key:{person.name}")


def syncing(stage: Stage) -> None:
    """A program on the laptop looks at the same five hundred files every few hours."""
    for tenant in ("acme", "dune", "harbor"):
        sync(stage.log, stage.who(tenant, "syncing"), stage.chance, (8.6, 12.5, 16.1), MONDAY)


def sync(log: Log, person: Person, chance: Chance, hours: tuple[float, ...], day: float) -> None:
    """One round each at these hours; the files are spread over the account and do not change from day to day."""
    client = Client(log, person, person.home)
    client.base["user_agent"] = "SyncClient/12.1"
    files = [37 * number % 39_989 + 11 for number in range(1, 501)]
    for hour in hours:
        at = day + (hour - person.city.ahead_h) * HOUR_S
        client.do(at, "auth.session", outcome="success", action="token.refresh")
        for number in files:
            at += chance.between(0.1, 0.9)
            usual: dict[str, Any] = {"method": "GET", "route": "/v1/files/{id}", "path": f"/v1/files/{number}", "outcome": "success"}
            client.do(at, "api.request", status=304 if chance.yes(0.9) else 200, bytes=90_000, **usual)
