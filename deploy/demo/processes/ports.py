"""Finds free ports of loopback, and tells whether a port accepts connections. Closes every socket before it returns."""

import socket
from contextlib import ExitStack
from random import SystemRandom

HOST = "127.0.0.1"


CHOSEN_FROM = range(10_240, 32_768)
"""Below the usual range of outgoing connections: one of these could otherwise take the port before the server."""


def free_ports(count: int) -> list[int]:
    """Returns `count` different ports on which nothing listens at the moment. Raises OSError if there are too few."""
    found: list[int] = []
    with ExitStack() as held:  # keeps the sockets open, so that no port is found twice
        for port in SystemRandom().sample(CHOSEN_FROM, len(CHOSEN_FROM)):
            try:
                held.enter_context(socket.socket()).bind((HOST, port))
            except OSError:  # the port is in use
                continue
            found.append(port)
            if len(found) == count:
                return found
    raise OSError(f"no {count} free ports from {CHOSEN_FROM.start} to {CHOSEN_FROM.stop - 1}")


def listen_problem(port: int) -> str:
    """Returns why a server can't listen at the port; "" if it can."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # like the service's socket
        try:
            probe.bind((HOST, port))
        except OSError as error:
            return error.strerror or str(error)
        return ""


def accepts(port: int) -> bool:
    """Whether the port accepts connections."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((HOST, port)) == 0
