"""Ports of loopback: free ones, and whether somebody answers there. Opens nothing for longer than it looks."""

import socket
from contextlib import ExitStack
from random import SystemRandom

HOST = "127.0.0.1"


CHOSEN_FROM = range(10_240, 32_768)
"""Below what systems give to connections that go out: one of those could take a port before its server does."""


def free_ports(count: int) -> list[int]:
    """`count` different ports that nobody listened on a moment ago."""
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
