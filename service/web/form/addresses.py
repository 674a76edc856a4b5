"""Checks a caller's address against a credential's allowed addresses. Never reads a header: any caller can forge it."""

import ipaddress
from collections.abc import MutableMapping, Sequence
from typing import Any


def address_of(scope: MutableMapping[str, Any]) -> str:
    """Returns the caller's address: IPv4 also for an IPv4-mapped IPv6 address; "" for a connection without one."""
    client = scope.get("client")
    text = str(client[0]).partition("%")[0] if client else ""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def is_allowed(address: str, allowed: Sequence[str] | None) -> bool:
    """Whether `allowed` has the address or a network that contains it; None allows every address."""
    if allowed is None:
        return True
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in ipaddress.ip_network(each, strict=False) for each in allowed)
