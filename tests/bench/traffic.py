"""Writes native events for benchmarks: ordinary traffic of a SaaS company with some attacks in it.

The number of actors and addresses is fixed, so that memory can be seen to follow live keys and not events.
"""

import random
from collections.abc import Iterator
from pathlib import Path

ACTORS = 10_000
ADDRESSES = 20_000
EVENTS_PER_S = 500
ACTIVE = 500
"""People whose requests come interleaved at a time."""
REQUESTS_OF_A_VISIT = 10
START_MS = 1_770_000_000_000
CITIES = [
    ("DE", "Berlin", 52.52, 13.4, 3320),
    ("PT", "Lisbon", 38.72, -9.14, 2860),
    ("US", "Boston", 42.36, -71.06, 7922),
    ("JP", "Osaka", 34.69, 135.5, 2516),
]
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def _person(number: int) -> str:
    country, city, lat, lon, asn = CITIES[number % len(CITIES)]
    return (
        f'"tenant":"t{number % 20}","actor":"user{number}@example.com","actor_type":"user","ip":"198.{18 + number % 2}.{number // 2 % 250}.{number // 500 % 250}",'
        f'"country":"{country}","city":"{city}","lat":{lat},"lon":{lon},"asn":{asn},"user_agent":"{AGENT}","device_id":"d{number}","session_id":"s{number}"'
    )


LOGINS = {"requests": 5, "logins": 25}
"""Log-ins in a hundred events. People log in a few times a day and send requests all day: 5 is many. 25 is the log of a sign-in service."""


def _kinds(chance: random.Random, mix: str) -> list[str]:
    """Bodies of one hundred events in the proportions of a mix; requests fill what the other kinds leave."""
    login = ['"kind":"auth.login","outcome":"failure","reason":"bad_password"']
    login += ['"kind":"auth.login","outcome":"success","action":"password"'] * (LOGINS[mix] - 1)
    decisions = ['"kind":"authz.decision","outcome":"success","action":"read","target":"file:77"'] * 6
    queries = ['"kind":"data.query","outcome":"success","records":20,"bytes":4000,"query":"select name from customers where id = 7"'] * 6
    exports = [f'"kind":"data.export","outcome":"success","records":5,"bytes":9000,"target":"report:{n}"' for n in range(3)]
    admin = ['"kind":"admin.action","outcome":"success","action":"project.update","target":"project:9"'] * 2
    others = [*login, *decisions, *queries, *exports, *admin]
    requests = [
        f'"kind":"api.request","outcome":"success","method":"GET","route":"/v1/files/{{id}}","path":"/v1/files/{chance.randrange(9999)}","status":200,"latency_ms":{chance.randrange(5, 90)},"bytes":{chance.randrange(200, 9000)}'
        for _ in range(100 - len(others))
    ]
    return [*requests, *others]


def _picks(chance: random.Random, kinds: list[str], people: list[str], active: int) -> Iterator[tuple[str, str]]:
    """Who does what next: one of those who are active now, each of whom does about ``REQUESTS_OF_A_VISIT`` things and is then replaced."""
    now = [chance.choice(people) for _ in range(active)]
    for _ in range(200_003):
        at = chance.randrange(active)
        yield chance.choice(kinds), now[at]
        if chance.random() * REQUESTS_OF_A_VISIT < 1:
            now[at] = chance.choice(people)


def write(path: Path, events: int, mix: str = "requests", *, scattered: bool = False, seed: int = 7) -> None:
    """``events`` lines in time order, about 430 bytes each; every 200,000th begins a burst of 40 failures from one address.

    ``mix``: a key of ``LOGINS``. ``scattered``: each event is of any person at all, which no cache likes and no people do.
    """
    chance = random.Random(seed)
    people = [_person(number) for number in range(ACTORS)]
    kinds = _kinds(chance, mix)
    picks = list(_picks(chance, kinds, people, active=len(people) if scattered else ACTIVE))
    attack = '"kind":"auth.login","outcome":"failure","reason":"unknown_user","tenant":"t1"'
    step_ms = 1000 / EVENTS_PER_S
    with path.open("w", encoding="ascii") as out:
        for first in range(0, events, 50_000):
            lines = []
            for number in range(first, min(first + 50_000, events)):
                in_cycle = number % 200_000
                head = f'{{"id":"e{number:09d}","time":{START_MS + int(number * step_ms)},'
                if in_cycle % 25 == 0 and in_cycle < 1000:
                    lines.append(f'{head}{attack},"actor":"guess{in_cycle}","ip":"203.0.113.{number // 200_000 % 250}"}}\n')
                else:
                    kind, person = picks[number % len(picks)]
                    lines.append(f"{head}{kind},{person}}}\n")
            out.writelines(lines)
