import pytest

from detectors.panes import MOST_VALUES, Pane, Sample, merged, pane_of, sums


def sample(number: int, prefix: str = "user", times: int = 1) -> Sample:
    made = Sample()
    for i in range(number * times):
        made.add(f"{prefix}{i % number}")
    return made


def test_few_values_are_counted_exactly() -> None:
    made = sample(MOST_VALUES, times=3)
    assert made.number() == MOST_VALUES
    assert set(made.counts.values()) == {3}


@pytest.mark.parametrize("number", [129, 1000, 20_000])
def test_many_values_are_estimated_in_bounded_memory(number: int) -> None:
    made = sample(number)
    assert len(made.counts) <= MOST_VALUES
    # about 64 to 128 values stand for all: one standard error is at most an eighth
    assert made.number() == pytest.approx(number, rel=0.35)


def test_merged_samples_count_a_value_once_and_its_occurrences_together() -> None:
    together = merged([sample(50, times=2), sample(80)])
    assert together.number() == 80
    assert together.counts["user7"] == 3
    assert together.counts["user70"] == 1


def test_merged_samples_of_many_values_estimate_the_union() -> None:
    assert merged([sample(2000, "a"), sample(2000, "b"), sample(3, "c")]).number() == pytest.approx(4003, rel=0.35)
    assert merged([]).number() == 0


def test_pane_is_found_also_for_a_late_login() -> None:
    panes: list[Pane] = []
    for ts in (0.0, 59.0, 60.0, 900.0, 30.0):
        pane = pane_of(panes, ts, 900)
        assert pane is not None
        pane.failures += 1
    assert [(pane.start, pane.failures) for pane in panes] == [(0.0, 3), (60.0, 1), (900.0, 1)]
    assert sums(panes).failures == 5


def test_panes_out_of_the_window_are_forgotten() -> None:
    panes: list[Pane] = []
    pane_of(panes, 0.0, 900)
    pane_of(panes, 960.0, 900)
    assert [pane.start for pane in panes] == [960.0]
    assert pane_of(panes, 0.0, 900) is None


def test_shares_of_nothing_are_zero() -> None:
    nothing = sums([])
    assert (nothing.failure_ratio(), nothing.unknown_share()) == (0, 0)
