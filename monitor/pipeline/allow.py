"""The allow-list: events that some detectors, or all of them, must not see."""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, time
from difflib import get_close_matches
from fnmatch import translate
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from math import inf
from operator import attrgetter
from typing import Annotated, Any, NamedTuple, Self

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from detectors.registry import DETECTORS
from detectors.settings import Strict
from monitor.pipeline.networks import HIGHEST_ASN
from schemas.errors import RejectError
from schemas.event import Event
from schemas.stamps import from_datetime

MAX_DECISIONS = 100_000
"""Decisions remembered, at up to 0.3 KiB each; beyond that all are made anew."""
EVERY_DETECTOR = "*"
NONE: frozenset[str] = frozenset()

_LAST_MOMENT = time(23, 59, 59, 999_999, tzinfo=UTC)
_MAPPED = IPv6Network("::ffff:0:0/96")

IPNetwork = IPv4Network | IPv6Network
Text = Annotated[str, StringConstraints(min_length=1)]


def _read_asn(value: object) -> int:
    number = value
    if isinstance(value, str) and (found := re.fullmatch(r"(?:AS)?([0-9]{1,10})", value.strip(), re.IGNORECASE)):
        number = int(found[1])
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= HIGHEST_ASN:
        raise ValueError(f"is no AS number; use 1 to {HIGHEST_ASN}, or AS1 to AS{HIGHEST_ASN}")
    return number


Asn = Annotated[int, BeforeValidator(_read_asn)]
"""An AS number, given as a number or as ``AS64500``."""


def read_network(text: str) -> IPNetwork:
    """An address or a network. IPv4-mapped IPv6 becomes IPv4, as it does in events. Raises ``ValueError``.

    >>> read_network("192.0.2.7"), read_network("::ffff:192.0.2.0/120")
    (IPv4Network('192.0.2.7/32'), IPv4Network('192.0.2.0/24'))
    """
    try:
        network = ip_network(text)
    except ValueError:
        try:
            ip_network(text, strict=False)
        except ValueError:
            raise ValueError("is no address or network; write it as 192.0.2.7 or 192.0.2.0/24") from None
        raise ValueError("has bits set beyond its prefix; write the first address of the network, such as 192.0.2.0/24") from None
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        mapped = network.network_address.ipv4_mapped
        assert mapped is not None
        return IPv4Network((mapped, network.prefixlen - 96))
    return network


def _check_ip(text: str) -> str:
    read_network(text)
    return text


def _check_detector(name: str) -> str:
    if name not in DETECTORS:
        near = get_close_matches(name, DETECTORS, n=1)
        cure = f"did you mean {near[0]}?" if near else f"use {', '.join(sorted(DETECTORS))}"
        raise ValueError(f"no such detector; {cure}")
    return name


def read_until(value: object) -> datetime:
    """The last moment of an entry; of a date, the end of that day in UTC. Raises ``ValueError``.

    >>> read_until("2026-01-31").isoformat(), read_until("2026-01-31T12:00:00+01:00").isoformat()
    ('2026-01-31T23:59:59.999999+00:00', '2026-01-31T12:00:00+01:00')
    """
    moment = value
    if isinstance(value, str):
        moment = _parsed(value)
    if isinstance(moment, date) and not isinstance(moment, datetime):
        moment = datetime.combine(moment, _LAST_MOMENT)
    if not isinstance(moment, datetime):
        raise ValueError("is no date or time; write 2026-01-31 or 2026-01-31T12:00:00Z")  # noqa: TRY004 - pydantic wants it
    if moment.tzinfo is None:
        raise ValueError("has no time zone; add Z or an offset such as +01:00")
    try:
        from_datetime(moment)
    except (RejectError, OverflowError):
        raise ValueError("is out of range; use a moment from 1990 to 2099") from None
    return moment


def _parsed(text: str) -> date | datetime | None:
    for read in (date.fromisoformat, datetime.fromisoformat):
        try:
            return read(text.strip())
        except ValueError:
            continue
    return None


class AllowEntry(Strict):
    """One exemption. Every condition that is given must hold."""

    ip: Annotated[Text, AfterValidator(_check_ip)] | None = Field(default=None, description="Address, or network such as 192.0.2.0/24.")
    actor: Text | None = Field(default=None, description="Actor; `*` and `?` match.")
    asn: Asn | None = Field(default=None, description="Number of the network operator, as 64500 or AS64500.")
    user_agent: Text | None = Field(default=None, description="User agent; `*` and `?` match.")
    tenant: Text | None = Field(default=None, description="Tenant it is for; `*` and `?` match. Absent: every tenant.")
    detectors: Annotated[tuple[Annotated[str, AfterValidator(_check_detector)], ...], Field(min_length=1)] | None = Field(
        default=None, description="Detectors that do not see the events. Absent: all."
    )
    until: Annotated[datetime, BeforeValidator(read_until)] | None = Field(
        default=None,
        description="Last moment, in event time: a date (to its end in UTC) or a time with its zone. Absent: for good.",
    )
    reason: Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)] = Field(description="Why; the report shows it.")

    @model_validator(mode="after")
    def _check_condition(self) -> Self:
        if self.ip is None and self.actor is None and self.asn is None and self.user_agent is None:
            raise ValueError("says for whom it is nowhere; give one or more of ip, actor, asn, user_agent")
        return self


class _Rule(NamedTuple):
    """One entry, made ready for matching."""

    number: int
    """Its place in the list."""
    until_ts: float
    names: frozenset[str]
    network: tuple[int, int, int] | None
    """IP version, first address and mask; compared as numbers, which is a good deal faster than as objects."""
    asn: int | None
    globs: tuple[tuple[str, re.Pattern[str]], ...]
    """Name of an event's field → what it must look like."""


def _rule(number: int, entry: AllowEntry) -> _Rule:
    globs = {"tenant": entry.tenant, "actor": entry.actor, "user_agent": entry.user_agent}
    network = None if entry.ip is None else read_network(entry.ip)
    return _Rule(
        number,
        inf if entry.until is None else entry.until.timestamp(),
        frozenset({EVERY_DETECTOR} if entry.detectors is None else entry.detectors),
        None if network is None else (network.version, int(network.network_address), int(network.netmask)),
        entry.asn,
        tuple((field, re.compile(translate(glob))) for field, glob in globs.items() if glob),
    )


class Allow:
    """Says which detectors must not see an event. An entry ends in event time, so that a replay agrees with the live run.

    State: at most ``MAX_DECISIONS`` decisions. Cost ≈ 0.2 µs per event of a known origin, and 10 µs per 100 entries for a new one.
    """

    def __init__(self, entries: Iterable[AllowEntry]) -> None:
        self._rules = tuple(_rule(number, entry) for number, entry in enumerate(entries))
        self.used: list[int] = [0] * len(self._rules)
        """Events exempted by each entry, in the order of the entries."""
        self._origin = _origin_of(self._rules)
        # Which entries are for an origin never changes; whether they still hold depends on the event, so it is not kept here.
        self._decisions: dict[Any, tuple[_Rule, ...]] = {}

    def __call__(self, event: Event) -> frozenset[str]:
        """Names of the detectors that must not see the event; ``*``: none may. Empty: all may."""
        origin = self._origin(event)
        rules = self._decisions.get(origin)
        if rules is None:
            rules = self._decide(origin, event)
        if not rules:
            return NONE
        names = NONE
        for rule in rules:
            if event.ts <= rule.until_ts:
                self.used[rule.number] += 1
                names = names | rule.names if names else rule.names
        return names

    def _decide(self, origin: object, event: Event) -> tuple[_Rule, ...]:
        address = _number_of(event.ip)
        rules = tuple(rule for rule in self._rules if _matches(rule, event, address))
        if len(self._decisions) >= MAX_DECISIONS:
            self._decisions.clear()
        self._decisions[origin] = rules
        return rules


def _origin_of(rules: Sequence[_Rule]) -> Callable[[Event], Any]:
    """What a decision depends on: only the fields that some entry asks for, so that few decisions serve many events."""
    fields = {field for rule in rules for field, _ in rule.globs}
    if any(rule.network is not None for rule in rules):
        fields.add("ip")
    if any(rule.asn is not None for rule in rules):
        fields.add("asn")
    return attrgetter(*sorted(fields)) if fields else lambda _: None


def _matches(rule: _Rule, event: Event, address: tuple[int, int]) -> bool:
    if rule.network is not None:
        version, first, mask = rule.network
        if version != address[0] or address[1] & mask != first:
            return False
    if rule.asn is not None and rule.asn != event.asn:
        return False
    for field, pattern in rule.globs:
        value = getattr(event, field)
        if value is None and field == "tenant":
            value = ""  # events of no tenant are one tenant too, as in overrides
        if value is None or pattern.match(value) is None:
            return False
    return True


def _number_of(ip: str | None) -> tuple[int, int]:
    """IP version and number of an address; version 0 when there is none."""
    try:
        address = ip_address(ip or "")
    except ValueError:
        return 0, 0
    return address.version, int(address)


def make_allow(entries: Sequence[AllowEntry]) -> Allow | None:
    """The allow-list, or ``None`` when it has no entries, so that the runner pays nothing for it."""
    return Allow(entries) if entries else None
