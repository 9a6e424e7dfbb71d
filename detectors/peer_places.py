"""How many accounts of a tenant are used from each country: a place new to one account is less strange where its peers are at home."""

from math import ceil
from typing import Annotated

import msgspec
from pydantic import Field

from detectors.base import KeyState
from detectors.phrases import times
from detectors.settings import DetectorSettings
from schemas.finding import Fact
from schemas.severity import RANK, SEVERITIES, Severity

PERIOD_S = 30 * 86_400
"""An account counts once in each period for each country; what counts is the present period or the one before, whichever has more."""
MAX_PLACES = 256
"""Countries of a tenant in each period; there are fewer on Earth."""
MAX_OWN = 8
"""Countries one account counts for within a period."""


class PeerSettings(DetectorSettings):
    """When the countries of the other accounts of a tenant say something."""

    min_peers: Annotated[
        int,
        Field(ge=1, le=10_000_000, description="Other accounts of the tenant with a known country from which on they are compared with."),
    ] = 20
    common_peers: Annotated[
        int, Field(ge=1, le=1_000_000, description="Those of them used from a country that make an alert about it one step less grave.")
    ] = 3
    common_share: Annotated[
        float, Field(ge=0, le=1, description="Share of them that must be used from a country to have that effect, besides `common_peers`.")
    ] = 0.02


class PeerPlaces(KeyState, gc=False):
    """At most 256 countries twice, and how many accounts there are: 1 KB usually."""

    period: int = 0
    """Number of the present one, since 1970."""
    accounts: int = 0
    before: int = 0
    """Accounts of the period before."""
    countries: dict[str, int] = msgspec.field(default_factory=dict)
    countries_before: dict[str, int] = msgspec.field(default_factory=dict)


class Votes(msgspec.Struct, frozen=True, gc=False):
    """What an account has counted for: its latest period, and at most 8 countries in it."""

    period: int = -2
    countries: tuple[str, ...] = ()


NO_VOTES = Votes()


def is_due(votes: Votes, country: str, ts: float) -> bool:
    """Whether an account seen in a country has yet to count for it."""
    return int(ts // PERIOD_S) > votes.period or (country not in votes.countries and len(votes.countries) < MAX_OWN)


def vote(places: PeerPlaces, votes: Votes, country: str, ts: float) -> Votes:
    """Count an account for a country, once in a period; return what it has counted for."""
    period = max(int(ts // PERIOD_S), votes.period)  # a late event counts for the present
    _turn(places, period)
    if period > votes.period:
        places.accounts += 1
        votes = Votes(period)
    counts = places.countries
    if country in counts or len(counts) < MAX_PLACES:
        counts[country] = counts.get(country, 0) + 1
    return Votes(period, (*votes.countries, country))


def _turn(places: PeerPlaces, period: int) -> None:
    if period <= places.period:
        return
    last = period == places.period + 1
    places.before, places.countries_before = (places.accounts, places.countries) if last else (0, {})
    places.period, places.accounts, places.countries = period, 0, {}


class Compared(msgspec.Struct, frozen=True):
    """One account's new country among its peers."""

    peers: int
    """Other accounts of the tenant with a known country."""
    there: int
    """Those of them that are used from the country."""
    needed: int
    """So many there make it common; 0: too few peers to say anything."""

    @property
    def is_common(self) -> bool:
        """Whether its peers are at home there."""
        return 0 < self.needed <= self.there


NO_PEERS = Compared(0, 0, 0)


def compare(places: PeerPlaces, votes: Votes, country: str, ts: float, limits: PeerSettings) -> Compared:
    """How common a country is among the other accounts."""
    _turn(places, int(ts // PERIOD_S))
    own = places.period - votes.period <= 1
    peers = max(0, max(places.accounts, places.before) - own)
    there = max(places.countries.get(country, 0), places.countries_before.get(country, 0))
    there = max(0, there - (own and country in votes.countries))
    needed = max(limits.common_peers, ceil(limits.common_share * peers)) if peers >= limits.min_peers else 0
    return Compared(peers, there, needed)


def eased(severity: Severity, compared: Compared) -> Severity:
    """One step less grave where its peers are at home.

    >>> eased("medium", Compared(40, 5, 3)), eased("info", Compared(40, 5, 3)), eased("medium", Compared(40, 2, 3))
    ('low', 'info', 'medium')
    """
    return SEVERITIES[max(0, RANK[severity] - 1)] if compared.is_common else severity


def facts(compared: Compared) -> dict[str, Fact]:
    """The numbers of an alert."""
    return {"peers": compared.peers, "peers_from_there": compared.there, "common_peers": compared.needed}


def words(facts: dict[str, Fact]) -> str:
    """A sentence, or nothing where there are too few peers.

    >>> words({"peers": 40, "peers_from_there": 5, "common_peers": 3}), words({"peers": 4, "peers_from_there": 0, "common_peers": 0})
    (' 5 of the 40 other accounts of the tenant are used from there.', '')
    """
    if not facts["common_peers"]:
        return ""
    there = int(facts["peers_from_there"])
    return (
        f" {there or 'None'} of the {times(facts['peers'], 'other account')} of the tenant {'is' if there < 2 else 'are'} used from there."
    )


def way_out(facts: dict[str, Fact]) -> str:
    """What would have changed the severity, or nothing.

    >>> way_out({"peers": 40, "peers_from_there": 1, "common_peers": 3})
    '; less grave if 3 other accounts were used from there'
    """
    needed = int(facts["common_peers"])
    if not needed:
        return ""
    if int(facts["peers_from_there"]) < needed:
        return f"; less grave if {times(needed, 'other account')} {'was' if needed == 1 else 'were'} used from there"
    return f"; graver if fewer than {times(needed, 'other account')} were used from there"
