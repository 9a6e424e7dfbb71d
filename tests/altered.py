"""Runs the command where something is not as usual. ``ALTERED`` is a JSON object of what:

``clock``: a file whose content is added to the time on the wall (seconds), read again at each SIGUSR1; ``versions``: detector → version of its
state; ``unprivileged``: root may not pass over the permissions of files any more.
"""

import ctypes
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

_PR_CAPBSET_DROP = 24
_CAPABILITIES = (1, 2)
"""To pass over the permissions of files, for writing and for reading."""


def alter(how: dict[str, Any]) -> None:
    """Before anything of the product is imported, so that nobody has kept what is replaced here."""
    if how.pop("unprivileged", False) and os.geteuid() == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        for capability in _CAPABILITIES:
            if libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
                raise OSError(ctypes.get_errno(), "prctl")
        os.environ["ALTERED"] = json.dumps(how)
        os.execv(sys.executable, [sys.executable, "-m", "tests.altered", *sys.argv[1:]])
    if "clock" in how:
        _step_clock(Path(how["clock"]))
    if "versions" in how:
        from detectors.registry import DETECTORS

        for name, version in how["versions"].items():
            DETECTORS[name].state_version = version


def _step_clock(file: Path) -> None:
    real, offset = time.time, [0.0]

    def read(*_: object) -> None:
        offset[0] = float(file.read_text("ascii"))

    read()
    signal.signal(signal.SIGUSR1, read)
    time.time = lambda: real() + offset[0]


if __name__ == "__main__":
    alter(json.loads(os.environ.get("ALTERED", "{}")))
    from monitor.cli import main

    main()
