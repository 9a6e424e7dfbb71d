"""Attacks that break no rule: what is odd about them is odd for this person alone. They are there to measure learned detectors with."""

from typing import Any, NamedTuple

from monitor.simulate.people import THINGS, request
from monitor.simulate.stage import Act
from monitor.simulate.world import DAY_S, HOUR_S, Client

_NIGHT_H = 2.0
_WEEKEND = {2: 1, 3: 2}
"""Days since 1970 modulo 7 that are no working days, and how long ago the last one was."""
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


class _Look(NamedTuple):
    """One thing to look at that is none of an ordinary member's business."""

    path: str
    share: float
    """Of how many attempts are refused."""


_LOOKS = (
    *(_Look(f"/v1/settings/{part}", 0.0) for part in ("security", "sso", "retention", "integrations", "plan", "domains")),
    *(_Look(f"/v1/admin/{part}", 0.5) for part in ("users", "roles", "tokens", "audit", "webhooks")),
    *(_Look(f"/v1/members/{part}", 0.1) for part in ("list", "groups", "invitations")),
)
_COUNT = "SELECT count(*) FROM {}"


def behaviour_anomaly(act: Act) -> None:
    """A look around at the usual hour and in the usual amount, from the owner's laptop: each step is harmless, and none is what the owner ever does."""
    person = next((each for each in act.victims(20) if not each.night), act.victims(1)[0])
    act.entities.append(f"actor:{person.name}")
    day = int(act.begin // DAY_S)
    day -= _WEEKEND.get(day % 7, 0)
    act.begin = day * DAY_S + (act.chance.between(9.5, 15.5) - person.city.ahead_h(day)) * HOUR_S
    client = act.owner(person)
    for at in act.times(act.number(14, 26, 50), HOUR_S):
        _pry(act, client, at)


def _pry(act: Act, client: Client, at: float) -> None:
    """One step: mostly reading, now and then something taken along or done away with."""
    chance, draw = act.chance, act.chance.random()
    asked: dict[str, Any] = {"method": "GET", "status": 200, "outcome": "success"}
    refused: dict[str, Any] = {"status": 403, "outcome": "failure", "reason": "forbidden"}
    if draw < 0.5:
        look = chance.pick(_LOOKS)
        client.do(at, "api.request", **{**asked, **(refused if chance.yes(look.share) else {})}, route=look.path, path=look.path)
    elif draw < 0.7:
        path = f"/v1/{chance.pick(THINGS)}"
        client.do(at, "api.request", **asked, route=path, path=path, query=f"page={chance.whole(1, 9)}", records=25)
    elif draw < 0.8:
        client.do(at, "data.query", outcome="success", query=_COUNT.format(chance.pick(THINGS)), records=1)
    elif draw < 0.88:
        target = f"list:{chance.pick(('members', 'contacts', 'prices'))}"
        client.do(at, "data.export", outcome="success", action="list.download", target=target, records=120, bytes=40_000)
    elif draw < 0.95:
        number = chance.favourite(client.person.objects)
        client.do(at, "api.request", **{**asked, "method": "DELETE"}, route="/v1/shares/{id}", path=f"/v1/shares/{number}")
    else:
        client.do(at, "authz.decision", action="manage", target=f"workspace:{client.person.tenant}", outcome="failure", reason="forbidden")
