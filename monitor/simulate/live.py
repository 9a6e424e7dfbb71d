"""The made-up world as a live source: time is that of the clock, working days are minutes long, and something is always afoot."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from monitor.settings_simulate import SimulateSettings
from monitor.simulate.attacks import ATTACKS
from monitor.simulate.benign import CLOUD, KEY, service
from monitor.simulate.chance import Chance
from monitor.simulate.generate import play, rotated
from monitor.simulate.people import QUERIES, request
from monitor.simulate.stage import Act
from monitor.simulate.truth import Truth
from monitor.simulate.world import Client, Person, Scenario, World, WorldSettings
from monitor.simulate.writers import Log, encode_base
from monitor.sources.live import Arrived, LiveInput

SOURCE = "simulated"
FIRST_ATTACK_S = 12.0
"""The first one begins after so many seconds, when most people have logged in."""
TICK_S = 0.1
"""Events are handed out no oftener than that, so that few of them are no more work than many."""
REUSE = 6
"""Requests of a person, on average, before the next login."""


class SimulatedSource:
    """See ``LiveSource``. ``clock``: Unix seconds. It has no position: what was not read is not made up again."""

    def __init__(
        self,
        settings: SimulateSettings,
        clock: Callable[[], float] = time.time,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.inputs: Sequence[LiveInput] = [LiveInput(SOURCE, "native", None, SOURCE)]
        """The one there is."""
        self.generation = 0
        self.ended = False
        self.truth: list[Truth] = []
        """The attacks so far."""
        self._settings, self._clock, self._sleep = settings, clock, sleep
        self._world = World(WorldSettings(seed=settings.seed, users=settings.users, tenants=settings.tenants))
        self._people = self._world.everyone()
        self._paused = False
        self._line = 0
        self._attacks = 0
        self._begin(clock())

    def _begin(self, now: float) -> None:
        self._log = Log(f"live{int(now * 1000):x}")  # ids that no earlier process has used
        self._chance = Chance(self._settings.seed, "live")
        self._clients: dict[str, Client] = {}
        self._next_ts = now
        self._attack_ts = now + FIRST_ATTACK_S
        self._day = int(now // 86_400)

    async def start(self) -> None:
        """Begin now."""
        self.generation = 1
        self._begin(self._clock())

    async def seek(self, positions: Mapping[str, Any]) -> None:
        """Nothing: what was not read is not made up again."""

    async def next(self, wait_s: float) -> Sequence[Arrived]:
        """See ``LiveSource``."""
        if self._paused:
            await self._sleep(wait_s)
            return []
        due_s = self._next_ts - self._clock()
        if due_s > -TICK_S:
            await self._sleep(min(wait_s, due_s + TICK_S))
        records = self._until(self._clock())
        lines = range(self._line + 1, self._line + 1 + len(records))
        self._line += len(records)
        return [Arrived(SOURCE, records, lines, None, caught_up=True)]

    def pause(self, sources: frozenset[str]) -> None:
        """See ``LiveSource``."""
        self._paused = SOURCE in sources

    async def commit(self, positions: Mapping[str, Any]) -> None:
        """Nothing: there is nowhere to go back to."""

    def lag(self) -> Mapping[tuple[str, str], int]:
        """Nothing is ever left unread."""
        return {}

    async def close(self) -> None:
        """Nothing to leave."""

    def _until(self, now: float) -> list[bytes]:
        """All events up to now. After a long pause only the last of them: nobody was there to do the rest."""
        if now - self._next_ts > 10:
            self._next_ts = now - 10
        chance, rate = self._chance, self._settings.rate
        while self._next_ts <= now:
            self._ordinary(self._next_ts)
            self._next_ts += chance.between(0.2, 1.8) / rate
        while self._attack_ts <= now:
            self._attack(max(self._attack_ts, now))
        return self._log.take_now(now)

    def _ordinary(self, ts: float) -> None:
        """Somebody does something; a key and an analyst do what they always do."""
        chance = self._chance
        draw = chance.random()
        if draw < 0.06:
            tenant = chance.pick(self._world.tenants)
            base = encode_base(service(KEY, tenant, CLOUD.fields(), "api_key"))
            path = f"/v1/reports/{chance.whole(1, 3)}"
            fields = {"method": "GET", "route": "/v1/reports/{id}", "path": path, "status": 200, "outcome": "success"}
            self._log.add(ts, "api.request", fields, base)
            return
        person = chance.pick(self._people)
        client = self._clients.get(person.name)
        if client is None or chance.yes(1 / REUSE):
            self._clients[person.name] = self._log_in(person, ts)
        elif draw < 0.12:
            text = chance.pick(QUERIES).format(chance.whole(1, 60))
            client.do(ts, "data.query", outcome="success", query=text, records=chance.whole(1, 40))
        else:
            request(chance, client, ts, "v1")

    def _log_in(self, person: Person, ts: float) -> Client:
        chance = self._chance
        net = person.office if person.office is not None and person.number % 3 else person.home
        session = f"s-{person.name}-{int(ts * 1000):x}"
        client = Client(self._log, person, net, session, device=person.device("laptop", self._day), agent=person.agent)
        if chance.yes(0.04):
            client.fail(ts)
            ts += chance.between(2, 5)
        client.log_in(ts)
        return client

    def _attack(self, ts: float) -> None:
        """One after the other, in an order that begins anew when all had their turn."""
        names = [name for name, kind in ATTACKS.items() if kind.live_s is not None]
        turn, place = divmod(self._attacks, len(names))
        name = Chance(self._settings.seed, "order", turn).some(names, len(names))[place]
        tenant = self._world.tenants[self._attacks % len(self._world.tenants)]
        intensity = "high" if turn == 0 else self._chance.pick(("medium", "high"))
        scenario = Scenario(name=name, intensity=intensity, duration_s=ATTACKS[name].live_s, tenant=tenant)
        act = Act(self._log, self._world, scenario, ts, rotated(self._world, tenant, self._attacks), self._attacks, past=False)
        truth = play(act)
        if truth is not None:
            self.truth.append(truth)
        self._attacks += 1
        self._attack_ts = ts + self._chance.between(*self._settings.attack_every_s)
