"""Which open alerts are one incident, and who leads it."""

import msgspec
import pytest

from monitor.alerts.incidents import Incidents, Member
from schemas.severity import Severity


def member(name: str, entity: str, *links: str, severity: Severity = "low") -> Member:
    return Member(
        dedup_key=name, alert_id=f"id-{name}", detector="probe", severity=severity, entity=entity, links=list(links), incident="", number=0
    )


def opened(*members: Member) -> Incidents:
    incidents = Incidents()
    for each in members:
        incidents.open(each)
    return incidents


def together(*members: Member) -> list[str]:
    """The incident of each, once all are open."""
    opened(*members)
    return [each.incident for each in members]


@pytest.mark.parametrize(
    ("first", "second", "one"),
    [
        (member("a", "ip1"), member("b", "ip1"), True),
        (member("a", "ip1"), member("b", "ip2"), False),
        (member("a", "ip1"), member("b", "alice", "ip1"), True),
        (member("a", "ip1", "alice"), member("b", "alice"), True),
        # Only a link in common: two addresses that attack one account are two attacks until it says otherwise itself.
        (member("a", "ip1", "alice"), member("b", "ip2", "alice"), False),
    ],
    ids=["same_entity", "different", "new_one_links", "old_one_links", "links_in_common"],
)
def test_alerts_are_one_incident_when_one_is_about_the_other(first: Member, second: Member, one: bool) -> None:  # noqa: FBT001
    assert together(first, second) == (["id-a", "id-a"] if one else ["id-a", "id-b"])


def test_a_bridge_joins_the_oldest_of_two_incidents() -> None:
    assert together(member("a", "ip1"), member("b", "ip2"), member("c", "alice", "ip2", "ip1")) == ["id-a", "id-b", "id-a"]


def test_the_gravest_leads_and_among_equals_the_oldest() -> None:
    a, b, c = member("a", "ip1"), member("b", "ip1", severity="high"), member("c", "ip1", severity="high")
    incidents = opened(a, b, c)
    assert [incidents.leader(each) for each in (a, b, c)] == [b, b, b]
    c.severity = "critical"
    assert incidents.leader(a) is c
    incidents.close("c")
    incidents.close("b")
    assert incidents.leader(a) is a


def test_members_are_listed_oldest_first() -> None:
    a, b, c = member("c", "ip1"), member("b", "ip1"), member("a", "ip1")
    assert opened(a, b, c).of(c) == [a, b, c]


def test_a_closed_alert_is_kin_to_no_one() -> None:
    incidents = opened(member("a", "ip1", "alice"))
    incidents.close("a")
    b = member("b", "alice", "ip1")
    incidents.open(b)
    assert b.incident == "id-b"
    assert incidents.of(b) == [b]


def test_new_links_replace_the_old_ones() -> None:
    a = member("a", "ip1", "alice")
    incidents = opened(a)
    incidents.relink(a, ["bob"])
    alice, bob = member("b", "alice"), member("c", "bob")
    incidents.open(alice)
    incidents.open(bob)
    assert [alice.incident, bob.incident] == ["id-b", "id-a"]


def test_nothing_is_left_when_all_are_closed() -> None:
    members = [member(f"m{i}", f"ip{i % 3}", f"actor{i % 2}", "everyone") for i in range(10)]
    incidents = opened(*members)
    for each in members:
        incidents.relink(each, ["someone"])
        incidents.close(each.dedup_key)
    assert (incidents.members, incidents._own, incidents._linked, incidents._incidents) == ({}, {}, {}, {})


def test_a_dump_comes_back_and_goes_on_the_same() -> None:
    incidents = opened(member("a", "ip1", "alice"), member("b", "ip2"), member("c", "ip1"))
    incidents.close("b")
    again = Incidents()
    again.load(incidents.opened, [msgspec.structs.replace(each) for each in reversed(incidents.members.values())])
    late, late_again = member("d", "alice"), member("d", "alice")
    incidents.open(late)
    again.open(late_again)
    assert late_again == late
    assert late.number == 4
    assert again.of(late_again) == incidents.of(late)
    assert list(again.members.values()) == list(incidents.members.values())
