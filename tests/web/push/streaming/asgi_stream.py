"""One request to the application in this process, read as slowly as a test likes. Asserts nothing of what is sent."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp, Message

from tests.web.push.streaming.event_stream import Event, Parser

FOREVER_S = 3_600
"""Of virtual time: a stream that says nothing for so long never will."""

Sent = list[tuple[float, Event]]


class Stream:
    """One request to a stream, and what came of it. Make it with `Pushing.open`."""

    def __init__(self, app: ASGIApp, scope: dict[str, Any], body: bytes) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.sent: Sent = []
        """Every event with the loop's time when the client had it."""
        self.pending = 0
        """Blocks that the server is waiting to hand over."""
        self._parser = Parser()
        self._body: bytes | None = body
        self._reads = asyncio.Event()
        self._reads.set()
        self._left = asyncio.Event()
        self._news = asyncio.Condition()
        self._taken = 0
        self.task = asyncio.create_task(self._run(app, scope), name="client")

    async def started(self) -> "Stream":
        """Once the status is known."""
        await self._until(lambda: self.status != 0)
        return self

    async def next(self) -> Event:
        """The next event. Fails when the stream ends before."""
        await self._until(lambda: len(self.sent) > self._taken or self.ended)
        assert len(self.sent) > self._taken, f"the stream has ended: {self.body!r}"
        self._taken += 1
        return self.sent[self._taken - 1][1]

    async def rest(self) -> list[Event]:
        """All further events, once the stream has ended."""
        await self._until(lambda: self.ended)
        events = [event for _, event in self.sent[self._taken :]]
        self._taken = len(self.sent)
        return events

    async def error(self) -> tuple[int, str]:
        """Status and code of a refusal in JSON."""
        await self._until(lambda: self.ended)
        assert self.headers["content-type"] == "application/json"
        return self.status, json.loads(self.body)["error"]["code"]

    @property
    def ended(self) -> bool:
        return self.task.done()

    def times(self) -> list[float]:
        """When each event came, in seconds since the first."""
        return [round(at - self.sent[0][0], 3) for at, _ in self.sent]

    def stop_reading(self) -> None:
        self._reads.clear()

    def read_on(self) -> None:
        self._reads.set()

    async def leave(self) -> None:
        """Closes the connection, and returns when the server has let go of it."""
        self._left.set()
        self._reads.set()
        await asyncio.wait_for(asyncio.shield(self.task), FOREVER_S)

    async def _run(self, app: ASGIApp, scope: dict[str, Any]) -> None:
        try:
            await app(scope, self._receive, self._send)
        finally:
            async with self._news:
                self._news.notify_all()

    async def _receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        self.pending += 1
        try:
            await self._reads.wait()
        finally:
            self.pending -= 1
        async with self._news:
            self._take(message)
            self._news.notify_all()

    def _take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        self.body += message["body"]
        if not self.headers["content-type"].startswith("text/event-stream"):
            return
        at = asyncio.get_running_loop().time()
        self.sent += [(at, event) for event in self._parser.feed(message["body"])]
        if not message.get("more_body", False):
            self._parser.end()
            self._left.set()  # ASGI: after the whole answer a server says that the client is gone

    async def _until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(FOREVER_S), self._news:
            await self._news.wait_for(true)
        if self.ended:
            await self.task  # what it raised is the test's to know
