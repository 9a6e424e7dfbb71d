"""Which addresses may be sent to.

Whoever can set or change where a webhook leads, a name server's operator among them, could otherwise reach what only this machine can: its
own ports, its network, and the service from which a cloud machine gets its credentials.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolver = Callable[[str, int], Awaitable[list[str]]]
"""The addresses of a host and port, best first. Raises ``OSError`` when there are none."""

METADATA: frozenset[Address] = frozenset(
    map(
        ip_address,
        (
            "169.254.169.254",  # most clouds
            "169.254.170.2",  # credentials of containers on AWS
            "169.254.170.23",
            "168.63.129.16",  # Azure's wire server, a public address that only its machines reach
            "100.100.100.200",  # Alibaba
            "192.0.0.192",  # Oracle
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd20:ce::254",  # Google
        ),
    )
)
"""Where machines of clouds get their credentials."""

_NAT64 = IPv6Network("64:ff9b::/96")
_SIIT = IPv6Network("::ffff:0:0:0/96")
_ISATAP = (0x00005EFE, 0x02005EFE)
_MORE: tuple[tuple[Network, str], ...] = (
    (IPv4Network("100.64.0.0/10"), "private"),  # shared between a provider and its customers
    (IPv4Network("192.0.0.0/24"), "reserved"),
    (IPv4Network("192.88.99.0/24"), "reserved"),
    (IPv6Network("::/96"), "reserved"),  # IPv4-compatible
    (IPv6Network("64:ff9b:1::/48"), "private"),  # translation into a network's own IPv4
    (IPv6Network("100::/64"), "reserved"),
    (IPv6Network("2001::/32"), "reserved"),  # Teredo: leads to IPv4 addresses it hides
    (IPv6Network("fec0::/10"), "private"),
)
"""What the standard library counts as public in some of its versions."""


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host by the system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def embedded(address: Address) -> Address:
    """The IPv4 address that an IPv6 one leads to, where it is made of one; else the address itself.

    >>> embedded(ip_address("::ffff:127.0.0.1")), embedded(ip_address("64:ff9b::a9fe:a9fe"))
    (IPv4Address('127.0.0.1'), IPv4Address('169.254.169.254'))
    """
    if isinstance(address, IPv4Address):
        return address
    low = IPv4Address(int(address) & 0xFFFFFFFF)
    if _is_translated(address):
        return low
    if address.sixtofour is not None:
        return address.sixtofour
    if (int(address) >> 32) & 0xFFFFFFFF in _ISATAP:
        return low
    return address


def _is_translated(address: Address) -> bool:
    return isinstance(address, IPv6Address) and (address.ipv4_mapped is not None or address in _NAT64 or address in _SIIT)


def kind_of(address: Address) -> str | None:
    """What makes an address one that strangers must not choose; ``None``: nothing, it is anybody's.

    >>> kind_of(ip_address("127.0.0.1")), kind_of(ip_address("8.8.8.8"))
    ('loopback', None)
    """
    if address in METADATA:
        return "metadata"
    if address.is_loopback:
        return "loopback"
    if address.is_unspecified:
        return "unspecified"
    if address.is_link_local:
        return "link-local"
    if address.is_multicast:
        return "multicast"
    for network, kind in _MORE:
        if address in network:
            return kind
    if address.is_reserved:
        return "reserved"
    return None if address.is_global and not address.is_private else "private"


class Guard:
    """Says of each address whether it may be sent to. ``allow``: as the setting ``allow_private``; ``cure``: for the text of refusals."""

    def __init__(self, allow: bool | Iterable[str], cure: str) -> None:  # noqa: FBT001 - the setting is of both kinds
        self.cure = cure
        self._all = allow is True
        self._networks: list[Network] = [] if isinstance(allow, bool) else [ip_network(each) for each in allow]

    def refusal(self, text: str) -> str | None:
        """Why this address is not sent to, in one word (``loopback``, ``private`` …), or ``None``."""
        try:
            whole = ip_address(text.partition("%")[0])
        except ValueError:
            return "unreadable"
        inner = embedded(whole)
        # A translated address is the IPv4 one written otherwise. Tunnels are ways of their own, and both of their ends are looked at.
        for address in (inner,) if _is_translated(whole) else dict.fromkeys((inner, whole)):
            kind = kind_of(address)
            if kind is not None and not self._is_allowed(address, kind):
                return kind
        return None

    def _is_allowed(self, address: Address, kind: str) -> bool:
        if kind == "metadata":
            return any(network.num_addresses == 1 and address in network for network in self._networks)
        if self._all and kind in {"private", "loopback"}:
            return True
        return any(address in network for network in self._networks)
