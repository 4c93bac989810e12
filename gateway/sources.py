"""
Where a request came from: the address that our own outermost proxy saw.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

from werkzeug.wrappers import Request

Address = IPv4Address | IPv6Address


def source(request: Request, *, proxies: int) -> Address | None:
    """
    Find the address that a request came from; None where it cannot be told.

    Each proxy of ours adds whom it was called by to `X-Forwarded-For`. So the first that is true is
    as many entries from the end as there are proxies; what stands before it, anybody may have
    written.

    Args:
        request: The request.
        proxies: How many proxies of ours it went through. With none, the header is not read.
    """
    if proxies == 0:
        return _parsed(request.remote_addr or "")
    entries = ",".join(request.headers.getlist("X-Forwarded-For")).split(",")
    return _parsed(entries[-proxies]) if len(entries) >= proxies else None


def _parsed(written: str) -> Address | None:
    try:
        found = ip_address(written.strip())
    except ValueError:
        return None
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found
