import asyncio
from ipaddress import ip_address
from typing import Any

import pytest

from monitor.sinks.addresses import Guard, kind_of, resolve

FORBIDDEN = [
    ("127.0.0.1", "loopback"),
    ("127.255.255.254", "loopback"),
    ("::1", "loopback"),
    ("0.0.0.0", "unspecified"),
    ("::", "unspecified"),
    ("0.1.2.3", "private"),
    ("10.0.0.1", "private"),
    ("172.16.0.1", "private"),
    ("172.31.255.255", "private"),
    ("192.168.1.1", "private"),
    ("100.64.0.1", "private"),
    ("192.0.0.8", "reserved"),
    ("192.88.99.1", "reserved"),
    ("198.18.0.1", "private"),
    ("203.0.113.9", "private"),
    ("169.254.0.1", "link-local"),
    ("fe80::1", "link-local"),
    ("fe80::1%eth0", "link-local"),
    ("fec0::1", "private"),
    ("fc00::1", "private"),
    ("fd12:3456::1", "private"),
    ("2001:db8::1", "private"),
    ("100::1", "reserved"),
    ("224.0.0.1", "multicast"),
    ("239.255.255.250", "multicast"),
    ("ff02::1", "multicast"),
    ("240.0.0.1", "reserved"),
    ("255.255.255.255", "reserved"),
    ("169.254.169.254", "metadata"),
    ("169.254.170.2", "metadata"),
    ("100.100.100.200", "metadata"),
    ("168.63.129.16", "metadata"),
    ("192.0.0.192", "metadata"),
    ("fd00:ec2::254", "metadata"),
    # IPv4 inside of IPv6.
    ("::ffff:127.0.0.1", "loopback"),
    ("::ffff:10.0.0.1", "private"),
    ("::ffff:169.254.169.254", "metadata"),
    ("::ffff:0:127.0.0.1", "loopback"),
    ("::127.0.0.1", "reserved"),
    ("::7f00:1", "reserved"),
    ("64:ff9b::7f00:1", "loopback"),
    ("64:ff9b::a9fe:a9fe", "metadata"),
    ("64:ff9b::c0a8:101", "private"),
    ("64:ff9b:1::7f00:1", "private"),
    ("2002:7f00:1::", "loopback"),
    ("2002:a9fe:a9fe::1", "metadata"),
    ("2002:c0a8:101::1", "private"),
    ("2001:0:7f00:1::", "reserved"),
    ("fe80::5efe:7f00:1", "loopback"),
    ("2620:0:1::5efe:c0a8:101", "private"),
    ("no address", "unreadable"),
    ("", "unreadable"),
]
PUBLIC = ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"]


@pytest.mark.parametrize(("address", "kind"), FORBIDDEN)
def test_addresses_that_are_nobodys_business(address: str, kind: str) -> None:
    assert Guard(allow=False, cure="").refusal(address) == kind


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_pass(address: str) -> None:
    assert Guard(allow=False, cure="").refusal(address) is None


@pytest.mark.parametrize(
    ("allow", "address", "expected"),
    [
        (True, "10.0.0.1", None),
        (True, "127.0.0.1", None),
        (True, "::1", None),
        (True, "fd12::1", None),
        (True, "::ffff:10.0.0.1", None),
        (True, "169.254.1.1", "link-local"),
        (True, "169.254.169.254", "metadata"),
        (True, "100.100.100.200", "metadata"),
        (True, "fd00:ec2::254", "metadata"),
        (True, "224.0.0.1", "multicast"),
        (True, "0.0.0.0", "unspecified"),
        (("10.0.0.0/8",), "10.1.2.3", None),
        (("10.0.0.0/8",), "::ffff:10.1.2.3", None),
        (("10.0.0.0/8",), "64:ff9b::a01:203", None),
        (("10.0.0.0/8",), "192.168.0.1", "private"),
        (("10.0.0.0/8",), "127.0.0.1", "loopback"),
        (("::1/128",), "::1", None),
        (("::1/128",), "127.0.0.1", "loopback"),
        (("fd00::/8",), "fd12::1", None),
        (("fd00::/8",), "fd00:ec2::254", "metadata"),
        (("fd00:ec2::254/128",), "fd00:ec2::254", None),
        (("0.0.0.0/0", "::/0"), "169.254.169.254", "metadata"),
        (("169.254.0.0/16",), "169.254.1.1", None),
        (("169.254.169.254",), "169.254.169.254", None),
        ((), "10.0.0.1", "private"),
    ],
)
def test_what_is_allowed_passes_and_nothing_else(allow: Any, address: str, expected: str | None) -> None:
    assert Guard(allow, "").refusal(address) == expected


@pytest.mark.parametrize("written", ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1"])
def test_other_ways_to_write_loopback_are_resolved_to_it(written: str) -> None:
    found = asyncio.run(resolve(written, 443))

    assert [kind_of(ip_address(address)) for address in found] == ["loopback"]
