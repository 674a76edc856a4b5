"""How many requests an address or a credential may make. Never waits: it says yes, or how long to wait.

The generic cell rate algorithm (ITU-T I.371): a bucket that holds a minute's worth and refills evenly, in one number.
"""

import ipaddress
import math
from collections.abc import Hashable, MutableMapping
from typing import Any

from service.domain.tickets.ticket import Instant
from service.lru import Lru

MINUTE_US = 60_000_000

CALLERS_REMEMBERED = 100_000
"""Callers whose rate is known at a time: some 20 MB. Whoever made no request for longest is forgotten first."""

IPV6_NETWORK_BITS = 64
"""What one customer is given at least (RFC 6177): single addresses in it cost nothing."""


class RateLimit:
    """`per_min` requests a minute for each caller, all of them at once if need be; 0 is no limit."""

    def __init__(self, per_min: int) -> None:
        self._interval_us = MINUTE_US / per_min if per_min else 0.0
        self._full_at: Lru[Hashable, float] = Lru(CALLERS_REMEMBERED)

    def wait_s(self, caller: Hashable, now: Instant) -> int:
        """0 when the request may pass, which is then counted; else the whole seconds until one may."""
        if not self._interval_us:
            return 0
        full_at = self._full_at.get(caller) or 0.0
        if full_at > now + MINUTE_US:  # the clock was set back, which must not lock anybody out
            full_at = now + MINUTE_US
            self._full_at.put(caller, full_at)  # kept, or each later request would find the bucket just emptied
        full_at = max(full_at, now) + self._interval_us
        excess_us = full_at - now - MINUTE_US
        if excess_us > 0.5:  # a rounding error of the sum is no request
            return math.ceil(excess_us / 1_000_000)
        self._full_at.put(caller, full_at)
        return 0


def caller_address(scope: MutableMapping[str, Any]) -> str:
    """What requests are limited by: an IPv4 address, an IPv6 network, or "" where there is none."""
    client = scope.get("client")
    address = str(client[0]) if client else ""
    if ":" not in address:
        return address
    try:
        network = ipaddress.ip_network((address.partition("%")[0], IPV6_NETWORK_BITS), strict=False)
    except ValueError:
        return address
    mapped = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(mapped, ipaddress.IPv6Address) and mapped.ipv4_mapped is not None:
        return str(mapped.ipv4_mapped)
    return str(network)
