"""A state file: all that the detectors remember of a history, for another stream to go on from.

A SQLite database with the rows of a checkpoint, written whole under another name and then renamed. It holds names and addresses of people,
so only its owner may read it; and it is believed only where it is as it was written.
"""

import contextlib
import os
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

import msgspec

from detectors.phrases import times
from monitor import __version__, checkpoint
from monitor.engines.core import Core
from monitor.pipeline.learned import Learned
from monitor.rows import Capture
from monitor.sinks.errors import OutputError, failed
from schemas.errors import ConfigurationError
from schemas.stamps import rfc3339

VERSION = 1
"""Of the tables and of the rows. A file of a newer version is refused."""
APPLICATION_ID = 0x57464C53
"""``WFLS``: tells a state file from a store, and from any other SQLite database."""
SCHEMA = (
    checkpoint.SCHEMA[0],
    "CREATE TABLE about(one INTEGER PRIMARY KEY, events INTEGER NOT NULL, until REAL NOT NULL, made_by TEXT NOT NULL, digest BLOB NOT NULL)",
)
SLICE_KEYS = 10_000
"""Keys that are encoded before they are written."""
_HEADER_BYTES = 100
_CURE = "make one with: watchfloor replay --learn-only --state-out FILE LOG..."


class About(msgspec.Struct, frozen=True):
    """What a state file says of itself."""

    events: int
    """Of the history."""
    until: float
    """Event time of the last of them."""
    made_by: str
    """The version of watchfloor."""


# -- writing --------------------------------------------------------------------------------------------------------------------------


def check_writable(path: Path, setting: str) -> None:
    """Whether a state file may be written there: what is there already may only be another one. Raises ``ConfigurationError``."""
    target = Path(os.path.realpath(path))
    try:
        if target.exists() and not _is_state_file(target):
            raise ConfigurationError(f"{setting}: {path} is there and is no state file, so it is not written over; name another file")
        with tempfile.TemporaryFile(dir=target.parent):
            pass
    except (OSError, ValueError) as exc:
        raise ConfigurationError(f"{setting}: cannot write {path}: {_why(exc)}; name a file in a folder that exists") from exc


def write(path: Path, capture: Capture, about: About, setting: str) -> None:
    """Write it, in place of what was there. Raises ``OutputError``, and what was there is still there."""
    target = Path(os.path.realpath(path))
    temporary: Path | None = None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)  # only its owner may read it
        os.close(handle)
        temporary = Path(name)
        _write(temporary, capture, about)
        _sync(temporary)
        temporary.replace(target)
        temporary = None
        _sync(target.parent)
    except OSError as exc:
        raise failed(f"{setting}: {path}", exc) from exc
    except sqlite3.Error as exc:
        raise OutputError(f"{setting}: {path}: writing failed: {exc}; free some space, or name another file") from exc
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _write(path: Path, capture: Capture, about: About) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        # Nobody knows of this file before it is whole, so there is nothing to go back to.
        db.execute("PRAGMA journal_mode=OFF")
        db.execute("PRAGMA synchronous=OFF")
        db.execute(f"PRAGMA application_id={APPLICATION_ID}")
        db.execute(f"PRAGMA user_version={VERSION}")
        db.execute("BEGIN")
        for statement in SCHEMA:
            db.execute(statement)
        complete = False
        while not complete:
            complete = capture.step(SLICE_KEYS)
            checkpoint.write_rows(db, capture.rows)
            capture.rows.clear()
        db.execute("INSERT INTO about VALUES (1, ?, ?, ?, ?)", (about.events, about.until, about.made_by, _digest(db)))
        db.execute("COMMIT")


def _digest(db: sqlite3.Connection) -> bytes:
    """A sum that differs when any row does."""
    digest = blake2b(digest_size=32)
    for row in db.execute("SELECT part, key, value FROM state ORDER BY part, key"):
        for text in row:
            encoded = str(text).encode("utf-8", "surrogatepass")
            digest.update(b"%d:%b" % (len(encoded), encoded))
    return digest.digest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# -- reading --------------------------------------------------------------------------------------------------------------------------


def check(path: Path, setting: str) -> About:
    """Whether it can be read, and what it says of itself. Raises ``ConfigurationError``."""
    with _opened(path, setting) as (_, about):
        return about


def load(core: Core, path: Path, setting: str) -> tuple[Learned, About]:
    """Have a pipeline that has not begun remember what the file does. Raises ``ConfigurationError``."""
    with _opened(path, setting) as (db, about):
        try:
            return core.learn(checkpoint.Reading(db)), about
        except (LookupError, TypeError, ValueError, AttributeError) as exc:
            raise ConfigurationError(
                f"{setting}: {path} is no state file that this version can read ({type(exc).__name__}); {_CURE}"
            ) from exc


def notes(learned: Learned, about: About, path: Path) -> Iterator[str]:
    """What became of it, a sentence each."""
    yield (
        f"begins with the memory of {times(learned.keys, 'key')}, learned from {times(about.events, 'event')} until {rfc3339(about.until)} "
        f"({path}, written by watchfloor {about.made_by})"
    )
    if learned.new:
        yield f"the state file has nothing of these detectors, which begin with nothing: {', '.join(learned.new)}"
    if learned.unknown:
        yield f"the state file also has detectors that do not run here, which are left out: {', '.join(learned.unknown)}"
    for name, kind in sorted(learned.unread.items()):
        yield f"detector {name} begins with nothing: what the state file has of it cannot be read by this version ({kind})"
    for name, n in sorted(learned.forgotten.items()):
        yield f"detector {name} may remember fewer keys here: {times(n, 'key')} of the state file forgotten"


@contextlib.contextmanager
def _opened(path: Path, setting: str) -> Iterator[tuple[sqlite3.Connection, About]]:
    """The file, once it has shown to be whole."""
    try:
        if not _is_state_file(path):
            raise ConfigurationError(f"{setting}: {path} is no state file; {_CURE}")
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, isolation_level=None)) as db:
            yield db, _about(db, path, setting)
    except (OSError, ValueError) as exc:
        raise ConfigurationError(f"{setting}: cannot read {path}: {_why(exc)}; {_CURE}") from exc
    except sqlite3.Error as exc:
        raise ConfigurationError(f"{setting}: {path} is damaged ({exc}); {_CURE}") from exc


def _about(db: sqlite3.Connection, path: Path, setting: str) -> About:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise ConfigurationError(
            f"{setting}: {path} was written by a newer watchfloor (version {version} of state files, this one knows {VERSION}); "
            f"use that one, or {_CURE}"
        )
    row = db.execute("SELECT events, until, made_by, digest FROM about").fetchone()
    if row is None or _digest(db) != row[3]:
        raise ConfigurationError(f"{setting}: {path} is damaged: it is not as it was written; {_CURE}")
    return About(*row[:3])


def _is_state_file(path: Path) -> bool:
    """By its first bytes. Raises ``OSError`` and ``ValueError``."""
    if not stat.S_ISREG(path.stat().st_mode):
        return False
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    return header.startswith(b"SQLite format 3\0") and int.from_bytes(header[68:72], "big") == APPLICATION_ID


def _why(error: Exception) -> str:
    return (error.strerror or "error").lower() if isinstance(error, OSError) else "not a path"


def about_now(events: int, until: float) -> About:
    """Of a file that this version writes."""
    return About(events, until, __version__)
