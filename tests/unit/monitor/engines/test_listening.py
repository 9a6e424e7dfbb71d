"""The pipeline listens to its inputs, so that a detector can tell when one falls silent."""

from collections.abc import Iterable

import pytest

from monitor.engines.core import Core
from schemas.alert import Alert
from schemas.event import HEARD
from schemas.formats import FORMATS
from schemas.formats.base import Context, Parser
from tests.checkpoints import Tables, read, write
from tests.helpers import T0
from tests.property.strategies import instances


def records(source: str, times: Iterable[int]) -> list[bytes]:
    return [f'{{"id":"{source}-{at}","time":{T0 + at},"kind":"api.request","tenant":"acme"}}'.encode() for at in times]


def parser(core: Core) -> Parser:
    return FORMATS["native"].parser(Context(memory=core.memory))


def fresh(*detectors: str) -> Core:
    return Core(instances(detectors or ["source_silence"]), tracking=True)


def started() -> Core:
    core = fresh()
    for source in ("orders/0", "web"):
        core.open(source, parser(core))
        core.listen(source, source.partition("/")[0])
    return core


def goes_on(core: Core) -> list[Alert]:
    return [alert for alert in core.feed("web", records("web", range(100, 300, 2))) if alert.entity.type == "source"]


@pytest.mark.parametrize("gone", [False, True])
def test_an_input_that_was_taken_out_of_the_configuration_is_not_silent(gone: bool) -> None:  # noqa: FBT001 - a parameter
    core = started()
    core.feed("orders/0", records("orders", range(0, 100, 2)))
    core.feed("web", records("web", range(0, 100, 2)))
    store: Tables = {}
    write(core.capture(everything=True).finish(), store)
    core = fresh()
    names = ["web"] if gone else ["web", "orders/0"]
    core.restore(read(store), {name: parser(core) for name in names})
    if not gone:
        core.rest("orders/0")
    assert {alert.entity.value for alert in goes_on(core)} == (set() if gone else {"orders"})


def test_an_input_that_was_closed_is_not_silent() -> None:
    core = started()
    core.feed("orders/0", records("orders", range(0, 100, 2)))
    core.feed("web", records("web", range(0, 100, 2)))
    core.close("orders/0")
    assert goes_on(core) == []


def test_nobody_listens_where_no_detector_wants_to_know() -> None:
    core = fresh("failed_login_burst")
    core.open("web", parser(core))
    core.listen("web", "web")
    events = core.inputs["web"].decode(records("web", range(100)), range(100))
    assert not any(event.kind == HEARD for event in events)


def test_a_mark_of_a_checkpoint_is_no_trouble_where_the_detector_is_off_now() -> None:
    core = started()
    core.feed("web", records("web", range(100)))
    store: Tables = {}
    write(core.capture(everything=True).finish(), store)
    core = fresh("failed_login_burst")
    core.restore(read(store), {"web": parser(core)})
    assert core.feed("web", records("web", range(100, 200))) == []
    assert not core.runner.failed
