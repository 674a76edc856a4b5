"""The host name of a request, and the host names that are served. Never resolves a name.

A page of any site can have its own name point to 127.0.0.1 or to an address inside a network, and then reads what is
answered there as its own (DNS rebinding). The name in `Host` is the one that the browser believes to talk to.
"""

import ipaddress
import re
from collections.abc import Iterable, Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from service.clock import Clock
from service.web.http.errors import invalid
from service.web.http.replies import refusal
from service.web.http.trace import trace_of

HOST = re.compile(rb"(?P<name>\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(?::[0-9]*)?")
"""RFC 9110 section 7.2: a host with or without a port."""


def host_name(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The name in `Host`, in lower case and without the port; "" where there is none."""
    for name, value in headers:
        if name == b"host":
            match = HOST.fullmatch(value)
            return match["name"].decode().lower().removesuffix(".") if match else ""
    return ""


def is_loopback(name: str) -> bool:
    """Returns whether this name can only mean the browser's own machine (RFC 6761 section 6.3)."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False


class AllowedHosts:
    """Middleware that refuses every request for another host name."""

    def __init__(self, app: ASGIApp, names: Sequence[str], clock: Clock) -> None:
        self._app = app
        self._names = frozenset(names)
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if host_name(scope["headers"]) in self._names:
            await self._app(scope, receive, send)
            return
        refused = invalid("host", "is no host name that is answered here")
        trace = trace_of(scope)
        trace.refused, trace.reason = refused.code, refused.reason
        await refusal(refused, self._clock.now_us())(scope, receive, send)
