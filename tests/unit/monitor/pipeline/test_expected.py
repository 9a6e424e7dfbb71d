"""The allow-list that verdicts fill: whom it is for, how long, and how much it holds."""

from typing import Any

import pytest

from monitor.pipeline.expected import Entry, Expected
from schemas.finding import EntityType
from tests.checkpoints import Tables, read, write
from tests.helpers import T0
from tests.probes import said


def entry(
    entity: str = "alice", until_s: float = 100, entity_type: EntityType = "actor", tenant: str | None = "acme", **fields: Any
) -> Entry:
    values: dict[str, Any] = {"detector": "failed_login_burst", "tenant": tenant, "entity_type": entity_type, "entity": entity}
    return Entry(**{**values, "until_ts": T0 + until_s, **fields})


def expecting(*entries: Entry, limit: int = 10_000) -> Expected:
    expected = Expected(limit)
    for each in entries:
        expected.add(each, T0)
    return expected


def covered(expected: Expected, entity: str = "alice", seconds: float = 0, **fields: Any) -> bool:
    found: dict[str, Any] = {"detector": "failed_login_burst", "tenant": "acme", "entity": entity, **fields}
    return expected.covers(said("e", T0 + seconds, **found))


@pytest.mark.parametrize(
    ("given", "found", "is_covered"),
    [
        (entry(), {}, True),
        (entry(), {"seconds": 100}, True),
        (entry(), {"seconds": 100.001}, False),
        (entry(), {"entity": "bob"}, False),
        (entry(), {"tenant": "other"}, False),
        (entry(), {"tenant": None}, False),
        (entry(tenant=None), {"tenant": None}, True),
        (entry(), {"entity_type": "ip"}, False),
        (entry("192.0.2.1", entity_type="ip"), {"entity_type": "ip", "entity": "192.0.2.1"}, True),
        (entry(), {"detector": "password_spray"}, False),
    ],
)
def test_an_entry_is_for_one_entity_and_one_detector_until_its_end(given: Entry, found: dict[str, Any], *, is_covered: bool) -> None:
    assert covered(expecting(given), **found) == is_covered


def test_another_end_replaces_the_first_and_what_is_removed_is_seen() -> None:
    expected = expecting(entry(), entry(until_s=10), entry("bob"))
    assert len(expected) == 2
    assert not covered(expected, seconds=50)
    expected.remove("failed_login_burst", "acme", "actor", "alice")
    expected.remove("failed_login_burst", "acme", "actor", "nobody")
    assert not covered(expected)
    assert covered(expected, "bob")
    expected.remove("failed_login_burst", "acme", "actor", "bob")
    assert not expected


def test_beyond_its_limit_what_ends_first_goes() -> None:
    expected = expecting(entry("a", 30), entry("b", 10), entry("c", 20), entry("d", 40), limit=3)
    assert [name for name in "abcd" if covered(expected, name, 5)] == ["a", "c", "d"]


def test_what_has_ended_makes_room() -> None:
    expected = expecting(entry("a", 30), entry("b", 10))
    expected.add(entry("c", 90), T0 + 20)
    assert len(expected) == 2
    assert [name for name in "abc" if covered(expected, name, 5)] == ["a", "c"]


def test_it_is_the_same_after_a_restart_whatever_changed_since_the_last_checkpoint() -> None:
    expected, tables = expecting(entry("a", 50), entry("b", 60), entry("x\x1fy", 70)), Tables()
    write(expected.changed(everything=True), tables)
    expected.remove("failed_login_burst", "acme", "actor", "b")
    expected.add(entry("c", 80), T0)
    expected.add(entry("a", 55), T0)
    write(expected.changed(everything=False), tables)
    assert expected.changed(everything=False)[0].size == 0
    fresh = Expected()
    fresh.restore(read(tables))
    assert fresh._entries == expected._entries
    fresh.remove("failed_login_burst", "acme", "actor", "c")
    write(fresh.changed(everything=False), tables)
    assert len(tables["expected"]) == 2
