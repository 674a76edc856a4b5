"""Makes the listening socket, with our own options, and reports its real port. Never accepts a connection."""

import socket

BACKLOG = 2_048
"""Connections that may wait to be accepted: enough for all dashboards that reconnect at once after a restart."""

UNSENT_BYTES = 16_384
"""Unsent bytes that the kernel buffers for a slow client: one usual answer, instead of megabytes. Streams set less for
themselves (`Connection.hold_nothing`); with so little, answers of 40 KB would be a third slower."""

GONE_MS = 18_000
"""Longest time without an acknowledgement of sent bytes before the kernel closes a connection: its peer is frozen or
gone. With the 15 s between heartbeats a lost peer is noticed after 33 s, and 2 s of the promised 35 s are left."""

KEEP_ALIVE = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
"""Seconds of silence before the first keep-alive probe, seconds between probes, and probes without a reply before the
connection closes: they find a lost peer while nothing is sent to it."""


def listen(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """Returns a bound socket that doesn't listen yet. `shared` lets other processes bind its port. Raises OSError."""
    family, kind, protocol, _, address = _resolved(host, port)
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        _set_options(listener)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener


def reserve(host: str, port: int, *, shared: bool) -> socket.socket:
    """Returns a bound socket like `listen`, but only of a port that no other program has. Raises OSError."""
    listener = listen(host, port)
    if not shared:
        return listener
    # First bound unshared: two services that shared a port by mistake would each answer half of the requests.
    port = port_of(listener)
    listener.close()
    return listen(host, port, shared=True)


def port_of(listener: socket.socket) -> int:
    """Returns the real port, also where the setting is 0."""
    port: int = listener.getsockname()[1]
    return port


def _set_options(listener: socket.socket) -> None:
    """Sets options that accepted connections inherit. Skips those that the system doesn't have."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in {"TCP_NOTSENT_LOWAT": UNSENT_BYTES, "TCP_USER_TIMEOUT": GONE_MS, **KEEP_ALIVE}.items():
        if hasattr(socket, name):
            listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def url(listener: socket.socket) -> str:
    """Returns the URL of the socket, with its real port."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _resolved(host: str, port: int) -> tuple[int, int, int, str, tuple[object, ...]]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return found[0]
