"""Helpers of these tests."""

from collections.abc import Iterable
from typing import Any

import orjson

from monitor.simulate.world import HOUR_S, Scenario, WorldSettings

START = WorldSettings().start


def rows(records: Iterable[bytes]) -> list[dict[str, Any]]:
    """Events as dictionaries."""
    return [orjson.loads(record) for record in records]


def one(name: str, **knobs: Any) -> WorldSettings:
    """A small world with one attack, which begins in the 35th hour."""
    scenario = Scenario(name=name, at=START + 34 * HOUR_S, **knobs)
    return WorldSettings(seed=5, hours=60, users=30, tenants=2, scenarios=(scenario,))
