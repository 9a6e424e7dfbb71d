"""Entra and Microsoft 365 records with any value in any field: an event within bounds or a known reject, nothing else."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from schemas.errors import REJECT_REASONS, RejectError
from schemas.event import KINDS, Event
from schemas.formats import entra, microsoft365
from schemas.formats.base import Context, Memory

SAMPLES = Path(__file__).resolve().parents[3] / "contract" / "samples"
ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    2**63,
    2**70,
    1.5,
    1e300,
    "",
    " ",
    "x",
    "x" * 5000,
    "[1]",
    '{"a":[',
    [],
    [None],
    ["a", 3],
    {},
    {"a": 1},
    {"Name": 1},
]
FORMATS = [entra.FORMAT, microsoft365.FORMAT]


def paths(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where every part of a document is."""
    yield at
    if isinstance(value, (dict, list)):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from paths(inner, (*at, key))


def with_odd(document: Any, path: tuple[Any, ...], odd: Any) -> bytes:
    copy = orjson.loads(orjson.dumps(document))
    if not path:
        return json.dumps(odd).encode()
    holder = copy
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = odd
    return json.dumps(copy).encode()


@pytest.mark.parametrize("fmt", FORMATS, ids=lambda fmt: str(fmt.name))
def test_any_value_in_any_field(fmt: entra.Entra | microsoft365.Microsoft365) -> None:
    parser = fmt.parser(Context(Memory()))
    reasons: set[str] = set()
    for line in (SAMPLES / f"{fmt.name}.log").read_bytes().splitlines():
        document = orjson.loads(line)
        for path in paths(document):
            for odd in ODD:
                try:
                    events = list(parser.parse(with_odd(document, path, odd)))
                except RejectError as reject:
                    reasons.add(reject.reason)
                    continue
                for event in events:
                    check(event)
    assert reasons <= REJECT_REASONS


def check(event: Event) -> None:
    assert event.id
    assert event.kind in KINDS
    assert event.outcome in {None, "success", "failure", "challenge"}
    assert event.risk in {None, "low", "medium", "high"}
    assert min(event.records, event.bytes, event.asn, event.status) >= 0
    assert max(event.records, event.bytes) < 2**63
    assert max(len(text) for text in (event.actor, event.target, event.action, event.route, event.reason, event.user_agent) if text) <= 512
    assert "" not in {event.actor, event.target, event.device_id, event.session_id, event.user_agent, event.city}
    orjson.dumps({name: getattr(event, name) for name in event.__struct_fields__})
