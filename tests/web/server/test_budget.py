"""What a request may bring beside its body: heads, chunk extensions and trailers share one budget."""

import asyncio
import json

import pytest
from starlette.types import Receive, Scope, Send

from tests.web.server.wire import Peer, chunked, served

HEAD = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"

TRAILERS = b"x-more: " + b"y" * 1_000 + b"\r\n"


async def test_trailers_are_read_over_and_are_no_headers() -> None:
    (request,), said = await served([HEAD + chunked(b"abc", [1], trailers=b"authorization: Bearer x\r\n" * 10)])
    assert request.body == b"abc"
    assert request.headers == ((b"host", b"x"), (b"transfer-encoding", b"chunked"))
    assert said.startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("what", [TRAILERS, b"x" * 1_000, b"1;more=" + b"y" * 1_000 + b"\r\nz\r\n"])
async def test_what_is_no_body_is_refused_beyond_its_budget(what: bytes) -> None:
    start = HEAD + b"3\r\nabc\r\n" + (b"" if what.startswith(b"1;") else b"0\r\n")
    peer = Peer()
    await peer.say([start, *[what] * 1_000])
    assert peer.served == []
    assert peer.wire.said.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
    assert peer.wire.said.count(b"HTTP/1.1") == 1
    assert json.loads(peer.wire.said.partition(b"\r\n\r\n")[2])["error"]["code"] == "INVALID_REQUEST"
    assert peer.wire.closed


async def test_the_budget_is_the_same_after_the_answer() -> None:
    async def at_once(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 401, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    peer = Peer(at_once)
    await peer.say([HEAD + b"3\r\nabc\r\n0\r\n", *[TRAILERS] * 1_000])
    assert peer.wire.said.count(b"HTTP/1.1") == 1
    assert peer.wire.closed


async def test_a_body_may_come_in_as_many_chunks_as_it_has_bytes() -> None:
    body = b"x" * 100_000
    encoded = HEAD + chunked(body, [1] * len(body))
    (request,), _ = await served([encoded[at : at + 10_000] for at in range(0, len(encoded), 10_000)])
    assert request.body == body


async def test_headers_beyond_the_budget_are_refused_however_short_each_is() -> None:
    found, said = await served([b"GET / HTTP/1.1\r\nhost: x\r\n" + b"a:\r\n" * 20_000 + b"\r\n"])
    assert found == []
    assert said.startswith(b"HTTP/1.1 431 ")


async def test_the_handler_of_a_refused_request_is_told_that_its_client_is_gone() -> None:
    told = asyncio.Event()

    async def waits(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        told.set()

    peer = Peer(waits)
    await peer.say([HEAD + b"3\r\nabc\r\n0\r\n", *[TRAILERS] * 1_000])
    assert told.is_set()
