from collections.abc import Iterable

import pytest
from aiokafka import TopicPartition
from aiokafka.coordinator.protocol import ConsumerProtocolMemberMetadata

from monitor.sources.kafka_assign import Claim, OneActive, choose


class Cluster:
    """As much of aiokafka's ``ClusterMetadata`` as an assignor asks for."""

    def __init__(self, **topics: int) -> None:
        self._topics = topics

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return set(range(self._topics[topic])) if topic in self._topics else None


def member(started: float, active_since: int = 0) -> OneActive:
    one = OneActive(started)
    one.active_since = active_since
    return one


def joined(one: OneActive, topics: Iterable[str] = ("a", "b")) -> ConsumerProtocolMemberMetadata:
    # Through its bytes, as the others of the group get it.
    return ConsumerProtocolMemberMetadata.decode(one.metadata(topics).encode())


@pytest.mark.parametrize(
    ("claims", "chosen"),
    [
        ({"a": Claim(0, 20.0), "b": Claim(0, 10.0)}, "b"),  # nobody works: who has waited longest
        ({"a": Claim(0, 10.0), "b": Claim(1, 20.0)}, "b"),  # who works goes on
        ({"a": Claim(3, 10.0), "b": Claim(7, 20.0)}, "b"),  # "a" was thrown out when "b" began, and does not know it yet
        ({"b": Claim(0, 10.0), "a": Claim(0, 10.0)}, "a"),  # all the same: every leader decides alike
    ],
)
def test_one_is_chosen(claims: dict[str, Claim], chosen: str) -> None:
    assert choose(claims) == chosen


def test_all_partitions_go_to_the_one_that_works_and_nothing_to_the_others() -> None:
    cluster = Cluster(a=3, b=1)
    works, waits = member(20.0, active_since=2), member(10.0)
    given = waits.assign(cluster, {"works": joined(works), "waits": joined(waits)})
    for name, one in (("works", works), ("waits", waits)):
        one.on_assignment(type(given[name]).decode(given[name].encode()))
    assert given["works"].partitions() == [TopicPartition("a", 0), TopicPartition("a", 1), TopicPartition("a", 2), TopicPartition("b", 0)]
    assert given["waits"].partitions() == []
    assert (works.is_chosen, waits.is_chosen) == (True, False)


def test_one_works_also_when_there_are_no_topics() -> None:
    one = member(10.0)
    given = one.assign(Cluster(), {"one": joined(one)})
    one.on_assignment(given["one"])
    assert given["one"].partitions() == []
    assert one.is_chosen


def test_the_topics_are_those_of_the_one_that_works() -> None:
    old, new = member(10.0, active_since=1), member(20.0)
    given = new.assign(Cluster(a=1, b=1), {"old": joined(old, ["a"]), "new": joined(new, ["a", "b"])})
    assert given["old"].partitions() == [TopicPartition("a", 0)]


@pytest.mark.parametrize("data", [b"", None, b"\x00\x01", b'{"other": 1}'])
def test_a_member_of_another_version_comes_last(data: bytes | None) -> None:
    strange = ConsumerProtocolMemberMetadata(0, ["a"], data)
    one = member(99.0)
    given = one.assign(Cluster(a=1), {"a-strange": strange, "one": joined(one)})
    assert given["one"].partitions() == [TopicPartition("a", 0)]
