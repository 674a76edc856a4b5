"""A connection of the service without a socket: takes bytes in any portions, keeps what its application was asked."""

import asyncio
import itertools
import socket
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.server import ServerState

from service.web.server.connection import Connection
from service.web.server.server import new_server

QUIET_TURNS = 10
"""Turns of the event loop without a change after which nothing goes on any more: nothing here waits for a clock."""


class Served(NamedTuple):
    """One request, as the application has read it."""

    method: str
    target: bytes
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()


class Kernel:
    """What is asked of a socket."""

    family = socket.AF_INET

    def getsockname(self) -> tuple[str, int]:
        return "127.0.0.1", 80

    def getpeername(self) -> tuple[str, int]:
        return "127.0.0.1", 50_000

    def setsockopt(self, *option: int) -> None:
        """Nothing is buffered here either."""


class Wire(asyncio.Transport):
    """Keeps what is written. Like a socket, it loses its protocol soon after it was closed."""

    def __init__(self) -> None:
        super().__init__({"socket": Kernel()})
        self.said = b""
        self.paused = False
        self.closed = False
        self.protocol: Connection | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed, f"written to a closed connection: {bytes(data)!r}"
        self.said += bytes(data)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """What is written is taken at once, so nothing is ever buffered."""

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            asyncio.get_running_loop().call_soon(self.lose)

    abort = close

    def lose(self) -> None:
        """What the event loop does when the connection has ended, whoever ended it."""
        self.closed = True
        if self.protocol is not None:
            protocol, self.protocol = self.protocol, None
            protocol.connection_lost(None)


class Peer:
    """The client's end of one connection; what was served over it, in order."""

    def __init__(self, app: ASGIApp | None = None) -> None:
        self.served: list[Served] = []
        self.wire = Wire()
        self.state = ServerState()
        config = new_server(app or self._answer, 1, lambda: None).config
        config.load()
        self.state.default_headers = config.encoded_headers  # as the server does when it begins
        self.connection = Connection(config, self.state, {})
        self.wire.protocol = self.connection
        self.connection.connection_made(self.wire)

    async def say(self, portions: Iterable[bytes]) -> None:
        """Sends them one after the other, as far as the connection reads; returns once nothing goes on any more."""
        for portion in portions:
            for _ in range(1_000):
                if not self.wire.paused or self.wire.closed:
                    break
                await asyncio.sleep(0)
            if self.wire.closed:
                break
            assert not self.wire.paused, "it never reads again"
            if portion:
                self.connection.data_received(portion)
            await self._settled()

    async def _settled(self) -> None:
        before, quiet = None, 0
        while quiet < QUIET_TURNS:
            await asyncio.sleep(0)
            now = (len(self.served), len(self.wire.said), len(self.state.tasks))
            is_quiet = now == before and not self.connection._held
            before, quiet = now, quiet + 1 if is_quiet else 0

    async def leave(self) -> None:
        """The client is gone; returns once all that was served over the connection has ended."""
        self.wire.lose()
        while self.state.tasks:
            await asyncio.wait([*self.state.tasks])

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            if not message.get("more_body", False):
                break
        query = scope["query_string"]
        target = scope["raw_path"] + (b"?" + query if query else b"")
        self.served.append(Served(scope["method"], target, body, tuple(scope["headers"])))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


async def served(portions: Sequence[bytes]) -> tuple[list[Served], bytes]:
    """What an application is asked by these bytes, and all that is answered."""
    peer = Peer()
    await peer.say(portions)
    await peer.leave()
    return peer.served, peer.wire.said


def split(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    """The bytes in portions that end at these places."""
    limiter = [0, *sorted({min(cut, len(data)) for cut in cuts}), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(limiter)]


def chunked(body: bytes, sizes: Sequence[int], trailers: bytes = b"") -> bytes:
    """The body in chunks of these sizes, the rest in one."""
    encoded, at = b"", 0
    for size in [*sizes, len(body)]:
        chunk = body[at : at + size]
        at += len(chunk)
        encoded += b"%x\r\n%b\r\n" % (len(chunk), chunk) if chunk else b""
    return encoded + b"0\r\n" + trailers + b"\r\n"


def statuses(said: bytes) -> list[int]:
    """Those of the answers, where their bodies don't look like answers."""
    return [int(line.split(b" ", 1)[0]) for line in said.split(b"HTTP/1.1 ")[1:]]
