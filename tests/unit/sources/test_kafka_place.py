import asyncio
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest
from aiokafka import TopicPartition

from monitor.sources.kafka_place import Jump, known_positions, resolve

A0, A1, B0 = TopicPartition("a", 0), TopicPartition("a", 1), TopicPartition("b", 0)
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


class At(NamedTuple):
    offset: int


class Log:
    """What a broker holds: for each partition, its first and last offset, and the first one from noon on (``None``: none)."""

    def __init__(self, held: Mapping[TopicPartition, tuple[int, int, int | None]]) -> None:
        self._held = held

    async def beginning_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return {one: self._held[one][0] for one in partitions}

    async def end_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return {one: self._held[one][1] for one in partitions}

    async def offsets_for_times(self, times: Mapping[TopicPartition, int]) -> dict[TopicPartition, Any]:
        assert set(times.values()) == {1_769_860_800_000}
        return {one: None if self._held[one][2] is None else At(self._held[one][2] or 0) for one in times}


HELD = {A0: (10, 20, 15), A1: (0, 5, None), B0: (3, 7, 4)}


@pytest.mark.parametrize(
    ("known", "start", "positions"),
    [
        ({}, "latest", {A0: 20, A1: 5, B0: 7}),
        ({}, "earliest", {A0: 10, A1: 0, B0: 3}),
        ({}, NOON, {A0: 15, A1: 5, B0: 4}),  # where nothing is so late: with what comes
        ({A0: 12, A1: 5, B0: 3}, "latest", {A0: 12, A1: 5, B0: 3}),  # what is known counts, also both ends
        ({A0: 12}, "latest", {A0: 12, A1: 0, B0: 7}),  # A1 was added since; nothing is known of topic b
    ],
)
def test_reading_begins(known: dict[TopicPartition, int], start: Any, positions: dict[TopicPartition, int]) -> None:
    assert asyncio.run(resolve(Log(HELD), [A0, A1, B0], known, start)) == (positions, [])


@pytest.mark.parametrize(
    ("wanted", "lost"),
    [
        (9, 1),
        (0, 10),
        (21, 0),  # beyond the end: nothing that was read is missing, but nothing is sure either
    ],
)
def test_a_position_that_is_gone_is_given_up_for_the_beginning(wanted: int, lost: int) -> None:
    positions, jumps = asyncio.run(resolve(Log(HELD), [A0], {A0: wanted}, "latest"))
    assert positions == {A0: 10}
    assert jumps == [Jump(A0, wanted, 10, 20)]
    assert jumps[0].lost == lost


def test_positions_of_other_sources_are_passed_over() -> None:
    given = {"a.b-c/12": 5, "stdin": 3, "file:/var/log/7": 8, "a/x": 1, "a/1": {"no": "offset"}, "/3": 1}
    assert known_positions(given) == {TopicPartition("a.b-c", 12): 5}
