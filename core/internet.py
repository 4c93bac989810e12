"""
The public internet: which addresses are on it, and which belong to a house.

Whoever names an address that we then call must not reach by us what they cannot reach themselves:
this machine, its neighbours, or the cloud's own service that hands out credentials.
"""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_network
from typing import Final

# What is assigned of IPv6 at all; IPv4 dressed as IPv6 (mapped, NAT64) is outside of it already.
_ASSIGNED: Final = ip_network("2000::/3")
# Within that: protocols (Teredo among them), 6to4, documentation. The first two carry an IPv4
# address inside, and somebody may route it.
_CARRIERS: Final = (
    ip_network("2001::/23"),
    ip_network("2001:db8::/32"),
    ip_network("2002::/16"),
    ip_network("3fff::/20"),
)
# Public by its number, and yet the house's own: Azure's host and Oracle's, and the 6to4 relays.
_NOT_PUBLIC: Final = (
    ip_network("168.63.129.16/32"),
    ip_network("192.0.0.0/24"),
    ip_network("192.88.99.0/24"),
)


def is_public(address: str) -> bool:
    """Whether an IP address, as numbers, is somebody's on the public internet."""
    try:
        four = IPv4Address(address)
    except AddressValueError:
        return _is_public_six(address)
    return four.is_global and not four.is_multicast and not any(four in net for net in _NOT_PUBLIC)


def is_loopback(address: str) -> bool:
    """Whether an IP address, as numbers, is this machine's own."""
    try:
        return IPv4Address(address).is_loopback
    except AddressValueError:
        pass
    try:
        return IPv6Address(address).is_loopback
    except AddressValueError:
        return False


def _is_public_six(address: str) -> bool:
    try:
        six = IPv6Address(address)
    except AddressValueError:
        return False
    return (
        six.scope_id is None
        and six in _ASSIGNED
        and six.is_global
        and not any(six in net for net in _CARRIERS)
    )
