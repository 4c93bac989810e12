"""Where a request comes from, as far as it is counted: by what one home has, and not by more."""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Final

# A home, or a phone, has as many addresses of IPv6 as it likes: all that begin with these bits.
_HOME_BITS: Final = 64
# What a whole site is given at most, which has a network for each of its homes.
_SITE_BITS: Final = 48


def home(address: str) -> str:
    """The network that a home has: an address of IPv4, also one written as IPv6; else its /64."""
    return _network(address, _HOME_BITS)


def site(address: str) -> str:
    """The network that a site has: as `home`, and of IPv6 its /48."""
    return _network(address, _SITE_BITS)


def is_homes_own(address: str) -> bool:
    """Whether nobody else calls from there, as they do from an operator's address of IPv4."""
    return "/" in home(address)


def _network(address: str, bits: int) -> str:
    try:
        read = ip_address(address)
    except ValueError:
        return address  # whoever stands before us has a name for it
    if not isinstance(read, IPv6Address):
        return str(read)
    if read.ipv4_mapped is not None:
        return str(read.ipv4_mapped)
    return str(IPv6Network((int(read), bits), strict=False))
