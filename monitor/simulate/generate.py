"""The whole of a made-up world, in order of time."""

from collections.abc import Iterator
from math import floor

import msgspec

from monitor.simulate.attacks import ATTACKS
from monitor.simulate.benign import machines
from monitor.simulate.chance import Chance
from monitor.simulate.delivery import Stamped
from monitor.simulate.people import PLAN_HOUR, Day, trip_on
from monitor.simulate.stage import INTENSITIES, Act
from monitor.simulate.truth import Truth
from monitor.simulate.world import DAY_S, HOUR_S, ROLES, Person, Scenario, World, WorldSettings
from monitor.simulate.writers import Log
from schemas.errors import ConfigurationError

_LONGEST_DAY_H = 36
"""So many hours after its local midnight the last of a person's day has happened: night shifts, long flights."""


class Simulation:
    """A world that is about to happen. Raises ``ConfigurationError`` for settings that make none."""

    def __init__(self, settings: WorldSettings) -> None:
        self.settings = settings
        self.world = World(settings)
        self._end = settings.start + settings.hours * HOUR_S
        self._log = Log(f"sim{settings.seed}", settings.start, self._end)
        self.truth: tuple[Truth, ...] = tuple(
            truth for number, scenario in enumerate(settings.scenarios) if (truth := self._plan(scenario, number)) is not None
        )
        """All attacks, in the order given. One that would lie outside of the time simulated is not among them."""

    def events(self) -> Iterator[bytes]:
        """Every event, once, without line ends. An object makes its events once only: call this or ``timed``, and once."""
        for _, record in self.timed():
            yield record

    def timed(self) -> Iterator[Stamped]:
        """The same, each with its time in Unix seconds."""
        log, settings = self._log, self.settings
        people = self.world.everyone()
        first, end = floor(settings.start / HOUR_S), self._end
        for hour in range(first - _LONGEST_DAY_H, floor(end / HOUR_S) + 1):
            for person in people:
                day, local_h = divmod(hour + floor(person.city.standard_h), 24)
                if local_h == PLAN_HOUR - 2:  # an hour early in winter, so that it is not late in summer
                    Day(log, self.world, person, day).live()
            if hour >= first:
                machines(log, self.world, hour)
            yield from log.take(hour * HOUR_S)
        yield from log.take(float(floor(end / HOUR_S + 2) * HOUR_S))

    def _plan(self, scenario: Scenario, number: int) -> Truth | None:
        settings = self.settings
        if scenario.name not in ATTACKS:
            raise ConfigurationError(f"scenario: there is no {scenario.name}; use one of {', '.join(ATTACKS)}, or all")
        if scenario.intensity not in INTENSITIES:
            raise ConfigurationError(f"intensity: expected one of {', '.join(INTENSITIES)}")
        for name, value, low, high in (
            ("strength", scenario.strength, 0.01, 10.0),
            ("spread", scenario.spread, 1, 4_000),
            ("stretch", scenario.stretch, 0.01, 10_000.0),
            ("jitter", scenario.jitter, 0.0, 1.0),
            ("duration_s", scenario.duration_s, 1.0, 366 * 86_400.0),
        ):
            if value is not None and not low <= value <= high:
                raise ConfigurationError(f"{name}: {value:g} cannot be played; use {low:g} to {high:g}")
        chance = Chance(settings.seed, "plan", scenario.name, number)
        tenant = scenario.tenant or self._tenant(scenario, number)
        if tenant not in self.world.people:
            raise ConfigurationError(f"tenant: there is no {tenant}; use one of {', '.join(self.world.tenants)}")
        begin = scenario.at if scenario.at is not None else settings.start + settings.hours * HOUR_S * chance.between(0.65, 0.8)
        victims = self._at_home(rotated(self.world, tenant, number), begin)
        truth = play(Act(self._log, self.world, scenario, begin, victims, number, past=True))
        return None if truth is None else msgspec.structs.replace(truth, traffic=(settings.start, self._end))

    def _at_home(self, victims: list[Person], begin: float) -> list[Person]:
        """Whoever does not travel around that day first: else the past that some attacks give their victim would put them in two places."""
        days = range(int(begin // DAY_S) - 2, int(begin // DAY_S) + 3)
        for place, person in enumerate(victims):
            if all(trip_on(self.world, person, day) is None for day in days):
                return [person, *victims[:place], *victims[place + 1 :]]
        return victims

    def _tenant(self, scenario: Scenario, number: int) -> str:
        """In turn; the last one is kept for the attack that cuts off a log, which would swallow the others."""
        tenants = self.world.tenants
        if scenario.name == "source_silence" or len(tenants) == 1:
            return tenants[-1]
        return tenants[number % (len(tenants) - 1)]


def play(act: Act) -> Truth | None:
    """Make one attack, and say what it was; ``None`` when no event of it lay within the time simulated."""
    kind = ATTACKS[act.scenario.name]
    act.log.mark()
    kind.play(act)
    if act.log.first_ts > act.log.last_ts:
        return None
    return Truth(
        scenario=act.scenario.name,
        detectors=kind.expected(),
        entities=tuple(act.entities),
        involved=tuple(sorted({*act.entities, *act.involved})),
        start=act.log.first_ts,
        end=act.log.last_ts,
        intensity=act.scenario.intensity if act.scenario.strength is None else f"{act.strength:g}",
        tenant=act.tenant,
        strength=act.strength,
        spread=sum(each.startswith("ip:") for each in {*act.entities, *act.involved}) or None,
        events=act.log.count,
    )


def generate(settings: WorldSettings) -> tuple[Iterator[bytes], tuple[Truth, ...]]:
    """Native events in order of time, without line ends, and the truth about them."""
    simulation = Simulation(settings)
    return simulation.events(), simulation.truth


def rotated(world: World, tenant: str, number: int) -> list[Person]:
    """The people of a tenant, each attack beginning with another one; those with a duty last: they do unusual things by trade."""
    people = world.people[tenant]
    staff = [person for person in people if person.role not in ROLES]
    staff = Chance(world.settings.seed, "victims", tenant).some(staff, len(staff))
    first = number % max(1, len(staff))
    return staff[first:] + staff[:first] + people[: len(ROLES)]
