"""The one local store: a SQLite database in WAL mode, written by one thread, one transaction at a time.

What is in it is decided elsewhere (``checkpoint``, ``alerts.outbox``); here is what holds for all of it: a transaction is whole or
not there, whatever is killed when; and of two processes on one store, only the one that took it over last can write.
"""

import asyncio
import re
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from schemas.errors import ConfigurationError, WatchfloorError

VERSION = 1
"""Of the tables. A store of a newer version is refused, one of an older version is brought up."""
APPLICATION_ID = 0x57464C52
"""``WFLR``: tells a store from any other SQLite database."""
BUSY_S = 10.0
"""How long a transaction waits for another process that is writing."""
MMAP_BYTES = 268_435_456

OWNER = "CREATE TABLE IF NOT EXISTS owner(one INTEGER PRIMARY KEY CHECK (one = 1), epoch INTEGER NOT NULL)"
_NAME = re.compile(r"(?<=IF NOT EXISTS )\w+")
"""Of what a statement of the schema makes."""

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]


class StoreError(WatchfloorError):
    """The store cannot be written or read at present, e.g. on a full disk. Nothing of the transaction was kept."""


class BusyError(StoreError):
    """Another process has held the lock of the store for as long as was waited: it is in the middle of a transaction, and perhaps frozen."""


class FencedError(WatchfloorError):
    """Another process has taken the store over: this one must neither write nor send any more."""


class Store:
    """``schema``: the SQL that makes all tables (each ``IF NOT EXISTS``). Opened at once; raises ``ConfigurationError``.

    Nothing may be written before ``take_over``.
    """

    def __init__(self, path: Path, schema: Sequence[str], setting: str = "store.path") -> None:
        self.path = path
        self._setting = setting
        self._epoch = -1
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        try:
            self._db = self._thread.submit(self._open, schema).result()
        except BaseException:
            self._thread.shutdown()
            raise

    def _open(self, schema: Sequence[str]) -> sqlite3.Connection:
        cure = "name a file in a folder that exists and can be written"
        try:
            db = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None)
        except (sqlite3.Error, ValueError) as exc:
            raise ConfigurationError(f"{self._setting}: cannot open {self.path}: {exc}; {cure}") from exc
        try:
            self._check(db)
            db.execute("PRAGMA journal_mode=WAL")
            # FULL: what was promised to be safe is on the disk even when the machine loses power.
            db.execute("PRAGMA synchronous=FULL")
            db.execute(f"PRAGMA mmap_size={MMAP_BYTES}")
            self._make(db, (OWNER, *schema))
        except sqlite3.Error as exc:
            db.close()
            if _is_busy(exc):  # nothing is wrong with the settings
                raise BusyError(self._busy()) from exc
            raise ConfigurationError(f"{self._setting}: cannot use {self.path}: {exc}; {cure}") from exc
        except ConfigurationError:
            db.close()
            raise
        return db

    @staticmethod
    def _make(db: sqlite3.Connection, schema: Sequence[str]) -> None:
        """Make what is missing. Where nothing is, the lock is not waited for: a standby can begin whatever the active process does, even frozen."""
        there = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
        complete = db.execute("PRAGMA user_version").fetchone()[0] == VERSION and all(_NAME.findall(each)[0] in there for each in schema)
        db.execute(f"PRAGMA busy_timeout={0 if complete else round(1000 * BUSY_S)}")
        try:
            db.execute("BEGIN IMMEDIATE")  # also where nothing is missing: it says whether the file can be written
        except sqlite3.OperationalError as exc:
            if not (complete and _is_busy(exc)):
                raise
            return
        finally:
            db.execute(f"PRAGMA busy_timeout={round(1000 * BUSY_S)}")
        for statement in schema:
            db.execute(statement)
        db.execute("INSERT OR IGNORE INTO owner VALUES (1, 0)")
        db.execute(f"PRAGMA application_id={APPLICATION_ID}")
        db.execute(f"PRAGMA user_version={VERSION}")
        db.execute("COMMIT")

    def _busy(self) -> str:
        return f"{self._setting}: {self.path}: another process has been writing for {BUSY_S:g} s; try again"

    def _check(self, db: sqlite3.Connection) -> None:
        (application,) = db.execute("PRAGMA application_id").fetchone()
        (version,) = db.execute("PRAGMA user_version").fetchone()
        (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and application != APPLICATION_ID:
            raise ConfigurationError(f"{self._setting}: {self.path} is another program's database; name another file")
        if version > VERSION:
            raise ConfigurationError(
                f"{self._setting}: {self.path} was written by a newer watchfloor (version {version} of its tables, "
                f"this one knows {VERSION}); use that one, or name another file"
            )

    async def take_over(self, before: Work[None] = lambda _: None) -> None:
        """Become the one that writes: whoever was before cannot any more.

        ``before``: work of the same transaction; when it raises, nothing has changed. Raises ``BusyError`` and other ``StoreError``.
        """

        def work(db: sqlite3.Connection) -> None:
            before(db)
            db.execute("UPDATE owner SET epoch = epoch + 1")
            # Here and not after the transaction: the next one may be waiting already.
            self._epoch = int(db.execute("SELECT epoch FROM owner").fetchone()[0])

        await self._on_thread(work, "BEGIN IMMEDIATE", fenced=False)

    async def write(self, work: Work[T]) -> T:
        """Do ``work`` in one transaction. Raises ``StoreError`` (nothing was kept) and ``FencedError``."""
        return await self._on_thread(work, "BEGIN IMMEDIATE", fenced=True)

    async def read(self, work: Work[T]) -> T:
        """Do ``work``, which only reads, on the state of one moment; whoever writes meanwhile is not waited for. Raises ``StoreError``."""
        return await self._on_thread(work, "BEGIN", fenced=False)

    async def _on_thread(self, work: Work[T], begin: str, *, fenced: bool) -> T:
        running = asyncio.get_running_loop().run_in_executor(self._thread, self._transaction, work, begin, fenced)
        # A transaction that has begun goes through, so whoever is cancelled meanwhile waits for its end.
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            await asyncio.wait([running])
            if not running.cancelled():
                running.exception()
            raise

    def _transaction(self, work: Work[T], begin: str, fenced: bool) -> T:  # noqa: FBT001 - an executor passes by place
        db = self._db
        try:
            db.execute(begin)
            try:
                if fenced:
                    self._check_owner(db)
                result = work(db)
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")
        except sqlite3.Error as exc:
            if db.in_transaction:
                db.execute("ROLLBACK")
            if _is_busy(exc):
                raise BusyError(self._busy()) from exc
            raise StoreError(f"{self._setting}: {self.path}: {exc}") from exc
        return result

    def _check_owner(self, db: sqlite3.Connection) -> None:
        if db.execute("SELECT epoch FROM owner").fetchone()[0] != self._epoch:
            raise FencedError("another process has taken over the store; this one stops")

    def close(self) -> None:
        """Wait for the last transaction, and close."""
        self._thread.submit(self._db.close).result()
        self._thread.shutdown()


def _is_busy(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY  # its extended codes say what else held it
