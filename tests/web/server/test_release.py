"""A connection that has ended is freed at once, with its last request: not at the next full garbage collection."""

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from service.web.server.link import link_of
from tests.web.server.wire import Peer

LARGE = b"GET /?" + b"x" * 100_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.fixture(autouse=True)
def no_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def at_once(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


async def going_on(scope: Scope, receive: Receive, send: Send) -> None:
    """Holds on to its link, as a stream does."""
    link = link_of(scope)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while (await receive())["type"] != "http.disconnect":
        pass
    assert link is not None


@pytest.mark.parametrize(
    "said",
    [
        LARGE,
        LARGE * 3,
        LARGE[:-2],
        LARGE + b"bad\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\nabcde",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 500000\r\n\r\n" + b"x" * 60_000,
        b"",
    ],
)
@pytest.mark.parametrize("app", [at_once, going_on])
async def test_nothing_of_it_is_left(said: bytes, app: ASGIApp) -> None:
    peer = Peer(app)
    freed = weakref.ref(peer.connection)
    await peer.say([said])
    await peer.leave()
    del peer
    await asyncio.sleep(0)
    assert freed() is None


async def test_a_stream_is_told_that_its_client_is_gone_also_with_another_request_behind_it() -> None:
    peer = Peer(going_on)
    await peer.say([LARGE, LARGE])
    assert len(peer.state.tasks) == 1
    await peer.leave()  # returns when the task has ended
    assert not peer.state.tasks


async def test_one_that_was_reset_is_not_kept_until_it_would_have_been_idle_for_too_long() -> None:
    peer = Peer(at_once)
    freed = weakref.ref(peer.connection)
    await peer.say([LARGE])
    peer.wire.protocol = None
    peer.connection.connection_lost(ConnectionResetError())
    del peer
    await asyncio.sleep(0)
    assert freed() is None
