"""Two users who open streams as long as there is a place: others still get theirs, and their answers in time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.hostile.neighbour import neighbour
from tests.servers.redis_server import RedisServer
from tests.service.serving import Serving, headers_of, serving, stream_request

PLACES = 400


@asynccontextmanager
async def streams_of(service: Serving, user: str) -> AsyncIterator[list[bytes]]:
    """As many as there are places, one after another; how each begins. They stay open with the context."""
    url = urlsplit(str(service.client.base_url))
    writers: list[asyncio.StreamWriter] = []
    begins: list[bytes] = []
    try:
        for _ in range(PLACES):
            reader, writer = await asyncio.open_connection(url.hostname, url.port)
            writers.append(writer)
            writer.write(stream_request(headers_of(user)))
            async with asyncio.timeout(30):
                begins.append((await reader.readuntil(b"\nevent: ") + await reader.readline()).rpartition(b" ")[2])
        yield begins
    finally:
        for writer in writers:
            writer.close()


@pytest.mark.exhaustive
@pytest.mark.timeout(300)
async def test_two_users_leave_places_for_others(redis_process: RedisServer, tmp_path: Path) -> None:
    async with (
        serving(redis_process.url, tmp_path, STREAMS=PLACES, CREDENTIAL_REQUESTS_PER_MIN=0) as service,
        neighbour(service) as other,
    ):
        await other.answered(100)
        print(other.phase("before"))
        async with streams_of(service, "eve") as first, streams_of(service, "mallory") as second:
            print(other.phase("during"), first.count(b"snapshot\n"), second.count(b"snapshot\n"))
            await other.answered(100)
            print(other.phase("while all of them are open"))
            assert (first.count(b"snapshot\n"), second.count(b"snapshot\n")) == (200, 80)
            async with streams_of(service, "ned") as third:
                assert third[:10] == [b"snapshot\n"] * 10
        await other.answered(100)
        print(other.phase("after"))
