"""One attack for each detector, and a campaign that goes through several of them."""

from collections.abc import Callable
from typing import Any, NamedTuple

from detectors.registry import DETECTORS
from monitor.simulate import stealth
from monitor.simulate.benign import KEY, KEYS, service
from monitor.simulate.stage import SCRIPT, Act
from monitor.simulate.world import DAY_S, HOUR_S, WORK_CITIES
from monitor.simulate.writers import Mute, encode_base

Attack = Callable[[Act], None]
_PARTS = ("customers", "exports", "users", "billing", "files", "keys", "teams", "audit", "tasks", "mail", "hooks", "logs")


def failed_login_burst(act: Act) -> None:
    """One account, many passwords, within minutes."""
    person = act.victim()
    for place, at in enumerate(act.times(act.number(11, 20, 60), 300)):
        act.thief(person, act.lair(place)).fail(at)


def slow_brute_force(act: Act) -> None:
    """One account, a password now and then, from several addresses."""
    person = act.victim()
    for place, at in enumerate(act.times(act.number(9, 12, 18), act.amount(8.0, 6.0, 6.0) * HOUR_S)):
        client = act.thief(
            person, act.lair()._replace(ip=f"198.18.{224 + act.place % 16}.{act.place // 16 % 50 * 5 + place % 5 + 1}")
        )  # never two in a row
        client.change(device_id=f"stranger-{act.place}-{place}")
        client.fail(at)


def password_spray(act: Act) -> None:
    """One password for many accounts."""
    people = act.victims(act.number(6, 9, 14))
    act.name_lairs()
    for place, (person, at) in enumerate(zip(people, act.times(len(people), 600), strict=True)):
        act.thief(person, act.lair(place)).fail(at)


def credential_stuffing(act: Act) -> None:
    """Leaked pairs: mostly of people who are not there, each tried once."""
    act.name_lairs()
    number = act.number(30, 60, 150)
    people = act.victims(number)
    for place, at in enumerate(act.times(number, 600)):
        client = act.thief(people[place % len(people)], act.lair(place))
        known = place % 3 == 0 and place < len(people)
        if not known:
            client.change(actor=f"leaked-{act.place}-{place}@example.com")
        client.fail(at, "bad_password" if known else "unknown_user")


def success_after_failures(act: Act) -> None:
    """Guessed in the end."""
    person = act.victim()
    act.habits(person)
    *before, last = act.times(act.number(6, 9, 26), 420)
    for place, at in enumerate(before):
        act.thief(person, act.lair(place)).fail(at)
    act.thief(person).log_in(last)


def mfa_fatigue(act: Act) -> None:
    """Pushes until one is accepted."""
    person = act.victim()
    client = act.thief(person)
    *before, last = act.times(act.number(6, 7, 12), 400)
    for at in before:
        client.bare(at, "auth.mfa_challenge", outcome="failure", reason="mfa_denied", action="push")
    if act.strength <= 1:
        client.bare(last, "auth.mfa_challenge", outcome="failure", reason="mfa_denied", action="push")
    else:
        client.bare(last, "auth.mfa_challenge", outcome="success", action="push")
        client.do(last + 1, "auth.login", outcome="success")


def mfa_change(act: Act) -> None:
    """Into the account from a new network, and a factor of one's own added, or the owner's taken away too; less: from the owner's laptop."""
    person = act.victim()
    act.habits(person)
    client = act.thief(person) if act.strength >= 1 else act.owner(person)
    first, second, *rest = act.times(act.number(2, 3, 4, least=2), 240)
    if not act.past:  # a network stays new for a day, so that none is known where all began minutes ago: they reset the password as well
        client.bare(first - 1, "auth.password_reset", outcome="success", action="reset.completed", target=f"user:{person.name}")
    client.log_in(first)
    client.do(second, "auth.mfa_change", outcome="success", action="mfa.add", target=f"user:{person.name}")
    for at in rest:
        client.do(at, "auth.mfa_change", outcome="success", action="mfa.remove", target=f"user:{person.name}")


def password_reset_abuse(act: Act) -> None:
    """Resets for one account after the other."""
    people = act.victims(act.number(6, 8, 15))
    act.entities.append(f"ip:{act.lair().ip}")
    for person, at in zip(people, act.times(len(people), 600), strict=True):
        client = act.thief(person, act.lair())
        client.bare(at, "auth.password_reset", outcome="success", action="reset.requested", target=f"user:{person.name}")


def impossible_travel(act: Act) -> None:
    """At home and on another continent within minutes; less: not so far away, and in the same country."""
    person = act.victim()
    owner = act.habits(person)
    first, last = act.times(2, act.amount(2 * HOUR_S, HOUR_S, 600.0) if act.strength >= 1 else 2 * HOUR_S)
    owner.log_in(first)
    there = person.city._replace(name="Elsewhere", lat=person.city.lat - 40 * act.strength)
    client = act.thief(person, act.lair()._replace(city=there) if act.strength < 1 else None)
    client.log_in(last)
    for number in range(act.number(0, 1, 3, least=0)):
        client.do(last + 1 + number, "api.request", method="GET", path="/v1/me", status=200, outcome="success")


def new_geography(act: Act) -> None:
    """From a country, a network and a client the account was never used from; less: by the owner's laptop, from a country colleagues live in, or at home."""
    person = act.victim()
    act.habits(person, 14, rest_h=13)  # long enough for a flight: only the place is new
    away = next(city for city in WORK_CITIES[::-1] if city is not person.city) if act.strength >= 0.5 else person.city
    client = act.thief(person, act.lair()._replace(city=away) if act.strength < 1 else None)
    if act.strength <= 1:
        client.change(user_agent=person.agent)
    if act.strength < 1:
        client.change(device_id=person.device("laptop", 0))
    client.log_in(act.begin)


def session_hijack(act: Act) -> None:
    """A session cookie in somebody else's hands; less: of somebody in the same town."""
    person = act.victims(1)[0]
    owner = act.owner(person)
    act.entities.append(f"session:{owner.session}")
    first, *rest = act.times(act.number(3, 5, 12), 200)
    owner.log_in(first)
    owner.move(act.lair() if act.strength >= 1 else act.lair()._replace(city=person.city))
    if act.strength > 1:
        owner.change(user_agent=SCRIPT)
    for at in rest:
        owner.do(at, "api.request", method="GET", path="/v1/me", status=200, outcome="success")


def dormant_account(act: Act) -> None:
    """An account nobody has used for three months, or less, wakes up and takes something along."""
    person = act.victims(1)[0]
    name = f"{person.tenant}-former-{act.place}"
    act.entities.append(f"actor:{name}")
    former = act.owner(person)
    former.change(actor=name, device_id=f"laptop-{name}")
    begin, act.log.begin = act.log.begin, float("-inf")
    former.log_in(act.begin - 96 * DAY_S * min(1.0, act.strength))
    act.log.begin = begin
    act.log.mark()
    client = act.thief(person)
    client.change(actor=name)
    client.log_in(act.begin)
    for number in range(act.number(0, 1, 4, least=0)):
        fields = {"action": "download", "target": f"table:customers{number}", "records": 9_000}
        client.do(act.begin + 90 + 30 * number, "data.export", outcome="success", **fields)


def authorization_failure_burst(act: Act) -> None:
    """Tries every door."""
    person = act.victim()
    client = act.owner(person)
    number = act.number(16, 30, 60)
    for place, at in enumerate(act.times(number, 300)):
        path = f"/v1/admin/{_PARTS[place % min(len(_PARTS), act.number(4, 8, 12))]}"
        client.do(at, "api.request", method="GET", route=path, path=path, status=403, outcome="failure", reason="forbidden")


def object_enumeration(act: Act) -> None:
    """One customer after the other."""
    person = act.victim()
    client = act.owner(person)
    first = act.chance.whole(50_000, 90_000)
    for place, at in enumerate(act.times(act.number(70, 150, 400), act.amount(500.0, 300.0, 160.0))):
        usual: dict[str, Any] = {"method": "GET", "route": "/v1/customers/{id}", "path": f"/v1/customers/{first + place}"}
        refused = place % 3 == 0
        client.do(at, "api.request", **usual, status=404 if refused else 200, outcome="failure" if refused else "success")


def privilege_change(act: Act) -> None:
    """Rights for oneself, and for others; less: for a colleague."""
    person = act.victim()
    client = act.owner(person)
    targets = [f"user:{person.name}", *(f"user:{act.tenant}-made-{number}" for number in range(10))]
    chosen = targets[: act.number(1, 1, 11)] if act.strength >= 1 else targets[1:2]
    for target, at in zip(chosen, act.times(len(chosen), 300), strict=True):
        client.do(at, "admin.action", outcome="success", action="role.grant", target=target)


def api_key_abuse(act: Act) -> None:
    """The key of an integration, elsewhere and for other things."""
    key = KEYS[act.place // 3 % len(KEYS)] if act.past else KEY
    act.entities.append(f"api_key:{key}")
    base = encode_base(service(key, act.tenant, act.lair().fields(), "api_key", SCRIPT))
    for place, at in enumerate(act.times(act.number(6, 15, 30), 200)):
        path = f"/v1/{_PARTS[place % 12] if act.strength > 1 else 'reports'}"
        act.log.add(at, "api.request", {"method": "GET", "route": path, "path": path, "status": 200, "outcome": "success"}, base)


def bulk_export(act: Act) -> None:
    """The customer database, table by table."""
    person = act.victim()
    client = act.owner(person)
    for place, at in enumerate(act.times(act.number(15, 30, 60), 1200)):
        client.do(at, "data.export", outcome="success", action="download", target=f"table:t{place}", records=4000, bytes=20_000_000)


def unusual_query(act: Act) -> None:
    """Questions that have nothing to do with the work; less: one for a table, or a part of it."""
    person = act.victim()
    client = act.owner(person)
    if act.past:
        for back in range(25, 0, -1):
            client.do(
                act.begin - HOUR_S - 60 * back,
                "data.query",
                outcome="success",
                query="SELECT count(*) FROM tickets WHERE day = 1",
                records=5,
            )
        act.log.mark()
    texts: tuple[str, ...] = (
        "SELECT * FROM users WHERE name = '' OR '1'='1' UNION SELECT user, password_hash, null FROM credentials --",
        "SELECT table_name FROM information_schema.tables",
        "SELECT * FROM api_tokens",
        "SELECT card, secret FROM payment_secrets",
        "SELECT * FROM customers",
        "SELECT usename, passwd FROM pg_catalog.pg_shadow",
    )
    if act.strength < 1:
        texts = ("SELECT * FROM customers",)
    number = act.number(1, 2, 6)
    for text, at in zip(texts, act.times(number, 300), strict=False):
        client.do(at, "data.query", outcome="success", query=text, records=round(20_000 * min(1.0, act.strength)))


def audit_log_tampering(act: Act) -> None:
    """Blinds those who watch; less: looks at what is written down."""
    person = act.victim()
    client = act.owner(person)
    number = act.number(1, 1, 3)
    for place, at in enumerate(act.times(number, 200)):
        action = act.by_intensity("log_stream.update", "log.disable", "log.disable") if act.strength >= 1 else "log_stream.read"
        client.do(at, "audit.log_change", outcome="success", action=action, target=f"audit_log:{place}")


def source_silence(act: Act) -> None:
    """The log of a tenant is cut off."""
    act.entities.append(f"tenant:{act.tenant}")
    silent_s = act.lasting(act.amount(1.0, 2.0, 4.0) * HOUR_S)
    act.log.mutes.append(Mute(act.tenant, act.begin, act.begin + silent_s))
    act.log.first_ts, act.log.last_ts = act.begin, act.begin + silent_s


def campaign(act: Act) -> None:
    """A spray that works for one account; a factor of one's own; a look around; and out with the data."""
    victim, *others = act.victims(act.number(7, 10, 16))
    net, people = act.lair(), [*others, victim]
    act.entities += [f"actor:{victim.name}", f"ip:{net.ip}"]
    act.habits(victim)
    *tries, last = act.times(len(people), 900)
    for person, at in zip(people, tries, strict=False):
        act.thief(person, net).fail(at)
    client = act.thief(victim, net)
    if not act.past:
        client.bare(last - 0.5, "auth.password_reset", outcome="success", action="reset.completed", target=f"user:{victim.name}")
    client.log_in(last)
    pace = (last - act.begin) / 900
    client.do(last + 120 * pace, "auth.mfa_change", outcome="success", action="mfa.add", target=f"user:{victim.name}")
    first = act.chance.whole(50_000, 90_000)
    for place in range(act.number(80, 150, 300)):
        path = f"/v1/customers/{first + place}"
        fields = {"method": "GET", "route": "/v1/customers/{id}", "path": path, "status": 200, "outcome": "success"}
        client.do(last + (240 + place) * pace, "api.request", **fields)
    for place in range(act.number(15, 30, 60)):
        at = last + (700 + 10 * place) * pace
        client.do(at, "data.export", outcome="success", action="download", target=f"table:t{place}", records=4000)


class Kind(NamedTuple):
    """What can be played."""

    play: Attack
    detectors: tuple[str, ...]
    live_s: float | None = 15.0
    """How long it takes where time is that of the clock, in seconds; ``None``: it cannot be hurried so."""
    learned: tuple[str, ...] = ()
    """Learned detectors that should see it too, where there are such."""

    def expected(self) -> tuple[str, ...]:
        """Detectors that should see it; a learned one is expected from the day it is in the registry."""
        return self.detectors + tuple(name for name in self.learned if name in DETECTORS)


def _single(play: Attack, *, live_s: float | None = 15.0) -> Kind:
    return Kind(play, (play.__name__,), live_s)


ATTACKS: dict[str, Kind] = {
    "failed_login_burst": _single(failed_login_burst),
    "slow_brute_force": _single(slow_brute_force, live_s=None),
    "password_spray": _single(password_spray),
    "credential_stuffing": _single(credential_stuffing),
    "success_after_failures": _single(success_after_failures),
    "mfa_fatigue": _single(mfa_fatigue, live_s=30.0),
    "mfa_change": _single(mfa_change),
    "password_reset_abuse": _single(password_reset_abuse),
    "impossible_travel": _single(impossible_travel),
    "new_geography": _single(new_geography),
    "session_hijack": _single(session_hijack),
    "dormant_account": _single(dormant_account, live_s=None),
    "authorization_failure_burst": _single(authorization_failure_burst),
    "object_enumeration": _single(object_enumeration, live_s=25.0),
    "privilege_change": _single(privilege_change),
    "api_key_abuse": _single(api_key_abuse),
    "bulk_export": _single(bulk_export),
    "unusual_query": _single(unusual_query),
    "audit_log_tampering": _single(audit_log_tampering),
    "source_silence": _single(source_silence, live_s=None),
    "api_volume_anomaly": Kind(stealth.api_volume_anomaly, (), None, ("api_volume_anomaly",)),
    "off_hours_activity": Kind(stealth.off_hours_activity, (), None, ("off_hours_activity",)),
    "behaviour_anomaly": Kind(stealth.behaviour_anomaly, (), None, ("behaviour_anomaly",)),
    "boiling_frog": Kind(stealth.boiling_frog, (), None, ("api_volume_anomaly",)),
    "campaign": Kind(campaign, ("password_spray", "success_after_failures", "mfa_change", "object_enumeration", "bulk_export"), 25.0),
}
"""By name: that of the detector it is made for. A scenario without an expected detector breaks no rule; it is found by whoever learns."""
