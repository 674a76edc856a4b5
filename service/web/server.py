"""Serves the application on a socket until it is told to stop. Never makes the socket, the store or the settings."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

KEEP_ALIVE_S = 75
"""Longer than the 60 s after which common proxies drop an idle connection: so they close it, and no request is lost."""


class Server(uvicorn.Server):
    """Ends with status 0 on SIGTERM: uvicorn's own would raise the signal again, and die of it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        caught = (signal.SIGTERM, signal.SIGINT)
        for each in caught:
            loop.add_signal_handler(each, self.handle_exit, each, None)
        try:
            yield
        finally:
            for each in caught:
                loop.remove_signal_handler(each)


async def serve(app: ASGIApp, listener: socket.socket, drain_s: float) -> None:
    """Returns once a signal came and the requests under way were answered, or `drain_s` is over."""
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",  # everything is opened before and closed after, whole
        log_config=None,
        access_log=False,  # prints queries, and costs more than ours
        server_header=False,
        proxy_headers=False,  # would let every caller on this machine choose its address
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, round(drain_s)),
    )
    await Server(config).serve(sockets=[listener])
