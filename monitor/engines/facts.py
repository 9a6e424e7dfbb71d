"""What an engine lets be read of its pipeline; for ``telemetry``."""

from collections.abc import Mapping, Sequence
from typing import Any

from monitor.engines.core import Core


class Facts:
    """Of an engine. See ``telemetry.PipelineFacts``."""

    core: Core | None = None
    """``None`` while another process is the active one."""

    @property
    def inputs(self) -> Mapping[str, Any]:
        """See ``PipelineFacts``."""
        return {} if self.core is None else self.core.inputs

    @property
    def late(self) -> Mapping[str, int]:
        """See ``PipelineFacts``."""
        return {} if self.core is None else self.core.runner.late_by

    @property
    def states(self) -> Sequence[Any]:
        """See ``PipelineFacts``."""
        return () if self.core is None else self.core.runner.states

    @property
    def failed(self) -> Mapping[str, str]:
        """See ``PipelineFacts``."""
        return {} if self.core is None else self.core.runner.failed

    @property
    def held_events(self) -> int:
        """See ``PipelineFacts``."""
        return 0 if self.core is None else self.core.runner.held

    @property
    def open_alerts(self) -> int:
        """See ``PipelineFacts``."""
        return 0 if self.core is None else self.core.correlator.open
