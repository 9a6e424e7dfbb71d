"""Standard input as a live source."""

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine

import pytest

from monitor.sources.live import Arrived, LiveInput
from monitor.sources.standard_input import HELD_PIECES, READ_BYTES, StandardInput


def with_pipe(scenario: Callable[[StandardInput, int], Coroutine[None, None, None]]) -> None:
    """Run it with a source that reads a pipe, and the end to write to; the scenario may close that one."""
    read, write = os.pipe()

    async def run() -> None:
        source = StandardInput("native", 100, descriptor=read)
        await source.start()
        try:
            await scenario(source, write)
        finally:
            await source.close()

    try:
        asyncio.run(run())
    finally:
        os.close(read)


async def everything(source: StandardInput) -> list[Arrived]:
    arrived: list[Arrived] = []
    while not source.ended:
        arrived += await source.next(5)
    return arrived


def test_lines_come_with_their_numbers_and_then_it_has_ended() -> None:
    async def scenario(source: StandardInput, write: int) -> None:
        os.write(write, b"one\n\ntwo\nhalf a li")
        os.close(write)
        arrived = await everything(source)
        assert [(line, record) for one in arrived for line, record in zip(one.lines, one.records, strict=True)] == [
            (1, b"one"),
            (3, b"two"),
            (4, b"half a li"),
        ]
        assert {one.position for one in arrived} == {None}
        assert await source.next(0) == []

    with_pipe(scenario)


def test_silence_is_said_and_is_no_end() -> None:
    async def scenario(source: StandardInput, write: int) -> None:
        assert await source.next(0.01) == [Arrived("stdin", [], [], None, caught_up=True)]
        assert not source.ended
        os.write(write, b"one\n")
        arrived = await source.next(5)
        assert [one.records for one in arrived] == [[b"one"]]
        os.close(write)
        assert [one.records for one in await everything(source)] == [[]]

    with_pipe(scenario)


def test_a_long_line_is_oversize() -> None:
    async def scenario(source: StandardInput, write: int) -> None:
        os.write(write, b"x" * 300 + b"\nok\n")
        os.close(write)
        arrived = await everything(source)
        assert [record for one in arrived for record in one.records] == [b"ok"]
        assert [(line, len(piece)) for one in arrived for line, piece in one.oversize] == [(1, 300)]

    with_pipe(scenario)


def test_whoever_writes_waits_when_nobody_takes_the_records() -> None:
    text = b"x" * 63 + b"\n"
    total_bytes = 2 * HELD_PIECES * READ_BYTES

    async def scenario(source: StandardInput, write: int) -> None:
        written = 0

        def fill() -> None:
            nonlocal written
            while written < total_bytes:
                written += os.write(write, text * 1024)
            os.close(write)

        writer = threading.Thread(target=fill)
        writer.start()
        source.pause(frozenset({"stdin"}))
        assert await source.next(0.2) == []
        assert written <= (HELD_PIECES + 3) * READ_BYTES  # what is held, what the pipe holds, and what is on its way
        source.pause(frozenset())
        arrived = await everything(source)
        await asyncio.to_thread(writer.join)
        assert sum(len(one.records) for one in arrived) == total_bytes // len(text)

    with_pipe(scenario)


def test_it_can_be_left_while_nothing_comes() -> None:
    async def scenario(source: StandardInput, write: int) -> None:
        await source.close()
        os.close(write)

    with_pipe(scenario)


@pytest.mark.parametrize("tenant", [None, "acme"])
def test_its_input_is_called_stdin(tenant: str | None) -> None:
    source = StandardInput("sshd", tenant=tenant)
    assert source.inputs == [LiveInput("stdin", "sshd", tenant, "stdin")]
    assert source.lag() == {}
