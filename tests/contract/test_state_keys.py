"""Every alert leads back to the state it came from, so that its detector can be told what somebody found it to be."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from detectors.registry import DETECTORS
from monitor.app import Parts
from monitor.engines.replay import Options, Replay
from monitor.golden import Case
from monitor.pipeline.expected import state_key
from monitor.settings import Settings
from monitor.sources.files import expand
from monitor.verdicts import Given

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


def firing(name: str) -> Iterator[tuple[Path, Case]]:
    """The golden cases in which a detector must fire."""
    for file in sorted((GOLDEN / name).glob("*/case.yaml")):
        case = Case.model_validate(yaml.safe_load(file.read_text("utf-8")))
        if case.fires:
            yield file.parent, case


@pytest.mark.parametrize("name", DETECTORS)
def test_the_state_behind_every_alert_is_found_and_judged(name: str) -> None:
    for folder, case in firing(name):
        parts = Parts(Settings.model_validate({**case.settings, "detectors": {name: case.config}}))
        core = parts.core
        ids: set[str] = set()
        logs = [str(file) for file in folder.iterdir() if file.name != "case.yaml"]
        for alerts in Replay(core, Options(**case.files)).run(expand(logs)):
            for alert in alerts:
                subject = core.correlator.subject(alert.id)
                if subject is None or alert.detector != name:
                    continue
                ids.add(alert.id)
                label = f"{subject.detector}/{subject.variant}"
                (states,) = [each for each in core.runner.states if each.label == label]
                assert states.find(state_key(subject.tenant, subject.entity_type, subject.entity)) is not None, alert.entity
        latest = [alert_id for alert_id in sorted(ids) if core.correlator.subject(alert_id) is not None]
        judged = [core.judge(Given(alert=alert_id, verdict="false")) for alert_id in latest]
        assert bool(judged) == bool(ids)
        assert all(each.told for each in judged), folder
        assert core.runner.failed == {}
