"""To learn from a log and go on with the next one finds, of what happens in the second alone, what reading both finds."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.base import split_key
from monitor.engines.core import Core
from schemas.alert import Alert
from schemas.event import Event
from schemas.stamps import rfc3339
from tests.checkpoints import read, write
from tests.property.runs import Pipeline, parser, same
from tests.property.strategies import EACH_AND_ALL, LATENESS_S, instances, logs, record, search, title_of


class Two:
    """A log cut in two: read as one, and the second part after what was learned from the first."""

    def __init__(self, names: Sequence[str], events: Sequence[Event], share: float) -> None:
        cut = max(1, round(len(events) * share))
        first, self.second = [record(event) for event in events[:cut]], [record(event) for event in events[cut:]]
        self.begins = rfc3339(events[cut].ts if self.second else float(2**31))
        one = Pipeline(names).feed([("log", first)])
        before = Pipeline(names).feed([("log", first)])
        self.before = before.alerts + before.core.close("log") + before.core.settle()
        self.tables = write(before.core.remembered().finish())
        self.at_end = self.before + before.core.finish()
        self.whole = one.feed([("log", self.second)]).end()
        self.after = self.whole[len(self.before) :]
        warm = Pipeline(names)
        warm.core = self.learned = Core(instances(names), lateness_s=LATENESS_S, tracking=True)
        warm.core.learn(read(self.tables))
        warm.core.open("log", parser(warm.core))
        self.warm = warm

    def known(self) -> set[str]:
        """What the first part, or the time between the two, tells of."""
        return {alert.dedup_key for alert in self.at_end} | {alert.dedup_key for alert in self.after if alert.time <= self.begins}


def new(alerts: Sequence[Alert], known: set[str]) -> list[Alert]:
    # Alerts of what began before are not the same in both, so neither is who is named beside whom.
    return [alert for alert in alerts if alert.dedup_key not in known]


each_and_all = pytest.mark.parametrize("names", EACH_AND_ALL, ids=title_of)
shares = st.floats(0.1, 0.95)


@each_and_all
def test_what_happens_after_a_history_alone_is_found_as_if_both_were_one(names: tuple[str, ...]) -> None:
    @search(8 if len(names) == 1 else 50)
    @given(logs(names), shares, st.booleans())
    def holds(events: list[Event], share: float, restarted: bool) -> None:  # noqa: FBT001 - hypothesis fills it in
        two = Two(names, events, share)
        if restarted:
            two.warm.restart()
        got = two.warm.feed([("log", two.second)]).end()
        known = two.known()
        expected = new(two.after, known)
        if len({alert.dedup_key for alert in two.whole} & known) == 0:
            same(got, expected)
        assert [(a.id, a.version, a.status, a.severity, a.count, a.facts) for a in new(got, known)] == [
            (a.id, a.version, a.status, a.severity, a.count, a.facts) for a in expected
        ]

    holds()


@each_and_all
def test_an_attack_that_goes_on_is_told_at_once_and_one_that_does_not_is_not(names: tuple[str, ...]) -> None:
    @search(8 if len(names) == 1 else 50)
    @given(logs(names), shares)
    def holds(events: list[Event], share: float) -> None:
        two = Two(names, events, share)
        before = going_on(two.learned)
        two.warm.feed([("log", two.second)])
        alerts = [*two.warm.alerts, *two.learned.close("log"), *two.learned.settle()]
        told = {(alert.detector, alert.tenant, alert.entity.type, alert.entity.value) for alert in alerts}
        grown = {key[:4] for key, count in going_on(two.learned).items() if count > before.get(key, count)}
        assert grown <= told, "something goes on that nobody was told of"
        alerts += two.learned.finish()
        assert {alert.dedup_key for alert in alerts} <= {alert.dedup_key for alert in two.after}, "something was told that has not gone on"

    holds()


def going_on(core: Core) -> dict[tuple[str, ...], int]:
    """The count of each attack that goes on: by detector, tenant, entity and the first of its evidence."""
    found: dict[tuple[str, ...], int] = {}
    for states in core.runner.states:
        for key, state in {**states.old, **states.young}.items():
            episode = getattr(state, "episode", None)
            if episode is not None:
                tenant, entity = split_key(key)
                kind = states.detector.entity_type  # type: ignore[attr-defined]
                name = (tenant or "") if kind == "tenant" else entity
                found[states.detector.name, tenant, kind, name, episode.evidence[0]] = episode.count  # type: ignore[index]
    return found
