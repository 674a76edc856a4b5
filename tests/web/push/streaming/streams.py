"""A world whose streams can be opened, read slowly, left, and told of changes. Asserts nothing about what is sent."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from service.domain.tenants.tenant_entries import Entries
from service.domain.tickets.ticket import Ticket
from service.web.push.hub import Hub
from tests.web.push.streaming.asgi_stream import Stream
from tests.web.push.streaming.virtual_time import LoopClock
from tests.web.world import COUNT, NOW_US, QUERY, TENANT, World, a_world

STREAM = f"{COUNT}/stream"
STREAM_TICKET = f"{COUNT}/stream-ticket"


class Pushing:
    """A world with its hub running. Hints come only when a test says so."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.hub: Hub = world.hub
        self.changed: Callable[[str], None] = lambda tenant: None
        self.gap: Callable[[], None] = lambda: None
        self._streams: list[Stream] = []
        self._tickets = 0

    async def listen(self, changed: Callable[[str], None], gap: Callable[[], None]) -> None:
        """Stands for the subscription to hints."""
        self.changed, self.gap = changed, gap
        await asyncio.Event().wait()

    async def open(
        self,
        *ids: str,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        bearer: str | None = None,
        timezone: str = "UTC",
    ) -> Stream:
        """A stream of these filters (`all` where none is named) by `GET`, started."""
        asked = "".join(f"&filterIds={name}" for name in (ids or ("all",)))
        asked = f"{QUERY}{asked}&filterIds={(ids or ('all',))[0]}&timezone={timezone}{query}"
        return await self.request("GET", asked, self.world.headers(bearer) | dict(headers or {}))

    async def request(
        self, method: str, query: str, headers: Mapping[str, str], body: bytes = b"", **scope: Any
    ) -> Stream:
        """Any request to the stream's path, once its status is known."""
        return await self.begun(method, query, headers, body, **scope).started()

    def begun(self, method: str, query: str, headers: Mapping[str, str], body: bytes = b"", **scope: Any) -> Stream:
        """The same, not awaited."""
        encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        usual = {
            "type": "http",
            "method": method,
            "path": STREAM,
            "root_path": "",
            "query_string": query.encode(),
            "headers": encoded,
            "client": ("127.0.0.1", 5),
            "scheme": "http",
        }
        stream = Stream(self.world.app, usual | scope, body)
        self._streams.append(stream)
        return stream

    async def post(self, body: Mapping[str, Any], *, bearer: str | None = None) -> Stream:
        """A stream by `POST`."""
        headers = self.world.headers(bearer) | {"content-type": "application/json"}
        return await self.request("POST", QUERY, headers, json.dumps(body).encode())

    async def ticket(self, *ids: str, bearer: str | None = None) -> str:
        """A stream ticket."""
        body = {"filterIds": list(ids or ("all",))}
        answer = await self.world.client.post(f"{STREAM_TICKET}?{QUERY}", json=body, headers=self.world.headers(bearer))
        assert answer.status_code == 200, answer.text
        return str(answer.json()["data"]["ticket"])

    async def add(self, ticket: Ticket, tenant: str = TENANT, *, hinted: bool = True) -> None:
        """Counts one more ticket."""
        self._tickets += 1
        await self.world.apply(tenant, {f"more-{self._tickets}": ticket}, position=100 + self._tickets)
        if hinted:
            self.changed(tenant)

    async def put_entries(self, **changes: Any) -> None:
        """Another catalogue in force, on the columns that there are; hinted."""
        from_record = await self.world.record()
        entries = from_record.entries
        fields = {name: getattr(entries, name) for name in Entries.__struct_fields__} | changes
        record = type(from_record)(from_record.version + 1, Entries(**fields), from_record.numbers)
        await self.world.put_tenant(record)
        self.changed(TENANT)

    async def drop_tenant(self) -> None:
        """Removes the tenant; hinted."""
        stored = await self.world.store.tenant(TENANT)
        assert stored is not None
        assert await self.world.store.drop_tenant(TENANT, stored.record_version)
        self.changed(TENANT)

    def lag(self, lag_ms: int) -> None:
        """How long ago the consumers were last heard of."""
        self.world.store._clock_ms = lambda: lag_ms

    async def close(self) -> None:
        """All clients leave."""
        for stream in self._streams:
            await stream.leave()

    def is_idle(self) -> bool:
        """Whether nothing is left of any stream."""
        return not self.hub.open_streams and not self.hub._views and not self.hub._by_tenant


async def later(seconds: float) -> None:
    """Lets virtual time pass: what is due by then has happened."""
    await asyncio.sleep(seconds)


@asynccontextmanager
async def a_pushing_world(**settings: Any) -> AsyncIterator[Pushing]:
    """A world with its hub running; at the end every client leaves, and nothing may be left of them."""
    world = await a_world(LoopClock(NOW_US), **settings)
    pushing = Pushing(world)
    async with world.client, world.hub.running(pushing.listen):
        await asyncio.sleep(0)
        try:
            yield pushing
        finally:
            await pushing.close()
    assert pushing.is_idle()
