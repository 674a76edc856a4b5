"""A TCP proxy before Redis that loses replies or holds requests back, so that a time-out really is in doubt."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

CHUNK = 1 << 16


class Proxy:
    """Passes bytes on; `lost` and `held` count the faults that really happened."""

    def __init__(self, upstream: str) -> None:
        address = urlsplit(upstream)
        self._host, self._port = address.hostname or "127.0.0.1", address.port or 6379
        self._path = address.path
        self.url = ""
        self._mute_at = b""
        self._hold_at = b""
        self._released = asyncio.Event()
        self._pumps: set[asyncio.Task[None]] = set()
        self.lost = 0
        self.held = 0

    def lose_next_reply(self, mark: bytes) -> None:
        """The next request that holds `mark` is carried out and its reply never arrives."""
        self._mute_at = mark

    def hold_next(self, mark: bytes) -> None:
        """The next request that holds `mark` reaches Redis only after `release`, even when its sender has left."""
        self._hold_at = mark

    def release(self) -> None:
        self._released.set()

    async def settled(self) -> None:
        """Returns when every connection whose client has left is over."""
        await asyncio.gather(*self._pumps)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pump = asyncio.create_task(self._connection(reader, writer))
        self._pumps.add(pump)
        pump.add_done_callback(self._pumps.discard)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_redis, to_redis = await asyncio.open_connection(self._host, self._port)
        muted = asyncio.Event()
        replies = asyncio.create_task(self._replies(from_redis, writer, muted))
        while request := await reader.read(CHUNK):
            if self._mute_at and self._mute_at in request:
                self._mute_at = b""
                muted.set()
            if self._hold_at and self._hold_at in request:
                self._hold_at = b""
                self.held += 1
                muted.set()
                await self._released.wait()
            to_redis.write(request)
            await to_redis.drain()
        if to_redis.can_write_eof():
            to_redis.write_eof()
        await replies
        for each in (to_redis, writer):
            each.close()
            await asyncio.gather(each.wait_closed(), return_exceptions=True)

    async def _replies(
        self, from_redis: asyncio.StreamReader, writer: asyncio.StreamWriter, muted: asyncio.Event
    ) -> None:
        while reply := await from_redis.read(CHUNK):
            if muted.is_set():
                self.lost += 1
            else:
                writer.write(reply)
                await writer.drain()

    @property
    def path(self) -> str:
        """The database, as in the URL of the server."""
        return self._path


@asynccontextmanager
async def proxied(upstream: str) -> AsyncIterator[Proxy]:
    """A proxy before the server at that URL; all its connections are over at the end."""
    proxy = Proxy(upstream)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}{proxy.path}"
    try:
        yield proxy
    finally:
        proxy.release()
        server.close()
        await proxy.settled()
        await server.wait_closed()
