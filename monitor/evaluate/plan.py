"""What is measured: several worlds of weeks, with attacks of every kind and intensity in them."""

from collections.abc import Collection

import msgspec

from monitor.simulate.attacks import ATTACKS
from monitor.simulate.chance import Chance
from monitor.simulate.stage import INTENSITIES
from monitor.simulate.world import DAY_S, Scenario, WorldSettings

TUNING_SEEDS = (1, 2, 3, 4, 5)
"""For whoever changes a detector: what is tried out there says nothing about how well it works elsewhere."""
REPORTING_SEEDS = (1001, 1002, 1003)
"""For the report alone."""
QUIET_DAYS = 5.0
"""Attacks begin after that: what is usual must be known first."""
_LONGEST_S = 1.0 * DAY_S
"""Attacks begin so long before the end, at the latest."""
_DAYS_BEFORE = {"boiling_frog": 10.0}
"""Attacks that take days, and end when they are said to be."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured."""

    seeds: tuple[int, ...] = REPORTING_SEEDS
    days: float = 21.0
    users: int = 500
    tenants: int = 4
    repeats: int = 2
    """Attacks of each kind and intensity in each world, each with an address range and a pace of its own."""
    intensities: tuple[str, ...] = INTENSITIES

    def world(self, seed: int, kinds: Collection[str] = ATTACKS) -> WorldSettings:
        """The traffic of one seed, with its attacks: those of these kinds."""
        return msgspec.structs.replace(self.quiet(seed), scenarios=tuple(self._scenarios(seed, kinds)))

    def quiet(self, seed: int) -> WorldSettings:
        """The same without any attack."""
        return WorldSettings(seed=seed, hours=24 * self.days, users=self.users, tenants=self.tenants)

    def _scenarios(self, seed: int, kinds: Collection[str]) -> list[Scenario]:
        """In a drawn order over all the time there is, evenly enough that few fall together."""
        chance = Chance(seed, "evaluation")
        wanted = [(name, intensity) for _ in range(self.repeats) for name in kinds for intensity in self.intensities]
        order = chance.some(wanted, len(wanted))
        start = WorldSettings().start
        quiet_s = min(QUIET_DAYS, self.days / 2) * DAY_S
        whole_s = self.days * DAY_S - quiet_s - min(_LONGEST_S, self.days * DAY_S / 4)

        def at(name: str, place: int) -> float:
            share = (place + chance.random()) / max(1, len(order))
            # What goes on for days is given by its end. So it comes late enough to begin after the quiet days.
            before_s = min(_DAYS_BEFORE.get(name, 0.0) * DAY_S, whole_s * 2 / 3)
            return start + quiet_s + before_s + share * (whole_s - before_s)

        return [
            Scenario(
                name=name,
                intensity=intensity,
                at=at(name, place),
                spread=chance.pick((1, 1, 2, 3)),
                stretch=chance.pick((0.5, 0.75, 1.0, 1.0, 1.25)),
                jitter=chance.between(0.0, 0.9),
            )
            for place, (name, intensity) in enumerate(order)
        ]
