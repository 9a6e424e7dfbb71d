"""Where reading of a partition begins, and what is said when that is not where it was meant to."""

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple

from aiokafka import TopicPartition

_log = logging.getLogger("watchfloor")

Start = Literal["latest", "earliest"] | datetime


class Jump(NamedTuple):
    """A position that the partition does not have any more."""

    partition: TopicPartition
    wanted: int
    begin: int
    end: int

    @property
    def lost(self) -> int:
        """Records between the two that are gone for good."""
        return max(0, self.begin - self.wanted)

    def tell(self) -> None:
        """Log it, with what follows from it."""
        why = (
            "the brokers have deleted records that were not read yet; give the topic a longer retention"
            if self.lost
            else "the topic is shorter than it was: it was made anew, or a broker lost records"
        )
        facts = {"topic": self.partition.topic, "partition": self.partition.partition, "wanted": self.wanted, "end": self.end}
        _log.warning("kafka_position_gone", extra={**facts, "goes_on_at": self.begin, "records_lost": self.lost, "reason": why})


def source_of(partition: TopicPartition) -> str:
    """The name of an input.

    >>> source_of(TopicPartition("logins", 3))
    'logins/3'
    """
    return f"{partition.topic}/{partition.partition}"


def known_positions(positions: Mapping[str, Any]) -> dict[TopicPartition, int]:
    """Positions of a checkpoint, by partition; what is none of Kafka's is left out.

    >>> known_positions({"logins/3": 17, "stdin": 4, "file:/var/log/1": {"line": 2}})
    {TopicPartition(topic='logins', partition=3): 17}
    """
    known = {}
    for source, position in positions.items():
        topic, _, number = source.rpartition("/")
        if topic and ":" not in topic and number.isascii() and number.isdigit() and isinstance(position, int):
            known[TopicPartition(topic, int(number))] = position
    return known


async def resolve(
    consumer: Any, partitions: Iterable[TopicPartition], known: Mapping[TopicPartition, int], start: Start
) -> tuple[dict[TopicPartition, int], list[Jump]]:
    """The position of each of these partitions, and those that had to be given up. Raises the library's errors.

    What is known counts. A partition that is not, of a topic of which another one is, was added since: it is read from its beginning, as
    all that is in it is new. In a topic of which nothing is known ``start`` counts.
    """
    wanted = list(partitions)
    begins, ends = await consumer.beginning_offsets(wanted), await consumer.end_offsets(wanted)
    topics = {partition.topic for partition in known}
    unknown = [partition for partition in wanted if partition.topic not in topics]
    started = await _start(consumer, unknown, start, begins, ends)
    positions, jumps = {}, []
    for partition in wanted:
        begin, end = begins[partition], ends[partition]
        position = known.get(partition, started.get(partition, begin))
        if not begin <= position <= end:
            jumps.append(Jump(partition, position, begin, end))
            position = begin
        positions[partition] = position
    return positions, jumps


async def _start(
    consumer: Any, partitions: list[TopicPartition], start: Start, begins: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]
) -> dict[TopicPartition, int]:
    if not partitions or start == "earliest":
        return {partition: begins[partition] for partition in partitions}
    if not isinstance(start, datetime):
        return {partition: ends[partition] for partition in partitions}
    found = await consumer.offsets_for_times(dict.fromkeys(partitions, round(start.timestamp() * 1000)))
    # No record of that time or later: what comes next is the first.
    return {partition: ends[partition] if found[partition] is None else found[partition].offset for partition in partitions}
