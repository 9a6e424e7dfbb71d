"""Who gets an alert: the routes of the configuration, first match first."""

import fnmatch
from collections.abc import Collection, Sequence

from detectors.settings import matches_entity
from monitor.settings_delivery import Match, Route
from schemas.alert import Alert
from schemas.errors import ConfigurationError
from schemas.severity import RANK


def check(routes: Sequence[Route], sink_names: Collection[str]) -> None:
    """Raise ``ConfigurationError`` for a route to a sink that is not there, and for one that no alert can come to."""
    problems: list[str] = []
    closed: int | None = None
    for number, route in enumerate(routes):
        for sink in dict.fromkeys(route.sinks):
            if sink not in sink_names:
                cure = f"use one of {', '.join(sorted(sink_names))}" if sink_names else "add it to `sinks`"
                problems.append(f"routes.{number}.sinks: no sink is named {sink[:32]!r}; {cure}")
        if closed is not None:
            problems.append(
                f"routes.{number}: is never reached, because routes.{closed} takes every alert; "
                f"put it before that one, or give that one `continue: true`"
            )
        elif route.match == Match() and not route.goes_on:
            closed = number
    if problems:
        raise ConfigurationError("\n".join(problems))


def matches(match: Match, alert: Alert) -> bool:
    """Whether an alert fits everything that is given."""
    entity = alert.entity
    return (
        (match.severity is None or RANK[alert.severity] >= RANK[match.severity])
        and (not match.detectors or alert.detector in match.detectors)
        and (not match.tenants or any(fnmatch.fnmatchcase(alert.tenant or "", pattern) for pattern in match.tenants))
        and (not match.entity_types or entity.type in match.entity_types)
        and (not match.entities or any(matches_entity(pattern, entity.value) for pattern in match.entities))
    )


class Router:
    """Knows the routes. Without any, every sink gets everything; with some, an alert that fits none goes to no one."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = tuple(routes)
        self._all = None if self._routes else Route(sinks=())

    def to(self, sink: str, alert: Alert) -> Route | None:
        """The first route that gives this alert to this sink; ``None``: it does not get it."""
        if self._all is not None:
            return self._all
        for route in self._routes:
            if matches(route.match, alert):
                if sink in route.sinks:
                    return route
                if not route.goes_on:
                    return None
        return None
