"""Who of a consumer group works: one member has all partitions and keeps them when others join; they stand by."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata

ACTIVE = b"active"
"""``user_data`` of the assignment of the one that works; also when its topics have no partitions at the time."""
NAME = "watchfloor-one-active"
"""Of the strategy. Members with another one cannot be in the same group, which the broker tells them."""


class Claim(msgspec.Struct, array_like=True, frozen=True):
    """What a member tells the others when the group is formed anew."""

    active_since: int
    """Generation of the group in which it began to work; 0: it stands by."""
    started: float
    """Unix seconds when the process began to wait: the one that has waited longest comes next."""


class OneActive:
    """The strategy, in the shape of aiokafka's ``AbstractPartitionAssignor``; an object, for what it says differs by process.

    ``started``: Unix seconds.
    """

    name = NAME

    def __init__(self, started: float) -> None:
        self._started = started
        self.active_since = 0
        """Set by whoever uses it, when this process begins or ceases to work."""
        self.is_chosen = False
        """Whether the last assignment was to this process."""

    def metadata(self, topics: Iterable[str]) -> Any:
        """What this member says of itself when it joins."""
        claim = msgspec.json.encode(Claim(self.active_since, self._started))
        return ConsumerProtocolMemberMetadata(0, sorted(topics), claim)

    def assign(self, cluster: Any, members: Mapping[str, Any]) -> dict[str, Any]:
        """All partitions of its topics to one member, nothing to the others. The group's leader asks this."""
        claims = {member: _claim_of(metadata.user_data) for member, metadata in members.items()}
        chosen = choose(claims)
        given = []
        for topic in sorted(members[chosen].subscription):
            partitions = sorted(cluster.partitions_for_topic(topic) or ())
            if partitions:
                given.append((topic, partitions))
        assignment = {member: ConsumerProtocolMemberAssignment(0, [], b"") for member in members}
        assignment[chosen] = ConsumerProtocolMemberAssignment(0, given, ACTIVE)
        return assignment

    def on_assignment(self, assignment: Any) -> None:
        """Learn what the leader decided."""
        self.is_chosen = assignment.user_data == ACTIVE


def choose(claims: Mapping[str, Claim]) -> str:
    """The member that works: the one that began last (an earlier one was thrown out meanwhile), else the one that has waited longest.

    >>> choose({"a": Claim(0, 10.0), "b": Claim(3, 20.0), "c": Claim(0, 5.0)}), choose({"a": Claim(0, 10.0), "c": Claim(0, 5.0)})
    ('b', 'c')
    """
    return min(claims, key=lambda member: (-claims[member].active_since, claims[member].started, member))


def _claim_of(data: bytes | None) -> Claim:
    try:
        return msgspec.json.decode(data or b"", type=Claim)
    except msgspec.DecodeError:
        return Claim(0, float("inf"))  # of another version: last in the row
