"""What does not happen to everybody, but to somebody on every Monday: with passwords, factors, devices and on journeys. Hours are local ones."""

from collections.abc import Callable

from tests.ordinary import tasks
from tests.ordinary.chance import Chance
from tests.ordinary.people import request
from tests.ordinary.stage import Stage
from tests.ordinary.world import CITIES, DAY_S, HOUR_S, MONDAY, Client, Log, Net, World, updated


def monday_morning(stage: Stage) -> None:
    """Passwords expired over the weekend: in one office seven people fail within minutes, in another eight behind a line used for the first time."""
    backup_line = Net("198.18.4.66", CITIES["London"], 64580)
    for tenant, number, line in (("acme", 7, None), ("ember", 8, backup_line)):
        begin = 9.02
        for person in stage.staff(tenant, 60, office=True) if line else ():
            client = Client(stage.log, person, line or stage.place(person))
            client.log_in(stage.at(person, begin + stage.chance.between(-0.1, 0.2)))
        for person in stage.staff(tenant, number, office=True):
            at = stage.at(person, begin + stage.chance.between(0, 0.1))
            client = Client(stage.log, person, line or stage.place(person))
            for wrong in range(stage.chance.whole(1, 3)):
                client.fail(at + 16 * wrong, "password_expired" if stage.chance.yes(0.4) else "bad_password")
            client.bare(at + 70, "auth.password_change", outcome="success")
            client.log_in(at + 80)


def forgotten_passwords(stage: Stage) -> None:
    """Three to nine failures, then a reset; or four failures, and then it came back to them."""
    for tenant in stage.world.people:
        forgetful = [person for person in stage.world.people[tenant] if person.role == "forgetful"]
        for person, reset in zip(forgetful, (True, False), strict=True):
            client = Client(stage.log, person, person.home)
            at = stage.at(person, stage.chance.between(19.6, 21.5))
            wrong = stage.chance.whole(3, 9) if reset else 4
            for number in range(wrong):
                client.fail(at + 24 * number + stage.chance.between(0, 9))
            at += 24 * wrong + 20
            if reset:
                client.bare(at, "auth.password_reset", outcome="success", action="reset.requested", target=f"user:{person.name}")
                client.bare(at + 95, "auth.password_reset", outcome="success", action="reset.completed", target=f"user:{person.name}")
                at += 120
            client.log_in(at)
            request(stage.chance, client, at + 40)


def lock_outs(stage: Stage) -> None:
    """Six wrong passwords, the account is locked, two more tries; the help desk unlocks it."""
    for tenant in ("acme", "cobalt", "ember"):
        person, helper = stage.who(tenant, "locked out"), stage.who(tenant, "helpdesk")
        client = Client(stage.log, person, person.home)
        at = stage.at(person, 7.1)
        for number in range(8):
            client.fail(at + 31 * number, "bad_password" if number < 6 else "locked")
        desk = Client(stage.log, helper, stage.place(helper))
        desk.do(at + 900, "account.change", outcome="success", action="account.unlock", target=f"user:{person.name}")
        client.log_in(at + 1100)


def help_desk(stage: Stage) -> None:
    """One administrator resets the passwords of twelve people over the day; each then chooses a new one and logs in."""
    helper = stage.who("cobalt", "helpdesk")
    desk = Client(stage.log, helper, stage.place(helper))
    desk.log_in(stage.at(helper, 8.4), push=True)
    for number, person in enumerate(stage.staff("cobalt", 12)):
        at = stage.at(helper, 8.6 + 0.6 * number + stage.chance.between(0, 0.3))
        desk.do(at, "auth.password_reset", outcome="success", action="admin.reset", target=f"user:{person.name}")
        client = Client(stage.log, person, person.home)
        client.fail(at + 70)
        client.log_in(at + 150)
        client.do(at + 190, "auth.password_change", outcome="success")


def new_laptop(stage: Stage) -> None:
    """Another laptop, so the old factor goes and the new one comes; and a new phone with another browser."""
    for tenant, hour in (("acme", 10.2), ("dune", 9.4), ("harbor", 11.0)):
        person = stage.who(tenant, "replaced")
        person.laptop = None if person.laptop is None else f"laptop2-{person.name}"
        client = Client(stage.log, person, stage.place(person))
        at = stage.at(person, hour)
        client.fail(at - 50)
        client.log_in(at)
        client.do(at + 240, "auth.mfa_change", outcome="success", action="mfa.remove", target=f"user:{person.name}")
        client.do(at + 410, "auth.mfa_change", outcome="success", action="mfa.add", target=f"user:{person.name}")
        person.phone = None if person.phone is None else f"phone2-{person.name}"
        person.phone_agent = (
            "Mozilla/5.0 (Linux; Android 16; Fold 7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/146.0.0.0 Mobile Safari/537.36"
        )
        phone = Client(stage.log, person, stage.chance.pick(person.mobile), phone=True)
        phone.log_in(at + 2 * HOUR_S, push=True)


def browser_updates(stage: Stage) -> None:
    """Overnight a tenth of all browsers became a version newer."""
    for person in stage.world.everyone():
        if stage.chance.yes(0.1):
            person.agent = updated(person.agent)


def pushes(stage: Stage) -> None:
    """One push refused by mistake and the next accepted; four unanswered in a train, then signal again."""
    for tenant in ("borealis", "fjord"):
        person = stage.who(tenant, "pestered")
        client = Client(stage.log, person, person.home)
        at = stage.at(person, 7.2)
        client.bare(at, "auth.mfa_challenge", outcome="challenge", action="push")
        client.bare(at + 6, "auth.mfa_challenge", outcome="failure", reason="mfa_denied", action="push")
        client.log_in(at + 30, push=True)
        train = Client(stage.log, person, person.mobile[0], phone=True)
        at = stage.at(person, 18.9)
        for number in range(4):
            train.bare(at + 130 * number, "auth.mfa_challenge", outcome="challenge", action="push")
            train.bare(at + 130 * number + 60, "auth.mfa_challenge", outcome="failure", reason="mfa_timeout", action="push")
        train.move(person.mobile[1])
        train.log_in(at + 800, push=True)


def journeys(stage: Stage) -> None:
    """By plane over an airport to another continent, by train across two borders, and to hotels."""
    for tenant, legs in JOURNEYS.items():
        person = stage.who(tenant, "traveller")
        client = Client(stage.log, person, person.home)
        client.log_in(stage.at(person, 4.6))
        for number, (city, asn, hours, anew) in enumerate(legs):
            at = stage.at(person, 4.6) + hours * HOUR_S
            client.move(Net(f"198.18.{230 + number}.{len(tenant)}", CITIES[city], asn))
            if anew:
                client = Client(stage.log, person, client.net)
                client.log_in(at, push=stage.chance.yes(0.5))
            for _ in range(6):
                at += stage.chance.between(30, 240)
                request(stage.chance, client, at)


JOURNEYS: dict[str, tuple[tuple[str, int, float, bool], ...]] = {
    # city, network, hours after the start, and whether with a new login or in the session of before
    "acme": (("Frankfurt", 64950, 3.0, False), ("New York", 64951, 13.5, True), ("New York", 64952, 15.5, True)),
    "ember": (
        ("Paris", 64953, 3.0, True),
        ("Brussels", 64954, 4.9, False),
        ("Amsterdam", 64955, 7.1, False),
        ("Amsterdam", 64956, 9.0, True),
    ),
    "borealis": (("Oslo", 64957, 1.2, False), ("London", 64958, 5.0, True), ("London", 64959, 7.5, True)),
    "fjord": (("Mumbai", 64960, 4.0, False), ("Singapore", 64961, 12.0, True)),
    # a customer whose events name no devices
    "harbor": (("Paris", 64963, 12.1, True),),
    "dune": (("Melbourne", 64965, 4.0, False), ("Melbourne", 64966, 6.0, True)),
}


def privacy(stage: Stage) -> None:
    """Relays and VPNs of one's own: addresses in other countries that change within a session."""
    exits = (("Zurich", 9009), ("Amsterdam", 13335), ("London", 36183), ("Frankfurt", 13335))
    for tenant in stage.world.people:
        person = stage.who(tenant, "privacy")
        for phone in (False, True):
            client = Client(stage.log, person, person.home, phone=phone)
            at = stage.at(person, 12.1 + phone * 5)
            client.log_in(at)
            for number, (city, asn) in enumerate(exits):
                client.move(Net(f"198.18.{240 + number}.{stage.chance.whole(1, 250)}", CITIES[city], asn))
                if number == 1:
                    client.log_in(at + 300 * number + 10)
                for _ in range(3):
                    at += stage.chance.between(20, 200)
                    request(stage.chance, client, at)


def old_passwords(stage: Stage) -> None:
    """The password was changed in the morning, but the phone's mail program knows only the old one, wherever it goes that day."""
    for tenant in ("acme", "cobalt", "garnet"):
        person = stage.who(tenant, "mail")
        laptop = Client(stage.log, person, person.home)
        laptop.log_in(stage.at(person, 7.0))
        laptop.do(stage.at(person, 7.02), "auth.password_change", outcome="success")
        mail = Client(stage.log, person, person.home, phone=True)
        mail.base["user_agent"] = "MailApp/7.3 (phone)"
        stops = (
            (7.1, person.home),
            (8.0, person.mobile[0]),
            (8.7, stage.place(person)),
            (12.1, person.mobile[1]),
            (13.0, stage.place(person)),
        )
        for (begin, net), end in zip(stops, (8.0, 8.7, 12.1, 13.0, 14.0), strict=True):
            mail.move(net)
            for number in range(int((end - begin) * 4)):
                mail.fail(stage.at(person, begin + number / 4))
        mail.log_in(stage.at(person, 14.1))


def parents(stage: Stage) -> None:
    """Back at work after 95 days, with the browser of today and a new phone; they fetch a file."""
    for tenant in ("garnet", "ember"):
        person = stage.who(tenant, "parent")
        person.agent = updated(person.agent)
        client = Client(stage.log, person, stage.place(person))
        at = stage.at(person, 9.3)
        client.fail(at)
        client.fail(at + 30)
        client.log_in(at + 60, push=True)
        for _ in range(30):
            at += stage.chance.between(60, 500)
            request(stage.chance, client, at + 100)
        client.do(stage.at(person, 11.0), "data.export", outcome="success", action="download", target="file:news", bytes=700_000)
        person.phone = None if person.phone is None else f"phone2-{person.name}"
        phone = Client(stage.log, person, person.home, phone=True)
        phone.log_in(stage.at(person, 20.2))


def before_leave(log: Log, chance: Chance, world: World) -> None:
    """What the parents did until then."""
    for tenant in ("garnet", "ember"):
        person = next(person for person in world.people[tenant] if person.role == "parent")
        for day in range(14):
            client = Client(log, person, person.office or person.home)
            at = MONDAY - (95 + day) * DAY_S + 13 * HOUR_S
            client.log_in(at)
            request(chance, client, at + 60)


STORIES: tuple[Callable[[Stage], None], ...] = (
    *(monday_morning, forgotten_passwords, lock_outs, help_desk, new_laptop, pushes, journeys, privacy, old_passwords, parents),
    *(tasks.duty, tasks.data_work, tasks.analysts, tasks.support, tasks.reading, tasks.interns, tasks.administration, tasks.syncing),
)
