"""The bare broadcast that streams are compared with: the same bytes to every reader, at each message on a channel.

Under the product's own server and listening socket; it checks nobody, reads no store and keeps no state.
"""

import asyncio
import sys

import uvloop
from redis.asyncio import Redis
from starlette.types import Receive, Scope, Send

from service.process.listener import BACKLOG, listen
from service.web.server.server import new_server

DRAIN_S = 1.0

HEADERS = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store")]


class Broadcast:
    """An ASGI application: a stream at every path but `/readyz`."""

    def __init__(self, frame: bytes) -> None:
        self._frame = frame
        self._number = 0
        self._news = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        if scope["path"] == "/readyz":
            await send({"type": "http.response.body", "body": b"ready"})
            return
        await send({"type": "http.response.body", "body": self._block(), "more_body": True})
        while True:
            await self._news.wait()
            await send({"type": "http.response.body", "body": self._block(), "more_body": True})

    async def follow(self, redis: str, channel: str) -> None:
        """Has every stream sent another block for each message."""
        async with Redis.from_url(redis) as client, client.pubsub() as subscription:
            await subscription.subscribe(channel)
            async for message in subscription.listen():
                if message["type"] == "message":
                    self._number += 1
                    news, self._news = self._news, asyncio.Event()
                    news.set()

    def _block(self) -> bytes:
        return self._frame.replace(b".0.", b".%d." % self._number)


async def serve(port: int, redis: str, channel: str, frame: bytes) -> None:
    """Until SIGTERM."""
    with listen("127.0.0.1", port) as listener:
        listener.listen(BACKLOG)
        broadcast = Broadcast(frame)
        async with asyncio.TaskGroup() as tasks:
            following = tasks.create_task(broadcast.follow(redis, channel))
            await new_server(broadcast, DRAIN_S, lambda: None).serve(sockets=[listener])
            following.cancel()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4].encode()))
