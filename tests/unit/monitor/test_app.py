"""What the service is put together from: its memory is left to reference counts, so the pipeline must make no cycles."""

import gc
from collections.abc import Callable, Iterator
from itertools import chain

import pytest

from monitor.app import detectors, tune_memory
from monitor.engines.core import Core
from monitor.settings import Settings
from schemas.formats import FORMATS
from schemas.formats.base import Context
from tests.bench.checkpoints import People
from tests.bench.flood import flood, storm


@pytest.fixture
def untouched_collector() -> Iterator[None]:
    """The garbage collector is as it was, afterwards."""
    before, enabled = gc.get_threshold(), gc.isenabled()
    yield
    gc.set_threshold(*before)
    (gc.enable if enabled else gc.disable)()
    gc.unfreeze()


def fed(traffic: Iterator[list[bytes]]) -> tuple[Core, int]:
    """Feed it to a whole pipeline, with a checkpoint after each batch: the pipeline, and how many alert versions came of it."""
    core = Core(list(detectors(Settings())), tracking=True)
    core.open("log", FORMATS["native"].parser(Context(memory=core.memory)))
    alerts = 0
    for batch in chain(traffic, [[b"no event"]]):
        alerts += len(core.feed("log", batch))
        core.capture(everything=False).finish()
    return core, alerts + len(core.finish())


@pytest.mark.usefixtures("untouched_collector")
@pytest.mark.parametrize(
    ("traffic", "least"),
    [
        pytest.param(lambda: flood(2_000), 0, id="flood"),
        pytest.param(lambda: storm(100), 100, id="storm"),
        pytest.param(lambda: People(200).everybody(), 0, id="people"),
    ],
)
def test_events_states_alerts_and_checkpoints_make_no_cycles(traffic: Callable[[], Iterator[list[bytes]]], least: int) -> None:
    fed(traffic())  # what is made once only
    gc.collect()
    gc.disable()
    core, alerts = fed(traffic())
    assert gc.collect() == 0
    assert alerts >= least
    assert len(core.runner.states) > 1, "it is still there: the pipeline as a whole is a cycle"


@pytest.mark.usefixtures("untouched_collector")
def test_what_is_new_is_looked_through_in_small_pieces_and_all_of_it_never() -> None:
    tune_memory()
    young, middle, old = gc.get_threshold()
    assert young * (middle + 1) <= 20_000
    assert old >= 1_000_000
    assert gc.get_freeze_count() > 0
