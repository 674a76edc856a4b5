"""Checks a caller's address against a credential's allowed addresses."""

import ipaddress
from collections.abc import Sequence


def is_allowed(address: str, allowed: Sequence[str] | None) -> bool:
    """Whether `allowed` has the address or a network that contains it; None allows every address."""
    if allowed is None:
        return True
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in ipaddress.ip_network(each, strict=False) for each in allowed)
