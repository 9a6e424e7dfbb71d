"""The outbox, and the place of each sink in it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import msgspec
import pytest

from monitor.alerts import cursors, outbox
from tests.deliveries import alert

DAY = 86_400.0


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        for statement in (*outbox.SCHEMA, *outbox.SCHEMA):
            db.execute(statement)
        yield db


def kept(db: sqlite3.Connection) -> list[str]:
    return [name for (name,) in db.execute("SELECT id FROM outbox ORDER BY seq")]


def test_an_alert_version_is_inserted_once(db: sqlite3.Connection) -> None:
    assert outbox.insert(db, [alert("a"), alert("b"), alert("a", 2)], 100.0) == 3
    assert outbox.insert(db, [alert("a"), alert("a", 2), alert("c")], 200.0) == 1
    assert kept(db) == ["a", "b", "a", "c"]
    assert [row.alert for row in outbox.rows_after(db, 3, 10)] == [alert("c")]
    assert outbox.insert(db, [], 300.0) == 0


def test_alerts_stand_in_the_outbox_letter_by_letter(db: sqlite3.Connection) -> None:
    odd = [
        msgspec.structs.replace(
            alert(f"a{i}"), title='é"\x00\u202e\\', tenant=None if i % 2 else "zoë", facts={"x": 1.5e300, "y": 0.1, "z": 2**60}
        )
        for i in range(2 * outbox.INSERT_CHUNK + 1)
    ]
    assert outbox.insert(db, odd, 100.5) == len(odd)
    rows = list(outbox.rows_after(db, 0, len(odd) + 1))
    assert [row.text for row in rows] == [msgspec.json.encode(each).decode() for each in odd]
    assert [row.alert for row in rows] == odd
    columns = "id, version, incident, dedup_key, status, severity, detector, tenant, created_at"
    expected = [
        (each.id, each.version, each.incident, each.dedup_key, each.status, each.severity, each.detector, each.tenant, 100.5)
        for each in odd
    ]
    assert db.execute(f"SELECT {columns} FROM outbox ORDER BY seq").fetchall() == expected


def test_only_what_is_old_and_passed_by_all_is_pruned(db: sqlite3.Connection) -> None:
    outbox.insert(db, [alert("a"), alert("b"), alert("c")], 0.0)
    outbox.insert(db, [alert("d")], 6 * DAY)
    cursors.register(db, {"quick": "stream", "slow": "stream"}, 0.0)
    cursors.move(db, "quick", 4)
    cursors.move(db, "slow", 2)
    assert outbox.prune(db, 8 * DAY) == 2
    assert kept(db) == ["c", "d"]
    cursors.move(db, "slow", 4)
    assert outbox.prune(db, 8 * DAY) == 1
    assert kept(db) == ["d"]
    cursors.register(db, {}, 0.0)
    assert outbox.prune(db, 14 * DAY) == 1
    assert outbox.end(db) == 4  # numbers are not given again


def test_sinks_of_the_very_first_start_begin_at_the_beginning_and_later_ones_at_the_end(db: sqlite3.Connection) -> None:
    outbox.insert(db, [alert("a"), alert("b")], 0.0)
    cursors.register(db, {"old": "stream"}, 0.0)
    cursors.register(db, {"old": "stream", "new": "notify"}, 0.0)
    assert (cursors.load(db, "old").seq, cursors.load(db, "new").seq) == (0, 2)


def test_a_store_that_began_without_sinks_does_not_tell_a_later_one_of_the_past(db: sqlite3.Connection) -> None:
    cursors.register(db, {}, 0.0)
    outbox.insert(db, [alert("a")], 0.0)
    cursors.register(db, {"new": "stream"}, 0.0)
    assert cursors.load(db, "new").seq == 1


def test_nothing_is_kept_of_a_sink_that_is_gone_and_only_the_place_of_one_that_changed_its_style(db: sqlite3.Connection) -> None:
    cursors.register(db, {"gone": "stream", "other": "stream"}, 0.0)
    cursors.move(db, "other", 7)
    cursors.claim(db, "other", {"seqs": [8], "upto": 8})
    cursors.register(db, {"other": "notify"}, 0.0)
    assert [sink for (sink,) in db.execute("SELECT sink FROM cursors")] == ["other"]
    assert cursors.load(db, "other") == cursors.Cursor(7, None, in_flight=False)


def test_dead_letters_are_bounded_to_the_newest(db: sqlite3.Connection) -> None:
    text = '{"no": "alert"}'
    outbox.bury(db, "s", [text] * 9_999, "refused", 1.0)
    outbox.insert(db, [alert("a", 3)], 0.0)
    outbox.bury(db, "s", [row.text for row in outbox.rows_after(db, 0, 1)] * 2, "expired", 2.0)
    (count,) = db.execute("SELECT count(*) FROM dead_letters").fetchone()
    assert count == outbox.MAX_DEAD_LETTERS
    newest = db.execute("SELECT sink, id, version, reason, at FROM dead_letters ORDER BY number DESC LIMIT 1").fetchone()
    assert newest == ("s", "a", 3, "expired", 2.0)
