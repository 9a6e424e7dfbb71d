"""How fast each format is decoded, as a ratio to the native format in the same run.

python -m tests.bench.formats [RECORDS]      (default 30000)

The samples are those of the contract tests, repeated. A small sample is kinder than real logs: what a parser remembers of text it has met
(addresses, user agents, kinds) is always met again.
"""

import sys
import time
from pathlib import Path

from schemas.errors import RejectError
from schemas.formats import FORMATS
from schemas.formats.base import Context, Memory

SAMPLES = Path(__file__).parents[1] / "contract" / "samples"
ROUNDS = 5
"""Each format is measured so often, in turns, and the fastest counts: another process can only slow it down."""


def _decode(name: str, records: list[bytes]) -> tuple[int, float]:
    """Events, and seconds of processor time."""
    parse = FORMATS[name].parser(Context(memory=Memory(), year=2026)).parse
    events = 0
    began = time.process_time()
    for record in records:
        try:
            events += len(parse(record))
        except RejectError:
            continue
    return events, time.process_time() - began


def main(number: int) -> None:
    """Measure each format and print a table."""
    records: dict[str, list[bytes]] = {}
    for name in FORMATS:
        lines = (SAMPLES / f"{name}.log").read_bytes().splitlines()
        records[name] = (lines * (number // len(lines) + 1))[:number]
    best: dict[str, tuple[int, float]] = {}
    for _ in range(ROUNDS):
        for name in FORMATS:
            events, seconds = _decode(name, records[name])
            if name not in best or seconds < best[name][1]:
                best[name] = (events, seconds)
    native_us = best["native"][1] / best["native"][0] * 1e6
    print(f"{'format':<18} {'bytes/record':>12} {'events/record':>13} {'µs/event':>9} {'events/s':>10} {'× native':>9}")
    for name, (events, seconds) in best.items():
        size_bytes = sum(map(len, records[name])) / number
        event_us = seconds / events * 1e6
        print(
            f"{name:<18} {size_bytes:>12.0f} {events / number:>13.2f} {event_us:>9.2f} {1e6 / event_us:>10,.0f} {event_us / native_us:>9.1f}"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 30_000)
