"""Ports of loopback: free ones, and whether somebody answers there. Opens nothing for longer than it looks."""

import socket
from contextlib import ExitStack

HOST = "127.0.0.1"


def free_ports(count: int) -> list[int]:
    """`count` different ports that nobody listened on a moment ago."""
    with ExitStack() as held:  # open together, so that none is named twice
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in sockets]


def why_not(port: int) -> str:
    """What keeps a server from listening there now; "" when nothing does."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the service's own
        try:
            probe.bind((HOST, port))
        except OSError as error:
            return error.strerror or str(error)
        return ""


def accepts(port: int) -> bool:
    """Whether somebody takes connections there now."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((HOST, port)) == 0
