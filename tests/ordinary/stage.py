"""Where the stories of the day play."""

from tests.ordinary.chance import Chance
from tests.ordinary.world import HOUR_S, MONDAY, Log, Net, Person, World


class Stage:
    """Where the stories play."""

    def __init__(self, log: Log, chance: Chance, world: World) -> None:
        self.log, self.chance, self.world = log, chance, world

    def who(self, tenant: str, role: str) -> Person:
        """The first person of a tenant with this role."""
        return next(person for person in self.world.people[tenant] if person.role == role)

    def staff(self, tenant: str, number: int, *, office: bool = False) -> list[Person]:
        """Some people without any part in another story."""
        return self.chance.some([p for p in self.world.people[tenant] if p.role == "staff" and (p.office or not office)], number)

    def at(self, person: Person, hour: float) -> float:
        """A local time of the day itself."""
        return MONDAY + (hour - person.city.ahead_h) * HOUR_S

    def place(self, person: Person) -> Net:
        """At work where there is an office, else at home."""
        return person.office or person.home
