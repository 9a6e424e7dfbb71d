"""Bursts of refusals, by account and by address."""

from typing import Any

import pytest

from schemas.event import Event
from tests.helpers import event, find, opened

NAME = "authorization_failure_burst"
ROUTES = ("/v1/users", "/v1/roles", "/v1/keys", "/v1/audit", "/v1/exports", "/v1/invoices")
DAY_S = 86_400


def refused(seconds: float, **fields: Any) -> Event:
    base = {"kind": "api.request", "actor": "alice", "ip": "192.0.2.10", "tenant": "acme", "outcome": "failure", "status": 403}
    return event(seconds, **{**base, "route": ROUTES[0], **fields})


def many(number: int, routes: int = 4, every_s: float = 20, start: float = 0, **fields: Any) -> list[Event]:
    return [refused(start + i * every_s, route=ROUTES[i % routes], **fields) for i in range(number)]


def missing(number: int, every_s: float = 10, **fields: Any) -> list[Event]:
    base = {"actor": None, "route": None, "status": 404, "ip": "203.0.113.9", "tenant": None}
    return [refused(i * every_s, **{"path": f"/page{i}", **base, **fields}) for i in range(number)]


def decisions(number: int, outcome: str = "failure", every_s: float = 1, start: float = 0.5, **fields: Any) -> list[Event]:
    base = {"kind": "authz.decision", "status": 0, "route": None, "outcome": outcome}
    return [refused(start + i * every_s, **{**base, "action": f"svc{i % 4}:Get", **fields}) for i in range(number)]


@pytest.mark.parametrize(
    ("what", "events", "alerts"),
    [
        ("14 refusals", many(14), 0),
        ("15 refusals", many(15), 1),
        ("15 refusals at three routes", many(15, routes=3), 1),
        ("15 refusals at two routes", many(15, routes=2), 0),
        ("300 refusals of one call", many(300, routes=1, every_s=1), 0),
        ("15 refusals, too slowly", many(15, every_s=60), 0),
        ("15 decisions", decisions(15), 1),
        ("15 decisions about three files", decisions(15, action="read", target="file:1")[:5] + decisions(10, start=90, action="read"), 0),
        ("no status, but forbidden", many(15, status=0, reason="forbidden"), 1),
        ("no status, another failure", many(15, status=0, reason="timeout"), 0),
        ("server errors", many(50, status=500), 0),
        ("missing objects of an account", many(50, status=404), 0),
        ("an expired token", many(50, routes=6, status=401), 0),
        ("no actor and no address", many(50, actor=None, ip=None), 0),
        ("successes", many(50, status=200, outcome="success"), 0),
        ("challenges", decisions(50, outcome="challenge"), 0),
        ("two tenants", many(10) + many(10, start=300, tenant="globex"), 0),
        ("a tenth of the decisions", decisions(20) + decisions(180, outcome="success", every_s=0.1, start=0.55), 0),
        ("half of the decisions", decisions(20) + decisions(20, outcome="success", start=0.7), 1),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_account_is_found_by_how_much_it_is_refused(what: str, events: list[Event], alerts: int) -> None:
    assert opened(find(NAME, sorted(events, key=lambda each: (each.ts, each.id)))) == [("actor", "alice")] * alerts


@pytest.mark.parametrize(
    ("what", "events", "alerts"),
    [
        ("29 missing pages", missing(29), 0),
        ("30 missing pages", missing(30), 1),
        ("30 requests for one missing page", missing(30, path="/one"), 0),
        ("ten missing pages in nine seconds", missing(10, every_s=1), 1),
        ("nine missing pages in nine seconds", missing(9, every_s=1), 0),
        ("ten missing pages in 27 seconds", missing(10, every_s=3), 0),
        ("ten expired tokens in nine seconds", missing(10, every_s=1, status=401), 0),
        ("ten missing pictures in nine seconds", [*missing(0), *(missing(1, path=f"/a{i}.png")[0] for i in range(10))], 0),
        ("server errors", missing(60, every_s=1, status=502), 0),
        ("with an actor it is the account's", missing(60, every_s=1, actor="bob"), 0),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_address_is_found_by_what_it_asks_for(what: str, events: list[Event], alerts: int) -> None:
    assert opened(find(NAME, events)) == [("ip", "203.0.113.9")] * alerts


def page(loads: int, every_s: float = 60) -> list[Event]:
    """A page of six parts, all of them refused at once, loaded so many times."""
    return [refused(i * every_s + j / 100, route=route) for i in range(loads) for j, route in enumerate(ROUTES)]


@pytest.mark.parametrize(
    ("loads", "settings", "alerts"), [(9, {}, 0), (10, {}, 1), (2, {"by_actor": {"reload_s": 0}}, 0), (3, {"by_actor": {"reload_s": 0}}, 1)]
)
def test_a_page_loaded_again_counts_each_of_its_parts_once(loads: int, settings: dict[str, Any], alerts: int) -> None:
    assert len(opened(find(NAME, page(loads), settings))) == alerts


def test_a_program_that_repeats_its_calls_at_once_is_still_found() -> None:
    assert opened(find(NAME, many(60, every_s=0.5))) == [("actor", "alice")]


def test_the_same_page_with_other_questions_is_another_thing() -> None:
    events = [refused(i * 0.5, actor=None, route=None, path="/foo", query=f"a={i}", status=404) for i in range(10)]
    assert opened(find(NAME, events)) == [("ip", "192.0.2.10")]


@pytest.mark.parametrize(("weight", "alerts"), [(3, 1), (2, 0)])
def test_obvious_probes_weigh_more(weight: int, alerts: int) -> None:
    paths = ("/.env", "/.git/HEAD", "/db.sql", "/%2e%2e%2fetc%2fpasswd")
    events = [refused(i, actor=None, route=None, path=path, status=404) for i, path in enumerate(paths)]
    assert len(opened(find(NAME, events, {"by_ip": {"telltale_weight": weight}}))) == alerts


@pytest.mark.parametrize(
    ("events", "severity"),
    [
        (many(15), "medium"),
        (many(30, routes=5, every_s=15), "high"),
        (many(29, routes=5, every_s=15), "medium"),
        (many(60, routes=4, every_s=5), "medium"),
        (missing(30), "low"),
        (missing(149, every_s=1), "low"),
        (missing(150, every_s=1), "medium"),
    ],
)
def test_severity(events: list[Event], severity: str) -> None:
    assert find(NAME, events)[-1].severity == severity


def test_what_was_refused_the_day_before_is_a_habit() -> None:
    yesterday = many(8, routes=4)
    today = many(40, routes=4, start=DAY_S + 600, every_s=10)
    assert opened(find(NAME, [*yesterday, *today])) == []
    assert opened(find(NAME, today)) == [("actor", "alice")]
    other = [refused(DAY_S + 600 + i * 10, route=f"/v2/{'abc'[i % 3]}") for i in range(20)]
    assert opened(find(NAME, [*yesterday, *other])) == [("actor", "alice")]


def test_a_stuck_client_is_told_as_info_when_that_is_wanted() -> None:
    found = find(NAME, many(60, routes=1, every_s=1), {"by_actor": {"stuck_threshold": 50}})
    assert [(each.phase, each.severity) for each in found] == [("open", "info"), ("update", "info")]
    assert "50 refusals" in _words(found[0])[1]


def _words(finding: Any) -> tuple[str, str]:
    from detectors.authorization_failure_burst import AuthorizationFailureBurst, RefusalSettings

    detector = AuthorizationFailureBurst(finding.variant, RefusalSettings.model_validate({}))
    return detector.explain(finding), detector.counterfactual(finding)


def test_words() -> None:
    assert _words(find(NAME, many(15, every_s=10))[0]) == (
        "In 2.3 min this account was refused 15 times, for 4 different things; first /v1/users, /v1/roles, /v1/keys, /v1/audit.",
        "silent with fewer than 15 refusals in 10 min, or with fewer than 3 different things among them",
    )
    assert _words(find(NAME, missing(10, every_s=1))[0]) == (
        "In 9 s this address was refused 10 times, for 10 different things; first /page0, /page1, /page2, /page3, /page4.",
        "silent with fewer than 10 different refused paths in 10 s (an obvious probe counts for 3)",
    )


def test_it_ends_when_nothing_is_refused_for_an_hour() -> None:
    found = find(NAME, [*many(15), event(9000, kind="auth.login")])
    assert [each.phase for each in found] == ["open", "close"]
    assert found[-1].count == 15


def test_the_address_of_all_of_it_is_linked() -> None:
    assert find(NAME, many(15))[0].links == (("ip", "192.0.2.10"),)
    spread = [refused(i, route=ROUTES[i % 4], ip=f"192.0.2.{i}") for i in range(15)]
    assert find(NAME, spread)[0].links == ()
