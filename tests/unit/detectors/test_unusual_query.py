"""Queries unlike any before."""

from typing import Any

import pytest

from detectors.unusual_query import MAX_KNOWN, Asked, QuerySettings, UnusualQuery
from schemas.event import Event
from tests.helpers import T0, event, find, opened

NAME = "unusual_query"
DAY_S = 86_400
USUAL = "select id from orders where day = '2026-01-0{}'"


def query(seconds: float, text: str | None, **fields: Any) -> Event:
    base = {"kind": "data.query", "actor": "alice", "tenant": "acme", "ip": "192.0.2.10", "outcome": "success", "records": 30}
    return event(seconds, **{**base, "query": text, **fields})


def learned(*more: Event, number: int = 20, **fields: Any) -> list[Event]:
    """A grace full of the same, then ``more``."""
    return [*(query(i, USUAL.format(i % 10), **fields) for i in range(number)), *more]


@pytest.mark.parametrize(
    ("what", "text", "severity"),
    [
        ("the usual", "SELECT id FROM orders  WHERE day = 'x'", None),
        ("new and ordinary", "select name from suppliers where id = 3", None),
        ("a table", "select * from customers", "low"),
        ("a column of a table", "select email from customers", "low"),
        ("a count", "select count(*) from customers", None),
        ("a few rows", "select * from customers limit 5", None),
        ("rows by number", "select top 5 * from customers", None),
        ("a copy", "copy customers to '/tmp/x.csv'", "low"),
        ("an unload", "unload ('select * from customers where a = 1') to 's3://bucket'", "low"),
        ("a stage", "put file:///tmp/a @stage", "low"),
        ("a password", "select password_hash from logins where id = 3", "low"),
        ("a password as a value", "select a from b where c = 'password'", None),
        ("all tokens", "select * from api_tokens", "medium"),
        ("the catalogue", "select usename from pg_catalog.pg_user where usename = 'x'", "low"),
        ("the whole catalogue", "select table_name from information_schema.tables", "medium"),
        ("always true", "select a from b where c = '' or '1'='1'", "high"),
        ("cut off", "select a from b where c = 'x' -- ", "high"),
        ("with a remark", "select a from b where c = 'x' -- monthly", None),
        ("a union of constants", "select a from b where c = 1 union all select null, null", "high"),
        ("a union of tables", "select a from b where c = 1 union select a from d where c = 1", None),
        ("sleeping", "select a from b where c = 1 and sleep(5)", "high"),
        ("the word sleep", "select a from b where c = 'sleep(5)'", None),
        ("a shell", "exec xp_cmdshell 'dir'", "high"),
        ("a search", "merger with the northern branch", None),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_shapes(what: str, text: str, severity: str | None) -> None:
    found = find(NAME, learned(query(100, text)))
    assert [each.severity for each in found if each.phase == "open"] == ([] if severity is None else [severity])


@pytest.mark.parametrize(("records", "usual", "alerts"), [(999, 5, 0), (1000, 5, 1), (4000, 500, 0), (5000, 500, 1), (10**15, 500, 1)])
def test_an_answer_is_large_by_the_measure_of_the_account(records: int, usual: int, alerts: int) -> None:
    events = learned(query(100, "select name from suppliers where id > 3", records=records), records=usual)
    assert len(opened(find(NAME, events))) == alerts


def test_a_usual_query_may_answer_as_much_as_it_likes() -> None:
    assert find(NAME, learned(query(100, USUAL.format(1), records=10**9))) == []


def test_nothing_but_injection_is_told_while_an_account_is_learned() -> None:
    assert find(NAME, [query(i, f"select * from t{chr(97 + i)}") for i in range(20)]) == []
    assert opened(find(NAME, [query(0, "select 1 where 'a' = '' or 1=1")])) == [("actor", "alice")]


def test_the_grace_ends_with_time_too() -> None:
    first = [query(0, USUAL.format(1)), query(1, USUAL.format(2))]
    assert opened(find(NAME, [*first, query(6 * DAY_S, "select * from t")])) == []
    assert opened(find(NAME, [*first, query(7 * DAY_S, "select * from t")])) == [("actor", "alice")]


def test_a_kind_is_known_for_a_month() -> None:
    report = "select * from regions"
    events = [query(0, report), *learned(query(29 * DAY_S, report))[1:], query(58 * DAY_S, report), query(58 * DAY_S + 9, USUAL.format(1))]
    assert find(NAME, events) == []
    assert opened(find(NAME, [*events, query(89 * DAY_S, report)])) == [("actor", "alice")]


def test_five_different_ones_within_half_an_hour_are_high() -> None:
    five = [query(100 + i * 60, f"select * from t{chr(97 + i)}") for i in range(5)]
    found = find(NAME, learned(*five))
    assert [(each.phase, each.severity, each.count) for each in found] == [
        ("open", "low", 1),
        ("update", "low", 2),
        ("update", "low", 4),
        ("update", "high", 5),
    ]
    slow = [query(100 + i * 600, f"select * from t{chr(97 + i)}") for i in range(5)]
    assert {each.severity for each in find(NAME, learned(*slow))} == {"low"}
    service = [query(100 + i * 60, f"select * from t{chr(97 + i)}", actor_type="service") for i in range(5)]
    assert {each.severity for each in find(NAME, learned(*service))} == {"low"}


def test_the_same_unusual_query_again_belongs_to_the_alert() -> None:
    found = find(NAME, learned(*(query(100 + i, "select * from t", records=7) for i in range(4))))
    assert [(each.phase, each.count) for each in found] == [("open", 1), ("update", 2), ("update", 4)]
    assert found[-1].facts["different_queries"] == 1
    assert found[-1].facts["records"] == 28


def test_no_literal_is_ever_shown() -> None:
    text = "select * from people where mail = 'bob@example.com' or ssn = 123456789 or 1=1 /* bob */"
    for events in (learned(query(100, text)), learned(query(100, "passwords of bob smith"))):
        for finding in find(NAME, events):
            said = f"{finding.facts} {UnusualQuery('by_actor', QuerySettings()).explain(finding)}".lower()
            assert "bob" not in said
            assert "123456789" not in said


@pytest.mark.parametrize("fields", [{"actor": None}, {"query": None}])
def test_events_without_an_actor_or_a_query_say_nothing(fields: dict[str, Any]) -> None:
    assert find(NAME, learned(query(100, "select * from t"), number=0) and [query(i, "select 1 or 1=1", **fields) for i in range(9)]) == []


def test_memory_is_bounded() -> None:
    detector, state = UnusualQuery("by_actor", QuerySettings()), Asked()
    for i in range(3 * MAX_KNOWN):
        name = "".join(chr(97 + int(digit)) for digit in str(i))
        detector.on_event(
            "acme\x1falice", state, Event("data.query", T0 + i, str(i), actor="alice", query=f"select a from {name} where b = 1")
        )
    assert len(state.known) == MAX_KNOWN


def test_words() -> None:
    detector = UnusualQuery("by_actor", QuerySettings())
    finding = find(NAME, learned(query(100, "select * from api_tokens")))[0]
    assert detector.explain(finding) == (
        "This account sent 1 kind of query it never sent before; signs: whole table, sensitive names. The gravest: select * from api_tokens"
    )
    assert detector.counterfactual(finding) == (
        "silent if the account had sent such a query before, or without these signs: whole table, sensitive names"
    )
