"""Runs the command, and kills its process (SIGKILL, by itself) the n-th time it comes to a given step. ``CRASH_AT=step:n``, or no step.

``CRASH_AT=step:n:freeze``: it freezes there instead (SIGSTOP), once.
"""

import os
import signal
import threading
from collections.abc import Callable
from typing import Any

STEPS = ("read", "detected", "begun", "writing", "written", "committed", "claimed", "sent", "marked")
"""Between each two: batch → detect → checkpoint → commit → deliver → mark sent."""


def arm(step: str, count: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Put the trap at this step."""
    from monitor import checkpoint
    from monitor.alerts import cursors
    from monitor.alerts.sender import Sender
    from monitor.engines import embedded
    from monitor.engines.checkpointer import Checkpointer
    from monitor.engines.core import Core

    left = [count]

    def die() -> None:
        left[0] -= 1
        if left[0] == 0:
            signal.pthread_kill(
                threading.get_ident(), number
            )  # this very thread, which could go on for a while after a signal to the process

    def trap(owner: Any, name: str, *, before: bool = False) -> None:
        original: Callable[..., Any] = getattr(owner, name)

        def plain(*args: Any, **kwargs: Any) -> Any:
            if before:
                die()
            result = original(*args, **kwargs)
            if not before:
                die()
            return result

        async def awaited(*args: Any, **kwargs: Any) -> Any:
            if before:
                die()
            result = await original(*args, **kwargs)
            if not before:
                die()
            return result

        import inspect

        setattr(owner, name, awaited if inspect.iscoroutinefunction(original) else plain)

    match step:
        case "read":
            trap(Core, "feed", before=True)
        case "detected":
            trap(Core, "feed")
        case "begun":
            trap(Checkpointer, "begin")
        case "writing":
            trap(checkpoint, "write")
        case "written":
            trap(embedded.Embedded, "_after_checkpoint", before=True)
        case "committed":
            trap(embedded.Embedded, "_after_checkpoint")
        case "claimed":
            trap(Sender, "_send", before=True)
        case "sent":
            trap(Sender, "_send")
        case "marked":
            trap(Sender, "_delivered")
        case _:
            raise SystemExit(f"no such step: {step}")
    del cursors


if __name__ == "__main__":
    from monitor.cli import main

    step, *how = os.environ.get("CRASH_AT", "").split(":")
    if step:
        arm(step, int(how[0]), signal.SIGSTOP if how[1:] == ["freeze"] else signal.SIGKILL)
    main()
