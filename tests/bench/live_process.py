"""The service with a watch on its parts: where the processor time of its loop goes, written to ``LIVE_SHARES`` as JSON at the end."""

import inspect
import json
import os
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from monitor.cli import main
from monitor.engines.checkpointer import Checkpointer
from monitor.engines.core import Core
from monitor.pipeline.ingest import Ingest
from monitor.pipeline.state import KeyGroup
from monitor.rows import Capture

SPENT: defaultdict[str, float] = defaultdict(float)
_inner = [0.0]


def watch(owner: Any, name: str, part: str) -> None:
    """Add the processor time of a method, without that of watched methods within it."""
    original = getattr(owner, name)
    assert not inspect.iscoroutinefunction(original)

    def timed(*args: Any, **kwargs: Any) -> Any:
        before, _inner[0] = _inner[0], 0.0
        began = time.thread_time()
        try:
            return original(*args, **kwargs)
        finally:
            took = time.thread_time() - began
            SPENT[part] += took - _inner[0]
            _inner[0] = before + took

    setattr(owner, name, timed)


watch(Ingest, "decode", "decode")
watch(Core, "feed", "detect")
watch(Core, "rest", "detect")
watch(Capture, "step", "checkpoint")
watch(Checkpointer, "begin", "checkpoint")
_touch = KeyGroup.touch


def touch(self: KeyGroup, key: str) -> None:
    """A state that is encoded early belongs to the checkpoint."""
    if key not in self.pending:
        _touch(self, key)
        return
    began = time.thread_time()
    _touch(self, key)
    took = time.thread_time() - began
    SPENT["checkpoint"] += took
    _inner[0] += took


KeyGroup.touch = touch  # type: ignore[method-assign]

try:
    main()
finally:
    usage = time.thread_time()
    SPENT["source and rest"] = usage - sum(SPENT.values())
    Path(os.environ["LIVE_SHARES"]).write_text(json.dumps({"loop": usage, "process": time.process_time(), **SPENT}), "utf-8")
