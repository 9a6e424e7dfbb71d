"""One format and what the contract needs to check it: its sample, and the formats and samples it must not be mistaken for."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from schemas.errors import RejectError
from schemas.event import Event
from schemas.formats import FORMATS
from schemas.formats.base import Context, Format, Memory, Parser
from schemas.stamps import from_text

SAMPLES = {path.stem: path.read_bytes() for path in sorted((Path(__file__).parent / "samples").glob("*.log"))}
"""The sample of each format, by its name."""
WRITTEN_TS = from_text("2026-07-01T00:00:00Z")
IDENTIFIED = {"native", "cloudtrail", "ocsf", "ecs", "entra", "microsoft365", "okta", "auth0", "google_workspace", "github"}
"""Formats whose records carry their identity: the same record again is the same event again. In the others it is another event."""


class Case(msgspec.Struct, frozen=True):
    """``name`` is a key of ``formats`` and of ``samples``."""

    name: str
    formats: Mapping[str, Format]
    samples: Mapping[str, bytes]
    identified: bool

    @property
    def format(self) -> Format:
        return self.formats[self.name]

    @property
    def sample(self) -> bytes:
        return self.samples[self.name]

    @property
    def lines(self) -> list[bytes]:
        return self.sample.splitlines()

    def foreign(self) -> list[bytes]:
        """The sample lines of all other formats."""
        return [line for other in self.formats.keys() - {self.name} for line in self.samples[other].splitlines()]

    def parser(self, memory: Memory | None = None, tenant: str | None = None) -> Parser:
        return self.format.parser(Context(memory=memory or Memory(), written_ts=WRITTEN_TS, tenant=tenant))

    def parsed(self, tenant: str | None = None) -> list[Event]:
        """The events of the sample, by a new parser."""
        return parsed(self.parser(tenant=tenant), self.lines)

    def disturbed(self, seed: int, n: int) -> list[bytes]:
        return disturbed(self.lines, seed, n)


def cases() -> list[Case]:
    """Every registered format."""
    return [Case(name, FORMATS, SAMPLES, name in IDENTIFIED) for name in sorted(FORMATS)]


def parsed(parser: Parser, records: Sequence[bytes]) -> list[Event]:
    return [event for record in records for event in parser.parse(record)]


def outcome_of(parser: Parser, record: bytes) -> Sequence[Event] | RejectError:
    """The events or the reject; any other exception fails the test."""
    try:
        return parser.parse(record)
    except RejectError as reject:
        return reject


def disturbed(records: Sequence[bytes], seed: int, n: int) -> list[bytes]:
    """Sample lines with some bytes replaced: most of them broken, all of them different."""
    rng = random.Random(seed)
    made = []
    for _ in range(n):
        record = bytearray(rng.choice(records))
        for _ in range(rng.randint(1, 4)):
            record[rng.randrange(len(record))] = rng.choice(b'0123456789abc"{}[]:, \x00\xff')
        made.append(bytes(record))
    return made
