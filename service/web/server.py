"""The HTTP server, set up for us. Never makes the socket it serves on, the store or the settings."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator

import uvicorn
from sse_starlette.sse import AppStatus
from starlette.types import ASGIApp

KEEP_ALIVE_S = 75
"""Longer than the 60 s after which common proxies drop an idle connection: so they close it, and no request is lost."""


class Server(uvicorn.Server):
    """Ends with status 0 on SIGTERM: uvicorn's own would raise the signal again, and die of it."""

    def __init__(self, config: uvicorn.Config, drain: Callable[[], None]) -> None:
        super().__init__(config)
        self._drain = drain

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Has streams end first: uvicorn waits for them."""
        self._drain()
        await super().shutdown(sockets)

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

    def end(self) -> None:
        """Ends it as a signal would."""
        self.should_exit = True


def new_server(app: ASGIApp, drain_s: float, drain: Callable[[], None]) -> Server:
    """Its `serve` returns once it was told to end and what was under way is answered, or `drain_s` is over.

    `drain` is called when it was told to end: it has the streams end.
    """
    # sse-starlette would cut streams off at the signal; ours end by saying why.
    AppStatus.disable_automatic_graceful_drain()  # type: ignore[no-untyped-call]
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
    return Server(config, drain)
