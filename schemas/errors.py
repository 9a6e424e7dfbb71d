"""The errors of this package.

WatchfloorError
├── RejectError          a record that is no event: counted, kept, skipped
├── InputError           an input that cannot be read at all (exit code 3)
└── ConfigurationError   wrong configuration or usage (exit code 2)
"""


class WatchfloorError(Exception):
    """Base of every error a caller may want to catch."""


class RejectError(WatchfloorError):
    """A record that does not fit its format.

    ``reason`` comes from a fixed set of names (it becomes a metric label); ``detail`` names the field and
    what was expected there, never the value.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class InputError(WatchfloorError):
    """An input that could not be opened or read."""


class ConfigurationError(WatchfloorError):
    """A configuration or a command line that cannot be used; the text names the path and the cure."""
