"""One attack for each detector, to be put into the ordinary day: the same day must not hide them."""

from collections.abc import Callable
from typing import Any, NamedTuple

from tests.ordinary.world import CITIES, DAY_S, HOUR_S, MONDAY, Client, Log, Net, Person, World

NOON = MONDAY + 12 * HOUR_S
LAIR = Net("198.18.222.5", CITIES["Singapore"], 64999)
SCRIPT = "python-requests/2.32"


class Attack(NamedTuple):
    """What is added, and what the alert must be about."""

    plant: Callable[[Log, World], None]
    entity: str


def plant(log: Log, world: World) -> None:
    """All of them."""
    for attack in ATTACKS.values():
        attack.plant(log, world)


def _victim(world: World, tenant: str, number: int) -> Person:
    return [person for person in world.people[tenant] if person.role == "staff"][number]


def _thief(log: Log, person: Person) -> Client:
    """Somebody else with this account."""
    client = Client(log, person, LAIR)
    client.base.update(user_agent=SCRIPT, device_id="stranger")
    return client


def _burst(log: Log, world: World) -> None:
    client = _thief(log, _victim(world, "acme", 0))
    for number in range(30):
        client.fail(NOON + 9 * number)


def _slow(log: Log, world: World) -> None:
    client = _thief(log, _victim(world, "acme", 1))
    for number in range(14):
        client.move(Net(f"198.18.223.{number % 5}", CITIES["Mumbai"], 64998))
        client.base["device_id"] = f"stranger-{number}"
        client.fail(NOON - 6 * HOUR_S + 1800 * number)


def _spray(log: Log, world: World) -> None:
    for number in range(10):
        client = _thief(log, _victim(world, "ember", number))
        client.move(LAIR._replace(ip="198.18.222.6"))
        client.fail(NOON + 40 * number)


def _stuffing(log: Log, world: World) -> None:
    for number in range(40):
        client = _thief(log, _victim(world, "ember", number))
        client.move(LAIR._replace(ip="198.18.222.7"))
        client.fail(NOON + HOUR_S + 11 * number, "unknown_user" if number % 3 else "bad_password")


def _guessed(log: Log, world: World) -> None:
    client = _thief(log, _victim(world, "acme", 2))
    for number in range(8):
        client.fail(NOON + 40 * number)
    client.log_in(NOON + 400)


def _fatigue(log: Log, world: World) -> None:
    client = _thief(log, _victim(world, "borealis", 0))
    for number in range(7):
        client.bare(NOON + 45 * number, "auth.mfa_challenge", outcome="failure", reason="mfa_denied", action="push")
    client.log_in(NOON + 340, push=True)


def _factor(log: Log, world: World) -> None:
    person = _victim(world, "borealis", 1)
    client = _thief(log, person)
    client.bare(NOON, "auth.password_reset", outcome="success", action="reset.completed", target=f"user:{person.name}")
    client.log_in(NOON + 100)
    client.do(NOON + 200, "auth.mfa_change", outcome="success", action="mfa.add", target=f"user:{person.name}")


def _resets(log: Log, world: World) -> None:
    for number in range(8):
        person = _victim(world, "fjord", number)
        client = _thief(log, person)
        client.move(LAIR._replace(ip="198.18.222.8"))
        client.bare(NOON + 60 * number, "auth.password_reset", outcome="success", action="reset.requested", target=f"user:{person.name}")


def _travel(log: Log, world: World) -> None:
    person = _victim(world, "acme", 3)
    Client(log, person, person.home).log_in(NOON)
    _thief(log, person).log_in(NOON + 600)


def _abroad(log: Log, world: World) -> None:
    _thief(log, _victim(world, "garnet", 0)).log_in(MONDAY + DAY_S - 60)


def _cookie(log: Log, world: World) -> None:
    person = _victim(world, "cobalt", 0)
    client = Client(log, person, person.home)
    client.session = "s-stolen"
    client.log_in(NOON + 4 * HOUR_S)
    client.move(LAIR)
    client.base["user_agent"] = SCRIPT
    for number in range(5):
        client.do(NOON + 4 * HOUR_S + 60 + number, "api.request", method="GET", path="/v1/me", status=200, outcome="success")


def _dormant(log: Log, world: World) -> None:
    person = next(person for person in world.people["ember"] if person.role == "parent")
    client = _thief(log, person)
    client.log_in(MONDAY + HOUR_S)  # hours before the owner is back
    client.do(MONDAY + HOUR_S + 90, "data.export", outcome="success", action="download", target="table:customers", records=9_000)


def _refusals(log: Log, world: World) -> None:
    client = Client(log, _victim(world, "acme", 4), _victim(world, "acme", 4).home)
    for number in range(40):
        path = f"/v1/admin{number % 20}/settings"
        client.do(NOON + 6 * number, "api.request", method="GET", route=path, path=path, status=403, outcome="failure", reason="forbidden")


def _walk(log: Log, world: World) -> None:
    client = Client(log, _victim(world, "harbor", 0), _victim(world, "harbor", 0).home)
    for number in range(400):
        path = f"/v1/customers/{1000 + number}"
        usual: dict[str, Any] = {"method": "GET", "route": "/v1/customers/{id}", "path": path, "status": 200, "outcome": "success"}
        client.do(NOON + 6 * HOUR_S + 0.4 * number, "api.request", **usual)


def _grant(log: Log, world: World) -> None:
    person = _victim(world, "dune", 0)
    client = Client(log, person, person.home)
    client.do(NOON, "admin.action", outcome="success", action="role.grant", target=f"user:{person.name}")


def _key(log: Log, world: World) -> None:
    del world
    who = {"tenant": "cobalt", "actor": "svc-crm", "actor_type": "api_key", "user_agent": SCRIPT, **LAIR.fields()}
    for number in range(30):
        path = f"/v1/{('customers', 'exports', 'users', 'billing', 'files', 'keys', 'teams', 'audit', 'tasks', 'mail', 'hooks', 'logs')[number % 12]}"
        fields = {"method": "GET", "route": path, "path": path, "status": 200, "outcome": "success"}
        log.add(NOON + 130 + 5 * number, "api.request", {**who, **fields})


def _export(log: Log, world: World) -> None:
    client = Client(log, _victim(world, "acme", 5), _victim(world, "acme", 5).home)
    for number in range(30):
        client.do(NOON + 30 * number, "data.export", outcome="success", action="download", target=f"table:{number}", records=4000)


def _query(log: Log, world: World) -> None:
    person = next(person for person in world.people["fjord"] if person.role == "analyst")
    client = Client(log, person, person.home)
    text = "SELECT * FROM users WHERE name = '' OR '1'='1' UNION SELECT user, password_hash, null FROM credentials --"
    client.do(NOON, "data.query", outcome="success", query=text, records=20_000)


def _audit(log: Log, world: World) -> None:
    person = _victim(world, "garnet", 1)
    client = Client(log, person, person.home)
    client.do(NOON, "audit.log_change", outcome="success", action="log.disable", target="audit_log:main")


def _silence(log: Log, world: World) -> None:
    """The log of a tenant is cut off for four hours."""
    del world
    begin = MONDAY + 8 * HOUR_S
    log.rows = [row for row in log.rows if row.get("tenant") != "borealis" or not begin < row["time"] < begin + 4 * HOUR_S - 60]


ATTACKS: dict[str, Attack] = {
    "failed_login_burst": Attack(_burst, "actor:acme-023"),
    "slow_brute_force": Attack(_slow, "actor:acme-024"),
    "password_spray": Attack(_spray, "ip:198.18.222.6"),
    "credential_stuffing": Attack(_stuffing, "ip:198.18.222.7"),
    "success_after_failures": Attack(_guessed, "actor:acme-025"),
    "mfa_fatigue": Attack(_fatigue, "actor:borealis-023"),
    "mfa_change": Attack(_factor, "actor:borealis-024"),
    "password_reset_abuse": Attack(_resets, "ip:198.18.222.8"),
    "impossible_travel": Attack(_travel, "actor:acme-026"),
    "new_geography": Attack(_abroad, "actor:garnet-023"),
    "session_hijack": Attack(_cookie, "session:s-stolen"),
    "dormant_account": Attack(_dormant, "actor:ember-020"),
    "authorization_failure_burst": Attack(_refusals, "actor:acme-027"),
    "object_enumeration": Attack(_walk, "actor:harbor-023"),
    "privilege_change": Attack(_grant, "actor:dune-023"),
    "api_key_abuse": Attack(_key, "api_key:svc-crm"),
    "bulk_export": Attack(_export, "actor:acme-028"),
    "unusual_query": Attack(_query, "actor:fjord-005"),
    "audit_log_tampering": Attack(_audit, "actor:garnet-024"),
    "source_silence": Attack(_silence, "tenant:borealis"),
}
"""By detector."""
