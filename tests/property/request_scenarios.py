"""Scenarios of requests, queries and whole sources: a part of ``scenarios.py``, and made like those."""

from random import Random
from typing import Any

Row = dict[str, Any]

SETTINGS: dict[str, dict[str, Any]] = {
    "authorization_failure_burst": {
        "by_actor": {"threshold": 6, "window_s": 120, "wide": 3, "quiet_s": 180, "stuck_threshold": 10, "habit_s": 86_400},
        "by_ip": {"threshold": 10, "distinct": 4, "window_s": 120, "fast_distinct": 5, "fast_window_s": 3, "quiet_s": 180},
    },
    "object_enumeration": {
        "min_ids": 8,
        "min_ids_unhurried": 15,
        "window_s": 120,
        "per_minute": 12,
        "per_window": 20,
        "service_features": 2,
        "grace_ids": 5,
        "history_s": 3600,
        "quiet_s": 180,
    },
    "unusual_query": {"grace_queries": 3, "grace_s": 300, "memory_days": 1, "records_floor": 50, "many": 3, "many_s": 300, "quiet_s": 300},
    "source_silence": {
        "silence_s": 30,
        "pause_factor": 2,
        "flat_after_s": 20,
        "hours_after_s": 600,
        "retire_s": 3000,
        "jump_s": 60,
        "jumps": 3,
        "jump_window_s": 600,
        "quiet_s": 200,
    },
}

ACTORS = ("alice", "bob", "carol")
IPS = ("192.0.2.7", "198.51.100.20", "203.0.113.9")
ROUTES = ("/v1/users", "/v1/roles", "/v1/keys", "/v1/invoices/{id}")
PATHS = ("/.env", "/.git/HEAD", "/favicon.ico", "/a/logo.png", "/wp-login.php", "/../etc/passwd")


def refuse(rng: Random) -> list[Row]:
    """Refusals and missing pages, of an account or of an address, in many places or few, between things that are allowed."""
    actor, routes = rng.choice([*ACTORS, None]), rng.sample(ROUTES, rng.choice([1, 3, 4]))
    rows: list[Row] = []
    for i in range(rng.randint(8, 45)):
        row: Row = {"at": rng.uniform(0, 1) * rng.choice([2, 60, 100]), "actor": actor, "ip": rng.choice(IPS[:2])}
        if actor is None:
            row["ip"] = IPS[2]
        kind = rng.choice(["api.request", "api.request", "authz.decision"])
        if kind == "authz.decision":
            row |= {
                "kind": kind,
                "outcome": rng.choice(["failure", "failure", "success"]),
                "action": f"{rng.choice(['s3', 'iam'])}:Get{i % 5}",
            }
            row |= {"target": rng.choice([None, "file:1", f"file:{i}"]), "reason": rng.choice(["forbidden", "unauthenticated", None])}
        else:
            status = rng.choice([403, 403, 404, 401, 200, 0])
            row |= {"kind": kind, "status": status, "outcome": "failure" if status >= 400 else rng.choice(["success", "failure", None])}
            row |= {"path": rng.choice([*PATHS, f"/page/{i}"]), "route": rng.choice([*routes, None]), "query": rng.choice([None, f"a={i}"])}
            row["reason"] = rng.choice(["forbidden", None])
        rows.append(row)
    return rows


def walk(rng: Random) -> list[Row]:
    """One object after the other, in order or shuffled, given or refused, by an account or without one."""
    actor, first = rng.choice([*ACTORS, None]), rng.randrange(1000)
    number, pace_s = rng.randint(10, 70), rng.choice([0.2, 1, 3])
    ids = [str(first + i) for i in range(number)]
    if rng.random() < 0.2:
        ids = [f"{first + i:08x}-aaaa-4bbb-8ccc-{i:012x}" for i in range(number)]
    if rng.random() < 0.5:
        rng.shuffle(ids)
    refused = rng.choice([0, 0, 0.5])
    rows: list[Row] = []
    for i, identity in enumerate(ids):
        status = 403 if rng.random() < refused else 200
        row: Row = {
            "at": i * pace_s,
            "kind": "api.request",
            "actor": actor,
            "ip": rng.choice(IPS[:1] if actor else IPS[2:]),
            "status": status,
        }
        row |= {"outcome": "success" if status == 200 else "failure", "path": f"/v1/invoices/{identity}"}
        row |= rng.choice([{}, {}, {"route": "/v1/invoices/{id}"}, {"target": f"invoice:{identity}", "route": "/v1/invoices/{id}"}])
        row["actor_type"] = rng.choice(["user", "user", "service"])
        rows.append(row)
        if status == 403 and rng.random() < 0.1:
            rows.append({**row, "at": number * pace_s + i, "status": 200, "outcome": "success"})
    return rows


def ask(rng: Random) -> list[Row]:
    """The same few queries over and over, then some of another kind."""
    actor, service = rng.choice(ACTORS), rng.random() < 0.3
    usual = [f"select id from orders where day = '{rng.randrange(9)}' and n = {rng.randrange(9)}" for _ in range(rng.randint(4, 10))]
    odd = [
        "select * from customers",
        "SELECT * FROM api_tokens",
        "select a from b where c = '' or '1'='1' --",
        "select * from pg_catalog.pg_user",
    ]
    odd += [
        "select name from b where c = 1",
        "copy invoices to '/tmp/x'",
        "find contracts of 2025",
        "select password from logins where id = 1",
    ]
    texts = usual + [rng.choice(odd) for _ in range(rng.randint(1, 12))]
    rows: list[Row] = []
    for i, text in enumerate(texts):
        row: Row = {"at": i * rng.choice([1, 20]), "kind": "data.query", "actor": actor, "ip": rng.choice(IPS[:2]), "query": text}
        row |= {"outcome": rng.choice(["success", "failure", None]), "records": rng.choice([0, 5, 5, 400])}
        rows.append(row | {"actor_type": "service" if service else "user"})
    return rows


def hush(rng: Random) -> list[Row]:
    """A source that sends all the time and stops, for a while or for good, while another goes on; perhaps its log was changed before."""
    kind = rng.choice(["api.request", "auth.session"])
    target = rng.choice(["host:web1", "host:web1", None])
    stop, gap_s = rng.randint(40, 90), rng.choice([60, 300])
    times = [float(at) for at in range(0, stop, 2)]
    if rng.random() < 0.7:
        times += [stop + gap_s + float(at) for at in range(0, 40, 2)]
    rows: list[Row] = [{"at": at, "kind": kind, "ip": IPS[0], "outcome": "success", "target": target} for at in times]
    if rng.random() < 0.3:
        rows.append({"at": stop - 1.0, "kind": "audit.log_change", "actor": "mallory", "outcome": "success", "target": target})
    return rows


SCENARIOS = {
    "authorization_failure_burst": (refuse,),
    "object_enumeration": (walk,),
    "unusual_query": (ask,),
    "source_silence": (hush,),
}
