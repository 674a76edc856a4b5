"""The listening socket, made here so that its options are ours and the real port is known. Never accepts."""

import socket

BACKLOG = 2_048
"""Connections that may wait to be accepted: a fleet of dashboards reconnecting at once after a restart."""


def listen(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A bound, not yet listening socket; `shared` lets further processes bind the same port. Raises OSError."""
    family, kind, protocol, _, address = _resolved(host, port)
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener


def url(listener: socket.socket) -> str:
    """Where it can be reached, with the real port."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _resolved(host: str, port: int) -> tuple[int, int, int, str, tuple[object, ...]]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return found[0]
