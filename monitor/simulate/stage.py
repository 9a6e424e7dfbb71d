"""Where an attack plays: its victims, its addresses, its pace."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from monitor.simulate.chance import Chance
from monitor.simulate.world import HOUR_S, LAIRS, Client, Net, Person, Scenario, World
from monitor.simulate.writers import Log

T = TypeVar("T")
INTENSITIES = ("low", "medium", "high")
SCRIPT = "python-requests/2.32"


class Act:
    """One attack as it is made. ``victims``: who it may hit, in the order to take them. ``number`` tells attacks of a world apart.

    ``past``: whether a victim's habits may be made up before the attack begins; not so where time is that of the clock.
    """

    def __init__(
        self, log: Log, world: World, scenario: Scenario, begin: float, victims: Sequence[Person], number: int, *, past: bool
    ) -> None:
        self.log, self.world, self.scenario, self.begin, self.past = log, world, scenario, begin, past
        self.chance = Chance(world.settings.seed, "attack", scenario.name, number)
        self.tenant = victims[0].tenant
        self.place = number
        self.strength: float = scenario.strength if scenario.strength is not None else INTENSITIES.index(scenario.intensity) + 1.0
        self._victims = victims
        self.entities: list[str] = []
        """As ``type:value``."""
        self.involved: set[str] = set()

    def by_intensity(self, low: T, medium: T, high: T) -> T:
        """One of three, the nearest one."""
        return (low, medium, high)[min(2, max(0, round(self.strength) - 1))]

    def amount(self, low: float, medium: float, high: float) -> float:
        """A quantity by the strength: between two of these, or beyond them by the same rule.

        Below low a number of steps shrinks in proportion, and what makes an attack weaker by being more, such as a pause, grows.
        """
        strength = self.strength
        if strength <= 1:
            return low * strength if low <= high else low / strength
        if strength <= 2:
            return low + (medium - low) * (strength - 1)
        if strength <= 3:
            return medium + (high - medium) * (strength - 2)
        return high * strength / 3 if low <= high else high * 3 / strength

    def number(self, low: int, medium: int, high: int, least: int = 1) -> int:
        """The same, as a whole number of at least so much."""
        return max(least, round(self.amount(low, medium, high)))

    def lasting(self, usual_s: float) -> float:
        """How long it takes, in seconds."""
        return (self.scenario.duration_s or usual_s) * self.scenario.stretch

    def times(self, number: int, usual_s: float) -> Iterator[float]:
        """So many moments within the duration, unevenly as the jitter says."""
        step_s = self.lasting(usual_s) / max(1, number - 1)
        for place in range(number):
            yield self.begin + (place + self.chance.between(-0.5, 0.5) * self.scenario.jitter * (place > 0)) * step_s

    def lair(self, place: int = 0) -> Net:
        """The attacker's addresses, in turn; each attacker's with a provider of their own."""
        at = self.place * 16 + place % self.scenario.spread
        return LAIRS[at // 16 % len(LAIRS)].net(f"198.18.{208 + at // 250 % 16}.{at % 250 + 2}", 64_900 + self.place % 90)

    def victims(self, number: int) -> Sequence[Person]:
        """So many, or all there are."""
        return self._victims[:number]

    def victim(self) -> Person:
        """The one it is about."""
        person = self._victims[0]
        self.entities.append(f"actor:{person.name}")
        return person

    def name_lairs(self) -> None:
        """It is about the attacker's addresses."""
        self.entities += dict.fromkeys(f"ip:{self.lair(place).ip}" for place in range(self.scenario.spread))

    def owner(self, person: Person) -> Client:
        """Themselves, at home."""
        day = int(self.begin // 86_400)
        session = f"s-{person.name}-own-{self.place}"
        self.involved |= {f"actor:{person.name}", f"session:{session}"}
        return Client(self.log, person, person.home, session, device=person.device("laptop", day), agent=person.agent)

    def thief(self, person: Person, net: Net | None = None) -> Client:
        """Somebody else with their account."""
        session = f"s-{person.name}-x{self.place}"
        place = net or self.lair()
        self.involved |= {f"actor:{person.name}", f"session:{session}", f"ip:{place.ip}"}
        return Client(self.log, person, place, session, device=f"stranger-{self.place}", agent=SCRIPT)

    def habits(self, person: Person, logins: int = 10, rest_h: float = 0.0) -> Client:
        """Give the account a past: as many logins from home, two on the day before, the last ``rest_h`` hours ago. No part of the attack."""
        client = self.owner(person)
        if self.past:
            for back in (30.0, 27.0, *(1.0 + 0.5 * number for number in range(logins - 2, 0, -1))):
                client.log_in(self.begin - (back + rest_h) * HOUR_S)
            self.log.mark()
        return client
