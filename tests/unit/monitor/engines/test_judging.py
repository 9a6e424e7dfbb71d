"""Verdicts within the pipeline: what they change, when, and that a replay of them changes the same."""

import random
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import msgspec
import pytest

from detectors.base import Verdict
from monitor.engines.core import Core
from monitor.engines.judging import kept
from monitor.rows import Capture
from monitor.verdicts import BadVerdictError, Given, UnknownAlertError, line_of, lines_of, read_line
from schemas.alert import Alert
from schemas.errors import ConfigurationError
from schemas.event import Event
from schemas.formats import FORMATS
from schemas.formats.base import Context
from tests.checkpoints import Tables, read, write
from tests.helpers import T0
from tests.judged import failure, pipeline

DAY_S = 86_400.0


def feed(core: Core, *seconds: float, actor: str = "alice") -> list[Alert]:
    return core.take("log", [failure(each, actor) for each in seconds])


def raised(core: Core, actor: str = "alice", at: float = 0.0) -> str:
    """The id of an alert about somebody; the clock is then 10 s further."""
    alerts = feed(core, at, at + 1, at + 2, at + 10, actor=actor)
    return alerts[-1].id


def judge(core: Core, alert: str, verdict: Verdict, **more: Any) -> list[Alert]:
    return core.judge(Given(alert=alert, verdict=verdict, **more)).alerts


def versions(alerts: Sequence[Alert]) -> list[tuple[int, str, Any]]:
    return [(alert.version, alert.status, alert.facts.get("verdict")) for alert in alerts]


# -- what each verdict does -----------------------------------------------------------------------------------------------------------


def test_a_mistake_resolves_its_alert_and_the_detector_is_told() -> None:
    core = pipeline()
    alert = raised(core)
    judged = core.judge(Given(alert=alert, verdict="false", reason="a typo"))
    assert versions(judged.alerts) == [(2, "resolved", "false")]
    assert (judged.changed, judged.told, judged.detector) == (True, True, "failed_login_burst")
    assert core.correlator.open == 0
    # The clock is a second behind the last event; the detector doubled its limit, and counts six failures once this attack is over.
    assert judged.given.ts == T0 + 9
    later = feed(core, *range(200, 205), 250) + feed(core, 500)
    assert [(alert.status, alert.facts["limit"], alert.facts["judged_s"]) for alert in later] == [("firing", 6, 9.0), ("resolved", 6, 9.0)]


def test_an_attack_goes_on_firing_and_says_so_in_its_next_version() -> None:
    core = pipeline()
    alert = raised(core)
    assert judge(core, alert, "true") == []
    assert versions(feed(core, 11, 12, 13, 14)) == [(2, "firing", "true")]
    assert versions(feed(core, 200)) == [(3, "resolved", "true")]


def test_what_is_expected_resolves_and_is_not_said_again_until_its_end() -> None:
    core = pipeline()
    alert = raised(core)
    until_ts = T0 + 2 * DAY_S
    assert versions(judge(core, alert, "expected", until_ts=until_ts)) == [(2, "resolved", "expected")]
    assert feed(core, *range(11, 40)) == []
    assert feed(core, *(DAY_S + each for each in range(30))) == []
    after = feed(core, *(2 * DAY_S + 1 + each for each in range(8)))
    # After two days it is another attack; its detector has gone on to learn meanwhile, and still takes twice as many.
    assert [(each.id == alert, each.version, each.status, each.count) for each in after] == [(False, 1, "firing", 6)]


def test_of_what_is_expected_others_are_still_told() -> None:
    core = pipeline("by_actor", "by_ip")
    alerts = core.take("log", [failure(each, "alice", "192.0.2.1") for each in (0, 1, 2, 10)])
    (about_alice,) = [alert for alert in alerts if alert.entity.type == "actor"]
    judge(core, about_alice.id, "expected")
    found = core.take("log", [failure(100 + each, "alice", f"192.0.2.{2 + each // 4}") for each in range(12)])
    found += core.take("log", [failure(150 + each, "bob", "192.0.2.9") for each in range(9)])
    assert {alert.entity.value for alert in found if alert.status == "firing"} == {
        "192.0.2.2",
        "192.0.2.3",
        "192.0.2.4",
        "192.0.2.9",
        "bob",
    }


def test_the_configured_allow_list_holds_beside_what_is_expected() -> None:
    core = pipeline(exempt=lambda event: frozenset({"*"} if event.actor == "bob" else ()))
    judge(core, raised(core), "expected")
    assert feed(core, *range(100, 110), actor="bob") == []
    assert feed(core, *range(110, 120), actor="alice") == []
    assert [alert.entity.value for alert in feed(core, *range(120, 126), actor="carol")] == ["carol"]


def test_an_attack_that_turns_grave_after_all_fires_again() -> None:
    core = pipeline()
    alert = raised(core)
    judge(core, alert, "false")
    assert feed(core, *range(11, 26)) == []  # 4 + 15 failures, still low
    again = feed(core, *range(26, 30))
    assert [(alert.id, alert.version, alert.status, alert.severity, alert.facts.get("verdict")) for alert in again] == [
        (alert, 3, "firing", "high", None)
    ]
    assert again[0].count == 20


def test_what_is_expected_stays_silent_however_grave() -> None:
    core = pipeline()
    judge(core, raised(core), "expected")
    assert feed(core, *range(11, 70)) == []


# -- changed verdicts -----------------------------------------------------------------------------------------------------------------


def test_the_last_verdict_counts() -> None:
    core = pipeline()
    alert = raised(core)
    judge(core, alert, "expected")
    assert versions(judge(core, alert, "true")) == [(3, "firing", "true")]
    assert core.correlator.open == 1
    assert not core.judging.expected
    assert versions(judge(core, alert, "false")) == [(4, "resolved", "false")]
    assert [each.verdict for each in core.judging.kept.values()] == ["expected", "true", "false"]


def test_an_alert_that_is_over_is_judged_without_another_version() -> None:
    core = pipeline()
    alert = raised(core)
    assert [each.status for each in feed(core, 200)] == ["resolved"]
    judged = core.judge(Given(alert=alert, verdict="true"))
    assert (judged.alerts, judged.changed, judged.told) == ([], True, True)
    assert judge(core, alert, "false") == []
    assert judge(core, alert, "expected") == []
    assert feed(core, *range(300, 330)) == []


def test_one_whose_attack_has_ended_meanwhile_does_not_fire_again() -> None:
    core = pipeline()
    alert = raised(core)
    judge(core, alert, "false")
    assert feed(core, 200) == []  # the end of what was resolved already
    assert judge(core, alert, "true") == []
    assert core.correlator.open == 0


def test_saying_the_same_again_changes_nothing() -> None:
    core = pipeline()
    alert = raised(core)
    given = Given(alert=alert, verdict="expected", reason="backup", until_ts=T0 + DAY_S)
    assert core.judge(given).changed
    again = core.judge(given)
    assert (again.changed, again.told, again.alerts) == (False, False, [])
    assert core.judge(msgspec.structs.replace(given, until_ts=T0 + 2 * DAY_S)).changed
    assert len(core.judging.kept) == 2
    assert len(core.judging.expected) == 1


def test_a_new_attack_on_the_same_is_not_under_the_old_verdict() -> None:
    core = pipeline()
    alert = raised(core)
    judge(core, alert, "false")
    feed(core, 200)
    again = feed(core, *range(300, 306), 330)
    assert [(each.id, each.status, each.facts.get("verdict")) for each in again] == [(alert, "firing", None)]
    assert core.judge(Given(alert=alert, verdict="false")).told


def test_what_nobody_remembers_is_unknown() -> None:
    core = pipeline()
    with pytest.raises(UnknownAlertError):
        core.judge(Given(alert="0" * 24, verdict="true"))


@pytest.mark.parametrize(
    ("until_s", "words"),
    [(9.0, "until: is not after 2026-02-02T02:40:09"), (367 * DAY_S + 9, "until: is more than 366 days after 2026-02-02T02:40:09")],
)
def test_an_end_that_cannot_be_changes_nothing(until_s: float, words: str) -> None:
    core = pipeline()
    alert = raised(core)
    with pytest.raises(BadVerdictError) as caught:
        judge(core, alert, "expected", until_ts=T0 + until_s)
    assert str(caught.value).startswith(words)
    assert core.correlator.open == 1
    assert not core.judging.expected


def test_without_an_end_it_is_expected_for_thirty_days() -> None:
    core = pipeline()
    judged = core.judge(Given(alert=raised(core), verdict="expected"))
    assert judged.given.until_ts == T0 + 9 + 30 * DAY_S


def test_a_detector_that_fails_over_a_verdict_is_disabled_and_the_rest_goes_on() -> None:
    core = pipeline()
    alert = raised(core)
    setattr(core.runner.states[0].detector, "judge", None)  # noqa: B010 - to a type checker no method can be taken away
    judged = core.judge(Given(alert=alert, verdict="false"))
    assert (judged.told, versions(judged.alerts)) == (False, [(2, "resolved", "false")])
    assert core.runner.failed == {"failed_login_burst/by_actor": "TypeError"}


# -- planned --------------------------------------------------------------------------------------------------------------------------


def test_without_a_time_a_verdict_comes_with_its_alert_whatever_the_batches() -> None:
    records = [failure(each) for each in (0, 1, 2, *range(3, 30))]
    (alert,) = {each.id for each in pipeline().take("log", records)}
    outcomes = []
    for size in (1, 4, 100):
        core = pipeline()
        core.judging.plan([Given(alert=alert, verdict="false")])
        found = [each for at in range(0, len(records), size) for each in core.take("log", records[at : at + size])]
        outcomes.append(versions(found + core.finish()))
    # Its third failure is the alert, the 6th and the 12th are of no news, the 20th makes it grave, and at the end there are thirty.
    assert outcomes == [[(1, "firing", None), (2, "resolved", "false"), (3, "firing", None), (4, "firing", None)]] * 3


def test_a_time_before_the_alert_waits_for_it() -> None:
    core = pipeline()
    alert = raised(pipeline())
    core.judging.plan([Given(alert=alert, verdict="false", ts=T0)])
    assert versions(feed(core, 0, 1, 2, 10)) == [(1, "firing", None), (2, "resolved", "false")]
    assert core.judging.unapplied == []


def test_a_time_after_the_end_comes_at_the_end() -> None:
    core = pipeline()
    alert = raised(pipeline())
    core.judging.plan([Given(alert=alert, verdict="false", ts=T0 + DAY_S)])
    assert versions(feed(core, 0, 1, 2, 10)) == [(1, "firing", None)]
    assert versions(core.finish()) == [(2, "resolved", "false")]


def test_what_is_said_of_no_alert_is_left_over() -> None:
    core = pipeline()
    planned = [Given(alert="nobody", verdict="true"), Given(alert="nothing", verdict="true", ts=T0 + 1)]
    core.judging.plan(planned)
    feed(core, 0, 1, 2, 10)
    core.finish()
    assert {given.alert for given in core.judging.unapplied} == {"nobody", "nothing"}


def test_an_end_that_cannot_be_is_a_wrong_line() -> None:
    core = pipeline()
    core.judging.plan([Given(alert=raised(pipeline()), verdict="expected", until_ts=T0 - 1)])
    with pytest.raises(ConfigurationError, match=r"^--verdicts: the line about alert \w+: until: is not after"):
        feed(core, 0, 1, 2, 10)


def some_records(rng: random.Random) -> dict[str, list[Event]]:
    """Two inputs in order of time but for less than a second, of three people at two addresses."""
    shares: dict[str, list[Event]] = {"log": [], "other": []}
    for share in shares.values():
        at = 0.0
        for number in range(120):
            at += rng.choice([0.0, 0.3, 0.9, 5.0, 70.0])
            ts = round(at - rng.choice([0.0, 0.2, 0.4]), 6)
            ip = f"192.0.2.{rng.randrange(2)}"
            share.append(failure(ts, f"p{rng.randrange(3)}", ip, id=f"{len(share)}-{number}-{rng.random()}"))
    return shares


def fed(core: Core, shares: dict[str, list[Event]], rng: random.Random, most: int, verdicts: Sequence[Verdict] = ()) -> list[Alert]:
    """All records, in batches of the two inputs that have about the same time; between two of them, verdicts."""
    found: list[Alert] = []
    at = dict.fromkeys(shares, 0)
    while any(at[name] < len(share) for name, share in shares.items()):
        name = min(shares, key=lambda each: at[each] / len(shares[each]))
        size = rng.randint(1, most)
        found += core.take(name, shares[name][at[name] : at[name] + size])
        at[name] += size
        known = sorted({alert.id for alert in found})
        if verdicts and known and rng.random() < 0.3:
            with suppress(UnknownAlertError):
                found += judge(core, rng.choice(known), rng.choice(verdicts), reason="why")
    for name in shares:
        found += core.close(name)
    return found + core.finish()


@pytest.mark.parametrize("seed", range(12))
def test_verdicts_given_live_and_replayed_give_the_same_alerts(seed: int) -> None:
    rng = random.Random(seed)
    shares = some_records(rng)
    live = pipeline("by_actor", "by_ip", sources=("log", "other"))
    expected = fed(live, shares, rng, 9, ("true", "false", "expected"))
    lines = lines_of(live.judging.kept.values()).splitlines()
    assert len(lines) >= 5
    for most in (1, 50):
        replay = pipeline("by_actor", "by_ip", sources=("log", "other"))
        replay.judging.plan([read_line(line) for line in lines])
        assert fed(replay, shares, rng, most) == expected
        assert list(replay.judging.kept.values()) == [read_line(line) for line in lines]
        assert replay.judging.unapplied == []


# -- restart --------------------------------------------------------------------------------------------------------------------------


def restarted(core: Core, tables: Tables, *, everything: bool) -> Core:
    """Another pipeline that goes on from a checkpoint."""
    write(Capture(core.capture(everything=everything).rows, core.runner.groups).finish(), tables)
    fresh = pipeline("by_actor", "by_ip", sources=())
    parsers = {name: FORMATS["native"].parser(Context(memory=fresh.memory)) for name in core.inputs}
    fresh.restore(read(tables), parsers)
    return fresh


@pytest.mark.parametrize("seed", range(4))
def test_a_restart_after_every_batch_changes_nothing(seed: int) -> None:
    rng = random.Random(seed)
    records = [record for share in some_records(rng).values() for record in share]
    records.sort(key=lambda record: record.ts)
    steady = pipeline("by_actor", "by_ip")
    core, tables = pipeline("by_actor", "by_ip"), Tables()
    for number, at in enumerate(range(0, len(records), 7)):
        expected = steady.take("log", records[at : at + 7])
        assert core.take("log", records[at : at + 7]) == expected
        ids = sorted({alert.id for alert in expected})
        if ids and rng.random() < 0.5:
            given = Given(alert=rng.choice(ids), verdict=rng.choice(["true", "false", "expected"]))
            assert core.judge(given).alerts == steady.judge(given).alerts
        core = restarted(core, tables, everything=number == 0)
    assert core.judging.kept == steady.judging.kept
    assert list(kept(read(tables)).values()) == list(steady.judging.kept.values())
    assert core.finish() == steady.finish()


def test_a_checkpoint_of_a_version_without_verdicts_is_read() -> None:
    core, tables = pipeline(), Tables()
    alert = raised(core)
    other = raised(core, "bob", 100)
    feed(core, 300)
    write(Capture(core.capture(everything=True).rows, core.runner.groups).finish(), tables)
    del tables["verdicts"], tables["expected"]
    for row in tables["alerts"].values():
        for part, names in (("past", ("subject", "verdict", "goes_on")), ("member", ("verdict",))):
            for name in names:
                (row[part] or {}).pop(name, None)
    fresh = pipeline("by_actor", sources=())
    fresh.restore(read(tables), {"log": FORMATS["native"].parser(Context(memory=fresh.memory))})
    for unknown in (alert, other):  # resolved by a version that did not keep what they were about
        with pytest.raises(UnknownAlertError):
            judge(fresh, unknown, "true")


def test_the_latest_verdicts_are_kept() -> None:
    core, tables = pipeline(), Tables()
    core.judging._max_kept = 3
    alert = raised(core)
    for number in range(5):
        core.judge(Given(alert=alert, verdict="expected", reason=str(number)))
        write(core.judging.changed(everything=False), tables)
    assert [each.reason for each in core.judging.kept.values()] == ["2", "3", "4"]
    assert [line_of(each)["reason"] for each in kept(read(tables)).values()] == ["2", "3", "4"]
