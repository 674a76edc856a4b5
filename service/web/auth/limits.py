"""Limits the request rates of addresses and credentials. Never waits: it returns how long the caller must wait.

Uses the generic cell rate algorithm (ITU-T I.371): a token bucket that holds a minute's tokens and refills evenly,
stored as one number, the instant at which it is full again. With 60 a minute, 60 requests at once move that instant a
minute ahead; the next request must wait for one second.
"""

import ipaddress
import math
from collections.abc import Hashable, MutableMapping
from typing import Any

from service.domain.tickets.ticket import Instant
from service.lru import Lru

MINUTE_US = 60_000_000

CALLERS_REMEMBERED = 100_000
"""Callers whose rates are held at a time: some 20 MB. The one whose last request is oldest is dropped first."""

IPV6_NETWORK_BITS = 64
"""The smallest network that a customer gets (RFC 6177). A customer can use any number of addresses in it."""


class RateLimit:
    """Allows each caller `per_min` requests a minute, also all at once; 0 means no limit."""

    def __init__(self, per_min: int) -> None:
        self._interval_us = MINUTE_US / per_min if per_min else 0.0
        self._full_at: Lru[Hashable, float] = Lru(CALLERS_REMEMBERED)

    def wait_s(self, caller: Hashable, now: Instant) -> int:
        """Returns 0 and counts the request if it is within the limit, else the whole seconds until one would be."""
        if not self._interval_us:
            return 0
        full_at = self._full_at.get(caller) or 0.0
        if full_at > now + MINUTE_US:  # the clock was set back, which must not lock the caller out
            full_at = now + MINUTE_US
            self._full_at.put(caller, full_at)  # stored, or each later request would find the bucket empty again
        full_at = max(full_at, now) + self._interval_us
        excess_us = full_at - now - MINUTE_US
        if excess_us > 0.5:  # not a rounding error of the sum
            return math.ceil(excess_us / 1_000_000)
        self._full_at.put(caller, full_at)
        return 0


def caller_address(scope: MutableMapping[str, Any]) -> str:
    """Returns the caller's IPv4 address or IPv6 network, by which requests are limited; "" where there is none."""
    address = address_of(scope)
    if ":" not in address:
        return address
    try:
        return str(ipaddress.ip_network((address, IPV6_NETWORK_BITS), strict=False))
    except ValueError:
        return address


def address_of(scope: MutableMapping[str, Any]) -> str:
    """Returns the caller's address: IPv4 also for an IPv4-mapped IPv6 address; "" for a connection without one.

    Never reads a header: any caller can forge it.
    """
    client = scope.get("client")
    text = str(client[0]).partition("%")[0] if client else ""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)
