"""Walks through the objects of an endpoint."""

from random import Random
from typing import Any

import pytest

from detectors.object_enumeration import EnumerationSettings, ObjectEnumeration
from schemas.event import Event
from tests.helpers import event, find, opened

NAME = "object_enumeration"
DAY_S = 86_400


def asked(seconds: float, identity: object, **fields: Any) -> Event:
    base = {"kind": "api.request", "actor": "mallory", "ip": "198.51.100.20", "tenant": "acme", "outcome": "success", "status": 200}
    return event(seconds, **{**base, "path": f"/v1/files/{identity}", **fields})


def walk(number: int, every_s: float = 1, first: int = 1000, step: int = 1, start: float = 0, **fields: Any) -> list[Event]:
    return [asked(start + i * every_s, first + i * step, **fields) for i in range(number)]


def denied(number: int, share: int = 2, **more: Any) -> list[Event]:
    """Every ``share``-th is refused."""
    fields: dict[str, Any] = {"status": 404, "outcome": "failure"}
    return [each for i in range(number) for each in walk(1, first=1000 + i, start=i * 5.0, **(fields if i % share == 0 else {}), **more)]


def shuffled(events: list[Event], seed: int = 7) -> list[Event]:
    paths = [each.path for each in events]
    Random(seed).shuffle(paths)
    return [asked(i * 1.0, 0, path=path) for i, path in enumerate(paths)]


UUIDS = [f"{i:08x}-1111-4222-8333-{i * 7919:012x}" for i in range(300)]


@pytest.mark.parametrize(
    ("what", "events", "alerts"),
    [
        ("neighbours, in haste", walk(60), 1),
        ("neighbours, 100 in ten minutes", walk(110, every_s=5), 1),
        ("neighbours, shuffled", shuffled(walk(110)), 1),
        ("neighbours, unhurried, given", walk(40, every_s=14), 0),
        ("haste alone: numbers far apart", walk(200, step=17), 0),
        ("haste alone: UUIDs that are given", [asked(i, identity) for i, identity in enumerate(UUIDS)], 0),
        ("20 neighbours, half of them refused", denied(20), 1),
        ("19 neighbours, half of them refused", denied(19), 0),
        ("20 neighbours, a quarter refused", denied(20, share=4), 0),
        ("refusals alone: numbers far apart", walk(40, every_s=5, step=50, status=403, outcome="failure"), 0),
        ("hasty UUIDs that do not exist", [asked(i, identity, status=404, outcome="failure") for i, identity in enumerate(UUIDS)], 1),
        ("the same ten over and over", [asked(i, i % 10) for i in range(500)], 0),
        ("pages", [asked(i, 0, path="/v1/files", query=f"page={i}") for i in range(300)], 0),
        ("ids in the query", [asked(i, 0, path="/view", query=f"id={i}") for i in range(60)], 1),
        ("ids in the target", [asked(i, 0, path=None, target=f"file:{i}") for i in range(60)], 1),
        ("exports", [asked(i, 0, path=None, kind="data.export", status=0, target=f"file:{i}") for i in range(60)], 1),
        ("with its route", walk(60, route="/v1/files/{file}"), 1),
        ("pictures", [asked(i, 0, path=f"/img/{i}.png") for i in range(300)], 0),
        ("tiles", [asked(i, 0, path=f"/map/tiles/3/4/{i}") for i in range(300)], 0),
        ("a service, neighbours in haste", walk(300, actor_type="service"), 0),
        ("a service, and refused", walk(100, actor_type="api_key", status=403, outcome="failure"), 1),
        (
            "two tenants",
            [each for i in range(30) for each in (*walk(1, first=i, start=i), *walk(1, first=50 + i, start=i + 0.5, tenant="b"))],
            0,
        ),
        ("over eight endpoints", [asked(i, i, path=f"/v1/{'abcdefgh'[i % 8]}/{i // 8}") for i in range(150)], 0),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_walk_is_found_by_two_of_four_signs(what: str, events: list[Event], alerts: int) -> None:
    assert opened(find(NAME, events)) == [("actor", "mallory")] * alerts


def test_an_address_without_an_actor_needs_three_signs() -> None:
    assert opened(find(NAME, walk(200, actor=None))) == []
    assert opened(find(NAME, denied(130, actor=None))) == [("ip", "198.51.100.20")]


def test_ids_new_to_an_account_are_a_sign_once_it_has_a_history() -> None:
    history = [asked(i * 60, 5000 + 31 * i) for i in range(40)]
    walked = [asked(DAY_S + i * 10, 100 + i) for i in range(55)]
    found = find(NAME, [*history, *walked])
    assert opened(found) == [("actor", "mallory")]
    assert found[0].facts["signs"] == "neighbours, new ids"
    assert opened(find(NAME, walked)) == []
    known = [asked(3600 + i * 60, 100 + i) for i in range(55)]
    assert opened(find(NAME, [*history, *known, *walked])) == []


def test_a_page_of_a_list_is_silent_but_a_longer_one_is_not() -> None:
    page = [asked(DAY_S + i * 0.01, 100 + i) for i in range(49)]
    history = [asked(i * 60, 5000 + 31 * i) for i in range(40)]
    assert opened(find(NAME, [*history, *page])) == []
    assert opened(find(NAME, [*history, *page], {"min_ids_unhurried": 40})) == [("actor", "mallory")]


def test_it_is_high_for_very_many_objects() -> None:
    found = find(NAME, walk(250, every_s=0.5))
    assert [(each.phase, each.severity, each.count) for each in found] == [
        ("open", "medium", 60),
        ("update", "medium", 120),
        ("update", "high", 200),
        ("update", "high", 250),
    ]


def test_it_is_high_once_what_was_refused_is_given() -> None:
    found = find(NAME, [*denied(20), asked(200, 1000)])
    assert [(each.phase, each.severity) for each in found] == [("open", "medium"), ("update", "high")]
    assert found[-1].facts["given_after_refusal"] == 1
    assert found[-1].evidence[-1] == "e200"


def test_an_override_silences_a_batch_client() -> None:
    settings = {"overrides": [{"entity": "mallory", "set": {"features": 4}}]}
    assert opened(find(NAME, walk(300), settings)) == []


def test_a_late_request_is_counted_where_it_belongs() -> None:
    events = walk(59)
    late = asked(10.5, 1059)
    assert opened(find(NAME, [*events[:40], late, *events[40:], asked(58.5, 2)], lateness_s=1)) == [("actor", "mallory")]


def test_words() -> None:
    finding = find(NAME, denied(20))[0]
    detector = ObjectEnumeration("by_actor", EnumerationSettings())
    assert detector.explain(finding) == (
        "This account asked for 20 different objects of /v1/files/{id} in 95 s. Signs: neighbours, refusals."
    )
    assert detector.counterfactual(finding) == (
        "silent with fewer than 20 objects in 10 min, or with fewer than 2 signs of haste, neighbours, refusals and new ids"
    )
