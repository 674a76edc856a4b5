"""Large reads are parsed in slices that all connections share; small ones of others go on at once meanwhile."""

import asyncio

import pytest

from service import turns
from service.turns import TURNS_OF_OTHERS
from service.web.server.connection import LARGE_READ_BYTES, PIECE_BYTES
from tests.web.server.wire import Peer

SMALL = b"GET /small HTTP/1.1\r\nhost: x\r\n\r\n"

LARGE = b"GET /large HTTP/1.1\r\nhost: x\r\n" + b"".join(b"x-%d: %s\r\n" % (n, b"y" * 990) for n in range(60)) + b"\r\n"

POSTED = b"POST /posted HTTP/1.1\r\nhost: x\r\ncontent-length: 60000\r\n\r\n"


@pytest.fixture(autouse=True)
def no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each slice is over after one piece."""
    monkeypatch.setattr(turns, "SLICE_S", 0.0)


def left(peers: list[Peer]) -> int:
    return sum(len(peer.connection._held) for peer in peers)


async def test_all_connections_together_have_one_piece_parsed_in_some_iterations_of_the_loop() -> None:
    peers = [Peer() for _ in range(10)]
    for peer in peers:
        peer.connection.data_received(LARGE)
    before, iterations = left(peers), 0
    assert before >= len(LARGE) * 10 - PIECE_BYTES
    while left(peers):
        await asyncio.sleep(0)
        iterations += 1
        now = left(peers)
        assert before - now <= PIECE_BYTES
        before = now
    assert iterations >= (len(LARGE) * 10 // PIECE_BYTES - 1) * TURNS_OF_OTHERS
    for peer in peers:
        await peer.say([b""])
        assert [(each.target, len(each.headers)) for each in peer.served] == [(b"/large", 61)]


async def test_a_small_request_is_parsed_while_large_ones_wait() -> None:
    peers = [Peer() for _ in range(10)]
    for peer in peers:
        peer.connection.data_received(LARGE)
    other = Peer()
    other.connection.data_received(SMALL)
    await other.say([b""])
    assert [each.target for each in other.served] == [b"/small"]
    assert left(peers)


async def test_what_follows_a_large_read_on_its_connection_is_parsed_behind_it() -> None:
    Peer().connection.data_received(LARGE)  # so that the next one waits
    peer = Peer()
    peer.connection.data_received(POSTED + b"x" * LARGE_READ_BYTES)
    assert peer.wire.paused
    for size in (10, 60_000 - LARGE_READ_BYTES - 10):
        peer.connection.data_received(b"y" * size)
    peer.connection.data_received(SMALL)
    await peer.say([b""])
    assert [each.target for each in peer.served] == [b"/posted", b"/small"]
    assert peer.served[0].body == b"x" * LARGE_READ_BYTES + b"y" * (60_000 - LARGE_READ_BYTES)
    assert not peer.wire.paused


async def test_one_that_is_gone_while_it_waits_holds_up_nobody() -> None:
    peers = [Peer() for _ in range(3)]
    for peer in peers:
        peer.connection.data_received(LARGE)
    peers[0].wire.lose()
    peers[1].wire.lose()
    await peers[2].say([b""])
    assert [each.target for each in peers[2].served] == [b"/large"]
    assert peers[0].served == peers[1].served == []
    assert not left(peers)
