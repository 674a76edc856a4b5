"""The wire on its own: a connection that ends while nobody uses it is made anew, in either event loop."""

import asyncio
from collections.abc import Callable

import pytest
import uvloop

from service.store.client.pipelined_connection import PipelinedConnection
from service.store.ports.errors import StoreUnavailable
from tests.servers.link import Link
from tests.servers.redis.redis_server import RedisServer
from tests.support.waiting import wait_until

TIMEOUT_S = 2.0
WITHIN_S = 10.0

NewLoop = Callable[[], asyncio.AbstractEventLoop]


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_a_connection_reset_while_it_was_idle_fails_one_call_at_most(
    new_loop: NewLoop, redis_process: RedisServer
) -> None:
    async def reset_and_called() -> None:
        async with Link() as link:
            link.lead_to(redis_process.port)
            async with PipelinedConnection(f"redis://127.0.0.1:{link.port}/0", TIMEOUT_S) as client:
                assert await client.call("PING") == b"PONG"
                connection = client._connection
                assert connection is not None
                link.cut()
                await wait_until(lambda: ended(connection), WITHIN_S, "the reset to arrive")
                link.heal()
                with pytest.raises(StoreUnavailable):
                    await asyncio.wait_for(client.call("PING"), WITHIN_S)
                assert await asyncio.wait_for(client.call("PING"), WITHIN_S) == b"PONG"

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(reset_and_called())


async def test_a_fault_of_the_program_is_heard_by_whoever_waits_and_whoever_asks_later(
    redis_process: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    async with PipelinedConnection(redis_process.url, TIMEOUT_S) as client:
        monkeypatch.setattr(client, "_exchange", broken)
        waiting = await asyncio.wait_for(
            asyncio.gather(*(client.call("PING") for _ in range(3)), return_exceptions=True), 5
        )
        assert [type(answer) for answer in waiting] == [StoreUnavailable] * 3
        with pytest.raises(RuntimeError) as told:
            await client.call("PING")
        assert isinstance(told.value.__cause__, ZeroDivisionError)


async def test_a_server_that_falls_silent_fails_all_calls_that_wait_at_once(redis_process: RedisServer) -> None:
    async with PipelinedConnection(redis_process.url, TIMEOUT_S) as client:
        assert await client.call("PING") == b"PONG"
        redis_process.pause()
        try:
            calls = [asyncio.create_task(client.call("PING")) for _ in range(5_000)]  # ten round trips
            await asyncio.wait(calls, timeout=WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
            late = asyncio.create_task(client.call("PING"))
            for _ in range(3):
                await asyncio.sleep(0)
            assert all(call.done() for call in calls), "none waits for a turn of its own"
            assert {type(call.exception()) for call in calls} == {StoreUnavailable}
            assert not late.done(), "what is asked afterwards is tried anew"
        finally:
            redis_process.thaw()
        assert await asyncio.wait_for(late, WITHIN_S) == b"PONG"


async def test_a_call_has_its_time_from_when_it_is_made_and_not_from_when_it_is_sent(redis_db: str) -> None:
    loop = asyncio.get_running_loop()
    async with PipelinedConnection(redis_db, TIMEOUT_S) as client:
        assert await client.call("PING") == b"PONG"
        too_late = asyncio.Event()
        began = loop.time()
        first = asyncio.create_task(client.call("BLPOP", "nothing", str(0.9 * TIMEOUT_S)))
        await asyncio.sleep(0)
        await wait_until(lambda: not client._waiting, WITHIN_S, "the first to be sent")
        second = asyncio.create_task(client.call("BLPOP", "nothing", str(WITHIN_S)))
        flag = loop.call_at(began + 1.8 * TIMEOUT_S, too_late.set)
        assert await first is None
        with pytest.raises(StoreUnavailable):
            await second
        assert not too_late.is_set(), "it waited as long again once it was sent"
        flag.cancel()


async def test_more_calls_than_may_wait_are_refused_at_once(
    redis_process: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.store.client.pipelined_connection.MOST_WAITING", 100)
    async with PipelinedConnection(redis_process.url, TIMEOUT_S) as client:
        calls = [asyncio.create_task(client.call("PING")) for _ in range(150)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        refused = [call for call in calls if call.done()]
        assert refused == calls[100:]
        assert {str(call.exception()) for call in refused} == {"Redis: 100 calls are waiting already"}
        assert await asyncio.gather(*calls[:100]) == [b"PONG"] * 100


async def test_what_nobody_waits_for_any_more_is_not_sent(redis_db: str) -> None:
    async with PipelinedConnection(redis_db, TIMEOUT_S) as client:
        calls = [asyncio.create_task(client.call("SET", f"k{number}", "v")) for number in range(3)]
        await asyncio.sleep(0)
        calls[1].cancel()
        await asyncio.gather(calls[0], calls[2])
        assert await client.call("EXISTS", "k0", "k1", "k2") == 2


def ended(connection: object) -> bool:
    """Whether the loop has heard of its end."""
    writer: asyncio.StreamWriter = connection._writer  # type: ignore[attr-defined]
    return writer.is_closing()
