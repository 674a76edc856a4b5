"""Free ports on loopback. Never a fixed number, so runs beside each other don't meet."""

import socket
from contextlib import ExitStack
from random import SystemRandom

HOST = "127.0.0.1"


CHOSEN_FROM = range(10_240, 32_768)
"""Below what systems give to connections that go out: one of those could take a port before its server does."""


def free_ports(count: int) -> list[int]:
    """`count` different ports that nobody listened on a moment ago.

    Held open together while choosing, so that one call never names a port twice.
    """
    found: list[int] = []
    with ExitStack() as held:  # open together, so that none is named twice
        for port in SystemRandom().sample(CHOSEN_FROM, len(CHOSEN_FROM)):
            try:
                held.enter_context(socket.socket()).bind((HOST, port))
            except OSError:  # somebody listens there
                continue
            found.append(port)
            if len(found) == count:
                return found
    raise OSError(f"no {count} free ports from {CHOSEN_FROM.start} to {CHOSEN_FROM.stop - 1}")


def free_port() -> int:
    """One port that nobody listened on a moment ago."""
    return free_ports(1)[0]


def accepts(port: int) -> bool:
    """Whether something on this machine takes connections at `port` now."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((HOST, port)) == 0
