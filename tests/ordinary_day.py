"""An ordinary Monday of a service with eight customers and six hundred people, after sixteen lighter days; what it holds: docs/ordinary-day.md.

Pure and repeatable: the same seed gives the same events with every version of Python.
"""

from collections.abc import Callable, Iterator

from tests.ordinary import machines, stories, tasks
from tests.ordinary.chance import Chance
from tests.ordinary.people import Shift, ask
from tests.ordinary.stage import Stage
from tests.ordinary.world import DAY_S, HISTORY_DAYS, HOUR_S, MONDAY, Client, Log, Row, World

Extra = Callable[[Log, World], None]
_NOT_THERE = frozenset({"parent", "new"})
_ELSEWHERE = _NOT_THERE | {"traveller"}


def ordinary_events(seed: int, extra: Extra | None = None) -> Iterator[Row]:
    """Native events in order of time, up to the end of the day; ``extra`` may add to them."""
    chance, log = Chance(seed), Log()
    world = World(chance)
    stories.before_leave(log, chance, world)
    for back in range(HISTORY_DAYS, -2, -1):
        if back == 0:
            stories.browser_updates(Stage(log, chance, world))
        _one_date(log, chance, world, MONDAY - back * DAY_S)
    stage = Stage(log, chance, world)
    for story in stories.STORIES:
        story(stage)
    if extra is not None:
        extra(log, world)
    log.rows.sort(key=lambda row: row["time"])  # stable, so that what was said first stays first
    for number, row in enumerate(log.rows):
        if row["time"] < MONDAY + DAY_S:
            yield {"id": f"o{number}", **row}


def _one_date(log: Log, chance: Chance, world: World, date: float) -> None:
    """What happens on one date: to people on theirs, to machines on that of UTC."""
    busy = date >= MONDAY
    for person in world.everyone():
        if person.role not in (_ELSEWHERE if busy else _NOT_THERE):
            Shift(log, chance, person, date, busy=busy).work()
    if not busy and int(date // DAY_S) % 7 not in {2, 3}:
        _habits(log, chance, world, date)
    if date <= MONDAY:
        machines.run(log, chance, date)


def _habits(log: Log, chance: Chance, world: World, date: float) -> None:
    """What administrators, analysts and programs did on each working day before, so that it is known of them."""
    for people in world.people.values():
        for person in people:
            at = date + (9.4 - person.city.ahead_h) * HOUR_S
            if person.role == "analyst":
                client = Client(log, person, person.home)
                client.log_in(at)
                for number in range(5):
                    ask(chance, client, at + 60 + 400 * number)
            elif person.role == "admin":
                client = Client(log, person, person.office or person.home)
                client.log_in(at, push=True)
                for number in range(2):
                    target = f"user:{chance.pick(people[10:]).name}"  # never to oneself
                    client.do(at + 300 * number + 60, "admin.action", outcome="success", action="role.grant", target=target)
            elif person.role == "syncing" and date >= MONDAY - 4 * DAY_S:
                tasks.sync(log, person, chance, (8.6,), date)
