"""From which addresses a credential is good. Never looks at a header: anybody can write those."""

import ipaddress
from collections.abc import MutableMapping, Sequence
from typing import Any


def address_of(scope: MutableMapping[str, Any]) -> str:
    """The caller's address as it is shown to them: IPv4 also where the socket speaks IPv6; "" where there is none."""
    client = scope.get("client")
    text = str(client[0]).partition("%")[0] if client else ""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def is_allowed(address: str, allowed: Sequence[str] | None) -> bool:
    """Whether the address is one of these, or in one of these networks; None allows every one."""
    if allowed is None:
        return True
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(known in ipaddress.ip_network(each, strict=False) for each in allowed)
