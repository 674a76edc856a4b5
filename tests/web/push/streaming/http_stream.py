"""An event stream over a real connection, read by the tests' strict reader. Asserts nothing about what is said."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx

from tests.web.push.streaming.event_stream import Event, Parser

SOON_S = 10.0
"""Far above what any event takes that a test waits for without a reason of its own."""


class HttpStream:
    """One open response. Make it with `opened`."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.events: list[Event] = []
        self._chunks = response.aiter_raw()
        self._parser = Parser()
        self._taken = 0

    async def next(self, *names: str, within_s: float = SOON_S) -> Event:
        """The next event, or the next with one of these names. Fails when none comes in time."""
        async with asyncio.timeout(within_s):
            while True:
                event = await self._one()
                if event is None:
                    raise AssertionError(f"the stream has ended: {[each.name for each in self.events]}")
                if not names or event.name in names:
                    return event

    async def rest(self, within_s: float = SOON_S) -> list[Event]:
        """All further events, once the server has ended the stream."""
        found = []
        async with asyncio.timeout(within_s):
            while (event := await self._one()) is not None:
                found.append(event)
        return found

    async def _one(self) -> Event | None:
        while self._taken == len(self.events):
            try:
                chunk = await anext(self._chunks)
            except StopAsyncIteration:
                self._parser.end()
                return None
            self.events += self._parser.feed(chunk)
        self._taken += 1
        return self.events[self._taken - 1]


@asynccontextmanager
async def opened(
    client: httpx.AsyncClient,
    url: str,
    *,
    method: str = "GET",
    params: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    body: Mapping[str, Any] | None = None,
) -> AsyncIterator[HttpStream]:
    """A stream that was taken; left when the context ends."""
    content = None if body is None else json.dumps(body).encode()
    sent = {**(headers or {}), **({} if body is None else {"content-type": "application/json"})}
    async with client.stream(method, url, params=params, headers=sent, content=content) as response:
        if response.status_code != httpx.codes.OK:
            raise AssertionError(f"{response.status_code}: {(await response.aread())!r}")
        yield HttpStream(response)
