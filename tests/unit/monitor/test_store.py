"""The store: who may write it, and who waits for whom."""

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from monitor.store import FencedError, Store
from schemas.errors import ConfigurationError

NOTES = "CREATE TABLE IF NOT EXISTS notes(text TEXT)"
MORE = "CREATE TABLE IF NOT EXISTS more(text TEXT)"


def note(db: sqlite3.Connection) -> None:
    db.execute("INSERT INTO notes VALUES ('x')")


def count(db: sqlite3.Connection) -> int:
    found: int = db.execute("SELECT count(*) FROM notes").fetchone()[0]
    return found


@contextmanager
def locked(path: Path) -> Iterator[sqlite3.Connection]:
    """While another process is in the middle of a transaction."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        note(db)
        yield db
        if db.in_transaction:
            db.execute("ROLLBACK")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store that is there already."""
    Store(tmp_path / "store.db", [NOTES]).close()
    return tmp_path / "store.db"


def test_a_locked_store_is_opened_and_read_at_once(path: Path) -> None:
    began = time.monotonic()
    with locked(path):
        store = Store(path, [NOTES])
        assert asyncio.run(store.read(count)) == 0
        store.close()
    assert time.monotonic() - began < 5  # and not after the time a lock is waited for


def test_whoever_takes_a_locked_store_over_waits_until_it_is_free(path: Path) -> None:
    store = Store(path, [NOTES])

    async def wait() -> int:
        with locked(path) as other:
            taking = asyncio.create_task(store.take_over())
            await asyncio.sleep(0.3)
            assert not taking.done()
            other.execute("COMMIT")
            await taking
        return await store.read(count)

    assert asyncio.run(wait()) == 1
    store.close()


def test_what_is_missing_is_made(path: Path) -> None:
    store = Store(path, [NOTES, MORE])
    assert asyncio.run(store.read(lambda db: db.execute("SELECT count(*) FROM more").fetchone())) == (0,)
    store.close()


def test_of_two_only_the_last_one_to_take_it_over_writes(path: Path) -> None:
    first, second = Store(path, [NOTES]), Store(path, [NOTES])

    async def both() -> None:
        await first.take_over()
        await first.write(note)
        await second.take_over()
        with pytest.raises(FencedError):
            await first.write(note)
        await second.write(note)
        assert await first.read(count) == 2

    asyncio.run(both())
    first.close()
    second.close()


def test_whoever_is_refused_keeps_nobody_from_writing(path: Path) -> None:
    first, second = Store(path, [NOTES]), Store(path, [NOTES])

    def refuse(db: sqlite3.Connection) -> None:
        note(db)
        raise ConfigurationError("store.path: is of something else")

    async def both() -> None:
        await first.take_over()
        with pytest.raises(ConfigurationError):
            await second.take_over(refuse)
        await first.write(note)
        assert await first.read(count) == 1

    asyncio.run(both())
    first.close()
    second.close()
