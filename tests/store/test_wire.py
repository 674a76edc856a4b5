"""The wire on its own: a connection that ends while nobody uses it is made anew, in either event loop."""

import asyncio
from collections.abc import Callable

import pytest
import uvloop

from service.store.port import StoreUnavailable
from service.store.wire import Wire
from tests.servers.link import Link
from tests.servers.redis_server import RedisServer
from tests.waiting import wait_until

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
            async with Wire(f"redis://127.0.0.1:{link.port}/0", TIMEOUT_S) as wire:
                assert await wire.call("PING") == b"PONG"
                connection = wire._connection
                assert connection is not None
                link.cut()
                await wait_until(lambda: ended(connection), WITHIN_S, "the reset to arrive")
                link.heal()
                with pytest.raises(StoreUnavailable):
                    await asyncio.wait_for(wire.call("PING"), WITHIN_S)
                assert await asyncio.wait_for(wire.call("PING"), WITHIN_S) == b"PONG"

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(reset_and_called())


async def test_a_fault_of_the_program_is_heard_by_whoever_waits_and_whoever_asks_later(
    redis_process: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    async with Wire(redis_process.url, TIMEOUT_S) as wire:
        monkeypatch.setattr(wire, "_exchange", broken)
        waiting = await asyncio.wait_for(
            asyncio.gather(*(wire.call("PING") for _ in range(3)), return_exceptions=True), 5
        )
        assert [type(answer) for answer in waiting] == [StoreUnavailable] * 3
        with pytest.raises(RuntimeError) as told:
            await wire.call("PING")
        assert isinstance(told.value.__cause__, ZeroDivisionError)


def ended(connection: object) -> bool:
    """Whether the loop has heard of its end."""
    writer: asyncio.StreamWriter = connection._writer  # type: ignore[attr-defined]
    return writer.is_closing()
