"""watchfloor itself: everything that reads, keeps, sends and shows."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("watchfloor")
except PackageNotFoundError:  # run from a folder into which it was never installed
    __version__ = "0+unknown"
