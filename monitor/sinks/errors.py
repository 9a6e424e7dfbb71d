"""What can go wrong with an output after it was opened."""

from schemas.errors import WatchfloorError


class OutputError(WatchfloorError):
    """An output that cannot be written any further, such as a file on a full disk (exit code 3)."""


def failed(name: str, error: OSError) -> OutputError:
    """``error`` in words. ``name``: the option or setting the output was named by, and its path."""
    return OutputError(f"{name}: writing failed: {(error.strerror or 'error').lower()}; free some space, or name another file")
