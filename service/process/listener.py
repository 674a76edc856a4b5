"""The listening socket, made here so that its options are ours and the real port is known. Never accepts."""

import socket

BACKLOG = 2_048
"""Connections that may wait to be accepted: a fleet of dashboards reconnecting at once after a restart."""


UNSENT_BYTES = 16_384
"""What the kernel keeps for a slow client beyond what is on its way, instead of megabytes: one usual answer. Streams
set it lower for themselves (`web.connection`), at which answers of 40 KB would be a third slower."""

GONE_MS = 18_000
"""How long a peer may take nothing of what was sent before the kernel gives it up, be it frozen or vanished. With the
15 s between heartbeats it is noticed within the 35 s of the contract, and two are left for cleaning up."""

KEEP_ALIVE = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
"""Seconds of silence before the kernel asks, and between the times it asks: a vanished peer to whom nothing is sent."""


def listen(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A bound, not yet listening socket; `shared` lets further processes bind the same port. Raises OSError."""
    family, kind, protocol, _, address = _resolved(host, port)
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        _bound_waits(listener)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener


def reserve(host: str, port: int, *, shared: bool) -> socket.socket:
    """The same, of a port that nobody else has, be it `shared` among our own processes. Raises OSError."""
    listener = listen(host, port)
    if not shared:
        return listener
    # Bound alone first: two services that share a port by mistake would each answer half of the requests.
    port = port_of(listener)
    listener.close()
    return listen(host, port, shared=True)


def port_of(listener: socket.socket) -> int:
    """The real port, where 0 was asked for too."""
    port: int = listener.getsockname()[1]
    return port


def _bound_waits(listener: socket.socket) -> None:
    """Options that accepted connections inherit; a system without one of them does without it."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in {"TCP_NOTSENT_LOWAT": UNSENT_BYTES, "TCP_USER_TIMEOUT": GONE_MS, **KEEP_ALIVE}.items():
        if hasattr(socket, name):
            listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def url(listener: socket.socket) -> str:
    """Where it can be reached, with the real port."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _resolved(host: str, port: int) -> tuple[int, int, int, str, tuple[object, ...]]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return found[0]
