"""Attacks and ordinary days in miniature, for logs in which much happens within few events.

A scenario is a function of a source of chance: it returns rows (fields of an event, ``at`` in seconds from its beginning). It is made for
the limits in ``SETTINGS``, which are small, and is meant to reach them more often than not. A new detector needs an entry in both tables.
"""

from collections.abc import Callable
from random import Random
from typing import Any

from tests.property import request_scenarios

Row = dict[str, Any]
Scenario = Callable[[Random], list[Row]]

_FAST = {"threshold": 5, "window_s": 60, "quiet_s": 120, "shared_memory_s": 600}
_SLOW = {"quiet_s": 300, "shared_memory_s": 900, "window_s": 1200, "slow_threshold": 4, "median_gap_s": 20}

_VOLUME = {
    "min_days": 1,
    "hour_requests": 8,
    "hour_bytes": 200_000,
    "hour_endpoints": 4,
    "hour_objects": 6,
    "day_requests": 12,
    "day_bytes": 400_000,
    "budget": {"alerts_per_day": 20},
    "relearn_days": 2,
    "quiet_s": 7200,
}

SETTINGS: dict[str, dict[str, Any]] = {
    "failed_login_burst": {"by_actor": _FAST, "by_ip": {**_FAST, "threshold": 8, "fast_threshold": 4, "fast_window_s": 2}},
    "slow_brute_force": {"by_ip": {**_SLOW, "capacity": 5, "leak_s": 15}, "by_actor": {**_SLOW, "distributed_ips": 2}},
    "password_spray": {
        "threshold": 4,
        "max_attempts": 3,
        "window_s": 120,
        "quiet_s": 240,
        "success_within_s": 90,
        "shared_users": 2,
        "shared_memory_s": 900,
    },
    "credential_stuffing": {
        "by_ip": {"min_attempts": 8, "min_actors": 6, "window_s": 60, "quiet_s": 120, "shared_memory_s": 600},
        "by_tenant": {
            "min_attempts": 20,
            "min_actors": 15,
            "min_ips": 4,
            "ip_share": 0.3,
            "window_s": 90,
            "check_every_s": 2,
            "quiet_s": 120,
        },
    },
    "success_after_failures": {
        "by_actor": {
            "failures": 3,
            "window_s": 120,
            "spread_failures": 5,
            "spread_ips": 2,
            "many_failures": 10,
            "own_memory_s": 900,
            "quiet_s": 180,
        },
        "by_ip": {"failures": 6, "failing_actors": 3, "window_s": 300, "quiet_s": 300, "shared_memory_s": 900},
    },
    "mfa_fatigue": {
        "by_actor": {"threshold": 3, "sent_threshold": 5, "code_threshold": 6, "window_s": 120, "quiet_s": 180, "own_memory_s": 900},
        "by_ip": {"threshold": 3, "window_s": 200, "quiet_s": 200, "shared_users": 2, "shared_memory_s": 900},
    },
    "mfa_change": {
        "reenrol_s": 300,
        "recent_s": 120,
        "failures": 2,
        "settle_s": 200,
        "own_memory_s": 3600,
        "grace_logins": 2,
        "quiet_s": 300,
    },
    "password_reset_abuse": {
        "by_actor": {"threshold": 3, "window_s": 120, "chain_s": 600, "own_memory_s": 3600, "grace_logins": 2, "quiet_s": 300},
        "by_ip": {"threshold": 3, "window_s": 120, "quiet_s": 300, "shared_users": 2, "shared_memory_s": 900},
    },
    "impossible_travel": {"quiet_s": 600},
    "new_geography": {
        "grace_logins": 3,
        "grace_s": 600,
        "country_memory_s": 3600,
        "other_memory_s": 1800,
        "quiet_s": 600,
        "min_peers": 2,
        "common_peers": 1,
    },
    "session_hijack": {"window_s": 300, "quiet_s": 300},
    **request_scenarios.SETTINGS,
    "dormant_account": {"dormant_s": 2000, "watch_s": 600, "quiet_s": 400},
    "privilege_change": {
        "new_s": 1500,
        "grace_s": 100,
        "burst_targets": 3,
        "high_targets": 5,
        "window_s": 120,
        "use_s": 200,
        "known_s": 900,
        "automation": ["svc-*"],
        "quiet_s": 200,
    },
    "api_key_abuse": {
        "min_uses": 5,
        "window_s": 200,
        "memory_s": 3000,
        "new_areas": 4,
        "refusals": 2,
        "probe_s": 100,
        "keys_s": 200,
        "automation": ["svc-*"],
        "quiet_s": 200,
    },
    "bulk_export": {"objects": 8, "records": 500, "bytes": 1_000_000, "window_s": 120, "service_factor": 2, "quiet_s": 180},
    "api_volume_anomaly": {"by_actor": _VOLUME, "by_tenant": {**_VOLUME, "hour_endpoints": 0, "hour_objects": 0}},
    "off_hours_activity": {"by_actor": {"min_days": 1, "quiet_s": 1800}},
    "audit_log_tampering": {"window_s": 120, "before_s": 200, "automation": ["svc-*"], "ignored_targets": ["log:test-*"], "quiet_s": 200},
    "behaviour_anomaly": {"by_actor": {"min_days": 1, "signs": 2, "min_actions": 2, "quiet_s": 7200, "budget": {"alerts_per_day": 50}}},
}
"""Limits that short logs can reach, in the form of the configuration file."""

DAY_S = 86_400.0
ACTORS = ("alice", "bob", "carol", "dave")
SERVICE = "svc-backup"
IPS = ("192.0.2.7", "192.0.2.8", "198.51.100.20", "203.0.113.9", "2001:db8::5")
PLACES: tuple[Row, ...] = (
    {"country": "NO", "city": "Oslo", "lat": 59.91, "lon": 10.75, "asn": 64496},
    {"country": "DK", "city": "Copenhagen", "lat": 55.68, "lon": 12.57, "asn": 64497},
    {"country": "US", "city": "New York", "lat": 40.71, "lon": -74.01, "asn": 64498},
    {"country": "JP", "city": "Tokyo", "lat": 35.68, "lon": 139.69, "asn": 64499},
    {"country": "FJ", "city": "Suva", "lat": -18.14, "lon": 178.44, "asn": 64500},
    {"country": "WS", "lat": -13.83, "lon": -171.77},
    {"country": "BR", "city": "São Paulo", "asn": 64501},
)
"""Real places, some on both sides of the antimeridian, some known by half."""
AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1",
    "curl/8.5.0",
    "Backup agent 7",
    None,
)
REASONS = ("bad_password", "unknown_user", "locked", "mfa_denied", "forbidden", None)
DEVICES = ("laptop-1", "phone-1", "tablet-1", None)


def login(at: float, actor: str | None, ip: str | None, outcome: str | None = "failure", **more: Any) -> Row:
    return {"at": at, "kind": "auth.login", "actor": actor, "ip": ip, "outcome": outcome, **more}


def address(rng: Random) -> str:
    return f"203.0.113.{rng.randrange(256)}"


def spread(rng: Random, number: int, span_s: float) -> list[float]:
    """Moments within ``span_s`` seconds, in order."""
    return sorted(rng.uniform(0, span_s) for _ in range(number))


def burst(rng: Random) -> list[Row]:
    """Failures of few accounts from few addresses, now and then from people who are at home there, and perhaps a success."""
    actors = rng.sample(ACTORS, rng.choice([1, 1, 3]))
    ips = rng.sample(IPS, rng.choice([1, 1, 3]))
    at_home = [login(0, actor, ips[0], "success") for actor in rng.sample(ACTORS, 3)] if rng.random() < 0.2 else []
    times = spread(rng, rng.randint(6, 60), rng.choice([2, 30, 90]))
    rows = [login(at + 1, rng.choice(actors), rng.choice(ips), reason=rng.choice(REASONS)) for at in times]
    if rng.random() < 0.5:
        rows.append(login(times[-1] + rng.uniform(0, 30), actors[0], rng.choice(ips), "success", device_id=rng.choice(DEVICES)))
    return at_home + rows


def drip(rng: Random) -> list[Row]:
    """One guess after the other, unhurried: from one address or, of one account, from several."""
    gap_s = rng.choice([8, 25, 60, 200])
    ips = rng.sample(IPS, rng.choice([1, 3]))
    return [login(i * gap_s + rng.uniform(0, gap_s / 4), "alice", rng.choice(ips)) for i in range(rng.randint(5, 20))]


def spray(rng: Random) -> list[Row]:
    """Several accounts, a few attempts each, from one address; perhaps it gets into some."""
    ip, others = rng.choice(IPS), [f"name{i}" for i in range(rng.randint(4, 12))]
    names = [*ACTORS, *others] if rng.random() < 0.5 else others
    span_s = rng.choice([5, 60, 110])
    rows = [login(rng.uniform(0, span_s), name, ip) for name in names for _ in range(rng.randint(1, 3))]
    rows += [login(rng.uniform(0, span_s + 60), rng.choice(names), ip, "success") for _ in range(rng.choice([0, 0, 1, 3]))]
    return rows


def stuff(rng: Random) -> list[Row]:
    """Pairs of name and password, from one address or from many."""
    many = rng.random() < 0.6
    ips = [address(rng) for _ in range(12)] if many else [rng.choice(IPS)]
    number = rng.randint(24, 60) if many else rng.randint(7, 30)
    if rng.random() < 0.1:
        number = 600  # more names than anything counts exactly
    names = [f"leaked{rng.randrange(900)}" for _ in range(number)]
    times = spread(rng, len(names), rng.choice([10, 50]))
    rows = []
    for name, at in zip(names, times, strict=True):
        outcome = "success" if rng.random() < 0.05 else "failure"
        rows.append(login(at, name, rng.choice(ips), outcome, reason=rng.choice(["bad_password", "unknown_user"])))
    return rows


def breach(rng: Random) -> list[Row]:
    """Failures, then a success: by the owner after all, or by somebody who guessed."""
    actor, home = rng.choice(ACTORS), rng.choice(IPS)
    ips = [home] if rng.random() < 0.3 else [address(rng) for _ in range(rng.randint(1, 3))]
    at_home = [login(0, actor, home, "success", device_id=DEVICES[0])] if rng.random() < 0.5 else []
    names = [actor] if rng.random() < 0.6 else [actor, "erin", "frank", "grace"]
    times = [at + 1 for at in spread(rng, rng.randint(3, 16), rng.choice([10, 60, 100]))]
    rows = [login(at, rng.choice(names), rng.choice(ips)) for at in times]
    if rng.random() < 0.3:
        kind = rng.choice(["auth.password_reset", "auth.password_change"])
        rows.append({"at": rng.uniform(0, times[-1]), "kind": kind, "actor": actor, "ip": home, "outcome": "success"})
    wins = [login(times[-1] + rng.uniform(0, 20), actor, rng.choice(ips), "success", device_id=rng.choice(DEVICES)) for _ in range(2)]
    return [*at_home, *rows, *wins]


def pester(rng: Random) -> list[Row]:
    """Pushes sent, refused, timed out, codes tried: at one account or at several from one address; perhaps one gives in."""
    ip, names = address(rng), rng.sample(ACTORS, rng.choice([1, 4]))
    at_home = [login(0, name, rng.choice([ip, "192.0.2.7"]), "success") for name in names if rng.random() < 0.2]
    reasons = rng.choice([("mfa_denied", "mfa_timeout"), ("mfa_timeout",), ("mfa_bad_code",)])
    rows = []
    for at in spread(rng, rng.randint(6, 24), rng.choice([50, 100, 180])):
        row = login(at + 1, rng.choice(names), ip, rng.choice(["failure", "failure", "challenge"]), reason=rng.choice(reasons))
        rows.append(row if rng.random() < 0.1 else row | {"kind": "auth.mfa_challenge", "action": "mfa.verify"})
    last = rows[-1]
    if rng.random() < 0.6:
        given_in = login(last["at"] + rng.uniform(0, 150), last["actor"], rng.choice([ip, "192.0.2.7", None]), "success")
        rows.append(given_in | {"kind": rng.choice(["auth.mfa_challenge", "auth.login"])})
    return [*at_home, *rows]


def refactor(rng: Random) -> list[Row]:
    """Factors changed after logins at home: by the owner or somebody else, from near or far, after this or that; then perhaps a login."""
    actor, helper = rng.sample(ACTORS, 2)
    rows = [login(at, actor, "192.0.2.7", "success", asn=64496) for at in spread(rng, rng.randint(1, 5), 100)]
    at = rng.choice([150.0, 350.0])
    elsewhere: Row = {"ip": address(rng), "asn": rng.choice([0, 64499])}
    rows += [login(at + i, actor, elsewhere["ip"], reason="bad_password") for i in range(rng.choice([0, 0, 3]))]
    if rng.random() < 0.3:
        rows.append({"at": at + 4, "kind": "auth.password_reset", "actor": actor, "ip": "192.0.2.7", "outcome": "success"})
    for _ in range(rng.randint(1, 4)):
        at += rng.uniform(5, 120)
        by = rng.choice([actor, actor, helper])
        row: Row = {"at": at, "kind": "auth.mfa_change", "actor": by, "target": f"user:{actor}", "outcome": rng.choice(["success", None])}
        row["action"] = rng.choice(["mfa.add", "mfa.remove", "mfa.remove", "mfa.reset", "mfa.update"])
        rows.append(row | (elsewhere if rng.random() < 0.5 else {"ip": "192.0.2.7", "asn": 64496}))
    if rng.random() < 0.6:
        rows.append(login(at + rng.uniform(1, 200), actor, elsewhere["ip"], "success", asn=elsewhere["asn"]))
    return rows


def take_over(rng: Random) -> list[Row]:
    """Passwords reset: of one account again and again, of several from one address, or with what makes it a take-over."""
    ip, actor = address(rng), rng.choice(ACTORS)
    rows = [login(at, actor, "192.0.2.7", "success", asn=64496, device_id=rng.choice(DEVICES)) for at in spread(rng, rng.randint(1, 4), 50)]
    names = [actor] if rng.random() < 0.5 else [f"name{i}" for i in range(rng.randint(3, 8))]
    for at in spread(rng, rng.randint(1, 12), rng.choice([60, 110])):
        name = rng.choice(names)
        row: Row = {
            "at": at + 60,
            "kind": "auth.password_reset",
            "ip": ip,
            "target": f"user:{name}",
            "actor": rng.choice([name, name, None]),
        }
        rows.append(row | {"outcome": rng.choice(["success", "success", "challenge", "failure"])})
    at = rows[-1]["at"] + rng.uniform(0, 100)
    if rng.random() < 0.6:
        rows.append({"at": at, "kind": "auth.mfa_change", "actor": actor, "ip": ip, "outcome": "success", "action": "mfa.add"})
    wins = [
        login(at + rng.uniform(0, 100), name, ip, "success", asn=64499, device_id=rng.choice(DEVICES)) for name in {actor: 0, names[-1]: 0}
    ]
    return rows + (wins if rng.random() < 0.7 else [])


def replay_cookie(rng: Random) -> list[Row]:
    """A session in use at one place, then at another as well, with some of the same things."""
    actor, session = rng.choice(ACTORS), rng.choice(["s1", "s2"])
    home, away = rng.sample(PLACES, 2)
    agents = rng.sample(AGENTS, 2)
    owner: Row = {"ip": "192.0.2.7", "actor": actor, "device_id": rng.choice(DEVICES), "user_agent": agents[0], **home}
    thief: Row = {"ip": rng.choice([address(rng), "2001:db8:9::1"]), "actor": rng.choice([actor, actor, "erin", None]), **away}
    thief |= {"device_id": rng.choice(DEVICES), "user_agent": rng.choice(agents)}
    rows, share = [], rng.choice([0.2, 0.6])
    for at in spread(rng, rng.randint(5, 30), rng.choice([60, 400])):
        kind = rng.choice(["api.request", "api.request", "api.request", "auth.session", "data.export", "admin.action"])
        who = thief if rng.random() < share and at > 10 else owner
        rows.append({"at": at, "kind": kind, "session_id": session, "outcome": rng.choice(["success", None]), **who})
    return rows


def journey(rng: Random) -> list[Row]:
    """Logins and sessions of one account from place to place, faster than anyone goes or just so."""
    actor, at, rows = rng.choice(ACTORS), 0.0, []
    devices = DEVICES if rng.random() < 0.5 else (rng.choice(DEVICES),)
    for _ in range(rng.randint(3, 10)):
        number = rng.randrange(len(PLACES))
        row = login(at, actor, f"198.51.100.{number}", "success", device_id=rng.choice(devices), user_agent=rng.choice(AGENTS))
        if rng.random() < 0.2:
            row |= {"kind": "auth.session", "outcome": None}
        rows.append(row | PLACES[number])
        at += rng.choice([0, 2, 60, 900, 5000])
    return rows


def abroad(rng: Random) -> list[Row]:
    """A few logins at home, then some from elsewhere, with some of the account's things: logins, or requests of a session or a key."""
    actor = rng.choice([*ACTORS, f"new{rng.randrange(9)}"])
    home, *elsewhere = rng.sample(PLACES[:5], 3)
    own: Row = {
        "ip": "192.0.2.40",
        "outcome": "success",
        "device_id": "laptop-1",
        "user_agent": AGENTS[0],
        "actor": actor,
        "kind": "auth.login",
        "session_id": rng.choice(["s1", "ASIAEXAMPLE2", None]),
    }
    rows = [{"at": at, **own, **home} for at in spread(rng, rng.randint(3, 6), 300)]
    at = 400.0 + rng.choice([0, 100, 4000])
    for place in elsewhere[: rng.randint(1, 2)]:
        other = {"ip": address(rng), "device_id": rng.choice(["stolen", "laptop-1", None]), "user_agent": rng.choice(AGENTS)}
        for _ in range(rng.randint(1, 4)):
            kind = rng.choice(["auth.login", "auth.login", "api.request", "auth.session"])
            rows.append({"at": at, **own, **place, **other, "kind": kind, "actor_type": rng.choice(["user", "user", "api_key"])})
            at += rng.uniform(0, 200)
    return rows


def export(rng: Random) -> list[Row]:
    """Objects, records and bytes leaving, in many small events or a few large ones."""
    service = rng.random() < 0.3
    actor = SERVICE if service else rng.choice(ACTORS)
    rows: list[Row] = []
    for at in spread(rng, rng.randint(8, 40), rng.choice([20, 100, 300])):
        kind = rng.choice(["data.export", "data.export", "data.query", "api.request", "admin.action"])
        target = None if rng.random() < 0.1 else f"file:{rng.randrange(60)}" + "x" * rng.choice([0, 0, 80])
        amount = {"records": rng.choice([0, 1, 90]), "bytes": rng.choice([0, 500, 90_000])}
        row: Row = {"at": at, "kind": kind, "actor": actor, "ip": rng.choice(IPS[:2]), "target": target, **amount}
        row["outcome"] = rng.choice(["success", "success", "success", None, "failure"])
        rows.append(row | {"actor_type": "service" if service else rng.choice(["user", None])})
    return rows


def come_back(rng: Random) -> list[Row]:
    """An account in use, then not for long, then again, from here or elsewhere; and what it does then."""
    service = rng.random() < 0.2
    who: Row = {"actor": SERVICE if service else rng.choice(ACTORS), "actor_type": "service" if service else rng.choice(["user", None])}
    home, away = rng.sample(PLACES, 2)
    before = [
        {"at": at, "kind": rng.choice(["auth.login", "api.request"]), "outcome": "success", **who, **home} for at in spread(rng, 3, 50)
    ]
    place = rng.choice([home, away])
    at = 50.0 + rng.choice([1900, 2100, 5000])
    rows = [{"at": at, "kind": rng.choice(["auth.login", "auth.session", "data.export"]), "outcome": "success", **who, **place}]
    for _ in range(rng.randint(0, 8)):
        at += rng.uniform(0, 200)
        kind = rng.choice(["api.request", "auth.login", "data.export", "admin.action", "auth.mfa_change", "credential.change"])
        outcome = rng.choice(["success", "success", None, "failure"])
        rows.append({"at": at, "kind": kind, "outcome": outcome, "ip": rng.choice(IPS), **who, **rng.choice([place, away])})
    return before + rows


def hand_out(rng: Random) -> list[Row]:
    """Rights given to oneself, to one or to many, by somebody known or new; and used at once, or by somebody who does such things anyway."""
    actor = rng.choice([*ACTORS, SERVICE])
    rows = [login(at, actor, "192.0.2.7", "success") for at in spread(rng, rng.randint(0, 3), 200)]
    names = [actor] if rng.random() < 0.2 else [f"name{i}" for i in range(rng.randint(1, 8))]
    at = 201.0
    for name in names:
        at += rng.uniform(0, 40)
        action = rng.choice(["role.grant", "AttachUserPolicy", "Add member to role", "role.revoke", "CreateLoginProfile"])
        row: Row = {"at": at, "kind": rng.choice(["admin.action", "account.change"]), "action": action, "target": f"user:{name}"}
        row |= {
            "actor": rng.choice([actor, actor, actor, None]),
            "ip": rng.choice(IPS),
            "outcome": rng.choice(["success", "success", None, "failure"]),
        }
        rows.append(row)
        if rng.random() < 0.5:
            for _ in range(rng.randint(1, 3)):
                kind = rng.choice(["data.export", "admin.action", "credential.change"])
                rows.append({"at": at + rng.uniform(0, 250), "kind": kind, "actor": name, "outcome": "success", "ip": rng.choice(IPS)})
    return rows


def steal_key(rng: Random) -> list[Row]:
    """A key with its habits, then used from elsewhere, by something else, or for what it never did."""
    session = rng.random() < 0.3
    who: Row = {"session_id": "ASIAEXAMPLE1", "actor": rng.choice(ACTORS)} if session else {"actor": "key-1", "actor_type": "api_key"}
    homes = rng.sample(PLACES[:5], rng.choice([1, 1, 2, 3]))
    use: Row = {"kind": "api.request", "user_agent": "Sync/2.1", **who}
    rows = [
        {"at": at, "outcome": "success", "ip": "192.0.2.7", "route": "/v1/files/{id}", **use, **rng.choice(homes)}
        for at in spread(rng, 10, 60)
    ]
    place, probing = rng.choice(PLACES), rng.random() < 0.5
    at = 60.0 + rng.choice([5, 100, 1000])
    thief: Row = {"ip": address(rng), "user_agent": rng.choice([*AGENTS, "Sync/2.1"]), "network": rng.choice([None, None, None, "mobile"])}
    for i in range(rng.randint(3, 20)):
        at += rng.uniform(0, 20)
        refused = probing and rng.random() < 0.5
        row = {"at": at, **use, **(rows[0] | {"at": at} if rng.random() < 0.3 else thief | place)}
        row |= {"route": f"/v{i}/x" if probing else "/v1/files/{id}", "outcome": "failure" if refused else "success"}
        rows.append(row | ({"kind": "authz.decision"} if refused else {}))
    return rows


def mint(rng: Random) -> list[Row]:
    """Keys made for oneself, for others, or many."""
    actor, rows = rng.choice([*ACTORS, SERVICE]), []
    for at in spread(rng, rng.randint(2, 8), rng.choice([100, 900])):
        target = rng.choice([f"user:{actor}", f"user:{actor}", "user:erin", f"token:t{rng.randrange(9)}", None])
        row: Row = {"at": at, "kind": "credential.change", "actor": actor, "target": target, "ip": rng.choice(IPS)}
        row |= {
            "action": rng.choice(["CreateAccessKey", "api_token.create", "key.remove"]),
            "outcome": rng.choice(["success", None, "failure"]),
        }
        rows.append(row)
    return rows


def blind(rng: Random) -> list[Row]:
    """Logs stopped, narrowed and started, after this or that, by somebody or nobody; some attempts are refused."""
    actor = rng.choice([*ACTORS, SERVICE, None])
    rows: list[Row] = []
    if rng.random() < 0.5:
        row: Row = {"at": 0, "kind": "admin.action", "actor": actor, "action": "role.grant", "target": "user:erin", "outcome": "success"}
        rows.append(row | rng.choice([{}, {"kind": "auth.mfa_change", "action": "mfa.remove"}]))
    at = 10.0
    for _ in range(rng.randint(1, 7)):
        at += rng.choice([5, 60, 150])
        row = {"at": at, "kind": "audit.log_change", "actor": actor, "ip": rng.choice(IPS)}
        row |= {
            "action": rng.choice(["StopLogging", "log_stream.delete", "log_stream.update", "log_stream.create", "audit_log.export", None])
        }
        row |= {
            "target": rng.choice(["trail:a", "trail:b", "log:test-1", None]),
            "outcome": rng.choice(["success", "success", None, "failure"]),
        }
        if rng.random() < 0.15:
            row |= {"kind": "authz.decision", "action": "DeleteTrail", "outcome": "failure"}
        rows.append(row)
    return rows


def pry(rng: Random) -> list[Row]:
    """Ten hours of the same few things, on the next day an hour or two of many others, and in the end the old ones again."""
    actor = rng.choice([*ACTORS, SERVICE])
    who: Row = {"actor": actor, "ip": "192.0.2.7", "user_agent": AGENTS[0], "kind": "api.request", "method": "GET"}
    usual = [f"/v1/usual{number}" for number in range(4)]
    rows = [
        {"at": 4000 * hour + step * 60, **who, "route": rng.choice(usual), "outcome": rng.choice(["success", "success", None])}
        for hour in range(10)
        for step in range(3)
    ]
    at = 90_000.0
    for _ in range(rng.choice([6, 12, 40])):
        at += rng.choice([5, 120, 400])
        odd: Row = {"route": f"/v1/admin/{rng.randrange(30)}", "outcome": rng.choice(["success", "failure"])}
        odd |= rng.choice([{}, {}, {"method": "DELETE"}, {"kind": "data.export", "action": "csv", "route": None}, {"kind": "data.query"}])
        rows.append({"at": at, **who, **odd, **rng.choice([{}, {"ip": address(rng), "user_agent": AGENTS[2], "asn": 64499}])})
    return [*rows, {"at": at + rng.choice([2000, 20_000, 90_000]), **who, "route": usual[0], "outcome": "success"}]


def swell(rng: Random) -> list[Row]:
    """A few quiet days of few accounts, then an hour or a day with far more; perhaps the next days as well."""
    actors = rng.sample(ACTORS, rng.choice([1, 1, 2]))
    quiet, rows = rng.randint(2, 4), []
    for day in range(quiet):
        for actor in actors:
            rows += [use(rng, day * 86_400.0 + at, actor) for at in spread(rng, rng.randint(1, 3), 30_000)]
    for day in range(quiet, quiet + rng.choice([1, 1, 2, 3])):
        begin = day * 86_400.0 + rng.choice([3000, 20_000])
        rows += [
            use(rng, begin + at, actors[0], rng.choice([0, 90_000])) for at in spread(rng, rng.randint(12, 60), rng.choice([900, 20_000]))
        ]
    rows += [use(rng, (quiet + 4) * 86_400.0 + at, rng.choice(actors)) for at in spread(rng, rng.randint(0, 3), 9000)]
    return rows


def use(rng: Random, at: float, actor: str, size: int = 500) -> Row:
    """One request or the like."""
    kind = rng.choice(["api.request", "api.request", "data.export", "data.query"])
    row: Row = {"at": at, "kind": kind, "actor": actor, "ip": IPS[0], "outcome": rng.choice(["success", None])}
    number = rng.randrange(40)
    return row | {"route": rng.choice([None, f"/v1/{number % 7}"]), "target": rng.choice([None, f"file:{number}"]), "bytes": size}


def stay_up(rng: Random) -> list[Row]:
    """Two or three days of work at the same hours, then a session half a day from them, in few or many events; perhaps a day more."""
    actor, days, kind = rng.choice(ACTORS), rng.randint(2, 3), rng.choice(["api.request", "auth.login", "data.query"])
    who: Row = {"actor": actor, "outcome": "success", "ip": "192.0.2.7", **rng.choice([{}, PLACES[0]])}
    work = [day for day in range(days + rng.randint(0, 2)) if day != days]
    rows = [{"at": day * DAY_S + hour * 3600.0 + rng.uniform(0, 500), "kind": kind, **who} for day in work for hour in range(4)]
    at, away = days * DAY_S + rng.uniform(10, 13) * 3600, rng.choice([{}, {}, PLACES[2]])
    for _ in range(rng.randint(1, 12)):
        at += rng.uniform(1, 400)
        row: Row = {"at": at, "kind": rng.choice([kind, kind, "data.export", "auth.session"]), **who, **away}
        rows.append(row | {"action": rng.choice([None, None, "token.refresh"])})
    return rows


KINDS = (
    "auth.login",
    "auth.logout",
    "auth.mfa_challenge",
    "auth.mfa_change",
    "auth.password_reset",
    "auth.password_change",
    "auth.session",
    "account.change",
    "credential.change",
    "authz.decision",
    "api.request",
    "data.export",
    "data.query",
    "admin.action",
    "audit.log_change",
)


def day(rng: Random) -> list[Row]:
    """Everything there is, a little of each, with fields missing here and there."""
    rows: list[Row] = []
    for at in spread(rng, rng.randint(5, 40), rng.choice([30, 600, 4000])):
        row: Row = {
            "at": at,
            "kind": rng.choice([*KINDS, "auth.login", "auth.login"]),
            "actor": rng.choice([*ACTORS, None]),
            "actor_type": rng.choice(["user", "service", "api_key", "anonymous", None]),
            "ip": rng.choice([*IPS, None]),
            "outcome": rng.choice(["success", "success", "failure", "challenge", None]),
            "reason": rng.choice(REASONS),
            "device_id": rng.choice(DEVICES),
            "user_agent": rng.choice(AGENTS),
            "session_id": rng.choice(["s1", "s2", None]),
            "target": rng.choice(["file:1", "user:bob", None]),
            "status": rng.choice([0, 200, 403, 404]),
            "bytes": rng.choice([0, 0, 700]),
        }
        rows.append(row | (rng.choice(PLACES) if rng.random() < 0.5 else {}))
    return rows


SCENARIOS: dict[str, tuple[Scenario, ...]] = {
    "failed_login_burst": (burst,),
    "slow_brute_force": (drip,),
    "password_spray": (spray,),
    "credential_stuffing": (stuff,),
    "success_after_failures": (breach,),
    "mfa_fatigue": (pester,),
    "mfa_change": (refactor,),
    "password_reset_abuse": (take_over,),
    "impossible_travel": (journey,),
    "new_geography": (abroad,),
    "session_hijack": (replay_cookie,),
    "dormant_account": (come_back,),
    "privilege_change": (hand_out,),
    "api_key_abuse": (steal_key, mint),
    "bulk_export": (export,),
    "audit_log_tampering": (blind,),
    "api_volume_anomaly": (swell,),
    "behaviour_anomaly": (pry,),
    "off_hours_activity": (stay_up,),
    **request_scenarios.SCENARIOS,
}
"""What makes each detector speak. ``day`` is mixed into every log besides."""
