"""The HTTP server, set up for us. Never makes the socket it serves on, the store or the settings."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator

import structlog
import uvicorn
from starlette.types import ASGIApp

from service.web.http.replies import NOSNIFF
from service.web.server.connection import KEEP_ALIVE_S, Connection, check_all

log = structlog.stdlib.get_logger(__name__)

CUT_SHARE = 0.85
"""Of the time to end, after which connections are cut whose clients take nothing or send nothing: or uvicorn would
cancel what serves them at its end, with an error line."""

TICKS_A_CHECK = 10
"""uvicorn ticks ten times a second."""


class HttpServer(uvicorn.Server):
    """Ends with status 0 on SIGTERM: uvicorn would raise the signal again, and end with its status."""

    def __init__(self, config: uvicorn.Config, drain: Callable[[], None]) -> None:
        super().__init__(config)
        self._drain = drain

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends streams first, because uvicorn waits for them."""
        self._drain()
        cut_after_s = CUT_SHARE * (self.config.timeout_graceful_shutdown or 0)
        cutting = asyncio.get_running_loop().call_later(cut_after_s, self._cut)
        try:
            await super().shutdown(sockets)
        finally:
            cutting.cancel()

    async def on_tick(self, counter: int) -> bool:
        if counter % TICKS_A_CHECK == 0:
            check_all(self.server_state.connections, asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    def _cut(self) -> None:
        left = [*self.server_state.connections]
        if left:
            log.warning("connections are cut at the end", connections=len(left))
        for connection in left:
            connection.transport.abort()

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
        """Ends the server as a signal would."""
        self.should_exit = True


def new_server(app: ASGIApp, drain_s: float, drain: Callable[[], None]) -> HttpServer:
    """Its `serve` returns once it was told to end and what was under way is answered, or `drain_s` is over.

    `drain` is called when it was told to end: it has the streams end.
    """
    config = uvicorn.Config(
        app,
        interface="asgi3",
        http=Connection,
        ws="none",
        lifespan="off",  # everything is opened before and closed after, whole
        log_config=None,
        access_log=False,  # uvicorn's prints queries, and costs more than ours
        server_header=False,
        headers=[(name.decode(), value.decode()) for name, value in (NOSNIFF,)],
        proxy_headers=False,  # would let every caller on this machine choose its address
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, round(drain_s)),
    )
    return HttpServer(config, drain)
