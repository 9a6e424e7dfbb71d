"""Checkpoints without a store: their rows in dictionaries, which have been through JSON."""

from collections.abc import Iterable
from typing import Any

import orjson

from monitor.pipeline.runner import Runner
from monitor.rows import Capture, Rows, Saved
from schemas.formats.base import Memory

Tables = dict[str, dict[str, Any]]


def write(rows: Iterable[Rows], tables: Tables | None = None) -> Tables:
    """What the rows of one checkpoint make of the tables."""
    tables = {} if tables is None else tables
    for each in rows:
        part = tables.setdefault(each.part, {})
        if each.whole:
            part.clear()
        for key in each.gone:
            part.pop(key, None)
        part.update(orjson.loads(each.encoded()))
    return tables


def read(tables: Tables) -> Saved:
    return {part: rows.items() for part, rows in tables.items()}


def whole_of(runner: Runner) -> Tables:
    """A checkpoint of a runner alone, with all it holds."""
    return write(Capture(runner.changed(everything=True), runner.groups).finish())


def copied(memory: Memory) -> Memory:
    """What parsers remember together, after a restart."""
    fresh = Memory()
    for name, recent in fresh.parts().items():
        rows, _, generation = memory.parts()[name].changed(everything=True)
        recent.load(orjson.loads(orjson.dumps(rows)).items(), generation)
    return fresh
