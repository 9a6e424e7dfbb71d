"""The allow-list that verdicts fill: whom it is for, how long, and how much it holds."""

from typing import Any

import pytest

from detectors.base import by_actor, by_ip
from monitor.pipeline.allow import NONE
from monitor.pipeline.expected import Entry, Expected
from monitor.pipeline.runner import Runner
from schemas.event import Event
from schemas.finding import EntityType
from tests.checkpoints import Tables, read, write
from tests.helpers import T0, event
from tests.judged import Counter, CounterSettings
from tests.probes import Probe, said

COUNTERS = [Counter("by_actor", CounterSettings()), Counter("by_ip", CounterSettings())]
ALICE = frozenset({"failed_login_burst/by_actor"})


def entry(
    entity: str = "alice", until_s: float = 100, entity_type: EntityType = "actor", tenant: str | None = "acme", **fields: Any
) -> Entry:
    values: dict[str, Any] = {"detector": "failed_login_burst", "tenant": tenant, "entity_type": entity_type, "entity": entity}
    return Entry(**{**values, "until_ts": T0 + until_s, **fields})


def expecting(*entries: Entry, limit: int = 10_000) -> Expected:
    expected = Expected(COUNTERS, limit)
    for each in entries:
        expected.add(each, T0)
    return expected


def login(seconds: float = 0, actor: str | None = "alice", tenant: str | None = "acme", ip: str | None = "192.0.2.1") -> Event:
    return event(seconds, actor=actor, tenant=tenant, ip=ip)


@pytest.mark.parametrize(
    ("given", "seen", "names"),
    [
        (entry(), login(), ALICE),
        (entry(), login(100), ALICE),
        (entry(), login(100.001), NONE),
        (entry(), login(actor="bob"), NONE),
        (entry(), login(actor=None), NONE),
        (entry(), login(tenant="other"), NONE),
        (entry(), login(tenant=None), NONE),
        (entry(tenant=None), login(tenant=None), ALICE),
        (entry("192.0.2.1", entity_type="ip"), login(), frozenset({"failed_login_burst/by_ip"})),
        (entry("alice", entity_type="session"), login(), NONE),
        (entry(detector="not_enabled"), login(), NONE),
    ],
)
def test_an_entry_is_for_one_entity_and_one_detector_until_its_end(given: Entry, seen: Event, names: frozenset[str]) -> None:
    assert expecting(given)(seen) == names


def test_a_finding_is_covered_as_long_as_its_entity_is() -> None:
    expected = expecting(entry())
    found: dict[str, Any] = {"detector": "failed_login_burst", "tenant": "acme"}
    assert expected.covers(said("e", T0 + 100, **found))
    assert not expected.covers(said("e", T0 + 101, **found))
    assert not expected.covers(said("e", T0, entity="bob", **found))
    assert not expected.covers(said("e", T0, entity_type="ip", **found))
    assert not expected.covers(said("e", T0, tenant="acme"))


def test_another_end_replaces_the_first_and_what_is_removed_is_seen() -> None:
    expected = expecting(entry(), entry(until_s=10), entry("bob"))
    assert len(expected) == 2
    assert expected(login(50)) == NONE
    expected.remove("failed_login_burst", "acme", "actor", "alice")
    expected.remove("failed_login_burst", "acme", "actor", "nobody")
    assert expected(login()) == NONE
    assert expected(login(actor="bob")) == ALICE
    expected.remove("failed_login_burst", "acme", "actor", "bob")
    assert not expected
    assert expected._tables == {}


def test_beyond_its_limit_what_ends_first_goes() -> None:
    expected = expecting(entry("a", 30), entry("b", 10), entry("c", 20), entry("d", 40), limit=3)
    assert [name for name in "abcd" if expected(login(5, name))] == ["a", "c", "d"]


def test_what_has_ended_makes_room() -> None:
    expected = expecting(entry("a", 30), entry("b", 10))
    expected.add(entry("c", 90), T0 + 20)
    assert len(expected) == 2
    assert [name for name in "abc" if expected(login(5, name))] == ["a", "c"]


def test_a_detector_whose_key_fails_costs_the_others_nothing() -> None:
    def broken(_: Event) -> str:
        raise ValueError("bug")

    expected = Expected([Probe(key=broken), *COUNTERS])
    expected.add(entry(detector="probe"), T0)
    expected.add(entry(), T0)
    assert expected(login()) == ALICE


def test_the_runner_keeps_events_from_one_instance_of_a_detector() -> None:
    instances = [Probe(), Probe(variant="by_address", key=by_ip)]
    runner = Runner(instances, exempt=lambda _: frozenset({"probe/by_actor"}))
    found = runner.run("log", [login(0), login(10)]) + runner.finish()
    assert [finding.variant for finding in found] == ["by_address", "by_address"]
    assert by_actor(login()) == "acme\x1falice"


def test_it_is_the_same_after_a_restart_whatever_changed_since_the_last_checkpoint() -> None:
    expected, tables = expecting(entry("a", 50), entry("b", 60), entry("x\x1fy", 70)), Tables()
    write(expected.changed(everything=True), tables)
    expected.remove("failed_login_burst", "acme", "actor", "b")
    expected.add(entry("c", 80), T0)
    expected.add(entry("a", 55), T0)
    write(expected.changed(everything=False), tables)
    assert expected.changed(everything=False)[0].size == 0
    fresh = Expected(COUNTERS)
    fresh.restore(read(tables))
    assert fresh._entries == expected._entries
    assert fresh._tables == expected._tables
    fresh.remove("failed_login_burst", "acme", "actor", "c")
    write(fresh.changed(everything=False), tables)
    assert len(tables["expected"]) == 2
