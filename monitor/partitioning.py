"""Whether the work may be split by partitions: every detector must get all events of a key in one process.

Detectors are keyed in several ways, a topic in one. Two processes that each read a part of the partitions would each see a part of an
address's failures, and neither the attack; so a split that does not keep keys together is refused.
"""

from detectors.base import by_actor, by_ip
from detectors.impossible_travel import by_traveller
from detectors.session_hijack import by_session
from monitor.app import detectors
from monitor.settings import Settings
from schemas.errors import ConfigurationError

COVERS = {
    "none": frozenset(),
    "tenant": None,
    "actor": frozenset({by_actor, by_traveller}),
    "ip": frozenset({by_ip}),
    "session": frozenset({by_session}),
}
"""What the partitions of a topic keep together → the keys of detectors that are together then; ``None``: all, for a tenant is in every key."""


def check(settings: Settings) -> None:
    """Raise ``ConfigurationError`` when a part of the partitions is read, and the parts would tear a detector's keys apart."""
    if settings.kafka is None or settings.kafka.instances == 1:
        return
    problems: list[str] = []
    for number, topic in enumerate(settings.kafka.topics):
        covered = COVERS[topic.partition_key]
        if covered is None:
            continue
        torn = sorted({f"{each.name}/{each.variant}" for each in detectors(settings) if each.key not in covered})
        if torn:
            problems.append(
                f"kafka.topics.{number}.partition_key: {topic.partition_key} does not keep together what {', '.join(torn)} must see together; "
                "partition the topic by tenant and say partition_key: tenant, disable these detectors, or set kafka.instances: 1"
            )
    if problems:
        raise ConfigurationError("\n".join(problems))
