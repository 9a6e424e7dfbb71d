"""What a replay begins with and leaves behind: the state files of the `replay` command."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from detectors.phrases import times
from monitor import state_file
from monitor.engines.core import Core
from monitor.engines.replay import Replay
from schemas.errors import ConfigurationError, InputError

IN, OUT = "--state-in", "--state-out"


class History(msgspec.Struct, kw_only=True):
    """What was remembered before, and where to keep what is remembered afterwards."""

    state_in: Path | None = None
    state_out: Path | None = None
    learn_only: bool = False
    """Nobody is to hear of an alert."""
    said: list[str] = []
    """What became of it, for the notes at the end."""
    before: state_file.About | None = None

    def check(self, refused: Mapping[str, bool]) -> None:
        """``refused``: options by which somebody would hear of alerts, and whether they were given. Raises ``ConfigurationError``."""
        if self.learn_only:
            if self.state_out is None:
                raise ConfigurationError(f"--learn-only: what is learned would be lost; name a file for it with {OUT}")
            for option in (option for option, given in refused.items() if given):
                raise ConfigurationError(f"{option}: there are no alerts with --learn-only; leave one of the two out")
        if self.state_out is not None:
            state_file.check_writable(self.state_out, OUT)

    def begin(self, core: Core) -> None:
        """Have a fresh pipeline remember what it should. Raises ``ConfigurationError``."""
        if self.state_in is not None:
            learned, self.before = state_file.load(core, self.state_in, IN)
            self.said += state_file.notes(learned, self.before, self.state_in)

    def save(self, core: Core, engine: Replay) -> None:
        """Keep what is remembered, once everything is read. Raises ``OutputError``, and ``InputError`` where there was nothing to learn from."""
        last_ts = engine.tally.last_ts
        if self.state_out is None:
            return
        if last_ts is None:
            raise InputError(
                f"{OUT}: there was no event to learn from, so {self.state_out} was not written; see which files were read and how"
            )
        before = self.before or state_file.About(0, last_ts, "")
        about = state_file.about_now(before.events + engine.events, max(before.until, last_ts))
        state_file.write(self.state_out, core.remembered(), about, OUT)
        keys = sum(len(states) for states in core.runner.states if states.label not in core.runner.failed)
        self.said.append(f"the memory of {times(keys, 'key')} was saved in {self.state_out}")
