import pytest

from detectors.shared_address import MAX_KNOWN, Known, SharedLimits, is_known, is_shared, number_known, vouch
from detectors.tries import FAILURE, MAX_ACTORS, SUCCESS, Tries, add_try, in_window, shown

DAY = 86_400.0
WEEK = 7 * DAY


def people(number: int, ts: float = 0.0) -> Known:
    known: Known = {}
    for i in range(number):
        vouch(known, f"user{i}", ts, WEEK)
    return known


def test_first_success_is_kept_while_there_is_no_week_of_silence() -> None:
    known: Known = {}
    for day in (0, 6, 12):
        vouch(known, "alice", day * DAY, WEEK)
    assert known == {"alice": (0.0, 12 * DAY)}
    vouch(known, "alice", 20 * DAY, WEEK)
    assert known == {"alice": (20 * DAY, 20 * DAY)}


def test_success_that_comes_late_counts_from_when_it_was() -> None:
    known = people(1, ts=100.0)
    vouch(known, "user0", 50.0, WEEK)
    assert known == {"user0": (50.0, 100.0)}


def test_nobody_can_push_out_those_who_are_known() -> None:
    known = people(MAX_KNOWN)
    for i in range(1000):
        vouch(known, f"newcomer{i}", DAY, WEEK)
    assert known == people(MAX_KNOWN)


def test_who_stayed_away_makes_room() -> None:
    known = people(MAX_KNOWN)
    vouch(known, "newcomer", 8 * DAY, WEEK)
    assert len(known) == MAX_KNOWN
    assert "newcomer" in known
    assert "user0" not in known


@pytest.mark.parametrize(
    ("since", "before", "expected"),
    [(0, 200, True), (0, 100, False), (100, 200, True), (101, 200, False)],
)
def test_known_means_first_before_and_last_since(since: float, before: float, *, expected: bool) -> None:
    known: Known = {"alice": (100.0, 100.0)}
    assert is_known(known, "alice", since, before) is expected
    assert number_known(known, since, before) == expected
    assert not is_known(known, "bob", since, before)


@pytest.mark.parametrize(
    ("good", "failing", "shared"),
    [
        (0, 1, False),
        (2, 1, False),
        (3, 1, True),
        (3, 3, True),
        (3, 4, False),
        (MAX_KNOWN, MAX_KNOWN, True),
        (MAX_KNOWN, MAX_KNOWN + 1, False),
    ],
)
def test_address_is_shared_by_enough_people_and_no_more_fail(good: int, failing: int, *, shared: bool) -> None:
    assert is_shared(people(good), SharedLimits(), failing, DAY) is shared


def test_stale_people_do_not_vouch() -> None:
    assert not is_shared(people(12), SharedLimits(), 1, 8 * DAY)
    assert not is_shared(people(12, ts=500.0), SharedLimits(), 1, DAY, before=400.0)


def test_tries_of_one_actor_and_their_actors_are_bounded() -> None:
    tries: Tries = {}
    for i in range(1000):
        add_try(tries, f"user{i // 3}", (float(i), f"e{i}", FAILURE), span_s=10_000, keep=2)
    assert len(tries) == MAX_ACTORS
    assert tries["user332"] == [(997.0, "e997", FAILURE), (998.0, "e998", FAILURE)]


def test_late_try_finds_its_place() -> None:
    tries: Tries = {}
    for ts in (5.0, 9.0, 7.0):
        add_try(tries, "alice", (ts, f"e{ts:g}", FAILURE), span_s=60, keep=9)
    assert [event_id for _, event_id, _ in tries["alice"]] == ["e5", "e7", "e9"]
    assert [event_id for _, event_id, _ in in_window(tries["alice"], 6.0)] == ["e7", "e9"]


def test_successes_are_always_shown() -> None:
    tries = [(float(i), f"f{i:02d}", FAILURE) for i in range(40)] + [(float(i) + 0.5, f"s{i:02d}", SUCCESS) for i in range(30, 40)]
    assert shown(tries) == [*(f"f{i:02d}" for i in range(15)), *(f"s{i:02d}" for i in range(30, 35))]
