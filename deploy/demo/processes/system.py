"""Starts Redis, broker, consumers and service with the demo's settings. Publishes nothing."""

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
"""The folder of the packages `service` and `consumers`, both in a clone and in an installed package."""

UP_S = 30.0
"""Longest wait for a process to answer; two seconds on an idle machine."""
POLL_S = 0.03

SERVER_GRACE_S = 2.0
"""Short, because Redis and the broker have nothing to save."""
DRAIN_S = 3
PROCESS_GRACE_S = 7.0
"""Longer than the drain plus the 3 s that a Kafka client may take to leave its group."""


ABOUT_SERVERS = ("KAFKA", "REDIS", "TLS_", "CONFIG", "TEST_")
"""Prefixes of the settings about servers. The demo doesn't pass them on: its own servers are on loopback."""


class Late(Exception):
    """A process does not answer in time; the message says which."""


class Ports(NamedTuple):
    """The ports of the demo on loopback."""

    http: int
    metrics: int
    redis: int
    broker: int

    @property
    def url(self) -> str:
        """The address of the service."""
        return f"http://{HOST}:{self.http}"


def choose_ports(http_port: int | None) -> Ports:
    """Returns free ports. `http_port` is the service's; None for any free one."""
    free = free_ports(4)
    return Ports(http_port or free[0], *free[1:])


def passed_on(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Returns the project's settings in `environ`, without those about servers."""
    return {
        name: value
        for name, value in environ.items()
        if name.startswith(PREFIX) and not name.removeprefix(PREFIX).startswith(ABOUT_SERVERS)
    }


def settings_of(ports: Ports, sign_in: Path, environ: Mapping[str, str]) -> Mapping[str, str]:
    """Returns the environment variables for consumers and service.

    The demo's own settings win over those of `environ`, but `environ` may switch off the positions in answers.
    `sign_in` is the file with the tokens for the page at /.
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
        # The embedded broker delays a join for half of the time-out: with the default, by five seconds.
        "SESSION_TIMEOUT_S": "2",
    }
    defaults = {f"{PREFIX}EXPOSE_POSITIONS": "true"}  # the offsets of a demo aren't confidential
    return {**defaults, **passed_on(environ), **{f"{PREFIX}{name}": value for name, value in own.items()}}


async def start_system(
    children: Children, ports: Ports, settings: Mapping[str, str], say: Callable[[str], None]
) -> None:
    """Starts all four processes with the settings of `settings_of`. Returns when Redis and the broker answer.

    Consumers and service may still be starting then. Raises ServerMissing, Late.
    """
    servers = {"redis": (redis_server(ports.redis), ports.redis), "broker": (broker(ports.broker), ports.broker)}
    for name, (server, _) in servers.items():
        await children.start(name, server.command, grace_s=SERVER_GRACE_S)
    for server, port in servers.values():
        await until(partial(accepts, port), server.name)
        say(f"{server.name} at {HOST}:{port}")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    environ |= {"PYTHONPATH": str(PACKAGES), **settings}
    for name in ("consumers", "service"):
        await children.start(name, [sys.executable, "-m", name], environ=environ, grace_s=PROCESS_GRACE_S)


async def until(ready: Callable[[], bool], what: str) -> None:
    """Polls `ready` in a thread until it returns True. Raises Late after UP_S."""
    give_up = time.monotonic() + UP_S
    while not await asyncio.to_thread(ready):
        if time.monotonic() > give_up:
            raise Late(f"{what} does not answer after {UP_S:.0f} s")
        await asyncio.sleep(POLL_S)
