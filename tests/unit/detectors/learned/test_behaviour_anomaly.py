"""What somebody does who looks around, and all the ordinary things that look a little like it."""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson
import pytest

from detectors.learned.behaviour_anomaly import ENOUGH_PEERS, BehaviourAnomaly
from detectors.registry import DETECTORS, build
from monitor.engines.core import Core
from monitor.pipeline.runner import Runner
from schemas.event import Event
from schemas.finding import Finding
from schemas.formats import FORMATS
from schemas.formats.base import Context, Parser
from tests.checkpoints import read as saved
from tests.checkpoints import write
from tests.helpers import event, find, opened

DAY = 86_400.0
USUAL = ("/v1/orders", "/v1/orders/{id}", "/v1/invoices")
ODD = ("/v1/settings/sso", "/v1/admin/users", "/v1/members", "/v1/plan", "/v1/audit", "/v1/keys", "/v1/hooks")


def read(seconds: float, route: str, actor: str = "alice", **fields: Any) -> Event:
    usual = {
        "tenant": "acme",
        "actor": actor,
        "route": route,
        "method": "GET",
        "outcome": "success",
        "asn": 64496,
        "user_agent": "curl/8.5.0",
    }
    return event(seconds, "api.request", **{"id": f"{actor}-{seconds:g}-{route}", **usual, **fields})


def work(days: Iterable[int], actor: str = "alice", routes: Sequence[str] = USUAL) -> list[Event]:
    """Four hours a day with three different requests each."""
    return [
        read(day * DAY + 7_200 * hour + 300 * step, route, actor) for day in days for hour in range(4) for step, route in enumerate(routes)
    ]


def look(at: float, routes: Sequence[str] = ODD, actor: str = "alice", **fields: Any) -> list[Event]:
    return [read(at + 60 * step, route, actor, **fields) for step, route in enumerate(routes)]


def later(at: float, actor: str = "alice") -> list[Event]:
    """Something ordinary afterwards, so that the hour before it is over."""
    return [read(at, USUAL[0], actor)]


def told(events: Iterable[Event], **settings: Any) -> list[Finding]:
    return find("behaviour_anomaly", sorted(events, key=lambda each: each.ts), {"by_actor": settings} if settings else None)


BEFORE = work(range(5))
MONDAY = 7 * DAY


def test_a_look_around_is_seen_when_its_hour_is_over() -> None:
    (found,) = told([*BEFORE, *look(MONDAY), *later(MONDAY + 7_200)])
    assert (found.entity, found.phase, found.severity) == ("alice", "open", "low")
    assert found.ts == look(MONDAY)[0].ts + 3600
    assert found.evidence == tuple(each.id for each in look(MONDAY))
    assert {name: found.facts[name] for name in ("actions", "new_kinds", "new_actions", "signs")} == {
        "actions": 7,
        "new_kinds": 7,
        "new_actions": 7,
        "signs": 7,
    }


def test_a_long_look_is_seen_before_its_hour_is_over() -> None:
    routes = [f"/v1/part{number}" for number in range(12)]
    found = told([*BEFORE, *look(MONDAY, routes), *later(MONDAY + 7_200)])
    assert found[0].ts == look(MONDAY, routes)[7].ts
    assert found[0].count == 8


def test_an_input_that_ends_does_not_leave_it_unsaid() -> None:
    assert opened(told([*BEFORE, *look(MONDAY, ODD[:6])])) == [("actor", "alice")]


def test_the_next_hour_makes_the_same_alert_grow() -> None:
    more = [f"/v1/more{number}" for number in range(7)]
    found = told([*BEFORE, *look(MONDAY), *look(MONDAY + 4_000, more), *later(MONDAY + 9_000)])
    assert [each.phase for each in found] == ["open", "update"]
    assert [each.count for each in found] == [7, 14]


def test_it_ends_when_nothing_has_come_for_as_long_as_is_said() -> None:
    events = [*BEFORE, *look(MONDAY), *later(MONDAY + 7_200), *later(MONDAY + DAY)]
    assert [each.phase for each in told(events, quiet_s=10_000)] == ["open", "close"]


@pytest.mark.parametrize(
    ("why", "events"),
    [
        ("too few signs", look(MONDAY, ODD[:2])),
        ("too few actions", look(MONDAY, ODD[:3])),
        ("what was done before, however long ago", look(MONDAY, (*USUAL, *USUAL))),
        ("failed logins, which anybody can make", [event(MONDAY + n, actor="alice", tenant="acme", outcome="failure") for n in range(30)]),
        ("somebody else in another tenant", look(MONDAY, tenant="globex")),
        ("somebody nobody knows yet", look(MONDAY, actor="mallory")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_silent(why: str, events: list[Event]) -> None:
    assert told([*BEFORE, *events, *later(MONDAY + 7_200)]) == [], why


def test_what_all_take_up_is_nobody_s_behaviour() -> None:
    names = [f"colleague{number}" for number in range(6)]
    before = [each for name in (*names, "alice") for each in work(range(5), name)]
    release = [each for place, name in enumerate(names) for each in look(MONDAY + 300 * place, actor=name)]
    after = [*look(MONDAY + 9_000), *later(MONDAY + 20_000)]
    assert opened(told([*before, *look(MONDAY + 9_000), *later(MONDAY + 20_000)])) == [("actor", "alice")]
    assert ("actor", "alice") not in opened(told([*before, *release, *after]))


def test_what_colleagues_do_every_day_counts_less() -> None:
    alone = told([*BEFORE, *look(MONDAY), *later(MONDAY + 7_200)])
    others = [each for number in range(3) for each in work(range(5), f"colleague{number}", ODD)]
    among = told([*BEFORE, *others, *look(MONDAY), *later(MONDAY + 7_200)])
    assert alone[0].score is not None
    assert not among or (among[0].score or 0.0) < alone[0].score / 1.5


def test_another_network_and_client_are_signs_too() -> None:
    elsewhere: dict[str, Any] = {"asn": 64511, "user_agent": "Wget/1.21"}
    few = [read(MONDAY + 60 * step, ODD[0] if step < 2 else ODD[1], id=f"x{step}", **elsewhere) for step in range(4)]
    (found,) = told([*BEFORE, *few, *later(MONDAY + 7_200)])
    assert found.facts["new_kinds"] == 4
    assert "AS64511" in str(found.facts["examples"])


def test_exports_of_somebody_who_never_exports_are_named_with_what_is_usual() -> None:
    rows = [
        replace_kind(read(MONDAY + 60 * step, "", action=("csv", "pdf")[step % 2], target=f"table:t{step}"), "data.export")
        for step in range(8)
    ]
    (found,) = told([*BEFORE, *rows, *later(MONDAY + 7_200)])
    assert (found.facts["exports"], found.facts["exports_usual"]) == (8, 0.0)
    said = BehaviourAnomaly("by_actor", BehaviourAnomaly.Settings()).explain(found)
    assert "8 exports, where 0.0 are usual" in said
    assert "data.export csv table" in said
    assert "Learned from 5 days with traffic (warming)." in said


def replace_kind(old: Event, kind: str) -> Event:
    return Event(
        kind=kind, ts=old.ts, id=old.id, tenant=old.tenant, actor=old.actor, outcome="success", action=old.action, target=old.target,
        asn=old.asn, user_agent=old.user_agent,
    )  # fmt: skip


def test_the_counterfactual_names_the_signs_and_the_threshold() -> None:
    (found,) = told([*BEFORE, *look(MONDAY), *later(MONDAY + 7_200)])
    assert BehaviourAnomaly("by_actor", BehaviourAnomaly.Settings()).counterfactual(found) == (
        "silent with fewer than 3 signs (new kinds of action, amounts far beyond the usual) within the hour, where 7 came together,"
        " or with a score of at most 2.0"
    )


def runner_of(events: Sequence[Event]) -> Runner:
    runner = Runner(list(build("behaviour_anomaly", DETECTORS["behaviour_anomaly"].Settings())))
    runner.run("log", events)
    assert not runner.failed
    return runner


def test_what_is_under_an_alert_is_not_learned_until_somebody_says_that_it_is_in_order() -> None:
    again = [*look(MONDAY + DAY), *later(MONDAY + DAY + 7_200)]
    for verdict, comes_again in (("expected", False), ("false", False), ("true", True)):
        runner = runner_of([*BEFORE, *look(MONDAY), *later(MONDAY + 7_200), *later(MONDAY + 40_000)])
        assert runner.judge("behaviour_anomaly", "by_actor", "acme\x1falice", verdict)  # type: ignore[arg-type]  # one of the three
        found = runner.run("log", again) + runner.finish()
        assert ("actor", "alice") in opened(found) or not comes_again, verdict
        assert ("actor", "alice") not in opened(found) or comes_again, verdict


def crowd(days: Iterable[int], number: int = ENOUGH_PEERS + 4) -> list[Event]:
    events = [each for place in range(number) for each in work(days, f"colleague{place:02}", (*USUAL, f"/v1/own{place % 5}"))]
    return sorted(events, key=lambda each: (each.ts, each.id))


def test_with_enough_colleagues_it_is_said_how_isolated_that_is() -> None:
    events = [*crowd(range(12)), *work(range(12)), *look(14 * DAY), *later(14 * DAY + 7_200)]
    (found,) = told(events)
    assert float(found.facts["isolation"]) > 2.0
    said = BehaviourAnomaly("by_actor", BehaviourAnomaly.Settings()).explain(found)
    assert "Colleagues hardly do such things together" in said


def parser(core: Core) -> Parser:
    return FORMATS["native"].parser(Context(memory=core.memory))


def core_of() -> Core:
    return Core(list(build("behaviour_anomaly", DETECTORS["behaviour_anomaly"].Settings())), tracking=True)


def test_a_restart_changes_no_score_even_of_the_model() -> None:
    events = sorted([*crowd(range(14)), *work(range(14)), *look(12.5 * DAY), *later(13.3 * DAY)], key=lambda each: (each.ts, each.id))
    straight, restarted = core_of(), core_of()
    for core in (straight, restarted):
        core.open("log", parser(core))
    store: dict[str, dict[str, Any]] = {}
    expected, got = [], []
    for at in range(0, len(events), 900):
        expected += straight.take("log", events[at : at + 900])
        write(restarted.capture(everything=not store).finish(), store)
        restarted = core_of()
        restarted.restore(saved(store), {"log": parser(restarted)})
        got += restarted.take("log", events[at : at + 900])
    assert any("isolation" in each.facts for each in got)
    assert got + restarted.close("log") + restarted.finish() == expected + straight.close("log") + straight.finish()


def test_the_state_of_a_tenant_stays_small() -> None:
    runner = runner_of(crowd(range(8), 60))
    peers = runner.states[1]
    (state,) = peers.young.values()
    assert len(orjson.dumps(peers.detector.dump(state))) < 40_000


def test_settings_can_differ_for_a_tester() -> None:
    rows = sorted([*BEFORE, *look(MONDAY), *later(MONDAY + 7_200)], key=lambda each: each.ts)
    assert find("behaviour_anomaly", rows, {"overrides": [{"entity": "al*", "set": {"by_actor": {"signs": 20}}}]}) == []
