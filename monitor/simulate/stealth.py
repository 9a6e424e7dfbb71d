"""Attacks that break no rule: what is odd about them is odd for this person alone. They are there to measure learned detectors with."""

from monitor.simulate.people import request
from monitor.simulate.stage import Act
from monitor.simulate.world import DAY_S, HOUR_S

_NIGHT_H = 2.0
_FROG_DAYS = 10


def api_volume_anomaly(act: Act) -> None:
    """Many times the usual requests, from the owner's laptop, for lists that the owner asks for anyway."""
    person = act.victim()
    client = act.owner(person)
    for at in act.times(act.number(300, 800, 2_500), 2 * HOUR_S):
        page = {"query": f"page={act.chance.whole(1, 400)}", "records": 25, "bytes": act.chance.whole(9_000, 14_000)}
        client.do(at, "api.request", method="GET", route="/v1/orders", path="/v1/orders", status=200, outcome="success", **page)


def off_hours_activity(act: Act) -> None:
    """An ordinary working session, in the middle of the owner's night."""
    person = next((each for each in act.victims(20) if not each.night), act.victims(1)[0])
    act.entities.append(f"actor:{person.name}")
    day = int(act.begin // DAY_S)
    act.begin = day * DAY_S + (_NIGHT_H - person.city.ahead_h(day)) * HOUR_S
    client = act.owner(person)
    first, *rest = act.times(act.number(15, 30, 60), 1.5 * HOUR_S)
    client.log_in(first)
    for at in rest:
        request(act.chance, client, at, "v1")


def boiling_frog(act: Act) -> None:
    """A little more each day: downloads that grow by a few hundredths a day (low) up to a half (high), for ten days."""
    person = act.victim()
    client = act.owner(person)
    growth = act.amount(0.03, 0.12, 0.5)
    for back in range(_FROG_DAYS, 0, -1):
        size = 2_000_000 * (1 + growth) ** (_FROG_DAYS - back)
        for step in range(6):
            fields = {"action": "download", "target": f"file:{step}", "bytes": round(size)}
            client.do(act.begin - back * DAY_S + step * 900, "data.export", outcome="success", **fields)
