"""Clients that freeze or vanish: they cost little while they are there, and are gone in time. Others notice nothing."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.servers.redis.redis_server import RedisServer
from tests.service.process import slow_reader
from tests.service.process.far_away import HERE, FarAway, far_away
from tests.service.process.serving import Serving, headers_of, serving, stream_request
from tests.service.process.slow_reader import SMALL_BYTES, SlowReader
from tests.support.waiting import wait_until

FROZEN_S = 12.0
STALE_FRAMES = 60
"""By the contract, after 12 s."""
GONE_S = 15.0 + 20.0
"""By the contract: a heartbeat, and 20 s."""
SETTLED_S = 2.0


@pytest.fixture
def there() -> Iterator[FarAway]:
    """Set up before any server: it may skip the test."""
    with far_away() as network:
        yield network


@asynccontextmanager
async def constant_changes(service: Serving) -> AsyncIterator[None]:
    """Several a frame, for as long as the context is open."""

    async def change() -> None:
        while True:
            await service.add()
            await asyncio.sleep(0.03)

    changing = asyncio.create_task(change())
    try:
        yield
        assert not changing.done(), "the changes have stopped by themselves"
    finally:
        changing.cancel()
        await asyncio.gather(changing, return_exceptions=True)


async def costs(service: Serving) -> tuple[float, float, int]:
    """Streams, tasks and descriptors of the process."""
    return await service.metric("streams_open"), await service.metric("tasks"), service.descriptors()


async def back_to(service: Serving, before: tuple[float, float, int], within_s: float) -> None:
    async def is_back() -> bool:
        now = await costs(service)
        return all(is_ <= was for is_, was in zip(now, before, strict=True))

    await wait_until(is_back, within_s, f"streams, tasks and descriptors to be {before} again")


def place(service: Serving) -> tuple[str, int]:
    url = service.client.base_url
    assert url.port is not None
    return url.host, url.port


async def test_a_client_that_was_frozen_reads_few_stale_blocks_and_one_that_stays_frozen_does_not_hold_up_the_end(
    redis_process: RedisServer, tmp_path: Path
) -> None:
    async with serving(redis_process.url, tmp_path, DRAIN_S=3) as service, AsyncExitStack() as stack:
        request = stream_request(service.headers)
        # A kernel with the usual buffer takes all there is; a small one is full before, and the server sees that.
        usual, frozen, stays = (
            SlowReader(*place(service), request, buffer) for buffer in (None, SMALL_BYTES, SMALL_BYTES)
        )
        for reader in (usual, frozen, stays):
            stack.callback(reader.close)
        async with service.stream() as quick:
            first = await quick.next("snapshot")
            for reader in (usual, frozen, stays):
                reader.versions_until(first.version)
            async with constant_changes(service):
                until = time.monotonic() + FROZEN_S
                shown = 0  # a busy machine takes longer for as many
                while time.monotonic() < until or shown <= FROZEN_S * 3:
                    newest = await quick.next("counts")
                    shown += 1
            missed = [event for event in quick.events if event.name == "counts"]
            assert len(missed) > FROZEN_S * 3, "a client that reads was shown every frame meanwhile"
            for reader in (usual, frozen):
                read = await asyncio.to_thread(reader.versions_until, newest.version)
                assert len([version for version in read if version < newest.version]) <= STALE_FRAMES
                assert read == sorted(read)
            assert await service.metric("stream_conflated_states_total") >= len(missed) - len(read)
        await asyncio.to_thread(service.program.terminate)  # fails after 10 s, and for any error line
        assert service.program.said("connections are cut at the end"), "one was still there, and not reading"


@pytest.mark.timeout(120)
async def test_frozen_and_vanished_clients_are_gone_in_time_and_nothing_is_left_of_them(
    redis_process: RedisServer, tmp_path: Path, there: FarAway
) -> None:
    async with serving(redis_process.url, tmp_path, HOST=HERE) as service:
        async with service.stream() as stream:
            await stream.next("snapshot")
        await wait_until(lambda: _has(service, 0), SETTLED_S, "the first stream to be gone")
        before = await costs(service)
        host, port = place(service)
        frozen = SlowReader(host, port, stream_request(service.headers))
        script = Path(slow_reader.__file__)
        # The second is shown nothing that changes, so the first it isn't there for is a heartbeat.
        for user, role in (("bob", "ticket_admin"), ("rob", "ticket_user")):
            there.run(script, (host, str(port)), stream_request(headers_of(user, role)))
        try:
            await wait_until(lambda: _has(service, 3), 10, "three streams")
            async with constant_changes(service):
                there.cut()
                await wait_until(lambda: _has(service, 0), GONE_S, "all three to be gone")
            assert await service.metric("streams_closed_total") == 4
            await back_to(service, before, SETTLED_S)
        finally:
            frozen.close()


async def _has(service: Serving, streams: int) -> bool:
    return await service.metric("streams_open") == streams
