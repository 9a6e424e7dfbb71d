"""Networks whose addresses say little about where a person is: by their number, and by what a database says of them."""

from collections.abc import Mapping
from typing import Any, get_args

from schemas.errors import ConfigurationError
from schemas.event import Network

KINDS: frozenset[str] = frozenset(get_args(Network))
ORDINARY = "ordinary"
"""In a user's table: takes a network off the default table."""
HIGHEST_ASN = 2**32 - 1
"""AS numbers are 32 bits wide (RFC 6793)."""

DEFAULT_NETWORKS: Mapping[int, Network] = {
    8075: "hosting",  # Microsoft (Azure)
    12876: "hosting",  # Scaleway
    14061: "hosting",  # DigitalOcean
    14618: "hosting",  # Amazon (AWS)
    15169: "hosting",  # Google
    16276: "hosting",  # OVH
    16509: "hosting",  # Amazon (AWS)
    20473: "hosting",  # Vultr (The Constant Company, formerly Choopa)
    24940: "hosting",  # Hetzner
    31898: "hosting",  # Oracle Cloud
    60781: "hosting",  # Leaseweb Netherlands
    63949: "hosting",  # Akamai Connected Cloud (Linode)
    396982: "hosting",  # Google Cloud
    13335: "relay",  # Cloudflare: WARP, and an egress of iCloud Private Relay
    36183: "relay",  # Akamai: an egress of iCloud Private Relay
    54113: "relay",  # Fastly: an egress of iCloud Private Relay
    9009: "vpn",  # M247
    39351: "vpn",  # 31173 Services
    60068: "vpn",  # Datacamp (CDN77)
    212238: "vpn",  # Datacamp
    6167: "mobile",  # Verizon Wireless; customers of a whole country come out of few places, as with the next three
    20057: "mobile",  # AT&T Mobility
    21928: "mobile",  # T-Mobile US
    22394: "mobile",  # Verizon Wireless
    14593: "satellite",  # SpaceX Starlink
    22351: "satellite",  # Intelsat
}
"""AS number to the kind of network. Only operators that are known beyond doubt; a user's table extends and overrides it."""

_FLAGS: tuple[tuple[str, Network], ...] = (
    ("is_anonymous_vpn", "vpn"),
    ("vpn", "vpn"),
    ("is_tor_exit_node", "relay"),
    ("tor", "relay"),
    ("is_anonymous_proxy", "relay"),
    ("is_public_proxy", "relay"),
    ("is_residential_proxy", "relay"),
    ("proxy", "relay"),
    ("relay", "relay"),
    ("is_satellite_provider", "satellite"),
    ("is_satellite", "satellite"),
    ("is_hosting_provider", "hosting"),
    ("is_hosting", "hosting"),
    ("hosting", "hosting"),
    ("is_mobile", "mobile"),
)
"""Fields that say yes or no, the most telling first: an address of a VPN is nearly always that of a hosting provider as well."""
_WORDS: tuple[tuple[str, Mapping[str, Network]], ...] = (
    ("connection_type", {"cellular": "mobile", "satellite": "satellite"}),
    (
        "user_type",
        {"cellular": "mobile", "hosting": "hosting", "content_delivery_network": "hosting", "consumer_privacy_network": "relay"},
    ),
)


def merged(own: Mapping[int, str]) -> dict[int, str]:
    """Put the user's entries on top of the default table; ``ordinary`` takes an entry off.

    Raises ``ConfigurationError`` for a number that is no AS number, or an unknown kind.

    >>> table = merged({64500: "mobile", 13335: "ordinary"})
    >>> table[64500], table[16509], 13335 in table
    ('mobile', 'hosting', False)
    """
    for asn, kind in own.items():
        if not 1 <= asn <= HIGHEST_ASN:
            raise ConfigurationError(f"geography.networks: {asn} is no AS number; use 1 to {HIGHEST_ASN}")
        if kind != ORDINARY and kind not in KINDS:
            raise ConfigurationError(f"geography.networks.{asn}: unknown kind; use one of {', '.join(sorted(KINDS))} or {ORDINARY}")
    table: dict[int, str] = {**DEFAULT_NETWORKS, **own}
    return {asn: kind for asn, kind in table.items() if kind != ORDINARY}


def told_kind(fields: Mapping[str, Any]) -> str | None:
    """Tell the kind of network by the fields of a database record (or of its ``traits``); ``None`` when they say nothing.

    >>> told_kind({"is_hosting_provider": True, "is_anonymous_vpn": True}), told_kind({"connection_type": "Cable/DSL"})
    ('vpn', None)
    """
    for field, kind in _FLAGS:
        value = fields.get(field)
        # some publishers write yes and no as text
        if value is True or (isinstance(value, str) and value.lower() == "true"):
            return kind
    for field, kinds in _WORDS:
        word = fields.get(field)
        if isinstance(word, str) and word.lower() in kinds:
            return kinds[word.lower()]
    return None
