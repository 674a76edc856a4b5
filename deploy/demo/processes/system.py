"""The four processes of the demo and what each is told: Redis, broker, consumers, service. Publishes nothing."""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from deploy.demo.processes.children import Children
from deploy.demo.processes.ports import HOST, accepts, free_ports
from deploy.demo.processes.servers import broker, redis_server
from service.config.environment import PREFIX

PACKAGES = Path(__file__).parents[3]
"""Where `service` and `consumers` are, in a clone as well as in an installed package."""

UP_S = 30.0
"""Longest wait for a process to answer; two seconds on an idle machine."""
POLL_S = 0.03

SERVER_GRACE_S = 2.0
"""Redis and the broker keep nothing that they would have to save."""
DRAIN_S = 3
PROCESS_GRACE_S = 7.0
"""Above the drain and the 3 s that a Kafka client may take to leave."""


ABOUT_SERVERS = ("KAFKA", "REDIS", "TLS_", "CONFIG", "TEST_")
"""Beginnings of settings that say where servers are and how they are reached: the demo has its own, on loopback."""


class Late(Exception):
    """A process does not answer: the message says which."""


class Ports(NamedTuple):
    """All on loopback."""

    http: int
    metrics: int
    redis: int
    broker: int

    @property
    def url(self) -> str:
        """Of the service."""
        return f"http://{HOST}:{self.http}"


def choose_ports(http_port: int | None) -> Ports:
    """Free ones; the service's may be given."""
    free = free_ports(4)
    return Ports(http_port or free[0], *free[1:])


def passed_on(environ: Mapping[str, str]) -> Mapping[str, str]:
    """The caller's settings for either process, without those about servers."""
    return {
        name: value
        for name, value in environ.items()
        if name.startswith(PREFIX) and not name.removeprefix(PREFIX).startswith(ABOUT_SERVERS)
    }


def settings_of(ports: Ports, sign_in: Path, environ: Mapping[str, str]) -> Mapping[str, str]:
    """What both processes are told, as environment variables: the demo's own, and what `environ` says beside them.

    Positions are shown unless `environ` says otherwise.

    `sign_in` is where the page at / finds its tokens.
    """
    own = {
        "KAFKA": f"{HOST}:{ports.broker}",
        "REDIS": f"redis://{HOST}:{ports.redis}/0",
        "HOST": HOST,
        "PORT": str(ports.http),
        "METRICS_HOST": HOST,
        "METRICS_PORT": str(ports.metrics),
        "DEVELOPMENT_SIGN_IN": str(sign_in),
        "LOG_FORMAT": "console",  # a person reads it, when something failed
        "DRAIN_S": str(DRAIN_S),
        # The embedded broker holds a join up for half of it; with the default that is five seconds of waiting.
        "SESSION_TIMEOUT_S": "2",
    }
    usual = {f"{PREFIX}EXPOSE_POSITIONS": "true"}  # the offsets of a demo are nobody's secret
    return {**usual, **passed_on(environ), **{f"{PREFIX}{name}": value for name, value in own.items()}}


async def start_system(children: Children, ports: Ports, told: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Starts all four, told by `settings_of`, and returns when Redis and the broker answer.

    Raises ServerMissing, Late.
    """
    servers = {"redis": (redis_server(ports.redis), ports.redis), "broker": (broker(ports.broker), ports.broker)}
    for name, (server, _) in servers.items():
        await children.start(name, server.command, grace_s=SERVER_GRACE_S)
    for server, port in servers.values():
        await until(partial(accepts, port), server.name)
        say(f"{server.name} at {HOST}:{port}")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    environ |= {"PYTHONPATH": str(PACKAGES), **told}
    for name in ("consumers", "service"):
        await children.start(name, [sys.executable, "-m", name], environ=environ, grace_s=PROCESS_GRACE_S)


async def until(ready: Callable[[], bool], what: str) -> None:
    """Asks `ready`, in a thread, until it says yes. Raises Late."""
    give_up = time.monotonic() + UP_S
    while not await asyncio.to_thread(ready):
        if time.monotonic() > give_up:
            raise Late(f"{what} does not answer after {UP_S:.0f} s")
        await asyncio.sleep(POLL_S)
