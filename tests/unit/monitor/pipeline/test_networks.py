"""Kinds of networks: the table, and the words of a database."""

from typing import Any

import pytest

from monitor.pipeline.networks import DEFAULT_NETWORKS, KINDS, merged, told_kind
from schemas.errors import ConfigurationError


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"is_anonymous_vpn": True}, "vpn"),
        ({"is_hosting_provider": True}, "hosting"),
        ({"is_satellite_provider": True}, "satellite"),
        ({"is_anonymous_proxy": True}, "relay"),
        ({"is_tor_exit_node": True, "is_hosting_provider": True}, "relay"),
        ({"connection_type": "Cellular"}, "mobile"),
        ({"connection_type": "Corporate"}, None),
        ({"user_type": "hosting"}, "hosting"),
        ({"user_type": "residential"}, None),
        ({"vpn": "true"}, "vpn"),
        ({"vpn": "", "hosting": "false"}, None),
        ({"is_hosting_provider": 1, "user_type": 3}, None),
        ({}, None),
    ],
)
def test_kind_of_network_is_told_by_the_fields_of_a_record(fields: dict[str, Any], kind: str | None) -> None:
    assert told_kind(fields) == kind


def test_every_default_network_is_of_a_known_kind() -> None:
    assert set(DEFAULT_NETWORKS.values()) <= KINDS


def test_the_users_networks_extend_and_override_the_default_ones() -> None:
    table = merged({64500: "mobile", 16509: "vpn", 13335: "ordinary"})
    assert table == {asn: kind for asn, kind in DEFAULT_NETWORKS.items() if asn != 13335} | {64500: "mobile", 16509: "vpn"}


@pytest.mark.parametrize(("asn", "kind"), [(0, "vpn"), (2**32, "vpn"), (64500, "VPN"), (64500, "")])
def test_a_wrong_entry_of_the_users_networks_is_a_configuration_error(asn: int, kind: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^geography\.networks"):
        merged({asn: kind})
