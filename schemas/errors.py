"""The errors of this package.

WatchfloorError
├── RejectError          a record that is no event: counted, kept, skipped
├── InputError           an input that cannot be read at all (exit code 3)
└── ConfigurationError   wrong configuration or usage (exit code 2)
"""

REJECT_REASONS: frozenset[str] = frozenset(
    {
        "bad_address",  # an address field that holds no address
        "bad_field",  # a field of the wrong type, or out of its range
        "bad_time",  # a time that cannot be read
        "future_time",  # a leap ahead that the rest of its source contradicts
        "missing_field",
        "not_json",
        "not_utf8",
        "time_out_of_range",  # before 1990 or after 2099
        "too_deep",  # nested beyond what any real record is
        "too_long",
        "truncated",  # ends in the middle
        "unknown_kind",
        "unknown_shape",  # well formed, but not of this format
    },
)
"""Every reason a record can be rejected for; a closed set, because it becomes a metric label."""


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
