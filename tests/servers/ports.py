"""Free ports on loopback. Never a fixed number, so runs beside each other don't meet."""

import socket
from contextlib import ExitStack

HOST = "127.0.0.1"


def free_ports(count: int) -> list[int]:
    """`count` different ports that nobody listened on a moment ago.

    Held open together while choosing, so that one call never names a port twice.
    """
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in sockets]


def free_port() -> int:
    """One port that nobody listened on a moment ago."""
    return free_ports(1)[0]


def accepts(port: int) -> bool:
    """Whether something on this machine takes connections at `port` now."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((HOST, port)) == 0
